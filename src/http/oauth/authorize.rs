//! `GET` and `POST /authorize`: sign in, see who asks for what, allow or deny.
//!
//! Must stay true: there is no session: every request of a client asks for the admin's credential and then for consent, so no site
//! can have a grant given by a browser that happens to be signed in; the answer is taken only from the page that was shown (a
//! secret in it) in the browser it was shown to (a secret in a cookie), once, within ten minutes; nothing is fetched, stored or
//! redirected for a stranger.

use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::{
    Issuer, client,
    form::Form,
    pages::{self, Question},
    redirect::RedirectUri,
    request::{Fault, Parameters, Wanted},
};
use crate::{
    app::App,
    config::AdminAccess,
    domain::{
        credential::{Scope, Scopes, SecretHash},
        grant_secret::{GrantId, GrantSecret, SecretKind},
        ids::UserId,
    },
    error::AppError,
    http::{actor, auth, lockout, request_id::RequestId},
    store::{
        audit::{Actor, Change},
        oauth_grants::{self, Consent, NewGrant},
        users,
    },
};

/// GET /authorize: the sign-in page, for any request that could be answered at all.
pub async fn show(app: App, headers: HeaderMap, uri: Uri) -> Result<Response, AppError> {
    Issuer::of(&app, &headers, &uri)?;
    let receiver = match addressed(&uri) {
        Ok((_, receiver)) => receiver,
        Err(sentence) => return Ok(pages::refused(StatusCode::BAD_REQUEST, sentence)),
    };
    let access = admin_access(&app, &headers, &uri)?;
    Ok(pages::sign_in(access, uri.query().unwrap_or_default(), &receiver, None))
}

/// POST /authorize: the credential, or the answer to the question.
pub async fn answer(
    app: App,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
    body: Body,
) -> Result<Response, AppError> {
    let issuer = Issuer::of(&app, &headers, &uri)?;
    let access = admin_access(&app, &headers, &uri)?;
    // Browsers tell which site a form was sent from. (Origin does not: without a referrer it is `null`.)
    if headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Ok(pages::refused(StatusCode::FORBIDDEN, "This form was sent by another site."));
    }
    let address = lockout::address_of(&headers);
    if let Some(wait) = lockout::must_wait(&app, &address) {
        return Err(wait);
    }
    let form = Form::read(&headers, body).await?;
    if form.get("decision").is_some() {
        let actor = actor::actor(&app, &auth::Recognised::Configured, request_id.0);
        return decide(&app, &issuer, &headers, &form, &actor).await;
    }
    let (parameters, receiver) = match addressed(&uri) {
        Ok(addressed) => addressed,
        Err(sentence) => return Ok(pages::refused(StatusCode::BAD_REQUEST, sentence)),
    };
    if !access.accepts(form.get("name").unwrap_or_default(), form.get("secret").unwrap_or_default()) {
        lockout::count_failure(&app, address).await;
        tracing::warn!("A sign-in for an OAuth client failed");
        let complaint = Some("That is not the admin's credential.");
        return Ok(pages::sign_in(access, uri.query().unwrap_or_default(), &receiver, complaint));
    }
    ask(&app, &issuer, &parameters, receiver).await
}

/// How the admin signs in; an error where nobody can.
fn admin_access<'a>(app: &'a App, headers: &HeaderMap, uri: &Uri) -> Result<&'a AdminAccess, AppError> {
    let access = app.config.admin.as_ref().map_err(|error| AppError::NotConfigured(error.clone()))?;
    match access {
        AdminAccess::Disabled if !auth::is_loopback(headers, uri) => Err(auth::open_door_elsewhere()),
        access => Ok(access),
    }
}

/// A request that names a client and an address that an answer can go to at all; else a sentence for the person.
fn addressed(uri: &Uri) -> Result<(Parameters, RedirectUri), &'static str> {
    let parameters = Parameters::parse(uri)?;
    if parameters.get("client_id").is_none() {
        return Err("The app did not say who it is (client_id).");
    }
    let address = parameters.get("redirect_uri").ok_or("The app did not say where the answer goes (redirect_uri).")?;
    let receiver =
        RedirectUri::parse(address).ok_or("The address the answer would go to (redirect_uri) is not allowed.")?;
    Ok((parameters, receiver))
}

/// For the signed-in admin: looks the client up and asks.
async fn ask(app: &App, issuer: &Issuer, parameters: &Parameters, receiver: RedirectUri) -> Result<Response, AppError> {
    let client = match client::find(app, issuer, parameters.get("client_id").unwrap_or_default()).await? {
        Ok(client) => client,
        Err(sentence) => return Ok(pages::refused(StatusCode::BAD_REQUEST, sentence)),
    };
    if !client.redirect_uris.iter().any(|own| receiver.is_allowed_by(own)) {
        let sentence = "The address the answer would go to is not one of the app's own. Nothing was sent there.";
        return Ok(pages::refused(StatusCode::BAD_REQUEST, sentence));
    }
    let state = parameters.get("state");
    let Wanted { code_challenge, scopes } = match parameters.check(issuer) {
        Ok(wanted) => wanted,
        Err(Fault { code, sentence }) => {
            let parameters = [("error", code), ("error_description", sentence)];
            return Ok(send(issuer, &receiver, state, &parameters));
        }
    };
    let (users, _) = users::list(&*app.db, 200, 0).await?;
    if users.is_empty() {
        let sentence = "There is no user yet whose history could be opened. Create one first: POST /admin/users.";
        return Ok(pages::refused(StatusCode::CONFLICT, sentence));
    }
    let (browser_secret, page_secret) = (draw(app), draw(app));
    let new = NewGrant {
        client_id: &client.id,
        client_name: client.name.as_deref(),
        redirect_uri: receiver.as_str(),
        resource: &issuer.resource(),
        scopes,
        code_challenge: &code_challenge,
        state,
        consent_hash: &consent_hash(&browser_secret, &page_secret),
    };
    let grant = oauth_grants::ask(&*app.db, &new, app.now()).await?;
    let question =
        Question { grant, page_secret: &page_secret, client: &client, receiver: &receiver, scopes, users: &users };
    let mut response = pages::consent(&question);
    set_cookie(&mut response, issuer, &browser_secret, oauth_grants::CONSENT_MS / 1_000);
    Ok(response)
}

/// 256 random bits.
fn draw(app: &App) -> String {
    [app.clock.random_hex(), app.clock.random_hex()].concat()
}

fn consent_hash(browser_secret: &str, page_secret: &str) -> SecretHash {
    SecretHash::of(&format!("{browser_secret}.{page_secret}"))
}

/// Takes the answer to the question.
async fn decide(
    app: &App,
    issuer: &Issuer,
    headers: &HeaderMap,
    form: &Form,
    actor: &Actor,
) -> Result<Response, AppError> {
    let over = || {
        let sentence = "This question was answered already, is older than ten minutes, or was asked in another browser. \
                        Begin again in the app.";
        Ok(pages::refused(StatusCode::FORBIDDEN, sentence))
    };
    let id = form.get("grant").and_then(|id| id.parse().ok()).filter(|id| (1..1_i64 << 53).contains(id)).map(GrantId);
    let secrets = cookie(headers, issuer).zip(form.get("page_secret"));
    let (Some(id), Some((browser_secret, page_secret))) = (id, secrets) else { return over() };
    let consent_hash = consent_hash(browser_secret, page_secret);
    let Some(asked) = oauth_grants::asked(&*app.db, id, &consent_hash, app.now()).await? else { return over() };
    let receiver = RedirectUri::parse(&asked.redirect_uri).ok_or(AppError::Internal("a stored address is none"))?;
    let state = asked.state.as_deref();
    if form.get("decision") != Some("allow") {
        return if oauth_grants::deny(&*app.db, id, &consent_hash).await? {
            tracing::info!(grant_id = id.0, "An OAuth client was denied");
            Ok(finished(issuer, &receiver, state, &[("error", "access_denied")]))
        } else {
            over()
        };
    }
    let wanted = Scopes::parse(&asked.scopes).unwrap_or_default();
    let is_ticked = |scope: &Scope| form.get(&format!("scope_{}", scope.name())).is_some();
    let scopes: Scopes = wanted.iter().filter(is_ticked).collect();
    let user_id = form.get("user_id").and_then(|id| id.parse().ok()).filter(|id| (1..1_i64 << 53).contains(id));
    let Some(user_id) = user_id.map(UserId).filter(|_| !scopes.is_empty()) else {
        let sentence =
            "Choose whose history it may ask about, and at least one thing that it may do. Go back to choose.";
        return Ok(pages::refused(StatusCode::UNPROCESSABLE_ENTITY, sentence));
    };
    let random = [app.clock.random_hex(), app.clock.random_hex(), app.clock.random_hex()];
    let code = GrantSecret::first(SecretKind::Code, id, &random);
    let consent = Consent { id, asked_hash: &consent_hash, user_id, scopes, code: &code.hashes() };
    let after = json!({"client_id": asked.client_id, "redirect_uri": receiver.as_str(), "scopes": scopes});
    let change = Change::new("grant.give", format!("grants/{}", id.0)).of_user(user_id).after(&after);
    if !oauth_grants::give(&*app.db, &consent, app.now(), actor.made(change, app.now())).await? {
        return over();
    }
    tracing::info!(user_id = user_id.0, grant_id = id.0, "An OAuth client was allowed");
    Ok(finished(issuer, &receiver, state, &[("code", code.reveal())]))
}

/// Sends the browser to the client, with what the client needs to see that it is our answer to its request (RFC 9207).
fn send(issuer: &Issuer, receiver: &RedirectUri, state: Option<&str>, parameters: &[(&str, &str)]) -> Response {
    let mut all = parameters.to_vec();
    all.extend(state.map(|state| ("state", state)));
    all.push(("iss", issuer.origin()));
    let mut response = StatusCode::SEE_OTHER.into_response();
    if let Ok(location) = HeaderValue::from_str(&receiver.with(&all)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The same when the question is answered: the cookie has served.
fn finished(issuer: &Issuer, receiver: &RedirectUri, state: Option<&str>, parameters: &[(&str, &str)]) -> Response {
    let mut response = send(issuer, receiver, state, parameters);
    set_cookie(&mut response, issuer, "", 0);
    response
}

/// `__Host-`: set by this host over TLS for itself, which no neighbour under the same domain can do.
const fn cookie_name(issuer_is_secure: bool) -> &'static str {
    if issuer_is_secure { "__Host-listenlog-consent" } else { "listenlog-consent" }
}

fn set_cookie(response: &mut Response, issuer: &Issuer, value: &str, max_age_seconds: i64) {
    let name = cookie_name(issuer.is_secure());
    let secure = if issuer.is_secure() { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Strict{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

fn cookie<'a>(headers: &'a HeaderMap, issuer: &Issuer) -> Option<&'a str> {
    let name = cookie_name(issuer.is_secure());
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}
