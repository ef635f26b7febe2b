//! The table: what was measured, what it is measured against, and whether that is reached.
//!
//! Must stay true: ratios come first, since they hold on other machines too; a line without a bound claims nothing.

use std::{fmt::Write as _, fs, thread};

use crate::Extent;

/// One line of the table.
#[derive(Clone, Debug, Default)]
pub struct Line {
    measure: String,
    ratio: Option<f64>,
    ours: String,
    native: String,
    bound: String,
    reached: Option<bool>,
}

impl Line {
    pub fn new(measure: impl Into<String>) -> Self {
        Self { measure: measure.into(), ..Self::default() }
    }

    #[must_use]
    pub fn ratio(mut self, ratio: f64) -> Self {
        self.ratio = Some(ratio);
        self
    }

    #[must_use]
    pub fn ours(mut self, ours: impl Into<String>) -> Self {
        self.ours = ours.into();
        self
    }

    #[must_use]
    pub fn native(mut self, native: impl Into<String>) -> Self {
        self.native = native.into();
        self
    }

    #[must_use]
    pub fn bound(mut self, bound: impl Into<String>) -> Self {
        self.bound = bound.into();
        self
    }

    #[must_use]
    pub const fn reached(mut self, reached: bool) -> Self {
        self.reached = Some(reached);
        self
    }

    fn cells(&self) -> [String; 6] {
        let reached = match self.reached {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        [
            self.measure.clone(),
            self.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            self.ours.clone(),
            self.native.clone(),
            self.bound.clone(),
            reached.to_owned(),
        ]
    }
}

const HEADINGS: [&str; 6] = ["measure", "ratio", "ours", "native or counted", "bound", "reached"];

#[derive(Clone, Debug)]
pub struct Report {
    lines: Vec<Line>,
    /// What else the machine was doing when the run began.
    load_before: String,
}

impl Report {
    pub fn begin() -> Self {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self { lines: Vec::new(), load_before: load.split(' ').next().unwrap_or_default().to_owned() }
    }

    pub fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    pub fn text(&self, extent: Extent) -> String {
        let (ratios, absolutes): (Vec<&Line>, Vec<&Line>) = self.lines.iter().partition(|line| line.ratio.is_some());
        let mut table = vec![HEADINGS.map(str::to_owned)];
        table.extend(ratios.into_iter().chain(absolutes).map(Line::cells));
        let width = |column: usize| {
            let cells = table.iter().filter_map(|cells| cells.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut text = String::new();
        for (place, cells) in table.iter().enumerate() {
            let padded: Vec<String> = cells
                .iter()
                .zip(widths)
                .zip(0..)
                .map(
                    |((cell, width), column)| {
                        if column == 1 { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                    },
                )
                .collect();
            // Writing to a String cannot fail.
            _ = writeln!(text, "| {} |", padded.join(" | "));
            if place == 0 {
                _ = writeln!(text, "|{}|", widths.map(|width| "-".repeat(width + 2)).join("|"));
            }
        }
        let held = self.lines.iter().filter(|line| line.reached == Some(true)).count();
        let bounds = self.lines.iter().filter(|line| line.reached.is_some()).count();
        _ = write!(
            text,
            "\n{held} of {bounds} bounds reached, at {} rows. {}",
            grouped(extent.rows),
            machine(&self.load_before)
        );
        if extent.quick {
            text.push_str("\nA quick run: too few repetitions for any of this to be believed.");
        }
        text
    }
}

fn machine(load_before: &str) -> String {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")).and_then(|rest| rest.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    format!("{cores} cores, {model}, load {load_before} before the run: absolute times are of this machine only.")
}

/// A number with its thousands apart: 12,345.
pub fn grouped(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().unwrap_or(u64::MAX).to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes as megabytes, to 1 decimal.
pub fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}
