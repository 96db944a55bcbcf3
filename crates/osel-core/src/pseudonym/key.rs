//! The key of a store's pseudonyms, and a pseudonym of a text.
//!
//! A pseudonym is a keyed hash and no number that is given out: nothing has to be remembered, all who have the key agree, and without
//! it nobody can try names until one fits.

use std::fmt::{self, Write};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How many bytes a key has: as many as the hash, more would be hashed to as many.
pub const KEY_BYTES: usize = 32;
/// How many bytes of the hash a pseudonym shows: among ten million persons two have the same one with a chance below 10⁻¹⁰, and a
/// sentence with two of them can still be read.
const SHOWN_BYTES: usize = 10;

/// What a text says of a person. One text of two meanings has two pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// The id of a user.
    User,
    /// What a user is called, in the cloud or where osel runs.
    Name,
    /// The address of a client.
    Address,
    /// The program that a client says it is.
    Agent,
    /// What somebody asked for, which may name others.
    Asked,
}

impl About {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::User, Self::Name, Self::Address, Self::Agent, Self::Asked];

    /// The word that its pseudonyms begin with.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Name => "name",
            Self::Address => "addr",
            Self::Agent => "agent",
            Self::Asked => "asked",
        }
    }

    /// What a text is of which this is a pseudonym; none when it is none.
    pub fn of_pseudonym(text: &str) -> Option<Self> {
        let (word, digits) = text.split_once('-')?;
        let is_digits = digits.len() == 2 * SHOWN_BYTES
            && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        Self::ALL.into_iter().find(|about| is_digits && about.as_str() == word)
    }
}

/// What makes pseudonyms of texts, and what finds out who they are.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey([u8; KEY_BYTES]);

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PseudonymKey(***)")
    }
}

impl PseudonymKey {
    /// The key of these bytes, which have to be random.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key that is written as so many pairs of hexadecimal digits; none when the text is something else.
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; KEY_BYTES];
        if text.len() != 2 * KEY_BYTES {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
        }
        Some(Self(bytes))
    }

    /// The pseudonym of a text, such as `user-7f3a9c01d2e4b5a69788`.
    ///
    /// # Panics
    /// Never: HMAC takes a key of any length.
    pub fn pseudonym(&self, about: About, text: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length, RFC 2104");
        // The word has no zero byte, so that no two pairs of word and text are the same bytes.
        for bytes in [about.as_str().as_bytes(), &[0], text.as_bytes()] {
            mac.update(bytes);
        }
        let hash = mac.finalize().into_bytes();
        let mut pseudonym = format!("{}-", about.as_str());
        for byte in hash.iter().take(SHOWN_BYTES) {
            let _ = write!(pseudonym, "{byte:02x}");
        }
        pseudonym
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_is_the_beginning_of_the_keyed_hash() {
        let key = PseudonymKey::new([7; KEY_BYTES]);
        // HMAC-SHA-256 of "user\0ada", as Python's `hmac` has it.
        assert_eq!(key.pseudonym(About::User, "ada"), "user-61d06b31902e7308b419");
        assert_eq!(PseudonymKey::from_hex(&"07".repeat(KEY_BYTES)), Some(key.clone()));
        for wrong in ["", "07", &"0g".repeat(KEY_BYTES), &"é".repeat(KEY_BYTES), &"07".repeat(KEY_BYTES + 1)]
        {
            assert_eq!(PseudonymKey::from_hex(wrong), None, "{wrong}");
        }
        assert_eq!(format!("{key:?}"), "PseudonymKey(***)");
    }

    #[test]
    fn a_pseudonym_is_known_as_one() {
        let key = PseudonymKey::new([7; KEY_BYTES]);
        for about in About::ALL {
            assert_eq!(About::of_pseudonym(&key.pseudonym(about, "x")), Some(about));
        }
        for other in
            ["", "ada", "user-", "user-7f3a", "USER-00112233445566778899", "thing-00112233445566778899"]
        {
            assert_eq!(About::of_pseudonym(other), None, "{other}");
        }
    }
}
