//! Seeded choices in whole numbers.
//!
//! Must stay true: no floating-point function of the platform takes part, so that a seed gives the same life on every
//! machine.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The only source of chance in this crate.
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// Dice of one purpose: lives of the same seed share nothing between purposes, so that a change in how names are
    /// made leaves the days as they were.
    pub fn new(seed: u64, purpose: u64) -> Self {
        let mut source = ChaCha8Rng::seed_from_u64(seed);
        source.set_stream(purpose);
        Self(source)
    }

    /// A whole number of `low..=high`; `low` when the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low { low } else { self.0.random_range(low..=high) }
    }

    /// An index below `length`; 0 when `length` is 0.
    pub fn below(&mut self, length: usize) -> usize {
        if length == 0 { 0 } else { usize::try_from(self.0.random_range(0..length as u64)).unwrap_or(0) }
    }

    /// True in `per_mille` of a thousand cases.
    pub fn chance(&mut self, per_mille: u32) -> bool {
        self.0.random_range(0..1_000_u32) < per_mille
    }

    /// One of a list, or `fallback` when the list is empty.
    pub fn pick<'list, T: ?Sized>(&mut self, list: &[&'list T], fallback: &'list T) -> &'list T {
        list.get(self.below(list.len())).copied().unwrap_or(fallback)
    }

    /// About normal around `middle`, never further from it than `reach`.
    pub fn around(&mut self, middle: i64, reach: i64) -> i64 {
        let sum: i64 = (0..4).map(|_| self.between(-reach, reach)).sum();
        middle + sum / 4
    }

    /// Puts a list into an order of chance.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }

    /// 22 characters of Spotify's base 62.
    pub fn spotify_id(&mut self) -> String {
        const DIGITS: &[u8; 62] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        (0..22).map(|_| DIGITS.get(self.below(62)).map_or('0', |digit| char::from(*digit))).collect()
    }
}

/// Chances that fall with the rank, as Zipf and Mandelbrot have it: `1 / (rank + flatness)`.
#[derive(Debug)]
pub struct Ranks {
    /// Running sums of the weights.
    sums: Vec<u64>,
}

impl Ranks {
    pub fn falling(length: usize, flatness: u64) -> Self {
        Self::of((0..length as u64).map(|rank| 1_000_000_000_000 / (rank + flatness.max(1))))
    }

    /// Any weights.
    pub fn of(weights: impl IntoIterator<Item = u64>) -> Self {
        let mut sum = 0_u64;
        let sums = weights
            .into_iter()
            .map(|weight| {
                sum = sum.saturating_add(weight);
                sum
            })
            .collect();
        Self { sums }
    }

    /// An index, drawn by weight.
    pub fn draw(&self, dice: &mut Dice) -> usize {
        let total = self.sums.last().copied().unwrap_or(0);
        if total == 0 {
            return 0;
        }
        let point = dice.0.random_range(0..total);
        self.sums.partition_point(|sum| *sum <= point)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_ranks_are_drawn_more_often() {
        let ranks = Ranks::falling(100, 5);
        let mut dice = Dice::new(1, 0);
        let mut drawn = [0_u32; 100];
        for _ in 0..20_000 {
            drawn[ranks.draw(&mut dice)] += 1;
        }
        assert!(drawn[0] > 3 * drawn[30], "{drawn:?}");
        assert!(drawn.iter().all(|count| *count > 0));
    }

    #[test]
    fn purposes_of_one_seed_are_independent_and_repeatable() {
        assert_eq!(Dice::new(7, 1).spotify_id(), Dice::new(7, 1).spotify_id());
        assert_ne!(Dice::new(7, 1).spotify_id(), Dice::new(7, 2).spotify_id());
    }

    #[test]
    fn empty_choices_do_not_fail() {
        let mut dice = Dice::new(1, 1);
        assert_eq!(dice.below(0), 0);
        assert_eq!(dice.between(5, 4), 5);
        assert_eq!(Ranks::of([]).draw(&mut dice), 0);
    }
}
