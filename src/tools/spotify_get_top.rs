//! What Spotify itself says a user likes most.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Context, Right, Tool, answered,
    parameters::{Arguments, DefaultValue, Parameter, ParameterKind},
    question::USER_ID,
    spotify_search::session,
    whose::whose,
};
use crate::{
    domain::ids::UserId,
    error::AppError,
    spotify::{
        error::SpotifyError,
        objects::{Artist, Track},
        top::{self, Ranked, TimeRange, TopOf},
    },
};

pub static TOOL: Tool = Tool {
    name: "spotify_get_top",
    alias: "spotify.get_top",
    title: "Spotify's top",
    description: "Spotify's own ranking of a user's favourite artists or tracks, asked of Spotify now. It has no play counts \
                  and reaches back a year at most; for counts or other times use history_top_artists or history_top_tracks.",
    category: "spotify",
    needs: Right::READ,
    parameters: &[&USER_ID, &ENTITY, &TIME_RANGE, &LIMIT],
    #[cfg(test)]
    output_schema: super::description::schema::<TopAnswer>,
    run: |context, arguments| Box::pin(run(context, arguments)),
};

static ENTITY: Parameter = Parameter {
    name: "entity",
    description: "What is ranked.",
    kind: ParameterKind::OneOf(&["artists", "tracks"]),
    required: false,
    default: Some(DefaultValue::Word("artists")),
};

static TIME_RANGE: Parameter = Parameter {
    name: "time_range",
    description: "Over what time: short_term is about four weeks, medium_term six months, long_term a year.",
    kind: ParameterKind::OneOf(&["short_term", "medium_term", "long_term"]),
    required: false,
    default: Some(DefaultValue::Word("medium_term")),
};

static LIMIT: Parameter = Parameter {
    name: "limit",
    description: "How many entries the ranking may have.",
    kind: ParameterKind::Integer { min: 1, max: 50 },
    required: false,
    default: Some(DefaultValue::Integer(20)),
};

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct TopAnswer {
    user_id: UserId,
    entity: &'static str,
    time_range: &'static str,
    items: Vec<TopItem>,
}

/// An artist, or a track with its artists.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
struct TopItem {
    rank: usize,
    name: Option<String>,
    /// Spotify's id.
    id: Option<String>,
    uri: Option<String>,
    /// The track's artists; none for an artist.
    artists: Vec<String>,
}

async fn run(context: Context, arguments: Arguments) -> Result<serde_json::Value, AppError> {
    let user = whose(&context.app, context.user).await?;
    let entity = arguments.word("entity").unwrap_or("artists");
    let time_range = arguments.word("time_range").unwrap_or("medium_term");
    let limit = arguments.integer("limit").and_then(|limit| u32::try_from(limit).ok()).unwrap_or(20);
    let of = if entity == "tracks" { TopOf::Tracks } else { TopOf::Artists };
    let range = match time_range {
        "short_term" => TimeRange::Short,
        "long_term" => TimeRange::Long,
        _ => TimeRange::Medium,
    };
    let mut session = session(&context, user).await?;
    let ranked = top::top(&context.app, &mut session, of, range, limit).await.map_err(SpotifyError::for_tools)?;
    let items = match ranked {
        Ranked::Artists(artists) => artists.into_iter().map(of_artist).collect::<Vec<_>>(),
        Ranked::Tracks(tracks) => tracks.into_iter().map(of_track).collect(),
    };
    let items = items.into_iter().enumerate().map(|(index, item)| TopItem { rank: index + 1, ..item }).collect();
    answered(&context, user, &TopAnswer { user_id: user, entity, time_range, items })
}

fn of_artist(artist: Artist) -> TopItem {
    TopItem { rank: 0, name: artist.name, id: artist.id, uri: artist.uri, artists: Vec::new() }
}

fn of_track(track: Track) -> TopItem {
    let artists = track.artists.into_iter().filter_map(|artist| artist.name).collect();
    TopItem { rank: 0, name: track.name, id: track.id, uri: track.uri, artists }
}
