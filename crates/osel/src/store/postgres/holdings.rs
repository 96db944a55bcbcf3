//! How much there is in a shared store, for its budget.

use super::super::data::Holdings;
use super::super::error::{JournalError, Place};
use super::connect::{At, Session};
use super::rows::{self, number};

/// What a row of `records` takes beside its content: 52 bytes of head, numbers and times, 33 of hash, lengths and
/// alignment, and an entry of the index.
const RECORD_ROW_BYTES: u64 = 130;
/// Large values lie in pieces, four to a page, each with its head and an entry of the index: one byte for so many.
const CONTENT_PER_OVERHEAD: u64 = 25;

/// How much there is. What it takes is reckoned, since the files of tables that something went from do not shrink: their
/// room is used again, and counting it would let go of ever more.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn read(at: &At<'_>, session: &mut Session) -> Result<Holdings, JournalError> {
    let sql = "SELECT input_bytes, version_bytes, part_bytes, record_bytes, seq, \
               (SELECT coalesce(sum(octet_length(data)), 0) FROM snapshots), \
               (SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class \
                WHERE relnamespace = 'osel'::regnamespace AND relkind = 'r' \
                AND relname NOT IN ('blocks', 'versions', 'records', 'snapshots')), \
               (SELECT coalesce(sum(octet_length(data)), 0) FROM blocks, expiry \
                WHERE first_entry <= expiry.entry AND last_entry <= expiry.entry) FROM sizes, meta";
    let place = Place::Meta;
    let row = session.query_opt(sql, &[]).await.map_err(at.sql(place, "read"))?;
    let row = row.ok_or_else(|| at.damaged(place, "it says nothing of its sizes"))?;
    rows::at_place(at, place, &row, |row| {
        let [input_bytes, version_bytes, part_bytes] = [number(row, 0)?, number(row, 1)?, number(row, 2)?];
        let (record_bytes, records, snapshot_bytes) = (number(row, 3)?, number(row, 4)?, number(row, 5)?);
        let content = input_bytes + version_bytes + part_bytes + record_bytes + snapshot_bytes;
        let used_bytes =
            content + content / CONTENT_PER_OVERHEAD + records * RECORD_ROW_BYTES + number(row, 6)?;
        let input_bytes = input_bytes.saturating_sub(number(row, 7)?);
        Ok(Holdings { input_bytes, version_bytes, snapshot_bytes, part_bytes, used_bytes })
    })
}
