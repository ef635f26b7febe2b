//! `/admin/users/{user_id}/tokens`: tokens of assistants, each for one user's history.

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
    admin_users, body,
    issuing::{self, Terms},
    paginated::Paginated,
    path_id::{missing, path_id},
    query::{PAGED, Query},
};
use crate::{
    app::App,
    domain::{
        credential::{CredentialKind, Scope, Scopes},
        ids::CredentialId,
        instant::Millis,
    },
    error::{AppError, FieldError},
    store::{
        assistant_tokens::{self, AssistantToken, TABLE},
        audit::{Actor, Change},
    },
};

/// A token to be issued.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    #[cfg_attr(test, schemars(required, length(min = 1, max = 100)))]
    label: Option<String>,
    scopes: Option<Vec<String>>,
    expires_at: Option<String>,
}

impl TokenRequest {
    fn check(self, now: Millis) -> Result<(Terms, Scopes), AppError> {
        let mut errors = Vec::new();
        let terms = Terms::check(self.label.as_deref(), self.expires_at.as_deref(), now, &mut errors);
        let named = self.scopes.unwrap_or_else(|| vec![Scope::Read.name().to_owned()]);
        let scopes: Option<Scopes> = named.iter().map(|name| Scope::parse(name)).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        if scopes.is_none() {
            let known = Scope::ALL.map(Scope::name).join(", ");
            errors.push(FieldError::new("scopes", format!("must be a list of one or more of: {known}")));
        }
        scopes.filter(|_| errors.is_empty()).map(|scopes| (terms, scopes)).ok_or(AppError::Invalid(errors))
    }
}

/// POST `/admin/users/{user_id}/tokens`.
pub async fn issue(
    app: App,
    actor: Actor,
    Path(user_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, AppError> {
    let user = admin_users::find(&app, &user_id).await?;
    let (terms, scopes) = body::json::<TokenRequest>(&headers, body).await?.check(app.now())?;
    let (token, hash) = issuing::draw(&app, CredentialKind::AssistantToken);
    let after = json!({"label": terms.label, "scopes": scopes, "expires_at": terms.expires_at});
    let change = Change::created("token.issue", format!("users/{}/tokens/", user.id), TABLE.name);
    let change = actor.made(change.of_user(user.id).after(&after), app.now());
    let stored = assistant_tokens::insert(&*app.db, &terms.token(&hash), (user.id, scopes), app.now(), change).await?;
    tracing::info!(user_id = user.id.0, token_id = stored.id.0, "A token was issued");
    Ok(issuing::shown_once(token, stored))
}

/// GET `/admin/users/{user_id}/tokens`.
pub async fn list(
    app: App,
    Path(user_id): Path<String>,
    uri: Uri,
) -> Result<Json<Paginated<AssistantToken>>, AppError> {
    let page = Query::declared(&uri, PAGED)?.page()?;
    let user = admin_users::find(&app, &user_id).await?;
    let (tokens, total) = TABLE.list(&*app.db, Some(user.id), page.limit, page.offset).await?;
    Ok(Json(Paginated::new(tokens.all()?, total, page)))
}

/// DELETE `/admin/users/{user_id}/tokens/{token_id}`: from now on the token opens nothing.
pub async fn revoke(
    app: App,
    actor: Actor,
    Path((user_id, token_id)): Path<(String, String)>,
) -> Result<StatusCode, AppError> {
    let user = admin_users::find(&app, &user_id).await?;
    let id = CredentialId(path_id("Token", &token_id)?);
    let token: Option<AssistantToken> = app.db.first(TABLE.by_id(id, Some(user.id))).await?;
    let token = token.ok_or_else(|| missing("Token", &id))?;
    let change = Change::new("token.revoke", format!("users/{}/tokens/{id}", user.id)).of_user(user.id).before(&token);
    TABLE.delete(&*app.db, id, actor.made(change, app.now())).await?;
    tracing::info!(user_id = user.id.0, token_id = id.0, "A token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests;
