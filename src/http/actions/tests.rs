//! The document against the limits of Actions, and a GPT that was set up for the program before this one.
//! `UPDATE_GOLDEN=1 cargo test --lib golden` writes the golden file anew.

use axum::{body::Body, http::Request};
use listenlog_workbench::fake_spotify::{FakeSpotify, Listener};

use super::*;
use crate::testing::{
    TestApp,
    fake_spotify::{app_with, connect},
    scene::{Scene, ScenePlay, SceneTrack},
    test_app::NOW,
};

const GOLDEN: &str = include_str!("openapi.golden.json");

fn served() -> Value {
    let app = TestApp::with_vars(&[("PUBLIC_URL", "https://listenlog.example")]);
    let request = Request::builder().uri("http://other.example/openapi.json");
    let answer = app.send(request.body(Body::empty()).unwrap());
    assert_eq!(answer.status, 200);
    answer.json()
}

#[test]
fn the_openapi_document_is_the_golden_one() {
    let served = served();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/actions/openapi.golden.json");
        std::fs::write(path, format!("{}\n", serde_json::to_string_pretty(&served).unwrap())).unwrap();
        return;
    }
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    assert!(served == golden, "UPDATE_GOLDEN=1 writes the golden file anew");
}

#[test]
fn the_openapi_document_names_the_set_server_or_the_one_that_was_asked() {
    assert_eq!(served()["servers"], json!([{ "url": "https://listenlog.example" }]));
    let request = Request::builder().uri("https://mine.example:8443/openapi.json").body(Body::empty()).unwrap();
    assert_eq!(TestApp::new().send(request).json()["servers"][0]["url"], "https://mine.example:8443");
}

#[test]
fn every_operation_keeps_the_limits_of_actions() {
    let document = served();
    assert!(document.to_string().chars().count() < 1_000_000);
    let paths = document["paths"].as_object().unwrap();
    assert!((1..=30).contains(&paths.len()));
    assert_eq!(paths.len(), tools::names().len());
    for (path, item) in paths {
        let operation = &item["post"];
        let length = |name: &str| operation[name].as_str().unwrap().chars().count();
        assert_eq!(path, &format!("/tools/{}", operation["operationId"].as_str().unwrap()));
        assert!((1..=64).contains(&length("operationId")));
        assert!((1..=300).contains(&length("description")) && (1..=300).contains(&length("summary")), "{path}");
        assert!(operation["x-openai-isConsequential"].is_boolean(), "{path}");
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["type"], "object");
        for (name, parameter) in schema["properties"].as_object().unwrap() {
            assert!((1..=700).contains(&parameter["description"].as_str().unwrap().chars().count()), "{path} {name}");
            assert!(parameter["type"].is_string(), "{path} {name} is not flat");
        }
        let result = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert!(result["properties"].is_object(), "{path}");
    }
}

/// A listener who is connected to Spotify as user 1 and played one track.
fn connected() -> TestApp {
    let (app, fake) = app_with(FakeSpotify::with(vec![Listener::new("ada", "Ada")]));
    assert_eq!(connect(&app, &fake, "ada").0, 1);
    let track = SceneTrack { id: 1, title: Some("Jóga".to_owned()), artists: vec![10], ..SceneTrack::default() };
    Scene(&app).artist(10, "Björk").track(&track).plays(1, &[ScenePlay::new(NOW.minus_ms(5), 1, 60_000)]);
    app
}

/// What ChatGPT sent to the program before: the arguments in an object of either name, or beside `tool`.
fn calls_as_of_old(tool: &str, arguments: &Value) -> Vec<Value> {
    let mut flat = arguments.clone();
    flat["tool"] = json!(tool);
    vec![
        json!({"tool": tool, "arguments": arguments}),
        json!({"tool": tool, "args": arguments}),
        json!({"tool": tool, "arguments": {}, "args": arguments}),
        json!({"tool": tool, "arguments": null, "args": arguments}),
        flat,
    ]
}

#[test]
fn a_gpt_of_the_program_before_goes_on_working_with_another_url_and_token() {
    let app = connected();
    for (tool, more) in [
        ("history.taste_summary", json!({"days": 90})),
        ("history.top_artists", json!({"days": 90, "limit": 20})),
        ("history.top_tracks", json!({"days": 90, "limit": 20})),
        ("history.listening_heatmap", json!({"days": 90})),
        ("history.repeat_rate", json!({"days": 90})),
        ("history.coverage", json!({"days": 90})),
        ("spotify.get_top", json!({"entity": "artists", "time_range": "medium_term", "limit": 20})),
        ("spotify.get_top", json!({"entity": "tracks", "time_range": "long_term"})),
        ("spotify.search", json!({"q": "amber"})),
        ("spotify.search", json!({"q": "amber", "type": "artist", "limit": 10})),
        ("spotify.search", json!({"q": "amber", "search_type": "album"})),
        ("ops.sync_status", json!({})),
        ("ops.latest_job_runs", json!({"limit": 5})),
        ("ops.latest_import_jobs", json!({"limit": 5})),
    ] {
        // A user in each of them.
        let mut arguments = more;
        arguments["user_id"] = json!(1);
        assert_answers(&app, &calls_as_of_old(tool, &arguments));
    }
    assert_answers(&app, &calls_as_of_old("ops.list_users", &json!({})));
    let call = |call: Value| app.post("/mcp/call", &call).json();
    let top = call(json!({"tool": "history.top_tracks", "user_id": 1, "days": 30, "limit": 5}));
    assert_eq!(top["result"]["items"][0]["track_name"], "Jóga");
    assert_eq!(top["result"]["items"][0]["play_count"], 1);
    let found = call(json!({"tool": "spotify.search", "user_id": 1, "q": "amber", "search_type": "artist"}));
    assert_eq!(found["result"]["items"][0]["type"], "artist", "{found}");
    // What the model cannot know it is told, in the members it knows.
    let wrong = call(json!({"tool": "history.top_songs", "user_id": 1}));
    assert_eq!(wrong["success"], false);
    assert!(wrong["error"].as_str().unwrap().contains("history_top_tracks"));
}

/// All of these calls are understood alike.
fn assert_answers(app: &TestApp, calls: &[Value]) {
    let mut first = None;
    for call in calls {
        let answer = app.post("/mcp/call", call);
        let body = answer.json();
        assert_eq!((answer.status.as_u16(), &body["success"]), (200, &json!(true)), "{call}: {body}");
        assert!(body["result"].is_object() && body["error"].is_null(), "{call}: {body}");
        assert_eq!(&body, first.get_or_insert_with(|| body.clone()), "{call}");
    }
}

#[test]
fn an_operation_takes_its_arguments_flat_or_nested() {
    let app = TestApp::new();
    Scene(&app).user(1, "UTC");
    let flat = app.post("/tools/history_coverage", &json!({"user_id": 1, "days": 30}));
    assert_eq!(flat.status, 200);
    for nested in [
        json!({"arguments": {"user_id": 1, "days": 30}}),
        json!({"args": {"user_id": 1, "days": 30}}),
        json!({"arguments": "{\"user_id\": 1, \"days\": 30}"}),
    ] {
        assert_eq!(app.post("/tools/history_coverage", &nested).json(), flat.json(), "{nested}");
    }
    assert_eq!(app.post("/tools/history_coverage", &json!({"arguments": [1]})).status, 422);
    assert_eq!(app.post("/tools/history_coverage", &json!({"arguments": {"dyas": 1}})).status, 422);
}

#[test]
fn an_answer_stays_below_what_an_action_takes_whatever_the_names() {
    let app = TestApp::new();
    Scene(&app).user(1, "UTC").plays_of_odd_names(1, 120, NOW);
    for tool in ["history_top_tracks", "history_top_artists", "history_top_albums"] {
        let answer = app.post(&format!("/tools/{tool}"), &json!({"limit": 100, "days": 36_500}));
        assert_eq!(answer.status, 200);
        assert!(String::from_utf8(answer.bytes.clone()).unwrap().chars().count() < 100_000, "{tool}");
        assert!(answer.json()["items"].as_array().unwrap().len() >= 50, "{tool}");
        let called = app.post("/mcp/call", &json!({"tool": tool, "arguments": {"limit": 100, "days": 36_500}}));
        assert!(String::from_utf8(called.bytes).unwrap().chars().count() < 100_000, "{tool}");
    }
    let tracks = app.post("/tools/history_top_tracks", &json!({"limit": 100, "days": 36_500})).json();
    assert!(tracks["cut_note"].as_str().unwrap().contains("limit"), "{}", tracks["items"][0]);
}
