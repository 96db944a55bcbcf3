//! A secret in Barbican, OpenStack's key manager, by reference: which one, and the account that may read it.
//!
//! Only what is written here is looked at. The secret is fetched by whoever needs it, when it does: checking a configuration asks nobody.

use std::path::PathBuf;

use super::files;
use super::reference::WAYS;
use super::remark::Place;
use super::section::{Section, quoted, text};
use super::tree::{Node, Value};

/// The key of the table that names the secret.
const WAY: &str = "barbican";
/// What stands before the id in the reference that Barbican gives of a secret.
const REFERENCE_PART: &str = "/v1/secrets/";
/// The lengths of the parts of an id, between its dashes.
const ID_PARTS: [usize; 5] = [8, 4, 4, 4, 12];
/// The longest name of a cloud, as of those in `[[openstack]]`.
const CLOUD_CHARS_MAX: usize = 255;

/// A secret in Barbican.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BarbicanSecret {
    /// Its id. Where it is kept says the account's catalog: the address in a reference may lead anywhere.
    pub id: String,
    /// The cloud of the clouds file that has the account; else as OpenStack's own clients find one.
    pub cloud: Option<String>,
    /// The clouds file, instead of those that are searched for.
    pub clouds_file: Option<PathBuf>,
    /// Where it is written.
    pub place: Place,
}

/// Whether a secret is referred to in this way; a variable that says another wins over the file.
pub(super) fn is_given(section: &Section<'_>, key: &str) -> bool {
    let is_set = |name: String| section.reading().variable(&name).is_some();
    let below = |way: &str| is_set(format!("{}__{}", section.variable(key), way.to_ascii_uppercase()));
    let is_written = || matches!(section.written(key), Some(Node { value: Value::Table(table), .. }) if table.contains_key(WAY));
    below(WAY) || is_written() && !is_set(section.variable(key)) && !WAYS.into_iter().any(below)
}

/// The secret, where [`is_given`] says that it is one of these.
pub(super) fn secret(section: &mut Section<'_>, key: &'static str) -> Option<BarbicanSecret> {
    // Of a table that says something else nothing is left where a variable says this.
    let is_of_it = |node: &Node| matches!(&node.value, Value::Table(table) if table.contains_key(WAY));
    let node = section.take(key).filter(is_of_it);
    let mut table = section.inner(key, key, node);
    let id = table.read(WAY, |node| id(text(node)?));
    let cloud = table.read("cloud", |node| {
        let name = text(node)?;
        if name.chars().count() > CLOUD_CHARS_MAX || name.contains(char::is_control) {
            return Err(format!("must be a name of at most {CLOUD_CHARS_MAX} characters"));
        }
        Ok(name.to_owned())
    });
    let reading = table.reading();
    let clouds_file = table.read("clouds_file", |node| {
        let path = reading.resolve(&node.origin, text(node)?);
        files::check_readable(&path).map_err(|error| format!("`{}` {error}", path.display()))?;
        Ok(path)
    });
    if clouds_file.is_some() && !table.was_given("cloud") {
        table.missing("cloud", "say which cloud of `clouds_file` has the account");
    }
    let place = table.place();
    table.finish();
    Some(BarbicanSecret { id: id?, cloud, clouds_file, place })
}

/// The id in a text that is one, or the reference that Barbican gives.
fn id(text: &str) -> Result<String, String> {
    let id = match text.split_once("://") {
        Some((_, rest)) => rest.split_once(REFERENCE_PART).map_or("", |(_, id)| id),
        None => text,
    };
    let is_part = |(part, length): (&str, usize)| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let is_id = id.split('-').count() == ID_PARTS.len() && id.split('-').zip(ID_PARTS).all(is_part);
    if !is_id {
        return Err(format!(
            "must be the id of a secret, or its reference `https://…{REFERENCE_PART}ID`, not `{}`",
            quoted(text)
        ));
    }
    Ok(id.to_ascii_lowercase())
}
