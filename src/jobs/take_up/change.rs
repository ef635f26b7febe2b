//! What observations change in a user's stored plays.
//!
//! Must stay true: memory holds a part of the observations with the plays around it, and what was changed so far; a later
//! part sees what the parts before it changed. A source that is alone is never compared with anything.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap, HashSet},
};

use super::{Accounts, TakeUp, TakenUp};
use crate::{
    app::App,
    domain::{
        ids::TrackId,
        instant::Millis,
        matching::{self, Cluster, Outcome, SeenTooLittle},
        observation::{Observation, Source},
        play::Play,
    },
    error::AppError,
    store::{
        Statement, assert_that,
        plays::{self, Identities, Identity, InRanges, PlayKey, PlayRow},
        tracks, users,
    },
};

/// Up to so many observations, everything about their tracks is read with the plays, in one call.
const FEW: usize = 100;

/// What the observations change in the stored plays; `None` when more of them has to be seen.
pub async fn change(app: &App, what: &TakeUp<'_>, slack_ms: i64) -> Result<Option<Change>, AppError> {
    let mut change = Change::of(what.observations.len());
    if !change.take_alone(app, what).await? {
        // The API's lists are short, and a poll has a bound on its calls of the database.
        let is_list = what.observations.iter().all(|observation| observation.source == Source::Api);
        let whole = || vec![matching::in_order(what.observations)];
        let parts = if is_list { whole() } else { matching::parts(what.observations) };
        let is_only = parts.len() == 1;
        for positions in parts {
            if change.take_part(app, what, &positions, is_only, slack_ms).await?.is_err() {
                return Ok(None);
            }
        }
    }
    change.count();
    Ok(Some(change))
}

/// What has to be seen of a cluster.
fn ranges(clusters: &[Cluster]) -> Vec<(Millis, Millis)> {
    clusters.iter().map(|cluster| (cluster.seen_from, cluster.seen_to)).collect()
}

fn no_user() -> AppError {
    AppError::NotFound("The user was deleted.".to_owned())
}

/// What has to be known of tracks to compare sources, and the observations with it, which are some of `all`. Nothing has to
/// be when only one source is involved.
async fn compared<'a>(
    app: &App,
    all: &[Observation],
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
    // Rows that an earlier part changed may name tracks that are written with this batch.
    for observation in all {
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
pub struct Change {
    /// The user's `plays_version` as it was first seen; `None` when nothing had to be seen.
    version: Option<i64>,
    /// Rows as they will be; `None`: removed.
    rows: BTreeMap<PlayKey, Option<PlayRow>>,
    /// Plays more, or fewer, than before.
    delta: i64,
    pub taken_up: TakenUp,
}

impl Change {
    fn of(observations: usize) -> Self {
        // What is not settled as something else was there before.
        let taken_up = TakenUp { outcomes: vec![Outcome::Duplicate; observations], ..TakenUp::default() };
        Self { version: None, rows: BTreeMap::new(), delta: 0, taken_up }
    }

    /// Takes up the observations of an export's file where nothing was heard of the plays around them but by files of the
    /// same kind: the case of nearly every row there is. False when it is another.
    async fn take_alone(&mut self, app: &App, what: &TakeUp<'_>) -> Result<bool, AppError> {
        let Some(source) = what.observations.first().map(|observation| observation.source) else { return Ok(false) };
        // The API's own list is short, and is hardly ever alone.
        if source == Source::Api || what.observations.iter().any(|observation| observation.source != source) {
            return Ok(false);
        }
        let around = ranges(&matching::clusters(what.observations, 0));
        let others = plays::select_of_others(what.user, source, &around);
        let moments = matching::moments(what.observations);
        let found = plays::in_ranges(&*app.db, what.user, &moments, Some(others)).await?.ok_or_else(no_user)?;
        let InRanges { version, rows, beside } = found;
        if plays::has_of_others(beside.unwrap_or_default())? {
            return Ok(false);
        }
        self.version = Some(version);
        let settled = self.settle_alone(rows, what.observations);
        settled.map_err(|SeenTooLittle| AppError::Internal("a source by itself led out of its instants"))?;
        Ok(true)
    }

    /// Settles observations of a source by itself with the rows of their instants, which are in order.
    fn settle_alone(&mut self, rows: Vec<PlayRow>, observations: &[Observation]) -> Result<(), SeenTooLittle> {
        let place = |position: &usize| observations.get(*position).map(|seen| (seen.ended_at, seen.track));
        let mut stored = rows.into_iter().peekable();
        for group in matching::in_order(observations).chunk_by(|one, next| place(one) == place(next)) {
            let Some(observation) = group.first().and_then(|position| observations.get(*position)) else { continue };
            let here = (observation.ended_at.0, observation.track);
            while stored.next_if(|row| row.place() < here).is_some() {}
            let rows: Vec<PlayRow> = std::iter::from_fn(|| stored.next_if(|row| row.place() == here)).collect();
            match group {
                // Nearly every group there is.
                [position] if rows.is_empty() => self.insert(*position, observation),
                _ => {
                    let (positions, seen_from, seen_to) = (group.to_vec(), observation.ended_at, observation.ended_at);
                    let cluster = Cluster { positions, seen_from, seen_to };
                    let outcomes = self.settle(&cluster, &rows, observations, &Identities::default())?;
                    self.set_outcomes(group, &outcomes);
                }
            }
        }
        Ok(())
    }

    /// The one observation of its play.
    fn insert(&mut self, position: usize, observation: &Observation) {
        let row = PlayRow::of(&Play::of(observation.clone()), 0);
        self.rows.insert(row.key(), Some(row));
        self.delta += 1;
        self.set_outcomes(&[position], &[Outcome::Inserted]);
    }

    fn set_outcomes(&mut self, positions: &[usize], outcomes: &[Outcome]) {
        for (position, outcome) in positions.iter().zip(outcomes) {
            if let Some(slot) = self.taken_up.outcomes.get_mut(*position) {
                *slot = *outcome;
            }
        }
    }

    /// Takes up the observations in these positions, all of them or a part, whatever was heard of the plays around them.
    async fn take_part(
        &mut self,
        app: &App,
        what: &TakeUp<'_>,
        positions: &[usize],
        is_only: bool,
        slack_ms: i64,
    ) -> Result<Result<(), SeenTooLittle>, AppError> {
        let part: Vec<Observation> =
            positions.iter().filter_map(|position| what.observations.get(*position)).cloned().collect();
        let clusters = matching::clusters(&part, slack_ms);
        let ranges = ranges(&clusters);
        // A poll has few observations and a bound on its calls of the database: what may have to be known comes along.
        let beside = (is_only && part.len() <= FEW).then(|| {
            let named: Vec<TrackId> = part.iter().map(|observation| observation.track).collect();
            tracks::select_identities_near(what.user, &plays::as_json(&ranges), &named)
        });
        let found = plays::in_ranges(&*app.db, what.user, &ranges, beside).await?.ok_or_else(no_user)?;
        self.version.get_or_insert(found.version);
        let rows = self.as_changed(found.rows, &ranges);
        let known = found.beside.map(tracks::read_identities).transpose()?;
        let (identities, part) = compared(app, what.observations, &part, &rows, known).await?;
        let settled = self.settle_clusters(&clusters, rows, &part, &identities);
        Ok(settled.map(|outcomes| self.set_outcomes(positions, &outcomes)))
    }

    /// Stored rows within the ranges as they will be after what is changed so far, in order.
    fn as_changed(&self, mut rows: Vec<PlayRow>, ranges: &[(Millis, Millis)]) -> Vec<PlayRow> {
        if self.rows.is_empty() {
            return rows;
        }
        rows.retain(|row| !self.rows.contains_key(&row.key()));
        for (from, to) in ranges {
            let changed = self.rows.range(PlayKey::first_at(*from)..).take_while(|(key, _)| key.ended_at <= to.0);
            rows.extend(changed.filter_map(|(_, row)| row.clone()));
        }
        rows.sort_unstable_by_key(PlayRow::key);
        rows
    }

    /// Settles clusters of `observations` with the rows around them, which are in order. One outcome for each observation.
    fn settle_clusters(
        &mut self,
        clusters: &[Cluster],
        rows: Vec<PlayRow>,
        observations: &[Observation],
        identities: &Identities,
    ) -> Result<Vec<Outcome>, SeenTooLittle> {
        let mut outcomes = vec![Outcome::Duplicate; observations.len()];
        let mut stored = rows.into_iter().peekable();
        for cluster in clusters {
            let mut rows = Vec::new();
            while let Some(row) = stored.next_if(|row| row.key().ended_at <= cluster.seen_to.0) {
                rows.push(row);
            }
            let settled = self.settle(cluster, &rows, observations, identities)?;
            for (position, outcome) in cluster.positions.iter().zip(settled) {
                if let Some(slot) = outcomes.get_mut(*position) {
                    *slot = outcome;
                }
            }
        }
        Ok(outcomes)
    }

    /// One outcome for each position of the cluster.
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
        self.rows.extend(before.keys().filter(|key| !after.contains(key)).map(|key| (*key, None)));
        for row in now {
            let known = before.get(&row.key());
            if known == Some(&&row) {
                continue;
            }
            let was_linked = known.is_some_and(|known| known.end_distance_ms().is_some());
            if let Some(distance_ms) = row.end_distance_ms().filter(|_| !was_linked) {
                self.taken_up.end_distances.add(distance_ms);
            }
            self.rows.insert(row.key(), Some(row));
        }
        Ok(settled.outcomes)
    }

    fn count(&mut self) {
        let outcomes = &self.taken_up.outcomes;
        let count = |of: Outcome| outcomes.iter().filter(|outcome| **outcome == of).count() as u64;
        (self.taken_up.inserted, self.taken_up.merged, self.taken_up.duplicate) =
            (count(Outcome::Inserted), count(Outcome::Merged), count(Outcome::Duplicate));
    }

    pub fn statements(
        &self,
        app: &App,
        what: &TakeUp<'_>,
        guards: &[Statement],
        accounts: &Accounts<'_>,
    ) -> Vec<Statement> {
        const IS_AS_SEEN: &str = "EXISTS (SELECT 1 FROM users WHERE id = ?1 AND plays_version = ?2)";
        let mut statements = guards.to_vec();
        let as_seen = self.version.map(|version| assert_that(IS_AS_SEEN).bind(what.user).bind(version));
        statements.extend(as_seen);
        if !self.rows.is_empty() {
            statements.push(users::plays_changed(what.user, self.delta, app.now()));
        }
        let removed = self.rows.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| key);
        for names in tracks::upsert(what.tracks) {
            statements.push(names);
            if self.rows.is_empty() {
                // Repeats of known plays may still bring names, or the other spelling of one.
                statements.push(users::names_changed(what.user, app.now()));
            }
        }
        statements.extend(plays::delete(what.user, removed));
        statements.extend(plays::upsert(what.user, self.rows.values().flatten()));
        statements.extend(accounts(&self.taken_up));
        statements
    }
}
