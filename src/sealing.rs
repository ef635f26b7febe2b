//! Secrets of others, as they are kept: AES-256-GCM with the key's id in front.
//!
//! Must stay true: what is sealed for one place (`place`, such as `spotify_tokens/refresh_token/7`) opens for no other;
//! a key that was replaced still opens what it sealed, and seals nothing any more; neither Debug nor an error shows a
//! secret or a key.

use std::fmt;

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// A text that must not be seen: a token, a code, a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For the one place that sends or seals it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// The key that seals, and those before it.
#[derive(Clone)]
pub struct KeyRing {
    current: Key,
    old: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: String,
    cipher: Aes256Gcm,
}

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
/// Begins everything sealed, so that another form can tell itself apart.
const FORM: &str = "s1";

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyRing({} and {} older)", self.current.id, self.old.len())
    }
}

/// Why something sealed does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("it was sealed with a key that is not among TOKEN_ENCRYPTION_KEY and TOKEN_ENCRYPTION_KEYS_OLD")]
    UnknownKey,
    #[error("it is not what was sealed here")]
    NotAuthentic,
}

impl Key {
    fn new(bytes: &[u8; KEY_BYTES]) -> Self {
        let digest = Sha256::new().chain_update(b"listenlog key id").chain_update(bytes).finalize();
        let id = URL_SAFE_NO_PAD.encode(digest.get(..6).unwrap_or_default());
        Self { id, cipher: Aes256Gcm::new(&(*bytes).into()) }
    }
}

impl KeyRing {
    pub fn new(current: &[u8; KEY_BYTES], old: &[[u8; KEY_BYTES]]) -> Self {
        Self { current: Key::new(current), old: old.iter().map(Key::new).collect() }
    }

    /// Seals a text for one place. `random` must never have been used before: take it from the clock's secret bytes.
    pub fn seal(&self, place: &str, text: &str, random: &[u8; 32]) -> String {
        // 96 of the 256 random bits: the length that GCM is made for.
        let mut nonce = [0_u8; NONCE_BYTES];
        for (byte, random) in nonce.iter_mut().zip(random) {
            *byte = *random;
        }
        let payload = Payload { msg: text.as_bytes(), aad: place.as_bytes() };
        // It fails beyond 64 GB only; an empty text opens nowhere.
        let sealed = self.current.cipher.encrypt(&nonce.into(), payload).unwrap_or_default();
        let body = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        format!("{FORM}.{}.{body}", self.current.id)
    }

    /// Opens what was sealed for this place.
    ///
    /// # Errors
    /// When the key is gone, the text was changed, or it was sealed for another place.
    pub fn open(&self, place: &str, sealed: &str) -> Result<Secret, SealError> {
        let mut parts = sealed.split('.');
        let (Some(FORM), Some(id), Some(body), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(SealError::NotAuthentic);
        };
        let mut keys = std::iter::once(&self.current).chain(&self.old);
        let key = keys.find(|key| key.id == id).ok_or(SealError::UnknownKey)?;
        let bytes = URL_SAFE_NO_PAD.decode(body).map_err(|_| SealError::NotAuthentic)?;
        let (nonce, body) = bytes.split_first_chunk::<NONCE_BYTES>().ok_or(SealError::NotAuthentic)?;
        let payload = Payload { msg: body, aad: place.as_bytes() };
        let text = key.cipher.decrypt(&(*nonce).into(), payload).map_err(|_| SealError::NotAuthentic)?;
        String::from_utf8(text).map(Secret).map_err(|_| SealError::NotAuthentic)
    }

    /// Seals a small document, such as the state of a login that a browser carries for us.
    pub fn seal_json<T: Serialize>(&self, place: &str, document: &T, random: &[u8; 32]) -> String {
        self.seal(place, &serde_json::to_string(document).unwrap_or_default(), random)
    }

    /// # Errors
    /// As [`KeyRing::open`], and for a document of another shape.
    pub fn open_json<T: DeserializeOwned>(&self, place: &str, sealed: &str) -> Result<T, SealError> {
        let text = self.open(place, sealed)?;
        serde_json::from_str(text.expose()).map_err(|_| SealError::NotAuthentic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANDOM: [u8; 32] = [7; 32];

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let ring = KeyRing::new(&[1; 32], &[]);
        let sealed = ring.seal("spotify_tokens/refresh_token/7", "AQD-refresh", &RANDOM);
        assert!(!sealed.contains("AQD"));
        assert_eq!(ring.open("spotify_tokens/refresh_token/7", &sealed).unwrap().expose(), "AQD-refresh");
        assert_eq!(ring.open("spotify_tokens/refresh_token/8", &sealed), Err(SealError::NotAuthentic));
        assert_eq!(ring.open("spotify_tokens/access_token/7", &sealed), Err(SealError::NotAuthentic));
    }

    #[test]
    fn a_changed_text_does_not_open() {
        let ring = KeyRing::new(&[1; 32], &[]);
        let sealed = ring.seal("place", "text", &RANDOM);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(ring.open("place", &String::from_utf8(changed).unwrap()).is_err(), "at {at}");
        }
        for broken in ["", "s1", "s1..", "s1.x.y.z", &sealed[..sealed.len() - 1], "ö"] {
            assert!(ring.open("place", broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_replaced_key_opens_what_it_sealed_and_seals_no_more() {
        let before = KeyRing::new(&[1; 32], &[]);
        let sealed = before.seal("place", "text", &RANDOM);
        let after = KeyRing::new(&[2; 32], &[[1; 32]]);
        assert_eq!(after.open("place", &sealed).unwrap().expose(), "text");
        let anew = after.seal("place", "text", &RANDOM);
        assert_eq!(before.open("place", &anew), Err(SealError::UnknownKey));
        assert_eq!(KeyRing::new(&[2; 32], &[]).open("place", &sealed), Err(SealError::UnknownKey));
    }

    #[test]
    fn debug_shows_neither_key_nor_secret() {
        let ring = KeyRing::new(b"a key of thirty-two bytes it is.", &[]);
        assert!(!format!("{ring:?}").contains("thirty"));
        assert_eq!(format!("{:?}", Secret::new("hush")), "Secret");
    }
}
