//! Ids of tracks that a file names again and again.
//!
//! A track's id is a hash of its URI and of its normalised names; a file plays the same few thousand tracks over and
//! over. Must stay true: the facts are those of [`TrackFacts::new`], remembered or not; memory is bounded.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::FixedState;

use super::rows::Names;
use crate::domain::track::TrackFacts;

/// Twenty years of listening have some 15,000 tracks.
const MAX_TRACKS: usize = 16_384;
/// Texts of two hundred bytes for each of them and to spare.
const MAX_TEXT_BYTES: usize = 4 * 1024 * 1024;

/// The tracks that were named so far, in this file or in those before it.
#[derive(Default)]
pub struct TrackIds {
    /// By URI, or by artist and title with a NUL before each, which no URI begins with.
    known: HashMap<Box<str>, Arc<TrackFacts>, FixedState>,
    text_bytes: usize,
    /// Kept only for its memory.
    key: String,
}

impl TrackIds {
    /// The facts of a track; `None` when it has neither a URI nor a title.
    pub(super) fn facts(&mut self, names: &Names<'_>) -> Option<Arc<TrackFacts>> {
        let Names { uri, title, artist, album } = names;
        let [uri, title, artist, album] = [uri, title, artist, album].map(Option::as_deref);
        let key = if let Some(uri) = uri {
            uri
        } else {
            self.key.clear();
            for part in ["\0", artist.unwrap_or_default(), "\0", title.unwrap_or_default()] {
                self.key.push_str(part);
            }
            &self.key
        };
        if let Some(facts) = self.known.get(key) {
            // One URI may have other names in another row.
            let TrackFacts { title: known_title, artist: known_artist, album: known_album, .. } = &**facts;
            if [known_title, known_artist, known_album].map(Option::as_deref) == [title, artist, album] {
                return Some(Arc::clone(facts));
            }
        }
        let facts = Arc::new(TrackFacts::new(uri, title, artist, album)?);
        let text_bytes = [Some(key), uri, title, artist, album].into_iter().flatten().map(str::len).sum();
        if self.known.len() >= MAX_TRACKS || self.text_bytes >= MAX_TEXT_BYTES {
            self.known.clear();
            self.text_bytes = 0;
        }
        self.text_bytes = self.text_bytes.saturating_add(text_bytes);
        self.known.insert(key.into(), Arc::clone(&facts));
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
        assert!(key_bytes <= MAX_TEXT_BYTES / 2 + 2_000);
    }
}
