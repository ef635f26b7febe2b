//! The elements of a JSON array, one by one, while its bytes still arrive.
//!
//! Must stay true:
//! * one element is held at a time, never an array; an element over [`ELEMENT_MAX_BYTES`] is an error;
//! * an element that is no object, or cannot be read, costs itself and no other;
//! * the elements are the same however the bytes were cut into chunks.
//!
//! A byte order mark, newline-delimited values and several arrays in a row are taken like one array.

#[cfg(test)]
mod tests;

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::{file_error::FileError, plain_object::ReadObject};

/// A row has well under 2 KB.
const ELEMENT_MAX_BYTES: usize = 1024 * 1024;
/// Between a brace and the key behind it; a limit, since the buffer grows while the key is waited for.
const LOOK_AHEAD_BYTES: usize = 4_096;
/// After so many places where the text is no JSON, it is not worth going on.
const MAX_BREAKS: u32 = 100;

/// One element of the array.
#[derive(Debug, PartialEq, Eq)]
pub enum Element<T> {
    Object(T),
    /// A number, a string, an array, `true`, `null`.
    Foreign,
    /// An object that cannot be read, or text that is no JSON up to the next object.
    Unreadable,
}

#[derive(Default)]
pub(super) struct ElementReader {
    buffer: Vec<u8>,
    cursor: Cursor,
}

/// Where reading stands. Apart from the buffer, because elements borrow from that one.
#[derive(Default)]
struct Cursor {
    /// First unread byte of the buffer.
    at: usize,
    /// First byte of the element read last.
    last_at: usize,
    /// Bytes dropped from the front of the buffer.
    dropped_bytes: u64,
    /// An unfinished element is not tried again before so many of its bytes are there, so that one that arrives in
    /// many small chunks costs no more than twice its length.
    enough_bytes: usize,
    in_array: bool,
    has_ended: bool,
    is_cut_off: bool,
    breaks: u32,
    /// While looking for the next object after text that is no JSON.
    search: Option<Search>,
}

/// What stands before the byte that is looked at, blanks aside.
#[derive(Clone, Copy)]
struct Search {
    previous: u8,
    at_line_start: bool,
}

/// What an attempt at the bytes from the cursor on has come to.
enum Attempt<T> {
    Read(Element<T>, usize),
    Incomplete,
    NotJson,
}

impl ElementReader {
    pub fn feed(&mut self, bytes: &[u8]) {
        let cursor = &mut self.cursor;
        if cursor.at > 0 {
            let unread = self.buffer.len().saturating_sub(cursor.at);
            self.buffer.copy_within(cursor.at.., 0);
            self.buffer.truncate(unread);
            cursor.dropped_bytes = cursor.dropped_bytes.saturating_add(u64::try_from(cursor.at).unwrap_or(u64::MAX));
            cursor.at = 0;
            cursor.last_at = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// No more bytes will come: what is unfinished is cut off.
    pub const fn end(&mut self) {
        self.cursor.has_ended = true;
    }

    /// Whether the text ended within an element or before its array was closed.
    pub fn is_cut_off(&self) -> bool {
        let closed_in_search = self.cursor.search.is_some_and(|search| search.previous == b']');
        self.cursor.is_cut_off || (self.cursor.in_array && !closed_in_search)
    }

    /// Puts the element read last back. Only before the next [`ElementReader::feed`].
    pub const fn put_back(&mut self) {
        self.cursor.at = self.cursor.last_at;
    }

    /// The bytes of the element read last. Only before the next [`ElementReader::feed`].
    pub fn last(&self) -> &[u8] {
        self.buffer.get(self.cursor.last_at..self.cursor.at).unwrap_or_default()
    }

    /// The bytes of the unfinished element.
    pub fn unfinished(&self) -> &[u8] {
        self.buffer.get(self.cursor.at..).unwrap_or_default()
    }

    /// How many bytes of the text have been read.
    pub fn read_bytes(&self) -> u64 {
        self.cursor.dropped_bytes.saturating_add(u64::try_from(self.cursor.at).unwrap_or(u64::MAX))
    }

    /// The next element, borrowing from what was fed; `None`: feed more, or, after [`ElementReader::end`], nothing is
    /// left.
    pub fn next<'a, T: ReadObject<'a>>(&'a mut self) -> Result<Option<Element<T>>, FileError> {
        let Self { buffer, cursor } = self;
        let bytes: &'a [u8] = buffer;
        if cursor.search.is_some() && !cursor.find_object(bytes) {
            return Ok(None);
        }
        if !cursor.find_element(bytes) {
            return Ok(None);
        }
        let unread = bytes.get(cursor.at..).unwrap_or_default();
        if unread.len() < cursor.enough_bytes && !cursor.has_ended {
            return Ok(None);
        }
        // One byte more than allowed: an element that is unfinished even with that one is too long.
        let window = unread.get(..=ELEMENT_MAX_BYTES).unwrap_or(unread);
        let is_whole_rest = window.len() == unread.len() && cursor.has_ended;
        match attempt(window, is_whole_rest) {
            Attempt::Read(_, length) if length > ELEMENT_MAX_BYTES => Err(FileError::ElementTooLarge),
            Attempt::Read(element, length) => {
                cursor.last_at = cursor.at;
                cursor.at = cursor.at.saturating_add(length);
                cursor.enough_bytes = 0;
                Ok(Some(element))
            }
            Attempt::Incomplete if window.len() > ELEMENT_MAX_BYTES => Err(FileError::ElementTooLarge),
            Attempt::Incomplete => {
                if cursor.has_ended {
                    cursor.is_cut_off = true;
                    cursor.at = bytes.len();
                }
                cursor.enough_bytes = unread.len().saturating_mul(2).min(ELEMENT_MAX_BYTES.saturating_add(1));
                Ok(None)
            }
            Attempt::NotJson => {
                cursor.breaks = cursor.breaks.saturating_add(1);
                if cursor.breaks > MAX_BREAKS {
                    return Err(FileError::NotJson);
                }
                cursor.last_at = cursor.at;
                cursor.at = cursor.at.saturating_add(1);
                cursor.enough_bytes = 0;
                cursor.search = Some(Search { previous: 0, at_line_start: false });
                Ok(Some(Element::Unreadable))
            }
        }
    }
}

impl Cursor {
    /// Moves to the first byte of an element, past blanks, commas and brackets; false when none is there.
    fn find_element(&mut self, bytes: &[u8]) -> bool {
        const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
        let unread = bytes.get(self.at..).unwrap_or_default();
        for (skipped, byte) in unread.iter().enumerate() {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' | b',' => {}
                b'[' if !self.in_array => self.in_array = true,
                b']' => self.in_array = false,
                // Byte by byte, as a mark may be cut by a chunk; none of its bytes begins an element.
                mark if BYTE_ORDER_MARK.contains(mark) => {}
                _ => {
                    self.at = self.at.saturating_add(skipped);
                    return true;
                }
            }
        }
        self.at = bytes.len();
        false
    }

    /// Moves to the next brace that probably opens an object: one behind a comma, a bracket, another object or a line
    /// break, before a key or the object's end. False when more bytes must come first.
    fn find_object(&mut self, bytes: &[u8]) -> bool {
        let Some(mut search) = self.search else { return true };
        while let Some((byte, rest)) = bytes.get(self.at..).and_then(<[u8]>::split_first) {
            match byte {
                b'\n' => search.at_line_start = true,
                b' ' | b'\r' | b'\t' => {}
                b'{' if search.at_line_start || matches!(search.previous, b',' | b'[' | b'}') => {
                    let near = rest.get(..LOOK_AHEAD_BYTES).unwrap_or(rest);
                    match near.iter().find(|byte| !byte.is_ascii_whitespace()) {
                        Some(b'"' | b'}') => {
                            self.search = None;
                            return true;
                        }
                        None if near.len() < LOOK_AHEAD_BYTES && !self.has_ended => break,
                        _ => search = Search { previous: *byte, at_line_start: false },
                    }
                }
                _ => search = Search { previous: *byte, at_line_start: false },
            }
            self.at = self.at.saturating_add(1);
        }
        self.search = Some(search);
        false
    }
}

/// Reads the element that begins the bytes. `is_whole_rest` says that nothing will follow them.
fn attempt<'a, T: ReadObject<'a>>(bytes: &'a [u8], is_whole_rest: bool) -> Attempt<T> {
    match bytes.first() {
        Some(b'{') => {
            if let Some((object, length)) = T::read_plain(bytes) {
                return Attempt::Read(Element::Object(object), length);
            }
            let mut values = Deserializer::from_slice(bytes).into_iter::<T>();
            match values.next() {
                Some(Ok(object)) => Attempt::Read(Element::Object(object), values.byte_offset()),
                Some(Err(error)) if error.is_eof() => Attempt::Incomplete,
                // What is wrong may be one value only, a number out of range or bad UTF-8: then the end can be found.
                Some(Err(_)) => skip(bytes, is_whole_rest, Element::Unreadable),
                None => Attempt::Incomplete,
            }
        }
        Some(b'"' | b'[') => skip(bytes, is_whole_rest, Element::Foreign),
        _ => match bytes.iter().position(|byte| b" \n\r\t,:\"[]{}".contains(byte)) {
            None if !is_whole_rest => Attempt::Incomplete,
            end => {
                let length = end.unwrap_or(bytes.len());
                let word = bytes.get(..length).unwrap_or_default();
                if serde_json::from_slice::<IgnoredAny>(word).is_ok() {
                    Attempt::Read(Element::Foreign, length)
                } else {
                    Attempt::NotJson
                }
            }
        },
    }
}

/// Passes over the value that begins the bytes.
fn skip<T>(bytes: &[u8], is_whole_rest: bool, found: Element<T>) -> Attempt<T> {
    let mut values = Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => Attempt::Read(found, values.byte_offset()),
        Some(Err(error)) if error.is_eof() => Attempt::Incomplete,
        // A number that is cut within its sign, point or exponent is reported as a wrong one.
        _ if !is_whole_rest && bytes.last().is_some_and(|last| b"-+.eE".contains(last)) => Attempt::Incomplete,
        _ => Attempt::NotJson,
    }
}
