//! The open door, loopback, and pages of other origins. Every route against every credential: see `http::tests`.

use axum::http::{HeaderValue, Request};

use super::*;
use crate::testing::{TestApp, test_app::Answer};

fn ask(app: &TestApp, method: &str, path: &str, authorization: Option<&[u8]>) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("http://listenlog.example{path}"));
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
    }
    // A body that would be refused: the check has to come first.
    app.send(request.body(Body::from("{not json")).unwrap())
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
