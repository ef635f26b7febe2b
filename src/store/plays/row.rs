//! A play as a row: its observations side by side.
//!
//! Must stay true: decoding gives back exactly the observations that were encoded, but for what belongs to the track
//! (song, ISRC, length) and for the number that tells equal account rows apart; equal plays have equal rows.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::domain::{
    ids::{ImportFileId, SongId, TrackId},
    instant::Millis,
    observation::{Details, Kind, Observation, Reason, Source, StoredReason},
    play::Play,
};

/// The key of a play's row, beside the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PlayKey {
    pub ended_at: i64,
    pub track: TrackId,
    /// Counts plays of one track that ended in the same instant, from 0.
    pub ordinal: i64,
}

impl PlayKey {
    /// Before every key of this instant, and behind every earlier one.
    pub const fn first_at(ended_at: Millis) -> Self {
        Self { ended_at: ended_at.0, track: TrackId(i64::MIN), ordinal: i64::MIN }
    }
}

/// A row of `plays`, in the order of [`COLUMNS`]. Instants of sources are distances from `ended_at`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlayRow(
    pub(super) i64,                  // 0 ended_at
    pub(super) TrackId,              // 1 track_id
    pub(super) i64,                  // 2 ordinal
    pub(super) i64,                  // 3 kind
    pub(super) Option<i64>,          // 4 ms_played
    pub(super) Option<i64>,          // 5 extended_offset_ms
    pub(super) Option<i64>,          // 6 extended_elapsed_ms
    pub(super) Option<StoredReason>, // 7 reason_start
    pub(super) Option<StoredReason>, // 8 reason_end
    pub(super) i64,                  // 9 flags
    pub(super) Option<ImportFileId>, // 10 extended_file_id
    pub(super) Option<i64>,          // 11 account_offset_ms
    pub(super) Option<i64>,          // 12 account_ms_played
    pub(super) Option<TrackId>,      // 13 account_track_id
    pub(super) Option<ImportFileId>, // 14 account_file_id
    pub(super) Option<i64>,          // 15 api_offset_ms
    pub(super) Option<TrackId>,      // 16 api_track_id
    pub(super) Option<String>,       // 17 context_uri
);

pub const COLUMNS: &str = "ended_at, track_id, ordinal, kind, ms_played, extended_offset_ms, extended_elapsed_ms, \
     reason_start, reason_end, flags, extended_file_id, account_offset_ms, account_ms_played, account_track_id, \
     account_file_id, api_offset_ms, api_track_id, context_uri";

/// Bits of `flags`. Stored: append only.
mod flag {
    pub const SHUFFLE: i64 = 1;
    pub const OFFLINE: i64 = 2;
    pub const INCOGNITO: i64 = 4;
    pub const SKIPPED: i64 = 8;
    pub const SKIPPED_IS_KNOWN: i64 = 16;
    /// The extended row has no length of its own: `ms_played` is the account row's.
    pub const EXTENDED_LENGTH_UNKNOWN: i64 = 32;
    /// The extended row gave a URI and no names; that its track has names from elsewhere must not change its matching.
    pub const EXTENDED_WITHOUT_NAMES: i64 = 64;
    /// Three bits from here: the kind that the account row states, by its number and one more, where it is not the play's.
    pub const ACCOUNT_KIND_AT: u32 = 7;
    /// The same for the API's item.
    pub const API_KIND_AT: u32 = 10;
}

impl PlayRow {
    pub const fn key(&self) -> PlayKey {
        PlayKey { ended_at: self.0, track: self.1, ordinal: self.2 }
    }

    /// Instant and track: what plays that can be one record have in common.
    pub const fn place(&self) -> (i64, TrackId) {
        (self.0, self.1)
    }

    pub fn of(play: &Play, ordinal: i64) -> Self {
        let ended_at = play.ended_at();
        let track = play.track();
        let (extended, account, api) = (play.extended.as_ref(), play.account.as_ref(), play.api.as_ref());
        let offset_ms = |observation: Option<&Observation>| Some(observation?.ended_at.since_ms(ended_at));
        let other_track =
            |observation: Option<&Observation>| observation.map(|seen| seen.track).filter(|seen| *seen != track);
        let other_kind = |observation: Option<&Observation>, at: u32| {
            observation.filter(|seen| seen.kind != play.kind()).map_or(0, |seen| (seen.kind.code() + 1) << at)
        };
        let details = extended.map(|seen| &seen.details);
        let reason = |of: fn(&Details) -> &Option<Reason>| Some(of(details?).as_ref()?.to_stored());
        Self(
            ended_at.0,
            track,
            ordinal,
            play.kind().code(),
            play.ms_played(),
            offset_ms(extended),
            extended.and_then(|seen| Some(seen.ended_at.since_ms(seen.started_at?))),
            reason(|details| &details.reason_start),
            reason(|details| &details.reason_end),
            flags(extended) | other_kind(account, flag::ACCOUNT_KIND_AT) | other_kind(api, flag::API_KIND_AT),
            extended.and_then(|seen| seen.file),
            offset_ms(account),
            account.and_then(|seen| seen.ms_played),
            other_track(account),
            account.and_then(|seen| seen.file),
            offset_ms(api),
            other_track(api),
            api.and_then(|seen| seen.details.context_uri.clone()),
        )
    }

    /// The play of this row. `identities` knows the tracks where sources have to be compared; it may be empty.
    pub fn into_play(self, identities: &Identities) -> Play {
        let ended_at = Millis(self.0);
        let kind = Kind::from_code(self.3).unwrap_or(Kind::Music);
        let observe = |source, offset_ms: i64, track: TrackId, ms_played: Option<i64>, file| {
            let identity = identities.of(track);
            Observation {
                source,
                ended_at: ended_at.plus_ms(offset_ms),
                track,
                song: identity.song.or((source == Source::Account).then_some(SongId(track.0))),
                kind,
                ms_played,
                started_at: None,
                ordinal: 0,
                isrc: identity.isrc.clone(),
                duration_ms: identity.duration_ms,
                details: Details::default(),
                file,
            }
        };
        let extended = self.5.map(|offset_ms| {
            let known = self.9 & flag::EXTENDED_LENGTH_UNKNOWN == 0;
            let mut seen = observe(Source::Extended, offset_ms, self.1, self.4.filter(|_| known), self.10);
            seen.started_at = self.6.map(|elapsed_ms| seen.ended_at.minus_ms(elapsed_ms));
            seen.details = details(self.9, self.7.as_ref(), self.8.as_ref());
            seen.song = seen.song.filter(|_| !seen.details.without_names);
            seen
        });
        let kind_at = |at: u32| Kind::from_code((self.9 >> at & 7) - 1).unwrap_or(kind);
        let account = self.11.map(|offset_ms| {
            let mut seen = observe(Source::Account, offset_ms, self.13.unwrap_or(self.1), self.12, self.14);
            seen.kind = kind_at(flag::ACCOUNT_KIND_AT);
            seen
        });
        let api = self.15.map(|offset_ms| {
            let mut seen = observe(Source::Api, offset_ms, self.16.unwrap_or(self.1), None, None);
            seen.kind = kind_at(flag::API_KIND_AT);
            seen.details.context_uri = self.17;
            seen
        });
        Play { extended, account, api }
    }

    /// How far the API's end lies from that of the extended row, where the play has both.
    pub const fn end_distance_ms(&self) -> Option<i64> {
        match (self.15, self.5) {
            (Some(api), Some(extended)) => Some(api - extended),
            _ => None,
        }
    }

    /// Which sources this row holds.
    pub const fn sources(&self) -> (bool, bool, bool) {
        (self.5.is_some(), self.11.is_some(), self.15.is_some())
    }

    /// The tracks its observations name.
    pub fn tracks(&self) -> impl Iterator<Item = TrackId> {
        [Some(self.1), self.13, self.16].into_iter().flatten()
    }
}

fn flags(extended: Option<&Observation>) -> i64 {
    let Some(seen) = extended else { return 0 };
    let details = &seen.details;
    let bit = |is_set: bool, bit: i64| if is_set { bit } else { 0 };
    bit(details.shuffle, flag::SHUFFLE)
        | bit(details.offline, flag::OFFLINE)
        | bit(details.incognito, flag::INCOGNITO)
        | bit(details.skipped == Some(true), flag::SKIPPED)
        | bit(details.skipped.is_some(), flag::SKIPPED_IS_KNOWN)
        | bit(seen.ms_played.is_none(), flag::EXTENDED_LENGTH_UNKNOWN)
        | bit(details.without_names, flag::EXTENDED_WITHOUT_NAMES)
}

fn details(flags: i64, reason_start: Option<&StoredReason>, reason_end: Option<&StoredReason>) -> Details {
    let is_set = |bit: i64| flags & bit != 0;
    Details {
        reason_start: reason_start.and_then(Reason::from_stored),
        reason_end: reason_end.and_then(Reason::from_stored),
        shuffle: is_set(flag::SHUFFLE),
        offline: is_set(flag::OFFLINE),
        incognito: is_set(flag::INCOGNITO),
        skipped: is_set(flag::SKIPPED_IS_KNOWN).then_some(is_set(flag::SKIPPED)),
        without_names: is_set(flag::EXTENDED_WITHOUT_NAMES),
        context_uri: None,
    }
}

/// What is known of tracks where sources have to be compared.
#[derive(Debug, Default)]
pub struct Identities {
    tracks: HashMap<TrackId, Identity>,
    unknown: Identity,
}

#[derive(Clone, Debug, Default)]
pub struct Identity {
    pub song: Option<SongId>,
    pub isrc: Option<String>,
    pub duration_ms: Option<i64>,
}

impl Identities {
    pub fn new(tracks: HashMap<TrackId, Identity>) -> Self {
        Self { tracks, unknown: Identity::default() }
    }

    fn of(&self, track: TrackId) -> &Identity {
        self.tracks.get(&track).unwrap_or(&self.unknown)
    }
}

/// Rows of the plays, numbered where several of one track ended in the same instant. The order of `plays` decides.
pub fn numbered(plays: &[Play]) -> Vec<PlayRow> {
    let mut counts: HashMap<(Millis, TrackId), i64> = HashMap::with_capacity(plays.len());
    let rows = plays.iter().map(|play| {
        let count = counts.entry((play.ended_at(), play.track())).or_default();
        let row = PlayRow::of(play, *count);
        *count += 1;
        row
    });
    rows.collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn play() -> Play {
        let mut play = Play::of(Observation {
            source: Source::Extended,
            ended_at: Millis(1_561_975_200_000),
            track: TrackId(5),
            song: None,
            kind: Kind::Music,
            ms_played: Some(200_000),
            started_at: Some(Millis(1_561_974_900_000)),
            ordinal: 0,
            isrc: None,
            duration_ms: None,
            details: Details {
                reason_start: Reason::new("clickrow"),
                reason_end: Reason::new("a-new-word"),
                shuffle: true,
                offline: false,
                incognito: true,
                skipped: Some(false),
                without_names: false,
                context_uri: None,
            },
            file: Some(ImportFileId(3)),
        });
        let extended = play.extended.clone().unwrap();
        play.api = Some(Observation {
            source: Source::Api,
            ended_at: extended.ended_at.plus_ms(381),
            track: TrackId(6),
            ms_played: None,
            started_at: None,
            details: Details { context_uri: Some("spotify:album:x".to_owned()), ..Details::default() },
            file: None,
            ..extended.clone()
        });
        play.account = Some(Observation {
            source: Source::Account,
            ended_at: Millis(1_561_975_200_000),
            track: TrackId(7),
            song: Some(SongId(7)),
            started_at: None,
            details: Details::default(),
            file: Some(ImportFileId(4)),
            ..extended
        });
        play
    }

    #[test]
    fn a_row_gives_back_every_observation() {
        let play = play();
        assert_eq!(PlayRow::of(&play, 0).into_play(&Identities::default()), play);
        for source in [Source::Extended, Source::Account, Source::Api] {
            let mut part = play.clone();
            *part.slot(source) = None;
            assert_eq!(PlayRow::of(&part, 0).into_play(&Identities::default()), part);
            let alone = Play::of(play.clone().slot(source).take().unwrap());
            assert_eq!(PlayRow::of(&alone, 0).into_play(&Identities::default()), alone);
        }
    }

    #[test]
    fn every_source_keeps_its_own_kind() {
        for kind in Kind::ALL {
            for other in Kind::ALL {
                let mut play = play();
                play.account.as_mut().unwrap().kind = kind;
                play.api.as_mut().unwrap().kind = other;
                assert_eq!(PlayRow::of(&play, 0).into_play(&Identities::default()), play);
            }
        }
    }

    #[test]
    fn an_extended_row_without_a_length_keeps_being_without_one() {
        let mut play = play();
        play.extended.as_mut().unwrap().ms_played = None;
        let row = PlayRow::of(&play, 0);
        assert_eq!(row.4, Some(200_000));
        assert_eq!(row.into_play(&Identities::default()), play);
    }
}
