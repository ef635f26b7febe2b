//! What one source said about one stretch of listening.
//!
//! Must stay true: an observation is a fact as reported and is never changed by matching. The instant is the END of the
//! play in all three sources, at the precision of its source.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{
    ids::{ImportFileId, SongId, TrackId},
    instant::{MINUTE_MS, Millis},
};

/// Who reported a play. The order is the order of trust in what was played and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The extended streaming history of a data export: to the second, with length and reasons.
    Extended,
    /// The account data of a data export: to the minute, names only.
    Account,
    /// Spotify's recently-played list: to the millisecond, without a length.
    Api,
}

/// What was played. Stored as its number; questions are about music unless asked otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Music,
    Podcast,
    Audiobook,
    Local,
    Video,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Music, Self::Podcast, Self::Audiobook, Self::Local, Self::Video];

    pub const fn code(self) -> i64 {
        match self {
            Self::Music => 0,
            Self::Podcast => 1,
            Self::Audiobook => 2,
            Self::Local => 3,
            Self::Video => 4,
        }
    }

    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Music => "music",
            Self::Podcast => "podcast",
            Self::Audiobook => "audiobook",
            Self::Local => "local",
            Self::Video => "video",
        }
    }
}

/// How a play began or ended, in Spotify's words. Known words are stored as small numbers, others as they came.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(Cow<'static, str>);

const REASON_MAX_CHARS: usize = 64;

/// Words seen in exports since 2013. The position is the stored number: append only.
const REASONS: [&str; 17] = [
    "trackdone",
    "fwdbtn",
    "backbtn",
    "clickrow",
    "clickside",
    "playbtn",
    "appload",
    "endplay",
    "logout",
    "remote",
    "popup",
    "trackerror",
    "unexpected-exit",
    "unexpected-exit-while-paused",
    "unknown",
    "uriopen",
    "switched-to-video",
];

/// A reason as the store keeps it: in one STRICT `ANY` column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum StoredReason {
    Known(usize),
    Word(String),
}

impl Reason {
    /// `None` for an empty word. Words are cut at 64 characters: Spotify's longest has 28. The reason of a reason's word
    /// is that reason, also where the cut falls behind a blank.
    pub fn new(word: &str) -> Option<Self> {
        if let Some(known) = REASONS.iter().find(|known| **known == word) {
            return Some(Self(Cow::Borrowed(known)));
        }
        let word = word.trim();
        let cut_at = word.char_indices().nth(REASON_MAX_CHARS).map_or(word.len(), |(position, _)| position);
        let word = word.get(..cut_at).unwrap_or(word).trim_end();
        if word.is_empty() {
            return None;
        }
        Some(Self(match REASONS.iter().find(|known| **known == word) {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(word.to_owned()),
        }))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn to_stored(&self) -> StoredReason {
        match REASONS.iter().position(|known| *known == self.0) {
            Some(number) => StoredReason::Known(number),
            None => StoredReason::Word(self.0.clone().into_owned()),
        }
    }

    pub fn from_stored(stored: &StoredReason) -> Option<Self> {
        match stored {
            StoredReason::Known(number) => REASONS.get(*number).map(|word| Self(Cow::Borrowed(*word))),
            StoredReason::Word(word) => Self::new(word),
        }
    }
}

/// One report of one play by one source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Observation {
    pub source: Source,
    /// When the play ended. [`Source::Account`] gives the minute it ended in.
    pub ended_at: Millis,
    /// The track of the URI, or the song's own row when the source gave only names.
    pub track: TrackId,
    /// `None` only when the source gave a URI and no names.
    pub song: Option<SongId>,
    pub kind: Kind,
    /// Time heard, pauses excluded. `None`: the source does not say.
    pub ms_played: Option<i64>,
    /// When the play began, where the source says so believably ([`Source::Extended`] only).
    pub started_at: Option<Millis>,
    /// Which of several equal account rows of one minute this is, from 0; 0 for the other sources.
    pub ordinal: u32,
    pub isrc: Option<String>,
    /// Length of the track, from Spotify's API.
    pub duration_ms: Option<i64>,
    pub details: Details,
    /// The import file that brought it; `None` for the API.
    pub file: Option<ImportFileId>,
}

/// What a source says beside who, what and when. Absent values are `None`, and false for the plain flags.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each stated by the source")]
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Details {
    pub reason_start: Option<Reason>,
    pub reason_end: Option<Reason>,
    pub shuffle: bool,
    pub offline: bool,
    pub incognito: bool,
    pub skipped: Option<bool>,
    /// The source gave a URI and no names. That its track is known by name from elsewhere does not change what this
    /// observation can be matched by.
    pub without_names: bool,
    /// The playlist, album or artist it was played from, as a URI ([`Source::Api`] only).
    pub context_uri: Option<String>,
}

/// How far an account row's minute reaches beyond its stated instant.
pub const ACCOUNT_PRECISION_MS: i64 = MINUTE_MS;

/// What makes two observations of one source the same record: a repeat of it changes nothing.
pub type RecordKey = (Source, Millis, TrackId, Option<i64>, Option<Millis>, u32);

impl Observation {
    /// Takes from a repeat of the same record what this one does not say. Which of two came first makes no difference,
    /// but for the file that is credited.
    pub fn learn(&mut self, repeat: &Self) {
        fn fill<T: Clone + Ord>(known: &mut Option<T>, other: Option<&T>) {
            match (known.as_ref(), other) {
                (None, Some(other)) => *known = Some(other.clone()),
                (Some(mine), Some(other)) if other < mine => *known = Some(other.clone()),
                _ => {}
            }
        }
        fill(&mut self.song, repeat.song.as_ref());
        fill(&mut self.isrc, repeat.isrc.as_ref());
        fill(&mut self.duration_ms, repeat.duration_ms.as_ref());
        let (mine, other) = (&mut self.details, &repeat.details);
        fill(&mut mine.reason_start, other.reason_start.as_ref());
        fill(&mut mine.reason_end, other.reason_end.as_ref());
        fill(&mut mine.skipped, other.skipped.as_ref());
        fill(&mut mine.context_uri, other.context_uri.as_ref());
        mine.shuffle |= other.shuffle;
        mine.offline |= other.offline;
        mine.incognito |= other.incognito;
        mine.without_names &= other.without_names;
        self.kind = self.kind.min(repeat.kind);
        self.file = self.file.or(repeat.file);
    }

    /// How far an instant lies from the end that this source states; for account data, from the minute it names.
    pub const fn end_distance_ms(&self, instant: Millis) -> i64 {
        let after_ms = instant.since_ms(self.ended_at);
        match self.source {
            Source::Account if after_ms >= ACCOUNT_PRECISION_MS => after_ms - ACCOUNT_PRECISION_MS + 1,
            Source::Account if after_ms >= 0 => 0,
            _ => after_ms.abs(),
        }
    }

    pub const fn record_key(&self) -> RecordKey {
        (self.source, self.ended_at, self.track, self.ms_played, self.started_at, self.ordinal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_survive_the_store_known_or_not() {
        let with_a_blank_at_the_cut = format!("{} b", "a".repeat(63));
        for word in ["trackdone", "switched-to-video", "a-word-of-2031", &with_a_blank_at_the_cut] {
            let reason = Reason::new(word).unwrap();
            assert_eq!(Reason::new(reason.as_str()).as_ref(), Some(&reason));
            assert_eq!(Reason::from_stored(&reason.to_stored()), Some(reason));
        }
        assert_eq!(Reason::new("  "), None);
        assert_eq!(Reason::from_stored(&StoredReason::Known(999)), None);
    }

    #[test]
    fn kinds_survive_the_store() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(Kind::from_code(9), None);
    }
}
