//! Who the listener is. <https://developer.spotify.com/documentation/web-api/reference/get-current-users-profile>

use serde::Deserialize;
use serde_json::Value;

use super::{
    error::{Family, SpotifyError},
    objects::or_none,
    request::Question,
};

/// A listener as Spotify knows them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Profile {
    /// May change when the listener renames themselves.
    pub id: String,
    /// Never changes; Spotify gives it since May 2026.
    #[serde(default, deserialize_with = "or_none")]
    pub account_id: Option<String>,
    #[serde(default, deserialize_with = "or_none")]
    pub display_name: Option<String>,
}

pub(super) fn question() -> Question {
    Question::new(Family::Profile, "/me")
}

pub(super) fn read(answer: Value) -> Result<Profile, SpotifyError> {
    let profile: Option<Profile> = serde_json::from_value(answer).ok();
    let named = profile.filter(|profile| !profile.id.is_empty());
    named.ok_or(SpotifyError::Malformed { family: Family::Profile, what: "it has no id" })
}
