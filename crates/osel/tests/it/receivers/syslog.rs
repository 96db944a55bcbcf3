//! Every record arrives at rsyslog and syslog-ng, in order, taken apart as it was put together.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use osel::config::{SyslogConfig, SyslogFraming, SyslogMessage};
use osel::forward::receiver::{Item, Receiver};
use osel::forward::syslog::SyslogReceiver;
use osel_core::forward::{BatchNumber, RefusalKind, Taken};
use serde_json::{Value, json};

use super::servers::{Product, Server};
use super::{batch, id, item};

/// How often it is asked what has arrived.
const ASK_EACH: Duration = Duration::from_millis(20);
/// How many records a batch has.
const BATCH: usize = 20;

/// Sends as a forwarder does: what is not known to have arrived before the connection broke is sent again, in its order. `before` is
/// called before each sending with how many records were sent so far.
async fn deliver(receiver: &mut dyn Receiver, items: &[Item], mut before: impl FnMut(usize)) {
    let (mut arrived, mut sent) = (0, 0);
    let mut awaited: VecDeque<(BatchNumber, usize)> = VecDeque::new();
    let mut number = 0;
    while arrived < items.len() {
        if sent < items.len() {
            before(sent);
            number += 1;
            let end = items.len().min(sent + BATCH);
            match receiver.send(&batch(number, &items[sent..end])).await {
                Ok(Taken::Kept) => (arrived, sent) = (end, end),
                Ok(Taken::Awaited) => {
                    awaited.push_back((BatchNumber(number), end));
                    sent = end;
                }
                Err(refusal) => {
                    assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
                    receiver.reset();
                    awaited.clear();
                    sent = arrived;
                }
            }
        } else {
            thread::park_timeout(ASK_EACH);
        }
        match receiver.confirm().await {
            Ok(confirmed) => {
                for number in confirmed {
                    let (first, end) = awaited.pop_front().unwrap();
                    assert_eq!(first, number);
                    arrived = end;
                }
            }
            Err(refusal) => {
                assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
                receiver.reset();
                awaited.clear();
                sent = arrived;
            }
        }
    }
}

/// Texts that framing and escaping may trip over.
fn text(seq: u64) -> String {
    json!({"seq": seq, "odd": "é\u{1f600} \"]\\ <13>1 7 x", "long": "x".repeat(seq as usize % 7 * 500)})
        .to_string()
}

fn items(count: u64) -> Vec<Item> {
    (1..=count).map(|seq| item(seq, text(seq))).collect()
}

#[track_caller]
fn is_as_sent(received: &Value, item: &Item) {
    let priority = 16 * 8 + [6, 5, 4, 3, 2][item.severity as usize];
    let wanted = json!({
        "id": item.id, "seq": item.seq.to_string(), "kind": "change", "host": "ctl1.example", "app": "osel",
        "msgid": "security_group_rule.create.end", "priority": priority.to_string(),
        "message": String::from_utf8(item.line.clone()).unwrap(),
    });
    assert_eq!(*received, wanted);
}

#[tokio::test]
async fn every_record_arrives_over_every_transport_as_it_was_sent() {
    for product in Product::ALL {
        let server = Server::start(product);
        let items = items(100);
        let mut expected = 0;
        let mut check = async |config: SyslogConfig, items: &[Item]| {
            let mut receiver = SyslogReceiver::new(&config);
            deliver(&mut receiver, items, |_| ()).await;
            let before = expected;
            expected += items.len();
            let received = server.await_received(expected);
            assert_eq!(received.len(), expected, "{}", receiver.target());
            for (received, item) in received[before..].iter().zip(items) {
                is_as_sent(received, item);
            }
        };
        check(server.over_tls(server.tls()), &items).await;
        check(server.over_tcp(SyslogFraming::OctetCounting), &items).await;
        if product == Product::Rsyslog {
            // What syslog-ng has for RFC 5424 takes lengths only.
            check(server.over_tcp(SyslogFraming::LineFeed), &items).await;
        }
        check(server.over_unix(), &items).await;
        // More at once than the system's buffer holds would be lost, as it is with UDP.
        let long = SyslogConfig { message_bytes_max: 8000.try_into().ok(), ..server.over_udp() };
        check(long, &items[..20]).await;
    }
}

#[tokio::test]
async fn a_message_that_is_cut_and_one_of_old_are_understood() {
    let server = Server::start(Product::Rsyslog);
    let long = item(1, "é".repeat(2000));
    let cut = SyslogConfig { message_bytes_max: 1024.try_into().ok(), ..server.over_udp() };
    deliver(&mut SyslogReceiver::new(&cut), &[long], |_| ()).await;
    let received = server.await_received(1).pop().unwrap();
    assert_eq!(received["id"], id(1));
    let message = received["message"].as_str().unwrap();
    assert!(message.chars().all(|c| c == 'é') && (300..512).contains(&message.chars().count()), "{message}");
    let old =
        SyslogConfig { message: SyslogMessage::Rfc3164, ..server.over_tcp(SyslogFraming::OctetCounting) };
    deliver(&mut SyslogReceiver::new(&old), &[item(2, "old".to_owned())], |_| ()).await;
    let received = server.await_received(2).pop().unwrap();
    // Before the text of an old message stands a space, which rsyslog keeps.
    let got = ["host", "app", "message"].map(|key| received[key].as_str().unwrap().trim());
    assert_eq!(got, ["ctl1.example", "osel", "old"]);
}

#[tokio::test]
async fn a_server_that_is_killed_again_and_again_misses_nothing() {
    for product in Product::ALL {
        let mut server = Server::start(product);
        let items = items(400);
        let mut receiver = SyslogReceiver::new(&server.over_tls(server.tls()));
        let mut kills = vec![300, 140, 60];
        deliver(&mut receiver, &items, |sent| {
            if kills.last().is_some_and(|at| sent >= *at) {
                kills.pop();
                server.restart();
            }
        })
        .await;
        assert!(kills.is_empty());
        let wanted: Vec<String> = items.iter().map(|item| item.id.clone()).collect();
        let mut seen: Vec<String> = Vec::new();
        for received in server.await_received(items.len()) {
            let id = received["id"].as_str().unwrap();
            // What comes twice has its id, by which it is told.
            if !seen.iter().any(|seen| seen == id) {
                seen.push(id.to_owned());
            }
        }
        assert_eq!(seen, wanted, "{product:?}");
    }
}

#[tokio::test]
async fn a_stop_in_order_is_told_what_was_read() {
    for product in Product::ALL {
        let server = Server::start(product);
        let items = items(20);
        let patient = SyslogConfig { settle: Duration::from_secs(100), ..server.over_tls(server.tls()) };
        let mut receiver = SyslogReceiver::new(&patient);
        assert_eq!(receiver.send(&batch(1, &items)).await, Ok(Taken::Awaited));
        assert_eq!(receiver.close().await, Ok(vec![BatchNumber(1)]), "{product:?}");
        assert_eq!(server.await_received(items.len()).len(), items.len());
    }
}
