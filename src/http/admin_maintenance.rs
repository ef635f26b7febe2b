//! `/admin/maintenance`: what the clock does once a day, done now.

use axum::{Json, http::Uri};
use serde::Serialize;

use super::query::{Parameter, Query};
use crate::{
    app::App,
    config::MAX_RETENTION_DAYS,
    domain::ids::JobRunId,
    error::AppError,
    jobs::{purge, runs},
    store::{
        audit::Actor,
        job_runs::RunStatus,
        purge::{Deleted, Purge},
        run_list,
    },
};

/// What a purge has deleted.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct PurgeAnswer {
    success: bool,
    message: String,
    job_run_id: JobRunId,
    /// `queued` while there is more to delete than one request may: the run goes on by itself.
    status: RunStatus,
    deleted: Deleted,
}

pub const PARAMETERS: &[Parameter] = &[Parameter::integer(
    "older_than_days",
    1,
    MAX_RETENTION_DAYS as i64,
    "What is older goes: log rows, ended runs and dead letters; `LOG_RETENTION_DAYS` unless said.",
)];

/// POST /admin/maintenance/purge-logs.
///
/// # Errors
/// 409: a purge is under way. 422: not a number of days from 1 on.
pub async fn purge_logs(app: App, actor: Actor, uri: Uri) -> Result<Json<PurgeAnswer>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let days = query.number("older_than_days").and_then(|days| u32::try_from(days).ok());
    let days = days.unwrap_or(app.config.log_retention_days);
    let wanted = purge::older_than(&app, days, app.now());
    let Some(id) = purge::queue(&app, &wanted, &actor, days).await? else {
        return Err(AppError::Conflict(
            "Old rows are being cleared already; see GET /admin/job-runs?job_type=purge_logs.".to_owned(),
        ));
    };
    runs::run(&app, id).await;
    let around = run_list::find(&*app.db, id).await?.ok_or(AppError::Internal("a run is gone"))?;
    let cursor = around.run.cursor.as_deref().and_then(|text| serde_json::from_str::<Purge>(text).ok());
    let deleted = cursor.map_or_else(Deleted::default, |purge| purge.deleted);
    let status = around.run.status;
    let mut message = format!("Purged {} log entries older than {days} days", deleted.log_entries);
    if !status.is_final() {
        message.push_str("; the rest follows in the background");
    }
    Ok(Json(PurgeAnswer { success: status != RunStatus::Error, message, job_run_id: id, status, deleted }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::{
        domain::instant::DAY_MS,
        jobs::schedule::{TIDY, tick},
        store::purge::STEP_ROWS,
        testing::{TestApp, test_app::NOW},
    };

    /// Log rows, runs, dead letters and changes of 10 and of 400 days ago.
    fn with_old_rows(logs: u32) -> TestApp {
        let app = TestApp::new();
        let (recent, old) = (NOW.0 - 10 * DAY_MS, NOW.0 - 400 * DAY_MS);
        let sql = format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {logs})
             INSERT INTO logs (id, at, service, level, message) SELECT {old} * 2048 + i, {old}, 'http', 'info', 'old' FROM n;
             INSERT INTO logs (id, at, service, level, message) VALUES ({recent} * 2048, {recent}, 'http', 'info', 'recent');
             INSERT INTO job_runs (job_type, status, started_by, created_at, updated_at) VALUES
               ('poll', 'error', 'schedule', {old}, {old}), ('poll', 'queued', 'schedule', {old}, {old}),
               ('poll', 'success', 'schedule', {recent}, {recent});
             INSERT INTO dead_letters (at, message, reason) VALUES ({old}, 'x', 'y'), ({recent}, 'x', 'y');
             INSERT INTO audit (at, credential, action, target) VALUES ({old}, 'admin_token', 'a.b', 'c'),
               ({recent}, 'admin_token', 'a.b', 'c');"
        );
        app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
        app
    }

    fn count(app: &TestApp, table: &str) -> String {
        app.rows(&format!("SELECT count(*) FROM {table}")).remove(0)
    }

    #[test]
    fn old_rows_go_and_recent_ones_and_unfinished_runs_stay() {
        let app = with_old_rows(7);
        let purged = app.admin("POST", "/admin/maintenance/purge-logs", "");
        assert_eq!(purged.status, 200, "{}", purged.json());
        assert_eq!(purged.json()["message"], "Purged 7 log entries older than 30 days");
        let deleted = json!({"log_entries": 7, "job_runs": 1, "dead_letters": 1, "audit_entries": 1});
        assert_eq!(purged.json()["deleted"], deleted);
        assert_eq!(purged.json()["status"], "success");
        assert_eq!(app.rows("SELECT count(*) FROM logs WHERE message IN ('old', 'recent')"), ["Integer(1)"]);
        assert_eq!(app.rows("SELECT count(*) FROM job_runs WHERE job_type = 'poll'"), ["Integer(2)"]);
        let run = app.get("/admin/job-runs?job_type=purge_logs").json();
        assert_eq!((&run["items"][0]["trigger"], &run["items"][0]["records_fetched"]), (&json!("admin"), &json!(10)));
        assert_eq!(
            app.get("/admin/audit?action=logs.purge").json()["items"][0]["after"],
            json!({"older_than_days": 30})
        );
    }

    #[test]
    fn days_by_hand_go_before_the_setting_and_nonsense_is_refused() {
        let app = with_old_rows(3);
        for days in ["0", "-1", "9999999", "x", ""] {
            let refused = app.admin("POST", &format!("/admin/maintenance/purge-logs?older_than_days={days}"), "");
            assert_eq!(refused.status, 422, "{days}");
        }
        assert_eq!(count(&app, "dead_letters"), "Integer(2)", "nothing was purged");
        let purged = app.admin("POST", "/admin/maintenance/purge-logs?older_than_days=5", "").json();
        assert_eq!(purged["message"], "Purged 4 log entries older than 5 days");
        assert_eq!(count(&app, "audit"), "Integer(2)", "the record of changes has its own setting");
    }

    #[test]
    fn a_purge_under_way_is_not_begun_twice() {
        let app = with_old_rows(3);
        let sql = "INSERT INTO job_runs (job_type, status, started_by, created_at, lease_until, attempts) \
            VALUES ('purge_logs', 'running', 'schedule', 0, 9e15, 1)";
        app.db.with(|connection| connection.execute_batch(sql)).unwrap();
        assert_eq!(app.admin("POST", "/admin/maintenance/purge-logs", "").status, 409);
        assert_eq!(app.get("/admin/audit?action=logs.purge").json()["total"], 0);
    }

    #[test]
    fn more_than_a_request_may_delete_goes_on_in_the_background() {
        let app = with_old_rows(26 * STEP_ROWS);
        let purged = app.admin("POST", "/admin/maintenance/purge-logs", "").json();
        assert_eq!(purged["status"], "queued");
        assert!(purged["message"].as_str().unwrap().ends_with("; the rest follows in the background"));
        app.drain();
        assert_eq!(app.rows("SELECT count(*) FROM logs WHERE message = 'old'"), ["Integer(0)"]);
        let run = app.get(&format!("/admin/job-runs/{}", purged["job_run_id"])).json();
        assert_eq!((&run["status"], &run["records_fetched"]), (&json!("success"), &json!(26 * STEP_ROWS + 3)));
    }

    #[test]
    fn the_clock_clears_once_a_day() {
        let app = with_old_rows(3);
        // 12:17, then 03:17 of the next day.
        for (at, left) in [(NOW.plus_ms(17 * 60_000), "Integer(3)"), (NOW.plus_ms(917 * 60_000), "Integer(0)")] {
            app.clock.set(at);
            futures_executor::block_on(tick(&app.app, TIDY, at));
            app.drain();
            assert_eq!(app.rows("SELECT count(*) FROM logs WHERE message = 'old'"), [left]);
        }
    }
}
