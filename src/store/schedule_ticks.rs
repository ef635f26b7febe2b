//! When each entry of the schedule last ran.

use serde::Deserialize;

use super::{Db, Statement, StoreError};
use crate::domain::instant::{MINUTE_MS, Millis};

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

/// How long a run by hand may take until it counts as broken off: the sweep and the tidying take seconds.
pub const BY_HAND_MS: i64 = 2 * MINUTE_MS;

/// Begins to run an entry by hand; tells whether nobody else does. `record` goes first in the batch, where its condition holds.
pub async fn begin_by_hand(
    db: &dyn Db,
    name: &'static str,
    record: impl FnOnce(&str) -> Statement,
    now: Millis,
) -> Result<bool, StoreError> {
    const BEGIN: &str = "INSERT INTO schedule_ticks (name, last_run_at, by_hand_until) VALUES (?1, ?2, ?3) \
        ON CONFLICT (name) DO UPDATE SET by_hand_until = excluded.by_hand_until \
          WHERE coalesce(by_hand_until, 0) <= ?2 RETURNING name";
    // Both are of this program, and a number: nothing that would have to be bound.
    let is_free = format!(
        "NOT EXISTS (SELECT 1 FROM schedule_ticks WHERE name = '{name}' AND coalesce(by_hand_until, 0) > {})",
        now.0
    );
    let begin = Statement::new(BEGIN).bind(name).bind(now).bind(now.plus_ms(BY_HAND_MS));
    let taken = db.batch(vec![record(&is_free), begin]).await?.pop().unwrap_or_default();
    Ok(!taken.rows.is_empty())
}

/// The run by hand is over.
pub fn ended_by_hand(name: &'static str, now: Millis) -> Statement {
    const END: &str =
        "UPDATE schedule_ticks SET last_run_at = max(last_run_at, ?2), by_hand_until = NULL WHERE name = ?1";
    Statement::new(END).bind(name).bind(now)
}

/// All entries that ever ran, as rows of [`ScheduleTick`].
pub fn select() -> Statement {
    Statement::new("SELECT name, last_run_at FROM schedule_ticks ORDER BY name")
}
