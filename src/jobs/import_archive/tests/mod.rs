//! Whole imports through the front door: generated archives in, stored plays out, with faults in between.

mod accounting;
mod hostile;
mod limits;
mod orders;

use listenlog_workbench::generator::{
    AccountLayout, ExportPlan, FieldSet, PERSONAL_VALUES, TruePlay, last_twelve_months, seen_by_account,
    seen_by_extended, write_account, write_endsong, write_extended, write_mixed,
};
use serde_json::{Value, json};

use self::hostile::{array, row, zipped};
use crate::{
    domain::instant::MINUTE_MS,
    testing::{TestApp, sqlite::Failure},
};

/// Plays as they are stored, but for the ids of the files that brought them.
const PLAYS: &str = "SELECT user_id, ended_at, track_id, ordinal, kind, ms_played, extended_offset_ms, \
    extended_elapsed_ms, reason_start, reason_end, flags, account_offset_ms, account_ms_played, account_track_id, \
    api_offset_ms, api_track_id, context_uri FROM plays ORDER BY 1, 2, 3, 4";
const TRACKS: &str = "SELECT * FROM tracks ORDER BY id";
const ARTISTS: &str = "SELECT * FROM artists ORDER BY id";

fn app_with_user() -> TestApp {
    app_with_vars(&[])
}

fn app_with_vars(vars: &[(&str, &str)]) -> TestApp {
    let admin = [("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", crate::testing::test_app::ADMIN_TOKEN)];
    let app = TestApp::with_vars(&[&admin, vars].concat());
    assert_eq!(app.post("/admin/users", &json!({"display_name": "Ada"})).status, 201);
    app
}

fn import(app: &TestApp, archive: Vec<u8>) -> Value {
    let id = app.upload(1, archive);
    app.drain();
    app.import_job(id)
}

/// Plays with all the oddities, and enough of them for several slices when `slices` is true.
fn life(seed: u64) -> Vec<TruePlay> {
    ExportPlan::small(seed).live()
}

fn progress(job: &Value, field: &str) -> u64 {
    job["progress"][field].as_u64().unwrap_or_else(|| panic!("{field} in {job}"))
}

fn assert_adds_up(job: &Value) {
    for part in std::iter::once(&job["progress"]).chain(job["progress"]["files"].as_array().unwrap()) {
        let sum: u64 = ["inserted", "merged", "duplicate", "skipped", "rejected"]
            .iter()
            .map(|field| part[*field].as_u64().unwrap())
            .sum();
        assert_eq!(part["rows_read"].as_u64().unwrap(), sum, "{part}");
    }
}

/// Compares rows one by one, since a whole history in a message helps nobody.
fn assert_same(left: &[String], right: &[String], what: &str) {
    for (left, right) in left.iter().zip(right) {
        assert_eq!(left, right, "{what}");
    }
    assert_eq!(left.len(), right.len(), "{what}");
}

#[test]
fn every_row_of_an_export_is_accounted_for_and_the_archive_is_gone_afterwards() {
    for fields in FieldSet::ALL {
        let app = app_with_user();
        let plays = life(7);
        let seen = seen_by_extended(&plays, fields);
        let job = import(&app, write_extended(&plays, fields).unwrap());
        assert_eq!(job["status"], "success", "{job}");
        assert_eq!(job["progress"]["format_detected"], "extended");
        assert_eq!(progress(&job, "rows_read"), seen.len() as u64);
        assert_eq!(progress(&job, "inserted"), seen.len() as u64, "{fields:?}");
        assert_eq!(job["progress"]["percent"], 100.0);
        assert_adds_up(&job);
        assert_eq!(app.rows("SELECT count(*) FROM plays"), [format!("Integer({})", seen.len())]);
        assert_eq!(app.get("/admin/users/1").json()["total_plays"], seen.len());
        assert!(app.archives.keys().is_empty());
        assert_eq!(app.rows("SELECT status, fetched, inserted FROM job_runs").len(), 1);
    }
}

#[test]
fn the_same_archive_again_adds_nothing_and_says_so() {
    let app = app_with_user();
    let plays = life(8);
    let archive = write_extended(&plays, FieldSet::R4).unwrap();
    import(&app, archive.clone());
    let before = app.rows("SELECT * FROM plays");
    let version = app.rows("SELECT plays_version FROM users");
    let again = import(&app, archive);
    assert_eq!((progress(&again, "inserted"), progress(&again, "merged")), (0, 0));
    assert!(again["message"].as_str().unwrap().contains("Nothing new"), "{again}");
    assert_adds_up(&again);
    assert_eq!(app.rows("SELECT * FROM plays"), before);
    assert_eq!(app.rows("SELECT plays_version FROM users"), version);
}

#[test]
fn older_and_newer_exports_of_one_life_are_the_same_plays() {
    let plays = life(9);
    let app = app_with_user();
    import(&app, write_endsong(&plays).unwrap());
    let before = app.rows(PLAYS);
    let job = import(&app, write_extended(&plays, FieldSet::R3).unwrap());
    assert_eq!(progress(&job, "inserted"), 0, "{job}");
    assert_same(&app.rows(PLAYS), &before, "PLAYS");
}

#[test]
fn extended_and_account_data_give_the_same_plays_in_either_order_and_mixed() {
    for layout in [AccountLayout::Old, AccountLayout::New] {
        let plays = life(10);
        let year = last_twelve_months(&plays);
        let extended = write_extended(&plays, FieldSet::R4).unwrap();
        let account = write_account(&plays, layout, year.clone()).unwrap();
        let app = app_with_user();
        import(&app, extended.clone());
        let job = import(&app, account.clone());
        assert_adds_up(&job);
        assert!(progress(&job, "merged") > 100, "{job}");
        // Account data tells of nothing that the extended history does not have, names withheld or not.
        assert!(plays.iter().any(|play| play.names_withheld && year.contains(&play.reported_at_ms)));
        let seen = seen_by_extended(&plays, FieldSet::R4).len();
        assert_eq!((progress(&job, "inserted"), app.rows(PLAYS).len()), (0, seen), "{job}");
        let (expected, tracks, artists) = (app.rows(PLAYS), app.rows(TRACKS), app.rows(ARTISTS));
        let mixed = write_mixed(&plays, FieldSet::R4, layout, year).unwrap();
        for archives in [vec![account, extended], vec![mixed]] {
            let app = app_with_user();
            for archive in archives {
                let job = import(&app, archive);
                assert_eq!(job["status"], "success", "{job}");
                assert_adds_up(&job);
            }
            assert_same(&app.rows(PLAYS), &expected, "PLAYS");
            assert_same(&app.rows(TRACKS), &tracks, "TRACKS");
            assert_same(&app.rows(ARTISTS), &artists, "ARTISTS");
        }
    }
}

#[test]
fn account_data_alone_is_taken_row_by_row() {
    let app = app_with_user();
    let plays = life(11);
    let seen = seen_by_account(&plays, AccountLayout::New);
    let job = import(&app, write_account(&plays, AccountLayout::New, i64::MIN..i64::MAX).unwrap());
    assert_eq!(job["status"], "success", "{job}");
    assert_eq!(job["progress"]["format_detected"], "account_data");
    assert_eq!(progress(&job, "inserted"), seen.len() as u64);
}

/// At every database call of an import, in turn, the connection breaks: before the call did anything, or after it did.
#[test]
fn wherever_the_database_breaks_the_import_ends_in_the_same_plays() {
    let plays = life(12);
    let extended = write_extended(&plays, FieldSet::R4).unwrap();
    let account = write_account(&plays, AccountLayout::New, last_twelve_months(&plays)).unwrap();
    let straight = app_with_user();
    import(&straight, extended.clone());
    import(&straight, account.clone());
    let (expected, counters) = (straight.rows(PLAYS), straight.rows(COUNTERS));
    for failure in [Failure::BeforeWriting, Failure::AfterWriting] {
        for calls in 0..40 {
            let app = app_with_user();
            for archive in [&extended, &account] {
                app.upload(1, archive.clone());
                app.db.fail_after(calls, failure);
                recover(&app);
                app.db.heal();
            }
            assert_same(&app.rows(PLAYS), &expected, &format!("{failure:?} after {calls}"));
            assert_same(&app.rows(COUNTERS), &counters, &format!("{failure:?} after {calls}"));
        }
    }
}

const COUNTERS: &str = "SELECT j.status, f.name, f.status, f.rows_read, f.inserted, f.merged, f.duplicate, f.skipped, \
    f.rejected, f.reasons FROM import_files f JOIN import_jobs j ON j.id = f.import_job_id ORDER BY f.id";

/// Works the queue off, then lets minutes pass until the sweep finds nothing more to do.
fn recover(app: &TestApp) {
    app.drain();
    for _ in 0..12 {
        app.clock.set(app.app.now().plus_ms(3 * MINUTE_MS));
        app.sweep();
        app.drain();
    }
}

/// A worker that is killed leaves its lease behind, and the message is lost with it.
#[test]
fn a_killed_import_is_taken_over_by_the_sweep() {
    let app = app_with_user();
    let plays = life(13);
    let id = app.upload(1, write_extended(&plays, FieldSet::R4).unwrap());
    app.queue.take();
    app.db.with(|db| {
        let sql = "UPDATE import_jobs SET status = 'running', lease_token = 'dead', lease_until = ?1";
        db.execute(sql, [crate::testing::test_app::NOW.plus_ms(2 * MINUTE_MS).0]).unwrap()
    });
    app.sweep();
    assert_eq!(app.queue.len(), 0, "the lease still runs");
    recover(&app);
    assert_eq!(app.import_job(id)["status"], "success");
}

#[test]
fn a_doubled_message_does_nothing() {
    let app = app_with_user();
    let id = app.upload(1, write_extended(&life(14), FieldSet::R4).unwrap());
    let message = app.queue.take().unwrap();
    for _ in 0..3 {
        futures_executor::block_on(app.app.queue.send(&message)).unwrap();
    }
    assert_eq!(app.drain(), 3);
    assert_eq!(app.import_job(id)["status"], "success");
    assert_eq!(app.rows("SELECT attempts FROM job_runs"), ["Integer(1)"]);
}

#[test]
fn another_writer_of_the_same_plays_only_costs_a_second_look() {
    let plays = life(15);
    let archive = write_extended(&plays, FieldSet::R4).unwrap();
    let straight = app_with_user();
    import(&straight, archive.clone());
    for calls in 0..8 {
        let app = app_with_user();
        let id = app.upload(1, archive.clone());
        app.db.fail_after(calls, Failure::Intruder("UPDATE users SET plays_version = plays_version + 1"));
        app.drain();
        assert_eq!(app.import_job(id)["status"], "success");
        assert_same(&app.rows(PLAYS), &straight.rows(PLAYS), "PLAYS");
    }
}

#[test]
fn an_import_that_was_given_to_another_worker_stops_writing() {
    let app = app_with_user();
    let id = app.upload(1, write_extended(&life(16), FieldSet::R4).unwrap());
    app.db.fail_after(2, Failure::Intruder("UPDATE import_jobs SET lease_token = 'other'"));
    app.drain();
    assert_eq!(app.import_job(id)["status"], "running");
    assert_eq!(app.rows("SELECT * FROM plays"), Vec::<String>::new());
    recover(&app);
    assert_eq!(app.import_job(id)["status"], "success");
}

#[test]
fn personal_values_reach_no_table() {
    let app = app_with_user();
    for fields in FieldSet::ALL {
        import(&app, write_extended(&life(17), fields).unwrap());
    }
    import(&app, write_account(&life(17), AccountLayout::New, i64::MIN..i64::MAX).unwrap());
    let mut searched = 0;
    for table in app.rows("SELECT name FROM sqlite_master WHERE type = 'table'") {
        let name = table.trim_start_matches("Text([").trim_end_matches("])");
        let name: String = name.split(", ").map(|byte| char::from(byte.parse::<u8>().unwrap())).collect();
        let texts = app.db.with(|db| {
            let mut statement = db.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                Ok((0..columns).map(|at| row.get::<_, rusqlite::types::Value>(at).unwrap()).collect::<Vec<_>>())
            });
            rows.unwrap().flat_map(Result::unwrap).collect::<Vec<_>>()
        });
        for text in texts {
            if let rusqlite::types::Value::Text(text) = text {
                searched += 1;
                for personal in PERSONAL_VALUES {
                    assert!(!text.contains(personal), "{personal} in {name}");
                }
            }
        }
    }
    assert!(searched > 1_000, "{searched}");
}

#[test]
fn reaching_the_most_rows_is_partial_and_says_why() {
    let app = app_with_vars(&[("IMPORT_MAX_RECORDS", "100")]);
    let job = import(&app, write_extended(&life(18), FieldSet::R4).unwrap());
    assert_eq!(job["status"], "partial", "{job}");
    assert_eq!(progress(&job, "rows_read"), 100);
    assert!(job["error_message"].as_str().unwrap().contains("IMPORT_MAX_RECORDS"), "{job}");
    assert_adds_up(&job);
}

#[test]
fn names_that_come_with_known_plays_are_a_new_version() {
    let app = app_with_user();
    let by = |artist: &str| {
        let mut row = row(1, 60_000, "a");
        row["master_metadata_album_artist_name"] = json!(artist);
        zipped(&[("endsong_0.json", &array(&[row]))])
    };
    let artist = || {
        let answer = app.post("/tools/history.top_artists", &json!({"days": 3650})).json();
        answer["items"][0]["artist_name"].clone()
    };
    import(&app, by("Tool"));
    assert_eq!(artist(), "Tool");
    // Of two spellings the smaller is kept.
    let job = import(&app, by("TOOL"));
    assert_eq!(progress(&job, "duplicate"), 1);
    assert_eq!(artist(), "TOOL", "what was remembered of it is over");
    let version = app.rows("SELECT plays_version FROM users");
    import(&app, by("Tool"));
    assert_eq!(app.rows("SELECT plays_version FROM users"), version);
}

#[test]
fn a_row_that_goes_over_to_another_play_keeps_its_kind() {
    let told = |ms_played: i64| json!({"endTime": "2021-01-01 00:00", "artistName": "Somebody", "trackName": "a", "msPlayed": ms_played});
    let account = |rows: &[Value]| zipped(&[("StreamingHistory_music_0.json", &array(rows))]);
    let video = zipped(&[("Streaming_History_Video_2021.json", &array(&[row(5, 60_000, "a")]))]);
    let straight = app_with_user();
    for archive in [video.clone(), account(&[told(30_000), told(60_000)])] {
        import(&straight, archive);
    }
    let cut = app_with_user();
    // Its minute is that of the video, until a row comes that has its length, too.
    for archive in [account(&[told(30_000)]), video, account(&[told(60_000)])] {
        import(&cut, archive);
    }
    assert_same(&cut.rows(PLAYS), &straight.rows(PLAYS), "PLAYS");
}
