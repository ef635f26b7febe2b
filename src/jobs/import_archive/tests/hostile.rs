//! Odd and hostile uploads, whole: a single bad thing costs itself, never its file; a bad file never its archive.

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{app_with_user, app_with_vars, assert_adds_up, import, progress};
use crate::testing::TestApp;

pub fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    zipped_by(files, CompressionMethod::Deflated)
}

fn zipped_by(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A row of extended history, `second` seconds after the first of 2021.
pub fn row(second: u32, ms_played: i64, track: &str) -> Value {
    let (hour, minute, second) = (second / 3_600 % 24, second / 60 % 60, second % 60);
    json!({
        "ts": format!("2021-01-01T{hour:02}:{minute:02}:{second:02}Z"), "ms_played": ms_played,
        "master_metadata_track_name": track, "master_metadata_album_artist_name": "Somebody",
        "master_metadata_album_album_name": "Album", "spotify_track_uri": format!("spotify:track:{track}"),
        "offline": false, "incognito_mode": false,
    })
}

fn account_row(minute: u32, ms_played: i64, track: &str) -> Value {
    json!({"endTime": format!("2021-01-01 {:02}:{:02}", minute / 60, minute % 60), "artistName": "Somebody",
           "trackName": track, "msPlayed": ms_played})
}

pub fn array(rows: &[Value]) -> Vec<u8> {
    Value::from(rows.to_vec()).to_string().into_bytes()
}

fn with(mut row: Value, field: &str, value: Value) -> Value {
    row[field] = value;
    row
}

/// Imports one file of extended history and tells how many plays are stored, and the job.
fn import_rows(rows: &[Value]) -> (TestApp, Value) {
    let app = app_with_user();
    let job = import(&app, zipped(&[("MyData/endsong_0.json", &array(rows))]));
    assert_adds_up(&job);
    (app, job)
}

fn stored(app: &TestApp) -> usize {
    app.rows("SELECT 1 FROM plays").len()
}

fn file<'a>(job: &'a Value, name: &str) -> &'a Value {
    let files = job["progress"]["files"].as_array().unwrap();
    files.iter().find(|file| file["name"] == name).unwrap_or_else(|| panic!("{name} in {job}"))
}

#[test]
fn a_bad_file_never_costs_its_archive() {
    let good = array(&[row(1, 60_000, "a"), row(500, 60_000, "b")]);
    let cut_off = &good[..good.len() - 30];
    let bomb = vec![b' '; 30 * 1024 * 1024];
    let endless = format!("[{}{}]", row(7, 1_000, "c"), ",0".repeat(60_000));
    let giant = format!("[{},{{\"ts\":\"{}\"}}]", row(9, 60_000, "d"), "x".repeat(1_200_000));
    let mut bytes = zipped_by(
        &[
            ("endsong_0.json", &good),
            ("encrypted/endsong_1.json", &good),
            ("method/endsong_2.json", &good),
            ("crc/endsong_3.json", &array(&[row(1_000, 60_000, "e")])),
            ("cut/endsong_4.json", cut_off),
            ("giant/endsong_5.json", giant.as_bytes()),
            ("useless/endsong_6.json", endless.as_bytes()),
            ("lists/endsong_7.json", br#"{"playlists": [1, 2, 3]}"#),
            ("noise/endsong_8.json", b"\x00\x01\x02 no json at all"),
        ],
        CompressionMethod::Stored,
    );
    let headers: Vec<usize> = (0..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == b"PK\x01\x02").collect();
    bytes[headers[1] + 8] |= 1;
    bytes[headers[2] + 10] = 12;
    bytes[headers[3] + 16] ^= 1;
    let app = app_with_user();
    let job = import(&app, bytes);
    assert_eq!(job["status"], "partial", "{job}");
    assert_adds_up(&job);
    for (name, status, told) in [
        ("endsong_0.json", "done", ""),
        ("encrypted/endsong_1.json", "unreadable", "encrypted"),
        ("method/endsong_2.json", "unreadable", "other than deflate"),
        ("crc/endsong_3.json", "incomplete", "checksum"),
        ("cut/endsong_4.json", "incomplete", "cut off"),
        ("giant/endsong_5.json", "incomplete", "longer than a megabyte"),
        ("useless/endsong_6.json", "incomplete", "Too many rows"),
    ] {
        let found = file(&job, name);
        assert_eq!(found["status"], status, "{found}");
        assert!(found["note"].as_str().unwrap_or_default().contains(told), "{found}");
        assert!(job["error_message"].as_str().unwrap().contains(name) || told.is_empty(), "{job}");
    }
    for name in ["lists/endsong_7.json", "noise/endsong_8.json"] {
        assert!(job["error_message"].as_str().unwrap().contains(&format!("{name}: The file is named like")), "{job}");
    }
    // a and b (told twice: whole, and before the cut), c, d, e.
    assert_eq!(stored(&app), 5, "{job}");

    let mixed = zipped(&[("bomb.json", &bomb), ("endsong_0.json", &good)]);
    let job = import(&app, mixed);
    assert_eq!(job["status"], "partial", "{job}");
    assert!(file(&job, "bomb.json")["note"].as_str().unwrap().contains("inflates to far more"), "{job}");
    assert_eq!(progress(&job, "duplicate"), 2);
}

#[test]
fn one_bad_row_costs_itself() {
    let good = [row(1, 60_000, "a"), row(500, 60_000, "b")];
    let json = format!(
        "\u{feff}[null, 7, \"text\", [{}], {}, {{bad}}, {{\"ts\":\"soon\",\"ms_played\":1}}, {}, {{}}]",
        good[0], good[0], good[1]
    );
    let app = app_with_user();
    let job = import(&app, zipped(&[("endsong_0.json", json.as_bytes())]));
    assert_eq!((&job["status"], progress(&job, "inserted"), progress(&job, "rejected")), (&json!("success"), 2, 7));
    assert_eq!(
        job["progress"]["rejected_by_reason"],
        json!({"not_an_object": 4, "unreadable": 1, "time_unreadable": 1, "time_missing": 1})
    );
    assert_adds_up(&job);
}

#[test]
fn lines_arrays_in_a_row_and_a_single_object_are_read_like_an_array() {
    let (a, b) = (row(1, 60_000, "a"), row(500, 60_000, "b"));
    for json in [format!("{a}\n{b}\n"), format!("[{a}]\n[{b}]"), format!("{a}{b}")] {
        let app = app_with_user();
        let job = import(&app, zipped(&[("endsong_0.json", json.as_bytes())]));
        assert_eq!((&job["status"], stored(&app)), (&json!("success"), 2), "{json}");
    }
    let app = app_with_user();
    import(&app, zipped(&[("endsong_0.json", a.to_string().as_bytes())]));
    assert_eq!(stored(&app), 1);
}

#[test]
fn lengths_of_any_type_are_read_or_refused() {
    let odd = [json!("61000"), json!(60_999.6), json!(null), json!(54_000_000), json!(-1), json!(1e300), json!("long")];
    let rows: Vec<Value> = (1..).zip(odd).map(|(at, ms)| with(row(at * 100, 0, "a"), "ms_played", ms)).collect();
    let (app, job) = import_rows(&rows);
    assert_eq!(progress(&job, "rejected"), 3, "{job}");
    let lengths = app.rows("SELECT ms_played FROM plays ORDER BY ended_at");
    assert_eq!(lengths, ["Integer(61000)", "Integer(61000)", "Null", "Integer(54000000)"], "fifteen hours are kept");
}

#[test]
fn instants_of_any_form_are_read_or_refused() {
    let forms = [
        "2021-01-01 10:00:00",
        "2021-01-01T12:00:01+02:00",
        "2021-01-01T10:00:02.500Z",
        "Fri, 01 Jan 2021 10:00:03 GMT",
        "",
        "yesterday",
    ];
    let rows: Vec<Value> = forms.iter().map(|ts| with(row(0, 60_000, "a"), "ts", json!(ts))).collect();
    let (app, job) = import_rows(&rows);
    assert_eq!(job["progress"]["rejected_by_reason"], json!({"time_missing": 1, "time_unreadable": 1}));
    let seconds = app.rows("SELECT (ended_at - 1609495200000) / 1000 FROM plays ORDER BY 1");
    assert_eq!(seconds, ["Integer(0)", "Integer(1)", "Integer(2)", "Integer(3)"]);
}

#[test]
fn skipped_may_be_anything_or_nothing() {
    let mut rows: Vec<Value> = [json!(null), json!(true), json!("false"), json!(7)]
        .into_iter()
        .zip(1..)
        .map(|(skipped, at)| with(row(at * 100, 60_000, "a"), "skipped", skipped))
        .collect();
    rows.push(row(900, 60_000, "a"));
    let (app, _) = import_rows(&rows);
    // Known and skipped: bits 8 and 16 of the flags.
    let flags = app.rows("SELECT flags & 24 FROM plays ORDER BY ended_at");
    assert_eq!(flags, ["Integer(0)", "Integer(24)", "Integer(16)", "Integer(0)", "Integer(0)"]);
}

#[test]
fn offline_rows_that_share_an_instant_are_told_apart() {
    let starts = [json!(1_609_459_300), json!(1_609_459_000_123_i64), json!(0), json!("nonsense"), json!(-5)];
    let rows: Vec<Value> = starts
        .into_iter()
        .map(|start| with(with(row(5_000, 200_000, "a"), "offline", json!(true)), "offline_timestamp", start))
        .collect();
    let (app, job) = import_rows(&rows);
    // Two starts that are believed, and one row without any, three times over.
    assert_eq!((stored(&app), progress(&job, "duplicate")), (3, 2), "{job}");
}

#[test]
fn rows_of_private_sessions_are_kept_and_marked_or_left_out() {
    let rows = [row(1, 60_000, "a"), with(row(500, 60_000, "b"), "incognito_mode", json!(true))];
    let archive = zipped(&[("endsong_0.json", &array(&rows))]);
    let app = app_with_user();
    import(&app, archive.clone());
    assert_eq!(app.rows("SELECT flags & 4 FROM plays ORDER BY ended_at"), ["Integer(0)", "Integer(4)"]);

    let app = app_with_vars(&[("IMPORT_INCOGNITO", "leave_out")]);
    let job = import(&app, archive.clone());
    assert_eq!((stored(&app), &job["leaves_out_incognito"]), (1, &json!(true)));
    assert_eq!(job["progress"]["skipped_by_reason"], json!({"incognito": 1}));
    assert_adds_up(&job);
    // An upload may say otherwise.
    let answer = upload(&app, "?again=1&incognito=keep", "application/zip", &archive);
    assert_eq!(answer["status"], "pending");
    app.drain();
    assert_eq!(stored(&app), 2);
    let refused = app.admin("POST", "/admin/users/1/import?incognito=maybe", archive);
    assert_eq!((refused.status.as_u16(), &refused.json()["errors"][0]["field"]), (422, &json!("incognito")));
}

fn upload(app: &TestApp, query: &str, content_type: &str, body: &[u8]) -> Value {
    let request = axum::http::Request::builder()
        .method("POST")
        .uri(format!("http://listenlog.example/admin/users/1/import{query}"))
        .header("authorization", format!("Bearer {}", crate::testing::test_app::ADMIN_TOKEN))
        .header("content-type", content_type);
    app.send(request.body(body.to_vec().into()).unwrap()).json()
}

#[test]
fn one_file_by_itself_is_imported_plain_or_with_gzip() {
    let extended = array(&[row(1, 60_000, "a"), row(500, 60_000, "b")]);
    let account = array(&[account_row(1, 60_000, "a"), account_row(9, 60_000, "c")]);
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    for (name, kind, body, form) in [
        ("endsong_0.json", "application/json", extended.clone(), "json"),
        ("endsong_0.json.gz", "application/gzip", gzip(&extended), "json_gz"),
        ("StreamingHistory0.json", "application/octet-stream", account.clone(), "json"),
        ("StreamingHistory0.json.gz", "application/x-gzip", gzip(&account), "json_gz"),
    ] {
        let app = app_with_user();
        let id = upload(&app, &format!("?filename={name}"), kind, &body)["id"].as_i64().unwrap();
        app.drain();
        let job = app.import_job(id);
        assert_eq!((&job["status"], &job["archive_form"]), (&json!("success"), &json!(form)), "{job}");
        assert_eq!((stored(&app), &file(&job, name)["status"]), (2, &json!("done")));
        assert!(app.archives.keys().is_empty());
    }
    // Cut off: what came before it is in, and it is said.
    let app = app_with_user();
    let many: Vec<Value> = (0..3_000).map(|at| row(at, 60_000 + i64::from(at % 977), "a")).collect();
    let whole = gzip(&array(&many));
    upload(&app, "?filename=endsong_0.json.gz", "application/gzip", &whole[..whole.len() - 2_000]);
    app.drain();
    let job = app.import_job(1);
    assert_eq!(job["status"], "partial", "{job}");
    assert!(job["error_message"].as_str().unwrap().contains("cut off"), "{job}");
    assert!(stored(&app) > 500, "{job}");
    // What is no history is refused at once, and so is a bomb, once it is one.
    for (kind, body) in [("application/json", br#"{"playlists": []}"#.to_vec()), ("application/gzip", gzip(b"hello"))] {
        assert_eq!(upload(&app, "", kind, &body)["errors"][0]["field"], "file");
    }
    let mut bomb = array(&many);
    bomb.pop();
    bomb.resize(bomb.len() + (60 << 20), b' ');
    let bomb = gzip(&bomb);
    upload(&app, "?filename=endsong_9.json.gz", "application/gzip", &bomb);
    app.drain();
    let job = app.import_job(2);
    assert_eq!(job["status"], "partial", "{job}");
    assert!(job["error_message"].as_str().unwrap().contains("inflates to far more"), "{job}");
}

#[test]
fn names_of_any_length_and_script_survive() {
    let long = "長".repeat(10_000);
    let names = ["Beyonc\u{e9} \u{1f984}\u{200d}\u{1f308}", "\u{202e}\u{5e9}\u{5dc}\u{5d5}\u{5dd}", "nul\0byte", &long];
    let rows: Vec<Value> = (1..)
        .zip(names)
        .map(|(at, name)| {
            let row = with(row(at * 300, 60_000, &format!("t{at}")), "master_metadata_track_name", json!(name));
            with(row, "master_metadata_album_artist_name", json!(name))
        })
        .collect();
    let (app, job) = import_rows(&rows);
    assert_eq!((&job["status"], progress(&job, "inserted")), (&json!("success"), 4));
    let answer = app.post("/tools/history_top_tracks", &json!({"days": 36_500, "limit": 10}));
    let told: Vec<String> = answer.json()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["track_name"].as_str().unwrap().to_owned())
        .collect();
    for name in [names[0], names[1], "nulbyte"] {
        assert!(told.iter().any(|told| told == name), "{name} in {told:?}");
    }
    assert!(told.iter().any(|name| name.chars().all(|letter| letter == '長' || letter == '…') && name.len() > 100));
}

#[test]
fn rows_in_any_order_and_twice_in_several_files_are_the_same_plays() {
    let rows: Vec<Value> = (0..900).map(|at| row(at * 37, 31_000 + i64::from(at), &format!("t{}", at % 7))).collect();
    let straight = app_with_user();
    import(&straight, zipped(&[("endsong_0.json", &array(&rows))]));
    let mut shuffled: Vec<Value> = (0..900).map(|at| rows[at * 547 % 900].clone()).collect();
    let again = shuffled.split_off(400);
    let (third, overlap) = (array(&again[..250]), [&again[200..], &shuffled[..100]].concat());
    let app = app_with_vars(&[("IMPORT_SLICE_ROWS", "100")]);
    let files = [("endsong_0.json", array(&shuffled)), ("endsong_1.json", third), ("endsong_2.json", array(&overlap))];
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, content)| (*name, content.as_slice())).collect();
    let job = import(&app, zipped(&files));
    assert_eq!((&job["status"], progress(&job, "inserted")), (&json!("success"), 900), "{job}");
    assert_eq!(progress(&job, "duplicate"), 150);
    assert_adds_up(&job);
    super::assert_same(&app.rows(super::PLAYS), &straight.rows(super::PLAYS), "PLAYS");
}

/// Thousands of rows of one track in one second, then as many of its minute: each fits each.
#[test]
fn a_crowd_in_one_minute_is_matched_one_to_one() {
    const COUNT: u32 = 12_000;
    let crowd: Vec<Value> = (0..COUNT).map(|number| row(60, 30_000 + i64::from(number), "a")).collect();
    let told: Vec<Value> = (0..COUNT).map(|number| account_row(1, 30_000 + i64::from(number), "a")).collect();
    let strangers: Vec<Value> = (0..COUNT).map(|number| account_row(1, 900_000 + i64::from(number), "a")).collect();
    for (rows, merged) in [(&told, u64::from(COUNT)), (&strangers, u64::from(COUNT))] {
        for archives in [[&crowd, rows], [rows, &crowd]] {
            let app = app_with_user();
            for rows in archives {
                let name = if rows[0]["ts"].is_string() { "endsong_0.json" } else { "StreamingHistory_music_0.json" };
                let job = import(&app, zipped(&[(name, &array(rows))]));
                assert_eq!(job["status"], "success", "{job}");
                assert_adds_up(&job);
            }
            let both = app.rows("SELECT 1 FROM plays WHERE extended_offset_ms = 0 AND account_offset_ms IS NOT NULL");
            assert_eq!((both.len() as u64, stored(&app) as u64), (merged, merged));
        }
    }
    // Equal in everything: told apart by number alone.
    let app = app_with_user();
    let equal: Vec<Value> = (0..COUNT).map(|_| account_row(1, 30_000, "a")).collect();
    let job = import(&app, zipped(&[("StreamingHistory_music_0.json", &array(&equal))]));
    assert_eq!((&job["status"], progress(&job, "inserted")), (&json!("success"), u64::from(COUNT)));
}
