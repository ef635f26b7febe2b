//! Ids of tracks that a file names again and again.
//!
//! A track's id is a hash of its URI and of its normalised names; a file plays the same few thousand tracks over and
//! over. Must stay true: the facts are those of [`TrackFacts::new`], remembered or not; memory is bounded.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
    sync::Arc,
};

use super::rows::Names;
use crate::domain::track::TrackFacts;

/// A file has some 15,000 rows and fewer tracks.
const MAX_TRACKS: usize = 8_192;
/// Two hundred bytes for each of them and to spare.
const MAX_KEY_BYTES: usize = 2 * 1024 * 1024;

#[derive(Default)]
pub(super) struct TrackIds {
    known: HashMap<Box<str>, Arc<TrackFacts>, BuildHasherDefault<DefaultHasher>>,
    known_key_bytes: usize,
    /// Kept only for its memory.
    key: String,
}

impl TrackIds {
    /// The facts of a track; `None` when it has neither a URI nor a title.
    pub fn facts(&mut self, names: &Names<'_>) -> Option<Arc<TrackFacts>> {
        let Names { uri, title, artist, album } = names;
        self.key.clear();
        // Names hold no NUL, and what is present is not empty, so different tracks have different keys.
        for (separator, part) in [("", uri), ("\0", artist), ("\0", title), ("\0", album)] {
            self.key.push_str(separator);
            self.key.push_str(part.as_deref().unwrap_or_default());
        }
        if let Some(facts) = self.known.get(self.key.as_str()) {
            return Some(Arc::clone(facts));
        }
        let facts = TrackFacts::new(uri.as_deref(), title.as_deref(), artist.as_deref(), album.as_deref())?;
        if self.known.len() >= MAX_TRACKS || self.known_key_bytes >= MAX_KEY_BYTES {
            self.known.clear();
            self.known_key_bytes = 0;
        }
        self.known_key_bytes = self.known_key_bytes.saturating_add(self.key.len());
        let facts = Arc::new(facts);
        self.known.insert(self.key.as_str().into(), Arc::clone(&facts));
        Some(facts)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;

    fn names<'a>(uri: Option<&'a str>, title: Option<&'a str>, artist: Option<&'a str>) -> Names<'a> {
        let name = |name: Option<&'a str>| name.map(Cow::from);
        Names { uri: name(uri), title: name(title), artist: name(artist), album: Some("Album".into()) }
    }

    #[test]
    fn remembered_facts_are_the_facts() {
        let mut ids = TrackIds::default();
        let uris = [None, Some("spotify:track:1"), Some("spotify:track:2")];
        let words = [None, Some("a"), Some("b"), Some("a b")];
        for _ in 0..2 {
            for uri in uris {
                for title in words {
                    for artist in words {
                        let expected = TrackFacts::new(uri, title, artist, Some("Album"));
                        assert_eq!(ids.facts(&names(uri, title, artist)).as_deref(), expected.as_ref());
                    }
                }
            }
        }
    }

    #[test]
    fn a_file_of_endless_tracks_does_not_fill_the_memory() {
        let mut ids = TrackIds::default();
        for number in 0..20_000 {
            ids.facts(&names(Some(&format!("spotify:track:{number}")), None, None));
        }
        assert!(ids.known.len() <= MAX_TRACKS);
        for number in 0..3_000 {
            ids.facts(&names(Some(&format!("{number:02000}")), None, None));
        }
        let key_bytes: usize = ids.known.keys().map(|key| key.len()).sum();
        assert!(key_bytes <= MAX_KEY_BYTES + 2_002);
    }
}
