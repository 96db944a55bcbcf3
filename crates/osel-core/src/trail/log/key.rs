//! Keys of a log and of its witnesses: names, ids, and the texts in which keys are handed around.
//!
//! A key is the pair of its name and its id. The id is four bytes of a hash and no commitment: whoever wants one that collides makes
//! one. So whom to believe is decided by whole keys that are known beforehand ([`Note::verify`](super::Note::verify)).
//!
//! A private key shows itself in [`SigningKey::text`] only: whoever calls that keeps it where the shell keeps secrets.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{PUBLIC_KEY_LENGTH, SECRET_KEY_LENGTH, Signature, Signer, VerifyingKey};
use sha2::{Digest, Sha256};

use super::cosignature::Cosignature;
use super::text::{base64, from_base64};

/// The longest name of a key: messages of other kinds of cosignature have one byte for its length.
pub const NAME_BYTES_MAX: usize = 255;

/// What begins the text of a private key.
const PRIVATE: &str = "PRIVATE+KEY+";

/// A key's name, which is a log's origin as well: not empty, without white space, `+` and control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// Why a text is no name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is nothing.
    #[error("the name of a key must not be empty")]
    Empty,
    /// It has more than [`NAME_BYTES_MAX`] bytes.
    #[error("a key's name of {bytes} bytes is longer than {NAME_BYTES_MAX}")]
    Long {
        /// How many it has.
        bytes: usize,
    },
    /// It has white space, a `+` or a control character.
    #[error("the name of a key has no white space, no `+` and no control characters")]
    Character,
}

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A note's text, by Ed25519: a log's key.
    Ed25519,
    /// A note's text and the time at which it was seen, by Ed25519: a witness' key.
    Cosignature,
}

/// A key to verify signatures with, in writing `NAME+ID+KEY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    kind: KeyKind,
    id: [u8; 4],
    public: VerifyingKey,
}

/// A log's key to sign with, in writing `PRIVATE+KEY+NAME+ID+SEED`.
#[derive(Clone)]
pub struct SigningKey {
    verifier: VerifierKey,
    secret: ed25519_dalek::SigningKey,
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It has not the parts of one.
    #[error("a key is written `NAME+ID+KEY`, a private one `PRIVATE+KEY+NAME+ID+SEED`")]
    Form,
    /// Its name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// What follows the id is not base64 in its one form.
    #[error("what follows the id of a key is not base64")]
    Base64,
    /// Its kind is another one than those that are known here.
    #[error("a key of kind `{code:02x}` is not supported here")]
    Kind {
        /// Its first byte.
        code: u8,
    },
    /// It is too short or too long.
    #[error("a key of {found} bytes has not the length of its kind")]
    Length {
        /// How many bytes it has, its kind not counted.
        found: usize,
    },
    /// It is no point of the curve, or one of the few under which anybody can sign.
    #[error("the key is none that could prove anything")]
    Weak,
    /// The id is another one.
    #[error("the id is not that of the key and its name")]
    Id,
}

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a name on a note's signature line is one; who has no key of it does not care how long it is.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '+' || c < ' ')
}

impl FromStr for KeyName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.len() {
            0 => Err(NameError::Empty),
            bytes if bytes > NAME_BYTES_MAX => Err(NameError::Long { bytes }),
            // A note has no others than these below the space, but a terminal obeys some above it.
            _ if is_name(text) && !text.contains(char::is_control) => Ok(Self(text.to_owned())),
            _ => Err(NameError::Character),
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl KeyKind {
    /// The byte for it in texts and ids.
    fn code(self) -> u8 {
        match self {
            Self::Ed25519 => 1,
            Self::Cosignature => 4,
        }
    }
}

impl VerifierKey {
    pub(super) fn new(name: KeyName, kind: KeyKind, public: VerifyingKey) -> Self {
        let hash = Sha256::new()
            .chain_update(name.as_str())
            .chain_update([b'\n', kind.code()])
            .chain_update(public.as_bytes())
            .finalize();
        Self { name, kind, id: [hash[0], hash[1], hash[2], hash[3]], public }
    }

    /// Its name; a log's is its origin.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// What it verifies.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Its id.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(super) fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Whether the signature, as it stands behind the id on its line, is this key's and of this text.
    pub(super) fn verifies(&self, text: &str, signature: &[u8]) -> bool {
        match self.kind {
            KeyKind::Ed25519 => Signature::from_slice(signature)
                .is_ok_and(|signature| self.public.verify_strict(text.as_bytes(), &signature).is_ok()),
            KeyKind::Cosignature => {
                Cosignature::read(signature).is_some_and(|cosignature| cosignature.verifies(self, text))
            }
        }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.kind.code()];
        key.extend(self.public.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, u32::from_be_bytes(self.id), base64(&key))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, code, key) = divide(text)?;
        let kind = match code {
            1 => KeyKind::Ed25519,
            4 => KeyKind::Cosignature,
            code => return Err(KeyError::Kind { code }),
        };
        let bytes: [u8; PUBLIC_KEY_LENGTH] =
            key.as_slice().try_into().map_err(|_| KeyError::Length { found: key.len() })?;
        let public = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Weak)?;
        if public.is_weak() {
            return Err(KeyError::Weak);
        }
        with_id(Self::new(name, kind, public), id)
    }
}

impl SigningKey {
    /// The key of a seed, which must be 32 random bytes that nobody else knows.
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Self {
        let secret = ed25519_dalek::SigningKey::from_bytes(seed);
        Self { verifier: VerifierKey::new(name, KeyKind::Ed25519, secret.verifying_key()), secret }
    }

    /// The key that others verify with.
    pub fn verifier(&self) -> VerifierKey {
        self.verifier.clone()
    }

    /// Its name and its seed, in the form that Go's `note` package has for it: a secret.
    pub fn text(&self) -> String {
        private_text(&self.verifier, &self.secret)
    }

    pub(super) fn sign(&self, text: &str) -> [u8; 64] {
        self.secret.sign(text.as_bytes()).to_bytes()
    }
}

/// Which key it is, never what it is.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.verifier.to_string()).finish()
    }
}

impl FromStr for SigningKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (name, id, seed) = private(text, KeyKind::Ed25519)?;
        let key = Self::from_seed(name, &seed);
        with_id(key.verifier, id).map(|verifier| Self { verifier, secret: key.secret })
    }
}

/// A key's name and seed in writing: a secret.
pub(super) fn private_text(verifier: &VerifierKey, secret: &ed25519_dalek::SigningKey) -> String {
    let VerifierKey { name, kind, id, .. } = verifier;
    let mut seed = vec![kind.code()];
    seed.extend(secret.as_bytes());
    format!("{PRIVATE}{name}+{:08x}+{}", u32::from_be_bytes(*id), base64(&seed))
}

/// Name, id as it is written, and seed of a private key of that kind.
pub(super) fn private(text: &str, kind: KeyKind) -> Result<(KeyName, &str, [u8; 32]), KeyError> {
    let (name, id, code, seed) = divide(text.strip_prefix(PRIVATE).ok_or(KeyError::Form)?)?;
    // The length first: of a seed whose kind was left out the first byte is no kind, and is told nobody.
    let seed: [u8; SECRET_KEY_LENGTH] =
        seed.as_slice().try_into().map_err(|_| KeyError::Length { found: seed.len() })?;
    if code == kind.code() { Ok((name, id, seed)) } else { Err(KeyError::Kind { code }) }
}

/// Name, id as it is written, kind and bytes of a key's text. The base64 may have a `+` too, so the first two divide.
fn divide(text: &str) -> Result<(KeyName, &str, u8, Vec<u8>), KeyError> {
    let (name, rest) = text.split_once('+').ok_or(KeyError::Form)?;
    let (id, key) = rest.split_once('+').ok_or(KeyError::Form)?;
    let name = name.parse()?;
    let mut key = from_base64(key).ok_or(KeyError::Base64)?;
    if key.is_empty() {
        return Err(KeyError::Length { found: 0 });
    }
    let code = key.remove(0);
    Ok((name, id, code, key))
}

/// The key, if that is how its id is written.
pub(super) fn with_id(key: VerifierKey, id: &str) -> Result<VerifierKey, KeyError> {
    if format!("{:08x}", u32::from_be_bytes(key.id)) == id { Ok(key) } else { Err(KeyError::Id) }
}

#[cfg(test)]
mod tests {
    use super::super::vector_tests::{LOG_KEY, LOG_PRIVATE};
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["a", "log.example/osel", "Größe", "-", &"n".repeat(NAME_BYTES_MAX)] {
            assert_eq!(good.parse::<KeyName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        assert_eq!("".parse::<KeyName>(), Err(NameError::Empty));
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        assert_eq!(long.parse::<KeyName>(), Err(NameError::Long { bytes: 256 }));
        for bad in [
            "a b",
            "a+b",
            "a\n",
            "\ta",
            "a\u{a0}b",
            "a\u{2003}",
            "a\u{85}",
            "a\u{1}",
            "\u{3000}",
            "a\u{7f}",
            "a\u{9b}2J",
        ] {
            assert_eq!(bad.parse::<KeyName>(), Err(NameError::Character), "{bad:?}");
        }
    }

    #[test]
    fn what_is_no_verifier_key_is_refused() {
        // The id goes with name, kind and key, so that a test of what comes before it may leave it wrong.
        let key = |bytes: &[u8]| format!("log+00000000+{}", base64(bytes));
        let neutral: Vec<u8> = [1, 1].into_iter().chain([0; 31]).collect();
        for (text, wanted) in [
            ("", KeyError::Form),
            ("log.example/osel", KeyError::Form),
            ("log.example/osel+6ae2a71d", KeyError::Form),
            ("+6ae2a71d+AQ==", KeyError::Name(NameError::Empty)),
            ("a log+6ae2a71d+AQ==", KeyError::Name(NameError::Character)),
            ("log+6ae2a71d+", KeyError::Length { found: 0 }),
            ("log+6ae2a71d+AQ=", KeyError::Base64),
            ("log+6ae2a71d+AR==", KeyError::Base64),
            (&key(&[1; 32]), KeyError::Length { found: 31 }),
            (&key(&[4; 34]), KeyError::Length { found: 33 }),
            // ECDSA, cosignatures by ML-DSA, and one that nobody has.
            (&key(&[2; 33]), KeyError::Kind { code: 2 }),
            (&key(&[6; 1313]), KeyError::Kind { code: 6 }),
            (&key(&[0; 33]), KeyError::Kind { code: 0 }),
            // The neutral element of the curve: its signatures are anybody's.
            (&key(&neutral), KeyError::Weak),
            (&LOG_KEY.replace("6ae2a71d", "6ae2a71e"), KeyError::Id),
            (&LOG_KEY.replace("6ae2a71d", "6AE2A71D"), KeyError::Id),
            (&LOG_KEY.replace("6ae2a71d", "06ae2a71d"), KeyError::Id),
            (&LOG_KEY.replace("log.", "dog."), KeyError::Id),
            (&LOG_KEY.replace("+AQOh", "+BAOh"), KeyError::Id),
            (&format!("{LOG_KEY}\n"), KeyError::Base64),
            (LOG_PRIVATE, KeyError::Base64),
        ] {
            assert_eq!(text.parse::<VerifierKey>(), Err(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_private_key_is_refused_and_not_repeated() {
        for (text, wanted) in [
            (LOG_KEY.to_owned(), KeyError::Form),
            (LOG_PRIVATE.replace("PRIVATE+KEY+", "PRIVATE+"), KeyError::Form),
            (LOG_PRIVATE.replace("6ae2a71d", "6ae2a71e"), KeyError::Id),
            (LOG_PRIVATE.replace("+AQAB", "+BAAB"), KeyError::Kind { code: 4 }),
            (LOG_PRIVATE.replace("HR4f", "HR4_"), KeyError::Base64),
            (LOG_PRIVATE.replace("HR4f", "HR4="), KeyError::Length { found: 31 }),
            // A seed without its kind: what stands in its place is a byte of the secret.
            (format!("PRIVATE+KEY+log+00000000+{}", base64(&[0xab; 32])), KeyError::Length { found: 31 }),
        ] {
            let error = text.parse::<SigningKey>().expect_err(&text);
            assert_eq!(error, wanted, "{text}");
            assert!(!format!("{error} {error:?}").contains("AgMEBQYHCAkKCwwNDg8"), "{error}");
        }
    }
}
