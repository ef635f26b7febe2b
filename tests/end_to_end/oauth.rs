//! OAuth and Actions as others' programs use them: the SDK's own OAuth client, the conformance suite's scenarios for authorization
//! servers, a validator of OpenAPI documents and a client made from one. Their versions are pinned in `tests/clients/`.

use serde_json::{Value, json};

use crate::{
    clients::{Scene, run},
    worker::{ADMIN_TOKEN, Worker},
};

/// The loopback port on which the suite waits for the answer.
const CALLBACK_PORT: &str = "33419";

fn origin(worker: &Worker) -> String {
    worker.runtime.client().base_url().to_owned()
}

#[test]
fn the_sdk_s_own_oauth_client_finds_its_way_signs_in_refreshes_and_asks() {
    let scene = Scene::set();
    let user = scene.worker.user("America/Lima").to_string();
    let url = format!("{}/mcp", origin(scene.worker));
    let asked = json!({"from": "2020-01-01", "to": "2020-12-31"});
    let arguments = ["sdk-v1-oauth.mjs", &url, ADMIN_TOKEN, &user, "history_coverage", &asked.to_string()];
    let ended = run(&scene, "sdk-v1-oauth", &arguments);
    assert!(ended.succeeded, "{}\n{}", ended.stdout, ended.stderr);
    let seen: Value = serde_json::from_str(ended.stdout.trim()).unwrap();
    assert_eq!((&seen["state"], &seen["iss"]), (&json!("a state of the SDK"), &json!(origin(scene.worker))));
    assert_eq!(
        (&seen["resource"], &seen["scope"], &seen["refreshed"]),
        (&json!(url), &json!("read ops"), &json!(true))
    );
    assert!(seen["tools"].as_array().unwrap().contains(&json!("history_coverage")));
    // The user that was chosen, by the zone of its answers.
    assert_eq!(seen["result"]["window"]["timezone"], "America/Lima");
    let grants = scene.worker.admin().get(&format!("/admin/grants?user_id={user}")).unwrap().json();
    assert_eq!((&grants["total"], &grants["items"][0]["client_name"]), (&json!(1), &json!("The SDK")));
}

#[test]
fn the_conformance_suite_s_authorization_scenarios_pass() {
    let scene = Scene::set();
    let user = scene.worker.user("UTC").to_string();
    let arguments = ["conformance-authorization.mjs", &origin(scene.worker), ADMIN_TOKEN, &user, CALLBACK_PORT];
    let ended = run(&scene, "conformance-authorization", &arguments);
    assert!(ended.succeeded, "{}\n{}", ended.stdout, ended.stderr);
}

#[test]
fn the_openapi_document_is_valid_and_every_operation_of_it_answers() {
    let scene = Scene::set();
    let origin = origin(scene.worker);
    let ended = run(&scene, "openapi", &["openapi.mjs", &origin, &scene.token]);
    assert!(ended.succeeded, "{}\n{}", ended.stdout, ended.stderr);
    let seen: Value = serde_json::from_str(ended.stdout.trim()).unwrap();
    assert_eq!(
        (&seen["version"], &seen["valid"], &seen["server"]),
        (&json!("3.1"), &json!(true), &json!(origin)),
        "{seen}"
    );
    let listed = scene.worker.runtime.client().get("/mcp/tools").unwrap().json();
    let called = seen["called"].as_object().unwrap();
    assert_eq!(called.len(), listed.as_array().unwrap().len());
    for (tool, answer) in called {
        // This user has no Spotify account, and tools that need one say so.
        let (status, is_history) = (answer["status"].as_u64().unwrap(), tool.starts_with("history_"));
        assert!(status == 200 || (!is_history && (400..500).contains(&status)), "{tool}: {answer}");
        assert!(answer["body"].is_object(), "{tool}: {answer}");
    }
}
