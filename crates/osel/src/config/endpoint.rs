//! Where a server is, and with what TLS is made to it: keys that several tables have.

use std::path::{Path, PathBuf};

use super::files;
use super::look;
use super::parts::TlsConfig;
use super::reference::open_to_others;
use super::section::{Section, text};
use super::tree::Origin;

/// The parts of `HOST` or `HOST:PORT`; an address of IPv6 with a port stands in brackets.
pub(super) fn host_and_port(text: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':'))
        }
        None if text.matches(':').count() == 1 => {
            text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)))
        }
        None => (text, None),
    };
    let port = match port {
        None => default_port,
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
    };
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || "/@".contains(c);
    (!host.is_empty() && !host.contains(is_odd)).then(|| (host.to_owned(), port))
}

/// `ca_file`, `cert_file`, `key_file` and `server_name` of a table.
pub(super) fn client_tls(section: &mut Section<'_>) -> TlsConfig {
    let mut file = |key| {
        let node = section.take(key)?;
        let path = text(&node).map(|text| section.reading().resolve(&node.origin, text));
        match path.and_then(readable) {
            Ok(path) => Some((path, node.origin)),
            Err(what) => {
                section.problem(&node.origin, key, what);
                None
            }
        }
    };
    let (ca_file, cert_file, key_file) = (file("ca_file"), file("cert_file"), file("key_file"));
    if key_file.is_some() && cert_file.is_none() && !section.was_given("cert_file") {
        section.missing("cert_file", "`key_file` is the key of a certificate");
    }
    // A certificate without a key has it in its own file.
    let key_file = key_file.or_else(|| cert_file.clone());
    if let Some((path, origin)) = &key_file {
        warn_of_others(section, origin, path);
    }
    let server_name = section.read("server_name", |node| text(node).map(str::to_owned));
    let path = |file: Option<(PathBuf, Origin)>| file.map(|(path, _)| path);
    let (ca_file, cert_file, key_file) = (path(ca_file), path(cert_file), path(key_file));
    let tls = TlsConfig { ca_file, cert_file, key_file, server_name, external: false };
    look::tls(section, &tls);
    tls
}

fn readable(path: PathBuf) -> Result<PathBuf, String> {
    match files::check_readable(&path) {
        Ok(()) => Ok(path),
        Err(error) => Err(format!("`{}` {error}", path.display())),
    }
}

fn warn_of_others(section: &Section<'_>, origin: &Origin, path: &Path) {
    if files::is_open_to_others(path) {
        section.warning(origin, "key_file", open_to_others(path));
    }
}
