//! Rows and files of the extended streaming history.
//!
//! Must stay true: field names, their order and the names of files are Spotify's for the age of export that a
//! [`FieldSet`] stands for; rows are in the order of `ts`.

use std::io::{self, Write};

use jiff::Timestamp;

use super::{
    json::{Layout, Rows},
    personal::{IP_ADDRESS, USER_AGENT, USER_NAME},
    plan::FieldSet,
    play::{Kind, StatedStart, TruePlay},
};

pub const ROWS_PER_FILE: usize = 16_000;
pub const FOLDER: &str = "Spotify Extended Streaming History";

/// 2023-01-01T00:00:00Z. Until then `offline_timestamp` was in milliseconds, since then in seconds.
const SECONDS_SINCE_MS: i64 = 1_672_531_200_000;

/// One file to be written.
pub struct File<'plays> {
    pub name: String,
    pub plays: Vec<&'plays TruePlay>,
    pub fields: FieldSet,
    pub layout: Layout,
}

/// `Streaming_History_Audio_2019-2020_2.json` and its like: audio files of about [`ROWS_PER_FILE`] rows, then video.
pub fn streaming_history(plays: &[TruePlay], fields: FieldSet) -> Vec<File<'_>> {
    let mut files = Vec::new();
    for (medium, with_picture) in [("Audio", false), ("Video", true)] {
        let rows = rows_of(plays, fields, with_picture);
        let several = rows.len() > ROWS_PER_FILE;
        for (index, chunk) in rows.chunks(ROWS_PER_FILE).enumerate() {
            let number = if several { format!("_{index}") } else { String::new() };
            files.push(File {
                name: format!("{FOLDER}/Streaming_History_{medium}_{}{number}.json", years(chunk)),
                plays: chunk.to_vec(),
                fields,
                layout: Layout::INDENTED,
            });
        }
    }
    files
}

/// `endsong_0.json` and `endvideo_0.json`.
pub fn endsong(plays: &[TruePlay]) -> Vec<File<'_>> {
    let mut files = Vec::new();
    for (stem, with_picture) in [("endsong", false), ("endvideo", true)] {
        for (index, chunk) in rows_of(plays, FieldSet::R1, with_picture).chunks(ROWS_PER_FILE).enumerate() {
            files.push(File {
                name: format!("MyData/{stem}_{index}.json"),
                plays: chunk.to_vec(),
                fields: FieldSet::R1,
                layout: Layout::ONE_LINE,
            });
        }
    }
    files
}

fn rows_of(plays: &[TruePlay], fields: FieldSet, with_picture: bool) -> Vec<&TruePlay> {
    let mut rows: Vec<&TruePlay> = plays
        .iter()
        .filter(|play| play.with_picture == with_picture)
        .filter(|play| fields.has_audiobooks() || play.kind != Kind::Audiobook)
        .collect();
    rows.sort_by_key(|play| play.reported_at_ms);
    rows
}

fn years(rows: &[&TruePlay]) -> String {
    let year =
        |play: Option<&&TruePlay>| instant(play.map_or(0, |play| play.reported_at_ms)).get(..4).map(str::to_owned);
    let first = year(rows.first()).unwrap_or_default();
    let last = year(rows.last()).unwrap_or_default();
    if first == last { first } else { format!("{first}-{last}") }
}

/// `YYYY-MM-DDTHH:MM:SSZ`.
fn instant(instant_ms: i64) -> String {
    Timestamp::from_second(instant_ms.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

impl File<'_> {
    pub fn write<W: Write>(&self, out: W) -> io::Result<W> {
        let mut rows = Rows::new(out, self.layout)?;
        for play in &self.plays {
            rows.row(|row| self.fields_of(play, row))?;
        }
        rows.finish()
    }

    fn fields_of<W: Write>(&self, play: &TruePlay, row: &mut Rows<W>) -> io::Result<()> {
        row.text("ts", Some(&instant(play.reported_at_ms)))?;
        if matches!(self.fields, FieldSet::R1 | FieldSet::R2) {
            row.text("username", Some(USER_NAME))?;
        }
        row.text("platform", Some(play.platform))?;
        row.number("ms_played", Some(play.ms_played))?;
        row.text("conn_country", Some(play.country))?;
        if self.fields == FieldSet::R1 {
            row.text("ip_addr_decrypted", Some(IP_ADDRESS))?;
            row.text("user_agent_decrypted", Some(USER_AGENT))?;
        } else {
            row.text("ip_addr", Some(IP_ADDRESS))?;
        }
        self.what_was_played(play, row)?;
        row.text("reason_start", Some(play.reason_start))?;
        row.text("reason_end", Some(play.reason_end))?;
        row.truth("shuffle", Some(play.shuffle))?;
        row.truth("skipped", play.skipped)?;
        row.truth("offline", Some(play.offline))?;
        row.number("offline_timestamp", offline_timestamp(play))?;
        row.truth("incognito_mode", Some(play.incognito))
    }

    fn what_was_played<W: Write>(&self, play: &TruePlay, row: &mut Rows<W>) -> io::Result<()> {
        let only = |holds: bool, text: &Option<super::Text>| if holds { text.clone() } else { None };
        let book = play.kind == Kind::Audiobook;
        let episode = play.kind == Kind::Podcast;
        let track = !book && !episode;
        let named = track && !play.names_withheld;
        row.text("master_metadata_track_name", only(named, &play.title).as_deref())?;
        row.text("master_metadata_album_artist_name", only(named, &play.artist).as_deref())?;
        row.text("master_metadata_album_album_name", only(named, &play.album).as_deref())?;
        row.text("spotify_track_uri", only(track, &play.uri).as_deref())?;
        row.text("episode_name", only(episode, &play.title).as_deref())?;
        row.text("episode_show_name", only(episode, &play.artist).as_deref())?;
        row.text("spotify_episode_uri", only(episode, &play.uri).as_deref())?;
        if self.fields.has_audiobooks() {
            row.text("audiobook_title", only(book, &play.artist).as_deref())?;
            row.text("audiobook_uri", only(book, &play.book_uri).as_deref())?;
            row.text("audiobook_chapter_uri", only(book, &play.uri).as_deref())?;
            row.text("audiobook_chapter_title", only(book, &play.title).as_deref())?;
        }
        Ok(())
    }
}

fn offline_timestamp(play: &TruePlay) -> Option<i64> {
    match play.stated_start() {
        StatedStart::Null => None,
        StatedStart::Zero => Some(0),
        StatedStart::At(start_ms) if play.ended_at_ms < SECONDS_SINCE_MS => Some(start_ms),
        StatedStart::At(start_ms) => Some(start_ms.div_euclid(1_000)),
    }
}
