//! What metrics say of APIs and of what their reads have shown. What each means stands in docs/operations.md.

use std::fmt;
use std::sync::Arc;

use osel_core::time::Timestamp;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::metrics::{flag, seconds};
use crate::runtime::service::{ApiStatus, ServiceStatus};

/// All of a status; nothing where no API is configured and no read has shown a difference.
pub(super) fn encode(out: &mut DescriptorEncoder<'_>, status: &ServiceStatus) -> Result<(), fmt::Error> {
    let all = &status.apis;
    let in_seconds = Some(&Unit::Seconds);
    gauges(out, all, "openstack_up", "Whether the API answered the last question.", None, |api| {
        api.is_up.map(flag)
    })?;
    gauges(out, all, "openstack_state_since", "Since when it answers, or does not.", in_seconds, |api| {
        (api.since != Timestamp::EPOCH).then(|| seconds(api.since))
    })?;
    gauges(out, all, "openstack_reading", "Whether a read of everything is under way.", None, |api| {
        Some(flag(api.is_reading))
    })?;
    let help = "When the last read of everything came to its end.";
    gauges(out, all, "openstack_last_read_timestamp", help, in_seconds, |api| {
        api.last_read.map(|read| seconds(read.at))
    })?;
    gauges(out, all, "openstack_read", "How long the last read of everything took.", in_seconds, |api| {
        api.last_read.map(|read| read.time.as_secs_f64())
    })?;
    gauges(out, all, "openstack_read_objects", "Objects and names that it showed.", None, |api| {
        api.last_read.map(|read| read.objects as f64)
    })?;
    let help = "Collections that it was refused: what they hold is not checked.";
    gauges(out, all, "openstack_refused_collections", help, None, |api| {
        api.last_read.map(|read| read.refused as f64)
    })?;
    let help = "Single objects that wait to be looked at.";
    gauges(out, all, "openstack_looks_waiting", help, None, |api| Some(api.looks_waiting as f64))?;
    let help = "Reads of everything that came to their end, since the start.";
    counters(out, all, "openstack_reads", help, |api| api.reads)?;
    let help = "Single objects that were looked at, since the start.";
    counters(out, all, "openstack_looks", help, |api| api.looks)?;
    let help = "Reads and looks that failed, since the start.";
    counters(out, all, "openstack_failures", help, |api| api.failures)?;
    drift(out, status)
}

fn drift(out: &mut DescriptorEncoder<'_>, status: &ServiceStatus) -> Result<(), fmt::Error> {
    let help = "Objects that a read showed to be different from the model, over all starts.";
    let mut family = out.encode_descriptor("drift", help, None, MetricType::Counter)?;
    for (region, kind, count) in &status.drift {
        let labels = [label(region.as_ref()), ("kind", *kind)];
        family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(count, None)?;
    }
    Ok(())
}

fn gauges(
    out: &mut DescriptorEncoder<'_>,
    all: &[ApiStatus],
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl Fn(&ApiStatus) -> Option<f64>,
) -> Result<(), fmt::Error> {
    let mut family = out.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for api in all {
        if let Some(value) = value(api) {
            family.encode_family(&[label(api.region.as_ref())])?.encode_gauge(&value)?;
        }
    }
    Ok(())
}

fn counters(
    out: &mut DescriptorEncoder<'_>,
    all: &[ApiStatus],
    name: &str,
    help: &str,
    value: impl Fn(&ApiStatus) -> u64,
) -> Result<(), fmt::Error> {
    let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
    for api in all {
        let labels = [label(api.region.as_ref())];
        family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, f64>(&value(api), None)?;
    }
    Ok(())
}

fn label(region: Option<&Arc<str>>) -> (&'static str, &str) {
    ("region", region.map_or("", |region| region))
}
