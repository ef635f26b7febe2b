//! Messages that the queue or a job gave up.
//!
//! Must stay true: what is kept is the message as it came, ids only and cut to size; it is sent again at most once.

use serde::Deserialize;

use super::{Db, Statement, StoreError, rows::Total};
use crate::domain::{
    ids::{ImportJobId, JobRunId},
    instant::Millis,
};

/// Longer messages are none of ours and are cut.
const MAX_MESSAGE_CHARS: usize = 500;

/// A message to be kept.
pub struct NewDeadLetter<'a> {
    pub message: &'a str,
    pub reason: &'a str,
    pub job_run: Option<JobRunId>,
    pub import_job: Option<ImportJobId>,
    pub request_id: &'a str,
}

pub async fn insert(db: &dyn Db, new: &NewDeadLetter<'_>, now: Millis) -> Result<(), StoreError> {
    const INSERT: &str = "INSERT INTO dead_letters (at, message, reason, job_run_id, import_job_id, request_id) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let statement = Statement::new(INSERT)
        .bind(now)
        .bind(new.message.chars().take(MAX_MESSAGE_CHARS).collect::<String>())
        .bind(new.reason)
        .bind(new.job_run)
        .bind(new.import_job)
        .bind(new.request_id);
    db.run(statement).await.map(drop)
}

/// A row of `dead_letters`.
#[derive(Clone, Debug, Deserialize)]
pub struct DeadLetter {
    pub id: i64,
    pub at: Millis,
    pub message: String,
    pub reason: String,
    pub job_run_id: Option<JobRunId>,
    pub import_job_id: Option<ImportJobId>,
    pub request_id: Option<String>,
    pub resent_at: Option<Millis>,
}

const COLUMNS: &str = "id, at, message, reason, job_run_id, import_job_id, request_id, resent_at";

/// Newest first; `resent` narrows to those that were, or were not, sent again.
pub async fn list(
    db: &dyn Db,
    resent: Option<bool>,
    limit: u32,
    offset: u32,
) -> Result<(Vec<DeadLetter>, i64), StoreError> {
    const MATCHES: &str = "(?1 IS NULL OR (resent_at IS NOT NULL) = ?1)";
    let page = format!(
        "SELECT {COLUMNS} FROM dead_letters WHERE {MATCHES} ORDER BY id DESC \
         LIMIT CAST(?2 AS INTEGER) OFFSET CAST(?3 AS INTEGER)"
    );
    let total = format!("SELECT count(*) AS total FROM dead_letters WHERE {MATCHES}");
    let mut results = db
        .batch(vec![Statement::new(page).bind(resent).bind(limit).bind(offset), Statement::new(total).bind(resent)])
        .await?;
    let total: Option<Total> = results.pop().unwrap_or_default().first()?;
    Ok((results.pop().unwrap_or_default().all()?, total.map_or(0, |row| row.total)))
}

pub async fn find(db: &dyn Db, id: i64) -> Result<Option<DeadLetter>, StoreError> {
    db.first(Statement::new(format!("SELECT {COLUMNS} FROM dead_letters WHERE id = ?1")).bind(id)).await
}

/// Marks a message as sent again, once. `None`: somebody was faster. `record` makes the row of the change from its guard.
pub async fn mark_resent(
    db: &dyn Db,
    id: i64,
    record: impl FnOnce(&str) -> Statement,
    now: Millis,
) -> Result<Option<DeadLetter>, StoreError> {
    let guard = format!("EXISTS (SELECT 1 FROM dead_letters WHERE id = {id} AND resent_at IS NULL)");
    let update =
        format!("UPDATE dead_letters SET resent_at = ?2 WHERE id = ?1 AND resent_at IS NULL RETURNING {COLUMNS}");
    let statements = vec![record(&guard), Statement::new(update).bind(id).bind(now)];
    db.batch(statements).await?.pop().unwrap_or_default().first()
}
