//! What is in the subscription: addresses, excluded addresses, asset groups, appliances.

use std::fmt::Write;
use std::net::IpAddr;

use ipnet::IpNet;

use super::answer::{Answer, Refusal, cdata, escaped};
use super::request::{Request, addresses, ranges};
use super::state::{Given, State};

/// The most addresses that are added at once.
const ADDED_MAX: usize = 1 << 16;

/// `asset/ip/`.
pub(super) fn ip(state: &mut State, request: &Request) -> Given {
    match request.action() {
        "list" => {
            let added: Vec<_> = state.added.iter().map(|&address| (address, address)).collect();
            let all: Vec<_> = state.options.addresses.iter().map(ends).chain(added).collect();
            Ok(set(state, &within(all, request)?))
        }
        "add" | "update" => {
            if request.method != "POST" {
                return Err(Refusal::new(400, 1908, "Request method is incompatible with specification"));
            }
            let given = request.get("ips").ok_or_else(|| Refusal::missing("ips"))?;
            let given = ranges(given).and_then(|ranges| addresses(&ranges, ADDED_MAX));
            let given = given.ok_or_else(|| Refusal::invalid("ips"))?;
            if request.action() == "update" {
                return Ok(Answer::simple(&state.now_text(), "IPs successfully updated", &[]));
            }
            if !state.options.may_add {
                return Err(Refusal::new(403, 2012, "User license is not authorized to run this API."));
            }
            let has_module = ["enable_vm", "enable_pc"].iter().any(|name| request.get(name) == Some("1"));
            if !has_module {
                return Err(Refusal::new(
                    400,
                    1922,
                    "Please specify at least one of the following parameters: enable_vm, enable_pc",
                ));
            }
            state.added.extend(given);
            Ok(Answer::simple(&state.now_text(), "IPs successfully added to Vulnerability Management", &[]))
        }
        _ => Err(Refusal::invalid("action")),
    }
}

/// `asset/excluded_ip/`.
pub(super) fn excluded(state: &mut State, request: &Request) -> Given {
    if request.action() != "list" {
        return Err(Refusal::invalid("action"));
    }
    let all = state.options.excluded.iter().map(ends).collect();
    Ok(set(state, &within(all, request)?))
}

/// The ranges that have something of what was asked for.
fn within(all: Vec<(IpAddr, IpAddr)>, request: &Request) -> Result<Vec<(IpAddr, IpAddr)>, Refusal> {
    let Some(asked) = request.get("ips") else { return Ok(all) };
    let asked = ranges(asked).ok_or_else(|| Refusal::invalid("ips"))?;
    let meet = |(first, last): (IpAddr, IpAddr)| {
        asked.iter().filter_map(move |&(from, to)| {
            let (from, to) = (from.max(first), to.min(last));
            (from <= to && from.is_ipv4() == to.is_ipv4()).then_some((from, to))
        })
    };
    Ok(all.into_iter().flat_map(meet).collect())
}

fn ends(prefix: &IpNet) -> (IpAddr, IpAddr) {
    (prefix.network(), prefix.broadcast())
}

fn set(state: &State, ranges: &[(IpAddr, IpAddr)]) -> Answer {
    let mut response = format!("    <DATETIME>{}</DATETIME>\n", state.now_text());
    if !ranges.is_empty() {
        response.push_str("    <IP_SET>\n");
        response.push_str(&members(ranges, "      "));
        response.push_str("    </IP_SET>\n");
    }
    Answer::document("IP_LIST_OUTPUT", "fo/asset/ip/ip_list_output.dtd", &response)
}

fn members(ranges: &[(IpAddr, IpAddr)], before: &str) -> String {
    let mut text = String::new();
    for (first, last) in ranges {
        let _ = match first == last {
            true => writeln!(text, "{before}<IP>{first}</IP>"),
            false => writeln!(text, "{before}<IP_RANGE>{first}-{last}</IP_RANGE>"),
        };
    }
    text
}

/// `asset/group/`.
pub(super) fn groups(state: &mut State, request: &Request) -> Given {
    let now = state.now_text();
    let missing = |name| request.get(name).ok_or_else(|| Refusal::missing(name));
    let given = |name: &str| {
        let listed =
            request.get(name).map(|text| ranges(text).and_then(|ranges| addresses(&ranges, ADDED_MAX)));
        listed.map(|addresses| addresses.ok_or_else(|| Refusal::invalid(name))).transpose()
    };
    match request.action() {
        "list" => {
            let wanted = |id: u64| {
                request.get("ids").is_none_or(|ids| ids.split(',').any(|one| one == id.to_string()))
            };
            let mut response = format!("    <DATETIME>{now}</DATETIME>\n    <ASSET_GROUP_LIST>\n");
            for group in state.options.groups.iter().filter(|group| wanted(group.id)) {
                let ranges: Vec<_> = group.addresses.iter().map(|&address| (address, address)).collect();
                let _ = write!(
                    response,
                    "      <ASSET_GROUP>\n        <ID>{}</ID>\n        <TITLE>{}</TITLE>\n        <OWNER_USER_ID>1</OWNER_USER_ID>\n        \
                     <OWNER_UNIT_ID>0</OWNER_UNIT_ID>\n        <NETWORK_ID>0</NETWORK_ID>\n        <IP_SET>\n{}        </IP_SET>\n      </ASSET_GROUP>\n",
                    group.id,
                    cdata(&group.title),
                    members(&ranges, "          ")
                );
            }
            response.push_str("    </ASSET_GROUP_LIST>\n");
            Ok(Answer::document(
                "ASSET_GROUP_LIST_OUTPUT",
                "fo/asset/group/asset_group_list_output.dtd",
                &response,
            ))
        }
        "add" => {
            let (title, addresses) = (missing("title")?.to_owned(), given("ips")?.unwrap_or_default());
            let id = state.options.groups.iter().map(|group| group.id).max().unwrap_or(10) + 1;
            state.options.groups.push(super::options::AssetGroup { id, title, addresses });
            Ok(Answer::simple(&now, "Asset Group successfully added.", &[("ID", &id.to_string())]))
        }
        "edit" => {
            let id = missing("id")?.to_owned();
            let (added, removed, set) = (given("add_ips")?, given("remove_ips")?, given("set_ips")?);
            let mut groups = state.options.groups.iter_mut();
            let group =
                groups.find(|group| group.id.to_string() == id).ok_or_else(|| Refusal::invalid("id"))?;
            if let Some(set) = set {
                group.addresses = set;
            }
            group.addresses.extend(added.unwrap_or_default());
            let removed = removed.unwrap_or_default();
            group.addresses.retain(|address| !removed.contains(address));
            Ok(Answer::simple(&now, "Asset Group Updated Successfully", &[("ID", &id)]))
        }
        _ => Err(Refusal::invalid("action")),
    }
}

/// `appliance/`.
pub(super) fn appliances(state: &mut State, request: &Request) -> Given {
    if request.action() != "list" {
        return Err(Refusal::invalid("action"));
    }
    let running = state.scans.iter().filter(|scan| !scan.is_over());
    let running: Vec<_> = running.map(|scan| scan.appliance.clone()).collect();
    let mut response = format!("    <DATETIME>{}</DATETIME>\n    <APPLIANCE_LIST>\n", state.now_text());
    for appliance in &state.options.appliances {
        let count = running.iter().filter(|name| **name == appliance.name).count();
        let _ = write!(
            response,
            "      <APPLIANCE>\n        <ID>{}</ID>\n        <UUID>00000000-0000-4000-8000-{:012x}</UUID>\n        <NAME>{}</NAME>\n        \
             <NETWORK_ID>0</NETWORK_ID>\n        <SOFTWARE_VERSION>12.1</SOFTWARE_VERSION>\n        \
             <RUNNING_SLICES_COUNT>{count}</RUNNING_SLICES_COUNT>\n        <RUNNING_SCAN_COUNT>{count}</RUNNING_SCAN_COUNT>\n        \
             <STATUS>{}</STATUS>\n      </APPLIANCE>\n",
            appliance.id,
            appliance.id,
            escaped(&appliance.name),
            if appliance.is_online { "Online" } else { "Offline" },
        );
    }
    response.push_str("    </APPLIANCE_LIST>\n");
    Ok(Answer::document("APPLIANCE_LIST_OUTPUT", "fo/appliance/appliance_list_output.dtd", &response))
}
