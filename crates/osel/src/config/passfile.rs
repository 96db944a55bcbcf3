//! The password file of PostgreSQL's own programs (`PGPASSFILE`, `~/.pgpass`), read as libpq reads it.
//!
//! Lines are `host:port:database:user:password`; the first four may be `*`, and `\` stands before a `:` or `\` that is meant. The first
//! line that fits counts. Whether the file may be believed is for the caller to say.

use std::path::Path;

use super::Secret;
use super::files;

/// What a line must fit.
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) database: &'a str,
    pub(super) user: &'a str,
}

/// The password that a file has; none where there is no file, or no line that fits.
pub(super) fn password(file: &Path, wanted: &Wanted<'_>) -> Option<Secret> {
    let text = files::read_secret(file).ok()?;
    text.lines().find_map(|line| fits(line, wanted))
}

fn fits(line: &str, wanted: &Wanted<'_>) -> Option<Secret> {
    if line.starts_with('#') {
        return None;
    }
    let port = wanted.port.to_string();
    // libpq calls every socket, wherever it is, by the name of this machine.
    let host = if wanted.host.starts_with('/') { "localhost" } else { wanted.host };
    let mut rest = line;
    for value in [host, &port, wanted.database, wanted.user] {
        let (field, after) = field(rest)?;
        if field != "*" && field != value {
            return None;
        }
        rest = after;
    }
    let (password, _) = field(rest).unwrap_or_else(|| (unescaped(rest), ""));
    Some(Secret::new(password))
}

/// What stands before the next `:`, and what behind it; none when there is no further one.
fn field(text: &str) -> Option<(String, &str)> {
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        match letter {
            ':' if !is_escaped => return Some((unescaped(text.get(..at)?), text.get(at + 1..)?)),
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        out.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, password: Option<&str>) {
        let wanted = Wanted { host: "db", port: 5432, database: "osel", user: "os:el" };
        assert_eq!(fits(line, &wanted), password.map(|text| Secret::new(text.to_owned())), "{line}");
    }

    #[test]
    fn a_line_fits_by_its_first_four_fields() {
        check(r"db:5432:osel:os\:el:hunter2", Some("hunter2"));
        check(r"*:*:*:*:with\:colon\\", Some(r"with:colon\"));
        check(r"*:*:*:*:first:and more", Some("first"));
        check(r"db:5433:osel:os\:el:other port", None);
        check(r"db:5432:osel:osel:other user", None);
        check(r"#*:*:*:*:a comment", None);
        check("db:5432", None);
        check("", None);
    }

    #[test]
    fn a_socket_is_localhost() {
        let wanted = Wanted { host: "/run/postgresql", port: 5432, database: "osel", user: "osel" };
        assert!(fits("localhost:*:*:*:x", &wanted).is_some());
        assert!(fits("db:*:*:*:x", &wanted).is_none());
    }
}
