//! Which kind of file it is, by the keys of its first object.
//!
//! Must stay true: a file name decides nothing here. A row is recognised by its time and at least one more of its
//! format's keys, in any order and among any others, so that every revision of the export, past or to come, is one.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Serialize,
    de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor},
};

use super::plain_object::ReadObject;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Extended streaming history: to the second, with URIs.
    Extended,
    /// Account data: to the minute, with names only.
    Account,
    /// JSON, but no plays: playlists, payments, searches.
    NotHistory,
}

impl Format {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Extended => "extended",
            Self::Account => "account",
            Self::NotHistory => "not_history",
        }
    }
}

/// Which telling keys an object has, as far as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SeenKeys {
    extended: Telling,
    account: Telling,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Telling {
    time: bool,
    other: bool,
}

impl SeenKeys {
    /// `None` when the keys are those of neither format.
    pub const fn format(self) -> Option<Format> {
        if self.extended.time && self.extended.other {
            Some(Format::Extended)
        } else if self.account.time && self.account.other {
            Some(Format::Account)
        } else {
            None
        }
    }

    /// The keys of an object that may be cut off anywhere.
    pub fn of_beginning(object: &[u8]) -> Self {
        let mut keys = Self::default();
        // Where the text ends or breaks, the keys before that place have been seen.
        let _broken = Keys(&mut keys).deserialize(&mut serde_json::Deserializer::from_slice(object));
        keys
    }

    fn see(&mut self, key: &str) {
        match key {
            "ts" => self.extended.time = true,
            "ms_played"
            | "master_metadata_track_name"
            | "spotify_track_uri"
            | "spotify_episode_uri"
            | "episode_name"
            | "audiobook_uri"
            | "audiobook_chapter_uri" => self.extended.other = true,
            "endTime" => self.account.time = true,
            "msPlayed" | "trackName" | "artistName" | "podcastName" | "episodeName" | "audiobookName"
            | "chapterName" => self.account.other = true,
            _ => {}
        }
    }
}

impl ReadObject<'_> for SeenKeys {}

impl<'de> Deserialize<'de> for SeenKeys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys = Self::default();
        Keys(&mut keys).deserialize(deserializer)?;
        Ok(keys)
    }
}

struct Keys<'a>(&'a mut SeenKeys);

impl<'de> DeserializeSeed<'de> for Keys<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        while let Some(key) = entries.next_key::<Cow<'de, str>>()? {
            self.0.see(&key);
            entries.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_of(object: &str) -> Option<Format> {
        SeenKeys::of_beginning(object.as_bytes()).format()
    }

    #[test]
    fn a_row_is_known_by_its_time_and_one_more_key() {
        assert_eq!(format_of(r#"{"ts":"","ms_played":1}"#), Some(Format::Extended));
        assert_eq!(format_of(r#"{"x":{"y":[1]},"spotify_episode_uri":null,"ts":1}"#), Some(Format::Extended));
        assert_eq!(format_of(r#"{"endTime":"","msPlayed":1}"#), Some(Format::Account));
        assert_eq!(format_of(r#"{"chapterName":"","endTime":1}"#), Some(Format::Account));
    }

    #[test]
    fn what_has_only_one_of_the_keys_is_not() {
        for object in [
            "{}",
            r#"{"ts":1}"#,
            r#"{"ms_played":1}"#,
            r#"{"endTime":1}"#,
            r#"{"trackName":"a","artistName":"b","trackUri":"c"}"#,
            r#"{"timestamp_utc":"","message_item_uri":""}"#,
            "[]",
            "nonsense",
        ] {
            assert_eq!(format_of(object), None, "{object}");
        }
    }

    #[test]
    fn the_beginning_of_an_object_is_enough() {
        assert_eq!(format_of(r#"{"ts":"2019-07-01T10:00:00Z","ms_played":12"#), Some(Format::Extended));
        assert_eq!(format_of(r#"{"ts":"2019-07-01T10:00:00Z","ms_pla"#), None);
    }
}
