//! The scanner: JSON, strictly, in one pass, onto a [`Tape`].
//!
//! It refuses what two readers could read differently (a key twice, lone surrogates, NUL, numbers that are no finite double,
//! garbage at the end) and what would cost too much (depth, number of values). While it is at it, it notes the values that
//! must not leave the decoder. It must not know what a notification is; the readers come next.

use super::defect::{DefectKind, Fault};
use super::escape;
use super::redact::{self, Secrecy};
use super::tape::{Node, Span, Tape, Token};

/// How deep objects and arrays may lie in each other. Notifications are some ten levels deep, and the recursion here is one
/// small frame per level.
pub const DEPTH_MAX: usize = 64;
/// How many keys and values a message may have: more than 16 MiB of ordinary notification, 32 MiB of tape.
pub const VALUES_MAX: usize = 2 * 1024 * 1024;
/// Objects with more keys than this are checked for repetition by sorting when they end, not by comparing.
const KEYS_COMPARED_MAX: u32 = 64;
/// A number with fewer bytes than this cannot overflow a double, unless it has an exponent.
const DIGITS_SAFE: usize = 300;

/// Scans a whole text.
pub(super) fn scan(text: &str) -> Result<Tape<'_>, Fault> {
    let tape = Tape {
        text,
        // Measured on recorded notifications: a node per 9 bytes.
        nodes: Vec::with_capacity(text.len().min(1 << 20) / 8 + 8),
        keys: Vec::new(),
        secrets: Vec::new(),
        parameters: Vec::new(),
        has_space: false,
    };
    let mut scanner = Scanner { bytes: text.as_bytes(), at: 0, tape };
    scanner.peek();
    scanner.value(0)?;
    scanner.peek();
    if scanner.at < text.len() {
        return Err(escape::unexpected(scanner.bytes, scanner.at));
    }
    Ok(scanner.tape)
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    tape: Tape<'a>,
}

/// Keys of one object seen so far: a filter of 256 bits says for most keys at once that they are new.
#[derive(Default)]
struct Seen {
    filter: [u64; 4],
    count: u32,
}

impl Seen {
    /// Adds a key by its hash; true when one like it may be there.
    fn add(&mut self, hash: u64) -> bool {
        let (slot, bit) = (hash as usize % 4, 1 << (hash >> 2 & 63));
        let before = self.filter[slot];
        self.filter[slot] |= bit;
        self.count += 1;
        before & bit != 0
    }
}

impl<'a> Scanner<'a> {
    /// The next byte that is no white space; 0 at the end (and for a NUL, which no rule accepts either).
    fn peek(&mut self) -> u8 {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => {
                    self.tape.has_space = true;
                    self.at += 1;
                }
                Some(&byte) => return byte,
                None => return 0,
            }
        }
    }

    #[cold]
    fn unexpected(&self) -> Fault {
        escape::unexpected(self.bytes, self.at)
    }

    fn push(&mut self, token: Token, start: usize, end: usize) -> Result<(), Fault> {
        let here = self.tape.nodes.len();
        if here >= VALUES_MAX {
            return Err(Fault::byte(DefectKind::TooManyValues, start));
        }
        // Bodies are bounded far below 4 GiB, and so are nodes.
        let node = Node { token, start: start as u32, end: end as u32, next: here as u32 + 1 };
        self.tape.nodes.push(node);
        Ok(())
    }

    fn close(&mut self, container: usize) {
        self.at += 1;
        let next = self.tape.nodes.len() as u32;
        let node = &mut self.tape.nodes[container];
        node.end = self.at as u32;
        node.next = next;
    }

    fn value(&mut self, depth: usize) -> Result<(), Fault> {
        match self.bytes.get(self.at) {
            Some(b'"') => {
                let (start, escaped) = self.string()?;
                let token = if escaped { Token::EscapedText } else { Token::Text };
                self.push(token, start, self.at - 1)
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'n') => self.literal(b"null", Token::Null),
            Some(b't') => self.literal(b"true", Token::True),
            Some(b'f') => self.literal(b"false", Token::False),
            Some(b'-' | b'0'..=b'9') => self.number(),
            // Python writes these for floats that are not finite.
            Some(b'N' | b'I') if self.starts(b"NaN") || self.starts(b"Infinity") => {
                Err(Fault::byte(DefectKind::NumberRange, self.at))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn starts(&self, word: &[u8]) -> bool {
        self.bytes[self.at..].starts_with(word)
    }

    fn literal(&mut self, word: &[u8], token: Token) -> Result<(), Fault> {
        if !self.starts(word) {
            return Err(self.unexpected());
        }
        let start = self.at;
        self.at += word.len();
        self.push(token, start, self.at)
    }

    /// A string from its quote on: where its text starts, and whether it has escapes. Leaves off after the closing quote.
    fn string(&mut self) -> Result<(usize, bool), Fault> {
        let start = self.at + 1;
        let special = escape::find_special(self.bytes, start);
        let escaped = self.bytes.get(special) != Some(&b'"');
        let end = if escaped { escape::check(self.bytes, special)? } else { special };
        self.at = end + 1;
        Ok((start, escaped))
    }

    fn number(&mut self) -> Result<(), Fault> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
            if self.starts(b"Infinity") {
                return Err(Fault::byte(DefectKind::NumberRange, start));
            }
        }
        let leading_zero = self.bytes.get(self.at) == Some(&b'0');
        let digits = self.digits()?;
        if leading_zero && digits > 1 {
            return Err(Fault::byte(DefectKind::Syntax, start));
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        let mut has_exponent = false;
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            has_exponent = true;
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        if has_exponent || self.at - start >= DIGITS_SAFE {
            let digits = self.tape.text.get(start..self.at).unwrap_or_default();
            if !digits.parse::<f64>().is_ok_and(f64::is_finite) {
                return Err(Fault::byte(DefectKind::NumberRange, start));
            }
        }
        self.push(Token::Number, start, self.at)
    }

    /// One digit or more; how many.
    fn digits(&mut self) -> Result<usize, Fault> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        if self.at > start { Ok(self.at - start) } else { Err(self.unexpected()) }
    }

    fn array(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::byte(DefectKind::TooDeep, self.at));
        }
        let container = self.tape.nodes.len();
        self.push(Token::Array, self.at, self.at)?;
        self.at += 1;
        if self.peek() != b']' {
            loop {
                self.peek();
                self.value(depth)?;
                match self.peek() {
                    b',' => self.at += 1,
                    b']' => break,
                    _ => return Err(self.unexpected()),
                }
            }
        }
        self.close(container);
        Ok(())
    }

    fn object(&mut self, depth: usize) -> Result<(), Fault> {
        if depth > DEPTH_MAX {
            return Err(Fault::byte(DefectKind::TooDeep, self.at));
        }
        let container = self.tape.nodes.len();
        self.push(Token::Object, self.at, self.at)?;
        self.at += 1;
        if self.peek() != b'}' {
            let mut seen = Seen::default();
            loop {
                if self.peek() != b'"' {
                    return Err(self.unexpected());
                }
                let secrecy = self.key(container, &mut seen)?;
                if self.peek() != b':' {
                    return Err(self.unexpected());
                }
                self.at += 1;
                self.peek();
                match secrecy {
                    Secrecy::Plain => self.value(depth)?,
                    Secrecy::Secret => self.secret(depth)?,
                    Secrecy::Address => self.address(depth)?,
                }
                match self.peek() {
                    b',' => self.at += 1,
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

    fn key(&mut self, container: usize, seen: &mut Seen) -> Result<Secrecy, Fault> {
        let (start, escaped) = self.string()?;
        let here = self.tape.nodes.len();
        self.push(Token::Key, start, self.at - 1)?;
        if escaped {
            let text = escape::unescape(self.tape.text.get(start..self.at - 1).unwrap_or_default());
            let node = &mut self.tape.nodes[here];
            node.token = Token::EscapedKey;
            node.next = self.tape.keys.len() as u32;
            self.tape.keys.push(text.into());
        }
        let key = self.tape.key(here as u32);
        let secrecy = redact::secrecy(key);
        let may_repeat = seen.add(hash(key));
        if may_repeat && seen.count <= KEYS_COMPARED_MAX {
            let mut other = container + 1;
            while other < here {
                if self.tape.key(other as u32) == key {
                    return Err(Fault::byte(DefectKind::DuplicateKey, start - 1));
                }
                other = self.tape.nodes[other + 1].next as usize;
            }
        }
        Ok(secrecy)
    }

    fn compare_all_keys(&self, container: usize) -> Result<(), Fault> {
        let mut keys = Vec::new();
        let mut at = container + 1;
        while at < self.tape.nodes.len() {
            keys.push((self.tape.key(at as u32), at));
            at = self.tape.nodes[at + 1].next as usize;
        }
        keys.sort_unstable();
        match keys.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => {
                let second = self.tape.nodes[pair[1].1];
                Err(Fault::byte(DefectKind::DuplicateKey, second.start as usize - 1))
            }
            None => Ok(()),
        }
    }

    /// A value under a key that names a secret: checked like any other, then one node in its place.
    fn secret(&mut self, depth: usize) -> Result<(), Fault> {
        let (here, start) = (self.tape.nodes.len(), self.at);
        let (secrets, parameters) = (self.tape.secrets.len(), self.tape.parameters.len());
        self.value(depth)?;
        if self.tape.nodes[here].token == Token::Null {
            return Ok(());
        }
        self.tape.nodes.truncate(here);
        self.tape.secrets.truncate(secrets);
        self.tape.parameters.truncate(parameters);
        self.tape.secrets.push(Span { start: start as u32, end: self.at as u32, whole: true });
        self.push(Token::Secret, start, self.at)
    }

    /// A value under a key that names an address of the web, whose parameters may be secrets.
    fn address(&mut self, depth: usize) -> Result<(), Fault> {
        let here = self.tape.nodes.len();
        self.value(depth)?;
        let node = self.tape.nodes[here];
        if matches!(node.token, Token::Text | Token::EscapedText) {
            redact::secret_parameters(self.bytes, node.start, node.end, &mut self.tape.parameters);
        }
        Ok(())
    }
}

/// A hash of a key that tells OpenStack's keys apart: from its length, its first and its last eight bytes.
fn hash(key: &[u8]) -> u64 {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (first, last) = match key.len() {
        8.. => (escape::word(key, 0).unwrap_or(0), escape::word(key, key.len() - 8).unwrap_or(0)),
        _ => (key.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 0),
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
