//! What metrics say of forwarders. What each means stands in docs/operations.md.

use std::fmt;

use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::metrics::flag;
use crate::runtime::forward::ForwarderStatus;
use crate::runtime::service::ServiceStatus;

/// What became of a forwarder's records.
const OUTCOMES: [&str; 3] = ["delivered", "filtered", "dead"];

/// All of a status.
pub(super) fn encode(out: &mut DescriptorEncoder<'_>, status: &ServiceStatus) -> Result<(), fmt::Error> {
    let all = &status.forwarders;
    gauges(out, all, ("forward_up", "Whether the receiver took the last call well.", None), |forwarder| {
        forwarder.is_up.map(flag)
    })?;
    let help = "Whether something stands in the way of delivery.";
    gauges(out, all, ("forward_trouble", help, None), |forwarder| Some(flag(forwarder.trouble.is_some())))?;
    let help = "Records of the trail that the forwarder has not come to the end of.";
    gauges(out, all, ("forward_lag_records", help, None), |forwarder| {
        Some(status.records.saturating_sub(forwarder.row.place) as f64)
    })?;
    let help = "How long the oldest record waits that the receiver has not got.";
    gauges(out, all, ("forward_lag", help, Some(&Unit::Seconds)), |forwarder| {
        Some(forwarder.lag.as_secs_f64())
    })?;
    gauges(
        out,
        all,
        ("forward_dead_letters", "Lines that the receiver will not take.", None),
        |forwarder| Some(forwarder.letters as f64),
    )?;
    // No counters: they go back when the forwarder is set back, and by what a kill kept from being durable.
    let help = "What became of records, since the forwarder began or was last set back.";
    let mut family = out.encode_descriptor("forward_records", help, None, MetricType::Gauge)?;
    for forwarder in all {
        let row = &forwarder.row;
        for (outcome, count) in OUTCOMES.into_iter().zip([row.delivered, row.filtered, row.dead]) {
            family.encode_family(&[label(forwarder), ("outcome", outcome)])?.encode_gauge(&count)?;
        }
    }
    counters(out, all, "forward_batches", "Batches that the receiver took, since the start.", |forwarder| {
        forwarder.batches
    })?;
    let help = "Batches that were not taken whole or were sent again, since the start.";
    counters(out, all, "forward_retries", help, |forwarder| forwarder.retries)?;
    let help = "How often the forwarder broke down, which is a defect of osel, since the start.";
    counters(out, all, "forward_defects", help, |forwarder| forwarder.defects)?;
    let help = "Records that retention had let something go of before they were sent, since the start.";
    counters(out, all, "forward_incomplete", help, |forwarder| forwarder.incomplete)?;
    let help = "Time of handing a batch over.";
    let mut family =
        out.encode_descriptor("forward_send", help, Some(&Unit::Seconds), MetricType::Histogram)?;
    for forwarder in all {
        let buckets: Vec<(f64, u64)> = forwarder.times.buckets().collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = forwarder.times.sum_seconds();
        family
            .encode_family(&[label(forwarder)])?
            .encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
    }
    Ok(())
}

fn gauges(
    out: &mut DescriptorEncoder<'_>,
    all: &[ForwarderStatus],
    (name, help, unit): (&str, &str, Option<&Unit>),
    value: impl Fn(&ForwarderStatus) -> Option<f64>,
) -> Result<(), fmt::Error> {
    let mut family = out.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for forwarder in all {
        if let Some(value) = value(forwarder) {
            family.encode_family(&[label(forwarder)])?.encode_gauge(&value)?;
        }
    }
    Ok(())
}

fn counters(
    out: &mut DescriptorEncoder<'_>,
    all: &[ForwarderStatus],
    name: &str,
    help: &str,
    count: impl Fn(&ForwarderStatus) -> u64,
) -> Result<(), fmt::Error> {
    let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
    for forwarder in all {
        let count = count(forwarder);
        family.encode_family(&[label(forwarder)])?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
    }
    Ok(())
}

fn label(forwarder: &ForwarderStatus) -> (&'static str, &str) {
    ("forwarder", &forwarder.name)
}
