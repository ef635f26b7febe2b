//! A stretch of a file's rows as it travels from a person's machine to the Worker.
//!
//! The sender has read the file with the Worker's own reader; the Worker only has to check and to store. Must stay true:
//! * what arrives gives exactly the rows that were sent: [`write`] and [`RowSlice::into_rows`] are inverses;
//! * nothing is believed that a row of a file would not be believed: times, lengths and names keep the same bounds, and
//!   ids are derived here, from what they name;
//! * there is no place in it for a personal field, so none can travel.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    format::Format,
    instants::{floored, is_possible},
    lenient::Lenient,
    raw_row::LONGEST_MS,
    rows::{ExportedPlay, Names, Reject, RejectReason, Row, SkipReason},
    track_ids::TrackIds,
};
use crate::domain::{
    ids::ImportFileId,
    instant::{MINUTE_MS, Millis, SECOND_MS},
    observation::{Details, Kind, Observation, Reason, Source},
    track::TrackFacts,
};

/// The most rows of one slice.
pub const MAX_SLICE_ROWS: usize = 10_000;
/// An excerpt is as long as this at most; longer ones are cut.
const EXCERPT_MAX_CHARS: usize = 400;

/// Bits of a play's flags.
mod flag {
    pub const SHUFFLE: u8 = 1;
    pub const OFFLINE: u8 = 2;
    pub const INCOGNITO: u8 = 4;
    pub const SKIPPED: u8 = 8;
    pub const SKIPPED_IS_KNOWN: u8 = 16;
}

/// Rows as they arrive. Plays name their track and their reasons by position.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowSlice<'a> {
    /// `extended` or `account`.
    format: Format,
    /// URI, title, artist, album.
    #[serde(borrow)]
    tracks: Vec<[Lenient<'a>; 4]>,
    /// Words for why a play began or ended.
    words: Vec<Cow<'a, str>>,
    plays: Vec<WirePlay>,
    /// Rows that give no play.
    #[serde(borrow)]
    left_out: Vec<WireLeftOut<'a>>,
}

/// Track, end, length heard, kind, number among equals, flags, time since the start, and why it began and ended.
#[derive(Debug, Serialize, Deserialize)]
struct WirePlay(usize, i64, Option<i64>, i64, u32, u8, Option<i64>, Option<usize>, Option<usize>);

/// Position in the slice, reason, excerpt of a refused row.
#[derive(Debug, Deserialize)]
struct WireLeftOut<'a>(usize, Cow<'a, str>, Option<Cow<'a, str>>);

/// What is wrong with a slice. Names the place, never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SliceError {
    #[error("format must be extended or account")]
    Format,
    #[error("a slice may have at most {MAX_SLICE_ROWS} rows")]
    TooManyRows,
    #[error("tracks[{0}] needs a Spotify URI or a title")]
    Track(usize),
    #[error("plays[{position}]: {problem}")]
    Play { position: usize, problem: &'static str },
    #[error("left_out[{position}]: {problem}")]
    LeftOut { position: usize, problem: &'static str },
}

impl RowSlice<'_> {
    pub const fn format(&self) -> Format {
        self.format
    }

    pub const fn rows(&self) -> usize {
        self.plays.len().saturating_add(self.left_out.len())
    }

    /// The rows in their order, as if they had been read from the file here.
    pub fn into_rows(self, file: ImportFileId, now: Millis) -> Result<Vec<Row>, SliceError> {
        let count = self.rows();
        if count > MAX_SLICE_ROWS {
            return Err(SliceError::TooManyRows);
        }
        let source = match self.format {
            Format::Extended => Source::Extended,
            Format::Account => Source::Account,
            Format::NotHistory => return Err(SliceError::Format),
        };
        let mut ids = TrackIds::default();
        let tracks = self.tracks.into_iter().enumerate().map(|(position, [uri, title, artist, album])| {
            let names = Names {
                uri: uri.into_uri(),
                title: title.into_name(),
                artist: artist.into_name(),
                album: album.into_name(),
            };
            ids.facts(&names).ok_or(SliceError::Track(position))
        });
        let tracks = tracks.collect::<Result<Vec<Arc<TrackFacts>>, SliceError>>()?;
        let words: Vec<Option<Reason>> = self.words.iter().map(|word| Reason::new(word)).collect();
        let known = Known { source, tracks: &tracks, words: &words, file, now };
        let mut plays = self.plays.into_iter().enumerate();
        let mut left_out = self.left_out.into_iter().enumerate().peekable();
        let mut rows = Vec::with_capacity(count);
        while rows.len() < count {
            if let Some((position, row)) = left_out.next_if(|(_, row)| row.0 == rows.len()) {
                rows.push(row.into_row().map_err(|problem| SliceError::LeftOut { position, problem })?);
            } else if let Some((position, play)) = plays.next() {
                rows.push(known.row(&play).map_err(|problem| SliceError::Play { position, problem })?);
            } else {
                let position = left_out.peek().map_or(0, |(position, _)| *position);
                let problem = "its position is none that is left: positions ascend, from 0";
                return Err(SliceError::LeftOut { position, problem });
            }
        }
        Ok(rows)
    }
}

/// What plays refer to.
struct Known<'a> {
    source: Source,
    tracks: &'a [Arc<TrackFacts>],
    words: &'a [Option<Reason>],
    file: ImportFileId,
    now: Millis,
}

impl Known<'_> {
    fn row(&self, play: &WirePlay) -> Result<Row, &'static str> {
        let WirePlay(track, ended_at, ms_played, kind, ordinal, flags, elapsed_ms, reason_start, reason_end) = play;
        let track = self.tracks.get(*track).ok_or("its track is none of the slice")?;
        let ended_at = Millis(*ended_at);
        let is_extended = self.source == Source::Extended;
        let precision_ms = if is_extended { SECOND_MS } else { MINUTE_MS };
        if !is_possible(ended_at, self.now) || floored(ended_at, precision_ms) != ended_at {
            return Err("its end is no possible instant of this format");
        }
        let is_length = |length_ms: &Option<i64>| length_ms.is_none_or(|length| (0..=LONGEST_MS).contains(&length));
        if !is_length(ms_played) || !is_length(elapsed_ms) {
            return Err("a length is negative or over 30 days");
        }
        let kind = Kind::from_code(*kind).ok_or("its kind is unknown")?;
        let reason = |word: &Option<usize>| match word {
            None => Ok(None),
            Some(word) => self.words.get(*word).cloned().ok_or("its reason is none of the slice"),
        };
        let started_at = elapsed_ms.map(|elapsed_ms| ended_at.minus_ms(elapsed_ms));
        if !is_extended && (started_at.is_some() || *flags != 0 || reason_start.is_some() || reason_end.is_some()) {
            return Err("account data does not say how a play began or ended");
        }
        if is_extended && (*ordinal != 0 || started_at.is_some_and(|start| floored(start, SECOND_MS) != start)) {
            return Err("an extended row has no number, and begins on a second");
        }
        let is_set = |bit: u8| flags & bit != 0;
        let observation = Observation {
            source: self.source,
            ended_at,
            track: track.id,
            song: track.song,
            kind,
            ms_played: *ms_played,
            started_at,
            ordinal: *ordinal,
            isrc: None,
            duration_ms: None,
            details: Details {
                reason_start: reason(reason_start)?,
                reason_end: reason(reason_end)?,
                shuffle: is_set(flag::SHUFFLE),
                offline: is_set(flag::OFFLINE),
                incognito: is_set(flag::INCOGNITO),
                skipped: is_set(flag::SKIPPED_IS_KNOWN).then_some(is_set(flag::SKIPPED)),
                without_names: is_extended && track.song.is_none(),
                context_uri: None,
            },
            file: Some(self.file),
        };
        Ok(Row::Play(ExportedPlay { observation, track: Arc::clone(track) }))
    }
}

impl WireLeftOut<'_> {
    fn into_row(self) -> Result<Row, &'static str> {
        let Self(_, word, excerpt) = self;
        if let Some(reason) = SkipReason::ALL.into_iter().find(|reason| reason.as_str() == word) {
            return Ok(Row::Skipped(reason));
        }
        let reason = RejectReason::ALL.into_iter().find(|reason| reason.as_str() == word);
        let excerpt = excerpt.map(|text| text.chars().take(EXCERPT_MAX_CHARS).collect::<String>().into_boxed_str());
        reason.map(|reason| Row::Rejected(Reject { reason, excerpt })).ok_or("its reason is unknown")
    }
}

/// Rows as they are sent.
#[derive(Serialize)]
struct Written<'a> {
    format: Format,
    tracks: Vec<[Option<&'a str>; 4]>,
    words: Vec<&'a str>,
    plays: Vec<WirePlay>,
    left_out: Vec<(usize, &'static str, Option<&'a str>)>,
}

/// The slice of these rows, as a JSON value.
pub fn write(format: Format, rows: &[Row]) -> impl Serialize + '_ {
    let mut written =
        Written { format, tracks: Vec::new(), words: Vec::new(), plays: Vec::new(), left_out: Vec::new() };
    let mut tracks: HashMap<*const TrackFacts, usize> = HashMap::new();
    let mut words: HashMap<&str, usize> = HashMap::new();
    for (position, row) in rows.iter().enumerate() {
        match row {
            Row::Play(ExportedPlay { observation, track }) => {
                let track_position = *tracks.entry(Arc::as_ptr(track)).or_insert_with(|| {
                    let names = [&track.uri, &track.title, &track.artist, &track.album];
                    written.tracks.push(names.map(Option::as_deref));
                    written.tracks.len().saturating_sub(1)
                });
                let details = &observation.details;
                let reason_start = place(details.reason_start.as_ref(), &mut words, &mut written.words);
                let reason_end = place(details.reason_end.as_ref(), &mut words, &mut written.words);
                written.plays.push(WirePlay(
                    track_position,
                    observation.ended_at.0,
                    observation.ms_played,
                    observation.kind.code(),
                    observation.ordinal,
                    flags(details),
                    observation.started_at.map(|started_at| observation.ended_at.since_ms(started_at)),
                    reason_start,
                    reason_end,
                ));
            }
            Row::Skipped(reason) => written.left_out.push((position, reason.as_str(), None)),
            Row::Rejected(Reject { reason, excerpt }) => {
                written.left_out.push((position, reason.as_str(), excerpt.as_deref()));
            }
        }
    }
    written
}

/// The position of a reason among the words, where it is put if it is new.
fn place<'a>(
    reason: Option<&'a Reason>,
    positions: &mut HashMap<&'a str, usize>,
    words: &mut Vec<&'a str>,
) -> Option<usize> {
    let word = reason?.as_str();
    Some(*positions.entry(word).or_insert_with(|| {
        words.push(word);
        words.len().saturating_sub(1)
    }))
}

fn flags(details: &Details) -> u8 {
    let bit = |is_set: bool, bit: u8| if is_set { bit } else { 0 };
    bit(details.shuffle, flag::SHUFFLE)
        | bit(details.offline, flag::OFFLINE)
        | bit(details.incognito, flag::INCOGNITO)
        | bit(details.skipped.is_some(), flag::SKIPPED_IS_KNOWN)
        | bit(details.skipped == Some(true), flag::SKIPPED)
}

#[cfg(test)]
mod tests;
