//! Whatever goes wrong is told, harms nobody else, and passes.

use listenlog_workbench::fake_spotify::Fault;
use serde_json::{Value, json};

use super::{Household, at};
use crate::{
    domain::instant::{DAY_MS, HOUR_MS},
    jobs::schedule,
    testing::sqlite::Failure,
};

const RECENT: &str = "/v1/me/player/recently-played";

fn last_run(household: &Household, user: i64) -> Value {
    household.tool("ops_latest_job_runs", &json!({"user_id": user, "limit": 1}))["items"][0].clone()
}

#[test]
fn every_fault_is_told_in_the_state_and_in_a_run_and_the_next_poll_makes_it_good() {
    let faults = [
        (Fault::Status { status: 503 }, "transient"),
        (Fault::TimesOut, "transient"),
        (Fault::Resets, "transient"),
        (Fault::SlowBody, "transient"),
        (Fault::CutOff, "malformed"),
        (Fault::NotJson, "malformed"),
        (Fault::Status { status: 403 }, "refused"),
        (Fault::RateLimited { retry_after: Some("7".to_owned()) }, "blocked"),
        (Fault::RateLimitedUntil { in_seconds: 90 }, "blocked"),
    ];
    for (fault, class) in faults {
        let household = Household::of(&["ada"]);
        household.hears("ada", -5, 1);
        household.at(0);
        household.hears("ada", 5, 2);
        household.fake.lock().unwrap().fail(RECENT, fault.clone(), 1);
        household.at(10);
        assert_eq!(household.status(1), "error", "{fault:?}");
        let run = last_run(&household, 1);
        assert_eq!((&run["status"], &run["error_class"]), (&json!("error"), &json!(class)), "{fault:?}");
        assert!(run["error_message"].as_str().unwrap().ends_with('.'), "{run}");
        assert_eq!(household.app.get("/admin/sync-status").json()["recent_errors"][0]["error_class"], class);
        household.at(20).at(80);
        assert_eq!(household.status(1), "idle", "{fault:?}");
        assert_eq!(household.count("SELECT total_plays FROM users"), 2, "{fault:?}");
        assert_eq!(last_run(&household, 1)["attempts"], 2);
    }
}

#[test]
fn an_authorization_that_is_over_stops_that_user_and_nobody_else() {
    let household = Household::of(&["ada", "grace"]);
    household.at(0);
    household.fake.lock().unwrap().fail("/api/token", Fault::InvalidGrant, 1);
    // Tokens are an hour old: both have to be refreshed, and the first to try is told that it is over.
    household.hears("grace", 65, 1);
    household.at(70);
    let statuses = [household.status(1), household.status(2)];
    assert!(statuses.contains(&json!("needs_reauth")) && statuses.contains(&json!("idle")), "{statuses:?}");
    let lost = if statuses[0] == "needs_reauth" { 1 } else { 2 };
    assert_eq!(last_run(&household, lost)["error_class"], "needs_reauth");
    let failed = household.count("SELECT count(*) FROM job_runs WHERE status = 'error'");
    household.at(80).at(90).at(200);
    assert_eq!(
        household.count("SELECT count(*) FROM job_runs WHERE status = 'error'"),
        failed,
        "it is not tried again"
    );
    assert_eq!(household.app.get("/admin/sync-status").json()["needs_reauth"], 1);
    assert_eq!(household.app.post(&format!("/admin/users/{lost}/trigger-sync"), &json!({})).status, 409);
    household.connect(lost, if lost == 1 { "ada" } else { "grace" });
    household.app.drain();
    assert_eq!(household.status(lost), "idle");
}

#[test]
fn a_quota_that_is_used_up_is_left_alone_until_its_time() {
    let household = Household::of(&["ada", "grace"]);
    household.at(0);
    let quota = Fault::QuotaExceeded { retry_after: Some("48925".to_owned()) };
    household.fake.lock().unwrap().fail(RECENT, quota, 1);
    household.at(10);
    let asked = household.asked();
    for hour in 1..13 {
        household.at(hour * 60);
    }
    assert_eq!(household.asked(), asked, "the block is the app's, so it holds for both");
    let blocked_until = household.app.get("/admin/sync-status").json()["spotify_blocked_until"].clone();
    assert_eq!(blocked_until, json!(at(10).plus_ms(48_925_000)));
    household.hears("ada", 800, 3);
    household.at(10 + 48_925 / 60 + 1);
    assert_eq!(household.asked(), asked + 2);
    assert_eq!(household.count("SELECT total_plays FROM users WHERE id = 1"), 1);
}

#[test]
fn a_poll_whose_worker_falls_silent_is_taken_back_and_told() {
    let household = Household::of(&["ada"]);
    household.at(0);
    household.hears("ada", 5, 1);
    household.app.clock.set(at(10));
    household.app.sweep();
    household.app.db.fail_after(0, Failure::AfterWriting);
    household.app.drain();
    assert_eq!(household.status(1), "syncing");
    household.at(11);
    assert_eq!(household.count("SELECT total_plays FROM users"), 0, "the lease has not run out");
    household.at(12).at(13);
    assert_eq!(household.count("SELECT total_plays FROM users"), 1);
    assert_eq!(household.count("SELECT count(*) FROM job_runs WHERE error_class = 'interrupted'"), 1);
    assert_eq!(household.status(1), "idle");
}

#[test]
fn a_failure_stays_told_when_everything_else_is_undone() {
    let household = Household::of(&["ada"]);
    household.at(0);
    household.hears("ada", 5, 1);
    household.app.clock.set(at(10));
    household.app.sweep();
    // The claim and the look go through; the batch with the plays does not.
    household.app.db.fail_after(2, Failure::BeforeWriting);
    household.app.drain();
    assert_eq!(household.count("SELECT total_plays FROM users"), 0);
    assert_eq!(household.status(1), "error");
    assert_eq!(last_run(&household, 1)["error_class"], "database_unreachable");
    household.at(12);
    assert_eq!((household.count("SELECT total_plays FROM users"), household.status(1)), (1, json!("idle")));
}

#[test]
fn a_writer_in_between_costs_one_more_look_and_no_play() {
    let household = Household::of(&["ada"]);
    household.at(0);
    household.hears("ada", 5, 1);
    household.app.clock.set(at(10));
    household.app.sweep();
    household.app.db.fail_after(2, Failure::Intruder("UPDATE users SET plays_version = plays_version + 1"));
    household.app.drain();
    assert_eq!(household.count("SELECT total_plays FROM users"), 1);
}

#[test]
fn entries_that_cannot_be_read_are_told_once_and_the_others_are_kept() {
    let household = Household::of(&["ada"]);
    household.at(0);
    for play in 0..7 {
        household.hears("ada", play, u64::try_from(play).unwrap());
    }
    household.fake.lock().unwrap().fail(RECENT, Fault::MissingFields, 2);
    household.at(10);
    let run = last_run(&household, 1);
    assert_eq!((&run["status"], &run["error_class"]), (&json!("partial"), &json!("unreadable_entries")), "{run}");
    assert_eq!(household.count("SELECT total_plays FROM users"), 5);
    let runs = household.count("SELECT count(*) FROM job_runs");
    household.at(20);
    assert_eq!(household.count("SELECT count(*) FROM job_runs"), runs, "the same ones again");
    household.at(30);
    assert_eq!(household.count("SELECT total_plays FROM users"), 7);
}

#[test]
fn who_must_authorize_again_soon_is_warned_of_once_a_day() {
    let household = Household::of(&["ada"]);
    household.at(0);
    let warnings = |day: i64, hour: i64| {
        let now = at(0).plus_ms(day * DAY_MS + hour * HOUR_MS);
        household.app.clock.set(now);
        futures_executor::block_on(schedule::tick(&household.app.app, schedule::TIDY, now));
        household.count("SELECT count(*) FROM logs WHERE message LIKE '%authorize again soon%' AND user_id = 1")
    };
    assert_eq!(warnings(140, 0), 0);
    assert_eq!(warnings(155, 0), 1);
    assert_eq!(warnings(155, 1), 1);
    assert_eq!(warnings(155, 23), 1);
    assert_eq!(warnings(156, 0), 2);
    household.connect(1, "ada");
    assert_eq!(warnings(157, 0), 2);
}

/// Everything that is kept or answered, after everything that can go wrong.
#[test]
fn no_token_code_or_secret_is_in_any_row_or_answer() {
    let household = Household::of(&["ada", "grace"]);
    household.fake.lock().unwrap().rotates_refresh_tokens = true;
    for (minute, fault) in [
        Fault::TokenNotTaken,
        Fault::Status { status: 502 },
        Fault::NotJson,
        Fault::CutOff,
        Fault::Redirect { to: "http://elsewhere.example/steal".to_owned() },
        Fault::MissingFields,
        Fault::InvalidGrant,
    ]
    .into_iter()
    .enumerate()
    {
        for path in ["/v1/me", "/api/token"] {
            household.fake.lock().unwrap().fail(path, fault.clone(), 1);
            household.hears("ada", i64::try_from(minute).unwrap() * 70, 1);
            household.at(i64::try_from(minute).unwrap() * 70 + 10);
        }
    }
    let mut kept: Vec<String> = Vec::new();
    for table in household.app.rows("SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let name = table.split('"').nth(1).map(str::to_owned);
        let name = name.unwrap_or_else(|| decoded(&table));
        kept.extend(household.app.rows(&format!("SELECT * FROM {name}")).into_iter().map(|row| decoded(&row)));
    }
    for path in ["/admin/users", "/admin/users/1", "/admin/sync-status", "/admin/audit"] {
        kept.push(String::from_utf8(household.app.get(path).bytes).unwrap());
    }
    for tool in ["ops_sync_status", "ops_latest_job_runs", "spotify_get_top", "spotify_search"] {
        let call = json!({"tool": tool, "arguments": {"user_id": 1, "q": "x"}});
        kept.push(String::from_utf8(household.app.post("/mcp/call", &call).bytes).unwrap());
    }
    assert!(household.count("SELECT count(*) FROM job_runs WHERE status = 'error'") >= 3);
    assert!(kept.iter().any(|text| text.contains("A poll failed")), "log rows are among them");
    for text in &kept {
        for secret in ["fake-access", "fake-refresh", "fake-code", "fake-client-secret", "Bearer fake"] {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

/// [`crate::testing::TestApp::rows`] shows texts as lists of bytes.
fn decoded(row: &str) -> String {
    let mut text = String::new();
    for cell in row.split('|') {
        match cell.strip_prefix("Text([").and_then(|rest| rest.strip_suffix("])")) {
            Some(bytes) => {
                let bytes: Vec<u8> = bytes.split(", ").filter_map(|byte| byte.parse().ok()).collect();
                text.push_str(&String::from_utf8_lossy(&bytes));
            }
            None => text.push_str(cell),
        }
        text.push('|');
    }
    text.trim_end_matches('|').to_owned()
}
