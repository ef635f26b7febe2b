//! The counting itself: one pass over the plays of a window.

use jiff::tz::TimeZone;

use super::history::Need;
use crate::{
    domain::{
        instant::Millis,
        local_time::LocalClock,
        tally::{Heard, IdMap, Tally},
    },
    store::{catalogue::Catalogue, listening::Listening},
};

/// Plays and time of one weekday and hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub plays: i64,
    pub ms_played: i64,
}

/// Weekdays from Monday, hours from midnight.
pub type Cells = [[Cell; 24]; 7];

/// What a window comes to, before any name is known.
#[derive(Debug, Default)]
pub struct Figures {
    pub total: Tally,
    /// By the track row that was played. Only with [`Need::tracks`].
    by_track: IdMap<Tally>,
    cells: Cells,
    /// Weekday, hour and track of plays of unknown length. Only with [`Need::calendar`].
    unmeasured: Vec<(usize, usize, i64)>,
    /// Local days with any row, ascending, each once. Only with [`Need::coverage`].
    pub active_days: Vec<i64>,
}

impl Figures {
    pub fn count(listening: &Listening, zone: &TimeZone, need: Need) -> Self {
        let mut figures = Self::default();
        let mut clock = LocalClock::new(zone.clone());
        for heard in listening.plays() {
            figures.total.add(&heard);
            if need.tracks {
                figures.by_track.entry(heard.track).or_default().add(&heard);
            }
            if need.calendar || need.coverage {
                figures.place(&mut clock, &heard);
            }
        }
        if need.coverage {
            listening.uncounted().for_each(|at| figures.active_on(clock.at(at).day));
            figures.active_days.sort_unstable();
            figures.active_days.dedup();
        }
        figures
    }

    fn place(&mut self, clock: &mut LocalClock, heard: &Heard) {
        let local = clock.at(heard.ended_at);
        self.active_on(local.day);
        if let Some(cell) = self.cells.get_mut(local.weekday).and_then(|hours| hours.get_mut(local.hour)) {
            cell.plays += 1;
            match heard.ms_played {
                Some(ms) => cell.ms_played = cell.ms_played.saturating_add(ms),
                None => self.unmeasured.push((local.weekday, local.hour, heard.track)),
            }
        }
    }

    /// Plays come in order of time: nearly every repeat is of the day before it in the list.
    fn active_on(&mut self, day: i64) {
        if self.active_days.last() != Some(&day) {
            self.active_days.push(day);
        }
    }

    /// How many tracks it is about.
    pub fn tracks(&self) -> usize {
        self.by_track.len()
    }

    /// The tracks whose names or lengths an answer may need.
    pub fn tracks_to_know(&self) -> Vec<i64> {
        let mut tracks: Vec<i64> = self.by_track.keys().copied().collect();
        if self.by_track.is_empty() {
            tracks.extend(self.unmeasured.iter().map(|(_, _, track)| *track));
        }
        tracks.sort_unstable();
        tracks.dedup();
        tracks
    }

    /// Plays by canonical track, with the lengths that nobody measured taken from the track.
    pub fn songs(&self, catalogue: &Catalogue) -> IdMap<Tally> {
        let mut songs: IdMap<Tally> = IdMap::default();
        songs.reserve(self.by_track.len());
        for (track, tally) in &self.by_track {
            let mut tally = *tally;
            tally.estimate(catalogue.duration_ms(*track));
            songs.entry(catalogue.canonical(*track)).or_default().merge(&tally);
        }
        songs
    }

    /// The week, with the lengths that nobody measured taken from the track; and how much time that is.
    pub fn week(&self, catalogue: &Catalogue) -> (Cells, i64) {
        let (mut cells, mut estimated_ms) = (self.cells, 0_i64);
        for (weekday, hour, track) in &self.unmeasured {
            let ms = catalogue.duration_ms(*track).unwrap_or_default();
            estimated_ms = estimated_ms.saturating_add(ms);
            if let Some(cell) = cells.get_mut(*weekday).and_then(|hours| hours.get_mut(*hour)) {
                cell.ms_played = cell.ms_played.saturating_add(ms);
            }
        }
        (cells, estimated_ms)
    }

    /// The first and the last counted play.
    pub fn span(&self) -> Option<(Millis, Millis)> {
        (self.total.plays > 0).then_some((self.total.first, self.total.last))
    }
}
