//! The directory: ids of every kind with what they were called, bounded, sorted where it leaves.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::sightings::{Origin, Sighting, Sightings};
use crate::event::NameKind;
use crate::ids::{Id, PartedMap};
use crate::time::Timestamp;

/// The most ids held of what Keystone names, and the most of servers: several times what the largest clouds have of users and projects
/// together, and what they have of servers. The two have room of their own, so that a cloud that makes and deletes many servers does not
/// make its users' names be forgotten.
pub const ENTRIES_MAX: usize = 1 << 19;

/// The longest name held, in bytes; Keystone's widest name column has 255 characters of at most four bytes.
pub const NAME_BYTES_MAX: usize = 1020;

/// When the directory is full, this part of it goes at once, so that making room costs little for each new
/// id.
const EVICTED_PART: usize = 16;

/// What an id was called at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known<'a> {
    /// The name.
    pub name: &'a str,
    /// Since when it is known to have been called so.
    pub from: Timestamp,
    /// Whether the name is known of a later time only.
    pub later: bool,
    /// Where the name was heard.
    pub origin: Origin,
    /// When the thing was deleted, whether before or after the time asked for.
    pub deleted_at: Option<Timestamp>,
}

/// All that is known of one id, for a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameEntry {
    /// What it is.
    pub kind: NameKind,
    /// Its id.
    pub id: Id,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// The length of time in which sightings were taken together, as a power of two of microseconds.
    pub level: u8,
    /// Its names, sorted by time.
    pub sightings: Vec<Sighting>,
}

impl NameEntry {
    /// Puts a word in the place of all that the thing was called, and leaves when that was; whether anything is another.
    pub fn rename(&mut self, name: &str) -> bool {
        let mut changed = false;
        for sighting in &mut self.sightings {
            changed |= &*sighting.name != name;
            sighting.name = name.into();
        }
        changed
    }
}

#[derive(Clone, Debug, Default)]
struct Entry {
    sightings: Sightings,
    deleted_at: Option<Timestamp>,
}

/// Names of users, projects, domains, groups, roles and servers, with when they were valid.
#[derive(Clone, Debug)]
pub struct Directory {
    kinds: [PartedMap<Id, Entry>; NameKind::ALL.len()],
    entries_max: usize,
    evicted: u64,
}

impl Default for Directory {
    fn default() -> Self {
        Self::new()
    }
}

impl Directory {
    /// An empty directory of at most [`ENTRIES_MAX`] ids of Keystone, and as many servers.
    pub fn new() -> Self {
        Self::with_entries_max(ENTRIES_MAX)
    }

    /// An empty directory that holds so many ids of Keystone at most, and so many servers.
    pub fn with_entries_max(entries_max: usize) -> Self {
        Self { kinds: Default::default(), entries_max, evicted: 0 }
    }

    /// Takes a name that was heard. An empty one says nothing; one that is too long is cut.
    ///
    /// `at` should be the earlier of event time and reception: a sender's clock that runs ahead would name
    /// the future.
    pub fn learn(&mut self, kind: NameKind, id: &Id, name: &str, at: Timestamp, origin: Origin) {
        if !name.is_empty() {
            let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
            self.entry(kind, id, |entry| entry.sightings.add(name, at, origin));
        }
    }

    /// Takes that the thing was deleted. Its names stay; of several times the earliest counts.
    pub fn deleted(&mut self, kind: NameKind, id: &Id, at: Timestamp) {
        self.entry(kind, id, |entry| entry.delete(at));
    }

    /// Forgets an id and all its names, where a person asks for it.
    pub fn forget(&mut self, kind: NameKind, id: &Id) {
        self.kinds[kind as usize].remove(id);
    }

    /// What an id was called at a time: the name heard last until then; where there is none, the first one
    /// heard later.
    pub fn name_at(&self, kind: NameKind, id: &Id, at: Timestamp) -> Option<Known<'_>> {
        let entry = self.kinds[kind as usize].get(id)?;
        let found = entry.sightings.at(at)?;
        Some(Known {
            name: &found.sighting.name,
            from: found.from,
            later: found.later,
            origin: found.sighting.origin,
            deleted_at: entry.deleted_at,
        })
    }

    /// What an id was called, as far as is held, in the order of time.
    pub fn names_of(&self, kind: NameKind, id: &Id) -> Vec<String> {
        let Some(entry) = self.kinds[kind as usize].get(id) else { return Vec::new() };
        let mut names: Vec<String> = Vec::new();
        for sighting in entry.sightings.sorted() {
            if !names.iter().any(|known| **known == *sighting.name) {
                names.push(sighting.name.to_string());
            }
        }
        names
    }

    /// Of these names of an id those that no other id of the kind was ever called, in upper or lower case. It looks at all of them once, however many
    /// names there are.
    pub fn own_names(&self, kind: NameKind, id: &Id, mut names: Vec<String>) -> Vec<String> {
        let mut own: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
        if !own.is_empty() {
            let others = self.kinds[kind as usize].iter().filter(|(other, _)| *other != id);
            for name in others.flat_map(|(_, entry)| entry.sightings.words()) {
                own.remove(&name.to_lowercase());
            }
        }
        names.retain(|name| own.contains(&name.to_lowercase()));
        names
    }

    /// The ids of a kind that were ever called so, in upper or lower case, sorted. It looks at all of them.
    pub fn named(&self, kind: NameKind, name: &str) -> Vec<Id> {
        let name = name.to_lowercase();
        let is_it = |entry: &Entry| entry.sightings.words().any(|known| known.to_lowercase() == name);
        let found = self.kinds[kind as usize].iter().filter(|(_, entry)| is_it(entry));
        let mut ids: Vec<Id> = found.map(|(id, _)| id.clone()).collect();
        ids.sort_unstable();
        ids
    }

    /// When an id was deleted, if that was told.
    pub fn deleted_at(&self, kind: NameKind, id: &Id) -> Option<Timestamp> {
        self.kinds[kind as usize].get(id)?.deleted_at
    }

    /// How many ids are held.
    pub fn len(&self) -> usize {
        self.kinds.iter().map(PartedMap::len).sum()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many ids had to go because the directory was full.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// All that is held, sorted by kind and id.
    pub fn entries(&self) -> Vec<NameEntry> {
        let mut entries: Vec<_> = NameKind::ALL
            .into_iter()
            .zip(&self.kinds)
            .flat_map(|(kind, map)| map.iter().map(move |(id, entry)| entry.show(kind, id)))
            .collect();
        entries.sort_unstable_by(|a, b| (a.kind, &a.id).cmp(&(b.kind, &b.id)));
        entries
    }

    /// Takes what [`Self::entries`] of this or another directory gave, in addition to what is held.
    pub fn restore(&mut self, entries: impl IntoIterator<Item = NameEntry>) {
        for NameEntry { kind, id, deleted_at, level, sightings } in entries {
            self.entry(kind, &id, |entry| {
                entry.sightings.merge(level, &sightings);
                if let Some(at) = deleted_at {
                    entry.delete(at);
                }
            });
        }
    }

    /// Changes an id's entry, which is made where there is none.
    fn entry(&mut self, kind: NameKind, id: &Id, change: impl FnOnce(&mut Entry)) {
        let map = &mut self.kinds[kind as usize];
        if let Some(entry) = map.get_mut(id) {
            return change(entry);
        }
        change(map.entry(id.clone()).or_default());
        if self.len_beside(kind) > self.entries_max {
            self.evict(kind);
        }
    }

    /// How many ids share the room of this kind's.
    fn len_beside(&self, kind: NameKind) -> usize {
        kinds_beside(kind).map(|kind| self.kinds[kind as usize].len()).sum()
    }

    /// Makes room: the ids least lately heard of go, in an order that depends on nothing but what is held.
    fn evict(&mut self, kind: NameKind) {
        let mut oldest: Vec<(Option<Timestamp>, NameKind, Id)> = Vec::with_capacity(self.len_beside(kind));
        for kind in kinds_beside(kind) {
            let map = &self.kinds[kind as usize];
            oldest.extend(map.iter().map(|(id, entry)| (entry.last(), kind, id.clone())));
        }
        let keep = self.entries_max - self.entries_max / EVICTED_PART;
        let too_many = oldest.len().saturating_sub(keep);
        if too_many < oldest.len() {
            // Which ones are the oldest is certain, their order among themselves does not matter.
            oldest.select_nth_unstable(too_many);
        }
        for (_, kind, id) in oldest.drain(..too_many) {
            self.forget(kind, &id);
        }
        self.evicted += too_many as u64;
    }
}

/// The kinds that share one kind's room.
fn kinds_beside(kind: NameKind) -> impl Iterator<Item = NameKind> {
    NameKind::ALL.into_iter().filter(move |other| other.is_of_keystone() == kind.is_of_keystone())
}

impl Entry {
    fn delete(&mut self, at: Timestamp) {
        self.deleted_at = Some(self.deleted_at.map_or(at, |known| known.min(at)));
    }

    fn last(&self) -> Option<Timestamp> {
        self.sightings.last().max(self.deleted_at)
    }

    fn show(&self, kind: NameKind, id: &Id) -> NameEntry {
        NameEntry {
            kind,
            id: id.clone(),
            deleted_at: self.deleted_at,
            level: self.sightings.level(),
            sightings: self.sightings.sorted(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::SIGHTINGS_MAX;
    use super::*;

    fn time(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn user() -> Id {
        Id::new("0134e963d2cb47acb1cbded3d170eb51")
    }

    fn heard(names: &[(i64, &str)]) -> Directory {
        let mut directory = Directory::new();
        for &(at, name) in names {
            directory.learn(NameKind::User, &user(), name, time(at), Origin::Context);
        }
        directory
    }

    fn name(directory: &Directory, at: i64) -> Option<(&str, i64, bool)> {
        let known = directory.name_at(NameKind::User, &user(), time(at))?;
        Some((known.name, known.from.micros(), known.later))
    }

    #[test]
    fn names_are_somebodys_own_that_nobody_else_ever_had() {
        let mut directory = heard(&[(10, "alice"), (20, "Admin"), (30, "alicia")]);
        let all = || directory.names_of(NameKind::User, &user());
        assert_eq!(directory.own_names(NameKind::User, &user(), all()), ["alice", "Admin", "alicia"]);
        let other = Id::new("1134e963d2cb47acb1cbded3d170eb51");
        for (at, name) in [(1, "ADMIN"), (2, "bob"), (3, "ALICE")] {
            directory.learn(NameKind::User, &other, name, time(at), Origin::Context);
        }
        directory.learn(NameKind::Project, &other, "alicia", time(4), Origin::Context);
        let all = directory.names_of(NameKind::User, &user());
        assert_eq!(directory.own_names(NameKind::User, &user(), all), ["alicia"]);
    }

    #[test]
    fn the_name_is_the_one_valid_then() {
        let directory = heard(&[(30, "alicia"), (10, "alice"), (20, "alice"), (40, "alicia")]);
        assert_eq!(name(&directory, 9), Some(("alice", 10, true)));
        assert_eq!(name(&directory, 10), Some(("alice", 10, false)));
        assert_eq!(name(&directory, 29), Some(("alice", 10, false)));
        assert_eq!(name(&directory, 30), Some(("alicia", 30, false)));
        assert_eq!(name(&directory, 99), Some(("alicia", 30, false)));
        assert_eq!(name(&Directory::new(), 10), None);
    }

    #[test]
    fn a_name_comes_back() {
        let directory = heard(&[(10, "alice"), (20, "mallory"), (30, "alice")]);
        assert_eq!(name(&directory, 25), Some(("mallory", 20, false)));
        assert_eq!(name(&directory, 30), Some(("alice", 30, false)));
    }

    #[test]
    fn an_hour_under_another_name_is_found_in_a_year() {
        let hour = 3_600_000_000;
        let mut directory = Directory::new();
        for at in 0..24 * 365 {
            let name = if at == 5000 { "mallory" } else { "alice" };
            directory.learn(NameKind::User, &user(), name, time(at * hour), Origin::Context);
        }
        for (at, expected) in [(4999, "alice"), (5000, "mallory"), (5001, "alice"), (9999, "alice")] {
            assert_eq!(name(&directory, at * hour).expect("known").0, expected, "{at}");
        }
    }

    #[test]
    fn a_deleted_thing_keeps_its_name() {
        let mut directory = heard(&[(10, "alice")]);
        directory.deleted(NameKind::User, &user(), time(21));
        directory.deleted(NameKind::User, &user(), time(20));
        directory.deleted(NameKind::User, &user(), time(22));
        let known = directory.name_at(NameKind::User, &user(), time(99)).expect("known");
        assert_eq!((known.name, known.deleted_at), ("alice", Some(time(20))));
        directory.deleted(NameKind::Project, &user(), time(5));
        assert_eq!(directory.name_at(NameKind::Project, &user(), time(99)), None, "kinds are apart");
        directory.forget(NameKind::User, &user());
        assert_eq!(name(&directory, 99), None);
    }

    #[test]
    fn better_sources_win_at_the_same_time() {
        for names in [["a", "b"], ["b", "a"]] {
            let mut directory = Directory::new();
            let mut learn = |name, origin| {
                directory.learn(NameKind::Role, &user(), name, time(10), origin);
            };
            learn(names[0], Origin::Api);
            learn(names[1], Origin::Context);
            for at in [9, 10, 11] {
                let known = directory.name_at(NameKind::Role, &user(), time(at)).expect("known");
                assert_eq!((known.name, known.origin), (names[0], Origin::Api));
            }
        }
    }

    #[test]
    fn empty_names_say_nothing_and_long_ones_are_cut() {
        let mut directory = heard(&[(10, "")]);
        assert!(directory.is_empty());
        let long = format!("x{}", "é".repeat(NAME_BYTES_MAX));
        directory.learn(NameKind::User, &user(), &long, time(1), Origin::Cadf);
        let cut = name(&directory, 1).expect("known").0;
        assert!(cut.len() == NAME_BYTES_MAX - 1 && long.starts_with(cut));
    }

    #[test]
    fn names_beyond_the_bound_push_out_the_oldest() {
        let names: Vec<String> = (0..20).map(|at| format!("name {at}")).collect();
        let directory = heard(&(0..20).map(|at| (at as i64, &*names[at])).collect::<Vec<_>>());
        assert_eq!(directory.entries()[0].sightings.len(), SIGHTINGS_MAX);
        assert_eq!(name(&directory, 19), Some(("name 19", 19, false)));
        assert_eq!(name(&directory, 12), Some(("name 12", 12, false)));
        assert_eq!(name(&directory, 0), Some(("name 12", 12, true)));
    }

    #[test]
    fn a_full_directory_drops_what_was_heard_of_least_lately() {
        let mut directory = Directory::with_entries_max(32);
        let id = |at: i64| Id::new(&format!("id-{at}"));
        for at in 0..33 {
            directory.learn(NameKind::Project, &id(at), "p", time(at), Origin::Context);
            directory.learn(NameKind::Project, &id(0), "p", time(at), Origin::Context);
        }
        assert_eq!((directory.len(), directory.evicted()), (30, 3));
        let held = |at: i64| directory.name_at(NameKind::Project, &id(at), time(99)).is_some();
        assert!(held(0) && !held(1) && !held(2) && !held(3) && held(4) && held(32));
    }

    #[test]
    fn servers_push_out_servers_only() {
        let mut directory = Directory::with_entries_max(4);
        directory.learn(NameKind::User, &user(), "alice", time(0), Origin::Cadf);
        for at in 1..100 {
            let server = Id::new(&format!("server-{at}"));
            directory.learn(NameKind::Server, &server, "worker", time(at), Origin::Body);
        }
        assert_eq!(name(&directory, 99), Some(("alice", 0, false)));
        assert_eq!((directory.len(), directory.evicted()), (5, 95));
    }

    #[test]
    fn a_snapshot_is_sorted_and_comes_back() {
        let mut directory = heard(&[(10, "alice"), (20, "alicia")]);
        directory.learn(NameKind::Project, &Id::new("b"), "two", time(1), Origin::Inventory);
        directory.learn(NameKind::Project, &Id::new("a"), "one", time(1), Origin::Api);
        directory.deleted(NameKind::Domain, &Id::new("z"), time(7));
        let entries = directory.entries();
        let keys: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.id.to_string())).collect();
        assert!(keys.is_sorted() && keys.len() == 4);
        let mut again = Directory::new();
        again.restore(entries.clone());
        assert_eq!(again.entries(), entries);
    }

    /// What was heard: which of few ids, under which of few names (or deleted), when, from where.
    type Word = (u8, Option<u8>, i64, Origin);

    fn word(times: impl Strategy<Value = i64>) -> impl Strategy<Value = Word> {
        let origin = prop::sample::select(vec![Origin::Context, Origin::Cadf, Origin::Api]);
        (0_u8..2, prop::option::weighted(0.9, 0_u8..4), times, origin)
    }

    fn hear(directory: &mut Directory, words: &[Word]) {
        for &(id, name, at, origin) in words {
            let id = Id::new(&id.to_string());
            match name {
                Some(name) => directory.learn(NameKind::User, &id, &name.to_string(), time(at), origin),
                None => directory.deleted(NameKind::User, &id, time(at)),
            }
        }
    }

    /// The rule, over everything that was heard: the last sighting until then, else the first one.
    fn by_the_rule(words: &[Word], at: i64) -> Option<String> {
        let heard = || words.iter().filter_map(|&(_, name, time, origin)| Some((name?, time, origin)));
        let last =
            heard().filter(|word| word.1 <= at).max_by_key(|&(name, time, origin)| (time, origin, name));
        let first = heard().max_by_key(|&(name, time, origin)| (std::cmp::Reverse(time), origin, name));
        last.or(first).map(|(name, ..)| name.to_string())
    }

    fn answer(directory: &Directory, at: i64) -> Option<String> {
        Some(directory.name_at(NameKind::User, &Id::new("0"), time(at))?.name.to_owned())
    }

    proptest! {
        #[test]
        fn order_repetition_and_detours_do_not_matter(
            words in prop::collection::vec(word(prop_oneof![0_i64..40, any::<i64>()]), 0..60)
                .prop_flat_map(|words| (Just(words.clone()), Just(words).prop_shuffle())),
            split in any::<prop::sample::Index>(),
        ) {
            let (words, shuffled) = words;
            let (mut one, mut other, mut part) = (Directory::new(), Directory::new(), Directory::new());
            hear(&mut one, &words);
            hear(&mut other, &shuffled);
            hear(&mut other, &words);
            prop_assert_eq!(one.entries(), other.entries());

            let at = split.index(words.len() + 1);
            let mut merged = Directory::new();
            hear(&mut merged, &shuffled[..at]);
            hear(&mut part, &shuffled[at..]);
            merged.restore(part.entries());
            prop_assert_eq!(one.entries(), merged.entries());
        }

        #[test]
        fn few_words_are_remembered_exactly(
            words in prop::collection::vec(word(0_i64..40), 0..SIGHTINGS_MAX),
            at in 0_i64..45,
        ) {
            let words: Vec<Word> = words.into_iter().map(|word| (0, word.1, word.2, word.3)).collect();
            let mut directory = Directory::new();
            hear(&mut directory, &words);
            prop_assert_eq!(answer(&directory, at), by_the_rule(&words, at));
        }

        #[test]
        fn names_that_do_not_come_back_are_exact_however_often_heard(
            renamed in prop::collection::vec(1_i64..4000, 3),
            times in prop::collection::vec(0_i64..4000, 0..200),
            at in 0_i64..4100,
        ) {
            let name = |time: i64| renamed.iter().filter(|&&renamed| renamed <= time).count() as u8;
            let words: Vec<Word> =
                times.into_iter().map(|time| (0, Some(name(time)), time, Origin::Context)).collect();
            let mut directory = Directory::new();
            hear(&mut directory, &words);
            prop_assert_eq!(answer(&directory, at), by_the_rule(&words, at));
        }
    }
}
