//! Credentials that are issued here, on every route: the right one, another user's, expired, revoked, unknown, and of
//! another scope.

use axum::{
    body::Body,
    http::{Method, header},
};
use serde_json::json;

use super::{Asked, METHODS, ask_with, every_path, roles, stored};
use crate::{
    domain::{
        instant::{DAY_MS, HOUR_MS},
        role::Role,
    },
    http::{Access, oauth::tests::Dance},
    testing::{
        TestApp,
        test_app::{ADMIN_TOKEN, NOW},
    },
};

/// Secrets that were issued here, to ask about user 1 unless said otherwise: tokens of assistants, and access tokens of OAuth.
struct Issued {
    right: Vec<String>,
    of_another: Vec<String>,
    ops_only: Vec<String>,
    /// Expired, revoked, or never issued like this.
    stale: Vec<String>,
}

fn issue(app: &TestApp, user: i64, more: &serde_json::Value) -> String {
    let mut request = json!({"label": "assistant"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let issued = app.post(&format!("/admin/users/{user}/tokens"), &request);
    assert_eq!(issued.status, 201);
    issued.json()["token"].as_str().unwrap().to_owned()
}

/// Two days after the first of them was issued.
fn app_with_issued() -> (TestApp, Issued) {
    let dance = Dance::new();
    let app = dance.app.clone();
    let revoked = issue(&app, 1, &json!({}));
    assert_eq!(app.admin("DELETE", "/admin/users/1/tokens/1", Body::empty()).status, 204);
    let expired = issue(&app, 1, &json!({"expires_at": NOW.plus_ms(HOUR_MS).to_rfc3339()}));
    let expired_role = roles::issue(&app, Role::Admin, &json!({"expires_at": NOW.plus_ms(HOUR_MS).to_rfc3339()}));
    let access = |tokens: &serde_json::Value| tokens["access_token"].as_str().unwrap().to_owned();
    let expired_access = access(&dance.tokens_of("1", "scope_read"));
    app.clock.set(NOW.plus_ms(2 * DAY_MS));
    let token = issue(&app, 1, &json!({}));
    let grant = dance.tokens_of("1", "scope_read");
    let over = dance.tokens_of("1", "scope_read");
    assert_eq!(dance.revoke(over["refresh_token"].as_str().unwrap()).status, 200);
    let changed = |secret: &str| vec![secret[..secret.len() - 1].to_owned(), format!("{secret}0")];
    let mut stale = vec![
        revoked,
        expired,
        expired_access,
        access(&over),
        // Good for new tokens alone.
        grant["refresh_token"].as_str().unwrap().to_owned(),
        format!("listenlog_token_{}", "0".repeat(64)),
        "listenlog_token_".to_owned(),
        "listenlog_admin_".to_owned(),
        format!("listenlog_admin_{}", "0".repeat(64)),
        format!("listenlog_admin_{}", "x".repeat(64)),
        roles::revoked(&app),
        expired_role,
    ];
    stale.extend(changed(&token));
    stale.extend(changed(&roles::issue(&app, Role::Admin, &json!({}))));
    stale.extend(changed(&access(&grant)));
    let issued = Issued {
        right: vec![token, access(&grant)],
        of_another: vec![issue(&app, 2, &json!({})), access(&dance.tokens_of("2", "scope_read"))],
        ops_only: vec![issue(&app, 1, &json!({"scopes": ["ops"]})), access(&dance.tokens_of("1", "scope_ops"))],
        stale,
    };
    (app, issued)
}

#[test]
fn what_is_expired_revoked_or_unknown_opens_nothing_and_no_body_is_read_for_it() {
    let (app, issued) = app_with_issued();
    let before = stored(&app);
    for secret in &issued.stale {
        for asked in every_path().into_iter().filter(|asked| asked.access != Access::Public) {
            for method in &METHODS {
                let (answer, was_read) = ask_with(&app, secret, method, &asked.path, "{}");
                let said = format!("{method} {} {secret}: {}", asked.path, answer.status);
                assert_eq!(answer.status, 401, "{said}");
                assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE), "{said}");
                assert!(!was_read, "{said}");
            }
        }
    }
    assert_eq!(stored(&app), before);
}

#[test]
fn nothing_that_was_issued_opens_what_is_the_admin_s_and_no_body_is_read_for_it() {
    let (app, issued) = app_with_issued();
    let before = without_use(&app);
    for secret in [&issued.right, &issued.of_another, &issued.ops_only].into_iter().flatten() {
        for asked in every_path().into_iter().filter(Asked::is_admin_s) {
            for method in &METHODS {
                let (answer, was_read) = ask_with(&app, secret, method, &asked.path, "{}");
                let said = format!("{method} {}: {}", asked.path, answer.status);
                assert_eq!(answer.status, 403, "{said}");
                assert!(!was_read, "{said}");
            }
        }
    }
    assert_eq!(without_use(&app), before);
}

/// All that is stored but for when a credential was last used.
fn without_use(app: &TestApp) -> Vec<String> {
    let notes_use = |line: &String| line.starts_with("assistant_tokens") || line.starts_with("oauth_grants");
    stored(app).into_iter().filter(|line| !notes_use(line)).collect()
}

#[test]
fn whoever_was_issued_something_asks_about_its_own_user_alone_within_its_scopes() {
    let (app, issued) = app_with_issued();
    // Every question of user 1; where the user stands in the body, it says 1 there as well.
    let questions = every_path().into_iter().filter(|asked| asked.access == Access::Asking);
    let mut asked_about_user = 0;
    for asked in questions {
        let (method, body) = match asked.template {
            "/mcp/call" => (Method::POST, r#"{"tool": "history_coverage", "arguments": {"user_id": 1}}"#),
            "/tools/{name}" => (Method::POST, r#"{"user_id": 1}"#),
            path if path.starts_with("/history/users/{user_id}/") => (Method::GET, ""),
            _ => continue,
        };
        asked_about_user += 1;
        let all = |secrets: &[String], status: u16, who: &str| {
            for secret in secrets {
                let answer = ask_with(&app, secret, &method, &asked.path, body).0;
                assert_eq!(answer.status, status, "{}: {who}", asked.template);
            }
        };
        all(&issued.right, 200, "the user's own");
        all(&[ADMIN_TOKEN.to_owned()], 200, "the admin's");
        all(&issued.of_another, 403, "another user's");
        all(&issued.ops_only, 403, "without the scope");
    }
    assert!(asked_about_user >= 4, "{asked_about_user}");
}
