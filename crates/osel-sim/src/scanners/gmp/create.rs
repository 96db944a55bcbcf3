//! Making, changing and deleting port lists, targets and tasks.

use std::net::IpAddr;

use super::catalog::{CONFIGS, SCANNERS};
use super::command::{created, missing, plain};
use super::state::{PortList, State, Status, Target, Task};
use super::xml::Element;

/// The most hosts of a target: gvmd's own default.
const HOSTS_MAX: usize = 4095;

pub(super) fn port_list(state: &mut State, request: &Element) -> String {
    let (command, name) = ("create_port_list", request.text_of("name"));
    if name.is_empty() {
        return plain(command, 400, "Name must be at least one character long");
    }
    if state.port_lists.iter().any(|list| list.name == name && !list.in_trash) {
        return plain(command, 400, "Port list exists already");
    }
    let Some(ranges) = ranges(request.text_of("port_range")) else {
        return plain(command, 400, "Error in port range");
    };
    let id = state.random.uuid();
    state.port_lists.push(PortList { id: id.clone(), name: name.to_owned(), ranges, in_trash: false });
    created(command, &id)
}

/// `T:22,T:80-443,U:53`; a transport holds until the next one.
fn ranges(text: &str) -> Option<Vec<(char, u16, u16)>> {
    let mut transport = 'T';
    let mut ranges = Vec::new();
    for part in text.split(',').map(str::trim) {
        let part = match part.split_once(':') {
            Some((given, part)) => {
                transport = given.chars().next().filter(|given| "TU".contains(*given))?;
                part
            }
            None => part,
        };
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
        if first == 0 || last < first {
            return None;
        }
        ranges.push((transport, first, last));
    }
    Some(ranges)
}

pub(super) fn target(state: &mut State, request: &Element) -> String {
    let (command, name) = ("create_target", request.text_of("name"));
    if name.is_empty() {
        return plain(command, 400, "Name must be at least one character long");
    }
    if state.targets.iter().any(|target| target.name == name && !target.in_trash) {
        return plain(command, 400, "Target exists already");
    }
    let hosts: Result<Vec<IpAddr>, _> =
        request.text_of("hosts").split(',').map(|host| host.trim().parse()).collect();
    let Ok(hosts) = hosts else { return plain(command, 400, "Error in host specification") };
    if hosts.len() > HOSTS_MAX {
        return plain(command, 400, "Maximum number of hosts exceeded");
    }
    let port_list = request.id_of("port_list");
    if port_list.is_empty() {
        return plain(command, 400, "One of PORT_LIST and PORT_RANGE is required");
    }
    if !state.port_lists.iter().any(|list| list.id == port_list && !list.in_trash) {
        return missing(command, "port list", port_list);
    }
    let alive_tests = match request.text_of("alive_tests") {
        "" => "Scan Config Default",
        given => given,
    };
    let id = state.random.uuid();
    state.targets.push(Target {
        id: id.clone(),
        name: name.to_owned(),
        hosts,
        port_list: port_list.to_owned(),
        alive_tests: alive_tests.to_owned(),
        in_trash: false,
    });
    created(command, &id)
}

pub(super) fn task(state: &mut State, request: &Element) -> String {
    let (command, name) = ("create_task", request.text_of("name"));
    if name.is_empty() {
        return plain(command, 400, "A NAME is required");
    }
    let (config, scanner, target) =
        (request.id_of("config"), request.id_of("scanner"), request.id_of("target"));
    if !CONFIGS.iter().any(|known| known.id == config) {
        return missing(command, "config", config);
    }
    if !SCANNERS.iter().any(|known| known.id == scanner) {
        return missing(command, "scanner", scanner);
    }
    if !state.targets.iter().any(|known| known.id == target && !known.in_trash) {
        return missing(command, "target", target);
    }
    let id = state.random.uuid();
    // Two tasks may have one name.
    state.tasks.push(Task {
        id: id.clone(),
        name: name.to_owned(),
        comment: request.text_of("comment").to_owned(),
        config: config.to_owned(),
        scanner: scanner.to_owned(),
        target: target.to_owned(),
        status: Status::New,
        polls: 0,
        report: None,
        in_trash: false,
    });
    created(command, &id)
}

pub(super) fn modify_task(state: &mut State, request: &Element) -> String {
    let (command, id) = ("modify_task", request.attribute("task_id"));
    let Some(task) = state.task(id) else { return missing(command, "task", id) };
    if request.child("comment").is_some() {
        request.text_of("comment").clone_into(&mut task.comment);
    }
    plain(command, 200, "OK")
}

pub(super) fn delete_port_list(state: &mut State, request: &Element) -> String {
    let (command, id) = ("delete_port_list", request.attribute("port_list_id"));
    if !state.port_lists.iter().any(|list| list.id == id) {
        return missing(command, "port list", id);
    }
    if state.targets.iter().any(|target| target.port_list == id) {
        return plain(command, 400, "Port list is in use");
    }
    if request.is("ultimate") {
        state.port_lists.retain(|list| list.id != id);
    }
    state.port_lists.iter_mut().filter(|list| list.id == id).for_each(|list| list.in_trash = true);
    plain(command, 200, "OK")
}

pub(super) fn delete_target(state: &mut State, request: &Element) -> String {
    let (command, id) = ("delete_target", request.attribute("target_id"));
    if !state.targets.iter().any(|target| target.id == id) {
        return missing(command, "target", id);
    }
    if state.tasks.iter().any(|task| task.target == id) {
        return plain(command, 400, "Target is in use");
    }
    if request.is("ultimate") {
        state.targets.retain(|target| target.id != id);
    }
    state.targets.iter_mut().filter(|target| target.id == id).for_each(|target| target.in_trash = true);
    plain(command, 200, "OK")
}

pub(super) fn delete_task(state: &mut State, request: &Element) -> String {
    let (command, id) = ("delete_task", request.attribute("task_id"));
    let is_ultimate = request.is("ultimate");
    let Some(task) = state.tasks.iter_mut().find(|task| task.id == id) else {
        return missing(command, "task", id);
    };
    if task.status.is_active() {
        // It has to be stopped first, which takes until something else was asked.
        task.status = Status::DeleteRequested;
        return plain(command, 202, "OK, request submitted");
    }
    if is_ultimate {
        state.tasks.retain(|task| task.id != id);
        state.reports.retain(|report| report.task != id);
    } else {
        task.in_trash = true;
    }
    plain(command, 200, "OK")
}
