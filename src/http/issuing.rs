//! What issuing a token of any kind has in common: what it is to be called, how long it holds, and how it is shown.
//!
//! Must stay true: a token is shown in the answer that issues it, and nowhere else ever.

use axum::{
    Json,
    http::{StatusCode, header},
    response::IntoResponse,
};
use jiff::Timestamp;
use serde::Serialize;

use crate::{
    app::App,
    domain::{
        credential::{CredentialKind, SecretHash},
        instant::Millis,
    },
    error::FieldError,
    store::issued_tokens::NewToken,
};

const MAX_LABEL_CHARS: usize = 100;

/// What every kind of token is asked for with, checked; what is wrong with it goes to `errors`.
pub struct Terms {
    pub label: String,
    pub expires_at: Option<Millis>,
}

impl Terms {
    pub fn check(label: Option<&str>, expires_at: Option<&str>, now: Millis, errors: &mut Vec<FieldError>) -> Self {
        let label = label.map(str::trim).unwrap_or_default();
        if !(1..=MAX_LABEL_CHARS).contains(&label.chars().count()) || label.chars().any(char::is_control) {
            let rule = format!("is required: 1 to {MAX_LABEL_CHARS} characters, without control characters");
            errors.push(FieldError::new("label", rule));
        }
        let expires_at = expires_at.map(|text| text.parse::<Timestamp>().ok());
        let expires_at = expires_at.map(|instant| instant.map(|instant| Millis(instant.as_millisecond())));
        if expires_at.is_some_and(|instant| instant.is_none_or(|instant| instant <= now)) {
            let rule = "must be an instant to come, such as 2030-01-31T00:00:00Z; without it the token does not expire";
            errors.push(FieldError::new("expires_at", rule));
        }
        Self { label: label.to_owned(), expires_at: expires_at.flatten() }
    }

    pub fn token<'a>(&'a self, hash: &'a SecretHash) -> NewToken<'a> {
        NewToken { hash, label: &self.label, expires_at: self.expires_at }
    }
}

/// A token nobody has seen yet, and the hash to store.
pub fn draw(app: &App, kind: CredentialKind) -> (String, SecretHash) {
    let token = kind.secret(&[app.clock.random_hex(), app.clock.random_hex()]);
    let hash = SecretHash::of(&token);
    (token, hash)
}

/// A token that was just issued.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Issued<T> {
    /// Shown this once.
    token: String,
    #[serde(flatten)]
    stored: T,
}

/// 201 with the token, which no cache may keep.
pub fn shown_once<T: Serialize>(token: String, stored: T) -> impl IntoResponse {
    (StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(Issued { token, stored }))
}
