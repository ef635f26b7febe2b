//! Forms, as browsers and clients post them.

use axum::{
    body::Body,
    http::{HeaderMap, header},
};

use crate::{
    error::AppError,
    http::{
        body,
        query::{form_pairs, has_doubles},
    },
};

/// The fields of a form, each at most once. An empty one is one that is not there (RFC 6749, 3.1).
pub struct Form(Vec<(String, String)>);

impl Form {
    /// # Errors
    /// Another media type, a body that is too long, a field given twice.
    pub async fn read(headers: &HeaderMap, body: Body) -> Result<Self, AppError> {
        let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(AppError::invalid("Content-Type", "must be application/x-www-form-urlencoded"));
        }
        let pairs = form_pairs(&body::text(headers, body).await?);
        if has_doubles(pairs.iter().map(|(name, _)| name.as_str())) {
            return Err(AppError::invalid("body", "must not name a field twice"));
        }
        Ok(Self(pairs))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }
}
