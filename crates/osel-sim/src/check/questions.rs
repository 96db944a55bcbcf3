//! Random questions to `reach`, answered by the engine and by the judge.
//!
//! Asked are addresses that exist, their neighbours that may not, and what lies outside, with protocols and ports
//! around those that rules and forwardings name.

use std::collections::BTreeSet;
use std::net::IpAddr;

use osel_core::exposure::{reach, read_question};
use osel_core::model::CloudModel;
use serde_json::{Value, json};

use super::failure::{Failure, ensure};
use super::plan::Plan;
use super::script::texts;
use crate::judge::{self, ReachOptions};
use crate::random::Random;

/// The name of the check.
const CHECK: &str = "reach";

/// Addresses outside of every cloud.
const OUTSIDE: [&str; 6] =
    ["8.8.8.8", "192.0.2.9", "198.51.100.7", "2001:4860::8888", "2001:db8:0:7::1", "fd00:10:1::77"];

/// What questions can be made of.
#[derive(Debug)]
pub(super) struct Matter {
    addresses: Vec<IpAddr>,
    numbers: Vec<u64>,
    networks: Vec<String>,
    ports: Vec<String>,
}

impl Matter {
    /// Everything in a state that may be asked about.
    pub(super) fn of(state: &Value) -> Self {
        let mut addresses: BTreeSet<IpAddr> = OUTSIDE.iter().filter_map(|text| text.parse().ok()).collect();
        let mut numbers: BTreeSet<u64> = BTreeSet::from([1, 22, 65_535]);
        for collection in ["ports", "floatingips", "routers", "subnets", "address_groups"] {
            texts(&state[collection], &mut |text| {
                let address = text.split('/').next().unwrap_or(text);
                addresses.extend(address.parse::<IpAddr>().ok());
                if let Some((low, high)) = text.split_once(':') {
                    numbers.extend([low, high].iter().filter_map(|text| text.parse::<u64>().ok()));
                }
            });
        }
        for rule in state["security_group_rules"].as_array().into_iter().flatten() {
            numbers.extend(["port_range_min", "port_range_max"].iter().filter_map(|key| rule[*key].as_u64()));
        }
        let ids = |collection: &str| -> Vec<String> {
            let all = state[collection].as_array().into_iter().flatten();
            all.filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
        };
        Self {
            addresses: addresses.into_iter().collect(),
            numbers: numbers.into_iter().filter(|number| *number <= 65_535).collect(),
            networks: ids("networks"),
            ports: ids("ports"),
        }
    }

    fn address(&self, random: &mut Random) -> IpAddr {
        let known = random.pick(&self.addresses).copied().unwrap_or(IpAddr::from([8, 8, 8, 8]));
        if random.percent(85) {
            return known;
        }
        match known {
            IpAddr::V4(address) => u32::from(address).wrapping_add(1).to_be_bytes().into(),
            IpAddr::V6(address) => u128::from(address).wrapping_add(1).to_be_bytes().into(),
        }
    }

    fn question(&self, random: &mut Random) -> Value {
        let to = self.address(random);
        let mut from = self.address(random);
        for _ in 0..4 {
            // Questions across families have one answer; a few of them are enough.
            if from.is_ipv4() == to.is_ipv4() {
                break;
            }
            from = self.address(random);
        }
        let protocols =
            ["tcp", "tcp", "tcp", "udp", "icmp", "any", "6", "sctp", "gre", "icmpv6", "58", "132"];
        let protocol = random.pick(&protocols).copied().unwrap_or("tcp");
        let mut question = json!({"from": from.to_string(), "to": to.to_string(), "protocol": protocol});
        if protocol.starts_with("icmp") || protocol == "58" {
            question["port"] = json!(random.pick(&[None, Some(8), Some(0), Some(3)]).copied().flatten());
            question["icmp_code"] = json!(random.pick(&[None, None, Some(0), Some(1)]).copied().flatten());
        } else if random.percent(85) {
            let near = random.pick(&self.numbers).copied().unwrap_or(22);
            let port = match random.below(6) {
                0 => near + 1,
                1 => near.saturating_sub(1),
                _ => near,
            };
            // Port 0 is nobody's: rows do not have it, and a rule without bounds lets it in.
            question["port"] = port.clamp(1, 65_535).into();
        }
        if random.percent(10) {
            question["network"] = json!(random.pick(&self.networks));
        }
        if random.percent(10) {
            question["port_id"] = json!(random.pick(&self.ports));
        }
        question
    }
}

/// Asks that many questions; `skip` leaves out addresses of which the engine cannot know.
pub(super) fn ask(
    cloud: &CloudModel,
    state: &Value,
    plan: &Plan,
    count: usize,
    random: &mut Random,
) -> Result<usize, Failure> {
    let matter = Matter::of(state);
    let options = ReachOptions {
        group_members_include_pairs: plan.model.group_members_include_pairs,
        routed_prefixes: plan.model.routed_prefixes.clone(),
    };
    let mut admitted = 0;
    for _ in 0..count {
        let asked = matter.question(random);
        let question = read_question(&asked.to_string())
            .map_err(|error| Failure::new(CHECK, format!("{error}: {asked}")))?;
        let found = reach(cloud, &question);
        let expected = judge::reach(state, &asked, &options);
        let rule = json!(found.rule_id);
        let agrees = expected["reachable"] == found.reachable
            && expected["reason"] == found.reason.as_str()
            && expected["rule_ids"].as_array().is_some_and(|all| all.contains(&rule));
        ensure(agrees, CHECK, || {
            let (reason, path) = (found.reason.as_str(), &found.path);
            format!("{asked}\nexpected {expected}\nfound {reason} by {rule}, path {path:?}")
        })?;
        admitted += usize::from(found.reachable);
    }
    Ok(admitted)
}
