//! The end of an import: the stored plays counted again, and what becomes of the archive.
//!
//! Must stay true: an archive holds its owner's address, so it stays only while something may still read it: an
//! unfinished import, or for [`KEPT_FOR_RETRY_MS`] one that was cancelled or given up.

use std::collections::HashSet;

use serde::Deserialize;

use super::{ImportFile, JobStatus};
use crate::{
    domain::{
        ids::{ImportFileId, ImportJobId, UserId},
        instant::{DAY_MS, Millis},
    },
    store::{Db, Statement, StoreError},
};

/// How long a cancelled or given-up import can still be taken up again.
pub const KEPT_FOR_RETRY_MS: i64 = DAY_MS;

#[derive(Deserialize)]
struct Recounted {
    id: ImportFileId,
    found: u64,
}

/// How many stored plays carry an observation of each of these files. Reads all plays of the user once.
pub async fn recount(db: &dyn Db, user: UserId, files: &[ImportFile]) -> Result<Vec<(ImportFileId, u64)>, StoreError> {
    const EXTENDED: &str = "SELECT extended_file_id AS id, count(*) AS found FROM plays \
        WHERE user_id = ?1 AND extended_file_id IN (SELECT value FROM json_each(?2)) GROUP BY 1";
    const ACCOUNT: &str = "SELECT account_file_id AS id, count(*) AS found FROM plays \
        WHERE user_id = ?1 AND account_file_id IN (SELECT value FROM json_each(?2)) GROUP BY 1";
    let ids: Vec<ImportFileId> = files.iter().map(|file| file.id).collect();
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    let statement = |sql: &'static str| Statement::new(sql).bind(user).bind(ids.as_str());
    let mut found: Vec<(ImportFileId, u64)> = Vec::new();
    for rows in db.batch(vec![statement(EXTENDED), statement(ACCOUNT)]).await? {
        found.extend(rows.all::<Recounted>()?.into_iter().map(|row| (row.id, row.found)));
    }
    Ok(found)
}

/// Statements that end a job and its run; `keeps_archive` when a retry may go on with it. They go behind the statement
/// that the right to end it rests on.
pub fn finish(
    job: ImportJobId,
    status: JobStatus,
    error_message: Option<&str>,
    keeps_archive: bool,
    now: Millis,
) -> Vec<Statement> {
    const OF_RUN: &str = "UPDATE job_runs SET status = ?2, error_message = ?3, completed_at = ?4, \
        fetched = coalesce((SELECT sum(rows_read) FROM import_files WHERE import_job_id = ?1), 0), \
        inserted = coalesce((SELECT sum(inserted) FROM import_files WHERE import_job_id = ?1), 0), \
        merged = coalesce((SELECT sum(merged) FROM import_files WHERE import_job_id = ?1), 0), \
        skipped = coalesce((SELECT sum(duplicate + skipped + rejected) FROM import_files WHERE import_job_id = ?1), 0) \
        WHERE import_job_id = ?1";
    let key = if keeps_archive { "archive_key" } else { "NULL" };
    let of_job = format!(
        "UPDATE import_jobs SET status = ?2, error_message = ?3, completed_at = ?4, updated_at = ?4, \
         lease_token = NULL, lease_until = NULL, resume_at = NULL, pause_reason = NULL, archive_key = {key} \
         WHERE id = ?1"
    );
    let end = |sql: String| Statement::new(sql).bind(job).bind(status.as_str()).bind(error_message).bind(now);
    vec![end(of_job), end(OF_RUN.to_owned())]
}

/// The archives that imports still read, or may read again.
pub async fn archive_keys(db: &dyn Db) -> Result<HashSet<String>, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        archive_key: String,
    }
    let statement = Statement::new("SELECT archive_key FROM import_jobs WHERE archive_key IS NOT NULL");
    Ok(db.run(statement).await?.all::<Key>()?.into_iter().map(|row| row.archive_key).collect())
}

/// Lets go of archives that were kept for a retry which did not come.
pub async fn forget_old_archives(db: &dyn Db, now: Millis) -> Result<(), StoreError> {
    const FORGET: &str = "UPDATE import_jobs SET archive_key = NULL \
        WHERE archive_key IS NOT NULL AND completed_at IS NOT NULL AND completed_at <= ?1";
    db.run(Statement::new(FORGET).bind(now.minus_ms(KEPT_FOR_RETRY_MS))).await.map(drop)
}
