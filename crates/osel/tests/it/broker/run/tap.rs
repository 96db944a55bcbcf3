//! The tap gets a copy of everything that services publish, each message one record, and changes nothing for anybody else.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::super::{Binding, Broker, Client, Notification, Publisher, PublisherOptions, Release, until};
use super::{LIMIT, Osel, PASSWORD, USER, add_user, body, now, publish, source, url};
use crate::command::run;
use crate::http::get;

/// As a service's context has it.
const TOKEN: &str = "gAAAAABtokenOfAUserThatMustNotBeKept";

fn options(driver: &str, topics: &str, release: Release) -> PublisherOptions {
    PublisherOptions {
        driver: driver.to_owned(),
        topics: topics.to_owned(),
        release,
        ..PublisherOptions::default()
    }
}

/// Ids of what services of all kinds publish, and how many messages each of them is.
fn publish_all_kinds(broker: &Broker) -> BTreeMap<String, usize> {
    let both = "notifications,versioned_notifications";
    let mut packed = options("messagingv2", "notifications", Release::Current);
    packed.rabbit.push(("kombu_compression".to_owned(), "gzip".to_owned()));
    let kinds = [
        (options("messaging", "notifications", Release::Current), 1),
        (options("messagingv2", "notifications", Release::Current), 1),
        (options("messagingv2", both, Release::Current), 2),
        (options("messaging,messagingv2", both, Release::Current), 4),
        (options("messaging", "notifications", Release::Zed), 1),
        (options("messagingv2", both, Release::Zed), 2),
        (packed, 1),
    ];
    let mut published = BTreeMap::new();
    for (options, copies) in kinds {
        let context = json!({"user_id": "u1", "user_name": "alice", "project_id": "p1", "auth_token": TOKEN});
        let group = json!({"security_group": {"id": "g", "name": options.driver, "project_id": "p1"}});
        let notification = Notification {
            context: Some(context),
            count: 2,
            number_from: Some(1),
            ..Notification::new("security_group.update.end", group)
        };
        let came = Publisher::start(broker, &options).publish(&notification);
        assert_eq!(came.failed, [""; 0], "{:?}", came.errors);
        published.extend(came.confirmed.into_iter().map(|id| (id, copies)));
    }
    published
}

fn files_below(directory: &Path, found: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else if path.is_file() {
            // The socket for orders is none.
            found.push(fs::read(path).unwrap());
        }
    }
}

#[test]
fn each_message_has_one_record_and_nobody_else_sees_a_difference() {
    let broker = Broker::start();
    add_user(&broker);
    // A service that was there before: its exchange is there, and a message that osel never promised.
    let first = Publisher::start(&broker, &PublisherOptions::default())
        .publish(&Notification::new("network.create.end", json!({"network": {"id": "n"}})));
    assert_eq!(first.confirmed.len(), 1);

    let mut osel = Osel::new("run-tap", &url(broker.port()), "");
    osel.start_and_listen();
    osel.await_log(&["exchange bound", "neutron"]);
    let published = publish_all_kinds(&broker);
    let copies: usize = published.values().sum();
    osel.await_received(copies);
    let ledger = osel.ledger("one").unwrap();
    assert_eq!(ledger.recorded as usize, published.len());
    assert_eq!(ledger.duplicate as usize, copies - published.len());
    let ids: Vec<String> = published.into_keys().collect();
    assert_eq!(osel.recorded_ids(), ids);
    assert_eq!(osel.gaps(), [[""; 3]; 0]);

    the_depth_of_its_queue_is_told(&osel);
    no_secret_is_kept(&osel);
    others_see_no_difference(&broker, &osel);
    an_exchange_that_comes_later_is_bound(&broker, &mut osel);
    a_configuration_is_read_again(&mut osel);
    two_buses_are_one_trail(&broker, &mut osel);
}

fn the_depth_of_its_queue_is_told(osel: &Osel) {
    let line = osel.lines(&["HTTP answers"]).swap_remove(0);
    let address = line.split_once("address=").unwrap().1.parse().unwrap();
    let sample = "osel_source_waiting_messages{source=\"one\",type=\"rabbitmq\"} 0.0\n";
    until("the queue was looked at", LIMIT, || get(address, "/metrics").body.contains(sample));
    assert_eq!(get(address, "/readyz").code, 200);
}

fn no_secret_is_kept(osel: &Osel) {
    assert!(!Value::from(osel.records()).to_string().contains(TOKEN));
    let mut files = Vec::new();
    files_below(Path::new(&osel.store()), &mut files);
    assert!(files.len() > 1, "the store has files");
    for file in files {
        assert!(
            !file.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()),
            "a token is in the store"
        );
    }
}

fn others_see_no_difference(broker: &Broker, osel: &Osel) {
    let own = osel.queue();
    let mut queues = Vec::new();
    // Of a quorum queue the broker counts only every few seconds.
    until("the broker counts the consumer", LIMIT, || {
        queues = broker.list_queues("/");
        queues.iter().any(|queue| queue.name == own && (queue.consumers, queue.messages) == (1, 0))
    });
    let find = |name: &str| queues.iter().find(|queue| queue.name == name).unwrap();
    assert_eq!((find("notifications.info").messages, find("versioned_notifications.info").messages), (17, 8));
    let queue = find(&own);
    assert_eq!((queue.kind.as_str(), queue.durable, queue.consumers, queue.messages), ("quorum", true, 1, 0));
    let wanted = json!({
        "x-queue-type": "quorum", "x-max-length-bytes": 1_u64 << 30, "x-overflow": "drop-head",
        "x-dead-letter-exchange": format!("{own}.dropped"), "x-delivery-limit": 1 << 30,
    });
    assert_eq!(queue.arguments, wanted);
    let names: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
    let dropped = format!("{own}.dropped");
    assert_eq!(names, ["notifications.info", &own, &dropped, "versioned_notifications.info"]);

    let binding = |exchange: &str, key: &str| Binding {
        exchange: exchange.into(),
        queue: own.clone(),
        routing_key: key.into(),
    };
    let bindings = broker.list_bindings("/");
    let bound: Vec<&Binding> = bindings.iter().filter(|binding| binding.queue == own).collect();
    let mark = format!("{own}.bound.neutron");
    let wanted = [
        &binding("neutron", "notifications.*"),
        &binding("neutron", "versioned_notifications.*"),
        &binding(&mark, ""),
    ];
    assert_eq!(bound, wanted);
    let exchanges = broker.ctl(&["list_exchanges", "--no-table-headers", "name", "durable"]);
    let mut foreign: Vec<&str> = exchanges.lines().filter(|line| !line.starts_with("amq.")).collect();
    foreign.retain(|line| !line.starts_with("osel.") && !line.starts_with('\t'));
    assert_eq!(foreign, ["neutron\tfalse"]);
}

/// An exchange that nobody has declared so far and that osel may not read at first: what is published before it is bound lies in a gap,
/// and what is not allowed for long is told once.
fn an_exchange_that_comes_later_is_bound(broker: &Broker, osel: &mut Osel) {
    let may_read = |what: &str| broker.set_permissions("/", USER, ["^osel\\.", "^osel\\.", what]);
    let denied = ["exchange may not be read", "keystone"];
    may_read("^(osel\\.|neutron$)");
    let keystone = PublisherOptions { exchange: "keystone".to_owned(), ..PublisherOptions::default() };
    let mut publisher = Publisher::start(broker, &keystone);
    let login = Notification::new("identity.user.created", json!({"resource_info": "u2"}));
    publisher.publish(&login);
    osel.await_log(&denied);
    until("the gap before is told", LIMIT, || !osel.gaps().is_empty());
    let before = osel.gaps();

    // A new connection finds nothing new.
    broker.close_all_connections("for a test");
    let published_at = now();
    let client = Client::connect(&broker.url()).unwrap();
    let heard = publish(&client, "meanwhile", 2);
    until("it listens again", LIMIT, || heard.iter().all(|id| osel.recorded_ids().contains(id)));
    assert_eq!((osel.gaps(), osel.lines(&denied).len()), (before.clone(), 1));

    may_read(".*");
    osel.await_log(&["exchange bound", "keystone"]);
    until("the gap is told", LIMIT, || osel.gaps().len() > before.len());
    let gaps = osel.gaps();
    assert!(gaps.iter().all(|[from, to, why]| from < to && why.contains("not bound")), "{gaps:?}");
    let [from, to, _] = &gaps[gaps.len() - 1];
    assert!(*from <= published_at && published_at <= *to, "{gaps:?} {published_at}");
    let late = publisher.publish(&login).confirmed.remove(0);
    until("what comes later is recorded", LIMIT, || osel.recorded_ids().contains(&late));
}

/// A restored copy that is tried beside the one that runs takes half of the messages: both say so. It unbinds nothing that it does not want
/// itself.
#[test]
fn a_copy_of_a_store_that_runs_too_is_noticed() {
    let broker = Broker::start();
    add_user(&broker);
    let services = Client::connect(&broker.url()).unwrap();
    services.declare_exchange("neutron", false).unwrap();
    let quick = "heartbeat_seconds = 1";
    let mut one = Osel::new("run-copied", &url(broker.port()), quick);
    one.start_and_listen();
    let mut two = Osel::new("run-copy", &url(broker.port()), quick);
    two.configure(&source("one", "url", quick).replace("'neutron', ", ""));
    fs::create_dir_all(two.place.path("store")).unwrap();
    run(&["store", "backup", &two.store(), "--store", &one.store()]);
    let shared = ["another program takes messages off this queue"];
    two.start_and_listen();
    one.await_log(&shared);
    two.await_log(&shared);
    let is_bound = |binding: &Binding| binding.queue == one.queue() && binding.exchange == "neutron";
    assert!(broker.list_bindings("/").iter().any(is_bound));
    assert!(two.stop().success());
    one.await_log(&["nobody else takes messages off this queue any more"]);
    assert_eq!(one.lines(&shared).len(), 1, "{}", one.log());
    assert!(one.stop().success());
}

/// A user that may do nothing with what is osel's own: no queue is made, which is told and is not "listening". What is taken away while it
/// listens stops nothing, and is not told as the service's exchange being closed to it.
#[test]
fn each_permission_that_is_missing_is_named() {
    let broker = Broker::start();
    add_user(&broker);
    let services = Client::connect(&broker.url()).unwrap();
    services.declare_exchange("neutron", false).unwrap();
    let may = |configure: &str, write: &str| broker.set_permissions("/", USER, [configure, write, ".*"]);
    may("^$", "^$");
    let mut osel = Osel::new("run-permissions", &url(broker.port()), "");
    osel.start();
    osel.await_log(&["access to", "'osel.", "refused for user"]);
    assert_eq!(osel.lines(&["listening"]), [""; 0]);
    let line = osel.lines(&["HTTP answers"]).swap_remove(0);
    let address = line.split_once("address=").unwrap().1.parse().unwrap();
    let ready = get(address, "/readyz");
    assert_eq!(ready.code, 503, "{}", ready.body);

    may("^osel\\.", "^osel\\.");
    osel.await_log(&["exchange bound", "neutron"]);
    let one = publish(&services, "bound", 1);
    osel.await_recorded(one.len());

    // What stands goes on; what is new has to wait.
    may("^$", "^$");
    let unbound = ["own queue may not be bound"];
    osel.await_log(&[unbound[0], "neutron"]);
    services.declare_exchange("keystone", false).unwrap();
    osel.await_log(&[unbound[0], "keystone"]);
    assert_eq!(osel.lines(&["exchange may not be read"]), [""; 0], "{}", osel.log());
    let gaps = osel.gaps();
    let more = publish(&services, "still bound", 2);
    osel.await_recorded(one.len() + more.len());
    may("^osel\\.", "^osel\\.");
    osel.await_lines(&["exchange bound", "neutron"], 2);
    osel.await_log(&["exchange bound", "keystone"]);
    assert_eq!(osel.gaps().len(), gaps.len() + 1, "only what is new has passed by");
    assert!(osel.stop().success());
}

fn a_configuration_is_read_again(osel: &mut Osel) {
    osel.configure(&source("one", "url", "topics = ['notifications', 'other']"));
    osel.reload();
    osel.await_log(&["in force only after a restart", "source.topics"]);
    osel.await_lines(&["configuration read"], 1);
    osel.reload();
    osel.await_lines(&["configuration read"], 2);
    let waiting = |osel: &Osel| osel.lines(&["in force only after a restart"]).len();
    assert_eq!(waiting(osel), 2, "it waits as long as it is not in force: {}", osel.log());
    osel.configure(&source("one", "url", "[source.queue]\nlength_bytes_max = 1000000"));
    osel.reload();
    osel.await_log(&["in force only for a queue that is made anew", "source.queue"]);
    osel.await_lines(&["configuration read"], 3);
    assert_eq!(waiting(osel), 2, "a restart would change nothing: {}", osel.log());
    osel.configure("[[source]]\n");
    osel.reload();
    osel.await_log(&["the configuration has problems"]);
    // What is told from a level that is not written is not written.
    osel.configure(&source("one", "url", "[log]\nlevel = 'error'"));
    osel.reload();
    osel.configure(&source("one", "url", "[scan]"));
    osel.reload();
    osel.await_lines(&["the configuration has problems"], 2);
    assert_eq!(osel.lines(&["configuration read"]).len(), 3, "{}", osel.log());
    osel.configure(&source("one", "url", ""));
    osel.reload();
    osel.await_lines(&["configuration read"], 4);
    assert_eq!(waiting(osel), 2, "it was taken back: {}", osel.log());
    assert_eq!(osel.lines(&["lapin"]), [""; 0], "only the configuration says what is logged");
}

/// The same message over two buses has one record; each bus has its own queue and its own counts.
fn two_buses_are_one_trail(broker: &Broker, osel: &mut Osel) {
    assert!(osel.stop().success());
    broker.add_vhost("two");
    broker.set_permissions("two", USER, ["^osel\\.", "^osel\\.", ".*"]);
    let of_two = broker.url().replace("%2f", "two");
    let (here, there) = (Client::connect(&broker.url()).unwrap(), Client::connect(&of_two).unwrap());
    there.declare_exchange("neutron", true).unwrap();
    osel.set_url("url-two", &format!("rabbit://{USER}:{PASSWORD}@127.0.0.1:{}/two", broker.port()));
    // The first queue is there since before, the second is made with what is asked for.
    let made_otherwise = "queue is not made as the configuration asks";
    assert_eq!(osel.lines(&[made_otherwise]), [""; 0]);
    let shorter = "[source.queue]\nlength_bytes_max = 1000000";
    osel.configure(&(source("one", "url", shorter) + &source("two", "url-two", shorter)));
    let bound = osel.lines(&["exchange bound", "source=\"two\""]).len();
    osel.start();
    osel.await_lines(&["exchange bound", "source=\"two\""], bound + 1);
    let before = osel.ledger("one").unwrap();
    let same = [body("same")];
    assert!(here.publish("neutron", "notifications.info", &same).0[0]);
    osel.await_received(before.received as usize + 1);
    assert!(there.publish("neutron", "notifications.info", &same).0[0]);
    publish(&there, "second", 2);
    until("the second bus is heard", LIMIT, || osel.ledger("two").is_some_and(|two| two.received == 3));
    let two = osel.ledger("two").unwrap();
    assert_eq!((two.recorded, two.duplicate), (2, 1));
    let ids = osel.recorded_ids();
    assert_eq!(ids.iter().filter(|id| *id == "same").count(), 1);
    osel.await_log(&[
        "WARN",
        made_otherwise,
        "source=\"one\"",
        "x-max-length-bytes",
        "1000000",
        "1073741824",
    ]);
    assert_eq!(osel.lines(&[made_otherwise]).len(), 1, "{}", osel.log());
    assert!(osel.stop().success());
}
