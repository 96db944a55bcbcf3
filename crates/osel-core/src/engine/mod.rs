//! The whole path of an input on one page: what happened goes in, records and commands come out.
//!
//! [`Engine::handle`] is synchronous, total and deterministic: the same inputs give the same outputs. It never asks a clock; `now` is an
//! argument. The shell seals the records, makes them durable, and only then acknowledges and acts. After a restart the engine is
//! put back from a snapshot ([`Engine::restore`]) and folds what came after it.

mod assignments;
mod attempts;
mod closing;
mod confirm;
mod dedup;
mod describe;
mod differences;
mod drift;
mod erasure;
mod expected;
mod findings;
mod forwarder_orders;
mod held;
mod ledger;
mod log_key;
mod looks;
mod naming;
mod old_reading;
mod options;
mod orders;
mod persist;
mod reading;
pub mod record;
mod replay;
mod retention;
mod scans;
mod source_gap;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

pub use assignments::{ASSIGNMENTS_PER_STEP, AssignmentChange, AssignmentDifferences, AssignmentPage};
pub use attempts::{ATTEMPT_SECONDS, ATTEMPTS_MAX};
pub use closing::BROKEN_MAX;
pub use closing::SLOTS_PER_STEP;
pub use dedup::{DEDUP_MESSAGES_MAX, DEDUP_REDELIVERED_MAX, DEDUP_WINDOW_SECONDS};
pub use differences::{CompleteKind, DRIFT_RECORDS_MAX, OtherParts, ReadDifferences, ReadStep, Told};
pub use drift::Explanation;
pub use erasure::{Sought, persons_of};
pub use forwarder_orders::ForwarderOrder;
pub use held::{ROWS_AS_ONE, ROWS_MAX};
pub use ledger::{EVENT_TYPES_MAX, SourceLedger};
pub use log_key::LogKeyChange;
pub use looks::{LOOK_AGAIN_SECONDS, LOOKS_PENDING_MAX, Look, LookWhy, Looked};
pub use naming::{NamedServer, server_id_of_port, server_of_port};
pub use options::{EngineOptions, OptionsLine};
pub use orders::{ACTOR_CHARS_MAX, ASKED_CHARS_MAX, OperatorOrder, Order, OrderRefusal};
pub use persist::{ENGINE_FORMAT, EngineLine, Version, is_readable_format};
pub use reading::{GONE_HELD_MAX, HELD_MAX, MERGED_MAX, Named, ReadEnd, ReadPage, ReadRun, RunId};
pub use replay::Replay;
pub use retention::{BudgetState, Retention, RetentionWhy};
pub use scans::{LAST_PORTS_MAX, LAST_RESULTS_MAX, PENDING_SCANS_MAX};
pub use source_gap::{SourceGap, SourceGapCause};

use crate::decode::{Decoded, Defect};
use crate::event::{Actor, Change, Event, Kind, Outcome, RawMessage};
use crate::exposure::{Judged, judge};
use crate::finding::{Finding, Findings, Readers};
use crate::model::{CloudModel, Delta, Gap, View};
use crate::names::{Assignments, Directory};
use crate::scan::{CommandId, ScanCommand, ScanLife, ScanReport};
use crate::time::Timestamp;
use crate::trail::RecordKind;
use attempts::{Attempts, Step};
use dedup::{Coming, Dedup, Seen};
use record::{Detail, RecordBody, widen};

/// What happened.
#[derive(Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "one lives at a time, on the stack; a box would cost each message one"
)]
pub enum Input<'a> {
    /// The operator's options, which hold from now on.
    Options(EngineOptions),
    /// A message came.
    Message(&'a RawMessage, Decoded<'a>),
    /// A person ordered that a message in quarantine be handled once more.
    Replay(Replay<'a>),
    /// The API, or a file that was made from it, showed objects.
    Page(ReadPage),
    /// The API, or a file that was made from it, named users, projects and the like.
    Names(Vec<Named>),
    /// The API, or a file that was made from it, showed who has which role.
    Assignments(AssignmentPage),
    /// All pages of a read have come.
    ReadEnd(ReadEnd),
    /// A read that will not come to its end.
    ReadBroken(ReadRun),
    /// Time for one more step towards the end of a read ([`Engine::is_closing`]).
    ReadOn,
    /// What a read changed, out of a journal.
    Differences(ReadDifferences),
    /// What a read changed of role assignments, out of a journal.
    AssignmentDifferences(AssignmentDifferences),
    /// The API said something of single objects that it was asked for.
    Looked(Looked),
    /// A page out of a journal from before only differences were written down.
    OldPage(ReadPage),
    /// The end of a read out of such a journal.
    OldReadEnd(ReadEnd),
    /// Something has become of a command to a scanner.
    Scan(ScanReport),
    /// A person, or a program that reads findings, ordered something.
    Order(Order),
    /// Messages of a source were or may have been lost.
    SourceGap(SourceGap),
    /// Something kept in the store goes, or its disk budget is another matter than before.
    Retention(Retention),
    /// Another key signs the log from now on.
    LogKey(LogKeyChange),
    /// Time passed, and nothing waits to be read: what has not come by now was not sent.
    Tick,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It has the record with this number.
    Recorded(u64),
    /// It came before.
    Duplicate,
    /// It cannot be read.
    Quarantined(Defect),
}

/// What is to be written down and done. Cleared by the caller, so that its memory is used again.
#[derive(Debug, Default)]
pub struct Output {
    /// What became of the message, when there was one.
    pub disposition: Option<Disposition>,
    /// Records, in order; their numbers go on from the last one's.
    pub records: Vec<RecordBody>,
    /// How objects look after the record with the number.
    pub versions: Vec<Version>,
    /// What is to be done, once the records are durable.
    pub commands: Vec<ScanCommand>,
    /// How far commands have come: each that changed.
    pub lives: Vec<ScanLife>,
    /// Commands that are to be given up, once the records are durable.
    pub cancels: Vec<CommandId>,
    /// How findings are: each that changed.
    pub findings: Vec<Finding>,
    /// What a read changed: the only thing about a page, a look, or the end of a read that has to be written down. That of a message
    /// goes before the message.
    pub differences: Option<ReadDifferences>,
    /// The same of role assignments; in one step there is one or the other.
    pub assignments: Option<AssignmentDifferences>,
    /// Objects that are to be read, once the records are durable and if that can be done.
    pub looks: Vec<Look>,
    /// When a [`Input::Tick`] is wanted, or as soon after as nothing waits to be read.
    pub wake_at: Option<Timestamp>,
}

impl Output {
    /// Empties it for the next input.
    pub fn clear(&mut self) {
        self.disposition = None;
        self.records.clear();
        self.versions.clear();
        self.commands.clear();
        self.lives.clear();
        self.cancels.clear();
        self.findings.clear();
        self.differences = None;
        self.assignments = None;
        self.looks.clear();
        self.wake_at = None;
    }
}

/// The most gaps that are remembered as reported; beyond it one may be reported again.
pub const GAPS_MAX: usize = 100_000;

/// How a message came.
#[derive(Clone, Copy, Debug)]
struct Reception {
    at: Timestamp,
    /// Its id was used before for another content.
    conflicting: bool,
    /// It was in quarantine meanwhile.
    late: bool,
}

/// All state that decides anything.
#[derive(Debug, Default)]
pub struct Engine {
    options: EngineOptions,
    /// Whether they stand in the journal.
    options_told: bool,
    clouds: BTreeMap<Option<Arc<str>>, CloudModel>,
    dedup: Dedup,
    attempts: Attempts,
    names: Directory,
    /// Who has which role, by region.
    assignments: BTreeMap<Option<Arc<str>>, Assignments>,
    /// Gaps that have been reported: each once.
    gaps: BTreeSet<(Option<Arc<str>>, Gap)>,
    ledger: BTreeMap<Arc<str>, SourceLedger>,
    /// The reads of the API that are under way, one for each region at most.
    readings: BTreeMap<Option<Arc<str>>, reading::Reading>,
    /// Reads that broke off, of which not all that was held is merged: of a region no more than [`BROKEN_MAX`], the older first.
    broken: VecDeque<reading::Reading>,
    /// What the last read of each region has shown, where that was not the whole.
    seen: BTreeMap<Option<Arc<str>>, confirm::Seen>,
    /// The same of journals from before only differences were written down.
    old_readings: old_reading::OldReadings,
    /// The latest read of each region that changed anything or ended.
    runs: BTreeMap<Option<Arc<str>>, RunId>,
    /// The regions that were read as a whole: since then it is known what is not there.
    informed: BTreeSet<Option<Arc<str>>>,
    /// The latest record of each region that says that messages are missing, until the region is read.
    lost: BTreeMap<Option<Arc<str>>, u64>,
    /// How many objects were not as they were known.
    drift: BTreeMap<(Option<Arc<str>>, Kind), u64>,
    /// How many role assignments were not as they were known.
    assignment_drift: BTreeMap<Option<Arc<str>>, u64>,
    wishes: looks::Wishes,
    scans: scans::Scans,
    findings: Findings,
    readers: Readers,
    /// The number of the last record.
    seq: u64,
}

impl Engine {
    /// An engine that knows nothing yet; `options` hold until [`Input::Options`] tells others.
    pub fn new(options: EngineOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Takes one input at `now` and adds what follows from it to `out`.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Output) {
        let idle = matches!(input, Input::Tick);
        // What differs in nothing from what is known is not journaled and so must change nothing.
        let may_be_nothing = matches!(
            input,
            Input::Page(_)
                | Input::Assignments(_)
                | Input::ReadEnd(_)
                | Input::ReadBroken(_)
                | Input::ReadOn
                | Input::Looked(_)
        );
        match input {
            Input::Options(options) => {
                self.set_options(options);
                out.wake_at = self.wake_at(now);
                return;
            }
            Input::Message(raw, decoded) => self.message(now, raw, decoded, out),
            Input::Replay(replay) => {
                self.replay(now, replay, out);
                out.wake_at = self.wake_at(now);
                return;
            }
            Input::Order(order) => {
                self.order(now, order, out);
                out.wake_at = self.wake_at(now);
                return;
            }
            Input::Page(page) => self.page(now, page, out),
            Input::Names(names) => self.learn_names(now, &names),
            Input::Assignments(page) => self.assignment_page(now, page, out),
            Input::ReadEnd(end) => self.read_end(now, end, out),
            Input::ReadBroken(run) => self.read_broken(now, &run, out),
            Input::ReadOn => self.read_on(now, out),
            Input::Differences(part) => {
                let is_before_event = part.step == ReadStep::Confirmed;
                // It was counted when it was found.
                let drift = std::mem::take(&mut self.drift);
                self.merge_differences(now, part, out);
                self.drift = drift;
                if is_before_event {
                    // Whoever found it went on with the event at once.
                    out.wake_at = self.wake_at(now);
                    return;
                }
            }
            Input::AssignmentDifferences(part) => {
                // As with objects.
                let drift = std::mem::take(&mut self.assignment_drift);
                self.merge_assignments(now, part, out);
                self.assignment_drift = drift;
            }
            Input::Looked(looked) => self.looked(now, looked, out),
            Input::OldPage(page) => self.old_page(now, &page),
            Input::OldReadEnd(end) => self.old_read_end(now, &end),
            Input::Scan(report) => self.scan_report(now, report, out),
            Input::SourceGap(gap) => self.source_gap(now, &gap, out),
            Input::Retention(retention) => self.retention(now, &retention, out),
            Input::LogKey(change) => self.log_key_changed(now, change, out),
            Input::Tick => {}
        }
        if out.disposition != Some(Disposition::Duplicate)
            && !(may_be_nothing && out.differences.is_none() && out.assignments.is_none())
        {
            // A repetition is not journaled and so must change nothing but its count.
            self.expire_attempts(now, idle, out);
            self.review_let_be(now, out);
            self.alarm_unread(now, out);
            self.launch_scans(now, out);
        }
        out.wake_at = self.wake_at(now);
    }

    /// When a [`Input::Tick`] is wanted by whoever goes on after a start and has taken no input yet. None while calls wait for their ends:
    /// those may have come meanwhile and wait to be read.
    pub fn first_wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.attempts.has_open() { None } else { self.wake_at(now) }
    }

    /// When a [`Input::Tick`] has something to do.
    fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let scans = self.scans_wake_at(now);
        let each = [self.attempts.next_expiry(), scans, self.findings.review_due(), self.unread_alarm_at()];
        each.into_iter().flatten().min()
    }

    /// The number of the last record.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The cloud of a region, if anything is known of it.
    pub fn cloud(&self, region: Option<&Arc<str>>) -> Option<&CloudModel> {
        self.clouds.get(&region.cloned())
    }

    /// The clouds of all regions.
    pub fn clouds(&self) -> impl Iterator<Item = &CloudModel> {
        self.clouds.values()
    }

    /// The regions that something is known of, in the order of [`Self::clouds`].
    pub fn regions(&self) -> impl Iterator<Item = Option<&Arc<str>>> {
        self.clouds.keys().map(Option::as_ref)
    }

    /// The clouds of all regions, for whoever has a use for them and none for the rest.
    pub fn into_clouds(self) -> impl Iterator<Item = CloudModel> {
        self.clouds.into_values()
    }

    /// Corrects the number of the last record by what the store has: records are numbered once and for all.
    pub fn set_seq(&mut self, seq: u64) {
        self.seq = seq;
    }

    /// Corrects the ledger of a source by what the store has counted.
    pub fn set_ledger(&mut self, source: &str, correct: impl FnOnce(&mut SourceLedger)) {
        correct(self.ledger.entry(Arc::from(source)).or_default());
    }

    /// Who is called what, and when.
    pub fn names(&self) -> &Directory {
        &self.names
    }

    /// Who has which role, by what each region says.
    pub fn assignments(&self) -> &BTreeMap<Option<Arc<str>>, Assignments> {
        &self.assignments
    }

    /// The ledgers of all sources.
    pub fn ledger(&self) -> &BTreeMap<Arc<str>, SourceLedger> {
        &self.ledger
    }

    fn message(&mut self, now: Timestamp, raw: &RawMessage, decoded: Decoded<'_>, out: &mut Output) {
        let coming = Coming {
            id: decoded.message_id.as_deref(),
            digest: &decoded.digest,
            is_readable: decoded.result.is_ok(),
            is_redelivered: raw.redelivered,
        };
        let seen = self.dedup.see(now, coming);
        let ledger = self.ledger.entry(Arc::clone(&raw.source)).or_default();
        ledger.received += 1;
        let conflicting = match seen {
            Seen::Before => {
                ledger.duplicate += 1;
                out.disposition = Some(Disposition::Duplicate);
                return;
            }
            Seen::Conflicting => true,
            Seen::Never => false,
        };
        let event = match decoded.result {
            Ok(event) => event,
            Err(defect) => {
                ledger.quarantined += 1;
                out.disposition = Some(Disposition::Quarantined(defect));
                return;
            }
        };
        ledger.recorded += 1;
        if matches!(event.change, Change::Unmodelled) {
            ledger.count_unmodelled(&event.event_type);
        }
        self.event(Reception { at: now, conflicting, late: false }, raw, event, out);
    }

    fn event(&mut self, reception: Reception, raw: &RawMessage, mut event: Event, out: &mut Output) {
        let now = reception.at;
        self.names.learn_event(&event, event.timestamp.min(now));
        self.learn_assignment(&raw.region, &event, event.timestamp.min(now));
        naming::name_actor(&self.names, &mut event);
        if !(self.readings.is_empty() && self.seen.is_empty()) {
            self.confirm_shown(now, &raw.region, &event, out);
        }
        let options = &self.options.model;
        let cloud = self
            .clouds
            .entry(raw.region.clone())
            .or_insert_with_key(|region| CloudModel::new(region.clone(), options.clone()));
        let described = describe::describe(cloud, &self.names, &event);
        let spoken = if self.findings.has_open() { cloud.spoken_of(&event) } else { Vec::new() };
        let places = self.known_places(&raw.region, spoken.iter().map(|(kind, id)| (*kind, id)));
        let cloud = self.cloud_or_new(raw.region.clone());
        let delta = cloud.apply(now, &event);
        let gaps = delta.gaps.clone();
        let mut questions = looks::open_questions(cloud, &event);
        questions.extend(delta.unsure.iter().map(|(kind, id)| (*kind, id.clone(), LookWhy::UnsureClock)));
        self.note_spoken(&raw.region, event.timestamp, &delta.touched);
        let retagged = delta.retagged;
        let exposure = self.judge(raw.region.as_ref(), self.seq + 1, delta, out);
        let wide = self.cloud(raw.region.as_ref()).map(|cloud| widen(cloud, &exposure)).unwrap_or_default();
        let record = RecordBody {
            kind: described.kind,
            time: event.timestamp,
            recorded_at: now,
            source: Some(Arc::clone(&raw.source)),
            region: raw.region.clone(),
            message_id: event.message_id,
            request_id: event.request_id,
            event_type: Some(event.event_type),
            outcome: event.outcome,
            actor: event.actor,
            target: described.target,
            cause: None,
            conflicting: reception.conflicting,
            exposure,
            wide,
            detail: described.detail,
            personal: described.personal,
        };
        // Of a request whose message comes late nobody can say that it never ended: its end may have come and been forgotten.
        match described.step.filter(|step| !reception.late || matches!(step, Step::End(_))) {
            Some(step) => self.attempts.note(step, &record, self.seq + 1, now),
            None => self.attempts.pass(&record, now),
        }
        let seq = self.record_and_scan(now, record, out);
        self.settle(now, Some(seq), places, out);
        if retagged {
            self.review_retagged(now, Some(seq), out);
        }
        out.disposition = Some(Disposition::Recorded(seq));
        for gap in gaps {
            if !self.gaps.insert((raw.region.clone(), gap.clone())) {
                continue;
            }
            if self.gaps.len() > GAPS_MAX {
                self.gaps.pop_first();
            }
            let text = format!(
                "port {} has security group {}, which nobody described: its rules are not known",
                gap.port_id, gap.security_group_id
            );
            self.follow(now, event.timestamp, RecordKind::Gap, seq, raw.region.clone(), text, out);
            let (kind, why) = (Kind::SecurityGroup, LookWhy::UnknownGroup);
            let region = raw.region.clone();
            self.wish(now, Look { region, kind, id: gap.security_group_id, cause: self.seq, why }, out);
        }
        for (kind, id, why) in questions {
            self.wish(now, Look { region: raw.region.clone(), kind, id, cause: seq, why }, out);
        }
    }

    /// Judges a delta and notes the versions of the objects it touched.
    fn judge(&mut self, region: Option<&Arc<str>>, seq: u64, delta: Delta, out: &mut Output) -> Judged {
        let Some(cloud) = self.clouds.get(&region.cloned()) else { return Judged::default() };
        for (kind, id) in &delta.touched {
            out.versions.push(Version { seq, region: region.cloned(), line: cloud.line(*kind, id) });
        }
        judge(cloud, delta)
    }

    /// Adds a record and returns its number.
    fn record(&mut self, record: RecordBody, out: &mut Output) -> u64 {
        self.seq += 1;
        out.records.push(record);
        self.seq
    }

    /// The same, and has what it opened and closed scanned, where anything is.
    fn record_and_scan(&mut self, now: Timestamp, record: RecordBody, out: &mut Output) -> u64 {
        let matters = self.options.scan.is_some() || self.findings.has_open();
        let to_scan = matters.then(|| (record.region.clone(), record.exposure.clone()));
        let seq = self.record(record, out);
        if let Some((region, exposure)) = to_scan {
            self.plan_scans(now, seq, region.as_ref(), &exposure, out);
            self.note_closed(now, seq, region.as_ref(), &exposure, out);
        }
        seq
    }

    /// Adds a record of something that follows from another record.
    #[allow(clippy::too_many_arguments, reason = "each is one field of the record")]
    fn follow(
        &mut self,
        now: Timestamp,
        time: Timestamp,
        kind: RecordKind,
        cause: u64,
        region: Option<Arc<str>>,
        text: String,
        out: &mut Output,
    ) {
        let record = RecordBody { cause: Some(cause), region, ..system_record(now, time, kind, text) };
        self.record(record, out);
    }

    /// Requests that began and never ended were denied or failed.
    fn expire_attempts(&mut self, now: Timestamp, idle: bool, out: &mut Output) {
        for record in self.attempts.expire(now, idle) {
            self.record(record, out);
        }
    }
}

/// A record that stems from no message.
fn system_record(now: Timestamp, time: Timestamp, kind: RecordKind, text: String) -> RecordBody {
    RecordBody {
        kind,
        time,
        recorded_at: now,
        source: None,
        region: None,
        message_id: None,
        request_id: None,
        event_type: None,
        outcome: Outcome::Unknown,
        actor: Actor::default(),
        target: None,
        cause: None,
        conflicting: false,
        exposure: Judged::default(),
        wide: Vec::new(),
        detail: Detail::from([("text".into(), text)]),
        personal: Detail::new(),
    }
}

/// The rows of all regions, in the order of contract §4.
pub fn all_rows(
    engine: &Engine,
    mut keep: impl FnMut(&CloudModel, &crate::model::Row) -> bool,
) -> Vec<crate::model::Row> {
    let mut rows = Vec::new();
    for cloud in engine.clouds() {
        let mut of_cloud = Vec::new();
        for slot in cloud.ports() {
            cloud.rows_of(slot, &mut of_cloud);
        }
        rows.extend(of_cloud.into_iter().filter(|row| keep(cloud, row)));
    }
    crate::model::sort_rows(&mut rows);
    rows
}
