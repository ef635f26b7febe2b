//! Groups of observations that could end up in one play, directly or through others.
//!
//! Must stay true: what happens inside a group depends on nothing outside it, so a group that holds nothing new is left
//! exactly as it is stored.

use super::{END_MARGIN_MS, MAX_SPAN_MS, SeenTooLittle, candidates, match_observations, reach, sort_key};
use crate::domain::{
    instant::Millis,
    observation::{Observation, Source},
    play::Play,
};

/// Matches anew every group with a fresh observation; the other plays come back untouched. In order of time.
pub fn rematch(
    stored: Vec<Play>,
    fresh: Vec<Observation>,
    seen_from: Millis,
    seen_to: Millis,
) -> Result<Vec<Play>, SeenTooLittle> {
    let source = fresh.first().map(|observation| observation.source);
    let alone = stored.iter().flat_map(Play::observations).all(|observation| Some(observation.source) == source);
    let mut plays = if alone && fresh.iter().all(|observation| Some(observation.source) == source) {
        // One source by itself: every record is its own play.
        stored.into_iter().chain(fresh.into_iter().map(Play::of)).collect()
    } else {
        rematch_groups(stored, fresh, seen_from, seen_to)?
    };
    plays.sort_by_cached_key(sort_key);
    Ok(plays)
}

fn rematch_groups(
    stored: Vec<Play>,
    fresh: Vec<Observation>,
    seen_from: Millis,
    seen_to: Millis,
) -> Result<Vec<Play>, SeenTooLittle> {
    let mut units: Vec<Unit> = stored.into_iter().map(|play| Unit { play, is_fresh: false }).collect();
    units.extend(fresh.into_iter().map(|observation| Unit { play: Play::of(observation), is_fresh: true }));
    let mut groups = Groups::of(units.len());
    for (left, right) in linked(&units) {
        groups.join(left, right);
    }
    let mut is_touched = vec![false; units.len()];
    for (index, _) in units.iter().enumerate().filter(|(_, unit)| unit.is_fresh) {
        if let Some(touched) = is_touched.get_mut(groups.root(index)) {
            *touched = true;
        }
    }
    // A play is found by its end, which may lie away from its observations: these are seen for certain.
    let certain_from = seen_from.plus_ms(END_MARGIN_MS);
    let certain_to = seen_to.minus_ms(END_MARGIN_MS + MAX_SPAN_MS);
    let mut leads_out = false;
    let mut kept = Vec::new();
    let mut matched_anew = Vec::new();
    for (index, unit) in units.into_iter().enumerate() {
        if !is_touched.get(groups.root(index)).copied().unwrap_or_default() {
            kept.push(unit.play);
            continue;
        }
        for observation in unit.play.into_observations() {
            let (from, to) = reach(&observation);
            leads_out |= from < certain_from || to > certain_to;
            matched_anew.push(observation);
        }
    }
    if leads_out {
        return Err(SeenTooLittle);
    }
    kept.extend(match_observations(matched_anew));
    Ok(kept)
}

/// A stored play, or one fresh observation.
struct Unit {
    play: Play,
    is_fresh: bool,
}

/// Pairs of units of which some observations could be one play.
fn linked(units: &[Unit]) -> Vec<(usize, usize)> {
    let mut by_time: Vec<(Millis, usize, &Observation)> = units
        .iter()
        .enumerate()
        .flat_map(|(index, unit)| unit.play.observations().map(move |seen| (seen.ended_at, index, seen)))
        .collect();
    by_time.sort_unstable_by_key(|(ended_at, index, seen)| (*ended_at, *index, seen.source));
    let with_api = by_time.iter().any(|(_, _, seen)| seen.source == Source::Api);
    // Without an API item only ends are compared, and those lie close together.
    let reach_ms = if with_api { MAX_SPAN_MS + END_MARGIN_MS } else { END_MARGIN_MS };
    let mut pairs = Vec::new();
    for (position, (ended_at, left_index, left)) in by_time.iter().enumerate() {
        let later = by_time.iter().skip(position + 1);
        for (_, right_index, right) in later.take_while(|(later_at, _, _)| later_at.since_ms(*ended_at) <= reach_ms) {
            if left_index != right_index && could_be_one(left, right) {
                pairs.push((*left_index, *right_index));
            }
        }
    }
    pairs
}

fn could_be_one(left: &Observation, right: &Observation) -> bool {
    let (first, second) = if left.source <= right.source { (left, right) } else { (right, left) };
    match (first.source, second.source) {
        (Source::Extended, Source::Api) => candidates::fit_of_api(first, second).is_some(),
        (Source::Extended | Source::Account, Source::Account | Source::Api) if first.source != second.source => {
            let (row, other) = if first.source == Source::Account { (first, second) } else { (second, first) };
            candidates::fit_of_account(other, row).is_some() || candidates::fit_of_nameless(other, row).is_some()
        }
        _ => false,
    }
}

/// Disjoint sets of positions.
struct Groups {
    parents: Vec<usize>,
}

impl Groups {
    fn of(count: usize) -> Self {
        Self { parents: (0..count).collect() }
    }

    fn root(&mut self, mut index: usize) -> usize {
        while let Some(parent) = self.parents.get(index).copied() {
            if parent == index {
                break;
            }
            let above = self.parents.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parents.get_mut(index) {
                *slot = above;
            }
            index = above;
        }
        index
    }

    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        if let Some(slot) = self.parents.get_mut(left) {
            *slot = right;
        }
    }
}
