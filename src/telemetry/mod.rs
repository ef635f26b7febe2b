//! Events of a request or job become rows of `logs`, and JSON lines on the console.
//!
//! A [`Capture`] hangs on the span of one request, message or cron tick; the layer finds it through the span an event
//! happened in, so requests that interleave in one isolate never mix. Must stay true:
//! * every future of a request is instrumented with its span, and no span is entered across an await;
//! * an answer never waits for its log rows and never fails for them;
//! * no token, body or address is ever an event's field, and what looks like a secret all the same is struck out;
//! * rows that could not be written are counted, and the next rows that are written say how many.

mod capture;
mod layer;
mod redaction;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Once};

pub use capture::{Capture, Entry, Service};
use tracing::Span;
use tracing_subscriber::{layer::SubscriberExt, registry::LookupSpan};

pub use crate::config::LogLevel;
use crate::{app::App, domain::instant::Millis, store::logs};

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

/// Writes the rest of what was captured, in one statement. Errors go to the console only.
pub async fn flush(app: &App, capture: &Capture) {
    write(app, capture, capture.finish()).await;
}

/// Inside long work: writes what the current request or job has captured, once that is much or old.
pub async fn flush_if_due(app: &App) {
    if let Some(capture) = current().filter(|capture| capture.is_due(app.now())) {
        write(app, &capture, capture.take()).await;
    }
}

/// The capture of the request or job in hand.
fn current() -> Option<Arc<Capture>> {
    let found = Span::current().with_subscriber(|(id, dispatch)| {
        let registry = dispatch.downcast_ref::<tracing_subscriber::Registry>()?;
        let mut spans = registry.span(id)?.scope();
        spans.find_map(|span| span.extensions().get::<Arc<Capture>>().map(Arc::clone))
    });
    found.flatten()
}

async fn write(app: &App, capture: &Capture, mut entries: Vec<Entry>) {
    let own = entries.len();
    let Some(last) = entries.last() else { return };
    let untold = app.memory.lost_log_rows();
    if untold > 0 {
        let fields = serde_json::Map::from_iter([("lost".to_owned(), untold.into())]);
        let message = format!("{untold} log rows before this one could not be written");
        let subject = capture::Subject::default();
        entries.push(Entry { at: last.at, level: LogLevel::Warning, message, subject, fields });
    }
    match logs::insert(&*app.db, capture, &entries, app.now()).await {
        Ok(()) => app.memory.told_lost_log_rows(untold),
        Err(error) => {
            app.memory.lose_log_rows(own);
            tracing::error!(%error, rows = own, "Log rows were lost");
        }
    }
}
