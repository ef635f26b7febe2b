//! Rows and files of account data.
//!
//! Must stay true: minutes in UTC, names only, 10,000 rows a file; and beside the history files that are none.

use std::io::{self, Write};

use jiff::{Timestamp, tz::TimeZone};

use super::{
    json::{Layout, Rows},
    personal::{BIRTH_DATE, CARD, EMAIL, USER_NAME},
    plan::AccountLayout,
    play::{Kind, TruePlay},
};

pub const ROWS_PER_FILE: usize = 10_000;

impl AccountLayout {
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Old => "MyData",
            Self::New => "Spotify Account Data",
        }
    }
}

/// One history file to be written.
pub struct File<'plays> {
    pub name: String,
    plays: Vec<&'plays TruePlay>,
    as_podcasts: bool,
}

/// The plays with their minute in `range_ms` (a half-open range of instants). The old layout has podcasts among the
/// music, with the show as the artist.
pub fn files(plays: &[TruePlay], layout: AccountLayout, range_ms: std::ops::Range<i64>) -> Vec<File<'_>> {
    let mut rows: Vec<&TruePlay> =
        plays.iter().filter(|play| play.kind != Kind::Audiobook && range_ms.contains(&play.reported_at_ms)).collect();
    rows.sort_by_key(|play| play.reported_at_ms);
    let (music, podcasts): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|play| layout == AccountLayout::Old || play.kind != Kind::Podcast);
    let stem = match layout {
        AccountLayout::Old => "StreamingHistory",
        AccountLayout::New => "StreamingHistory_music_",
    };
    let mut files = Vec::new();
    for (stem, rows, as_podcasts) in [(stem, music, false), ("StreamingHistory_podcast_", podcasts, true)] {
        for (index, chunk) in rows.chunks(ROWS_PER_FILE).enumerate() {
            files.push(File {
                name: format!("{}/{stem}{index}.json", layout.folder()),
                plays: chunk.to_vec(),
                as_podcasts,
            });
        }
    }
    files
}

impl File<'_> {
    pub fn write<W: Write>(&self, out: W) -> io::Result<W> {
        let (artist, title) =
            if self.as_podcasts { ("podcastName", "episodeName") } else { ("artistName", "trackName") };
        let mut rows = Rows::new(out, Layout::ACCOUNT)?;
        for play in &self.plays {
            rows.row(|row| {
                row.text("endTime", Some(&minute(play.reported_at_ms)))?;
                row.text(artist, Some(play.artist.as_deref().unwrap_or("Unknown Artist")))?;
                row.text(title, Some(play.title.as_deref().unwrap_or("Unknown Track")))?;
                row.number("msPlayed", Some(play.ms_played))
            })?;
        }
        rows.finish()
    }
}

/// `YYYY-MM-DD HH:MM`.
fn minute(instant_ms: i64) -> String {
    Timestamp::from_millisecond(instant_ms)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

/// What else lies in the folder: no history, and personal.
pub fn other_files(layout: AccountLayout) -> Vec<(String, Vec<u8>)> {
    let folder = layout.folder();
    let texts = [
        ("Playlist1.json", r#"{"playlists":[{"name":"Rainy Platform","items":[]}]}"#.to_owned()),
        ("YourLibrary.json", r#"{"tracks":[],"albums":[],"shows":[]}"#.to_owned()),
        (
            "Userdata.json",
            format!(r#"{{"username":"{USER_NAME}","email":"{EMAIL}","birthdate":"{BIRTH_DATE}","country":"DE"}}"#),
        ),
        ("Payments.json", format!(r#"{{"payment_method":"{CARD}"}}"#)),
        ("Inferences.json", r#"{"inferences":["1P_Custom_Nobody"]}"#.to_owned()),
        ("SearchQueries.json", "[]".to_owned()),
    ];
    let mut files: Vec<(String, Vec<u8>)> =
        texts.into_iter().map(|(name, text)| (format!("{folder}/{name}"), text.into_bytes())).collect();
    files.push((format!("{folder}/Read_Me_First.pdf"), super::archive::PDF_STUB.to_vec()));
    files
}
