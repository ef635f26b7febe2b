//! Log rows: one request's events are that request's, and a job's carry its ids.

use std::thread;

use listenlog_workbench::generator::{ExportPlan, FieldSet, write_extended};
use serde_json::json;

use crate::worker::{Worker, wait_for};

#[test]
fn interleaved_requests_never_mix_their_log_rows() {
    let worker = Worker::shared();
    thread::scope(|scope| {
        for index in 0..8 {
            let client = worker.admin();
            scope.spawn(move || {
                for round in 0..5 {
                    let id = format!("request-{index}-{round}");
                    let body = json!({"display_name": id}).to_string();
                    let headers = [("X-Request-Id", id.as_str()), ("Content-Type", "application/json")];
                    let answer = client.send("POST", "/admin/users", &headers, Some(body.as_bytes())).unwrap();
                    assert_eq!(answer.status, 201);
                }
            });
        }
    });
    let ours = "request_id LIKE 'request-%'";
    let matched = "SELECT count(*) FROM logs JOIN users ON users.id = logs.user_id \
        WHERE logs.request_id = users.display_name AND logs.message = 'A user was created' AND service = 'http'";
    wait_for(|| (worker.number(matched) == 40).then_some(()));
    let created = format!("SELECT count(*) FROM logs WHERE message = 'A user was created' AND {ours}");
    assert_eq!(worker.number(&created), 40);
    assert_eq!(worker.number(&format!("SELECT count(*) FROM logs WHERE {ours}")), 80);
    assert_eq!(worker.number(&format!("SELECT count(*) FROM logs WHERE {ours} AND level <> 'info'")), 0);
    assert_eq!(worker.number("SELECT count(*) FROM logs WHERE request_id IS NULL"), 0);
}

#[test]
fn an_import_can_be_followed_by_its_ids() {
    let worker = Worker::shared();
    let user = worker.user("UTC");
    let archive = write_extended(&ExportPlan::small(24).live(), FieldSet::R4).unwrap();
    let job = worker.import(user, &archive);
    let of_job = format!("import_job_id = {} AND user_id = {user}", job["id"]);
    let uploaded = format!("SELECT count(*) FROM logs WHERE service = 'http' AND {of_job}");
    let done = format!("SELECT count(*) FROM logs WHERE service = 'queue' AND {of_job}");
    wait_for(|| (worker.number(&uploaded) == 1 && worker.number(&done) == 1).then_some(()));
    let run = format!("SELECT count(*) FROM job_runs WHERE status = 'success' AND import_job_id = {}", job["id"]);
    assert_eq!(worker.number(&run), 1);
}
