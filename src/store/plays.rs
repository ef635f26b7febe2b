//! Rows of `plays`: found by time, written and removed by key.
//!
//! Must stay true: a range of time is one stretch of the clustered table, read in order and without a sorter; bulk rows
//! are one statement; what a row holds is decided in [`row`].

mod digits;
mod row;

use serde::Deserialize;

use super::{Db, Rows, Statement, StoreError};
use crate::domain::{
    ids::{TrackId, UserId},
    instant::Millis,
    observation::Source,
};

use self::row::COLUMNS;
pub use self::row::{Identities, Identity, PlayKey, PlayRow, numbered};

/// Rows given per statement, so that the answer stays below the longest string D1 gives; where rows are so long that it
/// does not, so many times fewer.
const PAGE_ROWS: usize = 8_000;
const FEWER: usize = 8;

/// All rows of a user that ended within any of the ranges (both ends included); ranges do not overlap.
///
/// `version` is the user's `plays_version` as of the first page; a writer asserts it.
pub struct InRanges {
    pub version: i64,
    pub rows: Vec<PlayRow>,
    /// What `beside` gave, if it was asked.
    pub beside: Option<Rows>,
}

#[derive(Deserialize)]
struct Version {
    plays_version: i64,
}

/// Reads the plays within `ranges`; `None` when there is no such user. `beside` is asked in the batch of the first page.
pub async fn in_ranges(
    db: &dyn Db,
    user: UserId,
    ranges: &[(Millis, Millis)],
    mut beside: Option<Statement>,
) -> Result<Option<InRanges>, StoreError> {
    // The ranges are the outer loop, and the key's comparison is kept off the index: each range is then one stretch of
    // it, read in order. An ORDER BY would send every row through a sorter, which D1 bills once more.
    let ranges_used = where_plays_are("?2", "?7", "?8");
    let sql = format!(
        "SELECT json_group_array(json_array({COLUMNS})) AS rows FROM (SELECT p.* FROM {ranges_used} AS ranges \
         CROSS JOIN plays AS p ON p.user_id = ?1 \
           AND p.ended_at >= max(ranges.value->>0, ?3) AND p.ended_at <= ranges.value->>1 \
         WHERE (+p.ended_at, +p.track_id, +p.ordinal) > (?3, ?4, ?5) LIMIT CAST(?6 AS INTEGER))"
    );
    let (first, last) = hull(ranges);
    let ranges = as_json(ranges);
    let mut page_rows = PAGE_ROWS;
    let mut after = PlayKey { ended_at: -1, track: TrackId(0), ordinal: 0 };
    let mut found: Option<InRanges> = None;
    loop {
        let page = Statement::new(sql.clone())
            .bind(user)
            .bind(ranges.as_str())
            .bind(after.ended_at)
            .bind(after.track)
            .bind(after.ordinal)
            .bind(page_rows as u64)
            .bind(first)
            .bind(last);
        let version = Statement::new("SELECT plays_version FROM users WHERE id = ?1").bind(user);
        let statements = [Some(version), Some(page), beside.clone()];
        let mut results = match db.batch(statements.into_iter().flatten().collect()).await {
            Err(StoreError::TooBig(_)) if page_rows > 1 => {
                page_rows = (page_rows / FEWER).max(1);
                continue;
            }
            results => results?.into_iter(),
        };
        beside = None;
        let version = results.next().unwrap_or_default().first::<Version>()?;
        let rows = document(results.next())?;
        let Some(Version { plays_version: version }) = version else { return Ok(None) };
        let found = found.get_or_insert_with(|| InRanges { version, rows: Vec::new(), beside: results.next() });
        if !rows.is_sorted_by_key(PlayRow::key) {
            return Err(StoreError::Shape("plays came out of order".to_owned()));
        }
        let is_last = rows.len() < page_rows;
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

/// The instants within which all of the ranges lie.
fn hull(ranges: &[(Millis, Millis)]) -> (Millis, Millis) {
    let first = ranges.iter().map(|range| range.0).min();
    let last = ranges.iter().map(|range| range.1).max();
    (first.unwrap_or(Millis(0)), last.unwrap_or(Millis(0)))
}

/// The rows of `ranges`; none of them where the user `?1` has no play at all between `first` and `last`. An import that
/// fills an empty stretch of time, which is what most do, then looks for plays once instead of thousands of times.
fn where_plays_are(ranges: &str, first: &str, last: &str) -> String {
    format!(
        "json_each(CASE WHEN EXISTS (SELECT 1 FROM plays WHERE user_id = ?1 AND ended_at >= {first} AND ended_at <= {last}) \
         THEN {ranges} ELSE '[]' END)"
    )
}

/// Ranges as statements take them: `[[from, to], ...]`.
pub fn as_json(ranges: &[(Millis, Millis)]) -> String {
    let ranges: Vec<[i64; 2]> = ranges.iter().map(|(from, to)| [from.0, to.0]).collect();
    serde_json::to_string(&ranges).unwrap_or_default()
}

fn document(rows: Option<Rows>) -> Result<Vec<PlayRow>, StoreError> {
    let text = rows.unwrap_or_default().document()?;
    serde_json::from_str(&text).map_err(|error| StoreError::Shape(format!("plays: {error}")))
}

/// Whether anything but `source` has told of a play within the ranges, for the batch that reads plays. Read it with
/// [`has_of_others`].
pub fn select_of_others(user: UserId, source: Source, ranges: &[(Millis, Millis)]) -> Statement {
    let others = match source {
        Source::Extended => "p.account_offset_ms IS NOT NULL OR p.api_offset_ms IS NOT NULL",
        Source::Account => "p.extended_offset_ms IS NOT NULL OR p.api_offset_ms IS NOT NULL",
        Source::Api => "p.extended_offset_ms IS NOT NULL OR p.account_offset_ms IS NOT NULL",
    };
    let (first, last) = hull(ranges);
    let ranges_used = where_plays_are("?2", "?3", "?4");
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {ranges_used} AS ranges CROSS JOIN plays AS p ON p.user_id = ?1 \
         AND p.ended_at >= ranges.value->>0 AND p.ended_at <= ranges.value->>1 WHERE {others}) AS has_of_others"
    );
    Statement::new(sql).bind(user).bind(as_json(ranges)).bind(first).bind(last)
}

/// Reads the one row of the statement above.
pub fn has_of_others(rows: Rows) -> Result<bool, StoreError> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(deserialize_with = "super::rows::integer_bool")]
        has_of_others: bool,
    }
    let found: Option<Found> = rows.first()?;
    found.map(|found| found.has_of_others).ok_or_else(|| StoreError::Shape("no answer about other sources".to_owned()))
}

/// Removes rows.
pub fn delete<'a>(user: UserId, keys: impl IntoIterator<Item = &'a PlayKey>) -> Vec<Statement> {
    const DELETE: &str = "DELETE FROM plays WHERE user_id = ?1 AND (ended_at, track_id, ordinal) IN \
        (SELECT value->>0, value->>1, value->>2 FROM json_each(?2))";
    let keys = keys.into_iter().map(|key| (key.ended_at, key.track, key.ordinal));
    super::bulk(keys).into_iter().map(|json| Statement::new(DELETE).bind(user).bind(json)).collect()
}

/// Writes rows, over those with the same key.
///
/// Most plays of an import are known to the extended history alone, and travel as [`digits`].
pub fn upsert<'a>(user: UserId, rows: impl Iterator<Item = &'a PlayRow> + Clone) -> Vec<Statement> {
    let (mut statements, whole) = digits::upsert(user, rows);
    let pieces = super::bulk(whole).into_iter();
    statements.extend(pieces.map(|json| Statement::new(upsert_whole_sql()).bind(user).bind(json)));
    statements
}

/// Fills every column out of a JSON array.
fn upsert_whole_sql() -> String {
    let values: Vec<String> = (0..COLUMNS.split(',').count()).map(|column| format!("value->>{column}")).collect();
    // Without limit and offset, the array would be written out as text again for each of its columns.
    let source = "(SELECT value FROM json_each(?2) LIMIT -1 OFFSET 0)";
    upsert_sql(COLUMNS, &values.join(", "), source)
}

/// Fills `columns` out of `source`; the others are NULL, on a row that was there before as well.
fn upsert_sql(columns: &str, values: &str, source: &str) -> String {
    let names = COLUMNS.split(',').map(str::trim);
    let updates: Vec<String> = names.skip(3).map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "INSERT INTO plays (user_id, {columns}) SELECT CAST(?1 AS INTEGER), {values} FROM {source} WHERE true \
         ON CONFLICT (user_id, ended_at, track_id, ordinal) DO UPDATE SET {}",
        updates.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::{row::tests::play, *};
    use crate::testing::TestApp;

    #[test]
    fn a_row_is_overwritten_whole_whichever_sources_it_had() {
        let app = TestApp::new();
        app.post("/admin/users", &serde_json::json!({"display_name": "Ada"}));
        let db: &dyn Db = &*app.app.db;
        let mut extended_only = play();
        (extended_only.account, extended_only.api) = (None, None);
        let mut with_account = extended_only.clone();
        with_account.account = play().account;
        for play in [&extended_only, &with_account, &extended_only] {
            let row = PlayRow::of(play, 0);
            block_on(db.batch(upsert(UserId(1), std::iter::once(&row)))).unwrap();
            let found = block_on(in_ranges(db, UserId(1), &[(Millis(0), Millis(1 << 50))], None)).unwrap().unwrap();
            assert_eq!(found.rows, [row]);
        }
    }

    #[test]
    fn rows_of_long_words_are_found_in_smaller_pages() {
        let app = TestApp::new();
        app.post("/admin/users", &serde_json::json!({"display_name": "Ada"}));
        let rows: Vec<PlayRow> = (0..9_000_i64)
            .map(|number| {
                let mut row = PlayRow::of(&play(), number);
                row.17 = Some("spotify:playlist:".to_owned() + &"x".repeat(500));
                row
            })
            .collect();
        let db: &dyn Db = &*app.app.db;
        block_on(db.batch(upsert(UserId(1), rows.iter()))).unwrap();
        let found = block_on(in_ranges(db, UserId(1), &[(Millis(0), Millis(1 << 50))], None)).unwrap().unwrap();
        assert_eq!(found.rows, rows);
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
        block_on(db.batch(upsert(UserId(1), rows.iter()))).unwrap();
        let ranges = [(Millis(0), Millis(9_999_000)), (Millis(15_000_000), Millis(15_001_000))];
        let found = block_on(in_ranges(db, UserId(1), &ranges, None)).unwrap().unwrap();
        assert_eq!(found.rows.len(), 10_002);
        assert_eq!(found.rows[..10_000], rows[..10_000]);
        let keys: Vec<PlayKey> = rows.iter().skip(2).map(PlayRow::key).collect();
        block_on(db.batch(delete(UserId(1), &keys))).unwrap();
        let left = block_on(in_ranges(db, UserId(1), &[(Millis(0), Millis(1 << 50))], None)).unwrap().unwrap();
        assert_eq!(left.rows, rows[..2]);
        assert!(block_on(in_ranges(db, UserId(2), &ranges, None)).unwrap().is_none());
    }
}
