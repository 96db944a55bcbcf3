//! The program `osel run` as an operator has it: a process of its own, a configuration file, real brokers, real publishers.
//!
//! What is waited for is a line of its log or a count in its store, never time. Each test starts one broker and tries much with it,
//! since a start costs seconds.

mod chaos;
mod cluster;
mod disk;
mod durability;
mod forward;
mod hostile;
mod osel;
mod outage;
mod postgres;
mod raw;
mod released;
mod restart;
mod tap;
mod tls;

use std::time::Duration;

use serde_json::{Value, json};

pub use self::disk::Disk;
pub use self::osel::{Osel, clock, gap, now, source};
pub use self::raw::{Raw, long, short};

use super::{Broker, Client, until};

/// For what happens at once, or after a few attempts, on a busy machine.
const LIMIT: Duration = Duration::from_secs(90);
/// The user of osel, with nothing but what the documentation asks for.
const USER: &str = "osel";
const PASSWORD: &str = "a-secret-of-osel";

const HOSTS: usize = 8;

/// Adds the user that osel logs in as: it may make and write what is its own, and read everything.
fn add_user(broker: &Broker) {
    broker.add_user(USER, PASSWORD, "/", ["^osel\\.", "^osel\\.", ".*"]);
}

/// What stands in the file that osel's configuration refers to. The one host is in it several times: the waits between attempts become
/// longer only when all hosts had their turn.
fn url(port: u16) -> String {
    format!("rabbit://{}/", vec![format!("{USER}:{PASSWORD}@127.0.0.1:{port}"); HOSTS].join(","))
}

/// Waits until `neutron` was bound so many times and the gap before that is told.
#[track_caller]
fn await_bound_again(osel: &mut Osel, times: usize) {
    osel.await_lines(&["exchange bound", "neutron"], times);
    // Lines begin with their time, which is before the end of the gap.
    let line = osel.lines(&["exchange bound", "neutron"]).swap_remove(times - 1);
    let (bound, _) = line.split_once(' ').unwrap();
    until("the gap is told", LIMIT, || osel.gaps().iter().any(|[_, to, _]| &**to >= bound));
}

/// A notification of a service, with an id of its own.
fn body(id: &str) -> String {
    let payload: Value = json!({"network": {"id": "n", "name": id}});
    json!({
        "message_id": id, "event_type": "network.update.end", "publisher_id": "network.controller1",
        "priority": "INFO", "timestamp": "2026-11-21 00:00:00.000000", "payload": payload,
    })
    .to_string()
}

/// So many notifications with ids that begin alike.
fn bodies(name: &str, count: usize) -> Vec<(String, String)> {
    let id = |number| format!("{name}-{number:05}");
    (0..count).map(|number| (id(number), body(&id(number)))).collect()
}

/// Publishes such notifications until the broker has confirmed each, and gives their ids. A quorum queue whose leader has just gone
/// refuses what it gets meanwhile; what it has nevertheless kept comes twice then, and osel records it once.
#[track_caller]
fn publish(client: &Client, name: &str, count: usize) -> Vec<String> {
    let (ids, mut texts): (Vec<_>, Vec<_>) = bodies(name, count).into_iter().unzip();
    until("the broker confirms what is published", LIMIT, || {
        let (confirmed, result) = client.publish("neutron", "notifications.info", &texts);
        result.unwrap();
        let mut confirmed = confirmed.into_iter();
        texts.retain(|_| !confirmed.next().unwrap_or(false));
        texts.is_empty()
    });
    ids
}
