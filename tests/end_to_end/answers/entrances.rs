//! One question, every entrance: the same result.

use listenlog_workbench::client::Response;
use serde_json::{Value, json};

use super::{listeners::Scene, questions::TOOLS};

/// What the registry lists; a native test holds the same file against the registry itself.
const CATALOGUE: &str = include_str!("../../../src/tools/catalogue.golden.json");

const PATHS: [(&str, &str); 7] = [
    ("coverage", "history_coverage"),
    ("heatmap", "history_listening_heatmap"),
    ("repeat-rate", "history_repeat_rate"),
    ("taste-summary", "history_taste_summary"),
    ("top-albums", "history_top_albums"),
    ("top-artists", "history_top_artists"),
    ("top-tracks", "history_top_tracks"),
];

fn call(scene: &Scene, envelope: &Value) -> Response {
    scene.admin().post_json("/mcp/call", envelope).unwrap()
}

/// A query string of flat arguments.
fn query_string(arguments: &Value) -> String {
    let pairs = arguments.as_object().unwrap().iter().filter(|(name, _)| *name != "user_id");
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let encoded = |value: &Value| text(value).replace('%', "%25").replace('+', "%2B").replace('/', "%2F");
    pairs.map(|(name, value)| format!("{name}={}", encoded(value))).collect::<Vec<_>>().join("&")
}

#[test]
fn every_entrance_gives_the_same_answer() {
    let scene = Scene::shared();
    let listener = scene.long_life();
    let user = listener.user;
    for (path, tool) in PATHS {
        for mut arguments in [
            json!({"user_id": user, "from": "2021-03-12", "to": "2021-04-30"}),
            json!({"user_id": user, "from": "2022-01-01T00:00:00+01:00", "to": "2022-03-01T00:00:00Z",
                   "timezone": "America/St_Johns", "kind": "all", "min_ms_played": 0}),
        ] {
            if tool.starts_with("history_top_") {
                arguments["limit"] = 7.into();
            }
            let direct = scene.worker.tool(tool, &arguments);
            assert_eq!(direct.status, 200, "{}", direct.text());
            let expected = direct.json();
            assert!(expected["counted"]["plays"].as_u64().unwrap() > 50, "{expected}");
            let dotted = tool.replacen('_', ".", 1);
            let mut flat = arguments.clone();
            flat["tool"] = tool.into();
            for envelope in [
                json!({"tool": tool, "arguments": arguments}),
                json!({"tool": tool, "args": arguments}),
                flat,
                json!({"tool": dotted, "arguments": arguments}),
                json!({"tool": tool, "arguments": arguments.to_string()}),
                json!({"tool": tool, "arguments": {}, "args": arguments}),
            ] {
                let answer = call(scene, &envelope);
                assert_eq!(answer.status, 200, "{envelope}: {}", answer.text());
                let called = json!({"tool": tool, "success": true, "result": expected, "error": null});
                assert_eq!(answer.json(), called, "{envelope}");
            }
            assert_eq!(scene.worker.tool(&dotted, &arguments).json(), expected);
            let url = format!("/history/users/{user}/{path}?{}", query_string(&arguments));
            let answer = scene.admin().get(&url).unwrap();
            assert_eq!((answer.status, answer.json()), (200, expected), "{url}");
        }
    }
}

#[test]
fn the_catalogue_is_open_to_all_and_lists_the_registry() {
    let scene = Scene::shared();
    let answer = scene.worker.runtime.client().get("/mcp/tools").unwrap();
    assert_eq!(answer.status, 200);
    let golden: Value = serde_json::from_str(CATALOGUE).unwrap();
    assert_eq!(answer.json(), golden);
    let listed: Vec<&str> = golden.as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert!(listed.is_sorted());
    assert!(TOOLS.iter().all(|tool| listed.contains(tool)), "{listed:?}");
    assert!(listed.iter().all(|name| !name.contains('.')), "{listed:?}");
}

#[test]
fn answers_say_what_they_are_and_are_not_kept_by_caches_of_others() {
    let scene = Scene::shared();
    let arguments = json!({"user_id": scene.long_life().user, "from": "2021-01-01", "to": "2021-12-31"});
    for tool in TOOLS {
        let headers = [("X-Request-Id", "an.answer-1"), ("Content-Type", "application/json")];
        let path = format!("/tools/{tool}");
        let answer = scene.admin().send("POST", &path, &headers, Some(arguments.to_string().as_bytes())).unwrap();
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{tool}");
        assert_eq!(answer.header("x-request-id"), Some("an.answer-1"));
        assert!(answer.text().chars().count() < 100_000, "{tool}");
    }
}
