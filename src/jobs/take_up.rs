//! Takes observations up into a user's stored plays: loads what lies near them, matches, and writes one batch.
//!
//! Every writer of plays goes through here: imports, slices of rows sent one by one, polls. Must stay true:
//! * plays, tracks and the writer's own counters and cursor are one batch, opened by the writer's guard and by the
//!   assertion that the user's plays are still as they were seen;
//! * when only the plays have changed meanwhile, the same observations are matched again; nobody's writing is lost.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use crate::{
    app::App,
    domain::{
        ids::{TrackId, UserId},
        instant::{HOUR_MS, Millis},
        matching::{self, Cluster, EndDistances, Outcome, SeenTooLittle},
        observation::{Observation, Source},
        play::Play,
        track::TrackFacts,
    },
    error::AppError,
    store::{
        Statement, StoreError, assert_that,
        plays::{self, Identities, Identity, PlayKey, PlayRow},
        tracks, users,
    },
};

/// Times the same observations are matched again because something else wrote the user's plays meanwhile, or because
/// more of them had to be seen.
const MAX_CONTESTS: usize = 20;

/// Up to so many observations, everything about their tracks is read with the plays, in one call.
const FEW: usize = 100;

/// What is to be taken up in one batch.
#[derive(Clone, Copy)]
pub struct TakeUp<'a> {
    pub user: UserId,
    pub observations: &'a [Observation],
    /// Their tracks, but for those that are known to be stored with all that is known of them.
    pub tracks: &'a [&'a TrackFacts],
}

/// What became of the observations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TakenUp {
    /// One for each observation, in their order.
    pub outcomes: Vec<Outcome>,
    pub inserted: u64,
    pub merged: u64,
    pub duplicate: u64,
    /// How far the two ends lie apart in each play that now has an API item and an extended row and had not before.
    pub end_distances: EndDistances,
}

/// What the writer adds to the batch, once it is known what became of the observations.
pub type Accounts<'a> = dyn Fn(&TakenUp) -> Vec<Statement> + Send + Sync + 'a;

/// Takes observations up. `guards` are assertions that open the batch: what the writer's right to write rests on.
///
/// # Errors
/// [`StoreError::AssertionFailed`] when a guard no longer holds; nothing was written then.
pub async fn take_up(
    app: &App,
    what: &TakeUp<'_>,
    guards: &[Statement],
    accounts: &Accounts<'_>,
) -> Result<TakenUp, AppError> {
    let mut slack_ms = 0;
    for _ in 0..MAX_CONTESTS {
        let Some(change) = change(app, what, slack_ms).await? else {
            slack_ms = slack_ms * 4 + HOUR_MS;
            continue;
        };
        match app.db.batch(change.statements(app, what, guards, accounts)).await {
            Ok(_) => return Ok(change.taken_up),
            Err(StoreError::AssertionFailed) => hold(app, guards).await?,
            Err(error) => return Err(error.into()),
        }
    }
    Err(AppError::Internal("observations could not be taken up: the plays around them changed too often"))
}

/// Whether the guards still hold: then it was another writer of the same plays that was faster.
async fn hold(app: &App, guards: &[Statement]) -> Result<(), StoreError> {
    app.db.batch(guards.to_vec()).await.map(drop)
}

/// What the observations change in the stored plays; `None` when more of them has to be seen.
async fn change(app: &App, what: &TakeUp<'_>, slack_ms: i64) -> Result<Option<Change>, AppError> {
    let clusters = matching::clusters(what.observations, slack_ms);
    let ranges: Vec<(Millis, Millis)> = clusters.iter().map(|cluster| (cluster.seen_from, cluster.seen_to)).collect();
    // A poll has few observations and a bound on its calls of the database: what may have to be known comes along.
    let beside = (what.observations.len() <= FEW).then(|| {
        let named: Vec<TrackId> = what.observations.iter().map(|observation| observation.track).collect();
        tracks::select_identities_near(what.user, &plays::as_json(&ranges), &named)
    });
    let found = plays::in_ranges(&*app.db, what.user, &ranges, beside).await?;
    let found = found.ok_or_else(|| AppError::NotFound("The user was deleted.".to_owned()))?;
    let known = found.beside.map(tracks::read_identities).transpose()?;
    let (identities, observations) = compared(app, what.observations, &found.rows, known).await?;
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
    change.count(outcomes);
    Ok(Some(change))
}

/// What has to be known of tracks to compare sources, and the observations with it. Nothing has to be when only one
/// source is involved.
async fn compared<'a>(
    app: &App,
    observations: &'a [Observation],
    rows: &[PlayRow],
    known: Option<HashMap<TrackId, Identity>>,
) -> Result<(Identities, Cow<'a, [Observation]>), AppError> {
    let source = observations.first().map(|observation| observation.source);
    let is_alone = rows.iter().all(|row| match row.sources() {
        (true, false, false) => source == Some(Source::Extended),
        (false, true, false) => source == Some(Source::Account),
        (false, false, true) => source == Some(Source::Api),
        _ => false,
    });
    if is_alone && observations.iter().all(|observation| Some(observation.source) == source) {
        return Ok((Identities::default(), observations.into()));
    }
    let mut identities = if let Some(known) = known {
        known
    } else {
        let mut wanted: Vec<TrackId> = rows.iter().flat_map(PlayRow::tracks).collect();
        wanted.extend(observations.iter().map(|observation| observation.track));
        wanted.sort_unstable();
        wanted.dedup();
        tracks::identities(&*app.db, &wanted).await?
    };
    for observation in observations {
        learn(identities.entry(observation.track).or_default(), observation);
    }
    let mut observations = observations.to_vec();
    for observation in &mut observations {
        if let Some(identity) = identities.get(&observation.track) {
            observation.isrc.clone_from(&identity.isrc);
            observation.duration_ms = identity.duration_ms;
            // As stored observations of this track will be read back, whatever names this one gave.
            if observation.song.is_some() && identity.song.is_some() {
                observation.song = identity.song;
            }
        }
    }
    Ok((Identities::new(identities), observations.into()))
}

/// What a track's row will say once this batch is written.
fn learn(identity: &mut Identity, observation: &Observation) {
    identity.song = identity.song.or(observation.song);
    identity.duration_ms = identity.duration_ms.or(observation.duration_ms);
    if identity.isrc.is_none() {
        identity.isrc.clone_from(&observation.isrc);
    }
}

/// What is done to the rows of `plays`.
#[derive(Default)]
struct Change {
    version: i64,
    upserts: Vec<PlayRow>,
    deletes: Vec<PlayKey>,
    /// Plays more, or fewer, than before.
    delta: i64,
    taken_up: TakenUp,
}

impl Change {
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
        for row in now {
            let known = before.get(&row.key());
            if known == Some(&&row) {
                continue;
            }
            let was_linked = known.is_some_and(|known| known.end_distance_ms().is_some());
            if let Some(distance_ms) = row.end_distance_ms().filter(|_| !was_linked) {
                self.taken_up.end_distances.add(distance_ms);
            }
            self.upserts.push(row);
        }
        Ok(settled.outcomes)
    }

    fn count(&mut self, outcomes: Vec<Outcome>) {
        let count = |of: Outcome| outcomes.iter().filter(|outcome| **outcome == of).count() as u64;
        self.taken_up.inserted = count(Outcome::Inserted);
        self.taken_up.merged = count(Outcome::Merged);
        self.taken_up.duplicate = count(Outcome::Duplicate);
        self.taken_up.outcomes = outcomes;
    }

    fn statements(
        &self,
        app: &App,
        what: &TakeUp<'_>,
        guards: &[Statement],
        accounts: &Accounts<'_>,
    ) -> Vec<Statement> {
        let as_seen = assert_that("EXISTS (SELECT 1 FROM users WHERE id = ?1 AND plays_version = ?2)");
        let mut statements = guards.to_vec();
        statements.push(as_seen.bind(what.user).bind(self.version));
        if !self.upserts.is_empty() || !self.deletes.is_empty() {
            statements.push(users::plays_changed(what.user, self.delta, app.now()));
        }
        statements.extend(tracks::upsert(what.tracks));
        statements.extend(plays::delete(what.user, &self.deletes));
        statements.extend(plays::upsert(what.user, &self.upserts));
        statements.extend(accounts(&self.taken_up));
        statements
    }
}
