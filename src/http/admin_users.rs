//! `/admin/users`: the people whose history is kept.

mod view;

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, StatusCode, Uri},
};
use serde::Deserialize;
use serde_json::json;

pub use self::view::{UserDetail, UserSummary};
use super::{
    body,
    paginated::Paginated,
    path_id::{missing, path_id},
    query::{PAGED, Query},
};
use crate::{
    app::App,
    domain::{ids::UserId, zones},
    error::{AppError, FieldError},
    store::{
        audit::{Actor, Change},
        users::{self, User},
    },
};

/// A user without Spotify.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    #[cfg_attr(test, schemars(required, length(min = 1, max = 100)))]
    display_name: Option<String>,
    timezone: Option<String>,
}

const MAX_DISPLAY_NAME_CHARS: usize = 100;

/// The name as it is kept.
fn checked_name(name: &str, errors: &mut Vec<FieldError>) -> String {
    let name = name.trim();
    let is_allowed = (1..=MAX_DISPLAY_NAME_CHARS).contains(&name.chars().count()) && !name.contains(char::is_control);
    if !is_allowed {
        let rule = format!("must have 1 to {MAX_DISPLAY_NAME_CHARS} characters, without control characters");
        errors.push(FieldError::new("display_name", rule));
    }
    name.to_owned()
}

fn checked_zone(zone: String, errors: &mut Vec<FieldError>) -> String {
    if zones::named(&zone).is_none() {
        errors.push(FieldError::new("timezone", "must be an IANA time zone such as Europe/Berlin"));
    }
    zone
}

/// POST /admin/users: a user without Spotify, for imports only.
pub async fn create(
    app: App,
    actor: Actor,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<UserDetail>), AppError> {
    let new: NewUser = body::json(&headers, body).await?;
    let mut errors = Vec::new();
    let display_name = checked_name(new.display_name.as_deref().unwrap_or_default(), &mut errors);
    let timezone = checked_zone(new.timezone.unwrap_or_else(|| app.config.default_timezone.clone()), &mut errors);
    if !errors.is_empty() {
        return Err(AppError::Invalid(errors));
    }
    let after = json!({"display_name": display_name, "timezone": timezone});
    let change = actor.made(Change::created("user.create", "users/", "users").after(&after), app.now());
    let user = users::insert(&*app.db, &display_name, &timezone, app.now(), vec![change]).await?;
    tracing::info!(user_id = user.id.0, "A user was created");
    Ok((StatusCode::CREATED, detail(&app, user.id).await?))
}

/// What may change about a user; what is not given stays.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UserChanges {
    #[cfg_attr(test, schemars(length(min = 1, max = 100)))]
    display_name: Option<String>,
    timezone: Option<String>,
}

/// PATCH /admin/users/{id}: the name, or the zone that decides where this listener's days begin.
pub async fn update(
    app: App,
    actor: Actor,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<UserDetail>, AppError> {
    let before = find(&app, &id).await?;
    let changes: UserChanges = body::json(&headers, body).await?;
    if changes.display_name.is_none() && changes.timezone.is_none() {
        return Err(AppError::invalid("body", "must have display_name, timezone, or both"));
    }
    let mut errors = Vec::new();
    let display_name = changes.display_name.map(|name| checked_name(&name, &mut errors));
    let timezone = changes.timezone.map(|zone| checked_zone(zone, &mut errors));
    if !errors.is_empty() {
        return Err(AppError::Invalid(errors));
    }
    let display_name = display_name.unwrap_or_else(|| before.display_name.clone());
    let timezone = timezone.unwrap_or_else(|| before.timezone.clone());
    let change = Change::new("user.update", format!("users/{}", before.id))
        .of_user(before.id)
        .before(&json!({"display_name": before.display_name, "timezone": before.timezone}))
        .after(&json!({"display_name": display_name, "timezone": timezone}));
    let record = actor.made(change, app.now());
    let user = users::update(&*app.db, before.id, &display_name, &timezone, record, app.now()).await?;
    let user = user.ok_or_else(|| missing("User", &id))?;
    detail(&app, user.id).await
}

/// GET /admin/users.
pub async fn list(app: App, uri: Uri) -> Result<Json<Paginated<UserSummary>>, AppError> {
    let page = Query::declared(&uri, PAGED)?.page()?;
    let (items, total) = view::page(&app, page.limit, page.offset).await?;
    Ok(Json(Paginated::new(items, total, page)))
}

/// GET /admin/users/{id}.
pub async fn show(app: App, Path(id): Path<String>) -> Result<Json<UserDetail>, AppError> {
    detail(&app, UserId(path_id("User", &id)?)).await
}

async fn detail(app: &App, id: UserId) -> Result<Json<UserDetail>, AppError> {
    view::detail(app, id).await?.map(Json).ok_or_else(|| missing("User", &id))
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
    fn a_user_is_shown_with_everything_known_and_without_any_token() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": "Ada"}));
        let nobody = app.get("/admin/users/1").json();
        assert_eq!((&nobody["sync_status"], &nobody["token"]), (&json!(null), &json!(null)));
        let sql = "INSERT INTO spotify_tokens (user_id, client_id, scopes, access_token, access_expires_at, refresh_token, \
              authorized_at, updated_at) \
            VALUES (1, 'app', 'user-top-read', 'sealed-access', 1795438800000, 'sealed-refresh', 1795435200000, 0); \
            INSERT INTO sync_states (user_id, error_class, error_message, failed_polls, last_poll_completed_at) \
            VALUES (1, 'network', 'Spotify did not answer.', 2, 1795435140000)";
        app.db.with(|connection| connection.execute_batch(sql)).unwrap();
        let shown = app.get("/admin/users/1");
        let user = shown.json();
        for (field, expected) in [
            ("sync_status", json!("error")),
            ("error_message", json!("Spotify did not answer.")),
            ("last_poll_completed_at", json!("2026-11-23T11:59:00Z")),
            ("token_expires_at", json!("2026-11-23T13:00:00Z")),
            ("reauthorize_by", json!("2027-05-23T12:00:00Z")),
            ("has_custom_credentials", json!(false)),
        ] {
            assert_eq!(user[field], expected, "{field}");
        }
        assert_eq!((&user["token"]["scopes"], &user["counts"]["imports"]), (&json!(["user-top-read"]), &json!(0)));
        assert!(!String::from_utf8_lossy(&shown.bytes).contains("sealed"));
        assert_eq!(app.get("/admin/users").json()["items"][0]["sync_status"], "error");
    }

    #[test]
    fn a_user_is_renamed_and_moved_and_the_record_says_from_what_to_what() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": "Ada"}));
        let moved = app.admin("PATCH", "/admin/users/1", json!({"timezone": "Europe/London"}).to_string());
        assert_eq!((moved.status.as_u16(), &moved.json()["display_name"]), (200, &json!("Ada")));
        assert_eq!(app.get("/admin/users/1").json()["timezone"], "Europe/London");
        let row = &app.get("/admin/audit?action=user.update").json()["items"][0];
        assert_eq!(row["before"], json!({"display_name": "Ada", "timezone": "UTC"}));
        assert_eq!(row["after"], json!({"display_name": "Ada", "timezone": "Europe/London"}));
        for body in [json!({}), json!({"timezone": "Mars/Base"}), json!({"display_name": "\n"}), json!({"id": 2})] {
            assert_eq!(app.admin("PATCH", "/admin/users/1", body.to_string()).status, 422, "{body}");
        }
        assert_eq!(app.admin("PATCH", "/admin/users/2", "{}").status, 404);
        assert_eq!(app.get("/admin/audit").json()["total"], 2);
    }

    #[test]
    fn a_user_that_is_not_there_is_404_and_a_typo_in_the_query_422() {
        let app = TestApp::new();
        assert_eq!(app.get("/admin/users/7").status, 404);
        assert_eq!(app.get("/admin/users/seven").status, 404);
        assert_eq!(app.get("/admin/users?limt=5").status, 422);
    }
}
