//! The tape: what the scanner leaves of a JSON text, and how the readers walk it.
//!
//! Nodes lie flat in the order of the text; a container knows where its subtree ends, so that a reader steps
//! over what does not interest it. Strings are slices of the text and are unescaped only when read. The tape
//! holds no opinion about notifications, and nothing that was found to be a secret: such a value is one
//! [`Token::Secret`] node, read as `***`.

use std::borrow::Cow;

use super::defect::{DefectKind, Fault};
use super::escape;

/// What stands in the place of a secret.
pub(super) const MASK: &str = "***";

/// The longest path that a defect shows, in bytes; keys come from strangers.
const PATH_BYTES_MAX: usize = 200;

/// How many nodes a tape keeps room for until the next message: those of 256 KiB of text, in less than half a MiB.
const NODES_KEPT_MAX: usize = 16 * 1024;
/// How many spans: far more than a usual message has.
const SPANS_KEPT_MAX: usize = 1024;

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Null,
    True,
    False,
    Number,
    /// A string without escapes.
    Text,
    /// A string with escapes, which have been checked.
    EscapedText,
    /// A value that was found to be a secret.
    Secret,
    Array,
    Object,
}

/// One value, with its key if it is a member of an object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) token: Token,
    /// Whether the key has escapes, so that its text is among the tape's unescaped keys.
    pub(super) has_escaped_key: bool,
    /// Where the key starts in the text, after its quote; 0 for no key.
    pub(super) key_start: u32,
    /// Where the key's closing quote is.
    pub(super) key_end: u32,
    /// Where the value starts: a string's first byte after the quote.
    pub(super) start: u32,
    /// Where it ends: a string's closing quote, the byte after anything else.
    pub(super) end: u32,
    /// The node after it and all that is inside it.
    pub(super) next: u32,
}

/// Bytes of the text, from the first to before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) end: u32,
    /// Whether it is a whole JSON value, so that what replaces it needs quotes.
    pub(super) whole: bool,
}

/// A JSON text, scanned.
#[derive(Debug)]
pub(super) struct Tape<'a> {
    pub(super) text: &'a str,
    pub(super) scanned: Scanned,
}

/// What the scanner finds in a text.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    pub(super) nodes: Vec<Node>,
    /// Keys that have escapes, by where they start.
    keys: Vec<(u32, Box<str>)>,
    /// Values under keys that name secrets, in order and apart.
    pub(super) secrets: Vec<Span>,
    /// Values of secret parameters in addresses, inside of strings, in order and apart.
    pub(super) parameters: Vec<Span>,
    /// Whether there is white space outside of strings.
    pub(super) has_space: bool,
}

impl Scanned {
    /// Nothing yet, with room for what is usual in a text of that size.
    pub(super) fn begin(&mut self, bytes: usize) {
        self.nodes.clear();
        // Measured on recorded notifications: a value per 18 bytes and more.
        self.nodes.reserve(bytes.min(1 << 20) / 16 + 8);
        self.keys.clear();
        self.secrets.clear();
        self.parameters.clear();
        self.has_space = false;
    }

    /// Gives back what a message of unusual size took.
    pub(super) fn shrink(&mut self) {
        if self.nodes.capacity() > NODES_KEPT_MAX {
            self.nodes = Vec::new();
        }
        for spans in [&mut self.secrets, &mut self.parameters] {
            if spans.capacity() > SPANS_KEPT_MAX {
                *spans = Vec::new();
            }
        }
        // Escaped keys are rare, and each has an allocation of its own.
        self.keys = Vec::new();
    }

    /// The text of a value's key, unescaped.
    #[inline]
    pub(super) fn key<'t>(&'t self, text: &'t [u8], at: usize) -> &'t [u8] {
        let node = self.nodes[at];
        if node.has_escaped_key {
            return self.escaped_key(node.key_start);
        }
        &text[node.key_start as usize..node.key_end as usize]
    }

    #[cold]
    fn escaped_key(&self, start: u32) -> &[u8] {
        // Keys are unescaped in the order of the text.
        let place = self.keys.binary_search_by_key(&start, |(start, _)| *start);
        place.map_or(&[], |place| self.keys[place].1.as_bytes())
    }

    /// Unescapes a key and keeps its text.
    #[cold]
    pub(super) fn unescape_key(&mut self, text: &[u8], start: usize, end: usize) -> &[u8] {
        let raw = std::str::from_utf8(&text[start..end]).unwrap_or_default();
        self.keys.push((start as u32, escape::unescape(raw).into()));
        self.keys.last().map_or(&[], |(_, key)| key.as_bytes())
    }
}

impl<'a> Tape<'a> {
    /// The whole text's value.
    pub(super) fn root(&self) -> Value<'_> {
        Value { tape: self, at: 0 }
    }

    fn node(&self, at: u32) -> Node {
        self.scanned.nodes[at as usize]
    }

    fn slice(&self, node: Node) -> &'a str {
        // The scanner cuts at ASCII bytes only, so this is never empty where the text is not.
        self.text.get(node.start as usize..node.end as usize).unwrap_or_default()
    }

    /// The text of a member's key, unescaped.
    #[inline]
    pub(super) fn key(&self, at: u32) -> &[u8] {
        self.scanned.key(self.text.as_bytes(), at as usize)
    }

    /// Where a member starts and ends, from the quote of its key to the end of its value.
    pub(super) fn extent(&self, at: u32) -> (usize, usize) {
        let node = self.node(at);
        let quote = usize::from(matches!(node.token, Token::Text | Token::EscapedText));
        ((node.key_start as usize).saturating_sub(1), node.end as usize + quote)
    }

    /// The way from the root to a node in words: `payload.port.fixed_ips[0]`.
    pub(super) fn path(&self, target: u32) -> String {
        let mut path = String::new();
        let mut value = self.root();
        while value.at != target && path.len() < PATH_BYTES_MAX {
            let holds = |child: &Value<'_>| child.at <= target && target < self.node(child.at).next;
            let step = match self.node(value.at).token {
                Token::Object => value.members().find(|(_, child)| holds(child)).map(|(key, child)| {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(&String::from_utf8_lossy(key));
                    child
                }),
                Token::Array => {
                    value.items().enumerate().find(|(_, child)| holds(child)).map(|(i, child)| {
                        path.push_str(&format!("[{i}]"));
                        child
                    })
                }
                _ => None,
            };
            match step {
                Some(child) => value = child,
                None => break,
            }
        }
        if path.is_empty() {
            path.push_str("the top");
        }
        cut(&path, PATH_BYTES_MAX).to_owned()
    }
}

/// The start of a text, not longer than that and not in the middle of a character.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// One value on the tape.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'t> {
    tape: &'t Tape<'t>,
    pub(super) at: u32,
}

impl<'t> Value<'t> {
    /// What it is.
    pub(super) fn token(self) -> Token {
        self.tape.node(self.at).token
    }

    /// A fault at this value.
    pub(super) fn fault(self, kind: DefectKind) -> Fault {
        Fault::node(kind, self.at)
    }

    /// Whether it is null.
    pub(super) fn is_null(self) -> bool {
        self.token() == Token::Null
    }

    /// Whether it is an object.
    pub(super) fn is_object(self) -> bool {
        self.token() == Token::Object
    }

    /// The text, if it is a string; borrowed unless it has escapes.
    pub(super) fn text(self) -> Option<Cow<'t, str>> {
        let node = self.tape.node(self.at);
        match node.token {
            Token::Text => Some(Cow::Borrowed(self.tape.slice(node))),
            Token::EscapedText => Some(Cow::Owned(escape::unescape(self.tape.slice(node)))),
            Token::Secret => Some(Cow::Borrowed(MASK)),
            _ => None,
        }
    }

    /// The digits, if it is a number.
    pub(super) fn number(self) -> Option<&'t str> {
        let node = self.tape.node(self.at);
        (node.token == Token::Number).then(|| self.tape.slice(node))
    }

    /// The members of an object; none of anything else.
    pub(super) fn members(self) -> Members<'t> {
        let (at, end) = self.inside(Token::Object);
        Members { tape: self.tape, at, end }
    }

    /// The items of an array; none of anything else.
    pub(super) fn items(self) -> Items<'t> {
        let (at, end) = self.inside(Token::Array);
        Items { tape: self.tape, at, end }
    }

    fn inside(self, token: Token) -> (u32, u32) {
        let node = self.tape.node(self.at);
        if node.token == token { (self.at + 1, node.next) } else { (0, 0) }
    }

    /// The member with this key, of an object; null counts as absent.
    pub(super) fn get(self, key: &str) -> Option<Value<'t>> {
        let (_, value) = self.members().find(|(name, _)| *name == key.as_bytes())?;
        (!value.is_null()).then_some(value)
    }
}

/// The members of an object: unescaped key and value.
#[derive(Clone, Debug)]
pub(super) struct Members<'t> {
    tape: &'t Tape<'t>,
    at: u32,
    end: u32,
}

impl<'t> Iterator for Members<'t> {
    type Item = (&'t [u8], Value<'t>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { tape: self.tape, at: self.at };
        let key = self.tape.key(self.at);
        self.at = self.tape.node(self.at).next;
        Some((key, value))
    }
}

/// The items of an array.
#[derive(Clone, Debug)]
pub(super) struct Items<'t> {
    tape: &'t Tape<'t>,
    at: u32,
    end: u32,
}

impl<'t> Iterator for Items<'t> {
    type Item = Value<'t>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let value = Value { tape: self.tape, at: self.at };
        self.at = self.tape.node(self.at).next;
        Some(value)
    }
}
