//! Rows of `logs`: how they come in.
//!
//! Must stay true: the entries of one request or job are one statement and one row each; the id of a row is when it was
//! written (see [`first_id`]) and higher than every earlier one, so that the table is in the order of writing.

use serde_json::json;

use super::{Db, Statement, StoreError};
use crate::{
    domain::instant::Millis,
    telemetry::{Capture, Entry},
};

/// Rows that may be written in one millisecond. Ids stay below 2^53 until the year 2109.
const IDS_PER_MS: i64 = 2_048;
/// The last instant that has an id: later ones share its.
const LAST_INSTANT: Millis = Millis((1 << 42) - 1);

/// The lowest id a row can have that was written at or after `instant`.
pub fn first_id(instant: Millis) -> i64 {
    instant.clamp(Millis(0), LAST_INSTANT).0 * IDS_PER_MS
}

/// When a row was written.
pub const fn written_at(id: i64) -> Millis {
    Millis(id / IDS_PER_MS)
}

/// A user that is deleted leaves no trace, also when the work in hand goes on for another moment: hence the CASE.
const INSERT: &str = "
INSERT INTO logs (id, at, service, level, message, user_id, job_run_id, import_job_id, request_id, fields)
SELECT fresh.id + entry.key, value->>0, ?2, value->>1, value->>2,
  CASE WHEN EXISTS (SELECT 1 FROM retired_user_ids WHERE retired_user_ids.id = value->>3) THEN NULL ELSE value->>3 END,
  value->>4, value->>5, ?3, value->>6
FROM (SELECT max(coalesce((SELECT max(id) FROM logs), 0) + 1, CAST(?4 AS INTEGER)) AS id) AS fresh, json_each(?1) AS entry";

pub async fn insert(db: &dyn Db, capture: &Capture, entries: &[Entry], now: Millis) -> Result<(), StoreError> {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| {
            let subject = entry.subject;
            let fields = (!entry.fields.is_empty()).then(|| serde_json::Value::from(entry.fields.clone()).to_string());
            json!([
                entry.at.0,
                entry.level.as_str(),
                entry.message,
                subject.user_id,
                subject.job_run_id,
                subject.import_job_id,
                fields
            ])
        })
        .collect();
    let statement = Statement::new(INSERT)
        .bind(serde_json::Value::from(rows).to_string())
        .bind(capture.service.as_str())
        .bind(capture.request_id.as_str())
        .bind(first_id(now));
    db.run(statement).await.map(drop)
}
