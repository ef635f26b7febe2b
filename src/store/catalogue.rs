//! Names, lengths and artists of tracks, loaded by id in large pieces.
//!
//! Must stay true: a track row without a URI whose song is known by URI stands for that one (`canonical_id`); a track
//! that has no row is known to be missing and is not asked for again.

use serde::Deserialize;

use super::{Db, Statement, StoreError};
use crate::domain::tally::IdMap;

/// What is shown and counted of a track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Track {
    pub uri: Option<String>,
    pub title: Option<String>,
    pub artist_name: Option<String>,
    pub album_name: Option<String>,
    pub duration_ms: Option<i64>,
}

/// Tracks and artists as they were in one generation of the database.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    generation: String,
    /// From a track's row to the row its plays are counted for.
    canonical: IdMap<i64>,
    tracks: IdMap<Track>,
    /// Artist ids of a canonical track, each once.
    credits: IdMap<Vec<i64>>,
    artists: IdMap<String>,
}

/// Ids in one statement: their rows come back as one text, which must stay below what D1 gives. With names as long as
/// they are it does; where it does not, fewer are asked for.
const IDS_AT_ONCE: usize = 1_500;
/// How many fewer.
const FEWER: usize = 8;

/// One array for each id: the row's own fields, and those of the row it stands for.
const TRACKS: &str = "
SELECT json_group_array(json_array(
  ids.value, json_array(t.uri, t.title, t.artist_name, t.album_name, t.duration_ms),
  c.id, json_array(c.uri, c.title, c.artist_name, c.album_name, c.duration_ms), {credits}))
FROM json_each(?1) ids
LEFT JOIN tracks t ON t.id = ids.value
LEFT JOIN tracks c ON c.id = CASE WHEN t.uri IS NULL THEN t.canonical_id END";

const CREDITS: &str = "
json((SELECT json_group_array(json_array(credit.artist_id, a.name))
      FROM track_artists credit JOIN artists a ON a.id = credit.artist_id
      WHERE credit.track_id = coalesce(c.id, ids.value)))";

type Text = Option<String>;

#[derive(Deserialize)]
struct Fields(Text, Text, Text, Text, Option<i64>);

#[derive(Deserialize)]
struct TrackRow(i64, Fields, Option<i64>, Fields, Option<Vec<(i64, String)>>);

impl From<Fields> for Track {
    fn from(fields: Fields) -> Self {
        let Fields(uri, title, artist_name, album_name, duration_ms) = fields;
        Self { uri, title, artist_name, album_name, duration_ms }
    }
}

impl Catalogue {
    pub fn new(generation: &str) -> Self {
        Self { generation: generation.to_owned(), ..Self::default() }
    }

    pub fn generation(&self) -> &str {
        &self.generation
    }

    /// How many tracks it knows.
    pub fn len(&self) -> usize {
        self.canonical.len()
    }

    /// Where plays of this track are counted.
    pub fn canonical(&self, track: i64) -> i64 {
        self.canonical.get(&track).copied().unwrap_or(track)
    }

    /// A track as it is shown.
    pub fn track(&self, canonical: i64) -> Option<&Track> {
        self.tracks.get(&canonical)
    }

    /// The length for a play that nobody measured: of this very row, else of the one it stands for.
    pub fn duration_ms(&self, track: i64) -> Option<i64> {
        let of = |id: i64| self.tracks.get(&id).and_then(|found| found.duration_ms).filter(|ms| *ms >= 0);
        of(track).or_else(|| of(self.canonical(track)))
    }

    /// The artists of a track, each once, in no order. A track may have none.
    pub fn credits(&self, canonical: i64) -> &[i64] {
        self.credits.get(&canonical).map_or(&[], Vec::as_slice)
    }

    pub fn artist(&self, artist: i64) -> Option<&str> {
        self.artists.get(&artist).map(String::as_str)
    }

    /// Whether everything that [`Self::load`] would bring is here.
    pub fn knows(&self, track: i64, with_credits: bool) -> bool {
        let canonical = self.canonical.get(&track);
        canonical.is_some_and(|canonical| !with_credits || self.credits.contains_key(canonical))
    }

    /// Loads tracks, and their artists if asked to, in one batch.
    pub async fn load(&mut self, db: &dyn Db, ids: &[i64], with_credits: bool) -> Result<(), StoreError> {
        let sql = TRACKS.replace("{credits}", if with_credits { CREDITS } else { "NULL" });
        let mut at_once = IDS_AT_ONCE;
        let results = loop {
            let statements = ids
                .chunks(at_once)
                .map(|ids| Statement::new(sql.clone()).bind(serde_json::Value::from(ids).to_string()))
                .collect();
            match db.batch(statements).await {
                Err(StoreError::TooBig(_)) if at_once > 1 => at_once = (at_once / FEWER).max(1),
                results => break results?,
            }
        };
        for rows in results {
            let document = rows.document()?;
            let rows: Vec<TrackRow> =
                serde_json::from_str(&document).map_err(|error| StoreError::Shape(error.to_string()))?;
            for row in rows {
                self.insert(row);
            }
        }
        Ok(())
    }

    fn insert(&mut self, row: TrackRow) {
        let TrackRow(id, own, target, of_target, credits) = row;
        let canonical = target.unwrap_or(id);
        self.tracks.insert(id, own.into());
        if canonical != id {
            self.tracks.insert(canonical, of_target.into());
        }
        self.canonical.insert(id, canonical);
        if let Some(credits) = credits {
            let mut ids: Vec<i64> = credits.iter().map(|(artist, _)| *artist).collect();
            ids.sort_unstable();
            ids.dedup();
            self.credits.insert(canonical, ids);
            self.artists.extend(credits);
        }
    }
}
