//! Query strings, strictly: a parameter that is not known is an error, so that a typo never widens a question.
//!
//! Must stay true: a route that declares its [`Parameter`]s accepts those and no other, and its description in the OpenAPI document is made of
//! the same declarations.

use std::collections::BTreeSet;

use axum::http::Uri;
use jiff::{Timestamp, civil};

use super::path_id::MAX_ID;
use crate::{
    domain::instant::Millis,
    error::{AppError, FieldError},
    store::walk::Part,
};

/// A parameter that a route understands.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    pub kind: Kind,
    /// What it does, for the documents.
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "the documents are written natively"))]
    pub text: &'static str,
}

/// The values a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Integer {
        least: i64,
        most: i64,
    },
    OneOf(&'static [&'static str]),
    /// RFC 3339; without an offset it is UTC, and a date alone is its first moment.
    Instant,
    Text {
        most_chars: usize,
    },
}

impl Parameter {
    pub const fn integer(name: &'static str, least: i64, most: i64, text: &'static str) -> Self {
        Self { name, kind: Kind::Integer { least, most }, text }
    }

    pub const fn one_of(name: &'static str, words: &'static [&'static str], text: &'static str) -> Self {
        Self { name, kind: Kind::OneOf(words), text }
    }

    pub const fn instant(name: &'static str, text: &'static str) -> Self {
        Self { name, kind: Kind::Instant, text }
    }

    pub const fn text(name: &'static str, most_chars: usize, text: &'static str) -> Self {
        Self { name, kind: Kind::Text { most_chars }, text }
    }

    /// What is wrong with a value, as a rule.
    fn complaint(&self, value: &str) -> Option<String> {
        match self.kind {
            Kind::Integer { least, most } => {
                let is_allowed = value.parse::<i64>().is_ok_and(|number| (least..=most).contains(&number));
                (!is_allowed).then(|| format!("must be a whole number from {least} to {most}"))
            }
            Kind::OneOf(words) => (!words.contains(&value)).then(|| format!("must be one of: {}", words.join(", "))),
            Kind::Instant => instant(value)
                .is_none()
                .then(|| "must be an instant such as 2026-11-23T12:00:00Z, or a date such as 2026-11-23".to_owned()),
            Kind::Text { most_chars } => {
                let is_allowed = (1..=most_chars).contains(&value.chars().count());
                (!is_allowed).then(|| format!("must have 1 to {most_chars} characters"))
            }
        }
    }
}

pub const LIMIT: Parameter = Parameter::integer("limit", 1, 200, "How many items a page has; 50 unless said.");
pub const OFFSET: Parameter =
    Parameter::integer("offset", 0, u32::MAX as i64, "How many items to pass over; 0 unless said.");
/// What a list takes that nothing narrows.
pub const PAGED: &[Parameter] = &[LIMIT, OFFSET];
pub const USER_ID: Parameter = Parameter::integer("user_id", 1, MAX_ID, "Only what belongs to this user.");
pub const REQUEST_ID: Parameter = Parameter::text("request_id", 64, "Only what this request did or caused.");
pub const SINCE: Parameter = Parameter::instant("since", "Only what is from this instant on.");
pub const UNTIL: Parameter = Parameter::instant("until", "Only what is before this instant.");

/// For lists that are walked down from their newest row.
pub const BEFORE_ID: Parameter =
    Parameter::integer("before_id", 1, MAX_ID, "Only rows below this id: `next_before_id` of the page before.");

/// An instant as people write it in a query.
fn instant(text: &str) -> Option<Millis> {
    let millis = |at: Timestamp| Millis(at.as_millisecond());
    let utc = |at: civil::DateTime| at.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|at| millis(at.timestamp()));
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(millis(at));
    }
    // Without an offset: the system before this one took these for UTC, too.
    text.parse::<civil::DateTime>().ok().and_then(utc)
}

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
        let pairs: Vec<(String, String)> = form_pairs(uri.query().unwrap_or_default());
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

    /// Parses and checks what a route declares.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn declared(uri: &Uri, parameters: &[Parameter]) -> Result<Self, AppError> {
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
        let query = Self::parse(uri, &names)?;
        let given = parameters.iter().filter_map(|parameter| Some((parameter, query.get(parameter.name)?)));
        let errors: Vec<FieldError> = given
            .filter_map(|(parameter, value)| Some(FieldError::new(parameter.name, parameter.complaint(value)?)))
            .collect();
        if errors.is_empty() { Ok(query) } else { Err(AppError::Invalid(errors)) }
    }

    /// The number of a parameter that was declared as one.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// The instant of a parameter that was declared as one.
    pub fn instant(&self, name: &str) -> Option<Millis> {
        instant(self.get(name)?)
    }

    /// The part of a walked list that [`LIMIT`], [`OFFSET`] and [`BEFORE_ID`] ask for, and its page.
    pub fn part(&self) -> Result<(Page, Part), AppError> {
        let page = self.page()?;
        Ok((page, Part { before_id: self.number("before_id"), limit: page.limit, offset: page.offset }))
    }

    /// Whatever is there: for addresses that others send browsers to, with parameters of theirs.
    pub fn lenient(uri: &Uri) -> Self {
        Self { pairs: form_pairs(uri.query().unwrap_or_default()) }
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
pub fn form_pairs(query: &str) -> Vec<(String, String)> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode_component(name), decode_component(value))
        })
        .collect()
}

/// Whether a name is given more than once. Strangers send as many names as a body holds: sorted, they cost no more than reading.
pub fn has_doubles<'a>(names: impl IntoIterator<Item = &'a str>) -> bool {
    let mut seen = BTreeSet::new();
    !names.into_iter().all(|name| seen.insert(name))
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
    fn a_double_is_found_wherever_it_is() {
        assert!(!has_doubles([]) && !has_doubles(["a", "b", "A", ""]));
        assert!(has_doubles(["b", "a", "c", "b"]) && has_doubles(["", ""]));
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
    fn declared_parameters_are_checked_all_at_once() {
        const DECLARED: &[Parameter] = &[LIMIT, SINCE, Parameter::one_of("level", &["info", "error"], "")];
        let checked = |text: &str| Query::declared(&format!("/x?{text}").parse().unwrap(), DECLARED);
        let complaints = checked("limit=0&since=yesterday&level=loud").err().unwrap().field_errors().to_vec();
        assert_eq!(complaints.len(), 3);
        assert_eq!(complaints[2].detail, "must be one of: info, error");
        let query = checked("limit=7&since=2026-11-23&level=info").unwrap();
        assert_eq!((query.number("limit"), query.instant("since")), (Some(7), Some(Millis(1_795_392_000_000))));
    }

    #[test]
    fn instants_are_read_with_and_without_an_offset() {
        let expected = Some(Millis(1_795_435_200_000));
        for text in ["2026-11-23T12:00:00Z", "2026-11-23T13:00:00+01:00", "2026-11-23T12:00:00", "2026-11-23 12:00"] {
            assert_eq!(instant(text), expected, "{text}");
        }
        assert_eq!(instant("23.11.2026"), None);
        assert_eq!(instant("12:00"), None);
    }

    #[test]
    fn a_page_has_bounds() {
        assert_eq!(query("").unwrap().page().unwrap(), Page { limit: 50, offset: 0 });
        for text in ["limit=0", "limit=201", "limit=x", "offset=-1", "limit="] {
            assert!(query(text).unwrap().page().is_err(), "{text}");
        }
    }
}
