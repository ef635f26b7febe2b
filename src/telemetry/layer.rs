//! The tracing layer: from an event to an entry of the right capture and a line on the console.
//!
//! Must stay true: `user_id`, `job_run_id` and `import_job_id`, on the event or any span around it, become the entry's
//! subject, the innermost winning; everything else of the event becomes a field, cut to size; secrets stop here, for rows and
//! console alike.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value, json};
use tracing::{
    Event, Id, Level, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Record},
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use super::{
    Platform,
    capture::{Capture, Entry, MAX_TEXT_CHARS, Subject},
    redaction,
};
use crate::config::LogLevel;

pub struct CaptureLayer {
    platform: Platform,
}

impl CaptureLayer {
    pub const fn new(platform: Platform) -> Self {
        Self { platform }
    }
}

impl<S: Subscriber + for<'span> LookupSpan<'span>> Layer<S> for CaptureLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut read = Reading::default();
        attributes.record(&mut read);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(read.subject);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let mut read = Reading::default();
        values.record(&mut read);
        if let Some(span) = context.span(id) {
            let mut extensions = span.extensions_mut();
            if let Some(subject) = extensions.get_mut::<Subject>() {
                subject.learn(read.subject);
            } else {
                extensions.insert(read.subject);
            }
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let level = level_of(*event.metadata().level());
        let mut read = Reading::default();
        event.record(&mut read);
        let mut capture: Option<Arc<Capture>> = None;
        let mut subject = Subject::default();
        for span in context.event_scope(event).into_iter().flat_map(tracing_subscriber::registry::Scope::from_root) {
            let extensions = span.extensions();
            if let Some(of_span) = extensions.get::<Subject>() {
                subject.learn(*of_span);
            }
            capture = extensions.get::<Arc<Capture>>().map(Arc::clone).or(capture);
        }
        subject.learn(read.subject);
        let entry = Entry { at: (self.platform.now)(), level, message: read.message, subject, fields: read.fields };
        if level >= LogLevel::Info {
            (self.platform.console)(level, &line(&entry, capture.as_deref()));
        }
        if let Some(capture) = capture {
            capture.push(entry);
        }
    }
}

const fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Error,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG | Level::TRACE => LogLevel::Debug,
    }
}

fn line(entry: &Entry, capture: Option<&Capture>) -> String {
    json!({
        "at": entry.at,
        "level": entry.level.as_str(),
        "service": capture.map(|capture| capture.service.as_str()),
        "message": entry.message,
        "request_id": capture.map(|capture| &capture.request_id),
        "user_id": entry.subject.user_id,
        "job_run_id": entry.subject.job_run_id,
        "import_job_id": entry.subject.import_job_id,
        "fields": entry.fields,
    })
    .to_string()
}

#[derive(Default)]
struct Reading {
    message: String,
    subject: Subject,
    fields: Map<String, Value>,
}

impl Reading {
    fn text(&mut self, field: &Field, text: &str) {
        let name = field.name();
        let cut = || text.chars().take(MAX_TEXT_CHARS).collect::<String>();
        if name == "message" {
            self.message = redaction::without_secrets(&cut());
        } else if redaction::is_secret_name(name) {
            self.fields.insert(name.to_owned(), redaction::STRUCK_OUT.into());
        } else {
            self.fields.insert(name.to_owned(), redaction::without_secrets(&cut()).into());
        }
    }
}

impl Visit for Reading {
    fn record_i64(&mut self, field: &Field, value: i64) {
        match field.name() {
            "user_id" => self.subject.user_id = Some(value),
            "job_run_id" => self.subject.job_run_id = Some(value),
            "import_job_id" => self.subject.import_job_id = Some(value),
            name => {
                self.fields.insert(name.to_owned(), Value::from(value));
            }
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.fields.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.fields.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.fields.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.text(field, &format!("{value:?}"));
    }
}
