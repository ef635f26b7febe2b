//! The accounts service: where a listener is sent to authorize, and where codes and refresh tokens become tokens.
//! <https://developer.spotify.com/documentation/web-api/tutorials/code-pkce-flow>
//!
//! Must stay true: the app's secret goes in the Authorization header; an answer's tokens are [`Secret`]s from the first.

use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;

use super::{
    error::{Family, Refusal, SpotifyError, TransientCause},
    request::{self, escaped},
    retry,
    settings::SpotifyApp,
};
use crate::{app::App, domain::instant::Millis, sealing::Secret};

/// What the listener is asked to allow: reading what was played, and Spotify's own ranking.
pub const SCOPES: [&str; 2] = ["user-read-recently-played", "user-top-read"];

/// Tokens as they came.
#[derive(Debug)]
pub struct Tokens {
    pub access_token: Secret,
    pub access_expires_at: Millis,
    /// `None`: the one before is still good.
    pub refresh_token: Option<Secret>,
    /// `None`: as before.
    pub scopes: Option<String>,
}

/// How the token endpoint answered, as far as it is no error.
#[derive(Debug)]
pub enum Granted {
    Tokens(Tokens),
    /// The code or refresh token is good for nothing: wrong, used, too old, taken back.
    InvalidGrant,
    /// 429.
    Blocked {
        until: Millis,
        is_quota: bool,
    },
}

/// The address that a listener authorizes at.
pub fn authorize_address(
    app: &App,
    client: &SpotifyApp,
    redirect_uri: &str,
    state: &str,
    code_challenge: &str,
) -> String {
    let query = form(&[
        ("response_type", "code"),
        ("client_id", &client.client_id),
        ("scope", &SCOPES.join(" ")),
        ("redirect_uri", redirect_uri),
        ("state", state),
        ("code_challenge_method", "S256"),
        ("code_challenge", code_challenge),
    ]);
    format!("{}/authorize?{query}", app.config.spotify.accounts_base)
}

/// A login's code becomes tokens.
pub async fn exchange(
    app: &App,
    client: &SpotifyApp,
    code: &Secret,
    redirect_uri: &str,
    code_verifier: &Secret,
) -> Result<Granted, SpotifyError> {
    let body = form(&[
        ("grant_type", "authorization_code"),
        ("code", code.expose()),
        ("redirect_uri", redirect_uri),
        ("code_verifier", code_verifier.expose()),
    ]);
    tokens(app, client, body).await
}

/// A refresh token becomes an access token.
pub async fn refresh(app: &App, client: &SpotifyApp, refresh_token: &Secret) -> Result<Granted, SpotifyError> {
    let body = form(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())]);
    tokens(app, client, body).await
}

async fn tokens(app: &App, client: &SpotifyApp, body: String) -> Result<Granted, SpotifyError> {
    let malformed = |what| SpotifyError::Malformed { family: Family::Accounts, what };
    let pair = STANDARD.encode(format!("{}:{}", client.client_id, client.client_secret.expose()));
    let mut basic =
        HeaderValue::from_str(&format!("Basic {pair}")).map_err(|_| malformed("the app's secret cannot be sent"))?;
    basic.set_sensitive(true);
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/api/token", app.config.spotify.accounts_base))
        .header(header::AUTHORIZATION, basic)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(header::ACCEPT, "application/json")
        .body(Bytes::from(body))
        .map_err(|_| malformed("the question cannot be sent"))?;
    let asked_at = app.now();
    let response = request::send(app, Family::Accounts, request).await?;
    read(app, &response, asked_at)
}

/// An answer of the token endpoint (RFC 6749, 5.1 and 5.2).
#[derive(Deserialize)]
struct TokenDocument {
    access_token: Option<String>,
    expires_in: Option<i64>,
    refresh_token: Option<String>,
    scope: Option<String>,
    error: Option<String>,
}

fn read(app: &App, response: &Response<Bytes>, asked_at: Millis) -> Result<Granted, SpotifyError> {
    /// What is believed of a token's life when nothing is said: Spotify's own hour.
    const LIFE_S: i64 = 3_600;
    const LONGEST_LIFE_S: i64 = 24 * 3_600;
    let status = response.status();
    if status == StatusCode::TOO_MANY_REQUESTS {
        let (until, is_quota) = request::blocked(response, app.now());
        return Ok(Granted::Blocked { until, is_quota });
    }
    if status.is_server_error() {
        let said = retry::retry_after_ms(response.headers(), app.now());
        return Err(request::transient(app, TransientCause::ServerError(status.as_u16()), said));
    }
    let document: Option<TokenDocument> = serde_json::from_slice(response.body()).ok();
    let malformed = SpotifyError::Malformed { family: Family::Accounts, what: "it holds no token" };
    if status.is_client_error() {
        let why = match document.and_then(|document| document.error).as_deref() {
            Some("invalid_grant") => return Ok(Granted::InvalidGrant),
            Some("invalid_client") => Refusal::WrongClient,
            _ => Refusal::Status(status.as_u16()),
        };
        return Err(SpotifyError::Refused { family: Family::Accounts, why });
    }
    let document = document.filter(|_| status == StatusCode::OK).ok_or(malformed)?;
    let access_token = document.access_token.filter(|token| !token.is_empty());
    let life_s = document.expires_in.unwrap_or(LIFE_S).clamp(0, LONGEST_LIFE_S);
    Ok(Granted::Tokens(Tokens {
        access_token: access_token
            .map(Secret::new)
            .ok_or(SpotifyError::Malformed { family: Family::Accounts, what: "it holds no token" })?,
        access_expires_at: asked_at.plus_ms(life_s * 1_000),
        refresh_token: document.refresh_token.filter(|token| !token.is_empty()).map(Secret::new),
        scopes: document.scope,
    }))
}

fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    pairs.join("&")
}
