//! POST /mcp: from a body to its answer, whatever the body is.
//!
//! Must stay true: the credential was checked before; pages of foreign origins are refused by what is configured, never by
//! what the request says of its own host, since a page that has taken over a name says both.

use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Asking, dispatch,
    era::Era,
    message::{Message, Refused},
    reply::{Code, RpcError},
};
use crate::{
    app::App,
    config::is_loopback_host,
    error::AppError,
    http::{auth, auth::Caller, body, oauth},
};

/// POST /mcp.
pub async fn answer(
    app: App,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Response {
    match receive(&app, &headers, &uri, body).await {
        Ok(Message::Notification | Message::Response) => StatusCode::ACCEPTED.into_response(),
        Ok(Message::Request(request)) => {
            let era = Era::of(&headers, &request);
            let asking = Asking { app: app.clone(), caller, era };
            let outcome = match era.check(&headers, &request) {
                Ok(()) => dispatch(&asking, &request.method, request.params).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(reply) => {
                    let message = json!({ "jsonrpc": "2.0", "id": request.id, "result": reply.into_result(era) });
                    written(StatusCode::OK, &message)
                }
                Err(error) => {
                    let challenge = step_up(&app, &headers, &uri, &error);
                    let mut response = refusal(error, Some(request.id), era);
                    response.headers_mut().extend(challenge);
                    response
                }
            }
        }
        Err(Refused { id, error }) => refusal(error, id, Era::Handshake),
    }
}

/// What tells an OAuth client the scopes to ask its user for, where these are what is lacking.
fn step_up(app: &App, headers: &HeaderMap, uri: &Uri, error: &RpcError) -> Option<(HeaderName, HeaderValue)> {
    let challenge = oauth::step_up_challenge(app, headers, uri, error.wanted_scopes()?)?;
    Some((header::WWW_AUTHENTICATE, HeaderValue::from_str(&challenge).ok()?))
}

fn refusal(error: RpcError, id: Option<Value>, era: Era) -> Response {
    tracing::debug!(code = ?error.code(), "An MCP message was refused");
    written(error.http_status(era), &error.into_message(id, era))
}

fn written(status: StatusCode, message: &Value) -> Response {
    let bytes = serde_json::to_vec(message).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], bytes).into_response()
}

/// The message, once it is certain that it may be read.
async fn receive(app: &App, headers: &HeaderMap, uri: &Uri, body: Body) -> Result<Message, Refused> {
    let refuse = |status: StatusCode, sentence: &str| Refused {
        id: None,
        error: RpcError::new(Code::InvalidRequest, sentence).with_status(status),
    };
    if !is_from_an_allowed_origin(app, headers, uri) {
        return Err(refuse(StatusCode::FORBIDDEN, "Pages of this origin may not call."));
    }
    if !has_json(headers) {
        return Err(refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Content-Type must be application/json."));
    }
    if !takes_json(headers) {
        return Err(refuse(StatusCode::NOT_ACCEPTABLE, "Accept must list application/json."));
    }
    match body::bytes(headers, body).await {
        Ok(bytes) => Message::parse(&bytes),
        Err(error @ AppError::TooLarge(_)) => Err(refuse(StatusCode::PAYLOAD_TOO_LARGE, &error.detail())),
        Err(error) => Err(refuse(StatusCode::BAD_REQUEST, &error.detail())),
    }
}

/// Without an Origin it is no page that calls. Pages of this machine may call what runs on this machine.
fn is_from_an_allowed_origin(app: &App, headers: &HeaderMap, uri: &Uri) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let own = app.config.public_url.as_deref();
    if app.config.cors_allowed_origins.contains(origin) || own.is_some_and(|own| origin == own) {
        return true;
    }
    let host = |origin: &str| origin.split_once("://").map(|(_, host)| host.to_owned());
    let is_local = |origin: &str| host(origin).is_some_and(|host| is_loopback_host(&host));
    origin.to_str().is_ok_and(is_local) && own.map_or_else(|| auth::is_loopback(headers, uri), is_local)
}

fn has_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}

/// Whether JSON is among what the client takes; who says nothing takes everything.
fn takes_json(headers: &HeaderMap) -> bool {
    let mut accepted = headers.get_all(header::ACCEPT).iter().peekable();
    if accepted.peek().is_none() {
        return true;
    }
    let lists_json = |list: &str| {
        list.split(',').any(|range| {
            let range = range.split(';').next().unwrap_or_default().trim();
            ["application/json", "application/*", "*/*"].iter().any(|json| range.eq_ignore_ascii_case(json))
        })
    };
    accepted.any(|value| value.to_str().is_ok_and(lists_json))
}
