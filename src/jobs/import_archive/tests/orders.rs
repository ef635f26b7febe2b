//! Cancelled, tried again, taken over, uploaded twice: wherever it happens, the same plays in the end.

use listenlog_workbench::generator::{FieldSet, write_extended};
use serde_json::{Value, json};

use super::{
    COUNTERS, PLAYS, app_with_user, app_with_vars, assert_adds_up, assert_same,
    hostile::{array, row, zipped},
    import, life, recover,
};
use crate::{
    domain::instant::{DAY_MS, MINUTE_MS},
    jobs::schedule,
    testing::{TestApp, sqlite::Failure},
};

/// Many slices out of few rows.
const SMALL_SLICES: &[(&str, &str)] = &[("IMPORT_SLICE_ROWS", "100")];

fn archive(seed: u64) -> Vec<u8> {
    write_extended(&life(seed), FieldSet::R4).unwrap()
}

fn order(app: &TestApp, id: i64, order: &str) -> (u16, Value) {
    let answer = app.admin("POST", &format!("/admin/import-jobs/{id}/{order}"), "");
    (answer.status.as_u16(), answer.json())
}

/// The figures of a finished import, its state aside.
fn figures(app: &TestApp) -> (Vec<String>, Vec<String>) {
    (app.rows(PLAYS), app.rows(COUNTERS))
}

#[test]
fn cancelled_at_any_slice_and_tried_again_it_ends_in_the_same_plays() {
    let archive = archive(41);
    let straight = app_with_vars(SMALL_SLICES);
    import(&straight, archive.clone());
    let expected = figures(&straight);
    let mut cursors = Vec::new();
    for calls in 2..40 {
        let app = app_with_vars(SMALL_SLICES);
        let id = app.upload(1, archive.clone());
        app.db.fail_after(calls, Failure::Intruder("UPDATE import_jobs SET cancel_requested = 1"));
        app.drain();
        app.db.heal();
        let job = app.import_job(id);
        if job["status"] == "cancelled" {
            assert_adds_up(&job);
            cursors.push(job["progress"]["rows_read"].as_u64().unwrap());
            assert_eq!(app.rows("SELECT 1 FROM plays").len() as u64, cursors[cursors.len() - 1]);
            assert!(job["progress"]["percent"].as_f64().unwrap() < 100.0 || job["progress"]["current_file"].is_null());
            assert_eq!(app.rows("SELECT status FROM job_runs"), app.rows("SELECT status FROM import_jobs"));
            assert_eq!(app.archives.keys().len(), 1, "kept for a retry");
            let (status, answer) = order(&app, id, "retry");
            assert_eq!((status, &answer["status"]), (202, &json!("pending")), "{answer}");
            app.drain();
        }
        assert_eq!(app.import_job(id)["status"], "success", "after {calls} calls");
        assert_same(&app.rows(PLAYS), &expected.0, &format!("cancelled after {calls} calls"));
        assert_same(&app.rows(COUNTERS), &expected.1, &format!("cancelled after {calls} calls"));
        assert!(app.archives.keys().is_empty());
    }
    cursors.dedup();
    assert!(cursors.len() > 5, "{cursors:?}");
}

#[test]
fn taken_over_by_another_worker_at_any_call_it_ends_in_the_same_plays() {
    let archive = archive(42);
    let straight = app_with_vars(SMALL_SLICES);
    import(&straight, archive.clone());
    let expected = figures(&straight);
    for calls in 1..40 {
        let app = app_with_vars(SMALL_SLICES);
        let id = app.upload(1, archive.clone());
        let stolen = "UPDATE import_jobs SET lease_token = 'other' WHERE lease_token IS NOT NULL";
        app.db.fail_after(calls, Failure::Intruder(stolen));
        recover(&app);
        assert_eq!(app.import_job(id)["status"], "success", "after {calls} calls");
        assert_same(&app.rows(PLAYS), &expected.0, &format!("taken over after {calls} calls"));
        assert_same(&app.rows(COUNTERS), &expected.1, &format!("taken over after {calls} calls"));
    }
}

#[test]
fn broken_at_any_call_of_many_slices_it_ends_in_the_same_plays() {
    let archive = archive(43);
    let straight = app_with_vars(SMALL_SLICES);
    import(&straight, archive.clone());
    let expected = figures(&straight);
    for failure in [
        Failure::BeforeWriting,
        Failure::AfterWriting,
        Failure::Says("D1_ERROR: D1 DB is overloaded. Requests queued for too long."),
    ] {
        for calls in 0..40 {
            let app = app_with_vars(SMALL_SLICES);
            let id = app.upload(1, archive.clone());
            app.db.fail_after(calls, failure);
            recover(&app);
            assert_eq!(app.import_job(id)["status"], "success", "{failure:?} after {calls} calls");
            assert_same(&app.rows(PLAYS), &expected.0, &format!("{failure:?} after {calls} calls"));
            assert_same(&app.rows(COUNTERS), &expected.1, &format!("{failure:?} after {calls} calls"));
        }
    }
}

#[test]
fn a_waiting_import_is_cancelled_at_once_and_its_message_does_nothing() {
    let app = app_with_user();
    let id = app.upload(1, archive(44));
    let (status, job) = order(&app, id, "cancel");
    assert_eq!((status, &job["status"]), (200, &json!("cancelled")), "{job}");
    app.drain();
    assert!(app.rows("SELECT * FROM plays").is_empty());
    assert_eq!(app.rows("SELECT action FROM audit WHERE action = 'import.cancel'").len(), 1);
}

#[test]
fn an_import_in_a_workers_hands_stops_at_its_next_slice() {
    let app = app_with_user();
    let id = app.upload(1, archive(45));
    app.db.with(|db| {
        let sql = "UPDATE import_jobs SET status = 'running', lease_token = 'w', lease_until = ?1";
        db.execute(sql, [app.app.now().plus_ms(MINUTE_MS).0]).unwrap()
    });
    let (status, job) = order(&app, id, "cancel");
    assert_eq!((status, &job["status"], &job["cancel_requested"]), (202, &json!("running"), &json!(true)), "{job}");
    // Its worker died: the next one finds the wish instead of the rows.
    recover(&app);
    assert_eq!(app.import_job(id)["status"], "cancelled");
    assert!(app.rows("SELECT * FROM plays").is_empty());
}

#[test]
fn orders_that_the_state_forbids_are_conflicts() {
    let app = app_with_user();
    let id = app.upload(1, archive(46));
    let refused = |order_name: &str, told: &str| {
        let (status, answer) = order(&app, id, order_name);
        assert_eq!(status, 409, "{answer}");
        assert!(answer["detail"].as_str().unwrap().contains(told), "{answer}");
    };
    refused("retry", "goes on by itself");
    app.drain();
    refused("cancel", "(success)");
    refused("retry", "?again=1");
    assert_eq!(order(&app, 99, "cancel").0, 404);
    assert_eq!(order(&app, 99, "retry").0, 404);
    let audit = "SELECT 1 FROM audit WHERE action IN ('import.cancel', 'import.retry')";
    assert!(app.rows(audit).is_empty(), "nothing was changed");
}

#[test]
fn an_import_that_was_given_up_can_be_tried_again_for_a_day() {
    let app = app_with_user();
    let id = app.upload(1, archive(47));
    for _ in 0..5 {
        app.db.fail_after(1, Failure::Says("D1_ERROR: something that is never right"));
        let message = serde_json::to_string(&app.queue.take().unwrap()).unwrap();
        futures_executor::block_on(crate::jobs::handle(&app.app, &message));
        futures_executor::block_on(app.app.queue.send(&serde_json::from_str(&message).unwrap())).unwrap();
    }
    app.db.heal();
    let job = app.import_job(id);
    assert_eq!(job["status"], "error", "{job}");
    assert!(!job["error_message"].as_str().unwrap().contains("never right"), "{job}");
    assert_eq!(order(&app, id, "retry").0, 202);
    app.drain();
    assert_eq!(app.import_job(id)["status"], "success");

    let other = app.upload(1, archive(48));
    order(&app, other, "cancel");
    let tidy = |at| futures_executor::block_on(schedule::tick(&app.app, schedule::TIDY, at));
    tidy(app.app.now().plus_ms(DAY_MS - 1));
    assert_eq!(app.archives.keys().len(), 1);
    tidy(app.app.now().plus_ms(DAY_MS));
    assert!(app.archives.keys().is_empty(), "it holds its owner's address");
    let (status, answer) = order(&app, other, "retry");
    assert_eq!(status, 409);
    assert!(answer["detail"].as_str().unwrap().contains("upload it again"), "{answer}");
}

fn upload(app: &TestApp, query: &str, bytes: Vec<u8>) -> (u16, Value) {
    let request = axum::http::Request::builder()
        .method("POST")
        .uri(format!("http://listenlog.example/admin/users/1/import{query}"))
        .header("authorization", format!("Bearer {}", crate::testing::test_app::ADMIN_TOKEN))
        .header("content-type", "application/zip");
    let answer = app.send(request.body(bytes.into()).unwrap());
    (answer.status.as_u16(), answer.json())
}

#[test]
fn the_same_archive_twice_is_one_import_unless_it_is_wanted_again() {
    let app = app_with_user();
    let bytes = archive(49);
    let (status, first) = upload(&app, "", bytes.clone());
    assert_eq!(status, 201);
    // While it waits or runs, whatever is asked.
    for query in ["", "?again=1"] {
        let (status, known) = upload(&app, query, bytes.clone());
        assert_eq!((status, &known["id"], &known["status"]), (200, &first["id"], &json!("pending")), "{known}");
        assert!(known["message"].as_str().unwrap().contains("being imported already"), "{known}");
    }
    app.drain();
    let (status, known) = upload(&app, "", bytes.clone());
    assert_eq!((status, &known["id"], &known["already_imported"]), (200, &first["id"], &json!(true)));
    assert!(known["message"].as_str().unwrap().contains("already imported"), "{known}");
    assert!(known["message"].as_str().unwrap().contains("?again=1"), "{known}");
    assert_eq!((app.archives.keys().len(), app.queue.len()), (0, 0));
    let (status, again) = upload(&app, "?again=1", bytes.clone());
    assert_eq!((status, &again["id"]), (201, &json!(2)));
    app.drain();

    // Another user's archive is another's, and the digest finds both.
    app.post("/admin/users", &json!({"display_name": "Bea"}));
    let digest = app.import_job(1)["archive_sha256"].as_str().unwrap().to_owned();
    assert_eq!(app.get(&format!("/admin/import-jobs?archive_sha256={digest}")).json()["total"], 2);
    assert_eq!(app.upload(2, bytes), 3);
}

#[test]
fn two_uploads_of_one_archive_at_the_same_moment_are_one_import() {
    let app = app_with_user();
    let bytes = archive(50);
    let other = "INSERT INTO import_jobs (id, user_id, status, file_size_bytes, archive_sha256, created_at, updated_at) \
                 SELECT 7, 1, 'pending', 5, (SELECT name FROM digests), 0, 0";
    let digest: String = {
        use sha2::{Digest, Sha256};
        crate::domain::hexadecimal::digits(&Sha256::digest(&bytes))
    };
    app.db.with(|db| db.execute_batch(&format!("CREATE TABLE digests AS SELECT '{digest}' AS name")).unwrap());
    // After it was looked for, before it is written.
    let mut met = 0;
    for calls in 0..6 {
        app.db.fail_after(calls, Failure::Intruder(other));
        let (status, answer) = upload(&app, "", bytes.clone());
        app.db.heal();
        if (status, &answer["id"]) == (200, &json!(7)) {
            met += 1;
        }
        app.queue.take();
        app.db.with(|db| {
            db.execute_batch("DELETE FROM import_jobs; DELETE FROM import_files; DELETE FROM job_runs").unwrap();
        });
    }
    assert!(met >= 2, "before the look, and between the look and the writing: {met}");
}

fn work_off_one(app: &TestApp) {
    let message = serde_json::to_string(&app.queue.take().unwrap()).unwrap();
    _ = futures_executor::block_on(crate::jobs::handle(&app.app, &message));
}

#[test]
fn an_import_whose_workers_all_die_is_given_up() {
    let app = app_with_user();
    let id = app.upload(1, archive(51));
    for _ in 0..12 {
        while app.queue.len() > 0 {
            app.db.fail_after(2, Failure::Gone);
            work_off_one(&app);
            app.db.heal();
        }
        app.clock.set(app.app.now().plus_ms(3 * MINUTE_MS));
        app.sweep();
    }
    let job = app.import_job(id);
    assert_eq!(job["status"], "error", "{job}");
    assert_eq!(order(&app, id, "retry").0, 202);
    recover(&app);
    assert_eq!(app.import_job(id)["status"], "success");
}

#[test]
fn full_runs_over_files_without_rows_are_progress() {
    let names: Vec<String> = (0..1_700).map(|number| format!("endsong_{number}.json")).collect();
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"[]".as_slice())).collect();
    let good = array(&[row(1, 60_000, "a")]);
    files.push(("endsong_last.json", &good));
    let app = app_with_user();
    let id = app.upload(1, zipped(&files));
    (0..7).for_each(|_| work_off_one(&app));
    // The first failure there is.
    app.db.fail_after(3, Failure::Says("D1_ERROR: something that is never right"));
    work_off_one(&app);
    recover(&app);
    assert_eq!(app.import_job(id)["status"], "success");
}
