//! A broker and services set up badly on purpose: each fault is found.

use serde_json::json;

use super::super::{
    Broker, Client, Node, Notification, Options, Publisher, PublisherOptions, Release, until,
};
use super::{LIMIT, PASSWORD, Programs, TOKEN, all_ids, doctor, files, login};
use crate::command::Place;

const KEYSTONE: &str = "[DEFAULT]\nnotification_format = basic\ntransport_url = rabbit://openstack:a-secret-of-somebody@ctl1:5672/\n\
    [oslo_messaging_notifications]\ndriver = messagingv2\ntopics = stacktach\n";
const NEUTRON: &str = "[DEFAULT]\ntransport_url = rabbit://openstack:a-secret-of-somebody@ctl1:5672/\n";
const TROVE: &str = "[DEFAULT]\nenable_secure_rpc_messaging = False\n";
/// Long enough for what is published meanwhile on a busy machine.
const LISTEN: &str = "10";

/// What a service of this exchange would be, before tokens were left out.
fn publisher(broker: &Broker, exchange: &str) -> Publisher {
    let exchange = exchange.to_owned();
    Publisher::start(
        broker,
        &PublisherOptions { release: Release::Zed, exchange, ..PublisherOptions::default() },
    )
}

#[test]
fn each_planted_fault_is_found() {
    let broker = Broker::start_with(&Options { management: true, ..Options::default() });
    let client = Client::connect(&broker.url()).unwrap();
    broker.add_user("guest", PASSWORD, "/", [".*"; 3]);
    broker.add_user("aodh", PASSWORD, "/", ["^$", "^$", "^notifications"]);
    broker.set_policy("/", "twenty", ".*", r#"{"delivery-limit":20}"#);
    // Nobody reads `notifications.info`; two programs read `notifications.error`; there is no `neutron`.
    let mut keystone = publisher(&broker, "keystone");
    let mut nova = publisher(&broker, "nova");
    let boot = Notification {
        context: Some(json!({"auth_token": TOKEN, "user_id": "u1"})),
        ..Notification::new("compute.instance.create.end", json!({"instance_id": "i1"}))
    };
    keystone.publish(&login("u1", "10.0.0.1"));
    nova.publish(&boot);
    nova.publish(&Notification { priority: "error".to_owned(), ..boot.clone() });
    let mut programs = Programs::new();
    programs.connect(&broker.url(), "nova-conductor");
    programs.consume("notifications.error");
    programs.connect(&broker.url(), "neutron-server");
    let aodh = format!("amqp://aodh:{PASSWORD}@127.0.0.1:{}/%2f", broker.port());
    programs.connect(&aodh, "aodh-listener");
    programs.consume("notifications.error");

    let place = Place::new("doctor-bad");
    let url = place.write("url", broker.transport_url());
    let services =
        files(&place, &[("keystone.conf", KEYSTONE), ("neutron.conf", NEUTRON), ("trove.conf", TROVE)]);
    let management = format!("http://127.0.0.1:{}", broker.management_port());
    let by_all = [
        "--transport-url-file",
        &url,
        "--management",
        &management,
        "--service-config",
        &services[0],
        "--service-config",
        &services[1],
        "--trove-config",
        &services[2],
    ];
    let arguments = [&by_all[..], &["--listen", LISTEN, "--exit-code"]].concat();
    // The interface learns of consumers after a while.
    until("the management interface lists consumers", LIMIT, || {
        let said = doctor(&by_all, || {});
        said.verdicts
            .iter()
            .any(|verdict| verdict["seen"].as_str().unwrap_or_default().contains("aodh-listener"))
    });
    let before = client.queue("notifications.info").unwrap();
    assert_eq!(before, (2, 0));
    let said = doctor(&arguments, || {
        for number in 0..12 {
            keystone.publish(&login(&format!("u{number}"), "10.0.0.1"));
        }
        let basic = json!({"resource_info": "u9", "request_id": "req-1"});
        keystone.publish(&Notification::new("identity.user.created", basic));
        nova.publish(&boot);
    });
    // These exclude some of the others; they follow below.
    let is_later = |id: &&str| ["nothing-heard", "exchange-unreadable", "own-queue-forbidden"].contains(id);
    let planted: Vec<&str> = all_ids().into_iter().filter(|id| !is_later(id)).collect();
    assert_eq!(said.ids("found"), planted, "{:#?} {}", said.verdicts, said.error);
    assert_eq!(said.code, Some(1));

    // Each by the source in which it was planted.
    for (id, source, words) in [
        ("exchange-absent", "bus", "`neutron`"),
        ("no-notifications", "neutron.conf", "`driver` is not set"),
        ("topic-not-heard", "keystone.conf", "`stacktach`"),
        ("notifications-unread", "management", "(2 when first looked at) and no consumer"),
        ("queue-shared", "management", "`aodh-listener as aodh`, `nova-conductor as openstack`"),
        ("delivery-limit", "management", "policy `twenty` sets 20"),
        ("exchange-not-durable", "management", "`keystone`, `nova`"),
        ("exchange-not-durable", "neutron.conf", "neither"),
        ("no-tls", "bus", "without TLS"),
        ("no-tls", "management", "without TLS, of users `aodh`, `openstack`"),
        ("no-tls", "keystone.conf", "neither"),
        ("default-user", "management", "`guest`"),
        ("shared-user", "management", "`neutron`, `nova`"),
        ("shared-user", "service-config", "`keystone`, `neutron` as `openstack`"),
        ("administrator-tag", "management", "`openstack`, connected"),
        ("wide-permissions", "management", "`openstack` may configure everything (`.*`)"),
        ("publisher-retry", "keystone.conf", "`retry` is -1"),
        ("login-success-hidden", "keystone.conf", "is not set"),
        ("basic-format", "keystone.conf", "`basic`"),
        ("basic-format", "listening", "1 of 1 change"),
        ("proxy-headers-ignored", "neutron.conf", "false"),
        ("token-on-bus", "listening", "1 of 1 message with a context, by `nova`"),
        ("one-initiator-address", "listening", "12 messages of 12 users from `10.0.0.1`"),
        ("trove-default-keys", "trove.conf", "both keys"),
        ("trove-plain-rpc", "trove.conf", "is false"),
    ] {
        let seen = said.seen(id, source);
        assert!(seen.contains(words), "{id}: {seen}");
    }
    // It has taken nothing and left nothing.
    assert_eq!(client.queue("notifications.info").unwrap(), (16, 0));
    assert!(!broker.ctl(&["list_queues", "name"]).contains("osel"));

    // Where nothing happens, that is said; and nothing is concluded from it.
    let silent = doctor(&["--transport-url-file", &url, "--listen", "1"], || {});
    assert_eq!(silent.seen("nothing-heard", "listening"), "0 messages of 0 types by 0 publishers within 1 s");
    assert!(silent.ids("unchecked").contains(&"token-on-bus") && silent.code == Some(0));

    // By AMQP alone, as the default user: what it can tell it tells, and the rest is unchecked.
    let guest = place.write("guest", format!("rabbit://guest:{PASSWORD}@127.0.0.1:{}/", broker.port()));
    let alone = doctor(&["--transport-url-file", &guest], || {});
    let wanted = ["default-user", "exchange-absent", "no-tls", "notifications-unread", "queue-shared"];
    assert_eq!(alone.ids("found"), wanted, "{:#?}", alone.verdicts);
    assert!(alone.ids("unchecked").contains(&"wide-permissions"));

    // The management interface tells its secrets to administrators only, and lets no stranger in.
    let aodh = place.write("aodh", format!("http://aodh:{PASSWORD}@127.0.0.1:{}", broker.management_port()));
    broker.set_tags("aodh", &["monitoring"]);
    let little = doctor(&["--transport-url-file", &url, "--management-url-file", &aodh], || {});
    assert!(little.ids("unchecked").contains(&"wide-permissions"));
    assert!(little.seen("queue-shared", "management").contains("aodh-listener"));
    let why_of = |said: &super::Said, id: &str, source: &str| {
        let of = said.verdicts.iter().find(|verdict| {
            let is_there = verdict["source"].as_str().unwrap().contains(source);
            verdict["id"] == id && verdict["state"] == "unchecked" && is_there
        });
        of.map(|verdict| verdict["why"].as_str().unwrap().to_owned()).unwrap_or_default()
    };
    let why = |said: &super::Said, id: &str| why_of(said, id, "");
    assert!(
        why(&little, "wide-permissions").contains("`administrator`"),
        "{}",
        why(&little, "wide-permissions")
    );
    let stranger =
        place.write("stranger", format!("http://aodh:wrong@127.0.0.1:{}", broker.management_port()));
    let refused = doctor(&["--transport-url-file", &url, "--management-url-file", &stranger], || {});
    assert!(
        why(&refused, "wide-permissions").contains("user or password is wrong"),
        "{:#?}",
        refused.verdicts
    );
    assert_eq!(refused.code, Some(3));
    // Without a tag nobody is let in, with a tag too little what is shown is not all.
    broker.set_tags("aodh", &[]);
    let untagged = doctor(&["--management-url-file", &aodh], || {});
    assert!(
        why(&untagged, "wide-permissions")
            .ends_with("the user needs the tag `monitoring` (rabbitmqctl set_user_tags)")
    );
    broker.set_tags("aodh", &["management"]);
    let own = doctor(&["--management-url-file", &aodh], || {});
    assert!(
        why_of(&own, "queue-shared", "management").starts_with("the user is shown its own only"),
        "{:#?}",
        own.verdicts
    );
    assert!(!own.ids("clear").contains(&"no-tls") && own.code == Some(0));

    // Who may not read an exchange hears nothing from there.
    broker.add_user("deaf", PASSWORD, "/", [r"^osel\.", r"^osel\.", r"^(osel\..*|keystone)$"]);
    let deaf = place.write("deaf", format!("rabbit://deaf:{PASSWORD}@127.0.0.1:{}/", broker.port()));
    let admin = format!("http://{}:{}@127.0.0.1:{}", Node::USER, Node::PASSWORD, broker.management_port());
    let admin = place.write("admin", admin);
    let deaf = ["--transport-url-file", &deaf, "--management-url-file", &admin, "--listen", "1"];
    let said = doctor(&deaf, || {});
    assert_eq!(said.seen("exchange-unreadable", "listening"), "not allowed to listen to `nova`");
    assert!(said.seen("exchange-unreadable", "management").contains("which leaves out `nova`"));

    // Nor does who may not write to a queue of its own.
    broker.set_permissions("/", "deaf", [r"^osel\.", "^$", ".*"]);
    let bare = doctor(&deaf, || {});
    let seen = bare.seen("own-queue-forbidden", "listening");
    assert_eq!(seen, "not allowed to bind a queue of its own to `keystone`, `nova`");
    let seen = bare.seen("own-queue-forbidden", "management");
    assert_eq!(seen, "`deaf` may not write `osel.*` (`^$`)");

    // By a configuration: of exchanges that it names, each is missed.
    let config = format!(
        "[store]\npath = 'store'\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = {{ file = '{url}' }}\n\
         exchanges = ['keystone', 'heat']\n"
    );
    let config = place.write("osel.toml", config);
    let configured = doctor(&["-c", &config, "--source", "one"], || {});
    assert_eq!(configured.seen("exchange-absent", "bus"), "there is no exchange `heat`");

    // A bus that lets nobody in: what files say is told all the same.
    let wrong = place.write("wrong", format!("rabbit://{}:wrong@127.0.0.1:{}/", Node::USER, broker.port()));
    let lost =
        doctor(&["--transport-url-file", &wrong, "--service-config", &services[1], "--exit-code"], || {});
    assert_eq!(lost.code, Some(3), "{}", lost.error);
    assert!(lost.error.starts_with("osel: the bus cannot be reached: "), "{}", lost.error);
    assert!(lost.ids("found").contains(&"no-notifications") && !lost.ids("clear").contains(&"no-tls"));
}
