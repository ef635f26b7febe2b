//! Questions that people ask again and again, ready to be sent.
//!
//! Must stay true: a prompt names only tools that there are, and windows that end no later than the present.

use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Asking,
    reply::{Freshness, Reply, RpcError, clipped, read, refuse_cursor},
};
use crate::domain::{
    instant::{DAY_MS, Millis},
    local_time::{LocalClock, date_of_day},
    zones,
};

struct Prompt {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: &'static [&'static Argument],
    text: fn(&Filled<'_>) -> String,
}

struct Argument {
    name: &'static str,
    description: &'static str,
}

static TIMEZONE: Argument =
    Argument { name: "timezone", description: "IANA time zone such as Europe/Berlin; without it, the listener's own." };
static ARTIST: Argument =
    Argument { name: "artist", description: "An artist to look at closely; without one, taste as a whole." };

/// Every prompt, by name.
static PROMPTS: [Prompt; 3] = [
    Prompt {
        name: "is_my_history_complete",
        title: "Is my history complete?",
        description: "What the stored history covers, where it has gaps, and what could fill them.",
        arguments: &[],
        text: complete,
    },
    Prompt {
        name: "my_year_so_far",
        title: "My year so far",
        description: "This year's listening until today, beside the same stretch of last year.",
        arguments: &[&TIMEZONE],
        text: year,
    },
    Prompt {
        name: "what_changed_in_my_taste",
        title: "What changed in my taste",
        description: "The last 90 days beside the 90 before them and the same days a year ago.",
        arguments: &[&ARTIST, &TIMEZONE],
        text: changes,
    },
];

/// Whether there is such a prompt with such an argument.
pub fn takes(name: &str, argument: &str) -> bool {
    let prompt = PROMPTS.iter().find(|prompt| prompt.name == name);
    prompt.is_some_and(|prompt| prompt.arguments.iter().any(|known| known.name == argument))
}

/// `prompts/list`.
pub fn list(params: &Map<String, Value>) -> Result<Reply, RpcError> {
    refuse_cursor(params)?;
    let argument =
        |argument: &&Argument| json!({ "name": argument.name, "description": argument.description, "required": false });
    let listed = |prompt: &Prompt| {
        json!({
            "name": prompt.name,
            "title": prompt.title,
            "description": prompt.description,
            "arguments": prompt.arguments.iter().map(argument).collect::<Vec<_>>(),
        })
    };
    let prompts: Vec<Value> = PROMPTS.iter().map(listed).collect();
    Ok(Reply::of(json!({ "prompts": prompts })).kept(Freshness::Shared))
}

#[derive(Deserialize)]
struct Get {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

/// A prompt's arguments and the present.
struct Filled<'a> {
    artist: Option<&'a str>,
    zone: Option<&'a str>,
    today: Millis,
}

const MAX_ARTIST_CHARS: usize = 200;

/// `prompts/get`.
pub fn get(asking: &Asking, params: Map<String, Value>) -> Result<Reply, RpcError> {
    let Get { name, arguments } = read(params)?;
    let prompt = PROMPTS.iter().find(|prompt| prompt.name == name).ok_or_else(|| {
        let known: Vec<&str> = PROMPTS.iter().map(|prompt| prompt.name).collect();
        RpcError::invalid_params(format!("There is no prompt {}; known are: {}.", clipped(&name), known.join(", ")))
    })?;
    for (name, value) in &arguments {
        if !prompt.arguments.iter().any(|argument| argument.name == name) {
            return Err(RpcError::invalid_params(format!("{} is no argument of this prompt", clipped(name))));
        }
        if !value.is_string() {
            return Err(RpcError::invalid_params(format!("{} must be a string", clipped(name))));
        }
    }
    let given = |name: &str| arguments.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let zone = given("timezone");
    if zone.is_some_and(|zone| zones::named(zone).is_none()) {
        return Err(RpcError::invalid_params("timezone must be an IANA time zone such as Europe/Berlin"));
    }
    let artist = given("artist");
    if artist.is_some_and(|artist| artist.chars().count() > MAX_ARTIST_CHARS || artist.chars().any(char::is_control)) {
        let rule = format!("artist must be a name of at most {MAX_ARTIST_CHARS} characters");
        return Err(RpcError::invalid_params(rule));
    }
    let text = (prompt.text)(&Filled { artist, zone, today: asking.app.now() });
    let message = json!({ "role": "user", "content": { "type": "text", "text": text } });
    Ok(Reply::of(json!({ "description": prompt.description, "messages": [message] })))
}

impl Filled<'_> {
    /// The date so many days ago, in the zone that was asked for.
    fn date(&self, days_ago: i64) -> String {
        let zone = self.zone.and_then(zones::named).unwrap_or(TimeZone::UTC);
        date_of_day(LocalClock::new(zone).at(self.today.minus_ms(days_ago * DAY_MS)).day)
    }

    /// How the zone is said in a call.
    fn in_zone(&self) -> String {
        self.zone.map_or_else(String::new, |zone| format!(" and timezone {zone}"))
    }
}

fn complete(_: &Filled<'_>) -> String {
    "Is my listening history complete? Call history_coverage with days=36500. Tell me when it begins and ends, which sources \
     it rests on, and the longest gaps with their likely causes. For each gap say what could fill it: an older data export \
     from Spotify, a newer one, or nothing, if I may simply not have listened. Do not guess at what happened in a gap."
        .to_owned()
}

fn year(filled: &Filled<'_>) -> String {
    let today = filled.date(0);
    let (year, day) = today.split_once('-').unwrap_or((&today, "12-31"));
    let last_year = year.parse::<i32>().map_or_else(|_| year.to_owned(), |year| (year - 1).to_string());
    // Last year had no such day.
    let day_then = if day == "02-29" { "02-28" } else { day };
    let zone = filled.in_zone();
    format!(
        "Tell me about my year in music so far. Call history_taste_summary with from={year}-01-01, to={today}{zone}, and once \
         more with from={last_year}-01-01, to={last_year}-{day_then}{zone}. Then call history_top_tracks for this year's \
         window. Tell me hours, plays, my top artists and tracks, when I listen, and what is different from last year. Repeat \
         every coverage_note: where data is missing, say so instead of comparing."
    )
}

fn changes(filled: &Filled<'_>) -> String {
    let zone = filled.in_zone();
    let windows = [(90, 0), (180, 91), (455, 365)];
    let windows: Vec<String> = windows
        .into_iter()
        .map(|(from, to)| format!("from={}, to={}{zone}", filled.date(from), filled.date(to)))
        .collect();
    let windows = windows.join("; ");
    let closely = filled.artist.map_or_else(String::new, |artist| {
        format!(" Look closely at {artist}: the rank, plays and time in each window, and which of their tracks came and went.")
    });
    format!(
        "What changed in my taste? Call history_top_artists and history_top_tracks with limit=50 for each of these windows: \
         {windows}. Tell me who is new, who rose, who fell and who disappeared, with their play counts, and what that says \
         about me.{closely} Repeat every coverage_note: an artist may be missing because the data is."
    )
}
