//! A value of a row, whatever its JSON type.
//!
//! Must stay true: no type of any value makes its row unreadable; text is borrowed from the buffer wherever the JSON
//! has it without escapes.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A value as it came. Objects and arrays are `Other`: no field of a row has one.
#[derive(Debug, Default, PartialEq)]
pub enum Lenient<'a> {
    /// Missing or `null`.
    #[default]
    Absent,
    Flag(bool),
    Integer(i64),
    Decimal(f64),
    Text(Cow<'a, str>),
    Other,
}

/// Longer names are cut: the longest title on Spotify has a few hundred characters.
const NAME_MAX_CHARS: usize = 1_000;
const URI_MAX_BYTES: usize = 2_000;

impl<'a> Lenient<'a> {
    /// A name fit to be kept: trimmed, without NUL, at most 1,000 characters; `None` when nothing is left.
    pub fn into_name(self) -> Option<Cow<'a, str>> {
        let name = match self {
            Self::Text(text) => trimmed(text),
            // A song may be called 1999.
            Self::Integer(number) => number.to_string().into(),
            Self::Decimal(number) => number.to_string().into(),
            Self::Absent | Self::Flag(_) | Self::Other => return None,
        };
        // JSON has a NUL only as an escape, and what had an escape is not borrowed.
        let name = match name {
            Cow::Owned(name) if name.contains('\0') => trimmed(name.replace('\0', "").into()),
            name => name,
        };
        let name = if name.len() > NAME_MAX_CHARS {
            // The cut may fall behind a blank.
            trimmed(name.chars().take(NAME_MAX_CHARS).collect())
        } else {
            name
        };
        (!name.is_empty()).then_some(name)
    }

    /// A Spotify URI. An `open.spotify.com` address is turned into one; anything else is no URI.
    pub fn into_uri(self) -> Option<Cow<'a, str>> {
        let Self::Text(text) = self else { return None };
        let text = trimmed(text);
        if text.len() > URI_MAX_BYTES || matches!(&text, Cow::Owned(text) if text.contains('\0')) {
            return None;
        }
        if text.starts_with("spotify:") {
            return Some(text);
        }
        let path = text.strip_prefix("https://open.spotify.com/")?;
        let (kind, id) = path.split_once('/')?;
        let id = id.split(['?', '#']).next().unwrap_or_default();
        let is_plain = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (is_plain(kind) && is_plain(id)).then(|| format!("spotify:{kind}:{id}").into())
    }

    /// `true`, `1`, `"true"` and the like.
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Integer(0) => Some(false),
            Self::Integer(1) => Some(true),
            Self::Text(text) => match text.trim() {
                "0" => Some(false),
                "1" => Some(true),
                word if word.eq_ignore_ascii_case("false") => Some(false),
                word if word.eq_ignore_ascii_case("true") => Some(true),
                _ => None,
            },
            Self::Absent | Self::Integer(_) | Self::Decimal(_) | Self::Other => None,
        }
    }

    /// A whole number, rounded where it has a fraction, also out of a text.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            Self::Decimal(number) => rounded(*number),
            Self::Text(text) => {
                let text = text.trim();
                text.parse().ok().or_else(|| rounded(text.parse().ok()?))
            }
            Self::Absent | Self::Flag(_) | Self::Other => None,
        }
    }

    /// A text that says nothing is no value.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Absent => true,
            Self::Text(text) => text.trim().is_empty(),
            _ => false,
        }
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => text.trim().into(),
        Cow::Owned(text) if text.trim().len() == text.len() => text.into(),
        Cow::Owned(text) => text.trim().to_owned().into(),
    }
}

fn rounded(number: f64) -> Option<i64> {
    // Beyond 2^53 no length or instant is meant, and no cast is exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (number.abs() <= EXACT).then(|| number.round() as i64)
}

impl<'de: 'a, 'a> Deserialize<'de> for Lenient<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Lenient<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Lenient::Absent)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(Lenient::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Lenient::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Lenient::Integer(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Lenient::Decimal(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Lenient::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Lenient::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Lenient::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Lenient::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Lenient<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_are_read_out_of_any_type() {
        for (json, number) in [
            ("1234", Some(1234)),
            ("-7", Some(-7)),
            ("1234.6", Some(1235)),
            ("1.5e3", Some(1500)),
            ("\" 1234 \"", Some(1234)),
            ("\"1234.0\"", Some(1234)),
            ("18446744073709551615", Some(i64::MAX)),
            ("1e300", None),
            ("\"soon\"", None),
            ("\"NaN\"", None),
            ("true", None),
            ("null", None),
            ("{\"a\":[1,{}]}", None),
        ] {
            assert_eq!(of(json).integer(), number, "{json}");
        }
    }

    #[test]
    fn flags_are_read_out_of_any_type() {
        for (json, flag) in [
            ("true", Some(true)),
            ("0", Some(false)),
            ("1", Some(true)),
            ("\"True\"", Some(true)),
            ("\"false\"", Some(false)),
            ("\"1\"", Some(true)),
            ("null", None),
            ("2", None),
            ("\"\"", None),
            ("[true]", None),
        ] {
            assert_eq!(of(json).flag(), flag, "{json}");
        }
    }

    #[test]
    fn names_are_trimmed_cut_and_freed_of_nul() {
        assert_eq!(of("\"  Let Down \"").into_name().unwrap(), "Let Down");
        assert_eq!(of("\"a\\u0000b\"").into_name().unwrap(), "ab");
        assert_eq!(of("\" \\u0000 \"").into_name(), None);
        assert_eq!(of("1999").into_name().unwrap(), "1999");
        assert_eq!(of("\"\"").into_name(), None);
        assert_eq!(of("[\"a\"]").into_name(), None);
        let long = format!("\"{}\"", "ö".repeat(5_000));
        assert_eq!(of(&long).into_name().unwrap(), "ö".repeat(1_000));
        let just_right = format!("\"{}\"", "ö".repeat(1_000));
        assert_eq!(of(&just_right).into_name().unwrap(), "ö".repeat(1_000));
        let blank_at_the_cut = format!("\"{} b\"", "ö".repeat(999));
        assert_eq!(of(&blank_at_the_cut).into_name().unwrap(), "ö".repeat(999));
    }

    #[test]
    fn only_spotify_uris_are_uris() {
        assert_eq!(of("\"spotify:track:4uLU\"").into_uri().unwrap(), "spotify:track:4uLU");
        assert_eq!(of("\"https://open.spotify.com/track/4uLU?si=x\"").into_uri().unwrap(), "spotify:track:4uLU");
        for json in ["\"\"", "null", "7", "\"https://example.com/track/4uLU\"", "\"https://open.spotify.com/track/\""] {
            assert_eq!(of(json).into_uri(), None, "{json}");
        }
    }

    #[test]
    fn text_without_escapes_is_borrowed() {
        assert!(matches!(of("\"plain\""), Lenient::Text(Cow::Borrowed("plain"))));
        assert!(matches!(of("\"esc\\u0061ped\""), Lenient::Text(Cow::Owned(_))));
    }
}
