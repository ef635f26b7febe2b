//! Bytes as text: ids, and digests of secrets and archives.

/// Two lower-case digits a byte.
pub fn digits(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Whether a text is so many of these digits and nothing else.
pub fn is_digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_two_digits() {
        assert_eq!(digits(&[0, 9, 0x1f, 0xa0, 0xff]), "00091fa0ff");
        assert!(is_digits("00091fa0ff", 10));
        for text in ["00091fa0f", "00091FA0ff", "00091fa0fg", "0009\u{e9}a0ff"] {
            assert!(!is_digits(text, 10), "{text}");
        }
    }
}
