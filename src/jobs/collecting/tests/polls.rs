//! What a poll takes, what it costs, and what people can do to it.

use serde_json::{Value, json};

use super::{Household, at};
use crate::testing::test_app::NOW;

#[test]
fn a_listener_is_synced_once_and_polled_from_then_on() {
    let household = Household::of(&["ada"]);
    household.hears("ada", -20, 1);
    household.hears("ada", -10, 2);
    household.at(0);
    assert_eq!(household.count("SELECT total_plays FROM users"), 2);
    assert_eq!(household.state("initial_sync_stop_reason", 1), "empty_batch");
    assert_eq!(household.state("initial_sync_earliest_played_at", 1), at(-20).0);
    household.hears("ada", 3, 3);
    household.at(9);
    assert_eq!(household.count("SELECT total_plays FROM users"), 2, "it is not due yet");
    household.at(10);
    assert_eq!(household.count("SELECT total_plays FROM users"), 3);
    assert_eq!(household.state("last_poll_latest_played_at", 1), at(3).0);
    assert_eq!(household.status(1), "idle");
    let run = household.tool("ops_latest_job_runs", &json!({"user_id": 1, "limit": 1}))["items"][0].clone();
    assert_eq!((&run["job_type"], &run["status"]), (&json!("poll"), &json!("success")));
    assert_eq!(
        (&run["records_fetched"], &run["records_inserted"], &run["records_skipped"]),
        (&json!(3), &json!(1), &json!(2))
    );
}

#[test]
fn a_play_carries_what_the_api_knows() {
    let household = Household::of(&["ada"]);
    household.hears("ada", -10, 7);
    household.at(0);
    let stored = "SELECT isrc || ' ' || duration_ms || ' ' || context_uri || ' ' || api_offset_ms FROM plays \
                  JOIN tracks ON tracks.id = plays.track_id";
    let track = listenlog_workbench::fake_spotify::FakeTrack::numbered(7);
    let expected = format!("{} {} spotify:album:{} 0", track.isrc.unwrap(), track.duration_ms, track.album_id.unwrap());
    assert_eq!(household.value(stored), expected);
    assert_eq!(
        household.count(
            "SELECT count(*) FROM track_artists JOIN artists ON artists.id = artist_id WHERE spotify_id IS NOT NULL"
        ),
        2
    );
}

#[test]
fn a_quiet_poll_writes_two_rows_and_no_run_of_its_own() {
    let household = Household::of(&["ada"]);
    household.hears("ada", -10, 1);
    household.at(0).at(1);
    let runs = household.count("SELECT count(*) FROM job_runs");
    let (before, asked) = (household.app.app.db.usage(), household.asked());
    household.app.clock.set(at(11));
    poll(&household);
    let after = household.app.app.db.usage();
    assert_eq!(household.asked(), asked + 1);
    assert_eq!(after.rows_written - before.rows_written, 2);
    assert!(after.calls - before.calls <= 4, "{}", after.calls - before.calls);
    assert_eq!(household.count("SELECT count(*) FROM job_runs"), runs);
    assert!(household.count("SELECT quiet_polls FROM sync_states") >= 1);
    assert_eq!(household.count("SELECT count(*) FROM logs WHERE service = 'queue' AND level <> 'info'"), 0);
}

fn poll(household: &Household) {
    let verdict = futures_executor::block_on(super::super::poll(&household.app.app, crate::domain::ids::UserId(1)));
    assert_eq!(verdict, crate::jobs::Verdict::Done);
}

/// Fifty plays of known tracks, an expired token, and rows of an export around them: the dearest poll there is.
#[test]
fn a_poll_costs_five_calls_of_the_database_two_of_spotify_and_a_row_for_each_new_play() {
    let household = Household::of(&["ada"]);
    for play in 0..50 {
        household.hears("ada", play - 60, u64::try_from(play % 10).unwrap());
    }
    household.at(0);
    let scene = crate::testing::scene::Scene(&household.app);
    for play in 0..20 {
        let ended_at = at(60 + play).plus_ms(20_000);
        scene.plays(1, &[crate::testing::scene::ScenePlay::new(ended_at, 9_000 + play, 150_000)]);
    }
    household.app.db.with(|connection| connection.execute("UPDATE users SET total_plays = 70", []).unwrap());
    for play in 0..50 {
        household.hears("ada", 60 + play, u64::try_from(play % 10).unwrap());
    }
    household.app.clock.set(at(120));
    let (before, asked) = (household.app.app.db.usage(), household.fake.lock().unwrap().asked_in_all());
    poll(&household);
    let after = household.app.app.db.usage();
    assert_eq!(household.count("SELECT total_plays FROM users"), 120);
    let (calls, rows) = (after.calls - before.calls, after.rows_written - before.rows_written);
    let requests = household.fake.lock().unwrap().asked_in_all() - asked;
    println!("the dearest poll: {calls} calls of D1, {requests} of Spotify, {rows} rows written for 50 new plays");
    assert_eq!(requests, 2);
    assert!(calls <= 5, "{calls}");
    assert!(rows <= 50 + 8, "{rows}");
}

#[test]
fn a_play_that_is_listed_late_is_taken_and_the_newest_only_moves_forward() {
    let household = Household::of(&["ada"]);
    household.hears("ada", -10, 1);
    household.at(0);
    household.hears("ada", 8, 2);
    household.at(10);
    let late = listenlog_workbench::fake_spotify::FakeTrack::numbered(3);
    household.fake.lock().unwrap().listener("ada").unwrap().play_shown_from(at(15).0, at(-300).0, late);
    household.at(20);
    assert_eq!(household.count("SELECT total_plays FROM users"), 3);
    assert_eq!(household.count("SELECT min(ended_at) FROM plays"), at(-300).0);
    assert_eq!(household.state("last_poll_latest_played_at", 1), at(8).0);
}

#[test]
fn a_list_full_of_unknown_plays_is_told_as_a_possible_gap() {
    let household = Household::of(&["ada"]);
    household.hears("ada", -10, 1);
    household.at(0);
    for play in 0..80 {
        household.hears("ada", 100 + play, u64::try_from(play).unwrap());
    }
    household.at(200);
    assert_eq!(household.count("SELECT total_plays FROM users"), 51);
    assert_eq!(household.count("SELECT count(*) FROM possible_gaps"), 1);
    let coverage = household.tool("history_coverage", &json!({"user_id": 1, "days": 7}));
    assert_eq!(coverage["possible_gaps"], json!([{"from": at(-10), "to": at(130)}]));
    assert!(coverage["coverage_note"].as_str().unwrap().contains("may be missing"), "{coverage}");
    household.at(210);
    assert_eq!(household.count("SELECT count(*) FROM possible_gaps"), 1);
}

#[test]
fn users_are_polled_by_messages_of_their_own_and_share_new_tracks() {
    let household = Household::of(&["ada", "grace", "mary"]);
    household.at(0);
    for name in ["ada", "grace", "mary"] {
        household.hears(name, 5, 42);
    }
    household.app.clock.set(at(10));
    household.app.sweep();
    assert_eq!(household.app.queue.len(), 3);
    let polls = (1..=3).map(|user| super::super::poll(&household.app.app, crate::domain::ids::UserId(user)));
    futures_executor::block_on(futures_util::future::join_all(polls));
    assert_eq!(household.count("SELECT count(*) FROM plays"), 3);
    assert_eq!(household.count("SELECT count(*) FROM tracks"), 1);
    assert_eq!(household.count("SELECT count(*) FROM job_runs WHERE job_type = 'poll' AND status = 'success'"), 3);
}

#[test]
fn a_pause_lasts_until_it_is_resumed_whatever_else_is_wanted() {
    let household = Household::of(&["ada"]);
    household.at(0);
    let act = |what: &str| household.app.post(&format!("/admin/users/1/{what}"), &json!({}));
    assert_eq!(act("pause").json(), json!({"success": true, "message": "User sync paused"}));
    assert_eq!(act("pause").json()["message"], "User already paused");
    assert_eq!(household.status(1), "paused");
    let asked = household.asked();
    assert_eq!(act("trigger-sync").json()["success"], true);
    household.at(30);
    assert_eq!((household.asked(), household.status(1)), (asked, json!("paused")));
    assert_eq!(household.app.get("/admin/sync-status").json()["paused_users"], 1);
    assert_eq!(act("trigger-sync").status, 409, "the one before waits for the resume");
    assert_eq!(act("resume").json()["message"], "User sync resumed");
    household.app.drain();
    assert!(household.asked() > asked);
    assert_eq!(household.state("initial_sync_stop_reason", 1), "empty_batch");
    assert_eq!(act("resume").json()["message"], "User already active");
    assert_eq!(household.app.rows("SELECT 1 FROM audit WHERE action <> 'user.create' AND user_id = 1").len(), 3);
}

#[test]
fn everyone_is_paused_and_resumed_at_once() {
    let household = Household::of(&["ada", "grace"]);
    household.at(0);
    household.app.post("/admin/users/2/pause", &json!({}));
    assert_eq!(household.app.post("/admin/sync/pause", &json!({})).json()["success"], true);
    assert_eq!(household.app.get("/admin/sync-status").json()["paused_globally"], true);
    let asked = household.asked();
    household.at(30);
    assert_eq!(household.asked(), asked);
    household.app.post("/admin/sync/resume", &json!({}));
    household.at(31);
    assert_eq!(household.asked(), asked + 1, "the other is paused by itself");
    assert_eq!(household.app.get("/admin/sync-status").json()["paused_globally"], false);
}

#[test]
fn somebody_who_is_not_connected_is_told_so() {
    let household = Household::of(&[]);
    household.app.post("/admin/users", &json!({"display_name": "Ada"}));
    for what in ["pause", "resume", "trigger-sync"] {
        let answer = household.app.post(&format!("/admin/users/1/{what}"), &json!({}));
        assert_eq!(answer.json(), json!({"success": false, "message": "No sync checkpoint for user 1"}));
        assert_eq!(household.app.post(&format!("/admin/users/9/{what}"), &json!({})).status, 404);
    }
    assert_eq!(household.status(1), "not_connected");
    let refused = household.app.post("/mcp/call", &json!({"tool": "spotify_get_top", "user_id": 1}));
    assert_eq!((refused.status.as_u16(), &refused.json()["success"]), (200, &json!(false)));
}

#[test]
fn the_schedule_tells_when_it_ran_and_will_run() {
    let household = Household::of(&[]);
    let schedule = || household.app.get("/admin/sync-status").json()["schedule"].clone();
    assert_eq!(schedule()[0]["overdue"], true);
    household.at(0);
    let sweep: Value = schedule()[0].clone();
    assert_eq!((&sweep["last_run_at"], &sweep["next_run_at"]), (&json!(NOW), &json!(at(1))));
    assert_eq!(sweep["overdue"], false);
    household.app.clock.set(at(10));
    assert_eq!(schedule()[0]["overdue"], true);
    assert_eq!(household.app.get("/admin/sync-status?limit=3").status, 422);
}

#[test]
fn live_tools_answer_through_the_same_connection() {
    let household = Household::of(&["ada"]);
    household.hears("ada", -10, 7);
    household.at(0);
    let top = household.tool("spotify_get_top", &json!({"user_id": 1, "entity": "tracks", "limit": 5}));
    assert_eq!((&top["items"][0]["rank"], &top["time_range"]), (&json!(1), &json!("medium_term")));
    assert_eq!(top["items"][0]["artists"].as_array().unwrap().len(), 2);
    let found = household.tool("spotify_search", &json!({"q": "amber", "type": "artist", "limit": 3}));
    assert!(found["items"].as_array().unwrap().iter().all(|item| item["type"] == "artist"));
    for (arguments, field) in [
        (json!({}), "q"),
        (json!({"q": " "}), "q"),
        (json!({"q": "x", "limit": 11}), "limit"),
        (json!({"q": "x", "type": "playlist"}), "type"),
    ] {
        let refused = household.app.post("/tools/spotify_search", &arguments);
        assert_eq!((refused.status.as_u16(), &refused.json()["errors"][0]["field"]), (422, &json!(field)));
    }
    assert_eq!(household.tool("ops_list_users", &json!({})), json!({"items": [{"user_id": 1, "display_name": "ada"}]}));
    assert_eq!(household.tool("ops_latest_import_jobs", &json!({})), json!({"user_id": 1, "items": []}));
}
