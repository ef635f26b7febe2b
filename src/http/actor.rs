//! Who makes a change, for the audit: taken by handlers like any other extractor.
//!
//! Must stay true: it is read off what the credential check left behind, never off what a request claims.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{auth::Caller, request_id::RequestId};
use crate::{
    app::App,
    config::AdminAccess,
    domain::credential::CredentialKind,
    error::AppError,
    store::audit::{Actor, Credential},
};

impl FromRequestParts<App> for Actor {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, AppError> {
        let caller = parts.extensions.get::<Caller>().copied();
        let caller = caller.ok_or(AppError::Internal("a change on a route without a credential check"))?;
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Ok(Self { credential: credential(app, caller), request_id })
    }
}

pub fn credential(app: &App, caller: Caller) -> Credential {
    match (caller, &app.config.admin) {
        (Caller::User(issued), _) => match issued.kind {
            CredentialKind::AssistantToken => Credential::AssistantToken,
            CredentialKind::Grant => Credential::OauthGrant,
        },
        (Caller::Admin, Ok(AdminAccess::Token { .. })) => Credential::AdminToken,
        (Caller::Admin, Ok(AdminAccess::Basic { .. })) => Credential::AdminPassword,
        (Caller::Admin, Ok(AdminAccess::Disabled) | Err(_)) => Credential::OpenDoor,
    }
}
