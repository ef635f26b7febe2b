//! Tokens: expired, rotated, taken back, refreshed by two at once, sealed, lost.

use std::fmt::Write;

use listenlog_workbench::fake_spotify::Fault;

use super::*;
use crate::{
    domain::instant::{DAY_MS, HOUR_MS},
    spotify::error::{ReauthReason, TransientCause},
    store::{Statement, spotify_tokens},
    testing::{
        fake_spotify::{VARS, everything_stored, log_in, play},
        sqlite::Failure,
    },
};

fn lost(app: &TestApp) -> Vec<String> {
    app.rows("SELECT user_id FROM spotify_tokens WHERE lost_reason IS NOT NULL")
}

fn needs_reauth(error: &SpotifyError) -> ReauthReason {
    match error {
        SpotifyError::NeedsReauth(reason) => *reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_expired_token_is_refreshed_once_in_two_calls_of_the_database() {
    let (app, fake, user) = ada();
    app.clock.set(NOW.plus_ms(HOUR_MS));
    let before = app.app.db.usage();
    assert_eq!(poll(&app, user).unwrap().items.len(), 3);
    let after = app.app.db.usage();
    assert_eq!(after.calls - before.calls, 3, "the session, the lease, the new token");
    assert_eq!((asked(&fake, TOKEN), asked(&fake, RECENT)), (2, 1));
    poll(&app, user).unwrap();
    assert_eq!(asked(&fake, TOKEN), 2, "and the new token is used again");
}

#[test]
fn a_token_that_spotify_does_not_take_is_refreshed_once_and_no_more() {
    let (app, fake, user) = ada();
    fake.lock().unwrap().fail(RECENT, Fault::TokenNotTaken, 1);
    assert_eq!(poll(&app, user).unwrap().items.len(), 3);
    assert_eq!((asked(&fake, TOKEN), asked(&fake, RECENT)), (2, 2));
    fake.lock().unwrap().fail(RECENT, Fault::TokenNotTaken, 9);
    let error = poll(&app, user).unwrap_err();
    assert!(matches!(error, SpotifyError::Transient { cause: TransientCause::TokenNotTaken, .. }), "{error:?}");
    assert_eq!((asked(&fake, TOKEN), asked(&fake, RECENT)), (3, 4));
    assert!(lost(&app).is_empty());
}

#[test]
fn an_omitted_refresh_token_keeps_the_old_and_a_new_one_takes_its_place() {
    let (app, fake, user) = ada();
    for hour in 1..=4 {
        app.clock.set(NOW.plus_ms(hour * HOUR_MS));
        fake.lock().unwrap().rotates_refresh_tokens = hour % 2 == 0;
        poll(&app, user).unwrap();
    }
    assert_eq!(asked(&fake, TOKEN), 5);
}

#[test]
fn a_rotated_token_is_stored_before_the_access_token_is_used() {
    let (app, fake, user) = ada();
    fake.lock().unwrap().rotates_refresh_tokens = true;
    app.clock.set(NOW.plus_ms(HOUR_MS));
    let session = block_on(Session::load(&app.app, user)).unwrap();
    // The lease is taken, and then the database is not reached for once: the save is tried again.
    app.db.fail_after(1, Failure::BeforeWriting);
    let mut session = session;
    block_on(recently_played(&app.app, &mut session, None)).unwrap();
    // The answer of a save is lost: it was written, and trying again finds it so.
    app.clock.set(NOW.plus_ms(2 * HOUR_MS));
    app.db.fail_after(1, Failure::AfterWriting);
    block_on(recently_played(&app.app, &mut session, None)).unwrap();
    // Spotify fails after the refresh: what was refreshed is in the store, and good.
    app.clock.set(NOW.plus_ms(3 * HOUR_MS));
    fake.lock().unwrap().fail(RECENT, Fault::Resets, 1);
    poll(&app, user).unwrap_err();
    app.clock.set(NOW.plus_ms(4 * HOUR_MS));
    assert_eq!(poll(&app, user).unwrap().items.len(), 3);
}

#[test]
fn only_one_refreshes_at_a_time_and_the_others_take_what_it_stored() {
    let (app, fake, user) = ada();
    fake.lock().unwrap().rotates_refresh_tokens = true;
    app.clock.set(NOW.plus_ms(HOUR_MS));
    let mut first = block_on(Session::load(&app.app, user)).unwrap();
    let mut second = block_on(Session::load(&app.app, user)).unwrap();
    block_on(recently_played(&app.app, &mut first, None)).unwrap();
    block_on(recently_played(&app.app, &mut second, None)).unwrap();
    assert_eq!(asked(&fake, TOKEN), 2, "the login's, and one refresh for both");
    // Another isolate holds the lease and has not stored anything yet.
    app.clock.set(NOW.plus_ms(2 * HOUR_MS));
    let now = app.app.now();
    let mut third = block_on(Session::load(&app.app, user)).unwrap();
    let version = 2;
    block_on(app.app.db.run(spotify_tokens::take_lease(user, version, "elsewhere", now, now.plus_ms(60_000)))).unwrap();
    let error = block_on(recently_played(&app.app, &mut third, None)).unwrap_err();
    assert!(matches!(error, SpotifyError::Transient { cause: TransientCause::RefreshedElsewhere, .. }), "{error:?}");
    assert_eq!(asked(&fake, TOKEN), 2);
    // It died: its lease runs out.
    app.clock.set(now.plus_ms(60_001));
    assert!(poll(&app, user).is_ok());
}

#[test]
fn an_authorization_that_is_over_ends_that_users_polling_and_nobody_elses() {
    let (app, fake, user) = ada();
    fake.lock().unwrap().add_listener(Listener::automatic("bob", "Bob", 3));
    let bob = connect(&app, &fake, "bob");
    app.clock.set(NOW.plus_ms(HOUR_MS));
    fake.lock().unwrap().fail(TOKEN, Fault::InvalidGrant, 1);
    assert_eq!(needs_reauth(&poll(&app, user).unwrap_err()), ReauthReason::InvalidGrant);
    let refreshes = asked(&fake, TOKEN);
    assert_eq!(needs_reauth(&poll(&app, user).unwrap_err()), ReauthReason::InvalidGrant);
    assert_eq!(asked(&fake, TOKEN), refreshes, "and it is not tried again");
    assert_eq!(poll(&app, bob).unwrap().items.len(), 50);
    assert_eq!(lost(&app).len(), 1);
    // Logging in again puts it right, as the same user.
    assert_eq!(connect(&app, &fake, "ada"), user);
    assert!(poll(&app, user).is_ok() && lost(&app).is_empty());
}

#[test]
fn six_months_after_the_login_the_listener_is_asked_for_again() {
    let (app, _, user) = ada();
    app.clock.set(NOW.plus_ms(184 * DAY_MS));
    assert_eq!(needs_reauth(&poll(&app, user).unwrap_err()), ReauthReason::InvalidGrant);
}

#[test]
fn a_refresh_that_fails_for_now_gives_the_lease_back_and_loses_nothing() {
    for fault in [
        Fault::Status { status: 503 },
        Fault::TimesOut,
        Fault::Resets,
        Fault::NotJson,
        Fault::CutOff,
        Fault::RateLimited { retry_after: Some("1".to_owned()) },
    ] {
        let (app, fake, user) = ada();
        app.clock.set(NOW.plus_ms(HOUR_MS));
        fake.lock().unwrap().fail(TOKEN, fault.clone(), 1);
        let class = poll(&app, user).unwrap_err().class();
        assert!(["transient", "malformed", "blocked"].contains(&class), "{fault:?}: {class}");
        app.clock.set(NOW.plus_ms(HOUR_MS + 1_000));
        assert_eq!(poll(&app, user).unwrap().items.len(), 3, "{fault:?}");
    }
}

#[test]
fn a_login_that_comes_while_old_tokens_are_refreshed_wins() {
    let (app, fake, user) = ada();
    app.clock.set(NOW.plus_ms(HOUR_MS));
    let mut old = block_on(Session::load(&app.app, user)).unwrap();
    // Between its lease and its save, the listener has logged in anew.
    app.db.fail_after(
        1,
        Failure::Intruder(
            "UPDATE spotify_tokens SET lease_token = NULL, lease_until = 0, version = version + 1,
               access_expires_at = access_expires_at + 7200000",
        ),
    );
    block_on(old.refresh(&app.app)).unwrap();
    let versions = app.rows("SELECT version FROM spotify_tokens");
    assert_eq!(versions, ["Integer(2)"], "the refresh has not written over it");
    assert_eq!(connect(&app, &fake, "ada"), user);
}

#[test]
fn an_app_whose_secret_is_wrong_is_the_operators_business_and_no_listener_is_asked() {
    let (app, fake, user) = ada();
    fake.lock().unwrap().add_app(listenlog_workbench::fake_spotify::CLIENT_ID, "fake-another-secret");
    app.clock.set(NOW.plus_ms(HOUR_MS));
    assert_eq!(poll(&app, user).unwrap_err().class(), "refused");
    assert!(lost(&app).is_empty());
}

/// X8 of the system before this one: the access token lay in clear, and the key could not be replaced.
#[test]
fn tokens_are_sealed_and_the_key_can_be_replaced() {
    let (app, fake, user) = ada();
    let stored = everything_stored(&app);
    assert!(stored.contains("s1.") && !stored.contains("fake-"), "{stored}");
    let new_key = "Hx4dHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
    let old_key = VARS.iter().find(|(name, _)| *name == "TOKEN_ENCRYPTION_KEY").unwrap().1;
    let with = |keys: &[(&'static str, &'static str)]| {
        let vars: Vec<_> = VARS.iter().filter(|(name, _)| *name != "TOKEN_ENCRYPTION_KEY").copied().collect();
        let vars: Vec<_> = vars.into_iter().chain(keys.iter().copied()).collect();
        let mut other = TestApp::with_vars(&vars);
        other.app.db = std::sync::Arc::clone(&app.app.db);
        other.app.clock = std::sync::Arc::clone(&app.app.clock);
        play(&other, &fake);
        other
    };
    let without_old = with(&[("TOKEN_ENCRYPTION_KEY", new_key)]);
    assert_eq!(needs_reauth(&poll(&without_old, user).unwrap_err()), ReauthReason::KeyLost);
    assert!(lost(&app).is_empty(), "setting the old key puts it right");
    let rotated = with(&[("TOKEN_ENCRYPTION_KEY", new_key), ("TOKEN_ENCRYPTION_KEYS_OLD", old_key)]);
    app.clock.set(NOW.plus_ms(HOUR_MS));
    assert!(poll(&rotated, user).is_ok());
    assert!(poll(&without_old, user).is_ok(), "the refresh sealed both tokens with the new key");
}

#[test]
fn a_token_of_another_users_row_does_not_open() {
    let (app, fake, user) = ada();
    fake.lock().unwrap().add_listener(Listener::new("bob", "Bob"));
    let bob = connect(&app, &fake, "bob");
    let swap = "UPDATE spotify_tokens SET access_token = (SELECT access_token FROM spotify_tokens WHERE user_id = ?1)
                WHERE user_id = ?2";
    block_on(app.app.db.run(Statement::new(swap).bind(user).bind(bob))).unwrap();
    assert_eq!(needs_reauth(&poll(&app, bob).unwrap_err()), ReauthReason::KeyLost);
}

#[test]
fn no_secret_is_in_any_row_error_or_answer_whatever_goes_wrong() {
    let (app, fake, user) = ada();
    let mut said = String::new();
    for (hour, (path, fault)) in (1..).zip([
        (TOKEN, Fault::NotJson),
        (TOKEN, Fault::Resets),
        (RECENT, Fault::TokenNotTaken),
        (RECENT, Fault::Redirect { to: "https://elsewhere.example/".to_owned() }),
        (RECENT, Fault::CutOff),
        (TOKEN, Fault::InvalidGrant),
    ]) {
        app.clock.set(NOW.plus_ms(hour * HOUR_MS));
        fake.lock().unwrap().fail(path, fault, 1);
        let outcome = poll(&app, user);
        write!(said, "{outcome:?}").unwrap();
        if let Err(error) = outcome {
            said.push_str(&error.to_string());
        }
    }
    let again = log_in(&app, &fake, "/auth/login", "nobody");
    said.push_str(&String::from_utf8_lossy(&again.bytes));
    let session = block_on(Session::load(&app.app, user));
    write!(said, "{session:?}").unwrap();
    assert!(!said.contains("fake-"), "{said}");
    assert!(!everything_stored(&app).contains("fake-"));
}
