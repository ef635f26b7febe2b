//! Whoever fails to log in too often has to wait.
//!
//! Must stay true: failures are counted by the address that the platform saw, never by what was presented, so that another
//! guess is no fresh start; who presents nothing guesses nothing, and is only asked for a credential; while an address
//! waits, its credentials are not looked at, right or wrong, so that guessing tells nothing, unless they were issued to an assistant
//! and so are beyond guessing; neither a waiting address nor one that presents nothing costs a read of its body or a log row.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, PoisonError},
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, Response, StatusCode, header},
    middleware::Next,
    response::IntoResponse,
};

use crate::{
    app::App,
    domain::{credential::CredentialKind, instant::Millis},
    error::AppError,
};

/// Set by the platform, over whatever the client sent.
/// <https://developers.cloudflare.com/fundamentals/reference/http-headers/#cf-connecting-ip>
const ADDRESS: HeaderName = HeaderName::from_static("cf-connecting-ip");

/// How long an address waits: the period over which the limiter counts.
const WAIT_SECONDS: u32 = 60;

/// Addresses that are remembered; beyond that, those whose time is over are forgotten, and then all.
const MAX_ADDRESSES: usize = 10_000;

/// The addresses that have to wait, and until when. One for each isolate: another one lets an address in once more, and
/// then, as the counts are the place's, shuts it out as well.
#[derive(Default)]
pub struct Lockouts(Mutex<HashMap<String, Millis>>);

impl Lockouts {
    /// Seconds that this address still has to wait.
    fn seconds_left(&self, address: &str, now: Millis) -> Option<u32> {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner).get(address)?;
        let left_ms = until.since_ms(now);
        (left_ms > 0).then(|| u32::try_from(left_ms.saturating_add(999) / 1_000).unwrap_or(WAIT_SECONDS))
    }

    fn shut_out(&self, address: String, now: Millis) {
        let mut until = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if until.len() >= MAX_ADDRESSES {
            until.retain(|_, until| *until > now);
        }
        if until.len() >= MAX_ADDRESSES {
            until.clear();
        }
        until.insert(address, now.plus_ms(i64::from(WAIT_SECONDS) * 1_000));
    }
}

/// Around a credential check: turns away who has to wait, and counts the guesses that the check refuses.
pub async fn damp(app: App, request: Request, next: Next) -> Response<Body> {
    let address = address_of(request.headers());
    let presented = Presented::of(request.headers());
    if presented != Presented::Issued
        && let Some(wait) = must_wait(&app, &address)
    {
        return wait.into_response();
    }
    let mut response = next.run(request).await;
    if response.status() == StatusCode::UNAUTHORIZED {
        match presented {
            Presented::Secret => count_failure(&app, address).await,
            Presented::Nothing => drop(response.extensions_mut().insert(OnlyAsked)),
            Presented::Issued => {}
        }
    }
    response
}

/// Beside an answer that asks for a credential where none was presented: nothing was refused, and no log row tells of it.
#[derive(Clone, Copy, Debug)]
pub struct OnlyAsked;

/// What the Authorization headers of a request carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presented {
    /// Nothing that could open anything: browsers ask so before they show their form, OAuth clients before they look for the
    /// way in, and whoever watches whether the door stands.
    Nothing,
    /// What looks as if it was issued here to an assistant: 256 random bits, which nobody guesses. Assistants of many people share
    /// their addresses, so that one stale token must not shut out the others, or the admin.
    Issued,
    /// Anything else: a guess, if it is wrong. So is a token with a role, which opens as much as the admin's credential may.
    Secret,
}

impl Presented {
    fn of(headers: &HeaderMap) -> Self {
        let values =
            headers.get_all(header::AUTHORIZATION).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
        let secrets: Vec<String> = values
            .filter_map(|value| Some(value.split_once(' ')?.1.trim_start().to_owned()))
            .filter(|secret| !secret.is_empty())
            .collect();
        if secrets.is_empty() {
            Self::Nothing
        } else if secrets.iter().all(|secret| is_an_assistant_s(secret)) {
            Self::Issued
        } else {
            Self::Secret
        }
    }
}

fn is_an_assistant_s(secret: &str) -> bool {
    CredentialKind::of_secret(secret).is_some_and(|kind| kind != CredentialKind::RoleToken)
}

/// The answer to an address that has to wait.
pub fn must_wait(app: &App, address: &str) -> Option<AppError> {
    let retry_after_seconds = app.lockouts.seconds_left(address, app.now())?;
    let detail = "Too many requests from your address carried no right credential. Wait, then try again.";
    Some(AppError::TooManyRequests { detail, retry_after_seconds })
}

/// Counts a credential that was refused.
pub async fn count_failure(app: &App, address: String) {
    if !app.failed_logins.count(&address).await {
        tracing::warn!("An address failed to log in too often and is shut out for a minute");
        app.lockouts.shut_out(address, app.now());
    }
}

/// What is counted: an IPv4 address, the network (/64) of an IPv6 one, as any household has all of its addresses.
pub fn address_of(headers: &HeaderMap) -> String {
    let told = headers.get(ADDRESS).and_then(|value| value.to_str().ok()).and_then(|text| text.trim().parse().ok());
    match told {
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.to_string(),
            None => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        },
        None => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::testing::{
        TestApp,
        test_app::{ADMIN_TOKEN, Answer, NOW},
    };

    fn ask(app: &TestApp, address: &str, token: &str) -> Answer {
        let request = Request::builder()
            .uri("http://listenlog.example/admin/users")
            .header(ADDRESS, address)
            .header(header::AUTHORIZATION, format!("Bearer {token}"));
        app.send(request.body(Body::empty()).unwrap())
    }

    #[test]
    fn guessing_ends_after_some_guesses_whatever_is_guessed() {
        let app = TestApp::new();
        app.failed_logins.allow(3);
        for guess in 0..4 {
            assert_eq!(ask(&app, "192.0.2.1", &format!("guess-{guess}")).status, 401);
        }
        let turned_away = ask(&app, "192.0.2.1", "another");
        assert_eq!(turned_away.status, 429);
        assert_eq!(turned_away.headers[header::RETRY_AFTER], "60");
        assert_eq!(turned_away.json()["status"], 429);
        // The right one would tell the guesser that it is right.
        assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).status, 429);
        assert_eq!(ask(&app, "192.0.2.2", ADMIN_TOKEN).status, 200);
        app.clock.set(NOW.plus_ms(59_500));
        assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).headers[header::RETRY_AFTER], "1");
        app.clock.set(NOW.plus_ms(60_000));
        assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).status, 200);
    }

    #[test]
    fn an_assistant_behind_an_address_that_has_to_wait_is_still_answered() {
        let app = TestApp::new();
        app.post("/admin/users", &serde_json::json!({"display_name": "Ada"}));
        let issued = app.post("/admin/users/1/tokens", &serde_json::json!({"label": "assistant"})).json();
        app.failed_logins.allow(0);
        ask(&app, "192.0.2.1", "wrong");
        assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).status, 429);
        // Let through to the check, which knows the token: it is not the admin's.
        assert_eq!(ask(&app, "192.0.2.1", issued["token"].as_str().unwrap()).status, 403);
        assert_eq!(ask(&app, "192.0.2.1", "listenlog_token_0000").status, 401);
    }

    #[test]
    fn right_credentials_are_not_counted_and_secrets_are_no_keys() {
        let app = TestApp::new();
        app.failed_logins.allow(0);
        for _ in 0..5 {
            assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).status, 200);
        }
        ask(&app, "192.0.2.9", "a-guess");
        assert_eq!(app.failed_logins.keys(), ["192.0.2.9"]);
    }

    /// A request that presents this, or nothing.
    fn knock(app: &TestApp, authorization: &[&str]) -> Answer {
        let mut request = Request::builder().uri("http://listenlog.example/admin/users").header(ADDRESS, "192.0.2.1");
        for value in authorization {
            request = request.header(header::AUTHORIZATION, *value);
        }
        app.send(request.body(Body::empty()).unwrap())
    }

    #[test]
    fn who_presents_nothing_is_asked_for_a_credential_as_often_as_they_come_and_fills_no_log() {
        let app = TestApp::new();
        app.failed_logins.allow(0);
        for nothing in [&[][..], &[""], &["Bearer"], &["Bearer "], &["Basic  "]] {
            let asked = knock(&app, nothing);
            assert_eq!(asked.status, 401, "{nothing:?}");
            assert!(asked.headers.contains_key(header::WWW_AUTHENTICATE), "{nothing:?}");
        }
        assert!(app.failed_logins.keys().is_empty());
        assert!(app.rows("SELECT message FROM logs").is_empty());
        assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).status, 200);
    }

    #[test]
    fn a_stale_token_of_an_assistant_does_not_shut_the_admin_out() {
        let app = TestApp::new();
        app.failed_logins.allow(0);
        assert_eq!(knock(&app, &["Bearer listenlog_token_0000"]).status, 401);
        assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).status, 200);
        // A guess beside such a token is a guess.
        assert_eq!(knock(&app, &["Bearer listenlog_token_0000", "Bearer guess"]).status, 401);
        assert_eq!(ask(&app, "192.0.2.1", ADMIN_TOKEN).status, 429);
    }

    #[test]
    fn a_wrong_token_with_a_role_is_a_guess_like_any_other() {
        let app = TestApp::new();
        let wanted = serde_json::json!({"label": "shift", "role": "admin"});
        let right = app.post("/admin/tokens", &wanted).json()["token"].as_str().unwrap().to_owned();
        app.failed_logins.allow(1);
        for wrong in [format!("listenlog_admin_{}", "0".repeat(64)), "listenlog_admin_0".to_owned()] {
            assert_eq!(ask(&app, "192.0.2.1", &wrong).status, 401);
        }
        assert_eq!(ask(&app, "192.0.2.1", &right).status, 429);
        assert_eq!(ask(&app, "192.0.2.2", &right).status, 200);
    }

    #[test]
    fn a_household_s_addresses_are_one_and_a_missing_one_is_counted_too() {
        let counted = |text: &str| address_of(&HeaderMap::from_iter([(ADDRESS, text.parse().unwrap())]));
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(counted("2001:db8:1:2::9"), "2001:db8:1:2::/64");
        assert_eq!(counted("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(counted("not an address"), "unknown");
        assert_eq!(address_of(&HeaderMap::new()), "unknown");
    }

    #[test]
    fn an_address_that_has_to_wait_fills_no_log() {
        let app = TestApp::new();
        app.failed_logins.allow(1);
        for _ in 0..20 {
            ask(&app, "192.0.2.1", "wrong");
        }
        let rows = app.rows("SELECT message FROM logs");
        assert_eq!(rows.len(), 3, "two refusals and the word that it is shut out: {rows:?}");
    }

    #[test]
    fn no_more_addresses_are_remembered_than_there_is_room_for() {
        let lockouts = Lockouts::default();
        for number in 0..2 * MAX_ADDRESSES {
            lockouts.shut_out(number.to_string(), NOW);
        }
        assert!(lockouts.0.lock().unwrap().len() <= MAX_ADDRESSES);
        assert!(lockouts.seconds_left(&(2 * MAX_ADDRESSES - 1).to_string(), NOW).is_some());
    }
}
