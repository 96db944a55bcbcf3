//! What a question needs to know of a cloud, growing with what is found.
//!
//! Every line that could ever matter between the two records of the question is wanted, with all its versions: a rule that a port's group had
//! for an hour, the port that a floating IP led to last week. Too much does no harm, as rows are asked for by address or project in the end.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use osel_core::ids::{Id, Set};
use osel_core::model::{PortState, RouterState, StateLine};

use super::sketch::{SORTS, Sketch, Sort};

/// Whether an address is asked for.
pub type Wanted = Arc<dyn Fn(IpNet) -> bool + Send + Sync>;

/// What is asked for.
#[derive(Clone)]
pub enum Asked {
    /// The ports of a project.
    Project(Id),
    /// Whatever leads to certain addresses.
    Addresses(Wanted),
    /// Whatever a record after this one changed.
    ChangedAfter(u64),
    /// Whatever may have a say in whether a packet gets there. That is all that carries packets, with the ports by which routers stand on
    /// networks, since a way may lead anywhere and these are few beside the ports that servers have; and of everything else what leads to
    /// one of the two addresses.
    Packet {
        /// The sender's address.
        from: IpAddr,
        /// The address that it is sent to.
        to: IpAddr,
    },
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Project(id) => write!(f, "Project({id})"),
            Self::Addresses(_) => write!(f, "Addresses"),
            Self::ChangedAfter(seq) => write!(f, "ChangedAfter({seq})"),
            Self::Packet { from, to } => write!(f, "Packet({from} to {to})"),
        }
    }
}

/// For each sort how often more of it became wanted, by its place in [`Sort`].
pub(super) type Growth = [u64; SORTS];

/// What is needed to answer.
#[derive(Debug)]
pub struct Scope {
    asked: Asked,
    /// Whether the addresses that groups stand for as sources are needed too.
    sources: bool,
    /// Objects that are wanted, of whatever kind: all that was ever said of them.
    ids: Set<Id>,
    /// Groups whose rules are wanted.
    groups: Set<Id>,
    /// Groups whose ports are wanted; of such a port alone no rules are, unless it is wanted for itself.
    members: Set<Id>,
    /// Ports that floating IPs and forwardings in question lead to.
    targets: Set<Id>,
    /// Floating IPs whose ports are wanted.
    doors: Set<Id>,
    /// Where extra routes send a packet in question: servers there may forward it.
    next_hops: BTreeSet<IpAddr>,
    /// Objects that a record in question changed.
    changed: Set<Id>,
    /// Groups whose addresses a record in question may have changed: rows that have them as source may come into sight.
    moved: Set<Id>,
    growth: Growth,
    /// How often anything became wanted.
    total: u64,
}

impl Scope {
    /// A scope of a question; `sources` when the addresses of groups are needed that rules name as their source.
    pub fn new(asked: Asked, sources: bool) -> Self {
        Self {
            asked,
            sources,
            ids: Set::default(),
            groups: Set::default(),
            members: Set::default(),
            targets: Set::default(),
            doors: Set::default(),
            next_hops: BTreeSet::new(),
            changed: Set::default(),
            moved: Set::default(),
            growth: Growth::default(),
            total: 0,
        }
    }

    /// How often anything became wanted.
    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// How much is wanted of each sort by now.
    pub(super) fn growth(&self) -> Growth {
        self.growth
    }

    /// Whether more of these sorts is wanted than was then: lines of them that were looked at before may be wanted now.
    pub(super) fn has_grown(&self, sorts: u16, then: &Growth) -> bool {
        self.growth
            .iter()
            .zip(then)
            .enumerate()
            .any(|(place, (now, then))| sorts & (1 << place) != 0 && now > then)
    }

    /// Whether a line of a snapshot is wanted, as far as is known.
    pub(super) fn wants(&self, sketch: &Sketch<'_>) -> bool {
        let is_known = || sketch.id().is_some_and(|id| self.ids.contains(&id));
        match sketch.sort {
            Sort::Other => false,
            Sort::Carrier => self.is_of_packet(),
            Sort::AddressGroup => self.sources || self.is_of_packet(),
            Sort::SecurityGroup | Sort::Gone => is_known(),
            Sort::Rule => {
                sketch.group().is_some_and(|group| self.groups.contains(&group))
                    || is_known()
                    || (!self.moved.is_empty() && sketch.source().is_some_and(|id| self.moved.contains(&id)))
            }
            Sort::Port => {
                (match &self.asked {
                    Asked::Project(project) => sketch.project().as_ref() == Some(project),
                    Asked::Addresses(wanted) => sketch.has_address(|address| wanted(address)),
                    Asked::ChangedAfter(_) => false,
                    Asked::Packet { from, to } => {
                        let meets = |net: IpNet| net.contains(from) || net.contains(to);
                        sketch.has_address(|net| meets(net) || self.is_next_hop(net)) || sketch.is_interface()
                    }
                }) || is_known()
                    || (!self.members.is_empty() && sketch.has_group(|group| self.members.contains(&group)))
            }
            Sort::FloatingIp => {
                is_known()
                    || sketch.port().is_some_and(|port| self.ids.contains(&port))
                    || self.is_door(sketch.outer().map(IpNet::from))
            }
            Sort::Forwarding => {
                is_known()
                    || sketch.internal_port().is_some_and(|port| self.ids.contains(&port))
                    || sketch.floating().is_some_and(|floating| self.doors.contains(&floating))
            }
        }
    }

    /// Whether a version that a record made is wanted.
    pub(super) fn wants_version(&self, seq: u64, sketch: &Sketch<'_>) -> bool {
        const CHANGES_ROWS: [Sort; 5] =
            [Sort::Port, Sort::Rule, Sort::FloatingIp, Sort::Forwarding, Sort::Gone];
        let is_group = self.sources && [Sort::SecurityGroup, Sort::AddressGroup].contains(&sketch.sort);
        self.is_in_question(seq) && (is_group || CHANGES_ROWS.contains(&sketch.sort)) || self.wants(sketch)
    }

    fn is_in_question(&self, seq: u64) -> bool {
        matches!(self.asked, Asked::ChangedAfter(after) if seq > after)
    }

    fn is_of_packet(&self) -> bool {
        matches!(self.asked, Asked::Packet { .. })
    }

    fn is_next_hop(&self, net: IpNet) -> bool {
        net.prefix_len() == net.max_prefix_len() && self.next_hops.contains(&net.addr())
    }

    fn is_door(&self, outer: Option<IpNet>) -> bool {
        outer.is_some_and(|outer| match &self.asked {
            Asked::Addresses(wanted) => wanted(outer),
            Asked::Packet { to, .. } => outer.addr() == *to,
            Asked::Project(_) | Asked::ChangedAfter(_) => false,
        })
    }

    /// Takes a wanted line of a snapshot, and wants what it depends on.
    pub(super) fn take(&mut self, line: &StateLine) {
        self.take_line(line, false);
    }

    /// The same of a version. What the snapshot says of it may have been looked at before.
    pub(super) fn take_version(&mut self, seq: u64, line: &StateLine) {
        if self.is_in_question(seq)
            && let Some((_, id)) = named(line)
        {
            // Also what was said of it before may be needed: which group a rule that went was in.
            let is_new = self.changed.insert(id.clone());
            self.total += u64::from(is_new);
        }
        self.take_line(line, true);
    }

    fn take_line(&mut self, line: &StateLine, is_version: bool) {
        let Some((sort, id)) = named(line) else { return };
        if self.ids.insert(id.clone()) {
            self.total += 1;
            if is_version {
                self.grow(sort);
            }
            if sort == Sort::Port {
                self.grow(Sort::FloatingIp);
                self.grow(Sort::Forwarding);
            }
        }
        let is_changed = self.changed.contains(id);
        if is_changed && self.sources {
            match line {
                StateLine::Port(port) => port.security_groups.iter().for_each(|group| self.want_from(group)),
                _ if matches!(sort, Sort::SecurityGroup | Sort::AddressGroup) => self.want_from(id),
                _ => {}
            }
        }
        match line {
            StateLine::Port(port) if is_changed || self.is_asked_for(port) => {
                port.security_groups.iter().for_each(|group| self.want_rules(group));
            }
            StateLine::Rule(rule) => {
                if let (true, Some(source)) = (self.sources, &rule.remote_group_id) {
                    self.want_members(source);
                }
                let source = rule.remote_group_id.as_deref().or(rule.remote_address_group_id.as_deref());
                let is_moved = source.is_some_and(|source| self.moved.contains(source));
                if let (true, Some(group)) = (is_changed || is_moved, &rule.security_group_id) {
                    self.want_members(group);
                }
            }
            StateLine::FloatingIp(floating)
                if is_changed || self.is_door(floating.floating_ip_address.map(IpNet::from)) =>
            {
                if self.doors.insert(id.clone()) {
                    self.total += 1;
                    self.grow(Sort::Forwarding);
                }
                floating.port_id.iter().for_each(|port| self.want_target(port));
            }
            StateLine::Forwarding(forwarding) => {
                let floating = forwarding.floatingip_id.as_ref();
                floating.into_iter().for_each(|floating| self.want(Sort::FloatingIp, floating));
                if is_changed || floating.is_some_and(|floating| self.doors.contains(floating)) {
                    forwarding.internal_port_id.iter().for_each(|port| self.want_target(port));
                }
            }
            StateLine::Router(router) => self.want_next_hops(router),
            // Its parent may be down.
            StateLine::Trunk(trunk) => trunk.port_id.iter().for_each(|port| self.want(Sort::Port, port)),
            _ => {}
        }
    }

    /// Whether a port's rows are asked for, as it is here.
    fn is_asked_for(&self, port: &PortState) -> bool {
        let is_target = || self.targets.contains(&port.id);
        match &self.asked {
            Asked::Project(project) => port.project_id.as_ref() == Some(project),
            Asked::Addresses(wanted) => {
                port.fixed_ips.iter().any(|fixed| wanted(fixed.address.into()))
                    || port.allowed_address_pairs.iter().any(|pair| wanted(*pair))
                    || is_target()
            }
            Asked::ChangedAfter(_) => is_target(),
            Asked::Packet { to, .. } => {
                port.fixed_ips.iter().any(|fixed| fixed.address == *to)
                    || port.allowed_address_pairs.iter().any(|pair| pair.contains(to))
                    || is_target()
            }
        }
    }

    /// Wants who has the addresses over which a router sends the packet by its extra routes.
    fn want_next_hops(&mut self, router: &RouterState) {
        let Asked::Packet { to, .. } = self.asked else { return };
        for route in router.routes.iter().filter(|route| route.destination.contains(&to)) {
            if self.next_hops.insert(route.next_hop) {
                self.total += 1;
                self.grow(Sort::Port);
            }
        }
    }

    /// Wants an object that another one names.
    fn want(&mut self, sort: Sort, id: &Id) {
        if self.ids.insert(id.clone()) {
            self.total += 1;
            self.grow(sort);
        }
    }

    /// Wants a port, and its rules, though it may be known already for another reason.
    fn want_target(&mut self, id: &Id) {
        if self.targets.insert(id.clone()) {
            self.ids.insert(id.clone());
            self.total += 1;
            self.grow(Sort::Port);
            self.grow(Sort::FloatingIp);
            self.grow(Sort::Forwarding);
        }
    }

    fn want_rules(&mut self, group: &Id) {
        if self.groups.insert(group.clone()) {
            self.total += 1;
            self.grow(Sort::Rule);
            self.want(Sort::SecurityGroup, group);
        }
    }

    fn want_members(&mut self, group: &Id) {
        if self.members.insert(group.clone()) {
            self.total += 1;
            self.grow(Sort::Port);
            self.want(Sort::SecurityGroup, group);
        }
    }

    /// Wants the rows that have a group as their source.
    fn want_from(&mut self, group: &Id) {
        if self.moved.insert(group.clone()) {
            self.total += 1;
            self.grow(Sort::Rule);
        }
    }

    fn grow(&mut self, sort: Sort) {
        self.growth[sort as usize] += 1;
    }
}

/// What a line is about.
fn named(line: &StateLine) -> Option<(Sort, &Id)> {
    let (kind, id) = match line {
        StateLine::Gone { kind, id } => (*kind, id),
        _ => line.subject()?,
    };
    Some((Sort::of(kind), id))
}
