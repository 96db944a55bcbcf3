//! `osel exposure`: what is exposed, now or at some time.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;
use ipnet::IpNet;
use osel_core::engine::all_rows;
use osel_core::engine::record::{RowDocument, SourcePart};
use osel_core::exposure::SourceFilter;
use osel_core::ids::Id;
use osel_core::model::Row;

use super::StoreArg;
use super::open::state_at;
use super::output::{Failure, OutputFormat, Table, json_line, note, stdout};

/// Lists what is exposed: every ingress permission of every address.
///
/// Rows are sorted by address. Paths are not considered here; `osel reach` does.
#[derive(Debug, Args)]
pub struct ExposureArgs {
    #[command(flatten)]
    store: StoreArg,
    /// The state after a record, by its number, or at a time (RFC 3339).
    #[arg(long, value_name = "SEQ|TIME")]
    at: Option<String>,
    /// Only rows whose source may contain an address of a prefix, or a public one.
    #[arg(long, value_name = "CIDR|internet")]
    from: Option<String>,
    /// Only rows of ports of this project.
    #[arg(long, value_name = "ID")]
    project: Option<String>,
    /// How to print.
    #[arg(short, long, value_enum, default_value_t)]
    output: OutputFormat,
}

pub(super) fn run(args: &ExposureArgs) -> anyhow::Result<ExitCode> {
    let mut filter = args.from.as_deref().map(source_filter).transpose()?;
    let project = args.project.as_deref().map(Id::new);
    let engine = state_at(&mut *args.store.reader()?, args.at.as_deref())?;
    let rows = all_rows(&engine, |cloud, row| {
        (project.is_none() || row.project_id == project)
            && filter.as_mut().is_none_or(|filter| filter.keeps(cloud, row))
    });
    print(&rows, args.output)?;
    Ok(ExitCode::SUCCESS)
}

fn source_filter(text: &str) -> anyhow::Result<SourceFilter> {
    if text == "internet" {
        return Ok(SourceFilter::internet());
    }
    let prefix =
        text.parse::<IpNet>().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from));
    prefix.map(SourceFilter::prefix).ok_or_else(|| {
        Failure::Usage(format!(
            "--from {text}: give an address, a prefix such as 198.51.100.0/24, or `internet`"
        ))
        .into()
    })
}

fn print(rows: &[Row], format: OutputFormat) -> anyhow::Result<()> {
    let mut out = stdout();
    match format {
        OutputFormat::Json => {
            for row in rows {
                json_line(&mut out, &RowDocument::from(row))?;
            }
        }
        OutputFormat::Csv => csv(rows, &mut out)?,
        OutputFormat::Table if rows.is_empty() => note("nothing is exposed"),
        OutputFormat::Table => {
            let mut table = Table::new(&["ADDRESS", "VIA", "PROTOCOL", "PORTS", "FROM", "OWNER", "PORT"]);
            for row in rows {
                let document = RowDocument::from(row);
                table.row(vec![
                    document.address.clone(),
                    document.via.to_owned(),
                    document.protocol.clone(),
                    ports(&document),
                    source(&document.source),
                    document.device_owner.clone().unwrap_or_default(),
                    document.port_id.clone(),
                ]);
            }
            write!(out, "{table}")?;
        }
    }
    Ok(out.flush()?)
}

pub(super) fn ports(row: &RowDocument) -> String {
    match (row.port_min, row.port_max, row.icmp_type, row.icmp_code) {
        (Some(min), Some(max), ..) if min == max => min.to_string(),
        (Some(min), Some(max), ..) => format!("{min}-{max}"),
        (_, _, Some(kind), Some(code)) => format!("type {kind} code {code}"),
        (_, _, Some(kind), None) => format!("type {kind}"),
        _ => "all".to_owned(),
    }
}

pub(super) fn source(source: &SourcePart) -> String {
    match source {
        SourcePart::Prefix(prefix) => prefix.to_string(),
        SourcePart::SecurityGroup(id) => format!("group {id}"),
        SourcePart::AddressGroup(id) => format!("address group {id}"),
    }
}

/// The keys of a row as columns; `source` as its kind and its value.
fn csv(rows: &[Row], out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(
        out,
        "address,via,fixed_ip,port_id,device_id,device_owner,project_id,network_id,region,ethertype,protocol,port_min,port_max,\
         icmp_type,icmp_code,source_type,source,security_group_id,rule_id"
    )?;
    for row in rows {
        let row = RowDocument::from(row);
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
        writeln!(out, "{}", cells.map(|cell| csv_cell(&cell)).join(","))?;
    }
    Ok(())
}

/// RFC 4180: quoted when it has to be.
pub(super) fn csv_cell(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
