//! What is asked: windows, zones and rules of counting, as arguments and as the truth's own question.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use listenlog_workbench::{
    generator::Kind,
    truth::{Question, day_count, whole_days},
};
use serde_json::{Map, Value, json};

use super::listeners::Listener;
use crate::worker::now_ms;

pub const TOOLS: [&str; 7] = [
    "history_coverage",
    "history_listening_heatmap",
    "history_repeat_rate",
    "history_taste_summary",
    "history_top_albums",
    "history_top_artists",
    "history_top_tracks",
];

pub const ZONES: [&str; 3] = ["UTC", "America/St_Johns", "Europe/Berlin"];

/// A stretch of time as somebody asks for it.
#[derive(Clone, Copy, Debug)]
pub enum Asked {
    Dates(&'static str, &'static str),
    Instants(&'static str, &'static str),
    Since(&'static str),
    Until(&'static str),
    /// Days back from now, to this date or a little before it.
    DaysBackTo(&'static str),
    /// 36,500 days.
    AllTime,
    /// Neither days nor dates: 90 days.
    Nothing,
}

/// Which plays count.
pub const RULES: [(&str, i64); 6] =
    [("music", 30_000), ("all", 0), ("podcast", 30_000), ("music", 0), ("all", 200_000), ("music", 200_000)];

/// One question about one listener, without the tool.
pub struct Query<'scene> {
    pub listener: &'scene Listener,
    pub asked: Asked,
    /// `None` leaves it to the user's own.
    pub zone: Option<&'static str>,
    pub kind: &'static str,
    pub min_ms_played: i64,
    pub limit: usize,
}

/// The window that a question turned out to be about.
#[derive(Debug)]
pub struct Resolved {
    pub question: Question,
    /// As it is shown.
    pub to_shown_ms: i64,
    pub days: i64,
}

impl Query<'_> {
    pub fn zone_name(&self) -> &'static str {
        self.zone.unwrap_or(self.listener.timezone)
    }

    pub fn zone(&self) -> TimeZone {
        TimeZone::get(self.zone_name()).unwrap()
    }

    pub fn arguments(&self, tool: &str) -> Value {
        let mut fields = Map::new();
        let mut set = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        set("user_id", self.listener.user.into());
        match self.asked {
            Asked::Dates(from, to) | Asked::Instants(from, to) => {
                set("from", from.into());
                set("to", to.into());
            }
            Asked::Since(from) => drop(set("from", from.into())),
            Asked::Until(to) => drop(set("to", to.into())),
            Asked::DaysBackTo(date) => drop(set("days", days_back_to(date).into())),
            Asked::AllTime => drop(set("days", 36_500.into())),
            Asked::Nothing => {}
        }
        if let Some(zone) = self.zone {
            set("timezone", zone.into());
        }
        // What is the default is left out every now and then, so that the default is asked for too.
        if (self.kind, self.min_ms_played) != ("music", 30_000) {
            set("kind", self.kind.into());
            set("min_ms_played", self.min_ms_played.into());
        }
        if has_limit(tool) && self.limit != DEFAULT_LIMIT {
            set("limit", self.limit.into());
        }
        Value::Object(fields)
    }

    /// The window by this test's own calendar. An end that is the present is taken from the answer, once it has been
    /// seen to lie between the instants before and after asking.
    pub fn resolve(&self, answer: &Value, asked_between: [i64; 2]) -> Resolved {
        let zone = self.zone();
        let now_ms = || {
            let told = instant(answer["window"]["to"].as_str().unwrap_or_default());
            let [before, after] = asked_between;
            assert!((before..=after).contains(&told), "the present is told as {told}, not {before} to {after}");
            told
        };
        let day = |text: &str| -> Date { text.parse().unwrap() };
        let days_back = |days: i64| {
            let now = now_ms();
            (now - days * 86_400_000, now + 1, now, Some(days))
        };
        let (from_ms, to_ms, to_shown_ms, days) = match self.asked {
            Asked::Dates(from, to) => {
                let (from, to) = whole_days(day(from), day(to), &zone).unwrap();
                (from, to, to, None)
            }
            Asked::Instants(from, to) => (instant(from), instant(to), instant(to), None),
            Asked::Since(from) => {
                let now = now_ms();
                (whole_days(day(from), day(from), &zone).unwrap().0, now + 1, now, None)
            }
            Asked::Until(to) => {
                let to = whole_days(day(to), day(to), &zone).unwrap().1;
                (0, to, to, None)
            }
            Asked::DaysBackTo(date) => days_back(days_back_to(date)),
            Asked::AllTime => days_back(36_500),
            Asked::Nothing => days_back(90),
        };
        let question = Question { from_ms, to_ms, kind: kind_of(self.kind), min_ms_played: self.min_ms_played };
        let touched = || i64::try_from(day_count(&[], &question, &zone).touched).unwrap();
        Resolved { question, to_shown_ms, days: days.unwrap_or_else(touched) }
    }
}

pub const DEFAULT_LIMIT: usize = 20;

pub fn has_limit(tool: &str) -> bool {
    tool.starts_with("history_top_")
}

fn kind_of(name: &str) -> Option<Kind> {
    match name {
        "music" => Some(Kind::Music),
        "podcast" => Some(Kind::Podcast),
        "audiobook" => Some(Kind::Audiobook),
        "local" => Some(Kind::Local),
        "video" => Some(Kind::Video),
        _ => None,
    }
}

fn days_back_to(date: &str) -> i64 {
    (now_ms() - instant(&format!("{date}T00:00:00Z"))) / 86_400_000
}

pub fn instant(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap_or_else(|error| panic!("{text}: {error}")).as_millisecond()
}

pub fn rfc3339(instant_ms: i64) -> Value {
    json!(Timestamp::from_millisecond(instant_ms).unwrap().to_string())
}

/// The windows that every listener is asked about: across clock changes, cutting days and hours, to the ends of time.
pub fn windows(listener: &Listener) -> Vec<Asked> {
    let [[spring, after_spring], [autumn, after_autumn]] = listener.clock_changes;
    let (sunday, midnights) = match listener.name {
        "six years" => ("2021-03-28", ("2021-03-14T03:30:00Z", "2021-11-07T04:59:59.999Z")),
        _ => ("2023-03-26", ("2023-03-12T03:30:00Z", "2023-11-05T04:59:59.999Z")),
    };
    vec![
        Asked::Dates(spring, after_spring),
        Asked::Dates(autumn, after_autumn),
        Asked::Dates(sunday, sunday),
        Asked::Dates("2018-12-01", "2025-02-01"),
        Asked::Instants(midnights.0, midnights.1),
        Asked::Instants("2023-05-01T12:34:56+05:45", "2023-08-31T23:59:59.001-02:30"),
        Asked::Since("2023-06-15"),
        Asked::Until("2023-06-15"),
        Asked::DaysBackTo("2023-06-01"),
        Asked::AllTime,
        Asked::Nothing,
    ]
}
