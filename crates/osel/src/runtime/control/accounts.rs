//! The names of local accounts: changing commands are recorded with their actor.

use std::fs::File;
use std::io::{BufRead, BufReader};

/// The local accounts. Names from elsewhere (LDAP) are not looked up: that needs the system's C library.
const ACCOUNTS: &str = "/etc/passwd";

/// The name of a user, or `uid NUMBER`.
pub fn name_of(user: u32) -> String {
    let accounts = File::open(ACCOUNTS).map(BufReader::new);
    let mut lines = accounts.into_iter().flat_map(|accounts| accounts.lines().map_while(Result::ok));
    lines.find_map(|line| name_in(&line, user)).unwrap_or_else(|| format!("uid {user}"))
}

/// The name in a line `NAME:PASSWORD:UID:…` of that user.
fn name_in(line: &str, user: u32) -> Option<String> {
    let mut fields = line.split(':');
    let (name, number) = (fields.next()?, fields.nth(1)?);
    (number.parse() == Ok(user) && !name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::name_in;

    #[test]
    fn accounts_are_found_by_number() {
        let line = "alice:x:1000:1000:Alice,,,:/nonexistent:/bin/sh";
        assert_eq!(name_in(line, 1000).as_deref(), Some("alice"));
        assert_eq!(name_in(line, 1001), None);
        for line in ["", "alice", "alice:x", ":x:1000", "# 1000"] {
            assert_eq!(name_in(line, 1000), None, "{line}");
        }
    }
}
