//! Collecting, from the clock's tick to the stored plays, against a Spotify that is played.

mod faults;
mod initial;
mod orders;
mod polls;
mod year;

use futures_executor::block_on;
use listenlog_workbench::fake_spotify::{CLIENT_ID, FakeSpotify, FakeTrack, Listener};
use serde_json::{Value, json};

use crate::{
    domain::{
        ids::UserId,
        instant::{MINUTE_MS, Millis},
    },
    sealing::Secret,
    spotify::session,
    store::spotify_tokens,
    testing::{
        TestApp,
        fake_spotify::{SharedFake, play},
        test_app::NOW,
    },
};

/// An installation with listeners, and the Spotify they listen to.
pub struct Household {
    pub app: TestApp,
    pub fake: SharedFake,
}

impl Household {
    /// Connected users 1, 2, ... whose initial syncs are queued.
    pub fn of(listeners: &[&str]) -> Self {
        Self::with_vars(listeners, &[])
    }

    pub fn with_vars(listeners: &[&str], vars: &[(&str, &str)]) -> Self {
        let all: Vec<(&str, &str)> = crate::testing::fake_spotify::VARS.iter().chain(vars).copied().collect();
        let app = TestApp::with_vars(&all);
        let fake = FakeSpotify::with(listeners.iter().map(|name| Listener::new(name, name)).collect());
        let fake = std::sync::Arc::new(std::sync::Mutex::new(fake));
        play(&app, &fake);
        let household = Self { app, fake };
        for (index, name) in listeners.iter().enumerate() {
            household.app.post("/admin/users", &json!({"display_name": name}));
            household.connect(i64::try_from(index).unwrap() + 1, name);
        }
        household
    }

    /// What a login writes. The fake's tokens say themselves whose they are.
    pub fn connect(&self, user: i64, listener: &str) {
        let (user, now) = (UserId(user), self.app.app.now());
        let scopes = "user-read-recently-played+user-top-read";
        let access = format!("fake-access.{listener}~{}~{scopes}.1", now.0 + 3_600_000);
        let refresh = format!("fake-refresh.{listener}~{CLIENT_ID}~{}~{scopes}.1", now.0);
        let expires_at = now.plus_ms(3_600_000);
        let (access, refresh) = (Secret::new(access), Secret::new(refresh));
        let sealed =
            session::seal(&self.app.app, user, &access, expires_at, &refresh, scopes.replace('+', " ")).unwrap();
        let mut statements = vec![spotify_tokens::authorized(user, CLIENT_ID, &sealed, now)];
        statements.extend(super::connected(&self.app.app, user, None));
        block_on(self.app.app.db.batch(statements)).unwrap();
        block_on(super::start(&self.app.app, user));
    }

    /// Somebody hears the track of that number to its end, so many minutes after the beginning.
    pub fn hears(&self, listener: &str, minute: i64, track: u64) {
        let ended_at = NOW.0 + minute * MINUTE_MS;
        self.fake.lock().unwrap().listener(listener).unwrap().play(ended_at, FakeTrack::numbered(track));
    }

    /// Lets the time come to so many minutes after the beginning, with its tick and the work that it starts.
    pub fn at(&self, minute: i64) -> &Self {
        self.app.clock.set(NOW.plus_ms(minute * MINUTE_MS));
        self.app.sweep();
        self.app.drain();
        self
    }

    pub fn asked(&self) -> u64 {
        self.fake.lock().unwrap().asked("/v1/me/player/recently-played")
    }

    /// One value.
    pub fn value(&self, sql: &str) -> Value {
        self.app.db.with(|connection| {
            let cell = connection.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
            match cell {
                rusqlite::types::Value::Null => Value::Null,
                rusqlite::types::Value::Integer(number) => Value::from(number),
                rusqlite::types::Value::Real(number) => Value::from(number),
                rusqlite::types::Value::Text(text) => Value::from(text),
                rusqlite::types::Value::Blob(_) => Value::from("a blob"),
            }
        })
    }

    pub fn count(&self, sql: &str) -> i64 {
        self.value(sql).as_i64().unwrap()
    }

    pub fn state(&self, column: &str, user: i64) -> Value {
        self.value(&format!("SELECT {column} FROM sync_states WHERE user_id = {user}"))
    }

    pub fn tool(&self, name: &str, arguments: &Value) -> Value {
        let answer = self.app.post("/mcp/call", &json!({"tool": name, "arguments": arguments}));
        let body = answer.json();
        assert_eq!(body["success"], true, "{body}");
        body["result"].clone()
    }

    pub fn status(&self, user: i64) -> Value {
        self.tool("ops_sync_status", &json!({"user_id": user}))["status"].clone()
    }
}

pub fn at(minute: i64) -> Millis {
    NOW.plus_ms(minute * MINUTE_MS)
}
