//! Whom a part is about: the word under which a store keeps the key that makes the part readable.
//!
//! A user is called by the id, which is not secret and stays in records when the person is erased. Who is known by a name or an address only is
//! called by a hash of it: whoever has the name finds the person, and whoever has the word finds no name, unless by guessing it. So such words
//! belong where they can be erased, beside the keys, and never into a record.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest, Sha256};

use crate::event::Actor;
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

    /// Somebody of whom nothing is known but where they came from. An address is the same however it is written.
    pub fn at(address: &str) -> Self {
        match Actor::address_of(address) {
            Some(address) => Self::hashed("address", &address.to_string()),
            None => Self::hashed("address", address),
        }
    }

    /// The words that a store may have for whoever came from an address: earlier versions took it as it was written. These are the ways in which programs
    /// write one, and the one given.
    pub fn all_at(address: &str) -> Vec<Self> {
        let meant = Actor::address_of(address);
        // What comes behind an address has one way to be written.
        let (given, zone) = match (meant.and_then(|meant| meant.zone), address.split_once('%')) {
            (Some(zone), Some((given, _))) => (given, format!("%{zone}")),
            _ => (address, String::new()),
        };
        let mut spellings = vec![given.to_owned()];
        let groups = match meant.map(|meant| meant.ip) {
            Some(IpAddr::V4(address)) => {
                let groups = address.to_ipv6_mapped().segments();
                let [.., high, low] = groups;
                spellings.push(format!("::ffff:{high:x}:{low:x}"));
                Some(groups)
            }
            Some(IpAddr::V6(address)) => Some(address.segments()),
            None => None,
        };
        if let Some(groups) = groups {
            let written = |group: fn(&u16) -> String| groups.iter().map(group).collect::<Vec<_>>().join(":");
            let short = written(|group| format!("{group:x}"));
            let long = written(|group| format!("{group:04x}"));
            // The longest run of zeros is left out.
            let cut = Ipv6Addr::from(groups).to_string();
            spellings.extend([short, long, cut]);
        }
        let upper: Vec<String> = spellings.iter().map(|text| text.to_ascii_uppercase()).collect();
        let as_written =
            spellings.iter().chain(&upper).map(|text| Self::hashed("address", &format!("{text}{zone}")));
        [Self::at(address)].into_iter().chain(as_written).collect()
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
    fn an_address_has_one_word_and_those_of_before() {
        let written =
            ["2001:db8::1", "2001:DB8::1", "2001:db8:0:0:0:0:0:1", "2001:0db8:0000:0000:0000:0000:0000:0001"];
        for one in written {
            assert_eq!(Person::at(one), Person::at(written[0]), "{one}");
            let all = Person::all_at(one);
            for other in written {
                assert!(all.contains(&Person::hashed("address", other)), "{one} {other}");
            }
        }
        // Also of a store that an earlier version made: it is the word of old.
        assert_eq!(Person::at("192.0.2.1"), Person::hashed("address", "192.0.2.1"));
        assert_eq!(Person::at("::ffff:192.0.2.1"), Person::at("192.0.2.1"));
        for mapped in ["::ffff:192.0.2.1", "::ffff:c000:201", "::FFFF:192.0.2.1"] {
            assert!(Person::all_at("192.0.2.1").contains(&Person::hashed("address", mapped)), "{mapped}");
        }
        assert_ne!(Person::at("2001:db8::1"), Person::at("2001:db8::2"));
        assert!(Person::all_at("no address").contains(&Person::hashed("address", "no address")));
    }

    #[test]
    fn an_address_of_a_link_has_one_word_and_those_of_before() {
        let written = ["fe80::1%eth0", "FE80::1%eth0", "fe80:0:0:0:0:0:0:1%eth0"];
        for one in written {
            assert_eq!(Person::at(one), Person::at(written[0]), "{one}");
            let all = Person::all_at(one);
            for other in written {
                assert!(all.contains(&Person::hashed("address", other)), "{one} {other}");
            }
            for other in ["fe80::1", "fe80::1%eth1", "fe80::1%ETH0"] {
                assert!(!all.contains(&Person::hashed("address", other)), "{one} {other}");
            }
        }
        assert_eq!(Person::at(written[0]), Person::hashed("address", written[0]));
    }

    #[test]
    fn a_user_is_the_id_however_long() {
        assert_eq!(Person::user(&Id::new("u1")).as_str(), "user:u1");
        let long = Id::new(&"x".repeat(5000));
        assert_eq!(Person::user(&long), Person::user(&long.clone()));
        assert!(Person::user(&long).as_str().len() < 64);
    }
}
