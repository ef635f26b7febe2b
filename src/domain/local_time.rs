//! The listener's calendar: on which local day, weekday and hour an instant falls.
//!
//! Must stay true: right on both sides of every clock change, and cheap for instants in ascending order, of which there
//! may be hundreds of thousands.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::instant::{DAY_MS, HOUR_MS, Millis};

/// An instant on the listener's wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Days since 1970-01-01.
    pub day: i64,
    /// 0 is Monday.
    pub weekday: usize,
    pub hour: usize,
}

/// Reads local times in one zone, remembering the stretch between two clock changes it last looked at.
#[derive(Clone, Debug)]
pub struct LocalClock {
    zone: TimeZone,
    known_from: Millis,
    known_to: Millis,
    offset_ms: i64,
}

impl LocalClock {
    pub const fn new(zone: TimeZone) -> Self {
        Self { zone, known_from: Millis(0), known_to: Millis(0), offset_ms: 0 }
    }

    pub fn at(&mut self, instant: Millis) -> LocalTime {
        if instant < self.known_from || instant >= self.known_to {
            self.look_up(instant);
        }
        let local_ms = instant.0.saturating_add(self.offset_ms);
        let day = local_ms.div_euclid(DAY_MS);
        let number = |value: i64| usize::try_from(value).unwrap_or_default();
        // 1970-01-01 was a Thursday.
        LocalTime { day, weekday: number((day + 3).rem_euclid(7)), hour: number(local_ms.rem_euclid(DAY_MS) / HOUR_MS) }
    }

    fn look_up(&mut self, instant: Millis) {
        self.known_from = instant;
        self.known_to = instant.plus_ms(1);
        self.offset_ms = 0;
        if let Ok(timestamp) = Timestamp::from_millisecond(instant.0) {
            self.offset_ms = i64::from(self.zone.to_offset(timestamp).seconds()) * 1_000;
            let next = self.zone.following(timestamp).next();
            self.known_to = next.map_or(Millis(i64::MAX), |change| Millis(change.timestamp().as_millisecond()));
        }
    }
}

/// A day counted from 1970-01-01 as `2019-06-21`.
pub fn date_of_day(day: i64) -> String {
    let epoch = Date::constant(1970, 1, 1);
    let days = jiff::SignedDuration::from_hours(day.saturating_mul(24));
    epoch.checked_add(days).map_or_else(|_| format!("day {day}"), |date| date.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every quarter of an hour of a year, against jiff's own calendar.
    #[test]
    fn every_quarter_of_an_hour_of_a_year_is_where_the_calendar_has_it() {
        for name in ["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe"] {
            let zone = TimeZone::get(name).unwrap();
            let mut clock = LocalClock::new(zone.clone());
            for quarter in 0..(366 * 96) {
                let instant = Millis(1_767_225_600_000 + quarter * 900_000);
                let zoned = Timestamp::from_millisecond(instant.0).unwrap().to_zoned(zone.clone());
                let local = clock.at(instant);
                assert_eq!(date_of_day(local.day), zoned.date().to_string(), "{name} {instant:?}");
                assert_eq!(local.hour, usize::try_from(zoned.hour()).unwrap());
                assert_eq!(local.weekday, usize::try_from(zoned.weekday().to_monday_zero_offset()).unwrap());
            }
        }
    }

    #[test]
    fn instants_out_of_order_or_out_of_the_calendar_do_not_confuse_it() {
        let mut clock = LocalClock::new(TimeZone::get("Europe/Berlin").unwrap());
        let summer = clock.at(Millis(1_782_900_000_000));
        let winter = clock.at(Millis(1_767_225_600_000));
        assert_eq!(winter.hour, 1);
        assert_eq!(clock.at(Millis(1_782_900_000_000)), summer);
        clock.at(Millis(i64::MAX));
        clock.at(Millis(i64::MIN));
        assert_eq!(clock.at(Millis(-1)).day, 0);
    }
}
