//! An element as it begins: its name and its attributes.

use std::str::FromStr;

/// The beginning of an element. What is within it is asked of [`super::Xml`], with this as the key.
#[derive(Clone, Debug)]
pub struct Element {
    pub(super) name: String,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) depth: usize,
    pub(super) number: u64,
}

impl Element {
    /// Its name, with the prefix of its namespace if it has one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value of an attribute, with its entities replaced.
    pub fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.iter().find(|(name, _)| name == attribute).map(|(_, value)| value.as_str())
    }

    /// The value of an attribute as what it should be; none if it is something else.
    pub fn number<T: FromStr>(&self, attribute: &str) -> Option<T> {
        self.get(attribute).and_then(|value| value.trim().parse().ok())
    }
}
