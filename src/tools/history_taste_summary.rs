//! A listener in one page.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Right, Tool,
    history::{self, Answering, Common, Need, rounded, share},
    history_coverage::{self, Coverage},
    history_listening_heatmap::{self, Heatmap},
    history_repeat_rate::repeat_rate,
    question::QUESTION,
    rankings::{ArtistItem, TrackItem},
};
use crate::domain::instant::HOUR_MS;

pub static TOOL: Tool = Tool {
    name: "history_taste_summary",
    alias: "history.taste_summary",
    title: "Taste summary",
    description: "One page about a user's listening in a window of their own history: totals, hours, top artists and \
                  tracks, how repetitive and how concentrated it is, when they listen, and how complete the data is. \
                  Start here for broad questions.",
    category: "history",
    needs: Right::READ,
    parameters: &QUESTION,
    #[cfg(test)]
    output_schema: super::description::schema::<TasteSummary>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: true, artists: true, calendar: true, coverage: true };
const LISTED: usize = 10;

/// A listener in one page.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct TasteSummary {
    #[serde(flatten)]
    common: Common,
    total_plays: i64,
    /// Different tracks.
    unique_tracks: usize,
    /// Different artists, every one named on a track.
    unique_artists: usize,
    /// Time heard; where a length is not known, that of the track.
    total_ms_played: i64,
    /// The same in hours, to 1 decimal.
    listening_hours: f64,
    /// The part of it that is taken from track lengths, 0 to 1.
    estimated_share: f64,
    /// The 10 artists played most.
    top_artists: Vec<ArtistItem>,
    /// The 10 tracks played most.
    top_tracks: Vec<TrackItem>,
    /// Plays for each different track, to 2 decimals.
    repeat_rate: f64,
    /// The share of all plays that name at least one of the 10 artists played most, 0 to 1.
    concentration: f64,
    /// The weekday with most plays, 0 is Monday.
    peak_weekday: Option<usize>,
    /// The hour of the day with most plays, 0 to 23.
    peak_hour: Option<usize>,
    heatmap: Heatmap,
    coverage: Coverage,
}

fn answer(asked: &Answering) -> TasteSummary {
    let total = asked.total_of_songs();
    let common = asked.common(total.ms_played(), total.estimated_ms);
    let artists = asked.by_artist();
    let top_artists = asked.top_artists(&artists, LISTED);
    let (cells, _) = asked.figures.week(&asked.catalogue);
    let heatmap = history_listening_heatmap::heatmap(&cells);
    TasteSummary {
        total_plays: total.plays,
        unique_tracks: asked.songs.len(),
        unique_artists: artists.len(),
        total_ms_played: total.ms_played(),
        listening_hours: hours(total.ms_played()),
        estimated_share: common.counted.estimated_share,
        concentration: share(plays_of_any(asked, &top_artists), total.plays, 3),
        top_artists,
        top_tracks: asked.top_tracks(LISTED),
        repeat_rate: repeat_rate(total.plays, asked.songs.len()),
        peak_weekday: heatmap.peaks.weekday,
        peak_hour: heatmap.peaks.hour,
        heatmap,
        coverage: history_coverage::coverage(asked),
        common,
    }
}

/// Plays that name at least one of these artists: a duet of two of them is one play.
fn plays_of_any(asked: &Answering, artists: &[ArtistItem]) -> i64 {
    let is_of_any = |track: i64| {
        let credits = asked.catalogue.credits(track);
        artists.iter().any(|artist| credits.contains(&artist.artist_id.0))
    };
    asked.songs.iter().filter(|(track, _)| is_of_any(**track)).map(|(_, tally)| tally.plays).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a rounded number of hours")]
fn hours(ms: i64) -> f64 {
    rounded(ms as f64 / HOUR_MS as f64, 1)
}
