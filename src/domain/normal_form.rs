//! Unicode's NFKC: names that look the same are written the same.
//!
//! Must stay true: it is what the crate `unicode-normalization` says, for every text; stored ids depend on it. The table is
//! made from that crate (`tables/normal_form.rs` says how it is written) and unpacked when it is first needed.

use std::{collections::BTreeMap, sync::LazyLock};

mod hangul;
mod unpacking;

static FORMS: LazyLock<Forms> = LazyLock::new(Forms::unpacked);

/// The text decomposed by compatibility and composed again.
pub fn nfkc(text: &str) -> String {
    let forms = &*FORMS;
    let mut parts = Vec::with_capacity(text.len());
    for letter in text.chars() {
        forms.decompose(letter, &mut parts);
    }
    // Marks stand behind their letter in the order of their classes.
    for letter_and_marks in parts.chunk_by_mut(|_, next| next.class != 0) {
        letter_and_marks.sort_by_key(|part| part.class);
    }
    let mut composing = Composing { composed: String::with_capacity(text.len()), letter: None, marks: Vec::new() };
    for part in parts {
        composing.push(part, forms);
    }
    composing.finish()
}

/// A letter that decomposes no further.
#[derive(Clone, Copy)]
struct Part {
    letter: char,
    /// The canonical combining class; 0 for all but marks.
    class: u8,
    /// Whether any letter composes with it when it comes next.
    follows: bool,
}

/// A letter with what stands behind it, for as long as they may still compose; those before it are done.
struct Composing {
    composed: String,
    letter: Option<char>,
    marks: Vec<Part>,
}

impl Composing {
    fn push(&mut self, part: Part, forms: &Forms) {
        let is_near = self.marks.last().is_none_or(|last| last.class < part.class);
        let letter = self.letter.filter(|_| is_near && part.follows);
        if let Some(whole) = letter.and_then(|letter| forms.whole(letter, part.letter)) {
            self.letter = Some(whole);
        } else if part.class == 0 {
            self.settle();
            self.letter = Some(part.letter);
        } else {
            self.marks.push(part);
        }
    }

    fn settle(&mut self) {
        self.composed.extend(self.letter.take());
        self.composed.extend(self.marks.drain(..).map(|mark| mark.letter));
    }

    fn finish(mut self) -> String {
        self.settle();
        self.composed
    }
}

/// What is known of letters; all others stay as they are, and nothing composes with them.
#[derive(Default)]
struct Forms {
    /// For each 256 letters that hold a known one: where in `known` each of them is.
    pages: Vec<Option<Box<[u16; 256]>>>,
    /// The first stands for every letter that is not known.
    known: Vec<Form>,
    /// What two letters compose to, Hangul aside.
    wholes: BTreeMap<(char, char), char>,
}

#[derive(Clone, Default)]
struct Form {
    class: u8,
    follows: bool,
    /// What it decomposes to, down to the last; empty if it stays as it is.
    parts: Box<[char]>,
}

impl Forms {
    fn form(&self, letter: char) -> Option<&Form> {
        let (page, place) = page_and_place(letter);
        self.known.get(usize::from(*self.pages.get(page)?.as_ref()?.get(place)?))
    }

    fn decompose(&self, letter: char, parts: &mut Vec<Part>) {
        let part = |letter| match self.form(letter) {
            Some(form) => Part { letter, class: form.class, follows: form.follows },
            None => Part { letter, class: 0, follows: false },
        };
        if let Some(syllable) = hangul::parts(letter) {
            parts.extend(syllable.map(part));
        } else if let Some(form) = self.form(letter).filter(|form| !form.parts.is_empty()) {
            parts.extend(form.parts.iter().copied().map(part));
        } else {
            parts.push(part(letter));
        }
    }

    fn whole(&self, first: char, second: char) -> Option<char> {
        hangul::whole(first, second).or_else(|| self.wholes.get(&(first, second)).copied())
    }
}

fn page_and_place(letter: char) -> (usize, usize) {
    let [_, high, middle, low] = u32::from(letter).to_be_bytes();
    (usize::from(u16::from_be_bytes([high, middle])), usize::from(low))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn same_as_the_crate(text: &str) {
        assert_eq!(nfkc(text), text.nfkc().collect::<String>(), "{}", text.escape_unicode());
    }

    #[test]
    fn every_letter_alone_and_with_neighbours_is_what_the_crate_says() {
        for letter in '\0'..=char::MAX {
            same_as_the_crate(letter.encode_utf8(&mut [0; 4]));
            // Beyond are ideographs, which become others whatever stands beside them.
            if letter < '\u{20000}' {
                same_as_the_crate(&format!("e\u{301}{letter}\u{323}"));
                same_as_the_crate(&format!("\u{1100}{letter}\u{11a8}\u{3099}"));
            }
        }
    }

    #[test]
    fn every_two_that_compose_do_so_also_over_a_mark_between_them() {
        for (first, second) in FORMS.wholes.keys() {
            for between in ["", "\u{334}", "\u{323}", "\u{301}", "\u{345}", " "] {
                same_as_the_crate(&format!("{first}{between}{second}"));
                same_as_the_crate(&format!("{second}{first}{second}{between}{second}"));
            }
        }
    }

    /// Letters about which something is known, most of all.
    fn letters() -> impl Strategy<Value = char> {
        let known: Vec<char> = ('\0'..=char::MAX)
            .filter(|letter| FORMS.form(*letter).is_some_and(|form| form.class != 0 || form.follows))
            .collect();
        let firsts: Vec<char> = FORMS.wholes.keys().map(|(first, _)| *first).collect();
        prop_oneof![
            any::<char>(),
            prop::sample::select(known),
            prop::sample::select(firsts),
            prop::char::range('\u{1100}', '\u{11ff}'),
            prop::char::range('\u{ac00}', '\u{ac40}'),
        ]
    }

    proptest! {
        #[test]
        fn any_text_is_what_the_crate_says(letters in prop::collection::vec(letters(), 0..12)) {
            same_as_the_crate(&letters.into_iter().collect::<String>());
        }
    }
}
