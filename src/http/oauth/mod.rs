//! OAuth 2.1 for MCP connectors: hosts that take no fixed token send their user here to sign in and consent.
//!
//! Must stay true: nobody is sent anywhere but to an address that the client owns, matched letter by letter; consent is asked each
//! time, of the admin, by a page that no other site can frame or submit; a client proves with PKCE that it is the one that asked;
//! a token opens one user's history, for `/mcp` of this Worker's public origin. The steps are rows of `oauth_grants`, the secrets
//! are `domain::grant_secret`.
//!
//! OAuth 2.1 (draft), RFC 6749, 7009, 7591, 7636, 8252, 8414, 8707, 9207, 9700, 9728, and the authorization pages of
//! <https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization>.

pub mod authorize;
mod client;
mod client_document;
mod error;
mod form;
pub mod metadata;
mod pages;
mod redirect;
pub mod register;
mod request;
#[cfg(test)]
pub mod tests;
pub mod token;

use axum::http::{HeaderMap, Uri, header};

use super::origin;
use crate::{
    app::App,
    config::SettingError,
    domain::credential::{Scope, Scopes},
    error::AppError,
};

/// The origin that tokens are issued under.
pub struct Issuer(String);

/// Where clients use their tokens.
const RESOURCE_PATH: &str = "/mcp";

impl Issuer {
    /// # Errors
    /// The request was not made to the origin that tokens are issued under, or there is none.
    pub fn of(app: &App, headers: &HeaderMap, uri: &Uri) -> Result<Self, AppError> {
        match (origin::of_issuer(app, headers, uri), &app.config.public_url) {
            (Some(origin), _) => Ok(Self(origin)),
            (None, Some(_)) => Err(AppError::NotFound("OAuth is offered at PUBLIC_URL only.".to_owned())),
            (None, None) => Err(AppError::NotConfigured(SettingError {
                variable: "PUBLIC_URL",
                problem: "must be set for OAuth: the origin that clients know this Worker by",
            })),
        }
    }

    pub fn origin(&self) -> &str {
        &self.0
    }

    /// The MCP endpoint, as its protected-resource metadata names it.
    pub fn resource(&self) -> String {
        format!("{}{RESOURCE_PATH}", self.0)
    }

    /// Whether a client that names `resource` (RFC 8707) means ours.
    pub fn is_resource(&self, resource: &str) -> bool {
        resource.strip_suffix('/').unwrap_or(resource) == self.resource()
    }

    fn is_secure(&self) -> bool {
        self.0.starts_with("https://")
    }

    fn host(&self) -> &str {
        self.0.split_once("://").map_or("", |(_, host)| host)
    }
}

/// The WWW-Authenticate header that tells an MCP client where to get a token (RFC 9728), and for what (RFC 6750, 3): for requests to
/// the resource, where tokens are issued. Clients that see it may prefer OAuth to the fixed token they were given, so another host
/// name of the Worker does not send it.
pub fn challenge(app: &App, headers: &HeaderMap, uri: &Uri) -> Option<String> {
    let error = headers.contains_key(header::AUTHORIZATION).then_some("invalid_token");
    challenge_for(app, headers, uri, error, Scopes::from_iter(Scope::ALL))
}

/// The same for a token that is good and lacks a scope. `wanted` holds the scopes that it has, too: a client asks its user for
/// these and no others, and the new token is to do what the old one did.
pub fn step_up_challenge(app: &App, headers: &HeaderMap, uri: &Uri, wanted: Scopes) -> Option<String> {
    challenge_for(app, headers, uri, Some("insufficient_scope"), wanted)
}

fn challenge_for(app: &App, headers: &HeaderMap, uri: &Uri, error: Option<&str>, scopes: Scopes) -> Option<String> {
    let issuer = origin::of_issuer(app, headers, uri).filter(|_| uri.path() == RESOURCE_PATH)?;
    let error = error.map_or_else(String::new, |error| format!(", error=\"{error}\""));
    let scopes = scopes.to_text();
    Some(format!(
        "Bearer realm=\"listenlog\"{error}, scope=\"{scopes}\", \
         resource_metadata=\"{issuer}/.well-known/oauth-protected-resource{RESOURCE_PATH}\""
    ))
}
