//! Uploads, good and bad: each its clear answer, and nothing left behind.

use std::{fmt::Write as _, io::Write};

use axum::{
    body::Body,
    http::{Request, header},
};
use futures_util::stream;
use listenlog_workbench::generator::{ExportPlan, FieldSet, write_extended};
use serde_json::json;

use crate::testing::{
    TestApp,
    test_app::{ADMIN_TOKEN, Answer},
};

fn app_with_user() -> TestApp {
    let app = TestApp::new();
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    app
}

fn archive() -> Vec<u8> {
    write_extended(&ExportPlan::small(1).live(), FieldSet::R4).unwrap()
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn upload(app: &TestApp, content_type: &str, length: Option<usize>, body: Body) -> Answer {
    let mut request = Request::builder()
        .method("POST")
        .uri("http://listenlog.example/admin/users/1/import")
        .header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"))
        .header(header::CONTENT_TYPE, content_type);
    if let Some(length) = length {
        request = request.header(header::CONTENT_LENGTH, length);
    }
    app.send(request.body(body).unwrap())
}

fn form(field: &str, filename: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{filename}\"\r\n\
         Content-Type: application/zip\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n--xyz--\r\n"].concat()
}

fn assert_nothing_is_left(app: &TestApp) {
    assert!(app.archives.keys().is_empty());
    assert_eq!(app.get("/admin/import-jobs").json()["total"], 0);
    assert!(app.rows("SELECT id FROM import_files UNION ALL SELECT id FROM job_runs").is_empty());
    assert_eq!(app.queue.len(), 0);
}

#[test]
fn a_form_and_a_raw_body_are_both_taken() {
    let app = app_with_user();
    let bytes = archive();
    let raw = upload(&app, "application/zip", Some(bytes.len()), bytes.clone().into());
    assert_eq!(raw.status, 201);
    assert_eq!(raw.json()["status"], "pending");
    assert_eq!(raw.json()["file_size_bytes"], bytes.len());
    let other = write_extended(&ExportPlan::small(2).live(), FieldSet::R4).unwrap();
    let form = upload(&app, "multipart/form-data; boundary=xyz", None, form("file", "C:\\data\\my.zip", &other).into());
    assert_eq!(form.status, 201, "{}", form.json());
    app.drain();
    let jobs = app.get("/admin/import-jobs").json();
    assert_eq!(jobs["total"], 2);
    assert_eq!(jobs["items"][0]["filename"], "my.zip");
    assert_eq!(jobs["items"][0]["status"], "success");
    assert_eq!(app.get("/admin/import-jobs?status=error&user_id=1").json()["total"], 0);
    assert_eq!(app.get("/admin/import-jobs?status=lost").status, 422);
    assert_eq!(app.get("/admin/import-jobs/77").status, 404);
}

#[test]
fn a_large_upload_goes_into_storage_in_parts_and_arrives_whole() {
    let app = app_with_user();
    let mut noise = String::new();
    for n in 0..900_000_u64 {
        write!(noise, "{:016x}", n.wrapping_mul(0x9E37_79B9_7F4A_7C15)).unwrap();
    }
    let mut files = vec![("noise.json", noise.as_str())];
    let row = r#"[{"endTime":"2024-01-01 10:00","artistName":"A","trackName":"B","msPlayed":60000}]"#;
    files.push(("MyData/StreamingHistory0.json", row));
    let bytes = zip(&files);
    assert!(bytes.len() > 6_000_000, "{}", bytes.len());
    let chunks: Vec<Result<Vec<u8>, std::io::Error>> = bytes.chunks(40_000).map(|chunk| Ok(chunk.to_vec())).collect();
    let answer = upload(&app, "application/zip", Some(bytes.len()), Body::from_stream(stream::iter(chunks)));
    assert_eq!(answer.status, 201);
    app.drain();
    assert_eq!(app.import_job(1)["progress"]["inserted"], 1);
}

#[test]
fn what_is_no_zip_is_refused() {
    let app = app_with_user();
    for body in [&b""[..], b"PK", b"{\"ts\": 1}", b"PK\x03\x04 and then nothing of the kind"] {
        let answer = upload(&app, "application/zip", Some(body.len()), body.to_vec().into());
        assert_eq!(answer.status, 422, "{body:?}");
        assert_eq!(answer.json()["errors"][0]["field"], "file");
    }
    assert_nothing_is_left(&app);
}

#[test]
fn an_archive_without_history_is_refused_and_told_what_belongs_in_it() {
    let app = app_with_user();
    for files in [&[][..], &[("readme.txt", "hello")], &[("Playlist1.json", r#"{"playlists": []}"#)]] {
        let bytes = zip(files);
        let answer = upload(&app, "application/zip", Some(bytes.len()), bytes.into());
        assert_eq!(answer.status, 422);
        assert!(answer.json()["detail"].as_str().unwrap().contains("Streaming_History_Audio"), "{}", answer.json());
    }
    assert_nothing_is_left(&app);
}

#[test]
fn history_under_another_name_is_known_by_its_content() {
    let app = app_with_user();
    let row = r#"[{"ts":"2024-01-01T10:00:00Z","ms_played":60000,"spotify_track_uri":"spotify:track:a"}]"#;
    let bytes = zip(&[("renamed by me.json", row)]);
    assert_eq!(upload(&app, "application/zip", Some(bytes.len()), bytes.into()).status, 201);
    app.drain();
    assert_eq!(app.import_job(1)["status"], "success");
}

#[test]
fn a_file_named_like_history_that_is_none_ends_the_job_with_a_sentence() {
    let app = app_with_user();
    let bytes = zip(&[("endsong_0.json", r#"{"playlists": [1, 2, 3]}"#)]);
    assert_eq!(upload(&app, "application/zip", Some(bytes.len()), bytes.into()).status, 201);
    app.drain();
    let job = app.import_job(1);
    assert_eq!(job["status"], "error");
    let sentence = "named like a streaming history and holds none";
    assert!(job["error_message"].as_str().unwrap().contains(sentence), "{job}");
}

#[test]
fn an_upload_that_breaks_off_is_refused() {
    let app = app_with_user();
    let bytes = archive();
    let half = bytes[..bytes.len() / 2].to_vec();
    let answer = upload(&app, "application/zip", Some(bytes.len()), half.clone().into());
    assert_eq!(answer.status, 400);
    assert!(answer.json()["detail"].as_str().unwrap().contains("broke off"));
    // Nobody said how long it would be: then the archive itself tells.
    assert_eq!(upload(&app, "application/zip", None, half.clone().into()).status, 422);
    let broken = stream::iter([Ok(half), Err(std::io::Error::other("gone"))]);
    assert_eq!(upload(&app, "application/zip", None, Body::from_stream(broken)).status, 400);
    let whole = form("file", "a.zip", &bytes);
    let cut = whole[..whole.len() - 200].to_vec();
    assert_eq!(upload(&app, "multipart/form-data; boundary=xyz", None, cut.into()).status, 400);
    assert_nothing_is_left(&app);
}

#[test]
fn what_is_too_large_is_refused_by_its_announcement_and_by_its_bytes() {
    let vars = [("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", ADMIN_TOKEN), ("IMPORT_MAX_ZIP_SIZE_MB", "1")];
    let app = TestApp::with_vars(&vars);
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    let mut bytes = archive();
    bytes.resize(1024 * 1024 + 1, 0);
    let announced = upload(&app, "application/zip", Some(100_000_000), Body::from("PK\x03\x04"));
    assert_eq!(announced.status, 413);
    assert!(announced.json()["detail"].as_str().unwrap().contains("1 MB"));
    assert_eq!(upload(&app, "application/zip", None, bytes.clone().into()).status, 413);
    let form = form("file", "a.zip", &bytes);
    assert_eq!(upload(&app, "multipart/form-data; boundary=xyz", None, form.into()).status, 413);
    assert_nothing_is_left(&app);
}

#[test]
fn a_form_must_have_the_file_and_nothing_else() {
    let app = app_with_user();
    let wrong_field = form("archive", "a.zip", &archive());
    let answer = upload(&app, "multipart/form-data; boundary=xyz", None, wrong_field.into());
    assert_eq!((answer.status.as_u16(), answer.json()["errors"][0]["field"].clone()), (422, json!("archive")));
    assert_eq!(upload(&app, "multipart/form-data; boundary=xyz", None, "--xyz--\r\n".into()).status, 422);
    assert_eq!(upload(&app, "multipart/form-data", None, "".into()).status, 422);
    assert_eq!(upload(&app, "text/plain", None, archive().into()).status, 422);
    assert_nothing_is_left(&app);
}

#[test]
fn nobody_uploads_for_a_user_who_is_not_there() {
    let app = TestApp::new();
    let answer = upload(&app, "application/zip", None, archive().into());
    assert_eq!(answer.status, 404);
    assert_nothing_is_left(&app);
}

#[test]
fn a_queue_that_is_down_does_not_lose_the_import() {
    let app = app_with_user();
    app.upload(1, archive());
    app.queue.take();
    app.clock.set(app.app.now().plus_ms(120_000));
    app.sweep();
    app.drain();
    assert_eq!(app.import_job(1)["status"], "success");
}
