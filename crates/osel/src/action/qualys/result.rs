//! From the elements of a result to what was seen of each address.
//!
//! No address counts as scanned that no element tells of, and no port as closed unless the profile is said to probe it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::RangeInclusive;

use osel_core::scan::{
    Coverage, EVIDENCE_CHARS_MAX, Expected, HOST_PORTS_MAX, HOST_VULNERABILITIES_MAX, HostResult, PortFound,
    ProbeState, Severity, TEXT_CHARS_MAX, Transport, Vulnerability, cut,
};

use super::addresses::Ranges;
use super::launch::IS_EXCLUDED;
use super::rows::Row;

/// The list of open ports of TCP.
const QID_TCP: &str = "82023";
/// The list of open ports of UDP.
const QID_UDP: &str = "82004";
/// The column of those lists with what answered.
const COLUMN_DETECTED: usize = 3;
/// The most open ports that are kept of one result, of all hosts together: four hosts that answer everywhere, or 256 with a thousand each.
const PORTS_MAX: usize = 1 << 18;
/// The most reasons for which addresses were not scanned; there are a handful.
const REASONS_MAX: usize = 32;
/// The most CVEs of one weakness; monthly collections of patches have some dozens.
const CVES_MAX: usize = 100;
/// Why an address has no result where nobody answered.
pub(super) const IS_SILENT: &str = "host did not answer";

/// What a result says of the addresses of an order.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    wanted: BTreeSet<IpAddr>,
    /// How the scan ended, where the result says so.
    status: Option<String>,
    excluded: Ranges,
    clean: Ranges,
    not_scanned: Vec<(String, Ranges)>,
    hosts: BTreeMap<IpAddr, Host>,
    /// How many open ports are kept.
    ports: usize,
}

/// What is told of one address.
#[derive(Debug, Default)]
struct Host {
    /// Why it was not scanned, should an element say so.
    out: Option<String>,
    ports: BTreeMap<(Transport, u16), PortFound>,
    /// Whether more ports are open than are kept.
    is_cut: bool,
    /// Whether there are weaker ones than those that are kept.
    has_weaker: bool,
    weak: BTreeMap<(String, Option<(Transport, u16)>), Vulnerability>,
}

/// Ports that are known to be probed.
pub(super) struct Covers<'c> {
    pub(super) tcp: &'c [RangeInclusive<u16>],
    pub(super) udp: &'c [RangeInclusive<u16>],
}

/// What is known of the scan besides its result.
pub(super) struct Around {
    /// The scan's state by the list, for a result that does not tell it.
    pub(super) state: Option<String>,
    /// Whether nobody was there at all.
    pub(super) is_lonely: bool,
    /// What is excluded from all scans.
    pub(super) excluded: Ranges,
}

impl Gathered {
    /// Nothing yet of these.
    pub(super) fn new(wanted: BTreeSet<IpAddr>) -> Self {
        Self { wanted, ..Self::default() }
    }

    /// Takes an element in.
    pub(super) fn take(&mut self, row: Row) {
        if row.ip.is_empty() {
            if !row.status.is_empty() {
                self.status = Some(row.status);
            }
            self.excluded.add(&row.excluded);
            self.clean.add(&row.clean);
            for (reason, addresses) in row.not_scanned {
                if self.not_scanned.len() < REASONS_MAX {
                    self.not_scanned.push((reason, Ranges::of(&addresses)));
                }
            }
            return;
        }
        let address = row.ip.parse().ok().filter(|address| self.wanted.contains(address));
        if let Some(address) = address {
            let host = self.hosts.entry(address).or_default();
            let before = host.ports.len();
            host.take(&row, before + PORTS_MAX - self.ports);
            self.ports += host.ports.len() - before;
        }
    }

    /// The addresses that it does not tell of.
    pub(super) fn untold(&self) -> BTreeSet<IpAddr> {
        let is_told = |address: IpAddr| {
            self.hosts.contains_key(&address)
                || self.clean.contains(address)
                || self.excluded.contains(address)
                || self.not_scanned.iter().any(|(_, ranges)| ranges.contains(address))
        };
        self.wanted.iter().copied().filter(|&address| !is_told(address)).collect()
    }

    /// Whether it tells how the scan ended, and of each address.
    pub(super) fn says_all(&self) -> bool {
        self.status.is_some() && self.untold().is_empty()
    }

    /// What was seen of an address, of which these ports were asked for.
    pub(super) fn host(
        &mut self,
        address: IpAddr,
        asked: &Expected,
        covers: &Covers<'_>,
        around: &Around,
    ) -> HostResult {
        let state = self.status.as_deref().or(around.state.as_deref()).unwrap_or("Unknown").trim();
        let is_whole = state.eq_ignore_ascii_case("finished");
        let cut_short = || format!("the scan is `{}` at Qualys", cut(state, TEXT_CHARS_MAX));
        let host = match self.hosts.remove(&address) {
            Some(Host { out: Some(why), .. }) => return HostResult::not_scanned(address, why),
            Some(host) => host,
            None if self.clean.contains(address) => Host::default(),
            None => {
                let reason = self.not_scanned.iter().find(|(_, ranges)| ranges.contains(address));
                let is_excluded = self.excluded.contains(address) || around.excluded.contains(address);
                let why = match reason {
                    _ if is_excluded => IS_EXCLUDED.to_owned(),
                    Some((reason, _)) => because(reason),
                    None if around.is_lonely => IS_SILENT.to_owned(),
                    None if !is_whole => format!("{}, which had not come to it", cut_short()),
                    None => "the result of Qualys does not tell of it".to_owned(),
                };
                return HostResult::not_scanned(address, why);
            }
        };
        let mut result = HostResult::new(address);
        // Of a port that is not among those that are kept nothing is known then.
        let is_known = is_whole && !host.is_cut;
        let has_weaker = host.has_weaker || host.weak.len() > HOST_VULNERABILITIES_MAX;
        if !is_whole {
            result.coverage = Coverage::Partial(cut_short());
        } else if host.is_cut {
            result.coverage = Coverage::Partial("more ports are open than are kept of one result".to_owned());
        } else if has_weaker {
            // Of a weakness that is not among those that are kept nobody knows whether it is gone.
            let why = "more weaknesses were found than are kept of one host";
            result.coverage = Coverage::Partial(why.to_owned());
        }
        result.vulnerabilities = most_severe(host.weak);
        let mut ports = host.ports;
        for &(transport, port) in asked.keys().filter(|_| is_known) {
            let (covered, state) = match transport {
                Transport::Tcp => (covers.tcp, ProbeState::Closed),
                // Silence of UDP may be a filter too.
                Transport::Udp => (covers.udp, ProbeState::OpenFiltered),
            };
            if covered.iter().any(|range| range.contains(&port)) {
                ports.entry((transport, port)).or_insert_with(|| PortFound::new(transport, port, state));
            }
        }
        result.ports = ports.into_values().take(HOST_PORTS_MAX).collect();
        result
    }
}

/// The reason that a key of the result names, in words.
fn because(reason: &str) -> String {
    if reason.contains("not_alive") {
        return IS_SILENT.to_owned();
    }
    if reason.contains("exclu") {
        return IS_EXCLUDED.to_owned();
    }
    let words = reason.trim_end_matches("_ip").replace('_', " ");
    format!("not scanned by Qualys: {}", cut(&words, TEXT_CHARS_MAX))
}

impl Host {
    /// Takes a row in; no more ports than so many are kept.
    fn take(&mut self, row: &Row, ports_max: usize) {
        let status = row.ip_status.to_ascii_lowercase();
        if status.contains("not alive") || status.contains("no host") || status.contains("dead") {
            self.out = Some(IS_SILENT.to_owned());
        } else if status.contains("not scanned") {
            self.out = Some(format!("Qualys says `{}`", cut(&row.ip_status, TEXT_CHARS_MAX)));
        } else if status.contains("host scanned") {
            self.out = None;
        }
        match row.qid.as_str() {
            QID_TCP => self.listed(Transport::Tcp, &row.results, ports_max),
            QID_UDP => self.listed(Transport::Udp, &row.results, ports_max),
            _ => {}
        }
        let at = place(row);
        if let Some((transport, port)) = at {
            self.open(transport, port, None, ports_max);
        }
        let is_certain = match row.kind.as_str() {
            "Vuln" => true,
            "Practice" => false,
            // What is for information is no weakness.
            _ => return,
        };
        if row.qid.is_empty() || !row.qid.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        let id = format!("qid:{}", cut(&row.qid, TEXT_CHARS_MAX));
        let weakness = Vulnerability {
            id: id.clone(),
            title: cut(&row.title, TEXT_CHARS_MAX),
            cves: cves(&row.cves),
            cvss_tenths: row.scores.iter().filter_map(|score| tenths(score)).max(),
            severity: severity(&row.severity),
            at,
            is_certain,
            evidence: cut(&row.results, EVIDENCE_CHARS_MAX),
        };
        self.weak.insert((id, at), weakness);
        // No more than twice as many as are told are ever kept.
        if self.weak.len() >= 2 * HOST_VULNERABILITIES_MAX {
            self.has_weaker = true;
            let kept = most_severe(std::mem::take(&mut self.weak));
            self.weak =
                kept.into_iter().map(|weakness| ((weakness.id.clone(), weakness.at), weakness)).collect();
        }
    }

    /// A list of open ports: a line each, with tabs between port, what IANA says, a description, and what was detected.
    fn listed(&mut self, transport: Transport, list: &str, ports_max: usize) {
        for line in list.lines() {
            let mut columns = line.split('\t');
            let Some(port) =
                columns.next().and_then(|port| port.trim().parse().ok()).filter(|&port| port > 0)
            else {
                continue;
            };
            let detected = columns.nth(COLUMN_DETECTED - 1).map(str::trim);
            let service =
                detected.filter(|service| !service.is_empty() && !service.eq_ignore_ascii_case("unknown"));
            self.open(transport, port, service, ports_max);
        }
    }

    fn open(&mut self, transport: Transport, port: u16, service: Option<&str>, ports_max: usize) {
        if self.ports.len() >= ports_max && !self.ports.contains_key(&(transport, port)) {
            self.is_cut = true;
            return;
        }
        let found = self
            .ports
            .entry((transport, port))
            .or_insert_with(|| PortFound::new(transport, port, ProbeState::Open));
        if let Some(service) = service {
            found.service = Some(cut(service, TEXT_CHARS_MAX));
        }
    }
}

fn place(row: &Row) -> Option<(Transport, u16)> {
    let port = row.port.trim().parse().ok().filter(|&port| port > 0)?;
    match row.protocol.trim().to_ascii_lowercase().as_str() {
        "tcp" => Some((Transport::Tcp, port)),
        "udp" => Some((Transport::Udp, port)),
        _ => None,
    }
}

/// The most severe of them, as many as may be told, in the order of their ids.
fn most_severe(weak: BTreeMap<(String, Option<(Transport, u16)>), Vulnerability>) -> Vec<Vulnerability> {
    let mut all: Vec<Vulnerability> = weak.into_values().collect();
    if all.len() > HOST_VULNERABILITIES_MAX {
        all.sort_by_key(|weakness| std::cmp::Reverse((weakness.severity, weakness.is_certain)));
        all.truncate(HOST_VULNERABILITIES_MAX);
        all.sort_by(|one, other| (&one.id, one.at).cmp(&(&other.id, other.at)));
    }
    all
}

/// Qualys' scale: minimal, medium, serious, critical, urgent.
fn severity(text: &str) -> Severity {
    match text.trim() {
        "5" => Severity::Critical,
        "4" => Severity::High,
        "3" => Severity::Medium,
        "2" => Severity::Low,
        _ => Severity::Info,
    }
}

/// The CVEs of a list, sorted.
fn cves(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let is_cve = |word: &&str| {
        let mut parts = word.split('-');
        let is_number = |part: Option<&str>| {
            part.is_some_and(|part| {
                (4..=19).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
            })
        };
        parts.next() == Some("CVE")
            && is_number(parts.next())
            && is_number(parts.next())
            && parts.next().is_none()
    };
    let found: BTreeSet<&str> = words.filter(is_cve).take(CVES_MAX).collect();
    found.into_iter().map(str::to_owned).collect()
}

/// `7.5 (AV:N/…)` as 75.
fn tenths(text: &str) -> Option<u8> {
    let number = text.split_whitespace().next()?;
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let (whole, tenth): (u8, u8) = (whole.parse().ok()?, tenth.get(..1)?.parse().ok()?);
    whole.checked_mul(10)?.checked_add(tenth).filter(|&tenths| tenths <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "10.0.0.1";

    fn gathered(rows: Vec<Row>) -> Gathered {
        let mut gathered = Gathered::new([HOST, "10.0.0.2"].map(|text| text.parse().unwrap()).into());
        rows.into_iter().for_each(|row| gathered.take(row));
        gathered
    }

    fn text(value: &str) -> String {
        value.to_owned()
    }

    fn header(status: &str) -> Row {
        Row { status: text(status), ..Row::default() }
    }

    fn row(qid: &str, kind: &str, severity: &str, place: &str, results: &str) -> Row {
        let (protocol, port) = place.split_once('/').unwrap_or(("", ""));
        Row {
            ip: text(HOST),
            ip_status: text("host scanned, found vuln"),
            qid: text(qid),
            title: text("a title"),
            kind: text(kind),
            severity: text(severity),
            port: text(port),
            protocol: text(protocol),
            results: text(results),
            ..Row::default()
        }
    }

    fn seen(rows: Vec<Row>) -> HostResult {
        let covers = Covers { tcp: &[1..=1000], udp: &[53..=53] };
        let asked =
            [(Transport::Tcp, 23), (Transport::Tcp, 8080), (Transport::Udp, 53), (Transport::Udp, 123)];
        let asked = asked.map(|place| (place, true)).into();
        let around = Around { state: None, is_lonely: false, excluded: Ranges::of("10.0.0.2") };
        gathered(rows).host(HOST.parse().unwrap(), &asked, &covers, &around)
    }

    #[test]
    fn ports_are_open_as_listed_and_closed_only_where_the_profile_looks() {
        let list = "Port\tIANA Assigned Ports/Services\tDescription\tService Detected\tOS On Redirected Port\n\
                    22\tssh\tSSH Remote Login Protocol\tssh\t\n3306\tmysql\tMySQL\tunknown\t\nx\ty";
        let result = seen(vec![
            header("Finished"),
            row(QID_TCP, "Ig", "1", "", list),
            row("38170", "Vuln", "2", "tcp/443", ""),
        ]);
        let ports: Vec<_> = result
            .ports
            .iter()
            .map(|found| {
                (found.transport.as_str(), found.port, found.state.as_str(), found.service.as_deref())
            })
            .collect();
        assert_eq!(
            ports,
            [
                ("tcp", 22, "open", Some("ssh")),
                ("tcp", 23, "closed", None),
                ("tcp", 443, "open", None),
                ("tcp", 3306, "open", None),
                ("udp", 53, "open|filtered", None),
            ]
        );
        assert_eq!(result.coverage, Coverage::Whole);
    }

    #[test]
    fn of_very_many_open_ports_some_are_kept_and_the_rest_is_not_closed() {
        let list = (1..=65_535).map(|port| format!("{port}\n")).collect::<String>();
        let wanted: Vec<IpAddr> = (1..=5).map(|last| [10, 0, 0, last].into()).collect();
        let mut gathered = Gathered::new(wanted.iter().copied().collect());
        gathered.take(header("Finished"));
        for address in &wanted {
            gathered.take(Row { ip: address.to_string(), ..row(QID_TCP, "Ig", "1", "", &list) });
        }
        let covers = Covers { tcp: &[1..=65_535], udp: &[] };
        let around = Around { state: None, is_lonely: false, excluded: Ranges::default() };
        let asked = [((Transport::Tcp, 65_535), true)].into();
        let hosts: Vec<_> =
            wanted.iter().map(|&address| gathered.host(address, &asked, &covers, &around)).collect();
        assert_eq!(hosts.iter().map(|host| host.ports.len()).sum::<usize>(), PORTS_MAX);
        assert_eq!(hosts[0].coverage, Coverage::Whole);
        assert!(matches!(&hosts[4].coverage, Coverage::Partial(why) if why.starts_with("more ports")));
        assert!(hosts[4].ports.iter().all(|found| found.state == ProbeState::Open && found.port < 10));
    }

    #[test]
    fn nothing_is_closed_in_a_part_of_a_result() {
        for status in ["Canceled", "Paused", "Error"] {
            let result = seen(vec![header(status), row(QID_TCP, "Ig", "1", "", "Port\n22\tssh")]);
            assert_eq!(result.ports.len(), 1);
            assert_eq!(result.coverage, Coverage::Partial(format!("the scan is `{status}` at Qualys")));
        }
    }

    #[test]
    fn weaknesses_are_what_was_seen_or_supposed_and_no_information() {
        let mut urgent = row("38170", "Vuln", "5", "tcp/443", "line one\nline two");
        urgent.cves = text("CVE-2024-6387, CVE-2016-2183, CVE-x, XCVE-2016-2183");
        urgent.scores = vec![text("5.0 (AV:N)"), text("9.8 (AV:N/AC:L)"), text("11.0"), text("x")];
        let rows = vec![
            header("Finished"),
            urgent.clone(),
            urgent,
            row("11", "Practice", "1", "", ""),
            row("6", "Ig", "5", "", ""),
            row("x", "Vuln", "5", "", ""),
        ];
        let found = seen(rows).vulnerabilities;
        assert_eq!(found.len(), 2);
        let (potential, certain) = (&found[0], &found[1]);
        assert_eq!(
            (potential.id.as_str(), potential.is_certain, potential.severity),
            ("qid:11", false, Severity::Info)
        );
        assert_eq!(
            (certain.id.as_str(), certain.is_certain, certain.severity),
            ("qid:38170", true, Severity::Critical)
        );
        assert_eq!((certain.at, certain.cvss_tenths), (Some((Transport::Tcp, 443)), Some(98)));
        assert_eq!(certain.cves, ["CVE-2016-2183", "CVE-2024-6387"]);
        assert_eq!(certain.evidence, "line one line two");
    }

    #[test]
    fn of_very_many_weaknesses_the_most_severe_are_told() {
        let many = (0..5 * HOST_VULNERABILITIES_MAX)
            .map(|number| row(&number.to_string(), "Vuln", if number % 10 == 0 { "5" } else { "2" }, "", ""));
        let host = seen(std::iter::once(header("Finished")).chain(many).collect());
        // One that is not told may be there still.
        assert!(matches!(&host.coverage, Coverage::Partial(why) if why.starts_with("more weaknesses")));
        let found = host.vulnerabilities;
        assert_eq!(found.len(), HOST_VULNERABILITIES_MAX);
        assert_eq!(found.iter().filter(|weakness| weakness.severity == Severity::Critical).count(), 500);
    }

    #[test]
    fn an_address_without_a_result_is_never_clean() {
        let why = |rows: Vec<Row>, address: &str, around: Around| {
            let covers = Covers { tcp: &[1..=65535], udp: &[] };
            let asked = [((Transport::Tcp, 22), true)].into();
            match gathered(rows).host(address.parse().unwrap(), &asked, &covers, &around).coverage {
                Coverage::NotScanned(why) => why,
                other => panic!("{other:?}"),
            }
        };
        let around = |state: Option<&str>, is_lonely, excluded: &str| Around {
            state: state.map(str::to_owned),
            is_lonely,
            excluded: Ranges::of(excluded),
        };
        let not_alive = Row {
            not_scanned: vec![(text("host_not_alive_ip"), text("10.0.0.1-10.0.0.7"))],
            ..Row::default()
        };
        let odd = Row { not_scanned: vec![(text("scan_discontinued_ip"), text(HOST))], ..Row::default() };
        let excluded = Row { excluded: text(HOST), ..header("Finished") };
        let mut dead = row("6", "Ig", "1", "", "");
        dead.ip_status = text("host not alive");
        for (rows, around, wanted) in [
            (vec![header("Finished"), not_alive], around(None, false, ""), IS_SILENT),
            (vec![header("Finished"), dead], around(None, false, ""), IS_SILENT),
            (
                vec![header("Finished"), odd],
                around(None, false, ""),
                "not scanned by Qualys: scan discontinued",
            ),
            (vec![excluded], around(None, false, ""), IS_EXCLUDED),
            (vec![header("Finished")], around(None, false, HOST), IS_EXCLUDED),
            (vec![], around(Some("Finished"), true, ""), IS_SILENT),
            (vec![header("Finished")], around(None, false, ""), "the result of Qualys does not tell of it"),
            (
                vec![],
                around(Some("Error"), false, ""),
                "the scan is `Error` at Qualys, which had not come to it",
            ),
            (vec![], around(None, false, ""), "the scan is `Unknown` at Qualys, which had not come to it"),
        ] {
            assert_eq!(why(rows, HOST, around), wanted);
        }
    }

    #[test]
    fn a_host_where_nothing_was_found_was_scanned() {
        let clean = Row { clean: text(HOST), ..Row::default() };
        let result = seen(vec![header("Finished"), clean]);
        assert_eq!(result.coverage, Coverage::Whole);
        assert_eq!(result.ports.len(), 2);
    }
}
