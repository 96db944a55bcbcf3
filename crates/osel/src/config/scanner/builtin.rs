//! `type = "builtin"`: the scanner that osel has in itself. How hard it may try stands in `[scan]`.

use super::kind::{Abilities, ScannerKind, Type};

/// Its type. It has no keys of its own.
pub(super) const TYPE: Type = Type {
    name: "builtin",
    section: None,
    keys: &[],
    read: |_| Some(ScannerKind::Builtin),
    abilities: Abilities {
        takes_ports: true,
        takes_udp: true,
        takes_ipv6: true,
        // What one order of a person changes comes within a second or two.
        window_seconds: 2,
        batch_addresses_max: 1,
        // So many share the rate and the probes of `[scan]`.
        running_max: 8,
        // A thousand silent ports, each asked four times at an eighth of the default rate, are a minute; the rest is waiting for others.
        life_seconds_max: 3600,
    },
};
