//! `/admin/audit`: who changed what through the admin API.

use axum::{Json, http::Uri};
use serde::Serialize;
use serde_json::Value;

use super::{
    paginated::NewestFirst,
    query::{BEFORE_ID, LIMIT, OFFSET, Parameter, Query, REQUEST_ID, SINCE, UNTIL, USER_ID},
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
    /// The token, where it was one with a role: what it was then, whether or not it still is. Null: the admin's own credential.
    #[cfg_attr(test, schemars(with = "Option<audit::UsedToken>"))]
    token: Option<Value>,
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
            token: audit::value(row.token_json.as_deref()),
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
    BEFORE_ID,
];

/// GET /admin/audit: newest first.
pub async fn list(app: App, uri: Uri) -> Result<Json<NewestFirst<AuditView>>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let (page, part) = query.part()?;
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
    let walked = audit::list(&*app.db, &filter, part).await?;
    Ok(Json(NewestFirst::new(walked, page, AuditView::from)))
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

    #[test]
    fn a_page_of_changes_looks_at_a_bounded_number_of_rows_and_the_next_goes_on() {
        let app = TestApp::new();
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60000)
            INSERT INTO audit (id, at, credential, action, target) SELECT i, i, 'admin_token', 'a.b', 'users/' || i FROM n";
        app.db.with(|connection| connection.execute_batch(sql)).unwrap();
        for query in ["", "?target=users/1&action=a.b", "?user_id=7&before_id=40000", "?offset=9000"] {
            let path = format!("/admin/audit{query}");
            let steps = app.db.steps_of(|| assert_eq!(app.get(&path).status, 200));
            assert!(steps < 900_000, "{path} took {steps} steps");
        }
        let first = app.get("/admin/audit?limit=3").json();
        assert_eq!((&first["next_before_id"], &first["total"]), (&json!(59_998), &json!(10_000)));
        let next = app.get("/admin/audit?limit=3&before_id=59998").json();
        assert_eq!(next["items"][0]["id"], 59_997);
        let last = app.get("/admin/audit?before_id=3").json();
        assert_eq!((&last["total"], &last["next_before_id"]), (&json!(2), &json!(null)));
    }
}
