//! SCRAM (RFC 5802): a login in which neither side shows the password, and each knows at its end that the other has it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

/// The fewest rounds that are taken, by RFC 7677, and the most: what a server asks for is our time.
const ROUNDS_MIN: u32 = 4096;
const ROUNDS_MAX: u32 = 200_000;
/// What stands before the first word, which says that there is no channel binding, and its form in base64.
const NO_BINDING: (&str, &str) = ("n,,", "biws");

/// Why a login does not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ScramError {
    /// The server says so.
    #[error("the broker says `{0}`")]
    Refused(String),
    /// Its words are none of SCRAM.
    #[error("the broker's words are none of SCRAM")]
    Malformed,
    /// It asks for too few rounds, or for too many.
    #[error("the broker asks for {0} rounds: osel takes {ROUNDS_MIN} to {ROUNDS_MAX}")]
    Rounds(u32),
    /// It does not know the password.
    #[error("the broker does not prove that it knows the password: it may be another one")]
    Unproved,
}

/// A login on its way.
pub(super) struct Scram {
    hash: Hash,
    password: zeroize::Zeroizing<String>,
    nonce: String,
    /// The first word without what stands before it.
    bare: String,
    /// What the server will say at the end.
    proof: Option<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha512,
}

impl Scram {
    /// A login with SHA-512 or SHA-256, and random bytes that no other login has.
    pub(super) fn new(is_512: bool, user: &str, password: &str, nonce: &[u8]) -> Self {
        Self::with_nonce(is_512, user, password, BASE64.encode(nonce))
    }

    fn with_nonce(is_512: bool, user: &str, password: &str, nonce: String) -> Self {
        let user = user.replace('=', "=3D").replace(',', "=2C");
        Self {
            hash: if is_512 { Hash::Sha512 } else { Hash::Sha256 },
            password: password.to_owned().into(),
            bare: format!("n={user},r={nonce}"),
            nonce,
            proof: None,
        }
    }

    /// The first word.
    pub(super) fn first(&self) -> String {
        format!("{}{}", NO_BINDING.0, self.bare)
    }

    /// The last word, after the server's first.
    pub(super) fn answer(&mut self, first: &[u8]) -> Result<String, ScramError> {
        let first = str::from_utf8(first).map_err(|_| ScramError::Malformed)?;
        if let Some(error) = first.strip_prefix("e=") {
            return Err(ScramError::Refused(error.chars().take(100).collect()));
        }
        let mut parts = first.split(',');
        let mut part =
            |name: &str| parts.next().and_then(|part| part.strip_prefix(name)).ok_or(ScramError::Malformed);
        let (nonce, salt, rounds) = (part("r=")?, part("s=")?, part("i=")?);
        // Otherwise the answer would be to something else.
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err(ScramError::Malformed);
        }
        let salt = BASE64.decode(salt).map_err(|_| ScramError::Malformed)?;
        let rounds: u32 = rounds.parse().map_err(|_| ScramError::Malformed)?;
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&rounds) {
            return Err(ScramError::Rounds(rounds));
        }
        let without_proof = format!("c={},r={nonce}", NO_BINDING.1);
        let all = format!("{},{first},{without_proof}", self.bare);
        let salted = self.hash.salted(self.password.as_bytes(), &salt, rounds);
        let client = self.hash.mac(&salted, b"Client Key");
        let signature = self.hash.mac(&self.hash.digest(&client), all.as_bytes());
        let shown: Vec<u8> = client.iter().zip(&signature).map(|(key, signature)| key ^ signature).collect();
        self.proof = Some(self.hash.mac(&self.hash.mac(&salted, b"Server Key"), all.as_bytes()));
        Ok(format!("{without_proof},p={}", BASE64.encode(shown)))
    }

    /// Whether the server, by its last word, knows the password.
    pub(super) fn check(&self, last: &[u8]) -> Result<(), ScramError> {
        let last = str::from_utf8(last).map_err(|_| ScramError::Malformed)?;
        if let Some(error) = last.strip_prefix("e=") {
            return Err(ScramError::Refused(error.chars().take(100).collect()));
        }
        let shown = last.split(',').next().and_then(|part| part.strip_prefix("v="));
        let shown = shown.and_then(|shown| BASE64.decode(shown).ok()).ok_or(ScramError::Malformed)?;
        if self.proof.as_ref() == Some(&shown) { Ok(()) } else { Err(ScramError::Unproved) }
    }
}

impl Hash {
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn mac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => mac::<Hmac<Sha256>>(key, &[bytes]),
            Self::Sha512 => mac::<Hmac<Sha512>>(key, &[bytes]),
        }
    }

    /// PBKDF2 of one block: SCRAM's `Hi`.
    fn salted(self, password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
        match self {
            Self::Sha256 => salted::<Hmac<Sha256>>(password, salt, rounds),
            Self::Sha512 => salted::<Hmac<Sha512>>(password, salt, rounds),
        }
    }
}

fn mac<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().to_vec()
}

fn salted<M: Mac + KeyInit>(password: &[u8], salt: &[u8], rounds: u32) -> Vec<u8> {
    let mut last = mac::<M>(password, &[salt, &1_u32.to_be_bytes()]);
    let mut sum = last.clone();
    for _ in 1..rounds {
        last = mac::<M>(password, &[&last]);
        sum.iter_mut().zip(&last).for_each(|(sum, last)| *sum ^= last);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange of RFC 7677, section 3.
    const FIRST: &[u8] =
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const LAST: &[u8] = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    fn login() -> Scram {
        Scram::with_nonce(false, "user", "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned())
    }

    #[test]
    fn the_exchange_of_the_rfc_comes_out() {
        let mut login = login();
        assert_eq!(login.first(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let last = login.answer(FIRST).unwrap();
        let wanted = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                      p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(last, wanted);
        assert_eq!(login.check(LAST), Ok(()));
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let mut begun = login();
        begun.answer(FIRST).unwrap();
        let forged = b"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(begun.check(forged), Err(ScramError::Unproved));
        assert_eq!(begun.check(b"e=invalid-proof"), Err(ScramError::Refused("invalid-proof".to_owned())));
        // One that skips the exchange proves nothing either.
        assert_eq!(login().check(LAST), Err(ScramError::Unproved));
    }

    #[test]
    fn words_that_are_none_of_scram_end_the_login() {
        for (first, wanted) in [
            ("", ScramError::Malformed),
            ("r=another,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ScramError::Malformed),
            ("r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", ScramError::Malformed),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=?,i=4096", ScramError::Malformed),
            ("r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1", ScramError::Rounds(1)),
            (
                "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4000000000",
                ScramError::Rounds(4_000_000_000),
            ),
            ("e=unknown-user", ScramError::Refused("unknown-user".to_owned())),
        ] {
            assert_eq!(login().answer(first.as_bytes()), Err(wanted), "{first}");
        }
    }

    #[test]
    fn a_user_with_the_signs_of_scram_is_written_so_that_they_are_none() {
        let login = Scram::with_nonce(true, "a=b,c", "p", "n".to_owned());
        assert_eq!(login.first(), "n,,n=a=3Db=2Cc,r=n");
    }
}
