//! Consent: from another site, from another browser, twice, too late, and guessed.

use super::*;
use crate::{store::oauth_grants::CONSENT_MS, testing::test_app::NOW};

const ALLOW: [(&str, &str); 3] = [("decision", "allow"), ("user_id", "1"), ("scope_read", "1")];

fn nothing_was_given(dance: &Dance) -> bool {
    dance.app.get("/admin/grants").json()["total"] == 0
}

#[test]
fn an_answer_counts_only_from_the_page_and_the_browser_that_were_asked() {
    let dance = Dance::new();
    let (victim, attacker) = (dance.question(&[]), dance.question(&[("state", "attacker's")]));
    for (what, forged) in [
        ("no cookie", Question { cookie: String::new(), ..victim.clone() }),
        ("another browser's cookie", Question { cookie: attacker.cookie.clone(), ..victim.clone() }),
        ("another page's secret", Question { page_secret: attacker.page_secret.clone(), ..victim.clone() }),
        ("no page secret", Question { page_secret: String::new(), ..victim.clone() }),
        ("another question", Question { grant: attacker.grant.clone(), ..victim.clone() }),
        ("a question that is not there", Question { grant: "99".to_owned(), ..victim.clone() }),
        ("no number", Question { grant: "1 OR 1=1".to_owned(), ..victim.clone() }),
        ("a number beyond all", Question { grant: "9007199254740993".to_owned(), ..victim.clone() }),
    ] {
        let answer = dance.decide(&forged, &ALLOW);
        assert_eq!(answer.status, 403, "{what}");
        assert!(!answer.headers.contains_key(header::LOCATION), "{what}");
        assert!(nothing_was_given(&dance), "{what}");
    }
    assert_eq!(dance.decide(&victim, &ALLOW).status, 303);
}

#[test]
fn a_form_that_another_site_sends_is_refused() {
    let dance = Dance::new();
    let question = dance.question(&[]);
    let mut pairs = vec![("grant", question.grant.as_str()), ("page_secret", question.page_secret.as_str())];
    pairs.extend_from_slice(&ALLOW);
    for site in ["cross-site", "same-site", "none"] {
        let headers = [("cookie", question.cookie.as_str()), ("sec-fetch-site", site)];
        assert_eq!(dance.post("/authorize", &pairs, &headers).status, 403, "{site}");
        let sign_in = dance.post(&Dance::authorize(&[]), &[("secret", ADMIN_TOKEN)], &[("sec-fetch-site", site)]);
        assert_eq!(sign_in.status, 403, "{site}");
    }
    assert!(nothing_was_given(&dance));
}

#[test]
fn a_token_with_a_role_signs_nobody_in() {
    let dance = Dance::new();
    for role in ["viewer", "admin"] {
        let issued = dance.app.post("/admin/tokens", &json!({"label": "x", "role": role})).json();
        let secret = issued["token"].as_str().unwrap();
        let page = dance.post(&Dance::authorize(&[]), &[("secret", secret)], &[("sec-fetch-site", "same-origin")]);
        let text = String::from_utf8(page.bytes).unwrap();
        assert!(text.contains("That is not the admin&#39;s credential."), "{role}: {text}");
        assert!(!page.headers.contains_key(header::SET_COOKIE), "{role}");
    }
}

#[test]
fn the_cookie_is_out_of_reach_of_scripts_neighbours_and_other_sites() {
    let dance = Dance::new();
    let page = dance.sign_in(&[]);
    let cookie = page.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("__Host-"), "{cookie}");
    for attribute in ["; Secure", "; HttpOnly", "; SameSite=Strict", "; Path=/;", "; Max-Age=600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let cleared = dance.allow(&dance.question(&[]));
    assert!(cleared.headers[header::SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
}

#[test]
fn a_question_is_answered_once_and_within_ten_minutes() {
    let dance = Dance::new();
    let question = dance.question(&[]);
    assert_eq!(dance.decide(&question, &ALLOW).status, 303);
    assert_eq!(dance.decide(&question, &ALLOW).status, 403);
    assert_eq!(dance.decide(&question, &[("decision", "deny")]).status, 403);
    let late = dance.question(&[]);
    dance.app.clock.set(NOW.plus_ms(CONSENT_MS));
    assert_eq!(dance.decide(&late, &ALLOW).status, 403);
    assert_eq!(dance.app.get("/admin/grants").json()["total"], 1);
}

#[test]
fn denying_tells_the_client_and_leaves_nothing() {
    let dance = Dance::new();
    let question = dance.question(&[]);
    let answer = dance.decide(&question, &[("decision", "deny")]);
    assert_eq!(answer.status, 303);
    assert_eq!(parameter(&answer, "error"), "access_denied");
    assert_eq!((parameter(&answer, "state"), parameter(&answer, "iss")), ("the state".to_owned(), ISSUER.to_owned()));
    assert_eq!(parameter(&answer, "code"), "");
    assert_eq!(dance.decide(&question, &ALLOW).status, 403);
    assert!(dance.app.rows("SELECT id FROM oauth_grants").is_empty());
}

#[test]
fn every_request_asks_again_however_often_the_admin_was_here() {
    let dance = Dance::new();
    let question = dance.question(&[]);
    dance.allow(&question);
    // The browser still has its cookie; a client that anyone registered sends it here.
    let headers = [("cookie", question.cookie.as_str()), ("sec-fetch-site", "same-origin")];
    let again = dance.app.send({
        let request = Request::get(format!("{ISSUER}{}", Dance::authorize(&[]))).header("cookie", &question.cookie);
        request.body(Body::empty()).unwrap()
    });
    assert_eq!(again.status, 200);
    assert!(String::from_utf8(again.bytes).unwrap().contains("type=\"password\""));
    assert_eq!(dance.post(&Dance::authorize(&[]), &[], &headers).status, 403);
    assert_eq!(dance.post(&Dance::authorize(&[]), &[("secret", "")], &headers).status, 403);
}

#[test]
fn guessing_the_credential_ends_after_some_guesses() {
    let dance = Dance::new();
    dance.app.failed_logins.allow(3);
    let sign_in = |address: &str, secret: &str| {
        let headers = [("cf-connecting-ip", address)];
        dance.post(&Dance::authorize(&[]), &[("secret", secret)], &headers).status.as_u16()
    };
    for guess in 0..4 {
        assert_eq!(sign_in("192.0.2.1", &format!("guess {guess}")), 403);
    }
    assert_eq!(sign_in("192.0.2.1", "another"), 429);
    assert_eq!(sign_in("192.0.2.1", ADMIN_TOKEN), 429);
    assert_eq!(sign_in("192.0.2.2", ADMIN_TOKEN), 200);
}

#[test]
fn what_a_client_calls_itself_cannot_pass_for_the_page() {
    let dance = Dance::new();
    let name = "</strong><script>alert(1)</script>\u{202e}<form action=\"https://evil.example\">\n\nYour bank";
    dance.app.servers.play(move |_| {
        let mut document = document(&[CALLBACK]);
        document["client_name"] = json!(name);
        Ok(answering(&document))
    });
    let page = dance.question(&[]).page.text;
    assert!(
        !page.contains("<script") && !page.contains("action=\"https://evil") && !page.contains('\u{202e}'),
        "{page}"
    );
    // The host that vouches and the host that receives are shown beside it.
    assert!(page.contains("&lt;script&gt;") && page.matches("<strong>claude.ai</strong>").count() == 2, "{page}");
    let query = Dance::authorize(&[("state", "\"><script>alert(1)</script>")]);
    let page = String::from_utf8(dance.get(&query).bytes).unwrap();
    assert!(!page.contains("<script"), "{page}");
    let raw = format!("{query}&x=%22%3E<script>'\"");
    let request = Request::get(format!("{ISSUER}{}", raw.replace(['<', '>', '"'], ""))).body(Body::empty()).unwrap();
    assert_eq!(dance.app.send(request).status, 200);
}
