//! Ids in paths.
//!
//! Must stay true: what is no id is a thing that is not there, 404, like an id that nothing has.

use crate::error::AppError;

/// The largest id that survives a JavaScript number.
pub const MAX_ID: i64 = (1 << 53) - 1;

/// Reads the id of a `thing` ("User") out of a path.
///
/// # Errors
/// 404 for what is not an id.
pub fn path_id(thing: &str, text: &str) -> Result<i64, AppError> {
    text.parse::<i64>().ok().filter(|id| (1..=MAX_ID).contains(id)).ok_or_else(|| missing(thing, text))
}

/// The 404 of a thing that is not there.
pub fn missing(thing: &str, id: &(impl ToString + ?Sized)) -> AppError {
    AppError::NotFound(format!("{thing} {} not found.", id.to_string().chars().take(40).collect::<String>()))
}
