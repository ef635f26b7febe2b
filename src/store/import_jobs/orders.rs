//! What a person asks of an import: to stop, or to go on.
//!
//! Must stay true: a job that a worker holds is stopped by that worker, at its next slice; any other at once. A retry
//! changes nothing but the state: the cursors say where to go on.

use serde::Deserialize;

use super::{JobStatus, Lease, ending::finish};
use crate::{
    domain::{ids::ImportJobId, instant::Millis},
    store::{Db, Statement, StoreError, assert_that},
};

/// What came of asking to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It is cancelled.
    AtOnce,
    /// Its worker stops at the next slice.
    Soon,
    /// It was over already.
    AlreadyOver(JobStatus),
}

#[derive(Deserialize)]
struct Status {
    status: JobStatus,
}

/// Asks a job to stop; `None` when there is no such job. `audit` is written if that changes anything.
pub async fn cancel(
    db: &dyn Db,
    id: ImportJobId,
    audit: Statement,
    now: Millis,
) -> Result<Option<Cancelled>, StoreError> {
    const IS_UNFINISHED: &str = "EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND status IN ('pending', 'running'))";
    const ASK: &str = "UPDATE import_jobs SET cancel_requested = 1 WHERE id = ?1";
    const STATUS: &str = "SELECT status FROM import_jobs WHERE id = ?1";
    const IS_IDLE: &str = "EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND status IN ('pending', 'running') \
        AND (lease_until IS NULL OR lease_until <= ?2))";
    let mut at_once = vec![assert_that(IS_IDLE).bind(id).bind(now), audit.clone()];
    at_once.extend(finish(id, JobStatus::Cancelled, None, true, now));
    match db.batch(at_once).await {
        Ok(_) => return Ok(Some(Cancelled::AtOnce)),
        Err(StoreError::AssertionFailed) => {}
        Err(error) => return Err(error),
    }
    match db.batch(vec![assert_that(IS_UNFINISHED).bind(id), Statement::new(ASK).bind(id), audit]).await {
        Ok(_) => return Ok(Some(Cancelled::Soon)),
        Err(StoreError::AssertionFailed) => {}
        Err(error) => return Err(error),
    }
    let found: Option<Status> = db.first(Statement::new(STATUS).bind(id)).await?;
    Ok(found.map(|found| Cancelled::AlreadyOver(found.status)))
}

/// Ends the job as cancelled if that was asked of it while `lease` was held; tells whether.
pub async fn cancel_where_asked(db: &dyn Db, lease: &Lease, now: Millis) -> Result<bool, StoreError> {
    const IS_ASKED: &str = "EXISTS (SELECT 1 FROM import_jobs \
        WHERE id = ?1 AND status = 'running' AND lease_token = ?2 AND cancel_requested = 1)";
    let mut statements = vec![assert_that(IS_ASKED).bind(lease.job).bind(lease.token.as_str())];
    statements.extend(finish(lease.job, JobStatus::Cancelled, None, true, now));
    match db.batch(statements).await {
        Ok(_) => Ok(true),
        Err(StoreError::AssertionFailed) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What came of asking for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It waits for a worker, and goes on at its cursors.
    Again,
    /// It is not over, so it goes on by itself.
    NotOver,
    /// It came to its end: there is nothing to go on with.
    Ended(JobStatus),
    /// It stopped half way, and its archive is kept no longer.
    ArchiveGone,
}

/// Lets a cancelled or given-up job go on; `None` when there is no such job. `audit` is written if it does.
pub async fn retry(db: &dyn Db, id: ImportJobId, audit: Statement, now: Millis) -> Result<Option<Retried>, StoreError> {
    #[derive(Deserialize)]
    struct Found {
        status: JobStatus,
        is_half_way: i64,
    }
    const FOUND: &str = "SELECT status, EXISTS (SELECT 1 FROM import_files WHERE import_job_id = ?1 \
        AND status IN ('pending', 'running')) AS is_half_way FROM import_jobs WHERE id = ?1";
    const MAY_GO_ON: &str = "EXISTS (SELECT 1 FROM import_jobs \
        WHERE id = ?1 AND status IN ('cancelled', 'error') AND archive_key IS NOT NULL)";
    const JOB: &str = "UPDATE import_jobs SET status = 'pending', attempts = 0, cancel_requested = 0, \
        error_message = NULL, completed_at = NULL, lease_token = NULL, lease_until = NULL, updated_at = ?2 WHERE id = ?1";
    const RUN: &str = "UPDATE job_runs SET status = 'queued', error_message = NULL, completed_at = NULL \
        WHERE import_job_id = ?1";
    let statements = vec![
        assert_that(MAY_GO_ON).bind(id),
        Statement::new(JOB).bind(id).bind(now),
        Statement::new(RUN).bind(id),
        audit,
    ];
    match db.batch(statements).await {
        Ok(_) => return Ok(Some(Retried::Again)),
        Err(StoreError::AssertionFailed) => {}
        Err(error) => return Err(error),
    }
    let found: Option<Found> = db.first(Statement::new(FOUND).bind(id)).await?;
    Ok(found.map(|found| match found.status {
        JobStatus::Pending | JobStatus::Running => Retried::NotOver,
        JobStatus::Cancelled | JobStatus::Error if found.is_half_way == 1 => Retried::ArchiveGone,
        ended => Retried::Ended(ended),
    }))
}
