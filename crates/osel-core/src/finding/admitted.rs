//! What the model admits at one address, and in which words it is told.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::exposure::SourceFilter;
use crate::ids::Id;
use crate::model::{Permission, Row, Slot, Source, Via, View, host, net_text};
use crate::scan::{Expected, Transport};

/// The most sources or permissions that a sentence names: enough to know which rules are meant.
const NAMED_MAX: usize = 3;
/// The numbers of the protocols that are scanned.
const TCP: u8 = 6;
const UDP: u8 = 17;

/// What is admitted at one address at one moment.
#[derive(Clone, Debug, Default)]
pub struct Admitted {
    /// Each row with whether its source may contain an address of the internet.
    rows: Vec<(Row, bool)>,
    /// The ports that have the address or that it leads to, each with its groups.
    ports: Vec<(Id, Vec<Id>)>,
    /// Whether the model has the address at all.
    is_held: bool,
}

impl Admitted {
    /// What a cloud admits at an address of a network, or of none for a floating IP.
    pub fn of(view: &impl View, network_id: Option<&Id>, address: IpAddr) -> Self {
        let mut admitted = Self::default();
        let mut slots: BTreeSet<Slot> = BTreeSet::new();
        if network_id.is_none() {
            for floating in view.floating_ips_at(address) {
                admitted.is_held = true;
                let forwarded = view.forwardings_of(&floating.id).into_iter();
                let ids = forwarded.filter_map(|forwarding| forwarding.internal_port_id.as_ref());
                slots.extend(ids.chain(&floating.port_id).filter_map(|id| view.port_slot(id)));
            }
        }
        let holding = view.ports_holding(host(address), false).into_iter();
        let holding: Vec<Slot> =
            holding.filter(|&slot| view.port(slot).network_id.as_ref() == network_id).collect();
        admitted.is_held |= !holding.is_empty();
        slots.extend(&holding);
        let mut rows = Vec::new();
        for slot in slots {
            let port = view.port(slot);
            admitted.ports.push((port.id.clone(), port.security_groups.to_vec()));
            let is_holding = holding.contains(&slot);
            let first = rows.len();
            view.rows_where(slot, &|net| net.contains(&host(address)), &mut rows);
            let mut place = 0;
            rows.retain(|row: &Row| {
                place += 1;
                let is_outer = matches!(row.via, Via::Floating | Via::Forwarding);
                place <= first || if is_outer { network_id.is_none() } else { is_holding }
            });
        }
        let mut internet = SourceFilter::internet();
        admitted.rows = rows
            .into_iter()
            .map(|row| (internet.keeps(view, &row), row))
            .map(|(is, row)| (row, is))
            .collect();
        admitted
    }

    /// What rows admit, for tests that have no cloud.
    #[cfg(test)]
    pub(super) fn of_rows(rows: Vec<(Row, bool)>, is_held: bool) -> Self {
        let ports = if is_held { vec![(Id::new("p"), vec![Id::new("g")])] } else { Vec::new() };
        Self { rows, ports, is_held }
    }

    /// Whether the model has the address.
    pub fn is_held(&self) -> bool {
        self.is_held
    }

    /// Whether anything is admitted to a port.
    pub fn admits(&self, at: (Transport, u16)) -> bool {
        self.to(at).next().is_some()
    }

    /// Whether the whole family is admitted to a port.
    pub fn is_world_open(&self, at: (Transport, u16)) -> bool {
        self.to(at).any(|(row, _)| row.permission.source == Source::family(row.permission.ipv6))
    }

    /// Whether the internet is admitted to a port, or to any for none.
    pub fn admits_internet(&self, at: Option<(Transport, u16)>) -> bool {
        match at {
            Some(at) => self.to(at).any(|(_, internet)| *internet),
            None => {
                self.rows.iter().any(|(row, internet)| *internet && transport_of(&row.permission).is_ok())
            }
        }
    }

    /// Whether all that is admitted by TCP and UDP is among these ports.
    pub fn is_within(&self, asked: &Expected) -> bool {
        self.rows.iter().all(|(row, _)| match (transport_of(&row.permission), row.permission.ports) {
            (Err(()), _) => true,
            (Ok(Some(transport)), Some((first, last))) => {
                usize::from(last - first) < asked.len()
                    && (first..=last).all(|port| asked.contains_key(&(transport, port)))
            }
            (Ok(_), _) => false,
        })
    }

    /// From where a port is admitted: `0.0.0.0/0, 198.51.100.0/24 and 2 more`.
    pub fn sources_text(&self, at: Option<(Transport, u16)>) -> String {
        let rows = self.rows.iter().filter(|(row, _)| at.is_none_or(|at| admits(&row.permission, at)));
        let sources: BTreeSet<&Source> = rows.map(|(row, _)| &row.permission.source).collect();
        some_of(sources.into_iter().map(source_text))
    }

    /// What the model has at the address, for whoever is surprised that it answers.
    pub fn text(&self) -> String {
        if !self.is_held {
            return "which has no port with this address".to_owned();
        }
        if self.ports.is_empty() {
            return "which has the address, and it leads nowhere".to_owned();
        }
        let ports = some_of(self.ports.iter().map(|(id, groups)| match groups.is_empty() {
            true => format!("port {id} without a security group"),
            false => format!("port {id} with security groups {}", some_of(groups.iter().map(Id::to_string))),
        }));
        let permissions: BTreeSet<String> =
            self.rows.iter().map(|(row, _)| permission_text(&row.permission)).collect();
        match permissions.is_empty() {
            true => format!("which has {ports}, and nothing that is admitted there"),
            false => format!("which has {ports}, and admits {} there", some_of(permissions.into_iter())),
        }
    }

    /// The rows that admit anybody to a port, each with whether that may be the internet.
    pub(super) fn to(&self, at: (Transport, u16)) -> impl Iterator<Item = &(Row, bool)> {
        self.rows.iter().filter(move |(row, _)| admits(&row.permission, at))
    }
}

fn admits(permission: &Permission, (transport, port): (Transport, u16)) -> bool {
    match transport_of(permission) {
        Ok(of) => of.is_none_or(|of| of == transport) && permission.admits_port(Some(port), None),
        Err(()) => false,
    }
}

/// The transport that a permission is about, none for both; an error when it is about neither.
fn transport_of(permission: &Permission) -> Result<Option<Transport>, ()> {
    use crate::model::Protocol;

    match permission.protocol {
        Protocol::Any => Ok(None),
        Protocol::Number(TCP) => Ok(Some(Transport::Tcp)),
        Protocol::Number(UDP) => Ok(Some(Transport::Udp)),
        _ => Err(()),
    }
}

fn source_text(source: &Source) -> String {
    match source {
        Source::Prefix(prefix) => net_text(*prefix),
        Source::Group(id) => format!("security group {id}"),
        Source::AddressGroup(id) => format!("address group {id}"),
    }
}

fn permission_text(permission: &Permission) -> String {
    let ports = match permission.ports {
        Some((first, last)) if first == last => format!(" {first}"),
        Some((first, last)) => format!(" {first}-{last}"),
        None => String::new(),
    };
    format!("{}{ports} from {}", permission.protocol.name(), source_text(&permission.source))
}

/// The first few of a list, and how many more there are.
fn some_of(texts: impl Iterator<Item = String>) -> String {
    let mut texts = texts;
    let named: Vec<String> = texts.by_ref().take(NAMED_MAX).collect();
    match texts.count() {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
