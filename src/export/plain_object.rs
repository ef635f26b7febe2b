//! Reads a row's object in one pass where its JSON is plain, as nearly all that Spotify writes is.
//!
//! Must stay true: what is read here is exactly what the general parser would have read; whatever is not plain (an escape,
//! a fraction, a nested value, bad UTF-8, an end too early) is left to that parser, which also finds the faults.

use serde::Deserialize;

use super::lenient::Lenient;

/// Something that an element of the array is read as.
pub(super) trait ReadObject<'a>: Deserialize<'a> {
    /// The object that begins the bytes and how long it is; `None` when the general parser has to read it.
    fn read_plain(_bytes: &'a [u8]) -> Option<(Self, usize)> {
        None
    }
}

impl ReadObject<'_> for serde::de::IgnoredAny {}

/// Fills the slots of an object, each under its word in `words`. Keys among `left_out` are known, but not here; all others
/// are passed over. Gives the length of the object.
pub(super) fn read<'a, const FIELDS: usize>(
    bytes: &'a [u8],
    words: &[&str; FIELDS],
    left_out: &[&str],
    mut slots: [&mut Lenient<'a>; FIELDS],
) -> Option<usize> {
    let mut text = Text { rest: bytes };
    text.pass(b"{")?;
    // Spotify's rows have their keys in one order, so the next one can be told before it is read.
    let mut next = 0;
    loop {
        text.pass_blanks();
        text.pass(b"\"")?;
        let position = if words.get(next).is_some_and(|word| text.pass_key(word)) {
            Some(next)
        } else {
            let key = text.string()?;
            let is_key = |word: &&str| word.as_bytes() == key;
            let position = words.iter().position(is_key);
            // Bad UTF-8 in a key makes its object unreadable.
            if position.is_none() && (left_out.iter().any(is_key) || !key.is_ascii()) {
                return None;
            }
            position
        };
        text.pass_blanks();
        text.pass(b":")?;
        text.pass_blanks();
        if let Some(position) = position {
            **slots.get_mut(position)? = text.value()?;
            next = position.saturating_add(1);
        } else {
            text.pass_value()?;
        }
        text.pass_blanks();
        match text.byte()? {
            b',' => {}
            b'}' => return bytes.len().checked_sub(text.rest.len()),
            _ => return None,
        }
    }
}

struct Text<'a> {
    rest: &'a [u8],
}

impl<'a> Text<'a> {
    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    #[inline]
    fn pass(&mut self, expected: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(expected)?;
        Some(())
    }

    #[inline]
    fn pass_blanks(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    /// Passes the rest of a key and its quotation mark, if it is this one.
    fn pass_key(&mut self, word: &str) -> bool {
        match self.rest.split_at_checked(word.len()) {
            Some((key, [b'"', rest @ ..])) if is_same(key, word.as_bytes()) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// The rest of a string without escapes, and past its quotation mark.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = plain_length(self.rest);
        let (string, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.pass(b"\"")?;
        Some(string)
    }

    fn value(&mut self) -> Option<Lenient<'a>> {
        match self.byte()? {
            b'"' => Some(Lenient::Text(std::str::from_utf8(self.string()?).ok()?.into())),
            b'n' => self.pass(b"ull").map(|()| Lenient::Absent),
            b't' => self.pass(b"rue").map(|()| Lenient::Flag(true)),
            b'f' => self.pass(b"alse").map(|()| Lenient::Flag(false)),
            first @ b'0'..=b'9' => self.integer(first).map(Lenient::Integer),
            _ => None,
        }
    }

    fn pass_value(&mut self) -> Option<()> {
        if self.rest.first() == Some(&b'"') {
            self.byte()?;
            return self.string().map(drop);
        }
        self.value().map(drop)
    }

    /// A number of a few digits, where nothing but digits belongs to it.
    fn integer(&mut self, first: u8) -> Option<i64> {
        const MAX_DIGITS: usize = 17;
        let mut number = i64::from(first.wrapping_sub(b'0'));
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length > MAX_DIGITS || (first == b'0' && length > 0) {
            return None;
        }
        let (digits, rest) = self.rest.split_at_checked(length)?;
        for digit in digits {
            number = number.wrapping_mul(10).wrapping_add(i64::from(digit.wrapping_sub(b'0')));
        }
        self.rest = rest;
        // What follows belongs to the number, or is missing still.
        matches!(rest.first()?, b',' | b'}' | b' ' | b'\n' | b'\r' | b'\t').then_some(number)
    }
}

/// Whether two texts of one length are the same, eight bytes at a time; the module's own comparison goes byte by byte.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let (one_eights, one_rest) = one.as_chunks::<8>();
    let (other_eights, other_rest) = other.as_chunks::<8>();
    one_eights.iter().zip(other_eights).all(|(one, other)| u64::from_le_bytes(*one) == u64::from_le_bytes(*other))
        && one_rest.iter().zip(other_rest).all(|(one, other)| one == other)
}

/// Bytes before the first quotation mark, backslash or control character.
fn plain_length(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut length = 0;
    let (eights, rest) = bytes.as_chunks::<8>();
    for eight in eights {
        let word = u64::from_le_bytes(*eight);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let backslashes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        // A borrow reaches only places behind the first that is found.
        let found = (quotes | backslashes | controls) & HIGHS;
        if found != 0 {
            return length + (found.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    let is_plain = |byte: &&u8| !matches!(**byte, b'"' | b'\\' | 0..=0x1F);
    length + rest.iter().take_while(is_plain).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Deserializer;

    use super::*;
    use crate::export::{
        account::AccountRow,
        extended::ExtendedRow,
        samples::{ACCOUNT, ACCOUNT_PODCAST, EPISODE, R1, R2, R4},
    };

    /// Whether it is read here. What is read is what the general parser reads.
    fn is_read<'a, T: ReadObject<'a> + PartialEq + std::fmt::Debug>(json: &'a [u8]) -> bool {
        let Some((object, length)) = T::read_plain(json) else { return false };
        let mut values = Deserializer::from_slice(json).into_iter::<T>();
        let shown = String::from_utf8_lossy(json);
        assert_eq!(values.next().unwrap().unwrap(), object, "{shown}");
        assert_eq!(values.byte_offset(), length, "{shown}");
        true
    }

    fn is_read_as_any(json: &[u8]) -> bool {
        is_read::<AccountRow<'_>>(json) | is_read::<ExtendedRow<'_>>(json)
    }

    #[test]
    fn rows_as_spotify_writes_them_are_read() {
        for row in [R1, R2, R4, EPISODE, ACCOUNT, ACCOUNT_PODCAST] {
            let value: serde_json::Value = serde_json::from_str(row).unwrap();
            for json in [row.to_owned(), serde_json::to_string_pretty(&value).unwrap(), format!("{row},{row}")] {
                assert!(is_read_as_any(json.as_bytes()), "{json}");
            }
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_the_general_parser() {
        for json in [
            r"{}",
            r#"{"ts":1.5}"#,
            r#"{"ts":1e5}"#,
            r#"{"ts":-1}"#,
            r#"{"ts":01}"#,
            r#"{"ts":123456789012345678901}"#,
            r#"{"ts":"a\u0062"}"#,
            r#"{"t\u0073":"a"}"#,
            r#"{"ts":[]}"#,
            r#"{"other":{"a":1}}"#,
            r#"{"ts":1,}"#,
            r#"{"ts":nul}"#,
            r#"{"ts":1"#,
            "{\"ts\":\"a\nb\"}",
            "{\"other\":\"a\u{1}b\"}",
            "{\"ts\":\"a",
            "{\"ts\":12",
        ] {
            assert!(!is_read::<ExtendedRow<'_>>(json.as_bytes()), "{json}");
        }
        assert!(!is_read::<ExtendedRow<'_>>(b"{\"ts\":\"\xff\"}"));
        assert!(!is_read::<ExtendedRow<'_>>(b"{\"\xff\":\"a\"}"));
        assert!(is_read::<ExtendedRow<'_>>(b"{\"ip_addr\":\"\xff\"}"), "nobody reads it");
    }

    #[test]
    fn the_end_of_a_string_is_found_at_every_place() {
        for length in 0..40 {
            for end in [b'"', b'\\', 0, 0x1F] {
                let mut text = vec![b'\x7F'; length];
                text.push(end);
                text.extend_from_slice(b" \"!\\\x80\xff#[]");
                assert_eq!(plain_length(&text), length);
            }
        }
        assert_eq!(plain_length(&[0x80; 21]), 21);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_as_the_general_parser_reads_them(
            picked in prop::collection::vec(0..24_usize, 0..12),
            at in 0..200_usize,
            byte in any::<u8>(),
        ) {
            const PARTS: [&str; 24] = [
                "{", "}", ",", ":", "\"ts\"", "\"ms_played\"", "\"endTime\"", "\"skipped\"", "\"other\"", "\"ö\"", "\"a\\n\"",
                "null", "true", "false", "0", "17", "-3", "1.5", " ", "\n  ", "[", "]", "{\"ts\":\"x\",\"ms_played\":5", ",\"a\":1",
            ];
            let mut json: Vec<u8> = b"{\"ts\":\"x\"".to_vec();
            json.extend(picked.iter().flat_map(|part| PARTS[*part].bytes()));
            json.extend_from_slice(b"}");
            is_read_as_any(&json);
            if let Some(there) = json.get_mut(at) {
                *there = byte;
                is_read_as_any(&json);
            }
        }
    }
}
