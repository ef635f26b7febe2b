//! The fake behaves as Spotify does, and misbehaves as it is told.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::*;
use crate::client::Client;

/// 2026-11-23T12:00:00Z.
const NOW: i64 = 1_795_435_200_000;
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-it-is";
const CALLBACK: &str = "http://127.0.0.1:8787/auth/callback";

fn get(fake: &mut FakeSpotify, target: &str, token: &str, now_ms: i64) -> Reply {
    let headers = vec![("authorization".to_owned(), format!("Bearer {token}"))];
    fake.answer(&Request { method: "GET".into(), target: target.into(), headers, body: Vec::new() }, now_ms)
}

fn token(fake: &mut FakeSpotify, form: &str, now_ms: i64) -> Reply {
    let pair = BASE64_STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}"));
    let headers = vec![("authorization".to_owned(), format!("Basic {pair}"))];
    let body = form.as_bytes().to_vec();
    fake.answer(&Request { method: "POST".into(), target: "/api/token".into(), headers, body }, now_ms)
}

fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap()
}

fn authorize(fake: &mut FakeSpotify, listener: &str) -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let target = format!(
        "/authorize?response_type=code&client_id={CLIENT_ID}&scope=user-read-recently-played%20user-top-read&state=s\
         &redirect_uri={CALLBACK}&code_challenge_method=S256&code_challenge={challenge}&as={listener}"
    );
    let reply = fake.answer(&Request { method: "GET".into(), target, ..Request::default() }, NOW);
    assert_eq!(reply.status, 302);
    reply.headers.iter().find(|(name, _)| name == "location").unwrap().1.clone()
}

fn log_in(fake: &mut FakeSpotify, listener: &str) -> (String, String) {
    let location = authorize(fake, listener);
    let code = message::form(location.split_once('?').unwrap().1)["code"].clone();
    let form = format!("grant_type=authorization_code&code={code}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}");
    let answer = json(&token(fake, &form, NOW));
    assert_eq!(json(&token(fake, &form, NOW))["error"], "invalid_grant", "a code works once");
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("access_token"), text("refresh_token"))
}

#[test]
fn a_login_gives_tokens_that_end_in_an_hour_and_in_six_months() {
    let mut fake = FakeSpotify::for_trying_out();
    assert!(authorize(&mut fake, "nobody").contains("error=access_denied"));
    let (access, refresh) = log_in(&mut fake, "ada");
    assert_eq!(json(&get(&mut fake, "/v1/me", &access, NOW))["account_id"], "account-of-ada");
    assert_eq!(get(&mut fake, "/v1/me", &access, NOW + 3_600_000).status, 401);
    let form = format!("grant_type=refresh_token&refresh_token={}", message::encoded(&refresh));
    let answer = json(&token(&mut fake, &form, NOW + 1));
    assert!(answer["access_token"].is_string() && answer["refresh_token"].is_null());
    let half_a_year = 184 * 24 * 3_600_000;
    assert_eq!(json(&token(&mut fake, &form, NOW + half_a_year))["error_description"], "Refresh token expired");
}

#[test]
fn a_rotated_refresh_token_takes_the_place_of_the_old_one() {
    let mut fake = FakeSpotify { rotates_refresh_tokens: true, ..FakeSpotify::for_trying_out() };
    let (_, first) = log_in(&mut fake, "ada");
    let form = |token: &str| format!("grant_type=refresh_token&refresh_token={}", message::encoded(token));
    let second = json(&token(&mut fake, &form(&first), NOW))["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(json(&token(&mut fake, &form(&first), NOW))["error"], "invalid_grant");
    assert!(json(&token(&mut fake, &form(&second), NOW))["access_token"].is_string());
}

#[test]
fn fifty_plays_are_shown_and_late_ones_stand_at_their_own_end() {
    let mut listener = Listener::new("ada", "Ada");
    for number in 0..60 {
        listener.play(NOW - 1_000_000 + number * 1_000, FakeTrack::numbered(number.unsigned_abs()));
    }
    listener.play_shown_from(NOW + 5_000, NOW - 944_500, FakeTrack::numbered(99));
    let mut fake = FakeSpotify::with(vec![listener]);
    let (access, _) = log_in(&mut fake, "ada");
    let page = json(&get(&mut fake, "/v1/me/player/recently-played?limit=50", &access, NOW));
    let items = page["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["track"]["name"]), (50, &Value::from(FakeTrack::numbered(59).name)));
    let later = json(&get(&mut fake, "/v1/me/player/recently-played?limit=50", &access, NOW + 5_000));
    assert_eq!(later["items"][4]["track"]["uri"], FakeTrack::numbered(99).uri);
    assert_eq!(get(&mut fake, "/v1/me/player/recently-played?limit=51", &access, NOW).status, 400);
    let before = format!("/v1/me/player/recently-played?before={}", NOW - 1_000_000 + 10_000);
    let empty = json(&get(&mut fake, &before, &access, NOW));
    assert_eq!((empty["items"].as_array().unwrap().len(), empty["cursors"].is_null()), (0, true));
}

#[test]
fn a_fault_happens_as_often_as_it_was_planned() {
    let mut fake = FakeSpotify::for_trying_out();
    let (access, _) = log_in(&mut fake, "ada");
    fake.fail("/v1/me/player", Fault::RateLimitedUntil { in_seconds: 90 }, 1);
    fake.fail("/v1/me/player", Fault::Duplicates, 1);
    let target = "/v1/me/player/recently-played?limit=2";
    let limited = get(&mut fake, target, &access, NOW);
    let date = limited.headers.iter().find(|(name, _)| name == "retry-after").unwrap().1.clone();
    assert_eq!((limited.status, date.as_str()), (429, "Mon, 23 Nov 2026 12:01:30 GMT"));
    assert_eq!(json(&get(&mut fake, target, &access, NOW))["items"].as_array().unwrap().len(), 4);
    assert_eq!(json(&get(&mut fake, target, &access, NOW))["items"].as_array().unwrap().len(), 2);
    assert_eq!(fake.asked("/v1/me/player/recently-played"), 3);
}

#[test]
fn who_is_not_on_the_list_logs_in_and_is_refused_after() {
    let mut fake = FakeSpotify::with(vec![Listener { is_on_allow_list: false, ..Listener::new("eve", "Eve") }]);
    let (access, _) = log_in(&mut fake, "eve");
    assert_eq!(get(&mut fake, "/v1/me", &access, NOW).status, 403);
}

#[test]
fn on_a_socket_it_answers_and_obeys() {
    let server = server::FakeServer::start(FakeSpotify::for_trying_out(), None).unwrap();
    let client = Client::new(&server.url());
    assert_eq!(client.get("/v1/me").unwrap().status, 401);
    let fail =
        serde_json::json!({"do": "fail", "path": "/v1/me", "fault": {"kind": "status", "status": 503}, "times": 1});
    assert_eq!(client.post_json("/control", &fail).unwrap().status, 204);
    assert_eq!(client.get("/v1/me").unwrap().status, 503);
    assert_eq!(client.post_json("/control", &serde_json::json!({"do": "dance"})).unwrap().status, 422);
    server.tell(|fake| fake.fail("/v1/me", Fault::Resets, 1));
    assert!(client.get("/v1/me").is_err());
    assert_eq!(client.get("/control").unwrap().json()["asked"]["/v1/me"], 3);
}
