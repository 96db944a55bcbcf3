//! `type = "nuclei"`, `"naabu"` and `"masscan"`: programs of which little has to be said.

use std::num::NonZeroU32;

use super::super::keys;
use super::super::keys::Otherwise::Default;
use super::super::section::{Section, number, quoted};
use super::kind::{Abilities, ScannerKind, Type};
use super::program::{self, ProgramConfig, program_keys};

/// The most packets or requests per second.
const RATE_MAX: i64 = 1_000_000;
/// Requests or packets per second, unless told otherwise.
const RATE: i64 = 100;
/// Programs in Go reserve address space by the gigabyte, in MiB.
const GO_MEMORY_MIB: i64 = 8192;
/// masscan keeps a table of what it has seen, in MiB.
const MASSCAN_MEMORY_MIB: i64 = 2048;
/// The most templates.
const TEMPLATES_MAX: usize = 100;

/// A program that scans ports at a rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatedConfig {
    /// The program.
    pub program: ProgramConfig,
    /// Packets or requests per second.
    pub rate: NonZeroU32,
}

/// How nuclei is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NucleiConfig {
    /// The program, with its requests per second.
    pub rated: RatedConfig,
    /// Templates, or folders of them; none for its own choice.
    pub templates: Vec<String>,
}

const PORT_SCANNER: Abilities = Abilities {
    takes_ports: true,
    takes_udp: false,
    takes_ipv6: true,
    window_seconds: 10,
    batch_addresses_max: 256,
    running_max: 1,
    life_seconds_max: 7200,
};

/// nuclei.
pub(super) const NUCLEI: Type = Type {
    name: "nuclei",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"nuclei\"",
        what: "The program nuclei, which looks for known weaknesses at the ports that changed.",
        is_optional: true,
        needs: &["name = \"nuclei\"", "type = \"nuclei\""],
    }),
    keys: program_keys!(
        "nuclei",
        Default("\"nuclei\""),
        "8192",
        [
            ("rate", Default("100"), "Requests per second."),
            (
                "templates",
                Default("[]"),
                "Templates or folders of templates, by their paths; without any, nuclei's own choice."
            ),
        ]
    ),
    read: |section| {
        let rated = rated(section, "nuclei", GO_MEMORY_MIB);
        let templates = section.list("templates", 0..=TEMPLATES_MAX, template).unwrap_or_default();
        Some(ScannerKind::Nuclei(Box::new(NucleiConfig { rated: rated?, templates })))
    },
    abilities: Abilities { batch_addresses_max: 32, window_seconds: 60, ..PORT_SCANNER },
};

/// naabu.
pub(super) const NAABU: Type = Type {
    name: "naabu",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"naabu\"",
        what: "The program naabu, which names open ports.",
        is_optional: true,
        needs: &["name = \"naabu\"", "type = \"naabu\""],
    }),
    keys: program_keys!(
        "naabu",
        Default("\"naabu\""),
        "8192",
        [("rate", Default("100"), "Packets per second.")]
    ),
    read: |section| rated(section, "naabu", GO_MEMORY_MIB).map(|config| ScannerKind::Naabu(Box::new(config))),
    abilities: PORT_SCANNER,
};

/// masscan.
pub(super) const MASSCAN: Type = Type {
    name: "masscan",
    section: Some(keys::Section {
        header: "[[scanner]] # type = \"masscan\"",
        what: "The program masscan, which names open ports. It needs CAP_NET_RAW.",
        is_optional: true,
        needs: &["name = \"masscan\"", "type = \"masscan\""],
    }),
    keys: program_keys!(
        "masscan",
        Default("\"masscan\""),
        "2048",
        [("rate", Default("100"), "Packets per second.")]
    ),
    read: |section| {
        rated(section, "masscan", MASSCAN_MEMORY_MIB).map(|config| ScannerKind::Masscan(Box::new(config)))
    },
    abilities: PORT_SCANNER,
};

fn rated(section: &mut Section<'_>, program: &str, memory_mib: i64) -> Option<RatedConfig> {
    let program = program::read(section, Some(program), memory_mib);
    let rate = section.read("rate", |node| number(node, 1..=RATE_MAX)).unwrap_or(RATE);
    let rate = u32::try_from(rate).ok().and_then(NonZeroU32::new)?;
    Some(RatedConfig { program: program?, rate })
}

/// A path; nothing that nuclei takes for an option or for several.
fn template(text: &str) -> Result<String, String> {
    if text.starts_with('-') || text.contains([',', '\0']) {
        return Err(format!("`{}` is no path of a template", quoted(text)));
    }
    Ok(text.to_owned())
}
