//! Many runs at once, as a person chooses them: by their ids, or all that a list shows.
//!
//! Must stay true: a request changes no more than [`MOST_AT_ONCE`] runs, the newest first, in one batch with a row in the
//! audit for each; what could not be done to a run is counted by why; nothing is done that the run's own route would refuse. A run that
//! was tried again already is left alone, so that asking for all failed runs twice does not double them.

use serde::{Deserialize, Serialize};

use super::{
    Db, JobRunId, Millis, Statement, StoreError,
    changes::{ask_running, end_queued},
};
use crate::store::{
    audit::Actor,
    log_search::SEARCHED_ROWS,
    run_list::{Filter, MATCHES},
};

/// Runs that one request changes.
pub const MOST_AT_ONCE: usize = 100;

/// What is to be done to runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Cancel,
    Retry,
}

/// Which runs.
#[derive(Clone, Debug)]
pub enum Chosen {
    Ids(Vec<JobRunId>),
    /// Those of the newest [`SEARCHED_ROWS`] that match.
    Matching(Filter),
}

/// Why nothing is done to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    HasEnded,
    HasNotEnded,
    HasSucceeded,
    BelongsToImport,
    IsAPoll,
    WasTriedAgain,
    IsUnderWay,
    NewerOneGoesOn,
    /// Somebody else was faster.
    HasChanged,
    Unknown,
}

impl Refusal {
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::HasEnded => "The run has ended; there is nothing to cancel.",
            Self::HasNotEnded => "The run has not ended; wait for it or cancel it.",
            Self::HasSucceeded => "The run succeeded; there is nothing to try again.",
            Self::BelongsToImport => "The run is an import's: cancel or retry the import.",
            Self::IsAPoll => "A poll is not tried again by its run: the clock does it.",
            Self::WasTriedAgain => "The run was tried again already.",
            Self::IsUnderWay => "Another run of this kind is under way for the same user.",
            Self::NewerOneGoesOn => "A newer run of this kind, for the same user, is tried again instead.",
            Self::HasChanged => "The run changed meanwhile; look at it again.",
            Self::Unknown => "There is no such run.",
        }
    }
}

/// What was done to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was queued, and is cancelled.
    Cancelled,
    /// It is running, and ends at its next step.
    CancelRequested,
    /// It is tried again by a new run.
    TriedAgain,
}

/// A run to which something was done.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DoneRun {
    pub job_run_id: JobRunId,
    pub outcome: Outcome,
    /// The run that tries it again.
    pub new_job_run_id: Option<JobRunId>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct ManyDone {
    pub done: Vec<DoneRun>,
    /// Runs to which nothing was done, by why.
    pub refused: Vec<(Refusal, i64)>,
    /// Runs to which it could be done as well, beyond what one request does.
    pub left: i64,
}

/// What can be done to a run: `NULL`, it can; else a [`Refusal`].
const fn verdict(action: Action) -> &'static str {
    match action {
        Action::Cancel => {
            "CASE WHEN status NOT IN ('queued', 'running') THEN 'has_ended' \
               WHEN import_job_id IS NOT NULL THEN 'belongs_to_import' END"
        }
        Action::Retry => {
            "CASE WHEN status IN ('queued', 'running') THEN 'has_not_ended' \
               WHEN status = 'success' THEN 'has_succeeded' \
               WHEN import_job_id IS NOT NULL OR job_type = 'import_zip' THEN 'belongs_to_import' \
               WHEN job_type = 'poll' THEN 'is_a_poll' \
               WHEN id IN (SELECT retry_of FROM job_runs WHERE retry_of IS NOT NULL) THEN 'was_tried_again' \
               WHEN EXISTS (SELECT 1 FROM job_runs AS other WHERE other.status IN ('queued', 'running') \
                 AND other.job_type = run.job_type AND other.user_id IS run.user_id) THEN 'is_under_way' END"
        }
    }
}

/// A common table `judged` of runs (`id`, `verdict`). The newest of a kind goes on for all of the same user's.
fn judged(action: Action, from: &str, condition: &str) -> String {
    let first = format!("SELECT run.*, {} AS verdict FROM {from} AS run WHERE {condition}", verdict(action));
    match action {
        Action::Cancel => format!("WITH judged AS ({first})"),
        Action::Retry => format!(
            "WITH first AS ({first}), \
             ranked AS (SELECT *, row_number() OVER (PARTITION BY verdict, job_type, user_id ORDER BY id DESC) AS place \
               FROM first), \
             judged AS (SELECT id, job_type, user_id, cursor, \
               iif(verdict IS NULL AND place > 1, 'newer_one_goes_on', verdict) AS verdict FROM ranked)"
        ),
    }
}

const AMONG: &str = "id IN (SELECT CAST(value AS INTEGER) FROM json_each(?1))";

/// Does it to those of the chosen runs to which it can be done.
pub async fn change(
    db: &dyn Db,
    action: Action,
    chosen: &Chosen,
    actor: &Actor,
    now: Millis,
) -> Result<ManyDone, StoreError> {
    let (able, mut refused, matched) = judge(db, action, chosen).await?;
    let left = matched - refused.iter().map(|(_, count)| count).sum::<i64>() - i64::try_from(able.len()).unwrap_or(0);
    if let Chosen::Ids(ids) = chosen {
        refused.push((Refusal::Unknown, i64::try_from(ids.len()).unwrap_or(0) - matched));
    }
    let done = if able.is_empty() { Vec::new() } else { carry_out(db, action, &able, actor, now).await? };
    refused.push((Refusal::HasChanged, i64::try_from(able.len().saturating_sub(done.len())).unwrap_or(0)));
    refused.retain(|(_, count)| *count > 0);
    Ok(ManyDone { done, refused, left })
}

/// The runs to which it can be done, as many as one request does; the others, counted by why; and how many there are of both.
async fn judge(
    db: &dyn Db,
    action: Action,
    chosen: &Chosen,
) -> Result<(Vec<JobRunId>, Vec<(Refusal, i64)>, i64), StoreError> {
    #[derive(Deserialize)]
    struct Able {
        id: JobRunId,
    }
    #[derive(Deserialize)]
    struct Judged {
        verdict: Option<Refusal>,
        runs: i64,
    }
    let newest = format!("(SELECT * FROM job_runs ORDER BY id DESC LIMIT {SEARCHED_ROWS})");
    let choosing = |rest: &str| match chosen {
        Chosen::Ids(ids) => Statement::new(format!("{} {rest}", judged(action, "job_runs", AMONG))).bind(listed(ids)),
        Chosen::Matching(filter) => filter.bind(Statement::new(format!("{} {rest}", judged(action, &newest, MATCHES)))),
    };
    let able = format!("SELECT id FROM judged WHERE verdict IS NULL ORDER BY id DESC LIMIT {MOST_AT_ONCE}");
    let counted = "SELECT verdict, count(*) AS runs FROM judged GROUP BY verdict ORDER BY verdict";
    let mut results = db.batch(vec![choosing(&able), choosing(counted)]).await?;
    let counted: Vec<Judged> = results.pop().unwrap_or_default().all()?;
    let able: Vec<Able> = results.pop().unwrap_or_default().all()?;
    let matched = counted.iter().map(|judged| judged.runs).sum();
    let refused = counted.into_iter().filter_map(|judged| Some((judged.verdict?, judged.runs))).collect();
    Ok((able.into_iter().map(|row| row.id).collect(), refused, matched))
}

/// Ids as a JSON list.
fn listed(ids: &[JobRunId]) -> String {
    serde_json::to_string(ids).unwrap_or_default()
}

/// The batch. It looks again whether it can be done: whoever was faster is not overruled.
async fn carry_out(
    db: &dyn Db,
    action: Action,
    ids: &[JobRunId],
    actor: &Actor,
    now: Millis,
) -> Result<Vec<DoneRun>, StoreError> {
    let ids = listed(ids);
    let statements = match action {
        Action::Cancel => cancelling(&ids, actor, now),
        Action::Retry => retrying(&ids, actor, now),
    };
    let mut done = Vec::new();
    for rows in db.batch(statements).await? {
        done.extend(rows.all::<DoneRun>()?);
    }
    done.sort_by_key(|run| std::cmp::Reverse(run.job_run_id));
    Ok(done)
}

fn cancelling(ids: &str, actor: &Actor, now: Millis) -> Vec<Statement> {
    const CANCELLED: &str = "id AS job_run_id, 'cancelled' AS outcome, NULL AS new_job_run_id";
    const REQUESTED: &str = "id AS job_run_id, 'cancel_requested' AS outcome, NULL AS new_job_run_id";
    const IS_MEANT: &str = "id IN (SELECT CAST(value AS INTEGER) FROM json_each(?6)) \
        AND status IN ('queued', 'running') AND import_job_id IS NULL";
    vec![
        actor.made_to_runs("job_run.cancel", IS_MEANT, now).bind(ids),
        Statement::new(end_queued(AMONG, CANCELLED)).bind(ids).bind(now),
        Statement::new(ask_running(AMONG, REQUESTED)).bind(ids).bind(now),
    ]
}

fn retrying(ids: &str, actor: &Actor, now: Millis) -> Vec<Statement> {
    let insert = format!(
        "INSERT INTO job_runs (job_type, status, user_id, started_by, request_id, cursor, retry_of, created_at, updated_at) \
         {} SELECT job_type, 'queued', user_id, 'retry', ?2, cursor, id, ?3, ?3 FROM judged WHERE verdict IS NULL \
         RETURNING retry_of AS job_run_id, 'tried_again' AS outcome, id AS new_job_run_id",
        judged(Action::Retry, "job_runs", AMONG)
    );
    // The new runs are the last ones of the table.
    let is_meant = format!(
        "id IN (SELECT retry_of FROM job_runs WHERE id > (SELECT max(id) FROM job_runs) - {MOST_AT_ONCE} \
           AND created_at = ?1 AND request_id = ?4 AND retry_of IN (SELECT CAST(value AS INTEGER) FROM json_each(?6)))"
    );
    vec![
        Statement::new(insert).bind(ids).bind(actor.request_id.as_str()).bind(now),
        actor.made_to_runs("job_run.retry", &is_meant, now).bind(ids),
    ]
}
