//! How long an answer may be: GPT Actions take less than 100,000 characters, and a model reads no more than that gladly.
//!
//! Must stay true: an answer that fits is left as it is; one that does not is cut from the ends of its lists and texts, which
//! are sorted by importance, and says so in `cut_note`. No history, however long or odd its names, gets past the bound. Over
//! MCP an answer is told twice, as data and as a text, and some hosts show their model both: there the bound is on both
//! together, so that about half as much is an answer's most.

use serde_json::Value;

/// Below the 100,000 that an Action takes, with room for what comes around an answer: the note that it was cut, and the
/// envelopes of `POST /mcp/call` and `POST /mcp`.
pub const MAX_ANSWER_CHARS: usize = 98_000;
/// What is left of a text once an answer has to be cut.
const CUT_TEXT_CHARS: usize = 160;
/// A list is never cut below this many entries.
const MIN_ENTRIES: usize = 3;

/// The answer, cut if it has to be.
pub fn bounded(answer: Value) -> Value {
    cut_to_fit(answer, chars)
}

/// The answer as data and as a text that says the same, cut if both together have to be.
pub fn bounded_twofold(answer: Value) -> (Value, String) {
    let text = answer.to_string();
    if twofold_chars(&text) <= MAX_ANSWER_CHARS {
        return (answer, text);
    }
    let cut = cut_to_fit(answer, |answer| twofold_chars(&answer.to_string()));
    let text = cut.to_string();
    (cut, text)
}

/// What a JSON text takes as it is and once more within a string.
fn twofold_chars(text: &str) -> usize {
    text.chars().count() + text_chars(text)
}

fn cut_to_fit(mut answer: Value, measured: impl Fn(&Value) -> usize) -> Value {
    if measured(&answer) <= MAX_ANSWER_CHARS {
        return answer;
    }
    cut_texts(&mut answer);
    loop {
        let (length, longest) = (measured(&answer), longest_list(&answer));
        if length <= MAX_ANSWER_CHARS || longest <= MIN_ENTRIES {
            break;
        }
        let fitting = (longest * MAX_ANSWER_CHARS / length).clamp(MIN_ENTRIES, longest - 1);
        cut_lists(&mut answer, longest, fitting);
    }
    if let Some(object) = answer.as_object_mut() {
        let note = format!(
            "This answer was too long and was cut: texts to {CUT_TEXT_CHARS} characters, long lists from their ends. Ask for \
             less: a smaller `limit`, or a shorter window."
        );
        object.insert("cut_note".to_owned(), Value::from(note));
    }
    answer
}

/// At least as many characters as the JSON text has.
fn chars(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 6,
        Value::Number(number) => number.to_string().len(),
        Value::String(text) => text_chars(text),
        Value::Array(entries) => entries.iter().map(|entry| chars(entry).saturating_add(1)).sum::<usize>() + 2,
        Value::Object(members) => {
            members.iter().map(|(name, member)| text_chars(name) + chars(member) + 2).sum::<usize>() + 2
        }
    }
}

fn text_chars(text: &str) -> usize {
    let written = |letter: char| match letter {
        '"' | '\\' => 2,
        control if control.is_control() => 6,
        _ => 1,
    };
    text.chars().map(written).sum::<usize>() + 2
}

fn cut_texts(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().count() > CUT_TEXT_CHARS => {
            *text = text.chars().take(CUT_TEXT_CHARS - 1).chain(['…']).collect();
        }
        Value::Array(entries) => entries.iter_mut().for_each(cut_texts),
        Value::Object(members) => members.values_mut().for_each(cut_texts),
        _ => {}
    }
}

fn longest_list(value: &Value) -> usize {
    match value {
        Value::Array(entries) => entries.iter().map(longest_list).max().unwrap_or(0).max(entries.len()),
        Value::Object(members) => members.values().map(longest_list).max().unwrap_or(0),
        _ => 0,
    }
}

/// Cuts every list of `from` entries to `to`.
fn cut_lists(value: &mut Value, from: usize, to: usize) {
    match value {
        Value::Array(entries) => {
            if entries.len() == from {
                entries.truncate(to);
            }
            for entry in entries {
                cut_lists(entry, from, to);
            }
        }
        Value::Object(members) => members.values_mut().for_each(|member| cut_lists(member, from, to)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_that_fits_is_left_as_it_is() {
        let answer = json!({"items": [{"name": "Björk", "plays": 3}], "window": {"days": 90}});
        assert_eq!(bounded(answer.clone()), answer);
    }

    #[test]
    fn long_names_are_cut_before_anything_is_left_out() {
        let items: Vec<Value> = (0..100).map(|rank| json!({"rank": rank, "track_name": "é\"".repeat(500)})).collect();
        let cut = bounded(json!({"items": items, "window": {"days": 90}}));
        assert_eq!(cut["items"].as_array().unwrap().len(), 100);
        assert_eq!(cut["items"][0]["track_name"].as_str().unwrap().chars().count(), CUT_TEXT_CHARS);
        assert!(cut["cut_note"].as_str().unwrap().contains("limit"));
        assert_eq!(cut["window"]["days"], 90);
    }

    #[test]
    fn a_list_is_cut_no_shorter_than_it_has_to_be() {
        let items: Vec<Value> = (0..1_000).map(|rank| json!({"rank": rank, "name": "x".repeat(100)})).collect();
        let kept = bounded(json!({"items": items}))["items"].as_array().unwrap().len();
        assert!((750..1_000).contains(&kept), "{kept}");
    }

    fn any_answer() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,40}".prop_map(|text| Value::from(text.repeat(40))),
            "[\u{0}-\u{1f}\"\\\\]{0,40}".prop_map(|text| Value::from(text.repeat(40))),
        ];
        let item = proptest::collection::btree_map("[a-z]{1,12}", leaf, 1..8)
            .prop_map(|members| Value::Object(members.into_iter().collect()));
        (item, 1_usize..3_000).prop_map(|(item, count)| json!({"items": vec![item; count], "total": count}))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn no_answer_gets_past_the_bound(answer in any_answer()) {
            let text = bounded(answer.clone()).to_string();
            prop_assert!(text.chars().count() < 100_000, "{}", text.chars().count());
            let (data, text) = bounded_twofold(answer);
            let both = json!({"data": data, "text": text}).to_string().chars().count();
            prop_assert!(both < 100_000, "{both}");
            prop_assert_eq!(data.to_string(), text);
        }
    }
}
