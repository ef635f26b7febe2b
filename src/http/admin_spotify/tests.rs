//! Links, connections and own apps.

use listenlog_workbench::fake_spotify::{FakeSpotify, Listener};
use serde_json::{Value, json};

use crate::{
    spotify::login::LINK_LIFE_MS,
    testing::{
        TestApp,
        fake_spotify::{SharedFake, app_with, connect, everything_stored, log_in, visit},
        test_app::NOW,
    },
};

fn scene() -> (TestApp, SharedFake) {
    let (app, fake) = app_with(FakeSpotify::with(vec![Listener::new("ada", "Ada"), Listener::new("bob", "Bob")]));
    app.post("/admin/users", &json!({"display_name": "Imports only"}));
    (app, fake)
}

/// The path of a new link for the user.
fn link(app: &TestApp, user: i64) -> String {
    let made = app.post(&format!("/admin/users/{user}/spotify-connection"), &Value::Null);
    assert_eq!(made.status, 201);
    assert_eq!(made.json()["expires_at"], "2026-11-24T12:00:00Z");
    made.json()["url"].as_str().unwrap().strip_prefix("http://127.0.0.1:8787").unwrap().to_owned()
}

#[test]
fn a_user_of_imports_is_connected_by_a_link_and_keeps_their_name() {
    let (app, fake) = scene();
    assert_eq!(app.get("/admin/users/1/spotify-connection").status, 404);
    let answer = log_in(&app, &fake, &link(&app, 1), "ada");
    assert_eq!((&answer.json()["user_id"], &answer.json()["is_new_user"]), (&1.into(), &false.into()));
    let connection = app.get("/admin/users/1/spotify-connection").json();
    assert_eq!(
        (&connection["connected"], &connection["reauthorize_by"]),
        (&true.into(), &"2027-05-23T12:00:00Z".into())
    );
    assert_eq!(connection["scopes"], json!(["user-read-recently-played", "user-top-read"]));
    assert_eq!(app.get("/admin/users/1").json()["display_name"], "Imports only");
    assert_eq!(connect(&app, &fake, "ada").0, 1, "and a plain login finds the same user from now on");
}

#[test]
fn a_link_is_good_for_a_day_and_for_its_user_alone() {
    let (app, fake) = scene();
    let bob = connect(&app, &fake, "bob");
    let taken = log_in(&app, &fake, &link(&app, 1), "bob");
    assert_eq!(taken.status, 409);
    assert!(taken.json()["detail"].as_str().unwrap().contains("belongs to another user"));
    let other = log_in(&app, &fake, &link(&app, bob.0), "ada");
    assert_eq!(other.status, 409);
    assert!(other.json()["detail"].as_str().unwrap().contains("another Spotify account"));
    assert_eq!(visit(&app, "/auth/login?link=s1.made.up", None).status, 400);
    assert_eq!(visit(&app, "/auth/login?user_id=1", None).status, 422, "a bare id connects nobody");
    let old = link(&app, 1);
    app.clock.set(NOW.plus_ms(LINK_LIFE_MS));
    assert_eq!(visit(&app, &old, None).status, 400);
    assert_eq!(app.post("/admin/users/99/spotify-connection", &Value::Null).status, 404);
}

#[test]
fn disconnecting_deletes_the_tokens_and_a_new_login_connects_again() {
    let (app, fake) = scene();
    let ada = connect(&app, &fake, "ada");
    let path = format!("/admin/users/{ada}/spotify-connection");
    let answer = app.admin("DELETE", &path, "").json();
    assert_eq!(answer["success"], true);
    assert!(answer["message"].as_str().unwrap().contains("https://www.spotify.com/account/apps/"));
    assert!(app.rows("SELECT user_id FROM spotify_tokens").is_empty());
    assert_eq!(app.admin("DELETE", &path, "").json()["success"], false);
    assert_eq!(app.get(&path).status, 404);
    assert_eq!(connect(&app, &fake, "ada"), ada);
}

#[test]
fn a_user_may_have_an_app_of_their_own_whose_secret_never_comes_out() {
    let (app, fake) = scene();
    fake.lock().unwrap().add_app("own-app", "fake-own-secret");
    let path = "/admin/users/1/spotify-credentials";
    assert_eq!(app.get(path).status, 404);
    let put = app.admin("PUT", path, json!({"client_id": "own-app", "client_secret": "fake-own-secret"}).to_string());
    assert_eq!(put.status, 200);
    assert_eq!(put.json()["client_id"], "own-app");
    assert!(!String::from_utf8_lossy(&put.bytes).contains("secret") && !everything_stored(&app).contains("fake-own"));
    let begun = visit(&app, &link(&app, 1), None);
    assert!(begun.headers["location"].to_str().unwrap().contains("client_id=own-app&"));
    assert_eq!(log_in(&app, &fake, &link(&app, 1), "ada").status, 200);
    assert_eq!(app.get("/admin/users/1/spotify-connection").json()["client_id"], "own-app");
    // Without the app, what was authorized for it is over, and the user is told so.
    assert_eq!(app.admin("DELETE", path, "").status, 204);
    let connection = app.get("/admin/users/1/spotify-connection").json();
    assert_eq!((&connection["connected"], &connection["needs_reauth_reason"]), (&false.into(), &"app_replaced".into()));
    assert_eq!(log_in(&app, &fake, &link(&app, 1), "ada").status, 200);
    assert_eq!(app.get("/admin/users/1/spotify-connection").json()["connected"], true);
}

#[test]
fn what_is_wrong_with_credentials_is_said_for_each_field_and_not_repeated() {
    let (app, _) = scene();
    let path = "/admin/users/1/spotify-credentials";
    let refused = app.admin("PUT", path, json!({"client_id": "a b", "client_secret": "hush:hush"}).to_string());
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["errors"].as_array().unwrap().len(), 2);
    assert!(!String::from_utf8_lossy(&refused.bytes).contains("hush"));
    assert_eq!(app.admin("PUT", path, json!({"client_id": "a", "secret": "b"}).to_string()).status, 422);
}

#[test]
fn a_secret_of_the_wrong_shape_is_refused_by_its_field_and_never_repeated() {
    let (app, _) = scene();
    let path = "/admin/users/1/spotify-credentials";
    let secrets = [json!(8_675_309), json!(86.75309), json!(["8675309"]), json!({"8675309": "8675309"}), json!(true)];
    for secret in secrets {
        let refused = app.admin("PUT", path, json!({"client_id": "own", "client_secret": secret}).to_string());
        assert_eq!(refused.status, 422, "{secret}");
        assert_eq!(refused.json()["errors"][0]["field"], "client_secret", "{}", refused.json());
        assert!(!String::from_utf8_lossy(&refused.bytes).contains("86"), "{}", refused.json());
    }
    let rows = app.rows("SELECT fields FROM logs").join("\n");
    assert!(!rows.contains("8675309"), "{rows}");
}

#[test]
fn every_change_is_in_the_audit_without_a_secret() {
    let (app, fake) = scene();
    let body = json!({"client_id": "own-app", "client_secret": "fake-own-secret"}).to_string();
    app.admin("PUT", "/admin/users/1/spotify-credentials", body);
    app.admin("DELETE", "/admin/users/1/spotify-credentials", "");
    log_in(&app, &fake, &link(&app, 1), "ada");
    app.admin("DELETE", "/admin/users/1/spotify-connection", "");
    let audit = app.get("/admin/audit").json();
    let actions: Vec<_> = audit["items"].as_array().unwrap().iter().map(|item| item["action"].clone()).collect();
    for action in [
        "spotify_credentials.set",
        "spotify_credentials.delete",
        "spotify_connection.invite",
        "spotify_connection.delete",
    ] {
        assert!(actions.contains(&action.into()), "{actions:?}");
    }
    assert!(!audit.to_string().contains("fake-"));
}
