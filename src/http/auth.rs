//! Who is asking.
//!
//! Must stay true: the check comes before any body is read; secrets are compared as digests in constant time, or looked up
//! by their hash; a missing or wrong setting shuts the door with 503 and names the variable; an open door exists on
//! loopback only; a credential of one user never opens what is the admin's.

mod caller;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Response, Uri, header},
    middleware::Next,
    response::IntoResponse,
};
use base64::{Engine, engine::general_purpose::STANDARD};

pub use self::caller::Caller;
use super::oauth;
use crate::{
    app::App,
    config::{AdminAccess, SecretDigest, SettingError, is_loopback_host},
    domain::{
        credential::{Credential, CredentialKind, SecretHash, has_expired},
        grant_secret::{GrantSecret, SecretKind},
    },
    error::AppError,
    store::{assistant_tokens, oauth_grants},
};

/// Lets only the admin through.
pub async fn require_admin(State(app): State<App>, mut request: Request, next: Next) -> Response<Body> {
    match identify(&app, request.headers(), request.uri()).await {
        Ok(Caller::Admin) => {
            request.extensions_mut().insert(Caller::Admin);
            next.run(request).await
        }
        Ok(Caller::User(_)) => {
            let refusal = "This is for the admin alone; a credential of one user opens that user's history.";
            AppError::Forbidden(refusal.to_owned()).into_response()
        }
        Err(error) => error.into_response(),
    }
}

/// Lets through whoever may ask questions: the admin, and credentials of one user.
pub async fn require_caller(State(app): State<App>, mut request: Request, next: Next) -> Response<Body> {
    match identify(&app, request.headers(), request.uri()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(error @ AppError::Unauthorized { .. }) => {
            let challenge = oauth::challenge(&app, request.headers(), request.uri());
            let mut response = error.into_response();
            if let Some(challenge) = challenge.and_then(|challenge| HeaderValue::from_str(&challenge).ok()) {
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            response
        }
        Err(error) => error.into_response(),
    }
}

/// Whose credential a request carries. A credential that was issued here is told by its prefix, in every mode: also where
/// the door is open to the admin, it opens its user's history alone.
async fn identify(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<Caller, AppError> {
    let as_admin = check_admin(app, headers, uri);
    let presented = credentials(headers, "bearer").and_then(|bytes| std::str::from_utf8(bytes).ok());
    match (presented.and_then(|secret| Some((secret, CredentialKind::of_secret(secret)?))), as_admin) {
        (_, Err(error @ AppError::NotConfigured(_))) => Err(error),
        (None, as_admin) => as_admin.map(|()| Caller::Admin),
        (Some(_), Ok(())) if !matches!(app.config.admin, Ok(AdminAccess::Disabled)) => Ok(Caller::Admin),
        (Some((secret, kind)), _) => find_issued(app, secret, kind).await.map(Caller::User),
    }
}

/// The credential that was issued with this secret.
async fn find_issued(app: &App, secret: &str, kind: CredentialKind) -> Result<Credential, AppError> {
    let refused = |detail| AppError::Unauthorized {
        detail,
        challenge: "Bearer realm=\"listenlog\", error=\"invalid_token\"".into(),
    };
    match kind {
        CredentialKind::AssistantToken => {
            let token = assistant_tokens::find(&*app.db, &SecretHash::of(secret)).await?;
            let token = token.ok_or_else(|| refused("This token was never issued here, or it was revoked."))?;
            if has_expired(token.expires_at, app.now()) {
                return Err(refused("This token has expired: ask the admin for a new one."));
            }
            assistant_tokens::note_use(&*app.db, &token, app.now()).await?;
            Ok(token.credential())
        }
        CredentialKind::Grant => {
            let refused = || refused("This access token was never issued here, has expired, or was revoked.");
            let access = GrantSecret::parse(SecretKind::Access, secret).ok_or_else(refused)?;
            let opened = oauth_grants::open(&*app.db, access.grant, &access.hashes(), app.now()).await?;
            opened.ok_or_else(refused)
        }
    }
}

fn check_admin(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<(), AppError> {
    match &app.config.admin {
        Err(error) => Err(AppError::NotConfigured(error.clone())),
        Ok(AdminAccess::Token { digest }) => check_token(digest, headers),
        Ok(AdminAccess::Basic { digest }) => check_basic(digest, headers),
        Ok(AdminAccess::Disabled) if is_loopback(headers, uri) => Ok(()),
        Ok(AdminAccess::Disabled) => Err(open_door_elsewhere()),
    }
}

pub const fn open_door_elsewhere() -> AppError {
    AppError::NotConfigured(SettingError {
        variable: "ADMIN_AUTH_MODE",
        problem: "disabled works on the local machine only: set token or basic",
    })
}

fn check_token(digest: &SecretDigest, headers: &HeaderMap) -> Result<(), AppError> {
    let refused = |detail| AppError::Unauthorized { detail, challenge: "Bearer realm=\"listenlog\"".into() };
    let presented = credentials(headers, "bearer")
        .ok_or_else(|| refused("Missing or invalid Authorization header: send `Bearer` and the admin token."))?;
    if digest.matches(presented) { Ok(()) } else { Err(refused("Invalid token.")) }
}

fn check_basic(digest: &SecretDigest, headers: &HeaderMap) -> Result<(), AppError> {
    let refused =
        |detail| AppError::Unauthorized { detail, challenge: "Basic realm=\"listenlog\", charset=\"UTF-8\"".into() };
    let presented = credentials(headers, "basic")
        .ok_or_else(|| refused("Missing or invalid Authorization header: send `Basic` with name and password."))?;
    let decoded = STANDARD.decode(presented).map_err(|_| refused("Invalid Basic auth encoding."))?;
    if digest.matches(&decoded) { Ok(()) } else { Err(refused("Invalid credentials.")) }
}

/// What follows the scheme, as bytes: a credential need not be ASCII. Schemes are case-insensitive (RFC 9110, 11.1).
fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a [u8]> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?.as_bytes();
    if values.next().is_some() {
        return None;
    }
    let (found, rest) = value.split_at_checked(scheme.len())?;
    if !found.eq_ignore_ascii_case(scheme.as_bytes()) {
        return None;
    }
    rest.strip_prefix(b" ").filter(|rest| !rest.is_empty())
}

/// Whether the request was made to this machine by name. A browser cannot be made to lie about the host it calls.
pub fn is_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let from_header = headers.get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let hosts = [uri.authority().map(axum::http::uri::Authority::as_str), from_header];
    let mut known = hosts.into_iter().flatten().peekable();
    known.peek().is_some() && known.all(is_loopback_host)
}

#[cfg(test)]
mod tests;
