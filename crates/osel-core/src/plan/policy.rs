//! What may be scanned without an order of a person, when, how much of it, and by whom.
//!
//! Data only. It stands in journals for ever: what a later version adds has a default, and the defaults are what was done before there was
//! a choice.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::WhyNot;
use crate::ids::Id;
use crate::scan::BUILTIN;

/// What may be scanned without an order of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScanPolicy {
    /// Prefixes whose addresses may be scanned whatever the model thinks of their paths.
    pub allowed_prefixes: Vec<IpNet>,
    /// Prefixes whose addresses are never scanned, whatever else allows it.
    pub never_prefixes: Vec<IpNet>,
    /// From where the scanners see the cloud.
    pub vantage: Vantage,
    /// Whether what opened is scanned.
    pub opened: bool,
    /// Whether what closed is scanned, to prove that it did.
    pub closed: bool,
    /// Whose addresses are scanned.
    pub projects: Projects,
    /// When no scan is begun.
    pub quiet_hours: Option<QuietHours>,
    /// The most addresses that are scanned within an hour, a scanner's each counted.
    pub hour_budget: Option<NonZeroU32>,
    /// The same of one project.
    pub project_hour_budget: Option<NonZeroU32>,
    /// Ports that are scanned before others.
    pub sensitive_ports: Vec<u16>,
    /// How long after an odd result the same is scanned once more, in seconds.
    pub confirm_seconds: u32,
    /// What has waited for so many seconds and was not begun is not scanned.
    pub wait_seconds_max: u32,
    /// Who scans. Each scans everything that it can.
    pub scanners: Vec<ScannerPolicy>,
}

/// From where the scanners see the cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// From outside of it.
    #[default]
    Internet,
    /// From this prefix.
    Prefix(IpNet),
}

/// Whose addresses are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projects {
    /// Everybody's.
    #[default]
    All,
    /// Of these alone.
    Only(Vec<Id>),
    /// Of all but these.
    Except(Vec<Id>),
}

impl Projects {
    /// Whether a project's addresses are meant; addresses of which nobody knows the project are as long as not single projects are named.
    pub fn include(&self, project: Option<&Id>) -> bool {
        match self {
            Self::All => true,
            Self::Only(ids) => project.is_some_and(|project| ids.contains(project)),
            Self::Except(ids) => project.is_none_or(|project| !ids.contains(project)),
        }
    }
}

/// A time of the day in UTC, in minutes from midnight; the end is not in it. It may go over midnight. Of one that ends where it begins
/// there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// The first minute.
    pub from_minute: u16,
    /// The first minute after it.
    pub to_minute: u16,
}

/// One scanner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScannerPolicy {
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its type.
    pub kind: Arc<str>,
    /// How long an address waits for more to be scanned with it, in seconds.
    pub window_seconds: u32,
    /// The most addresses of one command.
    pub batch_addresses_max: NonZeroU32,
    /// The most commands under way at once.
    pub running_max: NonZeroU32,
    /// Whether it can be told which ports to scan.
    pub takes_ports: bool,
    /// Whether it scans UDP.
    pub takes_udp: bool,
    /// Whether it scans addresses of IPv6.
    pub takes_ipv6: bool,
    /// How long a command may be under way, in seconds.
    pub life_seconds_max: u32,
}

/// The most scans of the built-in scanner under way at once, where nobody says otherwise.
pub const RUNNING_SCANS_MAX: u32 = 16;
/// After an agent's usual time to follow a change: Neutron's default `report_interval` is 30 s, and it may miss one.
const CONFIRM_SECONDS: u32 = 60;
/// A day: quiet hours and budgets of the day are over by then.
const WAIT_SECONDS_MAX: u32 = 86_400;
/// The built-in scanner needs seconds for an address; an hour is a scan that hangs.
const LIFE_SECONDS_MAX: u32 = 3600;

impl Default for ScanPolicy {
    fn default() -> Self {
        Self {
            allowed_prefixes: Vec::new(),
            never_prefixes: Vec::new(),
            vantage: Vantage::Internet,
            opened: true,
            closed: true,
            projects: Projects::All,
            quiet_hours: None,
            hour_budget: None,
            project_hour_budget: None,
            sensitive_ports: Vec::new(),
            confirm_seconds: CONFIRM_SECONDS,
            wait_seconds_max: WAIT_SECONDS_MAX,
            scanners: vec![ScannerPolicy::builtin()],
        }
    }
}

impl ScanPolicy {
    /// Why an address is not scanned though something of it changed that is seen from the vantage.
    pub fn refusal(&self, address: IpAddr, project: Option<&Id>) -> Option<WhyNot> {
        if self.is_never(address) {
            Some(WhyNot::Never)
        } else {
            (!self.projects.include(project)).then_some(WhyNot::Project)
        }
    }

    /// Whether an address is never scanned.
    pub fn is_never(&self, address: IpAddr) -> bool {
        // One written as IPv6 is the same host.
        let canonical = address.to_canonical();
        self.never_prefixes.iter().any(|prefix| prefix.contains(&address) || prefix.contains(&canonical))
    }

    /// The scanner of that name.
    pub fn scanner(&self, name: &str) -> Option<&ScannerPolicy> {
        self.scanners.iter().find(|scanner| &*scanner.name == name)
    }
}

impl ScannerPolicy {
    /// The built-in scanner as it was when it was the only one: each address at once, in a command of its own.
    pub fn builtin() -> Self {
        Self {
            name: BUILTIN.into(),
            kind: BUILTIN.into(),
            window_seconds: 0,
            batch_addresses_max: NonZeroU32::MIN,
            running_max: NonZeroU32::MIN.saturating_add(RUNNING_SCANS_MAX - 1),
            takes_ports: true,
            takes_udp: true,
            takes_ipv6: true,
            life_seconds_max: LIFE_SECONDS_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_an_earlier_journal_is_what_was_done_then() {
        let old = r#"{"allowed_prefixes":["10.0.0.0/8"]}"#;
        let policy: ScanPolicy = serde_json::from_str(old).expect("a policy");
        let wanted = ScanPolicy {
            allowed_prefixes: vec!["10.0.0.0/8".parse().expect("a prefix")],
            ..ScanPolicy::default()
        };
        assert_eq!(policy, wanted);
        assert_eq!((policy.scanners[0].window_seconds, policy.scanners[0].batch_addresses_max.get()), (0, 1));
    }

    #[test]
    fn whose_addresses_are_meant() {
        let (one, other) = (Id::new("one"), Id::new("other"));
        let only = Projects::Only(vec![one.clone()]);
        let except = Projects::Except(vec![one.clone()]);
        let told =
            |projects: &Projects| [Some(&one), Some(&other), None].map(|project| projects.include(project));
        assert_eq!(told(&Projects::All), [true; 3]);
        assert_eq!(told(&only), [true, false, false]);
        assert_eq!(told(&except), [false, true, true]);
    }
}
