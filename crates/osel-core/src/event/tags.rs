//! The tags of an object: words that its owner puts on it, and that osel's operator may go by.
//!
//! They are the words of whoever owns the object, so both their number and their length are bounded. Most objects have none, and many
//! have the same: none costs nothing, and a copy costs no second list.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most tags of one object that are kept, the first ones in the order of their texts: Neutron takes 50, and before it had a limit any
/// number.
pub const TAGS_MAX: usize = 64;
/// The longest tag, in characters, as Neutron has it.
pub const TAG_CHARS_MAX: usize = 255;

/// A list of tags: sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tags(Option<Arc<Vec<Box<str>>>>);

impl Tags {
    /// Those of `tags` that can be kept. One that is too long is left out, not cut: another one may begin with the same letters.
    pub fn new(tags: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let mut kept: BTreeSet<Box<str>> = BTreeSet::new();
        for tag in tags {
            let tag = tag.as_ref();
            let is_kept = kept.len() < TAGS_MAX || kept.last().is_some_and(|last| tag < &**last);
            if is_kept && is_tag(tag) {
                kept.insert(tag.into());
            }
            if kept.len() > TAGS_MAX {
                kept.pop_last();
            }
        }
        Self((!kept.is_empty()).then(|| Arc::new(kept.into_iter().collect())))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The tags, in the order of their texts.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|tags| tags.iter()).map(|tag| &**tag)
    }

    /// Whether a tag is among them, letter by letter.
    pub fn has(&self, tag: &str) -> bool {
        self.0.as_ref().is_some_and(|tags| tags.binary_search_by(|known| (**known).cmp(tag)).is_ok())
    }

    /// Whether nobody else has this very list in memory.
    pub fn is_alone(&self) -> bool {
        self.0.as_ref().is_none_or(|tags| Arc::strong_count(tags) == 1)
    }
}

/// Whether a text can be a tag.
pub fn is_tag(text: &str) -> bool {
    // Most texts are short in bytes already.
    !text.is_empty() && (text.len() <= TAG_CHARS_MAX || text.chars().count() <= TAG_CHARS_MAX)
}

impl Serialize for Tags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Tags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Box<str>>::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_a_set_in_one_order() {
        let tags = Tags::new(["web", "", "public", "web"]);
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["public", "web"]);
        assert_eq!(tags, Tags::new(["public", "web"]));
        assert!(tags.has("web") && !tags.has("we") && !tags.has("Web") && !tags.has(""));
        assert_eq!((Tags::new([""]), Tags::new([""; 0]).is_empty()), (Tags::default(), true));
    }

    /// What is kept of too many depends on which there are, not on their order.
    #[test]
    fn what_is_too_much_is_left_out() {
        let many: Vec<String> = (0..1000).map(|number| format!("t{number:04}")).collect();
        let kept = Tags::new(&many);
        assert_eq!(kept.iter().count(), TAGS_MAX);
        assert_eq!(kept, Tags::new(many.iter().rev()));
        assert_eq!(kept, Tags::new(&many[..TAGS_MAX]));
        let longest = "ä".repeat(TAG_CHARS_MAX);
        let tags = Tags::new([longest.clone(), format!("{longest}ä"), "x".repeat(100_000)]);
        assert_eq!(tags.iter().collect::<Vec<_>>(), [longest]);
    }

    #[test]
    fn tags_come_back_as_they_were_written_down() {
        let tags = Tags::new(["b", "a"]);
        let text = serde_json::to_string(&tags).unwrap();
        assert_eq!(text, r#"["a","b"]"#);
        assert_eq!(serde_json::from_str::<Tags>(&text).unwrap(), tags);
        assert_eq!(serde_json::from_str::<Tags>("[]").unwrap(), Tags::default());
    }
}
