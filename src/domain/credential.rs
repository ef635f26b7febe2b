//! Credentials that are issued here: what they open, and how they are recognised without being stored.
//!
//! Must stay true: a secret is 256 random bits behind a prefix that tells its kind; only its hash is ever stored, and a
//! hash is as good as the secret for looking it up, and for nothing else.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    hexadecimal,
    ids::{CredentialId, UserId},
    instant::Millis,
};

/// What a credential may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Asking about the user's listening.
    Read,
    /// Asking how collecting and importing go for the user.
    Ops,
}

impl Scope {
    pub const ALL: [Self; 2] = [Self::Read, Self::Ops];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Ops => "ops",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of scopes. Its text is their names with blanks between, as OAuth writes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | scope.bit())
    }

    pub const fn has(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.has(*scope))
    }

    /// The scopes a text names; `None` when it names one that is not known.
    pub fn parse(text: &str) -> Option<Self> {
        text.split_ascii_whitespace().try_fold(Self::default(), |scopes, name| Some(scopes.with(Scope::parse(name)?)))
    }

    pub fn to_text(self) -> String {
        self.iter().map(Scope::name).collect::<Vec<_>>().join(" ")
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::default(), Self::with)
    }
}

impl Serialize for Scopes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Scope::name))
    }
}

/// Of a secret, behind its prefix.
const SECRET_DIGITS: usize = 64;

/// How a credential came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// The admin made it and handed it over.
    AssistantToken,
    /// An access token that the user's consent gave to an OAuth client.
    Grant,
    /// The admin made it for somebody who shall do some of the admin's work.
    RoleToken,
}

impl CredentialKind {
    const ALL: [Self; 3] = [Self::AssistantToken, Self::Grant, Self::RoleToken];

    pub const fn name(self) -> &'static str {
        match self {
            Self::AssistantToken => "token",
            Self::Grant => "grant",
            Self::RoleToken => "role_token",
        }
    }

    /// How every secret of this kind begins, so that one that leaked is recognised.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::AssistantToken => "listenlog_token_",
            Self::Grant => "listenlog_grant_",
            Self::RoleToken => "listenlog_admin_",
        }
    }

    /// The kind of a secret, by its prefix; `None`: it was not issued here.
    pub fn of_secret(secret: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| secret.starts_with(kind.prefix()))
    }

    /// A secret of 256 bits, from two draws of 128.
    pub fn secret(self, random_hex: &[String; 2]) -> String {
        [self.prefix(), &random_hex.concat()].concat()
    }

    /// The hash of what could have been made by [`Self::secret`]; for anything else nobody needs to look.
    pub fn hash_of(self, secret: &str) -> Option<SecretHash> {
        let digits = secret.strip_prefix(self.prefix())?;
        hexadecimal::is_digits(digits, SECRET_DIGITS).then(|| SecretHash::of(secret))
    }
}

/// SHA-256 of a secret in hexadecimal digits: what is stored instead of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHash(String);

impl SecretHash {
    pub fn of(secret: &str) -> Self {
        Self(hexadecimal::digits(&Sha256::digest(secret.as_bytes())))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A credential that was recognised: whose history it opens, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    pub id: CredentialId,
    pub kind: CredentialKind,
    pub user_id: UserId,
    pub scopes: Scopes,
}

/// Whether something that ends at `expires_at` is over at `now`.
pub fn has_expired(expires_at: Option<Millis>, now: Millis) -> bool {
    expires_at.is_some_and(|expires_at| expires_at <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_a_set_and_their_text_is_in_one_order() {
        let scopes = Scopes::parse("ops  read ops").unwrap();
        assert_eq!(scopes.to_text(), "read ops");
        assert_eq!(Scopes::parse(&scopes.to_text()), Some(scopes));
        assert!(Scopes::parse("").unwrap().is_empty());
        assert_eq!(Scopes::parse("read write"), None);
        assert!(!Scopes::default().with(Scope::Ops).has(Scope::Read));
    }

    #[test]
    fn a_secret_tells_its_kind_and_its_hash_tells_nothing() {
        for kind in CredentialKind::ALL {
            let secret = kind.secret(&["0".repeat(32), "f".repeat(32)]);
            assert_eq!(CredentialKind::of_secret(&secret), Some(kind));
            assert_eq!(secret.len(), kind.prefix().len() + SECRET_DIGITS);
            assert_eq!(kind.hash_of(&secret), Some(SecretHash::of(&secret)));
            for other in [&secret[1..], &secret[..secret.len() - 1], &secret.to_uppercase(), &format!("{secret}0")] {
                assert_eq!(kind.hash_of(other), None, "{other}");
            }
            assert!(!SecretHash::of(&secret).as_str().contains("ffff"));
        }
        assert_eq!(CredentialKind::of_secret("the-admin-token"), None);
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(SecretHash::of("abc").as_str(), known);
    }

    #[test]
    fn an_end_is_over_at_its_own_instant() {
        assert!(has_expired(Some(Millis(5)), Millis(5)));
        assert!(!has_expired(Some(Millis(6)), Millis(5)));
        assert!(!has_expired(None, Millis(5)));
    }
}
