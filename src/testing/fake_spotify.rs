//! The stand-in for Spotify as a native test's other server, on the test's own clock.

use std::sync::{Arc, Mutex};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Request, Response, StatusCode, header},
};
use bytes::Bytes;
use listenlog_workbench::fake_spotify::{self, FakeSpotify, Manner, Reply};

use super::test_app::{ADMIN_TOKEN, Answer, TestApp};
use crate::{domain::ids::UserId, outbound::OutboundError};

/// Settings that make the stand-in Spotify.
pub const VARS: &[(&str, &str)] = &[
    ("ADMIN_AUTH_MODE", "token"),
    ("ADMIN_TOKEN", ADMIN_TOKEN),
    ("SPOTIFY_CLIENT_ID", fake_spotify::CLIENT_ID),
    ("SPOTIFY_CLIENT_SECRET", fake_spotify::CLIENT_SECRET),
    ("SPOTIFY_API_BASE", "http://127.0.0.1:1/v1"),
    ("SPOTIFY_ACCOUNTS_BASE", "http://127.0.0.1:1"),
    ("SPOTIFY_REDIRECT_URI", "http://127.0.0.1:8787/auth/callback"),
    ("TOKEN_ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
];

/// A fake that a test and the program share.
pub type SharedFake = Arc<Mutex<FakeSpotify>>;

/// An app over a fresh database whose Spotify is `fake`.
pub fn app_with(fake: FakeSpotify) -> (TestApp, SharedFake) {
    let app = TestApp::with_vars(VARS);
    let fake = Arc::new(Mutex::new(fake));
    play(&app, &fake);
    (app, fake)
}

/// From now on the fake is the app's Spotify.
pub fn play(app: &TestApp, fake: &SharedFake) {
    let (fake, clock) = (Arc::clone(fake), Arc::clone(&app.app.clock));
    app.servers.play(move |request| {
        let reply = fake.lock().unwrap().answer(&asked(request), clock.now().0);
        answered(reply)
    });
}

fn asked(request: Request<Bytes>) -> fake_spotify::Request {
    let (parts, body) = request.into_parts();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    fake_spotify::Request {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
        body: body.to_vec(),
    }
}

fn answered(reply: Reply) -> Result<Response<Bytes>, OutboundError> {
    match reply.manner {
        Manner::AtOnce => {}
        Manner::Reset => return Err(OutboundError::NotReached("Network connection lost.".to_owned())),
        Manner::Never | Manner::Slowly => return Err(OutboundError::TimedOut(15_000)),
    }
    let mut response = Response::new(Bytes::from(reply.body));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap();
    for (name, value) in reply.headers {
        let name: HeaderName = name.parse().unwrap();
        response.headers_mut().append(name, value.parse().unwrap());
    }
    Ok(response)
}

/// What a browser sees at a path, with a cookie or without.
pub fn visit(app: &TestApp, path: &str, cookie: Option<&str>) -> Answer {
    let mut request = Request::builder().uri(format!("http://127.0.0.1:8787{path}"));
    if let Some(cookie) = cookie {
        request = request.header(header::COOKIE, cookie);
    }
    app.send(request.body(Body::empty()).unwrap())
}

/// A login on its way: what the browser keeps, and the address it comes back to.
pub struct Login {
    pub cookie: String,
    pub callback: String,
}

/// Begins at a path and lets the listener agree on Spotify's page (or refuse: `nobody`).
pub fn authorize(app: &TestApp, fake: &SharedFake, path: &str, listener: &str) -> Login {
    let begun = visit(app, path, None);
    assert_eq!(begun.status, 302, "{}", String::from_utf8_lossy(&begun.bytes));
    let text = |name: HeaderName| begun.headers[name].to_str().unwrap().to_owned();
    let target = text(header::LOCATION).strip_prefix("http://127.0.0.1:1").unwrap().to_owned();
    let request = fake_spotify::Request {
        method: "GET".to_owned(),
        target: format!("{target}&as={listener}"),
        ..fake_spotify::Request::default()
    };
    let reply = fake.lock().unwrap().answer(&request, app.app.now().0);
    let (_, location) = reply.headers.iter().find(|(name, _)| name == "location").unwrap();
    let callback = location.strip_prefix("http://127.0.0.1:8787").unwrap().to_owned();
    let cookie = text(header::SET_COOKIE).split(';').next().unwrap().to_owned();
    Login { cookie, callback }
}

/// The whole of a login, from a path to the answer in the end.
pub fn log_in(app: &TestApp, fake: &SharedFake, path: &str, listener: &str) -> Answer {
    let login = authorize(app, fake, path, listener);
    visit(app, &login.callback, Some(&login.cookie))
}

/// Connects a listener as a new user, or the user they are; tells the user's id.
pub fn connect(app: &TestApp, fake: &SharedFake, listener: &str) -> UserId {
    let answer = log_in(app, fake, "/auth/login", listener);
    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.bytes));
    UserId(answer.json()["user_id"].as_i64().unwrap())
}

/// Every text that the store holds, log rows, runs and audit included, for looking whether a secret is among it.
pub fn everything_stored(app: &TestApp) -> String {
    let tables = app.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'");
    let name = |debug: &str| {
        let bytes: Vec<u8> = debug
            .trim_start_matches("Text([")
            .trim_end_matches("])")
            .split(", ")
            .map(|byte| byte.parse().unwrap())
            .collect();
        String::from_utf8(bytes).unwrap()
    };
    app.db.with(|connection| {
        let mut all = String::new();
        for table in tables.iter().map(|debug| name(debug)) {
            let mut statement = connection.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                for column in 0..columns {
                    if let Ok(text) = row.get_ref(column).unwrap().as_bytes() {
                        all.push_str(&String::from_utf8_lossy(text));
                        all.push('\n');
                    }
                }
            }
        }
        all
    })
}
