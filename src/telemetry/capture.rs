//! The events of one request, message or tick, until they are flushed.
//!
//! Must stay true: bounded, however long the work: beyond [`MAX_ENTRIES`] only warnings and errors are kept, beyond
//! twice that nothing is, and how many were left out is told.

use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::{config::LogLevel, domain::instant::Millis};

/// The door an event came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Http,
    Queue,
    Cron,
}

impl Service {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Queue => "queue",
            Self::Cron => "cron",
        }
    }
}

/// Entries of `info` and `debug` beyond this many are counted and left out.
pub const MAX_ENTRIES: usize = 200;
/// Longer messages and field values are cut.
pub const MAX_TEXT_CHARS: usize = 2_000;

/// Ids that become columns of a log row, so that logs can be found by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_field_names, reason = "named as the columns and the event fields are")]
pub struct Subject {
    pub user_id: Option<i64>,
    pub job_run_id: Option<i64>,
    pub import_job_id: Option<i64>,
}

impl Subject {
    /// Takes what `other` knows; keeps the rest.
    pub fn learn(&mut self, other: Self) {
        self.user_id = other.user_id.or(self.user_id);
        self.job_run_id = other.job_run_id.or(self.job_run_id);
        self.import_job_id = other.import_job_id.or(self.import_job_id);
    }
}

/// One event.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Millis,
    pub level: LogLevel,
    pub message: String,
    pub subject: Subject,
    pub fields: Map<String, Value>,
}

/// Collects the events of one request, message or tick.
#[derive(Debug)]
pub struct Capture {
    pub service: Service,
    pub request_id: String,
    least: LogLevel,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    left_out: usize,
}

impl Capture {
    pub fn new(service: Service, request_id: String, least: LogLevel) -> Self {
        Self { service, request_id, least, state: Mutex::default() }
    }

    pub(super) fn push(&self, entry: Entry) {
        if entry.level < self.least {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let room = if entry.level >= LogLevel::Warning { 2 * MAX_ENTRIES } else { MAX_ENTRIES };
        if state.entries.len() < room {
            state.entries.push(entry);
        } else {
            state.left_out += 1;
        }
    }

    /// Takes everything collected so far, with a last entry that tells how many were left out.
    pub fn take(&self) -> Vec<Entry> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = std::mem::take(&mut state.entries);
        let left_out = std::mem::take(&mut state.left_out);
        if let (Some(last), true) = (entries.last(), left_out > 0) {
            let fields = Map::from_iter([("left_out".to_owned(), Value::from(left_out))]);
            let message = format!("{left_out} further log entries were left out");
            let entry = Entry { at: last.at, level: LogLevel::Warning, message, subject: last.subject, fields };
            entries.push(entry);
        }
        entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(level: LogLevel) -> Entry {
        Entry {
            at: Millis(1),
            level,
            message: "Something happened".to_owned(),
            subject: Subject::default(),
            fields: Map::new(),
        }
    }

    #[test]
    fn a_flood_is_capped_and_told_and_errors_still_get_through() {
        let capture = Capture::new(Service::Http, "r".to_owned(), LogLevel::Info);
        for _ in 0..1_000 {
            capture.push(entry(LogLevel::Info));
        }
        capture.push(entry(LogLevel::Error));
        let entries = capture.take();
        assert_eq!(entries.len(), MAX_ENTRIES + 2);
        assert_eq!(entries[MAX_ENTRIES].level, LogLevel::Error);
        assert_eq!(entries[MAX_ENTRIES + 1].message, "800 further log entries were left out");
        assert!(capture.take().is_empty());
    }

    #[test]
    fn entries_below_the_level_are_not_kept() {
        let capture = Capture::new(Service::Http, "r".to_owned(), LogLevel::Warning);
        capture.push(entry(LogLevel::Info));
        assert!(capture.take().is_empty());
    }
}
