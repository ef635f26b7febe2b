//! Windows of whole days, and which days of a window have any data at all.
//!
//! Must stay true: a day is the zone's, however many hours it has; it has data when anything ended on it, of whatever
//! kind and however short; the window's own ends bound a gap as much as a play does.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::Question;
use crate::generator::TruePlay;

/// Gaps are worth mentioning from this many days on.
const GAP_DAYS: usize = 7;

/// The instants of whole days, the last included: from the first moment of `first` to the first moment after `last`.
///
/// # Errors
/// When a day has no such moment, at the very ends of the calendar.
pub fn whole_days(first: Date, last: Date, zone: &TimeZone) -> Result<(i64, i64), jiff::Error> {
    let start_of =
        |date: Date| date.to_zoned(zone.clone())?.start_of_day().map(|midnight| midnight.timestamp().as_millisecond());
    Ok((start_of(first)?, start_of(last.tomorrow()?)?))
}

/// Where a gap lies beside everything that is known of the listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyEmpty {
    BeforeTheFirstPlay,
    AfterTheLastPlay,
    Between,
    /// Nothing is known of the listener.
    NoPlays,
}

/// Seven days or more without data, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataGap {
    pub from: Date,
    pub to: Date,
    pub days: usize,
    pub why: WhyEmpty,
}

/// The days that a window touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayCount {
    pub touched: usize,
    /// With data.
    pub active: usize,
    /// In order of time, those at the window's ends included.
    pub gaps: Vec<DataGap>,
}

/// Looks at every day of the window, one by one. Kind and length of the question are left aside. The window has to be a
/// real one: neither end may be beyond the calendar.
pub fn day_count(plays: &[TruePlay], question: &Question, zone: &TimeZone) -> DayCount {
    let day = |instant_ms: i64| {
        let instant = Timestamp::from_millisecond(instant_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        zone.to_datetime(instant).date()
    };
    let everything = Question { kind: None, min_ms_played: 0, ..*question };
    let active: BTreeSet<Date> = everything.rows(plays).map(|play| day(play.ended_at_ms)).collect();
    let known_from = plays.iter().map(|play| play.ended_at_ms).min().map(day);
    let known_to = plays.iter().map(|play| play.ended_at_ms).max().map(day);
    let (first, last) = (day(question.from_ms), day(question.to_ms - 1));
    let days: Vec<Date> = first.series(1.day()).take_while(|date| *date <= last).collect();
    let gaps = days
        .chunk_by(|one, next| active.contains(one) == active.contains(next))
        .filter_map(|stretch| {
            let (from, to) = (*stretch.first()?, *stretch.last()?);
            let why = match (known_from, known_to) {
                (Some(begins), _) if to < begins => WhyEmpty::BeforeTheFirstPlay,
                (_, Some(ends)) if from > ends => WhyEmpty::AfterTheLastPlay,
                (None, _) | (_, None) => WhyEmpty::NoPlays,
                _ => WhyEmpty::Between,
            };
            let is_gap = stretch.len() >= GAP_DAYS && !active.contains(&from);
            is_gap.then_some(DataGap { from, to, days: stretch.len(), why })
        })
        .collect();
    DayCount { touched: days.len(), active: active.len(), gaps }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn plays_at(instants: &[&str]) -> Vec<TruePlay> {
        let play = |text: &&str| {
            let ended_at: Timestamp = text.parse().unwrap();
            TruePlay::music(ended_at.as_millisecond(), 1, "A", "T", Some("spotify:track:1"))
        };
        instants.iter().map(play).collect()
    }

    #[test]
    fn a_day_of_a_clock_change_is_one_day() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let hours = |day: Date| {
            let (from_ms, to_ms) = whole_days(day, day, &zone).unwrap();
            (to_ms - from_ms) / 3_600_000
        };
        assert_eq!([hours(date(2023, 3, 26)), hours(date(2023, 10, 29)), hours(date(2023, 7, 1))], [23, 25, 24]);
    }

    #[test]
    fn gaps_reach_to_the_ends_of_the_window_and_say_where_they_lie() {
        let plays = plays_at(&["2023-06-10T12:00:00Z", "2023-06-11T12:00:00Z", "2023-06-20T12:00:00Z"]);
        let window = |first, last| {
            let (from_ms, to_ms) = whole_days(first, last, &TimeZone::UTC).unwrap();
            day_count(&plays, &Question::between(from_ms, to_ms), &TimeZone::UTC)
        };
        let found = window(date(2023, 6, 1), date(2023, 6, 30));
        assert_eq!((found.touched, found.active), (30, 3));
        let gap = |from: i8, to: i8, days, why| DataGap { from: date(2023, 6, from), to: date(2023, 6, to), days, why };
        let expected = [
            gap(1, 9, 9, WhyEmpty::BeforeTheFirstPlay),
            gap(12, 19, 8, WhyEmpty::Between),
            gap(21, 30, 10, WhyEmpty::AfterTheLastPlay),
        ];
        assert_eq!(found.gaps, expected);
        assert_eq!(window(date(2023, 6, 12), date(2023, 6, 17)).gaps, []);
        let nothing = day_count(&[], &Question::between(0, 7 * 86_400_000), &TimeZone::UTC);
        assert_eq!((nothing.active, nothing.gaps[0].why), (0, WhyEmpty::NoPlays));
    }
}
