//! Jobs: started by a message or the clock, done in small resumable steps.
//!
//! All kinds of work are listed in [`handle`], all ticks in [`schedule`]. Must stay true: a message is a hint to look
//! at a row; doubled, it is a no-op; lost, the sweep sends it again.

pub mod collecting;
pub mod import_archive;
pub mod message;
pub mod purge;
pub mod runs;
pub mod schedule;
pub mod take_up;

use std::sync::Arc;

use tracing::Instrument;

use self::message::JobMessage;
use crate::{
    app::App,
    store::dead_letters::{self, NewDeadLetter},
    telemetry::{self, Capture, Service},
};

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// Try again, not before.
    Retry {
        after_seconds: u32,
    },
    /// Never again; the reason is logged and, where there is one, stands in the job's row.
    Bury {
        why: &'static str,
    },
}

/// Does what one message asks for, and writes its log rows.
pub async fn handle(app: &App, body: &str) -> Verdict {
    let capture = Arc::new(Capture::new(Service::Queue, app.clock.random_hex(), app.config.log_level));
    let span = telemetry::open(&capture);
    async {
        let verdict = match serde_json::from_str::<JobMessage>(body) {
            Ok(message) => run(app, message).await,
            Err(_) => Verdict::Bury { why: "the message is of no known shape" },
        };
        if let Verdict::Bury { why } = &verdict {
            tracing::error!(why, "A message was buried");
            keep_dead(app, body, why, &capture.request_id).await;
        }
        telemetry::flush(app, &capture).await;
        verdict
    }
    .instrument(span)
    .await
}

/// Records a message that the queue gave up. Its row is still there: the sweep sends it again.
pub async fn record_dead(app: &App, body: &str) {
    let capture = Arc::new(Capture::new(Service::Queue, app.clock.random_hex(), app.config.log_level));
    let span = telemetry::open(&capture);
    async {
        match serde_json::from_str::<JobMessage>(body) {
            Ok(JobMessage::ImportArchive { import_job_id }) => {
                tracing::error!(import_job_id = import_job_id.0, "A message was given up after its last attempt");
            }
            Ok(JobMessage::Run { job_run_id }) => {
                tracing::error!(job_run_id = job_run_id.0, "A message was given up after its last attempt");
            }
            Ok(JobMessage::Poll { user_id }) => {
                tracing::error!(user_id = user_id.0, "A message was given up after its last attempt");
            }
            Err(_) => tracing::error!("A message of no known shape was given up"),
        }
        keep_dead(app, body, "the queue gave it up after its last attempt", &capture.request_id).await;
        telemetry::flush(app, &capture).await;
    }
    .instrument(span)
    .await;
}

/// Keeps a message that nobody will work on, for somebody to look at and send again.
async fn keep_dead(app: &App, message: &str, reason: &str, request_id: &str) {
    let (job_run, import_job) = match serde_json::from_str::<JobMessage>(message) {
        Ok(JobMessage::ImportArchive { import_job_id }) => (None, Some(import_job_id)),
        Ok(JobMessage::Run { job_run_id }) => (Some(job_run_id), None),
        Ok(JobMessage::Poll { .. }) | Err(_) => (None, None),
    };
    let letter = NewDeadLetter { message, reason, job_run, import_job, request_id };
    if let Err(error) = dead_letters::insert(&*app.db, &letter, app.now()).await {
        tracing::error!(%error, "A dead letter could not be kept");
    }
}

async fn run(app: &App, message: JobMessage) -> Verdict {
    match message {
        JobMessage::ImportArchive { import_job_id } => import_archive::run(app, import_job_id).await,
        JobMessage::Run { job_run_id } => runs::run(app, job_run_id).await,
        JobMessage::Poll { user_id } => collecting::poll(app, user_id).await,
    }
}
