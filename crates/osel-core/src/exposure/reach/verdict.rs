//! What is asked and what is answered.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::exposure::not_modelled::NotModelled;
use crate::ids::Id;
use crate::model::{Kind, Protocol, Via};

/// A packet, or a family of packets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Its source.
    pub from: IpAddr,
    /// The address it is sent to.
    pub to: IpAddr,
    /// Its protocol; `any` asks whether a packet of some protocol is admitted that has this port where it has
    /// ports.
    pub protocol: Protocol,
    /// Its port (ICMP: its type); none asks whether any is admitted. Protocols without ports do not look at
    /// it.
    pub port: Option<u16>,
    /// ICMP code; none asks whether any is admitted.
    pub icmp_code: Option<u8>,
    /// Only ports on this network.
    pub network: Option<Id>,
    /// Only this port.
    pub port_id: Option<Id>,
}

impl Question {
    /// The question about one packet, in any network and for any port.
    pub fn new(from: IpAddr, to: IpAddr, protocol: Protocol, port: Option<u16>) -> Self {
        Self { from, to, protocol, port, icmp_code: None, network: None, port_id: None }
    }
}

/// Why the answer is what it is; a later one got further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Sender and receiver are of different families.
    Family,
    /// Nothing answers for the address.
    NoSuchAddress,
    /// Nothing leads to it from there.
    NoPath,
    /// The port, its network or the router on the way is switched off.
    AdminDown,
    /// No rule lets the packet in.
    NoRule,
    /// It gets in.
    Admitted,
}

impl Reason {
    /// The word in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Family => "family",
            Self::NoSuchAddress => "no_such_address",
            Self::NoPath => "no_path",
            Self::AdminDown => "admin_down",
            Self::NoRule => "no_rule",
            Self::Admitted => "admitted",
        }
    }
}

/// A thing on the way of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// What it is.
    pub kind: Kind,
    /// Its id; none for a gateway's port that only its router tells of, and for the unknown network of a
    /// port.
    pub id: Option<Id>,
    /// Its name, where it has one that is known.
    pub name: Option<Box<str>>,
    /// The name of the server that a port is of, where somebody looked for it: nothing here knows names.
    pub server: Option<Box<str>>,
    /// What it does here, or why it stops the packet.
    pub note: Option<String>,
    /// Whether it stops the packet.
    pub blocked: bool,
}

impl Hop {
    pub(super) fn new(kind: Kind, id: Option<&Id>, name: Option<&str>) -> Self {
        let name = name.filter(|name| !name.is_empty()).map(Box::from);
        Self { kind, id: id.cloned(), name, server: None, note: None, blocked: false }
    }

    pub(super) fn noted(self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self }
    }

    /// Says why the packet stops here. An earlier note gives way.
    pub(super) fn stops(self, why: impl Into<String>) -> Self {
        Self { blocked: true, ..self.noted(why) }
    }
}

/// The answer for one thing that answers for the address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CandidateVerdict {
    /// The port; none for a gateway's port that only its router tells of.
    pub port_id: Option<Id>,
    /// How the address leads to it.
    pub via: Via,
    /// The address as the port has it: a prefix for a wider allowed address pair.
    pub address: IpNet,
    /// The inner address.
    pub fixed_ip: Option<IpNet>,
    /// The region it is in.
    pub region: Option<Arc<str>>,
    /// How far the packet gets.
    pub reason: Reason,
    /// A rule that lets it in; none where none is needed.
    pub rule_id: Option<Id>,
    /// What is on the way, from the sender's side to the rule, or what stops it.
    pub path: Vec<Hop>,
    /// What could make this another answer and is not modelled.
    pub not_modelled: Vec<NotModelled>,
}

impl CandidateVerdict {
    /// Whether the packet gets in.
    pub fn reachable(&self) -> bool {
        self.reason == Reason::Admitted
    }
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the packet gets in by any way.
    pub reachable: bool,
    /// Why, by the way that got furthest.
    pub reason: Reason,
    /// That way.
    pub path: Vec<Hop>,
    /// A rule that lets it in; none where none is needed.
    pub rule_id: Option<Id>,
    /// Every port that answers for the address.
    pub candidates: Vec<CandidateVerdict>,
    /// What could make this another answer and is not modelled.
    pub not_modelled: Vec<NotModelled>,
}

impl Verdict {
    /// The things on all ways of the answer.
    pub fn hops_mut(&mut self) -> impl Iterator<Item = &mut Hop> {
        let others = self.candidates.iter_mut().flat_map(|candidate| &mut candidate.path);
        self.path.iter_mut().chain(others)
    }
}

impl Verdict {
    pub(super) fn nothing(reason: Reason, path: Vec<Hop>) -> Self {
        Self {
            reachable: false,
            reason,
            path,
            rule_id: None,
            candidates: Vec::new(),
            not_modelled: Vec::new(),
        }
    }

    /// The first of those that got furthest decides.
    pub(super) fn of(candidates: Vec<CandidateVerdict>, dead_ends: Vec<Hop>) -> Self {
        let furthest = candidates.iter().map(|candidate| candidate.reason).max();
        let Some(decides) = candidates.iter().find(|candidate| Some(candidate.reason) == furthest) else {
            return Self::nothing(Reason::NoSuchAddress, dead_ends);
        };
        Self {
            reachable: decides.reachable(),
            reason: decides.reason,
            path: decides.path.clone(),
            rule_id: decides.rule_id.clone(),
            not_modelled: decides.not_modelled.clone(),
            candidates,
        }
    }
}
