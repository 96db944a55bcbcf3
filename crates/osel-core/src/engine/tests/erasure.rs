//! Erasing a person: the record names nobody but by the id, and the engine is as if it had never heard a name.

use super::{Listener, at};
use crate::decode::Subject;
use crate::engine::{Engine, EngineOptions, Input, Named, OperatorOrder, Order, Output, Sought, persons_of};
use crate::event::NameKind;
use crate::ids::Id;
use crate::trail::Person;

const ADA: &str = "0134e963d2cb47acb1cbded3d170eb51";
const BOB: &str = "1134e963d2cb47acb1cbded3d170eb51";

fn heard(names: &[(&str, &str)]) -> Engine {
    let mut engine = Engine::new(EngineOptions::default());
    let named = |(id, name): &(&str, &str)| Named {
        kind: NameKind::User,
        id: Id::new(id),
        name: (*name).into(),
        at: at(0),
    };
    engine.handle(at(0), Input::Names(names.iter().map(named).collect()), &mut Output::default());
    engine
}

fn sought(user: &str) -> Sought {
    Sought { user: Some(user.to_owned()), address: None }
}

fn subject(user: Option<&str>, names: &[&str]) -> Subject {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    Subject { user: user.map(str::to_owned), names, addresses: Vec::new() }
}

fn order(user: Option<&str>, sought: Sought, reason: &str) -> Order {
    let user = user.map(Id::new);
    Order {
        actor: "alice".to_owned(),
        what: OperatorOrder::ErasePerson { user, reason: reason.to_owned(), sought },
    }
}

#[test]
fn a_person_is_found_by_id_or_name() {
    let engine = heard(&[(ADA, "ada"), (BOB, "bob")]);
    for word in [ADA, "ADA"] {
        assert_eq!(engine.person(&sought(word)), Ok(subject(Some(ADA), &["ada"])), "{word}");
    }
    assert_eq!(engine.person(&sought("eve")), Ok(subject(None, &["eve"])), "who only tried the name");
    let forgotten = "2134e963d2cb47acb1cbded3d170eb51";
    assert_eq!(engine.person(&sought(forgotten)), Ok(subject(Some(forgotten), &[])));
    assert!(engine.person(&Sought::default()).is_err());
}

#[test]
fn a_name_that_two_users_have_says_neither() {
    let engine = heard(&[(ADA, "admin"), (BOB, "admin")]);
    let refused = engine.judge_order(at(1), &order(None, sought("admin"), "gone")).unwrap_err();
    assert_eq!(refused.to_string(), "2 users have or had that name: say which by the id");
    let ada = engine.person(&sought(ADA)).unwrap();
    assert_eq!(ada, subject(Some(ADA), &[]), "what names only `admin` may be the other's");
    assert_eq!(persons_of(&ada), [Person::user(&Id::new(ADA))]);
}

#[test]
fn the_record_and_the_journal_name_nobody() {
    let mut listener = Listener::new();
    listener.engine = heard(&[(ADA, "mallory"), (BOB, "bob")]);
    let mut expected = heard(&[(BOB, "bob")]);
    let refused = listener.engine.judge_order(at(1), &order(None, sought("mallory"), " ")).unwrap_err();
    assert_eq!(refused.to_string(), "an erasure needs a reason");

    let order = order(Some(ADA), sought("mallory"), "ticket 4711");
    let line = serde_json::to_string(&order).unwrap();
    assert!(!line.contains("mallory"), "{line}");
    let written: Order = serde_json::from_str(&line).unwrap();
    let mut out = Output::default();
    listener.engine.handle(at(1), Input::Order(written.clone()), &mut out);
    let [record] = &out.records[..] else { panic!("{out:?}") };
    let text = "alice has what is kept of the person behind user 0134e963d2cb47acb1cbded3d170eb51 erased: ticket 4711";
    assert_eq!(&*record.detail["text"], text);
    assert_eq!(&*record.detail["erased_user"], ADA);

    // It is as if the name had never been heard, and can be heard again.
    expected.handle(at(1), Input::Order(written), &mut Output::default());
    let lines = |engine: &Engine| format!("{:?}", engine.lines().collect::<Vec<_>>());
    assert_eq!(lines(&listener.engine), lines(&expected));
}
