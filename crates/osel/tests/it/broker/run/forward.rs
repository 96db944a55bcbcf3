//! `osel run` that publishes its records to the broker that it listens to, while both are killed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::{Broker, Client, until};
use super::{LIMIT, Osel, add_user, publish, source, url};

const QUEUE: &str = "osel.sink";
/// By a user of its own, that may declare and write the exchange and nothing else.
const FORWARD: &str = "[[forward]]\nname = 'queue'\ntype = 'amqp'\nurl = { file = 'forward-url' }\nexchange = 'osel.records'\n\
                       declare = 'topic'\n";

/// Takes what waits in the queue: ids, each with its record's number.
fn drain(client: &Client, seen: &mut Vec<(String, u64)>) {
    while let Some(message) = client.take(QUEUE).unwrap() {
        let record: Value = serde_json::from_slice(&message.body).unwrap();
        let id = message.properties.message_id().as_ref().unwrap().to_string();
        seen.push((id, record["seq"].as_u64().unwrap()));
    }
}

#[test]
fn records_reach_a_queue_whole_and_in_order_though_osel_and_the_broker_are_killed() {
    let mut broker = Broker::start();
    add_user(&broker);
    broker.add_user("forwarder", "of-the-forwarder", "/", ["^osel\\.records$", "^osel\\.records$", ""]);
    let client = Client::connect(&broker.url()).unwrap();
    // Durable, as with `amqp_durable_queues`: it outlives the broker's end.
    client.declare_exchange("neutron", true).unwrap();
    let mut osel = Osel::new("run-forward", &url(broker.port()), "");
    osel.set_url("forward-url", &format!("amqp://forwarder:of-the-forwarder@127.0.0.1:{}/", broker.port()));
    osel.configure(&format!("{}{FORWARD}", source("one", "url", "durable_exchanges = true")));
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);

    // Nobody is bound: nothing is lost meanwhile.
    let mut published = publish(&client, "unbound", 30);
    osel.await_recorded(published.len());
    osel.await_log(&["no queue is bound for routing key"]);
    client.declare_queue(QUEUE, "quorum").unwrap();
    client.bind(QUEUE, "osel.records", "osel.#").unwrap();
    osel.reload();
    let mut seen = Vec::new();
    until("they are forwarded", LIMIT, || {
        drain(&client, &mut seen);
        seen.len() >= 30
    });
    for round in ["first", "second"] {
        published.extend(publish(&client, round, 200));
        osel.await_recorded(published.len());
        osel.kill();
        osel.start_and_listen();
    }
    broker.settle_queues();
    broker.kill();
    broker.restart();
    let client = Client::connect(&broker.url()).unwrap();
    let listening = osel.lines(&["listening"]).len();
    osel.await_lines(&["listening"], listening);
    until("osel hears again", LIMIT, || {
        published.extend(publish(&client, &format!("after-{}", published.len()), 5));
        osel.ledger("one").is_some_and(|ledger| ledger.recorded > 430)
    });
    until("all are forwarded", LIMIT, || {
        drain(&client, &mut seen);
        let last = seen.iter().map(|(_, seq)| *seq).max();
        last == osel.records().last().and_then(|record| record["seq"].as_u64())
    });
    assert!(osel.stop().success());
    drain(&client, &mut seen);

    let records: Vec<u64> = osel.records().iter().map(|record| record["seq"].as_u64().unwrap()).collect();
    let mut numbers: BTreeMap<&String, u64> = BTreeMap::new();
    let mut first = Vec::new();
    for (id, seq) in &seen {
        match numbers.insert(id, *seq) {
            None => first.push(*seq),
            Some(known) => assert_eq!(known, *seq, "two records of one id"),
        }
    }
    // Some may be written after the forwarder's last word: those about the stop.
    assert_eq!(first, records[..first.len()]);
    assert!(records.len() - first.len() <= 2, "{} of {}", first.len(), records.len());
    // It heard the service and not itself.
    let ledger = osel.ledger("one").unwrap();
    assert_eq!((ledger.quarantined, ledger.ignored), (0, 0));
    assert!(ledger.received <= published.len() as u64 + ledger.duplicate);
}
