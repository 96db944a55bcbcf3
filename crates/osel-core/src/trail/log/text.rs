//! Numbers and bytes as the log's texts have them: one way to write each value, and nothing else is read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::hash::Hash;

/// The largest tree that a checkpoint may tell: C2SP's numbers have 63 bits, so that any language reads them.
pub const TREE_SIZE_MAX: u64 = u64::MAX >> 1;

/// Base64 with padding (RFC 4648 §4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of a base64 text: without padding or with bits behind the last byte it is none.
pub(super) fn from_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The hash that a base64 text holds.
pub(crate) fn hash_from_base64(text: &str) -> Option<Hash> {
    Hash::from_slice(&from_base64(text)?)
}

/// A number of at most 63 bits, without sign and leading zeros.
pub(crate) fn number(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok().filter(|&number| number <= TREE_SIZE_MAX)?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_one_way() {
        for (text, wanted) in [("0", Some(0)), ("10", Some(10)), ("9223372036854775807", Some(TREE_SIZE_MAX))]
        {
            assert_eq!(number(text), wanted);
        }
        for text in ["", "08", "00", "+8", "-0", " 8", "8 ", "8.", "0x8", "٨", "9223372036854775808"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn bytes_are_written_in_one_way() {
        assert_eq!(from_base64("AQI="), Some(vec![1, 2]));
        for text in ["AQI", "AQJ=", "AQI=\n", " AQI=", "AQI==", "AQ-_", "A", "="] {
            assert_eq!(from_base64(text), None, "{text}");
        }
        assert_eq!(hash_from_base64(&base64(&[7; 32])), Some(Hash([7; 32])));
        assert_eq!(hash_from_base64(&base64(&[7; 31])), None);
        assert_eq!(hash_from_base64(&base64(&[7; 33])), None);
    }
}
