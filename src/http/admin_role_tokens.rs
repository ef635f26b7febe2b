//! `/admin/tokens`: tokens with a role, for whoever shall do some of the admin's work.
//!
//! Must stay true: only an admin issues and revokes them. The last admin is never lost: the credential of the settings is always an
//! admin's, and no row, so nothing here takes it away.

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, StatusCode, Uri},
    response::IntoResponse,
};
use serde::Deserialize;
use serde_json::json;

use super::{
    body,
    issuing::{self, Terms},
    paginated::Paginated,
    path_id::{missing, path_id},
    query::{PAGED, Query},
};
use crate::{
    app::App,
    domain::{credential::CredentialKind, ids::CredentialId, instant::Millis, role::Role},
    error::{AppError, FieldError},
    store::{
        audit::{Actor, Change},
        role_tokens::{self, RoleToken, TABLE},
    },
};

/// A token with a role, to be issued.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RoleTokenRequest {
    #[cfg_attr(test, schemars(required, length(min = 1, max = 100)))]
    label: Option<String>,
    #[cfg_attr(test, schemars(required, with = "Role"))]
    role: Option<String>,
    expires_at: Option<String>,
}

impl RoleTokenRequest {
    fn check(self, now: Millis) -> Result<(Terms, Role), AppError> {
        let mut errors = Vec::new();
        let terms = Terms::check(self.label.as_deref(), self.expires_at.as_deref(), now, &mut errors);
        let role = self.role.as_deref().and_then(Role::parse);
        if role.is_none() {
            errors
                .push(FieldError::new("role", format!("is required: one of {}", Role::ALL.map(Role::name).join(", "))));
        }
        role.filter(|_| errors.is_empty()).map(|role| (terms, role)).ok_or(AppError::Invalid(errors))
    }
}

/// POST /admin/tokens.
pub async fn issue(app: App, actor: Actor, headers: HeaderMap, body: Body) -> Result<impl IntoResponse, AppError> {
    let (terms, role) = body::json::<RoleTokenRequest>(&headers, body).await?.check(app.now())?;
    let (token, hash) = issuing::draw(&app, CredentialKind::RoleToken);
    let after = json!({"label": terms.label, "role": role, "expires_at": terms.expires_at});
    let change = Change::created("role_token.issue", "tokens/", TABLE.name).after(&after);
    let record = actor.made(change, app.now());
    let stored = role_tokens::insert(&*app.db, &terms.token(&hash), role, app.now(), record).await?;
    tracing::info!(token_id = stored.id.0, role = role.name(), "A token with a role was issued");
    Ok(issuing::shown_once(token, stored))
}

/// GET /admin/tokens.
pub async fn list(app: App, uri: Uri) -> Result<Json<Paginated<RoleToken>>, AppError> {
    let page = Query::declared(&uri, PAGED)?.page()?;
    let (tokens, total) = TABLE.list(&*app.db, None, page.limit, page.offset).await?;
    Ok(Json(Paginated::new(tokens.all()?, total, page)))
}

/// DELETE `/admin/tokens/{token_id}`: from now on the token opens nothing.
pub async fn revoke(app: App, actor: Actor, Path(token_id): Path<String>) -> Result<StatusCode, AppError> {
    let id = CredentialId(path_id("Token", &token_id)?);
    let token: Option<RoleToken> = app.db.first(TABLE.by_id(id, None)).await?;
    let token = token.ok_or_else(|| missing("Token", &id))?;
    let change = Change::new("role_token.revoke", format!("tokens/{id}")).before(&token);
    TABLE.delete(&*app.db, id, actor.made(change, app.now())).await?;
    tracing::info!(token_id = id.0, role = token.role.name(), "A token with a role was revoked");
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests;
