//! A listener logs in at the stand-in for Spotify, and their plays come in.
//!
//! Must stay true: nothing is done with the real Spotify, where only a person can agree.

use std::{thread, time::Duration};

use listenlog_workbench::client::{Client, Response};
use serde_json::{Value, json};

use super::{
    complaint,
    figures::{at, counted},
};

/// One of the stand-in's listeners.
const LISTENER: &str = "ada";
const STAND_IN: &str = "http://127.0.0.1:";
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Looks before giving up: a minute and a half, longer than the sweep needs for a message that was lost.
const PATIENCE: u32 = 180;

/// Whether all went well; a Worker without the stand-in is no failure.
pub fn connect(client: &Client) -> Result<bool, String> {
    let begun = client.get("/auth/login").map_err(|error| error.to_string())?;
    let address = begun.header("location").filter(|_| begun.status == 302);
    let Some(address) = address.filter(|address| address.starts_with(STAND_IN)) else {
        say!(
            "\nThis Worker has no stand-in for Spotify; to connect an account, open {}/auth/login.",
            client.base_url()
        );
        return Ok(true);
    };
    say!(
        "\nAda, an invented listener, logs in at the stand-in for Spotify (a browser would: {}/auth/login).",
        client.base_url()
    );
    let user = logged_in(client, &begun, address)?;
    for _ in 0..PATIENCE {
        let question = json!({"user_id": user, "days": 1});
        let coverage = client.post_json("/tools/history_coverage", &question).map_err(|error| error.to_string())?;
        let plays = at(&coverage.json(), "/total_plays").as_u64().unwrap_or_default();
        if plays > 0 {
            let plays = usize::try_from(plays).unwrap_or_default();
            say!("Polling has brought {} of the last hours. The latest:", counted(plays, "play"));
            return show_latest(client, user).map(|()| true);
        }
        thread::sleep(LOOK_EVERY);
    }
    say!("No play has come in. {}/admin/sync-status says how it stands.", client.base_url());
    Ok(false)
}

/// The id of the user that the login connected.
fn logged_in(client: &Client, begun: &Response, address: &str) -> Result<u64, String> {
    let (_, rest) = address.split_at(STAND_IN.len());
    let port = rest.split('/').next().unwrap_or_default();
    let stand_in = Client::new(&format!("{STAND_IN}{port}"));
    let page = address.strip_prefix(stand_in.base_url()).unwrap_or_default();
    let agreed = stand_in.get(&format!("{page}&as={LISTENER}")).map_err(|error| error.to_string())?;
    let back = agreed.header("location").and_then(|back| back.split_once("/auth/callback"));
    let Some((_, query)) = back else { return Err(complaint("The stand-in did not agree", &agreed)) };
    let cookie = begun.header("set-cookie").and_then(|cookie| cookie.split(';').next()).unwrap_or_default();
    let path = format!("/auth/callback{query}");
    let connected = client.send("GET", &path, &[("cookie", cookie)], None).map_err(|error| error.to_string())?;
    let user = at(&connected.json(), "/user_id").as_u64().filter(|_| connected.is_success());
    user.ok_or_else(|| complaint("The login did not connect anybody", &connected))
}

fn show_latest(client: &Client, user: u64) -> Result<(), String> {
    let answer = client.get(&format!("/history/users/{user}/plays?limit=3")).map_err(|error| error.to_string())?;
    if !answer.is_success() {
        return Err(complaint("The plays cannot be listed", &answer));
    }
    let listed = answer.json();
    for play in at(&listed, "/items").as_array().into_iter().flatten() {
        let text = |name: &str| play.get(name).and_then(Value::as_str).unwrap_or("?").to_owned();
        say!("  {}  {} by {}", text("ended_at"), text("track_name"), text("artist_name"));
    }
    Ok(())
}
