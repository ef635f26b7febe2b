//! The settings of Spotify and of the keys that seal its tokens.
//!
//! Must stay true: nothing here is required until it is used; what is missing then is named, and so is what to do.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    config::SettingError,
    sealing::{KEY_BYTES, KeyRing, Secret},
};

/// The installation's Spotify app, where Spotify is, and the keys for tokens.
#[derive(Debug)]
pub struct SpotifySettings {
    client_id: Option<String>,
    client_secret: Option<Secret>,
    /// Where Spotify sends the listener back to, if it is not `PUBLIC_URL` + `/auth/callback`.
    pub redirect_uri: Option<String>,
    /// `https://api.spotify.com/v1`.
    pub api_base: String,
    /// `https://accounts.spotify.com`.
    pub accounts_base: String,
    keys: Option<KeyRing>,
}

/// An app as Spotify's dashboard makes them.
#[derive(Clone, Debug)]
pub struct SpotifyApp {
    pub client_id: String,
    pub client_secret: Secret,
}

const fn wrong(variable: &'static str, problem: &'static str) -> SettingError {
    SettingError { variable, problem }
}

impl SpotifySettings {
    /// # Errors
    /// The first setting that is set to something it cannot be.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let given = |name: &str| var(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let base = |name: &'static str, default: &str| match given(name) {
            None => Ok(default.to_owned()),
            Some(url) if is_safe_url(&url) => Ok(url.trim_end_matches('/').to_owned()),
            Some(_) => Err(wrong(name, "must be an https address, or http on a loopback address")),
        };
        let redirect_uri = given("SPOTIFY_REDIRECT_URI");
        if redirect_uri.as_deref().is_some_and(|uri| !is_safe_url(uri)) {
            let problem = "must be an https address, or http on a loopback address such as \
                           http://127.0.0.1:8787/auth/callback; Spotify takes no others";
            return Err(wrong("SPOTIFY_REDIRECT_URI", problem));
        }
        Ok(Self {
            client_id: given("SPOTIFY_CLIENT_ID"),
            client_secret: given("SPOTIFY_CLIENT_SECRET").map(Secret::new),
            redirect_uri,
            api_base: base("SPOTIFY_API_BASE", "https://api.spotify.com/v1")?,
            accounts_base: base("SPOTIFY_ACCOUNTS_BASE", "https://accounts.spotify.com")?,
            keys: key_ring(given("TOKEN_ENCRYPTION_KEY"), given("TOKEN_ENCRYPTION_KEYS_OLD"))?,
        })
    }

    /// The installation's own app.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn app(&self) -> Result<SpotifyApp, SettingError> {
        let client_id = self.client_id.clone().ok_or(wrong("SPOTIFY_CLIENT_ID", MAKE_AN_APP))?;
        let client_secret = self.client_secret.clone().ok_or(wrong("SPOTIFY_CLIENT_SECRET", MAKE_AN_APP))?;
        Ok(SpotifyApp { client_id, client_secret })
    }

    /// The keys that seal tokens.
    ///
    /// # Errors
    /// Names the variable when it is missing.
    pub fn keys(&self) -> Result<&KeyRing, SettingError> {
        const PROBLEM: &str = "is not set: 32 random bytes in base64, as `openssl rand -base64 32` prints; Spotify's \
                               tokens are kept encrypted with it";
        self.keys.as_ref().ok_or(wrong("TOKEN_ENCRYPTION_KEY", PROBLEM))
    }
}

const MAKE_AN_APP: &str = "is not set: make an app at https://developer.spotify.com/dashboard and take it from there";

/// `https`, or `http` where nobody is on the way.
fn is_safe_url(url: &str) -> bool {
    let Ok(uri) = url.parse::<axum::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    let has_no_user = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let is_safe = uri.scheme_str() == Some("https") || (uri.scheme_str() == Some("http") && is_loopback);
    is_safe && has_no_user && !host.is_empty() && uri.query().is_none()
}

fn key_ring(current: Option<String>, old: Option<String>) -> Result<Option<KeyRing>, SettingError> {
    const PROBLEM: &str = "must be 32 bytes in base64, as `openssl rand -base64 32` prints";
    const OLD_PROBLEM: &str = "must be keys of 32 bytes in base64, separated by commas";
    let Some(current) = current else { return Ok(None) };
    let current = key(&current).ok_or(wrong("TOKEN_ENCRYPTION_KEY", PROBLEM))?;
    let old = old.unwrap_or_default();
    let parts = old.split(',').map(str::trim).filter(|part| !part.is_empty());
    let old: Option<Vec<_>> = parts.map(key).collect();
    let old = old.ok_or(wrong("TOKEN_ENCRYPTION_KEYS_OLD", OLD_PROBLEM))?;
    Ok(Some(KeyRing::new(&current, &old)))
}

fn key(text: &str) -> Option<[u8; KEY_BYTES]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn settings(vars: &[(&str, &str)]) -> Result<SpotifySettings, SettingError> {
        let find = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        SpotifySettings::from_vars(find)
    }

    #[test]
    fn nothing_is_required_and_what_is_missing_is_named_when_it_is_used() {
        let none = settings(&[]).unwrap();
        assert_eq!(none.api_base, "https://api.spotify.com/v1");
        assert_eq!(none.app().unwrap_err().variable, "SPOTIFY_CLIENT_ID");
        assert_eq!(none.keys().unwrap_err().variable, "TOKEN_ENCRYPTION_KEY");
        let half = settings(&[("SPOTIFY_CLIENT_ID", "id")]).unwrap();
        assert_eq!(half.app().unwrap_err().variable, "SPOTIFY_CLIENT_SECRET");
    }

    #[test]
    fn a_wrong_value_names_its_variable_and_is_not_repeated() {
        for (name, value) in [
            ("SPOTIFY_API_BASE", "http://api.example.org"),
            ("SPOTIFY_API_BASE", "https://somebody@api.example.org"),
            ("SPOTIFY_ACCOUNTS_BASE", "ftp://127.0.0.1"),
            ("SPOTIFY_REDIRECT_URI", "http://localhost:8787/auth/callback"),
            ("SPOTIFY_REDIRECT_URI", "http://192.168.1.2/auth/callback"),
            ("TOKEN_ENCRYPTION_KEY", "c2hvcnQ="),
        ] {
            let error = settings(&[(name, value)]).unwrap_err();
            assert_eq!(error.variable, name);
            assert!(!error.to_string().contains(value), "{error}");
        }
        let old = settings(&[("TOKEN_ENCRYPTION_KEY", KEY), ("TOKEN_ENCRYPTION_KEYS_OLD", "x")]).unwrap_err();
        assert_eq!(old.variable, "TOKEN_ENCRYPTION_KEYS_OLD");
    }

    #[test]
    fn loopback_may_be_plain_and_keys_may_be_many() {
        let old = format!("{KEY}, {KEY}");
        let vars = [
            ("SPOTIFY_API_BASE", "http://127.0.0.1:9000/v1/"),
            ("SPOTIFY_ACCOUNTS_BASE", "http://[::1]:9000"),
            ("SPOTIFY_REDIRECT_URI", "http://127.0.0.1:8787/auth/callback"),
            ("TOKEN_ENCRYPTION_KEY", KEY),
            ("TOKEN_ENCRYPTION_KEYS_OLD", old.as_str()),
            ("SPOTIFY_CLIENT_SECRET", "hush"),
        ];
        let settings = settings(&vars).unwrap();
        assert_eq!(settings.api_base, "http://127.0.0.1:9000/v1");
        assert!(settings.keys().is_ok());
        assert!(!format!("{settings:?}").contains("hush"));
    }
}
