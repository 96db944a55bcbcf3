//! One order to one scanner, as it is written down before it is carried out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Transport;
use crate::ids::Id;
use crate::time::Timestamp;

/// Names one command for ever; the same one may be carried out twice after a crash.
pub type CommandId = Id;

/// Ports of one address, each with what is expected: true when it is exposed.
pub type Expected = BTreeMap<(Transport, u16), bool>;

/// Why something is scanned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScanReason {
    /// What is exposed there has changed.
    #[default]
    Change,
    /// A scan saw something odd: once more, after the cloud's agents had time to follow.
    Confirm,
}

/// One address of a command. An address is in a command once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanTarget {
    /// The address.
    pub address: IpAddr,
    /// The network that has it; none for a floating IP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_id: Option<Id>,
    /// The project of the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<Id>,
    /// The ports, with whether each is exposed.
    #[serde(with = "expected_list")]
    pub expected: Expected,
    /// Whether more ports changed than are scanned.
    #[serde(default)]
    pub partial: bool,
    /// The records that asked for it, the first one first; a bounded number of them.
    pub causes: Vec<u64>,
}

/// A command to a scanner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanCommand {
    /// Its id, which every record about it carries.
    pub id: CommandId,
    /// The record that planned it.
    pub seq: u64,
    /// The scanner's name in the configuration.
    pub scanner: Arc<str>,
    /// The scanner's type: `builtin`, `nmap`, `qualys`.
    pub kind: Arc<str>,
    /// The region of the addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// What is scanned, in the order of addresses; at least one.
    pub targets: Vec<ScanTarget>,
    /// Why.
    #[serde(default)]
    pub reason: ScanReason,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// After this it is not begun any more, and what is under way is given up.
    pub expires_at: Timestamp,
}

impl ScanCommand {
    /// The first record that asked for any of it; zero for none.
    pub fn cause(&self) -> u64 {
        self.targets.iter().filter_map(|target| target.causes.first()).min().copied().unwrap_or(0)
    }
}

/// A map with pairs as keys as a list, since JSON has no other keys than texts.
pub(crate) mod expected_list {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Expected, Transport};

    pub(crate) fn serialize<S: Serializer>(expected: &Expected, serializer: S) -> Result<S::Ok, S::Error> {
        let list: Vec<(Transport, u16, bool)> =
            expected.iter().map(|(&(transport, port), &exposed)| (transport, port, exposed)).collect();
        list.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Expected, D::Error> {
        let list = Vec::<(Transport, u16, bool)>::deserialize(deserializer)?;
        Ok(list.into_iter().map(|(transport, port, exposed)| ((transport, port), exposed)).collect())
    }
}
