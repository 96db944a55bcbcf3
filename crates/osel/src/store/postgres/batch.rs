//! One commit as one transaction.
//!
//! Rows of a table go to the server together, as arrays: one message each, so that a writer that is paused never
//! leaves the server waiting within a statement, where it would keep the row of the epoch locked. For the same reason a
//! statement that adds content counts its bytes as well.

use std::collections::BTreeMap;

use osel_core::time::Timestamp;

use super::super::block::Packer;
use super::super::code::content_bytes_of;
use super::super::data::{
    Commit, Counters, CursorRow, Head, LifeRow, QuarantineState, RESOLVED, RESOLVED_AT_ONCE,
};
use super::super::error::{JournalError, Place};
use super::super::new_records::{NewHead, NewRecord, NewRecords};
use super::super::persons::Sealer;
use super::connect::{At, Session, integer};
use super::lease::Term;
use super::rows::{self, HEAD};
use super::{erasure, expire, forward, log, persons};

const ACTION: &str = "write";
const UNMODELLED: i16 = 1;
const IGNORED_BY: i16 = 2;
/// The longest name of a tally: one of the bus may have any length, and an index takes 2,700 bytes.
const TALLY_BYTES_MAX: usize = 512;
/// A message to the server ends once it has this many bytes: its bound is 1 GiB, and a value may have most of that.
const MESSAGE_BYTES: usize = 32 << 20;

/// Writes a checked commit; durable when it returns.
///
/// # Errors
/// When the store is not where the commit goes on, or cannot be written.
pub(super) async fn write(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    commit: &Commit<'_>,
    (packer, sealer): (&mut Packer, &mut Sealer),
    trims_log: bool,
) -> Result<Head, JournalError> {
    let head = commit.head_after();
    // The journal's epoch is that of its term; who commits by an older one is refused as whoever has an older term.
    let term = Term { epoch: commit.epoch, ..term };
    session.batch("BEGIN").await.map_err(at.sql(Place::File, ACTION))?;
    move_head(at, session, term, commit, head).await?;
    persons::provide(at, session, sealer, commit.records).await?;
    let mut batch = Batch { at, session };
    batch.entries(commit, packer).await?;
    batch.records(commit.records, sealer).await?;
    batch.versions(commit, packer).await?;
    for counters in commit.counters {
        batch.counters(counters).await?;
    }
    batch.quarantine(commit).await?;
    batch.lives("commands", Place::Commands, commit.commands).await?;
    if let Some(before) = commit.resolved_before {
        batch.drop_resolved(before).await?;
    }
    batch.lives("findings", Place::Findings, commit.findings).await?;
    batch.cursors(commit).await?;
    if let Some(expiry) = commit.expiry {
        expire::order(at, session, expiry).await?;
    }
    if let Some(erasure) = commit.erasure {
        erasure::order(at, session, erasure, head).await?;
    }
    log::write(at, session, commit, trims_log).await?;
    forward::write(at, session, commit).await?;
    session.batch("COMMIT").await.map_err(at.sql(Place::File, ACTION))?;
    Ok(head)
}

/// Moves the head on and renews the lease, if head and term are what the commit says. The row stays locked until the
/// commit: nobody takes the lease before.
async fn move_head(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    commit: &Commit<'_>,
    head: Head,
) -> Result<(), JournalError> {
    let failed = at.sql(Place::Meta, ACTION);
    let previous = commit.previous;
    let moved = session
        .execute(
            "UPDATE meta SET entry = $1, seq = $2, hash = $3, renewed_at = clock_timestamp() \
             WHERE epoch = $4 AND token = $5 AND entry = $6 AND seq = $7 AND hash = $8",
            &[
                &integer(head.entry),
                &integer(head.seq),
                &&head.hash[..],
                &integer(term.epoch),
                &&term.token[..],
                &integer(previous.entry),
                &integer(previous.seq),
                &&previous.hash[..],
            ],
        )
        .await
        .map_err(&failed)?;
    if moved == 1 {
        return Ok(());
    }
    let (current, found) = read_meta(at, session).await?;
    let path = at.path.to_path_buf();
    if current == term {
        Err(JournalError::HeadMoved { path, expected: previous, found })
    } else {
        Err(JournalError::Deposed { path, ours: term.epoch, current: current.epoch })
    }
}

/// The term and head that the database has; zeros for a token that nobody gave.
///
/// # Errors
/// When they cannot be read.
pub(super) async fn read_meta(at: &At<'_>, session: &mut Session) -> Result<(Term, Head), JournalError> {
    let sql = format!("SELECT {HEAD}, epoch, token FROM meta");
    let row = session.query_opt(&sql, &[]).await.map_err(at.sql(Place::Meta, "read"))?;
    let row = row.ok_or_else(|| at.damaged(Place::Meta, "it says nothing about itself"))?;
    rows::at_place(at, Place::Meta, &row, |row| {
        let token = rows::column::<Vec<u8>>(row, 4)?.try_into().unwrap_or_default();
        Ok((Term { epoch: rows::number(row, 3)?, token }, rows::head(row)?))
    })
}

struct Batch<'a> {
    at: &'a At<'a>,
    session: &'a mut Session,
}

impl Batch<'_> {
    async fn entries(&mut self, commit: &Commit<'_>, packer: &mut Packer) -> Result<(), JournalError> {
        let mut rest = commit.entries;
        while let Some(first) = rest.first() {
            let (count, block) = packer.entries(rest).map_err(|error| self.at.io(ACTION, error))?;
            // Numbers follow each other: the commit was checked.
            let last = first.number + count as u64 - 1;
            self.session
                .execute(
                    "WITH counted AS (UPDATE sizes SET input_bytes = input_bytes + octet_length($3::bytea)) \
                     INSERT INTO blocks (first_entry, last_entry, data) VALUES ($1, $2, $3)",
                    &[&integer(first.number), &integer(last), &block],
                )
                .await
                .map_err(self.at.sql(Place::Entry(first.number), ACTION))?;
            rest = rest.get(count..).unwrap_or_default();
        }
        Ok(())
    }

    async fn records(&mut self, records: &NewRecords, sealer: &mut Sealer) -> Result<(), JournalError> {
        let mut rest = records.iter();
        while let Some(first) = rest.clone().next() {
            let mut parts: Vec<Vec<u8>> = Vec::new();
            let (mut part_bytes, mut record_bytes) = (0, 0);
            for record in rest.clone() {
                let mut packed = Vec::new();
                let sealed = sealer.write_parts(&record, &mut packed);
                sealed.map_err(|error| self.at.io(ACTION, error))?;
                // One alone has less than `VALUE_BYTES_MAX`, which fits.
                let (packed_bytes, canonical_bytes) = (packed.len(), record.canonical.len());
                let bytes = part_bytes + record_bytes + packed_bytes + canonical_bytes;
                if !parts.is_empty() && bytes > MESSAGE_BYTES {
                    break;
                }
                let content = content_bytes_of(record.parts(), packed_bytes);
                part_bytes += content;
                record_bytes += canonical_bytes + packed_bytes - content;
                parts.push(packed);
            }
            let these: Vec<NewRecord<'_>> = rest.by_ref().take(parts.len()).collect();
            let numbers =
                |of: fn(&NewHead) -> i64| these.iter().map(|record| of(record.head)).collect::<Vec<i64>>();
            let seqs = numbers(|head| integer(head.seq));
            let entries = numbers(|head| integer(head.entry));
            let kinds: Vec<i16> = these.iter().map(|record| i16::from(record.head.kind)).collect();
            let times = numbers(|head| head.time.micros());
            let as_ofs = numbers(|head| head.as_of.micros());
            let hashes: Vec<&[u8]> = these.iter().map(|record| &record.head.hash[..]).collect();
            let canonicals: Vec<&[u8]> = these.iter().map(|record| record.canonical).collect();
            self.session
                .execute(
                    "WITH counted AS (UPDATE sizes SET part_bytes = part_bytes + $9, record_bytes = record_bytes + $10) \
                     INSERT INTO records (seq, entry, kind, time, as_of, hash, canonical, parts) SELECT * FROM unnest(\
                     $1::bigint[], $2::bigint[], $3::smallint[], $4::bigint[], $5::bigint[], $6::bytea[], \
                     $7::bytea[], $8::bytea[])",
                    &[
                        &seqs,
                        &entries,
                        &kinds,
                        &times,
                        &as_ofs,
                        &hashes,
                        &canonicals,
                        &parts,
                        &integer(part_bytes as u64),
                        &integer(record_bytes as u64),
                    ],
                )
                .await
                .map_err(self.at.sql(Place::Record(first.head.seq), ACTION))?;
        }
        Ok(())
    }

    async fn versions(&mut self, commit: &Commit<'_>, packer: &mut Packer) -> Result<(), JournalError> {
        let mut rest = commit.versions;
        while let Some(first) = rest.first() {
            let (count, block) = packer.versions(rest).map_err(|error| self.at.io(ACTION, error))?;
            let (packed, left) = rest.split_at_checked(count).unwrap_or((rest, &[]));
            let last = packed.last().map_or(first.seq, |last| last.seq);
            self.session
                .execute(
                    "WITH counted AS (UPDATE sizes SET version_bytes = version_bytes + octet_length($3::bytea)) \
                     INSERT INTO versions (first_seq, last_seq, data) VALUES ($1, $2, $3)",
                    &[&integer(first.seq), &integer(last), &block],
                )
                .await
                .map_err(self.at.sql(Place::Versions(first.seq), ACTION))?;
            rest = left;
        }
        Ok(())
    }

    async fn counters(&mut self, counters: &Counters) -> Result<(), JournalError> {
        let failed = self.at.sql(Place::Ledger, ACTION);
        self.session
            .execute(
                "INSERT INTO ledger (source, received, recorded, duplicate, ignored, quarantined) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (source) DO UPDATE SET \
                 received = $2, recorded = $3, duplicate = $4, ignored = $5, quarantined = $6",
                &[
                    &counters.source,
                    &integer(counters.received),
                    &integer(counters.recorded),
                    &integer(counters.duplicate),
                    &integer(counters.ignored),
                    &integer(counters.quarantined),
                ],
            )
            .await
            .map_err(&failed)?;
        for (what, tallies) in [(UNMODELLED, &counters.unmodelled), (IGNORED_BY, &counters.ignored_by)] {
            if tallies.is_empty() {
                continue;
            }
            // Two that differ in what cannot be kept are one: a row cannot be written twice at once.
            let tallies: BTreeMap<String, i64> =
                tallies.iter().map(|(name, count)| (plain(cut(name)), integer(*count))).collect();
            let (names, counts): (Vec<String>, Vec<i64>) = tallies.into_iter().unzip();
            self.session
                .execute(
                    "INSERT INTO tallies (source, what, name, count) \
                     SELECT $1, $2, name, count FROM unnest($3::text[], $4::bigint[]) AS new (name, count) \
                     ON CONFLICT (source, what, name) DO UPDATE SET count = excluded.count",
                    &[&counters.source, &what, &names, &counts],
                )
                .await
                .map_err(&failed)?;
        }
        Ok(())
    }

    async fn quarantine(&mut self, commit: &Commit<'_>) -> Result<(), JournalError> {
        for item in commit.quarantine {
            self.session
                .execute(
                    "INSERT INTO quarantine \
                     (id, entry, source, at, reason_code, reason, event_type, message_id, state) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET \
                     entry = $2, source = $3, at = $4, reason_code = $5, reason = $6, event_type = $7, \
                     message_id = $8, state = $9",
                    &[
                        &integer(item.id),
                        &integer(item.entry),
                        &plain(&item.source),
                        &item.at.micros(),
                        &plain(&item.reason_code),
                        &plain(&item.reason),
                        &item.event_type.as_deref().map(plain),
                        &item.message_id.as_deref().map(plain),
                        &i16::from(item.state.code()),
                    ],
                )
                .await
                .map_err(self.at.sql(Place::Quarantine, ACTION))?;
            if item.state == QuarantineState::Replayed {
                expire::release(self.at, self.session, item.entry).await?;
            }
        }
        Ok(())
    }

    async fn cursors(&mut self, commit: &Commit<'_>) -> Result<(), JournalError> {
        for CursorRow { source, unbroken, drained, gap, place } in commit.cursors {
            self.session
                .execute(
                    "INSERT INTO cursors (source, unbroken, drained, gap_from, gap_why, place) \
                     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (source) DO UPDATE SET \
                     unbroken = $2, drained = $3, gap_from = $4, gap_why = $5, place = $6",
                    &[
                        source,
                        &unbroken.map(Timestamp::micros),
                        &drained.map(Timestamp::micros),
                        &gap.map(|(from, _)| from.micros()),
                        &gap.map(|(_, why)| i16::from(why)),
                        place,
                    ],
                )
                .await
                .map_err(self.at.sql(Place::Cursors, ACTION))?;
        }
        Ok(())
    }

    async fn drop_resolved(&mut self, before: Timestamp) -> Result<(), JournalError> {
        let sql = "DELETE FROM findings WHERE id IN \
                   (SELECT id FROM findings WHERE state = $1 AND updated_at < $2 ORDER BY updated_at LIMIT $3)";
        let done =
            self.session.execute(sql, &[&RESOLVED, &before.micros(), &i64::from(RESOLVED_AT_ONCE)]).await;
        done.map_err(self.at.sql(Place::Findings, ACTION))?;
        Ok(())
    }

    async fn lives(&mut self, table: &str, place: Place, lives: &[LifeRow]) -> Result<(), JournalError> {
        for life in lives {
            self.session
                .execute(
                    &format!(
                        "INSERT INTO {table} (id, seq, state, body, updated_at) VALUES ($1, $2, $3, $4, $5) \
                         ON CONFLICT (id) DO UPDATE SET seq = $2, state = $3, body = $4, updated_at = $5"
                    ),
                    &[&life.id, &integer(life.seq), &life.state, &life.body, &life.updated_at.micros()],
                )
                .await
                .map_err(self.at.sql(place, ACTION))?;
        }
        Ok(())
    }
}

fn cut(name: &str) -> &str {
    name.get(..name.floor_char_boundary(TALLY_BYTES_MAX)).unwrap_or(name)
}

/// A text of the bus as PostgreSQL takes it: a zero byte, which no `text` can hold, becomes the sign for what cannot
/// be shown. The bytes themselves stand in the entry.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
