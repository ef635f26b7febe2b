//! One error for every entrance: an inside that is logged once, and an outside that a stranger may see.
//!
//! Must stay true: a 5xx says a fixed sentence and the request id, never SQL, a stack, a header or a secret; a 4xx says
//! what is wrong, in which field, and what is allowed. The outside is `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde::Serialize;

use crate::{
    app::{QueueError, StorageError},
    config::SettingError,
    store::StoreError,
};

/// How long a client should leave a part alone that did not answer.
pub const OUTAGE_RETRY_SECONDS: u32 = 5;

/// What went wrong with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    pub field: String,
    /// What is allowed, as a sentence that names the field's rule.
    pub detail: String,
}

impl FieldError {
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

/// Anything that ends a request or a job without its result.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("{0}")]
    NotFound(String),
    #[error("{}", summary(.0))]
    Invalid(Vec<FieldError>),
    #[error("{0}")]
    TooLarge(String),
    /// The thing is in a state that forbids the action.
    #[error("{0}")]
    Conflict(String),
    /// Spotify did not do what was asked; the sentence says why and what would help.
    #[error("{0}")]
    Upstream(String),
    #[error("{0}")]
    Malformed(String),
    /// No credentials, or wrong ones. `challenge` is the WWW-Authenticate header.
    #[error("{detail}")]
    Unauthorized { detail: &'static str, challenge: Cow<'static, str> },
    /// Too many of late; the seconds become Retry-After.
    #[error("{detail}")]
    TooManyRequests { detail: &'static str, retry_after_seconds: u32 },
    /// A valid credential without the right.
    #[error("{0}")]
    Forbidden(String),
    /// The Worker is not set up for this.
    #[error("{0}")]
    NotConfigured(SettingError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Archive(#[from] StorageError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error("{0}")]
    Internal(&'static str),
}

impl AppError {
    pub fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError::new(field, detail)])
    }

    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Upstream(_) => StatusCode::BAD_GATEWAY,
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthorized { .. } => StatusCode::UNAUTHORIZED,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotConfigured(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Archive(_) | Self::Queue(_) if self.is_outage() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Archive(_) | Self::Queue(_) | Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether a part of the platform did not answer: its fault, for now, and nobody's request was wrong.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_outage(),
            Self::Archive(StorageError::Failed(_)) | Self::Queue(_) => true,
            _ => false,
        }
    }

    /// Whether a tool decided so itself, after it was called rightly: an answer that a model can act on.
    pub const fn is_of_the_tool(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::Conflict(_) | Self::Upstream(_))
    }

    /// When it is worth another try.
    const fn retry_after_seconds(&self) -> Option<u32> {
        match self {
            Self::TooManyRequests { retry_after_seconds, .. } => Some(*retry_after_seconds),
            _ if self.is_outage() => Some(OUTAGE_RETRY_SECONDS),
            _ => None,
        }
    }

    /// The sentence a client sees.
    pub fn detail(&self) -> String {
        if self.status() == StatusCode::INTERNAL_SERVER_ERROR {
            return "Something failed on our side and was logged. Quote the request id to the person who runs this."
                .to_owned();
        }
        if self.is_outage() {
            return "The database, the storage or the queue did not answer just now. Look whether anything changed, and \
                    try again in some seconds; if it goes on, quote the request id to the person who runs this."
                .to_owned();
        }
        self.to_string()
    }

    pub fn field_errors(&self) -> &[FieldError] {
        match self {
            Self::Invalid(errors) => errors,
            _ => &[],
        }
    }
}

fn summary(errors: &[FieldError]) -> String {
    let sentences: Vec<String> = errors.iter().map(|error| format!("{}: {}", error.field, error.detail)).collect();
    sentences.join("; ")
}

/// The body of an error answer. `request_id` is filled in by [`crate::http::request_id`].
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: &'static str,
    pub status: u16,
    pub detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// Members that one entrance adds, such as `tool` on a refused call.
    #[serde(flatten)]
    pub more: serde_json::Map<String, serde_json::Value>,
}

impl Problem {
    pub fn new(status: StatusCode, detail: String) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            request_id: None,
            errors: Vec::new(),
            more: serde_json::Map::new(),
        }
    }
}

impl From<&AppError> for Problem {
    fn from(error: &AppError) -> Self {
        Self { errors: error.field_errors().to_vec(), ..Self::new(error.status(), error.detail()) }
    }
}

impl IntoResponse for Problem {
    /// The body is written once the request id is known; until then the problem travels beside an empty one.
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.extensions_mut().insert(self);
        response
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response<Body> {
        if self.status().is_server_error() {
            tracing::error!(error = %self, "The request failed");
        }
        let mut response = Problem::from(&self).into_response();
        if let Self::Unauthorized { challenge, .. } = &self
            && let Ok(challenge) = HeaderValue::from_str(challenge)
        {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after_seconds() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
