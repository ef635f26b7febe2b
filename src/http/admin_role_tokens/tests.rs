//! Tokens with a role from their issue to their end. Every role on every route: see `http::tests::roles`.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use crate::{
    domain::instant::HOUR_MS,
    testing::{
        TestApp,
        scene::Scene,
        test_app::{ADMIN_TOKEN, Answer, NOW},
    },
};

fn issue(app: &TestApp, wanted: &Value) -> Value {
    let issued = app.post("/admin/tokens", wanted);
    assert_eq!(issued.status, 201, "{}", issued.json());
    assert_eq!(issued.headers[header::CACHE_CONTROL], "no-store");
    issued.json()
}

fn at(app: &TestApp, authorization: &str, method: &str, path: &str, body: &Value) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://127.0.0.1{path}"))
        .header(header::AUTHORIZATION, authorization);
    app.send(request.body(Body::from(body.to_string())).unwrap())
}

fn status(app: &TestApp, token: &Value, path: &str) -> u16 {
    at(app, &format!("Bearer {}", token.as_str().unwrap()), "GET", path, &Value::Null).status.as_u16()
}

#[test]
fn a_token_is_shown_once_and_only_its_hash_is_stored() {
    let app = TestApp::new();
    let wanted = json!({"label": " Grafana \u{1f3a7} ", "role": "viewer", "expires_at": "2027-01-31T00:00:00Z"});
    let issued = issue(&app, &wanted);
    let token = issued["token"].as_str().unwrap();
    assert!(token.starts_with("listenlog_admin_") && token.len() == 80, "{token}");
    let expected = json!({"id": 1, "token": token, "label": "Grafana \u{1f3a7}", "role": "viewer",
        "created_at": NOW.to_rfc3339(), "expires_at": "2027-01-31T00:00:00Z", "last_used_at": null});
    assert_eq!(issued, expected);
    assert_eq!(status(&app, &issued["token"], "/admin/users"), 200);
    let listed = app.get("/admin/tokens").json();
    assert_eq!(listed["items"][0]["last_used_at"], NOW.to_rfc3339());
    assert_eq!(listed["items"][0]["token"], Value::Null);
    let secret = token.rsplit('_').next().unwrap();
    for table in ["role_tokens", "audit", "logs"] {
        for row in app.rows(&format!("SELECT * FROM {table}")) {
            assert!(!row.contains(secret), "{table}: {row}");
        }
    }
}

#[test]
fn a_token_that_expired_or_was_revoked_opens_nothing() {
    let app = TestApp::new();
    let end = NOW.plus_ms(HOUR_MS);
    let expiring = issue(&app, &json!({"label": "an hour", "role": "admin", "expires_at": end.to_rfc3339()}));
    let lasting = issue(&app, &json!({"label": "for good", "role": "admin"}));
    let statuses = || [&expiring, &lasting].map(|issued| status(&app, &issued["token"], "/admin/users"));
    assert_eq!(statuses(), [200, 200]);
    app.clock.set(end);
    assert_eq!(statuses(), [401, 200]);
    assert_eq!(app.admin("DELETE", "/admin/tokens/2", Body::empty()).status, 204);
    assert_eq!(app.admin("DELETE", "/admin/tokens/2", Body::empty()).status, 404);
    assert_eq!(statuses(), [401, 401]);
    assert_eq!(app.get("/admin/tokens").json()["total"], 1);
}

#[test]
fn what_is_wrong_with_a_token_with_a_role_is_said_for_every_field() {
    let app = TestApp::new();
    let refused = |wanted: Value| {
        let answer = app.post("/admin/tokens", &wanted);
        assert_eq!(answer.status, 422, "{wanted}");
        let errors = answer.json()["errors"].as_array().unwrap().clone();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(refused(json!({})), ["label", "role"]);
    let all_wrong = json!({"label": "", "role": "root", "expires_at": NOW.to_rfc3339()});
    assert_eq!(refused(all_wrong), ["label", "expires_at", "role"]);
    assert_eq!(refused(json!({"label": "x", "role": "viewer", "user_id": 1})), ["user_id"]);
    assert_eq!(app.get("/admin/audit").json()["total"], 0);
}

#[test]
fn the_audit_names_the_token_that_was_used_even_when_it_is_gone() {
    let app = TestApp::new();
    let issued = issue(&app, &json!({"label": "night shift", "role": "operator"}));
    let bearer = format!("Bearer {}", issued["token"].as_str().unwrap());
    assert_eq!(at(&app, &bearer, "POST", "/admin/users", &json!({"display_name": "Ada"})).status, 201);
    app.db.with(|connection| {
        let run = "INSERT INTO job_runs (job_type, status, started_by, created_at, updated_at) \
            VALUES ('poll', 'queued', 'schedule', 0, 0)";
        connection.execute(run, []).unwrap();
    });
    assert_eq!(at(&app, &bearer, "POST", "/admin/job-runs/cancel?job_type=poll", &Value::Null).status, 200);
    assert_eq!(app.admin("DELETE", "/admin/tokens/1", Body::empty()).status, 204);
    let told = |action: &str| app.get(&format!("/admin/audit?action={action}")).json()["items"][0].clone();
    for action in ["user.create", "job_run.cancel"] {
        let row = told(action);
        assert_eq!(row["credential"], "role_token", "{action}");
        assert_eq!(row["token"], json!({"id": 1, "label": "night shift", "role": "operator"}), "{action}");
    }
    for action in ["role_token.issue", "role_token.revoke"] {
        let row = told(action);
        assert_eq!(row["target"], "tokens/1", "{action}");
        assert_eq!((&row["credential"], &row["token"]), (&json!("admin_token"), &Value::Null), "{action}");
    }
    assert_eq!(told("role_token.issue")["after"]["role"], "operator");
    assert_eq!(app.get("/admin/audit?credential=role_token").json()["total"], 2);
}

#[test]
fn a_token_is_no_more_than_its_role_in_every_mode() {
    let basic = "Basic bWU6cA==";
    for vars in [
        vec![("ADMIN_AUTH_MODE", "disabled")],
        vec![("ADMIN_AUTH_MODE", "basic"), ("ADMIN_USERNAME", "me"), ("ADMIN_PASSWORD", "p")],
        vec![("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", ADMIN_TOKEN)],
    ] {
        let app = TestApp::with_vars(&vars);
        let own = if vars.len() == 2 { format!("Bearer {ADMIN_TOKEN}") } else { basic.to_owned() };
        let issued = at(&app, &own, "POST", "/admin/tokens", &json!({"label": "x", "role": "viewer"}));
        let token = &issued.json()["token"];
        assert_eq!(status(&app, token, "/admin/users"), 200, "{vars:?}");
        assert_eq!(status(&app, token, "/admin/audit"), 403, "{vars:?}");
        assert_eq!(status(&app, &json!(format!("listenlog_admin_{}", "0".repeat(64))), "/admin/users"), 401);
    }
}

#[test]
fn a_token_with_a_role_names_the_tools_it_may_call() {
    let app = TestApp::new();
    Scene(&app).user(1, "UTC").user(2, "UTC");
    let issued = issue(&app, &json!({"label": "x", "role": "viewer"}));
    let bearer = format!("Bearer {}", issued["token"].as_str().unwrap());
    assert_eq!(at(&app, &bearer, "POST", "/tools/ops_list_users", &json!({})).status, 200);
}
