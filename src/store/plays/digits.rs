//! Plays that only the extended history knows, as texts of digits: each column has its place in the text.
//!
//! Taking a value out of JSON costs SQLite more than storing it; cutting it out of a short text costs a quarter of that.
//! Must stay true: a row that does not fit its places exactly is left to the other way of writing rows.

use super::{
    row::PlayRow,
    {super::Statement, upsert_sql},
};
use crate::domain::{ids::UserId, observation::StoredReason};

/// A row has some fifty characters; one statement stays well below the longest string of D1.
const ROWS_PER_STATEMENT: usize = 10_000;

/// The columns that travel as digits, in their order, and how many digits each has.
const PLACES: [(&str, usize); 8] = [
    ("ended_at", 13),
    ("track_id", 16),
    ("kind", 1),
    ("ms_played", 10),
    ("extended_elapsed_ms", 10),
    ("reason_start", 2),
    ("reason_end", 2),
    ("flags", 3),
];

/// Statements that write the rows of one file that fit, and the rows that do not.
pub fn upsert<'a>(user: UserId, rows: impl Iterator<Item = &'a PlayRow>) -> (Vec<Statement>, Vec<&'a PlayRow>) {
    let (mut fitting, mut others) = (Vec::new(), Vec::new());
    let mut file = None;
    for row in rows {
        match figures(row) {
            Some(figures) if file.is_none_or(|file| file == row.10) => {
                file = Some(row.10);
                fitting.push(figures);
            }
            _ => others.push(row),
        }
    }
    let sql = sql();
    let statement = |rows: &[Figures]| Statement::new(sql.clone()).bind(user).bind(text(rows)).bind(file.flatten());
    (fitting.chunks(ROWS_PER_STATEMENT).map(statement).collect(), others)
}

/// A row's values in the order of [`PLACES`]; NULL is all nines.
type Figures = [u64; PLACES.len()];

/// The values of a row; `None` when there are others, or one does not fit its place.
fn figures(row: &PlayRow) -> Option<Figures> {
    if row.sources() != (true, false, false) {
        return None;
    }
    let PlayRow(ended_at, track, 0, kind, ms_played, Some(0), elapsed_ms, start, end, flags, ..) = row else {
        return None;
    };
    let reason = |reason: &Option<StoredReason>| match reason {
        Some(StoredReason::Known(number)) => Some(Some(i64::try_from(*number).ok()?)),
        Some(StoredReason::Word(_)) => None,
        None => Some(None),
    };
    let values = [
        Some(*ended_at),
        Some(track.0),
        Some(*kind),
        *ms_played,
        *elapsed_ms,
        reason(start)?,
        reason(end)?,
        Some(*flags),
    ];
    let mut figures = Figures::default();
    for ((figure, value), (_, digits)) in figures.iter_mut().zip(values).zip(PLACES) {
        let null = nines(digits);
        *figure = value.map_or(Some(null), |value| u64::try_from(value).ok().filter(|value| *value < null))?;
    }
    Some(figures)
}

const fn nines(digits: usize) -> u64 {
    let (mut number, mut place) = (0, 0);
    while place < digits {
        number = number * 10 + 9;
        place += 1;
    }
    number
}

/// A JSON array of texts of digits.
fn text(rows: &[Figures]) -> String {
    const DIGITS: usize = 57;
    let mut text = Vec::with_capacity(rows.len() * (DIGITS + 3) + 1);
    for row in rows {
        text.extend_from_slice(if text.is_empty() { b"[\"" } else { b",\"" });
        for (figure, (_, digits)) in row.iter().zip(PLACES) {
            let (mut rest, end) = (*figure, text.len() + digits);
            text.resize(end, b'0');
            for digit in text.iter_mut().rev().take(digits) {
                *digit += (rest % 10) as u8;
                rest /= 10;
            }
        }
        text.push(b'"');
    }
    text.push(b']');
    String::from_utf8(text).unwrap_or_default()
}

fn sql() -> String {
    let mut ends_at = 1;
    let value = |(_, digits): (&str, usize)| {
        ends_at += digits;
        let null = nines(digits);
        format!("nullif(CAST(substr(value, {}, {digits}) AS INTEGER), {null})", ends_at - digits)
    };
    let values = PLACES.map(value).join(", ") + ", 0, 0, CAST(?3 AS INTEGER)";
    let columns = PLACES.map(|(column, _)| column).join(", ") + ", ordinal, extended_offset_ms, extended_file_id";
    upsert_sql(&columns, &values, "(SELECT value FROM json_each(?2) LIMIT -1 OFFSET 0)")
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::{super::row::tests::play, *};
    use crate::{
        domain::{
            ids::{ImportFileId, TrackId},
            instant::Millis,
        },
        store::{Db, plays::in_ranges},
        testing::TestApp,
    };

    /// A row that only the extended history knows, with numbers wherever there may be some.
    fn row() -> PlayRow {
        let mut play = play();
        (play.account, play.api) = (None, None);
        let mut row = PlayRow::of(&play, 0);
        row.8 = Some(StoredReason::Known(4));
        row
    }

    /// What is stored when the rows are written, and how many of them did not travel as digits.
    fn stored(rows: &[PlayRow]) -> (Vec<PlayRow>, usize) {
        let app = TestApp::new();
        app.post("/admin/users", &serde_json::json!({"display_name": "Ada"}));
        let db: &dyn Db = &*app.app.db;
        block_on(db.batch(super::super::upsert(UserId(1), rows.iter()))).unwrap();
        let found = block_on(in_ranges(db, UserId(1), &[(Millis(0), Millis(1 << 50))], None)).unwrap().unwrap();
        (found.rows, upsert(UserId(1), rows.iter()).1.len())
    }

    #[test]
    fn every_value_comes_back_as_digits_or_not() {
        type Turn = fn(&mut PlayRow);
        let turns: [(Turn, usize); 14] = [
            (|_| {}, 0),
            (|row| row.4 = None, 0),
            (|row| (row.4, row.6) = (Some(0), Some(2_592_000_000)), 0),
            (|row| row.6 = None, 0),
            (|row| (row.7, row.8) = (None, None), 0),
            (|row| row.9 = 127, 0),
            (|row| row.1 = TrackId((1 << 52) - 1), 0),
            (|row| row.10 = None, 0),
            (|row| row.8 = Some(StoredReason::Word("a-new-word".to_owned())), 1),
            (|row| row.2 = 1, 1),
            (|row| row.6 = Some(-1), 1),
            (|row| row.6 = Some(9_999_999_999), 1),
            (|row| row.0 = 10_000_000_000_000, 1),
            (|row| row.9 = 1_000, 1),
        ];
        for (position, (turn, left)) in turns.into_iter().enumerate() {
            let mut row = row();
            turn(&mut row);
            assert_eq!(stored(std::slice::from_ref(&row)), (vec![row], left), "{position}");
        }
    }

    #[test]
    fn rows_of_another_file_are_written_too() {
        let rows: Vec<PlayRow> = [3, 4, 3]
            .into_iter()
            .zip(0..)
            .map(|(file, second)| {
                let mut row = row();
                (row.0, row.10) = (row.0 + second * 1_000, Some(ImportFileId(file)));
                row
            })
            .collect();
        assert_eq!(stored(&rows), (rows.clone(), 1));
    }
}
