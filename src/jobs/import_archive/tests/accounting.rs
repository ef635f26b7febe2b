//! Every row read went one way, and what was refused can be looked at.

use serde_json::{Value, json};

use super::{
    app_with_user, assert_adds_up,
    hostile::{array, row, zipped},
    import, life, progress,
};
use crate::testing::{TestApp, sqlite::Failure};

#[test]
fn the_database_refuses_counters_that_do_not_add_up() {
    let app = app_with_user();
    import(&app, zipped(&[("endsong_0.json", &array(&[row(1, 60_000, "a")]))]));
    let refused = app.db.with(|db| db.execute("UPDATE import_files SET rows_read = rows_read + 1", []));
    assert!(refused.unwrap_err().to_string().contains("every_row_is_accounted_for"));
}

fn refused_rows(count: usize) -> Vec<u8> {
    let broken = r#"{"ts":"soon","username":"listener-4711","ip_addr":"203.0.113.77","platform":"Mine 9",
        "user_agent_decrypted":"SpyAgent/9.9","conn_country":"XX","ms_played":1,"master_metadata_track_name":"Let Down"}"#;
    let rows = vec![broken; count].join(",");
    format!("[{},{rows},7,{}]", row(1, 60_000, "a"), row(500, 60_000, "b")).into_bytes()
}

#[test]
fn refused_rows_are_listed_with_their_place_and_an_excerpt_without_personal_fields() {
    let app = app_with_user();
    let job = import(&app, zipped(&[("a/endsong_0.json", &refused_rows(2)), ("b/endsong_1.json", &refused_rows(1))]));
    assert_eq!((&job["status"], progress(&job, "rejected")), (&json!("success"), 5), "{job}");
    let page = app.get("/admin/import-jobs/1/rejects?limit=2&offset=1").json();
    assert_eq!((&page["total"], &page["rejected"], &page["limit"]), (&json!(5), &json!(5), &json!(2)));
    assert_eq!(
        page["items"][0],
        json!({"file": "a/endsong_0.json", "index": 2, "reason": "time_unreadable",
               "excerpt": r#"{"ts":"soon","ms_played":1,"master_metadata_track_name":"Let Down"}"#})
    );
    assert_eq!(page["items"][1]["excerpt"], "a number where an object belongs");

    for answer in [
        app.get("/admin/import-jobs/1/rejects?format=csv"),
        app.send(
            axum::http::Request::get("http://listenlog.example/admin/import-jobs/1/rejects")
                .header("authorization", format!("Bearer {}", crate::testing::test_app::ADMIN_TOKEN))
                .header("accept", "text/csv")
                .body(axum::body::Body::empty())
                .unwrap(),
        ),
    ] {
        assert_eq!(answer.headers["content-type"], "text/csv; charset=utf-8");
        let table = String::from_utf8(answer.bytes).unwrap();
        assert_eq!(table.lines().count(), 6, "{table}");
        assert!(
            table.starts_with("file,index,reason,excerpt\r\n\"a/endsong_0.json\",1,\"time_unreadable\","),
            "{table}"
        );
        for personal in ["listener-4711", "203.0.113.77", "Mine 9", "SpyAgent", "XX"] {
            assert!(!table.contains(personal), "{personal}");
        }
    }
    assert_eq!(app.get("/admin/import-jobs/1/rejects?format=xml").status, 422);
    assert_eq!(app.get("/admin/import-jobs/9/rejects").status, 404);
}

#[test]
fn the_first_thousand_refused_rows_of_a_file_are_kept_and_the_count_goes_on() {
    let rows = refused_rows(2_600);
    for slice_rows in ["10000", "700"] {
        let app = super::app_with_vars(&[("IMPORT_SLICE_ROWS", slice_rows)]);
        let job = import(&app, zipped(&[("endsong_0.json", &rows)]));
        assert_eq!(progress(&job, "rejected"), 2_601);
        assert_adds_up(&job);
        let page = app.get("/admin/import-jobs/1/rejects?limit=1&offset=999").json();
        assert_eq!((&page["total"], &page["rejected"]), (&json!(1_000), &json!(2_601)));
        assert_eq!(page["items"][0]["index"], 1_000);
        assert!(page["items"][0]["excerpt"].is_string());
    }
}

#[test]
fn success_is_never_said_over_files_that_gave_nothing() {
    let good = array(&[row(1, 60_000, "a")]);
    let all_bad = array(&[json!({"ts": "soon", "ms_played": 1}), json!({"ts": "never", "ms_played": 2})]);
    for (other, told) in [
        (&br#"{"playlists": []}"#[..], "holds none"),
        (all_bad.as_slice(), "None of its 2 rows could be read"),
        (b"", ""),
        (b"[]", ""),
    ] {
        let app = app_with_user();
        let job = import(&app, zipped(&[("endsong_0.json", &good), ("endsong_1.json", other)]));
        // An empty file left nothing out.
        assert_eq!(job["status"], if told.is_empty() { "success" } else { "partial" }, "{job}");
        assert!(job["error_message"].as_str().unwrap_or_default().contains(told), "{job}");
        let app = app_with_user();
        let job = import(&app, zipped(&[("endsong_1.json", other)]));
        assert_eq!(job["status"], "error", "{job}");
        assert!(job["error_message"].is_string());
    }
}

#[test]
fn plays_that_vanish_before_the_recount_are_no_success() {
    let plays = life(31);
    let archive =
        listenlog_workbench::generator::write_extended(&plays, listenlog_workbench::generator::FieldSet::R4).unwrap();
    let mut caught = 0;
    for calls in 0..14 {
        let app = app_with_user();
        let id = app.upload(1, archive.clone());
        app.db.fail_after(calls, Failure::Intruder("DELETE FROM plays WHERE ended_at % 7 = 0"));
        app.drain();
        app.db.heal();
        let job = app.import_job(id);
        let is_whole = stored(&app) == progress(&job, "inserted");
        match job["status"].as_str().unwrap() {
            "success" => assert!(is_whole || calls > 6, "after {calls} calls: {job}"),
            "error" => {
                assert!(job["error_message"].as_str().unwrap().contains("found again"), "{job}");
                caught += 1;
            }
            other => panic!("{other}: {job}"),
        }
    }
    assert!(caught > 0, "the recount never saw it");
}

fn stored(app: &TestApp) -> u64 {
    app.rows("SELECT 1 FROM plays").len() as u64
}

#[test]
fn ends_that_api_and_export_state_apart_are_counted_by_their_distance() {
    let app = app_with_user();
    let rows: Vec<Value> = (0..4).map(|at| row(at * 1_000 + 10, 60_000, "a")).collect();
    import(&app, zipped(&[("endsong_0.json", &array(&rows[..1]))]));
    let track = app.rows("SELECT track_id FROM plays")[0].trim_matches(|letter: char| !letter.is_numeric()).to_owned();
    app.db.with(|db| {
        for (at, distance_ms) in [(1, 381), (2, 4_000), (3, 29_000)] {
            let ended_at = 1_609_459_200_000_i64 + (at * 1_000 + 10) * 1_000 + distance_ms;
            let sql = format!(
                "INSERT INTO plays (user_id, ended_at, track_id, ordinal, kind, api_offset_ms, flags) \
                 VALUES (1, {ended_at}, {track}, 0, 0, 0, 0)"
            );
            db.execute(&sql, []).unwrap();
        }
        db.execute("UPDATE users SET plays_version = plays_version + 1", []).unwrap();
    });
    let archive = zipped(&[("endsong_0.json", &array(&rows))]);
    let job = import(&app, archive.clone());
    assert_eq!((progress(&job, "merged"), progress(&job, "duplicate")), (3, 1), "{job}");
    let expected =
        json!({"up_to_1_s": 1, "up_to_2_s": 0, "up_to_5_s": 1, "up_to_10_s": 0, "up_to_30_s": 1, "at_start": 0});
    assert_eq!(job["end_distances"], expected);
    // Nothing is joined again, and so nothing is counted again.
    let job = import(&app, archive);
    assert_eq!(job["end_distances"]["up_to_1_s"], 0);
}
