//! Tokens from their issue to their end, and what they open on the way.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use crate::{
    domain::instant::{HOUR_MS, Millis},
    testing::{
        TestApp,
        scene::Scene,
        test_app::{Answer, NOW},
    },
};

fn app_with_two_users() -> TestApp {
    let app = TestApp::new();
    Scene(&app).user(1, "UTC").user(2, "UTC");
    app
}

fn issue(app: &TestApp, user: i64, wanted: &Value) -> Value {
    let issued = app.post(&format!("/admin/users/{user}/tokens"), wanted);
    assert_eq!(issued.status, 201, "{}", issued.json());
    assert_eq!(issued.headers[header::CACHE_CONTROL], "no-store");
    issued.json()
}

fn with_token(app: &TestApp, token: &str, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://listenlog.example{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    app.send(request.body(Body::from(body.to_string())).unwrap())
}

fn status(app: &TestApp, token: &str) -> u16 {
    with_token(app, token, "POST", "/tools/history_coverage", &json!({})).status.as_u16()
}

#[test]
fn a_token_opens_its_users_history_and_nothing_else_in_every_entrance() {
    let app = app_with_two_users();
    let issued = issue(&app, 2, &json!({"label": "Claude", "scopes": ["read"]}));
    let token = issued["token"].as_str().unwrap();
    assert_eq!(issued["scopes"], json!(["read"]));
    assert_eq!(issued["expires_at"], Value::Null);
    for (method, path, body) in [
        ("POST", "/tools/history_coverage", json!({})),
        ("POST", "/tools/history_coverage", json!({"user_id": 2})),
        ("POST", "/mcp/call", json!({"tool": "history.coverage"})),
        ("POST", "/mcp/call", json!({"tool": "history_coverage", "args": {"user_id": 2}})),
        ("GET", "/history/users/2/coverage", Value::Null),
        ("GET", "/history/users/2/plays", Value::Null),
    ] {
        assert_eq!(with_token(&app, token, method, path, &body).status, 200, "{method} {path} {body}");
    }
    // Of somebody else it tells nothing, not even whether there is such a user.
    for user in [1, 7] {
        for (method, path, body) in [
            ("POST", "/tools/history_coverage".to_owned(), json!({"user_id": user})),
            ("POST", "/mcp/call".to_owned(), json!({"tool": "history.coverage", "user_id": user})),
            ("GET", format!("/history/users/{user}/coverage"), Value::Null),
            ("GET", format!("/history/users/{user}/plays"), Value::Null),
        ] {
            let answer = with_token(&app, token, method, &path, &body);
            assert_eq!(answer.status, 403, "{method} {path} {body}");
            assert_eq!(answer.json()["detail"], "This credential opens user 2 alone: leave `user_id` out.");
        }
    }
    for (method, path) in [
        ("GET", "/admin/users"),
        ("GET", "/admin/users/2"),
        ("GET", "/admin/users/2/tokens"),
        ("POST", "/admin/users/2/tokens"),
        ("DELETE", "/admin/users/2/tokens/1"),
        ("GET", "/admin/nothing"),
    ] {
        assert_eq!(with_token(&app, token, method, path, &json!({})).status, 403, "{method} {path}");
    }
}

#[test]
fn a_token_without_the_scope_is_told_which_one_it_lacks() {
    let app = app_with_two_users();
    let issued = issue(&app, 1, &json!({"label": "watcher", "scopes": ["ops"]}));
    let token = issued["token"].as_str().unwrap();
    for (method, path) in [("POST", "/tools/history_coverage"), ("GET", "/history/users/1/plays")] {
        let answer = with_token(&app, token, method, path, &json!({}));
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("`read`"));
    }
}

#[test]
fn a_token_that_expired_or_was_revoked_or_never_was_opens_nothing() {
    let app = app_with_two_users();
    let until = json!({"label": "a day", "expires_at": NOW.plus_ms(24 * HOUR_MS).to_rfc3339()});
    let expiring = issue(&app, 1, &until)["token"].as_str().unwrap().to_owned();
    let issued = issue(&app, 1, &json!({"label": "for good"}));
    let token = issued["token"].as_str().unwrap();
    assert_eq!((status(&app, &expiring), status(&app, token)), (200, 200));
    app.clock.set(NOW.plus_ms(24 * HOUR_MS));
    assert_eq!((status(&app, &expiring), status(&app, token)), (401, 200));
    let path = format!("/admin/users/1/tokens/{}", issued["id"]);
    // Only under its own user.
    let elsewhere = format!("/admin/users/2/tokens/{}", issued["id"]);
    assert_eq!(app.admin("DELETE", &elsewhere, Body::empty()).status, 404);
    assert_eq!(status(&app, token), 200);
    assert_eq!(app.admin("DELETE", &path, Body::empty()).status, 204);
    assert_eq!(app.admin("DELETE", &path, Body::empty()).status, 404);
    for dead in [token, &expiring, "listenlog_token_00", "listenlog_token_", "listenlog_grant_00"] {
        let answer = with_token(&app, dead, "POST", "/tools/history_coverage", &json!({}));
        assert_eq!(answer.status, 401, "{dead}");
        assert!(answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().contains("invalid_token"));
        assert!(!String::from_utf8_lossy(&answer.bytes).contains(dead));
    }
    assert_eq!(app.get("/admin/users/1/tokens").json()["total"], 1);
    let changes = app.get("/admin/audit?target=users/1/tokens").json();
    let actions: Vec<&Value> = changes["items"].as_array().unwrap().iter().map(|change| &change["action"]).collect();
    assert_eq!(actions, ["token.revoke", "token.issue", "token.issue"]);
}

#[test]
fn the_list_shows_the_last_use_to_the_hour_and_never_a_token() {
    let app = app_with_two_users();
    let issued = issue(&app, 1, &json!({"label": "Claude 🎧", "scopes": ["ops", "read"]}));
    let token = issued["token"].as_str().unwrap();
    let last_use = || app.get("/admin/users/1/tokens").json()["items"][0]["last_used_at"].clone();
    assert_eq!(last_use(), Value::Null);
    status(&app, token);
    assert_eq!(last_use(), NOW.to_rfc3339());
    app.clock.set(NOW.plus_ms(HOUR_MS - 1));
    status(&app, token);
    assert_eq!(last_use(), NOW.to_rfc3339());
    let later = NOW.plus_ms(HOUR_MS);
    app.clock.set(later);
    status(&app, token);
    assert_eq!(last_use(), later.to_rfc3339());
    let listed = app.get("/admin/users/1/tokens").json();
    assert_eq!(listed["items"][0]["label"], "Claude 🎧");
    assert_eq!(listed["items"][0]["scopes"], json!(["read", "ops"]));
    assert_eq!(listed["items"][0]["token"], Value::Null);
    // Neither the token nor a part of it that matters is stored.
    let secret = token.rsplit('_').next().unwrap();
    for row in app.rows("SELECT * FROM assistant_tokens").iter().chain(&app.rows("SELECT * FROM audit")) {
        assert!(!row.contains(secret), "{row}");
    }
}

#[test]
fn what_is_wrong_with_a_token_is_said_for_every_field() {
    let app = app_with_two_users();
    let refused = |wanted: Value| {
        let answer = app.post("/admin/users/1/tokens", &wanted);
        assert_eq!(answer.status, 422, "{wanted}");
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(refused(json!({})), ["label"]);
    assert_eq!(
        refused(json!({"label": "a\u{7}", "scopes": ["write"], "expires_at": "tomorrow"})),
        ["label", "expires_at", "scopes"]
    );
    assert_eq!(refused(json!({"label": "x", "scopes": []})), ["scopes"]);
    assert_eq!(refused(json!({"label": "x", "expires_at": Millis(NOW.0).to_rfc3339()})), ["expires_at"]);
    assert_eq!(refused(json!({"label": "x", "user_id": 2})), ["user_id"]);
    assert_eq!(app.post("/admin/users/9/tokens", &json!({"label": "x"})).status, 404);
    assert_eq!(app.get("/admin/users/1/tokens").json()["total"], 0);
    assert_eq!(app.get("/admin/users/1/tokens?ofset=1").status, 422);
}

#[test]
fn a_token_is_no_more_than_itself_where_the_door_is_open_or_the_mode_is_basic() {
    for vars in [
        vec![("ADMIN_AUTH_MODE", "disabled")],
        vec![("ADMIN_AUTH_MODE", "basic"), ("ADMIN_USERNAME", "me"), ("ADMIN_PASSWORD", "p")],
    ] {
        let app = TestApp::with_vars(&vars);
        Scene(&app).user(1, "UTC");
        let at = |token: Option<&str>, method: &str, path: &str| {
            let mut request = Request::builder().method(method).uri(format!("http://127.0.0.1{path}"));
            let basic = "Basic bWU6cA==".to_owned();
            let credential = token.map_or(basic, |token| format!("Bearer {token}"));
            request = request.header(header::AUTHORIZATION, credential);
            app.send(request.body(Body::from("{\"label\": \"x\"}")).unwrap())
        };
        let issued = at(None, "POST", "/admin/users/1/tokens").json();
        let token = issued["token"].as_str().unwrap();
        assert_eq!(at(Some(token), "GET", "/history/users/1/coverage").status, 200);
        assert_eq!(at(Some(token), "GET", "/admin/users").status, 403);
        assert_eq!(at(Some("listenlog_token_x"), "GET", "/history/users/1/coverage").status, 401);
    }
}
