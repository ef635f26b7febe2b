//! When each entry of the schedule last ran.

use serde::Deserialize;

use super::Statement;
use crate::domain::instant::Millis;

/// A row of `schedule_ticks`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ScheduleTick {
    pub name: String,
    pub last_run_at: Millis,
}

/// Records that an entry ran: one row written.
pub fn ran(name: &'static str, now: Millis) -> Statement {
    const UPSERT: &str = "INSERT INTO schedule_ticks (name, last_run_at) VALUES (?1, ?2) \
        ON CONFLICT (name) DO UPDATE SET last_run_at = max(last_run_at, excluded.last_run_at)";
    Statement::new(UPSERT).bind(name).bind(now)
}

/// All entries that ever ran, as rows of [`ScheduleTick`].
pub fn select() -> Statement {
    Statement::new("SELECT name, last_run_at FROM schedule_ticks ORDER BY name")
}
