//! What stands on a way beside security groups: firewall groups and the listeners of a load balancer.
//!
//! An open question (`any` protocol, any port) asks whether there is a packet that all of them and one rule of the port let pass. So it
//! is taken apart into sorts of packets on which each of them says one thing, and each sort is asked.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::candidate::{Candidate, Target};
use super::filter::{Admission, Asked};
use super::firewall::{Ends, Gate, Sort};
use super::verdict::{Hop, Question};
use crate::model::{FirewallRuleState, Kind, ListenerState, LoadBalancerState, PortRange, Protocol, View};

/// The most sorts of packets that are tried for one port: an open question with hundreds of rules on the way. Beyond it only those are
/// tried that come first, and the answer says so.
const SORTS_MAX: usize = 4096;

/// The guards on one way.
#[derive(Debug)]
pub(super) struct Guards<'a, V> {
    view: &'a V,
    ends: Ends,
    gates: Vec<Gate<'a>>,
    /// What listens for the port; none where no listener of it is known: then this is not asked.
    listeners: Option<Vec<&'a ListenerState>>,
    /// What the port's rules admit, to find the sorts.
    target: Target<'a>,
}

/// Marks a load balancer that is switched off: it answers nothing. Whether there is one and no other is up.
pub(super) fn stop_at_balancer(balancers: &[&LoadBalancerState], hops: &mut Vec<Hop>) -> bool {
    let Some(first) = balancers.first().filter(|_| balancers.iter().all(|balancer| !balancer.admin_state_up))
    else {
        return false;
    };
    let stop =
        Hop::new(Kind::LoadBalancer, Some(&first.id), Some(&first.name)).stops("administratively down");
    let port = hops.pop();
    hops.extend(std::iter::once(stop).chain(port));
    true
}

impl<'a, V: View> Guards<'a, V> {
    pub(super) fn new(
        view: &'a V,
        from: IpAddr,
        candidate: &Candidate<'a>,
        question: &Question,
        mut gates: Vec<Gate<'a>>,
        balancers: &[&'a LoadBalancerState],
    ) -> Self {
        if let (true, Target::Port(slot)) = (view.has_firewalls(), candidate.target)
            && !view.port(slot).trusted()
        {
            gates.push(Gate { ports: vec![&view.port(slot).id], ingress: true });
        }
        gates.retain(|gate| gate.is_guarded(view));
        let is_known = balancers.iter().any(|balancer| !view.listeners_of(&balancer.id).is_empty());
        let up = balancers.iter().filter(|balancer| balancer.admin_state_up);
        let listeners = up.flat_map(|balancer| view.listeners_of(&balancer.id));
        let listeners = is_known.then(|| listeners.collect());
        let ends = Ends { from, to: candidate.inner_address(question) };
        Self { view, ends, gates, listeners, target: candidate.target }
    }

    /// What the port admits of a packet, as far as the guards let it through.
    pub(super) fn narrow(&self, asked: &Asked, admit: impl Fn(&Asked) -> Admission) -> Admission {
        let admission = admit(asked);
        if !admission.admitted || (self.gates.is_empty() && self.listeners.is_none()) {
            return admission;
        }
        let mut stop = None;
        let sorts = self.sorts(asked);
        let is_cut = sorts.len() > SORTS_MAX;
        for sort in sorts.into_iter().take(SORTS_MAX) {
            let mut admission = admit(&sort.asked);
            if !admission.admitted {
                continue;
            }
            match self.ask(&sort) {
                Ok(mut hops) => {
                    hops.append(&mut admission.hops);
                    return Admission { hops, ..admission };
                }
                Err(hop) => stop = stop.or(Some(hop)),
            }
        }
        let port_note =
            is_cut.then(|| format!("so open a question: only {SORTS_MAX} sorts of packets were tried"));
        Admission { admitted: false, rule_id: None, port_note, hops: stop.into_iter().collect() }
    }

    /// The guards that let a sort of packet pass; else the first that does not.
    fn ask(&self, sort: &Sort) -> Result<Vec<Hop>, Hop> {
        let mut hops = Vec::new();
        for gate in &self.gates {
            hops.extend(gate.ask(self.view, self.ends, sort)?);
        }
        if let Some(listeners) = &self.listeners {
            hops.push(self.ask_listeners(listeners, &sort.asked)?);
        }
        Ok(hops)
    }

    fn ask_listeners(&self, listeners: &[&ListenerState], asked: &Asked) -> Result<Hop, Hop> {
        let named =
            |listener: &ListenerState| Hop::new(Kind::Listener, Some(&listener.id), Some(&listener.name));
        let is_allowed = |listener: &ListenerState| {
            listener.allowed_cidrs.is_empty()
                || listener.allowed_cidrs.iter().any(|cidr| cidr.contains(&self.ends.from))
        };
        let mut on_port = listeners.iter().filter(|listener| {
            listener.admin_state_up
                && listener.transport() == asked.protocol
                && listener.protocol_port.is_some_and(|port| asked.ports == Some((port, port)))
        });
        match on_port.clone().find(|listener| is_allowed(listener)) {
            Some(listener) => Ok(named(listener).noted(in_words(listener))),
            None => Err(match on_port.next() {
                Some(listener) => named(listener).stops("the sender is not in its allowed_cidrs"),
                None => {
                    let balancer = listeners.first().and_then(|first| first.loadbalancer_id.as_ref());
                    let name = balancer.and_then(|id| self.view.name_of(Kind::LoadBalancer, id));
                    Hop::new(Kind::LoadBalancer, balancer, name).stops("no listener is on that port")
                }
            }),
        }
    }

    /// A question taken apart into sorts of packets; when there are more than [`SORTS_MAX`], at least one more than that.
    fn sorts(&self, asked: &Asked) -> Vec<Sort> {
        let rules: Vec<&FirewallRuleState> =
            self.gates.iter().flat_map(|gate| gate.rules(self.view)).collect();
        let permissions = match self.target {
            Target::Port(slot) => self.view.rules_of(slot),
            Target::Gateway(..) => Vec::new(),
        };
        let permissions: Vec<_> = permissions.into_iter().map(|(_, _, permission)| permission).collect();
        let listeners = || self.listeners.iter().flatten();
        let mut protocols = BTreeSet::from([asked.protocol.clone()]);
        if protocols.remove(&Protocol::Any) {
            protocols.extend(permissions.iter().map(|permission| permission.protocol.clone()));
            protocols.extend(rules.iter().map(|rule| Protocol::read(rule.protocol.as_deref(), rule.ipv6)));
            protocols.extend(listeners().map(|listener| listener.transport()));
            // A rule for all protocols may have ports.
            protocols.insert(Protocol::Number(6));
            protocols.remove(&Protocol::Any);
            // One that no rule names stands for all of those.
            let mut numbers = (0..=u8::MAX).rev().map(Protocol::Number);
            protocols.extend(numbers.find(|number| !protocols.contains(number)));
        }
        let ranges = permissions.iter().filter_map(|permission| permission.ports);
        let of_rules = rules.iter().filter_map(|rule| rule.destination_ports).map(both);
        let of_listeners = listeners().filter_map(|listener| listener.protocol_port);
        let ports = steps(asked.ports, ranges.chain(of_rules).chain(of_listeners.map(|port| (port, port))));
        let sources: Vec<_> = rules.iter().filter_map(|rule| rule.source_ports).map(both).collect();
        let sources: Vec<Option<u16>> = match sources.is_empty() {
            true => vec![None],
            false => steps(None, sources.into_iter()).into_iter().map(Some).collect(),
        };
        let mut sorts = Vec::new();
        for protocol in protocols {
            let ports: Vec<_> = match protocol.has_ports() {
                true => ports.iter().map(|&port| Some((port, port))).collect(),
                false => vec![asked.ports],
            };
            for ports in ports {
                let asked = Asked { protocol: protocol.clone(), ports, ..asked.clone() };
                sorts.extend(sources.iter().map(|&source_port| Sort { asked: asked.clone(), source_port }));
                if sorts.len() > SORTS_MAX {
                    return sorts;
                }
            }
        }
        sorts
    }
}

fn both(range: PortRange) -> (u16, u16) {
    (range.min, range.max)
}

/// Ports of a range such that each other one is told apart from one of them by none of the ranges.
fn steps(asked: Option<(u16, u16)>, ranges: impl Iterator<Item = (u16, u16)>) -> BTreeSet<u16> {
    // Port 0 is nobody's.
    let (first, last) = asked.unwrap_or((1, u16::MAX));
    let mut steps = BTreeSet::from([first]);
    if first != last {
        let bounds = ranges.flat_map(|(min, max)| [Some(min), max.checked_add(1)]).flatten();
        steps.extend(bounds.filter(|port| (first..=last).contains(port)));
    }
    steps
}

/// `TERMINATED_HTTPS 443 from 192.0.2.0/24`
fn in_words(listener: &ListenerState) -> String {
    let mut words = listener.protocol.as_deref().unwrap_or("TCP").to_owned();
    if let Some(port) = listener.protocol_port {
        words.push_str(&format!(" {port}"));
    }
    let cidrs: Vec<String> =
        listener.allowed_cidrs.iter().take(CIDRS_TOLD_MAX).map(ToString::to_string).collect();
    if !cidrs.is_empty() {
        words.push_str(&format!(" from {}", cidrs.join(", ")));
    }
    if listener.allowed_cidrs.len() > CIDRS_TOLD_MAX {
        words.push_str(", …");
    }
    words
}

/// How many of a listener's prefixes a note names: it is one line.
const CIDRS_TOLD_MAX: usize = 4;
