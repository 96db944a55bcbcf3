//! `[scan]`: what is scanned without an order of a person, when, and how hard the built-in scanner may try.

use std::num::NonZeroU32;

use osel_core::exposure::SENSITIVE_PORTS;

use super::check::{PREFIXES_MAX, prefix};
use super::parts::{ProjectsConfig, ScanConfig, VantageConfig};
use super::section::{Section, boolean, number, quoted, text};
use super::tree::{Node, Origin, Value};

/// Connections per second that a cloud's gateways do not notice.
const RATE_PER_SECOND: u32 = 500;
/// Connections per second that one small machine does not notice.
const HOST_RATE_PER_SECOND: u32 = 100;
/// The highest rate that can be asked for: one machine cannot send more.
const RATE_PER_SECOND_MAX: i64 = 1_000_000;
/// Probes out at once: with timeouts of a second, what the default rate needs.
const CONCURRENCY: u32 = 512;
/// More probes at once than a machine has ports to send them from.
const CONCURRENCY_MAX: i64 = 65_535;
/// The most projects of a list: each address that changes is looked up in it.
const PROJECTS_MAX: usize = 4096;
/// The longest id of a project: Keystone's column.
const PROJECT_CHARS_MAX: usize = 64;
/// More addresses within an hour than any budget is for.
const ADDRESSES_PER_HOUR_MAX: i64 = 10_000_000;
/// After an agent's usual time to follow a change: Neutron's agents report every 30 s, and may miss one.
const CONFIRM_SECONDS: u32 = 60;
/// A day after an odd result nobody asks any more whether the agents had followed.
const CONFIRM_SECONDS_MAX: i64 = 86_400;
/// A day: quiet hours and the budgets of hours are over by then.
const WAIT_SECONDS_MAX: u32 = 86_400;
/// What waits for longer than 30 days is no answer to a change.
const WAIT_SECONDS_MOST: i64 = 30 * 86_400;
/// What waits for less than a minute would be dropped by the window of a scanner.
const WAIT_SECONDS_LEAST: i64 = 60;
/// The most ports that are scanned before others: with more, none is.
const SENSITIVE_PORTS_MAX: usize = 256;

/// Reads the table.
pub(super) fn scan(mut section: Section<'_>) -> ScanConfig {
    let rate_per_second = count(&mut section, "rate_per_second", RATE_PER_SECOND_MAX, RATE_PER_SECOND);
    let host_rate_per_second =
        count(&mut section, "host_rate_per_second", RATE_PER_SECOND_MAX, HOST_RATE_PER_SECOND);
    let concurrency = count(&mut section, "concurrency", CONCURRENCY_MAX, CONCURRENCY);
    let changes = section.list("changes", 1..=2, |text| match text {
        "opened" | "closed" => Ok(text.to_owned()),
        other => Err(format!("must be `opened` or `closed`, not `{}`", quoted(other))),
    });
    let has =
        |wanted: &str| changes.as_ref().is_none_or(|changes| changes.iter().any(|change| change == wanted));
    let (opened, closed) = (has("opened"), has("closed"));
    let confirm =
        section.read("confirm_seconds", |node| number(node, 1..=CONFIRM_SECONDS_MAX)).and_then(seconds);
    let wait = section
        .read("wait_seconds_max", |node| number(node, WAIT_SECONDS_LEAST..=WAIT_SECONDS_MOST))
        .and_then(seconds);
    let scan = ScanConfig {
        enabled: section.read("enabled", boolean).unwrap_or(true),
        allowed_prefixes: section.list("allowed_prefixes", 0..=PREFIXES_MAX, prefix).unwrap_or_default(),
        never_prefixes: section.list("never_prefixes", 0..=PREFIXES_MAX, prefix).unwrap_or_default(),
        vantage: section.read("vantage", vantage).unwrap_or_default(),
        opened,
        closed,
        projects: projects(&mut section),
        quiet_hours: section.read("quiet_hours", quiet_hours),
        addresses_per_hour: budget(&mut section, "addresses_per_hour"),
        project_addresses_per_hour: budget(&mut section, "project_addresses_per_hour"),
        sensitive_ports: ports(&mut section, "sensitive_ports").unwrap_or_else(|| SENSITIVE_PORTS.to_vec()),
        confirm_seconds: confirm.unwrap_or(CONFIRM_SECONDS),
        wait_seconds_max: wait.unwrap_or(WAIT_SECONDS_MAX),
        rate_per_second,
        host_rate_per_second,
        concurrency,
    };
    section.finish();
    scan
}

fn count(section: &mut Section<'_>, key: &'static str, max: i64, default: u32) -> NonZeroU32 {
    let count = section.read(key, |node| number(node, 1..=max)).unwrap_or(i64::from(default));
    u32::try_from(count).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
}

fn budget(section: &mut Section<'_>, key: &'static str) -> Option<NonZeroU32> {
    let count = section.read(key, |node| number(node, 1..=ADDRESSES_PER_HOUR_MAX))?;
    u32::try_from(count).ok().and_then(NonZeroU32::new)
}

fn seconds(count: i64) -> Option<u32> {
    u32::try_from(count).ok()
}

fn vantage(node: &Node) -> Result<VantageConfig, String> {
    match text(node)? {
        "internet" => Ok(VantageConfig::Internet),
        other => prefix(other).map(VantageConfig::Prefix).map_err(|_| {
            format!("must be `internet` or the prefix that scanners stand in, not `{}`", quoted(other))
        }),
    }
}

fn projects(section: &mut Section<'_>) -> ProjectsConfig {
    let id = |text: &str| {
        if text.chars().count() > PROJECT_CHARS_MAX || text.contains(char::is_control) {
            return Err(format!("must be the id of a project, of at most {PROJECT_CHARS_MAX} characters"));
        }
        Ok(text.to_owned())
    };
    let only = section.list("projects", 0..=PROJECTS_MAX, id).filter(|ids| !ids.is_empty());
    let except = section.list("never_projects", 0..=PROJECTS_MAX, id).filter(|ids| !ids.is_empty());
    match (only, except) {
        (Some(_), Some(_)) => {
            let what = "cannot be given together with `projects`: who is not among those is not scanned";
            section.problem(&section.origin().clone(), "never_projects", what);
            ProjectsConfig::All
        }
        (Some(only), None) => ProjectsConfig::Only(only),
        (None, Some(except)) => ProjectsConfig::Except(except),
        (None, None) => ProjectsConfig::All,
    }
}

/// Two times of the day, as `22:00-06:00`.
fn quiet_hours(node: &Node) -> Result<(u16, u16), String> {
    let given = text(node)?;
    let minute = |text: &str| -> Option<u16> {
        let (hours, minutes) = text.split_once(':')?;
        let is_plain = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        let (hour, minute): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
        (is_plain(hours) && is_plain(minutes) && hour < 24 && minute < 60).then_some(hour * 60 + minute)
    };
    let both = given.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    both.filter(|(from, to)| from != to).ok_or_else(|| {
        format!("must be two times of the day in UTC, such as `22:00-06:00`, not `{}`", quoted(given))
    })
}

/// Numbers of ports, none twice; a variable has them with commas between.
fn ports(section: &mut Section<'_>, key: &'static str) -> Option<Vec<u16>> {
    let Node { origin, value } = section.take(key)?;
    let nodes = match value {
        Value::List(nodes) => nodes,
        Value::Text(text) if matches!(origin, Origin::Variable(_)) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts.map(|part| Node { origin: origin.clone(), value: Value::Text(part.to_owned()) }).collect()
        }
        other => {
            section.problem(&origin, key, format!("must be a list of numbers, not {}", other.kind()));
            return None;
        }
    };
    if nodes.len() > SENSITIVE_PORTS_MAX {
        section.problem(
            &origin,
            key,
            format!("has {} entries: give at most {SENSITIVE_PORTS_MAX}", nodes.len()),
        );
        return None;
    }
    let mut ports = Vec::with_capacity(nodes.len());
    for (place, node) in nodes.iter().enumerate() {
        match number(node, 1..=i64::from(u16::MAX)).map(u16::try_from) {
            Ok(Ok(port)) => ports.push(port),
            Ok(Err(_)) => {}
            Err(what) => section.problem(&node.origin, &format!("{key}[{place}]"), what),
        }
    }
    ports.sort_unstable();
    ports.dedup();
    Some(ports)
}
