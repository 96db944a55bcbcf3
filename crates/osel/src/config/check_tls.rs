//! `[source.tls]`, together with what the URL's options say of TLS.

use std::path::PathBuf;

use super::files;
use super::look;
use super::parts::TlsConfig;
use super::reference::open_to_others;
use super::section::{Section, boolean, text};
use super::transport_url::UrlOptions;
use super::tree::Origin;

/// What `[source.tls]` says.
pub(super) struct TlsKeys {
    ca_file: Option<PathBuf>,
    cert_file: Option<PathBuf>,
    key_file: Option<PathBuf>,
    server_name: Option<String>,
    external: Option<bool>,
}

impl TlsKeys {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        let mut file = |key| {
            let node = section.take(key)?;
            match text(&node) {
                Ok(text) => {
                    let path = section.reading().resolve(&node.origin, text);
                    check_file(section, &node.origin, key, path)
                }
                Err(what) => {
                    section.problem(&node.origin, key, what);
                    None
                }
            }
        };
        let (ca_file, cert_file, key_file) = (file("ca_file"), file("cert_file"), file("key_file"));
        let server_name = section.read("server_name", |node| {
            let name = text(node)?;
            if name.contains(|c: char| c.is_whitespace() || c.is_control() || "/@".contains(c)) {
                return Err("must be the name of a host".to_owned());
            }
            Ok(name.to_owned())
        });
        Self { ca_file, cert_file, key_file, server_name, external: section.read("external", boolean) }
    }

    /// Whether the table says that the login is by the client's certificate.
    pub(super) fn is_external(&self) -> bool {
        self.external == Some(true)
    }

    /// TLS as it will be used: what the table says, and the URL's options where it says nothing.
    pub(super) fn with(
        self,
        section: &Section<'_>,
        options: &UrlOptions,
        wants_tls: bool,
    ) -> Option<TlsConfig> {
        let origin = section.origin();
        let external = self.external.unwrap_or(options.external);
        if !wants_tls {
            if external {
                section.problem(
                    origin,
                    "external",
                    "needs TLS with a client's certificate: add `ssl=true` to the URL",
                );
            }
            return None;
        }
        let from_url = |key: &str, own: Option<PathBuf>, option: &Option<String>| match (own, option) {
            (Some(own), _) => Some(own),
            (None, Some(path)) => check_file(section, origin, key, PathBuf::from(path)),
            (None, None) => None,
        };
        let ca_file = from_url("ca_file", self.ca_file, &options.ca_file);
        let cert_file = from_url("cert_file", self.cert_file, &options.cert_file);
        let key_file = from_url("key_file", self.key_file, &options.key_file);
        if key_file.is_some() && cert_file.is_none() && !section.was_given("cert_file") {
            section.missing("cert_file", "`key_file` is the key of a certificate");
        }
        if external && cert_file.is_none() && !section.was_given("cert_file") {
            section.missing("cert_file", "`external` logs in by the client's certificate");
        }
        // As with oslo.messaging, a certificate without a key has it in its own file.
        let key_file = key_file.or_else(|| cert_file.clone());
        if let Some(path) = key_file.as_deref().filter(|path| files::is_open_to_others(path)) {
            section.warning(origin, "key_file", open_to_others(path));
        }
        let tls = TlsConfig { ca_file, cert_file, key_file, server_name: self.server_name, external };
        look::tls(section, &tls);
        Some(tls)
    }
}

fn check_file(section: &Section<'_>, origin: &Origin, key: &str, path: PathBuf) -> Option<PathBuf> {
    match files::check_readable(&path) {
        Ok(()) => Some(path),
        Err(error) => {
            section.problem(origin, key, format!("`{}` {error}", path.display()));
            None
        }
    }
}
