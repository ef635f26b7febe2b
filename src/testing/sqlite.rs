//! The SQLite adapter: D1's statements on a database in memory, with D1's limits switched on.
//!
//! Must stay true: numbers are bound as REAL, as D1 binds them, so that a statement that forgets a CAST fails here too.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use futures_util::future::{BoxFuture, ready};
use rusqlite::{Connection, StatementStatus, limits::Limit, types::ValueRef};
use serde_json::Value;

use crate::store::{Db, Parameter, Row, Rows, Statement, StoreError, Usage};

/// A database with all migrations applied.
pub struct Sqlite {
    connection: Mutex<Connection>,
    calls: AtomicU64,
    queries: AtomicU64,
    rows_written: AtomicU64,
    /// Steps of SQLite's machine: what the work of statements is measured by.
    steps: AtomicU64,
    /// Batches still to be let through before one fails, for tests of broken connections.
    fail_after: Mutex<Option<(u64, Failure)>>,
    /// Whether what fails once goes on failing.
    is_lasting: AtomicBool,
}

/// How an injected fault behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing of the batch happened.
    BeforeWriting,
    /// The batch was written, and the answer was lost.
    AfterWriting,
    /// Another writer came in between: this SQL ran first, and the batch after it.
    Intruder(&'static str),
    /// The database says this, and nothing of the batch happened.
    Says(&'static str),
    /// Nothing is heard of the database any more until [`Sqlite::heal`]: for whoever uses it, it is as if killed.
    Gone,
}

/// The migrations, as they are applied to D1.
pub const MIGRATIONS: &[&str] = &[
    include_str!("../../migrations/0001_history.sql"),
    include_str!("../../migrations/0002_job_runs.sql"),
    include_str!("../../migrations/0010_imports.sql"),
    include_str!("../../migrations/0020_spotify.sql"),
    include_str!("../../migrations/0021_sync.sql"),
    include_str!("../../migrations/0030_operations.sql"),
    include_str!("../../migrations/0040_tokens.sql"),
    include_str!("../../migrations/0041_oauth.sql"),
    include_str!("../../migrations/0050_schedule_by_hand.sql"),
    include_str!("../../migrations/0060_roles.sql"),
];

impl Sqlite {
    pub fn in_memory() -> Self {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        for (limit, value) in [
            (Limit::SQLITE_LIMIT_LENGTH, i32::try_from(crate::store::MAX_STRING_BYTES).unwrap()),
            (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
            (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 5),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
            (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 50),
            (Limit::SQLITE_LIMIT_COLUMN, 100),
            (Limit::SQLITE_LIMIT_FUNCTION_ARG, 32),
        ] {
            connection.set_limit(limit, value).unwrap();
        }
        for migration in MIGRATIONS {
            connection.execute_batch(migration).unwrap();
        }
        Self {
            connection: Mutex::new(connection),
            calls: AtomicU64::new(0),
            queries: AtomicU64::new(0),
            rows_written: AtomicU64::new(0),
            steps: AtomicU64::new(0),
            fail_after: Mutex::new(None),
            is_lasting: AtomicBool::new(false),
        }
    }

    /// Lets `batches` more through, then fails one.
    pub fn fail_after(&self, batches: u64, failure: Failure) {
        *self.fail_after.lock().unwrap() = Some((batches, failure));
    }

    /// Lets `batches` more through, then fails every one until it is healed.
    pub fn fail_from(&self, batches: u64, failure: Failure) {
        self.is_lasting.store(true, Ordering::Relaxed);
        self.fail_after(batches, failure);
    }

    /// Lets everything through again. Tells whether the fault had come.
    pub fn heal(&self) -> bool {
        let was_lasting = self.is_lasting.swap(false, Ordering::Relaxed);
        match self.fail_after.lock().unwrap().take() {
            Some((batches, _)) => batches == 0 && was_lasting,
            None => true,
        }
    }

    /// Steps of SQLite's machine that `work` takes. One row that a statement looks at is some ten to thirty of them.
    pub fn steps_of(&self, work: impl FnOnce()) -> u64 {
        let before = self.steps.load(Ordering::Relaxed);
        work();
        self.steps.load(Ordering::Relaxed) - before
    }

    /// Direct access, for looking at what is stored and for setting a scene.
    pub fn with<T>(&self, use_it: impl FnOnce(&Connection) -> T) -> T {
        use_it(&self.connection.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn due_failure(&self) -> Option<Failure> {
        let mut fail_after = self.fail_after.lock().unwrap();
        match fail_after.as_mut() {
            Some((0, Failure::Gone)) => Some(Failure::Gone),
            Some((0, failure)) => {
                let failure = *failure;
                if !self.is_lasting.load(Ordering::Relaxed) {
                    *fail_after = None;
                }
                Some(failure)
            }
            Some((batches, _)) => {
                *batches -= 1;
                None
            }
            None => None,
        }
    }

    fn batch_now(&self, statements: &[Statement]) -> Result<Vec<Rows>, StoreError> {
        let failure = self.due_failure();
        let lost = || StoreError::from_message("Network connection lost.");
        match failure {
            Some(Failure::BeforeWriting | Failure::Gone) => return Err(lost()),
            Some(Failure::Says(message)) => return Err(StoreError::from_message(message)),
            _ => {}
        }
        if !statements.iter().any(|statement| statement.sql.contains("INSERT INTO logs")) {
            self.calls.fetch_add(1, Ordering::Relaxed);
            self.queries.fetch_add(statements.len() as u64, Ordering::Relaxed);
        }
        self.with(|connection| {
            if let Some(Failure::Intruder(sql)) = failure {
                connection.execute_batch(sql).unwrap();
            }
            let changes_before = connection.total_changes();
            let transaction = connection.unchecked_transaction().unwrap();
            let mut results = Vec::new();
            for statement in statements {
                statement.check()?;
                let (rows, steps) =
                    run(&transaction, statement).map_err(|error| StoreError::from_message(&error.to_string()))?;
                self.steps.fetch_add(steps, Ordering::Relaxed);
                results.push(rows);
            }
            transaction.commit().map_err(|error| StoreError::from_message(&error.to_string()))?;
            let changes = connection.total_changes() - changes_before;
            self.rows_written.fetch_add(changes, Ordering::Relaxed);
            if failure == Some(Failure::AfterWriting) { Err(lost()) } else { Ok(results) }
        })
    }
}

impl Db for Sqlite {
    fn batch(&self, statements: Vec<Statement>) -> BoxFuture<'_, Result<Vec<Rows>, StoreError>> {
        Box::pin(ready(self.batch_now(&statements)))
    }

    /// The log's own writing is not counted. SQLite does not count rows as D1 bills them: `rows_written` is rows changed, `rows_read` is 0.
    fn usage(&self) -> Usage {
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            queries: self.queries.load(Ordering::Relaxed),
            rows_read: 0,
            rows_written: self.rows_written.load(Ordering::Relaxed),
            database_bytes: self.with(|connection| {
                let pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
                connection.query_row(pages, [], |row| row.get::<_, i64>(0)).ok().map(i64::unsigned_abs)
            }),
        }
    }
}

/// The rows of a statement, and how many steps of SQLite's machine it took.
fn run(connection: &Connection, statement: &Statement) -> Result<(Rows, u64), rusqlite::Error> {
    let mut prepared = connection.prepare_cached(&statement.sql)?;
    for (index, parameter) in statement.parameters.iter().enumerate() {
        match parameter {
            Parameter::Null => prepared.raw_bind_parameter(index + 1, rusqlite::types::Null)?,
            #[expect(clippy::cast_precision_loss, reason = "as D1 does; Statement::check keeps it exact")]
            Parameter::Integer(number) => prepared.raw_bind_parameter(index + 1, *number as f64)?,
            Parameter::Text(text) => prepared.raw_bind_parameter(index + 1, text)?,
            Parameter::Blob(bytes) => prepared.raw_bind_parameter(index + 1, bytes)?,
        }
    }
    let names: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let mut rows = Vec::new();
    let mut cursor = prepared.raw_query();
    while let Some(row) = cursor.next()? {
        let mut object = Row::new();
        for (index, name) in names.iter().enumerate() {
            object.insert(name.clone(), value(row.get_ref(index)?));
        }
        rows.push(object);
    }
    drop(cursor);
    let steps = prepared.reset_status(StatementStatus::VmStep);
    Ok((Rows { rows }, u64::try_from(steps).unwrap_or(0)))
}

fn value(cell: ValueRef<'_>) -> Value {
    match cell {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::from(number),
        // D1 hands every number to JavaScript, where 3.0 is 3.
        #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and exact")]
        ValueRef::Real(number) if number.fract() == 0.0 && number.abs() < 9e15 => Value::from(number as i64),
        ValueRef::Real(number) => Value::from(number),
        ValueRef::Text(text) => Value::from(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::from(bytes.to_vec()),
    }
}
