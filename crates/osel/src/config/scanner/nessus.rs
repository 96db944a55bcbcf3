//! `type = "nessus"`: Nessus on a server of one's own. What Tenable Vulnerability Management has in common with it stands here too.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use hyper::Uri;
use osel_core::scan::Transport;

use super::super::keys::{self, Key};
use super::super::look;
use super::super::parts::TlsConfig;
use super::super::reference::{is_given, secret};
use super::super::section::{Section, boolean, number, quoted, text};
use super::super::{Secret, files};
use super::kind::{Abilities, ScannerKind, Type};
use super::nessus_keys;
use keys::Otherwise::{Default, Words};

/// The longest wait for an answer that can be asked for, in seconds: beyond, a request counts as lost anyway.
const ANSWER_SECONDS_MAX: i64 = 120;
/// How long an answer may take where nothing is said, in seconds.
const ANSWER_SECONDS: NonZeroU32 = NonZeroU32::new(60).expect("60 is not 0");
/// The longest name of a template, policy, scanner or folder, in bytes; the products take shorter ones.
const NAME_BYTES_MAX: usize = 255;
/// The most ranges of ports that a profile is described by.
const COVERS_MAX: usize = 64;

/// Nessus, or Tenable Vulnerability Management.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NessusConfig {
    /// Which of them.
    pub product: NessusProduct,
    /// Where its API is, without a `/` at the end: with TLS, or on this very host.
    pub url: String,
    /// Who asks.
    pub login: NessusLogin,
    /// The template that scans are made of, by its name or title, where there is no policy.
    pub template: String,
    /// The policy that they are made of, by its name.
    pub policy: Option<String>,
    /// The scanner that does the work, by its name; none for the product's own choice.
    pub scanner: Option<String>,
    /// The folder that they stand in, by its name; none for the product's own choice.
    pub folder: Option<String>,
    /// The ports that template or policy are known to look at.
    pub covers: Vec<CoveredPorts>,
    /// Whether scans stay at the scanner when their results are durable.
    pub keep: bool,
    /// Whom to trust.
    pub tls: TlsConfig,
    /// How long an answer may take.
    pub answer_seconds: NonZeroU32,
}

/// Which product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NessusProduct {
    /// Nessus on a server of one's own.
    Nessus,
    /// Tenable Vulnerability Management, in the vendor's cloud.
    Cloud,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NessusLogin {
    /// A user by the keys that he was given for programs.
    Keys {
        /// His name among keys.
        access_key: Secret,
        /// With what.
        secret_key: Secret,
    },
    /// A user by a session, as at the web interface.
    Session {
        /// His name.
        username: String,
        /// With what.
        password: Secret,
    },
}

/// Ports that a scan by some profile looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CoveredPorts {
    /// Of which transport.
    pub transport: Transport,
    /// Which.
    pub ports: RangeInclusive<u16>,
}

impl CoveredPorts {
    /// Whether a port is among them.
    pub fn has(&self, transport: Transport, port: u16) -> bool {
        self.transport == transport && self.ports.contains(&port)
    }
}

/// What suits both products: what they do takes minutes whatever it is of, so that changes are gathered for it.
pub(super) const ABILITIES: Abilities = Abilities {
    // Which ports are looked at is the profile's affair.
    takes_ports: false,
    takes_udp: true,
    takes_ipv6: true,
    window_seconds: 300,
    // What one scanner does in a quarter of an hour or so.
    batch_addresses_max: 64,
    running_max: 4,
    // Thorough scans take hours, and wait for others.
    life_seconds_max: 86_400,
};

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "nessus",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"nessus\"",
        what: "Nessus on a server of one's own, whose API makes scans: Nessus Manager, not Professional. Give osel a user of its own there.",
        is_optional: true,
        needs: &["name = \"nessus\"", "type = \"nessus\""],
    }),
    keys: KEYS,
    read: |section| {
        read(section, NessusProduct::Nessus, "https://localhost:8834").map(Box::new).map(ScannerKind::Nessus)
    },
    abilities: ABILITIES,
};

const KEYS: &[Key] = &[
    Key {
        path: "scanner.nessus.url",
        otherwise: Default("\"https://localhost:8834\""),
        what: "Where it answers. Without TLS only an address of this host's loopback is taken.",
    },
    nessus_keys::access_key(
        "scanner.nessus.access_key",
        Words("none", "{ file = \"/etc/osel/nessus_access_key\" }"),
    ),
    nessus_keys::secret_key(
        "scanner.nessus.secret_key",
        Words("none", "{ file = \"/etc/osel/nessus_secret_key\" }"),
    ),
    Key {
        path: "scanner.nessus.username",
        otherwise: Words("none", "\"osel\""),
        what: "Instead of keys: the name of osel's user, with `password`.",
    },
    Key {
        path: "scanner.nessus.password",
        otherwise: Words("none", "{ file = \"/etc/osel/nessus_password\" }"),
        what: "The user's password, named in the same ways as keys.",
    },
    nessus_keys::template("scanner.nessus.template"),
    nessus_keys::policy("scanner.nessus.policy"),
    Key {
        path: "scanner.nessus.scanner",
        otherwise: Words("as Nessus chooses", "\"dmz-1\""),
        what: "The scanner that does the work, by its name, where Nessus manages several.",
    },
    nessus_keys::folder("scanner.nessus.folder"),
    nessus_keys::covers("scanner.nessus.covers"),
    nessus_keys::keep("scanner.nessus.keep"),
    Key {
        path: "scanner.nessus.ca_file",
        otherwise: Words("the system's", "\"/etc/osel/ca.pem\""),
        what: "The authorities that may have signed its certificate, as PEM. Nessus makes one of its own (cacert.pem). It is always verified.",
    },
    Key {
        path: "scanner.nessus.server_name",
        otherwise: Words("the host of `url`", "\"nessus.internal\""),
        what: "The name that its certificate must have.",
    },
    nessus_keys::answer_seconds("scanner.nessus.answer_seconds"),
];

/// Reads the keys of either product.
pub(super) fn read(
    section: &mut Section<'_>,
    product: NessusProduct,
    default_url: &str,
) -> Option<NessusConfig> {
    let url = section.read("url", |node| url(text(node)?, product));
    let login = login(section, product);
    let mut name = |key| section.read(key, |node| name(text(node)?));
    let (template, policy) = (name("template"), name("policy"));
    let (scanner, folder) = (name("scanner"), name("folder"));
    let covers = section.list("covers", 1..=COVERS_MAX, covered).unwrap_or_default();
    let keep = section.read("keep", boolean).unwrap_or(false);
    let ca_file = ca_file(section);
    let server_name = match product {
        NessusProduct::Nessus => section.read("server_name", |node| host(text(node)?)),
        NessusProduct::Cloud => None,
    };
    let answer_seconds = section.read("answer_seconds", |node| number(node, 1..=ANSWER_SECONDS_MAX));
    let is_good = url.is_some() || !section.was_given("url");
    let tls = TlsConfig { ca_file, server_name, ..TlsConfig::default() };
    look::tls(section, &tls);
    Some(NessusConfig {
        product,
        url: is_good.then(|| url.unwrap_or_else(|| default_url.to_owned()))?,
        login: login?,
        template: template.unwrap_or_else(|| "basic".to_owned()),
        policy,
        scanner,
        folder,
        covers,
        keep,
        tls,
        answer_seconds: answer_seconds
            .and_then(|seconds| NonZeroU32::new(u32::try_from(seconds).ok()?))
            .unwrap_or(ANSWER_SECONDS),
    })
}

fn login(section: &mut Section<'_>, product: NessusProduct) -> Option<NessusLogin> {
    let has_keys = is_given(section, "access_key") || is_given(section, "secret_key");
    let has_session = is_given(section, "username") || is_given(section, "password");
    if product == NessusProduct::Nessus && has_session && !has_keys {
        section.take("access_key");
        section.take("secret_key");
        let username = section.read("username", |node| text(node).map(str::to_owned));
        if username.is_none() && !section.was_given("username") {
            section.missing("username", "give osel a user of its own at the scanner");
        }
        let password = secret(section, "password", "write { file = \"/etc/osel/nessus_password\" }");
        let password = Secret::new(password?.0.to_string());
        return Some(NessusLogin::Session { username: username?, password });
    }
    if product == NessusProduct::Nessus {
        section.take("password");
        if let Some(node) = section.take("username") {
            section.warning(&node.origin, "username", "is not used: the keys say who osel is");
        }
    }
    let [of_access, of_secret] = match product {
        NessusProduct::Nessus => [
            "write { file = \"/etc/osel/nessus_access_key\" }",
            "write { file = \"/etc/osel/nessus_secret_key\" }",
        ],
        NessusProduct::Cloud => [
            "write { file = \"/etc/osel/tenable_access_key\" }",
            "write { file = \"/etc/osel/tenable_secret_key\" }",
        ],
    };
    let (access_key, secret_key) =
        (secret(section, "access_key", of_access), secret(section, "secret_key", of_secret));
    let (access_key, secret_key) =
        (Secret::new(access_key?.0.to_string()), Secret::new(secret_key?.0.to_string()));
    Some(NessusLogin::Keys { access_key, secret_key })
}

fn url(text: &str, product: NessusProduct) -> Result<String, String> {
    let example = match product {
        NessusProduct::Nessus => "https://nessus.example:8834",
        NessusProduct::Cloud => "https://cloud.tenable.com",
    };
    // A login is not quoted: it is what should not be here.
    let wrong = || format!("must be a URL such as `{example}`, without a login");
    let uri: Uri = text.parse().map_err(|_| wrong())?;
    let authority =
        uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
    if uri.query().is_some() {
        return Err(wrong());
    }
    let host = authority.host().trim_matches(['[', ']']);
    let is_near = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_near => {}
        Some("http") => return Err("would show the keys to everybody on the way: write `https`".to_owned()),
        _ => return Err(wrong()),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn name(text: &str) -> Result<String, String> {
    if text.len() > NAME_BYTES_MAX {
        return Err(format!("is longer than {NAME_BYTES_MAX} bytes"));
    }
    Ok(text.to_owned())
}

fn host(text: &str) -> Result<String, String> {
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || "/@".contains(c)) {
        return Err("must be the name of a host".to_owned());
    }
    Ok(text.to_owned())
}

/// `22`, `1-1024`, `53/udp`.
fn covered(text: &str) -> Result<CoveredPorts, String> {
    let wrong = || format!("must be ports such as `22`, `1-1024` or `53/udp`, not `{}`", quoted(text));
    let (ports, transport) = text.split_once('/').unwrap_or((text, "tcp"));
    let transport = match transport {
        "tcp" => Transport::Tcp,
        "udp" => Transport::Udp,
        _ => return Err(wrong()),
    };
    let port = |text: &str| text.parse().ok().filter(|port: &u16| *port > 0).ok_or_else(wrong);
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let ports = port(first)?..=port(last)?;
    if ports.is_empty() { Err(wrong()) } else { Ok(CoveredPorts { transport, ports }) }
}

fn ca_file(section: &mut Section<'_>) -> Option<PathBuf> {
    let node = section.take("ca_file")?;
    let path = text(&node).map(|text| section.reading().resolve(&node.origin, text));
    let readable = path.and_then(|path| match files::check_readable(&path) {
        Ok(()) => Ok(path),
        Err(error) => Err(format!("`{}` {error}", path.display())),
    });
    readable.map_err(|what| section.problem(&node.origin, "ca_file", what)).ok()
}
