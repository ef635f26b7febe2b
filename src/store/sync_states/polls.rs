//! One user's next poll: claimed when it is due, and ended one way or another.

use serde::Deserialize;

use super::{Db, Millis, Statement, StoreError, UserId};
use crate::{
    domain::instant::MINUTE_MS,
    store::{Rows, assert_that, job_runs::Fault},
};

/// How long a poll may take before the sweep gives it up: its requests have time limits far below.
const LEASE_MS: i64 = 2 * MINUTE_MS;

/// A poll that this worker, and no other, may do.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ClaimedPoll {
    /// The newest play that was ever listed; `None` before the first.
    pub last_poll_latest_played_at: Option<Millis>,
    pub failed_polls: u32,
    pub quiet_polls: u32,
    /// Entries that could not be read the last time.
    pub unreadable: u64,
}

/// Takes a user's poll, if it is due and nothing forbids it: one row to read with [`read_claimed`], or none.
pub fn claim_poll(user: UserId, token: &str, now: Millis) -> Statement {
    const CLAIM: &str = "UPDATE sync_states SET lease_token = ?2, lease_until = ?3, last_poll_started_at = ?4 \
        WHERE user_id = ?1 AND poll_due_at <= CAST(?4 AS INTEGER) AND paused_at IS NULL AND lease_token IS NULL \
          AND NOT EXISTS (SELECT 1 FROM paused_job_types WHERE job_type = 'poll') \
        RETURNING last_poll_latest_played_at, failed_polls, quiet_polls, unreadable";
    Statement::new(CLAIM).bind(user).bind(token).bind(now.plus_ms(LEASE_MS)).bind(now)
}

pub fn read_claimed(rows: Rows) -> Result<Option<ClaimedPoll>, StoreError> {
    rows.first()
}

/// Undoes the batch it opens when the poll is no longer this worker's.
pub fn held(user: UserId, token: &str) -> Statement {
    assert_that("EXISTS (SELECT 1 FROM sync_states WHERE user_id = ?1 AND lease_token = ?2)").bind(user).bind(token)
}

/// What a poll that worked leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollOutcome {
    /// The newest play that was listed.
    pub latest_played_at: Option<Millis>,
    /// It leaves a row in `job_runs`.
    pub is_told: bool,
    pub unreadable: u64,
    pub next_due_at: Millis,
}

/// Ends a poll that worked.
pub fn polled(user: UserId, token: &str, outcome: PollOutcome, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE sync_states SET lease_token = NULL, lease_until = NULL, poll_due_at = ?3, \
          last_poll_completed_at = ?4, error_class = NULL, error_message = NULL, failed_polls = 0, unreadable = ?7, \
          quiet_polls = CASE WHEN CAST(?6 AS INTEGER) THEN 0 ELSE quiet_polls + 1 END, last_poll_latest_played_at = \
            max(coalesce(last_poll_latest_played_at, ?5), coalesce(?5, last_poll_latest_played_at)) \
        WHERE user_id = ?1 AND lease_token = ?2";
    Statement::new(UPDATE)
        .bind(user)
        .bind(token)
        .bind(outcome.next_due_at)
        .bind(now)
        .bind(outcome.latest_played_at)
        .bind(outcome.is_told)
        .bind(outcome.unreadable)
}

/// Ends a poll that failed.
pub fn failed(user: UserId, token: &str, fault: &Fault, next_due_at: Millis, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE sync_states SET lease_token = NULL, lease_until = NULL, poll_due_at = ?3, \
          last_poll_completed_at = ?4, error_class = ?5, error_message = ?6, failed_polls = failed_polls + 1 \
        WHERE user_id = ?1 AND lease_token = ?2";
    Statement::new(UPDATE)
        .bind(user)
        .bind(token)
        .bind(next_due_at)
        .bind(now)
        .bind(fault.class)
        .bind(fault.sentence.as_str())
}

/// A page of the initial sync was taken up.
pub fn synced_back(user: UserId, earliest: Option<Millis>, latest: Option<Millis>, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE sync_states SET initial_sync_started_at = coalesce(initial_sync_started_at, ?4), \
          initial_sync_earliest_played_at = \
            min(coalesce(initial_sync_earliest_played_at, ?2), coalesce(?2, initial_sync_earliest_played_at)), \
          last_poll_latest_played_at = \
            max(coalesce(last_poll_latest_played_at, ?3), coalesce(?3, last_poll_latest_played_at)) \
        WHERE user_id = ?1";
    Statement::new(UPDATE).bind(user).bind(earliest).bind(latest).bind(now)
}

/// The initial sync is over: the first poll is due at once.
pub fn initial_sync_completed(user: UserId, stop_reason: &str, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE sync_states SET initial_sync_completed_at = ?3, initial_sync_stop_reason = ?2, \
        poll_due_at = ?3, error_class = NULL, error_message = NULL WHERE user_id = ?1 AND poll_due_at IS NOT NULL";
    Statement::new(UPDATE).bind(user).bind(stop_reason).bind(now)
}

/// Keeps why an initial sync did not get on.
pub fn fault_of_sync(user: UserId, fault: &Fault) -> Statement {
    const UPDATE: &str = "UPDATE sync_states SET error_class = ?2, error_message = ?3 WHERE user_id = ?1";
    Statement::new(UPDATE).bind(user).bind(fault.class).bind(fault.sentence.as_str())
}

/// Takes back polls whose worker fell silent, each with a row in `job_runs` that tells of it, and lists the users who
/// are due: connected, not paused, and not of an app that Spotify wants to hear nothing from.
pub async fn due(db: &dyn Db, now: Millis) -> Result<Vec<UserId>, StoreError> {
    #[derive(Deserialize)]
    struct Due {
        user_id: UserId,
    }
    const TELL: &str = "INSERT INTO job_runs (job_type, status, user_id, started_by, attempts, error_class, \
          error_message, created_at, started_at, completed_at, updated_at) \
        SELECT 'poll', 'error', user_id, 'schedule', 1, 'interrupted', 'The poll was interrupted; the next one is due \
          soon.', last_poll_started_at, last_poll_started_at, ?1, ?1 FROM sync_states WHERE lease_until <= ?1";
    const TAKE_BACK: &str = "UPDATE sync_states SET lease_token = NULL, lease_until = NULL, \
          poll_due_at = CAST(?1 AS INTEGER) + min(failed_polls, 10) * 60000, failed_polls = failed_polls + 1, \
          error_class = 'interrupted', error_message = 'The last poll was interrupted; the next one is due soon.' \
        WHERE lease_until <= ?1";
    const DUE: &str = "SELECT s.user_id FROM sync_states s JOIN spotify_tokens t ON t.user_id = s.user_id \
        WHERE s.poll_due_at <= CAST(?1 AS INTEGER) AND s.paused_at IS NULL AND s.lease_token IS NULL \
          AND t.lost_reason IS NULL AND coalesce(s.error_class, '') <> 'needs_reauth' \
          AND NOT EXISTS (SELECT 1 FROM paused_job_types WHERE job_type = 'poll') \
          AND NOT EXISTS (SELECT 1 FROM spotify_blocks b WHERE b.client_id = t.client_id \
            AND b.family IN ('player', 'accounts') AND b.blocked_until > CAST(?1 AS INTEGER)) \
        ORDER BY s.poll_due_at, s.user_id LIMIT 1000";
    let statements = [TELL, TAKE_BACK, DUE].map(|sql| Statement::new(sql).bind(now)).to_vec();
    let due: Vec<Due> = db.batch(statements).await?.pop().unwrap_or_default().all()?;
    Ok(due.into_iter().map(|row| row.user_id).collect())
}
