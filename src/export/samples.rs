//! Rows as exports have had them over the years, and archives around them.
//!
//! Addresses, agents and names are invented, and conspicuous, so that a test can look for them.

use std::io::{Cursor, Write};

use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{Directory, DirectoryReader, Entry, FileEnd, FileError, FileHint, HistoryFile, Limits, Row};
use crate::domain::{ids::ImportFileId, instant::Millis};

/// What must never be found again in what was parsed.
pub const PERSONAL: [&str; 5] = ["203.0.113.77", "SpyAgent/9.9", "listener-4711", "PlatformOfMine", "Ruritania"];

/// The first endsong files, and `Streaming_History_Audio` until November 2024.
pub const R1: &str = r#"{"ts":"2021-05-01T10:00:00Z","username":"listener-4711","platform":"PlatformOfMine 10",
"ms_played":201346,"conn_country":"Ruritania","ip_addr_decrypted":"203.0.113.77","user_agent_decrypted":"SpyAgent/9.9",
"master_metadata_track_name":"Let Down","master_metadata_album_artist_name":"Radiohead",
"master_metadata_album_album_name":"OK Computer","spotify_track_uri":"spotify:track:2fuYa3Lx06QQJAm0MjztKr",
"episode_name":null,"episode_show_name":null,"spotify_episode_uri":null,"reason_start":"clickrow",
"reason_end":"trackdone","shuffle":false,"skipped":null,"offline":false,"offline_timestamp":1619863000123,
"incognito_mode":false}"#;

/// The transition: no agent, the address under its new name, the user name still there.
pub const R2: &str = r#"{"ts":"2022-05-01T10:00:00Z","username":"listener-4711","platform":"PlatformOfMine",
"ms_played":1000,"conn_country":"Ruritania","ip_addr":"203.0.113.77","master_metadata_track_name":"Nude",
"master_metadata_album_artist_name":"Radiohead","master_metadata_album_album_name":"In Rainbows",
"spotify_track_uri":"spotify:track:35YyxFpE0ZTOoqFx5bADW8","episode_name":null,"episode_show_name":null,
"spotify_episode_uri":null,"reason_start":"trackdone","reason_end":"fwdbtn","shuffle":true,"skipped":true,
"offline":false,"offline_timestamp":0,"incognito_mode":true}"#;

/// November 2024: neither user name nor agent.
pub const R3: &str = r#"{"ts":"2024-11-30T23:59:59Z","platform":"PlatformOfMine","ms_played":35000,
"conn_country":"Ruritania","ip_addr":"203.0.113.77","master_metadata_track_name":"Bödvar","master_metadata_album_artist_name":
"Sigur R\u00f3s","master_metadata_album_album_name":"( )","spotify_track_uri":"spotify:track:3333333333333333333333",
"episode_name":null,"episode_show_name":null,"spotify_episode_uri":null,"reason_start":"trackdone",
"reason_end":"endplay","shuffle":false,"skipped":false,"offline":true,"offline_timestamp":1733011164,
"incognito_mode":false}"#;

/// 2025: with audiobooks.
pub const R4: &str = r#"{"ts":"2025-04-28T20:31:12Z","platform":"PlatformOfMine","ms_played":0,"conn_country":"Ruritania",
"ip_addr":"203.0.113.77","master_metadata_track_name":null,"master_metadata_album_artist_name":null,
"master_metadata_album_album_name":null,"spotify_track_uri":null,"episode_name":null,"episode_show_name":null,
"spotify_episode_uri":null,"audiobook_title":"Dune","audiobook_uri":"spotify:show:dune",
"audiobook_chapter_uri":"spotify:episode:chapter1","audiobook_chapter_title":"Chapter 1","reason_start":"clickrow",
"reason_end":"logout","shuffle":false,"skipped":false,"offline":false,"offline_timestamp":null,
"incognito_mode":false}"#;

pub const EPISODE: &str = r#"{"ts":"2023-01-02T03:04:05Z","platform":"PlatformOfMine","ms_played":61000,
"master_metadata_track_name":null,"master_metadata_album_artist_name":null,"master_metadata_album_album_name":null,
"spotify_track_uri":null,"episode_name":"Episode 1","episode_show_name":"The Show",
"spotify_episode_uri":"spotify:episode:6666666666666666666666","offline_timestamp":1672628584}"#;

pub const ACCOUNT: &str =
    r#"{"endTime":"2023-06-01 21:15","artistName":"Radiohead","trackName":"Let Down","msPlayed":201346}"#;
pub const ACCOUNT_PODCAST: &str =
    r#"{"endTime":"2023-06-01 21:20","podcastName":"The Show","episodeName":"Episode 1","msPlayed":61000}"#;
pub const ACCOUNT_AUDIOBOOK: &str = r#"{"endTime":"2023-06-01 21:25","audiobookName":"Dune",
"chapterName":"Chapter 1","authorName":"Frank Herbert","msPlayed":1000}"#;

pub const AUDIO: FileHint = FileHint::Extended { video: false };
/// 2026-01-01
pub const NOW: Millis = Millis(1_767_225_600_000);
pub const FILE: ImportFileId = ImportFileId(7);

pub fn array(rows: &[&str]) -> String {
    format!("[\n  {}\n]\n", rows.join(",\n  "))
}

pub const COMPLETE: FileEnd = FileEnd { complete: true, note: None };

/// Rows of all sorts, and others among them.
pub fn mixed_extended() -> String {
    array(&["null", R1, r#"{"ts":"soon","ms_played":1}"#, R2, "[1,{\"ts\":1}]", EPISODE, "{bad}", R3, R4, "{}", R1])
}

pub fn mixed_account() -> String {
    array(&["7", ACCOUNT, ACCOUNT, ACCOUNT_PODCAST, "{}", ACCOUNT, "{bad}", ACCOUNT, ACCOUNT_PODCAST])
}

/// Feeds a plain file whole.
pub fn read(json: &[u8], hint: FileHint) -> (Vec<Row>, Result<FileEnd, FileError>) {
    read_in_chunks(json, hint, json.len().max(1), 0)
}

pub fn read_in_chunks(
    json: &[u8],
    hint: FileHint,
    chunk_bytes: usize,
    resume_at_row: u64,
) -> (Vec<Row>, Result<FileEnd, FileError>) {
    let file = HistoryFile::plain(hint, resume_at_row, &Limits::default(), NOW, FILE);
    run(file, json, chunk_bytes)
}

/// Feeds a file to its end or its first failure.
pub fn run(mut file: HistoryFile, bytes: &[u8], chunk_bytes: usize) -> (Vec<Row>, Result<FileEnd, FileError>) {
    let mut rows = Vec::new();
    for chunk in bytes.chunks(chunk_bytes) {
        if file.feed(chunk, &mut rows).is_err() {
            break;
        }
    }
    let end = file.finish(&mut rows);
    (rows, end)
}

/// The only row of an array with this row, without its excerpt.
pub fn row(json: &str, hint: FileHint) -> Row {
    let (mut rows, end) = read(array(&[json]).as_bytes(), hint);
    assert_eq!(end, Ok(FileEnd { complete: true, note: None }), "{json}");
    assert_eq!(rows.len(), 1, "{json}");
    match rows.remove(0) {
        Row::Rejected(reject) => reject.reason.into(),
        row => row,
    }
}

pub const STORED: CompressionMethod = CompressionMethod::Stored;
pub const DEFLATED: CompressionMethod = CompressionMethod::Deflated;

pub fn archive(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in files {
        if name.ends_with('/') {
            zip.add_directory(*name, options).unwrap();
        } else {
            zip.start_file(*name, options).unwrap();
            zip.write_all(content).unwrap();
        }
    }
    zip.finish().unwrap().into_inner()
}

/// Reads the directory by the ranges it asks for, in chunks, and says how many ranges it took.
pub fn directory_in_chunks(
    archive: &[u8],
    chunk_bytes: usize,
    limits: &Limits,
) -> Result<(Directory, usize), super::ArchiveError> {
    let mut reader = DirectoryReader::new(archive.len() as u64, limits)?;
    let mut ranges = 0;
    while let Some(range) = reader.wants() {
        ranges += 1;
        assert!(range.length > 0 && range.end() <= archive.len() as u64, "{range:?} is outside the archive");
        let bytes = &archive[usize::try_from(range.offset).unwrap()..usize::try_from(range.end()).unwrap()];
        for chunk in bytes.chunks(chunk_bytes) {
            if let Some(directory) = reader.feed(chunk)? {
                assert_eq!(reader.wants(), None);
                return Ok((directory, ranges));
            }
        }
    }
    panic!("the reader wants nothing and has nothing");
}

pub fn directory(archive: &[u8]) -> Result<Directory, super::ArchiveError> {
    directory_in_chunks(archive, usize::MAX, &Limits::default()).map(|(directory, _)| directory)
}

pub fn bytes_of<'a>(archive: &'a [u8], entry: &Entry) -> &'a [u8] {
    let range = entry.range();
    &archive[usize::try_from(range.offset).unwrap()..usize::try_from(range.end()).unwrap()]
}

/// Reads one entry of an archive whole.
pub fn read_entry(archive: &[u8], entry: &Entry) -> (Vec<Row>, Result<FileEnd, FileError>) {
    let hint = FileHint::from_name(&entry.name);
    match HistoryFile::new(entry, hint, 0, &Limits::default(), NOW, FILE) {
        Ok(file) => run(file, bytes_of(archive, entry), usize::MAX),
        Err(error) => (Vec::new(), Err(error)),
    }
}
