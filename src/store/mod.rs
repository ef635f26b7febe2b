//! The database: one port, two adapters, and one file of SQL per group of tables.
//!
//! Must stay true:
//! * [`Db::batch`] is the only transaction: what must hold together is written in one batch;
//! * the SQL that ships is the SQL that is tested: natively on SQLite with D1's limits, end to end on D1 itself;
//! * a bound number arrives as REAL in D1: `CAST(?1 AS INTEGER)` wherever it takes part in arithmetic;
//! * bulk values travel as one JSON string through `json_each`, cut below [`BULK_JSON_BYTES`].

use std::borrow::Cow;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub mod api_tracks;
pub mod askers;
pub mod assistant_tokens;
pub mod audit;
pub mod catalogue;
pub mod contract;
#[cfg(target_arch = "wasm32")]
pub mod d1;
pub mod dead_letters;
pub mod gauges;
pub mod import_jobs;
pub mod issued_tokens;
pub mod job_runs;
pub mod listening;
pub mod log_search;
pub mod logs;
pub mod memory;
pub mod oauth_clients;
pub mod oauth_grants;
pub mod play_list;
pub mod plays;
pub mod possible_gaps;
pub mod purge;
pub mod repeating;
pub mod role_tokens;
pub mod row_imports;
pub mod rows;
pub mod run_list;
pub mod schedule_ticks;
pub mod spotify_accounts;
pub mod spotify_tokens;
pub mod sync_states;
pub mod tracks;
pub mod user_deletion;
pub mod users;
pub mod walk;

pub use rows::Rows;

/// The longest string D1 takes, for a bound value or a stored row.
/// <https://developers.cloudflare.com/d1/platform/limits/>
pub const MAX_STRING_BYTES: usize = 2_000_000;
/// The most parameters D1 takes in one statement.
pub const MAX_PARAMETERS: usize = 100;
/// Where a JSON string of rows is cut: half of what D1 takes, so that no single row can carry it over.
pub const BULK_JSON_BYTES: usize = 1_000_000;
/// The largest integer that survives a JavaScript number.
const MAX_EXACT_INTEGER: i64 = 1 << 53;

/// A value bound to a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Parameter {
    Null,
    Integer(i64),
    Text(String),
    Blob(Vec<u8>),
}

/// One SQL statement with its parameters, `?1` first.
#[derive(Clone, Debug)]
pub struct Statement {
    pub sql: Cow<'static, str>,
    pub parameters: Vec<Parameter>,
}

impl Statement {
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), parameters: Vec::new() }
    }

    #[must_use]
    pub fn bind(mut self, parameter: impl Into<Parameter>) -> Self {
        self.parameters.push(parameter.into());
        self
    }

    /// Refuses what D1 would refuse, or lose, in production but not always on the local runtime.
    pub fn check(&self) -> Result<(), StoreError> {
        if self.parameters.len() > MAX_PARAMETERS {
            return Err(StoreError::Unfit("more than 100 parameters"));
        }
        for parameter in &self.parameters {
            match parameter {
                Parameter::Integer(number) if number.abs() > MAX_EXACT_INTEGER => {
                    return Err(StoreError::Unfit("an integer beyond 2^53"));
                }
                Parameter::Text(text) if text.len() > MAX_STRING_BYTES => {
                    return Err(StoreError::Unfit("a string over 2,000,000 bytes"));
                }
                Parameter::Blob(bytes) if bytes.len() > MAX_STRING_BYTES => {
                    return Err(StoreError::Unfit("a blob over 2,000,000 bytes"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

macro_rules! parameter_from {
    ($($type:ty => |$value:ident| $parameter:expr),+ $(,)?) => {
        $(impl From<$type> for Parameter {
            fn from($value: $type) -> Self {
                $parameter
            }
        })+
    };
}

parameter_from! {
    i64 => |value| Self::Integer(value),
    u32 => |value| Self::Integer(i64::from(value)),
    bool => |value| Self::Integer(i64::from(value)),
    u64 => |value| Self::Integer(i64::try_from(value).unwrap_or(i64::MAX)),
    String => |value| Self::Text(value),
    &str => |value| Self::Text(value.to_owned()),
    Vec<u8> => |value| Self::Blob(value),
    crate::domain::instant::Millis => |value| Self::Integer(value.0),
    crate::domain::ids::UserId => |value| Self::Integer(value.0),
    crate::domain::ids::TrackId => |value| Self::Integer(value.0),
    crate::domain::ids::ImportJobId => |value| Self::Integer(value.0),
    crate::domain::ids::ImportFileId => |value| Self::Integer(value.0),
    crate::domain::grant_secret::GrantId => |value| Self::Integer(value.0),
    crate::domain::ids::JobRunId => |value| Self::Integer(value.0),
    crate::domain::ids::CredentialId => |value| Self::Integer(value.0),
}

impl<T: Into<Self>> From<Option<T>> for Parameter {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Why the store did not do what was asked. Display never carries a bound value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A batch relied on something that no longer holds; nothing of it was written.
    #[error("what the batch relied on no longer holds")]
    AssertionFailed,
    #[error("a constraint was violated: {0}")]
    Constraint(String),
    /// The database was not reached or gave up before it began; repeating is safe where the batch is idempotent.
    #[error("the database could not be reached for now: {0}")]
    Retryable(String),
    /// The database has more to do than it can, or the statement took longer than it may: not to be repeated at once.
    #[error("the database is busy: {0}")]
    Busy(String),
    /// The day's rows are used up; queries fail until midnight UTC.
    #[error("the database's limit for this day is reached: {0}")]
    DayIsFull(String),
    /// A text on its way out of the database was longer than D1 lets it be: ask for less at once.
    #[error("an answer was longer than the database gives: {0}")]
    TooBig(String),
    #[error("the statement does not fit the database: {0}")]
    Unfit(&'static str),
    #[error("the database failed: {0}")]
    Failed(String),
    #[error("a row did not have the shape its statement promises: {0}")]
    Shape(String),
}

impl StoreError {
    /// Whether the database did not answer, as against answering that something is wrong.
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Retryable(_) | Self::Busy(_))
    }

    /// Sorts a database's message into the kinds that callers treat differently.
    ///
    /// Texts: SQLite's, and <https://developers.cloudflare.com/d1/observability/debug-d1/> for the retryable ones.
    pub fn from_message(message: &str) -> Self {
        const RETRYABLE: [&str; 5] = [
            "Network connection lost",
            "reset because its code was updated",
            "storage caused object to be reset",
            "Cannot resolve D1 DB due to transient issue",
            "Can't read from request stream because client disconnected",
        ];
        const BUSY: [&str; 3] = ["D1 DB is overloaded", "exceeded timeout", "exceeded its"];
        let first_line = message.lines().next().unwrap_or_default().to_owned();
        if message.contains("assertion_failed") {
            Self::AssertionFailed
        } else if message.contains("constraint failed") {
            Self::Constraint(first_line)
        } else if message.contains("string or blob too big") {
            Self::TooBig(first_line)
        } else if message.contains("exceeded D1's free tier daily row") {
            Self::DayIsFull(first_line)
        } else if RETRYABLE.iter().any(|text| message.contains(text)) {
            Self::Retryable(first_line)
        } else if BUSY.iter().any(|text| message.contains(text)) {
            Self::Busy(first_line)
        } else {
            Self::Failed(first_line)
        }
    }
}

/// What an adapter's statements have cost so far, in D1's own count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Round trips.
    pub calls: u64,
    /// Statements, of which the platform allows so many in one invocation.
    pub queries: u64,
    pub rows_read: u64,
    pub rows_written: u64,
    /// The size of the whole database, as last told; `None` before the first answer.
    pub database_bytes: Option<u64>,
}

/// The database as the rest of the program sees it.
pub trait Db: Send + Sync {
    /// Runs the statements in order as one transaction: all of them happen, or none.
    fn batch(&self, statements: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, StoreError>>;

    /// The cost of everything that went through this value.
    fn usage(&self) -> Usage;
}

impl dyn Db + '_ {
    /// Runs one statement.
    pub async fn run(&self, statement: Statement) -> Result<Rows, StoreError> {
        let mut results = self.batch(vec![statement]).await?;
        results.pop().ok_or_else(|| StoreError::Shape("no result for the statement".to_owned()))
    }

    /// The first row of one statement, if there is one.
    pub async fn first<T: DeserializeOwned>(&self, statement: Statement) -> Result<Option<T>, StoreError> {
        self.run(statement).await?.first()
    }
}

/// An object read from a row: its columns by name.
pub type Row = serde_json::Map<String, Value>;

/// The rows as JSON arrays, cut so that none is over [`BULK_JSON_BYTES`] unless a single row is.
pub fn bulk<T: serde::Serialize>(rows: impl IntoIterator<Item = T>) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = Vec::with_capacity(64 * 1024);
    for row in rows {
        let began_at = piece.len();
        piece.push(if began_at == 0 { b'[' } else { b',' });
        if serde_json::to_writer(&mut piece, &row).is_err() {
            piece.truncate(began_at);
            continue;
        }
        if piece.len() > BULK_JSON_BYTES && began_at > 0 {
            let mut next = piece.split_off(began_at);
            if let Some(first) = next.first_mut() {
                *first = b'[';
            }
            pieces.push(std::mem::replace(&mut piece, next));
        }
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    let close = |mut piece: Vec<u8>| {
        piece.push(b']');
        String::from_utf8(piece).unwrap_or_default()
    };
    pieces.into_iter().map(close).collect()
}

/// Undoes the whole batch it opens unless `condition` (an SQL expression over `?1`, `?2`, ...) holds.
pub fn assert_that(condition: &str) -> Statement {
    Statement::new(format!("INSERT INTO assertions SELECT 0 WHERE NOT ({condition})"))
}
