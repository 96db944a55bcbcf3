//! What every store must do: the conformance suite, run on each implementation of [`Journal`].
//!
//! Each check gets an empty store of its own from `make`.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use osel_core::time::Timestamp;

use super::check::CommitFault;
use super::data::*;
use super::error::{ErrorClass, JournalError};
use super::journal::{Journal, Reader, SNAPSHOT_CHUNK_BYTES_MAX};
use super::new_records::NewRecords;
use super::packed::PackedChunk;
use super::{suite_expiry, suite_forward, suite_index, suite_log, suite_persons};

/// Runs the whole suite.
pub(super) fn suite(make: &mut dyn FnMut() -> Box<dyn Journal>) {
    an_empty_store_has_nothing(&mut *make());
    a_commit_is_there_at_once_and_whole(&mut *make());
    batches_of_every_size_come_back(&mut *make());
    a_wrong_commit_changes_nothing(&mut *make());
    an_older_writer_is_refused(&mut *make());
    ledgers_keep_what_a_commit_does_not_name(&mut *make());
    cursors_are_those_of_the_last_commit_that_named_them(&mut *make());
    quarantine_commands_and_findings_change_in_place(&mut *make());
    a_time_finds_its_record(&mut *make());
    versions_come_back_by_record(&mut *make());
    snapshots_show_when_complete(&mut *make());
    a_part_is_erased_and_the_rest_stays(&mut *make());
    a_part_in_an_entry_goes_from_there(&mut *make());
    a_slow_reader_sees_what_comes_meanwhile(&mut *make());
    reopening_keeps_the_head(&mut *make());
    suite_expiry::suite(make);
    suite_index::suite(make);
    suite_log::suite(make);
    suite_forward::suite(make);
    suite_persons::suite(make);
}

/// The time that many seconds after 1970.
pub(super) fn seconds(seconds: i64) -> Timestamp {
    Timestamp::EPOCH.plus_seconds(seconds)
}

/// An entry that says its number.
pub(super) fn entry(number: u64) -> Entry {
    Entry {
        number,
        at: seconds(number as i64),
        kind: EntryKind::MESSAGE,
        source: "region-one".into(),
        head: b"{\"routing_key\":\"notifications.info\"}".to_vec(),
        body: format!("{{\"event_type\":\"port.create.end\",\"n\":{number}}}").into_bytes(),
        erased: false,
    }
}

/// A record of the entry with the same number, with a part of every sort; as of every tenth second.
pub(super) fn record(seq: u64) -> StoredRecord {
    let part = |class, project: Option<&str>, content| StoredPart {
        class,
        project: project.map(Into::into),
        whose: Whose::Nobody,
        salt: [seq as u8 | 1; 16],
        content,
    };
    StoredRecord {
        seq,
        entry: seq,
        kind: 3,
        time: seconds(seq as i64 - 5),
        as_of: seconds(seq as i64 / 10 * 10),
        canonical: format!("canonical {seq}").into_bytes(),
        hash: [seq as u8; 32],
        parts: vec![
            part(1, None, PartContent::Bytes(format!("body {seq}").into_bytes())),
            part(2, Some("aster"), PartContent::Bytes(b"rows of aster".to_vec())),
            part(2, Some("birch"), PartContent::Bytes(b"rows of birch".to_vec())),
            part(3, None, PartContent::InEntry),
        ],
    }
}

/// Adds these to what is there, and nothing else.
pub(super) fn commit(
    journal: &mut dyn Journal,
    entries: &[Entry],
    records: &[StoredRecord],
) -> Result<Head, JournalError> {
    let (head, epoch) = (journal.head(), journal.info().epoch);
    journal.commit(&Commit { entries, records: &NewRecords::of(records), ..Commit::empty(epoch, head) })
}

/// Adds entries and records `from..=to`.
pub(super) fn add(journal: &mut dyn Journal, to: u64) -> Result<Head, JournalError> {
    let head = journal.head();
    let entries: Vec<_> = (head.entry + 1..=to).map(entry).collect();
    let records: Vec<_> = (head.seq + 1..=to).map(record).collect();
    commit(journal, &entries, &records)
}

/// Collects what a reader gives one by one.
pub(super) fn collect<T>(
    read: impl FnOnce(&mut dyn FnMut(T) -> ControlFlow<()>) -> Result<(), JournalError>,
) -> Vec<T> {
    let mut all = Vec::new();
    read(&mut |one| {
        all.push(one);
        ControlFlow::Continue(())
    })
    .unwrap();
    all
}

/// A reader of the same store.
pub(super) fn reader(journal: &dyn Journal) -> Box<dyn Reader> {
    journal.reader().unwrap()
}

/// What is wrong with a commit that was refused.
pub(super) fn refusal(result: Result<Head, JournalError>) -> CommitFault {
    match result {
        Err(JournalError::Refused { source, .. }) => *source,
        other => panic!("{other:?}"),
    }
}

fn an_empty_store_has_nothing(journal: &mut dyn Journal) {
    assert_eq!(journal.head(), Head::EMPTY);
    let mut reader = reader(journal);
    assert_eq!(reader.head().unwrap(), Head::EMPTY);
    assert_eq!(reader.info().unwrap(), *journal.info());
    assert_eq!(reader.record(1).unwrap(), None);
    assert_eq!(reader.entry(1).unwrap(), None);
    assert_eq!(reader.snapshot_at(u64::MAX).unwrap(), None);
    assert_eq!(reader.seq_at(Timestamp::MAX).unwrap(), 0);
    assert_eq!(reader.ledger().unwrap(), []);
    assert_eq!(collect(|each| reader.records(ALL, each)), []);
    assert_eq!(collect(|each| reader.entries(ALL, each)), []);
    assert_eq!(collect(|each| reader.versions(ALL, each)), []);
    assert_eq!(collect(|each| reader.commands(None, each)), []);
    assert_eq!(collect(|each| reader.findings(None, each)), []);
    assert_eq!(collect(|each| reader.quarantine(None, each)), []);
}

fn a_commit_is_there_at_once_and_whole(journal: &mut dyn Journal) {
    let mut reader = reader(journal);
    let head = add(journal, 3).unwrap();
    assert_eq!(head, Head { seq: 3, hash: [3; 32], entry: 3 });
    assert_eq!(journal.head(), head);
    assert_eq!(reader.head().unwrap(), head);
    assert_eq!(reader.record(2).unwrap(), Some(record(2)));
    assert_eq!(reader.entry(2).unwrap(), Some(entry(2)));
    assert_eq!((reader.record(4).unwrap(), reader.entry(4).unwrap()), (None, None));
    assert_eq!((reader.record(0).unwrap(), reader.entry(0).unwrap()), (None, None));
}

fn batches_of_every_size_come_back(journal: &mut dyn Journal) {
    let mut to = 0;
    for size in [1, 512, 2, 0, 300, 1] {
        to += size;
        add(journal, to).unwrap();
    }
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.records(ALL, each)), (1..=to).map(record).collect::<Vec<_>>());
    assert_eq!(collect(|each| reader.entries(ALL, each)), (1..=to).map(entry).collect::<Vec<_>>());
    for range in [1..=1, 2..=513, 512..=514, 700..=700, 815..=u64::MAX, 817..=900] {
        let numbers: Vec<_> = range.clone().take_while(|number| *number <= to).collect();
        let seqs: Vec<_> =
            collect(|each| reader.records(range.clone(), each)).iter().map(|r| r.seq).collect();
        let entries: Vec<_> =
            collect(|each| reader.entries(range.clone(), each)).iter().map(|e| e.number).collect();
        assert_eq!((&seqs, &entries), (&numbers, &numbers), "{range:?}");
    }
    let mut seen = 0;
    reader
        .records(ALL, &mut |_| {
            seen += 1;
            if seen == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, 5);
}

fn a_wrong_commit_changes_nothing(journal: &mut dyn Journal) {
    let head = add(journal, 10).unwrap();
    let epoch = journal.info().epoch;
    let empty = Commit::empty(epoch, head);
    let other = Head { seq: 9, ..head };
    assert_eq!(
        refusal(journal.commit(&Commit { previous: other, ..empty })),
        CommitFault::Previous { previous: other, head }
    );
    assert_eq!(
        refusal(journal.commit(&Commit { entries: &[entry(12)], ..empty })),
        CommitFault::Entry { expected: 11, found: 12 }
    );
    assert_eq!(
        refusal(journal.commit(&Commit { entries: &[entry(11), entry(11)], ..empty })),
        CommitFault::Entry { expected: 12, found: 11 }
    );
    assert_eq!(
        refusal(journal.commit(&Commit { records: &NewRecords::of(&[record(10)]), ..empty })),
        CommitFault::Record { expected: 11, found: 10 }
    );
    assert_eq!(
        refusal(journal.commit(&Commit { records: &NewRecords::of(&[record(11)]), ..empty })),
        CommitFault::RecordEntry { seq: 11, entry: 11 }
    );
    let no_entry = StoredRecord { entry: 0, ..record(11) };
    assert_eq!(
        refusal(journal.commit(&Commit { records: &NewRecords::of(&[no_entry]), ..empty })),
        CommitFault::RecordEntry { seq: 11, entry: 0 }
    );
    let early = StoredRecord { as_of: seconds(9), entry: 1, ..record(11) };
    assert_eq!(
        refusal(journal.commit(&Commit { records: &NewRecords::of(&[early]), ..empty })),
        CommitFault::AsOf { seq: 11, as_of: seconds(9), before: seconds(10) }
    );
    let unbalanced = Counters { source: "s".to_owned(), received: 2, recorded: 1, ..Counters::default() };
    assert_eq!(
        refusal(journal.commit(&Commit { counters: &[unbalanced], ..empty })),
        CommitFault::Ledger { source_name: "s".to_owned(), received: 2, settled: 1 }
    );
    let item = QuarantineItem { entry: 11, ..quarantined(1) };
    assert_eq!(
        refusal(journal.commit(&Commit { quarantine: &[item], ..empty })),
        CommitFault::Quarantine { id: 1, entry: 11 }
    );
    let planned = CommandRow { seq: 11, ..command("a", 1) };
    assert_eq!(
        refusal(journal.commit(&Commit { commands: &[planned], ..empty })),
        CommitFault::Command { id: "a".to_owned(), seq: 11 }
    );
    for seq in [0, 11] {
        let opened = FindingRow { seq, ..command("f", 1) };
        assert_eq!(
            refusal(journal.commit(&Commit { findings: &[opened], ..empty })),
            CommitFault::Finding { id: "f".to_owned(), seq }
        );
    }
    for seq in [10, 12] {
        let versions = [VersionSet { seq, data: Vec::new() }];
        assert_eq!(
            refusal(journal.commit(&Commit { versions: &versions, ..empty })),
            CommitFault::Versions { seq }
        );
    }
    let mut reader = reader(journal);
    assert_eq!((journal.head(), reader.head().unwrap()), (head, head));
    assert_eq!(collect(|each| reader.entries(11..=99, each)), []);
    assert_eq!(reader.ledger().unwrap(), []);
    assert_eq!(add(journal, 11).unwrap().seq, 11);
}

fn an_older_writer_is_refused(journal: &mut dyn Journal) {
    let head = add(journal, 1).unwrap();
    let ours = journal.info().epoch - 1;
    let entries = [entry(2)];
    let result = journal.commit(&Commit { entries: &entries, ..Commit::empty(ours, head) });
    assert!(matches!(result, Err(JournalError::Deposed { .. })), "{result:?}");
    // Then nothing goes on before it was looked at.
    let result = add(journal, 2);
    assert!(matches!(result, Err(JournalError::Poisoned { .. })), "{result:?}");
    assert_eq!(result.unwrap_err().class(), ErrorClass::Transient);
    assert_eq!(journal.reopen().unwrap(), head);
    assert_eq!(add(journal, 2).unwrap().entry, 2);
}

fn ledgers_keep_what_a_commit_does_not_name(journal: &mut dyn Journal) {
    let names = |names: &[(&str, u64)]| -> BTreeMap<String, u64> {
        names.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let one = Counters {
        source: "one".to_owned(),
        received: 10,
        recorded: 6,
        duplicate: 2,
        ignored: 1,
        quarantined: 1,
        unmodelled: names(&[("a.b", 1), ("c.d", 2)]),
        ignored_by: names(&[("heartbeats", 1)]),
    };
    let another = Counters { source: "another".to_owned(), ..Counters::default() };
    let epoch = journal.info().epoch;
    let counters = [one.clone(), another.clone()];
    journal.commit(&Commit { counters: &counters, ..Commit::empty(epoch, Head::EMPTY) }).unwrap();
    let later = Counters {
        received: 11,
        recorded: 8,
        quarantined: 0,
        unmodelled: names(&[("c.d", 3)]),
        ignored_by: names(&[]),
        ..one.clone()
    };
    journal
        .commit(&Commit { counters: std::slice::from_ref(&later), ..Commit::empty(epoch, Head::EMPTY) })
        .unwrap();
    let merged =
        Counters { unmodelled: names(&[("a.b", 1), ("c.d", 3)]), ignored_by: one.ignored_by, ..later };
    assert_eq!(reader(journal).ledger().unwrap(), [another, merged]);
}

fn cursors_are_those_of_the_last_commit_that_named_them(journal: &mut dyn Journal) {
    let one = CursorRow {
        source: "one".to_owned(),
        unbroken: Some(seconds(-5)),
        drained: None,
        gap: Some((seconds(-60), 3)),
        place: Some("17:5f".to_owned()),
    };
    let another = CursorRow { source: "another".to_owned(), ..CursorRow::default() };
    let epoch = journal.info().epoch;
    let both = [one.clone(), another.clone()];
    journal.commit(&Commit { cursors: &both, ..Commit::empty(epoch, Head::EMPTY) }).unwrap();
    assert_eq!(reader(journal).cursors().unwrap(), [another.clone(), one.clone()]);
    let later = CursorRow { unbroken: Some(seconds(9)), drained: Some(seconds(8)), gap: None, ..one };
    let cursors = std::slice::from_ref(&later);
    journal.commit(&Commit { cursors, ..Commit::empty(epoch, Head::EMPTY) }).unwrap();
    assert_eq!(reader(journal).cursors().unwrap(), [another, later]);
}

fn quarantined(id: u64) -> QuarantineItem {
    QuarantineItem {
        id,
        entry: 1,
        source: "region-one".to_owned(),
        at: seconds(id as i64),
        reason_code: "not_json".to_owned(),
        reason: "expected value at column 1".to_owned(),
        event_type: id.is_multiple_of(2).then(|| "port.create.end".to_owned()),
        message_id: None,
        state: QuarantineState::Held,
    }
}

fn command(id: &str, seq: u64) -> CommandRow {
    CommandRow {
        id: id.to_owned(),
        seq,
        state: "planned".to_owned(),
        body: b"{\"scan\":[]}".to_vec(),
        updated_at: seconds(1),
    }
}

fn quarantine_commands_and_findings_change_in_place(journal: &mut dyn Journal) {
    let head = add(journal, 2).unwrap();
    let epoch = journal.info().epoch;
    let items: Vec<_> = (0..600).map(quarantined).collect();
    // Many for one record, and one with the first id of all for the second.
    let mut commands: Vec<_> = (0..600).map(|number| command(&format!("c{number:03}"), 1)).collect();
    commands.push(command("a", 2));
    // Findings have ids of their own, in a table of their own.
    let mut findings: Vec<_> = commands.iter().rev().take(3).cloned().collect();
    findings.sort_by_key(|finding| (finding.seq, finding.id.clone()));
    let commit =
        Commit { quarantine: &items, commands: &commands, findings: &findings, ..Commit::empty(epoch, head) };
    journal.commit(&commit).unwrap();
    let replayed = QuarantineItem { state: QuarantineState::Replayed, ..quarantined(300) };
    let resolved = FindingRow { state: "resolved".to_owned(), ..findings[0].clone() };
    let failed = CommandRow { state: "failed".to_owned(), updated_at: seconds(9), ..command("c300", 1) };
    let commit = Commit {
        quarantine: std::slice::from_ref(&replayed),
        commands: std::slice::from_ref(&failed),
        findings: std::slice::from_ref(&resolved),
        ..Commit::empty(epoch, head)
    };
    journal.commit(&commit).unwrap();

    let mut reader = reader(journal);
    let mut all = items;
    all[300] = replayed.clone();
    assert_eq!(collect(|each| reader.quarantine(None, each)), all);
    let held = collect(|each| reader.quarantine(Some(QuarantineState::Held), each));
    assert_eq!(held.len(), 599);
    let of_state = collect(|each| reader.quarantine(Some(QuarantineState::Replayed), each));
    assert_eq!(of_state, std::slice::from_ref(&replayed));
    assert_eq!(reader.quarantine_item(300).unwrap(), Some(replayed));
    assert_eq!(reader.quarantine_item(600).unwrap(), None);

    commands[300] = failed.clone();
    assert_eq!(collect(|each| reader.commands(None, each)), commands);
    assert_eq!(collect(|each| reader.commands(Some("planned"), each)).len(), 600);
    assert_eq!(collect(|each| reader.commands(Some("failed"), each)), std::slice::from_ref(&failed));
    assert_eq!(reader.command("c300").unwrap(), Some(failed));
    assert_eq!(reader.command("c999").unwrap(), None);
    assert_eq!(collect(|each| reader.commands_from(1, each)), commands);
    assert_eq!(collect(|each| reader.commands_from(2, each)), [command("a", 2)]);
    assert_eq!(collect(|each| reader.commands_from(3, each)), []);

    findings[0] = resolved.clone();
    assert_eq!(collect(|each| reader.findings(None, each)), findings);
    assert_eq!(collect(|each| reader.findings(Some("resolved"), each)), std::slice::from_ref(&resolved));
    assert_eq!(reader.finding(&resolved.id).unwrap(), Some(resolved));
    assert_eq!(reader.finding("c300").unwrap(), None);

    // Of those that are resolved the old ones go; one that is opened again in the same commit stays.
    let gone = FindingRow { state: "resolved".to_owned(), updated_at: seconds(5), ..findings[1].clone() };
    let young = FindingRow { state: "resolved".to_owned(), updated_at: seconds(6), ..findings[2].clone() };
    let both = [gone.clone(), young.clone()];
    journal.commit(&Commit { findings: &both, ..Commit::empty(epoch, head) }).unwrap();
    let again = FindingRow { state: "open".to_owned(), ..findings[0].clone() };
    let commit = Commit {
        findings: std::slice::from_ref(&again),
        resolved_before: Some(seconds(6)),
        ..Commit::empty(epoch, head)
    };
    journal.commit(&commit).unwrap();
    assert_eq!(reader.finding(&gone.id).unwrap(), None);
    assert_eq!(collect(|each| reader.findings(None, each)), [again, young]);
}

fn a_time_finds_its_record(journal: &mut dyn Journal) {
    add(journal, 35).unwrap();
    let mut reader = reader(journal);
    // Records 1 to 9 are as of second 0, 10 to 19 as of second 10, and so on.
    for (time, seq) in [(-1, 0), (0, 9), (9, 9), (10, 19), (19, 19), (29, 29), (30, 35), (1000, 35)] {
        assert_eq!(reader.seq_at(seconds(time)).unwrap(), seq, "{time}");
    }
    assert_eq!(reader.seq_at(Timestamp::MIN).unwrap(), 0);
    assert_eq!(reader.seq_at(Timestamp::MAX).unwrap(), 35);
}

fn versions_come_back_by_record(journal: &mut dyn Journal) {
    let epoch = journal.info().epoch;
    let version = |seq: u64, data: &str| VersionSet { seq, data: data.as_bytes().to_vec() };
    // The last of the first commit has no record of its own and counts for the next.
    let commits = [
        (4, vec![version(1, "a"), version(3, "b"), version(3, "c"), version(5, "d")]),
        (4, vec![version(5, "e")]),
        (6, vec![version(5, "f"), version(6, "g")]),
    ];
    let mut all = Vec::new();
    for (to, versions) in commits {
        let head = journal.head();
        let entries: Vec<_> = (head.entry + 1..=to).map(entry).collect();
        let records: Vec<_> = (head.seq + 1..=to).map(record).collect();
        let commit = Commit {
            entries: &entries,
            records: &NewRecords::of(&records),
            versions: &versions,
            ..Commit::empty(epoch, head)
        };
        journal.commit(&commit).unwrap();
        all.extend(versions);
    }
    let mut reader = reader(journal);
    for range in [1..=u64::MAX, 1..=1, 2..=2, 3..=5, 4..=4, 5..=5, 6..=6, 7..=9] {
        let wanted: Vec<_> = all.iter().filter(|version| range.contains(&version.seq)).cloned().collect();
        assert_eq!(collect(|each| reader.versions(range.clone(), each)), wanted, "{range:?}");
    }
}

fn snapshots_show_when_complete(journal: &mut dyn Journal) {
    add(journal, 5).unwrap();
    let too_far = journal.begin_snapshot(6, 5, seconds(0));
    assert!(matches!(too_far, Err(JournalError::Refused { .. })), "{too_far:?}");
    let mut reader = reader(journal);
    let mut made = Vec::new();
    for (seq, chunks) in [(2, 0_u64), (4, 3), (5, 40)] {
        let dropped = journal.begin_snapshot(seq, seq, seconds(1)).unwrap();
        journal.add_snapshot_chunk(dropped, b"never seen").unwrap();
        let id = journal.begin_snapshot(seq, seq, seconds(2)).unwrap();
        for chunk in 0..chunks {
            journal.add_snapshot_chunk(id, &[chunk as u8; 1000]).unwrap();
            // Commits go on between the chunks.
            let to = journal.head().seq + 1;
            add(journal, to).unwrap();
        }
        assert_eq!(reader.snapshots().unwrap().len(), made.len());
        assert!(matches!(reader.snapshot(id, &mut |_| panic!()), Err(JournalError::NoSnapshot { .. })));
        let info = journal.complete_snapshot(id).unwrap();
        assert_eq!((info.seq, info.entry, info.chunks, info.bytes), (seq, seq, chunks, chunks * 1000));
        let wrong = [
            journal.add_snapshot_chunk(id, b"late").unwrap_err(),
            journal.add_snapshot_chunk(dropped, b"late").unwrap_err(),
            journal.complete_snapshot(id).unwrap_err(),
        ];
        assert!(wrong.iter().all(|error| matches!(error, JournalError::NoSnapshot { .. })), "{wrong:?}");
        made.insert(0, info);
    }
    assert_eq!(reader.snapshots().unwrap(), made);
    for (seq, at) in
        [(1, None), (2, Some(made[2])), (3, Some(made[2])), (4, Some(made[1])), (u64::MAX, Some(made[0]))]
    {
        assert_eq!(reader.snapshot_at(seq).unwrap(), at, "{seq}");
    }
    let wanted: Vec<_> = (0..40).map(|chunk| vec![chunk; 1000]).collect();
    assert_eq!(collect(|each| reader.snapshot(made[0].id, each)), wanted);
    let mut chunk = |id: u64, chunk: u64| reader.snapshot_chunk(id, chunk).and_then(PackedChunk::unpack);
    for number in [39, 0, 7] {
        assert_eq!(chunk(made[0].id, number).unwrap(), wanted[number as usize]);
    }
    let unfinished = journal.begin_snapshot(5, 5, seconds(2)).unwrap();
    journal.add_snapshot_chunk(unfinished, b"not yet").unwrap();
    for (id, number) in [(made[0].id, 40), (made[2].id, 0), (unfinished, 0), (u64::MAX >> 1, 0)] {
        assert!(matches!(chunk(id, number), Err(JournalError::NoSnapshot { .. })), "{id} {number}");
    }
    let large = vec![0; SNAPSHOT_CHUNK_BYTES_MAX + 1];
    let id = journal.begin_snapshot(5, 5, seconds(3)).unwrap();
    assert!(matches!(journal.add_snapshot_chunk(id, &large), Err(JournalError::Refused { .. })));
    journal.add_snapshot_chunk(id, &large[1..]).unwrap();

    assert_eq!(journal.prune_snapshots(&mut |info| info.seq == 2).unwrap(), 2);
    assert_eq!(reader.snapshots().unwrap(), made[2..]);
    assert_eq!(collect(|each| reader.snapshot(made[2].id, each)), Vec::<Vec<u8>>::new());
}

fn a_part_is_erased_and_the_rest_stays(journal: &mut dyn Journal) {
    add(journal, 3).unwrap();
    assert_eq!(journal.erase_part(2, 2, Some("aster")).unwrap(), 1);
    assert_eq!(journal.erase_part(2, 2, Some("aster")).unwrap(), 0);
    assert_eq!(journal.erase_part(2, 2, None).unwrap(), 0);
    assert_eq!(journal.erase_part(9, 2, None).unwrap(), 0);
    let mut wanted = record(2);
    wanted.parts[1].content = PartContent::Gone;
    wanted.parts[1].salt = [0; 16];
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.records(ALL, each)), [record(1), wanted, record(3)]);
    assert_eq!(collect(|each| reader.entries(ALL, each)), [entry(1), entry(2), entry(3)]);
    assert_eq!(add(journal, 4).unwrap().seq, 4);
}

fn a_part_in_an_entry_goes_from_there(journal: &mut dyn Journal) {
    add(journal, 3).unwrap();
    assert_eq!(journal.erase_part(2, 3, None).unwrap(), 1);
    let mut reader = reader(journal);
    let erased = Entry { body: Vec::new(), erased: true, ..entry(2) };
    assert_eq!(collect(|each| reader.entries(ALL, each)), [entry(1), erased, entry(3)]);
    assert_eq!(reader.record(2).unwrap().unwrap().parts[3].content, PartContent::Gone);
    assert_eq!(reader.record(2).unwrap().unwrap().parts[..3], record(2).parts[..3]);
}

fn a_slow_reader_sees_what_comes_meanwhile(journal: &mut dyn Journal) {
    add(journal, 300).unwrap();
    let mut reader = reader(journal);
    let mut seqs = Vec::new();
    reader
        .records(ALL, &mut |record| {
            if record.seq == 1 {
                add(journal, 301).unwrap();
                journal.erase_part(1, 1, None).unwrap();
            }
            seqs.push(record.seq);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seqs, (1..=301).collect::<Vec<_>>());
}

fn reopening_keeps_the_head(journal: &mut dyn Journal) {
    let head = add(journal, 3).unwrap();
    for _ in 0..2 {
        assert_eq!(journal.reopen().unwrap(), head);
    }
    assert_eq!(add(journal, 4).unwrap().seq, 4);
    let mut reader = reader(journal);
    assert_eq!(collect(|each| reader.records(ALL, each)).len(), 4);
}
