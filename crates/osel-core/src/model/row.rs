//! Rows: one ingress permission of one address, as contract §4 defines it.

use std::cmp::Ordering;
use std::sync::Arc;

use ipnet::IpNet;

use super::permission::Permission;
use crate::ids::Id;

/// How an address leads to its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Via {
    /// A fixed IP of the port.
    Fixed,
    /// A floating IP.
    Floating,
    /// A port forwarding of a floating IP.
    Forwarding,
    /// An allowed address pair.
    Pair,
}

impl Via {
    /// The word in rows.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Floating => "floating",
            Self::Forwarding => "forwarding",
            Self::Pair => "pair",
        }
    }

    /// The way with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Fixed, Self::Floating, Self::Forwarding, Self::Pair]
            .into_iter()
            .find(|via| via.as_str() == word)
    }
}

/// One ingress permission of one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The address that a packet is sent to; a prefix only for a wider allowed address pair.
    pub address: IpNet,
    /// How it leads to the port.
    pub via: Via,
    /// The inner address.
    pub fixed_ip: Option<IpNet>,
    /// The port.
    pub port_id: Id,
    /// Its device.
    pub device_id: Option<Id>,
    /// What made it.
    pub device_owner: Option<Arc<str>>,
    /// Its project.
    pub project_id: Option<Id>,
    /// Its network.
    pub network_id: Option<Id>,
    /// Its region.
    pub region: Option<Arc<str>>,
    /// What is admitted; the ports are those of `address`.
    pub permission: Permission,
    /// The group whose rule admits it; none for an unfiltered port.
    pub security_group_id: Option<Id>,
    /// The rule that admits it; none for an unfiltered port.
    pub rule_id: Option<Id>,
}

impl Row {
    /// Whether two rows are the same exposure. Device, owner, project and network say whose it is, not what it is: a port that
    /// gets a device opens nothing.
    pub fn same_exposure(&self, other: &Self) -> bool {
        self.cmp_exposure(other) == Ordering::Equal
    }

    /// An order over exposures, for merging and sorting; not the order in which rows are shown.
    pub fn cmp_exposure(&self, other: &Self) -> Ordering {
        (
            &self.port_id,
            self.via,
            self.address,
            &self.rule_id,
            &self.permission,
            self.fixed_ip,
            &self.security_group_id,
        )
            .cmp(&(
                &other.port_id,
                other.via,
                other.address,
                &other.rule_id,
                &other.permission,
                other.fixed_ip,
                &other.security_group_id,
            ))
    }

    /// The address as rows show it: bare when it is a single one, else in network form.
    pub fn address_text(&self) -> String {
        net_text(self.address)
    }
}

/// A prefix as rows show it: a single address is bare.
pub fn net_text(net: IpNet) -> String {
    if net.prefix_len() == net.max_prefix_len() { net.addr().to_string() } else { net.to_string() }
}

/// The place of a row in the order of contract §4: by address (as text), way, port, rule and first port; then by all the rest, so
/// that the order is total.
pub type RowKey = (String, Via, String, Option<String>, Option<u16>, Permission, Option<IpNet>);

impl Row {
    /// The row's place among others.
    pub fn sort_key(&self) -> RowKey {
        let rule = self.rule_id.as_ref().map(Id::to_string);
        let first = self.permission.ports.map(|(min, _)| min);
        let (port, permission) = (self.port_id.to_string(), self.permission.clone());
        (self.address_text(), self.via, port, rule, first, permission, self.fixed_ip)
    }
}

/// Puts rows into the order of contract §4.
pub fn sort_rows(rows: &mut [Row]) {
    rows.sort_by_cached_key(Row::sort_key);
}
