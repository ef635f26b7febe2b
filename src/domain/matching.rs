//! Which observations are the same play: a pure function of the set of observations.
//!
//! Two observations of different sources belong together when the track is the same and either their ends agree or,
//! failing that, the API's instant agrees with the START of the export's row. An extended row whose names were withheld
//! belongs to the account row of its minute and length that nothing else took. Each play takes at most one observation
//! of each source, nearest first. Must stay true:
//! * the result depends on the set alone: not on the order of arrival, nor on how it was cut into batches;
//! * two observations of one source are never joined unless they are the same record;
//! * [`settle`] answers only for groups that it has seen whole, and asks for more where it has not.

mod candidates;
mod cuts;
mod end_distances;
mod groups;
mod nearest;
#[cfg(test)]
mod properties;
mod sites;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::{
    candidates::Faces,
    nearest::{partners, partners_by_length},
    sites::Rule,
};
pub use self::{
    cuts::{Cluster, clusters, in_order, moments, parts},
    end_distances::EndDistances,
};
use super::{
    ids::SongId,
    instant::{HOUR_MS, Millis},
    observation::{ACCOUNT_PRECISION_MS, Kind, Observation, RecordKey, Source},
    play::{END_SLACK_MS, Play},
};

/// No play is taken to have lasted longer when its START is looked for.
pub const MAX_SPAN_MS: i64 = 12 * HOUR_MS;

/// A play's end lies no further than this before any of its observations, and no further than [`MAX_SPAN_MS`] more after.
const END_MARGIN_MS: i64 = ACCOUNT_PRECISION_MS + END_SLACK_MS;

/// The plays that a set of observations amounts to, in order of time and track.
pub fn match_observations(observations: impl IntoIterator<Item = Observation>) -> Vec<Play> {
    let mut of_source: BTreeMap<Source, Vec<Observation>> = BTreeMap::new();
    for observation in unique(observations).into_values() {
        of_source.entry(observation.source).or_default().push(observation);
    }
    let mut take = |source| of_source.remove(&source).unwrap_or_default();
    let (extended, account, api) = (take(Source::Extended), take(Source::Account), take(Source::Api));
    let plays = with_api(extended, api);
    let mut plays = with_account(plays, account);
    plays.sort_by_cached_key(sort_key);
    plays
}

/// One observation of each record. Of a repeated one, each fact is kept that any of them states.
fn unique(observations: impl IntoIterator<Item = Observation>) -> BTreeMap<RecordKey, Observation> {
    let mut unique: BTreeMap<RecordKey, Observation> = BTreeMap::new();
    for observation in observations {
        match unique.entry(observation.record_key()) {
            std::collections::btree_map::Entry::Vacant(slot) => drop(slot.insert(observation)),
            std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().learn(&observation),
        }
    }
    unique
}

fn with_api(extended: Vec<Observation>, api: Vec<Observation>) -> Vec<Play> {
    let faces: Vec<Faces<'_>> = extended.iter().map(|row| [Some(row), None]).collect();
    let items: Vec<&Observation> = api.iter().collect();
    let pairs = partners(&faces, &items, &[Rule::Ends, Rule::ApiAtStart]);
    let plays = extended.into_iter().map(Play::of).collect();
    joined(plays, api, pairs)
}

/// `plays` are those of extended rows in the order of their keys, and behind them those of API items alone in theirs.
fn with_account(plays: Vec<Play>, account: Vec<Observation>) -> Vec<Play> {
    let mut faces: Vec<Option<Faces<'_>>> =
        plays.iter().map(|play| Some([play.extended.as_ref(), play.api.as_ref()])).collect();
    let mut rows: Vec<Option<&Observation>> = account.iter().map(Some).collect();
    let all: (Vec<Faces<'_>>, Vec<&Observation>) =
        (faces.iter().flatten().copied().collect(), account.iter().collect());
    let mut pairs = partners(&all.0, &all.1, &[Rule::EndsAndLengths, Rule::Ends, Rule::ApiAtStart]);
    for (left, right) in &pairs {
        if let (Some(faces), Some(row)) = (faces.get_mut(*left), rows.get_mut(*right)) {
            (*faces, *row) = (None, None);
        }
    }
    pairs.extend(partners_by_length(&faces, &rows));
    joined(plays, account, pairs)
}

/// Plays with their partners among `others`, and the rest of the others as plays of their own.
fn joined(mut plays: Vec<Play>, others: Vec<Observation>, pairs: Vec<(usize, usize)>) -> Vec<Play> {
    let mut others: Vec<Option<Observation>> = others.into_iter().map(Some).collect();
    for (left, right) in pairs {
        if let (Some(play), Some(other)) = (plays.get_mut(left), others.get_mut(right))
            && let Some(other) = other.take()
        {
            let slot = play.slot(other.source);
            *slot = Some(other);
        }
    }
    plays.extend(others.into_iter().flatten().map(Play::of));
    plays
}

/// A total order of plays that depends on their observations alone.
pub fn sort_key(play: &Play) -> (Millis, super::ids::TrackId, [Option<RecordKey>; 3]) {
    let key = |observation: &Option<Observation>| observation.as_ref().map(Observation::record_key);
    (play.ended_at(), play.track(), [key(&play.extended), key(&play.account), key(&play.api)])
}

/// How one new observation was taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A play nobody had reported.
    Inserted,
    /// A play that another source had reported.
    Merged,
    /// A record that is already there.
    Duplicate,
}

/// What becomes of stored plays when new observations arrive.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// All plays of the range as they must be now.
    pub plays: Vec<Play>,
    /// One for each new observation, in their order.
    pub outcomes: Vec<Outcome>,
}

/// Takes `new` observations up among `stored` plays: all that ended from `seen_from` to `seen_to`, as [`clusters`] asked,
/// or, where one source is alone, of one instant and track (see [`in_order`]).
///
/// Only groups of observations that a new one could belong to, or that a repeat told more about, are matched anew; all
/// other plays come back as they were.
///
/// # Errors
/// Such a group reaches so near an edge of the range that something outside might belong to it: ask again with more slack.
pub fn settle(
    mut stored: Vec<Play>,
    new: &[Observation],
    seen_from: Millis,
    seen_to: Millis,
) -> Result<Settled, SeenTooLittle> {
    number_account_records(&mut stored);
    let mut known: HashMap<RecordKey, usize> = HashMap::new();
    for (index, play) in stored.iter().enumerate() {
        known.extend(play.observations().map(|observation| (observation.record_key(), index)));
    }
    let mut fresh: HashMap<RecordKey, Observation> = HashMap::new();
    let mut apart: BTreeSet<usize> = BTreeSet::new();
    let mut duplicate = vec![false; new.len()];
    for (observation, duplicate) in new.iter().zip(&mut duplicate) {
        let key = observation.record_key();
        if let Some(index) = known.get(&key)
            && let Some(play) = stored.get_mut(*index)
        {
            if let Some(stored) = play.slot(observation.source) {
                let before = matched_by(stored);
                stored.learn(observation);
                if matched_by(stored) != before {
                    apart.insert(*index);
                }
            }
            *duplicate = true;
        } else if let Some(first) = fresh.get_mut(&key) {
            first.learn(observation);
            *duplicate = true;
        } else {
            fresh.insert(key, observation.clone());
        }
    }
    for index in apart.into_iter().rev() {
        fresh.extend(
            stored.swap_remove(index).into_observations().map(|observation| (observation.record_key(), observation)),
        );
    }
    let plays = groups::rematch(stored, fresh.into_values().collect(), seen_from, seen_to)?;
    let merged: HashMap<RecordKey, bool> = plays
        .iter()
        .flat_map(|play| {
            let merged = play.observations().count() > 1;
            play.observations().map(move |observation| (observation.record_key(), merged))
        })
        .collect();
    let outcomes = new.iter().zip(duplicate).map(|(observation, duplicate)| {
        match (duplicate, merged.get(&observation.record_key())) {
            (true, _) => Outcome::Duplicate,
            (false, Some(true)) => Outcome::Merged,
            (false, _) => Outcome::Inserted,
        }
    });
    let outcomes = outcomes.collect();
    Ok(Settled { plays, outcomes })
}

/// What a repeat of a record may add that decides whose partner it is: its play is then put together anew, since a row
/// that got its names belongs to nobody else's.
fn matched_by(observation: &Observation) -> (Option<SongId>, bool, Kind, Option<String>, Option<i64>) {
    let Observation { song, kind, duration_ms, .. } = *observation;
    (song, observation.details.without_names, kind, observation.isrc.clone(), duration_ms)
}

/// The range given to [`settle`] has to be wider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenTooLittle;

/// Equal account rows of one minute are told apart by number alone, and the store does not keep it: any numbering of
/// equals will do.
fn number_account_records(plays: &mut [Play]) {
    let mut seen: HashMap<RecordKey, u32> = HashMap::new();
    for account in plays.iter_mut().filter_map(|play| play.account.as_mut()) {
        account.ordinal = 0;
        let count = seen.entry(account.record_key()).or_default();
        account.ordinal = *count;
        *count += 1;
    }
}

/// Whether two observations speak of the same track: URI, else ISRC, else the names, unless the lengths contradict.
pub fn is_same_track(left: &Observation, right: &Observation) -> bool {
    const MAX_LENGTH_DIFFERENCE_MS: i64 = 3_000;
    if left.track == right.track {
        return true;
    }
    if let (Some(left), Some(right)) = (&left.isrc, &right.isrc)
        && left == right
    {
        return true;
    }
    let same_song = matches!((left.song, right.song), (Some(left), Some(right)) if left == right);
    let lengths_contradict = matches!(
        (left.duration_ms, right.duration_ms),
        (Some(left), Some(right)) if (left - right).abs() > MAX_LENGTH_DIFFERENCE_MS
    );
    same_song && !lengths_contradict
}
