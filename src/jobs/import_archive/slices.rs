//! The slices of one run: cut to size, settled under the lease, and stopped in time.
//!
//! Must stay true: a run ends before the platform ends it: by rows, by files and by queries, and before the rows that
//! may be written on one day are used up.

use std::collections::HashSet;

use super::slice::{Destination, Slice};
use crate::{
    app::App,
    domain::ids::TrackId,
    error::AppError,
    export::{Format, HistoryFile, Row},
    store::{
        Usage,
        import_jobs::{self, FileStatus, ImportFile, ImportJob, Lease},
    },
};

/// Rows that one run takes before it sends the next message, so that no run comes near the platform's limits.
const ROWS_PER_RUN: u64 = 250_000;
/// Files that one run opens: each costs a request to the storage, whatever is in it.
const FILES_PER_RUN: u64 = 200;
/// What a slice may take: pages of stored plays, names of tracks, and its batch, all in pieces.
const QUERIES_PER_SLICE: u64 = 24;
/// Tracks remembered as stored; beyond this they are written again, which changes nothing.
const MAX_STORED_TRACKS: usize = 100_000;

/// Whether a run may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    Left,
    /// The file may not go on: the import has as many rows as one may have.
    CapReached,
    /// Another run goes on here.
    RunIsFull,
    /// Nothing more may be written on this day.
    DayIsFull,
}

/// The writing end of one run.
pub struct Slices<'a> {
    app: &'a App,
    job: &'a ImportJob,
    lease: Lease,
    /// Tracks that this run knows to be stored with all that an export can say of them.
    stored_tracks: HashSet<TrackId>,
    rows_in_run: u64,
    files_in_run: u64,
    /// Of the file that is being read.
    rejected_before: u64,
    usage_before: Usage,
    rows_written_told: u64,
    /// Of all runs: what the job's row says.
    job_rows_written: u64,
    /// Rows that may still be written today.
    rows_left_today: u64,
}

impl<'a> Slices<'a> {
    pub fn new(app: &'a App, job: &'a ImportJob, lease: Lease, rows_left_today: u64) -> Self {
        let usage_before = app.db.usage();
        Self {
            app,
            job,
            lease,
            stored_tracks: HashSet::new(),
            rows_in_run: 0,
            files_in_run: 0,
            rejected_before: 0,
            usage_before,
            rows_written_told: usage_before.rows_written,
            job_rows_written: job.rows_written.unsigned_abs(),
            rows_left_today,
        }
    }

    /// Rows taken in this run.
    pub const fn rows_in_run(&self) -> u64 {
        self.rows_in_run
    }

    /// A file is opened.
    pub const fn begin_file(&mut self, file: &ImportFile) {
        self.files_in_run += 1;
        self.rejected_before = file.rejected;
    }

    /// Whether the run may go on.
    pub fn room(&self) -> Room {
        let limits = &self.app.config.import_limits;
        let usage = self.app.db.usage();
        let queries = usage.queries - self.usage_before.queries + QUERIES_PER_SLICE;
        let written = usage.rows_written - self.usage_before.rows_written;
        // Nearly each row of a slice may be one written, and its tracks come on top.
        if written.saturating_add(2 * limits.slice_rows) > self.rows_left_today {
            Room::DayIsFull
        } else if self.rows_in_run >= ROWS_PER_RUN
            || self.files_in_run >= FILES_PER_RUN
            || (queries > limits.queries_per_run && self.files_in_run > 0)
        {
            Room::RunIsFull
        } else {
            Room::Left
        }
    }

    /// Settles whole slices of `rows`, but none after `last_row`; the rest stays.
    pub async fn take(
        &mut self,
        file: &ImportFile,
        history: &HistoryFile,
        rows: &mut Vec<Row>,
        last_row: u64,
    ) -> Result<Room, AppError> {
        if history.rows_read() >= last_row {
            return self.flush(file, history, rows, last_row).await;
        }
        self.settle_front(file, history, rows, history.rows_read(), self.slice_rows()).await
    }

    /// Settles all of `rows`, but none after `last_row`, and as long as there is room.
    pub async fn flush(
        &mut self,
        file: &ImportFile,
        history: &HistoryFile,
        rows: &mut Vec<Row>,
        last_row: u64,
    ) -> Result<Room, AppError> {
        let excess = history.rows_read().saturating_sub(last_row);
        rows.truncate(rows.len().saturating_sub(usize::try_from(excess).unwrap_or(usize::MAX)));
        match self.settle_front(file, history, rows, history.rows_read() - excess, 1).await? {
            Room::Left if excess > 0 => Ok(Room::CapReached),
            room => Ok(room),
        }
    }

    fn slice_rows(&self) -> usize {
        usize::try_from(self.app.config.import_limits.slice_rows).unwrap_or(usize::MAX)
    }

    /// Settles slices off the front of `rows`, the last of which has the number before `end_row`, while `least` of them are
    /// left and there is room.
    async fn settle_front(
        &mut self,
        file: &ImportFile,
        history: &HistoryFile,
        rows: &mut Vec<Row>,
        end_row: u64,
        least: usize,
    ) -> Result<Room, AppError> {
        while rows.len() >= least {
            match self.room() {
                Room::Left => {}
                full => return Ok(full),
            }
            let mut slice = Slice::new(end_row - rows.len() as u64, self.job.leave_out_incognito);
            for row in rows.drain(..self.slice_rows().min(rows.len())) {
                slice.add(row);
            }
            slice.ends_at_byte(history.inflated_bytes());
            self.settle_slice(file, history.format().map(Format::name), &slice).await?;
            self.app.breathe().await;
        }
        Ok(Room::Left)
    }

    async fn settle_slice(
        &mut self,
        file: &ImportFile,
        format: Option<&'static str>,
        slice: &Slice,
    ) -> Result<(), AppError> {
        let destination = Destination {
            user: self.job.user_id,
            job: self.job.id,
            file: file.id,
            format,
            rejected_before: self.rejected_before,
        };
        let rows_written = self.app.db.usage().rows_written;
        let untold = rows_written.saturating_sub(self.rows_written_told);
        slice.settle(self.app, destination, &self.stored_tracks, untold, self.lease.guard()).await?;
        self.rows_written_told = rows_written;
        self.job_rows_written += untold;
        self.rejected_before += slice.rejected();
        self.rows_in_run += slice.rows();
        if self.stored_tracks.len() > MAX_STORED_TRACKS {
            self.stored_tracks.clear();
        }
        self.stored_tracks.extend(slice.complete_tracks());
        Ok(())
    }

    /// Tells the job of what its last slice wrote: a slice cannot tell of itself, and the next run's are the next to tell.
    pub async fn tell_rest(&mut self) -> Result<(), AppError> {
        let rows_written = self.app.db.usage().rows_written;
        let rest = rows_written.saturating_sub(self.rows_written_told);
        if rest == 0 {
            return Ok(());
        }
        let told = import_jobs::tell_written(self.job.id, self.job_rows_written, rest, self.app.now());
        self.app.db.batch(vec![self.lease.guard(), told]).await?;
        (self.rows_written_told, self.job_rows_written) = (rows_written, self.job_rows_written + rest);
        Ok(())
    }

    /// Ends a file.
    pub async fn settle(
        &mut self,
        file: &ImportFile,
        format: Option<&'static str>,
        status: FileStatus,
        note: Option<&str>,
    ) -> Result<(), AppError> {
        let statement = import_jobs::settle_file(file.id, format, status, note);
        Ok(self.app.db.batch(vec![self.lease.guard(), statement]).await.map(drop)?)
    }
}
