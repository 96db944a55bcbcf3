//! From tables to [`Config`]: every key of every section, with its bounds and its default. Sources have a file of their own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use ipnet::IpNet;

use super::check_openstack::openstack;
use super::check_retention::retention;
use super::check_scan::scan;
use super::check_source::sources;
use super::check_store::store;
use super::check_trail::trail;
use super::expected::{expected, findings};
use super::forward::{forwards, refuse_loops};
use super::parts::{
    Config, ControlConfig, HttpConfig, Level, LogConfig, LogFormat, ModelConfig, SourceConfig,
};
use super::scanner::scanners;
use super::section::{Section, boolean, one_of, quoted, text};
use super::tree::{Node, Origin, Value};
use super::witness::witnesses;

/// The most prefixes of one list: each address that changes is looked up in it.
pub(super) const PREFIXES_MAX: usize = 4096;
/// Where the HTTP interface listens: where only this machine reaches it.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8480);

/// The configuration, as far as it can be made; a part that is missing has left a problem.
pub(super) fn config(mut root: Section<'_>) -> Option<Config> {
    let store = store(root.section("store"));
    let trail = trail(root.section("trail"));
    let sources: Option<Vec<SourceConfig>> = sources(&mut root);
    let openstack = openstack(&mut root, sources.as_deref());
    let retention = retention(root.section("retention"));
    let scan = scan(root.section("scan"));
    let scanners = scanners(&mut root);
    let expected = expected(&mut root);
    let forwards = forwards(&mut root);
    refuse_loops(&root, sources.as_deref().unwrap_or_default(), forwards.as_deref().unwrap_or_default());
    let witnesses = witnesses(&mut root);
    let findings = findings(root.section("findings"));
    let model = model(root.section("model"));
    let http = http(root.section("http"));
    let control = control(root.section("control"));
    let log = log(root.section("log"));
    root.finish();
    Some(Config {
        store: store?,
        trail,
        sources: sources?,
        openstack: openstack?,
        retention,
        scan,
        scanners: scanners?,
        expected: expected?,
        forwards: forwards?,
        witnesses: witnesses?,
        findings,
        model,
        http,
        control,
        log,
    })
}

fn model(mut section: Section<'_>) -> ModelConfig {
    let model = ModelConfig {
        group_members_include_pairs: section.read("group_members_include_pairs", boolean).unwrap_or(true),
        routed_prefixes: section.list("routed_prefixes", 0..=PREFIXES_MAX, prefix).unwrap_or_default(),
    };
    section.finish();
    model
}

fn http(mut section: Section<'_>) -> HttpConfig {
    let listen = section.read("listen", |node| {
        let text = text(node)?;
        text.parse().map_err(|_| {
            format!(
                "must be an address with a port, such as `{LISTEN}` or `[::1]:8480`, not `{}`",
                quoted(text)
            )
        })
    });
    let serve_log = section.read("serve_log", boolean);
    section.finish();
    HttpConfig { listen: listen.unwrap_or(LISTEN), serve_log: serve_log.unwrap_or(true) }
}

/// `[control]`.
pub(super) fn control(mut section: Section<'_>) -> ControlConfig {
    let socket = section.read("socket", |node| Ok((text(node)?.to_owned(), node.origin.clone())));
    let socket = socket.map(|(text, origin)| section.reading().resolve(&origin, &text));
    section.finish();
    ControlConfig { socket }
}

/// `[log]`.
pub(super) fn log(mut section: Section<'_>) -> LogConfig {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = [
        ("error", Level::Error),
        ("warn", Level::Warn),
        ("info", Level::Info),
        ("debug", Level::Debug),
        ("trace", Level::Trace),
    ];
    let log = LogConfig {
        format: section.read("format", |node| one_of(node, &formats)).unwrap_or_default(),
        level: section.read("level", |node| one_of(node, &levels)).unwrap_or_default(),
    };
    section.finish();
    log
}

/// A prefix in network form, or an address, which is the prefix of it alone.
pub(super) fn prefix(text: &str) -> Result<IpNet, String> {
    let prefix =
        text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
            format!("must be a prefix, such as `192.0.2.0/24` or `2001:db8::/32`, not `{}`", quoted(text))
        })?;
    // Somebody meant either the address or the network, and the difference is what may be scanned.
    if prefix == prefix.trunc() {
        Ok(prefix)
    } else {
        Err(format!(
            "`{}` has bits beyond its length: write `{}`, or the address alone",
            quoted(text),
            prefix.trunc()
        ))
    }
}

/// A list of tables with those that variables add behind the file's, which have no node; `keys` are those by which a variable begins one.
/// None when there are more than `max`.
pub(super) fn tables_and_variables(
    root: &mut Section<'_>,
    key: &'static str,
    keys: &[&str],
    (max, noun): (usize, &str),
) -> Option<Vec<Option<Node>>> {
    let mut nodes: Vec<Option<Node>> = tables(root, key).unwrap_or_default().into_iter().map(Some).collect();
    let begins = |root: &Section<'_>, index: usize| {
        let variable = |inner: &&str| root.variable(&format!("{key}__{index}__{inner}"));
        keys.iter().any(|inner| root.reading().variable(&variable(inner)).is_some())
    };
    while nodes.len() <= max && begins(root, nodes.len()) {
        nodes.push(None);
    }
    if nodes.len() > max {
        root.problem(&Origin::Whole, key, format!("there are more than {max} {noun}"));
        return None;
    }
    Some(nodes)
}

/// What a list of tables has, each with where it begins.
fn tables(root: &mut Section<'_>, key: &'static str) -> Option<Vec<Node>> {
    let Node { origin, value } = root.take(key)?;
    match value {
        Value::List(nodes) if !nodes.is_empty() => return Some(nodes),
        Value::List(_) => root.problem(&origin, key, "is empty"),
        other => {
            root.problem(
                &origin,
                key,
                format!("must be a list of tables, as `[[{key}]]` makes one, not {}", other.kind()),
            );
        }
    }
    None
}
