//! `/admin/audit`: who changed what through the admin API.

use axum::{Json, extract::State, http::Uri};
use serde::Serialize;
use serde_json::Value;

use super::{
    paginated::Paginated,
    query::{LIMIT, OFFSET, Parameter, Query, REQUEST_ID, SINCE, UNTIL, USER_ID},
};
use crate::{
    app::App,
    domain::{ids::UserId, instant::Millis},
    error::AppError,
    store::audit::{self, Credential, Recorded},
};

/// One change.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct AuditView {
    id: i64,
    at: Millis,
    /// What the request was let in with.
    credential: Credential,
    /// `thing.verb`, such as `user.update`.
    action: String,
    /// The thing's path below `/admin`, such as `users/1`.
    target: String,
    user_id: Option<UserId>,
    before: Option<Value>,
    after: Option<Value>,
    request_id: Option<String>,
}

impl From<Recorded> for AuditView {
    fn from(row: Recorded) -> Self {
        Self {
            id: row.id,
            at: row.at,
            credential: row.credential,
            action: row.action,
            target: row.target,
            user_id: row.user_id,
            before: audit::value(row.before_json.as_deref()),
            after: audit::value(row.after_json.as_deref()),
            request_id: row.request_id,
        }
    }
}

pub const PARAMETERS: &[Parameter] = &[
    LIMIT,
    OFFSET,
    USER_ID,
    Parameter::one_of("credential", &Credential::NAMES, "What the request was let in with."),
    Parameter::text("action", 100, "The whole name of an action, such as `user.update`."),
    Parameter::text("target", 200, "A thing's path below `/admin`, such as `users/1`, and all that lies below it."),
    REQUEST_ID,
    SINCE,
    UNTIL,
];

/// GET /admin/audit: newest first.
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<Paginated<AuditView>>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let page = query.page()?;
    let text = |name: &str| query.get(name).map(str::to_owned);
    let filter = audit::Filter {
        user: query.number("user_id").map(UserId),
        credential: text("credential"),
        action: text("action"),
        target: text("target"),
        request_id: text("request_id"),
        since: query.instant("since"),
        until: query.instant("until"),
    };
    let (rows, total) = audit::list(&*app.db, &filter, page.limit, page.offset).await?;
    Ok(Json(Paginated::new(rows.into_iter().map(AuditView::from).collect(), total, page)))
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use serde_json::json;

    use crate::testing::TestApp;

    #[test]
    fn a_change_is_told_with_its_credential_target_and_request() {
        let app = TestApp::new();
        let created = app.post("/admin/users", &json!({"display_name": "Ada"}));
        let listed = app.get("/admin/audit").json();
        assert_eq!(listed["total"], 1);
        let row = &listed["items"][0];
        assert_eq!(row["credential"], "admin_token");
        assert_eq!(row["action"], "user.create");
        assert_eq!(row["target"], "users/1");
        assert_eq!(row["user_id"], 1);
        assert_eq!(row["after"], json!({"display_name": "Ada", "timezone": "UTC"}));
        assert_eq!(row["request_id"], created.headers["x-request-id"].to_str().unwrap());
    }

    #[test]
    fn a_refused_request_changes_nothing_and_leaves_no_row() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": ""}));
        assert_eq!(app.get("/admin/audit").json()["total"], 0);
    }

    #[test]
    fn the_list_is_narrowed_by_every_filter() {
        let app = TestApp::new();
        for name in ["Ada", "Bo"] {
            app.post("/admin/users", &json!({"display_name": name}));
        }
        let total = |query: &str| app.get(&format!("/admin/audit?{query}")).json()["total"].clone();
        assert_eq!(total("user_id=2"), 1);
        assert_eq!(total("credential=open_door"), 0);
        assert_eq!(total("action=user.create"), 2);
        assert_eq!(total("target=users/2"), 1);
        assert_eq!(total("target=users"), 2);
        assert_eq!(total("since=2026-11-24"), 0);
        assert_eq!(total("until=2026-11-24"), 2);
        assert_eq!(total("request_id=nobody"), 0);
        assert_eq!(app.get("/admin/audit?credential=magic").status, 422);
        assert_eq!(app.get("/admin/audit").headers[header::CONTENT_TYPE], "application/json");
    }
}
