//! What every answer carries: a request id, the security headers, and the body of a problem.
//!
//! Must stay true: a caller's own id is taken only if it is short and plain, since it reaches logs and headers.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, Response, header},
    middleware::Next,
};

use crate::error::Problem;

pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The id of the request in hand; the entrance puts it into the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The caller's id if it matches `[A-Za-z0-9._-]{1,64}`.
    pub fn accepted(presented: Option<&HeaderValue>) -> Option<Self> {
        let text = presented?.to_str().ok()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        ((1..=64).contains(&text.len()) && text.bytes().all(plain)).then(|| Self(text.to_owned()))
    }
}

/// Sets the headers of every answer and writes the body of a problem.
pub async fn finish(request: Request, next: Next) -> Response<Body> {
    let id = request.extensions().get::<RequestId>().cloned();
    let is_https = request.uri().scheme_str() == Some("https");
    let mut response = next.run(request).await;
    if let Some(mut problem) = response.extensions_mut().remove::<Problem>() {
        problem.request_id = id.as_ref().map(|id| id.0.clone());
        *response.body_mut() = Body::from(serde_json::to_vec(&problem).unwrap_or_default());
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    // A page that needs more says so itself; nothing else may load, run or be framed, whatever a browser takes it for.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'"));
    if is_https {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    if let Some(value) = id.and_then(|id| HeaderValue::from_str(&id.0).ok()) {
        headers.insert(HEADER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_plain_ids_are_taken_over() {
        let accepted = |text: &'static str| RequestId::accepted(Some(&HeaderValue::from_static(text))).is_some();
        assert!(accepted("a.B-9_"));
        assert!(!accepted(""));
        assert!(!accepted("with blank"));
        assert!(!accepted("0123456789012345678901234567890123456789012345678901234567890123456789"));
        assert!(RequestId::accepted(None).is_none());
    }
}
