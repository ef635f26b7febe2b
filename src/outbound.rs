//! Requests to others: one port, with a time limit, a size limit and no redirects followed.
//!
//! Must stay true: a request that carries a secret goes to the host it names and nowhere else; a slow or endless answer
//! ends at its limit; an error never carries the request's headers or body.

use axum::http::{Request, Response};
use bytes::Bytes;
use futures_util::future::BoxFuture;

/// What one exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboundLimits {
    /// For the headers and the body together.
    pub timeout_ms: u32,
    /// Of the answer's body.
    pub max_bytes: usize,
}

/// Why there is no answer. Display carries neither headers nor bodies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    #[error("no answer within {0} ms")]
    TimedOut(u32),
    #[error("the answer is over {0} bytes")]
    TooLarge(usize),
    #[error("the other side was not reached: {0}")]
    NotReached(String),
}

/// Sends requests to other servers.
pub trait Outbound: Send + Sync {
    /// The answer as it came, a redirect included: none is followed.
    fn send(
        &self,
        request: Request<Bytes>,
        limits: OutboundLimits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, OutboundError>>;
}
