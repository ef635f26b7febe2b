//! `/admin/users/{user_id}/spotify-connection` and `/spotify-credentials`: how a user is connected, and with which app.
//!
//! Must stay true: a secret goes in and never comes out; every change leaves its row in the audit, without the secret.

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{admin_users, body};
use crate::{
    app::App,
    domain::instant::Millis,
    error::{AppError, FieldError},
    spotify::{error::SpotifyError, login, retry::reauthorize_by, session},
    store::{
        audit::{Actor, Change},
        spotify_accounts, spotify_tokens,
        spotify_tokens::ConnectionSummary,
        sync_states,
    },
};

/// How a user is connected; never a token.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ConnectionView {
    /// False once only the listener can help: see `needs_reauth_reason`.
    connected: bool,
    /// The Spotify app that the authorization belongs to.
    client_id: String,
    scopes: Vec<String>,
    /// When the access token in hand ends; it is renewed by itself.
    expires_at: Millis,
    authorized_at: Millis,
    /// Spotify ends every authorization six months after it was given.
    reauthorize_by: Millis,
    needs_reauth_reason: Option<String>,
    needs_reauth_since: Option<Millis>,
}

impl From<ConnectionSummary> for ConnectionView {
    fn from(row: ConnectionSummary) -> Self {
        Self {
            connected: row.lost_reason.is_none(),
            client_id: row.client_id,
            scopes: row.scopes.split_whitespace().map(str::to_owned).collect(),
            expires_at: row.access_expires_at,
            authorized_at: row.authorized_at,
            reauthorize_by: reauthorize_by(row.authorized_at),
            needs_reauth_reason: row.lost_reason,
            needs_reauth_since: row.lost_at,
        }
    }
}

/// GET /admin/users/{id}/spotify-connection.
pub async fn connection(app: App, Path(id): Path<String>) -> Result<Json<ConnectionView>, AppError> {
    let user = admin_users::find(&app, &id).await?;
    let row: Option<ConnectionSummary> = app.db.first(spotify_tokens::select_summary(user.id)).await?;
    let missing = || AppError::NotFound(format!("User {} is not connected to Spotify.", user.id));
    row.map(|row| Json(row.into())).ok_or_else(missing)
}

/// A link that connects one user.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LinkView {
    /// To be opened in the listener's browser.
    url: String,
    expires_at: Millis,
}

/// POST /admin/users/{id}/spotify-connection: a link for the listener's browser, good for a day.
pub async fn make_link(
    app: App,
    Path(id): Path<String>,
    actor: Actor,
) -> Result<(StatusCode, Json<LinkView>), AppError> {
    let user = admin_users::find(&app, &id).await?;
    if spotify_accounts::credentials(&*app.db, user.id).await?.is_none() {
        app.config.spotify.app().map_err(AppError::NotConfigured)?;
    }
    let redirect_uri = login::redirect_uri(&app).map_err(AppError::NotConfigured)?;
    let (link, expires_at) = login::link(&app, user.id).map_err(not_made)?;
    let change = Change::new("spotify_connection.invite", format!("users/{}/spotify-connection", user.id));
    app.db.run(actor.made(change.of_user(user.id).after(&json!({ "expires_at": expires_at })), app.now())).await?;
    // Where the browser comes back to, since the login's cookie has to be there.
    let origin: String = redirect_uri.split_inclusive('/').take(3).collect();
    let url = format!("{origin}auth/login?link={link}");
    Ok((StatusCode::CREATED, Json(LinkView { url, expires_at })))
}

/// What became of a connection.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Disconnected {
    success: bool,
    message: &'static str,
}

/// DELETE /admin/users/{id}/spotify-connection: the tokens are deleted, and polling ends. The plays stay.
pub async fn disconnect(app: App, Path(id): Path<String>, actor: Actor) -> Result<Json<Disconnected>, AppError> {
    let user = admin_users::find(&app, &id).await?;
    let change = Change::new("spotify_connection.delete", format!("users/{}/spotify-connection", user.id));
    let mut statements = vec![spotify_tokens::delete(user.id), actor.made(change.of_user(user.id), app.now())];
    statements.extend(sync_states::disconnected(user.id, app.now()));
    let deleted = app.db.batch(statements).await?.into_iter().next().unwrap_or_default();
    if !spotify_tokens::happened(&deleted) {
        return Ok(Json(Disconnected { success: false, message: "The user was not connected." }));
    }
    tracing::info!(user_id = user.id.0, "A listener was disconnected from Spotify");
    let message = "Disconnected: the tokens are deleted and no more plays are fetched. Spotify lets only the listener \
                   withdraw the authorization itself, at https://www.spotify.com/account/apps/.";
    Ok(Json(Disconnected { success: true, message }))
}

/// The Spotify app of one user.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct CredentialsView {
    client_id: String,
    updated_at: Millis,
}

/// A Spotify app to be set.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    #[cfg_attr(test, schemars(required, regex(pattern = "^[A-Za-z0-9._-]{1,200}$")))]
    client_id: Option<String>,
    /// Goes in and never comes out.
    #[cfg_attr(test, schemars(required, regex(pattern = "^[A-Za-z0-9._-]{1,200}$")))]
    client_secret: Option<String>,
}

/// GET /admin/users/{id}/spotify-credentials: the id alone.
pub async fn credentials(app: App, Path(id): Path<String>) -> Result<Json<CredentialsView>, AppError> {
    let user = admin_users::find(&app, &id).await?;
    let row = spotify_accounts::credentials(&*app.db, user.id).await?;
    let missing = || AppError::NotFound(format!("User {} has no Spotify app of their own.", user.id));
    row.map(|row| Json(CredentialsView { client_id: row.client_id, updated_at: row.updated_at })).ok_or_else(missing)
}

/// PUT /admin/users/{id}/spotify-credentials: from now on this user logs in through an app of their own.
pub async fn set_credentials(
    app: App,
    Path(id): Path<String>,
    actor: Actor,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<CredentialsView>, AppError> {
    let user = admin_users::find(&app, &id).await?;
    let new: NewCredentials = body::json(&headers, body).await?;
    let (client_id, client_secret) = (new.client_id.unwrap_or_default(), new.client_secret.unwrap_or_default());
    let mut errors = Vec::new();
    for (field, value) in [("client_id", &client_id), ("client_secret", &client_secret)] {
        let is_plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !is_plain || !(1..=200).contains(&value.len()) {
            let rule =
                "is required: as the app's page at https://developer.spotify.com/dashboard shows it, without blanks";
            errors.push(FieldError::new(field, rule));
        }
    }
    if !errors.is_empty() {
        return Err(AppError::Invalid(errors));
    }
    let keys = app.config.spotify.keys().map_err(AppError::NotConfigured)?;
    let random = app.clock.secret_bytes().ok_or_else(|| not_made(SpotifyError::NoRandomness))?;
    let sealed = keys.seal(&session::place("client_secret", user.id), &client_secret, &random);
    let now = app.now();
    let mut statements = spotify_accounts::set_credentials(user.id, &client_id, &sealed, now);
    let change = Change::new("spotify_credentials.set", format!("users/{}/spotify-credentials", user.id));
    statements.push(actor.made(change.of_user(user.id).after(&json!({ "client_id": client_id })), now));
    app.db.batch(statements).await?;
    Ok(Json(CredentialsView { client_id, updated_at: now }))
}

/// DELETE /admin/users/{id}/spotify-credentials: this user logs in through the installation's app again.
pub async fn delete_credentials(app: App, Path(id): Path<String>, actor: Actor) -> Result<StatusCode, AppError> {
    let user = admin_users::find(&app, &id).await?;
    let now = app.now();
    let mut statements = spotify_accounts::delete_credentials(user.id, now);
    let change = Change::new("spotify_credentials.delete", format!("users/{}/spotify-credentials", user.id));
    statements.push(actor.made(change.of_user(user.id), now));
    app.db.batch(statements).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn not_made(error: SpotifyError) -> AppError {
    match error {
        SpotifyError::NotConfigured(setting) => AppError::NotConfigured(setting),
        _ => AppError::Internal("the platform gives no randomness"),
    }
}

#[cfg(test)]
mod tests;
