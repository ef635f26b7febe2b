//! A stand-in for Spotify: its accounts service and the few endpoints of its Web API that Listenlog uses.
//!
//! [`FakeSpotify::answer`] is a plain function from a request and the time to a reply, so that a simulated year needs no
//! socket; [`server`] puts it on one. Must stay true:
//! * it follows Spotify's documents and the behaviour that others measured, not what Listenlog would like: the last 50
//!   plays and no more, a list of users, refresh tokens that end after six months, codes that work once;
//! * it misbehaves only when it is told to ([`FakeSpotify::fail`]), and then exactly so often;
//! * every token, code and secret it gives out begins with `fake-`, so that a test can look for them anywhere.

mod accounts;
mod api;
pub mod control;
mod faults;
mod listener;
mod message;
pub mod server;
mod tracks;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

pub use faults::Fault;
pub use listener::{FakePlay, Listener, Listening};
pub use message::{Manner, Reply, Request};
pub use tracks::FakeTrack;

/// The app that is always registered.
pub const CLIENT_ID: &str = "listenlog-local-app";
pub const CLIENT_SECRET: &str = "fake-client-secret";

/// All of Spotify there is.
#[derive(Debug)]
pub struct FakeSpotify {
    /// Secrets by client id.
    apps: HashMap<String, String>,
    listeners: Vec<Listener>,
    codes: HashMap<String, accounts::Code>,
    /// Refresh tokens that were replaced or taken back.
    retired: HashSet<String>,
    faults: VecDeque<faults::Planned>,
    /// Whether a refresh gives a new refresh token and retires the old one.
    pub rotates_refresh_tokens: bool,
    pub access_token_life_s: i64,
    /// How often each path was asked for.
    asked: BTreeMap<String, u64>,
    given_out: u64,
}

impl Default for FakeSpotify {
    fn default() -> Self {
        Self {
            apps: HashMap::from([(CLIENT_ID.to_owned(), CLIENT_SECRET.to_owned())]),
            listeners: Vec::new(),
            codes: HashMap::new(),
            retired: HashSet::new(),
            faults: VecDeque::new(),
            rotates_refresh_tokens: false,
            access_token_life_s: 3_600,
            asked: BTreeMap::new(),
            given_out: 0,
        }
    }
}

impl FakeSpotify {
    /// With these listeners.
    pub fn with(listeners: Vec<Listener>) -> Self {
        Self { listeners, ..Self::default() }
    }

    /// Two listeners who hear something every few minutes, as the clock goes.
    pub fn for_trying_out() -> Self {
        Self::with(vec![
            Listener::automatic("ada", "Ada (invented)", 7),
            Listener::automatic("grace", "Grace (invented)", 11),
        ])
    }

    pub fn add_app(&mut self, client_id: &str, client_secret: &str) {
        self.apps.insert(client_id.to_owned(), client_secret.to_owned());
    }

    pub fn add_listener(&mut self, listener: Listener) {
        self.listeners.retain(|known| known.id != listener.id);
        self.listeners.push(listener);
    }

    pub fn listener(&mut self, id: &str) -> Option<&mut Listener> {
        self.listeners.iter_mut().find(|listener| listener.id == id)
    }

    /// Lets the next `times` requests whose path begins with `path` go wrong in one way.
    pub fn fail(&mut self, path: &str, fault: Fault, times: u32) {
        self.faults.push_back(faults::Planned { path: path.to_owned(), fault, times });
    }

    /// Forgets faults that have not happened yet.
    pub fn behave(&mut self) {
        self.faults.clear();
    }

    /// How often a path was asked for, without its query.
    pub fn asked(&self, path: &str) -> u64 {
        self.asked.get(path).copied().unwrap_or_default()
    }

    /// How often anything was asked for.
    pub fn asked_in_all(&self) -> u64 {
        self.asked.values().sum()
    }

    /// Answers one request at an instant (Unix milliseconds).
    pub fn answer(&mut self, request: &Request, now_ms: i64) -> Reply {
        let path = request.path().to_owned();
        *self.asked.entry(path.clone()).or_default() += 1;
        let fault = self.next_fault(&path);
        if let Some(reply) = fault.as_ref().and_then(|fault| fault.instead(&path, now_ms)) {
            return reply;
        }
        let reply = match path.as_str() {
            "/authorize" => self.authorize(request, now_ms),
            "/api/token" => self.token(request, now_ms),
            _ => match path.strip_prefix("/v1") {
                Some(path) => self.api(path, request, now_ms),
                None => Reply::text(404, "Nothing is here."),
            },
        };
        match fault {
            Some(fault) => fault.after(reply),
            None => reply,
        }
    }

    /// A text that nobody can have guessed, for fakes; `kind` says what it is.
    fn secret(&mut self, kind: &str, about: &str) -> String {
        self.given_out += 1;
        format!("fake-{kind}.{about}.{}", self.given_out)
    }
}

#[cfg(test)]
mod tests;
