//! The vars and secrets of the Worker, checked once.
//!
//! Must stay true: an error names the variable and what is allowed, never its value; Debug shows no secret; what a part
//! does not need is not required.

use std::{fmt, ops::RangeInclusive};

use axum::http::HeaderValue;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    domain::{
        instant::{DAY_MS, MINUTE_MS},
        zones,
    },
    spotify::settings::SpotifySettings,
};

mod import_limits;

pub use import_limits::ImportLimits;

/// Every setting, as the code uses it. Read it with [`Config::from_vars`].
#[derive(Debug)]
pub struct Config {
    /// `Err` keeps the Worker's door shut with 503 and says which variable to set.
    pub admin: Result<AdminAccess, SettingError>,
    /// Where others reach this Worker: an origin such as `https://listenlog.example`, in lower case, without a slash at the end.
    pub public_url: Option<String>,
    pub import_max_zip_bytes: u64,
    pub import_max_records: u64,
    pub import_limits: ImportLimits,
    /// Rows of private sessions are left out unless an upload says otherwise.
    pub import_incognito: bool,
    pub default_timezone: String,
    pub log_level: LogLevel,
    /// How long log rows, ended runs and dead letters are kept.
    pub log_retention_days: u32,
    /// How long the record of changes is kept.
    pub audit_retention_days: u32,
    /// Origins whose pages may call; none unless set.
    pub cors_allowed_origins: Vec<HeaderValue>,
    pub collecting: CollectingSettings,
    pub spotify: SpotifySettings,
}

/// A hundred years: as good as for ever, and still an instant.
pub const MAX_RETENTION_DAYS: u32 = 36_500;

/// How often listeners are polled, and how far back the first sync goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectingSettings {
    pub poll_interval_ms: i64,
    pub initial_sync_enabled: bool,
    pub initial_sync_max_ms: i64,
    pub initial_sync_max_requests: u64,
}

impl CollectingSettings {
    fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let number = |name: &'static str, default: i64, range: RangeInclusive<i64>, problem: &'static str| {
            let Some(text) = var(name).filter(|text| !text.is_empty()) else { return Ok(default) };
            text.parse().ok().filter(|number| range.contains(number)).ok_or(wrong(name, problem))
        };
        // 25 minutes are the shortest time in which 50 plays can push each other off Spotify's list.
        let poll_interval =
            number("POLL_INTERVAL_MINUTES", 10, 1..=1_440, "must be a whole number of minutes from 1 to 1440")?;
        let max_days =
            number("INITIAL_SYNC_MAX_DAYS", 30, 1..=36_500, "must be a whole number of days from 1 to 36500")?;
        let max_requests =
            number("INITIAL_SYNC_MAX_REQUESTS", 200, 1..=10_000, "must be a whole number from 1 to 10000")?;
        let initial_sync_enabled = match var("INITIAL_SYNC_ENABLED").unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(wrong("INITIAL_SYNC_ENABLED", "must be true or false")),
        };
        Ok(Self {
            poll_interval_ms: poll_interval * MINUTE_MS,
            initial_sync_enabled,
            initial_sync_max_ms: max_days * DAY_MS,
            initial_sync_max_requests: max_requests.unsigned_abs(),
        })
    }
}

/// How the person who runs it proves who they are.
pub enum AdminAccess {
    /// `Authorization: Bearer <ADMIN_TOKEN>`.
    Token { digest: SecretDigest },
    /// `Authorization: Basic <ADMIN_USERNAME:ADMIN_PASSWORD>`.
    Basic { digest: SecretDigest },
    /// Open, and only while the request's host is loopback.
    Disabled,
}

impl AdminAccess {
    /// Whether what was typed into a form is the admin's credential. An open door takes anything: whoever uses it makes sure that the
    /// request is of this machine.
    pub fn accepts(&self, name: &str, secret: &str) -> bool {
        match self {
            Self::Token { digest } => digest.matches(secret.as_bytes()),
            Self::Basic { digest } => digest.matches(format!("{name}:{secret}").as_bytes()),
            Self::Disabled => true,
        }
    }
}

impl fmt::Debug for AdminAccess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Token { .. } => "Token",
            Self::Basic { .. } => "Basic",
            Self::Disabled => "Disabled",
        })
    }
}

/// SHA-256 of a secret: fixed length, so that comparing two tells nothing about either.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl SecretDigest {
    pub fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Compares in constant time.
    pub fn matches(&self, presented: &[u8]) -> bool {
        use subtle::ConstantTimeEq;
        self.0.ct_eq(&Self::of(presented).0).into()
    }
}

/// The least level that is kept as a log row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    Debug,
    Info,
    Warning,
    Error,
}

impl LogLevel {
    pub const NAMES: [&str; 4] = ["debug", "info", "warning", "error"];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Debug, Self::Info, Self::Warning, Self::Error].into_iter().find(|level| level.as_str() == text)
    }
}

/// A setting that is missing or wrong. Display never carries its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable}: {problem}")]
pub struct SettingError {
    pub variable: &'static str,
    pub problem: &'static str,
}

const fn wrong(variable: &'static str, problem: &'static str) -> SettingError {
    SettingError { variable, problem }
}

impl Config {
    /// Reads the settings through `var`, which answers `None` for a variable that is not set.
    ///
    /// # Errors
    /// The first setting that is set to something it cannot be.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>) -> Result<Self, SettingError> {
        let trimmed = |name: &str| var(name).map(|value| value.trim().to_owned());
        let zip_megabytes =
            whole_number(trimmed, "IMPORT_MAX_ZIP_SIZE_MB", 500, "must be a whole number of megabytes, at least 1")?;
        let import_max_records =
            whole_number(trimmed, "IMPORT_MAX_RECORDS", 5_000_000, "must be a whole number, at least 1")?;
        let default_timezone = match trimmed("DEFAULT_TIMEZONE").filter(|zone| !zone.is_empty()) {
            None => "UTC".to_owned(),
            Some(zone) if zones::named(&zone).is_some() => zone,
            Some(_) => return Err(wrong("DEFAULT_TIMEZONE", "must be an IANA time zone such as Europe/Berlin")),
        };
        let log_level = match trimmed("LOG_LEVEL").filter(|level| !level.is_empty()) {
            None => LogLevel::Info,
            Some(level) => LogLevel::parse(&level.to_ascii_lowercase())
                .ok_or(wrong("LOG_LEVEL", "must be debug, info, warning or error"))?,
        };
        let retention_days = |name, default| -> Result<u32, SettingError> {
            const PROBLEM: &str = "must be a whole number of days, at least 1 and at most a hundred years";
            let days = whole_number(trimmed, name, default, PROBLEM)?;
            u32::try_from(days).ok().filter(|days| *days <= MAX_RETENTION_DAYS).ok_or(wrong(name, PROBLEM))
        };
        Ok(Self {
            admin: admin_access(&var),
            public_url: public_url(&trimmed("PUBLIC_URL").unwrap_or_default())?,
            import_max_zip_bytes: zip_megabytes.saturating_mul(1024 * 1024),
            import_max_records,
            import_limits: ImportLimits::from_vars(trimmed)?,
            import_incognito: match trimmed("IMPORT_INCOGNITO").unwrap_or_default().to_ascii_lowercase().as_str() {
                "" | "keep" => true,
                "leave_out" => false,
                _ => return Err(wrong("IMPORT_INCOGNITO", "must be keep or leave_out")),
            },
            default_timezone,
            log_level,
            log_retention_days: retention_days("LOG_RETENTION_DAYS", 30)?,
            audit_retention_days: retention_days("AUDIT_RETENTION_DAYS", 365)?,
            cors_allowed_origins: origins(&trimmed("CORS_ALLOWED_ORIGINS").unwrap_or_default())?,
            spotify: SpotifySettings::from_vars(&var)?,
            collecting: CollectingSettings::from_vars(trimmed)?,
        })
    }
}

/// An origin of one's own: `https`, or `http` on this machine. A slash at the end is forgiven, a path is not: links and the
/// issuer of tokens are made of it.
fn public_url(text: &str) -> Result<Option<String>, SettingError> {
    let problem = wrong("PUBLIC_URL", "must be an origin such as https://listenlog.example, without a path");
    if text.is_empty() {
        return Ok(None);
    }
    let origin = text.strip_suffix('/').unwrap_or(text).to_ascii_lowercase();
    let authority = match (origin.strip_prefix("https://"), origin.strip_prefix("http://")) {
        (Some(authority), _) => Some(authority),
        (None, Some(authority)) => Some(authority).filter(|authority| is_loopback_host(authority)),
        (None, None) => None,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
    match authority {
        Some(authority) if !authority.is_empty() && authority.bytes().all(is_plain) => Ok(Some(origin)),
        _ => Err(problem),
    }
}

/// Whether `host`, with or without a port, is this machine by name.
pub fn is_loopback_host(host_and_port: &str) -> bool {
    let host = match host_and_port.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host_and_port.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Origins as browsers send them: scheme, host and port, separated by commas. No wildcard: a page that may call with a
/// person's credential is named.
fn origins(list: &str) -> Result<Vec<HeaderValue>, SettingError> {
    let problem = wrong("CORS_ALLOWED_ORIGINS", "must be origins such as https://example.org, separated by commas");
    let is_origin = |origin: &str| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', '?', '#', '@']))
    };
    let parts = list.split(',').map(str::trim).filter(|origin| !origin.is_empty());
    parts
        .map(|origin| {
            let value = HeaderValue::from_str(origin).ok().filter(|_| is_origin(origin));
            value.ok_or_else(|| problem.clone())
        })
        .collect()
}

fn whole_number(
    var: impl Fn(&str) -> Option<String>,
    name: &'static str,
    default: u64,
    problem: &'static str,
) -> Result<u64, SettingError> {
    match var(name).filter(|value| !value.is_empty()) {
        None => Ok(default),
        Some(value) => value.parse().ok().filter(|number| *number >= 1).ok_or(wrong(name, problem)),
    }
}

/// A missing mode is an error, so that forgetting it closes the door; an empty one opens it, on loopback only.
fn admin_access(var: impl Fn(&str) -> Option<String>) -> Result<AdminAccess, SettingError> {
    const MODES: &str = "is not set: choose token, basic, or disabled (local machine only)";
    let mode = var("ADMIN_AUTH_MODE").ok_or(wrong("ADMIN_AUTH_MODE", MODES))?.trim().to_ascii_lowercase();
    let secret = |name: &'static str, problem: &'static str| {
        var(name).filter(|value| !value.is_empty()).ok_or(wrong(name, problem))
    };
    match mode.as_str() {
        "token" => {
            let token = secret("ADMIN_TOKEN", "must be set while ADMIN_AUTH_MODE is token")?;
            Ok(AdminAccess::Token { digest: SecretDigest::of(token.as_bytes()) })
        }
        "basic" => {
            let name = secret("ADMIN_USERNAME", "must be set while ADMIN_AUTH_MODE is basic")?;
            let password = secret("ADMIN_PASSWORD", "must be set while ADMIN_AUTH_MODE is basic")?;
            if name.contains(':') {
                return Err(wrong("ADMIN_USERNAME", "must not contain a colon"));
            }
            Ok(AdminAccess::Basic { digest: SecretDigest::of(format!("{name}:{password}").as_bytes()) })
        }
        "" | "disabled" => Ok(AdminAccess::Disabled),
        _ => Err(wrong("ADMIN_AUTH_MODE", "must be token, basic, or disabled (local machine only)")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(vars: &[(&str, &str)]) -> Result<Config, SettingError> {
        let find = |name: &str| vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Config::from_vars(find)
    }

    #[test]
    fn a_missing_mode_shuts_the_door_and_names_the_variable() {
        let error = config(&[]).unwrap().admin.unwrap_err();
        assert_eq!(error.variable, "ADMIN_AUTH_MODE");
    }

    #[test]
    fn a_mode_without_its_secret_names_the_secret() {
        let error = |vars: &[(&str, &str)]| config(vars).unwrap().admin.unwrap_err().variable;
        assert_eq!(error(&[("ADMIN_AUTH_MODE", "token")]), "ADMIN_TOKEN");
        assert_eq!(error(&[("ADMIN_AUTH_MODE", " Token "), ("ADMIN_TOKEN", "")]), "ADMIN_TOKEN");
        assert_eq!(error(&[("ADMIN_AUTH_MODE", "basic"), ("ADMIN_USERNAME", "me")]), "ADMIN_PASSWORD");
        assert_eq!(error(&[("ADMIN_AUTH_MODE", "open")]), "ADMIN_AUTH_MODE");
    }

    #[test]
    fn a_wrong_number_or_zone_names_its_variable_and_not_its_value() {
        for (name, value) in [
            ("IMPORT_MAX_ZIP_SIZE_MB", "0"),
            ("IMPORT_MAX_RECORDS", "many"),
            ("CLOUDFLARE_PLAN", "enterprise"),
            ("IMPORT_SLICE_ROWS", "99"),
            ("IMPORT_SLICE_ROWS", "30000"),
            ("IMPORT_ROWS_PER_DAY", "19999"),
            ("IMPORT_INCOGNITO", "perhaps"),
            ("DEFAULT_TIMEZONE", "Mars/Base"),
            ("LOG_LEVEL", "loud"),
            ("POLL_INTERVAL_MINUTES", "1441"),
            ("INITIAL_SYNC_ENABLED", "perhaps"),
            ("INITIAL_SYNC_MAX_DAYS", "-1"),
            ("INITIAL_SYNC_MAX_REQUESTS", "none"),
            ("PUBLIC_URL", "https://a.example/path"),
            ("PUBLIC_URL", "http://a.example"),
            ("PUBLIC_URL", "https://me@a.example"),
            ("PUBLIC_URL", "a.example"),
            ("LOG_RETENTION_DAYS", "0"),
            ("LOG_RETENTION_DAYS", "-3"),
            ("AUDIT_RETENTION_DAYS", "99999"),
            ("CORS_ALLOWED_ORIGINS", "https://a.example/path"),
            ("CORS_ALLOWED_ORIGINS", "https://a.example, *"),
        ] {
            let error = config(&[(name, value)]).unwrap_err();
            assert_eq!(error.variable, name);
            assert!(!error.to_string().contains(value), "{error}");
        }
    }

    #[test]
    fn a_public_url_is_an_origin() {
        let read = |url: &str| config(&[("PUBLIC_URL", url)]).unwrap().public_url;
        assert_eq!(read("https://Listenlog.example/").as_deref(), Some("https://listenlog.example"));
        assert_eq!(read("http://127.0.0.1:8787").as_deref(), Some("http://127.0.0.1:8787"));
        assert_eq!(read(""), None);
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = config(&[("ADMIN_AUTH_MODE", "token"), ("ADMIN_TOKEN", "hush-hush")]).unwrap();
        assert!(!format!("{config:?}").contains("hush"));
    }

    #[test]
    fn digests_tell_secrets_apart() {
        let digest = SecretDigest::of("tökén".as_bytes());
        assert!(digest.matches("tökén".as_bytes()));
        assert!(!digest.matches(b"token"));
        assert!(!digest.matches(b""));
    }
}
