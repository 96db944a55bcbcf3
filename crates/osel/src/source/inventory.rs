//! API dumps: one JSON object whose keys are collection names, read object by object.
//!
//! Missing keys mean "not said", an empty list means "there are none", and `partial` names collections of which only some objects stand
//! there. So are those that an API has paged: Neutron says so by a link to the next page, Keystone also by `truncated`. Objects are
//! handed over as the JSON text they stand in, so that
//! a dump of a million ports needs the memory of a page.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use osel_core::decode::{Defect, ItemPage};
use osel_core::event::{Assignment, Kind, NameKind};
use osel_core::time::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::recording::unpacked;

/// How many objects are handed over at once: a step of a few milliseconds.
pub const PAGE_OBJECTS: usize = 1000;

/// Why an inventory cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InventoryError {
    /// The file cannot be opened.
    #[error("cannot open `{path}`")]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not a file.
    #[error("`{path}` is a directory, not an inventory")]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// It is not one JSON object of lists.
    #[error("`{path}` is not an inventory")]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with line and column.
        source: serde_json::Error,
    },
    /// No key is a collection that is known.
    #[error("`{path}` has no collection that is known, such as `ports` or `security_groups`")]
    Nothing {
        /// The file.
        path: PathBuf,
    },
    /// One object cannot be read.
    #[error("`{path}`: `{collection}[{index}]` cannot be read")]
    Object {
        /// The file.
        path: PathBuf,
        /// The collection.
        collection: String,
        /// The object's place in it, from 0.
        index: usize,
        /// What is wrong with it.
        source: Defect,
    },
    /// `taken_at` is not a time.
    #[error("`{path}`: `taken_at` is not a time: `{text}`")]
    TakenAt {
        /// The file.
        path: PathBuf,
        /// What stands there.
        text: String,
    },
}

/// What an inventory said altogether.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// When it was taken, where it says so.
    pub taken_at: Option<Timestamp>,
    /// The collections that were there, empty ones too.
    pub collections: BTreeSet<String>,
    /// Those of them that say themselves that they are not whole: what they do not show is not said to be gone.
    pub partial: BTreeSet<String>,
    /// Those of them of which an answer of an API says that it is one page of several.
    pub paged: BTreeSet<String>,
    /// Keys that are no collection that is known.
    pub unknown: BTreeSet<String>,
    /// How many objects were read.
    pub objects: usize,
}

impl Summary {
    /// The kinds of network objects that were said in full.
    pub fn complete(&self) -> Vec<Kind> {
        Kind::ALL.into_iter().filter(|kind| self.is_whole(kind.plural())).collect()
    }

    /// Whether role assignments were said in full.
    pub fn has_all_assignments(&self) -> bool {
        self.is_whole(Assignment::PLURAL)
    }

    fn is_whole(&self, name: &str) -> bool {
        self.collections.contains(name) && !self.partial.contains(name)
    }
}

/// Whether the collection is read for anything.
fn known(collection: &str) -> bool {
    collection == Assignment::PLURAL
        || Kind::ALL.into_iter().any(|kind| kind.plural() == collection)
        || NameKind::ALL.into_iter().any(|kind| kind.plural() == collection)
}

/// Reads `taken_at` and looks at the whole file, so that what is wrong with it is said before anything is changed.
///
/// # Errors
/// When it is not an inventory, with the place.
pub fn check(path: &Path) -> Result<Summary, InventoryError> {
    read(path, &mut |_| {})
}

/// Reads an inventory page by page.
///
/// # Errors
/// When it is not an inventory, with the place; the pages before it were handed over.
pub fn read(path: &Path, page: &mut dyn FnMut(ItemPage)) -> Result<Summary, InventoryError> {
    let file = File::open(path).map_err(|source| InventoryError::Open { path: path.into(), source })?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(InventoryError::Directory { path: path.into() });
    }
    let mut reading = Reading {
        path,
        page: ItemPage::default(),
        hand_over: page,
        summary: Summary::default(),
        is_page: false,
        error: None,
    };
    let mut json = serde_json::Deserializer::from_reader(unpacked(path, file));
    let read = json.deserialize_map(TopLevel(&mut reading)).and_then(|()| json.end());
    if let Some(error) = reading.error {
        return Err(error);
    }
    read.map_err(|source| InventoryError::Shape { path: path.into(), source })?;
    if reading.summary.collections.is_empty() {
        return Err(InventoryError::Nothing { path: path.into() });
    }
    reading.flush();
    let mut summary = reading.summary;
    if reading.is_page {
        summary.paged.extend(summary.collections.iter().cloned());
    }
    summary.paged.retain(|name| summary.collections.contains(name));
    summary.partial.extend(summary.paged.iter().cloned());
    Ok(summary)
}

struct Reading<'a> {
    path: &'a Path,
    page: ItemPage,
    hand_over: &'a mut dyn FnMut(ItemPage),
    summary: Summary,
    /// Whether all of it is one page of Keystone's.
    is_page: bool,
    error: Option<InventoryError>,
}

impl Reading<'_> {
    fn flush(&mut self) {
        if !self.page.items.is_empty() {
            (self.hand_over)(std::mem::take(&mut self.page));
        }
    }

    fn object(&mut self, collection: &str, index: usize, json: &str) -> Result<(), ()> {
        let Some(pushed) = self.page.push(collection, json) else { return Ok(()) };
        match pushed {
            Ok(()) => {
                self.summary.objects += 1;
                if self.page.items.len() >= PAGE_OBJECTS {
                    self.flush();
                }
                Ok(())
            }
            Err(source) => {
                let (path, collection) = (self.path.into(), collection.to_owned());
                self.error = Some(InventoryError::Object { path, collection, index, source });
                Err(())
            }
        }
    }
}

/// One of Neutron's links to other pages.
#[derive(Deserialize)]
struct Link {
    rel: Option<String>,
}

impl Link {
    fn is_next(&self) -> bool {
        self.rel.as_deref() == Some("next")
    }
}

/// Keystone's.
#[derive(Deserialize)]
struct Links {
    next: Option<IgnoredAny>,
}

/// What links say of a next page; links that cannot be read may name one.
fn names_next<'a, L: Deserialize<'a>>(links: &'a RawValue, is_next: impl Fn(&L) -> bool) -> bool {
    serde_json::from_str::<Option<L>>(links.get()).map_or(true, |links| links.as_ref().is_some_and(is_next))
}

struct TopLevel<'a, 'b>(&'a mut Reading<'b>);

impl<'de> Visitor<'de> for TopLevel<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one JSON object whose keys are collection names and whose values are lists")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "taken_at" {
                let text: String = map.next_value()?;
                let Some(time) = Timestamp::parse(&text) else {
                    self.0.error = Some(InventoryError::TakenAt { path: self.0.path.into(), text });
                    return Err(serde::de::Error::custom("stopped"));
                };
                self.0.summary.taken_at = Some(time);
            } else if key == "partial" {
                self.0.summary.partial = map.next_value()?;
            } else if let Some(name) = key.strip_suffix("_links").filter(|name| known(name)) {
                let links: Box<RawValue> = map.next_value()?;
                if names_next(&links, |links: &Vec<Link>| links.iter().any(Link::is_next)) {
                    self.0.summary.paged.insert(name.to_owned());
                }
            } else if key == "links" {
                let links: Box<RawValue> = map.next_value()?;
                self.0.is_page |= names_next(&links, |links: &Links| links.next.is_some());
            } else if key == "truncated" {
                let is_truncated: Box<RawValue> = map.next_value()?;
                self.0.is_page |= is_truncated.get() == "true";
            } else if known(&key) {
                if map.next_value_seed(Collection { name: &key, reading: self.0 })? {
                    self.0.summary.collections.insert(key);
                }
            } else {
                map.next_value::<IgnoredAny>()?;
                self.0.summary.unknown.insert(key);
            }
        }
        Ok(())
    }
}

struct Collection<'a, 'b, 'c> {
    name: &'a str,
    reading: &'b mut Reading<'c>,
}

/// Says whether there was a list.
impl<'de> DeserializeSeed<'de> for Collection<'_, '_, '_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        // null is "not said" too.
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Collection<'_, '_, '_> {
    type Value = bool;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "a list of objects under `{}`", self.name)
    }

    fn visit_none<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut index = 0;
        while let Some(json) = seq.next_element::<Box<RawValue>>()? {
            if self.reading.object(self.name, index, json.get()).is_err() {
                return Err(serde::de::Error::custom("stopped"));
            }
            index += 1;
        }
        Ok(true)
    }
}
