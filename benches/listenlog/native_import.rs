//! The baseline of the import: what a native Rust program needs that unpacks the same archive, parses the same rows and
//! inserts them into the same tables of a SQLite file.
//!
//! It is written with the crates anybody would take (`zip`, `serde_json`, `rusqlite`) and nothing of Listenlog's reader:
//! that reader streams and forgives, which costs time, and this side shall owe it nothing. It does less than the Worker:
//! ids are counted and not derived, songs are not told apart by name, and nothing is matched, resumable or reported.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    io::{Cursor, Read},
    path::Path,
    time::Duration,
};

use jiff::Timestamp;
use listenlog::domain::observation::{Reason, StoredReason};
use listenlog_workbench::runtime::repository;
use rusqlite::{Connection, Statement, params, types::Value};
use serde::Deserialize;
use zip::ZipArchive;

use crate::{Failure, measure};

/// Rows of one transaction.
const ROWS_AT_ONCE: usize = 10_000;

#[derive(Deserialize)]
struct Item<'a> {
    ts: &'a str,
    ms_played: i64,
    #[serde(borrow)]
    master_metadata_track_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    master_metadata_album_artist_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    master_metadata_album_album_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    spotify_track_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    episode_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    episode_show_name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    spotify_episode_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    audiobook_title: Option<Cow<'a, str>>,
    #[serde(borrow)]
    audiobook_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    audiobook_chapter_uri: Option<Cow<'a, str>>,
    #[serde(borrow)]
    audiobook_chapter_title: Option<Cow<'a, str>>,
    reason_start: Option<&'a str>,
    reason_end: Option<&'a str>,
    shuffle: Option<bool>,
    skipped: Option<bool>,
    offline: Option<bool>,
    offline_timestamp: Option<i64>,
    incognito_mode: Option<bool>,
}

/// What the import came to.
pub struct Imported {
    pub took: Duration,
    /// Unpacking and parsing alone.
    pub parsing: Duration,
    pub plays: i64,
}

/// Imports the archive into a new file in `folder`.
pub fn run(archive: &[u8], folder: &Path) -> Result<Imported, Failure> {
    let path = folder.join("native.sqlite");
    for suffix in ["", "-wal", "-shm"] {
        drop(fs::remove_file(format!("{}{suffix}", path.display())));
    }
    let started = measure::now();
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
    for migration in migrations()? {
        connection.execute_batch(&migration)?;
    }
    let mut parsing = Duration::ZERO;
    let mut writer = Writer::new(&connection)?;
    let mut zip = ZipArchive::new(Cursor::new(archive))?;
    for index in 0..zip.len() {
        let began = measure::now();
        let mut entry = zip.by_index(index)?;
        let name = entry.name()?.into_owned();
        if Path::new(&name).extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let is_video = name.contains("Video");
        let mut text = Vec::with_capacity(usize::try_from(entry.size())?);
        entry.read_to_end(&mut text)?;
        let items: Vec<Item<'_>> = serde_json::from_slice(&text)?;
        parsing += began.elapsed();
        for some in items.chunks(ROWS_AT_ONCE) {
            connection.execute_batch("BEGIN")?;
            for item in some {
                writer.write(item, i64::try_from(index)?, is_video)?;
            }
            connection.execute_batch("COMMIT")?;
        }
    }
    let plays = connection.query_row("SELECT count(*) FROM plays", [], |row| row.get(0))?;
    Ok(Imported { took: started.elapsed(), parsing, plays })
}

fn migrations() -> Result<Vec<String>, Failure> {
    let files = fs::read_dir(repository().join("migrations"))?.collect::<Result<Vec<_>, _>>()?;
    let mut paths: Vec<_> = files.into_iter().map(|file| file.path()).collect();
    paths.sort_unstable();
    Ok(paths.into_iter().map(fs::read_to_string).collect::<Result<_, _>>()?)
}

struct Writer<'connection> {
    play: Statement<'connection>,
    track: Statement<'connection>,
    artist: Statement<'connection>,
    credit: Statement<'connection>,
    tracks: HashMap<String, i64>,
    artists: HashMap<String, i64>,
    /// Track, length and start of the rows that ended in `current`: some rows of an export are there twice.
    at_once: Vec<(i64, i64, Option<i64>)>,
    current: i64,
}

impl<'connection> Writer<'connection> {
    fn new(connection: &'connection Connection) -> Result<Self, Failure> {
        const PLAY: &str = "INSERT INTO plays (user_id, ended_at, track_id, ordinal, kind, ms_played, \
            extended_offset_ms, extended_elapsed_ms, reason_start, reason_end, flags, extended_file_id) \
            VALUES (1, ?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?9, ?10)";
        Ok(Self {
            play: connection.prepare(PLAY)?,
            track: connection
                .prepare("INSERT INTO tracks (id, uri, title, artist_name, album_name) VALUES (?1, ?2, ?3, ?4, ?5)")?,
            artist: connection.prepare("INSERT INTO artists (id, name) VALUES (?1, ?2)")?,
            credit: connection
                .prepare("INSERT INTO track_artists (track_id, position, artist_id) VALUES (?1, 0, ?2)")?,
            tracks: HashMap::new(),
            artists: HashMap::new(),
            at_once: Vec::new(),
            current: 0,
        })
    }

    fn write(&mut self, item: &Item<'_>, file: i64, is_video: bool) -> Result<(), Failure> {
        let ended_at = item.ts.parse::<Timestamp>()?.as_millisecond();
        let started_at =
            item.offline_timestamp.filter(|at| *at > 0).map(|at| if at < 10_000_000_000 { at * 1_000 } else { at });
        let elapsed_ms = started_at
            .map(|at| ended_at - at / 1_000 * 1_000)
            .filter(|elapsed| (0..=30 * 86_400_000).contains(elapsed));
        let Some((track, kind)) = self.track_of(item, is_video)? else { return Ok(()) };
        if self.current != ended_at {
            self.at_once.clear();
            self.current = ended_at;
        }
        let record = (track, item.ms_played, elapsed_ms);
        if self.at_once.contains(&record) {
            return Ok(());
        }
        let ordinal = self.at_once.iter().filter(|other| other.0 == track).count();
        self.at_once.push(record);
        let (reason_start, reason_end) = (reason(item.reason_start), reason(item.reason_end));
        let row = params![
            ended_at,
            track,
            i64::try_from(ordinal)?,
            kind,
            item.ms_played,
            elapsed_ms,
            reason_start,
            reason_end,
            flags(item),
            file
        ];
        self.play.execute(row)?;
        Ok(())
    }

    /// The row of the item's track, and its kind.
    fn track_of(&mut self, item: &Item<'_>, is_video: bool) -> Result<Option<(i64, i64)>, Failure> {
        let (kind, uri, title, artist, album) = if let Some(uri) = item.spotify_track_uri.as_deref() {
            let kind = if uri.starts_with("spotify:local:") { 3 } else { i64::from(is_video) * 4 };
            let (title, artist) = (&item.master_metadata_track_name, &item.master_metadata_album_artist_name);
            (kind, uri, title, artist, item.master_metadata_album_album_name.as_deref())
        } else if let Some(uri) = item.spotify_episode_uri.as_deref() {
            (1, uri, &item.episode_name, &item.episode_show_name, None)
        } else if let Some(uri) = item.audiobook_chapter_uri.as_deref().or(item.audiobook_uri.as_deref()) {
            (2, uri, &item.audiobook_chapter_title, &item.audiobook_title, None)
        } else {
            return Ok(None);
        };
        if let Some(id) = self.tracks.get(uri) {
            return Ok(Some((*id, kind)));
        }
        let id = i64::try_from(self.tracks.len())? + 1;
        self.tracks.insert(uri.to_owned(), id);
        self.track.execute(params![id, uri, title.as_deref(), artist.as_deref(), album])?;
        if let Some(name) = artist.as_deref() {
            let next = i64::try_from(self.artists.len())? + 1;
            let artist = *self.artists.entry(name.to_owned()).or_insert(next);
            if artist == next {
                self.artist.execute(params![artist, name])?;
            }
            self.credit.execute(params![id, artist])?;
        }
        Ok(Some((id, kind)))
    }
}

fn reason(word: Option<&str>) -> Value {
    match word.and_then(Reason::new).map(|reason| reason.to_stored()) {
        Some(StoredReason::Known(number)) => Value::Integer(i64::try_from(number).unwrap_or_default()),
        Some(StoredReason::Word(word)) => Value::Text(word),
        None => Value::Null,
    }
}

fn flags(item: &Item<'_>) -> i64 {
    let bits = [
        item.shuffle == Some(true),
        item.offline == Some(true),
        item.incognito_mode == Some(true),
        item.skipped == Some(true),
        item.skipped.is_some(),
    ];
    bits.into_iter().zip(0..).map(|(is_set, place)| i64::from(is_set) << place).sum()
}
