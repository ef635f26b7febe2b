//! Imports whose sender unpacks the archive: `/admin/users/{id}/row-imports`, `/admin/import-jobs/{id}/slices` and
//! `.../verify`. For Workers that may work only milliseconds for a request, and archives too large for one.
//!
//! Must stay true: a slice sent twice is taken once, and one that does not begin at its file's cursor is refused with
//! the cursor; counters, refused rows, recount and final status are those of any other import.

use std::collections::HashSet;

use axum::{
    Json,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{
    admin_users, body,
    path_id::{missing, path_id},
    upload::plain_filename,
};
use crate::{
    app::App,
    domain::{
        ids::{ImportFileId, ImportJobId},
        instant::{DAY_MS, SECOND_MS},
    },
    error::{AppError, FieldError, Problem},
    export::{Format, RowSlice},
    jobs::import_archive::{
        self,
        slice::{Destination, Slice},
    },
    store::{
        StoreError,
        audit::{Actor, Change},
        import_jobs::{self, FileStatus, ImportFile, JobStatus},
        row_imports::{self, NewRowImport, Place},
    },
};

/// A list of ten thousand files.
const OPENING_MAX_BYTES: usize = 2 * 1024 * 1024;
/// A slice of ten thousand rows that all name another track.
const SLICE_MAX_BYTES: usize = 4 * 1024 * 1024;
const MAX_FILES: usize = 10_000;
const NAME_MAX_CHARS: usize = 1_000;
const NOTE_MAX_CHARS: usize = 300;

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Opening {
    /// The archive's name, to show.
    filename: String,
    file_size_bytes: u64,
    /// SHA-256 of the archive, in hexadecimal: how an import that was begun before is found again.
    archive_sha256: String,
    /// Those that may hold history.
    files: Vec<OpeningFile>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OpeningFile {
    /// Position in the archive's directory.
    index: u32,
    name: String,
    inflated_bytes: u64,
}

impl Opening {
    fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let is_hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex(&self.archive_sha256) {
            errors.push(FieldError::new("archive_sha256", "must be 64 hexadecimal digits"));
        }
        let indexes: HashSet<u32> = self.files.iter().map(|file| file.index).collect();
        if !(1..=MAX_FILES).contains(&self.files.len()) || indexes.len() != self.files.len() {
            errors.push(FieldError::new("files", format!("must be 1 to {MAX_FILES} files, each with its own index")));
        }
        if self.files.iter().any(|file| !(1..=NAME_MAX_CHARS).contains(&file.name.chars().count())) {
            errors.push(FieldError::new("files", format!("a name has 1 to {NAME_MAX_CHARS} characters")));
        }
        let sizes = self.files.iter().map(|file| file.inflated_bytes).chain([self.file_size_bytes]);
        if sizes.max().is_some_and(|most| most > SIZE_MAX_BYTES) {
            errors.push(FieldError::new("file_size_bytes", "sizes are below 2^53"));
        }
        errors
    }
}

const SIZE_MAX_BYTES: u64 = (1 << 53) - 1;

/// An import that takes slices, and where each file stands.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Opened {
    id: ImportJobId,
    status: JobStatus,
    files: Vec<OpenedFile>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OpenedFile {
    index: usize,
    /// Rows that are settled: the next slice begins here.
    cursor: u64,
    bytes_read: u64,
    is_settled: bool,
}

impl From<ImportFile> for OpenedFile {
    fn from(file: ImportFile) -> Self {
        Self {
            index: file.entry_index,
            cursor: file.rows_read,
            bytes_read: file.bytes_read,
            is_settled: file.status.is_settled(),
        }
    }
}

/// POST /admin/users/{id}/row-imports: 201 for a new import, 200 for one of the same archive that is under way.
pub async fn open(
    State(app): State<App>,
    Path(id): Path<String>,
    actor: Actor,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Opened>), AppError> {
    let user = admin_users::find(&app, &id).await?;
    let opening: Opening = body::json_within(&headers, body, OPENING_MAX_BYTES).await?;
    let errors = opening.errors();
    if !errors.is_empty() {
        return Err(AppError::Invalid(errors));
    }
    let filename = plain_filename(&opening.filename);
    let files: Vec<(usize, &str, u64)> = opening
        .files
        .iter()
        .map(|file| (usize::try_from(file.index).unwrap_or(usize::MAX), file.name.as_str(), file.inflated_bytes))
        .collect();
    let new = NewRowImport {
        user: user.id,
        filename: filename.as_deref(),
        file_size_bytes: opening.file_size_bytes,
        archive_sha256: &opening.archive_sha256.to_ascii_lowercase(),
        request_id: Some(&actor.request_id),
        files: &files,
    };
    let change = Change::created("import.create", "import-jobs/", "import_jobs").of_user(user.id);
    let opened = row_imports::open(&*app.db, &new, &actor.made(change, app.now()), app.now()).await?;
    let Some(opened) = opened else {
        // The user may have been deleted meanwhile.
        admin_users::find(&app, &id).await?;
        return Err(AppError::Internal("an import that was opened is not there"));
    };
    let status = if opened.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let files = opened.files.into_iter().map(OpenedFile::from).collect();
    Ok((status, Json(Opened { id: opened.job.id, status: opened.job.status, files })))
}

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
pub async fn slice(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, AppError> {
    let job = ImportJobId(path_id("Import job", &id)?);
    let bytes = body::bytes_within(&headers, body, SLICE_MAX_BYTES).await?;
    let body: SliceBody<'_> = body::parsed(&bytes)?;
    match take(&app, job, body).await {
        Ok(response) => Ok(response),
        Err(AppError::Store(StoreError::DayIsFull(_))) => {
            let detail = "The database's rows of this day are used up; imports go on after midnight UTC.";
            let left_ms = DAY_MS - app.now().0.rem_euclid(DAY_MS);
            Ok(later(detail, left_ms / SECOND_MS + 60))
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
    row_imports::place(&*app.db, job, index).await?.ok_or_else(|| missing("Import job", &job))
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
    let taken_up = slice.settle(app, destination, &HashSet::new(), written_before, guard).await?;
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

fn later(detail: &str, seconds: i64) -> Response {
    let mut response = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail.to_owned()).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// POST /admin/import-jobs/{id}/verify: counts the stored plays again and ends the import. Asked again, it answers the same.
pub async fn verify(State(app): State<App>, Path(id): Path<String>) -> Result<Response, AppError> {
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
    let view = super::admin_imports::show(State(app), Path(id)).await?;
    Ok(view.into_response())
}

#[cfg(test)]
mod tests;
