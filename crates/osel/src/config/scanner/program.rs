//! What all scanners that are programs of this machine have in common.

use std::path::Path;

use super::super::section::{Section, number, quoted, text};
use super::super::tree::Node;

/// The longest that one run may take: a day.
const TIMEOUT_SECONDS_MAX: i64 = 86_400;
/// How long one run may take: some thousand ports of silent hosts.
const TIMEOUT_SECONDS: i64 = 1800;
/// The most memory that a process can be given, in MiB: 64 GiB.
const MEMORY_MIB_MAX: i64 = 65_536;
/// The least with which a program gets as far as saying that it has too little.
const MEMORY_MIB_MIN: i64 = 16;
/// The most that one run may write, in MiB: it is held in memory.
const OUTPUT_MIB_MAX: i64 = 1024;
/// Some hundred bytes for each of 65,536 ports of several hosts.
const OUTPUT_MIB: i64 = 64;

/// A program, and what it may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramConfig {
    /// Its path, or its name on the usual path.
    pub program: String,
    /// As whom it runs; none for as whom osel runs, or `nobody` where that is root.
    pub user: Option<String>,
    /// How long one run may take.
    pub timeout_seconds: u32,
    /// The address space of each of its processes, in MiB.
    pub memory_mib: u32,
    /// What one run may write, in MiB.
    pub output_mib: u32,
}

/// Reads it; `default` is the program unless another is named, and `memory_mib` what it needs.
pub(super) fn read(
    section: &mut Section<'_>,
    default: Option<&str>,
    memory_mib: i64,
) -> Option<ProgramConfig> {
    let program = section.take("program").and_then(|node| name(section, &node));
    if program.is_none() && default.is_none() && !section.was_given("program") {
        section.missing("program", "name the program, such as \"/usr/local/bin/probe\"");
    }
    let user = section.read("user", |node| text(node).map(str::to_owned));
    let mut count = |key, bounds, default: i64| {
        let count = section.read(key, |node| number(node, bounds)).unwrap_or(default);
        u32::try_from(count).unwrap_or(u32::MAX)
    };
    let timeout_seconds = count("timeout_seconds", 1..=TIMEOUT_SECONDS_MAX, TIMEOUT_SECONDS);
    let memory_mib = count("memory_mib", MEMORY_MIB_MIN..=MEMORY_MIB_MAX, memory_mib);
    let output_mib = count("output_mib", 1..=OUTPUT_MIB_MAX, OUTPUT_MIB);
    let program = program.or_else(|| default.map(str::to_owned))?;
    Some(ProgramConfig { program, user, timeout_seconds, memory_mib, output_mib })
}

/// Which program it is. One that is not here is no problem: a configuration may be checked on another machine.
fn name(section: &Section<'_>, node: &Node) -> Option<String> {
    match text(node) {
        Ok(name) => {
            if name.starts_with('/') && !Path::new(name).exists() {
                section.warning(
                    &node.origin,
                    "program",
                    format!(
                        "there is no `{}` on this machine: nothing is scanned by it until there is",
                        quoted(name)
                    ),
                );
            }
            Some(name.to_owned())
        }
        Err(what) => {
            section.problem(&node.origin, "program", what);
            None
        }
    }
}

/// The keys of a type of scanner that is a program: those here, and its own.
macro_rules! program_keys {
    ($kind:literal, $program:expr, $memory:expr, [$(($name:literal, $otherwise:expr, $what:expr)),* $(,)?]) => {
        &[
            $crate::config::keys::Key {
                path: concat!("scanner.", $kind, ".program"),
                otherwise: $program,
                what: "The program: a path, or a name on the usual path. It is run without a shell.",
            },
            $(
                $crate::config::keys::Key {
                    path: concat!("scanner.", $kind, ".", $name),
                    otherwise: $otherwise,
                    what: $what,
                },
            )*
            $crate::config::keys::Key {
                path: concat!("scanner.", $kind, ".user"),
                otherwise: $crate::config::keys::Otherwise::Words("`nobody` if osel is root, else osel's own", "\"nobody\""),
                what: "As whom it runs: a local account, or UID:GID. Only root can run it as somebody else.",
            },
            $crate::config::keys::Key {
                path: concat!("scanner.", $kind, ".timeout_seconds"),
                otherwise: $crate::config::keys::Otherwise::Default("1800"),
                what: "How long one run may take before it is killed.",
            },
            $crate::config::keys::Key {
                path: concat!("scanner.", $kind, ".memory_mib"),
                otherwise: $crate::config::keys::Otherwise::Default($memory),
                what: "The address space of each of its processes. Programs in Go and Java take much more than they use.",
            },
            $crate::config::keys::Key {
                path: concat!("scanner.", $kind, ".output_mib"),
                otherwise: $crate::config::keys::Otherwise::Default("64"),
                what: "How much one run may write before it is killed.",
            },
        ]
    };
}
pub(super) use program_keys;
