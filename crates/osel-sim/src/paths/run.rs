//! Clouds by seed, told in any order, and questions about them.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use osel_core::decode::read_object;
use osel_core::event::{Actor, Change, Event, Kind, Outcome, Verb};
use osel_core::exposure::{Reason, reach, read_question};
use osel_core::ids::Id;
use osel_core::model::{CloudModel, ModelOptions, StateLine};
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use super::cloud::{Slot, slots};
use crate::judge::{Known, ReachOptions};
use crate::random::Random;

/// The most versions of an object.
const VERSIONS_MAX: u64 = 9;
/// One in so many clouds is told in a second order, too, and has to come out the same.
const CLOUDS_OF_A_SECOND_ORDER: u64 = 4;
/// How many in a hundred objects that may go are gone in the end.
const GONE_PERCENT: u64 = 8;

/// What is to be played.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The seed of the first cloud.
    pub first: u64,
    /// How many clouds.
    pub clouds: u64,
    /// How many questions are asked of each.
    pub questions: u64,
    /// How many clouds are played at once.
    pub threads: usize,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Events that models were told.
    pub events: u64,
    /// Questions with the same answer by both.
    pub questions: u64,
    /// How often each answer was given.
    pub reasons: BTreeMap<&'static str, u64>,
    /// Answers in which more than the contract's own objects had a say: by the last kind that did.
    pub said_by: BTreeMap<&'static str, u64>,
    /// The first difference that was found: its seed, and what was asked.
    pub difference: Option<(u64, String)>,
}

/// Plays clouds until all are done or two answers differ.
pub fn run(plan: Plan) -> Report {
    let next = AtomicU64::new(0);
    let whole = Mutex::new(Report::default());
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= plan.clouds {
                return;
            }
            let seed = plan.first.wrapping_add(number);
            let mut own = Report::default();
            if let Err(difference) = play(seed, plan.questions, &mut own) {
                next.store(plan.clouds, Ordering::Relaxed);
                own.difference = Some((seed, difference));
            }
            let Ok(mut whole) = whole.lock() else { return };
            whole.add(own);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            scope.spawn(work);
        }
    });
    whole.into_inner().unwrap_or_default()
}

impl Report {
    fn add(&mut self, other: Self) {
        self.events += other.events;
        self.questions += other.questions;
        for (reason, times) in other.reasons {
            *self.reasons.entry(reason).or_default() += times;
        }
        for (kind, times) in other.said_by {
            *self.said_by.entry(kind).or_default() += times;
        }
        self.difference = self.difference.take().or(other.difference);
    }
}

/// One cloud: its events in any order, then its questions.
fn play(seed: u64, questions: u64, report: &mut Report) -> Result<(), String> {
    let mut random = Random::new(seed ^ 0x0BEE_F00D);
    let options = ModelOptions {
        group_members_include_pairs: random.percent(70),
        routed_prefixes: if random.percent(20) {
            ["10.0.2.0/25", "fd00:3::/64"].iter().filter_map(|text| text.parse().ok()).collect()
        } else {
            Vec::new()
        },
    };
    let asked_with = ReachOptions {
        group_members_include_pairs: options.group_members_include_pairs,
        routed_prefixes: options.routed_prefixes.clone(),
    };
    let mut model = CloudModel::new(None, options);
    let mut state = json!({});
    let mut events = Vec::new();
    for slot in slots() {
        let last = live(&slot, &mut random, &mut events)?;
        let all = state.as_object_mut().ok_or("the state is no object")?;
        let list = all.entry(slot.collection).or_insert_with(|| json!([]));
        if let (Some(last), Some(list)) = (last, list.as_array_mut()) {
            list.push(last);
        }
    }
    random.shuffle(&mut events);
    for (number, event) in events.iter().enumerate() {
        model.apply(Timestamp::EPOCH.plus_seconds(number as i64), event);
    }
    report.events += events.len() as u64;
    if seed.is_multiple_of(CLOUDS_OF_A_SECOND_ORDER) {
        random.shuffle(&mut events);
        let mut other = CloudModel::new(None, model.options().clone());
        for (number, event) in events.iter().enumerate() {
            other.apply(Timestamp::EPOCH.plus_seconds(number as i64), event);
        }
        let (one, other) = (objects(&model), objects(&other));
        if let Some(at) = (0..one.len().max(other.len())).find(|&at| one.get(at) != other.get(at)) {
            let (one, other) = (one.get(at), other.get(at));
            return Err(format!("another order of the same events made of\n{one:?}\nthis:\n{other:?}"));
        }
        report.events += events.len() as u64;
    }
    // Half of the questions go to a model that was written down and read back.
    let mut restored = CloudModel::new(None, model.options().clone());
    for line in model.lines() {
        restored.restore(line);
    }
    let known = Known::of(&state);
    let matter = Matter::of(&state);
    for _ in 0..questions {
        let asked = matter.question(&mut random);
        let question = read_question(&asked.to_string()).map_err(|error| format!("{error}: {asked}"))?;
        let found = reach(if random.percent(50) { &model } else { &restored }, &question);
        let expected = known.reach(&asked, &asked_with);
        let rule = json!(found.rule_id);
        let agrees = expected["reachable"] == found.reachable
            && expected["reason"] == found.reason.as_str()
            && expected["rule_ids"].as_array().is_some_and(|all| all.contains(&rule));
        if !agrees {
            let path = &found.path;
            let reason = found.reason.as_str();
            return Err(format!(
                "{asked}\nexpected {expected}\nfound {reason} by {rule}, path {path:#?}\n{state}"
            ));
        }
        report.questions += 1;
        *report.reasons.entry(found.reason.as_str()).or_default() += 1;
        let routers = found.path.iter().filter(|hop| hop.kind == Kind::Router).count();
        let new = found.path.iter().rev().map(|hop| hop.kind).find(|kind| {
            matches!(kind, Kind::FirewallGroup | Kind::Listener | Kind::LoadBalancer | Kind::Trunk)
        });
        let scoped = found
            .path
            .iter()
            .any(|hop| hop.note.as_deref().is_some_and(|note| note.contains("address scope")));
        let by = match new {
            Some(kind) => Some(kind.singular()),
            None if routers > 1 && found.reason > Reason::NoPath => Some("extra route"),
            None if scoped => Some("address scope"),
            None => None,
        };
        if let Some(by) = by {
            *report.said_by.entry(by).or_default() += 1;
        }
    }
    Ok(())
}

/// The objects of a model, without what it remembers of those that are gone.
fn objects(model: &CloudModel) -> Vec<Value> {
    let lines = model.lines().filter(|line| !matches!(line, StateLine::Tombstone { .. }));
    lines.map(|line| serde_json::to_value(line).unwrap_or_default()).collect()
}

/// The events of one object's life; its last version, unless it was deleted.
fn live(slot: &Slot, random: &mut Random, events: &mut Vec<Event>) -> Result<Option<Value>, String> {
    let kind = Kind::from_singular(slot.singular).ok_or(slot.singular)?;
    let versions = random.between(1, VERSIONS_MAX);
    let mut last = None;
    for revision in 1..=versions {
        let body = slot.version(revision, random);
        let object =
            read_object(kind, body.to_string().as_bytes()).map_err(|defect| format!("{defect}: {body}"))?;
        // A network that is said later not to be external has no policy left that makes it so, and a port that is said later to have other
        // addresses no forwarding to this one: such states are none of Neutron's.
        let is_last = matches!(kind, Kind::RbacPolicy | Kind::FloatingIp | Kind::Forwarding);
        let second = if is_last { revision + VERSIONS_MAX } else { revision };
        events.push(event(second, Change::Objects { verb: Some(Verb::Update), objects: vec![object] }));
        last = Some(body);
    }
    if slot.may_go && random.percent(GONE_PERCENT) {
        let id = Id::new(&slot.id);
        // With a subnet the addresses go that ports were said before to have of it: these were said later, so that they stay.
        let second = if kind == Kind::Subnet { 0 } else { versions + VERSIONS_MAX + 1 };
        events.push(event(second, Change::Deleted { kind, id, last: None }));
        return Ok(None);
    }
    Ok(last)
}

fn event(second: u64, change: Change) -> Event {
    Event {
        message_id: None,
        event_type: "paths".into(),
        publisher: None,
        timestamp: Timestamp::EPOCH.plus_seconds(second.cast_signed()),
        request_id: None,
        actor: Actor::default(),
        target: None,
        outcome: Outcome::Success,
        change,
    }
}

/// What questions are made of.
pub(super) struct Matter {
    addresses: Vec<String>,
    networks: Vec<String>,
}

impl Matter {
    pub(super) fn of(state: &Value) -> Self {
        let mut addresses: Vec<String> =
            ["8.8.8.8", "192.0.2.9", "10.0.1.99", "2001:4860::8888", "2001:db8:2::99"]
                .map(str::to_owned)
                .into();
        let texts = |value: &Value| value.as_str().map(str::to_owned);
        for port in state["ports"].as_array().into_iter().flatten() {
            let fixed = port["fixed_ips"].as_array().into_iter().flatten();
            addresses.extend(fixed.filter_map(|fixed| texts(&fixed["ip_address"])));
        }
        for floating in state["floatingips"].as_array().into_iter().flatten() {
            // Some more of them: they are few, and lead far.
            addresses.extend([0; 3].iter().filter_map(|_| texts(&floating["floating_ip_address"])));
        }
        for router in state["routers"].as_array().into_iter().flatten() {
            let fixed =
                router["external_gateway_info"]["external_fixed_ips"].as_array().into_iter().flatten();
            addresses.extend(fixed.filter_map(|fixed| texts(&fixed["ip_address"])));
        }
        let networks = state["networks"].as_array().into_iter().flatten();
        Self { addresses, networks: networks.filter_map(|network| texts(&network["id"])).collect() }
    }

    pub(super) fn question(&self, random: &mut Random) -> Value {
        let to = random.pick(&self.addresses).cloned().unwrap_or_default();
        let mut from = random.pick(&self.addresses).cloned().unwrap_or_default();
        for _ in 0..6 {
            // Across families there is one answer, and it is soon known.
            if from.contains(':') == to.contains(':') {
                break;
            }
            from = random.pick(&self.addresses).cloned().unwrap_or_default();
        }
        let protocols = ["tcp", "tcp", "tcp", "tcp", "udp", "icmp", "gre", "sctp", "any"];
        let protocol = random.pick(&protocols).copied().unwrap_or("tcp");
        let mut question = json!({"from": from, "to": to, "protocol": protocol});
        if protocol == "icmp" {
            question["port"] = random.pick(&[Value::Null, json!(8), json!(3)]).cloned().unwrap_or_default();
        } else if random.percent(90) {
            let ports = [
                53, 80, 80, 443, 443, 21, 22, 53, 79, 80, 81, 90, 91, 122, 180, 443, 1024, 1025, 8000, 8003,
                8006, 8100, 8106, 65_535,
            ];
            question["port"] = json!(random.pick(&ports));
        }
        if random.percent(8) {
            question["network"] = json!(random.pick(&self.networks));
        }
        question
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million questions are asked by `cargo xtask sim paths`; these few are asked with every build.
    #[test]
    fn reach_and_the_judge_give_the_same_answers() {
        let report = run(Plan { first: 1, clouds: 60, questions: 150, threads: 2 });
        assert_eq!(report.difference, None);
        assert_eq!(report.questions, 60 * 150);
        // Checks of nothing are no checks.
        for reason in ["admitted", "no_rule", "admin_down", "no_path"] {
            assert!(report.reasons.get(reason).is_some_and(|times| *times > 100), "{report:?}");
        }
        for by in ["firewall_group", "listener", "trunk", "extra route", "address scope"] {
            assert!(report.said_by.get(by).is_some_and(|times| *times > 3), "{report:?}");
        }
    }
}
