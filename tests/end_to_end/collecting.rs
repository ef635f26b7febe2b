//! Collecting on the real runtime: queue, cron and D1, against the stand-in for Spotify on a socket.

use listenlog_workbench::fake_spotify::Fault;
use serde_json::{Value, json};

use crate::{
    spotify::{log_in, scene_with},
    worker::{Worker, now_ms, wait_for},
};

const RECENT: &str = "/v1/me/player/recently-played";

/// Lets minutes tick until something holds.
fn tick_until(worker: &Worker, holds: impl Fn() -> bool) {
    wait_for(|| {
        assert_eq!(worker.runtime.cron("* * * * *", now_ms()).unwrap().status, 200);
        holds().then_some(())
    });
}

fn status(worker: &Worker) -> Value {
    worker.tool("ops_sync_status", &json!({"user_id": 1})).json()["status"].clone()
}

fn overview(worker: &Worker) -> Value {
    worker.admin().get("/admin/sync-status").unwrap().json()
}

fn plays(worker: &Worker) -> i64 {
    worker.number("SELECT total_plays FROM users WHERE id = 1")
}

fn act(worker: &Worker, what: &str) -> Value {
    worker.admin().post_json(&format!("/admin/users/1/{what}"), &json!({})).unwrap().json()
}

#[test]
fn a_listener_is_collected_from_login_to_the_next_login() {
    let (worker, fake) = scene_with(&[("POLL_INTERVAL_MINUTES", "1")]);
    assert_eq!(log_in(&worker, "ada").status, 200);
    wait_for(|| (status(&worker) == "idle" && plays(&worker) >= 50).then_some(()));
    let synced = worker.tool("ops_sync_status", &json!({"user_id": 1})).json();
    assert_eq!(synced["initial_sync_stop_reason"], "empty_batch", "{synced}");

    // A quarter of an hour later, by Spotify's clock: four more plays, taken by the next poll that a tick starts.
    let before = plays(&worker);
    fake.advance(15 * 60_000);
    tick_until(&worker, || plays(&worker) >= before + 4);
    let runs = worker.tool("ops_latest_job_runs", &json!({"user_id": 1, "limit": 1})).json();
    assert_eq!((&runs["items"][0]["job_type"], &runs["items"][0]["status"]), (&json!("poll"), &json!("success")));
    assert_eq!(overview(&worker)["schedule"][0]["overdue"], false);

    assert_eq!(act(&worker, "pause")["success"], true);
    let asked = fake.tell(|fake| fake.asked(RECENT));
    assert_eq!(status(&worker), "paused");
    assert_eq!(worker.runtime.cron("* * * * *", now_ms() + 120_000).unwrap().status, 200);
    assert_eq!(fake.tell(|fake| fake.asked(RECENT)), asked);
    assert_eq!(act(&worker, "resume")["success"], true);
    wait_for(|| (fake.tell(|fake| fake.asked(RECENT)) > asked).then_some(()));

    // The token is not taken, and there is no other: only the listener can help.
    fake.tell(|fake| fake.fail(RECENT, Fault::TokenNotTaken, 1));
    fake.tell(|fake| fake.fail("/api/token", Fault::InvalidGrant, 1));
    tick_until(&worker, || status(&worker) == "needs_reauth");
    assert_eq!(overview(&worker)["needs_reauth"], 1);
    assert_eq!(log_in(&worker, "ada").status, 200);
    wait_for(|| (status(&worker) == "idle").then_some(()));

    let quota = Fault::QuotaExceeded { retry_after: Some("3600".to_owned()) };
    fake.tell(|fake| fake.fail(RECENT, quota, 1));
    tick_until(&worker, || status(&worker) == "error");
    let overview = overview(&worker);
    assert!(overview["spotify_blocked_until"].is_string(), "{overview}");
    assert_eq!(overview["recent_errors"][0]["error_class"], "blocked");
    assert_eq!(worker.number("SELECT count(*) FROM plays"), plays(&worker), "each play is there once");
}
