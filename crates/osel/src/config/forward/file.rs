//! `type = "file"`: a file of this machine, one line for each.

use std::path::PathBuf;

use osel_core::format::Format;

use super::super::keys;
use super::super::keys::Otherwise::Needed;
use super::super::section::{Section, text};
use super::kind::{ReceiverConfig, Type};

/// How a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileReceiverConfig {
    /// The file.
    pub path: PathBuf,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "file",
    section: keys::Section {
        header: "[[forward]] # type = \"file\"",
        what: "A file of this machine, one line for each record.",
        is_optional: true,
        needs: &["name = \"file\"", "type = \"file\""],
    },
    keys: &[keys::key("forward.file.path", Needed("\"/var/log/osel/records.jsonl\""), "The file.")],
    read: |section| read(section).map(|config| ReceiverConfig::File(Box::new(config))),
    format: Format::Native,
};

fn read(section: &mut Section<'_>) -> Option<FileReceiverConfig> {
    let path = section.read("path", |node| {
        let path = text(node)?;
        if path.is_empty() { Err("must name a file".to_owned()) } else { Ok(path.to_owned()) }
    });
    if path.is_none() && !section.was_given("path") {
        section.missing("path", "name the file, such as \"/var/log/osel/records.jsonl\"");
    }
    let path = path?;
    Some(FileReceiverConfig { path: section.reading().resolve(section.origin(), &path) })
}
