//! The forwarders beside the loop: what they are told, and what of what they tell is kept.
//!
//! A forwarder's place is written with whatever is committed next; where nothing is, one commit a second is made of places alone. What a
//! person orders of one is told to it once the order's record is durable.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use osel_core::engine::{ForwarderOrder, OperatorOrder, Order};
use osel_core::format::Format;
use osel_core::forward::{Filter, Which};
use osel_core::names::Directory;
use osel_core::time::Timestamp;
use osel_core::trail::RecordKind;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::super::forward::{
    Carrier, ForwarderSettings, ForwarderStatus, Outbox, ReaderAccess, Report, Steer, Way, without_last_words,
};
use super::super::recorder::Recorder;
use super::defects::Defects;
use super::tap::Tap;
use super::{Happening, Service, ServiceError, ServiceHandle};
use crate::config::ForwardFrom;
use crate::store::ForwarderRow;

/// How often a commit is made of places alone: what was sent after the last is sent again after a crash.
const PLACES_EVERY: Duration = Duration::from_secs(1);
/// How long a stop waits for receivers: a call that is under way has two seconds, and the end of the connection half of one.
const STOP_WAIT: Duration = Duration::from_millis(2500);
/// How often names are told anew to those that show them: so long somebody may have an older name.
const NAMES_EVERY: Duration = Duration::from_secs(60);

/// What becomes of a forwarder when the configuration was read again.
#[derive(Clone)]
pub enum ForwarderRenewal {
    /// It is as it was, but what was wrong may be mended.
    Same(Arc<str>),
    /// It is new, or another than it was.
    Begin(Box<ForwarderSettings>),
}

impl std::fmt::Debug for ForwarderRenewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Same(name) => f.debug_tuple("Same").field(name).finish(),
            Self::Begin(settings) => f.debug_tuple("Begin").field(&settings.config.name).finish(),
        }
    }
}

/// What forwarders have in common.
pub(super) struct Ground {
    pub(super) access: ReaderAccess,
    pub(super) store: Arc<str>,
    pub(super) clock: fn() -> Timestamp,
    pub(super) tokio: Handle,
    pub(super) sender: Sender<Happening>,
}

/// One of them.
struct Post {
    settings: ForwarderSettings,
    /// Which of all that were begun it is.
    number: u64,
    steers: UnboundedSender<Steer>,
    outbox: Arc<Outbox>,
    task: AbortHandle,
    /// Counts how often it was set back.
    generation: u64,
    status: ForwarderStatus,
    /// How often it had to end, by a defect.
    defects: Defects,
    /// When it begins anew, after it had to end.
    restart_at: Option<Instant>,
    /// It was told to end, to be gone or to be another from then on.
    next: Option<Next>,
    is_over: bool,
}

/// What follows on one that was told to end.
enum Next {
    Nothing,
    Another(Box<ForwarderSettings>),
}

/// One that begins once all that there was of it is durable.
struct Waiting {
    settings: ForwarderSettings,
    /// The last batch that has something of it.
    batch: u64,
    /// How its forerunner did, and how often it broke down; none where there was none.
    before: Option<(ForwarderStatus, Defects)>,
}

/// The records that a forwarder has come to the end of since it began or was set back.
pub(super) struct Sent {
    forwarder: String,
    /// It passed over those up to this one.
    begin: u64,
    place: u64,
}

impl Sent {
    /// Whether this record is among them.
    fn has(&self, seq: u64) -> bool {
        self.begin < seq && seq <= self.place
    }
}

/// All of them.
pub(super) struct Forwards {
    ground: Ground,
    posts: Vec<Post>,
    waiting: Vec<Waiting>,
    /// Batches that are durable.
    durable: u64,
    begun: u64,
    head: watch::Sender<u64>,
    names: watch::Sender<Arc<Directory>>,
    names_at: Option<Instant>,
    /// What was ordered, with the batch that has the order, and with how often the forwarder had been set back by then.
    ordered: VecDeque<(u64, String, ForwarderOrder, u64)>,
    /// The batch with the latest order to erase a person: behind it everything is read anew.
    erased: Option<u64>,
    /// When places were written last.
    placed_at: Instant,
    stop_until: Option<Instant>,
}

impl Forwards {
    /// Begins to forward.
    pub(super) fn start(ground: Ground, all: Vec<ForwarderSettings>, recorder: &mut Recorder) -> Self {
        let mut this = Self {
            ground,
            posts: Vec::new(),
            waiting: Vec::new(),
            durable: 0,
            begun: 0,
            head: watch::Sender::new(recorder.durable_seq(0)),
            names: watch::Sender::default(),
            names_at: None,
            ordered: VecDeque::new(),
            erased: None,
            placed_at: Instant::now(),
            stop_until: None,
        };
        for settings in all {
            this.begin(settings, Defects::default(), recorder);
        }
        this
    }

    /// Begins one once everything is durable that there was of it: it reads dead letters from the store, and what was ordered before it
    /// began is in its row already.
    fn begin_when_durable(
        &mut self,
        settings: ForwarderSettings,
        before: Option<(ForwarderStatus, Defects)>,
        recorder: &mut Recorder,
    ) {
        let left = recorder.given_batches() + u64::from(recorder.has_forwarded());
        let of_it = self.ordered.iter().filter(|(_, name, ..)| *name == settings.config.name);
        let batch = of_it.map(|(batch, ..)| *batch).fold(left, u64::max);
        self.waiting.push(Waiting { settings, batch, before });
        self.begin_durable(recorder);
    }

    fn begin_durable(&mut self, recorder: &mut Recorder) {
        let durable = self.durable;
        let is_ready = |waiting: &mut Waiting| waiting.batch <= durable;
        for waiting in self.waiting.extract_if(.., is_ready).collect::<Vec<_>>() {
            let defects = waiting.before.map(|(_, defects)| defects).unwrap_or_default();
            self.begin(waiting.settings, defects, recorder);
        }
    }

    fn begin(&mut self, settings: ForwarderSettings, defects: Defects, recorder: &mut Recorder) {
        let name = settings.config.name.clone();
        let now = (self.ground.clock)();
        let row = recorder.forwarder(&name).cloned();
        let is_new = row.is_none();
        let row = row.unwrap_or_else(|| {
            let begin = match settings.config.from {
                ForwardFrom::Start => 0,
                ForwardFrom::Now => *self.head.borrow(),
            };
            ForwarderRow {
                name: name.clone(),
                begin,
                place: begin,
                updated_at: now,
                ..ForwarderRow::default()
            }
        });
        if is_new {
            recorder.forwarded(row.clone());
        }
        self.begun += 1;
        let (number, outbox) = (self.begun, Arc::new(Outbox::default()));
        let (sender, own) = (self.ground.sender.clone(), Arc::clone(&outbox));
        let tell: Arc<dyn Fn(Report) + Send + Sync> = Arc::new(move |report| {
            if own.put(report) {
                // The loop may have ended.
                let _ = sender.send(Happening::Forwarded(number));
            }
        });
        // Bounded by what people order: the forwarder takes each at once, whatever its receiver is at.
        let (steers, steered) = unbounded_channel();
        let way = Way {
            access: Arc::clone(&self.ground.access),
            store: Arc::clone(&self.ground.store),
            steers: steered,
            head: self.head.subscribe(),
            names: self.names.subscribe(),
            tell: Arc::clone(&tell),
            clock: self.ground.clock,
            generation: 0,
        };
        tracing::info!(forwarder = name, place = row.place, "forwarding");
        let status = ForwarderStatus {
            name: name.into(),
            kind: settings.config.receiver.as_str().into(),
            row: row.clone(),
            ..ForwarderStatus::default()
        };
        let carrier = self.ground.tokio.spawn(Carrier::run(settings.clone(), row, way));
        let task = carrier.abort_handle();
        self.ground.tokio.spawn(async move {
            if let Err(error) = carrier.await
                && error.is_panic()
            {
                tell(Report::broken_down(error));
            }
        });
        self.posts.push(Post {
            settings,
            number,
            steers,
            outbox,
            task,
            generation: 0,
            status,
            defects,
            restart_at: None,
            next: None,
            is_over: false,
        });
    }

    /// As they are told at `now`.
    pub(super) fn status(&self, now: Timestamp) -> Vec<ForwarderStatus> {
        let lag = |oldest: Timestamp| {
            Duration::from_micros(u64::try_from(now.micros().saturating_sub(oldest.micros())).unwrap_or(0))
        };
        let of_post = |post: &Post| ForwarderStatus {
            lag: post.status.oldest.map(lag).unwrap_or_default(),
            defects: post.defects.total(),
            ..post.status.clone()
        };
        let of_waiting = |waiting: &Waiting| {
            let (status, defects) = waiting.before.as_ref()?;
            Some(ForwarderStatus { defects: defects.total(), ..status.clone() })
        };
        let waiting = self.waiting.iter().filter_map(of_waiting);
        self.posts.iter().map(of_post).chain(waiting).collect()
    }

    /// When something is due; places only where they may be committed alone.
    pub(super) fn wait(&self, recorder: &Recorder, may_commit: bool) -> Option<Duration> {
        let has_places = may_commit && recorder.has_forwarded();
        let places = has_places.then_some(self.placed_at + PLACES_EVERY);
        let restarts = self.posts.iter().filter_map(|post| post.restart_at);
        let now = Instant::now();
        let stop = self.stop_until.filter(|until| *until > now);
        let first = restarts.chain(places).chain(stop).min()?;
        Some(first.saturating_duration_since(now))
    }

    /// Whether a commit of places alone is due.
    pub(super) fn is_due(&mut self, recorder: &Recorder) -> bool {
        let is_due = recorder.has_forwarded() && self.placed_at.elapsed() >= PLACES_EVERY;
        if is_due {
            self.placed_at = Instant::now();
        }
        is_due
    }

    /// Begins anew those that rested, and tells names.
    pub(super) fn turn(&mut self, recorder: &mut Recorder) {
        let is_due = |post: &mut Post| post.restart_at.is_some_and(|at| at <= Instant::now());
        for post in self.posts.extract_if(.., is_due).collect::<Vec<_>>() {
            let before = (post.status.clone(), post.defects.clone());
            self.begin_when_durable(post.settings.clone(), Some(before), recorder);
        }
        let wants_names = self.posts.iter().any(|post| post.settings.config.format.needs_names());
        if wants_names && self.names_at.is_none_or(|at| at.elapsed() >= NAMES_EVERY) {
            self.names_at = Some(Instant::now());
            self.names.send_replace(Arc::new(recorder.engine().names().clone()));
        }
    }

    /// Batches are durable, and with them records, and orders.
    pub(super) fn durable(&mut self, durable: u64, recorder: &mut Recorder) {
        let seq = recorder.durable_seq(durable);
        self.head.send_if_modified(|head| std::mem::replace(head, seq) != seq);
        while let Some((_, name, what, generation)) =
            self.ordered.pop_front_if(|(batch, ..)| *batch <= durable)
        {
            let Some(post) = self.posts.iter().find(|post| *post.settings.config.name == name) else {
                continue;
            };
            let which = |seq: Option<u64>| seq.map_or(Which::All, |seq| Which::Records([seq].into()));
            let steer = match what {
                ForwarderOrder::Rewind { seq } => Steer::Rewind { seq, generation },
                ForwarderOrder::Resend { seq } => Steer::Resend(which(seq)),
                ForwarderOrder::Discard { seq } => Steer::Discard(which(seq)),
            };
            // It may have ended.
            let _ = post.steers.send(steer);
        }
        if self.erased.take_if(|batch| *batch <= durable).is_some() {
            self.read_anew();
        }
        self.durable = durable;
        self.begin_durable(recorder);
    }

    /// A person is to be erased by an order in that batch.
    pub(super) fn person_erased(&mut self, batch: u64) {
        self.erased = Some(batch);
    }

    /// Has all of them begin anew at their places: lines that wait for a receiver, or for a message to people, have what was there when they
    /// were read.
    fn read_anew(&mut self) {
        if self.stop_until.is_some() {
            return;
        }
        for post in self.posts.iter_mut().filter(|post| post.next.is_none() && !post.is_over) {
            post.end(Next::Another(Box::new(post.settings.clone())));
        }
    }

    /// Somebody has ordered something, which is in that batch: what was told before a set-back counts no more.
    pub(super) fn ordered(
        &mut self,
        batch: u64,
        name: String,
        what: ForwarderOrder,
        row: Option<&ForwarderRow>,
    ) {
        let mut generation = 0;
        if let Some(post) = self.posts.iter_mut().find(|post| *post.settings.config.name == name) {
            if matches!(what, ForwarderOrder::Rewind { .. }) {
                post.generation += 1;
                post.status.row = row.cloned().unwrap_or_default();
            }
            generation = post.generation;
        }
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| *waiting.settings.config.name == name) {
            waiting.batch = waiting.batch.max(batch);
        }
        self.ordered.push_back((batch, name, what, generation));
    }

    /// Takes what a forwarder tells; gives back whose receiver has all findings of which records.
    pub(super) fn told(&mut self, number: u64, recorder: &mut Recorder) -> Option<Sent> {
        let post = self.posts.iter_mut().find(|post| post.number == number)?;
        let mut report = post.outbox.take()?;
        let is_late = report.generation < post.generation;
        if is_late {
            let begin = recorder.forwarder(&post.settings.config.name).map_or(0, |row| row.begin);
            report.outdate(begin);
        }
        let Report { row, letters, status, ended, .. } = report;
        if let Some(status) = status {
            let row_now = if is_late { post.status.row.clone() } else { status.row.clone() };
            post.status = ForwarderStatus { row: row_now, ..status };
        }
        recorder.letters(letters);
        let reads = tells_findings(&post.settings.config.filter, post.settings.config.format);
        let read = row.as_ref().filter(|_| reads).map(|row| Sent {
            forwarder: row.name.clone(),
            begin: row.begin,
            place: row.place,
        });
        if let Some(row) = row {
            recorder.forwarded(row);
        }
        let Some(ended) = ended else { return read };
        post.is_over = true;
        // One that was taken out of the configuration begins no more.
        if let Err(why) = &ended
            && !matches!(post.next, Some(Next::Nothing))
        {
            post.broke_down(why, (self.ground.clock)(), recorder);
        }
        if let Some(next) = post.next.take() {
            let before = (post.status.clone(), post.defects.clone());
            self.posts.retain(|post| post.number != number);
            if let Next::Another(settings) = next {
                self.begin_when_durable(*settings, Some(before), recorder);
            }
        }
        read
    }

    /// The configuration was read again.
    pub(super) fn renew(&mut self, all: Vec<ForwarderRenewal>, recorder: &mut Recorder) {
        if self.stop_until.is_some() {
            // One that began now would be stopped by nobody.
            return;
        }
        let name_of = |renewal: &ForwarderRenewal| match renewal {
            ForwarderRenewal::Same(name) => Arc::clone(name),
            ForwarderRenewal::Begin(settings) => settings.config.name.as_str().into(),
        };
        for post in &mut self.posts {
            if !all.iter().any(|renewal| *name_of(renewal) == *post.settings.config.name) {
                tracing::info!(
                    forwarder = post.settings.config.name,
                    "no longer configured: it ends, and its place stays"
                );
                post.end(Next::Nothing);
            }
        }
        self.waiting
            .retain(|waiting| all.iter().any(|renewal| *name_of(renewal) == *waiting.settings.config.name));
        for renewal in all {
            let name = name_of(&renewal);
            if let Some(waiting) = self.waiting.iter_mut().find(|one| *one.settings.config.name == *name) {
                if let ForwarderRenewal::Begin(settings) = renewal {
                    waiting.settings = *settings;
                }
                continue;
            }
            let post = self.posts.iter_mut().find(|post| *post.settings.config.name == *name);
            match (post, renewal) {
                (Some(post), ForwarderRenewal::Same(_)) => {
                    post.restart_at = post.restart_at.map(|_| Instant::now());
                    let _ = post.steers.send(Steer::Renewed);
                }
                (Some(post), ForwarderRenewal::Begin(settings)) => post.end(Next::Another(settings)),
                (None, ForwarderRenewal::Begin(settings)) => {
                    self.begin_when_durable(*settings, None, recorder);
                }
                (None, ForwarderRenewal::Same(_)) => {}
            }
        }
        // One that had ended by itself says so no more.
        let is_over = |post: &mut Post| post.is_over && post.next.is_some();
        for mut post in self.posts.extract_if(.., is_over).collect::<Vec<_>>() {
            if let Some(Next::Another(settings)) = post.next.take() {
                let before = (post.status.clone(), post.defects.clone());
                self.begin_when_durable(*settings, Some(before), recorder);
            }
        }
    }

    /// Has all of them end in order.
    pub(super) fn stop(&mut self) {
        self.stop_until = Some(Instant::now() + STOP_WAIT);
        self.waiting.clear();
        for post in &mut self.posts {
            post.next = None;
            post.restart_at = None;
            let _ = post.steers.send(Steer::Stop);
        }
    }

    /// Whether they have ended, or have had their time.
    pub(super) fn are_over(&self) -> bool {
        self.posts.iter().all(|post| post.is_over)
            || self.stop_until.is_some_and(|until| until <= Instant::now())
    }
}

/// Whether a forwarder of that filter and form tells every finding.
fn tells_findings(filter: &Filter, format: Format) -> bool {
    // The older forms have no line for most of them.
    if matches!(format, Format::Osel11 | Format::CadfText) {
        return false;
    }
    let every = Filter { kinds: filter.kinds.clone(), ..Filter::default() };
    *filter == every && (filter.kinds.is_empty() || filter.kinds.contains(&RecordKind::Finding))
}

impl Post {
    /// It had to end. Its row says so where people and other processes look, until it has begun anew.
    fn broke_down(&mut self, why: &str, now: Timestamp, recorder: &mut Recorder) {
        let forwarder = &*self.settings.config.name;
        let mut row = recorder.forwarder(forwarder).unwrap_or(&self.status.row).clone();
        let rest = self.defects.add(row.place, now);
        tracing::error!(
            forwarder,
            detail = why,
            seconds = rest.as_secs(),
            "a forwarder had to end: it begins anew"
        );
        self.restart_at = Some(Instant::now() + rest);
        row.trouble = Some(self.defects.trouble(without_last_words(why), rest, now));
        row.updated_at = now;
        (self.status.is_up, self.status.trouble) = (Some(false), row.trouble.clone());
        self.status.row.clone_from(&row);
        recorder.forwarded(row);
    }

    fn end(&mut self, next: Next) {
        self.next = Some(next);
        self.restart_at = None;
        let _ = self.steers.send(Steer::Stop);
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        // Whoever lost the store must send nothing more.
        self.task.abort();
    }
}

impl ServiceHandle {
    /// Has forwarders be what the configuration says now.
    pub fn set_forwarders(&self, all: Vec<ForwarderRenewal>) {
        let _ = self.0.send(Happening::Forwarders(all));
    }
}

impl Service {
    /// Tells a forwarder what was ordered of it, once that is durable.
    pub(super) fn forwarder_ordered(&mut self, ordered: Option<(String, ForwarderOrder)>) {
        let Some((name, what)) = ordered else { return };
        let batch = self.recorder.given_batches() + u64::from(self.recorder.has_open());
        let row = self.recorder.forwarder(&name);
        self.forwards.ordered(batch, name.clone(), what, row);
    }

    /// Has forwarders begin anew once an order to erase a person is durable.
    pub(super) fn person_erased(&mut self) {
        let batch = self.recorder.given_batches() + u64::from(self.recorder.has_open());
        self.forwards.person_erased(batch);
    }

    /// Takes what a forwarder tells. Whose receiver has all findings has read them: nobody need be alarmed.
    pub(super) fn forwarder_told(&mut self, number: u64) -> Result<(), ServiceError> {
        let sent = self.forwards.told(number, &mut self.recorder);
        let unread_from = self.recorder.engine().unread_from();
        let Some(sent) = sent.filter(|sent| unread_from.is_some_and(|first| sent.has(first))) else {
            return Ok(());
        };
        let Sent { forwarder: consumer, place: seq, .. } = sent;
        let actor = consumer.clone();
        let order = Order { actor, what: OperatorOrder::FindingsRead { consumer, seq } };
        self.recorder.order(self.now(), order)?;
        Ok(())
    }

    /// Whether a commit may be made of places: what a tap has open it closes itself, with them.
    pub(super) fn may_commit_places(&self) -> bool {
        self.retry_at.is_none() && !self.taps.iter().any(Tap::has_open)
    }

    /// Nothing else is to be committed: places alone are, now and then.
    pub(super) fn commit_places(&mut self) -> Result<(), ServiceError> {
        if self.may_commit_places() && self.forwards.is_due(&self.recorder) {
            self.recorder.close_batch(Vec::new())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use osel_core::format::Severity;

    use super::*;

    #[test]
    fn only_who_is_sent_every_finding_has_read_them() {
        let of_kinds =
            |kinds: &[RecordKind]| Filter { kinds: kinds.iter().copied().collect(), ..Filter::default() };
        for (filter, tells) in [
            (Filter::default(), true),
            (of_kinds(&[RecordKind::Gap, RecordKind::Finding]), true),
            (of_kinds(&[RecordKind::Gap]), false),
            (Filter { severity_min: Severity::High, ..Filter::default() }, false),
            (Filter { exposing_only: true, ..of_kinds(&[RecordKind::Finding]) }, false),
        ] {
            assert_eq!(tells_findings(&filter, Format::Ocsf), tells, "{filter:?}");
            assert!(!tells_findings(&filter, Format::Osel11), "{filter:?}");
        }
    }

    #[test]
    fn what_a_forwarder_passed_over_was_sent_to_nobody() {
        let has = |begin, place, seq| Sent { forwarder: "siem".to_owned(), begin, place }.has(seq);
        assert!(has(0, 7, 7) && has(6, 7, 7));
        assert!(!has(0, 6, 7), "it has not come so far");
        assert!(!has(7, 7, 7) && !has(7, 9, 7), "it began behind it, or was set there");
    }
}
