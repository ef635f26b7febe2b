//! The platform's limits, met on purpose.

use listenlog_workbench::generator::{FieldSet, write_extended};
use serde_json::json;

use super::{
    COUNTERS, PLAYS, app_with_vars, assert_same,
    hostile::{array, row, zipped},
    import, life, progress, recover,
};
use crate::{
    domain::instant::{DAY_MS, MINUTE_MS, Millis},
    jobs::message::JobMessage,
    testing::{TestApp, sqlite::Failure, test_app::NOW},
};

/// What each run of imports took, by its own log row.
fn of_runs(app: &TestApp, field: &str) -> Vec<i64> {
    let sql = format!("SELECT fields->>'{field}' FROM logs WHERE message = 'An import run ended' ORDER BY id");
    app.db.with(|db| {
        let mut statement = db.prepare(&sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    })
}

#[test]
fn on_the_free_plan_no_run_takes_more_queries_than_an_invocation_has() {
    let plays = listenlog_workbench::generator::ExportPlan {
        plays: 9_000,
        ..listenlog_workbench::generator::ExportPlan::demo()
    };
    let archive = write_extended(&plays.live(), FieldSet::R4).unwrap();
    let straight = app_with_vars(&[]);
    import(&straight, archive.clone());
    let app = app_with_vars(&[("CLOUDFLARE_PLAN", "free")]);
    let job = import(&app, archive);
    assert_eq!(job["status"], "success", "{job}");
    let queries = of_runs(&app, "queries");
    assert!(queries.len() > 3 && queries.iter().all(|queries| *queries <= 50), "{queries:?}");
    assert_same(&app.rows(PLAYS), &straight.rows(PLAYS), "PLAYS");
}

#[test]
fn ten_thousand_files_without_rows_do_not_run_in_one_invocation() {
    let names: Vec<String> = (0..9_999).map(|number| format!("endsong_{number}.json")).collect();
    let good = array(&[row(1, 60_000, "a")]);
    let mut files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"[]".as_slice())).collect();
    files.push(("endsong_last.json", &good));
    let app = app_with_vars(&[]);
    let job = import(&app, zipped(&files));
    assert_eq!((&job["status"], progress(&job, "inserted")), (&json!("success"), 1));
    let queries = of_runs(&app, "queries");
    assert!(queries.len() >= 50 && queries.iter().all(|queries| *queries <= 1_000), "{queries:?}");
    files.push(("endsong_one_too_many.json", b"[]"));
    let refused = app.admin("POST", "/admin/users/1/import", zipped(&files));
    assert_eq!(refused.status, 422);
}

#[test]
fn when_the_days_rows_are_used_up_it_pauses_until_midnight_and_goes_on_by_itself() {
    let archive = write_extended(&life(61), FieldSet::R4).unwrap();
    let straight = app_with_vars(&[]);
    import(&straight, archive.clone());
    let app = app_with_vars(&[("IMPORT_SLICE_ROWS", "100"), ("IMPORT_ROWS_PER_DAY", "500")]);
    let id = app.upload(1, archive);
    app.drain();
    let midnight = Millis((NOW.0 / DAY_MS + 1) * DAY_MS);
    let mut days = 0;
    while app.import_job(id)["status"] == "running" {
        let job = app.import_job(id);
        let until = job["paused_until"].as_str().unwrap_or_else(|| panic!("{job}"));
        assert_eq!(until, Millis(midnight.0 + days * DAY_MS + MINUTE_MS).to_rfc3339());
        assert!(job["pause_reason"].as_str().unwrap().contains("IMPORT_ROWS_PER_DAY"), "{job}");
        assert!(job["message"].as_str().unwrap().contains("goes on by itself"), "{job}");
        // Neither the sweep nor a message moves it before its time.
        app.clock.set(Millis(midnight.0 + days * DAY_MS - 1));
        app.sweep();
        futures_executor::block_on(
            app.app.queue.send(&JobMessage::ImportArchive { import_job_id: crate::domain::ids::ImportJobId(id) }),
        )
        .unwrap();
        app.drain();
        assert_eq!(app.import_job(id)["progress"]["rows_read"], job["progress"]["rows_read"]);
        days += 1;
        app.clock.set(Millis(midnight.0 + (days - 1) * DAY_MS + 2 * MINUTE_MS));
        app.sweep();
        app.drain();
        assert!(days < 20, "{job}");
    }
    assert!(days >= 2, "{days}");
    assert_eq!(app.import_job(id)["status"], "success");
    assert_same(&app.rows(PLAYS), &straight.rows(PLAYS), "PLAYS");
    assert_same(&app.rows(COUNTERS), &straight.rows(COUNTERS), "COUNTERS");
}

#[test]
fn when_the_database_says_that_the_day_is_full_it_pauses_too() {
    let app = app_with_vars(&[]);
    let id = app.upload(1, write_extended(&life(62), FieldSet::R4).unwrap());
    let full = "D1_ERROR: Your account has exceeded D1's free tier daily row write limit.";
    app.db.fail_after(2, Failure::Says(full));
    app.drain();
    let job = app.import_job(id);
    assert!(job["pause_reason"].as_str().unwrap().contains("limit of its plan"), "{job}");
    assert_eq!(app.rows("SELECT attempts FROM import_jobs"), ["Integer(0)"], "waiting is no failure");
    app.clock.set(NOW.plus_ms(DAY_MS));
    app.sweep();
    app.drain();
    assert_eq!(app.import_job(id)["status"], "success");
}

#[test]
fn a_message_is_small_whatever_it_is_about() {
    let message = JobMessage::ImportArchive { import_job_id: crate::domain::ids::ImportJobId(i64::MAX) };
    assert!(serde_json::to_string(&message).unwrap().len() < 128);
}

#[test]
fn however_many_runs_a_day_has_no_more_rows_are_written_than_it_may_have() {
    let rows: Vec<serde_json::Value> = (0..2_800).map(|at| row(at * 30, 30_000, &format!("t{}", at % 50))).collect();
    let app =
        app_with_vars(&[("CLOUDFLARE_PLAN", "free"), ("IMPORT_SLICE_ROWS", "100"), ("IMPORT_ROWS_PER_DAY", "2000")]);
    let id = app.upload(1, zipped(&[("endsong_0.json", &array(&rows))]));
    let before = app.app.db.usage().rows_written;
    app.drain();
    assert!(app.import_job(id)["paused_until"].is_string(), "{}", app.import_job(id));
    let written = app.app.db.usage().rows_written - before;
    assert!(of_runs(&app, "queries").len() > 3 && (1_600..=2_000).contains(&written), "{written}");
}

#[test]
fn rows_of_no_use_are_too_many_wherever_a_worker_dies() {
    let useless = json!({"ts": "2021-01-01T00:00:00Z", "ms_played": 1});
    let rows: Vec<_> = std::iter::once(row(1, 60_000, "a")).chain(vec![useless; 60_000]).collect();
    let archive = zipped(&[("endsong_0.json", &array(&rows))]);
    let straight = app_with_vars(&[]);
    assert_eq!(import(&straight, archive.clone())["status"], "partial");
    let app = app_with_vars(&[]);
    app.upload(1, archive);
    app.db.fail_after(8, Failure::Gone);
    let message = serde_json::to_string(&app.queue.take().unwrap()).unwrap();
    _ = futures_executor::block_on(crate::jobs::handle(&app.app, &message));
    app.db.heal();
    let read = app.rows("SELECT rows_read FROM import_files WHERE rows_read BETWEEN 1 AND 45000");
    assert_eq!(read.len(), 1, "killed half way");
    recover(&app);
    assert_same(&app.rows(COUNTERS), &straight.rows(COUNTERS), "COUNTERS");
}
