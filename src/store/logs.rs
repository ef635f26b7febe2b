//! Rows of `logs`.
//!
//! Must stay true: the entries of one request or job are one statement and one row each.

use serde_json::json;

use super::{Db, Statement, StoreError};
use crate::telemetry::{Capture, Entry};

const INSERT: &str = "
INSERT INTO logs (at, service, level, message, user_id, job_run_id, import_job_id, request_id, fields)
SELECT value->>0, ?2, value->>1, value->>2, value->>3, value->>4, value->>5, ?3, value->>6
FROM json_each(?1)";

pub async fn insert(db: &dyn Db, capture: &Capture, entries: &[Entry]) -> Result<(), StoreError> {
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
        .bind(capture.request_id.as_str());
    db.run(statement).await.map(drop)
}
