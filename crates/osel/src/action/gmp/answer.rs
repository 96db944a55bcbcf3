//! Small answers: versions, names, tasks.

use osel_core::scan::cut;

use super::super::xml::{Element, XmlError};
use super::session::Answer;

/// The longest text that is kept of a status, a name or a state, in characters.
const TEXT_CHARS_MAX: usize = 200;
/// The most things of one name that are kept: gvmd has one, or two where a request was made twice.
const THINGS_MAX: usize = 16;

/// Something with an id and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) comment: String,
    /// Where it stands, in gvmd's words.
    pub(super) status: String,
    /// Its last report, of a scan that is over or not.
    pub(super) report: Option<String>,
}

impl Task {
    /// Whether it was ever begun.
    pub(super) fn is_begun(&self) -> bool {
        self.status != "New"
    }
}

/// What gvmd says of a status, as long as it comes: it is cut when it is told, since half a secret would not be found in it.
pub(super) fn status_text(root: &Element) -> String {
    root.get("status_text").unwrap_or_default().to_owned()
}

/// The id of what was made; empty where none is told.
pub(super) fn id(root: &Element) -> String {
    cut(root.get("id").unwrap_or_default(), TEXT_CHARS_MAX)
}

pub(super) fn version(xml: &mut Answer<'_>, root: &Element) -> Result<String, XmlError> {
    while let Some(child) = xml.child(root)? {
        if child.name() == "version" {
            return Ok(cut(&xml.text(&child)?, TEXT_CHARS_MAX));
        }
    }
    Ok(String::new())
}

/// The things of that name: elements called `element`.
pub(super) fn named(
    element: &'static str,
    wanted: String,
) -> impl FnOnce(&mut Answer<'_>, &Element) -> Result<Vec<Named>, XmlError> + Send + 'static {
    move |xml, root| {
        let mut found = Vec::new();
        while let Some(thing) = xml.child(root)? {
            let Some(id) = thing.get("id").filter(|_| thing.name() == element).map(str::to_owned) else {
                continue;
            };
            while let Some(child) = xml.child(&thing)? {
                if child.name() == "name" {
                    let name = xml.text(&child)?;
                    if name == wanted && found.len() < THINGS_MAX {
                        found.push(Named { id: cut(&id, TEXT_CHARS_MAX), name });
                    }
                    break;
                }
            }
        }
        Ok(found)
    }
}

/// All tasks that are told of.
pub(super) fn tasks(xml: &mut Answer<'_>, root: &Element) -> Result<Vec<Task>, XmlError> {
    let mut tasks = Vec::new();
    while let Some(element) = xml.child(root)? {
        if element.name() != "task" || tasks.len() == THINGS_MAX {
            continue;
        }
        let mut task = Task { id: id(&element), ..Task::default() };
        let (mut last, mut current) = (None, None);
        while let Some(child) = xml.child(&element)? {
            match child.name() {
                "name" => task.name = xml.text(&child)?,
                "comment" => task.comment = cut(&xml.text(&child)?, TEXT_CHARS_MAX),
                "status" => task.status = cut(&xml.text(&child)?, TEXT_CHARS_MAX),
                "last_report" => last = report(xml, &child)?,
                "current_report" => current = report(xml, &child)?,
                _ => {}
            }
        }
        // One that was stopped or broken off has its report as the current one.
        task.report = current.or(last);
        tasks.push(task);
    }
    Ok(tasks)
}

/// The id of the first report within an element.
pub(super) fn report(xml: &mut Answer<'_>, parent: &Element) -> Result<Option<String>, XmlError> {
    while let Some(child) = xml.child(parent)? {
        if child.name() == "report" {
            return Ok(child.get("id").filter(|id| !id.is_empty()).map(|id| cut(id, TEXT_CHARS_MAX)));
        }
    }
    Ok(None)
}
