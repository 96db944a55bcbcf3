//! The view of a record in which nobody is named.

use super::key::{About, PseudonymKey};
use super::prose::{Known, replaced};
use crate::engine::record::{Detail, Record};
use crate::ids::Id;
use crate::trail::PartClass;

/// Facts that are the name of whoever did something where osel runs.
const OPERATORS: [&str; 5] = ["reader", "ordered_by", "imported_by", "replayed_by", "consumer"];
/// The fact that is the id of a user to whom something was done.
const USER: &str = "user";
/// The fact that is the id of a user who was erased.
const ERASED: &str = "erased_user";
/// What somebody searched for, which may be anything.
const ASKED: &str = "asked";
/// osel's own sentence. It names users of the cloud by their ids only, and roles that may be called as users are.
const OWN: &str = "text";
/// What was done besides, in osel's words or those of a service.
const EXTRA: &str = "extra";
/// Facts that are texts of others, or have such: names may stand in them. All that are not named here are ids, words and numbers.
const FOREIGN: [&str; 3] = ["note", "reason", "path"];

/// A record with pseudonyms in place of what points to a person. Its message is not shown with it: it names everybody, and the
/// record says that it is missing.
pub fn pseudonymised(record: Record, key: &PseudonymKey) -> Record {
    watched(record, key, &mut |_, _, _| {})
}

/// The same; `watch` is told of each text what it says of a person, the text, and the pseudonym that takes its place.
pub fn watched(mut record: Record, key: &PseudonymKey, watch: &mut dyn FnMut(About, &str, &str)) -> Record {
    let mut name = |about: About, text: &str| {
        // Empty is no name, and every form treats it as none.
        if text.is_empty() {
            return String::new();
        }
        let pseudonym = key.pseudonym(about, text);
        watch(about, text, &pseudonym);
        pseudonym
    };
    details(&mut record, &mut name);
    let (body, personal) = (&mut record.body, &mut record.personal);
    let target_user = body.target.as_mut().and_then(|target| {
        let is_user = target.kind.as_ref() == USER;
        if is_user && let Some(called) = &mut target.name {
            *called = name(About::Name, called).into();
        }
        // What something was done to may be who did it, also where it is told as something else.
        target.id.as_mut().filter(|id| is_user || Some(&**id) == body.user_id.as_ref())
    });
    for id in [target_user, body.user_id.as_mut()].into_iter().flatten() {
        *id = Id::new(&id.with_text(|text| name(About::User, text)));
    }
    for (about, text) in [
        (About::Name, &mut personal.user_name),
        (About::Name, &mut personal.target_name),
        (About::Address, &mut personal.address),
        (About::Agent, &mut personal.agent),
    ] {
        if let Some(text) = text {
            *text = name(about, text).into();
        }
    }
    for called in personal.detail.values_mut() {
        *called = name(About::Name, called);
    }
    if body.message_id.is_some() && !record.missing.contains(&PartClass::Payload) {
        record.missing.push(PartClass::Payload);
    }
    record
}

/// Replaces whoever is named in facts, while the record still says who that may be.
fn details(record: &mut Record, name: &mut dyn FnMut(About, &str) -> String) {
    let facts = std::mem::take(&mut record.body.detail);
    let (ids, own, foreign) = known(record, &facts);
    // What is made of Keystone's messages has a user's id behind the word, however it looks.
    let is_identity = record.body.event_type.as_deref().is_some_and(|event| event.starts_with("identity."));
    let told: Detail = facts
        .iter()
        .map(|(key, value)| {
            let value = match key.as_ref() {
                USER | ERASED => name(About::User, value),
                ASKED => name(About::Asked, value),
                key if OPERATORS.contains(&key) => name(About::Name, value),
                OWN => replaced(value, &own, false, name),
                EXTRA => replaced(value, &foreign, is_identity, name),
                key if FOREIGN.contains(&key) => replaced(value, &foreign, false, name),
                _ => replaced(value, &ids, false, name),
            };
            (key.clone(), value)
        })
        .collect();
    record.body.detail = told;
}

/// Who may be named in facts: in any of them, in osel's own sentences, and in texts of others.
fn known(record: &Record, facts: &Detail) -> (Known, Known, Known) {
    let (body, personal) = (&record.body, &record.personal);
    let fact = |key: &str| facts.get(key).map(String::as_str);
    let mut ids = Known::default();
    let target = body.target.as_ref().filter(|target| target.kind.as_ref() == USER);
    for id in [body.user_id.as_ref(), target.and_then(|target| target.id.as_ref())].into_iter().flatten() {
        id.with_text(|text| ids.add(About::User, text));
    }
    [USER, ERASED].into_iter().filter_map(fact).for_each(|id| ids.add(About::User, id));
    let mut own = ids.clone();
    let names = [personal.user_name.as_deref(), personal.target_name.as_deref()];
    let operators = OPERATORS.iter().map(|key| fact(key));
    names.into_iter().chain(operators).flatten().for_each(|called| own.add(About::Name, called));
    personal.address.iter().for_each(|address| own.add(About::Address, address));
    fact(ASKED).into_iter().for_each(|asked| own.add(About::Asked, asked));
    let mut foreign = own.clone();
    personal.detail.values().for_each(|called| foreign.add(About::Name, called));
    (ids, own, foreign)
}
