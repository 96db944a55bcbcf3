//! Commands: who may give them, and what is answered to those that ask, begin and end.

use super::catalog::{CONFIGS, Known, SCANNERS};
use super::create;
use super::report;
use super::state::{Report, State, Status, Task};
use super::xml::{Element, quoted};

/// What is remembered of one connection.
#[derive(Debug, Default)]
pub(super) struct Session {
    is_authenticated: bool,
}

/// An answer without anything in it.
pub(super) fn plain(command: &str, status: u16, text: &str) -> String {
    format!(r#"<{command}_response status="{status}" status_text="{}"/>"#, quoted(text))
}

/// An answer that something was made.
pub(super) fn created(command: &str, id: &str) -> String {
    format!(r#"<{command}_response status="201" status_text="OK, resource created" id="{id}"/>"#)
}

/// An answer that something was not found.
pub(super) fn missing(command: &str, what: &str, id: &str) -> String {
    plain(command, 404, &format!("Failed to find {what} '{id}'"))
}

/// What a command is answered.
pub(super) fn answer(state: &mut State, session: &mut Session, request: &Element) -> String {
    let command = request.name.as_str();
    match command {
        "get_version" => return version(state),
        _ if state.options.is_starting => return plain(command, 503, "Service temporarily down"),
        "authenticate" => return authenticate(state, session, request),
        _ if !session.is_authenticated => return plain("gmp", 401, "Authenticate first"),
        _ => {}
    }
    let answer = match command {
        "create_port_list" => create::port_list(state, request),
        "create_target" => create::target(state, request),
        "create_task" => create::task(state, request),
        "delete_port_list" => create::delete_port_list(state, request),
        "delete_target" => create::delete_target(state, request),
        "delete_task" => return create::delete_task(state, request),
        "modify_task" => create::modify_task(state, request),
        "get_port_lists" => port_lists(state, request),
        "get_targets" => targets(state, request),
        "get_configs" => catalog(command, "config", CONFIGS, request),
        "get_scanners" => catalog(command, "scanner", SCANNERS, request),
        "get_tasks" => tasks(state, request),
        "start_task" => start(state, request),
        "resume_task" => resume(state, request),
        "stop_task" => stop(state, request),
        "get_reports" => report::reports(state, request),
        "get_results" => report::results(state, request),
        _ => plain("gmp", 400, "Bogus command name"),
    };
    state.sweep();
    answer
}

fn version(state: &State) -> String {
    let version = quoted(&state.options.version);
    format!(
        r#"<get_version_response status="200" status_text="OK"><version>{version}</version></get_version_response>"#
    )
}

fn authenticate(state: &State, session: &mut Session, request: &Element) -> String {
    let fits = request.child("credentials").is_some_and(|given| {
        given.text_of("username") == state.options.username
            && given.text_of("password") == state.options.password
    });
    session.is_authenticated = fits;
    if fits {
        r#"<authenticate_response status="200" status_text="OK"><role>User</role><timezone>UTC</timezone></authenticate_response>"#.to_owned()
    } else {
        plain("authenticate", 400, "Authentication failed")
    }
}

/// A word of a filter: `name="a b" rows=-1`.
pub(super) fn term(filter: &str, wanted: &str) -> Option<String> {
    let mut rest = filter.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        let (value, after) = match after.strip_prefix('"') {
            Some(after) => after.split_once('"')?,
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        if key == wanted {
            return Some(value.to_owned());
        }
        rest = after.trim_start();
    }
    None
}

/// Whether a request that asks for one thing or for those of a name asks for this one.
fn is_asked(request: &Element, what: &str, id: &str, name: &str) -> bool {
    match request.attribute(&format!("{what}_id")) {
        "" => term(request.attribute("filter"), "name").is_none_or(|wanted| wanted == name),
        wanted => wanted == id,
    }
}

/// A list of things of one kind, each with its id, its name, and whatever else is said of it.
fn list(
    command: &str,
    what: &str,
    request: &Element,
    all: impl Iterator<Item = (String, String, String)>,
) -> String {
    let found: Vec<_> = all.filter(|(id, name, _)| is_asked(request, what, id, name)).collect();
    let id = request.attribute(&format!("{what}_id"));
    if found.is_empty() && !id.is_empty() {
        return missing(command, what, id);
    }
    let mut answer = format!(r#"<{command}_response status="200" status_text="OK">"#);
    for (id, name, more) in &found {
        let name = quoted(name);
        answer.push_str(&format!(
            "<{what} id=\"{id}\"><owner><name>osel</name></owner><name>{name}</name>{more}</{what}>"
        ));
    }
    let (term, count) = (quoted(request.attribute("filter")), found.len());
    answer.push_str(&format!(
        "<filters id=\"\"><term>{term}</term></filters><{what}_count>{count}<filtered>{count}</filtered><page>{count}</page></{what}_count></{command}_response>"
    ));
    answer
}

fn catalog(command: &str, what: &str, known: &[Known], request: &Element) -> String {
    let all = known.iter().map(|known| (known.id.to_owned(), known.name.to_owned(), String::new()));
    list(command, what, request, all)
}

fn port_lists(state: &State, request: &Element) -> String {
    let shown = state.port_lists.iter().filter(|list| list.in_trash == request.is("trash"));
    let ranges = |transport: char, first: u16, last: u16| {
        let name = if transport == 'U' { "udp" } else { "tcp" };
        format!("<port_range id=\"\"><start>{first}</start><end>{last}</end><type>{name}</type></port_range>")
    };
    list(
        "get_port_lists",
        "port_list",
        request,
        shown.map(|list| {
            let all: String =
                list.ranges.iter().map(|&(transport, first, last)| ranges(transport, first, last)).collect();
            (list.id.clone(), list.name.clone(), format!("<port_ranges>{all}</port_ranges>"))
        }),
    )
}

fn targets(state: &State, request: &Element) -> String {
    let shown = state.targets.iter().filter(|target| target.in_trash == request.is("trash"));
    list("get_targets", "target", request, shown.map(|target| {
        let hosts: Vec<String> = target.hosts.iter().map(ToString::to_string).collect();
        let more = format!(
            "<hosts>{}</hosts><exclude_hosts/><max_hosts>{}</max_hosts><port_list id=\"{}\"/><alive_tests>{}</alive_tests>",
            hosts.join(", "),
            hosts.len(),
            target.port_list,
            quoted(&target.alive_tests),
        );
        (target.id.clone(), target.name.clone(), more)
    }))
}

fn tasks(state: &mut State, request: &Element) -> String {
    state.poll();
    let shown = state.tasks.iter().filter(|task| task.in_trash == request.is("trash"));
    list("get_tasks", "task", request, shown.map(|task| (task.id.clone(), task.name.clone(), told(task))))
}

fn told(task: &Task) -> String {
    let progress = if task.status == Status::Running { 42 } else { -1 };
    let report = |name: &str| {
        let id = task.report.as_deref().unwrap_or_default();
        format!("<{name}><report id=\"{id}\"><timestamp>2026-11-26T00:00:00Z</timestamp></report></{name}>")
    };
    let reports = match (&task.report, task.status) {
        (None, _) => String::new(),
        (Some(_), Status::Done) => report("last_report"),
        (Some(_), _) => report("current_report"),
    };
    format!(
        "<comment>{}</comment><usage_type>scan</usage_type><config id=\"{}\"/><target id=\"{}\"/><scanner id=\"{}\"/>\
         <status>{}</status><progress>{progress}</progress>{reports}",
        quoted(&task.comment),
        task.config,
        task.target,
        task.scanner,
        task.status.as_str(),
    )
}

fn is_full(state: &State) -> bool {
    state.tasks.iter().filter(|task| task.status.is_active()).count() >= state.options.active_max
}

fn start(state: &mut State, request: &Element) -> String {
    let (command, id) = ("start_task", request.attribute("task_id"));
    let (is_full, report) = (is_full(state), state.random.uuid());
    let Some(task) = state.task(id) else { return missing(command, "task", id) };
    if task.status.is_active() {
        return plain(command, 400, "Task is active already");
    }
    if is_full {
        return plain(command, 409, "The scanner is busy");
    }
    task.status = Status::Requested;
    task.report = Some(report.clone());
    let name = task.name.clone();
    state.reports.push(Report { id: report.clone(), task: id.to_owned(), hosts_done: None });
    state.begun.push(name);
    format!(
        r#"<{command}_response status="202" status_text="OK, request submitted"><report_id>{report}</report_id></{command}_response>"#
    )
}

fn resume(state: &mut State, request: &Element) -> String {
    let (command, id) = ("resume_task", request.attribute("task_id"));
    let Some(task) = state.task(id) else { return missing(command, "task", id) };
    if !matches!(task.status, Status::Stopped | Status::Interrupted) {
        return plain(command, 400, "Task must be in Stopped or Interrupted state");
    }
    task.status = Status::Requested;
    let (name, report) = (task.name.clone(), task.report.clone().unwrap_or_default());
    for known in state.reports.iter_mut().filter(|known| known.id == report) {
        known.hosts_done = None;
    }
    state.begun.push(format!("{name} resumed"));
    format!(
        r#"<{command}_response status="202" status_text="OK, request submitted"><report_id>{report}</report_id></{command}_response>"#
    )
}

fn stop(state: &mut State, request: &Element) -> String {
    let (command, id) = ("stop_task", request.attribute("task_id"));
    let Some(task) = state.task(id) else { return missing(command, "task", id) };
    if !task.status.is_active() {
        return plain(command, 200, "OK");
    }
    task.status = Status::StopRequested;
    let report = task.report.clone();
    for known in state.reports.iter_mut().filter(|known| Some(&known.id) == report.as_ref()) {
        known.hosts_done = Some(0);
    }
    plain(command, 202, "OK, request submitted")
}
