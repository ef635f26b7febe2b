//! What the right answers are, computed in plain Rust over a list of true plays.
//!
//! Must stay true: no SQL, nothing of the Worker's code, and nothing clever: each answer is the definition written down.
//! Pass the plays as an archive tells them ([`crate::generator::seen_by_extended`] and its like) when the answers are
//! to be compared with an import of that archive.
//!
//! The definitions: a play belongs to a window when it *ended* in it (`from_ms <= end < to_ms`); it counts when it
//! lasted `min_ms_played` or longer; its track is its URI, or (artist, title) where there is none; an artist is a name.

mod calendar;
mod days;
mod rankings;

use std::collections::HashSet;

use crate::generator::{Kind, TruePlay};

pub use calendar::{Cell, Coverage, Gap, Heatmap, coverage, heatmap};
pub use days::{DataGap, DayCount, WhyEmpty, day_count, whole_days};
pub use rankings::{
    Credit, RankedAlbum, RankedArtist, RankedTrack, one_time_tracks, plays_of_top_artists, plays_without_album,
    top_albums, top_artists, top_tracks,
};

/// What is asked: a half-open window of ends, a kind, and how long a play must have lasted to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub from_ms: i64,
    pub to_ms: i64,
    /// `None` asks for every kind.
    pub kind: Option<Kind>,
    pub min_ms_played: i64,
}

impl Question {
    /// Music of 30 s or longer, all time.
    pub const ALL_TIME: Self =
        Self { from_ms: i64::MIN, to_ms: i64::MAX, kind: Some(Kind::Music), min_ms_played: 30_000 };

    /// Music of 30 s or longer that ended in a window.
    pub const fn between(from_ms: i64, to_ms: i64) -> Self {
        Self { from_ms, to_ms, ..Self::ALL_TIME }
    }

    /// Every play of the window and kind, however short.
    fn rows<'plays>(&self, plays: &'plays [TruePlay]) -> impl Iterator<Item = &'plays TruePlay> {
        let question = *self;
        plays.iter().filter(move |play| {
            (question.from_ms..question.to_ms).contains(&play.ended_at_ms)
                && question.kind.is_none_or(|kind| kind == play.kind)
        })
    }

    /// The plays that count.
    fn counted<'plays>(&self, plays: &'plays [TruePlay]) -> impl Iterator<Item = &'plays TruePlay> {
        let min_ms_played = self.min_ms_played;
        self.rows(plays).filter(move |play| play.ms_played >= min_ms_played)
    }
}

/// What a track is told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum TrackKey<'play> {
    Uri(&'play str),
    Names(Option<&'play str>, Option<&'play str>),
}

impl<'play> TrackKey<'play> {
    fn of(play: &'play TruePlay) -> Self {
        match play.uri.as_deref() {
            Some(uri) => Self::Uri(uri),
            None => Self::Names(play.artist.as_deref(), play.title.as_deref()),
        }
    }
}

/// The plain sums of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Plays that count.
    pub plays: usize,
    /// All of them, however short.
    pub rows: usize,
    pub unique_tracks: usize,
    /// Artists with a name.
    pub unique_artists: usize,
    /// Of the plays that count.
    pub ms_played: i64,
    pub first_ended_at_ms: Option<i64>,
    pub last_ended_at_ms: Option<i64>,
}

impl Totals {
    /// Plays per track in hundredths, rounded half up: 250 means 2.50. 0 without plays.
    pub const fn repeat_rate_hundredths(&self) -> usize {
        match self.unique_tracks {
            0 => 0,
            tracks => (self.plays * 200 + tracks) / (2 * tracks),
        }
    }

    /// Plays per track, to two decimals.
    pub fn repeat_rate(&self) -> f64 {
        f64::from(u32::try_from(self.repeat_rate_hundredths()).unwrap_or(u32::MAX)) / 100.0
    }
}

/// How much was played in a window.
pub fn totals(plays: &[TruePlay], question: &Question) -> Totals {
    let mut totals = Totals { rows: question.rows(plays).count(), ..Totals::default() };
    let mut tracks = HashSet::new();
    let mut artists = HashSet::new();
    for play in question.counted(plays) {
        totals.plays += 1;
        totals.ms_played += play.ms_played;
        tracks.insert(TrackKey::of(play));
        artists.extend(play.artist.as_deref());
        let ended = Some(play.ended_at_ms);
        totals.first_ended_at_ms = totals.first_ended_at_ms.min(ended).or(ended);
        totals.last_ended_at_ms = totals.last_ended_at_ms.max(ended);
    }
    totals.unique_tracks = tracks.len();
    totals.unique_artists = artists.len();
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::{ExportPlan, FieldSet, seen_by_extended};

    fn plays() -> Vec<TruePlay> {
        vec![
            TruePlay::music(1_000, 30_000, "A", "One", Some("spotify:track:1")),
            TruePlay::music(2_000, 29_999, "A", "One", Some("spotify:track:1")),
            TruePlay::music(3_000, 40_000, "B", "One", Some("spotify:track:2")),
            TruePlay::music(4_000, 50_000, "B", "One", None),
            TruePlay::music(5_000, 50_000, "B", "One", None),
            TruePlay { kind: Kind::Podcast, ..TruePlay::music(5_500, 60_000, "Show", "#1", Some("spotify:episode:3")) },
            TruePlay::music(6_000, 60_000, "C", "Last", Some("spotify:track:4")),
        ]
    }

    #[test]
    fn a_window_takes_its_first_instant_and_leaves_its_last() {
        let found = totals(&plays(), &Question::between(1_000, 6_000));
        let expected = Totals {
            plays: 4,
            rows: 5,
            // The URI and the bare names are two tracks.
            unique_tracks: 3,
            unique_artists: 2,
            ms_played: 170_000,
            first_ended_at_ms: Some(1_000),
            last_ended_at_ms: Some(5_000),
        };
        assert_eq!(found, expected);
        assert_eq!(found.repeat_rate_hundredths(), 133);
    }

    #[test]
    fn the_threshold_and_the_kind_are_the_questions() {
        let everything = Question { kind: None, min_ms_played: 0, ..Question::ALL_TIME };
        assert_eq!(totals(&plays(), &everything).plays, 7);
        let long = Question { min_ms_played: 50_001, ..Question::ALL_TIME };
        assert_eq!((totals(&plays(), &long).plays, totals(&plays(), &long).rows), (1, 6));
        assert_eq!(totals(&[], &everything), Totals::default());
    }

    #[test]
    fn repeat_rates_round_half_up() {
        let rate = |plays, unique_tracks| Totals { plays, unique_tracks, ..Totals::default() }.repeat_rate();
        assert!((rate(1, 8) - 0.13).abs() < 1e-9);
        assert!((rate(10, 4) - 2.5).abs() < 1e-9);
        assert!((rate(0, 0)).abs() < 1e-9);
    }

    /// What the README shows and people compare with. A change here means that the demo tells another story.
    #[test]
    fn the_demo_is_always_the_same_life() {
        let known = seen_by_extended(&ExportPlan::demo().live(), FieldSet::R4);
        let rows = |kind| totals(&known, &Question { kind: Some(kind), ..Question::ALL_TIME }).rows;
        let kinds = [Kind::Music, Kind::Podcast, Kind::Audiobook, Kind::Local, Kind::Video];
        assert_eq!(kinds.map(rows), [19_314, 380, 69, 116, 121]);
        let music = totals(&known, &Question::ALL_TIME);
        assert_eq!(
            (music.plays, music.unique_tracks, music.unique_artists, music.ms_played),
            (15_655, 2_340, 417, 3_297_280_921)
        );
    }
}
