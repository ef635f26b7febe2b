//! Search in Spotify's catalogue. <https://developer.spotify.com/documentation/web-api/reference/search>

use serde_json::Value;

use super::{
    error::{Family, SpotifyError},
    objects::{Album, Artist, Track},
    request::{self, Question},
    session::Session,
};
use crate::app::App;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SearchFor {
    Tracks,
    Artists,
    Albums,
}

/// What was found, the best first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Tracks(Vec<Track>),
    Artists(Vec<Artist>),
    Albums(Vec<Album>),
}

/// The first `limit` (1 to 10: Spotify refuses more).
///
/// # Errors
/// See [`SpotifyError`].
pub async fn search(
    app: &App,
    session: &mut Session,
    words: &str,
    kind: SearchFor,
    limit: u32,
) -> Result<Found, SpotifyError> {
    let (word, list) = match kind {
        SearchFor::Tracks => ("track", "/tracks/items"),
        SearchFor::Artists => ("artist", "/artists/items"),
        SearchFor::Albums => ("album", "/albums/items"),
    };
    let question = Question::new(Family::Search, "/search").with("q", words).with("type", word).with("limit", limit);
    let mut answer = request::get(app, session, &question).await?;
    let items = answer.pointer_mut(list).map(Value::take).unwrap_or_default();
    let found = match kind {
        SearchFor::Tracks => request::items(items).map(Found::Tracks),
        SearchFor::Artists => request::items(items).map(Found::Artists),
        SearchFor::Albums => request::items(items).map(Found::Albums),
    };
    found.ok_or(SpotifyError::Malformed { family: Family::Search, what: "it has no list of items" })
}
