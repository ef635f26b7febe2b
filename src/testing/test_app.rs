//! The whole program on native ports: requests in through the real router, answers out.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode, header},
};
use futures_executor::block_on;
use http_body_util::BodyExt;
use serde_json::Value;

use super::{
    platform::{AtOnce, MemoryArchives, MemoryQueue, MemoryRateLimit, PlayedServers, SetClock},
    sqlite::Sqlite,
};
use crate::{
    app::App,
    config::Config,
    domain::instant::Millis,
    http::entrance,
    jobs::{self, Verdict},
    telemetry,
};

/// 2026-11-23T12:00:00Z.
pub const NOW: Millis = Millis(1_795_435_200_000);
pub const ADMIN_TOKEN: &str = "the-admin-token";

/// The program and the ports behind it; a clone shares them.
#[derive(Clone)]
pub struct TestApp {
    pub router: Router,
    pub app: App,
    pub db: Arc<Sqlite>,
    pub archives: Arc<MemoryArchives>,
    pub queue: Arc<MemoryQueue>,
    pub clock: Arc<SetClock>,
    pub servers: Arc<PlayedServers>,
    pub failed_logins: Arc<MemoryRateLimit>,
}

/// An answer, read to its end.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.bytes)))
    }
}

impl TestApp {
    /// Token mode, with [`ADMIN_TOKEN`].
    pub fn new() -> Self {
        Self::with_vars(&[("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", ADMIN_TOKEN)])
    }

    pub fn with_vars(vars: &[(&str, &str)]) -> Self {
        let find = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let config = Arc::new(Config::from_vars(find).unwrap());
        telemetry::install(telemetry::Platform { now: || NOW, console: |_, _| {} });
        let (db, archives) = (Arc::new(Sqlite::in_memory()), Arc::new(MemoryArchives::default()));
        let (queue, clock) = (Arc::new(MemoryQueue::default()), Arc::new(SetClock::at(NOW)));
        let (servers, failed_logins) = (Arc::new(PlayedServers::default()), Arc::new(MemoryRateLimit::default()));
        let app = App {
            config,
            db: Arc::clone(&db) as _,
            archives: Arc::clone(&archives) as _,
            queue: Arc::clone(&queue) as _,
            clock: Arc::clone(&clock) as _,
            outbound: Arc::clone(&servers) as _,
            failed_logins: Arc::clone(&failed_logins) as _,
            lockouts: Arc::default(),
            background: Arc::new(AtOnce),
            memory: Arc::default(),
            kept: Arc::default(),
        };
        let router = crate::http::router(&app.config);
        Self { router, app, db, archives, queue, clock, servers, failed_logins }
    }

    /// Sends a request as it is.
    pub fn send(&self, request: Request<Body>) -> Answer {
        block_on(async {
            let response = entrance::answer(&self.router, self.app.clone(), request).await;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.unwrap().to_bytes().to_vec();
            Answer { status: parts.status, headers: parts.headers, bytes }
        })
    }

    /// Sends a request with the admin's token.
    pub fn admin(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://listenlog.example{path}"))
            .header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"));
        self.send(request.body(body.into()).unwrap())
    }

    pub fn get(&self, path: &str) -> Answer {
        self.admin("GET", path, Body::empty())
    }

    /// Uploads an archive, imported before or not, and tells the id of its import.
    pub fn upload(&self, user_id: i64, archive: Vec<u8>) -> i64 {
        let request = Request::builder()
            .method("POST")
            .uri(format!("http://listenlog.example/admin/users/{user_id}/import?again=1&filename=my_spotify_data.zip"))
            .header(header::AUTHORIZATION, format!("Bearer {ADMIN_TOKEN}"))
            .header(header::CONTENT_TYPE, "application/zip")
            .header(header::CONTENT_LENGTH, archive.len());
        let answer = self.send(request.body(Body::from(archive)).unwrap());
        assert_eq!(answer.status, 201, "{}", String::from_utf8_lossy(&answer.bytes));
        answer.json()["id"].as_i64().unwrap()
    }

    /// Handles messages until none is left; what asks to be retried is retried at once. Tells how many were handled.
    pub fn drain(&self) -> usize {
        let mut handled = 0;
        while let Some(message) = self.queue.take() {
            let body = serde_json::to_string(&message).unwrap();
            handled += 1;
            assert!(handled < 1_000, "the queue never runs dry");
            if let Verdict::Retry { .. } = block_on(jobs::handle(&self.app, &body)) {
                block_on(self.app.queue.send(&message)).unwrap();
            }
        }
        handled
    }

    /// The minute's tick.
    pub fn sweep(&self) {
        block_on(jobs::schedule::tick(&self.app, jobs::schedule::SWEEP, self.app.now()));
    }

    pub fn import_job(&self, id: i64) -> Value {
        self.get(&format!("/admin/import-jobs/{id}")).json()
    }

    /// Every value of every row that a query gives, for comparing what is stored.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        self.db.with(|connection| {
            let mut statement = connection.prepare(sql).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                let values = (0..columns).map(|index| format!("{:?}", row.get_ref(index).unwrap()));
                Ok(values.collect::<Vec<_>>().join("|"))
            });
            rows.unwrap().map(Result::unwrap).collect()
        })
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.admin("POST", path, body.to_string())
    }
}
