//! Orders that change something: to the daemon that has the store, or into the store itself where no daemon runs.

use std::path::{Path, PathBuf};

use anyhow::Context;
use osel_core::engine::EngineOptions;

use super::StoreArg;
use super::actor::user_name;
use super::open::now;
use super::output::{Failure, progress};
use super::trail_key;
use crate::config::StoreConfig;
use crate::runtime::Recorder;
use crate::runtime::control::client::{self, ClientError};
use crate::runtime::control::{Answer, Ask, REPLAY_IDS_MAX, Request};
use crate::runtime::quarantine::{self, Found, Replayed};
use crate::runtime::writer::Written;
use crate::store::{Journal, Reader};

/// What became of an order.
pub(super) enum Given {
    /// It is done: the record of it, none where it changed nothing.
    Done(Option<u64>),
    /// It cannot be done: why.
    No(String),
}

/// Who writes the store.
enum Writer<'a> {
    /// A daemon, which has answered.
    Daemon(Answer),
    /// This process.
    Own(&'a mut Recorder),
}

/// An answer that is not the one to what was asked, as an error.
pub(super) fn unexpected(answer: Answer) -> anyhow::Error {
    match answer {
        Answer::Refused(why) => anyhow::anyhow!("the running osel refuses: {why}"),
        Answer::No(why) => anyhow::anyhow!("{why}"),
        Answer::Done(_) | Answer::Replayed(_) | Answer::GoOn => {
            anyhow::anyhow!("the running osel answers something else than it was asked")
        }
    }
}

/// Where orders for a store go.
pub(super) struct Orders {
    store: StoreArg,
    store_id: String,
    socket: PathBuf,
    /// The store, once it is known that nobody else writes it.
    own: Option<Recorder>,
}

impl Orders {
    /// Orders for a store of that id.
    ///
    /// # Errors
    /// When no store is named anywhere.
    pub(super) fn new(store: &StoreArg, store_id: String) -> anyhow::Result<Self> {
        let socket = store.socket(&store.config()?);
        Ok(Self { store: store.clone(), store_id, socket, own: None })
    }

    /// Gives one; durable when it returns, if a daemon took it, else after [`Self::finish`].
    ///
    /// # Errors
    /// When the daemon refuses or does not answer, or the store cannot be written.
    pub(super) fn give(&mut self, order: Ask) -> anyhow::Result<Given> {
        let recorder = match self.writer(&order)? {
            Writer::Daemon(Answer::Done(seq)) => return Ok(Given::Done(seq)),
            Writer::Daemon(Answer::No(why)) => return Ok(Given::No(why)),
            Writer::Daemon(other) => return Err(unexpected(other)),
            Writer::Own(recorder) => recorder,
        };
        let now = now();
        let order = order.into_order(user_name()).context("this is no order of one line")?;
        match recorder.judge_order(now, &order) {
            Ok(()) => Ok(Given::Done(recorder.order(now, order)?)),
            Err(refusal) => Ok(Given::No(refusal.to_string())),
        }
    }

    /// Has messages taken out of quarantine, each of them named once; what became of them, durable as with [`Self::give`].
    ///
    /// # Errors
    /// When the daemon refuses or does not answer, or the store cannot be read or written.
    pub(super) fn replay(&mut self, reader: &mut dyn Reader, ids: &[u64]) -> anyhow::Result<Vec<Replayed>> {
        let mut results = Vec::new();
        for ids in ids.chunks(REPLAY_IDS_MAX) {
            let recorder = match self.writer(&Ask::ReplayQuarantined { ids: ids.to_vec() })? {
                Writer::Daemon(Answer::Replayed(replayed)) => {
                    results.extend(replayed);
                    continue;
                }
                Writer::Daemon(other) => return Err(unexpected(other)),
                Writer::Own(recorder) => recorder,
            };
            let actor = user_name();
            for &id in ids {
                results.push(match quarantine::find(reader, id)? {
                    Found::Held(held) => quarantine::replay(recorder, now(), &held, &actor)?,
                    Found::Not(not) => not,
                });
            }
        }
        Ok(results)
    }

    /// Gives an order to the daemon; where there is none the store is ours from now on.
    fn writer(&mut self, order: &Ask) -> anyhow::Result<Writer<'_>> {
        if self.own.is_none() {
            let request = Request { store: self.store_id.clone(), order: order.clone() };
            match client::ask(&self.socket, &request) {
                Ok(answer) => return Ok(Writer::Daemon(answer)),
                Err(error @ (ClientError::Absent(_) | ClientError::TooLong(_))) => {
                    self.own = Some(self.recorder().with_context(|| error.to_string())?);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Writer::Own(self.own.as_mut().context("the store was opened just before")?))
    }

    fn recorder(&self) -> anyhow::Result<Recorder> {
        recorder(self.store.existing_writer()?, &self.store.config()?, self.store.file())
    }

    /// Makes durable what was given.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        if let Some(mut recorder) = self.own {
            recorder.finish()?;
        }
        Ok(())
    }

    /// The same, and where no daemon runs waits until everything is gone of whom was to be erased.
    ///
    /// # Errors
    /// When the store cannot be written; the next one who writes it goes on.
    pub(super) fn finish_erasing(self) -> anyhow::Result<()> {
        let Some(mut recorder) = self.own else { return Ok(()) };
        recorder.finish()?;
        let_all_go(&mut recorder)
    }
}

/// Waits until everything is gone that was told to go.
///
/// # Errors
/// When the store cannot be written; the next one who writes it goes on.
pub(super) fn let_all_go(recorder: &mut Recorder) -> anyhow::Result<()> {
    let bar = progress("slices");
    let mut more = true;
    while more {
        // Asked first: what could not be done is told before nothing is left to do.
        more = recorder.is_expiring();
        // Answered between two slices.
        recorder.flush()?;
        for written in recorder.take_written()? {
            if let Written::NotExpired(error) = written {
                return Err(error.into());
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Goes on with a store by the options that its daemon had, which are not a command's to change, and signs its log.
///
/// # Errors
/// When it cannot be read.
pub(super) fn recorder(
    journal: Box<dyn Journal>,
    store: &StoreConfig,
    file: Option<&Path>,
) -> anyhow::Result<Recorder> {
    let store_id = journal.info().id.clone();
    let mut recorder = Recorder::resume(journal, &EngineOptions::default())?;
    if let Some(told) = recorder.engine().told_options().cloned() {
        recorder.set_options(told);
    }
    trail_key::sign(&mut recorder, store, file, &store_id);
    Ok(recorder)
}

/// Tells a daemon that has the store, if there is one, that this user has read its findings.
pub(super) fn tell_read(store: &StoreArg, config: &StoreConfig, store_id: String, seq: u64) {
    client::tell(&store.socket(config), &Request { store: store_id, order: Ask::FindingsRead { seq } });
}

/// The reason that a person gives.
///
/// # Errors
/// When it says nothing, or too much to be kept.
pub(super) fn reason(text: &str, chars_max: usize) -> anyhow::Result<String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(Failure::Usage("--reason: say why".to_owned()).into()),
        count if count > chars_max => {
            Err(Failure::Usage(format!("--reason: {count} characters, of which {chars_max} are kept")).into())
        }
        _ => Ok(text.to_owned()),
    }
}
