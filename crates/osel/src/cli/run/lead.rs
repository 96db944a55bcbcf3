//! From a store that is named to a journal that is ours: waiting for it, and standing by while another process leads.
//!
//! Who stands by folds the journal as it grows, so that little is left to be done when it takes over, and touches nothing outside: no tap
//! begins before the lead is taken. A leader that was deposed does not come here again: it ends, with all that it believed, and is started
//! anew (decision 0010).

use std::time::{Duration, Instant};

use osel_core::engine::EngineOptions;

use super::super::durability;
use super::super::open::{StoreAccess, reader_at, writer_by};
use crate::config::{Remark, StoreConfig};
use crate::runtime::state::Follower;
use crate::store::{ErrorClass, Journal, JournalError, PostgresReader, Reader};

/// How long a store that cannot be opened is left alone.
const OPEN_WAIT: Duration = Duration::from_secs(5);
/// How often it is said that it still cannot be opened.
const OPEN_REMINDER: Duration = Duration::from_secs(600);
/// How often the lead is tried for, and the journal looked at: a small query, and what an orderly change of leaders takes.
const STANDBY_WAIT: Duration = Duration::from_millis(500);

/// A store that is ours to write, and the engine of one who has followed it.
pub(super) struct Lead {
    pub(super) journal: Box<dyn Journal>,
    pub(super) follower: Option<Follower>,
}

/// Opens the store that is named now as its writer, however long it takes while waiting may help; none when it is told to stop meanwhile, which
/// `stopped_within` waits for. `standing_by` is told again and again who leads, while another process does.
///
/// # Errors
/// When waiting does not help.
pub(super) fn take(
    access: &StoreAccess,
    options: &EngineOptions,
    stopped_within: impl Fn(Duration) -> bool,
    standing_by: impl Fn(&str),
) -> anyhow::Result<Option<Lead>> {
    let mut said: Option<Instant> = None;
    let mut standby: Option<Standby> = None;
    loop {
        let error = match writer_by(access) {
            Ok(journal) => {
                let follower = standby.and_then(|standby| standby.into_follower(&*journal));
                for Remark { what, .. } in durability::remarks(&access(), None) {
                    tracing::warn!(detail = what, "the database may lose what is acknowledged");
                }
                return Ok(Some(Lead { journal, follower }));
            }
            Err(error) => error,
        };
        let wait = match error.downcast_ref::<JournalError>() {
            Some(JournalError::InUse { process, .. }) if matches!(access(), StoreConfig::Postgres(_)) => {
                said = None;
                standby.get_or_insert_with(Standby::default).follow(&access(), options, process);
                standing_by(process);
                STANDBY_WAIT
            }
            Some(error) if error.class() == ErrorClass::Transient => OPEN_WAIT,
            _ => return Err(error),
        };
        if wait == OPEN_WAIT && said.is_none_or(|said| said.elapsed() >= OPEN_REMINDER) {
            said = Some(Instant::now());
            tracing::error!(error = format!("{error:#}"), "the store cannot be opened: trying on");
        }
        if stopped_within(wait) {
            return Ok(None);
        }
    }
}

/// What is ready for the lead.
#[derive(Default)]
struct Standby {
    leader: String,
    reader: Option<Box<dyn Reader>>,
    follower: Option<Follower>,
    is_ready: bool,
}

impl Standby {
    /// Folds what is new; what cannot be read now is read later, at the latest by whoever takes the lead.
    fn follow(&mut self, store: &StoreConfig, options: &EngineOptions, leader: &str) {
        if self.leader != leader {
            tracing::info!(leader, "standing by: another process leads the store");
            leader.clone_into(&mut self.leader);
        }
        match self.fold(store, options) {
            Ok(entry) if !self.is_ready => {
                self.is_ready = true;
                tracing::info!(entry, "ready to take the lead");
            }
            Ok(_) => {}
            // What was folded so far is not known: from the newest snapshot again.
            Err(error) => {
                match error.downcast_ref() {
                    Some(rewritten @ JournalError::Rewritten { .. }) => tell_rewritten(rewritten),
                    _ => {
                        tracing::debug!(
                            error = format!("{error:#}"),
                            "the journal cannot be followed just now"
                        );
                    }
                }
                (self.reader, self.follower) = (None, None);
            }
        }
    }

    /// The follower, if what it has folded is in the store that is ours now; else all is folded anew.
    fn into_follower(self, journal: &dyn Journal) -> Option<Follower> {
        tracing::info!("takes the lead");
        let mut follower = self.follower?;
        match journal.reader().and_then(|mut reader| follower.follow(&mut *reader)) {
            Ok(_) => Some(follower),
            Err(error @ JournalError::Rewritten { .. }) => {
                tell_rewritten(&error);
                None
            }
            // Whoever folds anew meets it again, and tells it.
            Err(_) => None,
        }
    }

    fn fold(&mut self, store: &StoreConfig, options: &EngineOptions) -> anyhow::Result<u64> {
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => latest(store)?,
        };
        let mut follower = match self.follower.take() {
            Some(follower) => follower,
            None => Follower::start(&mut *reader, options)?,
        };
        let entry = follower.follow(&mut *reader)?;
        (self.reader, self.follower) = (Some(reader), Some(follower));
        Ok(entry)
    }
}

fn tell_rewritten(error: &JournalError) {
    tracing::error!(error = error.to_string(), "the journal is folded anew");
}

/// A reader of what the leader has written. A standby of the database is behind, and after a failover it may have what no leader has.
fn latest(store: &StoreConfig) -> anyhow::Result<Box<dyn Reader>> {
    match store {
        StoreConfig::Postgres(config) => Ok(Box::new(PostgresReader::open_latest(config)?)),
        StoreConfig::Directory(_) => reader_at(store),
    }
}
