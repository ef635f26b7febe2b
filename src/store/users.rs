//! People whose history is kept.

use serde::Deserialize;

use super::{Db, Statement, StoreError, assert_that};
use crate::domain::{ids::UserId, instant::Millis};

/// A row of `users`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub display_name: String,
    pub timezone: String,
    pub spotify_user_id: Option<String>,
    pub plays_version: i64,
    pub total_plays: i64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

const COLUMNS: &str = "id, display_name, timezone, spotify_user_id, plays_version, total_plays, created_at, updated_at";

/// A new user under an id that nobody ever had. `RETURNING` answers with the row.
pub fn inserting(display_name: &str, timezone: &str, now: Millis) -> Statement {
    let sql = format!(
        "INSERT INTO users (id, display_name, timezone, created_at, updated_at) \
         SELECT 1 + max(coalesce((SELECT max(id) FROM users), 0), coalesce((SELECT max(id) FROM retired_user_ids), 0)), \
           ?1, ?2, ?3, ?3 \
         RETURNING {COLUMNS}"
    );
    Statement::new(sql).bind(display_name).bind(timezone).bind(now)
}

/// Stores a new user, with `others` in the same batch after it.
pub async fn insert(
    db: &dyn Db,
    display_name: &str,
    timezone: &str,
    now: Millis,
    others: Vec<Statement>,
) -> Result<User, StoreError> {
    let mut statements = vec![inserting(display_name, timezone, now)];
    statements.extend(others);
    let results = db.batch(statements).await?;
    let user = results.into_iter().next().unwrap_or_default().first()?;
    user.ok_or_else(|| StoreError::Shape("no row for a new user".to_owned()))
}

/// Changes name and zone, with `record` in the same batch. `None`: no such user; nothing happened.
pub async fn update(
    db: &dyn Db,
    id: UserId,
    display_name: &str,
    timezone: &str,
    record: Statement,
    now: Millis,
) -> Result<Option<User>, StoreError> {
    let sql =
        format!("UPDATE users SET display_name = ?2, timezone = ?3, updated_at = ?4 WHERE id = ?1 RETURNING {COLUMNS}");
    let exists = assert_that("EXISTS (SELECT 1 FROM users WHERE id = ?1)").bind(id);
    let update = Statement::new(sql).bind(id).bind(display_name).bind(timezone).bind(now);
    match db.batch(vec![exists, record, update]).await {
        Ok(mut results) => results.pop().unwrap_or_default().first(),
        Err(StoreError::AssertionFailed) => Ok(None),
        Err(error) => Err(error),
    }
}

/// For one batch with other statements: the user's row, or none.
pub fn select(id: UserId) -> Statement {
    Statement::new(format!("SELECT {COLUMNS} FROM users WHERE id = ?1")).bind(id)
}

pub async fn find(db: &dyn Db, id: UserId) -> Result<Option<User>, StoreError> {
    db.first(select(id)).await
}

/// All users in the order they came, a page of them; and how many there are.
pub async fn list(db: &dyn Db, limit: u32, offset: u32) -> Result<(Vec<User>, i64), StoreError> {
    let page = format!("SELECT {COLUMNS} FROM users ORDER BY id LIMIT CAST(?1 AS INTEGER) OFFSET CAST(?2 AS INTEGER)");
    let mut results = db
        .batch(vec![
            Statement::new(page).bind(limit).bind(offset),
            Statement::new("SELECT count(*) AS total FROM users"),
        ])
        .await?;
    let total: Option<super::rows::Total> = results.pop().unwrap_or_default().first()?;
    Ok((results.pop().unwrap_or_default().all()?, total.map_or(0, |row| row.total)))
}

/// For the batch that changes a user's plays: a new version, and how many plays there are now.
pub fn plays_changed(id: UserId, delta: i64, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE users SET plays_version = plays_version + 1, \
        total_plays = total_plays + CAST(?2 AS INTEGER), updated_at = ?3 WHERE id = ?1";
    Statement::new(UPDATE).bind(id).bind(delta).bind(now)
}

/// The same for the names in them: a new version if the statement before this one changed anything.
pub fn names_changed(id: UserId, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE users SET plays_version = plays_version + 1, updated_at = ?2 \
        WHERE id = ?1 AND changes() > 0";
    Statement::new(UPDATE).bind(id).bind(now)
}
