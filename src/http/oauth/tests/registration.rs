//! Clients that register themselves.

use super::*;
use crate::{
    domain::instant::DAY_MS, jobs::schedule, store::oauth_clients::MAX_UNUSED_CLIENTS, testing::test_app::NOW,
};

fn register(dance: &Dance, body: &Value) -> Answer {
    let request = Request::post(format!("{ISSUER}/register")).header(header::CONTENT_TYPE, "application/json");
    dance.app.send(request.body(Body::from(body.to_string())).unwrap())
}

fn registered(dance: &Dance) -> String {
    let answer = register(dance, &json!({"redirect_uris": [CALLBACK], "client_name": "My app"}));
    assert_eq!(answer.status, 201);
    text(&answer.json(), "client_id").to_owned()
}

#[test]
fn a_client_that_registers_is_public_and_goes_the_whole_way() {
    let dance = Dance::new();
    let asked = json!({
        "redirect_uris": [CALLBACK, "http://localhost/callback"],
        "client_name": "My\u{202e} app",
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "client_secret_basic",
        "scope": "read",
        "software_id": "something",
    });
    let answer = register(&dance, &asked);
    assert_eq!((answer.status.as_u16(), &answer.headers[header::CACHE_CONTROL]), (201, &"no-store".parse().unwrap()));
    let client = answer.json();
    assert_eq!((&client["token_endpoint_auth_method"], &client["client_name"]), (&json!("none"), &json!("My app")));
    assert!(client.get("client_secret").is_none());
    assert_eq!(client["redirect_uris"], asked["redirect_uris"]);
    let id = text(&client, "client_id");
    let question = dance.question(&[("client_id", id)]);
    assert!(question.page.text.contains("Nobody has checked who it is"), "{}", question.page.text);
    let code = parameter(&dance.allow(&question), "code");
    assert_invalid_grant(&dance.exchange(&code, &[]));
    let tokens = dance.exchange(&code, &[("client_id", id)]).json();
    assert!(dance.opens(&tokens));
}

#[test]
fn what_a_registration_may_not_say_is_refused_with_the_standard_s_codes() {
    let dance = Dance::new();
    for redirect_uris in [
        json!(null),
        json!([]),
        json!(["javascript:alert(1)"]),
        json!([CALLBACK, "http://evil.example/"]),
        json!(vec![CALLBACK; 11]),
        json!([
            format!("https://a.example/{}", "a".repeat(1_990)),
            format!("https://b.example/{}", "b".repeat(1_990)),
            format!("https://c.example/{}", "c".repeat(1_000))
        ]),
    ] {
        let answer = register(&dance, &json!({"redirect_uris": redirect_uris}));
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_redirect_uri")));
    }
    for (field, value) in [("grant_types", "client_credentials"), ("response_types", "token")] {
        let answer = register(&dance, &json!({"redirect_uris": [CALLBACK], field: [value]}));
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_client_metadata")));
    }
    for (body, status) in [("{", 400), ("[]", 400), ("{\"redirect_uris\": 7}", 400)] {
        let request = Request::post(format!("{ISSUER}/register")).body(Body::from(body)).unwrap();
        let answer = dance.app.send(request);
        assert_eq!(
            (answer.status.as_u16(), answer.json()["error"].as_str()),
            (status, Some("invalid_request")),
            "{body}"
        );
    }
    let huge = json!({"redirect_uris": [CALLBACK], "client_name": "x".repeat(100_000)});
    assert_eq!(register(&dance, &huge).status, 413);
    assert!(dance.app.rows("SELECT id FROM oauth_clients").is_empty());
}

#[test]
fn registrations_are_damped_by_address() {
    let dance = Dance::new();
    dance.app.failed_logins.allow(2);
    registered(&dance);
    registered(&dance);
    let answer = register(&dance, &json!({"redirect_uris": [CALLBACK]}));
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (429, &json!("temporarily_unavailable")));
}

#[test]
fn a_flood_of_registrations_pushes_out_only_what_nobody_consented_to() {
    let dance = Dance::new();
    let kept = registered(&dance);
    dance.allow(&dance.question(&[("client_id", &kept)]));
    for number in 1..=i64::from(MAX_UNUSED_CLIENTS) + 20 {
        dance.app.clock.set(NOW.plus_ms(number));
        registered(&dance);
    }
    let count = dance.app.rows("SELECT id FROM oauth_clients").len();
    assert_eq!(count, usize::try_from(MAX_UNUSED_CLIENTS).unwrap() + 1);
    assert_eq!(dance.sign_in(&[("client_id", &kept)]).status, 200);
}

#[test]
fn a_client_that_nobody_consented_to_is_gone_after_a_day() {
    let dance = Dance::new();
    let (used, unused) = (registered(&dance), registered(&dance));
    dance.allow(&dance.question(&[("client_id", &used)]));
    let tick = |now| futures_executor::block_on(schedule::tick(&dance.app.app, schedule::TIDY, now));
    tick(NOW.plus_ms(DAY_MS));
    assert_eq!(dance.sign_in(&[("client_id", &unused)]).status, 200);
    dance.app.db.with(|connection| connection.execute("DELETE FROM oauth_grants WHERE step = 'asked'", [])).unwrap();
    tick(NOW.plus_ms(DAY_MS + 1));
    assert_eq!(dance.sign_in(&[("client_id", &unused)]).status, 400);
}
