//! Protocols by number and name, and the ports a rule means, as the contract's rows write them.

use serde_json::Value;

use super::read::integer;

/// The lowest and the highest port: a rule over all of them is a rule without bounds.
pub(super) const LOWEST_PORT: i64 = 1;
/// See [`LOWEST_PORT`].
pub(super) const HIGHEST_PORT: i64 = 65_535;

const NAMES: [(&str, u8); 23] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

/// The one name of a protocol given as name, number or number in text; `any` for all of them.
pub(super) fn protocol_name(given: Option<&Value>, family: &str) -> String {
    let text = match given {
        Some(Value::String(text)) => text.trim().to_ascii_lowercase(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    if matches!(text.as_str(), "" | "any" | "-1") {
        return "any".to_owned();
    }
    let number = match text.as_str() {
        "ip" => Some(0),
        "icmpv6" => Some(58),
        name => match name.parse::<u8>() {
            Ok(number) => Some(number),
            Err(_) => NAMES.into_iter().find(|(known, _)| *known == name).map(|(_, number)| number),
        },
    };
    match number {
        Some(1) if family == "IPv6" => "ipv6-icmp".to_owned(),
        Some(number) => match NAMES.into_iter().find(|(_, known)| *known == number) {
            Some((name, _)) => name.to_owned(),
            None => number.to_string(),
        },
        None => text,
    }
}

/// Whether the protocol has ports in the sense of security group rules.
pub(super) fn has_ports(protocol: &str) -> bool {
    matches!(protocol, "tcp" | "udp" | "sctp" | "dccp" | "udplite")
}

/// Whether the rule's bounds are an ICMP type and code.
pub(super) fn is_icmp(protocol: &str) -> bool {
    matches!(protocol, "icmp" | "ipv6-icmp")
}

/// The ports of a rule with that protocol, from and to; the whole range where it has no bounds or no ports.
pub(super) fn rule_ports(rule: &Value, protocol: &str) -> (i64, i64) {
    if !has_ports(protocol) {
        return (LOWEST_PORT, HIGHEST_PORT);
    }
    let lowest = integer(rule, "port_range_min").unwrap_or(LOWEST_PORT);
    let highest = integer(rule, "port_range_max").unwrap_or(HIGHEST_PORT);
    (lowest, highest)
}

/// A range of ports as rows write it: both null for the whole range and for protocols without ports.
pub(super) fn written_ports(protocol: &str, (lowest, highest): (i64, i64)) -> (Value, Value) {
    if !has_ports(protocol) || (lowest <= LOWEST_PORT && highest == HIGHEST_PORT) {
        (Value::Null, Value::Null)
    } else {
        (lowest.into(), highest.into())
    }
}
