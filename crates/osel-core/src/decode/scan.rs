//! The scanner: JSON, strictly, in one pass, onto a [`Tape`].
//!
//! It refuses what two readers could read differently (a key twice, lone surrogates, NUL, numbers that are no
//! finite double, garbage at the end) and what would cost too much (depth, number of values). While it is at
//! it, it notes the values that must not leave the decoder. It must not know what a notification is; the
//! readers come next.
//!
//! It is one loop with its own stack: the places in the text stay in registers that way, and each token's
//! place follows from the one before, so that is what the speed hangs on.

use super::defect::{DefectKind, Fault};
use super::keys::{Seen, compare_all, compare_with_others};
use super::layer::{Bare, Cursor, Layer, Wrapped};
use super::redact::{self, Secrecy};
use super::tape::{Node, Scanned, Span, Tape, Token};

/// How deep objects and arrays may lie in each other. Notifications are some ten levels deep.
pub const DEPTH_MAX: usize = 64;
/// How many values a message may have: more than 16 MiB of ordinary notification, 48 MiB of tape.
pub const VALUES_MAX: usize = 2 * 1024 * 1024;
/// A number with fewer bytes than this cannot overflow a double, unless it has an exponent.
const DIGITS_SAFE: usize = 300;
/// How deep notifications usually are; room for more is made when it is needed.
const DEPTH_USUAL: usize = 10;

/// How much room for the text of an envelope is kept until the next message: more than notifications usually have, bulk
/// answers aside.
const TEXT_BYTES_KEPT_MAX: usize = 256 * 1024;

/// Scans a whole text.
pub(super) fn scan(text: &str) -> Result<Tape<'_>, Fault> {
    Scratch::default().scan(text)
}

/// What scanning needs room for, to be used for one message after the other.
#[derive(Default)]
pub(super) struct Scratch {
    found: Scanned,
    frames: Vec<Frame>,
    /// The text that was taken out of an envelope. What is left of earlier messages is written over.
    text: Vec<u8>,
}

impl Scratch {
    /// Scans a whole text.
    pub(super) fn scan<'t>(&mut self, text: &'t str) -> Result<Tape<'t>, Fault> {
        let mut layer = Bare::new(text.as_bytes());
        let mut cursor = run(&mut layer, &mut self.found, &mut self.frames)?;
        if layer.peek(&mut cursor) != 0 || Bare::place(cursor) < text.len() {
            return Err(layer.fault(cursor, DefectKind::Syntax));
        }
        self.found.has_space = cursor.has_space;
        Ok(Tape { text, scanned: std::mem::take(&mut self.found) })
    }

    /// Scans a text that lies as a string in a body, from after the string's quote on: the text, what was found in it, and the
    /// place after the closing quote. Nothing if anything is unusual or wrong: then [`Self::scan`] has to say what.
    pub(super) fn scan_wrapped(&mut self, body: &[u8], at: usize) -> Option<(Tape<'_>, usize)> {
        let mut layer = Wrapped::new(body, at, &mut self.text);
        let mut cursor = run(&mut layer, &mut self.found, &mut self.frames).ok()?;
        layer.peek(&mut cursor);
        let (length, after) = layer.finish(cursor)?;
        let text = std::str::from_utf8(&self.text[..length]).ok()?;
        Some((Tape { text, scanned: std::mem::take(&mut self.found) }, after))
    }

    /// Takes the room back that a tape had.
    pub(super) fn take_back(&mut self, scanned: Scanned) {
        self.found = scanned;
    }

    /// Keeps what a usual message needs, and gives back what one of unusual size took; to be called after each.
    pub(super) fn shrink(&mut self) {
        self.found.shrink();
        if self.text.capacity() > TEXT_BYTES_KEPT_MAX {
            self.text = Vec::new();
        }
    }
}

/// An object or array that has not ended yet.
struct Frame {
    /// Its node.
    container: u32,
    /// The byte that ends it; 0 outside of everything.
    closing: u8,
    /// What its key says about it.
    secrecy: Secrecy,
    /// How many spans were known when it began: those found inside of a secret are part of it.
    secrets: u32,
    parameters: u32,
    /// An object's keys so far.
    seen: Seen,
}

/// The key of the value that comes next; items of arrays have none.
#[derive(Clone, Copy)]
struct Key {
    start: u32,
    end: u32,
    escaped: bool,
    secrecy: Secrecy,
}

const NO_KEY: Key = Key { start: 0, end: 0, escaped: false, secrecy: Secrecy::Plain };

/// Scans one value with all that is inside of it; gives the place after it.
fn run<L: Layer>(layer: &mut L, found: &mut Scanned, frames: &mut Vec<Frame>) -> Result<Cursor, Fault> {
    found.begin(layer.bytes());
    frames.clear();
    frames.reserve(DEPTH_USUAL);
    let mut cursor = layer.start();
    let mut frame = Frame::new(0, 0, Secrecy::Plain, found);
    let mut key = NO_KEY;
    let mut first = layer.peek(&mut cursor);
    loop {
        // The value that begins with `first`, which is next.
        let here = found.nodes.len();
        if here >= VALUES_MAX {
            return Err(layer.fault(cursor, DefectKind::TooManyValues));
        }
        let start = L::place(cursor);
        if let b'{' | b'[' = first {
            if frames.len() >= DEPTH_MAX {
                return Err(layer.fault(cursor, DefectKind::TooDeep));
            }
            let is_object = first == b'{';
            let token = if is_object { Token::Object } else { Token::Array };
            found.nodes.push(node(token, key, start, start, here));
            layer.take(&mut cursor);
            let inner = Frame::new(here, if is_object { b'}' } else { b']' }, key.secrecy, found);
            frames.push(std::mem::replace(&mut frame, inner));
            let next = layer.peek(&mut cursor);
            if next != frame.closing {
                (key, first) = if is_object {
                    take_key(layer, &mut cursor, next, found, &mut frame)?
                } else {
                    (NO_KEY, next)
                };
                continue;
            }
        } else {
            let (token, start, end) = scalar(layer, &mut cursor, first)?;
            found.nodes.push(node(token, key, start, end, here));
            if key.secrecy != Secrecy::Plain {
                hide_scalar(layer.text(), found, key.secrecy);
            }
        }
        // What follows a value, until another one begins.
        loop {
            if frame.closing == 0 {
                return Ok(cursor);
            }
            if let Some(next) = layer.take_mark(&mut cursor, b',') {
                (key, first) = if frame.closing == b'}' {
                    take_key(layer, &mut cursor, next, found, &mut frame)?
                } else {
                    (NO_KEY, next)
                };
                break;
            }
            if layer.byte(cursor) != frame.closing {
                return Err(layer.fault(cursor, DefectKind::Syntax));
            }
            layer.take(&mut cursor);
            frame.close(L::place(cursor), layer.text(), found)?;
            frame = frames.pop().unwrap_or_else(|| Frame::new(0, 0, Secrecy::Plain, found));
        }
    }
}

// Bodies are bounded far below 4 GiB, and so are the nodes: no place is cut short here.
#[inline(always)]
fn node(token: Token, key: Key, start: usize, end: usize, here: usize) -> Node {
    Node {
        token,
        has_escaped_key: key.escaped,
        key_start: key.start,
        key_end: key.end,
        start: start as u32,
        end: end as u32,
        next: here as u32 + 1,
    }
}

impl Frame {
    #[inline(always)]
    fn new(container: usize, closing: u8, secrecy: Secrecy, found: &Scanned) -> Self {
        Self {
            container: container as u32,
            closing,
            secrecy,
            secrets: found.secrets.len() as u32,
            parameters: found.parameters.len() as u32,
            seen: Seen::default(),
        }
    }

    #[inline(always)]
    fn close(&mut self, end: usize, text: &[u8], found: &mut Scanned) -> Result<(), Fault> {
        if self.closing == b'}' && self.seen.were_not_compared() {
            compare_all(text, found, self.container as usize)?;
        }
        let next = found.nodes.len() as u32;
        let node = &mut found.nodes[self.container as usize];
        node.end = end as u32;
        node.next = next;
        if self.secrecy == Secrecy::Secret {
            self.hide(found);
        }
        Ok(())
    }

    /// Leaves one node of a secret object or array, however much was found inside.
    #[cold]
    fn hide(&self, found: &mut Scanned) {
        let container = self.container as usize;
        found.nodes.truncate(container + 1);
        found.secrets.truncate(self.secrets as usize);
        found.parameters.truncate(self.parameters as usize);
        let node = &mut found.nodes[container];
        node.token = Token::Secret;
        node.next = self.container + 1;
        found.secrets.push(Span { start: node.start, end: node.end, whole: true });
    }
}

/// Notes what must not be kept of the last value, which is no container.
#[cold]
fn hide_scalar(text: &[u8], found: &mut Scanned, secrecy: Secrecy) {
    let Some(node) = found.nodes.last_mut() else { return };
    let is_text = matches!(node.token, Token::Text | Token::EscapedText);
    match secrecy {
        Secrecy::Secret if node.token != Token::Null => {
            if is_text {
                // The quotes too: what stands in its place is a whole value.
                node.start -= 1;
                node.end += 1;
            }
            node.token = Token::Secret;
            found.secrets.push(Span { start: node.start, end: node.end, whole: true });
        }
        Secrecy::Address if is_text => {
            redact::secret_parameters(text, node.start, node.end, &mut found.parameters);
        }
        _ => {}
    }
}

/// Takes a key and its colon over; gives the key and the first byte of its value.
#[inline(always)]
fn take_key<L: Layer>(
    layer: &mut L,
    cursor: &mut Cursor,
    first: u8,
    found: &mut Scanned,
    frame: &mut Frame,
) -> Result<(Key, u8), Fault> {
    if first != b'"' {
        return Err(layer.fault(*cursor, DefectKind::Syntax));
    }
    let before = *cursor;
    let escaped = layer.take_string(cursor)?;
    let (start, end) = (L::place(before) + 1, L::place(*cursor) - 1);
    let key = if escaped {
        found.unescape_key(layer.text(), start, end)
    } else {
        layer.source(before, end - start)
    };
    let secrecy = redact::secrecy(key);
    if frame.seen.may_have(key) {
        let key: Box<[u8]> = key.into();
        compare_with_others(layer.text(), found, frame.container as usize, &key, start)?;
    }
    let Some(next) = layer.take_mark(cursor, b':') else {
        return Err(layer.fault(*cursor, DefectKind::Syntax));
    };
    Ok((Key { start: start as u32, end: end as u32, escaped, secrecy }, next))
}

/// Takes a value over that is no container: what it is, and where it starts and ends (a string without its
/// quotes).
#[inline(always)]
fn scalar<L: Layer>(layer: &mut L, cursor: &mut Cursor, first: u8) -> Result<(Token, usize, usize), Fault> {
    let start = L::place(*cursor);
    // The order is that of frequency: comparisons are foreseen better than a jump by a table.
    let token = if first == b'"' {
        let escaped = layer.take_string(cursor)?;
        let token = if escaped { Token::EscapedText } else { Token::Text };
        return Ok((token, start + 1, L::place(*cursor) - 1));
    } else if first == b'n' && layer.take_word(cursor, *b"null") {
        Token::Null
    } else if first == b'f' && layer.take_word(cursor, *b"false") {
        Token::False
    } else if first == b't' && layer.take_word(cursor, *b"true") {
        Token::True
    } else if first == b'-' || first.is_ascii_digit() {
        *cursor = number(layer, *cursor)?;
        Token::Number
    } else {
        return Err(no_value(layer, *cursor));
    };
    Ok((token, start, L::place(*cursor)))
}

#[cold]
fn no_value<L: Layer>(layer: &mut L, cursor: Cursor) -> Fault {
    // Python writes these for floats that are not finite.
    let mut after = cursor;
    let is_float = layer.take_word(&mut after, *b"NaN") || layer.take_word(&mut after, *b"Infinity");
    layer.fault(cursor, if is_float { DefectKind::NumberRange } else { DefectKind::Syntax })
}

fn number<L: Layer>(layer: &mut L, mut cursor: Cursor) -> Result<Cursor, Fault> {
    let start = cursor;
    if layer.byte(cursor) == b'-' {
        layer.take(&mut cursor);
        if layer.take_word(&mut cursor, *b"Infinity") {
            return Err(layer.fault(start, DefectKind::NumberRange));
        }
    }
    let leading_zero = layer.byte(cursor) == b'0';
    if digits(layer, &mut cursor)? > 1 && leading_zero {
        return Err(layer.fault(start, DefectKind::Syntax));
    }
    if layer.byte(cursor) == b'.' {
        layer.take(&mut cursor);
        digits(layer, &mut cursor)?;
    }
    let mut has_exponent = false;
    if let b'e' | b'E' = layer.byte(cursor) {
        has_exponent = true;
        layer.take(&mut cursor);
        if let b'+' | b'-' = layer.byte(cursor) {
            layer.take(&mut cursor);
        }
        digits(layer, &mut cursor)?;
    }
    let (from, to) = (L::place(start), L::place(cursor));
    if has_exponent || to - from >= DIGITS_SAFE {
        let number = std::str::from_utf8(&layer.text()[from..to]).unwrap_or_default();
        if !number.parse::<f64>().is_ok_and(f64::is_finite) {
            return Err(layer.fault(start, DefectKind::NumberRange));
        }
    }
    Ok(cursor)
}

/// One digit or more; how many.
fn digits<L: Layer>(layer: &mut L, cursor: &mut Cursor) -> Result<usize, Fault> {
    let start = L::place(*cursor);
    while layer.byte(*cursor).is_ascii_digit() {
        layer.take(cursor);
    }
    let count = L::place(*cursor) - start;
    if count > 0 { Ok(count) } else { Err(layer.fault(*cursor, DefectKind::Syntax)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> DefectKind {
        scan(text).expect_err(text).kind
    }

    #[test]
    fn accepts_what_json_allows() {
        for text in [
            "null",
            " [ ] ",
            "{}",
            "-0",
            "0.5e-3",
            "1e308",
            "123456789012345678901234567890",
            r#"{"a":[{"b":null},true,false,"x\u00e9\ud83d\ude00"],"A":1}"#,
            "\"é\"",
        ] {
            assert!(scan(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn refuses_what_json_forbids() {
        for text in [
            "",
            " ",
            "nul",
            "nulll",
            "tru",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "\"a",
            "\"\n\"",
            "\"\\x\"",
            "[1]]",
            "[",
            "{",
            "{}{}",
            "'a'",
            "1 2",
            "\u{feff}{}",
            "[1",
            "{\"a\":1",
            "--1",
            "0x1",
            "\"\\u12g4\"",
        ] {
            assert_eq!(kind(text), DefectKind::Syntax, "{text}");
        }
    }

    #[test]
    fn names_what_is_legal_but_dangerous() {
        assert_eq!(kind("1e400"), DefectKind::NumberRange);
        assert_eq!(kind(&"9".repeat(400)), DefectKind::NumberRange);
        for text in ["NaN", "[Infinity]", "{\"a\":-Infinity}"] {
            assert_eq!(kind(text), DefectKind::NumberRange, "{text}");
        }
        assert_eq!(kind(r#""\ud800""#), DefectKind::LoneSurrogate);
        assert_eq!(kind(r#""\udc00""#), DefectKind::LoneSurrogate);
        assert_eq!(kind(r#""\u0000""#), DefectKind::Nul);
        assert_eq!(kind("\"a\u{0}\""), DefectKind::Nul);
        assert_eq!(kind("[1,\u{0}]"), DefectKind::Nul);
        assert_eq!(kind(r#"{"a":1,"b":2,"a":3}"#), DefectKind::DuplicateKey);
        assert_eq!(kind(r#"{"a":1,"\u0061":3}"#), DefectKind::DuplicateKey);
        assert_eq!(kind(&format!("{}1{}", "[".repeat(65), "]".repeat(65))), DefectKind::TooDeep);
        assert!(scan(&format!("{}1{}", "[".repeat(64), "]".repeat(64))).is_ok());
        assert_eq!(kind(&format!("[{}1]", "1,".repeat(VALUES_MAX))), DefectKind::TooManyValues);
    }

    #[test]
    fn finds_a_repeated_key_among_many() {
        let members: Vec<String> =
            (0..5000).map(|i| format!("\"key-{i:08}-tail-that-is-long\":{i}")).collect();
        let text = format!("{{{}}}", members.join(","));
        assert!(scan(&text).is_ok());
        let repeated = format!("{{{},{}}}", members.join(","), members[17]);
        assert_eq!(kind(&repeated), DefectKind::DuplicateKey);
    }

    #[test]
    fn walks_what_it_scanned() {
        let tape = scan(r#"{"a":[1,{"b":"x\ny"}],"c":{},"\u0064":null,"e":true}"#).unwrap();
        let root = tape.root();
        let keys: Vec<_> = root.members().map(|(key, _)| key.to_vec()).collect();
        assert_eq!(keys, [b"a", b"c", b"d", b"e"]);
        let inner = root.get("a").unwrap().items().nth(1).unwrap().get("b").unwrap();
        assert_eq!(inner.text().unwrap(), "x\ny");
        assert_eq!(tape.path(inner.at), "a[1].b");
        assert_eq!(tape.path(root.at), "the top");
        assert!(root.get("d").is_none());
        assert_eq!(root.get("a").unwrap().items().next().unwrap().number(), Some("1"));
    }
}
