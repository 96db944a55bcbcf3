//! Results of a scan, in every form in which they can be fetched.

use std::fmt::Write;
use std::net::IpAddr;

use osel_core::scan::Transport;
use serde_json::{Value, json};

use super::options::{Host, Kind, Options, Weakness};
use super::scan::Scan;
use super::state::time_text;

/// What is at an address.
pub(super) fn host(options: &Options, address: IpAddr) -> Option<&Host> {
    options.hosts.get(&address).or(options.other_host.as_ref())
}

/// What a scan has to tell.
pub(super) struct Results<'r> {
    options: &'r Options,
    scan: &'r Scan,
    /// The addresses that it tells of.
    told: Vec<IpAddr>,
}

/// One detection at one address.
struct Row<'r> {
    address: IpAddr,
    weakness: Weakness,
    results: String,
    host: &'r Host,
}

impl<'r> Results<'r> {
    pub(super) fn new(options: &'r Options, scan: &'r Scan, only: Option<&[(IpAddr, IpAddr)]>) -> Self {
        let is_asked = |address: &IpAddr| {
            only.is_none_or(|only| only.iter().any(|(first, last)| (first..=last).contains(&address)))
        };
        let told = scan.done_targets().iter().copied().filter(is_asked).collect();
        Self { options, scan, told }
    }

    fn is_excluded(&self, address: IpAddr) -> bool {
        self.options.excluded.iter().any(|prefix| prefix.contains(&address))
    }

    fn rows(&self) -> Vec<Row<'r>> {
        let mut rows = Vec::new();
        for &address in &self.told {
            let Some(host) = host(self.options, address).filter(|_| !self.is_excluded(address)) else {
                continue;
            };
            for weakness in informed(host) {
                rows.push(Row { address, results: weakness.1, weakness: weakness.0, host });
            }
            for weakness in &host.weaknesses {
                rows.push(Row {
                    address,
                    results: weakness.results.to_owned(),
                    weakness: weakness.clone(),
                    host,
                });
            }
        }
        rows
    }

    pub(super) fn csv(&self, is_extended: bool) -> String {
        let names = if is_extended {
            "\"IP\",\"DNS\",\"NetBIOS\",\"QID\",\"Title\",\"Type\",\"Severity\",\"Port\",\"Protocol\",\"Results\""
        } else {
            "\"IP\",\"DNS\",\"NetBIOS\",\"QID\",\"Instance\",\"Result\""
        };
        let mut text = format!("{names}\n");
        for row in self.rows() {
            let Row { address, weakness, results, .. } = &row;
            let results = results.replace('"', "\"\"");
            let _ = if is_extended {
                let (protocol, port) = place(weakness);
                writeln!(
                    text,
                    "\"{address}\",\"\",\"\",\"{}\",\"{}\",\"{}\",\"{}\",\"{port}\",\"{protocol}\",\"{results}\"",
                    weakness.qid,
                    weakness.title,
                    word(weakness.kind),
                    weakness.severity
                )
            } else {
                writeln!(text, "\"{address}\",\"\",\"\",\"{}\",\"\",\"{results}\"", weakness.qid)
            };
        }
        text
    }

    pub(super) fn json(&self, is_extended: bool) -> String {
        let rows: Vec<Value> = self
            .rows()
            .iter()
            .map(|row| {
                if is_extended {
                    return self.extended(row);
                }
                json!({"ip": row.address, "dns": "", "netbios": null, "qid": row.weakness.qid, "instance": "", "result": row.results})
            })
            .collect();
        Value::from(rows).to_string()
    }

    pub(super) fn json_extended(&self, now: &str) -> String {
        let (scan, rows) = (self.scan, self.rows());
        let texts =
            |addresses: Vec<IpAddr>| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let excluded = scan.targets.iter().copied().filter(|&target| self.is_excluded(target)).collect();
        let is_alive = |address: &IpAddr| host(self.options, *address).is_some();
        let silent = self.told.iter().copied();
        let silent: Vec<_> =
            silent.filter(|address| !is_alive(address) && !self.is_excluded(*address)).collect();
        let alive: Vec<_> = self
            .told
            .iter()
            .copied()
            .filter(|address| is_alive(address) && !self.is_excluded(*address))
            .collect();
        let launched = time_text(scan.launched_at);
        let mut all = vec![
            json!({"username": self.options.user, "company": "X", "name": "user name", "add1": "Broadway", "add2": "Suite",
                   "city": "New York", "state": "New York", "country": "United States of America", "zip": "10024",
                   "role": "Manager", "result_date": american(now), "scan_report_template_title": "Scan Results"}),
            json!({"status": scan.state_word(), "launch_date": american(&launched), "reference": scan.reference,
                   "scan_title": scan.title, "ips": scan.target_text, "total_hosts": scan.targets.len().to_string(),
                   "active_hosts": alive.len().to_string(), "excluded_ips": texts(excluded), "type": "API",
                   "asset_groups": if scan.groups.is_empty() { Value::Null } else { scan.groups.join(", ").into() },
                   "option_profile": scan.profile, "duration": "00:08:44",
                   "scanner_appliance": format!("{} (Scanner 12.1.1-1, Vulnerability Signatures 2.5.1-2)", scan.appliance),
                   "network": if scan.network == 0 { "Global Default Network".to_owned() } else { scan.network.to_string() }}),
        ];
        all.extend(rows.iter().map(|row| self.extended(row)));
        let mut last = json!({"target_distribution_across_scanner_appliances": format!("{} : {}", scan.appliance, texts(alive))});
        if !silent.is_empty() {
            last["hosts_not_scanned_host_not_alive_ip"] = texts(silent).into();
        }
        all.push(last);
        Value::from(all).to_string()
    }

    fn extended(&self, row: &Row<'_>) -> Value {
        let Row { address, weakness, results, host } = row;
        let (protocol, port) = place(weakness);
        let status = if host.weaknesses.is_empty() {
            "host scanned, no vuln found"
        } else {
            "host scanned, found vuln"
        };
        let or_null = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
        let numbered = |text: &str| match text.parse::<u64>() {
            Ok(number) if self.options.has_numbers => number.into(),
            _ => or_null(text),
        };
        json!({"ip": address, "dns": "", "netbios": null, "ip_status": status, "os": "Linux 3.13", "qid": weakness.qid,
               "title": weakness.title, "type": word(weakness.kind), "severity": numbered(&weakness.severity.to_string()),
               "port": numbered(&port), "protocol": or_null(protocol), "fqdn": "", "ssl": "no",
               "cve_id": or_null(weakness.cves), "vendor_reference": null, "bugtraq_id": null,
               "cvss_base": or_null(weakness.cvss), "threat": "N/A", "impact": "N/A", "solution": "N/A",
               "exploitability": null, "associated_malware": null, "results": results, "pci_vuln": "no",
               "instance": null, "category": "General"})
    }
}

/// What every host that answers is informed of: its name, and its open ports where it has some.
fn informed(host: &Host) -> Vec<(Weakness, String)> {
    let information = |qid, title| Weakness {
        qid,
        title,
        kind: Kind::Ig,
        severity: 1,
        port: None,
        cves: "",
        cvss: "",
        results: "",
    };
    let mut all = vec![(
        information(6, "DNS Host Name"),
        "IP address\tHost name\nN/A\tNo registered hostname".to_owned(),
    )];
    for (transport, qid, title) in
        [(Transport::Tcp, 82023, "Open TCP Services List"), (Transport::Udp, 82004, "Open UDP Services List")]
    {
        let mut results =
            "Port\tIANA Assigned Ports/Services\tDescription\tService Detected\tOS On Redirected Port"
                .to_owned();
        let ports: Vec<_> = host.ports.iter().filter(|port| port.transport == transport).collect();
        for port in &ports {
            let _ =
                write!(results, "\n{}\t{}\t{}\t{}\t", port.port, port.service, port.service, port.service);
        }
        if !ports.is_empty() {
            all.push((information(qid, title), results));
        }
    }
    all
}

fn place(weakness: &Weakness) -> (&'static str, String) {
    weakness.port.map_or(("", String::new()), |(transport, port)| (transport.as_str(), port.to_string()))
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Vuln => "Vuln",
        Kind::Practice => "Practice",
        Kind::Ig => "Ig",
    }
}

/// A time as headers of results have it: `MM/DD/YYYY HH:MM:SS`.
fn american(text: &str) -> String {
    match (text.get(..4), text.get(5..7), text.get(8..10), text.get(11..19)) {
        (Some(year), Some(month), Some(day), Some(time)) => format!("{month}/{day}/{year} {time}"),
        _ => text.to_owned(),
    }
}
