//! `/admin/users/{user_id}/tokens`: tokens of assistants, each for one user's history.
//!
//! Must stay true: a token is shown in the answer that issues it, and nowhere else ever.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::IntoResponse,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    admin_users, body,
    paginated::Paginated,
    path_id::{missing, path_id},
    query::{PAGED, Query},
};
use crate::{
    app::App,
    domain::{
        credential::{CredentialKind, Scope, Scopes, SecretHash},
        ids::CredentialId,
        instant::Millis,
    },
    error::{AppError, FieldError},
    store::{
        assistant_tokens::{self, AssistantToken, NewToken},
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

/// The request, checked.
struct Wanted {
    label: String,
    scopes: Scopes,
    expires_at: Option<Millis>,
}

const MAX_LABEL_CHARS: usize = 100;

impl TokenRequest {
    fn check(self, now: Millis) -> Result<Wanted, AppError> {
        let mut errors = Vec::new();
        let label = self.label.as_deref().map(str::trim).unwrap_or_default();
        if !(1..=MAX_LABEL_CHARS).contains(&label.chars().count()) || label.chars().any(char::is_control) {
            let rule = format!("is required: 1 to {MAX_LABEL_CHARS} characters, without control characters");
            errors.push(FieldError::new("label", rule));
        }
        let named = self.scopes.unwrap_or_else(|| vec![Scope::Read.name().to_owned()]);
        let scopes: Option<Scopes> = named.iter().map(|name| Scope::parse(name)).collect();
        let scopes = scopes.filter(|scopes| !scopes.is_empty());
        if scopes.is_none() {
            let known = Scope::ALL.map(Scope::name).join(", ");
            errors.push(FieldError::new("scopes", format!("must be a list of one or more of: {known}")));
        }
        let expires_at = self.expires_at.as_deref().map(|text| text.parse::<Timestamp>().ok());
        let expires_at = expires_at.map(|instant| instant.map(|instant| Millis(instant.as_millisecond())));
        if expires_at.is_some_and(|instant| instant.is_none_or(|instant| instant <= now)) {
            let rule = "must be an instant to come, such as 2030-01-31T00:00:00Z; without it the token does not expire";
            errors.push(FieldError::new("expires_at", rule));
        }
        match scopes {
            Some(scopes) if errors.is_empty() => {
                Ok(Wanted { label: label.to_owned(), scopes, expires_at: expires_at.flatten() })
            }
            _ => Err(AppError::Invalid(errors)),
        }
    }
}

/// A token that was just issued.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Issued {
    /// Shown this once.
    token: String,
    #[serde(flatten)]
    stored: AssistantToken,
}

/// POST `/admin/users/{user_id}/tokens`.
pub async fn issue(
    State(app): State<App>,
    actor: Actor,
    Path(user_id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, AppError> {
    let user = admin_users::find(&app, &user_id).await?;
    let wanted = body::json::<TokenRequest>(&headers, body).await?.check(app.now())?;
    let token = CredentialKind::AssistantToken.secret(&[app.clock.random_hex(), app.clock.random_hex()]);
    let new = NewToken {
        user_id: user.id,
        hash: &SecretHash::of(&token),
        label: &wanted.label,
        scopes: wanted.scopes,
        expires_at: wanted.expires_at,
    };
    let after = json!({"label": wanted.label, "scopes": wanted.scopes, "expires_at": wanted.expires_at});
    let change = Change::created("token.issue", format!("users/{}/tokens/", user.id), "assistant_tokens");
    let change = actor.made(change.of_user(user.id).after(&after), app.now());
    let stored = assistant_tokens::insert(&*app.db, &new, app.now(), change).await?;
    tracing::info!(user_id = user.id.0, token_id = stored.id.0, "A token was issued");
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(Issued { token, stored })))
}

/// GET `/admin/users/{user_id}/tokens`.
pub async fn list(
    State(app): State<App>,
    Path(user_id): Path<String>,
    uri: Uri,
) -> Result<Json<Paginated<AssistantToken>>, AppError> {
    let page = Query::declared(&uri, PAGED)?.page()?;
    let user = admin_users::find(&app, &user_id).await?;
    let (tokens, total) = assistant_tokens::list(&*app.db, user.id, page.limit, page.offset).await?;
    Ok(Json(Paginated::new(tokens, total, page)))
}

/// DELETE `/admin/users/{user_id}/tokens/{token_id}`: from now on the token opens nothing.
pub async fn revoke(
    State(app): State<App>,
    actor: Actor,
    Path((user_id, token_id)): Path<(String, String)>,
) -> Result<StatusCode, AppError> {
    let user = admin_users::find(&app, &user_id).await?;
    let id = CredentialId(path_id("Token", &token_id)?);
    let token = assistant_tokens::find_of_user(&*app.db, user.id, id).await?;
    let token = token.ok_or_else(|| missing("Token", &id))?;
    let change = Change::new("token.revoke", format!("users/{}/tokens/{id}", user.id)).of_user(user.id).before(&token);
    assistant_tokens::delete(&*app.db, &token, actor.made(change, app.now())).await?;
    tracing::info!(user_id = user.id.0, token_id = id.0, "A token was revoked");
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests;
