//! `/admin/schedule/{entry}/run`: what the clock does, done now.
//!
//! Must stay true: two people, or two clicks, do not run an entry at once; the clock may come in between, as each step of a tick
//! may be done twice. Clearing old rows has its own route (`admin_maintenance`).

use axum::{Json, extract::Path};
use serde::Serialize;

use super::path_id::missing;
use crate::{
    app::App,
    domain::instant::Millis,
    error::AppError,
    jobs::schedule::{self, SCHEDULE},
    store::{
        audit::{Actor, Change},
        schedule_ticks,
    },
};

/// A run of an entry by hand.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RanNow {
    name: &'static str,
    last_run_at: Millis,
    next_run_at: Millis,
    /// Where its log rows are: what it did, and what failed in it.
    logs: String,
}

/// POST /admin/schedule/{entry}/run: answers when it is done.
///
/// # Errors
/// 404: no such entry. 409: somebody runs it by hand already.
pub async fn run_now(app: App, actor: Actor, Path(name): Path<String>) -> Result<Json<RanNow>, AppError> {
    let entry =
        SCHEDULE.iter().find(|entry| entry.name == name).ok_or_else(|| missing("Entry of the schedule", &name))?;
    let now = app.now();
    let change = Change::new("schedule.run", format!("schedule/{}", entry.name));
    let record = |is_free: &str| actor.made_where(is_free, change, now);
    if !schedule_ticks::begin_by_hand(&*app.db, entry.name, record, now).await? {
        return Err(AppError::Conflict(format!("The {} is running already; wait until it is done.", entry.name)));
    }
    schedule::work(&app, entry.cron, now).await;
    app.db.run(schedule_ticks::ended_by_hand(entry.name, now)).await?;
    let logs = format!("/admin/logs?request_id={}", actor.request_id);
    Ok(Json(RanNow { name: entry.name, last_run_at: now, next_run_at: entry.next_run_at(now), logs }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{TestApp, test_app::NOW};

    fn run(app: &TestApp, entry: &str) -> crate::testing::test_app::Answer {
        app.admin("POST", &format!("/admin/schedule/{entry}/run"), "")
    }

    #[test]
    fn the_sweep_sends_what_is_stuck_when_somebody_asks_for_it() {
        let app = TestApp::new();
        let sql = "INSERT INTO job_runs (id, job_type, status, started_by, created_at, cursor) \
            VALUES (7, 'purge_logs', 'queued', 'admin', 0, '{\"before_ms\":0,\"audit_before_ms\":0,\"deleted\":\
              {\"log_entries\":0,\"job_runs\":0,\"dead_letters\":0,\"audit_entries\":0}}')";
        app.db.with(|connection| connection.execute_batch(sql)).unwrap();
        let ran = run(&app, "sweep");
        assert_eq!(ran.status, 200, "{}", ran.json());
        assert_eq!(
            (&ran.json()["name"], &ran.json()["last_run_at"]),
            (&json!("sweep"), &json!("2026-11-23T12:00:00Z"))
        );
        assert_eq!(ran.json()["next_run_at"], "2026-11-23T12:01:00Z");
        assert_eq!(app.queue.len(), 1);
        app.drain();
        assert_eq!(app.get("/admin/job-runs/7").json()["status"], "success");
        let schedule = app.get("/admin/sync-status").json()["schedule"].clone();
        assert_eq!(schedule[0]["last_run_at"], "2026-11-23T12:00:00Z");
        let audit = app.get("/admin/audit?target=schedule/sweep").json();
        assert_eq!((&audit["total"], &audit["items"][0]["action"]), (&json!(1), &json!("schedule.run")));
    }

    #[test]
    fn archives_that_were_left_behind_go_when_somebody_tidies() {
        let app = TestApp::new();
        app.archives.put("users/1/left-behind.zip", "PK".into());
        assert_eq!(run(&app, "tidy").status, 200);
        assert!(app.archives.keys().is_empty());
        assert_eq!(run(&app, "tidy").status, 200, "it may be run again once it is done");
    }

    #[test]
    fn a_second_click_is_told_that_it_is_running_until_the_first_is_done_or_broken_off() {
        let app = TestApp::new();
        let sql = format!("INSERT INTO schedule_ticks VALUES ('tidy', 0, {})", NOW.0 + 1);
        app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
        let refused = run(&app, "tidy");
        assert_eq!((refused.status.as_u16(), &refused.json()["status"]), (409, &json!(409)));
        assert_eq!(app.get("/admin/audit").json()["total"], 0);
        assert_eq!(run(&app, "sweep").status, 200, "another entry is another matter");
        app.clock.set(NOW.plus_ms(1));
        assert_eq!(run(&app, "tidy").status, 200);
        assert_eq!(run(&app, "sleep").status, 404);
    }
}
