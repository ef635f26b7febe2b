//! JSON-RPC messages as clients send them.
//!
//! Must stay true: a message is a request, a notification or an answer to one of ours, or it is refused with the code
//! that says why, together with its id wherever that can be told.

use serde_json::{Map, Value};

use super::reply::{Code, RpcError};

/// What a body holds.
#[derive(Debug)]
pub enum Message {
    Request(Request),
    /// Something told; nobody waits for an answer.
    Notification,
    /// An answer; nothing is ever asked from here.
    Response,
}

#[derive(Debug)]
pub struct Request {
    /// A string or a whole number.
    pub id: Value,
    pub method: String,
    pub params: Map<String, Value>,
}

impl Request {
    /// A field of `params._meta`.
    pub fn meta(&self, field: &str) -> Option<&Value> {
        self.params.get("_meta")?.get(field)
    }
}

/// A message that was refused, with its id if it has one.
pub struct Refused {
    pub id: Option<Value>,
    pub error: RpcError,
}

impl Message {
    pub fn parse(body: &[u8]) -> Result<Self, Refused> {
        let refuse = |id: Option<Value>, error: RpcError| Err(Refused { id, error });
        let invalid = |sentence: &str| RpcError::new(Code::InvalidRequest, sentence);
        let Ok(value) = serde_json::from_slice::<Value>(body) else {
            return refuse(None, RpcError::new(Code::ParseError, "The body is not JSON."));
        };
        let mut object = match value {
            Value::Object(object) => object,
            Value::Array(_) => return refuse(None, invalid("Batches are not taken: send one message at a time.")),
            _ => return refuse(None, invalid("A message is a JSON object.")),
        };
        let given = object.remove("id");
        let has_id = given.is_some();
        let id = given.filter(|id| id.is_string() || id.is_i64() || id.is_u64());
        if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return refuse(id, invalid("jsonrpc must be \"2.0\"."));
        }
        let method = match object.remove("method") {
            Some(Value::String(method)) => method,
            None if object.contains_key("result") || object.contains_key("error") => return Ok(Self::Response),
            _ => return refuse(id, invalid("method is required and must be a string.")),
        };
        let params = match object.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return refuse(id, RpcError::malformed_params("params must be an object")),
        };
        match id {
            Some(id) => Ok(Self::Request(Request { id, method, params })),
            None if has_id => refuse(None, invalid("id must be a string or a whole number.")),
            None => Ok(Self::Notification),
        }
    }
}
