//! JSON of the parts that every record has, and of the forms that records leave in, written straight from what a record is made of.
//!
//! `serde_json` would write the same bytes, but only of types with texts of their own, made for each record. What escapes is left to it.

use super::body::Detail;
use crate::ids::Id;

/// An object that is written member by member, in the order of the calls.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    /// Begins an object behind what is in `out`.
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, is_empty: true }
    }

    /// Ends it.
    pub(crate) fn end(self) {
        self.out.push(b'}');
    }

    pub(crate) fn text(&mut self, key: &str, value: &str) {
        text(value, self.member(key));
    }

    pub(crate) fn id(&mut self, key: &str, value: &Id) {
        let out = self.member(key);
        match value.kept_text() {
            Some(value) => text(value, out),
            // Nothing in it has to be escaped.
            None => {
                out.push(b'"');
                value.write(out);
                out.push(b'"');
            }
        }
    }

    pub(crate) fn text_if(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub(crate) fn id_if(&mut self, key: &str, value: Option<&Id>) {
        if let Some(value) = value {
            self.id(key, value);
        }
    }

    /// An object of texts, unless it has none.
    pub(crate) fn texts_if(&mut self, key: &str, texts: &Detail) {
        if texts.is_empty() {
            return;
        }
        let mut within = self.object(key);
        for (key, value) in texts {
            within.text(key, value);
        }
        within.end();
    }

    pub(crate) fn number(&mut self, key: &str, value: u64) {
        self.value(key, &value);
    }

    /// Any other value.
    pub(crate) fn value(&mut self, key: &str, value: &impl serde::Serialize) {
        // Into memory, and of types with string keys only: it cannot fail.
        let _ = serde_json::to_writer(self.member(key), value);
    }

    /// An object within; it is to be ended before this one is gone on with.
    pub(crate) fn object(&mut self, key: &str) -> Object<'_> {
        Object::begin(self.member(key))
    }

    /// A list within; it is to be ended before this one is gone on with.
    pub(crate) fn list(&mut self, key: &str) -> List<'_> {
        let out = self.member(key);
        out.push(b'[');
        List { out, is_empty: true }
    }

    fn member(&mut self, key: &str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        text(key, self.out);
        self.out.push(b':');
        self.out
    }
}

/// A list that is written element by element.
pub(crate) struct List<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl List<'_> {
    /// Ends it.
    pub(crate) fn end(self) {
        self.out.push(b']');
    }

    pub(crate) fn text(&mut self, value: &str) {
        text(value, self.element());
    }

    /// An object within; it is to be ended before the list is gone on with.
    pub(crate) fn object(&mut self) -> Object<'_> {
        Object::begin(self.element())
    }

    fn element(&mut self) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.is_empty) {
            self.out.push(b',');
        }
        self.out
    }
}

/// Writes a text with its quotation marks.
fn text(value: &str, out: &mut Vec<u8>) {
    // All bytes are looked at before anything is decided: so the processor looks at many at once.
    let escapes =
        value.bytes().fold(false, |any, byte| any | (byte < b' ') | (byte == b'"') | (byte == b'\\'));
    if escapes {
        // As above: a text can always be written into memory.
        let _ = serde_json::to_writer(out, value);
        return;
    }
    out.reserve(value.len() + 2);
    out.push(b'"');
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_are_written_as_serde_writes_them(value in any::<String>()) {
            let mut out = Vec::new();
            text(&value, &mut out);
            prop_assert_eq!(out, serde_json::to_vec(&value).expect("a text"));
        }
    }
}
