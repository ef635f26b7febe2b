//! What must hold for every set of observations, and the cases that decided a rule.

use proptest::prelude::*;

use super::{clusters, in_order, match_observations, moments, parts, settle};
use crate::domain::{
    ids::{SongId, TrackId},
    instant::{MINUTE_MS, Millis, SECOND_MS},
    matching::Outcome,
    observation::{Details, Kind, Observation, Source},
    play::Play,
};

pub const NOON: Millis = Millis(1_561_982_400_000);

fn seen(source: Source, ended_at: Millis, song: i64) -> Observation {
    let song = SongId(song);
    let track = if source == Source::Account { song.as_track() } else { TrackId(1_000 + song.0) };
    Observation {
        source,
        ended_at,
        track,
        song: Some(song),
        kind: Kind::Music,
        ms_played: (source != Source::Api).then_some(200_000),
        started_at: None,
        ordinal: 0,
        isrc: None,
        duration_ms: None,
        details: Details::default(),
        file: None,
    }
}

pub fn extended(at: Millis, song: i64) -> Observation {
    seen(Source::Extended, at, song)
}

pub fn api(at: Millis, song: i64) -> Observation {
    seen(Source::Api, at, song)
}

pub fn account(at: Millis, song: i64) -> Observation {
    seen(Source::Account, Millis(at.0.div_euclid(MINUTE_MS) * MINUTE_MS), song)
}

/// A row of a track that was withdrawn: a URI, and no names.
pub fn nameless(at: Millis, song: i64) -> Observation {
    let row = extended(at, song);
    Observation { song: None, details: Details { without_names: true, ..row.details.clone() }, ..row }
}

/// Few songs and short distances, so that chains of possible partners are common.
pub fn observations() -> impl Strategy<Value = Vec<Observation>> {
    let one = (0..4_u8, 0..900_i64, 1..4_i64, prop::sample::select(vec![31_000_i64, 60_000, 200_000]), any::<bool>());
    prop::collection::vec(one, 1..40).prop_map(|drawn| {
        let mut observations: Vec<Observation> = Vec::new();
        for (source, second, song, ms, started) in drawn {
            let at = NOON.plus_ms(second * SECOND_MS + if source == 2 { 381 } else { 0 });
            let mut observation = match source {
                0 => extended(at, song),
                1 => account(at, song),
                2 => api(at, song),
                _ => nameless(at, song),
            };
            if observation.ms_played.is_some() {
                observation.ms_played = Some(ms);
            }
            if source == 0 && started {
                // A pause of an hour: the API may have reported the start.
                observation.started_at = Some(at.minus_ms(ms + 60 * MINUTE_MS));
            }
            let key = observation.record_key();
            if source == 1 {
                let equal = observations.iter().filter(|known| {
                    (known.source, known.ended_at, known.track, known.ms_played) == (key.0, key.1, key.2, key.3)
                });
                observation.ordinal = u32::try_from(equal.count()).unwrap();
            }
            observations.push(observation);
        }
        observations
    })
}

/// A store that settles one batch as the import does: only what is asked for is seen.
fn take_up(stored: &mut Vec<Play>, new: &[Observation]) -> Vec<Outcome> {
    let mut slack_ms = 0;
    loop {
        let mut outcomes = vec![Outcome::Duplicate; new.len()];
        let mut next = stored.clone();
        let settled = clusters(new, slack_ms).into_iter().try_for_each(|cluster| {
            let in_range = |play: &Play| (cluster.seen_from..=cluster.seen_to).contains(&play.ended_at());
            let (given, rest): (Vec<Play>, Vec<Play>) = next.drain(..).partition(in_range);
            let of_cluster: Vec<Observation> = cluster.positions.iter().map(|at| new[*at].clone()).collect();
            let settled = settle(given, &of_cluster, cluster.seen_from, cluster.seen_to)?;
            for (position, outcome) in cluster.positions.iter().zip(settled.outcomes) {
                outcomes[*position] = outcome;
            }
            next = rest;
            next.extend(settled.plays);
            Ok::<_, super::SeenTooLittle>(())
        });
        if settled.is_ok() {
            *stored = next;
            stored.sort_by_cached_key(super::sort_key);
            return outcomes;
        }
        slack_ms = slack_ms * 4 + MINUTE_MS;
    }
}

/// Equal account rows are told apart by a number that the store does not keep.
fn without_numbers(plays: &[Play]) -> Vec<Play> {
    let mut plays = plays.to_vec();
    for account in plays.iter_mut().filter_map(|play| play.account.as_mut()) {
        account.ordinal = 0;
    }
    plays.sort_by_cached_key(super::sort_key);
    plays
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_arrival_does_not_matter(observations in observations(), seed in any::<u64>()) {
        let straight = match_observations(observations.clone());
        let mut shuffled = observations;
        let count = shuffled.len();
        for index in 0..count {
            let other = usize::try_from(seed.rotate_left(u32::try_from(index).unwrap()) % 97).unwrap() % count;
            shuffled.swap(index, other);
        }
        prop_assert_eq!(match_observations(shuffled), straight);
    }

    #[test]
    fn a_source_by_itself_can_be_settled_by_instant_and_track(observations in observations(), cut in 0..40_usize) {
        for source in [Source::Extended, Source::Account] {
            let own: Vec<Observation> = observations.iter().filter(|seen| seen.source == source).cloned().collect();
            let (old, new) = own.split_at(cut.min(own.len()));
            let mut plays = match_observations(old.to_vec());
            let within = |play: &Play, (from, to): &(Millis, Millis)| (*from..=*to).contains(&play.ended_at());
            let ranges = moments(new);
            let key = |at: &usize| (new[*at].ended_at, new[*at].track);
            for group in in_order(new).chunk_by(|one, next| key(one) == key(next)) {
                let (instant, track) = key(&group[0]);
                let is_of_group = |play: &mut Play| (play.ended_at(), play.track()) == (instant, track);
                let given: Vec<Play> = plays.extract_if(.., is_of_group).collect();
                prop_assert!(given.iter().all(|play| ranges.iter().any(|range| within(play, range))));
                let of_group: Vec<Observation> = group.iter().map(|at| new[*at].clone()).collect();
                plays.extend(settle(given, &of_group, instant, instant).unwrap().plays);
            }
            prop_assert_eq!(without_numbers(&plays), without_numbers(&match_observations(own)));
        }
    }

    #[test]
    fn parts_one_after_the_other_end_in_the_same_plays(observations in observations()) {
        let mut stored = Vec::new();
        for positions in parts(&observations) {
            let part: Vec<Observation> = positions.iter().map(|at| observations[*at].clone()).collect();
            take_up(&mut stored, &part);
        }
        prop_assert_eq!(without_numbers(&stored), without_numbers(&match_observations(observations)));
    }

    #[test]
    fn every_cut_into_batches_ends_in_the_same_plays(
        observations in observations(),
        cuts in prop::collection::vec(1..8_usize, 1..20),
        by_source in any::<bool>(),
    ) {
        let straight = match_observations(observations.clone());
        let mut arriving = observations;
        if by_source {
            arriving.sort_by_key(|observation| std::cmp::Reverse(observation.source));
        }
        let mut stored = Vec::new();
        let mut rest = arriving.as_slice();
        let mut cuts = cuts.into_iter().cycle();
        while !rest.is_empty() {
            let (batch, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            take_up(&mut stored, batch);
            rest = later;
        }
        prop_assert_eq!(without_numbers(&stored), without_numbers(&straight));
        // Arriving again changes nothing.
        for outcome in take_up(&mut stored, &arriving) {
            prop_assert_eq!(outcome, Outcome::Duplicate);
        }
        prop_assert_eq!(without_numbers(&stored), without_numbers(&straight));
    }

    #[test]
    fn no_record_is_lost_and_none_is_used_twice(observations in observations()) {
        let mut records: Vec<_> = observations.iter().map(Observation::record_key).collect();
        records.sort();
        records.dedup();
        let plays = match_observations(observations);
        let mut used: Vec<_> = plays.iter().flat_map(Play::observations).map(Observation::record_key).collect();
        used.sort();
        prop_assert_eq!(used, records);
    }
}

#[test]
fn api_and_export_of_one_listen_are_one_play_with_the_best_of_both() {
    let plays = match_observations([extended(NOON, 1), api(NOON.plus_ms(381), 1), account(NOON, 1)]);
    assert_eq!(plays.len(), 1);
    assert_eq!(plays[0].ended_at(), NOON.plus_ms(381));
    assert_eq!(plays[0].ms_played(), Some(200_000));
    assert_eq!(plays[0].track(), TrackId(1_001));
}

#[test]
fn two_listens_of_one_track_stay_two() {
    let later = NOON.plus_ms(200 * SECOND_MS);
    let plays = match_observations([extended(NOON, 1), extended(later, 1), api(NOON, 1), api(later, 1)]);
    assert_eq!(plays.len(), 2);
    assert!(plays.iter().all(|play| play.observations().count() == 2));
}

#[test]
fn the_nearest_partner_wins_and_the_other_stays_alone() {
    let plays =
        match_observations([extended(NOON, 1), extended(NOON.plus_ms(20_000), 1), api(NOON.plus_ms(18_000), 1)]);
    assert_eq!(plays.len(), 2);
    assert!(plays[0].api.is_none());
    assert!(plays[1].api.is_some());
}

#[test]
fn thirty_seconds_are_near_enough_and_thirty_one_are_not() {
    assert_eq!(match_observations([extended(NOON, 1), api(NOON.plus_ms(30_000), 1)]).len(), 1);
    assert_eq!(match_observations([extended(NOON, 1), api(NOON.plus_ms(30_001), 1)]).len(), 2);
}

#[test]
fn an_api_instant_at_the_start_of_a_paused_play_belongs_to_it() {
    let mut row = extended(NOON, 1);
    row.started_at = Some(NOON.minus_ms(5 * 60 * MINUTE_MS));
    let plays = match_observations([row, api(NOON.minus_ms(5 * 60 * MINUTE_MS), 1)]);
    assert_eq!(plays.len(), 1);
    assert_eq!(plays[0].ended_at(), NOON);
}

#[test]
fn account_data_finds_its_play_by_name_within_its_minute() {
    let at = NOON.plus_ms(59_000);
    assert_eq!(match_observations([extended(at, 1), account(at, 1)]).len(), 1);
    assert_eq!(match_observations([extended(at, 1), account(at, 2)]).len(), 2);
    assert_eq!(match_observations([extended(NOON.plus_ms(90_001), 1), account(NOON, 1)]).len(), 2);
}

#[test]
fn a_row_without_names_is_the_account_row_of_its_length_that_nothing_else_took() {
    let of_length = |mut observation: Observation, ms| {
        observation.ms_played = Some(ms);
        observation
    };
    let withheld = of_length(nameless(NOON.plus_ms(30_000), 1), 187_654);
    let told = of_length(account(NOON, 1), 187_654);
    assert_eq!(match_observations([withheld.clone(), told.clone()]).len(), 1);
    // Another length, another minute, or a name that contradicts: another play.
    assert_eq!(match_observations([withheld.clone(), of_length(told.clone(), 187_655)]).len(), 2);
    assert_eq!(match_observations([withheld.clone(), of_length(account(NOON.minus_ms(1), 1), 187_654)]).len(), 2);
    assert_eq!(match_observations([of_length(extended(NOON, 2), 187_654), told.clone()]).len(), 2);
    // The account row's own extended row comes first.
    let own = of_length(extended(NOON.plus_ms(59_000), 1), 187_654);
    let plays = match_observations([withheld, own, told]);
    assert_eq!(plays.len(), 2);
    assert!(plays.iter().all(|play| play.account.is_none() == play.extended.as_ref().unwrap().song.is_none()));
}

#[test]
fn an_account_row_that_ended_elsewhere_is_not_joined_by_the_name_that_the_api_gave() {
    let (ended, item) = (NOON.plus_ms(428_000), NOON.plus_ms(457_381));
    // Began when the item was played, and ended three minutes after the row without names.
    let plays = match_observations([nameless(ended, 1), api(item, 1), account(NOON.plus_ms(600_000), 1)]);
    assert_eq!(plays.len(), 2);
    assert_eq!(match_observations([nameless(ended, 1), api(item, 1), account(ended, 1)]).len(), 1);
}

#[test]
fn a_row_that_gets_its_names_later_gives_back_the_account_row_of_another() {
    let told = account(NOON, 1);
    let at = NOON.plus_ms(19_000);
    let mut stored = Vec::new();
    take_up(&mut stored, &[nameless(at, 3), told.clone()]);
    assert_eq!(stored.len(), 1);
    assert_eq!(take_up(&mut stored, &[extended(at, 3)]), [Outcome::Duplicate]);
    assert_eq!(stored, match_observations([nameless(at, 3), told, extended(at, 3)]));
    assert_eq!(stored.len(), 2);
}

#[test]
fn a_skip_and_a_listen_in_one_minute_are_told_apart_by_their_lengths() {
    let mut skip = extended(NOON.plus_ms(5_000), 1);
    skip.ms_played = Some(3_000);
    let mut named_skip = account(NOON, 1);
    named_skip.ms_played = Some(3_000);
    let plays = match_observations([skip, extended(NOON.plus_ms(50_000), 1), account(NOON, 1), named_skip]);
    assert_eq!(plays.len(), 2);
    for play in plays {
        assert_eq!(play.extended.unwrap().ms_played, play.account.unwrap().ms_played);
    }
}

#[test]
fn two_equal_account_rows_of_a_minute_are_two_plays() {
    let mut second = account(NOON, 1);
    second.ordinal = 1;
    assert_eq!(match_observations([account(NOON, 1), second]).len(), 2);
}

#[test]
fn offline_plays_that_share_an_instant_stay_apart_by_their_starts() {
    let mut first = extended(NOON, 1);
    first.started_at = Some(NOON.minus_ms(900_000));
    let mut second = extended(NOON, 1);
    second.started_at = Some(NOON.minus_ms(600_000));
    assert_eq!(match_observations([first.clone(), second, first]).len(), 2);
}

#[test]
fn relinked_tracks_are_one_by_isrc_and_kept_apart_by_length() {
    let mut other_id = api(NOON, 1);
    other_id.track = TrackId(77);
    other_id.song = None;
    other_id.isrc = Some("USX1".to_owned());
    let mut row = extended(NOON, 1);
    row.isrc = Some("USX1".to_owned());
    row.duration_ms = Some(200_000);
    assert_eq!(match_observations([row.clone(), other_id.clone()]).len(), 1);
    other_id.isrc = None;
    other_id.song = row.song;
    other_id.duration_ms = Some(260_000);
    assert_eq!(match_observations([row, other_id]).len(), 2);
}
