//! Targets as written on the command line → addresses.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::Arc;

use ipnet::IpNet;
use thiserror::Error;

/// Addresses of one `osel scan`: a prefix of /20, or /116 of IPv6. Larger ones are scanned in parts, by
/// somebody who knows why.
pub(super) const MAX_ADDRESSES: usize = 4096;

/// Why targets cannot be scanned.
#[derive(Clone, Debug, Error)]
pub(super) enum TargetError {
    /// Not written like anything that could be scanned.
    #[error("`{text}` is not an address, a prefix or a host name{hint}")]
    NotATarget { text: String, hint: &'static str },
    /// An address that does not belong to one host.
    #[error("`{text}` is not the address of a host")]
    NotAHost { text: String },
    /// Too much for one scan.
    #[error("`{text}` makes it more than the {MAX_ADDRESSES} addresses that one scan takes")]
    TooMany { text: String },
    /// A name that could not be resolved.
    #[error("cannot look up `{text}`")]
    Unknown { text: String, source: Arc<io::Error> },
}

/// The addresses of all targets, each once, in the order in which they were written.
pub(super) fn addresses(targets: &[String]) -> Result<Vec<IpAddr>, TargetError> {
    let mut seen = BTreeSet::new();
    let mut addresses = Vec::new();
    for text in targets {
        for address in of_target(text)? {
            if address.is_unspecified() || address.is_multicast() {
                return Err(TargetError::NotAHost { text: text.clone() });
            }
            if seen.insert(address) {
                addresses.push(address);
            }
            if addresses.len() > MAX_ADDRESSES {
                return Err(TargetError::TooMany { text: text.clone() });
            }
        }
    }
    Ok(addresses)
}

/// The addresses of one target: itself, all of its prefix (nmap too takes the first and the last), or what
/// its name has.
fn of_target(text: &str) -> Result<Box<dyn Iterator<Item = IpAddr>>, TargetError> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(Box::new(std::iter::once(address.to_canonical())));
    }
    if let Ok(prefix) = text.parse::<IpNet>() {
        return Ok(match prefix.trunc() {
            IpNet::V4(prefix) => {
                Box::new((u32::from(prefix.network())..=u32::from(prefix.broadcast())).map(v4))
            }
            IpNet::V6(prefix) => {
                Box::new((u128::from(prefix.network())..=u128::from(prefix.broadcast())).map(v6))
            }
        });
    }
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte) || !byte.is_ascii();
    if text.is_empty() || !text.bytes().all(is_name) {
        let hint = match text {
            _ if text.contains('%') => " (zones are not known here)",
            _ if text.contains(':') => " (ports go to --ports)",
            _ => "",
        };
        return Err(TargetError::NotATarget { text: text.to_owned(), hint });
    }
    match (text, 0).to_socket_addrs() {
        Ok(found) => Ok(Box::new(found.map(|address| address.ip().to_canonical()))),
        Err(error) => Err(TargetError::Unknown { text: text.to_owned(), source: Arc::new(error) }),
    }
}

fn v4(bits: u32) -> IpAddr {
    IpAddr::from(bits.to_be_bytes())
}

fn v6(bits: u128) -> IpAddr {
    IpAddr::from(bits.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(targets: &[&str], expected: &str) {
        let targets: Vec<String> = targets.iter().map(|&text| text.to_owned()).collect();
        let found = match addresses(&targets) {
            Ok(found) => found.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => format!("! {error}"),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn addresses_and_prefixes_are_taken_once_in_order() {
        check(&["192.0.2.9", "192.0.2.8/31", "192.0.2.9"], "192.0.2.9 192.0.2.8");
        check(
            &["2001:db8::5/126", "::ffff:192.0.2.1"],
            "2001:db8::4 2001:db8::5 2001:db8::6 2001:db8::7 192.0.2.1",
        );
    }

    #[test]
    fn what_cannot_be_a_target_is_said() {
        check(&["0.0.0.0"], "! `0.0.0.0` is not the address of a host");
        check(&["ff02::1"], "! `ff02::1` is not the address of a host");
        check(&["10.0.0.0/33"], "! `10.0.0.0/33` is not an address, a prefix or a host name");
        check(
            &["192.0.2.1:80"],
            "! `192.0.2.1:80` is not an address, a prefix or a host name (ports go to --ports)",
        );
        check(
            &["fe80::1%eth0"],
            "! `fe80::1%eth0` is not an address, a prefix or a host name (zones are not known here)",
        );
        check(&[""], "! `` is not an address, a prefix or a host name");
        check(
            &["10.0.0.1", "10.0.0.0/19"],
            "! `10.0.0.0/19` makes it more than the 4096 addresses that one scan takes",
        );
        check(
            &["2001:db8::/32"],
            "! `2001:db8::/32` makes it more than the 4096 addresses that one scan takes",
        );
    }

    #[test]
    fn the_bound_itself_is_allowed() {
        assert_eq!(addresses(&["10.0.0.0/20".to_owned()]).unwrap().len(), MAX_ADDRESSES);
    }
}
