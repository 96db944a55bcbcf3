//! `type = "syslog"`: a syslog server over TLS, TCP or UDP, or this machine's by its socket.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use osel_core::format::Format;

use super::super::endpoint::{client_tls, host_and_port};
use super::super::keys::Otherwise::{Default, Needed, Words};
use super::super::keys::{self, key};
use super::super::parts::TlsConfig;
use super::super::section::{Section, boolean, number, one_of, text};
use super::kind::{ReceiverConfig, Type};

/// The port of syslog over TLS, by RFC 5425.
const TLS_PORT: u16 = 6514;
/// The port of syslog over TCP and UDP: of TCP it is custom, of UDP RFC 5426.
const PLAIN_PORT: u16 = 514;
/// Where the system's own syslog listens.
const SOCKET: &str = "/dev/log";
/// The number that RFC 5612 keeps for examples, for whoever has none of their own.
const ENTERPRISE_NUMBER: NonZeroU32 = NonZeroU32::new(32_473).unwrap();
/// The longest names of RFC 5424, in bytes.
const HOST_NAME_BYTES_MAX: usize = 255;
const APP_NAME_BYTES_MAX: usize = 48;
/// The least limit of a message: its own head may have six hundred bytes.
const MESSAGE_BYTES_MIN: i64 = 1024;
/// The largest datagram of UDP over IPv4.
const DATAGRAM_BYTES_MAX: i64 = 65_507;
/// The most of a message over a stream; receivers have lower limits.
const MESSAGE_BYTES_MAX: i64 = 64 << 20;
/// What every receiver of datagrams should take, by RFC 5426.
const DATAGRAM_BYTES: usize = 2048;
/// How long a connection has to stand after a batch before the batch counts as delivered.
const SETTLE: Duration = Duration::from_secs(2);
/// The longest such time in seconds: a forwarder waits for five minutes until it takes what was sent for lost.
const SETTLE_SECONDS_MAX: i64 = 120;
/// The facility when nobody says otherwise: for local use.
const FACILITY: u8 = 16;

/// The facilities by the names that syslog.conf has for them.
const FACILITIES: [(&str, u8); 24] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("ntp", 12),
    ("audit", 13),
    ("alert", 14),
    ("clock", 15),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// A syslog server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogConfig {
    /// How it is reached.
    pub transport: SyslogTransport,
    /// How messages are written.
    pub message: SyslogMessage,
    /// The code of the facility, from 0 to 23.
    pub facility: u8,
    /// What osel is called.
    pub app_name: String,
    /// What this machine is called; none for what the system says.
    pub host_name: Option<String>,
    /// The enterprise number in the name of structured data.
    pub enterprise_number: NonZeroU32,
    /// Whether the text of a message begins with the mark of UTF-8.
    pub bom: bool,
    /// A longer message is cut; none for no limit.
    pub message_bytes_max: Option<NonZeroUsize>,
    /// How long a connection has to stand after a batch before the batch counts as delivered.
    pub settle: Duration,
}

/// How a syslog server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogTransport {
    /// Over TLS.
    Tls {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Whom to trust, and who we say we are.
        tls: TlsConfig,
    },
    /// Over TCP.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// How messages are told apart.
        framing: SyslogFraming,
    },
    /// Over UDP.
    Udp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// By a socket of this machine, of datagrams or a stream.
    Unix {
        /// Its path.
        path: PathBuf,
        /// How messages are told apart if it is a stream.
        framing: SyslogFraming,
    },
}

/// How messages of a stream are told apart, by RFC 6587.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogFraming {
    /// Their length stands before them.
    OctetCounting,
    /// A line feed ends them.
    LineFeed,
}

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyslogMessage {
    /// By RFC 5424, with structured data.
    Rfc5424,
    /// As of old, by RFC 3164.
    Rfc3164,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "syslog",
    section: keys::Section {
        header: "[[forward]] # type = \"syslog\"",
        what: "A syslog server, such as rsyslog or syslog-ng. No protocol of syslog says that a message arrived: see docs/forwarders/syslog.md.",
        is_optional: true,
        needs: &["name = \"syslog\"", "type = \"syslog\""],
    },
    keys: KEYS,
    read: |section| read(section).map(|config| ReceiverConfig::Syslog(Box::new(config))),
    format: Format::Native,
};

const KEYS: &[keys::Key] = &[
    key(
        "forward.syslog.transport",
        Default("\"tls\""),
        "`tls`, `tcp`, `udp`, or `unix` for a socket of this machine.",
    ),
    key(
        "forward.syslog.address",
        Needed("\"logs.example\""),
        "Where it is: `HOST` or `HOST:PORT`; the port is 6514 with TLS and 514 without. For `unix`, the path of the socket, by default /dev/log.",
    ),
    key(
        "forward.syslog.ca_file",
        Words("the system's", "\"/etc/osel/ca.pem\""),
        "The authorities that may have signed the server's certificate, as PEM. It is always verified, and read anew for each connection.",
    ),
    key(
        "forward.syslog.cert_file",
        Words("none", "\"/etc/osel/client.pem\""),
        "osel's own certificate and the chain above it, as PEM, where the server asks for one.",
    ),
    key(
        "forward.syslog.key_file",
        Words("the file of the certificate", "\"/etc/osel/client.key\""),
        "The key of that certificate, as PEM.",
    ),
    key(
        "forward.syslog.server_name",
        Words("the host of `address`", "\"logs.internal\""),
        "The name that the server's certificate must have.",
    ),
    key(
        "forward.syslog.framing",
        Words("`octet-counting`, and `lf` for a unix socket", "\"octet-counting\""),
        "How messages of a stream are told apart: `octet-counting`, or `lf`, a line feed behind each. TLS has only the first.",
    ),
    key(
        "forward.syslog.message",
        Default("\"rfc5424\""),
        "How messages are written: `rfc5424`, with structured data, or `rfc3164` for receivers that know nothing else.",
    ),
    key(
        "forward.syslog.facility",
        Default("\"local0\""),
        "The facility, by its name in syslog.conf: `local0` to `local7`, `auth`, `authpriv`, `audit`, `daemon` and so on.",
    ),
    key(
        "forward.syslog.app_name",
        Default("\"osel\""),
        "What osel is called in messages, in up to 48 visible ASCII characters.",
    ),
    key(
        "forward.syslog.host_name",
        Words("what the system says", "\"ctl1.example\""),
        "What this machine is called in messages.",
    ),
    key(
        "forward.syslog.enterprise_number",
        Default("32473"),
        "The private enterprise number in the name of structured data, `osel@32473`. The default is the one for examples: put your own there.",
    ),
    key(
        "forward.syslog.bom",
        Default("false"),
        "Whether the text of a message begins with the byte order mark, as RFC 5424 wants it of UTF-8.",
    ),
    key(
        "forward.syslog.message_bytes_max",
        Words("2048 over UDP, no limit otherwise", "8192"),
        "A longer message is cut at its end, and says so. At least 1024, and over UDP up to 65507. Set the receiver's own limit as high.",
    ),
    key(
        "forward.syslog.settle_seconds",
        Default("2"),
        "How long a connection has to stand after a record before the record counts as delivered, up to 120. What was sent within so long before \
         it broke is sent again.",
    ),
];

fn read(section: &mut Section<'_>) -> Option<SyslogConfig> {
    let transports = [("tls", Kind::Tls), ("tcp", Kind::Tcp), ("udp", Kind::Udp), ("unix", Kind::Unix)];
    let kind = section.read("transport", |node| Ok((one_of(node, &transports)?, node.origin.clone())));
    if let Some((Kind::Udp, origin)) = &kind {
        let what = "loses records whenever the network or the server has no room for them, and nobody is told: \
                    `tls` or `tcp` where the server has them";
        section.warning(origin, "transport", what);
    }
    let kind = kind.map(|(kind, _)| kind);
    let kind = kind.or_else(|| (!section.was_given("transport")).then_some(Kind::Tls));
    let framings = [("octet-counting", SyslogFraming::OctetCounting), ("lf", SyslogFraming::LineFeed)];
    let framing = section.read("framing", |node| one_of(node, &framings));
    let tls = client_tls(section);
    let message = section.read("message", |node| {
        one_of(node, &[("rfc5424", SyslogMessage::Rfc5424), ("rfc3164", SyslogMessage::Rfc3164)])
    });
    let facility = section.read("facility", |node| {
        let given = text(node)?;
        let known = FACILITIES.iter().find(|(name, _)| *name == given);
        known
            .map(|(_, code)| *code)
            .ok_or_else(|| "must be the name of a facility, such as `local0` or `authpriv`".to_owned())
    });
    let app_name = section.read("app_name", |node| visible(text(node)?, APP_NAME_BYTES_MAX));
    let host_name = section.read("host_name", |node| visible(text(node)?, HOST_NAME_BYTES_MAX));
    let enterprise = section.read("enterprise_number", |node| number(node, 1..=i64::from(u32::MAX)));
    let bom = section.read("bom", boolean);
    let most = if kind == Some(Kind::Udp) { DATAGRAM_BYTES_MAX } else { MESSAGE_BYTES_MAX };
    let limit = section.read("message_bytes_max", |node| number(node, MESSAGE_BYTES_MIN..=most));
    let limit = limit.and_then(|bytes| usize::try_from(bytes).ok()).and_then(NonZeroUsize::new);
    let settle = section.read("settle_seconds", |node| number(node, 1..=SETTLE_SECONDS_MAX));
    let Some(kind) = kind else {
        // Of what transport it is to be is not known; the key is.
        section.take("address");
        return None;
    };
    let transport = transport(section, kind, framing, &tls)?;
    let datagram = matches!(transport, SyslogTransport::Udp { .. });
    Some(SyslogConfig {
        transport,
        message: message.unwrap_or(SyslogMessage::Rfc5424),
        facility: facility.unwrap_or(FACILITY),
        app_name: app_name.unwrap_or_else(|| "osel".to_owned()),
        host_name,
        enterprise_number: enterprise
            .and_then(|number| u32::try_from(number).ok())
            .and_then(NonZeroU32::new)
            .unwrap_or(ENTERPRISE_NUMBER),
        bom: bom.unwrap_or(false),
        message_bytes_max: limit.or(if datagram { NonZeroUsize::new(DATAGRAM_BYTES) } else { None }),
        settle: settle.and_then(|seconds| u64::try_from(seconds).ok()).map_or(SETTLE, Duration::from_secs),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tls,
    Tcp,
    Udp,
    Unix,
}

fn transport(
    section: &mut Section<'_>,
    kind: Kind,
    framing: Option<SyslogFraming>,
    tls: &TlsConfig,
) -> Option<SyslogTransport> {
    let origin = section.origin().clone();
    let is_stream = kind != Kind::Udp;
    if kind != Kind::Tls
        && let Some(key) =
            ["ca_file", "cert_file", "key_file", "server_name"].into_iter().find(|key| section.was_given(key))
    {
        section.problem(&origin, key, "is for TLS: write transport = \"tls\", or leave it out");
    }
    if framing.is_some() && !is_stream {
        section.problem(&origin, "framing", "is for streams: over UDP each message is a datagram");
    }
    if kind == Kind::Tls && framing == Some(SyslogFraming::LineFeed) {
        section.problem(&origin, "framing", "must be `octet-counting` over TLS, by RFC 5425");
    }
    if kind == Kind::Unix {
        let path = section.read("address", |node| Ok((text(node)?.to_owned(), node.origin.clone())));
        let path = path.map(|(path, origin)| section.reading().resolve(&origin, &path));
        let path = path.unwrap_or_else(|| PathBuf::from(SOCKET));
        return Some(SyslogTransport::Unix { path, framing: framing.unwrap_or(SyslogFraming::LineFeed) });
    }
    let port = if kind == Kind::Tls { TLS_PORT } else { PLAIN_PORT };
    let address = section.read("address", |node| {
        host_and_port(text(node)?, port).ok_or_else(|| "must be `HOST` or `HOST:PORT`".to_owned())
    });
    if address.is_none() && !section.was_given("address") {
        section.missing("address", "name the server, such as \"logs.example\"");
    }
    let (host, port) = address?;
    Some(match kind {
        Kind::Udp => SyslogTransport::Udp { host, port },
        Kind::Tcp => {
            SyslogTransport::Tcp { host, port, framing: framing.unwrap_or(SyslogFraming::OctetCounting) }
        }
        Kind::Tls | Kind::Unix => SyslogTransport::Tls { host, port, tls: tls.clone() },
    })
}

fn visible(text: &str, bytes_max: usize) -> Result<String, String> {
    let is_good = text.len() <= bytes_max && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_good {
        Ok(text.to_owned())
    } else {
        Err(format!("must be up to {bytes_max} visible ASCII characters"))
    }
}
