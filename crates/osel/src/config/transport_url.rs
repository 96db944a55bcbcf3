//! `transport_url` as oslo.messaging and kombu read it, so that operators can give the line they have.
//!
//! What oslo.messaging's `TransportURL.parse` accepts means the same here: several hosts, each with credentials of its own and none inherited,
//! percent-encoding, IPv6 in brackets, an empty path for the virtual host `/`. What it accepts and then cannot connect with (no host, a host
//! without a name) is refused. Nothing that is said about a URL quotes it: a password whose `@` or `/` is not encoded stands in other parts.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use super::{BrokerHost, Secret, TransportUrl, listed};

/// The most hosts of one URL. Clusters have three to seven; each is tried in turn.
pub const HOSTS_MAX: usize = 64;
/// The longest virtual host in bytes: AMQP carries it as a short string.
const VHOST_BYTES_MAX: usize = 255;
/// The port of RabbitMQ without TLS.
const PORT: u16 = 5672;
/// The port of RabbitMQ with TLS.
const PORT_TLS: u16 = 5671;
/// Who logs in where the URL says nothing, and with what: kombu's values, which RabbitMQ accepts from its own host only.
const GUEST: &str = "guest";

/// A URL, and what it says beyond hosts.
#[derive(Debug, PartialEq, Eq)]
pub struct ParsedUrl {
    /// Hosts, virtual host, TLS.
    pub url: TransportUrl,
    /// What its options say.
    pub options: UrlOptions,
    /// What should be told about it, without a word of it.
    pub notes: Vec<String>,
}

/// Options of a URL (`?name=value`) that osel has keys for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UrlOptions {
    /// `ssl_ca_file`.
    pub ca_file: Option<String>,
    /// `ssl_cert_file`.
    pub cert_file: Option<String>,
    /// `ssl_key_file`.
    pub key_file: Option<String>,
    /// `heartbeat_timeout_threshold`.
    pub heartbeat_seconds: Option<u16>,
    /// `rabbit_login_method` is `EXTERNAL`.
    pub external: bool,
}

/// Why a URL cannot be used. Numbers of hosts count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It has no scheme.
    #[error("is not a URL: write `rabbit://USER:PASSWORD@HOST:5672/VHOST`")]
    NoScheme,
    /// Another bus than RabbitMQ, or none.
    #[error("has a scheme that osel does not read: it reads `rabbit`, `amqp`, `amqps`")]
    Scheme,
    /// Line breaks or other control characters.
    #[error("holds a line break or another control character: give one URL on one line")]
    Control,
    /// No hosts.
    #[error("names no host: write `rabbit://USER:PASSWORD@HOST:5672/VHOST`")]
    NoHost,
    /// More than [`HOSTS_MAX`].
    #[error("names more than {HOSTS_MAX} hosts")]
    TooManyHosts,
    /// A host without a name, or with brackets that do not fit.
    #[error("has no name or address that can be read for host {0}; {ENCODE}")]
    Host(usize),
    /// A port that is none.
    #[error("has a port of host {0} that is not a number from 1 to 65535; {ENCODE}")]
    Port(usize),
    /// More than AMQP can carry.
    #[error("has a virtual host of more than {VHOST_BYTES_MAX} bytes")]
    Vhost,
    /// `ssl` that is neither yes nor no.
    #[error("has an option `ssl` that is neither `true` nor `false`")]
    Ssl,
}

const ENCODE: &str = "in user and password, `:`, `@`, `,`, `/`, `?`, `#`, `%`, `[` and `]` have to be percent-encoded, as `%40` for `@`";

/// Options that say how services publish or call, or what osel always does: known, and nothing to be told about.
const OF_NO_CONCERN: &[&str] = &[
    "amqp_auto_delete",
    "amqp_durable_queues",
    "conn_pool_min_size",
    "conn_pool_ttl",
    "direct_mandatory_flag",
    "enable_cancel_on_failover",
    "heartbeat_in_pthread",
    "heartbeat_rate",
    "hostname",
    "kombu_compression",
    "kombu_failover_strategy",
    "kombu_missing_consumer_retry_timeout",
    "kombu_reconnect_delay",
    "kombu_reconnect_splay",
    "processname",
    "rabbit_ha_queues",
    "rabbit_interval_max",
    "rabbit_qos_prefetch_count",
    "rabbit_quorum_delivery_limit",
    "rabbit_quorum_max_memory_bytes",
    "rabbit_quorum_max_memory_length",
    "rabbit_quorum_queue",
    "rabbit_retry_backoff",
    "rabbit_retry_interval",
    "rabbit_stream_fanout",
    "rabbit_transient_queues_ttl",
    "rabbit_transient_quorum_queue",
    "rpc_conn_pool_size",
    "ssl_check_hostname",
    "ssl_cert_reqs",
    "ssl_enforce_fips_mode",
    "ssl_enforce_hostname_verification",
    "ssl_version",
    "use_queue_manager",
];

impl TransportUrl {
    /// Reads a URL; spaces around it do not count. `tls` says that TLS is used even where the URL does not ask for it.
    ///
    /// # Errors
    /// When no broker can be reached with it.
    pub fn parse(text: &str, tls: bool) -> Result<ParsedUrl, UrlError> {
        Self::parse_with(text, tls, false)
    }

    /// As [`Self::parse`]; `external` says that the login is by the client's certificate even where the URL does not ask for it.
    ///
    /// # Errors
    /// As with [`Self::parse`].
    pub fn parse_with(text: &str, tls: bool, external: bool) -> Result<ParsedUrl, UrlError> {
        let text = text.trim();
        if text.contains(char::is_control) {
            return Err(UrlError::Control);
        }
        let parts = Parts::of(text)?;
        let mut notes = Vec::new();
        if parts.has_fragment {
            notes.push(
                "what follows `#` is not part of the URL; a `#` in a name or password is written `%23`"
                    .to_owned(),
            );
        }
        let mut query = Query::read(parts.query, &mut notes)?;
        let secure_scheme = match parts.scheme.strip_prefix("kombu+").unwrap_or(&parts.scheme) {
            "rabbit" | "amqp" | "pyamqp" => false,
            "amqps" => true,
            _ => return Err(UrlError::Scheme),
        };
        let tls = tls || secure_scheme || query.ssl;
        let hosts = hosts(parts.hosts, tls, external || query.options.external, &mut notes)?;
        if tls && !secure_scheme && hosts.iter().any(|host| host.is_on_default_port) {
            notes.push(format!(
                "has a host without a port: with TLS osel takes {PORT_TLS}, where oslo.messaging takes {PORT}; write the port"
            ));
        }
        if !tls {
            let files =
                [&mut query.options.ca_file, &mut query.options.cert_file, &mut query.options.key_file];
            if files.into_iter().filter_map(Option::take).count() > 0 {
                notes
                    .push("has options with files for TLS, which do not count without `ssl=true`".to_owned());
            }
        }
        let vhost = parts.vhost.map(decode).filter(|vhost| !vhost.is_empty()).unwrap_or(Cow::Borrowed("/"));
        if vhost.len() > VHOST_BYTES_MAX {
            return Err(UrlError::Vhost);
        }
        let hosts = hosts.into_iter().map(|host| host.broker).collect();
        Ok(ParsedUrl { url: Self { hosts, vhost: vhost.into_owned(), tls }, options: query.options, notes })
    }
}

/// A URL at its seams, as Python's `urlsplit` finds them.
struct Parts<'t> {
    scheme: String,
    hosts: &'t str,
    vhost: Option<&'t str>,
    query: &'t str,
    has_fragment: bool,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::NoScheme)?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        if !is_scheme {
            return Err(UrlError::NoScheme);
        }
        let rest = rest.strip_prefix("//").ok_or(UrlError::NoHost)?;
        let (hosts, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (tail, fragment) = cut(tail, '#');
        let (path, query) = cut(tail, '?');
        Ok(Self {
            scheme: scheme.to_ascii_lowercase(),
            hosts,
            vhost: path.strip_prefix('/'),
            query: query.unwrap_or(""),
            has_fragment: fragment.is_some(),
        })
    }
}

fn cut(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

/// Python's `unquote`: a broken sequence stays as it is, bytes that are not UTF-8 become replacement characters.
fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

struct ReadHost {
    broker: BrokerHost,
    is_on_default_port: bool,
}

fn hosts(text: &str, tls: bool, external: bool, notes: &mut Vec<String>) -> Result<Vec<ReadHost>, UrlError> {
    let mut hosts = Vec::new();
    let mut guests = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let number = hosts.len() + 1;
        if number > HOSTS_MAX {
            return Err(UrlError::TooManyHosts);
        }
        let (login, address) = part.rsplit_once('@').map_or((None, part), |(login, at)| (Some(login), at));
        let (user, password) = login.map_or((None, None), |login| {
            let (user, password) = cut(login, ':');
            (Some(user), password)
        });
        // kombu takes its own default for whatever is missing or empty.
        let [user, password] = [user, password].map(|text| text.filter(|text| !text.is_empty()));
        if user.is_none() || password.is_none() {
            guests.push(number.to_string());
        }
        let (host, port) = address_of(address, number)?;
        hosts.push(ReadHost {
            broker: BrokerHost {
                host: host.to_owned(),
                port: port.unwrap_or(if tls { PORT_TLS } else { PORT }),
                user: decode(user.unwrap_or(GUEST)).into_owned(),
                password: Secret::new(decode(password.unwrap_or(GUEST)).into_owned()),
            },
            is_on_default_port: port.is_none(),
        });
    }
    if hosts.is_empty() {
        return Err(UrlError::NoHost);
    }
    if !guests.is_empty() && !external {
        notes.push(format!(
            "has no user or no password for host {}: `{GUEST}` is taken, as oslo.messaging does; each host needs its own",
            guests.join(", ")
        ));
    }
    Ok(hosts)
}

/// Host and port; an IPv6 address that has a port needs brackets.
fn address_of(text: &str, number: usize) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(UrlError::Host(number))?;
        // What stands behind `%` is the interface of a link-local address.
        if cut(host, '%').0.parse::<Ipv6Addr>().is_err() {
            return Err(UrlError::Host(number));
        }
        match after.strip_prefix(':') {
            None if after.is_empty() => (host, None),
            None => return Err(UrlError::Host(number)),
            Some(port) => (host, Some(port)),
        }
    } else {
        match text.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (text, None),
        }
    };
    if host.is_empty() || host.contains(['[', ']']) || host.contains(char::is_whitespace) {
        return Err(UrlError::Host(number));
    }
    let is_number = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = match port {
        None => None,
        Some(port) => {
            let port = Some(port).filter(|port| is_number(port)).and_then(|port| port.parse::<u16>().ok());
            Some(port.filter(|&port| port != 0).ok_or(UrlError::Port(number))?)
        }
    };
    Ok((host, port))
}

/// The options.
#[derive(Default)]
struct Query {
    ssl: bool,
    options: UrlOptions,
}

impl Query {
    fn read(text: &str, notes: &mut Vec<String>) -> Result<Self, UrlError> {
        let mut query = Self::default();
        let mut idle: Vec<&str> = Vec::new();
        let mut unknown = 0_usize;
        // Python's `parse_qs` drops names without a value.
        for (name, value) in form_urlencoded::parse(text.as_bytes()).filter(|(_, value)| !value.is_empty()) {
            let options = &mut query.options;
            match &*name {
                "ssl" => query.ssl = boolean(&value).ok_or(UrlError::Ssl)?,
                // The second names are kombu's.
                "ssl_ca_file" | "ssl_ca_certs" => options.ca_file = Some(value.into_owned()),
                "ssl_cert_file" | "ssl_certfile" => options.cert_file = Some(value.into_owned()),
                "ssl_key_file" | "ssl_keyfile" => options.key_file = Some(value.into_owned()),
                "heartbeat_timeout_threshold" | "heartbeat" => match value.parse() {
                    Ok(seconds) if seconds > 0 => options.heartbeat_seconds = Some(seconds),
                    _ => notes.push(
                        "has an option for heartbeats that is no number of seconds from 1 to 65535; it is ignored"
                            .to_owned(),
                    ),
                },
                "rabbit_login_method" | "login_method" => match value.to_ascii_uppercase().as_str() {
                    "EXTERNAL" => options.external = true,
                    "PLAIN" | "AMQPLAIN" => {}
                    _ => notes.push(
                        "has a login method that osel does not know; it logs in by user and password".to_owned(),
                    ),
                },
                name => match OF_NO_CONCERN.iter().find(|known| **known == name) {
                    Some(known) => idle.push(known),
                    None => unknown += 1,
                },
            }
        }
        if !idle.is_empty() {
            notes.push(format!("has options that are ignored: {}", listed(&idle, ", ")));
        }
        if idle.iter().any(|name| name.starts_with("ssl_")) {
            notes.push("cannot loosen TLS: certificates and host names are always verified".to_owned());
        }
        if unknown > 0 {
            notes.push(format!(
                "has {unknown} options that neither osel nor oslo.messaging knows; they are ignored"
            ));
        }
        Ok(query)
    }
}

/// A boolean as oslo.config reads it.
fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" | "on" | "yes" => Some(true),
        "false" | "0" | "off" | "no" => Some(false),
        _ => None,
    }
}
