//! Syllables of Hangul, whose parts follow from their numbers (The Unicode Standard, 3.12).

const FIRST_SYLLABLE: u32 = 0xac00;
const FIRST_LEADING: u32 = 0x1100;
const FIRST_VOWEL: u32 = 0x1161;
/// Stands for "no trailing consonant"; the letters come after it.
const NO_TRAILING: u32 = 0x11a7;
const LEADINGS: u32 = 19;
const VOWELS: u32 = 21;
const TRAILINGS: u32 = 28;

/// How far the letter is from the first of so many.
fn place(letter: char, first: u32, count: u32) -> Option<u32> {
    u32::from(letter).checked_sub(first).filter(|place| *place < count)
}

/// Two or three letters, if it is a syllable.
pub fn parts(syllable: char) -> Option<impl Iterator<Item = char>> {
    let place = place(syllable, FIRST_SYLLABLE, LEADINGS * VOWELS * TRAILINGS)?;
    let leading = FIRST_LEADING + place / (VOWELS * TRAILINGS);
    let vowel = FIRST_VOWEL + place / TRAILINGS % VOWELS;
    let trailing = NO_TRAILING + place % TRAILINGS;
    Some([leading, vowel, trailing].into_iter().filter(|part| *part != NO_TRAILING).filter_map(char::from_u32))
}

/// The syllable of a consonant and a vowel, or of a syllable without a trailing consonant and that.
pub fn whole(first: char, second: char) -> Option<char> {
    if let Some(leading) = place(first, FIRST_LEADING, LEADINGS) {
        let vowel = place(second, FIRST_VOWEL, VOWELS)?;
        return char::from_u32(FIRST_SYLLABLE + (leading * VOWELS + vowel) * TRAILINGS);
    }
    let open = place(first, FIRST_SYLLABLE, LEADINGS * VOWELS * TRAILINGS)?;
    let trailing = place(second, NO_TRAILING, TRAILINGS).filter(|trailing| *trailing != 0)?;
    (open % TRAILINGS == 0).then(|| char::from_u32(FIRST_SYLLABLE + open + trailing))?
}
