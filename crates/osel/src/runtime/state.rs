//! An engine from a store: as it is, to go on; or as it was after some record, to be asked.

use std::ops::ControlFlow;

use osel_core::engine::{Engine, EngineLine, EngineOptions, Output};

use super::{entries, snapshots};
use crate::store::{JournalError, Reader};

/// The engine that wrote the store, ready to go on after the store's last entry.
///
/// # Errors
/// When the store cannot be read.
pub fn resume(reader: &mut dyn Reader, options: &EngineOptions) -> Result<Engine, JournalError> {
    let head = reader.head()?;
    let (mut engine, entry) = newest(reader, head.seq, options, |_| true)?;
    let mut out = Output::default();
    reader.entries(entry + 1..=head.entry.max(entry + 1), &mut |entry| {
        entries::fold(&mut engine, &entry, &mut out);
        ControlFlow::Continue(())
    })?;
    engine.set_seq(head.seq);
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

/// The clouds and names as they were after record `seq`.
///
/// # Errors
/// When the store cannot be read.
pub fn at(reader: &mut dyn Reader, seq: u64, options: &EngineOptions) -> Result<Engine, JournalError> {
    let visible = |line: &EngineLine| {
        matches!(
            line,
            EngineLine::Region(_) | EngineLine::Object(_) | EngineLine::Name(_) | EngineLine::Seq(_)
        )
    };
    let (mut engine, entry) = newest(reader, seq, options, visible)?;
    if !advance(&mut engine, reader, seq)? {
        // The versions are of an older form: the journal says the same, more slowly.
        return fold_to(reader, seq, entry, options);
    }
    Ok(engine)
}

/// Takes an engine that [`at`] gave on to the clouds and names after a later record. False when this cannot be done, and then the
/// engine is of no use.
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
    Ok(readable)
}

fn fold_to(
    reader: &mut dyn Reader,
    seq: u64,
    _entry: u64,
    options: &EngineOptions,
) -> Result<Engine, JournalError> {
    let mut engine = Engine::new(options.clone());
    let mut out = Output::default();
    reader.entries(crate::store::ALL, &mut |entry| {
        if engine.seq() >= seq {
            return ControlFlow::Break(());
        }
        entries::fold(&mut engine, &entry, &mut out);
        ControlFlow::Continue(())
    })?;
    Ok(engine)
}

/// The engine of the latest snapshot that is not after `seq` and can be read, with the last entry in it.
fn newest(
    reader: &mut dyn Reader,
    seq: u64,
    options: &EngineOptions,
    wanted: fn(&EngineLine) -> bool,
) -> Result<(Engine, u64), JournalError> {
    if let Some(info) = reader.snapshot_at(seq)? {
        let mut engine = Engine::new(options.clone());
        if snapshots::read(reader, &info, &mut engine, wanted)? {
            return Ok((engine, info.entry));
        }
    }
    Ok((Engine::new(options.clone()), 0))
}
