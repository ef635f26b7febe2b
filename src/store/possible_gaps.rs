//! Stretches in which Spotify may have listed plays that no poll saw.

use serde::Deserialize;

use super::{Statement, listening::ASKED_USER};
use crate::domain::{ids::UserId, instant::Millis};

/// Between the last play known before, and the first of a page full of unknown ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct PossibleGap {
    pub from_at: Millis,
    pub to_at: Millis,
}

/// For the batch of the poll that found it.
pub fn insert(user: UserId, gap: PossibleGap, now: Millis) -> Statement {
    const INSERT: &str = "INSERT INTO possible_gaps (user_id, from_at, to_at, found_at) VALUES (?1, ?2, ?3, ?4) \
        ON CONFLICT (user_id, from_at) DO NOTHING";
    Statement::new(INSERT).bind(user).bind(gap.from_at).bind(gap.to_at).bind(now)
}

/// Those of the user asked about that reach into a window and that no export has filled since, as rows of [`PossibleGap`].
pub fn select(user: Option<UserId>, from: Millis, to: Millis) -> Statement {
    let sql = format!(
        "SELECT from_at, to_at FROM possible_gaps AS gaps \
         WHERE user_id = {ASKED_USER} AND from_at < CAST(?3 AS INTEGER) AND to_at > CAST(?2 AS INTEGER) \
           AND NOT EXISTS (SELECT 1 FROM plays WHERE plays.user_id = gaps.user_id AND ended_at > gaps.from_at \
             AND ended_at < gaps.to_at AND extended_offset_ms IS NOT NULL) \
         ORDER BY from_at LIMIT 100"
    );
    Statement::new(sql).bind(user).bind(from).bind(to)
}
