//! `/admin/sync-status` and what a person does to collecting: pause, resume, have it begin again.
//!
//! Must stay true: a pause is taken away by a resume alone, never by a new sync; what was done is one batch with its row in
//! the audit; a user who is not connected is told so with `success: false`, as the system before this one did.

use axum::{Json, extract::Path, http::Uri};
use serde::{Deserialize, Serialize};

use super::{admin_users, query::Query};
use crate::{
    app::App,
    domain::{
        ids::{JobRunId, UserId},
        instant::Millis,
    },
    error::AppError,
    jobs::{collecting, runs, schedule::SCHEDULE},
    store::{
        Statement,
        audit::{Actor, Change},
        rows::integer_bool,
        schedule_ticks::{self, ScheduleTick},
        sync_states::{self, SyncState, SyncStatus, Triggered},
    },
};

/// What came of an action.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ActionResult {
    pub success: bool,
    pub message: String,
}

impl ActionResult {
    fn done(message: impl Into<String>) -> Json<Self> {
        Json(Self { success: true, message: message.into() })
    }

    fn not_connected(user: UserId) -> Json<Self> {
        Json(Self { success: false, message: format!("No sync checkpoint for user {user}") })
    }
}

/// The sync state of the user a path names; `None` for one who never was connected.
async fn state_of(app: &App, id: &str) -> Result<(UserId, Option<SyncState>), AppError> {
    let user = admin_users::find(app, id).await?.id;
    Ok((user, sync_states::find(&*app.db, user).await?))
}

/// Makes a change and its row in the audit.
async fn change(
    app: &App,
    actor: &Actor,
    action: &'static str,
    user: UserId,
    statement: Statement,
) -> Result<(), AppError> {
    let change = Change::new(action, format!("users/{user}")).of_user(user);
    app.db.batch(vec![statement, actor.made(change, app.now())]).await?;
    Ok(())
}

/// POST /admin/users/{id}/pause: nothing is collected for this user; a sync that is at work stops at its next step.
pub async fn pause(app: App, actor: Actor, Path(id): Path<String>) -> Result<Json<ActionResult>, AppError> {
    let (user, state) = state_of(&app, &id).await?;
    match state {
        None => Ok(ActionResult::not_connected(user)),
        Some(state) if state.paused_at.is_some() => Ok(ActionResult::done("User already paused")),
        Some(_) => {
            change(&app, &actor, "user.pause", user, sync_states::pause(user, app.now())).await?;
            Ok(ActionResult::done("User sync paused"))
        }
    }
}

/// POST /admin/users/{id}/resume: takes a pause and a failure away, and polls at once.
pub async fn resume(app: App, actor: Actor, Path(id): Path<String>) -> Result<Json<ActionResult>, AppError> {
    let (user, state) = state_of(&app, &id).await?;
    match state {
        None => Ok(ActionResult::not_connected(user)),
        Some(state) if state.paused_at.is_none() && state.error_class.is_none() => {
            Ok(ActionResult::done("User already active"))
        }
        Some(state) => {
            change(&app, &actor, "user.resume", user, sync_states::resume(user, app.now())).await?;
            collecting::start(&app, user).await;
            Ok(ActionResult::done(match state.lost_reason {
                Some(_) => "User sync resumed; it does nothing until the user authorizes again",
                None => "User sync resumed",
            }))
        }
    }
}

/// POST /admin/users/{id}/trigger-sync: the initial sync from the beginning, now. A pause stays.
pub async fn trigger(app: App, actor: Actor, Path(id): Path<String>) -> Result<Json<ActionResult>, AppError> {
    let (user, state) = state_of(&app, &id).await?;
    let Some(state) = state.filter(|state| state.authorized_at.is_some()) else {
        return Ok(ActionResult::not_connected(user));
    };
    if state.status(app.now()) == Some(SyncStatus::NeedsReauth) {
        let sentence = "The user has to authorize again before anything can be synced: send them to /auth/login.";
        return Err(AppError::Conflict(sentence.to_owned()));
    }
    let audit = actor.made(Change::new("user.trigger_sync", format!("users/{user}")).of_user(user), app.now());
    let request_id = Some(actor.request_id.as_str());
    match sync_states::trigger(&*app.db, user, request_id, vec![audit], app.now()).await? {
        Triggered::IsUnderWay => {
            let sentence = "An initial sync of this user is queued or running; cancel its run first, or wait for it.";
            Err(AppError::Conflict(sentence.to_owned()))
        }
        Triggered::Queued(_) if state.paused_at.is_some() => {
            Ok(ActionResult::done("User sync reset; it begins when the user is resumed"))
        }
        Triggered::Queued(run) => {
            runs::send(&app, run).await;
            Ok(ActionResult::done("User sync reset and queued"))
        }
    }
}

/// POST /admin/sync/pause: nothing is collected for anyone.
pub async fn pause_everyone(app: App, actor: Actor) -> Result<Json<ActionResult>, AppError> {
    let audit = actor.made(Change::new("sync.pause", "sync"), app.now());
    let results = app.db.batch(vec![sync_states::pause_everyone(app.now()), audit]).await?;
    let is_new = results.first().is_some_and(|rows| !rows.rows.is_empty());
    Ok(ActionResult::done(if is_new { "Sync paused for everyone" } else { "Sync already paused for everyone" }))
}

/// POST /admin/sync/resume: what is due is polled with the next tick. Users who are paused themselves stay so.
pub async fn resume_everyone(app: App, actor: Actor) -> Result<Json<ActionResult>, AppError> {
    let audit = actor.made(Change::new("sync.resume", "sync"), app.now());
    let results = app.db.batch(vec![sync_states::resume_everyone(), audit]).await?;
    let is_new = results.first().is_some_and(|rows| !rows.rows.is_empty());
    Ok(ActionResult::done(if is_new { "Sync resumed for everyone" } else { "Sync was not paused for everyone" }))
}

/// How collecting goes, for everyone.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SyncOverview {
    /// All users, those who are not connected to Spotify included.
    pub total_users: i64,
    pub active_syncs: usize,
    pub paused_users: usize,
    pub error_users: usize,
    /// Users for whom nothing can be done until they authorize again.
    pub needs_reauth: usize,
    /// The last runs that failed, newest first.
    pub recent_errors: Vec<RecentError>,
    pub paused_globally: bool,
    /// Spotify answers no questions of some kind before this.
    pub spotify_blocked_until: Option<Millis>,
    pub schedule: Vec<ScheduleItem>,
}

/// A run that failed.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RecentError {
    pub job_run_id: JobRunId,
    pub user_id: Option<UserId>,
    pub job_type: String,
    pub error_class: Option<String>,
    pub error_message: Option<String>,
    pub started_at: Option<Millis>,
}

/// An entry of the schedule.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ScheduleItem {
    pub name: &'static str,
    pub cron: &'static str,
    pub last_run_at: Option<Millis>,
    pub next_run_at: Millis,
    /// A tick should have come and did not.
    pub overdue: bool,
}

/// GET /admin/sync-status.
pub async fn status(app: App, uri: Uri) -> Result<Json<SyncOverview>, AppError> {
    #[derive(Deserialize)]
    struct Sums {
        total_users: i64,
        blocked_until: Option<Millis>,
        #[serde(deserialize_with = "integer_bool")]
        paused: bool,
    }
    Query::parse(&uri, &[])?;
    let now = app.now();
    let statements = vec![
        sync_states::select_overview(now),
        sync_states::select_all(),
        sync_states::select_recent_errors(),
        schedule_ticks::select(),
    ];
    let mut results = app.db.batch(statements).await?;
    let ticks: Vec<ScheduleTick> = results.pop().unwrap_or_default().all()?;
    let recent_errors: Vec<RecentError> = results.pop().unwrap_or_default().all()?;
    let states: Vec<SyncState> = results.pop().unwrap_or_default().all()?;
    let sums: Option<Sums> = results.pop().unwrap_or_default().first()?;
    let sums = sums.ok_or(AppError::Internal("the overview of collecting has no row"))?;
    let count = |status| states.iter().filter(|state| state.status(now) == Some(status)).count();
    let schedule = SCHEDULE.iter().map(|entry| {
        let last_run_at = ticks.iter().find(|tick| tick.name == entry.name).map(|tick| tick.last_run_at);
        ScheduleItem {
            name: entry.name,
            cron: entry.cron,
            last_run_at,
            next_run_at: entry.next_run_at(now),
            overdue: entry.is_overdue(last_run_at, now),
        }
    });
    Ok(Json(SyncOverview {
        total_users: sums.total_users,
        active_syncs: count(SyncStatus::Syncing),
        paused_users: count(SyncStatus::Paused),
        error_users: count(SyncStatus::Error),
        needs_reauth: count(SyncStatus::NeedsReauth),
        recent_errors,
        paused_globally: sums.paused,
        spotify_blocked_until: sums.blocked_until,
        schedule: schedule.collect(),
    }))
}
