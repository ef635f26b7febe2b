//! Whether two observations could be one play, and how well they fit.
//!
//! Must stay true: a fit depends on the two observations alone, so that taking pairs in the order of their fits gives the
//! same result for every order of arrival.

use super::{MAX_SPAN_MS, is_same_track};
use crate::domain::{
    instant::Millis,
    observation::{Observation, Source},
    play::END_SLACK_MS,
};

/// Which rule speaks for a pair; the first is the stronger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    Ends,
    ApiAtStart,
    /// An extended row without names and an account row without a URI: same minute, same length to the millisecond.
    LengthAlone,
}

/// How well two observations fit; less is better. The middle says that their lengths differ.
pub type Fit = (Ground, bool, i64);

/// A play as it is compared: its extended row and its API item.
pub type Faces<'a> = [Option<&'a Observation>; 2];

/// Whether a play and another observation could be one play.
pub fn fit(faces: &Faces<'_>, other: &Observation) -> Option<Fit> {
    let [extended, _] = faces;
    if other.source == Source::Api {
        return fit_of_api((*extended)?, other);
    }
    // Both exports report the end of one event, whichever face names the track.
    if extended.is_some_and(|row| other.end_distance_ms(row.ended_at) > END_SLACK_MS) {
        return None;
    }
    match faces.iter().flatten().find(|face| is_same_track(face, other)) {
        Some(same_track) => fit_of_account(same_track, other),
        None => fit_of_nameless((*extended)?, other),
    }
}

/// Whether an extended row and an API item could be one play.
fn fit_of_api(row: &Observation, item: &Observation) -> Option<Fit> {
    if !is_same_track(row, item) {
        return None;
    }
    let end_distance_ms = item.ended_at.since_ms(row.ended_at).abs();
    if end_distance_ms <= END_SLACK_MS {
        return Some((Ground::Ends, false, end_distance_ms));
    }
    let started_at = started_at(row)?;
    let start_distance_ms = item.ended_at.since_ms(started_at).abs();
    (start_distance_ms <= END_SLACK_MS).then_some((Ground::ApiAtStart, false, start_distance_ms))
}

/// Whether an extended row or API item and an account row of the same track could be one play. Equal lengths come before
/// nearness: both exports report the length of the same event, and a minute is a coarse clock.
fn fit_of_account(other: &Observation, row: &Observation) -> Option<Fit> {
    let lengths_differ = other.ms_played != row.ms_played;
    let distance_ms = row.end_distance_ms(other.ended_at);
    if distance_ms <= END_SLACK_MS {
        return Some((Ground::Ends, lengths_differ, distance_ms));
    }
    if other.source != Source::Api {
        return None;
    }
    // The row's minute moved back to where the play began, as wide as it was.
    let heard_ms = row.ended_at.since_ms(started_at(row)?);
    let distance_ms = row.end_distance_ms(other.ended_at.plus_ms(heard_ms));
    (distance_ms <= END_SLACK_MS).then_some((Ground::ApiAtStart, lengths_differ, distance_ms))
}

/// Whether an extended row whose names were withheld and an account row could be one play. Nothing names the track in
/// both, but both report the length of one event to the millisecond. Taken last: an account row whose own extended row
/// has its name is gone by then.
fn fit_of_nameless(other: &Observation, row: &Observation) -> Option<Fit> {
    let same_length = other.ms_played.is_some() && other.ms_played == row.ms_played;
    let same_minute = row.end_distance_ms(other.ended_at) == 0;
    (is_nameless(other) && same_length && same_minute).then_some((Ground::LengthAlone, false, 0))
}

/// Whether an extended row gave a URI and no names, and none are known.
pub fn is_nameless(row: &Observation) -> bool {
    row.source == Source::Extended && row.details.without_names && row.song.is_none()
}

/// When an export's row began, as far as can be told: the device's own clock, else its end less the time heard.
pub fn started_at(row: &Observation) -> Option<Millis> {
    let started_at = row.started_at.or_else(|| Some(row.ended_at.minus_ms(row.ms_played?)))?;
    let span_ms = row.ended_at.since_ms(started_at);
    (0..=MAX_SPAN_MS).contains(&span_ms).then_some(started_at)
}
