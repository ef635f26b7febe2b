//! What must hold for any bytes.

use listenlog::{
    domain::{ids::ImportFileId, instant::Millis},
    export::{
        Directory, DirectoryReader, Entry, FileEnd, FileError, FileHint, Format, HistoryFile, Limits, Row, RowSlice,
        sniff, write_slice,
    },
};

/// 2026-11-23T12:00:00Z.
const NOW: Millis = Millis(1_795_435_200_000);
const FILE: ImportFileId = ImportFileId(7);
/// Entries that are read; an archive of a thousand costs time and finds nothing more.
const MAX_ENTRIES: usize = 8;
/// Inflated bytes of an entry: bombs are told by their limits, not by waiting for them.
const LIMITS: Limits = Limits {
    max_entries: 100,
    max_entry_bytes: 1024 * 1024,
    max_total_bytes: 2 * 1024 * 1024,
    max_ratio: 200,
    ratio_applies_from_bytes: 64 * 1024,
};
/// Chunks that bytes are fed in, beside all at once: one that divides nothing.
const ODD_CHUNK_BYTES: usize = 61;

/// An archive: its directory and every file in it.
///
/// # Panics
/// What must hold does not.
pub fn archive(bytes: &[u8]) {
    let whole = directory(bytes, usize::MAX);
    let in_pieces = directory(bytes, ODD_CHUNK_BYTES);
    assert_eq!(whole, in_pieces, "the directory depends on the chunks");
    let Some(directory) = whole else { return };
    assert!(directory.entries.len() <= LIMITS.max_entries);
    for entry in directory.entries.iter().take(MAX_ENTRIES) {
        let range = entry.range();
        assert!(range.length > 0 && range.end() <= length(bytes), "a range outside the archive");
        let data = piece(bytes, range.offset, range.length);
        // Whatever it says, it says it without a panic.
        _ = sniff(entry, data.get(..data.len().min(4_096)).unwrap_or_default());
        let read = |resume_at_row, chunk_bytes| in_archive(entry, data, resume_at_row, chunk_bytes);
        check(&read);
    }
}

/// A JSON file as it is. The first byte chooses what its name hints at.
pub fn history(bytes: &[u8]) {
    const HINTS: [FileHint; 5] = [
        FileHint::Extended { video: false },
        FileHint::Extended { video: true },
        FileHint::AccountMusic,
        FileHint::AccountPodcast,
        FileHint::UnknownJson,
    ];
    let Some((first, json)) = bytes.split_first() else { return };
    let hint = HINTS.into_iter().cycle().nth(usize::from(first % 5)).unwrap_or(FileHint::UnknownJson);
    let read = |resume_at_row, chunk_bytes| {
        let file = HistoryFile::plain(hint, resume_at_row, &LIMITS, NOW, FILE);
        Some(run(file, json, chunk_bytes))
    };
    check(&read);
}

/// A slice of rows as it may be sent by anyone who has a credential.
///
/// # Panics
/// What must hold does not.
pub fn slice(bytes: &[u8]) {
    let Ok(slice) = serde_json::from_slice::<RowSlice<'_>>(bytes) else { return };
    let format = slice.format();
    let Ok(rows) = slice.into_rows(FILE, NOW) else { return };
    assert_eq!(sent(format, &rows), Some(rows), "what was understood is not what is sent");
}

/// What came of reading a file.
#[derive(Debug, PartialEq)]
struct Read {
    rows: Vec<Row>,
    end: Result<FileEnd, FileError>,
    settled: u64,
    format: Option<Format>,
}

/// Reading is the same whatever the chunks are and wherever it resumes, and its rows survive the way to the Worker.
fn check(read: &dyn Fn(u64, usize) -> Option<Read>) {
    let Some(whole) = read(0, usize::MAX) else { return };
    assert_eq!(length(&whole.rows), whole.settled, "a row that is not counted");
    let in_pieces = read(0, ODD_CHUNK_BYTES);
    let is_damaged = |read: &Read| read.end == Err(FileError::DataDamaged);
    if is_damaged(&whole) || in_pieces.as_ref().is_some_and(is_damaged) {
        // How far an inflater sees before it stumbles, or whether it only misses an end, depends on how much it is
        // given; what it gave before is the same.
        let rows = in_pieces.as_ref().map_or(&[][..], |read| &read.rows);
        assert!(whole.rows.iter().zip(rows).all(|(left, right)| left == right), "rows before the damage differ");
        return;
    }
    assert_eq!(Some(&whole), in_pieces.as_ref(), "the rows depend on the chunks");
    let half = whole.settled / 2;
    if let Some(rest) = read(half, usize::MAX) {
        let expected = whole.rows.get(usize::try_from(half).unwrap_or(usize::MAX)..).unwrap_or_default();
        let same = rest.rows.iter().map(told).eq(expected.iter().map(told));
        assert!(same && rest.settled == whole.settled, "resuming gives other rows");
    }
    if let Some(format @ (Format::Extended | Format::Account)) = whole.format {
        for rows in whole.rows.chunks(1_000) {
            assert_eq!(sent(format, rows).as_deref(), Some(of_file(rows)).as_deref(), "rows change on their way");
        }
    }
}

/// A row without the excerpt of a refused one: those are kept for the first ones of a reading only.
fn told(row: &Row) -> Row {
    match row {
        Row::Rejected(reject) => Row::from(reject.reason),
        row => row.clone(),
    }
}

/// Rows that were read for no file in particular, as if for [`FILE`].
fn of_file(rows: &[Row]) -> Vec<Row> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        if let Row::Play(play) = row {
            play.observation.file = Some(FILE);
        }
    }
    rows
}

/// What arrives of rows that are sent.
fn sent(format: Format, rows: &[Row]) -> Option<Vec<Row>> {
    let text = serde_json::to_vec(&write_slice(format, rows)).ok()?;
    serde_json::from_slice::<RowSlice<'_>>(&text).ok()?.into_rows(FILE, NOW).ok()
}

fn directory(bytes: &[u8], chunk_bytes: usize) -> Option<Directory> {
    let mut reader = DirectoryReader::new(length(bytes), &LIMITS).ok()?;
    while let Some(range) = reader.wants() {
        assert!(range.length > 0 && range.end() <= length(bytes), "bytes outside the archive are wanted");
        let wanted = piece(bytes, range.offset, range.length);
        if let Some(directory) = reader.feed(wanted.get(..chunk_bytes).unwrap_or(wanted)).ok()? {
            return Some(directory);
        }
    }
    None
}

fn in_archive(entry: &Entry, data: &[u8], resume_at_row: u64, chunk_bytes: usize) -> Option<Read> {
    let hint = FileHint::from_name(&entry.name);
    Some(run(HistoryFile::new(entry, hint, resume_at_row, &LIMITS, NOW, FILE).ok()?, data, chunk_bytes))
}

fn run(mut file: HistoryFile, data: &[u8], chunk_bytes: usize) -> Read {
    let mut rows = Vec::new();
    let mut failure = None;
    for chunk in data.chunks(chunk_bytes.min(data.len().max(1))) {
        if let Err(error) = file.feed(chunk, &mut rows) {
            failure = Some(error);
            break;
        }
    }
    let end = file.finish(&mut rows);
    if let Some(failure) = failure {
        assert_eq!(end, Err(failure), "a file that failed stays failed");
    }
    Read { rows, end, settled: file.rows_read(), format: file.format() }
}

fn piece(bytes: &[u8], offset: u64, length: u64) -> &[u8] {
    let from = usize::try_from(offset).unwrap_or(usize::MAX);
    let to = from.saturating_add(usize::try_from(length).unwrap_or(usize::MAX)).min(bytes.len());
    bytes.get(from..to).unwrap_or_default()
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}
