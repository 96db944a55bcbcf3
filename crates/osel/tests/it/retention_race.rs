//! A state that is folded from the journal while the journal goes.

use std::ops::ControlFlow;

use osel::runtime::past::{Asked, Excerpt};
use osel::runtime::retention::survey;
use osel::runtime::state;
use osel::store::{
    CommandRow, Counters, CursorRow, DeadLetterRow, Entry, ErasureRow, Expiry, FindingRow, ForwarderRow,
    Head, Holdings, JournalError, LogKeyRow, NodeRow, Numbers, PackedChunk, QuarantineItem, QuarantineState,
    Reader, Segment, SignedCheckpoint, SnapshotInfo, StoreInfo, StoredRecord, VersionSet, WitnessedRow,
};
use osel_core::engine::{BudgetState, Engine, EngineOptions};
use osel_core::model::Row;
use osel_core::time::Timestamp;

use crate::command::Place;
use crate::retention::{Listener, clouds, day, days};

/// A reader that knows no versions, and beside which inputs go as soon as it begins to fold.
struct Raced<'a> {
    reader: Box<dyn Reader>,
    race: Option<Box<dyn FnOnce() + Send + 'a>>,
}

type Each<'a, T> = &'a mut dyn FnMut(T) -> ControlFlow<()>;
type Read<T> = Result<T, JournalError>;

impl Reader for Raced<'_> {
    fn info(&mut self) -> Read<StoreInfo> {
        self.reader.info()
    }

    fn head(&mut self) -> Read<Head> {
        self.reader.head()
    }

    fn record(&mut self, seq: u64) -> Read<Option<StoredRecord>> {
        self.reader.record(seq)
    }

    fn records(&mut self, range: Numbers, each: Each<'_, StoredRecord>) -> Read<()> {
        self.reader.records(range, each)
    }

    fn entry(&mut self, number: u64) -> Read<Option<Entry>> {
        self.reader.entry(number)
    }

    fn entries(&mut self, range: Numbers, each: Each<'_, Entry>) -> Read<()> {
        if let Some(race) = self.race.take() {
            race();
        }
        self.reader.entries(range, each)
    }

    fn index_generation(&mut self) -> Read<u64> {
        self.reader.index_generation()
    }

    fn segments(&mut self, each: Each<'_, Segment>) -> Read<()> {
        self.reader.segments(each)
    }

    fn segment_pages(
        &mut self,
        segment: u64,
        class: u8,
        terms: (&[u8], &[u8]),
        each: Each<'_, Vec<u8>>,
    ) -> Read<()> {
        self.reader.segment_pages(segment, class, terms, each)
    }

    fn leaves(&mut self, range: Numbers, each: Each<'_, [u8; 32]>) -> Read<()> {
        self.reader.leaves(range, each)
    }

    fn nodes(&mut self, level: u8, range: Numbers, each: Each<'_, NodeRow>) -> Read<()> {
        self.reader.nodes(level, range, each)
    }

    fn checkpoint(&mut self, at_most: Option<u64>) -> Read<Option<SignedCheckpoint>> {
        self.reader.checkpoint(at_most)
    }

    fn checkpoints(&mut self, sizes: Numbers, each: Each<'_, SignedCheckpoint>) -> Read<()> {
        self.reader.checkpoints(sizes, each)
    }

    fn log_keys(&mut self) -> Read<Vec<LogKeyRow>> {
        self.reader.log_keys()
    }

    fn witnessed(&mut self) -> Read<Vec<WitnessedRow>> {
        self.reader.witnessed()
    }

    fn forwarders(&mut self) -> Read<Vec<ForwarderRow>> {
        self.reader.forwarders()
    }

    fn dead_letters(&mut self, forwarder: &str, each: Each<'_, DeadLetterRow>) -> Read<()> {
        self.reader.dead_letters(forwarder, each)
    }

    fn erasures(&mut self) -> Read<Vec<ErasureRow>> {
        self.reader.erasures()
    }

    fn persons(&mut self, each: Each<'_, String>) -> Read<()> {
        self.reader.persons(each)
    }

    fn ledger(&mut self) -> Read<Vec<Counters>> {
        self.reader.ledger()
    }

    fn cursors(&mut self) -> Read<Vec<CursorRow>> {
        self.reader.cursors()
    }

    fn quarantine(&mut self, state: Option<QuarantineState>, each: Each<'_, QuarantineItem>) -> Read<()> {
        self.reader.quarantine(state, each)
    }

    fn quarantine_item(&mut self, id: u64) -> Read<Option<QuarantineItem>> {
        self.reader.quarantine_item(id)
    }

    fn commands(&mut self, state: Option<&str>, each: Each<'_, CommandRow>) -> Read<()> {
        self.reader.commands(state, each)
    }

    fn commands_from(&mut self, seq: u64, each: Each<'_, CommandRow>) -> Read<()> {
        self.reader.commands_from(seq, each)
    }

    fn command(&mut self, id: &str) -> Read<Option<CommandRow>> {
        self.reader.command(id)
    }

    fn findings(&mut self, state: Option<&str>, each: Each<'_, FindingRow>) -> Read<()> {
        self.reader.findings(state, each)
    }

    fn finding(&mut self, id: &str) -> Read<Option<FindingRow>> {
        self.reader.finding(id)
    }

    fn snapshots(&mut self) -> Read<Vec<SnapshotInfo>> {
        self.reader.snapshots()
    }

    fn snapshot_at(&mut self, seq: u64) -> Read<Option<SnapshotInfo>> {
        self.reader.snapshot_at(seq)
    }

    fn snapshot(&mut self, id: u64, each: Each<'_, Vec<u8>>) -> Read<()> {
        self.reader.snapshot(id, each)
    }

    fn snapshot_chunk(&mut self, id: u64, chunk: u64) -> Read<PackedChunk> {
        self.reader.snapshot_chunk(id, chunk)
    }

    fn versions(&mut self, range: Numbers, each: Each<'_, VersionSet>) -> Read<()> {
        let _ = each(VersionSet { seq: *range.start(), data: b"of another form".to_vec() });
        Ok(())
    }

    fn expiry(&mut self) -> Read<Expiry> {
        self.reader.expiry()
    }

    fn holdings(&mut self) -> Read<Holdings> {
        self.reader.holdings()
    }

    fn seq_at(&mut self, time: Timestamp) -> Read<u64> {
        self.reader.seq_at(time)
    }
}

#[test]
fn a_state_is_right_or_refused_though_inputs_go_while_it_is_folded() {
    let place = Place::new("retention-raced");
    let mut listener = Listener::new(&place, "store", 13);
    listener.listen(6);
    let policy = days(1);
    let horizon = survey(&mut *listener.reader(), &policy, day(6), BudgetState::Within).unwrap();
    let horizon = horizon.expiry.unwrap().checkpoint.seq;
    let at = |race: Option<Box<dyn FnOnce() + Send + '_>>, seq| {
        let mut reader = Raced { reader: listener.reader(), race };
        state::at(&mut reader, seq, &EngineOptions::default())
    };
    let last = *listener.states.last_key_value().unwrap().0;
    let is_right = |found: Engine| clouds(&found) == listener.states[&last];
    assert!(is_right(at(None, last).unwrap()));
    // From before the horizon to be: what it is folded from goes.
    let race = || {
        listener.decide(&policy);
        listener.expire();
    };
    match at(Some(Box::new(race)), horizon - 1) {
        Err(JournalError::Expired { seq, .. }) => assert_eq!(seq, horizon),
        found => panic!("{found:?}"),
    }
    assert!(is_right(at(None, last).unwrap()));
}

/// Versions that an earlier osel wrote in its own form say nothing: what they said is worked out from the journal.
#[test]
fn changes_of_another_form_are_folded_from_the_journal() {
    let place = Place::new("retention-form");
    let mut listener = Listener::new(&place, "store", 3);
    listener.listen(12);
    let last = listener.reader().head().unwrap().seq;
    let range = (last / 3, last);
    let changes = |reader: &mut dyn Reader| {
        let options = EngineOptions::default();
        let asked = Asked::ChangedAfter(range.0);
        let mut part = Excerpt::load(reader, range, &asked, false, &options).unwrap().at(range.0, &options);
        let mut changes = Vec::new();
        while let Some(mut change) = part.next_change() {
            for rows in [&mut change.opened, &mut change.closed] {
                rows.sort_by(Row::cmp_exposure);
            }
            changes.push((change.seq, change.opened, change.closed));
        }
        changes
    };
    let folded = changes(&mut Raced { reader: listener.reader(), race: None });
    assert!(folded.len() > 3, "{folded:?}");
    assert_eq!(folded, changes(&mut *listener.reader()));
}
