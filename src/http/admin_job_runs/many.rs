//! `POST /admin/job-runs/cancel` and `/retry`: many runs at once.
//!
//! Which ones stands in the query, as in that of the list: what a list shows is what is changed. Must stay true: without anything that
//! narrows it nothing is changed; what is changed is bounded, and what was not is counted by why.

use axum::{Json, http::Uri};
use serde::Serialize;

use super::{JOB_TYPE, Q, STATUS, TRIGGER, filter};
use crate::{
    app::App,
    domain::ids::JobRunId,
    error::AppError,
    http::{
        path_id::MAX_ID,
        query::{Parameter, Query, SINCE, UNTIL, USER_ID},
    },
    jobs::runs,
    store::{
        audit::Actor,
        job_runs::many::{self, Action, Chosen, DoneRun, MOST_AT_ONCE, Refusal},
    },
};

/// As long as a hundred ids get.
const IDS: Parameter =
    Parameter::text("ids", 1_700, "These runs: 1 to 100 ids with commas between them, and no other parameter.");

pub const PARAMETERS: &[Parameter] = &[IDS, USER_ID, JOB_TYPE, STATUS, TRIGGER, SINCE, UNTIL, Q];

/// What was done to many runs, and what was not.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ManyView {
    /// Runs that were changed: no more than 100, the newest.
    done: usize,
    /// Runs that could be changed as well, beyond those: ask again.
    left: i64,
    /// Runs to which nothing was done.
    refused: Vec<RefusedView>,
    runs: Vec<DoneRun>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct RefusedView {
    reason: Refusal,
    detail: &'static str,
    count: i64,
}

/// POST /admin/job-runs/cancel: queued runs at once, running ones at their next step.
///
/// # Errors
/// 422: nothing says which runs.
pub async fn cancel(app: App, actor: Actor, uri: Uri) -> Result<Json<ManyView>, AppError> {
    change(&app, Action::Cancel, &actor, &uri).await
}

/// POST /admin/job-runs/retry: new runs that go on where those ended.
///
/// # Errors
/// 422: nothing says which runs.
pub async fn retry(app: App, actor: Actor, uri: Uri) -> Result<Json<ManyView>, AppError> {
    change(&app, Action::Retry, &actor, &uri).await
}

async fn change(app: &App, action: Action, actor: &Actor, uri: &Uri) -> Result<Json<ManyView>, AppError> {
    let chosen = chosen(&Query::declared(uri, PARAMETERS)?)?;
    let came = many::change(&*app.db, action, &chosen, actor, app.now()).await?;
    for new in came.done.iter().filter_map(|run| run.new_job_run_id) {
        runs::send(app, new).await;
    }
    let done = came.done.len();
    if done > 0 {
        tracing::info!(runs = done, ?action, "Runs were changed by hand");
    }
    let refused = |(reason, count): (Refusal, i64)| RefusedView { reason, detail: reason.sentence(), count };
    let refused = came.refused.into_iter().map(refused).collect();
    Ok(Json(ManyView { done, left: came.left, refused, runs: came.done }))
}

/// Which runs a query is about.
fn chosen(query: &Query) -> Result<Chosen, AppError> {
    let narrows = PARAMETERS.iter().filter(|parameter| query.get(parameter.name).is_some()).count();
    match (query.get("ids"), narrows) {
        (_, 0) => Err(AppError::invalid("ids", "or another parameter must say which runs are meant")),
        (None, _) => Ok(Chosen::Matching(filter(query))),
        (Some(text), 1) => ids(text).map(Chosen::Ids),
        (Some(_), _) => Err(AppError::invalid("ids", "cannot be combined with another parameter")),
    }
}

fn ids(text: &str) -> Result<Vec<JobRunId>, AppError> {
    let id = |text: &str| text.trim().parse().ok().filter(|id| (1..=MAX_ID).contains(id)).map(JobRunId);
    let mut ids: Vec<JobRunId> = text.split(',').map(id).collect::<Option<_>>().unwrap_or_default();
    ids.sort_unstable();
    ids.dedup();
    if (1..=MOST_AT_ONCE).contains(&ids.len()) {
        Ok(ids)
    } else {
        Err(AppError::invalid("ids", format!("must be 1 to {MOST_AT_ONCE} ids of runs with commas between them")))
    }
}

#[cfg(test)]
mod tests;
