//! Imports: one row a job, one row a file of its archive.
//!
//! Must stay true: a job is worked on under a lease, and every write of the worker asserts it; a file's counters and
//! cursor move in the batch that writes the rows they count; `reasons` adds up to `skipped` and `rejected`.

mod ending;
mod lease;
mod orders;
mod progress;
mod rejects;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Db, Statement, StoreError, assert_that, rows::Total};
use crate::domain::{
    ids::{ImportFileId, ImportJobId, UserId},
    instant::Millis,
    matching::EndDistances,
};

pub use self::{
    ending::{archive_keys, finish, forget_old_archives, recount},
    lease::{Claimed, Lease, claim, hand_on, pause, release, take_back_stuck},
    orders::{Cancelled, Retried, cancel, cancel_where_asked, retry},
    progress::{Progress, settle_file, tell_written, written_on},
    rejects::{KeptReject, RejectedRow, insert_rejects, rejects},
};

/// A row of `import_jobs`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ImportJob {
    pub id: ImportJobId,
    pub user_id: UserId,
    pub status: JobStatus,
    pub filename: Option<String>,
    pub archive_key: Option<String>,
    pub file_size_bytes: i64,
    pub error_message: Option<String>,
    pub attempts: i64,
    pub rows_written: i64,
    pub earliest_played_at: Option<Millis>,
    pub latest_played_at: Option<Millis>,
    pub created_at: Millis,
    pub started_at: Option<Millis>,
    pub updated_at: Millis,
    pub completed_at: Option<Millis>,
    pub archive_sha256: Option<String>,
    pub archive_form: ArchiveForm,
    #[serde(deserialize_with = "super::rows::integer_bool")]
    pub leave_out_incognito: bool,
    #[serde(deserialize_with = "super::rows::integer_bool")]
    pub cancel_requested: bool,
    pub resume_at: Option<Millis>,
    pub pause_reason: Option<String>,
    /// A JSON object, see [`ImportJob::end_distances`].
    end_distances: String,
}

impl ImportJob {
    /// How far the API's end and the export's end lie apart where this import joined the two.
    pub fn end_distances(&self) -> EndDistances {
        serde_json::from_str(&self.end_distances).unwrap_or_default()
    }
}

const JOB_COLUMNS: &str = "id, user_id, status, filename, archive_key, file_size_bytes, error_message, attempts, \
     rows_written, earliest_played_at, latest_played_at, created_at, started_at, updated_at, completed_at, \
     archive_sha256, archive_form, leave_out_incognito, cancel_requested, resume_at, pause_reason, end_distances";

/// What was uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ArchiveForm {
    /// The ZIP archive that Spotify hands out.
    Zip,
    /// One of its files by itself.
    Json,
    /// One of its files, compressed with gzip.
    JsonGz,
    /// Nothing: whoever has the archive unpacks it and sends its rows, slice by slice. No worker of ours has such a job.
    Rows,
}

impl ArchiveForm {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zip => "zip",
            Self::Json => "json",
            Self::JsonGz => "json_gz",
            Self::Rows => "rows",
        }
    }
}

/// Where a job stands. The last four are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    Pending,
    Running,
    Success,
    Partial,
    Error,
    Cancelled,
}

impl JobStatus {
    pub const NAMES: [&str; 6] = ["pending", "running", "success", "partial", "error", "cancelled"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Error => "error",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A row of `import_files`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct ImportFile {
    pub id: ImportFileId,
    pub entry_index: usize,
    pub name: String,
    pub format: Option<String>,
    pub status: FileStatus,
    pub note: Option<String>,
    pub inflated_bytes: u64,
    pub rows_read: u64,
    pub bytes_read: u64,
    pub inserted: u64,
    pub merged: u64,
    pub duplicate: u64,
    pub skipped: u64,
    pub rejected: u64,
    /// A JSON object of counts by reason.
    pub reasons: String,
}

impl ImportFile {
    /// Rows that are plays, new or known.
    pub const fn plays(&self) -> u64 {
        self.inserted + self.merged + self.duplicate
    }

    /// How many rows were left out for each reason.
    pub fn counts_by_reason(&self) -> BTreeMap<String, u64> {
        serde_json::from_str(&self.reasons).unwrap_or_default()
    }

    /// Whether every row that was read is accounted for, and every row that was left out has its reason.
    pub fn adds_up(&self) -> bool {
        let by_reason: u64 = self.counts_by_reason().values().sum();
        self.rows_read == self.plays() + self.skipped + self.rejected && by_reason == self.skipped + self.rejected
    }
}

const FILE_COLUMNS: &str = "id, entry_index, name, format, status, note, inflated_bytes, rows_read, bytes_read, \
     inserted, merged, duplicate, skipped, rejected, reasons";

/// Where a file stands. `Incomplete`: read up to a fault; `Unreadable`: not read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileStatus {
    Pending,
    Running,
    Done,
    Incomplete,
    Unreadable,
}

impl FileStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Done => "done",
            Self::Incomplete => "incomplete",
            Self::Unreadable => "unreadable",
        }
    }

    pub const fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }
}

/// An uploaded archive, ready to be imported.
pub struct NewImport<'a> {
    pub user: UserId,
    pub filename: Option<&'a str>,
    pub archive_key: &'a str,
    pub archive_form: ArchiveForm,
    pub archive_sha256: &'a str,
    pub file_size_bytes: u64,
    pub leave_out_incognito: bool,
    pub request_id: Option<&'a str>,
    /// Position in the archive, name and inflated size of each file that may hold history.
    pub files: &'a [(usize, String, u64)],
}

/// Stores a job, its files and its run, all or none, with the row that says who wanted it.
///
/// # Errors
/// [`StoreError::AssertionFailed`] when an unfinished job of this user has the same archive, or the user is gone.
pub async fn insert(db: &dyn Db, new: &NewImport<'_>, audit: Statement, now: Millis) -> Result<ImportJob, StoreError> {
    const IS_THERE: &str = "EXISTS (SELECT 1 FROM users WHERE id = ?1)";
    const IS_FIRST: &str = "NOT EXISTS (SELECT 1 FROM import_jobs \
        WHERE user_id = ?1 AND archive_sha256 = ?2 AND status IN ('pending', 'running'))";
    const JOB: &str = "INSERT INTO import_jobs \
        (user_id, status, filename, archive_key, file_size_bytes, request_id, created_at, updated_at, archive_form, \
         archive_sha256, leave_out_incognito) VALUES (?1, 'pending', ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8, ?9)";
    const FILES: &str = "INSERT INTO import_files (import_job_id, entry_index, name, status, inflated_bytes) \
        SELECT (SELECT max(id) FROM import_jobs), value->>0, value->>1, 'pending', value->>2 FROM json_each(?1)";
    const RUN: &str = "INSERT INTO job_runs (job_type, status, user_id, import_job_id, started_by, request_id, created_at) \
        SELECT 'import_zip', 'queued', ?1, max(id), 'upload', ?2, ?3 FROM import_jobs";
    let mut statements = vec![
        assert_that(IS_THERE).bind(new.user),
        assert_that(IS_FIRST).bind(new.user).bind(new.archive_sha256),
        Statement::new(JOB)
            .bind(new.user)
            .bind(new.filename)
            .bind(new.archive_key)
            .bind(new.file_size_bytes)
            .bind(new.request_id)
            .bind(now)
            .bind(new.archive_form.as_str())
            .bind(new.archive_sha256)
            .bind(new.leave_out_incognito),
        audit,
    ];
    statements.extend(super::bulk(new.files).into_iter().map(|json| Statement::new(FILES).bind(json)));
    statements.push(Statement::new(RUN).bind(new.user).bind(new.request_id).bind(now));
    let select = format!("SELECT {JOB_COLUMNS} FROM import_jobs ORDER BY id DESC LIMIT 1");
    statements.push(Statement::new(select));
    let mut results = db.batch(statements).await?;
    let job = results.pop().unwrap_or_default().first()?;
    job.ok_or_else(|| StoreError::Shape("no row for a new import".to_owned()))
}

/// The user's last job of an archive with this digest.
pub async fn of_archive(db: &dyn Db, user: UserId, sha256: &str) -> Result<Option<ImportJob>, StoreError> {
    let sql = format!(
        "SELECT {JOB_COLUMNS} FROM import_jobs WHERE user_id = ?1 AND archive_sha256 = ?2 ORDER BY id DESC LIMIT 1"
    );
    db.first(Statement::new(sql).bind(user).bind(sha256)).await
}

/// A job with its files, in the order of the archive.
pub async fn find(db: &dyn Db, id: ImportJobId) -> Result<Option<(ImportJob, Vec<ImportFile>)>, StoreError> {
    let job = format!("SELECT {JOB_COLUMNS} FROM import_jobs WHERE id = ?1");
    let mut results = db.batch(vec![Statement::new(job).bind(id), select_files(id)]).await?;
    let files = results.pop().unwrap_or_default().all()?;
    Ok(results.pop().unwrap_or_default().first()?.map(|job| (job, files)))
}

fn select_files(id: ImportJobId) -> Statement {
    let sql = format!("SELECT {FILE_COLUMNS} FROM import_files WHERE import_job_id = ?1 ORDER BY entry_index");
    Statement::new(sql).bind(id)
}

/// Jobs, newest first, with the sums of their files.
pub async fn list(
    db: &dyn Db,
    user: Option<UserId>,
    status: Option<&str>,
    archive_sha256: Option<&str>,
    limit: u32,
    offset: u32,
) -> Result<(Vec<ImportJob>, i64), StoreError> {
    const MATCHES: &str = "(?1 IS NULL OR user_id = ?1) AND (?2 IS NULL OR status = ?2) \
        AND (?3 IS NULL OR archive_sha256 = ?3)";
    let page = format!(
        "SELECT {JOB_COLUMNS} FROM import_jobs WHERE {MATCHES} ORDER BY id DESC \
         LIMIT CAST(?4 AS INTEGER) OFFSET CAST(?5 AS INTEGER)"
    );
    let total = format!("SELECT count(*) AS total FROM import_jobs WHERE {MATCHES}");
    let mut results = db
        .batch(vec![
            Statement::new(page).bind(user).bind(status).bind(archive_sha256).bind(limit).bind(offset),
            Statement::new(total).bind(user).bind(status).bind(archive_sha256),
        ])
        .await?;
    let total: Option<Total> = results.pop().unwrap_or_default().first()?;
    Ok((results.pop().unwrap_or_default().all()?, total.map_or(0, |row| row.total)))
}
