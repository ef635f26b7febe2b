//! Everything the clock starts, on one page.
//!
//! Must stay true: each entry of `wrangler.toml`'s crons is here, and a cron that is not logs an error.

use std::sync::Arc;

use tracing::Instrument;

use crate::{
    app::App,
    domain::instant::Millis,
    jobs::message::JobMessage,
    store::import_jobs,
    telemetry::{self, Capture, Service},
};

/// Every minute: what is due or stuck is sent again.
pub const SWEEP: &str = "* * * * *";

/// Does what the clock asks for. `now` is the tick's own time.
pub async fn tick(app: &App, cron: &str, now: Millis) {
    let capture = Arc::new(Capture::new(Service::Cron, app.clock.random_hex(), app.config.log_level));
    let span = telemetry::open(&capture);
    async {
        match cron {
            SWEEP => sweep(app, now).await,
            other => tracing::error!(cron = other, "No job is set for this cron"),
        }
        telemetry::flush(app, &capture).await;
    }
    .instrument(span)
    .await;
}

/// Sends a message for every import that nobody works on.
async fn sweep(app: &App, now: Millis) {
    let due = match import_jobs::take_back_stuck(&*app.db, now).await {
        Ok(due) => due,
        Err(error) => return tracing::error!(%error, "The sweep could not look for stuck imports"),
    };
    for import_job_id in due {
        tracing::warn!(import_job_id = import_job_id.0, "An import was stuck and is sent again");
        if let Err(error) = app.queue.send(&JobMessage::ImportArchive { import_job_id }).await {
            tracing::error!(import_job_id = import_job_id.0, %error, "A stuck import could not be sent again");
        }
    }
}
