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

/// The scanners that are planned for once the configuration was read again. A daemon has those that it was started with: what is planned
/// for another one nobody would carry out, and what is planned for one of another type somebody else would. Where none would be left,
/// those that are in force stay so until the restart: otherwise nothing would be scanned, and no record would say so.
pub(super) fn carried(
    at_start: &[ScannerConfig],
    in_force: &[ScannerConfig],
    new: &[ScannerConfig],
) -> Vec<ScannerConfig> {
    let there = |new: &ScannerConfig| {
        let old = at_start.iter().find(|old| old.name == new.name)?;
        Some(if old.kind.as_str() == new.kind.as_str() { new.clone() } else { old.clone() })
    };
    let carried: Vec<_> = new.iter().filter_map(there).collect();
    if carried.is_empty() { in_force.to_vec() } else { carried }
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

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::config::{Place, ProgramConfig, RatedConfig, ScannerKind};

    /// Scanners as `NAME TYPE SECONDS`, which they gather for.
    fn scanners(tables: &[&str]) -> Vec<ScannerConfig> {
        let table = |table: &&str| {
            let words: Vec<&str> = table.split(' ').collect();
            let [name, kind, seconds] = words[..] else { panic!("three words: {table}") };
            let program = || ProgramConfig {
                program: "true".to_owned(),
                user: None,
                timeout_seconds: 1,
                memory_mib: 1,
                output_mib: 1,
            };
            let rated = || Box::new(RatedConfig { program: program(), rate: NonZeroU32::MIN });
            ScannerConfig {
                name: name.to_owned(),
                kind: match kind {
                    "builtin" => ScannerKind::Builtin,
                    "naabu" => ScannerKind::Naabu(rated()),
                    _ => ScannerKind::Masscan(rated()),
                },
                window_seconds: seconds.parse().unwrap(),
                batch_addresses_max: NonZeroU32::MIN,
                running_max: NonZeroU32::MIN,
                life_seconds_max: 60,
                place: Place::Nowhere,
            }
        };
        tables.iter().map(table).collect()
    }

    #[test]
    fn nothing_is_planned_for_a_scanner_that_the_daemon_was_not_started_with() {
        let at_start = scanners(&["own builtin 2", "wide naabu 10"]);
        let mut in_force = at_start.clone();
        for (new, wanted) in [
            (
                &["own builtin 2", "wide naabu 10", "more builtin 2"][..],
                &["own builtin 2", "wide naabu 10"][..],
            ),
            // What is not about who is there holds at once.
            (&["wide naabu 30", "own builtin 1"], &["wide naabu 30", "own builtin 1"]),
            (&["own builtin 2", "wide masscan 20"], &["own builtin 2", "wide naabu 10"]),
            (&["own builtin 2"], &["own builtin 2"]),
            // None is left: the last ones stay.
            (&["more builtin 2"], &["own builtin 2"]),
            (&["more builtin 2", "wide naabu 10"], &["wide naabu 10"]),
        ] {
            in_force = carried(&at_start, &in_force, &scanners(new));
            assert_eq!(in_force, scanners(wanted), "{new:?}");
        }
    }
}
