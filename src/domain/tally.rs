//! Counting plays and putting what was played in order.
//!
//! Must stay true: plays are added one by one in any order with the same result; a rank is a total order (plays, then
//! time, then name, then id), so that the same question always gets the same list.

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

use super::instant::Millis;

/// One counted play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub track: i64,
    pub ended_at: Millis,
    /// `None`: no source says.
    pub ms_played: Option<i64>,
}

/// The plays of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    pub plays: i64,
    /// Of plays whose length is known.
    pub known_ms: i64,
    pub unknown_lengths: i64,
    /// From the track's duration, for plays of unknown length.
    pub estimated_ms: i64,
    pub first: Millis,
    pub last: Millis,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            plays: 0,
            known_ms: 0,
            unknown_lengths: 0,
            estimated_ms: 0,
            first: Millis(i64::MAX),
            last: Millis(i64::MIN),
        }
    }
}

impl Tally {
    pub fn add(&mut self, heard: &Heard) {
        self.plays += 1;
        match heard.ms_played {
            Some(ms) => self.known_ms = self.known_ms.saturating_add(ms),
            None => self.unknown_lengths += 1,
        }
        self.first = self.first.min(heard.ended_at);
        self.last = self.last.max(heard.ended_at);
    }

    pub fn merge(&mut self, other: &Self) {
        self.plays += other.plays;
        self.known_ms = self.known_ms.saturating_add(other.known_ms);
        self.unknown_lengths += other.unknown_lengths;
        self.estimated_ms = self.estimated_ms.saturating_add(other.estimated_ms);
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }

    /// Gives plays of unknown length the length of the track.
    pub const fn estimate(&mut self, duration_ms: Option<i64>) {
        if let Some(duration_ms) = duration_ms {
            self.estimated_ms = duration_ms.saturating_mul(self.unknown_lengths);
        }
    }

    pub const fn ms_played(&self) -> i64 {
        self.known_ms.saturating_add(self.estimated_ms)
    }
}

/// A tally with what it is of.
#[derive(Clone, Copy, Debug)]
pub struct Ranked<'a> {
    pub id: i64,
    pub name: &'a str,
    pub tally: Tally,
}

/// The first `limit`: most plays first, then most time, then by name, then by id.
pub fn top(mut all: Vec<Ranked<'_>>, limit: usize) -> Vec<Ranked<'_>> {
    let order = |a: &Ranked<'_>, b: &Ranked<'_>| {
        let key = |one: &Ranked<'_>| (Reverse(one.tally.plays), Reverse(one.tally.ms_played()));
        key(a).cmp(&key(b)).then_with(|| a.name.cmp(b.name)).then_with(|| a.id.cmp(&b.id))
    };
    if limit < all.len() {
        all.select_nth_unstable_by(limit, order);
        all.truncate(limit);
    }
    all.sort_unstable_by(order);
    all
}

/// A map by an id of this program.
///
/// Track and artist ids are hashes already: hashing them again would be most of the work of counting.
pub type IdMap<T> = HashMap<i64, T, BuildHasherDefault<IdHasher>>;

/// Spreads an id over the word with one multiplication.
#[derive(Default)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0.rotate_left(8) ^ u64::from(*byte)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        }
    }

    fn write_i64(&mut self, id: i64) {
        self.0 = id.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(id: i64, name: &str, plays: i64, ms: i64) -> Ranked<'_> {
        Ranked { id, name, tally: Tally { plays, known_ms: ms, ..Tally::default() } }
    }

    #[test]
    fn ties_go_to_time_then_name_then_id() {
        let all = || {
            vec![
                ranked(1, "b", 2, 50),
                ranked(5, "a", 2, 60),
                ranked(4, "a", 2, 60),
                ranked(3, "z", 3, 0),
                ranked(2, "a", 2, 50),
            ]
        };
        let ids = |limit| top(all(), limit).iter().map(|one| one.id).collect::<Vec<_>>();
        assert_eq!(ids(9), [3, 4, 5, 2, 1]);
        for limit in 0..5 {
            assert_eq!(ids(limit), [3, 4, 5, 2, 1][..limit]);
        }
    }

    #[test]
    fn a_tally_is_the_same_in_pieces() {
        let heard = |ended_at, ms_played| Heard { track: 1, ended_at: Millis(ended_at), ms_played };
        let plays = [heard(5, Some(10)), heard(3, None), heard(9, Some(1))];
        let mut whole = Tally::default();
        let (mut left, mut right) = (Tally::default(), Tally::default());
        for play in &plays {
            whole.add(play);
        }
        left.add(&plays[2]);
        right.add(&plays[0]);
        right.add(&plays[1]);
        left.merge(&right);
        assert_eq!(left, whole);
        whole.estimate(Some(7));
        assert_eq!((whole.ms_played(), whole.first, whole.last), (18, Millis(3), Millis(9)));
        whole.estimate(None);
        assert_eq!(whole.estimated_ms, 7);
    }
}
