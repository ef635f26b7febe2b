//! Which pairs of observations could be one play, and how good each pair is.
//!
//! Must stay true: the order of pairs is total and depends on the two observations alone, so that taking them in order
//! gives the same result for every order of arrival.

use super::{MAX_SPAN_MS, is_same_track};
use crate::domain::{
    instant::Millis,
    observation::{ACCOUNT_PRECISION_MS, Observation, RecordKey, Source},
    play::{END_SLACK_MS, Play},
};

/// Which rule speaks for a pair; the first is the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    Ends,
    ApiAtStart,
    /// An extended row without names and an account row without a URI: same minute, same length to the millisecond.
    LengthAlone,
}

/// How well two observations fit; less is better.
type Fit = (Rule, bool, i64);

/// A pair of positions in two lists. The order of the fields is the order in which pairs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    fit: Fit,
    keys: (RecordKey, RecordKey),
    pub left: usize,
    pub right: usize,
}

/// Pairs of an extended row and an API item. Both lists are in order of time.
pub fn api_pairs(extended: &[Observation], api: &[Observation]) -> Vec<Pair> {
    let ends: Vec<Millis> = extended.iter().map(|row| row.ended_at).collect();
    within(&ends, api, END_SLACK_MS, MAX_SPAN_MS + END_SLACK_MS)
        .filter_map(|(left, right)| {
            let (row, item) = (extended.get(left)?, api.get(right)?);
            let fit = fit_of_api(row, item)?;
            Some(Pair { fit, keys: (row.record_key(), item.record_key()), left, right })
        })
        .collect()
}

/// Pairs of a play (of an extended row, an API item or both) and an account row.
pub fn account_pairs(plays: &[Play], account: &[Observation]) -> Vec<Pair> {
    let mut by_end: Vec<(Millis, usize)> =
        plays.iter().enumerate().filter_map(|(index, play)| Some((stated_end(play)?.ended_at, index))).collect();
    by_end.sort_unstable();
    let ends: Vec<Millis> = by_end.iter().map(|(end, _)| *end).collect();
    within(&ends, account, MAX_SPAN_MS + END_SLACK_MS, ACCOUNT_PRECISION_MS + END_SLACK_MS)
        .filter_map(|(position, right)| {
            let (_, left) = *by_end.get(position)?;
            let (play, row) = (plays.get(left)?, account.get(right)?);
            let end = stated_end(play)?;
            let fit = match play.observations().find(|observation| is_same_track(observation, row)) {
                Some(same_track) => fit_of_account(same_track, row)?,
                None => fit_of_nameless(play.extended.as_ref()?, row)?,
            };
            Some(Pair { fit, keys: (end.record_key(), row.record_key()), left, right })
        })
        .collect()
}

/// The observation that says best when the play ended.
fn stated_end(play: &Play) -> Option<&Observation> {
    play.extended.as_ref().or(play.api.as_ref())
}

/// Positions of `ends` and `others` where the end lies from `before_ms` before to `after_ms` after the other's instant.
fn within<'a>(
    ends: &'a [Millis],
    others: &'a [Observation],
    before_ms: i64,
    after_ms: i64,
) -> impl Iterator<Item = (usize, usize)> + 'a {
    others.iter().enumerate().flat_map(move |(right, other)| {
        let from = ends.partition_point(|end| *end < other.ended_at.minus_ms(before_ms));
        let to = ends.partition_point(|end| *end <= other.ended_at.plus_ms(after_ms));
        (from..to).map(move |left| (left, right))
    })
}

/// Whether an extended row and an API item could be one play.
pub fn fit_of_api(row: &Observation, item: &Observation) -> Option<Fit> {
    if !is_same_track(row, item) {
        return None;
    }
    let end_distance_ms = item.ended_at.since_ms(row.ended_at).abs();
    if end_distance_ms <= END_SLACK_MS {
        return Some((Rule::Ends, false, end_distance_ms));
    }
    let started_at = started_at(row)?;
    let start_distance_ms = item.ended_at.since_ms(started_at).abs();
    (start_distance_ms <= END_SLACK_MS).then_some((Rule::ApiAtStart, false, start_distance_ms))
}

/// Whether an extended row or API item and an account row could be one play. Equal lengths come before nearness: both
/// exports report the length of the same event, and a minute is a coarse clock.
pub fn fit_of_account(other: &Observation, row: &Observation) -> Option<Fit> {
    if !is_same_track(other, row) {
        return None;
    }
    let lengths_differ = other.ms_played != row.ms_played;
    let distance_ms = row.end_distance_ms(other.ended_at);
    if distance_ms <= END_SLACK_MS {
        return Some((Rule::Ends, lengths_differ, distance_ms));
    }
    if other.source != Source::Api {
        return None;
    }
    // The row's minute moved back to where the play began, as wide as it was.
    let heard_ms = row.ended_at.since_ms(started_at(row)?);
    let distance_ms = row.end_distance_ms(other.ended_at.plus_ms(heard_ms));
    (distance_ms <= END_SLACK_MS).then_some((Rule::ApiAtStart, lengths_differ, distance_ms))
}

/// Whether an extended row whose names were withheld and an account row could be one play. Nothing names the track in
/// both, but both report the length of one event to the millisecond. Taken last: an account row whose own extended row
/// has its name is gone by then.
pub fn fit_of_nameless(other: &Observation, row: &Observation) -> Option<Fit> {
    let is_nameless = other.source == Source::Extended && other.details.without_names && other.song.is_none();
    let same_length = other.ms_played.is_some() && other.ms_played == row.ms_played;
    let same_minute = row.end_distance_ms(other.ended_at) == 0;
    (is_nameless && same_length && same_minute).then_some((Rule::LengthAlone, false, 0))
}

/// When an export's row began, as far as can be told: the device's own clock, else its end less the time heard.
pub fn started_at(row: &Observation) -> Option<Millis> {
    let started_at = row.started_at.or_else(|| Some(row.ended_at.minus_ms(row.ms_played?)))?;
    let span_ms = row.ended_at.since_ms(started_at);
    (0..=MAX_SPAN_MS).contains(&span_ms).then_some(started_at)
}
