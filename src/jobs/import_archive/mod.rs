//! Imports an upload: reads it file by file, takes its plays up slice by slice, recounts, finishes.
//!
//! Must stay true:
//! * a slice's plays, counters and cursor are one batch, under the lease, and only if the user's plays are still as they
//!   were seen: whatever dies in between, the next worker goes on at the cursor and ends in the same plays;
//! * `success` is said only after the stored plays were counted again;
//! * nothing of one file's faults touches another file.

mod ending;
#[cfg(test)]
mod properties;
mod reading;
pub mod slice;
mod slices;
#[cfg(test)]
mod tests;

pub use self::{
    ending::finish,
    reading::{begins_like_history, read_directory, sniffs_of_history},
};
use self::{
    reading::Reading,
    slices::{Room, Slices},
};
use super::{Verdict, message::JobMessage};
use crate::{
    app::{App, StorageError},
    domain::{
        ids::ImportJobId,
        instant::{DAY_MS, MINUTE_MS, Millis},
    },
    error::AppError,
    store::{
        StoreError,
        import_jobs::{self, Claimed, JobStatus, Lease},
    },
};

/// Runs without any progress before a job is given up, whether they failed or were never heard of again.
const MAX_ATTEMPTS: i64 = 5;

/// Works on a job, if nobody else does, and logs what that cost.
pub async fn run(app: &App, id: ImportJobId) -> Verdict {
    // Everything an import writes may be repeated: its batches assert what they change.
    let app = &app.repeating();
    let before = app.db.usage();
    let verdict = attempt(app, id).await;
    let after = app.db.usage();
    tracing::info!(
        import_job_id = id.0,
        calls = after.calls - before.calls,
        queries = after.queries - before.queries,
        rows_read = after.rows_read - before.rows_read,
        rows_written = after.rows_written - before.rows_written,
        "An import run ended"
    );
    verdict
}

async fn attempt(app: &App, id: ImportJobId) -> Verdict {
    let claimed = match import_jobs::claim(&*app.db, id, &app.clock.random_hex(), app.now()).await {
        Ok(Some(claimed)) => claimed,
        // Done, unknown, paused, or another's: the message has done its duty.
        Ok(None) => return Verdict::Done,
        Err(error) => {
            tracing::error!(import_job_id = id.0, %error, "An import could not be claimed");
            return Verdict::Retry { after_seconds: 10 };
        }
    };
    let lease = claimed.lease.clone();
    let (user, attempts) = (claimed.job.user_id, claimed.job.attempts);
    if attempts > MAX_ATTEMPTS {
        tracing::error!(
            import_job_id = id.0,
            user_id = user.0,
            attempts,
            "An import's workers fell silent, one after the other"
        );
        return give_back(app, &lease, attempts).await;
    }
    match work(app, claimed).await {
        Ok(Ended::Finished) => Verdict::Done,
        Ok(Ended::ToBeContinued) => {
            if let Err(error) = go_on(app, id, &lease).await {
                tracing::error!(import_job_id = id.0, %error, "An import could not be passed on; the sweep will");
            }
            Verdict::Done
        }
        Ok(Ended::DayIsFull) => {
            let limit = app.config.import_limits.rows_written_per_day.unwrap_or_default();
            let reason = format!("As many rows were written today as IMPORT_ROWS_PER_DAY allows ({limit}).");
            pause(app, &lease, &reason).await
        }
        Err(AppError::Store(StoreError::AssertionFailed)) => step_back(app, &lease).await,
        Err(AppError::Store(StoreError::DayIsFull(_))) => {
            pause(app, &lease, "The database takes no more rows on this day: the limit of its plan is reached.").await
        }
        Err(error) => {
            tracing::error!(import_job_id = id.0, user_id = user.0, attempts, %error, "An import run failed");
            give_back(app, &lease, attempts).await
        }
    }
}

enum Ended {
    Finished,
    ToBeContinued,
    DayIsFull,
}

async fn work(app: &App, claimed: Claimed) -> Result<Ended, AppError> {
    let Claimed { job, mut files, lease } = claimed;
    if files.iter().any(|file| !file.status.is_settled()) {
        let mut slices = Slices::new(app, &job, lease.clone(), rows_left_today(app).await?);
        let rows_before: u64 = files.iter().map(|file| file.rows_read).sum();
        let mut reading = match Reading::open(app, &job).await {
            Ok(reading) => reading,
            Err(AppError::Archive(StorageError::Missing)) => {
                let sentence = "The uploaded archive is no longer there; upload it again.";
                give_up(app, &lease, sentence, false).await?;
                return Ok(Ended::Finished);
            }
            Err(error) => return Err(error),
        };
        let mut end = Room::Left;
        for file in &mut files {
            if file.status.is_settled() {
                reading.pass(file.bytes_read);
                continue;
            }
            let left = app.config.import_max_records.saturating_sub(rows_before + slices.rows_in_run());
            let mut room = slices.room();
            if room == Room::Left {
                room = reading.read(&mut slices, file, left).await?;
            }
            if matches!(room, Room::RunIsFull | Room::DayIsFull) {
                end = room;
                break;
            }
        }
        slices.tell_rest().await?;
        match end {
            Room::Left | Room::CapReached => {}
            Room::RunIsFull => return Ok(Ended::ToBeContinued),
            Room::DayIsFull => return Ok(Ended::DayIsFull),
        }
    }
    finish(app, job.id, lease.guard()).await?;
    Ok(Ended::Finished)
}

/// Rows that imports may still write on this UTC day.
async fn rows_left_today(app: &App) -> Result<u64, StoreError> {
    let Some(limit) = app.config.import_limits.rows_written_per_day else { return Ok(u64::MAX) };
    let written = import_jobs::written_on(&*app.db, app.now()).await?;
    Ok(limit.saturating_sub(written))
}

async fn go_on(app: &App, id: ImportJobId, lease: &Lease) -> Result<(), AppError> {
    import_jobs::hand_on(&*app.db, lease).await?;
    app.queue.send(&JobMessage::ImportArchive { import_job_id: id }).await?;
    Ok(())
}

/// Leaves the job alone until the next UTC day; the sweep takes it up again by itself.
async fn pause(app: &App, lease: &Lease, reason: &str) -> Verdict {
    let now = app.now();
    let midnight = Millis((now.0.div_euclid(DAY_MS) + 1) * DAY_MS);
    let resume_at = midnight.plus_ms(MINUTE_MS);
    match import_jobs::pause(&*app.db, lease, resume_at, reason).await {
        Ok(()) => tracing::warn!(import_job_id = lease.job.0, reason, "An import is paused until midnight UTC"),
        // A database that takes no rows cannot keep this one either. The lease runs out, and the sweep goes on trying.
        Err(error) => tracing::error!(import_job_id = lease.job.0, %error, reason, "An import stands still"),
    }
    Verdict::Done
}

/// What a failed assertion means: the job is to be cancelled, or somebody else works on it, or a batch of our own was
/// written although its answer was lost.
async fn step_back(app: &App, lease: &Lease) -> Verdict {
    let outcome = async {
        if import_jobs::cancel_where_asked(&*app.db, lease, app.now()).await? {
            tracing::info!(import_job_id = lease.job.0, "An import was cancelled");
            return Ok(Verdict::Done);
        }
        if import_jobs::release(&*app.db, lease).await? {
            return Ok(Verdict::Retry { after_seconds: 1 });
        }
        tracing::warn!(import_job_id = lease.job.0, "An import went over to another worker");
        Ok::<_, StoreError>(Verdict::Done)
    };
    outcome.await.unwrap_or_else(|error| {
        tracing::error!(import_job_id = lease.job.0, %error, "An import could not be given back; the sweep will");
        Verdict::Done
    })
}

async fn give_back(app: &App, lease: &Lease, attempts: i64) -> Verdict {
    if attempts >= MAX_ATTEMPTS {
        let sentence = "The import failed several times at the same place and was given up; what was imported stays. \
            It can be tried again from there within a day.";
        return match give_up(app, lease, sentence, true).await {
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

async fn give_up(app: &App, lease: &Lease, sentence: &str, keeps_archive: bool) -> Result<(), StoreError> {
    let mut statements = vec![lease.guard()];
    statements.extend(import_jobs::finish(lease.job, JobStatus::Error, Some(sentence), keeps_archive, app.now()));
    app.db.batch(statements).await.map(drop)
}
