//! The stretch of time a question is about.
//!
//! Must stay true: `from` belongs to the window and `to` does not; a date means the listener's whole day, however many
//! hours it has; nothing here knows what was played.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    instant::{DAY_MS, Millis},
    local_time::LocalClock,
};

/// How far back a window may reach.
pub const MAX_DAYS: i64 = 36_500;

/// One end of a window as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// A whole day in the listener's zone.
    Date(Date),
    Instant(Millis),
}

impl Edge {
    /// Reads `2019-06-21` or an RFC 3339 instant with its offset.
    pub fn parse(text: &str) -> Option<Self> {
        let is_date = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        if is_date {
            return text.parse::<Date>().ok().filter(|date| (1..9999).contains(&date.year())).map(Self::Date);
        }
        let is_instant = text.len() <= 40 && text.contains(['T', 't']) && !text.contains('[');
        let instant = is_instant.then(|| text.parse::<Timestamp>().ok()).flatten()?;
        Some(Self::Instant(Millis(instant.as_millisecond())))
    }

    /// Where a window that begins here begins.
    fn start(self, zone: &TimeZone) -> Option<Millis> {
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Date(date) => start_of_day(date, zone),
        }
    }

    /// Where a window that ends here ends: a day is inside to its last moment, an instant is outside.
    fn end(self, zone: &TimeZone) -> Option<Millis> {
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Date(date) => start_of_day(date.tomorrow().ok()?, zone),
        }
    }
}

fn start_of_day(date: Date, zone: &TimeZone) -> Option<Millis> {
    let midnight = date.to_zoned(zone.clone()).ok()?.start_of_day().ok()?;
    Some(Millis(midnight.timestamp().as_millisecond()))
}

/// A window before the listener's zone and the present are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WindowRequest {
    /// So many times 24 hours until now.
    Days(i64),
    /// `from` alone reaches until now, `to` alone back to the beginning.
    Between { from: Option<Edge>, to: Option<Edge> },
}

/// A window in instants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first instant inside.
    pub from: Millis,
    /// The first instant after it.
    pub to: Millis,
    /// The end to show: the instant of asking itself where the window reaches until now.
    pub shown_to: Millis,
    /// The days asked for; between two ends, the listener's days that the window touches.
    pub days: i64,
}

/// Why there is no such window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    #[error("must be before `to`")]
    FromNotBeforeTo,
    #[error("must be in the past when `to` is not given")]
    FromNotBeforeNow,
    #[error("is out of range in this time zone")]
    OutOfRange,
}

impl WindowRequest {
    /// Whether the instants depend on the listener's zone.
    pub const fn needs_zone(self) -> bool {
        match self {
            Self::Days(_) => false,
            Self::Between { from, to } => matches!(from, Some(Edge::Date(_))) || matches!(to, Some(Edge::Date(_))),
        }
    }

    /// # Errors
    /// When the window would be empty or lies outside the calendar.
    pub fn resolve(self, zone: &TimeZone, now: Millis) -> Result<Window, WindowError> {
        let (from, to) = match self {
            // The instant of asking belongs to the window.
            Self::Days(days) => {
                let from = now.minus_ms(days.saturating_mul(DAY_MS));
                return Ok(Window { from, to: now.plus_ms(1), shown_to: now, days });
            }
            Self::Between { from, to } => (from, to),
        };
        let start = from.map_or(Some(Millis(0)), |edge| edge.start(zone)).ok_or(WindowError::OutOfRange)?;
        let end = to.map_or(Some(now.plus_ms(1)), |edge| edge.end(zone)).ok_or(WindowError::OutOfRange)?;
        if start >= end {
            return Err(if to.is_some() { WindowError::FromNotBeforeTo } else { WindowError::FromNotBeforeNow });
        }
        let mut window = Window { from: start, to: end, shown_to: if to.is_some() { end } else { now }, days: 0 };
        let (first, last) = window.local_days(zone);
        window.days = last - first + 1;
        Ok(window)
    }
}

impl Window {
    /// The first and the last local day that the window touches, as days since 1970-01-01.
    pub fn local_days(&self, zone: &TimeZone) -> (i64, i64) {
        let mut clock = LocalClock::new(zone.clone());
        (clock.at(self.from).day, clock.at(self.to.minus_ms(1)).day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn edge(text: &str) -> Edge {
        Edge::parse(text).unwrap()
    }

    fn between(from: Option<&str>, to: Option<&str>, name: &str) -> Result<Window, WindowError> {
        let request = WindowRequest::Between { from: from.map(edge), to: to.map(edge) };
        request.resolve(&zone(name), Millis(1_795_435_200_000))
    }

    #[test]
    fn dates_and_instants_are_told_apart_and_nonsense_is_refused() {
        assert!(matches!(Edge::parse("2019-06-21"), Some(Edge::Date(_))));
        assert_eq!(Edge::parse("1970-01-01T02:00:00+02:00"), Some(Edge::Instant(Millis(0))));
        for text in
            ["", "2019-02-30", "2019-6-21", "yesterday", "2019-06-21T10:00:00", "20190621", "9999-12-31", "２０１９-06"]
        {
            assert_eq!(Edge::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_day_of_a_clock_change_has_its_own_length() {
        let hours = |date, name| {
            let window = between(Some(date), Some(date), name).unwrap();
            assert_eq!(window.days, 1);
            window.to.since_ms(window.from) / 3_600_000
        };
        assert_eq!(hours("2026-03-29", "Europe/Berlin"), 23);
        assert_eq!(hours("2026-10-25", "Europe/Berlin"), 25);
        assert_eq!(hours("2026-03-29", "UTC"), 24);
        // Midnight itself is skipped here.
        assert_eq!(hours("2018-11-04", "America/Sao_Paulo"), 23);
    }

    #[test]
    fn one_end_alone_reaches_until_now_or_back_to_the_beginning() {
        let since = between(Some("2026-11-01"), None, "UTC").unwrap();
        assert_eq!((since.to, since.days), (Millis(1_795_435_200_001), 23));
        assert_eq!(
            between(None, Some("1970-01-02"), "UTC").unwrap(),
            Window { from: Millis(0), to: Millis(2 * DAY_MS), shown_to: Millis(2 * DAY_MS), days: 2 }
        );
    }

    #[test]
    fn an_empty_window_is_an_error() {
        assert_eq!(between(Some("2019-06-22"), Some("2019-06-21"), "UTC"), Err(WindowError::FromNotBeforeTo));
        let instant = Some("2019-06-22T00:00:00Z");
        assert_eq!(between(instant, instant, "UTC"), Err(WindowError::FromNotBeforeTo));
        assert_eq!(between(Some("2027-01-01"), None, "UTC"), Err(WindowError::FromNotBeforeNow));
    }

    #[test]
    fn days_are_times_24_hours_until_now() {
        let now = Millis(1_795_435_200_000);
        let window = WindowRequest::Days(7).resolve(&zone("Europe/Berlin"), now).unwrap();
        assert_eq!((window.from, window.to, window.days), (now.minus_ms(7 * DAY_MS), now.plus_ms(1), 7));
    }
}
