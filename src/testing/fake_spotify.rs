//! The stand-in for Spotify as a native test's other server, on the test's own clock.

use std::sync::{Arc, Mutex};

use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use listenlog_workbench::fake_spotify::{self, FakeSpotify, Manner, Reply};

use super::test_app::{ADMIN_TOKEN, TestApp};
use crate::outbound::OutboundError;

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
