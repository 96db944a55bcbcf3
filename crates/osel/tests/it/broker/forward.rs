//! The receiver `amqp` with a real broker: what is published, and what each of a broker's ways to say no comes to.

use std::time::Duration;

use osel::config::{
    AmqpConfig, AmqpExchangeKind, AmqpUnroutable, BrokerHost, ForwardConfig, Place, ReceiverConfig,
    RoutingKey, Secret, TlsConfig, TransportUrl,
};
use osel::forward::amqp::AmqpReceiver;
use osel::forward::receiver::{Item, Receiver};
use osel_core::format::Format;
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};
use tokio::runtime::Runtime;

use super::{Broker, Client, Options, Tls, until};
use crate::receivers::{batch, id, item};

/// For what happens at once, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// What the broker takes at most of one message.
const MESSAGE_BYTES_MAX: usize = 200_000;
const EXCHANGE: &str = "osel.records";

/// A receiver that is driven as the loop would.
struct Driven {
    runtime: Runtime,
    receiver: AmqpReceiver,
}

impl Driven {
    fn new(config: AmqpConfig) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let table = ForwardConfig {
            name: "queue".to_owned(),
            receiver: ReceiverConfig::Amqp(Box::new(config.clone())),
            format: Format::Native,
            filter: Default::default(),
            from: Default::default(),
            pseudonyms: false,
            place: Place::Nowhere,
        };
        let now = std::sync::Arc::new(move || table.clone());
        Self { runtime, receiver: AmqpReceiver::new(config, Format::Native, now) }
    }

    fn send(&mut self, items: &[Item]) -> Result<Taken, Refusal> {
        self.runtime.block_on(self.receiver.send(&batch(1, items)))
    }

    #[track_caller]
    fn refused(&mut self, items: &[Item]) -> (RefusalKind, usize, String) {
        let refusal = self.send(items).unwrap_err();
        (refusal.kind, refusal.taken, refusal.words)
    }

    fn confirm(&mut self) -> Result<Vec<BatchNumber>, Refusal> {
        self.runtime.block_on(self.receiver.confirm())
    }
}

fn config(broker: &Broker, user: &str) -> AmqpConfig {
    let host = BrokerHost {
        host: "127.0.0.1".to_owned(),
        port: broker.port(),
        user: user.to_owned(),
        password: Secret::new("of-the-forwarder".to_owned()),
    };
    AmqpConfig {
        url: TransportUrl { hosts: vec![host], vhost: "/".to_owned(), tls: false },
        tls: None,
        heartbeat_seconds: 30,
        exchange: EXCHANGE.to_owned(),
        declare: None,
        routing_key: RoutingKey::parse("osel.{kind}.{severity}").unwrap(),
        unroutable: AmqpUnroutable::Refuse,
    }
}

fn items(seqs: std::ops::RangeInclusive<u64>) -> Vec<Item> {
    seqs.map(|seq| item(seq, format!("{{\"seq\":{seq}}}"))).collect()
}

/// Takes everything off a queue: the ids.
fn taken(client: &Client, queue: &str) -> Vec<String> {
    let next = || client.take(queue).unwrap();
    std::iter::from_fn(next)
        .map(|message| message.properties.message_id().as_ref().unwrap().to_string())
        .collect()
}

fn ids(seqs: std::ops::RangeInclusive<u64>) -> Vec<String> {
    seqs.map(id).collect()
}

#[test]
fn records_are_published_persistent_confirmed_and_in_order_and_each_refusal_says_what_to_do() {
    let broker = Broker::start_with(&Options {
        tls: Tls::ClientMayShow,
        configuration: format!("max_message_size = {MESSAGE_BYTES_MAX}"),
        ..Options::default()
    });
    let client = Client::connect(&broker.url()).unwrap();
    broker.add_user("forwarder", "of-the-forwarder", "/", ["^osel\\.", "^osel\\.", ""]);
    broker.add_user("reader", "of-the-forwarder", "/", ["", "", ".*"]);

    what_is_not_set_up_is_told(&broker, &client);
    what_is_published(&broker, &client);
    what_nobody_is_bound_for_waits(&broker, &client);
    a_full_queue_is_waited_for_and_the_order_is_kept(&broker, &client);
    a_message_that_is_too_large_is_found(&broker, &client);
    a_broker_that_is_short_of_memory_is_waited_for_without_sending_twice(&broker, &client);
    certificates_are_checked(&broker, &client);
    what_comes_after_a_break_is_sent_again(broker, client);
}

fn what_is_not_set_up_is_told(broker: &Broker, client: &Client) {
    let mut stranger = config(broker, "forwarder");
    stranger.url.hosts[0].password = Secret::new("another".to_owned());
    let (kind, _, words) = Driven::new(stranger).refused(&items(1..=1));
    assert!(
        kind == RefusalKind::Denied && words.contains("ACCESS_REFUSED") && !words.contains("another"),
        "{words}"
    );
    let mut elsewhere = config(broker, "forwarder");
    elsewhere.url.vhost = "none".to_owned();
    assert_eq!(Driven::new(elsewhere).refused(&items(1..=1)).0, RefusalKind::Denied);

    let mut driven = Driven::new(config(broker, "forwarder"));
    let (kind, _, words) = driven.refused(&items(1..=1));
    assert!(
        kind == RefusalKind::Denied && words.contains("make it, or have osel make it by `declare`"),
        "{words}"
    );
    let declaring = |user| AmqpConfig { declare: Some(AmqpExchangeKind::Topic), ..config(broker, user) };
    let (kind, _, words) = Driven::new(declaring("reader")).refused(&items(1..=1));
    assert!(
        kind == RefusalKind::Denied
            && words.contains("cannot be declared")
            && words.contains("ACCESS_REFUSED"),
        "{words}"
    );
    let mut declared = Driven::new(declaring("forwarder"));
    assert_eq!(
        declared.runtime.block_on(declared.receiver.check()).unwrap().unwrap(),
        "exchange `osel.records` is there"
    );
    client.expect_exchange(EXCHANGE).unwrap();
    let other = AmqpConfig { declare: Some(AmqpExchangeKind::Fanout), ..config(broker, "forwarder") };
    let (kind, _, words) = Driven::new(other).refused(&items(1..=1));
    assert!(kind == RefusalKind::Denied && words.contains("PRECONDITION_FAILED"), "{words}");
    // Who may not write is told with the first message.
    let (kind, taken, words) = Driven::new(config(broker, "reader")).refused(&items(1..=2));
    assert!(kind == RefusalKind::Denied && taken == 0 && words.contains("ACCESS_REFUSED"), "{words}");
}

fn what_is_published(broker: &Broker, client: &Client) {
    client.declare_queue("osel.all", "quorum").unwrap();
    client.bind("osel.all", EXCHANGE, "osel.#").unwrap();
    let mut driven = Driven::new(config(broker, "forwarder"));
    let sent = items(1..=300);
    assert_eq!(driven.send(&sent).unwrap(), Taken::Kept);
    let first = client.take("osel.all").unwrap().unwrap();
    assert_eq!((first.exchange.as_str(), first.routing_key.as_str()), (EXCHANGE, "osel.change.low"));
    assert_eq!(first.body, sent[0].line);
    let properties = &first.properties;
    assert_eq!(properties.message_id().as_ref().unwrap().as_str(), id(1));
    assert_eq!(properties.delivery_mode(), &Some(2));
    assert_eq!(properties.kind().as_ref().unwrap().as_str(), "change");
    assert_eq!(properties.app_id().as_ref().unwrap().as_str(), "osel");
    assert_eq!(properties.content_type().as_ref().unwrap().as_str(), "application/json");
    assert_eq!(properties.timestamp(), &Some(1_795_688_347));
    let headers = format!("{:?}", properties.headers().as_ref().unwrap());
    for words in ["osel_seq", "LongLongInt(1)", "osel_severity", "osel_event_type"] {
        assert!(headers.contains(words), "{words}: {headers}");
    }
    assert_eq!(taken(client, "osel.all"), ids(2..=300));
    client.delete_queue("osel.all").unwrap();
}

fn what_nobody_is_bound_for_waits(broker: &Broker, client: &Client) {
    client.declare_queue("osel.some", "classic").unwrap();
    client.bind("osel.some", EXCHANGE, "osel.change.low").unwrap();
    client.bind("osel.some", EXCHANGE, "osel.change.medium").unwrap();
    let mut driven = Driven::new(config(broker, "forwarder"));
    // 1 is low, 2 medium, 3 high.
    let (kind, count, words) = driven.refused(&items(1..=8));
    assert_eq!((kind, count), (RefusalKind::Misplaced, 2), "{words}");
    assert!(words.contains("no queue is bound for routing key `osel.change.high`"), "{words}");
    taken(client, "osel.some");
    // Those behind one that is refused are not published again and again.
    for _ in 0..2 {
        assert_eq!(driven.refused(&items(3..=8)).1, 0);
    }
    assert_eq!(taken(client, "osel.some"), Vec::<String>::new());
    client.bind("osel.some", EXCHANGE, "osel.change.#").unwrap();
    assert_eq!(driven.send(&items(3..=8)).unwrap(), Taken::Kept);
    assert_eq!(taken(client, "osel.some"), ids(3..=8));
    client.delete_queue("osel.some").unwrap();
    let careless = AmqpConfig { unroutable: AmqpUnroutable::Accept, ..config(broker, "forwarder") };
    assert_eq!(Driven::new(careless).send(&items(1..=8)).unwrap(), Taken::Kept);
}

fn a_full_queue_is_waited_for_and_the_order_is_kept(broker: &Broker, client: &Client) {
    broker.set_policy("/", "small", "^osel\\.small$", r#"{"max-length":5,"overflow":"reject-publish"}"#);
    client.declare_queue("osel.small", "classic").unwrap();
    client.bind("osel.small", EXCHANGE, "#").unwrap();
    let mut driven = Driven::new(config(broker, "forwarder"));
    let (mut waiting, mut arrived) = (items(1..=23), Vec::new());
    until("everything is taken", LIMIT, || {
        match driven.send(&waiting) {
            Ok(taken) => {
                assert_eq!(taken, Taken::Kept);
                waiting.clear();
            }
            Err(refusal) => {
                assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
                assert!(refusal.words.contains("basic.nack"), "{}", refusal.words);
                waiting.drain(..refusal.taken);
            }
        }
        arrived.extend(taken(client, "osel.small"));
        waiting.is_empty()
    });
    assert_eq!(arrived, ids(1..=23));
    client.delete_queue("osel.small").unwrap();
}

fn a_message_that_is_too_large_is_found(broker: &Broker, client: &Client) {
    client.declare_queue("osel.all", "classic").unwrap();
    client.bind("osel.all", EXCHANGE, "#").unwrap();
    let mut driven = Driven::new(config(broker, "forwarder"));
    let mut sent = items(1..=3);
    sent[1].line = vec![b'x'; MESSAGE_BYTES_MAX + 1];
    let (kind, count, words) = driven.refused(&sent);
    assert!(kind == RefusalKind::TooLarge && count <= 1, "{kind:?} {count} {words}");
    let (kind, count, _) = driven.refused(&sent[1..2]);
    assert_eq!((kind, count), (RefusalKind::TooLarge, 0));
    taken(client, "osel.all");
    assert_eq!(driven.send(&sent[2..]).unwrap(), Taken::Kept);
    assert_eq!(taken(client, "osel.all"), ids(3..=3));
}

fn a_broker_that_is_short_of_memory_is_waited_for_without_sending_twice(broker: &Broker, client: &Client) {
    let mut driven = Driven::new(config(broker, "forwarder"));
    assert_eq!(driven.send(&items(1..=1)).unwrap(), Taken::Kept);
    broker.set_memory_alarm(true);
    until("the broker blocks", LIMIT, || broker.log().contains("memory resource limit alarm set"));
    assert_eq!(driven.send(&items(2..=40)).unwrap(), Taken::Awaited);
    assert_eq!(driven.confirm().unwrap(), []);
    let (kind, count, words) = driven.refused(&items(41..=50));
    assert!(
        kind == RefusalKind::Unavailable && count == 0 && words.contains("connection.blocked"),
        "{words}"
    );
    broker.set_memory_alarm(false);
    until("it confirms", LIMIT, || driven.confirm().unwrap() == [BatchNumber(1)]);
    assert_eq!(driven.send(&items(41..=50)).unwrap(), Taken::Kept);
    assert_eq!(taken(client, "osel.all"), ids(1..=50));
}

fn certificates_are_checked(broker: &Broker, client: &Client) {
    let files = broker.certificates();
    let trusting = TlsConfig { ca_file: Some(files.authority.clone()), ..TlsConfig::default() };
    let over_tls = |tls: TlsConfig| {
        let mut config = config(broker, "forwarder");
        config.url.hosts[0].port = broker.tls_port();
        config.url.tls = true;
        Driven::new(AmqpConfig { tls: Some(tls), ..config })
    };
    let (kind, _, words) = over_tls(TlsConfig::default()).refused(&items(1..=1));
    assert!(kind == RefusalKind::Denied && words.contains("no trust with"), "{words}");
    assert_eq!(over_tls(trusting).send(&items(51..=60)).unwrap(), Taken::Kept);
    assert_eq!(taken(client, "osel.all"), ids(51..=60));
}

fn what_comes_after_a_break_is_sent_again(mut broker: Broker, client: Client) {
    let mut driven = Driven::new(config(&broker, "forwarder"));
    assert_eq!(driven.send(&items(61..=61)).unwrap(), Taken::Kept);
    client.delete_exchange(EXCHANGE).unwrap();
    let (kind, _, words) = driven.refused(&items(62..=62));
    assert!(kind == RefusalKind::Denied && words.contains("NOT_FOUND"), "{words}");
    client.declare_exchange(EXCHANGE, true).unwrap();
    client.bind("osel.all", EXCHANGE, "#").unwrap();
    // An operator closes the connection.
    assert_eq!(driven.send(&items(62..=62)).unwrap(), Taken::Kept);
    drop(client);
    broker.close_all_connections("the test wants it");
    until("it connects again", LIMIT, || match driven.send(&items(63..=63)) {
        Ok(taken) => taken == Taken::Kept,
        Err(refusal) => {
            assert_eq!(refusal.kind, RefusalKind::Unavailable, "{}", refusal.words);
            false
        }
    });
    // The broker writes down what is declared after a moment only: an exchange that goes with the kill is another matter.
    broker.ctl(&["eval", "mnesia:sync_log()."]);
    broker.kill();
    let (kind, ..) = driven.refused(&items(64..=64));
    assert_eq!(kind, RefusalKind::Unavailable);
    broker.restart();
    until("it connects to the broker that is back", LIMIT, || driven.send(&items(64..=64)).is_ok());
    // What was confirmed outlived the kill.
    let client = Client::connect(&broker.url()).unwrap();
    assert_eq!(taken(&client, "osel.all"), ids(61..=64));
    let closed = driven.runtime.block_on(driven.receiver.close()).unwrap();
    assert_eq!(closed, []);
}
