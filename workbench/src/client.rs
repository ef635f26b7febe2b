//! A small blocking HTTP client for tests, the demo and the bench.
//!
//! Must stay true: every answer that arrives is a [`Response`], whatever its status; only a connection that fails is an
//! error. Redirects are answers too and are not followed.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;
use ureq::http::{Method, Request};

/// Talks to one server. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    base_url: String,
    agent: ureq::Agent,
    /// Sent with every request.
    headers: Vec<(String, String)>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Response {
    pub status: u16,
    /// In the order of the server; names in lower case. A name may be there more than once.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// No answer: the server could not be reached, or the connection broke.
#[derive(Debug)]
pub struct ClientError {
    request: String,
    source: ureq::Error,
}

impl fmt::Display for ClientError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.request, self.source)
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Divides the parts of a multipart body; long enough not to occur in an archive by chance.
const BOUNDARY: &str = "listenlog-workbench-6f1c2b7e90d84a35";

impl Client {
    /// A client of `base_url` (`http://127.0.0.1:8787`), without credentials.
    pub fn new(base_url: &str) -> Self {
        Self::with_timeout(base_url, Duration::from_mins(5))
    }

    /// The same, giving up on a whole request after `timeout`.
    pub fn with_timeout(base_url: &str, timeout: Duration) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(timeout));
        // The local Worker is not to be asked for through a proxy of the environment.
        let config = if base_url.starts_with("http://") { config.proxy(None) } else { config };
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            agent: config.build().new_agent(),
            headers: Vec::new(),
        }
    }

    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// This client with a header on every request, instead of any it had of that name.
    #[must_use]
    pub fn with_header(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    #[must_use]
    pub fn with_bearer(&self, token: &str) -> Self {
        self.with_header("authorization", &format!("Bearer {token}"))
    }

    #[must_use]
    pub fn with_basic(&self, user: &str, password: &str) -> Self {
        self.with_header("authorization", &format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))))
    }

    /// Any request. `path` begins with a slash and may carry a query; `headers` come after the client's own.
    ///
    /// # Errors
    /// When no answer arrives, or the method, path or a header is no HTTP.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Response, ClientError> {
        let failed = |source| ClientError { request: format!("{method} {}{path}", self.base_url), source };
        let method_parsed =
            Method::from_bytes(method.as_bytes()).map_err(|error| failed(ureq::Error::Http(error.into())))?;
        let mut request = Request::builder().method(method_parsed).uri(format!("{}{path}", self.base_url));
        for (name, value) in &self.headers {
            if !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)) {
                request = request.header(name, value);
            }
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = match body {
            Some(body) => request.body(body).map_err(ureq::Error::Http).and_then(|request| self.agent.run(request)),
            None => request.body(()).map_err(ureq::Error::Http).and_then(|request| self.agent.run(request)),
        };
        let (parts, body) = answer.map_err(failed)?.into_parts();
        let headers = parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let body = body.into_with_config().limit(u64::MAX).read_to_vec().map_err(failed)?;
        Ok(Response { status: parts.status.as_u16(), headers, body })
    }

    /// # Errors
    /// When no answer arrives.
    pub fn get(&self, path: &str) -> Result<Response, ClientError> {
        self.send("GET", path, &[], None)
    }

    /// # Errors
    /// When no answer arrives.
    pub fn delete(&self, path: &str) -> Result<Response, ClientError> {
        self.send("DELETE", path, &[], None)
    }

    /// # Errors
    /// When no answer arrives.
    pub fn post_json(&self, path: &str, body: &Value) -> Result<Response, ClientError> {
        self.post_bytes(path, "application/json", body.to_string().as_bytes())
    }

    /// # Errors
    /// When no answer arrives.
    pub fn patch_json(&self, path: &str, body: &Value) -> Result<Response, ClientError> {
        self.send("PATCH", path, &[("content-type", "application/json")], Some(body.to_string().as_bytes()))
    }

    /// # Errors
    /// When no answer arrives.
    pub fn put_json(&self, path: &str, body: &Value) -> Result<Response, ClientError> {
        self.send("PUT", path, &[("content-type", "application/json")], Some(body.to_string().as_bytes()))
    }

    /// # Errors
    /// When no answer arrives.
    pub fn post_bytes(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Response, ClientError> {
        self.send("POST", path, &[("content-type", content_type)], Some(body))
    }

    /// A form with one file, as browsers and `curl -F` send it.
    ///
    /// # Errors
    /// When no answer arrives.
    pub fn multipart(&self, path: &str, field: &str, filename: &str, bytes: &[u8]) -> Result<Response, ClientError> {
        let mut body = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"{filename}\"\r\n\
             Content-Type: application/zip\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        self.post_bytes(path, &format!("multipart/form-data; boundary={BOUNDARY}"), &body)
    }
}

impl Response {
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text, with replacement characters for what is none.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `Value::Null` when it is none, so that looking into an unexpected answer finds nothing.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpListener,
        thread,
    };

    use serde_json::json;

    use super::*;

    /// A server that answers one request with `answer` and gives back what it was sent.
    fn once(answer: &'static str) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let served = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut seen = Vec::new();
            let mut chunk = [0_u8; 4_096];
            while !complete(&seen) {
                let length = stream.read(&mut chunk).unwrap();
                seen.extend_from_slice(&chunk[..length]);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&seen).into_owned()
        });
        (url, served)
    }

    fn complete(seen: &[u8]) -> bool {
        let text = String::from_utf8_lossy(seen).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        body.len() >= length.map_or(0, |length| length.trim().parse().unwrap())
    }

    #[test]
    fn an_error_status_is_an_answer_like_any_other() {
        let (url, served) =
            once("HTTP/1.1 422 Unprocessable\r\nX-Request-Id: r1\r\nContent-Length: 13\r\n\r\n{\"title\":\"x\"}");
        let response = Client::new(&url).with_bearer("t").post_json("/a?b=1", &json!({"c": "é"})).unwrap();
        assert_eq!((response.status, response.header("x-request-id")), (422, Some("r1")));
        assert_eq!(response.json()["title"], "x");
        let seen = served.join().unwrap();
        assert!(seen.starts_with("POST /a?b=1 HTTP/1.1"), "{seen}");
        assert!(seen.contains("authorization: Bearer t") && seen.ends_with("{\"c\":\"é\"}"), "{seen}");
    }

    #[test]
    fn redirects_are_not_followed() {
        let (url, served) =
            once("HTTP/1.1 302 Found\r\nLocation: https://accounts.invalid/\r\nContent-Length: 0\r\n\r\n");
        let response = Client::new(&url).get("/auth/login").unwrap();
        assert_eq!((response.status, response.header("location")), (302, Some("https://accounts.invalid/")));
        served.join().unwrap();
    }

    #[test]
    fn a_file_goes_out_as_one_part_of_a_form() {
        let (url, served) = once("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}");
        let client = Client::new(&url).with_bearer("old").with_basic("user", "pass");
        assert_eq!(client.multipart("/import", "file", "a.zip", b"PK").unwrap().status, 201);
        let seen = served.join().unwrap();
        assert!(seen.contains("name=\"file\"; filename=\"a.zip\"") && seen.contains("\r\n\r\nPK\r\n--"), "{seen}");
        assert!(seen.contains("authorization: Basic dXNlcjpwYXNz") && !seen.contains("Bearer"), "{seen}");
    }

    #[test]
    fn nobody_there_is_an_error_that_names_the_request() {
        let url = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        };
        let error = Client::new(&url).get("/healthz").unwrap_err();
        assert!(error.to_string().starts_with(&format!("GET {url}/healthz: ")), "{error}");
    }
}
