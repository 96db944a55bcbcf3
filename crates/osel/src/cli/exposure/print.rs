//! Rows for people and programs, one after the other.

use std::io::{self, Write};

use osel_core::engine::record::{RowDocument, SourcePart};
use osel_core::model::Row;

use crate::cli::output::{OutputFormat, Stdout, Table, json_line, note, plain, stdout};

/// How many rows a table's columns are measured by: more are printed as they come, however many there are.
pub(super) const MEASURED_ROWS: usize = 10_000;

/// Prints rows to standard output.
pub(super) struct RowPrinter {
    out: io::BufWriter<Stdout<io::StdoutLock<'static>>>,
    format: OutputFormat,
    table: Table,
    rows: u64,
}

impl RowPrinter {
    pub(super) fn new(format: OutputFormat) -> Self {
        let table = Table::new(&["ADDRESS", "VIA", "PROTOCOL", "PORTS", "FROM", "OWNER", "PORT"]);
        Self { out: stdout(), format, table, rows: 0 }
    }

    /// Prints a row.
    pub(super) fn row(&mut self, row: &Row) -> io::Result<()> {
        self.rows += 1;
        let document = RowDocument::from(row);
        match self.format {
            OutputFormat::Json => json_line(&mut self.out, &document),
            OutputFormat::Csv => {
                if self.rows == 1 {
                    csv_head(&mut self.out)?;
                }
                writeln!(self.out, "{}", csv(document))
            }
            OutputFormat::Table => {
                self.table.row(cells(&document));
                if self.table.len() >= MEASURED_ROWS { self.table.write_rows(&mut self.out) } else { Ok(()) }
            }
        }
    }

    /// Has everything shown that was printed so far; of a table as far as its columns are known.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Prints what is still kept back, and of a table without rows what that means.
    pub(super) fn finish(mut self, nothing: &str) -> io::Result<()> {
        match (self.format, self.rows) {
            (OutputFormat::Table, 0) => note(nothing),
            (OutputFormat::Table, _) => self.table.write_rows(&mut self.out)?,
            (OutputFormat::Csv, 0) => csv_head(&mut self.out)?,
            _ => {}
        }
        self.out.flush()
    }
}

fn cells(row: &RowDocument) -> Vec<String> {
    vec![
        row.address.clone(),
        row.via.to_owned(),
        row.protocol.clone(),
        ports(row),
        source(&row.source),
        row.device_owner.clone().unwrap_or_default(),
        row.port_id.clone(),
    ]
}

pub(in crate::cli) fn ports(row: &RowDocument) -> String {
    match (row.port_min, row.port_max, row.icmp_type, row.icmp_code) {
        (Some(min), Some(max), ..) if min == max => min.to_string(),
        (Some(min), Some(max), ..) => format!("{min}-{max}"),
        (_, _, Some(kind), Some(code)) => format!("type {kind} code {code}"),
        (_, _, Some(kind), None) => format!("type {kind}"),
        _ => "all".to_owned(),
    }
}

pub(in crate::cli) fn source(source: &SourcePart) -> String {
    match source {
        SourcePart::Prefix(prefix) => prefix.to_string(),
        SourcePart::SecurityGroup(id) => format!("group {id}"),
        SourcePart::AddressGroup(id) => format!("address group {id}"),
    }
}

/// The names of the columns.
pub(super) const CSV_HEAD: &str = "address,via,fixed_ip,port_id,device_id,device_owner,project_id,network_id,region,ethertype,protocol,\
    port_min,port_max,icmp_type,icmp_code,source_type,source,security_group_id,rule_id";

fn csv_head(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{CSV_HEAD}")
}

/// The keys of a row as columns; `source` as its kind and its value.
pub(super) fn csv(row: RowDocument) -> String {
    let number = |value: Option<u16>| value.map(|value| value.to_string()).unwrap_or_default();
    let (source_type, source) = match &row.source {
        SourcePart::Prefix(prefix) => ("prefix", prefix.to_string()),
        SourcePart::SecurityGroup(id) => ("security_group", id.to_string()),
        SourcePart::AddressGroup(id) => ("address_group", id.to_string()),
    };
    let cells = [
        row.address,
        row.via.to_owned(),
        row.fixed_ip.unwrap_or_default(),
        row.port_id,
        row.device_id.unwrap_or_default(),
        row.device_owner.unwrap_or_default(),
        row.project_id.unwrap_or_default(),
        row.network_id.unwrap_or_default(),
        row.region.unwrap_or_default(),
        row.ethertype.to_owned(),
        row.protocol,
        number(row.port_min),
        number(row.port_max),
        number(row.icmp_type.map(u16::from)),
        number(row.icmp_code.map(u16::from)),
        source_type.to_owned(),
        source,
        row.security_group_id.unwrap_or_default(),
        row.rule_id.unwrap_or_default(),
    ];
    cells.map(|cell| csv_cell(&cell)).join(",")
}

/// RFC 4180: quoted when it has to be. What commands a terminal or ends a line is a space: names are whatever somebody called their things.
pub(in crate::cli) fn csv_cell(text: &str) -> String {
    let text = plain(text);
    if text.contains([',', '"']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}
