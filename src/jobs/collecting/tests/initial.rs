//! The initial sync: how far it goes, why it stops, and that it goes on where it was.

use listenlog_workbench::fake_spotify::Fault;
use serde_json::{Value, json};

use super::{Household, at};
use crate::{domain::instant::Millis, testing::test_app::NOW};

const DAY: i64 = 24 * 60;

/// A Spotify that shows more than its last 50 plays, so that there is something to page back through.
fn with_pages(vars: &[(&str, &str)], plays: i64, minutes_apart: i64) -> Household {
    let household = Household::with_vars(&["ada"], vars);
    let clock = std::sync::Arc::clone(&household.app.app.clock);
    let fake = std::sync::Arc::clone(&household.fake);
    household.app.servers.play(move |request| {
        if let Some(reply) = fake_fault(&fake, &request, clock.now()) {
            return reply;
        }
        if request.uri().path().ends_with("/api/token") {
            let granted = json!({"access_token": "fake-access.fresh", "expires_in": 3_600});
            return Ok(axum::http::Response::new(granted.to_string().into()));
        }
        let before = request.uri().query().and_then(|query| query.split("before=").nth(1)?.parse::<i64>().ok());
        let ended_at = |number: i64| NOW.0 - number * minutes_apart * 60_000;
        let items: Vec<Value> = (1..=plays)
            .map(ended_at)
            .filter(|at| before.is_none_or(|before| *at < before))
            .take(50)
            .map(|at| {
                json!({"played_at": Millis(at), "context": null, "track": {
                    "uri": format!("spotify:track:{at}"), "name": format!("Song {at}"), "artists": [{"name": "Björk"}]}})
            })
            .collect();
        Ok(axum::http::Response::new(json!({ "items": items }).to_string().into()))
    });
    household
}

/// A fault that was planned for this request, if there is one.
fn fake_fault(
    fake: &crate::testing::fake_spotify::SharedFake,
    request: &axum::http::Request<bytes::Bytes>,
    now: Millis,
) -> Option<Result<axum::http::Response<bytes::Bytes>, crate::outbound::OutboundError>> {
    let mut fake = fake.lock().unwrap();
    let asked = listenlog_workbench::fake_spotify::Request {
        method: request.method().to_string(),
        target: request.uri().path_and_query().unwrap().to_string(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    // Without a token the fake answers 401 unless a fault comes first.
    let reply = fake.answer(&asked, now.0);
    (reply.status == 429 || reply.status >= 500).then(|| {
        let mut response = axum::http::Response::builder().status(reply.status);
        for (name, value) in &reply.headers {
            response = response.header(name.as_str(), value.as_str());
        }
        Ok(response.body(reply.body.into()).unwrap())
    })
}

fn ended(household: &Household) -> Value {
    household.at(0);
    household.state("initial_sync_stop_reason", 1)
}

#[test]
fn it_stops_for_the_reasons_it_always_had_and_says_which() {
    let few = with_pages(&[], 120, 1);
    assert_eq!(ended(&few), "empty_batch");
    assert_eq!(few.count("SELECT total_plays FROM users"), 120);
    let old = with_pages(&[("INITIAL_SYNC_MAX_DAYS", "1")], 400, 60);
    assert_eq!(ended(&old), "max_days");
    assert_eq!(old.count("SELECT total_plays FROM users"), 50, "a page is kept whole");
    let many = with_pages(&[("INITIAL_SYNC_MAX_REQUESTS", "3")], 400, 1);
    assert_eq!(ended(&many), "max_requests");
    assert_eq!(many.count("SELECT total_plays FROM users"), 150);
    for household in [few, old, many] {
        let run =
            household.tool("ops_latest_job_runs", &json!({"limit": 100}))["items"].as_array().unwrap().last().cloned();
        let run = run.unwrap();
        assert_eq!((&run["job_type"], &run["status"]), (&json!("initial_sync"), &json!("success")));
        assert_eq!(run["stop_reason"], household.state("initial_sync_stop_reason", 1));
        assert_eq!(household.state("last_poll_completed_at", 1), NOW.0, "it is polled at once");
    }
}

#[test]
fn it_takes_more_pages_than_one_message_may() {
    let household = with_pages(&[], 1_000, 1);
    assert_eq!(ended(&household), "empty_batch");
    assert_eq!(household.count("SELECT total_plays FROM users"), 1_000);
    assert_eq!(household.count("SELECT attempts FROM job_runs WHERE job_type = 'initial_sync'"), 3);
    assert_eq!(household.count("SELECT fetched FROM job_runs WHERE job_type = 'initial_sync'"), 1_000);
}

#[test]
fn blocked_for_a_day_it_waits_and_goes_on_at_its_cursor() {
    let household = with_pages(&[], 400, 1);
    household.fake.lock().unwrap().fail("/v1/me/player", Fault::Status { status: 200 }, 2);
    let quota = Fault::QuotaExceeded { retry_after: Some("86207".to_owned()) };
    household.fake.lock().unwrap().fail("/v1/me/player", quota, 1);
    household.at(0);
    assert_eq!(household.count("SELECT total_plays FROM users"), 100);
    let run = household.tool("ops_latest_job_runs", &json!({}))["items"][0].clone();
    assert_eq!((&run["status"], &run["stop_reason"]), (&json!("queued"), &json!("rate_limited")), "{run}");
    assert_eq!(run["error_class"], "blocked");
    let overview = household.app.get("/admin/sync-status").json();
    assert_eq!(overview["spotify_blocked_until"], json!(NOW.plus_ms(86_207_000)));
    household.at(DAY - 60);
    assert_eq!(household.count("SELECT total_plays FROM users"), 100, "nobody asks before");
    household.at(DAY);
    assert_eq!(household.count("SELECT total_plays FROM users"), 400);
    assert_eq!(household.state("initial_sync_stop_reason", 1), "empty_batch");
    assert_eq!(household.status(1), "idle");
}

#[test]
fn a_run_whose_worker_died_goes_on_at_its_cursor() {
    let household = with_pages(&[], 400, 1);
    // The claim, and then of each page: the beat, the plays, the batch.
    household.app.db.fail_after(9, crate::testing::sqlite::Failure::BeforeWriting);
    household.app.drain();
    household.app.db.heal();
    let stored = household.count("SELECT total_plays FROM users");
    assert!((1..400).contains(&stored), "{stored}");
    household.at(1).at(2).at(3).at(4);
    assert_eq!(household.count("SELECT total_plays FROM users"), 400);
    assert_eq!(household.count("SELECT count(*) FROM job_runs WHERE job_type = 'initial_sync'"), 1);
}

#[test]
fn a_pause_stops_it_at_its_next_page_and_a_cancellation_for_good() {
    let household = with_pages(&[], 1_000, 1);
    let message = household.app.queue.take().unwrap();
    futures_executor::block_on(crate::jobs::handle(&household.app.app, &serde_json::to_string(&message).unwrap()));
    assert_eq!(household.count("SELECT total_plays FROM users"), 400);
    assert_eq!(household.app.post("/admin/users/1/trigger-sync", &json!({})).status, 409);
    household.app.post("/admin/users/1/pause", &json!({}));
    household.app.drain();
    household.at(1).at(5);
    assert_eq!(household.count("SELECT total_plays FROM users"), 400);
    let run =
        household.count("SELECT max(id) FROM job_runs WHERE job_type = 'initial_sync' AND stop_reason = 'paused'");
    household.app.post("/admin/users/1/resume", &json!({}));
    let cancel =
        crate::store::job_runs::changes::cancel(&*household.app.app.db, crate::domain::ids::JobRunId(run), None, at(6));
    futures_executor::block_on(cancel).unwrap();
    household.at(7);
    assert_eq!(household.value("SELECT status FROM job_runs WHERE job_type = 'initial_sync'"), "cancelled");
    assert_eq!(household.count("SELECT total_plays FROM users"), 400);
}

#[test]
fn without_it_the_first_poll_is_at_once() {
    let household = Household::with_vars(&["ada"], &[("INITIAL_SYNC_ENABLED", "false")]);
    household.hears("ada", -10, 1);
    household.at(0);
    assert_eq!(household.count("SELECT total_plays FROM users"), 1);
    assert_eq!(household.count("SELECT count(*) FROM job_runs WHERE job_type = 'initial_sync'"), 0);
}
