//! Imports an uploaded archive: reads it file by file, takes its plays up slice by slice, recounts, finishes.
//!
//! Must stay true:
//! * a slice's plays, counters and cursor are one batch, under the lease, and only if the user's plays are still as they
//!   were seen: whatever dies in between, the next worker goes on at the cursor and ends in the same plays;
//! * `success` is said only after the stored plays were counted again;
//! * nothing of one file's faults touches another file.

mod reading;
mod slices;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use self::reading::{read_directory, sniffs_of_history};
use self::{reading::Reading, slices::Slices};
use super::{Verdict, message::JobMessage};
use crate::{
    app::{App, StorageError},
    domain::ids::ImportJobId,
    error::AppError,
    store::{
        StoreError,
        import_jobs::{self, Claimed, FileStatus, ImportFile, JobStatus},
    },
};

/// Rows that one run takes before it sends the next message, so that no run comes near the platform's limits.
const ROWS_PER_RUN: u64 = 250_000;
/// Runs without any progress before a job is given up.
const MAX_ATTEMPTS: i64 = 5;

/// Works on a job, if nobody else does, and logs what that cost.
pub async fn run(app: &App, id: ImportJobId) -> Verdict {
    let before = app.db.usage();
    let verdict = attempt(app, id).await;
    let after = app.db.usage();
    tracing::info!(
        import_job_id = id.0,
        calls = after.calls - before.calls,
        rows_read = after.rows_read - before.rows_read,
        rows_written = after.rows_written - before.rows_written,
        "An import run ended"
    );
    verdict
}

async fn attempt(app: &App, id: ImportJobId) -> Verdict {
    let claimed = match import_jobs::claim(&*app.db, id, app.clock.random_hex(), app.now()).await {
        Ok(Some(claimed)) => claimed,
        // Done, unknown, or another's: the message has done its duty.
        Ok(None) => return Verdict::Done,
        Err(error) => {
            tracing::error!(import_job_id = id.0, %error, "An import could not be claimed");
            return Verdict::Retry { after_seconds: 10 };
        }
    };
    let lease = claimed.lease.clone();
    let (user, attempts, key) = (claimed.job.user_id, claimed.job.attempts, claimed.job.archive_key.clone());
    match work(app, claimed).await {
        Ok(Ended::Finished) => Verdict::Done,
        Ok(Ended::ToBeContinued) => match go_on(app, id, &lease).await {
            Ok(()) => Verdict::Done,
            Err(error) => {
                tracing::error!(import_job_id = id.0, %error, "An import could not be passed on; the sweep will");
                Verdict::Done
            }
        },
        Err(AppError::Store(StoreError::AssertionFailed)) => {
            tracing::warn!(import_job_id = id.0, user_id = user.0, "An import went over to another worker");
            Verdict::Done
        }
        Err(error) => {
            tracing::error!(import_job_id = id.0, user_id = user.0, attempts, %error, "An import run failed");
            give_back(app, &lease, attempts, key.as_deref()).await
        }
    }
}

enum Ended {
    Finished,
    ToBeContinued,
}

async fn work(app: &App, claimed: Claimed) -> Result<Ended, AppError> {
    let Claimed { job, mut files, lease } = claimed;
    let mut slices = Slices::new(app, &job, lease.clone());
    let mut rows_before: u64 = files.iter().map(|file| file.rows_read).sum();
    if files.iter().any(|file| !file.status.is_settled()) {
        let key = job.archive_key.as_deref().unwrap_or_default();
        let mut reading = match Reading::open(app, key, job.file_size_bytes.unsigned_abs()).await {
            Ok(reading) => reading,
            Err(AppError::Archive(StorageError::Missing)) => {
                let sentence = "The uploaded archive is no longer there; upload it again.";
                import_jobs::finish(&*app.db, &lease, JobStatus::Error, Some(sentence), app.now()).await?;
                return Ok(Ended::Finished);
            }
            Err(error) => return Err(error),
        };
        for file in &mut files {
            if file.status.is_settled() {
                reading.pass(file.bytes_read);
                continue;
            }
            let left = app.config.import_max_records.saturating_sub(rows_before);
            reading.read(&mut slices, file, left).await?;
            rows_before += slices.take_rows_read();
            if slices.rows_in_run() >= ROWS_PER_RUN {
                return Ok(Ended::ToBeContinued);
            }
        }
    }
    finish(app, &lease, job.id).await?;
    Ok(Ended::Finished)
}

/// Counts the stored plays again, lets go of the archive, and says how it went.
async fn finish(app: &App, lease: &import_jobs::Lease, id: ImportJobId) -> Result<(), AppError> {
    let Some((job, files)) = import_jobs::find(&*app.db, id).await? else { return Ok(()) };
    let mut found: BTreeMap<i64, u64> = BTreeMap::new();
    for (file, count) in import_jobs::recount(&*app.db, job.user_id, &files).await? {
        *found.entry(file.0).or_default() += count;
    }
    let is_missing = |file: &&ImportFile| found.get(&file.id.0).copied().unwrap_or(0) != file.inserted + file.merged;
    let missing: Vec<&str> = files.iter().filter(is_missing).map(|file| file.name.as_str()).collect();
    let (status, sentence) = verdict(&files, &missing);
    if let Some(key) = &job.archive_key {
        app.archives.delete(key).await?;
    }
    import_jobs::finish(&*app.db, lease, status, sentence.as_deref(), app.now()).await?;
    let sum = |of: fn(&ImportFile) -> u64| files.iter().map(of).sum::<u64>();
    tracing::info!(
        import_job_id = id.0,
        user_id = job.user_id.0,
        status = status.as_str(),
        rows_read = sum(|file| file.rows_read),
        inserted = sum(|file| file.inserted),
        merged = sum(|file| file.merged),
        duplicate = sum(|file| file.duplicate),
        "An import is done"
    );
    Ok(())
}

/// How a job ends, from how its files ended.
fn verdict(files: &[ImportFile], missing: &[&str]) -> (JobStatus, Option<String>) {
    let is_history = |file: &&ImportFile| matches!(file.format.as_deref(), Some("extended" | "account"));
    let faults: Vec<String> = files
        .iter()
        .filter(|file| matches!(file.status, FileStatus::Incomplete | FileStatus::Unreadable))
        .map(|file| format!("{}: {}", file.name, file.note.as_deref().unwrap_or("not read to its end.")))
        .collect();
    if !missing.is_empty() {
        let names = missing.join(", ");
        return (JobStatus::Error, Some(format!("Not all plays were found again after the import: {names}.")));
    }
    match (files.iter().any(|file| is_history(&file)), faults.is_empty()) {
        (true, true) => (JobStatus::Success, None),
        (true, false) => (JobStatus::Partial, Some(faults.join(" "))),
        (false, true) => {
            let sentence = "The archive holds no listening history: no file in it has the rows of Spotify's export.";
            (JobStatus::Error, Some(sentence.to_owned()))
        }
        (false, false) => (JobStatus::Error, Some(faults.join(" "))),
    }
}

async fn go_on(app: &App, id: ImportJobId, lease: &import_jobs::Lease) -> Result<(), AppError> {
    import_jobs::release(&*app.db, lease).await?;
    app.queue.send(&JobMessage::ImportArchive { import_job_id: id }).await?;
    Ok(())
}

async fn give_back(app: &App, lease: &import_jobs::Lease, attempts: i64, key: Option<&str>) -> Verdict {
    if attempts >= MAX_ATTEMPTS {
        if let Some(key) = key
            && let Err(error) = app.archives.delete(key).await
        {
            tracing::warn!(%error, "An archive could not be deleted; the hourly tick will");
        }
        let sentence = "The import failed several times at the same place and was given up; what was imported stays.";
        return match import_jobs::finish(&*app.db, lease, JobStatus::Error, Some(sentence), app.now()).await {
            Ok(()) => Verdict::Bury { why: "the import made no progress" },
            Err(_) => Verdict::Retry { after_seconds: 60 },
        };
    }
    // The sweep takes the lease back should this fail.
    if let Err(error) = import_jobs::release(&*app.db, lease).await {
        tracing::warn!(%error, "A lease could not be given back");
    }
    Verdict::Retry { after_seconds: 10 * u32::try_from(attempts).unwrap_or(1).max(1) }
}
