//! What one change opened and closed, and which of it changed nothing for a packet.
//!
//! Brute force: a map of all 65,536 ports, or of all ICMP types and codes, for each row that is asked about.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::protocol::{HIGHEST_PORT, LOWEST_PORT, has_ports, is_icmp};
use super::rows::compare_rows;

/// The rows of `after` that were not in `before`, and the other way round, sorted, each with `redundant`.
///
/// An opened row is redundant when the other rows of `after` cover it, a closed one when the rows of `after`
/// do. Only rows of the same network count as rows of the same address: projects reuse addresses.
pub fn delta(before: &[Value], after: &[Value]) -> (Vec<Value>, Vec<Value>) {
    (missing_in(before, after, after), missing_in(after, before, after))
}

/// A row is all of its keys: a permission that passes from no server to one is closed for the one and opened for the other.
fn identity(row: &Value) -> String {
    row.to_string()
}

fn missing_in(there: &[Value], rows: &[Value], after: &[Value]) -> Vec<Value> {
    let known: BTreeSet<String> = there.iter().map(identity).collect();
    let mut found = Vec::new();
    for row in rows {
        let own = identity(row);
        if known.contains(&own) {
            continue;
        }
        let others: Vec<&Value> = after.iter().filter(|other| identity(other) != own).collect();
        let mut row = row.clone();
        let redundant = is_covered(&row, &others);
        if let Some(fields) = row.as_object_mut() {
            fields.insert("redundant".to_owned(), json!(redundant));
        }
        found.push(row);
    }
    found.sort_by(compare_rows);
    found.dedup();
    found
}

fn is_covered(row: &Value, others: &[&Value]) -> bool {
    let same_place =
        |other: &&&Value| ["address", "network_id", "ethertype"].iter().all(|key| row[*key] == other[*key]);
    let protocol = row["protocol"].as_str().unwrap_or("any");
    let helping: Vec<&Value> = others
        .iter()
        .filter(same_place)
        .filter(|other| other["protocol"] == "any" || other["protocol"] == row["protocol"])
        .filter(|other| covers_source(&other["source"], &row["source"]))
        .copied()
        .collect();
    if has_ports(protocol) {
        covers_ports(row, &helping)
    } else if is_icmp(protocol) {
        covers_icmp(row, &helping)
    } else {
        !helping.is_empty()
    }
}

/// Equal, a containing prefix, or the whole family (which holds the members of every group too).
fn covers_source(wide: &Value, narrow: &Value) -> bool {
    if wide == narrow || wide["prefix"] == "0.0.0.0/0" || wide["prefix"] == "::/0" {
        return true;
    }
    let read = |source: &Value| source["prefix"].as_str()?.parse::<IpNet>().ok();
    matches!((read(wide), read(narrow)), (Some(wide), Some(narrow)) if wide.contains(&narrow))
}

fn covers_ports(row: &Value, helping: &[&Value]) -> bool {
    let mut covered = vec![false; 65_536];
    for other in helping {
        // A row without bounds covers port 0 as well, though no row needs it to.
        let from = other["port_min"].as_i64().unwrap_or(0);
        let to = other["port_max"].as_i64().unwrap_or(HIGHEST_PORT);
        mark(&mut covered, from, to);
    }
    let from = row["port_min"].as_i64().unwrap_or(LOWEST_PORT);
    let to = row["port_max"].as_i64().unwrap_or(HIGHEST_PORT);
    !helping.is_empty() && (from..=to).all(|port| is_marked(&covered, port))
}

fn covers_icmp(row: &Value, helping: &[&Value]) -> bool {
    let mut covered = vec![false; 65_536];
    for other in helping {
        for (from, to) in icmp_cells(other) {
            mark(&mut covered, from, to);
        }
    }
    !helping.is_empty()
        && icmp_cells(row).iter().all(|&(from, to)| (from..=to).all(|cell| is_marked(&covered, cell)))
}

/// The cells `type × 256 + code` of a row, as ranges: null means all.
fn icmp_cells(row: &Value) -> Vec<(i64, i64)> {
    let types = row["icmp_type"].as_i64().map_or((0, 255), |one| (one, one));
    let codes = row["icmp_code"].as_i64().map_or((0, 255), |one| (one, one));
    (types.0..=types.1).map(|kind| (kind * 256 + codes.0, kind * 256 + codes.1)).collect()
}

fn mark(covered: &mut [bool], from: i64, to: i64) {
    for cell in from.max(0)..=to.min(HIGHEST_PORT) {
        if let Some(cell) = usize::try_from(cell).ok().and_then(|cell| covered.get_mut(cell)) {
            *cell = true;
        }
    }
}

fn is_marked(covered: &[bool], cell: i64) -> bool {
    usize::try_from(cell).ok().and_then(|cell| covered.get(cell)).copied().unwrap_or(false)
}

#[cfg(test)]
mod tests;
