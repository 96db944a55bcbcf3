//! `osel forward test`: whether a receiver takes what is sent to it, asked with a record that is none.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use osel_core::forward::{BatchNumber, Refusal, RefusalKind, Taken};

use super::sample::test;
use super::unknown;
use crate::cli::config::ConfigArg;
use crate::cli::output::note;
use crate::config::{ForwardConfig, ReceiverConfig, SyslogTransport};
use crate::forward::build;
use crate::forward::receiver::{Batch, Receiver};

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
                | RefusalKind::Misplaced
                | RefusalKind::Unfit
                | RefusalKind::Garbled
                | RefusalKind::Item(_)
                | RefusalKind::Suspect
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
    let batch = Batch { number: BatchNumber(1), is_fetched: false, items: vec![test(forward)] };
    match within(receiver.send(&batch)).await? {
        Taken::Kept if is_unanswered(forward) => {
            note("the test was sent; whether it has arrived nobody says over UDP: look for it at the server");
        }
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

/// Whether it is of a kind that nobody answers.
fn is_unanswered(forward: &ForwardConfig) -> bool {
    match &forward.receiver {
        ReceiverConfig::Syslog(syslog) => matches!(syslog.transport, SyslogTransport::Udp { .. }),
        _ => false,
    }
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
