//! How complete the data is: which days have any, and where it comes from.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Right, Tool,
    history::{self, Answering, Common, Counted, Need, share},
    question::QUESTION,
};
use crate::domain::{
    gaps::{self, Gap, LikelyCause},
    instant::Millis,
    local_time::{LocalClock, date_of_day},
};

pub static TOOL: Tool = Tool {
    name: "history_coverage",
    alias: "history.coverage",
    title: "Coverage",
    description: "How complete a user's listening history is in a window: plays by source, days with data, and gaps of 7 \
                  days or more with their likely cause. Use it before drawing conclusions from a window, or when a \
                  number looks too small.",
    category: "history",
    needs: Right::READ,
    parameters: &QUESTION,
    #[cfg(test)]
    output_schema: super::description::schema::<CoverageAnswer>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: false, artists: false, calendar: false, coverage: true };
const LISTED_GAPS: usize = 50;

/// The answer about coverage alone.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct CoverageAnswer {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    coverage: Coverage,
}

/// How complete the data of the window is.
#[expect(clippy::struct_field_names, reason = "the field's own name, wherever the coverage appears")]
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct Coverage {
    /// Plays that count.
    pub total_plays: i64,
    /// Rows of this kind, those that do not count included.
    pub rows: i64,
    /// The end of the first counted play.
    pub earliest: Option<Millis>,
    /// The end of the last counted play.
    pub latest: Option<Millis>,
    /// Counted plays that Spotify's API reported.
    pub api_count: i64,
    /// Counted plays in an imported extended streaming history.
    pub extended_count: i64,
    /// Counted plays in imported account data.
    pub account_count: i64,
    /// Counted plays that more than one of these reported.
    pub merged_count: i64,
    /// Calendar days with a row of any kind and length.
    pub active_days: i64,
    /// Days asked for.
    pub requested_days: i64,
    /// Active days as a share of the days asked for, 0 to 1.
    pub coverage_ratio: f64,
    /// Stretches of 7 days or more without a row of any kind, oldest first; the 50 longest.
    pub gaps: Vec<GapItem>,
    /// Further gaps that were left out.
    pub gaps_left_out: usize,
    /// Stretches in which Spotify may have listed plays that were never seen, since its list was full of unknown ones
    /// when it was asked next; oldest first.
    pub possible_gaps: Vec<PossibleGapItem>,
}

/// From the last play known before to the first known after.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct PossibleGapItem {
    pub from: Millis,
    pub to: Millis,
}

/// Days without any data.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct GapItem {
    /// The first day without data, such as 2021-03-02.
    pub from: String,
    /// The last day without data.
    pub to: String,
    pub days: i64,
    pub likely_cause: LikelyCause,
}

impl From<Gap> for GapItem {
    fn from(gap: Gap) -> Self {
        Self {
            from: date_of_day(gap.first_day),
            to: date_of_day(gap.last_day),
            days: gap.days(),
            likely_cause: gap.likely_cause,
        }
    }
}

/// The coverage of the window. Needs [`Need::coverage`].
pub fn coverage(asked: &Answering) -> Coverage {
    let mut clock = LocalClock::new(asked.zone.clone());
    let mut day = |instant: Millis| clock.at(instant).day;
    let history = asked.asker.first_ever.zip(asked.asker.last_ever).map(|(first, last)| (day(first), day(last)));
    let (first_day, last_day) = asked.window.local_days(&asked.zone);
    let (gaps, gaps_left_out) =
        gaps::longest(gaps::find(&asked.figures.active_days, first_day, last_day, history), LISTED_GAPS);
    let span = asked.figures.span();
    let active_days = i64::try_from(asked.figures.active_days.len()).unwrap_or(i64::MAX);
    let requested_days = asked.window.days;
    Coverage {
        total_plays: asked.figures.total.plays,
        rows: asked.rows,
        earliest: span.map(|(first, _)| first),
        latest: span.map(|(_, last)| last),
        api_count: asked.sources.api,
        extended_count: asked.sources.extended,
        account_count: asked.sources.account,
        merged_count: asked.sources.merged,
        active_days,
        requested_days,
        // 90 times 24 hours touch 91 calendar days.
        coverage_ratio: share(active_days, requested_days, 3).min(1.0),
        gaps: gaps.into_iter().map(GapItem::from).collect(),
        gaps_left_out,
        possible_gaps: asked
            .possible_gaps
            .iter()
            .map(|gap| PossibleGapItem { from: gap.from_at, to: gap.to_at })
            .collect(),
    }
}

fn answer(asked: &Answering) -> CoverageAnswer {
    let coverage = coverage(asked);
    // This answer is about days, not about time: nothing is estimated in it.
    let common = asked.common(0, 0);
    let longest_inside = coverage
        .gaps
        .iter()
        .filter(|gap| gap.likely_cause == LikelyCause::NoListeningOrMissing)
        .max_by_key(|gap| gap.days)
        .map(|gap| format!("The longest gap is {} days without data, from {} to {}.", gap.days, gap.from, gap.to));
    let Common { window, counted, coverage_note } = common;
    let overflown = coverage.possible_gaps.last().map(|gap| {
        format!(
            "Plays between {} and {} may be missing: Spotify was asked too late for them.",
            asked.date(gap.from),
            asked.date(gap.to)
        )
    });
    let coverage_note = overflown.or(coverage_note).or(longest_inside);
    let counted = Counted { estimated_ms: 0, estimated_share: 0.0, ..counted };
    CoverageAnswer { common: Common { window, counted, coverage_note }, coverage }
}
