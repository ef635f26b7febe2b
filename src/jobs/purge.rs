//! Clearing log rows, ended runs, dead letters and the record of changes that are older than they are kept.
//!
//! Must stay true: a step deletes and counts in one batch under the run's lease; a run that is interrupted goes on, and its
//! counts are what was deleted.

use super::runs::{self, RunEnd};
use crate::{
    app::App,
    domain::{
        ids::JobRunId,
        instant::{DAY_MS, Millis},
    },
    error::AppError,
    store::{
        StoreError,
        audit::{Actor, Change},
        job_runs::{self, ClaimedRun, Counts, Heartbeat, JobKind, NewRun, Trigger},
        purge::{Deleted, Purge},
    },
};

/// Steps of one share of work; the next message goes on.
const STEPS_PER_RUN: u32 = 25;

/// A purge of what is this old.
pub fn older_than(app: &App, days: u32, now: Millis) -> Purge {
    let before = |days: u32| now.minus_ms(i64::from(days) * DAY_MS).0;
    Purge {
        before_ms: before(days),
        audit_before_ms: before(app.config.audit_retention_days),
        deleted: Deleted::default(),
    }
}

/// Queues a purge for somebody; `None` when one is under way.
pub async fn queue(app: &App, purge: &Purge, actor: &Actor, days: u32) -> Result<Option<JobRunId>, StoreError> {
    #[derive(serde::Deserialize)]
    struct Id {
        id: JobRunId,
    }
    let (cursor, now) = (serde_json::to_string(purge).unwrap_or_default(), app.now());
    let run = NewRun {
        kind: JobKind::PurgeLogs,
        user: None,
        trigger: Trigger::Admin,
        request_id: Some(&actor.request_id),
        cursor: Some(&cursor),
    };
    let after = serde_json::json!({"older_than_days": days});
    let change = Change::created("logs.purge", "job-runs/", "job_runs").after(&after);
    // Only if the run was queued in this batch: one that was under way before has been attempted, or is not the newest.
    let record = actor.made_where(
        "EXISTS (SELECT 1 FROM job_runs WHERE id = (SELECT max(id) FROM job_runs) AND job_type = 'purge_logs' \
           AND status = 'queued' AND attempts = 0)",
        change,
        now,
    );
    let results = app.db.batch(vec![job_runs::insert_unless_under_way(run, now), record]).await?;
    Ok(results.into_iter().next().unwrap_or_default().first::<Id>()?.map(|row| row.id))
}

/// The clock's purge: by the settings.
pub async fn start_scheduled(app: &App, now: Millis) {
    let purge = older_than(app, app.config.log_retention_days, now);
    let cursor = serde_json::to_string(&purge).unwrap_or_default();
    let run = NewRun {
        kind: JobKind::PurgeLogs,
        user: None,
        trigger: Trigger::Schedule,
        request_id: None,
        cursor: Some(&cursor),
    };
    match job_runs::create(&*app.db, run, now).await {
        Ok(Some(id)) => runs::send(app, id).await,
        Ok(None) => tracing::warn!("Old rows are still being cleared since the last time"),
        Err(error) => tracing::error!(%error, "Clearing old rows could not be begun"),
    }
}

/// Works on a purge.
pub async fn work(app: &App, run: &ClaimedRun) -> Result<RunEnd, AppError> {
    let cursor = run.cursor.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let mut purge: Purge = cursor.ok_or(AppError::Internal("a purge without its cursor"))?;
    for _ in 0..STEPS_PER_RUN {
        let step = purge.count_step(&*app.db).await?;
        if step.sum() == 0 {
            tracing::info!(deleted = purge.deleted.sum(), "Old rows are cleared");
            return Ok(RunEnd::success());
        }
        purge.deleted = purge.deleted.plus(step);
        let cursor = serde_json::to_string(&purge).unwrap_or_default();
        let counts = Counts { fetched: step.sum(), ..Counts::default() };
        let mut statements = vec![run.lease.assertion()];
        statements.extend(purge.step());
        statements.push(run.lease.progress(counts, Some(&cursor), app.now()));
        app.db.batch(statements).await?;
        app.breathe().await;
        match run.lease.heartbeat(&*app.db, app.now()).await? {
            Heartbeat::Held => {}
            Heartbeat::Paused => return Ok(RunEnd::ToBeContinued),
            Heartbeat::CancelRequested => return Ok(RunEnd::cancelled()),
            Heartbeat::Lost => return Err(AppError::Store(StoreError::AssertionFailed)),
        }
    }
    Ok(RunEnd::ToBeContinued)
}
