//! Numbers as people read them, and finding them in answers.

use serde_json::Value;

/// The value at a JSON pointer (`/items/0/rank`); null where there is none.
pub fn at<'answer>(answer: &'answer Value, pointer: &str) -> &'answer Value {
    answer.pointer(pointer).unwrap_or(&Value::Null)
}

/// `20000` as `20,000`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1` and `play` as `1 play`, any other number with an s.
pub fn counted(number: usize, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Bytes in millions, to one decimal.
pub fn megabytes(bytes: usize) -> String {
    format!("{}.{}", bytes / 1_000_000, bytes % 1_000_000 / 100_000)
}

/// Milliseconds in whole hours, rounded.
pub fn hours(ms: i64) -> String {
    grouped(usize::try_from((ms + 1_800_000) / 3_600_000).unwrap_or(0))
}

/// Hours, or minutes where there are few of them.
pub fn duration(ms: i64) -> String {
    if ms < 10_800_000 { format!("{} minutes", (ms + 30_000) / 60_000) } else { format!("{} hours", hours(ms)) }
}

pub fn weekday(number: u64) -> &'static str {
    match number {
        0 => "Monday",
        1 => "Tuesday",
        2 => "Wednesday",
        3 => "Thursday",
        4 => "Friday",
        5 => "Saturday",
        _ => "Sunday",
    }
}

/// How dark a cell of a heatmap is: nothing for none, five steps up to the fullest.
pub fn shade(count: u64, fullest: u64) -> char {
    match (count * 5).checked_div(fullest) {
        None | Some(0) if count == 0 => ' ',
        None | Some(0) => '·',
        Some(1) => '░',
        Some(2) => '▒',
        Some(3) => '▓',
        Some(_) => '█',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([grouped(7), grouped(1_000), grouped(1_234_567)], ["7", "1,000", "1,234,567"]);
        assert_eq!([counted(1, "play"), counted(0, "play")], ["1 play", "0 plays"]);
        assert_eq!(megabytes(1_250_000), "1.2");
        assert_eq!(hours(5_400_000), "2");
        assert_eq!([duration(5_400_000), duration(10_800_000)], ["90 minutes", "3 hours"]);
        assert_eq!([shade(0, 10), shade(1, 10), shade(10, 10), shade(0, 0)], [' ', '·', '█', ' ']);
    }
}
