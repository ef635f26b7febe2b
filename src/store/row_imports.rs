//! Imports whose sender unpacks the archive and posts rows: they have no archive here and no worker.
//!
//! Must stay true: a slice is written only where the file's cursor stands and while the job runs; the sweep leaves such
//! jobs alone, since only their sender can go on with them; one that its sender forgot is ended.

use serde::Deserialize;

use super::{
    Db, Statement, StoreError, assert_that,
    import_jobs::{self, ArchiveForm, FileStatus, ImportFile, ImportJob, JobStatus},
};
use crate::domain::{
    ids::{ImportFileId, ImportJobId, UserId},
    instant::{DAY_MS, Millis},
};

/// How long a sender may be silent before its import is ended.
const FORGOTTEN_AFTER_MS: i64 = 7 * DAY_MS;

/// An archive that its sender is about to unpack.
pub struct NewRowImport<'a> {
    pub user: UserId,
    pub filename: Option<&'a str>,
    pub file_size_bytes: u64,
    pub archive_sha256: &'a str,
    pub request_id: Option<&'a str>,
    /// Position in the archive, name and inflated size of each file that may hold history.
    pub files: &'a [(usize, &'a str, u64)],
}

/// What came of opening an import.
pub struct Opened {
    pub job: ImportJob,
    pub files: Vec<ImportFile>,
    pub is_new: bool,
}

/// Opens an import, or finds the one of the same archive that is under way. `audit` is written with a new one.
pub async fn open(
    db: &dyn Db,
    new: &NewRowImport<'_>,
    audit: &Statement,
    now: Millis,
) -> Result<Option<Opened>, StoreError> {
    const IS_THERE: &str = "EXISTS (SELECT 1 FROM users WHERE id = ?1)";
    const NONE_IS_UNDER_WAY: &str = "NOT EXISTS (SELECT 1 FROM import_jobs WHERE user_id = ?1 \
        AND archive_sha256 = ?2 AND archive_form = 'rows' AND status = 'running')";
    const JOB: &str = "INSERT INTO import_jobs (user_id, status, filename, file_size_bytes, request_id, created_at, \
        started_at, updated_at, archive_form, archive_sha256) VALUES (?1, 'running', ?2, ?3, ?4, ?5, ?5, ?5, 'rows', ?6)";
    const FILES: &str = "INSERT INTO import_files (import_job_id, entry_index, name, status, inflated_bytes) \
        SELECT (SELECT max(id) FROM import_jobs), value->>0, value->>1, 'pending', value->>2 FROM json_each(?1)";
    const RUN: &str = "INSERT INTO job_runs \
        (job_type, status, user_id, import_job_id, started_by, request_id, created_at, started_at, updated_at) \
        SELECT 'import_zip', 'running', ?1, max(id), 'upload', ?2, ?3, ?3, ?3 FROM import_jobs";
    if let Some(opened) = under_way(db, new).await? {
        return Ok(Some(opened));
    }
    let mut statements = vec![
        assert_that(IS_THERE).bind(new.user),
        assert_that(NONE_IS_UNDER_WAY).bind(new.user).bind(new.archive_sha256),
        Statement::new(JOB)
            .bind(new.user)
            .bind(new.filename)
            .bind(new.file_size_bytes)
            .bind(new.request_id)
            .bind(now)
            .bind(new.archive_sha256),
    ];
    statements.extend(super::bulk(new.files).into_iter().map(|json| Statement::new(FILES).bind(json)));
    statements.push(Statement::new(RUN).bind(new.user).bind(new.request_id).bind(now));
    statements.push(audit.clone());
    let is_new = match db.batch(statements).await {
        Ok(_) => true,
        // Another request opened it in between, or the user was deleted.
        Err(StoreError::AssertionFailed) => false,
        Err(error) => return Err(error),
    };
    Ok(under_way(db, new).await?.map(|opened| Opened { is_new, ..opened }))
}

async fn under_way(db: &dyn Db, new: &NewRowImport<'_>) -> Result<Option<Opened>, StoreError> {
    let Some(job) = import_jobs::of_archive(db, new.user, new.archive_sha256).await? else { return Ok(None) };
    if job.archive_form != ArchiveForm::Rows || job.status != JobStatus::Running {
        return Ok(None);
    }
    let found = import_jobs::find(db, job.id).await?;
    Ok(found.map(|(job, files)| Opened { job, files, is_new: false }))
}

/// What a slice has to know of its job and file.
#[derive(Debug, Deserialize)]
pub struct Place {
    pub user_id: UserId,
    pub status: JobStatus,
    pub archive_form: ArchiveForm,
    #[serde(deserialize_with = "super::rows::integer_bool")]
    pub leave_out_incognito: bool,
    /// Of all files of the job.
    pub rows_of_job: u64,
    /// Rows of the database that the job was told it wrote.
    pub rows_written: u64,
    /// What imports wrote on this UTC day, those of other users too.
    pub written_today: u64,
    #[serde(flatten)]
    pub file: Option<PlaceInFile>,
}

#[derive(Debug, Deserialize)]
pub struct PlaceInFile {
    pub file_id: ImportFileId,
    pub file_status: FileStatus,
    pub rows_read: u64,
    pub rejected: u64,
}

/// Where a slice for this file of this job would go; `None` when there is no such job.
pub async fn place(db: &dyn Db, id: ImportJobId, entry_index: u64, now: Millis) -> Result<Option<Place>, StoreError> {
    const PLACE: &str = "SELECT j.user_id, j.status, j.archive_form, j.leave_out_incognito, j.rows_written, \
        (SELECT coalesce(sum(written_on_day), 0) FROM import_jobs WHERE written_on = ?3) AS written_today, \
        (SELECT coalesce(sum(rows_read), 0) FROM import_files WHERE import_job_id = j.id) AS rows_of_job, \
        f.id AS file_id, f.status AS file_status, f.rows_read, f.rejected \
        FROM import_jobs AS j LEFT JOIN import_files AS f ON f.import_job_id = j.id AND f.entry_index = ?2 WHERE j.id = ?1";
    db.first(Statement::new(PLACE).bind(id).bind(entry_index).bind(now.0.div_euclid(DAY_MS))).await
}

/// Holds while the import takes slices.
pub fn takes_slices(id: ImportJobId) -> Statement {
    assert_that("EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND status = 'running' AND archive_form = 'rows')")
        .bind(id)
}

/// Holds while every row is here, and the import is not over.
pub fn is_sent(id: ImportJobId) -> Statement {
    assert_that(
        "EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND status = 'running' AND archive_form = 'rows') \
         AND NOT EXISTS (SELECT 1 FROM import_files WHERE import_job_id = ?1 AND status IN ('pending', 'running'))",
    )
    .bind(id)
}

/// Ends a file at a cursor.
///
/// # Errors
/// [`StoreError::AssertionFailed`] when the cursor or the job is elsewhere; nothing was written then.
pub async fn end_file(
    db: &dyn Db,
    id: ImportJobId,
    file: ImportFileId,
    at_row: u64,
    end: Statement,
) -> Result<(), StoreError> {
    let at_cursor = assert_that("EXISTS (SELECT 1 FROM import_files WHERE id = ?1 AND rows_read = ?2)");
    db.batch(vec![takes_slices(id), at_cursor.bind(file).bind(at_row), end]).await.map(drop)
}

/// Ends imports whose sender has not been heard of for a week; tells which.
pub async fn end_forgotten(db: &dyn Db, now: Millis) -> Result<Vec<ImportJobId>, StoreError> {
    #[derive(Deserialize)]
    struct Forgotten {
        id: ImportJobId,
    }
    const FORGOTTEN: &str = "SELECT id FROM import_jobs WHERE status = 'running' AND archive_form = 'rows' \
        AND updated_at <= ?1 ORDER BY id LIMIT 100";
    const IS_FORGOTTEN: &str =
        "EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND status = 'running' AND updated_at <= ?2)";
    const SENTENCE: &str = "The program that sent the rows stopped before the end; import the archive again, and what is \
        here already counts once.";
    let until = now.minus_ms(FORGOTTEN_AFTER_MS);
    let found: Vec<Forgotten> = db.run(Statement::new(FORGOTTEN).bind(until)).await?.all()?;
    let mut ended = Vec::new();
    for Forgotten { id } in found {
        let mut statements = vec![assert_that(IS_FORGOTTEN).bind(id).bind(until)];
        statements.extend(import_jobs::finish(id, JobStatus::Partial, Some(SENTENCE), false, now));
        match db.batch(statements).await {
            Ok(_) => ended.push(id),
            Err(StoreError::AssertionFailed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(ended)
}
