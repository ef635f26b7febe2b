//! The secrets of a grant: its code, its access tokens, its refresh tokens.
//!
//! Must stay true: each is `prefix`, the grant's id, the family's 128 random bits and 256 of its own; the id finds the row, the
//! family tells a secret that was used up from an invention, and the whole, as a hash, is what opens something.

use serde::{Deserialize, Serialize};

use super::{
    credential::{CredentialKind, SecretHash},
    hexadecimal::is_digits,
};

/// A grant's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GrantId(pub i64);

/// The kinds of a grant's secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    Code,
    Access,
    Refresh,
}

impl SecretKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Code => "listenlog_code_",
            Self::Access => CredentialKind::Grant.prefix(),
            Self::Refresh => "listenlog_refresh_",
        }
    }
}

/// A secret of a grant, as its client holds it.
#[derive(Clone, PartialEq, Eq)]
pub struct GrantSecret {
    pub grant: GrantId,
    family: String,
    text: String,
}

/// What is stored of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHashes {
    pub family: SecretHash,
    pub whole: SecretHash,
}

const FAMILY_DIGITS: usize = 32;
const OWN_DIGITS: usize = 64;
/// The largest id that survives a JavaScript number.
const MAX_ID: i64 = (1 << 53) - 1;

impl GrantSecret {
    /// The first secret of a grant, and so of a family; `random` are draws of 128 bits.
    pub fn first(kind: SecretKind, grant: GrantId, random: &[String; 3]) -> Self {
        let [family, first, second] = random;
        Self::made(kind, grant, family.clone(), &[first, second])
    }

    /// Another secret of the same family.
    #[must_use]
    pub fn sibling(&self, kind: SecretKind, random: &[String; 2]) -> Self {
        let [first, second] = random;
        Self::made(kind, self.grant, self.family.clone(), &[first, second])
    }

    fn made(kind: SecretKind, grant: GrantId, family: String, own: &[&String; 2]) -> Self {
        let [first, second] = own;
        let text = format!("{}{}.{family}.{first}{second}", kind.prefix(), grant.0);
        Self { grant, family, text }
    }

    /// Reads what a client presents.
    pub fn parse(kind: SecretKind, text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(kind.prefix())?.split('.');
        let (id, family, own) = (parts.next()?, parts.next()?, parts.next()?);
        let is_plain_id = (1..=16).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
        let grant = id.parse().ok().filter(|id| is_plain_id && (1..=MAX_ID).contains(id)).map(GrantId)?;
        let is_whole = is_digits(family, FAMILY_DIGITS) && is_digits(own, OWN_DIGITS) && parts.next().is_none();
        is_whole.then(|| Self { grant, family: family.to_owned(), text: text.to_owned() })
    }

    /// The secret itself: for its client, and for nobody else.
    pub fn reveal(&self) -> &str {
        &self.text
    }

    pub fn hashes(&self) -> SecretHashes {
        SecretHashes { family: SecretHash::of(&self.family), whole: SecretHash::of(&self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> GrantSecret {
        GrantSecret::first(SecretKind::Code, GrantId(7), &["a".repeat(32), "b".repeat(32), "c".repeat(32)])
    }

    #[test]
    fn a_secret_is_read_back_as_its_own_kind_only() {
        let code = first();
        assert!(GrantSecret::parse(SecretKind::Code, code.reveal()) == Some(code.clone()));
        assert!(GrantSecret::parse(SecretKind::Refresh, code.reveal()).is_none());
        assert!(GrantSecret::parse(SecretKind::Access, code.reveal()).is_none());
        let refresh = code.sibling(SecretKind::Refresh, &["d".repeat(32), "e".repeat(32)]);
        assert!(refresh.hashes().family == code.hashes().family && refresh.hashes().whole != code.hashes().whole);
    }

    #[test]
    fn what_is_not_whole_is_no_secret() {
        let good = first().reveal().to_owned();
        let longer = format!("{good}0");
        let (cut, upper, other) = (&good[..good.len() - 1], good.to_uppercase(), good.replace(".aaaa", ".gggg"));
        let big = good.replace("code_7.", "code_9007199254740993.");
        let (signed, zero) = (good.replace("code_7.", "code_+7."), good.replace("code_7.", "code_0."));
        for text in ["", "listenlog_code_", "listenlog_code_7", &longer, cut, &upper, &other, &big, &signed, &zero] {
            assert!(GrantSecret::parse(SecretKind::Code, text).is_none(), "{text}");
        }
    }
}
