//! The reader: one element after the other, as deep as it is asked.

use std::io::BufRead;

use osel_core::scan::cut;
use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::errors::{Error as ParseError, IllFormedError, SyntaxError};
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesDecl, BytesRef, BytesStart, Event};

use super::bounded::Bounded;
use super::element::Element;
use super::fault::{Fault, QUOTED_CHARS_MAX, XmlError};

/// How deep elements may lie in each other; reports of Greenbone, the deepest, have some 12.
const DEPTH_MAX: usize = 64;
/// How many attributes an element may have; the most in use are about 15.
const ATTRIBUTES_MAX: usize = 64;
/// The longest name of an element, in bytes; the names of all open ones are kept.
const NAME_BYTES_MAX: usize = 256;

/// How much of a document is read.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest document, in bytes.
    pub bytes: u64,
    /// The longest tag, text or comment, in bytes: as much memory may be taken at once.
    pub piece_bytes: usize,
}

impl Default for Limits {
    /// A report of some thousand hosts; an output of a plugin, or nmap's list of all its ports, with room to spare.
    fn default() -> Self {
        Self { bytes: 256 << 20, piece_bytes: 2 << 20 }
    }
}

/// A document that is being read.
pub struct Xml<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    open: Vec<Open>,
    elements: u64,
    is_begun: bool,
    limits: Limits,
}

/// An element that has not ended.
struct Open {
    name: String,
    number: u64,
}

/// What a step has come upon.
enum Step {
    Element(Element),
    /// Something that is not asked for, or the end of an element.
    Other,
    End,
}

impl<R: BufRead> Xml<R> {
    /// Reads from `source`, never beyond the end of the outermost element unless [`Self::finish`] is asked for, but for what the source
    /// itself has buffered.
    pub fn new(source: R, limits: Limits) -> Self {
        let mut reader = Reader::from_reader(Bounded::new(source, limits));
        reader.config_mut().expand_empty_elements = true;
        Self { reader, buffer: Vec::new(), open: Vec::new(), elements: 0, is_begun: false, limits }
    }

    /// The outermost element, which has to be one of these.
    ///
    /// # Errors
    ///
    /// If it is another, or the document cannot be read.
    pub fn root(&mut self, wanted: &[&str]) -> Result<Element, XmlError> {
        let other = |found| Fault::OtherDocument { wanted: wanted.join(">` or `<"), found };
        loop {
            let mut before = String::new();
            let step = self.step(1, Some(&mut before))?;
            // The parser takes a mark of the byte order for text when it comes in pieces.
            let text = before.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                return Err(self.error(other(format!("`{}`", cut(text, QUOTED_CHARS_MAX)))));
            }
            match step {
                Step::Element(root) if wanted.contains(&root.name()) => return Ok(root),
                Step::Element(root) => {
                    return Err(self.error(other(format!("`<{}>`", cut(root.name(), QUOTED_CHARS_MAX)))));
                }
                Step::Other => {}
                Step::End => return Err(self.error(Fault::Truncated)),
            }
        }
    }

    /// The next element directly within `parent`, with whatever is left of the one before passed over; none once `parent` has ended.
    ///
    /// # Errors
    ///
    /// If the document cannot be read.
    pub fn child(&mut self, parent: &Element) -> Result<Option<Element>, XmlError> {
        while self.is_open(parent) {
            if let Step::Element(child) = self.step(parent.depth + 1, None)? {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// The text directly within `element`, as far as it has not been read, without white space around it. The element has ended then.
    ///
    /// # Errors
    ///
    /// If the document cannot be read, or the text is longer than one piece may be.
    pub fn text(&mut self, element: &Element) -> Result<String, XmlError> {
        let mut text = String::new();
        while self.is_open(element) {
            self.step(element.depth + 1, Some(&mut text))?;
        }
        let trimmed = text.trim();
        if trimmed.len() < text.len() {
            text = trimmed.to_owned();
        }
        Ok(text)
    }

    /// Passes over what is left of `element`. Nobody has to: [`Self::child`] of an outer one does so as well.
    ///
    /// # Errors
    ///
    /// If the document cannot be read.
    pub fn skip(&mut self, element: &Element) -> Result<(), XmlError> {
        while self.is_open(element) {
            self.step(usize::MAX, None)?;
        }
        Ok(())
    }

    /// Reads to the end of the document, which has to come right after its outermost element.
    ///
    /// # Errors
    ///
    /// If something else comes, or the document cannot be read.
    pub fn finish(&mut self) -> Result<(), XmlError> {
        while !self.open.is_empty() {
            self.step(usize::MAX, None)?;
        }
        loop {
            let mut after = String::new();
            match self.step(1, Some(&mut after))? {
                Step::End => return Ok(()),
                Step::Other if after.trim().is_empty() => {}
                Step::Element(_) | Step::Other => return Err(self.error(Fault::Trailing)),
            }
        }
    }

    /// The names of the open elements, from the root, with strokes between.
    pub fn path(&self) -> String {
        let names: Vec<&str> = self.open.iter().map(|open| open.name.as_str()).collect();
        names.join("/")
    }

    fn is_open(&self, element: &Element) -> bool {
        self.open.get(element.depth - 1).is_some_and(|open| open.number == element.number)
    }

    /// Reads one piece: gives an element that begins at depth `wanted`, and adds text that lies just above that depth.
    fn step(&mut self, wanted: usize, text: Option<&mut String>) -> Result<Step, XmlError> {
        self.reader.get_mut().next_piece();
        self.buffer.clear();
        // What an unusually long piece took is given back.
        self.buffer.shrink_to(KEPT_BYTES);
        let event = self.reader.read_event_into(&mut self.buffer);
        let taken = match event {
            Ok(event) => take(event, wanted, self.open.len() + 1),
            Err(error) => Err(fault(error)),
        };
        // Why the reader below refused is told rather than what the parser made of it.
        let taken = match self.reader.get_mut().refused() {
            Some(refused) => Err(refused),
            None => taken,
        };
        let step = taken.and_then(|taken| self.note(taken, wanted, text));
        step.map_err(|fault| self.error(fault))
    }

    /// Keeps the books of one piece.
    fn note(&mut self, taken: Taken, wanted: usize, text: Option<&mut String>) -> Result<Step, Fault> {
        match taken {
            Taken::Start(name, attributes) => {
                self.is_begun = true;
                if self.open.len() == DEPTH_MAX {
                    return Err(Fault::Deep(DEPTH_MAX));
                }
                self.elements += 1;
                let number = self.elements;
                let depth = self.open.len() + 1;
                let element =
                    (depth == wanted).then(|| Element { name: name.clone(), attributes, depth, number });
                self.open.push(Open { name, number });
                Ok(element.map_or(Step::Other, Step::Element))
            }
            Taken::End => {
                self.open.pop();
                Ok(Step::Other)
            }
            Taken::Text(piece) => {
                if let Some(text) = text
                    && self.open.len() + 1 == wanted
                {
                    if text.len() + piece.len() > self.limits.piece_bytes {
                        return Err(Fault::LongPiece(self.limits.piece_bytes));
                    }
                    text.push_str(&piece);
                }
                Ok(Step::Other)
            }
            Taken::DocumentType if self.is_begun => {
                Err(Fault::Malformed("a document type within the document".to_owned()))
            }
            Taken::DocumentType | Taken::Nothing => Ok(Step::Other),
            Taken::Eof if !self.open.is_empty() => Err(Fault::Truncated),
            Taken::Eof => Ok(Step::End),
        }
    }

    fn error(&mut self, fault: Fault) -> XmlError {
        let path = cut(&self.path(), QUOTED_CHARS_MAX);
        XmlError { at: self.reader.get_mut().total(), path, fault }
    }
}

/// How much of the buffer is kept between pieces: more than all but a few need.
const KEPT_BYTES: usize = 64 << 10;

/// What a piece is, free of the parser's buffer.
enum Taken {
    Start(String, Vec<(String, String)>),
    End,
    Text(String),
    DocumentType,
    Nothing,
    Eof,
}

/// Takes from the parser what is wanted: attributes of elements at depth `wanted`, text just above it.
fn take(event: Event<'_>, wanted: usize, depth: usize) -> Result<Taken, Fault> {
    match event {
        Event::Start(start) | Event::Empty(start) => {
            let name = start.name().into_inner();
            if name.len() > NAME_BYTES_MAX {
                return Err(Fault::Malformed(format!("a name longer than {NAME_BYTES_MAX} bytes")));
            }
            let attributes = if depth == wanted { attributes(&start)? } else { Vec::new() };
            Ok(Taken::Start(name.to_owned(), attributes))
        }
        Event::End(_) => Ok(Taken::End),
        Event::Text(text) if depth == wanted => Ok(Taken::Text(text.xml10_content().into_owned())),
        Event::CData(text) if depth == wanted => Ok(Taken::Text(text.xml10_content().into_owned())),
        Event::GeneralRef(reference) => character(&reference).map(Taken::Text),
        Event::DocType(text) if text.contains('[') => Err(Fault::Declarations),
        Event::DocType(_) => Ok(Taken::DocumentType),
        Event::Decl(declaration) => encoding(&declaration).map(|()| Taken::Nothing),
        Event::Text(_) | Event::CData(_) | Event::Comment(_) | Event::PI(_) => Ok(Taken::Nothing),
        Event::Eof => Ok(Taken::Eof),
    }
}

fn attributes(start: &BytesStart<'_>) -> Result<Vec<(String, String)>, Fault> {
    let mut list = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| Fault::Malformed(error.to_string()))?;
        if list.len() == ATTRIBUTES_MAX {
            return Err(Fault::Wide(ATTRIBUTES_MAX));
        }
        let value = attribute.normalized_value(XmlVersion::Explicit1_0).map_err(fault)?;
        list.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    Ok(list)
}

/// The character that a reference in a text stands for.
fn character(reference: &BytesRef<'_>) -> Result<String, Fault> {
    if let Some(number) = reference.resolve_char_ref().map_err(fault)? {
        return if number == '\0' { Err(Fault::Nul) } else { Ok(number.to_string()) };
    }
    let name = reference.xml10_content();
    match resolve_predefined_entity(&name) {
        Some(text) => Ok(text.to_owned()),
        None => Err(Fault::Entity(cut(&name, QUOTED_CHARS_MAX))),
    }
}

/// Whether the declaration speaks of an encoding whose bytes are UTF-8.
fn encoding(declaration: &BytesDecl<'_>) -> Result<(), Fault> {
    match declaration.encoding() {
        None => Ok(()),
        Some(Ok(name))
            if ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known)) =>
        {
            Ok(())
        }
        Some(Ok(_)) => Err(Fault::Encoding),
        Some(Err(error)) => Err(Fault::Malformed(error.to_string())),
    }
}

fn fault(error: ParseError) -> Fault {
    match error {
        ParseError::Encoding(_) => Fault::Encoding,
        ParseError::Syntax(SyntaxError::InvalidBangMarkup) => {
            Fault::Malformed("`<!` without a meaning".to_owned())
        }
        // Everything else that the scanner of pieces complains about is that the end came before theirs.
        ParseError::Syntax(_) | ParseError::IllFormed(IllFormedError::MissingEndTag(_)) => Fault::Truncated,
        ParseError::Io(error) => Fault::Read(std::io::Error::new(error.kind(), error.to_string())),
        ParseError::Escape(quick_xml::escape::EscapeError::UnrecognizedEntity(_, name)) => {
            Fault::Entity(cut(&name, QUOTED_CHARS_MAX))
        }
        other => Fault::Malformed(cut(&other.to_string(), 2 * QUOTED_CHARS_MAX)),
    }
}
