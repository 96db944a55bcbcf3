//! `type = "nmap"`: the program nmap on this machine.

use std::num::NonZeroU32;

use super::super::keys;
use super::super::keys::Otherwise::Default;
use super::super::section::{Section, boolean, number, one_of, quoted};
use super::kind::{Abilities, ScannerKind, Type};
use super::program::{self, ProgramConfig, program_keys};

/// Packets per second, unless told otherwise.
const RATE: i64 = 500;
/// More than any network of a cloud takes well.
const RATE_MAX: i64 = 1_000_000;
/// How often a silent port is asked again.
const RETRIES: i64 = 2;
/// As often nmap does it at most.
const RETRIES_MAX: i64 = 20;
/// When nmap gives up on an address.
const HOST_TIMEOUT_SECONDS: i64 = 300;
/// A day.
const HOST_TIMEOUT_SECONDS_MAX: i64 = 86_400;
/// The most scripts.
const SCRIPTS_MAX: usize = 50;
/// The memory that nmap needs with room to spare, in MiB.
const MEMORY_MIB: i64 = 1024;
/// What stands for many scripts at once, some of which break things.
const CATEGORIES: [&str; 18] = [
    "all",
    "and",
    "auth",
    "broadcast",
    "brute",
    "default",
    "discovery",
    "dos",
    "exploit",
    "external",
    "fuzzer",
    "intrusive",
    "malware",
    "not",
    "or",
    "safe",
    "version",
    "vuln",
];

/// How nmap probes TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Technique {
    /// Half-open where osel may make packets of its own, connecting where not.
    Auto,
    /// By connecting.
    Connect,
    /// Half-open, or not at all.
    Syn,
}

/// How nmap is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NmapConfig {
    /// The program.
    pub program: ProgramConfig,
    /// How TCP is probed.
    pub technique: Technique,
    /// Packets per second.
    pub max_rate: NonZeroU32,
    /// How often a silent port is asked again.
    pub retries: u32,
    /// When nmap gives up on an address, in seconds.
    pub host_timeout_seconds: NonZeroU32,
    /// Whether it finds out which services answer.
    pub service_detection: bool,
    /// The scripts that it runs.
    pub scripts: Vec<String>,
}

/// Its type.
pub(super) const TYPE: Type = Type {
    name: "nmap",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"nmap\"",
        what: "The program nmap on this machine: see docs/scanners/nmap.md for the privileges that it needs.",
        is_optional: true,
        needs: &["name = \"nmap\"", "type = \"nmap\""],
    }),
    keys: program_keys!(
        "nmap",
        Default("\"nmap\""),
        "1024",
        [
            (
                "technique",
                Default("\"auto\""),
                "How TCP is probed: `syn`, half-open, which needs CAP_NET_RAW; `connect`; `auto` for what is possible."
            ),
            ("max_rate", Default("500"), "Packets per second."),
            ("retries", Default("2"), "How often a silent port is asked again, up to 20."),
            (
                "host_timeout_seconds",
                Default("300"),
                "When nmap gives up on an address: its result is then partial."
            ),
            (
                "service_detection",
                Default("false"),
                "Whether nmap finds out which services answer (-sV --version-light)."
            ),
            (
                "scripts",
                Default("[]"),
                "Scripts of nmap that run, by their whole names, such as [\"ssl-cert\"]. Categories are refused."
            ),
        ]
    ),
    read: |section| read(section).map(|config| ScannerKind::Nmap(Box::new(config))),
    abilities: Abilities {
        takes_ports: true,
        takes_udp: true,
        takes_ipv6: true,
        // nmap needs a second to begin, and takes many addresses at once.
        window_seconds: 10,
        batch_addresses_max: 64,
        running_max: 2,
        life_seconds_max: 7200,
    },
};

fn read(section: &mut Section<'_>) -> Option<NmapConfig> {
    let program = program::read(section, Some("nmap"), MEMORY_MIB);
    let techniques = [("auto", Technique::Auto), ("connect", Technique::Connect), ("syn", Technique::Syn)];
    let technique = section.read("technique", |node| one_of(node, &techniques)).unwrap_or(Technique::Auto);
    let mut count = |key, bounds, default: i64| {
        let count = section.read(key, |node| number(node, bounds)).unwrap_or(default);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let max_rate = count("max_rate", 1..=RATE_MAX, RATE);
    let retries = count("retries", 0..=RETRIES_MAX, RETRIES);
    let host_timeout = count("host_timeout_seconds", 1..=HOST_TIMEOUT_SECONDS_MAX, HOST_TIMEOUT_SECONDS);
    let service_detection = section.read("service_detection", boolean).unwrap_or(false);
    let scripts = section.list("scripts", 0..=SCRIPTS_MAX, script).unwrap_or_default();
    Some(NmapConfig {
        program: program?,
        technique,
        max_rate: NonZeroU32::new(max_rate).unwrap_or(NonZeroU32::MIN),
        retries,
        host_timeout_seconds: NonZeroU32::new(host_timeout).unwrap_or(NonZeroU32::MIN),
        service_detection,
        scripts,
    })
}

/// The name of one script: no path, no pattern, no expression, no category.
fn script(name: &str) -> Result<String, String> {
    let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match name {
        _ if CATEGORIES.contains(&name) => Err(format!("`{name}` stands for many scripts: name each")),
        _ if is_name && !name.starts_with('-') => Ok(name.to_owned()),
        _ => Err(format!("`{}` is no name of a script: small letters, digits and `-`", quoted(name))),
    }
}
