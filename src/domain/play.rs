//! A play: what happened once, with at most one observation of each source side by side.
//!
//! Must stay true: the observations are kept whole, so that a play can always be taken apart and matched anew; the
//! values shown for a play are the best among them and are never stored apart from them.

use super::{
    ids::TrackId,
    instant::{Millis, SECOND_MS},
    observation::{Kind, Observation, Source},
};

/// One play. At least one of the three is present; [`Play::of`] and matching are the only ways to make one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Play {
    pub extended: Option<Observation>,
    pub account: Option<Observation>,
    pub api: Option<Observation>,
}

/// How far an API instant may lie from the export's END and still be the same end.
pub const END_SLACK_MS: i64 = 30 * SECOND_MS;

impl Play {
    pub fn of(observation: Observation) -> Self {
        let mut play = Self::default();
        let slot = play.slot(observation.source);
        *slot = Some(observation);
        play
    }

    pub const fn slot(&mut self, source: Source) -> &mut Option<Observation> {
        match source {
            Source::Extended => &mut self.extended,
            Source::Account => &mut self.account,
            Source::Api => &mut self.api,
        }
    }

    pub fn observations(&self) -> impl Iterator<Item = &Observation> {
        [&self.extended, &self.account, &self.api].into_iter().flatten()
    }

    pub fn into_observations(self) -> impl Iterator<Item = Observation> {
        [self.extended, self.account, self.api].into_iter().flatten()
    }

    /// The source trusted most for what was played and for how long.
    fn best(&self) -> Option<&Observation> {
        // The API knows which track it was; account data knows only names.
        self.extended.as_ref().or(self.api.as_ref()).or(self.account.as_ref())
    }

    /// When it ended: the API's millisecond where it speaks of the end, else the export's second or minute.
    pub fn ended_at(&self) -> Millis {
        let exported = self.extended.as_ref().or(self.account.as_ref());
        match (exported, &self.api) {
            (Some(export), Some(api)) if export.end_distance_ms(api.ended_at) <= END_SLACK_MS => api.ended_at,
            (Some(export), _) => export.ended_at,
            (None, Some(api)) => api.ended_at,
            (None, None) => Millis(0),
        }
    }

    pub fn track(&self) -> TrackId {
        self.best().map_or(TrackId(0), |best| best.track)
    }

    pub fn kind(&self) -> Kind {
        self.best().map_or(Kind::Music, |best| best.kind)
    }

    /// Time heard; `None` when no source says.
    pub fn ms_played(&self) -> Option<i64> {
        let of = |observation: &Option<Observation>| observation.as_ref().and_then(|seen| seen.ms_played);
        of(&self.extended).or_else(|| of(&self.account))
    }
}
