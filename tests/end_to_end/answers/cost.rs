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
    let count = |what: &str| u64::try_from(scene.worker.number(&format!("SELECT {what} {of_user}"))).unwrap();
    let (plays, tracks) = (count("count(*)"), count("count(DISTINCT track_id)"));
    assert!(plays > 200, "{plays}");
    for tool in ["history_top_artists", "history_top_tracks", "history_listening_heatmap", "history_taste_summary"] {
        for round in ["cold", "warm"] {
            let id = format!("cost-{tool}-{round}");
            let headers = [("X-Request-Id", id.as_str()), ("Content-Type", "application/json")];
            let path = format!("/tools/{tool}");
            let answer = scene.admin().send("POST", &path, &headers, Some(arguments.to_string().as_bytes())).unwrap();
            assert_eq!(answer.status, 200, "{}", answer.text());
            let fields = logged(scene, &id);
            let number = |name: &str| fields[name].as_u64().unwrap();
            let (calls, read) = (number("calls"), number("rows_read"));
            println!("{tool} {round}: {calls} calls, {read} rows read for {plays} plays of {tracks} tracks");
            assert_eq!(number("rows_written"), 0);
            if round == "warm" {
                assert_eq!(calls, 1, "{tool}");
                assert!(read * 10 <= plays * 11 + BESIDE_THE_PLAYS * 10, "{tool}: {read} rows for {plays} plays");
            } else {
                // Once an isolate: the zone, which may move the window, and the names of tracks and artists.
                assert!(calls <= 3, "{tool}: {calls}");
            }
        }
    }
}
