//! Instants as exports write them.
//!
//! Must stay true: what has no zone is UTC, whatever the reader's own zone is.

use jiff::{Timestamp, civil, fmt::rfc2822, tz::Offset};

use super::lenient::Lenient;
use crate::domain::instant::{DAY_MS, Millis, SECOND_MS};

/// 2006-01-01: Spotify was founded that year.
const EARLIEST: Millis = Millis(1_136_073_600_000);

/// Above this a number of unknown unit counts milliseconds, since in seconds it would be the year 5138.
const LARGEST_SECONDS: i64 = 100_000_000_000;

/// The instant a row states, to the second. `None` when it cannot be read.
pub fn instant(value: &Lenient<'_>) -> Option<Millis> {
    let instant = match value {
        Lenient::Text(text) => from_text(text)?,
        Lenient::Integer(_) | Lenient::Decimal(_) => Millis(epoch_ms(value.integer()?)),
        Lenient::Absent | Lenient::Flag(_) | Lenient::Other => return None,
    };
    Some(floored(instant, SECOND_MS))
}

/// Whether a play can have ended then.
pub fn is_possible(instant: Millis, now: Millis) -> bool {
    (EARLIEST..=now.plus_ms(DAY_MS)).contains(&instant)
}

/// Milliseconds since 1970 of a number that may count seconds or milliseconds; both units occur in one export.
pub const fn epoch_ms(number: i64) -> i64 {
    if number > LARGEST_SECONDS { number } else { number.saturating_mul(SECOND_MS) }
}

/// The last multiple of `unit_ms` that is not later.
pub const fn floored(instant: Millis, unit_ms: i64) -> Millis {
    Millis(instant.0.saturating_sub(instant.0.rem_euclid(unit_ms)))
}

fn from_text(text: &str) -> Option<Millis> {
    exact_form(text.as_bytes()).or_else(|| other_form(text))
}

/// The two forms that Spotify writes: `2019-07-01T10:00:00Z` and `2019-07-01 10:00`.
fn exact_form(text: &[u8]) -> Option<Millis> {
    let (date_time, second) = match text {
        [start @ .., b':', tens, ones, b'Z'] if text.len() == 20 => (start, two_digits(*tens, *ones)?),
        _ if text.len() == 16 => (text, 0),
        _ => return None,
    };
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b' ', h1, h2, b':', n1, n2] = date_time else {
        return None;
    };
    let century = i16::from(two_digits(*y1, *y2)?);
    let year = century.checked_mul(100)?.checked_add(i16::from(two_digits(*y3, *y4)?))?;
    let (month, day) = (two_digits(*m1, *m2)?, two_digits(*d1, *d2)?);
    let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*n1, *n2)?);
    utc(civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?)
}

fn two_digits(tens: u8, ones: u8) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| byte.wrapping_sub(b'0'));
    i8::try_from(digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)?).ok()
}

/// No way of writing an instant is longer.
const LONGEST_FORM_BYTES: usize = 64;

/// What tools and older exports wrote: fractions, offsets, a blank instead of the `T`, RFC 2822, numbers as text.
fn other_form(text: &str) -> Option<Millis> {
    let text = text.trim();
    if text.len() > LONGEST_FORM_BYTES {
        return None;
    }
    if let Ok(number) = text.parse::<i64>() {
        // Fewer digits are a year or a date, not a number of seconds.
        return (text.len() >= 9).then(|| Millis(epoch_ms(number)));
    }
    // A date without a time says too little.
    if !text.contains(':') {
        return None;
    }
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(Millis(timestamp.as_millisecond()));
    }
    let naive = text.strip_suffix("UTC").unwrap_or(text).trim_end();
    if let Ok(date_time) = naive.parse::<civil::DateTime>() {
        return utc(date_time);
    }
    let zoned = rfc2822::parse(text).ok()?;
    Some(Millis(zoned.timestamp().as_millisecond()))
}

fn utc(date_time: civil::DateTime) -> Option<Millis> {
    Offset::UTC.to_timestamp(date_time).ok().map(|timestamp| Millis(timestamp.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        instant(&Lenient::Text(text.into())).map(Millis::to_rfc3339)
    }

    #[test]
    fn every_way_of_writing_it_is_the_same_instant() {
        for text in [
            "2019-07-01T10:00:00Z",
            "2019-07-01T10:00:00.999Z",
            "2019-07-01 10:00:00Z",
            "2019-07-01 10:00:00",
            "2019-07-01T10:00:00",
            "2019-07-01 10:00",
            "2019-07-01T10:00",
            "2019-07-01T10:00Z",
            "2019-07-01T12:00:00+02:00",
            "2019-07-01T12:00:00+0200",
            "2019-07-01 10:00:00 UTC",
            " 2019-07-01T10:00:00Z ",
            "Mon, 01 Jul 2019 10:00:00 GMT",
            "Mon, 1 Jul 2019 12:00:00 +0200",
            "1561975200",
            "1561975200000",
        ] {
            assert_eq!(of(text).as_deref(), Some("2019-07-01T10:00:00Z"), "{text}");
        }
        assert_eq!(instant(&Lenient::Integer(1_561_975_200)), Some(Millis(1_561_975_200_000)));
        assert_eq!(instant(&Lenient::Decimal(1_561_975_200_381.0)), Some(Millis(1_561_975_200_000)));
    }

    #[test]
    fn what_is_no_instant_is_not_read() {
        for text in [
            "",
            "yesterday",
            "2019",
            "2019-07-01",
            "2019-13-01T10:00:00Z",
            "2019-02-29T10:00:00Z",
            "2019-07-01T25:00:00Z",
            "2019-07-01T10:60:00Z",
            "20x9-07-01T10:00:00Z",
            "2019-07-01T10:00:+1Z",
            "::::",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(instant(&Lenient::Flag(true)), None);
        assert_eq!(instant(&Lenient::Other), None);
    }

    #[test]
    fn a_leap_second_is_the_second_before_it() {
        assert_eq!(of("2016-12-31T23:59:60Z").as_deref(), Some("2016-12-31T23:59:59Z"));
    }

    #[test]
    fn plays_before_spotify_or_after_tomorrow_are_impossible() {
        let now = Millis(1_561_975_200_000);
        assert!(is_possible(now, now));
        assert!(is_possible(now.plus_ms(DAY_MS), now));
        assert!(!is_possible(now.plus_ms(DAY_MS + 1), now));
        assert!(is_possible(EARLIEST, now));
        assert!(!is_possible(EARLIEST.minus_ms(1), now));
        assert_eq!(EARLIEST.to_rfc3339(), "2006-01-01T00:00:00Z");
    }

    #[test]
    fn flooring_goes_towards_the_past_on_both_sides_of_1970() {
        assert_eq!(floored(Millis(1_999), 1_000), Millis(1_000));
        assert_eq!(floored(Millis(-1), 1_000), Millis(-1_000));
        assert_eq!(floored(Millis(i64::MIN), 1_000), Millis(i64::MIN));
    }
}
