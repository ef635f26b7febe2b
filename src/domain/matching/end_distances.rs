//! How far the API's end and the export's end of one play lie apart, as a small histogram.
//!
//! Must stay true: the sum of the counts is the number of plays that were joined.

use serde::{Deserialize, Serialize};

/// Plays by the distance of the two ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default)]
pub struct EndDistances {
    pub up_to_1_s: u64,
    pub up_to_2_s: u64,
    pub up_to_5_s: u64,
    pub up_to_10_s: u64,
    pub up_to_30_s: u64,
    /// The API's instant was found to be the START of the export's row.
    pub at_start: u64,
}

impl EndDistances {
    pub fn add(&mut self, distance_ms: i64) {
        let bucket = match distance_ms.abs() {
            0..=1_000 => &mut self.up_to_1_s,
            1_001..=2_000 => &mut self.up_to_2_s,
            2_001..=5_000 => &mut self.up_to_5_s,
            5_001..=10_000 => &mut self.up_to_10_s,
            10_001..=30_000 => &mut self.up_to_30_s,
            _ => &mut self.at_start,
        };
        *bucket += 1;
    }

    pub fn add_all(&mut self, other: &Self) {
        self.up_to_1_s += other.up_to_1_s;
        self.up_to_2_s += other.up_to_2_s;
        self.up_to_5_s += other.up_to_5_s;
        self.up_to_10_s += other.up_to_10_s;
        self.up_to_30_s += other.up_to_30_s;
        self.at_start += other.at_start;
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distance_has_one_place() {
        let mut distances = EndDistances::default();
        for distance_ms in [0, -381, 1_000, 1_001, 4_999, -9_000, 30_000, -30_001, 18_000_000] {
            distances.add(distance_ms);
        }
        let expected =
            EndDistances { up_to_1_s: 3, up_to_2_s: 1, up_to_5_s: 1, up_to_10_s: 1, up_to_30_s: 1, at_start: 2 };
        assert_eq!(distances, expected);
        distances.add_all(&expected);
        assert_eq!((distances.up_to_1_s, distances.at_start), (6, 4));
    }
}
