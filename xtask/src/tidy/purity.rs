//! What must not be named where: I/O, clock, chance in the core; printing, exit codes and SQL outside their places.
//!
//! Clippy's lists of disallowed items in the core say the same about types; this rule also sees what a list of functions cannot
//! name, such as a whole module, and what a dependency brings under another name.

use super::lexer::Kind;
use super::paths::{RustPath, paths};
use super::tables::{BANS, Pattern, SQL, SQL_FOLDER};
use super::tree::{Tree, Violation};

/// Checks all Rust code that is not a test.
pub(crate) fn check(tree: &Tree, out: &mut Vec<Violation>) {
    for file in &tree.files {
        let Some(source) = &file.source else { continue };
        let begins = |prefix: &&str| file.path.starts_with(prefix);
        let bans: Vec<_> =
            BANS.iter().filter(|ban| begins(&ban.within) && !ban.except.iter().any(begins)).collect();
        for path in paths(source).iter().filter(|path| !path.in_test) {
            let hit = bans.iter().find(|ban| ban.patterns.iter().any(|pattern| matches(pattern, path)));
            if let Some(ban) = hit {
                let sign = if path.is_macro { "!" } else { "" };
                let what = format!("names `{}{sign}`", path.shown());
                out.push(Violation::new(&file.path, path.line, what, ban.instead));
            }
        }
        // Tests and benches may look at a store, or compare it with another, in its own language.
        let is_product = file.path.starts_with("crates/") && file.path.contains("/src/");
        if !is_product || file.path.starts_with(SQL_FOLDER) {
            continue;
        }
        for token in source.tokens.iter().filter(|token| !token.in_test) {
            if let Kind::Text(text) = &token.kind
                && let Some(words) = SQL.iter().find(|words| text.contains(*words))
            {
                let what = format!("has SQL in it (`{}`)", words.trim_end());
                out.push(Violation::new(&file.path, token.line, what, "SQL lives in `store/` only"));
            }
        }
    }
}

fn matches(pattern: &Pattern, path: &RustPath) -> bool {
    match pattern {
        Pattern::Begins(prefix) => path.begins(prefix),
        // A single word of that name is a variable, or a module of ours.
        Pattern::From(name) => path.segments.len() > 1 && path.segments[0] == *name,
        Pattern::Word(word) => path.segments.len() == 1 && path.segments[0] == *word,
        Pattern::Has(word) => path.has(word),
        Pattern::Macro(name) => path.is_macro && path.last() == *name,
        Pattern::Stream => path.has("io") && matches!(path.last(), "stdout" | "stderr" | "stdin"),
        Pattern::Exit => {
            path.has("ExitCode") || (path.has("process") && matches!(path.last(), "exit" | "abort"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_text(path: &str, text: &str, wanted: &[&str]) {
        let mut out = Vec::new();
        check(&Tree::of(&[(path, text)]), &mut out);
        assert_eq!(out.len(), wanted.len(), "{text}: {out:?}");
        for (found, wanted) in out.iter().zip(wanted) {
            assert!(found.to_string().contains(wanted), "{found}");
        }
    }

    #[test]
    fn the_core_is_pure() {
        let file = "crates/osel-core/src/model/cloud.rs";
        for (text, wanted) in [
            ("use std::fs;", "cloud.rs:1: names `std::fs`; the core does no I/O"),
            ("use std::{fmt, fs::File};", "`std::fs::File`"),
            ("let s = std::net::TcpStream::connect(a);", "`std::net::TcpStream::connect`"),
            ("use std::env::var;", "`std::env::var`"),
            ("std::thread::spawn(f);", "`std::thread::spawn`"),
            ("let now = Instant::now();", "`Instant::now`; time is an argument"),
            ("use std::time::{Duration, SystemTime};", "`std::time::SystemTime`"),
            ("use std::collections::HashMap;", "use `ids::Map`"),
            ("let s = RandomState::new();", "depends on chance"),
            ("println!(\"x\");", "names `println!`; the core prints nothing"),
            ("std::io::stdout();", "`std::io::stdout`"),
            ("rand::random();", "depends on chance"),
            ("tracing::info!(\"x\");", "does not log"),
            ("async fn f() {}", "the core is synchronous"),
        ] {
            check_text(file, text, &[wanted]);
        }
        check_text(file, "use std::net::IpAddr; use std::io::Read; use crate::ids::Map; // std::fs", &[]);
        check_text(file, "let uuid = rand; if log != uuid { error.warn(); }", &[]);
        check_text(file, "#[cfg(test)] mod tests { use std::fs; }", &[]);
        check_text("crates/osel-core/src/ids.rs", "pub type Map = std::collections::HashMap<K, V, F>;", &[]);
    }

    #[test]
    fn only_the_command_line_speaks_and_ends() {
        let text = "use anyhow::Result;\nfn f() { eprintln!(); std::process::exit(1) }";
        check_text(
            "crates/osel/src/runtime/mod.rs",
            text,
            &["`anyhow::Result`", "only `cli/` prints", "only `cli/` ends"],
        );
        check_text("crates/osel/src/cli/mod.rs", text, &[]);
        check_text("crates/osel/src/main.rs", text, &[]);
        check_text("crates/osel/src/telemetry.rs", "let w = std::io::stderr();", &[]);
    }

    #[test]
    fn sql_lives_in_the_store() {
        let text = "use rusqlite::Connection;\nlet q = \"SELECT 1\";";
        check_text(
            "crates/osel/src/cli/mod.rs",
            text,
            &["`rusqlite::Connection`", "mod.rs:2: has SQL in it (`SELECT`)"],
        );
        check_text("crates/osel/src/store/sqlite/mod.rs", text, &[]);
        check_text("crates/osel/tests/it/main.rs", text, &[]);
        check_text("crates/osel/benches/store.rs", text, &[]);
        check_text("crates/osel/src/cli/mod.rs", "let text = \"Select a port\";", &[]);
    }

    #[test]
    fn nothing_is_left_unfinished() {
        check_text(
            "crates/osel-sim/src/lib.rs",
            "fn f() { todo!() }\nfn g() { dbg!(1); }",
            &["`todo!`", "`dbg!`"],
        );
        check_text("crates/osel-sim/src/lib.rs", "fn todo() {} let dbg = \"todo!()\";", &[]);
    }
}
