//! Grants as the admin and the client end them.

use super::*;
use crate::{domain::instant::DAY_MS, jobs::schedule, testing::test_app::NOW};

#[test]
fn the_admin_sees_grants_and_takes_one_back_at_once() {
    let dance = Dance::new();
    let (first, second) = (dance.tokens(), dance.tokens());
    dance.question(&[]);
    let listed = dance.app.get("/admin/grants?user_id=1").json();
    assert_eq!(listed["total"], 2, "a question is no grant");
    let grant = &listed["items"][1];
    assert_eq!(
        (&grant["status"], &grant["client_name"], &grant["scopes"]),
        (&json!("active"), &json!("Claude"), &json!(["read", "ops"]))
    );
    assert_eq!(
        (&grant["client_id"], &grant["redirect_uri"], &grant["user_id"]),
        (&json!(CLIENT), &json!(CALLBACK), &json!(1))
    );
    assert!(!listed.to_string().contains("hash") && !listed.to_string().contains("listenlog_"), "{listed}");
    assert_eq!(dance.app.get("/admin/grants?user_id=2").json()["total"], 0);
    let path = format!("/admin/grants/{}", grant["id"]);
    assert_eq!(dance.app.admin("DELETE", &path, Body::empty()).json()["success"], true);
    assert!(!dance.opens(&first) && dance.opens(&second));
    assert_invalid_grant(&dance.refresh(text(&first, "refresh_token"), CLIENT));
    assert_eq!(dance.app.admin("DELETE", &path, Body::empty()).json()["success"], false);
    assert_eq!(dance.app.admin("DELETE", "/admin/grants/77", Body::empty()).status, 404);
    let audit = dance.app.get("/admin/audit?target=grants").json();
    let actions: Vec<&str> = audit["items"].as_array().unwrap().iter().map(|row| text(row, "action")).collect();
    assert_eq!(actions, ["grant.revoke", "grant.give", "grant.give"]);
}

#[test]
fn a_client_gives_its_grant_back_and_nobody_else_s() {
    let dance = Dance::new();
    for name in ["access_token", "refresh_token"] {
        let tokens = dance.tokens();
        let revoke = |token: &str, client_id: &str| {
            dance.post("/revoke", &[("token", token), ("client_id", client_id)], &[]).status.as_u16()
        };
        assert_eq!(revoke(text(&tokens, name), "https://evil.example/client.json"), 200);
        assert_eq!(revoke("listenlog_refresh_nonsense", CLIENT), 200);
        assert!(dance.opens(&tokens));
        assert_eq!(revoke(text(&tokens, name), CLIENT), 200);
        assert!(!dance.opens(&tokens));
        assert_eq!(dance.app.get("/admin/grants").json()["items"][0]["revoked_because"], "client");
    }
    assert_eq!(dance.post("/revoke", &[("client_id", CLIENT)], &[]).json()["error"], "invalid_request");
}

#[test]
fn what_is_over_is_cleared_away_after_a_month_and_what_is_open_is_not() {
    let dance = Dance::new();
    let (kept, ended) = (dance.tokens(), dance.tokens());
    dance.post("/revoke", &[("token", text(&ended, "refresh_token")), ("client_id", CLIENT)], &[]);
    dance.question(&[]);
    dance.code();
    let tick = |now| futures_executor::block_on(schedule::tick(&dance.app.app, schedule::TIDY, now));
    tick(NOW.plus_ms(DAY_MS));
    assert_eq!(dance.app.rows("SELECT id FROM oauth_grants").len(), 2, "questions and codes nobody used go at once");
    tick(NOW.plus_ms(30 * DAY_MS + 1));
    assert_eq!(dance.app.rows("SELECT id FROM oauth_grants").len(), 1);
    dance.app.clock.set(NOW.plus_ms(30 * DAY_MS + 1));
    assert_eq!(dance.refresh(text(&kept, "refresh_token"), CLIENT).status, 200);
}

#[test]
fn use_is_noted_to_the_hour_and_costs_one_read_otherwise() {
    let dance = Dance::new();
    let tokens = dance.tokens();
    let used_at = || dance.app.get("/admin/grants").json()["items"][0]["last_used_at"].clone();
    dance.app.clock.set(NOW.plus_ms(60_000));
    dance.opens(&tokens);
    assert_eq!(used_at(), "2026-11-23T12:00:00Z");
    let refreshed = {
        dance.app.clock.set(NOW.plus_ms(3_500_000));
        dance.refresh(text(&tokens, "refresh_token"), CLIENT).json()
    };
    dance.app.clock.set(NOW.plus_ms(3_500_000 + 3_599_000));
    dance.opens(&refreshed);
    assert_eq!(used_at(), "2026-11-23T12:58:20Z");
}
