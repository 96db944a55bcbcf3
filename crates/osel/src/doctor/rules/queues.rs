//! The queues that notifications go to: unread, shared, or with messages that the broker discards.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::pattern::matches;
use super::text::{BUS, MANAGEMENT, count, joined, names, quoted};
use crate::doctor::facts::{
    BOUNDS, Bus, Connection, Consumer, Counts, DELIVERY_LIMIT, Facts, Management, Policy, Queue, Wanted,
};
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

/// The first RabbitMQ with a delivery limit where none is set.
const LIMITED_SINCE: u64 = 4;
/// That limit.
const LIMIT_BY_DEFAULT: i64 = 20;
/// A limit of more deliveries than this is none: at one each second it is reached after eleven days.
const LIMIT_LOW_MAX: i64 = 1_000_000;
/// How queues of osel begin.
const QUEUES_OF_OSEL: &str = "osel.";
/// A queue as osel would name it, for policies that wait for one.
const QUEUE_OF_OSEL: &str = "osel.00000000000000000000000000000000";
/// Why nothing is said of queues where there is none.
const NO_QUEUE: &str = "there is no queue of notifications to look at";

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
            let ours = queues.iter().filter(|queue| wanted.is_notifications(&queue.name));
            let (bounded, unbounded): (Vec<&Queue>, Vec<&Queue>) = ours.partition(|queue| is_bounded(queue));
            // What the bus said is newer than the interface's statistics.
            let of_bus = |queue: &Queue| bus.as_ref().ok().and_then(|bus| *bus.queues.get(&queue.name)?);
            let of_rows = |queue: &Queue| {
                Some(Counts { messages: queue.messages?, consumers: queue.consumers?, messages_before: None })
            };
            let mut looked = Looked { bounded: bounded.len(), ..Looked::default() };
            for queue in unbounded {
                match of_bus(queue).or_else(|| of_rows(queue)) {
                    Some(counts) => looked.counted.push((&queue.name, counts)),
                    None => looked.uncounted.push(&queue.name),
                }
            }
            unread_of(name, &looked, "", report);
        }
        (None, Ok(bus)) => {
            let uncounted = bus.refused.iter().map(String::as_str).collect();
            let looked = Looked { counted: counts(bus), uncounted, bounded: 0 };
            unread_of(&bus.name, &looked, "; whether it has a bound, the management interface tells", report);
        }
        (None, Err(why)) => match &facts.management {
            Ok(Management { name, queues: Err(why), .. }) => {
                report.unchecked(Id::NotificationsUnread, name, why);
            }
            _ => report.unchecked(Id::NotificationsUnread, BUS, why),
        },
    }
}

fn counts(bus: &Bus) -> Vec<(&str, Counts)> {
    bus.queues.iter().filter_map(|(name, counts)| Some((name.as_str(), (*counts)?))).collect()
}

/// Queues of notifications, as far as they could be looked at.
#[derive(Default)]
struct Looked<'a> {
    counted: Vec<(&'a str, Counts)>,
    /// Those of which nothing is known: refused, or not counted yet.
    uncounted: Vec<&'a str>,
    /// How many have a bound, and may fill up to it.
    bounded: usize,
}

fn unread_of(source: &str, looked: &Looked<'_>, remark: &str, report: &mut Report) {
    let id = Id::NotificationsUnread;
    let Looked { counted, uncounted, bounded } = looked;
    let unread: Vec<String> = counted
        .iter()
        .filter(|(_, counts)| counts.consumers == 0 && counts.messages > 0)
        .map(|(name, counts)| {
            let grew = match counts.messages_before {
                Some(before) if before < counts.messages => format!(" ({before} when first looked at)"),
                _ => String::new(),
            };
            let messages = count(counts.messages, "message");
            format!("{} has {messages}{grew} and no consumer{remark}", quoted(name))
        })
        .collect();
    if !unread.is_empty() {
        report.found(id, source, joined(&unread));
    } else if !uncounted.is_empty() {
        let why = format!("what is in {} is not told", names(uncounted.iter().copied()));
        report.unchecked(id, source, why);
    } else if !counted.is_empty() {
        let seen = format!("{} are read or empty", names(counted.iter().map(|(name, _)| *name)));
        report.clear(id, source, seen);
    } else if *bounded > 0 {
        let seen = format!("there is no queue of notifications without a bound, and {bounded} with one");
        report.clear(id, source, seen);
    } else {
        report.unchecked(id, source, NO_QUEUE);
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
        counts.iter().any(|(name, counts)| counts.consumers > listed(name))
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
            let id = Id::QueueShared;
            if !shared.is_empty() {
                report.found(id, &bus.name, joined(&shared));
            } else if !bus.refused.is_empty() {
                let refused = names(bus.refused.iter().map(String::as_str));
                report.unchecked(id, &bus.name, format!("osel's user may not ask for {refused}"));
            } else if counts(bus).is_empty() {
                report.unchecked(id, &bus.name, NO_QUEUE);
            } else {
                report.clear(id, &bus.name, "no queue has more than one consumer");
            }
        }
        (None, Err(why)) => match &facts.management {
            Ok(
                Management { name, consumers: Err(why), .. } | Management { name, connections: Err(why), .. },
            ) => {
                report.unchecked(Id::QueueShared, name, why);
            }
            _ => report.unchecked(Id::QueueShared, BUS, why),
        },
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
    if programs.is_empty() {
        return report.unchecked(Id::QueueShared, source, "no queue of notifications has a consumer");
    }
    let is_found = !shared.is_empty();
    let seen = if is_found { joined(&shared) } else { "no queue is consumed by two programs".to_owned() };
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
    let is_ours =
        |queue: &Queue| queue.name.starts_with(QUEUES_OF_OSEL) || wanted.is_notifications(&queue.name);
    let mut limited: Vec<String> = queues
        .iter()
        .filter(|queue| queue.kind == "quorum" && is_ours(queue))
        .filter_map(|queue| Some(format!("{}: {}", quoted(&queue.name), limit_of(queue, major)?)))
        .collect();
    // A queue of osel that is there tells what is in force; only where there is none, policies wait for it.
    if !queues.iter().any(|queue| queue.name.starts_with(QUEUES_OF_OSEL)) {
        match policy_for_osel(policies) {
            Ok(policy) => limited.extend(policy.and_then(|policy| {
                let limit = low(&policy.definition, DELIVERY_LIMIT, major)?;
                Some(format!("policy {} sets {limit} for queues of osel", quoted(&policy.name)))
            })),
            Err(why) if limited.is_empty() => return report.unchecked(id, &management.name, why),
            Err(_) => {}
        }
    }
    let is_found = !limited.is_empty();
    let seen = if is_found { joined(&limited) } else { format!("none with RabbitMQ {}", quoted(version)) };
    report.judged(id, &management.name, is_found, seen);
}

/// The limit that is in force, if it may be reached.
fn limit_of(queue: &Queue, major: u64) -> Option<i64> {
    let argument = format!("x-{DELIVERY_LIMIT}");
    let by_argument = low(&queue.arguments, &argument, major);
    let by_policy = low(&queue.effective_policy_definition, DELIVERY_LIMIT, major);
    let is_set = queue.arguments.contains_key(&argument)
        || queue.effective_policy_definition.contains_key(DELIVERY_LIMIT);
    // Of both, the lower one is in force.
    let set = by_argument.into_iter().chain(by_policy).min();
    set.or_else(|| (!is_set && major >= LIMITED_SINCE).then_some(LIMIT_BY_DEFAULT))
}

/// A limit that may be reached; -1 is none since RabbitMQ 4, and less than one delivery before.
fn low(settings: &Map<String, Value>, key: &str, major: u64) -> Option<i64> {
    let limit = settings.get(key)?.as_i64()?;
    (limit <= LIMIT_LOW_MAX && (limit >= 0 || major < LIMITED_SINCE)).then_some(limit)
}

/// The policy that would be in force for a queue of osel.
///
/// # Errors
/// When that cannot be told, in words.
fn policy_for_osel(policies: &[Policy]) -> Result<Option<&Policy>, String> {
    let is_for_queues =
        |policy: &&Policy| matches!(policy.apply_to.as_str(), "queues" | "all" | "quorum_queues");
    let mut ranked: Vec<&Policy> = policies.iter().filter(is_for_queues).collect();
    ranked.sort_by_key(|policy| Reverse(policy.priority));
    for policy in ranked {
        let fits = matches(&policy.pattern, QUEUE_OF_OSEL);
        if fits.map_err(|why| format!("policy {}: {why}", quoted(&policy.name)))? {
            return Ok(Some(policy));
        }
    }
    Ok(None)
}
