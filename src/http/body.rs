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
pub fn parsed<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, AppError> {
    serde_json::from_slice(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => AppError::invalid("body", shape_error(&error)),
        _ => AppError::Malformed(format!("The body is not JSON (line {}, column {}).", error.line(), error.column())),
    })
}

/// Reads a text of at most [`MAX_JSON_BYTES`].
///
/// # Errors
/// Those of [`bytes`]. Not UTF-8: 400.
pub async fn text(headers: &HeaderMap, body: Body) -> Result<String, AppError> {
    let bytes = bytes(headers, body).await?;
    String::from_utf8(bytes.to_vec()).map_err(|_| AppError::Malformed("The body is not UTF-8.".to_owned()))
}

/// The shape error without the position, which means nothing to someone who sent one line.
fn shape_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(sentence, _)| sentence.to_owned())
}
