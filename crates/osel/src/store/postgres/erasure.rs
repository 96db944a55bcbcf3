//! Erasing persons: the order with its commit, then step by step what follows from it.
//!
//! Keys are destroyed in the transaction of the order. Each further step is one transaction with its progress, so that a kill at any point costs the step. That
//! the bytes leave the database's files is the work of its vacuum.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::super::block::{Packer, read_entries};
use super::super::code::{content_bytes, content_of, write_parts};
use super::super::data::{Head, PartContent, StoredRecord};
use super::super::erasure::{
    CHUNKS_AT_ONCE, ChunkStep, Eraser, Erasing, ErasureRow, NewErasure, RECORDS_AT_ONCE, SealedByOthers,
    Stage,
};
use super::super::error::{JournalError, Place};
use super::connect::{At, Session, integer};
use super::lease::{self, Term};
use super::reader::paged;
use super::rows::{self, RECORD, column, number};
use super::{index, persons};

const ACTION: &str = "erase a person from";

/// Writes down, within the transaction of the order, that a person is to be erased from a store that ends there, and destroys the keys.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn order(
    at: &At<'_>,
    session: &mut Session,
    erasure: &NewErasure,
    head: Head,
) -> Result<(), JournalError> {
    let mut erasing = Erasing::new(erasure, (head.seq, head.entry));
    erasing.found_keys(persons::numbers(at, session, &erasing.persons).await?);
    persons::destroy(at, session, &erasing.numbers).await?;
    erasing.stage = Stage::Records;
    session
        .execute(
            "INSERT INTO erasures (seq, entry, done, state) VALUES ($1, $2, false, $3)",
            &[&integer(erasure.seq), &integer(head.entry), &erasing.to_bytes()],
        )
        .await
        .map_err(at.sql(Place::Erasures, ACTION))?;
    // No segment of the index that is being made now may have the person any more.
    index::records_change(at, session).await
}

/// Goes on with what was ordered for about that long, in one step at least; says whether there is more.
///
/// # Errors
/// When somebody else leads, or the store cannot be written.
pub(super) async fn erase(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    packer: &mut Packer,
    how_long: Duration,
    eraser: &dyn Eraser,
) -> Result<bool, JournalError> {
    let begun = Instant::now();
    let failed = at.sql(Place::Erasures, ACTION);
    loop {
        let all = open(at, session).await?;
        let waiting = Erasing::waiting(&all);
        let Some(mut erasing) = all.into_iter().next() else { return Ok(false) };
        session.batch("BEGIN").await.map_err(&failed)?;
        lease::guard(at, session, term).await?;
        Step { at, session, packer, eraser, waiting }.take(&mut erasing).await?;
        let is_done = erasing.stage == Stage::Done;
        let sql = "UPDATE erasures SET done = $2, state = $3 WHERE seq = $1";
        let state = erasing.to_bytes();
        session.execute(sql, &[&integer(erasing.row.seq), &is_done, &state]).await.map_err(&failed)?;
        session.batch("COMMIT").await.map_err(&failed)?;
        if begun.elapsed() >= how_long {
            return Ok(!open(at, session).await?.is_empty());
        }
    }
}

/// How far each erasure has come.
///
/// # Errors
/// When it cannot be read.
pub(super) async fn list(at: &At<'_>, session: &mut Session) -> Result<Vec<ErasureRow>, JournalError> {
    let all = read(at, session, "SELECT state FROM erasures ORDER BY seq").await?;
    Ok(all.into_iter().map(|erasing| erasing.row).collect())
}

async fn open(at: &At<'_>, session: &mut Session) -> Result<Vec<Erasing>, JournalError> {
    read(at, session, "SELECT state FROM erasures WHERE NOT done ORDER BY seq").await
}

async fn read(at: &At<'_>, session: &mut Session, sql: &str) -> Result<Vec<Erasing>, JournalError> {
    let found = session.query(sql, &[]).await.map_err(at.sql(Place::Erasures, "read"))?;
    let read = |row: &_| {
        let state = rows::at_place(at, Place::Erasures, row, |row| column::<Vec<u8>>(row, 0))?;
        serde_json::from_slice(&state).map_err(at.malformed(Place::Erasures))
    };
    found.iter().map(read).collect()
}

/// One step within its transaction.
struct Step<'a> {
    at: &'a At<'a>,
    session: &'a mut Session,
    packer: &'a mut Packer,
    eraser: &'a dyn Eraser,
    /// The keys of those whose erasures wait for this one.
    waiting: BTreeSet<u64>,
}

impl Step<'_> {
    async fn take(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        match erasing.stage {
            Stage::Records => self.records(erasing).await,
            Stage::Messages => self.messages(erasing).await,
            Stage::States => self.states(erasing).await,
            Stage::Ordered | Stage::Keys | Stage::Wipe | Stage::Done => {
                erasing.stage = Stage::Done;
                erasing.row.is_done = true;
                Ok(())
            }
        }
    }

    /// Takes the person's parts from the next records, and their terms from the index; of records with locked parts all that it knows.
    async fn records(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        let (from, until) = (erasing.done.0, erasing.row.until.0);
        let to = until.min(from.saturating_add(RECORDS_AT_ONCE));
        let place = Place::Record(from + 1);
        let sql = paged(
            RECORD,
            "octet_length(canonical) + octet_length(parts)",
            "seq",
            "records WHERE seq BETWEEN $1 AND $2",
        );
        let found = self.session.query(&sql, &[&integer(from + 1), &integer(to)]).await;
        let found = found.map_err(self.at.sql(place, ACTION))?;
        // Fewer, where they are large.
        let mut done = if found.is_empty() { to } else { from };
        let mut taken = Vec::new();
        let mut others = SealedByOthers::default();
        for row in &found {
            done = rows::at_place(self.at, place, row, |row| number(row, 0))?;
            // A damaged one is verification's to name, and must not hold up all behind it.
            let Ok(mut record) = rows::record(row) else { continue };
            erasing.note_others(&record, &self.waiting, &mut others);
            let before = content_of(&record.parts);
            if erasing.take_from(self.eraser, &mut record) > 0 {
                taken.push((before, record));
            }
        }
        let seqs: Vec<u64> = taken.iter().map(|(_, record)| record.seq).collect();
        index::erase_these(self.at, self.session, self.packer, &seqs, self.eraser.class()).await?;
        let there = persons::present(self.at, self.session, &others.numbers()).await?;
        let dropped = index::drop_with(self.at, self.session, &others.locked(&there)).await?;
        erasing.unindexed = erasing.unindexed.max(dropped);
        self.replace_parts(&taken).await?;
        erasing.done.0 = done;
        if done == until {
            erasing.stage = Stage::Messages;
        }
        Ok(())
    }

    /// Writes the next block of inputs again without the person; the messages in it that are parts of records are that no more.
    async fn messages(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        let (from, until) = (erasing.done.1, erasing.row.until.1);
        let place = Place::Entry(from + 1);
        let failed = self.at.sql(place, ACTION);
        let sql = "SELECT first_entry, last_entry, data FROM blocks \
                   WHERE first_entry > $1 AND first_entry <= $2 ORDER BY first_entry LIMIT 1";
        let found = self.session.query_opt(sql, &[&integer(from), &integer(until)]).await.map_err(&failed)?;
        let Some(row) = found else {
            erasing.stage = Stage::States;
            return Ok(());
        };
        let block = |row: &_| Ok((number(row, 0)?, number(row, 1)?, column::<Vec<u8>>(row, 2)?));
        let (first, last, data) = rows::at_place(self.at, place, &row, block)?;
        erasing.done.1 = last;
        // A damaged one is verification's to name.
        let Ok(mut entries) = read_entries(&data, first, last) else { return Ok(()) };
        let changed = erasing.rewrite(self.eraser, &mut entries);
        if changed.is_empty() {
            return Ok(());
        }
        let sql = "WITH counted AS (UPDATE sizes SET input_bytes = input_bytes - octet_length(\
                   (SELECT data FROM blocks WHERE first_entry = $1))) DELETE FROM blocks WHERE first_entry = $1";
        self.session.execute(sql, &[&integer(first)]).await.map_err(&failed)?;
        let mut rest = &entries[..];
        // What is written instead may be longer: then they are two blocks.
        while let Some(next) = rest.first() {
            let packed = self.packer.entries(rest);
            let (count, block) = packed.map_err(|error| self.at.io(ACTION, error))?;
            let last = next.number + count as u64 - 1;
            let sql = "WITH counted AS (UPDATE sizes SET input_bytes = input_bytes + octet_length($3::bytea)) \
                       INSERT INTO blocks (first_entry, last_entry, data) VALUES ($1, $2, $3)";
            let row = [integer(next.number), integer(last)];
            self.session.execute(sql, &[&row[0], &row[1], &block]).await.map_err(&failed)?;
            rest = rest.get(count..).unwrap_or_default();
        }
        self.take_payloads((first, last), &changed).await
    }

    /// Looks through the next chunks of saved states.
    async fn states(&mut self, erasing: &mut Erasing) -> Result<(), JournalError> {
        for _ in 0..CHUNKS_AT_ONCE {
            if !self.chunk(erasing).await? {
                break;
            }
        }
        Ok(())
    }

    /// Writes the next chunk of a saved state again without the person; whether it could stay. A state that is not complete, or that nobody can read,
    /// goes.
    async fn chunk(&mut self, erasing: &mut Erasing) -> Result<bool, JournalError> {
        let place = Place::Erasures;
        let failed = self.at.sql(place, ACTION);
        let from = [erasing.state.0, erasing.state.1, erasing.row.until.1].map(integer);
        let next = self
            .session
            .query_opt(
                "SELECT snapshot, chunk, complete, data FROM snapshots JOIN snapshot_index AS owner ON owner.id = snapshot \
                 WHERE (snapshot, chunk) >= ($1, $2) AND owner.entry < $3 \
                 AND snapshot <> (SELECT snapshot FROM expiry) ORDER BY snapshot, chunk LIMIT 1",
                &[&from[0], &from[1], &from[2]],
            )
            .await
            .map_err(&failed)?;
        let Some(row) = next else {
            let checkpoint =
                self.session.query_opt("SELECT snapshot FROM expiry", &[]).await.map_err(&failed)?;
            let checkpoint = checkpoint
                .as_ref()
                .map_or(Ok(0), |row| rows::at_place(self.at, place, row, |row| number(row, 0)))?;
            erasing.has_no_more_states(checkpoint);
            return Ok(false);
        };
        let chunk = |row: &_| {
            Ok((number(row, 0)?, number(row, 1)?, column::<bool>(row, 2)?, column::<Vec<u8>>(row, 3)?))
        };
        let (state, chunk, is_complete, data) = rows::at_place(self.at, place, &row, chunk)?;
        match erasing.rewrite_chunk(self.eraser, (state, chunk, is_complete), &data) {
            ChunkStep::Keep => return Ok(true),
            ChunkStep::Drop => {
                // The next one drops the row.
                for sql in [
                    "UPDATE snapshot_index SET complete = false WHERE id = $1",
                    "DELETE FROM snapshots WHERE snapshot = $1",
                ] {
                    self.session.execute(sql, &[&integer(state)]).await.map_err(&failed)?;
                }
            }
            ChunkStep::Replace(left, before) => {
                let grown = integer(left.len() as u64) - integer(before as u64);
                let packed = self.packer.bytes(&left).map_err(|error| self.at.io(ACTION, error))?;
                let sql = "WITH counted AS (UPDATE snapshot_index SET bytes = bytes + $4 WHERE id = $1) \
                           UPDATE snapshots SET data = $3 WHERE snapshot = $1 AND chunk = $2";
                self.session
                    .execute(sql, &[&integer(state), &integer(chunk), &packed, &grown])
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(false)
    }

    /// Takes messages from the records that they are parts of, since they are not the ones that were sealed any more.
    async fn take_payloads(
        &mut self,
        (first, last): (u64, u64),
        entries: &[u64],
    ) -> Result<(), JournalError> {
        // Records are in the order of their entries.
        let (from, behind) = (self.first_of(first).await?, self.first_of(last + 1).await?);
        let place = Place::Record(from);
        let sql = format!(
            "SELECT {RECORD} FROM records WHERE seq >= $1 AND seq < $2 AND entry = ANY($3::bigint[])"
        );
        let entries: Vec<i64> = entries.iter().map(|entry| integer(*entry)).collect();
        let found = self.session.query(&sql, &[&integer(from), &integer(behind), &entries]).await;
        let (mut taken, mut seqs) = (Vec::new(), BTreeMap::<u8, Vec<u64>>::new());
        for row in found.map_err(self.at.sql(place, ACTION))? {
            let Ok(mut record) = rows::record(&row) else { continue };
            let before = content_of(&record.parts);
            for part in record.parts.iter_mut().filter(|part| part.content == PartContent::InEntry) {
                (part.content, part.salt) = (PartContent::Gone, [0; 16]);
                seqs.entry(part.class).or_default().push(record.seq);
            }
            taken.push((before, record));
        }
        for (class, mut seqs) in seqs {
            seqs.sort_unstable();
            index::erase_these(self.at, self.session, self.packer, &seqs, class).await?;
        }
        self.replace_parts(&taken).await
    }

    /// The first record of an entry or of one behind it; that behind the last where there is none.
    async fn first_of(&mut self, entry: u64) -> Result<u64, JournalError> {
        let place = Place::Entry(entry);
        let failed = self.at.sql(place, ACTION);
        let one = |row: &_| rows::at_place(self.at, place, row, |row| number(row, 0));
        let sql = "SELECT coalesce(max(seq), 0) FROM records";
        let last = self.session.query_opt(sql, &[]).await.map_err(&failed)?;
        let (mut before, mut behind) = (0, last.as_ref().map_or(Ok(0), one)? + 1);
        while behind - before > 1 {
            let middle = before + (behind - before) / 2;
            let sql = "SELECT entry FROM records WHERE seq = $1";
            let row = self.session.query_opt(sql, &[&integer(middle)]).await.map_err(&failed)?;
            let row = row.ok_or_else(|| self.at.damaged(Place::Record(middle), "it is missing"))?;
            *(if one(&row)? < entry { &mut before } else { &mut behind }) = middle;
        }
        Ok(behind)
    }

    /// Writes records that lost parts, each with how many bytes counted as content before.
    async fn replace_parts(&mut self, records: &[(usize, StoredRecord)]) -> Result<(), JournalError> {
        let Some((_, first)) = records.first() else { return Ok(()) };
        let (mut freed, mut remains) = (0, 0);
        let (mut seqs, mut left) = (Vec::new(), Vec::new());
        for (before, record) in records {
            let mut parts = Vec::new();
            write_parts(&record.parts, &mut parts);
            let after = content_bytes(&record.parts, parts.len());
            freed += before.saturating_sub(after) as u64;
            // What is kept for ever, once no part is there any more.
            remains += if *before > 0 && after == 0 { parts.len() as u64 } else { 0 };
            seqs.push(integer(record.seq));
            left.push(parts);
        }
        let sql = "WITH counted AS (UPDATE sizes SET part_bytes = part_bytes - $3, record_bytes = record_bytes + $4) \
                   UPDATE records SET parts = new.parts \
                   FROM unnest($1::bigint[], $2::bytea[]) AS new (seq, parts) WHERE records.seq = new.seq";
        self.session
            .execute(sql, &[&seqs, &left, &integer(freed), &integer(remains)])
            .await
            .map(drop)
            .map_err(self.at.sql(Place::Record(first.seq), ACTION))
    }
}
