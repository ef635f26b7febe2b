//! A row of the account data's streaming history.
//!
//! Must stay true: the time is the minute the play ENDED in, in UTC; equal rows of one minute are told apart by their
//! number, which depends only on the rows before them in the file.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, DefaultHasher},
};

use super::{
    instants::floored,
    lenient::Lenient,
    names::FileHint,
    raw_row::{FileFacts, ended_at, length_ms, raw_row},
    rows::{ExportedPlay, Names, Row, SkipReason},
    track_ids::TrackIds,
};
use crate::domain::{
    ids::TrackId,
    instant::{MINUTE_MS, Millis},
    observation::{Details, Kind, Observation, Source},
};

raw_row! {
    /// The fields that are used; those of podcasts and audiobooks stand in place of artist and track.
    AccountRow, AccountKey {
        end_time = "endTime",
        ms_played = "msPlayed",
        artist_name = "artistName",
        track_name = "trackName",
        podcast_name = "podcastName" | "showName",
        episode_name = "episodeName",
        book_name = "audiobookName" | "audiobookTitle" | "bookName",
        chapter_name = "chapterName" | "chapterTitle" | "audiobookChapterName",
    }
}

impl AccountRow<'_> {
    pub fn into_row(self, facts: &FileFacts, hint: FileHint, ids: &mut TrackIds, ordinals: &mut Ordinals) -> Row {
        let ended_at = match ended_at(&self.end_time, facts.now) {
            Ok(instant) => floored(instant, MINUTE_MS),
            Err(reason) => return reason.into(),
        };
        let ms_played = match length_ms(&self.ms_played) {
            Ok(length) => length,
            Err(reason) => return reason.into(),
        };
        let (kind, names) = self.into_names(hint);
        if names.title.as_deref() == Some("Unknown Track") && names.artist.as_deref() == Some("Unknown Artist") {
            return Row::Skipped(SkipReason::UnknownTrack);
        }
        let Some(track) = ids.facts(&names) else { return Row::Skipped(SkipReason::NoTrack) };
        let observation = Observation {
            source: Source::Account,
            ended_at,
            track: track.id,
            song: track.song,
            kind,
            ms_played,
            started_at: None,
            ordinal: ordinals.next((ended_at, track.id, ms_played)),
            isrc: None,
            duration_ms: None,
            details: Details::default(),
            file: facts.file,
        };
        Row::Play(ExportedPlay { observation, track })
    }
}

impl<'a> AccountRow<'a> {
    fn into_names(self, hint: FileHint) -> (Kind, Names<'a>) {
        let of = |title: Lenient<'a>, artist: Lenient<'a>| Names {
            title: title.into_name(),
            artist: artist.into_name(),
            ..Names::default()
        };
        if !self.track_name.is_blank() {
            // Older files mix podcasts in with the music, and only the newer names tell which is which.
            let kind = match hint {
                FileHint::AccountPodcast => Kind::Podcast,
                FileHint::AccountAudiobook => Kind::Audiobook,
                _ => Kind::Music,
            };
            (kind, of(self.track_name, self.artist_name))
        } else if !self.episode_name.is_blank() {
            (Kind::Podcast, of(self.episode_name, self.podcast_name))
        } else if !self.chapter_name.is_blank() {
            (Kind::Audiobook, of(self.chapter_name, self.book_name))
        } else {
            let book = self.book_name.into_name();
            (Kind::Audiobook, Names { title: book.clone(), artist: book, ..Names::default() })
        }
    }
}

type Key = (Millis, TrackId, Option<i64>);
type Counts = HashMap<Key, u32, BuildHasherDefault<DefaultHasher>>;

/// Files have 10,000 rows; equal rows stand close together.
const GENERATION: usize = 50_000;

/// How many equal rows came before. Rows further apart than one generation may be taken for the first of their kind.
#[derive(Default)]
pub(super) struct Ordinals {
    recent: Counts,
    older: Counts,
}

impl Ordinals {
    fn next(&mut self, key: Key) -> u32 {
        if self.recent.len() >= GENERATION {
            self.older = std::mem::take(&mut self.recent);
        }
        let older = &mut self.older;
        let count = self.recent.entry(key).or_insert_with(|| older.remove(&key).unwrap_or(0));
        let ordinal = *count;
        *count = count.saturating_add(1);
        ordinal
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::ids::SongId,
        export::rows::RejectReason,
        export::samples::{ACCOUNT, ACCOUNT_AUDIOBOOK, ACCOUNT_PODCAST, FILE, array, read, row},
    };

    fn play(json: &str, hint: FileHint) -> ExportedPlay {
        match row(json, hint) {
            Row::Play(play) => play,
            other => panic!("{json} gave {other:?}"),
        }
    }

    #[test]
    fn a_row_is_a_song_to_the_minute() {
        let ExportedPlay { observation, track } = play(ACCOUNT, FileHint::AccountMusic);
        assert_eq!(observation.ended_at.to_rfc3339(), "2023-06-01T21:15:00Z");
        assert_eq!((observation.source, observation.kind), (Source::Account, Kind::Music));
        assert_eq!(observation.ms_played, Some(201_346));
        assert_eq!(observation.song, Some(SongId::from_names("Radiohead", "Let Down")));
        assert_eq!(observation.track, SongId::from_names("Radiohead", "Let Down").as_track());
        assert_eq!((observation.started_at, observation.ordinal, observation.file), (None, 0, Some(FILE)));
        assert_eq!((track.title.as_deref(), track.artist.as_deref()), (Some("Let Down"), Some("Radiohead")));
        assert_eq!((&track.uri, &track.album), (&None, &None));
    }

    #[test]
    fn podcasts_and_audiobooks_are_known_by_their_fields() {
        let podcast = play(ACCOUNT_PODCAST, FileHint::UnknownJson);
        assert_eq!(podcast.observation.kind, Kind::Podcast);
        assert_eq!(podcast.track.title.as_deref(), Some("Episode 1"));
        assert_eq!(podcast.track.artist.as_deref(), Some("The Show"));
        let book = play(ACCOUNT_AUDIOBOOK, FileHint::UnknownJson);
        assert_eq!(book.observation.kind, Kind::Audiobook);
        assert_eq!(book.track.title.as_deref(), Some("Chapter 1"));
        assert_eq!(book.track.artist.as_deref(), Some("Dune"));
    }

    #[test]
    fn podcasts_among_the_music_are_known_by_the_file_only() {
        assert_eq!(play(ACCOUNT, FileHint::AccountPodcast).observation.kind, Kind::Podcast);
        assert_eq!(play(ACCOUNT, FileHint::AccountAudiobook).observation.kind, Kind::Audiobook);
    }

    #[test]
    fn seconds_are_accepted_and_dropped() {
        let row = ACCOUNT.replace("21:15", "21:15:59");
        assert_eq!(play(&row, FileHint::AccountMusic).observation.ended_at.to_rfc3339(), "2023-06-01T21:15:00Z");
    }

    #[test]
    fn what_cannot_be_kept_says_why() {
        let hint = FileHint::AccountMusic;
        let skipped = |row| Row::Skipped(row);
        let unknown = ACCOUNT.replace("Let Down", "Unknown Track").replace("Radiohead", "Unknown Artist");
        assert_eq!(row(&unknown, hint), skipped(SkipReason::UnknownTrack));
        assert_eq!(row(r#"{"endTime":"2023-06-01 21:15","msPlayed":5}"#, hint), skipped(SkipReason::NoTrack));
        assert_eq!(row(&ACCOUNT.replace("21:15", "25:15"), hint), RejectReason::TimeUnreadable.into());
        assert_eq!(row(&ACCOUNT.replace("201346", "-1"), hint), RejectReason::LengthOutOfRange.into());
    }

    #[test]
    fn equal_rows_of_a_file_are_numbered() {
        let shouting = ACCOUNT.replace("Radiohead", "RADIOHEAD");
        let other = ACCOUNT.replace("201346", "201347");
        let (rows, _) = read(array(&[ACCOUNT, &other, ACCOUNT, &shouting]).as_bytes(), FileHint::AccountMusic);
        let ordinals: Vec<u32> = rows
            .iter()
            .map(|row| match row {
                Row::Play(play) => play.observation.ordinal,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(ordinals, [0, 0, 1, 2], "the same song, however its artist is written");
    }

    #[test]
    fn equal_rows_are_numbered_and_memory_is_bounded() {
        let mut ordinals = Ordinals::default();
        let key = |number: i64| (Millis(number), TrackId(1), Some(2));
        assert_eq!(ordinals.next(key(0)), 0);
        assert_eq!(ordinals.next(key(0)), 1);
        for number in 1..=60_000 {
            assert_eq!(ordinals.next(key(number)), 0);
        }
        assert_eq!(ordinals.next(key(0)), 2, "the generation before is remembered");
        for number in 100_000..300_000 {
            ordinals.next(key(number));
        }
        assert!(ordinals.recent.len() + ordinals.older.len() <= 2 * GENERATION);
    }
}
