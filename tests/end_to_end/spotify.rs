//! Listeners connect over HTTP, against the stand-in for Spotify on this machine.

use std::time::{Duration, SystemTime};

use listenlog_workbench::{
    client::{Client, Response},
    fake_spotify::{CLIENT_ID, CLIENT_SECRET, FakeSpotify, Fault, server::FakeServer},
};

use crate::worker::{ADMIN_TOKEN, Worker, wait_for};

/// 32 bytes.
const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const CALLBACK: &str = "http://127.0.0.1:8787/auth/callback";

/// A Worker whose Spotify is a fake with two listeners who always hear something.
fn scene() -> (Worker, FakeServer) {
    scene_with(&[])
}

/// The same with more settings.
pub fn scene_with(vars: &[(&str, &str)]) -> (Worker, FakeServer) {
    let fake = FakeServer::start(FakeSpotify::for_trying_out(), None).unwrap();
    let (accounts, api) = (fake.url(), format!("{}/v1", fake.url()));
    let spotify = [
        ("ADMIN_AUTH_MODE", "token"),
        ("ADMIN_TOKEN", ADMIN_TOKEN),
        ("SPOTIFY_CLIENT_ID", CLIENT_ID),
        ("SPOTIFY_CLIENT_SECRET", CLIENT_SECRET),
        ("SPOTIFY_ACCOUNTS_BASE", accounts.as_str()),
        ("SPOTIFY_API_BASE", api.as_str()),
        ("SPOTIFY_REDIRECT_URI", CALLBACK),
        ("TOKEN_ENCRYPTION_KEY", KEY),
    ];
    let all: Vec<(&str, &str)> = spotify.iter().chain(vars).copied().collect();
    (Worker::with_vars(&all), fake)
}

/// A login on its way: the browser's cookie, and the path that Spotify sends it back to.
fn authorized(worker: &Worker, listener: &str) -> (String, String) {
    let begun = worker.runtime.client().get("/auth/login").unwrap();
    assert_eq!(begun.status, 302, "{}", begun.text());
    let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let location = begun.header("location").unwrap();
    let (origin, path) = location.split_at("http://127.0.0.1:".len() + location[17..].find('/').unwrap());
    // The path of the page, and what its link for the listener adds.
    let agreed = Client::new(origin).get(&format!("{path}&as={listener}")).unwrap();
    let back = agreed.header("location").unwrap().strip_prefix("http://127.0.0.1:8787").unwrap().to_owned();
    (cookie, back)
}

fn come_back(worker: &Worker, path: &str, cookie: &str) -> Response {
    worker.runtime.client().send("GET", path, &[("cookie", cookie)], None).unwrap()
}

pub fn log_in(worker: &Worker, listener: &str) -> Response {
    let (cookie, back) = authorized(worker, listener);
    come_back(worker, &back, &cookie)
}

/// Every text of every table.
fn everything_stored(worker: &Worker) -> String {
    let database = worker.runtime.database().unwrap();
    let mut names = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let mut all = String::new();
    for table in tables.iter().filter(|name| !name.starts_with("sqlite_") && !name.starts_with("_cf_")) {
        let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let Ok(bytes) = row.get_ref(column).unwrap().as_bytes() {
                    all.push_str(&String::from_utf8_lossy(bytes));
                    all.push('\n');
                }
            }
        }
    }
    all
}

#[test]
fn a_listener_connects_and_what_spotify_gave_is_stored_sealed() {
    let (worker, _fake) = scene();
    let answer = log_in(&worker, "ada");
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["is_new_user"], true);
    let connection = worker.admin().get("/admin/users/1/spotify-connection").unwrap().json();
    assert_eq!(connection["connected"], true);
    let polled = "SELECT count(*) FROM plays WHERE user_id = 1 AND api_offset_ms IS NOT NULL";
    let plays = wait_for(|| Some(worker.number(polled)).filter(|plays| *plays > 0));
    assert!((45..=51).contains(&plays), "the first sync takes all that Spotify shows: {plays}");
    assert_eq!(log_in(&worker, "ada").json()["user_id"], 1, "the same listener is the same user");
    let stored = everything_stored(&worker);
    assert!(stored.contains("s1.") && !stored.contains("fake-access") && !stored.contains("fake-refresh"));
    assert!(!stored.contains("fake-code") && !stored.contains(CLIENT_SECRET));
    let log = std::fs::read_to_string(worker.runtime.log_path()).unwrap();
    assert!(!log.contains("fake-access.") && !log.contains("fake-refresh.") && !log.contains("fake-code."));
}

#[test]
fn a_login_that_was_forged_replayed_cancelled_or_begun_elsewhere_connects_nobody() {
    let (worker, fake) = scene();
    assert_eq!(log_in(&worker, "nobody").status, 400);
    let (cookie, back) = authorized(&worker, "ada");
    let (other_cookie, _) = authorized(&worker, "ada");
    let forged = back.replace("state=s1.", "state=s1.x");
    for (path, cookie) in [(&forged, &cookie), (&back, &other_cookie), (&back, &String::new())] {
        let answer = come_back(&worker, path, cookie);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    assert_eq!(worker.number("SELECT count(*) FROM users"), 0);
    // Spotify is slow, and then gone: each is told, within its time, and the login can be begun again.
    fake.tell(|fake| fake.fail("/api/token", Fault::Resets, 1));
    assert_eq!(log_in(&worker, "ada").status, 502);
    fake.tell(|fake| fake.fail("/v1/me", Fault::Redirect { to: format!("{CALLBACK}/stolen") }, 1));
    assert_eq!(log_in(&worker, "ada").status, 502);
    let (cookie, back) = authorized(&worker, "ada");
    assert_eq!(come_back(&worker, &back, &cookie).status, 200);
    let replayed = come_back(&worker, &back, &cookie);
    assert_eq!((replayed.status, replayed.text().contains("came back before")), (400, true));
    assert_eq!(worker.number("SELECT count(*) FROM spotify_tokens"), 1);
}

#[test]
fn an_answer_of_spotify_that_never_ends_is_given_up() {
    let (worker, fake) = scene();
    fake.tell(|fake| fake.fail("/v1/me", Fault::SlowBody, 1));
    let began = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    let answer = log_in(&worker, "ada");
    assert_eq!(answer.status, 502, "{}", answer.text());
    let took = SystemTime::UNIX_EPOCH.elapsed().unwrap().saturating_sub(began);
    assert!(took < Duration::from_secs(40), "{took:?}");
    assert_eq!(worker.number("SELECT count(*) FROM spotify_tokens"), 0);
}
