//! What one row of a history file comes to.
//!
//! Must stay true: every element of a file gives exactly one [`Row`], so that a row's number can be a cursor; a row
//! that gives no play says why in one of the fixed words below; of a refused one, an excerpt without personal values is kept.

use std::{borrow::Cow, fmt, sync::Arc};

use crate::domain::{observation::Observation, track::TrackFacts};

/// One element of a history file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    Play(ExportedPlay),
    /// In order, but no play that could be kept.
    Skipped(SkipReason),
    /// Not to be understood.
    Rejected(Reject),
}

/// Refused rows of one file that are kept with an excerpt; further ones are counted alone.
pub const MAX_KEPT_REJECTS: u64 = 1_000;

/// A row that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub reason: RejectReason,
    /// What it looks like, without personal values; `None` beyond the first [`MAX_KEPT_REJECTS`].
    pub excerpt: Option<Box<str>>,
}

impl From<RejectReason> for Reject {
    fn from(reason: RejectReason) -> Self {
        Self { reason, excerpt: None }
    }
}

impl From<RejectReason> for Row {
    fn from(reason: RejectReason) -> Self {
        Self::Rejected(reason.into())
    }
}

/// A play as the export tells it, and the track as the export names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedPlay {
    pub observation: Observation,
    pub track: Arc<TrackFacts>,
}

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$reason_doc:meta])* $reason:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$reason_doc])* $reason,)* }

        impl $name {
            pub const ALL: [Self; [$($word),*].len()] = [$(Self::$reason),*];

            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$reason => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

reasons! {
    /// Why a row that can be read is not kept.
    SkipReason {
        /// Neither a URI nor a title.
        NoTrack = "no_track",
        /// Account data's placeholder for something no longer on Spotify: `Unknown Track` by `Unknown Artist`.
        UnknownTrack = "unknown_track",
        /// Listened to in a private session, and such are to be left out.
        Incognito = "incognito",
    }
}

reasons! {
    /// Why a row cannot be used.
    RejectReason {
        /// A number, a text or an array stands where an object should.
        NotAnObject = "not_an_object",
        /// Broken JSON, bad UTF-8, or a number beyond all ranges.
        Unreadable = "unreadable",
        TimeMissing = "time_missing",
        TimeUnreadable = "time_unreadable",
        /// Before 2006, or more than a day in the future.
        TimeOutOfRange = "time_out_of_range",
        LengthUnreadable = "length_unreadable",
        /// Negative, or more than 30 days.
        LengthOutOfRange = "length_out_of_range",
    }
}

/// Names as a row has them, ready to be kept; `title` and `artist` in the sense of [`TrackFacts`].
#[derive(Debug, Default)]
pub(super) struct Names<'a> {
    pub uri: Option<Cow<'a, str>>,
    pub title: Option<Cow<'a, str>>,
    pub artist: Option<Cow<'a, str>>,
    pub album: Option<Cow<'a, str>>,
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_its_own_snake_case_word() {
        let skips = SkipReason::ALL.map(SkipReason::as_str);
        let rejects = RejectReason::ALL.map(RejectReason::as_str);
        let words: HashSet<&str> = skips.into_iter().chain(rejects).collect();
        assert_eq!(words.len(), skips.len() + rejects.len());
        assert!(words.iter().all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }
}
