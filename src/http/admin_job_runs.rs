//! `/admin/job-runs` and `/admin/job-types`: what was worked on, how it went, and taking a hand in it.

pub mod many;

use axum::{
    Json,
    extract::Path,
    http::{StatusCode, Uri},
};
use serde::Serialize;

use super::{
    admin_imports,
    admin_sync::ActionResult,
    paginated::NewestFirst,
    path_id::{missing, path_id},
    query::{BEFORE_ID, LIMIT, OFFSET, Parameter, Query, SINCE, UNTIL, USER_ID},
};
use crate::{
    app::App,
    domain::{
        ids::{ImportJobId, JobRunId, UserId},
        instant::Millis,
    },
    error::AppError,
    jobs::runs,
    store::{
        audit::{Actor, Change},
        job_runs::{
            JobKind, RunStatus, Trigger,
            changes::{self, Cancellation, Retrial},
        },
        run_list::{self, Around, EqualErrors, Filter, PausedType, RunRow, StateCount},
    },
};

/// A run as the list shows it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunView {
    id: JobRunId,
    user_id: Option<UserId>,
    job_type: JobKind,
    status: RunStatus,
    /// Who or what asked for it.
    trigger: Trigger,
    import_job_id: Option<ImportJobId>,
    /// The run that this one tries again.
    retry_of: Option<JobRunId>,
    attempts: i64,
    records_fetched: i64,
    records_inserted: i64,
    records_merged: i64,
    records_skipped: i64,
    stop_reason: Option<String>,
    error_class: Option<String>,
    error_message: Option<String>,
    /// It ends at its next step.
    cancel_requested: bool,
    /// It is not begun again before this instant.
    not_before: Option<Millis>,
    created_at: Millis,
    started_at: Option<Millis>,
    completed_at: Option<Millis>,
    /// From its beginning to its end, or to now while it runs.
    duration_ms: Option<i64>,
    /// The request that asked for it: the same id stands in its log rows.
    request_id: Option<String>,
}

fn view(run: RunRow, now: Millis) -> RunView {
    let until = run.completed_at.unwrap_or(now);
    RunView {
        id: run.id,
        user_id: run.user_id,
        job_type: run.job_type,
        status: run.status,
        trigger: run.started_by,
        import_job_id: run.import_job_id,
        retry_of: run.retry_of,
        attempts: run.attempts,
        records_fetched: run.fetched,
        records_inserted: run.inserted,
        records_merged: run.merged,
        records_skipped: run.skipped,
        stop_reason: run.stop_reason,
        error_class: run.error_class,
        error_message: run.error_message,
        cancel_requested: run.cancel_requested,
        not_before: run.not_before,
        created_at: run.created_at,
        started_at: run.started_at,
        completed_at: run.completed_at,
        duration_ms: run.started_at.map(|started| until.since_ms(started)),
        request_id: run.request_id,
    }
}

/// One run with what lies around it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunDetail {
    #[serde(flatten)]
    run: RunView,
    /// How long it waited for its first attempt.
    waited_ms: Option<i64>,
    /// When it last moved.
    updated_at: Millis,
    /// Until when its worker may be silent.
    lease_until: Option<Millis>,
    /// Its worker fell silent; the sweep takes the run back within a minute.
    is_stuck: bool,
    /// The run that tried this one again.
    retried_by: Option<JobRunId>,
    /// Runs that ended with the same error, this one included, among the newest 10,000.
    same_error_count: i64,
    /// Where its log rows are.
    logs: String,
    /// Where the log rows of the request are that asked for it.
    request_logs: Option<String>,
}

fn detail(around: Around, now: Millis) -> RunDetail {
    let Around { run, retried_by, same_error } = around;
    let logs = match run.import_job_id {
        Some(import) => format!("/admin/logs?import_job_id={import}"),
        None => format!("/admin/logs?job_run_id={}", run.id),
    };
    RunDetail {
        waited_ms: run.started_at.map(|started| started.since_ms(run.created_at)),
        updated_at: run.updated_at.max(run.created_at),
        lease_until: run.lease_until,
        is_stuck: run.lease_until.is_some_and(|until| until <= now),
        retried_by,
        same_error_count: same_error,
        logs,
        request_logs: run.request_id.as_ref().map(|id| format!("/admin/logs?request_id={id}")),
        run: view(run, now),
    }
}

const JOB_TYPE: Parameter = Parameter::one_of("job_type", &JobKind::NAMES, "Only runs of this kind.");
const STATUS: Parameter = Parameter::one_of("status", &RunStatus::NAMES, "Only runs in this state.");
const TRIGGER: Parameter = Parameter::one_of("trigger", &Trigger::NAMES, "Only runs that this asked for.");
const Q: Parameter = Parameter::text("q", 200, "A literal part of the error, its class or the stop reason.");

pub const PARAMETERS: &[Parameter] = &[LIMIT, OFFSET, USER_ID, JOB_TYPE, STATUS, TRIGGER, SINCE, UNTIL, Q, BEFORE_ID];

/// What narrows a list of runs.
fn filter(query: &Query) -> Filter {
    let text = |name: &str| query.get(name).map(str::to_owned);
    Filter {
        user: query.number("user_id").map(UserId),
        job_type: text("job_type"),
        status: text("status"),
        trigger: text("trigger"),
        since: query.instant("since"),
        until: query.instant("until"),
        q: text("q"),
    }
}

/// GET /admin/job-runs: newest first.
pub async fn list(app: App, uri: Uri) -> Result<Json<NewestFirst<RunView>>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let (page, part) = query.part()?;
    let walked = run_list::list(&*app.db, &filter(&query), part).await?;
    let now = app.now();
    Ok(Json(NewestFirst::new(walked, page, |run| view(run, now))))
}

/// GET /admin/job-runs/{id}.
pub async fn show(app: App, Path(id): Path<String>) -> Result<Json<RunDetail>, AppError> {
    Ok(Json(detail(find(&app, &id).await?, app.now())))
}

async fn find(app: &App, id: &str) -> Result<Around, AppError> {
    let number = JobRunId(path_id("Job run", id)?);
    run_list::find(&*app.db, number).await?.ok_or_else(|| missing("Job run", id))
}

/// POST /admin/job-runs/{id}/cancel: a queued run at once, a running one at its next step.
///
/// # Errors
/// 404: no such run. 409: it has ended.
pub async fn cancel(app: App, actor: Actor, Path(id): Path<String>) -> Result<Json<RunDetail>, AppError> {
    let Around { run, .. } = find(&app, &id).await?;
    if let Some(import) = run.import_job_id {
        drop(admin_imports::cancel(app.clone(), Path(import.to_string()), actor).await?);
        return show(app, Path(id)).await;
    }
    let before = serde_json::json!({"status": run.status});
    let change = of_run("job_run.cancel", &run).before(&before);
    let record = actor.made_where(&changes::can_be_cancelled(run.id), change, app.now());
    match changes::cancel(&*app.db, run.id, Some(record), app.now()).await? {
        Cancellation::Cancelled | Cancellation::Requested => {}
        Cancellation::HasEnded(status) => {
            let sentence = format!("Job run {id} has ended with {}; there is nothing to cancel.", status.as_str());
            return Err(AppError::Conflict(sentence));
        }
        Cancellation::BelongsToImport => return Err(AppError::Internal("a run without an import belongs to one")),
        Cancellation::Unknown => return Err(missing("Job run", &id)),
    }
    tracing::info!(job_run_id = run.id.0, "A run was cancelled by hand");
    show(app, Path(id)).await
}

/// POST /admin/job-runs/{id}/retry: a new run that goes on where this one ended.
///
/// # Errors
/// 404: no such run. 409: it succeeded, has not ended, or another of its kind is under way.
pub async fn retry(app: App, actor: Actor, Path(id): Path<String>) -> Result<(StatusCode, Json<RunDetail>), AppError> {
    let Around { run, .. } = find(&app, &id).await?;
    if let Some(import) = run.import_job_id {
        drop(admin_imports::retry(app.clone(), Path(import.to_string()), actor).await?);
        return Ok((StatusCode::ACCEPTED, show(app, Path(id)).await?));
    }
    let now = app.now();
    let record = actor.made_where(&changes::was_queued_again(run.id, now), of_run("job_run.retry", &run), now);
    let refused = |sentence: String| Err(AppError::Conflict(sentence));
    match changes::retry(&*app.db, run.id, Some(&actor.request_id), Some(record), now).await? {
        Retrial::Queued(new) => {
            runs::send(&app, new).await;
            tracing::info!(job_run_id = new.0, retry_of = run.id.0, "A run is tried again by hand");
            Ok((StatusCode::ACCEPTED, show(app, Path(new.to_string())).await?))
        }
        Retrial::IsUnderWay => refused(format!(
            "Job run {id} has not ended, or another {} run is under way; wait for it or cancel it.",
            run.job_type.as_str()
        )),
        Retrial::HasSucceeded => refused(format!("Job run {id} succeeded; there is nothing to try again.")),
        Retrial::NotOfThisKind(kind) => refused(format!(
            "A {} is not tried again by its run: the clock does it, and trigger-sync of its user does it now.",
            kind.as_str()
        )),
        Retrial::Unknown => Err(missing("Job run", &id)),
    }
}

fn of_run(action: &'static str, run: &RunRow) -> Change {
    let change = Change::new(action, format!("job-runs/{}", run.id));
    match run.user_id {
        Some(user) => change.of_user(user),
        None => change,
    }
}

/// All runs at a glance.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Overview {
    job_types: Vec<JobTypeView>,
    /// Errors of runs, equal ones counted, the most frequent first.
    errors: Vec<ErrorView>,
    /// Dead letters that were not sent again.
    dead_letters: i64,
}

/// A kind of work with its runs by state.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct JobTypeView {
    job_type: JobKind,
    /// Set while nobody may begin such work.
    paused_at: Option<Millis>,
    queued: i64,
    /// Of the queued ones: those that failed before.
    retrying: i64,
    running: i64,
    success: i64,
    partial: i64,
    error: i64,
    cancelled: i64,
    /// Where its runs are listed.
    runs: String,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct ErrorView {
    job_type: JobKind,
    error_class: Option<String>,
    error_message: String,
    count: i64,
    latest_job_run_id: JobRunId,
    latest_at: Millis,
}

impl From<EqualErrors> for ErrorView {
    fn from(errors: EqualErrors) -> Self {
        Self {
            job_type: errors.job_type,
            error_class: errors.error_class,
            error_message: errors.error_message,
            count: errors.runs,
            latest_job_run_id: errors.latest_job_run_id,
            latest_at: errors.latest_at,
        }
    }
}

fn job_type(kind: JobKind, states: &[StateCount], paused: &[PausedType]) -> JobTypeView {
    let own = || states.iter().filter(|state| state.job_type == kind);
    let of = |status: RunStatus| own().filter(|state| state.status == status).map(|state| state.runs).sum();
    JobTypeView {
        job_type: kind,
        paused_at: paused.iter().find(|row| row.job_type == kind).map(|row| row.paused_at),
        queued: of(RunStatus::Queued),
        retrying: own().map(|state| state.retrying).sum(),
        running: of(RunStatus::Running),
        success: of(RunStatus::Success),
        partial: of(RunStatus::Partial),
        error: of(RunStatus::Error),
        cancelled: of(RunStatus::Cancelled),
        runs: format!("/admin/job-runs?job_type={}", kind.as_str()),
    }
}

/// GET /admin/job-types.
pub async fn overview(app: App, uri: Uri) -> Result<Json<Overview>, AppError> {
    Query::declared(&uri, &[])?;
    let found = run_list::overview(&*app.db).await?;
    let job_types = JobKind::ALL.into_iter().map(|kind| job_type(kind, &found.states, &found.paused)).collect();
    let errors = found.errors.into_iter().map(ErrorView::from).collect();
    Ok(Json(Overview { job_types, errors, dead_letters: found.dead_letters }))
}

/// POST /admin/job-types/{job_type}/pause: no such work begins until it is resumed; what is in hand is given
/// back at its next step.
pub async fn pause(app: App, actor: Actor, Path(name): Path<String>) -> Result<Json<ActionResult>, AppError> {
    set_paused(&app, &actor, &name, true).await
}

/// POST /admin/job-types/{job_type}/resume: the sweep sends what waits within two minutes.
pub async fn resume(app: App, actor: Actor, Path(name): Path<String>) -> Result<Json<ActionResult>, AppError> {
    set_paused(&app, &actor, &name, false).await
}

async fn set_paused(app: &App, actor: &Actor, name: &str, is_paused: bool) -> Result<Json<ActionResult>, AppError> {
    let kind = JobKind::ALL.into_iter().find(|kind| kind.as_str() == name);
    let kind = kind.ok_or_else(|| missing("Job type", name))?;
    let action = if is_paused { "job_type.pause" } else { "job_type.resume" };
    let change = Change::new(action, format!("job-types/{name}"));
    let record = |guard: &str| actor.made_where(guard, change, app.now());
    let success = run_list::set_paused(&*app.db, kind, is_paused, record, app.now()).await?;
    let message = match (is_paused, success) {
        (true, true) => format!("Work of type {name} is paused"),
        (true, false) => format!("Work of type {name} was paused already"),
        (false, true) => format!("Work of type {name} goes on"),
        (false, false) => format!("Work of type {name} was not paused"),
    };
    Ok(Json(ActionResult { success, message }))
}

#[cfg(test)]
mod tests;
