//! The Worker, over HTTP.
//!
//! Must stay true: every refusal becomes a sentence that says what to do; only what may be repeated is tried again; no
//! sentence holds the credential.

use std::{io::Read, time::Duration};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use ureq::{
    SendBody,
    http::{Method, Request},
};

use crate::{arguments::Credential, clock, complaint::Complaint, job::Job, local::LocalArchive};

/// How long a Worker may be silent before it counts as not there.
const SILENCE: Duration = Duration::from_mins(2);
const CONNECT_WITHIN: Duration = Duration::from_secs(15);
/// Waits between tries of what may be repeated, in seconds: about five minutes in all.
const PATIENCE_SECONDS: [u64; 9] = [1, 2, 4, 8, 15, 30, 60, 60, 120];

pub struct Server {
    url: String,
    agent: ureq::Agent,
    authorization: Option<String>,
}

/// An answer, whatever its status.
pub struct Answer {
    pub status: u16,
    pub retry_after_seconds: Option<u64>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct User {
    pub id: i64,
    pub display_name: String,
}

#[derive(Deserialize)]
struct Listed<T> {
    items: Vec<T>,
    #[serde(default)]
    total: u64,
}

impl Answer {
    pub const fn is_success(&self) -> bool {
        self.status >= 200 && self.status < 300
    }

    /// Whether the same request may well succeed a little later.
    const fn is_passing(&self) -> bool {
        matches!(self.status, 429 | 500 | 502..=504 | 520..=530)
    }

    /// A member of the problem document, or of any other answer.
    pub fn member(&self, name: &str) -> Option<Value> {
        serde_json::from_slice::<Value>(&self.body).ok()?.get_mut(name).map(Value::take)
    }

    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Complaint> {
        serde_json::from_slice(&self.body).map_err(|_| {
            Complaint::refused("The Worker answered something that is not understood; is it of the same version?")
        })
    }

    /// Why the Worker did not do it, in one sentence.
    pub fn refusal(&self) -> Complaint {
        let said = self.member("detail").and_then(|detail| detail.as_str().map(str::to_owned));
        let id = self.member("request_id").and_then(|id| id.as_str().map(|id| format!(" (request {id})")));
        let said = format!("{}{}", said.unwrap_or_else(|| "It gave no reason.".to_owned()), id.unwrap_or_default());
        Complaint::refused(match self.status {
            401 => "The Worker does not accept the credential: ADMIN_TOKEN must be the token that the Worker has."
                .to_owned(),
            403 => format!("The credential is valid and does not allow this. {said}"),
            413 => format!("The archive is too large for one request: say PLAN=free to send it in slices. {said}"),
            503 => format!("The Worker is not ready: {said}"),
            status => format!("The Worker refused ({status}): {said}"),
        })
    }
}

impl Server {
    /// Says whether a Listenlog answers there.
    pub fn connect(url: &str, credential: Option<&Credential>) -> Result<Self, Complaint> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_WITHIN))
            .timeout_recv_response(Some(SILENCE))
            .timeout_recv_body(Some(SILENCE))
            .user_agent(concat!("listenlog-import/", env!("CARGO_PKG_VERSION")));
        // A Worker on this machine is not to be asked for through a proxy of the environment.
        let config = if url.starts_with("http://") { config.proxy(None) } else { config };
        let authorization = credential.map(|credential| credential.0.clone());
        let server = Self { url: url.to_owned(), agent: config.build().new_agent(), authorization };
        let answer = server.send("GET", "/healthz", None).map_err(|error| server.not_there(&error))?;
        let is_listenlog = answer.is_success() && answer.member("status").is_some();
        if !is_listenlog {
            return Err(Complaint::unreachable(format!(
                "{url} answers, but not as a Listenlog Worker does (GET /healthz gave {}).",
                answer.status
            )));
        }
        Ok(server)
    }

    pub fn not_there(&self, error: &ureq::Error) -> Complaint {
        let why = match error {
            ureq::Error::HostNotFound => "there is no host of that name".to_owned(),
            ureq::Error::Timeout(_) => "it does not answer in time".to_owned(),
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                "nothing listens there; is the Worker running (`make dev`)?".to_owned()
            }
            error => error.to_string(),
        };
        Complaint::unreachable(format!("{} cannot be reached: {why}.", self.url))
    }

    /// The user meant by an id or a name; the only one there is when none is named.
    pub fn user(&self, named: Option<&str>, create: bool) -> Result<User, Complaint> {
        if let Some(id) = named.and_then(|named| named.parse::<i64>().ok()) {
            let answer = self.patiently("GET", &format!("/admin/users/{id}"), None)?;
            return match answer.status {
                404 => Err(Complaint::refused(format!("There is no user {id}. {}", self.known_users()?))),
                _ if answer.is_success() => answer.read(),
                _ => Err(answer.refusal()),
            };
        }
        let users = self.users()?;
        let Some(name) = named else {
            return match users.as_slice() {
                [only] => Ok(only.clone()),
                [] => Err(Complaint::refused(
                    "The Worker has no user yet: say USER=name CREATE=1 to make one, or connect one to Spotify first.",
                )),
                _ => Err(Complaint::refused(format!("Whose history is it? Say USER=id. {}", told(&users)))),
            };
        };
        let called: Vec<&User> =
            users.iter().filter(|user| user.display_name.to_lowercase() == name.to_lowercase()).collect();
        match called.as_slice() {
            [user] => Ok((*user).clone()),
            [] if create => self.create_user(name),
            [] => {
                Err(Complaint::refused(format!("There is no user {name}. {} CREATE=1 makes the user.", told(&users))))
            }
            _ => Err(Complaint::refused(format!("Several users are called {name}: say USER=id. {}", told(&users)))),
        }
    }

    fn create_user(&self, name: &str) -> Result<User, Complaint> {
        let answer = self.once("POST", "/admin/users", Some(&json!({"display_name": name})))?;
        if answer.is_success() { answer.read() } else { Err(answer.refusal()) }
    }

    fn users(&self) -> Result<Vec<User>, Complaint> {
        let mut users: Vec<User> = Vec::new();
        loop {
            let path = format!("/admin/users?limit=200&offset={}", users.len());
            let answer = self.patiently("GET", &path, None)?;
            if !answer.is_success() {
                return Err(answer.refusal());
            }
            let page: Listed<User> = answer.read()?;
            let is_last = page.items.is_empty();
            users.extend(page.items);
            if is_last || users.len() as u64 >= page.total {
                return Ok(users);
            }
        }
    }

    fn known_users(&self) -> Result<String, Complaint> {
        Ok(told(&self.users()?))
    }

    pub fn job(&self, id: i64) -> Result<Job, Complaint> {
        let answer = self.patiently("GET", &format!("/admin/import-jobs/{id}"), None)?;
        if answer.is_success() { answer.read() } else { Err(answer.refusal()) }
    }

    /// The last import of this very archive for this user, if there is one.
    pub fn last_import(&self, user: i64, archive: &LocalArchive) -> Result<Option<Job>, Complaint> {
        let path = format!("/admin/import-jobs?user_id={user}&archive_sha256={}&limit=1", archive.sha256);
        let answer = self.patiently("GET", &path, None)?;
        if !answer.is_success() {
            return Err(answer.refusal());
        }
        let last = answer.read::<Listed<Job>>()?.items.into_iter().next();
        // A list tells less than the job's own page.
        last.map(|job| self.job(job.id)).transpose()
    }

    /// Sends a request that may be repeated, and does repeat it while the Worker is not there or overloaded.
    pub fn patiently(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Complaint> {
        for seconds in PATIENCE_SECONDS {
            let wait_seconds = match self.send(method, path, body) {
                Ok(answer) if answer.is_passing() => answer.retry_after_seconds.unwrap_or(seconds).min(120),
                Ok(answer) => return Ok(answer),
                Err(_) => seconds,
            };
            clock::sleep(Duration::from_secs(wait_seconds));
        }
        self.once(method, path, body)
    }

    /// Sends a request once.
    pub fn once(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, Complaint> {
        self.send(method, path, body).map_err(|error| self.not_there(&error))
    }

    pub fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, ureq::Error> {
        match body {
            None => self.run(method, path, &[], SendBody::none()),
            Some(body) => {
                let text = body.to_string();
                let length = text.len().to_string();
                let headers = [("content-type", "application/json"), ("content-length", length.as_str())];
                self.run(method, path, &headers, SendBody::from_reader(&mut text.as_bytes()))
            }
        }
    }

    /// Streams a body of known length.
    pub fn stream(
        &self,
        path: &str,
        content_type: &str,
        length: u64,
        body: &mut dyn Read,
    ) -> Result<Answer, ureq::Error> {
        let length = length.to_string();
        let headers = [("content-type", content_type), ("content-length", length.as_str())];
        self.run("POST", path, &headers, SendBody::from_reader(body))
    }

    fn run(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: SendBody<'_>,
    ) -> Result<Answer, ureq::Error> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| ureq::Error::Http(error.into()))?;
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = self.agent.run(request.body(body).map_err(ureq::Error::Http)?)?.into_parts();
        let retry_after = parts.headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok());
        let body = body.into_with_config().limit(ANSWER_MAX_BYTES).read_to_vec()?;
        Ok(Answer { status: parts.status.as_u16(), retry_after_seconds: retry_after, body })
    }
}

/// A job of ten thousand files is far below this.
const ANSWER_MAX_BYTES: u64 = 16 * 1024 * 1024;

fn told(users: &[User]) -> String {
    if users.is_empty() {
        return "The Worker has no user yet.".to_owned();
    }
    let names: Vec<String> = users.iter().take(20).map(|user| format!("{} ({})", user.id, user.display_name)).collect();
    let more = if users.len() > 20 { ", ..." } else { "" };
    format!("Its users are: {}{more}.", names.join(", "))
}
