//! Instants as the store keeps them: whole milliseconds since 1970-01-01T00:00:00Z.
//!
//! Must stay true: an instant is an integer in the store and RFC 3339 in UTC with a `Z` in JSON, nowhere else a string.

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

/// An instant, in milliseconds since the Unix epoch. Serializes as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

pub const SECOND_MS: i64 = 1_000;
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
pub const DAY_MS: i64 = 24 * HOUR_MS;

impl Millis {
    /// RFC 3339 in UTC, with milliseconds only where there are any: `2019-07-01T10:00:00Z`.
    pub fn to_rfc3339(self) -> String {
        match Timestamp::from_millisecond(self.0) {
            Ok(timestamp) => timestamp.to_string(),
            Err(_) => format!("{} ms", self.0),
        }
    }

    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    #[must_use]
    pub const fn minus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_sub(ms))
    }

    /// Milliseconds from `earlier` to `self`; negative when `earlier` is later.
    pub const fn since_ms(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_rfc3339())
    }
}

#[cfg(test)]
impl schemars::JsonSchema for Millis {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_written_in_utc_with_a_z() {
        assert_eq!(Millis(0).to_rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(Millis(1_561_975_200_381).to_rfc3339(), "2019-07-01T10:00:00.381Z");
    }
}
