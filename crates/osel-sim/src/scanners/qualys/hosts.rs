//! What is known of hosts that were scanned: `asset/host/` and its detections.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use super::answer::{Answer, Refusal, cdata};
use super::options::Kind;
use super::request::{Request, ranges};
use super::results;
use super::scans::warning;
use super::state::{Given, State};

/// The hosts that a list shows.
struct Shown {
    /// Each with its id.
    hosts: Vec<(u64, IpAddr)>,
    page_max: usize,
    /// The id behind them, where there are more.
    next: Option<u64>,
}

fn shown(state: &State, request: &Request) -> Result<Shown, Refusal> {
    if request.action() != "list" {
        return Err(Refusal::invalid("action"));
    }
    let only = match request.get("ips") {
        None => None,
        Some(text) => Some(ranges(text).ok_or_else(|| Refusal::invalid("ips"))?),
    };
    let known: BTreeSet<IpAddr> =
        state.options.hosts.keys().copied().chain(state.added.iter().copied()).collect();
    let start: u64 = request.get("id_min").and_then(|text| text.parse().ok()).unwrap_or(0);
    let limit = request.get("truncation_limit").and_then(|text| text.parse().ok());
    let page_max = limit.filter(|&limit| limit > 0).unwrap_or(state.options.page_max);
    let is_asked = |address: IpAddr| {
        only.as_ref().is_none_or(|only| only.iter().any(|(first, last)| (first..=last).contains(&&address)))
    };
    let numbered = (1..).zip(known).filter(|&(id, address)| id >= start && is_asked(address));
    let mut hosts: Vec<_> = numbered.take(page_max + 1).collect();
    let next = if hosts.len() > page_max { hosts.pop().map(|(id, _)| id) } else { None };
    Ok(Shown { hosts, page_max, next })
}

/// `asset/host/`.
pub(super) fn list(state: &mut State, request: &Request) -> Given {
    let Shown { hosts, page_max, next } = shown(state, request)?;
    let now = state.now_text();
    let mut response = format!("    <DATETIME>{now}</DATETIME>\n    <HOST_LIST>\n");
    for (id, address) in hosts {
        let _ = write!(
            response,
            "      <HOST>\n        <ID>{id}</ID>\n        <IP>{address}</IP>\n        <TRACKING_METHOD>IP</TRACKING_METHOD>\n        \
             <DNS>{}</DNS>\n        <NETBIOS></NETBIOS>\n        <OS>{}</OS>\n        \
             <LAST_VULN_SCAN_DATETIME>{now}</LAST_VULN_SCAN_DATETIME>\n      </HOST>\n",
            cdata(""),
            cdata("Linux 3.13"),
        );
    }
    response.push_str("    </HOST_LIST>\n");
    response.extend(next.map(|next| warning(request, page_max, next)));
    Ok(Answer::document("HOST_LIST_OUTPUT", "fo/asset/host/host_list_output.dtd", &response))
}

/// `asset/host/vm/detection/`.
pub(super) fn detections(state: &mut State, request: &Request) -> Given {
    let Shown { hosts, page_max, next } = shown(state, request)?;
    let now = state.now_text();
    let mut response = format!("    <DATETIME>{now}</DATETIME>\n    <HOST_LIST>\n");
    for (id, address) in hosts {
        let _ = write!(
            response,
            "      <HOST>\n        <ID>{id}</ID>\n        <IP>{address}</IP>\n        <TRACKING_METHOD>IP</TRACKING_METHOD>\n        \
             <LAST_SCAN_DATETIME>{now}</LAST_SCAN_DATETIME>\n        <DETECTION_LIST>\n"
        );
        let host = results::host(&state.options, address);
        for weakness in host.into_iter().flat_map(|host| &host.weaknesses) {
            let kind = match weakness.kind {
                Kind::Vuln => "Confirmed",
                Kind::Practice => "Potential",
                Kind::Ig => "Info",
            };
            let place = weakness.port.map_or_else(String::new, |(transport, port)| {
                format!("<PORT>{port}</PORT><PROTOCOL>{}</PROTOCOL>", transport.as_str())
            });
            let _ = writeln!(
                response,
                "          <DETECTION><QID>{}</QID><TYPE>{kind}</TYPE><SEVERITY>{}</SEVERITY>{place}<SSL>0</SSL><RESULTS>{}</RESULTS>\
                 <STATUS>Active</STATUS><FIRST_FOUND_DATETIME>{now}</FIRST_FOUND_DATETIME><LAST_FOUND_DATETIME>{now}</LAST_FOUND_DATETIME></DETECTION>",
                weakness.qid,
                weakness.severity,
                cdata(weakness.results)
            );
        }
        response.push_str("        </DETECTION_LIST>\n      </HOST>\n");
    }
    response.push_str("    </HOST_LIST>\n");
    response.extend(next.map(|next| warning(request, page_max, next)));
    Ok(Answer::document(
        "HOST_LIST_VM_DETECTION_OUTPUT",
        "fo/asset/host/vm/detection/host_list_vm_detection_output.dtd",
        &response,
    ))
}
