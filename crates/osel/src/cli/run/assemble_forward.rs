//! From `[[forward]]` to what the daemon's parts ask for.

use std::sync::Arc;

use super::super::config::ConfigArg;
use super::super::pseudonyms;
use crate::config::{Config, ForwardConfig, ScannerKind};
use crate::forward::build;
use crate::forward::now::ConfigNow;
use crate::runtime::forward::ForwarderSettings;
use crate::runtime::service::ForwarderRenewal;

/// The forwarders.
pub(super) fn forwarders(config: &Config, file: &ConfigArg) -> Vec<ForwarderSettings> {
    config.forwards.iter().map(|forward| of_forward(forward, config, file)).collect()
}

/// What becomes of them when the configuration was read again.
pub(super) fn renewals(old: &Config, new: &Config, file: &ConfigArg) -> Vec<ForwarderRenewal> {
    let waits_alike = awaits_scans(old) == awaits_scans(new);
    let renewal = |forward: &ForwardConfig| {
        let is_same = waits_alike && old.forwards.iter().any(|old| is_same(old, forward));
        match is_same {
            true => ForwarderRenewal::Same(forward.name.as_str().into()),
            false => ForwarderRenewal::Begin(Box::new(of_forward(forward, new, file))),
        }
    };
    new.forwards.iter().map(renewal).collect()
}

/// Whether two tables say the same of the same forwarder; where they stand in the file does not count, nor where a new one begins.
fn is_same(old: &ForwardConfig, new: &ForwardConfig) -> bool {
    *old == ForwardConfig { place: old.place.clone(), from: old.from, ..new.clone() }
}

fn of_forward(forward: &ForwardConfig, config: &Config, file: &ConfigArg) -> ForwarderSettings {
    let started_with = forward.clone();
    let now = now(forward, file.clone());
    ForwarderSettings {
        config: forward.clone(),
        receiver: Arc::new(move || build(&started_with, Arc::clone(&now))),
        awaits_scans: awaits_scans(config),
        pseudonyms: forward.pseudonyms.then(|| pseudonyms::source(&config.store, file.file())),
    }
}

/// The table as it is now: passwords are exchanged while we run. One that is wrong just now, since somebody is at it, changes nothing.
fn now(forward: &ForwardConfig, file: ConfigArg) -> ConfigNow {
    let started_with = forward.clone();
    Arc::new(move || {
        let read = file.load_quietly().map(|config| config.forwards);
        let is_it = |forward: &ForwardConfig| {
            forward.name == started_with.name && forward.receiver.as_str() == started_with.receiver.as_str()
        };
        read.and_then(|all| all.into_iter().find(is_it)).unwrap_or_else(|| started_with.clone())
    })
}

/// Whether scans of Qualys may follow from records.
fn awaits_scans(config: &Config) -> bool {
    let is_qualys = |kind: &ScannerKind| matches!(kind, ScannerKind::Qualys(_));
    config.scan.enabled && config.scanners.iter().any(|scanner| is_qualys(&scanner.kind))
}
