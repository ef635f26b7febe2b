//! Rows of `plays`: each is one play with its observations side by side.
//!
//! Must stay true: decoding gives back exactly the observations that were encoded, but for what belongs to the track
//! (song, ISRC, length) and for the number that tells equal account rows apart; equal plays have equal rows.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Db, Rows, Statement, StoreError};
use crate::domain::{
    ids::{ImportFileId, SongId, TrackId, UserId},
    instant::Millis,
    observation::{Details, Kind, Observation, Reason, Source, StoredReason},
    play::Play,
};

/// The key of a play's row, beside the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PlayKey {
    pub ended_at: i64,
    pub track: TrackId,
    /// Counts plays of one track that ended in the same instant, from 0.
    pub ordinal: i64,
}

/// A row of `plays`, in the order of [`COLUMNS`]. Instants of sources are distances from `ended_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayRow(
    i64,                  // 0 ended_at
    TrackId,              // 1 track_id
    i64,                  // 2 ordinal
    i64,                  // 3 kind
    Option<i64>,          // 4 ms_played
    Option<i64>,          // 5 extended_offset_ms
    Option<i64>,          // 6 extended_elapsed_ms
    Option<StoredReason>, // 7 reason_start
    Option<StoredReason>, // 8 reason_end
    i64,                  // 9 flags
    Option<ImportFileId>, // 10 extended_file_id
    Option<i64>,          // 11 account_offset_ms
    Option<i64>,          // 12 account_ms_played
    Option<TrackId>,      // 13 account_track_id
    Option<ImportFileId>, // 14 account_file_id
    Option<i64>,          // 15 api_offset_ms
    Option<TrackId>,      // 16 api_track_id
    Option<String>,       // 17 context_uri
);

const COLUMNS: &str = "ended_at, track_id, ordinal, kind, ms_played, extended_offset_ms, extended_elapsed_ms, \
     reason_start, reason_end, flags, extended_file_id, account_offset_ms, account_ms_played, account_track_id, \
     account_file_id, api_offset_ms, api_track_id, context_uri";

/// Bits of `flags`. Stored: append only.
mod flag {
    pub const SHUFFLE: i64 = 1;
    pub const OFFLINE: i64 = 2;
    pub const INCOGNITO: i64 = 4;
    pub const SKIPPED: i64 = 8;
    pub const SKIPPED_IS_KNOWN: i64 = 16;
    /// The extended row has no length of its own: `ms_played` is the account row's.
    pub const EXTENDED_LENGTH_UNKNOWN: i64 = 32;
    /// The extended row gave a URI and no names; that its track has names from elsewhere must not change its matching.
    pub const EXTENDED_WITHOUT_NAMES: i64 = 64;
}

impl PlayRow {
    pub const fn key(&self) -> PlayKey {
        PlayKey { ended_at: self.0, track: self.1, ordinal: self.2 }
    }

    pub fn of(play: &Play, ordinal: i64) -> Self {
        let ended_at = play.ended_at();
        let track = play.track();
        let (extended, account, api) = (play.extended.as_ref(), play.account.as_ref(), play.api.as_ref());
        let offset_ms = |observation: Option<&Observation>| Some(observation?.ended_at.since_ms(ended_at));
        let other_track =
            |observation: Option<&Observation>| observation.map(|seen| seen.track).filter(|seen| *seen != track);
        let details = extended.map(|seen| &seen.details);
        let reason = |of: fn(&Details) -> &Option<Reason>| Some(of(details?).as_ref()?.to_stored());
        Self(
            ended_at.0,
            track,
            ordinal,
            play.kind().code(),
            play.ms_played(),
            offset_ms(extended),
            extended.and_then(|seen| Some(seen.ended_at.since_ms(seen.started_at?))),
            reason(|details| &details.reason_start),
            reason(|details| &details.reason_end),
            flags(extended),
            extended.and_then(|seen| seen.file),
            offset_ms(account),
            account.and_then(|seen| seen.ms_played),
            other_track(account),
            account.and_then(|seen| seen.file),
            offset_ms(api),
            other_track(api),
            api.and_then(|seen| seen.details.context_uri.clone()),
        )
    }

    /// The play of this row. `identities` knows the tracks where sources have to be compared; it may be empty.
    pub fn into_play(self, identities: &Identities) -> Play {
        let ended_at = Millis(self.0);
        let kind = Kind::from_code(self.3).unwrap_or(Kind::Music);
        let observe = |source, offset_ms: i64, track: TrackId, ms_played: Option<i64>, file| {
            let identity = identities.of(track);
            Observation {
                source,
                ended_at: ended_at.plus_ms(offset_ms),
                track,
                song: identity.song.or((source == Source::Account).then_some(SongId(track.0))),
                kind,
                ms_played,
                started_at: None,
                ordinal: 0,
                isrc: identity.isrc.clone(),
                duration_ms: identity.duration_ms,
                details: Details::default(),
                file,
            }
        };
        let extended = self.5.map(|offset_ms| {
            let known = self.9 & flag::EXTENDED_LENGTH_UNKNOWN == 0;
            let mut seen = observe(Source::Extended, offset_ms, self.1, self.4.filter(|_| known), self.10);
            seen.started_at = self.6.map(|elapsed_ms| seen.ended_at.minus_ms(elapsed_ms));
            seen.details = details(self.9, self.7.as_ref(), self.8.as_ref());
            seen.song = seen.song.filter(|_| !seen.details.without_names);
            seen
        });
        let account =
            self.11.map(|offset_ms| observe(Source::Account, offset_ms, self.13.unwrap_or(self.1), self.12, self.14));
        let api = self.15.map(|offset_ms| {
            let mut seen = observe(Source::Api, offset_ms, self.16.unwrap_or(self.1), None, None);
            seen.details.context_uri = self.17;
            seen
        });
        Play { extended, account, api }
    }

    /// Which sources this row holds.
    pub const fn sources(&self) -> (bool, bool, bool) {
        (self.5.is_some(), self.11.is_some(), self.15.is_some())
    }

    /// The tracks its observations name.
    pub fn tracks(&self) -> impl Iterator<Item = TrackId> {
        [Some(self.1), self.13, self.16].into_iter().flatten()
    }
}

fn flags(extended: Option<&Observation>) -> i64 {
    let Some(seen) = extended else { return 0 };
    let details = &seen.details;
    let bit = |is_set: bool, bit: i64| if is_set { bit } else { 0 };
    bit(details.shuffle, flag::SHUFFLE)
        | bit(details.offline, flag::OFFLINE)
        | bit(details.incognito, flag::INCOGNITO)
        | bit(details.skipped == Some(true), flag::SKIPPED)
        | bit(details.skipped.is_some(), flag::SKIPPED_IS_KNOWN)
        | bit(seen.ms_played.is_none(), flag::EXTENDED_LENGTH_UNKNOWN)
        | bit(details.without_names, flag::EXTENDED_WITHOUT_NAMES)
}

fn details(flags: i64, reason_start: Option<&StoredReason>, reason_end: Option<&StoredReason>) -> Details {
    let is_set = |bit: i64| flags & bit != 0;
    Details {
        reason_start: reason_start.and_then(Reason::from_stored),
        reason_end: reason_end.and_then(Reason::from_stored),
        shuffle: is_set(flag::SHUFFLE),
        offline: is_set(flag::OFFLINE),
        incognito: is_set(flag::INCOGNITO),
        skipped: is_set(flag::SKIPPED_IS_KNOWN).then_some(is_set(flag::SKIPPED)),
        without_names: is_set(flag::EXTENDED_WITHOUT_NAMES),
        context_uri: None,
    }
}

/// What is known of tracks where sources have to be compared.
#[derive(Debug, Default)]
pub struct Identities {
    tracks: HashMap<TrackId, Identity>,
    unknown: Identity,
}

#[derive(Clone, Debug, Default)]
pub struct Identity {
    pub song: Option<SongId>,
    pub isrc: Option<String>,
    pub duration_ms: Option<i64>,
}

impl Identities {
    pub fn new(tracks: HashMap<TrackId, Identity>) -> Self {
        Self { tracks, unknown: Identity::default() }
    }

    fn of(&self, track: TrackId) -> &Identity {
        self.tracks.get(&track).unwrap_or(&self.unknown)
    }
}

/// Rows of the plays, numbered where several of one track ended in the same instant. The order of `plays` decides.
pub fn numbered(plays: &[Play]) -> Vec<PlayRow> {
    let mut counts: HashMap<(Millis, TrackId), i64> = HashMap::with_capacity(plays.len());
    let rows = plays.iter().map(|play| {
        let count = counts.entry((play.ended_at(), play.track())).or_default();
        let row = PlayRow::of(play, *count);
        *count += 1;
        row
    });
    rows.collect()
}

/// Rows given per statement, so that the answer stays below the longest string D1 gives.
const PAGE_ROWS: usize = 8_000;

/// All rows of a user that ended within any of the ranges (both ends included); ranges do not overlap.
///
/// `version` is the user's `plays_version` as of the first page; a writer asserts it.
pub struct InRanges {
    pub version: i64,
    pub rows: Vec<PlayRow>,
}

#[derive(Deserialize)]
struct Version {
    plays_version: i64,
}

/// Reads the plays within `ranges`; `None` when there is no such user.
pub async fn in_ranges(db: &dyn Db, user: UserId, ranges: &[(Millis, Millis)]) -> Result<Option<InRanges>, StoreError> {
    // Range by range, each from its own begin: CROSS JOIN keeps the plays from leading, which would read all of them, and
    // `+` keeps the page's key from being where every range begins. Ranges ascend, so rows come in the order of the key.
    let sql = format!(
        "SELECT json_group_array(json_array({COLUMNS})) AS rows FROM (SELECT p.* FROM json_each(?2) AS ranges \
         CROSS JOIN plays AS p ON p.user_id = ?1 AND p.ended_at >= max(ranges.value->>0, ?3) AND p.ended_at <= ranges.value->>1 \
         WHERE (+p.ended_at, p.track_id, p.ordinal) > (?3, ?4, ?5) LIMIT {PAGE_ROWS})"
    );
    let ranges: Vec<[i64; 2]> = ranges.iter().map(|(from, to)| [from.0, to.0]).collect();
    let ranges = serde_json::to_string(&ranges).unwrap_or_default();
    let mut after = PlayKey { ended_at: -1, track: TrackId(0), ordinal: 0 };
    let mut found: Option<InRanges> = None;
    loop {
        let page = Statement::new(sql.clone())
            .bind(user)
            .bind(ranges.as_str())
            .bind(after.ended_at)
            .bind(after.track)
            .bind(after.ordinal);
        let version = Statement::new("SELECT plays_version FROM users WHERE id = ?1").bind(user);
        let mut results = db.batch(vec![version, page]).await?;
        let rows = document(results.pop())?;
        let Some(version) = results.pop().unwrap_or_default().first::<Version>()? else { return Ok(None) };
        let found = found.get_or_insert_with(|| InRanges { version: version.plays_version, rows: Vec::new() });
        let is_last = rows.len() < PAGE_ROWS;
        if let Some(last) = rows.last() {
            after = last.key();
        }
        found.rows.extend(rows);
        if is_last {
            break;
        }
    }
    Ok(found)
}

fn document(rows: Option<Rows>) -> Result<Vec<PlayRow>, StoreError> {
    let text = rows.unwrap_or_default().document()?;
    serde_json::from_str(&text).map_err(|error| StoreError::Shape(format!("plays: {error}")))
}

/// Removes rows.
pub fn delete(user: UserId, keys: &[PlayKey]) -> Vec<Statement> {
    const DELETE: &str = "DELETE FROM plays WHERE user_id = ?1 AND (ended_at, track_id, ordinal) IN \
        (SELECT value->>0, value->>1, value->>2 FROM json_each(?2))";
    let keys: Vec<_> = keys.iter().map(|key| (key.ended_at, key.track, key.ordinal)).collect();
    super::bulk(&keys).into_iter().map(|json| Statement::new(DELETE).bind(user).bind(json)).collect()
}

/// Writes rows, over those with the same key.
pub fn upsert(user: UserId, rows: &[PlayRow]) -> Vec<Statement> {
    let values: Vec<String> = (0..18).map(|column| format!("value->>{column}")).collect();
    let updates: Vec<String> = COLUMNS
        .split(", ")
        .skip(3)
        .map(|column| {
            let column = column.trim();
            format!("{column} = excluded.{column}")
        })
        .collect();
    let sql = format!(
        "INSERT INTO plays (user_id, {COLUMNS}) SELECT CAST(?1 AS INTEGER), {} FROM json_each(?2) WHERE true \
         ON CONFLICT (user_id, ended_at, track_id, ordinal) DO UPDATE SET {}",
        values.join(", "),
        updates.join(", ")
    );
    super::bulk(rows).into_iter().map(|json| Statement::new(sql.clone()).bind(user).bind(json)).collect()
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;
    use crate::testing::TestApp;

    fn play() -> Play {
        let mut play = Play::of(Observation {
            source: Source::Extended,
            ended_at: Millis(1_561_975_200_000),
            track: TrackId(5),
            song: None,
            kind: Kind::Music,
            ms_played: Some(200_000),
            started_at: Some(Millis(1_561_974_900_000)),
            ordinal: 0,
            isrc: None,
            duration_ms: None,
            details: Details {
                reason_start: Reason::new("clickrow"),
                reason_end: Reason::new("a-new-word"),
                shuffle: true,
                offline: false,
                incognito: true,
                skipped: Some(false),
                without_names: false,
                context_uri: None,
            },
            file: Some(ImportFileId(3)),
        });
        let extended = play.extended.clone().unwrap();
        play.api = Some(Observation {
            source: Source::Api,
            ended_at: extended.ended_at.plus_ms(381),
            track: TrackId(6),
            ms_played: None,
            started_at: None,
            details: Details { context_uri: Some("spotify:album:x".to_owned()), ..Details::default() },
            file: None,
            ..extended.clone()
        });
        play.account = Some(Observation {
            source: Source::Account,
            ended_at: Millis(1_561_975_200_000),
            track: TrackId(7),
            song: Some(SongId(7)),
            started_at: None,
            details: Details::default(),
            file: Some(ImportFileId(4)),
            ..extended
        });
        play
    }

    #[test]
    fn a_row_gives_back_every_observation() {
        let play = play();
        assert_eq!(PlayRow::of(&play, 0).into_play(&Identities::default()), play);
        for source in [Source::Extended, Source::Account, Source::Api] {
            let mut part = play.clone();
            *part.slot(source) = None;
            assert_eq!(PlayRow::of(&part, 0).into_play(&Identities::default()), part);
            let alone = Play::of(play.clone().slot(source).take().unwrap());
            assert_eq!(PlayRow::of(&alone, 0).into_play(&Identities::default()), alone);
        }
    }

    #[test]
    fn an_extended_row_without_a_length_keeps_being_without_one() {
        let mut play = play();
        play.extended.as_mut().unwrap().ms_played = None;
        let row = PlayRow::of(&play, 0);
        assert_eq!(row.4, Some(200_000));
        assert_eq!(row.into_play(&Identities::default()), play);
    }

    #[test]
    fn rows_are_written_found_in_ranges_and_deleted() {
        let app = TestApp::new();
        app.post("/admin/users", &serde_json::json!({"display_name": "Ada"}));
        let rows: Vec<PlayRow> = (0..20_000_i64)
            .map(|at| {
                PlayRow(
                    at * 1_000,
                    TrackId(9),
                    0,
                    0,
                    Some(at),
                    Some(0),
                    None,
                    None,
                    None,
                    0,
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                    None,
                )
            })
            .collect();
        let db: &dyn Db = &*app.app.db;
        block_on(db.batch(upsert(UserId(1), &rows))).unwrap();
        let ranges = [(Millis(0), Millis(9_999_000)), (Millis(15_000_000), Millis(15_001_000))];
        let found = block_on(in_ranges(db, UserId(1), &ranges)).unwrap().unwrap();
        assert_eq!(found.rows.len(), 10_002);
        assert_eq!(found.rows[..10_000], rows[..10_000]);
        let keys: Vec<PlayKey> = rows.iter().skip(2).map(PlayRow::key).collect();
        block_on(db.batch(delete(UserId(1), &keys))).unwrap();
        let left = block_on(in_ranges(db, UserId(1), &[(Millis(0), Millis(i64::MAX / 1_000))])).unwrap().unwrap();
        assert_eq!(left.rows, rows[..2]);
        assert!(block_on(in_ranges(db, UserId(2), &ranges)).unwrap().is_none());
    }
}
