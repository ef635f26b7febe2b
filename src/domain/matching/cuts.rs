//! How new observations are cut into pieces that are settled one after the other.
//!
//! Must stay true: whatever could belong to an observation lies within the range of its cluster; what has to be seen at once
//! grows with a piece, not with the history, however sparsely observations lie in it.

use super::{END_MARGIN_MS, MAX_SPAN_MS, candidates::started_at};
use crate::domain::{
    instant::{DAY_MS, MINUTE_MS, Millis},
    observation::{Observation, Source},
};

/// New observations that are settled together, and the stored plays that have to be seen for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Positions in the list of new observations.
    pub positions: Vec<usize>,
    /// All stored plays that ended from here ...
    pub seen_from: Millis,
    /// ... to here, both included.
    pub seen_to: Millis,
}

/// The instants between which every possible partner of an observation lies.
pub fn reach(observation: &Observation) -> (Millis, Millis) {
    let ended_at = observation.ended_at;
    let began_at = started_at(observation).map_or(ended_at, |started_at| started_at.min(ended_at));
    let span_ms = if observation.source == Source::Api { MAX_SPAN_MS } else { 0 };
    (began_at.minus_ms(END_MARGIN_MS), ended_at.plus_ms(END_MARGIN_MS + span_ms))
}

/// Cuts new observations into clusters whose ranges do not overlap. `slack_ms` widens each range: chains of partners
/// may lead out of it.
pub fn clusters(new: &[Observation], slack_ms: i64) -> Vec<Cluster> {
    let mut ranges: Vec<(Millis, Millis, usize)> = new
        .iter()
        .enumerate()
        .map(|(position, observation)| {
            let (from, to) = reach(observation);
            let seen_to = to.plus_ms(END_MARGIN_MS + MAX_SPAN_MS + slack_ms);
            (from.minus_ms(END_MARGIN_MS + slack_ms), seen_to, position)
        })
        .collect();
    ranges.sort_unstable();
    let mut clusters: Vec<Cluster> = Vec::new();
    for (seen_from, seen_to, position) in ranges {
        match clusters.last_mut() {
            Some(cluster) if seen_from <= cluster.seen_to => {
                cluster.seen_to = cluster.seen_to.max(seen_to);
                cluster.positions.push(position);
            }
            _ => clusters.push(Cluster { positions: vec![position], seen_from, seen_to }),
        }
    }
    clusters
}

/// Observations of one part, for the memory that their plays and the plays around them take. Fewer in tests, which have
/// few and shall be cut.
const PART_OBSERVATIONS: usize = if cfg!(test) { 11 } else { 2_000 };
/// Listening that one part looks at: a few thousand plays of a very busy listener.
const PART_MS: i64 = 10 * DAY_MS;
/// So few observations come from the free plan, which allows 50 statements in a run: they are cut into few parts, however
/// sparse they are.
const FEW_OBSERVATIONS: usize = 1_000;
const PARTS_OF_FEW: i64 = 8;
/// What an observation looks at, at most, but for chains of partners.
const LOOK_MS: i64 = 2 * MAX_SPAN_MS;

/// Cuts new observations, as positions in their order of time, into parts that each look at a bounded time of listening.
/// A part has to be settled among what those before it left.
pub fn parts(new: &[Observation]) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let order = in_order(new);
    let part_ms = part_ms(new, &order);
    let (mut looked_at_ms, mut last) = (0, Millis(0));
    for position in order {
        let Some(observation) = new.get(position) else { continue };
        let more_ms = observation.ended_at.since_ms(last).min(LOOK_MS);
        last = observation.ended_at;
        let fits = |part: &[usize]| part.len() < PART_OBSERVATIONS && looked_at_ms + more_ms <= part_ms;
        match parts.last_mut() {
            // A crowd of one instant looks at the same plays, which would only be looked at again.
            Some(part) if more_ms == 0 || fits(part) => {
                looked_at_ms += more_ms;
                part.push(position);
            }
            _ => {
                looked_at_ms = LOOK_MS;
                parts.push(vec![position]);
            }
        }
    }
    parts
}

fn part_ms(new: &[Observation], order: &[usize]) -> i64 {
    if new.len() > FEW_OBSERVATIONS {
        return PART_MS;
    }
    let instants: Vec<Millis> = order.iter().filter_map(|position| Some(new.get(*position)?.ended_at)).collect();
    let between_ms = instants.iter().zip(instants.iter().skip(1)).map(|(one, next)| next.since_ms(*one).min(LOOK_MS));
    PART_MS.max((LOOK_MS + between_ms.sum::<i64>()) / PARTS_OF_FEW)
}

/// Positions in the order of instant and track, as stored plays lie.
///
/// Where nothing was heard of the plays around them but through one source, only observations and plays of one instant and
/// track can be the same record: each such group can be settled by itself.
pub fn in_order(new: &[Observation]) -> Vec<usize> {
    let mut positions: Vec<usize> = (0..new.len()).collect();
    positions.sort_by_key(|position| new.get(*position).map(|observation| (observation.ended_at, observation.track)));
    positions
}

/// Ranges with every instant in which an observation ended, and with little else: the plays among which the groups of
/// [`in_order`] have to be settled.
pub fn moments(new: &[Observation]) -> Vec<(Millis, Millis)> {
    // A play or two more are cheaper than a range more; an hour more would be most of a busy listener's history.
    const GAP_MS: i64 = 5 * MINUTE_MS;
    let mut instants: Vec<Millis> = new.iter().map(|observation| observation.ended_at).collect();
    instants.sort_unstable();
    let mut ranges: Vec<(Millis, Millis)> = Vec::new();
    for instant in instants {
        match ranges.last_mut() {
            Some((_, to)) if instant.since_ms(*to) <= GAP_MS => *to = instant,
            _ => ranges.push((instant, instant)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::matching::properties::{NOON, extended};

    /// Videos, say: few, and from first to last of a whole history.
    fn one_in_a_day(days: i64) -> Vec<Observation> {
        (0..days).map(|day| extended(NOON.plus_ms(day * DAY_MS), 1)).collect()
    }

    #[test]
    fn what_is_sparse_does_not_ask_for_the_years_between() {
        let sparse = one_in_a_day(2_000);
        let looked_at: i64 = moments(&sparse).iter().map(|(from, to)| to.since_ms(*from)).sum();
        assert_eq!((moments(&sparse).len(), looked_at), (2_000, 0));
        let evening: Vec<Observation> = (0..30).map(|song| extended(NOON.plus_ms(song * 200_000), song)).collect();
        assert_eq!(moments(&evening), [(NOON, NOON.plus_ms(29 * 200_000))]);
    }

    #[test]
    fn few_observations_are_cut_into_few_parts_however_sparse_they_are() {
        assert_eq!(part_ms(&one_in_a_day(1_000), &in_order(&one_in_a_day(1_000))), 125 * DAY_MS);
        assert_eq!(part_ms(&one_in_a_day(20), &in_order(&one_in_a_day(20))), PART_MS);
        assert_eq!(part_ms(&one_in_a_day(1_001), &in_order(&one_in_a_day(1_001))), PART_MS);
    }

    #[test]
    fn a_part_looks_at_a_bounded_time_and_at_a_bounded_number() {
        let sparse = one_in_a_day(2_000);
        let dense: Vec<Observation> = (0..100).map(|song| extended(NOON.plus_ms(song * 1_000), song)).collect();
        for new in [&sparse, &dense] {
            let parts = parts(new);
            assert_eq!(parts.concat().len(), new.len());
            for part in parts {
                let of_part: Vec<Observation> = part.iter().map(|at| new[*at].clone()).collect();
                let looked_at: i64 =
                    clusters(&of_part, 0).iter().map(|cluster| cluster.seen_to.since_ms(cluster.seen_from)).sum();
                assert!(part.len() <= PART_OBSERVATIONS && looked_at <= PART_MS, "{}, {looked_at}", part.len());
            }
        }
    }
}
