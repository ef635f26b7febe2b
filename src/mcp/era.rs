//! The two eras of the protocol, and what a request of each must say in its headers.
//!
//! Must stay true: what the headers claim equals what the body says, so that whoever routes or filters by headers is not
//! deceived. <https://modelcontextprotocol.io/specification/2026-07-28/basic/transports>

use axum::http::{HeaderMap, HeaderName};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    message::Request,
    reply::{Code, RpcError},
};

pub const VERSION_HEADER: HeaderName = HeaderName::from_static("mcp-protocol-version");
pub const METHOD_HEADER: HeaderName = HeaderName::from_static("mcp-method");
pub const NAME_HEADER: HeaderName = HeaderName::from_static("mcp-name");

/// The revision in which every request carries its own metadata.
pub const PER_REQUEST_VERSION: &str = "2026-07-28";
/// Revisions with a handshake, newest first.
pub const HANDSHAKE_VERSIONS: [&str; 2] = ["2025-11-25", "2025-06-18"];
/// Everything that is spoken here, newest first.
pub const VERSIONS: [&str; 3] = ["2026-07-28", "2025-11-25", "2025-06-18"];
/// Revisions with a handshake that are not spoken any more: the first two want batches or another transport.
const OLDER_VERSIONS: [&str; 2] = ["2025-03-26", "2024-11-05"];

const VERSION_FIELD: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES_FIELD: &str = "io.modelcontextprotocol/clientCapabilities";

/// By whose rules a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// Up to 2025-11-25.
    Handshake,
    /// Since 2026-07-28.
    PerRequest,
}

impl Era {
    pub fn of(headers: &HeaderMap, request: &Request) -> Self {
        let is_handshake = |version: &str| HANDSHAKE_VERSIONS.contains(&version) || OLDER_VERSIONS.contains(&version);
        let names_another = header(headers, &VERSION_HEADER).is_some_and(|version| !is_handshake(version));
        if names_another || request.meta(VERSION_FIELD).is_some() || request.method == "server/discover" {
            Self::PerRequest
        } else {
            Self::Handshake
        }
    }

    /// Checks what a request of this era says about itself.
    pub fn check(self, headers: &HeaderMap, request: &Request) -> Result<(), RpcError> {
        match self {
            Self::Handshake => check_handshake(headers),
            Self::PerRequest => check_per_request(headers, request),
        }
    }
}

/// A header's text; one that is no text is as good as a wrong one.
fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

fn check_handshake(headers: &HeaderMap) -> Result<(), RpcError> {
    match header(headers, &VERSION_HEADER) {
        Some(version) if !HANDSHAKE_VERSIONS.contains(&version) => {
            let spoken = VERSIONS.join(", ");
            Err(RpcError::new(Code::InvalidRequest, format!("MCP-Protocol-Version must be one of: {spoken}")))
        }
        _ => Ok(()),
    }
}

fn check_per_request(headers: &HeaderMap, request: &Request) -> Result<(), RpcError> {
    let mismatch = |sentence: &str| RpcError::new(Code::HeaderMismatch, sentence);
    let version = header(headers, &VERSION_HEADER).ok_or_else(|| mismatch("MCP-Protocol-Version is missing."))?;
    match header(headers, &METHOD_HEADER) {
        Some(method) if method == request.method => {}
        Some(_) => return Err(mismatch("Mcp-Method is not the method of the body.")),
        None => return Err(mismatch("Mcp-Method is missing.")),
    }
    if let Some(field) = named_by(&request.method) {
        let claimed = header(headers, &NAME_HEADER).ok_or_else(|| mismatch("Mcp-Name is missing."))?;
        let said = request.params.get(field).and_then(Value::as_str);
        if decoded(claimed).as_deref() != said {
            return Err(mismatch("Mcp-Name is not the name in the body."));
        }
    }
    let missing = |field: &str| RpcError::malformed_params(format!("params._meta[\"{field}\"] is required"));
    let stated = request.meta(VERSION_FIELD).and_then(Value::as_str).ok_or_else(|| missing(VERSION_FIELD))?;
    if !request.meta(CAPABILITIES_FIELD).is_some_and(Value::is_object) {
        return Err(missing(CAPABILITIES_FIELD));
    }
    if stated != version {
        return Err(mismatch("MCP-Protocol-Version is not the version in the body."));
    }
    if version != PER_REQUEST_VERSION {
        let data = json!({ "supported": [PER_REQUEST_VERSION], "requested": version });
        return Err(
            RpcError::new(Code::UnsupportedVersion, "This protocol version is not spoken here.").with_data(data)
        );
    }
    Ok(())
}

/// The parameter that `Mcp-Name` repeats.
fn named_by(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        _ => None,
    }
}

/// A name as headers carry it: as it is, or `=?base64?...?=` where it holds what a header cannot.
fn decoded(claimed: &str) -> Option<String> {
    match claimed.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(claimed.to_owned()),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok(),
    }
}
