//! `/admin/users/{id}/import` and `/admin/import-jobs`: archives in, and how their imports are doing.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, Uri},
};
use serde::Serialize;

use super::{admin_users, paginated::Paginated, query::Query, request_id::RequestId, upload};
use crate::{
    app::App,
    domain::{
        ids::{ImportJobId, UserId},
        instant::Millis,
    },
    error::AppError,
    export::{Directory, Entry, FileHint, Format},
    jobs::{import_archive, message::JobMessage},
    store::import_jobs::{self, FileStatus, ImportFile, ImportJob, JobStatus, NewImport},
};

#[derive(Serialize)]
pub struct Accepted {
    id: ImportJobId,
    user_id: UserId,
    status: JobStatus,
    file_size_bytes: i64,
    created_at: Millis,
}

/// POST /admin/users/{id}/import.
///
/// # Errors
/// 404: no such user, told before the body is read. 413: too large. 422: no ZIP, or none with history in it. 400: the
/// upload broke off. Nothing is kept after any of them.
pub async fn upload(
    State(app): State<App>,
    Path(id): Path<String>,
    Extension(request_id): Extension<RequestId>,
    uri: Uri,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Accepted>), AppError> {
    let user = admin_users::find(&app, &id).await?;
    let key = format!("users/{}/{}.zip", user.id, app.clock.random_hex());
    let uploaded = upload::receive(&app, key, &uri, &headers, body).await?;
    let job = match accept(&app, user.id, &uploaded, &request_id).await {
        Ok(job) => job,
        Err(error) => {
            app.archives.delete(&uploaded.key).await?;
            return Err(error);
        }
    };
    tracing::info!(user_id = user.id.0, import_job_id = job.id.0, bytes = uploaded.bytes, "An archive was uploaded");
    if let Err(error) = app.queue.send(&JobMessage::ImportArchive { import_job_id: job.id }).await {
        // The job is stored: the sweep sends the message again within two minutes.
        tracing::warn!(import_job_id = job.id.0, %error, "An import waits for the sweep");
    }
    let ImportJob { id, user_id, status, file_size_bytes, created_at, .. } = job;
    Ok((StatusCode::CREATED, Json(Accepted { id, user_id, status, file_size_bytes, created_at })))
}

async fn accept(
    app: &App,
    user: UserId,
    uploaded: &upload::Uploaded,
    request_id: &RequestId,
) -> Result<ImportJob, AppError> {
    let directory = import_archive::read_directory(app, &uploaded.key, uploaded.bytes)
        .await?
        .map_err(|error| AppError::invalid("file", error.to_string()))?;
    let files = history_files(app, &uploaded.key, directory).await?;
    let new = NewImport {
        user,
        filename: uploaded.filename.as_deref(),
        archive_key: &uploaded.key,
        file_size_bytes: uploaded.bytes,
        request_id: Some(&request_id.0),
        files: &files,
    };
    Ok(import_jobs::insert(&*app.db, &new, app.now()).await?)
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
        return Err(AppError::invalid(
            "file",
            "holds no listening history: Spotify's archives have files such as \
             Streaming_History_Audio_2019-2020_1.json or StreamingHistory_music_0.json in them",
        ));
    }
    Ok(entries.into_iter().map(|entry| (entry.index, entry.name, entry.uncompressed_bytes)).collect())
}

/// A job as its page shows it.
#[derive(Serialize)]
pub struct JobView {
    id: ImportJobId,
    user_id: UserId,
    status: JobStatus,
    /// How it went, or goes, in one sentence.
    message: String,
    filename: Option<String>,
    file_size_bytes: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    rows_written: i64,
    earliest_played_at: Option<Millis>,
    latest_played_at: Option<Millis>,
    created_at: Millis,
    started_at: Option<Millis>,
    updated_at: Millis,
    completed_at: Option<Millis>,
    error_message: Option<String>,
}

/// Sums over the files of a job, and how fast it goes.
#[derive(Serialize)]
struct Progress {
    /// `extended`, `account_data`, or `mixed`; null while nothing is known.
    format_detected: Option<&'static str>,
    percent: f64,
    rows_per_second: Option<u64>,
    seconds_left: Option<u64>,
    current_file: Option<String>,
    rows_read: u64,
    /// Plays stored by this import: the original's name for `inserted`.
    records_ingested: u64,
    inserted: u64,
    merged: u64,
    duplicate: u64,
    skipped: u64,
    rejected: u64,
    files: Vec<FileView>,
}

#[derive(Serialize)]
struct FileView {
    name: String,
    format: Option<String>,
    status: FileStatus,
    note: Option<String>,
    rows_read: u64,
    inserted: u64,
    merged: u64,
    duplicate: u64,
    skipped: u64,
    rejected: u64,
    reasons: BTreeMap<String, u64>,
    /// Rows that are settled: a retry goes on after them.
    cursor: u64,
}

/// GET /admin/import-jobs/{id}.
pub async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<JobView>, AppError> {
    let missing = || AppError::NotFound(format!("Import job {} not found.", id.chars().take(40).collect::<String>()));
    let number = id.parse::<i64>().ok().filter(|number| *number > 0).ok_or_else(missing)?;
    let (job, files) = import_jobs::find(&*app.db, ImportJobId(number)).await?.ok_or_else(missing)?;
    Ok(Json(view(job, Some(files), app.now())))
}

/// GET /admin/import-jobs: newest first; `user_id` and `status` narrow it.
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Json<Paginated<JobView>>, AppError> {
    let query = Query::parse(&uri, &["limit", "offset", "user_id", "status"])?;
    let page = query.page()?;
    let user = query.integer("user_id", 1..=i64::from(u32::MAX))?.map(UserId);
    let status = query.one_of("status", &JobStatus::NAMES)?;
    let (jobs, total) = import_jobs::list(&*app.db, user, status, page.limit, page.offset).await?;
    let items = jobs.into_iter().map(|job| view(job, None, app.now())).collect();
    Ok(Json(Paginated::new(items, total, page)))
}

fn view(job: ImportJob, files: Option<Vec<ImportFile>>, now: Millis) -> JobView {
    let progress = files.map(|files| progress(&job, files, now));
    let message = message(&job, progress.as_ref());
    JobView {
        id: job.id,
        user_id: job.user_id,
        status: job.status,
        message,
        filename: job.filename,
        file_size_bytes: job.file_size_bytes,
        progress,
        rows_written: job.rows_written,
        earliest_played_at: job.earliest_played_at,
        latest_played_at: job.latest_played_at,
        created_at: job.created_at,
        started_at: job.started_at,
        updated_at: job.updated_at,
        completed_at: job.completed_at,
        error_message: job.error_message,
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rounded figures for people"
)]
fn progress(job: &ImportJob, files: Vec<ImportFile>, now: Millis) -> Progress {
    let sum = |of: fn(&ImportFile) -> u64| files.iter().map(of).sum::<u64>();
    let is_final = job.completed_at.is_some();
    let total_bytes = sum(|file| file.inflated_bytes);
    let done_bytes =
        sum(
            |file| {
                if file.status.is_settled() { file.inflated_bytes } else { file.bytes_read.min(file.inflated_bytes) }
            },
        );
    let share = if is_final { 1.0 } else { done_bytes as f64 / total_bytes.max(1) as f64 };
    let until = job.completed_at.unwrap_or(now);
    let seconds = job.started_at.map(|started_at| until.since_ms(started_at) as f64 / 1_000.0).filter(|s| *s > 0.0);
    let rows_read = sum(|file| file.rows_read);
    let of_format = |name: &str| files.iter().any(|file| file.format.as_deref() == Some(name));
    let running = |file: &&ImportFile| file.status == FileStatus::Running;
    Progress {
        format_detected: match (of_format(Format::Extended.name()), of_format(Format::Account.name())) {
            (true, true) => Some("mixed"),
            (true, false) => Some("extended"),
            (false, true) => Some("account_data"),
            (false, false) => None,
        },
        percent: (share * 1_000.0).floor() / 10.0,
        rows_per_second: seconds.map(|seconds| (rows_read as f64 / seconds) as u64),
        seconds_left: seconds
            .filter(|_| !is_final && share > 0.0)
            .map(|seconds| (seconds * (1.0 - share) / share).ceil() as u64),
        current_file: files.iter().find(running).map(|file| file.name.clone()),
        rows_read,
        records_ingested: sum(|file| file.inserted),
        inserted: sum(|file| file.inserted),
        merged: sum(|file| file.merged),
        duplicate: sum(|file| file.duplicate),
        skipped: sum(|file| file.skipped),
        rejected: sum(|file| file.rejected),
        files: files.into_iter().map(file_view).collect(),
    }
}

fn file_view(file: ImportFile) -> FileView {
    FileView {
        reasons: serde_json::from_str(&file.reasons).unwrap_or_default(),
        name: file.name,
        format: file.format,
        status: file.status,
        note: file.note,
        rows_read: file.rows_read,
        inserted: file.inserted,
        merged: file.merged,
        duplicate: file.duplicate,
        skipped: file.skipped,
        rejected: file.rejected,
        cursor: file.rows_read,
    }
}

fn message(job: &ImportJob, progress: Option<&Progress>) -> String {
    let counts = progress.map(|progress| {
        let known = progress.duplicate;
        match (progress.inserted, progress.merged) {
            (0, 0) if known > 0 => format!("Nothing new: all {known} plays of this archive were already there."),
            (inserted, 0) => format!("{inserted} plays were added; {known} were already there."),
            (inserted, merged) => format!(
                "{inserted} plays were added, {merged} completed plays known from another source, {known} were already there."
            ),
        }
    });
    let counts = counts.unwrap_or_default();
    let sentence = match job.status {
        JobStatus::Pending => "The import waits for its turn.".to_owned(),
        JobStatus::Running => format!("The import is running. {counts}"),
        JobStatus::Success => format!("The import is complete and was counted again. {counts}"),
        JobStatus::Partial => {
            format!("The import is done, but something was left out; see error_message and the files. {counts}")
        }
        JobStatus::Error => format!("The import failed; see error_message. {counts}"),
        JobStatus::Cancelled => format!("The import was cancelled. {counts}"),
    };
    sentence.trim_end().to_owned()
}

#[cfg(test)]
mod tests;
