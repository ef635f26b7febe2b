//! `POST /register`: clients that introduce themselves (RFC 7591).
//!
//! Must stay true: anyone may, so a registration opens nothing, is small, has a bound on its number and goes after a day unless
//! somebody consents to it; every client is public.

use axum::{
    Json,
    body::Body,
    http::{HeaderMap, HeaderName, StatusCode, Uri, header},
};
use serde::{Deserialize, Serialize};

use super::{Issuer, client::shown_name, error::OAuthError, redirect::RedirectUri};
use crate::{
    app::App,
    domain::instant::Millis,
    error::AppError,
    http::{body, lockout},
    store::oauth_clients::{self, RegisteredClient},
};

const MAX_REDIRECT_URIS: usize = 10;
const MAX_REDIRECT_URIS_BYTES: usize = 4_000;

/// What is looked at; the rest of what clients say about themselves is passed over.
#[derive(Deserialize)]
struct Introduction {
    redirect_uris: Option<Vec<String>>,
    client_name: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
}

#[derive(Serialize)]
pub struct Registration {
    client_id: String,
    client_id_issued_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_name: Option<String>,
    redirect_uris: Vec<String>,
    grant_types: [&'static str; 2],
    response_types: [&'static str; 1],
    token_endpoint_auth_method: &'static str,
}

/// POST /register.
pub async fn register(
    app: App,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Result<(StatusCode, [(HeaderName, &'static str); 1], Json<Registration>), OAuthError> {
    Issuer::of(&app, &headers, &uri)?;
    if !app.failed_logins.count(&format!("register:{}", lockout::address_of(&headers))).await {
        let detail = "Too many clients registered from your address. Wait a minute, then try again.";
        return Err(AppError::TooManyRequests { detail, retry_after_seconds: 60 }.into());
    }
    let introduction: Introduction = body::json(&headers, body).await?;
    let redirect_uris = introduction.redirect_uris()?;
    let client = RegisteredClient {
        id: format!("listenlog_client_{}", app.clock.random_hex()),
        name: introduction.client_name.as_deref().and_then(shown_name),
        redirect_uris: serde_json::Value::from(redirect_uris.clone()).to_string(),
        created_at: app.now(),
    };
    oauth_clients::insert(&*app.db, &client).await.map_err(AppError::from)?;
    let Millis(created_at) = client.created_at;
    let registration = Registration {
        client_id: client.id,
        client_id_issued_at: created_at.div_euclid(1_000),
        client_name: client.name,
        redirect_uris,
        grant_types: ["authorization_code", "refresh_token"],
        response_types: ["code"],
        token_endpoint_auth_method: "none",
    };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(registration)))
}

impl Introduction {
    /// The addresses, if everything the client said can be so.
    fn redirect_uris(&self) -> Result<Vec<String>, OAuthError> {
        let wants = |list: &Option<Vec<String>>, word: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|own| own == word))
        };
        if !wants(&self.grant_types, "authorization_code") || !wants(&self.response_types, "code") {
            let sentence = "Only the grant type authorization_code with the response type code is offered.";
            return Err(OAuthError::new("invalid_client_metadata", sentence));
        }
        let uris = self.redirect_uris.clone().unwrap_or_default();
        let is_small = uris.iter().map(String::len).sum::<usize>() <= MAX_REDIRECT_URIS_BYTES;
        let is_few = (1..=MAX_REDIRECT_URIS).contains(&uris.len());
        if !is_small || !is_few || uris.iter().any(|uri| RedirectUri::parse(uri).is_none()) {
            let sentence =
                format!("redirect_uris must be 1 to {MAX_REDIRECT_URIS} addresses; each {}.", RedirectUri::RULE);
            return Err(OAuthError::new("invalid_redirect_uri", sentence));
        }
        Ok(uris)
    }
}
