//! `POST /token` and `POST /revoke`.
//!
//! Must stay true: a code and a refresh token are good once; a second time ends the grant with everything it opened; what does not
//! fit together is `invalid_grant`, without saying what; tokens appear in the answer and nowhere else.

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderName, Uri, header},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Issuer, error::OAuthError, form::Form};
use crate::{
    app::App,
    domain::grant_secret::{GrantSecret, SecretKind},
    error::AppError,
    store::oauth_grants::{self, ACCESS_MS, Exchange, NewTokens, Outcome, Rotation},
};

fn required<'a>(form: &'a Form, name: &'static str) -> Result<&'a str, OAuthError> {
    form.get(name).ok_or_else(|| OAuthError::new("invalid_request", format!("{name} is required.")))
}

/// The resource as it is stored, if one is named.
fn resource(form: &Form, issuer: &Issuer) -> Result<Option<String>, OAuthError> {
    match form.get("resource") {
        None => Ok(None),
        Some(resource) if issuer.is_resource(resource) => Ok(Some(issuer.resource())),
        Some(_) => Err(OAuthError::new("invalid_target", "resource must be the MCP endpoint of this server.")),
    }
}

/// What a client gets for its code or refresh token.
#[derive(Serialize)]
pub struct Tokens {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
    scope: String,
}

type NoStore = [(HeaderName, &'static str); 1];
const NO_STORE: NoStore = [(header::CACHE_CONTROL, "no-store")];

/// POST /token.
pub async fn token(app: App, headers: HeaderMap, uri: Uri, body: Body) -> Result<(NoStore, Json<Tokens>), OAuthError> {
    let issuer = Issuer::of(&app, &headers, &uri)?;
    let form = Form::read(&headers, body).await?;
    let tokens = match required(&form, "grant_type")? {
        "authorization_code" => exchange(&app, &issuer, &form).await?,
        "refresh_token" => refresh(&app, &issuer, &form).await?,
        _ => {
            let sentence = "grant_type must be authorization_code or refresh_token.";
            return Err(OAuthError::new("unsupported_grant_type", sentence));
        }
    };
    Ok((NO_STORE, Json(tokens)))
}

fn invalid_grant() -> OAuthError {
    OAuthError::new(
        "invalid_grant",
        "It is unknown, expired or used, or it was given to somebody else. Ask for consent again.",
    )
}

async fn exchange(app: &App, issuer: &Issuer, form: &Form) -> Result<Tokens, OAuthError> {
    let code = GrantSecret::parse(SecretKind::Code, required(form, "code")?).ok_or_else(invalid_grant)?;
    let challenge = challenge_of(required(form, "code_verifier")?).ok_or_else(invalid_grant)?;
    let resource = resource(form, issuer)?;
    let presented = Exchange {
        id: code.grant,
        code: &code.hashes(),
        client_id: required(form, "client_id")?,
        redirect_uri: required(form, "redirect_uri")?,
        code_challenge: &challenge,
        resource: resource.as_deref(),
    };
    let drawn = Drawn::after(app, &code);
    let outcome = oauth_grants::exchange(&*app.db, &presented, &drawn.stored(), app.now()).await;
    drawn.answer(&code, outcome.map_err(AppError::from)?)
}

async fn refresh(app: &App, issuer: &Issuer, form: &Form) -> Result<Tokens, OAuthError> {
    let refresh =
        GrantSecret::parse(SecretKind::Refresh, required(form, "refresh_token")?).ok_or_else(invalid_grant)?;
    let resource = resource(form, issuer)?;
    let presented = Rotation {
        id: refresh.grant,
        refresh: &refresh.hashes(),
        client_id: required(form, "client_id")?,
        resource: resource.as_deref(),
    };
    let drawn = Drawn::after(app, &refresh);
    let outcome = oauth_grants::rotate(&*app.db, &presented, &drawn.stored(), app.now()).await;
    drawn.answer(&refresh, outcome.map_err(AppError::from)?)
}

/// Tokens that were drawn, and are issued if the update goes through.
struct Drawn {
    access: GrantSecret,
    refresh: GrantSecret,
}

impl Drawn {
    fn after(app: &App, presented: &GrantSecret) -> Self {
        let draw = |kind| presented.sibling(kind, &[app.clock.random_hex(), app.clock.random_hex()]);
        Self { access: draw(SecretKind::Access), refresh: draw(SecretKind::Refresh) }
    }

    fn stored(&self) -> NewTokens {
        NewTokens { access: self.access.hashes(), refresh: self.refresh.hashes() }
    }

    fn answer(self, presented: &GrantSecret, outcome: Outcome) -> Result<Tokens, OAuthError> {
        let grant_id = presented.grant.0;
        match outcome {
            Outcome::Issued { scopes } => {
                tracing::info!(grant_id, "Tokens were issued to an OAuth client");
                Ok(Tokens {
                    access_token: self.access.reveal().to_owned(),
                    token_type: "Bearer",
                    expires_in: ACCESS_MS / 1_000,
                    refresh_token: self.refresh.reveal().to_owned(),
                    scope: scopes,
                })
            }
            Outcome::Replayed => {
                tracing::warn!(grant_id, "A code or refresh token came a second time, and its grant was ended");
                Err(invalid_grant())
            }
            Outcome::Refused => Err(invalid_grant()),
        }
    }
}

/// The S256 challenge of a verifier, if it is one (RFC 7636, 4.1).
fn challenge_of(verifier: &str) -> Option<String> {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_verifier = (43..=128).contains(&verifier.len()) && verifier.bytes().all(is_unreserved);
    is_verifier.then(|| URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
}

/// POST /revoke: ends the grant of a token. A token that opens nothing is as good as revoked (RFC 7009, 2.2).
pub async fn revoke(app: App, headers: HeaderMap, uri: Uri, body: Body) -> Result<NoStore, OAuthError> {
    Issuer::of(&app, &headers, &uri)?;
    let form = Form::read(&headers, body).await?;
    let (text, client_id) = (required(&form, "token")?, required(&form, "client_id")?);
    let kinds = [SecretKind::Refresh, SecretKind::Access];
    if let Some(token) = kinds.into_iter().find_map(|kind| GrantSecret::parse(kind, text)) {
        let ended = oauth_grants::give_back(&*app.db, token.grant, &token.hashes(), client_id, app.now()).await;
        if ended.map_err(AppError::from)? {
            tracing::info!(grant_id = token.grant.0, "An OAuth client gave its grant back");
        }
    }
    Ok(NO_STORE)
}

#[cfg(test)]
mod tests {
    use super::challenge_of;

    #[test]
    fn a_challenge_is_that_of_the_standard_s_example() {
        let challenge = challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge.as_deref(), Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"));
        assert!(challenge_of("short").is_none());
        assert!(challenge_of(&"ü".repeat(43)).is_none());
    }
}
