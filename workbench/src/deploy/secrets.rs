//! The Worker's secrets: made, kept on this machine, and sent when the Worker has not got them.
//!
//! Must stay true: a secret that the deployed Worker has is never replaced unless that was asked for: a new encryption key
//! without the old one beside it would lock out every stored Spotify login.

use std::collections::BTreeMap;

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use rand::Rng;

use super::{
    DeployError, Person, Wishes,
    folder::{Folder, Vars, given},
};

const FILE: &str = "secrets.json";
const KEY: &str = "TOKEN_ENCRYPTION_KEY";
const OLD_KEYS: &str = "TOKEN_ENCRYPTION_KEYS_OLD";
const SPOTIFY: &str = "SPOTIFY_CLIENT_SECRET";

/// Values by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, String>);

impl Secrets {
    pub fn read(folder: &Folder) -> Result<Self, DeployError> {
        let text = folder.read(FILE)?;
        if text.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(&text).map(Self).map_err(|_| {
            DeployError::new(".deploy/secrets.json is not an object of texts: mend it, or move it out of the way.")
        })
    }

    pub fn write(&self, folder: &Folder) -> Result<(), DeployError> {
        if self.is_empty() { Ok(()) } else { folder.write_private(FILE, &self.to_json()).map(drop) }
    }

    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.0).unwrap_or_default()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Makes what is missing and replaces what is to be replaced. Tells the names of those.
    pub fn complete(
        &mut self,
        known: &[String],
        vars: &Vars,
        wishes: &Wishes,
        person: &mut dyn Person,
    ) -> Result<Vec<String>, DeployError> {
        let admin = match vars.get("ADMIN_AUTH_MODE") {
            Some("basic") if vars.get("ADMIN_USERNAME").is_none() => {
                return Err(DeployError::new("ADMIN_AUTH_MODE is basic: give ADMIN_USERNAME in VARS as well."));
            }
            Some("basic") => "ADMIN_PASSWORD",
            Some("token") => "ADMIN_TOKEN",
            _ => return Err(DeployError::new("ADMIN_AUTH_MODE must be token or basic for a Worker that is deployed.")),
        };
        let mut fresh = Vec::new();
        for name in [admin, KEY] {
            if !self.0.contains_key(name) && !known.iter().any(|known| known == name) {
                self.0.insert(name.to_owned(), made(name));
                fresh.push(name.to_owned());
            }
        }
        for name in &wishes.rotate {
            self.rotate(name)?;
            fresh.push(name.clone());
        }
        let has_app = vars.get("SPOTIFY_CLIENT_ID").is_some();
        if has_app && !self.0.contains_key(SPOTIFY) && !known.iter().any(|known| known == SPOTIFY) {
            let question = "Client secret of your Spotify app (shown while you type): ";
            let secret = given(SPOTIFY, question, person).ok_or_else(|| {
                DeployError::new(
                    "SPOTIFY_CLIENT_ID is set and SPOTIFY_CLIENT_SECRET is not: give it in the environment.",
                )
            })?;
            self.0.insert(SPOTIFY.to_owned(), secret);
        }
        Ok(fresh)
    }

    fn rotate(&mut self, name: &str) -> Result<(), DeployError> {
        match name {
            "ADMIN_TOKEN" | "ADMIN_PASSWORD" => {}
            KEY => {
                let old = self.0.get(KEY).cloned().ok_or_else(|| {
                    DeployError::new(format!(
                        "The {KEY} in use is not in .deploy/secrets.json of this machine. Put it there first: without it \
                         the stored Spotify logins could no longer be read."
                    ))
                })?;
                let older = self.0.get(OLD_KEYS).map(|keys| format!(",{keys}")).unwrap_or_default();
                self.0.insert(OLD_KEYS.to_owned(), format!("{old}{older}"));
            }
            _ => {
                return Err(DeployError::new(format!(
                    "ROTATE takes ADMIN_TOKEN, ADMIN_PASSWORD or {KEY}, and not {name}."
                )));
            }
        }
        self.0.insert(name.to_owned(), made(name));
        Ok(())
    }

    /// Those that the Worker has not got, or has in an older form.
    pub fn unsent(&self, known: &[String], fresh: &[String]) -> Self {
        let rotated_key = fresh.iter().any(|name| name == KEY);
        let is_unsent =
            |name: &String| !known.contains(name) || fresh.contains(name) || (rotated_key && name.as_str() == OLD_KEYS);
        Self(
            self.0
                .iter()
                .filter(|(name, _)| is_unsent(name))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }
}

/// 256 random bits, in the alphabet that their reader expects.
fn made(name: &str) -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    if name == KEY { BASE64_STANDARD.encode(bytes) } else { BASE64_URL_SAFE_NO_PAD.encode(bytes) }
}
