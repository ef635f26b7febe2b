//! The accounts service: a page to authorize on, codes and tokens (RFC 6749 with PKCE, RFC 7636).
//!
//! Must stay true: a code works once, for its app, its redirect address and its verifier, for ten minutes. Tokens say
//! themselves whose they are, so that a restarted fake still takes those it gave out before.

use base64::{Engine, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{FakeSpotify, Reply, Request, message::encoded};

/// A code that waits for its exchange.
#[derive(Clone, Debug)]
pub(super) struct Code {
    listener: String,
    client_id: String,
    redirect_uri: String,
    /// S256 of the verifier.
    challenge: String,
    scopes: String,
    given_at_ms: i64,
}

const CODE_LIFE_MS: i64 = 10 * 60 * 1_000;
/// Six months, within a day.
const REFRESH_TOKEN_LIFE_MS: i64 = 183 * 24 * 3_600 * 1_000;
/// Divides the parts of what a token is about.
const PART: char = '~';

impl FakeSpotify {
    /// GET /authorize: a page to choose a listener on; with `as=`, that listener agrees at once, or refuses (`as=nobody`).
    pub(super) fn authorize(&mut self, request: &Request, now_ms: i64) -> Reply {
        let query = request.query();
        let field = |name: &str| query.get(name).cloned().unwrap_or_default();
        if !self.apps.contains_key(&field("client_id")) {
            return Reply::text(400, "INVALID_CLIENT: Invalid client");
        }
        let redirect_uri = field("redirect_uri");
        if !redirect_uri.starts_with("http://127.0.0.1:") && !redirect_uri.starts_with("https://") {
            return Reply::text(400, "INVALID_CLIENT: Invalid redirect URI");
        }
        if field("response_type") != "code" || field("code_challenge_method") != "S256" || field("state").is_empty() {
            return Reply::text(400, "response_type must be code, code_challenge_method S256, and state is wanted");
        }
        let Some(chosen) = query.get("as") else { return self.page(&request.target) };
        let state = encoded(&field("state"));
        let Some(listener) = self.listeners.iter().find(|listener| listener.id == *chosen) else {
            return Reply::redirect(&format!("{redirect_uri}?error=access_denied&state={state}"));
        };
        let asked = field("scope");
        let grants =
            |scope: &&str| listener.grants_only.as_ref().is_none_or(|only| only.iter().any(|one| one == scope));
        let scopes = asked.split(' ').filter(grants).collect::<Vec<_>>().join(" ");
        let code = Code {
            listener: listener.id.clone(),
            client_id: field("client_id"),
            redirect_uri: redirect_uri.clone(),
            challenge: field("code_challenge"),
            scopes,
            given_at_ms: now_ms,
        };
        let text = self.secret("code", chosen);
        self.codes.insert(text.clone(), code);
        Reply::redirect(&format!("{redirect_uri}?code={}&state={state}", encoded(&text)))
    }

    fn page(&self, target: &str) -> Reply {
        let link = |id: &str, text: &str| {
            let target = target.replace('&', "&amp;");
            format!("<li><a href=\"{target}&amp;as={id}\">{text}</a></li>")
        };
        let name = |listener: &super::Listener| listener.display_name.clone().unwrap_or_else(|| listener.id.clone());
        let links: String = self.listeners.iter().map(|listener| link(&listener.id, &name(listener))).collect();
        Reply::html(format!(
            "<!doctype html><title>Not Spotify</title><h1>This is not Spotify</h1><p>A stand-in on this machine. \
             Who are you?</p><ul>{links}{}</ul>",
            link("nobody", "Cancel")
        ))
    }

    /// POST /api/token.
    pub(super) fn token(&mut self, request: &Request, now_ms: i64) -> Reply {
        let Some(client_id) = self.client(request) else { return oauth_error("invalid_client", "Invalid client") };
        let form = request.form();
        let field = |name: &str| form.get(name).map_or("", String::as_str);
        match field("grant_type") {
            "authorization_code" => self.exchange(&client_id, field("code"), &form, now_ms),
            "refresh_token" => self.refresh(&client_id, field("refresh_token"), now_ms),
            _ => oauth_error("unsupported_grant_type", "grant_type is neither of the two"),
        }
    }

    /// The app that proved itself by HTTP Basic.
    fn client(&self, request: &Request) -> Option<String> {
        let pair = BASE64_STANDARD.decode(request.header("authorization")?.strip_prefix("Basic ")?).ok()?;
        let pair = String::from_utf8(pair).ok()?;
        let (id, secret) = pair.split_once(':')?;
        (self.apps.get(id).map(String::as_str) == Some(secret)).then(|| id.to_owned())
    }

    fn exchange(
        &mut self,
        client_id: &str,
        code: &str,
        form: &std::collections::HashMap<String, String>,
        now_ms: i64,
    ) -> Reply {
        let invalid = || oauth_error("invalid_grant", "Invalid authorization code");
        let Some(code) = self.codes.remove(code) else { return invalid() };
        let verifier = form.get("code_verifier").map_or("", String::as_str);
        let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        let is_right = code.client_id == client_id
            && form.get("redirect_uri") == Some(&code.redirect_uri)
            && (43..=128).contains(&verifier.len())
            && challenge == code.challenge
            && now_ms - code.given_at_ms <= CODE_LIFE_MS;
        if !is_right {
            return invalid();
        }
        let about = format!("{}{PART}{client_id}{PART}{now_ms}{PART}{}", code.listener, code.scopes.replace(' ', "+"));
        let refresh_token = self.secret("refresh", &about);
        self.tokens(&code.listener, &code.scopes, Some(&refresh_token), now_ms)
    }

    fn refresh(&mut self, client_id: &str, refresh_token: &str, now_ms: i64) -> Reply {
        let about = refresh_token.strip_prefix("fake-refresh.").and_then(|rest| rest.rsplit_once('.'));
        let parts: Vec<&str> = about.map(|(about, _)| about.split(PART).collect()).unwrap_or_default();
        let [listener, client, authorized_at, scopes] = parts.as_slice() else {
            return oauth_error("invalid_grant", "Invalid refresh token");
        };
        if *client != client_id || !self.listeners.iter().any(|known| known.id == **listener) {
            return oauth_error("invalid_grant", "Invalid refresh token");
        }
        if self.retired.contains(refresh_token) {
            return oauth_error("invalid_grant", "Refresh token revoked");
        }
        let authorized_at_ms: i64 = authorized_at.parse().unwrap_or_default();
        if now_ms - authorized_at_ms > REFRESH_TOKEN_LIFE_MS {
            return oauth_error("invalid_grant", "Refresh token expired");
        }
        let (listener, scopes) = ((*listener).to_owned(), scopes.replace('+', " "));
        let replacement = self.rotates_refresh_tokens.then(|| {
            let about = about.map_or("", |(about, _)| about);
            self.retired.insert(refresh_token.to_owned());
            self.secret("refresh", about)
        });
        self.tokens(&listener, &scopes, replacement.as_deref(), now_ms)
    }

    fn tokens(&mut self, listener: &str, scopes: &str, refresh_token: Option<&str>, now_ms: i64) -> Reply {
        let expires_at_ms = now_ms + self.access_token_life_s * 1_000;
        let about = format!("{listener}{PART}{expires_at_ms}{PART}{}", scopes.replace(' ', "+"));
        let access_token = self.secret("access", &about);
        let mut document = json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": self.access_token_life_s, "scope": scopes
        });
        if let (Some(refresh_token), Some(fields)) = (refresh_token, document.as_object_mut()) {
            fields.insert("refresh_token".to_owned(), refresh_token.into());
        }
        Reply::json(200, &document)
    }

    /// Takes a refresh token back, as a listener does on the page of their account.
    pub fn retire(&mut self, refresh_token: &str) {
        self.retired.insert(refresh_token.to_owned());
    }

    /// Whose access token this is and what it may do, while it is good.
    pub(super) fn bearer(&self, request: &Request, now_ms: i64) -> Option<(String, Vec<String>)> {
        let token = request.header("authorization")?.strip_prefix("Bearer fake-access.")?;
        let (about, _) = token.rsplit_once('.')?;
        let mut parts = about.split(PART);
        let (listener, expires_at_ms, scopes) = (parts.next()?, parts.next()?.parse::<i64>().ok()?, parts.next()?);
        let is_known = self.listeners.iter().any(|known| known.id == listener);
        (is_known && now_ms < expires_at_ms)
            .then(|| (listener.to_owned(), scopes.split('+').map(str::to_owned).collect()))
    }
}

fn oauth_error(error: &str, description: &str) -> Reply {
    let status = if error == "invalid_client" { 401 } else { 400 };
    Reply::json(status, &json!({"error": error, "error_description": description}))
}
