//! `type = "qualys"`: Qualys VM, by its API.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use osel_core::conduct::FETCH_MICROS_MAX;

use super::super::keys::{self, Key, Otherwise};
use super::super::look;
use super::super::parts::TlsConfig;
use super::super::proxy::{ProxyConfig, proxy};
use super::super::section::{Section, boolean, number, one_of, quoted, text};
use super::super::tree::{Node, Value};
use super::super::{Secret, files, reference};
use super::kind::{Abilities, ScannerKind, Type};

/// The longest name of a profile, group or appliance.
const NAME_CHARS_MAX: usize = 200;
/// The most groups or appliances of one scan.
const NAMES_MAX: usize = 100;
/// The most ranges of ports.
const RANGES_MAX: usize = 200;
/// Qualys' own scanners in the internet.
const EXTERNAL: &str = "External";
/// How long one answer may take; lists of large subscriptions take their time.
const ANSWER_SECONDS: i64 = 60;
/// The longest that an answer may take: what waits longer is not answered any more.
const ANSWER_SECONDS_MAX: i64 = 120;
/// How long a result may take to come as a whole: large ones are written while they are sent.
const RESULT_SECONDS: i64 = 600;
/// The longest that a result may take: a fetch is given up after a quarter of an hour, and asks for a list or two besides.
const RESULT_SECONDS_MAX: i64 = 720;
const _: () = assert!((RESULT_SECONDS_MAX + ANSWER_SECONDS) as u64 * 1_000_000 < FETCH_MICROS_MAX);

/// What an account of Qualys is reached with, and how its scans are made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualysConfig {
    /// Scheme and host of the API, without a stroke at its end.
    pub url: String,
    /// The account.
    pub user: Secret,
    /// Its password.
    pub password: Secret,
    /// The way to the API, where it is not direct.
    pub proxy: Option<ProxyConfig>,
    /// Whom to trust.
    pub tls: TlsConfig,
    /// What is looked for.
    pub profile: QualysProfile,
    /// Who looks.
    pub appliance: QualysAppliance,
    /// Groups that are scanned along with the addresses.
    pub asset_groups: Vec<String>,
    /// From 0, none, to 9, the lowest.
    pub priority: u8,
    /// The network of the addresses, where there are several.
    pub network_id: Option<u32>,
    /// Whether addresses of IPv6 are handed over.
    pub takes_ipv6: bool,
    /// Whether an address that is not in the subscription is added to it.
    pub adds_addresses: bool,
    /// Whether a scan is deleted at Qualys once its result is here.
    pub deletes_scans: bool,
    /// Whether the appliances are asked for before a launch.
    pub checks_appliance: bool,
    /// Ports of TCP that the profile is known to probe.
    pub covers_tcp: Vec<RangeInclusive<u16>>,
    /// Ports of UDP that the profile is known to probe.
    pub covers_udp: Vec<RangeInclusive<u16>>,
    /// The versions of the endpoints.
    pub versions: QualysVersions,
    /// How long one answer, or a further piece of it, may take.
    pub answer_seconds: u32,
    /// How long a result may take as a whole.
    pub result_seconds: u32,
}

/// An option profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QualysProfile {
    /// By its title.
    Title(String),
    /// By its id.
    Id(u32),
}

/// Who looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QualysAppliance {
    /// Those of these names; `External` are Qualys' own in the internet.
    Named(Vec<String>),
    /// The default one of each address.
    Default,
    /// All of the asset groups.
    OfGroups,
}

/// The version of each endpoint, since they change one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QualysVersions {
    /// Launch, fetch, cancel, delete.
    pub scan: String,
    /// The list of scans.
    pub list: String,
    /// Addresses of the subscription.
    pub address: String,
    /// Excluded addresses.
    pub exclusion: String,
    /// Appliances.
    pub appliance: String,
}

use Otherwise::{Default, Needed, Words};

const fn key(path: &'static str, otherwise: Otherwise, what: &'static str) -> Key {
    Key { path, otherwise, what }
}

const KEYS: &[Key] = &[
    key(
        "scanner.qualys.url",
        Needed("\"https://qualysapi.qualys.com\""),
        "The host of the API; each platform of Qualys has its own, and a wrong one says that the password is wrong.",
    ),
    key(
        "scanner.qualys.user",
        Needed("{ file = \"/etc/osel/qualys-user\" }"),
        "The account, or where it stands. It needs access to the API.",
    ),
    key(
        "scanner.qualys.password",
        Needed("{ file = \"/etc/osel/qualys-password\" }"),
        "Its password; it is read again for each order.",
    ),
    key(
        "scanner.qualys.option_profile",
        Needed("\"Initial Options\""),
        "The option profile: its title, or its id as a number.",
    ),
    key(
        "scanner.qualys.appliance",
        Default("[\"External\"]"),
        "The names of the scanner appliances, of which `External` are those of Qualys in the internet; or `\"default\"` for the default \
         appliance of each address, or `\"asset_groups\"` for all of the asset groups.",
    ),
    key(
        "scanner.qualys.asset_groups",
        Words("none", "[\"Cloud\"]"),
        "Titles of asset groups that are scanned as a whole along with the addresses of every order.",
    ),
    key(
        "scanner.qualys.priority",
        Default("0"),
        "The processing priority, from 1, the first, to 9; 0 is none.",
    ),
    key(
        "scanner.qualys.network_id",
        Words("the default network", "0"),
        "The id of the network of the addresses, where the account has several.",
    ),
    key(
        "scanner.qualys.ipv6",
        Default("\"never\""),
        "`never` leaves out addresses of IPv6 and records so; `allowed` hands them over, for which the account needs the feature.",
    ),
    key(
        "scanner.qualys.add_addresses",
        Default("false"),
        "Whether an address that is not in the subscription is added to it, which takes licences; otherwise it is left out, and recorded so.",
    ),
    key(
        "scanner.qualys.delete_scans",
        Default("false"),
        "Whether a scan is deleted at Qualys once its result is recorded here.",
    ),
    key(
        "scanner.qualys.check_appliance",
        Default("false"),
        "Whether a launch waits while an appliance of `appliance` is offline.",
    ),
    key(
        "scanner.qualys.covers_tcp",
        Words("none", "[\"1-65535\"]"),
        "Ports of TCP that the option profile probes: one of them that Qualys does not list counts as closed, any other as not probed.",
    ),
    key(
        "scanner.qualys.covers_udp",
        Words("none", "[\"53\", \"123\"]"),
        "The same for UDP, of which one that is not listed may be filtered as well.",
    ),
    key(
        "scanner.qualys.proxy",
        Words("none", "\"http://proxy.example:3128\""),
        "The proxy on the way to the API.",
    ),
    key(
        "scanner.qualys.proxy_user",
        Words("none", "{ file = \"/etc/osel/proxy-user\" }"),
        "Who we are to the proxy.",
    ),
    key(
        "scanner.qualys.proxy_password",
        Words("none", "{ file = \"/etc/osel/proxy-password\" }"),
        "The password for the proxy.",
    ),
    key(
        "scanner.qualys.ca_file",
        Words("the system's", "\"/etc/osel/ca.pem\""),
        "The authorities that may have signed the certificate of the API, as PEM.",
    ),
    key(
        "scanner.qualys.server_name",
        Words("the host of `url`", "\"qualysapi.qualys.com\""),
        "The name that the certificate must have.",
    ),
    key(
        "scanner.qualys.scan_version",
        Default("\"2.0\""),
        "The version of the API for launch, fetch, cancel and delete.",
    ),
    key("scanner.qualys.list_version", Default("\"2.0\""), "The version of the API for the list of scans."),
    key("scanner.qualys.address_version", Default("\"2.0\""), "The version of the API for addresses."),
    key(
        "scanner.qualys.exclusion_version",
        Default("\"2.0\""),
        "The version of the API for excluded addresses.",
    ),
    key("scanner.qualys.appliance_version", Default("\"2.0\""), "The version of the API for appliances."),
    key(
        "scanner.qualys.answer_seconds",
        Default("60"),
        "How long one answer, or a further piece of one, may take, up to 120.",
    ),
    key(
        "scanner.qualys.result_seconds",
        Default("600"),
        "How long a result may take to come as a whole, up to 720.",
    ),
];

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "qualys",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"qualys\"",
        what: "A subscription of Qualys VM, reached by its API.",
        is_optional: true,
        needs: &["name = \"qualys\"", "type = \"qualys\""],
    }),
    keys: KEYS,
    read: |section| read(section).map(|config| ScannerKind::Qualys(Box::new(config))),
    abilities: Abilities {
        // Which ports are probed stands in the option profile.
        takes_ports: false,
        takes_udp: true,
        takes_ipv6: true,
        // A scan takes minutes, and calls are counted: changes are gathered.
        window_seconds: 300,
        batch_addresses_max: 256,
        running_max: 2,
        life_seconds_max: 86_400,
    },
};

fn read(section: &mut Section<'_>) -> Option<QualysConfig> {
    let url = section.read("url", url);
    if url.is_none() && !section.was_given("url") {
        section.missing(
            "url",
            "write the host of the API of your platform, as \"https://qualysapi.qualys.com\"",
        );
    }
    let user =
        reference::secret_if(|_| false, section, "user", "write { file = \"…\" } or the name of the account");
    let password = reference::secret(section, "password", "write { file = \"…\" }");
    let profile = section.read("option_profile", profile);
    if profile.is_none() && !section.was_given("option_profile") {
        section.missing("option_profile", "give the title of the option profile, or its id as a number");
    }
    let external = || QualysAppliance::Named(vec![EXTERNAL.to_owned()]);
    let appliance = appliance(section).or_else(|| (!section.was_given("appliance")).then(external));
    let proxy = proxy(section);
    let asset_groups = section.list("asset_groups", 1..=NAMES_MAX, name);
    if appliance == Some(QualysAppliance::OfGroups)
        && asset_groups.is_none()
        && !section.was_given("asset_groups")
    {
        section.missing("asset_groups", "`appliance` takes them from there");
    }
    let priority = section.read("priority", |node| number(node, 0..=9)).unwrap_or(0);
    let network_id = section.read("network_id", |node| number(node, 0..=i64::from(u32::MAX)));
    let takes_ipv6 = section.read("ipv6", |node| one_of(node, &[("never", false), ("allowed", true)]));
    let mut is_on = |key| section.read(key, boolean).unwrap_or(false);
    let (adds_addresses, deletes_scans) = (is_on("add_addresses"), is_on("delete_scans"));
    let checks_appliance = is_on("check_appliance");
    let covers_tcp = section.list("covers_tcp", 1..=RANGES_MAX, ports).unwrap_or_default();
    let covers_udp = section.list("covers_udp", 1..=RANGES_MAX, ports).unwrap_or_default();
    let tls = tls(section);
    let mut version = |key| section.read(key, version).unwrap_or_else(|| "2.0".to_owned());
    let versions = QualysVersions {
        scan: version("scan_version"),
        list: version("list_version"),
        address: version("address_version"),
        exclusion: version("exclusion_version"),
        appliance: version("appliance_version"),
    };
    let mut seconds = |key, most, otherwise| {
        let seconds = section.read(key, |node| number(node, 1..=most)).unwrap_or(otherwise);
        u32::try_from(seconds).unwrap_or(u32::MAX)
    };
    let answer_seconds = seconds("answer_seconds", ANSWER_SECONDS_MAX, ANSWER_SECONDS);
    let result_seconds = seconds("result_seconds", RESULT_SECONDS_MAX, RESULT_SECONDS);
    Some(QualysConfig {
        url: url?,
        user: Secret::new(user?.0.to_string()),
        password: Secret::new(password?.0.to_string()),
        proxy: proxy?,
        tls,
        profile: profile?,
        appliance: appliance?,
        asset_groups: asset_groups.unwrap_or_default(),
        priority: u8::try_from(priority).unwrap_or(0),
        network_id: network_id.and_then(|id| u32::try_from(id).ok()),
        takes_ipv6: takes_ipv6.unwrap_or(false),
        adds_addresses,
        deletes_scans,
        checks_appliance,
        covers_tcp,
        covers_udp,
        versions,
        answer_seconds,
        result_seconds,
    })
}

/// `https://HOST[:PORT]`; `http` only where nobody can listen, since a password is sent.
fn url(node: &Node) -> Result<String, String> {
    let given = text(node)?.trim_end_matches('/');
    let (scheme, host) = given.split_once("://").ok_or("must be a URL, as `https://qualysapi.qualys.com`")?;
    if host.is_empty() || host.contains(['/', '?', '#', '@']) || host.contains(char::is_whitespace) {
        return Err("must be scheme and host alone, without user, path or query".to_owned());
    }
    let is_here = host.split(':').next().is_some_and(|host| {
        host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
    });
    match scheme {
        "https" => Ok(given.to_owned()),
        "http" if is_here => Ok(given.to_owned()),
        "http" => Err("must be `https`: the password would be readable on its way".to_owned()),
        other => Err(format!("must be `https`, not `{}`", quoted(other))),
    }
}

/// A text is a title, a number an id.
fn profile(node: &Node) -> Result<QualysProfile, String> {
    if let Value::Number(id) = &node.value {
        let id = u32::try_from(*id).ok().filter(|&id| id > 0);
        return id.map(QualysProfile::Id).ok_or_else(|| "must be a title, or an id from 1".to_owned());
    }
    Ok(QualysProfile::Title(name(text(node)?)?))
}

/// A word is a way to choose, a list are names.
fn appliance(section: &mut Section<'_>) -> Option<QualysAppliance> {
    let ways = [("default", QualysAppliance::Default), ("asset_groups", QualysAppliance::OfGroups)];
    section.read("appliance", |node| match &node.value {
        Value::List(names) if (1..=NAMES_MAX).contains(&names.len()) => {
            let names: Result<Vec<String>, String> = names.iter().map(|node| name(text(node)?)).collect();
            Ok(QualysAppliance::Named(names?))
        }
        Value::List(_) => Err(format!("must have 1 to {NAMES_MAX} names")),
        Value::Text(word) => {
            let way = ways.into_iter().find(|(known, _)| known == word).map(|(_, way)| way);
            way.ok_or_else(|| "must be `default`, `asset_groups`, or a list of names".to_owned())
        }
        other => Err(format!("must be `default`, `asset_groups`, or a list of names, not {}", other.kind())),
    })
}

fn tls(section: &mut Section<'_>) -> TlsConfig {
    let reading = section.reading();
    let ca_file = section.read("ca_file", |node| -> Result<PathBuf, String> {
        let path = reading.resolve(&node.origin, text(node)?);
        files::check_readable(&path).map_err(|error| format!("`{}` {error}", path.display()))?;
        Ok(path)
    });
    let server_name = section.read("server_name", |node| name(text(node)?));
    let tls = TlsConfig { ca_file, server_name, ..TlsConfig::default() };
    look::tls(section, &tls);
    tls
}

/// A name that is written into a list with commas.
fn name(text: &str) -> Result<String, String> {
    if text.chars().count() > NAME_CHARS_MAX || text.contains(|c: char| c == ',' || c.is_control()) {
        return Err(format!("must have at most {NAME_CHARS_MAX} characters, and no comma"));
    }
    Ok(text.to_owned())
}

/// `2.0`.
fn version(node: &Node) -> Result<String, String> {
    let wrong = || "must be a version of the API as a text, as \"2.0\"".to_owned();
    let Value::Text(given) = &node.value else { return Err(wrong()) };
    let is_number =
        |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    match given.split_once('.') {
        Some((major, minor)) if is_number(major) && is_number(minor) => Ok(given.clone()),
        _ => Err(wrong()),
    }
}

/// `22` or `1-1024`.
fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.trim().parse(), last.trim().parse()) {
        (Ok(first), Ok(last)) if 1 <= first && first <= last => Ok(first..=last),
        _ => Err(format!("must be a port or a range as `1-1024`, not `{}`", quoted(text))),
    }
}
