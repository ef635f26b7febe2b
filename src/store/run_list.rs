//! Runs of jobs as people look at them: lists, one in full, and how many there are of each.

use serde::Deserialize;

use super::{
    Db, Statement, StoreError,
    job_runs::{JobKind, RunStatus, Trigger},
    log_search::SEARCHED_ROWS,
    rows::{Total, integer_bool},
    walk::{HasId, Listed, Part, Walked, walk},
};
use crate::domain::{
    ids::{ImportJobId, JobRunId, UserId},
    instant::Millis,
};

/// A row of `job_runs`.
#[derive(Clone, Debug, Deserialize)]
pub struct RunRow {
    pub id: JobRunId,
    pub job_type: JobKind,
    pub status: RunStatus,
    pub user_id: Option<UserId>,
    pub import_job_id: Option<ImportJobId>,
    pub started_by: Trigger,
    pub request_id: Option<String>,
    pub retry_of: Option<JobRunId>,
    pub attempts: i64,
    pub fetched: i64,
    pub inserted: i64,
    pub merged: i64,
    pub skipped: i64,
    pub stop_reason: Option<String>,
    pub error_class: Option<String>,
    pub error_message: Option<String>,
    #[serde(deserialize_with = "integer_bool")]
    pub cancel_requested: bool,
    pub cursor: Option<String>,
    pub not_before: Option<Millis>,
    pub lease_until: Option<Millis>,
    pub created_at: Millis,
    pub started_at: Option<Millis>,
    pub updated_at: Millis,
    pub completed_at: Option<Millis>,
}

const COLUMNS: &str = "id, job_type, status, user_id, import_job_id, started_by, request_id, retry_of, attempts, \
    fetched, inserted, merged, skipped, stop_reason, error_class, error_message, cancel_requested, cursor, not_before, \
    lease_until, created_at, started_at, updated_at, completed_at";

/// What narrows a list of runs; all that is given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub user: Option<UserId>,
    pub job_type: Option<String>,
    pub status: Option<String>,
    pub trigger: Option<String>,
    /// When the run was asked for.
    pub since: Option<Millis>,
    pub until: Option<Millis>,
    /// A literal part of the error, its class or the stop reason; the case of ASCII letters does not matter.
    pub q: Option<String>,
}

/// The condition of a [`Filter`], whose values [`Filter::bind`] binds.
pub const MATCHES: &str = "(?1 IS NULL OR user_id = ?1) AND (?2 IS NULL OR job_type = ?2) \
    AND (?3 IS NULL OR status = ?3) AND (?4 IS NULL OR started_by = ?4) \
    AND (?5 IS NULL OR created_at >= ?5) AND (?6 IS NULL OR created_at < ?6) \
    AND (?7 IS NULL OR instr(lower(coalesce(error_message, '') || ' ' || coalesce(error_class, '') || ' ' \
      || coalesce(stop_reason, '')), ?7) > 0)";

impl Filter {
    /// Binds what [`MATCHES`] asks for.
    pub fn bind(&self, statement: Statement) -> Statement {
        statement
            .bind(self.user)
            .bind(self.job_type.clone())
            .bind(self.status.clone())
            .bind(self.trigger.clone())
            .bind(self.since)
            .bind(self.until)
            .bind(self.q.as_ref().map(|q| q.to_ascii_lowercase()))
    }
}

impl HasId for RunRow {
    fn id(&self) -> i64 {
        self.id.0
    }
}

/// Runs that match, newest first, a page of them.
pub async fn list(db: &dyn Db, filter: &Filter, part: Part) -> Result<Walked<RunRow>, StoreError> {
    let bind = |statement| filter.bind(statement);
    walk(db, &Listed { table: "job_runs", columns: COLUMNS, matches: MATCHES, bind: &bind }, part).await
}

/// One run with what lies around it.
pub struct Around {
    pub run: RunRow,
    /// The run that tried this one again, if any.
    pub retried_by: Option<JobRunId>,
    /// How many of the newest [`SEARCHED_ROWS`] runs tell of the same error, this one included.
    pub same_error: i64,
}

#[derive(Deserialize)]
struct Id {
    id: JobRunId,
}

pub async fn find(db: &dyn Db, id: JobRunId) -> Result<Option<Around>, StoreError> {
    const RETRIED: &str = "SELECT id FROM job_runs WHERE retry_of = ?1 ORDER BY id DESC LIMIT 1";
    let same = format!(
        "SELECT count(*) AS total FROM job_runs AS this \
         JOIN (SELECT id, job_type, error_message FROM job_runs ORDER BY id DESC LIMIT {SEARCHED_ROWS}) AS other \
           ON other.job_type = this.job_type AND other.error_message = this.error_message WHERE this.id = ?1"
    );
    let run = format!("SELECT {COLUMNS} FROM job_runs WHERE id = ?1");
    let statements =
        vec![Statement::new(run).bind(id), Statement::new(RETRIED).bind(id), Statement::new(same).bind(id)];
    let mut results = db.batch(statements).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();
    let Some(run) = next().first()? else { return Ok(None) };
    let retried_by: Option<Id> = next().first()?;
    let same: Option<Total> = next().first()?;
    Ok(Some(Around { run, retried_by: retried_by.map(|row| row.id), same_error: same.map_or(0, |row| row.total) }))
}

/// How many runs of a kind are in a state.
#[derive(Clone, Debug, Deserialize)]
pub struct StateCount {
    pub job_type: JobKind,
    pub status: RunStatus,
    pub runs: i64,
    /// Queued ones that failed before and wait for another attempt.
    pub retrying: i64,
}

/// Runs that ended with one and the same error.
#[derive(Clone, Debug, Deserialize)]
pub struct EqualErrors {
    pub job_type: JobKind,
    pub error_class: Option<String>,
    pub error_message: String,
    pub runs: i64,
    pub latest_job_run_id: JobRunId,
    pub latest_at: Millis,
}

/// A kind of work that nobody may begin for now.
#[derive(Clone, Debug, Deserialize)]
pub struct PausedType {
    pub job_type: JobKind,
    pub paused_at: Millis,
}

/// All unfinished runs, and the newest [`SEARCHED_ROWS`] of the others, at a glance.
pub struct Overview {
    pub states: Vec<StateCount>,
    pub errors: Vec<EqualErrors>,
    pub paused: Vec<PausedType>,
    pub dead_letters: i64,
}

/// Errors that an overview lists, the most frequent first.
const MAX_ERRORS: u32 = 20;

pub async fn overview(db: &dyn Db) -> Result<Overview, StoreError> {
    // What is unfinished is counted whole, by its index; of what has ended, the newest.
    let newest = format!("SELECT * FROM job_runs ORDER BY id DESC LIMIT {SEARCHED_ROWS}");
    let states = format!(
        "SELECT job_type, status, count(*) AS runs, \
           count(*) FILTER (WHERE status = 'queued' AND error_message IS NOT NULL) AS retrying \
         FROM job_runs WHERE status IN ('queued', 'running') GROUP BY job_type, status \
         UNION ALL SELECT job_type, status, count(*) AS runs, 0 AS retrying \
         FROM ({newest}) WHERE status NOT IN ('queued', 'running') GROUP BY job_type, status"
    );
    let errors = format!(
        "SELECT job_type, max(error_class) AS error_class, error_message, count(*) AS runs, \
           max(id) AS latest_job_run_id, max(updated_at) AS latest_at \
         FROM ({newest}) WHERE error_message IS NOT NULL GROUP BY job_type, error_message \
         ORDER BY runs DESC, latest_job_run_id DESC LIMIT {MAX_ERRORS}"
    );
    let statements = vec![
        Statement::new(states),
        Statement::new(errors),
        Statement::new("SELECT job_type, paused_at FROM paused_job_types ORDER BY job_type"),
        Statement::new("SELECT count(*) AS total FROM dead_letters WHERE resent_at IS NULL"),
    ];
    let mut results = db.batch(statements).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();
    Ok(Overview {
        states: next().all()?,
        errors: next().all()?,
        paused: next().all()?,
        dead_letters: next().first::<Total>()?.map_or(0, |row| row.total),
    })
}

/// Holds a kind of work back, or lets it go on; whether that was a change.
pub async fn set_paused(
    db: &dyn Db,
    kind: JobKind,
    is_paused: bool,
    record: impl FnOnce(&str) -> Statement,
    now: Millis,
) -> Result<bool, StoreError> {
    const PAUSE: &str = "INSERT INTO paused_job_types (job_type, paused_at) VALUES (?1, ?2) \
        ON CONFLICT (job_type) DO NOTHING RETURNING job_type";
    const RESUME: &str = "DELETE FROM paused_job_types WHERE job_type = ?1 RETURNING job_type";
    let negation = if is_paused { "NOT " } else { "" };
    let guard = format!("{negation}EXISTS (SELECT 1 FROM paused_job_types WHERE job_type = '{}')", kind.as_str());
    let change = if is_paused {
        Statement::new(PAUSE).bind(kind.as_str()).bind(now)
    } else {
        Statement::new(RESUME).bind(kind.as_str())
    };
    let changed = db.batch(vec![record(&guard), change]).await?.pop().unwrap_or_default();
    Ok(!changed.rows.is_empty())
}
