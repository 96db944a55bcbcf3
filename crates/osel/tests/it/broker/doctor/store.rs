//! A store in a real PostgreSQL: one that is set up to lose, and one that is well kept.

use super::super::{Postgres, free_port};
use super::{Said, doctor};
use crate::command::Place;

const IDS: [&str; 3] = ["store-asynchronous-standby", "store-early-commit", "store-unflushed"];

/// What is said with a configuration whose store is this, and whose bus is not there.
fn told(place: &Place, store: &str) -> Said {
    place.write("url", "rabbit://later:x@127.0.0.1:1/");
    let config = format!(
        "[store]\n{store}\n[[source]]\nname = 'one'\ntype = 'rabbitmq'\ntransport_url = {{ file = 'url' }}\n"
    );
    let file = place.write("osel.toml", config);
    doctor(&["-c", &file], || {})
}

#[track_caller]
fn check(said: &Said, state: &str) {
    for id in IDS {
        assert!(said.ids(state).contains(&id), "{id} is not {state}: {:#?}", said.verdicts);
    }
}

#[test]
fn what_a_store_loses_is_found_and_a_well_kept_one_is_clear() {
    let place = Place::new("doctor-store");
    // The tests' server does without `fsync` where nothing else is said.
    let bad = Postgres::start(free_port(), "");
    let url = format!("url = '{}'", bad.database("osel"));
    bad.sql("osel", "ALTER ROLE osel SET synchronous_commit = off");
    let mut standby = bad.follow();
    let said = told(&place, &url);
    check(&said, "found");
    for (id, words) in [
        ("store-unflushed", "`fsync` is off"),
        ("store-early-commit", "`synchronous_commit` is off for this role"),
        ("store-asynchronous-standby", "replication to `pg_receivewal` is asynchronous"),
    ] {
        let seen = said.seen(id, "store postgresql://osel@");
        assert!(seen.starts_with(words), "{seen}");
    }
    let early = said.verdicts.iter().find(|verdict| verdict["id"] == "store-early-commit").unwrap();
    assert_eq!(
        (early["fix"]["setting"].as_str(), early["fix"]["value"].as_str()),
        (Some("ALTER ROLE USER SET synchronous_commit"), Some("on"))
    );
    // By the fix it is mended.
    bad.sql("osel", "ALTER ROLE osel SET synchronous_commit = on");
    assert!(told(&place, &url).ids("clear").contains(&"store-early-commit"));
    bad.stop("immediate");
    standby.wait().unwrap();
    let said = told(&place, &url);
    check(&said, "unchecked");
    assert!(said.error.contains("osel: the store cannot be looked at: "), "{}", said.error);
    assert_eq!(said.code, Some(3));

    let good = Postgres::start(free_port(), "fsync=on");
    let said = told(&place, &format!("url = '{}'", good.database("osel")));
    check(&said, "clear");
    assert!(!said.error.contains("the store"), "{}", said.error);
    // Who does not see the states of standbys does not know that all is well.
    good.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'db2'");
    good.sql("postgres", "SELECT pg_reload_conf()");
    let hidden = |said: &Said| said.ids("unchecked").contains(&"store-asynchronous-standby");
    good.until("the server has read its settings", || {
        hidden(&told(&place, &format!("url = '{}'", good.url("osel"))))
    });

    check(&told(&place, "path = 'store'"), "clear");
    assert!(!std::path::Path::new(&place.path("store")).exists(), "a store was made");
}
