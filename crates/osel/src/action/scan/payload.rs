//! What to say to a UDP port so that a service there answers: the usual first words of DNS, NTP and SNMP.
//!
//! Nothing here changes anything on the other side, and no answer is larger than a few hundred bytes: a
//! scanner must not become an amplifier. Other ports get an empty datagram, which at least draws a "port
//! unreachable" from a closed one.

/// A question for the TXT record `version.bind` of class CHAOS: every name server answers it, if only with a
/// refusal, without asking another one (recursion is not desired).
const DNS_VERSION: &[u8] =
    b"\x6f\x73\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07version\x04bind\x00\x00\x10\x00\x03";

/// An NTP version 4 client request (RFC 5905): no leap warning, mode 3, everything unknown but a transmit
/// time, which the server gives back.
const NTP_CLIENT: &[u8] = b"\x23\x00\x06\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\
    \x00\x00\x00\x00\x00\x00\x00\x00\xc5\x4f\x23\x4b\x71\xb1\x52\xf3";

/// An SNMPv3 get-request without an engine id (RFC 3414 section 4): any version 3 agent reports its own, no
/// secret needed.
const SNMP_V3_DISCOVERY: &[u8] = b"\x30\x3a\x02\x01\x03\
    \x30\x0f\x02\x02\x4a\x69\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03\
    \x04\x10\x30\x0e\x04\x00\x02\x01\x00\x02\x01\x00\x04\x00\x04\x00\x04\x00\
    \x30\x12\x04\x00\x04\x00\xa0\x0c\x02\x02\x37\xf0\x02\x01\x00\x02\x01\x00\x30\x00";

/// An SNMPv1 get-request for `sysDescr.0` with the community `public`, for agents that speak nothing newer.
const SNMP_V1_PUBLIC: &[u8] = b"\x30\x26\x02\x01\x00\x04\x06public\
    \xa0\x19\x02\x01\x01\x02\x01\x00\x02\x01\x00\
    \x30\x0e\x30\x0c\x06\x08\x2b\x06\x01\x02\x01\x01\x01\x00\x05\x00";

/// The datagrams of one attempt at a port, at least one.
pub(super) fn datagrams(port: u16) -> &'static [&'static [u8]] {
    match port {
        53 => &[DNS_VERSION],
        123 => &[NTP_CLIENT],
        161 => &[SNMP_V3_DISCOVERY, SNMP_V1_PUBLIC],
        _ => &[b""],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a BER element and all its constructed children fill their lengths exactly.
    fn well_formed(mut bytes: &[u8]) -> bool {
        while let [tag, length, rest @ ..] = bytes {
            let Some((value, after)) = rest.split_at_checked(usize::from(*length)) else { return false };
            if tag & 0x20 != 0 && !well_formed(value) {
                return false;
            }
            bytes = after;
        }
        bytes.is_empty()
    }

    #[test]
    fn the_datagrams_are_what_they_say() {
        for snmp in datagrams(161) {
            assert!(well_formed(snmp), "{snmp:02x?}");
        }
        let [ntp] = datagrams(123) else { panic!("one NTP request") };
        assert_eq!((ntp.len(), ntp[0] & 7, ntp[0] >> 3 & 7), (48, 3, 4));
        let [dns] = datagrams(53) else { panic!("one DNS question") };
        assert_eq!(dns.len(), 12 + 1 + 7 + 1 + 4 + 1 + 4);
        assert_eq!(datagrams(9), [b""]);
    }
}
