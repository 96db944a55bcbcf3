//! One instance of a resource: what is known of its values, what is not yet, and what nobody has set.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::document::{Configuration, Resource, ResourceChange};
use super::references::{Catalogue, Origins, Scope, module};

/// A value as a plan has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Attribute<'a> {
    /// It is this.
    Known(&'a Value),
    /// Nobody set it.
    Unset,
    /// It is known after the change.
    Unknown,
}

impl<'a> Attribute<'a> {
    /// The value of `path` in a pair of `after` and `after_unknown`.
    fn of(after: Option<&'a Value>, unknown: Option<&Value>) -> Self {
        match (after, unknown) {
            (_, Some(Value::Bool(true))) => Self::Unknown,
            // Of a set it leaves out what is not known.
            (Some(Value::Array(items)), Some(Value::Array(marks))) if marks.len() > items.len() => {
                Self::Unknown
            }
            (None | Some(Value::Null), _) => Self::Unset,
            (Some(value), _) => Self::Known(value),
        }
    }

    /// The value, where it is known.
    pub(super) fn known(self) -> Option<&'a Value> {
        match self {
            Self::Known(value) => Some(value),
            _ => None,
        }
    }

    /// A text that is known and not empty.
    pub(super) fn text(self) -> Option<&'a str> {
        self.known().and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Whether it is known to be true.
    pub(super) fn is_true(self) -> bool {
        self.known() == Some(&Value::Bool(true))
    }
}

/// A block or an element of a list, with what is not known of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block<'a> {
    value: Option<&'a Value>,
    unknown: Option<&'a Value>,
}

impl<'a> Block<'a> {
    /// One value of the block.
    pub(super) fn attribute(self, name: &str) -> Attribute<'a> {
        Attribute::of(
            self.value.and_then(|value| value.get(name)),
            self.unknown.and_then(|unknown| unknown.get(name)),
        )
    }

    /// The element itself.
    pub(super) fn whole(self) -> Attribute<'a> {
        Attribute::of(self.value, self.unknown)
    }
}

/// One instance of a resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) change: &'a ResourceChange,
    written: Option<&'a Resource>,
}

impl<'a> Subject<'a> {
    /// The instance with how it is written.
    pub(super) fn new(change: &'a ResourceChange, configuration: Option<&'a Configuration>) -> Self {
        let module = configuration.and_then(|configuration| module(configuration, &Scope::of(change)));
        let is_it = |resource: &&Resource| {
            resource.kind == change.kind
                && resource.name == change.name
                && resource.is_data() == change.is_data()
        };
        let written = module.and_then(|module| module.resources.iter().find(is_it));
        Self { change, written }
    }

    /// A value after the change.
    pub(super) fn attribute(self, name: &str) -> Attribute<'a> {
        let after = self.change.change.after.as_ref().and_then(|after| after.get(name));
        Attribute::of(after, self.change.change.after_unknown.get(name))
    }

    /// A value before the change.
    pub(super) fn before(self, name: &str) -> Attribute<'a> {
        Attribute::of(self.change.change.before.as_ref().and_then(|before| before.get(name)), None)
    }

    /// The elements of a list, a set or of repeated blocks; none when it is wholly unknown.
    pub(super) fn blocks(self, name: &str) -> Vec<Block<'a>> {
        let Some(Value::Array(values)) = self.attribute(name).known() else { return Vec::new() };
        let unknown = self.change.change.after_unknown.get(name);
        let blocks = values.iter().enumerate().map(|(at, value)| Block {
            value: Some(value),
            unknown: unknown.and_then(|unknown| unknown.get(at)),
        });
        blocks.collect()
    }

    /// Whether the configuration sets a value; where it is not at hand, nobody can tell.
    pub(super) fn is_written(self, name: &str) -> Option<bool> {
        self.written.map(|resource| resource.expressions.contains_key(name))
    }

    /// What a value may come from.
    pub(super) fn origins(self, catalogue: &Catalogue<'_>, name: &str) -> Origins {
        self.origins_of(catalogue, self.written.and_then(|resource| resource.expressions.get(name)))
    }

    /// What a value in the block at a place may come from. Blocks that are not written one by one have one expression for all.
    pub(super) fn block_origins(
        self,
        catalogue: &Catalogue<'_>,
        name: &str,
        at: usize,
        value: &str,
    ) -> Origins {
        let all = self.written.and_then(|resource| resource.expressions.get(name));
        match self.written_blocks(name) {
            Some(blocks) => self.origins_of(catalogue, blocks[at].get(value)),
            None => self.origins_of(catalogue, all),
        }
    }

    /// Whether the configuration sets a value in the block at a place, where that can be told.
    pub(super) fn is_written_in_block(self, name: &str, at: usize, value: &str) -> Option<bool> {
        self.written_blocks(name).map(|blocks| blocks[at].get(value).is_some())
    }

    /// How the blocks of a list are written, if each is written by itself.
    fn written_blocks(self, name: &str) -> Option<&'a Vec<Value>> {
        let blocks = self.written?.expressions.get(name)?.as_array()?;
        (blocks.len() == self.blocks(name).len()).then_some(blocks)
    }

    fn origins_of(self, catalogue: &Catalogue<'_>, expression: Option<&Value>) -> Origins {
        match expression {
            Some(expression) => catalogue.origins(&Scope::of(self.change), expression),
            None => Origins { open: true, ..Origins::default() },
        }
    }

    /// Whether a value, or a part of it, is marked as sensitive.
    pub(super) fn is_secret(self, name: &str) -> bool {
        let change = &self.change.change;
        let marks = [&change.after_sensitive, &change.before_sensitive];
        marks.into_iter().any(|marks| *marks == Value::Bool(true) || marks.get(name).is_some_and(has_mark))
    }

    /// The keys of rows that stem from secret values, of pairs of a value's name and such keys.
    pub(super) fn secret_keys(self, keys: &[(&str, &[&'static str])]) -> Vec<&'static str> {
        let secret = keys.iter().filter(|(name, _)| self.is_secret(name));
        secret.flat_map(|(_, keys)| keys.iter().copied()).collect()
    }

    /// All texts that are marked as sensitive.
    pub(super) fn secrets(self, secrets: &mut BTreeSet<String>) {
        let change = &self.change.change;
        let pairs = [(&change.before, &change.before_sensitive), (&change.after, &change.after_sensitive)];
        for (values, marks) in pairs {
            for (name, value) in values.iter().flatten() {
                let mark = if *marks == Value::Bool(true) { Some(marks) } else { marks.get(name) };
                mark.into_iter().for_each(|mark| marked(value, mark, secrets));
            }
        }
    }

    /// Takes known values over into a body: pairs of the name in Terraform and in Neutron. A name that must not be shown stays away.
    pub(super) fn copy(self, body: &mut Map<String, Value>, names: &[(&str, &str)]) {
        for (name, key) in names {
            if let Some(value) = self.attribute(name).known()
                && !(*name == "name" && self.is_secret(name))
            {
                body.insert((*key).to_owned(), value.clone());
            }
        }
    }
}

/// The texts in a value that are marked.
fn marked(value: &Value, mark: &Value, texts: &mut BTreeSet<String>) {
    let all = *mark == Value::Bool(true);
    match value {
        Value::String(text) if all && !text.is_empty() => {
            texts.insert(text.clone());
        }
        Value::Array(values) => values.iter().enumerate().for_each(|(at, value)| {
            let mark = if all { Some(mark) } else { mark.get(at) };
            mark.into_iter().for_each(|mark| marked(value, mark, texts));
        }),
        Value::Object(values) => values.iter().for_each(|(name, value)| {
            let mark = if all { Some(mark) } else { mark.get(name) };
            mark.into_iter().for_each(|mark| marked(value, mark, texts));
        }),
        _ => {}
    }
}

fn has_mark(marks: &Value) -> bool {
    match marks {
        Value::Bool(mark) => *mark,
        Value::Array(marks) => marks.iter().any(has_mark),
        Value::Object(marks) => marks.values().any(has_mark),
        _ => false,
    }
}
