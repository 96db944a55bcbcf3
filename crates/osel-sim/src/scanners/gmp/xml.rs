//! Requests as they come: the next whole element of a stream that has no other frames.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesStart, Event};

/// An element with everything in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Result<Self, Error> {
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute?;
            let value = attribute.normalized_value(XmlVersion::Explicit1_0)?.into_owned();
            attributes.push((attribute.key.into_inner().to_owned(), value));
        }
        Ok(Self { name: start.name().into_inner().to_owned(), attributes, ..Self::default() })
    }

    /// The value of an attribute; empty where there is none.
    pub(super) fn attribute(&self, name: &str) -> &str {
        self.attributes.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Whether an attribute says yes.
    pub(super) fn is(&self, name: &str) -> bool {
        self.attribute(name) == "1"
    }

    /// The first child of a name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of a name; empty where there is none.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    /// The attribute `id` of the first child of a name; empty where there is none.
    pub(super) fn id_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.attribute("id"))
    }
}

/// The first whole element of these bytes, and how many of them it takes; none where more have to come.
pub(super) fn first(bytes: &[u8]) -> Result<Option<(Element, usize)>, Error> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A character that is cut in two.
        Err(error) if error.error_len().is_none() => "",
        Err(error) => return Err(Error::Encoding(error.into())),
    };
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    loop {
        let event = match reader.read_event() {
            // What is cut off within a tag or a reference.
            Err(Error::Syntax(_) | Error::IllFormed(IllFormedError::UnclosedReference)) | Ok(Event::Eof) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
            Ok(event) => event,
        };
        let ended = match event {
            Event::Start(start) => {
                open.push(Element::new(&start)?);
                None
            }
            Event::Empty(start) => Some(Element::new(&start)?),
            Event::End(_) => open.pop(),
            Event::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text.xml10_content());
                }
                None
            }
            Event::GeneralRef(reference) => {
                let character = reference.resolve_char_ref()?.map(String::from);
                let known = character
                    .or_else(|| resolve_predefined_entity(&reference.xml10_content()).map(str::to_owned));
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&known.unwrap_or_default());
                }
                None
            }
            _ => None,
        };
        if let Some(element) = ended {
            match open.last_mut() {
                Some(parent) => parent.children.push(element),
                None => {
                    return Ok(Some((
                        element,
                        usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX),
                    )));
                }
            }
        }
    }
}

/// A text as it stands within an element or an attribute.
pub(super) fn quoted(text: &str) -> String {
    escape(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_taken_when_it_is_whole_and_not_before() {
        let text = "<a x='&lt;1'><b>p&amp;q</b><c id=\"7\"/></a><next/>";
        let length = text.find("<next").unwrap();
        for end in 0..length {
            assert_eq!(first(&text.as_bytes()[..end]).unwrap(), None, "{}", &text[..end]);
        }
        let (element, taken) = first(text.as_bytes()).unwrap().unwrap();
        assert_eq!((element.attribute("x"), element.text_of("b"), element.id_of("c")), ("<1", "p&q", "7"));
        assert_eq!(taken, length);
        assert!(first(b"<a></b>").is_err());
    }
}
