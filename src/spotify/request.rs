//! One question to the Web API, and what its answer means.
//!
//! Must stay true: the token goes to the configured host and nowhere else; what varies in an address is escaped; a 401
//! is refreshed once; only a 429 blocks, and only its own family; a 403 says nothing about the authorization.

use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    error::{Family, Refusal, SpotifyError, TransientCause},
    retry,
    session::Session,
};
use crate::{
    app::App,
    domain::instant::Millis,
    outbound::{OutboundError, OutboundLimits},
    sealing::Secret,
};

/// A page of 50 plays is some 150 KB; a slow phone line is none of Spotify's.
pub(super) const LIMITS: OutboundLimits = OutboundLimits { timeout_ms: 15_000, max_bytes: 2 * 1024 * 1024 };

/// What a query string leaves as it is (RFC 3986, unreserved).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A GET of the Web API.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub family: Family,
    path_and_query: String,
}

impl Question {
    /// `path` is fixed text of the program; what varies goes through [`Question::with`].
    pub fn new(family: Family, path: &'static str) -> Self {
        Self { family, path_and_query: path.to_owned() }
    }

    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.path_and_query.push(if self.path_and_query.contains('?') { '&' } else { '?' });
        self.path_and_query.push_str(name);
        self.path_and_query.push('=');
        self.path_and_query.push_str(&escaped(&format!("{value}")));
        self
    }
}

/// A value as it may stand in a query string or a form.
pub fn escaped(value: &str) -> String {
    utf8_percent_encode(value, ESCAPED).to_string()
}

/// Asks with the user's token, refreshing it first when it is over, and once more when Spotify says so.
pub(super) async fn get(app: &App, session: &mut Session, question: &Question) -> Result<Value, SpotifyError> {
    session.check_block(question.family, app.now())?;
    if !session.is_fresh(app.now()) {
        session.refresh(app).await?;
    }
    let mut answer = ask(app, &session.access_token, question).await;
    if let Ok(Answer::TokenNotTaken) = answer {
        session.refresh(app).await?;
        answer = ask(app, &session.access_token, question).await;
    }
    match answer? {
        Answer::Document(document) => Ok(document),
        Answer::TokenNotTaken => Err(transient(app, TransientCause::TokenNotTaken, None)),
        Answer::Blocked { until, is_quota } => Err(session.block(app, question.family, until, is_quota).await),
    }
}

/// What came back, as far as it is not an error already.
pub(super) enum Answer {
    Document(Value),
    /// 401.
    TokenNotTaken,
    /// 429.
    Blocked {
        until: Millis,
        is_quota: bool,
    },
}

/// One exchange.
pub(super) async fn ask(app: &App, token: &Secret, question: &Question) -> Result<Answer, SpotifyError> {
    let address = format!("{}{}", app.config.spotify.api_base, question.path_and_query);
    let malformed = |what| SpotifyError::Malformed { family: question.family, what };
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
        .map_err(|_| malformed("the token cannot be sent"))?;
    bearer.set_sensitive(true);
    let request = Request::builder()
        .method(Method::GET)
        .uri(address)
        .header(header::AUTHORIZATION, bearer)
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|_| malformed("the question cannot be sent"))?;
    let response = send(app, question.family, request).await?;
    read(app, question.family, &response)
}

/// Sends a request; no answer is an error of its own kind.
pub(super) async fn send(app: &App, family: Family, request: Request<Bytes>) -> Result<Response<Bytes>, SpotifyError> {
    app.outbound.send(request, LIMITS).await.map_err(|error| {
        // The platform's own words may hold an address; the log is told the kind alone.
        match error {
            OutboundError::TimedOut(_) => transient(app, TransientCause::TimedOut, None),
            OutboundError::NotReached(_) => transient(app, TransientCause::NotReached, None),
            OutboundError::TooLarge(_) => SpotifyError::Malformed { family, what: "it is too large" },
        }
    })
}

/// An error that is worth another try, with the first wait unless Spotify said how long.
pub(super) fn transient(app: &App, cause: TransientCause, retry_after_ms: Option<i64>) -> SpotifyError {
    let by_chance = || retry::backoff_ms(1, retry::chance(&app.clock.random_hex()));
    SpotifyError::Transient { cause, retry_after_ms: retry_after_ms.unwrap_or_else(by_chance) }
}

fn read(app: &App, family: Family, response: &Response<Bytes>) -> Result<Answer, SpotifyError> {
    let status = response.status();
    let refused = |why| Err(SpotifyError::Refused { family, why });
    match status {
        StatusCode::OK => serde_json::from_slice(response.body())
            .map(Answer::Document)
            .map_err(|_| SpotifyError::Malformed { family, what: "it is no JSON" }),
        StatusCode::UNAUTHORIZED => Ok(Answer::TokenNotTaken),
        StatusCode::TOO_MANY_REQUESTS => {
            let (until, is_quota) = blocked(response, app.now());
            Ok(Answer::Blocked { until, is_quota })
        }
        StatusCode::FORBIDDEN => refused(forbidden(response.body())),
        _ if status.is_server_error() => {
            let said = retry::retry_after_ms(response.headers(), app.now());
            Err(transient(app, TransientCause::ServerError(status.as_u16()), said))
        }
        _ if status.is_client_error() => refused(Refusal::Status(status.as_u16())),
        _ if status.is_redirection() => Err(SpotifyError::Malformed { family, what: "it is a redirect" }),
        _ => Err(SpotifyError::Malformed { family, what: "it has no content" }),
    }
}

/// Until when a 429 wants to be left alone, and whether it is a quota that is used up.
pub(super) fn blocked(response: &Response<Bytes>, now: Millis) -> (Millis, bool) {
    let is_quota = contains(response.body(), "QUOTA_EXCEEDED");
    (retry::blocked_until(response.headers(), is_quota, now), is_quota)
}

/// Spotify's words for a 403, as far as they are known; some come as plain text.
fn forbidden(body: &[u8]) -> Refusal {
    if contains(body, "scope") || contains(body, "Permissions missing") {
        Refusal::MissingScope
    } else if contains(body, "not registered") {
        Refusal::NotOnAllowList
    } else if contains(body, "premium") || contains(body, "Premium") {
        Refusal::OwnerNeedsPremium
    } else {
        Refusal::Forbidden
    }
}

fn contains(body: &[u8], words: &str) -> bool {
    // Error bodies are short; what is long is none of those that are looked for.
    body.len() < 64 * 1024 && String::from_utf8_lossy(body).contains(words)
}

/// The items of a list that are readable; `None` when it is no list.
pub(super) fn items<T: DeserializeOwned>(list: Value) -> Option<Vec<T>> {
    let Value::Array(items) = list else { return None };
    Some(items.into_iter().filter_map(|item| serde_json::from_value(item).ok()).collect())
}
