//! Time zones by their IANA names, from a database that knows the clocks since 2006 (`tables/zones.rs` cuts it).
//!
//! Must stay true: from then on, every zone that `jiff` knows is the same here under the same name. Before, a zone is what
//! it was at the beginning of 2006. `TimeZone::get` finds nothing in the Worker: its database is not carried along.

use jiff::tz::TimeZone;

/// A line for each zone: its name, and where its rules begin and end in [`RULES`].
const INDEX: &str = include_str!(concat!(env!("OUT_DIR"), "/zones.txt"));
const RULES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/zones.tzif"));

/// The zone of that name, in whatever case it is written; it calls itself by its own name.
pub fn named(name: &str) -> Option<TimeZone> {
    let (name, start, end) = lines().find(|(known, ..)| known.eq_ignore_ascii_case(name))?;
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    TimeZone::tzif(name, RULES.get(start.parse().ok()?..end.parse().ok()?)?).ok()
}

/// All names, in alphabetical order.
pub fn names() -> impl Iterator<Item = &'static str> {
    lines().map(|(name, ..)| name)
}

fn lines() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    INDEX.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    })
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz};

    use super::*;

    /// 2006-01-01 and 2040-01-01, in seconds since 1970.
    const ASKED: std::ops::Range<i64> = 1_136_073_600..2_208_988_800;

    #[test]
    fn every_zone_is_what_jiff_has_it_since_2006() {
        let known: Vec<String> = tz::db().available().map(|name| name.to_string()).collect();
        assert_eq!(names().collect::<Vec<_>>(), known);
        for name in known {
            let (ours, theirs) = (named(&name).unwrap(), TimeZone::get(&name).unwrap());
            assert_eq!(ours.iana_name(), theirs.iana_name());
            let begin = Timestamp::from_second(ASKED.start).unwrap();
            let until = |change: &tz::TimeZoneTransition<'_>| change.timestamp().as_second() < ASKED.end;
            assert_eq!(ours.to_offset_info(begin), theirs.to_offset_info(begin), "{name}");
            let changes = |zone: &TimeZone| {
                let all = zone.following(begin).take_while(until);
                all.map(|change| (change.timestamp(), change.offset(), change.abbreviation().to_owned()))
                    .collect::<Vec<_>>()
            };
            assert_eq!(changes(&ours), changes(&theirs), "{name}");
        }
    }

    #[test]
    fn a_name_in_any_case_is_known_and_others_are_not() {
        assert_eq!(named("europe/BERLIN").unwrap().iana_name(), Some("Europe/Berlin"));
        assert_eq!(named("utc").unwrap(), TimeZone::UTC);
        for name in ["", "Europe", "Europe/Berlin ", "Europe/Berlin 0 9", "Etc/Unknown", "UTC+1"] {
            assert_eq!(named(name), None, "{name}");
        }
    }
}
