//! Who is asking.
//!
//! Must stay true: the check comes before any body is read; secrets are compared as digests in constant time, or looked up
//! by their hash; a missing or wrong setting shuts the door with 503 and names the variable; an open door exists on
//! loopback only; a credential of one user never opens what is the admin's; the credential of the settings is always an admin's, and
//! is told without the database.

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
        credential::{Credential, CredentialKind, has_expired},
        grant_secret::{GrantSecret, SecretKind},
        ids::CredentialId,
        instant::Millis,
        role::Role,
    },
    error::AppError,
    store::{
        Rows,
        assistant_tokens::{self, AssistantToken},
        issued_tokens::TokenTable,
        oauth_grants,
        role_tokens::{self, RoleToken},
    },
};

/// A credential that was recognised.
#[derive(Clone, Debug)]
pub enum Recognised {
    /// That of the settings, or none where the door is open.
    Configured,
    WithRole(RoleToken),
    OfUser(Credential),
}

impl Recognised {
    const fn caller(&self) -> Caller {
        match self {
            Self::Configured => Caller::Admin(Role::Admin),
            Self::WithRole(token) => Caller::Admin(token.role),
            Self::OfUser(credential) => Caller::User(*credential),
        }
    }
}

/// Lets the admin through, and tokens of any role; how large a role it takes is [`require_role`]'s to ask.
pub async fn require_admin(app: App, mut request: Request, next: Next) -> Response<Body> {
    match identify(&app, request.headers(), request.uri()).await {
        Ok(Recognised::OfUser(_)) => {
            let refusal = "This is for the admin alone; a credential of one user opens that user's history.";
            AppError::Forbidden(refusal.to_owned()).into_response()
        }
        Ok(recognised) => {
            request.extensions_mut().insert(recognised.caller());
            request.extensions_mut().insert(recognised);
            next.run(request).await
        }
        Err(error) => error.into_response(),
    }
}

/// Behind [`require_admin`]: lets through whose role is large enough.
pub async fn require_role(State(needed): State<Role>, request: Request, next: Next) -> Response<Body> {
    let refusal = match request.extensions().get() {
        Some(Caller::Admin(role)) if *role >= needed => return next.run(request).await,
        Some(Caller::Admin(role)) => {
            let (needed, role) = (needed.name(), role.name());
            AppError::Forbidden(format!("This takes the role `{needed}`; the token presented has the role `{role}`."))
        }
        _ => AppError::Internal("a role is asked for where no credential was"),
    };
    refusal.into_response()
}

/// Lets through whoever may ask questions: the admin, and credentials of one user.
pub async fn require_caller(app: App, mut request: Request, next: Next) -> Response<Body> {
    match identify(&app, request.headers(), request.uri()).await {
        Ok(recognised) => {
            request.extensions_mut().insert(recognised.caller());
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
/// the door is open to the admin, it opens its user's history, or what its role does, alone.
async fn identify(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<Recognised, AppError> {
    let as_admin = check_admin(app, headers, uri);
    let presented = credentials(headers, "bearer").and_then(|bytes| std::str::from_utf8(bytes).ok());
    match (presented.and_then(|secret| Some((secret, CredentialKind::of_secret(secret)?))), as_admin) {
        (_, Err(error @ AppError::NotConfigured(_))) => Err(error),
        (None, as_admin) => as_admin.map(|()| Recognised::Configured),
        (Some(_), Ok(())) if !matches!(app.config.admin, Ok(AdminAccess::Disabled)) => Ok(Recognised::Configured),
        (Some((secret, kind)), _) => find_issued(app, secret, kind).await,
    }
}

/// The credential that was issued with this secret.
async fn find_issued(app: &App, secret: &str, kind: CredentialKind) -> Result<Recognised, AppError> {
    match kind {
        CredentialKind::AssistantToken => {
            let rows = look_up(app, &assistant_tokens::TABLE, kind, secret).await?;
            let token: AssistantToken = rows.first()?.ok_or_else(unknown)?;
            use_token(app, &assistant_tokens::TABLE, token.id, token.expires_at, token.last_used_at).await?;
            Ok(Recognised::OfUser(token.credential()))
        }
        CredentialKind::RoleToken => {
            let rows = look_up(app, &role_tokens::TABLE, kind, secret).await?;
            let token: RoleToken = rows.first()?.ok_or_else(unknown)?;
            use_token(app, &role_tokens::TABLE, token.id, token.expires_at, token.last_used_at).await?;
            Ok(Recognised::WithRole(token))
        }
        CredentialKind::Grant => {
            let refused = || invalid("This access token was never issued here, has expired, or was revoked.");
            let access = GrantSecret::parse(SecretKind::Access, secret).ok_or_else(refused)?;
            let opened = oauth_grants::open(&*app.db, access.grant, &access.hashes(), app.now()).await?;
            opened.map(Recognised::OfUser).ok_or_else(refused)
        }
    }
}

fn invalid(detail: &'static str) -> AppError {
    AppError::Unauthorized { detail, challenge: "Bearer realm=\"listenlog\", error=\"invalid_token\"".into() }
}

fn unknown() -> AppError {
    invalid("This token was never issued here, or it was revoked.")
}

/// The row of a token; the database is asked only for what could be one.
async fn look_up(app: &App, table: &TokenTable, kind: CredentialKind, secret: &str) -> Result<Rows, AppError> {
    let hash = kind.hash_of(secret).ok_or_else(unknown)?;
    Ok(app.db.run(table.by_hash(&hash)).await?)
}

async fn use_token(
    app: &App,
    table: &TokenTable,
    id: CredentialId,
    expires_at: Option<Millis>,
    last_used_at: Option<Millis>,
) -> Result<(), AppError> {
    if has_expired(expires_at, app.now()) {
        return Err(invalid("This token has expired: ask the admin for a new one."));
    }
    Ok(table.note_use(&*app.db, id, last_used_at, app.now()).await?)
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
