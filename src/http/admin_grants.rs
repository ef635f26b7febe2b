//! `/admin/grants`: what OAuth clients were allowed, and taking it back.

use axum::{Json, extract::Path, http::Uri};
use serde::Serialize;
use serde_json::json;

use super::{
    paginated::Paginated,
    path_id::{missing, path_id},
    query::{LIMIT, OFFSET, Parameter, Query, USER_ID},
};
use crate::{
    app::App,
    domain::{grant_secret::GrantId, ids::UserId, instant::Millis},
    error::AppError,
    store::{
        audit::{Actor, Change},
        oauth_grants::{self, Grant},
    },
};

/// A grant.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GrantView {
    id: i64,
    user_id: UserId,
    client_id: String,
    /// What the client calls itself.
    client_name: Option<String>,
    /// Where the code was sent.
    redirect_uri: String,
    scopes: Vec<String>,
    /// `active`, `revoked`, or `expired` when it was not used for too long.
    status: &'static str,
    created_at: Millis,
    /// To the hour.
    last_used_at: Option<Millis>,
    /// When it is over unless it is used before.
    expires_at: Millis,
    revoked_at: Option<Millis>,
    /// `admin`, `client`, `code_replayed` or `refresh_replayed`.
    revoked_because: Option<String>,
}

impl GrantView {
    fn at(grant: Grant, now: Millis) -> Self {
        let status = match grant.revoked_at {
            Some(_) => "revoked",
            None if grant.expires_at <= now => "expired",
            None => "active",
        };
        Self {
            id: grant.id.0,
            user_id: grant.user_id,
            client_id: grant.client_id,
            client_name: grant.client_name,
            redirect_uri: grant.redirect_uri,
            scopes: grant.scopes.split(' ').map(str::to_owned).collect(),
            status,
            created_at: grant.given_at,
            last_used_at: grant.last_used_at,
            expires_at: grant.expires_at,
            revoked_at: grant.revoked_at,
            revoked_because: grant.revoked_because,
        }
    }
}

pub const PARAMETERS: &[Parameter] = &[LIMIT, OFFSET, USER_ID];

/// GET /admin/grants: newest first.
pub async fn list(app: App, uri: Uri) -> Result<Json<Paginated<GrantView>>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let page = query.page()?;
    let user = query.number("user_id").map(UserId);
    let (grants, total) = oauth_grants::list(&*app.db, user, page.limit, page.offset).await?;
    let now = app.now();
    Ok(Json(Paginated::new(grants.into_iter().map(|grant| GrantView::at(grant, now)).collect(), total, page)))
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Revoked {
    /// False: it was over before.
    success: bool,
    message: String,
}

/// DELETE `/admin/grants/{grant_id}`: its tokens open nothing from now on.
pub async fn revoke(app: App, actor: Actor, Path(grant_id): Path<String>) -> Result<Json<Revoked>, AppError> {
    let id = GrantId(path_id("Grant", &grant_id)?);
    let grant = oauth_grants::find(&*app.db, id).await?.ok_or_else(|| missing("Grant", &grant_id))?;
    let change = Change::new("grant.revoke", format!("grants/{}", id.0)).of_user(grant.user_id);
    let change = change.before(&json!({"client_id": grant.client_id, "scopes": grant.scopes}));
    let success = oauth_grants::revoke(&*app.db, id, app.now(), actor.made(change, app.now())).await?;
    let message = if success { "Grant revoked" } else { "Grant was revoked before" }.to_owned();
    Ok(Json(Revoked { success, message }))
}
