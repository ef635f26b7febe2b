//! What a login says in the end: a page for browsers, a problem document for others.
//!
//! Must stay true: each says what to do next; only texts of this program and an escaped name are shown.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header},
    response::{Html, IntoResponse},
};

use crate::{
    error::{AppError, Problem},
    http::html::{self, escaped},
    spotify::{
        error::{Refusal, SpotifyError},
        login::{Connected, LoginError},
    },
};

/// How a login ended, if not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    status: StatusCode,
    /// What happened.
    title: String,
    /// What to do.
    advice: String,
}

const AGAIN: &str = "Begin again at /auth/login, or with the link you were given.";

impl Outcome {
    pub const CANCELLED: Fixed =
        Fixed(StatusCode::BAD_REQUEST, "You cancelled on Spotify's page, so nothing was connected.", AGAIN);
    pub const TURNED_AWAY: Fixed = Fixed(
        StatusCode::BAD_REQUEST,
        "Spotify ended the login without a code.",
        "Begin again; if it stays so, the settings of the Spotify app are to be looked at.",
    );
    pub const NO_LOGIN: Fixed =
        Fixed(StatusCode::BAD_REQUEST, "This address is where Spotify sends a browser back to.", AGAIN);

    /// What an error means to the person in front of the browser.
    pub fn of(error: &LoginError) -> Self {
        let (status, advice) = match error {
            LoginError::Forged | LoginError::Expired | LoginError::Spent | LoginError::CodeRefused => {
                (StatusCode::BAD_REQUEST, AGAIN.to_owned())
            }
            LoginError::OtherBrowser => (
                StatusCode::BAD_REQUEST,
                "Begin again in this browser, with cookies allowed and at the same address that Spotify sends you back \
                 to (127.0.0.1 and localhost are two addresses)."
                    .to_owned(),
            ),
            LoginError::MissingScope => (
                StatusCode::BAD_REQUEST,
                "Begin again and allow both: what you played recently, and your top artists and tracks.".to_owned(),
            ),
            LoginError::NotOnAllowList => (
                StatusCode::FORBIDDEN,
                "The owner of the Spotify app has to add this account's name and e-mail address under User Management \
                 at https://developer.spotify.com/dashboard (an app in development mode may have five), or set an own \
                 app for this user. Then begin again."
                    .to_owned(),
            ),
            LoginError::AccountTaken => (
                StatusCode::CONFLICT,
                "Log out at https://accounts.spotify.com and begin again with the right account.".to_owned(),
            ),
            LoginError::OtherAccount => (
                StatusCode::CONFLICT,
                "Begin again with the account that this user was connected with before; for another one, make a user \
                 of its own."
                    .to_owned(),
            ),
            LoginError::UserGone => (StatusCode::NOT_FOUND, "Ask for a new link.".to_owned()),
            LoginError::Spotify(error) => return Self::of_spotify(error),
        };
        Self { status, title: error.to_string(), advice }
    }

    fn of_spotify(error: &SpotifyError) -> Self {
        let (status, advice) = match error {
            SpotifyError::NotConfigured(_) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Whoever runs this has to set it; imports and questions work without.",
            ),
            SpotifyError::Blocked { .. } => (StatusCode::SERVICE_UNAVAILABLE, "Try again then."),
            SpotifyError::Transient { .. } => (StatusCode::BAD_GATEWAY, "Try again in a minute."),
            SpotifyError::Refused { why: Refusal::WrongClient, .. } => (
                StatusCode::BAD_GATEWAY,
                "Whoever runs this has to compare SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET (or the user's own app) \
                 with https://developer.spotify.com/dashboard.",
            ),
            SpotifyError::Refused { .. } | SpotifyError::Malformed { .. } => (StatusCode::BAD_GATEWAY, AGAIN),
            SpotifyError::NeedsReauth(_) | SpotifyError::NotConnected => (
                StatusCode::SERVICE_UNAVAILABLE,
                "Whoever runs this has to set the user's own Spotify app again, or the key it was stored with.",
            ),
            SpotifyError::Store(_) | SpotifyError::NoRandomness => {
                // A fixed sentence: what failed inside is in the log.
                let detail = AppError::Internal("a login failed").detail();
                return Self { status: StatusCode::INTERNAL_SERVER_ERROR, title: detail, advice: AGAIN.to_owned() };
            }
        };
        Self { status, title: format!("{error}."), advice: advice.to_owned() }
    }

    pub fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        if !html::is_wanted(headers) {
            return Problem::new(self.status, format!("{} {}", self.title, self.advice)).into_response();
        }
        let mut response = page("Not connected", &[&self.title, &self.advice]);
        *response.status_mut() = self.status;
        response
    }
}

/// An outcome without anything variable.
pub struct Fixed(StatusCode, &'static str, &'static str);

impl Fixed {
    pub fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        Outcome { status: self.0, title: self.1.to_owned(), advice: self.2.to_owned() }.answer(headers)
    }
}

/// The page at the end of a login that went well.
pub fn connected(connected: &Connected) -> Response<Body> {
    let welcome = format!("{} is connected to Spotify.", connected.display_name);
    page(
        "Connected",
        &[&welcome, "The last plays are fetched now, and new ones every few minutes. You can close this page."],
    )
}

fn page(title: &str, paragraphs: &[&str]) -> Response<Body> {
    let paragraphs: Vec<String> = paragraphs.iter().map(|text| format!("<p>{}</p>", escaped(text))).collect();
    let text = paragraphs.join("\n");
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Listenlog: {title}</title>\n\
         <style>body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }}\
         </style>\n<h1>{title}</h1>\n{text}\n</html>\n"
    );
    let mut response = Html(html).into_response();
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
