//! Looking after what is kept: from time to time a survey beside the loop, and what it decided written down by the loop.

use std::fmt;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use osel_core::engine::{BudgetState, Retention};
use osel_core::time::Timestamp;
use tokio::runtime::Handle;

use super::Happening;
use crate::runtime::recorder::{RecordError, Recorder};
use crate::runtime::retention::{Decision, Policy, survey};
use crate::store::{JournalError, Reader};
use crate::telemetry::chain;

/// How often it is looked whether something may go: a disk that fills within the hour is noticed with time to spare.
const SURVEY_EVERY: Duration = Duration::from_secs(600);
/// How soon again when a snapshot was wanted: it is made with the next batch.
const SURVEY_AGAIN: Duration = Duration::from_secs(30);

/// Looks after what is kept.
pub(super) struct Keeper {
    policy: Policy,
    /// Away while a survey is under way.
    reader: Option<Box<dyn Reader>>,
    next: Instant,
    /// How full the store was the last time.
    budget: BudgetState,
    /// How many snapshots had been begun when the survey began.
    snapshots: u64,
    /// How many orders to let go of something had been given then.
    orders: u64,
    /// What did not go well the last time, so that it is said once.
    trouble: Option<String>,
    /// Whether the clock was ahead of all messages the last time.
    is_ahead: bool,
}

/// What a survey found, and the reader that it was done with.
pub(super) struct Surveyed {
    reader: Box<dyn Reader>,
    /// What it was decided by.
    policy: Policy,
    decision: Result<Decision, JournalError>,
}

impl fmt::Debug for Surveyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surveyed").field("decision", &self.decision).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Looks after a store by a policy.
    pub(super) fn new(policy: Policy, reader: Box<dyn Reader>) -> Self {
        let (next, budget) = (Instant::now(), BudgetState::Within);
        let (snapshots, orders) = (0, 0);
        Self { policy, reader: Some(reader), next, budget, snapshots, orders, trouble: None, is_ahead: false }
    }

    /// Goes by another policy from now on.
    pub(super) fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
        self.next = Instant::now();
    }

    /// Begins a survey, if one is due and nothing is on its way out: what goes just now still counts as there.
    pub(super) fn begin_if_due(
        &mut self,
        now: Timestamp,
        recorder: &Recorder,
        tokio: &Handle,
        sender: &Sender<Happening>,
    ) {
        if Instant::now() < self.next || recorder.is_expiring() {
            return;
        }
        let Some(mut reader) = self.reader.take() else { return };
        (self.snapshots, self.orders) = (recorder.snapshots_begun(), recorder.orders_to_let_go());
        let (policy, budget, sender) = (self.policy, self.budget, sender.clone());
        tokio.spawn_blocking(move || {
            let decision = survey(&mut *reader, &policy, now, budget);
            // The loop may have ended.
            let _ = sender.send(Happening::Surveyed(Box::new(Surveyed { reader, policy, decision })));
        });
    }

    /// Writes down what a survey decided, unless it may not hold any more; then what could not be let go of before is tried again, which is not done while
    /// a survey looks at what there is.
    pub(super) fn surveyed(
        &mut self,
        now: Timestamp,
        surveyed: Surveyed,
        recorder: &mut Recorder,
    ) -> Result<(), RecordError> {
        self.judge(now, surveyed, recorder)?;
        recorder.tend()
    }

    fn judge(
        &mut self,
        now: Timestamp,
        surveyed: Surveyed,
        recorder: &mut Recorder,
    ) -> Result<(), RecordError> {
        self.reader = Some(surveyed.reader);
        if surveyed.policy != self.policy {
            // Another one has come into force, which may keep what this one would let go of.
            self.next = Instant::now();
            return Ok(());
        }
        self.next = Instant::now() + SURVEY_EVERY;
        let decision = match surveyed.decision {
            Ok(decision) => decision,
            Err(error) => {
                self.say(Some(chain(&error)));
                return Ok(());
            }
        };
        let unreadable =
            decision.unreadable.map(|id| format!("snapshot {id} cannot be read: nothing goes behind it"));
        self.say(unreadable);
        let is_ahead = decision.counted_until.is_some();
        if let Some(until) = decision.counted_until.filter(|_| !self.is_ahead) {
            tracing::warn!(
                %until,
                "the clock is more than a day ahead of the last message: either nothing was heard for so long, or the clock is wrong; until a message is \
                 recorded, retention takes that day's end for now, so that a wrong clock lets nothing go; look whether the sources are heard, and what time \
                 the system has"
            );
        }
        self.is_ahead = is_ahead;
        if decision.wants_snapshot {
            recorder.want_snapshot();
            self.next = Instant::now() + SURVEY_AGAIN;
        }
        let since = (recorder.snapshots_begun(), recorder.orders_to_let_go());
        if since != (self.snapshots, self.orders) && decision.expiry.is_some() {
            // The one that was chosen may have been pruned for a newer one, or written again without somebody: then its digest is another.
            self.next = Instant::now();
            return Ok(());
        }
        self.budget = decision.budget;
        if let Some(before) = decision.resolved_before {
            tracing::info!(%before, "findings that were resolved before this go; their records stay");
            recorder.drop_resolved(before);
        }
        if decision.told.is_empty() {
            return Ok(());
        }
        decision.told.iter().for_each(log);
        recorder.let_go(now, decision.told, decision.expiry)
    }

    /// Hears that what may go could not be let go of.
    pub(super) fn not_expired(&mut self, error: &JournalError) {
        self.say(Some(chain(error)));
    }

    fn say(&mut self, trouble: Option<String>) {
        if self.trouble != trouble
            && let Some(detail) = &trouble
        {
            tracing::error!(detail, "what is kept cannot be looked after");
        }
        self.trouble = trouble;
    }
}

/// Writes a line about what goes.
fn log(told: &Retention) {
    match told {
        Retention::Inputs { entry, seq, before, .. } => {
            tracing::info!(entry, record = seq, %before, "inputs go: states before this are not known any more");
        }
        Retention::Parts { classes, kinds, seq, .. } => {
            let [classes, kinds] =
                [classes, kinds].map(|words| words.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
            let kinds = Some(kinds).filter(|kinds| !kinds.is_empty());
            tracing::info!(classes, kinds, up_to_record = seq, "parts of records go");
        }
        Retention::Quarantine { before, .. } => {
            tracing::info!(%before, "messages in quarantine since before this are not held any longer");
        }
        Retention::Budget { state, used_bytes, budget_bytes } => match state {
            BudgetState::Within => {
                tracing::info!(used_bytes, budget_bytes, "there is room in the disk budget again");
            }
            BudgetState::Tight => tracing::warn!(used_bytes, budget_bytes, "the disk budget will be used up"),
            BudgetState::Biting => {
                tracing::warn!(
                    used_bytes,
                    budget_bytes,
                    "the disk budget is nearly used up: the oldest goes early"
                );
            }
            BudgetState::Exhausted => tracing::error!(
                used_bytes,
                budget_bytes,
                "the disk budget is nearly used up, and nothing more may go: give it more, or keep less"
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use osel_core::engine::{EngineOptions, OperatorOrder, Order, Sought};

    use super::*;
    use crate::store::{Expiry, Journal, NewStore, Store};

    /// A directory that goes with the test.
    struct Directory(PathBuf);

    impl Directory {
        fn new(name: &str) -> Self {
            Self(std::env::temp_dir().join(format!("osel-keeper-{name}-{}", std::process::id())))
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn kept(path: &Path) -> (Keeper, Recorder) {
        let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
        let journal = Store::create(path, &new).expect("the directory is new");
        let keeper = Keeper::new(Policy::default(), journal.reader().expect("it is there"));
        (keeper, Recorder::resume(Box::new(journal), &EngineOptions::default()).expect("it is whole"))
    }

    /// Something to be told, by that policy.
    fn surveyed(path: &Path, policy: Policy, expiry: Option<Expiry>) -> Surveyed {
        let told = vec![Retention::Budget { state: BudgetState::Tight, used_bytes: 8, budget_bytes: 9 }];
        let decision = Ok(Decision { told, expiry, ..Decision::default() });
        Surveyed { reader: Box::new(Store::open_reader(path).expect("it is there")), policy, decision }
    }

    #[test]
    fn what_a_former_policy_decided_does_not_hold() {
        let directory = Directory::new("policy");
        let (mut keeper, mut recorder) = kept(&directory.0);
        let former = Policy { personal_days: Some(1), ..Policy::default() };
        let records = [former, Policy::default()].map(|policy| {
            let surveyed = surveyed(&directory.0, policy, None);
            keeper.surveyed(Timestamp::EPOCH, surveyed, &mut recorder).expect("it is written");
            recorder.flush().expect("it is written");
            recorder.head().seq
        });
        assert_eq!(records, [0, 1]);
        assert!(keeper.next > Instant::now());
    }

    #[test]
    fn what_was_decided_before_somebody_was_erased_does_not_hold() {
        let directory = Directory::new("erasure");
        let (mut keeper, mut recorder) = kept(&directory.0);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("there are threads");
        let (sender, surveys) = std::sync::mpsc::channel();
        let survey = |keeper: &mut Keeper, recorder: &mut Recorder| {
            while recorder.is_expiring() {
                std::thread::yield_now();
            }
            keeper.next = Instant::now();
            keeper.begin_if_due(Timestamp::EPOCH, recorder, runtime.handle(), &sender);
            let Ok(Happening::Surveyed(surveyed)) = surveys.recv() else { panic!("a survey was due") };
            keeper.reader = Some(surveyed.reader);
        };
        survey(&mut keeper, &mut recorder);
        let sought = Sought { user: Some("ada".to_owned()), address: None };
        let what = OperatorOrder::ErasePerson { user: None, reason: "asked for it".to_owned(), sought };
        recorder.order(Timestamp::EPOCH, Order { actor: "dpo".to_owned(), what }).expect("it is written");
        let told = |keeper: &mut Keeper, recorder: &mut Recorder| {
            let before = recorder.head().seq;
            let surveyed = surveyed(&directory.0, Policy::default(), Some(Expiry::default()));
            keeper.surveyed(Timestamp::EPOCH, surveyed, recorder).expect("it is written");
            recorder.flush().expect("it is written");
            recorder.head().seq - before
        };
        recorder.flush().expect("it is written");
        assert_eq!(told(&mut keeper, &mut recorder), 0, "the chosen snapshot may have another digest");
        assert!(keeper.next <= Instant::now(), "it is looked again at once");
        survey(&mut keeper, &mut recorder);
        assert_eq!(told(&mut keeper, &mut recorder), 1);
    }
}
