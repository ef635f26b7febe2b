//! What can go wrong, on demand.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{FakeSpotify, Manner, Reply};

/// One way to misbehave.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// 5xx, or any other status.
    Status { status: u16 },
    /// 429 of the rolling window; `retry_after` goes out as it stands: seconds, a date, nonsense, or not at all.
    RateLimited { retry_after: Option<String> },
    /// 429 of a quota that is used up.
    QuotaExceeded { retry_after: Option<String> },
    /// 429 whose `Retry-After` is an HTTP date, so many seconds from the fake's now.
    RateLimitedUntil { in_seconds: i64 },
    /// 401 whatever the token.
    TokenNotTaken,
    /// The token endpoint's end of an authorization.
    InvalidGrant,
    /// No answer ever.
    TimesOut,
    /// The connection ends without an answer.
    Resets,
    /// An answer that arrives byte by byte.
    SlowBody,
    /// An answer that breaks off in the middle.
    CutOff,
    /// A page instead of JSON.
    NotJson,
    /// A redirect to somewhere else.
    Redirect { to: String },
    /// Every item twice.
    Duplicates,
    /// Items without fields they should have: one without a track, one without a time, one without names.
    MissingFields,
}

/// A fault and when it happens.
#[derive(Clone, Debug)]
pub(super) struct Planned {
    pub path: String,
    pub fault: Fault,
    pub times: u32,
}

impl FakeSpotify {
    pub(super) fn next_fault(&mut self, path: &str) -> Option<Fault> {
        let planned = self.faults.iter_mut().find(|planned| planned.times > 0 && path.starts_with(&planned.path))?;
        planned.times -= 1;
        let fault = planned.fault.clone();
        self.faults.retain(|planned| planned.times > 0);
        Some(fault)
    }
}

impl Fault {
    /// The reply in place of the real one, for faults that leave nothing of it.
    pub(super) fn instead(&self, path: &str, now_ms: i64) -> Option<Reply> {
        let silent = |manner| Some(Reply { manner, ..Reply::text(200, "") });
        match self {
            Self::Status { status } => Some(Reply::text(*status, "upstream connect error")),
            Self::RateLimited { retry_after } => {
                Some(retrying(Reply::error(429, "API rate limit exceeded"), retry_after.as_deref()))
            }
            Self::RateLimitedUntil { in_seconds } => {
                let date = http_date(now_ms / 1_000 + in_seconds);
                Some(retrying(Reply::error(429, "API rate limit exceeded"), Some(&date)))
            }
            Self::QuotaExceeded { retry_after } => {
                let body =
                    json!({"error": {"status": 429, "message": "Too many requests", "reason": "QUOTA_EXCEEDED"}});
                Some(retrying(Reply::json(429, &body), retry_after.as_deref()))
            }
            Self::TokenNotTaken => Some(Reply::error(401, "Access token missing")),
            Self::InvalidGrant if path == "/api/token" => {
                let body = json!({"error": "invalid_grant", "error_description": "Refresh token revoked"});
                Some(Reply::json(400, &body))
            }
            Self::InvalidGrant => Some(Reply::error(401, "Invalid access token")),
            Self::TimesOut => silent(Manner::Never),
            Self::Resets => silent(Manner::Reset),
            Self::NotJson => Some(Reply::html("<html>Spotify is having a moment</html>".to_owned())),
            Self::Redirect { to } => Some(Reply::redirect(to)),
            Self::SlowBody | Self::CutOff | Self::Duplicates | Self::MissingFields => None,
        }
    }

    /// What becomes of the real reply.
    pub(super) fn after(&self, mut reply: Reply) -> Reply {
        match self {
            Self::SlowBody => reply.manner = Manner::Slowly,
            Self::CutOff => reply.body.truncate(reply.body.len() * 2 / 3),
            Self::Duplicates => change_items(&mut reply, |items| {
                *items = items.iter().flat_map(|item| [item.clone(), item.clone()]).collect();
            }),
            Self::MissingFields => change_items(&mut reply, |items| {
                for (number, item) in items.iter_mut().enumerate() {
                    lose_fields(number, item);
                }
            }),
            _ => {}
        }
        reply
    }
}

fn lose_fields(number: usize, item: &mut Value) {
    let Some(fields) = item.as_object_mut() else { return };
    match number % 7 {
        1 => drop(fields.insert("track".to_owned(), Value::Null)),
        2 => drop(fields.remove("played_at")),
        3 => {
            if let Some(track) = fields.get_mut("track").and_then(Value::as_object_mut) {
                track.retain(|name, _| name == "uri");
            }
        }
        4 => drop(fields.remove("context")),
        _ => {}
    }
}

fn retrying(reply: Reply, retry_after: Option<&str>) -> Reply {
    match retry_after {
        Some(text) => reply.with("retry-after", text),
        None => reply,
    }
}

fn change_items(reply: &mut Reply, change: impl FnOnce(&mut Vec<Value>)) {
    let Ok(mut document) = serde_json::from_slice::<Value>(&reply.body) else { return };
    if let Some(items) = document.get_mut("items").and_then(Value::as_array_mut) {
        change(items);
        reply.body = document.to_string().into_bytes();
    }
}

/// `Mon, 23 Nov 2026 12:01:30 GMT`.
pub(super) fn http_date(unix_seconds: i64) -> String {
    let at = jiff::Timestamp::from_second(unix_seconds).unwrap_or_default();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
