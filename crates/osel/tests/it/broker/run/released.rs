//! Exchanges that are not there, and those that are taken out of the configuration, which are heard no more after a restart.

use super::super::{Broker, Client, until};
use super::{LIMIT, Osel, USER, add_user, body, url};
use crate::http::get;

/// A source with these exchanges, and topics where they are not the usual ones.
fn source(exchanges: &str, topics: &str) -> String {
    format!(
        "[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = {{ file = 'url' }}\nexchanges = {exchanges}\n{topics}\n"
    )
}

/// What the queue of osel is bound to, besides what is osel's own.
fn bound(broker: &Broker, osel: &Osel) -> Vec<(String, String)> {
    let own = osel.queue();
    let bindings = broker.list_bindings("/").into_iter();
    let of_others = bindings.filter(|binding| binding.queue == own && !binding.exchange.starts_with("osel."));
    of_others.map(|binding| (binding.exchange, binding.routing_key)).collect()
}

#[test]
fn what_is_taken_out_of_the_configuration_is_unbound() {
    let broker = Broker::start();
    add_user(&broker);
    let services = Client::connect(&broker.url()).unwrap();
    for exchange in ["neutron", "nova", "of-ours"] {
        services.declare_exchange(exchange, false).unwrap();
    }
    let mut osel = Osel::new("run-released", &url(broker.port()), "");
    osel.configure(&source("['neutron', 'nova', 'of-ours']", "topics = ['notifications', 'other']"));
    osel.start_and_listen();
    for exchange in ["neutron", "nova", "of-ours"] {
        osel.await_log(&["exchange bound", exchange]);
    }
    assert_eq!(bound(&broker, &osel).len(), 6);
    assert!(osel.stop().success());

    // One that is bound where nothing else is said is asked for at the start; a name of ours, and a topic, show with their first message.
    osel.configure(&source("['neutron']", "topics = ['notifications']"));
    osel.start();
    osel.await_log(&["not in the configuration any more: unbound", "nova"]);
    assert_eq!(osel.lines(&["not in the configuration any more", "of-ours"]), [""; 0]);
    for (exchange, key, id) in [
        ("of-ours", "notifications.info", "1"),
        ("of-ours", "other.info", "2"),
        ("neutron", "other.info", "3"),
    ] {
        assert!(services.publish(exchange, key, &[body(id)]).0[0]);
    }
    osel.await_log(&["not in the configuration any more: unbound", "of-ours"]);
    let left = [("neutron", "notifications.*")].map(|(exchange, key)| (exchange.to_owned(), key.to_owned()));
    let mut seen = Vec::new();
    until("what is not wanted is unbound", LIMIT, || {
        seen = bound(&broker, &osel);
        seen.iter().all(|(exchange, key)| exchange == "neutron" || exchange == "nova" && key == "other.*")
            && !seen.contains(&("neutron".to_owned(), "other.*".to_owned()))
    });
    seen.retain(|(exchange, _)| exchange == "neutron");
    assert_eq!(seen, left);
    let heard = osel.recorded_ids().len();
    assert!(services.publish("of-ours", "notifications.info", &[body("4")]).0[0]);
    assert!(services.publish("neutron", "notifications.info", &[body("5")]).0[0]);
    until("the last one is recorded", LIMIT, || osel.recorded_ids().contains(&"5".to_owned()));
    assert_eq!(osel.recorded_ids().len(), heard + 1);

    // Back in the configuration it is bound, and that it was not is told as any other that comes.
    assert!(osel.stop().success());
    osel.configure(&source("['neutron', 'nova']", ""));
    osel.start();
    osel.await_lines(&["exchange bound", "nova"], 2);

    // What may not be unbound is told, and stays.
    assert!(osel.stop().success());
    osel.configure(&source("['neutron']", ""));
    broker.set_permissions("/", USER, ["^osel\\.", "^osel\\.", "^(osel\\.|neutron$)"]);
    osel.start();
    osel.await_log(&["may not be unbound", "nova"]);
    assert!(osel.stop().success());
}

/// A new cloud, or a virtual host with another's exchanges: that nothing is heard is told once, with the names, and when it ends.
#[test]
fn that_none_of_the_exchanges_is_there_is_told_once() {
    let broker = Broker::start();
    add_user(&broker);
    let mut osel = Osel::new("run-unheard", &url(broker.port()), "");
    osel.start_and_listen();
    osel.await_log(&["listening", &format!("host=\"127.0.0.1:{}\"", broker.port())]);
    let unheard = ["none of the exchanges is there", "keystone, neutron"];
    osel.await_log(&unheard);
    let line = osel.lines(&["HTTP answers"]).swap_remove(0);
    let address = line.split_once("address=").unwrap().1.parse().unwrap();
    let bound = |count: &str| {
        let sample = format!("osel_source_bound_exchanges{{source=\"one\",type=\"rabbitmq\"}} {count}.0\n");
        until("the exchanges are counted", LIMIT, || get(address, "/metrics").body.contains(&sample));
    };
    bound("0");

    let services = Client::connect(&broker.url()).unwrap();
    services.declare_exchange("neutron", false).unwrap();
    osel.await_log(&["an exchange is there, and heard"]);
    bound("1");
    assert_eq!(osel.lines(&unheard).len(), 1, "{}", osel.log());

    // One that is deleted is named where the queue is said not to be bound, and that has its end.
    services.delete_exchange("neutron").unwrap();
    osel.await_log(&["exchange is gone", "neutron"]);
    services.declare_exchange("neutron", false).unwrap();
    osel.await_log(&["trouble began", "queue not bound", "neutron"]);
    osel.await_log(&["trouble ended", "queue not bound"]);
    assert!(osel.stop().success());
}
