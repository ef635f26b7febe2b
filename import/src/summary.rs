//! The last words: what came of the import.

use std::fmt::Write as _;

use crate::{
    complaint::Exit,
    job::{Job, Status},
    progress::{grouped, printable},
};

/// Files that are named in the summary; the rest is counted.
const MAX_FILES: usize = 20;

pub fn exit_of(job: &Job) -> Exit {
    match job.status {
        Status::Success => Exit::Complete,
        Status::Partial => Exit::Partial,
        _ => Exit::Failed,
    }
}

pub fn of(job: &Job, url: &str) -> String {
    let head = match job.status {
        Status::Success => "Complete: every play was counted again in the database.",
        Status::Partial => "Done, but something was left out.",
        Status::Cancelled => "The import was cancelled; what was imported until then stays.",
        _ => "The import failed; what was imported until then stays.",
    };
    let mut text = head.to_owned();
    if let Some(why) = &job.error_message {
        _ = write!(text, "\n{}", printable(why));
    }
    if let Some(progress) = &job.progress {
        for (count, meaning) in [
            (progress.rows_read, "rows read"),
            (progress.inserted, "plays added"),
            (progress.merged, "plays completed that another source had told of"),
            (progress.duplicate, "plays that were there already"),
            (progress.skipped, "rows that are no play"),
            (progress.rejected, "rows that could not be read"),
        ] {
            if count > 0 || meaning == "rows read" {
                _ = write!(text, "\n{:>12}  {meaning}", grouped(count));
            }
        }
        let noted: Vec<_> = progress.files.iter().filter(|file| file.note.is_some()).collect();
        for file in noted.iter().take(MAX_FILES) {
            let note = file.note.as_deref().unwrap_or_default();
            _ = write!(text, "\n  {}: {}", printable(&file.name), printable(note));
        }
        if noted.len() > MAX_FILES {
            _ = write!(text, "\n  and {} files more", noted.len().saturating_sub(MAX_FILES));
        }
    }
    if let (Some(earliest), Some(latest)) = (&job.earliest_played_at, &job.latest_played_at) {
        _ = write!(text, "\nThe plays are from {} to {}.", day(earliest), day(latest));
    }
    _ = write!(text, "\nAll about it: {url}/admin/import-jobs/{}", job.id);
    text
}

fn day(instant: &str) -> &str {
    instant.get(..10).unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_partial_import_says_what_was_left_out_and_where() {
        let job: Job = serde_json::from_value(json!({
            "id": 3, "status": "partial", "error_message": "a.json: The file is cut off.",
            "earliest_played_at": "2019-01-02T03:04:05Z", "latest_played_at": "2024-12-31T00:00:00Z",
            "progress": {"rows_read": 1_200, "inserted": 1_000, "rejected": 200,
                "files": [{"name": "a\u{7}.json", "status": "incomplete", "note": "The file is cut off."}, {"name": "b.json"}]}
        }))
        .unwrap();
        assert_eq!(exit_of(&job), Exit::Partial);
        let text = of(&job, "https://l.example");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "Done, but something was left out.");
        assert_eq!(lines[1], "a.json: The file is cut off.");
        assert_eq!(
            lines[2..5],
            ["       1,200  rows read", "       1,000  plays added", "         200  rows that could not be read"]
        );
        assert_eq!(lines[5], "  a?.json: The file is cut off.");
        assert_eq!(lines[6], "The plays are from 2019-01-02 to 2024-12-31.");
        assert_eq!(lines[7], "All about it: https://l.example/admin/import-jobs/3");
    }

    #[test]
    fn every_way_to_end_has_its_exit() {
        for (status, exit) in [
            ("success", Exit::Complete),
            ("partial", Exit::Partial),
            ("error", Exit::Failed),
            ("cancelled", Exit::Failed),
            ("of_2031", Exit::Failed),
        ] {
            let job: Job = serde_json::from_value(json!({"id": 1, "status": status})).unwrap();
            assert_eq!(exit_of(&job), exit, "{status}");
        }
    }
}
