//! The queues that notifications go to: unread, shared, or with messages that the broker discards.

use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;
use serde_json::{Map, Value};

use super::text::{BUS, MANAGEMENT, count, names, quoted};
use crate::doctor::facts::{Bus, Connection, Consumer, Counts, Facts, Management, Policy, Queue, Wanted};
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

/// The first RabbitMQ with a delivery limit where none is set.
const LIMITED_SINCE: u64 = 4;
/// That limit.
const LIMIT_BY_DEFAULT: i64 = 20;
/// A limit of more deliveries than this is none: at one each second it is reached after eleven days.
const LIMIT_LOW_MAX: i64 = 1_000_000;
/// A queue as osel would name it, for policies that wait for one.
const QUEUE_OF_OSEL: &str = "osel.00000000000000000000000000000000";
/// What keeps a queue from growing for ever.
const BOUNDS: [&str; 4] = ["max-length", "max-length-bytes", "message-ttl", "expires"];

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    unread(facts, report);
    shared(facts, report);
    match &facts.management {
        Ok(management) => delivery_limit(management, &facts.wanted, report),
        Err(why) => report.unchecked(Id::DeliveryLimit, MANAGEMENT, why),
    }
}

fn unread(facts: &Facts, report: &mut Report) {
    let wanted = &facts.wanted;
    let by_management = facts.management.as_ref().ok().and_then(|management| {
        let queues = management.queues.as_ref().ok()?;
        Some((management.name.as_str(), queues))
    });
    match (by_management, &facts.bus) {
        (Some((name, queues)), bus) => {
            let unbounded =
                queues.iter().filter(|queue| wanted.is_notifications(&queue.name) && !is_bounded(queue));
            // What the bus said is newer than the interface's statistics.
            let of_bus = |queue: &Queue| bus.as_ref().ok().and_then(|bus| *bus.queues.get(&queue.name)?);
            let of_rows = |queue: &Queue| Counts {
                messages: queue.messages.unwrap_or(0),
                consumers: queue.consumers.unwrap_or(0),
                messages_before: None,
            };
            let counts =
                unbounded.map(|queue| (queue.name.as_str(), of_bus(queue).unwrap_or_else(|| of_rows(queue))));
            unread_of(name, &counts.collect::<Vec<_>>(), report);
        }
        (None, Ok(bus)) => unread_of(&bus.name, &counts(bus), report),
        (None, Err(why)) => report.unchecked(Id::NotificationsUnread, BUS, why),
    }
}

fn counts(bus: &Bus) -> Vec<(&str, Counts)> {
    bus.queues.iter().filter_map(|(name, counts)| Some((name.as_str(), (*counts)?))).collect()
}

fn unread_of(source: &str, queues: &[(&str, Counts)], report: &mut Report) {
    let unread: Vec<String> = queues
        .iter()
        .filter(|(_, counts)| counts.consumers == 0 && counts.messages > 0)
        .map(|(name, counts)| {
            let grew = match counts.messages_before {
                Some(before) if before < counts.messages => format!(" ({before} when first looked at)"),
                _ => String::new(),
            };
            format!("{} has {}{grew} and no consumer", quoted(name), count(counts.messages, "message"))
        })
        .collect();
    if unread.is_empty() {
        let seen = match queues.len() {
            0 => "there is no such queue without a bound".to_owned(),
            _ => format!("{} are read or empty", names(queues.iter().map(|(name, _)| *name))),
        };
        report.clear(Id::NotificationsUnread, source, seen);
    } else {
        report.found(Id::NotificationsUnread, source, unread.join("; "));
    }
}

fn is_bounded(queue: &Queue) -> bool {
    let by_argument = |bound: &str| queue.arguments.contains_key(&format!("x-{bound}"));
    BOUNDS.iter().any(|bound| queue.effective_policy_definition.contains_key(*bound) || by_argument(bound))
}

fn shared(facts: &Facts, report: &mut Report) {
    // The interface learns of consumers seconds later than the bus.
    let is_behind = |consumers: &[Consumer]| {
        let listed =
            |name: &str| consumers.iter().filter(|consumer| consumer.queue.name == name).count() as u64;
        let counts = facts.bus.as_ref().map(counts).unwrap_or_default();
        counts.iter().any(|(name, counts)| counts.consumers > 1 && counts.consumers > listed(name))
    };
    let by_management = facts.management.as_ref().ok().and_then(|management| {
        let consumers = management.consumers.as_ref().ok().filter(|consumers| !is_behind(consumers))?;
        Some((management, consumers, management.connections.as_deref().ok()?))
    });
    match (by_management, &facts.bus) {
        (Some((management, consumers, connections)), _) => {
            shared_by(&management.name, consumers, connections, &facts.wanted, report);
        }
        (None, Ok(bus)) => {
            let shared: Vec<String> = counts(bus)
                .iter()
                .filter(|(_, counts)| counts.consumers > 1)
                .map(|(name, counts)| {
                    format!(
                        "{} has {} consumers; whether they are workers of one program, the management interface tells",
                        quoted(name),
                        counts.consumers
                    )
                })
                .collect();
            let is_found = !shared.is_empty();
            let seen =
                if is_found { shared.join("; ") } else { "no queue has more than one consumer".to_owned() };
            report.judged(Id::QueueShared, &bus.name, is_found, seen);
        }
        (None, Err(why)) => report.unchecked(Id::QueueShared, BUS, why),
    }
}

/// Workers of one program log in as one user and give their connections the program's name.
fn shared_by(
    source: &str,
    consumers: &[Consumer],
    connections: &[Connection],
    wanted: &Wanted,
    report: &mut Report,
) {
    let program = |name: &str| {
        let connection = connections.iter().find(|connection| connection.name == name);
        connection.and_then(Connection::program).unwrap_or(name).to_owned()
    };
    let mut programs: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for Consumer { queue, channel_details } in consumers {
        if wanted.is_notifications(&queue.name) {
            let by = format!("{} as {}", program(&channel_details.connection_name), channel_details.user);
            programs.entry(&queue.name).or_default().insert(by);
        }
    }
    let shared: Vec<String> = programs
        .iter()
        .filter(|(_, programs)| programs.len() > 1)
        .map(|(queue, programs)| {
            format!("{} is consumed by {}", quoted(queue), names(programs.iter().map(String::as_str)))
        })
        .collect();
    let is_found = !shared.is_empty();
    let seen = if is_found { shared.join("; ") } else { "no queue is consumed by two programs".to_owned() };
    report.judged(Id::QueueShared, source, is_found, seen);
}

fn delivery_limit(management: &Management, wanted: &Wanted, report: &mut Report) {
    let id = Id::DeliveryLimit;
    let (version, queues, policies) = match (&management.version, &management.queues, &management.policies) {
        (Ok(version), Ok(queues), Ok(policies)) => (version, queues, policies),
        (Err(why), ..) | (_, Err(why), _) | (.., Err(why)) => {
            return report.unchecked(id, &management.name, why);
        }
    };
    let Some(major) = version.split('.').next().and_then(|major| major.parse::<u64>().ok()) else {
        return report.unchecked(
            id,
            &management.name,
            format!("the version {} is no number", quoted(version)),
        );
    };
    let is_ours = |queue: &Queue| queue.name.starts_with("osel.") || wanted.is_notifications(&queue.name);
    let mut limited: Vec<String> = queues
        .iter()
        .filter(|queue| queue.kind == "quorum" && is_ours(queue))
        .filter_map(|queue| Some(format!("{}: {}", quoted(&queue.name), limit_of(queue, major)?)))
        .collect();
    limited.extend(policies.iter().filter_map(|policy| {
        let limit = low(&policy.definition, "delivery-limit", major)?;
        is_for_osel(policy)
            .then(|| format!("policy {} sets {limit} for queues of osel", quoted(&policy.name)))
    }));
    let is_found = !limited.is_empty();
    let seen = if is_found { limited.join("; ") } else { format!("none with RabbitMQ {version}") };
    report.judged(id, &management.name, is_found, seen);
}

/// The limit that is in force, if it may be reached.
fn limit_of(queue: &Queue, major: u64) -> Option<i64> {
    let by_argument = low(&queue.arguments, "x-delivery-limit", major);
    let by_policy = low(&queue.effective_policy_definition, "delivery-limit", major);
    let is_set = queue.arguments.contains_key("x-delivery-limit")
        || queue.effective_policy_definition.contains_key("delivery-limit");
    // Of both, the lower one is in force.
    let set = by_argument.into_iter().chain(by_policy).min();
    set.or_else(|| (!is_set && major >= LIMITED_SINCE).then_some(LIMIT_BY_DEFAULT))
}

/// A limit that may be reached; -1 is none since RabbitMQ 4, and less than one delivery before.
fn low(settings: &Map<String, Value>, key: &str, major: u64) -> Option<i64> {
    let limit = settings.get(key)?.as_i64()?;
    (limit <= LIMIT_LOW_MAX && (limit >= 0 || major < LIMITED_SINCE)).then_some(limit)
}

fn is_for_osel(policy: &Policy) -> bool {
    let is_for_queues = matches!(policy.apply_to.as_str(), "queues" | "all" | "quorum_queues");
    // RabbitMQ's patterns may be more than ours reads: then it may be meant.
    is_for_queues && Regex::new(&policy.pattern).map_or(true, |pattern| pattern.is_match(QUEUE_OF_OSEL))
}
