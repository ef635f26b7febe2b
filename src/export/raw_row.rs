//! What the rows of both formats have in common: lenient fields, a time and a length.
//!
//! Must stay true: no value of a field makes reading fail, and only the fields that are named are kept at all.

use super::{
    instants::{instant, is_possible},
    lenient::Lenient,
    rows::RejectReason,
};
use crate::domain::{
    ids::ImportFileId,
    instant::{DAY_MS, Millis},
};

/// Nobody plays one thing for longer, and no device keeps a play back for longer before it tells Spotify.
pub(super) const LONGEST_MS: i64 = 30 * DAY_MS;

/// What is the same for all rows of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct FileFacts {
    pub file: Option<ImportFileId>,
    pub now: Millis,
    /// The file's name says that it tells of videos.
    pub is_video: bool,
}

pub(super) fn ended_at(time: &Lenient<'_>, now: Millis) -> Result<Millis, RejectReason> {
    if time.is_blank() {
        return Err(RejectReason::TimeMissing);
    }
    let instant = instant(time).ok_or(RejectReason::TimeUnreadable)?;
    if is_possible(instant, now) { Ok(instant) } else { Err(RejectReason::TimeOutOfRange) }
}

pub(super) fn length_ms(length: &Lenient<'_>) -> Result<Option<i64>, RejectReason> {
    if length.is_blank() {
        return Ok(None);
    }
    let length_ms = length.integer().ok_or(RejectReason::LengthUnreadable)?;
    if (0..=LONGEST_MS).contains(&length_ms) { Ok(Some(length_ms)) } else { Err(RejectReason::LengthOutOfRange) }
}

/// Declares a row's fields, each with the key it has in the file and perhaps others it may have.
macro_rules! raw_row {
    ($(#[$doc:meta])* $name:ident, $key:ident { $($field:ident = $word:literal $(| $other:literal)*,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Default, PartialEq)]
        pub(super) struct $name<'a> { $(pub $field: Lenient<'a>,)* }

        impl $name<'_> {
            /// Every key that is read.
            pub const KEYS: &'static [&'static str] = &[$($word $(, $other)*),*];
        }

        impl<'a> $crate::export::plain_object::ReadObject<'a> for $name<'a> {
            fn read_plain(bytes: &'a [u8]) -> Option<(Self, usize)> {
                const WORDS: [&str; [$($word),*].len()] = [$($word),*];
                let mut row = Self::default();
                let slots = [$(&mut row.$field),*];
                let length = $crate::export::plain_object::read(bytes, &WORDS, &[$($($other,)*)*], slots)?;
                Some((row, length))
            }
        }

        #[derive(serde::Deserialize)]
        #[serde(field_identifier)]
        #[expect(non_camel_case_types, reason = "the fields' own names")]
        enum $key {
            $(#[serde(rename = $word $(, alias = $other)*)] $field,)*
            #[serde(other)]
            unknown,
        }

        // Not derived: a key that comes twice is no reason to refuse a row, and an array is no row.
        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;

                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $name<'de>;

                    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        formatter.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                        let mut row = $name::default();
                        while let Some(key) = entries.next_key::<$key>()? {
                            match key {
                                $($key::$field => row.$field = entries.next_value()?,)*
                                $key::unknown => {
                                    entries.next_value::<serde::de::IgnoredAny>()?;
                                }
                            }
                        }
                        Ok(row)
                    }
                }

                deserializer.deserialize_map(Fields)
            }
        }
    };
}
pub(super) use raw_row;
