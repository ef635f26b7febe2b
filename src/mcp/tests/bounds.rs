//! How long a message of ours may be, whatever the history and whatever is sent.

use serde_json::{Map, Value, json};

use super::{app, ask_new, message, send};
use crate::testing::{TestApp, scene::Scene, test_app::NOW};

/// What GPT Actions take of one answer, held here for the whole message.
const MAX_CHARS: usize = 100_000;

fn odd_history() -> TestApp {
    let app = TestApp::new();
    Scene(&app).user(1, "UTC").plays_of_odd_names(1, 120, NOW);
    app
}

fn chars(bytes: Vec<u8>) -> usize {
    String::from_utf8(bytes).unwrap().chars().count()
}

#[test]
fn a_result_in_both_its_forms_stays_below_the_bound_whatever_the_names() {
    let app = odd_history();
    for tool in crate::tools::names().into_iter().filter_map(crate::tools::find) {
        let widest = [("days", 36_500), ("limit", 100)];
        let known = |name: &str| tool.parameters.iter().any(|parameter| parameter.name == name);
        let arguments: Map<String, Value> = widest
            .into_iter()
            .filter(|(name, _)| known(name))
            .map(|(name, most)| (name.to_owned(), json!(most)))
            .collect();
        let answer = ask_new(&app, "tools/call", json!({"name": tool.name, "arguments": arguments}));
        assert!(chars(answer.bytes.clone()) < MAX_CHARS, "{}", tool.name);
        let result = answer.json()["result"].clone();
        if result["isError"] == true {
            assert!(!tool.name.starts_with("history_"), "{result}");
            continue;
        }
        let text = result["content"][0]["text"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), result["structuredContent"], "{}", tool.name);
    }
    let top = ask_new(&app, "tools/call", json!({"name": "history_top_tracks", "arguments": {"limit": 100}})).json();
    let data = &top["result"]["structuredContent"];
    assert!(data["cut_note"].as_str().unwrap().contains("limit"));
    assert!(data["items"].as_array().unwrap().len() >= 20, "{}", data["items"].as_array().unwrap().len());
}

#[test]
fn resources_stay_below_the_bound_whatever_the_names() {
    let app = odd_history();
    for uri in ["listenlog://guide", "listenlog://users/1/coverage", "listenlog://users/1/years/2026"] {
        let answer = ask_new(&app, "resources/read", json!({"uri": uri}));
        assert_eq!(answer.json()["result"]["contents"][0]["uri"], uri);
        assert!(chars(answer.bytes) < MAX_CHARS, "{uri}");
    }
}

#[test]
fn a_refusal_is_short_however_much_was_wrong() {
    let app = app();
    let names = (0..4_000).map(|number| (format!("x{number}"), json!(1)));
    let arguments = Value::Object(names.collect());
    let call = message("tools/call", &json!({"name": "history_coverage", "arguments": arguments}));
    for answer in [send(&app, &[], call.to_string()), app.post("/tools/history_coverage", &arguments)] {
        assert!(answer.status == 200 || answer.status == 422, "{}", answer.status);
        assert!(answer.bytes.len() < 10_000, "{}", answer.bytes.len());
    }
}
