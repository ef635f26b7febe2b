//! The tools through the router, on SQLite.

mod bench;
mod calls;
mod catalogue;
mod numbers;
mod truth;
mod windows;

use serde_json::{Value, json};

use crate::testing::{
    TestApp,
    scene::{Scene, SceneTrack},
};

/// A track with a URI, named after its id.
fn track(id: i64, artists: &[i64]) -> SceneTrack {
    SceneTrack {
        id,
        uri: Some(format!("spotify:track:{id}")),
        title: Some(format!("Track {id}")),
        artist_name: artists.first().map(|artist| format!("Artist {artist}")),
        album_name: Some(format!("Album {}", id % 3)),
        duration_ms: Some(200_000),
        canonical_id: None,
        artists: artists.to_vec(),
    }
}

/// One user in this zone, and nothing else.
fn app_with_user(timezone: &str) -> TestApp {
    let app = TestApp::new();
    Scene(&app).user(1, timezone);
    app
}

/// The tools that answer from stored plays, by name.
fn history_tools() -> Vec<&'static str> {
    super::names().into_iter().filter(|name| name.starts_with("history_")).collect()
}

/// The result of a call that succeeds.
fn result(app: &TestApp, tool: &str, arguments: &Value) -> Value {
    let answer = app.post("/mcp/call", &json!({"tool": tool, "arguments": arguments}));
    let body = answer.json();
    assert_eq!(answer.status, 200, "{body}");
    assert_eq!(body["success"], true, "{body}");
    assert_eq!(body["tool"], tool);
    body["result"].clone()
}

/// The fields that a refused call names.
fn refused_fields(app: &TestApp, tool: &str, arguments: &Value) -> Vec<String> {
    let answer = app.post("/mcp/call", &json!({"tool": tool, "arguments": arguments}));
    let body = answer.json();
    assert_eq!(answer.status, 422, "{body}");
    assert_eq!((&body["success"], &body["result"], &body["tool"]), (&json!(false), &Value::Null, &json!(tool)));
    assert!(body["error"].is_string());
    let errors = body["errors"].as_array().unwrap();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}
