//! Whether services tell anything at all, and whether osel would hear it.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{
    BUS, BY_A_LISTENER, LISTENING, MANAGEMENT, NO_SERVICE_CONFIG, SERVICE_CONFIG, count, joined, names,
    quoted,
};
use crate::doctor::facts::{Bus, Facts, Management, ServiceFile, Wanted};
use crate::doctor::heard::Heard;
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;
use crate::source::rabbitmq::Presence;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    let by_bus = [Id::NoNotifications, Id::ExchangeAbsent];
    match &facts.bus {
        Ok(bus) => {
            let evidence = evidence(facts);
            let has_heard = facts.heard.as_ref().is_ok_and(|heard| heard.messages > 0);
            emitted_by_bus(bus, evidence.as_deref(), has_heard, report);
            exchanges_there(bus, evidence.as_deref(), &facts.wanted, report);
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

/// Publishers declare exchange and queue before they first send; so do listeners. That nothing is there proves that nobody sends; that
/// something is there proves nothing.
fn emitted_by_bus(bus: &Bus, evidence: Option<&str>, has_heard: bool, report: &mut Report) {
    let id = Id::NoNotifications;
    let (present, denied) = (with(bus, Presence::There), with(bus, Presence::Denied));
    let queues: Vec<&str> =
        bus.queues.iter().filter(|(_, counts)| counts.is_some()).map(|(name, _)| name.as_str()).collect();
    let asked = names(bus.queues.keys().map(String::as_str));
    if bus.exchanges.is_empty() {
        report.unchecked(id, &bus.name, "no exchange was asked for");
    } else if !denied.is_empty() && present.is_empty() {
        report.unchecked(id, &bus.name, may_not(denied));
    } else if present.is_empty() {
        let seen = format!("none of {} is there", count(bus.exchanges.len() as u64, "exchange"));
        report.found(id, &bus.name, seen);
    } else if let Some(evidence) = evidence.filter(|_| has_heard || !queues.is_empty()) {
        report.clear(id, &bus.name, evidence);
    } else if !queues.is_empty() {
        report.unchecked(id, &bus.name, format!("there are {}; {BY_A_LISTENER}", names(queues)));
    } else if !bus.refused.is_empty() || bus.queues.is_empty() {
        let refused = bus.refused.iter().map(String::as_str);
        report.unchecked(id, &bus.name, may_not(refused));
    } else {
        let seen = format!(
            "exchanges are there ({}), but none of {asked}, which publishers and listeners declare",
            names(present)
        );
        report.found(id, &bus.name, seen);
    }
}

/// What shows that somebody sends, if anything does.
fn evidence(facts: &Facts) -> Option<String> {
    if let Some(heard) = facts.heard.as_ref().ok().filter(|heard| heard.messages > 0) {
        return Some(format!("{} heard", count(heard.messages, "message")));
    }
    let of_bus = facts.bus.iter().flat_map(|bus| &bus.queues);
    let of_bus = of_bus.filter_map(|(name, counts)| Some((name.as_str(), (*counts)?.messages)));
    let rows = facts.management.iter().flat_map(|management| &management.queues).flatten();
    let rows = rows.filter(|queue| facts.wanted.is_notifications(&queue.name));
    let of_rows = rows.map(|queue| (queue.name.as_str(), queue.messages.unwrap_or(0)));
    if let Some((name, messages)) = of_bus.chain(of_rows).find(|(_, messages)| *messages > 0) {
        return Some(format!("{} wait in {}", count(messages, "message"), quoted(name)));
    }
    let publishes = |file: &ServiceFile| file.publishes();
    let file = facts.services.iter().find(|(_, file)| file.as_ref().is_ok_and(publishes));
    file.map(|(path, _)| format!("`driver` is set in {path}"))
}

fn with(bus: &Bus, wanted: Presence) -> Vec<&str> {
    let with = bus.exchanges.iter().filter(|(_, presence)| **presence == wanted);
    with.map(|(name, _)| name.as_str()).collect()
}

fn may_not<'n>(names_of: impl IntoIterator<Item = &'n str>) -> String {
    format!("osel's user may not ask for {}", names(names_of))
}

fn exchanges_there(bus: &Bus, evidence: Option<&str>, wanted: &Wanted, report: &mut Report) {
    let id = Id::ExchangeAbsent;
    let needed = |presence: Presence| -> Vec<&str> {
        let is_it = |name: &&String| bus.exchanges.get(*name) == Some(&presence);
        wanted.needed.iter().filter(is_it).map(String::as_str).collect()
    };
    let (there, denied, absent) =
        (needed(Presence::There), needed(Presence::Denied), needed(Presence::Absent));
    if !absent.is_empty() {
        report.found(id, &bus.name, format!("there is no exchange {}", names(absent)));
    } else if !denied.is_empty() || there.is_empty() {
        report.unchecked(id, &bus.name, may_not(denied));
    } else if let Some(evidence) = evidence {
        report.clear(id, &bus.name, format!("there are {}; {evidence}", names(there)));
    } else {
        report.unchecked(id, &bus.name, format!("there are {}; {BY_A_LISTENER}", names(there)));
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
            && let Some(topic) = Wanted::topic_of_notifications(&binding.routing_key)
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
        let why = "nobody has declared a queue of notifications";
        report.unchecked(Id::TopicNotHeard, &management.name, why);
    } else if unheard.is_empty() {
        let seen = format!("{} with a topic that osel listens to", count(topics.len() as u64, "exchange"));
        report.clear(Id::TopicNotHeard, &management.name, seen);
    } else {
        report.found(Id::TopicNotHeard, &management.name, joined(&unheard));
    }
}

fn heard_anything(heard: &Heard, report: &mut Report) {
    let seen = format!(
        "{} of {} by {} within {} s",
        count(heard.messages, "message"),
        count(heard.event_types.len() as u64, "type"),
        count(heard.publishers.len() as u64, "publisher"),
        heard.seconds,
    );
    if heard.bound.is_empty() && heard.messages == 0 {
        return report.unchecked(Id::NothingHeard, LISTENING, "no exchange could be listened to");
    }
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
