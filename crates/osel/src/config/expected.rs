//! `[[expected]]` and `[findings]`: what may be exposed, and how long findings may wait for a reader.

use std::net::IpAddr;
use std::num::NonZeroU32;

use ipnet::IpNet;
use osel_core::event::{TAG_CHARS_MAX, is_tag};
use osel_core::finding::{EXPECTED_MAX, ExpectedExposure, REASON_CHARS_MAX};
use osel_core::ids::{ID_BYTES_MAX, Id};
use osel_core::scan::Transport;
use osel_core::time::Timestamp;

use super::check::{prefix, tables_and_variables};
use super::parts::FindingsConfig;
use super::section::{Section, number, one_of, quoted, text};
use super::tree::{Node, Value};

/// A week: a forwarder that was down over a weekend and a holiday is no alarm, one that nobody misses is.
const UNREAD_ALARM_SECONDS: u32 = 7 * 86_400;
/// The most ranges of ports of one entry; who needs more writes two.
const RANGES_MAX: usize = 256;

/// The list of what may be exposed; none when something is wrong with it.
pub(super) fn expected(root: &mut Section<'_>) -> Option<Vec<ExpectedExposure>> {
    const KEY: &str = "expected";
    // Each needs a reason.
    let nodes = tables_and_variables(root, KEY, &["reason"], (EXPECTED_MAX, "entries"))?;
    if nodes.is_empty() {
        return (!root.was_given(KEY)).then(Vec::new);
    }
    let mut entries = Vec::with_capacity(nodes.len());
    let mut is_whole = true;
    for (number, node) in nodes.into_iter().enumerate() {
        let section = root.inner(&format!("{KEY}[{number}]"), &format!("{KEY}__{number}"), node);
        match entry(section) {
            Some(entry) => entries.push(entry),
            None => is_whole = false,
        }
    }
    is_whole.then_some(entries)
}

fn entry(mut section: Section<'_>) -> Option<ExpectedExposure> {
    let within = section.read("prefix", |node| text(node).and_then(prefix));
    let address = section.read("address", |node| {
        let text = text(node)?;
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.map_err(|_| format!("must be an address, not `{}`", quoted(text)))
    });
    if section.was_given("prefix") && section.was_given("address") {
        section.problem(&section.origin().clone(), "address", "is there beside `prefix`: give one of them");
    }
    let project_id = section.read("project", project);
    let ports = section.read("ports", ports);
    let transport =
        section.read("protocol", |node| one_of(node, &[("tcp", Transport::Tcp), ("udp", Transport::Udp)]));
    let tag = section.read("tag", tag);
    let until = section.read("until", time);
    let reason = section.read("reason", reason);
    if reason.is_none() && !section.was_given("reason") {
        section.missing("reason", "say why it may be open, for whoever reads it in a year");
    }
    let places = ["prefix", "address", "project", "ports", "tag"];
    if !places.iter().any(|key| section.was_given(key)) {
        let what = "is missing: name a `prefix`, an `address`, a `project`, `ports` or a `tag`, or nothing at all would be a finding";
        section.problem(&section.origin().clone(), "prefix", what);
    }
    // A key that was given and could not be read would leave an entry that covers more than was meant.
    let read = [
        ("prefix", within.is_some()),
        ("address", address.is_some()),
        ("project", project_id.is_some()),
        ("ports", ports.is_some()),
        ("protocol", transport.is_some()),
        ("tag", tag.is_some()),
        ("until", until.is_some()),
    ];
    let is_whole = read.iter().all(|(key, is_read)| *is_read || !section.was_given(key));
    section.finish();
    let entry = ExpectedExposure {
        prefix: within.or(address),
        project_id,
        ports: ports.unwrap_or_default(),
        transport,
        tag,
        reason: reason?,
        until,
    };
    is_whole.then_some(entry)
}

fn project(node: &Node) -> Result<Id, String> {
    let text = text(node)?;
    match text.len() <= ID_BYTES_MAX {
        true => Ok(Id::new(text)),
        false => Err(format!("is longer than an id, which has at most {ID_BYTES_MAX} bytes")),
    }
}

/// A tag as Neutron has it, letter by letter: it may begin and end with anything.
fn tag(node: &Node) -> Result<Box<str>, String> {
    let text = text(node)?;
    match is_tag(text) {
        true => Ok(text.into()),
        false if text.is_empty() => Err("is empty".to_owned()),
        false => Err(format!("is longer than a tag, which has at most {TAG_CHARS_MAX} characters")),
    }
}

fn reason(node: &Node) -> Result<String, String> {
    let text = text(node)?;
    match text.trim() {
        "" => Err("is empty".to_owned()),
        long if long.chars().count() > REASON_CHARS_MAX => {
            Err(format!("is longer than {REASON_CHARS_MAX} characters"))
        }
        text => Ok(text.to_owned()),
    }
}

/// Ports as `osel scan` takes them, without letters for protocols: `22,80-90`; or one number.
fn ports(node: &Node) -> Result<Vec<(u16, u16)>, String> {
    if let Value::Number(_) = node.value {
        let port = number(node, 1..=i64::from(u16::MAX))?;
        let port = u16::try_from(port).unwrap_or(u16::MAX);
        return Ok(vec![(port, port)]);
    }
    let text = text(node)?;
    let wrong = |item: &str| format!("must be ports and ranges, such as `22,80-90`, not `{}`", quoted(item));
    let mut ranges = Vec::new();
    for item in text.split(',').map(str::trim) {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let bound = |bound: &str| bound.trim().parse::<u16>().ok().filter(|port| *port > 0);
        match (bound(first), bound(last)) {
            (Some(first), Some(last)) if first <= last => ranges.push((first, last)),
            _ => return Err(wrong(item)),
        }
    }
    match ranges.len() {
        0..=RANGES_MAX => Ok(ranges),
        many => Err(format!("has {many} ranges, more than {RANGES_MAX}: write two entries")),
    }
}

/// A time as RFC 3339 has it, or a date, which is its first moment in UTC.
fn time(node: &Node) -> Result<Timestamp, String> {
    let text = text(node)?;
    let whole = if text.len() == "2026-01-01".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse(&whole).ok_or_else(|| {
        format!(
            "must be a date or a time, such as `\"2027-01-31\"` or `\"2027-01-31T12:00:00Z\"`, not `{}`",
            quoted(text)
        )
    })
}

/// What is configured about findings.
pub(super) fn findings(mut section: Section<'_>) -> FindingsConfig {
    let seconds = section.read("unread_alarm_seconds", |node| number(node, 0..=i64::from(u32::MAX)));
    let seconds = seconds.map_or(UNREAD_ALARM_SECONDS, |seconds| u32::try_from(seconds).unwrap_or(u32::MAX));
    section.finish();
    FindingsConfig { unread_alarm_seconds: NonZeroU32::new(seconds) }
}
