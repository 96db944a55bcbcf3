//! Forwarders and their dead letters: written with the commit that they belong to, read as rows.

use osel_core::time::Timestamp;
use tokio_postgres::Row;

use super::super::code::Malformed;
use super::super::data::Commit;
use super::super::error::{JournalError, Place};
use super::super::forward::{DeadLetterChange, DeadLetterKey, DeadLetterRow, ForwarderRow};
use super::batch::plain;
use super::connect::{At, Session, integer};
use super::rows::{Read, column, number, time};

const ACTION: &str = "write";

/// Writes what a commit says of forwarders. Written twice it is the same.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn write(
    at: &At<'_>,
    session: &mut Session,
    commit: &Commit<'_>,
) -> Result<(), JournalError> {
    for row in commit.forwarders {
        session
            .execute(
                "INSERT INTO forwarders (name, begin_seq, place, delivered, filtered, dead, lines, bytes, batches, retries, \
                 mark, trouble_at, trouble, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                 ON CONFLICT (name) DO UPDATE SET begin_seq = $2, place = $3, delivered = $4, filtered = $5, dead = $6, \
                 lines = $7, bytes = $8, batches = $9, retries = $10, mark = $11, trouble_at = $12, trouble = $13, \
                 updated_at = $14",
                &[
                    &row.name,
                    &integer(row.begin),
                    &integer(row.place),
                    &integer(row.delivered),
                    &integer(row.filtered),
                    &integer(row.dead),
                    &integer(row.lines),
                    &integer(row.bytes),
                    &integer(row.batches),
                    &integer(row.retries),
                    &row.mark.as_deref().map(plain),
                    &row.trouble.as_ref().map(|(since, _)| since.micros()),
                    &row.trouble.as_ref().map(|(_, words)| plain(words)),
                    &row.updated_at.micros(),
                ],
            )
            .await
            .map_err(at.sql(Place::Forwarders, ACTION))?;
    }
    for change in commit.dead_letters {
        change_dead_letters(session, change).await.map_err(at.sql(Place::Forwarders, ACTION))?;
    }
    Ok(())
}

async fn change_dead_letters(
    session: &mut Session,
    change: &DeadLetterChange,
) -> Result<u64, tokio_postgres::Error> {
    match change {
        DeadLetterChange::Put(DeadLetterRow { key, why, at, resend }) => {
            let sql = "INSERT INTO dead_letters (forwarder, seq, line, why, at, resend) VALUES ($1, $2, $3, $4, $5, $6) \
                       ON CONFLICT (forwarder, seq, line) DO UPDATE SET why = $4, at = $5, resend = $6";
            let (seq, line) = (integer(key.seq), small(key.line));
            session.execute(sql, &[&key.forwarder, &seq, &line, &plain(why), &at.micros(), resend]).await
        }
        DeadLetterChange::Drop(DeadLetterKey { forwarder, seq, line }) => {
            let sql = "DELETE FROM dead_letters WHERE forwarder = $1 AND seq = $2 AND line = $3";
            session.execute(sql, &[forwarder, &integer(*seq), &small(*line)]).await
        }
        DeadLetterChange::DropAfter { forwarder, seq } => {
            let sql = "DELETE FROM dead_letters WHERE forwarder = $1 AND seq > $2";
            session.execute(sql, &[forwarder, &integer(*seq)]).await
        }
        DeadLetterChange::Discard { forwarder, seq } => {
            let sql = "DELETE FROM dead_letters WHERE forwarder = $1 AND ($2::bigint IS NULL OR seq = $2)";
            session.execute(sql, &[forwarder, &seq.map(integer)]).await
        }
        DeadLetterChange::Resend { forwarder, seq } => {
            let sql = "UPDATE dead_letters SET resend = true \
                       WHERE forwarder = $1 AND ($2::bigint IS NULL OR seq = $2)";
            session.execute(sql, &[forwarder, &seq.map(integer)]).await
        }
    }
}

/// The number of a line as the table has it: no record has so many.
fn small(line: u32) -> i32 {
    i32::try_from(line).unwrap_or(i32::MAX)
}

/// The columns [`forwarder`] reads.
pub(super) const FORWARDER: &str = "name, begin_seq, place, delivered, filtered, dead, lines, bytes, batches, retries, mark, \
                                    trouble_at, trouble, updated_at";

/// A row of `forwarders`.
pub(super) fn forwarder(row: &Row) -> Read<ForwarderRow> {
    let since = column::<Option<i64>>(row, 11)?.map(Timestamp::from_micros);
    Ok(ForwarderRow {
        name: column(row, 0)?,
        begin: number(row, 1)?,
        place: number(row, 2)?,
        delivered: number(row, 3)?,
        filtered: number(row, 4)?,
        dead: number(row, 5)?,
        lines: number(row, 6)?,
        bytes: number(row, 7)?,
        batches: number(row, 8)?,
        retries: number(row, 9)?,
        mark: column(row, 10)?,
        trouble: since.zip(column(row, 12)?),
        updated_at: time(row, 13)?,
    })
}

/// The columns [`dead_letter`] reads.
pub(super) const DEAD_LETTER: &str = "forwarder, seq, line, why, at, resend";

/// A row of `dead_letters`.
pub(super) fn dead_letter(row: &Row) -> Read<DeadLetterRow> {
    let line = u32::try_from(column::<i32>(row, 2)?)
        .map_err(|_| Malformed("a dead letter is of no line that a record can have"))?;
    let key = DeadLetterKey { forwarder: column(row, 0)?, seq: number(row, 1)?, line };
    Ok(DeadLetterRow { key, why: column(row, 3)?, at: time(row, 4)?, resend: column(row, 5)? })
}
