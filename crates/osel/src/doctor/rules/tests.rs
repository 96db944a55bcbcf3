//! Each check, found and clear: a well-kept cloud in which nothing is found, and one thing after the other broken in it.

mod store;
mod unknown;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::judge;
use crate::doctor::facts::{
    Bus, BusUser, Connection, Consumer, Counts, Exchange, Facts, Management, Permission, Queue, ServiceFile,
    Store, TroveFile, User, Wanted,
};
use crate::doctor::heard::Heard;
use crate::doctor::id::Id;
use crate::doctor::verdict::State;
use crate::source::rabbitmq::Presence;
use crate::store::Durability;
use unknown::unknown;

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

fn rows<T: serde::de::DeserializeOwned>(json: Value) -> Vec<T> {
    serde_json::from_value(json).expect("they are rows")
}

fn service(name: &str) -> ServiceFile {
    ServiceFile {
        service: name.to_owned(),
        is_keystone: name == "keystone",
        drivers: texts(&["messagingv2"]),
        topics: texts(&["notifications"]),
        retry: 3,
        opt_out: Some(texts(&["identity.authenticate.pending"])),
        format: "cadf".to_owned(),
        proxy_headers: true,
        durable: true,
        bus: Ok(BusUser { users: texts(&[name]), tls: true }),
    }
}

fn connection(name: &str, user: &str, program: &str) -> Value {
    json!({"name": name, "user": user, "ssl": true, "client_properties": {"connection_name": program}})
}

fn management() -> Management {
    let permission = |user: &str, own: &str, read: &str| json!({"user": user, "configure": own, "write": own, "read": read});
    Management {
        name: "management https://rabbit".to_owned(),
        tls: true,
        version: Ok("4.1.2".to_owned()),
        myself: Ok(User { name: "auditor".to_owned(), tags: texts(&["administrator"]) }),
        exchanges: Ok(rows(
            json!([{"name": "keystone", "durable": true}, {"name": "neutron", "durable": true}]),
        )),
        queues: Ok(rows(json!([
            {"name": "notifications.info", "type": "classic", "messages": 3, "consumers": 1},
            {"name": "osel.1", "type": "quorum", "messages": 3, "consumers": 1, "arguments": {"x-delivery-limit": 1 << 30}},
        ]))),
        bindings: Ok(rows(json!([
            {"source": "neutron", "destination": "notifications.info", "routing_key": "notifications.info"},
            {"source": "neutron", "destination": "osel.1", "routing_key": "notifications.*"},
            // What Ceilometer and Aodh tell each other.
            {"source": "ceilometer", "destination": "metering.sample", "routing_key": "metering.sample"},
            {"source": "ceilometer", "destination": "alarm.all.sample", "routing_key": "alarm.all.sample"},
        ]))),
        consumers: Ok(rows(json!([
            {"queue": {"name": "notifications.info"}, "channel_details": {"connection_name": "c1", "user": "ceilometer"}},
            {"queue": {"name": "notifications.info"}, "channel_details": {"connection_name": "c2", "user": "ceilometer"}},
        ]))),
        users: Ok(rows(
            json!([{"name": "auditor", "tags": ["administrator"]}, {"name": "neutron", "tags": []}]),
        )),
        permissions: Ok(rows(json!([
            permission("osel", r"^osel\.", r"^(osel\..*|keystone|neutron)$"),
            permission(
                "neutron",
                "^(neutron.*|notifications.*|q-.*|reply_.*)$",
                "^(neutron.*|q-.*|reply_.*)$"
            ),
        ]))),
        policies: Ok(Vec::new()),
        connections: Ok(rows(json!([
            connection("c1", "ceilometer", "ceilometer-agent-notification:1:u"),
            connection("c2", "ceilometer", "ceilometer-agent-notification:2:u"),
            connection("n1", "neutron", "neutron-server:1:u"),
            connection("n2", "neutron", "neutron-rpc-server:1:u"),
            connection("o", "osel", "osel 0.1.0"),
        ]))),
    }
}

/// A cloud without a fault, looked at by every way there is.
fn good() -> Facts {
    let mut heard = Heard {
        seconds: 30,
        bound: texts(&["keystone", "neutron"]),
        messages: 40,
        with_context: 10,
        with_address: 20,
        cadf: 4,
        basic: 1,
        ..Heard::default()
    };
    ["10.0.0.1", "10.0.0.2"].iter().for_each(|address| heard.addresses.add(address));
    ["u1", "u2"].iter().for_each(|user| heard.users.add(user));
    let there = |name: &str| (name.to_owned(), Presence::There);
    let absent = ("heat".to_owned(), Presence::Absent);
    Facts {
        wanted: Wanted {
            exchanges: texts(&["keystone", "neutron", "heat", "ceilometer"]),
            needed: texts(&["keystone", "neutron"]),
            topics: texts(&["notifications", "versioned_notifications"]),
        },
        bus: Ok(Bus {
            name: "bus rabbit:5671 vhost /".to_owned(),
            user: "osel".to_owned(),
            tls: true,
            exchanges: BTreeMap::from([there("keystone"), there("neutron"), absent]),
            queues: BTreeMap::from([
                (
                    "notifications.info".to_owned(),
                    Some(Counts { messages: 3, consumers: 1, messages_before: None }),
                ),
                ("notifications.error".to_owned(), None),
            ]),
            refused: Vec::new(),
        }),
        management: Ok(management()),
        heard: Ok(heard),
        services: ["keystone", "neutron"].map(|name| (format!("{name}.conf"), Ok(service(name)))).to_vec(),
        troves: vec![(
            "trove.conf".to_owned(),
            Ok(TroveFile { has_default_task_key: false, has_default_instance_key: false, encrypts: true }),
        )],
        store: Ok(Store {
            name: "store postgresql://osel@db/osel".to_owned(),
            database: Some(Durability {
                fsync: true,
                full_page_writes: true,
                synchronous_commit: "on".to_owned(),
                ..Durability::default()
            }),
        }),
    }
}

/// Breaks something in a good cloud and checks that exactly this is found.
#[track_caller]
fn broken(wanted: &[Id], change: impl FnOnce(&mut Facts)) {
    let mut facts = good();
    change(&mut facts);
    let report = judge(&facts);
    assert_eq!(report.found_ids(), wanted, "{report:#?}");
}

fn bus(facts: &mut Facts) -> &mut Bus {
    facts.bus.as_mut().expect("it was asked")
}

fn admin(facts: &mut Facts) -> &mut Management {
    facts.management.as_mut().expect("it was asked")
}

fn heard(facts: &mut Facts) -> &mut Heard {
    facts.heard.as_mut().expect("it was asked")
}

fn file(facts: &mut Facts, at: usize) -> &mut ServiceFile {
    facts.services[at].1.as_mut().expect("it was read")
}

#[test]
fn in_a_well_kept_cloud_every_check_is_clear_and_none_is_left_out() {
    broken(&[], |_| {});
    let verdicts = judge(&good()).into_verdicts();
    let clear: BTreeSet<Id> = verdicts
        .iter()
        .filter(|verdict| matches!(verdict.state, State::Clear(_)))
        .map(|verdict| verdict.id)
        .collect();
    assert_eq!(clear.into_iter().collect::<Vec<_>>(), Id::ALL);
}

#[test]
fn what_nothing_is_known_of_is_unchecked_and_not_clear() {
    let verdicts = judge(&Facts::none(Wanted::default())).into_verdicts();
    let unchecked: BTreeSet<Id> = verdicts.iter().map(|verdict| verdict.id).collect();
    assert_eq!(unchecked.into_iter().collect::<Vec<_>>(), Id::ALL);
    assert!(
        verdicts.iter().all(|verdict| matches!(&verdict.state, State::Unchecked(why) if !why.is_empty()))
    );
    // The same where all was asked and refused.
    let mut facts = good();
    facts.bus = Err("no".to_owned());
    facts.heard = Err("no".to_owned());
    facts.services.iter_mut().for_each(|(_, file)| *file = Err("no".to_owned()));
    facts.troves[0].1 = Err("no".to_owned());
    facts.store = Err("no".to_owned());
    let refused = || "no".to_owned();
    *admin(&mut facts) = Management {
        version: Err(refused()),
        myself: Err(refused()),
        exchanges: Err(refused()),
        queues: Err(refused()),
        bindings: Err(refused()),
        consumers: Err(refused()),
        users: Err(refused()),
        permissions: Err(refused()),
        policies: Err(refused()),
        connections: Err(refused()),
        ..management()
    };
    let verdicts = judge(&facts).into_verdicts();
    assert!(verdicts.iter().all(|verdict| matches!(verdict.state, State::Unchecked(_))), "{verdicts:#?}");
    let unchecked: BTreeSet<Id> = verdicts.iter().map(|verdict| verdict.id).collect();
    assert_eq!(unchecked.into_iter().collect::<Vec<_>>(), Id::ALL);
}

#[test]
fn silence_is_found() {
    broken(&[Id::NoNotifications, Id::ExchangeAbsent], |facts| {
        bus(facts).exchanges.values_mut().for_each(|presence| *presence = Presence::Absent);
    });
    broken(&[Id::NoNotifications], |facts| {
        facts.heard = Err("not asked".to_owned());
        bus(facts).queues.values_mut().for_each(|counts| *counts = None);
    });
    broken(&[Id::NoNotifications], |facts| file(facts, 1).drivers = texts(&["noop", "log"]));
    broken(&[Id::ExchangeAbsent], |facts| {
        bus(facts).exchanges.insert("keystone".to_owned(), Presence::Absent);
    });
    broken(&[Id::NothingHeard], |facts| {
        *heard(facts) = Heard { bound: texts(&["neutron"]), ..Heard::default() };
    });
}

#[test]
fn topics_that_nobody_hears_are_found() {
    broken(&[Id::TopicNotHeard], |facts| file(facts, 0).topics = texts(&["stacktach"]));
    broken(&[], |facts| file(facts, 0).topics = texts(&["stacktach", "notifications"]));
    let binding = |key: &str| json!({"source": "neutron", "destination": key, "routing_key": key});
    let other = binding("stacktach.info");
    broken(&[Id::TopicNotHeard], |facts| admin(facts).bindings = Ok(rows(json!([other]))));
    broken(&[], |facts| {
        admin(facts).bindings = Ok(rows(json!([other, binding("versioned_notifications.info")])));
    });
    // Calls go through the same exchange.
    broken(&[], |facts| admin(facts).bindings = Ok(rows(json!([binding("q-plugin")]))));
}

#[test]
fn a_queue_that_nobody_reads_is_found_unless_it_is_bounded() {
    let unread = Counts { messages: 9, consumers: 0, messages_before: Some(5) };
    let set = move |facts: &mut Facts| {
        bus(facts).queues.insert("notifications.info".to_owned(), Some(unread));
    };
    broken(&[Id::NotificationsUnread], set);
    broken(&[Id::NotificationsUnread], |facts| {
        set(facts);
        facts.management = Err("not given".to_owned());
    });
    let queue = |further: Value| {
        let mut row = json!({"name": "notifications.info", "type": "classic"});
        row.as_object_mut().expect("an object").extend(further.as_object().expect("an object").clone());
        rows::<Queue>(json!([row]))
    };
    let by_policy = json!({"effective_policy_definition": {"max-length-bytes": 1000}});
    for bound in [by_policy, json!({"arguments": {"x-message-ttl": 1000}})] {
        broken(&[], |facts| {
            set(facts);
            admin(facts).queues = Ok(queue(bound));
        });
    }
    // Of a queue that the bus was not asked for, the interface's count.
    broken(&[Id::NotificationsUnread], |facts| {
        let warn = json!([{"name": "notifications.warn", "messages": 2, "consumers": 0}]);
        admin(facts).queues = Ok(rows(warn));
    });
    let mut facts = good();
    set(&mut facts);
    let mut alone = facts.clone();
    alone.management = Err("not given".to_owned());
    let seen = format!("{:?}", judge(&alone));
    assert!(seen.contains("no consumer; whether it has a bound, the management interface tells"), "{seen}");
    let seen = format!("{:?}", judge(&facts));
    assert!(
        seen.contains("`notifications.info` has 9 messages (5 when first looked at) and no consumer"),
        "{seen}"
    );
}

#[test]
fn two_programs_on_one_queue_are_found_and_two_workers_are_not() {
    let consumer = |queue: &str, connection: &str, user: &str| {
        let details = json!({"connection_name": connection, "user": user});
        let mut consumers: Vec<Consumer> =
            rows(json!([{"queue": {"name": queue}, "channel_details": details}]));
        consumers.remove(0)
    };
    broken(&[Id::QueueShared], |facts| {
        let another = consumer("notifications.info", "n1", "ceilometer");
        admin(facts).consumers.as_mut().expect("asked").push(another);
    });
    broken(&[Id::QueueShared], |facts| {
        let another = consumer("notifications.info", "c1", "aodh");
        admin(facts).consumers.as_mut().expect("asked").push(another);
    });
    broken(&[], |facts| {
        let another = consumer("q-plugin", "n1", "neutron");
        admin(facts).consumers.as_mut().expect("asked").push(another);
    });
    let two = Counts { messages: 0, consumers: 2, messages_before: None };
    broken(&[Id::QueueShared], |facts| {
        bus(facts).queues.insert("notifications.info".to_owned(), Some(two));
        facts.management = Err("not given".to_owned());
    });
    // Without connections programs cannot be told apart, and nothing is claimed.
    broken(&[], |facts| admin(facts).connections = Err("not allowed".to_owned()));
    // An interface that has not counted yet is no proof.
    broken(&[Id::QueueShared], |facts| {
        bus(facts).queues.insert("notifications.info".to_owned(), Some(two));
        admin(facts).consumers = Ok(Vec::new());
    });
}

#[test]
fn limits_that_discard_are_found() {
    let queue = |arguments: Value, policy: Value| {
        rows::<Queue>(json!([
            {"name": "osel.1", "type": "quorum", "arguments": arguments, "effective_policy_definition": policy},
        ]))
    };
    let limited = |version: &str, wanted: &[Id], arguments: Value, policy: Value| {
        broken(wanted, |facts| {
            admin(facts).version = Ok(version.to_owned());
            admin(facts).queues = Ok(queue(arguments, policy));
        });
    };
    let found = &[Id::DeliveryLimit];
    limited("4.1.2", found, json!({}), json!([]));
    limited("4.1.2", found, json!({"x-delivery-limit": 1 << 30}), json!({"delivery-limit": 5}));
    limited("4.1.2", &[], json!({"x-delivery-limit": -1}), json!([]));
    limited("3.10.8", found, json!({"x-delivery-limit": -1}), json!([]));
    limited("3.10.8", &[], json!({}), json!([]));
    let policy = |pattern: &str, apply_to: &str, priority: i64, definition: Value| json!({"name": "p", "pattern": pattern, "apply-to": apply_to, "priority": priority, "definition": definition});
    let twenty = |pattern: &str, apply_to: &str| policy(pattern, apply_to, 0, json!({"delivery-limit": 20}));
    let waiting = |policies: Value| {
        move |facts: &mut Facts| {
            admin(facts).queues.as_mut().expect("asked").retain(|queue| queue.name != "osel.1");
            admin(facts).policies = Ok(rows(policies));
        }
    };
    broken(found, waiting(json!([twenty(".*", "queues")])));
    broken(&[], waiting(json!([twenty("^orders", "queues")])));
    broken(&[], waiting(json!([twenty(".*", "exchanges")])));
    unknown(
        Id::DeliveryLimit,
        "management",
        "policy `p`: only RabbitMQ",
        waiting(json!([twenty("(?<=x)", "all")])),
    );
    // One policy is in force, the first by priority; and what is in force for a queue that is there, that queue says.
    let none = policy(r"^osel\.", "queues", 10, json!({"max-length": 5}));
    broken(&[], waiting(json!([twenty(".*", "queues"), none])));
    broken(&[], |facts| admin(facts).policies = Ok(rows(json!([twenty(".*", "queues")]))));
}

#[test]
fn what_passes_with_a_restart_is_found() {
    broken(&[Id::ExchangeNotDurable], |facts| {
        admin(facts).exchanges = Ok(vec![Exchange { name: "neutron".to_owned(), durable: false }]);
    });
    broken(&[], |facts| {
        let other = Exchange { name: "neutron_fanout".to_owned(), durable: false };
        admin(facts).exchanges.as_mut().expect("asked").push(other);
    });
    broken(&[Id::ExchangeNotDurable], |facts| file(facts, 1).durable = false);
}

#[test]
fn what_is_in_the_clear_is_found() {
    broken(&[Id::NoTls], |facts| bus(facts).tls = false);
    broken(&[Id::NoTls], |facts| admin(facts).tls = false);
    broken(&[Id::NoTls], |facts| {
        file(facts, 0).bus = Ok(BusUser { users: texts(&["keystone"]), tls: false });
    });
    broken(&[Id::NoTls], |facts| {
        let connections = admin(facts).connections.as_mut().expect("asked");
        connections[2].ssl = Some(false);
    });
}

#[test]
fn users_that_nobody_should_have_are_found() {
    broken(&[Id::DefaultUser, Id::WidePermissions], |facts| {
        bus(facts).user = "guest".to_owned();
        let all = || ".*".to_owned();
        let guest = Permission { user: "guest".to_owned(), configure: all(), write: all(), read: all() };
        admin(facts).permissions.as_mut().expect("asked").push(guest);
    });
    broken(&[Id::DefaultUser], |facts| {
        admin(facts).users.as_mut().expect("asked").push(User { name: "guest".to_owned(), tags: Vec::new() });
    });
    broken(&[Id::DefaultUser], |facts| {
        file(facts, 0).bus = Ok(BusUser { users: texts(&["guest"]), tls: true });
    });
}

#[test]
fn services_that_share_a_user_are_found() {
    broken(&[Id::SharedUser], |facts| {
        file(facts, 0).bus = Ok(BusUser { users: texts(&["neutron"]), tls: true });
    });
    let add = |facts: &mut Facts, program: &str| {
        let mut one: Vec<Connection> = rows(json!([connection("x", "neutron", program)]));
        admin(facts).connections.as_mut().expect("asked").push(one.remove(0));
    };
    broken(&[Id::SharedUser], |facts| add(facts, "nova-compute:1:u"));
    // What runs services says nothing of which; osel that asks is no service.
    broken(&[], |facts| add(facts, "uwsgi:1:u"));
    broken(&[], |facts| add(facts, "osel 0.1.0"));
}

#[test]
fn administrators_on_the_bus_are_found() {
    broken(&[Id::AdministratorTag], |facts| {
        admin(facts).users.as_mut().expect("asked")[1].tags = texts(&["administrator"]);
    });
    let by_myself = |facts: &mut Facts| {
        admin(facts).users = Err("not allowed".to_owned());
        admin(facts).myself = Ok(User { name: "osel".to_owned(), tags: texts(&["administrator"]) });
    };
    broken(&[Id::AdministratorTag], by_myself);
    let unchecked = |change: fn(&mut Facts)| {
        let mut facts = good();
        change(&mut facts);
        let verdicts = judge(&facts).into_verdicts();
        let of = verdicts
            .into_iter()
            .find(|verdict| verdict.id == Id::AdministratorTag)
            .expect("it has a verdict");
        assert_eq!(of.state, State::Unchecked("not allowed".to_owned()));
    };
    unchecked(|facts| admin(facts).connections = Err("not allowed".to_owned()));
    // Somebody else's tags say nothing about the users of the bus.
    unchecked(|facts| admin(facts).users = Err("not allowed".to_owned()));
}

#[test]
fn permissions_that_are_wider_than_needed_are_found() {
    let allowed = |wanted: &[Id], user: &str, patterns: [&str; 3]| {
        broken(wanted, |facts| {
            let [configure, write, read] = patterns.map(str::to_owned);
            let row = Permission { user: user.to_owned(), configure, write, read };
            let rows = admin(facts).permissions.as_mut().expect("asked");
            rows.retain(|row| row.user != user);
            rows.push(row);
        });
    };
    let found = &[Id::WidePermissions];
    for wide in [".*", "^.*$", ".", "o"] {
        allowed(found, "nova", ["^nova", wide, "^nova"]);
    }
    allowed(&[], "nova", ["", "^nova", "^nova"]);
    // Who may read everything takes notifications and calls off queues.
    allowed(found, "nova", ["", "^nova", ".*"]);
    let strange =
        |facts: &mut Facts| admin(facts).permissions.as_mut().expect("asked")[1].write = "(?<=a)b".to_owned();
    unknown(
        Id::WidePermissions,
        "management",
        "what `neutron` may write: only RabbitMQ can read the pattern `(?<=a)b`",
        strange,
    );
    // osel must neither take from others nor speak as they do.
    allowed(found, "osel", [r"^osel\.", r"^osel\.", ".*"]);
    allowed(found, "osel", [r"^osel\.", "^(osel|neutron)", r"^(osel\..*|keystone|neutron)$"]);
    allowed(found, "osel", ["^(osel|neutron)", "^osel", r"^(osel\..*|keystone|neutron)$"]);
}

#[test]
fn settings_of_services_are_found() {
    broken(&[Id::PublisherRetry], |facts| file(facts, 1).retry = -1);
    broken(&[Id::LoginSuccessHidden], |facts| file(facts, 0).opt_out = None);
    broken(&[Id::LoginSuccessHidden], |facts| {
        file(facts, 0).opt_out = Some(texts(&["identity.authenticate.success"]));
    });
    broken(&[], |facts| file(facts, 0).opt_out = Some(Vec::new()));
    broken(&[Id::BasicFormat], |facts| file(facts, 0).format = "basic".to_owned());
    broken(&[Id::BasicFormat], |facts| heard(facts).basic = 50);
    broken(&[Id::ProxyHeadersIgnored], |facts| file(facts, 1).proxy_headers = false);
    // Keystone's settings mean nothing elsewhere.
    broken(&[], |facts| {
        file(facts, 1).opt_out = None;
        file(facts, 1).format = "basic".to_owned();
    });
}

#[test]
fn what_notifications_should_not_hold_is_found() {
    broken(&[Id::TokenOnBus], |facts| heard(facts).with_token = 1);
    let one_address = |facts: &mut Facts, messages: u64| {
        let mut addresses = crate::doctor::heard::Names::default();
        addresses.add("10.0.0.1");
        heard(facts).addresses = addresses;
        heard(facts).with_address = messages;
    };
    broken(&[Id::OneInitiatorAddress], |facts| one_address(facts, 10));
    broken(&[], |facts| one_address(facts, 9));
    broken(&[], |facts| {
        one_address(facts, 10);
        heard(facts).users = crate::doctor::heard::Names::default();
    });
}

#[test]
fn keys_that_everybody_knows_are_found() {
    let trove = |facts: &mut Facts, task: bool, instance: bool, encrypts: bool| {
        facts.troves[0].1 =
            Ok(TroveFile { has_default_task_key: task, has_default_instance_key: instance, encrypts });
    };
    broken(&[Id::TroveDefaultKeys], |facts| trove(facts, true, false, true));
    broken(&[Id::TroveDefaultKeys], |facts| trove(facts, false, true, true));
    broken(&[Id::TrovePlainRpc], |facts| trove(facts, false, false, false));
}

#[test]
fn names_of_others_are_shown_short() {
    let mut facts = good();
    let many =
        (0..50).map(|number| Exchange { name: format!("{number}{}", "x".repeat(500)), durable: false });
    let many: Vec<Exchange> = many.collect();
    facts.wanted.exchanges = many.iter().map(|exchange| exchange.name.clone()).collect();
    admin(&mut facts).exchanges = Ok(many);
    let all = || ".*".to_owned();
    let wide =
        |number| Permission { user: format!("u{number}"), configure: all(), write: all(), read: all() };
    admin(&mut facts).permissions = Ok((0..50).map(wide).collect());
    for verdict in judge(&facts).into_verdicts() {
        if let State::Found(seen) = verdict.state {
            assert!(seen.len() < 1000 && seen.ends_with("and 42 more"), "{seen}");
        }
    }
}
