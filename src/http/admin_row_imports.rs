//! Imports whose sender unpacks the archive: `/admin/users/{id}/row-imports`, `/admin/import-jobs/{id}/slices` and
//! `.../verify`. For Workers that may work only milliseconds for a request, and archives too large for one.
//!
//! Must stay true: a slice sent twice is taken once, and one that does not begin at its file's cursor is refused with
//! the cursor; counters, refused rows, recount, final status and the rows of a day are those of any other import.

mod opening;

use std::collections::HashSet;

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

pub use self::opening::open;
#[cfg(test)]
pub use self::opening::{Opened, Opening};
use super::{
    body,
    path_id::{missing, path_id},
};
use crate::{
    app::App,
    domain::{
        ids::{ImportFileId, ImportJobId},
        instant::{DAY_MS, SECOND_MS},
    },
    error::{AppError, Problem},
    export::{Format, RowSlice},
    jobs::import_archive::{
        self,
        slice::{Destination, Slice},
    },
    store::{
        StoreError,
        import_jobs::{self, FileStatus, JobStatus},
        row_imports::{self, Place},
    },
};

/// A slice of ten thousand rows that all name another track.
const SLICE_MAX_BYTES: usize = 4 * 1024 * 1024;
const NOTE_MAX_CHARS: usize = 300;

/// What JSON numbers are exact below.
const SIZE_MAX_BYTES: u64 = (1 << 53) - 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SliceBody<'a> {
    /// The file's index.
    file: u64,
    /// The number of the slice's first row in its file: the file's cursor.
    from: u64,
    /// How much of the inflated file has been read behind the slice's last row.
    bytes_read: u64,
    #[serde(borrow, default)]
    slice: Option<RowSlice<'a>>,
    #[serde(default)]
    end: Option<FileEnd>,
}

/// The file has no further row.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEnd {
    status: EndStatus,
    format: Option<Format>,
    note: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EndStatus {
    Done,
    Incomplete,
    Unreadable,
}

impl From<EndStatus> for FileStatus {
    fn from(status: EndStatus) -> Self {
        match status {
            EndStatus::Done => Self::Done,
            EndStatus::Incomplete => Self::Incomplete,
            EndStatus::Unreadable => Self::Unreadable,
        }
    }
}

/// What became of a slice's rows; nothing, when it had been taken before.
#[derive(Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SliceTaken {
    /// Where the next slice of the file begins.
    cursor: u64,
    rows_read: u64,
    inserted: u64,
    merged: u64,
    duplicate: u64,
    skipped: u64,
    rejected: u64,
}

/// POST /admin/import-jobs/{id}/slices.
pub async fn slice(app: App, Path(id): Path<String>, headers: HeaderMap, body: Body) -> Result<Response, AppError> {
    let job = ImportJobId(path_id("Import job", &id)?);
    let bytes = body::bytes_within(&headers, body, SLICE_MAX_BYTES).await?;
    let body: SliceBody<'_> = body::parsed(&bytes)?;
    match take(&app, job, body).await {
        Ok(response) => Ok(response),
        Err(AppError::Store(StoreError::DayIsFull(_))) => {
            Ok(tomorrow(&app, "The database's rows of this day are used up; imports go on after midnight UTC."))
        }
        Err(AppError::Store(StoreError::Retryable(_))) => Ok(later("The database is out of reach for a moment.", 2)),
        Err(error) => Err(error),
    }
}

async fn take(app: &App, job: ImportJobId, body: SliceBody<'_>) -> Result<Response, AppError> {
    let count = body.slice.as_ref().map_or(0, |slice| slice.rows() as u64);
    let until = body.from.saturating_add(count);
    let SliceBody { file: index, from, bytes_read, slice, end } = body;
    let place = place(app, job, index).await?;
    let Some(file) = &place.file else {
        return Err(AppError::invalid("file", "is none of this import's files"));
    };
    if let Some(refusal) = refusal(&place) {
        return Ok(refusal);
    }
    let mut taken = SliceTaken { cursor: file.rows_read, ..SliceTaken::default() };
    let was_taken = until <= file.rows_read && (count > 0 || file.file_status.is_settled());
    if !was_taken && from != file.rows_read {
        return Ok(elsewhere(file.rows_read));
    }
    if !was_taken && count > 0 {
        if place.rows_of_job.saturating_add(count) > app.config.import_max_records {
            return Err(AppError::TooLarge(
                "the most rows that one import may have (IMPORT_MAX_RECORDS) were reached here.".to_owned(),
            ));
        }
        if let Some(refusal) = day_is_full(app, &place, count) {
            return Ok(refusal);
        }
        let Some(slice) = slice else { return Err(AppError::Internal("rows without a slice")) };
        let destination = Destination {
            user: place.user_id,
            job,
            file: file.file_id,
            format: Some(slice.format().name()),
            rejected_before: file.rejected,
        };
        match settle(app, destination, &place, slice, from, bytes_read).await {
            Ok(settled) => taken = settled,
            Err(AppError::Store(StoreError::AssertionFailed)) => return moved(app, job, index, until).await,
            Err(error) => return Err(error),
        }
    }
    if let Some(end) = end
        && !file.file_status.is_settled()
    {
        return end_file(app, job, file.file_id, until, end, taken).await;
    }
    Ok(Json(taken).into_response())
}

async fn place(app: &App, job: ImportJobId, index: u64) -> Result<Place, AppError> {
    row_imports::place(&*app.db, job, index, app.now()).await?.ok_or_else(|| missing("Import job", &job))
}

async fn settle(
    app: &App,
    destination: Destination,
    place: &Place,
    slice: RowSlice<'_>,
    from: u64,
    bytes_read: u64,
) -> Result<SliceTaken, AppError> {
    let rows =
        slice.into_rows(destination.file, app.now()).map_err(|error| AppError::invalid("slice", error.to_string()))?;
    let mut slice = Slice::new(from, place.leave_out_incognito);
    for row in rows {
        slice.add(row);
    }
    slice.ends_at_byte(bytes_read.min(SIZE_MAX_BYTES));
    let written_before = app.db.usage().rows_written;
    let guard = row_imports::takes_slices(destination.job);
    let taken_up = slice.settle(app, destination, &HashSet::new(), 0, guard).await?;
    let written = app.db.usage().rows_written.saturating_sub(written_before);
    let told = import_jobs::tell_written(destination.job, place.rows_written, written, app.now());
    // The slice is settled, whatever becomes of the figure.
    if let Err(error) = app.db.run(told).await {
        tracing::warn!(import_job_id = destination.job.0, %error, "What a slice wrote was not counted");
    }
    let (rows_read, rejected) = (slice.rows(), slice.rejected());
    let plays = taken_up.inserted + taken_up.merged + taken_up.duplicate;
    Ok(SliceTaken {
        cursor: from + rows_read,
        rows_read,
        inserted: taken_up.inserted,
        merged: taken_up.merged,
        duplicate: taken_up.duplicate,
        skipped: rows_read.saturating_sub(plays + rejected),
        rejected,
    })
}

async fn end_file(
    app: &App,
    job: ImportJobId,
    file: ImportFileId,
    at_row: u64,
    end: FileEnd,
    taken: SliceTaken,
) -> Result<Response, AppError> {
    let note: Option<String> =
        end.note.map(|note| note.chars().filter(|letter| !letter.is_control()).take(NOTE_MAX_CHARS).collect());
    let format = end.format.map(Format::name);
    let statement = import_jobs::settle_file(file, format, end.status.into(), note.as_deref());
    match row_imports::end_file(&*app.db, job, file, at_row, statement).await {
        Ok(()) => Ok(Json(taken).into_response()),
        Err(StoreError::AssertionFailed) => Ok(elsewhere(taken.cursor)),
        Err(error) => Err(error.into()),
    }
}

/// The same slice may have come twice at once: then one of the two was taken.
async fn moved(app: &App, job: ImportJobId, index: u64, until: u64) -> Result<Response, AppError> {
    let place = place(app, job, index).await?;
    if let Some(refusal) = refusal(&place) {
        return Ok(refusal);
    }
    let cursor = place.file.map_or(0, |file| file.rows_read);
    if cursor == until {
        return Ok(Json(SliceTaken { cursor, ..SliceTaken::default() }).into_response());
    }
    Ok(elsewhere(cursor))
}

/// Why no slice is taken at all.
fn refusal(place: &Place) -> Option<Response> {
    let detail = match (place.archive_form, place.status) {
        (import_jobs::ArchiveForm::Rows, JobStatus::Running) => return None,
        (import_jobs::ArchiveForm::Rows, status) => format!("The import is over: {}.", status.as_str()),
        _ => "The Worker itself unpacks the archive of this import.".to_owned(),
    };
    Some(Problem::new(StatusCode::CONFLICT, detail).into_response())
}

fn elsewhere(cursor: u64) -> Response {
    let mut problem = Problem::new(StatusCode::CONFLICT, format!("The next row of this file is {cursor}."));
    problem.more.insert("cursor".to_owned(), cursor.into());
    problem.into_response()
}

/// The answer where so many more rows could be more than imports may write on this UTC day.
fn day_is_full(app: &App, place: &Place, rows: u64) -> Option<Response> {
    let limit = app.config.import_limits.rows_written_per_day?;
    // Nearly each row may be one written, and its tracks come on top.
    if place.written_today.saturating_add(2 * rows) <= limit {
        return None;
    }
    let reason = format!("As many rows were written today as IMPORT_ROWS_PER_DAY allows ({limit});");
    Some(tomorrow(app, &format!("{reason} imports go on after midnight UTC.")))
}

/// The answer when nothing more may be written on this UTC day.
fn tomorrow(app: &App, detail: &str) -> Response {
    let left_ms = DAY_MS - app.now().0.rem_euclid(DAY_MS);
    later(detail, left_ms / SECOND_MS + 60)
}

fn later(detail: &str, seconds: i64) -> Response {
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail.to_owned()).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// POST /admin/import-jobs/{id}/verify: counts the stored plays again and ends the import. Asked again, it answers the same.
pub async fn verify(app: App, Path(id): Path<String>) -> Result<Response, AppError> {
    let job = ImportJobId(path_id("Import job", &id)?);
    let (found, files) = import_jobs::find(&*app.db, job).await?.ok_or_else(|| missing("Import job", &job))?;
    if found.status == JobStatus::Running && found.archive_form == import_jobs::ArchiveForm::Rows {
        let open = files.iter().filter(|file| !file.status.is_settled()).count();
        if open > 0 {
            let detail = format!("{open} files are not at their end; send their slices first.");
            return Ok(Problem::new(StatusCode::CONFLICT, detail).into_response());
        }
        match import_archive::finish(&app, job, row_imports::is_sent(job)).await {
            // Asked twice at once, or a slice came in between.
            Ok(()) | Err(AppError::Store(StoreError::AssertionFailed)) => {}
            Err(error) => return Err(error),
        }
    } else if found.completed_at.is_none() {
        let detail = "The Worker itself unpacks the archive of this import, and counts at its end.".to_owned();
        return Ok(Problem::new(StatusCode::CONFLICT, detail).into_response());
    }
    let view = super::admin_imports::show(app, Path(id)).await?;
    Ok(view.into_response())
}

#[cfg(test)]
mod tests;
