//! From the archive in storage to rows, one range and one chunk at a time.
//!
//! Must stay true: memory holds one chunk and one slice; a broken transfer is the run's failure and is tried again, a
//! damaged file is the file's own and is told.

use futures_util::StreamExt;

use super::slices::Slices;
use crate::{
    app::App,
    domain::instant::Millis,
    error::AppError,
    export::{Directory, DirectoryReader, Entry, FileError, FileHint, Format, HistoryFile, Limits, sniff},
    store::import_jobs::{FileStatus, ImportFile},
};

/// An archive whose directory has been read.
pub struct Reading<'a> {
    app: &'a App,
    key: &'a str,
    entries: Vec<Entry>,
    limits: Limits,
}

/// Why a file was left before its end.
const CAP_REACHED: &str = "the most rows that one import may have (IMPORT_MAX_RECORDS) were reached here.";

impl<'a> Reading<'a> {
    /// Reads the directory.
    pub async fn open(app: &'a App, key: &'a str, archive_bytes: u64) -> Result<Self, AppError> {
        let directory = read_directory(app, key, archive_bytes)
            .await?
            .map_err(|_| AppError::Internal("the directory of a stored archive can no longer be read"))?;
        Ok(Self { app, key, entries: directory.entries, limits: Limits::default() })
    }

    /// Counts a file that was read before towards the archive's limit.
    pub fn pass(&mut self, inflated_bytes: u64) {
        self.limits = self.limits.after(inflated_bytes);
    }

    /// Reads a file from its cursor to its end, or to `rows_left` more rows, and settles it.
    pub async fn read(&mut self, slices: &mut Slices<'_>, file: &ImportFile, rows_left: u64) -> Result<(), AppError> {
        let Some(entry) = self.entries.iter().find(|entry| entry.index == file.entry_index) else {
            return slices.settle(file, None, FileStatus::Unreadable, Some("The file is not in the archive.")).await;
        };
        let hint = FileHint::from_name(&entry.name);
        let mut history = match HistoryFile::new(entry, hint, file.rows_read, &self.limits, self.now(), Some(file.id)) {
            Ok(history) => history,
            Err(error) => {
                return slices.settle(file, None, FileStatus::Unreadable, Some(&error.to_string())).await;
            }
        };
        let outcome = self.read_rows(slices, file, entry, &mut history, rows_left).await?;
        let (status, note) = match outcome {
            Outcome::Whole => (FileStatus::Done, None),
            Outcome::Capped => (FileStatus::Incomplete, Some(CAP_REACHED.to_owned())),
            Outcome::Faulty(error) => (FileStatus::Incomplete, Some(error.to_string())),
        };
        self.limits = self.limits.after(history.inflated_bytes());
        slices.settle(file, history.format().map(Format::name), status, note.as_deref()).await
    }

    async fn read_rows(
        &self,
        slices: &mut Slices<'_>,
        file: &ImportFile,
        entry: &Entry,
        history: &mut HistoryFile,
        rows_left: u64,
    ) -> Result<Outcome, AppError> {
        let range = entry.range();
        let mut chunks = self.app.archives.read(self.key, range.offset, range.length).await?;
        let last_row = file.rows_read.saturating_add(rows_left);
        let mut rows = Vec::new();
        while history.wants_more() {
            let Some(chunk) = chunks.next().await else { break };
            let fed = history.feed(&chunk?, &mut rows);
            let has_room = slices.take(file, history, &mut rows, last_row).await?;
            match fed {
                _ if !has_room => return Ok(Outcome::Capped),
                Ok(()) => {}
                Err(error) => {
                    slices.flush(file, history, &mut rows, last_row).await?;
                    return Ok(Outcome::Faulty(error));
                }
            }
        }
        let end = history.finish(&mut rows);
        if !slices.flush(file, history, &mut rows, last_row).await? {
            return Ok(Outcome::Capped);
        }
        Ok(match end {
            Err(error) => Outcome::Faulty(error),
            Ok(end) => end.note.map_or(Outcome::Whole, Outcome::Faulty),
        })
    }

    fn now(&self) -> Millis {
        self.app.now()
    }
}

enum Outcome {
    Whole,
    Capped,
    Faulty(FileError),
}

/// Reads an archive's directory. The inner error is the archive's own fault.
pub async fn read_directory(
    app: &App,
    key: &str,
    archive_bytes: u64,
) -> Result<Result<Directory, crate::export::ArchiveError>, AppError> {
    let mut reader = match DirectoryReader::new(archive_bytes, &Limits::default()) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(range) = reader.wants() {
        let mut bytes = Vec::new();
        let mut chunks = app.archives.read(key, range.offset, range.length).await?;
        while let Some(chunk) = chunks.next().await {
            bytes.extend_from_slice(&chunk?);
        }
        match reader.feed(&bytes) {
            Ok(Some(directory)) => return Ok(Ok(directory)),
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(crate::export::ArchiveError::Truncated))
}

/// Bytes of a file that are looked at to tell whether it is history.
const SNIFFED_BYTES: u64 = 16 * 1024;

/// Whether a file begins like history.
pub async fn sniffs_of_history(app: &App, key: &str, entry: &Entry) -> Result<bool, AppError> {
    let range = entry.range();
    let mut bytes = Vec::new();
    let mut chunks = app.archives.read(key, range.offset, range.length.min(SNIFFED_BYTES)).await?;
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(matches!(sniff(entry, &bytes), Ok(Some(Format::Extended | Format::Account))))
}
