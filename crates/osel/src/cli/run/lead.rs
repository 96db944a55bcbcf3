//! From a store that is named to a journal that is ours: waiting for it, and standing by while another process leads.
//!
//! Who stands by folds the journal as it grows, so that little is left to be done when it takes over, and touches nothing outside: no tap
//! begins before the lead is taken. A leader that was deposed does not come here again: it ends, with all that it believed, and is started
//! anew (decision 0010).

use std::thread;
use std::time::{Duration, Instant};

use osel_core::engine::EngineOptions;
use osel_core::time::Timestamp;

use super::super::durability;
use super::super::open::{StoreAccess, now, writer_by};
use crate::config::{PostgresConfig, Remark, StoreConfig};
use crate::runtime::service::ServiceStatus;
use crate::runtime::state::Follower;
use crate::store::{ErrorClass, Journal, JournalError, LeaseWatch, PostgresReader};
use crate::telemetry::chain;

/// How long a store that cannot be opened is left alone.
const OPEN_WAIT: Duration = Duration::from_secs(5);
/// How often it is said that it still cannot be opened, or followed.
const REMINDER: Duration = Duration::from_secs(600);
/// How often is looked who leads, and at the journal: a small query, and what an orderly change of leaders takes.
const STANDBY_WAIT: Duration = Duration::from_millis(500);

/// A store that is ours to write, and the engine of one who has followed it.
pub(super) struct Lead {
    pub(super) journal: Box<dyn Journal>,
    pub(super) follower: Option<Follower>,
}

/// Opens the store that is named now as its writer, however long it takes while waiting may help; none when it is told to stop meanwhile, which
/// `stopped_within` waits for. `waiting` is told again and again how it stands: it stands by while another process leads and this one is ready
/// to take over.
///
/// # Errors
/// When waiting does not help.
pub(super) fn take(
    access: &StoreAccess,
    options: &EngineOptions,
    stopped_within: impl Fn(Duration) -> bool,
    mut waiting: impl FnMut(ServiceStatus),
) -> anyhow::Result<Option<Lead>> {
    let mut said = Reminder::default();
    let mut unopened: Option<Timestamp> = None;
    let mut standby: Option<Standby> = None;
    loop {
        let opened = match &mut standby {
            None => writer_by(access, None),
            Some(standby) => standby.take(access),
        };
        let error = match opened {
            Ok(journal) => {
                let follower = standby.and_then(|standby| standby.into_follower(&*journal));
                tell_losses(access());
                return Ok(Some(Lead { journal, follower }));
            }
            Err(error) => error,
        };
        let wait = match (error.downcast_ref::<JournalError>(), access()) {
            (Some(JournalError::InUse { process, .. }), StoreConfig::Postgres(config)) => {
                if unopened.take().is_some() {
                    tracing::info!("the store can be opened again");
                }
                said = Reminder::default();
                let standby = standby.get_or_insert_default();
                standby.follow(&config, options, process);
                let is_ready = standby.follower.is_some();
                waiting(if is_ready { ServiceStatus::standing_by() } else { ServiceStatus::starting() });
                STANDBY_WAIT
            }
            (Some(failed), _) if may_pass(failed, standby.is_some()) => {
                let since = *unopened.get_or_insert_with(now);
                waiting(ServiceStatus::unopened(since, format!("{error:#}")));
                OPEN_WAIT
            }
            _ => return Err(error),
        };
        if wait == OPEN_WAIT && said.is_due() {
            tracing::error!(error = format!("{error:#}"), "the store cannot be opened: trying on");
        }
        if stopped_within(wait) {
            return Ok(None);
        }
    }
}

/// Whether waiting may help. Whoever stood by was taken by the database before: a password is being exchanged, or a server set up anew.
fn may_pass(error: &JournalError, stood_by: bool) -> bool {
    let refused = matches!(error, JournalError::NoPermission { .. } | JournalError::NotAStore { .. });
    error.class() == ErrorClass::Transient || (stood_by && refused)
}

/// Says what the database may lose, on a thread of its own: it takes seconds where a server does not answer.
fn tell_losses(store: StoreConfig) {
    let tell = move || {
        for Remark { what, .. } in durability::remarks(&store, None).1 {
            tracing::warn!(detail = what, "the database may lose what is acknowledged");
        }
    };
    // Without a thread there is more to worry about, and others say so.
    let _ = thread::Builder::new().name("osel-remarks".into()).spawn(tell);
}

/// When something was said that is said again at times.
#[derive(Default)]
struct Reminder(Option<Instant>);

impl Reminder {
    /// Whether it is to be said now.
    fn is_due(&mut self) -> bool {
        let due = self.0.is_none_or(|said| said.elapsed() >= REMINDER);
        if due {
            self.0 = Some(Instant::now());
        }
        due
    }
}

/// What is ready for the lead.
#[derive(Default)]
struct Standby {
    leader: String,
    watch: LeaseWatch,
    reader: Option<PostgresReader>,
    follower: Option<Follower>,
    is_ready: bool,
    /// When folding failed last: for a while the journal is left alone.
    failed: Option<Instant>,
    said: Reminder,
}

impl Standby {
    /// Takes the lead if it looks free; that is one query of a connection that is there.
    fn take(&mut self, access: &StoreAccess) -> anyhow::Result<Box<dyn Journal>> {
        let StoreConfig::Postgres(config) = access() else { return writer_by(access, None) };
        let sign = self.reader(&config)?.lease()?;
        if !self.watch.is_free(&sign, Instant::now()) {
            let process = sign.holder.unwrap_or_default();
            return Err(JournalError::InUse { path: config.to_string().into(), process }.into());
        }
        let taken = writer_by(access, Some(&sign));
        if taken.is_err() {
            self.watch.was_refused();
        }
        taken
    }

    /// A reader of what the leader has written. A standby of the database is behind, and after a failover it may have what no leader has.
    fn reader(&mut self, config: &PostgresConfig) -> Result<&mut PostgresReader, JournalError> {
        let reader = match self.reader.take().filter(|reader| reader.is_of(config)) {
            Some(reader) => reader,
            None => PostgresReader::open_latest(config)?,
        };
        Ok(self.reader.insert(reader))
    }

    /// Folds what is new; what cannot be read now is read later, at the latest by whoever takes the lead.
    fn follow(&mut self, config: &PostgresConfig, options: &EngineOptions, leader: &str) {
        if self.leader != leader {
            tracing::info!(leader, "standing by: another process leads the store");
            leader.clone_into(&mut self.leader);
        }
        if self.failed.is_some_and(|failed| failed.elapsed() < OPEN_WAIT) {
            return;
        }
        match self.fold(config, options) {
            Ok(entry) => {
                (self.failed, self.said) = (None, Reminder::default());
                if !self.is_ready {
                    self.is_ready = true;
                    tracing::info!(entry, "ready to take the lead");
                }
            }
            // What was folded so far is not known: from the newest snapshot again.
            Err(error) => {
                if matches!(error, JournalError::Rewritten { .. }) {
                    tell_rewritten(&error);
                } else if self.said.is_due() {
                    let error = chain(&error);
                    tracing::warn!(
                        error,
                        "the journal cannot be followed: taking the lead would take longer"
                    );
                }
                (self.reader, self.follower, self.failed) = (None, None, Some(Instant::now()));
            }
        }
    }

    fn fold(&mut self, config: &PostgresConfig, options: &EngineOptions) -> Result<u64, JournalError> {
        let follower = self.follower.take();
        let reader = self.reader(config)?;
        let mut follower = match follower {
            Some(follower) => follower,
            None => Follower::start(reader, options)?,
        };
        let entry = follower.follow(reader)?;
        self.follower = Some(follower);
        Ok(entry)
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
}

fn tell_rewritten(error: &JournalError) {
    tracing::error!(error = error.to_string(), "the journal is folded anew");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_by_is_not_ended_by_an_exchange_of_passwords() {
        let refused =
            JournalError::NoPermission { path: "p".into(), action: "connect to", source: "28P01".into() };
        let missing = JournalError::NotAStore { path: "p".into(), reason: "the server has no such database" };
        let newer = JournalError::TooNew { path: "p".into(), found: 2, known: 1 };
        let away = JournalError::Io { path: "p".into(), action: "connect to", source: "away".into() };
        for (error, at_first, standing_by) in
            [(refused, false, true), (missing, false, true), (newer, false, false), (away, true, true)]
        {
            assert_eq!((may_pass(&error, false), may_pass(&error, true)), (at_first, standing_by), "{error}");
        }
    }
}
