//! The days of a life and how many plays each has.
//!
//! Must stay true: the counts add up to the plan's rows exactly, holidays without music are in between, and days are
//! those of the listening zone.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use super::{plan::ExportPlan, random::Dice};

#[derive(Clone, Copy, Debug)]
pub struct Day {
    pub date: Date,
    pub plays: usize,
}

pub fn zone(plan: &ExportPlan) -> TimeZone {
    TimeZone::get(&plan.listening_zone).unwrap_or(TimeZone::UTC)
}

/// Days with music, in order. The last two days of the plan stay empty, so that a late evening ends within it.
pub fn days(plan: &ExportPlan) -> Vec<Day> {
    let mut dice = Dice::new(plan.seed, 2);
    let zone = zone(plan);
    let date_of = |instant_ms: i64| {
        Timestamp::from_millisecond(instant_ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone()).date()
    };
    let first = date_of(plan.from_ms);
    let end = date_of(plan.to_ms - 1).saturating_sub(1.day());
    let dates: Vec<Date> = first.series(1.day()).take_while(|date| *date < end).collect();
    let mut weights: Vec<u64> = dates.iter().map(|date| weight(*date, &mut dice)).collect();
    take_holidays(&mut weights, &mut dice);
    if weights.iter().all(|weight| *weight == 0) {
        weights.fill(1);
    }
    apportion(&dates, &weights, plan.plays)
}

fn weight(date: Date, dice: &mut Dice) -> u64 {
    if dice.chance(60) {
        return 0;
    }
    let weekend = matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
    let season = if matches!(date.month(), 6..=8) { 115 } else { 100 };
    let mood = dice.between(55, 145);
    let of_week = if weekend { 118 } else { 100 };
    u64::try_from(of_week * season * mood).unwrap_or(0)
}

/// One to three stretches of 8 to 21 days a year.
fn take_holidays(weights: &mut [u64], dice: &mut Dice) {
    for year in weights.chunks_mut(365) {
        if year.len() < 60 {
            continue;
        }
        for _ in 0..dice.between(1, 3) {
            let length = usize::try_from(dice.between(8, 21)).unwrap_or(8);
            // Neither the first nor the last weeks, so that a gap has music on both sides.
            let start = 10 + dice.below(year.len().saturating_sub(length + 20));
            year.iter_mut().skip(start).take(length).for_each(|weight| *weight = 0);
        }
    }
}

/// Shares the rows out by weight, rounding so that the sum is exact.
fn apportion(dates: &[Date], weights: &[u64], rows: usize) -> Vec<Day> {
    let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if total == 0 {
        return Vec::new();
    }
    let mut so_far = 0_u128;
    let mut given = 0_usize;
    let mut days = Vec::with_capacity(dates.len());
    for (date, weight) in dates.iter().zip(weights) {
        so_far += u128::from(*weight);
        let due = usize::try_from(so_far * rows as u128 / total).unwrap_or(rows);
        if due > given {
            days.push(Day { date: *date, plays: due - given });
            given = due;
        }
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_add_up_and_leave_holidays() {
        let plan = ExportPlan::demo();
        let days = days(&plan);
        assert_eq!(days.iter().map(|day| day.plays).sum::<usize>(), plan.plays);
        let gaps = days.windows(2).filter(|pair| (pair[1].date - pair[0].date).get_days() > 7).count();
        assert!((6..=18).contains(&gaps), "{gaps}");
    }

    #[test]
    fn an_absurd_plan_has_no_days_rather_than_a_failure() {
        let plan = ExportPlan { from_ms: 0, to_ms: 0, ..ExportPlan::demo() };
        assert!(days(&plan).is_empty());
    }
}
