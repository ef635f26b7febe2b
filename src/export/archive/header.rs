//! One header of an archive's directory (APPNOTE 6.3, sections 4.3.12 and 4.5).
//!
//! Must stay true: what is wrong with an extra field costs the field, never the entry or the directory.

use flate2::Crc;

use super::{code_page::from_code_page_437, fields::Fields};

const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const ZIP64_EXTRA: u16 = 0x0001;
const UNICODE_PATH_EXTRA: u16 = 0x7075;

const ENCRYPTED_FLAG: u16 = 1;
const UTF8_FLAG: u16 = 1 << 11;

/// What the directory says of an entry.
pub struct Header {
    pub name: String,
    pub is_encrypted: bool,
    pub method: u16,
    pub crc32: u32,
    pub compressed_bytes: u64,
    pub uncompressed_bytes: u64,
    /// Of the local header, from the beginning of the archive proper.
    pub offset: u64,
}

impl Header {
    /// The longest a header can be, with its name, extra fields and comment.
    pub const MAX_BYTES: usize = 46 + 3 * 65_535;

    /// The header that begins the bytes, and the bytes behind it; `None` when there is none, or not the whole of it.
    pub fn parse(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let mut fields = Fields::new(bytes);
        fields.signature(SIGNATURE)?;
        let _versions = (fields.u16()?, fields.u16()?);
        let (flags, method) = (fields.u16()?, fields.u16()?);
        let _modified_at = fields.u32()?;
        let crc32 = fields.u32()?;
        let (compressed_bytes, uncompressed_bytes) = (fields.u32()?, fields.u32()?);
        let (name_bytes, extra_bytes, comment_bytes) = (fields.u16()?, fields.u16()?, fields.u16()?);
        let _disk_and_attributes = fields.take(8)?;
        let offset = fields.u32()?;
        let raw_name = fields.take(name_bytes.into())?;
        let extra = fields.take(extra_bytes.into())?;
        fields.take(comment_bytes.into())?;

        let mut zip64 = Fields::new(extra_field(extra, ZIP64_EXTRA).unwrap_or_default());
        // The order is that of the ZIP64 field, which has only those that do not fit the header.
        let uncompressed_bytes = widened(uncompressed_bytes, &mut zip64);
        let compressed_bytes = widened(compressed_bytes, &mut zip64);
        let offset = widened(offset, &mut zip64);
        let header = Self {
            name: name(raw_name, flags, extra),
            is_encrypted: flags & ENCRYPTED_FLAG != 0,
            method,
            crc32,
            compressed_bytes,
            uncompressed_bytes,
            offset,
        };
        Some((header, fields.rest()))
    }
}

/// The contents of the first field of this kind, unless one before it claims more bytes than there are.
fn extra_field(extra: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut fields = Fields::new(extra);
    loop {
        let (kind, length) = (fields.u16()?, fields.u16()?);
        let contents = fields.take(length.into())?;
        if kind == wanted {
            return Some(contents);
        }
    }
}

fn widened(narrow: u32, zip64: &mut Fields<'_>) -> u64 {
    let wide = if narrow == u32::MAX { zip64.u64() } else { None };
    wide.unwrap_or_else(|| narrow.into())
}

fn name(raw: &[u8], flags: u16, extra: &[u8]) -> String {
    let unicode_path = extra_field(extra, UNICODE_PATH_EXTRA).and_then(|contents| unicode_path(contents, raw));
    match unicode_path {
        Some(path) => path.to_owned(),
        None if flags & UTF8_FLAG != 0 => String::from_utf8_lossy(raw).into_owned(),
        // macOS writes UTF-8 and does not say so; names in the code page are hardly ever UTF-8 by chance.
        None => std::str::from_utf8(raw).map_or_else(|_| from_code_page_437(raw), str::to_owned),
    }
}

/// The name in Info-ZIP's field, if it was made for this very name: another program may have renamed the entry since
/// and left the field as it was.
fn unicode_path<'a>(contents: &'a [u8], raw_name: &[u8]) -> Option<&'a str> {
    let mut fields = Fields::new(contents);
    let version = fields.take(1)?;
    let name_crc32 = fields.u32()?;
    let mut checksum = Crc::new();
    checksum.update(raw_name);
    let path = std::str::from_utf8(fields.rest()).ok()?;
    (version == [1] && name_crc32 == checksum.sum() && !path.is_empty()).then_some(path)
}
