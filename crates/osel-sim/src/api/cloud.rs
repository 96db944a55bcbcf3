//! What the emulated services know: objects of one's own over a generated cloud, or over none.
//!
//! Collections are named as in an inventory (`ports`, `security_groups`, `users`). Rules and port forwardings are kept by themselves
//! and shown inside of their group or floating IP too, as Neutron does.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use serde_json::{Value, json};

use crate::generate::{self, GenerateOptions, Generator, Indexed};

/// The cloud behind the emulated services.
#[derive(Default)]
pub struct Cloud {
    generated: Option<Box<Indexed>>,
    /// By collection and id; `None` is what is not there, although the generated cloud has it.
    own: BTreeMap<String, BTreeMap<String, Option<Value>>>,
    /// Which rules a group of one's own rules has, and which port forwardings a floating IP.
    children: BTreeMap<String, BTreeSet<String>>,
}

/// Which part of a collection is looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Part<'a> {
    /// Only what comes after this id, or before it backwards.
    pub(super) after: Option<&'a str>,
    pub(super) backwards: bool,
    /// Whether objects show what hangs on them.
    pub(super) nested: bool,
}

impl Cloud {
    /// A cloud as in an inventory: the form that `osel inventory import` takes.
    pub fn from_inventory(inventory: &Value) -> Self {
        let mut cloud = Self::default();
        for (collection, objects) in inventory.as_object().into_iter().flatten() {
            let Some(objects) = objects.as_array() else { continue };
            cloud.own.entry(collection.clone()).or_default();
            for object in objects {
                cloud.put(collection, object.clone());
            }
        }
        cloud
    }

    /// A cloud of any size by chance from a seed.
    pub fn generated(options: GenerateOptions) -> Self {
        Self::of_generator(Generator::new(options))
    }

    /// The cloud of a generator as it is now.
    pub fn of_generator(generator: Generator) -> Self {
        Self { generated: Some(Box::new(Indexed::new(generator))), ..Self::default() }
    }

    /// The generated cloud, where there is one.
    pub fn generator(&self) -> Option<&Generator> {
        self.generated.as_deref().map(Indexed::generator)
    }

    /// Lets the generated cloud go on; nothing where there is none.
    pub fn generate<T>(&mut self, change: impl FnOnce(&mut Generator) -> T) -> Option<T> {
        self.generated.as_mut().map(|indexed| indexed.change(change))
    }

    /// Adds an object or puts it in another's place.
    pub fn put(&mut self, collection: &str, mut object: Value) {
        let id = match object["id"].as_str() {
            Some(id) => id.to_owned(),
            // Role assignments have none: they are what they say.
            None => object.to_string(),
        };
        if let Some((children, parent_key)) = children_of(collection) {
            let nested = object.as_object_mut().and_then(|fields| fields.remove(children));
            for mut child in nested.as_ref().and_then(Value::as_array).cloned().unwrap_or_default() {
                child[parent_key] = json!(id);
                self.put(children, child);
            }
        }
        if let Some(parent) = parent_key(collection).and_then(|key| object[key].as_str()) {
            self.children.entry(parent.to_owned()).or_default().insert(id.clone());
        }
        self.own.entry(collection.to_owned()).or_default().insert(id, Some(object));
    }

    /// Removes an object with what hangs on it; says whether it was there.
    pub fn remove(&mut self, collection: &str, id: &str) -> bool {
        let was_there = self.get(collection, id).is_some();
        if let Some((children, _)) = children_of(collection) {
            for (child, _) in self.texts_of_children(collection, id) {
                self.remove(children, &child);
            }
        }
        let objects = self.own.entry(collection.to_owned()).or_default();
        if let Some(key) = parent_key(collection)
            && let Some(Some(object)) = objects.get(id)
            && let Some(siblings) = object[key].as_str().and_then(|parent| self.children.get_mut(parent))
        {
            siblings.remove(id);
        }
        if self.generated.as_ref().is_some_and(|indexed| indexed.find(collection, id).is_some()) {
            objects.insert(id.to_owned(), None);
        } else {
            objects.remove(id);
        }
        was_there
    }

    /// Changes an object and counts its revision on; says whether it was there.
    pub fn edit(&mut self, collection: &str, id: &str, change: impl FnOnce(&mut Value)) -> bool {
        let Some(mut object) = self.get(collection, id) else { return false };
        change(&mut object);
        if let Some(revision) = object["revision_number"].as_u64() {
            object["revision_number"] = json!(revision + 1);
        }
        self.put(collection, object);
        true
    }

    /// An object as it is kept: without what hangs on it.
    pub fn get(&self, collection: &str, id: &str) -> Option<Value> {
        let text = self.text(collection, id, false)?;
        // What the generator writes and what was a value is JSON.
        serde_json::from_str(&text).ok()
    }

    /// Whether there is such a collection, be it empty.
    pub fn has(&self, collection: &str) -> bool {
        self.own.contains_key(collection)
            || self.generated.is_some() && generate::COLLECTIONS.contains(&collection)
    }

    /// Everything, as an inventory; only for clouds whose JSON fits into memory.
    pub fn inventory(&self) -> Value {
        let mut all = serde_json::Map::new();
        let generated = self.generated.iter().flat_map(|_| generate::COLLECTIONS);
        let names: BTreeSet<&str> = self.own.keys().map(String::as_str).chain(generated).collect();
        for collection in names.into_iter().filter(|name| *name != "port_forwardings") {
            let mut objects = Vec::new();
            self.each(collection, Part::default(), &mut |id, text| {
                let mut object: Value = serde_json::from_str(text).unwrap_or_default();
                if collection == "floatingips" {
                    let children = self.texts_of_children(collection, id);
                    let parsed = children.values().filter_map(|text| serde_json::from_str(text).ok());
                    object["port_forwardings"] = Value::Array(parsed.collect());
                }
                objects.push(object);
                true
            });
            all.insert(collection.to_owned(), Value::Array(objects));
        }
        Value::Object(all)
    }

    /// Shows a part of a collection by id, until `visit` has enough.
    pub(super) fn each(&self, collection: &str, part: Part<'_>, visit: &mut dyn FnMut(&str, &str) -> bool) {
        let places =
            self.generated.iter().flat_map(|indexed| indexed.places(collection, part.after, part.backwards));
        let mut places = places.peekable();
        let mut own = self.own_ids(collection, part).peekable();
        loop {
            let own_is_next = match (own.peek(), places.peek()) {
                (None, None) => return,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(mine), Some((other, _))) if *mine == other => {
                    places.next();
                    true
                }
                (Some(mine), Some((other, _))) => (*mine < other) != part.backwards,
            };
            let (id, text) = if own_is_next {
                let Some(id) = own.next() else { return };
                (id.clone(), self.own_text(collection, id).unwrap_or_default())
            } else {
                let (Some((id, place)), Some(indexed)) = (places.next(), &self.generated) else { return };
                (id, indexed.text(place))
            };
            if text.is_empty() {
                continue;
            }
            let text = if part.nested { self.with_children(collection, &id, text) } else { text };
            if !visit(&id, &text) {
                return;
            }
        }
    }

    /// The text of one object.
    pub(super) fn text(&self, collection: &str, id: &str, nested: bool) -> Option<String> {
        let text = match self.own.get(collection).and_then(|objects| objects.get(id)) {
            Some(own) => own.as_ref()?.to_string(),
            None => {
                let indexed = self.generated.as_ref()?;
                Some(indexed.text(indexed.find(collection, id)?)).filter(|text| !text.is_empty())?
            }
        };
        Some(if nested { self.with_children(collection, id, text) } else { text })
    }

    /// What hangs on an object, by id.
    pub(super) fn texts_of_children(&self, collection: &str, id: &str) -> BTreeMap<String, String> {
        let Some((children, _)) = children_of(collection) else { return BTreeMap::new() };
        let own = self.own.get(children);
        let mut found = BTreeMap::new();
        let group =
            self.generated.as_ref().and_then(|indexed| Some((indexed, indexed.find(collection, id)?)));
        if let Some((indexed, group)) = group.filter(|_| collection == "security_groups") {
            let is_shadowed = |id: &String| own.is_some_and(|objects| objects.contains_key(id));
            let rules = indexed.rules(group).into_iter().filter(|(id, _)| !is_shadowed(id));
            found.extend(
                rules.map(|(id, place)| (id, indexed.text(place))).filter(|(_, text)| !text.is_empty()),
            );
        }
        for child in self.children.get(id).into_iter().flatten() {
            found.extend(self.own_text(children, child).map(|text| (child.clone(), text)));
        }
        found
    }

    fn own_ids<'a>(&'a self, collection: &str, part: Part<'a>) -> Box<dyn Iterator<Item = &'a String> + 'a> {
        let Some(objects) = self.own.get(collection) else { return Box::new(std::iter::empty()) };
        let bound = part.after.map_or(Bound::Unbounded, Bound::Excluded);
        if part.backwards {
            Box::new(objects.range::<str, _>((Bound::Unbounded, bound)).rev().map(|(id, _)| id))
        } else {
            Box::new(objects.range::<str, _>((bound, Bound::Unbounded)).map(|(id, _)| id))
        }
    }

    fn own_text(&self, collection: &str, id: &str) -> Option<String> {
        Some(self.own.get(collection)?.get(id)?.as_ref()?.to_string())
    }

    fn with_children(&self, collection: &str, id: &str, text: String) -> String {
        match children_of(collection) {
            Some(("security_group_rules", _)) => {
                let rules: Vec<String> = self.texts_of_children(collection, id).into_values().collect();
                let Some(open) = text.trim_end().strip_suffix('}') else { return text };
                format!("{open}, \"security_group_rules\": [{}]}}", rules.join(", "))
            }
            Some((key, _)) => {
                let Ok(mut object) = serde_json::from_str::<Value>(&text) else { return text };
                let children = self.texts_of_children(collection, id);
                let shown = children.values().filter_map(|text| serde_json::from_str(text).ok());
                object[key] = shown.map(|forwarding: Value| summary(&forwarding)).collect();
                object.to_string()
            }
            None => text,
        }
    }
}

/// What a floating IP shows of a port forwarding.
fn summary(forwarding: &Value) -> Value {
    const SHOWN: [&str; 6] = [
        "protocol",
        "internal_ip_address",
        "internal_port",
        "external_port",
        "internal_port_range",
        "external_port_range",
    ];
    let shown = SHOWN.iter().filter_map(|key| Some(((*key).to_owned(), forwarding.get(*key)?.clone())));
    Value::Object(shown.collect())
}

/// What hangs on objects of a collection, and by which key it names them.
fn children_of(collection: &str) -> Option<(&'static str, &'static str)> {
    match collection {
        "security_groups" => Some(("security_group_rules", "security_group_id")),
        "floatingips" => Some(("port_forwardings", "floatingip_id")),
        _ => None,
    }
}

/// The key by which an object names what it hangs on.
fn parent_key(collection: &str) -> Option<&'static str> {
    match collection {
        "security_group_rules" => Some("security_group_id"),
        "port_forwardings" => Some("floatingip_id"),
        _ => None,
    }
}
