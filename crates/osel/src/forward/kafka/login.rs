//! Saying who we are: SASL, by PLAIN or SCRAM.

use osel_core::forward::RefusalKind;

use super::connection::Connection;
use super::fault::KafkaFault;
use super::messages::{self, SASL_AUTHENTICATE, SASL_HANDSHAKE};
use super::scram::{Scram, ScramError};
use crate::config::{KafkaLogin, KafkaMechanism};

/// The random bytes of ours in SCRAM: RFC 5802 asks for enough that none comes twice.
const NONCE_BYTES: usize = 24;

/// Logs in on a connection that stands.
pub(super) async fn log_in(connection: &mut Connection, login: &KafkaLogin) -> Result<(), KafkaFault> {
    let mechanism = login.mechanism.as_str();
    let answer = connection.ask(SASL_HANDSHAKE, &messages::handshake(mechanism)).await?;
    let (error, known) = messages::handshake_of(&answer).map_err(|error| connection.malformed(error))?;
    if error != 0 {
        let says = format!("`{mechanism}` is none of {}", known.join(", "));
        return Err(KafkaFault::of_code(&tried(connection), error, Some(&says)));
    }
    match login.mechanism {
        KafkaMechanism::Plain => {
            let word = format!("\0{}\0{}", login.user.expose(), login.password.expose());
            said(connection, word.as_bytes()).await.map(drop)
        }
        KafkaMechanism::ScramSha256 | KafkaMechanism::ScramSha512 => {
            let mut nonce = [0; NONCE_BYTES];
            getrandom::fill(&mut nonce).map_err(|error| {
                let words = format!("the system gives no random numbers: {error}");
                KafkaFault::new(RefusalKind::Unavailable, words)
            })?;
            let is_512 = login.mechanism == KafkaMechanism::ScramSha512;
            let mut scram = Scram::new(is_512, login.user.expose(), login.password.expose(), &nonce);
            let first = said(connection, scram.first().as_bytes()).await?;
            let place = connection.place().to_owned();
            let last = scram.answer(&first).map_err(|error| wrong(&place, &error))?;
            let proof = said(connection, last.as_bytes()).await?;
            scram.check(&proof).map_err(|error| wrong(&place, &error))
        }
    }
}

/// What is answered to a word.
async fn said(connection: &mut Connection, word: &[u8]) -> Result<Vec<u8>, KafkaFault> {
    let answer = connection.ask(SASL_AUTHENTICATE, &messages::authenticate(word)).await?;
    let (error, words, word) =
        messages::authenticate_of(&answer).map_err(|error| connection.malformed(error))?;
    match error {
        0 => Ok(word.to_vec()),
        error => Err(KafkaFault::of_code(&tried(connection), error, words.as_deref())),
    }
}

fn tried(connection: &Connection) -> String {
    format!("cannot log in to `{}`", connection.place())
}

fn wrong(place: &str, error: &ScramError) -> KafkaFault {
    KafkaFault::new(RefusalKind::Denied, format!("cannot log in to `{place}`: {error}"))
}
