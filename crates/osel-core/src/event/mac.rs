//! Addresses of interfaces, and the IPv6 addresses that are made of them.

use std::net::Ipv6Addr;

use ipnet::Ipv6Net;
use serde::{Deserialize, Serialize};

/// How long the prefix of a subnet is whose addresses are made of interfaces' (RFC 4862 with RFC 4291); Neutron takes no other.
const PREFIX_BITS: u8 = 64;

/// `mac_address`: 48 bits, as Ethernet has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mac([u8; 6]);

impl Mac {
    /// Reads `fa:16:3e:00:00:01`, also with `-`; nothing of anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 6];
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next().filter(|part| part.len() == 2 && !part.starts_with('+'))?;
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        parts.next().is_none().then_some(Self(bytes))
    }

    /// The address that an interface gives itself on a network with this prefix: its modified EUI-64 (RFC 4291, appendix A), as Neutron
    /// works it out for `slaac` and `dhcpv6-stateless`. Nothing for a prefix of another length.
    pub fn address_in(self, prefix: Ipv6Net) -> Option<Ipv6Addr> {
        if prefix.prefix_len() != PREFIX_BITS {
            return None;
        }
        let [a, b, c, d, e, f] = self.0;
        let interface = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
        Some(Ipv6Addr::from_bits(prefix.network().to_bits() | u128::from(interface)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_six_bytes_and_nothing_else() {
        let mac = Mac([0xfa, 0x16, 0x3e, 0x9b, 0x1c, 0xc2]);
        for text in ["fa:16:3e:9b:1c:c2", "FA-16-3E-9B-1C-C2"] {
            assert_eq!(Mac::parse(text), Some(mac), "{text}");
        }
        for text in [
            "",
            "fa:16:3e:9b:1c",
            "fa:16:3e:9b:1c:c2:00",
            "fa163e9b1cc2",
            "fa:16:3e:9b:1c:+2",
            "fa:16:3e:9b:1c:xx",
        ] {
            assert_eq!(Mac::parse(text), None, "{text}");
        }
    }

    #[test]
    fn makes_the_address_that_neutron_makes() {
        // What Neutron 28 gave a port with this address on this subnet.
        let mac = Mac::parse("fa:16:3e:9b:1c:c2").unwrap();
        let address = mac.address_in("2001:db8:60::/64".parse().unwrap()).unwrap();
        assert_eq!(address.to_string(), "2001:db8:60:0:f816:3eff:fe9b:1cc2");
        assert_eq!(mac.address_in("2001:db8:60::/80".parse().unwrap()), None);
    }
}
