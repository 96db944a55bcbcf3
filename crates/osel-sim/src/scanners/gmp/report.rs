//! Reports: what a scan showed, as gvmd writes it, by the filter that was asked for.

use std::net::IpAddr;

use super::command::{missing, term};
use super::hosts::{Fate, Host, Weakness};
use super::state::{PortList, Report, State, Target, Task};
use super::xml::{Element, quoted};

/// The test that says which service answers at a port.
const SERVICES: &str = "1.3.6.1.4.1.25623.1.0.10330";
/// How many rows a list has where nobody says it.
const ROWS: usize = 10;

/// What a request wants to see.
struct Filter {
    levels: String,
    min_qod: u8,
    has_silent_hosts: bool,
    first: usize,
    rows: usize,
}

impl Filter {
    fn new(request: &Element) -> Self {
        let text = request.attribute("filter");
        let number = |name: &str| term(text, name).and_then(|value| value.parse::<i64>().ok());
        let is_whole = request.is("ignore_pagination");
        let rows = match number("rows") {
            _ if is_whole => usize::MAX,
            Some(rows) => usize::try_from(rows).unwrap_or(usize::MAX),
            None => ROWS,
        };
        let first = if is_whole { 1 } else { number("first").unwrap_or(1) };
        Self {
            levels: term(text, "levels").unwrap_or_else(|| "chml".to_owned()),
            min_qod: number("min_qod").and_then(|number| u8::try_from(number).ok()).unwrap_or(70),
            has_silent_hosts: number("result_hosts_only") == Some(0),
            first: usize::try_from(first).unwrap_or(1).max(1),
            rows,
        }
    }

    fn shows(&self, weakness: &Weakness) -> bool {
        self.levels.contains(weakness.level()) && weakness.qod >= self.min_qod
    }
}

/// One host of a scan, and whether the scan came to its end.
struct Scanned {
    address: IpAddr,
    results: Vec<Weakness>,
    errors: Vec<String>,
    is_ended: bool,
    is_dead: bool,
}

/// The hosts of a report, in the order of the target.
fn scanned(state: &State, report: &Report) -> Vec<Scanned> {
    let Some((_, target, list)) = context(state, report) else { return Vec::new() };
    let done = report.hosts_done.unwrap_or(usize::MAX);
    target
        .hosts
        .iter()
        .enumerate()
        .filter_map(|(index, &address)| {
            let host = state.hosts.iter().find(|host| host.address == address);
            one(host, address, target, list, index < done)
        })
        .collect()
}

fn one(
    host: Option<&Host>,
    address: IpAddr,
    target: &Target,
    list: &PortList,
    is_ended: bool,
) -> Option<Scanned> {
    let empty = Host::new(address, &[]);
    let host = host.unwrap_or(&empty);
    let mut scanned = Scanned { address, results: Vec::new(), errors: Vec::new(), is_ended, is_dead: false };
    match &host.fate {
        Fate::Missing => return None,
        Fate::Silent if target.alive_tests != "Consider Alive" => return None,
        Fate::Dead => scanned.is_dead = true,
        Fate::Unfinished => scanned.is_ended = false,
        Fate::Errors(errors) => scanned.errors.clone_from(errors),
        Fate::Silent | Fate::Scanned => {}
    }
    if !scanned.is_dead {
        let open = host.open.iter().filter(|port| list.has(port));
        let service = |port: &String| {
            Weakness::new(SERVICES, "Services", port, "0.0").sure(80).seen("A service answers.")
        };
        scanned.results.extend(open.map(service));
        scanned.results.extend(host.weaknesses.iter().filter(|weakness| list.has(&weakness.port)).cloned());
    }
    Some(scanned)
}

fn context<'a>(state: &'a State, report: &Report) -> Option<(&'a Task, &'a Target, &'a PortList)> {
    let task = state.tasks.iter().find(|task| task.id == report.task)?;
    let target = state.targets.iter().find(|target| target.id == task.target)?;
    let list = state.port_lists.iter().find(|list| list.id == target.port_list)?;
    Some((task, target, list))
}

pub(super) fn reports(state: &State, request: &Element) -> String {
    let id = request.attribute("report_id");
    let task = term(request.attribute("report_filter"), "task_id");
    let found: Vec<&Report> = state
        .reports
        .iter()
        .filter(|report| match &task {
            Some(task) if id.is_empty() => report.task == *task,
            _ => id.is_empty() || report.id == id,
        })
        .collect();
    if found.is_empty() && !id.is_empty() {
        return missing("get_reports", "report", id);
    }
    // A single report is detailed unless somebody says no.
    let has_details = request.is("details") || (!id.is_empty() && request.attribute("details").is_empty());
    let filter = Filter::new(request);
    let mut answer = r#"<get_reports_response status="200" status_text="OK">"#.to_owned();
    for report in found {
        answer.push_str(&written(state, report, &filter, has_details));
    }
    answer.push_str("</get_reports_response>");
    answer
}

fn written(state: &State, report: &Report, filter: &Filter, has_details: bool) -> String {
    let Some((task, ..)) = context(state, report) else { return String::new() };
    let all = scanned(state, report);
    let shown: Vec<(IpAddr, &Weakness)> = all
        .iter()
        .flat_map(|host| host.results.iter().map(|result| (host.address, result)))
        .filter(|(_, result)| filter.shows(result))
        .collect();
    let (id, status) = (&report.id, task.status.as_str());
    let mut text = format!(
        "<report id=\"{id}\" format_id=\"a994b278-1f62-11e1-96ac-406186ea4fc5\" extension=\"xml\" content_type=\"text/xml\">\
         <owner><name>osel</name></owner><name>2026-11-26T00:00:00Z</name><task id=\"{}\"><name>{}</name></task>\
         <report id=\"{id}\"><gmp><version>{}</version></gmp><scan_run_status>{status}</scan_run_status>\
         <scan_start>2026-11-26T00:00:00Z</scan_start><scan_end>2026-11-26T00:10:00Z</scan_end>\
         <hosts><count>{}</count></hosts>",
        task.id,
        quoted(&task.name),
        quoted(&state.options.version),
        all.len(),
    );
    if has_details {
        text.push_str(&ports(&shown));
        text.push_str(&format!(
            "<results start=\"{}\" max=\"{}\">",
            filter.first,
            filter.rows.min(shown.len())
        ));
        for (address, result) in shown.iter().skip(filter.first - 1).take(filter.rows) {
            text.push_str(&result_text(*address, result));
        }
        text.push_str("</results>");
        for host in &all {
            if filter.has_silent_hosts || shown.iter().any(|(address, _)| *address == host.address) {
                text.push_str(&host_text(host));
            }
        }
        text.push_str(&errors(&all));
    }
    text.push_str(&format!(
        "<result_count>{}<full>{0}</full><filtered>{}</filtered></result_count></report></report>",
        all.iter().map(|host| host.results.len()).sum::<usize>(),
        shown.len(),
    ));
    text
}

/// Ports where something was found, each with its worst.
fn ports(shown: &[(IpAddr, &Weakness)]) -> String {
    let mut seen: Vec<(IpAddr, &str)> = Vec::new();
    let mut text = String::new();
    for (address, result) in shown {
        if !seen.contains(&(*address, &result.port)) {
            seen.push((*address, &result.port));
            text.push_str(&format!(
                "<port>{}<host>{address}</host><severity>{}</severity><threat>{}</threat></port>",
                quoted(&result.port),
                result.severity,
                result.threat(),
            ));
        }
    }
    format!("<ports max=\"-1\" start=\"1\"><count>{}</count>{text}</ports>", seen.len())
}

fn result_text(address: IpAddr, result: &Weakness) -> String {
    let refs: String =
        result.cves.iter().map(|cve| format!("<ref type=\"cve\" id=\"{}\"/>", quoted(cve))).collect();
    let (name, severity) = (quoted(&result.name), &result.severity);
    format!(
        "<result id=\"{address}-{oid}\"><name>{name}</name><owner><name>osel</name></owner>\
         <host>{address}<asset asset_id=\"\"/><hostname>h.example</hostname></host><port>{port}</port>\
         <nvt oid=\"{oid}\"><type>nvt</type><name>{name}</name><family>General</family><cvss_base>{severity}</cvss_base>\
         <severities score=\"{severity}\"><severity type=\"cvss_base_v3\"><origin>NVD</origin><score>{severity}</score></severity></severities>\
         <tags>summary=A test.|solution=Mend it.</tags><solution type=\"VendorFix\">Mend it.</solution>\
         <refs>{refs}<ref type=\"url\" id=\"https://example.org/?a=1&amp;b=2\"/></refs></nvt>\
         <threat>{threat}</threat><severity>{severity}</severity><qod><value>{qod}</value><type>remote_banner</type></qod>\
         <original_severity>{severity}</original_severity><description>{description}</description></result>",
        oid = quoted(&result.oid),
        port = quoted(&result.port),
        threat = result.threat(),
        qod = result.qod,
        description = quoted(&result.description),
    )
}

fn host_text(host: &Scanned) -> String {
    let end = if host.is_ended { "2026-11-26T00:09:00Z" } else { "" };
    let detail = |name: &str, value: &str| {
        format!("<detail><name>{name}</name><value>{value}</value><source><type>nvt</type></source></detail>")
    };
    let dead = if host.is_dead { detail("Host dead", "1") } else { String::new() };
    format!(
        "<host><ip>{}</ip><asset asset_id=\"\"/><start>2026-11-26T00:01:00Z</start><end>{end}</end>{}{dead}</host>",
        host.address,
        detail("best_os_txt", "Linux"),
    )
}

fn errors(all: &[Scanned]) -> String {
    let mut text = String::new();
    let mut count = 0;
    for host in all {
        for error in &host.errors {
            count += 1;
            text.push_str(&format!(
                "<error><host>{}<asset asset_id=\"\"/></host><port>general/tcp</port><description>{}</description>\
                 <nvt oid=\"1.2.3\"><type>nvt</type><name>A test</name></nvt><severity>-3.0</severity></error>",
                host.address,
                quoted(error),
            ));
        }
    }
    format!("<errors><count>{count}</count>{text}</errors>")
}

pub(super) fn results(state: &State, request: &Element) -> String {
    let filter = Filter::new(request);
    let wanted = term(request.attribute("filter"), "report_id");
    let mut shown = Vec::new();
    for report in
        state.reports.iter().filter(|report| wanted.as_ref().is_none_or(|wanted| report.id == *wanted))
    {
        for host in scanned(state, report) {
            shown.extend(
                host.results
                    .into_iter()
                    .filter(|result| filter.shows(result))
                    .map(|result| (host.address, result)),
            );
        }
    }
    let page: String = shown
        .iter()
        .skip(filter.first - 1)
        .take(filter.rows)
        .map(|(address, result)| result_text(*address, result))
        .collect();
    let count = shown.len();
    format!(
        "<get_results_response status=\"200\" status_text=\"OK\">{page}<results start=\"{}\" max=\"{}\"/>\
         <result_count>{count}<filtered>{count}</filtered></result_count></get_results_response>",
        filter.first,
        filter.rows.min(count),
    )
}
