//! The scanner: launching what may be half launched already, asking how far it is, fetching, stopping, tidying up.
//!
//! Names of port lists and targets are unique at gvmd, those of tasks are not. So a task is begun only after a look at all of that name, and
//! always the same one of several; what a lost answer left behind beside it is never begun, and deleted with it in the end.

use std::fmt;
use std::sync::Arc;

use osel_core::scan::{HostResult, RemoteState, TEXT_CHARS_MAX, Trouble, cut};

use super::super::build::ConfigNow;
use super::super::scanner::{Asked, Launched, ScanOrder, Scanner, Seen};
use super::answer::{self, Named, Task};
use super::error::GmpError;
use super::hosts::Shown;
use super::report::Report;
use super::request::{self, Request};
use super::session::Session;
use crate::config::{GmpConfig, ScannerKind};

/// The ids that these have at every gvmd, whatever somebody called them.
const KNOWN: [(&str, &str); 2] = [
    ("Full and fast", "daba56c8-73ec-11df-a475-002264764cea"),
    ("OpenVAS Default", "08b69003-5fc2-4037-a479-93b440211c73"),
];
/// The scan configuration that looks for hosts and at no port.
const HOST_DISCOVERY: &str = "2d3f051c-55ba-11e3-bf43-406186ea4fc5";
/// The comment of a task that was broken off and resumed: once is enough.
const RESUMED: &str = "resumed by osel";

/// Greenbone as a scanner.
pub struct Gmp {
    now: ConfigNow,
}

impl fmt::Debug for Gmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gmp").finish_non_exhaustive()
    }
}

impl Gmp {
    /// One that is reached as `now` says.
    pub fn new(now: ConfigNow) -> Self {
        Self { now }
    }

    async fn open(&self) -> Result<(Box<GmpConfig>, Session), GmpError> {
        let now = Arc::clone(&self.now);
        // It reads files.
        let config = tokio::task::spawn_blocking(move || now().kind).await;
        let Ok(ScannerKind::Gmp(config)) = config else {
            return Err(GmpError::Unfit("the scanner of that name is not of the type `gmp` any more"));
        };
        let session = Session::open(&config).await?;
        Ok((config, session))
    }

    async fn find_begun(&self, order: &ScanOrder) -> Result<Option<Launched>, GmpError> {
        let (_, mut session) = self.open().await?;
        let tasks = tasks_of(&mut session, &order.title).await?;
        Ok(tasks.into_iter().find(Task::is_begun).map(launched))
    }

    async fn launch_or_complete(&self, order: &ScanOrder) -> Result<Launched, GmpError> {
        let (config, mut session) = self.open().await?;
        let mut tasks = tasks_of(&mut session, &order.title).await?;
        if tasks.is_empty() {
            create(&mut session, &config, order).await?;
            // Not only the one that was made now: an earlier request for it may have been carried out meanwhile.
            tasks = tasks_of(&mut session, &order.title).await?;
        }
        let Some(task) = tasks.into_iter().next() else {
            return Err(GmpError::Odd {
                command: "get_tasks",
                what: "lacks the task that was just made".to_owned(),
            });
        };
        if !task.is_begun() {
            begin(&mut session, &task.id).await?;
        }
        Ok(launched(task))
    }

    async fn ask_status(&self, reference: &str) -> Result<RemoteState, GmpError> {
        let (_, mut session) = self.open().await?;
        let task = task(&mut session, reference).await?;
        Ok(match task.status.as_str() {
            "New" => {
                // Its beginning got lost after it was told of.
                begin(&mut session, reference).await?;
                RemoteState::Waiting
            }
            "Requested" | "Queued" => RemoteState::Waiting,
            // One that is being stopped still writes its report.
            "Running" | "Processing" | "Stop Requested" | "Stop Waiting" => RemoteState::Running,
            "Done" => RemoteState::Finished,
            "Stopped" => RemoteState::Cancelled,
            "Interrupted" if task.comment != RESUMED => resume(&mut session, reference).await?,
            "Interrupted" => {
                RemoteState::Partial("it was broken off twice, as by restarts of gvmd".to_owned())
            }
            "Delete Requested"
            | "Delete Waiting"
            | "Ultimate Delete Requested"
            | "Ultimate Delete Waiting" => RemoteState::Failed("somebody has it deleted at gvmd".to_owned()),
            // A word that nobody knows is one of a scan under way: it will have another one day.
            _ => RemoteState::Running,
        })
    }

    async fn fetch_report(&self, order: &ScanOrder, reference: &str) -> Result<Seen, GmpError> {
        let (config, mut session) = self.open().await?;
        let task = task(&mut session, reference).await?;
        let id = match task.report {
            Some(id) => Some(id),
            None => session.ask(&Request::reports_of(reference), answer::report).await?,
        };
        let empty = Report::new(order.addresses());
        let report = match id {
            Some(id) => {
                let asked = Request::report(&id, config.min_qod);
                session.ask_for_report(&asked, |xml, root| empty.read(xml, root)).await?
            }
            // It was stopped before it began.
            None => empty,
        };
        Ok(Seen { scanner: format!("Greenbone (GMP {})", session.version), hosts: told(order, report) })
    }

    async fn stop(&self, reference: &str) -> Result<(), GmpError> {
        let (_, mut session) = self.open().await?;
        tolerant(session.order(&Request::stop(reference)).await)
    }

    async fn delete_all(&self, order: &ScanOrder, reference: &str) -> Result<(), GmpError> {
        let (config, mut session) = self.open().await?;
        if config.keep {
            return Ok(());
        }
        let title = &order.title;
        let tasks = tasks_of(&mut session, title).await?;
        let others = tasks.iter().map(|task| task.id.as_str()).filter(|id| *id != reference);
        for id in others.chain([reference].into_iter().filter(|id| !id.is_empty())) {
            tolerant(session.order(&Request::delete_task(id)).await)?;
        }
        for target in named(&mut session, "get_targets", "target", title).await? {
            tolerant(session.order(&Request::delete_target(&target.id)).await)?;
        }
        for list in named(&mut session, "get_port_lists", "port_list", title).await? {
            tolerant(session.order(&Request::delete_port_list(&list.id)).await)?;
        }
        Ok(())
    }
}

/// The trouble of a call that may be made as often as one likes: what may have been done is simply asked for again.
fn again(error: GmpError) -> Trouble {
    match Trouble::from(error) {
        Trouble::Uncertain(why) => Trouble::Unavailable(why),
        trouble => trouble,
    }
}

/// The same of a call that ends or deletes something. Whoever may not do that may do all the rest, so that it is no reason to leave gvmd
/// alone.
fn last(error: GmpError) -> Trouble {
    let may_not = error.forbids();
    match again(error) {
        Trouble::Denied(why) if may_not => Trouble::Refused { why, addresses: Vec::new() },
        trouble => trouble,
    }
}

/// What is gone is no trouble to whoever wants it gone.
fn tolerant(result: Result<(), GmpError>) -> Result<(), GmpError> {
    result.or_else(|error| if error.is_missing() { Ok(()) } else { Err(error) })
}

fn launched(task: Task) -> Launched {
    Launched { reference: task.id, left_out: Vec::new() }
}

/// One result for each address of the order.
fn told(order: &ScanOrder, mut report: Report) -> Vec<HostResult> {
    let targets = order.command.targets.iter();
    let shown = targets.map(|target| {
        let shown: Shown = report.hosts.remove(&target.address.to_canonical()).unwrap_or_default();
        shown.told(target)
    });
    shown.collect()
}

/// The tasks of a title: one that was begun before the others, and then always in the same order.
async fn tasks_of(session: &mut Session, title: &str) -> Result<Vec<Task>, GmpError> {
    let mut tasks = session.ask(&Request::tasks(title), answer::tasks).await?;
    tasks.retain(|task| task.name == *title);
    tasks.sort_by(|a, b| (b.is_begun(), &a.id).cmp(&(a.is_begun(), &b.id)));
    Ok(tasks)
}

async fn task(session: &mut Session, id: &str) -> Result<Task, GmpError> {
    let command = "get_tasks";
    let tasks = session.ask(&Request::task(id), answer::tasks).await?;
    let missing =
        || GmpError::Status { command, status: 404, text: "the task is not in the answer".to_owned() };
    tasks.into_iter().find(|task| task.id == id).ok_or_else(missing)
}

async fn named(
    session: &mut Session,
    command: &'static str,
    element: &'static str,
    name: &str,
) -> Result<Vec<Named>, GmpError> {
    session.ask(&Request::named(command, name), answer::named(element, name.to_owned())).await
}

/// Makes port list, target and task, each unless it is there.
async fn create(session: &mut Session, config: &GmpConfig, order: &ScanOrder) -> Result<(), GmpError> {
    let ranges = request::ranges(&order.command.targets);
    if ranges.is_empty() {
        return Err(GmpError::Unfit("there is no port to scan"));
    }
    let hosts: Vec<String> = order.addresses().map(|address| address.to_canonical().to_string()).collect();
    let scan_config =
        resolved(session, "get_configs", "config", "scan configuration", &config.scan_config).await?;
    if scan_config == HOST_DISCOVERY {
        return Err(GmpError::Unfit("the scan configuration `Host Discovery` looks at no port"));
    }
    let engine = resolved(session, "get_scanners", "scanner", "scanner", &config.engine).await?;
    let title = &order.title;
    let list = Request::create_port_list(title, &ranges);
    let list = made(session, &list, ("get_port_lists", "port_list"), title).await?;
    let target = Request::create_target(title, &hosts.join(","), &list);
    let target = made(session, &target, ("get_targets", "target"), title).await?;
    session.order(&Request::create_task(title, &target, &scan_config, &engine, config)).await
}

/// Makes a thing whose name is unique; the id of it, or of the one that an earlier call made.
async fn made(
    session: &mut Session,
    request: &Request,
    (command, element): (&'static str, &'static str),
    title: &str,
) -> Result<String, GmpError> {
    match session.ask(request, |_, root| Ok(answer::id(root))).await {
        Ok(id) => Ok(id),
        Err(error) if error.refuses("exists already") => {
            let there = named(session, command, element, title).await?;
            // One in the trash, or of another user, has the name and is not shown.
            there.into_iter().next().map(|there| there.id).ok_or(error)
        }
        Err(error) => Err(error),
    }
}

/// The id of something that the configuration names.
async fn resolved(
    session: &mut Session,
    command: &'static str,
    element: &'static str,
    what: &'static str,
    name: &str,
) -> Result<String, GmpError> {
    if is_id(name) {
        return Ok(name.to_owned());
    }
    let found = named(session, command, element, name).await?;
    let known = || KNOWN.into_iter().find(|(known, _)| *known == name).map(|(_, id)| id.to_owned());
    let id = found.into_iter().next().map(|found| found.id).or_else(known);
    id.ok_or_else(|| GmpError::Unknown { what, name: name.to_owned() })
}

/// Whether a text is an id as gvmd makes them.
fn is_id(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
}

/// Begins a task; one that was begun already is left as it is.
async fn begin(session: &mut Session, id: &str) -> Result<(), GmpError> {
    match session.order(&Request::start(id)).await {
        Err(error) if error.refuses("active already") => Ok(()),
        begun => begun,
    }
}

/// Goes on with a task that was broken off, once.
async fn resume(session: &mut Session, id: &str) -> Result<RemoteState, GmpError> {
    match session.order(&Request::resume(id)).await {
        Ok(()) => {}
        // It cannot be resumed, such as one of a scanner that knows no such thing.
        Err(GmpError::Status { status: 400, text, .. }) => {
            let text = cut(&text, TEXT_CHARS_MAX);
            return Ok(RemoteState::Partial(format!("it was broken off and cannot be resumed: {text}")));
        }
        Err(error) => return Err(error),
    }
    // Where this fails it may be resumed once more one day, which does no harm.
    tolerant(session.order(&Request::comment(id, RESUMED)).await)?;
    Ok(RemoteState::Running)
}

impl Scanner for Gmp {
    fn is_remote(&self) -> bool {
        true
    }

    fn find<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Option<Launched>> {
        Box::pin(async { self.find_begun(order).await.map_err(Trouble::from) })
    }

    fn launch<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Launched> {
        Box::pin(async { self.launch_or_complete(order).await.map_err(Trouble::from) })
    }

    fn status<'a>(&'a self, _: &'a ScanOrder, reference: &'a str) -> Asked<'a, RemoteState> {
        Box::pin(async { self.ask_status(reference).await.map_err(again) })
    }

    fn fetch<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, Seen> {
        Box::pin(async { self.fetch_report(order, reference).await.map_err(again) })
    }

    fn cancel<'a>(&'a self, _: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        Box::pin(async { self.stop(reference).await.map_err(last) })
    }

    fn forget<'a>(&'a self, order: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        Box::pin(async { self.delete_all(order, reference).await.map_err(last) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_id("daba56c8-73ec-11df-a475-002264764cea"));
        for name in ["Full and fast", "daba56c8", "daba56c8-73ec-11df-a475-00226476zcea", ""] {
            assert!(!is_id(name), "{name}");
        }
    }
}
