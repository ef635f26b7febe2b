//! The endpoint through the router, as clients of both eras speak to it.

mod bounds;
mod hostile;
mod methods;
mod protocol;

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use crate::testing::{
    TestApp,
    scene::{Scene, ScenePlay, SceneTrack},
    test_app::{ADMIN_TOKEN, Answer, NOW},
};

/// Two listeners; the first played Björk, the second Sigur Rós.
fn app() -> TestApp {
    let app = TestApp::new();
    let scene = Scene(&app);
    scene.user(1, "Europe/Berlin").user(2, "UTC").artist(10, "Björk").artist(20, "Sigur Rós");
    for (id, artist) in [(1, 10), (2, 20)] {
        let title = Some(format!("Track {id}"));
        let uri = Some(format!("spotify:track:{id}"));
        scene.track(&SceneTrack { id, uri, title, artists: vec![artist], ..SceneTrack::default() });
        scene.plays(id, &[ScenePlay::new(NOW.minus_ms(60_000), id, 180_000)]);
    }
    app
}

/// A token of user 1 with these scopes.
fn token(app: &TestApp, scopes: &[&str]) -> String {
    let issued = app.post("/admin/users/1/tokens", &json!({"label": "test", "scopes": scopes}));
    issued.json()["token"].as_str().unwrap().to_owned()
}

fn send(app: &TestApp, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::builder()
        .method("POST")
        .uri("http://listenlog.example/mcp")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/json, text/event-stream");
    if !headers.iter().any(|(name, _)| *name == "authorization") {
        request = request.header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"));
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    app.send(request.body(body.into()).unwrap())
}

fn message(method: &str, params: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
}

/// A request of the handshake era, with the credential given.
fn ask_old(app: &TestApp, token: &str, method: &str, params: &Value) -> Value {
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("mcp-protocol-version", "2025-11-25")];
    let answer = send(app, &headers, message(method, params).to_string());
    assert_eq!(answer.status, 200, "{method}");
    assert_eq!(answer.headers[header::CONTENT_TYPE], "application/json");
    let answer = answer.json();
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
    answer
}

/// Parameters with what the era since 2026-07-28 wants in them.
fn with_meta(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    params
}

/// A request of the era since 2026-07-28.
fn ask_new(app: &TestApp, method: &str, params: Value) -> Answer {
    let params = with_meta(params);
    let name = params.get("name").or_else(|| params.get("uri")).and_then(Value::as_str).unwrap_or("-").to_owned();
    let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", method), ("mcp-name", name.as_str())];
    send(app, &headers, message(method, &params).to_string())
}
