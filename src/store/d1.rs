//! The D1 adapter: the only place that sees D1's types.
//!
//! Must stay true: only `batch` with prepared statements is used, since other calls give unclassified errors; errors
//! are sorted by their cause's text, never by Display, which carries a stack.

use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use js_sys::Uint8Array;
use serde_json::Value;
use worker::{D1Database, D1PreparedStatement, send::SendFuture, wasm_bindgen::JsValue};

use super::{Db, Parameter, Row, Rows, Statement, StoreError, Usage};

/// D1 behind the port, counting what it costs.
pub struct D1 {
    database: D1Database,
    calls: AtomicU64,
    queries: AtomicU64,
    rows_read: AtomicU64,
    rows_written: AtomicU64,
    /// 0 until the database has told it.
    database_bytes: AtomicU64,
}

impl D1 {
    pub const fn new(database: D1Database) -> Self {
        Self {
            database,
            calls: AtomicU64::new(0),
            queries: AtomicU64::new(0),
            rows_read: AtomicU64::new(0),
            rows_written: AtomicU64::new(0),
            database_bytes: AtomicU64::new(0),
        }
    }

    fn prepare(&self, statement: &Statement) -> Result<D1PreparedStatement, StoreError> {
        statement.check()?;
        let values: Vec<JsValue> = statement.parameters.iter().map(js_value).collect();
        let prepared = self.database.prepare(statement.sql.as_ref());
        if values.is_empty() { Ok(prepared) } else { prepared.bind(&values).map_err(|error| classified(&error)) }
    }

    async fn batch_now(&self, statements: Vec<Statement>) -> Result<Vec<Rows>, StoreError> {
        let prepared = statements.iter().map(|statement| self.prepare(statement)).collect::<Result<Vec<_>, _>>()?;
        drop(statements);
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.queries.fetch_add(prepared.len() as u64, Ordering::Relaxed);
        let results = self.database.batch(prepared).await.map_err(|error| classified(&error))?;
        results.iter().map(|result| self.rows(result)).collect()
    }

    fn rows(&self, result: &worker::D1Result) -> Result<Rows, StoreError> {
        if let Some(message) = result.error() {
            return Err(StoreError::from_message(&message));
        }
        let values = result.results::<Value>().map_err(|error| StoreError::Shape(error.to_string()))?;
        let rows = values.into_iter().map(row).collect::<Result<Vec<_>, _>>()?;
        if let Ok(Some(meta)) = result.meta() {
            self.rows_read.fetch_add(meta.rows_read.unwrap_or(0) as u64, Ordering::Relaxed);
            self.rows_written.fetch_add(meta.rows_written.unwrap_or(0) as u64, Ordering::Relaxed);
            if let Some(bytes) = meta.size_after {
                self.database_bytes.store(bytes as u64, Ordering::Relaxed);
            }
        }
        Ok(Rows { rows })
    }
}

impl Db for D1 {
    fn batch(&self, statements: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, StoreError>> {
        Box::pin(SendFuture::new(self.batch_now(statements)))
    }

    fn usage(&self) -> Usage {
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            queries: self.queries.load(Ordering::Relaxed),
            rows_read: self.rows_read.load(Ordering::Relaxed),
            rows_written: self.rows_written.load(Ordering::Relaxed),
            database_bytes: Some(self.database_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0),
        }
    }
}

fn row(value: Value) -> Result<Row, StoreError> {
    match value {
        Value::Object(row) => Ok(row),
        _ => Err(StoreError::Shape("a row that is not an object".to_owned())),
    }
}

fn js_value(parameter: &Parameter) -> JsValue {
    match parameter {
        Parameter::Null => JsValue::NULL,
        #[expect(clippy::cast_precision_loss, reason = "Statement::check refuses integers beyond 2^53")]
        Parameter::Integer(number) => JsValue::from_f64(*number as f64),
        Parameter::Text(text) => JsValue::from_str(text),
        Parameter::Blob(bytes) => Uint8Array::from(bytes.as_slice()).into(),
    }
}

fn classified(error: &worker::Error) -> StoreError {
    match error {
        worker::Error::D1(error) => StoreError::from_message(&error.cause()),
        other => StoreError::from_message(&other.to_string()),
    }
}
