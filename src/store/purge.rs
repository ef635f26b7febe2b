//! Clearing what is old, a bounded number of rows at a time.
//!
//! Must stay true: nothing that is under way is ever cleared; one step deletes no more than [`STEP_ROWS`] rows of a table, so
//! that others get their turn and the day's share of writes is not gone at once.

use serde::{Deserialize, Serialize};

use super::{Db, Statement, StoreError, logs, rows::Total};
use crate::domain::instant::Millis;

/// Rows of one table that one step deletes.
pub const STEP_ROWS: u32 = 2_000;

/// Where a purge stands: up to when, and what it has deleted so far. The cursor of its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// Log rows, ended runs and dead letters from before this instant (in milliseconds) go.
    pub before_ms: i64,
    /// The same for the record of changes.
    pub audit_before_ms: i64,
    pub deleted: Deleted,
}

/// Rows by table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deleted {
    pub log_entries: u64,
    pub job_runs: u64,
    pub dead_letters: u64,
    pub audit_entries: u64,
}

impl Deleted {
    pub const fn sum(self) -> u64 {
        self.log_entries + self.job_runs + self.dead_letters + self.audit_entries
    }

    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            log_entries: self.log_entries + more.log_entries,
            job_runs: self.job_runs + more.job_runs,
            dead_letters: self.dead_letters + more.dead_letters,
            audit_entries: self.audit_entries + more.audit_entries,
        }
    }
}

impl Purge {
    /// A table, and the condition of what is old in it. The id of a log row says when it was written.
    fn old(&self) -> [(&'static str, String); 4] {
        let first_kept = logs::first_id(Millis(self.before_ms));
        [
            ("logs", format!("id < {first_kept}")),
            ("job_runs", format!("status NOT IN ('queued', 'running') AND updated_at < {}", self.before_ms)),
            ("dead_letters", format!("at < {}", self.before_ms)),
            ("audit", format!("at < {}", self.audit_before_ms)),
        ]
    }

    /// How many rows the next step would delete.
    pub async fn count_step(&self, db: &dyn Db) -> Result<Deleted, StoreError> {
        let count = |(table, is_old): &(&str, String)| {
            let step = format!("SELECT 1 FROM {table} WHERE {is_old} LIMIT {STEP_ROWS}");
            Statement::new(format!("SELECT count(*) AS total FROM ({step})"))
        };
        let mut results = db.batch(self.old().iter().map(count).collect()).await?.into_iter();
        let mut next = || -> Result<u64, StoreError> {
            let total: Option<Total> = results.next().unwrap_or_default().first()?;
            Ok(total.map_or(0, |row| row.total.unsigned_abs()))
        };
        Ok(Deleted { log_entries: next()?, job_runs: next()?, dead_letters: next()?, audit_entries: next()? })
    }

    /// Deletes the oldest rows, as many as [`count_step`](Self::count_step) counts.
    pub fn step(&self) -> Vec<Statement> {
        let delete = |(table, is_old): &(&str, String)| {
            let step = format!("SELECT id FROM {table} WHERE {is_old} ORDER BY id LIMIT {STEP_ROWS}");
            Statement::new(format!("DELETE FROM {table} WHERE id IN ({step})"))
        };
        self.old().iter().map(delete).collect()
    }
}
