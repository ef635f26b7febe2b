//! Tokens of users, sealed; apps of users; and how long Spotify wants to be left alone.
//!
//! Must stay true: everything that one user's request to Spotify needs is one row of one statement, so that a poll can
//! read it in its own batch; whoever refreshes holds the lease, and only under it is a token replaced or given up.

use serde::Deserialize;

use super::{Statement, rows::Rows};
use crate::domain::{ids::UserId, instant::Millis};

/// What is stored for one user's requests to Spotify. Everything sealed is still sealed.
#[derive(Clone, Debug, Deserialize)]
pub struct ConnectionRow {
    pub user_id: UserId,
    pub client_id: String,
    pub scopes: String,
    pub access_token: String,
    pub access_expires_at: Millis,
    pub refresh_token: String,
    pub lost_reason: Option<String>,
    pub version: i64,
    /// The user's own app, if they have one.
    pub own_client_id: Option<String>,
    pub own_client_secret: Option<String>,
    /// `[[family, blocked_until], ...]` of the app.
    pub blocks: String,
}

/// For one batch with other statements: what one user's requests need, or no row for a user who is not connected.
pub fn select(user: UserId) -> Statement {
    const SELECT: &str = "
SELECT t.user_id, t.client_id, t.scopes, t.access_token, t.access_expires_at, t.refresh_token,
  t.lost_reason, t.version, c.client_id AS own_client_id, c.client_secret AS own_client_secret,
  (SELECT json_group_array(json_array(b.family, b.blocked_until)) FROM spotify_blocks b WHERE b.client_id = t.client_id)
    AS blocks
FROM spotify_tokens t LEFT JOIN spotify_credentials c ON c.user_id = t.user_id WHERE t.user_id = ?1";
    Statement::new(SELECT).bind(user)
}

/// Tokens on their way into the store, sealed.
#[derive(Clone, Debug)]
pub struct SealedTokens {
    pub access_token: String,
    pub access_expires_at: Millis,
    pub refresh_token: String,
    pub scopes: String,
}

/// After a login: the tokens, whatever was there before. Takes the lease from whoever is refreshing old ones.
pub fn authorized(user: UserId, client_id: &str, tokens: &SealedTokens, now: Millis) -> Statement {
    const UPSERT: &str = "
INSERT INTO spotify_tokens (user_id, client_id, scopes, access_token, access_expires_at, refresh_token, authorized_at,
  updated_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)
ON CONFLICT (user_id) DO UPDATE SET client_id = excluded.client_id, scopes = excluded.scopes,
  access_token = excluded.access_token, access_expires_at = excluded.access_expires_at,
  refresh_token = excluded.refresh_token, authorized_at = excluded.authorized_at, lost_reason = NULL, lost_at = NULL,
  version = spotify_tokens.version + 1, lease_token = NULL, lease_until = 0, updated_at = excluded.updated_at";
    Statement::new(UPSERT)
        .bind(user)
        .bind(client_id)
        .bind(tokens.scopes.as_str())
        .bind(tokens.access_token.as_str())
        .bind(tokens.access_expires_at)
        .bind(tokens.refresh_token.as_str())
        .bind(now)
}

/// Takes the right to refresh: one row comes back, or none when another has it or the tokens are no longer those seen.
pub fn take_lease(user: UserId, seen_version: i64, lease: &str, now: Millis, until: Millis) -> Statement {
    const UPDATE: &str = "UPDATE spotify_tokens SET lease_token = ?3, lease_until = ?5
WHERE user_id = ?1 AND version = CAST(?2 AS INTEGER) AND lost_reason IS NULL AND lease_until <= CAST(?4 AS INTEGER)
RETURNING user_id";
    Statement::new(UPDATE).bind(user).bind(seen_version).bind(lease).bind(now).bind(until)
}

/// Stores refreshed tokens and gives the lease back. Repeating it changes nothing more and still answers with the row,
/// since an answer may be lost after the row was written.
pub fn refreshed(user: UserId, seen_version: i64, lease: &str, tokens: &SealedTokens, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE spotify_tokens SET access_token = ?4, access_expires_at = ?5, refresh_token = ?6,
  scopes = ?7, version = CAST(?2 AS INTEGER) + 1, lease_until = 0, updated_at = ?8
WHERE user_id = ?1 AND lease_token = ?3 RETURNING user_id";
    Statement::new(UPDATE)
        .bind(user)
        .bind(seen_version)
        .bind(lease)
        .bind(tokens.access_token.as_str())
        .bind(tokens.access_expires_at)
        .bind(tokens.refresh_token.as_str())
        .bind(tokens.scopes.as_str())
        .bind(now)
}

/// Gives the lease back with nothing to store.
pub fn release(user: UserId, lease: &str) -> Statement {
    Statement::new("UPDATE spotify_tokens SET lease_until = 0 WHERE user_id = ?1 AND lease_token = ?2")
        .bind(user)
        .bind(lease)
}

/// Records that only the listener can help now. A login that came in between is left alone: it took the lease.
pub fn lost(user: UserId, lease: &str, reason: &str, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE spotify_tokens SET lost_reason = ?3, lost_at = ?4, lease_until = 0, updated_at = ?4
WHERE user_id = ?1 AND lease_token = ?2";
    Statement::new(UPDATE).bind(user).bind(lease).bind(reason).bind(now)
}

/// Forgets a user's tokens; the row that comes back says that there were some.
pub fn delete(user: UserId) -> Statement {
    Statement::new("DELETE FROM spotify_tokens WHERE user_id = ?1 RETURNING user_id").bind(user)
}

/// Remembers that an app must leave a family of endpoints alone. The later end wins.
pub fn block(client_id: &str, family: &str, until: Millis, reason: &str) -> Statement {
    const UPSERT: &str = "
INSERT INTO spotify_blocks (client_id, family, blocked_until, reason) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (client_id, family) DO UPDATE SET blocked_until = excluded.blocked_until, reason = excluded.reason
WHERE excluded.blocked_until > spotify_blocks.blocked_until";
    Statement::new(UPSERT).bind(client_id).bind(family).bind(until).bind(reason)
}

/// The connection as an operator may see it: nothing sealed, no secret.
#[derive(Clone, Debug, Deserialize)]
pub struct ConnectionSummary {
    pub client_id: String,
    pub scopes: String,
    pub access_expires_at: Millis,
    pub authorized_at: Millis,
    pub lost_reason: Option<String>,
    pub lost_at: Option<Millis>,
}

/// For one batch with other statements: the connection as an operator may see it, or no row.
pub fn select_summary(user: UserId) -> Statement {
    const SELECT: &str = "SELECT client_id, scopes, access_expires_at, authorized_at, lost_reason, lost_at
FROM spotify_tokens WHERE user_id = ?1";
    Statement::new(SELECT).bind(user)
}

/// Reads the row of a guarded update: whether it happened.
pub fn happened(rows: &Rows) -> bool {
    !rows.rows.is_empty()
}
