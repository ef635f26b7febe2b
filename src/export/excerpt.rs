//! What is shown of a row that was refused, so that its owner can see what is wrong with it.
//!
//! Must stay true: only the fields that rows are read for are repeated, each cut short; the address, agent, user name,
//! country and platform never are, nor any text that could not be taken apart.

use std::{borrow::Cow, fmt};

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{account::AccountRow, extended::ExtendedRow, lenient::Lenient};

const VALUE_MAX_CHARS: usize = 60;
const EXCERPT_MAX_CHARS: usize = 300;

/// Where quotation marks are missing, one field can swallow the next.
const PERSONAL_KEYS: [&str; 6] = ["ip_addr", "user_agent", "username", "conn_country", "platform", "email"];

/// An element's excerpt.
pub fn excerpt(element: &[u8]) -> Box<str> {
    match element.first() {
        Some(b'{') => of_object(element).into(),
        Some(b'"') => "a text where an object belongs".into(),
        Some(b'[') => "an array where an object belongs".into(),
        Some(b'n') => "null where an object belongs".into(),
        Some(b't' | b'f') => "true or false where an object belongs".into(),
        Some(b'0'..=b'9' | b'-') => "a number where an object belongs".into(),
        _ => "text that is no JSON".into(),
    }
}

fn of_object(object: &[u8]) -> String {
    let mut fields = Fields { shown: String::from("{"), is_cut: false };
    let is_whole = serde_json::Deserializer::from_slice(object).deserialize_map(&mut fields).is_ok();
    fields.shown.push_str(match (is_whole, fields.is_cut) {
        (false, _) => "… broken here",
        (true, true) => "…}",
        (true, false) => "}",
    });
    fields.shown
}

struct Fields {
    shown: String,
    is_cut: bool,
}

impl Fields {
    fn add(&mut self, key: &str, value: &Lenient<'_>) {
        let shown = match value {
            Lenient::Absent => return,
            Lenient::Flag(flag) => flag.to_string(),
            Lenient::Integer(number) => number.to_string(),
            Lenient::Decimal(number) => number.to_string(),
            Lenient::Other => "…".to_owned(),
            Lenient::Text(text) if PERSONAL_KEYS.iter().any(|key| text.contains(key)) => "…".to_owned(),
            Lenient::Text(text) => {
                let plain = text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter });
                let mut short: String = plain.take(VALUE_MAX_CHARS).collect();
                if text.chars().nth(VALUE_MAX_CHARS).is_some() {
                    short.push('…');
                }
                Value::from(short).to_string()
            }
        };
        if self.shown.chars().count() + key.len() + shown.chars().count() > EXCERPT_MAX_CHARS {
            self.is_cut = true;
            return;
        }
        let separator = if self.shown.len() > 1 { "," } else { "" };
        for part in [separator, "\"", key, "\":", &shown] {
            self.shown.push_str(part);
        }
    }
}

impl<'de> Visitor<'de> for &mut Fields {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            let known = ExtendedRow::KEYS.iter().chain(AccountRow::KEYS).find(|known| **known == key);
            match known {
                Some(known) => self.add(known, &entries.next_value()?),
                None => drop(entries.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::samples::{ACCOUNT, PERSONAL, R1, R2, R3, R4};

    #[test]
    fn fields_that_are_read_are_shown_and_the_others_are_not() {
        assert_eq!(
            &*excerpt(
                br#"{"ts":"soon","username":"me","ms_played":-1.5,"skipped":null,"shuffle":true,"mine":[{"a":1}]}"#
            ),
            r#"{"ts":"soon","ms_played":-1.5,"shuffle":true}"#
        );
        assert_eq!(&*excerpt(br#"{"ts":{"a":[1]},"endTime":7}"#), r#"{"ts":…,"endTime":7}"#);
    }

    #[test]
    fn personal_values_are_never_shown_wherever_the_text_breaks() {
        for row in [R1, R2, R3, R4, ACCOUNT] {
            for length in 1..=row.len() {
                let shown = excerpt(&row.as_bytes()[..length]);
                assert!(PERSONAL.iter().all(|value| !shown.contains(value)), "{shown}");
                assert!(shown.chars().count() <= EXCERPT_MAX_CHARS + 20);
            }
            // A quotation mark is lost: one value runs into the next field.
            for (at, _) in row.match_indices('"') {
                let broken = [&row[..at], "\\\"", &row[at + 1..]].concat();
                let shown = excerpt(broken.as_bytes());
                assert!(PERSONAL.iter().all(|value| !shown.contains(value)), "{shown}");
            }
        }
    }

    #[test]
    fn long_and_odd_values_are_cut() {
        let shown = excerpt(format!(r#"{{"ts":"a\u0000b","trackName":"{}"}}"#, "🎵".repeat(500)).as_bytes());
        assert_eq!(&*shown, format!("{{\"ts\":\"a\u{fffd}b\",\"trackName\":\"{}…\"}}", "🎵".repeat(60)));
        let names = ["master_metadata_track_name", "episode_name", "episode_show_name", "artistName", "trackName"];
        let many: Vec<String> = names.iter().map(|name| format!("\"{name}\":\"{}\"", "x".repeat(100))).collect();
        let shown = excerpt(format!("{{{}}}", many.join(",")).as_bytes());
        assert!(shown.ends_with("…}") && shown.chars().count() <= EXCERPT_MAX_CHARS + 3, "{shown}");
    }

    #[test]
    fn what_is_no_object_is_called_what_it_is() {
        assert_eq!(&*excerpt(b"\"203.0.113.77\""), "a text where an object belongs");
        assert_eq!(&*excerpt(b"null"), "null where an object belongs");
        assert_eq!(&*excerpt(b"-1"), "a number where an object belongs");
        assert_eq!(&*excerpt(b"[1]"), "an array where an object belongs");
        assert_eq!(&*excerpt(b"garbage"), "text that is no JSON");
        assert_eq!(&*excerpt(br#"{"ts":"soon","ms_played":}"#), r#"{"ts":"soon"… broken here"#);
    }
}
