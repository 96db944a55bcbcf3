//! `[retention]`: what is kept for how long, and how large the store may get.

use super::parts::RetentionConfig;
use super::section::{Section, number};

/// Days that messages are kept: long enough to ask why something was as it was, short of what makes a disk large.
const INPUTS_DAYS: u32 = 30;
/// Days that messages in quarantine are kept at least: an osel that reads them has to be made and installed first.
const QUARANTINE_DAYS: u32 = 90;
/// Days that findings can be listed after they were resolved: whoever shows what was mended shows a year of it.
const FINDINGS_DAYS: u32 = 365;
/// The most days that can be asked for: a century.
const DAYS_MAX: i64 = 36_500;
/// The least bytes that a bound makes sense for: a store with nothing in it and its log have nearly as many.
const BYTES_MIN: i64 = 64 << 20;

/// Reads the table.
pub(super) fn retention(mut section: Section<'_>) -> RetentionConfig {
    let inputs_days = days(&mut section, "inputs_days").unwrap_or(Some(INPUTS_DAYS));
    let inputs_bytes_max = bytes(&mut section, "inputs_bytes_max");
    let go = inputs_days.is_some() || inputs_bytes_max.is_some();
    let default_quarantine = inputs_days.map(|days| days.max(QUARANTINE_DAYS));
    let retention = RetentionConfig {
        inputs_days,
        inputs_bytes_max,
        records_days: behind_inputs(&mut section, "records_days", go, |section, key| {
            at_least(section, key, inputs_days).flatten()
        }),
        records_bytes_max: behind_inputs(&mut section, "records_bytes_max", go, bytes),
        personal_days: days(&mut section, "personal_days").unwrap_or(None),
        quarantine_days: at_least(&mut section, "quarantine_days", inputs_days).unwrap_or(default_quarantine),
        findings_days: days(&mut section, "findings_days").unwrap_or(Some(FINDINGS_DAYS)),
        budget_bytes: bytes(&mut section, "budget_bytes"),
    };
    section.finish();
    retention
}

/// A limit of records, which lose nothing as long as their inputs are there.
fn behind_inputs<'a, T>(
    section: &mut Section<'a>,
    key: &'static str,
    go: bool,
    read: impl FnOnce(&mut Section<'a>, &'static str) -> Option<T>,
) -> Option<T> {
    let limit = read(section, key);
    if limit.is_some() && !go {
        let what = "has no effect while inputs are kept for ever: set `inputs_days` or `inputs_bytes_max`";
        section.problem(&section.origin().clone(), key, what);
    }
    limit
}

/// A number of days, where 0 is for ever.
fn days(section: &mut Section<'_>, key: &'static str) -> Option<Option<u32>> {
    let days = section.read(key, |node| number(node, 0..=DAYS_MAX))?;
    Some(u32::try_from(days).ok().filter(|days| *days > 0))
}

/// A number of days that is not less than that of inputs: what is made of an input is not dropped before it.
fn at_least(section: &mut Section<'_>, key: &'static str, inputs: Option<u32>) -> Option<Option<u32>> {
    let days = section.read(key, |node| {
        let days = number(node, 0..=DAYS_MAX)?;
        let inputs = inputs.map_or(0, i64::from);
        if days > 0 && days < inputs {
            return Err(format!("must be 0, for ever, or at least {inputs}, as many as `inputs_days`"));
        }
        Ok(days)
    })?;
    Some(u32::try_from(days).ok().filter(|days| *days > 0))
}

fn bytes(section: &mut Section<'_>, key: &'static str) -> Option<u64> {
    section.read(key, |node| number(node, BYTES_MIN..=i64::MAX)).map(i64::unsigned_abs)
}
