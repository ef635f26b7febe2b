//! The right to work on an import, and giving it back.
//!
//! Must stay true: everything a worker writes is under its lease; a lease that ran out belongs to whoever takes it; a
//! paused job is left alone until its time has come.

use serde::Deserialize;

use super::{ImportFile, ImportJob, JOB_COLUMNS, select_files};
use crate::{
    domain::{
        ids::ImportJobId,
        instant::{MINUTE_MS, Millis},
    },
    store::{Db, Statement, StoreError, assert_that},
};

/// How long a worker may be silent before the sweep gives its job to another.
pub const LEASE_MS: i64 = 2 * MINUTE_MS;

/// A job that this worker, and no other, may work on.
pub struct Claimed {
    pub job: ImportJob,
    pub files: Vec<ImportFile>,
    pub lease: Lease,
}

/// The right to write for a job.
#[derive(Clone, Debug)]
pub struct Lease {
    pub job: ImportJobId,
    pub token: String,
}

impl Lease {
    /// Undoes the batch it opens when the job is no longer this worker's, or is to be cancelled.
    pub fn guard(&self) -> Statement {
        assert_that(
            "EXISTS (SELECT 1 FROM import_jobs \
             WHERE id = ?1 AND status = 'running' AND lease_token = ?2 AND cancel_requested = 0)",
        )
        .bind(self.job)
        .bind(self.token.as_str())
    }
}

/// Takes a job that is pending, or running under a lease that was given back. Taking it twice with one token is taking
/// it once, so the call may be repeated.
pub async fn claim(db: &dyn Db, id: ImportJobId, token: &str, now: Millis) -> Result<Option<Claimed>, StoreError> {
    const RUN: &str = "UPDATE job_runs SET status = 'running', attempts = attempts + 1, \
        started_at = coalesce(started_at, ?2) \
        WHERE import_job_id = ?1 AND EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND lease_token = ?3)";
    let update = format!(
        "UPDATE import_jobs SET status = 'running', lease_token = ?2, lease_until = ?3, attempts = attempts + 1, \
           started_at = coalesce(started_at, ?4), updated_at = ?4, resume_at = NULL, pause_reason = NULL \
         WHERE id = ?1 AND archive_form <> 'rows' AND status IN ('pending', 'running') AND (resume_at IS NULL OR resume_at <= ?4) \
           AND (lease_until IS NULL OR lease_until <= ?4 OR lease_token = ?2) \
           AND NOT EXISTS (SELECT 1 FROM paused_job_types WHERE job_type = 'import_zip') \
         RETURNING {JOB_COLUMNS}"
    );
    let mut results = db
        .batch(vec![
            Statement::new(update).bind(id).bind(token).bind(now.plus_ms(LEASE_MS)).bind(now),
            Statement::new(RUN).bind(id).bind(now).bind(token),
            select_files(id),
        ])
        .await?;
    let files = results.pop().unwrap_or_default().all()?;
    results.truncate(1);
    let job: Option<ImportJob> = results.pop().unwrap_or_default().first()?;
    Ok(job.map(|job| Claimed { job, files, lease: Lease { job: id, token: token.to_owned() } }))
}

/// Gives the job back without ending it, so that the next message can go on; tells whether it was this worker's.
pub async fn release(db: &dyn Db, lease: &Lease) -> Result<bool, StoreError> {
    const RELEASE: &str = "UPDATE import_jobs SET lease_token = NULL, lease_until = NULL \
        WHERE id = ?1 AND lease_token = ?2 RETURNING id";
    let released = db.run(Statement::new(RELEASE).bind(lease.job).bind(lease.token.as_str())).await?;
    Ok(!released.rows.is_empty())
}

/// Gives the job back at the end of a run that did all that one run may: that is progress, even where it was over files
/// without rows. Attempts begin anew.
pub async fn hand_on(db: &dyn Db, lease: &Lease) -> Result<(), StoreError> {
    const HAND_ON: &str = "UPDATE import_jobs SET lease_token = NULL, lease_until = NULL, attempts = 0 \
        WHERE id = ?1 AND lease_token = ?2";
    db.run(Statement::new(HAND_ON).bind(lease.job).bind(lease.token.as_str())).await.map(drop)
}

/// Gives the job back and leaves it alone until `resume_at`. Waiting is no failure: attempts begin anew.
pub async fn pause(db: &dyn Db, lease: &Lease, resume_at: Millis, reason: &str) -> Result<(), StoreError> {
    const PAUSE: &str = "UPDATE import_jobs SET lease_token = NULL, lease_until = NULL, attempts = 0, \
        resume_at = ?3, pause_reason = ?4 WHERE id = ?1 AND lease_token = ?2";
    let statement = Statement::new(PAUSE).bind(lease.job).bind(lease.token.as_str()).bind(resume_at).bind(reason);
    db.run(statement).await.map(drop)
}

/// Jobs that nobody works on: pending ones, paused ones whose time has come, and running ones whose lease ran out, which
/// is taken from them.
pub async fn take_back_stuck(db: &dyn Db, now: Millis) -> Result<Vec<ImportJobId>, StoreError> {
    #[derive(Deserialize)]
    struct Due {
        id: ImportJobId,
    }
    const TAKE_BACK: &str = "UPDATE import_jobs SET lease_token = NULL, lease_until = NULL \
        WHERE status = 'running' AND lease_until <= ?1";
    // A pending job younger than a minute still has its first message under way.
    const DUE: &str = "SELECT id FROM import_jobs WHERE status IN ('pending', 'running') AND lease_until IS NULL \
        AND NOT EXISTS (SELECT 1 FROM paused_job_types WHERE job_type = 'import_zip') \
        AND archive_form <> 'rows' \
        AND updated_at <= ?1 - 60000 AND (resume_at IS NULL OR resume_at <= ?1) ORDER BY id LIMIT 100";
    let statements = vec![Statement::new(TAKE_BACK).bind(now), Statement::new(DUE).bind(now)];
    let due: Vec<Due> = db.batch(statements).await?.pop().unwrap_or_default().all()?;
    Ok(due.into_iter().map(|row| row.id).collect())
}
