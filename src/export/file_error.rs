//! What can be wrong with a file.
//!
//! Must stay true: a sentence says what the person who uploaded the file can understand, and nothing of its content.

use super::entry::EntryFault;

/// What stopped the reading of a file. Each reads as one sentence for the person who uploaded it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    #[error(transparent)]
    Entry(#[from] EntryFault),
    #[error("The file is larger than a streaming history can be.")]
    TooLarge,
    #[error("The file inflates to far more than a streaming history would; it was not read further.")]
    Bomb,
    #[error("The compressed data of the file is damaged.")]
    DataDamaged,
    #[error("The file is cut off: its end is missing.")]
    Truncated,
    #[error("The file was read, but its checksum or size is not the one in the archive, so some rows may be wrong.")]
    ChecksumMismatch,
    #[error("One row of the file is longer than a megabyte; it was not read further.")]
    ElementTooLarge,
    #[error("The file is broken JSON in too many places; it was not read further.")]
    NotJson,
    #[error("Too many rows of the file cannot be used; it was not read further.")]
    TooManyUselessRows,
}
