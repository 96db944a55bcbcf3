//! What tables have that are named by whoever writes them: a name that no other of its kind has, and a type.

use super::check_source::name;
use super::listed;
use super::section::{Section, quoted, text};

/// The names of the tables of one kind.
pub(super) struct Names {
    /// The kind's key, as `scanner`.
    key: &'static str,
    /// What such a thing is called in a sentence.
    noun: &'static str,
    taken: Vec<(String, usize)>,
}

impl Names {
    /// None taken yet.
    pub(super) fn new(key: &'static str, noun: &'static str) -> Self {
        Self { key, noun, taken: Vec::new() }
    }

    /// The name of the table of that number; where there is none, `missing` says what to do.
    pub(super) fn read(&mut self, section: &mut Section<'_>, index: usize, missing: &str) -> Option<String> {
        let Self { key, noun, taken } = self;
        let name = section.read("name", |node| {
            let name = name(text(node)?)?;
            match taken.iter().find(|(other, _)| *other == name) {
                Some((_, other)) => {
                    Err(format!("`{name}` is the name of {key}[{other}] already: each {noun} needs its own"))
                }
                None => Ok(name),
            }
        });
        if let Some(name) = &name {
            taken.push((name.clone(), index));
        } else if !section.was_given("name") {
            section.missing("name", missing);
        }
        name
    }
}

/// The type of a table, of those that are known by the names that `name_of` gives; where there is none, `missing` says what to do.
pub(super) fn of_type<T>(
    section: &mut Section<'_>,
    types: &'static [T],
    name_of: impl Fn(&T) -> &'static str,
    missing: &str,
) -> Option<&'static T> {
    let of_type = section.read("type", |node| {
        let given = text(node)?;
        types.iter().find(|known| name_of(known) == given).ok_or_else(|| {
            let known = listed(types.iter().map(&name_of), " or ");
            format!("must be {known}, not `{}`", quoted(given))
        })
    });
    if of_type.is_none() && !section.was_given("type") {
        section.missing("type", missing);
    }
    of_type
}
