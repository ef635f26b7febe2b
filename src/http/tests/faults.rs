//! No fault of database, storage or queue leaves anything half done, on any route that changes something.
//!
//! For each such route: a valid request, with a fault at every call it makes to every port, before the call did its work and
//! after it, once and for as long as the request lasts. Once the platform is well again and the clock has ticked, what is
//! stored is what it would be without the request, or with it, and with it whenever the answer said so.

use std::collections::BTreeSet;

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

use super::{METHODS, every_path};
use crate::{
    domain::instant::{DAY_MS, MINUTE_MS},
    http::oauth::tests::Dance,
    jobs::schedule::{self, TIDY},
    testing::{
        TestApp,
        fake_spotify::{app_with, connect},
        platform::Fault,
        sqlite::Failure,
        test_app::{ADMIN_TOKEN, Answer, NOW},
    },
};

/// A valid request to one route, and what has to be there for it.
struct Mutation {
    method: Method,
    template: &'static str,
    scene: fn() -> Stage,
    send: fn(&Stage) -> Answer,
}

/// An app on which a scene was set, and what the request has to present of it.
struct Stage {
    app: TestApp,
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

const fn delete(template: &'static str, scene: fn() -> Stage, send: fn(&Stage) -> Answer) -> Mutation {
    Mutation { method: Method::DELETE, template, scene, send }
}

/// Not tried here: an archive sent as rows, whose steps hold by their cursor and have tests of their own.
const TRIED_ELSEWHERE: [&str; 3] = [
    "POST /admin/users/{user_id}/row-imports",
    "POST /admin/import-jobs/{import_job_id}/slices",
    "POST /admin/import-jobs/{import_job_id}/verify",
];

/// One line for each other route that answers another method than GET.
fn mutations() -> Vec<Mutation> {
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

/// An archive of some plays, announced with its length.
fn upload(stage: &Stage) -> Answer {
    let archive = write_extended(&ExportPlan::small(3).live(), FieldSet::R4).unwrap();
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

#[test]
fn every_route_that_changes_something_is_tried() {
    let app = TestApp::new();
    let mut found = BTreeSet::new();
    for asked in every_path() {
        for method in METHODS.iter().filter(|method| **method != Method::GET) {
            // Without a body: what it answers does not matter, only whether it does.
            if app.admin(method.as_str(), &asked.path, Body::empty()).status != 405 {
                found.insert(format!("{method} {}", asked.template));
            }
        }
    }
    let tried: BTreeSet<String> =
        mutations().iter().map(|mutation| format!("{} {}", mutation.method, mutation.template)).collect();
    let untried: Vec<_> = found.difference(&tried).filter(|route| !TRIED_ELSEWHERE.contains(&route.as_str())).collect();
    assert!(untried.is_empty(), "without a line in `mutations`: {untried:?}");
    let unknown: Vec<_> = tried.difference(&found).collect();
    assert!(unknown.is_empty(), "of no route: {unknown:?}");
}

/// Where a fault is put.
#[derive(Clone, Copy, Debug)]
enum Port {
    Database,
    Archives,
    Queue,
}

fn break_at(Stage { app, .. }: &Stage, port: Port, fault: Fault) {
    let failure = if fault.is_done { Failure::AfterWriting } else { Failure::BeforeWriting };
    match port {
        Port::Database if fault.is_lasting => app.db.fail_from(fault.after_calls, failure),
        Port::Database => app.db.fail_after(fault.after_calls, failure),
        Port::Archives => app.archives.faults.expect(fault),
        Port::Queue => app.queue.faults.expect(fault),
    }
}

/// Tells whether the fault had come.
fn heal(Stage { app, .. }: &Stage, port: Port) -> bool {
    match port {
        Port::Database => app.db.heal(),
        Port::Archives => app.archives.faults.heal(),
        Port::Queue => app.queue.faults.heal(),
    }
}

/// What is stored once the clock has ticked and the queue has run dry.
fn settled(Stage { app, .. }: &Stage) -> Vec<String> {
    app.drain();
    for minutes in [3, 6] {
        app.clock.set(NOW.plus_ms(minutes * MINUTE_MS));
        app.sweep();
        app.drain();
    }
    app.clock.set(NOW.plus_ms(2 * DAY_MS));
    block_on(schedule::tick(&app.app, TIDY, app.app.now()));
    lasting(app)
}

/// Columns that tell when, how often or through whom something was tried, beside those that end in `_at`.
const PASSING: [&str; 12] = [
    "failed_polls",
    "quiet_polls",
    "at",
    "attempts",
    "stalled_attempts",
    "lease_token",
    "lease_until",
    "request_id",
    "archive_key",
    "not_before",
    "cursor",
    "rows_written",
];
/// Tables that tell of the faults and of the clock.
const PASSING_TABLES: [&str; 3] = ["logs", "dead_letters", "schedule_ticks"];

/// Every row, as text, but for what is passing; objects and messages.
fn lasting(app: &TestApp) -> Vec<String> {
    let mut lines = app.db.with(|connection| {
        let texts = |sql: &str| -> Vec<String> {
            let mut statement = connection.prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        let mut lines = Vec::new();
        for table in texts("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name") {
            let columns = texts(&format!("SELECT name FROM pragma_table_info('{table}')"));
            // The instants of plays are what they are about.
            let is_lasting = |column: &&String| {
                table == "plays" || (!column.ends_with("_at") && !PASSING.contains(&column.as_str()))
            };
            let kept: Vec<String> =
                columns.iter().filter(is_lasting).map(|column| format!("quote(\"{column}\")")).collect();
            if !kept.is_empty() && !PASSING_TABLES.contains(&table.as_str()) {
                let row = kept.join(" || ', ' || ");
                lines.extend(texts(&format!("SELECT '{table}: ' || {row} FROM \"{table}\" ORDER BY 1")));
            }
        }
        lines
    });
    lines.push(format!("objects: {}", app.archives.keys().len()));
    lines.push(format!("messages: {}", app.queue.len()));
    lines
}

#[test]
fn a_fault_at_any_call_leaves_all_or_nothing() {
    let mut tried = 0;
    for mutation in mutations() {
        let route = format!("{} {}", mutation.method, mutation.template);
        let without = settled(&(mutation.scene)());
        let done = (mutation.scene)();
        let answer = (mutation.send)(&done);
        assert!(answer.status.is_success(), "{route}: {} {}", answer.status, String::from_utf8_lossy(&answer.bytes));
        let with = settled(&done);
        for port in [Port::Database, Port::Archives, Port::Queue] {
            for (is_done, is_lasting) in [(false, false), (true, false), (false, true)] {
                for after_calls in 0..100 {
                    let fault = Fault { after_calls, is_done, is_lasting };
                    let stage = (mutation.scene)();
                    break_at(&stage, port, fault);
                    let answer = (mutation.send)(&stage);
                    if !heal(&stage, port) {
                        break;
                    }
                    tried += 1;
                    let said = format!("{route}: {port:?} {fault:?}: {}", answer.status);
                    assert_answer(&said, &answer);
                    let found = settled(&stage);
                    let is_whole = found == with || (!answer.status.is_success() && found == without);
                    assert!(
                        is_whole,
                        "{said}\nmissing: {:#?}\ntoo much: {:#?}",
                        less(&with, &found),
                        less(&found, &with)
                    );
                }
            }
        }
    }
    assert!(tried > 100, "only {tried} faults were tried");
}

/// A request that a fault kept from its end says so, and when to come back.
fn assert_answer(said: &str, answer: &Answer) {
    if answer.status.is_success() {
        return;
    }
    assert_eq!(answer.status, 503, "{said}");
    assert!(answer.headers.contains_key(header::RETRY_AFTER), "{said}");
}

/// The first lines that only one of the two has.
fn less(all: &[String], without: &[String]) -> Vec<String> {
    all.iter().filter(|line| !without.contains(line)).take(8).cloned().collect()
}
