//! Codes: forged, replayed, expired, and presented by somebody else.

use super::*;
use crate::testing::test_app::NOW;

#[test]
fn a_code_is_good_for_its_own_client_address_verifier_and_resource_only() {
    let dance = Dance::new();
    let code = dance.code();
    for (field, value) in [
        ("client_id", "https://evil.example/client.json"),
        ("redirect_uri", "https://claude.ai/api/mcp/auth_callback/"),
        ("redirect_uri", "https://evil.example/callback"),
        ("code_verifier", "eBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
        ("code_verifier", CHALLENGE),
        ("code_verifier", "short"),
    ] {
        assert_invalid_grant(&dance.exchange(&code, &[(field, value)]));
    }
    for field in ["client_id", "redirect_uri", "code_verifier", "code", "grant_type"] {
        let answer = dance.exchange(&code, &[(field, "")]);
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]), (400, &json!("invalid_request")), "{field}");
    }
    let elsewhere = dance.exchange(&code, &[("resource", "https://other.example/mcp")]);
    assert_eq!(elsewhere.json()["error"], "invalid_target");
    assert_eq!(dance.exchange(&code, &[("grant_type", "password")]).json()["error"], "unsupported_grant_type");
    // None of that used it up.
    assert_eq!(dance.exchange(&code, &[]).status, 200);
}

#[test]
fn a_code_that_comes_twice_ends_what_it_opened() {
    let dance = Dance::new();
    let code = dance.code();
    let tokens = dance.exchange(&code, &[]).json();
    assert!(dance.opens(&tokens));
    assert_invalid_grant(&dance.exchange(&code, &[]));
    assert!(!dance.opens(&tokens));
    assert_invalid_grant(&dance.refresh(text(&tokens, "refresh_token"), CLIENT));
    let grant = dance.app.get("/admin/grants").json()["items"][0].clone();
    assert_eq!((&grant["status"], &grant["revoked_because"]), (&json!("revoked"), &json!("code_replayed")));
}

#[test]
fn a_code_is_over_after_a_minute() {
    let dance = Dance::new();
    let code = dance.code();
    dance.app.clock.set(NOW.plus_ms(60_000));
    assert_invalid_grant(&dance.exchange(&code, &[]));
    dance.app.clock.set(NOW.plus_ms(59_999));
    assert_eq!(dance.exchange(&code, &[]).status, 200);
}

#[test]
fn a_forged_code_opens_nothing_and_ends_nothing() {
    let dance = Dance::new();
    let code = dance.code();
    let tokens = dance.exchange(&code, &[]).json();
    let (family, own) = (between(&code, ".", "."), code.rsplit('.').next().unwrap());
    for forged in [
        format!("listenlog_code_1.{}.{own}", "0".repeat(32)),
        format!("listenlog_code_2.{family}.{own}"),
        format!("listenlog_code_1.{family}.{}", "0".repeat(64)),
        text(&tokens, "access_token").to_owned(),
        text(&tokens, "refresh_token").to_owned(),
        code.to_uppercase(),
        format!("{code} "),
        "' OR 1=1 --".to_owned(),
        "\u{0}".to_owned(),
        "x".repeat(10_000),
    ] {
        assert_invalid_grant(&dance.exchange(&forged, &[]));
    }
    assert!(dance.opens(&tokens));
}

#[test]
fn a_code_opens_nothing_by_itself() {
    let dance = Dance::new();
    assert_eq!(dance.ask(&dance.code(), &json!({})), 401);
    let tokens = dance.tokens();
    assert_eq!(dance.ask(text(&tokens, "refresh_token"), &json!({})), 401);
}

#[test]
fn of_two_that_present_a_code_at_once_one_gets_tokens() {
    let dance = Dance::new();
    let code = dance.code();
    // Another request's batch runs between the reading of this one's body and its own.
    let intruder =
        "UPDATE oauth_grants SET step = 'active', access_hash = 'a', refresh_hash = 'b', access_expires_at = 9e15";
    dance.app.db.fail_after(0, crate::testing::sqlite::Failure::Intruder(intruder));
    assert_invalid_grant(&dance.exchange(&code, &[]));
    assert_eq!(dance.app.get("/admin/grants").json()["items"][0]["revoked_because"], "code_replayed");
}

#[test]
fn the_token_endpoint_reads_forms_only_and_each_field_once() {
    let dance = Dance::new();
    let send = |content_type: &str, body: String| {
        let request = Request::post(format!("{ISSUER}/token")).header(header::CONTENT_TYPE, content_type);
        let answer = dance.app.send(request.body(Body::from(body)).unwrap());
        (answer.status.as_u16(), answer.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    let urlencoded = "application/x-www-form-urlencoded";
    let refused = (400, "invalid_request".to_owned());
    assert_eq!(send("application/json", json!({"grant_type": "authorization_code"}).to_string()), refused);
    assert_eq!(send(urlencoded, "grant_type=authorization_code&grant_type=refresh_token".to_owned()), refused);
    assert_eq!(send(urlencoded, String::new()), refused);
    assert_eq!(send(urlencoded, "a".repeat(70_000)), (413, "invalid_request".to_owned()));
    assert_eq!(dance.get("/token").status, 405);
}
