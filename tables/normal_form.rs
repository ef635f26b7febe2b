//! Unicode's normal form NFKC: which letters take letters apart, in which order marks stand, and what composes again.
//!
//! The crate `unicode-normalization` is asked about every letter; the same facts take a quarter of the bytes of its tables.
//! Hangul syllables follow from arithmetic and are left out.

use std::collections::HashSet;

use unicode_normalization::char::{canonical_combining_class, compose, decompose_canonical, decompose_compatible};

/// Numbers in LEB128, two lists, each after its length:
/// * letters that are more than themselves: how far from the last one, twice the combining class (and one more for those
///   that compose with what is before them), how many letters it decomposes to, and these: the first as the difference
///   to the last first, the others as they are;
/// * pairs that compose: the differences of composite and first letter to those of the last pair, and the second letter.
pub fn table() -> Vec<u8> {
    let seconds: HashSet<char> = ('\0'..=char::MAX).filter_map(pair).map(|[_, _, second]| second).collect();
    let pairs: Vec<[char; 3]> = letters().filter_map(pair).collect();
    let described: Vec<(char, u32, Vec<char>)> = letters()
        .map(|letter| {
            let followers = u32::from(seconds.contains(&letter));
            (letter, 2 * u32::from(canonical_combining_class(letter)) + followers, parts(letter))
        })
        .filter(|(_, description, parts)| *description != 0 || !parts.is_empty())
        .collect();

    let mut numbers = Numbers::default();
    numbers.length(described.len());
    let (mut last, mut last_first) = ('\0', '\0');
    for (letter, description, parts) in described {
        numbers.difference(letter, &mut last);
        numbers.number(description);
        numbers.length(parts.len());
        if let Some((first, others)) = parts.split_first() {
            numbers.difference(*first, &mut last_first);
            for other in others {
                numbers.number(u32::from(*other));
            }
        }
    }
    numbers.length(pairs.len());
    let (mut last, mut last_first) = ('\0', '\0');
    for [whole, first, second] in pairs {
        numbers.difference(whole, &mut last);
        numbers.difference(first, &mut last_first);
        numbers.number(u32::from(second));
    }
    numbers.0
}

fn letters() -> impl Iterator<Item = char> {
    ('\0'..=char::MAX).filter(|letter| !('\u{ac00}'..='\u{d7a3}').contains(letter))
}

/// What the letter decomposes to; nothing if it stays as it is.
fn parts(letter: char) -> Vec<char> {
    let mut parts = Vec::new();
    decompose_compatible(letter, |part| parts.push(part));
    if parts == [letter] { Vec::new() } else { parts }
}

/// The letter and the two that compose to it, if two do.
fn pair(letter: char) -> Option<[char; 3]> {
    let mut parts = Vec::new();
    decompose_canonical(letter, |part| parts.push(part));
    let (second, before) = parts.split_last()?;
    let first = before.iter().copied().map(Some).reduce(|whole, next| compose(whole?, next?))??;
    (compose(first, *second)? == letter).then_some([letter, first, *second])
}

#[derive(Default)]
struct Numbers(Vec<u8>);

impl Numbers {
    fn number(&mut self, mut number: u32) {
        loop {
            let [.., low] = number.to_be_bytes();
            number >>= 7;
            if number == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    fn length(&mut self, length: usize) {
        // No list has more than there are letters.
        self.number(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// The distance to the last letter, doubled, and less one when it lies before it.
    fn difference(&mut self, letter: char, last: &mut char) {
        let distance = u32::from(letter).abs_diff(u32::from(*last));
        self.number(if letter < *last { 2 * distance - 1 } else { 2 * distance });
        *last = letter;
    }
}
