//! Secrets by reference: in a file of their own, a variable of the environment, or a credential of systemd's.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::files;
use super::section::{Section, quoted, text};
use super::tree::{Node, Origin, Value};

/// The ways to refer to a secret: keys of the table that stands in its place.
pub(super) const WAYS: [&str; 3] = ["file", "env", "credential"];
/// Where systemd puts the credentials of a unit.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";
/// What is said of a credential where there are none, as at a terminal.
pub(super) const NO_CREDENTIALS: &str = "there are no credentials: systemd sets CREDENTIALS_DIRECTORY for units with LoadCredential=; by hand it does \
                                         with `systemd-run --pipe --wait -p LoadCredential=NAME:FILE osel ...`";

/// Whether a secret, or a way to it, is given.
pub(super) fn is_given(section: &Section<'_>, key: &str) -> bool {
    let is_set = |key: &str| section.reading().variable(&section.variable(key)).is_some();
    section.is_written(key) || is_set(key) || WAYS.into_iter().any(|way| is_set(&format!("{key}__{way}")))
}

/// A secret and where it is referred to; `example` says how, should it be missing.
pub(super) fn secret(
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
) -> Option<(Zeroizing<String>, Origin)> {
    secret_if(|_| true, section, key, example)
}

/// The same of a text that need not be a secret, of which `is_secret` tells.
pub(super) fn secret_if(
    is_secret: impl Fn(&str) -> bool,
    section: &mut Section<'_>,
    key: &'static str,
    example: &str,
) -> Option<(Zeroizing<String>, Origin)> {
    let is_set = |way| section.reading().variable(&section.variable(&format!("{key}__{way}"))).is_some();
    let by_variables = WAYS.into_iter().any(is_set);
    // Variables that refer to the secret win over whatever the file says of it.
    let node = section.take(key).filter(|node| !by_variables || matches!(node.origin, Origin::Variable(_)));
    match node {
        Some(Node { origin, value: Value::Text(text) }) => {
            let is_open = is_secret(&text);
            itself(section, key, text, origin, is_open)
        }
        Some(node @ Node { value: Value::Table(_), .. }) => referred(section, key, Some(node)),
        Some(Node { origin, value }) => {
            let what =
                format!("must be a text or a table with `file`, `env` or `credential`, not {}", value.kind());
            section.problem(&origin, key, what);
            None
        }
        None if by_variables => referred(section, key, None),
        None => {
            section.missing(key, example);
            None
        }
    }
}

/// A secret that was given where a reference was hoped for.
fn itself(
    section: &Section<'_>,
    key: &str,
    text: String,
    origin: Origin,
    is_secret: bool,
) -> Option<(Zeroizing<String>, Origin)> {
    if text.is_empty() {
        section.problem(&origin, key, "is empty");
        return None;
    }
    if is_secret && !matches!(origin, Origin::Variable(_)) {
        let what =
            "is a secret in the file itself: keep it in a file of its own and name it by { file = \"…\" }";
        section.warning(&origin, key, what);
    }
    Some((Zeroizing::new(text), origin))
}

fn referred(
    section: &Section<'_>,
    key: &'static str,
    table: Option<Node>,
) -> Option<(Zeroizing<String>, Origin)> {
    let mut ways = section.inner(key, key, table);
    let mut given: Vec<(&str, Node)> =
        WAYS.into_iter().filter_map(|way| Some((way, ways.take(way)?))).collect();
    let secret = match (given.pop(), given.is_empty()) {
        (Some((way, node)), true) => match text(&node).and_then(|text| fetch(&ways, way, text, &node.origin))
        {
            Ok(secret) => Some((secret, node.origin)),
            Err(what) => {
                ways.problem(&node.origin, way, what);
                None
            }
        },
        _ => {
            section.problem(ways.origin(), key, "must have exactly one of `file`, `env` and `credential`");
            None
        }
    };
    ways.finish();
    secret
}

fn fetch(section: &Section<'_>, way: &str, text: &str, origin: &Origin) -> Result<Zeroizing<String>, String> {
    if text.contains("://") {
        // It is not quoted: it is what should not be here.
        return Err("holds a URL: it takes the name of where the URL is".to_owned());
    }
    let reading = section.reading();
    let path = match way {
        "env" => {
            let value = reading
                .variable(text)
                .ok_or_else(|| format!("the variable `{}` is not set", quoted(text)))?;
            return value
                .into_string()
                .map(Zeroizing::new)
                .map_err(|_| format!("the variable `{}` is not UTF-8", quoted(text)));
        }
        "credential" => {
            let directory = reading.variable(CREDENTIALS_VARIABLE).ok_or(NO_CREDENTIALS)?;
            if text.contains('/') || text == "." || text == ".." {
                return Err("must be the name of a credential, not a path".to_owned());
            }
            PathBuf::from(directory).join(text)
        }
        _ => reading.resolve(origin, text),
    };
    let secret = files::read_secret(&path).map_err(|error| format!("`{}` {error}", path.display()))?;
    if files::is_open_to_others(&path) {
        section.warning(origin, way, open_to_others(&path));
    }
    Ok(secret)
}

/// What is said of a file with a secret that others than its owner have rights to.
pub fn open_to_others(path: &Path) -> String {
    format!("`{}` is open to others than its owner: chmod 600 it", path.display())
}
