//! Erasing a person, between the engine that knows who is meant and the store that has the parts and messages.

use osel_core::decode::{Forgotten, Subject, forget};
use osel_core::engine::record::Record;
use osel_core::engine::{Engine, OperatorOrder, Order, persons_of};
use osel_core::ids::Id;
use osel_core::trail::{PartClass, RecordKind};

use super::record::read_record;
use super::snapshots;
use crate::store::{Entry, Eraser, Expiry, NewErasure, PartContent, Rewritten, StoredRecord, Whose};

/// Knows what records and inputs say of a person.
#[derive(Clone, Copy, Debug)]
pub struct Forgetting;

/// Takes whom an order to erase somebody is about; what is left of the order can be written down.
pub(super) fn take_sought(engine: &Engine, order: &mut Order) -> Option<Subject> {
    let OperatorOrder::ErasePerson { user, sought, .. } = &mut order.what else { return None };
    let subject = engine.person(&std::mem::take(sought)).ok()?;
    *user = subject.user.as_deref().map(Id::new);
    Some(subject)
}

/// What the store is to do, with the record that tells it. Words have string keys only, so that writing them cannot fail.
pub(super) fn erasure(subject: &Subject, seq: u64) -> NewErasure {
    let persons = persons_of(subject).iter().map(ToString::to_string).collect();
    NewErasure { seq, persons, subject: serde_json::to_vec(subject).unwrap_or_default() }
}

impl Eraser for Forgetting {
    fn class(&self) -> u8 {
        PartClass::Personal.code()
    }

    fn is_about(&self, subject: &[u8], record: &StoredRecord) -> bool {
        let Ok(subject) = serde_json::from_slice::<Subject>(subject) else { return false };
        let mut plain = record.clone();
        for part in &mut plain.parts {
            if matches!(part.whose, Whose::Sealed(_)) {
                part.content = PartContent::Gone;
            }
        }
        read_record(&plain).is_some_and(|record| is_about(&record, &subject))
    }

    fn rewrite(&self, subject: &[u8], entry: &Entry) -> Rewritten {
        let Ok(subject) = serde_json::from_slice::<Subject>(subject) else { return Rewritten::AsItWas };
        match forget(&entry.body, &subject) {
            Forgotten::NotThere => Rewritten::AsItWas,
            Forgotten::Text(body) => Rewritten::Body(body),
            Forgotten::Unreadable => Rewritten::Unreadable,
        }
    }

    fn gone(&self, done: &Expiry) -> u64 {
        let of_kind = |kind: RecordKind| done.limit(PartClass::Personal.code(), kind.code());
        RecordKind::ALL.into_iter().map(of_kind).min().unwrap_or(0)
    }

    fn rewrite_state(&self, subject: &[u8], chunk: &[u8], is_first: bool) -> Rewritten {
        let Ok(subject) = serde_json::from_slice::<Subject>(subject) else { return Rewritten::AsItWas };
        snapshots::without(chunk, is_first, &subject)
    }
}

/// Whether what a record says of persons is about one, as actor, as target, or as the user of a role.
pub fn is_about(record: &Record, subject: &Subject) -> bool {
    let (body, personal) = (&record.body, &record.personal);
    let acts = subject.is(body.user_id.as_ref(), personal.user_name.as_deref(), personal.address.as_deref());
    let target = body.target.as_ref().filter(|target| &*target.kind == "user");
    let target_id = target.and_then(|target| target.id.as_ref());
    let is_target = subject.is(target_id, personal.target_name.as_deref(), None);
    let has_role = body.detail.get("user").map(|id| Id::new(id));
    acts || is_target || has_role.is_some_and(|user| subject.is(Some(&user), None, None))
}
