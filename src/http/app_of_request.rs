//! The application as an argument of handlers. The router is built once in each isolate, for that costs more than most answers;
//! what it works with is made anew for each event, so that every request brings its own.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{app::App, error::AppError};

impl<S: Send + Sync> FromRequestParts<S> for App {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, AppError> {
        parts.extensions.get().cloned().ok_or(AppError::Internal("a request without an application"))
    }
}
