//! From the upload in storage to rows, one range and one chunk at a time.
//!
//! Must stay true: memory holds one chunk and one slice; a broken transfer is the run's failure and is tried again, a
//! damaged file is the file's own and is told.

use std::mem;

use futures_util::StreamExt;

use super::slices::{Room, Slices};
use crate::{
    app::App,
    error::AppError,
    export::{
        ArchiveError, ByteRange, Directory, DirectoryReader, Entry, FileError, FileHint, Format, HistoryFile, Limits,
        SkipReason, TrackIds, sniff, sniff_gzip, sniff_plain,
    },
    store::import_jobs::{ArchiveForm, FileStatus, ImportFile, ImportJob},
};

/// An upload that is ready to be read.
pub struct Reading<'a> {
    app: &'a App,
    key: &'a str,
    form: ArchiveForm,
    upload_bytes: u64,
    /// Empty for a file without an archive.
    entries: Vec<Entry>,
    limits: Limits,
    track_ids: TrackIds,
}

/// The storage's chunks are as long as it likes; this many bytes inflate to a few hundred rows.
const PIECE_BYTES: usize = 16 * 1024;

/// Why a file was left before its end.
const CAP_REACHED: &str = "the most rows that one import may have (IMPORT_MAX_RECORDS) were reached here.";

impl<'a> Reading<'a> {
    /// Reads the directory, where there is one.
    pub async fn open(app: &'a App, job: &'a ImportJob) -> Result<Self, AppError> {
        let key = job.archive_key.as_deref().unwrap_or_default();
        let upload_bytes = job.file_size_bytes.unsigned_abs();
        let entries = match job.archive_form {
            ArchiveForm::Json | ArchiveForm::JsonGz | ArchiveForm::Rows => Vec::new(),
            ArchiveForm::Zip => {
                let directory = read_directory(app, key, upload_bytes).await?;
                let unread = |_| AppError::Internal("the directory of a stored archive can no longer be read");
                directory.map_err(unread)?.entries
            }
        };
        Ok(Self {
            app,
            key,
            form: job.archive_form,
            upload_bytes,
            entries,
            limits: Limits::default(),
            track_ids: TrackIds::default(),
        })
    }

    /// Counts a file that was read before towards the archive's limit.
    pub fn pass(&mut self, inflated_bytes: u64) {
        self.limits = self.limits.after(inflated_bytes);
    }

    /// Reads a file from its cursor to its end, or to `rows_left` more rows, and settles it; unless the run has to stop
    /// before that.
    pub async fn read(&mut self, slices: &mut Slices<'_>, file: &ImportFile, rows_left: u64) -> Result<Room, AppError> {
        slices.begin_file(file);
        let (mut history, range) = match self.begin(file) {
            Ok((history, range)) => (history.after_useless(useless(file)), range),
            Err(sentence) => {
                slices.settle(file, None, FileStatus::Unreadable, Some(&sentence)).await?;
                return Ok(Room::Left);
            }
        };
        *history.track_ids() = mem::take(&mut self.track_ids);
        let outcome = self.read_rows(slices, file, range, &mut history, rows_left).await?;
        self.track_ids = mem::take(history.track_ids());
        let (status, note) = match outcome {
            Outcome::Stopped(room) => return Ok(room),
            Outcome::Whole => (FileStatus::Done, None),
            Outcome::Capped => (FileStatus::Incomplete, Some(CAP_REACHED.to_owned())),
            Outcome::Faulty(error) => (FileStatus::Incomplete, Some(error.to_string())),
        };
        self.limits = self.limits.after(history.inflated_bytes());
        slices.settle(file, history.format().map(Format::name), status, note.as_deref()).await?;
        Ok(Room::Left)
    }

    /// The reader of a file at its cursor, and where its bytes lie; or the sentence why there is none.
    fn begin(&self, file: &ImportFile) -> Result<(HistoryFile, ByteRange), String> {
        let (resume_at_row, now, id) = (file.rows_read, self.app.now(), Some(file.id));
        let whole = ByteRange { offset: 0, length: self.upload_bytes };
        match self.form {
            ArchiveForm::Json => {
                let hint = FileHint::from_name(&file.name);
                Ok((HistoryFile::plain(hint, resume_at_row, &self.limits, now, id), whole))
            }
            ArchiveForm::JsonGz => {
                let hint = FileHint::from_name(file.name.strip_suffix(".gz").unwrap_or(&file.name));
                Ok((HistoryFile::gzip(hint, resume_at_row, &self.limits, now, id), whole))
            }
            ArchiveForm::Rows => Err("The rows of this file are sent by whoever has it.".to_owned()),
            ArchiveForm::Zip => {
                let entry = self.entries.iter().find(|entry| entry.index == file.entry_index);
                let entry = entry.ok_or("The file is not in the archive.")?;
                let hint = FileHint::from_name(&entry.name);
                let history = HistoryFile::new(entry, hint, resume_at_row, &self.limits, now, id);
                Ok((history.map_err(|error| error.to_string())?, entry.range()))
            }
        }
    }

    async fn read_rows(
        &self,
        slices: &mut Slices<'_>,
        file: &ImportFile,
        range: ByteRange,
        history: &mut HistoryFile,
        rows_left: u64,
    ) -> Result<Outcome, AppError> {
        let mut chunks = self.app.archives.read(self.key, range.offset, range.length).await?;
        let last_row = file.rows_read.saturating_add(rows_left);
        let mut rows = Vec::new();
        while history.wants_more() {
            let Some(chunk) = chunks.next().await else { break };
            for piece in chunk?.chunks(PIECE_BYTES) {
                let fed = history.feed(piece, &mut rows);
                match slices.take(file, history, &mut rows, last_row).await? {
                    Room::Left => {}
                    Room::CapReached => return Ok(Outcome::Capped),
                    full => return Ok(Outcome::Stopped(full)),
                }
                if let Err(error) = fed {
                    return self.flushed(slices, file, history, rows, last_row, Outcome::Faulty(error)).await;
                }
            }
        }
        let end = match history.finish(&mut rows) {
            Err(error) => Outcome::Faulty(error),
            Ok(end) => end.note.map_or(Outcome::Whole, Outcome::Faulty),
        };
        self.flushed(slices, file, history, rows, last_row, end).await
    }

    /// Settles the last rows; `outcome` is what comes of the file if all of them had room.
    async fn flushed(
        &self,
        slices: &mut Slices<'_>,
        file: &ImportFile,
        history: &HistoryFile,
        mut rows: Vec<crate::export::Row>,
        last_row: u64,
        outcome: Outcome,
    ) -> Result<Outcome, AppError> {
        Ok(match slices.flush(file, history, &mut rows, last_row).await? {
            Room::Left => outcome,
            Room::CapReached => Outcome::Capped,
            full => Outcome::Stopped(full),
        })
    }
}

/// Rows of a file so far that the export itself had no use for. Left-out private sessions are plays.
fn useless(file: &ImportFile) -> u64 {
    let left_out = file.counts_by_reason().get(SkipReason::Incognito.as_str()).copied().unwrap_or(0);
    (file.skipped + file.rejected).saturating_sub(left_out)
}

enum Outcome {
    Whole,
    Capped,
    Faulty(FileError),
    /// Another run goes on at the cursor.
    Stopped(Room),
}

/// Reads an archive's directory. The inner error is the archive's own fault.
pub async fn read_directory(
    app: &App,
    key: &str,
    archive_bytes: u64,
) -> Result<Result<Directory, ArchiveError>, AppError> {
    let mut reader = match DirectoryReader::new(archive_bytes, &Limits::default()) {
        Ok(reader) => reader,
        Err(error) => return Ok(Err(error)),
    };
    while let Some(range) = reader.wants() {
        let bytes = read_range(app, key, range).await?;
        match reader.feed(&bytes) {
            Ok(Some(directory)) => return Ok(Ok(directory)),
            Ok(None) => {}
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Err(ArchiveError::Truncated))
}

async fn read_range(app: &App, key: &str, range: ByteRange) -> Result<Vec<u8>, AppError> {
    let mut bytes = Vec::new();
    let mut chunks = app.archives.read(key, range.offset, range.length).await?;
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

/// Bytes of a file that are looked at to tell whether it is history.
const SNIFFED_BYTES: u64 = 16 * 1024;

fn is_history(sniffed: Result<Option<Format>, FileError>) -> bool {
    matches!(sniffed, Ok(Some(Format::Extended | Format::Account)))
}

/// Whether a file of an archive begins like history.
pub async fn sniffs_of_history(app: &App, key: &str, entry: &Entry) -> Result<bool, AppError> {
    let range = entry.range();
    let range = ByteRange { length: range.length.min(SNIFFED_BYTES), ..range };
    Ok(is_history(sniff(entry, &read_range(app, key, range).await?)))
}

/// Whether a file without an archive begins like history.
pub async fn begins_like_history(app: &App, key: &str, form: ArchiveForm, upload_bytes: u64) -> Result<bool, AppError> {
    let range = ByteRange { offset: 0, length: upload_bytes.min(SNIFFED_BYTES) };
    let bytes = read_range(app, key, range).await?;
    Ok(is_history(if form == ArchiveForm::JsonGz { sniff_gzip(&bytes) } else { sniff_plain(&bytes) }))
}
