//! JSON and other short bodies, within a limit.

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, de::DeserializeOwned};

use crate::error::AppError;

/// The most a JSON body may have: a question or a small form.
pub const MAX_JSON_BYTES: usize = 64 * 1024;

/// Reads a body of at most [`MAX_JSON_BYTES`].
///
/// # Errors
/// Too large: 413, told from Content-Length where there is one. Broken off: 400.
pub async fn bytes(headers: &HeaderMap, body: Body) -> Result<Bytes, AppError> {
    bytes_within(headers, body, MAX_JSON_BYTES).await
}

/// Reads a JSON body of at most [`MAX_JSON_BYTES`]. An empty body reads as `{}`.
///
/// # Errors
/// Those of [`bytes`]. Not JSON: 400. JSON of another shape: 422 with the field.
pub async fn json<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, AppError> {
    json_within(headers, body, MAX_JSON_BYTES).await
}

/// The same with another limit.
pub async fn json_within<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: Body,
    max_bytes: usize,
) -> Result<T, AppError> {
    let bytes = bytes_within(headers, body, max_bytes).await?;
    parsed(if bytes.is_empty() { b"{}".as_slice() } else { &bytes })
}

/// A whole body of at most `max_bytes`.
pub async fn bytes_within(headers: &HeaderMap, body: Body, max_bytes: usize) -> Result<Bytes, AppError> {
    let too_large = || AppError::TooLarge(format!("The body may have at most {max_bytes} bytes."));
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > max_bytes) {
        return Err(too_large());
    }
    match Limited::new(body, max_bytes).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(_) => Err(AppError::Malformed("The body ended before it was complete.".to_owned())),
    }
}

/// Reads JSON that may lend its texts.
///
/// # Errors
/// Not JSON: 400. JSON of another shape: 422 with the field and what it takes, never with what was sent: that may be a secret.
pub fn parsed<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, AppError> {
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => AppError::invalid(misfit(text, &error), shape_error(&error)),
        _ => AppError::Malformed(format!("The body is not JSON (line {}, column {}).", error.line(), error.column())),
    })
}

/// The field of the outermost object in which an error was found: the last one that begins before it. `body` where it is about the whole.
fn misfit(text: &[u8], error: &serde_json::Error) -> String {
    let whole = || "body".to_owned();
    if error.to_string().starts_with("missing field") {
        return whole();
    }
    let before: usize =
        text.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let until = text.get(..before + error.column()).unwrap_or(text);
    last_field(until).map_or_else(whole, |name| cut(&String::from_utf8_lossy(name)))
}

/// The last name of a field of the outermost object that JSON as far as this has.
fn last_field(text: &[u8]) -> Option<&[u8]> {
    let (mut depth, mut is_name_next, mut string_begins, mut is_escaped) = (0_u32, false, None, false);
    let mut field = None;
    for (position, byte) in text.iter().enumerate() {
        match (string_begins, byte) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), b'\\') => is_escaped = true,
            (Some(begins), b'"') => {
                if depth == 1 && is_name_next {
                    field = text.get(begins..position);
                    is_name_next = false;
                }
                string_begins = None;
            }
            (None, b'"') => string_begins = Some(position + 1),
            (None, b'{' | b'[') => {
                depth += 1;
                is_name_next = depth == 1 && *byte == b'{';
            }
            (None, b'}' | b']') => depth = depth.saturating_sub(1),
            (None, b',') => is_name_next = depth == 1,
            _ => {}
        }
    }
    field
}

/// Reads a text of at most [`MAX_JSON_BYTES`].
///
/// # Errors
/// Those of [`bytes`]. Not UTF-8: 400.
pub async fn text(headers: &HeaderMap, body: Body) -> Result<String, AppError> {
    let bytes = bytes(headers, body).await?;
    String::from_utf8(bytes.to_vec()).map_err(|_| AppError::Malformed("The body is not UTF-8.".to_owned()))
}

/// The most of a name that an error repeats, in characters.
const NAME_MAX_CHARS: usize = 60;

fn cut(name: &str) -> String {
    name.chars().take(NAME_MAX_CHARS).collect()
}

/// What serde complains about, without the value it found, and without the position, which means nothing to someone who sent one
/// line. Its sentences are `invalid type: string "found", expected a number`, and the same with `invalid value`, `unknown
/// variant` and `unknown field`; a value may itself look like the rest of such a sentence.
fn shape_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let sentence = text.rsplit_once(" at line ").map_or(text.as_str(), |(sentence, _)| sentence);
    let Some((found, expected)) = sentence.rsplit_once(", expected ") else { return cut(sentence) };
    let found = match found.strip_prefix("unknown field ") {
        Some(name) => format!("unknown field {}", cut(name)),
        None => found.split(['`', '"']).next().unwrap_or_default().trim_end().to_owned(),
    };
    format!("{found}, expected {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Wanted {
        name: String,
        #[serde(default)]
        ids: Vec<i64>,
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
        Blue,
    }

    /// Field and sentence of the first complaint.
    fn complaint(text: &str) -> (String, String) {
        let error = parsed::<Wanted>(text.as_bytes()).unwrap_err();
        let [only] = error.field_errors() else { panic!("{error:?}") };
        (only.field.clone(), only.detail.clone())
    }

    #[test]
    fn a_value_of_another_shape_is_told_by_its_field_and_never_repeated() {
        let told = |text: &str, field: &str, detail: &str| {
            assert_eq!(complaint(text), (field.to_owned(), detail.to_owned()), "{text}");
        };
        told(r#"{"name": 4711}"#, "name", "invalid type: integer, expected a string");
        told(r#"{"name": 47.11}"#, "name", "invalid type: floating point, expected a string");
        told(r#"{"name": true}"#, "name", "invalid type: boolean, expected a string");
        told(r#"{"name": null}"#, "name", "invalid type: null, expected a string");
        told(r#"{"name": ["secret"]}"#, "name", "invalid type: sequence, expected a string");
        told(r#"{"name": "x", "ids": [1, "secret"]}"#, "ids", "invalid type: string, expected i64");
        told(r#"{"name": "x", "ids": ["a, expected \", expected b"]}"#, "ids", "invalid type: string, expected i64");
        told(r#"{"name": "x", "colour": "secret"}"#, "colour", "unknown variant, expected `red` or `blue`");
        told("{\n  \"name\": \"x\",\n  \"ids\": {\"colour\": 1}\n}", "ids", "invalid type: map, expected a sequence");
        told(r#"{"colour": "red", "name": {"ids": []}}"#, "name", "invalid type: map, expected a string");
        told(r#"{"name": "\", \"colour", "ids": 7}"#, "ids", "invalid type: integer, expected a sequence");
        told("{}", "body", "missing field `name`");
        told(r#""secret""#, "body", "invalid type: string, expected struct Wanted");
    }

    #[test]
    fn an_unknown_field_is_named_in_some_sixty_characters() {
        let (_, detail) = complaint(r#"{"nmae": "x"}"#);
        assert_eq!(detail, "unknown field `nmae`, expected one of `name`, `ids`, `colour`");
        let (field, detail) = complaint(&format!(r#"{{"{}": "x"}}"#, "long".repeat(1_000)));
        assert!(field.len() + detail.len() < 200, "{field}: {detail}");
    }

    #[test]
    fn what_is_not_json_or_goes_on_behind_it_is_malformed() {
        for text in ["{", "{not json", r#"{"name": "x"} {}"#, "\u{0}", r#"{"name": "x"}]"#] {
            let error = parsed::<Wanted>(text.as_bytes()).unwrap_err();
            assert!(matches!(error, AppError::Malformed(_)), "{text}: {error:?}");
        }
    }
}
