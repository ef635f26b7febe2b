//! Who makes a change, for the audit: taken by handlers like any other extractor.
//!
//! Must stay true: it is read off what the credential check left behind, never off what a request claims.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{auth::Recognised, request_id::RequestId};
use crate::{
    app::App,
    config::AdminAccess,
    domain::credential::CredentialKind,
    error::AppError,
    store::audit::{Actor, Credential, UsedToken},
};

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        let app = App::from_request_parts(parts, state).await?;
        let recognised = parts.extensions.get::<Recognised>();
        let recognised = recognised.ok_or(AppError::Internal("a change on a route without a credential check"))?;
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        Ok(actor(&app, recognised, request_id))
    }
}

pub fn actor(app: &App, recognised: &Recognised, request_id: String) -> Actor {
    let (credential, token) = match (recognised, &app.config.admin) {
        (Recognised::OfUser(issued), _) => match issued.kind {
            CredentialKind::AssistantToken => (Credential::AssistantToken, None),
            CredentialKind::Grant => (Credential::OauthGrant, None),
            CredentialKind::RoleToken => (Credential::RoleToken, None),
        },
        (Recognised::WithRole(token), _) => {
            let used = UsedToken { id: token.id, label: token.label.clone(), role: token.role };
            (Credential::RoleToken, Some(used))
        }
        (Recognised::Configured, Ok(AdminAccess::Token { .. })) => (Credential::AdminToken, None),
        (Recognised::Configured, Ok(AdminAccess::Basic { .. })) => (Credential::AdminPassword, None),
        (Recognised::Configured, Ok(AdminAccess::Disabled) | Err(_)) => (Credential::OpenDoor, None),
    };
    Actor { credential, token, request_id }
}
