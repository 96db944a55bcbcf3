//! From the addresses of an order, each with ports of its own, to runs of a program that takes one set of ports for all of its addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use osel_core::scan::{ScanCommand, Transport};

/// The most ranges of ports of one run: a longer argument than their text the system does not take (128 KiB).
const RANGES_MAX: usize = 8000;

/// Addresses of one family of which the same ports are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::action) struct Group {
    pub(in crate::action) transport: Transport,
    pub(in crate::action) is_ipv6: bool,
    /// In order.
    pub(in crate::action) ports: Vec<u16>,
    /// In order.
    pub(in crate::action) addresses: Vec<IpAddr>,
}

/// The fewest groups that ask of each address for exactly its ports.
pub(in crate::action) fn groups(command: &ScanCommand) -> Vec<Group> {
    let mut groups: BTreeMap<(Transport, bool, Vec<u16>), Vec<IpAddr>> = BTreeMap::new();
    for target in &command.targets {
        for transport in [Transport::Tcp, Transport::Udp] {
            let of_transport = target.expected.keys().filter(|(of, _)| *of == transport);
            let ports: Vec<u16> = of_transport.map(|&(_, port)| port).collect();
            for part in parts(&ports) {
                let key = (transport, target.address.is_ipv6(), part.to_vec());
                groups.entry(key).or_default().push(target.address);
            }
        }
    }
    let group = |((transport, is_ipv6, ports), addresses)| Group { transport, is_ipv6, ports, addresses };
    groups.into_iter().map(group).collect()
}

/// Sorted ports in parts whose texts are short enough.
fn parts(ports: &[u16]) -> Vec<&[u16]> {
    let mut parts = Vec::new();
    let (mut begin, mut ranges) = (0, 0);
    for place in 0..ports.len() {
        let is_next = place > begin && ports[place] == ports[place - 1] + 1;
        if !is_next && ranges == RANGES_MAX {
            parts.push(&ports[begin..place]);
            (begin, ranges) = (place, 0);
        }
        ranges += usize::from(!is_next);
    }
    if begin < ports.len() {
        parts.push(&ports[begin..]);
    }
    parts
}

/// Sorted ports as nmap and its kin write them: `22,80-90`.
pub(in crate::action) fn ports_text(ports: &[u16]) -> String {
    let mut texts = Vec::new();
    for run in ports.chunk_by(|a, b| a.checked_add(1) == Some(*b)) {
        texts.push(match run {
            [port] => port.to_string(),
            [first, .., last] => format!("{first}-{last}"),
            [] => continue,
        });
    }
    texts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_in_ranges() {
        assert_eq!(ports_text(&[0, 1, 2, 22, 80, 81, 65_534, 65_535]), "0-2,22,80-81,65534-65535");
        assert_eq!(ports_text(&[]), "");
        let all: Vec<u16> = (0..=u16::MAX).collect();
        assert_eq!(ports_text(&all), "0-65535");
        assert_eq!(parts(&all), [&all[..]]);
    }

    #[test]
    fn no_argument_is_longer_than_the_system_takes() {
        let odd: Vec<u16> = (1..=u16::MAX).step_by(2).collect();
        let parts = parts(&odd);
        assert!(parts.iter().all(|part| ports_text(part).len() < 128 << 10));
        assert_eq!(parts.concat(), odd);
        assert_eq!(parts.len(), 5);
    }
}
