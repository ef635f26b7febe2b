//! How an import ends: counted again, and told in one sentence.
//!
//! Must stay true: `success` is said only after the stored plays of every file were counted again, the counters were found
//! to add up, and nothing that should have given plays gave none.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::App,
    domain::ids::ImportJobId,
    error::AppError,
    export::{FileHint, Format},
    store::{
        Statement,
        import_jobs::{self, FileStatus, ImportFile, JobStatus},
    },
};

/// Counts the stored plays again, lets go of the archive, and says how it went. `guard` is what the right to end the
/// job rests on.
///
/// # Errors
/// An assertion that failed: the guard no longer holds, and the job goes on elsewhere or was cancelled.
pub async fn finish(app: &App, id: ImportJobId, guard: Statement) -> Result<(), AppError> {
    let Some((job, files)) = import_jobs::find(&*app.db, id).await? else { return Ok(()) };
    let mut found: BTreeMap<i64, u64> = BTreeMap::new();
    for (file, count) in import_jobs::recount(&*app.db, job.user_id, &files).await? {
        *found.entry(file.0).or_default() += count;
    }
    let is_wrong = |file: &&ImportFile| {
        let stored = found.get(&file.id.0).copied().unwrap_or(0);
        stored != file.inserted + file.merged || !file.adds_up()
    };
    let wrong: BTreeSet<i64> = files.iter().filter(is_wrong).map(|file| file.id.0).collect();
    let (status, sentence) = verdict(&files, &wrong);
    let mut statements = vec![guard];
    statements.extend(import_jobs::finish(id, status, sentence.as_deref(), false, app.now()));
    app.db.batch(statements).await?;
    // Only now: one that is cancelled at this very moment keeps its archive for a retry.
    if let Some(key) = &job.archive_key
        && let Err(error) = app.archives.delete(key).await
    {
        tracing::warn!(import_job_id = id.0, %error, "An archive could not be deleted; the hourly tick will");
    }
    let sum = |of: fn(&ImportFile) -> u64| files.iter().map(of).sum::<u64>();
    tracing::info!(
        import_job_id = id.0,
        user_id = job.user_id.0,
        status = status.as_str(),
        rows_read = sum(|file| file.rows_read),
        inserted = sum(|file| file.inserted),
        merged = sum(|file| file.merged),
        duplicate = sum(|file| file.duplicate),
        skipped = sum(|file| file.skipped),
        rejected = sum(|file| file.rejected),
        "An import is done"
    );
    Ok(())
}

/// Files told by name in a sentence; a hostile archive has thousands.
const MAX_TOLD_FILES: usize = 20;

/// How a job ends, from how its files ended. `wrong` are the files whose plays or counters were not found again.
fn verdict(files: &[ImportFile], wrong: &BTreeSet<i64>) -> (JobStatus, Option<String>) {
    if !wrong.is_empty() {
        let names = files.iter().filter(|file| wrong.contains(&file.id.0)).map(|file| file.name.clone());
        let names = told(names.collect(), ", ");
        return (JobStatus::Error, Some(format!("Not all plays were found again after the import: {names}.")));
    }
    let faults: Vec<String> =
        files.iter().filter_map(|file| Some(format!("{}: {}", file.name, fault(file)?))).collect();
    let has_plays = files.iter().any(|file| file.plays() > 0);
    let is_history = |file: &ImportFile| matches!(file.format.as_deref(), Some("extended" | "account"));
    let has_history = files.iter().any(is_history);
    let left_out = files.iter().map(|file| file.skipped).sum::<u64>();
    match (has_plays, faults.is_empty()) {
        (true, true) => (JobStatus::Success, None),
        (true, false) => (JobStatus::Partial, Some(told(faults, " "))),
        (false, false) => (JobStatus::Error, Some(told(faults, " "))),
        // Everything that could be read was of a kind that is not kept, as was asked for.
        (false, true) if has_history && left_out > 0 => (JobStatus::Success, None),
        (false, true) => {
            let sentence = "The archive holds no listening history: no file in it has the rows of Spotify's export.";
            (JobStatus::Error, Some(sentence.to_owned()))
        }
    }
}

/// What is to be said of a file that did not give all it should have given.
fn fault(file: &ImportFile) -> Option<String> {
    if matches!(file.status, FileStatus::Incomplete | FileStatus::Unreadable) {
        return Some(file.note.clone().unwrap_or_else(|| "not read to its end.".to_owned()));
    }
    let is_named_history = FileHint::from_name(file.name.strip_suffix(".gz").unwrap_or(&file.name)).is_history();
    if is_named_history && file.format.as_deref() == Some(Format::NotHistory.name()) {
        return Some("The file is named like a streaming history and holds none.".to_owned());
    }
    (file.rejected > 0 && file.plays() == 0 && file.skipped == 0)
        .then(|| format!("None of its {} rows could be read; see the rejects.", file.rows_read))
}

fn told(mut sentences: Vec<String>, separator: &str) -> String {
    let more = sentences.len().saturating_sub(MAX_TOLD_FILES);
    sentences.truncate(MAX_TOLD_FILES);
    let told = sentences.join(separator);
    if more > 0 { format!("{told}{separator}And {more} files more.") } else { told }
}
