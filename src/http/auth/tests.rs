//! Every guarded route against every credential, in every mode.

use axum::http::{HeaderValue, Request};

use super::*;
use crate::testing::{TestApp, test_app::Answer};

/// Every route behind a check, as a request that would be answered or refused for other reasons if it got through.
const GUARDED: [(&str, &str); 11] = [
    ("GET", "/admin/users"),
    ("POST", "/admin/users"),
    ("GET", "/admin/users/1"),
    ("POST", "/admin/users/1/import"),
    ("GET", "/admin/import-jobs"),
    ("GET", "/admin/import-jobs/1"),
    ("GET", "/admin/nothing/here"),
    ("DELETE", "/admin/users"),
    ("POST", "/mcp/call"),
    ("POST", "/tools/history_coverage"),
    ("GET", "/history/users/1/coverage"),
];

fn ask(app: &TestApp, method: &str, path: &str, authorization: Option<&[u8]>) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("http://listenlog.example{path}"));
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
    }
    // A body that would be refused: the check has to come first.
    app.send(request.body(Body::from("{not json")).unwrap())
}

#[test]
fn every_guarded_route_refuses_every_wrong_credential_before_it_reads_the_body() {
    let token = TestApp::with_vars(&[("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", "tökén")]);
    let basic =
        TestApp::with_vars(&[("ADMIN_AUTH_MODE", "basic"), ("ADMIN_USERNAME", "me"), ("ADMIN_PASSWORD", "a:b")]);
    let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text)).into_bytes();
    let wrong: Vec<Option<Vec<u8>>> = vec![
        None,
        Some(b"".to_vec()),
        Some(b"Bearer".to_vec()),
        Some(b"Bearer ".to_vec()),
        Some("Bearer tökén2".as_bytes().to_vec()),
        Some("Bearer  tökén".as_bytes().to_vec()),
        Some(b"Bearer \xff\xfe".to_vec()),
        Some(b"Basic !!!".to_vec()),
        Some(b"Digest x".to_vec()),
        Some(encoded("me")),
        Some(encoded("me:a")),
        Some(encoded("m\u{eb}:a:b")),
    ];
    for (app, challenge) in [(&token, "Bearer"), (&basic, "Basic")] {
        for (method, path) in GUARDED {
            for credential in &wrong {
                let answer = ask(app, method, path, credential.as_deref());
                assert_eq!(answer.status, 401, "{method} {path} {credential:?}");
                assert!(answer.headers[header::WWW_AUTHENTICATE].to_str().unwrap().starts_with(challenge));
                assert_eq!(answer.headers[header::CONTENT_TYPE], "application/problem+json");
                assert!(answer.json()["request_id"].is_string());
            }
        }
    }
    for (method, path) in GUARDED {
        assert_ne!(ask(&token, method, path, Some("bearer tökén".as_bytes())).status, 401, "{method} {path}");
        assert_ne!(ask(&basic, method, path, Some(&encoded("me:a:b"))).status, 401, "{method} {path}");
    }
}

#[test]
fn an_unset_mode_shuts_every_guarded_route_and_says_which_variable_to_set() {
    let app = TestApp::with_vars(&[]);
    for (method, path) in GUARDED {
        let answer = ask(&app, method, path, Some(b"Bearer x"));
        assert_eq!(answer.status, 503, "{method} {path}");
        assert!(answer.json()["detail"].as_str().unwrap().starts_with("ADMIN_AUTH_MODE"), "{}", answer.json());
    }
}

#[test]
fn an_open_door_opens_on_this_machine_only() {
    for mode in ["disabled", ""] {
        let app = TestApp::with_vars(&[("ADMIN_AUTH_MODE", mode)]);
        assert_eq!(ask(&app, "GET", "/admin/users", None).status, 503);
        let local = Request::builder().uri("http://127.0.0.1:8787/admin/users").body(Body::empty()).unwrap();
        assert_eq!(app.send(local).status, 200);
        let lied_to = Request::builder().uri("http://127.0.0.1:8787/admin/users").header(header::HOST, "evil.example");
        assert_eq!(app.send(lied_to.body(Body::empty()).unwrap()).status, 503);
    }
}

#[test]
fn loopback_is_told_by_the_whole_host() {
    for host in ["127.0.0.1", "127.0.0.1:8787", "localhost:8787", "LOCALHOST", "[::1]:8787", "127.1.2.3"] {
        assert!(is_loopback_host(host), "{host}");
    }
    for host in ["127.0.0.1.example.org", "localhost.example.org", "example.org", "10.0.0.1", "", "[::2]"] {
        assert!(!is_loopback_host(host), "{host}");
    }
}

#[test]
fn a_forwarded_host_beside_a_loopback_url_is_not_loopback() {
    let mut headers = HeaderMap::new();
    let uri = Uri::from_static("http://127.0.0.1:8787/admin");
    assert!(is_loopback(&headers, &uri));
    headers.insert(header::HOST, "listenlog.example".parse().unwrap());
    assert!(!is_loopback(&headers, &uri));
    assert!(!is_loopback(&HeaderMap::new(), &Uri::from_static("/admin")));
}

#[test]
fn pages_of_named_origins_may_call_and_no_others() {
    let app = TestApp::with_vars(&[
        ("ADMIN_AUTH_MODE", "token"),
        ("ADMIN_TOKEN", "t"),
        ("CORS_ALLOWED_ORIGINS", "https://mine.example, http://127.0.0.1:3000"),
    ]);
    let preflight = |origin: &str| {
        let request = Request::builder()
            .method("OPTIONS")
            .uri("http://listenlog.example/admin/users")
            .header(header::ORIGIN, origin)
            .header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST");
        app.send(request.body(Body::empty()).unwrap())
    };
    let allowed = preflight("https://mine.example");
    assert_eq!(allowed.status, 200);
    assert_eq!(allowed.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://mine.example");
    for origin in ["https://other.example", "https://mine.example.evil.example", "null"] {
        assert!(!preflight(origin).headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN), "{origin}");
    }
}
