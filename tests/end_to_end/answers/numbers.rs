//! Every number of every history tool, for every listener, in three zones, over windows of all kinds.

use std::{sync::Mutex, thread};

use listenlog_workbench::generator::{
    AccountLayout, FieldSet, TruePlay, last_twelve_months, seen_by_account, seen_by_extended, write_account,
    write_extended,
};

use super::{
    expected::{answer, differences, without_open_ends},
    listeners::{Listener, Scene, two_years},
    questions::{Asked, DEFAULT_LIMIT, Query, RULES, TOOLS, ZONES, windows},
};
use crate::worker::{Worker, now_ms};

/// Asks one question and tells where the answer is not the truth.
fn ask(worker: &Worker, tool: &str, query: &Query<'_>) -> Vec<String> {
    let arguments = query.arguments(tool);
    let before = now_ms();
    let response = worker.tool(tool, &arguments);
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
fn check(worker: &Worker, listener: &Listener, turn: usize) -> Vec<String> {
    const LIMITS: [usize; 4] = [DEFAULT_LIMIT, 100, 1, 7];
    let zones = [None, Some(ZONES[0]), Some(ZONES[1]), Some(ZONES[2])];
    let mut found = Vec::new();
    for (number, asked) in windows(listener).into_iter().enumerate() {
        for (place, zone) in zones.into_iter().enumerate() {
            let (kind, min_ms_played) = RULES[(number + place + turn) % RULES.len()];
            let limit = LIMITS[(number + place * 3 + turn) % LIMITS.len()];
            let query = Query { listener, asked, zone, kind, min_ms_played, limit };
            for tool in TOOLS {
                found.extend(ask(worker, tool, &query));
                // Asked again at once, an answer may be one that was kept.
                if (number + place + turn).is_multiple_of(3) {
                    found.extend(ask(worker, tool, &query));
                }
            }
        }
    }
    found
}

fn nothing_differs(found: &[String]) {
    let shown: Vec<&str> = found.iter().take(40).map(String::as_str).collect();
    assert!(found.is_empty(), "{} numbers differ, among them:\n{}", found.len(), shown.join("\n"));
}

#[test]
fn every_number_of_every_tool_is_the_truth() {
    let scene = Scene::shared();
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for (turn, listener) in scene.listeners.iter().enumerate() {
            let found = &found;
            scope.spawn(move || {
                let differences = check(&scene.worker, listener, turn);
                found.lock().unwrap().extend(differences);
            });
        }
    });
    nothing_differs(&found.into_inner().unwrap());
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
                found.extend(ask(&scene.worker, "history_taste_summary", &query));
            }
        }
    }
    nothing_differs(&found);
}

/// Account data first, asked about twice; then the extended history of the same life.
#[test]
fn an_answer_follows_an_import_at_once() {
    let worker = Worker::shared();
    let plays = two_years(37).live();
    let range = last_twelve_months(&plays);
    let account = write_account(&plays, AccountLayout::New, range.clone()).unwrap();
    let extended = write_extended(&plays, FieldSet::R4).unwrap();
    let covered: Vec<TruePlay> = plays.iter().filter(|play| range.contains(&play.reported_at_ms)).cloned().collect();
    let mut listener = Listener {
        user: worker.user("Europe/Berlin"),
        name: "account data, then more",
        timezone: "Europe/Berlin",
        plays: Vec::new(),
        in_extended: false,
        account_range_ms: None,
        clock_changes: [["2023-03-10", "2023-03-27"], ["2023-10-27", "2023-11-06"]],
    };
    let mut found = Vec::new();
    let mut ask_all = |listener: &Listener| {
        for asked in [Asked::Dates("2023-03-10", "2023-11-06"), Asked::AllTime] {
            let query = Query { listener, asked, zone: None, kind: "music", min_ms_played: 30_000, limit: 100 };
            for tool in TOOLS {
                found.extend(ask(worker, tool, &query));
                found.extend(ask(worker, tool, &query));
            }
        }
    };
    ask_all(&listener);
    assert_eq!(worker.import(listener.user, &account)["status"], "success");
    listener.plays = seen_by_account(&covered, AccountLayout::New);
    listener.account_range_ms = Some(i64::MIN..i64::MAX);
    ask_all(&listener);
    assert_eq!(worker.import(listener.user, &extended)["status"], "success");
    listener.plays = seen_by_extended(&plays, FieldSet::R4);
    (listener.in_extended, listener.account_range_ms) = (true, Some(range));
    ask_all(&listener);
    nothing_differs(&found);
}
