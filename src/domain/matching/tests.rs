//! Against the rule as it is stated: sort all pairs, take each whose two are free. And what that would cost.

use proptest::prelude::*;

use super::{
    candidates::{Faces, fit},
    match_observations,
    properties::{NOON, account, api, extended, nameless, observations},
    settle,
    sites::{Rule, site_pairs},
};
use crate::domain::{
    instant::{MINUTE_MS, SECOND_MS},
    matching::Outcome,
    observation::{Observation, Source},
    play::Play,
};

/// Joins `others` to `plays`, by all pairs.
fn joined_by_all_pairs(mut plays: Vec<Play>, others: Vec<Observation>) -> Vec<Play> {
    let mut pairs = Vec::new();
    for (left, play) in plays.iter().enumerate() {
        let faces: Faces<'_> = [play.extended.as_ref(), play.api.as_ref()];
        let stated = faces.into_iter().flatten().next().unwrap();
        for (right, other) in others.iter().enumerate() {
            if let Some(fit) = fit(&faces, other) {
                pairs.push((fit, stated.record_key(), other.record_key(), left, right));
            }
        }
    }
    pairs.sort_unstable();
    let mut others: Vec<Option<Observation>> = others.into_iter().map(Some).collect();
    for (.., left, right) in pairs {
        if let Some(other) = others[right].take_if(|other| plays[left].slot(other.source).is_none()) {
            let slot = plays[left].slot(other.source);
            *slot = Some(other);
        }
    }
    plays.extend(others.into_iter().flatten().map(Play::of));
    plays
}

fn by_all_pairs(observations: Vec<Observation>) -> Vec<Play> {
    let unique: Vec<Observation> = super::unique(observations).into_values().collect();
    let of = |source| unique.iter().filter(move |seen| seen.source == source).cloned().collect::<Vec<_>>();
    let plays = of(Source::Extended).into_iter().map(Play::of).collect();
    let plays = joined_by_all_pairs(plays, of(Source::Api));
    let mut plays = joined_by_all_pairs(plays, of(Source::Account));
    plays.sort_by_cached_key(super::sort_key);
    plays
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sites_give_what_all_pairs_give(mut observations in observations(), isrcs in any::<u64>()) {
        // Some tracks are known to be others by their ISRC, and some lengths contradict.
        for (position, seen) in observations.iter_mut().enumerate() {
            let bits = isrcs.rotate_left(u32::try_from(position * 5).unwrap());
            seen.isrc = (bits.trailing_zeros() >= 2).then(|| format!("ISRC{}", bits >> 2 & 1));
            seen.duration_ms = (bits & 0b1100 == 0).then_some(if bits & 16 == 0 { 200_000 } else { 300_000 });
        }
        prop_assert_eq!(match_observations(observations.clone()), by_all_pairs(observations));
    }
}

/// Rows of one track in one second, each of another length.
fn crowd(count: i64, of: impl Fn(i64) -> Observation) -> Vec<Observation> {
    (0..count).map(|number| Observation { ms_played: Some(30_000 + number), ..of(number) }).collect()
}

#[test]
fn a_crowd_in_one_second_costs_what_its_number_costs() {
    const COUNT: i64 = 20_000;
    let rows = crowd(COUNT, |_| extended(NOON, 1));
    let told = crowd(COUNT, |_| account(NOON, 1));
    let faces: Vec<Option<Faces<'_>>> = rows.iter().map(|row| Some([Some(row), None])).collect();
    let others: Vec<Option<&Observation>> = told.iter().map(Some).collect();
    for rule in [Rule::EndsAndLengths, Rule::Ends, Rule::ApiAtStart] {
        let pairs = site_pairs(&faces, &others, rule).pairs.len();
        assert!(pairs <= usize::try_from(COUNT).unwrap(), "{rule:?}: {pairs}");
    }
    let plays = match_observations(rows.iter().chain(&told).cloned());
    assert_eq!(plays.len(), usize::try_from(COUNT).unwrap());
    assert!(
        plays.iter().all(|play| play.extended.as_ref().unwrap().ms_played == play.account.as_ref().unwrap().ms_played)
    );

    // None of the lengths agree: still one to one, and none is lost.
    let strangers: Vec<Observation> = told
        .iter()
        .cloned()
        .map(|row| Observation { ms_played: row.ms_played.map(|ms| ms + 500_000), ..row })
        .collect();
    assert_eq!(match_observations(rows.iter().chain(&strangers).cloned()).len(), rows.len());
    let stored: Vec<Play> = rows.into_iter().map(Play::of).collect();
    let (from, to) = (NOON.minus_ms(100 * 60 * MINUTE_MS), NOON.plus_ms(100 * 60 * MINUTE_MS));
    let settled = settle(stored, &strangers, from, to).unwrap();
    assert!(settled.outcomes.iter().all(|outcome| *outcome == Outcome::Merged));
}

#[test]
fn a_crowd_of_any_other_kind_costs_no_more() {
    const COUNT: i64 = 8_000;
    // One song under thousands of URIs; a second each over hours; without names; beside a few API items.
    let mut uris = crowd(COUNT, |_| extended(NOON, 1));
    for (number, row) in uris.iter_mut().enumerate() {
        row.track.0 += i64::try_from(number).unwrap();
    }
    let spread = crowd(COUNT, |number| extended(NOON.plus_ms(number * SECOND_MS), 1));
    let mut withheld = crowd(COUNT, |_| nameless(NOON, 1));
    for (number, row) in withheld.iter_mut().enumerate() {
        row.track.0 += i64::try_from(number).unwrap();
        row.ms_played = Some(30_000);
    }
    let items: Vec<Observation> = (0..200).map(|number| api(NOON.plus_ms(number * 40 * SECOND_MS), 1)).collect();
    for rows in [uris, spread, withheld] {
        let told = crowd(COUNT, |number| {
            let song = if rows[0].song.is_none() { 10 + number } else { 1 };
            account(rows[usize::try_from(number).unwrap()].ended_at, song)
        });
        let told = told.into_iter().map(|row| Observation { ms_played: rows[0].ms_played, ..row });
        let mut ordinal = 0;
        let told: Vec<Observation> = told
            .map(|row| {
                ordinal += 1;
                Observation { ordinal, ..row }
            })
            .collect();
        let count = rows.len() + told.len() + items.len();
        let plays = match_observations(rows.into_iter().chain(told).chain(items.iter().cloned()));
        assert_eq!(plays.iter().map(|play| play.observations().count()).sum::<usize>(), count);
    }
}
