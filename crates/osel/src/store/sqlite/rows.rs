//! Rows of the tables as the store's data.
//!
//! Every value is checked: a file is read as it is found, and what has no meaning is damage, never a panic.

use osel_core::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

use super::super::code::read_parts;
use super::super::data::{CursorRow, LifeRow, QuarantineItem, QuarantineState, SnapshotInfo, StoredRecord};

/// The columns [`record`] reads.
pub(super) const RECORD: &str = "seq, entry, kind, time, as_of, hash, canonical, parts";
/// The columns [`quarantine_item`] reads.
pub(super) const QUARANTINE: &str =
    "id, entry, source, at, reason_code, reason, event_type, message_id, state";
/// The columns [`life`] reads.
pub(super) const LIFE: &str = "id, seq, state, body, updated_at";
/// The columns [`snapshot`] reads.
pub(super) const SNAPSHOT: &str = "id, seq, entry, chunks, bytes, made_at";

/// A column as a number that counts.
pub(super) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// A column as a point in time.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    let micros = row.get(column)?;
    let time = Timestamp::from_micros(micros);
    if time.micros() == micros {
        Ok(time)
    } else {
        Err(rusqlite::Error::IntegralValueOutOfRange(column, micros))
    }
}

/// A row of `records`.
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<StoredRecord> {
    let parts = row.get_ref(7)?.as_blob().map_err(|error| conversion(7, error))?;
    Ok(StoredRecord {
        seq: number(row, 0)?,
        entry: number(row, 1)?,
        kind: row.get(2)?,
        time: time(row, 3)?,
        as_of: time(row, 4)?,
        hash: row.get(5)?,
        canonical: row.get(6)?,
        parts: read_parts(parts).map_err(|error| conversion(7, error))?,
    })
}

/// A row of `quarantine`.
pub(super) fn quarantine_item(row: &Row<'_>) -> rusqlite::Result<QuarantineItem> {
    Ok(QuarantineItem {
        id: number(row, 0)?,
        entry: number(row, 1)?,
        source: row.get(2)?,
        at: time(row, 3)?,
        reason_code: row.get(4)?,
        reason: row.get(5)?,
        event_type: row.get(6)?,
        message_id: row.get(7)?,
        state: quarantine_state(row.get(8)?)?,
    })
}

fn quarantine_state(code: i64) -> rusqlite::Result<QuarantineState> {
    QuarantineState::of_code(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(8, code))
}

/// A row of `cursors`.
pub(super) fn cursor(row: &Row<'_>) -> rusqlite::Result<CursorRow> {
    let time = |place| {
        let micros: Option<i64> = row.get(place)?;
        Ok::<_, rusqlite::Error>(micros.map(Timestamp::from_micros))
    };
    let why: Option<u8> = row.get(4)?;
    let gap = time(3)?.zip(why);
    Ok(CursorRow { source: row.get(0)?, unbroken: time(1)?, drained: time(2)?, gap, place: row.get(5)? })
}

/// A row of `commands` or `findings`.
pub(super) fn life(row: &Row<'_>) -> rusqlite::Result<LifeRow> {
    Ok(LifeRow {
        id: row.get(0)?,
        seq: number(row, 1)?,
        state: row.get(2)?,
        body: row.get(3)?,
        updated_at: time(row, 4)?,
    })
}

/// A row of `snapshot_index`.
pub(super) fn snapshot(row: &Row<'_>) -> rusqlite::Result<SnapshotInfo> {
    Ok(SnapshotInfo {
        id: number(row, 0)?,
        seq: number(row, 1)?,
        entry: number(row, 2)?,
        chunks: number(row, 3)?,
        bytes: number(row, 4)?,
        made_at: time(row, 5)?,
    })
}

/// The error of a column whose bytes were read and have no meaning.
pub(super) fn conversion(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(error))
}
