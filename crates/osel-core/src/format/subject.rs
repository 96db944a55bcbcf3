//! What a record is rendered of, and which form makes which lines of it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::fit::{fit_json, fit_line, fit_text, one_line};
use super::told::Told;
use super::{Format, Osel11Scan, ROWS_LISTED_MAX, cadf, cadf_text, cef, ecs, ocsf, osel_1_1};
use crate::engine::record::{Record, sentence};
use crate::names::Directory;

/// A record and what some forms need beside it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The record, its rows listed as far as its reader can.
    pub record: &'a Record,
    /// Its payload part: the message without secrets, as far as it is kept. Only where [`Format::needs_message`].
    pub message: Option<&'a [u8]>,
    /// What became of its addresses at Qualys. Only where [`Format::needs_scans`].
    pub scans: &'a BTreeMap<IpAddr, Osel11Scan>,
    /// Names that were learnt since. Only where [`Format::needs_names`]; may have none.
    pub names: &'a Directory,
    /// The store's id, which no other store has.
    pub store: &'a str,
}

/// Names one line of one record: the same whenever it is rendered, and no other line of any store has it. `line` counts from 0.
pub fn line_id(store: &str, seq: u64, line: usize) -> String {
    if line == 0 { format!("{store}-{seq}") } else { format!("{store}-{seq}-{line}") }
}

/// Appends the lines of a record, each without an end of line and no longer than [`super::LINE_BYTES_MAX`]. Some forms have none for some
/// records.
pub fn render(format: Format, subject: &Subject<'_>, out: &mut Vec<Vec<u8>>) {
    let record = subject.record;
    match format {
        Format::Native => out.push(fit_json(&record.document_of(ROWS_LISTED_MAX))),
        Format::Ocsf => ocsf::lines(&Told::of(subject), out),
        Format::Ecs => out.push(fit_line(ecs::line(&Told::of(subject)))),
        Format::Cadf => out.push(cadf::line(&Told::of(subject))),
        Format::Cef => out.push(cef::line(&Told::of(subject))),
        Format::Osel11 => {
            let lines = osel_1_1(record, subject.message, subject.scans);
            out.extend(lines.iter().map(fit_json));
        }
        Format::CadfText => {
            out.extend(cadf_text(record, subject.names).map(|line| fit_text(line).into_bytes()));
        }
        Format::Sentence => out.push(fit_text(one_line(&sentence(record))).into_bytes()),
    }
}
