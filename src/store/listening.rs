//! The plays of a window, for counting.
//!
//! D1 bills every row that a sorter hands back, so `GROUP BY` over plays costs each of them twice; and sorting 200,000
//! rows takes longer than reading them. So the window is read once, in key order, into short texts of numbers, and
//! counted in [`crate::domain`]. Must stay true:
//! * each play of the window is read once, whatever the question: no sorter, no join, no second look;
//! * the window is cut into weeks, one text each: a week of plays stays far below [`super::MAX_STRING_BYTES`]; where a
//!   week does not, it is read again, cut by rows ([`Cut::ByRows`]);
//! * the lists of one text are in one order, since one scan fills them together.

use serde::Deserialize;

use super::{Rows, Statement, StoreError};
use crate::domain::{
    ids::UserId,
    instant::{DAY_MS, Millis},
    observation::Kind,
    tally::Heard,
};

/// What a question needs to know of each play. Every list costs time on its way out of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Columns {
    pub tracks: bool,
    /// Which sources saw each play, and when the rows were that do not count.
    pub coverage: bool,
}

/// Which rows are read and which of them count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Counting {
    /// `None`: every kind.
    pub kind: Option<Kind>,
    /// Shorter plays do not count; plays of unknown length do.
    pub min_ms_played: i64,
}

/// How a window is cut into texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Each play is read once. Nobody hears 50,000 plays in a week, but an export can say so.
    ByWeeks,
    /// Weeks, and within them so many rows each, numbered by a sorter.
    ByRows,
}

/// Rows of a text that is cut by rows: each takes 40 bytes at most.
const ROWS_OF_TEXT: usize = 20_000;

const WEEK_MS: i64 = 7 * DAY_MS;
/// 2008-01-01: Spotify opened later that year, so what lies before is read as one piece.
const FIRST_WEEK: i64 = 1_199_145_600_000;

/// The pieces of a window as JSON: one before the first week, the weeks until now, one after.
fn pieces(from: Millis, to: Millis, now: Millis) -> String {
    let mut pieces: Vec<(i64, i64)> = Vec::new();
    let mut start = from.0;
    while start < to.0 {
        let end = if start < FIRST_WEEK {
            FIRST_WEEK
        } else if start > now.0 {
            to.0
        } else {
            FIRST_WEEK + ((start - FIRST_WEEK) / WEEK_MS + 1) * WEEK_MS
        };
        let end = end.min(to.0);
        pieces.push((start, end));
        start = end;
    }
    serde_json::to_string(&pieces).unwrap_or_default()
}

/// The user a statement is about: `?1`, or the only one there is.
pub const ASKED_USER: &str =
    "coalesce(CAST(?1 AS INTEGER), (SELECT CASE WHEN count(*) = 1 THEN min(id) END FROM users))";

/// Reads the window [from, to). Answers with one row for each piece; read them with [`Listening::read`].
pub fn scan(
    user: Option<UserId>,
    from: Millis,
    to: Millis,
    now: Millis,
    counting: Counting,
    columns: Columns,
    cut: Cut,
) -> Statement {
    let length = "(p.ms_played >= CAST(?3 AS INTEGER) OR p.ms_played IS NULL)";
    // For coverage the rows of other kinds are read as well: they show that there is data.
    let (kind_of_row, kind_of_count) = match counting.kind {
        None => (String::new(), String::new()),
        Some(kind) if columns.coverage => (String::new(), format!("p.kind = {} AND ", kind.code())),
        Some(kind) => (format!(" AND p.kind = {}", kind.code()), String::new()),
    };
    let counts = format!("({kind_of_count}{length})");
    let list = |value: &str, condition: &str| format!("coalesce(group_concat({value}) FILTER (WHERE {condition}), '')");
    let rows = match kind_of_count.strip_suffix(" AND ") {
        Some(kind) => format!("count(*) FILTER (WHERE {kind})"),
        None => "count(*)".to_owned(),
    };
    let mut parts =
        vec![rows, list("p.ended_at - starts_at", &counts), list("coalesce(p.ms_played, -p.track_id)", &counts)];
    if columns.tracks {
        parts.push(list("p.track_id", &counts));
    }
    if columns.coverage {
        let seen =
            "(p.api_offset_ms IS NOT NULL) + (p.extended_offset_ms IS NOT NULL) + (p.account_offset_ms IS NOT NULL)";
        for column in ["api_offset_ms", "extended_offset_ms", "account_offset_ms"] {
            parts.push(format!("count(p.{column}) FILTER (WHERE {counts})"));
        }
        parts.push(format!("count(*) FILTER (WHERE {counts} AND {seen} > 1)"));
        parts.push(list("p.ended_at - starts_at", &format!("NOT {counts}")));
    }
    let plays = parts.join(" || ';' || ");
    let within = format!("p.user_id = {ASKED_USER} AND p.ended_at >= starts_at AND p.ended_at < ends_at{kind_of_row}");
    let sql = match cut {
        Cut::ByWeeks => format!(
            "WITH pieces AS MATERIALIZED (SELECT value->>0 AS starts_at, value->>1 AS ends_at FROM json_each(?2))
             SELECT starts_at, (SELECT {plays} FROM plays p WHERE {within}) AS plays FROM pieces"
        ),
        Cut::ByRows => format!(
            "WITH pieces AS MATERIALIZED (SELECT value->>0 AS starts_at, value->>1 AS ends_at FROM json_each(?2))
             SELECT starts_at, {plays} AS plays FROM (
               SELECT starts_at, p.*, (row_number() OVER (
                 PARTITION BY starts_at ORDER BY p.ended_at, p.track_id, p.ordinal) - 1) / {ROWS_OF_TEXT} AS part
               FROM pieces CROSS JOIN plays p ON {within}
             ) p GROUP BY starts_at, part ORDER BY starts_at, part"
        ),
    };
    Statement::new(sql).bind(user).bind(pieces(from, to, now)).bind(counting.min_ms_played)
}

/// The first and the last row of a window, of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Span {
    pub first: Millis,
    pub last: Millis,
}

/// Looks at the two ends of the window [from, to). One row, or none for an empty window; read with [`read_span`].
pub fn span(user: Option<UserId>, from: Millis, to: Millis) -> Statement {
    let end = |order: &str| {
        format!(
            "(SELECT p.ended_at FROM plays p WHERE p.user_id = {ASKED_USER} AND p.ended_at >= ?2 AND p.ended_at < ?3 \
             ORDER BY p.ended_at {order} LIMIT 1)"
        )
    };
    let sql = format!(
        "SELECT first, last FROM (SELECT {} AS first, {} AS last) WHERE first IS NOT NULL",
        end("ASC"),
        end("DESC")
    );
    Statement::new(sql).bind(user).bind(from).bind(to)
}

pub fn read_span(rows: Rows) -> Result<Option<Span>, StoreError> {
    rows.first()
}

/// How many plays each source saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    pub api: i64,
    pub extended: i64,
    pub account: i64,
    /// Seen by more than one.
    pub merged: i64,
}

/// A window's plays, still as texts.
#[derive(Debug, Default)]
pub struct Listening {
    pieces: Vec<Piece>,
    columns: Option<Columns>,
}

#[derive(Debug, Deserialize)]
struct Piece {
    starts_at: i64,
    plays: String,
}

impl Piece {
    /// The list or number at this place, or nothing.
    fn part(&self, place: usize) -> &str {
        self.plays.split(';').nth(place).unwrap_or_default()
    }

    fn number(&self, place: usize) -> i64 {
        self.part(place).parse().unwrap_or_default()
    }
}

const ROWS: usize = 0;
const ENDS: usize = 1;
const LENGTHS: usize = 2;
const TRACKS: usize = 3;

impl Listening {
    pub fn read(rows: Rows, columns: Columns) -> Result<Self, StoreError> {
        Ok(Self { pieces: rows.all()?, columns: Some(columns) })
    }

    /// Rows of the kind asked for, counted or not.
    pub fn rows(&self) -> i64 {
        self.pieces.iter().map(|piece| piece.number(ROWS)).sum()
    }

    /// The plays that count, oldest first. A track is 0 where tracks were not asked for and the length is known.
    pub fn plays(&self) -> impl Iterator<Item = Heard> {
        let has_tracks = self.columns.is_some_and(|columns| columns.tracks);
        self.pieces.iter().flat_map(move |piece| {
            let mut tracks = Numbers::of(if has_tracks { piece.part(TRACKS) } else { "" });
            Numbers::of(piece.part(ENDS)).zip(Numbers::of(piece.part(LENGTHS))).map(move |(since, length)| {
                // A negative length is the id of a track whose length is not known.
                let track = tracks.next().unwrap_or_else(|| length.min(0).saturating_neg());
                let ended_at = Millis(piece.starts_at.saturating_add(since));
                Heard { track, ended_at, ms_played: (length >= 0).then_some(length) }
            })
        })
    }

    /// When the rows ended that do not count, of any kind. Only with [`Columns::coverage`].
    pub fn uncounted(&self) -> impl Iterator<Item = Millis> {
        let place = self.coverage_place() + 4;
        self.pieces.iter().flat_map(move |piece| {
            Numbers::of(piece.part(place)).map(|since| Millis(piece.starts_at.saturating_add(since)))
        })
    }

    /// Only with [`Columns::coverage`].
    pub fn sources(&self) -> Sources {
        let place = self.coverage_place();
        let sum = |place: usize| self.pieces.iter().map(|piece| piece.number(place)).sum();
        Sources { api: sum(place), extended: sum(place + 1), account: sum(place + 2), merged: sum(place + 3) }
    }

    fn coverage_place(&self) -> usize {
        if self.columns.is_some_and(|columns| columns.tracks) { TRACKS + 1 } else { TRACKS }
    }
}

/// Whole numbers from a text such as `12,-5,7`.
struct Numbers<'a>(std::slice::Iter<'a, u8>);

impl<'a> Numbers<'a> {
    fn of(list: &'a str) -> Self {
        Self(list.as_bytes().iter())
    }
}

impl Iterator for Numbers<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let mut number: i64 = 0;
        let mut negative = false;
        let mut any = false;
        for byte in self.0.by_ref() {
            match byte {
                b'0'..=b'9' => number = number.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')),
                b'-' => negative = true,
                _ => return Some(if negative { -number } else { number }),
            }
            any = true;
        }
        any.then_some(if negative { -number } else { number })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_a_list() {
        let read = |list| Numbers::of(list).collect::<Vec<_>>();
        assert_eq!(read("12,-5,0,7"), [12, -5, 0, 7]);
        assert!(read("").is_empty());
        assert_eq!(read("3178737745935290"), [3_178_737_745_935_290]);
    }

    #[test]
    fn pieces_cover_the_window_without_a_hole() {
        let now = 1_795_435_200_000;
        for (from, to) in [
            (0, now + 1),
            (now - 90 * DAY_MS, now),
            (now, now + 1),
            (-5, 253_000_000_000_000),
            (FIRST_WEEK, FIRST_WEEK + 1),
        ] {
            let pieces: Vec<(i64, i64)> = serde_json::from_str(&pieces(Millis(from), Millis(to), Millis(now))).unwrap();
            assert_eq!((pieces[0].0, pieces[pieces.len() - 1].1), (from, to));
            assert!(pieces.windows(2).all(|pair| pair[0].1 == pair[1].0));
            assert!(pieces.len() < 1_000);
        }
    }
}
