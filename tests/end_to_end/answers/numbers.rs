//! Every number of every history tool, for every listener, in three zones, over windows of all kinds.

use std::{sync::Mutex, thread};

use super::{
    expected::{answer, differences, without_open_ends},
    listeners::{Listener, Scene},
    questions::{DEFAULT_LIMIT, Query, RULES, TOOLS, ZONES, windows},
};
use crate::worker::now_ms;

/// Asks one question and tells where the answer is not the truth.
fn ask(scene: &Scene, tool: &str, query: &Query<'_>) -> Vec<String> {
    let arguments = query.arguments(tool);
    let before = now_ms();
    let response = scene.worker.tool(tool, &arguments);
    let after = now_ms();
    assert_eq!(response.status, 200, "{tool} {arguments}: {}", response.text());
    let answered = response.json();
    let resolved = query.resolve(&answered, [before, after]);
    let expected = answer(tool, query, &resolved, &answered);
    let mut found = Vec::new();
    differences("", &without_open_ends(answered), &expected, &mut found);
    let context = format!("{} {tool} {arguments}", query.listener.name);
    found.into_iter().map(|difference| format!("{context}: {difference}")).collect()
}

/// Every tool over every window; zones, rules and limits take turns, so that each meets each over the six listeners.
fn check(scene: &Scene, listener: &Listener, turn: usize) -> Vec<String> {
    const LIMITS: [usize; 4] = [DEFAULT_LIMIT, 100, 1, 7];
    let zones = [None, Some(ZONES[0]), Some(ZONES[1]), Some(ZONES[2])];
    let mut found = Vec::new();
    for (number, asked) in windows(listener).into_iter().enumerate() {
        for (place, zone) in zones.into_iter().enumerate() {
            let (kind, min_ms_played) = RULES[(number + place + turn) % RULES.len()];
            let limit = LIMITS[(number + place * 3 + turn) % LIMITS.len()];
            let query = Query { listener, asked, zone, kind, min_ms_played, limit };
            for tool in TOOLS {
                found.extend(ask(scene, tool, &query));
            }
        }
    }
    found
}

#[test]
fn every_number_of_every_tool_is_the_truth() {
    let scene = Scene::shared();
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (turn, listener) in scene.listeners.iter().enumerate() {
            let found = &found;
            scope.spawn(move || {
                let differences = check(scene, listener, turn);
                found.lock().unwrap().extend(differences);
            });
        }
    });
    let found = found.into_inner().unwrap();
    let shown: Vec<&str> = found.iter().take(40).map(String::as_str).collect();
    assert!(found.is_empty(), "{} numbers differ, among them:\n{}", found.len(), shown.join("\n"));
}

/// Every rule over one window: nothing is missed because the turns left it out.
#[test]
fn every_kind_and_least_length_counts_what_it_says() {
    let scene = Scene::shared();
    let mut found = Vec::new();
    for listener in &scene.listeners {
        let asked = windows(listener)[3];
        for kind in ["music", "podcast", "audiobook", "local", "video", "all"] {
            for min_ms_played in [0, 1, 29_999, 30_000, 30_001, 200_000, 86_400_000] {
                let query = Query { listener, asked, zone: None, kind, min_ms_played, limit: 100 };
                found.extend(ask(scene, "history_taste_summary", &query));
            }
        }
    }
    let shown: Vec<&str> = found.iter().take(40).map(String::as_str).collect();
    assert!(found.is_empty(), "{} numbers differ, among them:\n{}", found.len(), shown.join("\n"));
}
