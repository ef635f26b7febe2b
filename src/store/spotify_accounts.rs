//! Who is which listener on Spotify, apps of single users, and logins that came back.
//!
//! Must stay true: one user for each Spotify account, also when two logins arrive at once (the indexes of 0020 see to it).

use serde::Deserialize;

use super::{Db, Statement, StoreError, users};
use crate::domain::{ids::UserId, instant::Millis};

/// A user as Spotify knows them.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Account {
    pub user: UserId,
    /// Spotify's older id of them, which may change; `None` for a user of imports.
    pub spotify_user_id: Option<String>,
}

/// The user of a Spotify account: by the id that never changes; by the other one only where one side has no better.
pub async fn find(db: &dyn Db, user_id: &str, account_id: Option<&str>) -> Result<Option<Account>, StoreError> {
    const SELECT: &str = "SELECT id AS user, spotify_user_id FROM users
WHERE spotify_account_id = ?2
   OR (spotify_user_id = ?1 AND (?2 IS NULL OR spotify_account_id IS NULL))
ORDER BY spotify_account_id IS NULL LIMIT 1";
    db.first(Statement::new(SELECT).bind(user_id).bind(account_id.map(str::to_owned))).await
}

pub async fn of_user(db: &dyn Db, user: UserId) -> Result<Option<Account>, StoreError> {
    const SELECT: &str = "SELECT id AS user, spotify_user_id FROM users WHERE id = ?1";
    db.first(Statement::new(SELECT).bind(user)).await
}

/// Writes down which account a user has. An account id, once known, is not forgotten.
pub async fn attach(
    db: &dyn Db,
    user: UserId,
    spotify_user_id: &str,
    account_id: Option<&str>,
    now: Millis,
) -> Result<(), StoreError> {
    const UPDATE: &str = "UPDATE users SET spotify_user_id = ?2, spotify_account_id = coalesce(?3, spotify_account_id),
  updated_at = ?4
WHERE id = ?1 AND (spotify_user_id IS NOT ?2 OR (?3 IS NOT NULL AND spotify_account_id IS NOT ?3))";
    let update = Statement::new(UPDATE).bind(user).bind(spotify_user_id).bind(account_id.map(str::to_owned)).bind(now);
    db.batch(vec![give_up(spotify_user_id, account_id), update]).await.map(drop)
}

/// A new user with their account.
///
/// # Errors
/// A constraint, when somebody else has the account already.
pub async fn insert(
    db: &dyn Db,
    display_name: &str,
    timezone: &str,
    spotify_user_id: &str,
    account_id: Option<&str>,
    now: Millis,
) -> Result<UserId, StoreError> {
    // The user that the statement before has made: ids only grow.
    const UPDATE: &str = "UPDATE users SET spotify_user_id = ?1, spotify_account_id = ?2
WHERE id = (SELECT max(id) FROM users)";
    let update = Statement::new(UPDATE).bind(spotify_user_id).bind(account_id.map(str::to_owned));
    users::insert(db, display_name, timezone, now, vec![give_up(spotify_user_id, account_id), update])
        .await
        .map(|user| user.id)
}

/// Whoever still has the older id of before a renaming gives it up: Spotify may give such ids away again.
fn give_up(spotify_user_id: &str, account_id: Option<&str>) -> Statement {
    const UPDATE: &str = "UPDATE users SET spotify_user_id = NULL
WHERE spotify_user_id = ?1 AND ?2 IS NOT NULL AND spotify_account_id <> ?2";
    Statement::new(UPDATE).bind(spotify_user_id).bind(account_id.map(str::to_owned))
}

/// A user's own app; the secret is sealed.
#[derive(Clone, Debug, Deserialize)]
pub struct CredentialsRow {
    pub client_id: String,
    pub client_secret: String,
    pub updated_at: Millis,
}

pub async fn credentials(db: &dyn Db, user: UserId) -> Result<Option<CredentialsRow>, StoreError> {
    const SELECT: &str = "SELECT client_id, client_secret, updated_at FROM spotify_credentials WHERE user_id = ?1";
    db.first(Statement::new(SELECT).bind(user)).await
}

/// Sets a user's own app. Tokens of the one before are good for nothing any more, and say so.
pub fn set_credentials(user: UserId, client_id: &str, sealed_secret: &str, now: Millis) -> Vec<Statement> {
    const UPSERT: &str = "INSERT INTO spotify_credentials (user_id, client_id, client_secret, updated_at)
VALUES (?1, ?2, ?3, ?4) ON CONFLICT (user_id) DO UPDATE SET
  client_id = excluded.client_id, client_secret = excluded.client_secret, updated_at = excluded.updated_at";
    let upsert = Statement::new(UPSERT).bind(user).bind(client_id).bind(sealed_secret).bind(now);
    vec![replace_app(user, Some(client_id), now), upsert]
}

/// Forgets a user's own app; the row that comes back last says that there was one.
pub fn delete_credentials(user: UserId, now: Millis) -> Vec<Statement> {
    const DELETE: &str = "DELETE FROM spotify_credentials WHERE user_id = ?1 RETURNING user_id";
    vec![replace_app(user, None, now), Statement::new(DELETE).bind(user)]
}

/// Ends the authorization that was given to the user's own app, unless the next app is the same.
fn replace_app(user: UserId, next_client_id: Option<&str>, now: Millis) -> Statement {
    const UPDATE: &str = "UPDATE spotify_tokens SET lost_reason = 'app_replaced', lost_at = ?3, updated_at = ?3
WHERE user_id = ?1 AND lost_reason IS NULL AND client_id IS NOT ?2
  AND client_id = (SELECT client_id FROM spotify_credentials WHERE user_id = ?1)";
    Statement::new(UPDATE).bind(user).bind(next_client_id.map(str::to_owned)).bind(now)
}

/// Records that a login came back; `false` when it did before. Those that are too old anyway are forgotten on the way.
pub async fn spend_login(db: &dyn Db, login_id: &str, expires_at: Millis, now: Millis) -> Result<bool, StoreError> {
    const FORGET: &str = "DELETE FROM spent_logins WHERE expires_at <= CAST(?1 AS INTEGER)";
    const SPEND: &str = "INSERT INTO spent_logins (login_id, expires_at) VALUES (?1, ?2)
ON CONFLICT (login_id) DO NOTHING RETURNING login_id";
    let statements = vec![Statement::new(FORGET).bind(now), Statement::new(SPEND).bind(login_id).bind(expires_at)];
    let spent = db.batch(statements).await?.pop().unwrap_or_default();
    Ok(!spent.rows.is_empty())
}
