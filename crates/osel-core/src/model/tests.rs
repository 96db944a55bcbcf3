//! Mistakes that the model once made, found by simulated clouds: each test is named after what was wrong.

mod addresses;

use super::*;
use crate::event::{
    Change, Event, FloatingIp, Forwarding, Network, Object, Outcome, Port, Rule, SecurityGroup, Subnet, Verb,
    Version,
};
use crate::ids::Id;
use crate::time::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(second)
}

fn version(id: &str, revision: u64) -> Version {
    Version { id: Some(Id::new(id)), revision: Some(revision), ..Version::default() }
}

/// What is told to a model, at one second.
enum Told {
    Event(Change),
    Read(Vec<Object>),
}

fn hear(cloud: &mut CloudModel, second: i64, told: &Told) {
    told_of(cloud, second, told);
}

/// What came and went with it.
fn told_of(cloud: &mut CloudModel, second: i64, told: &Told) -> Delta {
    let now = at(second);
    match told {
        Told::Event(change) => {
            let event = Event {
                message_id: Some(format!("m{second}").into()),
                event_type: "test".into(),
                publisher: None,
                timestamp: now,
                request_id: None,
                actor: crate::event::Actor::default(),
                target: None,
                outcome: Outcome::Success,
                change: change.clone(),
            };
            cloud.apply(now, &event)
        }
        Told::Read(objects) => cloud.merge_read(now, now, true, objects, true),
    }
}

/// The models that two statements, the second one later, lead to in both orders.
fn in_both_orders(first: &Told, second: &Told) -> [CloudModel; 2] {
    let mut models = [(); 2].map(|()| CloudModel::new(None, ModelOptions::default()));
    let [straight, turned] = &mut models;
    hear(straight, 1, first);
    hear(straight, 2, second);
    hear(turned, 2, second);
    hear(turned, 1, first);
    models
}

fn deleted(kind: Kind, id: &str) -> Told {
    Told::Event(Change::Deleted { kind, id: Id::new(id), last: None })
}

#[test]
fn a_read_from_before_a_network_was_deleted_brought_its_subnets_back() {
    let network = Network { version: version("n", 1), ..Network::default() };
    let subnet = Subnet { version: version("s", 1), network_id: Some(Id::new("n")), ..Subnet::default() };
    let read = Told::Read(vec![Object::Network(network), Object::Subnet(subnet)]);
    for cloud in in_both_orders(&read, &deleted(Kind::Network, "n")) {
        assert_eq!(cloud.ids(Kind::Subnet), []);
    }
    // The read was later: then the deletion was not true.
    for cloud in in_both_orders(&deleted(Kind::Network, "n"), &read).into_iter().take(1) {
        assert_eq!(cloud.ids(Kind::Subnet), [Id::new("s")]);
    }
}

fn made(object: Object) -> Told {
    Told::Event(Change::Objects { verb: Some(Verb::Create), objects: vec![object] })
}

#[test]
fn an_egress_rule_outlived_the_group_it_names() {
    let rule = Rule {
        version: version("r", 0),
        security_group_id: Some(Id::new("g")),
        ingress: Some(false),
        remote_group_id: Some(Some(Id::new("h"))),
        ..Rule::default()
    };
    for cloud in in_both_orders(&made(Object::Rule(rule)), &deleted(Kind::SecurityGroup, "h")) {
        assert_eq!((cloud.ids(Kind::Rule), cloud.ids(Kind::SecurityGroup)), (vec![], vec![]));
    }
}

#[test]
fn a_forwarding_outlived_its_floating_ip_when_it_was_listed_too_late() {
    let forwarding = Forwarding { version: version("f", 0), ..Forwarding::default() };
    let floating = FloatingIp {
        version: version("i", 1),
        forwardings: Some(vec![forwarding.clone()]),
        ..FloatingIp::default()
    };
    let listed = made(Object::FloatingIp(floating.clone()));
    let shown = Told::Read(vec![Object::FloatingIp(floating.clone())]);
    let gone = || deleted(Kind::FloatingIp, "i");
    let last = Some(Box::new(Object::FloatingIp(floating)));
    let told = Told::Event(Change::Deleted { kind: Kind::FloatingIp, id: Id::new("i"), last });
    let nothing = || made(Object::Rule(Rule::default()));
    for (first, second) in [(listed, gone()), (shown, gone()), (nothing(), told)] {
        for mut cloud in in_both_orders(&first, &second) {
            hear(&mut cloud, 3, &made(Object::Forwarding(forwarding.clone())));
            assert_eq!(cloud.ids(Kind::Forwarding), []);
        }
    }
}

/// Every order of numbers below `n`.
fn orders(n: usize) -> Vec<Vec<usize>> {
    let Some(last) = n.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |shorter: Vec<usize>| {
        (0..n).map(move |place| {
            let mut longer = shorter.clone();
            longer.insert(place, last);
            longer
        })
    };
    orders(last).into_iter().flat_map(insert).collect()
}

/// No mistake that was made: tags are merged as every field is.
#[test]
fn tags_are_those_of_the_latest_body_that_has_them_in_any_order() {
    let tags = |list: &[&str]| Some(Tags::new(list));
    let bodies = [tags(&["a", "b"]), None, tags(&[]), tags(&["public"]), None];
    let body = |revision: usize, of: fn(Version, Option<Tags>) -> Object| {
        made(of(version("x", revision as u64 + 1), bodies[revision].clone()))
    };
    let kinds: [fn(Version, Option<Tags>) -> Object; 3] = [
        |version, tags| Object::Port(Port { version, tags, ..Port::default() }),
        |version, tags| Object::SecurityGroup(SecurityGroup { version, tags, ..SecurityGroup::default() }),
        |version, tags| Object::FloatingIp(FloatingIp { version, tags, ..FloatingIp::default() }),
    ];
    for of in kinds {
        let mut wanted: Option<Vec<StateLine>> = None;
        for order in orders(bodies.len()) {
            let mut cloud = CloudModel::new(None, ModelOptions::default());
            for &which in &order {
                hear(&mut cloud, which as i64, &body(which, of));
            }
            let lines: Vec<StateLine> = cloud.lines().collect();
            let found = lines.iter().find_map(|line| match line {
                StateLine::Port(port) => Some(port.tags.clone()),
                StateLine::SecurityGroup(group) => Some(group.tags.clone()),
                StateLine::FloatingIp(floating) => Some(floating.tags.clone()),
                _ => None,
            });
            assert_eq!(found, tags(&["public"]), "{order:?}");
            assert_eq!(wanted.get_or_insert_with(|| lines.clone()), &lines, "{order:?}");
            let mut again = CloudModel::new(None, ModelOptions::default());
            lines.iter().cloned().for_each(|line| again.restore(line));
            assert_eq!(again.lines().collect::<Vec<_>>(), lines);
        }
    }
}

/// A model that knows nothing but what is written down of another.
fn written_and_restored(cloud: &CloudModel) -> CloudModel {
    let mut again = CloudModel::new(None, ModelOptions::default());
    cloud.lines().for_each(|line| {
        let text = serde_json::to_string(&line).unwrap();
        again.restore(serde_json::from_str(&text).unwrap());
    });
    again
}

#[test]
fn ports_with_the_same_tags_have_one_list() {
    let mut cloud = CloudModel::new(None, ModelOptions::default());
    let port = |id: &str, revision| {
        let tags = Some(Tags::new(["cluster=a", "worker"]));
        made(Object::Port(Port { version: version(id, revision), tags, ..Port::default() }))
    };
    hear(&mut cloud, 1, &port("p", 1));
    hear(&mut cloud, 2, &port("q", 1));
    hear(&mut cloud, 3, &port("p", 2));
    let again = written_and_restored(&cloud);
    for cloud in [cloud, again] {
        let first = |id: &str| cloud.ports.get(&Id::new(id)).unwrap().tags.iter().next().unwrap();
        assert!(std::ptr::eq(first("p"), first("q")));
    }
}

#[test]
fn restored_rules_have_one_word_for_their_protocol() {
    let mut cloud = CloudModel::new(None, ModelOptions::default());
    for id in ["r", "s"] {
        let rule = Rule { version: version(id, 1), protocol: Some(Some("tcp".into())), ..Rule::default() };
        hear(&mut cloud, 1, &made(Object::Rule(rule)));
    }
    let again = written_and_restored(&cloud);
    for cloud in [cloud, again] {
        let word = |id: &str| cloud.rules.get(&Id::new(id)).unwrap().protocol.clone().unwrap();
        assert!(std::sync::Arc::ptr_eq(&word("r"), &word("s")));
    }
}
