//! Tracks, artists, and which artist is on which track.
//!
//! Must stay true: rows are written without looking first, since their ids follow from what they are; a known fact is
//! never overwritten by a missing one; a track without a URI points to the track with a URI that is the same song.

use std::collections::HashMap;

use serde_json::json;

use super::{Db, Rows, Statement, StoreError, plays::Identity};
use crate::domain::{
    ids::{SongId, TrackId, UserId},
    track::TrackFacts,
};

const UPSERT_TRACKS: &str = "
INSERT INTO tracks (id, uri, song_id, title, artist_name, album_name)
SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5
FROM (SELECT value FROM json_each(?1) LIMIT -1 OFFSET 0) WHERE true
ON CONFLICT (id) DO UPDATE SET
  song_id = coalesce(tracks.song_id, excluded.song_id),
  title = coalesce(tracks.title, excluded.title),
  artist_name = coalesce(tracks.artist_name, excluded.artist_name),
  album_name = coalesce(tracks.album_name, excluded.album_name)
WHERE (tracks.song_id IS NULL AND excluded.song_id IS NOT NULL)
   OR (tracks.title IS NULL AND excluded.title IS NOT NULL)
   OR (tracks.artist_name IS NULL AND excluded.artist_name IS NOT NULL)
   OR (tracks.album_name IS NULL AND excluded.album_name IS NOT NULL)";

/// Of two spellings of one artist the smaller is kept, so that the order of arrival does not show.
const UPSERT_ARTISTS: &str = "
INSERT INTO artists (id, name) SELECT value->>0, value->>1 FROM json_each(?1) WHERE true
ON CONFLICT (id) DO UPDATE SET name = excluded.name WHERE excluded.name < artists.name";

const INSERT_LINKS: &str = "
INSERT INTO track_artists (track_id, position, artist_id)
SELECT value->>0, 0, value->>1 FROM json_each(?1) WHERE true
ON CONFLICT (track_id, position) DO NOTHING";

/// New tracks with a URI: rows of the same song without one now point to the smallest id among them.
const POINT_TO_NEW: &str = "
UPDATE tracks SET canonical_id = found.id
FROM (SELECT value->>0 AS song_id, min(value->>1) AS id FROM json_each(?1) GROUP BY 1) AS found
WHERE tracks.id = found.song_id AND tracks.uri IS NULL
  AND (tracks.canonical_id IS NULL OR tracks.canonical_id > found.id)";

/// New tracks without a URI: one pass over all tracks finds those of the same songs.
const POINT_FROM_NEW: &str = "
UPDATE tracks SET canonical_id = found.id
FROM (SELECT song_id, min(id) AS id FROM tracks
      WHERE uri IS NOT NULL AND song_id IN (SELECT value FROM json_each(?1)) GROUP BY song_id) AS found
WHERE tracks.id = found.song_id AND tracks.uri IS NULL
  AND (tracks.canonical_id IS NULL OR tracks.canonical_id > found.id)";

/// Statements that make sure of these tracks, their artists and links. A repeat writes nothing.
pub fn upsert(tracks: &[&TrackFacts]) -> Vec<Statement> {
    let rows: Vec<_> = tracks
        .iter()
        .map(|track| (track.id, &track.uri, track.song, &track.title, &track.artist, &track.album))
        .collect();
    let mut artists = HashMap::new();
    let mut links = Vec::new();
    for track in tracks {
        if let (Some(id), Some(name)) = (track.artist_id(), track.artist.as_deref()) {
            let known = artists.entry(id).or_insert(name);
            *known = name.min(known);
            links.push((track.id, id));
        }
    }
    let mut artists: Vec<_> = artists.into_iter().collect();
    artists.sort_unstable();
    let with_uri: Vec<_> =
        tracks.iter().filter(|track| track.uri.is_some()).filter_map(|track| Some((track.song?, track.id))).collect();
    let without_uri: Vec<_> =
        tracks.iter().filter(|track| track.uri.is_none()).filter_map(|track| track.song).collect();
    let mut statements = Vec::new();
    let mut add = |sql: &'static str, pieces: Vec<String>| {
        statements.extend(pieces.into_iter().map(|json| Statement::new(sql).bind(json)));
    };
    add(UPSERT_TRACKS, super::bulk(&rows));
    add(UPSERT_ARTISTS, super::bulk(&artists));
    add(INSERT_LINKS, super::bulk(&links));
    add(POINT_TO_NEW, super::bulk(&with_uri));
    add(POINT_FROM_NEW, super::bulk(&without_uri));
    statements
}

/// Id, song, ISRC and length of a track.
type IdentityRow = (TrackId, Option<SongId>, Option<String>, Option<i64>);

/// What is known of some tracks, for comparing sources.
pub async fn identities(db: &dyn Db, tracks: &[TrackId]) -> Result<HashMap<TrackId, Identity>, StoreError> {
    const SELECT: &str = "SELECT json_group_array(json_array(id, song_id, isrc, duration_ms)) FROM tracks \
        WHERE id IN (SELECT value FROM json_each(?1))";
    let mut identities = HashMap::with_capacity(tracks.len());
    // 8,000 rows are far below the longest string, whatever is in them.
    for some in tracks.chunks(8_000) {
        let rows = db.run(Statement::new(SELECT).bind(json!(some).to_string())).await?;
        identities.extend(read_identities(rows)?);
    }
    Ok(identities)
}

/// The same for the batch that reads the plays within `ranges` (see [`super::plays::as_json`]): of these tracks and of
/// those plays'. It reads the plays once more, so it is for short stretches. Read it with [`read_identities`].
pub fn select_identities_near(user: UserId, ranges: &str, tracks: &[TrackId]) -> Statement {
    const SELECT: &str = "SELECT json_group_array(json_array(id, song_id, isrc, duration_ms)) FROM tracks \
        WHERE id IN (SELECT value FROM json_each(?3) UNION \
          SELECT named.value FROM json_each(?2) AS ranges CROSS JOIN plays AS p ON p.user_id = ?1 \
            AND p.ended_at >= ranges.value->>0 AND p.ended_at <= ranges.value->>1 \
          CROSS JOIN json_each(json_array(p.track_id, p.account_track_id, p.api_track_id)) AS named)";
    Statement::new(SELECT).bind(user).bind(ranges).bind(json!(tracks).to_string())
}

/// Reads the one row of a statement above.
pub fn read_identities(rows: Rows) -> Result<HashMap<TrackId, Identity>, StoreError> {
    let text = rows.document()?;
    let rows: Vec<IdentityRow> =
        serde_json::from_str(&text).map_err(|error| StoreError::Shape(format!("tracks: {error}")))?;
    let identity = |(id, song, isrc, duration_ms)| (id, Identity { song, isrc, duration_ms });
    Ok(rows.into_iter().map(identity).collect())
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::testing::TestApp;

    fn facts(uri: Option<&str>, title: &str, artist: &str) -> TrackFacts {
        TrackFacts::new(uri, Some(title), Some(artist), None).unwrap()
    }

    fn write(app: &TestApp, tracks: &[TrackFacts]) -> u64 {
        let before = app.app.db.usage().rows_written;
        block_on(app.app.db.batch(upsert(&tracks.iter().collect::<Vec<_>>()))).unwrap();
        app.app.db.usage().rows_written - before
    }

    fn canonical(app: &TestApp, id: TrackId) -> Option<i64> {
        app.db
            .with(|db| db.query_row("SELECT canonical_id FROM tracks WHERE id = ?1", [id.0], |row| row.get(0)).unwrap())
    }

    #[test]
    fn a_named_track_points_to_the_track_with_a_uri_in_either_order() {
        let named = facts(None, "Song", "Artist");
        let with_uri = facts(Some("spotify:track:a"), "song", "ARTIST");
        for order in [[named.clone(), with_uri.clone()], [with_uri.clone(), named.clone()]] {
            let app = TestApp::new();
            for track in order {
                write(&app, &[track]);
            }
            assert_eq!(canonical(&app, named.id), Some(with_uri.id.0));
            assert_eq!(canonical(&app, with_uri.id), None);
        }
    }

    #[test]
    fn a_repeat_writes_nothing_and_a_missing_name_is_filled() {
        let app = TestApp::new();
        let nameless = TrackFacts::new(Some("spotify:track:a"), None, None, None).unwrap();
        assert_eq!(write(&app, std::slice::from_ref(&nameless)), 1);
        assert_eq!(write(&app, &[facts(Some("spotify:track:a"), "Song", "Artist")]), 3);
        assert_eq!(write(&app, &[facts(Some("spotify:track:a"), "Song", "Artist"), nameless]), 0);
    }

    #[test]
    fn an_artist_is_one_row_however_spelt() {
        let app = TestApp::new();
        write(&app, &[facts(Some("spotify:track:a"), "One", "Tool"), facts(Some("spotify:track:b"), "Two", "TOOL")]);
        let names: Vec<String> = app.db.with(|db| {
            let mut statement = db.prepare("SELECT name FROM artists").unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        });
        assert_eq!(names, ["TOOL"]);
    }
}
