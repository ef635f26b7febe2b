//! Spotify's own ranking of what a listener likes. It is no count of plays.
//! <https://developer.spotify.com/documentation/web-api/reference/get-users-top-artists-and-tracks>

use serde_json::Value;

use super::{
    error::{Family, SpotifyError},
    objects::{Artist, Track},
    request::{self, Question},
    session::Session,
};
use crate::app::App;

/// What is ranked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopOf {
    Artists,
    Tracks,
}

/// Over what time, as Spotify divides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeRange {
    /// About four weeks.
    Short,
    /// About six months.
    Medium,
    /// About a year.
    Long,
}

impl TimeRange {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Short => "short_term",
            Self::Medium => "medium_term",
            Self::Long => "long_term",
        }
    }
}

/// A ranking, the first first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranked {
    Artists(Vec<Artist>),
    Tracks(Vec<Track>),
}

/// The first `limit` (1 to 50).
///
/// # Errors
/// See [`SpotifyError`].
pub async fn top(
    app: &App,
    session: &mut Session,
    of: TopOf,
    range: TimeRange,
    limit: u32,
) -> Result<Ranked, SpotifyError> {
    let path = match of {
        TopOf::Artists => "/me/top/artists",
        TopOf::Tracks => "/me/top/tracks",
    };
    let question = Question::new(Family::Top, path).with("time_range", range.as_str()).with("limit", limit);
    let mut answer = request::get(app, session, &question).await?;
    let items = answer.get_mut("items").map(Value::take).unwrap_or_default();
    let ranked = match of {
        TopOf::Artists => request::items(items).map(Ranked::Artists),
        TopOf::Tracks => request::items(items).map(Ranked::Tracks),
    };
    ranked.ok_or(SpotifyError::Malformed { family: Family::Top, what: "it has no list of items" })
}
