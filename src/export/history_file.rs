//! One file of an export, from its bytes in storage to rows.
//!
//! Must stay true:
//! * a damaged file gives the rows before the damage, and one sentence about it;
//! * every element counts as one row, kept or not, so [`HistoryFile::rows_read`] is a cursor to resume at;
//! * a file that is no history is recognised early and gives no rows at all.

use super::{
    content::Content,
    entry::Entry,
    file_error::FileError,
    format::Format,
    gunzip::{self, Gunzip},
    limits::Limits,
    names::FileHint,
    raw_row::FileFacts,
    rows::Row,
    track_ids::TrackIds,
    unpack::Unpack,
};
use crate::domain::{ids::ImportFileId, instant::Millis};

/// A plain file is taken in pieces of this size, so that a large chunk is not copied whole.
const PIECE_BYTES: usize = 64 * 1024;

/// How the reading of a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEnd {
    /// Every row of the file was read.
    pub complete: bool,
    /// What is to be said about the file, if anything.
    pub note: Option<FileError>,
}

/// Reads one file: [`HistoryFile::feed`] it the bytes of [`Entry::range`], or of a file without an archive, in chunks of
/// any size, then [`HistoryFile::finish`].
pub struct HistoryFile {
    packing: Packing,
    content: Content,
    max_bytes: u64,
    failure: Option<FileError>,
}

/// What the text of a file lies in.
enum Packing {
    Archive(Unpack),
    Gzip(Box<Gunzip>),
    None,
}

impl HistoryFile {
    /// A file of an archive. Rows before `resume_at_row` are counted and not given again. Fails for an entry that
    /// cannot be read or states a size beyond the limits.
    pub fn new(
        entry: &Entry,
        hint: FileHint,
        resume_at_row: u64,
        limits: &Limits,
        now: Millis,
        file: impl Into<Option<ImportFileId>>,
    ) -> Result<Self, FileError> {
        let packing = Packing::Archive(Unpack::new(entry, limits)?);
        Ok(Self { packing, ..Self::plain(hint, resume_at_row, limits, now, file) })
    }

    /// A JSON file as it is, outside of any archive.
    pub fn plain(
        hint: FileHint,
        resume_at_row: u64,
        limits: &Limits,
        now: Millis,
        file: impl Into<Option<ImportFileId>>,
    ) -> Self {
        let is_video = matches!(hint, FileHint::Extended { video: true });
        let facts = FileFacts { file: file.into(), now, is_video };
        let content = Content::new(hint, resume_at_row, facts);
        Self { packing: Packing::None, content, max_bytes: limits.max_entry_bytes, failure: None }
    }

    /// A JSON file compressed with gzip, outside of any archive.
    pub fn gzip(
        hint: FileHint,
        resume_at_row: u64,
        limits: &Limits,
        now: Millis,
        file: impl Into<Option<ImportFileId>>,
    ) -> Self {
        let packing = Packing::Gzip(Box::new(Gunzip::new(limits)));
        Self { packing, ..Self::plain(hint, resume_at_row, limits, now, file) }
    }

    /// Says how many of the rows before the one to resume at were of no use, so that the limit of such rows is that of one
    /// straight reading.
    #[must_use]
    pub fn after_useless(mut self, rows: u64) -> Self {
        self.content.after_useless(rows);
        self
    }

    /// Takes the next bytes of the file and appends the rows they complete. All of a chunk's rows are in memory at
    /// once, and deflate can make a thousand bytes of one: feed some kilobytes at a time and take the rows out.
    ///
    /// After an error the rows appended so far are good, and the file is over: every further call says the same.
    /// Bytes beyond the entry's end, and all bytes once the file is no history, are ignored.
    pub fn feed(&mut self, chunk: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let outcome = self.take(chunk, rows);
        self.failure = outcome.err();
        outcome
    }

    /// No more bytes will come. Appends what was still unfinished; fails only where [`HistoryFile::feed`] had failed
    /// or where the last bytes fail.
    pub fn finish(&mut self, rows: &mut Vec<Row>) -> Result<FileEnd, FileError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        if self.content.is_other() {
            return Ok(FileEnd { complete: true, note: None });
        }
        let unpacked = self.end_of_packing(rows);
        if let Err(failure) = self.content.end(rows) {
            self.failure = Some(failure);
            return Err(failure);
        }
        if self.content.is_other() {
            return Ok(FileEnd { complete: true, note: None });
        }
        if let Err(note) = unpacked {
            return Ok(FileEnd { complete: note != FileError::Truncated, note: Some(note) });
        }
        let is_cut_off = self.content.is_cut_off();
        Ok(FileEnd { complete: !is_cut_off, note: is_cut_off.then_some(FileError::Truncated) })
    }

    fn end_of_packing(&mut self, rows: &mut Vec<Row>) -> Result<(), FileError> {
        match &mut self.packing {
            Packing::None => Ok(()),
            Packing::Archive(unpack) => unpack.verify(),
            Packing::Gzip(gunzip) => {
                let mut last = Vec::new();
                let ended = gunzip.end(&mut last);
                self.content.feed(&last, rows)?;
                ended
            }
        }
    }

    /// The tracks that were met: whoever reads several files hands them on, so that none is worked out anew in each.
    pub const fn track_ids(&mut self) -> &mut TrackIds {
        self.content.track_ids()
    }

    /// What the file is, once its first row or enough else has been seen. An empty array never tells.
    pub const fn format(&self) -> Option<Format> {
        self.content.format()
    }

    /// Elements read so far, those before the row to resume at and those of no use included: where to resume.
    pub const fn rows_read(&self) -> u64 {
        self.content.rows_read()
    }

    pub const fn inflated_bytes(&self) -> u64 {
        self.content.bytes()
    }

    /// Whether more bytes can still change anything.
    pub fn wants_more(&self) -> bool {
        let is_unpacked = matches!(&self.packing, Packing::Archive(unpack) if unpack.is_over());
        !is_unpacked && self.failure.is_none() && !self.content.is_other()
    }

    fn take(&mut self, mut chunk: &[u8], rows: &mut Vec<Row>) -> Result<(), FileError> {
        let Self { packing, content, max_bytes, .. } = self;
        match packing {
            Packing::Archive(unpack) => {
                while !content.is_other()
                    && let Some(piece) = unpack.next(&mut chunk)?
                {
                    content.feed(piece, rows)?;
                }
            }
            Packing::Gzip(gunzip) => {
                let mut inflated = Vec::new();
                for piece in chunk.chunks(gunzip::PIECE_BYTES) {
                    inflated.clear();
                    let taken = gunzip.take(piece, &mut inflated);
                    for piece in inflated.chunks(PIECE_BYTES) {
                        content.feed(piece, rows)?;
                    }
                    taken?;
                }
            }
            Packing::None => {
                for piece in chunk.chunks(PIECE_BYTES) {
                    content.feed(piece, rows)?;
                    if content.bytes() > *max_bytes {
                        return Err(FileError::TooLarge);
                    }
                }
            }
        }
        Ok(())
    }
}

/// What kind of file an entry is, from the first few kilobytes of [`Entry::range`]. `None` when they do not tell yet.
pub fn sniff(entry: &Entry, first_bytes: &[u8]) -> Result<Option<Format>, FileError> {
    let file = HistoryFile::new(entry, FileHint::UnknownJson, u64::MAX, &Limits::default(), Millis(0), None)?;
    sniffed(file, first_bytes)
}

/// The same of a file without an archive.
pub fn sniff_plain(first_bytes: &[u8]) -> Result<Option<Format>, FileError> {
    sniffed(HistoryFile::plain(FileHint::UnknownJson, u64::MAX, &Limits::default(), Millis(0), None), first_bytes)
}

/// The same of a file that is compressed with gzip.
pub fn sniff_gzip(first_bytes: &[u8]) -> Result<Option<Format>, FileError> {
    sniffed(HistoryFile::gzip(FileHint::UnknownJson, u64::MAX, &Limits::default(), Millis(0), None), first_bytes)
}

fn sniffed(mut file: HistoryFile, first_bytes: &[u8]) -> Result<Option<Format>, FileError> {
    let mut rows = Vec::new();
    file.feed(first_bytes, &mut rows)?;
    if matches!(&file.packing, Packing::Archive(unpack) if unpack.is_over()) {
        file.finish(&mut rows)?;
    }
    Ok(file.content.probable_format())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;
    use crate::export::{
        EntryFault,
        samples::{
            ACCOUNT, AUDIO, COMPLETE, DEFLATED, FILE, NOW, R1, R2, STORED, archive, array, bytes_of, directory,
            mixed_account, mixed_extended, read, read_entry, run,
        },
    };

    #[test]
    fn the_number_of_rows_read_counts_every_element() {
        let mut file = HistoryFile::plain(AUDIO, 4, &Limits::default(), NOW, FILE);
        let mut rows = Vec::new();
        let json = mixed_extended();
        file.feed(json.as_bytes(), &mut rows).unwrap();
        file.finish(&mut rows).unwrap();
        assert_eq!((file.rows_read(), rows.len()), (11, 7));
        assert_eq!(file.inflated_bytes(), json.len() as u64);
    }

    #[test]
    fn a_file_that_failed_stays_failed() {
        let mut file = HistoryFile::plain(AUDIO, 0, &Limits { max_entry_bytes: 10, ..Limits::default() }, NOW, FILE);
        let mut rows = Vec::new();
        let json = array(&[R1]);
        assert_eq!(file.feed(json.as_bytes(), &mut rows), Err(FileError::TooLarge));
        assert_eq!(file.feed(json.as_bytes(), &mut rows), Err(FileError::TooLarge));
        assert_eq!(file.finish(&mut rows), Err(FileError::TooLarge));
        assert!(!file.wants_more());
    }

    #[test]
    fn an_export_is_read_entry_by_entry() {
        let music = array(&[ACCOUNT, ACCOUNT]);
        let endsong = mixed_extended();
        let files: [(&str, &[u8]); 6] = [
            ("MyData/", b""),
            ("__MACOSX/MyData/._endsong_0.json", b"\0\x05\x16\x07"),
            ("MyData/endsong_0.json", endsong.as_bytes()),
            ("MyData/StreamingHistory0.json", music.as_bytes()),
            ("MyData/Playlist1.json", br#"{"playlists":[]}"#),
            ("MyData/empty.json", b""),
        ];
        for method in [STORED, DEFLATED] {
            let bytes = archive(&files, method);
            let directory = directory(&bytes).unwrap();
            let hints: Vec<FileHint> = directory.entries.iter().map(|entry| FileHint::from_name(&entry.name)).collect();
            assert_eq!(
                hints,
                [
                    FileHint::NotHistory,
                    FileHint::NotHistory,
                    AUDIO,
                    FileHint::AccountMusic,
                    FileHint::UnknownJson,
                    FileHint::UnknownJson
                ]
            );
            let counts: Vec<usize> = directory
                .entries
                .iter()
                .map(|entry| {
                    let (rows, end) = read_entry(&bytes, entry);
                    assert_eq!(end, Ok(COMPLETE), "{}", entry.name);
                    rows.len()
                })
                .collect();
            assert_eq!(counts, [0, 0, 11, 2, 0, 0]);
        }
    }

    #[test]
    fn every_chunk_size_of_an_archived_file_gives_the_same_rows_and_resumes() {
        let json = mixed_account();
        let (whole, _) = read(json.as_bytes(), AUDIO);
        for method in [STORED, DEFLATED] {
            let bytes = archive(&[("StreamingHistory0.json", json.as_bytes())], method);
            let entry = &directory(&bytes).unwrap().entries[0];
            for chunk_bytes in 1..100 {
                let resume_at_row = chunk_bytes % 7;
                let limits = Limits::default();
                let file = HistoryFile::new(entry, AUDIO, resume_at_row as u64, &limits, NOW, FILE).unwrap();
                let (rows, end) = run(file, bytes_of(&bytes, entry), chunk_bytes);
                assert_eq!((rows.as_slice(), end), (&whole[resume_at_row..], Ok(COMPLETE)));
            }
        }
    }

    #[test]
    fn an_archive_written_as_a_stream_with_data_descriptors_is_read() {
        let mut zip = ZipWriter::new_stream(Vec::new());
        for name in ["endsong_0.json", "endsong_1.json"] {
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(array(&[R1, R2]).as_bytes()).unwrap();
        }
        let bytes = zip.finish().unwrap().into_inner();
        assert!(bytes.windows(4).any(|window| window == b"PK\x07\x08"));
        for entry in &directory(&bytes).unwrap().entries {
            let (rows, end) = read_entry(&bytes, entry);
            assert_eq!((rows.len(), end), (2, Ok(COMPLETE)));
        }
    }

    #[test]
    fn a_checksum_that_does_not_fit_is_noted_and_the_rows_are_kept() {
        let bytes = archive(&[("endsong_0.json", array(&[R1, R2]).as_bytes())], DEFLATED);
        let entry = directory(&bytes).unwrap().entries.remove(0);
        let entry = Entry { crc32: entry.crc32 ^ 1, ..entry };
        let (rows, end) = read_entry(&bytes, &entry);
        assert_eq!(rows.len(), 2);
        assert_eq!(end, Ok(FileEnd { complete: true, note: Some(FileError::ChecksumMismatch) }));
    }

    #[test]
    fn an_entry_with_a_fault_says_so() {
        let bytes = archive(&[("endsong_0.json", b"[]")], STORED);
        let entry = directory(&bytes).unwrap().entries.remove(0);
        let entry = Entry { fault: Some(EntryFault::Encrypted), ..entry };
        let (_, end) = read_entry(&bytes, &entry);
        assert_eq!(end, Err(FileError::Entry(EntryFault::Encrypted)));
        assert_eq!(end.unwrap_err().to_string(), EntryFault::Encrypted.to_string());
    }

    #[test]
    fn the_first_bytes_of_an_entry_tell_what_it_is() {
        let rows = [R1; 500];
        let accounts = array(&vec![ACCOUNT; 5_000]);
        let playlists = format!(r#"{{"playlists":[{}0]}}"#, "1,".repeat(100_000));
        let files: [(&str, &[u8]); 4] = [
            ("a.json", array(&rows).into_bytes().leak()),
            ("b.json", accounts.as_bytes()),
            ("c.json", br#"{"playlists":[]}"#),
            ("d.json", playlists.as_bytes()),
        ];
        for method in [STORED, DEFLATED] {
            let bytes = archive(&files, method);
            let directory = directory(&bytes).unwrap();
            let told: Vec<_> = directory
                .entries
                .iter()
                .map(|entry| {
                    let bytes = bytes_of(&bytes, entry);
                    assert_eq!(sniff(entry, &bytes[..20]), Ok(None));
                    sniff(entry, &bytes[..bytes.len().min(80_000)]).unwrap()
                })
                .collect();
            let [extended, account, other] = [Format::Extended, Format::Account, Format::NotHistory].map(Some);
            assert_eq!(told, [extended, account, other, other]);
            let first = &directory.entries[0];
            let first_bytes = &bytes_of(&bytes, first)[..400];
            assert_eq!(sniff(first, first_bytes), Ok(extended), "not even the first row is whole");
        }
    }
}
