//! Where a window begins and ends, whose it is, and what is said when there is little in it.

use futures_executor::block_on;
use serde_json::{Value, json};

use super::{super::parameters::Arguments, app_with_user, refused_fields, result, track};
use crate::{
    domain::{
        instant::{DAY_MS, Millis},
        role::Role,
    },
    http::auth::Caller,
    testing::{
        TestApp,
        scene::{Scene, ScenePlay, SceneTrack},
        test_app::NOW,
    },
};

fn plays_at(app: &TestApp, instants: &[i64]) {
    let plays: Vec<ScenePlay> = instants.iter().map(|at| ScenePlay::new(Millis(*at), 1, 60_000)).collect();
    Scene(app).track(&track(1, &[])).plays(1, &plays);
}

fn counted(app: &TestApp, arguments: &Value) -> i64 {
    result(app, "history_top_tracks", arguments)["counted"]["plays"].as_i64().unwrap()
}

#[test]
fn from_is_inside_and_to_is_not() {
    let app = app_with_user("UTC");
    // 2019-06-21T00:00:00Z and the days after.
    let day = 1_561_075_200_000;
    plays_at(&app, &[day - 1, day, day + DAY_MS - 1, day + DAY_MS]);
    assert_eq!(counted(&app, &json!({"from": "2019-06-21T00:00:00Z", "to": "2019-06-22T00:00:00Z"})), 2);
    assert_eq!(counted(&app, &json!({"from": "2019-06-21", "to": "2019-06-21"})), 2);
    assert_eq!(counted(&app, &json!({"from": "2019-06-21T02:00:00+02:00", "to": "2019-06-22T00:00:00.001Z"})), 3);
    assert_eq!(counted(&app, &json!({"from": "2019-06-21"})), 3);
    assert_eq!(counted(&app, &json!({"to": "2019-06-21"})), 3);
    assert_eq!(counted(&app, &json!({"to": "2019-06-21T00:00:00Z"})), 1);
}

#[test]
fn days_reach_from_this_instant_back_and_hold_both_ends() {
    let app = app_with_user("UTC");
    plays_at(&app, &[NOW.0 - DAY_MS - 1, NOW.0 - DAY_MS, NOW.0, NOW.0 + 1, NOW.0 - 36_499 * DAY_MS]);
    assert_eq!(counted(&app, &json!({"days": 1})), 2);
    assert_eq!(counted(&app, &json!({"days": 36_500})), 4);
    let window = result(&app, "history_top_tracks", &json!({"days": 1}))["window"].clone();
    let expected = json!({"from": "2026-11-22T12:00:00Z", "to": "2026-11-23T12:00:00Z", "days": 1, "timezone": "UTC"});
    assert_eq!(window, expected);
}

#[test]
fn dates_are_days_of_the_user_or_of_the_zone_asked_for() {
    let app = app_with_user("Pacific/Auckland");
    // 2019-06-20T12:00:00Z is midnight in Auckland.
    plays_at(&app, &[1_561_032_000_000]);
    let day = json!({"from": "2019-06-21", "to": "2019-06-21"});
    assert_eq!(counted(&app, &day), 1);
    assert_eq!(counted(&app, &json!({"from": "2019-06-21", "to": "2019-06-21", "timezone": "UTC"})), 0);
    // Still the day before in UTC, where the isolate starts out.
    let app = app_with_user("Pacific/Auckland");
    assert_eq!(counted(&app, &json!({"from": "2026-11-24"})), 0);
    let alias = result(&app, "history_coverage", &json!({"timezone": "US/Eastern"}));
    assert_eq!(alias["window"]["timezone"], "US/Eastern");
    assert_eq!(refused_fields(&app, "history_coverage", &json!({"from": "2026-11-25"})), ["from"]);
}

#[test]
fn a_warm_question_is_one_batch() {
    let app = app_with_user("Europe/Berlin");
    plays_at(&app, &[NOW.0 - DAY_MS]);
    let tools = super::history_tools();
    let calls = |arguments: &Value| -> Vec<u64> {
        let cost = |name: &&str| {
            let tool = super::super::find(name).unwrap();
            let arguments = Arguments::from_object(tool.parameters, arguments.as_object().unwrap()).unwrap();
            let before = app.app.db.usage().calls;
            block_on(tool.call(app.app.clone(), Caller::Admin(Role::Admin), arguments)).unwrap();
            app.app.db.usage().calls - before
        };
        tools.iter().map(cost).collect()
    };
    for arguments in [json!({"from": "2026-11-01", "to": "2026-11-30"}), json!({"user_id": 1, "days": 30})] {
        calls(&arguments);
        assert_eq!(calls(&arguments), vec![1; tools.len()]);
    }
}

#[test]
fn a_new_name_is_seen_as_soon_as_plays_change() {
    let app = app_with_user("UTC");
    let name = |app: &TestApp| result(app, "history_top_tracks", &json!({}))["items"][0]["track_name"].clone();
    plays_at(&app, &[NOW.0 - 5]);
    assert_eq!(name(&app), "Track 1");
    app.db.with(|connection| connection.execute("UPDATE tracks SET title = 'Björk — Jóga 🎻'", [])).unwrap();
    Scene(&app).plays(1, &[ScenePlay::new(Millis(NOW.0 - 3), 1, 40_000)]);
    assert_eq!(name(&app), "Björk — Jóga 🎻");
}

#[test]
fn a_zone_that_changed_is_noticed() {
    let app = app_with_user("UTC");
    plays_at(&app, &[1_561_032_000_000]);
    let day = json!({"from": "2019-06-21", "to": "2019-06-21"});
    assert_eq!(counted(&app, &day), 0);
    app.db.with(|connection| connection.execute("UPDATE users SET timezone = 'Pacific/Auckland'", [])).unwrap();
    assert_eq!(counted(&app, &day), 1);
}

#[test]
fn a_user_without_plays_gets_empty_answers_that_say_so() {
    let app = app_with_user("UTC");
    for tool in super::history_tools() {
        let answer = result(&app, tool, &json!({}));
        assert_eq!(answer["counted"]["plays"], 0, "{tool}");
        assert_eq!(answer["coverage_note"], "Nothing has been recorded for this user yet.");
    }
    let summary = result(&app, "history_taste_summary", &json!({}));
    assert_eq!((&summary["repeat_rate"], &summary["peak_hour"]), (&json!(0.0), &Value::Null));
    assert_eq!(summary["coverage"]["gaps"][0]["likely_cause"], "nothing was recorded yet");
}

#[test]
fn what_the_data_does_not_cover_is_said_in_a_sentence() {
    let app = app_with_user("UTC");
    plays_at(&app, &[NOW.0 - 40 * DAY_MS, NOW.0 - 30 * DAY_MS]);
    let note = |arguments: Value| result(&app, "history_top_tracks", &arguments)["coverage_note"].clone();
    assert_eq!(
        note(json!({"days": 365})),
        "The history reaches from 2026-10-14 to 2026-10-24; other days of the window are not covered."
    );
    assert_eq!(note(json!({"days": 3})), "The newest data is of 2026-10-24, before the window asked about.");
    assert_eq!(note(json!({"to": "2019-01-01"})), "The history begins on 2026-10-14, after the window asked about.");
    assert_eq!(note(json!({"from": "2026-10-14", "to": "2026-10-25"})), Value::Null);
    let coverage = result(&app, "history_coverage", &json!({"days": 60}));
    let gaps = json!([
        {"from": "2026-09-24", "to": "2026-10-13", "days": 20, "likely_cause": "before the history begins"},
        {"from": "2026-10-15", "to": "2026-10-23", "days": 9, "likely_cause": "no listening, or missing data"},
        {"from": "2026-10-25", "to": "2026-11-23", "days": 30, "likely_cause": "after the newest data"},
    ]);
    assert_eq!(coverage["gaps"], gaps);
    assert_eq!(coverage["coverage_ratio"], 0.033);
    let inside = result(&app, "history_coverage", &json!({"from": "2026-10-14", "to": "2026-10-24"}));
    let sentence = "The longest gap is 9 days without data, from 2026-10-15 to 2026-10-23.";
    assert_eq!(inside["coverage_note"], sentence);
}

#[test]
fn of_many_gaps_the_longest_are_listed() {
    let app = app_with_user("UTC");
    let days: Vec<i64> = (0..60).map(|number| NOW.0 - (600 - number * 10) * DAY_MS).collect();
    plays_at(&app, &days);
    let coverage = result(&app, "history_coverage", &json!({"days": 600}));
    assert_eq!(coverage["gaps"].as_array().unwrap().len(), 50);
    assert_eq!(coverage["gaps_left_out"], 10);
}

#[test]
fn an_album_artist_beside_a_track_artist_does_not_double_a_play() {
    let app = app_with_user("UTC");
    let scene = Scene(&app);
    scene.artist(10, "Various Artists").artist(11, "Robyn");
    scene.track(&SceneTrack { artists: vec![11, 10, 11], ..track(1, &[]) });
    scene.plays(1, &[ScenePlay::new(Millis(NOW.0 - 5), 1, 60_000)]);
    let answer = result(&app, "history_top_artists", &json!({}));
    let plays: Vec<_> = answer["items"].as_array().unwrap().iter().map(|item| item["play_count"].clone()).collect();
    assert_eq!(plays, [json!(1), json!(1)]);
    assert_eq!(result(&app, "history_top_tracks", &json!({}))["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_long_list_of_long_names_stays_below_what_an_assistant_takes() {
    let app = app_with_user("UTC");
    let scene = Scene(&app);
    let long = "長".repeat(5_000);
    for id in 1..=120 {
        let name = Some(format!("{id} {long}"));
        scene.artist(1_000 + id, &long);
        scene.track(&SceneTrack {
            title: name.clone(),
            artist_name: name.clone(),
            album_name: name,
            uri: Some(long.clone()),
            artists: vec![1_000 + id],
            ..track(id, &[])
        });
        scene.plays(1, &[ScenePlay::new(Millis(NOW.0 - id), id, 60_000)]);
    }
    for tool in super::history_tools() {
        let arguments = if tool.starts_with("history_top") { json!({"limit": 100}) } else { json!({}) };
        let text = result(&app, tool, &arguments).to_string();
        assert!(text.chars().count() < 100_000, "{tool}: {}", text.chars().count());
    }
}

#[test]
fn a_week_of_more_plays_than_a_text_holds_is_counted_like_any_other() {
    let app = app_with_user("UTC");
    let scene = Scene(&app);
    scene.artist(1, "Somebody").track(&track(7, &[1])).track(&track(8, &[1]));
    let begin = NOW.minus_ms(40 * DAY_MS);
    // Half of them in one second, so that no cut by time would do.
    let crowd = (0..60_000).map(|number| ScenePlay { ordinal: number, ..ScenePlay::new(begin, 7, 40_000) });
    let spread = (0..60_000).map(|number| ScenePlay::new(begin.plus_ms(1_000 + number * 7), 8, 31_000));
    let few = (0..10).map(|number| ScenePlay::new(begin.plus_ms(20 * DAY_MS + number * 60_000), 8, 1_000));
    scene.plays(1, &crowd.chain(spread).chain(few).collect::<Vec<_>>());
    let top = result(&app, "history_top_tracks", &json!({"days": 90}));
    let counts: Vec<i64> =
        top["items"].as_array().unwrap().iter().map(|item| item["play_count"].as_i64().unwrap()).collect();
    assert_eq!(counts, [60_000, 60_000]);
    assert_eq!(top["items"][0]["ms_played"], 60_000_i64 * 40_000);
    let coverage = result(&app, "history_coverage", &json!({"days": 90}));
    assert_eq!(coverage["total_plays"], 120_000, "{coverage}");
    assert_eq!(coverage["counted"]["rows"], 120_010, "{coverage}");
}
