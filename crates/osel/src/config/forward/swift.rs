//! `type = "swift"`: a container of Swift, OpenStack's object store.

use std::path::PathBuf;

use osel_core::format::Format;

use super::super::files;
use super::super::keys;
use super::super::keys::Otherwise::{Needed, Words};
use super::super::section::{Section, number, text};
use super::super::tree::Node;
use super::http::{self, own_keys};
use super::kind::{ReceiverConfig, Type};
use super::objects::{self, ObjectsConfig, object_keys};

/// The longest name of a container, by Swift's own limit.
const CONTAINER_BYTES_MAX: usize = 256;
/// The longest name of a cloud or a region, as of those in `[[openstack]]`.
const NAME_BYTES_MAX: usize = 255;
/// The longest time that Swift may keep an object when it has to remove it: a century.
const DAYS_MAX: i64 = 36_500;
/// Swift counts in seconds.
const DAY_SECONDS: u64 = 86_400;

/// A container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwiftConfig {
    /// Its name.
    pub container: String,
    /// The cloud of the clouds file that has the account; else as OpenStack's own clients find one.
    pub cloud: Option<String>,
    /// The clouds file, instead of those that are searched for.
    pub clouds_file: Option<PathBuf>,
    /// The region; else the cloud's first.
    pub region: Option<String>,
    /// After how many seconds Swift removes an object; none for never.
    pub delete_after: Option<u64>,
    /// How records become objects.
    pub objects: ObjectsConfig,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "swift",
    section: keys::Section {
        header: "[[forward]] # type = \"swift\"",
        what: "A container of Swift, OpenStack's object store, by an account of a clouds file.",
        is_optional: true,
        needs: &["name = \"swift\"", "type = \"swift\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Swift(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = object_keys!(
    own_keys,
    "swift",
    [
        ("container", Needed("\"osel-records\""), "The container, of the account's project. It is not made."),
        (
            "cloud",
            Words("as OpenStack's own clients find one", "\"archive\""),
            "The cloud of the clouds file that has the account. It is read again when the cloud refuses it."
        ),
        (
            "clouds_file",
            Words("those that OpenStack's own clients search for", "\"/etc/osel/clouds.yaml\""),
            "The clouds file."
        ),
        ("region", Words("the cloud's first", "\"RegionOne\""), "The region whose Swift it is."),
        (
            "delete_after_days",
            Words("never", "3650"),
            "After how many days Swift removes an object (`X-Delete-After`)."
        ),
    ]
);

fn read(section: &mut Section<'_>) -> Option<SwiftConfig> {
    let container = section.read("container", container);
    if container.is_none() && !section.was_given("container") {
        section.missing("container", "name the container");
    }
    let cloud = section.read("cloud", |node| http::word(node, NAME_BYTES_MAX));
    let reading = section.reading();
    let clouds_file = section.read("clouds_file", |node| {
        let path = reading.resolve(&node.origin, text(node)?);
        files::check_readable(&path).map_err(|error| format!("`{}` {error}", path.display()))?;
        Ok(path)
    });
    if clouds_file.is_some() && !section.was_given("cloud") {
        section.missing("cloud", "say which cloud of `clouds_file` has the account");
    }
    let region = section.read("region", |node| http::word(node, NAME_BYTES_MAX));
    let days = section.read("delete_after_days", |node| number(node, 1..=DAYS_MAX));
    let objects = objects::read(section);
    Some(SwiftConfig {
        container: container?,
        cloud,
        clouds_file,
        region,
        delete_after: days.map(|days| days.unsigned_abs() * DAY_SECONDS),
        objects,
    })
}

/// A name that needs no quoting in a path, and leads nowhere else there.
fn container(node: &Node) -> Result<String, String> {
    let given = text(node)?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_good = !given.is_empty() && !given.starts_with('.') && given.bytes().all(is_plain);
    if !is_good || given.len() > CONTAINER_BYTES_MAX {
        return Err(format!(
            "must be a name of letters, digits, `-`, `_` and `.`, of at most {CONTAINER_BYTES_MAX} bytes"
        ));
    }
    Ok(given.to_owned())
}
