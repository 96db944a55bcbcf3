//! Habits: no test is skipped, expects a panic or waits for time to pass; nobody switches off a lint that is a rule.

use super::lexer::{Source, Token};
use super::paths::paths;
use super::tree::{Tree, Violation};

/// Lints that are rules of the house; their names stand in source only to switch them off.
const LINTS: [&str; 3] = ["missing_docs", "unsafe_code", "unwrap_used"];

/// Checks all Rust files.
pub(crate) fn check(tree: &Tree, out: &mut Vec<Violation>) {
    for file in &tree.files {
        let Some(source) = &file.source else { continue };
        for (line, name) in attributes(source) {
            let instead = match name {
                "ignore" => "make it pass everywhere, or leave it out",
                _ => "let the code return an error, and assert which",
            };
            out.push(Violation::new(&file.path, line, format!("has a test with `#[{name}]`"), instead));
        }
        let is_bench = file.path.contains("/benches/");
        for (at, token) in source.tokens.iter().enumerate().filter(|(_, token)| !token.in_test && !is_bench) {
            let Some(lint) = token.word().filter(|word| LINTS.contains(word)) else { continue };
            let mut rest = source.tokens[at..].iter().take_while(|token| !token.is(']'));
            if !rest.any(|token| token.word() == Some("reason")) {
                let what = format!("switches off the lint `{lint}`");
                out.push(Violation::new(
                    &file.path,
                    token.line,
                    what,
                    "do what it asks for, or give a `reason`",
                ));
            }
        }
        for path in paths(source).iter().filter(|path| path.in_test) {
            if matches!(path.last(), "sleep" | "sleep_until" | "sleep_ms") {
                let what = format!("waits in a test (`{}`)", path.shown());
                out.push(Violation::new(
                    &file.path,
                    path.line,
                    what,
                    "wait for what happens, or pass the time as argument",
                ));
            }
            if path.is_macro && matches!(path.last(), "todo" | "unimplemented" | "dbg") {
                let what = format!("names `{}!`", path.last());
                out.push(Violation::new(&file.path, path.line, what, "finish it, or leave it out"));
            }
        }
    }
}

/// `#[ignore]` and `#[should_panic]`, also inside `#[cfg_attr(…)]`.
fn attributes(source: &Source) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut tokens = source.tokens.iter().peekable();
    while let Some(token) = tokens.next() {
        if !token.is('#') || !tokens.peek().is_some_and(|token| token.is('[')) {
            continue;
        }
        tokens.next();
        let is_conditional = tokens.peek().and_then(|token| token.word()) == Some("cfg_attr");
        let mut depth = 1;
        let mut first = true;
        for token in tokens.by_ref() {
            depth += i32::from(token.is('[')) - i32::from(token.is(']'));
            if depth == 0 {
                break;
            }
            if first || is_conditional {
                found.extend(name_of(token).map(|name| (token.line, name)));
            }
            first = false;
        }
    }
    found
}

fn name_of(token: &Token) -> Option<&'static str> {
    ["ignore", "should_panic"].into_iter().find(|name| token.word() == Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(text: &str, wanted: &[&str]) {
        let mut out = Vec::new();
        check(&Tree::of(&[("crates/osel/tests/it/main.rs", text)]), &mut out);
        assert_eq!(out.len(), wanted.len(), "{text}: {out:?}");
        for (found, wanted) in out.iter().zip(wanted) {
            assert!(found.to_string().contains(wanted), "{found}");
        }
    }

    #[test]
    fn skipped_and_panicking_tests_are_named() {
        check_text("#[test]\n#[ignore = \"slow\"]\nfn a() {}", &["main.rs:2: has a test with `#[ignore]`"]);
        check_text("#[test] #[should_panic(expected = \"x\")] fn a() {}", &["`#[should_panic]`"]);
        check_text("#[cfg_attr(unix, ignore)] fn a() {}", &["`#[ignore]`"]);
        check_text("#[derive(Debug)] struct Ignore; // #[ignore]\nlet ignore = \"#[ignore]\";", &[]);
    }

    #[test]
    fn tests_do_not_wait() {
        check_text("fn a() { std::thread::sleep(b); }", &["waits in a test (`std::thread::sleep`)"]);
        check_text("use tokio::time::{sleep, timeout};", &["`tokio::time::sleep`"]);
        check_text("let a = b.sleeping; // sleep", &[]);
    }

    #[test]
    fn lints_stay_on() {
        let mut out = Vec::new();
        let text = "#![allow(missing_docs)] #[cfg(test)] mod tests { #![allow(clippy::unwrap_used)] }";
        check(&Tree::of(&[("crates/a/src/lib.rs", text), ("crates/a/benches/b.rs", text)]), &mut out);
        let text = "#[allow(missing_docs, reason = \"each is its type\")] enum E {}";
        check(&Tree::of(&[("crates/a/src/e.rs", text)]), &mut out);
        assert_eq!(out.len(), 1, "{out:?}");
        assert!(out[0].to_string().contains("crates/a/src/lib.rs:1: switches off the lint `missing_docs`"));
    }

    #[test]
    fn code_that_is_no_test_may_wait() {
        let mut out = Vec::new();
        let text = "fn a() { std::thread::sleep(b); }\n#[cfg(test)] mod tests { fn b() { thread::sleep(c); dbg!(d) } }";
        check(&Tree::of(&[("crates/osel/src/action/scan.rs", text)]), &mut out);
        assert_eq!(out.len(), 2, "{out:?}");
    }
}
