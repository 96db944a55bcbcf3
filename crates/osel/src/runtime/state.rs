//! An engine from a store: as it is, to go on; or as it was after some record, to be asked.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use osel_core::engine::{Engine, EngineLine, EngineOptions, Input, Output, Version};
use osel_core::model::StateLine;
use osel_core::scan::{ScanState, read_life};
use osel_core::time::Timestamp;

use super::{entries, snapshots};
use crate::store::{Checkpoint, Head, JournalError, Reader};

/// How many records are looked at together, to learn which entries they stem from.
const PAGE_RECORDS: u64 = 1000;
/// How often another snapshot is looked for when the one that was found is pruned before it is read; none is made that often.
const PRUNED_MAX: u32 = 3;

/// The engine that wrote the store, ready to go on after the store's last entry. `options` hold as far as the journal tells none.
///
/// # Errors
/// When the store cannot be read.
pub fn resume(reader: &mut dyn Reader, options: &EngineOptions) -> Result<Engine, JournalError> {
    Follower::start(reader, options)?.finish(reader)
}

/// An engine that follows a store which somebody else writes, so that it goes on soon after the other has ended.
pub struct Follower {
    engine: Engine,
    options: EngineOptions,
    /// How far the store had come when it was folded last.
    followed: Head,
    /// The time of the last entry, since an entry without a record is not in the head's hash; none where it is not kept any more.
    entry_at: Option<Timestamp>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower").field("followed", &self.followed).finish_non_exhaustive()
    }
}

impl Follower {
    /// Begins with the newest snapshot. `options` hold as far as the journal tells none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn start(reader: &mut dyn Reader, options: &EngineOptions) -> Result<Self, JournalError> {
        let seq = reader.head()?.seq;
        let (engine, entry) = newest(reader, seq, options, |_| true)?;
        let hash = hash_of(reader, engine.seq())?;
        let followed = Head { seq: engine.seq(), hash: hash.unwrap_or(Head::EMPTY.hash), entry };
        let entry_at = time_of(reader, entry)?;
        Ok(Self { engine, options: options.clone(), followed, entry_at })
    }

    /// Folds what has come since; the last entry there is now. Where some of that is not kept any more, since it has not looked for long, it
    /// begins anew with the newest snapshot. After an error it is of no use: what it had folded is not known.
    ///
    /// # Errors
    /// When the store cannot be read, or no longer has what was folded, as after a failover to a database that was behind.
    pub fn follow(&mut self, reader: &mut dyn Reader) -> Result<u64, JournalError> {
        let (head, followed) = (reader.head()?, self.followed);
        let is_behind = head.seq < followed.seq || head.entry < followed.entry;
        if is_behind || !self.is_whole(reader)? {
            return Err(JournalError::Rewritten { seq: followed.seq, entry: followed.entry });
        }
        if head.entry > followed.entry || head.seq > followed.seq {
            fold(&mut self.engine, reader, followed.entry, (head.seq, head.entry), &mut |_| {})?;
            // Asked afterwards: what was there all along was there when it was read.
            if reader.expiry()?.checkpoint.entry > followed.entry {
                *self = Self::start(reader, &self.options)?;
                return self.follow(reader);
            }
            self.engine.set_seq(head.seq);
            self.followed = head;
            self.entry_at = time_of(reader, head.entry)?;
        }
        Ok(head.entry)
    }

    /// Whether the store still has the last record and the last entry that were folded, as they were.
    fn is_whole(&self, reader: &mut dyn Reader) -> Result<bool, JournalError> {
        let Head { seq, hash, entry } = self.followed;
        if hash_of(reader, seq)?.unwrap_or(Head::EMPTY.hash) != hash {
            return Ok(false);
        }
        // An entry may have gone by its age: then there is nothing to compare.
        Ok(time_of(reader, entry)?.is_none_or(|at| self.entry_at.is_none_or(|folded| folded == at)))
    }

    /// The engine, once nobody else writes the store any more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn finish(mut self, reader: &mut dyn Reader) -> Result<Engine, JournalError> {
        self.follow(reader)?;
        let mut engine = self.engine;
        let mut lives = Vec::new();
        for state in ScanState::ALL.into_iter().filter(|state| !state.is_over()) {
            reader.commands(Some(state.as_str()), &mut |row| {
                lives.extend(read_life(row.seq, &row.body));
                ControlFlow::Continue(())
            })?;
        }
        // An older version may have planned otherwise than folding does by now: what it wrote down is what is under way.
        engine.set_running_scans(lives);
        for counters in reader.ledger()? {
            // Repetitions are counted and not kept, so folding does not see them again.
            engine.set_ledger(&counters.source, |ledger| {
                ledger.received = counters.received;
                ledger.recorded = counters.recorded;
                ledger.duplicate = counters.duplicate;
                ledger.ignored = counters.ignored;
                ledger.quarantined = counters.quarantined;
            });
        }
        Ok(engine)
    }
}

fn hash_of(reader: &mut dyn Reader, seq: u64) -> Result<Option<[u8; 32]>, JournalError> {
    Ok(if seq == 0 { None } else { reader.record(seq)?.map(|record| record.hash) })
}

fn time_of(reader: &mut dyn Reader, entry: u64) -> Result<Option<Timestamp>, JournalError> {
    Ok(if entry == 0 { None } else { reader.entry(entry)?.map(|entry| entry.at) })
}

/// The clouds and names as they were after record `seq`, to be asked by `options`.
///
/// # Errors
/// When the store cannot be read.
pub fn at(reader: &mut dyn Reader, seq: u64, options: &EngineOptions) -> Result<Engine, JournalError> {
    while_kept(reader, seq, |reader| found_at(reader, seq, options))
}

/// Reads something that needs what is kept of record `seq` and behind it, anew when some of that went while it was read.
///
/// # Errors
/// When the record is before the horizon, or the store cannot be read.
pub fn while_kept<T>(
    reader: &mut dyn Reader,
    seq: u64,
    mut read: impl FnMut(&mut dyn Reader) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    let mut pruned = 0;
    loop {
        let horizon = reader.expiry()?.checkpoint;
        if seq < horizon.seq {
            return Err(expired(reader, horizon.seq)?);
        }
        let found = read(reader);
        // What it began with, or what it folded, may have gone while it was read.
        let is_moved = reader.expiry()?.checkpoint != horizon;
        let is_pruned = matches!(found, Err(JournalError::NoSnapshot { .. })) && pruned < PRUNED_MAX;
        if !is_moved && !is_pruned {
            return found;
        }
        pruned += u32::from(!is_moved);
    }
}

/// The same, as long as nothing goes meanwhile.
fn found_at(reader: &mut dyn Reader, seq: u64, options: &EngineOptions) -> Result<Engine, JournalError> {
    let visible = |line: &EngineLine| {
        matches!(
            line,
            EngineLine::Region(_) | EngineLine::Object(_) | EngineLine::Name(_) | EngineLine::Seq(_)
        )
    };
    let (mut engine, _) = newest(reader, seq, options, visible)?;
    if advance(&mut engine, reader, seq)? {
        return Ok(engine);
    }
    // The versions are of an older form: the journal says the same, more slowly.
    folded(reader, seq, options)
}

/// The error that a state is asked for from before the record of the checkpoint.
fn expired(reader: &mut dyn Reader, seq: u64) -> Result<JournalError, JournalError> {
    let time = reader.record(seq)?.map_or(Timestamp::EPOCH, |record| record.as_of);
    Ok(JournalError::Expired { time, seq })
}

/// Takes an engine that [`at`] gave on to the clouds and names after a later record. False when this cannot be done, as when what lies
/// between is not kept any more, and then the engine is of no use.
///
/// # Errors
/// When the store cannot be read.
pub fn advance(engine: &mut Engine, reader: &mut dyn Reader, seq: u64) -> Result<bool, JournalError> {
    let from = engine.seq() + 1;
    if from > seq {
        return Ok(engine.seq() == seq);
    }
    let mut readable = true;
    reader.versions(from..=seq, &mut |set| match snapshots::read_versions(&set.data) {
        Some(versions) => {
            for version in versions.into_iter().filter(|version| version.seq <= seq) {
                engine.restore_object(version.region, version.line);
            }
            ControlFlow::Continue(())
        }
        None => {
            readable = false;
            ControlFlow::Break(())
        }
    })?;
    engine.set_seq(seq);
    // Asked afterwards: what was there all along was there when it was read.
    Ok(readable && from > reader.expiry()?.checkpoint.seq)
}

/// The same as [`found_at`] by folding from the latest snapshot, or from the first entry.
fn folded(reader: &mut dyn Reader, seq: u64, options: &EngineOptions) -> Result<Engine, JournalError> {
    let (mut engine, done) = newest(reader, seq, options, |_| true)?;
    let entry = reader.record(seq)?.map_or(0, |record| record.entry);
    fold(&mut engine, reader, done, (seq, entry), &mut |_| {})?;
    engine.set_seq(seq);
    engine.handle(Timestamp::EPOCH, Input::Options(options.clone()), &mut Output::default());
    Ok(engine)
}

/// Objects of clouds, each with its region.
pub type Objects = Vec<(Option<Arc<str>>, StateLine)>;

/// The objects of the clouds as they were after record `from`, and the versions that the records up to `to` made, by folding.
///
/// # Errors
/// When the store cannot be read.
pub fn folded_on(
    reader: &mut dyn Reader,
    (from, to): (u64, u64),
    options: &EngineOptions,
) -> Result<(Objects, Vec<Version>), JournalError> {
    let (mut engine, done) = newest(reader, from, options, |_| true)?;
    let mut entry_of = |seq| Ok::<_, JournalError>(reader.record(seq)?.map_or(0, |record| record.entry));
    let (first, last) = (entry_of(from)?, entry_of(to)?);
    fold(&mut engine, reader, done, (from, first), &mut |_| {})?;
    engine.set_seq(from);
    let objects = engine.objects().collect();
    let mut versions = Vec::new();
    fold(&mut engine, reader, first.max(done), (to, last), &mut |out| versions.append(&mut out.versions))?;
    Ok((objects, versions))
}

/// Does to the engine what the entries after `done` once did, up to the last record and entry; `each` gets what came of an entry.
///
/// Records were numbered when they were written. Folding by a later version may give more or fewer of them, so that the number is put
/// right before each entry: what names a record, such as a command and its cause, names the same one.
fn fold(
    engine: &mut Engine,
    reader: &mut dyn Reader,
    mut done: u64,
    (last_seq, last_entry): (u64, u64),
    each: &mut dyn FnMut(&mut Output),
) -> Result<(), JournalError> {
    let mut out = Output::default();
    let mut seq = engine.seq();
    while done < last_entry {
        // The numbers of the records with the entries they stem from, in order.
        let mut stems: VecDeque<(u64, u64)> = VecDeque::new();
        let page = seq + 1..=last_seq.min(seq + PAGE_RECORDS);
        if !page.is_empty() {
            reader.records(page, &mut |record| {
                stems.push_back((record.seq, record.entry));
                ControlFlow::Continue(())
            })?;
        }
        // Without further records the rest of the entries had none.
        let (last, until) = stems.back().copied().unwrap_or((last_seq, last_entry));
        if until > done {
            reader.entries(done + 1..=until, &mut |entry| {
                while stems.front().is_some_and(|(_, stem)| *stem < entry.number) {
                    stems.pop_front();
                }
                engine.set_seq(stems.front().map_or(last_seq, |(seq, _)| seq - 1));
                entries::fold(engine, &entry, &mut out);
                each(&mut out);
                ControlFlow::Continue(())
            })?;
        }
        (done, seq) = (done.max(until), last);
    }
    Ok(())
}

/// The engine of the latest snapshot that is not after `seq`, with the last entry in it. One that cannot be read is worked out anew: from
/// the checkpoint, or from the first entry as long as that is there.
fn newest(
    reader: &mut dyn Reader,
    seq: u64,
    options: &EngineOptions,
    wanted: fn(&EngineLine) -> bool,
) -> Result<(Engine, u64), JournalError> {
    let gone = reader.expiry()?.checkpoint;
    let latest = reader.snapshot_at(seq)?;
    let checkpoint = if gone.entry > 0 { reader.snapshot_at(gone.seq)? } else { None };
    for info in latest.into_iter().chain(checkpoint) {
        let mut engine = Engine::new(options.clone());
        if snapshots::read(reader, &info, &mut engine, wanted)? {
            return Ok((engine, info.entry));
        }
    }
    match gone {
        Checkpoint { entry: 0, .. } => Ok((Engine::new(options.clone()), 0)),
        Checkpoint { entry, snapshot, .. } => Err(JournalError::NoCheckpoint { entry, snapshot }),
    }
}
