//! Imports: one row a job, one row a file of its archive.
//!
//! Must stay true: a job is worked on under a lease, and every write of the worker asserts it; a file's counters and
//! cursor move in the batch that writes the rows they count; `reasons` adds up to `skipped` and `rejected`.

use std::collections::HashSet;

use serde::Deserialize;

use super::{Db, Statement, StoreError, assert_that, rows::Total};
use crate::domain::{
    ids::{ImportFileId, ImportJobId, UserId},
    instant::{MINUTE_MS, Millis},
};

/// How long a worker may be silent before the sweep gives its job to another.
pub const LEASE_MS: i64 = 2 * MINUTE_MS;

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
}

const JOB_COLUMNS: &str = "id, user_id, status, filename, archive_key, file_size_bytes, error_message, attempts, \
     rows_written, earliest_played_at, latest_played_at, created_at, started_at, updated_at, completed_at";

/// Where a job stands. The last four are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
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

const FILE_COLUMNS: &str = "id, entry_index, name, format, status, note, inflated_bytes, rows_read, bytes_read, \
     inserted, merged, duplicate, skipped, rejected, reasons";

/// Where a file stands. `Incomplete`: read up to a fault; `Unreadable`: not read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
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
    pub file_size_bytes: u64,
    pub request_id: Option<&'a str>,
    /// Position in the archive, name and inflated size of each file that may hold history.
    pub files: &'a [(usize, String, u64)],
}

/// Stores a job, its files and its run, all or none.
pub async fn insert(db: &dyn Db, new: &NewImport<'_>, now: Millis) -> Result<ImportJob, StoreError> {
    const JOB: &str = "INSERT INTO import_jobs \
        (user_id, status, filename, archive_key, file_size_bytes, request_id, created_at, updated_at) \
        VALUES (?1, 'pending', ?2, ?3, ?4, ?5, ?6, ?6)";
    const FILES: &str = "INSERT INTO import_files (import_job_id, entry_index, name, status, inflated_bytes) \
        SELECT (SELECT max(id) FROM import_jobs), value->>0, value->>1, 'pending', value->>2 FROM json_each(?1)";
    const RUN: &str = "INSERT INTO job_runs (job_type, status, user_id, import_job_id, started_by, request_id, created_at) \
        SELECT 'import_zip', 'queued', ?1, max(id), 'upload', ?2, ?3 FROM import_jobs";
    let mut statements = vec![
        Statement::new(JOB)
            .bind(new.user)
            .bind(new.filename)
            .bind(new.archive_key)
            .bind(new.file_size_bytes)
            .bind(new.request_id)
            .bind(now),
    ];
    statements.extend(super::bulk(new.files).into_iter().map(|json| Statement::new(FILES).bind(json)));
    statements.push(Statement::new(RUN).bind(new.user).bind(new.request_id).bind(now));
    let select = format!("SELECT {JOB_COLUMNS} FROM import_jobs ORDER BY id DESC LIMIT 1");
    statements.push(Statement::new(select));
    let mut results = db.batch(statements).await?;
    let job = results.pop().unwrap_or_default().first()?;
    job.ok_or_else(|| StoreError::Shape("no row for a new import".to_owned()))
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
    limit: u32,
    offset: u32,
) -> Result<(Vec<ImportJob>, i64), StoreError> {
    const MATCHES: &str = "(?1 IS NULL OR user_id = ?1) AND (?2 IS NULL OR status = ?2)";
    let page = format!(
        "SELECT {JOB_COLUMNS} FROM import_jobs WHERE {MATCHES} ORDER BY id DESC \
         LIMIT CAST(?3 AS INTEGER) OFFSET CAST(?4 AS INTEGER)"
    );
    let total = format!("SELECT count(*) AS total FROM import_jobs WHERE {MATCHES}");
    let mut results = db
        .batch(vec![
            Statement::new(page).bind(user).bind(status).bind(limit).bind(offset),
            Statement::new(total).bind(user).bind(status),
        ])
        .await?;
    let total: Option<Total> = results.pop().unwrap_or_default().first()?;
    Ok((results.pop().unwrap_or_default().all()?, total.map_or(0, |row| row.total)))
}

/// A job that this worker, and no other, may work on.
pub struct Claimed {
    pub job: ImportJob,
    pub files: Vec<ImportFile>,
    pub lease: Lease,
}

/// The right to write for a job.
#[derive(Clone, Debug)]
pub struct Lease {
    pub job: ImportJobId,
    pub token: String,
}

impl Lease {
    /// Undoes the batch it opens when the job is no longer this worker's, or the user's plays are not as they were seen.
    pub fn assertion(&self, user: UserId, version: i64) -> Statement {
        assert_that(
            "EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND status = 'running' AND lease_token = ?2) \
             AND EXISTS (SELECT 1 FROM users WHERE id = ?3 AND plays_version = ?4)",
        )
        .bind(self.job)
        .bind(self.token.as_str())
        .bind(user)
        .bind(version)
    }

    fn held(&self) -> Statement {
        assert_that("EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND status = 'running' AND lease_token = ?2)")
            .bind(self.job)
            .bind(self.token.as_str())
    }

    /// Whether the job is still this worker's.
    pub async fn is_held(&self, db: &dyn Db) -> Result<bool, StoreError> {
        match db.run(self.held()).await {
            Ok(_) => Ok(true),
            Err(StoreError::AssertionFailed) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Takes a job that is pending, or running under a lease that was given back.
pub async fn claim(db: &dyn Db, id: ImportJobId, token: String, now: Millis) -> Result<Option<Claimed>, StoreError> {
    const RUN: &str = "UPDATE job_runs SET status = 'running', attempts = attempts + 1, \
        started_at = coalesce(started_at, ?2) \
        WHERE import_job_id = ?1 AND EXISTS (SELECT 1 FROM import_jobs WHERE id = ?1 AND lease_token = ?3)";
    let update = format!(
        "UPDATE import_jobs SET status = 'running', lease_token = ?2, lease_until = ?3, attempts = attempts + 1, \
           started_at = coalesce(started_at, ?4), updated_at = ?4 \
         WHERE id = ?1 AND status IN ('pending', 'running') AND (lease_until IS NULL OR lease_until <= ?4) \
         RETURNING {JOB_COLUMNS}"
    );
    let mut results = db
        .batch(vec![
            Statement::new(update).bind(id).bind(token.as_str()).bind(now.plus_ms(LEASE_MS)).bind(now),
            Statement::new(RUN).bind(id).bind(now).bind(token.as_str()),
            select_files(id),
        ])
        .await?;
    let files = results.pop().unwrap_or_default().all()?;
    results.truncate(1);
    let job: Option<ImportJob> = results.pop().unwrap_or_default().first()?;
    Ok(job.map(|job| Claimed { job, files, lease: Lease { job: id, token } }))
}

/// Gives the job back without ending it, so that the next message can go on.
pub async fn release(db: &dyn Db, lease: &Lease) -> Result<(), StoreError> {
    const RELEASE: &str =
        "UPDATE import_jobs SET lease_token = NULL, lease_until = NULL WHERE id = ?1 AND lease_token = ?2";
    db.run(Statement::new(RELEASE).bind(lease.job).bind(lease.token.as_str())).await.map(drop)
}

/// What one slice of a file adds to its counters, and where the cursor stands after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub rows_read: u64,
    pub bytes_read: u64,
    pub inserted: u64,
    pub merged: u64,
    pub duplicate: u64,
    pub skipped: u64,
    pub rejected: u64,
    pub reasons: std::collections::BTreeMap<&'static str, u64>,
    pub earliest_played_at: Option<Millis>,
    pub latest_played_at: Option<Millis>,
}

impl Progress {
    /// Statements that move a file's cursor and counters and keep the lease alive.
    pub fn statements(
        &self,
        lease: &Lease,
        file: ImportFileId,
        format: Option<&'static str>,
        rows_written: u64,
        now: Millis,
    ) -> Vec<Statement> {
        const FILE: &str = "UPDATE import_files SET status = 'running', format = coalesce(?2, format), \
            rows_read = ?3, bytes_read = ?4, inserted = inserted + CAST(?5 AS INTEGER), \
            merged = merged + CAST(?6 AS INTEGER), duplicate = duplicate + CAST(?7 AS INTEGER), \
            skipped = skipped + CAST(?8 AS INTEGER), rejected = rejected + CAST(?9 AS INTEGER), \
            reasons = (SELECT json_group_object(key, amount) FROM (SELECT key, sum(value) AS amount FROM \
              (SELECT key, value FROM json_each(import_files.reasons) UNION ALL SELECT key, value FROM json_each(?10)) \
              GROUP BY key)) \
            WHERE id = ?1";
        const JOB: &str = "UPDATE import_jobs SET lease_until = ?2, updated_at = ?3, attempts = 0, \
            rows_written = rows_written + CAST(?4 AS INTEGER), \
            earliest_played_at = min(coalesce(earliest_played_at, ?5), coalesce(?5, earliest_played_at)), \
            latest_played_at = max(coalesce(latest_played_at, ?6), coalesce(?6, latest_played_at)) \
            WHERE id = ?1";
        vec![
            Statement::new(FILE)
                .bind(file)
                .bind(format)
                .bind(self.rows_read)
                .bind(self.bytes_read)
                .bind(self.inserted)
                .bind(self.merged)
                .bind(self.duplicate)
                .bind(self.skipped)
                .bind(self.rejected)
                .bind(serde_json::to_string(&self.reasons).unwrap_or_else(|_| "{}".to_owned())),
            Statement::new(JOB)
                .bind(lease.job)
                .bind(now.plus_ms(LEASE_MS))
                .bind(now)
                .bind(rows_written)
                .bind(self.earliest_played_at)
                .bind(self.latest_played_at),
        ]
    }
}

/// A file is read to its end, or as far as it can be.
pub fn settle_file(
    file: ImportFileId,
    format: Option<&'static str>,
    status: FileStatus,
    note: Option<&str>,
) -> Statement {
    const SETTLE: &str = "UPDATE import_files SET status = ?2, note = ?3, format = coalesce(?4, format) WHERE id = ?1";
    Statement::new(SETTLE).bind(file).bind(status.as_str()).bind(note).bind(format)
}

/// Runs statements under the lease.
///
/// # Errors
/// [`StoreError::AssertionFailed`] when the job is no longer this worker's; nothing was written then.
pub async fn under_lease(db: &dyn Db, lease: &Lease, statements: Vec<Statement>) -> Result<(), StoreError> {
    let mut all = vec![lease.held()];
    all.extend(statements);
    db.batch(all).await.map(drop)
}

#[derive(Deserialize)]
struct Recounted {
    id: ImportFileId,
    found: u64,
}

/// How many stored plays carry an observation of each of these files. Reads all plays of the user once.
pub async fn recount(db: &dyn Db, user: UserId, files: &[ImportFile]) -> Result<Vec<(ImportFileId, u64)>, StoreError> {
    const EXTENDED: &str = "SELECT extended_file_id AS id, count(*) AS found FROM plays \
        WHERE user_id = ?1 AND extended_file_id IN (SELECT value FROM json_each(?2)) GROUP BY 1";
    const ACCOUNT: &str = "SELECT account_file_id AS id, count(*) AS found FROM plays \
        WHERE user_id = ?1 AND account_file_id IN (SELECT value FROM json_each(?2)) GROUP BY 1";
    let ids: Vec<ImportFileId> = files.iter().map(|file| file.id).collect();
    let ids = serde_json::to_string(&ids).unwrap_or_default();
    let statement = |sql: &'static str| Statement::new(sql).bind(user).bind(ids.as_str());
    let mut found: Vec<(ImportFileId, u64)> = Vec::new();
    for rows in db.batch(vec![statement(EXTENDED), statement(ACCOUNT)]).await? {
        found.extend(rows.all::<Recounted>()?.into_iter().map(|row| (row.id, row.found)));
    }
    Ok(found)
}

/// Ends a job for good and gives up its archive.
pub async fn finish(
    db: &dyn Db,
    lease: &Lease,
    status: JobStatus,
    error_message: Option<&str>,
    now: Millis,
) -> Result<(), StoreError> {
    const JOB: &str = "UPDATE import_jobs SET status = ?2, error_message = ?3, completed_at = ?4, updated_at = ?4, \
        lease_token = NULL, lease_until = NULL, archive_key = NULL WHERE id = ?1";
    const RUN: &str = "UPDATE job_runs SET status = ?2, error_message = ?3, completed_at = ?4, \
        fetched = coalesce((SELECT sum(rows_read) FROM import_files WHERE import_job_id = ?1), 0), \
        inserted = coalesce((SELECT sum(inserted) FROM import_files WHERE import_job_id = ?1), 0), \
        merged = coalesce((SELECT sum(merged) FROM import_files WHERE import_job_id = ?1), 0), \
        skipped = coalesce((SELECT sum(duplicate + skipped + rejected) FROM import_files WHERE import_job_id = ?1), 0) \
        WHERE import_job_id = ?1";
    let end =
        |sql: &'static str| Statement::new(sql).bind(lease.job).bind(status.as_str()).bind(error_message).bind(now);
    under_lease(db, lease, vec![end(JOB), end(RUN)]).await
}

/// The archives that unfinished imports still read.
pub async fn archive_keys(db: &dyn Db) -> Result<HashSet<String>, StoreError> {
    #[derive(Deserialize)]
    struct Key {
        archive_key: String,
    }
    let statement = Statement::new("SELECT archive_key FROM import_jobs WHERE archive_key IS NOT NULL");
    Ok(db.run(statement).await?.all::<Key>()?.into_iter().map(|row| row.archive_key).collect())
}

/// Jobs that nobody works on: pending ones, and running ones whose lease ran out, which is taken from them.
pub async fn take_back_stuck(db: &dyn Db, now: Millis) -> Result<Vec<ImportJobId>, StoreError> {
    #[derive(Deserialize)]
    struct Due {
        id: ImportJobId,
    }
    const TAKE_BACK: &str = "UPDATE import_jobs SET lease_token = NULL, lease_until = NULL \
        WHERE status = 'running' AND lease_until <= ?1";
    // A pending job younger than a minute still has its first message under way.
    const DUE: &str = "SELECT id FROM import_jobs WHERE status IN ('pending', 'running') AND lease_until IS NULL \
        AND updated_at <= ?1 - 60000 ORDER BY id LIMIT 100";
    let statements = vec![Statement::new(TAKE_BACK).bind(now), Statement::new(DUE).bind(now)];
    let due: Vec<Due> = db.batch(statements).await?.pop().unwrap_or_default().all()?;
    Ok(due.into_iter().map(|row| row.id).collect())
}
