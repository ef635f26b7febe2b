//! Tools, resources, prompts and completion, and whose data each of them shows.

use serde_json::{Value, json};

use super::{app, ask_new, ask_old, token};
use crate::testing::{TestApp, sqlite::Failure, test_app::ADMIN_TOKEN};

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

#[test]
fn tools_are_listed_with_all_that_a_client_wants_to_know() {
    let app = app();
    let listed = ask_new(&app, "tools/list", json!({})).json()["result"].clone();
    assert_eq!((&listed["cacheScope"], &listed["ttlMs"]), (&json!("private"), &json!(300_000)));
    assert_eq!(names(&listed["tools"]), crate::tools::names());
    for tool in listed["tools"].as_array().unwrap() {
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(tool["annotations"][hint].is_boolean(), "{tool}");
        }
        assert_eq!((&tool["inputSchema"]["type"], &tool["outputSchema"]["type"]), (&json!("object"), &json!("object")));
        assert!(tool["title"].is_string() && tool["description"].is_string());
    }
    let refused = ask_new(&app, "tools/list", json!({"cursor": "2"})).json();
    assert_eq!(refused["error"]["code"], -32_602);
    // What a credential cannot call is not offered to it.
    let seen = ask_old(&app, &token(&app, &["ops"]), "tools/list", &json!({}));
    assert!(names(&seen["result"]["tools"]).iter().all(|name| !name.starts_with("history_")));
}

#[test]
fn a_call_gives_the_same_as_every_other_entrance_twice_over() {
    let app = app();
    let token = token(&app, &["read"]);
    let expected = app.post("/tools/history_top_artists", &json!({"user_id": 1})).json();
    for params in [
        json!({"name": "history_top_artists"}),
        json!({"name": "history_top_artists", "arguments": {}}),
        json!({"name": "history_top_artists", "arguments": null}),
        json!({"name": "history.top_artists", "arguments": {"user_id": 1}}),
        json!({"name": "history_top_artists", "arguments": "{\"user_id\": 1}"}),
    ] {
        let result = ask_old(&app, &token, "tools/call", &params)["result"].clone();
        assert_eq!(result["structuredContent"], expected, "{params}");
        assert_eq!(result["isError"], false);
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), expected);
        assert!(result.get("resultType").is_none());
    }
    let modern =
        ask_new(&app, "tools/call", json!({"name": "history_top_artists", "arguments": {"user_id": 1}})).json();
    assert_eq!(modern["result"]["structuredContent"], expected);
    assert_eq!(modern["result"]["resultType"], "complete");
}

/// The text of a tool's own refusal.
fn refusal(app: &TestApp, token: &str, params: &Value) -> String {
    let result = ask_old(app, token, "tools/call", params)["result"].clone();
    assert_eq!(result["isError"], true, "{params}: {result}");
    assert!(result.get("structuredContent").is_none());
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

#[test]
fn what_a_tool_refuses_is_a_result_that_says_what_to_do() {
    let app = app();
    let token = token(&app, &["read"]);
    let call = |arguments: Value| json!({"name": "history_top_tracks", "arguments": arguments});
    let text = refusal(&app, &token, &call(json!({"days": "many", "artist": "x", "limit": 1_000})));
    for part in ["days", "artist", "known are", "limit"] {
        assert!(text.contains(part), "{text}");
    }
    let foreign = refusal(&app, &token, &call(json!({"user_id": 2})));
    assert_eq!(foreign, "This credential opens user 1 alone: leave `user_id` out.");
    assert_eq!(refusal(&app, &token, &call(json!({"user_id": 99}))), foreign);
    assert!(refusal(&app, ADMIN_TOKEN, &call(json!({}))).contains("there are: 1, 2"));
    let watcher = super::token(&app, &["ops"]);
    assert!(refusal(&app, &watcher, &call(json!({}))).contains("`read`"));
    for params in
        [json!({"name": "history_top_track"}), json!({}), json!({"name": 3}), json!({"name": "x", "arguments": 3})]
    {
        assert_eq!(ask_old(&app, &token, "tools/call", &params)["error"]["code"], -32_602, "{params}");
    }
    app.db.fail_after(1, Failure::BeforeWriting);
    let broken = refusal(&app, &token, &call(json!({})));
    assert!(!broken.contains("SELECT") && broken.len() < 300, "{broken}");
}

fn read(app: &TestApp, token: &str, uri: &str) -> Value {
    ask_old(app, token, "resources/read", &json!({"uri": uri}))
}

#[test]
fn resources_show_a_user_to_its_own_credential_and_to_the_admin() {
    let app = app();
    let token = token(&app, &["read"]);
    let listed = ask_old(&app, &token, "resources/list", &json!({}))["result"].clone();
    let uris: Vec<&str> =
        listed["resources"].as_array().unwrap().iter().map(|item| item["uri"].as_str().unwrap()).collect();
    assert_eq!(uris, ["listenlog://guide", "listenlog://users/1/profile", "listenlog://users/1/coverage"]);
    for uri in uris.into_iter().chain(["listenlog://users/1/years/2026"]) {
        let contents = &read(&app, &token, uri)["result"]["contents"][0];
        assert_eq!(contents["uri"], uri);
        assert!(contents["text"].as_str().unwrap().len() > 100, "{contents}");
    }
    let text = |token: &str, uri: &str| {
        let contents = read(&app, token, uri)["result"]["contents"][0]["text"].clone();
        serde_json::from_str::<Value>(contents.as_str().unwrap()).unwrap()
    };
    assert_eq!(text(&token, "listenlog://users/1/profile")["timezone"], "Europe/Berlin");
    assert_eq!(text(ADMIN_TOKEN, "listenlog://users/2/coverage")["total_plays"], 1);
    for uri in [
        "listenlog://users/2/profile",
        "listenlog://users/2/years/2026",
        "listenlog://users/9/profile",
        "listenlog://users/1/years/now",
        "listenlog://users/1",
        "https://evil.example/",
        "",
    ] {
        let error = read(&app, &token, uri)["error"].clone();
        assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(-32_002), &json!(uri)));
        let modern = ask_new(&app, "resources/read", json!({"uri": format!("{uri}/x")}));
        assert_eq!((modern.status.as_u16(), &modern.json()["error"]["code"]), (200, &json!(-32_602)));
    }
    let guide = read(&app, &token, "listenlog://guide")["result"]["contents"][0]["text"].clone();
    assert!(crate::tools::names().iter().all(|name| guide.as_str().unwrap().contains(name)));
    assert_eq!(names(&ask_old(&app, ADMIN_TOKEN, "resources/list", &json!({}))["result"]["resources"]).len(), 5);
    let templates = ask_old(&app, &token, "resources/templates/list", &json!({}))["result"].clone();
    assert_eq!(names(&templates["resourceTemplates"]), ["profile", "coverage", "year"]);
}

#[test]
fn prompts_name_windows_that_end_today_and_tools_that_there_are() {
    let app = app();
    let listed = ask_old(&app, ADMIN_TOKEN, "prompts/list", &json!({}))["result"].clone();
    let prompts = names(&listed["prompts"]).into_iter().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(prompts, ["is_my_history_complete", "my_year_so_far", "what_changed_in_my_taste"]);
    let get = |name: &str, arguments: Value| {
        let answer = ask_old(&app, ADMIN_TOKEN, "prompts/get", &json!({"name": name, "arguments": arguments}));
        answer["result"]["messages"][0]["content"]["text"].as_str().map(str::to_owned)
    };
    for name in &prompts {
        let text = get(name, json!({})).unwrap();
        let words = text.split(|letter: char| !(letter.is_ascii_lowercase() || letter == '_'));
        let tools: Vec<&str> = words.filter(|word| word.starts_with("history_")).collect();
        assert!(!tools.is_empty() && tools.iter().all(|tool| crate::tools::find(tool).is_some()), "{text}");
    }
    let year = get("my_year_so_far", json!({"timezone": "Pacific/Auckland"})).unwrap();
    assert!(year.contains("from=2026-01-01, to=2026-11-24 and timezone Pacific/Auckland"), "{year}");
    assert!(year.contains("to=2025-11-24"));
    let changes = get("what_changed_in_my_taste", json!({"artist": "Sigur Rós 🎻"})).unwrap();
    assert!(changes.contains("Sigur Rós 🎻") && changes.contains("to=2026-11-23"), "{changes}");
    for (name, arguments) in [
        ("my_year", json!({})),
        ("my_year_so_far", json!({"timezone": "Mars/Base"})),
        ("my_year_so_far", json!({"year": "2020"})),
        ("what_changed_in_my_taste", json!({"artist": 3})),
        ("what_changed_in_my_taste", json!({"artist": "x".repeat(201)})),
    ] {
        assert_eq!(get(name, arguments), None, "{name}");
    }
}

#[test]
fn completion_knows_zones_and_the_artists_of_ones_own_user() {
    let app = app();
    let token = token(&app, &["read"]);
    let complete = |token: &str, reference: Value, name: &str, value: &str, context: Value| {
        let params = json!({"ref": reference, "argument": {"name": name, "value": value}, "context": context});
        ask_old(&app, token, "completion/complete", &params)["result"]["completion"]["values"].clone()
    };
    let prompt = json!({"type": "ref/prompt", "name": "what_changed_in_my_taste"});
    let of = |token: &str, name: &str, value: &str| complete(token, prompt.clone(), name, value, json!({}));
    assert_eq!(of(&token, "timezone", "berl"), json!(["Europe/Berlin"]));
    assert_eq!(of(&token, "timezone", "").as_array().unwrap().len(), 100);
    assert_eq!(of(&token, "artist", "BJÖ"), json!(["Björk"]));
    assert_eq!(of(&token, "artist", "sig"), json!([]), "somebody else's artist");
    assert_eq!(of(ADMIN_TOKEN, "artist", ""), json!([]), "it cannot be told whose");
    let whose = json!({"arguments": {"user_id": "2"}});
    assert_eq!(complete(ADMIN_TOKEN, prompt.clone(), "artist", "rós", whose.clone()), json!(["Sigur Rós"]));
    assert_eq!(complete(&token, prompt.clone(), "artist", "", whose), json!([]));
    assert_eq!(of(&token, "mood", ""), json!([]));
    let template = json!({"type": "ref/resource", "uri": "listenlog://users/{user_id}/years/{year}"});
    assert_eq!(complete(&token, template.clone(), "year", "202", json!({}))[0], "2026");
    assert_eq!(complete(&token, template.clone(), "user_id", "", json!({})), json!(["1"]));
    assert_eq!(complete(ADMIN_TOKEN, template, "user_id", "", json!({})), json!(["1", "2"]));
    let unknown = json!({"type": "ref/prompt", "name": "x"});
    assert_eq!(complete(&token, unknown, "artist", "", json!({})), json!([]));
    let shapeless = json!({"ref": {"type": "ref/tool", "name": "x"}, "argument": {"name": "a", "value": ""}});
    assert_eq!(ask_old(&app, &token, "completion/complete", &shapeless)["error"]["code"], -32_602);
}
