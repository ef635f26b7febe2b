//! What every answer carries, whatever it is.

use axum::{
    body::Body,
    http::{Request, header},
};

use serde_json::json;

use super::{METHODS, every_path, roles};
use crate::{
    domain::role::Role,
    testing::{TestApp, test_app::ADMIN_TOKEN},
};

#[test]
fn every_answer_of_every_route_carries_the_safe_headers_and_an_id() {
    let app = TestApp::new();
    let viewer = roles::issue(&app, Role::Viewer, &json!({}));
    let unknown = ["/nothing/here".to_owned(), "/admin/nothing/here".to_owned()];
    for path in every_path().into_iter().map(|asked| asked.path).chain(unknown) {
        for method in METHODS {
            for credential in ["", ADMIN_TOKEN, &viewer] {
                let request = Request::builder()
                    .method(method.clone())
                    .uri(format!("https://listenlog.example{path}"))
                    .header(header::AUTHORIZATION, format!("Bearer {credential}"));
                let answer = app.send(request.body(Body::empty()).unwrap());
                let value = |name: &str| answer.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
                let said = format!("{method} {path}: {} {:?}", answer.status, answer.headers);
                assert_eq!(value("x-content-type-options").as_deref(), Some("nosniff"), "{said}");
                assert_eq!(value("referrer-policy").as_deref(), Some("no-referrer"), "{said}");
                assert_eq!(value("strict-transport-security").as_deref(), Some("max-age=31536000"), "{said}");
                assert!(value("x-request-id").is_some_and(|id| !id.is_empty()), "{said}");
                let policy = value("content-security-policy").unwrap_or_default();
                assert!(policy.contains("default-src 'none'"), "{said}");
                assert!(policy.contains("frame-ancestors 'none'"), "{said}");
            }
        }
    }
}
