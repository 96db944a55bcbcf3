//! How results look: a line per port, or a table of what is not closed.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::net::IpAddr;
use std::time::Duration;

use serde::Serialize;

use crate::action::scan::{NotProbed, PortResult, PortState, Protocol, ScanSummary};
use crate::cli::output::Table;

/// Ports of one address in the same state, other than open, that are listed one by one; of more the table
/// says only how many.
const MAX_LISTED: usize = 20;
/// The columns of a [`Line`] as comma-separated values; none of them ever holds a comma or a quote.
pub(super) const CSV_HEAD: &str = "address,protocol,port,state,error";

/// What people are told of a host that answers everywhere.
pub(super) fn everywhere_remark(address: IpAddr) -> String {
    format!("{address}: answers at ports that nobody listens on: an open port proves nothing")
}

/// One port. One that was not probed has the state null and an `error`.
#[derive(Serialize)]
pub(super) struct Line {
    address: IpAddr,
    protocol: &'static str,
    port: u16,
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<&PortResult> for Line {
    fn from(result: &PortResult) -> Self {
        Self {
            address: result.address,
            protocol: result.protocol.as_str(),
            port: result.port,
            state: result.state.ok().map(PortState::as_str),
            error: result.state.err().map(|reason| reason.to_string()),
        }
    }
}

/// The line as comma-separated values.
impl fmt::Display for Line {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, protocol, port, state, error } = self;
        let (state, error) = (state.unwrap_or_default(), error.as_deref().unwrap_or_default());
        write!(formatter, "{address},{protocol},{port},{state},{error}")
    }
}

/// The ports of one address, by what became of them.
type PortsByState = BTreeMap<(Protocol, Result<PortState, NotProbed>), Vec<u16>>;

/// The rows of a table, kept until the scan is done. Closed ports are only counted, by the summary.
#[derive(Debug, Default)]
pub(super) struct Rows {
    hosts: BTreeMap<IpAddr, PortsByState>,
}

impl Rows {
    pub(super) fn add(&mut self, result: PortResult) {
        if result.state != Ok(PortState::Closed) {
            let states = self.hosts.entry(result.address).or_default();
            states.entry((result.protocol, result.state)).or_default().push(result.port);
        }
    }

    /// Prints the table, if it has rows, and the sums.
    pub(super) fn print(
        self,
        out: &mut dyn Write,
        summary: &ScanSummary,
        hosts: usize,
        elapsed: Duration,
    ) -> io::Result<()> {
        let mut table = Table::new(&["ADDRESS", "PORT", "STATE"]);
        for (address, states) in self.hosts {
            add_rows(&mut table, address, states);
        }
        if !table.is_empty() {
            writeln!(out, "{table}")?;
        }
        let plural = |count: u64| if count == 1 { "" } else { "s" };
        let ports = summary.ports();
        write!(out, "{ports} port{} of {hosts} address", plural(ports))?;
        write!(out, "{}: {} open", if hosts == 1 { "" } else { "es" }, summary.open)?;
        for (count, name) in [
            (summary.closed, "closed"),
            (summary.filtered, "filtered"),
            (summary.open_filtered, "open|filtered"),
            (summary.not_probed, "not probed"),
        ] {
            if count > 0 {
                write!(out, ", {count} {name}")?;
            }
        }
        writeln!(out, "; {:.2} s", elapsed.as_secs_f64())
    }
}

/// The rows of one address: ports in order, then what there is too much of.
fn add_rows(table: &mut Table, address: IpAddr, states: PortsByState) {
    let mut listed = Vec::new();
    let mut summed = Vec::new();
    for ((protocol, state), ports) in states {
        if ports.len() > MAX_LISTED && state != Ok(PortState::Open) {
            summed.push((format!("{} {protocol} ports", ports.len()), state));
        } else {
            listed.extend(ports.into_iter().map(|port| (protocol, port, state)));
        }
    }
    listed.sort_unstable();
    let listed = listed.into_iter().map(|(protocol, port, state)| (format!("{port}/{protocol}"), state));
    for (ports, state) in listed.chain(summed) {
        let state = match state {
            Ok(state) => state.to_string(),
            Err(reason) => format!("not probed: {reason}"),
        };
        table.row(vec![address.to_string(), ports, state]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(results: impl IntoIterator<Item = (Protocol, u16, Result<PortState, NotProbed>)>) -> String {
        let (mut rows, mut summary) = (Rows::default(), ScanSummary::default());
        for (protocol, port, state) in results {
            summary.count(state);
            rows.add(PortResult { address: IpAddr::from([192, 0, 2, 7]), protocol, port, state });
        }
        let mut out = Vec::new();
        rows.print(&mut out, &summary, 1, Duration::from_millis(1234)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_sorted_and_long_runs_summed_up() {
        let results = [
            (Protocol::Udp, 53, Ok(PortState::OpenFiltered)),
            (Protocol::Tcp, 443, Ok(PortState::Open)),
            (Protocol::Tcp, 9, Ok(PortState::Closed)),
            (Protocol::Tcp, 22, Ok(PortState::Open)),
            (Protocol::Tcp, 7, Err(NotProbed::NoRoute)),
        ];
        let filtered = (1000..1030).map(|port| (Protocol::Tcp, port, Ok(PortState::Filtered)));
        let expected = "\
ADDRESS    PORT          STATE
192.0.2.7  7/tcp         not probed: no route to the address
192.0.2.7  22/tcp        open
192.0.2.7  443/tcp       open
192.0.2.7  53/udp        open|filtered
192.0.2.7  30 tcp ports  filtered

35 ports of 1 address: 2 open, 1 closed, 30 filtered, 1 open|filtered, 1 not probed; 1.23 s
";
        assert_eq!(printed(results.into_iter().chain(filtered)), expected);
    }

    #[test]
    fn closed_ports_alone_are_one_line() {
        let closed = (1..=100).map(|port| (Protocol::Tcp, port, Ok(PortState::Closed)));
        assert_eq!(printed(closed), "100 ports of 1 address: 0 open, 100 closed; 1.23 s\n");
    }
}
