//! What metrics say of scanners, scans and findings. What each means stands in docs/operations.md.

use std::fmt;

use osel_core::finding::FindingKind;
use osel_core::scan::{ScanState, Severity};
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::metrics::flag;
use crate::runtime::service::{FindingsStatus, Phase, ScannerStatus, ServiceStatus};

/// The states that are counted.
const STATES: [ScanState; 5] =
    [ScanState::Launched, ScanState::Judged, ScanState::Failed, ScanState::Cancelled, ScanState::Expired];

/// All of a status.
pub(super) fn encode(out: &mut DescriptorEncoder<'_>, status: &ServiceStatus) -> Result<(), fmt::Error> {
    let all = &status.scanners;
    gauges(out, all, "scanner_up", "Whether the scanner answered the last call.", |scanner| {
        scanner.is_up.map(flag)
    })?;
    gauges(out, all, "scans_waiting", "Commands that wait for their turn at the scanner.", |scanner| {
        Some(scanner.waiting as f64)
    })?;
    gauges(out, all, "scans_running", "Scans that the scanner has.", |scanner| Some(scanner.running as f64))?;
    let help = "Commands that were launched elsewhere, or ended so, since the start.";
    let mut family = out.encode_descriptor("scans", help, None, MetricType::Counter)?;
    for scanner in all {
        for state in STATES {
            let count = scanner.ended.get(&state).copied().unwrap_or(0);
            let labels = [label(scanner), ("state", state.as_str())];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
        }
    }
    let help = "Time of a command from being planned to its end.";
    let mut family = out.encode_descriptor("scan", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for scanner in all {
        let buckets: Vec<(f64, u64)> = scanner.times.buckets().collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = scanner.times.sum_seconds();
        family
            .encode_family(&[label(scanner)])?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
    }
    // Before there is a loop nothing is known of them.
    match status.phase {
        Phase::Running | Phase::Stopping => findings(out, &status.findings),
        Phase::Starting | Phase::StandingBy => Ok(()),
    }
}

/// All kinds and severities, also those that none has: what falls to none is to be seen.
fn findings(out: &mut DescriptorEncoder<'_>, status: &FindingsStatus) -> Result<(), fmt::Error> {
    let help = "Findings that are neither resolved nor acknowledged nor expected.";
    let mut family = out.encode_descriptor("findings_open", help, None, MetricType::Gauge)?;
    for kind in FindingKind::ALL {
        for severity in Severity::ALL {
            let count = status.open.get(&(kind, severity)).copied().unwrap_or(0);
            let labels = [("kind", kind.as_str()), ("severity", severity.as_str())];
            family.encode_family(&labels)?.encode_gauge(&count)?;
        }
    }
    let help = "For how long findings wait that nobody has read.";
    let unread = status.unread.map_or(0.0, |(_, time)| time.as_secs_f64());
    out.encode_descriptor("findings_unread", help, Some(&Unit::Seconds), MetricType::Gauge)?
        .encode_gauge(&unread)
}

fn gauges(
    out: &mut DescriptorEncoder<'_>,
    all: &[ScannerStatus],
    name: &str,
    help: &str,
    value: impl Fn(&ScannerStatus) -> Option<f64>,
) -> Result<(), fmt::Error> {
    let mut family = out.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for scanner in all {
        if let Some(value) = value(scanner) {
            family.encode_family(&[label(scanner)])?.encode_gauge(&value)?;
        }
    }
    Ok(())
}

fn label(scanner: &ScannerStatus) -> (&'static str, &str) {
    ("scanner", &scanner.name)
}
