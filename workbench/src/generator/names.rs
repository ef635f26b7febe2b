//! Invents names: artists, titles and albums.
//!
//! Must stay true: artists differ from one another without regard to case, and one artist has no two tracks of one
//! title.

use std::{collections::HashSet, fmt::Write};

use super::{
    random::Dice,
    words::{ADJECTIVES, COMMON_TITLES, DEEDS, FIRST_NAMES, LAST_NAMES, NOUNS, ODD_ARTISTS, PLACES},
};

/// Names given so far, compared without case.
#[derive(Debug, Default)]
pub struct Taken(HashSet<String>);

impl Taken {
    /// The name, or the name with the first Roman numeral from II on that makes it new.
    pub fn claim(&mut self, name: String) -> String {
        if self.0.insert(name.to_lowercase()) {
            return name;
        }
        let mut number = 2;
        loop {
            let candidate = format!("{name} {}", roman(number));
            if self.0.insert(candidate.to_lowercase()) {
                return candidate;
            }
            number += 1;
        }
    }

    /// Whether the name was free, now taken.
    pub fn claim_exactly(&mut self, name: &str) -> bool {
        self.0.insert(name.to_lowercase())
    }
}

fn roman(mut number: u32) -> String {
    let mut numeral = String::new();
    for (value, sign) in
        [(100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
    {
        while number >= value {
            numeral.push_str(sign);
            number -= value;
        }
    }
    numeral
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{stem}ies"),
        _ if noun.ends_with("man") => format!("{}men", noun.trim_end_matches("man")),
        _ if noun.ends_with(['s', 'x']) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['A', 'E', 'I', 'O']) || word.starts_with("Un") { "an" } else { "a" }
}

/// An artist; the first few of a life have the odd names, so that even a small one meets them.
pub fn artist(dice: &mut Dice, position: usize) -> String {
    if position % 7 == 3
        && let Some(odd) = ODD_ARTISTS.get(position / 7)
    {
        return (*odd).to_owned();
    }
    let adjective = dice.pick(&ADJECTIVES, "");
    let noun = dice.pick(&NOUNS, "");
    let first = dice.pick(&FIRST_NAMES, "");
    let last = dice.pick(&LAST_NAMES, "");
    match dice.below(10) {
        0..=2 => format!("{first} {last}"),
        3 | 4 => format!("The {adjective} {}", plural(noun)),
        5 | 6 => format!("{adjective} {noun}"),
        7 => format!("{first} & the {}", plural(noun)),
        8 => format!("{} {noun}", dice.pick(&NOUNS, "")),
        _ => format!("{last} {noun} Quartet"),
    }
}

pub fn title(dice: &mut Dice) -> String {
    let adjective = dice.pick(&ADJECTIVES, "");
    let noun = dice.pick(&NOUNS, "");
    let place = dice.pick(&PLACES, "");
    let deed = dice.pick(&DEEDS, "");
    let mut title = match dice.below(12) {
        0 => dice.pick(&COMMON_TITLES, "").to_owned(),
        1 | 2 => format!("{adjective} {noun}"),
        3 | 4 => format!("{deed} the {noun}"),
        5 | 6 => format!("{noun} in {place}"),
        7 => format!("{deed} {place}"),
        8 => format!("Letter to the {noun}"),
        9 => format!("{noun}, {noun}"),
        10 => adjective.to_owned(),
        _ => format!("{deed} {} {adjective} {noun}", article(adjective)),
    };
    match dice.below(40) {
        0 => title.push_str(" - Remastered"),
        1 => title.push_str(" - Live"),
        2 => {
            // Writing to a String cannot fail.
            _ = write!(title, " (feat. {} {})", dice.pick(&FIRST_NAMES, ""), dice.pick(&LAST_NAMES, ""));
        }
        _ => {}
    }
    title
}

pub fn album(dice: &mut Dice) -> String {
    let noun = dice.pick(&NOUNS, "");
    match dice.below(5) {
        0 => format!("The {noun}"),
        1 => format!("{} {}", dice.pick(&ADJECTIVES, ""), plural(noun)),
        2 => format!("{noun} & {}", dice.pick(&NOUNS, "")),
        3 => format!("{} {}", dice.pick(&DEEDS, ""), dice.pick(&PLACES, "")),
        _ => format!("Songs from {}", dice.pick(&PLACES, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nouns_and_articles_are_english() {
        assert_eq!(["Ferry", "Signalman", "Pier", "Medley"].map(plural), ["Ferries", "Signalmen", "Piers", "Medleys"]);
        assert_eq!(["Unposted", "Amber", "Brass"].map(article), ["an", "an", "a"]);
    }

    #[test]
    fn a_taken_name_gets_a_numeral() {
        let mut taken = Taken::default();
        assert_eq!(taken.claim("Été".to_owned()), "Été");
        assert_eq!(taken.claim("été".to_owned()), "été II");
        assert_eq!(taken.claim("Été".to_owned()), "Été III");
        assert_eq!(roman(149), "CXLIX");
    }
}
