//! The broker itself: whether exchanges outlive a restart, and whether anybody speaks with it in the clear.

use super::text::{BUS, MANAGEMENT, NO_SERVICE_CONFIG, SERVICE_CONFIG, count, names};
use crate::doctor::facts::{Connection, Exchange, Facts, Management};
use crate::doctor::id::Id;
use crate::doctor::verdict::Report;

pub(super) fn judge(facts: &Facts, report: &mut Report) {
    match &facts.bus {
        Ok(bus) => {
            let seen = if bus.tls { "osel speaks TLS" } else { "osel's transport_url is without TLS" };
            report.judged(Id::NoTls, &bus.name, !bus.tls, seen);
        }
        Err(why) => report.unchecked(Id::NoTls, BUS, why),
    }
    match &facts.management {
        Ok(management) => {
            durable(management, &facts.wanted.exchanges, report);
            encrypted(management, report);
        }
        Err(why) => {
            report.unchecked(Id::ExchangeNotDurable, MANAGEMENT, why);
            report.unchecked(Id::NoTls, MANAGEMENT, why);
        }
    }
    for (path, file) in &facts.services {
        match file {
            Ok(file) => {
                let seen = "`amqp_durable_queues` and `rabbit_quorum_queue`";
                let is = if file.durable { "one is true" } else { "neither is true" };
                report.judged(Id::ExchangeNotDurable, path, !file.durable, format!("{seen}: {is}"));
            }
            Err(why) => report.unchecked(Id::ExchangeNotDurable, path, why),
        }
        match file.as_ref().map_err(Clone::clone).and_then(|file| file.bus.clone()) {
            Ok(bus) => {
                let seen =
                    if bus.tls { "by TLS" } else { "neither `ssl` nor the transport_url asks for TLS" };
                report.judged(Id::NoTls, path, !bus.tls, seen);
            }
            Err(why) => report.unchecked(Id::NoTls, path, why),
        }
    }
    if facts.services.is_empty() {
        report.unchecked(Id::ExchangeNotDurable, SERVICE_CONFIG, NO_SERVICE_CONFIG);
        report.unchecked(Id::NoTls, SERVICE_CONFIG, NO_SERVICE_CONFIG);
    }
}

fn durable(management: &Management, wanted: &[String], report: &mut Report) {
    let exchanges = match &management.exchanges {
        Ok(exchanges) => exchanges,
        Err(why) => return report.unchecked(Id::ExchangeNotDurable, &management.name, why),
    };
    let ours: Vec<&Exchange> = exchanges.iter().filter(|exchange| wanted.contains(&exchange.name)).collect();
    let passing: Vec<&str> =
        ours.iter().filter(|exchange| !exchange.durable).map(|exchange| exchange.name.as_str()).collect();
    if ours.is_empty() {
        report.unchecked(Id::ExchangeNotDurable, &management.name, "there is no exchange of a service");
    } else if passing.is_empty() {
        let seen = names(ours.iter().map(|exchange| exchange.name.as_str()));
        report.clear(Id::ExchangeNotDurable, &management.name, format!("durable: {seen}"));
    } else {
        report.found(Id::ExchangeNotDurable, &management.name, format!("not durable: {}", names(passing)));
    }
}

fn encrypted(management: &Management, report: &mut Report) {
    if !management.tls {
        report.found(Id::NoTls, &management.name, "the management interface is asked without TLS");
    }
    let connections = match &management.connections {
        Ok(connections) => connections,
        Err(why) => return report.unchecked(Id::NoTls, &management.name, why),
    };
    let plain: Vec<&Connection> =
        connections.iter().filter(|connection| connection.ssl == Some(false)).collect();
    let silent = connections.iter().filter(|connection| connection.ssl.is_none()).count();
    let of = count(connections.len() as u64, "connection");
    if connections.is_empty() {
        report.unchecked(Id::NoTls, &management.name, "nobody is connected to the bus");
    } else if plain.is_empty() && silent > 0 {
        let why = format!("{silent} of {of} do not say whether they are by TLS");
        report.unchecked(Id::NoTls, &management.name, why);
    } else if plain.is_empty() {
        report.clear(Id::NoTls, &management.name, format!("{of}, all by TLS"));
    } else {
        let mut users: Vec<&str> = plain.iter().map(|connection| connection.user.as_str()).collect();
        users.sort_unstable();
        users.dedup();
        let seen = format!("{} of {of} without TLS, of users {}", plain.len(), names(users));
        report.found(Id::NoTls, &management.name, seen);
    }
}
