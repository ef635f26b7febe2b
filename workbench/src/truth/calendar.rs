//! When music was played, by the listener's clock.
//!
//! Must stay true: weekdays, hours and days are those of the zone at the instant a play ended, whatever the offset was
//! that day. Monday is 0.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::Question;
use crate::generator::TruePlay;

/// Gaps are worth mentioning from this many days on.
const GAP_DAYS: i64 = 7;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    pub play_count: usize,
    pub ms_played: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heatmap {
    /// By (weekday, hour); cells without plays are absent.
    pub cells: BTreeMap<(u8, u8), Cell>,
    pub total_plays: usize,
    /// The weekday with the most plays; the earliest of equals. `None` without plays.
    pub peak_weekday: Option<u8>,
    /// The hour with the most plays; the earliest of equals.
    pub peak_hour: Option<u8>,
}

/// Plays by weekday and hour of the zone.
pub fn heatmap(plays: &[TruePlay], question: &Question, zone: &TimeZone) -> Heatmap {
    let mut heatmap = Heatmap::default();
    let mut weekdays: BTreeMap<u8, usize> = BTreeMap::new();
    let mut hours: BTreeMap<u8, usize> = BTreeMap::new();
    for play in question.counted(plays) {
        let local = zone.to_datetime(instant(play.ended_at_ms));
        let weekday = local.date().weekday().to_monday_zero_offset().unsigned_abs();
        let hour = local.hour().unsigned_abs();
        let cell = heatmap.cells.entry((weekday, hour)).or_default();
        cell.play_count += 1;
        cell.ms_played += play.ms_played;
        heatmap.total_plays += 1;
        *weekdays.entry(weekday).or_default() += 1;
        *hours.entry(hour).or_default() += 1;
    }
    heatmap.peak_weekday = peak(&weekdays);
    heatmap.peak_hour = peak(&hours);
    heatmap
}

fn peak(counts: &BTreeMap<u8, usize>) -> Option<u8> {
    let most = counts.values().max()?;
    counts.iter().find(|(_, count)| *count == most).map(|(which, _)| *which)
}

/// Whole days of the zone without a play, from the first such day to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub from: Date,
    pub to: Date,
    pub days: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Days with a play that counts.
    pub active_days: usize,
    /// Days without one, between the first and the last play of the window.
    pub empty_days: i64,
    /// Of these, the stretches of seven days or more.
    pub gaps: Vec<Gap>,
}

/// Which days of the zone had plays, from the first play of the window to the last.
pub fn coverage(plays: &[TruePlay], question: &Question, zone: &TimeZone) -> Coverage {
    let active: BTreeSet<Date> =
        question.counted(plays).map(|play| zone.to_datetime(instant(play.ended_at_ms)).date()).collect();
    let mut coverage = Coverage { active_days: active.len(), ..Coverage::default() };
    for (before, after) in active.iter().zip(active.iter().skip(1)) {
        let days = i64::from((*after - *before).get_days()) - 1;
        coverage.empty_days += days;
        if days >= GAP_DAYS {
            coverage.gaps.push(Gap { from: before.saturating_add(1.day()), to: after.saturating_sub(1.day()), days });
        }
    }
    coverage
}

fn instant(instant_ms: i64) -> Timestamp {
    Timestamp::from_millisecond(instant_ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plays_at(instants: &[&str]) -> Vec<TruePlay> {
        instants
            .iter()
            .map(|text| {
                let ended_at: Timestamp = text.parse().unwrap();
                TruePlay::music(ended_at.as_millisecond(), 60_000, "A", "T", Some("spotify:track:1"))
            })
            .collect()
    }

    fn cells(instants: &[&str], zone: &str) -> Vec<((u8, u8), usize)> {
        let heatmap = heatmap(&plays_at(instants), &Question::ALL_TIME, &TimeZone::get(zone).unwrap());
        heatmap.cells.into_iter().map(|(cell, sums)| (cell, sums.play_count)).collect()
    }

    #[test]
    fn hours_jump_and_repeat_when_berlin_changes_its_clocks() {
        // Sunday 2019-03-31: 02:00 becomes 03:00.
        assert_eq!(
            cells(&["2019-03-31T00:59:59Z", "2019-03-31T01:00:00Z"], "Europe/Berlin"),
            [((6, 1), 1), ((6, 3), 1)]
        );
        // Sunday 2019-10-27: 03:00 becomes 02:00 again.
        assert_eq!(
            cells(&["2019-10-27T00:30:00Z", "2019-10-27T01:30:00Z", "2019-10-27T02:30:00Z"], "Europe/Berlin"),
            [((6, 2), 2), ((6, 3), 1)]
        );
    }

    #[test]
    fn half_hour_offsets_move_the_hour_and_the_day() {
        // St John's is 2:30 behind in summer and 3:30 in winter.
        assert_eq!(
            cells(&["2019-07-01T02:29:59Z", "2019-07-01T02:30:00Z"], "America/St_Johns"),
            [((0, 0), 1), ((6, 23), 1)]
        );
        assert_eq!(
            cells(&["2019-01-01T03:29:00Z", "2019-01-01T03:31:00Z"], "America/St_Johns"),
            [((0, 23), 1), ((1, 0), 1)]
        );
    }

    #[test]
    fn the_earliest_of_equal_peaks_wins() {
        // Tuesday 10 h, Monday 11 h.
        let plays = plays_at(&["2019-07-02T10:00:00Z", "2019-07-01T11:00:00Z"]);
        let heatmap = heatmap(&plays, &Question::ALL_TIME, &TimeZone::UTC);
        assert_eq!((heatmap.peak_weekday, heatmap.peak_hour), (Some(0), Some(10)));
        assert_eq!(super::heatmap(&[], &Question::ALL_TIME, &TimeZone::UTC), Heatmap::default());
    }

    #[test]
    fn a_gap_is_seven_whole_days_of_the_zone() {
        // In Berlin the 1st and the 9th: seven days between. In UTC June 30th and July 8th.
        let plays = plays_at(&["2019-06-30T22:30:00Z", "2019-07-08T22:30:00Z", "2019-07-15T12:00:00Z"]);
        let berlin = coverage(&plays, &Question::ALL_TIME, &TimeZone::get("Europe/Berlin").unwrap());
        assert_eq!((berlin.active_days, berlin.empty_days), (3, 12));
        assert_eq!(
            berlin.gaps,
            [Gap { from: jiff::civil::date(2019, 7, 2), to: jiff::civil::date(2019, 7, 8), days: 7 }]
        );
        let utc = coverage(&plays, &Question::ALL_TIME, &TimeZone::UTC);
        assert_eq!(utc.gaps.len(), 1);
        assert_eq!(utc.gaps[0].from, jiff::civil::date(2019, 7, 1));
    }

    #[test]
    fn short_plays_do_not_make_a_day_active() {
        let mut plays = plays_at(&["2019-07-01T12:00:00Z", "2019-07-05T12:00:00Z", "2019-07-10T12:00:00Z"]);
        plays[1].ms_played = 3_000;
        let found = coverage(&plays, &Question::ALL_TIME, &TimeZone::UTC);
        assert_eq!((found.active_days, found.empty_days, found.gaps.len()), (2, 8, 1));
        let all = coverage(&plays, &Question { min_ms_played: 0, ..Question::ALL_TIME }, &TimeZone::UTC);
        assert_eq!((all.active_days, all.gaps.len()), (3, 0));
    }
}
