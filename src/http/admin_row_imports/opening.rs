//! `/admin/users/{id}/row-imports`: an import is opened, or found again where it stands.
//!
//! Must stay true: opening the same archive again while its import is under way is no second import.

use std::collections::HashSet;

use axum::{
    Json,
    body::Body,
    extract::Path,
    http::{HeaderMap, StatusCode},
};
use serde::{Deserialize, Serialize};

use super::SIZE_MAX_BYTES;
use crate::{
    app::App,
    domain::ids::ImportJobId,
    error::{AppError, FieldError},
    http::{admin_users, body, upload::plain_filename},
    store::{
        audit::{Actor, Change},
        import_jobs::{ImportFile, JobStatus},
        row_imports::{self, NewRowImport},
    },
};

/// A list of ten thousand files.
const OPENING_MAX_BYTES: usize = 2 * 1024 * 1024;
const MAX_FILES: usize = 10_000;
const NAME_MAX_CHARS: usize = 1_000;

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
    app: App,
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
