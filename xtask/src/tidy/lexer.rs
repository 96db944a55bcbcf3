//! Rust source as tokens: enough to see paths, macros, attributes and strings, and what is test code.
//!
//! Comments vanish, so that a rule can be named in a comment without breaking it. This is no parser: it knows brackets and
//! items only as far as needed to find where an item under `#[cfg(test)]` or `#[test]` ends.

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or keyword.
    Word(String),
    /// The contents of a string literal of any sort, escapes as written.
    Text(String),
    /// `::`.
    PathSeparator,
    /// Any other character.
    Sign(char),
}

/// A token and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// What it is.
    pub(crate) kind: Kind,
    /// Its line, from 1.
    pub(crate) line: usize,
    /// Whether it belongs to a test.
    pub(crate) in_test: bool,
}

impl Token {
    /// The word, when it is one.
    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Whether it is this character.
    pub(crate) fn is(&self, sign: char) -> bool {
        self.kind == Kind::Sign(sign)
    }
}

/// A Rust file.
#[derive(Debug, Default)]
pub(crate) struct Source {
    /// All tokens in order.
    pub(crate) tokens: Vec<Token>,
    /// Modules in files of their own that are declared under `#[cfg(test)]`.
    pub(crate) test_modules: Vec<String>,
}

impl Source {
    /// Splits a text into tokens; any text will do.
    pub(crate) fn new(text: &str) -> Self {
        let tokens = Lexer { rest: text.chars().collect(), at: 0, line: 1, tokens: Vec::new() }.run();
        let mut source = Self { tokens, test_modules: Vec::new() };
        source.mark_tests();
        source
    }

    /// Says that the whole file is a test.
    pub(crate) fn mark_all_as_test(&mut self) {
        for token in &mut self.tokens {
            token.in_test = true;
        }
    }

    fn mark_tests(&mut self) {
        let mut at = 0;
        while at < self.tokens.len() {
            let Some((inner, end)) = self.attribute(at) else {
                at += 1;
                continue;
            };
            if !self.means_test(at, end) {
                at = end;
            } else if inner {
                return self.mark_all_as_test();
            } else {
                let item_end = self.item_end(end);
                self.note_test_module(end, item_end);
                for token in &mut self.tokens[at..item_end] {
                    token.in_test = true;
                }
                at = item_end;
            }
        }
    }

    /// Whether an attribute begins here, an inner one (`#!`), and where it ends.
    fn attribute(&self, at: usize) -> Option<(bool, usize)> {
        let sign = |at: usize, sign| self.tokens.get(at).is_some_and(|token| token.is(sign));
        if !sign(at, '#') {
            return None;
        }
        let inner = sign(at + 1, '!');
        let open = at + 1 + usize::from(inner);
        sign(open, '[').then(|| (inner, self.closing(open)))
    }

    /// `#[test]`, `#[tokio::test]`, `#[cfg(test)]`, `#[cfg(all(test, …))]`; not `#[cfg(not(test))]`.
    fn means_test(&self, start: usize, end: usize) -> bool {
        let words: Vec<&str> = self.tokens[start..end].iter().filter_map(Token::word).collect();
        match words.first() {
            Some(&"cfg") => words.contains(&"test") && !words.contains(&"not"),
            Some(&"cfg_attr") | None => false,
            Some(_) => {
                let path = self.tokens[start..end].iter().filter(|token| !token.is('#') && !token.is('['));
                let path: Vec<&Token> = path.take_while(|token| !token.is('(') && !token.is(']')).collect();
                path.last().and_then(|token| token.word()) == Some("test")
            }
        }
    }

    fn item_end(&self, mut at: usize) -> usize {
        while let Some((_, end)) = self.attribute(at) {
            at = end;
        }
        let ends_at_comma = !self.is_item(at);
        while let Some(token) = self.tokens.get(at) {
            match token.kind {
                Kind::Sign('{') => return self.closing(at),
                Kind::Sign('(' | '[') => at = self.closing(at),
                Kind::Sign(';') => return at + 1,
                Kind::Sign(',') if ends_at_comma => return at + 1,
                Kind::Sign('}' | ')' | ']') => return at,
                _ => at += 1,
            }
        }
        at
    }

    /// Whether an item begins here, rather than a field, a variant or an argument, which end at a comma.
    fn is_item(&self, mut at: usize) -> bool {
        if self.tokens.get(at).and_then(Token::word) == Some("pub") {
            at += 1;
            if self.tokens.get(at).is_some_and(|token| token.is('(')) {
                at = self.closing(at);
            }
        }
        let items =
            "mod fn struct enum union trait impl type use const static extern async unsafe macro_rules let";
        self.tokens
            .get(at)
            .and_then(Token::word)
            .is_some_and(|word| items.split(' ').any(|item| item == word))
    }

    /// The position behind the bracket that closes the one here.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                Kind::Sign('(' | '[' | '{') => depth += 1,
                Kind::Sign(')' | ']' | '}') => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        return at + 1;
                    }
                }
                _ => {}
            }
        }
        self.tokens.len()
    }

    fn note_test_module(&mut self, start: usize, end: usize) {
        let tokens = &self.tokens[start..end];
        let Some(at) = tokens.iter().position(|token| token.word() == Some("mod")) else { return };
        if let (Some(name), Some(next)) = (tokens.get(at + 1).and_then(Token::word), tokens.get(at + 2))
            && next.is(';')
        {
            self.test_modules.push(name.to_owned());
        }
    }
}

struct Lexer {
    rest: Vec<char>,
    at: usize,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer {
    fn run(mut self) -> Vec<Token> {
        while let Some(now) = self.peek(0) {
            match (now, self.peek(1)) {
                ('/', Some('/')) => self.skip_while(|character| character != '\n'),
                ('/', Some('*')) => self.block_comment(),
                ('"', _) => self.string(),
                ('\'', _) => self.quote(),
                (':', Some(':')) => {
                    self.push(Kind::PathSeparator);
                    self.at += 2;
                }
                _ if now.is_alphabetic() || now == '_' => self.word(),
                _ if now.is_ascii_digit() => self.skip_while(|digit| digit.is_alphanumeric() || digit == '_'),
                _ if now.is_whitespace() => {
                    self.next();
                }
                _ => {
                    self.push(Kind::Sign(now));
                    self.at += 1;
                }
            }
        }
        self.tokens
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(next == '\n');
        Some(next)
    }

    fn push(&mut self, kind: Kind) {
        self.tokens.push(Token { kind, line: self.line, in_test: false });
    }

    fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek(0).is_some_and(&wanted) {
            self.next();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some('/'), Some('*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some('*'), Some('/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                (Some(_), _) => {
                    self.next();
                }
                (None, _) => return,
            }
        }
    }

    fn string(&mut self) {
        let line = self.line;
        let mut text = String::new();
        self.next();
        while let Some(next) = self.next() {
            match next {
                '"' => break,
                '\\' => {
                    text.push(next);
                    text.extend(self.next());
                }
                _ => text.push(next),
            }
        }
        self.tokens.push(Token { kind: Kind::Text(text), line, in_test: false });
    }

    fn raw_string(&mut self) {
        let line = self.line;
        let mut hashes = 0;
        while self.peek(0) == Some('#') {
            self.at += 1;
            hashes += 1;
        }
        self.next();
        let mut text = String::new();
        while let Some(next) = self.next() {
            if next == '"' && (0..hashes).all(|ahead| self.peek(ahead) == Some('#')) {
                self.at += hashes;
                break;
            }
            text.push(next);
        }
        self.tokens.push(Token { kind: Kind::Text(text), line, in_test: false });
    }

    /// A character, or the name of a lifetime.
    fn quote(&mut self) {
        self.at += 1;
        match (self.peek(0), self.peek(1)) {
            (Some('\\'), _) => {
                self.at += 2;
                self.skip_while(|character| character != '\'' && character != '\n');
                self.at += 1;
            }
            (Some(_), Some('\'')) => {
                self.next();
                self.at += 1;
            }
            _ => self.skip_while(|letter| letter.is_alphanumeric() || letter == '_'),
        }
    }

    fn word(&mut self) {
        let mut word = String::new();
        while let Some(letter) = self.peek(0).filter(|letter| letter.is_alphanumeric() || *letter == '_') {
            word.push(letter);
            self.at += 1;
        }
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == Some('#')).count();
        match (word.as_str(), self.peek(0), self.peek(hashes)) {
            ("b" | "c", Some('"'), _) => self.string(),
            ("b", Some('\''), _) => self.quote(),
            ("r" | "br" | "cr", _, Some('"')) => self.raw_string(),
            // A raw identifier: the word behind `r#` counts.
            ("r", Some('#'), Some(_)) => self.at += 1,
            _ => self.push(Kind::Word(word)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Source::new(text).tokens.iter().filter_map(|token| token.word().map(str::to_owned)).collect()
    }

    fn tested(text: &str) -> Vec<String> {
        let source = Source::new(text);
        let tested = source.tokens.iter().filter(|token| token.in_test);
        tested.filter_map(|token| token.word().map(str::to_owned)).collect()
    }

    #[test]
    fn comments_strings_and_characters_hide_words() {
        let text = r##"a /* b /* c */ d */ "e \" f" r#"g " h"# b"i" 'j' '\'' '\u{1F600}' 'k: l // m
            r#type b'\\' n"##;
        assert_eq!(words(text), ["a", "l", "type", "n"]);
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let source = Source::new("/*\n*/ \"\n\" r\"\n\"\n'x' a");
        assert_eq!(source.tokens.last().map(|token| token.line), Some(5));
    }

    #[test]
    fn unfinished_text_ends_quietly() {
        for text in ["\"a", "r#\"a", "/* a", "'", "'\\", "b'", "#[cfg(test)]", "#[cfg(test)] mod", "#", "r#"]
        {
            assert!(Source::new(text).tokens.len() < 9, "{text}");
        }
    }

    #[test]
    fn tests_end_where_their_item_ends() {
        assert_eq!(
            tested("#[cfg(test)] mod t { fn a() {} } fn b() {}"),
            ["cfg", "test", "mod", "t", "fn", "a"]
        );
        assert_eq!(tested("#[cfg(test)] use a::b; use c;"), ["cfg", "test", "use", "a", "b"]);
        assert_eq!(tested("struct S { #[cfg(test)] a: u8, b: u8 }"), ["cfg", "test", "a", "u8"]);
        assert_eq!(
            tested("#[tokio::test] #[x] async fn a(b: [u8; 2]) { c } d"),
            ["tokio", "test", "x", "async", "fn", "a", "b", "u8", "c"]
        );
        assert_eq!(tested("#[cfg(not(test))] fn a() {} #[derive(Debug)] struct Test;"), [""; 0]);
        assert_eq!(tested("#![cfg(test)] fn a() {}"), ["cfg", "test", "fn", "a"]);
    }

    #[test]
    fn test_modules_in_other_files_are_noted() {
        let source = Source::new("#[cfg(test)]\npub(crate) mod story;\n#[cfg(test)] mod tests { }");
        assert_eq!(source.test_modules, ["story"]);
    }
}
