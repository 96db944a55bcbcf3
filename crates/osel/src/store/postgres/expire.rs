//! Letting go of what commits said may go: terms of the search index and the parts of records that have them, then inputs, versions and snapshots.
//!
//! It is done a step at a time, in that order, so that no record ever names a part in an entry that is not there. How
//! far it has come is written in the same transaction as the step: whoever leads next goes on there. What goes is seen
//! by nobody any more; that its room is used again is the work of the database's vacuum.

use std::time::{Duration, Instant};

use osel_core::time::Timestamp;
use tokio_postgres::Row;

use super::super::block::{Packer, read_entries};
use super::super::check::CommitFault;
use super::super::code::{content_bytes, read_parts, write_parts};
use super::super::data::{Checkpoint, Expiry};
use super::super::due::{self, ANY_KIND, IN_ENTRY, Limit, RECORDS_AT_ONCE, VERSIONS_AT_ONCE};
use super::super::erasure::Eraser;
use super::super::error::{JournalError, Place};
use super::super::persons::week_of;
use super::connect::{At, Parameters, Session, integer};
use super::lease::{self, Term};
use super::reader::paged;
use super::rows::{self, Read, byte, column, number, time};
use super::{index, persons};

const ACTION: &str = "let go of old content of";

/// What may go, as commits have said.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn read(at: &At<'_>, session: &mut Session) -> Result<Expiry, JournalError> {
    // One statement, so that it is of one moment.
    let sql = "SELECT snapshot, expiry.seq, entry, quarantine_before, class, kind, limits.seq \
               FROM expiry LEFT JOIN expiry_parts AS limits ON class <> $1";
    let place = Place::Meta;
    let found = session.query(sql, &[&i16::from(IN_ENTRY)]).await.map_err(at.sql(place, "read"))?;
    if found.is_empty() {
        return Err(at.damaged(place, "it does not say what may go"));
    }
    let mut expiry = Expiry::default();
    for row in &found {
        let (checkpoint, quarantine_before, limit) = rows::at_place(at, place, row, |row| {
            let checkpoint =
                Checkpoint { snapshot: number(row, 0)?, seq: number(row, 1)?, entry: number(row, 2)? };
            let has_limit = column::<Option<i16>>(row, 4)?.is_some();
            let limit = if has_limit { Some(read_limit(row, 4)?) } else { None };
            Ok((checkpoint, time(row, 3)?, limit))
        })?;
        (expiry.checkpoint, expiry.quarantine_before) = (checkpoint, quarantine_before);
        limit.into_iter().for_each(|limit| due::add(&mut expiry, limit));
    }
    Ok(expiry)
}

/// A limit in three columns.
fn read_limit(row: &Row, from: usize) -> Read<Limit> {
    Ok(Limit { class: byte(row, from)?, kind: byte(row, from + 1)?, seq: number(row, from + 2)? })
}

/// Writes down what a commit says may go. It only ever rises.
///
/// # Errors
/// When the checkpoint is not there, and then the transaction is ended, or the store cannot be written.
pub(super) async fn order(at: &At<'_>, session: &mut Session, expiry: &Expiry) -> Result<(), JournalError> {
    let failed = at.sql(Place::Meta, ACTION);
    let before = read(at, session).await?;
    let mut limits: Vec<Limit> = due::limits(expiry).collect();
    let Checkpoint { snapshot, seq, entry } = expiry.checkpoint;
    if entry > before.checkpoint.entry {
        let moved = session
            .execute(
                "UPDATE expiry SET snapshot = $1, seq = $2, entry = $3 WHERE EXISTS \
                 (SELECT FROM snapshot_index WHERE id = $1 AND seq = $2 AND entry = $3 AND complete)",
                &[&integer(snapshot), &integer(seq), &integer(entry)],
            )
            .await
            .map_err(&failed)?;
        if moved == 0 {
            session.batch("ROLLBACK").await.map_err(&failed)?;
            let source = Box::new(CommitFault::Checkpoint { snapshot });
            return Err(JournalError::Refused { path: at.path.to_path_buf(), source });
        }
        limits.push(Limit { class: IN_ENTRY, kind: ANY_KIND, seq });
    }
    if expiry.quarantine_before > before.quarantine_before {
        // Blocks that were kept for held messages are looked at again.
        session
            .execute(
                "UPDATE expiry SET quarantine_before = $1, swept = 0",
                &[&expiry.quarantine_before.micros()],
            )
            .await
            .map_err(&failed)?;
    }
    if limits.is_empty() {
        return Ok(());
    }
    index::records_change(at, session).await?;
    let classes: Vec<i16> = limits.iter().map(|limit| i16::from(limit.class)).collect();
    let kinds: Vec<i16> = limits.iter().map(|limit| i16::from(limit.kind)).collect();
    let seqs: Vec<i64> = limits.iter().map(|limit| integer(limit.seq)).collect();
    // What went from all kinds has gone from a kind that is new.
    session
        .execute(
            "INSERT INTO expiry_parts (class, kind, seq, done, searched) \
             SELECT new.class, new.kind, new.seq, coalesce(whole.done, 0), coalesce(whole.searched, 0) \
             FROM unnest($1::smallint[], $2::smallint[], $3::bigint[]) AS new (class, kind, seq) \
             LEFT JOIN expiry_parts AS whole ON whole.class = new.class AND whole.kind = $4 \
             ON CONFLICT (class, kind) DO UPDATE SET seq = greatest(expiry_parts.seq, excluded.seq)",
            &[&classes, &kinds, &seqs, &i16::from(ANY_KIND)],
        )
        .await
        .map(drop)
        .map_err(&failed)
}

/// Has the block of an entry looked at again that nobody holds any more, if it was kept behind the checkpoint for that: it
/// goes with the next order, or the next writer.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn release(at: &At<'_>, session: &mut Session, entry: u64) -> Result<(), JournalError> {
    session
        .execute(
            "UPDATE expiry SET swept = (SELECT max(first_entry) - 1 FROM blocks WHERE first_entry <= $1) \
             WHERE swept >= $1 AND EXISTS (SELECT FROM blocks WHERE first_entry <= $1 AND last_entry >= $1)",
            &[&integer(entry)],
        )
        .await
        .map(drop)
        .map_err(at.sql(Place::Quarantine, "write"))
}

/// Lets go of what may go for about that long, in one transaction and in one step at least; says whether there is
/// more.
///
/// # Errors
/// When somebody else leads, or the store cannot be written.
pub(super) async fn expire(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    packer: &mut Packer,
    how_long: Duration,
) -> Result<bool, JournalError> {
    let begun = Instant::now();
    session.batch("BEGIN").await.map_err(at.sql(Place::File, ACTION))?;
    lease::guard(at, session, term).await?;
    let mut steps = Steps { at, session, packer };
    let mut more = steps.next().await?;
    while more && begun.elapsed() < how_long {
        more = steps.next().await?;
    }
    session.batch("COMMIT").await.map_err(at.sql(Place::File, ACTION))?;
    Ok(more)
}

/// Lets go of some keys that no part needs any more; says whether there may be more of them.
///
/// # Errors
/// When somebody else leads, or the store cannot be written.
pub(super) async fn drop_keys(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    eraser: &dyn Eraser,
) -> Result<bool, JournalError> {
    let failed = at.sql(Place::Meta, ACTION);
    session.batch("BEGIN").await.map_err(&failed)?;
    lease::guard(at, session, term).await?;
    let mut done = Expiry::default();
    for row in session.query("SELECT class, kind, done FROM expiry_parts", &[]).await.map_err(&failed)? {
        due::add(&mut done, rows::at_place(at, Place::Meta, &row, |row| read_limit(row, 0))?);
    }
    let seq = eraser.gone(&done);
    let place = Place::Record(seq);
    let sql = "SELECT as_of FROM records WHERE seq = $1";
    let row = session.query_opt(sql, &[&integer(seq)]).await.map_err(at.sql(place, ACTION))?;
    let as_of = row.map(|row| rows::at_place(at, place, &row, |row| time(row, 0))).transpose()?;
    let more = match as_of {
        Some(as_of) => persons::drop_before(at, session, week_of(as_of)).await?,
        None => false,
    };
    session.batch("COMMIT").await.map_err(&failed)?;
    Ok(more)
}

struct Steps<'a> {
    at: &'a At<'a>,
    session: &'a mut Session,
    packer: &'a mut Packer,
}

impl Steps<'_> {
    /// The next step; false when there was nothing left to do.
    async fn next(&mut self) -> Result<bool, JournalError> {
        // Before the parts go, so that no name is found that is not there.
        if index::purge(self.at, self.session, self.packer).await? || self.erase_parts().await? {
            return Ok(true);
        }
        let place = Place::Meta;
        let sql = "SELECT seq, entry, quarantine_before, swept FROM expiry";
        let row = self.session.query_opt(sql, &[]).await.map_err(self.at.sql(place, ACTION))?;
        let row = row.ok_or_else(|| self.at.damaged(place, "it does not say what may go"))?;
        let read = |row: &_| Ok((number(row, 0)?, number(row, 1)?, time(row, 2)?, number(row, 3)?));
        let (seq, entry, quarantine_before, swept) = rows::at_place(self.at, place, &row, read)?;
        if swept < entry {
            self.remove_block((swept, entry), quarantine_before).await?;
            return Ok(true);
        }
        Ok(self.remove_versions(seq).await? || self.remove_snapshots(entry).await?)
    }

    async fn execute(
        &mut self,
        place: Place,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<u64, JournalError> {
        self.session.execute(sql, parameters).await.map_err(self.at.sql(place, ACTION))
    }

    /// Takes parts from the next records; false when all are gone that may go.
    async fn erase_parts(&mut self) -> Result<bool, JournalError> {
        let sql = "SELECT class, kind, seq, done FROM expiry_parts";
        let found = self.session.query(sql, &[]).await.map_err(self.at.sql(Place::Meta, ACTION))?;
        let read = |row: &_| Ok((read_limit(row, 0)?, number(row, 3)?));
        let limits: Vec<(Limit, u64)> = found
            .iter()
            .map(|row| rows::at_place(self.at, Place::Meta, row, read))
            .collect::<Result<_, _>>()?;
        let due = limits.iter().filter(|(limit, done)| *done < limit.seq).min_by_key(|(_, done)| done);
        let Some(&(Limit { seq: target, .. }, from)) = due else { return Ok(false) };
        let limits: Vec<Limit> = limits.into_iter().map(|(limit, _)| limit).collect();

        let to = target.min(from + RECORDS_AT_ONCE);
        let place = Place::Record(from + 1);
        let sql =
            paged("seq, kind, parts", "octet_length(parts)", "seq", "records WHERE seq BETWEEN $1 AND $2");
        let found = self
            .session
            .query(&sql, &[&integer(from + 1), &integer(to)])
            .await
            .map_err(self.at.sql(place, ACTION))?;
        // Fewer, when they are large.
        let mut to = to;
        let (mut seqs, mut left, mut freed, mut remains) = (Vec::new(), Vec::new(), 0, 0);
        for row in &found {
            let read = |row: &_| Ok((number(row, 0)?, byte(row, 1)?, column::<Vec<u8>>(row, 2)?));
            let (seq, kind, packed) = rows::at_place(self.at, place, row, read)?;
            to = seq;
            // A damaged one is verification's to name, and must not hold up all behind it.
            let Ok(mut parts) = read_parts(&packed) else { continue };
            let before = content_bytes(&parts, packed.len());
            if !due::erase_parts(&mut parts, (seq, kind), &limits) {
                continue;
            }
            let mut without = Vec::new();
            write_parts(&parts, &mut without);
            let after = content_bytes(&parts, without.len());
            freed += before.saturating_sub(after) as u64;
            // What is kept for ever, once no part is there any more.
            remains += if before > 0 && after == 0 { without.len() as u64 } else { 0 };
            seqs.push(integer(seq));
            left.push(without);
        }
        if !seqs.is_empty() {
            let sql = "WITH counted AS (UPDATE sizes SET part_bytes = part_bytes - $3, record_bytes = record_bytes + $4) \
                       UPDATE records SET parts = new.parts \
                       FROM unnest($1::bigint[], $2::bytea[]) AS new (seq, parts) WHERE records.seq = new.seq";
            self.execute(place, sql, &[&seqs, &left, &integer(freed), &integer(remains)]).await?;
        }
        // Whatever was gone from the first of them is gone from all of them now.
        let sql = "UPDATE expiry_parts SET done = $2 WHERE done BETWEEN $1 AND $2 AND seq >= $2";
        self.execute(Place::Meta, sql, &[&integer(from), &integer(to)]).await?;
        Ok(true)
    }

    /// Removes the next block of inputs, but for the messages in it that are held in quarantine.
    async fn remove_block(
        &mut self,
        (swept, until): (u64, u64),
        quarantine_before: Timestamp,
    ) -> Result<(), JournalError> {
        let place = Place::Entry(swept + 1);
        let failed = self.at.sql(place, ACTION);
        let sql = "SELECT first_entry, last_entry, octet_length(data)::bigint FROM blocks \
                   WHERE first_entry > $1 AND last_entry <= $2 ORDER BY first_entry LIMIT 1";
        let block =
            self.session.query_opt(sql, &[&integer(swept), &integer(until)]).await.map_err(&failed)?;
        let Some(block) = block else {
            return self.execute(place, "UPDATE expiry SET swept = $1", &[&integer(until)]).await.map(drop);
        };
        let read = |row: &_| Ok((number(row, 0)?, number(row, 1)?, number(row, 2)?));
        let (first, last, bytes) = rows::at_place(self.at, place, &block, read)?;
        let sql = "SELECT entry FROM quarantine WHERE entry BETWEEN $1 AND $2 AND state = 0 AND at >= $3";
        let held = self
            .session
            .query(sql, &[&integer(first), &integer(last), &quarantine_before.micros()])
            .await
            .map_err(&failed)?;
        let held: Vec<u64> = held
            .iter()
            .map(|row| rows::at_place(self.at, place, row, |row| number(row, 0)))
            .collect::<Result<_, _>>()?;
        let left = if held.is_empty() {
            self.execute(place, "DELETE FROM blocks WHERE first_entry = $1", &[&integer(first)]).await?;
            0
        } else {
            self.keep_held((first, last), &held).await?.unwrap_or(bytes)
        };
        let sql =
            "WITH counted AS (UPDATE sizes SET input_bytes = input_bytes + $2) UPDATE expiry SET swept = $1";
        self.execute(place, sql, &[&integer(last), &(integer(left) - integer(bytes))]).await.map(drop)
    }

    /// Packs a block again with nothing but the messages that are held; says how many bytes it has then, and none
    /// where it stayed as it was, since it holds nothing else or is damaged.
    async fn keep_held(
        &mut self,
        (first, last): (u64, u64),
        held: &[u64],
    ) -> Result<Option<u64>, JournalError> {
        let place = Place::Entry(first);
        let sql = "SELECT data FROM blocks WHERE first_entry = $1";
        let row =
            self.session.query_opt(sql, &[&integer(first)]).await.map_err(self.at.sql(place, ACTION))?;
        let row = row.ok_or_else(|| self.at.damaged(place, "it is missing"))?;
        let data = rows::at_place(self.at, place, &row, |row| column::<Vec<u8>>(row, 0))?;
        let Ok(mut entries) = read_entries(&data, first, last) else { return Ok(None) };
        if !due::keep_held(&mut entries, held) {
            return Ok(None);
        }
        let (count, block) = self.packer.entries(&entries).map_err(|error| self.at.io(ACTION, error))?;
        if count != entries.len() {
            return Ok(None);
        }
        let sql = "UPDATE blocks SET data = $2 WHERE first_entry = $1";
        self.session.execute(sql, &[&integer(first), &block]).await.map_err(self.at.sql(place, ACTION))?;
        Ok(Some(block.len() as u64))
    }

    /// Removes the next blocks of versions; false when all are gone that may go.
    async fn remove_versions(&mut self, seq: u64) -> Result<bool, JournalError> {
        let sql = "WITH gone AS (DELETE FROM versions WHERE id IN \
                   (SELECT id FROM versions WHERE last_seq <= $1 ORDER BY last_seq, id LIMIT $2) \
                   RETURNING octet_length(data) AS bytes) \
                   UPDATE sizes SET version_bytes = version_bytes - (SELECT sum(bytes) FROM gone) \
                   WHERE EXISTS (SELECT FROM gone)";
        let place = Place::Versions(seq);
        Ok(self.execute(place, sql, &[&integer(seq), &VERSIONS_AT_ONCE]).await? > 0)
    }

    /// Removes the next chunk of snapshots from before the checkpoint; false when all are gone.
    async fn remove_snapshots(&mut self, entry: u64) -> Result<bool, JournalError> {
        let before = integer(entry);
        let place = Place::File;
        // From sight first, so that nobody begins to read what goes.
        let sql = "UPDATE snapshot_index SET complete = false WHERE entry < $1 AND complete";
        self.execute(place, sql, &[&before]).await?;
        let sql = "DELETE FROM snapshots WHERE (snapshot, chunk) IN (SELECT snapshot, chunk FROM snapshots \
                   JOIN snapshot_index AS owner ON owner.id = snapshot WHERE owner.entry < $1 LIMIT 1)";
        if self.execute(place, sql, &[&before]).await? > 0 {
            return Ok(true);
        }
        self.execute(place, "DELETE FROM snapshot_index WHERE entry < $1", &[&before]).await?;
        Ok(false)
    }
}
