//! A file compressed with gzip, outside of any archive.
//!
//! Must stay true: no limit is passed by more than what one piece of [`PIECE_BYTES`] inflates to; what was inflated is
//! handed out before any error.

use std::io::Write;

use flate2::write::MultiGzDecoder;

use super::{file_error::FileError, limits::Limits};

/// Compressed bytes inflated at once: deflate makes a thousand of one, so some megabytes at most.
pub const PIECE_BYTES: usize = 4 * 1024;

pub struct Gunzip {
    decoder: MultiGzDecoder<Vec<u8>>,
    taken_bytes: u64,
    given_bytes: u64,
    limits: Limits,
}

impl Gunzip {
    pub fn new(limits: &Limits) -> Self {
        Self { decoder: MultiGzDecoder::new(Vec::new()), taken_bytes: 0, given_bytes: 0, limits: *limits }
    }

    /// Inflates a piece; what it gives lies in `out`, whatever comes of it.
    pub fn take(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), FileError> {
        let written = self.decoder.write_all(piece).and_then(|()| self.decoder.flush());
        out.append(self.decoder.get_mut());
        self.taken_bytes = self.taken_bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        self.given_bytes = self.given_bytes.saturating_add(u64::try_from(out.len()).unwrap_or(u64::MAX));
        if self.given_bytes > self.limits.max_entry_bytes {
            return Err(FileError::TooLarge);
        }
        if self.limits.is_bomb(self.taken_bytes, self.given_bytes) {
            return Err(FileError::Bomb);
        }
        written.map_err(|_| FileError::DataDamaged)
    }

    /// No more will come. Checks the end, with its checksum.
    pub fn end(&mut self, out: &mut Vec<u8>) -> Result<(), FileError> {
        let ended = self.decoder.try_finish();
        out.append(self.decoder.get_mut());
        ended.map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => FileError::Truncated,
            _ => FileError::ChecksumMismatch,
        })
    }
}
