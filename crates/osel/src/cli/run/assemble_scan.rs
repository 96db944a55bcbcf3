//! From `[scan]` and `[[scanner]]` to what the daemon's parts ask for.

use std::sync::Arc;

use anyhow::Context;
use osel_core::ids::Id;
use osel_core::plan::{Projects, QuietHours, ScanPolicy, ScannerPolicy, Vantage};

use super::super::config::ConfigArg;
use crate::action::build::{ConfigNow, build};
use crate::action::builtin::ScanRates;
use crate::config::{Abilities, Config, ProjectsConfig, ScannerConfig, VantageConfig};
use crate::runtime::service::{ScannerRenewal, ScannerSettings};

/// What may be scanned, and by whom.
pub(super) fn policy(config: &Config) -> ScanPolicy {
    let scan = &config.scan;
    let ids = |texts: &[String]| texts.iter().map(|text| Id::new(text)).collect();
    ScanPolicy {
        allowed_prefixes: scan.allowed_prefixes.clone(),
        never_prefixes: scan.never_prefixes.clone(),
        vantage: match scan.vantage {
            VantageConfig::Internet => Vantage::Internet,
            VantageConfig::Prefix(prefix) => Vantage::Prefix(prefix),
        },
        opened: scan.opened,
        closed: scan.closed,
        projects: match &scan.projects {
            ProjectsConfig::All => Projects::All,
            ProjectsConfig::Only(projects) => Projects::Only(ids(projects)),
            ProjectsConfig::Except(projects) => Projects::Except(ids(projects)),
        },
        quiet_hours: scan.quiet_hours.map(|(from_minute, to_minute)| QuietHours { from_minute, to_minute }),
        hour_budget: scan.addresses_per_hour,
        project_hour_budget: scan.project_addresses_per_hour,
        sensitive_ports: scan.sensitive_ports.clone(),
        confirm_seconds: scan.confirm_seconds,
        wait_seconds_max: scan.wait_seconds_max,
        scanners: config.scanners.iter().map(of_scanner).collect(),
    }
}

fn of_scanner(scanner: &ScannerConfig) -> ScannerPolicy {
    let Abilities { takes_ports, takes_udp, takes_ipv6, .. } = scanner.kind.abilities();
    ScannerPolicy {
        name: scanner.name.as_str().into(),
        kind: scanner.kind.as_str().into(),
        window_seconds: scanner.window_seconds,
        batch_addresses_max: scanner.batch_addresses_max,
        running_max: scanner.running_max,
        takes_ports,
        takes_udp,
        takes_ipv6,
        life_seconds_max: scanner.life_seconds_max,
    }
}

/// The scanners.
///
/// # Errors
/// When one cannot be made.
pub(super) fn scanners(config: &Config, file: &ConfigArg) -> anyhow::Result<Vec<ScannerSettings>> {
    let scan = &config.scan;
    let rates = ScanRates {
        rate: scan.rate_per_second,
        rate_per_host: scan.host_rate_per_second,
        concurrency: scan.concurrency,
    };
    let one = |scanner: &ScannerConfig| {
        let built =
            build(scanner, now(scanner, file.clone()), rates).context("osel cannot scan as configured")?;
        Ok(ScannerSettings {
            name: scanner.name.as_str().into(),
            kind: scanner.kind.as_str().into(),
            running_max: running_max(scanner),
            scanner: Arc::from(built),
        })
    };
    config.scanners.iter().map(one).collect()
}

/// What of the scanners is in force at once.
pub(super) fn renewals(config: &Config) -> Vec<ScannerRenewal> {
    config.scanners.iter().map(|scanner| (scanner.name.as_str().into(), running_max(scanner))).collect()
}

/// What of the tables holds until a restart.
pub(super) fn fixed(config: &Config) -> Vec<(&str, &str)> {
    config.scanners.iter().map(|scanner| (scanner.name.as_str(), scanner.kind.as_str())).collect()
}

fn running_max(scanner: &ScannerConfig) -> usize {
    usize::try_from(scanner.running_max.get()).unwrap_or(usize::MAX)
}

/// The table as it is now: passwords are exchanged while we run. One that is wrong just now, since somebody is at it, changes nothing.
fn now(scanner: &ScannerConfig, file: ConfigArg) -> ConfigNow {
    let started_with = scanner.clone();
    Arc::new(move || {
        let read = file.load_quietly().map(|config| config.scanners);
        let is_it = |scanner: &ScannerConfig| {
            scanner.name == started_with.name && scanner.kind.as_str() == started_with.kind.as_str()
        };
        read.and_then(|all| all.into_iter().find(is_it)).unwrap_or_else(|| started_with.clone())
    })
}
