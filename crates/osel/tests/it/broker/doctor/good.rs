//! A broker and services as they should be: nothing is found, and nothing was left out.

use osel::amqp::{Address, dial};
use osel::config::TlsConfig;
use serde_json::json;

use super::super::{Broker, Client, Notification, Options, Publisher, PublisherOptions, Tls, until};
use super::{PASSWORD, Programs, all_ids, cadf, doctor, files, login};
use crate::command::Place;

const FURTHER: &str = "notification_opt_out = identity.authenticate.pending\n[oslo_messaging_notifications]\n\
    driver = messagingv2\nretry = 3\n[oslo_messaging_rabbit]\nssl = true\namqp_durable_queues = true\n\
    [oslo_middleware]\nenable_proxy_headers_parsing = true\n";
const TROVE: &str =
    "[DEFAULT]\ntaskmanager_rpc_encr_key = 7cYgcx8r1f2H\ninst_rpc_key_encr_key = 9sXhqPz4m6Kd\n";

#[test]
fn nothing_is_found_where_all_is_well() {
    let broker =
        Broker::start_with(&Options { tls: Tls::ClientMayShow, management: true, ..Options::default() });
    let authority = broker.certificates().authority.to_str().unwrap().to_owned();
    let port = broker.tls_port();
    for service in ["keystone", "neutron"] {
        let own = format!(r"^({service}|notifications\..*)$");
        broker.add_user(service, PASSWORD, "/", [&own, &own, &own]);
    }
    broker.add_user("ceilometer", PASSWORD, "/", ["^$", "^$", r"^notifications\..*$"]);
    broker.add_user("osel", PASSWORD, "/", [r"^osel\.", r"^osel\.", r"^(osel\..*|keystone|neutron)$"]);
    broker.ctl(&["add_user", "auditor", PASSWORD]);
    broker.set_tags("auditor", &["administrator"]);
    broker.delete_user(super::super::Node::USER);
    let publisher = |service: &str| {
        let rabbit = [("ssl", "true"), ("ssl_ca_file", &authority), ("amqp_durable_queues", "true")];
        let options = PublisherOptions {
            exchange: service.to_owned(),
            rabbit: rabbit.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            transport_url: Some(format!("rabbit://{service}:{PASSWORD}@127.0.0.1:{port}/")),
            retry: 3,
            ..PublisherOptions::default()
        };
        Publisher::start(&broker, &options)
    };
    let (mut keystone, mut neutron) = (publisher("keystone"), publisher("neutron"));
    let network = Notification {
        context: Some(json!({"auth_token": super::TOKEN, "user_id": "u1"})),
        ..Notification::new("network.create.end", json!({"network": {"id": "n1"}}))
    };
    assert_eq!(keystone.publish(&login("u1", "10.0.0.1")).failed, [""; 0]);
    assert_eq!(neutron.publish(&network).failed, [""; 0]);
    let mut programs = Programs::new();
    let address = Address {
        host: "127.0.0.1".to_owned(),
        port,
        user: "ceilometer".to_owned(),
        password: PASSWORD.to_owned(),
        vhost: "/".to_owned(),
        tls: Some(TlsConfig { ca_file: Some(authority.clone().into()), ..TlsConfig::default() }),
        heartbeat: 30,
    };
    let (connection, _keeper) = programs.runtime.block_on(dial(&address, super::LIMIT)).unwrap();
    programs.connections.push(connection);
    programs.consume("notifications.info");

    let place = Place::new("doctor-good");
    let url = format!("rabbit://osel:{PASSWORD}@127.0.0.1:{port}/?ssl=true&ssl_ca_file={authority}");
    let url = place.write("url", url);
    let admin = format!("https://auditor:{PASSWORD}@127.0.0.1:{}", broker.management_tls_port());
    let admin = place.write("admin", admin);
    let service = |name: &str| {
        format!(
            "[DEFAULT]\ntransport_url = rabbit://{name}:{PASSWORD}@ctl1:5671/\nnotification_format = cadf\n{FURTHER}"
        )
    };
    let paths = files(
        &place,
        &[
            ("keystone.conf", &service("keystone")),
            ("neutron.conf", &service("neutron")),
            ("trove.conf", TROVE),
        ],
    );
    let arguments = [
        "--transport-url-file",
        &url,
        "--management-url-file",
        &admin,
        "--service-config",
        &paths[0],
        "--service-config",
        &paths[1],
        "--trove-config",
        &paths[2],
        "--listen",
        "10",
        "--exit-code",
    ];
    // The interface learns of connections after a while.
    until("the management interface lists connections", super::LIMIT, || {
        let said = doctor(&["--management-url-file", &admin, "--ca-file", &authority], || {});
        ["administrator-tag", "queue-shared"].iter().all(|id| said.ids("clear").contains(id))
    });
    let said = doctor(&arguments, || {
        for number in 0..12 {
            keystone.publish(&login(&format!("u{number}"), &format!("10.0.0.{number}")));
        }
        let created = cadf("created.user", "u1", "10.0.0.1");
        keystone.publish(&Notification::new("identity.user.created", created));
        neutron.publish(&network);
    });
    assert_eq!(said.ids("found"), [""; 0], "{:#?} {}", said.verdicts, said.error);
    assert_eq!(said.ids("clear"), all_ids(), "{:#?} {}", said.verdicts, said.error);
    assert_eq!(said.code, Some(0));
    let broken_off = |line: &&str| line.contains("[warning]") && line.contains("user: 'osel'");
    assert_eq!(broker.log().lines().find(broken_off), None);
    let heard = said.verdicts.iter().find(|verdict| verdict["id"] == "nothing-heard").unwrap();
    assert_eq!(heard["seen"], "14 messages of 3 types by 1 publisher within 10 s");

    // An authority that did not sign is not trusted, on either way, whatever the password.
    let stranger = super::super::Certificates::make(std::path::Path::new(&place.path("stranger")), "osel");
    let stranger = stranger.authority.to_str().unwrap();
    let mut untrusting = arguments.to_vec();
    untrusting.truncate(4);
    untrusting.extend(["--ca-file", stranger]);
    let refused = doctor(&untrusting, || {});
    assert_eq!(refused.code, Some(3), "{}", refused.error);
    let whys: Vec<&str> = refused.verdicts.iter().filter_map(|verdict| verdict["why"].as_str()).collect();
    for way in [
        "the bus cannot be reached: no trust with",
        "the management interface cannot be asked: no trust with",
    ] {
        assert!(whys.iter().any(|why| why.starts_with(way)), "{way}: {whys:#?}");
    }
    assert!(Client::connect(&broker.url()).is_err(), "the user of installation is gone");
}
