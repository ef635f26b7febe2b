//! Looks something up in Spotify's catalogue.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Context, Right, Tool, answered,
    parameters::{Arguments, DefaultValue, Parameter, ParameterKind},
    question::USER_ID,
    whose::whose,
};
use crate::{
    domain::ids::UserId,
    error::AppError,
    spotify::{
        error::SpotifyError,
        objects::Artist,
        search::{self, Found, SearchFor},
        session::Session,
    },
};

pub static TOOL: Tool = Tool {
    name: "spotify_search",
    alias: "spotify.search",
    title: "Search Spotify",
    description: "Looks up tracks, artists or albums in Spotify's catalogue, with a user's own connection. It says nothing about \
                  what was listened to; use the history tools for that.",
    category: "spotify",
    needs: Right::READ,
    parameters: &[&USER_ID, &Q, &TYPE, &LIMIT],
    #[cfg(test)]
    output_schema: super::description::schema::<SearchAnswer>,
    run: |context, arguments| Box::pin(run(context, arguments)),
};

static Q: Parameter = Parameter {
    name: "q",
    description: "The words to look for. Spotify's own filters work, such as `artist:Björk year:1997`.",
    kind: ParameterKind::Text { max_chars: 200 },
    required: true,
    default: None,
};

static TYPE: Parameter = Parameter {
    name: "type",
    description: "What to look for.",
    kind: ParameterKind::OneOf(&["track", "artist", "album"]),
    required: false,
    default: Some(DefaultValue::Word("track")),
};

static LIMIT: Parameter = Parameter {
    name: "limit",
    description: "How many entries the list may have; Spotify gives no more than 10.",
    kind: ParameterKind::Integer { min: 1, max: 10 },
    required: false,
    default: Some(DefaultValue::Integer(10)),
};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct SearchAnswer {
    user_id: UserId,
    /// The best match first.
    items: Vec<SearchItem>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
struct SearchItem {
    /// `track`, `artist` or `album`.
    r#type: &'static str,
    name: Option<String>,
    /// Spotify's id.
    id: Option<String>,
    uri: Option<String>,
    /// Those of a track or album; none for an artist.
    artists: Vec<String>,
}

/// The right to ask Spotify for a user.
///
/// # Errors
/// A sentence that says what would help.
pub async fn session(context: &Context, user: UserId) -> Result<Session, AppError> {
    Session::load(&context.app, user).await.map_err(SpotifyError::for_tools)
}

async fn run(context: Context, arguments: Arguments) -> Result<serde_json::Value, AppError> {
    let user = whose(&context.app, context.user).await?;
    let words = arguments.text("q").unwrap_or_default();
    let limit = arguments.integer("limit").and_then(|limit| u32::try_from(limit).ok()).unwrap_or(10);
    let kind = match arguments.word("type") {
        Some("artist") => SearchFor::Artists,
        Some("album") => SearchFor::Albums,
        _ => SearchFor::Tracks,
    };
    let mut session = session(&context, user).await?;
    let found = search::search(&context.app, &mut session, words, kind, limit).await;
    let items = listed(found.map_err(SpotifyError::for_tools)?);
    answered(&context, user, &SearchAnswer { user_id: user, items })
}

fn listed(found: Found) -> Vec<SearchItem> {
    let item = |r#type, name, id, uri, artists: Vec<Artist>| {
        let artists = artists.into_iter().filter_map(|artist| artist.name).collect();
        SearchItem { r#type, name, id, uri, artists }
    };
    match found {
        Found::Tracks(tracks) => {
            tracks.into_iter().map(|track| item("track", track.name, track.id, track.uri, track.artists)).collect()
        }
        Found::Artists(artists) => {
            artists.into_iter().map(|artist| item("artist", artist.name, artist.id, artist.uri, Vec::new())).collect()
        }
        Found::Albums(albums) => {
            albums.into_iter().map(|album| item("album", album.name, album.id, album.uri, album.artists)).collect()
        }
    }
}
