//! Whom a part is about: the word under which a store keeps the key that makes the part readable.
//!
//! A user is called by the id, which is not secret and stays in records when the person is erased. Who is known by a name or an address only is
//! called by a hash of it: whoever has the name finds the person, and whoever has the word finds no name, unless by guessing it. So such words
//! belong where they can be erased, beside the keys, and never into a record.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::ids::Id;

/// The longest id that stands for itself: Keystone's column has 64 characters. A longer one is hashed, so that a word has a bound.
const ID_BYTES_MAX: usize = 255;

/// A person, as a part knows one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Person(Box<str>);

impl Person {
    /// The user with an id.
    pub fn user(id: &Id) -> Self {
        id.with_text(|id| match id.len() {
            0..=ID_BYTES_MAX => Self(format!("user:{id}").into()),
            _ => Self::hashed("long", id),
        })
    }

    /// Somebody of whom a name is known and no id, as whoever tried to log in by a wrong one. Names differ by more than upper and lower case.
    pub fn named(name: &str) -> Self {
        Self::hashed("name", &name.to_lowercase())
    }

    /// Somebody of whom nothing is known but where they came from.
    pub fn at(address: &str) -> Self {
        Self::hashed("address", address)
    }

    /// Nobody in particular: what may point to a person, such as a client's program, and does not say to whom.
    pub fn unknown() -> Self {
        Self("unknown".into())
    }

    fn hashed(kind: &str, text: &str) -> Self {
        let hash = Sha256::new().chain_update(kind).chain_update([0]).chain_update(text).finalize();
        // Half of it: sixteen bytes meet by chance nowhere.
        let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Self(format!("{kind}:{digits}").into())
    }

    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_whoever_has_it_and_not_told() {
        assert_eq!(Person::named("Ada"), Person::named("aDA"));
        assert_ne!(Person::named("192.0.2.1"), Person::at("192.0.2.1"));
        let word = Person::named("ada").to_string();
        assert!(word.starts_with("name:") && word.len() == 37 && !word.contains("ada"), "{word}");
    }

    #[test]
    fn a_user_is_the_id_however_long() {
        assert_eq!(Person::user(&Id::new("u1")).as_str(), "user:u1");
        let long = Id::new(&"x".repeat(5000));
        assert_eq!(Person::user(&long), Person::user(&long.clone()));
        assert!(Person::user(&long).as_str().len() < 64);
    }
}
