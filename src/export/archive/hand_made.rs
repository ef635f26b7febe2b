//! Archives put together byte by byte, with what no writer writes.

use flate2::Crc;

use super::Directory;
use crate::export::{FileError, Limits, samples::bytes_of, unpack::Unpack};

pub const UTF8_FLAG: u16 = 1 << 11;

/// A file to be stored. Sizes and offset are stated in a ZIP64 field if `is_zip64`.
#[derive(Clone, Copy, Default)]
pub struct File<'a> {
    pub name: &'a [u8],
    pub flags: u16,
    /// Extra fields, behind the ZIP64 one.
    pub extra: &'a [u8],
    pub is_zip64: bool,
}

/// What stands in an archive's end record.
#[derive(Clone, Copy)]
pub struct End {
    pub disks: [u16; 2],
    pub entries: u16,
    pub bytes: u32,
    pub offset: u32,
}

#[derive(Clone, Copy)]
pub struct Zip64End {
    pub disks: [u32; 2],
    pub entries: u64,
    pub bytes: u64,
    pub offset: u64,
    pub record_offset: u64,
    /// Number of files, of which the record is in the first.
    pub parts: u32,
}

pub fn concat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

pub fn crc32(bytes: &[u8]) -> u32 {
    let mut checksum = Crc::new();
    checksum.update(bytes);
    checksum.sum()
}

pub fn extra_field(kind: u16, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap();
    concat(&[&kind.to_le_bytes(), &length.to_le_bytes(), contents])
}

/// Every file has its name as its content.
pub fn local_files(files: &[File<'_>]) -> Vec<u8> {
    files.iter().flat_map(local_file).collect()
}

fn local_file(file: &File<'_>) -> Vec<u8> {
    let size = u32::try_from(file.name.len()).unwrap();
    concat(&[
        b"PK\x03\x04\x14\0",
        &file.flags.to_le_bytes(),
        &[0; 6],
        &crc32(file.name).to_le_bytes(),
        &size.to_le_bytes(),
        &size.to_le_bytes(),
        &u16::try_from(file.name.len()).unwrap().to_le_bytes(),
        &[0; 2],
        file.name,
        file.name,
    ])
}

pub fn headers(files: &[File<'_>]) -> Vec<u8> {
    let mut offset = 0;
    let mut headers = Vec::new();
    for file in files {
        headers.extend(header(file, offset));
        offset += u32::try_from(local_file(file).len()).unwrap();
    }
    headers
}

fn header(file: &File<'_>, offset: u32) -> Vec<u8> {
    let size = u32::try_from(file.name.len()).unwrap();
    let wide: Vec<u8> = [size, size, offset].iter().flat_map(|value| u64::from(*value).to_le_bytes()).collect();
    let zip64 = if file.is_zip64 { extra_field(0x0001, &wide) } else { Vec::new() };
    let extra = concat(&[&zip64, file.extra]);
    let narrow = |value: u32| if file.is_zip64 { [0xFF; 4] } else { value.to_le_bytes() };
    concat(&[
        b"PK\x01\x02\x2D\x03\x14\0",
        &file.flags.to_le_bytes(),
        &[0; 6],
        &crc32(file.name).to_le_bytes(),
        &narrow(size),
        &narrow(size),
        &u16::try_from(file.name.len()).unwrap().to_le_bytes(),
        &u16::try_from(extra.len()).unwrap().to_le_bytes(),
        &[0; 10],
        &narrow(offset),
        file.name,
        &extra,
    ])
}

impl End {
    pub fn of(files: &[File<'_>]) -> Self {
        Self {
            disks: [0; 2],
            entries: u16::try_from(files.len()).unwrap(),
            bytes: u32::try_from(headers(files).len()).unwrap(),
            offset: u32::try_from(local_files(files).len()).unwrap(),
        }
    }

    pub fn record(self, comment: &[u8]) -> Vec<u8> {
        concat(&[
            b"PK\x05\x06",
            &self.disks[0].to_le_bytes(),
            &self.disks[1].to_le_bytes(),
            &self.entries.to_le_bytes(),
            &self.entries.to_le_bytes(),
            &self.bytes.to_le_bytes(),
            &self.offset.to_le_bytes(),
            &u16::try_from(comment.len()).unwrap().to_le_bytes(),
            comment,
        ])
    }
}

impl Zip64End {
    pub fn of(files: &[File<'_>]) -> Self {
        let End { entries, bytes, offset, .. } = End::of(files);
        Self {
            disks: [0; 2],
            entries: entries.into(),
            bytes: bytes.into(),
            offset: offset.into(),
            record_offset: u64::from(offset) + u64::from(bytes),
            parts: 1,
        }
    }

    /// The record, with an extension behind it, and the locator and end record that go with them.
    pub fn records(self, extension: &[u8], comment: &[u8]) -> Vec<u8> {
        concat(&[
            b"PK\x06\x06",
            &(44 + extension.len() as u64).to_le_bytes(),
            &[0x2D, 0, 0x2D, 0],
            &self.disks[0].to_le_bytes(),
            &self.disks[1].to_le_bytes(),
            &self.entries.to_le_bytes(),
            &self.entries.to_le_bytes(),
            &self.bytes.to_le_bytes(),
            &self.offset.to_le_bytes(),
            extension,
            b"PK\x06\x07\0\0\0\0",
            &self.record_offset.to_le_bytes(),
            &self.parts.to_le_bytes(),
            &End { disks: [0xFFFF; 2], entries: 0xFFFF, bytes: u32::MAX, offset: u32::MAX }.record(comment),
        ])
    }
}

/// An archive without ZIP64 records.
pub fn plain(files: &[File<'_>], comment: &[u8]) -> Vec<u8> {
    concat(&[&local_files(files), &headers(files), &End::of(files).record(comment)])
}

pub fn zip64(files: &[File<'_>], comment: &[u8]) -> Vec<u8> {
    concat(&[&local_files(files), &headers(files), &Zip64End::of(files).records(b"", comment)])
}

pub fn names(directory: &Directory) -> Vec<&str> {
    directory.entries.iter().map(|entry| entry.name.as_str()).collect()
}

/// Unpacks every entry; in the archives of this module each holds its own name.
pub fn assert_every_entry_holds_its_name(archive: &[u8], directory: &Directory) {
    for entry in &directory.entries {
        let mut unpack = Unpack::new(entry, &Limits::default()).unwrap();
        let mut input = bytes_of(archive, entry);
        let content = unpack.next(&mut input).unwrap().unwrap_or_default().to_vec();
        assert_eq!((content.as_slice(), unpack.verify()), (entry.name.as_bytes(), Ok::<(), FileError>(())));
    }
}
