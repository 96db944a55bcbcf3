//! What could not be looked at, or not whole, is unchecked: never clear, and never found.

use serde_json::json;

use super::*;
use crate::doctor::Verdict;

/// Changes something in a good cloud and checks that nothing is found, and nothing said of a check by a source.
#[track_caller]
pub(super) fn unknown(id: Id, source: &str, words: &str, change: impl FnOnce(&mut Facts)) {
    let mut facts = good();
    change(&mut facts);
    let report = judge(&facts);
    assert_eq!(report.found_ids(), [], "{report:#?}");
    let verdicts = report.into_verdicts();
    let of = |verdict: &&Verdict| verdict.id == id && verdict.source.starts_with(source);
    let of: Vec<&State> = verdicts.iter().filter(of).map(|verdict| &verdict.state).collect();
    assert!(matches!(of.as_slice(), [State::Unchecked(why)] if why.contains(words)), "{id}: {of:#?}");
}

#[test]
fn what_only_a_listener_may_have_declared_proves_no_publisher() {
    let listener_only = |facts: &mut Facts| {
        facts.heard = Err("not asked".to_owned());
        facts.services.clear();
        let counts = Counts { messages: 0, consumers: 1, messages_before: None };
        bus(facts).queues.insert("notifications.info".to_owned(), Some(counts));
        admin(facts).queues = Err("not allowed".to_owned());
    };
    unknown(Id::NoNotifications, "bus", "a listener declares them too", listener_only);
    unknown(Id::ExchangeAbsent, "bus", "a listener declares them too", listener_only);
    // Each of these shows that somebody sends.
    let cleared = |further: fn(&mut Facts)| {
        let mut facts = good();
        listener_only(&mut facts);
        further(&mut facts);
        let verdicts = judge(&facts).into_verdicts();
        let is_clear = |id: Id| {
            let of = |verdict: &Verdict| verdict.id == id && verdict.source.starts_with("bus");
            verdicts.iter().any(|verdict| of(verdict) && matches!(verdict.state, State::Clear(_)))
        };
        assert!(is_clear(Id::NoNotifications) && is_clear(Id::ExchangeAbsent), "{verdicts:#?}");
    };
    cleared(|facts| facts.heard = good().heard);
    cleared(|facts| facts.services = good().services);
    cleared(|facts| admin(facts).queues = management().queues);
    cleared(|facts| bus(facts).queues = good().bus.expect("it was asked").queues);
}

#[test]
fn users_that_nobody_could_look_at_are_not_clear() {
    let hidden = |facts: &mut Facts| admin(facts).users = Err("not allowed".to_owned());
    unknown(Id::DefaultUser, "", "not allowed", hidden);
    unknown(Id::AdministratorTag, "management", "shown to administrators only", |facts| {
        hidden(facts);
        admin(facts).myself = Ok(User { name: "osel".to_owned(), tags: texts(&["management"]) });
    });
}

#[test]
fn an_exchange_that_osel_may_not_read_is_found() {
    broken(&[Id::ExchangeUnreadable], |facts| heard(facts).deaf = texts(&["neutron"]));
    let row = |facts: &mut Facts, read: &str| {
        let rows = admin(facts).permissions.as_mut().expect("asked");
        read.clone_into(&mut rows[0].read);
    };
    broken(&[Id::ExchangeUnreadable], |facts| row(facts, r"^(osel\..*|keystone)$"));
    let management = "management";
    unknown(Id::ExchangeUnreadable, management, "only RabbitMQ", |facts| row(facts, "(?<=neutron)$"));
    unknown(Id::ExchangeUnreadable, management, "no permissions of `osel`", |facts| {
        admin(facts).permissions.as_mut().expect("asked").remove(0);
    });
    unknown(Id::ExchangeUnreadable, management, "is not known", |facts| facts.bus = Err("no".to_owned()));
    unknown(Id::ExchangeUnreadable, "listening", "no exchange to listen to", |facts| {
        heard(facts).bound.clear();
    });
    let denied = |facts: &mut Facts| {
        bus(facts).exchanges.values_mut().for_each(|presence| *presence = Presence::Denied);
    };
    unknown(Id::ExchangeAbsent, "bus", "may not ask for `keystone`", denied);
    unknown(Id::NoNotifications, "bus", "may not ask for `heat`", denied);
}

#[test]
fn what_osel_may_not_do_with_its_own_queue_is_found() {
    broken(&[Id::OwnQueueForbidden], |facts| heard(facts).forbidden = texts(&["neutron"]));
    let permission = |change: fn(&mut Permission)| {
        move |facts: &mut Facts| {
            let rows = admin(facts).permissions.as_mut().expect("asked");
            change(&mut rows[0]);
        }
    };
    broken(&[Id::OwnQueueForbidden], permission(|row| row.configure.clear()));
    broken(&[Id::OwnQueueForbidden], permission(|row| "^$".clone_into(&mut row.write)));
    broken(&[Id::OwnQueueForbidden], permission(|row| "^(keystone|neutron)$".clone_into(&mut row.read)));
    unknown(
        Id::OwnQueueForbidden,
        "management",
        "only RabbitMQ",
        permission(|row| "(?<=a)".clone_into(&mut row.write)),
    );
    unknown(Id::OwnQueueForbidden, "management", "is not known", |facts| facts.bus = Err("no".to_owned()));
    unknown(Id::OwnQueueForbidden, "listening", "no exchange to listen to", |facts| {
        heard(facts).bound.clear();
    });
}

#[test]
fn nothing_is_clear_by_what_nobody_could_look_at() {
    let refused = |facts: &mut Facts| {
        bus(facts).queues.clear();
        bus(facts).refused = texts(&["notifications.info"]);
        facts.management = Err("not given".to_owned());
        facts.heard = Err("not asked".to_owned());
    };
    for id in [Id::NotificationsUnread, Id::QueueShared, Id::NoNotifications] {
        unknown(id, "bus", "`notifications.info`", refused);
    }
    let empty = |facts: &mut Facts| {
        bus(facts).queues.clear();
        facts.management = Err("not given".to_owned());
    };
    unknown(Id::NotificationsUnread, "bus", "no queue", empty);
    unknown(Id::QueueShared, "bus", "no queue", empty);
    unknown(Id::QueueShared, "management", "no queue", |facts| {
        bus(facts).queues.clear();
        admin(facts).consumers = Ok(Vec::new());
    });
    unknown(Id::NotificationsUnread, "management", "no queue", |facts| admin(facts).queues = Ok(Vec::new()));
    unknown(Id::NotificationsUnread, "management", "is not told", |facts| {
        bus(facts).queues.clear();
        admin(facts).queues = Ok(rows(json!([{"name": "notifications.info", "type": "classic"}])));
    });
    unknown(Id::NoTls, "management", "1 of 5 connections", |facts| {
        // While it logs in, and for those within the broker.
        admin(facts).connections.as_mut().expect("asked")[2].ssl = None;
    });
    unknown(Id::NoTls, "management", "nobody is connected", |facts| {
        admin(facts).connections = Ok(Vec::new());
        admin(facts).consumers = Ok(Vec::new());
    });
    unknown(Id::WidePermissions, "management", "nobody", |facts| admin(facts).permissions = Ok(Vec::new()));
    unknown(Id::TokenOnBus, "listening", "with a context", |facts| heard(facts).with_context = 0);
}
