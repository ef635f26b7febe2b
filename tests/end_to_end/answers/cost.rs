//! What a warm question costs the database, as the Worker's own log tells it.

use rusqlite::OptionalExtension;
use serde_json::{Value, json};

use super::listeners::Scene;
use crate::worker::wait_for;

/// All users' rows (the generation), the two ends of the history, and a row for each week of the window.
const BESIDE_THE_PLAYS: u64 = 40;

/// The fields of the log row of one request.
fn logged(scene: &Scene, request_id: &str) -> Value {
    let sql = "SELECT fields FROM logs WHERE request_id = ?1 AND message = 'A request was answered'";
    let fields: String = wait_for(|| {
        let database = scene.worker.runtime.database().ok()?;
        database.query_row(sql, [request_id], |row| row.get(0)).optional().unwrap()
    });
    serde_json::from_str(&fields).unwrap()
}

#[test]
fn a_warm_question_reads_its_window_once_and_in_one_call() {
    let scene = Scene::shared();
    let listener = scene.long_life();
    // Ninety days.
    let arguments = json!({"user_id": listener.user, "from": "2022-02-01", "to": "2022-05-01"});
    let in_window =
        "ended_at >= unixepoch('2022-01-31 23:00:00') * 1000 AND ended_at < unixepoch('2022-05-01 22:00:00') * 1000";
    let of_user = format!("FROM plays WHERE user_id = {} AND {in_window}", listener.user);
    let plays = scene.worker.number(&format!("SELECT count(*) {of_user}")).unsigned_abs();
    assert!(plays > 200, "{plays}");
    for tool in ["history_top_artists", "history_top_tracks", "history_listening_heatmap", "history_taste_summary"] {
        let (calls, read) = warm(scene, tool, &arguments);
        assert_eq!(calls, 1, "{tool}");
        assert!(read * 10 <= plays * 11 + BESIDE_THE_PLAYS * 10, "{tool}: {read} rows for {plays} plays");
    }
}

/// Calls and rows read of a question asked again until it needs a single call. Questions of other tests that end in
/// between may make the isolate forget the names it has just learnt, which costs a call more.
fn warm(scene: &Scene, tool: &str, arguments: &Value) -> (u64, u64) {
    let mut cost = (0, 0);
    for round in 1..=20 {
        let id = format!("cost-{tool}-{round}");
        let headers = [("X-Request-Id", id.as_str()), ("Content-Type", "application/json")];
        let body = arguments.to_string();
        let answer = scene.admin().send("POST", &format!("/tools/{tool}"), &headers, Some(body.as_bytes())).unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        let fields = logged(scene, &id);
        let number = |name: &str| fields[name].as_u64().unwrap();
        assert_eq!(number("rows_written"), 0);
        // Cold: the zone, which may move the window, and the names of tracks and artists.
        cost = (number("calls"), number("rows_read"));
        assert!((1..=3).contains(&cost.0), "{tool}: {fields}");
        if round > 1 && cost.0 == 1 {
            break;
        }
    }
    cost
}
