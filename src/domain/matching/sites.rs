//! Observations that a rule cannot tell apart, taken together as a site.
//!
//! A hostile or broken export has thousands of rows of one track in one second, and each of them fits each of thousands
//! of others. Sites of one side fit few sites of the other: an instant reaches over two minutes of whole seconds at
//! most. Must stay true: what fits is decided by [`fit`] alone; here it is only looked for in the right places; the number
//! of pairs grows with the number of observations, not with its square, for whatever an export holds.

use std::collections::HashMap;

use super::candidates::{Faces, Ground, fit, started_at};
use crate::domain::{
    ids::{SongId, TrackId},
    instant::Millis,
    observation::{ACCOUNT_PRECISION_MS, Observation, Source},
    play::END_SLACK_MS,
};

/// What speaks for a pair, in the order in which pairs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The ends agree, and so do the lengths.
    EndsAndLengths,
    Ends,
    /// The API's instant agrees with the start.
    ApiAtStart,
}

/// Sites of two sides, as positions in order, and which of them fit.
pub struct SitePairs {
    pub left: Vec<Vec<usize>>,
    pub right: Vec<Vec<usize>>,
    pub pairs: Vec<SitePair>,
}

/// Two sites that fit. The order of `fit` is the order in which pairs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SitePair {
    pub fit: (bool, i64),
    pub left: usize,
    pub right: usize,
}

/// All that is known of which track an observation speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Identity<'a> {
    track: TrackId,
    song: Option<SongId>,
    isrc: Option<&'a str>,
    duration_ms: Option<i64>,
}

/// What the members of a site have in common.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key<'a> {
    identities: [Option<Identity<'a>>; 2],
    ended_at: [Option<Millis>; 2],
    /// Only where the rule looks at them.
    lengths: [Option<i64>; 2],
    started_at: Option<Millis>,
}

/// What two observations of one track have in common: one of these.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Name<'a> {
    Track(TrackId),
    Song(SongId),
    Isrc(&'a str),
}

fn names(observation: &Observation) -> impl Iterator<Item = Name<'_>> {
    let track = Some(Name::Track(observation.track));
    [track, observation.song.map(Name::Song), observation.isrc.as_deref().map(Name::Isrc)].into_iter().flatten()
}

/// A name, with the length where the rule wants it equal.
type Place<'a> = (Name<'a>, Option<i64>);

impl Rule {
    fn key<'a>(self, faces: &Faces<'a>) -> Key<'a> {
        let of = |face: Option<&'a Observation>| {
            face.map(|seen| Identity {
                track: seen.track,
                song: seen.song,
                isrc: seen.isrc.as_deref(),
                duration_ms: seen.duration_ms,
            })
        };
        let [first, second] = *faces;
        let length = |face: Option<&Observation>| face.filter(|_| self != Self::Ends).and_then(|seen| seen.ms_played);
        Key {
            identities: [of(first), of(second)],
            ended_at: [first.map(|seen| seen.ended_at), second.map(|seen| seen.ended_at)],
            lengths: [length(first), length(second)],
            started_at: first.filter(|_| self == Self::ApiAtStart).and_then(started_at),
        }
    }

    fn length(self, observation: &Observation) -> Option<i64> {
        observation.ms_played.filter(|_| self == Self::EndsAndLengths)
    }

    /// Where a face is looked for by observations of `source`.
    fn instant(self, face: &Observation, source: Source) -> Option<Millis> {
        match (self, face.source, source) {
            (Self::Ends | Self::EndsAndLengths, ..) | (Self::ApiAtStart, Source::Api, Source::Account) => {
                Some(face.ended_at)
            }
            (Self::ApiAtStart, Source::Extended, Source::Api) => started_at(face),
            (Self::ApiAtStart, ..) => None,
        }
    }

    /// Where an observation looks for faces.
    fn window(self, right: &Observation) -> Option<(Millis, Millis)> {
        let middle = match (self, right.source) {
            (Self::ApiAtStart, Source::Account) => started_at(right)?,
            _ => right.ended_at,
        };
        let width_ms = if right.source == Source::Account { ACCOUNT_PRECISION_MS } else { 0 };
        Some((middle.minus_ms(END_SLACK_MS), middle.plus_ms(width_ms + END_SLACK_MS)))
    }

    fn fit(self, faces: &Faces<'_>, right: &Observation) -> Option<(bool, i64)> {
        match (self, fit(faces, right)?) {
            (Self::EndsAndLengths, (Ground::Ends, false, distance_ms)) => Some((false, distance_ms)),
            // The members' own lengths are not those of the whole site.
            (Self::Ends, (Ground::Ends, _, distance_ms)) => Some((true, distance_ms)),
            (Self::ApiAtStart, (Ground::ApiAtStart, lengths_differ, distance_ms)) => {
                Some((lengths_differ, distance_ms))
            }
            _ => None,
        }
    }
}

/// The sites of both sides under a rule. `rights` are of one source; `None` on either side is not looked at.
pub fn site_pairs(lefts: &[Option<Faces<'_>>], rights: &[Option<&Observation>], rule: Rule) -> SitePairs {
    let left = sites(lefts.iter().map(|faces| Some(rule.key(faces.as_ref()?))));
    let right = sites(rights.iter().map(|seen| Some(rule.key(&[Some((*seen)?), None]))));
    let mut pairs = Vec::new();
    let Some(source) = rights.iter().flatten().map(|seen| seen.source).next() else {
        return SitePairs { left, right, pairs };
    };
    let left_sample = |site: usize| lefts.get(*left.get(site)?.first()?)?.as_ref();
    let mut places: HashMap<Place<'_>, Vec<(Millis, usize)>> = HashMap::new();
    for site in 0..left.len() {
        for face in left_sample(site).into_iter().flatten().flatten() {
            let Some(instant) = rule.instant(face, source) else { continue };
            for name in names(face) {
                places.entry((name, rule.length(face))).or_default().push((instant, site));
            }
        }
    }
    for sites in places.values_mut() {
        sites.sort_unstable();
    }
    let mut near: Vec<usize> = Vec::new();
    for (right_site, members) in right.iter().enumerate() {
        let Some(sample) = members.first().and_then(|member| *rights.get(*member)?) else { continue };
        let Some((from, to)) = rule.window(sample) else { continue };
        near.clear();
        for name in names(sample) {
            let sites = places.get(&(name, rule.length(sample))).map_or(&[][..], Vec::as_slice);
            let begin = sites.partition_point(|(instant, _)| *instant < from);
            let within = sites.iter().skip(begin).take_while(|(instant, _)| *instant <= to);
            near.extend(within.map(|(_, site)| *site));
        }
        near.sort_unstable();
        near.dedup();
        for left_site in &near {
            let fit = left_sample(*left_site).and_then(|faces| rule.fit(faces, sample));
            pairs.extend(fit.map(|fit| SitePair { fit, left: *left_site, right: right_site }));
        }
    }
    SitePairs { left, right, pairs }
}

fn sites<'a>(keys: impl Iterator<Item = Option<Key<'a>>>) -> Vec<Vec<usize>> {
    let mut known: HashMap<Key<'a>, usize> = HashMap::new();
    let mut sites: Vec<Vec<usize>> = Vec::new();
    for (position, key) in keys.enumerate() {
        let Some(key) = key else { continue };
        let site = *known.entry(key).or_insert(sites.len());
        match sites.get_mut(site) {
            Some(members) => members.push(position),
            None => sites.push(vec![position]),
        }
    }
    sites
}
