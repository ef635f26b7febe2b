//! How often somebody plays the same thing again.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Right, Tool,
    history::{self, Answering, Common, Need, rounded},
    question::QUESTION,
    rankings::TrackItem,
};

pub static TOOL: Tool = Tool {
    name: "history_repeat_rate",
    alias: "history.repeat_rate",
    title: "Repeat rate",
    description: "How repetitive a user's listening is in a window of their own history: plays per different track (1 \
                  means nothing was repeated), the most repeated tracks, and how many tracks were played only once.",
    category: "history",
    needs: Right::READ,
    parameters: &QUESTION,
    #[cfg(test)]
    output_schema: super::description::schema::<RepeatRate>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: true, artists: false, calendar: false, coverage: false };
const LISTED: usize = 10;

/// How often the same tracks come again.
#[expect(clippy::struct_field_names, reason = "the field has had this name since the first version")]
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct RepeatRate {
    #[serde(flatten)]
    common: Common,
    total_plays: i64,
    /// Different tracks.
    unique_tracks: usize,
    /// Plays for each different track, to 2 decimals; 0 when there are none.
    repeat_rate: f64,
    /// The 10 tracks played most.
    most_repeated: Vec<TrackItem>,
    /// Tracks played exactly once in the window.
    one_time_tracks: usize,
}

/// Plays for each track, to 2 decimals.
#[expect(clippy::cast_precision_loss, reason = "a rounded rate")]
pub fn repeat_rate(plays: i64, tracks: usize) -> f64 {
    if tracks == 0 { 0.0 } else { rounded(plays as f64 / tracks as f64, 2) }
}

fn answer(asked: &Answering) -> RepeatRate {
    let total_plays = asked.figures.total.plays;
    RepeatRate {
        common: asked.common_of_songs(),
        total_plays,
        unique_tracks: asked.songs.len(),
        repeat_rate: repeat_rate(total_plays, asked.songs.len()),
        most_repeated: asked.top_tracks(LISTED),
        one_time_tracks: asked.songs.values().filter(|tally| tally.plays == 1).count(),
    }
}
