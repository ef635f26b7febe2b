//! Clients that registered themselves.
//!
//! Must stay true: whoever registers can push out clients that nobody ever consented to, and none that somebody did; the table
//! has a bound.

use serde::Deserialize;

use super::{Db, Statement, StoreError};
use crate::domain::instant::{DAY_MS, Millis};

/// The most clients that wait for a first consent.
pub const MAX_UNUSED_CLIENTS: u32 = 500;
const UNUSED_KEPT_MS: i64 = DAY_MS;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct RegisteredClient {
    pub id: String,
    pub name: Option<String>,
    /// A JSON list.
    pub redirect_uris: String,
    pub created_at: Millis,
}

/// Stores a client; the oldest that nobody consented to make room for it.
pub async fn insert(db: &dyn Db, client: &RegisteredClient) -> Result<(), StoreError> {
    let room = format!(
        "DELETE FROM oauth_clients WHERE id IN (
           SELECT id FROM oauth_clients WHERE id NOT IN (SELECT client_id FROM oauth_grants)
           ORDER BY created_at DESC, id LIMIT -1 OFFSET {})",
        MAX_UNUSED_CLIENTS - 1
    );
    let insert = "INSERT INTO oauth_clients (id, name, redirect_uris, created_at) VALUES (?1, ?2, ?3, ?4)";
    let insert = Statement::new(insert)
        .bind(client.id.as_str())
        .bind(client.name.clone())
        .bind(client.redirect_uris.as_str())
        .bind(client.created_at);
    db.batch(vec![Statement::new(room), insert]).await.map(drop)
}

pub async fn find(db: &dyn Db, id: &str) -> Result<Option<RegisteredClient>, StoreError> {
    let sql = "SELECT id, name, redirect_uris, created_at FROM oauth_clients WHERE id = ?1";
    db.first(Statement::new(sql).bind(id)).await
}

/// For the hourly batch: what no grant names any more.
pub fn tidy(now: Millis) -> Statement {
    let sql = "DELETE FROM oauth_clients WHERE created_at < ?1 AND id NOT IN (SELECT client_id FROM oauth_grants)";
    Statement::new(sql).bind(now.minus_ms(UNUSED_KEPT_MS))
}
