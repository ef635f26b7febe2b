//! Events end in the capture of the request they belong to, whatever else is going on.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::join_all;
use serde_json::json;
use tracing::Instrument;

use super::{Capture, Platform, Service, install, open};
use crate::{
    config::LogLevel,
    testing::{TestApp, test_app::NOW},
};

/// Gives way once, so that others run in between.
struct Yield(bool);

impl Future for Yield {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn installed() {
    install(Platform { now: || NOW, console: |_, _| {} });
}

#[test]
fn interleaved_requests_keep_their_events_apart() {
    installed();
    let captures: Vec<Arc<Capture>> =
        (0..20).map(|id| Arc::new(Capture::new(Service::Http, id.to_string(), LogLevel::Debug))).collect();
    let work = captures.iter().enumerate().map(|(id, capture)| {
        let span = open(capture);
        async move {
            for step in 0..10 {
                tracing::info!(user_id = i64::try_from(id).unwrap(), step, "A step");
                Yield(false).await;
                async { tracing::warn!(id, "A deeper step") }.instrument(tracing::info_span!("inner")).await;
            }
        }
        .instrument(span)
    });
    futures_executor::block_on(join_all(work));
    tracing::info!("Outside of any request");
    for (id, capture) in captures.iter().enumerate() {
        let entries = capture.take();
        assert_eq!(entries.len(), 20);
        for entry in entries {
            let own = entry.subject.user_id == Some(i64::try_from(id).unwrap()) || entry.fields["id"] == id;
            assert!(own, "{entry:?} in {id}");
        }
    }
}

#[test]
fn ids_of_an_outer_span_become_columns_and_the_inner_ones_win() {
    installed();
    let capture = Arc::new(Capture::new(Service::Queue, "r".to_owned(), LogLevel::Info));
    let span = open(&capture);
    span.in_scope(|| {
        let job = tracing::info_span!("job", import_job_id = 4_i64, user_id = 1_i64);
        job.in_scope(|| tracing::error!(user_id = 2_i64, bytes = 9, "Something"));
    });
    let entry = capture.take().remove(0);
    assert_eq!((entry.subject.import_job_id, entry.subject.user_id), (Some(4), Some(2)));
    assert_eq!((entry.level, entry.at, entry.fields["bytes"].as_i64()), (LogLevel::Error, NOW, Some(9)));
}

#[test]
fn what_is_refused_or_changes_something_is_a_row_and_what_is_only_read_is_not() {
    installed();
    let app = TestApp::new();
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    app.get("/admin/users/1");
    app.get("/admin/users/2");
    app.get("/healthz");
    let rows = app.rows("SELECT service, level, message, user_id, request_id IS NOT NULL FROM logs ORDER BY id");
    assert_eq!(rows.len(), 3, "{rows:?}");
    let levels = app.rows("SELECT level FROM logs WHERE level = 'warning' AND fields LIKE '%404%'");
    assert_eq!(levels.len(), 1);
}

/// A new user costs a batch, and the look at what came of it; the log rows come after them.
const CALLS_OF_A_CREATION: u64 = 2;

#[test]
fn a_log_that_cannot_be_written_does_not_touch_the_answer() {
    installed();
    let app = TestApp::new();
    app.db.fail_after(CALLS_OF_A_CREATION, crate::testing::sqlite::Failure::BeforeWriting);
    assert_eq!(app.post("/admin/users", &json!({"display_name": "Ada"})).status, 201);
    assert!(app.rows("SELECT id FROM logs").is_empty());
}

#[test]
fn rows_that_were_lost_are_told_of_in_the_next_ones_that_are_written() {
    installed();
    let app = TestApp::new();
    app.db.fail_after(CALLS_OF_A_CREATION, crate::testing::sqlite::Failure::BeforeWriting);
    app.post("/admin/users", &json!({"display_name": "Ada"}));
    app.post("/admin/users", &json!({"display_name": "Bo"}));
    let told = app
        .rows("SELECT message = '2 log rows before this one could not be written' FROM logs WHERE level = 'warning'");
    assert_eq!(told, ["Integer(1)"]);
    app.post("/admin/users", &json!({"display_name": "Cy"}));
    assert_eq!(app.rows("SELECT id FROM logs WHERE level = 'warning'").len(), 1, "told once");
}

#[test]
fn long_work_writes_its_rows_while_it_goes_on() {
    installed();
    let app = TestApp::new();
    let capture = Arc::new(Capture::new(Service::Queue, "r".to_owned(), LogLevel::Info));
    let span = open(&capture);
    futures_executor::block_on(
        async {
            let inner = tracing::info_span!("inner", import_job_id = 3_i64);
            async {
                for step in 0..60 {
                    tracing::info!(step, "A step");
                    app.app.breathe().await;
                }
            }
            .instrument(inner)
            .await;
        }
        .instrument(span),
    );
    let rows = app.rows("SELECT import_job_id, service = 'queue', request_id = 'r' FROM logs ORDER BY id");
    assert_eq!(rows, vec!["Integer(3)|Integer(1)|Integer(1)"; 50], "the rest waits");
    futures_executor::block_on(super::flush(&app.app, &capture));
    let ids = app.rows("SELECT count(*), count(DISTINCT id), min(id) >= 1795435200000 * 2048 FROM logs");
    assert_eq!(ids, ["Integer(60)|Integer(60)|Integer(1)"]);
}

#[test]
fn a_secret_in_an_event_reaches_no_row() {
    installed();
    let app = TestApp::new();
    let capture = Arc::new(Capture::new(Service::Http, "r".to_owned(), LogLevel::Info));
    open(&capture).in_scope(|| {
        let error = "Authorization: Bearer hushhush";
        tracing::error!(access_token = "hushhush", error, "It failed with token=hushhush");
    });
    futures_executor::block_on(super::flush(&app.app, &capture));
    let hushed = "instr(message || fields, 'hush') = 0 AND instr(fields, 'redacted') > 0";
    assert_eq!(app.rows(&format!("SELECT {hushed} FROM logs")), ["Integer(1)"]);
}
