//! The bus, asked by AMQP: what is there, by passive declarations, which change nothing and need no permission of their own.

use std::collections::BTreeMap;
use std::time::Duration;

use lapin::Connection;
use tokio::time::timeout;

use crate::amqp::{Address, Keeper, dial};
use crate::doctor::facts::{Asked, Bus, Counts, Wanted};
use crate::source::rabbitmq::{Presence, Probe};
use crate::telemetry::chain;

/// How long a host may take to be connected to.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long the broker may take to answer all questions: some tens, of a millisecond each where it is idle.
const LOOK_TIME: Duration = Duration::from_secs(60);
/// How long it may take to close.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// The priorities whose queues are asked for: those that services use without being told to.
const PRIORITIES: [&str; 2] = ["info", "error"];

/// A connection that stands.
pub(super) struct Line {
    pub(super) connection: Connection,
    pub(super) gate: Keeper,
}

impl Line {
    pub(super) async fn close(self) {
        // Whether it answers or not: the broker ends what is ours with the connection.
        let _ = timeout(CLOSE_TIME, self.connection.close(200, "OK".into())).await;
    }
}

/// Connects to the first host that answers, and looks.
pub(super) async fn look(hosts: &[Address], wanted: &Wanted) -> Asked<(Line, Bus)> {
    let mut why = Vec::new();
    for address in hosts {
        match dial(address, CONNECT_TIME).await {
            Ok((connection, gate)) => {
                let looking = timeout(LOOK_TIME, seen(&connection, address, wanted)).await;
                let bus = match looking {
                    Ok(Ok(bus)) => bus,
                    Ok(Err(error)) => return Err(format!("the bus broke off: {}", chain(&error))),
                    Err(_) => return Err("the bus does not answer questions".to_owned()),
                };
                return Ok((Line { connection, gate }, bus));
            }
            Err(error) => why.push(chain(&error)),
        }
    }
    Err(format!("the bus cannot be reached: {}", why.join("; ")))
}

async fn seen(connection: &Connection, address: &Address, wanted: &Wanted) -> Result<Bus, lapin::Error> {
    let mut probe = Probe::new(connection);
    let mut exchanges = BTreeMap::new();
    for name in &wanted.exchanges {
        exchanges.insert(name.clone(), probe.exchange(name).await?);
    }
    let mut queues = BTreeMap::new();
    let mut refused = Vec::new();
    for topic in &wanted.topics {
        for priority in PRIORITIES {
            let name = format!("{topic}.{priority}");
            match counts(&mut probe, &name).await? {
                Some(found) => drop(queues.insert(name, found)),
                None => refused.push(name),
            }
        }
    }
    probe.finish().await;
    let (host, port, vhost) = (&address.host, address.port, &address.vhost);
    Ok(Bus {
        name: format!("bus {host}:{port} vhost {vhost}"),
        user: address.user.clone(),
        tls: address.tls.is_some(),
        exchanges,
        queues,
        refused,
    })
}

/// What is in a queue; nothing when it may not be asked for, and nothing within that when it is not there.
async fn counts(probe: &mut Probe<'_>, name: &str) -> Result<Option<Option<Counts>>, lapin::Error> {
    match probe.queue_counts(name).await {
        Ok(found) => Ok(Some(found.map(|(messages, consumers)| Counts {
            messages: messages.into(),
            consumers: consumers.into(),
            messages_before: None,
        }))),
        Err(error) if probe.is_refused(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Counts again what was counted before, so that it shows whether it grows. A broker that answers no more leaves the first counts.
pub(super) async fn look_again(line: &Line, bus: &mut Bus) {
    let mut probe = Probe::new(&line.connection);
    for (name, before) in &mut bus.queues {
        let Some(first) = *before else { continue };
        match timeout(LOOK_TIME, counts(&mut probe, name)).await {
            Ok(Ok(Some(Some(now)))) => {
                *before = Some(Counts { messages_before: Some(first.messages), ..now });
            }
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
    probe.finish().await;
}

/// Whether an exchange can be bound to.
pub(super) fn is_there(presence: Presence) -> bool {
    presence == Presence::There
}
