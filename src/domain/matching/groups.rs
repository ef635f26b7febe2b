//! Groups of observations that could end up in one play, directly or through others.
//!
//! Must stay true: what happens inside a group depends on nothing outside it, so a group that holds nothing new is left
//! exactly as it is stored.

use std::collections::HashMap;

use super::{
    END_MARGIN_MS, MAX_SPAN_MS, SeenTooLittle,
    candidates::{Faces, is_nameless},
    cuts::reach,
    match_observations,
    nearest::{LengthClass, length_class},
    sites::{Rule, site_pairs},
    sort_key,
};
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
    join_partners(&mut groups, &units);
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

/// Joins the units of which some observations could be one play.
fn join_partners(groups: &mut Groups, units: &[Unit]) {
    let of = |source: Source| -> Vec<(usize, &Observation)> {
        let seen =
            units.iter().enumerate().flat_map(|(unit, known)| known.play.observations().map(move |seen| (unit, seen)));
        seen.filter(|(_, seen)| seen.source == source).collect()
    };
    let (extended, account, api) = (of(Source::Extended), of(Source::Account), of(Source::Api));
    join_by_rules(groups, &extended, &api, &[Rule::Ends, Rule::ApiAtStart]);
    join_by_rules(groups, &extended, &account, &[Rule::Ends]);
    join_by_rules(groups, &api, &account, &[Rule::Ends, Rule::ApiAtStart]);
    join_by_length(groups, &extended, &account);
}

/// An observation and the unit it is of.
type OfUnit<'a> = (usize, &'a Observation);

fn join_by_rules(groups: &mut Groups, lefts: &[OfUnit<'_>], rights: &[OfUnit<'_>], rules: &[Rule]) {
    let faces: Vec<Option<Faces<'_>>> = lefts.iter().map(|(_, seen)| Some(faces(seen))).collect();
    let others: Vec<Option<&Observation>> = rights.iter().map(|(_, seen)| Some(*seen)).collect();
    for rule in rules {
        let found = site_pairs(&faces, &others, *rule);
        let (mut is_joined_left, mut is_joined_right) = (vec![false; found.left.len()], vec![false; found.right.len()]);
        for pair in found.pairs {
            let left = join_site(groups, lefts, &found.left, &mut is_joined_left, pair.left);
            let right = join_site(groups, rights, &found.right, &mut is_joined_right, pair.right);
            if let (Some(left), Some(right)) = (left, right) {
                groups.join(left, right);
            }
        }
    }
}

fn faces(seen: &Observation) -> Faces<'_> {
    if seen.source == Source::Extended { [Some(seen), None] } else { [None, Some(seen)] }
}

/// Joins the members of a site with each other, once, and names a unit among them. Those of one source are never one
/// play, but what one of them takes the others cannot have.
fn join_site(
    groups: &mut Groups,
    observations: &[OfUnit<'_>],
    sites: &[Vec<usize>],
    is_joined: &mut [bool],
    site: usize,
) -> Option<usize> {
    let mut members = sites.get(site)?.iter().filter_map(|member| observations.get(*member)).map(|(unit, _)| *unit);
    let first = members.next()?;
    if !std::mem::replace(is_joined.get_mut(site)?, true) {
        members.for_each(|unit| groups.join(first, unit));
    }
    Some(first)
}

fn join_by_length(groups: &mut Groups, extended: &[OfUnit<'_>], account: &[OfUnit<'_>]) {
    let mut nameless: HashMap<LengthClass, usize> = HashMap::new();
    for (unit, seen) in extended.iter().filter(|(_, seen)| is_nameless(seen)) {
        let Some(class) = length_class(seen) else { continue };
        nameless.entry(class).or_insert(*unit);
    }
    let mut wanted: HashMap<LengthClass, usize> = HashMap::new();
    for (unit, seen) in account {
        let Some(class) = length_class(seen) else { continue };
        if let Some(first) = nameless.get(&class) {
            wanted.insert(class, *first);
            groups.join(*first, *unit);
        }
    }
    for (unit, seen) in extended.iter().filter(|(_, seen)| is_nameless(seen)) {
        if let Some(first) = length_class(seen).and_then(|class| wanted.get(&class)) {
            groups.join(*first, *unit);
        }
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
