//! `type = "gmp"`: Greenbone (OpenVAS), by the protocol of its manager.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Secret;
use super::super::endpoint::{client_tls, host_and_port};
use super::super::keys::{self, Key};
use super::super::parts::TlsConfig;
use super::super::reference::secret;
use super::super::section::{Section, boolean, number, text};
use super::super::tree::Node;
use super::kind::{Abilities, ScannerKind, Type};
use keys::Otherwise::{Default, Needed, Words};

/// The port of gvmd's protocol.
const PORT: u16 = 9390;
/// The longest name of a configuration or scanner, in bytes; gvmd keeps some eighty characters.
const NAME_BYTES_MAX: usize = 200;
/// The longest wait for an answer that can be asked for, in seconds: gvmd writes its largest reports in some minutes, and a fetch is given
/// up after a quarter of an hour.
const ANSWER_SECONDS_MAX: i64 = 600;
/// The most hosts or tests at one time; gvmd's own limits are lower.
const AT_ONCE_MAX: i64 = 1000;

/// A manager of Greenbone's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GmpConfig {
    /// Where it is.
    pub address: GmpAddress,
    /// Who asks.
    pub username: String,
    /// With what.
    pub password: Secret,
    /// The scan configuration, by its name or id.
    pub scan_config: String,
    /// The scanner that it has do the work, by its name or id.
    pub engine: String,
    /// How sure a result has to be to be fetched, in percent.
    pub min_qod: u8,
    /// How many hosts are scanned at one time; none for what the configuration says.
    pub hosts_at_once: Option<u16>,
    /// How many tests run at one time against one host; none for what the configuration says.
    pub tests_at_once: Option<u16>,
    /// How long it may be silent, and how long an answer may take but for a report's.
    pub answer_time: Duration,
    /// Whether tasks stay at the manager when their results are durable.
    pub keep: bool,
}

/// Where a manager is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GmpAddress {
    /// At a unix socket; at the first of gvmd's usual ones that is there where none is named.
    Socket(Option<PathBuf>),
    /// At a port, with TLS.
    Tls {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Whom to trust, and who we say we are.
        tls: TlsConfig,
    },
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "gmp",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"gmp\"",
        what: "Greenbone (OpenVAS) as a scanner, asked by GMP, the protocol of its manager gvmd. Give osel a user of its own there.",
        is_optional: true,
        needs: &["name = \"greenbone\"", "type = \"gmp\""],
    }),
    keys: KEYS,
    read: |section| read(section).map(|config| ScannerKind::Gmp(Box::new(config))),
    abilities: Abilities {
        takes_ports: true,
        takes_udp: true,
        takes_ipv6: true,
        // A scan takes many minutes whatever it is of: what changes meanwhile is gathered.
        window_seconds: 300,
        // What one scanner does in a quarter of an hour or so.
        batch_addresses_max: 64,
        running_max: 2,
        // Full scans of neglected hosts take hours, and wait for others.
        life_seconds_max: 86_400,
    },
};

const KEYS: &[Key] = &[
    Key {
        path: "scanner.gmp.address",
        otherwise: Words("the first of gvmd's usual sockets that is there", "\"gvm.example:9390\""),
        what: "Where gvmd is: the path of its unix socket, or `HOST` or `HOST:PORT` for TLS. Its usual sockets are /run/gvmd/gvmd.sock, \
               /run/gvm/gvmd.sock and /var/run/gvmd.sock; they have to be open to osel's user.",
    },
    Key {
        path: "scanner.gmp.username",
        otherwise: Needed("\"osel\""),
        what: "The user that osel logs in as.",
    },
    Key {
        path: "scanner.gmp.password",
        otherwise: Needed("{ file = \"/etc/osel/gmp_password\" }"),
        what: "Its password. It is a secret, so name where it is: { file = \"PATH\" }, { env = \"VARIABLE\" } or { credential = \"NAME\" }. \
               It is read anew for every order.",
    },
    Key {
        path: "scanner.gmp.ca_file",
        otherwise: Words("the system's", "\"/etc/osel/ca.pem\""),
        what: "The authorities that may have signed gvmd's certificate, as PEM; gvmd makes one of its own. It is always verified.",
    },
    Key {
        path: "scanner.gmp.cert_file",
        otherwise: Words("none", "\"/etc/osel/client.pem\""),
        what: "The client's certificate and the chain above it, as PEM, where gvmd asks for one.",
    },
    Key {
        path: "scanner.gmp.key_file",
        otherwise: Words("the file of the certificate", "\"/etc/osel/client.key\""),
        what: "The key of that certificate, as PEM.",
    },
    Key {
        path: "scanner.gmp.server_name",
        otherwise: Words("the host of `address`", "\"gvm.internal\""),
        what: "The name that gvmd's certificate must have.",
    },
    Key {
        path: "scanner.gmp.scan_config",
        otherwise: Default("\"Full and fast\""),
        what: "The scan configuration, by its name or id. It has to scan ports: `Host Discovery` is refused.",
    },
    Key {
        path: "scanner.gmp.engine",
        otherwise: Default("\"OpenVAS Default\""),
        what: "The scanner that gvmd has do the work, by its name or id.",
    },
    Key {
        path: "scanner.gmp.min_qod",
        otherwise: Default("30"),
        what: "The least quality of detection of results that are fetched, in percent. Those from 70 count as certain.",
    },
    Key {
        path: "scanner.gmp.hosts_at_once",
        otherwise: Words("as the scan configuration says", "20"),
        what: "How many hosts of a scan are scanned at one time.",
    },
    Key {
        path: "scanner.gmp.tests_at_once",
        otherwise: Words("as the scan configuration says", "4"),
        what: "How many tests run at one time against one host.",
    },
    Key {
        path: "scanner.gmp.answer_seconds",
        otherwise: Default("60"),
        what: "How long gvmd may be silent before it counts as away, and how long an answer may take as a whole; a report may take ten times \
               as long, but no more than a quarter of an hour. Up to 600.",
    },
    Key {
        path: "scanner.gmp.keep",
        otherwise: Default("false"),
        what: "Whether task, target and port list of a scan stay at gvmd once its result is durable. Without it they are deleted for ever.",
    },
];

fn read(section: &mut Section<'_>) -> Option<GmpConfig> {
    let address = section.take("address");
    let tls = client_tls(section);
    let address = match address {
        None => Some(GmpAddress::Socket(None)),
        Some(node) => match self::address(section, &node, &tls) {
            Ok(address) => Some(address),
            Err(what) => {
                section.problem(&node.origin, "address", what);
                None
            }
        },
    };
    if matches!(address, Some(GmpAddress::Socket(_))) && tls != TlsConfig::default() {
        let what = "is for TLS, and `address` is a unix socket: name a host, or leave it out";
        let given = ["ca_file", "cert_file", "key_file", "server_name"]
            .into_iter()
            .find(|key| section.was_given(key));
        section.problem(section.origin(), given.unwrap_or("ca_file"), what);
    }
    let username = section.read("username", |node| text(node).map(str::to_owned));
    if username.is_none() && !section.was_given("username") {
        section.missing("username", "give osel a user of its own at gvmd");
    }
    let password =
        secret(section, "password", "name where it is, such as { file = \"/etc/osel/gmp_password\" }");
    let mut name = |key, default: &str| {
        let name = section.read(key, |node| match text(node)? {
            long if long.len() > NAME_BYTES_MAX => Err(format!("is longer than {NAME_BYTES_MAX} bytes")),
            odd if odd.contains(|c: char| c.is_control() || c == '"') => {
                Err("holds a quotation mark or a control character".to_owned())
            }
            name => Ok(name.to_owned()),
        });
        name.unwrap_or_else(|| default.to_owned())
    };
    let scan_config = name("scan_config", "Full and fast");
    let engine = name("engine", "OpenVAS Default");
    let min_qod =
        section.read("min_qod", |node| number(node, 0..=100)).and_then(|qod| u8::try_from(qod).ok());
    let mut at_once = |key| {
        section.read(key, |node| number(node, 1..=AT_ONCE_MAX)).and_then(|count| u16::try_from(count).ok())
    };
    let (hosts_at_once, tests_at_once) = (at_once("hosts_at_once"), at_once("tests_at_once"));
    let answer_seconds = section.read("answer_seconds", |node| number(node, 1..=ANSWER_SECONDS_MAX));
    let keep = section.read("keep", boolean).unwrap_or(false);
    Some(GmpConfig {
        address: address?,
        username: username?,
        password: Secret::new(password?.0.to_string()),
        scan_config,
        engine,
        min_qod: min_qod.unwrap_or(30),
        hosts_at_once,
        tests_at_once,
        answer_time: Duration::from_secs(
            answer_seconds.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(60),
        ),
        keep,
    })
}

fn address(section: &Section<'_>, node: &Node, tls: &TlsConfig) -> Result<GmpAddress, String> {
    let text = text(node)?;
    if text.starts_with(['/', '.']) {
        return Ok(GmpAddress::Socket(Some(section.reading().resolve(&node.origin, text))));
    }
    let (host, port) = host_and_port(text, PORT)
        .ok_or_else(|| "must be the path of a unix socket, `HOST` or `HOST:PORT`".to_owned())?;
    Ok(GmpAddress::Tls { host, port, tls: tls.clone() })
}
