//! One of the clients: what it does next, and what it has seen.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use crate::client::{Client, ClientError, Response};

/// What one client has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Status and milliseconds of every answer.
    pub answers: Vec<(u16, f64)>,
    pub broken: usize,
    /// Ids of requests that changed something, and so left a log row.
    pub promised: Vec<String>,
}

/// A client that never rests.
pub struct Tireless<'a> {
    client: Client,
    number: usize,
    steps: usize,
    random: ChaCha8Rng,
    archive: &'a [u8],
    pub seen: Seen,
}

const READS: [&str; 9] = [
    "/admin/users",
    "/admin/users/1",
    "/admin/import-jobs?limit=5",
    "/admin/logs?limit=20&level=info",
    "/admin/audit?limit=20",
    "/admin/storage",
    "/admin/metrics",
    "/history/users/1/plays?limit=20",
    "/mcp/tools",
];

const QUESTIONS: [&str; 4] =
    ["history_top_artists", "history_coverage", "history_listening_heatmap", "history_taste_summary"];

impl<'a> Tireless<'a> {
    pub fn new(client: Client, number: usize, archive: &'a [u8]) -> Self {
        let random = ChaCha8Rng::seed_from_u64(number as u64);
        Self { client, number, steps: 0, random, archive, seen: Seen::default() }
    }

    /// Does one thing and remembers what came of it.
    pub fn step(&mut self) {
        self.steps += 1;
        match self.random.random_range(0..100) {
            0..40 => self.ask(),
            40..75 => {
                let path = READS.get(self.random.random_range(0..READS.len())).copied().unwrap_or("/healthz");
                self.send("GET", path, None, None);
            }
            75..85 => {
                let body = json!({"display_name": format!("User of {}", self.number)});
                self.change("POST", "/admin/users", &body);
            }
            85..97 => self.issue_and_revoke(),
            _ => self.upload(),
        }
    }

    fn ask(&mut self) {
        let tool = QUESTIONS.get(self.random.random_range(0..QUESTIONS.len())).copied().unwrap_or("history_coverage");
        let user = self.random.random_range(1..=2);
        let days = if self.random.random_range(0..2) == 0 { 90 } else { 36_500 };
        self.change("POST", &format!("/tools/{tool}"), &json!({"user_id": user, "days": days}));
    }

    fn issue_and_revoke(&mut self) {
        let body = json!({"label": "hammered"});
        let Some(issued) = self.change("POST", "/admin/users/2/tokens", &body) else { return };
        if let Some(id) = issued.get("id").and_then(Value::as_i64) {
            self.change("DELETE", &format!("/admin/users/2/tokens/{id}"), &Value::Null);
        }
    }

    /// The same archive again and again: the first one is imported, the others are known.
    fn upload(&mut self) {
        let path = "/admin/users/1/import?filename=my_spotify_data.zip";
        let archive = self.archive;
        self.send("POST", path, Some(("application/zip", archive)), None);
    }

    /// A request that leaves a log row when it succeeds. Its answer, if it did.
    fn change(&mut self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let id = format!("hammer-{}-{}-{}", self.number, self.steps, self.seen.promised.len());
        let body = body.to_string();
        let answer = self.send(method, path, Some(("application/json", body.as_bytes())), Some(&id))?;
        if !(200..300).contains(&answer.status) {
            return None;
        }
        self.seen.promised.push(id);
        serde_json::from_slice(&answer.body).ok()
    }

    fn send(&mut self, method: &str, path: &str, body: Option<(&str, &[u8])>, id: Option<&str>) -> Option<Response> {
        let mut headers = Vec::new();
        headers.extend(body.map(|(content_type, _)| ("content-type", content_type)));
        headers.extend(id.map(|id| ("x-request-id", id)));
        let began = super::now();
        let answer: Result<Response, ClientError> =
            self.client.send(method, path, &headers, body.map(|(_, bytes)| bytes));
        let took_ms = began.elapsed().as_secs_f64() * 1_000.0;
        if let Ok(answer) = answer {
            self.seen.answers.push((answer.status, took_ms));
            Some(answer)
        } else {
            self.seen.broken += 1;
            None
        }
    }
}
