//! The player: what was played last.
//! <https://developer.spotify.com/documentation/web-api/reference/get-recently-played>

use serde_json::Value;

use super::{
    error::{Family, SpotifyError},
    objects::Track,
    request::{self, Question},
    session::Session,
};
use crate::{app::App, domain::instant::Millis};

/// The most plays Spotify shows: its last 50, however it is asked.
pub const MAX_RECENT: usize = 50;

/// The last plays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecentlyPlayed {
    /// In Spotify's order: the latest first.
    pub items: Vec<PlayedItem>,
    /// Entries without a time, or that are no entries at all.
    pub unreadable: usize,
}

/// One play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayedItem {
    /// When it ended.
    pub played_at: Millis,
    /// `None` for a track that Spotify itself no longer knows.
    pub track: Option<Track>,
    /// The playlist, album or artist it was played from.
    pub context_uri: Option<String>,
}

/// The last 50 plays, or those before an instant. Always ask without one to lose nothing: late plays come in at their
/// own time.
///
/// # Errors
/// See [`SpotifyError`].
pub async fn recently_played(
    app: &App,
    session: &mut Session,
    before: Option<Millis>,
) -> Result<RecentlyPlayed, SpotifyError> {
    let mut question = Question::new(Family::Player, "/me/player/recently-played").with("limit", MAX_RECENT);
    if let Some(before) = before {
        question = question.with("before", before.0);
    }
    let answer = request::get(app, session, &question).await?;
    read(answer).ok_or(SpotifyError::Malformed { family: Family::Player, what: "it has no list of items" })
}

fn read(mut answer: Value) -> Option<RecentlyPlayed> {
    let Some(Value::Array(items)) = answer.get_mut("items").map(Value::take) else { return None };
    let mut page = RecentlyPlayed::default();
    for item in items {
        match read_item(item) {
            Some(item) => page.items.push(item),
            None => page.unreadable += 1,
        }
    }
    Some(page)
}

fn read_item(mut item: Value) -> Option<PlayedItem> {
    let played_at: jiff::Timestamp = item.get("played_at")?.as_str()?.parse().ok()?;
    let track = item.get_mut("track").map(Value::take).unwrap_or_default();
    let context_uri = item.pointer("/context/uri").and_then(Value::as_str).map(str::to_owned);
    Some(PlayedItem {
        played_at: Millis(played_at.as_millisecond()),
        track: serde_json::from_value(track).ok(),
        context_uri,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_that_cannot_be_read_is_counted_and_the_others_are_kept() {
        let page = read(json!({"items": [
            {"played_at": "2021-07-09T17:09:00.381Z", "track": {"name": "One"}, "context": {"uri": "spotify:album:a"}},
            {"played_at": "2021-07-09T17:05:00Z", "track": null, "context": null},
            {"played_at": "yesterday", "track": {"name": "Two"}},
            {"track": {"name": "Three"}},
            null,
        ], "cursors": null}))
        .unwrap();
        assert_eq!(page.unreadable, 3);
        assert_eq!(page.items[0].played_at, Millis(1_625_850_540_381));
        assert_eq!(page.items[0].context_uri.as_deref(), Some("spotify:album:a"));
        assert_eq!(page.items[1].track, None);
        assert_eq!(read(json!({"items": null})), None);
        assert_eq!(read(json!([])), None);
    }
}
