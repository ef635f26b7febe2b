//! Slices through the front door: the same plays as an upload, taken once however often they are sent.

use listenlog_workbench::generator::{
    AccountLayout, ExportPlan, FieldSet, PERSONAL_VALUES, TruePlay, write_account, write_extended, write_mixed,
};
use serde_json::{Value, json};

use crate::{
    domain::instant::DAY_MS,
    export::Format,
    jobs::schedule,
    testing::{
        TestApp,
        row_sender::{RowSender, entries, rows_of, slice},
        sqlite::Failure,
    },
};

const PLAYS: &str = "SELECT ended_at, track_id, ordinal, kind, ms_played, extended_offset_ms, extended_elapsed_ms, \
    reason_start, reason_end, flags, account_offset_ms, account_ms_played, account_track_id FROM plays ORDER BY 1, 2, 3";
const CATALOGUE: &str = "SELECT t.*, a.position, a.artist_id FROM tracks t LEFT JOIN track_artists a ON a.track_id = t.id \
    ORDER BY t.id, a.position";

fn app_with_user() -> TestApp {
    let app = TestApp::new();
    assert_eq!(app.post("/admin/users", &json!({"display_name": "Ada"})).status, 201);
    app
}

fn life(seed: u64) -> Vec<TruePlay> {
    ExportPlan::small(seed).live()
}

fn extended(seed: u64) -> Vec<u8> {
    write_extended(&life(seed), FieldSet::R4).unwrap()
}

#[test]
fn rows_that_are_sent_come_to_the_same_as_an_upload() {
    let archives = [
        extended(31),
        write_account(&life(31), AccountLayout::New, i64::MIN..i64::MAX).unwrap(),
        write_mixed(&life(31), FieldSet::R4, AccountLayout::Old, i64::MIN..i64::MAX).unwrap(),
    ];
    for archive in archives {
        let uploaded = app_with_user();
        let id = uploaded.upload(1, archive.clone());
        uploaded.drain();
        for rows_at_once in [37, 5_000] {
            let app = app_with_user();
            let job = RowSender::open(&app, 1, &archive).send_all(&archive, rows_at_once);
            assert_eq!(job["status"], "success", "{job}");
            assert_eq!(app.rows(PLAYS), uploaded.rows(PLAYS));
            assert_eq!(app.rows(CATALOGUE), uploaded.rows(CATALOGUE));
            let expected = uploaded.import_job(id);
            for field in ["rows_read", "inserted", "merged", "duplicate", "skipped", "rejected", "format_detected"] {
                assert_eq!(job["progress"][field], expected["progress"][field], "{field}");
            }
        }
    }
}

#[test]
fn a_slice_that_comes_again_is_taken_once_and_one_out_of_turn_is_told_the_cursor() {
    let app = app_with_user();
    let archive = extended(32);
    let id = RowSender::open(&app, 1, &archive).id;
    let entry = &entries(&archive)[0];
    let (format, rows) = rows_of(&archive, entry);
    let path = format!("/admin/import-jobs/{id}/slices");
    let first = slice(entry, 0, format, &rows[..40]);
    assert_eq!(app.post(&path, &first).json()["rows_read"], 40);
    let again = app.post(&path, &first).json();
    assert_eq!((&again["rows_read"], &again["cursor"]), (&json!(0), &json!(40)));
    for from in [20, 41, 1_000] {
        let answer = app.post(&path, &slice(entry, from, format, &rows[40..80]));
        assert_eq!(answer.status, 409, "{from}");
        assert_eq!(answer.json()["cursor"], 40);
    }
    let stored = app.rows("SELECT count(*) FROM plays");
    assert_eq!(app.post(&path, &slice(entry, 40, format, &rows[40..80])).json()["cursor"], 80);
    assert_ne!(app.rows("SELECT count(*) FROM plays"), stored);
    // Opened again, it is the same import, and says where to go on.
    let mut sender = RowSender::open(&app, 1, &archive);
    assert_eq!(sender.id, id);
    let opened = sender.opened(1, &archive);
    let file = opened["files"].as_array().unwrap().iter().find(|file| file["index"] == entry.index).unwrap();
    assert_eq!((&file["cursor"], &file["is_settled"]), (&json!(80), &json!(false)));
}

#[test]
fn an_import_ends_only_when_every_file_is_at_its_end_and_takes_nothing_afterwards() {
    let app = app_with_user();
    let archive = extended(33);
    let mut sender = RowSender::open(&app, 1, &archive);
    let verify = format!("/admin/import-jobs/{}/verify", sender.id);
    assert_eq!(app.post(&verify, &Value::Null).status, 409);
    assert_eq!(sender.send_all(&archive, 500)["status"], "success");
    assert_eq!(app.post(&verify, &Value::Null).json()["status"], "success");
    let entry = &entries(&archive)[0];
    let (format, rows) = rows_of(&archive, entry);
    let late = app.post(&format!("/admin/import-jobs/{}/slices", sender.id), &slice(entry, 0, format, &rows[..5]));
    assert_eq!(late.status, 409);
    assert!(late.json()["detail"].as_str().unwrap().contains("over"));
    // The same archive once more is another import, which finds nothing new.
    let mut again = RowSender::open(&app, 1, &archive);
    assert_ne!(again.id, sender.id);
    let job = again.send_all(&archive, 500);
    assert_eq!((&job["status"], &job["progress"]["inserted"]), (&json!("success"), &json!(0)));
}

#[test]
fn an_archive_that_was_uploaded_takes_no_slices() {
    let app = app_with_user();
    let archive = extended(34);
    let id = app.upload(1, archive.clone());
    let entry = &entries(&archive)[0];
    let (format, rows) = rows_of(&archive, entry);
    let path = format!("/admin/import-jobs/{id}/slices");
    assert_eq!(app.post(&path, &slice(entry, 0, format, &rows[..5])).status, 409);
    assert_eq!(app.post(&format!("/admin/import-jobs/{id}/verify"), &Value::Null).status, 409);
}

#[test]
fn what_is_wrong_with_a_request_is_named() {
    let app = app_with_user();
    let archive = extended(35);
    let id = RowSender::open(&app, 1, &archive).id;
    let entry = &entries(&archive)[0];
    let (format, rows) = rows_of(&archive, entry);
    let path = format!("/admin/import-jobs/{id}/slices");
    let good = slice(entry, 0, format, &rows[..5]);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut body = good.clone();
        change(&mut body);
        app.post(&path, &body)
    };
    let refused = changed(&|body| body["slice"]["plays"][0][1] = json!(5));
    assert_eq!(refused.status, 422);
    assert!(refused.json()["errors"][0]["detail"].as_str().unwrap().starts_with("plays[0]: its end"));
    assert_eq!(changed(&|body| body["file"] = json!(999)).status, 422);
    assert_eq!(changed(&|body| body["slice"]["ip_addr"] = json!("x")).status, 422);
    assert_eq!(changed(&|body| body["from"] = json!(-1)).status, 422);
    assert_eq!(app.post("/admin/import-jobs/999/slices", &good).status, 404);
    assert_eq!(app.admin("POST", &path, vec![b' '; 5 * 1024 * 1024]).status, 413);
    assert_eq!(app.rows("SELECT * FROM plays"), Vec::<String>::new());
    let opening = json!({"filename": "a.zip", "file_size_bytes": 1, "archive_sha256": "x", "files": []});
    let errors = app.post("/admin/users/1/row-imports", &opening);
    assert_eq!((errors.status.as_u16(), errors.json()["errors"].as_array().unwrap().len()), (422, 2));
    assert_eq!(app.post("/admin/users/9/row-imports", &opening).status, 404);
}

#[test]
fn the_most_rows_of_an_import_hold_here_too() {
    let vars = [
        ("ADMIN_AUTH_MODE", "token"),
        ("ADMIN_TOKEN", crate::testing::test_app::ADMIN_TOKEN),
        ("IMPORT_MAX_RECORDS", "100"),
    ];
    let app = TestApp::with_vars(&vars);
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    let archive = extended(36);
    let id = RowSender::open(&app, 1, &archive).id;
    let entry = &entries(&archive)[0];
    let (format, rows) = rows_of(&archive, entry);
    let path = format!("/admin/import-jobs/{id}/slices");
    assert_eq!(app.post(&path, &slice(entry, 0, format, &rows[..60])).status, 200);
    let refused = app.post(&path, &slice(entry, 60, format, &rows[60..120]));
    assert_eq!(refused.status, 413);
    assert!(refused.json()["detail"].as_str().unwrap().contains("IMPORT_MAX_RECORDS"));
}

#[test]
fn the_rows_of_a_day_are_counted_here_too_and_when_they_are_used_up_it_says_when_to_go_on() {
    let vars = [
        ("ADMIN_AUTH_MODE", "token"),
        ("ADMIN_TOKEN", crate::testing::test_app::ADMIN_TOKEN),
        ("IMPORT_SLICE_ROWS", "100"),
        ("IMPORT_ROWS_PER_DAY", "500"),
    ];
    let app = TestApp::with_vars(&vars);
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    let archive = extended(41);
    let id = RowSender::open(&app, 1, &archive).id;
    let entry = &entries(&archive)[0];
    let (format, rows) = rows_of(&archive, entry);
    let path = format!("/admin/import-jobs/{id}/slices");
    let send = |at: usize| app.post(&path, &slice(entry, at as u64, format, &rows[at..at + 50]));
    let told = || app.rows("SELECT rows_written FROM import_jobs")[0].clone();
    let before = app.app.db.usage().rows_written;
    assert_eq!(send(0).status, 200);
    // The row that keeps this figure and the request's log row come on top.
    assert_eq!(told(), format!("Integer({})", app.app.db.usage().rows_written - before - 2));
    let mut at = 50;
    let refused = loop {
        let answer = send(at);
        if answer.status != 200 {
            break answer;
        }
        at += 50;
    };
    assert!(app.app.db.usage().rows_written - before <= 520, "{at}");
    assert_eq!(refused.status, 503);
    assert!(refused.json()["detail"].as_str().unwrap().contains("IMPORT_ROWS_PER_DAY"));
    let wait: i64 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    app.clock.set(app.app.now().plus_ms((wait - 120) * 1_000));
    assert_eq!(send(at).status, 503);
    app.clock.set(app.app.now().plus_ms(120_000));
    assert_eq!(send(at).status, 200);
}

#[test]
fn refused_rows_are_kept_with_their_numbers() {
    let app = app_with_user();
    let archive = extended(37);
    let id = RowSender::open(&app, 1, &archive).id;
    let entry = &entries(&archive)[0];
    let body = json!({"file": entry.index, "from": 0, "bytes_read": 9, "end": null, "slice": {"format": Format::Extended.name(),
        "tracks": [], "words": [], "plays": [], "left_out": [[0, "no_track", null], [1, "time_missing", "{\"ts\":null}"]]}});
    let taken = app.post(&format!("/admin/import-jobs/{id}/slices"), &body).json();
    assert_eq!((&taken["skipped"], &taken["rejected"], &taken["cursor"]), (&json!(1), &json!(1), &json!(2)));
    assert_eq!(app.rows("SELECT row_index FROM import_rejects"), ["Integer(1)"]);
}

#[test]
fn the_sweep_leaves_such_an_import_alone_and_a_week_of_silence_ends_it() {
    let app = app_with_user();
    let archive = extended(38);
    let id = RowSender::open(&app, 1, &archive).id;
    app.clock.set(app.app.now().plus_ms(DAY_MS));
    app.sweep();
    assert_eq!((app.drain(), app.import_job(id)["status"].clone()), (0, json!("running")));
    app.clock.set(app.app.now().plus_ms(7 * DAY_MS));
    futures_executor::block_on(schedule::tick(&app.app, schedule::TIDY, app.app.now()));
    let job = app.import_job(id);
    assert_eq!(job["status"], "partial");
    assert!(job["error_message"].as_str().unwrap().contains("import the archive again"), "{job}");
}

#[test]
fn a_cancelled_import_takes_nothing_more() {
    let app = app_with_user();
    let archive = extended(39);
    let id = RowSender::open(&app, 1, &archive).id;
    assert!(app.post(&format!("/admin/import-jobs/{id}/cancel"), &Value::Null).status.is_success());
    let entry = &entries(&archive)[0];
    let (format, rows) = rows_of(&archive, entry);
    assert_eq!(app.post(&format!("/admin/import-jobs/{id}/slices"), &slice(entry, 0, format, &rows[..5])).status, 409);
    assert_eq!(app.import_job(id)["status"], "cancelled");
}

#[test]
fn personal_values_are_not_even_sent() {
    for fields in FieldSet::ALL {
        let archive = write_extended(&life(40), fields).unwrap();
        for entry in entries(&archive) {
            let (format, rows) = rows_of(&archive, &entry);
            let text = slice(&entry, 0, format, &rows).to_string();
            for personal in PERSONAL_VALUES {
                assert!(!text.contains(personal), "{personal}");
            }
        }
    }
}

#[test]
fn a_slice_that_comes_during_the_recount_is_not_passed_over_in_silence() {
    let archive = extended(40);
    // All calls up to the last, which ends the import.
    for calls in 0..4 {
        let app = app_with_user();
        let mut sender = RowSender::open(&app, 1, &archive);
        sender.send_rows(&archive, 5_000);
        let slice = "UPDATE import_files SET status = 'running', rows_read = rows_read + 1, duplicate = duplicate + 1";
        app.db.fail_after(calls, Failure::Intruder(slice));
        app.post(&format!("/admin/import-jobs/{}/verify", sender.id), &Value::Null);
        let status = app.rows("SELECT 1 FROM import_jobs WHERE status = 'success'");
        assert!(status.is_empty(), "after {calls} calls");
    }
}
