//! Runs of jobs: queued, worked on under a lease, ended; one row each. Imports keep their own lease in `import_jobs`;
//! their runs are only told of here.
//!
//! Must stay true: a change of state is one guarded update, and what came of it is an enum; everything a worker writes
//! opens with [`RunLease::assertion`], so that a worker whose lease was taken back writes nothing; a run that ended never
//! changes again; no error of a run carries a secret or SQL.

pub mod changes;
pub mod many;
#[cfg(test)]
mod tests;

use serde::Deserialize;

use super::{Db, Rows, Statement, StoreError, assert_that, rows::integer_bool};
use crate::domain::{
    ids::{JobRunId, UserId},
    instant::{MINUTE_MS, Millis},
};

/// How long a worker may be silent before the sweep gives its run to another.
pub const LEASE_MS: i64 = 2 * MINUTE_MS;
/// Attempts without any progress before a run is given up.
pub const MAX_STALLED_ATTEMPTS: i64 = 5;

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    ImportZip,
    InitialSync,
    Poll,
    PurgeLogs,
}

impl JobKind {
    pub const ALL: [Self; 4] = [Self::ImportZip, Self::InitialSync, Self::Poll, Self::PurgeLogs];
    pub const NAMES: [&str; 4] = ["import_zip", "initial_sync", "poll", "purge_logs"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ImportZip => "import_zip",
            Self::InitialSync => "initial_sync",
            Self::Poll => "poll",
            Self::PurgeLogs => "purge_logs",
        }
    }
}

/// Where a run stands. The last four are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Queued,
    Running,
    Success,
    Partial,
    Error,
    Cancelled,
}

impl RunStatus {
    pub const NAMES: [&str; 6] = ["queued", "running", "success", "partial", "error", "cancelled"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }

    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// Who or what asked for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    Schedule,
    Admin,
    Upload,
    Login,
    Retry,
}

impl Trigger {
    pub const NAMES: [&str; 5] = ["schedule", "admin", "upload", "login", "retry"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Admin => "admin",
            Self::Upload => "upload",
            Self::Login => "login",
            Self::Retry => "retry",
        }
    }
}

/// Why something failed: a word to filter by, and a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub class: &'static str,
    pub sentence: String,
}

/// What a run has got done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub fetched: u64,
    pub inserted: u64,
    pub merged: u64,
    pub skipped: u64,
}

/// A run to be queued.
#[derive(Clone, Copy, Debug)]
pub struct NewRun<'a> {
    pub kind: JobKind,
    pub user: Option<UserId>,
    pub trigger: Trigger,
    pub request_id: Option<&'a str>,
    /// Where it begins, in its own kind's JSON.
    pub cursor: Option<&'a str>,
}

#[derive(Deserialize)]
struct Id {
    id: JobRunId,
}

/// Queues a run; its row has the new `id`. No row: a run of this kind is under way already, for the same user or, where
/// a run has none, at all.
pub fn insert_unless_under_way(new: NewRun<'_>, now: Millis) -> Statement {
    const INSERT: &str = "INSERT INTO job_runs \
          (job_type, status, user_id, started_by, request_id, cursor, created_at, updated_at) \
        SELECT ?1, 'queued', ?2, ?3, ?4, ?5, ?6, ?6 WHERE NOT EXISTS (SELECT 1 FROM job_runs \
          WHERE status IN ('queued', 'running') AND job_type = ?1 AND user_id IS ?2) \
        RETURNING id";
    Statement::new(INSERT)
        .bind(new.kind.as_str())
        .bind(new.user)
        .bind(new.trigger.as_str())
        .bind(new.request_id)
        .bind(new.cursor)
        .bind(now)
}

/// Queues a run; `None` when one of its kind is under way already. Send its message with `jobs::runs::send`.
pub async fn create(db: &dyn Db, new: NewRun<'_>, now: Millis) -> Result<Option<JobRunId>, StoreError> {
    Ok(db.first::<Id>(insert_unless_under_way(new, now)).await?.map(|row| row.id))
}

/// The queued run of a kind for a user, if there is one.
pub async fn queued(db: &dyn Db, kind: JobKind, user: UserId) -> Result<Option<JobRunId>, StoreError> {
    const SELECT: &str = "SELECT id FROM job_runs WHERE status IN ('queued', 'running') AND status = 'queued' \
        AND job_type = ?1 AND user_id = ?2";
    Ok(db.first::<Id>(Statement::new(SELECT).bind(kind.as_str()).bind(user)).await?.map(|row| row.id))
}

/// A row that tells of work which is over already, such as a poll that brought something.
pub struct EndedRun<'a> {
    pub kind: JobKind,
    pub user: UserId,
    pub trigger: Trigger,
    pub status: RunStatus,
    pub attempts: u32,
    pub counts: Counts,
    pub stop_reason: Option<&'static str>,
    pub fault: Option<&'a Fault>,
    pub request_id: Option<&'a str>,
    pub started_at: Millis,
}

/// Tells of work that is over.
pub fn insert_ended(run: &EndedRun<'_>, now: Millis) -> Statement {
    const INSERT: &str = "INSERT INTO job_runs (job_type, status, user_id, started_by, attempts, fetched, inserted, \
          merged, skipped, stop_reason, error_class, error_message, request_id, created_at, started_at, completed_at, \
          updated_at) \
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?14, ?15, ?15)";
    Statement::new(INSERT)
        .bind(run.kind.as_str())
        .bind(run.status.as_str())
        .bind(run.user)
        .bind(run.trigger.as_str())
        .bind(run.attempts)
        .bind(run.counts.fetched)
        .bind(run.counts.inserted)
        .bind(run.counts.merged)
        .bind(run.counts.skipped)
        .bind(run.stop_reason)
        .bind(run.fault.map(|fault| fault.class))
        .bind(run.fault.map(|fault| fault.sentence.as_str()))
        .bind(run.request_id)
        .bind(run.started_at)
        .bind(now)
}

/// A run that this worker, and no other, may work on.
#[derive(Clone, Debug)]
pub struct ClaimedRun {
    pub kind: JobKind,
    pub user: Option<UserId>,
    pub cursor: Option<String>,
    /// Claims since it last moved forward, this one included.
    pub stalled_attempts: i64,
    /// Somebody wants it to end at its next step.
    pub cancel_requested: bool,
    pub lease: RunLease,
}

/// The right to write for a run.
#[derive(Clone, Debug)]
pub struct RunLease {
    pub run: JobRunId,
    pub token: String,
}

#[derive(Deserialize)]
struct ClaimedRow {
    job_type: JobKind,
    user_id: Option<UserId>,
    cursor: Option<String>,
    stalled_attempts: i64,
    #[serde(deserialize_with = "integer_bool")]
    cancel_requested: bool,
}

/// Takes a run that is queued and due. `None`: it ended, is another's, is not due yet, or never was.
pub async fn claim(db: &dyn Db, id: JobRunId, token: String, now: Millis) -> Result<Option<ClaimedRun>, StoreError> {
    const CLAIM: &str = "UPDATE job_runs SET status = 'running', lease_token = ?2, lease_until = ?3, \
          attempts = attempts + 1, stalled_attempts = stalled_attempts + 1, not_before = NULL, \
          started_at = coalesce(started_at, ?4), updated_at = ?4 \
        WHERE id = ?1 AND status = 'queued' AND import_job_id IS NULL AND coalesce(not_before, 0) <= ?4 \
          AND job_type NOT IN (SELECT job_type FROM paused_job_types) \
        RETURNING job_type, user_id, cursor, stalled_attempts, cancel_requested";
    let statement = Statement::new(CLAIM).bind(id).bind(token.as_str()).bind(now.plus_ms(LEASE_MS)).bind(now);
    let row: Option<ClaimedRow> = db.first(statement).await?;
    Ok(row.map(|row| ClaimedRun {
        kind: row.job_type,
        user: row.user_id,
        cursor: row.cursor,
        stalled_attempts: row.stalled_attempts,
        cancel_requested: row.cancel_requested,
        lease: RunLease { run: id, token },
    }))
}

/// How a worker's lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// Go on.
    Held,
    /// End at this step.
    CancelRequested,
    /// All runs of its kind are paused: give it back at this step.
    Paused,
    /// Another works on it, or nobody may any more: write nothing.
    Lost,
}

impl RunLease {
    /// Undoes the batch it opens when the run is no longer this worker's.
    pub fn assertion(&self) -> Statement {
        assert_that("EXISTS (SELECT 1 FROM job_runs WHERE id = ?1 AND status = 'running' AND lease_token = ?2)")
            .bind(self.run)
            .bind(self.token.as_str())
    }

    /// Keeps the lease alive and asks whether to go on.
    pub async fn heartbeat(&self, db: &dyn Db, now: Millis) -> Result<Heartbeat, StoreError> {
        Self::read_beat(db.run(self.beat(now)).await?)
    }

    /// The same for a batch of the worker's own; [`RunLease::read_beat`] reads its rows.
    pub fn beat(&self, now: Millis) -> Statement {
        const BEAT: &str = "UPDATE job_runs SET lease_until = ?3, updated_at = ?4 \
            WHERE id = ?1 AND status = 'running' AND lease_token = ?2 RETURNING cancel_requested, \
              job_type IN (SELECT job_type FROM paused_job_types) AS is_paused";
        let until = now.plus_ms(LEASE_MS);
        Statement::new(BEAT).bind(self.run).bind(self.token.as_str()).bind(until).bind(now)
    }

    pub fn read_beat(rows: Rows) -> Result<Heartbeat, StoreError> {
        #[derive(Deserialize)]
        struct Flags {
            #[serde(deserialize_with = "integer_bool")]
            cancel_requested: bool,
            #[serde(deserialize_with = "integer_bool")]
            is_paused: bool,
        }
        Ok(match rows.first::<Flags>()? {
            None => Heartbeat::Lost,
            Some(Flags { cancel_requested: true, .. }) => Heartbeat::CancelRequested,
            Some(Flags { is_paused: true, .. }) => Heartbeat::Paused,
            Some(_) => Heartbeat::Held,
        })
    }

    /// A step is done: adds to the counts, moves the cursor (`None` leaves it) and keeps the lease alive.
    pub fn progress(&self, done: Counts, cursor: Option<&str>, now: Millis) -> Statement {
        const PROGRESS: &str = "UPDATE job_runs SET fetched = fetched + CAST(?3 AS INTEGER), \
              inserted = inserted + CAST(?4 AS INTEGER), merged = merged + CAST(?5 AS INTEGER), \
              skipped = skipped + CAST(?6 AS INTEGER), cursor = coalesce(?7, cursor), lease_until = ?8, \
              stalled_attempts = 0, error_class = NULL, error_message = NULL, updated_at = ?9 \
            WHERE id = ?1 AND lease_token = ?2";
        Statement::new(PROGRESS)
            .bind(self.run)
            .bind(self.token.as_str())
            .bind(done.fetched)
            .bind(done.inserted)
            .bind(done.merged)
            .bind(done.skipped)
            .bind(cursor)
            .bind(now.plus_ms(LEASE_MS))
            .bind(now)
    }

    /// Ends the run for good.
    pub fn finish(
        &self,
        status: RunStatus,
        stop_reason: Option<&str>,
        fault: Option<&Fault>,
        now: Millis,
    ) -> Statement {
        const FINISH: &str = "UPDATE job_runs SET status = ?3, stop_reason = ?4, error_class = ?5, error_message = ?6, \
              lease_token = NULL, lease_until = NULL, not_before = NULL, completed_at = ?7, updated_at = ?7 \
            WHERE id = ?1 AND status = 'running' AND lease_token = ?2";
        Statement::new(FINISH)
            .bind(self.run)
            .bind(self.token.as_str())
            .bind(status.as_str())
            .bind(stop_reason)
            .bind(fault.map(|fault| fault.class))
            .bind(fault.map(|fault| fault.sentence.as_str()))
            .bind(now)
    }

    /// Gives the run back without ending it; it is not claimed again before `not_before`.
    pub fn give_back(
        &self,
        not_before: Option<Millis>,
        stop_reason: Option<&str>,
        fault: Option<&Fault>,
        now: Millis,
    ) -> Statement {
        const GIVE_BACK: &str = "UPDATE job_runs SET status = 'queued', lease_token = NULL, lease_until = NULL, \
              not_before = ?3, stop_reason = ?4, error_class = ?5, error_message = ?6, updated_at = ?7 \
            WHERE id = ?1 AND status = 'running' AND lease_token = ?2";
        Statement::new(GIVE_BACK)
            .bind(self.run)
            .bind(self.token.as_str())
            .bind(not_before)
            .bind(stop_reason)
            .bind(fault.map(|fault| fault.class))
            .bind(fault.map(|fault| fault.sentence.as_str()))
            .bind(now)
    }
}

/// What the sweep found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Queued runs that are due and that nobody has touched for a minute: each gets a message.
    pub due: Vec<JobRunId>,
    /// Runs whose worker fell silent. They are queued again.
    pub taken_back: Vec<JobRunId>,
    /// Runs that fell silent once too often. They ended in `error`.
    pub given_up: Vec<JobRunId>,
}

/// Takes runs back from workers that fell silent, gives up those that never get anywhere, and lists what is due.
///
/// Runs of a paused kind wait, and so does the sync of a paused user: they are listed once that is resumed.
pub async fn sweep(db: &dyn Db, now: Millis) -> Result<Swept, StoreError> {
    const GIVE_UP: &str = "UPDATE job_runs SET status = 'error', lease_token = NULL, lease_until = NULL, \
          error_class = 'interrupted', \
          error_message = 'The run was interrupted again and again without getting anywhere, and was given up.', \
          completed_at = ?1, updated_at = ?1 \
        WHERE status IN ('queued', 'running') AND status = 'running' AND lease_until <= ?1 \
          AND stalled_attempts >= CAST(?2 AS INTEGER) RETURNING id";
    const TAKE_BACK: &str = "UPDATE job_runs SET status = 'queued', lease_token = NULL, lease_until = NULL, \
          error_class = 'interrupted', error_message = 'The run was interrupted and goes on where it was.', \
          updated_at = ?1 - 60000 \
        WHERE status IN ('queued', 'running') AND status = 'running' AND lease_until <= ?1 RETURNING id";
    const DUE: &str = "SELECT id FROM job_runs WHERE status IN ('queued', 'running') AND status = 'queued' \
          AND import_job_id IS NULL AND updated_at <= ?1 - 60000 AND coalesce(not_before, 0) <= ?1 \
          AND job_type NOT IN (SELECT job_type FROM paused_job_types) \
          AND NOT (job_type = 'initial_sync' AND EXISTS \
            (SELECT 1 FROM sync_states WHERE sync_states.user_id = job_runs.user_id AND paused_at IS NOT NULL)) \
        ORDER BY id LIMIT 100";
    let mut results = db
        .batch(vec![
            Statement::new(GIVE_UP).bind(now).bind(MAX_STALLED_ATTEMPTS),
            Statement::new(TAKE_BACK).bind(now),
            Statement::new(DUE).bind(now),
        ])
        .await?
        .into_iter();
    let mut ids = || Ok(results.next().unwrap_or_default().all::<Id>()?.into_iter().map(|row| row.id).collect());
    Ok(Swept { given_up: ids()?, taken_back: ids()?, due: ids()? })
}
