//! What a forwarder needs before it begins: its receiver, and the dead letters that there are. Until both can be had it listens to the loop.

use osel_core::time::Timestamp;
use tokio::task::spawn_blocking;
use tokio::time::{Duration, timeout};

use super::carrier::Way;
use super::defect::{Defect, last_words};
use super::letters::Letters;
use super::log;
use super::reading::Work;
use super::report::{ForwarderStatus, Report};
use super::settings::{ForwarderSettings, Steer};
use crate::forward::receiver::Receiver;
use crate::store::ForwarderRow;
use crate::telemetry::chain;

/// How long it waits when it cannot begin: a store that is away comes back.
const RETRY_WAIT: Duration = Duration::from_secs(60);

/// All of it.
pub(super) struct Ready {
    pub(super) receiver: Box<dyn Receiver>,
    pub(super) work: Work,
    pub(super) letters: Letters,
    pub(super) row: ForwarderRow,
    pub(super) status: ForwarderStatus,
}

/// Waits for all of it; none when the loop wants an end, or is gone.
pub(super) async fn prepare(
    settings: &ForwarderSettings,
    mut row: ForwarderRow,
    mut status: ForwarderStatus,
    way: &mut Way,
) -> Option<Ready> {
    loop {
        let words = match attempt(settings, way).await {
            Ok((mut receiver, work, letters)) => {
                receiver.resume(row.mark.as_deref());
                return Some(Ready { receiver, work, letters, row, status });
            }
            Err(words) => words,
        };
        let forwarder = settings.config.name.as_str();
        if status.trouble.as_ref().is_none_or(|(_, before)| *before != words) {
            tracing::error!(forwarder, detail = log::cut(&words), "the forwarder cannot begin: trying again");
        }
        let now = (way.clock)();
        let since = status.trouble.take().map_or(now, |(since, _)| since);
        status.trouble = Some((since, words));
        row.trouble.clone_from(&status.trouble);
        row.updated_at = now;
        tell(way, &row, &status, None);
        if !listen(&mut row, now, way).await {
            tell(way, &row, &status, Some(Ok(())));
            return None;
        }
    }
}

async fn attempt(
    settings: &ForwarderSettings,
    way: &Way,
) -> Result<(Box<dyn Receiver>, Work, Letters), String> {
    let (maker, config) = (settings.receiver.clone(), settings.config.clone());
    let notices = config.receiver.notices().map(|notices| notices.settings(&config.filter));
    let pseudonyms = settings.pseudonyms.clone();
    let work =
        Work::new(way.access.clone(), way.store.clone(), config.format, config.filter, settings.awaits_scans);
    let mut work = work.telling(notices);
    // Files are read, which may lie on a disk that does not answer.
    let made = spawn_blocking(move || {
        // Without its key nothing is sent: a name that is told once is told.
        if let Some(source) = pseudonyms {
            work.tell_by_pseudonyms(source().map_err(|error| chain(&error))?);
        }
        let receiver = maker();
        let letters = work.reader().and_then(|reader| Letters::read(reader, &config.name));
        Ok((receiver, work, letters.map_err(|error| chain(&error))?))
    });
    made.await.unwrap_or_else(|error| Err(Defect::Driver(last_words(error)).to_string()))
}

/// Listens to the loop for a while; whether to go on.
async fn listen(row: &mut ForwarderRow, now: Timestamp, way: &mut Way) -> bool {
    loop {
        match timeout(RETRY_WAIT, way.steers.recv()).await {
            Err(_) | Ok(Some(Steer::Renewed)) => return true,
            Ok(Some(Steer::Stop) | None) => return false,
            Ok(Some(Steer::Rewind { seq, generation })) => {
                way.generation = generation;
                *row = ForwarderRow {
                    name: std::mem::take(&mut row.name),
                    begin: seq,
                    place: seq,
                    trouble: row.trouble.take(),
                    updated_at: now,
                    ..ForwarderRow::default()
                };
            }
            // The store has been told, and is read before anything is sent.
            Ok(Some(Steer::Resend(_) | Steer::Discard(_))) => {}
        }
    }
}

fn tell(way: &Way, row: &ForwarderRow, status: &ForwarderStatus, ended: Option<Result<(), String>>) {
    (way.tell)(Report {
        generation: way.generation,
        row: Some(row.clone()),
        letters: Vec::new(),
        status: Some(ForwarderStatus { row: row.clone(), ..status.clone() }),
        ended,
    });
}
