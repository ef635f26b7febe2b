//! A login: out to Spotify, back with a code, and a listener is connected.
//!
//! Must stay true: a `state` is sealed, good for ten minutes and once; it holds only in the browser that began, since that
//! browser's cookie is the code verifier whose hash the state carries; a listener is known by Spotify's account id, which
//! never changes, and by the older id only where no account id is known; a login for one user never ends at another.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{
    accounts::{self, Granted, SCOPES, Tokens},
    error::{Family, Refusal, SpotifyError, TransientCause},
    profile::{self, Profile},
    request::{self, Answer},
    session,
    settings::SpotifyApp,
};
use crate::{
    app::App,
    config::SettingError,
    domain::{
        ids::UserId,
        instant::{DAY_MS, MINUTE_MS, Millis},
    },
    sealing::Secret,
    store::{Statement, StoreError, spotify_accounts, spotify_tokens},
};

/// How long a listener may take on Spotify's page.
pub const LOGIN_LIFE_MS: i64 = 10 * MINUTE_MS;
/// How long a link that an admin made for a user is good.
pub const LINK_LIFE_MS: i64 = DAY_MS;
const STATE: &str = "spotify/login";
const LINK: &str = "spotify/link";

/// What a state says. Spotify and the browser carry it for us.
#[derive(Serialize, Deserialize)]
struct LoginState {
    id: String,
    expires_at_ms: i64,
    user: Option<UserId>,
    next: Option<String>,
    client_id: String,
    /// Of the cookie in the browser that began.
    code_challenge: String,
}

/// A link that connects one user, whoever opens it.
#[derive(Serialize, Deserialize)]
struct Link {
    user: UserId,
    expires_at_ms: i64,
}

/// What a login is for.
#[derive(Clone, Debug, Default)]
pub struct Intent {
    /// The user to connect; `None`: whoever logs in.
    pub user: Option<UserId>,
    /// Where the browser goes in the end.
    pub next: Option<String>,
}

/// A login that has begun.
#[derive(Debug)]
pub struct Begun {
    /// Where the browser authorizes.
    pub address: String,
    /// For the cookie.
    pub verifier: Secret,
}

/// A login that has ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    pub user_id: UserId,
    pub is_new: bool,
    pub display_name: String,
    pub next: Option<String>,
}

/// Why a login ended otherwise.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    #[error("This login was not begun here.")]
    Forged,
    #[error("This login took longer than ten minutes.")]
    Expired,
    #[error("This login was begun in another browser, or its cookie is gone.")]
    OtherBrowser,
    #[error("This login came back before.")]
    Spent,
    #[error("Spotify did not accept the code of this login.")]
    CodeRefused,
    #[error("Not everything was allowed that collecting plays needs.")]
    MissingScope,
    #[error("This Spotify account is not on the list of users of the Spotify app.")]
    NotOnAllowList,
    #[error("This Spotify account belongs to another user here.")]
    AccountTaken,
    #[error("This user is connected with another Spotify account.")]
    OtherAccount,
    #[error("The user to be connected is no longer here.")]
    UserGone,
    #[error(transparent)]
    Spotify(#[from] SpotifyError),
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Spotify(error.into())
    }
}

/// Where Spotify sends the browser back to.
///
/// # Errors
/// Names the variables when neither is set.
pub fn redirect_uri(app: &App) -> Result<String, SettingError> {
    const PROBLEM: &str = "is not set: the origin at which browsers reach this Worker, such as \
                           https://listenlog.example (or set SPOTIFY_REDIRECT_URI)";
    let own = || app.config.public_url.as_ref().map(|origin| format!("{origin}/auth/callback"));
    let given = app.config.spotify.redirect_uri.clone();
    given.or_else(own).ok_or(SettingError { variable: "PUBLIC_URL", problem: PROBLEM })
}

/// A link for a user who is to be connected, as `link` of `/auth/login`.
///
/// # Errors
/// When the key is not set.
pub fn link(app: &App, user: UserId) -> Result<(String, Millis), SpotifyError> {
    let keys = app.config.spotify.keys().map_err(SpotifyError::NotConfigured)?;
    let random = app.clock.secret_bytes().ok_or(SpotifyError::NoRandomness)?;
    let expires_at = app.now().plus_ms(LINK_LIFE_MS);
    Ok((keys.seal_json(LINK, &Link { user, expires_at_ms: expires_at.0 }, &random), expires_at))
}

/// The user whom a link connects.
///
/// # Errors
/// When it is none of ours, or too old.
pub fn open_link(app: &App, text: &str) -> Result<UserId, LoginError> {
    let keys = app.config.spotify.keys().map_err(SpotifyError::NotConfigured)?;
    let link: Link = keys.open_json(LINK, text).map_err(|_| LoginError::Forged)?;
    if link.expires_at_ms <= app.now().0 { Err(LoginError::Expired) } else { Ok(link.user) }
}

/// Begins a login.
///
/// # Errors
/// When a setting is missing; it is named.
pub async fn begin(app: &App, intent: Intent) -> Result<Begun, SpotifyError> {
    let keys = app.config.spotify.keys().map_err(SpotifyError::NotConfigured)?;
    let client = client_for(app, intent.user).await?;
    let redirect_uri = redirect_uri(app).map_err(SpotifyError::NotConfigured)?;
    let random = || app.clock.secret_bytes().ok_or(SpotifyError::NoRandomness);
    let verifier = URL_SAFE_NO_PAD.encode(random()?);
    let code_challenge = challenge(&verifier);
    let state = LoginState {
        id: app.clock.random_hex(),
        expires_at_ms: app.now().plus_ms(LOGIN_LIFE_MS).0,
        user: intent.user,
        next: intent.next,
        client_id: client.client_id.clone(),
        code_challenge: code_challenge.clone(),
    };
    let state = keys.seal_json(STATE, &state, &random()?);
    let address = accounts::authorize_address(app, &client, &redirect_uri, &state, &code_challenge);
    Ok(Begun { address, verifier: Secret::new(verifier) })
}

/// What Spotify sent a browser back with, and the browser's cookie.
#[derive(Debug)]
pub struct Returned<'a> {
    pub state: &'a str,
    pub code: Secret,
    pub verifier: Option<Secret>,
}

/// Ends a login: whoever authorized is connected. `also` is written in the batch of the tokens.
///
/// # Errors
/// See [`LoginError`]; nothing is stored then but that the login came back.
pub async fn complete(
    app: &App,
    returned: Returned<'_>,
    also: impl FnOnce(UserId) -> Vec<Statement>,
) -> Result<Connected, LoginError> {
    let keys = app.config.spotify.keys().map_err(SpotifyError::NotConfigured)?;
    let state: LoginState = keys.open_json(STATE, returned.state).map_err(|_| LoginError::Forged)?;
    let now = app.now();
    if state.expires_at_ms <= now.0 {
        return Err(LoginError::Expired);
    }
    let verifier = returned.verifier.ok_or(LoginError::OtherBrowser)?;
    let is_same_browser: bool = challenge(verifier.expose()).as_bytes().ct_eq(state.code_challenge.as_bytes()).into();
    if !is_same_browser {
        return Err(LoginError::OtherBrowser);
    }
    if !spotify_accounts::spend_login(&*app.db, &state.id, Millis(state.expires_at_ms), now).await? {
        return Err(LoginError::Spent);
    }
    let client = client_for(app, state.user).await?;
    if client.client_id != state.client_id {
        return Err(LoginError::CodeRefused);
    }
    let tokens = exchanged(app, &client, &returned.code, &verifier).await?;
    let profile = identified(app, &client, &tokens).await?;
    let (user_id, is_new) = settle_user(app, state.user, &profile).await?;
    store(app, user_id, &client, tokens, also(user_id)).await?;
    tracing::info!(user_id = user_id.0, is_new, "A listener was connected to Spotify");
    let display_name = display_name(&profile);
    Ok(Connected { user_id, is_new, display_name, next: state.next })
}

/// S256 (RFC 7636, 4.2).
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// The user's own app, or the installation's.
async fn client_for(app: &App, user: Option<UserId>) -> Result<SpotifyApp, SpotifyError> {
    if let Some(user) = user
        && let Some(own) = spotify_accounts::credentials(&*app.db, user).await?
    {
        let keys = app.config.spotify.keys().map_err(SpotifyError::NotConfigured)?;
        let opened = keys.open(&session::place("client_secret", user), &own.client_secret);
        let client_secret = opened.map_err(|_| SpotifyError::NeedsReauth(super::error::ReauthReason::KeyLost))?;
        return Ok(SpotifyApp { client_id: own.client_id, client_secret });
    }
    app.config.spotify.app().map_err(SpotifyError::NotConfigured)
}

async fn exchanged(app: &App, client: &SpotifyApp, code: &Secret, verifier: &Secret) -> Result<Tokens, LoginError> {
    let redirect_uri = redirect_uri(app).map_err(SpotifyError::NotConfigured)?;
    let tokens = match accounts::exchange(app, client, code, &redirect_uri, verifier).await? {
        Granted::Tokens(tokens) => tokens,
        Granted::InvalidGrant => return Err(LoginError::CodeRefused),
        Granted::Blocked { until, .. } => {
            return Err(SpotifyError::Blocked { family: Family::Accounts, until }.into());
        }
    };
    let is_granted = |granted: &str| SCOPES.iter().all(|scope| granted.split(' ').any(|one| one == *scope));
    match &tokens.scopes {
        Some(granted) if !is_granted(granted) => Err(LoginError::MissingScope),
        _ => Ok(tokens),
    }
}

/// Asks Spotify who it is. Whoever is not on the app's list gets this far and no further.
async fn identified(app: &App, client: &SpotifyApp, tokens: &Tokens) -> Result<Profile, LoginError> {
    match request::ask(app, &tokens.access_token, &profile::question()).await {
        Ok(Answer::Document(document)) => Ok(profile::read(document)?),
        Ok(Answer::TokenNotTaken) => Err(request::transient(app, TransientCause::TokenNotTaken, None).into()),
        Ok(Answer::Blocked { until, is_quota }) => {
            let (family, reason) = (Family::Profile, if is_quota { "quota" } else { "rate" });
            app.db.run(spotify_tokens::block(&client.client_id, family.as_str(), until, reason)).await?;
            Err(SpotifyError::Blocked { family, until }.into())
        }
        Err(SpotifyError::Refused { why: Refusal::NotOnAllowList | Refusal::Forbidden, .. }) => {
            Err(LoginError::NotOnAllowList)
        }
        Err(error) => Err(error.into()),
    }
}

/// The user that a profile belongs to, made if need be; and whether it was.
async fn settle_user(app: &App, wanted: Option<UserId>, profile: &Profile) -> Result<(UserId, bool), LoginError> {
    let known = spotify_accounts::find(&*app.db, &profile.id, profile.account_id.as_deref()).await?;
    if let Some(wanted) = wanted {
        if known.as_ref().is_some_and(|known| known.user != wanted) {
            return Err(LoginError::AccountTaken);
        }
        let user = spotify_accounts::of_user(&*app.db, wanted).await?.ok_or(LoginError::UserGone)?;
        if known.is_none() && user.spotify_user_id.is_some() {
            return Err(LoginError::OtherAccount);
        }
        return attach(app, wanted, profile).await.map(|()| (wanted, false));
    }
    if let Some(known) = known {
        return attach(app, known.user, profile).await.map(|()| (known.user, false));
    }
    let (name, zone) = (display_name(profile), &app.config.default_timezone);
    let made = spotify_accounts::insert(&*app.db, &name, zone, &profile.id, profile.account_id.as_deref(), app.now());
    match made.await {
        Ok(user_id) => Ok((user_id, true)),
        // The same account came through another door at this moment: it is that user.
        Err(StoreError::Constraint(_)) => {
            let known = spotify_accounts::find(&*app.db, &profile.id, profile.account_id.as_deref()).await?;
            known.map(|known| (known.user, false)).ok_or(LoginError::AccountTaken)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes down whose Spotify account the user has.
async fn attach(app: &App, user: UserId, profile: &Profile) -> Result<(), LoginError> {
    let account_id = profile.account_id.as_deref();
    match spotify_accounts::attach(&*app.db, user, &profile.id, account_id, app.now()).await {
        Ok(()) => Ok(()),
        Err(StoreError::Constraint(_)) => Err(LoginError::AccountTaken),
        Err(error) => Err(error.into()),
    }
}

async fn store(
    app: &App,
    user: UserId,
    client: &SpotifyApp,
    tokens: Tokens,
    also: Vec<Statement>,
) -> Result<(), LoginError> {
    let missing = SpotifyError::Malformed { family: Family::Accounts, what: "it holds no refresh token" };
    let refresh_token = tokens.refresh_token.ok_or(missing)?;
    let scopes = tokens.scopes.unwrap_or_else(|| SCOPES.join(" "));
    let expires_at = tokens.access_expires_at;
    let sealed = session::seal(app, user, &tokens.access_token, expires_at, &refresh_token, scopes)?;
    let mut statements = vec![spotify_tokens::authorized(user, &client.client_id, &sealed, app.now())];
    statements.extend(also);
    app.db.batch(statements).await?;
    Ok(())
}

/// A name fit to be kept; Spotify's own id where there is none.
fn display_name(profile: &Profile) -> String {
    const MAX_CHARS: usize = 100;
    let plain = |name: &str| name.chars().filter(|letter| !letter.is_control()).take(MAX_CHARS).collect::<String>();
    let name = plain(profile.display_name.as_deref().unwrap_or_default().trim());
    if name.is_empty() { plain(&profile.id) } else { name }
}
