//! What a source says about the thing that was played.
//!
//! Must stay true: a fact known is never replaced by an unknown one, and the same facts give the same row whichever
//! source brought them first.

use super::ids::{ArtistId, SongId, TrackId};

/// A track as a source names it; names are shown, ids are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackFacts {
    pub id: TrackId,
    /// `None` when the source gave only names.
    pub uri: Option<String>,
    pub song: Option<SongId>,
    /// Title of the track, episode or chapter.
    pub title: Option<String>,
    /// First artist, or the show or book.
    pub artist: Option<String>,
    pub album: Option<String>,
}

impl TrackFacts {
    /// Facts from a URI, from names, or from both; `None` when there is neither a URI nor a title.
    pub fn new(uri: Option<&str>, title: Option<&str>, artist: Option<&str>, album: Option<&str>) -> Option<Self> {
        let song = match (artist, title) {
            (Some(artist), Some(title)) => Some(SongId::from_names(artist, title)),
            (None, Some(title)) => Some(SongId::from_names("", title)),
            (_, None) => None,
        };
        let id = match (uri, song) {
            (Some(uri), _) => TrackId::from_uri(uri),
            (None, Some(song)) => song.as_track(),
            (None, None) => return None,
        };
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Some(Self { id, uri: owned(uri), song, title: owned(title), artist: owned(artist), album: owned(album) })
    }

    /// Takes what another mention of the same track says and this one does not.
    pub fn learn(&mut self, other: &Self) {
        fn fill<T: Clone>(known: &mut Option<T>, other: Option<&T>) {
            if known.is_none() {
                *known = other.cloned();
            }
        }
        fill(&mut self.song, other.song.as_ref());
        fill(&mut self.title, other.title.as_ref());
        fill(&mut self.artist, other.artist.as_ref());
        fill(&mut self.album, other.album.as_ref());
    }

    /// Whether nothing more can be learnt of it from an export.
    pub const fn is_complete(&self) -> bool {
        self.title.is_some() && self.artist.is_some() && (self.album.is_some() || self.uri.is_none())
    }

    pub fn artist_id(&self) -> Option<ArtistId> {
        self.artist.as_deref().map(ArtistId::from_name)
    }
}
