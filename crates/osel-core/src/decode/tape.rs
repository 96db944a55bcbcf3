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
    /// A key without escapes.
    Key,
    /// A key with escapes; `next` is its place among the tape's unescaped keys.
    EscapedKey,
}

/// One node: a value, or a key that its value follows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) token: Token,
    /// Where it starts in the text: a string's first byte after the quote.
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
#[derive(Debug)]
pub(super) struct Scanned {
    pub(super) nodes: Vec<Node>,
    pub(super) keys: Vec<Box<str>>,
    /// Values under keys that name secrets, in order and apart.
    pub(super) secrets: Vec<Span>,
    /// Values of secret parameters in addresses, inside of strings, in order and apart.
    pub(super) parameters: Vec<Span>,
    /// Whether there is white space outside of strings.
    pub(super) has_space: bool,
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

    /// The text of a key, unescaped.
    pub(super) fn key(&self, at: u32) -> &[u8] {
        let node = self.node(at);
        match node.token {
            Token::EscapedKey => self.scanned.keys[node.next as usize].as_bytes(),
            _ => &self.text.as_bytes()[node.start as usize..node.end as usize],
        }
    }

    /// Where a node's text starts and ends, quotes included.
    pub(super) fn extent(&self, at: u32) -> (usize, usize) {
        let node = self.node(at);
        let (start, end) = (node.start as usize, node.end as usize);
        match node.token {
            Token::Text | Token::EscapedText | Token::Key | Token::EscapedKey => (start - 1, end + 1),
            _ => (start, end),
        }
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
        let key = self.tape.key(self.at);
        let value = Value { tape: self.tape, at: self.at + 1 };
        self.at = self.tape.node(value.at).next;
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
