//! The writer's thread with stores that work, end it, or cannot let go.

use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::*;
use crate::store::{
    EntryKind, Eraser, NewSegment, NewStore, PartContent, Reader, SnapshotInfo, Store, StoreInfo, StoredPart,
    StoredRecord, Whose,
};

/// A directory that goes with the test.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn store(name: &str) -> (Directory, Box<dyn Journal>) {
    let path = std::env::temp_dir().join(format!("osel-writer-{name}-{}", std::process::id()));
    let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
    let journal = Store::create(&path, &new).expect("the directory is new");
    (Directory(path), Box::new(journal))
}

fn batch(number: u64) -> Batch {
    let entry = Entry {
        number,
        at: Timestamp::EPOCH,
        kind: EntryKind::TICK,
        source: "".into(),
        head: Vec::new(),
        body: Vec::new(),
        erased: false,
    };
    Batch { entries: vec![entry], ..Batch::default() }
}

#[test]
fn a_writer_that_ends_says_so_though_nobody_gives_it_more() {
    let (_directory, journal) = store("ends");
    let (told, heard) = channel();
    let notify = move || {
        let _ = told.send(());
    };
    let mut writer = Writer::start(journal, OnFailure::Keep, notify).expect("threads");
    writer.commit(batch(1)).expect("it runs");
    // Entry 2 is missing: a defect of whoever gives it, which trying again does not mend.
    writer.commit(batch(3)).expect("it runs");
    // Until the thread is gone, and the sender with it.
    heard.iter().for_each(drop);
    assert!(matches!(writer.take_written().as_deref(), Ok([Written::Durable(1)])));
    assert!(!writer.is_done());
    let error = writer.take_written().expect_err("the thread has ended");
    assert_eq!(error.class(), ErrorClass::Bug, "{error}");
}

/// A store in which a chore fails, and leaves it as any failed write does.
struct Stuck {
    journal: Box<dyn Journal>,
    is_poisoned: bool,
    stuck: StuckIn,
    tried: Arc<AtomicU64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum StuckIn {
    Erasing,
    Expiring,
}

impl Stuck {
    /// One to give to a writer, and how often what fails was tried.
    fn new(journal: Box<dyn Journal>, stuck: StuckIn) -> (Box<Self>, Arc<AtomicU64>) {
        let tried = Arc::default();
        (Box::new(Self { journal, is_poisoned: false, stuck, tried: Arc::clone(&tried) }), tried)
    }

    fn fail(&mut self) -> Result<bool, JournalError> {
        self.tried.fetch_add(1, Ordering::Relaxed);
        self.is_poisoned = true;
        Err(poisoned())
    }

    fn open(&mut self) -> Result<&mut dyn Journal, JournalError> {
        if self.is_poisoned { Err(poisoned()) } else { Ok(&mut *self.journal) }
    }
}

fn poisoned() -> JournalError {
    JournalError::Poisoned { path: PathBuf::new() }
}

impl Journal for Stuck {
    fn info(&self) -> &StoreInfo {
        self.journal.info()
    }

    fn head(&self) -> Head {
        self.journal.head()
    }

    fn commit(&mut self, commit: &Commit<'_>) -> Result<Head, JournalError> {
        self.open()?.commit(commit)
    }

    fn reopen(&mut self) -> Result<Head, JournalError> {
        self.is_poisoned = false;
        self.journal.reopen()
    }

    fn begin_snapshot(&mut self, seq: u64, entry: u64, made_at: Timestamp) -> Result<u64, JournalError> {
        self.open()?.begin_snapshot(seq, entry, made_at)
    }

    fn add_snapshot_chunk(&mut self, id: u64, data: &[u8]) -> Result<(), JournalError> {
        self.open()?.add_snapshot_chunk(id, data)
    }

    fn complete_snapshot(&mut self, id: u64) -> Result<SnapshotInfo, JournalError> {
        self.open()?.complete_snapshot(id)
    }

    fn prune_snapshots(
        &mut self,
        keep: &mut dyn FnMut(&SnapshotInfo) -> bool,
    ) -> Result<usize, JournalError> {
        self.open()?.prune_snapshots(keep)
    }

    fn erase_part(&mut self, seq: u64, class: u8, project: Option<&str>) -> Result<usize, JournalError> {
        self.open()?.erase_part(seq, class, project)
    }

    fn erase_persons(&mut self, how_long: Duration, eraser: &dyn Eraser) -> Result<bool, JournalError> {
        match self.stuck {
            StuckIn::Erasing => self.fail(),
            StuckIn::Expiring => self.open()?.erase_persons(how_long, eraser),
        }
    }

    fn expire(&mut self, how_long: Duration) -> Result<bool, JournalError> {
        match self.stuck {
            StuckIn::Erasing => self.open()?.expire(how_long),
            StuckIn::Expiring => self.fail(),
        }
    }

    fn drop_keys(&mut self, eraser: &dyn Eraser) -> Result<bool, JournalError> {
        self.open()?.drop_keys(eraser)
    }

    fn put_segment(&mut self, segment: &NewSegment) -> Result<bool, JournalError> {
        self.open()?.put_segment(segment)
    }

    fn drop_index(&mut self) -> Result<(), JournalError> {
        self.open()?.drop_index()
    }

    fn reader(&self) -> Result<Box<dyn Reader>, JournalError> {
        self.journal.reader()
    }
}

#[test]
fn batches_that_wait_become_one_up_to_what_is_given_after_them() {
    let (_directory, journal) = store("joins");
    let (told, heard) = channel();
    let mut writing = Writing::new(journal, OnFailure::End, told, Arc::new(|| {}));
    let (give, given) = sync_channel(9);
    let order = Batch { expiry: Some(Expiry::default()), ..batch(4) };
    let far = Batch { bytes: usize::MAX, ..batch(6) };
    let (answer, _) = sync_channel(1);
    for work in [batch(2), batch(3), order, batch(5), far].map(|batch| Work::Commit(Box::new(batch))) {
        give.send(work).expect("there is room");
    }
    give.send(Work::Flush(answer)).expect("there is room");
    give.send(Work::Commit(Box::new(batch(7)))).expect("there is room");
    writing.take(Box::new(batch(1)), &given);
    // As many at once as may wait; the next ones are taken behind them.
    assert_eq!(writing.number, 4);
    let Ok(Work::Commit(next)) = given.try_recv() else { panic!("there is more") };
    writing.take(next, &given);
    let waiting = writing.waiting.iter();
    let waiting: Vec<_> = waiting.map(|(number, batch)| (*number, batch.entries.len())).collect();
    assert_eq!(waiting, [(3, 3), (4, 1), (5, 1), (6, 1)]);
    assert!(matches!(writing.next, Some(Work::Flush(_))), "it comes after them");
    writing.write_waiting().expect("they are in order");
    assert_eq!(writing.journal.head().entry, 6);
    let durable = heard.try_iter().filter_map(|written| match written {
        Written::Durable(number) => Some(number),
        _ => None,
    });
    assert_eq!(durable.collect::<Vec<_>>(), [3, 4, 5, 6]);
}

#[test]
fn of_batches_that_become_one_the_later_count_holds() {
    let counted = |source: &str, received| Counters {
        source: source.to_owned(),
        received,
        recorded: received,
        ..Counters::default()
    };
    let mut first = Batch { counters: vec![counted("a", 1), counted("b", 1)], ..batch(1) };
    let second = Batch { counters: vec![counted("a", 2)], ..batch(2) };
    assert!(first.join(Box::new(second)).is_ok());
    assert_eq!(first.counters, [counted("b", 1), counted("a", 2)]);
}

#[test]
fn batches_are_written_though_nothing_can_be_let_go_of() {
    for on_failure in [OnFailure::End, OnFailure::Keep] {
        let (_directory, journal) = store("stuck");
        let (journal, tried) = Stuck::new(journal, StuckIn::Expiring);
        let mut writer = Writer::start(journal, on_failure, || {}).expect("threads");
        let mut write = |batch: Batch| {
            writer.commit(batch).expect("it runs");
            writer.flush().expect("it is written");
            let written = writer.take_written().expect("it runs");
            let failed = written.iter().filter(|written| matches!(written, Written::NotExpired(_))).count();
            (writer.is_done(), failed, writer.is_expiring())
        };
        write(batch(1));
        // It was tried, by an order that an earlier writer may have left, and is left from then on: nothing more is on its way out.
        assert_eq!(tried.load(Ordering::Relaxed), 1);
        assert_eq!([2, 3].map(|number| write(batch(number))), [(true, 0, false); 2]);
        assert_eq!(tried.load(Ordering::Relaxed), 1);
        let order = Batch { expiry: Some(Expiry::default()), ..batch(4) };
        assert_eq!([write(order), write(batch(5))], [(true, 1, false), (true, 0, false)]);
        assert_eq!(tried.load(Ordering::Relaxed), 2, "an order is a reason to try again");
        writer.tend().expect("it runs");
        while writer.is_expiring() {
            std::thread::yield_now();
        }
        assert_eq!(tried.load(Ordering::Relaxed), 3, "and so is whoever looks after the store");
    }
}

/// Records with a part each of a class that only the store looks at.
fn records(numbers: std::ops::RangeInclusive<u64>) -> Batch {
    let record = |seq: u64| StoredRecord {
        seq,
        entry: seq,
        kind: 1,
        time: Timestamp::EPOCH,
        as_of: Timestamp::EPOCH,
        canonical: vec![1],
        hash: [seq as u8; 32],
        parts: vec![StoredPart {
            class: 9,
            project: None,
            whose: Whose::Nobody,
            salt: [1; 16],
            content: PartContent::Bytes(vec![1]),
        }],
    };
    let entries = numbers.clone().flat_map(|number| batch(number).entries).collect();
    Batch { entries, records: numbers.map(record).collect(), ..Batch::default() }
}

#[test]
fn what_is_old_goes_though_nobody_can_be_erased() {
    let (_directory, journal) = store("erasing");
    let (journal, tried) = Stuck::new(journal, StuckIn::Erasing);
    let mut reader = journal.reader().expect("it is there");
    let mut writer = Writer::start(journal, OnFailure::Keep, || {}).expect("threads");
    writer.commit(records(1..=1000)).expect("it runs");
    let parts = [(9, 1000)].into();
    let order = Batch { expiry: Some(Expiry { parts, ..Expiry::default() }), ..batch(1001) };
    writer.commit(order).expect("it runs");
    writer.flush().expect("it is written");
    let mut is_gone = |seq| {
        let record = reader.record(seq).expect("it can be read").expect("it is there");
        record.parts.iter().all(|part| part.content == PartContent::Gone)
    };
    while !is_gone(1000) {
        // Answered between two slices.
        writer.flush().expect("it runs");
    }
    while writer.is_expiring() {
        writer.flush().expect("it runs");
    }
    let written = writer.take_written().expect("it runs");
    let failed = written.iter().filter(|written| matches!(written, Written::NotExpired(_))).count() as u64;
    // By what an earlier writer may have left, unless the order came first, and by the order; it is left meanwhile, and keeps nobody from looking what may go.
    assert!((1..=2).contains(&failed), "{failed}");
    assert_eq!(failed, tried.load(Ordering::Relaxed));
    assert!(is_gone(1));
}

#[test]
fn an_end_waits_for_what_was_given() {
    let (directory, journal) = store("waits");
    let mut writer = Writer::start(journal, OnFailure::Keep, || {}).expect("threads");
    for number in 1..=3 {
        writer.commit(batch(number)).expect("it runs");
    }
    assert!(writer.end_by(Instant::now() + Duration::from_secs(60)));
    let journal = Store::open_writer(&directory.0).expect("the writer has let go of it");
    assert_eq!(journal.head().entry, 3);
}

#[test]
fn the_last_snapshot_of_each_day_is_kept_where_it_is_wanted_else_of_each_week() {
    // Three whole weeks lie before the latest ones.
    for (daily, left) in [(true, 40), (false, RECENT_SNAPSHOTS + 3)] {
        let (_directory, journal) = store("daily");
        let mut reader = journal.reader().expect("it is there");
        let mut writer = Writer::start(journal, OnFailure::End, || {}).expect("threads");
        for day in 0..40 {
            let made_at = Timestamp::EPOCH.plus_seconds(day * 86_400);
            writer.begin_snapshot(0, 0, made_at).expect("it runs");
            writer.end_snapshot(daily).expect("it runs");
        }
        writer.flush().expect("it is written");
        assert_eq!(reader.snapshots().expect("they are there").len(), left);
    }
}
