//! Forwarders and their dead letters: written with the commit that they belong to.

use osel_core::time::Timestamp;
use rusqlite::{Connection, Row, Transaction, params};

use super::super::data::Commit;
use super::super::error::{JournalError, Place};
use super::super::forward::{DeadLetterChange, DeadLetterKey, DeadLetterRow, ForwarderRow};
use super::connect::{At, integer};
use super::pages::{Page, page};
use super::rows::{number, time};

/// Writes what a commit says of forwarders. Written twice it is the same.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(
    at: &At<'_>,
    transaction: &Transaction<'_>,
    commit: &Commit<'_>,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Forwarders, "write");
    for row in commit.forwarders {
        transaction
            .prepare_cached(
                "INSERT INTO forwarders (name, begin_seq, place, delivered, filtered, dead, lines, bytes, batches, retries, \
                 mark, trouble_at, trouble, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) \
                 ON CONFLICT (name) DO UPDATE SET begin_seq = ?2, place = ?3, delivered = ?4, filtered = ?5, dead = ?6, \
                 lines = ?7, bytes = ?8, batches = ?9, retries = ?10, mark = ?11, trouble_at = ?12, trouble = ?13, \
                 updated_at = ?14",
            )
            .and_then(|mut upsert| {
                upsert.execute(params![
                    row.name,
                    integer(row.begin),
                    integer(row.place),
                    integer(row.delivered),
                    integer(row.filtered),
                    integer(row.dead),
                    integer(row.lines),
                    integer(row.bytes),
                    integer(row.batches),
                    integer(row.retries),
                    row.mark,
                    row.trouble.as_ref().map(|(since, _)| since.micros()),
                    row.trouble.as_ref().map(|(_, words)| words),
                    row.updated_at.micros(),
                ])
            })
            .map_err(&failed)?;
    }
    for change in commit.dead_letters {
        change_dead_letters(transaction, change).map_err(&failed)?;
    }
    Ok(())
}

fn change_dead_letters(transaction: &Transaction<'_>, change: &DeadLetterChange) -> rusqlite::Result<usize> {
    let run = |sql, parameters: &[&dyn rusqlite::ToSql]| transaction.prepare_cached(sql)?.execute(parameters);
    match change {
        DeadLetterChange::Put(DeadLetterRow { key, why, at, resend }) => run(
            "INSERT INTO dead_letters (forwarder, seq, line, why, at, resend) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (forwarder, seq, line) DO UPDATE SET why = ?4, at = ?5, resend = ?6",
            &[&key.forwarder, &integer(key.seq), &key.line, &why, &at.micros(), &resend],
        ),
        DeadLetterChange::Drop(DeadLetterKey { forwarder, seq, line }) => run(
            "DELETE FROM dead_letters WHERE forwarder = ?1 AND seq = ?2 AND line = ?3",
            &[&forwarder, &integer(*seq), &line],
        ),
        DeadLetterChange::DropAfter { forwarder, seq } => {
            run("DELETE FROM dead_letters WHERE forwarder = ?1 AND seq > ?2", &[&forwarder, &integer(*seq)])
        }
        DeadLetterChange::Discard { forwarder, seq: None } => {
            run("DELETE FROM dead_letters WHERE forwarder = ?1", &[&forwarder])
        }
        DeadLetterChange::Discard { forwarder, seq: Some(seq) } => {
            run("DELETE FROM dead_letters WHERE forwarder = ?1 AND seq = ?2", &[&forwarder, &integer(*seq)])
        }
        DeadLetterChange::Resend { forwarder, seq: None } => {
            run("UPDATE dead_letters SET resend = 1 WHERE forwarder = ?1", &[&forwarder])
        }
        DeadLetterChange::Resend { forwarder, seq: Some(seq) } => run(
            "UPDATE dead_letters SET resend = 1 WHERE forwarder = ?1 AND seq = ?2",
            &[&forwarder, &integer(*seq)],
        ),
    }
}

/// How far all forwarders have come, by name.
///
/// # Errors
/// When it cannot be read.
pub(super) fn forwarders(at: &At<'_>, connection: &Connection) -> Result<Vec<ForwarderRow>, JournalError> {
    let failed = at.sql(Place::Forwarders, "read");
    let mut statement = connection
        .prepare_cached(
            "SELECT name, begin_seq, place, delivered, filtered, dead, lines, bytes, batches, retries, mark, trouble_at, \
             trouble, updated_at FROM forwarders ORDER BY name",
        )
        .map_err(&failed)?;
    let rows = statement.query_map([], forwarder).map_err(&failed)?;
    rows.map(|row| row.map_err(&failed)).collect()
}

fn forwarder(row: &Row<'_>) -> rusqlite::Result<ForwarderRow> {
    let since: Option<i64> = row.get(11)?;
    let words: Option<String> = row.get(12)?;
    Ok(ForwarderRow {
        name: row.get(0)?,
        begin: number(row, 1)?,
        place: number(row, 2)?,
        delivered: number(row, 3)?,
        filtered: number(row, 4)?,
        dead: number(row, 5)?,
        lines: number(row, 6)?,
        bytes: number(row, 7)?,
        batches: number(row, 8)?,
        retries: number(row, 9)?,
        mark: row.get(10)?,
        trouble: since.map(Timestamp::from_micros).zip(words),
        updated_at: time(row, 13)?,
    })
}

/// A page of a forwarder's dead letters behind a line of a record.
///
/// # Errors
/// When nothing could be read at all.
pub(super) fn dead_letters(
    at: &At<'_>,
    connection: &Connection,
    name: &str,
    (seq, line): (i64, i64),
) -> Result<Page<DeadLetterRow>, JournalError> {
    let sql = "SELECT seq, line, why, at, resend FROM dead_letters \
               WHERE forwarder = ?1 AND (seq, line) > (?2, ?3) ORDER BY seq, line";
    let read = |row: &Row<'_>| {
        let key = DeadLetterKey { forwarder: name.to_owned(), seq: number(row, 0)?, line: row.get(1)? };
        Ok(DeadLetterRow { key, why: row.get(2)?, at: time(row, 3)?, resend: row.get(4)? })
    };
    let place = |_: Option<&_>| Place::Forwarders;
    page(at, connection, sql, params![name, seq, line], read, |letter| letter.why.len(), place)
}
