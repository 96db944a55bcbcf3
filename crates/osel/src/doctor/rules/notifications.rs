//! Whether services tell anything at all, and whether osel would hear it.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{BUS, LISTENING, MANAGEMENT, NO_SERVICE_CONFIG, SERVICE_CONFIG, count, names, quoted};
use crate::doctor::facts::{Bus, Facts, Management, ServiceFile, Wanted};
use crate::doctor::heard::Heard;
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;
use crate::source::rabbitmq::Presence;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let by_bus = [Id::NoNotifications, Id::ExchangeAbsent];
    match &facts.bus {
        Ok(bus) => {
            emitted_by_bus(bus, report);
            exchanges_there(bus, &facts.wanted, report);
        }
        Err(why) => by_bus.into_iter().for_each(|id| report.unchecked(id, BUS, why)),
    }
    match &facts.management {
        Ok(management) => topics_by_bindings(management, &facts.wanted, report),
        Err(why) => report.unchecked(Id::TopicNotHeard, MANAGEMENT, why),
    }
    match &facts.heard {
        Ok(heard) => heard_anything(heard, report),
        Err(why) => report.unchecked(Id::NothingHeard, LISTENING, why),
    }
    let by_file = [Id::NoNotifications, Id::TopicNotHeard];
    for (path, file) in &facts.services {
        match file {
            Ok(file) => {
                emitted_by_file(path, file, report);
                topics_by_file(path, file, &facts.wanted, report);
            }
            Err(why) => by_file.into_iter().for_each(|id| report.unchecked(id, path, why)),
        }
    }
    if facts.services.is_empty() {
        by_file.into_iter().for_each(|id| report.unchecked(id, SERVICE_CONFIG, NO_SERVICE_CONFIG));
    }
}

/// A publisher declares exchange and queue before it first sends.
fn emitted_by_bus(bus: &Bus, report: &mut Report) {
    let present = present(bus);
    let queues: Vec<&str> =
        bus.queues.iter().filter(|(_, counts)| counts.is_some()).map(|(name, _)| name.as_str()).collect();
    let asked = names(bus.queues.keys().map(String::as_str));
    if present.is_empty() {
        let seen = format!("none of {} is there", count(bus.exchanges.len() as u64, "exchange"));
        report.found(Id::NoNotifications, &bus.name, seen);
    } else if bus.queues.is_empty() {
        report.unchecked(
            Id::NoNotifications,
            &bus.name,
            "osel's user may not ask for queues of notifications",
        );
    } else if queues.is_empty() {
        let seen = format!(
            "exchanges are there ({}), but none of {asked}, which a publisher declares before it sends",
            names(present)
        );
        report.found(Id::NoNotifications, &bus.name, seen);
    } else {
        report.clear(Id::NoNotifications, &bus.name, format!("publishers have declared {}", names(queues)));
    }
}

fn present(bus: &Bus) -> Vec<&str> {
    let present = bus.exchanges.iter().filter(|(_, presence)| **presence != Presence::Absent);
    present.map(|(name, _)| name.as_str()).collect()
}

fn exchanges_there(bus: &Bus, wanted: &Wanted, report: &mut Report) {
    let absent = |name: &&String| bus.exchanges.get(*name) == Some(&Presence::Absent);
    let absent: Vec<&str> = wanted.needed.iter().filter(absent).map(String::as_str).collect();
    if absent.is_empty() {
        let seen = format!("there are {}", names(present(bus)));
        report.clear(Id::ExchangeAbsent, &bus.name, seen);
    } else {
        report.found(Id::ExchangeAbsent, &bus.name, format!("there is no exchange {}", names(absent)));
    }
}

/// What publishers declare is a queue that has the name of the key it is bound by.
fn topics_by_bindings(management: &Management, wanted: &Wanted, report: &mut Report) {
    let bindings = match &management.bindings {
        Ok(bindings) => bindings,
        Err(why) => return report.unchecked(Id::TopicNotHeard, &management.name, why),
    };
    let mut topics: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for binding in bindings {
        if binding.destination == binding.routing_key
            && wanted.exchanges.contains(&binding.source)
            && let Some(topic) = Wanted::topic_of(&binding.routing_key)
        {
            topics.entry(&binding.source).or_default().insert(topic);
        }
    }
    let is_heard =
        |topics: &BTreeSet<&str>| wanted.topics.iter().any(|topic| topics.contains(topic.as_str()));
    let unheard: Vec<String> = topics
        .iter()
        .filter(|(_, topics)| !is_heard(topics))
        .map(|(exchange, topics)| format!("{} by {} only", quoted(exchange), names(topics.iter().copied())))
        .collect();
    if topics.is_empty() {
        let why = "no publisher has declared a queue of notifications";
        report.unchecked(Id::TopicNotHeard, &management.name, why);
    } else if unheard.is_empty() {
        let seen = format!("{} with a topic that osel listens to", count(topics.len() as u64, "exchange"));
        report.clear(Id::TopicNotHeard, &management.name, seen);
    } else {
        report.found(Id::TopicNotHeard, &management.name, unheard.join("; "));
    }
}

fn heard_anything(heard: &Heard, report: &mut Report) {
    let seen = format!(
        "{} of {} by {} within {} s{}",
        count(heard.messages, "message"),
        count(heard.event_types.len() as u64, "type"),
        count(heard.publishers.len() as u64, "publisher"),
        heard.seconds,
        match heard.deaf.as_slice() {
            [] => String::new(),
            deaf => format!("; not allowed to listen to {}", names(deaf.iter().map(String::as_str))),
        }
    );
    report.judged(Id::NothingHeard, LISTENING, heard.messages == 0, seen);
}

fn emitted_by_file(path: &str, file: &ServiceFile, report: &mut Report) {
    let seen = match file.drivers.as_slice() {
        [] => "`driver` is not set".to_owned(),
        drivers => format!("`driver` is {}", names(drivers.iter().map(String::as_str))),
    };
    report.judged(Id::NoNotifications, path, !file.publishes(), seen);
}

fn topics_by_file(path: &str, file: &ServiceFile, wanted: &Wanted, report: &mut Report) {
    if !file.publishes() {
        return report.unchecked(Id::TopicNotHeard, path, "it sends no notifications");
    }
    let is_heard = file.topics.iter().any(|topic| wanted.topics.contains(topic));
    let seen = format!("`topics` is {}", names(file.topics.iter().map(String::as_str)));
    report.judged(Id::TopicNotHeard, path, !is_heard, seen);
}
