//! Who is asking.
//!
//! Must stay true: the check comes before any body is read; secrets are compared as digests in constant time; a missing
//! or wrong setting shuts the door with 503 and names the variable; an open door exists on loopback only.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, Response, Uri, header},
    middleware::Next,
    response::IntoResponse,
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    app::App,
    config::{AdminAccess, SecretDigest, SettingError, is_loopback_host},
    error::AppError,
};

/// Whose credential a request carried. Put into the request's extensions by the checks below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The person who runs it: may ask about everyone.
    Admin,
}

/// Lets only the admin through.
pub async fn require_admin(State(app): State<App>, mut request: Request, next: Next) -> Response<Body> {
    match check_admin(&app, request.headers(), request.uri()) {
        Ok(()) => {
            request.extensions_mut().insert(Caller::Admin);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Lets through whoever may ask questions: for now, the admin.
pub async fn require_caller(state: State<App>, request: Request, next: Next) -> Response<Body> {
    require_admin(state, request, next).await
}

fn check_admin(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<(), AppError> {
    match &app.config.admin {
        Err(error) => Err(AppError::NotConfigured(error.clone())),
        Ok(AdminAccess::Token { digest }) => check_token(digest, headers),
        Ok(AdminAccess::Basic { digest }) => check_basic(digest, headers),
        Ok(AdminAccess::Disabled) if is_loopback(headers, uri) => Ok(()),
        Ok(AdminAccess::Disabled) => Err(AppError::NotConfigured(SettingError {
            variable: "ADMIN_AUTH_MODE",
            problem: "disabled works on the local machine only: set token or basic",
        })),
    }
}

fn check_token(digest: &SecretDigest, headers: &HeaderMap) -> Result<(), AppError> {
    let refused = |detail| AppError::Unauthorized { detail, challenge: "Bearer realm=\"listenlog\"" };
    let presented = credentials(headers, "bearer")
        .ok_or_else(|| refused("Missing or invalid Authorization header: send `Bearer` and the admin token."))?;
    if digest.matches(presented) { Ok(()) } else { Err(refused("Invalid token.")) }
}

fn check_basic(digest: &SecretDigest, headers: &HeaderMap) -> Result<(), AppError> {
    let refused = |detail| AppError::Unauthorized { detail, challenge: "Basic realm=\"listenlog\", charset=\"UTF-8\"" };
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
