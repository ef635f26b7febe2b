//! Credentials that are issued here, on every route: the right one, another user's, expired, revoked, unknown, and of
//! another scope.

use axum::{
    body::{Body, Bytes},
    http::{Method, Request, header},
};
use futures_util::stream;
use serde_json::json;

use super::{METHODS, every_path, stored};
use crate::{
    domain::instant::{DAY_MS, HOUR_MS},
    http::Access,
    testing::{
        TestApp,
        test_app::{ADMIN_TOKEN, Answer, NOW},
    },
};

/// Tokens of user 1 unless said otherwise.
struct Tokens {
    right: String,
    of_another: String,
    expired: String,
    revoked: String,
    ops_only: String,
}

fn issue(app: &TestApp, user: i64, more: &serde_json::Value) -> String {
    let mut request = json!({"label": "assistant"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let issued = app.post(&format!("/admin/users/{user}/tokens"), &request);
    assert_eq!(issued.status, 201);
    issued.json()["token"].as_str().unwrap().to_owned()
}

fn app_with_tokens() -> (TestApp, Tokens) {
    let app = TestApp::new();
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    app.post("/admin/users", &json!({"display_name": "Eve"}));
    let tokens = Tokens {
        right: issue(&app, 1, &json!({})),
        of_another: issue(&app, 2, &json!({})),
        expired: issue(&app, 1, &json!({"expires_at": NOW.plus_ms(HOUR_MS).to_rfc3339()})),
        revoked: issue(&app, 1, &json!({})),
        ops_only: issue(&app, 1, &json!({"scopes": ["ops"]})),
    };
    assert_eq!(app.admin("DELETE", "/admin/users/1/tokens/4", Body::empty()).status, 204);
    app.clock.set(NOW.plus_ms(DAY_MS));
    (app, tokens)
}

/// The answer, and whether the body was read for it.
fn ask(app: &TestApp, method: &Method, path: &str, token: &str, body: &'static str) -> (Answer, bool) {
    let touched = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let noticed = std::sync::Arc::clone(&touched);
    let body = Body::from_stream(stream::once(async move {
        noticed.store(true, std::sync::atomic::Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from_static(body.as_bytes()))
    }));
    let request = Request::builder()
        .method(method)
        .uri(format!("http://listenlog.example{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"));
    let answer = app.send(request.body(body).unwrap());
    (answer, touched.load(std::sync::atomic::Ordering::Relaxed))
}

#[test]
fn a_token_that_is_expired_revoked_or_unknown_opens_nothing_and_no_body_is_read_for_it() {
    let (app, tokens) = app_with_tokens();
    let before = stored(&app);
    let unknown = format!("listenlog_token_{}", "0".repeat(64));
    let cut = tokens.right[..tokens.right.len() - 1].to_owned();
    let longer = format!("{}0", tokens.right);
    for token in [&tokens.expired, &tokens.revoked, &unknown, &cut, &longer, &"listenlog_token_".to_owned()] {
        for asked in every_path().into_iter().filter(|asked| asked.access != Access::Public) {
            for method in &METHODS {
                let (answer, was_read) = ask(&app, method, &asked.path, token, "{}");
                let said = format!("{method} {} {token}: {}", asked.path, answer.status);
                assert_eq!(answer.status, 401, "{said}");
                assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE), "{said}");
                assert!(!was_read, "{said}");
            }
        }
    }
    assert_eq!(stored(&app), before);
}

#[test]
fn no_token_opens_what_is_the_admin_s_and_no_body_is_read_for_it() {
    let (app, tokens) = app_with_tokens();
    let before = without_use(&app);
    for token in [&tokens.right, &tokens.of_another, &tokens.ops_only] {
        for asked in every_path().into_iter().filter(|asked| asked.access == Access::Admin) {
            for method in &METHODS {
                let (answer, was_read) = ask(&app, method, &asked.path, token, "{}");
                let said = format!("{method} {}: {}", asked.path, answer.status);
                assert_eq!(answer.status, 403, "{said}");
                assert!(!was_read, "{said}");
            }
        }
    }
    assert_eq!(without_use(&app), before);
}

/// All that is stored but for when a token was last used.
fn without_use(app: &TestApp) -> Vec<String> {
    stored(app).into_iter().filter(|line| !line.starts_with("assistant_tokens")).collect()
}

#[test]
fn a_token_asks_about_its_own_user_alone_within_its_scopes() {
    let (app, tokens) = app_with_tokens();
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
        let status = |token: &str| ask(&app, &method, &asked.path, token, body).0.status.as_u16();
        assert_eq!(status(&tokens.right), 200, "{}", asked.template);
        assert_eq!(status(ADMIN_TOKEN), 200, "{}", asked.template);
        assert_eq!(status(&tokens.of_another), 403, "{}: another user's token", asked.template);
        assert_eq!(status(&tokens.ops_only), 403, "{}: a token without the scope", asked.template);
    }
    assert!(asked_about_user >= 4, "{asked_about_user}");
}
