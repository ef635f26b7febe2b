//! Whom somebody listened to most.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Right, Tool,
    history::{self, Answering, Common, Need},
    question::LIST_QUESTION,
    rankings::ArtistItem,
};

pub static TOOL: Tool = Tool {
    name: "history_top_artists",
    alias: "history.top_artists",
    title: "Top artists",
    description: "The artists a user played most in a window of their own listening history, with play counts and time. \
                  Every artist named on a track gets the play. Use it for who or which band; use \
                  history_top_tracks for songs.",
    category: "history",
    needs: Right::READ,
    parameters: &LIST_QUESTION,
    #[cfg(test)]
    output_schema: super::description::schema::<TopArtists>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: true, artists: true, calendar: false, coverage: false };

/// The artists played most.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
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
