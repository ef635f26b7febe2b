//! As it should go.

use axum::http::HeaderMap;

use super::{super::challenge, *};

#[test]
fn a_client_finds_its_way_from_a_refusal_to_an_answer() {
    let dance = Dance::new();
    let refused = dance.app.send(Request::post(RESOURCE).body(Body::from("{}")).unwrap());
    assert_eq!(refused.status, 401);
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    assert!(challenge.starts_with("Bearer ") && challenge.contains("scope=\"read ops\""), "{challenge}");
    let metadata = between(challenge, "resource_metadata=\"", "\"");
    let resource = dance.get(metadata.strip_prefix(ISSUER).unwrap());
    assert_eq!(resource.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    let resource = resource.json();
    assert_eq!(resource["resource"], RESOURCE);
    assert_eq!(resource["authorization_servers"], json!([ISSUER]));
    assert_eq!(resource["scopes_supported"], json!(["read", "ops"]));
    assert_eq!(dance.get("/.well-known/oauth-protected-resource").json(), resource);
    let server = dance.get("/.well-known/oauth-authorization-server").json();
    assert_eq!(server["issuer"], ISSUER);
    for (endpoint, path) in [
        ("authorization_endpoint", "/authorize"),
        ("token_endpoint", "/token"),
        ("registration_endpoint", "/register"),
        ("revocation_endpoint", "/revoke"),
    ] {
        assert_eq!(server[endpoint], format!("{ISSUER}{path}"));
    }
    assert_eq!(server["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(server["token_endpoint_auth_methods_supported"], json!(["none"]));
    assert_eq!(server["client_id_metadata_document_supported"], true);

    let question = dance.question(&[]);
    let answer = dance.allow(&question);
    assert_eq!(answer.status, 303);
    assert!(answer.headers[header::LOCATION].to_str().unwrap().starts_with(&format!("{CALLBACK}?")));
    assert_eq!((parameter(&answer, "state"), parameter(&answer, "iss")), ("the state".to_owned(), ISSUER.to_owned()));
    let exchanged = dance.exchange(&parameter(&answer, "code"), &[]);
    assert_eq!(exchanged.headers[header::CACHE_CONTROL], "no-store");
    let tokens = exchanged.json();
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"], &tokens["scope"]),
        (&json!("Bearer"), &json!(3600), &json!("read ops"))
    );
    assert!(dance.opens(&tokens));
    let listed = dance.message(&tokens, "tools/list", &json!({}));
    assert!(!listed.json()["result"]["tools"].as_array().unwrap().is_empty());
    // Its own user alone.
    assert_eq!(dance.ask(text(&tokens, "access_token"), &json!({"user_id": 1})), 200);
    assert_eq!(dance.ask(text(&tokens, "access_token"), &json!({"user_id": 2})), 403);
    let request = Request::get(format!("{ISSUER}/admin/users"))
        .header(header::AUTHORIZATION, format!("Bearer {}", text(&tokens, "access_token")));
    assert_eq!(dance.app.send(request.body(Body::empty()).unwrap()).status, 403);
}

#[test]
fn the_question_names_client_receiver_users_and_scopes() {
    let dance = Dance::new();
    let page = dance.question(&[("scope", "read offline_access")]).page;
    for told in
        ["“Claude”", "<strong>claude.ai</strong> vouches", "name=\"user_id\" value=\"1\"", "value=\"2\"", "scope_read"]
    {
        assert!(page.text.contains(told), "{told}: {}", page.text);
    }
    assert!(
        !page.text.contains("scope_ops") && !page.text.contains("<script") && !page.text.contains("required checked")
    );
    assert!(page.policy.contains("frame-ancestors 'none'") && page.policy.contains("form-action 'self' https:;"));
    let one = Dance::new();
    one.app.db.with(|connection| connection.execute("DELETE FROM users WHERE id = 2", [])).unwrap();
    assert!(one.question(&[]).page.text.contains("required checked"));
}

#[test]
fn the_sign_in_page_tells_nothing_of_users_and_asks_nobody_elsewhere() {
    let dance = Dance::new();
    dance.app.servers.play(|_| panic!("a stranger made the Worker fetch something"));
    let page = dance.get(&Dance::authorize(&[]));
    let text = String::from_utf8(page.bytes.clone()).unwrap();
    assert_eq!(page.status, 200);
    assert!(text.contains("type=\"password\"") && text.contains("claude.ai") && !text.contains("Somebody"), "{text}");
    let policy = page.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("form-action 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.headers[header::X_FRAME_OPTIONS], "DENY");
    assert_eq!(dance.app.app.db.usage().calls, 0);
}

#[test]
fn the_admin_may_give_less_than_was_asked_for() {
    let dance = Dance::new();
    let answer = dance.decide(&dance.question(&[]), &[("decision", "allow"), ("user_id", "2"), ("scope_ops", "1")]);
    let tokens = dance.exchange(&parameter(&answer, "code"), &[]).json();
    assert_eq!(tokens["scope"], "ops");
    // Reading was not given, and user 2 is the one.
    assert_eq!(dance.ask(text(&tokens, "access_token"), &json!({})), 403);
    // What was not asked for is not given, whatever the form says.
    let answer = dance.allow(&dance.question(&[("scope", "read")]));
    assert_eq!(dance.exchange(&parameter(&answer, "code"), &[]).json()["scope"], "read");
    let nothing = dance.decide(&dance.question(&[]), &[("decision", "allow"), ("user_id", "1")]);
    assert_eq!(nothing.status, 422);
    let nobody = dance.decide(&dance.question(&[]), &[("decision", "allow"), ("scope_read", "1")]);
    assert_eq!(nobody.status, 422);
    let ghost = dance.decide(&dance.question(&[]), &[("decision", "allow"), ("scope_read", "1"), ("user_id", "77")]);
    assert_eq!(ghost.status, 403);
}

#[test]
fn a_client_is_told_which_scopes_to_ask_for_so_that_it_can_do_more_without_losing_any() {
    let dance = Dance::new();
    let tokens = dance.exchange(&parameter(&dance.allow(&dance.question(&[("scope", "read")])), "code"), &[]).json();
    let call = |name: &str| dance.message(&tokens, "tools/call", &json!({"name": name, "arguments": {}}));
    assert_eq!(call("history_coverage").json()["result"]["isError"], false);
    let refused = call("ops_sync_status");
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (403, &json!(-32_600)));
    let challenge = refused.headers[header::WWW_AUTHENTICATE].to_str().unwrap();
    for part in [
        "error=\"insufficient_scope\"",
        "scope=\"read ops\"",
        "resource_metadata=\"https://listenlog.example/.well-known/oauth-protected-resource/mcp\"",
    ] {
        assert!(challenge.contains(part), "{challenge}");
    }
    // No scope opens what is the admin's, so there is nothing to ask the user for.
    assert_eq!(call("ops_list_users").json()["result"]["isError"], true);
}

#[test]
fn a_password_signs_in_where_that_is_the_mode_and_an_open_door_asks_for_none() {
    let vars = [
        ("ADMIN_AUTH_MODE", "basic"),
        ("ADMIN_USERNAME", "ada"),
        ("ADMIN_PASSWORD", "pass:word"),
        ("PUBLIC_URL", ISSUER),
    ];
    let dance = Dance { app: TestApp::with_vars(&vars) };
    Scene(&dance.app).user(1, "UTC");
    dance.app.servers.play(|_| Ok(answering(&document(&[CALLBACK]))));
    let sign_in = |name: &str, secret: &str| {
        dance.post(&Dance::authorize(&[]), &[("name", name), ("secret", secret)], &[]).status.as_u16()
    };
    assert_eq!(sign_in("ada", "pass:word"), 200);
    assert_eq!((sign_in("ada", "wrong"), sign_in("eve", "pass:word"), sign_in("", "")), (403, 403, 403));

    let open = TestApp::with_vars(&[("ADMIN_AUTH_MODE", "disabled")]);
    Scene(&open).user(1, "UTC");
    open.servers.play(|_| Ok(answering(&document(&[CALLBACK]))));
    let post = |host: &str| {
        let path = Dance::authorize(&[("resource", &format!("http://{host}/mcp"))]);
        let request = Request::post(format!("http://{host}{path}"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        open.send(request.body(Body::empty()).unwrap())
    };
    let here = post("127.0.0.1:8787");
    assert_eq!(here.status, 200);
    let cookie = here.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.starts_with("listenlog-consent=") && !cookie.contains("Secure"), "{cookie}");
    assert_eq!(post("listenlog.example").status, 503);
}

#[test]
fn oauth_is_there_under_the_public_url_and_nowhere_else() {
    let dance = Dance::new();
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/oauth-protected-resource/mcp", "/authorize"] {
        let request = Request::get(format!("https://fixed-tokens.example{path}")).body(Body::empty()).unwrap();
        assert_eq!(dance.app.send(request).status, 404, "{path}");
    }
    for elsewhere in ["https://fixed-tokens.example/mcp", "https://listenlog.example/tools/history_coverage"] {
        assert_eq!(challenge(&dance.app.app, &HeaderMap::new(), &elsewhere.parse().unwrap()), None);
    }
    let unset = TestApp::new();
    let request = Request::get(format!("{ISSUER}/.well-known/oauth-authorization-server")).body(Body::empty()).unwrap();
    let answer = unset.send(request);
    assert_eq!(answer.status, 503);
    assert!(answer.json()["detail"].as_str().unwrap().starts_with("PUBLIC_URL"));
}

#[test]
fn no_secret_reaches_a_table_or_a_log_row() {
    let dance = Dance::new();
    let question = dance.question(&[]);
    let code = parameter(&dance.allow(&question), "code");
    let tokens = dance.exchange(&code, &[]).json();
    let rotated = dance.refresh(text(&tokens, "refresh_token"), CLIENT).json();
    assert!(dance.opens(&rotated));
    let cookie = question.cookie.split_once('=').unwrap().1.to_owned();
    let secrets = [
        code,
        cookie,
        question.page_secret,
        text(&tokens, "access_token").to_owned(),
        text(&tokens, "refresh_token").to_owned(),
        text(&rotated, "access_token").to_owned(),
        text(&rotated, "refresh_token").to_owned(),
        ADMIN_TOKEN.to_owned(),
        VERIFIER.to_owned(),
    ];
    for table in dance.app.rows("SELECT name FROM sqlite_schema WHERE type = 'table'") {
        let name = between(&table, "[", "]").to_owned();
        let bytes: Vec<u8> = name.split(", ").map(|byte| byte.parse().unwrap()).collect();
        let name = String::from_utf8(bytes).unwrap();
        let stored: Vec<String> = dance.app.db.with(|connection| {
            let mut statement = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                let cell = |index| row.get::<_, rusqlite::types::Value>(index).map(|value| format!("{value:?}"));
                (0..columns).map(cell).collect::<Result<Vec<_>, _>>().map(|cells| cells.join("|"))
            });
            rows.unwrap().map(Result::unwrap).collect()
        });
        for secret in &secrets {
            assert!(!stored.iter().any(|row| row.contains(secret.as_str())), "{name} holds a secret");
        }
    }
}
