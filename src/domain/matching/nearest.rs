//! One to one, the best fit first, ties by the keys of the observations.
//!
//! Must stay true: the result is that of sorting all pairs of observations by fit and keys and taking each whose two are
//! still free; the positions of both lists are in the order of those keys.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use super::{
    candidates::{Faces, Ground, fit, is_nameless},
    sites::{Rule, SitePair, SitePairs, site_pairs},
};
use crate::domain::{instant::MINUTE_MS, observation::Observation};

/// Partners by rules, a stronger one first. Each pair is a position on the left and one on the right.
pub fn partners(lefts: &[Faces<'_>], rights: &[&Observation], rules: &[Rule]) -> Vec<(usize, usize)> {
    let mut taken = Vec::new();
    let mut free_lefts: Vec<Option<Faces<'_>>> = lefts.iter().copied().map(Some).collect();
    let mut free_rights: Vec<Option<&Observation>> = rights.iter().copied().map(Some).collect();
    for rule in rules {
        for (left, right) in nearest(site_pairs(&free_lefts, &free_rights, *rule)) {
            if let (Some(left), Some(right)) = (free_lefts.get_mut(left), free_rights.get_mut(right)) {
                (*left, *right) = (None, None);
            }
            taken.push((left, right));
        }
    }
    taken
}

/// The fit of a pair of sites, their next members, and which pair it is.
type Next = ((bool, i64), usize, usize, usize);

/// Takes pairs of members, the nearest sites first. A pair of sites stands in the heap with its next two members; those
/// only move on, so an entry that is no longer true comes up too early, never too late.
fn nearest(SitePairs { left, right, pairs }: SitePairs) -> Vec<(usize, usize)> {
    let mut left: Vec<_> = left.into_iter().map(|members| members.into_iter().peekable()).collect();
    let mut right: Vec<_> = right.into_iter().map(|members| members.into_iter().peekable()).collect();
    let mut heap: BinaryHeap<Reverse<Next>> = BinaryHeap::new();
    for (number, pair) in pairs.iter().enumerate() {
        // Before every true one.
        heap.push(Reverse((pair.fit, 0, 0, number)));
    }
    let mut taken = Vec::new();
    while let Some(Reverse((fit, left_seen, right_seen, number))) = heap.pop() {
        let Some(SitePair { left: left_site, right: right_site, .. }) = pairs.get(number).copied() else { continue };
        let (Some(lefts), Some(rights)) = (left.get_mut(left_site), right.get_mut(right_site)) else { continue };
        let (Some(left_now), Some(right_now)) = (lefts.peek().copied(), rights.peek().copied()) else { continue };
        if (left_now, right_now) == (left_seen, right_seen) {
            taken.push((left_now, right_now));
            lefts.next();
            rights.next();
        }
        if let (Some(left_next), Some(right_next)) = (lefts.peek().copied(), rights.peek().copied()) {
            heap.push(Reverse((fit, left_next, right_next, number)));
        }
    }
    taken
}

/// Nameless rows and account rows of one minute and one length.
pub type LengthClass = (i64, i64);

/// The class in which an observation can find a partner by its length alone.
pub fn length_class(observation: &Observation) -> Option<LengthClass> {
    Some((observation.ended_at.0.div_euclid(MINUTE_MS), observation.ms_played?))
}

/// Partners by length alone, among those that nothing else took. All fit equally, so the first come first.
pub fn partners_by_length(lefts: &[Option<Faces<'_>>], rights: &[Option<&Observation>]) -> Vec<(usize, usize)> {
    let mut free: BTreeMap<LengthClass, BTreeSet<usize>> = BTreeMap::new();
    for (position, row) in rights.iter().enumerate() {
        if let Some(class) = row.and_then(length_class) {
            free.entry(class).or_default().insert(position);
        }
    }
    let mut taken = Vec::new();
    for (left, faces) in lefts.iter().enumerate() {
        let Some(faces) = faces else { continue };
        let [Some(extended), _] = faces else { continue };
        let Some(free) =
            Some(extended).filter(|row| is_nameless(row)).and_then(|row| free.get_mut(&length_class(row)?))
        else {
            continue;
        };
        let fits = |right: &usize| {
            let row = rights.get(*right).copied().flatten();
            row.and_then(|row| fit(faces, row)).is_some_and(|(ground, ..)| ground == Ground::LengthAlone)
        };
        if let Some(right) = free.iter().copied().find(fits) {
            free.remove(&right);
            taken.push((left, right));
        }
    }
    taken
}
