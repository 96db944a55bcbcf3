//! What the files hold that a configuration names. Only who asks for it is told: a daemon waits for what is wrong there as for a broker, and
//! may start before it is put right.

use std::fs;
use std::io;
use std::path::Path;

use super::parts::TlsConfig;
use super::section::Section;
use super::tree::Origin;

/// Something that is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The key of the table that names the file.
    pub key: &'static str,
    /// What it is, and what to do.
    pub what: String,
    /// Whether nothing comes of it as it is.
    pub is_fatal: bool,
}

/// Looks into the files of TLS, which others can read.
pub type Look<'a> = dyn Fn(&TlsConfig) -> Vec<Flaw> + 'a;

/// Notes what is wrong with the files of TLS that a table names.
pub(super) fn tls(section: &Section<'_>, files: &TlsConfig) {
    let Some(look) = section.reading().look() else { return };
    for Flaw { key, what, is_fatal } in look(files) {
        let origin = section.origin_of(key);
        if is_fatal {
            section.problem(origin, key, what);
        } else {
            section.warning(origin, key, what);
        }
    }
}

/// Notes that the directory of a store is none. One that is not there is made.
pub(super) fn store(section: &Section<'_>, origin: &Origin, path: &Path) {
    if section.reading().look().is_none() {
        return;
    }
    let what = match fs::metadata(path) {
        Ok(found) if !found.is_dir() => "is no directory",
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            "lies below something that is no directory"
        }
        _ => return,
    };
    section.problem(
        origin,
        "path",
        format!("`{}` {what}: name one for the store, which osel makes", path.display()),
    );
}

/// Notes that the file of a source is none. One that is not there is awaited.
pub(super) fn source(section: &Section<'_>, origin: &Origin, path: &Path) {
    if section.reading().look().is_none() {
        return;
    }
    let what = match fs::metadata(path) {
        Ok(found) if found.is_dir() => "is a directory: name the file in it",
        Ok(found) if !found.is_file() => "is no file, but a pipe or a device: name a file",
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            "lies below something that is no directory: name a file"
        }
        _ => return,
    };
    section.problem(origin, "path", format!("`{}` {what}", path.display()));
}
