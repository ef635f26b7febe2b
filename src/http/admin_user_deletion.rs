//! `DELETE /admin/users/{user_id}`: a user goes, with everything that is theirs.
//!
//! Must stay true: rows go first and in one batch; objects follow, and one that cannot be deleted now is deleted by the hourly
//! tick, since no row names it any more.

use std::collections::BTreeMap;

use axum::{Json, extract::Path, http::Uri};
use serde::Serialize;

use super::{
    path_id::{missing, path_id},
    query::{Parameter, Query},
};
use crate::{
    app::{App, StorageError},
    domain::ids::UserId,
    error::AppError,
    store::{
        audit::{Actor, Change},
        user_deletion,
    },
};

/// What was deleted, or would be.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct UserDeletion {
    success: bool,
    message: String,
    dry_run: bool,
    /// Rows by table; tables without any are left out.
    rows: BTreeMap<&'static str, i64>,
    /// Uploaded archives in storage.
    archives: usize,
}

pub const PARAMETERS: &[Parameter] =
    &[Parameter::one_of("dry_run", &["0", "1"], "`1` only counts what would be deleted.")];

/// Lists of objects that are deleted in one request, each of up to a thousand.
const MAX_LISTS: usize = 20;

/// DELETE /admin/users/{id}.
///
/// # Errors
/// 404: no such user.
pub async fn delete(app: App, actor: Actor, Path(id): Path<String>, uri: Uri) -> Result<Json<UserDeletion>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let user = UserId(path_id("User", &id)?);
    let prefix = format!("users/{user}/");
    if query.get("dry_run") == Some("1") {
        let rows = user_deletion::count(&*app.db, user).await?.ok_or_else(|| missing("User", &id))?;
        let archives = app.archives.keys_under(&prefix).await?.len();
        let message = format!("User {user} and all associated data would be deleted");
        return Ok(Json(UserDeletion { success: true, message, dry_run: true, rows, archives }));
    }
    let record = actor.made(Change::new("user.delete", format!("users/{user}")), app.now());
    let rows = user_deletion::delete(&*app.db, user, record, app.now()).await?;
    let rows = rows.ok_or_else(|| missing("User", &id))?;
    // Without the id as a column: nothing that is written from here on refers to the user.
    tracing::info!(deleted = user.0, "A user was deleted with everything that was theirs");
    let (archives, outcome) = delete_archives(&app, &prefix).await;
    let mut message = format!("User {user} and all associated data deleted");
    if let Err(error) = outcome {
        tracing::error!(%error, deleted = user.0, "Archives of a deleted user could not be deleted; the hourly tick will");
        message.push_str("; archives that could not be deleted yet will be within a day");
    }
    Ok(Json(UserDeletion { success: true, message, dry_run: false, rows, archives }))
}

/// Deletes the objects under a prefix, and tells how many went.
async fn delete_archives(app: &App, prefix: &str) -> (usize, Result<(), StorageError>) {
    let mut deleted = 0;
    for _ in 0..MAX_LISTS {
        let keys = match app.archives.keys_under(prefix).await {
            Ok(keys) if keys.is_empty() => break,
            Ok(keys) => keys,
            Err(error) => return (deleted, Err(error)),
        };
        for key in keys {
            if let Err(error) = app.archives.delete(&key).await {
                return (deleted, Err(error));
            }
            deleted += 1;
        }
    }
    (deleted, Ok(()))
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, sync::Arc};

    use axum::{
        body::Body,
        http::{Request, header},
    };
    use futures_util::stream;
    use listenlog_workbench::generator::{ExportPlan, FieldSet, write_extended};
    use serde_json::json;

    use crate::{
        domain::ids::UserId,
        store::{Statement, user_deletion},
        testing::{
            TestApp, row_sender,
            sqlite::Failure,
            test_app::{ADMIN_TOKEN, NOW},
        },
    };

    fn archive(seed: u64) -> Vec<u8> {
        write_extended(&ExportPlan::small(seed).live(), FieldSet::R4).unwrap()
    }

    #[test]
    fn a_dry_run_counts_and_leaves_everything() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": "Ada"}));
        app.upload(1, archive(3));
        app.drain();
        let counted = app.admin("DELETE", "/admin/users/1?dry_run=1", "").json();
        assert_eq!(counted["rows"]["plays"], app.get("/admin/users/1").json()["total_plays"]);
        assert_eq!((&counted["rows"]["import_jobs"], &counted["dry_run"]), (&json!(1), &json!(true)));
        assert_eq!(app.get("/admin/users/1").status, 200);
        let deleted = app.admin("DELETE", "/admin/users/1", "").json();
        assert_eq!(deleted["message"], "User 1 and all associated data deleted");
        assert_eq!(deleted["rows"]["plays"], counted["rows"]["plays"]);
        assert_eq!(app.get("/admin/users/1").status, 404);
        assert_eq!(app.admin("DELETE", "/admin/users/1", "").status, 404);
    }

    #[test]
    fn an_import_that_is_on_its_way_in_leaves_nothing_behind() {
        let opening = row_sender::opening(&archive(5)).to_string().into_bytes();
        let sent = [("import", "application/zip", archive(5)), ("row-imports", "application/json", opening)];
        for (route, content_type, bytes) in sent {
            let app = TestApp::new();
            app.post("/admin/users", &json!({"display_name": "Ada"}));
            let db = Arc::clone(&app.app.db);
            // The user goes after they were found, and before the body is there.
            let body = stream::once(async move {
                let record = Statement::new("SELECT 1");
                user_deletion::delete(&*db, UserId(1), record, NOW).await.unwrap().unwrap();
                Ok::<_, Infallible>(bytes)
            });
            let request = Request::builder()
                .method("POST")
                .uri(format!("http://listenlog.example/admin/users/1/{route}"))
                .header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"))
                .header(header::CONTENT_TYPE, content_type);
            assert_eq!(app.send(request.body(Body::from_stream(body)).unwrap()).status, 404, "{route}");
            let left = "SELECT (SELECT count(*) FROM import_jobs) + (SELECT count(*) FROM import_files) \
                + (SELECT count(*) FROM job_runs) + (SELECT count(*) FROM audit WHERE user_id = 1)";
            assert_eq!(app.rows(left), ["Integer(0)"], "{route}");
            assert_eq!((app.archives.keys().len(), app.queue.len()), (0, 0), "{route}");
        }
    }

    #[test]
    fn an_import_that_waits_or_runs_stops_and_writes_nothing_more() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": "Ada"}));
        app.upload(1, archive(4));
        assert_eq!(app.archives.keys().len(), 1);
        app.admin("DELETE", "/admin/users/1", "");
        assert!(app.archives.keys().is_empty());
        app.drain();
        app.sweep();
        assert_eq!(
            app.rows("SELECT (SELECT count(*) FROM plays) + (SELECT count(*) FROM import_jobs)"),
            ["Integer(0)"]
        );
    }

    #[test]
    fn a_database_that_fails_leaves_the_user_whole() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": "Ada"}));
        app.upload(1, archive(5));
        app.db.fail_after(0, Failure::BeforeWriting);
        assert_eq!(app.admin("DELETE", "/admin/users/1", "").status, 503);
        assert_eq!(app.archives.keys().len(), 1, "the archive waits for its rows");
        app.drain();
        assert_eq!(app.import_job(1)["status"], "success");
    }

    #[test]
    fn a_parameter_that_is_not_understood_deletes_nobody() {
        let app = TestApp::new();
        app.post("/admin/users", &json!({"display_name": "Ada"}));
        for query in ["dry_run=yes", "dryrun=1"] {
            assert_eq!(app.admin("DELETE", &format!("/admin/users/1?{query}"), "").status, 422);
        }
        assert_eq!(app.get("/admin/users/1").status, 200);
    }
}
