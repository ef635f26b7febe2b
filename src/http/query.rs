//! Query strings, strictly: a parameter that is not known is an error, so that a typo never widens a question.

use axum::http::Uri;

use crate::error::{AppError, FieldError};

/// The pairs of a query string, decoded; each known name at most once.
pub struct Query {
    pairs: Vec<(String, String)>,
}

/// A page of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub limit: u32,
    pub offset: u32,
}

impl Query {
    /// # Errors
    /// Names that are not in `known`, and names given twice.
    pub fn parse(uri: &Uri, known: &[&str]) -> Result<Self, AppError> {
        let pairs: Vec<(String, String)> = decode(uri.query().unwrap_or_default());
        let mut errors = Vec::new();
        for (position, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let allowed = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                errors.push(FieldError::new(name, format!("is not a parameter here; known are: {allowed}")));
            } else if pairs.iter().take(position).any(|(earlier, _)| earlier == name) {
                errors.push(FieldError::new(name, "must be given once"));
            }
        }
        if errors.is_empty() { Ok(Self { pairs }) } else { Err(AppError::Invalid(errors)) }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.pairs
    }

    /// A whole number within `range`, if it is given.
    pub fn integer(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, AppError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let rule = format!("must be a whole number from {} to {}", range.start(), range.end());
                Err(AppError::invalid(name, rule))
            }
        }
    }

    /// One of `allowed`, if it is given.
    pub fn one_of<'a>(&self, name: &str, allowed: &[&'a str]) -> Result<Option<&'a str>, AppError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let found = allowed.iter().find(|word| **word == text);
        found
            .map(|word| Some(*word))
            .ok_or_else(|| AppError::invalid(name, format!("must be one of: {}", allowed.join(", "))))
    }

    /// `limit` 1..200 (50) and `offset` from 0 (0).
    pub fn page(&self) -> Result<Page, AppError> {
        let limit = self.integer("limit", 1..=200)?.unwrap_or(50);
        let offset = self.integer("offset", 0..=i64::from(u32::MAX))?.unwrap_or(0);
        let number = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
        Ok(Page { limit: number(limit), offset: number(offset) })
    }
}

/// `application/x-www-form-urlencoded`, as browsers write it.
fn decode(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode_component(name), decode_component(value))
        })
        .collect()
}

fn decode_component(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<Query, AppError> {
        let uri: Uri = format!("/x?{text}").parse().unwrap();
        Query::parse(&uri, &["limit", "offset", "q"])
    }

    #[test]
    fn values_are_decoded() {
        assert_eq!(query("q=Bj%C3%B6rk+live&limit=3").unwrap().get("q"), Some("Björk live"));
    }

    #[test]
    fn an_unknown_or_doubled_parameter_is_named() {
        let named = |text: &str| query(text).err().unwrap().field_errors()[0].field.clone();
        assert_eq!(named("limt=3"), "limt");
        assert_eq!(named("limit=3&limit=4"), "limit");
    }

    #[test]
    fn a_page_has_bounds() {
        assert_eq!(query("").unwrap().page().unwrap(), Page { limit: 50, offset: 0 });
        for text in ["limit=0", "limit=201", "limit=x", "offset=-1", "limit="] {
            assert!(query(text).unwrap().page().is_err(), "{text}");
        }
    }
}
