//! Tokens of assistants, by their hashes.
//!
//! Must stay true: no statement here carries a token, only its hash; a token that was revoked has no row.

use serde::{Deserialize, Serialize};

use super::{Db, Statement, StoreError, assert_that, rows::Total};
use crate::domain::{
    credential::{Credential, CredentialKind, Scopes, SecretHash},
    ids::{CredentialId, UserId},
    instant::{HOUR_MS, Millis},
};

/// A token to be stored.
pub struct NewToken<'a> {
    pub user_id: UserId,
    pub hash: &'a SecretHash,
    pub label: &'a str,
    pub scopes: Scopes,
    pub expires_at: Option<Millis>,
}

/// What is known of a token: everything but the token.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AssistantToken {
    pub id: CredentialId,
    pub label: String,
    #[cfg_attr(test, schemars(with = "Vec<String>"))]
    pub scopes: Scopes,
    pub created_at: Millis,
    pub expires_at: Option<Millis>,
    /// To the hour.
    pub last_used_at: Option<Millis>,
    #[serde(skip)]
    pub user_id: UserId,
}

impl AssistantToken {
    pub const fn credential(&self) -> Credential {
        Credential { id: self.id, kind: CredentialKind::AssistantToken, user_id: self.user_id, scopes: self.scopes }
    }
}

#[derive(Deserialize)]
struct TokenRow {
    id: CredentialId,
    user_id: UserId,
    label: String,
    scopes: String,
    created_at: Millis,
    expires_at: Option<Millis>,
    last_used_at: Option<Millis>,
}

impl From<TokenRow> for AssistantToken {
    fn from(row: TokenRow) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id,
            label: row.label,
            // A scope of another version of this program opens nothing.
            scopes: Scopes::parse(&row.scopes).unwrap_or_default(),
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}

const COLUMNS: &str = "id, user_id, label, scopes, created_at, expires_at, last_used_at";

/// Stores a token, with the record of who issued it.
pub async fn insert(
    db: &dyn Db,
    token: &NewToken<'_>,
    now: Millis,
    record: Statement,
) -> Result<AssistantToken, StoreError> {
    let sql = format!(
        "INSERT INTO assistant_tokens (user_id, token_hash, label, scopes, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING {COLUMNS}"
    );
    let statement = Statement::new(sql)
        .bind(token.user_id)
        .bind(token.hash.as_str())
        .bind(token.label)
        .bind(token.scopes.to_text())
        .bind(now)
        .bind(token.expires_at);
    // A user that was deleted meanwhile gets no token.
    let there_is_a_user = assert_that("EXISTS (SELECT 1 FROM users WHERE id = ?1)").bind(token.user_id);
    let mut results = db.batch(vec![there_is_a_user, statement, record]).await?.into_iter();
    let row: Option<TokenRow> = results.nth(1).unwrap_or_default().first()?;
    row.map(AssistantToken::from).ok_or_else(|| StoreError::Shape("no row for a new token".to_owned()))
}

pub async fn find(db: &dyn Db, hash: &SecretHash) -> Result<Option<AssistantToken>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM assistant_tokens WHERE token_hash = ?1");
    let row: Option<TokenRow> = db.first(Statement::new(sql).bind(hash.as_str())).await?;
    Ok(row.map(AssistantToken::from))
}

pub async fn find_of_user(
    db: &dyn Db,
    user_id: UserId,
    id: CredentialId,
) -> Result<Option<AssistantToken>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM assistant_tokens WHERE id = ?1 AND user_id = ?2");
    let row: Option<TokenRow> = db.first(Statement::new(sql).bind(id).bind(user_id)).await?;
    Ok(row.map(AssistantToken::from))
}

/// A user's tokens, the newest first, a page of them; and how many there are.
pub async fn list(
    db: &dyn Db,
    user_id: UserId,
    limit: u32,
    offset: u32,
) -> Result<(Vec<AssistantToken>, i64), StoreError> {
    let page = format!(
        "SELECT {COLUMNS} FROM assistant_tokens WHERE user_id = ?1
         ORDER BY id DESC LIMIT CAST(?2 AS INTEGER) OFFSET CAST(?3 AS INTEGER)"
    );
    let total = "SELECT count(*) AS total FROM assistant_tokens WHERE user_id = ?1";
    let mut results = db
        .batch(vec![Statement::new(page).bind(user_id).bind(limit).bind(offset), Statement::new(total).bind(user_id)])
        .await?;
    let total: Option<Total> = results.pop().unwrap_or_default().first()?;
    let rows: Vec<TokenRow> = results.pop().unwrap_or_default().all()?;
    Ok((rows.into_iter().map(AssistantToken::from).collect(), total.map_or(0, |row| row.total)))
}

/// Revokes a token, with the record of who did.
pub async fn delete(db: &dyn Db, token: &AssistantToken, record: Statement) -> Result<(), StoreError> {
    let statement = Statement::new("DELETE FROM assistant_tokens WHERE id = ?1").bind(token.id);
    db.batch(vec![statement, record]).await.map(drop)
}

/// How far behind `last_used_at` may be.
const LAST_USE_PRECISION_MS: i64 = HOUR_MS;

/// Notes that a token was used, unless that was noted within the hour.
pub async fn note_use(db: &dyn Db, token: &AssistantToken, now: Millis) -> Result<(), StoreError> {
    if token.last_used_at.is_some_and(|at| now.since_ms(at) < LAST_USE_PRECISION_MS) {
        return Ok(());
    }
    let sql = "UPDATE assistant_tokens SET last_used_at = ?2 WHERE id = ?1";
    db.run(Statement::new(sql).bind(token.id).bind(now)).await.map(drop)
}
