//! What a slice of rows adds to the figures of its file and job.
//!
//! Must stay true: counters and cursor move in one statement, so that the table's own CHECK (every row read went one way)
//! holds after each; `reasons` adds up to `skipped` and `rejected`.

use std::collections::BTreeMap;

use super::FileStatus;
use crate::{
    domain::{
        ids::{ImportFileId, ImportJobId},
        instant::{DAY_MS, Millis},
        matching::EndDistances,
    },
    store::{Db, Statement, StoreError, import_jobs::lease::LEASE_MS},
};

/// What one slice of a file adds to its counters, and where the cursor stands after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub rows_read: u64,
    pub bytes_read: u64,
    pub inserted: u64,
    pub merged: u64,
    pub duplicate: u64,
    pub skipped: u64,
    pub rejected: u64,
    pub reasons: BTreeMap<&'static str, u64>,
    pub earliest_played_at: Option<Millis>,
    pub latest_played_at: Option<Millis>,
    pub end_distances: EndDistances,
}

/// A column of JSON counts with those of a parameter added to it.
fn summed(column: &str, parameter: &str) -> String {
    format!(
        "(SELECT json_group_object(key, amount) FROM (SELECT key, sum(value) AS amount FROM \
           (SELECT key, value FROM json_each({column}) UNION ALL SELECT key, value FROM json_each({parameter})) \
         GROUP BY key))"
    )
}

impl Progress {
    /// Statements that move a file's cursor and counters, and keep the lease alive where there is one. `rows_written`
    /// is what was written since this was last told.
    pub fn statements(
        &self,
        job: ImportJobId,
        file: ImportFileId,
        format: Option<&'static str>,
        rows_written: u64,
        now: Millis,
    ) -> Vec<Statement> {
        vec![self.of_file(file, format), self.of_job(job, rows_written, now)]
    }

    fn of_file(&self, file: ImportFileId, format: Option<&'static str>) -> Statement {
        let sql = format!(
            "UPDATE import_files SET status = 'running', format = coalesce(?2, format), \
            rows_read = ?3, bytes_read = ?4, inserted = inserted + CAST(?5 AS INTEGER), \
            merged = merged + CAST(?6 AS INTEGER), duplicate = duplicate + CAST(?7 AS INTEGER), \
            skipped = skipped + CAST(?8 AS INTEGER), rejected = rejected + CAST(?9 AS INTEGER), \
            reasons = {} WHERE id = ?1",
            summed("import_files.reasons", "?10")
        );
        Statement::new(sql)
            .bind(file)
            .bind(format)
            .bind(self.rows_read)
            .bind(self.bytes_read)
            .bind(self.inserted)
            .bind(self.merged)
            .bind(self.duplicate)
            .bind(self.skipped)
            .bind(self.rejected)
            .bind(json_of(&self.reasons))
    }

    fn of_job(&self, job: ImportJobId, rows_written: u64, now: Millis) -> Statement {
        let distances = if self.end_distances.is_empty() {
            "end_distances".to_owned()
        } else {
            summed("import_jobs.end_distances", "?7")
        };
        let sql = format!(
            "UPDATE import_jobs SET lease_until = CASE WHEN lease_token IS NULL THEN lease_until ELSE ?2 END, \
            updated_at = ?3, attempts = 0, rows_written = rows_written + CAST(?4 AS INTEGER), \
            earliest_played_at = min(coalesce(earliest_played_at, ?5), coalesce(?5, earliest_played_at)), \
            latest_played_at = max(coalesce(latest_played_at, ?6), coalesce(?6, latest_played_at)), \
            end_distances = {distances}, \
            written_on_day = CAST(?4 AS INTEGER) + CASE WHEN written_on = ?8 THEN written_on_day ELSE 0 END, \
            written_on = ?8 WHERE id = ?1"
        );
        Statement::new(sql)
            .bind(job)
            .bind(now.plus_ms(LEASE_MS))
            .bind(now)
            .bind(rows_written)
            .bind(self.earliest_played_at)
            .bind(self.latest_played_at)
            .bind(json_of(&self.end_distances))
            .bind(now.0.div_euclid(DAY_MS))
    }
}

/// Tells a job of rows that were written since a slice last told of them. `told` is what it was told of before, so that a
/// repeat changes nothing.
pub fn tell_written(job: ImportJobId, told: u64, rows_written: u64, now: Millis) -> Statement {
    const TELL: &str = "UPDATE import_jobs SET rows_written = rows_written + CAST(?3 AS INTEGER), \
        written_on_day = CAST(?3 AS INTEGER) + CASE WHEN written_on = ?4 THEN written_on_day ELSE 0 END, \
        written_on = ?4 WHERE id = ?1 AND rows_written = ?2";
    Statement::new(TELL).bind(job).bind(told).bind(rows_written).bind(now.0.div_euclid(DAY_MS))
}

fn json_of(counts: &impl serde::Serialize) -> String {
    serde_json::to_string(counts).unwrap_or_else(|_| "{}".to_owned())
}

/// Rows written for imports so far on the UTC day of `now`, as far as slices have told it.
pub async fn written_on(db: &dyn Db, now: Millis) -> Result<u64, StoreError> {
    #[derive(serde::Deserialize)]
    struct Written {
        rows: u64,
    }
    const SUM: &str = "SELECT coalesce(sum(written_on_day), 0) AS rows FROM import_jobs WHERE written_on = ?1";
    let written: Option<Written> = db.first(Statement::new(SUM).bind(now.0.div_euclid(DAY_MS))).await?;
    Ok(written.map_or(0, |written| written.rows))
}

/// A file is read to its end, or as far as it can be.
pub fn settle_file(
    file: ImportFileId,
    format: Option<&'static str>,
    status: FileStatus,
    note: Option<&str>,
) -> Statement {
    const SETTLE: &str = "UPDATE import_files SET status = ?2, note = ?3, format = coalesce(?4, format) WHERE id = ?1";
    Statement::new(SETTLE).bind(file).bind(status.as_str()).bind(note).bind(format)
}
