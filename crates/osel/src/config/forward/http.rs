//! What all receivers that are reached by HTTP have in common: whom to trust, the way there, and how long an answer may take.

use std::net::IpAddr;
use std::path::PathBuf;

use hyper::Uri;

use super::super::files;
use super::super::look;
use super::super::parts::TlsConfig;
use super::super::proxy::{ProxyConfig, proxy};
use super::super::section::{Section, number, text};
use super::super::tree::Node;

/// How long an answer may take: a receiver that writes before it answers takes a second, one that is overloaded some more.
const ANSWER_SECONDS: i64 = 30;
/// The longest that an answer may take, which is what a request over HTTP is given at most.
const ANSWER_SECONDS_MAX: i64 = 120;

/// How a receiver is reached by HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpReceiverConfig {
    /// Whom to trust, and who we say we are.
    pub tls: TlsConfig,
    /// The way there, where it is not direct.
    pub proxy: Option<ProxyConfig>,
    /// How long an answer may take.
    pub answer_seconds: u32,
}

/// The keys of a type of receiver that is reached by HTTP: its own, and those here.
macro_rules! http_keys {
    ($kind:literal, [$(($name:literal, $otherwise:expr, $what:expr)),* $(,)?]) => {
        &[
            $($crate::config::keys::Key {
                path: concat!("forward.", $kind, ".", $name),
                otherwise: $otherwise,
                what: $what,
            },)*
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".ca_file"),
                otherwise: $crate::config::keys::Otherwise::Words("the system's", "\"/etc/osel/ca.pem\""),
                what: "The authorities that may have signed its certificate, as PEM. It is always verified.",
            },
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".cert_file"),
                otherwise: $crate::config::keys::Otherwise::Words("none", "\"/etc/osel/client.pem\""),
                what: "osel's own certificate and the chain above it, as PEM, where the receiver asks for one.",
            },
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".key_file"),
                otherwise: $crate::config::keys::Otherwise::Words("that of `cert_file`", "\"/etc/osel/client.key\""),
                what: "The key of that certificate, as PEM.",
            },
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".server_name"),
                otherwise: $crate::config::keys::Otherwise::Words("the host of the URL", "\"siem.example\""),
                what: "The name that its certificate must have.",
            },
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".proxy"),
                otherwise: $crate::config::keys::Otherwise::Words("none", "\"http://proxy.example:3128\""),
                what: "The proxy on the way there. None is taken from the environment.",
            },
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".proxy_user"),
                otherwise: $crate::config::keys::Otherwise::Words("none", "{ file = \"/etc/osel/proxy-user\" }"),
                what: "Who we are to the proxy.",
            },
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".proxy_password"),
                otherwise: $crate::config::keys::Otherwise::Words("none", "{ file = \"/etc/osel/proxy-password\" }"),
                what: "The password for the proxy.",
            },
            $crate::config::keys::Key {
                path: concat!("forward.", $kind, ".answer_seconds"),
                otherwise: $crate::config::keys::Otherwise::Default("30"),
                what: "How long an answer may take, up to 120.",
            },
        ]
    };
}
pub(super) use http_keys;

/// The keys of a type of receiver, in the same way, without any of HTTP.
macro_rules! own_keys {
    ($kind:literal, [$(($name:literal, $otherwise:expr, $what:expr)),* $(,)?]) => {
        &[
            $($crate::config::keys::Key {
                path: concat!("forward.", $kind, ".", $name),
                otherwise: $otherwise,
                what: $what,
            },)*
        ]
    };
}
pub(super) use own_keys;

/// Reads those keys.
pub(super) fn read(section: &mut Section<'_>) -> Option<HttpReceiverConfig> {
    let (ca_file, cert_file) = (file(section, "ca_file"), file(section, "cert_file"));
    let key_file = file(section, "key_file");
    if key_file.is_some() && !section.was_given("cert_file") {
        section.missing("cert_file", "`key_file` is the key of a certificate");
    }
    // As elsewhere, a certificate without a key has it in its own file.
    let key_file = key_file.or_else(|| cert_file.clone());
    let server_name = section.read("server_name", |node| {
        let name = text(node)?;
        if name.contains(|c: char| c.is_whitespace() || c.is_control() || "/@".contains(c)) {
            return Err("must be the name of a host".to_owned());
        }
        Ok(name.to_owned())
    });
    let proxy = proxy(section);
    let seconds = section.read("answer_seconds", |node| number(node, 1..=ANSWER_SECONDS_MAX));
    let answer_seconds = u32::try_from(seconds.unwrap_or(ANSWER_SECONDS)).unwrap_or(u32::MAX);
    let tls = TlsConfig { ca_file, cert_file, key_file, server_name, external: false };
    look::tls(section, &tls);
    Some(HttpReceiverConfig { tls, proxy: proxy?, answer_seconds })
}

fn file(section: &mut Section<'_>, key: &'static str) -> Option<PathBuf> {
    let reading = section.reading();
    section.read(key, |node| {
        let path = reading.resolve(&node.origin, text(node)?);
        files::check_readable(&path).map_err(|error| format!("`{}` {error}", path.display()))?;
        Ok(path)
    })
}

/// A URL without a login: `https`, and `http` only to this very host, since what is sent is for nobody on the way.
pub(super) fn url(given: &str) -> Result<Uri, String> {
    // It is not quoted: it may be a secret by itself.
    let wrong = || "must be a URL such as `https://siem.example/path`, without a login".to_owned();
    let uri: Uri = given.parse().map_err(|_| wrong())?;
    let authority =
        uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    let host = authority.host().trim_matches(['[', ']']);
    let is_here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_here => {}
        Some("http") => return Err("would show records to everybody on the way: write `https`".to_owned()),
        _ => return Err(wrong()),
    }
    if given.contains('#') { Err(wrong()) } else { Ok(uri) }
}

/// A text for a header or a query: not longer than that, and without what would end it.
pub(super) fn word(node: &Node, bytes_max: usize) -> Result<String, String> {
    let given = text(node)?;
    if given.len() > bytes_max || given.chars().any(char::is_control) {
        return Err(format!("must have at most {bytes_max} bytes in one line"));
    }
    Ok(given.to_owned())
}
