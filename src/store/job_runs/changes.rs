//! What a person may do to a run: cancel it, or have it tried again.
//!
//! Must stay true: a queued run is cancelled at once, a running one at its next step; an ended run stays as it ended, and
//! trying it again is a new run that names it. Imports are cancelled and retried as imports, polls by polling.

use serde::Deserialize;

use super::{Db, JobKind, JobRunId, Millis, RunStatus, Statement, StoreError};

/// What came of wanting a run to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It was queued, and is cancelled.
    Cancelled,
    /// It is running, and ends at its next step.
    Requested,
    /// It ended before.
    HasEnded(RunStatus),
    /// It is an import's: cancel the import.
    BelongsToImport,
    Unknown,
}

#[derive(Deserialize)]
struct Found {
    job_type: JobKind,
    status: RunStatus,
}

const FIND: &str = "SELECT job_type, status FROM job_runs WHERE id = ?1";

/// Whether a run can be cancelled here, for the record of the change.
pub fn can_be_cancelled(id: JobRunId) -> String {
    format!(
        "EXISTS (SELECT 1 FROM job_runs WHERE id = {id} AND status IN ('queued', 'running') AND import_job_id IS NULL)"
    )
}

/// Cancels those queued runs that are meant (SQL on a row); `?2` is the instant. An import's run ends with its import.
pub fn end_queued(is_meant: &str, returning: &str) -> String {
    format!(
        "UPDATE job_runs SET status = 'cancelled', stop_reason = 'cancelled', completed_at = ?2, updated_at = ?2 \
         WHERE {is_meant} AND status = 'queued' AND import_job_id IS NULL RETURNING {returning}"
    )
}

/// Asks those running runs that are meant to end at their next step; the rest as in [`end_queued`].
pub fn ask_running(is_meant: &str, returning: &str) -> String {
    format!(
        "UPDATE job_runs SET cancel_requested = 1, updated_at = ?2 \
         WHERE {is_meant} AND status = 'running' AND import_job_id IS NULL RETURNING {returning}"
    )
}

/// Ends a run, at once or at its next step. `record` goes first in the batch.
pub async fn cancel(
    db: &dyn Db,
    id: JobRunId,
    record: Option<Statement>,
    now: Millis,
) -> Result<Cancellation, StoreError> {
    const RETURNING: &str = "job_type, status";
    let before = usize::from(record.is_some());
    let changes = [
        Statement::new(end_queued("id = ?1", RETURNING)).bind(id).bind(now),
        Statement::new(ask_running("id = ?1", RETURNING)).bind(id).bind(now),
        Statement::new(FIND).bind(id),
    ];
    let mut results = db.batch(record.into_iter().chain(changes).collect()).await?.into_iter().skip(before);
    let mut next = || results.next().unwrap_or_default().first::<Found>();
    let (queued, running, found) = (next()?, next()?, next()?);
    Ok(match (queued, running, found) {
        (Some(_), _, _) => Cancellation::Cancelled,
        (_, Some(_), _) => Cancellation::Requested,
        (_, _, Some(Found { status, .. })) if status.is_final() => Cancellation::HasEnded(status),
        (_, _, Some(_)) => Cancellation::BelongsToImport,
        (_, _, None) => Cancellation::Unknown,
    })
}

/// What came of wanting a run tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retrial {
    /// A new run goes on where the old one was. Send its message.
    Queued(JobRunId),
    /// It has not ended, or another run of its kind is under way.
    IsUnderWay,
    /// It did what it was for.
    HasSucceeded,
    /// It is an import's, or a poll: those are tried again by their own means.
    NotOfThisKind(JobKind),
    Unknown,
}

/// Whether this request queued a run to try another again, for the record of the change (whose `?8` is the request).
pub fn was_queued_again(id: JobRunId, now: Millis) -> String {
    format!("EXISTS (SELECT 1 FROM job_runs WHERE retry_of = {id} AND created_at = {} AND request_id = ?8)", now.0)
}

/// Queues a run that goes on where an unsuccessful one ended. `record` goes last in the batch.
pub async fn retry(
    db: &dyn Db,
    id: JobRunId,
    request_id: Option<&str>,
    record: Option<Statement>,
    now: Millis,
) -> Result<Retrial, StoreError> {
    #[derive(Deserialize)]
    struct New {
        id: JobRunId,
    }
    const INSERT: &str = "INSERT INTO job_runs \
          (job_type, status, user_id, started_by, request_id, cursor, retry_of, created_at, updated_at) \
        SELECT old.job_type, 'queued', old.user_id, 'retry', ?2, old.cursor, old.id, ?3, ?3 FROM job_runs AS old \
        WHERE old.id = ?1 AND old.status IN ('partial', 'error', 'cancelled') AND old.import_job_id IS NULL \
          AND old.job_type NOT IN ('poll', 'import_zip') AND NOT EXISTS (SELECT 1 FROM job_runs AS other \
            WHERE other.status IN ('queued', 'running') AND other.job_type = old.job_type \
              AND other.user_id IS old.user_id) \
        RETURNING id";
    let changes = [Statement::new(INSERT).bind(id).bind(request_id).bind(now), Statement::new(FIND).bind(id)];
    let mut results = db.batch(changes.into_iter().chain(record).collect()).await?.into_iter();
    let new: Option<New> = results.next().unwrap_or_default().first()?;
    let found: Option<Found> = results.next().unwrap_or_default().first()?;
    Ok(match (new, found) {
        (Some(New { id }), _) => Retrial::Queued(id),
        (None, None) => Retrial::Unknown,
        (None, Some(Found { job_type: kind @ (JobKind::ImportZip | JobKind::Poll), .. })) => {
            Retrial::NotOfThisKind(kind)
        }
        (None, Some(Found { status: RunStatus::Success, .. })) => Retrial::HasSucceeded,
        (None, Some(_)) => Retrial::IsUnderWay,
    })
}
