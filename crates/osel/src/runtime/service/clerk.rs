//! Between the socket and the loop: reads from the store what an order is about, so that the loop need not.
//!
//! Messages in quarantine are read here, a bounded part of them at a time, and one order after the other: what is read is as the order
//! before has left it, so that none is replayed twice.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{Mutex, oneshot};
use tokio::task::spawn_blocking;

use super::super::control::import::ImportStep;
use super::super::control::server::Handler;
use super::super::control::{Answer, Ask, REPLAY_IDS_MAX};
use super::super::quarantine::{FindError, Found, Replayed, find};
use super::ServiceHandle;
use crate::store::{Entry, JournalError, QuarantineItem, Reader};
use crate::telemetry::chain;

/// The most bytes of messages that are read before the loop replays them, beyond the last of them.
const HELD_BYTES_MAX: usize = 8 << 20;

/// Opens the store for reading.
pub type ReaderAccess = Arc<dyn Fn() -> Result<Box<dyn Reader>, JournalError> + Send + Sync>;

/// Hands orders to the loop.
pub struct Clerk {
    handle: ServiceHandle,
    tokio: Handle,
    reader: ReaderAccess,
    replaying: Arc<Mutex<()>>,
    /// Whether it is written down that somebody read the trail.
    records_reads: bool,
}

impl Clerk {
    /// One for this service, with its store.
    pub fn new(handle: ServiceHandle, tokio: Handle, reader: ReaderAccess, records_reads: bool) -> Self {
        Self { handle, tokio, reader, replaying: Arc::default(), records_reads }
    }
}

impl Handler for Clerk {
    fn order(&self, actor: String, order: Ask) -> oneshot::Receiver<Answer> {
        let ids = match order {
            Ask::ReplayQuarantined { ids } => ids,
            Ask::TrailRead { .. } if !self.records_reads => return answered(Answer::Done(None)),
            order => {
                return match order.into_order(actor) {
                    Some(order) => self.handle.order(order),
                    None => refused("this is no order of one line"),
                };
            }
        };
        if ids.len() > REPLAY_IDS_MAX {
            return refused(&format!("at most {REPLAY_IDS_MAX} messages are replayed by one order"));
        }
        let (reply, answer) = oneshot::channel();
        let (handle, reader, replaying) =
            (self.handle.clone(), Arc::clone(&self.reader), Arc::clone(&self.replaying));
        // To its end also when the one who asked goes away: the next one must not begin before.
        self.tokio.spawn(async move {
            let _turn = replaying.lock().await;
            let _ = reply.send(replay(&handle, &reader, &actor, ids).await);
        });
        answer
    }

    fn import(&self, step: ImportStep) -> oneshot::Receiver<Answer> {
        self.handle.import(step)
    }
}

fn refused(why: &str) -> oneshot::Receiver<Answer> {
    answered(Answer::Refused(why.to_owned()))
}

fn answered(answer: Answer) -> oneshot::Receiver<Answer> {
    let (reply, receiver) = oneshot::channel();
    let _ = reply.send(answer);
    receiver
}

/// Replays messages, part by part; an answer once all of it is durable, or of the first part that was not taken.
async fn replay(handle: &ServiceHandle, access: &ReaderAccess, actor: &str, mut ids: Vec<u64>) -> Answer {
    ids.sort_unstable();
    ids.dedup();
    let mut done: Vec<Replayed> = Vec::new();
    while !ids.is_empty() {
        let access = Arc::clone(access);
        let read = spawn_blocking(move || Part::read(&access, &ids)).await;
        let part = match read {
            Ok(Ok(part)) => part,
            Ok(Err(error)) => return Answer::Refused(after(&done, &chain(&error))),
            Err(_) => return Answer::Refused("osel is stopping".to_owned()),
        };
        ids = part.left;
        done.extend(part.not);
        match handle.replay(actor.to_owned(), part.held).await {
            Ok(Answer::Replayed(replayed)) => done.extend(replayed),
            Ok(Answer::Refused(why)) => return Answer::Refused(after(&done, &why)),
            Ok(other) => return other,
            Err(_) => {
                return Answer::Refused(
                    "osel has ended before it was known whether it is durable: the trail says".to_owned(),
                );
            }
        }
    }
    done.sort_unstable_by_key(|replayed| replayed.id);
    Answer::Replayed(done)
}

/// A refusal, with how far it had come.
fn after(done: &[Replayed], why: &str) -> String {
    match done.len() {
        0 => why.to_owned(),
        count => format!("{why} (after {count} messages)"),
    }
}

/// What was read of the messages that are meant.
struct Part {
    held: Vec<(QuarantineItem, Entry)>,
    not: Vec<Replayed>,
    left: Vec<u64>,
}

impl Part {
    fn read(access: &ReaderAccess, ids: &[u64]) -> Result<Self, FindError> {
        let mut reader = access()?;
        let mut this = Self { held: Vec::new(), not: Vec::new(), left: Vec::new() };
        let mut bytes = 0;
        for (index, &id) in ids.iter().enumerate() {
            if bytes >= HELD_BYTES_MAX {
                this.left = ids.get(index..).unwrap_or_default().to_vec();
                break;
            }
            match find(&mut *reader, id)? {
                Found::Held(held) => {
                    bytes += held.1.body.len();
                    this.held.push(*held);
                }
                Found::Not(not) => this.not.push(not),
            }
        }
        Ok(this)
    }
}
