//! A valid request to each route that changes something, and the scene it needs.

use axum::{
    body::Body,
    http::{Method, Request, header},
};
use futures_executor::block_on;
use listenlog_workbench::{
    fake_spotify::{FakeSpotify, Listener},
    generator::{ExportPlan, FieldSet, write_extended},
};
use serde_json::json;

use crate::{
    domain::instant::DAY_MS,
    http::oauth::tests::Dance,
    jobs,
    testing::{
        TestApp,
        fake_spotify::{app_with, connect},
        row_sender::{self, RowSender},
        test_app::{ADMIN_TOKEN, Answer, NOW},
    },
};

/// A valid request to one route, and what has to be there for it.
pub struct Mutation {
    pub method: Method,
    pub template: &'static str,
    pub scene: fn() -> Stage,
    pub send: fn(&Stage) -> Answer,
}

/// An app on which a scene was set, and what the request has to present of it.
pub struct Stage {
    pub app: TestApp,
    given: String,
}

impl From<TestApp> for Stage {
    fn from(app: TestApp) -> Self {
        Self { app, given: String::new() }
    }
}

const fn post(template: &'static str, scene: fn() -> Stage, send: fn(&Stage) -> Answer) -> Mutation {
    Mutation { method: Method::POST, template, scene, send }
}

const fn put(template: &'static str, scene: fn() -> Stage, send: fn(&Stage) -> Answer) -> Mutation {
    Mutation { method: Method::PUT, template, scene, send }
}

const fn patch(template: &'static str, scene: fn() -> Stage, send: fn(&Stage) -> Answer) -> Mutation {
    Mutation { method: Method::PATCH, template, scene, send }
}

const fn delete(template: &'static str, scene: fn() -> Stage, send: fn(&Stage) -> Answer) -> Mutation {
    Mutation { method: Method::DELETE, template, scene, send }
}

/// One line for each route that answers another method than GET.
pub fn mutations() -> Vec<Mutation> {
    vec![
        post("/mcp", user, call),
        post("/mcp/call", user, |stage| {
            stage.app.post("/mcp/call", &json!({"tool": "history_coverage", "arguments": {"user_id": 1}}))
        }),
        post("/tools/{name}", user, |stage| stage.app.post("/tools/history_coverage", &json!({"user_id": 1}))),
        post("/register", oauth, |stage| {
            let client = json!({"redirect_uris": ["http://127.0.0.1/callback"], "client_name": "Inspector"});
            stage.app.send(to("POST", "/register", "application/json", client.to_string()))
        }),
        post("/authorize", oauth, |stage| Dance::on(&stage.app).sign_in(&[])),
        post("/authorize", question, |stage| Dance::on(&stage.app).answer_as_asked(&stage.given, "allow")),
        post("/authorize", question, |stage| Dance::on(&stage.app).answer_as_asked(&stage.given, "deny")),
        post("/token", code, |stage| Dance::on(&stage.app).exchange(&stage.given, &[])),
        post("/revoke", granted, |stage| Dance::on(&stage.app).revoke(&stage.given)),
        delete("/admin/grants/{grant_id}", granted, |stage| bare(stage, "DELETE", "/admin/grants/1")),
        post(
            "/admin/users",
            || TestApp::new().into(),
            |stage| stage.app.post("/admin/users", &json!({"display_name": "Ada", "timezone": "Europe/Berlin"})),
        ),
        post("/admin/users/{user_id}/import", user, upload),
        post("/admin/users/{user_id}/tokens", user, |stage| {
            stage.app.post("/admin/users/1/tokens", &json!({"label": "assistant"}))
        }),
        delete("/admin/users/{user_id}/tokens/{token_id}", token, |stage| {
            bare(stage, "DELETE", "/admin/users/1/tokens/1")
        }),
        post("/admin/tokens", || TestApp::new().into(), issue_role),
        delete("/admin/tokens/{token_id}", role_token, |stage| bare(stage, "DELETE", "/admin/tokens/1")),
        post("/admin/users/{user_id}/spotify-connection", spotify, |stage| {
            bare(stage, "POST", "/admin/users/1/spotify-connection")
        }),
        delete("/admin/users/{user_id}/spotify-connection", connected, |stage| {
            bare(stage, "DELETE", "/admin/users/1/spotify-connection")
        }),
        put("/admin/users/{user_id}/spotify-credentials", spotify, set_app),
        delete("/admin/users/{user_id}/spotify-credentials", own_app, |stage| {
            bare(stage, "DELETE", "/admin/users/1/spotify-credentials")
        }),
        post("/admin/users/{user_id}/pause", connected, |stage| bare(stage, "POST", "/admin/users/1/pause")),
        post("/admin/users/{user_id}/resume", paused, |stage| bare(stage, "POST", "/admin/users/1/resume")),
        post("/admin/users/{user_id}/trigger-sync", connected, |stage| {
            bare(stage, "POST", "/admin/users/1/trigger-sync")
        }),
        post("/admin/sync/pause", connected, |stage| bare(stage, "POST", "/admin/sync/pause")),
        post("/admin/sync/resume", all_paused, |stage| bare(stage, "POST", "/admin/sync/resume")),
        post("/admin/import-jobs/{import_job_id}/cancel", uploaded, cancel),
        post("/admin/import-jobs/{import_job_id}/retry", cancelled, |stage| {
            bare(stage, "POST", "/admin/import-jobs/1/retry")
        }),
        patch("/admin/users/{user_id}", user, |stage| {
            let changes = json!({"display_name": "Grace", "timezone": "Europe/London"});
            stage.app.admin("PATCH", "/admin/users/1", changes.to_string())
        }),
        delete("/admin/users/{user_id}", connected_with_upload, |stage| bare(stage, "DELETE", "/admin/users/1")),
        post("/admin/schedule/{entry}/run", uploaded, |stage| bare(stage, "POST", "/admin/schedule/sweep/run")),
        post("/admin/schedule/{entry}/run", left_behind, |stage| bare(stage, "POST", "/admin/schedule/tidy/run")),
        post("/admin/job-runs/cancel", queued_run, |stage| {
            bare(stage, "POST", "/admin/job-runs/cancel?job_type=initial_sync")
        }),
        post("/admin/job-runs/retry", cancelled_run, |stage| {
            bare(stage, "POST", "/admin/job-runs/retry?status=cancelled")
        }),
        post("/admin/job-runs/{job_run_id}/cancel", queued_run, cancel_run),
        post("/admin/job-runs/{job_run_id}/retry", cancelled_run, |stage| {
            bare(stage, "POST", &format!("/admin/job-runs/{}/retry", stage.given))
        }),
        post("/admin/job-types/{job_type}/pause", connected, pause_polls),
        post("/admin/job-types/{job_type}/resume", paused_polls, |stage| {
            bare(stage, "POST", "/admin/job-types/poll/resume")
        }),
        post("/admin/dead-letters/{dead_letter_id}/resend", dead_letter, |stage| {
            bare(stage, "POST", "/admin/dead-letters/1/resend")
        }),
        post("/admin/maintenance/purge-logs", old_rows, |stage| bare(stage, "POST", "/admin/maintenance/purge-logs")),
        post("/admin/users/{user_id}/row-imports", user, |stage| {
            stage.app.post("/admin/users/1/row-imports", &row_sender::opening(&archive()))
        }),
        post("/admin/import-jobs/{import_job_id}/slices", opened_rows, |stage| {
            let archive = archive();
            let entry = &row_sender::entries(&archive)[0];
            let (format, rows) = row_sender::rows_of(&archive, entry);
            stage.app.post("/admin/import-jobs/1/slices", &row_sender::slice(entry, 0, format, &rows))
        }),
        post("/admin/import-jobs/{import_job_id}/verify", sent_rows, |stage| {
            bare(stage, "POST", "/admin/import-jobs/1/verify")
        }),
    ]
}

fn to(method: &str, path: &str, content_type: &str, body: impl Into<Body>) -> Request<Body> {
    let request = Request::builder()
        .method(method)
        .uri(format!("https://listenlog.example{path}"))
        .header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"))
        .header(header::CONTENT_TYPE, content_type)
        .header(header::ACCEPT, "application/json, text/event-stream");
    request.body(body.into()).unwrap()
}

/// A tool through the Model Context Protocol. What fails inside a tool is an answer there, too.
fn call(stage: &Stage) -> Answer {
    let params = json!({"name": "history_coverage", "arguments": {"user_id": 1}});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
    stage.app.send(to("POST", "/mcp", "application/json", message.to_string()))
}

fn bare(stage: &Stage, method: &str, path: &str) -> Answer {
    stage.app.admin(method, path, Body::empty())
}

fn user() -> Stage {
    let app = TestApp::new();
    assert_eq!(app.post("/admin/users", &json!({"display_name": "Ada"})).status, 201);
    app.into()
}

fn token() -> Stage {
    let stage = user();
    assert_eq!(stage.app.post("/admin/users/1/tokens", &json!({"label": "assistant"})).status, 201);
    stage
}

fn issue_role(stage: &Stage) -> Answer {
    stage.app.post("/admin/tokens", &json!({"label": "shift", "role": "operator"}))
}

fn role_token() -> Stage {
    let stage = TestApp::new().into();
    assert_eq!(issue_role(&stage).status, 201);
    stage
}

/// An archive of some plays.
fn archive() -> Vec<u8> {
    write_extended(&ExportPlan::small(3).live(), FieldSet::R4).unwrap()
}

/// A crash left an archive.
fn left_behind() -> Stage {
    let stage = user();
    stage.app.archives.put("users/1/left-behind.zip", "PK".into());
    stage
}

/// The archive, announced with its length.
fn upload(stage: &Stage) -> Answer {
    let archive = archive();
    let length = archive.len();
    let mut request = to("POST", "/admin/users/1/import?filename=my_spotify_data.zip", "application/zip", archive);
    request.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    stage.app.send(request)
}

fn uploaded() -> Stage {
    let stage = user();
    assert_eq!(upload(&stage).status, 201);
    stage
}

fn cancel(stage: &Stage) -> Answer {
    bare(stage, "POST", "/admin/import-jobs/1/cancel")
}

fn cancelled() -> Stage {
    let stage = uploaded();
    assert!(cancel(&stage).status.is_success());
    stage.app.drain();
    stage
}

/// With Spotify played, and a user who is not connected.
fn spotify() -> Stage {
    let (app, _) = app_with(FakeSpotify::with(vec![Listener::new("ada", "Ada")]));
    assert_eq!(app.post("/admin/users", &json!({"display_name": "Ada"})).status, 201);
    app.into()
}

fn connected() -> Stage {
    let (app, fake) = app_with(FakeSpotify::with(vec![Listener::new("ada", "Ada")]));
    connect(&app, &fake, "ada");
    app.drain();
    app.into()
}

fn paused() -> Stage {
    let stage = connected();
    assert_eq!(bare(&stage, "POST", "/admin/users/1/pause").status, 200);
    stage
}

fn all_paused() -> Stage {
    let stage = connected();
    assert_eq!(bare(&stage, "POST", "/admin/sync/pause").status, 200);
    stage
}

fn connected_with_upload() -> Stage {
    let stage = connected();
    assert_eq!(upload(&stage).status, 201);
    stage
}

/// A user has just connected, and the run of their initial sync waits.
fn queued_run() -> Stage {
    let (app, fake) = app_with(FakeSpotify::with(vec![Listener::new("ada", "Ada")]));
    connect(&app, &fake, "ada");
    let runs = app.get("/admin/job-runs?job_type=initial_sync&status=queued").json();
    let given = runs["items"][0]["id"].to_string();
    Stage { app, given }
}

fn cancel_run(stage: &Stage) -> Answer {
    bare(stage, "POST", &format!("/admin/job-runs/{}/cancel", stage.given))
}

fn cancelled_run() -> Stage {
    let stage = queued_run();
    assert_eq!(cancel_run(&stage).status, 200);
    stage.app.drain();
    stage
}

fn pause_polls(stage: &Stage) -> Answer {
    bare(stage, "POST", "/admin/job-types/poll/pause")
}

fn paused_polls() -> Stage {
    let stage = connected();
    assert_eq!(pause_polls(&stage).status, 200);
    stage
}

/// The queue gave up the message of an import.
fn dead_letter() -> Stage {
    let stage = uploaded();
    let message = serde_json::to_string(&stage.app.queue.take().unwrap()).unwrap();
    block_on(jobs::record_dead(&stage.app.app, &message));
    stage
}

/// Runs and changes that are older than they are kept.
fn old_rows() -> Stage {
    let stage = user();
    let old = NOW.0 - 400 * DAY_MS;
    let sql = format!(
        "INSERT INTO job_runs (job_type, status, started_by, created_at, updated_at) VALUES
           ('poll', 'error', 'schedule', {old}, {old}), ('poll', 'success', 'schedule', {old}, {old});
         INSERT INTO audit (at, credential, action, target) VALUES ({old}, 'admin_token', 'a.b', 'c');"
    );
    stage.app.db.with(|connection| connection.execute_batch(&sql)).unwrap();
    stage
}

/// An import whose rows are to be sent.
fn opened_rows() -> Stage {
    let stage = user();
    assert_eq!(RowSender::open(&stage.app, 1, &archive()).id, 1);
    stage
}

/// The same, with all of them sent.
fn sent_rows() -> Stage {
    let stage = user();
    RowSender::open(&stage.app, 1, &archive()).send_rows(&archive(), 5_000);
    stage
}

fn set_app(stage: &Stage) -> Answer {
    let own = json!({"client_id": "own-app", "client_secret": "fake-own-secret"});
    stage.app.admin("PUT", "/admin/users/1/spotify-credentials", own.to_string())
}

fn own_app() -> Stage {
    let stage = spotify();
    assert_eq!(set_app(&stage).status, 200);
    stage
}

/// With users, and a client that may ask for their permission.
fn oauth() -> Stage {
    Dance::new().app.into()
}

/// The same, with a page that asks for consent.
fn question() -> Stage {
    let dance = Dance::new();
    let given = dance.asked();
    Stage { app: dance.app, given }
}

/// The same, with a code that was not exchanged yet.
fn code() -> Stage {
    let dance = Dance::new();
    let given = dance.code();
    Stage { app: dance.app, given }
}

/// The same, with a grant in use.
fn granted() -> Stage {
    let dance = Dance::new();
    let given = dance.tokens()["refresh_token"].as_str().unwrap().to_owned();
    Stage { app: dance.app, given }
}
