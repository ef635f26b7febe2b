//! Every role on every route of the admin API, as the router's table has it.

use axum::{
    body::Body,
    http::{Method, header},
};
use serde_json::{Value, json};

use super::{Asked, METHODS, ask_with, every_operation, every_path, filled, stored};
use crate::{
    domain::role::Role,
    http::Access,
    testing::{
        TestApp,
        sqlite::Failure,
        test_app::{ADMIN_TOKEN, Answer},
    },
};

pub fn issue(app: &TestApp, role: Role, more: &Value) -> String {
    let mut request = json!({"label": "somebody", "role": role});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let issued = app.post("/admin/tokens", &request);
    assert_eq!(issued.status, 201, "{}", issued.json());
    issued.json()["token"].as_str().unwrap().to_owned()
}

/// A token of an admin that was taken back.
pub fn revoked(app: &TestApp) -> String {
    let token = issue(app, Role::Admin, &json!({}));
    let id = &app.get("/admin/tokens?limit=1").json()["items"][0]["id"];
    assert_eq!(app.admin("DELETE", &format!("/admin/tokens/{id}"), Body::empty()).status, 204);
    token
}

fn ask(app: &TestApp, token: &str, method: &Method, path: &str) -> (Answer, bool) {
    ask_with(app, token, method, path, "{not json")
}

fn is_let_in(answer: &Answer) -> bool {
    answer.status != 401 && answer.status != 403 && answer.status != 405
}

#[test]
fn every_role_opens_the_operations_that_take_it_and_no_others() {
    let mut refused = 0;
    for role in Role::ALL {
        let shared = TestApp::new();
        let token = issue(&shared, role, &json!({}));
        // Its use is noted once an hour.
        assert_eq!(ask(&shared, &token, &Method::GET, "/admin/storage").0.status, 200);
        let before = stored(&shared);
        for ((template, method), access) in every_operation() {
            let Access::Admin(needed) = access else { continue };
            let path = filled(template);
            let said = format!("{}: {method} {path}", role.name());
            if role >= needed {
                // On its own: what one of them changes is no matter for the next.
                let app = TestApp::new();
                let answer = ask(&app, &issue(&app, role, &json!({})), &method, &path).0;
                assert!(is_let_in(&answer), "{said}: {}", answer.status);
                continue;
            }
            refused += 1;
            let (answer, was_read) = ask(&shared, &token, &method, &path);
            assert_eq!(answer.status, 403, "{said}");
            assert!(!was_read, "{said}: the body was read first");
            assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json", "{said}");
            let (needed, role) = (needed.name(), role.name());
            let sentence = format!("This takes the role `{needed}`; the token presented has the role `{role}`.");
            assert_eq!(answer.json()["detail"], sentence, "{said}");
        }
        assert_eq!(stored(&shared), before, "{}: something was stored for too small a role", role.name());
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn who_takes_which_operation_follows_three_rules() {
    for ((path, method), access) in every_operation() {
        let Access::Admin(needed) = access else {
            assert!(!path.starts_with("/admin"), "{path}");
            continue;
        };
        assert!(path.starts_with("/admin/"), "{path}");
        let is_of_credentials =
            ["/tokens", "/grants", "/spotify-credentials", "/audit"].iter().any(|part| path.contains(part));
        let is_for_good = method == Method::DELETE || path.contains("purge");
        let expected = match method {
            _ if is_of_credentials || is_for_good => Role::Admin,
            Method::GET => Role::Viewer,
            _ => Role::Operator,
        };
        assert_eq!(needed, expected, "{method} {path}");
    }
}

#[test]
fn what_is_no_operation_is_told_alike_to_every_role_and_to_no_stranger() {
    let app = TestApp::new();
    let operations = every_operation();
    for role in Role::ALL {
        let token = issue(&app, role, &json!({}));
        for Asked { template, path, .. } in every_path().into_iter().filter(Asked::is_admin_s) {
            for method in METHODS.iter().filter(|method| !operations.contains_key(&(template, (*method).clone()))) {
                let answer = ask(&app, &token, method, &path).0;
                assert_eq!(answer.status, 405, "{}: {method} {path}", role.name());
                let allowed = answer.headers[header::ALLOW].to_str().unwrap().to_owned();
                for known in METHODS {
                    let is_told = allowed.split(',').any(|name| name == known.as_str());
                    assert_eq!(is_told, operations.contains_key(&(template, known)), "{path}: {allowed}");
                }
            }
        }
        assert_eq!(ask(&app, &token, &Method::GET, "/admin/nothing/here").0.status, 404);
    }
}

#[test]
fn every_role_asks_about_every_user() {
    let app = TestApp::new();
    for name in ["Ada", "Bo"] {
        app.post("/admin/users", &json!({"display_name": name}));
    }
    for role in Role::ALL {
        let token = issue(&app, role, &json!({}));
        for user in [1, 2] {
            let path = format!("/history/users/{user}/coverage");
            assert_eq!(ask(&app, &token, &Method::GET, &path).0.status, 200, "{}", role.name());
        }
    }
}

#[test]
fn the_last_admin_is_never_lost() {
    let app = TestApp::new();
    let token = issue(&app, Role::Admin, &json!({}));
    issue(&app, Role::Viewer, &json!({}));
    // A token of an admin may revoke every token, itself last.
    for id in [2, 1] {
        assert_eq!(ask(&app, &token, &Method::DELETE, &format!("/admin/tokens/{id}")).0.status, 204, "{id}");
    }
    assert_eq!(ask(&app, &token, &Method::GET, "/admin/tokens").0.status, 401);
    assert_eq!(app.get("/admin/tokens").json()["total"], 0);
    assert_eq!(app.post("/admin/tokens", &json!({"label": "again", "role": "admin"})).status, 201);
    let last = app.get("/admin/audit?action=role_token.revoke&limit=1").json()["items"][0].clone();
    assert_eq!((&last["target"], &last["token"]["id"]), (&json!("tokens/1"), &json!(1)));
}

#[test]
fn without_a_database_the_admin_s_own_credential_is_told_from_a_wrong_one_and_a_token_is_neither() {
    let app = TestApp::new();
    let token = issue(&app, Role::Admin, &json!({}));
    app.db.fail_from(0, Failure::BeforeWriting);
    let status = |token: &str| ask(&app, token, &Method::GET, "/admin/openapi.json").0.status.as_u16();
    assert_eq!(status(ADMIN_TOKEN), 200);
    assert_eq!(status("wrong"), 401);
    assert_eq!(status(&token), 503);
    // What cannot be one is refused without asking.
    for malformed in ["listenlog_admin_", "listenlog_admin_00", &format!("{token}0"), &token.to_uppercase()] {
        assert_eq!(status(malformed), 401, "{malformed}");
    }
}
