//! Where a browser is sent, and that it is nowhere else.

use super::*;

#[test]
fn a_browser_is_never_sent_to_an_address_that_is_not_the_client_s() {
    let dance = Dance::new();
    for address in [
        "https://evil.example/callback",
        "https://claude.ai/api/mcp/auth_callback/",
        "https://claude.ai/api/mcp/auth_callback?next=https://evil.example",
        "https://claude.ai.evil.example/api/mcp/auth_callback",
        "https://claude.ai:8443/api/mcp/auth_callback",
        "http://127.0.0.1/callback",
        "com.example.app:/callback",
        // Not even with something else wrong that the client would be told.
    ] {
        for instead in [&[("redirect_uri", address)][..], &[("redirect_uri", address), ("response_type", "token")]] {
            let answer = dance.sign_in(instead);
            assert_eq!(answer.status, 400, "{address}");
            assert!(!answer.headers.contains_key(header::LOCATION), "{address}");
        }
    }
    for address in [
        "javascript:alert(1)",
        "javascript://claude.ai/%0aalert(1)",
        "data:text/html,x",
        "https://claude.ai@evil.example/",
        "https://claude.ai\r\nSet-Cookie:a=b",
        "//evil.example",
        "",
    ] {
        let page = dance.get(&Dance::authorize(&[("redirect_uri", address)]));
        assert_eq!(page.status, 400, "{address}");
        assert!(!page.headers.contains_key(header::LOCATION) && !page.headers.contains_key(header::SET_COOKIE));
        assert_eq!(dance.sign_in(&[("redirect_uri", address)]).status, 400, "{address}");
    }
}

#[test]
fn what_is_wrong_with_a_request_is_told_to_its_client_once_its_address_is_known() {
    let dance = Dance::new();
    for (field, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge", &"=".repeat(43), "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("resource", "https://other.example/mcp", "invalid_target"),
        ("resource", ISSUER, "invalid_target"),
        ("scope", "admin everything", "invalid_scope"),
        ("request", "eyJhbGciOiJub25lIn0", "request_not_supported"),
    ] {
        let answer = dance.sign_in(&[(field, value)]);
        assert_eq!(answer.status, 303, "{field}={value}");
        assert!(answer.headers[header::LOCATION].to_str().unwrap().starts_with(&format!("{CALLBACK}?")));
        assert_eq!(parameter(&answer, "error"), error, "{field}={value}");
        assert_eq!(
            (parameter(&answer, "state"), parameter(&answer, "iss")),
            ("the state".to_owned(), ISSUER.to_owned())
        );
    }
    assert!(dance.app.rows("SELECT id FROM oauth_grants").is_empty());
}

#[test]
fn a_request_that_says_something_twice_or_nothing_is_refused() {
    let dance = Dance::new();
    let query = Dance::authorize(&[]);
    for more in ["&redirect_uri=https%3A%2F%2Fevil.example%2F", "&client_id=x", "&state=other", "&code_challenge=x"] {
        assert_eq!(dance.get(&format!("{query}{more}")).status, 400, "{more}");
        assert_eq!(dance.post(&format!("{query}{more}"), &[("secret", ADMIN_TOKEN)], &[]).status, 400, "{more}");
    }
    // RFC 8707 lets a resource come more than once; all must be ours.
    let doubled = |more: &str| dance.post(&format!("{query}&resource={more}"), &[("secret", ADMIN_TOKEN)], &[]);
    assert_eq!(doubled("https%3A%2F%2Flistenlog.example%2Fmcp%2F").status, 200);
    assert_eq!(parameter(&doubled("https%3A%2F%2Fother.example"), "error"), "invalid_target");
    assert_eq!(dance.get("/authorize").status, 400);
    assert_eq!(dance.get(&Dance::authorize(&[("client_id", "")])).status, 400);
    assert_eq!(dance.get(&Dance::authorize(&[("state", &"s".repeat(9_000))])).status, 400);
}

#[test]
fn a_state_comes_back_as_it_was_and_breaks_no_header() {
    let dance = Dance::new();
    let state = "é\r\nSet-Cookie: a=b\r\n\r\n<script>&code=evil#";
    let answer = dance.allow(&dance.question(&[("state", state)]));
    assert_eq!(parameter(&answer, "state"), state);
    assert_ne!(parameter(&answer, "code"), "evil");
    assert_eq!(answer.headers.get_all(header::SET_COOKIE).iter().count(), 1);
    let without = dance.allow(&dance.question(&[("state", "")]));
    assert!(!without.headers[header::LOCATION].to_str().unwrap().contains("state="));
}

#[test]
fn an_app_on_this_computer_is_answered_on_the_port_it_asks_from() {
    let dance = Dance::new();
    dance.app.servers.play(|_| Ok(answering(&document(&["http://127.0.0.1/callback", "http://localhost:1/callback"]))));
    for address in ["http://127.0.0.1:51234/callback", "http://localhost:51234/callback"] {
        let question = dance.question(&[("redirect_uri", address)]);
        assert!(question.page.text.contains("an app on this computer"), "{}", question.page.text);
        assert!(question.page.policy.contains(address.strip_suffix("/callback").unwrap()), "{}", question.page.policy);
        let answer = dance.allow(&question);
        assert!(answer.headers[header::LOCATION].to_str().unwrap().starts_with(&format!("{address}?")));
        let code = parameter(&answer, "code");
        assert_invalid_grant(&dance.exchange(&code, &[("redirect_uri", "http://127.0.0.1:1/callback")]));
        assert_eq!(dance.exchange(&code, &[("redirect_uri", address)]).status, 200);
    }
    assert_eq!(dance.sign_in(&[("redirect_uri", "http://127.0.0.1:51234/other")]).status, 400);
}
