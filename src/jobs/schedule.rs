//! Everything the clock starts, on one page.
//!
//! Must stay true: each entry of `wrangler.toml`'s crons is here, and a cron that is not logs an error.

use std::sync::Arc;

use tracing::Instrument;

use crate::{
    app::App,
    domain::instant::Millis,
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

async fn sweep(_app: &App, _now: Millis) {}
