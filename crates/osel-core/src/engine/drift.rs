//! What a record of drift says: what was known, what is, and which action that the bus does not tell explains it.
//!
//! The explanation is decided by what differs, from a closed list of what the network service does in silence. It is the likely one, not
//! a proof; where none fits the record says so.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use super::differences::{DRIFT_RECORDS_MAX, OtherParts};
use super::record::Detail;
use crate::event::{Kind, Target};
use crate::ids::Id;
use crate::model::{CloudModel, Difference, StateLine, TAGS, Words, words};

/// The longest text of one side of a difference, in bytes: an object of the API has a few hundred. Of a longer value the number of its
/// entries is told.
pub const SIDE_BYTES_MAX: usize = 4 << 10;

/// The longest value in a sentence, in bytes: a line of text has room for two and their names.
const VALUE_BYTES_MAX: usize = 60;

/// The most fields that a sentence names.
const FIELDS_NAMED_MAX: usize = 4;

/// What others come with.
const MADE_WITH: [Kind; 1] = [Kind::SecurityGroup];
/// What others go with.
const GONE_WITH: [Kind; 3] = [Kind::Network, Kind::SecurityGroup, Kind::Port];

/// The most objects of earlier parts of a read that are kept because something may have come or gone with them: as many as are told one by
/// one.
const EXPLAINING_MAX: usize = DRIFT_RECORDS_MAX as usize;

/// What came and what went in one step and the others of its read, each by kind and id: whether something went with something else is
/// decided by what did go, not by what is unknown.
#[derive(Clone, Debug, Default)]
pub(super) struct Step {
    made: BTreeSet<(Kind, Id)>,
    gone: BTreeSet<(Kind, Id)>,
}

impl Step {
    pub(super) fn of(differences: &[Difference]) -> Self {
        let mut step = Self::default();
        for Difference { kind, id, before, after, .. } in differences {
            match (before, after) {
                (None, Some(_)) => _ = step.made.insert((*kind, id.clone())),
                (Some(_), None) => _ = step.gone.insert((*kind, id.clone())),
                _ => {}
            }
        }
        step
    }

    /// Takes what is known of other steps.
    pub(super) fn learn(&mut self, others: &OtherParts) {
        self.made.extend(others.made.iter().cloned());
        self.gone.extend(others.gone.iter().cloned());
    }

    /// Adds a later step of the same read, as far as it may explain something in the next ones; the first [`EXPLAINING_MAX`] of each side.
    pub(super) fn extend(&mut self, later: Self) {
        let sides = [(&mut self.made, later.made, &MADE_WITH[..]), (&mut self.gone, later.gone, &GONE_WITH)];
        for (all, more, kinds) in sides {
            let room = EXPLAINING_MAX.saturating_sub(all.len());
            all.extend(more.into_iter().filter(|(kind, _)| kinds.contains(kind)).take(room));
        }
    }

    pub(super) fn has_made(&self, object: &(Kind, Id)) -> bool {
        self.made.contains(object)
    }

    pub(super) fn has_gone(&self, object: &(Kind, Id)) -> bool {
        self.gone.contains(object)
    }

    /// Whether an object goes with the read, or was deleted before by the bus.
    fn is_gone(&self, cloud: &CloudModel, kind: Kind, id: &Id) -> bool {
        self.has_gone(&(kind, id.clone())) || (cloud.is_dead(kind, id) && !cloud.knows(kind, id))
    }
}

/// Which silent action explains a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explanation {
    /// Members of an address group came or went.
    AddressGroupMembers,
    /// A project's default security group was made, with its rules.
    DefaultGroup,
    /// The port belongs to the network service: a router's, a floating IP's, of DHCP.
    ServicePort,
    /// A floating IP lost its port when that was deleted.
    PortDeleted,
    /// A subnet or a port went with its network.
    NetworkDeleted,
    /// A rule went with its group, or with the group that it names.
    GroupDeleted,
    /// A network was shared or made external, by itself or by a policy.
    NetworkShared,
    /// A router's gateways or extra routes were changed by a member action.
    RouterAction,
    /// A trunk's ports were changed by a member action.
    TrunkAction,
    /// A port forwarding, whose events do not name its floating IP.
    Forwarding,
    /// A network is in an address scope by the pools of its subnets.
    AddressScope,
    /// Rules were put into a firewall policy, or taken out, by a member action.
    FirewallAction,
    /// Ports joined or left a firewall group by themselves.
    FirewallPorts,
    /// A project's default firewall group was made, with its policies and rules.
    DefaultFirewall,
    /// Tags came or went by calls that tell no body.
    TagAction,
    /// A listener, which the load balancer service tells nobody of.
    Listener,
    /// A message was lost: the revision moved on.
    LostMessage,
    /// A role on the whole system was given or taken.
    SystemAssignment,
    /// None of these.
    Unexplained,
}

impl Explanation {
    /// The word for it; kept in records for ever.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AddressGroupMembers => "address_group_members",
            Self::DefaultGroup => "default_group",
            Self::ServicePort => "service_port",
            Self::PortDeleted => "port_deleted",
            Self::NetworkDeleted => "network_deleted",
            Self::GroupDeleted => "group_deleted",
            Self::NetworkShared => "network_shared",
            Self::RouterAction => "router_action",
            Self::TrunkAction => "trunk_action",
            Self::Forwarding => "port_forwarding",
            Self::AddressScope => "address_scope",
            Self::FirewallAction => "firewall_action",
            Self::FirewallPorts => "firewall_ports",
            Self::DefaultFirewall => "default_firewall",
            Self::Listener => "listener",
            Self::TagAction => "tag_action",
            Self::LostMessage => "lost_message",
            Self::SystemAssignment => "system_assignment",
            Self::Unexplained => "unexplained",
        }
    }

    pub(super) fn sentence(self, (was, is): (u64, u64)) -> String {
        let text = match self {
            Self::AddressGroupMembers => {
                "address group add_addresses and remove_addresses are not on the bus"
            }
            Self::DefaultGroup => "the default security group of a project is made in silence",
            Self::ServicePort => "ports of routers, floating IPs and DHCP come and go in silence",
            Self::PortDeleted => "a floating IP loses its port in silence when the port is deleted",
            Self::NetworkDeleted => "subnets and ports go in silence with their network",
            Self::GroupDeleted => "rules go in silence with their group and with the group that they name",
            Self::NetworkShared => "sharing a network and its policies follow each other in silence",
            Self::RouterAction => "gateways and extra routes that are added or removed are not on the bus",
            Self::TrunkAction => "add_subports and remove_subports are not on the bus",
            Self::Forwarding => "the event of a port forwarding does not name its floating IP",
            Self::AddressScope => {
                "the address scope of a network follows the pools of its subnets in silence"
            }
            Self::FirewallAction => "insert_rule and remove_rule are not on the bus",
            Self::FirewallPorts => {
                "ports leave a firewall group in silence when they are deleted, and join a default one"
            }
            Self::DefaultFirewall => "the default firewall group of a project is made in silence",
            Self::Listener => "listeners of load balancers are not on the bus",
            Self::TagAction => "tags are set by calls that do not tell the whole list on the bus",
            Self::LostMessage => {
                return format!("a message was lost: the revision moved on from {was} to {is}");
            }
            Self::SystemAssignment => "roles on the whole system are not on the bus",
            Self::Unexplained => "no silent action explains it",
        };
        text.to_owned()
    }

    /// The likely explanation of a difference between these fields.
    fn of(cloud: &CloudModel, difference: &Difference, step: &Step, was: &Words, is: &Words) -> Self {
        let Difference { kind, before, after, .. } = difference;
        let is_changed = before.is_some() && after.is_some();
        let differs = |field: &str| is_changed && (was.contains_key(field) || is.contains_key(field));
        let is_gone = |kind: Kind, id: Option<&Id>| id.is_some_and(|id| step.is_gone(cloud, kind, id));
        let found = match (kind, before.as_ref().or(after.as_ref()), after) {
            (Kind::AddressGroup, ..) if differs("addresses") => Some(Self::AddressGroupMembers),
            (Kind::SecurityGroup, Some(StateLine::SecurityGroup(group)), Some(_))
                if before.is_none() && &*group.name == DEFAULT_GROUP =>
            {
                Some(Self::DefaultGroup)
            }
            (Kind::Rule, Some(StateLine::Rule(rule)), Some(_)) if before.is_none() => {
                let group = rule.security_group_id.as_ref();
                let group = group.filter(|group| step.has_made(&(Kind::SecurityGroup, (*group).clone())));
                let name = group.and_then(|group| cloud.name_of(Kind::SecurityGroup, group));
                (name == Some(DEFAULT_GROUP)).then_some(Self::DefaultGroup)
            }
            (Kind::Rule, Some(StateLine::Rule(rule)), None) => {
                let groups = [rule.security_group_id.as_ref(), rule.remote_group_id.as_deref()];
                let is_orphan = groups.into_iter().any(|group| is_gone(Kind::SecurityGroup, group));
                is_orphan.then_some(Self::GroupDeleted)
            }
            (Kind::Port, ..) if [before, after].into_iter().any(is_of_service) => Some(Self::ServicePort),
            (Kind::Port, Some(StateLine::Port(port)), None) => {
                is_gone(Kind::Network, port.network_id.as_ref()).then_some(Self::NetworkDeleted)
            }
            (Kind::Subnet, Some(StateLine::Subnet(subnet)), None) => {
                is_gone(Kind::Network, subnet.network_id.as_ref()).then_some(Self::NetworkDeleted)
            }
            (Kind::FloatingIp, Some(StateLine::FloatingIp(floating)), Some(_)) if differs("port_id") => {
                let is_free = is.get("port_id").is_some_and(Value::is_null);
                let is_port_gone = is_gone(Kind::Port, floating.port_id.as_ref());
                (is_free && is_port_gone).then_some(Self::PortDeleted)
            }
            (Kind::FloatingIp, ..) if differs("port_forwardings") => Some(Self::Forwarding),
            (Kind::Forwarding, ..) => Some(Self::Forwarding),
            (Kind::RbacPolicy, Some(StateLine::RbacPolicy(policy)), _) if !is_changed => {
                (&*policy.object_type == "network").then_some(Self::NetworkShared)
            }
            (Kind::Network, ..) if differs("shared") || differs("router:external") => {
                Some(Self::NetworkShared)
            }
            (Kind::Network, ..) if differs("ipv4_address_scope") || differs("ipv6_address_scope") => {
                Some(Self::AddressScope)
            }
            (Kind::Listener, ..) => Some(Self::Listener),
            (Kind::FirewallPolicy, ..) if differs("firewall_rules") => Some(Self::FirewallAction),
            (Kind::FirewallGroup | Kind::FirewallPolicy | Kind::FirewallRule, Some(line), _)
                if before.is_none() =>
            {
                is_of_default_firewall(line).then_some(Self::DefaultFirewall)
            }
            (
                Kind::FirewallGroup,
                Some(StateLine::FirewallGroup(was)),
                Some(StateLine::FirewallGroup(is)),
            ) if differs("ports") => {
                let left = was.ports.iter().filter(|port| !is.ports.contains(port));
                let mut joined = is.ports.iter().filter(|port| !was.ports.contains(port));
                let is_silent = left
                    .into_iter()
                    .all(|port| is_gone(Kind::Port, Some(port)) || !cloud.knows(Kind::Port, port))
                    && (&*is.name == DEFAULT_GROUP || joined.next().is_none());
                is_silent.then_some(Self::FirewallPorts)
            }
            (Kind::Router, ..) if differs("external_gateways") || differs("routes") => {
                Some(Self::RouterAction)
            }
            (Kind::Trunk, ..) if differs("sub_ports") => Some(Self::TrunkAction),
            _ if differs(TAGS) && was.len().max(is.len()) == 1 => Some(Self::TagAction),
            _ => None,
        };
        let (was, is) = difference.revisions();
        let has_moved = is_changed && was > 0 && is > was;
        found.unwrap_or(if has_moved { Self::LostMessage } else { Self::Unexplained })
    }
}

/// What Neutron calls the groups that it makes for each project, of security and of firewalls.
const DEFAULT_GROUP: &str = "default";
/// How the names of the default firewall group's policies and rules begin.
const DEFAULT_SIDES: [&str; 2] = ["default ingress", "default egress"];

fn is_of_default_firewall(line: &StateLine) -> bool {
    let is_of_side = |name: &str| DEFAULT_SIDES.iter().any(|side| name.starts_with(side));
    match line {
        StateLine::FirewallGroup(group) => &*group.name == DEFAULT_GROUP,
        StateLine::FirewallPolicy(policy) => is_of_side(&policy.name),
        StateLine::FirewallRule(rule) => is_of_side(&rule.name),
        _ => false,
    }
}

fn is_of_service(line: &Option<StateLine>) -> bool {
    matches!(line, Some(StateLine::Port(port)) if port.trusted())
}

/// What a record says of a difference.
pub(super) struct Described {
    pub(super) target: Target,
    pub(super) text: String,
    pub(super) detail: Detail,
}

/// Describes a difference by the cloud as it is after the step that it was a part of.
pub(super) fn describe(cloud: &CloudModel, difference: &Difference, step: &Step) -> Described {
    let Difference { kind, id, before, after, .. } = difference;
    let (was, is) = difference.fields();
    let explanation = Explanation::of(cloud, difference, step, &was, &is);
    let change = match (before, after) {
        (None, _) => "created",
        (Some(_), None) => "gone",
        (Some(_), Some(_)) => "changed",
    };
    // As it is, or was last; of a changed object the words of the difference have only what differs.
    let whole = after.as_ref().or(before.as_ref()).map(words).unwrap_or_default();
    let field = |name: &str| {
        whole.get(name).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let name = field("name");
    let revisions = difference.revisions();
    let mut text =
        format!("{} {}", kind.singular().replace('_', " "), name.as_deref().unwrap_or(&id.to_string()));
    match change {
        "created" => text.push_str(" is there and was not known"),
        "gone" => text.push_str(" was known and is not there any more"),
        _ => text.push_str(&changed(&was, &is)),
    }
    let _ = write!(text, " ({})", explanation.sentence(revisions));
    let mut detail = Detail::new();
    detail.insert("difference".into(), change.to_owned());
    detail.insert("explanation".into(), explanation.as_str().to_owned());
    for (key, words) in [("was", was), ("is", is)] {
        if !words.is_empty() {
            detail.insert(key.into(), side(words));
        }
    }
    for (key, revision) in [("revision_was", revisions.0), ("revision_is", revisions.1)] {
        if revision > 0 {
            detail.insert(key.into(), revision.to_string());
        }
    }
    let target = Target {
        kind: kind.singular().into(),
        id: Some(id.clone()),
        name: name.map(Into::into),
        project_id: field("project_id").map(|project| Id::new(&project)),
    };
    Described { target, text, detail }
}

/// ` has name web, was www; admin_state_up false, was true`.
fn changed(was: &Words, is: &Words) -> String {
    let mut text = String::new();
    let mut separator = " has ";
    for (name, value) in is.iter().take(FIELDS_NAMED_MAX) {
        let before = was.get(name).unwrap_or(&Value::Null);
        let _ = write!(text, "{separator}{name} {}, was {}", value_text(value), value_text(before));
        separator = "; ";
    }
    if is.len() > FIELDS_NAMED_MAX {
        let _ = write!(text, " and {} more", is.len() - FIELDS_NAMED_MAX);
    }
    if is.is_empty() {
        text.push_str(" has the same fields and another effect");
    }
    text
}

fn value_text(value: &Value) -> String {
    let text = match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        other => other.to_string(),
    };
    if text.len() <= VALUE_BYTES_MAX { text } else { summed(value) }
}

/// What stands for a value that is too long.
fn summed(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("({} entries)", items.len()),
        Value::String(text) => format!("{}…", &text[..text.floor_char_boundary(VALUE_BYTES_MAX)]),
        _ => "(long)".to_owned(),
    }
}

/// One side of a difference as JSON.
fn side(mut words: Words) -> String {
    let text = |words: &Words| serde_json::to_string(words).unwrap_or_default();
    let whole = text(&words);
    if whole.len() <= SIDE_BYTES_MAX {
        return whole;
    }
    let share = SIDE_BYTES_MAX / words.len().max(1);
    for value in words.values_mut().filter(|value| value.to_string().len() > share) {
        *value = summed(value).into();
    }
    text(&words)
}
