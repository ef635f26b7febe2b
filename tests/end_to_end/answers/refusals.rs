//! Questions that cannot be answered as they are: what is said, and that nothing of it is the server's fault.

use listenlog_workbench::client::Response;
use serde_json::{Value, json};

use super::listeners::Scene;

const TOP: &str = "/tools/history_top_artists";
const MANY_YEARS: &str = "must be a whole number from 1 to 36500";

/// A problem document of this status, complete and consistent.
fn problem(answer: &Response, status: u16, context: &str) -> Value {
    let body = answer.json();
    assert_eq!(answer.status, status, "{context}: {body}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{context}");
    assert_eq!(body["status"], status, "{context}");
    for member in ["type", "title", "detail"] {
        assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{context}: {member} in {body}");
    }
    assert!(body["request_id"].is_string(), "{context}");
    assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"), "{context}");
    body
}

/// The problem names this field, and what is allowed in it.
fn names(body: &Value, field: &str, allowed: &str) {
    let errors = body["errors"].as_array().map_or(&[][..], Vec::as_slice);
    let error = errors.iter().find(|error| error["field"] == field);
    let detail = error.and_then(|error| error["detail"].as_str()).unwrap_or_default();
    assert!(detail.contains(allowed), "{field}: {allowed:?} in {body}");
}

#[test]
fn a_wrong_argument_is_named_with_what_is_allowed_at_every_entrance() {
    let scene = Scene::shared();
    let user = scene.long_life().user;
    let date = "must be a date such as 2019-06-21, or an instant such as 2019-06-21T18:30:00Z";
    let zone = "must be an IANA time zone such as Europe/Berlin";
    for (arguments, field, allowed) in [
        (json!({"days": 0}), "days", MANY_YEARS),
        (json!({"days": -3}), "days", MANY_YEARS),
        (json!({"days": 36_501}), "days", MANY_YEARS),
        (json!({"days": "thirty"}), "days", MANY_YEARS),
        (json!({"days": 1.5}), "days", MANY_YEARS),
        (json!({"days": true}), "days", MANY_YEARS),
        (json!({"days": [30]}), "days", MANY_YEARS),
        (json!({"days": 30, "from": "2021-01-01"}), "days", "must not be given together with `from` or `to`"),
        (json!({"from": "2021-02-01", "to": "2021-01-01"}), "from", "must be before `to`"),
        (json!({"from": "2021-02-01T00:00:00Z", "to": "2021-02-01T00:00:00Z"}), "from", "must be before `to`"),
        (json!({"from": "9990-01-01"}), "from", "must be in the past when `to` is not given"),
        (json!({"from": "yesterday"}), "from", date),
        (json!({"to": "2021-02-30"}), "to", date),
        (json!({"to": 20_210_101}), "to", date),
        (json!({"timezone": "Mars/Base"}), "timezone", zone),
        (json!({"timezone": 2}), "timezone", zone),
        (json!({"timezone": ""}), "timezone", zone),
        (json!({"limit": 101}), "limit", "must be a whole number from 1 to 100"),
        (json!({"limit": 0}), "limit", "must be a whole number from 1 to 100"),
        (json!({"min_ms_played": -1}), "min_ms_played", "must be a whole number from 0 to 86400000"),
        (json!({"kind": "noise"}), "kind", "must be one of: music, podcast, audiobook, local, video, all"),
        (json!({"dyas": 30}), "dyas", "known are: user_id, days, from, to, timezone, min_ms_played, kind, limit"),
    ] {
        let mut with_user = arguments.clone();
        with_user["user_id"] = user.into();
        let answer = scene.admin().post_json(TOP, &with_user).unwrap();
        names(&problem(&answer, 422, &arguments.to_string()), field, allowed);

        let envelope = json!({"tool": "history_top_artists", "arguments": with_user});
        let called = scene.admin().post_json("/mcp/call", &envelope).unwrap();
        let body = problem(&called, 422, &envelope.to_string());
        names(&body, field, allowed);
        assert_eq!((&body["tool"], &body["success"]), (&json!("history_top_artists"), &json!(false)));
        assert_eq!((&body["error"], &body["result"]), (&body["detail"], &Value::Null));

        let fields = arguments.as_object().unwrap();
        if fields.values().all(|value| value.is_string() || value.is_i64()) {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", text(value))).collect();
            // A number is a fine time for no zone, but any text is a text here.
            let url = format!("/history/users/{user}/top-artists?{}", pairs.join("&"));
            let body = problem(&scene.admin().get(&url).unwrap(), 422, &url);
            names(&body, field, if field == "dyas" { "known are: days, from" } else { allowed });
        }
    }
}

#[test]
fn everything_wrong_is_told_at_once() {
    let scene = Scene::shared();
    let arguments = json!({"days": 0, "limit": 101, "timezone": "Mars/Base", "kind": 7, "wat": null, "huh": 1});
    let body = problem(&scene.admin().post_json(TOP, &arguments).unwrap(), 422, "all at once");
    let errors = body["errors"].as_array().unwrap();
    let mut fields: Vec<&str> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["days", "huh", "kind", "limit", "timezone"]);
}

#[test]
fn nobody_and_nobody_in_particular_are_told_apart() {
    let scene = Scene::shared();
    let nobody = json!({"user_id": 4_711});
    let answer = scene.admin().post_json(TOP, &nobody).unwrap();
    assert_eq!(problem(&answer, 404, "nobody")["detail"], "User 4711 not found.");
    let path = scene.admin().get("/history/users/4711/top-artists").unwrap();
    assert_eq!(problem(&path, 404, "nobody's path")["detail"], "User 4711 not found.");
    problem(&scene.admin().get("/history/users/me/top-artists").unwrap(), 404, "no number");

    // A tool says it itself: the call was understood.
    let envelope = json!({"tool": "history_top_artists", "arguments": nobody});
    let called = scene.admin().post_json("/mcp/call", &envelope).unwrap();
    let expected =
        json!({"tool": "history_top_artists", "success": false, "result": null, "error": "User 4711 not found."});
    assert_eq!((called.status, called.json()), (200, expected));

    let ids: Vec<String> = scene.listeners.iter().map(|listener| listener.user.to_string()).collect();
    let listed = format!("there are: {}", ids.join(", "));
    let whose = scene.admin().post_json(TOP, &json!({})).unwrap();
    names(&problem(&whose, 422, "whose"), "user_id", &listed);
    let called = scene.admin().post_json("/mcp/call", &json!({"tool": "history_top_artists"})).unwrap();
    names(&problem(&called, 422, "whose call"), "user_id", &listed);
    for wrong in [json!("me"), json!(0), json!(1.5), json!({"id": 1}), json!(9.3e18)] {
        let answer = scene.admin().post_json(TOP, &json!({"user_id": wrong})).unwrap();
        names(&problem(&answer, 422, &wrong.to_string()), "user_id", "must be a whole number");
    }
}

#[test]
fn a_call_that_is_not_understood_is_the_callers_to_mend() {
    let scene = Scene::shared();
    let send = |path: &str, body: &[u8]| scene.admin().post_bytes(path, "application/json", body).unwrap();
    let unknown = send("/tools/history_top_artist", b"{}");
    let detail = problem(&unknown, 404, "unknown tool")["detail"].clone();
    assert!(detail.as_str().unwrap().contains("history_top_artists"), "{detail}");
    let body = problem(&send("/mcp/call", br#"{"tool": "history_top_artist"}"#), 422, "unknown tool of a call");
    names(&body, "tool", "history_top_artists");
    names(&problem(&send("/mcp/call", b"{}"), 422, "no tool"), "tool", "is required");
    names(&problem(&send("/mcp/call", br#"{"tool": 7}"#), 422, "a number"), "tool", "must be the name of a tool");
    let listed = br#"{"tool": "history_coverage", "arguments": [1]}"#;
    names(&problem(&send("/mcp/call", listed), 422, "a list"), "arguments", "must be a JSON object");
    for path in ["/mcp/call", TOP] {
        for broken in [&b"{\"days\": "[..], b"nonsense", b"\xff\xfe\x00", b"{\"days\": 1}}"] {
            let body = problem(&send(path, broken), 400, path);
            assert!(body["detail"].as_str().unwrap().contains("not JSON"), "{body}");
        }
        for shape in [&b"[]"[..], b"3", b"null", b"\"days\""] {
            names(&problem(&send(path, shape), 422, path), "body", "must be a JSON object");
        }
        let deep = "[".repeat(60_000);
        problem(&send(path, deep.as_bytes()), 400, "deep");
        let large = format!("{{\"days\": 1{}}}", " ".repeat(65 * 1024));
        let body = problem(&send(path, large.as_bytes()), 413, "large");
        assert!(body["detail"].as_str().unwrap().contains("65536 bytes"), "{body}");
        let method = scene.admin().get(path).unwrap();
        problem(&method, 405, "GET");
    }
}

#[test]
fn an_unknown_or_doubled_query_parameter_is_refused() {
    let scene = Scene::shared();
    let user = scene.long_life().user;
    for (query, field, allowed) in [
        ("dyas=30", "dyas", "known are: days, from, to, timezone, min_ms_played, kind, limit"),
        ("user_id=1", "user_id", "known are: days"),
        ("days=30&days=31", "days", "must be given once"),
        ("days=", "days", MANY_YEARS),
        ("days=%2030", "days", MANY_YEARS),
        ("days=30.0", "days", MANY_YEARS),
        ("%F0%9F%8E%B5=1", "🎵", "known are: days"),
    ] {
        let url = format!("/history/users/{user}/top-tracks?{query}");
        names(&problem(&scene.admin().get(&url).unwrap(), 422, &url), field, allowed);
    }
    let heatmap = format!("/history/users/{user}/heatmap?limit=5");
    let body = problem(&scene.admin().get(&heatmap).unwrap(), 422, &heatmap);
    names(&body, "limit", "known are: days, from, to, timezone, min_ms_played, kind");
    problem(&scene.admin().get(&format!("/history/users/{user}/top-artist")).unwrap(), 404, "no such question");
}
