//! The types of scanners: one line each, here and where they are built.

use super::super::keys;
use super::super::section::Section;
use super::builtin;

/// What a scanner is, with what only scanners of its type have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScannerKind {
    /// The scanner that osel has in itself.
    Builtin,
}

/// All types.
const TYPES: &[Type] = &[builtin::TYPE];

/// A type of scanner, as its file here describes it.
pub(in crate::config) struct Type {
    /// Its name in the configuration.
    pub(in crate::config) name: &'static str,
    /// What stands about it in the example and the reference; none for a type without keys of its own.
    pub(in crate::config) section: Option<keys::Section>,
    /// Its own keys, with paths `scanner.TYPE.KEY`.
    pub(in crate::config) keys: &'static [keys::Key],
    /// Reads its own keys from the scanner's table.
    pub(in crate::config) read: fn(&mut Section<'_>) -> Option<ScannerKind>,
    /// What it can do, and what holds for it when nobody says otherwise.
    pub(in crate::config) abilities: Abilities,
}

/// What scanners of a type can do, and what suits them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// Whether it scans just the ports that it is told.
    pub takes_ports: bool,
    /// Whether it can be asked for ports of UDP.
    pub takes_udp: bool,
    /// Whether it can be asked for addresses of IPv6.
    pub takes_ipv6: bool,
    /// How long changes are gathered for one scan, in seconds.
    pub window_seconds: u32,
    /// The most addresses of one scan, at least one.
    pub batch_addresses_max: u32,
    /// The most scans at one time, at least one.
    pub running_max: u32,
    /// How long a scan may take with all its waiting, in seconds.
    pub life_seconds_max: u32,
}

impl ScannerKind {
    /// Its name in the configuration.
    pub fn as_str(&self) -> &'static str {
        self.of_type().name
    }

    /// What it can do.
    pub fn abilities(&self) -> Abilities {
        self.of_type().abilities
    }

    fn of_type(&self) -> &'static Type {
        match self {
            Self::Builtin => &builtin::TYPE,
        }
    }
}

/// All types, in the order of the reference.
pub(in crate::config) fn types() -> &'static [Type] {
    TYPES
}
