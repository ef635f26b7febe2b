//! The user a question is about, read in the same batch as the plays.

use serde::Deserialize;

use super::{Rows, Statement, StoreError, listening::ASKED_USER};
use crate::domain::{ids::UserId, instant::Millis};

/// Whose history is asked about, and how it stands.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Asker {
    pub id: UserId,
    pub timezone: String,
    /// Grows with every change of this user's plays: an answer is good for one version.
    pub plays_version: i64,
    /// Changes with every change of anybody's plays, and so of any track or artist. Whoever changes tracks, artists or
    /// their links outside a batch of plays must let a `plays_version` grow as well.
    pub generation: String,
    /// The first and the last row of any kind there is.
    pub first_ever: Option<Millis>,
    pub last_ever: Option<Millis>,
}

/// The user asked about, or the only one there is; read with [`read`].
pub fn select(user: Option<UserId>) -> Statement {
    let sql = format!(
        "SELECT u.id, u.timezone, u.plays_version,
           (SELECT sum(plays_version) || ':' || count(*) || ':' || max(id) FROM users) AS generation,
           (SELECT p.ended_at FROM plays p WHERE p.user_id = u.id ORDER BY p.ended_at LIMIT 1) AS first_ever,
           (SELECT p.ended_at FROM plays p WHERE p.user_id = u.id ORDER BY p.ended_at DESC LIMIT 1) AS last_ever
         FROM users u WHERE u.id = {ASKED_USER}"
    );
    Statement::new(sql).bind(user)
}

pub fn read(rows: Rows) -> Result<Option<Asker>, StoreError> {
    rows.first()
}

/// The first ids there are, for telling which can be asked about.
pub fn select_ids(limit: u32) -> Statement {
    Statement::new("SELECT id FROM users ORDER BY id LIMIT CAST(?1 AS INTEGER)").bind(limit)
}

#[derive(Deserialize)]
struct Id {
    id: UserId,
}

pub fn read_ids(rows: Rows) -> Result<Vec<UserId>, StoreError> {
    Ok(rows.all::<Id>()?.into_iter().map(|row| row.id).collect())
}
