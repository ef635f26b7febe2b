//! Many runs are cancelled and tried again at once, within a bound, and what was not done is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::testing::{TestApp, test_app::NOW};

fn insert(app: &TestApp, rows: &str) {
    let sql = format!(
        "INSERT INTO job_runs (id, job_type, status, user_id, import_job_id, lease_until, error_message, retry_of, started_by, \
           cursor, created_at) VALUES {rows}"
    );
    app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
}

/// One run of each sort.
fn with_runs() -> TestApp {
    let app = TestApp::new();
    insert(
        &app,
        "(1, 'initial_sync', 'error', 1, NULL, NULL, 'Spotify was away.', NULL, 'login', 'old', 0),
         (2, 'initial_sync', 'error', 1, NULL, NULL, 'Spotify was away.', NULL, 'login', 'here', 0),
         (3, 'initial_sync', 'cancelled', 2, NULL, NULL, NULL, NULL, 'login', NULL, 0),
         (4, 'initial_sync', 'success', 2, NULL, NULL, NULL, 3, 'retry', NULL, 0),
         (5, 'poll', 'error', 1, NULL, NULL, 'Spotify was away.', NULL, 'schedule', NULL, 0),
         (6, 'import_zip', 'error', 1, 1, NULL, 'Broken.', NULL, 'upload', NULL, 0),
         (7, 'initial_sync', 'error', 3, NULL, NULL, 'Spotify was away.', NULL, 'login', NULL, 0),
         (8, 'initial_sync', 'running', 3, NULL, 9e15, NULL, NULL, 'login', NULL, 0),
         (9, 'initial_sync', 'queued', 4, NULL, NULL, NULL, NULL, 'login', NULL, 0),
         (10, 'import_zip', 'queued', 1, 2, NULL, NULL, NULL, 'upload', NULL, 0)",
    );
    app
}

fn change(app: &TestApp, what: &str) -> Value {
    let answer = app.admin("POST", &format!("/admin/job-runs/{what}"), "");
    assert_eq!(answer.status, 200, "{what}: {}", answer.json());
    answer.json()
}

/// How many were refused, by why.
fn refused(answer: &Value) -> BTreeMap<String, i64> {
    let refused = answer["refused"].as_array().unwrap().iter();
    refused.map(|one| (one["reason"].as_str().unwrap().to_owned(), one["count"].as_i64().unwrap())).collect()
}

fn counts<const N: usize>(expected: [(&str, i64); N]) -> BTreeMap<String, i64> {
    expected.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect()
}

#[test]
fn chosen_runs_are_tried_again_once_each_and_the_others_are_counted_by_why() {
    let app = with_runs();
    let answer = change(&app, "retry?ids=1,2,3,4,5,6,7,8,99");
    assert_eq!((&answer["done"], &answer["left"]), (&json!(1), &json!(0)), "{answer}");
    let new = &answer["runs"][0];
    assert_eq!((&new["job_run_id"], &new["outcome"]), (&json!(2), &json!("tried_again")));
    let expected = [
        ("newer_one_goes_on", 1),
        ("was_tried_again", 1),
        ("has_succeeded", 1),
        ("is_a_poll", 1),
        ("belongs_to_import", 1),
        ("is_under_way", 1),
        ("has_not_ended", 1),
        ("unknown", 1),
    ];
    assert_eq!(refused(&answer), counts(expected));
    let run = app.get(&format!("/admin/job-runs/{}", new["new_job_run_id"])).json();
    assert_eq!((&run["retry_of"], &run["trigger"], &run["user_id"]), (&json!(2), &json!("retry"), &json!(1)));
    assert_eq!(app.queue.len(), 1);
    let again = change(&app, "retry?ids=2");
    assert_eq!((&again["done"], refused(&again)), (&json!(0), counts([("was_tried_again", 1)])));
    let audit = app.get("/admin/audit?action=job_run.retry").json();
    assert_eq!((&audit["total"], &audit["items"][0]["target"]), (&json!(1), &json!("job-runs/2")));
    assert_eq!(audit["items"][0]["before"], json!({"status": "error"}));
}

#[test]
fn what_a_list_shows_is_what_is_cancelled() {
    let app = with_runs();
    let answer = change(&app, "cancel?job_type=initial_sync");
    assert_eq!(
        answer["runs"],
        json!([
            {"job_run_id": 9, "outcome": "cancelled", "new_job_run_id": null},
            {"job_run_id": 8, "outcome": "cancel_requested", "new_job_run_id": null},
        ])
    );
    assert_eq!(refused(&answer), counts([("has_ended", 5)]));
    assert_eq!(app.get("/admin/job-runs/9").json()["status"], "cancelled");
    assert_eq!(app.get("/admin/job-runs/8").json()["cancel_requested"], true);
    let imports = change(&app, "cancel?ids=10");
    assert_eq!((&imports["done"], refused(&imports)), (&json!(0), counts([("belongs_to_import", 1)])));
    let audit = app.get("/admin/audit?action=job_run.cancel").json();
    let targets: BTreeSet<&str> =
        audit["items"].as_array().unwrap().iter().map(|row| row["target"].as_str().unwrap()).collect();
    assert_eq!(targets, BTreeSet::from(["job-runs/8", "job-runs/9"]));
}

#[test]
fn no_more_than_a_hundred_go_at_once_and_the_rest_is_told() {
    let app = TestApp::new();
    let rows: Vec<String> = (1..=250)
        .map(|id| format!("({id}, 'initial_sync', 'error', {id}, NULL, NULL, 'Away.', NULL, 'login', NULL, 0)"))
        .collect();
    insert(&app, &rows.join(","));
    for (done, left) in [(100, 150), (100, 50), (50, 0), (0, 0)] {
        let answer = change(&app, "retry?q=away.&status=error");
        assert_eq!((&answer["done"], &answer["left"]), (&json!(done), &json!(left)), "{answer}");
    }
    assert_eq!(app.get("/admin/job-runs?trigger=retry").json()["total"], 250);
    assert_eq!(app.get("/admin/audit?action=job_run.retry").json()["total"], 250);
}

#[test]
fn without_anything_that_says_which_runs_nothing_is_changed() {
    let app = with_runs();
    let many: Vec<String> = (1..=101).map(|id| id.to_string()).collect();
    let many = format!("?ids={}", many.join(","));
    for query in
        ["", "?", "?ids=", "?ids=1,x", "?ids=0", "?ids=1,,2", "?ids=1&status=error", "?state=error", many.as_str()]
    {
        for action in ["cancel", "retry"] {
            let refused = app.admin("POST", &format!("/admin/job-runs/{action}{query}"), "");
            assert_eq!(refused.status, 422, "{action}{query}");
        }
    }
    assert_eq!(app.get("/admin/audit").json()["total"], 0);
}

#[test]
fn whoever_was_faster_is_not_overruled() {
    let app = with_runs();
    let ended = "UPDATE job_runs SET status = 'success' WHERE id = 9";
    app.db.fail_after(1, crate::testing::sqlite::Failure::Intruder(ended));
    let answer = change(&app, "cancel?ids=9");
    assert_eq!((&answer["done"], refused(&answer)), (&json!(0), counts([("has_changed", 1)])));
    assert_eq!(app.get("/admin/job-runs/9").json()["status"], "success");
    assert_eq!(app.get("/admin/audit").json()["total"], 0);
    assert_eq!(app.app.clock.now(), NOW);
}
