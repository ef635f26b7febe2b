//! The records at an archive's end, which say where its directory is (APPNOTE 6.3, sections 4.3.14 to 4.3.16).
//!
//! Must stay true: what the records say is a claim. Nothing is added or subtracted unchecked, and a place that comes
//! out of them lies before the record that named it, so inside the archive.

use super::{ArchiveError, fields::Fields};
use crate::export::entry::ByteRange;

const END_SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const LOCATOR_SIGNATURE: [u8; 4] = *b"PK\x06\x07";
const ZIP64_SIGNATURE: [u8; 4] = *b"PK\x06\x06";

/// The end record and the longest possible comment behind it.
const END_MAX_BYTES: usize = 22 + 65_535;
const LOCATOR_BYTES: usize = 20;
/// The ZIP64 record without the extension that may follow it.
const ZIP64_RECORD_BYTES: u64 = 56;

/// The end record, and the ZIP64 locator in front of it if there is one.
pub struct EndRecord {
    /// Whether the archive ends with the comment of this record.
    ends_archive: bool,
    /// Number of this file and of the one with the directory, in an archive of several files.
    disks: (u16, u16),
    claim: Claim,
    locator: Option<Locator>,
}

#[derive(Clone, Copy)]
struct Locator {
    offset: u64,
    /// From the beginning of the archive proper, like [`Claim::offset`].
    record_offset: u64,
    record_disk: u32,
    disks: u32,
}

/// What an end record says of the directory.
#[derive(Clone, Copy)]
pub struct Claim {
    pub entries: u64,
    bytes: u64,
    /// From the beginning of the archive proper: foreign bytes in front of it are not counted.
    pub offset: u64,
    /// Where the end record is, in front of which the directory ends.
    ends_at: u64,
}

/// Where an archive's directory is described.
pub enum Described {
    Here(Claim),
    /// In a ZIP64 record that has to be fetched.
    InZip64Record(ByteRange),
}

impl EndRecord {
    /// The end record within the archive's last bytes, which begin at `tail_offset`.
    ///
    /// The signature may stand in the comment or in a file's data too. The true record's comment ends with the archive,
    /// and the directory ends at the record; only when no record is like that, others are taken.
    pub fn find(tail: &[u8], tail_offset: u64) -> Option<Self> {
        let earliest = tail.len().saturating_sub(END_MAX_BYTES);
        (earliest..tail.len()).filter_map(|at| Self::parse(tail, tail_offset, at)).max_by_key(Self::likelihood)
    }

    fn parse(tail: &[u8], tail_offset: u64, at: usize) -> Option<Self> {
        let (before, from_here) = tail.split_at_checked(at)?;
        let mut fields = Fields::new(from_here);
        fields.signature(END_SIGNATURE)?;
        let disks = (fields.u16()?, fields.u16()?);
        let _entries_on_this_disk = fields.u16()?;
        let entries = fields.u16()?;
        let (bytes, offset) = (fields.u32()?, fields.u32()?);
        let comment_bytes = fields.u16()?;
        fields.take(comment_bytes.into())?;
        let ends_at = tail_offset.checked_add(u64::try_from(at).ok()?)?;
        Some(Self {
            ends_archive: fields.rest().is_empty(),
            disks,
            claim: Claim { entries: entries.into(), bytes: bytes.into(), offset: offset.into(), ends_at },
            locator: Locator::before(before, ends_at),
        })
    }

    fn likelihood(&self) -> impl Ord + use<> {
        let has_directory_before = self.locator.is_some() || self.claim.stated_end() == Some(self.claim.ends_at);
        (self.ends_archive, !self.is_split(), has_directory_before, self.claim.entries > 0)
    }

    fn is_split(&self) -> bool {
        match &self.locator {
            Some(locator) => locator.disks > 1 || locator.record_disk > 0,
            None => self.disks != (0, 0),
        }
    }

    /// What this record says, or the ZIP64 record in its stead.
    pub fn described(&self, tail: &[u8], tail_offset: u64) -> Result<Described, ArchiveError> {
        if self.is_split() {
            return Err(ArchiveError::Split);
        }
        let Some(locator) = self.locator else { return Ok(Described::Here(self.claim)) };
        let before_locator =
            locator.offset.checked_sub(tail_offset).and_then(|end| tail.get(..usize::try_from(end).ok()?));
        // Foreign bytes in front shift the record away from where it is said to be, but not from its locator.
        let distance = before_locator.and_then(distance_of_zip64_record);
        let offset = distance.and_then(|distance| locator.offset.checked_sub(distance));
        let offset = offset.unwrap_or(locator.record_offset);
        let record = ByteRange { offset, length: ZIP64_RECORD_BYTES };
        let is_before = offset.checked_add(ZIP64_RECORD_BYTES).is_some_and(|end| end <= locator.offset);
        if is_before { Ok(Described::InZip64Record(record)) } else { Err(ArchiveError::Damaged) }
    }
}

impl Locator {
    fn before(bytes: &[u8], end_offset: u64) -> Option<Self> {
        let mut fields = Fields::new(bytes.get(bytes.len().checked_sub(LOCATOR_BYTES)?..)?);
        fields.signature(LOCATOR_SIGNATURE)?;
        Some(Self {
            offset: end_offset.checked_sub(u64::try_from(LOCATOR_BYTES).ok()?)?,
            record_disk: fields.u32()?,
            record_offset: fields.u64()?,
            disks: fields.u32()?,
        })
    }
}

/// How far from the end of the bytes a ZIP64 record begins that fills them to the end.
fn distance_of_zip64_record(bytes: &[u8]) -> Option<u64> {
    const BYTES_BEFORE_LENGTH_COUNTS: u64 = 12;
    (0..bytes.len()).rev().find_map(|at| {
        let from_here = bytes.get(at..)?;
        let mut fields = Fields::new(from_here);
        fields.signature(ZIP64_SIGNATURE)?;
        let length = fields.u64()?.checked_add(BYTES_BEFORE_LENGTH_COUNTS)?;
        (u64::try_from(from_here.len()) == Ok(length)).then_some(length)
    })
}

impl Claim {
    /// Reads a ZIP64 record found at `offset`.
    pub fn of_zip64_record(record: &[u8], offset: u64) -> Result<Self, ArchiveError> {
        let (disks, claim) = Self::parse_zip64_record(record, offset).ok_or(ArchiveError::Damaged)?;
        if disks == (0, 0) { Ok(claim) } else { Err(ArchiveError::Split) }
    }

    fn parse_zip64_record(record: &[u8], offset: u64) -> Option<((u32, u32), Self)> {
        let mut fields = Fields::new(record);
        fields.signature(ZIP64_SIGNATURE)?;
        let _record_bytes = fields.u64()?;
        let _versions = (fields.u16()?, fields.u16()?);
        let disks = (fields.u32()?, fields.u32()?);
        let _entries_on_this_disk = fields.u64()?;
        let claim = Self { entries: fields.u64()?, bytes: fields.u64()?, offset: fields.u64()?, ends_at: offset };
        Some((disks, claim))
    }

    fn stated_end(&self) -> Option<u64> {
        self.offset.checked_add(self.bytes)
    }

    /// Where the directory may be, the likelier place first: right before the end record, however far foreign bytes in
    /// front have shifted it, or else where it is said to be, with something between the two.
    ///
    /// A directory larger than `max_bytes` is refused, and a second place as large is not worth a look.
    pub fn places(&self, max_bytes: u64) -> Result<Vec<ByteRange>, ArchiveError> {
        let stated = ByteRange { offset: self.offset, length: self.ends_at.saturating_sub(self.offset) };
        let before_end = self.ends_at.checked_sub(self.bytes).filter(|offset| *offset >= self.offset);
        let before_end = before_end.map(|offset| ByteRange { offset, length: self.bytes });
        if before_end.is_some_and(|place| place.length > max_bytes) {
            return Err(ArchiveError::DirectoryTooLarge);
        }
        let stated = Some(stated).filter(|place| (1..=max_bytes).contains(&place.length) && Some(*place) != before_end);
        Ok(before_end.into_iter().chain(stated).collect())
    }
}
