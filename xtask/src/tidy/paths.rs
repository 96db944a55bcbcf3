//! Paths in Rust source (`a::b::c`), with `use` groups written out, and where each leads to among a crate's modules.

use super::lexer::{Kind, Source, Token};

/// One path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RustPath {
    /// Its words; a glob's last is `*`.
    pub(crate) segments: Vec<String>,
    /// The line of its last word.
    pub(crate) line: usize,
    /// Whether test code names it.
    pub(crate) in_test: bool,
    /// Whether a `!` follows: a macro is called.
    pub(crate) is_macro: bool,
    /// The modules within the file (`mod x { … }`) in which it stands.
    modules: Vec<String>,
}

impl RustPath {
    /// Whether it begins with these words, written with `::`.
    pub(crate) fn begins(&self, prefix: &str) -> bool {
        let mut segments = self.segments.iter();
        prefix.split("::").all(|wanted| segments.next().is_some_and(|segment| segment == wanted))
    }

    /// Whether one of its words is this one.
    pub(crate) fn has(&self, word: &str) -> bool {
        self.segments.iter().any(|segment| segment == word)
    }

    /// Its last word.
    pub(crate) fn last(&self) -> &str {
        self.segments.last().map_or("", String::as_str)
    }

    /// The path as one writes it.
    pub(crate) fn shown(&self) -> String {
        self.segments.join("::")
    }

    /// What it names at the crate's root, when it leads there by `crate` or enough `super`; `file` are the file's own modules.
    pub(crate) fn at_root(&self, file: &[&str]) -> Option<&str> {
        let up = match self.segments.first()?.as_str() {
            "crate" => return self.segments.get(1).map(String::as_str),
            "super" => self.segments.iter().take_while(|segment| *segment == "super").count(),
            _ => return None,
        };
        let depth = file.len() + self.modules.len();
        (up == depth).then(|| self.segments.get(up).map(String::as_str)).flatten()
    }
}

/// All paths of a file in order, also those of one word.
pub(crate) fn paths(source: &Source) -> Vec<RustPath> {
    let mut reader = Reader { tokens: &source.tokens, modules: Vec::new(), depth: 0, paths: Vec::new() };
    let mut at = 0;
    while at < reader.tokens.len() {
        at = reader.step(at);
    }
    reader.paths
}

struct Reader<'a> {
    tokens: &'a [Token],
    /// The modules that are open here, each with the depth of brackets outside it.
    modules: Vec<(String, usize)>,
    depth: usize,
    paths: Vec<RustPath>,
}

impl Reader<'_> {
    fn step(&mut self, at: usize) -> usize {
        match &self.tokens[at].kind {
            Kind::Word(word) => {
                if word == "mod"
                    && let Some(name) = self.tokens.get(at + 1).and_then(Token::word)
                    && self.is(at + 2, '{')
                {
                    self.modules.push((name.to_owned(), self.depth));
                }
                // A field or method is no path; a path may follow `..`, though.
                if at > 0 && self.is(at - 1, '.') && !(at > 1 && self.is(at - 2, '.')) {
                    return at + 1;
                }
                self.path(at, Vec::new())
            }
            Kind::Sign('{') => {
                self.depth += 1;
                at + 1
            }
            Kind::Sign('}') => {
                self.depth = self.depth.saturating_sub(1);
                if self.modules.last().is_some_and(|(_, depth)| *depth == self.depth) {
                    self.modules.pop();
                }
                at + 1
            }
            _ => at + 1,
        }
    }

    fn is(&self, at: usize, sign: char) -> bool {
        self.tokens.get(at).is_some_and(|token| token.is(sign))
    }

    /// Reads a path whose first word is here; gives the position behind it.
    fn path(&mut self, mut at: usize, mut segments: Vec<String>) -> usize {
        loop {
            let Some(word) = self.tokens.get(at).and_then(Token::word) else { return at + 1 };
            segments.push(word.to_owned());
            let last = at;
            at += 1;
            if self.tokens.get(at).is_none_or(|token| token.kind != Kind::PathSeparator) {
                self.emit(segments, last);
                return at;
            }
            at += 1;
            match self.tokens.get(at).map(|token| &token.kind) {
                Some(Kind::Word(_)) => {}
                Some(Kind::Sign('{')) => return self.group(at + 1, &segments),
                Some(Kind::Sign('*')) => {
                    segments.push("*".to_owned());
                    self.emit(segments, at);
                    return at + 1;
                }
                _ => {
                    self.emit(segments, last);
                    return at;
                }
            }
        }
    }

    /// Reads the inside of `{…}` behind a path.
    fn group(&mut self, mut at: usize, prefix: &[String]) -> usize {
        while let Some(token) = self.tokens.get(at) {
            match &token.kind {
                Kind::Sign('}') => return at + 1,
                Kind::Word(word) if word == "self" => {
                    self.emit(prefix.to_vec(), at);
                    at += 1;
                }
                Kind::Word(word) if word == "as" => at += 2,
                Kind::Word(_) => at = self.path(at, prefix.to_vec()),
                Kind::Sign('*') => {
                    let mut segments = prefix.to_vec();
                    segments.push("*".to_owned());
                    self.emit(segments, at);
                    at += 1;
                }
                _ => at += 1,
            }
        }
        at
    }

    fn emit(&mut self, segments: Vec<String>, last: usize) {
        let token = &self.tokens[last];
        self.paths.push(RustPath {
            segments,
            line: token.line,
            in_test: token.in_test,
            is_macro: self.is(last + 1, '!') && !self.is(last + 2, '='),
            modules: self.modules.iter().map(|(name, _)| name.clone()).collect(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long(text: &str) -> Vec<String> {
        let paths = paths(&Source::new(text));
        paths.iter().filter(|path| path.segments.len() > 1).map(RustPath::shown).collect()
    }

    #[test]
    fn groups_are_written_out() {
        assert_eq!(
            long("use std::{fs, io::{self, Read as R}, net::*};"),
            ["std::fs", "std::io", "std::io::Read", "std::net::*"]
        );
        assert_eq!(long("pub use crate::{a::B, c};"), ["crate::a::B", "crate::c"]);
    }

    #[test]
    fn paths_in_expressions_and_types_are_seen() {
        assert_eq!(
            long("let x: Vec<crate::a::B> = ::std::fs::read::<P>(c)?.d::<e::F>(..g::H);"),
            ["crate::a::B", "std::fs::read", "e::F", "g::H"]
        );
    }

    #[test]
    fn macros_are_told_from_comparisons() {
        let found = paths(&Source::new("println!(); a != b; std::print!()"));
        let macros: Vec<String> = found.iter().filter(|path| path.is_macro).map(RustPath::shown).collect();
        assert_eq!(macros, ["println", "std::print"]);
    }

    #[test]
    fn roots_are_found_through_crate_and_super() {
        let text = "use crate::a; use super::b; use super::super::c;
            mod inner { use super::super::super::d; use super::e; } use super::super::f;";
        let found = paths(&Source::new(text));
        let roots: Vec<&str> = found.iter().filter_map(|path| path.at_root(&["x", "y"])).collect();
        assert_eq!(roots, ["a", "c", "d", "f"]);
        let roots: Vec<&str> = found.iter().filter_map(|path| path.at_root(&["x"])).collect();
        assert_eq!(roots, ["a", "b"]);
    }
}
