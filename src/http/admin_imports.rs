//! `/admin/users/{id}/import` and `/admin/import-jobs`: archives in, how their imports are doing, and orders to them.

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, StatusCode, Uri},
};
use serde::Serialize;

mod rejects;
#[cfg(test)]
mod tests;
mod view;

#[cfg(test)]
pub use self::rejects::{PARAMETERS as REJECTS_PARAMETERS, RejectsView};
use self::view::view;
pub use self::{rejects::rejects, view::JobView};
use super::{
    admin_users,
    paginated::Paginated,
    path_id::{missing, path_id},
    query::{LIMIT, OFFSET, Parameter, Query, USER_ID},
    upload,
};
use crate::{
    app::App,
    domain::{
        ids::{ImportJobId, UserId},
        instant::Millis,
    },
    error::AppError,
    export::{Directory, Entry, FileHint},
    jobs::{import_archive, message::JobMessage},
    store::{
        StoreError,
        audit::{Actor, Change},
        import_jobs::{self, ArchiveForm, Cancelled, ImportFile, ImportJob, JobStatus, NewImport, Retried},
    },
};

const INCOGNITO: [&str; 2] = ["keep", "leave_out"];

pub const UPLOAD_PARAMETERS: &[Parameter] = &[
    Parameter::text("filename", 1_000, "The name of the upload, to be shown; a form's own name unless said."),
    Parameter::integer("again", 0, 1, "1 imports an archive again that was imported before."),
    Parameter::one_of(
        "incognito",
        &INCOGNITO,
        "Whether rows of private sessions are kept; IMPORT_INCOGNITO unless said.",
    ),
];

/// What became of an upload.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Accepted {
    id: ImportJobId,
    user_id: UserId,
    status: JobStatus,
    file_size_bytes: i64,
    created_at: Millis,
    /// The same archive was uploaded before: this is its import, and nothing was started.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    already_imported: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

/// POST /admin/users/{id}/import.
///
/// # Errors
/// 404: no such user, told before the body is read. 413: too large. 422: nothing with history in it. 400: the upload
/// broke off. Nothing is kept after any of them.
pub async fn upload(
    app: App,
    Path(id): Path<String>,
    actor: Actor,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Accepted>), AppError> {
    let user = admin_users::find(&app, &id).await?;
    let query = Query::declared(&uri, UPLOAD_PARAMETERS)?;
    let key = format!("users/{}/{}.zip", user.id, app.clock.random_hex());
    let uploaded = upload::receive(&app, key, query.get("filename").map(str::to_owned), &headers, body).await?;
    let wish = Wish {
        again: query.number("again") == Some(1),
        leave_out_incognito: query.get("incognito").map_or(!app.config.import_incognito, |word| word == "leave_out"),
    };
    let taken = take(&app, user.id, &uploaded, &actor, wish).await;
    // A database that did not answer may have stored the job, which then needs its archive; what no job needs is tidied up.
    let may_be_stored = taken.as_ref().is_err_and(AppError::is_outage);
    if !may_be_stored && !matches!(taken, Ok(Taken::New(_))) {
        app.archives.delete(&uploaded.key).await?;
    }
    let job = match taken? {
        Taken::New(job) => job,
        Taken::Known(job) => return Ok((StatusCode::OK, Json(known(&job)))),
    };
    tracing::info!(user_id = user.id.0, import_job_id = job.id.0, bytes = uploaded.bytes, "An archive was uploaded");
    send(&app, job.id).await;
    Ok((StatusCode::CREATED, Json(accepted(&job))))
}

#[derive(Clone, Copy)]
struct Wish {
    again: bool,
    leave_out_incognito: bool,
}

enum Taken {
    New(ImportJob),
    /// The import of the same archive that there is already.
    Known(ImportJob),
}

async fn take(
    app: &App,
    user: UserId,
    uploaded: &upload::Uploaded,
    actor: &Actor,
    wish: Wish,
) -> Result<Taken, AppError> {
    let known = || import_jobs::of_archive(&*app.db, user, &uploaded.sha256);
    if let Some(job) = known().await? {
        let is_done = matches!(job.status, JobStatus::Success | JobStatus::Partial);
        if job.completed_at.is_none() || (is_done && !wish.again) {
            return Ok(Taken::Known(job));
        }
    }
    let files = files_of(app, uploaded).await?;
    let new = NewImport {
        user,
        filename: uploaded.filename.as_deref(),
        archive_key: &uploaded.key,
        archive_form: uploaded.form,
        archive_sha256: &uploaded.sha256,
        file_size_bytes: uploaded.bytes,
        leave_out_incognito: wish.leave_out_incognito,
        request_id: Some(&actor.request_id),
        files: &files,
    };
    let change = Change::created("import.create", "import-jobs/", "import_jobs").of_user(user);
    match import_jobs::insert(&*app.db, &new, actor.made(change, app.now()), app.now()).await {
        Ok(job) => Ok(Taken::New(job)),
        // The same archive came in twice at once, and the other one was first; or the user was deleted meanwhile.
        Err(StoreError::AssertionFailed) => known().await?.map(Taken::Known).ok_or_else(|| missing("User", &user)),
        Err(error) => Err(error.into()),
    }
}

const fn accepted(job: &ImportJob) -> Accepted {
    let ImportJob { id, user_id, status, file_size_bytes, created_at, .. } = *job;
    Accepted { id, user_id, status, file_size_bytes, created_at, already_imported: false, message: None }
}

fn known(job: &ImportJob) -> Accepted {
    let id = job.id;
    let is_over = job.completed_at.is_some();
    let message = if is_over {
        format!("This archive was already imported: see import job {id}. Upload it with ?again=1 to import it again.")
    } else {
        format!("This archive is being imported already: see import job {id}.")
    };
    Accepted { already_imported: is_over, message: Some(message), ..accepted(job) }
}

async fn send(app: &App, id: ImportJobId) {
    if let Err(error) = app.queue.send(&JobMessage::ImportArchive { import_job_id: id }).await {
        // The job is stored: the sweep sends the message again within two minutes.
        tracing::warn!(import_job_id = id.0, %error, "An import waits for the sweep");
    }
}

/// Position, name and inflated size of each file of an upload that may hold history.
async fn files_of(app: &App, uploaded: &upload::Uploaded) -> Result<Vec<(usize, String, u64)>, AppError> {
    if uploaded.form == ArchiveForm::Zip {
        let directory = import_archive::read_directory(app, &uploaded.key, uploaded.bytes).await?;
        let directory = directory.map_err(|error| AppError::invalid("file", error.to_string()))?;
        return history_files(app, &uploaded.key, directory).await;
    }
    if !import_archive::begins_like_history(app, &uploaded.key, uploaded.form, uploaded.bytes).await? {
        return Err(no_history());
    }
    let name = uploaded.filename.clone().unwrap_or_else(|| "history.json".to_owned());
    // An export inflates about eleven to one.
    let factor = if uploaded.form == ArchiveForm::JsonGz { 11 } else { 1 };
    Ok(vec![(0, name, uploaded.bytes.saturating_mul(factor))])
}

/// Files of unknown name whose beginning is looked at before an archive is refused.
const MAX_SNIFFED_FILES: usize = 40;

/// The files that may hold history: those named like it, and all other JSON, since content decides. Refuses an archive
/// in which nothing is named like history or begins like it.
async fn history_files(app: &App, key: &str, directory: Directory) -> Result<Vec<(usize, String, u64)>, AppError> {
    let hinted = |entry: &Entry| FileHint::from_name(&entry.name);
    let entries: Vec<Entry> =
        directory.entries.into_iter().filter(|entry| hinted(entry) != FileHint::NotHistory).collect();
    let mut has_history = entries.iter().any(|entry| hinted(entry).is_history());
    for entry in entries.iter().take(MAX_SNIFFED_FILES) {
        has_history = has_history || import_archive::sniffs_of_history(app, key, entry).await?;
    }
    if !has_history {
        return Err(no_history());
    }
    Ok(entries.into_iter().map(|entry| (entry.index, entry.name, entry.uncompressed_bytes)).collect())
}

fn no_history() -> AppError {
    AppError::invalid(
        "file",
        "holds no listening history: Spotify's archives have files such as \
         Streaming_History_Audio_2019-2020_1.json or StreamingHistory_music_0.json in them",
    )
}

/// The job that a path names, with its files.
async fn find(app: &App, id: &str) -> Result<(ImportJob, Vec<ImportFile>), AppError> {
    let number = ImportJobId(path_id("Import job", id)?);
    import_jobs::find(&*app.db, number).await?.ok_or_else(|| missing("Import job", id))
}

/// GET /admin/import-jobs/{id}.
pub async fn show(app: App, Path(id): Path<String>) -> Result<Json<JobView>, AppError> {
    let (job, files) = find(&app, &id).await?;
    Ok(Json(view(job, Some(files), app.now())))
}

pub const LIST_PARAMETERS: &[Parameter] = &[
    LIMIT,
    OFFSET,
    USER_ID,
    Parameter::one_of("status", &JobStatus::NAMES, "Only imports that stand like this."),
    Parameter::text("archive_sha256", 64, "Only imports of the archive with this digest, in hexadecimal."),
];

/// GET /admin/import-jobs: newest first.
pub async fn list(app: App, uri: Uri) -> Result<Json<Paginated<JobView>>, AppError> {
    let query = Query::declared(&uri, LIST_PARAMETERS)?;
    let page = query.page()?;
    let user = query.number("user_id").map(UserId);
    let digest = query.get("archive_sha256").map(str::to_ascii_lowercase);
    let (jobs, total) =
        import_jobs::list(&*app.db, user, query.get("status"), digest.as_deref(), page.limit, page.offset).await?;
    let items = jobs.into_iter().map(|job| view(job, None, app.now())).collect();
    Ok(Json(Paginated::new(items, total, page)))
}

/// POST /admin/import-jobs/{id}/cancel: at once when nobody works on it, else at its next slice (202).
///
/// # Errors
/// 409: it is over already.
pub async fn cancel(app: App, Path(id): Path<String>, actor: Actor) -> Result<(StatusCode, Json<JobView>), AppError> {
    let (job, _) = find(&app, &id).await?;
    let change = Change::new("import.cancel", format!("import-jobs/{}", job.id)).of_user(job.user_id);
    let outcome = import_jobs::cancel(&*app.db, job.id, actor.made(change, app.now()), app.now()).await?;
    let status = match outcome.ok_or_else(|| missing("Import job", &id))? {
        Cancelled::AtOnce => StatusCode::OK,
        Cancelled::Soon => StatusCode::ACCEPTED,
        Cancelled::AlreadyOver(status) => {
            let status = status.as_str();
            return Err(AppError::Conflict(format!("The import is over ({status}): there is nothing to cancel.")));
        }
    };
    let (job, files) = find(&app, &id).await?;
    Ok((status, Json(view(job, Some(files), app.now()))))
}

/// POST /admin/import-jobs/{id}/retry: a cancelled or given-up import goes on at its cursors.
///
/// # Errors
/// 409: it goes on by itself, or there is nothing it could go on with.
pub async fn retry(app: App, Path(id): Path<String>, actor: Actor) -> Result<(StatusCode, Json<JobView>), AppError> {
    let (job, _) = find(&app, &id).await?;
    let change = Change::new("import.retry", format!("import-jobs/{}", job.id)).of_user(job.user_id);
    let outcome = import_jobs::retry(&*app.db, job.id, actor.made(change, app.now()), app.now()).await?;
    let sentence = match outcome.ok_or_else(|| missing("Import job", &id))? {
        Retried::Again => {
            send(&app, job.id).await;
            let (job, files) = find(&app, &id).await?;
            return Ok((StatusCode::ACCEPTED, Json(view(job, Some(files), app.now()))));
        }
        Retried::NotOver => "The import is not over: it goes on by itself.".to_owned(),
        Retried::ArchiveGone => {
            "The archive of this import is kept no longer; upload it again. What was imported is known again."
                .to_owned()
        }
        Retried::Ended(status) => {
            let status = status.as_str();
            format!("The import came to its end ({status}). To read the archive anew, upload it with ?again=1.")
        }
    };
    Err(AppError::Conflict(sentence))
}
