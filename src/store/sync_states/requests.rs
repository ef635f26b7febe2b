//! What people do to a sync: connect, pause, resume, have it begin again.

use serde::Deserialize;

use super::{Db, Millis, Statement, StoreError, UserId};
use crate::{
    domain::ids::JobRunId,
    store::{
        assert_that,
        job_runs::{self, JobKind, NewRun, Trigger},
    },
};

/// For the batch of a login: the user is collected from now on. A pause stays.
///
/// The initial sync is queued unless it was completed before, or is not wanted; without one the first poll is due at once.
pub fn connected(
    user: UserId,
    wants_initial_sync: bool,
    request_id: Option<&str>,
    next_due_at: Millis,
    now: Millis,
) -> Vec<Statement> {
    const STATE: &str = "INSERT INTO sync_states (user_id, poll_due_at) VALUES (?1, ?2) \
        ON CONFLICT (user_id) DO UPDATE SET poll_due_at = excluded.poll_due_at, error_class = NULL, \
          error_message = NULL, failed_polls = 0, reauthorization_warned_at = NULL";
    const RUN: &str = "INSERT INTO job_runs (job_type, status, user_id, started_by, request_id, created_at, updated_at) \
        SELECT 'initial_sync', 'queued', user_id, 'login', ?2, ?3, ?3 FROM sync_states \
        WHERE user_id = ?1 AND initial_sync_completed_at IS NULL AND NOT EXISTS (SELECT 1 FROM job_runs \
          WHERE status IN ('queued', 'running') AND job_type = 'initial_sync' AND user_id IS ?1)";
    const POLL_AT_ONCE: &str = "UPDATE sync_states SET poll_due_at = ?2 WHERE user_id = ?1 \
        AND NOT EXISTS (SELECT 1 FROM job_runs \
          WHERE status IN ('queued', 'running') AND job_type = 'initial_sync' AND user_id IS ?1)";
    let mut statements = vec![Statement::new(STATE).bind(user).bind(next_due_at)];
    if wants_initial_sync {
        statements.push(Statement::new(RUN).bind(user).bind(request_id).bind(now));
    }
    statements.push(Statement::new(POLL_AT_ONCE).bind(user).bind(now));
    statements
}

/// For the batch that forgets a user's tokens: nothing more is collected.
pub fn disconnected(user: UserId, now: Millis) -> Vec<Statement> {
    const STATE: &str = "UPDATE sync_states SET poll_due_at = NULL, lease_token = NULL, lease_until = NULL, \
        error_class = NULL, error_message = NULL, failed_polls = 0 WHERE user_id = ?1";
    const RUNS: &str = "UPDATE job_runs SET status = 'cancelled', stop_reason = 'disconnected', lease_token = NULL, \
          lease_until = NULL, completed_at = ?2, updated_at = ?2 \
        WHERE status IN ('queued', 'running') AND job_type = 'initial_sync' AND user_id = ?1";
    vec![Statement::new(STATE).bind(user), Statement::new(RUNS).bind(user).bind(now)]
}

/// Pauses a user; a row comes back unless they were paused before, or have no sync state.
pub fn pause(user: UserId, now: Millis) -> Statement {
    Statement::new("UPDATE sync_states SET paused_at = ?2 WHERE user_id = ?1 AND paused_at IS NULL RETURNING user_id")
        .bind(user)
        .bind(now)
}

/// Takes a pause and a failure away, and makes the next poll due; a row comes back unless there was neither.
pub fn resume(user: UserId, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE sync_states SET paused_at = NULL, error_class = NULL, error_message = NULL, \
          failed_polls = 0, poll_due_at = CASE WHEN poll_due_at IS NULL THEN NULL ELSE ?2 END \
        WHERE user_id = ?1 AND (paused_at IS NOT NULL OR error_class IS NOT NULL) RETURNING user_id";
    Statement::new(UPDATE).bind(user).bind(now)
}

/// Pauses or resumes polls and initial syncs of everyone.
pub fn pause_everyone(now: Millis) -> Statement {
    Statement::new(
        "INSERT INTO paused_job_types (job_type, paused_at) VALUES ('poll', ?1), ('initial_sync', ?1) \
         ON CONFLICT (job_type) DO NOTHING RETURNING job_type",
    )
    .bind(now)
}

pub fn resume_everyone() -> Statement {
    Statement::new("DELETE FROM paused_job_types WHERE job_type IN ('poll', 'initial_sync') RETURNING job_type")
}

/// Remembers that the log has warned of these users.
pub fn reauthorization_warned(users: &[UserId], now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE sync_states SET reauthorization_warned_at = ?2 \
        WHERE user_id IN (SELECT value FROM json_each(?1))";
    Statement::new(UPDATE).bind(serde_json::to_string(users).unwrap_or_default()).bind(now)
}

/// What came of wanting the initial sync to begin again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Triggered {
    /// Send its message.
    Queued(JobRunId),
    IsUnderWay,
}

/// Resets the initial sync and queues it, with `others` in the same batch. A pause stays.
pub async fn trigger(
    db: &dyn Db,
    user: UserId,
    request_id: Option<&str>,
    others: Vec<Statement>,
    now: Millis,
) -> Result<Triggered, StoreError> {
    #[derive(Deserialize)]
    struct New {
        id: JobRunId,
    }
    const RESET: &str = "UPDATE sync_states SET initial_sync_started_at = NULL, initial_sync_completed_at = NULL, \
        initial_sync_earliest_played_at = NULL, initial_sync_stop_reason = NULL, error_class = NULL, \
        error_message = NULL, failed_polls = 0 WHERE user_id = ?1";
    let is_free = assert_that(
        "NOT EXISTS (SELECT 1 FROM job_runs WHERE status IN ('queued', 'running') AND job_type = 'initial_sync' \
         AND user_id = ?1)",
    );
    let new =
        NewRun { kind: JobKind::InitialSync, user: Some(user), trigger: Trigger::Admin, request_id, cursor: None };
    let mut statements =
        vec![is_free.bind(user), job_runs::insert_unless_under_way(new, now), Statement::new(RESET).bind(user)];
    statements.extend(others);
    let row: Option<New> = match db.batch(statements).await {
        Ok(results) => results.into_iter().nth(1).unwrap_or_default().first()?,
        Err(StoreError::AssertionFailed) => None,
        Err(error) => return Err(error),
    };
    Ok(row.map_or(Triggered::IsUnderWay, |New { id }| Triggered::Queued(id)))
}
