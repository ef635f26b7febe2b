//! Whom somebody listened to most.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Tool,
    history::{self, Answering, Common, Need},
    question::LIST_QUESTION,
    rankings::ArtistItem,
    schema,
};

pub static TOOL: Tool = Tool {
    name: "history_top_artists",
    alias: "history.top_artists",
    title: "Top artists",
    description: "The artists a user played most in a window of their own listening history, with play counts and time. \
                  Every artist named on a track gets the play. Use it for who or which band; use \
                  history_top_tracks for songs.",
    category: "history",
    parameters: &LIST_QUESTION,
    output_schema: schema::<TopArtists>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: true, artists: true, calendar: false, coverage: false };

/// The artists played most.
#[derive(Debug, Serialize, JsonSchema)]
struct TopArtists {
    #[serde(flatten)]
    common: Common,
    /// Most plays first, then most time, then by name.
    items: Vec<ArtistItem>,
}

fn answer(asked: &Answering) -> TopArtists {
    let items = asked.top_artists(&asked.by_artist(), asked.question.limit);
    TopArtists { common: asked.common_of_songs(), items }
}
