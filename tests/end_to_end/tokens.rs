//! Tokens from their issue to their end: of one user, in every entrance, and with a role.

use listenlog_workbench::client::{Client, Response};
use serde_json::{Value, json};

use crate::worker::Worker;

pub struct Issued {
    pub id: i64,
    pub token: String,
}

pub fn issue(worker: &Worker, user: i64, scopes: &[&str]) -> Issued {
    let path = format!("/admin/users/{user}/tokens");
    let answer = worker.admin().post_json(&path, &json!({"label": "a test", "scopes": scopes})).unwrap();
    assert_eq!(answer.status, 201, "{}", answer.text());
    let answer = answer.json();
    Issued { id: answer["id"].as_i64().unwrap(), token: answer["token"].as_str().unwrap().to_owned() }
}

/// A tool call of the handshake era.
fn call_old(client: &Client, arguments: &Value) -> Response {
    let params = json!({"name": "history_coverage", "arguments": arguments});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    client.post_json("/mcp", &message).unwrap()
}

/// A tool call of the era since 2026-07-28.
fn call_new(client: &Client, arguments: &Value) -> Response {
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let params = json!({"name": "history_coverage", "arguments": arguments, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": "é", "method": "tools/call", "params": params});
    let client = client.with_header("mcp-protocol-version", "2026-07-28").with_header("mcp-method", "tools/call");
    client.with_header("mcp-name", "history_coverage").post_json("/mcp", &message).unwrap()
}

#[test]
fn a_token_opens_its_users_history_in_every_entrance_until_it_is_revoked() {
    let worker = Worker::shared();
    let (own, other) = (worker.user("Asia/Kathmandu"), worker.user("UTC"));
    let Issued { id, token } = issue(worker, own, &["read"]);
    let client = worker.runtime.client().with_bearer(&token);
    let asked = json!({"from": "2020-01-01", "to": "2020-12-31"});
    let expected = client.post_json("/tools/history_coverage", &asked).unwrap();
    assert_eq!(expected.status, 200, "{}", expected.text());
    let expected = expected.json();
    assert_eq!(expected["window"]["timezone"], "Asia/Kathmandu");
    for call in [call_old, call_new] {
        let answer = call(&client, &asked);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.json()["result"]["structuredContent"], expected);
    }
    let envelope = client.post_json("/mcp/call", &json!({"tool": "history.coverage", "args": asked})).unwrap();
    assert_eq!(envelope.json()["result"], expected);
    let query = "coverage?from=2020-01-01&to=2020-12-31";
    assert_eq!(client.get(&format!("/history/users/{own}/{query}")).unwrap().json(), expected);

    let foreign = json!({"user_id": other});
    for call in [call_old, call_new] {
        let answer = call(&client, &foreign).json();
        assert_eq!(answer["result"]["isError"], true, "{answer}");
        assert!(answer["result"].get("structuredContent").is_none());
    }
    for (path, body) in [
        ("/tools/history_coverage", foreign.clone()),
        ("/mcp/call", json!({"tool": "history_coverage", "user_id": other})),
    ] {
        assert_eq!(client.post_json(path, &body).unwrap().status, 403, "{path}");
    }
    assert_eq!(client.get(&format!("/history/users/{other}/{query}")).unwrap().status, 403);
    assert_eq!(client.get(&format!("/history/users/{other}/plays")).unwrap().status, 403);
    assert_eq!(client.get("/admin/users").unwrap().status, 403);

    let listed = worker.admin().get(&format!("/admin/users/{own}/tokens")).unwrap().json();
    assert!(listed["items"][0]["last_used_at"].is_string(), "{listed}");
    let path = format!("/admin/users/{own}/tokens/{id}");
    assert_eq!(worker.admin().send("DELETE", &path, &[], None).unwrap().status, 204);
    assert_eq!(call_old(&client, &asked).status, 401);
    assert_eq!(call_new(&client, &asked).status, 401);
    assert_eq!(client.post_json("/tools/history_coverage", &asked).unwrap().status, 401);
    assert_eq!(client.get(&format!("/history/users/{own}/{query}")).unwrap().status, 401);
    let secret = token.rsplit('_').next().unwrap();
    let stored = format!("SELECT count(*) FROM assistant_tokens WHERE token_hash LIKE '%{secret}%'");
    assert_eq!(worker.number(&stored), 0);
}

#[test]
fn a_token_with_a_role_does_what_its_role_does_until_it_is_revoked() {
    let worker = Worker::shared();
    let issued = worker.admin().post_json("/admin/tokens", &json!({"label": "shift", "role": "operator"})).unwrap();
    assert_eq!(issued.status, 201, "{}", issued.text());
    let issued = issued.json();
    let client = worker.runtime.client().with_bearer(issued["token"].as_str().unwrap());
    let created = client.post_json("/admin/users", &json!({"display_name": "Made by an operator"})).unwrap();
    assert_eq!(created.status, 201, "{}", created.text());
    let user = format!("/admin/users/{}", created.json()["id"]);
    assert_eq!(client.get(&user).unwrap().status, 200);
    assert_eq!(client.post_json(&format!("{user}/pause"), &json!({})).unwrap().status, 200);
    for refused in [client.delete(&user), client.get("/admin/tokens"), client.get("/admin/audit")] {
        let refused = refused.unwrap();
        assert_eq!(refused.status, 403);
        let sentence = "This takes the role `admin`; the token presented has the role `operator`.";
        assert_eq!(refused.json()["detail"], sentence);
    }
    let listed = worker.admin().get("/admin/tokens?limit=200").unwrap().json();
    let of_ours = listed["items"].as_array().unwrap().iter().find(|token| token["id"] == issued["id"]).unwrap();
    assert!(of_ours["last_used_at"].is_string(), "{of_ours}");
    let target = user.trim_start_matches("/admin/");
    let changes = worker.admin().get(&format!("/admin/audit?target={target}&action=user.create")).unwrap().json();
    let of_token = json!({"id": issued["id"], "label": "shift", "role": "operator"});
    assert_eq!(changes["items"][0]["token"], of_token, "{changes}");
    let revoked = worker.admin().delete(&format!("/admin/tokens/{}", issued["id"])).unwrap();
    assert_eq!(revoked.status, 204);
    assert_eq!(client.get(&user).unwrap().status, 401);
}
