//! Writing age's format, <https://age-encryption.org/v1>, for recipients with a key of X25519.
//!
//! The cryptography is ring's, which TLS uses too; here is only what the format puts around it: a header with the file's key for each
//! recipient, and the content in chunks that are sealed one by one, so that nobody can cut, swap or change any unseen. Memory is one chunk.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{hkdf, hmac};
use zeroize::Zeroizing;

use super::recipient::Recipient;

const FILE_KEY_BYTES: usize = 16;
const PAYLOAD_NONCE_BYTES: usize = 16;
/// The bytes of a chunk but for its tag: the format's.
const CHUNK_BYTES: usize = 64 << 10;

type Key = Zeroizing<[u8; 32]>;

/// Why encryption cannot begin.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum EncryptError {
    /// The system gives none.
    #[error("there are no random numbers")]
    Random,
    /// A point with which no secret can be shared.
    #[error("the recipient `{0}` is a key that nobody can have")]
    Weak(String),
    /// The header cannot be written.
    #[error("cannot write what is encrypted")]
    Write(#[from] io::Error),
}

/// Encrypts what is written to it.
pub(in crate::cli) struct Encryptor<W: Write> {
    out: W,
    key: LessSafeKey,
    /// How many chunks were written.
    chunks: u64,
    /// What the next one has so far.
    chunk: Vec<u8>,
}

impl<W: Write> Encryptor<W> {
    /// Draws a key for the file and writes the header, by which each recipient can find it.
    ///
    /// # Errors
    /// When the header cannot be made or written.
    pub(super) fn begin(mut out: W, recipients: &[Recipient]) -> Result<Self, EncryptError> {
        let random = SystemRandom::new();
        let mut file_key = Zeroizing::new([0; FILE_KEY_BYTES]);
        let mut nonce = [0; PAYLOAD_NONCE_BYTES];
        random
            .fill(&mut *file_key)
            .and_then(|()| random.fill(&mut nonce))
            .map_err(|_| EncryptError::Random)?;
        let mut header = "age-encryption.org/v1\n".to_owned();
        for recipient in recipients {
            header.push_str(&stanza(recipient, &file_key, &random)?);
        }
        header.push_str("---");
        let mac = hmac::Key::new(hmac::HMAC_SHA256, &*derived(&*file_key, &[], b"header"));
        let mac = STANDARD_NO_PAD.encode(hmac::sign(&mac, header.as_bytes()));
        out.write_all(format!("{header} {mac}\n").as_bytes())?;
        out.write_all(&nonce)?;
        let key = sealing(&derived(&*file_key, &nonce, b"payload"));
        // With room for the tag.
        let chunk = Vec::with_capacity(CHUNK_BYTES + CHACHA20_POLY1305.tag_len());
        Ok(Self { out, key, chunks: 0, chunk })
    }

    /// Writes the last chunk, without which nobody takes the others for all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.put(true)?;
        Ok(self.out)
    }

    /// What it goes into.
    pub(super) fn inner(&self) -> &W {
        &self.out
    }

    fn put(&mut self, is_last: bool) -> io::Result<()> {
        // Eleven bytes count, and the twelfth says that nothing follows.
        let mut nonce = [0; 12];
        nonce[3..11].copy_from_slice(&self.chunks.to_be_bytes());
        nonce[11] = is_last.into();
        let sealed = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut self.chunk,
        );
        sealed.expect("a chunk is far shorter than what can be sealed at once");
        self.chunks += 1;
        let written = self.out.write_all(&self.chunk);
        self.chunk.clear();
        written
    }
}

impl<W: Write> Write for Encryptor<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full one is held until it is known that it is not the last.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.put(false)?;
        }
        let room = CHUNK_BYTES - self.chunk.len();
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.chunk.extend_from_slice(taken);
        Ok(taken.len())
    }

    /// Passes on what is sealed; the chunk that is being filled is not.
    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The lines by which one recipient finds the file's key.
fn stanza(
    recipient: &Recipient,
    file_key: &[u8; FILE_KEY_BYTES],
    random: &SystemRandom,
) -> Result<String, EncryptError> {
    let own = EphemeralPrivateKey::generate(&X25519, random).map_err(|_| EncryptError::Random)?;
    let share = own.compute_public_key().map_err(|_| EncryptError::Random)?;
    let salt = [share.as_ref(), &recipient.key].concat();
    let theirs = UnparsedPublicKey::new(&X25519, recipient.key);
    let key = agree_ephemeral(own, &theirs, |secret| derived(secret, &salt, b"age-encryption.org/v1/X25519"));
    let key = sealing(&key.map_err(|_| EncryptError::Weak(recipient.text().to_owned()))?);
    let mut wrapped = file_key.to_vec();
    // The key is used for this alone.
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let sealed = key.seal_in_place_append_tag(nonce, Aad::empty(), &mut wrapped);
    sealed.expect("a key is far shorter than what can be sealed at once");
    let [share, wrapped] = [share.as_ref(), &wrapped].map(|bytes| STANDARD_NO_PAD.encode(bytes));
    Ok(format!("-> X25519 {share}\n{wrapped}\n"))
}

/// The key that HKDF with SHA-256 makes of a secret.
fn derived(secret: &[u8], salt: &[u8], about: &[u8]) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(secret);
    let about = [about];
    let expanded = extracted.expand(&about, hkdf::HKDF_SHA256).and_then(|expanded| expanded.fill(&mut *key));
    expanded.expect("32 bytes are the length that was asked for");
    key
}

fn sealing(key: &Key) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &**key);
    LessSafeKey::new(key.expect("32 bytes are the length of its keys"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_with_which_no_secret_is_shared_is_refused() {
        // Nothing but zeros.
        let weak = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5cu47z";
        let recipient = Recipient::parse(weak).unwrap();
        let begun = Encryptor::begin(Vec::new(), &[recipient]);
        assert!(matches!(begun, Err(EncryptError::Weak(text)) if text == weak));
    }
}
