//! Tokens that are issued here, by their hashes: what the tables of every kind have in common.
//!
//! Must stay true: no statement here carries a token, only its hash; a token that was revoked has no row.

use super::{Db, Parameter, Rows, Statement, StoreError, rows::Total};
use crate::domain::{
    credential::SecretHash,
    ids::{CredentialId, UserId},
    instant::{HOUR_MS, Millis},
};

/// A token of any kind, to be stored.
pub struct NewToken<'a> {
    pub hash: &'a SecretHash,
    pub label: &'a str,
    pub expires_at: Option<Millis>,
}

/// A table with a row for each token of a kind. Whose row it is matters only where a user is named: then it has a `user_id`.
pub struct TokenTable {
    pub name: &'static str,
    /// The columns that only this kind has.
    pub own: &'static str,
    /// Where their values are bound: from `?5` on.
    pub own_values: &'static str,
}

/// How far behind `last_used_at` may be.
const LAST_USE_PRECISION_MS: i64 = HOUR_MS;

impl TokenTable {
    fn columns(&self) -> String {
        format!("id, label, created_at, expires_at, last_used_at, {}", self.own)
    }

    /// Gives the row back.
    pub fn insert(&self, token: &NewToken<'_>, now: Millis, own: impl IntoIterator<Item = Parameter>) -> Statement {
        let (Self { name, own: columns, own_values }, told) = (self, self.columns());
        let sql = format!(
            "INSERT INTO {name} (token_hash, label, created_at, expires_at, {columns})
             VALUES (?1, ?2, ?3, ?4, {own_values}) RETURNING {told}"
        );
        let statement = Statement::new(sql).bind(token.hash.as_str()).bind(token.label).bind(now);
        own.into_iter().fold(statement.bind(token.expires_at), Statement::bind)
    }

    pub fn by_hash(&self, hash: &SecretHash) -> Statement {
        let sql = format!("SELECT {} FROM {} WHERE token_hash = ?1", self.columns(), self.name);
        Statement::new(sql).bind(hash.as_str())
    }

    pub fn by_id(&self, id: CredentialId, user: Option<UserId>) -> Statement {
        let sql = format!("SELECT {} FROM {} WHERE {} AND id = ?2", self.columns(), self.name, whose(user));
        Statement::new(sql).bind(user).bind(id)
    }

    /// A page of the tokens, the newest first; and how many there are.
    pub async fn list(
        &self,
        db: &dyn Db,
        user: Option<UserId>,
        limit: u32,
        offset: u32,
    ) -> Result<(Rows, i64), StoreError> {
        let (columns, name, whose) = (self.columns(), self.name, whose(user));
        let page = format!(
            "SELECT {columns} FROM {name} WHERE {whose}
             ORDER BY id DESC LIMIT CAST(?2 AS INTEGER) OFFSET CAST(?3 AS INTEGER)"
        );
        let page = Statement::new(page).bind(user).bind(limit).bind(offset);
        let total = Statement::new(format!("SELECT count(*) AS total FROM {name} WHERE {whose}")).bind(user);
        let mut results = db.batch(vec![page, total]).await?;
        let total: Option<Total> = results.pop().unwrap_or_default().first()?;
        Ok((results.pop().unwrap_or_default(), total.map_or(0, |row| row.total)))
    }

    /// Revokes a token, with the record of who did.
    pub async fn delete(&self, db: &dyn Db, id: CredentialId, record: Statement) -> Result<(), StoreError> {
        let statement = Statement::new(format!("DELETE FROM {} WHERE id = ?1", self.name)).bind(id);
        db.batch(vec![statement, record]).await.map(drop)
    }

    /// Notes that a token was used, unless that was noted within the hour.
    pub async fn note_use(
        &self,
        db: &dyn Db,
        id: CredentialId,
        last_used_at: Option<Millis>,
        now: Millis,
    ) -> Result<(), StoreError> {
        if last_used_at.is_some_and(|at| now.since_ms(at) < LAST_USE_PRECISION_MS) {
            return Ok(());
        }
        let sql = format!("UPDATE {} SET last_used_at = ?2 WHERE id = ?1", self.name);
        db.run(Statement::new(sql).bind(id).bind(now)).await.map(drop)
    }
}

/// A condition on whose token it is, `?1`.
const fn whose(user: Option<UserId>) -> &'static str {
    if user.is_some() { "user_id = ?1" } else { "?1 IS NULL" }
}
