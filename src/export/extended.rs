//! A row of the extended streaming history.
//!
//! Must stay true: the row's time is the END of the play; every revision of the field set is read, unknown fields are
//! passed over, and the address, agent, user name, country and platform are among the unknown on purpose.

use super::{
    instants::{epoch_ms, floored},
    lenient::Lenient,
    raw_row::{FileFacts, LONGEST_MS, ended_at, length_ms, raw_row},
    rows::{ExportedPlay, Names, Row, SkipReason},
    track_ids::TrackIds,
};
use crate::domain::{
    instant::{Millis, SECOND_MS},
    observation::{Details, Kind, Observation, Reason, Source},
};

raw_row! {
    /// The fields that are used.
    ExtendedRow, ExtendedKey {
        ts = "ts",
        ms_played = "ms_played",
        track_name = "master_metadata_track_name",
        artist_name = "master_metadata_album_artist_name",
        album_name = "master_metadata_album_album_name",
        track_uri = "spotify_track_uri",
        episode_name = "episode_name",
        show_name = "episode_show_name",
        episode_uri = "spotify_episode_uri",
        book_title = "audiobook_title",
        book_uri = "audiobook_uri",
        chapter_uri = "audiobook_chapter_uri",
        chapter_title = "audiobook_chapter_title",
        reason_start = "reason_start",
        reason_end = "reason_end",
        shuffle = "shuffle",
        skipped = "skipped",
        offline = "offline",
        offline_timestamp = "offline_timestamp",
        incognito_mode = "incognito_mode",
    }
}

impl ExtendedRow<'_> {
    pub fn into_row(self, facts: &FileFacts, ids: &mut TrackIds) -> Row {
        let ended_at = match ended_at(&self.ts, facts.now) {
            Ok(instant) => instant,
            Err(reason) => return reason.into(),
        };
        let ms_played = match length_ms(&self.ms_played) {
            Ok(length) => length,
            Err(reason) => return reason.into(),
        };
        let started_at = started_at(&self.offline_timestamp, ended_at);
        let mut details = Details {
            reason_start: reason(&self.reason_start),
            reason_end: reason(&self.reason_end),
            shuffle: self.shuffle.flag().unwrap_or(false),
            offline: self.offline.flag().unwrap_or(false),
            incognito: self.incognito_mode.flag().unwrap_or(false),
            skipped: self.skipped.flag(),
            without_names: false,
            context_uri: None,
        };
        let (kind, names) = self.into_names(facts.is_video);
        let Some(track) = ids.facts(&names) else { return Row::Skipped(SkipReason::NoTrack) };
        details.without_names = track.song.is_none();
        let observation = Observation {
            source: Source::Extended,
            ended_at,
            track: track.id,
            song: track.song,
            kind,
            ms_played,
            started_at,
            ordinal: 0,
            isrc: None,
            duration_ms: None,
            details,
            file: facts.file,
        };
        Row::Play(ExportedPlay { observation, track })
    }
}

impl<'a> ExtendedRow<'a> {
    /// What was played: by the one URI that the row has, or else by the names it has.
    fn into_names(self, is_video: bool) -> (Kind, Names<'a>) {
        let music = if is_video { Kind::Video } else { Kind::Music };
        let track_uri = self.track_uri.into_uri();
        let episode_uri = self.episode_uri.into_uri();
        let chapter_uri = self.chapter_uri.into_uri().or_else(|| self.book_uri.into_uri());
        let track_name = self.track_name.into_name();
        let episode_name = self.episode_name.into_name();
        let kind = match (&track_uri, &episode_uri, &chapter_uri) {
            (Some(uri), _, _) => kind_of_uri(uri, music),
            (None, Some(_), _) => Kind::Podcast,
            (None, None, None) if track_name.is_some() => music,
            (None, None, None) if episode_name.is_some() => Kind::Podcast,
            (None, None, _) => Kind::Audiobook,
        };
        let uri = track_uri.or(episode_uri).or(chapter_uri);
        let names = match kind {
            Kind::Music | Kind::Local | Kind::Video => Names {
                uri,
                title: track_name,
                artist: self.artist_name.into_name(),
                album: self.album_name.into_name(),
            },
            Kind::Podcast => Names { uri, title: episode_name, artist: self.show_name.into_name(), album: None },
            Kind::Audiobook => {
                let book = self.book_title.into_name();
                let title = self.chapter_title.into_name().or_else(|| book.clone());
                Names { uri, title, artist: book, album: None }
            }
        };
        (kind, names)
    }
}

fn kind_of_uri(uri: &str, music: Kind) -> Kind {
    match uri.split(':').nth(1) {
        Some("episode") => Kind::Podcast,
        Some("local") => Kind::Local,
        Some("chapter" | "audiobook") => Kind::Audiobook,
        _ => music,
    }
}

/// The start as the device saw it, which is what the export calls the offline timestamp; many are off by days.
fn started_at(timestamp: &Lenient<'_>, ended_at: Millis) -> Option<Millis> {
    let number = timestamp.integer().filter(|number| *number > 0)?;
    let start = floored(Millis(epoch_ms(number)), SECOND_MS);
    (0..=LONGEST_MS).contains(&ended_at.since_ms(start)).then_some(start)
}

fn reason(word: &Lenient<'_>) -> Option<Reason> {
    match word {
        Lenient::Text(word) => Reason::new(word),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::ids::{SongId, TrackId},
        export::samples::{AUDIO, EPISODE, FILE, NOW, PERSONAL, R1, R2, R3, R4, array, read, row},
        export::{FileHint, rows::RejectReason},
    };

    const VIDEO: FileHint = FileHint::Extended { video: true };

    fn play(json: &str) -> ExportedPlay {
        match row(json, AUDIO) {
            Row::Play(play) => play,
            other => panic!("{json} gave {other:?}"),
        }
    }

    /// A row whose listed fields replace those of a plain one.
    fn with(fields: &str) -> Row {
        // The key that comes last holds.
        row(
            &format!(r#"{{"ts":"2021-05-01T10:00:00Z","ms_played":1,"spotify_track_uri":"spotify:track:1",{fields}}}"#),
            AUDIO,
        )
    }

    fn play_with(fields: &str) -> ExportedPlay {
        match with(fields) {
            Row::Play(play) => play,
            other => panic!("{fields} gave {other:?}"),
        }
    }

    #[test]
    fn a_row_of_the_first_revision_is_read_whole() {
        let ExportedPlay { observation, track } = play(R1);
        let uri = "spotify:track:2fuYa3Lx06QQJAm0MjztKr";
        assert_eq!(observation.ended_at.to_rfc3339(), "2021-05-01T10:00:00Z");
        assert_eq!(observation.started_at.unwrap().to_rfc3339(), "2021-05-01T09:56:40Z");
        assert_eq!((observation.source, observation.kind), (Source::Extended, Kind::Music));
        assert_eq!(observation.ms_played, Some(201_346));
        assert_eq!(observation.track, TrackId::from_uri(uri));
        assert_eq!(observation.song, Some(SongId::from_names("Radiohead", "Let Down")));
        assert_eq!((observation.ordinal, observation.file), (0, Some(FILE)));
        let details = &observation.details;
        assert_eq!(details.reason_start, Reason::new("clickrow"));
        assert_eq!(details.reason_end, Reason::new("trackdone"));
        assert_eq!((details.shuffle, details.offline, details.incognito, details.skipped), (false, false, false, None));
        assert_eq!(track.id, observation.track);
        assert_eq!(track.uri.as_deref(), Some(uri));
        assert_eq!(track.title.as_deref(), Some("Let Down"));
        assert_eq!(track.artist.as_deref(), Some("Radiohead"));
        assert_eq!(track.album.as_deref(), Some("OK Computer"));
    }

    #[test]
    fn the_later_revisions_are_read_too() {
        let second = play(R2).observation;
        assert_eq!(second.started_at, None, "zero is no start");
        assert!(second.details.shuffle && second.details.incognito);
        assert_eq!(second.details.skipped, Some(true));

        let third = play(R3);
        assert_eq!(third.track.artist.as_deref(), Some("Sigur Rós"));
        assert_eq!(third.observation.started_at.unwrap().to_rfc3339(), "2024-11-30T23:59:24Z");
        assert!(third.observation.details.offline);
        assert_eq!(third.observation.details.skipped, Some(false));

        let fourth = play(R4);
        assert_eq!(fourth.observation.kind, Kind::Audiobook);
        assert_eq!(fourth.observation.ms_played, Some(0));
        assert_eq!(fourth.track.title.as_deref(), Some("Chapter 1"));
        assert_eq!(fourth.track.artist.as_deref(), Some("Dune"));
        assert_eq!(fourth.track.uri.as_deref(), Some("spotify:episode:chapter1"));
    }

    #[test]
    fn personal_values_are_nowhere_in_what_was_parsed() {
        let (rows, _) = read(array(&[R1, R2, R3, R4, EPISODE]).as_bytes(), AUDIO);
        assert_eq!(rows.len(), 5);
        let shown = format!("{rows:?}");
        for value in PERSONAL {
            assert!(!shown.contains(value), "{value} was kept");
        }
        assert!(shown.contains("Let Down"));
    }

    #[test]
    fn podcasts_have_their_show_and_episode() {
        let ExportedPlay { observation, track } = play(EPISODE);
        assert_eq!(observation.kind, Kind::Podcast);
        assert_eq!(track.title.as_deref(), Some("Episode 1"));
        assert_eq!(track.artist.as_deref(), Some("The Show"));
        assert_eq!(track.uri.as_deref(), Some("spotify:episode:6666666666666666666666"));
    }

    #[test]
    fn a_video_file_makes_its_tracks_videos_and_its_podcasts_podcasts() {
        let Row::Play(video) = row(R1, VIDEO) else { panic!() };
        assert_eq!(video.observation.kind, Kind::Video);
        let Row::Play(podcast) = row(EPISODE, VIDEO) else { panic!() };
        assert_eq!(podcast.observation.kind, Kind::Podcast);
    }

    #[test]
    fn local_files_are_local() {
        let uri = "spotify:local:Radiohead:OK+Computer:Let+Down:299";
        let local = play_with(&format!(r#""spotify_track_uri":"{uri}""#));
        assert_eq!(local.observation.kind, Kind::Local);
        assert_eq!(local.track.uri.as_deref(), Some(uri));
    }

    #[test]
    fn a_uri_without_names_is_kept_and_so_are_names_without_a_uri() {
        let unnamed = play_with(r#""master_metadata_track_name":null,"master_metadata_album_artist_name":null"#);
        assert_eq!((&unnamed.track.title, unnamed.track.song), (&None, None));
        assert_eq!(unnamed.observation.track, TrackId::from_uri("spotify:track:1"));

        let named = play_with(
            r#""spotify_track_uri":null,"master_metadata_track_name":"Nude","master_metadata_album_artist_name":"Radiohead""#,
        );
        assert_eq!(named.observation.kind, Kind::Music);
        assert_eq!(named.observation.track, SongId::from_names("Radiohead", "Nude").as_track());

        let episode = play_with(r#""spotify_track_uri":"","episode_name":"One","episode_show_name":"Show""#);
        assert_eq!(episode.observation.kind, Kind::Podcast);
        let book = play_with(r#""spotify_track_uri":null,"audiobook_title":"Dune""#);
        assert_eq!((book.observation.kind, book.track.title.as_deref()), (Kind::Audiobook, Some("Dune")));
    }

    #[test]
    fn a_row_with_neither_is_skipped() {
        assert_eq!(with(r#""spotify_track_uri":null"#), Row::Skipped(SkipReason::NoTrack));
        assert_eq!(
            with(r#""spotify_track_uri":7,"master_metadata_track_name":" ","master_metadata_album_artist_name":"A""#),
            Row::Skipped(SkipReason::NoTrack)
        );
    }

    #[test]
    fn odd_lengths_are_read_or_say_why_not() {
        for (length, expected) in [
            ("null", None),
            ("\"\"", None),
            ("\"1234\"", Some(1234)),
            ("1234.5", Some(1235)),
            ("2592000000", Some(2_592_000_000)),
        ] {
            assert_eq!(play_with(&format!("\"ms_played\":{length}")).observation.ms_played, expected, "{length}");
        }
        for (length, reason) in [
            ("-1", RejectReason::LengthOutOfRange),
            ("2592000001", RejectReason::LengthOutOfRange),
            ("\"long\"", RejectReason::LengthUnreadable),
            ("true", RejectReason::LengthUnreadable),
            ("{\"a\":[]}", RejectReason::LengthUnreadable),
        ] {
            assert_eq!(with(&format!("\"ms_played\":{length}")), reason.into(), "{length}");
        }
    }

    #[test]
    fn odd_times_are_read_or_say_why_not() {
        for time in ["\"2021-05-01 10:00:00.500\"", "\"2021-05-01T12:00:00+02:00\"", "1619863200", "1619863200000"] {
            let ended_at = play_with(&format!("\"ts\":{time}")).observation.ended_at;
            assert_eq!(ended_at.to_rfc3339(), "2021-05-01T10:00:00Z", "{time}");
        }
        for (time, reason) in [
            ("null", RejectReason::TimeMissing),
            ("\" \"", RejectReason::TimeMissing),
            ("\"soon\"", RejectReason::TimeUnreadable),
            ("[]", RejectReason::TimeUnreadable),
            ("\"2005-12-31T23:59:59Z\"", RejectReason::TimeOutOfRange),
            ("\"1970-01-01T00:00:00Z\"", RejectReason::TimeOutOfRange),
            ("\"2026-01-02T00:00:01Z\"", RejectReason::TimeOutOfRange),
            ("9223372036854775807", RejectReason::TimeOutOfRange),
        ] {
            assert_eq!(with(&format!("\"ts\":{time}")), reason.into(), "{time}");
        }
        assert_eq!(NOW.to_rfc3339(), "2026-01-01T00:00:00Z");
    }

    #[test]
    fn a_start_is_believed_only_within_thirty_days_before_the_end() {
        // The row ends at 1619863200.
        for (timestamp, start) in [
            ("1619863200", Some(1_619_863_200)),
            ("1619863000999", Some(1_619_863_000)),
            ("\"1619863000\"", Some(1_619_863_000)),
            ("1617271200", Some(1_617_271_200)),
            ("1617271199", None),
            ("1619863201", None),
            ("1619866000", None),
            ("0", None),
            ("null", None),
            ("-5", None),
            ("9223372036854775807", None),
            ("true", None),
        ] {
            let started_at = play_with(&format!("\"offline_timestamp\":{timestamp}")).observation.started_at;
            assert_eq!(started_at, start.map(|start: i64| Millis(start * 1_000)), "{timestamp}");
        }
    }

    #[test]
    fn odd_flags_and_reasons_do_not_matter() {
        let details = play_with(
            r#""shuffle":"TRUE","skipped":0,"offline":1,"incognito_mode":{"a":1},"reason_start":5,"reason_end":"""#,
        )
        .observation
        .details;
        assert!(details.shuffle && details.offline && !details.incognito);
        assert_eq!((details.skipped, details.reason_start, details.reason_end), (Some(false), None, None));
    }
}
