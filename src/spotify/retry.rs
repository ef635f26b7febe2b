//! When to ask again: what `Retry-After` says, and how long to wait where nothing is said.
//!
//! Must stay true: nobody sleeps; an instant is computed and stored, or handed to the caller.

use axum::http::{HeaderMap, header};

use crate::domain::instant::{DAY_MS, HOUR_MS, MINUTE_MS, Millis, SECOND_MS};

/// The longest that is believed: Spotify's own go up to a day.
const LONGEST_WAIT_MS: i64 = 2 * DAY_MS;
/// After a 429 that does not say.
const UNSAID_WAIT_MS: i64 = 30 * SECOND_MS;
/// After a used-up quota that does not say; they count 24 hours.
const UNSAID_QUOTA_WAIT_MS: i64 = HOUR_MS;
/// Between the first attempts after an error; doubles up to an hour.
const FIRST_BACKOFF_MS: i64 = 30 * SECOND_MS;
const LONGEST_BACKOFF_MS: i64 = HOUR_MS;

/// Until when to leave Spotify alone after a 429. Seconds or an HTTP date (RFC 9110, 10.2.3); at least a second.
pub fn blocked_until(headers: &HeaderMap, is_quota: bool, now: Millis) -> Millis {
    let unsaid = if is_quota { UNSAID_QUOTA_WAIT_MS } else { UNSAID_WAIT_MS };
    now.plus_ms(retry_after_ms(headers, now).unwrap_or(unsaid))
}

/// What `Retry-After` says, within a second and two days.
pub fn retry_after_ms(headers: &HeaderMap, now: Millis) -> Option<i64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait_ms = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are a very long wait, too.
        text.parse::<i64>().unwrap_or(i64::MAX).saturating_mul(SECOND_MS)
    } else {
        let date = jiff::fmt::rfc2822::parse(text).ok()?;
        date.timestamp().as_millisecond().saturating_sub(now.0)
    };
    Some(wait_ms.clamp(SECOND_MS, LONGEST_WAIT_MS))
}

/// How long to wait before attempt `attempts` + 1, the first being 1: it doubles from half a minute to an hour, less up
/// to half of it by chance, so that those who failed together do not come back together.
pub fn backoff_ms(attempts: u32, random: u64) -> i64 {
    let doubled = FIRST_BACKOFF_MS << attempts.saturating_sub(1).min(8);
    let longest = doubled.min(LONGEST_BACKOFF_MS);
    let thousandths = i64::try_from(random % 1_000).unwrap_or_default();
    longest - longest / 2 * thousandths / 1_000
}

/// A number by chance out of the clock's random digits.
pub fn chance(random_hex: &str) -> u64 {
    random_hex.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok()).unwrap_or_default()
}

/// Spotify's refresh tokens end six calendar months after the listener's authorization; refreshing does not prolong that.
/// <https://developer.spotify.com/blog/2026-06-18-refresh-token-expiration>
pub fn reauthorize_by(authorized_at: Millis) -> Millis {
    use jiff::{Timestamp, ToSpan, tz::TimeZone};
    let six_months_on =
        Timestamp::from_millisecond(authorized_at.0).and_then(|at| at.to_zoned(TimeZone::UTC).checked_add(6.months()));
    six_months_on.map_or(authorized_at.plus_ms(182 * DAY_MS), |at| Millis(at.timestamp().as_millisecond()))
}

/// How long before a token's end it counts as ended: an exchange and a slow clock fit in.
pub const EXPIRY_MARGIN_MS: i64 = MINUTE_MS;

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// 2026-11-23T12:00:00Z.
    const NOW: Millis = Millis(1_795_435_200_000);

    fn wait(text: &str) -> Option<i64> {
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_str(text).unwrap())]);
        retry_after_ms(&headers, NOW)
    }

    #[test]
    fn seconds_and_dates_are_understood_and_bounded() {
        assert_eq!(wait("7"), Some(7_000));
        assert_eq!(wait("86207"), Some(86_207_000));
        assert_eq!(wait("Mon, 23 Nov 2026 12:01:30 GMT"), Some(90_000));
        assert_eq!(wait("Mon, 23 Nov 2026 11:00:00 GMT"), Some(1_000), "a date that is over");
        assert_eq!(wait("0"), Some(1_000));
        assert_eq!(wait("999999999999999999999999"), Some(LONGEST_WAIT_MS));
        assert_eq!(wait("soon"), None);
        assert_eq!(wait("-5"), None);
        assert_eq!(wait(""), None);
    }

    #[test]
    fn what_is_not_said_is_short_for_a_rate_and_long_for_a_quota() {
        let none = HeaderMap::new();
        assert_eq!(blocked_until(&none, false, NOW), NOW.plus_ms(30_000));
        assert_eq!(blocked_until(&none, true, NOW), NOW.plus_ms(HOUR_MS));
    }

    #[test]
    fn waiting_doubles_up_to_an_hour_and_is_spread() {
        assert_eq!(backoff_ms(1, 0), 30_000);
        assert_eq!(backoff_ms(3, 0), 120_000);
        assert_eq!(backoff_ms(100, 0), HOUR_MS);
        assert!((15_000..30_000).contains(&backoff_ms(1, 999)));
        assert_ne!(backoff_ms(5, 100), backoff_ms(5, 101));
    }

    #[test]
    fn an_authorization_lasts_six_calendar_months() {
        let at = |text: &str| Millis(text.parse::<jiff::Timestamp>().unwrap().as_millisecond());
        assert_eq!(reauthorize_by(at("2026-11-23T12:00:00Z")), at("2027-05-23T12:00:00Z"));
        assert_eq!(reauthorize_by(at("2026-08-31T12:00:00Z")), at("2027-02-28T12:00:00Z"));
    }
}
