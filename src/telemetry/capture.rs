//! The events of one request, message or tick, until they are flushed.
//!
//! Must stay true: bounded, however long the work and however often it is flushed: beyond [`MAX_ENTRIES`] only warnings
//! and errors are kept, beyond twice that nothing is, and how many were left out is told at the end.

use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    config::LogLevel,
    domain::instant::{Millis, SECOND_MS},
};

/// The door an event came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Service {
    Http,
    Queue,
    Cron,
}

impl Service {
    pub const NAMES: [&str; 3] = ["http", "queue", "cron"];

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
/// So many entries are worth a flush in the middle of long work.
const DUE_ENTRIES: usize = 50;
/// An entry waits no longer than this for a flush, where the work can be interrupted.
const DUE_AFTER_MS: i64 = 5 * SECOND_MS;
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
    /// How many were kept, those flushed already included.
    kept: usize,
    left_out: usize,
    last: Option<(Millis, Subject)>,
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
        state.last = Some((entry.at, entry.subject));
        if state.kept < room {
            state.kept += 1;
            state.entries.push(entry);
        } else {
            state.left_out += 1;
        }
    }

    /// Whether what is collected should not wait for the end of the work.
    pub fn is_due(&self, now: Millis) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = |first: &Entry| now.since_ms(first.at) >= DUE_AFTER_MS;
        state.entries.len() >= DUE_ENTRIES || state.entries.first().is_some_and(waited)
    }

    /// Takes what was collected so far; more may come.
    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).entries)
    }

    /// Takes the rest, with a last entry that tells how many were left out.
    pub fn finish(&self) -> Vec<Entry> {
        let mut entries = self.take();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = std::mem::take(&mut state.left_out);
        if let (Some((at, subject)), true) = (state.last, left_out > 0) {
            let fields = Map::from_iter([("left_out".to_owned(), Value::from(left_out))]);
            let message = format!("{left_out} further log entries were left out");
            entries.push(Entry { at, level: LogLevel::Warning, message, subject, fields });
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
        let entries = capture.finish();
        assert_eq!(entries.len(), MAX_ENTRIES + 2);
        assert_eq!(entries[MAX_ENTRIES].level, LogLevel::Error);
        assert_eq!(entries[MAX_ENTRIES + 1].message, "800 further log entries were left out");
        assert!(capture.finish().is_empty());
    }

    #[test]
    fn the_cap_holds_over_all_flushes_together() {
        let capture = Capture::new(Service::Queue, "r".to_owned(), LogLevel::Info);
        let mut kept = 0;
        for _ in 0..1_000 {
            capture.push(entry(LogLevel::Info));
            if capture.is_due(Millis(1)) {
                kept += capture.take().len();
            }
        }
        let rest = capture.finish();
        assert_eq!((kept, rest.len()), (MAX_ENTRIES, 1));
        assert_eq!(rest[0].fields["left_out"], 800);
    }

    #[test]
    fn fifty_entries_or_five_seconds_are_due() {
        let capture = Capture::new(Service::Queue, "r".to_owned(), LogLevel::Info);
        assert!(!capture.is_due(Millis(1_000_000)), "nothing is never due");
        capture.push(entry(LogLevel::Info));
        assert!(!capture.is_due(Millis(5_000)));
        assert!(capture.is_due(Millis(5_001)));
        for _ in 1..50 {
            capture.push(entry(LogLevel::Info));
        }
        assert!(capture.is_due(Millis(1)));
    }

    #[test]
    fn entries_below_the_level_are_not_kept() {
        let capture = Capture::new(Service::Http, "r".to_owned(), LogLevel::Warning);
        capture.push(entry(LogLevel::Info));
        assert!(capture.take().is_empty());
    }
}
