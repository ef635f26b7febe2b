//! Bytes as text: ids, and digests of secrets and archives.

/// Two lower-case digits a byte.
pub fn digits(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_two_digits() {
        assert_eq!(digits(&[0, 9, 0x1f, 0xa0, 0xff]), "00091fa0ff");
    }
}
