//! Headers, versions, statuses and codes.

use axum::{
    body::Body,
    http::{Request, header},
};
use serde_json::{Value, json};

use super::{app, ask_new, ask_old, message, send, with_meta};
use crate::testing::{
    TestApp,
    test_app::{ADMIN_TOKEN, Answer},
};

#[test]
fn a_handshake_settles_on_a_version_that_both_speak() {
    let app = app();
    for (asked_for, settled) in
        [("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("2024-11-05", "2025-11-25"), ("x", "2025-11-25")]
    {
        let params =
            json!({"protocolVersion": asked_for, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
        let answer = send(&app, &[], message("initialize", &params).to_string());
        let result = &answer.json()["result"];
        assert_eq!(result["protocolVersion"], settled);
        assert_eq!(result["serverInfo"]["name"], "listenlog");
        assert!(!answer.headers.contains_key("mcp-session-id"));
        let shown: String = result["instructions"].as_str().unwrap().chars().take(512).collect();
        for word in ["history_taste_summary", "history_coverage", "days=36500", "user_id"] {
            assert!(shown.contains(word), "{word} is not in the first 512 characters");
        }
    }
    let initialized = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    let told = send(&app, &[], initialized.to_string());
    assert_eq!((told.status.as_u16(), told.bytes.len()), (202, 0));
    assert_eq!(ask_old(&app, ADMIN_TOKEN, "ping", &json!({}))["result"], json!({}));
}

#[test]
fn a_discovery_tells_versions_and_may_be_shared() {
    let answer = ask_new(&app(), "server/discover", json!({}));
    assert_eq!(answer.status, 200);
    let result = &answer.json()["result"];
    assert_eq!(result["supportedVersions"], json!(["2026-07-28", "2025-11-25", "2025-06-18"]));
    assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("public")));
    assert_eq!(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], "listenlog");
}

fn code(answer: &Answer) -> (u16, i64) {
    (answer.status.as_u16(), answer.json()["error"]["code"].as_i64().unwrap())
}

#[test]
fn what_the_headers_claim_is_what_the_body_says() {
    let app = app();
    let call = with_meta(json!({"name": "history_coverage", "arguments": {}}));
    let ask = |headers: &[(&str, &str)], params: &Value| send(&app, headers, message("tools/call", params).to_string());
    let version = ("mcp-protocol-version", "2026-07-28");
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "history_coverage"));
    assert_eq!(ask(&[version, method, name], &call).status, 200);
    assert_eq!(ask(&[version, method, ("mcp-name", "=?base64?aGlzdG9yeV9jb3ZlcmFnZQ==?=")], &call).status, 200);
    for headers in [
        vec![method, name],
        vec![version, name],
        vec![version, method],
        vec![version, ("mcp-method", "TOOLS/CALL"), name],
        vec![version, method, ("mcp-name", "history_top_tracks")],
        vec![version, method, ("mcp-name", "=?base64?!!?=")],
        vec![("mcp-protocol-version", "2027-01-01"), method, name],
    ] {
        assert_eq!(code(&ask(&headers, &call)), (400, -32_020), "{headers:?}");
    }
    let all = [version, method, name];
    assert_eq!(code(&ask(&all, &json!({"name": "history_coverage"}))), (400, -32_602));
    let mut later = call.clone();
    later["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2027-01-01");
    let refused = ask(&[("mcp-protocol-version", "2027-01-01"), method, name], &later);
    assert_eq!(code(&refused), (400, -32_022));
    assert_eq!(refused.json()["error"]["data"], json!({"supported": ["2026-07-28"], "requested": "2027-01-01"}));
    let older = [("mcp-protocol-version", "2024-11-05")];
    assert_eq!(code(&send(&app, &older, message("tools/list", &json!({})).to_string())), (400, -32_600));
}

#[test]
fn a_method_of_the_other_era_is_not_there() {
    let app = app();
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "subscriptions/listen"] {
        assert_eq!(code(&ask_new(&app, method, json!({}))), (404, -32_601), "{method}");
    }
    // Older clients take a status for the connection's.
    for method in ["logging/setLevel", "resources/subscribe", "tools/run", ""] {
        assert_eq!(ask_old(&app, ADMIN_TOKEN, method, &json!({}))["error"]["code"], -32_601, "{method}");
    }
}

#[test]
fn only_posted_json_is_taken() {
    let app = app();
    let plain = |method: &str, headers: &[(&str, &str)]| {
        let mut request = Request::builder().method(method).uri("http://listenlog.example/mcp");
        request = request.header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        app.send(request.body(Body::from(message("ping", &json!({})).to_string())).unwrap())
    };
    for method in ["GET", "DELETE"] {
        let refused = plain(method, &[]);
        assert_eq!((refused.status.as_u16(), &refused.headers[header::ALLOW]), (405, &"POST".parse().unwrap()));
    }
    assert_eq!(code(&plain("POST", &[])), (415, -32_600));
    let json = ("content-type", "application/json; charset=utf-8");
    assert_eq!(plain("POST", &[json]).status, 200);
    assert_eq!(plain("POST", &[json, ("accept", "text/html, */*;q=0.1")]).status, 200);
    assert_eq!(code(&plain("POST", &[json, ("accept", "text/event-stream")])), (406, -32_600));
    assert_eq!(code(&send(&app, &[], vec![b' '; 70_000])), (413, -32_600));
}

#[test]
fn a_page_of_a_foreign_origin_is_refused_whatever_host_it_claims() {
    let settings = |more: &[(&str, &str)]| {
        let mut vars = vec![("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", ADMIN_TOKEN)];
        vars.extend_from_slice(more);
        TestApp::with_vars(&vars)
    };
    let status = |app: &TestApp, url: &str, origin: &str| {
        let request = Request::builder()
            .method("POST")
            .uri(format!("{url}/mcp"))
            .header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ORIGIN, origin);
        app.send(request.body(Body::from(message("ping", &json!({})).to_string())).unwrap()).status.as_u16()
    };
    let unset = settings(&[]);
    assert_eq!(status(&unset, "http://evil.example", "http://evil.example"), 403);
    assert_eq!(status(&unset, "http://evil.example", "http://127.0.0.1:8787"), 403);
    assert_eq!(status(&unset, "http://127.0.0.1:8787", "http://127.0.0.1:8787"), 200);
    assert_eq!(status(&unset, "http://127.0.0.1:8787", "https://evil.example"), 403);
    let set = settings(&[("PUBLIC_URL", "https://mine.example"), ("CORS_ALLOWED_ORIGINS", "https://page.example")]);
    for (origin, expected) in [
        ("https://mine.example", 200),
        ("https://page.example", 200),
        ("http://mine.example", 403),
        ("http://localhost:3000", 403),
        ("null", 403),
    ] {
        assert_eq!(status(&set, "https://mine.example", origin), expected, "{origin}");
    }
}

#[test]
fn nobody_gets_in_without_a_credential() {
    let refused = send(&app(), &[("authorization", "Bearer wrong")], message("tools/list", &json!({})).to_string());
    assert_eq!(refused.status, 401);
    assert!(refused.headers.contains_key(header::WWW_AUTHENTICATE));
}
