//! The questions, their answers in words, and what the generator says to them.
//!
//! Must stay true: the expected numbers come from [`listenlog_workbench::truth`] only.

use jiff::{civil::Date, tz::TimeZone};
use listenlog_workbench::{
    client::Client,
    generator::TruePlay,
    truth::{self, Question},
};
use serde_json::{Value, json};

use super::{
    complaint,
    figures::{at, counted, duration, grouped, hours, shade, weekday},
};

const FIRST_DAY: &str = "2019-01-01";
const LAST_DAY: &str = "2024-12-31";
const SUMMER: [&str; 2] = ["2019-06-01", "2019-08-31"];
const ZONE: &str = "Europe/Berlin";

/// Numbers of the Worker beside the generator's.
#[derive(Default)]
struct Checks {
    agreed: usize,
    differing: Vec<String>,
}

impl Checks {
    fn compare(&mut self, what: &str, answered: &Value, expected: impl Into<Value>) {
        let expected = expected.into();
        // 3 and 3.0 are the same number, though not the same JSON.
        let numbers = answered.as_f64().zip(expected.as_f64());
        if *answered == expected || numbers.is_some_and(|(one, other)| (one - other).abs() < 1e-9) {
            self.agreed += 1;
        } else {
            self.differing.push(format!("{what}: the Worker says {answered}, the generator {expected}"));
        }
    }
}

struct Asking<'demo> {
    client: &'demo Client,
    user: i64,
    known: &'demo [TruePlay],
    zone: TimeZone,
    checks: Checks,
}

/// Asks, prints, compares; whether everything agreed.
pub fn ask_all(client: &Client, user: i64, known: &[TruePlay]) -> Result<bool, String> {
    let zone = TimeZone::get(ZONE).map_err(|error| error.to_string())?;
    let mut asking = Asking { client, user, known, zone, checks: Checks::default() };
    asking.favourite_artists()?;
    asking.summer_tracks()?;
    asking.hours_of_the_week()?;
    asking.completeness()?;
    asking.taste()?;
    let Checks { agreed, differing } = asking.checks;
    if differing.is_empty() {
        say!("All {agreed} numbers compared agree with what the generator knows of this life.");
    } else {
        say!("{agreed} numbers agree with the generator; {} do not:", differing.len());
        for line in &differing {
            say!("  {line}");
        }
    }
    Ok(differing.is_empty())
}

impl Asking<'_> {
    fn ask(&self, question: &str, tool: &str, days: [&str; 2], limit: Option<u32>) -> Result<Value, String> {
        let [from, to] = days;
        let mut arguments = json!({"user_id": self.user, "from": from, "to": to});
        if let (Some(limit), Some(fields)) = (limit, arguments.as_object_mut()) {
            fields.insert("limit".to_owned(), limit.into());
        }
        say!("{question}");
        let answer = self.client.post_json(&format!("/tools/{tool}"), &arguments).map_err(|error| error.to_string())?;
        if answer.is_success() { Ok(answer.json()) } else { Err(complaint(&format!("{tool} gave no answer"), &answer)) }
    }

    /// The truth's question for whole days of the zone, the last included.
    fn window(&self, days: [&str; 2]) -> Result<Question, String> {
        let start_of = |date: Date| {
            let midnight = date.to_zoned(self.zone.clone()).and_then(|local| local.start_of_day());
            midnight.map(|local| local.timestamp().as_millisecond())
        };
        let [first, last] = days.map(str::parse::<Date>);
        let bounds = first.and_then(start_of).and_then(|from_ms| {
            let to_ms = last.and_then(Date::tomorrow).and_then(start_of)?;
            Ok(Question::between(from_ms, to_ms))
        });
        bounds.map_err(|error| error.to_string())
    }

    fn favourite_artists(&mut self) -> Result<(), String> {
        let days = [FIRST_DAY, LAST_DAY];
        let answer =
            self.ask("Which artists have I played most, of all time?", "history_top_artists", days, Some(5))?;
        for item in items(&answer) {
            say!("  {}. {} ({})", at(item, "/rank"), name(at(item, "/artist_name")), credit(item));
        }
        say!();
        let expected = truth::top_artists(self.known, &self.window(days)?);
        for (index, artist) in expected.iter().take(5).enumerate() {
            let item = at(&answer, &format!("/items/{index}"));
            self.checks.compare("artist", at(item, "/artist_name"), artist.artist.as_str());
            self.checks.compare("plays of an artist", at(item, "/play_count"), artist.credit.play_count);
            self.checks.compare("time of an artist", at(item, "/ms_played"), artist.credit.ms_played);
        }
        Ok(())
    }

    fn summer_tracks(&mut self) -> Result<(), String> {
        let answer = self.ask("What was my summer of 2019?", "history_top_tracks", SUMMER, Some(5))?;
        for item in items(&answer) {
            let (track, artist) = (name(at(item, "/track_name")), name(at(item, "/artist_name")));
            say!("  {}. {track} by {artist} ({})", at(item, "/rank"), credit(item));
        }
        say!();
        let expected = truth::top_tracks(self.known, &self.window(SUMMER)?);
        for (index, track) in expected.iter().take(5).enumerate() {
            let item = at(&answer, &format!("/items/{index}"));
            self.checks.compare("track of the summer", at(item, "/uri"), track.uri.as_deref());
            self.checks.compare("plays of a track", at(item, "/play_count"), track.credit.play_count);
        }
        Ok(())
    }

    fn hours_of_the_week(&mut self) -> Result<(), String> {
        let days = [FIRST_DAY, LAST_DAY];
        let answer = self.ask("When do I listen?", "history_listening_heatmap", days, None)?;
        let mut counts = [[0_u64; 24]; 7];
        for cell in at(&answer, "/cells").as_array().into_iter().flatten() {
            let place = |field: &str| at(cell, field).as_u64().and_then(|number| usize::try_from(number).ok());
            let hour = place("/weekday").and_then(|weekday| counts.get_mut(weekday)).zip(place("/hour"));
            if let Some(count) = hour.and_then(|(hours, hour)| hours.get_mut(hour)) {
                *count = at(cell, "/play_count").as_u64().unwrap_or(0);
            }
        }
        let fullest = counts.iter().flatten().copied().max().unwrap_or(0);
        say!("             0     6     12    18");
        for (number, hours) in (0..).zip(&counts) {
            let shades: String = hours.iter().map(|count| shade(*count, fullest)).collect();
            say!("  {:<10} {shades}", weekday(number));
        }
        let expected = truth::heatmap(self.known, &self.window(days)?, &self.zone);
        let peaks = at(&answer, "/peaks");
        if let (Some(day), Some(hour)) = (at(peaks, "/weekday").as_u64(), at(peaks, "/hour").as_u64()) {
            say!("  Most on {}s, and most between {hour} and {} h.\n", weekday(day), hour + 1);
        }
        self.checks.compare("peak weekday", at(peaks, "/weekday"), expected.peak_weekday);
        self.checks.compare("peak hour", at(peaks, "/hour"), expected.peak_hour);
        self.checks.compare("plays in the heatmap", at(&answer, "/total_plays"), expected.total_plays);
        let cells: usize = counts.iter().flatten().filter(|count| **count > 0).count();
        self.checks.compare("hours of the week with music", &cells.into(), expected.cells.len());
        let is_equal = expected.cells.iter().all(|((weekday, hour), cell)| {
            let count = counts.get(usize::from(*weekday)).and_then(|hours| hours.get(usize::from(*hour)));
            count.and_then(|count| usize::try_from(*count).ok()) == Some(cell.play_count)
        });
        self.checks.compare("every cell of the heatmap", &is_equal.into(), true);
        Ok(())
    }

    fn completeness(&mut self) -> Result<(), String> {
        let days = [FIRST_DAY, LAST_DAY];
        let answer = self.ask("How complete is this?", "history_coverage", days, None)?;
        let date = |field: &str| at(&answer, field).as_str().and_then(|text| text.get(..10)).unwrap_or("?").to_owned();
        say!(
            "  {} from {} to {}, on {} of {} days.",
            counted(count(at(&answer, "/total_plays")), "play"),
            date("/earliest"),
            date("/latest"),
            grouped(count(at(&answer, "/active_days"))),
            grouped(count(at(&answer, "/requested_days")))
        );
        let mut gaps: Vec<&Value> = at(&answer, "/gaps").as_array().into_iter().flatten().collect();
        gaps.sort_by_key(|gap| std::cmp::Reverse(at(gap, "/days").as_u64()));
        for gap in gaps.iter().take(3) {
            say!(
                "  Nothing for {} days, from {} to {}.",
                at(gap, "/days"),
                name(at(gap, "/from")),
                name(at(gap, "/to"))
            );
        }
        say!();
        let window = self.window(days)?;
        self.checks.compare("plays that count", at(&answer, "/total_plays"), truth::totals(self.known, &window).plays);
        // A day is active when there is any row, music or not, however short.
        let any = Question { kind: None, min_ms_played: 0, ..window };
        let expected = truth::coverage(self.known, &any, &self.zone);
        self.checks.compare("days with plays", at(&answer, "/active_days"), expected.active_days);
        if let Some(longest) = expected.gaps.iter().map(|gap| gap.days).max() {
            let told = gaps.first().map_or(&Value::Null, |gap| at(gap, "/days"));
            self.checks.compare("the longest gap", told, longest);
        }
        Ok(())
    }

    fn taste(&mut self) -> Result<(), String> {
        let days = [FIRST_DAY, LAST_DAY];
        let answer = self.ask("Sum up my taste.", "history_taste_summary", days, None)?;
        say!(
            "  {} hours of {} by {}; a track comes round {} times on average.",
            hours(at(&answer, "/total_ms_played").as_i64().unwrap_or(0)),
            counted(count(at(&answer, "/unique_tracks")), "track"),
            counted(count(at(&answer, "/unique_artists")), "artist"),
            at(&answer, "/repeat_rate")
        );
        say!(
            "  First of all {}, and {}.\n",
            name(at(&answer, "/top_artists/0/artist_name")),
            name(at(&answer, "/top_tracks/0/track_name"))
        );
        let expected = truth::totals(self.known, &self.window(days)?);
        self.checks.compare("plays in the summary", at(&answer, "/total_plays"), expected.plays);
        self.checks.compare("different tracks", at(&answer, "/unique_tracks"), expected.unique_tracks);
        self.checks.compare("different artists", at(&answer, "/unique_artists"), expected.unique_artists);
        self.checks.compare("time in all", at(&answer, "/total_ms_played"), expected.ms_played);
        self.checks.compare("repeat rate", at(&answer, "/repeat_rate"), expected.repeat_rate());
        Ok(())
    }
}

fn items(answer: &Value) -> &[Value] {
    at(answer, "/items").as_array().map_or(&[], Vec::as_slice)
}

fn name(value: &Value) -> &str {
    value.as_str().unwrap_or("somebody unknown")
}

fn count(value: &Value) -> usize {
    value.as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0)
}

/// `31 plays, 92 minutes`.
fn credit(item: &Value) -> String {
    let ms = at(item, "/ms_played").as_i64().unwrap_or(0);
    format!("{}, {}", counted(count(at(item, "/play_count")), "play"), duration(ms))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use listenlog_workbench::generator::{ExportPlan, FieldSet, seen_by_extended};

    use super::*;

    #[test]
    fn a_difference_is_told_with_both_numbers() {
        let mut checks = Checks::default();
        checks.compare("plays", &json!(3), 3_usize);
        checks.compare("plays", &Value::Null, 3_usize);
        checks.compare("rate", &json!(3), 3.0);
        assert_eq!(checks.agreed, 2);
        assert_eq!(checks.differing, ["plays: the Worker says null, the generator 3"]);
    }

    #[test]
    fn whole_days_of_the_zone_are_the_window() {
        let client = Client::new("http://127.0.0.1:1");
        let zone = TimeZone::get(ZONE).unwrap();
        let asking = Asking { client: &client, user: 1, known: &[], zone, checks: Checks::default() };
        let window = asking.window(SUMMER).unwrap();
        // 2019-05-31T22:00:00Z to 2019-08-31T22:00:00Z.
        assert_eq!((window.from_ms, window.to_ms), (1_559_340_000_000, 1_567_288_800_000));
    }

    /// Answers as the tools give them, made from the truth; `surplus` falsifies the number of plays.
    fn answer(tool: &str, asking: &Asking<'_>, surplus: usize) -> Value {
        let all = asking.window([FIRST_DAY, LAST_DAY]).unwrap();
        let totals = truth::totals(asking.known, &all);
        let plays = totals.plays + surplus;

        match tool {
            "history_top_artists" => {
                let ranked = truth::top_artists(asking.known, &all);
                let items = ranked.iter().take(5).map(|row| {
                    let truth::Credit { play_count, ms_played, .. } = row.credit;
                    json!({"rank": 1, "artist_name": row.artist, "play_count": play_count, "ms_played": ms_played})
                });
                json!({"items": items.collect::<Vec<_>>()})
            }
            "history_top_tracks" => {
                let ranked = truth::top_tracks(asking.known, &asking.window(SUMMER).unwrap());
                let items = ranked.iter().take(5).map(|row| {
                    let truth::Credit { play_count, ms_played, .. } = row.credit;
                    json!({"rank": 1, "track_name": row.title, "uri": row.uri, "play_count": play_count, "ms_played": ms_played})
                });
                json!({"items": items.collect::<Vec<_>>()})
            }
            "history_listening_heatmap" => {
                let heatmap = truth::heatmap(asking.known, &all, &asking.zone);
                let cells = heatmap.cells.iter().map(
                    |((weekday, hour), cell)| json!({"weekday": weekday, "hour": hour, "play_count": cell.play_count}),
                );
                let peaks = json!({"weekday": heatmap.peak_weekday, "hour": heatmap.peak_hour});
                json!({"total_plays": plays, "cells": cells.collect::<Vec<_>>(), "peaks": peaks})
            }
            "history_coverage" => {
                let any = Question { kind: None, min_ms_played: 0, ..all };
                let coverage = truth::coverage(asking.known, &any, &asking.zone);
                let gaps: Vec<Value> = coverage.gaps.iter().map(|gap| json!({"days": gap.days})).collect();
                json!({"total_plays": plays, "active_days": coverage.active_days, "gaps": gaps})
            }
            _ => json!({
                "total_plays": plays, "unique_tracks": totals.unique_tracks, "unique_artists": totals.unique_artists,
                "total_ms_played": totals.ms_played, "repeat_rate": totals.repeat_rate(),
            }),
        }
    }

    /// A server that answers the five questions, one connection each.
    fn serve(listener: &TcpListener, asking: &Asking<'_>, surplus: usize) {
        for stream in listener.incoming().take(5) {
            let mut stream = stream.unwrap();
            let mut seen = String::new();
            let mut chunk = [0_u8; 4_096];
            while !seen.ends_with('}') {
                let length = stream.read(&mut chunk).unwrap();
                seen.push_str(&String::from_utf8_lossy(&chunk[..length]));
            }
            let tool = seen.split(['/', ' ']).nth(3).unwrap();
            let body = answer(tool, asking, surplus).to_string();
            let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    }

    #[test]
    fn the_demo_agrees_with_right_answers_and_not_with_wrong_ones() {
        let known = seen_by_extended(&ExportPlan::demo().live(), FieldSet::R4);
        for surplus in [0, 1] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
            let agreed = thread::scope(|scope| {
                scope.spawn(|| {
                    let zone = TimeZone::get(ZONE).unwrap();
                    let asking = Asking { client: &client, user: 1, known: &known, zone, checks: Checks::default() };
                    serve(&listener, &asking, surplus);
                });
                ask_all(&client, 1, &known).unwrap()
            });
            assert_eq!(agreed, surplus == 0);
        }
    }
}
