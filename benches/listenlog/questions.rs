//! What is asked: each history tool, and the same question in SQL as it is best put to SQLite.
//!
//! Must stay true: plays are grouped by track before anything is joined; a question that needs several groupings is
//! several statements; what both sides say can be compared, as counts.

use jiff::{Timestamp, tz::TimeZone};
use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

use crate::{Failure, worker::ZONE};

/// The rows of each statement of a question.
pub type Results = Vec<Vec<Vec<Cell>>>;

/// A history tool, and its question in SQL. Parameters: `?1` user, `?2` and `?3` the window, `?4` the zone's stretches.
pub struct Question {
    pub tool: &'static str,
    pub statements: &'static [&'static str],
    /// Whether the D1 rows that the tool may read include tracks, or tracks and artists.
    pub reads: Reads,
    /// The counts that must be equal: of the tool's answer, and of the statements' rows.
    pub ours: fn(&Value) -> Vec<i64>,
    pub native: fn(&Results) -> Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    Plays,
    Tracks,
    TracksAndArtists,
}

/// A stretch of time that is asked about.
#[derive(Clone, Debug)]
pub struct Window {
    pub name: &'static str,
    /// The tools' arguments.
    pub arguments: Value,
    pub from_ms: i64,
    pub to_ms: i64,
}

const DAY_MS: i64 = 86_400_000;

/// The 90 days up to the newest play, and everything.
pub fn windows(newest_ms: i64) -> Result<[Window; 2], Failure> {
    let to_ms = newest_ms + 1;
    let from_ms = to_ms - 90 * DAY_MS;
    let instant = |ms: i64| Timestamp::from_millisecond(ms).map(|instant| instant.to_string());
    let arguments = json!({"from": instant(from_ms)?, "to": instant(to_ms)?});
    Ok([
        Window { name: "90 days", arguments, from_ms, to_ms },
        Window { name: "all time", arguments: json!({"days": 36_500}), from_ms: 0, to_ms },
    ])
}

impl Window {
    /// The stretches of the window between two clock changes, as JSON: begin, end, distance of local time from UTC.
    pub fn stretches(&self) -> Result<String, Failure> {
        let zone = TimeZone::get(ZONE)?;
        let mut stretches = Vec::new();
        let mut begin = Timestamp::from_millisecond(self.from_ms)?;
        let end = Timestamp::from_millisecond(self.to_ms)?;
        while begin < end {
            let change = zone.following(begin).next().map_or(end, |change| change.timestamp().min(end));
            let offset_ms = i64::from(zone.to_offset(begin).seconds()) * 1_000;
            stretches.push([begin.as_millisecond(), change.as_millisecond(), offset_ms]);
            begin = change;
        }
        Ok(serde_json::to_string(&stretches)?)
    }
}

/// Plays that count, by track.
macro_rules! songs {
    () => {
        "WITH songs AS MATERIALIZED (SELECT track_id, count(*) AS plays, sum(ms_played) AS ms, min(ended_at) AS first, \
         max(ended_at) AS last FROM plays WHERE user_id = ?1 AND ended_at >= ?2 AND ended_at < ?3 AND kind = 0 \
         AND (ms_played >= 30000 OR ms_played IS NULL) GROUP BY track_id) "
    };
}

/// The window on the listener's clock.
macro_rules! local_plays {
    () => {
        "FROM json_each(?4) AS stretch CROSS JOIN plays AS p WHERE p.user_id = ?1 AND p.ended_at >= stretch.value->>0 \
         AND p.ended_at < stretch.value->>1 AND p.ended_at >= ?2 AND p.ended_at < ?3 "
    };
}

macro_rules! top_tracks {
    ($limit:literal) => {
        concat!(
            "SELECT t.title, g.plays, g.ms, g.first, g.last, t.artist_name, t.uri FROM (SELECT * FROM songs \
             ORDER BY plays DESC, ms DESC LIMIT ",
            $limit,
            ") AS g JOIN tracks AS t ON t.id = g.track_id"
        )
    };
}

macro_rules! top_artists {
    ($limit:literal) => {
        concat!(
            "SELECT a.name, g.plays, g.ms, g.first, g.last, g.tracks, NULL FROM (SELECT artist_id, sum(plays) AS plays, \
             sum(ms) AS ms, min(first) AS first, max(last) AS last, count(*) AS tracks FROM songs \
             JOIN track_artists AS credit ON credit.track_id = songs.track_id GROUP BY artist_id \
             ORDER BY plays DESC, ms DESC LIMIT ",
            $limit,
            ") AS g JOIN artists AS a ON a.id = g.artist_id"
        )
    };
}

macro_rules! totals {
    () => {
        "SELECT '', coalesce(sum(plays), 0), sum(ms), min(first), max(last), sum(plays = 1), count(*) FROM songs"
    };
}

const TOP_ALBUMS: &str = concat!(
    songs!(),
    "SELECT t.album_name, sum(g.plays) AS plays, sum(g.ms) AS ms, min(g.first), max(g.last), count(*), t.artist_name \
     FROM songs AS g JOIN tracks AS t ON t.id = g.track_id WHERE t.album_name IS NOT NULL \
     GROUP BY t.album_name, t.artist_name ORDER BY plays DESC, ms DESC LIMIT 20"
);

const HEATMAP: &str = concat!(
    "SELECT ((p.ended_at + (stretch.value->>2)) / 86400000 + 3) % 7 * 24 \
       + (p.ended_at + (stretch.value->>2)) / 3600000 % 24 AS cell, count(*), sum(p.ms_played) ",
    local_plays!(),
    "AND p.kind = 0 AND (p.ms_played >= 30000 OR p.ms_played IS NULL) GROUP BY cell"
);

const COVERAGE: &str = "SELECT count(*), count(*) FILTER (WHERE kind = 0 AND (ms_played >= 30000 OR ms_played IS NULL)), \
     count(api_offset_ms), count(extended_offset_ms), count(account_offset_ms), min(ended_at), max(ended_at) \
     FROM plays WHERE user_id = ?1 AND ended_at >= ?2 AND ended_at < ?3";

const ACTIVE_DAYS: &str =
    concat!("SELECT DISTINCT (p.ended_at + (stretch.value->>2)) / 86400000 AS day ", local_plays!());

/// Every history tool.
pub const QUESTIONS: [Question; 7] = [
    Question {
        tool: "history_top_artists",
        statements: &[concat!(songs!(), top_artists!("20"))],
        reads: Reads::TracksAndArtists,
        ours: |answer| counts(answer, "/items"),
        native: |results| column(results, 0, 1),
    },
    Question {
        tool: "history_top_tracks",
        statements: &[concat!(songs!(), top_tracks!("20"))],
        reads: Reads::Tracks,
        ours: |answer| counts(answer, "/items"),
        native: |results| column(results, 0, 1),
    },
    Question {
        tool: "history_top_albums",
        statements: &[TOP_ALBUMS],
        reads: Reads::Tracks,
        ours: |answer| counts(answer, "/items"),
        native: |results| column(results, 0, 1),
    },
    Question {
        tool: "history_repeat_rate",
        statements: &[concat!(songs!(), totals!(), " UNION ALL SELECT * FROM (", top_tracks!("10"), ")")],
        reads: Reads::Tracks,
        ours: |answer| [numbers(answer, &["/total_plays"]), counts(answer, "/most_repeated")].concat(),
        native: |results| column(results, 0, 1),
    },
    Question {
        tool: "history_listening_heatmap",
        statements: &[HEATMAP],
        reads: Reads::Plays,
        ours: |answer| counts(answer, "/cells"),
        native: |results| column(results, 0, 1),
    },
    Question {
        tool: "history_coverage",
        statements: &[COVERAGE, ACTIVE_DAYS],
        reads: Reads::Plays,
        ours: |answer| numbers(answer, &["/total_plays", "/active_days"]),
        native: |results| coverage(results, 0),
    },
    Question {
        tool: "history_taste_summary",
        statements: &[
            concat!(
                songs!(),
                totals!(),
                " UNION ALL SELECT * FROM (",
                top_artists!("10"),
                ") UNION ALL SELECT * FROM (",
                top_tracks!("10"),
                ")"
            ),
            HEATMAP,
            COVERAGE,
            ACTIVE_DAYS,
        ],
        reads: Reads::TracksAndArtists,
        ours: |answer| {
            let totals = numbers(answer, &["/total_plays"]);
            let lists = ["/top_artists", "/top_tracks", "/heatmap/cells"].map(|list| counts(answer, list)).concat();
            [totals, lists, numbers(answer, &["/coverage/total_plays", "/coverage/active_days"])].concat()
        },
        native: |results| [column(results, 0, 1), column(results, 1, 1), coverage(results, 2)].concat(),
    },
];

fn counts(answer: &Value, list: &str) -> Vec<i64> {
    let items = answer.pointer(list).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    items.iter().filter_map(|item| item.get("play_count")?.as_i64()).collect()
}

fn numbers(answer: &Value, places: &[&str]) -> Vec<i64> {
    places.iter().filter_map(|place| answer.pointer(place)?.as_i64()).collect()
}

fn column(results: &Results, statement: usize, column: usize) -> Vec<i64> {
    let rows = results.get(statement).map_or(&[][..], Vec::as_slice);
    let number = |row: &Vec<Cell>| match row.get(column) {
        Some(Cell::Integer(number)) => Some(*number),
        _ => None,
    };
    rows.iter().filter_map(number).collect()
}

/// Plays that count, and days with any, of [`COVERAGE`] and [`ACTIVE_DAYS`] behind it.
fn coverage(results: &Results, statement: usize) -> Vec<i64> {
    let days = i64::try_from(column(results, statement + 1, 0).len()).unwrap_or(i64::MAX);
    [column(results, statement, 1), vec![days]].concat()
}
