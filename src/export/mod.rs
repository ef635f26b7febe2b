//! Spotify's data export, from the bytes of the archive to observations.
//!
//! Everything here is sans-io: a state machine says which bytes it wants, is fed them in chunks of any size, and hands
//! out what they mean. Must stay true:
//! * memory is bounded whatever the archive claims: one inflate window, one unfinished element, one chunk of rows;
//! * the same bytes give the same rows however they were cut into chunks, and from whichever row reading resumes;
//! * personal fields (address, agent, user name, country, platform) are passed over by the parser and never kept,
//!   and no error repeats a value out of the file; [`mod@excerpt`] decides what is shown of a refused row.
//!
//! The way of the bytes: [`DirectoryReader`] finds the entries of an archive, [`FileHint`] guesses from a name what a
//! file is, [`HistoryFile`] unpacks one entry ([`unpack`]), cuts the JSON into elements ([`elements`]), tells the
//! format by its content ([`content`], [`mod@format`]) and makes rows of the elements ([`extended`], [`account`]).

mod account;
mod archive;
mod content;
mod elements;
mod entry;
mod excerpt;
mod extended;
mod file_error;
mod format;
mod gunzip;
mod history_file;
#[cfg(test)]
mod hostile;
mod instants;
mod lenient;
mod limits;
mod names;
mod plain_object;
mod raw_row;
mod rows;
#[cfg(test)]
mod samples;
mod slice;
mod track_ids;
mod unpack;

pub use archive::{ArchiveError, Directory, DirectoryReader};
pub use entry::{ByteRange, Entry, EntryFault};
pub use file_error::FileError;
pub use format::Format;
pub use history_file::{FileEnd, HistoryFile, sniff, sniff_gzip, sniff_plain};
pub use limits::Limits;
pub use names::FileHint;
pub use rows::{ExportedPlay, MAX_KEPT_REJECTS, Reject, RejectReason, Row, SkipReason};
pub use slice::{MAX_SLICE_ROWS, RowSlice, SliceError, write as write_slice};
pub use track_ids::TrackIds;
