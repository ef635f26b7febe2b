//! Stretches of days without a single row.
//!
//! Must stay true: a day belongs to the listener's calendar, both ends of a gap belong to it, and a gap never reaches
//! beyond the days asked about.

/// Fewer empty days than this are a holiday, not a gap.
pub const MIN_GAP_DAYS: i64 = 7;

/// Why a gap may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(inline))]
pub enum LikelyCause {
    #[serde(rename = "before the history begins")]
    BeforeTheHistory,
    #[serde(rename = "after the newest data")]
    AfterTheNewestData,
    #[serde(rename = "no listening, or missing data")]
    NoListeningOrMissing,
    #[serde(rename = "nothing was recorded yet")]
    NothingRecorded,
}

/// Empty days from `first_day` to `last_day`, both included, counted from 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    pub first_day: i64,
    pub last_day: i64,
    pub likely_cause: LikelyCause,
}

impl Gap {
    pub const fn days(&self) -> i64 {
        self.last_day - self.first_day + 1
    }
}

/// All gaps between `first_day` and `last_day`, both included, oldest first. `active_days` ascends; `history` is the
/// first and the last day with any row at all, inside the window or not.
pub fn find(active_days: &[i64], first_day: i64, last_day: i64, history: Option<(i64, i64)>) -> Vec<Gap> {
    let cause = |from: i64, to: i64| match history {
        None => LikelyCause::NothingRecorded,
        Some((begins, _)) if to < begins => LikelyCause::BeforeTheHistory,
        Some((_, newest)) if from > newest => LikelyCause::AfterTheNewestData,
        Some(_) => LikelyCause::NoListeningOrMissing,
    };
    let mut gaps = Vec::new();
    let mut next = first_day;
    let inside = active_days.iter().copied().filter(|day| (first_day..=last_day).contains(day));
    for day in inside.chain([last_day + 1]) {
        if day - next >= MIN_GAP_DAYS {
            gaps.push(Gap { first_day: next, last_day: day - 1, likely_cause: cause(next, day - 1) });
        }
        next = next.max(day + 1);
    }
    gaps
}

/// The `most` longest gaps, oldest first, and how many were left out. Of two equally long ones the older stays.
pub fn longest(mut gaps: Vec<Gap>, most: usize) -> (Vec<Gap>, usize) {
    let left_out = gaps.len().saturating_sub(most);
    if left_out > 0 {
        gaps.sort_by_key(|gap| (std::cmp::Reverse(gap.days()), gap.first_day));
        gaps.truncate(most);
        gaps.sort_by_key(|gap| gap.first_day);
    }
    (gaps, left_out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(active: &[i64], first: i64, last: i64) -> Vec<(i64, i64)> {
        find(active, first, last, Some((0, 100))).iter().map(|gap| (gap.first_day, gap.last_day)).collect()
    }

    #[test]
    fn a_gap_needs_seven_empty_days() {
        assert_eq!(spans(&[10, 17], 10, 17), []);
        assert_eq!(spans(&[10, 18], 10, 18), [(11, 17)]);
    }

    #[test]
    fn the_ends_of_the_window_count_and_clip() {
        assert_eq!(spans(&[20], 10, 30), [(10, 19), (21, 30)]);
        assert_eq!(spans(&[5, 40], 10, 30), [(10, 30)]);
        assert_eq!(spans(&[], 10, 15), []);
    }

    #[test]
    fn repeated_days_change_nothing() {
        assert_eq!(spans(&[10, 10, 18, 18], 10, 18), [(11, 17)]);
    }

    #[test]
    fn the_cause_follows_from_where_the_history_lies() {
        let causes =
            |history| -> Vec<_> { find(&[50, 60], 0, 99, history).iter().map(|gap| gap.likely_cause).collect() };
        assert_eq!(
            causes(Some((50, 60))),
            [LikelyCause::BeforeTheHistory, LikelyCause::NoListeningOrMissing, LikelyCause::AfterTheNewestData]
        );
        assert_eq!(causes(Some((-9, 200))), [LikelyCause::NoListeningOrMissing; 3]);
        assert_eq!(find(&[], 0, 99, None)[0].likely_cause, LikelyCause::NothingRecorded);
    }

    #[test]
    fn the_longest_stay_in_order_of_time() {
        let gaps = find(&[0, 10, 30, 40, 70], 0, 70, Some((0, 70)));
        assert_eq!(gaps.len(), 4);
        let (kept, left_out) = longest(gaps, 2);
        assert_eq!(left_out, 2);
        assert_eq!(kept.iter().map(|gap| gap.first_day).collect::<Vec<_>>(), [11, 41]);
    }
}
