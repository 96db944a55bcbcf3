//! What a store's database loses is found, each by the check that has its setting; one in a directory is no server's.

use super::*;

fn database(facts: &mut Facts) -> &mut Durability {
    facts.store.as_mut().expect("it was looked at").database.as_mut().expect("it has one")
}

/// What is said of a check of the store.
fn said(facts: &Facts, id: Id) -> State {
    let verdicts = judge(facts).into_verdicts();
    let mut of = verdicts.into_iter().filter(|verdict| verdict.id == id);
    let (Some(only), None) = (of.next(), of.next()) else { panic!("{id:?} is not said once") };
    only.state
}

#[test]
fn settings_that_lose_what_was_acknowledged_are_found() {
    broken(&[Id::StoreUnflushed], |facts| database(facts).fsync = false);
    broken(&[Id::StoreUnflushed], |facts| database(facts).full_page_writes = false);
    broken(&[Id::StoreEarlyCommit], |facts| database(facts).synchronous_commit = "off".to_owned());
    let local = |facts: &mut Facts| database(facts).synchronous_commit = "local".to_owned();
    broken(&[], local);
    broken(&[Id::StoreEarlyCommit], |facts| {
        local(facts);
        database(facts).synchronous_standby_names = "db2".to_owned();
    });
    broken(&[Id::StoreAsynchronousStandby], |facts| {
        database(facts).asynchronous_standbys = texts(&["db2", "db3"]);
    });
    // Both settings of one check are said.
    let mut facts = good();
    database(&mut facts).fsync = false;
    database(&mut facts).full_page_writes = false;
    let State::Found(seen) = said(&facts, Id::StoreUnflushed) else { panic!("it is found") };
    assert!(seen.contains("`fsync` is off") && seen.contains("`full_page_writes` is off"), "{seen}");
}

#[test]
fn standbys_whose_states_are_hidden_are_not_clear() {
    let some_wait = |facts: &mut Facts| database(facts).synchronous_standby_names = "db2".to_owned();
    unknown(Id::StoreAsynchronousStandby, "store", "GRANT pg_monitor", some_wait);
    let mut facts = good();
    some_wait(&mut facts);
    database(&mut facts).sees_states = true;
    assert!(matches!(said(&facts, Id::StoreAsynchronousStandby), State::Clear(_)));
}

#[test]
fn a_store_in_a_directory_is_clear_and_one_that_cannot_be_reached_is_not() {
    let ids = [Id::StoreUnflushed, Id::StoreEarlyCommit, Id::StoreAsynchronousStandby];
    let mut facts = good();
    facts.store = Ok(Store { name: "store /var/lib/osel".to_owned(), database: None });
    for id in ids {
        let state = said(&facts, id);
        assert!(matches!(&state, State::Clear(seen) if seen.starts_with("in a directory")), "{state:?}");
        unknown(id, "store", "no answer", |facts| facts.store = Err("no answer".to_owned()));
    }
}
