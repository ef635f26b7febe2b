//! What a client asks for at `/authorize`.
//!
//! Must stay true: until client and redirect address are known to belong together, what is wrong is told to the person alone;
//! after that, to the client. Without PKCE (S256), or for another resource than ours, nothing is given.

use axum::http::Uri;

use super::Issuer;
use crate::{
    domain::credential::{Scope, Scopes},
    http::query::{form_pairs, has_doubles},
};

/// The parameters as they came.
pub struct Parameters(Vec<(String, String)>);

/// What is wrong, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    pub code: &'static str,
    pub sentence: &'static str,
}

const fn fault(code: &'static str, sentence: &'static str) -> Fault {
    Fault { code, sentence }
}

/// A request that can be consented to.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    pub code_challenge: String,
    pub scopes: Scopes,
}

const MAX_QUERY_CHARS: usize = 8_000;
/// RFC 7636: the digest of a verifier, in unpadded base64url.
const CHALLENGE_CHARS: usize = 43;

impl Parameters {
    /// # Errors
    /// A sentence for the person: too long, or a parameter given twice (RFC 6749, 3.1).
    pub fn parse(uri: &Uri) -> Result<Self, &'static str> {
        let query = uri.query().unwrap_or_default();
        if query.len() > MAX_QUERY_CHARS {
            return Err("The client's request is too long.");
        }
        let pairs = form_pairs(query);
        // RFC 8707 lets `resource` come more than once.
        let names = pairs.iter().map(|(name, _)| name.as_str()).filter(|name| *name != "resource");
        if has_doubles(names) { Err("The client's request says something twice.") } else { Ok(Self(pairs)) }
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// # Errors
    /// What the client has to do differently.
    pub fn check(&self, issuer: &Issuer) -> Result<Wanted, Fault> {
        if self.get("request").is_some() || self.get("request_uri").is_some() {
            return Err(fault("request_not_supported", "Request objects are not supported."));
        }
        if self.get("response_type") != Some("code") {
            return Err(fault("unsupported_response_type", "response_type must be code."));
        }
        if self.get("code_challenge_method") != Some("S256") {
            return Err(fault("invalid_request", "code_challenge_method must be S256."));
        }
        let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let code_challenge = self
            .get("code_challenge")
            .filter(|challenge| challenge.len() == CHALLENGE_CHARS && challenge.bytes().all(is_base64url))
            .ok_or(fault("invalid_request", "code_challenge must be the S256 challenge of a code verifier."))?;
        let mut resources = self.0.iter().filter(|(name, _)| name == "resource").map(|(_, value)| value);
        if !resources.all(|resource| issuer.is_resource(resource)) {
            return Err(fault("invalid_target", "resource must be the MCP endpoint of this server."));
        }
        Ok(Wanted { code_challenge: code_challenge.to_owned(), scopes: self.scopes()? })
    }

    /// The scopes that are ours; without any word, reading. Others are left out, as a server may (RFC 6749, 3.3), unless nothing is left.
    fn scopes(&self) -> Result<Scopes, Fault> {
        let Some(text) = self.get("scope") else { return Ok(Scopes::default().with(Scope::Read)) };
        let scopes: Scopes = text.split(' ').filter_map(Scope::parse).collect();
        let is_only_to_stay = text.split(' ').all(|word| word.is_empty() || word == "offline_access");
        match (scopes.is_empty(), is_only_to_stay) {
            (false, _) => Ok(scopes),
            (true, true) => Ok(Scopes::default().with(Scope::Read)),
            (true, false) => Err(fault("invalid_scope", "None of these scopes is known; known are read and ops.")),
        }
    }
}
