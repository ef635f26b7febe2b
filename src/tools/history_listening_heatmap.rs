//! When somebody listens: weekdays and hours on the listener's own clock.

#[cfg(test)]
use schemars::JsonSchema;
use serde::Serialize;

use super::{
    Right, Tool,
    figures::Cells,
    history::{self, Answering, Common, Need},
    question::QUESTION,
};

pub static TOOL: Tool = Tool {
    name: "history_listening_heatmap",
    alias: "history.listening_heatmap",
    title: "Listening heatmap",
    description: "When a user listens: plays and time for each weekday and hour of their own time zone, in a window of \
                  their listening history, with the busiest weekday and hour. Weekday 0 is Monday.",
    category: "history",
    needs: Right::READ,
    parameters: &QUESTION,
    #[cfg(test)]
    output_schema: super::description::schema::<ListeningHeatmap>,
    run: |context, arguments| Box::pin(history::run(context, arguments, NEED, answer)),
};

const NEED: Need = Need { tracks: false, artists: false, calendar: true, coverage: false };

/// Plays by weekday and hour.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
struct ListeningHeatmap {
    #[serde(flatten)]
    common: Common,
    total_plays: i64,
    #[serde(flatten)]
    heatmap: Heatmap,
}

/// The week, hour by hour.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Heatmap {
    /// Hours with plays only, Monday first.
    pub cells: Vec<HeatmapCell>,
    pub peaks: Peaks,
}

/// One hour of the week, at the end of the plays.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct HeatmapCell {
    /// 0 is Monday, 6 is Sunday.
    pub weekday: usize,
    /// 0 to 23.
    pub hour: usize,
    pub play_count: i64,
    pub ms_played: i64,
}

/// Where most plays are; null when there are none. Of two equal ones the earlier.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(inline))]
pub struct Peaks {
    /// The weekday with most plays, over all its hours.
    pub weekday: Option<usize>,
    /// The hour with most plays, over all weekdays.
    pub hour: Option<usize>,
}

/// The heatmap of these cells.
pub fn heatmap(cells: &Cells) -> Heatmap {
    let mut shown = Vec::new();
    let mut by_weekday = [0; 7];
    let mut by_hour = [0; 24];
    for ((weekday, hours), day_total) in cells.iter().enumerate().zip(&mut by_weekday) {
        for ((hour, cell), hour_total) in hours.iter().enumerate().zip(&mut by_hour) {
            *day_total += cell.plays;
            *hour_total += cell.plays;
            if cell.plays > 0 {
                shown.push(HeatmapCell { weekday, hour, play_count: cell.plays, ms_played: cell.ms_played });
            }
        }
    }
    Heatmap { cells: shown, peaks: Peaks { weekday: first_peak(&by_weekday), hour: first_peak(&by_hour) } }
}

fn first_peak(plays: &[i64]) -> Option<usize> {
    let most = plays.iter().copied().max().filter(|most| *most > 0)?;
    plays.iter().position(|count| *count == most)
}

fn answer(asked: &Answering) -> ListeningHeatmap {
    let (cells, estimated_ms) = asked.figures.week(&asked.catalogue);
    let ms_played = cells.iter().flatten().map(|cell| cell.ms_played).sum();
    ListeningHeatmap {
        common: asked.common(ms_played, estimated_ms),
        total_plays: asked.figures.total.plays,
        heatmap: heatmap(&cells),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::figures::Cell;

    #[test]
    fn of_equal_peaks_the_earlier_is_told() {
        let mut cells = Cells::default();
        cells[0][20] = Cell { plays: 2, ms_played: 10 };
        cells[1][5] = Cell { plays: 2, ms_played: 20 };
        let heatmap = heatmap(&cells);
        assert_eq!((heatmap.peaks.weekday, heatmap.peaks.hour), (Some(0), Some(5)));
        assert_eq!(heatmap.cells.len(), 2);
        assert_eq!(super::heatmap(&Cells::default()).peaks.weekday, None);
    }
}
