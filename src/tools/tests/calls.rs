//! The ways in: envelopes, paths, credentials, and what each of them says when it refuses.

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use super::{app_with_user, refused_fields, result, track};
use crate::{
    domain::instant::Millis,
    telemetry,
    testing::{
        TestApp,
        scene::{Scene, ScenePlay},
        sqlite::Failure,
        test_app::NOW,
    },
};

fn app_with_a_play() -> TestApp {
    let app = app_with_user("UTC");
    Scene(&app).artist(10, "Björk").track(&track(1, &[10])).plays(1, &[ScenePlay::new(Millis(NOW.0 - 5), 1, 60_000)]);
    app
}

#[test]
fn every_envelope_asks_the_same_question() {
    let app = app_with_a_play();
    let arguments = json!({"days": 30, "limit": 5});
    let expected = result(&app, "history_top_artists", &arguments);
    for envelope in [
        json!({"tool": "history_top_artists", "args": arguments}),
        json!({"tool": "history_top_artists", "days": 30, "limit": 5}),
        json!({"tool": "history.top_artists", "arguments": arguments}),
        json!({"tool": "history_top_artists", "arguments": arguments.to_string()}),
        json!({"tool": "history_top_artists", "arguments": {}, "args": arguments}),
        json!({"tool": "history_top_artists", "arguments": null, "args": arguments}),
        json!({"tool": "history_top_artists", "arguments": {}, "args": "", "days": 30, "limit": 5}),
        json!({"tool": "history_top_artists", "arguments": arguments, "days": 7, "args": {"days": 8}}),
    ] {
        let answer = app.post("/mcp/call", &envelope);
        assert_eq!(answer.status, 200, "{envelope}");
        let called = json!({"tool": "history_top_artists", "success": true, "result": expected, "error": null});
        assert_eq!(answer.json(), called, "{envelope}");
    }
    assert_eq!(app.post("/tools/history_top_artists", &arguments).json(), expected);
    assert_eq!(app.post("/tools/history.top_artists", &arguments).json(), expected);
    assert_eq!(app.get("/history/users/1/top-artists?days=30&limit=5").json(), expected);
}

#[test]
fn every_path_of_the_history_answers_what_its_tool_does() {
    let app = app_with_a_play();
    for (path, tool) in [
        ("top-artists", "history_top_artists"),
        ("top-tracks", "history_top_tracks"),
        ("top-albums", "history_top_albums"),
        ("heatmap", "history_listening_heatmap"),
        ("repeat-rate", "history_repeat_rate"),
        ("coverage", "history_coverage"),
        ("taste-summary", "history_taste_summary"),
    ] {
        let answer = app.get(&format!("/history/users/1/{path}?from=2026-11-01&timezone=Asia%2FTokyo&min_ms_played=0"));
        assert_eq!(answer.status, 200, "{path}");
        let arguments = json!({"from": "2026-11-01", "timezone": "Asia/Tokyo", "min_ms_played": 0});
        assert_eq!(answer.json(), result(&app, tool, &arguments));
    }
    for (path, status) in [
        ("/history/users/1/top-artist", 404),
        ("/history/users/9/top-artists", 404),
        ("/history/users/one/top-artists", 404),
        ("/history/users/0/top-artists", 404),
        ("/history/users/99999999999999999999/top-artists", 404),
        ("/history/users/9007199254740993/top-artists", 404),
        ("/history/users/1/top-artists?user_id=1", 422),
        ("/history/users/1/top-artists?dyas=3", 422),
        ("/history/users/1/top-artists?days=many", 422),
        ("/history/users/1/heatmap?limit=3", 422),
    ] {
        let answer = app.get(path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
    }
}

#[test]
fn wrong_arguments_are_named_with_what_is_allowed() {
    let app = app_with_a_play();
    let fields = |arguments: Value| refused_fields(&app, "history_top_artists", &arguments);
    assert_eq!(fields(json!({"days": 0})), ["days"]);
    assert_eq!(fields(json!({"days": 36_501})), ["days"]);
    assert_eq!(fields(json!({"days": "30 days"})), ["days"]);
    assert_eq!(fields(json!({"days": 30, "from": "2019-01-01"})), ["days"]);
    assert_eq!(fields(json!({"from": "2019-02-01", "to": "2019-01-01"})), ["from"]);
    assert_eq!(
        fields(json!({"from": "last week", "timezone": "Mars/Base", "limit": 101, "kind": "noise"})),
        ["from", "kind", "limit", "timezone"]
    );
    assert_eq!(fields(json!({"min_ms_played": -1, "day": 3, "🎵": 1})), ["day", "min_ms_played", "🎵"]);
    assert_eq!(fields(json!({"user_id": "me"})), ["user_id"]);
    assert_eq!(refused_fields(&app, "history_coverage", &json!({"limit": 3})), ["limit"]);
    let body = app.post("/tools/history_top_artists", &json!({"day": 3}));
    assert_eq!(body.status, 422);
    assert!(body.json()["detail"].as_str().unwrap().contains("min_ms_played"));
}

#[test]
fn a_call_that_is_not_understood_says_so_in_the_same_members() {
    let app = app_with_a_play();
    for (envelope, status) in [
        (json!({"tool": "history_top_artist"}).to_string(), 422),
        (json!({"tool": 7}).to_string(), 422),
        (json!({}).to_string(), 422),
        (String::new(), 422),
        (json!([]).to_string(), 422),
        (json!({"tool": "history_coverage", "arguments": [1]}).to_string(), 422),
        (json!({"tool": "history_coverage", "arguments": "days=3"}).to_string(), 422),
        ("{\"tool\":".to_owned(), 400),
        ("nonsense \u{0}".to_owned(), 400),
    ] {
        let answer = app.admin("POST", "/mcp/call", envelope.clone());
        let body = answer.json();
        assert_eq!(answer.status, status, "{envelope}");
        assert_eq!((&body["success"], &body["result"]), (&json!(false), &Value::Null), "{envelope}");
        assert_eq!(body["error"], body["detail"]);
        assert!(body["request_id"].is_string());
    }
    assert_eq!(app.post("/tools/history_top_artist", &json!({})).status, 404);
    assert_eq!(app.post("/tools/history_top_artists", &json!([])).status, 422);
}

#[test]
fn whose_history_is_told_or_asked() {
    let app = TestApp::new();
    let call = |arguments: Value| app.post("/mcp/call", &json!({"tool": "history_coverage", "arguments": arguments}));
    let nobody = call(json!({}));
    assert_eq!((nobody.status.as_u16(), &nobody.json()["success"]), (200, &json!(false)));
    Scene(&app).user(3, "UTC");
    assert_eq!(call(json!({})).json()["success"], true);
    let unknown = call(json!({"user_id": 7}));
    assert_eq!(unknown.status, 200);
    assert_eq!(unknown.json()["error"], "User 7 not found.");
    assert_eq!(app.post("/tools/history_coverage", &json!({"user_id": 7})).status, 404);
    Scene(&app).user(5, "UTC");
    let which = call(json!({}));
    assert_eq!(which.status, 422);
    assert!(which.json()["error"].as_str().unwrap().ends_with("there are: 3, 5"));
    assert_eq!(call(json!({"user_id": 5})).json()["success"], true);
}

#[test]
fn nobody_asks_without_a_credential_and_everybody_sees_the_catalogue() {
    let app = app_with_a_play();
    let send = |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(format!("http://listenlog.example{path}"));
        app.send(request.body(Body::empty()).unwrap())
    };
    assert_eq!(send("GET", "/mcp/tools").status, 200);
    for (method, path) in
        [("POST", "/mcp/call"), ("POST", "/tools/history_coverage"), ("GET", "/history/users/1/top-artists")]
    {
        let answer = send(method, path);
        assert_eq!(answer.status, 401, "{path}");
        assert!(answer.headers.contains_key("www-authenticate"));
    }
}

#[test]
fn what_fails_inside_says_one_fixed_sentence() {
    let app = app_with_a_play();
    app.db.fail_after(0, Failure::BeforeWriting);
    let answer = app.post("/mcp/call", &json!({"tool": "history.coverage"}));
    assert_eq!(answer.status, 503);
    let body = answer.json();
    assert_eq!((&body["tool"], &body["success"]), (&json!("history_coverage"), &json!(false)));
    assert_eq!(body["error"], body["detail"]);
    assert!(!answer.bytes.windows(6).any(|text| text == b"SELECT") && !body.to_string().contains("connection"));
}

#[test]
fn a_call_leaves_one_log_row_without_its_arguments() {
    telemetry::install(telemetry::Platform { now: || NOW, console: |_, _| {} });
    let app = app_with_a_play();
    result(&app, "history_coverage", &json!({"user_id": 1, "timezone": "Antarctica/Troll"}));
    let rows: Vec<(String, i64, String)> = app.db.with(|connection| {
        let sql = "SELECT level, user_id, fields FROM logs WHERE message = 'A tool answered'";
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    });
    let fields = "{\"rows\":1,\"tool\":\"history_coverage\"}".to_owned();
    assert_eq!(rows, [("info".to_owned(), 1, fields)]);
}
