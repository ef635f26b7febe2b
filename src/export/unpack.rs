//! One entry's bytes, unpacked: past the local header, through the inflater, checked against size and checksum.
//!
//! Must stay true: memory is one piece of [`PIECE_BYTES`] and the inflater's window; what has been inflated is handed
//! out before any error, so that a damaged entry gives what came before the damage; no limit is ever passed by more
//! than one piece.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::{
    entry::{Entry, LOCAL_HEADER_BYTES},
    file_error::FileError,
    limits::Limits,
};

/// Inflated bytes handed out at once.
const PIECE_BYTES: usize = 64 * 1024;

pub struct Unpack {
    stage: Stage,
    method: Method,
    checksum: Crc,
    /// Compressed bytes taken.
    taken_bytes: u64,
    /// Unpacked bytes handed out.
    given_bytes: u64,
    stated: Stated,
    limits: Limits,
    /// The compressed data turned out to be broken behind what was handed out last.
    is_damaged: bool,
}

/// What the archive's directory says of the entry.
struct Stated {
    compressed_bytes: u64,
    uncompressed_bytes: u64,
    crc32: u32,
}

enum Stage {
    LocalHeader(Vec<u8>),
    /// So many bytes of name and extra field are still to be passed over.
    LocalNames(usize),
    Data,
    Over,
}

enum Method {
    Stored,
    Deflated { inflater: Box<Decompress>, piece: Vec<u8> },
}

impl Unpack {
    /// Refuses an entry that cannot be read or that states a size beyond the limits.
    pub fn new(entry: &Entry, limits: &Limits) -> Result<Self, FileError> {
        if let Some(fault) = entry.fault {
            return Err(fault.into());
        }
        check(limits, entry.compressed_bytes, entry.uncompressed_bytes)?;
        let method = if entry.stored {
            Method::Stored
        } else {
            Method::Deflated { inflater: Box::new(Decompress::new(false)), piece: vec![0; PIECE_BYTES] }
        };
        Ok(Self {
            stage: Stage::LocalHeader(Vec::new()),
            method,
            checksum: Crc::new(),
            taken_bytes: 0,
            given_bytes: 0,
            stated: Stated {
                compressed_bytes: entry.compressed_bytes,
                uncompressed_bytes: entry.uncompressed_bytes,
                crc32: entry.crc32,
            },
            limits: *limits,
            is_damaged: false,
        })
    }

    /// The next piece that can be had from `input`, which is shortened by what was taken of it. `None`: feed more, or,
    /// once [`Unpack::is_over`], nothing is left.
    pub fn next<'a, 'b: 'a>(&'a mut self, input: &mut &'b [u8]) -> Result<Option<&'a [u8]>, FileError> {
        self.pass_local_header(input)?;
        if !matches!(self.stage, Stage::Data) {
            return Ok(None);
        }
        if self.is_damaged {
            return Err(FileError::DataDamaged);
        }
        let left = self.stated.compressed_bytes.saturating_sub(self.taken_bytes);
        let data = input.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(input);
        let (taken, piece, is_over) = match &mut self.method {
            Method::Stored => {
                let length = data.len().min(PIECE_BYTES);
                (length, data.get(..length).unwrap_or_default(), length_as_u64(length) == left)
            }
            Method::Deflated { inflater, piece } => {
                let (before_in, before_out) = (inflater.total_in(), inflater.total_out());
                let status = inflater.decompress(data, piece, FlushDecompress::None);
                let taken = usize::try_from(inflater.total_in().saturating_sub(before_in)).unwrap_or(usize::MAX);
                let given = usize::try_from(inflater.total_out().saturating_sub(before_out)).unwrap_or(usize::MAX);
                // What came before the damage is good, wherever the chunks were cut.
                self.is_damaged = status.is_err();
                let status = status.unwrap_or(Status::BufError);
                if self.is_damaged && given == 0 {
                    return Err(FileError::DataDamaged);
                }
                let is_stuck = taken == 0 && given == 0 && left == 0;
                if is_stuck && status != Status::StreamEnd {
                    return Err(FileError::DataDamaged);
                }
                (taken, piece.get(..given).unwrap_or_default(), status == Status::StreamEnd)
            }
        };
        *input = input.get(taken..).unwrap_or_default();
        self.taken_bytes = self.taken_bytes.saturating_add(length_as_u64(taken));
        self.given_bytes = self.given_bytes.saturating_add(length_as_u64(piece.len()));
        self.checksum.update(piece);
        if is_over {
            self.stage = Stage::Over;
        }
        check(&self.limits, self.taken_bytes, self.given_bytes)?;
        Ok((!piece.is_empty()).then_some(piece))
    }

    /// Whether the entry's last byte has been handed out.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// Whether what was handed out is the entry that the directory speaks of.
    pub fn verify(&self) -> Result<(), FileError> {
        if !self.is_over() {
            return Err(FileError::Truncated);
        }
        // Some writers leave the checksum out; a real checksum of zero is left unchecked with them.
        let is_other = self.stated.crc32 != 0 && self.stated.crc32 != self.checksum.sum();
        if is_other || self.stated.uncompressed_bytes != self.given_bytes {
            return Err(FileError::ChecksumMismatch);
        }
        Ok(())
    }

    fn pass_local_header(&mut self, input: &mut &[u8]) -> Result<(), FileError> {
        if let Stage::LocalHeader(header) = &mut self.stage {
            let wanted = usize::try_from(LOCAL_HEADER_BYTES).unwrap_or(usize::MAX).saturating_sub(header.len());
            let (more, rest) = input.split_at_checked(wanted).unwrap_or((input, &[]));
            header.extend_from_slice(more);
            *input = rest;
            if more.len() < wanted {
                return Ok(());
            }
            let [b'P', b'K', 3, 4, .., name_low, name_high, extra_low, extra_high] = header.as_slice() else {
                return Err(FileError::DataDamaged);
            };
            let name = u16::from_le_bytes([*name_low, *name_high]);
            let extra = u16::from_le_bytes([*extra_low, *extra_high]);
            self.stage = Stage::LocalNames(usize::from(name).saturating_add(usize::from(extra)));
        }
        if let Stage::LocalNames(left) = &mut self.stage {
            let skipped = input.len().min(*left);
            *input = input.get(skipped..).unwrap_or_default();
            *left = left.saturating_sub(skipped);
            if *left == 0 {
                self.stage = Stage::Data;
            }
        }
        Ok(())
    }
}

fn check(limits: &Limits, compressed_bytes: u64, inflated_bytes: u64) -> Result<(), FileError> {
    if inflated_bytes > limits.max_entry_bytes {
        return Err(FileError::TooLarge);
    }
    if limits.is_bomb(compressed_bytes, inflated_bytes) {
        return Err(FileError::Bomb);
    }
    Ok(())
}

fn length_as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::samples::{DEFLATED, STORED, archive, bytes_of, directory};

    fn unpacked(entry: &Entry, bytes: &[u8], chunk_bytes: usize, limits: &Limits) -> (Vec<u8>, Result<(), FileError>) {
        let mut content = Vec::new();
        let mut unpack = match Unpack::new(entry, limits) {
            Ok(unpack) => unpack,
            Err(error) => return (content, Err(error)),
        };
        for mut chunk in bytes.chunks(chunk_bytes) {
            loop {
                match unpack.next(&mut chunk) {
                    Ok(Some(piece)) => content.extend_from_slice(piece),
                    Ok(None) => break,
                    Err(error) => return (content, Err(error)),
                }
            }
        }
        let end = unpack.verify();
        (content, end)
    }

    /// Text that compresses about as well as a history does.
    fn text(lines: u64) -> Vec<u8> {
        let line =
            |number: u64| format!("{{\"ms_played\": {}, \"shuffle\": false}}\n", number.wrapping_mul(0x9E37_79B9));
        (0..lines).flat_map(|number| line(number).into_bytes()).collect()
    }

    #[test]
    fn stored_and_deflated_entries_come_out_as_they_were_in_any_chunks() {
        for content in [Vec::new(), b"x".to_vec(), text(9_000)] {
            for method in [STORED, DEFLATED] {
                let bytes = archive(&[("first.json", b"[]"), ("MyData/a.json", &content), ("last.json", b"")], method);
                let directory = directory(&bytes).unwrap();
                let entry = &directory.entries[1];
                assert_eq!(entry.stored, method == STORED);
                for chunk_bytes in [1, 29, 4_096, usize::MAX] {
                    let (found, end) = unpacked(entry, bytes_of(&bytes, entry), chunk_bytes, &Limits::default());
                    assert!(found == content, "{chunk_bytes}");
                    assert_eq!(end, Ok(()));
                }
            }
        }
    }

    #[test]
    fn a_wrong_checksum_or_size_is_noticed_behind_the_last_byte() {
        let content = text(100);
        let bytes = archive(&[("a.json", &content)], DEFLATED);
        let entry = &directory(&bytes).unwrap().entries[0];
        let wrong_checksum = Entry { crc32: entry.crc32 ^ 1, ..entry.clone() };
        let wrong_size = Entry { uncompressed_bytes: entry.uncompressed_bytes + 1, ..entry.clone() };
        for wrong in [wrong_checksum, wrong_size] {
            let (found, end) = unpacked(&wrong, bytes_of(&bytes, entry), 100, &Limits::default());
            assert!(found == content);
            assert_eq!(end, Err(FileError::ChecksumMismatch));
        }
    }

    #[test]
    fn damage_gives_what_came_before_it() {
        let content = text(9_000);
        let bytes = archive(&[("a.json", &content)], DEFLATED);
        let entry = &directory(&bytes).unwrap().entries[0];
        let mut damaged = bytes_of(&bytes, entry).to_vec();
        let middle = damaged.len() / 2;
        damaged[middle..middle + 1_000].fill(0xFF);
        let (found, end) = unpacked(entry, &damaged, 4_096, &Limits::default());
        assert!(matches!(end, Err(FileError::DataDamaged | FileError::ChecksumMismatch)), "{end:?}");
        assert!(found.len() > 10_000 && found[..10_000] == content[..10_000]);

        let cut_off = &bytes_of(&bytes, entry)[..middle];
        let (found, end) = unpacked(entry, cut_off, 4_096, &Limits::default());
        assert_eq!(end, Err(FileError::Truncated));
        assert!(content.starts_with(&found) && found.len() > 10_000);

        let too_short = Entry { compressed_bytes: entry.compressed_bytes / 2, ..entry.clone() };
        let (found, end) = unpacked(&too_short, bytes_of(&bytes, entry), 4_096, &Limits::default());
        assert_eq!(end, Err(FileError::DataDamaged));
        assert!(content.starts_with(&found));
    }

    #[test]
    fn what_is_no_local_header_is_damage() {
        let bytes = archive(&[("a.json", b"[]")], STORED);
        let entry = &directory(&bytes).unwrap().entries[0];
        let (found, end) = unpacked(entry, &[0; 200], 7, &Limits::default());
        assert_eq!((found.len(), end), (0, Err(FileError::DataDamaged)));
    }

    #[test]
    fn a_bomb_is_refused_by_what_it_states_and_by_what_it_does() {
        let content = vec![b' '; 12 * 1024 * 1024];
        let bytes = archive(&[("a.json", &content)], DEFLATED);
        let entry = &directory(&bytes).unwrap().entries[0];
        assert_eq!(unpacked(entry, &[], 1, &Limits::default()), (Vec::new(), Err(FileError::Bomb)));
        let lying = Entry { uncompressed_bytes: 10, ..entry.clone() };
        let (found, end) = unpacked(&lying, bytes_of(&bytes, entry), 4_096, &Limits::default());
        assert_eq!(end, Err(FileError::Bomb));
        assert!(found.len() as u64 <= Limits::default().ratio_applies_from_bytes);
    }

    #[test]
    fn an_entry_over_the_limit_is_refused_by_what_it_states_and_by_what_it_does() {
        let content = text(9_000);
        let limits = Limits { max_entry_bytes: 100_000, ..Limits::default() };
        for method in [STORED, DEFLATED] {
            let bytes = archive(&[("a.json", &content)], method);
            let entry = &directory(&bytes).unwrap().entries[0];
            assert_eq!(unpacked(entry, &[], 1, &limits), (Vec::new(), Err(FileError::TooLarge)));
            let lying = Entry { uncompressed_bytes: 10, ..entry.clone() };
            let (found, end) = unpacked(&lying, bytes_of(&bytes, entry), 4_096, &limits);
            assert_eq!(end, Err(FileError::TooLarge));
            assert!(found.len() <= 100_000);
        }
    }
}
