//! Arrays whole, broken and cut off, in chunks of every size.

use std::collections::BTreeMap;

use super::*;

type Object = BTreeMap<String, i64>;

impl ReadObject<'_> for Object {}

/// The elements as short words, how many characters were read, and whether the text was cut off.
fn read_in_chunks(json: &[u8], chunk_bytes: usize) -> (Vec<String>, bool, Option<FileError>) {
    let mut reader = ElementReader::default();
    let mut found = Vec::new();
    let mut take = |reader: &mut ElementReader| loop {
        match reader.next::<Object>() {
            Ok(Some(Element::Object(object))) => {
                let words: Vec<String> = object.into_iter().map(|(key, value)| format!("{key}{value}")).collect();
                found.push(words.concat());
            }
            Ok(Some(Element::Foreign)) => found.push("foreign".to_owned()),
            Ok(Some(Element::Unreadable)) => found.push("unreadable".to_owned()),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    };
    for chunk in json.chunks(chunk_bytes) {
        reader.feed(chunk);
        if let Some(error) = take(&mut reader) {
            return (found, false, Some(error));
        }
    }
    reader.end();
    let error = take(&mut reader);
    (found, reader.is_cut_off(), error)
}

fn read(json: &str) -> (Vec<String>, bool) {
    let whole = read_in_chunks(json.as_bytes(), json.len().max(1));
    assert_eq!(whole.2, None);
    for chunk_bytes in 1..json.len().min(64) {
        assert_eq!(read_in_chunks(json.as_bytes(), chunk_bytes), whole, "{json} by {chunk_bytes}");
    }
    (whole.0, whole.1)
}

#[test]
fn the_elements_of_an_array_come_one_by_one() {
    assert_eq!(read(r#"[{"a":1},{"a":2,"b":3} , {}]"#), (vec!["a1".into(), "a2b3".into(), String::new()], false));
    assert_eq!(read("[]"), (vec![], false));
    assert_eq!(read(""), (vec![], false));
}

#[test]
fn marks_lines_and_arrays_in_a_row_are_taken_like_one_array() {
    for json in [
        "\u{feff}[{\"a\":1},{\"a\":2}]",
        "{\"a\":1}\n{\"a\":2}\n",
        "{\"a\":1}\r\n{\"a\":2}",
        "{\"a\":1},\n{\"a\":2},\n",
        "[{\"a\":1}][{\"a\":2}]",
        "[{\"a\":1}]\n\u{feff}[{\"a\":2}]",
        "[{\"a\":1},,{\"a\":2},]",
        "[{\"a\":1} {\"a\":2}]",
    ] {
        assert_eq!(read(json), (vec!["a1".into(), "a2".into()], false), "{json}");
    }
}

#[test]
fn foreign_elements_cost_themselves() {
    let (found, is_cut_off) = read(r#"[null, 12345, -1.5e+3, "te\"x,t{", [1,[2,{"a":1}]], true, {"a":1}]"#);
    assert_eq!(found, ["foreign", "foreign", "foreign", "foreign", "foreign", "foreign", "a1"]);
    assert!(!is_cut_off);
}

#[test]
fn an_array_that_is_not_closed_is_cut_off() {
    for json in [r#"[{"a":1}"#, r#"[{"a":1},"#, r#"[{"a":1},{"a":"#, r#"[{"a":1},{"a":2"#, r#"[{"a":1},{"a":-"#] {
        assert_eq!(read(json), (vec!["a1".into()], true), "{json}");
    }
    assert_eq!(read(r#"{"a":1}{"a""#), (vec!["a1".into()], true));
}

#[test]
fn a_broken_object_costs_itself() {
    for broken in [
        r#"{"a":}"#,
        r#"{"a" 1}"#,
        r#"{"a":1 "b":2}"#,
        r#"{"a":nul}"#,
        r#"{"a":{"b":]}}"#,
        "{a:1}",
        "}",
        "garbage",
        r#"{"a":1e}"#,
    ] {
        let json = format!("[{{\"a\":1}},{broken},{{\"a\":2}}]");
        assert_eq!(read(&json), (vec!["a1".into(), "unreadable".into(), "a2".into()], false), "{json}");
        let lines = format!("{{\"a\":1}}\n{broken}\n{{\"a\":2}}\n");
        assert_eq!(read(&lines), (vec!["a1".into(), "unreadable".into(), "a2".into()], false), "{lines}");
        let last = format!("[{{\"a\":1}},{broken}]");
        assert_eq!(read(&last), (vec!["a1".into(), "unreadable".into()], false), "{last}");
    }
}

#[test]
fn a_value_out_of_range_costs_its_object() {
    let json = r#"[{"a":1e999},{"a":"\ud800"},{"a":1}]"#;
    assert_eq!(read(json), (vec!["unreadable".into(), "unreadable".into(), "a1".into()], false));
}

#[test]
fn bad_utf8_costs_its_object() {
    let json = b"[{\"a\xff\":1},{\"b\":2}]";
    for chunk_bytes in 1..json.len() {
        let (found, is_cut_off, error) = read_in_chunks(json, chunk_bytes);
        assert_eq!(found, ["unreadable", "b2"]);
        assert!(!is_cut_off && error.is_none());
    }
}

#[test]
fn text_that_is_no_json_at_all_is_given_up() {
    let json = "{broken\n".repeat(200);
    let (found, _, error) = read_in_chunks(json.as_bytes(), 50);
    assert!(found.len() <= 100);
    assert_eq!(error, None, "there is no other object to be found");
    let json = "{\"broken\n".repeat(200);
    let (found, _, error) = read_in_chunks(json.as_bytes(), 50);
    assert_eq!(found.len(), 100);
    assert_eq!(error, Some(FileError::NotJson));
}

#[test]
fn an_element_over_a_megabyte_is_an_error_however_it_comes() {
    let long = format!("[{{\"a\":1}},{{\"{}\":2}}]", "x".repeat(ELEMENT_MAX_BYTES));
    for chunk_bytes in [4_096, 65_536, 700_000, long.len()] {
        let (found, _, error) = read_in_chunks(long.as_bytes(), chunk_bytes);
        assert_eq!((found, error), (vec!["a1".to_owned()], Some(FileError::ElementTooLarge)));
    }
    let just_short_enough = format!("[{{\"{}\":2}}]", "x".repeat(ELEMENT_MAX_BYTES - 6));
    for chunk_bytes in [4_096, just_short_enough.len()] {
        let (found, _, error) = read_in_chunks(just_short_enough.as_bytes(), chunk_bytes);
        assert_eq!((found.len(), error), (1, None));
    }
}

#[test]
fn looking_for_the_next_object_holds_no_more_than_it_must() {
    let mut reader = ElementReader::default();
    reader.feed(b"[{broken},{");
    while reader.next::<Object>().unwrap().is_some() {}
    for _ in 0..1_000 {
        reader.feed(&[b' '; 4_096]);
        assert_eq!(reader.next::<Object>(), Ok(None));
    }
    assert!(reader.unfinished().len() <= 2 * LOOK_AHEAD_BYTES);
    reader.feed(b",{\"a\":1}");
    assert!(reader.next::<Object>().unwrap().is_some());
}

#[test]
fn an_element_can_be_put_back() {
    let mut reader = ElementReader::default();
    reader.feed(br#"[{"a":1},{"a":2}]"#);
    assert!(reader.next::<IgnoredAny>().unwrap().is_some());
    reader.put_back();
    let first = reader.next::<Object>().unwrap();
    assert_eq!(first, Some(Element::Object(Object::from([("a".to_owned(), 1)]))));
}
