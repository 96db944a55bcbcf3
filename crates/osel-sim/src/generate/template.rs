//! Texts with slots, cut up once and written with the right number of backslashes.
//!
//! A notification lies as text in the body, and the body as text in the line of a recording: a quote is `"`,
//! `\"` or `\\\"`. The texts are cut with quotes already in that form, so that writing one is copying.

use std::collections::BTreeMap;

/// The notifications and the parts they share.
const TEXTS: &str = include_str!("templates.txt");

/// How deep a text lies inside texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Depth {
    /// Not inside other text.
    Plain,
    /// Inside a body.
    Body,
    /// Inside the body inside a line.
    Line,
}

impl Depth {
    /// A quote at that depth.
    pub(super) fn quote(self) -> &'static str {
        match self {
            Self::Plain => "\"",
            Self::Body => "\\\"",
            Self::Line => "\\\\\\\"",
        }
    }
}

/// A text between slots, or a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text to copy.
    Text(String),
    /// A place to fill.
    Slot(Slot),
}

/// All texts, cut for one depth.
pub(super) struct Templates {
    pub(super) depth: Depth,
    texts: BTreeMap<&'static str, Vec<Piece>>,
}

impl Templates {
    pub(super) fn new(depth: Depth) -> Self {
        let lines = TEXTS.lines().filter(|line| !line.starts_with('#'));
        let named = lines.filter_map(|line| line.split_once('\t'));
        Self { depth, texts: named.map(|(name, text)| (name, cut(text, depth))).collect() }
    }

    /// The pieces of a text; none for a name that is not there.
    pub(super) fn pieces(&self, name: &str) -> &[Piece] {
        self.texts.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

fn cut(text: &str, depth: Depth) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        let Some((name, after)) = after.split_once('>') else { break };
        if !before.is_empty() {
            pieces.push(Piece::Text(before.replace('"', depth.quote())));
        }
        pieces.extend(Slot::named(name).map(Piece::Slot));
        rest = after;
    }
    pieces.push(Piece::Text(rest.replace('"', depth.quote())));
    pieces
}

macro_rules! slots {
    ($($slot:ident $name:literal,)*) => {
        /// What is filled in.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Slot {
            $(#[doc = concat!("`<", $name, ">`")] $slot,)*
        }

        impl Slot {
            fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$slot),)*
                    _ => None,
                }
            }
        }
    };
}

slots! {
    Activity "activity", Attribute "attribute", AuditAction "audit_action", AuditOutcome "audit_outcome",
    AuditPath "audit_path", AuditStatus "audit_status", AuditType "audit_type", Cadf "cadf", Caller "caller",
    CallerName "caller_name", Cidr "cidr", Context "context", Correlation "correlation", Device "device",
    DeviceOwner "device_owner", Dns "dns", Domain "domain", FirstHost "first_host", FixedIps "fixed_ips",
    Floating "floating", FloatingAddress "floating_address", FloatingDetails "floating_details",
    FloatingFixed "floating_fixed", FloatingPort "floating_port", FloatingRevision "floating_revision",
    FloatingRouter "floating_router", FloatingStatus "floating_status", Gateway "gateway", Group "group",
    GroupDescription "group_description", GroupIsDefault "group_is_default", GroupName "group_name",
    GroupRevision "group_revision", Groups "groups", Host "host", Interface "interface", LastHost "last_host",
    Mac "mac", Member "member", Message "message", Network "network", NetworkName "network_name",
    NetworkRevision "network_revision", NetworkSubnets "network_subnets", Outside "outside",
    OutsideSubnet "outside_subnet", Pairs "pairs", Port "port", PortName "port_name",
    PortRevision "port_revision", PortStatus "port_status", Project "project", Request "request", Role "role",
    Router "router",
    RouterAddress "router_address", RouterName "router_name", RouterRevision "router_revision", Rule "rule",
    RuleDirection "rule_direction", RuleFamily "rule_family", RuleMax "rule_max", RuleMin "rule_min",
    RulePrefix "rule_prefix", RuleProtocol "rule_protocol", RuleRemote "rule_remote", Rules "rules",
    Second "second", Subnet "subnet", Time "time", Unique "unique", Up "up", User "user",
    UserName "user_name",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_of_every_text_is_known() {
        for line in TEXTS.lines().filter(|line| !line.starts_with('#')) {
            let (name, text) = line.split_once('\t').unwrap();
            let slots = cut(text, Depth::Body).iter().filter(|piece| matches!(piece, Piece::Slot(_))).count();
            assert_eq!(slots, text.matches('<').count(), "{name}");
        }
    }

    #[test]
    fn quotes_are_escaped_for_their_depth() {
        let text = |depth| cut(r#"{"a": <port>}"#, depth);
        let tail = Piece::Text("}".to_owned());
        let port = Piece::Slot(Slot::Port);
        assert_eq!(text(Depth::Body), [Piece::Text(r#"{\"a\": "#.to_owned()), port.clone(), tail.clone()]);
        assert_eq!(text(Depth::Line), [Piece::Text(r#"{\\\"a\\\": "#.to_owned()), port, tail]);
    }
}
