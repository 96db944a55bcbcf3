//! Rows: one ingress permission of one address, as contract §4 defines it.

use std::cmp::Ordering;
use std::fmt::{self, Write};
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
    /// Whether two rows are the same: with all their keys. A port that passes from no server to one closes a row and opens another,
    /// though nothing new can be reached by it.
    pub fn same_exposure(&self, other: &Self) -> bool {
        self.cmp_exposure(other) == Ordering::Equal
    }

    /// An order over rows, for merging and sorting; not the order in which rows are shown.
    pub fn cmp_exposure(&self, other: &Self) -> Ordering {
        let of_what = |row: &'_ Self| (row.via, row.address, row.fixed_ip);
        (self.port_id.cmp(&other.port_id))
            .then_with(|| of_what(self).cmp(&of_what(other)))
            .then_with(|| self.rule_id.cmp(&other.rule_id))
            .then_with(|| self.permission.cmp(&other.permission))
            .then_with(|| self.security_group_id.cmp(&other.security_group_id))
            .then_with(|| self.device_id.cmp(&other.device_id))
            .then_with(|| self.device_owner.cmp(&other.device_owner))
            .then_with(|| self.project_id.cmp(&other.project_id))
            .then_with(|| self.network_id.cmp(&other.network_id))
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

impl Row {
    /// The order of [`Self::sort_key`] without making the keys.
    fn cmp_shown(&self, other: &Self) -> Ordering {
        let first = |row: &Self| row.permission.ports.map(|(min, _)| min);
        let address = if self.address == other.address {
            Ordering::Equal
        } else {
            self.address_text().cmp(&other.address_text())
        };
        address
            .then_with(|| self.via.cmp(&other.via))
            .then_with(|| self.port_id.cmp(&other.port_id))
            .then_with(|| self.rule_id.cmp(&other.rule_id))
            .then_with(|| first(self).cmp(&first(other)))
            .then_with(|| self.permission.cmp(&other.permission))
            .then_with(|| self.fixed_ip.cmp(&other.fixed_ip))
    }
}

/// Puts rows into the order of contract §4.
pub fn sort_rows(rows: &mut [Row]) {
    sort_by_row(rows, |row| row);
}

/// Puts what has a row each into the order of contract §4.
pub fn sort_by_row<T>(rows: &mut [T], row: impl Fn(&T) -> &Row) {
    // Nearly always the address alone decides, and its text nearly always fits into a number.
    let heads = rows.iter().enumerate().map(|(at, item)| (address_head(row(item).address), at));
    let mut heads: Vec<(u128, usize)> = heads.collect();
    heads.sort_unstable();
    for at in 0..heads.len() {
        let mut from = heads[at].1;
        while from < at {
            // What stood there has gone where its place's row came from.
            from = heads[from].1;
        }
        heads[at].1 = from;
        rows.swap(at, from);
    }
    let mut rest = rows;
    for run in heads.chunk_by(|one, other| one.0 == other.0) {
        let (same, others) = rest.split_at_mut(run.len());
        same.sort_by(|one, other| row(one).cmp_shown(row(other)));
        rest = others;
    }
}

/// The first bytes of an address as rows show it, as a number that has their order: rows are sorted by it before anything else. Only
/// addresses whose texts begin alike have the same.
pub fn address_head(net: IpNet) -> u128 {
    let mut head = Head { bytes: [0; 16], length: 0 };
    // Writing never fails: what does not fit is cut.
    let _ = if net.prefix_len() == net.max_prefix_len() {
        write!(head, "{}", net.addr())
    } else {
        write!(head, "{net}")
    };
    u128::from_be_bytes(head.bytes)
}

/// As much of a text as fits.
struct Head {
    bytes: [u8; 16],
    length: usize,
}

impl Write for Head {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.bytes[self.length..];
        let fits = text.len().min(free.len());
        free[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.length += fits;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(address: &str, via: Via, port: &str, rule: Option<&str>) -> Row {
        Row {
            address: address.parse().expect(address),
            via,
            fixed_ip: None,
            port_id: Id::new(port),
            device_id: None,
            device_owner: None,
            project_id: None,
            network_id: None,
            region: None,
            permission: Permission::everything(false),
            security_group_id: None,
            rule_id: rule.map(Id::new),
        }
    }

    /// The quick order is the order of the keys, whatever the addresses' texts begin with.
    #[test]
    fn rows_are_sorted_as_their_keys() {
        let addresses = [
            "10.0.0.10/32",
            "10.0.0.1/32",
            "10.0.0.2/32",
            "10.0.0.1/31",
            "100.200.100.200/31",
            "100.200.100.200/32",
            "100.200.100.200/30",
            "fd00:0:1:2:3:4:5:6/128",
            "fd00:0:1:2:3:4:5:7/128",
            "fd00:0:1:2:3:4:5:6/127",
            "fd00::/8",
            "::/0",
        ];
        let mut rows = Vec::new();
        for address in addresses.iter().rev() {
            for via in [Via::Pair, Via::Fixed] {
                for port in ["b", "a"] {
                    rows.extend([Some("r2"), None, Some("r1")].map(|rule| row(address, via, port, rule)));
                }
            }
        }
        let mut expected = rows.clone();
        expected.sort_by_cached_key(Row::sort_key);
        sort_rows(&mut rows);
        assert_eq!(rows, expected);
    }
}
