//! Parts about persons as a store keeps them: sealed, each by the key of its person, which lies apart and can be destroyed.
//!
//! A part is sealed together with its salt: what is left of one whose key is gone lets nobody try a name against the record's commitment. It is bound
//! to the store, the record and its place there, so that no sealed part passes for another. Which keys there are, and how they are kept, is each
//! store's own.
//!
//! A key has a random number, so that an old copy of the keys does not fit a new part. It is drawn again where a key has it, or one had it that was
//! destroyed by an erasure. Of keys that went with all that they sealed nothing is kept: one of their numbers may come again, by a chance of one in 2^47. The
//! store has no part of theirs any more; a copy from before would call such a part damaged instead of gone, and nobody can read it either way.
//!
//! A key is for one week: all that it seals has an `as_of` before the end of that. So it is known without asking when nothing needs it any more, and
//! keys, which were written once and never since, go behind the parts that they sealed.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use osel_core::time::Timestamp;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::code::{ContentView, Malformed, PartView, WhoseView, put_bytes, write_views};
use super::data::{PartContent, StoredRecord, Whose};
use super::new_records::{NewRecord, NewRecords};

/// The length of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Keys that are remembered: the persons of a large cloud who act on one day, in a few megabytes. Beyond it all are forgotten and read anew.
const KEYS_KEPT_MAX: usize = 1 << 16;
/// Chance is drawn from the system in pieces of that many bytes: one call for some hundred parts.
const POOL_BYTES: usize = 4096;
const SALT_BYTES: usize = 16;
/// Of the number of a key and of a length, as they lie before what is sealed.
const NUMBER_BYTES: usize = 8;
const LENGTH_BYTES: usize = 4;
/// How often a number is drawn for a key at most. Of a million keys one in 10^8 draws meets another; so many in a row are no chance.
pub(super) const DRAWS_MAX: usize = 16;
/// For how long a key is used: short, so that it outlives what it sealed by little; long, so that a person has few of them in many years.
const WEEK_MICROS: i64 = 7 * 86_400_000_000;
/// How many keys go in one step at most: some milliseconds.
pub(super) const KEYS_AT_ONCE: u32 = 1024;
/// The bits of a number that say that it is one, so that a damaged number is not taken for that of a key that was destroyed.
const CHECK_BITS: u64 = 0xffff;

/// The key of one person.
pub(super) type Key = Zeroizing<[u8; KEY_BYTES]>;

/// Where numbers come from.
pub(super) type Chance = Box<dyn FnMut() -> Result<u64, getrandom::Error> + Send>;

/// The week of a time, counted from 1970.
pub(super) fn week_of(as_of: Timestamp) -> i64 {
    as_of.micros().div_euclid(WEEK_MICROS)
}

/// A person as a store has one: a key, under a number, for somebody with a word of the maker of records.
#[derive(Clone, Debug)]
pub(super) struct PersonKey {
    /// Random, and no other key's.
    pub(super) number: u64,
    /// Whose it is.
    pub(super) label: String,
    /// The key.
    pub(super) key: Key,
}

impl PersonKey {
    /// A key of a store for somebody who has none, under a number made of chance.
    ///
    /// # Errors
    /// When the system has no random numbers.
    fn new(store: &str, label: &str, chance: u64) -> Result<Self, getrandom::Error> {
        let mut key = Key::default();
        getrandom::fill(&mut key[..])?;
        // Databases count in signed numbers.
        let chance = (chance >> 1) & !CHECK_BITS;
        Ok(Self { number: chance | check_of(store, chance), label: label.to_owned(), key })
    }

    /// One as it was read.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn read(number: u64, label: String, key: Vec<u8>) -> Result<Self, Malformed> {
        let bytes = Zeroizing::new(key);
        let mut key = Key::default();
        if bytes.len() != key.len() {
            return Err(Malformed("the key of a person has another length"));
        }
        key.copy_from_slice(&bytes);
        Ok(Self { number, label, key })
    }
}

/// The check of a number without it.
fn check_of(store: &str, chance: u64) -> u64 {
    let hash = Sha256::new().chain_update(store).chain_update(chance.to_le_bytes()).finalize();
    hash.iter().take(2).fold(0, |check, byte| check << 8 | u64::from(*byte))
}

/// Whether the store ever gave a key that number.
fn is_number(store: &str, number: u64) -> bool {
    number & CHECK_BITS == check_of(store, number & !CHECK_BITS)
}

/// That every number that was drawn for a key is one of another: it is not chance that the system gives.
pub(super) fn no_chance() -> std::io::Error {
    std::io::Error::other("the system's random numbers repeat themselves")
}

/// Seals parts, with the keys that the store gave it.
pub(super) struct Sealer {
    store: String,
    /// For which week its keys are.
    week: i64,
    keys: HashMap<String, PersonKey>,
    chance: Chance,
    pool: Box<[u8; POOL_BYTES]>,
    used: usize,
    /// What the part that is sealed is bound to, of which only the memory is used again.
    bound: Vec<u8>,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer")
            .field("week", &self.week)
            .field("keys", &self.keys.len())
            .finish_non_exhaustive()
    }
}

impl Sealer {
    /// Of the store of that id.
    pub(super) fn new(store: &str) -> Self {
        Self::with(store, Box::new(getrandom::u64))
    }

    /// The same with another source of numbers.
    pub(super) fn with(store: &str, chance: Chance) -> Self {
        Self {
            store: store.to_owned(),
            week: 0,
            keys: HashMap::new(),
            chance,
            pool: Box::new([0; POOL_BYTES]),
            used: POOL_BYTES,
            bound: Vec::new(),
        }
    }

    /// Whose keys of [this week](Self::week) have to be [learned](Self::learn) before these records are sealed.
    pub(super) fn missing<'a>(&mut self, records: &'a NewRecords) -> BTreeSet<&'a str> {
        // `as_of` never goes back: no record of a batch is from a later week than the last.
        let week = records.last().map_or(self.week, |record| week_of(record.head.as_of));
        if week != self.week || self.keys.len() > KEYS_KEPT_MAX {
            self.keys.clear();
            self.week = week;
        }
        let parts = records.iter().flat_map(|record| record.parts());
        let labels = parts.filter_map(|part| match part.whose {
            WhoseView::Person(label) => Some(label),
            WhoseView::Nobody | WhoseView::Sealed(_) => None,
        });
        labels.filter(|label| !self.keys.contains_key(*label)).collect()
    }

    /// The week of the records that are sealed next.
    pub(super) fn week(&self) -> i64 {
        self.week
    }

    /// A key for somebody who has none. The store says whether its number was another's.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(super) fn new_key(&mut self, label: &str) -> Result<PersonKey, getrandom::Error> {
        let chance = (self.chance)()?;
        PersonKey::new(&self.store, label, chance)
    }

    /// Takes a key that is durable, or will be with the records.
    pub(super) fn learn(&mut self, key: PersonKey) {
        self.keys.insert(key.label.clone(), key);
    }

    /// Forgets all keys: some are destroyed, or were not written.
    pub(super) fn clear(&mut self) {
        self.keys.clear();
    }

    /// Writes the parts of a record behind what is in `out`, those of persons sealed.
    ///
    /// # Errors
    /// When the system has no random numbers, or a key is missing that was to be learned.
    pub(super) fn write_parts(
        &mut self,
        record: &NewRecord<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), std::io::Error> {
        let mut failed = None;
        write_views(record.parts(), out, |place, part, out| {
            if let Err(error) = self.seal((record.head.seq, place), part, out) {
                failed = Some(error);
            }
            true
        });
        failed.map_or(Ok(()), Err)
    }

    fn seal(
        &mut self,
        (seq, place): (u64, usize),
        part: &PartView<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), std::io::Error> {
        let nonce = self.nonce()?;
        let (WhoseView::Person(label), ContentView::Bytes(content)) = (part.whose, part.content) else {
            return Err(std::io::Error::other("a part without a person cannot be sealed"));
        };
        let person = self.keys.get(label).ok_or_else(|| std::io::Error::other("a person has no key"))?;
        self.bound.clear();
        bind_to(&self.store, seq, place, part.class, &mut self.bound);
        let length = NONCE_LEN + SALT_BYTES + content.len() + CHACHA20_POLY1305.tag_len();
        // It is sealed where it is to lie; so that it is not moved before, there is room for all of it.
        out.reserve(NUMBER_BYTES + LENGTH_BYTES + length);
        out.extend_from_slice(&person.number.to_le_bytes());
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&nonce);
        let start = out.len();
        out.extend_from_slice(part.salt);
        out.extend_from_slice(content);
        let tag = cipher(&person.key)
            .and_then(|cipher| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                let sealed = out.get_mut(start..).unwrap_or_default();
                cipher.seal_in_place_separate_tag(nonce, Aad::from(&self.bound[..]), sealed)
            })
            .map_err(|_| std::io::Error::other("a part is too long to be sealed"))?;
        out.extend_from_slice(tag.as_ref());
        Ok(())
    }

    /// A random nonce: a person has far fewer parts than the 2^32 at which two might meet.
    fn nonce(&mut self) -> Result<[u8; NONCE_LEN], std::io::Error> {
        if self.used + NONCE_LEN > POOL_BYTES {
            getrandom::fill(&mut self.pool[..])?;
            self.used = 0;
        }
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&self.pool[self.used..self.used + NONCE_LEN]);
        self.used += NONCE_LEN;
        Ok(nonce)
    }
}

/// Opens sealed parts, with the keys that the store gave it.
#[derive(Debug, Default)]
pub(super) struct Opener {
    store: Option<String>,
    /// Which of the store's erasures it knows of, in the store's count.
    erased: i64,
    /// None of a number whose key is destroyed.
    keys: HashMap<u64, Option<PersonKey>>,
}

impl Opener {
    /// Whether it knows of which store it is.
    pub(super) fn knows_store(&self) -> bool {
        self.store.is_some()
    }

    /// Takes of which store it is.
    pub(super) fn of_store(&mut self, id: String) {
        self.store = Some(id);
    }

    /// Whether any part is sealed.
    pub(super) fn is_needed(records: &[StoredRecord]) -> bool {
        let mut parts = records.iter().flat_map(|record| &record.parts);
        parts.any(|part| matches!(part.whose, Whose::Sealed(_)))
    }

    /// Takes how many erasures the store has seen, as it counts them; asked before anything is opened, so that no key is used that was destroyed
    /// before. With another one all keys are forgotten.
    pub(super) fn heed(&mut self, erased: i64) {
        if self.erased != erased {
            self.keys.clear();
            self.erased = erased;
        }
    }

    /// The numbers of keys that have to be [learned](Self::learn) before these records are opened.
    pub(super) fn missing(&mut self, records: &[StoredRecord]) -> BTreeSet<u64> {
        if self.keys.len() > KEYS_KEPT_MAX {
            self.keys.clear();
        }
        let parts = records.iter().flat_map(|record| &record.parts);
        let numbers = parts.filter_map(|part| match part.whose {
            Whose::Sealed(number) => Some(number),
            Whose::Nobody | Whose::Person(_) | Whose::Locked => None,
        });
        numbers.filter(|number| !self.keys.contains_key(number)).collect()
    }

    /// Takes the key of a number, or that there is none any more.
    pub(super) fn learn(&mut self, number: u64, key: Option<PersonKey>) {
        self.keys.insert(number, key);
    }

    /// Opens the sealed parts of a record. One whose key is not there is locked. What does not open by its key is handed on as it lies, so that
    /// verification names the record.
    pub(super) fn open(&self, record: &mut StoredRecord) {
        for (place, part) in record.parts.iter_mut().enumerate() {
            let Whose::Sealed(number) = part.whose else { continue };
            part.whose = Whose::Nobody;
            let Some(store) = &self.store else { continue };
            let Some(Some(person)) = self.keys.get(&number) else {
                if is_number(store, number) {
                    (part.content, part.whose) = (PartContent::Gone, Whose::Locked);
                }
                continue;
            };
            let PartContent::Bytes(sealed) = &mut part.content else { continue };
            let mut bound = Vec::new();
            bind_to(store, record.seq, place, part.class, &mut bound);
            if let Some((salt, content)) = open(&person.key, &bound, sealed) {
                part.salt = salt;
                part.content = PartContent::Bytes(content);
                part.whose = Whose::Person(person.label.clone());
            }
        }
    }
}

fn open(key: &Key, bound: &[u8], sealed: &[u8]) -> Option<([u8; SALT_BYTES], Vec<u8>)> {
    let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>()?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let opened = cipher(key).ok()?.open_in_place(nonce, Aad::from(bound), &mut sealed).ok()?;
    let (salt, content) = opened.split_first_chunk::<SALT_BYTES>()?;
    Some((*salt, content.to_vec()))
}

/// ChaCha20-Poly1305: no table of a key has to be made for it, which would take longer than sealing a few hundred bytes.
fn cipher(key: &Key) -> Result<LessSafeKey, ring::error::Unspecified> {
    UnboundKey::new(&CHACHA20_POLY1305, &key[..]).map(LessSafeKey::new)
}

/// Writes what a sealed part is bound to.
fn bind_to(store: &str, seq: u64, place: usize, class: u8, bound: &mut Vec<u8>) {
    put_bytes(bound, store.as_bytes());
    bound.extend_from_slice(&seq.to_le_bytes());
    bound.extend_from_slice(&(place as u64).to_le_bytes());
    bound.push(class);
}

#[cfg(test)]
mod tests {
    use osel_core::time::Timestamp;

    use super::super::code::read_parts;
    use super::super::data::StoredPart;
    use super::*;

    fn record(seq: u64) -> StoredRecord {
        let part = |class, whose, content: &[u8]| StoredPart {
            class,
            project: None,
            whose,
            salt: [class; 16],
            content: PartContent::Bytes(content.to_vec()),
        };
        StoredRecord {
            seq,
            entry: 1,
            kind: 1,
            time: Timestamp::EPOCH,
            as_of: Timestamp::EPOCH,
            canonical: vec![1],
            hash: [0; 32],
            parts: vec![
                part(1, Whose::Nobody, b"what"),
                part(2, Whose::Person("user:u".to_owned()), b"mallory"),
                part(2, Whose::Person("user:v".to_owned()), b"trent"),
            ],
        }
    }

    fn sealed(sealer: &mut Sealer, record: &StoredRecord) -> Vec<u8> {
        let records = NewRecords::from_iter([record.clone()]);
        for label in sealer.missing(&records) {
            let key = sealer.new_key(label).unwrap();
            sealer.learn(key);
        }
        let mut out = Vec::new();
        sealer.write_parts(&records.last().unwrap(), &mut out).unwrap();
        out
    }

    fn opener(sealer: &Sealer, without: &str) -> Opener {
        let mut opener = Opener::default();
        opener.of_store(sealer.store.clone());
        for key in sealer.keys.values() {
            opener.learn(key.number, (key.label != without).then(|| key.clone()));
        }
        opener
    }

    #[test]
    fn a_part_opens_by_its_key_and_at_its_place_only() {
        let (mut sealer, wanted) = (Sealer::new("store"), record(7));
        let bytes = sealed(&mut sealer, &wanted);
        assert!(memchr::memmem::find(&bytes, b"mallory").is_none());
        assert!(memchr::memmem::find(&bytes, &[2; 16]).is_none(), "the salt is sealed too");
        let stored = StoredRecord { parts: read_parts(&bytes).unwrap(), ..record(7) };

        let mut read = stored.clone();
        opener(&sealer, "").open(&mut read);
        assert_eq!(read, wanted);

        let mut gone = stored.clone();
        opener(&sealer, "user:u").open(&mut gone);
        assert_eq!((&gone.parts[1].content, gone.parts[1].salt), (&PartContent::Gone, [0; 16]));
        assert_eq!(gone.parts[1].whose, Whose::Locked);
        assert_eq!((&gone.parts[0], &gone.parts[2]), (&wanted.parts[0], &wanted.parts[2]));

        let foreign = StoredRecord { seq: 8, ..stored.clone() };
        let mut swapped = stored.clone();
        swapped.parts.swap(1, 0);
        let mut unnumbered = stored;
        if let Whose::Sealed(number) = &mut unnumbered.parts[1].whose {
            *number ^= 1 << 40;
        }
        for other in [foreign, swapped, unnumbered] {
            let mut moved = other.clone();
            opener(&sealer, "").open(&mut moved);
            let at = moved.parts.iter().position(|part| part.class == 2).unwrap();
            assert_eq!(moved.parts[at].content, other.parts[at].content, "it is handed on as it lies");
        }
    }

    #[test]
    fn a_key_is_for_one_week() {
        let mut sealer = Sealer::new("store");
        let at = |micros| StoredRecord { as_of: Timestamp::from_micros(micros), ..record(7) };
        let (last, first) = (at(3 * WEEK_MICROS - 1), at(3 * WEEK_MICROS));
        sealed(&mut sealer, &last);
        assert!(sealer.missing(&NewRecords::from_iter([last.clone()])).is_empty());
        let both = NewRecords::from_iter([last, first]);
        assert_eq!((sealer.week(), sealer.missing(&both).len(), sealer.week()), (2, 2, 3));
        assert_eq!(week_of(Timestamp::from_micros(-1)), -1);
    }

    #[test]
    fn no_two_seals_are_alike() {
        let (mut sealer, record) = (Sealer::new("store"), record(7));
        assert_ne!(sealed(&mut sealer, &record), sealed(&mut sealer, &record));
    }
}
