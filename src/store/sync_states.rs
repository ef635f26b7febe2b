//! How it stands with collecting each user's plays.
//!
//! Must stay true: the state that is shown follows from the row and is stored nowhere; a failure is written apart from what
//! failed, so it stays when everything else is undone; whoever polls holds the row's lease, and only under it is the
//! outcome of a poll written; nothing but a resume takes a pause away.

mod polls;
mod requests;

use serde::{Deserialize, Serialize};

pub use self::{polls::*, requests::*};
use super::{Db, Statement, StoreError, rows::integer_bool};
use crate::domain::{ids::UserId, instant::Millis};

/// The state as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// Nothing to do until the next poll is due.
    Idle,
    /// A poll or the initial sync is at work.
    Syncing,
    /// Nothing is done until somebody resumes it.
    Paused,
    /// The last poll or sync failed; it is tried again.
    Error,
    /// Nothing can be done until the listener authorizes again.
    NeedsReauth,
}

/// A row of `sync_states`, with what else the state follows from.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct SyncState {
    pub user_id: UserId,
    pub poll_due_at: Option<Millis>,
    pub lease_until: Option<Millis>,
    pub paused_at: Option<Millis>,
    pub error_class: Option<String>,
    pub error_message: Option<String>,
    pub failed_polls: i64,
    pub quiet_polls: i64,
    pub last_poll_started_at: Option<Millis>,
    pub last_poll_completed_at: Option<Millis>,
    pub last_poll_latest_played_at: Option<Millis>,
    pub initial_sync_started_at: Option<Millis>,
    pub initial_sync_completed_at: Option<Millis>,
    pub initial_sync_earliest_played_at: Option<Millis>,
    pub initial_sync_stop_reason: Option<String>,
    pub reauthorization_warned_at: Option<Millis>,
    /// When the listener let us in; `None`: not connected.
    pub authorized_at: Option<Millis>,
    pub lost_reason: Option<String>,
    #[serde(deserialize_with = "integer_bool")]
    pub is_syncing_initially: bool,
}

impl SyncState {
    /// That of somebody who never was connected.
    pub const fn none(user_id: UserId) -> Self {
        Self {
            user_id,
            poll_due_at: None,
            lease_until: None,
            paused_at: None,
            error_class: None,
            error_message: None,
            failed_polls: 0,
            quiet_polls: 0,
            last_poll_started_at: None,
            last_poll_completed_at: None,
            last_poll_latest_played_at: None,
            initial_sync_started_at: None,
            initial_sync_completed_at: None,
            initial_sync_earliest_played_at: None,
            initial_sync_stop_reason: None,
            reauthorization_warned_at: None,
            authorized_at: None,
            lost_reason: None,
            is_syncing_initially: false,
        }
    }

    /// What is shown; `None` for somebody who is not connected to Spotify.
    pub fn status(&self, now: Millis) -> Option<SyncStatus> {
        self.authorized_at?;
        Some(if self.paused_at.is_some() {
            SyncStatus::Paused
        } else if self.lost_reason.is_some() || self.error_class.as_deref() == Some("needs_reauth") {
            SyncStatus::NeedsReauth
        } else if self.is_syncing_initially || self.lease_until.is_some_and(|until| until > now) {
            SyncStatus::Syncing
        } else if self.error_class.is_some() {
            SyncStatus::Error
        } else {
            SyncStatus::Idle
        })
    }
}

const SELECT: &str = "
SELECT s.user_id, s.poll_due_at, s.lease_until, s.paused_at, s.error_class, s.error_message, s.failed_polls,
  s.quiet_polls, s.last_poll_started_at, s.last_poll_completed_at, s.last_poll_latest_played_at,
  s.initial_sync_started_at, s.initial_sync_completed_at, s.initial_sync_earliest_played_at,
  s.initial_sync_stop_reason, s.reauthorization_warned_at, t.authorized_at, t.lost_reason,
  EXISTS (SELECT 1 FROM job_runs r WHERE r.status IN ('queued', 'running') AND r.status = 'running'
    AND r.job_type = 'initial_sync' AND r.user_id = s.user_id) AS is_syncing_initially
FROM sync_states s LEFT JOIN spotify_tokens t ON t.user_id = s.user_id";

/// For one batch with other statements: a user's row of [`SyncState`], or none for somebody who never was connected.
pub fn select(user: UserId) -> Statement {
    Statement::new(format!("{SELECT} WHERE s.user_id = ?1")).bind(user)
}

/// For one batch with other statements: everyone's rows of [`SyncState`], in order of their ids.
pub fn select_all() -> Statement {
    Statement::new(format!("{SELECT} ORDER BY s.user_id"))
}

pub async fn find(db: &dyn Db, user: UserId) -> Result<Option<SyncState>, StoreError> {
    db.first(select(user)).await
}

/// One row for everyone: `total_users`, `paused` (all collecting is), and `blocked_until`, the last instant before which
/// Spotify wants to hear nothing of some kind.
pub fn select_overview(now: Millis) -> Statement {
    const SELECT: &str = "SELECT (SELECT count(*) FROM users) AS total_users, \
        (SELECT count(*) = 2 FROM paused_job_types WHERE job_type IN ('poll', 'initial_sync')) AS paused, \
        (SELECT max(blocked_until) FROM spotify_blocks WHERE blocked_until > CAST(?1 AS INTEGER)) AS blocked_until";
    Statement::new(SELECT).bind(now)
}

/// The last five runs that failed, newest first.
pub fn select_recent_errors() -> Statement {
    Statement::new(
        "SELECT id AS job_run_id, user_id, job_type, error_class, error_message, started_at FROM job_runs \
         WHERE id > (SELECT max(id) FROM job_runs) - 5000 AND error_message IS NOT NULL \
           AND status IN ('error', 'partial') ORDER BY id DESC LIMIT 5",
    )
}
