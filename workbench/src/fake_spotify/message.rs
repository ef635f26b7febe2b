//! Requests and replies, without sockets.

use std::collections::HashMap;

use serde_json::Value;

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub fn query(&self) -> HashMap<String, String> {
        form(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    /// The fields of a body that is a form.
    pub fn form(&self) -> HashMap<String, String> {
        form(&String::from_utf8_lossy(&self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Fields of `application/x-www-form-urlencoded`, decoded.
pub fn form(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decoded(name), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => bytes.push(if *first == b'+' { b' ' } else { *first }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A value as it may stand in a query.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// How a reply arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Manner {
    #[default]
    AtOnce,
    /// Not at all; the connection stays open.
    Never,
    /// The connection ends without a reply.
    Reset,
    /// Byte by byte.
    Slowly,
}

/// What comes back.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub manner: Manner,
}

impl Reply {
    pub fn text(status: u16, text: &str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    pub fn html(text: String) -> Self {
        Self::of(200, "text/html; charset=utf-8", text.into_bytes())
    }

    pub fn json(status: u16, document: &Value) -> Self {
        Self::of(status, "application/json; charset=utf-8", document.to_string().into_bytes())
    }

    /// An error as the Web API words it.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &serde_json::json!({"error": {"status": status, "message": message}}))
    }

    pub fn redirect(to: &str) -> Self {
        Self::text(302, "").with("location", to)
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn of(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self { status, headers, body, manner: Manner::AtOnce }
    }
}
