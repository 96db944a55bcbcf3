//! The scanner: JSON, strictly, in one pass, onto a [`Tape`].
//!
//! It refuses what two readers could read differently (a key twice, lone surrogates, NUL, numbers that are no
//! finite double, garbage at the end) and what would cost too much (depth, number of values). While it is at
//! it, it notes the values that must not leave the decoder. It must not know what a notification is; the
//! readers come next.

use super::defect::{DefectKind, Fault};
use super::escape;
use super::layer::{Bare, Layer, Wrapped};
use super::redact::{self, Secrecy};
use super::tape::{Node, Scanned, Span, Tape, Token};

/// How deep objects and arrays may lie in each other. Notifications are some ten levels deep, and the
/// recursion here is one small frame per level.
pub const DEPTH_MAX: usize = 64;
/// How many keys and values a message may have: more than 16 MiB of ordinary notification, 32 MiB of tape.
pub const VALUES_MAX: usize = 2 * 1024 * 1024;
/// Objects with more keys than this are checked for repetition by sorting when they end, not by comparing.
const KEYS_COMPARED_MAX: u32 = 64;
/// A number with fewer bytes than this cannot overflow a double, unless it has an exponent.
const DIGITS_SAFE: usize = 300;

/// Scans a whole text.
pub(super) fn scan(text: &str) -> Result<Tape<'_>, Fault> {
    let bytes = text.as_bytes();
    let mut scanner = Scanner::new(Bare::new(bytes), bytes.len());
    scanner.whole()?;
    if scanner.layer.peek() != 0 || scanner.layer.place() < bytes.len() {
        return Err(scanner.unexpected());
    }
    Ok(Tape { text, scanned: scanner.finish().1 })
}

/// Scans a text that lies as a string in a body, from after the string's quote on: the text, what was found
/// in it, and the place after the closing quote. Nothing if anything is unusual or wrong: then [`scan`] has
/// to say what.
pub(super) fn scan_wrapped(body: &[u8], at: usize) -> Option<(String, Scanned, usize)> {
    let mut scanner = Scanner::new(Wrapped::new(body, at), body.len());
    scanner.whole().ok()?;
    let (layer, scanned) = scanner.finish();
    let (text, after) = layer.finish()?;
    Some((text, scanned, after))
}

struct Scanner<L> {
    layer: L,
    found: Scanned,
}

/// Keys of one object seen so far: a filter of 512 bits says for most keys at once that they are new.
#[derive(Default)]
struct Seen {
    filter: [u64; 8],
    count: u32,
}

impl Seen {
    /// Adds a key by its hash; true when one like it may be there.
    fn add(&mut self, hash: u64) -> bool {
        let (slot, bit) = (hash as usize % 8, 1 << (hash >> 3 & 63));
        let before = self.filter[slot];
        self.filter[slot] |= bit;
        self.count += 1;
        before & bit != 0
    }
}

impl<L: Layer> Scanner<L> {
    fn new(layer: L, bytes: usize) -> Self {
        let found = Scanned {
            // Measured on recorded notifications: a node per 9 bytes.
            nodes: Vec::with_capacity(bytes.min(1 << 20) / 8 + 8),
            keys: Vec::new(),
            secrets: Vec::new(),
            parameters: Vec::new(),
            has_space: false,
        };
        Self { layer, found }
    }

    fn whole(&mut self) -> Result<(), Fault> {
        let first = self.layer.peek();
        self.value(first, 0)?;
        self.layer.peek();
        Ok(())
    }

    fn finish(self) -> (L, Scanned) {
        let mut found = self.found;
        found.has_space = self.layer.has_space();
        (self.layer, found)
    }

    #[cold]
    fn unexpected(&self) -> Fault {
        self.layer.fault(DefectKind::Syntax)
    }

    #[inline]
    fn push(&mut self, token: Token, start: usize, end: usize) -> Result<(), Fault> {
        let here = self.found.nodes.len();
        if here >= VALUES_MAX {
            return Err(self.layer.fault(DefectKind::TooManyValues));
        }
        // Bodies are bounded far below 4 GiB, and so are nodes.
        let node = Node { token, start: start as u32, end: end as u32, next: here as u32 + 1 };
        self.found.nodes.push(node);
        Ok(())
    }

    fn open(&mut self, token: Token, depth: usize) -> Result<usize, Fault> {
        if depth > DEPTH_MAX {
            return Err(self.layer.fault(DefectKind::TooDeep));
        }
        let (container, place) = (self.found.nodes.len(), self.layer.place());
        self.push(token, place, place)?;
        self.layer.take();
        Ok(container)
    }

    fn close(&mut self, container: usize) {
        self.layer.take();
        let next = self.found.nodes.len() as u32;
        let node = &mut self.found.nodes[container];
        node.end = self.layer.place() as u32;
        node.next = next;
    }

    /// The value that begins with this byte, which is next.
    #[inline]
    fn value(&mut self, first: u8, depth: usize) -> Result<(), Fault> {
        // The order is that of frequency: comparisons are foreseen better than a jump by a table.
        if first == b'"' {
            let (start, end, escaped) = self.layer.take_string()?;
            self.push(if escaped { Token::EscapedText } else { Token::Text }, start, end)
        } else if first == b'n' {
            self.literal(b"null", Token::Null)
        } else if first == b'f' {
            self.literal(b"false", Token::False)
        } else if first == b't' {
            self.literal(b"true", Token::True)
        } else if first == b'{' {
            self.object(depth + 1)
        } else if first == b'[' {
            self.array(depth + 1)
        } else if first == b'-' || first.is_ascii_digit() {
            self.number()
        } else {
            self.no_value(first)
        }
    }

    #[cold]
    fn no_value(&mut self, first: u8) -> Result<(), Fault> {
        let range = self.layer.fault(DefectKind::NumberRange);
        // Python writes these for floats that are not finite.
        let is_float = matches!(first, b'N' | b'I')
            && (self.layer.take_word(b"NaN") || self.layer.take_word(b"Infinity"));
        Err(if is_float { range } else { self.unexpected() })
    }

    #[inline]
    fn literal(&mut self, word: &[u8], token: Token) -> Result<(), Fault> {
        let start = self.layer.place();
        if !self.layer.take_word(word) {
            return Err(self.unexpected());
        }
        self.push(token, start, self.layer.place())
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.layer.place();
        if self.layer.byte() == b'-' {
            self.layer.take();
            if self.layer.take_word(b"Infinity") {
                return Err(Fault::byte(DefectKind::NumberRange, start));
            }
        }
        let leading_zero = self.layer.byte() == b'0';
        let digits = self.digits()?;
        if leading_zero && digits > 1 {
            return Err(self.unexpected());
        }
        if self.layer.byte() == b'.' {
            self.layer.take();
            self.digits()?;
        }
        let mut has_exponent = false;
        if let b'e' | b'E' = self.layer.byte() {
            has_exponent = true;
            self.layer.take();
            if let b'+' | b'-' = self.layer.byte() {
                self.layer.take();
            }
            self.digits()?;
        }
        let end = self.layer.place();
        if has_exponent || end - start >= DIGITS_SAFE {
            let number = std::str::from_utf8(&self.layer.text()[start..end]).unwrap_or_default();
            if !number.parse::<f64>().is_ok_and(f64::is_finite) {
                return Err(Fault::byte(DefectKind::NumberRange, start));
            }
        }
        self.push(Token::Number, start, end)
    }

    /// One digit or more; how many.
    fn digits(&mut self) -> Result<usize, Fault> {
        let start = self.layer.place();
        while let b'0'..=b'9' = self.layer.byte() {
            self.layer.take();
        }
        let count = self.layer.place() - start;
        if count > 0 { Ok(count) } else { Err(self.unexpected()) }
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        let container = self.open(Token::Array, depth)?;
        if self.layer.peek() != b']' {
            loop {
                let first = self.layer.peek();
                self.value(first, depth)?;
                match self.layer.peek() {
                    b',' => self.layer.take(),
                    b']' => break,
                    _ => return Err(self.unexpected()),
                }
            }
        }
        self.close(container);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        let container = self.open(Token::Object, depth)?;
        if self.layer.peek() != b'}' {
            let mut seen = Seen::default();
            loop {
                if self.layer.peek() != b'"' {
                    return Err(self.unexpected());
                }
                let secrecy = self.key(container, &mut seen)?;
                let Some(first) = self.layer.take_colon() else { return Err(self.unexpected()) };
                match secrecy {
                    Secrecy::Plain => self.value(first, depth)?,
                    Secrecy::Secret => self.secret(first, depth)?,
                    Secrecy::Address => self.address(first, depth)?,
                }
                match self.layer.peek() {
                    b',' => self.layer.take(),
                    b'}' => break,
                    _ => return Err(self.unexpected()),
                }
            }
            if seen.count > KEYS_COMPARED_MAX {
                self.compare_all_keys(container)?;
            }
        }
        self.close(container);
        Ok(())
    }

    /// The text of a key on the tape so far.
    fn key_text(&self, at: usize) -> &[u8] {
        let node = self.found.nodes[at];
        match node.token {
            Token::EscapedKey => self.found.keys[node.next as usize].as_bytes(),
            _ => &self.layer.text()[node.start as usize..node.end as usize],
        }
    }

    #[inline]
    fn key(&mut self, container: usize, seen: &mut Seen) -> Result<Secrecy, Fault> {
        let (start, end, escaped) = self.layer.take_string()?;
        let here = self.found.nodes.len();
        self.push(Token::Key, start, end)?;
        if escaped {
            self.unescape_key(here);
        }
        let key = self.key_text(here);
        let may_repeat = seen.add(hash(key));
        let secrecy = redact::secrecy(key);
        if may_repeat && seen.count <= KEYS_COMPARED_MAX {
            self.compare_key(container, here)?;
        }
        Ok(secrecy)
    }

    #[cold]
    fn unescape_key(&mut self, at: usize) {
        let node = &mut self.found.nodes[at];
        let raw = &self.layer.text()[node.start as usize..node.end as usize];
        let text = escape::unescape(std::str::from_utf8(raw).unwrap_or_default());
        node.token = Token::EscapedKey;
        node.next = self.found.keys.len() as u32;
        self.found.keys.push(text.into());
    }

    fn repeated(&self, at: usize) -> Fault {
        Fault::byte(DefectKind::DuplicateKey, self.found.nodes[at].start as usize - 1)
    }

    /// Compares a key with those before it in its object.
    fn compare_key(&self, container: usize, at: usize) -> Result<(), Fault> {
        let key = self.key_text(at);
        let mut other = container + 1;
        while other < at {
            if self.key_text(other) == key {
                return Err(self.repeated(at));
            }
            other = self.found.nodes[other + 1].next as usize;
        }
        Ok(())
    }

    #[cold]
    fn compare_all_keys(&self, container: usize) -> Result<(), Fault> {
        let mut keys = Vec::new();
        let mut at = container + 1;
        while at < self.found.nodes.len() {
            keys.push((self.key_text(at), at));
            at = self.found.nodes[at + 1].next as usize;
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => Err(self.repeated(pair[1].1)),
            None => Ok(()),
        }
    }

    /// A value under a key that names a secret: checked like any other, then one node in its place.
    fn secret(&mut self, first: u8, depth: usize) -> Result<(), Fault> {
        let (here, start) = (self.found.nodes.len(), self.layer.place());
        let (secrets, parameters) = (self.found.secrets.len(), self.found.parameters.len());
        self.value(first, depth)?;
        if self.found.nodes[here].token == Token::Null {
            return Ok(());
        }
        let end = self.layer.place();
        self.found.nodes.truncate(here);
        self.found.secrets.truncate(secrets);
        self.found.parameters.truncate(parameters);
        self.found.secrets.push(Span { start: start as u32, end: end as u32, whole: true });
        self.push(Token::Secret, start, end)
    }

    /// A value under a key that names an address of the web, whose parameters may be secrets.
    fn address(&mut self, first: u8, depth: usize) -> Result<(), Fault> {
        let here = self.found.nodes.len();
        self.value(first, depth)?;
        let node = self.found.nodes[here];
        if matches!(node.token, Token::Text | Token::EscapedText) {
            redact::secret_parameters(self.layer.text(), node.start, node.end, &mut self.found.parameters);
        }
        Ok(())
    }
}

/// A hash of a key that tells OpenStack's keys apart: from its length, its first and its last bytes.
#[inline]
fn hash(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
        _ => match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            (Some(first), Some(last)) => {
                (u32::from_le_bytes(*first).into(), u32::from_le_bytes(*last).into())
            }
            _ => (key.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
        },
    };
    let mixed = (first ^ last.rotate_left(23) ^ key.len() as u64).wrapping_mul(FACTOR);
    mixed >> 52
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
