//! The archive's directory, read from its end by byte ranges.
//!
//! The reader wants the tail of the archive first, which for a Spotify export holds the whole directory: one range
//! read. Must stay true:
//! * it wants bytes only inside the archive, at most [`WINDOW_BYTES`] at once and [`DIRECTORY_MAX_BYTES`] for each of
//!   the two places where a directory may be;
//! * what is wrong with one entry is that entry's fault, not the archive's.
//!
//! The `rc-zip` crate does the same, but its charset tables alone are a fifth of what the Worker's module may weigh.

mod code_page;
mod end_record;
#[cfg(test)]
mod end_tests;
mod fields;
#[cfg(test)]
mod hand_made;
mod header;
#[cfg(test)]
mod header_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use self::{
    end_record::{Claim, Described, EndRecord},
    header::Header,
};
use super::{
    entry::{ByteRange, Entry, EntryFault},
    limits::Limits,
};

/// The end record with the longest possible comment, and the ZIP64 records in front of it.
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
    #[error("The ZIP archive is split into several files; please zip its contents again into a single one.")]
    Split,
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
}

enum Stage {
    /// The end of the archive, in which the end record is looked for.
    Tail,
    Zip64Record,
    Headers(Reading),
    /// There is no end record: does it at least begin like an archive?
    Beginning,
    Over,
}

/// The directory so far.
struct Reading {
    claim: Claim,
    place: ByteRange,
    /// Where to look when the directory is not at `place` after all.
    other_places: std::vec::IntoIter<ByteRange>,
    headers: Vec<Header>,
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
            stage: Stage::Tail,
            window: ByteRange { offset: archive_bytes.saturating_sub(length), length },
            fetched: Vec::new(),
        })
    }

    /// The bytes still to be fed, from where the last chunk ended; `None` once the directory is out or has failed.
    pub fn wants(&self) -> Option<ByteRange> {
        let have = length_as_u64(self.fetched.len());
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
            self.advance()
        };
        if !matches!(outcome, Ok(None)) {
            self.stage = Stage::Over;
        }
        outcome
    }

    /// Goes on with the window that has just been completed, and with the next ones as far as their bytes are there.
    fn advance(&mut self) -> Result<Option<Directory>, ArchiveError> {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Over) {
                Stage::Tail => self.read_tail()?,
                Stage::Zip64Record => self.open(Claim::of_zip64_record(&self.fetched, self.window.offset)?)?,
                Stage::Headers(reading) => {
                    if let Some(directory) = self.read_headers(reading)? {
                        return Ok(Some(directory));
                    }
                }
                Stage::Beginning => return Err(self.why_no_end()),
                Stage::Over => return Ok(None),
            }
            if self.wants().is_some() {
                return Ok(None);
            }
        }
    }

    fn read_tail(&mut self) -> Result<(), ArchiveError> {
        let Some(end) = EndRecord::find(&self.fetched, self.window.offset) else {
            self.look_at(Stage::Beginning, ByteRange { offset: 0, length: 4 });
            return Ok(());
        };
        match end.described(&self.fetched, self.window.offset)? {
            Described::Here(claim) => self.open(claim)?,
            Described::InZip64Record(record) => self.look_at(Stage::Zip64Record, record),
        }
        Ok(())
    }

    fn why_no_end(&self) -> ArchiveError {
        match self.fetched.as_slice() {
            b"PK\x03\x04" => ArchiveError::Truncated,
            // The first of several files begins with a mark of its own, and the end record is in the last.
            b"PK\x07\x08" => ArchiveError::Split,
            _ => ArchiveError::NotAZip,
        }
    }

    fn open(&mut self, claim: Claim) -> Result<(), ArchiveError> {
        let places = claim.places(DIRECTORY_MAX_BYTES)?.into_iter();
        self.try_next_place(claim, places)
    }

    fn try_next_place(&mut self, claim: Claim, mut places: std::vec::IntoIter<ByteRange>) -> Result<(), ArchiveError> {
        let place = places.next().ok_or(ArchiveError::Damaged)?;
        let reading = Reading { claim, place, other_places: places, headers: Vec::new() };
        self.look_at_headers(reading, place.offset);
        Ok(())
    }

    fn look_at_headers(&mut self, reading: Reading, offset: u64) {
        let length = reading.place.end().saturating_sub(offset).min(WINDOW_BYTES);
        self.look_at(Stage::Headers(reading), ByteRange { offset, length });
    }

    /// Moves the window, and keeps what of it is already there.
    fn look_at(&mut self, stage: Stage, window: ByteRange) {
        let skipped = window.offset.checked_sub(self.window.offset).and_then(|skipped| usize::try_from(skipped).ok());
        match skipped.filter(|skipped| *skipped <= self.fetched.len()) {
            Some(skipped) => drop(self.fetched.drain(..skipped)),
            None => self.fetched.clear(),
        }
        self.fetched.truncate(usize::try_from(window.length).unwrap_or(usize::MAX));
        self.window = window;
        self.stage = stage;
    }

    fn read_headers(&mut self, mut reading: Reading) -> Result<Option<Directory>, ArchiveError> {
        let mut rest = self.fetched.as_slice();
        while let Some((header, behind)) = Header::parse(rest) {
            rest = behind;
            reading.headers.push(header);
            if reading.headers.len() > self.max_entries {
                return Err(ArchiveError::TooManyEntries { limit: self.max_entries });
            }
        }
        let is_whole = self.window.end() >= reading.place.end() || rest.len() >= Header::MAX_BYTES;
        if !is_whole {
            let offset = self.window.end().saturating_sub(length_as_u64(rest.len()));
            self.look_at_headers(reading, offset);
        } else if length_as_u64(reading.headers.len()) == reading.claim.entries {
            return Ok(Some(self.directory(reading)));
        } else {
            self.try_next_place(reading.claim, reading.other_places)?;
        }
        Ok(None)
    }

    fn directory(&self, reading: Reading) -> Directory {
        let foreign_bytes_in_front = reading.place.offset.saturating_sub(reading.claim.offset);
        let mut in_archive_order: Vec<(u64, usize, Header)> = reading
            .headers
            .into_iter()
            .enumerate()
            .map(|(index, header)| (header.offset.saturating_add(foreign_bytes_in_front), index, header))
            .collect();
        in_archive_order.sort_unstable_by_key(|(offset, index, _)| (*offset, *index));
        let offsets = in_archive_order.iter().skip(1).map(|(offset, ..)| *offset.min(&self.archive_bytes));
        let next_offsets: Vec<u64> = offsets.chain([self.archive_bytes]).collect();
        let mut entries: Vec<Entry> = in_archive_order
            .into_iter()
            .zip(next_offsets)
            .map(|((offset, index, header), next_offset)| entry(index, header, offset, next_offset))
            .collect();
        entries.sort_unstable_by_key(|entry| entry.index);
        Directory { entries }
    }
}

fn entry(index: usize, header: Header, offset: u64, next_offset: u64) -> Entry {
    const STORED: u16 = 0;
    const DEFLATED: u16 = 8;
    let placed = Entry::place(offset, header.compressed_bytes, next_offset);
    let fault = if header.is_encrypted {
        Some(EntryFault::Encrypted)
    } else if !matches!(header.method, STORED | DEFLATED) {
        Some(EntryFault::UnsupportedMethod)
    } else {
        placed.err()
    };
    Entry {
        index,
        name: header.name,
        compressed_bytes: header.compressed_bytes,
        uncompressed_bytes: header.uncompressed_bytes,
        crc32: header.crc32,
        stored: header.method == STORED,
        fault,
        // A misplaced entry is never read; its range only has to be a range.
        range: placed.unwrap_or(ByteRange { offset: 0, length: 1 }),
    }
}

fn length_as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
