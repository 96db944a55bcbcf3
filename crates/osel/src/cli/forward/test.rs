//! `osel forward test`: whether a receiver takes what is sent to it, asked with a record that is none.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use osel_core::engine::record::{Record, RecordBody, sentence};
use osel_core::event::{Actor, Outcome};
use osel_core::exposure::Judged;
use osel_core::format::{Format, Severity, Subject, render};
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};
use osel_core::names::Directory;
use osel_core::notice::Notice;
use osel_core::time::Timestamp;
use osel_core::trail::{Hash, Header, RecordKind};

use super::unknown;
use crate::cli::actor::user_name;
use crate::cli::config::ConfigArg;
use crate::cli::open::now;
use crate::cli::output::note;
use crate::config::{ForwardConfig, ReceiverConfig};
use crate::forward::build;
use crate::forward::receiver::{Batch, Item, Receiver};

/// How long it is waited for that the receiver says that the test has arrived.
const ARRIVAL_TIME: Duration = Duration::from_secs(15);
/// How often it is asked meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How long each call may take.
const CALL_TIME: Duration = Duration::from_secs(30);

/// Sends one test to the receiver of a forwarder, in its format, and says what was answered.
///
/// What is sent is no record: its number is 0, its id begins with `test-`, and its event type is osel.forward.test. The forwarder's place and
/// account do not change. A file is only looked at, since a test would stand among the records. Exit code 0 when it was taken, 1 when the
/// receiver refuses it, 2 when the configuration is wrong, 3 when nobody answers.
#[derive(Debug, Args)]
pub struct TestArgs {
    #[command(flatten)]
    config: ConfigArg,
    /// The forwarder, by its name in the configuration.
    name: String,
}

pub(super) fn run(args: &TestArgs) -> anyhow::Result<ExitCode> {
    let config = match args.config.load() {
        Ok(config) => config,
        Err(code) => return Ok(code),
    };
    let Some(forward) = config.forwards.iter().find(|forward| forward.name == args.name) else {
        let known: Vec<&str> = config.forwards.iter().map(|forward| forward.name.as_str()).collect();
        return Err(unknown(&args.name, &known));
    };
    if let ReceiverConfig::File(file) = &forward.receiver {
        return Ok(look_at(&file.path));
    }
    let started_with = forward.clone();
    let mut receiver = build(forward, Arc::new(move || started_with.clone()));
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = tokio.block_on(try_out(&mut *receiver, forward));
    Ok(match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            note(format_args!("not taken: {}", refusal.words));
            match refusal.kind {
                RefusalKind::Unavailable | RefusalKind::Silent => ExitCode::from(3),
                RefusalKind::Failed
                | RefusalKind::Denied
                | RefusalKind::Garbled
                | RefusalKind::Item(_)
                | RefusalKind::TooLarge => ExitCode::from(1),
            }
        }
    })
}

async fn try_out(receiver: &mut dyn Receiver, forward: &ForwardConfig) -> Result<(), Refusal> {
    note(format_args!("forwarder {} sends to {}", forward.name, receiver.target()));
    if let Some(words) = within(receiver.check()).await? {
        note(format_args!("it says: {words}"));
    }
    let batch = Batch { number: BatchNumber(1), items: vec![item(forward)] };
    match within(receiver.send(&batch)).await? {
        Taken::Kept => note("the test was taken"),
        Taken::Awaited => {
            let until = Instant::now() + ARRIVAL_TIME;
            let mut has_arrived = false;
            while !has_arrived && Instant::now() < until {
                has_arrived = !within(receiver.confirm()).await?.is_empty();
                if !has_arrived {
                    tokio::time::sleep(ASK_EVERY).await;
                }
            }
            if !has_arrived {
                has_arrived = !within(receiver.close()).await?.is_empty();
            }
            match has_arrived {
                true => note("the test was taken and has arrived"),
                false => note("the test was taken; whether it has arrived was not said in time"),
            }
            return Ok(());
        }
    }
    within(receiver.close()).await.map(drop)
}

/// What comes of a call, which may take so long.
async fn within<T>(call: crate::forward::receiver::Handed<'_, T>) -> Result<T, Refusal> {
    tokio::time::timeout(CALL_TIME, call).await.unwrap_or_else(|_| {
        Err(Refusal {
            kind: RefusalKind::Silent,
            words: format!("no answer within {} s", CALL_TIME.as_secs()),
            taken: 0,
            wait: None,
        })
    })
}

/// Whether a file can be written, without writing to it.
fn look_at(path: &std::path::Path) -> ExitCode {
    let shown = path.display();
    let is_there = path.symlink_metadata().is_ok();
    let looked_at = if is_there { Some(path) } else { path.parent() };
    let access = looked_at.map(|path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK));
    match access {
        Some(Ok(())) => {
            note(format_args!(
                "`{shown}` can be written; no test is written to a file, where it would stand among the records"
            ));
            ExitCode::SUCCESS
        }
        Some(Err(error)) => {
            note(format_args!("`{shown}` cannot be written: {}", std::io::Error::from(error)));
            ExitCode::from(3)
        }
        None => {
            note(format_args!("`{shown}` is no file"));
            ExitCode::from(1)
        }
    }
}

/// The test in the forwarder's format; as a sentence, or with all keys, where that format has no line for it.
fn item(forward: &ForwardConfig) -> Item {
    let now = now();
    let actor = user_name();
    let text = format!("this is a test of forwarder {} by {actor}, and no record", forward.name);
    let body = body(now, &actor, text);
    let parts = body.parts();
    // Nothing of it belongs to a project.
    let parts = parts.iter().map(|part| (part.class, None, Some(part.bytes.as_slice())));
    let header = Header {
        seq: 0,
        previous: Hash::ZERO,
        time: now,
        recorded_at: now,
        as_of: now,
        kind: RecordKind::System,
    };
    let record = Record::read(header, Hash::ZERO, parts);
    if forward.receiver.notices().is_some() {
        let notice = Notice::of_test(now, &sentence(&record));
        let line =
            serde_json::to_vec(&notice).expect("a notice has texts and numbers only, and memory takes it");
        return Item { line, ..test_item(now, &body) };
    }
    let lines = |format: Format| {
        let subject = Subject {
            record: &record,
            message: None,
            scans: &Default::default(),
            names: &Directory::default(),
            store: "test",
        };
        let mut lines = Vec::new();
        render(format, &subject, &mut lines);
        lines.into_iter().next()
    };
    let otherwise = if forward.format.is_json() { Format::Native } else { Format::Sentence };
    let line = lines(forward.format).or_else(|| lines(otherwise)).unwrap_or_default();
    Item { line, ..test_item(now, &body) }
}

/// The test without its line.
fn test_item(now: Timestamp, body: &RecordBody) -> Item {
    Item {
        seq: 0,
        id: format!("test-{}", now.micros()),
        time: now,
        recorded_at: now,
        kind: RecordKind::System,
        severity: Severity::Informational,
        event_type: body.event_type.as_deref().map(str::to_owned),
        line: Vec::new(),
    }
}

fn body(now: Timestamp, actor: &str, text: String) -> RecordBody {
    RecordBody {
        kind: RecordKind::System,
        time: now,
        recorded_at: now,
        source: None,
        region: None,
        message_id: None,
        request_id: None,
        event_type: Some("osel.forward.test".into()),
        outcome: Outcome::Success,
        actor: Actor { user_name: Some(actor.into()), ..Actor::default() },
        target: None,
        cause: None,
        conflicting: false,
        exposure: Judged::default(),
        wide: Vec::new(),
        detail: [("text".into(), text)].into(),
        personal: Default::default(),
    }
}
