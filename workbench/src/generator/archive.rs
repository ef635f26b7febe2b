//! Packs files into the ZIP archives that Spotify sends.
//!
//! Must stay true: no clock and no platform in the bytes (entries carry the format's first instant and Unix as their
//! system), deflate at level 6.

use std::{
    io::{self, BufWriter, Cursor, Write},
    ops::Range,
};

use zip::{CompressionMethod, System, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{
    account, extended,
    plan::{AccountLayout, FieldSet},
    play::TruePlay,
};

/// The archive could not be written.
#[derive(Debug)]
pub struct ArchiveError(ZipError);

impl std::fmt::Display for ArchiveError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "the archive could not be written: {}", self.0)
    }
}

impl std::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<ZipError> for ArchiveError {
    fn from(error: ZipError) -> Self {
        Self(error)
    }
}

impl From<io::Error> for ArchiveError {
    fn from(error: io::Error) -> Self {
        Self(error.into())
    }
}

pub(super) const PDF_STUB: &[u8] = b"%PDF-1.4\n% Read me first: this is an invented export.\n%%EOF\n";

const YEAR_MS: i64 = 365 * 86_400_000;

/// The range of instants that account data covers: the twelve months up to the last play.
pub fn last_twelve_months(plays: &[TruePlay]) -> Range<i64> {
    let end_ms = plays.iter().map(|play| play.reported_at_ms).max().map_or(0, |last| last + 1);
    end_ms - YEAR_MS..end_ms
}

/// `Spotify Extended Streaming History/Streaming_History_Audio_*.json` and the video file.
///
/// # Errors
/// When the ZIP cannot be written.
pub fn write_extended(plays: &[TruePlay], fields: FieldSet) -> Result<Vec<u8>, ArchiveError> {
    let mut pack = Pack::new();
    pack.extended(plays, fields)?;
    pack.finish()
}

/// `MyData/endsong_*.json`.
///
/// # Errors
/// When the ZIP cannot be written.
pub fn write_endsong(plays: &[TruePlay]) -> Result<Vec<u8>, ArchiveError> {
    let mut pack = Pack::new();
    for file in extended::endsong(plays) {
        pack.stream(&file.name, |out| file.write(out))?;
    }
    pack.bytes("MyData/ReadMeFirst_ExtendedStreamingHistory.pdf", PDF_STUB)?;
    pack.finish()
}

/// Account data of the plays reported in `range_ms`, with the other files of its folder.
///
/// # Errors
/// When the ZIP cannot be written.
pub fn write_account(plays: &[TruePlay], layout: AccountLayout, range_ms: Range<i64>) -> Result<Vec<u8>, ArchiveError> {
    let mut pack = Pack::new();
    pack.account(plays, layout, range_ms)?;
    pack.finish()
}

/// Both histories in one archive; account data for `range_ms` only.
///
/// Every play of the account data is in the extended history too, so the truth of such an archive is [`super::seen_by_extended`]'s. Account data states the names that
/// `names_withheld` keeps out of the extended history.
///
/// # Errors
/// When the ZIP cannot be written.
pub fn write_mixed(
    plays: &[TruePlay],
    fields: FieldSet,
    layout: AccountLayout,
    range_ms: Range<i64>,
) -> Result<Vec<u8>, ArchiveError> {
    let mut pack = Pack::new();
    pack.account(plays, layout, range_ms)?;
    pack.extended(plays, fields)?;
    pack.finish()
}

/// An archive that is being written.
struct Pack {
    zip: ZipWriter<Cursor<Vec<u8>>>,
    options: SimpleFileOptions,
}

impl Pack {
    fn new() -> Self {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(6))
            .system(System::Unix)
            .unix_permissions(0o644);
        Self { zip: ZipWriter::new(Cursor::new(Vec::new())), options }
    }

    fn extended(&mut self, plays: &[TruePlay], fields: FieldSet) -> Result<(), ArchiveError> {
        self.bytes(&format!("{}/ReadMeFirst_ExtendedStreamingHistory.pdf", extended::FOLDER), PDF_STUB)?;
        for file in extended::streaming_history(plays, fields) {
            self.stream(&file.name, |out| file.write(out))?;
        }
        Ok(())
    }

    fn account(&mut self, plays: &[TruePlay], layout: AccountLayout, range_ms: Range<i64>) -> Result<(), ArchiveError> {
        for (name, bytes) in account::other_files(layout) {
            self.bytes(&name, &bytes)?;
        }
        for file in account::files(plays, layout, range_ms) {
            self.stream(&file.name, |out| file.write(out))?;
        }
        Ok(())
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.zip.start_file(name, self.options)?;
        self.zip.write_all(bytes)?;
        Ok(())
    }

    fn stream<'pack>(
        &'pack mut self,
        name: &str,
        write: impl FnOnce(Entry<'pack>) -> io::Result<Entry<'pack>>,
    ) -> Result<(), ArchiveError> {
        self.zip.start_file(name, self.options)?;
        write(BufWriter::with_capacity(1 << 16, &mut self.zip))?.flush()?;
        Ok(())
    }

    fn finish(self) -> Result<Vec<u8>, ArchiveError> {
        Ok(self.zip.finish()?.into_inner())
    }
}

type Entry<'pack> = BufWriter<&'pack mut ZipWriter<Cursor<Vec<u8>>>>;
