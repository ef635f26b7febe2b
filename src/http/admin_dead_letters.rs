//! `/admin/dead-letters`: messages that were given up, to look at and to send again.

use axum::{
    Json,
    extract::Path,
    http::{StatusCode, Uri},
};
use serde::Serialize;

use super::{
    paginated::Paginated,
    path_id::{missing, path_id},
    query::{LIMIT, OFFSET, Parameter, Query},
};
use crate::{
    app::App,
    domain::{
        ids::{ImportJobId, JobRunId},
        instant::Millis,
    },
    error::AppError,
    jobs::message::JobMessage,
    store::{
        audit::{Actor, Change},
        dead_letters::{self, DeadLetter},
    },
};

/// One message.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DeadLetterView {
    id: i64,
    at: Millis,
    /// The message as it came.
    message: String,
    /// Why it was given up.
    reason: String,
    job_run_id: Option<JobRunId>,
    import_job_id: Option<ImportJobId>,
    /// Its log rows have the same.
    request_id: Option<String>,
    resent_at: Option<Millis>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { id, at, message, reason, job_run_id, import_job_id, request_id, resent_at } = letter;
        Self { id, at, message, reason, job_run_id, import_job_id, request_id, resent_at }
    }
}

pub const PARAMETERS: &[Parameter] =
    &[LIMIT, OFFSET, Parameter::one_of("resent", &["0", "1"], "Only those that were, or were not, sent again.")];

/// GET /admin/dead-letters: newest first.
pub async fn list(app: App, uri: Uri) -> Result<Json<Paginated<DeadLetterView>>, AppError> {
    let query = Query::declared(&uri, PARAMETERS)?;
    let page = query.page()?;
    let resent = query.get("resent").map(|word| word == "1");
    let (letters, total) = dead_letters::list(&*app.db, resent, page.limit, page.offset).await?;
    Ok(Json(Paginated::new(letters.into_iter().map(DeadLetterView::from).collect(), total, page)))
}

/// POST /admin/dead-letters/{id}/resend.
///
/// # Errors
/// 404: no such message. 409: it was sent again already, or is of no shape that anybody works on.
pub async fn resend(
    app: App,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<DeadLetterView>), AppError> {
    let number = path_id("Dead letter", &id)?;
    let letter = dead_letters::find(&*app.db, number).await?.ok_or_else(|| missing("Dead letter", &id))?;
    let Ok(message) = serde_json::from_str::<JobMessage>(&letter.message) else {
        return Err(AppError::Conflict(format!("Dead letter {id} is of no known shape; nobody would work on it.")));
    };
    let change = Change::new("dead_letter.resend", format!("dead-letters/{number}"));
    let record = |guard: &str| actor.made_where(guard, change, app.now());
    let Some(letter) = dead_letters::mark_resent(&*app.db, number, record, app.now()).await? else {
        return Err(AppError::Conflict(format!("Dead letter {id} was sent again already.")));
    };
    if let Err(error) = app.queue.send(&message).await {
        // A message is a hint: the row it names is what the sweep goes by.
        tracing::warn!(%error, "A dead letter could not be sent; the sweep looks after its row");
    }
    Ok((StatusCode::ACCEPTED, Json(letter.into())))
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use crate::{
        jobs::{self, Verdict},
        testing::TestApp,
    };

    #[test]
    fn a_message_that_was_given_up_is_kept_and_sent_again_once() {
        let app = TestApp::new();
        block_on(jobs::record_dead(&app.app, r#"{"job":"run","job_run_id":7}"#));
        let listed = app.get("/admin/dead-letters").json();
        assert_eq!(listed["items"][0]["job_run_id"], 7);
        assert_eq!(listed["items"][0]["reason"], "the queue gave it up after its last attempt");
        assert_eq!(app.admin("POST", "/admin/dead-letters/1/resend", "").status, 202);
        assert_eq!(app.queue.len(), 1);
        let again = app.admin("POST", "/admin/dead-letters/1/resend", "");
        assert_eq!((again.status.as_u16(), app.queue.len()), (409, 1));
        assert_eq!(app.get("/admin/dead-letters?resent=0").json()["total"], 0);
        assert_eq!(app.get("/admin/dead-letters?resent=1").json()["total"], 1);
        assert_eq!(app.get("/admin/audit?action=dead_letter.resend").json()["total"], 1);
    }

    #[test]
    fn a_message_of_no_known_shape_is_kept_cut_to_size_and_not_sent_again() {
        let app = TestApp::new();
        let nonsense = "x".repeat(10_000);
        assert!(matches!(block_on(jobs::handle(&app.app, &nonsense)), Verdict::Bury { .. }));
        let listed = app.get("/admin/dead-letters").json();
        assert_eq!(listed["items"][0]["message"].as_str().unwrap().len(), 500);
        assert_eq!(app.admin("POST", "/admin/dead-letters/1/resend", "").status, 409);
        assert_eq!(app.admin("POST", "/admin/dead-letters/2/resend", "").status, 404);
        assert_eq!(app.get("/admin/job-types").json()["dead_letters"], 1);
    }
}
