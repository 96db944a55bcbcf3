//! `[trail]`: how the log over the records is signed, and how persons are called in views without them.

use osel_core::pseudonym::PseudonymKey;
use osel_core::trail::log::{KeyName, SigningKey};

use super::barbican;
use super::parts::{KeyReference, TrailConfig};
use super::reference::{is_given, secret};
use super::secret::Secret;
use super::section::{Section, boolean, text};

/// Reads the table.
pub(super) fn trail(mut section: Section<'_>) -> TrailConfig {
    let origin = section.read("origin", |node| {
        text(node)?.parse::<KeyName>().map_err(|error| format!("is no origin of a log: {error}"))
    });
    let record_reads = section.read("record_reads", boolean).unwrap_or(true);
    let key = key_reference(&mut section, "key", origin.as_ref());
    let previous_key = key_reference(&mut section, "previous_key", origin.as_ref());
    let pseudonym_key = if is_given(&section, "pseudonym_key") {
        pseudonym_key(&mut section)
    } else {
        section.take("pseudonym_key");
        None
    };
    section.finish();
    TrailConfig { record_reads, key, previous_key, origin, pseudonym_key }
}

fn pseudonym_key(section: &mut Section<'_>) -> Option<Secret> {
    let (text, place) = secret(section, "pseudonym_key", "name where the key is")?;
    let text = text.trim_end_matches(['\r', '\n']);
    if PseudonymKey::from_hex(text).is_none() {
        section.problem(
            &place,
            "pseudonym_key",
            "is no key: it takes 64 hexadecimal digits (`openssl rand -hex 32`)",
        );
        return None;
    }
    Some(Secret::new(text.to_owned()))
}

/// Where a key is: in Barbican, or here, which is read and looked at.
fn key_reference(
    section: &mut Section<'_>,
    which: &'static str,
    origin: Option<&KeyName>,
) -> Option<KeyReference> {
    if barbican::is_given(section, which) {
        barbican::secret(section, which).map(KeyReference::Barbican)
    } else if is_given(section, which) {
        signing_key(section, which, origin).map(KeyReference::Text)
    } else {
        // It is known, though nobody asks for it.
        section.take(which);
        None
    }
}

fn signing_key(section: &mut Section<'_>, which: &'static str, origin: Option<&KeyName>) -> Option<Secret> {
    let (text, place) = secret(section, which, "name where the key is")?;
    // What is wrong with it is told without a byte of it.
    let parsed = text.parse::<SigningKey>().map_err(|error| format!("is no key to sign with: {error}"));
    let fits = parsed.and_then(|key| match origin {
        Some(origin) if key.verifier().name() != origin => Err(format!(
            "is the key of the log `{}`, and `origin` is `{origin}`: one of them is of another log",
            key.verifier().name()
        )),
        _ => Ok(()),
    });
    match fits {
        Ok(()) => Some(Secret::new(text.to_string())),
        Err(what) => {
            section.problem(&place, which, what);
            None
        }
    }
}
