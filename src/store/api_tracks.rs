//! Tracks as Spotify's API states them: with all their artists, ISRC and length.
//!
//! Must stay true: what the API states replaces what an export said (names, links), whichever came first, and never adds
//! to it; an artist is the row of that name, which takes on the Spotify id; a repeat writes nothing.

use std::collections::{BTreeMap, HashSet};

use super::{Statement, tracks};
use crate::domain::{ids::ArtistId, track::TrackFacts};

/// A track of a recently-played list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiTrack {
    pub facts: TrackFacts,
    pub isrc: Option<String>,
    pub duration_ms: Option<i64>,
    /// In Spotify's order.
    pub artists: Vec<ApiArtist>,
}

/// An artist of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiArtist {
    pub name: String,
    pub spotify_id: Option<String>,
}

const UPSERT_TRACKS: &str = "
INSERT INTO tracks (id, uri, song_id, title, artist_name, album_name, isrc, duration_ms)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7
FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
  song_id = coalesce(tracks.song_id, excluded.song_id),
  title = coalesce(excluded.title, tracks.title),
  artist_name = coalesce(excluded.artist_name, tracks.artist_name),
  album_name = coalesce(excluded.album_name, tracks.album_name),
  isrc = coalesce(excluded.isrc, tracks.isrc),
  duration_ms = coalesce(excluded.duration_ms, tracks.duration_ms)
WHERE (tracks.song_id IS NULL AND excluded.song_id IS NOT NULL)
   OR tracks.title IS NOT coalesce(excluded.title, tracks.title)
   OR tracks.artist_name IS NOT coalesce(excluded.artist_name, tracks.artist_name)
   OR tracks.album_name IS NOT coalesce(excluded.album_name, tracks.album_name)
   OR tracks.isrc IS NOT coalesce(excluded.isrc, tracks.isrc)
   OR tracks.duration_ms IS NOT coalesce(excluded.duration_ms, tracks.duration_ms)";

/// Of two spellings and of two ids under one name the smaller is kept, so that the order of arrival does not show.
const UPSERT_ARTISTS: &str = "
INSERT INTO artists (id, name, spotify_id) SELECT value->>0, value->>1, value->>2 FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET
  name = min(artists.name, excluded.name),
  spotify_id = min(coalesce(artists.spotify_id, excluded.spotify_id), coalesce(excluded.spotify_id, artists.spotify_id))
WHERE excluded.name < artists.name
   OR (excluded.spotify_id IS NOT NULL AND (artists.spotify_id IS NULL OR excluded.spotify_id < artists.spotify_id))";

const REPLACE_LINKS: &str = "
INSERT INTO track_artists (track_id, position, artist_id)
SELECT value->>0, value->>1, value->>2 FROM json_each(?1) WHERE true
ON CONFLICT (track_id, position) DO UPDATE SET artist_id = excluded.artist_id
WHERE track_artists.artist_id <> excluded.artist_id";

const CUT_LINKS: &str = "
DELETE FROM track_artists WHERE (track_id, position) IN (
  SELECT links.track_id, links.position FROM json_each(?1) AS stated
  JOIN track_artists AS links ON links.track_id = stated.value->>0 WHERE links.position >= stated.value->>1)";

/// Statements that store these tracks as the API states them.
pub fn upsert(stated: &[&ApiTrack]) -> Vec<Statement> {
    let mut rows = Vec::new();
    let mut artists: BTreeMap<ArtistId, (&str, Option<&str>)> = BTreeMap::new();
    let (mut links, mut counts) = (Vec::new(), Vec::new());
    for track in stated {
        let facts = &track.facts;
        rows.push((
            facts.id,
            &facts.uri,
            facts.song,
            &facts.title,
            &facts.artist,
            &facts.album,
            &track.isrc,
            track.duration_ms,
        ));
        let mut credited = HashSet::new();
        for artist in &track.artists {
            let id = ArtistId::from_name(&artist.name);
            // Two artists of one name are one row here, and no play is credited to it twice.
            if !credited.insert(id) {
                continue;
            }
            links.push((facts.id, credited.len() - 1, id));
            let spotify_id = artist.spotify_id.as_deref();
            let known = artists.entry(id).or_insert((artist.name.as_str(), spotify_id));
            known.0 = known.0.min(&artist.name);
            known.1 = [known.1, spotify_id].into_iter().flatten().min();
        }
        if !credited.is_empty() {
            counts.push((facts.id, credited.len()));
        }
    }
    let artists: Vec<_> = artists.into_iter().map(|(id, (name, spotify_id))| (id, name, spotify_id)).collect();
    let mut statements = Vec::new();
    let mut add = |sql: &'static str, pieces: Vec<String>| {
        statements.extend(pieces.into_iter().map(|json| Statement::new(sql).bind(json)));
    };
    add(UPSERT_TRACKS, super::bulk(&rows));
    add(UPSERT_ARTISTS, super::bulk(&artists));
    add(REPLACE_LINKS, super::bulk(&links));
    add(CUT_LINKS, super::bulk(&counts));
    // What is left for these is which songs without a URI are one of these tracks.
    let facts: Vec<&TrackFacts> = stated.iter().map(|track| &track.facts).collect();
    statements.extend(tracks::upsert(&facts));
    statements
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::testing::TestApp;

    fn track(title: &str, artists: &[(&str, Option<&str>)]) -> ApiTrack {
        let first = artists.first().map(|(name, _)| *name);
        ApiTrack {
            facts: TrackFacts::new(Some("spotify:track:a"), Some(title), first, Some("Album")).unwrap(),
            isrc: Some("GBAYE0601498".to_owned()),
            duration_ms: Some(200_000),
            artists: artists
                .iter()
                .map(|(name, id)| ApiArtist { name: (*name).to_owned(), spotify_id: id.map(str::to_owned) })
                .collect(),
        }
    }

    fn write(app: &TestApp, track: &ApiTrack) -> u64 {
        let before = app.app.db.usage().rows_written;
        block_on(app.app.db.batch(upsert(&[track]))).unwrap();
        app.app.db.usage().rows_written - before
    }

    fn links(app: &TestApp) -> Vec<String> {
        app.rows(
            "SELECT position, name, spotify_id FROM track_artists JOIN artists ON artists.id = artist_id ORDER BY position",
        )
    }

    #[test]
    fn links_are_replaced_and_never_added_to() {
        let app = TestApp::new();
        write(&app, &track("Song", &[("Björk", Some("b")), ("Thom", Some("t")), ("björk", Some("c"))]));
        assert_eq!(links(&app).len(), 2, "one name is credited once");
        write(&app, &track("Song", &[("Thom", Some("t"))]));
        assert_eq!(links(&app).len(), 1);
        write(&app, &track("Song", &[]));
        assert_eq!(links(&app).len(), 1, "nothing stated, nothing changed");
    }

    #[test]
    fn a_repeat_writes_nothing() {
        let app = TestApp::new();
        let stated = track("Song", &[("Björk", Some("b"))]);
        assert_eq!(write(&app, &stated), 3);
        assert_eq!(write(&app, &stated), 0);
    }

    #[test]
    fn the_api_and_an_export_end_in_the_same_rows_in_either_order() {
        let exported = TrackFacts::new(Some("spotify:track:a"), Some("Song"), Some("Various Artists"), None).unwrap();
        let stated = track("Song", &[("Björk", Some("b")), ("Thom", None)]);
        let stored = |api_first: bool| {
            let app = TestApp::new();
            let mut batches = [upsert(&[&stated]), tracks::upsert(&[&exported])];
            if !api_first {
                batches.reverse();
            }
            for batch in batches {
                block_on(app.app.db.batch(batch)).unwrap();
            }
            (links(&app), app.rows("SELECT id, uri, title, artist_name, album_name, isrc, duration_ms FROM tracks"))
        };
        assert_eq!(stored(true), stored(false));
        assert_eq!(stored(true).0.len(), 2);
    }
}
