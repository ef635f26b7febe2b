//! A stretch of rows of one file, settled together.
//!
//! Must stay true: one batch a slice, so that its plays, its counters, its refused rows and the cursor are true together;
//! a slice is taken only where the file's cursor stands at its beginning, so none is taken twice.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    ops::AddAssign,
    sync::Arc,
};

use crate::{
    app::App,
    domain::{
        ids::{ImportFileId, ImportJobId, TrackId, UserId},
        observation::Observation,
        track::TrackFacts,
    },
    error::AppError,
    export::{ExportedPlay, MAX_KEPT_REJECTS, Row, SkipReason},
    jobs::take_up::{TakeUp, TakenUp, take_up},
    store::{
        Statement, assert_that,
        import_jobs::{KeptReject, Progress, insert_rejects},
    },
};

/// Where a slice belongs.
#[derive(Clone, Copy)]
pub struct Destination {
    pub user: UserId,
    pub job: ImportJobId,
    pub file: ImportFileId,
    pub format: Option<&'static str>,
    /// Rows of this file that were refused before.
    pub rejected_before: u64,
}

/// Rows to be settled together, sorted out.
pub struct Slice {
    leaves_out_incognito: bool,
    first_row: u64,
    rows: u64,
    observations: Vec<Observation>,
    tracks: HashMap<TrackId, Arc<TrackFacts>>,
    progress: Progress,
    rejects: Vec<KeptReject>,
}

impl Slice {
    /// A slice whose first row has this number in its file.
    pub fn new(first_row: u64, leaves_out_incognito: bool) -> Self {
        Self {
            leaves_out_incognito,
            first_row,
            rows: 0,
            observations: Vec::new(),
            tracks: HashMap::new(),
            progress: Progress::default(),
            rejects: Vec::new(),
        }
    }

    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// Rows of it that were refused.
    pub const fn rejected(&self) -> u64 {
        self.progress.rejected
    }

    /// How much of the inflated file has been read at its end.
    pub const fn ends_at_byte(&mut self, bytes_read: u64) {
        self.progress.bytes_read = bytes_read;
    }

    pub fn add(&mut self, row: Row) {
        let row_index = self.first_row + self.rows;
        self.rows += 1;
        match row {
            Row::Play(play) if self.leaves_out_incognito && play.observation.details.incognito => {
                self.skip(SkipReason::Incognito);
            }
            Row::Play(play) => self.add_play(play),
            Row::Skipped(reason) => self.skip(reason),
            Row::Rejected(reject) => {
                let reason = reject.reason.as_str();
                self.progress.rejected += 1;
                count(&mut self.progress.reasons, reason);
                if reject.excerpt.is_some() {
                    self.rejects.push(KeptReject { row_index, reason, excerpt: reject.excerpt });
                }
            }
        }
    }

    fn add_play(&mut self, ExportedPlay { observation, track }: ExportedPlay) {
        let (at, progress) = (observation.ended_at, &mut self.progress);
        progress.earliest_played_at = Some(progress.earliest_played_at.map_or(at, |known| known.min(at)));
        progress.latest_played_at = Some(progress.latest_played_at.map_or(at, |known| known.max(at)));
        self.observations.push(observation);
        match self.tracks.entry(track.id) {
            Entry::Occupied(known) if known.get().is_complete() => {}
            Entry::Occupied(mut known) => Arc::make_mut(known.get_mut()).learn(&track),
            Entry::Vacant(slot) => drop(slot.insert(track)),
        }
    }

    fn skip(&mut self, reason: SkipReason) {
        self.progress.skipped += 1;
        count(&mut self.progress.reasons, reason.as_str());
    }

    /// Tracks of it with all that an export can say of them.
    pub fn complete_tracks(&self) -> impl Iterator<Item = TrackId> {
        self.tracks.values().filter(|track| track.is_complete()).map(|track| track.id)
    }

    /// Settles it. `stored_tracks` need not be written; `rows_written` is what the job has not been told of yet.
    ///
    /// # Errors
    /// An assertion that failed: a guard no longer holds, or the file's cursor is not at the beginning of this slice.
    pub async fn settle(
        &self,
        app: &App,
        destination: Destination,
        stored_tracks: &HashSet<TrackId>,
        rows_written: u64,
        guard: Statement,
    ) -> Result<TakenUp, AppError> {
        let Destination { user, job, file, format, rejected_before } = destination;
        let is_new = |track: &&TrackFacts| !stored_tracks.contains(&track.id);
        let tracks: Vec<&TrackFacts> = self.tracks.values().map(Arc::as_ref).filter(is_new).collect();
        let what = TakeUp { user, observations: &self.observations, tracks: &tracks };
        let at_cursor = assert_that("EXISTS (SELECT 1 FROM import_files WHERE id = ?1 AND rows_read = ?2)");
        let guards = [guard, at_cursor.bind(file).bind(self.first_row)];
        let kept = usize::try_from(MAX_KEPT_REJECTS.saturating_sub(rejected_before)).unwrap_or(usize::MAX);
        let rejects = self.rejects.get(..kept).unwrap_or(&self.rejects);
        take_up(app, &what, &guards, &|taken_up| {
            let mut statements = insert_rejects(file, rejects);
            let progress = self.progress_with(taken_up);
            statements.extend(progress.statements(job, file, format, rows_written, app.now()));
            statements
        })
        .await
    }

    fn progress_with(&self, taken_up: &TakenUp) -> Progress {
        let TakenUp { inserted, merged, duplicate, end_distances, .. } = *taken_up;
        let rows_read = self.first_row + self.rows;
        Progress { rows_read, inserted, merged, duplicate, end_distances, ..self.progress.clone() }
    }
}

fn count(reasons: &mut BTreeMap<&'static str, u64>, reason: &'static str) {
    reasons.entry(reason).or_default().add_assign(1);
}
