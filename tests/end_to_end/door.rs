//! The door: credentials, modes, headers, and what is at no path.

use std::io::{Read, Write};

use serde_json::json;

use crate::worker::{ADMIN_TOKEN, Worker};

#[test]
fn the_token_opens_and_nothing_else_does() {
    let worker = Worker::shared();
    let stranger = worker.runtime.client();
    let mut address = 0;
    for (method, path) in [
        ("GET", "/admin/users"),
        ("POST", "/admin/users"),
        ("POST", "/admin/users/1/import"),
        ("GET", "/admin/import-jobs/1"),
        ("GET", "/admin/nothing"),
        ("POST", "/mcp/call"),
        ("POST", "/tools/history_coverage"),
        ("GET", "/history/users/1/coverage"),
    ] {
        for value in ["", "Bearer", "Bearer wrong", "Bearer end-to-end-token", "Basic !!!", "Basic bWU6bWU="] {
            // Each from an address of its own, so that nobody is shut out for all the guesses.
            address += 1;
            let address = format!("192.0.2.{address}");
            let mut headers = vec![("CF-Connecting-IP", address.as_str())];
            headers.extend((!value.is_empty()).then_some(("Authorization", value)));
            let answer = stranger.send(method, path, &headers, Some(b"{not json")).unwrap();
            assert_eq!(answer.status, 401, "{method} {path} {value}");
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            assert!(answer.header("www-authenticate").unwrap().starts_with("Bearer"));
            assert_eq!(answer.json()["status"], 401);
        }
    }
    assert_eq!(worker.admin().get("/admin/users").unwrap().status, 200);
}

#[test]
fn an_address_that_guesses_is_shut_out_and_no_other() {
    let worker = Worker::shared();
    let guess = |address: &str, token: &str| {
        let authorization = format!("Bearer {token}");
        let headers = [("CF-Connecting-IP", address), ("Authorization", authorization.as_str())];
        worker.runtime.client().send("GET", "/admin/users", &headers, None).unwrap()
    };
    // The limit of wrangler.toml is 20; its minute may begin anew in between.
    let turned_away = (0..60).map(|round| guess("198.51.100.1", &format!("guess-{round}"))).find(|a| a.status == 429);
    let seconds: u32 = turned_away.unwrap().header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(guess("198.51.100.1", ADMIN_TOKEN).status, 429);
    assert_eq!(guess("198.51.100.2", ADMIN_TOKEN).status, 200);
}

/// The status of a request whose Authorization header is any bytes; HTTP clients refuse to send such.
fn status_with(worker: &Worker, authorization: &[u8]) -> u16 {
    let mut socket = std::net::TcpStream::connect(worker.runtime.url().trim_start_matches("http://")).unwrap();
    socket.write_all(b"GET /admin/users HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAuthorization: ").unwrap();
    socket.write_all(authorization).unwrap();
    socket.write_all(b"\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_credential_that_is_not_ascii_is_right_or_wrong_like_any_other() {
    let worker = Worker::with_vars(&[("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", "tökén")]);
    assert_eq!(status_with(&worker, "Bearer tökén".as_bytes()), 200);
    assert_eq!(status_with(&worker, "Bearer tökèn".as_bytes()), 401);
    assert_eq!(status_with(&worker, b"Bearer t\xf6k\xe9n"), 401);
    assert_eq!(status_with(&worker, b"Bearer \xff\xfe"), 401);
}

#[test]
fn basic_mode_takes_name_and_password() {
    let vars = [("ADMIN_AUTH_MODE", "basic"), ("ADMIN_USERNAME", "ada"), ("ADMIN_PASSWORD", "pass:wörd")];
    let worker = Worker::with_vars(&vars);
    let client = worker.runtime.client();
    assert_eq!(client.with_basic("ada", "pass:wörd").get("/admin/users").unwrap().status, 200);
    let refused = client.with_basic("ada", "pass").get("/admin/users").unwrap();
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").unwrap().starts_with("Basic"));
}

#[test]
fn an_open_door_opens_for_this_machine_and_an_unset_one_for_nobody() {
    let open = Worker::with_vars(&[("ADMIN_AUTH_MODE", "disabled")]);
    assert_eq!(open.runtime.client().get("/admin/users").unwrap().status, 200);
    let elsewhere = open.runtime.client().send("GET", "/admin/users", &[("Host", "listenlog.example")], None).unwrap();
    assert_eq!(elsewhere.status, 503);
    let unset = Worker::with_vars(&[]);
    let answer = unset.runtime.client().with_bearer("x").get("/admin/users").unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.json()["detail"].as_str().unwrap().contains("ADMIN_AUTH_MODE"), "{}", answer.text());
    assert_eq!(unset.runtime.client().get("/healthz").unwrap().status, 200);
    assert_eq!(unset.runtime.client().get("/healthz?deep=1").unwrap().status, 503);
}

#[test]
fn every_answer_has_its_length_its_id_and_the_safe_headers() {
    let worker = Worker::shared();
    let client = worker.admin();
    for path in ["/healthz", "/", "/mcp/tools", "/admin/users", "/nothing/here"] {
        let answer = client.send("GET", path, &[("X-Request-Id", "my.own_id-7")], None).unwrap();
        assert_eq!(answer.header("x-request-id"), Some("my.own_id-7"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        let length: usize = answer.header("content-length").unwrap().parse().unwrap();
        assert_eq!(length, answer.body.len(), "{path}");
    }
    let foreign = client.send("GET", "/healthz", &[("X-Request-Id", "not an id")], None).unwrap();
    assert_ne!(foreign.header("x-request-id"), Some("not an id"));
    assert_eq!(client.send("HEAD", "/healthz", &[], None).unwrap().status, 200);
    assert_eq!(client.get("/nothing/here").unwrap().json()["title"], "Not Found");
    let wrong_method = client.delete("/healthz").unwrap();
    assert_eq!(wrong_method.status, 405);
    assert!(wrong_method.header("allow").unwrap().contains("GET"));
}

#[test]
fn the_database_keeps_its_contract_on_d1() {
    let worker = Worker::shared();
    let answer = worker.runtime.client().get("/healthz?deep=1").unwrap();
    assert_eq!(answer.json()["checks"], json!({"settings": "ok", "database": "ok", "archives": "ok", "clock": "ok"}));
    assert_eq!(worker.number("SELECT count(*) FROM assertions"), 0);
}

#[test]
fn a_large_or_broken_body_is_refused() {
    let worker = Worker::shared();
    let send = |body: &[u8]| worker.admin().post_bytes("/admin/users", "application/json", body).unwrap();
    assert_eq!(send(&vec![b' '; 200_000]).status, 413);
    assert_eq!(send(b"{\"display_name\": ").status, 400);
    assert_eq!(send(b"\xff\xfe").status, 400);
    let refused = send("{\"display_name\": \"\\u0000\", \"timezone\": \"Mars/Base\"}".as_bytes());
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 2);
    assert_eq!(worker.number("SELECT count(*) FROM users WHERE display_name <= ' ' OR timezone = 'Mars/Base'"), 0);
}
