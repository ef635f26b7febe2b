//! One file of an archive: where its bytes lie and whether they can be read.
//!
//! Must stay true: a range is never empty, never reaches outside the archive, and never into the next entry, so that
//! an archive of overlapping entries cannot make one stretch of bytes cost many times.

use serde::{Deserialize, Serialize};

/// A stretch of the archive, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteRange {
    pub offset: u64,
    pub length: u64,
}

impl ByteRange {
    pub const fn end(self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// Why an entry cannot be read although the archive can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum EntryFault {
    #[error("The file is encrypted; please upload the archive without a password.")]
    Encrypted,
    #[error("The file is compressed with a method other than deflate; please zip it again in the ordinary way.")]
    UnsupportedMethod,
    #[error("The archive's directory gives the file an impossible place; the archive is damaged.")]
    Misplaced,
}

/// A file or folder of the archive, as the directory states it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the archive's directory, from 0.
    pub index: usize,
    /// Path inside the archive.
    pub name: String,
    pub compressed_bytes: u64,
    /// As the directory states it; reading trusts it no further than the limits.
    pub uncompressed_bytes: u64,
    /// CRC-32 of the content; 0 when the archive does not state one.
    pub crc32: u32,
    /// Stored as it is, not deflated.
    pub stored: bool,
    pub fault: Option<EntryFault>,
    pub(super) range: ByteRange,
}

/// Length of a local file header without its name and extra field.
pub(super) const LOCAL_HEADER_BYTES: u64 = 30;
/// The longest a local header's name and extra field can be together.
const LOCAL_NAMES_MAX_BYTES: u64 = 2 * 65_535;

impl Entry {
    /// The bytes to fetch and feed to [`super::HistoryFile`]: the local header and the data behind it, and perhaps
    /// some bytes more. Never of length zero.
    pub const fn range(&self) -> ByteRange {
        self.range
    }

    pub fn is_directory(&self) -> bool {
        self.name.ends_with(['/', '\\'])
    }

    /// Where an entry lies whose header is at `offset`, when the next header or the end of the archive is at
    /// `next_offset`.
    pub(super) fn place(offset: u64, compressed_bytes: u64, next_offset: u64) -> Result<ByteRange, EntryFault> {
        let least = LOCAL_HEADER_BYTES.checked_add(compressed_bytes).ok_or(EntryFault::Misplaced)?;
        let room = next_offset.checked_sub(offset).ok_or(EntryFault::Misplaced)?;
        if room < least {
            return Err(EntryFault::Misplaced);
        }
        Ok(ByteRange { offset, length: room.min(least.saturating_add(LOCAL_NAMES_MAX_BYTES)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_at_the_next_entry_or_a_little_behind_the_data() {
        assert_eq!(Entry::place(100, 50, 190), Ok(ByteRange { offset: 100, length: 90 }));
        let last = Entry::place(100, 50, 10_000_000).unwrap();
        assert_eq!(last.length, 30 + 50 + 131_070);
    }

    #[test]
    fn an_entry_that_reaches_into_the_next_is_misplaced() {
        assert_eq!(Entry::place(100, 50, 179), Err(EntryFault::Misplaced));
        assert_eq!(Entry::place(100, 0, 100), Err(EntryFault::Misplaced));
        assert_eq!(Entry::place(100, 50, 20), Err(EntryFault::Misplaced));
        assert_eq!(Entry::place(100, u64::MAX, u64::MAX), Err(EntryFault::Misplaced));
    }
}
