//! What a tool's arguments are: one description that validates them, and from which they are listed.
//!
//! Must stay true: a name that is not described is an error that tells the names that are; everything wrong with a call
//! is told at once, each time with what is allowed, and never repeating what was sent.

use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::{
    domain::{window::Edge, zones},
    error::{AppError, FieldError},
};

/// One argument of a tool.
#[cfg_attr(not(test), expect(dead_code, reason = "texts are listed from the golden file that is rendered from them"))]
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    /// For a model; at most 700 characters.
    pub description: &'static str,
    pub kind: ParameterKind,
    pub required: bool,
    pub default: Option<DefaultValue>,
}

#[derive(Clone, Copy, Debug)]
pub enum ParameterKind {
    Integer {
        min: i64,
        max: i64,
    },
    OneOf(&'static [&'static str]),
    /// An IANA time zone, by any of its names.
    Zone,
    /// `2019-06-21`, or an RFC 3339 instant.
    DateOrInstant,
    /// Words, with blanks around them taken away.
    Text {
        max_chars: usize,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum DefaultValue {
    Integer(i64),
    Word(&'static str),
}

/// A valid value.
#[derive(Clone, Debug)]
enum Argument {
    Integer(i64),
    Word(&'static str),
    Zone(TimeZone),
    Edge(Edge),
    Text(String),
}

/// The arguments of a call, checked against the tool's parameters. Defaults are filled in by the readers.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    given: Vec<(&'static Parameter, Argument)>,
    parameters: &'static [&'static Parameter],
}

macro_rules! reader {
    ($($(#[$doc:meta])* $name:ident -> $type:ty: $variant:ident($value:ident) => $result:expr),+ $(,)?) => {
        $($(#[$doc])*
        pub fn $name(&self, name: &str) -> Option<$type> {
            match self.given(name) {
                Some(Argument::$variant($value)) => Some($result),
                _ => None,
            }
        })+
    };
}

impl Arguments {
    /// Checks a JSON object. `null` is the same as not given.
    ///
    /// # Errors
    /// Every wrong or missing argument, and the first unknown ones.
    pub fn from_object(
        parameters: &'static [&'static Parameter],
        object: &Map<String, Value>,
    ) -> Result<Self, AppError> {
        let pairs = object.iter().filter(|(_, value)| !value.is_null());
        Self::check(parameters, pairs.map(|(name, value)| (name.as_str(), Raw::Json(value))))
    }

    /// Checks texts, as a query string gives them.
    ///
    /// # Errors
    /// As for [`Self::from_object`].
    pub fn from_texts(parameters: &'static [&'static Parameter], pairs: &[(String, String)]) -> Result<Self, AppError> {
        Self::check(parameters, pairs.iter().map(|(name, text)| (name.as_str(), Raw::Text(text))))
    }

    fn check<'a>(
        parameters: &'static [&'static Parameter],
        pairs: impl Iterator<Item = (&'a str, Raw<'a>)>,
    ) -> Result<Self, AppError> {
        let (mut errors, mut unknown_names) = (Vec::new(), 0);
        let mut given: Vec<(&'static Parameter, Argument)> = Vec::new();
        for (name, raw) in pairs {
            let Some(parameter) = parameters.iter().copied().find(|parameter| parameter.name == name) else {
                unknown_names += 1;
                if unknown_names <= MAX_UNKNOWN_TOLD {
                    errors.push(FieldError::new(clipped(name), unknown(parameters)));
                }
                continue;
            };
            match parameter.kind.read(&raw) {
                Some(argument) => given.push((parameter, argument)),
                None => errors.push(FieldError::new(name, parameter.kind.rule())),
            }
        }
        for parameter in parameters.iter().copied().filter(|parameter| parameter.required) {
            let is_named = given.iter().any(|(known, _)| known.name == parameter.name)
                || errors.iter().any(|error| error.field == parameter.name);
            if !is_named {
                let rule = format!("is required and {}", parameter.kind.rule());
                errors.push(FieldError::new(parameter.name, rule));
            }
        }
        if unknown_names > MAX_UNKNOWN_TOLD {
            let untold = unknown_names - MAX_UNKNOWN_TOLD;
            errors.push(FieldError::new("arguments", format!("has {untold} more names that are not known here")));
        }
        if errors.is_empty() { Ok(Self { given, parameters }) } else { Err(AppError::Invalid(errors)) }
    }

    fn given(&self, name: &str) -> Option<&Argument> {
        self.given.iter().find(|(parameter, _)| parameter.name == name).map(|(_, argument)| argument)
    }

    pub fn has(&self, name: &str) -> bool {
        self.given(name).is_some()
    }

    fn default(&self, name: &str) -> Option<DefaultValue> {
        self.parameters.iter().find(|parameter| parameter.name == name)?.default
    }

    reader! {
        given_integer -> i64: Integer(value) => *value,
        given_word -> &'static str: Word(value) => value,
        zone -> &TimeZone: Zone(value) => value,
        edge -> Edge: Edge(value) => *value,
        text -> &str: Text(value) => value.as_str(),
    }

    /// A number, or its default.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.given_integer(name).or(match self.default(name) {
            Some(DefaultValue::Integer(number)) => Some(number),
            _ => None,
        })
    }

    /// One of the allowed words, or the default.
    pub fn word(&self, name: &str) -> Option<&'static str> {
        self.given_word(name).or(match self.default(name) {
            Some(DefaultValue::Word(word)) => Some(word),
            _ => None,
        })
    }
}

enum Raw<'a> {
    Json(&'a Value),
    Text(&'a str),
}

impl Raw<'_> {
    fn integer(&self) -> Option<i64> {
        match self {
            Self::Text(text) => text.parse().ok(),
            // Models write numbers into strings: of digits there is no second reading.
            Self::Json(Value::String(text)) => text.trim().parse().ok(),
            Self::Json(value) => value.as_i64().or_else(|| whole(value.as_f64()?)),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Json(value) => value.as_str(),
        }
    }
}

/// JSON knows one kind of number: 30.0 is 30.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and exact")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
}

/// Unknown names that are told one by one: a body holds thousands, and each would be answered with a sentence.
const MAX_UNKNOWN_TOLD: usize = 10;

/// A name that is told back is cut: it may be anything.
fn clipped(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(60).collect()
}

fn unknown(parameters: &[&Parameter]) -> String {
    let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name).collect();
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!("is not an argument here; known are: {known}")
}

impl ParameterKind {
    /// What is allowed, as the end of a sentence that begins with the name.
    fn rule(&self) -> String {
        match self {
            Self::Integer { min, max: i64::MAX } => format!("must be a whole number, at least {min}"),
            Self::Integer { min, max } => format!("must be a whole number from {min} to {max}"),
            Self::OneOf(words) => format!("must be one of: {}", words.join(", ")),
            Self::Zone => "must be an IANA time zone such as Europe/Berlin or UTC".to_owned(),
            Self::DateOrInstant => {
                "must be a date such as 2019-06-21, or an instant such as 2019-06-21T18:30:00Z".to_owned()
            }
            Self::Text { max_chars } => format!("must be a text of 1 to {max_chars} characters"),
        }
    }

    fn read(&self, raw: &Raw<'_>) -> Option<Argument> {
        match self {
            Self::Integer { min, max } => {
                raw.integer().filter(|number| (min..=max).contains(&number)).map(Argument::Integer)
            }
            Self::OneOf(words) => {
                let text = raw.text()?;
                words.iter().find(|word| **word == text).map(|word| Argument::Word(word))
            }
            Self::Zone => zones::named(raw.text()?).map(Argument::Zone),
            Self::DateOrInstant => Edge::parse(raw.text()?).map(Argument::Edge),
            Self::Text { max_chars } => {
                let text = raw.text()?.trim();
                (1..=*max_chars).contains(&text.chars().count()).then(|| Argument::Text(text.to_owned()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    static NUMBER: Parameter = Parameter {
        name: "number",
        description: "A number.",
        kind: ParameterKind::Integer { min: 1, max: 9 },
        required: true,
        default: None,
    };
    static WORD: Parameter = Parameter {
        name: "word",
        description: "A word.",
        kind: ParameterKind::OneOf(&["red", "blue"]),
        required: false,
        default: Some(DefaultValue::Word("red")),
    };
    static ALL: [&Parameter; 2] = [&NUMBER, &WORD];

    fn check(value: &Value) -> Result<Arguments, AppError> {
        Arguments::from_object(&ALL, value.as_object().unwrap())
    }

    #[test]
    fn everything_wrong_is_told_at_once_and_nothing_sent_is_repeated() {
        let error = check(&json!({"number": "secret", "word": "green", "nubmer": 3, "text": "four"})).unwrap_err();
        let fields: Vec<_> = error.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["nubmer", "number", "text", "word"]);
        assert!(!error.to_string().contains("secret"));
        assert!(error.to_string().contains("known are: number, word"));
        assert_eq!(
            check(&json!({})).unwrap_err().field_errors()[0].detail,
            "is required and must be a whole number from 1 to 9"
        );
    }

    #[test]
    fn of_thousands_of_unknown_names_some_are_told_and_all_counted() {
        let names = (0..5_000).map(|number| (format!("x{number}"), json!(1)));
        let error = check(&Value::Object(names.collect())).unwrap_err();
        assert!(error.to_string().len() < 2_000, "{error}");
        assert!(error.to_string().contains("4990 more"), "{error}");
        assert!(error.field_errors().iter().any(|error| error.field == "number"), "{error}");
    }

    #[test]
    fn a_whole_number_is_whole_however_it_is_written() {
        assert_eq!(check(&json!({"number": 3.0})).unwrap().integer("number"), Some(3));
        assert_eq!(check(&json!({"number": " 3"})).unwrap().integer("number"), Some(3));
        for wrong in [
            json!(3.5),
            json!(true),
            json!("3.0"),
            json!("three"),
            json!(""),
            json!([3]),
            json!(0),
            json!("10"),
            json!(1e300),
        ] {
            assert!(check(&json!({"number": wrong})).is_err());
        }
        let texts = |text: &str| Arguments::from_texts(&ALL, &[("number".to_owned(), text.to_owned())]);
        assert_eq!(texts("3").unwrap().integer("number"), Some(3));
        assert!(texts("").is_err() && texts("3.0").is_err());
    }

    #[test]
    fn null_is_not_given_and_a_default_is_read() {
        let arguments = check(&json!({"number": 1, "word": null})).unwrap();
        assert!(!arguments.has("word"));
        assert_eq!(arguments.word("word"), Some("red"));
    }
}
