//! `[[forward]]` of the type `amqp`.

use super::*;
use crate::config::{AmqpConfig, AmqpExchangeKind, AmqpUnroutable, ReceiverConfig, RoutingKey, Secret};

/// Where the records go: another host than the source's.
const SINK: (&str, &str) = ("SINK", "amqp://osel:hunter2@mq.example/audit");

fn text(keys: &str) -> String {
    format!("{SMALLEST}[[forward]]\nname = 'queue'\ntype = 'amqp'\nurl = {{ env = 'SINK' }}\n{keys}")
}

fn amqp(keys: &str, url: &'static str) -> AmqpConfig {
    let (config, warnings) = good(&text(keys), &[URL, (SINK.0, url)]);
    assert_eq!(warnings, [""; 0]);
    let ReceiverConfig::Amqp(amqp) = &config.forwards[0].receiver else { panic!("{:?}", config.forwards) };
    *amqp.clone()
}

#[track_caller]
fn check(keys: &str, url: &str, wanted: &str) {
    let place = Place::new();
    place.write("osel.toml", text(keys));
    let told = place.without_path(&place.load(&[URL, (SINK.0, url)]).unwrap_err().to_string());
    assert!(told.contains(wanted), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn an_exchange_needs_a_url_and_a_name_and_takes_the_rest() {
    let smallest = amqp("exchange = 'records'\n", SINK.1);
    let host = &smallest.url.hosts[0];
    assert_eq!((host.host.as_str(), host.port, smallest.url.vhost.as_str()), ("mq.example", 5672, "audit"));
    assert_eq!(host.password, Secret::new("hunter2".to_owned()));
    let wanted = AmqpConfig {
        url: smallest.url.clone(),
        tls: None,
        heartbeat_seconds: 30,
        exchange: "records".to_owned(),
        declare: None,
        routing_key: RoutingKey::parse("osel.{kind}.{severity}").unwrap(),
        unroutable: AmqpUnroutable::Refuse,
    };
    assert_eq!(smallest, wanted);
    let keys = "exchange = 'r'\ndeclare = 'fanout'\nrouting_key = 'a.{event_type}'\nunroutable = 'accept'\nserver_name = 'mq'\n";
    let all = amqp(keys, "amqp://osel:hunter2@10.0.0.1:5671,osel:hunter2@10.0.0.2:5671/audit?heartbeat=5");
    assert!(all.url.tls, "by `server_name`");
    assert_eq!(all.tls.as_ref().unwrap().server_name.as_deref(), Some("mq"));
    assert_eq!((all.declare, all.unroutable), (Some(AmqpExchangeKind::Fanout), AmqpUnroutable::Accept));
    assert_eq!((all.heartbeat_seconds, all.routing_key), (5, RoutingKey::parse("a.{event_type}").unwrap()));
}

#[test]
fn what_is_wrong_is_told_without_the_password() {
    check("", SINK.1, "forward[0].exchange: is missing: name the exchange");
    check(
        "exchange = 'r'\n",
        "http://osel:hunter2@mq.example/",
        "forward[0].url: has a scheme that osel does not read",
    );
    check("exchange = 'r'\ndeclare = 'headers'\n", SINK.1, "must be `topic` or `direct` or `fanout`");
    check("exchange = 'r'\nrouting_key = 'a.{project}'\n", SINK.1, "has braces that are none of");
    check("exchange = 'r'\nunroutable = 'drop'\n", SINK.1, "must be `refuse` or `accept`");
}

#[test]
fn osel_never_publishes_to_what_it_listens_to() {
    // The source's own bus, by the exchange; another virtual host is another bus.
    check("exchange = 'neutron'\n", URL.1, "forward[0].exchange: is an exchange that source");
    amqp("exchange = 'records'\n", URL.1);
    amqp("exchange = 'neutron'\n", SINK.1);
    // Any bus, by a routing key that the source is bound by.
    for key in ["notifications.info", "notifications.{severity}", "versioned_notifications.x"] {
        let keys = format!("exchange = 'records'\nrouting_key = '{key}'\n");
        check(&keys, SINK.1, "forward[0].routing_key: begins with the topic");
    }
}
