//! Plays one by one, newest first.
//!
//! Must stay true: a page begins after the last row of the one before, by the key of `plays`, so that new plays neither
//! repeat nor hide a row; without a search a page reads little more than what it shows.

use serde::Deserialize;

use super::{Db, Statement, StoreError};
use crate::domain::{
    ids::{TrackId, UserId},
    instant::Millis,
};

/// A row of `plays` with the names of its track.
#[derive(Clone, Debug, Deserialize)]
pub struct PlayRow {
    pub ended_at: Millis,
    pub track_id: TrackId,
    pub ordinal: i64,
    pub kind: i64,
    pub ms_played: Option<i64>,
    #[serde(deserialize_with = "super::rows::integer_bool")]
    pub api: bool,
    #[serde(deserialize_with = "super::rows::integer_bool")]
    pub extended: bool,
    #[serde(deserialize_with = "super::rows::integer_bool")]
    pub account: bool,
    pub uri: Option<String>,
    pub title: Option<String>,
    pub artist_name: Option<String>,
    pub album_name: Option<String>,
}

/// A place in the list: the key of the last row shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub ended_at: Millis,
    pub track_id: TrackId,
    pub ordinal: i64,
}

impl Cursor {
    /// `1561975200000-42-0`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '-').map(|number| {
            let plain = (1..=16).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| number.parse::<i64>().ok()).flatten().filter(|number| *number <= 1 << 53)
        });
        let mut next = || numbers.next().flatten();
        Some(Self { ended_at: Millis(next()?), track_id: TrackId(next()?), ordinal: next()? })
    }

    pub fn to_text(self) -> String {
        format!("{}-{}-{}", self.ended_at.0, self.track_id, self.ordinal)
    }
}

impl PlayRow {
    pub const fn cursor(&self) -> Cursor {
        Cursor { ended_at: self.ended_at, track_id: self.track_id, ordinal: self.ordinal }
    }
}

/// The user's id if there is such a user, and up to `limit` plays before `before`, with `search` in the title or the
/// artist's name where it is given (ASCII letters in either case).
pub async fn page(
    db: &dyn Db,
    user: UserId,
    before: Option<Cursor>,
    search: Option<&str>,
    limit: u32,
) -> Result<Option<Vec<PlayRow>>, StoreError> {
    let found = "AND p.track_id IN (SELECT id FROM tracks
        WHERE instr(lower(title), lower(?6)) > 0 OR instr(lower(artist_name), lower(?6)) > 0)";
    let sql = format!(
        "SELECT p.ended_at, p.track_id, p.ordinal, p.kind, p.ms_played, p.api_offset_ms IS NOT NULL AS api,
           p.extended_offset_ms IS NOT NULL AS extended, p.account_offset_ms IS NOT NULL AS account,
           t.uri, t.title, t.artist_name, t.album_name
         FROM plays p LEFT JOIN tracks t ON t.id = p.track_id
         WHERE p.user_id = ?1 AND p.ended_at <= ?2 AND (p.ended_at, p.track_id, p.ordinal) < (?2, ?3, ?4) {}
         ORDER BY p.ended_at DESC, p.track_id DESC, p.ordinal DESC LIMIT CAST(?5 AS INTEGER)",
        if search.is_some() { found } else { "" }
    );
    // Beyond every key.
    let newest = Cursor { ended_at: Millis(1 << 53), track_id: TrackId(0), ordinal: 0 };
    let before = before.unwrap_or(newest);
    let mut plays =
        Statement::new(sql).bind(user).bind(before.ended_at).bind(before.track_id).bind(before.ordinal).bind(limit);
    if let Some(search) = search {
        plays = plays.bind(search);
    }
    let mut results = db.batch(vec![super::users::select(user), plays]).await?.into_iter();
    let (of_user, of_plays) = (results.next().unwrap_or_default(), results.next().unwrap_or_default());
    if of_user.rows.is_empty() { Ok(None) } else { of_plays.all().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text_and_nonsense_is_none() {
        let cursor = Cursor { ended_at: Millis(1_561_975_200_000), track_id: TrackId(42), ordinal: 3 };
        assert_eq!(Cursor::parse(&cursor.to_text()), Some(cursor));
        for text in ["", "1-2", "1-2-x", "1-2-3-4", "-1-2-3", "1--2", "99999999999999999-1-1", "+1-2-3"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
