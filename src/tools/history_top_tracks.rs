//! What somebody played most.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Right, Tool,
    history::{self, Answering, Common, Need},
    question::LIST_QUESTION,
    rankings::TrackItem,
};

pub static TOOL: Tool = Tool {
    name: "history_top_tracks",
    alias: "history.top_tracks",
    title: "Top tracks",
    description: "The tracks a user played most in a window of their own listening history, with play counts, time, and \
                  when each was first and last played in the window.",
    category: "history",
    needs: Right::READ,
    parameters: &LIST_QUESTION,
    #[cfg(test)]
    output_schema: super::description::schema::<TopTracks>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: true, artists: false, calendar: false, coverage: false };

/// The tracks played most.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct TopTracks {
    #[serde(flatten)]
    common: Common,
    /// Most plays first, then most time, then by name.
    items: Vec<TrackItem>,
}

fn answer(asked: &Answering) -> TopTracks {
    TopTracks { common: asked.common_of_songs(), items: asked.top_tracks(asked.question.limit) }
}
