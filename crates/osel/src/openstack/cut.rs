//! Takes an answer with a list apart while it comes: the list's objects one by one, and what stands around them.
//!
//! An answer is `{"ports": [{…}, {…}], "ports_links": […]}`. A server that does not page sends a million objects in one, so the list is
//! never held: [`Cutter::feed`] hands each object over as the text that it stands in. What stands around them, with an empty list in
//! their place, is read at the end by serde; whether an object is sound is seen by whoever reads it.

use serde::de::DeserializeOwned;

/// The largest object: a security group with ten thousand rules has half of it.
pub(super) const OBJECT_BYTES_MAX: usize = 8 << 20;
/// The most that may stand around a list: links of a few lines.
const FRAME_BYTES_MAX: usize = 64 << 10;

/// Why an answer is no list.
#[derive(Debug, thiserror::Error)]
pub(super) enum CutError {
    /// An object is too large.
    #[error("an object is larger than {OBJECT_BYTES_MAX} bytes")]
    Object,
    /// Too much stands around the list.
    #[error("more than {FRAME_BYTES_MAX} bytes stand around the list")]
    Frame,
    /// Something else stands in the list.
    #[error("something other than objects stands in the list")]
    NoObject,
    /// It is not JSON text.
    #[error("it is not UTF-8")]
    Text,
    /// The list is not there, or the answer was cut off.
    #[error("it has no list `{0}`, or ends within it")]
    NoList(String),
    /// What stands around the list cannot be read.
    #[error("what stands around the list cannot be read")]
    Json(#[source] serde_json::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before or after the list.
    Around,
    /// In the list, between objects.
    Between,
    /// In an object of the list.
    Inside,
}

/// Takes one answer apart.
pub(super) struct Cutter {
    /// The list's key, with its quotes.
    key: String,
    place: Place,
    /// How many objects and lists are open around the place.
    depth: usize,
    in_text: bool,
    after_backslash: bool,
    /// Where the last text outside of the list begins and ends in the frame.
    last_text: std::ops::Range<usize>,
    found: bool,
    frame: Vec<u8>,
    object: Vec<u8>,
}

impl Cutter {
    /// For the list under a key.
    pub(super) fn new(key: &str) -> Self {
        Self {
            key: format!("\"{key}\""),
            place: Place::Around,
            depth: 0,
            in_text: false,
            after_backslash: false,
            last_text: 0..0,
            found: false,
            frame: Vec::new(),
            object: Vec::new(),
        }
    }

    /// Takes the next piece and hands over what it completes.
    pub(super) fn feed(&mut self, bytes: &[u8], mut object: impl FnMut(&str)) -> Result<(), CutError> {
        for &byte in bytes {
            let was_inside = self.place == Place::Inside;
            self.step(byte);
            match (was_inside, self.place) {
                (false, Place::Around) => {
                    self.frame.push(byte);
                    if self.frame.len() > FRAME_BYTES_MAX {
                        return Err(CutError::Frame);
                    }
                }
                (false, Place::Between) if matches!(byte, b',' | b'[' | b' ' | b'\n' | b'\r' | b'\t') => {}
                (false, Place::Between) => return Err(CutError::NoObject),
                (_, Place::Inside) => {
                    self.object.push(byte);
                    if self.object.len() > OBJECT_BYTES_MAX {
                        return Err(CutError::Object);
                    }
                }
                (true, _) => {
                    self.object.push(byte);
                    object(std::str::from_utf8(&self.object).map_err(|_| CutError::Text)?);
                    self.object.clear();
                }
            }
        }
        Ok(())
    }

    /// Where the next byte stands.
    fn step(&mut self, byte: u8) {
        if self.in_text {
            match byte {
                _ if self.after_backslash => self.after_backslash = false,
                b'\\' => self.after_backslash = true,
                b'"' => {
                    self.in_text = false;
                    self.last_text.end = self.frame.len() + 1;
                }
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.in_text = true;
                self.last_text = self.frame.len()..self.frame.len();
            }
            b'[' if self.place == Place::Around && self.depth == 1 && self.is_wanted() => {
                self.depth += 1;
                self.found = true;
                self.frame.push(b'[');
                self.place = Place::Between;
            }
            b'{' | b'[' => {
                if self.place == Place::Between {
                    self.place = Place::Inside;
                }
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                match self.place {
                    Place::Inside if self.depth == 2 => self.place = Place::Between,
                    Place::Between => self.place = Place::Around,
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// Whether the last text was the list's key: between it and here stand a colon and white space.
    fn is_wanted(&self) -> bool {
        let key = self.frame.get(self.last_text.clone()).unwrap_or_default();
        let between = self.frame.get(self.last_text.end..).unwrap_or_default().trim_ascii();
        !self.found && key == self.key.as_bytes() && between == b":"
    }

    /// What stands around the list.
    pub(super) fn end<T: DeserializeOwned>(self) -> Result<T, CutError> {
        let Self { key, place, found, frame, object, .. } = self;
        if !found || place != Place::Around || !object.is_empty() {
            return Err(CutError::NoList(key.trim_matches('"').to_owned()));
        }
        serde_json::from_slice(&frame).map_err(CutError::Json)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn cut(answer: &str, pieces: usize) -> Result<(Vec<String>, Value), CutError> {
        let (mut cutter, mut objects) = (Cutter::new("ports"), Vec::new());
        for piece in answer.as_bytes().chunks(pieces) {
            cutter.feed(piece, |object| objects.push(object.to_owned()))?;
        }
        Ok((objects, cutter.end()?))
    }

    #[test]
    fn objects_come_one_by_one_and_the_rest_stays() {
        let answer = r#" {"ports" : [ {"id":"a","x":[{"}":"]"}]} ,{"id":"b\"\\"}], "ports_links": [{"rel":"next","href":"h"}]}"#;
        for pieces in [1, 2, 7, 1000] {
            let (objects, frame) = cut(answer, pieces).unwrap();
            assert_eq!(objects, [r#"{"id":"a","x":[{"}":"]"}]}"#, r#"{"id":"b\"\\"}"#]);
            assert_eq!(frame, json!({"ports": [], "ports_links": [{"rel": "next", "href": "h"}]}));
        }
    }

    #[test]
    fn only_the_lists_own_key_counts() {
        let (objects, frame) =
            cut(r#"{"links": {"ports": [{"id": 1}]}, "a": "ports", "b": [{}], "ports": []}"#, 3).unwrap();
        assert_eq!(objects, Vec::<String>::new());
        assert_eq!(frame["links"]["ports"][0]["id"], 1);
        assert_eq!(frame["b"], json!([{}]));
    }

    #[test]
    fn what_is_cut_off_or_no_list_is_an_error() {
        for answer in [
            "",
            "[]",
            "<html>",
            r#"{"port": []}"#,
            r#"{"ports": {}}"#,
            r#"{"ports": [{"id": 1}"#,
            r#"{"ports": [{"id": "#,
            r#"{"ports": []"#,
            r#"{"ports": [1, 2]}"#,
            r#"{"ports": ["a"]}"#,
            r#"{"ports": []}}"#,
            r#"{"ports": ]"#,
        ] {
            assert!(cut(answer, 2).is_err(), "{answer}");
        }
    }

    #[test]
    fn nothing_grows_without_bound() {
        let mut cutter = Cutter::new("ports");
        cutter.feed(br#"{"ports": [{"a": ""#, |_| {}).unwrap();
        let piece = [b'x'; 4096];
        let fed = (0..=OBJECT_BYTES_MAX / piece.len()).try_for_each(|_| cutter.feed(&piece, |_| {}));
        assert!(matches!(fed, Err(CutError::Object)));
        let mut cutter = Cutter::new("ports");
        let fed = (0..=FRAME_BYTES_MAX / piece.len()).try_for_each(|_| cutter.feed(&piece, |_| {}));
        assert!(matches!(fed, Err(CutError::Frame)));
    }

    /// Any JSON value, not too deep.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            "[\\PC\"\\\\\n\\[\\]{}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z\"\\[{}]{0,3}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_reads_what_serde_reads(
            objects in prop::collection::vec(prop::collection::btree_map("[a-z]{0,2}", value(), 0..3), 0..5),
            before in value(),
            after in value(),
            pieces in 1usize..40,
            pretty in any::<bool>(),
        ) {
            let whole = json!({"before": before, "ports": objects, "zafter": after});
            let text = if pretty { serde_json::to_string_pretty(&whole) } else { serde_json::to_string(&whole) }.unwrap();
            let (found, frame) = cut(&text, pieces).unwrap();
            let found: Vec<Value> = found.iter().map(|object| serde_json::from_str(object).unwrap()).collect();
            prop_assert_eq!(Value::from(found), whole["ports"].clone());
            prop_assert_eq!(&frame["before"], &whole["before"]);
            prop_assert_eq!(&frame["zafter"], &whole["zafter"]);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(prop_oneof![Just(b'"'), Just(b'['), Just(b']'), Just(b'{'), Just(b'}'), Just(b'\\'), any::<u8>()], 0..200)) {
            let mut cutter = Cutter::new("ports");
            if cutter.feed(b"{\"ports\":[", |_| {}).is_ok() && cutter.feed(&bytes, |_| {}).is_ok() {
                let _ = cutter.end::<Value>();
            }
        }
    }
}
