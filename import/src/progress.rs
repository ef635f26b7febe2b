//! How far it is: two lines that are drawn over on a terminal; elsewhere a line for every tenth of the way.

use std::{
    fmt::Write as _,
    io::{IsTerminal, Write},
    time::{Duration, Instant},
};

use crate::{clock, job::Progress};

const BAR_WIDTH: usize = 30;
/// Unless `COLUMNS` says how wide the terminal is.
const LINE_WIDTH: usize = 79;
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// What is shown at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// `Sending`, `Importing`.
    pub doing: &'static str,
    pub percent: f64,
    /// Beside the bar: speed and what is left.
    pub pace: String,
    /// Below it.
    pub detail: String,
}

impl Standing {
    pub fn of_import(progress: &Progress) -> Self {
        let mut pace = String::new();
        if let Some(rows) = progress.rows_per_second {
            // Writing to a String cannot fail.
            _ = write!(pace, "  {} rows/s", grouped(rows));
        }
        if let Some(seconds) = progress.seconds_left {
            _ = write!(pace, "  {} left", duration(seconds));
        }
        let mut detail = format!("{} new", grouped(progress.inserted));
        for (count, word) in [
            (progress.merged, "completed"),
            (progress.duplicate, "already there"),
            (progress.skipped, "skipped"),
            (progress.rejected, "refused"),
        ] {
            if count > 0 {
                _ = write!(detail, ", {} {word}", grouped(count));
            }
        }
        if let Some(file) = &progress.current_file {
            _ = write!(detail, "; {}", printable(file));
        }
        Self { doing: "Importing", percent: progress.percent, pace, detail }
    }

    fn bar(&self) -> String {
        let whole = self.whole_percent();
        let full = whole * BAR_WIDTH / 100;
        let empty = BAR_WIDTH.saturating_sub(full);
        format!("{} [{}{}] {whole:>3} %{}", self.doing, "#".repeat(full), ".".repeat(empty), self.pace)
    }

    fn whole_percent(&self) -> usize {
        (0..=100_u32).rev().find(|whole| f64::from(*whole) <= self.percent).map_or(0, |whole| whole as usize)
    }
}

/// Where it is shown.
pub struct Screen {
    is_terminal: bool,
    width: usize,
    is_drawn: bool,
    drawn_at: Option<Instant>,
    last_told: Option<(&'static str, usize)>,
}

impl Screen {
    pub fn of_terminal() -> Self {
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self {
            is_terminal: std::io::stdout().is_terminal(),
            width: columns.unwrap_or(LINE_WIDTH).max(40),
            is_drawn: false,
            drawn_at: None,
            last_told: None,
        }
    }

    pub fn show(&mut self, standing: &Standing) {
        if !self.is_terminal {
            let tenth = (standing.doing, standing.whole_percent() / 10);
            if self.last_told != Some(tenth) {
                self.last_told = Some(tenth);
                crate::say(&format!("{}  {}", standing.bar(), standing.detail));
            }
            return;
        }
        if self.drawn_at.is_some_and(|drawn_at| drawn_at.elapsed() < DRAW_EVERY) {
            return;
        }
        self.drawn_at = Some(clock::now());
        let (bar, detail) = (cut(&standing.bar(), self.width), cut(&format!("  {}", standing.detail), self.width));
        let up = if self.is_drawn { "\x1b[1A" } else { "" };
        self.is_drawn = true;
        let mut terminal = std::io::stdout();
        // A line that cannot be drawn is no reason to stop.
        drop(write!(terminal, "{up}\r\x1b[K{bar}\n\r\x1b[K{detail}").and_then(|()| terminal.flush()));
    }

    /// Says something in between.
    pub fn say(&mut self, text: &str) {
        self.end();
        crate::say(text);
    }

    /// Leaves what is drawn where it is.
    pub fn end(&mut self) {
        if self.is_drawn {
            crate::say("");
        }
        self.is_drawn = false;
        self.drawn_at = None;
    }
}

/// At most `width` characters.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Without what could move the terminal's cursor: names come out of an archive.
pub fn printable(name: &str) -> String {
    name.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `75` as `1 min 15 s`.
pub fn duration(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_two_readable_lines() {
        let progress = Progress {
            percent: 42.9,
            rows_per_second: Some(61_000),
            seconds_left: Some(75),
            inserted: 84_000,
            merged: 12,
            rejected: 3,
            current_file: Some("Streaming\u{1b}_History_Audio_2019_1.json".to_owned()),
            ..Progress::default()
        };
        let standing = Standing::of_import(&progress);
        assert_eq!(standing.bar(), "Importing [############..................]  42 %  61,000 rows/s  1 min 15 s left");
        assert_eq!(standing.detail, "84,000 new, 12 completed, 3 refused; Streaming?_History_Audio_2019_1.json");
        assert_eq!(Standing { percent: 400.0, ..standing }.whole_percent(), 100);
        assert_eq!(Standing::default().whole_percent(), 0);
        assert_eq!(Standing { percent: f64::NAN, ..Standing::default() }.whole_percent(), 0);
    }

    #[test]
    fn numbers_and_times_are_for_people() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([5, 60, 7_380].map(duration), ["5 s", "1 min 0 s", "2 h 3 min"]);
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
