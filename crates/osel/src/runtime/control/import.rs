//! An inventory over the socket: part by part, each of them taken before the next is said.
//!
//! The client has the file and has looked at the whole of it; it is never named by a path, which the daemon would open with its own rights.
//! Here each part is read and handed to the loop, so that no more than one is ever in memory. Whoever goes away in the middle, or says
//! something that is not understood, has the read broken off: what was shown counts, and nothing is taken for gone.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use osel_core::decode::ItemPage;
use osel_core::event::{Assignment, Kind};
use osel_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::timeout;

use super::server::{Handler, answered, refused, say};
use super::{Answer, line};

/// The longest object of an inventory that goes over the socket: a security group of some ten thousand rules.
pub const OBJECT_BYTES_MAX: usize = 16 << 20;
/// The longest part: one such object and the words around it.
const PART_BYTES_MAX: usize = OBJECT_BYTES_MAX + (1 << 10);
/// The most objects in a part: a step of a few milliseconds for the loop.
pub const PART_OBJECTS_MAX: usize = 1000;
/// How long a client may take for a part: it reads on in a file that may be packed and far away.
const PART_TIME: Duration = Duration::from_secs(30);
/// How long the loop may take for a part, while the store is behind.
const STEP_TIME: Duration = Duration::from_secs(60);
/// How long it may take for the end: it looks for what was not shown in all of the model, a step between the things that happen.
const END_TIME: Duration = Duration::from_secs(600);
/// How long a client waits for the answer to a part or the end: longer than a daemon lets itself take.
pub const CLIENT_TIME: Duration = Duration::from_secs(660);
/// The longest name of a file that is recorded, which is what file systems take.
const NAME_BYTES_MAX: usize = 255;

/// What is said of an inventory before it comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The name of its file, for the record.
    pub name: String,
    /// The region that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// When it was taken, where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
}

/// A line of the client after the first; `T` is the text of an object.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Part<T> {
    /// Objects, each with its collection.
    Page(Vec<(String, T)>),
    /// The end: the collections that were shown in full.
    End(Vec<String>),
}

/// What the loop is told of an inventory.
#[derive(Debug)]
pub enum ImportStep {
    /// One begins, handed in by that user.
    Begin {
        /// Who hands it in.
        actor: String,
        /// What is said of it.
        begin: Begin,
    },
    /// Objects of it.
    Page(ItemPage),
    /// It was shown to its end.
    End {
        /// The kinds that were shown as a whole.
        complete: Vec<Kind>,
        /// Whether all role assignments were shown.
        has_all_assignments: bool,
    },
    /// It will not come to its end.
    BrokenOff,
}

/// An inventory that has begun; broken off when this goes before it is at its end. Only then may the next one begin.
struct Import {
    handler: Arc<dyn Handler>,
    is_open: bool,
    _place: OwnedSemaphorePermit,
}

impl Import {
    async fn step(&self, step: ImportStep, time: Duration) -> Answer {
        answered(self.handler.import(step), time).await
    }
}

impl Drop for Import {
    fn drop(&mut self) {
        if self.is_open {
            // Nobody waits for what becomes of it.
            drop::<oneshot::Receiver<Answer>>(self.handler.import(ImportStep::BrokenOff));
        }
    }
}

/// Takes an inventory from a client; what is said in the end, nothing to one that went away.
pub(super) async fn take(
    stream: &UnixStream,
    begin: Begin,
    actor: String,
    handler: Arc<dyn Handler>,
    place: OwnedSemaphorePermit,
) -> Option<Answer> {
    if begin.name.len() > NAME_BYTES_MAX {
        return refused("the name of the inventory is longer than 255 bytes");
    }
    let mut import = Import { handler, is_open: true, _place: place };
    let mut answer = import.step(ImportStep::Begin { actor, begin }, STEP_TIME).await;
    while answer == Answer::GoOn {
        say(stream, &answer).await?;
        let line = match timeout(PART_TIME, line::read(stream, PART_BYTES_MAX)).await {
            Ok(Ok(line)) => line?,
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                return refused("a part of an inventory is one line of at most 16 MiB");
            }
            Ok(Err(_)) => return None,
            Err(_) => return refused("the next part of the inventory took too long"),
        };
        // Reading it takes milliseconds of work, which is not for the threads that wait.
        let step = match tokio::task::spawn_blocking(move || step(&line)).await.ok()? {
            Ok(step) => step,
            Err(why) => return Some(Answer::Refused(why)),
        };
        let is_end = matches!(step, ImportStep::End { .. });
        answer = import.step(step, if is_end { END_TIME } else { STEP_TIME }).await;
        import.is_open &= !is_end;
    }
    Some(answer)
}

/// What a line says.
fn step(line: &[u8]) -> Result<ImportStep, String> {
    let part: Part<Box<RawValue>> =
        serde_json::from_slice(line).map_err(|error| format!("not understood: {error}"))?;
    match part {
        Part::Page(objects) if objects.len() > PART_OBJECTS_MAX => {
            Err(format!("a part of an inventory has at most {PART_OBJECTS_MAX} objects"))
        }
        Part::Page(objects) => {
            let mut page = ItemPage::default();
            for (index, (collection, json)) in objects.iter().enumerate() {
                match page.push(collection, json.get()) {
                    Some(Ok(())) => {}
                    Some(Err(defect)) => {
                        return Err(format!(
                            "object {index} of the part, of `{collection}`, cannot be read: {defect}"
                        ));
                    }
                    None => {
                        return Err(format!("object {index} of the part is of no collection that is known"));
                    }
                }
            }
            Ok(ImportStep::Page(page))
        }
        Part::End(mut collections) => {
            let has_all_assignments =
                collections.extract_if(.., |name| name == Assignment::PLURAL).next().is_some();
            let kind = |name: &String| Kind::ALL.into_iter().find(|kind| kind.plural() == name);
            let kinds = collections.iter().map(kind).collect::<Option<Vec<_>>>();
            let complete = kinds.ok_or("the end of the inventory names what is no collection")?;
            Ok(ImportStep::End { complete, has_all_assignments })
        }
    }
}
