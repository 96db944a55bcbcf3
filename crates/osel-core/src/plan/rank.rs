//! What is scanned before what.

use serde::{Deserialize, Serialize};

use super::ScanPolicy;
use crate::model::{Row, Source};
use crate::scan::Expected;

/// How soon something is scanned: the smaller the sooner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rank(u8);

impl Rank {
    /// What opened a sensitive port to the world.
    pub const FIRST: Self = Self(0);

    /// Of ports that a row has opened: those open to a whole family of addresses, and sensitive ones, go before others.
    pub(super) fn of(policy: &ScanPolicy, row: &Row, ports: &Expected) -> Self {
        let is_world = matches!(&row.permission.source, Source::Prefix(prefix) if prefix.prefix_len() == 0);
        let is_sensitive = ports.keys().any(|(_, port)| policy.sensitive_ports.contains(port));
        Self(2 - u8::from(is_world) - u8::from(is_sensitive))
    }
}

impl Default for Rank {
    /// Of everything else: what closed, what is looked at once more.
    fn default() -> Self {
        Self(2)
    }
}
