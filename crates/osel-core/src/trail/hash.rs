//! The two hashes of the trail, both SHA-256: the leaf hash of a record and the commitment to a part.
//!
//! They must stay as `docs/trail-format.md` has them: the Merkle tree over the records, proofs and other
//! people's verifiers stand on them.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// The length of a salt: 128 bits make guessing a part's content from its commitment hopeless.
pub const SALT_BYTES: usize = 16;

/// What hides a part behind its commitment; it is drawn outside and dies with its part.
pub type Salt = [u8; SALT_BYTES];

/// A SHA-256 value, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
pub struct ParseHashError;

impl Hash {
    /// What stands in the first record where others name their predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// The value from a slice, which must have 32 bytes.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// A record's hash: the leaf hash of RFC 6962 §2.1, SHA-256 of a zero byte and the canonical bytes.
pub fn leaf_hash(canonical: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update([0]).chain_update(canonical).finalize().into())
}

/// What a record says of one part: SHA-256 of salt and content.
///
/// The salt's length is fixed, so the two cannot be shifted against each other. Class and project are not
/// hashed here: they stand beside the commitment in the record, and a commitment means nothing outside of
/// one.
pub fn commitment(salt: &Salt, content: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(salt).chain_update(content).finalize().into())
}

/// A part's salt, and what a record says of the part under it: made beforehand, by whoever has time for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    salt: Salt,
    commitment: Hash,
}

impl Committed {
    /// Commits to a content under a salt that nothing else was hidden by.
    pub fn to(content: &[u8], salt: Salt) -> Self {
        Self { salt, commitment: commitment(&salt, content) }
    }

    /// The salt, to be kept with the content and erased with it.
    pub fn salt(&self) -> Salt {
        self.salt
    }

    /// What the record says of the content.
    pub fn commitment(&self) -> Hash {
        self.commitment
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        // Hexadecimal digits are UTF-8.
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Hash {
    type Err = ParseHashError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fn digit(byte: u8) -> Result<u8, ParseHashError> {
            match byte {
                b'0'..=b'9' => Ok(byte - b'0'),
                b'a'..=b'f' => Ok(byte - b'a' + 10),
                _ => Err(ParseHashError),
            }
        }
        if text.len() != 64 {
            return Err(ParseHashError);
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_leaf_hash_of_rfc_6962() {
        // The empty entry of Certificate Transparency's reference vectors.
        let empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(leaf_hash(b"").to_string(), empty);
        let zero = "db3426e878068d28d269b6c87172322ce5372b65756d0789001d34835f601c03";
        assert_eq!(leaf_hash(b"0").to_string(), zero);
    }

    #[test]
    fn text_comes_back_and_nothing_else_is_taken() {
        let hash = leaf_hash(b"x");
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in [
            String::new(),
            "0".repeat(63),
            "0".repeat(65),
            "g".repeat(64),
            "A".repeat(64),
            "é".repeat(32),
            format!("+{}", "0".repeat(63)),
        ] {
            assert_eq!(text.parse::<Hash>(), Err(ParseHashError), "{text}");
        }
    }
}
