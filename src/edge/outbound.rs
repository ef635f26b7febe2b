//! Requests to others through the platform's `fetch`.
//!
//! Must stay true: redirects come back as they are; the time limit covers headers and body; a body that is not wanted any
//! more is let go of with its request.

use axum::http::{HeaderName, HeaderValue, Request, Response};
use bytes::Bytes;
use futures_util::{
    StreamExt,
    future::{BoxFuture, Either, select},
};
use std::time::Duration;
use worker::{
    AbortController, AbortSignal, Delay, Fetch, Headers, Method, RequestInit, RequestRedirect, send::SendFuture,
};

use crate::outbound::{Outbound, OutboundError, OutboundLimits};

pub struct PlatformFetch;

impl Outbound for PlatformFetch {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: OutboundLimits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, OutboundError>> {
        Box::pin(SendFuture::new(async move {
            let abort = AbortController::default();
            let signal = abort.signal();
            let exchange = std::pin::pin!(exchange(request, &signal, limits.max_bytes));
            let limit = Delay::from(Duration::from_millis(u64::from(limits.timeout_ms)));
            match select(exchange, limit).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => {
                    abort.abort();
                    Err(OutboundError::TimedOut(limits.timeout_ms))
                }
            }
        }))
    }
}

async fn exchange(
    request: Request<Bytes>,
    signal: &AbortSignal,
    max_bytes: usize,
) -> Result<Response<Bytes>, OutboundError> {
    let failed = |error: worker::Error| {
        OutboundError::NotReached(error.to_string().lines().next().unwrap_or_default().to_owned())
    };
    let sent = platform_request(request).map_err(failed)?;
    let mut answer = Fetch::Request(sent).send_with_signal(signal).await.map_err(failed)?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = answer
        .status_code()
        .try_into()
        .map_err(|_| OutboundError::NotReached("the answer has no known status".to_owned()))?;
    for (name, value) in answer.headers() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().append(name, value);
        }
    }
    let mut body = Vec::new();
    // An answer without a body has no stream either.
    if let Ok(mut chunks) = answer.stream() {
        while let Some(chunk) = chunks.next().await {
            body.extend_from_slice(&chunk.map_err(failed)?);
            if body.len() > max_bytes {
                return Err(OutboundError::TooLarge(max_bytes));
            }
        }
    }
    *response.body_mut() = Bytes::from(body);
    Ok(response)
}

fn platform_request(request: Request<Bytes>) -> worker::Result<worker::Request> {
    let (parts, body) = request.into_parts();
    let headers = Headers::new();
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(|_| worker::Error::RustError("a header is no text".to_owned()))?;
        headers.append(name.as_str(), value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(Method::from(parts.method.as_str().to_owned()))
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual);
    if !body.is_empty() {
        init.with_body(Some(js_sys::Uint8Array::from(body.as_ref()).into()));
    }
    worker::Request::new_with_init(&parts.uri.to_string(), &init)
}
