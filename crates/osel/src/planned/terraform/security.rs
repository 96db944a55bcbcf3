//! Security groups, their rules and address groups.

use ipnet::IpNet;
use osel_core::ids::Id;
use osel_core::model::{Kind, Protocol};
use serde_json::Value;

use super::subject::{Attribute, Subject};
use super::translate::Translator;
use crate::planned::rule::is_of_ipv6;
use crate::planned::{Act, Body, NoteKind, PlanError};

/// What of a row stems from which value of a rule.
const RULE_SECRETS: [(&str, &[&str]); 4] = [
    ("remote_ip_prefix", &["source"]),
    ("protocol", &["protocol"]),
    ("port_range_min", &["port_min", "icmp_type"]),
    ("port_range_max", &["port_max", "icmp_code"]),
];

impl Translator<'_> {
    /// A group. Neutron gives it rules that let everything out, which expose nothing.
    pub(super) fn group(&mut self, subject: Subject<'_>) -> Body {
        let mut body = Body::new();
        subject.copy(&mut body, &[("name", "name"), ("tenant_id", "project_id"), ("stateful", "stateful")]);
        body
    }

    /// A rule, in each group that it may be of.
    pub(super) fn rule(&mut self, subject: Subject<'_>, id: &Id) -> Result<Vec<Act>, PlanError> {
        match subject.attribute("direction").text() {
            Some("egress") => return Ok(Vec::new()),
            Some(_) => {}
            None => self.note(NoteKind::Unknown, "`direction` is not known; judged as ingress"),
        }
        let mut body = Body::from_iter([("direction".to_owned(), "ingress".into())]);
        let ethertypes = self.ethertypes(subject);
        // The provider's library sends no empty text.
        if let Some(protocol) = subject.attribute("protocol").text() {
            body.insert("protocol".to_owned(), protocol.into());
        }
        if self.is_open(subject, "protocol") {
            self.note(NoteKind::Unknown, "`protocol` is not known; judged as any, with all ports");
        } else {
            self.range(subject, &mut body)?;
        }
        self.remote(subject, &mut body);
        let groups = match subject.attribute("security_group_id") {
            Attribute::Known(group) => group.as_str().map(Id::new).into_iter().collect(),
            _ => self.candidates(subject, "security_group_id", Kind::SecurityGroup),
        };
        let secret = subject.secret_keys(&RULE_SECRETS);
        let both = ethertypes.iter().flat_map(|ethertype| groups.iter().map(move |group| (ethertype, group)));
        let acts = both.enumerate().map(|(at, (ethertype, group))| {
            let id = if at == 0 { id.clone() } else { Id::new(&format!("{id}#{at}")) };
            let mut body = body.clone();
            body.insert("ethertype".to_owned(), ethertype.clone());
            body.insert("security_group_id".to_owned(), group.to_string().into());
            Act::Create { kind: Kind::Rule, id, body, secret: secret.clone() }
        });
        Ok(acts.collect())
    }

    /// The Ethernet types that a rule may be of.
    fn ethertypes(&mut self, subject: Subject<'_>) -> Vec<Value> {
        match subject.attribute("ethertype") {
            Attribute::Known(ethertype) => return vec![ethertype.clone()],
            Attribute::Unset => return vec![Value::Null],
            Attribute::Unknown => {}
        }
        // What else is known of it may leave but one.
        let prefix = subject.attribute("remote_ip_prefix").text();
        let protocol = Protocol::read(subject.attribute("protocol").text(), false);
        let (all, words): (&[&str], _) = match prefix {
            _ if is_of_ipv6(&protocol) => (&["IPv6"], "IPv6"),
            Some(prefix) if prefix.contains(':') => (&["IPv6"], "IPv6"),
            Some(_) => (&["IPv4"], "IPv4"),
            None => (&["IPv4", "IPv6"], "both"),
        };
        self.note(NoteKind::Unknown, format!("`ethertype` is not known; judged as {words}"));
        all.iter().map(|ethertype| (*ethertype).into()).collect()
    }

    /// Whether a value is there and not known yet; the provider leaves what nobody set unknown too.
    fn is_open(&self, subject: Subject<'_>, name: &str) -> bool {
        subject.attribute(name) == Attribute::Unknown && subject.is_written(name) != Some(false)
    }

    /// The ports. The provider's library sends no zeros, and Neutron takes a rule without ports as one for all of them.
    fn range(&mut self, subject: Subject<'_>, body: &mut Body) -> Result<(), PlanError> {
        let names = ["port_range_min", "port_range_max"];
        let open: Vec<&str> = names.into_iter().filter(|name| self.is_open(subject, name)).collect();
        if !open.is_empty() {
            let names = open.join("`, `");
            self.note(
                NoteKind::Unknown,
                format!("`{names}` is not known; judged as all ports or ICMP types"),
            );
            return Ok(());
        }
        let bounds = names.map(|name| subject.attribute(name).known().and_then(Value::as_i64));
        for (name, bound) in names.into_iter().zip(bounds) {
            if let Some(bound) = bound.filter(|bound| *bound != 0) {
                body.insert(name.to_owned(), bound.into());
            }
        }
        match bounds {
            [Some(0), Some(0)] => {
                self.note(
                    NoteKind::Remark,
                    "its range 0 to 0 is not sent, and so means all ports or ICMP types",
                );
            }
            [Some(0), Some(_)] => {
                return Err(
                    self.refused("its `port_range_min` 0 is not sent, and Neutron refuses such a range")
                );
            }
            _ => {}
        }
        Ok(())
    }

    /// From where. All three values are unknown where nobody set them: the configuration tells, and without it any source is assumed.
    fn remote(&mut self, subject: Subject<'_>, body: &mut Body) {
        let mut open = Vec::new();
        let names = [
            ("remote_ip_prefix", None),
            ("remote_group_id", Some(Kind::SecurityGroup)),
            ("remote_address_group_id", Some(Kind::AddressGroup)),
        ];
        let known = names.iter().filter_map(|(name, _)| Some((*name, subject.attribute(name).text()?)));
        body.extend(known.map(|(name, value)| (name.to_owned(), value.into())));
        if names.iter().any(|(name, _)| body.contains_key(*name)) {
            return;
        }
        for (name, kind) in names {
            match (subject.attribute(name), kind) {
                // A condition may leave the group unset, and then the rule admits everybody.
                (Attribute::Unknown, Some(kind)) if subject.is_written(name) == Some(true) => {
                    if let Some(id) = self.certain(subject, name, kind) {
                        body.insert(name.to_owned(), id.to_string().into());
                        return;
                    }
                    open.push(name);
                }
                (Attribute::Unknown, _) if subject.is_written(name) != Some(false) => open.push(name),
                _ => {}
            }
        }
        if !open.is_empty() {
            let names = open.join("`, `");
            self.note(NoteKind::Unknown, format!("`{names}` is not known; judged as any source"));
        }
    }

    /// An address group; none where its addresses are not known: a group that is not known may have any.
    pub(super) fn address_group(&mut self, subject: Subject<'_>) -> Option<(Body, Vec<&'static str>)> {
        let mut body = Body::new();
        subject.copy(&mut body, &[("name", "name"), ("project_id", "project_id")]);
        let blocks = subject.blocks("addresses");
        let known: Vec<Value> = blocks.iter().filter_map(|block| block.whole().known().cloned()).collect();
        if known.len() < blocks.len() || subject.attribute("addresses") == Attribute::Unknown {
            let text = "`addresses` are not all known; judged as if it could have any";
            self.note(NoteKind::Unknown, text);
            return None;
        }
        let is_prefix = |value: &Value| value.as_str().is_some_and(|text| text.parse::<IpNet>().is_ok());
        if !known.iter().all(is_prefix) {
            self.note(NoteKind::Remark, "Neutron takes only prefixes as `addresses`");
        }
        body.insert("addresses".to_owned(), known.into());
        Some((body, subject.secret_keys(&[("addresses", &["source"])])))
    }
}
