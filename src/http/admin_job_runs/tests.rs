//! Runs are listed, told in full, cancelled, tried again and held back.

use serde_json::{Value, json};

use crate::testing::{TestApp, test_app::NOW};

/// Ten runs of two users, one a minute: the odd ones polls of user 1, the even ones syncs of user 2; every third failed.
fn with_runs() -> TestApp {
    let app = TestApp::new();
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10)
         INSERT INTO job_runs (id, job_type, status, user_id, started_by, request_id, attempts, fetched, inserted,
           error_class, error_message, stop_reason, created_at, started_at, completed_at, updated_at)
         SELECT i, iif(i % 2, 'poll', 'initial_sync'), iif(i % 3, 'success', 'error'), iif(i % 2, 1, 2), 'schedule',
           'r' || i, 1, 50, 7, iif(i % 3, NULL, 'network'), iif(i % 3, NULL, 'Spotify is 100% away.'),
           iif(i % 3, NULL, 'gave_up'), {now} - 60000 * (11 - i), {now} - 60000 * (11 - i) + 500,
           {now} - 60000 * (11 - i) + 2500, {now} FROM n",
        now = NOW.0
    );
    app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
    app
}

fn ids(app: &TestApp, query: &str) -> Vec<i64> {
    let listed = app.get(&format!("/admin/job-runs?{query}"));
    assert_eq!(listed.status, 200, "{query}");
    listed.json()["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()).collect()
}

fn insert(app: &TestApp, values: &str) {
    let sql = format!(
        "INSERT INTO job_runs (id, job_type, status, user_id, import_job_id, lease_until, started_by, created_at) VALUES {values}"
    );
    app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
}

#[test]
fn runs_are_listed_newest_first_and_narrowed_by_every_filter() {
    let app = with_runs();
    for (query, expected) in [
        ("limit=3", vec![10, 9, 8]),
        ("limit=3&offset=2", vec![8, 7, 6]),
        ("limit=3&before_id=4", vec![3, 2, 1]),
        ("user_id=2&status=error", vec![6]),
        ("job_type=poll&status=error", vec![9, 3]),
        ("trigger=admin", vec![]),
        ("since=2026-11-23T11:58:00Z", vec![10, 9]),
        ("until=2026-11-23T11:50:30Z", vec![1]),
        ("q=100%25+AWAY", vec![9, 6, 3]),
        ("q=gave_up", vec![9, 6, 3]),
        ("q=gave%25up", vec![]),
    ] {
        assert_eq!(ids(&app, query), expected, "{query}");
    }
    assert_eq!(app.get("/admin/job-runs?status=error").json()["total"], 3);
}

#[test]
fn unknown_words_are_refused_with_those_that_are_allowed() {
    let app = TestApp::new();
    for query in ["status=done", "job_type=enrich", "trigger=me", "user_id=me", "since=now", "state=error"] {
        assert_eq!(app.get(&format!("/admin/job-runs?{query}")).status, 422, "{query}");
    }
    let refused = app.get("/admin/job-runs?status=done").json();
    assert_eq!(refused["errors"][0]["detail"], "must be one of: queued, running, success, partial, error, cancelled");
}

#[test]
fn a_run_is_told_in_full() {
    let app = with_runs();
    let run = app.get("/admin/job-runs/3").json();
    for (field, expected) in [
        ("status", json!("error")),
        ("attempts", json!(1)),
        ("records_fetched", json!(50)),
        ("stop_reason", json!("gave_up")),
        ("error_class", json!("network")),
        ("duration_ms", json!(2_000)),
        ("waited_ms", json!(500)),
        ("same_error_count", json!(2)),
        ("is_stuck", json!(false)),
        ("logs", json!("/admin/logs?job_run_id=3")),
        ("request_logs", json!("/admin/logs?request_id=r3")),
    ] {
        assert_eq!(run[field], expected, "{field}");
    }
    for missing in ["99", "x", "-1", "9223372036854775807"] {
        assert_eq!(app.get(&format!("/admin/job-runs/{missing}")).status, 404, "{missing}");
    }
}

#[test]
fn a_queued_run_is_cancelled_at_once_and_a_running_one_at_its_next_step() {
    let app = with_runs();
    insert(
        &app,
        "(20, 'initial_sync', 'queued', 1, NULL, NULL, 'login', 0), (21, 'initial_sync', 'running', 2, NULL, 9e15, 'login', 0)",
    );
    assert_eq!(app.admin("POST", "/admin/job-runs/20/cancel", "").json()["status"], "cancelled");
    let running = app.admin("POST", "/admin/job-runs/21/cancel", "").json();
    assert_eq!((&running["status"], &running["cancel_requested"]), (&json!("running"), &json!(true)));
    let again = app.admin("POST", "/admin/job-runs/20/cancel", "");
    assert_eq!(again.status, 409);
    assert_eq!(again.json()["detail"], "Job run 20 has ended with cancelled; there is nothing to cancel.");
    assert_eq!(app.admin("POST", "/admin/job-runs/99/cancel", "").status, 404);
    assert_eq!(app.get("/admin/audit?action=job_run.cancel").json()["total"], 2, "a refusal is no change");
}

#[test]
fn a_failed_run_is_tried_again_by_a_new_one_and_only_once_at_a_time() {
    let app = with_runs();
    let retried = app.admin("POST", "/admin/job-runs/6/retry", "");
    assert_eq!(retried.status, 202, "{}", retried.json());
    let new = retried.json();
    assert_eq!((&new["retry_of"], &new["status"], &new["trigger"]), (&json!(6), &json!("queued"), &json!("retry")));
    assert_eq!(app.get("/admin/job-runs/6").json()["retried_by"], new["id"]);
    assert_eq!(app.queue.len(), 1);
    for (id, part) in
        [(6, "has not ended, or another initial_sync run"), (2, "succeeded"), (3, "A poll is not tried again")]
    {
        let refused = app.admin("POST", &format!("/admin/job-runs/{id}/retry"), "");
        assert_eq!(refused.status, 409);
        assert!(refused.json()["detail"].as_str().unwrap().contains(part), "{id}: {}", refused.json());
    }
    assert_eq!(app.get("/admin/audit?action=job_run.retry").json()["total"], 1);
}

#[test]
fn everything_is_counted_at_a_glance_and_equal_errors_together() {
    let app = with_runs();
    insert(&app, "(20, 'initial_sync', 'queued', 1, NULL, NULL, 'login', 0)");
    let overview = app.get("/admin/job-types").json();
    let of = |name: &str| -> Value {
        let types = overview["job_types"].as_array().unwrap();
        types.iter().find(|kind| kind["job_type"] == name).unwrap().clone()
    };
    assert_eq!((&of("poll")["success"], &of("poll")["error"]), (&json!(3), &json!(2)));
    assert_eq!((&of("initial_sync")["queued"], &of("initial_sync")["retrying"]), (&json!(1), &json!(0)));
    assert_eq!(of("purge_logs")["success"], 0);
    let first = &overview["errors"][0];
    assert_eq!(
        (&first["job_type"], &first["count"], &first["latest_job_run_id"]),
        (&json!("poll"), &json!(2), &json!(9))
    );
}

#[test]
fn a_kind_of_work_that_is_paused_waits_until_it_is_resumed() {
    let app = TestApp::new();
    let change = |what: &str| app.admin("POST", &format!("/admin/job-types/purge_logs/{what}"), "").json();
    assert_eq!(change("pause"), json!({"success": true, "message": "Work of type purge_logs is paused"}));
    assert_eq!(change("pause")["success"], false);
    let purged = app.admin("POST", "/admin/maintenance/purge-logs", "").json();
    assert_eq!(purged["status"], "queued");
    assert!(app.get("/admin/job-types").json()["job_types"][3]["paused_at"].is_string());
    assert_eq!(change("resume")["message"], "Work of type purge_logs goes on");
    app.clock.set(NOW.plus_ms(120_000));
    app.sweep();
    app.drain();
    assert_eq!(app.get("/admin/job-runs?job_type=purge_logs").json()["items"][0]["status"], "success");
    assert_eq!(app.admin("POST", "/admin/job-types/sleeping/pause", "").status, 404);
    assert_eq!(app.get("/admin/audit?target=job-types").json()["total"], 2);
}

/// One row that is looked at takes some twenty to fifty steps in each of the two walks of 10,000; all 60,000 would take four times the
/// bound.
#[test]
fn a_page_of_runs_looks_at_a_bounded_number_of_rows_and_says_where_to_go_on() {
    const MOST_STEPS: u64 = 1_500_000;
    let app = TestApp::new();
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
         INSERT INTO job_runs (id, job_type, status, user_id, started_by, error_message, created_at, updated_at)
         SELECT i, 'poll', iif(i % 3, 'success', 'error'), i % 9, 'schedule', iif(i % 3, NULL, 'Away.'), {now}, {now} FROM n",
        now = NOW.0
    );
    app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
    for path in [
        "/admin/job-runs",
        "/admin/job-runs?user_id=3&status=error",
        "/admin/job-runs?q=nowhere&before_id=30000",
        "/admin/job-runs?offset=9000",
        "/admin/job-runs/59999",
        "/admin/job-types",
    ] {
        let steps = app.db.steps_of(|| assert_eq!(app.get(path).status, 200, "{path}"));
        assert!(steps < MOST_STEPS, "{path} took {steps} steps");
    }
    let bulk = "/admin/job-runs/cancel?q=nowhere";
    let steps = app.db.steps_of(|| assert_eq!(app.admin("POST", bulk, "").status, 200));
    assert!(steps < MOST_STEPS, "{bulk} took {steps} steps");
    let page = app.get("/admin/job-runs?q=nowhere").json();
    assert_eq!((&page["total"], &page["total_is_a_minimum"]), (&json!(0), &json!(true)));
    // The only run of its kind is the oldest: it is found by going on where the page before ended.
    app.db.with(|connection| connection.execute_batch("UPDATE job_runs SET user_id = 77 WHERE id = 1")).unwrap();
    let (mut before, mut pages, mut found) = (String::new(), 0, Vec::new());
    loop {
        let page = app.get(&format!("/admin/job-runs?user_id=77{before}")).json();
        found.extend(page["items"].as_array().unwrap().iter().map(|run| run["id"].as_i64().unwrap()));
        pages += 1;
        let Some(next) = page["next_before_id"].as_i64() else { break };
        before = format!("&before_id={next}");
    }
    assert_eq!((found, pages), (vec![1], 7));
}
