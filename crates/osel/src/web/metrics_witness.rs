//! What metrics say of the witnesses of the log. What each means stands in docs/operations.md.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::metrics::{flag, seconds};
use crate::runtime::service::ServiceStatus;
use crate::runtime::witnessing::WitnessStatus;

/// All of a status; nothing where no witness was asked.
pub(super) fn encode(out: &mut DescriptorEncoder<'_>, status: &ServiceStatus) -> Result<(), fmt::Error> {
    let all = &status.witnesses;
    gauges(out, all, "witness_up", "Whether nothing is wrong with the witness.", None, |witness| {
        Some(flag(witness.client.trouble.is_none()))
    })?;
    let help = "Records that the last checkpoint stands for that it has cosigned.";
    gauges(out, all, "witness_cosigned_records", help, None, |witness| Some(witness.client.cosigned as f64))?;
    let help =
        "Records that were signed and that it has not seen: what could be cut off without its noticing.";
    gauges(out, all, "witness_unseen_records", help, None, |witness| {
        Some(witness.client.newest.saturating_sub(witness.client.cosigned) as f64)
    })?;
    let help = "When it cosigned last, since the start.";
    gauges(out, all, "witness_cosigned_timestamp", help, Some(&Unit::Seconds), |witness| {
        witness.client.cosigned_at.map(seconds)
    })
}

fn gauges(
    out: &mut DescriptorEncoder<'_>,
    all: &[WitnessStatus],
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: impl Fn(&WitnessStatus) -> Option<f64>,
) -> Result<(), fmt::Error> {
    if all.is_empty() {
        return Ok(());
    }
    let mut family = out.encode_descriptor(name, help, unit, MetricType::Gauge)?;
    for witness in all {
        if let Some(value) = value(witness) {
            family.encode_family(&[("witness", witness.key.name().as_str())])?.encode_gauge(&value)?;
        }
    }
    Ok(())
}
