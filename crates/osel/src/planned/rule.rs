//! What Neutron makes of a new rule of a security group, and what it refuses: the conversions of its extension `securitygroup`, and
//! `_validate_base_security_group_rule_attributes` of its database. What a rule refers to is not looked at here.

use osel_core::model::Protocol;
use serde_json::Value;

use super::neutron::text;
use super::step::Body;

/// Where a rule can admit from.
const REMOTES: [&str; 3] = ["remote_ip_prefix", "remote_group_id", "remote_address_group_id"];
/// Protocols that there are in IPv6 alone, by their numbers: extension headers and ICMPv6.
const OF_IPV6: [u8; 6] = [41, 43, 44, 58, 59, 60];
/// The highest type or code of ICMP.
const ICMP_MAX: u16 = 255;

/// Brings a rule's Ethernet type and ports to the form that Neutron keeps. A source that is no text is for whoever reads the rule.
///
/// # Errors
/// A clause that says why Neutron refuses the rule.
pub(super) fn settle(body: &mut Body) -> Result<(), String> {
    if !matches!(text(body, "direction"), Some("ingress" | "egress")) {
        return Err("its `direction` is neither ingress nor egress".to_owned());
    }
    let ipv6 = ethertype(body)?;
    let protocol = protocol(body, ipv6)?;
    let mut ports = [port(body, "port_range_min")?, port(body, "port_range_max")?];
    if ports == [Some(1), Some(u16::MAX)] {
        ports = [None, None];
    }
    check_ports(&protocol, ports)?;
    for (key, port) in ["port_range_min", "port_range_max"].into_iter().zip(ports) {
        body.insert(key.to_owned(), port.into());
    }
    if text(body, "remote_ip_prefix").is_some_and(|prefix| prefix.contains(':') != ipv6) {
        return Err("its `remote_ip_prefix` is not of its `ethertype`".to_owned());
    }
    if !ipv6 && is_of_ipv6(&protocol) {
        return Err("its `protocol` is one of IPv6, and its `ethertype` is IPv4".to_owned());
    }
    if REMOTES.iter().filter(|key| text(body, key).is_some()).count() > 1 {
        return Err(format!("it has more than one of `{}`", REMOTES.join("`, `")));
    }
    // An empty text is no prefix, and means none.
    if body.get("remote_ip_prefix").is_some_and(|prefix| prefix == "") {
        body.remove("remote_ip_prefix");
    }
    Ok(())
}

/// Whether there is a protocol in IPv6 alone.
pub(super) fn is_of_ipv6(protocol: &Protocol) -> bool {
    matches!(protocol, Protocol::Number(number) if OF_IPV6.contains(number))
}

/// Whether a rule is of IPv6; one that does not say is of IPv4.
fn ethertype(body: &mut Body) -> Result<bool, String> {
    let ipv6 = match body.get("ethertype") {
        None | Some(Value::Null) => false,
        Some(Value::String(word)) if word.eq_ignore_ascii_case("IPv4") => false,
        Some(Value::String(word)) if word.eq_ignore_ascii_case("IPv6") => true,
        Some(_) => return Err("its `ethertype` is neither IPv4 nor IPv6".to_owned()),
    };
    body.insert("ethertype".to_owned(), if ipv6 { "IPv6" } else { "IPv4" }.into());
    Ok(ipv6)
}

fn protocol(body: &Body, ipv6: bool) -> Result<Protocol, String> {
    let word = match body.get("protocol") {
        None | Some(Value::Null) => return Ok(Protocol::Any),
        Some(Value::String(word)) => word.clone(),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => String::new(),
    };
    match Protocol::read(Some(&word), ipv6) {
        Protocol::Any if word.eq_ignore_ascii_case("any") => Ok(Protocol::Any),
        Protocol::Number(number) => Ok(Protocol::Number(number)),
        _ => Err("Neutron knows no such `protocol`".to_owned()),
    }
}

/// A bound of the range; Neutron takes digits in a text too.
fn port(body: &Body, key: &str) -> Result<Option<u16>, String> {
    let port = match body.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(digits)) => digits.parse().ok(),
        Some(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    port.map(Some).ok_or_else(|| format!("its `{key}` is no number from 0 to 65535"))
}

fn check_ports(protocol: &Protocol, ports: [Option<u16>; 2]) -> Result<(), String> {
    let why = match ports {
        [None, None] => return Ok(()),
        _ if *protocol == Protocol::Any => "it has ports, and no `protocol`",
        [Some(min), Some(max)] if protocol.has_ports() && (1..=max).contains(&min) => return Ok(()),
        _ if protocol.has_ports() => {
            "its ports need a `port_range_min` from 1 on and a `port_range_max` that is not below it"
        }
        [None, Some(_)] if protocol.is_icmp() => {
            "it has a code of ICMP, its `port_range_max`, and no type, its `port_range_min`"
        }
        _ if protocol.is_icmp() && ports.into_iter().flatten().all(|bound| bound <= ICMP_MAX) => {
            return Ok(());
        }
        _ if protocol.is_icmp() => "its type or code of ICMP is above 255",
        _ => "its `protocol` has no ports",
    };
    Err(why.to_owned())
}

#[cfg(test)]
#[allow(
    clippy::needless_pass_by_value,
    reason = "values are written where they are passed, and stay readable there"
)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settled(more: Value) -> Result<Value, String> {
        let mut body = Body::from_iter([("direction".to_owned(), "ingress".into())]);
        body.extend(more.as_object().unwrap().clone());
        settle(&mut body).map(|()| body.into())
    }

    #[test]
    fn what_neutron_refuses_is_refused() {
        let no_ports =
            "its ports need a `port_range_min` from 1 on and a `port_range_max` that is not below it";
        let no_port = "its `port_range_min` is no number from 0 to 65535";
        let unknown = "Neutron knows no such `protocol`";
        for (rule, wanted) in [
            (json!({"direction": "in"}), "its `direction` is neither ingress nor egress"),
            (json!({"direction": "Ingress"}), "its `direction` is neither ingress nor egress"),
            (json!({"ethertype": 4}), "its `ethertype` is neither IPv4 nor IPv6"),
            (json!({"ethertype": "0x4008"}), "its `ethertype` is neither IPv4 nor IPv6"),
            (json!({"protocol": "foo"}), unknown),
            (json!({"protocol": ""}), unknown),
            (json!({"protocol": "-1"}), unknown),
            (json!({"protocol": 300}), unknown),
            (json!({"protocol": ["tcp"]}), unknown),
            (json!({"protocol": "tcp", "port_range_min": 100, "port_range_max": 50}), no_ports),
            (json!({"protocol": "tcp", "port_range_min": 0, "port_range_max": 50}), no_ports),
            (json!({"protocol": "udp", "port_range_min": 50}), no_ports),
            (json!({"protocol": 132, "port_range_max": 50}), no_ports),
            (json!({"protocol": "tcp", "port_range_min": "22x"}), no_port),
            (json!({"protocol": "tcp", "port_range_min": -1, "port_range_max": -1}), no_port),
            (json!({"protocol": "tcp", "port_range_min": 65536}), no_port),
            (json!({"protocol": "tcp", "port_range_min": 22.5}), no_port),
            (json!({"port_range_min": 22, "port_range_max": 22}), "it has ports, and no `protocol`"),
            (
                json!({"protocol": "any", "port_range_min": 22, "port_range_max": 22}),
                "it has ports, and no `protocol`",
            ),
            (
                json!({"protocol": "esp", "port_range_min": 22, "port_range_max": 22}),
                "its `protocol` has no ports",
            ),
            (
                json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 300}),
                "its type or code of ICMP is above 255",
            ),
            (
                json!({"protocol": "icmp", "port_range_max": 0}),
                "it has a code of ICMP, its `port_range_max`, and no type, its `port_range_min`",
            ),
            (json!({"remote_ip_prefix": "::/0"}), "its `remote_ip_prefix` is not of its `ethertype`"),
            (
                json!({"ethertype": "IPv6", "remote_ip_prefix": "0.0.0.0/0"}),
                "its `remote_ip_prefix` is not of its `ethertype`",
            ),
            (json!({"protocol": "ipv6-icmp"}), "its `protocol` is one of IPv6, and its `ethertype` is IPv4"),
            (json!({"protocol": "60"}), "its `protocol` is one of IPv6, and its `ethertype` is IPv4"),
            (
                json!({"remote_ip_prefix": "0.0.0.0/0", "remote_group_id": "web"}),
                "it has more than one of `remote_ip_prefix`, `remote_group_id`, `remote_address_group_id`",
            ),
        ] {
            assert_eq!(settled(rule.clone()).expect_err(&rule.to_string()), wanted, "{rule}");
        }
    }

    #[test]
    fn what_neutron_takes_is_taken_in_its_form() {
        let range = |min: Value, max: Value, ethertype: &str, more: Value| {
            let mut all = json!({"direction": "ingress", "ethertype": ethertype, "port_range_min": min, "port_range_max": max});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            all
        };
        for (rule, ports, ethertype) in [
            (json!({}), [json!(null), json!(null)], "IPv4"),
            (
                json!({"protocol": "TCP", "port_range_min": "22", "port_range_max": 22}),
                [json!(22), json!(22)],
                "IPv4",
            ),
            // All of them are none, also without a protocol.
            (json!({"port_range_min": 1, "port_range_max": 65535}), [json!(null), json!(null)], "IPv4"),
            (json!({"protocol": "icmp", "port_range_min": 8}), [json!(8), json!(null)], "IPv4"),
            (
                json!({"protocol": "icmp", "ethertype": "ipv6", "port_range_min": 128, "port_range_max": 0}),
                [json!(128), json!(0)],
                "IPv6",
            ),
            (json!({"protocol": 6, "remote_group_id": "web"}), [json!(null), json!(null)], "IPv4"),
            (
                json!({"protocol": "255", "ethertype": "IPv6", "remote_ip_prefix": "::/0"}),
                [json!(null), json!(null)],
                "IPv6",
            ),
        ] {
            let [min, max] = ports;
            let mut wanted = range(min.clone(), max.clone(), ethertype, rule.clone());
            (wanted["port_range_min"], wanted["port_range_max"], wanted["ethertype"]) =
                (min, max, ethertype.into());
            assert_eq!(settled(rule.clone()), Ok(wanted), "{rule}");
        }
        assert_eq!(settled(json!({"remote_ip_prefix": ""})), settled(json!({})));
    }
}
