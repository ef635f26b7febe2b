//! Takes rows up into the stored plays, a slice at a time.
//!
//! Must stay true: one batch a slice, so that its plays, its counters and the cursor are true together.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    ops::AddAssign,
    sync::Arc,
};

use crate::{
    app::App,
    domain::{
        ids::TrackId,
        instant::{HOUR_MS, Millis},
        matching::{self, Cluster, Outcome, SeenTooLittle},
        observation::Observation,
        play::Play,
        track::TrackFacts,
    },
    error::AppError,
    export::{ExportedPlay, Format, HistoryFile, Row},
    store::{
        Statement, StoreError,
        import_jobs::{self, FileStatus, ImportFile, ImportJob, Lease, Progress},
        plays::{self, Identities, PlayKey, PlayRow},
        tracks, users,
    },
};

/// Rows settled in one batch. 10,000 plays are about a megabyte of JSON and 0.1 s of work.
pub const SLICE_ROWS: usize = 10_000;
/// Times a slice is matched again because something else wrote the user's plays meanwhile.
const MAX_CONTESTS: usize = 20;

/// The writing end of one run.
pub struct Slices<'a> {
    app: &'a App,
    job: &'a ImportJob,
    lease: Lease,
    /// Tracks that this run knows to be stored with all that an export can say of them.
    stored_tracks: HashSet<TrackId>,
    rows_in_run: u64,
    rows_untold: u64,
    rows_written_told: u64,
}

/// Tracks remembered as stored; beyond this they are written again, which changes nothing.
const MAX_STORED_TRACKS: usize = 100_000;

impl<'a> Slices<'a> {
    pub fn new(app: &'a App, job: &'a ImportJob, lease: Lease) -> Self {
        let rows_written_told = app.db.usage().rows_written;
        Self { app, job, lease, stored_tracks: HashSet::new(), rows_in_run: 0, rows_untold: 0, rows_written_told }
    }

    /// Rows taken in this run.
    pub const fn rows_in_run(&self) -> u64 {
        self.rows_in_run
    }

    /// Rows taken since the last call.
    pub fn take_rows_read(&mut self) -> u64 {
        std::mem::take(&mut self.rows_untold)
    }

    /// Settles whole slices of `rows`; false when the file may not go on after `last_row`.
    pub async fn take(
        &mut self,
        file: &ImportFile,
        history: &HistoryFile,
        rows: &mut Vec<Row>,
        last_row: u64,
    ) -> Result<bool, AppError> {
        let is_over = history.rows_read() >= last_row;
        if rows.len() >= SLICE_ROWS || is_over {
            return self.flush(file, history, rows, last_row).await;
        }
        Ok(true)
    }

    /// Settles all of `rows`, but none after `last_row`; false when there were such.
    pub async fn flush(
        &mut self,
        file: &ImportFile,
        history: &HistoryFile,
        rows: &mut Vec<Row>,
        last_row: u64,
    ) -> Result<bool, AppError> {
        let mut cursor = history.rows_read() - rows.len() as u64;
        let excess = history.rows_read().saturating_sub(last_row);
        rows.truncate(rows.len().saturating_sub(usize::try_from(excess).unwrap_or(usize::MAX)));
        let format = history.format().map(Format::name);
        let mut rows = std::mem::take(rows).into_iter().peekable();
        while rows.peek().is_some() {
            let mut slice = Slice::default();
            for row in rows.by_ref().take(SLICE_ROWS) {
                cursor += 1;
                slice.add(row);
            }
            slice.progress.rows_read = cursor;
            slice.progress.bytes_read = history.inflated_bytes();
            self.settle_slice(file, format, slice).await?;
            self.app.breathe().await;
        }
        Ok(excess == 0)
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
        Ok(import_jobs::under_lease(&*self.app.db, &self.lease, vec![statement]).await?)
    }

    async fn settle_slice(
        &mut self,
        file: &ImportFile,
        format: Option<&'static str>,
        slice: Slice,
    ) -> Result<(), AppError> {
        let mut slack_ms = 0;
        for _ in 0..MAX_CONTESTS {
            let Some(change) = self.change(&slice, slack_ms).await? else {
                slack_ms = slack_ms * 4 + HOUR_MS;
                continue;
            };
            match self.write(file, format, &slice, &change).await {
                Ok(()) => return Ok(()),
                // Another writer of this user's plays was faster, or the job is no longer ours.
                Err(StoreError::AssertionFailed) if self.lease.is_held(&*self.app.db).await? => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(AppError::Internal("a slice was contested too often"))
    }

    /// What the slice changes in the stored plays; `None` when more of them has to be seen.
    async fn change(&self, slice: &Slice, slack_ms: i64) -> Result<Option<Change>, AppError> {
        let clusters = matching::clusters(&slice.observations, slack_ms);
        let ranges: Vec<(Millis, Millis)> =
            clusters.iter().map(|cluster| (cluster.seen_from, cluster.seen_to)).collect();
        let found = plays::in_ranges(&*self.app.db, self.job.user_id, &ranges).await?;
        let found = found.ok_or_else(|| AppError::NotFound("The user was deleted.".to_owned()))?;
        let (identities, observations) = self.compared(slice, &found.rows).await?;
        let mut change = Change { version: found.version, ..Change::default() };
        let mut stored = found.rows.into_iter().peekable();
        let mut outcomes = vec![Outcome::Duplicate; observations.len()];
        for cluster in &clusters {
            let mut rows = Vec::new();
            while let Some(row) = stored.next_if(|row| row.key().ended_at <= cluster.seen_to.0) {
                rows.push(row);
            }
            match change.settle(cluster, &rows, &observations, &identities) {
                Ok(settled) => {
                    for (position, outcome) in cluster.positions.iter().zip(settled) {
                        if let Some(slot) = outcomes.get_mut(*position) {
                            *slot = outcome;
                        }
                    }
                }
                Err(SeenTooLittle) => return Ok(None),
            }
        }
        change.count(&outcomes);
        Ok(Some(change))
    }

    /// What has to be known of tracks to compare sources, and the slice's observations with it. Nothing has to be when
    /// only one source is involved.
    async fn compared<'s>(
        &self,
        slice: &'s Slice,
        rows: &[PlayRow],
    ) -> Result<(Identities, std::borrow::Cow<'s, [Observation]>), AppError> {
        use crate::domain::observation::Source;
        let source = slice.observations.first().map(|observation| observation.source);
        let is_alone = rows.iter().all(|row| match row.sources() {
            (true, false, false) => source == Some(Source::Extended),
            (false, true, false) => source == Some(Source::Account),
            _ => false,
        });
        if is_alone {
            return Ok((Identities::default(), (&slice.observations).into()));
        }
        let mut wanted: Vec<TrackId> = rows.iter().flat_map(PlayRow::tracks).collect();
        wanted.extend(slice.observations.iter().map(|observation| observation.track));
        wanted.sort_unstable();
        wanted.dedup();
        let identities = tracks::identities(&*self.app.db, &wanted).await?;
        let mut observations = slice.observations.clone();
        for observation in &mut observations {
            if let Some(identity) = identities.get(&observation.track) {
                observation.isrc.clone_from(&identity.isrc);
                observation.duration_ms = identity.duration_ms;
                // As stored observations of this track will be read back, whatever names this row gave.
                if observation.song.is_some() && identity.song.is_some() {
                    observation.song = identity.song;
                }
            }
        }
        Ok((Identities::new(identities), observations.into()))
    }

    async fn write(
        &mut self,
        file: &ImportFile,
        format: Option<&'static str>,
        slice: &Slice,
        change: &Change,
    ) -> Result<(), StoreError> {
        let (user, now) = (self.job.user_id, self.app.now());
        let is_new = |track: &&TrackFacts| !self.stored_tracks.contains(&track.id);
        let new_tracks: Vec<&TrackFacts> = slice.tracks.values().map(Arc::as_ref).filter(is_new).collect();
        let mut statements: Vec<Statement> = vec![self.lease.assertion(user, change.version)];
        if change.is_some() {
            statements.push(users::plays_changed(user, change.delta, now));
        }
        statements.extend(tracks::upsert(&new_tracks));
        statements.extend(plays::delete(user, &change.deletes));
        statements.extend(plays::upsert(user, &change.upserts));
        let mut progress = slice.progress.clone();
        (progress.inserted, progress.merged) = (change.inserted, change.merged);
        progress.duplicate = change.duplicate;
        let rows_written = self.app.db.usage().rows_written;
        let untold = rows_written.saturating_sub(self.rows_written_told);
        statements.extend(progress.statements(&self.lease, file.id, format, untold, now));
        self.app.db.batch(statements).await?;
        self.rows_written_told = rows_written;
        if self.stored_tracks.len() > MAX_STORED_TRACKS {
            self.stored_tracks.clear();
        }
        self.stored_tracks.extend(new_tracks.iter().filter(|track| track.is_complete()).map(|track| track.id));
        self.rows_in_run += slice.rows;
        self.rows_untold += slice.rows;
        Ok(())
    }
}

/// Rows to be settled together, sorted out.
#[derive(Default)]
struct Slice {
    rows: u64,
    observations: Vec<Observation>,
    tracks: HashMap<TrackId, Arc<TrackFacts>>,
    progress: Progress,
}

impl Slice {
    fn add(&mut self, row: Row) {
        self.rows += 1;
        match row {
            Row::Play(ExportedPlay { observation, track }) => {
                let at = observation.ended_at;
                let progress = &mut self.progress;
                progress.earliest_played_at = Some(progress.earliest_played_at.map_or(at, |known| known.min(at)));
                progress.latest_played_at = Some(progress.latest_played_at.map_or(at, |known| known.max(at)));
                self.observations.push(observation);
                match self.tracks.entry(track.id) {
                    Entry::Occupied(known) if known.get().is_complete() => {}
                    Entry::Occupied(mut known) => Arc::make_mut(known.get_mut()).learn(&track),
                    Entry::Vacant(slot) => drop(slot.insert(track)),
                }
            }
            Row::Skipped(reason) => {
                self.progress.skipped += 1;
                count(&mut self.progress.reasons, reason.as_str());
            }
            Row::Rejected(reason) => {
                self.progress.rejected += 1;
                count(&mut self.progress.reasons, reason.as_str());
            }
        }
    }
}

fn count(reasons: &mut BTreeMap<&'static str, u64>, reason: &'static str) {
    reasons.entry(reason).or_default().add_assign(1);
}

/// What a slice does to the rows of `plays`.
#[derive(Default)]
struct Change {
    version: i64,
    upserts: Vec<PlayRow>,
    deletes: Vec<PlayKey>,
    /// Plays more, or fewer, than before.
    delta: i64,
    inserted: u64,
    merged: u64,
    duplicate: u64,
}

impl Change {
    const fn is_some(&self) -> bool {
        !self.upserts.is_empty() || !self.deletes.is_empty()
    }

    fn settle(
        &mut self,
        cluster: &Cluster,
        rows: &[PlayRow],
        observations: &[Observation],
        identities: &Identities,
    ) -> Result<Vec<Outcome>, SeenTooLittle> {
        let new: Vec<Observation> =
            cluster.positions.iter().filter_map(|position| observations.get(*position)).cloned().collect();
        let stored: Vec<Play> = rows.iter().cloned().map(|row| row.into_play(identities)).collect();
        let settled = matching::settle(stored, &new, cluster.seen_from, cluster.seen_to)?;
        let now = plays::numbered(&settled.plays);
        let before: HashMap<PlayKey, &PlayRow> = rows.iter().map(|row| (row.key(), row)).collect();
        let after: HashSet<PlayKey> = now.iter().map(PlayRow::key).collect();
        self.delta += i64::try_from(now.len()).unwrap_or(0) - i64::try_from(rows.len()).unwrap_or(0);
        self.deletes.extend(before.keys().filter(|key| !after.contains(key)));
        self.upserts.extend(now.into_iter().filter(|row| before.get(&row.key()) != Some(&row)));
        Ok(settled.outcomes)
    }

    fn count(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            match outcome {
                Outcome::Inserted => self.inserted += 1,
                Outcome::Merged => self.merged += 1,
                Outcome::Duplicate => self.duplicate += 1,
            }
        }
    }
}
