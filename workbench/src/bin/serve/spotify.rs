//! The Spotify of `make dev`: the real one when its app is given, or else a stand-in on this machine.
//!
//! Must stay true: what is given is never replaced; the key for tokens is made once for a state folder, is readable by its
//! owner alone and is printed nowhere.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use listenlog_workbench::{
    fake_spotify::{CLIENT_ID, CLIENT_SECRET, FakeSpotify, server::FakeServer},
    runtime::RuntimeOptions,
};

const KEY: &str = "TOKEN_ENCRYPTION_KEY";
const KEY_FILE: &str = "token-encryption-key";

/// Which Spotify it is.
pub enum Spotify {
    Real,
    StandIn { url: String },
}

/// The options with what the Worker needs to log listeners in.
pub fn add_settings(mut options: RuntimeOptions) -> io::Result<(RuntimeOptions, Spotify)> {
    let is_given = |options: &RuntimeOptions, name: &str| options.vars.iter().any(|(known, _)| known == name);
    if !is_given(&options, "PUBLIC_URL") {
        let url = format!("http://127.0.0.1:{}", options.port.unwrap_or_default());
        options = options.var("PUBLIC_URL", &url);
    }
    if !is_given(&options, KEY) {
        let key = stored_key(&options.state)?;
        options = options.var(KEY, &key);
    }
    if is_given(&options, "SPOTIFY_CLIENT_ID") {
        return Ok((options, Spotify::Real));
    }
    let url = FakeServer::start(FakeSpotify::for_trying_out(), None)?.url();
    let options = options
        .var("SPOTIFY_CLIENT_ID", CLIENT_ID)
        .var("SPOTIFY_CLIENT_SECRET", CLIENT_SECRET)
        .var("SPOTIFY_ACCOUNTS_BASE", &url)
        .var("SPOTIFY_API_BASE", &format!("{url}/v1"));
    Ok((options, Spotify::StandIn { url }))
}

/// The key of a state folder, made if there is none: tokens stored there are good for nothing without it.
fn stored_key(state: &Path) -> io::Result<String> {
    let file = state.join(KEY_FILE);
    match fs::read_to_string(&file) {
        Ok(key) => return Ok(key.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::create_dir_all(state)?;
    let key = BASE64_STANDARD.encode(rand::random::<[u8; 32]>());
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file)?.write_all(key.as_bytes())?;
    Ok(key)
}

/// What to do about Spotify, in lines to copy.
pub fn welcome(worker: &str, spotify: &Spotify) -> String {
    match spotify {
        Spotify::Real => format!("\nConnect a Spotify account, in a browser:\n  {worker}/auth/login\n"),
        Spotify::StandIn { url } => format!(
            "
Spotify is NOT Spotify here but a stand-in on this machine ({url}), with two invented listeners. Log in as one, in a browser:
  {worker}/auth/login
For the real one: make dev VARS=\"SPOTIFY_CLIENT_ID:... SPOTIFY_CLIENT_SECRET:...\", from https://developer.spotify.com/dashboard,
with the redirect URI {worker}/auth/callback
"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value<'a>(options: &'a RuntimeOptions, name: &str) -> Vec<&'a str> {
        options.vars.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str()).collect()
    }

    #[test]
    fn without_an_app_the_stand_in_is_set_and_the_key_stays_the_same() {
        let state = std::env::temp_dir().join(format!("listenlog-serve-{}", std::process::id()));
        let mut options = RuntimeOptions::new(&state);
        options.port = Some(9);
        let (first, spotify) = add_settings(options.clone()).unwrap();
        let (second, _) = add_settings(options).unwrap();
        assert_eq!(value(&first, KEY), value(&second, KEY));
        assert_eq!(value(&first, "PUBLIC_URL"), ["http://127.0.0.1:9"]);
        assert!(value(&first, "SPOTIFY_API_BASE")[0].ends_with("/v1"));
        let text = welcome("http://127.0.0.1:9", &spotify);
        assert!(text.contains("NOT Spotify") && !text.contains(value(&first, KEY)[0]), "{text}");
        fs::remove_dir_all(&state).unwrap();
    }

    #[test]
    fn a_real_app_and_what_else_is_given_stay_as_they_are() {
        let state = std::env::temp_dir().join("listenlog-serve-none");
        let options =
            RuntimeOptions::new(&state).var("SPOTIFY_CLIENT_ID", "mine").var(KEY, "own").var("PUBLIC_URL", "https://a");
        let (options, spotify) = add_settings(options).unwrap();
        assert!(matches!(spotify, Spotify::Real) && !state.exists());
        assert_eq!((value(&options, KEY), value(&options, "PUBLIC_URL")), (vec!["own"], vec!["https://a"]));
        assert!(value(&options, "SPOTIFY_API_BASE").is_empty());
    }
}
