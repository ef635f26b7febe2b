//! Tracks as Spotify describes them.

use serde_json::{Value, json};

/// A track of the fake's catalogue, or a listener's own file (no id).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeTrack {
    pub id: Option<String>,
    pub uri: String,
    pub name: String,
    /// Id and name; a file of one's own has artists without an id.
    pub artists: Vec<(Option<String>, String)>,
    pub album_id: Option<String>,
    pub album_name: String,
    pub duration_ms: i64,
    pub isrc: Option<String>,
}

const ADJECTIVES: [&str; 12] = [
    "Amber", "Quiet", "Paper", "Northern", "Velvet", "Broken", "Golden", "Distant", "Electric", "Hollow", "Silver",
    "Wild",
];
const NOUNS: [&str; 13] = [
    "Harbour", "Lanterns", "Season", "Machine", "Garden", "Signal", "Avenue", "Mirrors", "River", "Parade", "Weather",
    "Orchard", "Static",
];

impl FakeTrack {
    /// The track of that number; the same for everyone and for ever. Every seventh has two artists.
    pub fn numbered(number: u64) -> Self {
        let artist = number % 37;
        let mut artists = vec![artist_numbered(artist)];
        if number.is_multiple_of(7) {
            artists.push(artist_numbered((artist + 5) % 37));
        }
        let id = id("t", number);
        Self {
            uri: format!("spotify:track:{id}"),
            id: Some(id),
            name: format!("{} {number}", words(number.wrapping_mul(31))),
            artists,
            album_id: Some(self::id("b", number / 9)),
            album_name: format!("{} Sessions", words(number / 9 + 3)),
            duration_ms: 150_000 + i64::try_from(number * 7_919 % 150_000).unwrap_or_default(),
            isrc: Some(format!("ZZFAK{:07}", number % 10_000_000)),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let artists: Vec<Value> = self.artists.iter().map(|(id, name)| artist_json(id.as_deref(), name)).collect();
        let album_uri = self.album_id.as_ref().map(|id| format!("spotify:album:{id}"));
        json!({
            "id": self.id, "uri": self.uri, "type": "track", "name": self.name, "duration_ms": self.duration_ms,
            "explicit": false, "disc_number": 1, "track_number": 1, "is_local": self.id.is_none(), "preview_url": null,
            "external_ids": self.isrc.as_ref().map_or_else(|| json!({}), |isrc| json!({"isrc": isrc})),
            "external_urls": {"spotify": self.id.as_ref().map(|id| format!("https://open.spotify.com/track/{id}"))},
            "album": {
                "id": self.album_id, "uri": album_uri, "type": "album", "album_type": "album", "name": self.album_name,
                "release_date": "2019-06-21", "release_date_precision": "day", "images": [], "artists": artists.clone()
            },
            "artists": artists,
        })
    }

    pub(super) fn album_json(&self) -> Value {
        self.to_json().get("album").cloned().unwrap_or_default()
    }
}

pub(super) fn artist_numbered(number: u64) -> (Option<String>, String) {
    (Some(id("a", number)), format!("The {}", words(number * 5 + 1)))
}

pub(super) fn artist_json(id: Option<&str>, name: &str) -> Value {
    let uri = id.map(|id| format!("spotify:artist:{id}"));
    json!({"id": id, "uri": uri, "type": "artist", "name": name, "genres": null, "images": []})
}

fn words(number: u64) -> String {
    let pick = |list: &[&'static str], number: u64| {
        let at = usize::try_from(number).unwrap_or_default() % list.len();
        list.get(at).copied().unwrap_or_default()
    };
    format!("{} {}", pick(&ADJECTIVES, number), pick(&NOUNS, number / 3))
}

/// 22 letters and digits, as Spotify's ids have.
fn id(kind: &str, number: u64) -> String {
    format!("Fake{kind}{number:017}")
}
