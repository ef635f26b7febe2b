//! The archive's directory, read from its end by byte ranges.
//!
//! The reader wants the tail of the archive first, which for a Spotify export holds the whole directory: one range
//! read. Must stay true:
//! * it wants bytes only inside the archive, at most [`WINDOW_BYTES`] at once and [`DIRECTORY_MAX_BYTES`] in all;
//! * what is wrong with one entry is that entry's fault, not the archive's.

use rc_zip::{
    error::{Error as ZipError, FormatError},
    fsm::{ArchiveFsm, FsmResult},
    parse::Method,
};

use super::{
    entry::{ByteRange, Entry, EntryFault},
    limits::Limits,
};

/// The end record with the longest possible comment, as `rc-zip` looks for it.
const TAIL_BYTES: u64 = 65 * 1024;
const WINDOW_BYTES: u64 = 256 * 1024;
/// Ten thousand entries need about 1.5 MB.
const DIRECTORY_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// An empty archive: the end record alone.
const ARCHIVE_MIN_BYTES: u64 = 22;

/// Why an archive cannot be read at all. Each reads as one sentence for the person who uploaded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArchiveError {
    #[error("This is not a ZIP archive.")]
    NotAZip,
    #[error("The ZIP archive is cut off: its end is missing, so the download or the upload was not complete.")]
    Truncated,
    #[error("The directory of the ZIP archive is damaged.")]
    Damaged,
    #[error("The ZIP archive has more than {limit} entries; a Spotify export has fewer than a hundred.")]
    TooManyEntries { limit: usize },
    #[error("The directory of the ZIP archive is larger than any Spotify export's.")]
    DirectoryTooLarge,
}

/// What an archive holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// In the order of the archive's directory.
    pub entries: Vec<Entry>,
}

/// Finds the entries of an archive of which only the size is known.
///
/// Ask [`DirectoryReader::wants`], fetch that range, [`DirectoryReader::feed`] it in chunks of any size, and repeat
/// until the directory comes out.
pub struct DirectoryReader {
    archive_bytes: u64,
    max_entries: usize,
    stage: Stage,
    /// The range being fetched, or last fetched.
    window: ByteRange,
    /// What of the window has come so far.
    fetched: Vec<u8>,
    /// What the parser has taken in, in all.
    parsed_bytes: u64,
}

enum Stage {
    Directory(Box<ArchiveFsm>),
    /// There is no end record: does it at least begin like an archive?
    Beginning,
    Over,
}

impl DirectoryReader {
    pub fn new(archive_bytes: u64, limits: &Limits) -> Result<Self, ArchiveError> {
        if archive_bytes < ARCHIVE_MIN_BYTES {
            return Err(ArchiveError::NotAZip);
        }
        let length = archive_bytes.min(TAIL_BYTES);
        Ok(Self {
            archive_bytes,
            max_entries: limits.max_entries,
            stage: Stage::Directory(Box::new(ArchiveFsm::new(archive_bytes))),
            window: ByteRange { offset: archive_bytes.saturating_sub(length), length },
            fetched: Vec::new(),
            parsed_bytes: 0,
        })
    }

    /// The bytes still to be fed, from where the last chunk ended; `None` once the directory is out or has failed.
    pub fn wants(&self) -> Option<ByteRange> {
        let have = u64::try_from(self.fetched.len()).unwrap_or(u64::MAX);
        let length = self.window.length.saturating_sub(have);
        let is_over = matches!(self.stage, Stage::Over) || length == 0;
        (!is_over).then_some(ByteRange { offset: self.window.offset.saturating_add(have), length })
    }

    /// Takes the next bytes of the wanted range; bytes beyond it are ignored, and an empty slice says that the archive
    /// ended before its stated size. Returns the directory once it is complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<Option<Directory>, ArchiveError> {
        let Some(wanted) = self.wants() else { return Ok(None) };
        let outcome = if bytes.is_empty() {
            Err(ArchiveError::Truncated)
        } else {
            let length = usize::try_from(wanted.length).unwrap_or(usize::MAX).min(bytes.len());
            self.fetched.extend_from_slice(bytes.get(..length).unwrap_or_default());
            if self.wants().is_some() {
                return Ok(None);
            }
            self.process()
        };
        if !matches!(outcome, Ok(None)) {
            self.stage = Stage::Over;
        }
        outcome
    }

    /// Lets the parser have the window that has just been completed.
    fn process(&mut self) -> Result<Option<Directory>, ArchiveError> {
        let mut parser = match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::Directory(parser) => parser,
            Stage::Beginning => {
                let begins_as_zip = self.fetched.starts_with(b"PK\x03\x04");
                return Err(if begins_as_zip { ArchiveError::Truncated } else { ArchiveError::NotAZip });
            }
            Stage::Over => return Ok(None),
        };
        loop {
            let offset = parser.wants_read().ok_or(ArchiveError::Damaged)?;
            let Some(available) = self.fetched_from(offset) else {
                self.want(offset)?;
                self.stage = Stage::Directory(parser);
                return Ok(None);
            };
            if claims_impossible_offset(available) {
                return Err(ArchiveError::Damaged);
            }
            let space = parser.space();
            let length = space.len().min(available.len());
            let (Some(space), Some(available)) = (space.get_mut(..length), available.get(..length)) else {
                return Err(ArchiveError::Damaged);
            };
            space.copy_from_slice(available);
            let taken = parser.fill(length);
            if taken == 0 {
                return Err(ArchiveError::Damaged);
            }
            self.parsed_bytes = self.parsed_bytes.saturating_add(u64::try_from(taken).unwrap_or(u64::MAX));
            if self.parsed_bytes > DIRECTORY_MAX_BYTES {
                return Err(ArchiveError::DirectoryTooLarge);
            }
            match parser.process() {
                Ok(FsmResult::Continue(next)) => *parser = next,
                Ok(FsmResult::Done(archive)) => {
                    return self.directory(&archive.entries().collect::<Vec<_>>()).map(Some);
                }
                Err(ZipError::Format(FormatError::DirectoryEndSignatureNotFound)) => {
                    self.stage = Stage::Beginning;
                    self.fetched.clear();
                    self.window = ByteRange { offset: 0, length: 4 };
                    return Ok(None);
                }
                Err(_) => return Err(ArchiveError::Damaged),
            }
        }
    }

    /// The fetched bytes from `offset` on; `None` when there are none.
    fn fetched_from(&self, offset: u64) -> Option<&[u8]> {
        let skip = usize::try_from(offset.checked_sub(self.window.offset)?).ok()?;
        self.fetched.get(skip..).filter(|bytes| !bytes.is_empty())
    }

    fn want(&mut self, offset: u64) -> Result<(), ArchiveError> {
        let left = self.archive_bytes.checked_sub(offset).filter(|left| *left > 0).ok_or(ArchiveError::Truncated)?;
        self.fetched.clear();
        self.window = ByteRange { offset, length: left.min(WINDOW_BYTES) };
        Ok(())
    }

    fn directory(&self, found: &[&rc_zip::Entry]) -> Result<Directory, ArchiveError> {
        if found.len() > self.max_entries {
            return Err(ArchiveError::TooManyEntries { limit: self.max_entries });
        }
        let mut offsets: Vec<(u64, usize)> =
            found.iter().enumerate().map(|(index, entry)| (entry.header_offset, index)).collect();
        offsets.sort_unstable();
        let next_offsets =
            offsets.iter().skip(1).map(|(offset, _)| *offset.min(&self.archive_bytes)).chain([self.archive_bytes]);
        let mut entries: Vec<Entry> = offsets
            .iter()
            .zip(next_offsets)
            .filter_map(|((_, index), next_offset)| Some(entry(*index, found.get(*index)?, next_offset)))
            .collect();
        entries.sort_unstable_by_key(|entry| entry.index);
        Ok(Directory { entries })
    }
}

/// A ZIP64 end record whose directory lies beyond any file, on which `rc-zip` would overflow.
fn claims_impossible_offset(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x06\x06") && bytes.get(55).is_some_and(|highest| *highest >= 0x80)
}

fn entry(index: usize, found: &rc_zip::Entry, next_offset: u64) -> Entry {
    const ENCRYPTED: u16 = 1;
    let placed = Entry::place(found.header_offset, found.compressed_size, next_offset);
    let fault = if found.flags & ENCRYPTED != 0 {
        Some(EntryFault::Encrypted)
    } else if !matches!(found.method, Method::Store | Method::Deflate) {
        Some(EntryFault::UnsupportedMethod)
    } else {
        placed.err()
    };
    Entry {
        index,
        name: found.name.clone(),
        compressed_bytes: found.compressed_size,
        uncompressed_bytes: found.uncompressed_size,
        crc32: found.crc32,
        stored: found.method == Method::Store,
        fault,
        // A misplaced entry is never read; its range only has to be a range.
        range: placed.unwrap_or(ByteRange { offset: 0, length: 1 }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;
    use crate::export::samples::{
        DEFLATED, R1, STORED, archive, array, bytes_of, directory, directory_in_chunks, read_entry,
    };

    fn names(directory: &Directory) -> Vec<&str> {
        directory.entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn the_directory_of_a_small_archive_takes_one_range() {
        let bytes = archive(&[("MyData/", b""), ("MyData/endsong_0.json", b"[]"), ("a.txt", b"")], DEFLATED);
        for chunk_bytes in [1, 7, 1_000, usize::MAX] {
            let (directory, ranges) = directory_in_chunks(&bytes, chunk_bytes, &Limits::default()).unwrap();
            assert_eq!(ranges, 1);
            assert_eq!(names(&directory), ["MyData/", "MyData/endsong_0.json", "a.txt"]);
            assert!(directory.entries[0].is_directory());
            assert!(directory.entries.iter().all(|entry| entry.fault.is_none() && entry.range().length > 0));
        }
    }

    #[test]
    fn a_directory_larger_than_the_tail_takes_a_few_ranges() {
        let names: Vec<String> = (0..5_000).map(|number| format!("some/folder/of/an/archive/{number}.json")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"[]".as_slice())).collect();
        let bytes = archive(&files, STORED);
        let (directory, ranges) = directory_in_chunks(&bytes, 4_096, &Limits::default()).unwrap();
        assert_eq!(directory.entries.len(), 5_000);
        assert!(ranges <= 4, "{ranges}");
        let few = Limits { max_entries: 4_999, ..Limits::default() };
        assert_eq!(directory_in_chunks(&bytes, usize::MAX, &few), Err(ArchiveError::TooManyEntries { limit: 4_999 }));
    }

    #[test]
    fn a_directory_of_many_megabytes_is_refused() {
        let name = "n".repeat(60_000);
        let names: Vec<String> = (0..80).map(|number| format!("{name}{number}")).collect();
        let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), b"".as_slice())).collect();
        assert_eq!(directory(&archive(&files, STORED)), Err(ArchiveError::DirectoryTooLarge));
    }

    fn zipped(options: SimpleFileOptions, comment: Vec<u8>) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        zip.set_raw_comment(comment.into_boxed_slice()).unwrap();
        zip.start_file("endsong_0.json", options).unwrap();
        zip.write_all(array(&[R1]).as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn assert_one_row(bytes: &[u8]) {
        let directory = directory(bytes).unwrap();
        let (rows, end) = read_entry(bytes, &directory.entries[0]);
        assert_eq!((rows.len(), end.map(|end| end.complete)), (1, Ok(true)));
    }

    #[test]
    fn zip64_long_comments_and_foreign_bytes_in_front_are_read() {
        let plain = SimpleFileOptions::default();
        assert_one_row(&zipped(plain.large_file(true), Vec::new()));
        assert_one_row(&zipped(plain, vec![b'c'; 65_535]));
        assert_one_row(&[b"in front".to_vec(), zipped(plain, Vec::new())].concat());
    }

    #[test]
    fn an_empty_archive_has_no_entries() {
        assert_eq!(directory(&archive(&[], STORED)).unwrap().entries, []);
    }

    #[test]
    fn what_is_no_archive_is_called_so() {
        for bytes in [&b""[..], b"PK", b"<html>Please log in to download your data</html>"] {
            assert_eq!(directory(bytes), Err(ArchiveError::NotAZip));
        }
        assert_eq!(directory(&vec![0; 100_000]), Err(ArchiveError::NotAZip));
    }

    #[test]
    fn an_archive_without_its_end_is_cut_off() {
        let bytes = archive(&[("endsong_0.json", array(&[R1; 50]).as_bytes())], STORED);
        for length in [30, 1_000, bytes.len() - 30, bytes.len() - 1] {
            assert_eq!(directory(&bytes[..length]), Err(ArchiveError::Truncated), "{length}");
        }
        let mut reader = DirectoryReader::new(bytes.len() as u64, &Limits::default()).unwrap();
        assert_eq!(reader.feed(&[]), Err(ArchiveError::Truncated));
        assert_eq!(reader.wants(), None);
    }

    #[test]
    fn encrypted_and_strange_entries_are_faults_of_their_own() {
        let mut bytes = archive(&[("a.json", b"[]"), ("b.json", b"[]"), ("c.json", b"[]")], STORED);
        let headers: Vec<usize> = (0..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == b"PK\x01\x02").collect();
        bytes[headers[0] + 8] |= 1;
        bytes[headers[1] + 10] = 12;
        let directory = directory(&bytes).unwrap();
        let faults: Vec<_> = directory.entries.iter().map(|entry| entry.fault).collect();
        assert_eq!(faults, [Some(EntryFault::Encrypted), Some(EntryFault::UnsupportedMethod), None]);
    }

    #[test]
    fn entries_that_overlap_or_lie_outside_are_faults_of_their_own() {
        let mut bytes = archive(&[("a.json", b"[]"), ("b.json", b"[]"), ("c.json", b"[]"), ("d.json", b"[]")], STORED);
        let headers: Vec<usize> = (0..bytes.len() - 4).filter(|at| &bytes[*at..at + 4] == b"PK\x01\x02").collect();
        // The second says it begins where the first does; the others that they begin behind the archive's end.
        bytes[headers[1] + 42..headers[1] + 46].fill(0);
        bytes[headers[2] + 42..headers[2] + 46].copy_from_slice(&[0, 0, 1, 0]);
        bytes[headers[3] + 42..headers[3] + 46].copy_from_slice(&[0, 0, 2, 0]);
        let directory = directory(&bytes).unwrap();
        let faults: Vec<_> = directory.entries.iter().map(|entry| entry.fault).collect();
        assert_eq!(
            faults,
            [Some(EntryFault::Misplaced), None, Some(EntryFault::Misplaced), Some(EntryFault::Misplaced)]
        );
        assert!(!bytes_of(&bytes, &directory.entries[2]).is_empty());
    }

    #[test]
    fn a_zip64_directory_beyond_any_file_is_damage() {
        let mut bytes = b"PK\x06\x06".to_vec();
        bytes.extend([0; 44]);
        bytes.extend(i64::MIN.to_le_bytes());
        bytes.extend(b"PK\x06\x07");
        bytes.extend([0; 16]);
        bytes.extend(b"PK\x05\x06");
        bytes.extend([0; 18]);
        assert_eq!(directory(&bytes), Err(ArchiveError::Damaged));
    }

    #[test]
    fn names_of_old_archives_are_decoded() {
        let mut bytes = archive(&[("a?.json", b"[]")], STORED);
        for byte in &mut bytes {
            if *byte == b'?' {
                // An o with diaeresis in code page 437.
                *byte = 0x94;
            }
        }
        assert_eq!(names(&directory(&bytes).unwrap()), ["aö.json"]);
    }
}
