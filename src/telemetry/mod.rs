//! Events of a request or job become rows of `logs`, and JSON lines on the console.
//!
//! A [`Capture`] hangs on the span of one request, message or cron tick; the layer finds it through the span an event
//! happened in, so requests that interleave in one isolate never mix. Must stay true:
//! * every future of a request is instrumented with its span, and no span is entered across an await;
//! * an answer never waits for its log rows and never fails for them;
//! * no token, body or address is ever an event's field.

mod capture;
mod layer;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Once};

pub use capture::{Capture, Entry, Service};
use tracing::Span;
use tracing_subscriber::{layer::SubscriberExt, registry::LookupSpan};

use crate::{app::App, config::LogLevel, domain::instant::Millis, store::logs};

/// What the layer needs from the platform; plain functions, since the subscriber outlives every request.
#[derive(Clone, Copy)]
pub struct Platform {
    pub now: fn() -> Millis,
    /// Takes one JSON line.
    pub console: fn(LogLevel, &str),
}

/// Sets the subscriber, once for each isolate.
pub fn install(platform: Platform) {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let subscriber = tracing_subscriber::registry().with(layer::CaptureLayer::new(platform));
        // A subscriber that is already set is another test's, and just as good.
        drop(tracing::subscriber::set_global_default(subscriber));
    });
}

/// Opens the span of one request, message or tick, with its capture attached.
pub fn open(capture: &Arc<Capture>) -> Span {
    let span = tracing::info_span!("event", service = capture.service.as_str());
    span.with_subscriber(|(id, dispatch)| {
        if let Some(span) =
            dispatch.downcast_ref::<tracing_subscriber::Registry>().and_then(|registry| registry.span(id))
        {
            span.extensions_mut().insert(Arc::clone(capture));
        }
    });
    span
}

/// Writes what was captured, in one statement. Errors go to the console only.
pub async fn flush(app: &App, capture: &Capture) {
    let entries = capture.take();
    if entries.is_empty() {
        return;
    }
    if let Err(error) = logs::insert(&*app.db, capture, &entries).await {
        tracing::error!(%error, rows = entries.len(), "Log rows were lost");
    }
}
