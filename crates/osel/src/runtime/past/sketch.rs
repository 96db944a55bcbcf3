//! What a written object says, read from its bytes without making an object of it.
//!
//! Of a million ports a question needs a few hundred. Looking for one key in a line takes a fiftieth of the time that parsing it takes. The
//! lines are our own ([`osel_core::model::StateLine`]): one JSON object without spaces, whose first key is its sort and whose value begins
//! with the id. Within a text a quote is always escaped, so that no text can be taken for a key.

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use memchr::memmem::{Finder, find};
use osel_core::ids::Id;
use osel_core::model::{Kind, is_interface_owner, is_trusted_owner};

/// What an object is, as far as rows and ways follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Port,
    SecurityGroup,
    Rule,
    AddressGroup,
    FloatingIp,
    Forwarding,
    /// What carries packets or stands in their way: networks, routers, firewalls, load balancers, and what those are made of. No row
    /// follows from it.
    Carrier,
    /// Something that is not there any more.
    Gone,
    /// What is no object: what is remembered of deletions and reads.
    Other,
}

/// How many sorts there are.
pub const SORTS: usize = Sort::Other as usize + 1;

impl Sort {
    /// One bit for each.
    pub fn bit(self) -> u16 {
        1 << self as u16
    }

    /// The sort of the objects of a kind.
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Port => Self::Port,
            Kind::SecurityGroup => Self::SecurityGroup,
            Kind::Rule => Self::Rule,
            Kind::AddressGroup => Self::AddressGroup,
            Kind::FloatingIp => Self::FloatingIp,
            Kind::Forwarding => Self::Forwarding,
            Kind::Router
            | Kind::Network
            | Kind::Subnet
            | Kind::RbacPolicy
            | Kind::Trunk
            | Kind::AddressScope
            | Kind::SubnetPool
            | Kind::FirewallGroup
            | Kind::FirewallPolicy
            | Kind::FirewallRule
            | Kind::LoadBalancer
            | Kind::Listener => Self::Carrier,
        }
    }

    fn of_tag(tag: &[u8]) -> Self {
        match tag {
            b"port" => Self::Port,
            b"security_group" => Self::SecurityGroup,
            b"rule" => Self::Rule,
            b"address_group" => Self::AddressGroup,
            b"floating_ip" => Self::FloatingIp,
            b"forwarding" => Self::Forwarding,
            b"gone" => Self::Gone,
            b"tombstone" | b"read_at" => Self::Other,
            _ => Self::Carrier,
        }
    }
}

/// Where the keys that are asked for stand; made once, since preparing a search takes as long as a short one.
#[derive(Debug)]
pub struct Keys {
    id: Finder<'static>,
    project: Finder<'static>,
    groups: Finder<'static>,
    address: Finder<'static>,
    pairs: Finder<'static>,
    owner: Finder<'static>,
    interface: Finder<'static>,
    group: Finder<'static>,
    source: [Finder<'static>; 2],
    port: Finder<'static>,
    outer: Finder<'static>,
    internal_port: Finder<'static>,
    floating: Finder<'static>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            id: Finder::new(br#""id":"#),
            project: Finder::new(br#""project_id":"#),
            groups: Finder::new(br#""security_groups":["#),
            address: Finder::new(br#""address":"#),
            pairs: Finder::new(br#""allowed_address_pairs":["#),
            owner: Finder::new(br#""device_owner":"#),
            interface: Finder::new(br#""interface_of":{"#),
            group: Finder::new(br#""security_group_id":"#),
            source: [&br#""remote_group_id":"#[..], br#""remote_address_group_id":"#].map(Finder::new),
            port: Finder::new(br#""port_id":"#),
            outer: Finder::new(br#""floating_ip_address":"#),
            internal_port: Finder::new(br#""internal_port_id":"#),
            floating: Finder::new(br#""floatingip_id":"#),
        }
    }
}

/// A written object.
#[derive(Clone, Copy)]
pub struct Sketch<'a> {
    pub sort: Sort,
    body: &'a [u8],
    keys: &'a Keys,
}

impl<'a> Sketch<'a> {
    /// The sketch of a written object; none when it is no object.
    pub fn of_state(line: &'a [u8], keys: &'a Keys) -> Option<Self> {
        let rest = line.strip_prefix(br#"{""#)?;
        let (tag, body) = rest.split_at_checked(rest.iter().position(|&byte| byte == b'"')?)?;
        Some(Self { sort: Sort::of_tag(tag), body, keys })
    }

    /// The sketch of the object in a version, and the version's record.
    pub fn of_version(line: &'a [u8], keys: &'a Keys) -> Option<(u64, Self)> {
        let rest = line.strip_prefix(br#"{"s":"#)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let seq = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
        let object = find(rest, OBJECT)? + OBJECT.len();
        Some((seq, Self::of_state(&rest[object..], keys)?))
    }

    pub fn id(&self) -> Option<Id> {
        self.text(&self.keys.id).map(|text| Id::new(&text))
    }

    pub fn project(&self) -> Option<Id> {
        self.text(&self.keys.project).map(|text| Id::new(&text))
    }

    /// Whether any of a port's security groups is as wanted.
    pub fn has_group(&self, wanted: impl FnMut(Id) -> bool) -> bool {
        self.texts(&self.keys.groups).map(|text| Id::new(&text)).any(wanted)
    }

    /// Whether any address that a port answers for is as wanted: a fixed IP, or an allowed address pair.
    pub fn has_address(&self, mut wanted: impl FnMut(IpNet) -> bool) -> bool {
        let mut rest = self.body;
        while let Some((text, behind)) = self
            .keys
            .address
            .find(rest)
            .and_then(|at| read_text(&rest[at + self.keys.address.needle().len()..]))
        {
            if text.parse::<IpAddr>().is_ok_and(|address| wanted(address.into())) {
                return true;
            }
            rest = behind;
        }
        self.texts(&self.keys.pairs).filter_map(|text| text.parse().ok()).any(wanted)
    }

    /// Whether a port is one of those that nothing filters and that have no rows, by its owner.
    pub fn is_trusted(&self) -> bool {
        self.text(&self.keys.owner).is_some_and(|owner| is_trusted_owner(&owner))
    }

    /// Whether a port is a router's interface, by its owner or by what was told of the router.
    pub fn is_interface(&self) -> bool {
        self.text(&self.keys.owner).is_some_and(|owner| is_interface_owner(&owner))
            || self.keys.interface.find(self.body).is_some()
    }

    /// A rule's group.
    pub fn group(&self) -> Option<Id> {
        self.text(&self.keys.group).map(|text| Id::new(&text))
    }

    /// The group that is a rule's source.
    pub fn source(&self) -> Option<Id> {
        self.keys.source.iter().find_map(|key| self.text(key)).map(|text| Id::new(&text))
    }

    /// The port that a floating IP leads to.
    pub fn port(&self) -> Option<Id> {
        self.text(&self.keys.port).map(|text| Id::new(&text))
    }

    /// The outer address of a floating IP.
    pub fn outer(&self) -> Option<IpAddr> {
        self.text(&self.keys.outer)?.parse().ok()
    }

    /// The port that a forwarding leads to.
    pub fn internal_port(&self) -> Option<Id> {
        self.text(&self.keys.internal_port).map(|text| Id::new(&text))
    }

    /// The floating IP of a forwarding.
    pub fn floating(&self) -> Option<Id> {
        self.text(&self.keys.floating).map(|text| Id::new(&text))
    }

    fn text(&self, key: &Finder<'_>) -> Option<Cow<'a, str>> {
        let at = key.find(self.body)? + key.needle().len();
        Some(read_text(&self.body[at..])?.0)
    }

    /// The texts of a list.
    fn texts(&self, key: &Finder<'_>) -> impl Iterator<Item = Cow<'a, str>> {
        let mut rest = key.find(self.body).map_or(&[][..], |at| &self.body[at + key.needle().len()..]);
        std::iter::from_fn(move || {
            let (text, behind) = read_text(rest.strip_prefix(b",").unwrap_or(rest))?;
            rest = behind;
            Some(text)
        })
    }
}

/// Between a version's region and its object.
const OBJECT: &[u8] = br#","o":"#;

/// The JSON text at the beginning of bytes, and what stands behind it; none when something else is there.
fn read_text(bytes: &[u8]) -> Option<(Cow<'_, str>, &[u8])> {
    let inner = bytes.strip_prefix(b"\"")?;
    let mut end = 0;
    let mut is_escaped = false;
    loop {
        match *inner.get(end)? {
            b'"' => break,
            b'\\' => {
                is_escaped = true;
                end += 2;
            }
            _ => end += 1,
        }
    }
    let text = if is_escaped {
        Cow::Owned(serde_json::from_slice(&bytes[..end + 2]).ok()?)
    } else {
        Cow::Borrowed(std::str::from_utf8(&inner[..end]).ok()?)
    };
    Some((text, &inner[end + 1..]))
}

#[cfg(test)]
mod tests {
    use osel_core::event::Object;
    use osel_core::event::{FixedIp, Port, Version};
    use osel_core::model::{CloudModel, Kind, ModelOptions};
    use osel_core::time::Timestamp;

    use super::*;

    /// A port whose words look like the keys that are looked for.
    #[test]
    fn texts_are_not_taken_for_keys() {
        let id = Id::new(r#"a","id":"b"#);
        let port = Port {
            version: Version {
                id: Some(id.clone()),
                project_id: Some(Some(Id::new("p\\"))),
                ..Version::default()
            },
            name: Some(r#""project_id":"other","security_groups":["no"]"#.into()),
            security_groups: Some(vec![Id::new("g]\""), Id::new("h")]),
            fixed_ips: Some(vec![
                FixedIp {
                    address: "10.0.0.1".parse().unwrap(),
                    subnet_id: Some(Id::new("\"address\":\"1.1.1.1\"")),
                },
                FixedIp { address: "fd00::1".parse().unwrap(), subnet_id: None },
            ]),
            allowed_address_pairs: Some(vec!["10.9.0.0/16".parse().unwrap()]),
            ..Port::default()
        };
        let mut cloud = CloudModel::new(None, ModelOptions::default());
        let at = Timestamp::EPOCH;
        cloud.merge_read(at, at, true, &[Object::Port(port)], false);
        let line = serde_json::to_vec(&cloud.line(Kind::Port, &id)).unwrap();
        let keys = Keys::default();
        let sketch = Sketch::of_state(&line, &keys).unwrap();
        assert_eq!(
            (sketch.sort, sketch.id(), sketch.project()),
            (Sort::Port, Some(id), Some(Id::new("p\\")))
        );
        let (mut groups, mut addresses) = (Vec::new(), Vec::new());
        sketch.has_group(|group| {
            groups.push(group);
            false
        });
        sketch.has_address(|address| {
            addresses.push(address.to_string());
            false
        });
        assert_eq!(groups, [Id::new("g]\""), Id::new("h")]);
        assert_eq!(addresses, ["10.0.0.1/32", "fd00::1/128", "10.9.0.0/16"]);
        assert!(Sketch::of_state(b"308", &keys).is_none());
        assert!(
            Sketch::of_version(
                br#"{"s":7,"r":"\",\"o\":{\"rule\"","o":{"gone":{"kind":"port","id":"x"}}}"#,
                &keys
            )
            .is_some_and(
                |(seq, sketch)| (seq, sketch.sort, sketch.id()) == (7, Sort::Gone, Some(Id::new("x")))
            )
        );
    }
}
