//! Recipients: the public keys of those who may read what is encrypted.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use bech32::Bech32;
use bech32::primitives::decode::CheckedHrpstring;
use clap::Args;

use crate::cli::output::Failure;

/// The bytes of a public key of X25519.
pub(super) const KEY_BYTES: usize = 32;

/// What a recipient begins with, and a private key, which is never to be said again.
const PREFIX: &str = "age";
const PRIVATE: &str = "AGE-SECRET-KEY-";

/// The most recipients of one export: each may be a person of an audit, and each adds a hundred bytes.
const RECIPIENTS_MAX: usize = 100;
/// The longest file of recipients: as many with a comment before each.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Who may read it.
#[derive(Clone, Debug, Default, Args)]
pub struct RecipientArgs {
    /// Encrypts it to the owner of this public key of age (age1…), with whose private key `age --decrypt -i FILE` makes it what it was;
    /// each of several can.
    #[arg(long, value_name = "AGE1…")]
    recipient: Vec<String>,
    /// Encrypts it to the public keys in this file besides: one a line; empty lines and those that begin with # say nothing.
    #[arg(long, value_name = "FILE")]
    recipients_file: Option<PathBuf>,
}

/// A public key, as it was written and as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Recipient {
    text: String,
    pub(super) key: [u8; KEY_BYTES],
}

/// Why a text is no recipient. None repeats it: it may be a private key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum NoRecipient {
    #[error("that is a private key: keep it, and give the public one, which begins with `age1`")]
    Private,
    #[error(
        "a recipient is a public key of age with 62 characters that begins with `age1`; one of SSH is none here"
    )]
    Form,
}

impl RecipientArgs {
    /// The recipients, none where none is named.
    ///
    /// # Errors
    /// When one is none, there are too many, or the file cannot be read or names none.
    pub(in crate::cli) fn read(&self) -> anyhow::Result<Vec<Recipient>> {
        let mut found = Vec::new();
        for text in &self.recipient {
            let recipient = Recipient::parse(text);
            found.push(recipient.map_err(|error| Failure::Usage(format!("--recipient: {error}")))?);
        }
        if let Some(path) = &self.recipients_file {
            found.extend(in_file(path)?);
        }
        if found.len() > RECIPIENTS_MAX {
            return Err(Failure::Usage(format!("there are more than {RECIPIENTS_MAX} recipients")).into());
        }
        Ok(found)
    }
}

fn in_file(path: &Path) -> anyhow::Result<Vec<Recipient>> {
    let name = path.display();
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("cannot open `{name}`"))?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("cannot read `{name}`"))?;
    let usage = |why: String| Failure::Usage(format!("--recipients-file {name}: {why}"));
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(usage(format!("it has more than {FILE_BYTES_MAX} bytes")).into());
    }
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            found.push(Recipient::parse(line).map_err(|error| usage(format!("line {number}: {error}")))?);
        }
    }
    // Who names a file wants it encrypted.
    if found.is_empty() { Err(usage("it names no recipient".to_owned()).into()) } else { Ok(found) }
}

impl Recipient {
    pub(super) fn parse(text: &str) -> Result<Self, NoRecipient> {
        if text.get(..PRIVATE.len()).is_some_and(|start| start.eq_ignore_ascii_case(PRIVATE)) {
            return Err(NoRecipient::Private);
        }
        let read = CheckedHrpstring::new::<Bech32>(text).ok().filter(|read| read.hrp().as_str() == PREFIX);
        let bytes: Vec<u8> = read.ok_or(NoRecipient::Form)?.byte_iter().collect();
        let key = bytes.try_into().map_err(|_| NoRecipient::Form)?;
        Ok(Self { text: text.to_owned(), key })
    }

    /// As it was written.
    pub(in crate::cli) fn text(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj";

    #[test]
    fn what_is_no_recipient_is_refused_and_not_repeated() {
        assert_eq!(Recipient::parse(KEY).map(|recipient| recipient.text), Ok(KEY.to_owned()));
        let private = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX";
        for text in [private, &private.to_lowercase()] {
            assert_eq!(Recipient::parse(text), Err(NoRecipient::Private));
        }
        let changed = KEY.replacen("zv", "zw", 1);
        let ssh = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN";
        for text in ["", "age1", &KEY[..61], &format!("{KEY}q"), &changed, &KEY.to_uppercase(), ssh, "aé"] {
            assert_eq!(Recipient::parse(text), Err(NoRecipient::Form), "{text}");
        }
        let args = RecipientArgs { recipient: vec![private.to_owned()], recipients_file: None };
        let said = args.read().unwrap_err().to_string();
        assert!(said.starts_with("--recipient: that is a private key") && !said.contains("SECRET"), "{said}");
        let many = RecipientArgs { recipient: vec![KEY.to_owned(); 101], recipients_file: None };
        assert_eq!(many.read().unwrap_err().to_string(), "there are more than 100 recipients");
    }
}
