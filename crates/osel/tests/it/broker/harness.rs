//! The ground under the other tests: what RabbitMQ and oslo.messaging really do, and that the harness breaks what it says it breaks.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use osel_core::decode::decode;
use osel_core::event::{Properties, RawMessage};
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use super::client::Message;
use super::{
    Binding, Broker, Certificates, Client, Cluster, Notification, Options, Proxy, Publisher,
    PublisherOptions, Release, Tls, until,
};

/// For what happens at once, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const SECRET: &str = "gAAAAABtokenOfAUser";

fn raw(message: &Message) -> RawMessage {
    RawMessage {
        source: "test".into(),
        region: None,
        exchange: message.exchange.as_str().into(),
        routing_key: message.routing_key.as_str().into(),
        redelivered: message.redelivered,
        received_at: Timestamp::from_micros(0),
        properties: Properties::default(),
        body: message.body.clone(),
    }
}

fn group(name: &str) -> Value {
    json!({"security_group": {"id": "3f1b2c4d-0000-4000-8000-000000000001", "name": name, "project_id": "p1"}})
}

fn binding(exchange: &str, queue: &str, routing_key: &str) -> Binding {
    Binding { exchange: exchange.into(), queue: queue.into(), routing_key: routing_key.into() }
}

/// Published once by a service of this kind, what reaches the tap: the message, and what decoding makes of it.
fn tapped(broker: &Broker, tap: &Client, options: &PublisherOptions, context: Option<Value>) -> Message {
    let mut publisher = Publisher::start(broker, options);
    let sent =
        Notification { context, ..Notification::new("security_group.create.end", group(&options.driver)) };
    let published = publisher.publish(&sent);
    assert_eq!((published.confirmed.len(), published.failed.len()), (1, 0), "{published:?}");
    tap.await_messages("osel.tap", 1);
    let message = tap.take("osel.tap").unwrap().unwrap();
    assert_eq!((message.exchange.as_str(), message.routing_key.as_str()), ("neutron", "notifications.info"));
    let raw = raw(&message);
    let decoded = decode(&raw);
    assert!(decoded.result.is_ok(), "{decoded:?}");
    assert_eq!(decoded.message_id.as_deref(), Some(published.confirmed[0].as_str()));
    let body: Value = serde_json::from_slice(&decoded.body).unwrap();
    assert_eq!(body["event_type"], "security_group.create.end");
    assert_eq!(body["payload"], sent.payload);
    assert_eq!(body["publisher_id"], "network.controller1");
    assert!(!String::from_utf8_lossy(&decoded.body).contains(SECRET));
    message
}

#[test]
fn a_tap_gets_a_copy_of_what_oslo_messaging_publishes_and_takes_nothing_away() {
    let broker = Broker::start();
    broker.add_user("osel", "first", "/", ["^osel\\.", "^osel\\.", ".*"]);
    let url = format!("amqp://osel:first@127.0.0.1:{}/%2f", broker.port());
    let tap = Client::connect(&url).unwrap();
    assert!(tap.expect_exchange("neutron").is_err(), "nobody has declared it");

    // A service declares its exchange and the queue of its topic, and sends into it before anybody listens.
    let mut service = Publisher::start(&broker, &PublisherOptions::default());
    let first = service.publish(&Notification {
        number_from: Some(5),
        count: 3,
        ..Notification::new("network.create.end", json!({"network": {}}))
    });
    assert_eq!((first.confirmed.len(), first.failed.len(), first.errors.len()), (3, 0, 0));
    tap.expect_exchange("neutron").unwrap();

    // The tap may make its own queue, and no other.
    assert!(tap.declare_queue("notifications.other", "classic").is_err());
    tap.declare_queue("osel.tap", "quorum").unwrap();
    tap.bind("osel.tap", "neutron", "notifications.*").unwrap();

    let with = |driver: &str, release| PublisherOptions {
        driver: driver.to_owned(),
        release,
        ..PublisherOptions::default()
    };
    let context = json!({"user_id": "u1", "project_id": "p1", "auth_token": SECRET});
    let bare = tapped(&broker, &tap, &with("messaging", Release::Current), None);
    assert!(bare.body.starts_with(b"{\"message_id\""), "{:?}", String::from_utf8_lossy(&bare.body));
    let wrapped = tapped(&broker, &tap, &with("messagingv2", Release::Current), Some(context.clone()));
    assert!(wrapped.body.starts_with(b"{\"oslo.version\""));
    assert!(!String::from_utf8_lossy(&wrapped.body).contains(SECRET), "it redacts by itself");
    for driver in ["messaging", "messagingv2"] {
        let old = tapped(&broker, &tap, &with(driver, Release::Zed), Some(context.clone()));
        assert!(String::from_utf8_lossy(&old.body).contains(SECRET), "it did not send the token");
        assert_eq!(old.properties.delivery_mode(), &Some(2));
    }

    // Every message is still where the service's own listeners look for it.
    let queues = broker.list_queues("/");
    let seen: Vec<_> = queues
        .iter()
        .map(|queue| {
            (queue.name.as_str(), queue.kind.as_str(), queue.durable, queue.messages, queue.consumers)
        })
        .collect();
    assert_eq!(seen, [("notifications.info", "classic", false, 7, 0), ("osel.tap", "quorum", true, 0, 0)]);
    assert!(queues.iter().all(|queue| !queue.auto_delete));
    assert_eq!(queues[1].arguments["x-queue-type"], "quorum", "{:?}", queues[1].arguments);
    let wanted = [
        binding("neutron", "notifications.info", "notifications.info"),
        binding("neutron", "osel.tap", "notifications.*"),
    ];
    assert_eq!(broker.list_bindings("/"), wanted);

    operate(&broker, &tap, &mut service);
}

/// What operators do to a broker, and what its clients see of it.
fn operate(broker: &Broker, tap: &Client, service: &mut Publisher) {
    let one = Notification::new("network.create.end", json!({"network": {}}));
    // While an alarm lasts, a service waits with its notification; afterwards it is confirmed.
    broker.set_memory_alarm(true);
    service.begin(&one);
    until("the broker blocks the service", LIMIT, || {
        broker.log().contains("memory resource limit alarm set")
    });
    broker.set_memory_alarm(false);
    assert_eq!(service.finish().confirmed.len(), 1);
    tap.await_messages("osel.tap", 1);
    broker.set_disk_alarm(true);
    until("the disk alarm", LIMIT, || broker.log().contains("disk resource limit alarm set"));
    broker.set_disk_alarm(false);

    // A queue that overflows loses its oldest message.
    broker.set_policy("/", "small", "^osel\\.", r#"{"max-length":2}"#);
    let admin = Client::connect(&broker.url()).unwrap();
    let bodies: Vec<String> = (0..5).map(|number| number.to_string()).collect();
    until("the policy holds", LIMIT, || {
        let (confirmed, result) = admin.publish("neutron", "notifications.error", &bodies);
        result.unwrap();
        assert_eq!(confirmed, [true; 5]);
        tap.queue("osel.tap").unwrap() == (2, 0)
    });
    assert_eq!(tap.take("osel.tap").unwrap().unwrap().body, b"3");
    broker.clear_policy("/", "small");

    broker.delete_queue("/", "osel.tap");
    assert!(tap.queue("osel.tap").is_err());

    // A changed password ends no connection; the next one is refused.
    broker.change_password("osel", "second");
    assert!(tap.is_connected());
    assert!(Client::connect(&format!("amqp://osel:first@127.0.0.1:{}/%2f", broker.port())).is_err());
    let proxy = Proxy::start(broker.port());
    let second = format!("amqp://osel:second@127.0.0.1:{}/%2f", proxy.port());
    let tap_by_proxy = Client::connect(&second).unwrap();
    assert_eq!(proxy.connections(), 1);
    proxy.cut();
    until("a cut is seen", LIMIT, || !tap_by_proxy.is_connected());
    until("it is forgotten", LIMIT, || proxy.connections() == 0);
    broker.close_all_connections("for a test");
    until("the closing is seen", LIMIT, || !tap.is_connected());

    broker.add_vhost("region two");
    broker.set_tags("osel", &["monitoring"]);
    broker.delete_user("osel");
    assert!(Client::connect(&second).is_err());
    assert_eq!(broker.ctl(&["list_vhosts", "--no-table-headers"]).lines().count(), 2);
}

#[test]
fn a_broker_that_is_killed_keeps_messages_of_durable_queues_and_loses_exchanges_that_are_not() {
    let mut broker = Broker::start();
    let client = Client::connect(&broker.url()).unwrap();
    client.declare_exchange("fleeting", false).unwrap();
    client.declare_exchange("lasting", true).unwrap();
    for (queue, kind) in [("osel.classic", "classic"), ("osel.quorum", "quorum")] {
        client.declare_queue(queue, kind).unwrap();
        client.bind(queue, "fleeting", "notifications.*").unwrap();
        client.bind(queue, "lasting", "notifications.*").unwrap();
    }
    let bodies: Vec<String> = (0..2_000).map(|number| format!("{{\"number\":{number}}}")).collect();
    for exchange in ["fleeting", "lasting"] {
        let (confirmed, result) = client.publish(exchange, "notifications.info", &bodies);
        result.unwrap();
        assert!(confirmed.iter().all(|confirmed| *confirmed));
    }

    broker.settle_queues();
    broker.kill();
    until("the loss of the broker is seen", LIMIT, || !client.is_connected());
    assert!(client.publish("lasting", "notifications.info", &bodies).1.is_err());
    assert!(Client::connect(&broker.url()).is_err());
    broker.restart();

    let client = Client::connect(&broker.url()).unwrap();
    client.await_messages("osel.classic", 4_000);
    client.await_messages("osel.quorum", 4_000);
    assert!(client.expect_exchange("fleeting").is_err(), "it is still there");
    client.expect_exchange("lasting").unwrap();
    let wanted = ["osel.classic", "osel.quorum"].map(|queue| binding("lasting", queue, "notifications.*"));
    assert_eq!(broker.list_bindings("/"), wanted);

    // A service does not notice: it declares its exchange again, and confirms what now reaches nobody else.
    client.declare_exchange("fleeting", false).unwrap();
    let (confirmed, result) = client.publish("fleeting", "notifications.info", &bodies[..1]);
    result.unwrap();
    assert_eq!(confirmed, [true]);
    client.await_messages("osel.quorum", 4_000);

    client.unbind("osel.classic", "lasting", "notifications.*").unwrap();
    assert_eq!(broker.list_bindings("/"), wanted[1..]);
    client.delete_exchange("lasting").unwrap();
    client.delete_queue("osel.classic").unwrap();
    broker.stop();
    broker.restart();
    assert_eq!(broker.list_bindings("/"), []);
    Client::connect(&broker.url()).unwrap().await_messages("osel.quorum", 4_000);
}

#[test]
fn a_broker_over_tls_lets_in_who_shows_a_certificate() {
    let options = Options { tls: Tls::ClientMustShow, management: true, ..Options::default() };
    let broker = Broker::start_with(&options);
    broker.add_user("osel", "never used", "/", [".*"; 3]);
    let files = broker.certificates();
    let setting = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let anonymous = PublisherOptions {
        retry: 1,
        transport_url: Some(broker.transport_url_by(broker.tls_port())),
        rabbit: vec![setting("ssl", "true"), setting("ssl_ca_file", &path(&files.authority))],
        ..PublisherOptions::default()
    };
    let mut with_certificate = anonymous.clone();
    with_certificate.rabbit.extend([
        setting("ssl_cert_file", &path(&files.client)),
        setting("ssl_key_file", &path(&files.client_key)),
        setting("rabbit_login_method", "EXTERNAL"),
    ]);
    let one = Notification::new("network.create.end", json!({"network": {}}));
    let refused = Publisher::start(&broker, &anonymous).publish(&one);
    assert_eq!((refused.confirmed.len(), refused.failed.len()), (0, 1), "{refused:?}");
    let mut publisher = Publisher::start(&broker, &with_certificate);
    assert_eq!(publisher.publish(&one).confirmed.len(), 1);

    // Another authority: who trusts the old one does not come in any more.
    Certificates::make(files.authority.parent().unwrap(), "osel");
    broker.reload_certificates();
    let mut later = Publisher::start(&broker, &with_certificate);
    assert_eq!(later.publish(&one).confirmed.len(), 1, "{}", later.log());

    let mut management = TcpStream::connect(("127.0.0.1", broker.management_port())).unwrap();
    write!(management, "GET /api/overview HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    management.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 401 "), "{answer}");
}

#[test]
fn a_cluster_goes_on_without_one_of_its_nodes() {
    let options = Options { tls: Tls::ClientMayShow, ..Options::default() };
    let mut cluster = Cluster::start(3, &options);
    let mut service = Publisher::start(
        &cluster.nodes[0],
        &PublisherOptions {
            rabbit: vec![("rabbit_quorum_queue".to_owned(), "true".to_owned())],
            transport_url: Some(cluster.transport_url()),
            ..PublisherOptions::default()
        },
    );
    let three = Notification { count: 3, ..Notification::new("network.create.end", json!({"network": {}})) };
    assert_eq!(service.publish(&three).confirmed.len(), 3);
    let queues = cluster.nodes[2].list_queues("/");
    assert_eq!((queues[0].name.as_str(), queues[0].kind.as_str()), ("notifications.info", "quorum"));

    let last = &cluster.nodes[2];
    let authority = last.certificates().authority.to_str().unwrap().to_owned();
    let over_tls = PublisherOptions {
        rabbit: vec![
            ("rabbit_quorum_queue".to_owned(), "true".to_owned()),
            ("ssl".to_owned(), "true".to_owned()),
            ("ssl_ca_file".to_owned(), authority),
        ],
        transport_url: Some(last.transport_url_by(last.tls_port())),
        ..PublisherOptions::default()
    };
    let mut anonymous = Publisher::start(last, &over_tls);
    assert_eq!(anonymous.publish(&three).confirmed.len(), 3, "{}", anonymous.log());

    cluster.nodes[0].kill();
    cluster.await_running(1, 2);
    let left = Client::connect(&cluster.nodes[1].url()).unwrap();
    left.await_messages("notifications.info", 6);
    // It may have sent one of them twice, on either side of the loss of its connection.
    assert_eq!(service.publish(&three).confirmed.len(), 3, "{}", service.log());
    assert!(left.queue("notifications.info").unwrap().0 >= 9);
    cluster.restart(&[0]);
    cluster.await_running(0, 3);
}

/// Answers each connection's bytes with the same, after the byte that names it.
fn echo(name: u8) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                stream.write_all(&[name]).unwrap();
                let mut copy = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut stream, &mut copy);
            });
        }
    });
    port
}

fn ask(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(word)?;
    let mut answer = vec![0; word.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_proxy_breaks_the_network_as_it_is_told() {
    let proxy = Proxy::start(echo(b'a'));
    let connect = || TcpStream::connect(("127.0.0.1", proxy.port()));
    let greeted = |stream: &mut TcpStream| {
        let mut name = [0];
        stream.read_exact(&mut name).map(|()| name[0])
    };
    let mut first = connect().unwrap();
    assert_eq!(greeted(&mut first).unwrap(), b'a');
    assert_eq!(ask(&mut first, b"forth and back").unwrap(), b"forth and back");

    // Stalled: the connection stands and nothing comes; what was sent arrives when it goes on.
    proxy.stall();
    first.write_all(b"late").unwrap();
    let mut second = connect().unwrap();
    for stream in [&mut first, &mut second] {
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        stream.set_read_timeout(None).unwrap();
    }
    proxy.delay(Duration::from_millis(5));
    let mut late = [0; 4];
    first.read_exact(&mut late).unwrap();
    assert_eq!((&late, greeted(&mut second).unwrap()), (b"late", b'a'));
    proxy.resume();

    // Cut: both connections end, and the next one is made, to where the proxy leads by then.
    proxy.cut();
    assert_eq!((first.read(&mut [0]).unwrap_or(0), second.read(&mut [0]).unwrap_or(0)), (0, 0));
    proxy.set_target(echo(b'b'));
    let mut third = connect().unwrap();
    assert_eq!(greeted(&mut third).unwrap(), b'b');
    assert_eq!(proxy.made(), 3);

    proxy.refuse();
    assert_eq!(third.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(connect().unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.resume();
    assert_eq!(greeted(&mut connect().unwrap()).unwrap(), b'b');
}
