//! What goes back: results and errors, with what each era adds to them.

use std::borrow::Cow;

use axum::http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{discovery, era::Era};
use crate::{domain::credential::Scopes, error::AppError};

/// What a method answers.
pub struct Reply {
    members: Map<String, Value>,
    freshness: Option<Freshness>,
}

/// How long a client may keep an answer, and whether it may share it.
#[derive(Clone, Copy)]
pub enum Freshness {
    /// The same for everyone.
    Shared,
    /// The same for this credential.
    Own,
    /// Good for this once.
    Stale,
}

const KEPT_MS: u64 = 300_000;

impl Reply {
    pub fn empty() -> Self {
        Self::of(Value::Null)
    }

    /// From a JSON object.
    pub fn of(value: Value) -> Self {
        let members = match value {
            Value::Object(members) => members,
            _ => Map::new(),
        };
        Self { members, freshness: None }
    }

    #[must_use]
    pub const fn kept(mut self, freshness: Freshness) -> Self {
        self.freshness = Some(freshness);
        self
    }

    /// The `result` of the answer, as this era expects it.
    pub fn into_result(self, era: Era) -> Value {
        let mut result = self.members;
        if era == Era::PerRequest {
            result.insert("resultType".to_owned(), "complete".into());
            let meta = json!({ "io.modelcontextprotocol/serverInfo": discovery::server_info() });
            result.insert("_meta".to_owned(), meta);
            if let Some(freshness) = self.freshness {
                let (scope, ttl_ms) = match freshness {
                    Freshness::Shared => ("public", KEPT_MS),
                    Freshness::Own => ("private", KEPT_MS),
                    Freshness::Stale => ("private", 0),
                };
                result.insert("cacheScope".to_owned(), scope.into());
                result.insert("ttlMs".to_owned(), ttl_ms.into());
            }
        }
        Value::Object(result)
    }
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    ParseError,
    InvalidRequest,
    MethodNotFound,
    InvalidParams,
    InternalError,
    /// Its number in the handshake era; since then it is [`Code::InvalidParams`].
    ResourceNotFound,
    HeaderMismatch,
    UnsupportedVersion,
}

impl Code {
    const fn number(self, era: Era) -> i32 {
        match self {
            Self::ParseError => -32_700,
            Self::InvalidRequest => -32_600,
            Self::MethodNotFound => -32_601,
            Self::InvalidParams => -32_602,
            Self::InternalError => -32_603,
            Self::ResourceNotFound => match era {
                Era::Handshake => -32_002,
                Era::PerRequest => -32_602,
            },
            Self::HeaderMismatch => -32_020,
            Self::UnsupportedVersion => -32_022,
        }
    }
}

/// A JSON-RPC error. Its sentences repeat nothing that was sent but names, cut.
#[derive(Clone, Debug)]
pub struct RpcError {
    code: Code,
    message: Cow<'static, str>,
    data: Option<Value>,
    /// The HTTP status, where it is not the one of the code.
    status: Option<StatusCode>,
    /// The scopes with which the answer would be another one.
    wanted_scopes: Option<Scopes>,
}

impl RpcError {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into().into(), data: None, status: None, wanted_scopes: None }
    }

    #[must_use]
    pub fn with_data(mut self, data: Value) -> Self {
        self.data = Some(data);
        self
    }

    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Parameters that name something there is not, or have the wrong values.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidParams, message)
    }

    /// Parameters that are no parameters of any request.
    pub fn malformed_params(message: impl Into<String>) -> Self {
        Self::invalid_params(message).with_status(StatusCode::BAD_REQUEST)
    }

    /// A token that an OAuth client could exchange for one with these scopes.
    pub fn insufficient_scope(wanted: Scopes) -> Self {
        let sentence =
            format!("This needs a token with the scopes `{}`: authorize again and allow them.", wanted.to_text());
        let refusal = Self::new(Code::InvalidRequest, sentence).with_status(StatusCode::FORBIDDEN);
        Self { wanted_scopes: Some(wanted), ..refusal }
    }

    pub const fn wanted_scopes(&self) -> Option<Scopes> {
        self.wanted_scopes
    }

    pub fn unknown_method(method: &str) -> Self {
        Self::new(Code::MethodNotFound, format!("There is no method {}.", clipped(method)))
    }

    pub const fn code(&self) -> Code {
        self.code
    }

    /// Clients of the handshake era take everything but 200 for a broken connection.
    pub fn http_status(&self, era: Era) -> StatusCode {
        self.status.unwrap_or(match (self.code, era) {
            (Code::MethodNotFound, Era::PerRequest) => StatusCode::NOT_FOUND,
            (Code::ParseError | Code::InvalidRequest | Code::HeaderMismatch | Code::UnsupportedVersion, _) => {
                StatusCode::BAD_REQUEST
            }
            _ => StatusCode::OK,
        })
    }

    /// The whole message. Without an id it answers something whose id could not be told.
    pub fn into_message(self, id: Option<Value>, era: Era) -> Value {
        let mut error = json!({ "code": self.code.number(era), "message": self.message });
        if let (Some(data), Some(members)) = (self.data, error.as_object_mut()) {
            members.insert("data".to_owned(), data);
        }
        let mut message = Map::from_iter([("jsonrpc".to_owned(), "2.0".into()), ("error".to_owned(), error)]);
        if let Some(id) = id {
            message.insert("id".to_owned(), id);
        }
        Value::Object(message)
    }
}

/// What fails where no tool can say it.
impl From<AppError> for RpcError {
    fn from(error: AppError) -> Self {
        if error.status().is_server_error() {
            tracing::error!(%error, "An MCP request failed");
            return Self::new(Code::InternalError, error.detail());
        }
        Self::invalid_params(error.detail())
    }
}

/// The typed parameters of a method. Fields that nobody knows are left to later revisions.
pub fn read<T: DeserializeOwned>(params: serde_json::Map<String, Value>) -> Result<T, RpcError> {
    serde_json::from_value(Value::Object(params)).map_err(|error| {
        let sentence: String = error.to_string().chars().take(200).collect();
        RpcError::invalid_params(sentence)
    })
}

/// Lists are in one piece, so that a cursor is always one that was never given out.
pub fn refuse_cursor(params: &Map<String, Value>) -> Result<(), RpcError> {
    match params.get("cursor") {
        None | Some(Value::Null) => Ok(()),
        Some(_) => Err(RpcError::invalid_params("cursor: this list has one page, so no cursor is valid")),
    }
}

/// A name that is told back is cut: it may be anything.
pub fn clipped(name: &str) -> String {
    name.chars().filter(|letter| !letter.is_control()).take(80).collect()
}
