//! Logins that go well, and all the others.

use listenlog_workbench::fake_spotify::{FakeSpotify, Fault, Listener};

use super::*;
use crate::{
    domain::instant::DAY_MS,
    testing::{
        TestApp,
        fake_spotify::{Login, SharedFake, VARS, app_with, authorize, connect, everything_stored, log_in, play, visit},
        test_app::{Answer, NOW},
    },
};

fn scene() -> (TestApp, SharedFake) {
    app_with(FakeSpotify::with(vec![Listener::new("ada", "Ada <b>"), Listener::new("bob", "")]))
}

fn detail(answer: &Answer) -> String {
    answer.json()["detail"].as_str().unwrap().to_owned()
}

fn nothing_is_connected(app: &TestApp) -> bool {
    app.rows("SELECT id FROM users").is_empty() && app.rows("SELECT user_id FROM spotify_tokens").is_empty()
}

#[test]
fn a_listener_is_connected_and_comes_back_as_the_same_user() {
    let (app, fake) = scene();
    let answer = log_in(&app, &fake, "/auth/login", "ada");
    assert_eq!(answer.status, 200);
    assert_eq!((&answer.json()["user_id"], &answer.json()["is_new_user"]), (&1.into(), &true.into()));
    assert!(answer.headers["set-cookie"].to_str().unwrap().starts_with("listenlog_login=; Max-Age=0;"));
    assert_eq!(answer.headers.get("cache-control").map(|value| value.to_str().unwrap()), Some("no-store"));
    assert_eq!(connect(&app, &fake, "bob").0, 2);
    let again = log_in(&app, &fake, "/auth/login", "ada");
    assert_eq!((&again.json()["user_id"], &again.json()["is_new_user"]), (&1.into(), &false.into()));
    assert_eq!(app.get("/admin/users").json()["total"], 2);
    assert_eq!(app.get("/admin/users/2").json()["display_name"], "bob", "without a name, Spotify's id");
}

#[test]
fn the_way_to_spotify_asks_for_two_scopes_and_hides_the_verifier() {
    let (app, _) = scene();
    let begun = visit(&app, "/auth/login", None);
    let location = begun.headers["location"].to_str().unwrap();
    let cookie = begun.headers["set-cookie"].to_str().unwrap();
    assert!(location.contains("scope=user-read-recently-played%20user-top-read&"), "{location}");
    assert!(location.contains("code_challenge_method=S256"));
    for attribute in ["; Max-Age=600", "; HttpOnly", "; SameSite=Lax", "; Path=/auth"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let verifier = cookie.split(['=', ';']).nth(1).unwrap();
    assert!(verifier.len() >= 43 && !location.contains(verifier));
    assert_eq!(app.app.db.usage().rows_written, 0, "a login that only begins costs no row");
}

#[test]
fn over_tls_the_cookie_is_secure() {
    let vars: Vec<_> = VARS.iter().filter(|(name, _)| *name != "SPOTIFY_REDIRECT_URI").copied().collect();
    let vars: Vec<_> = vars.into_iter().chain([("PUBLIC_URL", "https://listenlog.example")]).collect();
    let begun = visit(&TestApp::with_vars(&vars), "/auth/login", None);
    assert!(begun.headers["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    let location = begun.headers["location"].to_str().unwrap();
    assert!(location.contains("redirect_uri=https%3A%2F%2Flistenlog.example%2Fauth%2Fcallback&"), "{location}");
}

/// X9 of the system before this one: a state was bound to no browser and could be used again for five minutes.
#[test]
fn a_state_holds_once_for_ten_minutes_and_in_its_own_browser() {
    let (app, fake) = scene();
    let Login { cookie, callback } = authorize(&app, &fake, "/auth/login", "ada");
    let other_cookie = authorize(&app, &fake, "/auth/login", "ada").cookie;
    for foreign in [None, Some(other_cookie.as_str()), Some("listenlog_login="), Some("listenlog_login=x")] {
        let answer = visit(&app, &callback, foreign);
        assert_eq!(answer.status, 400);
        assert!(detail(&answer).contains("another browser"), "{}", detail(&answer));
    }
    assert!(nothing_is_connected(&app));
    assert_eq!(visit(&app, &callback, Some(&format!("a=b; {cookie}; c=d"))).status, 200);
    let replayed = visit(&app, &callback, Some(&cookie));
    assert_eq!((replayed.status.as_u16(), detail(&replayed).contains("came back before")), (400, true));
    let late = authorize(&app, &fake, "/auth/login", "ada");
    app.clock.set(NOW.plus_ms(LOGIN_LIFE_MS));
    let answer = visit(&app, &late.callback, Some(&late.cookie));
    assert_eq!((answer.status.as_u16(), detail(&answer).contains("ten minutes")), (400, true));
}

#[test]
fn a_forged_or_changed_state_is_refused_without_asking_spotify() {
    let (app, fake) = scene();
    let Login { cookie, callback } = authorize(&app, &fake, "/auth/login", "ada");
    let asked = fake.lock().unwrap().asked_in_all();
    for state in ["", "x", "s1.a.b", "%C3%B6", "s1.%00.x"] {
        let path = format!("/auth/callback?code=abc&state={state}");
        assert_eq!(visit(&app, &path, Some(&cookie)).status, 400, "{state}");
    }
    let changed = callback.replace("state=s1.", "state=s1.x");
    assert!(detail(&visit(&app, &changed, Some(&cookie))).contains("not begun here"));
    assert_eq!(visit(&app, "/auth/callback", Some(&cookie)).status, 400);
    assert_eq!(fake.lock().unwrap().asked_in_all(), asked);
    assert!(nothing_is_connected(&app));
}

#[test]
fn cancelling_is_answered_with_what_to_do_and_with_a_page_for_a_browser() {
    let (app, fake) = scene();
    let answer = log_in(&app, &fake, "/auth/login", "nobody");
    assert_eq!(answer.status, 400);
    assert!(detail(&answer).contains("cancelled") && detail(&answer).contains("/auth/login"));
    let page = visit_as_browser(&app, "/auth/callback?error=%3Cscript%3E&state=x", None);
    assert_eq!(page.status, 400);
    assert!(page.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let text = String::from_utf8(page.bytes).unwrap();
    assert!(text.contains("<h1>Not connected</h1>") && !text.contains("script"), "{text}");
}

fn visit_as_browser(app: &TestApp, path: &str, cookie: Option<&str>) -> Answer {
    let request = axum::http::Request::builder()
        .uri(format!("http://127.0.0.1:8787{path}"))
        .header(header::ACCEPT, "text/html,application/xhtml+xml")
        .header(header::COOKIE, cookie.unwrap_or_default());
    app.send(request.body(Body::empty()).unwrap())
}

#[test]
fn a_browser_sees_a_page_with_the_name_escaped() {
    let (app, fake) = scene();
    let Login { cookie, callback } = authorize(&app, &fake, "/auth/login", "ada");
    let text = String::from_utf8(visit_as_browser(&app, &callback, Some(&cookie)).bytes).unwrap();
    assert!(text.contains("Ada &lt;b&gt; is connected to Spotify."), "{text}");
}

#[test]
fn a_code_that_is_too_old_or_not_spotifys_is_refused() {
    let (app, fake) = scene();
    let Login { cookie, callback } = authorize(&app, &fake, "/auth/login", "ada");
    let (_, state) = callback.split_once("&state=").unwrap();
    let answer = visit(&app, &format!("/auth/callback?code=guessed&state={state}"), Some(&cookie));
    assert_eq!((answer.status.as_u16(), detail(&answer).contains("did not accept the code")), (400, true));
    assert!(nothing_is_connected(&app));
}

#[test]
fn who_allowed_too_little_or_is_not_on_the_list_is_told_what_to_do() {
    let (app, fake) = scene();
    fake.lock().unwrap().listener("ada").unwrap().grants_only = Some(vec!["user-top-read".to_owned()]);
    let answer = log_in(&app, &fake, "/auth/login", "ada");
    assert_eq!((answer.status.as_u16(), detail(&answer).contains("allow both")), (400, true));
    fake.lock().unwrap().listener("bob").unwrap().is_on_allow_list = false;
    let answer = log_in(&app, &fake, "/auth/login", "bob");
    assert_eq!((answer.status.as_u16(), detail(&answer).contains("User Management")), (403, true));
    assert!(nothing_is_connected(&app));
}

#[test]
fn spotify_being_down_or_busy_during_a_login_is_said_and_nothing_is_stored() {
    for (path, fault, status) in [
        ("/api/token", Fault::Status { status: 503 }, 502),
        ("/api/token", Fault::TimesOut, 502),
        ("/api/token", Fault::RateLimited { retry_after: Some("30".to_owned()) }, 503),
        ("/v1/me", Fault::QuotaExceeded { retry_after: None }, 503),
        ("/v1/me", Fault::CutOff, 502),
        ("/v1/me", Fault::Resets, 502),
    ] {
        let (app, fake) = scene();
        fake.lock().unwrap().fail(path, fault.clone(), 1);
        let answer = log_in(&app, &fake, "/auth/login", "ada");
        assert_eq!(answer.status, status, "{fault:?}: {}", detail(&answer));
        assert!(nothing_is_connected(&app));
    }
}

#[test]
fn without_settings_the_login_names_the_next_one_and_the_rest_works() {
    let mut vars = vec![("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", "the-admin-token")];
    for (name, value) in [
        ("TOKEN_ENCRYPTION_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("SPOTIFY_CLIENT_ID", "id"),
        ("SPOTIFY_CLIENT_SECRET", "fake-secret"),
        ("PUBLIC_URL", "https://listenlog.example"),
    ] {
        let app = TestApp::with_vars(&vars);
        let answer = visit(&app, "/auth/login", None);
        assert_eq!(answer.status, 503);
        assert!(detail(&answer).contains(name), "{}", detail(&answer));
        assert_eq!(app.get("/admin/users").status, 200);
        vars.push((name, value));
    }
    assert_eq!(visit(&TestApp::with_vars(&vars), "/auth/login", None).status, 302);
}

#[test]
fn a_browser_is_sent_on_to_allowed_places_only() {
    let (app, fake) = scene();
    let answer = log_in(&app, &fake, "/auth/login?next=%2Fdone%3Fx%3D1", "ada");
    assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (303, "/done?x=1"));
    for next in ["//evil.example", "https://evil.example", "javascript:alert(1)", "/a%0d%0ab", "/%5Cevil.example", ""] {
        let answer = visit(&app, &format!("/auth/login?next={next}"), None);
        assert_eq!(answer.status, 422, "{next}");
    }
    let vars: Vec<_> = VARS.iter().copied().chain([("CORS_ALLOWED_ORIGINS", "https://ok.example")]).collect();
    let app = TestApp::with_vars(&vars);
    play(&app, &fake);
    assert_eq!(visit(&app, "/auth/login?next=https://ok.example/a", None).status, 302);
    assert_eq!(visit(&app, "/auth/login?next=https://ok.example.evil.example/", None).status, 422);
    assert_eq!(visit(&app, "/auth/login?nxt=/", None).status, 422);
}

#[test]
fn a_renamed_listener_is_still_the_same_user_and_an_old_id_may_be_anothers_now() {
    let (app, fake) = scene();
    fake.lock().unwrap().listener("ada").unwrap().account_id = None;
    let ada = connect(&app, &fake, "ada");
    fake.lock().unwrap().listener("ada").unwrap().account_id = Some("A1".to_owned());
    assert_eq!(connect(&app, &fake, "ada"), ada, "the account id is learnt");
    fake.lock().unwrap().add_listener(Listener { account_id: Some("A1".to_owned()), ..Listener::new("ada2", "Ada") });
    assert_eq!(connect(&app, &fake, "ada2"), ada);
    fake.lock().unwrap().add_listener(Listener { account_id: Some("A3".to_owned()), ..Listener::new("ada2", "Eve") });
    assert_ne!(connect(&app, &fake, "ada2"), ada);
}

#[test]
fn nothing_of_a_login_is_left_in_rows_or_answers() {
    let (app, fake) = scene();
    let mut said = String::new();
    for path in ["/auth/login", "/auth/login?next=/"] {
        said.push_str(&String::from_utf8_lossy(&log_in(&app, &fake, path, "ada").bytes));
    }
    let Login { cookie, callback } = authorize(&app, &fake, "/auth/login", "ada");
    fake.lock().unwrap().fail("/v1/me", Fault::NotJson, 1);
    said.push_str(&String::from_utf8_lossy(&visit(&app, &callback, Some(&cookie)).bytes));
    app.clock.set(NOW.plus_ms(DAY_MS));
    let stored = everything_stored(&app);
    let verifier = cookie.split_once('=').unwrap().1;
    assert!(!said.contains("fake-") && !stored.contains("fake-") && !stored.contains(verifier));
}
