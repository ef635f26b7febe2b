//! `/auth/login` and `/auth/callback`: a listener connects their Spotify account.
//!
//! Must stay true: nothing that came in a query is shown again; the cookie that binds a login to its browser is readable
//! by no script, goes out over TLS alone where the Worker is reached so, and is gone once the login came back; a browser
//! is sent on to allowed origins only.

mod pages;

use axum::{
    Extension,
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, Uri, header},
    response::IntoResponse,
};
use serde::Serialize;

use super::{html, query::Query, request_id::RequestId};
use crate::{
    app::App,
    domain::ids::UserId,
    error::AppError,
    jobs::collecting,
    sealing::Secret,
    spotify::{
        error::SpotifyError,
        login::{self, Intent, LOGIN_LIFE_MS, LoginError, Returned},
    },
};
use pages::Outcome;

/// The cookie of a login that is on its way.
const COOKIE: &str = "listenlog_login";

/// GET /auth/login: off to Spotify. `link` connects the user it was made for; `next` is where the browser ends up.
pub async fn login(app: App, headers: HeaderMap, uri: Uri) -> Response<Body> {
    match begin(&app, &uri).await {
        Ok(response) => response,
        Err(error) => refused(&headers, error),
    }
}

/// Why a request of a login is answered with an error.
enum Refused {
    Request(AppError),
    Login(LoginError),
}

impl From<AppError> for Refused {
    fn from(error: AppError) -> Self {
        Self::Request(error)
    }
}

impl From<LoginError> for Refused {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

impl From<SpotifyError> for Refused {
    fn from(error: SpotifyError) -> Self {
        Self::Login(error.into())
    }
}

async fn begin(app: &App, uri: &Uri) -> Result<Response<Body>, Refused> {
    let query = Query::parse(uri, &["next", "link"])?;
    let next = query.get("next").map(|next| allowed_next(app, next)).transpose()?;
    let user = query.get("link").map(|link| login::open_link(app, link)).transpose()?;
    let begun = login::begin(app, Intent { user, next }).await?;
    let life_s = LOGIN_LIFE_MS / 1_000;
    let cookie = format!("{COOKIE}={}; Max-Age={life_s}{}", begun.verifier.expose(), attributes(app));
    let response = redirect(StatusCode::FOUND, &begun.address);
    Ok(with_cookie(response, &cookie))
}

/// GET /auth/callback: back from Spotify.
pub async fn callback(
    app: App,
    Extension(request_id): Extension<RequestId>,
    headers: HeaderMap,
    uri: Uri,
) -> Response<Body> {
    let response = match end(&app, &request_id.0, &headers, &uri).await {
        Ok(response) => response,
        Err(error) => refused(&headers, error),
    };
    with_cookie(no_store(response), &format!("{COOKIE}=; Max-Age=0{}", attributes(&app)))
}

async fn end(app: &App, request_id: &str, headers: &HeaderMap, uri: &Uri) -> Result<Response<Body>, Refused> {
    // Spotify's parameters, and whatever it may add one day.
    let query = Query::lenient(uri);
    if let Some(error) = query.get("error") {
        let outcome = if error == "access_denied" { Outcome::CANCELLED } else { Outcome::TURNED_AWAY };
        return Ok(outcome.answer(headers));
    }
    let (Some(state), Some(code)) = (query.get("state"), query.get("code")) else {
        return Ok(Outcome::NO_LOGIN.answer(headers));
    };
    let returned = Returned { state, code: Secret::new(code), verifier: cookie(headers) };
    let also = |user| collecting::connected(app, user, Some(request_id));
    let connected = login::complete(app, returned, also).await?;
    collecting::start(app, connected.user_id).await;
    if let Some(next) = &connected.next {
        return Ok(redirect(StatusCode::SEE_OTHER, next));
    }
    if html::is_wanted(headers) {
        return Ok(pages::connected(&connected));
    }
    let answer = ConnectedAnswer {
        message: "Connected to Spotify. The first plays are fetched now.",
        user_id: connected.user_id,
        display_name: connected.display_name,
        is_new_user: connected.is_new,
    };
    Ok(axum::Json(answer).into_response())
}

#[derive(Serialize)]
struct ConnectedAnswer {
    message: &'static str,
    user_id: UserId,
    display_name: String,
    is_new_user: bool,
}

fn refused(headers: &HeaderMap, error: Refused) -> Response<Body> {
    match error {
        Refused::Login(error) => {
            // What a person did is their business; what failed here or at Spotify is the operator's.
            if let LoginError::Spotify(inner) = &error {
                tracing::warn!(class = inner.class(), %error, "A login failed");
            } else {
                tracing::debug!(%error, "A login was refused");
            }
            Outcome::of(&error).answer(headers)
        }
        Refused::Request(error) => error.into_response(),
    }
}

/// A path of this Worker, or a page of an origin that is allowed to call.
fn allowed_next(app: &App, next: &str) -> Result<String, AppError> {
    const RULE: &str = "must be a path such as /, or a page of PUBLIC_URL or of an origin in CORS_ALLOWED_ORIGINS";
    let is_plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_path = next.starts_with('/') && !next.starts_with("//");
    let begins_with = |origin: &str| {
        next.strip_prefix(origin).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    };
    let cors = app.config.cors_allowed_origins.iter().filter_map(|origin| origin.to_str().ok());
    let is_allowed = is_path || app.config.public_url.as_deref().into_iter().chain(cors).any(begins_with);
    if is_plain && is_allowed { Ok(next.to_owned()) } else { Err(AppError::invalid("next", RULE)) }
}

fn redirect(status: StatusCode, to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    // Both kinds of address were made of escaped text, or checked to be plain.
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(header::LOCATION, location);
    no_store(response)
}

fn no_store(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn attributes(app: &App) -> &'static str {
    let is_secure = login::redirect_uri(app).is_ok_and(|uri| uri.starts_with("https://"));
    if is_secure { "; Path=/auth; HttpOnly; SameSite=Lax; Secure" } else { "; Path=/auth; HttpOnly; SameSite=Lax" }
}

fn with_cookie(mut response: Response<Body>, cookie: &str) -> Response<Body> {
    if let Ok(cookie) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn cookie(headers: &HeaderMap) -> Option<Secret> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| Secret::new(value))
}

#[cfg(test)]
mod tests;
