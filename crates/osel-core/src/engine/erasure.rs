//! Erasing a person: who is meant, what the engine forgets, and the record of it, which names nobody but by the user's id.
//!
//! What is sought (a name, an address) is never written down with the order: whoever folds the journal again needs only the id. Names and parts leave the
//! store by the shell's work.

use super::attempts::AttemptLine;
use super::record::Detail;
use super::{Engine, EngineLine, OrderRefusal, Output, system_record};
use crate::decode::{ERASED, Subject};
use crate::event::{Actor, NameKind, Outcome};
use crate::finding::REASON_CHARS_MAX;
use crate::ids::Id;
use crate::scan::cut;
use crate::time::Timestamp;
use crate::trail::{Person, RecordKind};

/// Keystone's ids have 32 digits, or 64 where users are kept elsewhere.
const ID_CHARS_MIN: usize = 32;

/// Whom somebody wants to have erased, in the words in which it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// A user, by id or name.
    pub user: Option<String>,
    /// The address of a client, for what names nobody.
    pub address: Option<String>,
}

impl Engine {
    /// Who is meant, as far as is known: by the id where one is known, with every name of it that no other user has.
    ///
    /// # Errors
    /// When nobody is named, or several users have the name.
    pub fn person(&self, sought: &Sought) -> Result<Subject, OrderRefusal> {
        let addresses: Vec<String> = sought.address.iter().cloned().collect();
        let Some(word) = &sought.user else {
            return match addresses.is_empty() {
                true => Err(OrderRefusal::NobodyToErase),
                false => Ok(Subject { addresses, ..Subject::default() }),
            };
        };
        let id = Id::new(word);
        let known = self.names.names_of(NameKind::User, &id);
        if !known.is_empty() {
            return Ok(self.user(&id, (Vec::new(), known), addresses));
        }
        let mut users = self.names.named(NameKind::User, word);
        match (users.pop(), users.is_empty()) {
            (Some(id), true) => {
                // Of this one it is known that nobody else has it.
                let is_word = |name: &String| name.to_lowercase() == word.to_lowercase();
                let names = self.names.names_of(NameKind::User, &id).into_iter().partition(is_word);
                Ok(self.user(&id, names, addresses))
            }
            (Some(_), false) => Err(OrderRefusal::SeveralUsers { users: users.len() + 1 }),
            // An id of which no name is known any more; or a name of which no id is, and which must not be taken for one: ids stay in the record.
            (None, _) if is_id(word) => Ok(self.user(&id, (Vec::new(), Vec::new()), addresses)),
            (None, _) => Ok(Subject { user: None, names: vec![word.clone()], addresses }),
        }
    }

    /// A user with the names that are their own, and those of others that are.
    fn user(&self, id: &Id, (own, others): (Vec<String>, Vec<String>), addresses: Vec<String>) -> Subject {
        let mut names = own;
        names.extend(self.names.own_names(NameKind::User, id, others));
        Subject { user: Some(id.to_string()), names, addresses }
    }

    /// Forgets a user, and writes down that it was ordered.
    pub(super) fn erase_person(
        &mut self,
        now: Timestamp,
        actor: String,
        user: Option<Id>,
        reason: &str,
        out: &mut Output,
    ) {
        if let Some(id) = &user {
            self.names.forget(NameKind::User, id);
            self.attempts.forget_user(id);
        }
        let reason = cut(reason, REASON_CHARS_MAX);
        let whom = match &user {
            Some(id) => format!("what is kept of the person behind user {id}"),
            None => "what is kept of a person of whom no user is known".to_owned(),
        };
        let mut record =
            system_record(now, now, RecordKind::System, format!("{actor} has {whom} erased: {reason}"));
        record.outcome = Outcome::Success;
        record.actor = Actor { user_name: Some(actor.as_str().into()), ..Actor::default() };
        record.detail.extend(Detail::from([
            ("order".into(), "erase_person".to_owned()),
            ("ordered_by".into(), actor),
            ("reason".into(), reason),
        ]));
        record.detail.extend(user.map(|id| ("erased_user".into(), id.to_string())));
        self.record(record, out);
    }
}

impl EngineLine {
    /// Forgets what a saved line says of a person; whether there was anything.
    pub fn forget(&mut self, subject: &Subject) -> bool {
        match self {
            Self::Name(entry) if entry.kind == NameKind::User => {
                subject.is(Some(&entry.id), None, None) && entry.rename(ERASED)
            }
            Self::Attempt(AttemptLine::Open(open)) => open.forget(subject),
            _ => false,
        }
    }
}

/// Whether a word is an id as Keystone makes them: hexadecimal digits, with dashes or without.
fn is_id(word: &str) -> bool {
    word.len() >= ID_CHARS_MIN && word.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

/// The words under which a store has keys for somebody.
pub fn persons_of(subject: &Subject) -> Vec<Person> {
    let user = subject.user.iter().map(|id| Person::user(&Id::new(id)));
    let names = subject.names.iter().map(|name| Person::named(name));
    let addresses = subject.addresses.iter().flat_map(|address| Person::all_at(address));
    let mut persons: Vec<Person> = user.chain(names).chain(addresses).collect();
    persons.sort_unstable();
    persons.dedup();
    persons
}
