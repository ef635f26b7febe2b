//! An import as its page shows it.
//!
//! Must stay true: the figures are those of the rows, whatever the state: an import that was cancelled half way says how
//! far it came.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    domain::{
        ids::{ImportJobId, UserId},
        instant::Millis,
        matching::EndDistances,
    },
    export::{Format, SkipReason},
    store::import_jobs::{ArchiveForm, FileStatus, ImportFile, ImportJob, JobStatus},
};

/// A job as its page shows it.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct JobView {
    id: ImportJobId,
    user_id: UserId,
    status: JobStatus,
    /// How it went, or goes, in one sentence.
    message: String,
    filename: Option<String>,
    file_size_bytes: i64,
    archive_form: ArchiveForm,
    /// SHA-256 of the upload, in hexadecimal.
    archive_sha256: Option<String>,
    /// Whether rows of private sessions are left out.
    leaves_out_incognito: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<Progress>,
    rows_written: i64,
    earliest_played_at: Option<Millis>,
    latest_played_at: Option<Millis>,
    created_at: Millis,
    started_at: Option<Millis>,
    updated_at: Millis,
    completed_at: Option<Millis>,
    /// It stops at its next slice.
    cancel_requested: bool,
    /// It waits until then, and goes on by itself.
    paused_until: Option<Millis>,
    pause_reason: Option<String>,
    error_message: Option<String>,
    /// Plays by how far the end that the API stated lies from the export's, where this import joined the two.
    end_distances: EndDistances,
}

/// Sums over the files of a job, and how fast it goes.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    skipped_by_reason: BTreeMap<String, u64>,
    rejected_by_reason: BTreeMap<String, u64>,
    files: Vec<FileView>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    skipped_by_reason: BTreeMap<String, u64>,
    rejected_by_reason: BTreeMap<String, u64>,
    /// Rows that are settled: a retry goes on after them.
    cursor: u64,
}

pub fn view(job: ImportJob, files: Option<Vec<ImportFile>>, now: Millis) -> JobView {
    let progress = files.map(|files| progress(&job, files, now));
    let message = message(&job, progress.as_ref(), now);
    JobView {
        id: job.id,
        user_id: job.user_id,
        status: job.status,
        message,
        end_distances: job.end_distances(),
        file_size_bytes: job.file_size_bytes,
        archive_form: job.archive_form,
        leaves_out_incognito: job.leave_out_incognito,
        progress,
        rows_written: job.rows_written,
        earliest_played_at: job.earliest_played_at,
        latest_played_at: job.latest_played_at,
        created_at: job.created_at,
        started_at: job.started_at,
        updated_at: job.updated_at,
        completed_at: job.completed_at,
        cancel_requested: job.cancel_requested && job.completed_at.is_none(),
        paused_until: paused_until(&job, now),
        pause_reason: job.pause_reason,
        error_message: job.error_message,
        archive_sha256: job.archive_sha256,
        filename: job.filename,
    }
}

fn paused_until(job: &ImportJob, now: Millis) -> Option<Millis> {
    job.resume_at.filter(|at| job.completed_at.is_none() && *at > now)
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
    let is_whole = files.iter().all(|file| file.status.is_settled());
    let share = if is_whole { 1.0 } else { done_bytes as f64 / total_bytes.max(1) as f64 };
    let until = job.completed_at.unwrap_or(now);
    let seconds = job.started_at.map(|started_at| until.since_ms(started_at) as f64 / 1_000.0).filter(|s| *s > 0.0);
    let rows_read = sum(|file| file.rows_read);
    let of_format = |name: &str| files.iter().any(|file| file.format.as_deref() == Some(name));
    let running = |file: &&ImportFile| file.status == FileStatus::Running && !is_final;
    let mut by_reason: BTreeMap<String, u64> = BTreeMap::new();
    for (reason, count) in files.iter().flat_map(ImportFile::counts_by_reason) {
        *by_reason.entry(reason).or_default() += count;
    }
    let (skipped_by_reason, rejected_by_reason) = by_kind(by_reason);
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
        skipped_by_reason,
        rejected_by_reason,
        files: files.into_iter().map(file_view).collect(),
    }
}

/// Counts of rows that were skipped, and of those that were refused.
fn by_kind(by_reason: BTreeMap<String, u64>) -> (BTreeMap<String, u64>, BTreeMap<String, u64>) {
    by_reason.into_iter().partition(|(reason, _)| SkipReason::ALL.iter().any(|skip| skip.as_str() == reason))
}

fn file_view(file: ImportFile) -> FileView {
    let (skipped_by_reason, rejected_by_reason) = by_kind(file.counts_by_reason());
    FileView {
        skipped_by_reason,
        rejected_by_reason,
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

fn message(job: &ImportJob, progress: Option<&Progress>, now: Millis) -> String {
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
        JobStatus::Pending | JobStatus::Running if let Some(until) = paused_until(job, now) => {
            let (reason, until) = (job.pause_reason.as_deref().unwrap_or_default(), until.to_rfc3339());
            format!("The import is paused until {until}, and goes on by itself then. {reason} {counts}")
        }
        JobStatus::Pending => "The import waits for its turn.".to_owned(),
        JobStatus::Running if job.cancel_requested => format!("The import stops at its next slice. {counts}"),
        JobStatus::Running => format!("The import is running. {counts}"),
        JobStatus::Success => format!("The import is complete and was counted again. {counts}"),
        JobStatus::Partial => {
            format!("The import is done, but something was left out; see error_message and the files. {counts}")
        }
        JobStatus::Error => format!("The import failed; see error_message. {counts}"),
        JobStatus::Cancelled => {
            format!("The import was cancelled. What is in stays; a retry within a day goes on from there. {counts}")
        }
    };
    sentence.trim_end().to_owned()
}
