//! `/admin/users`: the people whose history is kept.

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri},
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    body,
    paginated::Paginated,
    path_id::{missing, path_id},
    query::Query,
};
use crate::{
    app::App,
    domain::{ids::UserId, instant::Millis},
    error::{AppError, FieldError},
    store::{
        audit::{Actor, Change},
        users::{self, User},
    },
};

#[derive(Serialize)]
pub struct UserSummary {
    id: UserId,
    spotify_user_id: Option<String>,
    display_name: String,
    timezone: String,
    total_plays: i64,
    created_at: Millis,
    updated_at: Millis,
}

impl From<User> for UserSummary {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            spotify_user_id: user.spotify_user_id,
            display_name: user.display_name,
            timezone: user.timezone,
            total_plays: user.total_plays,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewUser {
    display_name: Option<String>,
    timezone: Option<String>,
}

const MAX_DISPLAY_NAME_CHARS: usize = 100;

/// POST /admin/users: a user without Spotify, for imports only.
pub async fn create(
    State(app): State<App>,
    actor: Actor,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<UserSummary>), AppError> {
    let new: NewUser = body::json(&headers, body).await?;
    let mut errors = Vec::new();
    let display_name = new.display_name.as_deref().map(str::trim).unwrap_or_default();
    let length = display_name.chars().count();
    if !(1..=MAX_DISPLAY_NAME_CHARS).contains(&length) || display_name.chars().any(char::is_control) {
        let rule = format!("is required: 1 to {MAX_DISPLAY_NAME_CHARS} characters, without control characters");
        errors.push(FieldError::new("display_name", rule));
    }
    let timezone = new.timezone.unwrap_or_else(|| app.config.default_timezone.clone());
    if TimeZone::get(&timezone).is_err() {
        errors.push(FieldError::new("timezone", "must be an IANA time zone such as Europe/Berlin"));
    }
    if !errors.is_empty() {
        return Err(AppError::Invalid(errors));
    }
    let after = json!({"display_name": display_name, "timezone": timezone});
    let change = actor.made(Change::created("user.create", "users/", "users").after(&after), app.now());
    let user = users::insert(&*app.db, display_name, &timezone, app.now(), vec![change]).await?;
    tracing::info!(user_id = user.id.0, "A user was created");
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// GET /admin/users.
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<Paginated<UserSummary>>, AppError> {
    let page = Query::parse(&uri, &["limit", "offset"])?.page()?;
    let (users, total) = users::list(&*app.db, page.limit, page.offset).await?;
    let items = users.into_iter().map(UserSummary::from).collect();
    Ok(Json(Paginated::new(items, total, page)))
}

/// GET /admin/users/{id}.
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<UserSummary>, AppError> {
    Ok(Json(find(&app, &id).await?.into()))
}

/// The user a path names.
///
/// # Errors
/// 404 for an id that no user has, or that is not an id at all.
pub async fn find(app: &App, id: &str) -> Result<User, AppError> {
    let number = path_id("User", id)?;
    users::find(&*app.db, UserId(number)).await?.ok_or_else(|| missing("User", id))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::TestApp;

    #[test]
    fn a_user_is_created_and_listed() {
        let app = TestApp::new();
        let created = app.post("/admin/users", &json!({"display_name": "Ada", "timezone": "Europe/Berlin"}));
        assert_eq!(created.status, 201);
        assert_eq!(created.json()["timezone"], "Europe/Berlin");
        let listed = app.get("/admin/users?limit=10").json();
        assert_eq!(listed["total"], 1);
        assert_eq!(listed["items"][0]["display_name"], "Ada");
        assert_eq!(app.get("/admin/users/1").json()["created_at"], "2026-11-23T12:00:00Z");
    }

    #[test]
    fn what_is_wrong_with_a_user_is_said_for_every_field_and_nothing_is_stored() {
        let app = TestApp::new();
        let refused = app.post("/admin/users", &json!({"display_name": " ", "timezone": "Mars/Base"}));
        assert_eq!(refused.status, 422);
        let fields: Vec<_> = refused.json()["errors"].as_array().unwrap().clone();
        assert_eq!(fields.len(), 2);
        assert_eq!(app.post("/admin/users", &json!({"name": "Ada"})).status, 422);
        assert_eq!(app.post("/admin/users", &json!(["Ada"])).status, 422);
        assert_eq!(app.admin("POST", "/admin/users", "{\"display_name\":").status, 400);
        assert_eq!(app.admin("POST", "/admin/users", vec![b' '; 70_000]).status, 413);
        assert_eq!(app.get("/admin/users").json()["total"], 0);
    }

    #[test]
    fn a_user_that_is_not_there_is_404_and_a_typo_in_the_query_422() {
        let app = TestApp::new();
        assert_eq!(app.get("/admin/users/7").status, 404);
        assert_eq!(app.get("/admin/users/seven").status, 404);
        assert_eq!(app.get("/admin/users?limt=5").status, 422);
    }
}
