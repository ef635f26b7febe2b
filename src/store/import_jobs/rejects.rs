//! Refused rows, to be looked at.
//!
//! Must stay true: an excerpt is never more than [`crate::export`] makes of a row, so no personal value is in one; the
//! first thousand of each file are kept, and the file's counter goes on.

use serde::{Deserialize, Serialize};

use crate::{
    domain::ids::{ImportFileId, ImportJobId},
    store::{Db, Statement, StoreError, bulk, rows::Total},
};

/// A refused row on its way into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReject {
    /// Number of the row in its file, from 0.
    pub row_index: u64,
    pub reason: &'static str,
    pub excerpt: Option<Box<str>>,
}

/// Statements that keep refused rows. A repeat writes nothing.
pub fn insert_rejects(file: ImportFileId, rejects: &[KeptReject]) -> Vec<Statement> {
    const INSERT: &str = "INSERT INTO import_rejects (import_file_id, row_index, reason, excerpt) \
        SELECT CAST(?1 AS INTEGER), value->>0, value->>1, value->>2 FROM json_each(?2) WHERE true \
        ON CONFLICT (import_file_id, row_index) DO NOTHING";
    let rows: Vec<_> = rejects.iter().map(|reject| (reject.row_index, reject.reason, &reject.excerpt)).collect();
    bulk(&rows).into_iter().map(|json| Statement::new(INSERT).bind(file).bind(json)).collect()
}

/// A refused row of a job.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RejectedRow {
    pub file: String,
    /// Number of the row in its file, from 0.
    pub index: u64,
    pub reason: String,
    pub excerpt: Option<String>,
}

/// Some of a job's refused rows.
pub struct RejectPage {
    pub rows: Vec<RejectedRow>,
    /// How many are kept.
    pub total: i64,
}

/// The kept rows of a job that were refused, in the order of the archive.
pub async fn rejects(db: &dyn Db, job: ImportJobId, limit: u32, offset: u32) -> Result<RejectPage, StoreError> {
    const PAGE: &str = "SELECT f.name AS file, r.row_index AS \"index\", r.reason, r.excerpt \
        FROM import_files f JOIN import_rejects r ON r.import_file_id = f.id WHERE f.import_job_id = ?1 \
        ORDER BY f.entry_index, r.row_index LIMIT CAST(?2 AS INTEGER) OFFSET CAST(?3 AS INTEGER)";
    const TOTAL: &str = "SELECT count(*) AS total FROM import_files f \
        JOIN import_rejects r ON r.import_file_id = f.id WHERE f.import_job_id = ?1";
    let page = Statement::new(PAGE).bind(job).bind(limit).bind(offset);
    let mut results = db.batch(vec![page, Statement::new(TOTAL).bind(job)]).await?;
    let total: Option<Total> = results.pop().unwrap_or_default().first()?;
    let rows = results.pop().unwrap_or_default().all()?;
    Ok(RejectPage { rows, total: total.map_or(0, |row| row.total) })
}
