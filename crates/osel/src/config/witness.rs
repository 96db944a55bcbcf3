//! `[[witness]]`: who is shown the log's checkpoints, so that one that comes back shorter or different is found.

use std::path::PathBuf;

use osel_core::trail::log::{KeyKind, VerifierKey};

use super::check::tables_and_variables;
use super::files;
use super::keys;
use super::keys::Otherwise::{Needed, Words};
use super::look;
use super::parts::TlsConfig;
use super::section::{Section, quoted, text};

/// The most witnesses of one log: each has a task of its own, and a quorum of a few is what anybody asks for.
const WITNESSES_MAX: usize = 16;

/// A witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitnessConfig {
    /// What it cosigns with, and so what it is called.
    pub key: VerifierKey,
    /// Where it takes checkpoints, without `/add-checkpoint`.
    pub url: String,
    /// The authorities that may have signed its certificate, as PEM; the system's when there is none.
    pub ca_file: Option<PathBuf>,
}

/// What stands about it in the example and the reference.
pub(super) static SECTION: keys::Section = keys::Section {
    header: "[[witness]]",
    what: "Who is shown the checkpoints of the log and remembers them: another osel's `osel witness`, or any that speaks C2SP's tlog-witness. A log that is shorter \
           than one has signed, or another one, stops osel, if the witness shows what it has signed (`GET URL/HASH/checkpoint`). No event waits for a witness. Variables name one by its number, from 0: \
           OSEL_WITNESS__0__KEY.",
    is_optional: true,
    needs: &[],
};

/// Its keys.
pub(super) static KEYS: [keys::Key; 3] = [
    keys::key(
        "witness.key",
        Needed("\"witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X\""),
        "Its verifier key, as `osel witness --show-key` prints it.",
    ),
    keys::key(
        "witness.url",
        Needed("\"https://witness.example\""),
        "Where it takes checkpoints, without `/add-checkpoint`. A cosignature is signed; a refusal is not, so that whoever stands between can keep the two apart: over a network that is not yours, give it TLS.",
    ),
    keys::key(
        "witness.ca_file",
        Words("the authorities of the system", "\"/etc/osel/ca.pem\""),
        "The authorities that may have signed its certificate, as PEM.",
    ),
];

/// All witnesses: those of the file, and those that variables add behind them.
pub(super) fn witnesses(root: &mut Section<'_>) -> Option<Vec<WitnessConfig>> {
    let nodes = tables_and_variables(root, "witness", &["key"], (WITNESSES_MAX, "witnesses"))?;
    let count = nodes.len();
    let mut witnesses: Vec<WitnessConfig> = Vec::with_capacity(count);
    for (index, node) in nodes.into_iter().enumerate() {
        let section = root.inner(&format!("witness[{index}]"), &format!("witness__{index}"), node);
        let witness = witness(section, &witnesses);
        witnesses.extend(witness);
    }
    (witnesses.len() == count).then_some(witnesses)
}

fn witness(mut section: Section<'_>, before: &[WitnessConfig]) -> Option<WitnessConfig> {
    let key = section.read("key", |node| {
        let key: VerifierKey = text(node)?.parse().map_err(|error| format!("is no verifier key: {error}"))?;
        if key.kind() != KeyKind::Cosignature {
            return Err(
                "is the key of a log: a witness has one of its own (`osel witness --show-key`)".to_owned()
            );
        }
        match before.iter().position(|other| other.key == key) {
            Some(other) => Err(format!("is the key of witness[{other}] already")),
            None => Ok(key),
        }
    });
    if key.is_none() && !section.was_given("key") {
        section.missing("key", "give its verifier key, as `osel witness --show-key` prints it");
    }
    let url = section.read("url", |node| {
        let url = text(node)?.trim_end_matches('/');
        let is_url = (url.starts_with("https://") || url.starts_with("http://"))
            && !url.contains(['@', ' ', '?', '#']);
        if is_url {
            Ok(url.to_owned())
        } else {
            Err(format!("must be an `http` or `https` URL without a login, not `{}`", quoted(url)))
        }
    });
    if url.is_none() && !section.was_given("url") {
        section.missing("url", "say where it takes checkpoints, such as \"https://witness.example\"");
    }
    let reading = section.reading();
    let ca_file = section.read("ca_file", |node| {
        let path = reading.resolve(&node.origin, text(node)?);
        files::check_readable(&path).map_err(|error| format!("`{}` {error}", path.display()))?;
        Ok(path)
    });
    look::tls(&section, &TlsConfig { ca_file: ca_file.clone(), ..TlsConfig::default() });
    section.finish();
    Some(WitnessConfig { key: key?, url: url?, ca_file })
}
