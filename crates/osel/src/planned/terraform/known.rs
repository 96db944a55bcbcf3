//! What a plan tells of values that were known when it was made: variables of the root, and data sources that were read.
//!
//! A list that is unknown as a whole may have such values beside those that are not known yet. Only texts are looked at: ids are texts.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::document::{Configuration, PriorModule, PriorResource, ResourceChange, Variable};
use super::references::{Part, is_within, modules};

/// The most texts that one value is looked for in: more are no list of groups that a port has.
const TEXTS_MAX: usize = 1_000;

/// What a plan tells besides its changes.
#[derive(Debug, Default)]
pub(super) struct Known<'a> {
    variables: BTreeMap<&'a str, &'a Value>,
    /// Data sources that were read, by type and name.
    read: BTreeMap<(&'a str, &'a str), Vec<Read<'a>>>,
    /// Whether a data source that is not there has no instance.
    is_complete: bool,
}

/// A data source that was read, with the modules it is in.
#[derive(Debug)]
struct Read<'a> {
    modules: Vec<Part>,
    resource: &'a PriorResource,
}

impl<'a> Known<'a> {
    pub(super) fn new(
        variables: &'a BTreeMap<String, Variable>,
        prior: Option<&'a PriorModule>,
        changes: &[ResourceChange],
    ) -> Self {
        // Of an empty state a plan says nothing.
        let is_complete = prior.is_some() || changes.iter().all(|change| change.change.before.is_none());
        let variables = variables.iter().map(|(name, variable)| (name.as_str(), &variable.value)).collect();
        let mut known = Self { variables, read: BTreeMap::new(), is_complete };
        let mut left: Vec<&PriorModule> = prior.into_iter().collect();
        while let Some(module) = left.pop() {
            let parts = modules(module.address.as_deref().unwrap_or_default());
            for resource in module.resources.iter().flatten() {
                if resource.mode.as_deref() == Some("data") {
                    let key = (resource.kind.as_str(), resource.name.as_str());
                    known.read.entry(key).or_default().push(Read { modules: parts.clone(), resource });
                }
            }
            left.extend(module.child_modules.iter().flatten());
        }
        known
    }

    /// The value of a variable of the root.
    pub(super) fn variable(&self, name: &str) -> Option<&'a Value> {
        self.variables.get(name).copied()
    }

    /// The values of a data source in a module: of all its instances where none is told. None where the plan should have it and does
    /// not.
    pub(super) fn data(
        &self,
        configuration: &Configuration,
        modules: &[Part],
        kind: &str,
        name: &Part,
        value: &str,
    ) -> Option<Vec<&'a Value>> {
        let all = self.read.get(&(kind, name.name.as_str())).into_iter().flatten();
        let here = all.filter(|read| is_within(&read.modules, modules)).map(|read| read.resource);
        let is_it = |resource: &&PriorResource| name.key.is_none() || resource.key() == name.key;
        let found: Vec<_> = here.filter(is_it).collect();
        if found.is_empty() {
            let module = configuration.module(modules);
            let mut written = module.into_iter().flat_map(|module| &module.resources);
            let may_be_none = written.any(|resource| {
                resource.kind == kind
                    && resource.name == name.name
                    && resource.is_data()
                    && resource.counted()
            });
            return (self.is_complete && may_be_none).then(Vec::new);
        }
        Some(found.into_iter().filter_map(|resource| resource.values.get(value)).collect())
    }
}

/// Adds the texts in a value; false where there are too many.
pub(super) fn add_texts(value: &Value, texts: &mut BTreeSet<String>) -> bool {
    match value {
        Value::String(text) if !text.is_empty() => {
            texts.insert(text.clone());
            texts.len() <= TEXTS_MAX
        }
        Value::Array(values) => values.iter().all(|value| add_texts(value, texts)),
        Value::Object(values) => values.values().all(|value| add_texts(value, texts)),
        _ => true,
    }
}

/// Whether a text has the form of an id of OpenStack, with or without hyphens.
pub(super) fn is_like_an_id(text: &str) -> bool {
    let hexadecimal = text.chars().filter(|c| c.is_ascii_hexdigit()).count();
    hexadecimal == 32 && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}
