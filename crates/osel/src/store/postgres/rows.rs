//! Rows of the tables as the store's data.
//!
//! Every value is checked: what has no meaning is damage, never a panic.

use osel_core::time::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::FromSqlOwned;

use super::super::code::{Malformed, read_parts};
use super::super::data::{
    CursorRow, Head, LifeRow, QuarantineItem, QuarantineState, SnapshotInfo, StoreInfo, StoredRecord,
};
use super::super::error::{Cause, JournalError, Place};
use super::connect::At;

/// The columns [`record`] reads.
pub(super) const RECORD: &str = "seq, entry, kind, time, as_of, hash, canonical, parts";
/// The columns [`quarantine_item`] reads.
pub(super) const QUARANTINE: &str =
    "id, entry, source, at, reason_code, reason, event_type, message_id, state";
/// The columns [`life`] reads.
pub(super) const LIFE: &str = "id, seq, state, body, updated_at";
/// The columns [`snapshot`] reads.
pub(super) const SNAPSHOT: &str = "id, seq, entry, chunks, bytes, made_at";
/// The columns [`info`] reads.
pub(super) const INFO: &str = "store_id, format, created_at, epoch";
/// The columns [`head`] reads.
pub(super) const HEAD: &str = "seq, hash, entry";

/// What a row means, or why it means nothing.
pub(super) type Read<T> = Result<T, Cause>;

/// Reads a row of a place.
///
/// # Errors
/// That the store is damaged there.
pub(super) fn at_place<T>(
    at: &At<'_>,
    place: Place,
    row: &Row,
    read: impl Fn(&Row) -> Read<T>,
) -> Result<T, JournalError> {
    read(row).map_err(|source| JournalError::Damaged { path: at.path.to_path_buf(), place, source })
}

/// A column.
pub(super) fn column<T: FromSqlOwned>(row: &Row, column: usize) -> Read<T> {
    Ok(row.try_get(column)?)
}

/// A column as a number that counts.
pub(super) fn number(row: &Row, at: usize) -> Read<u64> {
    Ok(u64::try_from(column::<i64>(row, at)?)?)
}

/// A column as a small number.
pub(super) fn byte(row: &Row, at: usize) -> Read<u8> {
    Ok(u8::try_from(column::<i16>(row, at)?)?)
}

/// A column as a point in time.
pub(super) fn time(row: &Row, at: usize) -> Read<Timestamp> {
    timestamp(column(row, at)?)
}

fn timestamp(micros: i64) -> Read<Timestamp> {
    let time = Timestamp::from_micros(micros);
    if time.micros() == micros { Ok(time) } else { Err(Malformed("a time is beyond all bounds").into()) }
}

/// A column as a hash.
pub(super) fn hash(row: &Row, at: usize) -> Read<[u8; 32]> {
    let bytes: &[u8] = row.try_get(at)?;
    Ok(bytes.try_into()?)
}

/// What `meta` says of the store.
pub(super) fn info(row: &Row) -> Read<StoreInfo> {
    Ok(StoreInfo {
        id: column(row, 0)?,
        format: u32::try_from(column::<i32>(row, 1)?)?,
        created_at: time(row, 2)?,
        epoch: number(row, 3)?,
    })
}

/// How far `meta` says the store has come.
pub(super) fn head(row: &Row) -> Read<Head> {
    Ok(Head { seq: number(row, 0)?, hash: hash(row, 1)?, entry: number(row, 2)? })
}

/// A row of `records`.
pub(super) fn record(row: &Row) -> Read<StoredRecord> {
    Ok(StoredRecord {
        seq: number(row, 0)?,
        entry: number(row, 1)?,
        kind: byte(row, 2)?,
        time: time(row, 3)?,
        as_of: time(row, 4)?,
        hash: hash(row, 5)?,
        canonical: column(row, 6)?,
        parts: read_parts(row.try_get(7)?)?,
    })
}

/// A row of `quarantine`.
pub(super) fn quarantine_item(row: &Row) -> Read<QuarantineItem> {
    Ok(QuarantineItem {
        id: number(row, 0)?,
        entry: number(row, 1)?,
        source: column(row, 2)?,
        at: time(row, 3)?,
        reason_code: column(row, 4)?,
        reason: column(row, 5)?,
        event_type: column(row, 6)?,
        message_id: column(row, 7)?,
        state: QuarantineState::of_code(column::<i16>(row, 8)?.into())
            .ok_or(Malformed("a message is neither held nor replayed"))?,
    })
}

/// A row of `cursors`.
pub(super) fn cursor(row: &Row) -> Read<CursorRow> {
    let time = |at| column::<Option<i64>>(row, at)?.map(timestamp).transpose();
    let why = column::<Option<i16>>(row, 4)?.map(u8::try_from).transpose()?;
    let (source, unbroken, drained, gap) = (column(row, 0)?, time(1)?, time(2)?, time(3)?.zip(why));
    Ok(CursorRow { source, unbroken, drained, gap, place: column(row, 5)? })
}

/// A row of `commands` or `findings`.
pub(super) fn life(row: &Row) -> Read<LifeRow> {
    Ok(LifeRow {
        id: column(row, 0)?,
        seq: number(row, 1)?,
        state: column(row, 2)?,
        body: column(row, 3)?,
        updated_at: time(row, 4)?,
    })
}

/// A row of `snapshot_index`.
pub(super) fn snapshot(row: &Row) -> Read<SnapshotInfo> {
    Ok(SnapshotInfo {
        id: number(row, 0)?,
        seq: number(row, 1)?,
        entry: number(row, 2)?,
        chunks: number(row, 3)?,
        bytes: number(row, 4)?,
        made_at: time(row, 5)?,
    })
}
