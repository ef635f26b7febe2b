//! How the installation stands, in figures for watching it.
//!
//! Must stay true: a look reads a bounded number of rows, whatever is stored: it is repeated every minute.

use serde::{Deserialize, Serialize};

use super::{Db, Statement, StoreError};
use crate::domain::{ids::UserId, instant::Millis};

/// Users whose own figures are told.
pub const MAX_USERS: u32 = 200;
/// The newest runs and imports that are counted by how they ended.
pub const NEWEST: u32 = 500;
/// Log rows of the last hour that are counted by level.
pub const MAX_LOG_ROWS: u32 = 2_000;
/// Rows of a table that are counted; a larger one has "at least" so many.
pub const MAX_COUNTED: u32 = 10_000;

/// A user's own figures.
#[derive(Clone, Debug, Deserialize)]
pub struct UserGauges {
    pub user_id: UserId,
    pub plays: i64,
    pub last_poll_completed_at: Option<Millis>,
    pub failed_polls: Option<i64>,
    pub quiet_polls: Option<i64>,
    /// `None`: not connected to Spotify.
    pub authorized_at: Option<Millis>,
    pub lost_reason: Option<String>,
}

/// How many there are of a kind in a state.
#[derive(Clone, Debug, Deserialize)]
pub struct Amount {
    /// A type of job, for instance; empty where there is one kind only.
    pub kind: String,
    pub state: String,
    pub counted: i64,
}

/// An instant with the name of what happens, or happened, then.
#[derive(Clone, Debug, Deserialize)]
pub struct Named {
    pub name: String,
    pub at: Millis,
}

/// Everything that `/admin/metrics` tells of the database.
#[derive(Debug)]
pub struct Gauges {
    pub users: Vec<UserGauges>,
    /// Runs that wait or go on, by type.
    pub backlog: Vec<Amount>,
    /// Among the newest runs, those that ended.
    pub ended_runs: Vec<Amount>,
    /// Among the newest imports.
    pub imports: Vec<Amount>,
    /// Rows of the last hour, by level.
    pub log_rows: Vec<Amount>,
    pub blocks: Vec<Named>,
    pub ticks: Vec<Named>,
    /// Among the newest, those that nobody sent again.
    pub dead_letters: i64,
}

const USERS: &str = "SELECT u.id AS user_id, u.total_plays AS plays, s.last_poll_completed_at, s.failed_polls, \
    s.quiet_polls, t.authorized_at, t.lost_reason FROM users u LEFT JOIN sync_states s ON s.user_id = u.id \
    LEFT JOIN spotify_tokens t ON t.user_id = u.id ORDER BY u.id LIMIT CAST(?1 AS INTEGER)";
const BACKLOG: &str = "SELECT job_type AS kind, status AS state, count(*) AS counted FROM job_runs \
    WHERE status IN ('queued', 'running') GROUP BY 1, 2 ORDER BY 1, 2";
const ENDED_RUNS: &str = "SELECT job_type AS kind, status AS state, count(*) AS counted FROM \
    (SELECT job_type, status FROM job_runs ORDER BY id DESC LIMIT CAST(?1 AS INTEGER)) \
    WHERE status NOT IN ('queued', 'running') GROUP BY 1, 2 ORDER BY 1, 2";
const IMPORTS: &str = "SELECT '' AS kind, status AS state, count(*) AS counted FROM \
    (SELECT status FROM import_jobs ORDER BY id DESC LIMIT CAST(?1 AS INTEGER)) GROUP BY 2 ORDER BY 2";
const BLOCKS: &str = "SELECT family AS name, max(blocked_until) AS at FROM spotify_blocks GROUP BY 1 ORDER BY 1";
const TICKS: &str = "SELECT name, last_run_at AS at FROM schedule_ticks ORDER BY 1 LIMIT 50";
// The id of a log row is when it was written: milliseconds times 2048.
const LOG_ROWS: &str = "SELECT '' AS kind, level AS state, count(*) AS counted FROM \
    (SELECT level FROM logs WHERE id >= CAST(?1 AS INTEGER) * 2048 ORDER BY id DESC LIMIT CAST(?2 AS INTEGER)) \
    GROUP BY 2 ORDER BY 2";
const DEAD_LETTERS: &str = "SELECT count(*) AS total FROM \
    (SELECT resent_at FROM dead_letters ORDER BY id DESC LIMIT CAST(?1 AS INTEGER)) WHERE resent_at IS NULL";

/// Reads them all in one batch.
pub async fn read(db: &dyn Db, hour_ago: Millis) -> Result<Gauges, StoreError> {
    let statements = vec![
        Statement::new(USERS).bind(MAX_USERS),
        Statement::new(BACKLOG),
        Statement::new(ENDED_RUNS).bind(NEWEST),
        Statement::new(IMPORTS).bind(NEWEST),
        Statement::new(LOG_ROWS).bind(hour_ago).bind(MAX_LOG_ROWS),
        Statement::new(BLOCKS),
        Statement::new(TICKS),
        Statement::new(DEAD_LETTERS).bind(NEWEST),
    ];
    let mut results = db.batch(statements).await?.into_iter();
    let mut next = || results.next().unwrap_or_default();
    Ok(Gauges {
        users: next().all()?,
        backlog: next().all()?,
        ended_runs: next().all()?,
        imports: next().all()?,
        log_rows: next().all()?,
        blocks: next().all()?,
        ticks: next().all()?,
        dead_letters: next().first::<super::rows::Total>()?.map_or(0, |row| row.total),
    })
}

/// When the clock last ticked, and since when there has been somebody to tick for.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct LastTick {
    pub last_tick_at: Option<Millis>,
    pub first_user_at: Option<Millis>,
}

pub async fn last_tick(db: &dyn Db) -> Result<LastTick, StoreError> {
    const LAST: &str = "SELECT (SELECT max(last_run_at) FROM schedule_ticks) AS last_tick_at, \
        (SELECT created_at FROM users ORDER BY id LIMIT 1) AS first_user_at";
    let found = db.first(Statement::new(LAST)).await?;
    found.ok_or_else(|| StoreError::Shape("no row for the last tick".to_owned()))
}

/// How much a table holds.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TableSize {
    pub name: String,
    pub rows: i64,
    /// Whether `rows` is all: large tables are counted to a bound, and have at least so many.
    pub is_exact: bool,
}

/// A user and how many plays are stored of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserPlays {
    pub user_id: UserId,
    pub plays: i64,
}

/// Every table's size, and every user's number of plays. The plays themselves are counted with their users.
pub async fn sizes(db: &dyn Db) -> Result<(Vec<TableSize>, Vec<UserPlays>), StoreError> {
    #[derive(Deserialize)]
    struct Name {
        name: String,
    }
    #[derive(Deserialize)]
    struct Sum {
        plays: Option<i64>,
    }
    const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' \
        AND name NOT LIKE '\\_cf\\_%' ESCAPE '\\' AND name NOT LIKE 'd1\\_%' ESCAPE '\\' ORDER BY name";
    const PLAYS: &str = "SELECT id AS user_id, total_plays AS plays FROM users ORDER BY id LIMIT CAST(?1 AS INTEGER)";
    let tables: Vec<Name> = db.run(Statement::new(TABLES)).await?.all()?;
    // A name comes out of the schema, not from a request.
    let count = |table: &Name| {
        let sql = match table.name.as_str() {
            "plays" => "SELECT sum(total_plays) AS plays FROM users".to_owned(),
            name => format!("SELECT count(*) AS plays FROM (SELECT 1 FROM \"{name}\" LIMIT {})", MAX_COUNTED + 1),
        };
        Statement::new(sql)
    };
    let mut statements: Vec<Statement> = tables.iter().map(count).collect();
    statements.push(Statement::new(PLAYS).bind(MAX_USERS));
    let mut results = db.batch(statements).await?;
    let plays = results.pop().unwrap_or_default().all()?;
    let mut sizes = Vec::with_capacity(tables.len());
    for (table, rows) in tables.into_iter().zip(results) {
        let found = rows.first::<Sum>()?.and_then(|sum| sum.plays).unwrap_or(0);
        let is_exact = table.name == "plays" || found <= i64::from(MAX_COUNTED);
        sizes.push(TableSize {
            name: table.name,
            rows: if is_exact { found } else { i64::from(MAX_COUNTED) },
            is_exact,
        });
    }
    Ok((sizes, plays))
}
