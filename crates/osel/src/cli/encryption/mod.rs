//! What leaves the store encrypted, to be read by whom it is meant for and by nobody on the way.
//!
//! The format is age's (`age-encryption.org/v1`), which `age`, `rage` and others decrypt. osel encrypts only: it has no key that decrypts.

mod age;
mod recipient;

use std::io::{self, IsTerminal, Write};

pub(super) use age::Encryptor;
pub(super) use recipient::{Recipient, RecipientArgs};

use super::output::Failure;

/// Where an export goes: as it is, or encrypted on its way.
pub(super) enum Sink<W: Write> {
    Plain(W),
    Encrypted(Box<Encryptor<W>>),
}

impl<W: Write> Sink<W> {
    /// One into `out`, encrypted to these recipients where there are any.
    ///
    /// # Errors
    /// When `out` cannot be written, a recipient is none, or there are no random numbers.
    pub(super) fn new(out: W, recipients: &[Recipient]) -> anyhow::Result<Self> {
        if recipients.is_empty() {
            return Ok(Self::Plain(out));
        }
        Ok(Self::Encrypted(Box::new(Encryptor::begin(out, recipients)?)))
    }

    /// Writes what is left, and gives back what it went into.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn finish(self) -> io::Result<W> {
        match self {
            Self::Plain(out) => Ok(out),
            Self::Encrypted(encryptor) => encryptor.finish(),
        }
    }

    /// What it goes into.
    pub(super) fn inner(&self) -> &W {
        match self {
            Self::Plain(out) => out,
            Self::Encrypted(encryptor) => encryptor.inner(),
        }
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Encrypted(encryptor) => encryptor.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Encrypted(encryptor) => encryptor.flush(),
        }
    }
}

/// Refuses to write bytes that mean nothing to a person to a terminal.
///
/// # Errors
/// When standard output is one.
pub(super) fn not_to_a_terminal() -> Result<(), Failure> {
    if io::stdout().is_terminal() {
        let why = "what is encrypted are bytes, and not for a terminal: lead them into a file";
        return Err(Failure::Usage(why.to_owned()));
    }
    Ok(())
}
