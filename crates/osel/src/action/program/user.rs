//! As whom a program runs.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use rustix::thread::{CapabilitySet, capabilities};

/// The local accounts. Names from elsewhere (LDAP) are not looked up: that needs the system's C library.
const ACCOUNTS: &str = "/etc/passwd";
/// As much of the accounts is read: some ten thousand.
const ACCOUNTS_BYTES_MAX: u64 = 1 << 20;
/// Who runs programs when osel itself is root and nobody else was named.
const NOBODY: &str = "nobody";

/// A user and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The user's number.
    pub uid: u32,
    /// The number of its group.
    pub gid: u32,
}

/// Why a program cannot run as somebody.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is no such account.
    #[error("the user `{0}` is not among the local accounts: name one of them, or write UID:GID")]
    Unknown(String),
    /// Only root may change.
    #[error("only root can run programs as `{0}`, and osel is not: leave `user` out")]
    NotRoot(String),
}

/// As whom a program runs: none for as whom osel runs.
pub(super) fn identity(user: Option<&str>) -> Result<Option<Identity>, UserError> {
    let own = Identity { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    let name = match user {
        Some(name) => name,
        None if own.uid == 0 => NOBODY,
        None => return Ok(None),
    };
    let wanted = named(name).ok_or_else(|| UserError::Unknown(name.to_owned()))?;
    if wanted.uid == own.uid {
        return Ok(None);
    }
    if own.uid == 0 { Ok(Some(wanted)) } else { Err(UserError::NotRoot(name.to_owned())) }
}

/// Whether osel may make packets of its own, and so may let a program do it.
pub fn has_net_raw() -> bool {
    capabilities(None).is_ok_and(|sets| sets.permitted.contains(CapabilitySet::NET_RAW))
}

fn named(name: &str) -> Option<Identity> {
    if let Some((uid, gid)) = name.split_once(':') {
        return Some(Identity { uid: uid.parse().ok()?, gid: gid.parse().ok()? });
    }
    let accounts = File::open(ACCOUNTS).ok()?.take(ACCOUNTS_BYTES_MAX);
    BufReader::new(accounts).lines().map_while(Result::ok).find_map(|line| account(&line, name))
}

/// The numbers in a line `NAME:PASSWORD:UID:GID:…` of that name.
fn account(line: &str, name: &str) -> Option<Identity> {
    let mut fields = line.split(':');
    if fields.next() != Some(name) {
        return None;
    }
    let (uid, gid) = (fields.nth(1)?, fields.next()?);
    Some(Identity { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_name() {
        let line = "scan:x:998:997::/nonexistent:/usr/sbin/nologin";
        assert_eq!(account(line, "scan"), Some(Identity { uid: 998, gid: 997 }));
        for (line, name) in
            [(line, "sca"), (line, "998"), ("scan", "scan"), ("scan:x:y:1", "scan"), ("", "scan")]
        {
            assert_eq!(account(line, name), None, "{line} {name}");
        }
        assert_eq!(named("12:34"), Some(Identity { uid: 12, gid: 34 }));
        assert_eq!(named("12:"), None);
    }
}
