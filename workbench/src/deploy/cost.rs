//! What it costs to run: measured where it says so, on the dear side of it elsewhere.
//!
//! Prices and limits: <https://developers.cloudflare.com/d1/platform/pricing/>,
//! <https://developers.cloudflare.com/workers/platform/pricing/>, <https://developers.cloudflare.com/queues/platform/pricing/>.

use std::fmt::Write;

/// What one listener's day comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    pub requests: u64,
    pub rows_written: u64,
    pub queue_operations: u64,
}

/// Minutes between two polls: the default of `POLL_INTERVAL_MINUTES`.
const POLL_INTERVAL_MINUTES: u64 = 10;
const MINUTES_A_DAY: u64 = 24 * 60;
/// Write, read and delete.
const OPERATIONS_A_MESSAGE: u64 = 3;
/// Rows that a tick of the clock writes: that it ticked.
const ROWS_A_TICK: u64 = 1;
/// Rows that a poll with news writes besides its plays (7, held by a test of polls) and its log row. A quiet one writes 2;
/// here all are taken to have news.
const ROWS_A_POLL: u64 = 8;
/// Rows per 100 plays: one a play, and three for each track nobody had heard before, which half of them are taken to be.
/// An assumption on the dear side: imports come to 128.
const ROWS_PER_100_PLAYS: u64 = 250;
/// Questions an assistant asks a day, and what each leaves: a log row.
const QUESTIONS: u64 = 50;

/// One listener with this many plays a day.
pub const fn day(plays: u64) -> Day {
    let polls = MINUTES_A_DAY / POLL_INTERVAL_MINUTES;
    let ticks = MINUTES_A_DAY + 24;
    Day {
        // A tick and a message each are an invocation.
        requests: ticks + polls + QUESTIONS,
        rows_written: ticks * ROWS_A_TICK + polls * ROWS_A_POLL + plays * ROWS_PER_100_PLAYS / 100 + QUESTIONS,
        queue_operations: polls * OPERATIONS_A_MESSAGE,
    }
}

/// Of the free plan, a day.
const FREE: Day = Day { requests: 100_000, rows_written: 100_000, queue_operations: 10_000 };

/// The table that `make deploy` ends with.
pub fn table() -> String {
    let mut text = format!(
        "What a day costs, for one listener ({QUESTIONS} questions, a poll every {POLL_INTERVAL_MINUTES} minutes), of the \
         free plan's limits:\n  plays  requests  D1 rows written  queue operations\n"
    );
    for plays in [100, 500] {
        let Day { requests, rows_written, queue_operations } = day(plays);
        let share = |used: u64, limit: u64| format!("{used} ({} %)", used * 100 / limit);
        let (requests, rows) = (share(requests, FREE.requests), share(rows_written, FREE.rows_written));
        let operations = share(queue_operations, FREE.queue_operations);
        writeln!(text, "  {plays:>5}  {requests:>8}  {rows:>15}  {operations:>16}").unwrap_or_default();
    }
    text.push_str(
        "So the free plan (0 $) carries the collecting. Imports of whole archives want Workers Paid (5 $ a month, with\n\
         50 million rows written a month included): they take more processor time than the free plan gives.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_household_fits_the_free_plan_and_the_table_says_so() {
        let busy = day(500);
        assert!(4 * busy.rows_written < FREE.rows_written && 4 * busy.queue_operations < FREE.queue_operations);
        assert!(table().contains("  500  "), "{}", table());
    }
}
