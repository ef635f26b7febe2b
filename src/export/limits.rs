//! How much an archive may cost before it is refused.
//!
//! Must stay true: a real export of a lifetime (200,000 rows, 150 MB, inflating about eleven to one) is far inside the
//! defaults, and what is outside them is refused before it has been inflated.

const MIB: u64 = 1024 * 1024;

/// Bounds on an archive and on each of its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_entries: usize,
    /// Inflated bytes of one entry.
    pub max_entry_bytes: u64,
    /// Inflated bytes of all entries together; see [`Limits::after`].
    pub max_total_bytes: u64,
    /// Inflated bytes for each compressed byte, once [`Limits::ratio_applies_from_bytes`] have been inflated.
    pub max_ratio: u64,
    pub ratio_applies_from_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_entries: 10_000,
            max_entry_bytes: 512 * MIB,
            max_total_bytes: 2_048 * MIB,
            max_ratio: 200,
            ratio_applies_from_bytes: 10 * MIB,
        }
    }
}

impl Limits {
    /// The limits for the next entry, when the entries before it have already cost `inflated_bytes`.
    #[must_use]
    pub fn after(self, inflated_bytes: u64) -> Self {
        let left = self.max_total_bytes.saturating_sub(inflated_bytes);
        Self { max_entry_bytes: self.max_entry_bytes.min(left), max_total_bytes: left, ..self }
    }

    /// Whether so many bytes out of so few can only be a bomb.
    pub(super) const fn is_bomb(&self, compressed_bytes: u64, inflated_bytes: u64) -> bool {
        inflated_bytes > self.ratio_applies_from_bytes
            && inflated_bytes > compressed_bytes.saturating_mul(self.max_ratio)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inflated_before_leaves_less_for_the_next_entry() {
        let limits = Limits { max_entry_bytes: 100, max_total_bytes: 150, ..Limits::default() };
        assert_eq!(limits.after(20).max_entry_bytes, 100);
        assert_eq!(limits.after(120).max_entry_bytes, 30);
        assert_eq!(limits.after(20).after(120).max_entry_bytes, 10);
        assert_eq!(limits.after(999).max_entry_bytes, 0);
    }

    #[test]
    fn a_small_file_may_compress_as_well_as_it_likes() {
        let limits = Limits::default();
        assert!(!limits.is_bomb(1, 9 * MIB));
        assert!(limits.is_bomb(1_000, 11 * MIB));
        assert!(!limits.is_bomb(MIB, 11 * MIB));
    }
}
