//! Tracks, artists and albums as Spotify describes them.
//!
//! Must stay true: a field that is missing, `null` or of another type than expected is `None` and makes nothing else
//! unreadable: Spotify has taken fields away before.

use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::Value;

/// A track, an episode, or a file of the listener's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Track {
    #[serde(default, deserialize_with = "or_none")]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub uri: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub duration_ms: Option<i64>,
    /// A file of the listener's own, which Spotify knows by name only.
    #[serde(default, deserialize_with = "or_default")]
    pub is_local: bool,
    #[serde(default, deserialize_with = "readable")]
    pub artists: Vec<Artist>,
    #[serde(default, deserialize_with = "or_none")]
    pub album: Option<Album>,
    #[serde(default, rename = "external_ids", deserialize_with = "isrc")]
    pub isrc: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Artist {
    #[serde(default, deserialize_with = "or_none")]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub uri: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub name: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Album {
    #[serde(default, deserialize_with = "or_none")]
    pub id: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub uri: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "readable")]
    pub artists: Vec<Artist>,
    /// `2019`, `2019-06` or `2019-06-21`.
    #[serde(default, deserialize_with = "or_none")]
    pub release_date: Option<String>,
}

/// Whatever is not a `T` is none.
pub(super) fn or_none<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    Ok(serde_json::from_value(Value::deserialize(deserializer)?).ok())
}

fn or_default<'de, T: DeserializeOwned + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    or_none(deserializer).map(Option::unwrap_or_default)
}

/// The items that are a `T`.
fn readable<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let items = Value::deserialize(deserializer)?;
    let Value::Array(items) = items else { return Ok(Vec::new()) };
    Ok(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}

fn isrc<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let ids = Value::deserialize(deserializer)?;
    Ok(ids.get("isrc").and_then(Value::as_str).map(str::trim).filter(|isrc| !isrc.is_empty()).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_of_another_type_leaves_the_rest_readable() {
        let track: Track = serde_json::from_value(json!({
            "id": 7, "uri": "spotify:track:a", "name": "Song", "duration_ms": "long", "is_local": null,
            "artists": [null, {"name": "One"}, 3, {"id": "b", "name": "Two"}],
            "album": "none", "external_ids": {"isrc": " GBAYE0601498 "}, "popularity": 3
        }))
        .unwrap();
        assert_eq!((track.id, track.duration_ms, track.album, track.is_local), (None, None, None, false));
        let names: Vec<_> = track.artists.iter().filter_map(|artist| artist.name.as_deref()).collect();
        assert_eq!(names, ["One", "Two"]);
        assert_eq!(track.isrc.as_deref(), Some("GBAYE0601498"));
    }

    #[test]
    fn a_track_without_anything_is_a_track() {
        assert_eq!(serde_json::from_value::<Track>(json!({})).unwrap(), Track::default());
        assert!(serde_json::from_value::<Track>(json!("a")).is_err());
    }
}
