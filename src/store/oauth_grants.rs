//! What users' consent opened to OAuth clients.
//!
//! Must stay true: each step is one guarded update, so that of two that come at once one wins; a code or refresh token that
//! comes a second time ends the grant, in the same batch that refuses it; only hashes of secrets are bound.

use serde::{Deserialize, Serialize};

use super::{Db, Rows, Statement, StoreError, assert_that, rows::Total};
use crate::domain::{
    credential::{Credential, CredentialKind, Scopes, SecretHash},
    grant_secret::{GrantId, SecretHashes},
    ids::{CredentialId, UserId},
    instant::{DAY_MS, HOUR_MS, Millis},
};

/// How long the question may stand on the screen.
pub const CONSENT_MS: i64 = 10 * 60 * 1_000;
/// How long a code is good: a client asks at once.
pub const CODE_MS: i64 = 60 * 1_000;
pub const ACCESS_MS: i64 = HOUR_MS;
/// A connector that is not used for this long asks for consent again.
pub const REFRESH_MS: i64 = 90 * DAY_MS;
/// How long a grant that is over can still be seen.
const OVER_KEPT_MS: i64 = 30 * DAY_MS;

/// A request for consent, checked.
#[derive(Debug)]
pub struct NewGrant<'a> {
    pub client_id: &'a str,
    pub client_name: Option<&'a str>,
    pub redirect_uri: &'a str,
    pub resource: &'a str,
    pub scopes: Scopes,
    pub code_challenge: &'a str,
    pub state: Option<&'a str>,
    pub consent_hash: &'a SecretHash,
}

#[derive(Deserialize)]
struct Id {
    id: GrantId,
}

/// Puts the question down.
pub async fn ask(db: &dyn Db, grant: &NewGrant<'_>, now: Millis) -> Result<GrantId, StoreError> {
    let sql =
        "INSERT INTO oauth_grants (step, client_id, client_name, redirect_uri, resource, scopes, code_challenge, state,
                 consent_hash, created_at, expires_at)
               VALUES ('asked', ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id";
    let statement = Statement::new(sql)
        .bind(grant.client_id)
        .bind(grant.client_name.map(str::to_owned))
        .bind(grant.redirect_uri)
        .bind(grant.resource)
        .bind(grant.scopes.to_text())
        .bind(grant.code_challenge)
        .bind(grant.state.map(str::to_owned))
        .bind(grant.consent_hash.as_str())
        .bind(now)
        .bind(now.plus_ms(CONSENT_MS));
    let row: Option<Id> = db.first(statement).await?;
    row.map(|row| row.id).ok_or_else(|| StoreError::Shape("no row for a new grant".to_owned()))
}

/// Where the answer to a question goes.
#[derive(Clone, Debug, Deserialize)]
pub struct Asked {
    pub redirect_uri: String,
    pub state: Option<String>,
    pub scopes: String,
    pub client_id: String,
}

/// The question that this browser and page were shown, while it stands.
pub async fn asked(
    db: &dyn Db,
    id: GrantId,
    consent_hash: &SecretHash,
    now: Millis,
) -> Result<Option<Asked>, StoreError> {
    let sql = "SELECT redirect_uri, state, scopes, client_id FROM oauth_grants
               WHERE id = ?1 AND consent_hash = ?2 AND step = 'asked' AND expires_at > ?3";
    db.first(Statement::new(sql).bind(id).bind(consent_hash.as_str()).bind(now)).await
}

/// What was consented to.
#[derive(Debug)]
pub struct Consent<'a> {
    pub id: GrantId,
    /// Of the question that is answered.
    pub asked_hash: &'a SecretHash,
    pub user_id: UserId,
    pub scopes: Scopes,
    pub code: &'a SecretHashes,
}

/// Gives the grant, with the record of who gave it. False: the question was answered before, or its time or its user is over.
pub async fn give(db: &dyn Db, consent: &Consent<'_>, now: Millis, record: Statement) -> Result<bool, StoreError> {
    let stands =
        "EXISTS (SELECT 1 FROM oauth_grants WHERE id = ?1 AND consent_hash = ?2 AND step = 'asked' AND expires_at > ?3)
                  AND EXISTS (SELECT 1 FROM users WHERE id = ?4)";
    let stands = assert_that(stands).bind(consent.id).bind(consent.asked_hash.as_str()).bind(now).bind(consent.user_id);
    let sql = "UPDATE oauth_grants SET step = 'given', user_id = ?2, scopes = ?3, family_hash = ?4, code_hash = ?5,
                 consent_hash = NULL, state = NULL, given_at = ?6, expires_at = ?7 WHERE id = ?1";
    let give = Statement::new(sql)
        .bind(consent.id)
        .bind(consent.user_id)
        .bind(consent.scopes.to_text())
        .bind(consent.code.family.as_str())
        .bind(consent.code.whole.as_str())
        .bind(now)
        .bind(now.plus_ms(CODE_MS));
    match db.batch(vec![stands, give, record]).await {
        Ok(_) => Ok(true),
        Err(StoreError::AssertionFailed) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Takes the question away. False: somebody else did.
pub async fn deny(db: &dyn Db, id: GrantId, consent_hash: &SecretHash) -> Result<bool, StoreError> {
    let sql = "DELETE FROM oauth_grants WHERE id = ?1 AND consent_hash = ?2 AND step = 'asked' RETURNING id";
    let row: Option<Id> = db.first(Statement::new(sql).bind(id).bind(consent_hash.as_str())).await?;
    Ok(row.is_some())
}

/// Tokens that are issued together.
#[derive(Debug)]
pub struct NewTokens {
    pub access: SecretHashes,
    pub refresh: SecretHashes,
}

/// What a code is presented with.
#[derive(Debug)]
pub struct Exchange<'a> {
    pub id: GrantId,
    pub code: &'a SecretHashes,
    pub client_id: &'a str,
    pub redirect_uri: &'a str,
    pub code_challenge: &'a str,
    /// `None`: the one consented to.
    pub resource: Option<&'a str>,
}

/// What came of presenting a code or a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Issued {
        scopes: String,
    },
    /// It had been used, and now nothing of the grant is good any more.
    Replayed,
    Refused,
}

#[derive(Deserialize)]
struct Granted {
    scopes: String,
}

/// The first statement ended a grant, or the second issued tokens, or neither.
fn outcome(results: Vec<Rows>) -> Result<Outcome, StoreError> {
    let mut results = results.into_iter();
    let ended: Option<Id> = results.next().unwrap_or_default().first()?;
    let issued: Option<Granted> = results.next().unwrap_or_default().first()?;
    Ok(match (ended, issued) {
        (Some(_), _) => Outcome::Replayed,
        (None, Some(granted)) => Outcome::Issued { scopes: granted.scopes },
        (None, None) => Outcome::Refused,
    })
}

/// Turns a code into tokens, once.
pub async fn exchange(
    db: &dyn Db,
    exchange: &Exchange<'_>,
    tokens: &NewTokens,
    now: Millis,
) -> Result<Outcome, StoreError> {
    let replayed = "UPDATE oauth_grants SET revoked_at = ?4, revoked_because = 'code_replayed'
                    WHERE id = ?1 AND family_hash = ?2 AND code_hash = ?3 AND step = 'active' AND revoked_at IS NULL
                    RETURNING id";
    let replayed = Statement::new(replayed)
        .bind(exchange.id)
        .bind(exchange.code.family.as_str())
        .bind(exchange.code.whole.as_str())
        .bind(now);
    let sql = "UPDATE oauth_grants SET step = 'active', access_hash = ?8, access_expires_at = ?9, refresh_hash = ?10,
                 expires_at = ?11, last_used_at = ?12
               WHERE id = ?1 AND family_hash = ?2 AND code_hash = ?3 AND step = 'given' AND expires_at > ?12
                 AND revoked_at IS NULL AND client_id = ?4 AND redirect_uri = ?5 AND code_challenge = ?6
                 AND (?7 IS NULL OR resource = ?7) RETURNING scopes";
    let issue = Statement::new(sql)
        .bind(exchange.id)
        .bind(exchange.code.family.as_str())
        .bind(exchange.code.whole.as_str())
        .bind(exchange.client_id)
        .bind(exchange.redirect_uri)
        .bind(exchange.code_challenge)
        .bind(exchange.resource.map(str::to_owned))
        .bind(tokens.access.whole.as_str())
        .bind(now.plus_ms(ACCESS_MS))
        .bind(tokens.refresh.whole.as_str())
        .bind(now.plus_ms(REFRESH_MS))
        .bind(now);
    outcome(db.batch(vec![replayed, issue]).await?)
}

/// What a refresh token is presented with.
#[derive(Debug)]
pub struct Rotation<'a> {
    pub id: GrantId,
    pub refresh: &'a SecretHashes,
    pub client_id: &'a str,
    pub resource: Option<&'a str>,
}

/// New tokens for a refresh token, once. Any but the present one ends the grant: two hold it, and one of them stole it.
pub async fn rotate(
    db: &dyn Db,
    rotation: &Rotation<'_>,
    tokens: &NewTokens,
    now: Millis,
) -> Result<Outcome, StoreError> {
    let replayed = "UPDATE oauth_grants SET revoked_at = ?4, revoked_because = 'refresh_replayed'
                    WHERE id = ?1 AND family_hash = ?2 AND refresh_hash <> ?3 AND step = 'active' AND revoked_at IS NULL
                    RETURNING id";
    let replayed = Statement::new(replayed)
        .bind(rotation.id)
        .bind(rotation.refresh.family.as_str())
        .bind(rotation.refresh.whole.as_str())
        .bind(now);
    let sql =
        "UPDATE oauth_grants SET previous_access_hash = access_hash, previous_access_expires_at = access_expires_at,
                 access_hash = ?6, access_expires_at = ?7, refresh_hash = ?8, expires_at = ?9, last_used_at = ?10
               WHERE id = ?1 AND family_hash = ?2 AND refresh_hash = ?3 AND step = 'active' AND expires_at > ?10
                 AND revoked_at IS NULL AND client_id = ?4 AND (?5 IS NULL OR resource = ?5) RETURNING scopes";
    let issue = Statement::new(sql)
        .bind(rotation.id)
        .bind(rotation.refresh.family.as_str())
        .bind(rotation.refresh.whole.as_str())
        .bind(rotation.client_id)
        .bind(rotation.resource.map(str::to_owned))
        .bind(tokens.access.whole.as_str())
        .bind(now.plus_ms(ACCESS_MS))
        .bind(tokens.refresh.whole.as_str())
        .bind(now.plus_ms(REFRESH_MS))
        .bind(now);
    outcome(db.batch(vec![replayed, issue]).await?)
}

/// Ends the grant of a token that its client gives back.
pub async fn give_back(
    db: &dyn Db,
    id: GrantId,
    token: &SecretHashes,
    client_id: &str,
    now: Millis,
) -> Result<bool, StoreError> {
    let sql = "UPDATE oauth_grants SET revoked_at = ?5, revoked_because = 'client'
               WHERE id = ?1 AND family_hash = ?2 AND client_id = ?4 AND revoked_at IS NULL
                 AND ?3 IN (access_hash, previous_access_hash, refresh_hash) RETURNING id";
    let statement =
        Statement::new(sql).bind(id).bind(token.family.as_str()).bind(token.whole.as_str()).bind(client_id).bind(now);
    let row: Option<Id> = db.first(statement).await?;
    Ok(row.is_some())
}

#[derive(Deserialize)]
struct Opened {
    id: CredentialId,
    user_id: UserId,
    scopes: String,
    last_used_at: Option<Millis>,
}

/// What an access token opens, if it is good; its use is noted to the hour.
pub async fn open(
    db: &dyn Db,
    id: GrantId,
    access: &SecretHashes,
    now: Millis,
) -> Result<Option<Credential>, StoreError> {
    let sql = "SELECT id, user_id, scopes, last_used_at FROM oauth_grants
               WHERE id = ?1 AND family_hash = ?2 AND step = 'active' AND revoked_at IS NULL
                 AND ((access_hash = ?3 AND access_expires_at > ?4)
                   OR (previous_access_hash = ?3 AND previous_access_expires_at > ?4))";
    let statement = Statement::new(sql).bind(id).bind(access.family.as_str()).bind(access.whole.as_str()).bind(now);
    let Some(opened): Option<Opened> = db.first(statement).await? else { return Ok(None) };
    if opened.last_used_at.is_none_or(|used_at| now.since_ms(used_at) >= HOUR_MS) {
        let note = Statement::new("UPDATE oauth_grants SET last_used_at = ?2 WHERE id = ?1").bind(id).bind(now);
        db.run(note).await?;
    }
    Ok(Some(Credential {
        id: opened.id,
        kind: CredentialKind::Grant,
        user_id: opened.user_id,
        // A scope of another version of this program opens nothing.
        scopes: Scopes::parse(&opened.scopes).unwrap_or_default(),
    }))
}

/// A grant as the admin sees it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Grant {
    pub id: GrantId,
    pub user_id: UserId,
    pub client_id: String,
    pub client_name: Option<String>,
    pub redirect_uri: String,
    pub scopes: String,
    pub given_at: Millis,
    pub last_used_at: Option<Millis>,
    pub expires_at: Millis,
    pub revoked_at: Option<Millis>,
    pub revoked_because: Option<String>,
}

const COLUMNS: &str =
    "id, user_id, client_id, client_name, redirect_uri, scopes, given_at, last_used_at, expires_at, revoked_at,
  revoked_because";
const IS_GRANT: &str = "step <> 'asked' AND (?1 IS NULL OR user_id = ?1)";

/// Grants, the newest first, a page of them; and how many there are.
pub async fn list(db: &dyn Db, user: Option<UserId>, limit: u32, offset: u32) -> Result<(Vec<Grant>, i64), StoreError> {
    let page = format!(
        "SELECT {COLUMNS} FROM oauth_grants WHERE {IS_GRANT} ORDER BY id DESC
         LIMIT CAST(?2 AS INTEGER) OFFSET CAST(?3 AS INTEGER)"
    );
    let total = format!("SELECT count(*) AS total FROM oauth_grants WHERE {IS_GRANT}");
    let statements = vec![Statement::new(page).bind(user).bind(limit).bind(offset), Statement::new(total).bind(user)];
    let mut results = db.batch(statements).await?;
    let total: Option<Total> = results.pop().unwrap_or_default().first()?;
    Ok((results.pop().unwrap_or_default().all()?, total.map_or(0, |row| row.total)))
}

pub async fn find(db: &dyn Db, id: GrantId) -> Result<Option<Grant>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM oauth_grants WHERE id = ?1 AND step <> 'asked'");
    db.first(Statement::new(sql).bind(id)).await
}

/// Ends a grant, with the record of who did. False: it was over.
pub async fn revoke(db: &dyn Db, id: GrantId, now: Millis, record: Statement) -> Result<bool, StoreError> {
    let stands =
        assert_that("EXISTS (SELECT 1 FROM oauth_grants WHERE id = ?1 AND step <> 'asked' AND revoked_at IS NULL)");
    let sql = "UPDATE oauth_grants SET revoked_at = ?2, revoked_because = 'admin' WHERE id = ?1";
    match db.batch(vec![stands.bind(id), Statement::new(sql).bind(id).bind(now), record]).await {
        Ok(_) => Ok(true),
        Err(StoreError::AssertionFailed) => Ok(false),
        Err(error) => Err(error),
    }
}

/// For the hourly batch: questions nobody answered, codes nobody fetched, and what has long been over.
pub fn tidy(now: Millis) -> Statement {
    let sql = "DELETE FROM oauth_grants WHERE (step <> 'active' AND expires_at < ?1)
               OR coalesce(revoked_at, expires_at) < ?2";
    Statement::new(sql).bind(now).bind(now.minus_ms(OVER_KEPT_MS))
}
