//! Refresh tokens: each good once, and a second time the end of the grant.

use super::*;
use crate::{
    store::oauth_grants::{ACCESS_MS, REFRESH_MS},
    testing::{sqlite::Failure, test_app::NOW},
};

#[test]
fn each_refresh_gives_new_tokens_and_the_access_token_before_lives_out_its_hour() {
    let dance = Dance::new();
    let first = dance.tokens();
    dance.app.clock.set(NOW.plus_ms(ACCESS_MS / 2));
    let second = dance.refresh(text(&first, "refresh_token"), CLIENT).json();
    assert!(dance.opens(&first) && dance.opens(&second));
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    dance.app.clock.set(NOW.plus_ms(ACCESS_MS));
    assert!(!dance.opens(&first) && dance.opens(&second));
    dance.app.clock.set(NOW.plus_ms(ACCESS_MS / 2 + ACCESS_MS));
    assert!(!dance.opens(&second));
    assert!(dance.opens(&dance.refresh(text(&second, "refresh_token"), CLIENT).json()));
}

#[test]
fn a_refresh_token_that_comes_again_ends_the_grant_however_old_it_is() {
    for rotations in 1..4 {
        let dance = Dance::new();
        let first = dance.tokens();
        let mut latest = first.clone();
        for _ in 0..rotations {
            latest = dance.refresh(text(&latest, "refresh_token"), CLIENT).json();
        }
        assert!(dance.opens(&latest));
        assert_invalid_grant(&dance.refresh(text(&first, "refresh_token"), CLIENT));
        assert!(!dance.opens(&latest), "{rotations}");
        assert_invalid_grant(&dance.refresh(text(&latest, "refresh_token"), CLIENT));
        assert_eq!(dance.app.get("/admin/grants").json()["items"][0]["revoked_because"], "refresh_replayed");
    }
}

#[test]
fn of_two_that_refresh_at_once_one_wins_and_the_other_ends_the_grant() {
    let dance = Dance::new();
    let tokens = dance.tokens();
    let intruder = "UPDATE oauth_grants SET refresh_hash = 'of the other one'";
    dance.app.db.fail_after(0, Failure::Intruder(intruder));
    assert_invalid_grant(&dance.refresh(text(&tokens, "refresh_token"), CLIENT));
    assert!(!dance.opens(&tokens));
}

#[test]
fn a_refresh_token_is_good_for_its_client_and_resource_only() {
    let dance = Dance::new();
    let tokens = dance.tokens();
    let refresh = text(&tokens, "refresh_token");
    assert_invalid_grant(&dance.refresh(refresh, "https://evil.example/client.json"));
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh),
        ("client_id", CLIENT),
        ("resource", "https://other.example/mcp"),
    ];
    assert_eq!(dance.post("/token", &fields, &[]).json()["error"], "invalid_target");
    assert_invalid_grant(&dance.refresh(text(&tokens, "access_token"), CLIENT));
    assert_invalid_grant(&dance.refresh(&refresh.replace("refresh_1.", "refresh_2."), CLIENT));
    // A stranger who knows only the number of a grant ends nothing.
    let invented = format!("listenlog_refresh_1.{}.{}", "0".repeat(32), "0".repeat(64));
    assert_invalid_grant(&dance.refresh(&invented, CLIENT));
    assert!(dance.opens(&tokens));
    assert_eq!(dance.refresh(refresh, CLIENT).status, 200);
}

#[test]
fn a_grant_that_is_not_used_for_a_quarter_is_over() {
    let dance = Dance::new();
    let tokens = dance.tokens();
    dance.app.clock.set(NOW.plus_ms(REFRESH_MS));
    assert_invalid_grant(&dance.refresh(text(&tokens, "refresh_token"), CLIENT));
    assert_eq!(dance.app.get("/admin/grants").json()["items"][0]["status"], "expired");
}

#[test]
fn a_lost_answer_to_a_refresh_leaves_no_half_of_it() {
    let dance = Dance::new();
    let tokens = dance.tokens();
    dance.app.db.fail_after(0, Failure::BeforeWriting);
    let failed = dance.refresh(text(&tokens, "refresh_token"), CLIENT);
    assert_eq!((failed.status.as_u16(), &failed.json()["error"]), (503, &json!("temporarily_unavailable")));
    assert_eq!(dance.refresh(text(&tokens, "refresh_token"), CLIENT).status, 200);
}
