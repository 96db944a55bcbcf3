//! `scan/`: launches, lists, fetches and what else is done with scans.

use std::fmt::Write;
use std::net::IpAddr;

use osel_core::time::Timestamp;

use super::answer::{Answer, Refusal, cdata, escaped};
use super::options::Options;
use super::request::{Request, addresses, is_number, ranges};
use super::results;
use super::scan::{Order, Scan, State as Step};
use super::state::{Given, State, time_text};

/// The most addresses of one scan.
const TARGETS_MAX: usize = 1 << 20;
/// The longest title.
const TITLE_CHARS_MAX: usize = 2000;
/// What a launch may say; anything else is refused.
const LAUNCH_PARAMETERS: [&str; 20] = [
    "action",
    "echo_request",
    "scan_title",
    "option_id",
    "option_title",
    "ip",
    "asset_groups",
    "asset_group_ids",
    "exclude_ip_per_scan",
    "iscanner_name",
    "iscanner_id",
    "default_scanner",
    "scanners_in_ag",
    "priority",
    "target_from",
    "ip_network_id",
    "runtime_http_header",
    "client_id",
    "client_name",
    "fqdn",
];
/// The names of the priorities.
const PRIORITIES: [&str; 10] = [
    "No Priority",
    "Emergency",
    "Ultimate",
    "Critical",
    "Major",
    "High",
    "Standard",
    "Medium",
    "Minor",
    "Low",
];

/// The answer of the endpoint.
pub(super) fn answer(state: &mut State, request: &Request) -> Given {
    match request.action() {
        "launch" => launch(state, request),
        "list" => list(state, request),
        "fetch" => fetch(state, request),
        action @ ("cancel" | "pause" | "resume" | "delete") => act(state, request, action),
        "" => Err(Refusal::missing("action")),
        _ => Err(Refusal::invalid("action")),
    }
}

fn launch(state: &mut State, request: &Request) -> Given {
    if request.method != "POST" {
        return Err(Refusal::new(400, 1908, "Request method is incompatible with specification"));
    }
    let unknown = request.parameters.iter().find(|(name, _)| !LAUNCH_PARAMETERS.contains(&name.as_str()));
    if let Some((name, _)) = unknown {
        return Err(Refusal::new(400, 1901, format!("Unrecognized parameter(s): {name}")));
    }
    let options = &state.options;
    let profile = profile(options, request)?;
    let appliance = appliance(options, request)?;
    let title = request.get("scan_title").unwrap_or("N/A").to_owned();
    if title.chars().count() > TITLE_CHARS_MAX {
        return Err(Refusal::invalid("scan_title"));
    }
    let priority = match request.get("priority") {
        None => 0,
        Some(text) => {
            text.parse().ok().filter(|&given| given < 10).ok_or_else(|| Refusal::invalid("priority"))?
        }
    };
    let network = match request.get("ip_network_id") {
        None => 0,
        Some(text) => text.parse().map_err(|_| Refusal::invalid("ip_network_id"))?,
    };
    let (groups, mut targets) = groups(options, request)?;
    let mut target_text: Vec<String> = targets.iter().map(ToString::to_string).collect();
    if let Some(text) = request.get("ip") {
        let given = ranges(text).ok_or_else(|| Refusal::invalid("ip"))?;
        targets.extend(addresses(&given, TARGETS_MAX).ok_or_else(|| Refusal::invalid("ip"))?);
        target_text.extend(text.split(',').map(|part| part.trim().to_owned()));
    }
    targets.sort_unstable();
    targets.dedup();
    if targets.is_empty() {
        return Err(Refusal::new(
            400,
            1922,
            "Please specify at least one of the following parameters: ip, asset_groups, asset_group_ids, fqdn",
        ));
    }
    if !options.has_ipv6 && targets.iter().any(IpAddr::is_ipv6) {
        return Err(Refusal::invalid("ip"));
    }
    let foreign: Vec<String> =
        targets.iter().filter(|&&target| !state.has(target)).map(ToString::to_string).collect();
    if !foreign.is_empty() {
        let text = format!("The following IPs are not in the user account: {}", foreign.join(", "));
        return Err(Refusal::new(400, 1905, text));
    }
    let targets_text = target_text.join(", ");
    let order =
        Order { title, profile, priority, groups, appliance, network, targets, target_text: targets_text };
    let (now, digits) = (state.now(), state.five_digits());
    state.launches += 1;
    let (id, number) = (26_148_614 + state.launches, state.launches);
    // The number keeps references apart that chance and the clock would not.
    let reference = format!("scan/{}.{digits:05}{number}", now.micros().div_euclid(1_000_000));
    let ending = usize::try_from(number - 1).ok().and_then(|place| state.options.endings.get(place).copied());
    let mut scan = Scan::new(id, reference.clone(), order, now, ending.unwrap_or_default());
    scan.is_lonely = scan.targets.iter().all(|&target| results::host(&state.options, target).is_none());
    state.scans.push(scan);
    let id = id.to_string();
    Ok(Answer::simple(&state.now_text(), "New vm scan launched", &[("ID", &id), ("REFERENCE", &reference)]))
}

fn profile(options: &Options, request: &Request) -> Result<String, Refusal> {
    match (request.get("option_id"), request.get("option_title")) {
        (Some(_), Some(_)) => {
            Err(Refusal::new(400, 1904, "parameters option_id and option_title are mutually exclusive"))
        }
        (Some(id), None) => {
            let known = id.parse().ok().and_then(|id: u64| options.profiles.get(&id));
            known.cloned().ok_or_else(|| Refusal::invalid("option_id"))
        }
        (None, Some(title)) => {
            let known = options.profiles.values().find(|known| *known == title);
            known.cloned().ok_or_else(|| Refusal::invalid("option_title"))
        }
        (None, None) => Err(Refusal::new(
            400,
            1922,
            "Please specify at least one of the following parameters: option_id, option_title",
        )),
    }
}

fn appliance(options: &Options, request: &Request) -> Result<String, Refusal> {
    let ways = ["iscanner_name", "iscanner_id", "default_scanner", "scanners_in_ag"];
    if ways.into_iter().filter(|way| request.get(way).is_some()).count() > 1 {
        return Err(Refusal::new(
            400,
            1904,
            format!("parameters {} are mutually exclusive", ways.join(", ")),
        ));
    }
    if request.get("scanners_in_ag").is_some() && request.get("asset_groups").is_none() {
        return Err(Refusal::new(400, 1907, "scanners_in_ag needs asset groups"));
    }
    let known = |name: &str| {
        name == "External"
            || options.appliances.iter().any(|one| one.name == name || one.id.to_string() == name)
    };
    let Some(named) = request.get("iscanner_name").or_else(|| request.get("iscanner_id")) else {
        return Ok("External".to_owned());
    };
    if named.split(',').all(|name| known(name.trim())) {
        Ok(named.to_owned())
    } else {
        Err(Refusal::invalid("iscanner_name"))
    }
}

fn groups(options: &Options, request: &Request) -> Result<(Vec<String>, Vec<IpAddr>), Refusal> {
    let (titles, ids) = (request.get("asset_groups"), request.get("asset_group_ids"));
    if titles.is_some() && ids.is_some() {
        return Err(Refusal::new(
            400,
            1904,
            "parameters asset_groups and asset_group_ids are mutually exclusive",
        ));
    }
    let (mut found, mut targets) = (Vec::new(), Vec::new());
    for name in titles.or(ids).into_iter().flat_map(|list| list.split(',')).map(str::trim) {
        let mut all = options.groups.iter();
        let group =
            all.find(|group| if ids.is_some() { group.id.to_string() == name } else { group.title == name });
        let group = group.ok_or_else(|| Refusal::invalid("asset_groups"))?;
        found.push(group.title.clone());
        targets.extend(&group.addresses);
    }
    Ok((found, targets))
}

fn list(state: &mut State, request: &Request) -> Given {
    let bound = |name: &str| {
        request.get(name).map(|text| time(text).ok_or_else(|| Refusal::invalid(name))).transpose()
    };
    let (after, before) = (bound("launched_after_datetime")?, bound("launched_before_datetime")?);
    let (now, life, page_max) = (state.now(), state.options.life, state.options.page_max);
    let month_ago = now.plus_seconds(-30 * 86_400);
    let start: u64 = request.get("id_min").and_then(|text| text.parse().ok()).unwrap_or(0);
    let is_on = |name: &str, otherwise| request.get(name).map_or(otherwise, |value| value == "1");
    let (mut text, mut shown, mut next) = (String::new(), 0, None);
    for scan in &mut state.scans {
        let is_wanted = request.get("scan_ref").is_none_or(|wanted| wanted == scan.reference)
            && request.get("scan_id").is_none_or(|wanted| wanted == scan.id.to_string())
            && request.get("type").is_none_or(|types| types.split(',').any(|one| one == "API"))
            && request.get("user_login").is_none_or(|user| user == state.options.user)
            && scan.launched_at >= after.unwrap_or(month_ago)
            && before.is_none_or(|before| scan.launched_at <= before)
            && scan.id >= start;
        if !is_wanted {
            continue;
        }
        if shown == page_max {
            next = Some(scan.id);
            break;
        }
        scan.look(now, life);
        let states = request.get("state");
        if states.is_none_or(|states| states.split(',').any(|one| one.trim() == scan.state_word())) {
            shown += 1;
            row(
                &mut text,
                scan,
                &state.options.user,
                [
                    is_on("show_status", true),
                    is_on("show_ags", false),
                    is_on("show_op", false),
                    !is_on("ignore_target", false),
                ],
            );
        }
    }
    let mut response = format!("    <DATETIME>{}</DATETIME>\n", time_text(now));
    if shown > 0 {
        let _ = write!(response, "    <SCAN_LIST>\n{text}    </SCAN_LIST>\n");
    }
    if let Some(next) = next {
        response.push_str(&warning(request, page_max, next));
    }
    Ok(Answer::document("SCAN_LIST_OUTPUT", "fo/scan/scan_list_output.dtd", &response))
}

/// What stands at the end of a list that is longer.
pub(super) fn warning(request: &Request, page_max: usize, next: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in request.parameters.iter().filter(|(name, _)| name != "id_min") {
        query.append_pair(name, value);
    }
    let url = format!(
        "{}{}?{}",
        request.origin,
        request.path,
        query.append_pair("id_min", &next.to_string()).finish()
    );
    format!(
        "    <WARNING>\n      <CODE>1980</CODE>\n      <TEXT>{page_max} record limit exceeded. Use URL to get next batch of results.</TEXT>\n      \
         <URL>{}</URL>\n    </WARNING>\n",
        cdata(&url)
    )
}

fn row(text: &mut String, scan: &Scan, user: &str, [status, groups, profile, target]: [bool; 4]) {
    let _ = write!(
        text,
        "      <SCAN>\n        <ID>{}</ID>\n        <REF>{}</REF>\n        <TYPE>API</TYPE>\n        <TITLE>{}</TITLE>\n        \
         <USER_LOGIN>{}</USER_LOGIN>\n        <LAUNCH_DATETIME>{}</LAUNCH_DATETIME>\n        <DURATION>{}</DURATION>\n        \
         <PROCESSING_PRIORITY>{} - {}</PROCESSING_PRIORITY>\n        <PROCESSED>{}</PROCESSED>\n",
        scan.id,
        scan.reference,
        cdata(&scan.title),
        escaped(user),
        time_text(scan.launched_at),
        scan.duration(),
        scan.priority,
        PRIORITIES[usize::from(scan.priority)],
        u8::from(scan.state() == Step::Finished),
    );
    if status {
        let sub = match scan.state() {
            Step::Finished if scan.is_lonely => "          <SUB_STATE>No_Host</SUB_STATE>\n",
            _ => "",
        };
        let _ = write!(
            text,
            "        <STATUS>\n          <STATE>{}</STATE>\n{sub}        </STATUS>\n",
            scan.state_word()
        );
    }
    if target {
        let _ = writeln!(text, "        <TARGET>{}</TARGET>", cdata(&scan.target_text));
    }
    if groups && !scan.groups.is_empty() {
        text.push_str("        <ASSET_GROUP_TITLE_LIST>\n");
        for group in &scan.groups {
            let _ = writeln!(text, "          <ASSET_GROUP_TITLE>{}</ASSET_GROUP_TITLE>", cdata(group));
        }
        text.push_str("        </ASSET_GROUP_TITLE_LIST>\n");
    }
    if profile {
        let _ = writeln!(
            text,
            "        <OPTION_PROFILE>\n          <TITLE>{}</TITLE>\n          <DEFAULT_FLAG>0</DEFAULT_FLAG>\n        </OPTION_PROFILE>",
            cdata(&scan.profile)
        );
    }
    text.push_str("      </SCAN>\n");
}

fn find<'s>(state: &'s mut State, request: &Request) -> Result<&'s mut Scan, Refusal> {
    let wanted = request.get("scan_ref").ok_or_else(|| Refusal::missing("scan_ref"))?;
    let (now, life) = (state.now(), state.options.life);
    let scan = state.scans.iter_mut().find(|scan| scan.reference == wanted);
    let scan =
        scan.ok_or_else(|| Refusal::new(400, 1905, "parameter scan_ref has invalid value: no such scan"))?;
    // Time passes for it whoever asks; looks count only in lists.
    if matches!(life, super::options::Life::Seconds { .. }) {
        scan.look(now, life);
    }
    Ok(scan)
}

fn act(state: &mut State, request: &Request, action: &str) -> Given {
    let scan = find(state, request)?;
    let (id, reference) = (scan.id.to_string(), scan.reference.clone());
    let (is_done, text) = match action {
        "cancel" => (scan.cancel(), "Canceling scan"),
        "pause" => (scan.pause(), "Pausing scan"),
        "resume" => (scan.resume(), "Resuming scan"),
        _ => (scan.is_over(), "Deleting scan"),
    };
    if !is_done {
        let text = format!("The scan is {}: it is impossible to {action} it.", scan.state_word());
        return Err(Refusal::new(400, 1907, text));
    }
    if action == "delete" {
        state.scans.retain(|scan| scan.reference != reference);
    }
    Ok(Answer::simple(&state.now_text(), text, &[("ID", &id)]))
}

fn fetch(state: &mut State, request: &Request) -> Given {
    let scan = find(state, request)?.clone();
    if !(scan.is_over() || scan.state() == Step::Paused) {
        let text = format!("The results of a scan that is {} cannot be fetched yet.", scan.state_word());
        return Err(Refusal::new(400, 1907, text));
    }
    let is_extended = match request.get("mode") {
        None | Some("brief") => false,
        Some("extended") => true,
        Some(_) => return Err(Refusal::invalid("mode")),
    };
    let only = match request.get("ips") {
        None => None,
        Some(text) => Some(ranges(text).ok_or_else(|| Refusal::invalid("ips"))?),
    };
    let results = results::Results::new(&state.options, &scan, only.as_deref());
    let (content_type, body) = match request.get("output_format").unwrap_or("csv") {
        "csv" => ("text/csv;charset=UTF-8", results.csv(is_extended)),
        "csv_extended" => ("text/csv;charset=UTF-8", results.csv(true)),
        "json" => (state.options.json_type, results.json(is_extended)),
        "json_extended" => (state.options.json_type, results.json_extended(&time_text(state.now()))),
        _ => return Err(Refusal::invalid("output_format")),
    };
    Ok(Answer { status: 200, content_type, headers: Vec::new(), body })
}

/// `YYYY-MM-DD[THH:MM:SSZ]`.
fn time(text: &str) -> Option<Timestamp> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_day = text.len() == 10 && parts.len() == 3 && parts.iter().all(|part| is_number(part));
    Timestamp::parse(&if is_day { format!("{text}T00:00:00Z") } else { text.to_owned() })
}
