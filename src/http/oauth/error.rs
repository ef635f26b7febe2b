//! Errors as OAuth's endpoints write them: `{error, error_description}` (RFC 6749, 5.2), which clients look for.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::error::{AppError, OUTAGE_RETRY_SECONDS};

#[derive(Debug, Serialize)]
pub struct OAuthError {
    #[serde(skip)]
    status: StatusCode,
    error: &'static str,
    error_description: String,
}

impl OAuthError {
    /// 400 with one of the registered codes; the sentence never repeats what was sent.
    pub fn new(error: &'static str, sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error, error_description: sentence.into() }
    }
}

impl From<AppError> for OAuthError {
    fn from(error: AppError) -> Self {
        let status = error.status();
        if status.is_server_error() {
            tracing::error!(%error, "The request failed");
        }
        let code = match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => "temporarily_unavailable",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request",
        };
        let status = if status == StatusCode::UNPROCESSABLE_ENTITY { StatusCode::BAD_REQUEST } else { status };
        Self { status, error: code, error_description: error.detail() }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(OUTAGE_RETRY_SECONDS));
        }
        response
    }
}
