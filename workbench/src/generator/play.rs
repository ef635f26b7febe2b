//! One thing that a listener truly played, and what each kind of archive can tell of it.
//!
//! Must stay true: a play is what happened; what a writer leaves out, rounds or reports late is decided here, in the
//! `seen_by_*` functions, and the writers write exactly that.

use std::{collections::HashMap, sync::Arc};

use super::plan::{AccountLayout, FieldSet};

/// Text that many plays share.
pub type Text = Arc<str>;

/// What was played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Music,
    Podcast,
    Audiobook,
    /// A file of the listener's own.
    Local,
    /// A music video.
    Video,
}

/// One play. Instants are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of an export has that many")]
pub struct TruePlay {
    pub started_at_ms: i64,
    /// When it stopped, to the millisecond. The clock of every question.
    pub ended_at_ms: i64,
    /// What an export gives as the end: whole seconds, and for offline plays the instant of the later sync, which a
    /// whole stretch of plays shares.
    pub reported_at_ms: i64,
    /// Time heard, pauses excluded.
    pub ms_played: i64,
    pub kind: Kind,
    /// Artist, show or book. `None` only where no row of an archive names it.
    pub artist: Option<Text>,
    /// Track, episode or chapter. `None` only where no row of an archive names it.
    pub title: Option<Text>,
    pub album: Option<Text>,
    /// `None` in what account data can tell.
    pub uri: Option<Text>,
    /// The audiobook that a chapter is of.
    pub book_uri: Option<Text>,
    /// The export states no names for this row, only the URI: the track has been withdrawn.
    pub names_withheld: bool,
    /// A video podcast; together with music videos it goes to the video file.
    pub with_picture: bool,
    pub reason_start: &'static str,
    pub reason_end: &'static str,
    pub shuffle: bool,
    /// `None` as in rows before 2019.
    pub skipped: Option<bool>,
    pub offline: bool,
    pub incognito: bool,
    pub platform: &'static str,
    pub country: &'static str,
}

impl TruePlay {
    /// A whole, unremarkable play of a music track, for lists made by hand.
    pub fn music(ended_at_ms: i64, ms_played: i64, artist: &str, title: &str, uri: Option<&str>) -> Self {
        Self {
            started_at_ms: ended_at_ms - ms_played,
            ended_at_ms,
            reported_at_ms: whole(ended_at_ms, 1_000),
            ms_played,
            kind: Kind::Music,
            artist: Some(artist.into()),
            title: Some(title.into()),
            album: Some(format!("{title} and Others").into()),
            uri: uri.map(Into::into),
            book_uri: None,
            names_withheld: false,
            with_picture: false,
            reason_start: "trackdone",
            reason_end: "trackdone",
            shuffle: false,
            skipped: Some(false),
            offline: false,
            incognito: false,
            platform: "ios",
            country: "DE",
        }
    }

    /// The start that an extended export states as `offline_timestamp`. Missing, zero and absurd values are as frequent
    /// as in real exports, and never on offline rows, where it is all that tells two plays of one track apart.
    pub(super) fn stated_start(&self) -> StatedStart {
        match (self.offline, (self.ended_at_ms / 1_000).rem_euclid(400)) {
            (false, 0..24) => StatedStart::Null,
            (false, 24..32) => StatedStart::Zero,
            (false, 32) => StatedStart::At(self.started_at_ms - 45 * 86_400_000),
            _ => StatedStart::At(self.started_at_ms),
        }
    }
}

/// `offline_timestamp` of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatedStart {
    Null,
    Zero,
    At(i64),
}

/// What an extended history of these plays tells: ends as reported, names as far as any row of the same URI states
/// them, no audiobooks before the field set that has them.
pub fn seen_by_extended(plays: &[TruePlay], fields: FieldSet) -> Vec<TruePlay> {
    let mut named: HashMap<&str, &TruePlay> = HashMap::new();
    for play in plays.iter().filter(|play| !play.names_withheld) {
        if let Some(uri) = play.uri.as_deref() {
            named.entry(uri).or_insert(play);
        }
    }
    let mut seen: Vec<TruePlay> = plays
        .iter()
        .filter(|play| fields.has_audiobooks() || play.kind != Kind::Audiobook)
        .map(|play| {
            let mut seen = TruePlay { ended_at_ms: play.reported_at_ms, ..play.clone() };
            if play.names_withheld {
                let source = play.uri.as_deref().and_then(|uri| named.get(uri));
                seen.artist = source.and_then(|named| named.artist.clone());
                seen.title = source.and_then(|named| named.title.clone());
                seen.album = source.and_then(|named| named.album.clone());
            }
            seen
        })
        .collect();
    seen.sort_by_key(|play| play.ended_at_ms);
    seen
}

/// What account data of these plays tells: the minute of the end, names and length, nothing else.
///
/// Videos and own files look like any music there, and in the old layout podcasts too; audiobooks are not in it. Take the plays of the
/// archive's range first.
pub fn seen_by_account(plays: &[TruePlay], layout: AccountLayout) -> Vec<TruePlay> {
    let tells_podcasts = layout == AccountLayout::New;
    let mut seen: Vec<TruePlay> = plays
        .iter()
        .filter(|play| play.kind != Kind::Audiobook)
        .map(|play| TruePlay {
            ended_at_ms: whole(play.reported_at_ms, 60_000),
            kind: if tells_podcasts && play.kind == Kind::Podcast { Kind::Podcast } else { Kind::Music },
            album: None,
            uri: None,
            names_withheld: false,
            ..play.clone()
        })
        .collect();
    seen.sort_by_key(|play| play.ended_at_ms);
    seen
}

/// An instant without what its unit leaves over.
pub(super) const fn whole(instant_ms: i64, unit_ms: i64) -> i64 {
    instant_ms - instant_ms.rem_euclid(unit_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn withheld_names_come_back_from_another_row_of_the_same_uri() {
        let named = TruePlay::music(1_000_000, 200_000, "A", "T", Some("spotify:track:1"));
        let withheld =
            TruePlay { names_withheld: true, ended_at_ms: 2_000_500, reported_at_ms: 2_000_000, ..named.clone() };
        let lost = TruePlay { uri: Some("spotify:track:2".into()), ..withheld.clone() };
        let seen = seen_by_extended(&[named, withheld, lost], FieldSet::R4);
        assert_eq!(seen[1].artist.as_deref(), Some("A"));
        assert_eq!(seen[1].ended_at_ms, 2_000_000);
        assert_eq!(seen[2].artist, None);
    }

    #[test]
    fn account_data_knows_minutes_and_names_only() {
        let play =
            TruePlay { kind: Kind::Local, ..TruePlay::music(125_999, 60_000, "A", "T", Some("spotify:local:A::T:60")) };
        let seen = seen_by_account(&[play], AccountLayout::New);
        assert_eq!((seen[0].ended_at_ms, seen[0].kind, seen[0].uri.clone()), (120_000, Kind::Music, None));
        let podcast = TruePlay { kind: Kind::Podcast, ..TruePlay::music(125_999, 60_000, "Show", "#1", None) };
        let kind = |layout| seen_by_account(std::slice::from_ref(&podcast), layout)[0].kind;
        assert_eq!([kind(AccountLayout::Old), kind(AccountLayout::New)], [Kind::Music, Kind::Podcast]);
    }
}
