//! Taking the content of a part away: the record, its hash and its other parts stay as they are.
//!
//! Nobody sees it any more when this returns. That the bytes leave the database's files is the work of its vacuum,
//! and its log and backups keep them for as long as they are kept.

use super::super::block::{Packer, read_entries};
use super::super::code::{content_bytes, content_of, write_parts};
use super::super::data::PartContent;
use super::super::error::{JournalError, Place};
use super::connect::{At, Session, integer};
use super::index;
use super::lease::{self, Term};
use super::rows::{self, RECORD, number};

const ACTION: &str = "erase from";

/// Takes the parts of a class and project from a record; says how many.
///
/// # Errors
/// When the record or its entry is damaged, or the store cannot be written.
pub(super) async fn erase_part(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    packer: &mut Packer,
    seq: u64,
    (class, project): (u8, Option<&str>),
) -> Result<usize, JournalError> {
    let place = Place::Record(seq);
    let failed = at.sql(place, ACTION);
    session.batch("BEGIN").await.map_err(&failed)?;
    lease::guard(at, session, term).await?;
    let sql = format!("SELECT {RECORD} FROM records WHERE seq = $1");
    let row = session.query_opt(&sql, &[&integer(seq)]).await.map_err(&failed)?;
    let mut erased = 0;
    if let Some(row) = row {
        let mut record = rows::at_place(at, place, &row, rows::record)?;
        let before = content_of(&record.parts);
        let mut in_entry = false;
        for part in &mut record.parts {
            let is_meant = part.class == class && part.project.as_deref() == project;
            if is_meant && part.content != PartContent::Gone {
                in_entry |= part.content == PartContent::InEntry;
                part.content = PartContent::Gone;
                part.salt = [0; 16];
                erased += 1;
            }
        }
        if erased > 0 {
            let mut parts = Vec::new();
            write_parts(&record.parts, &mut parts);
            session
                .execute("UPDATE records SET parts = $2 WHERE seq = $1", &[&integer(seq), &parts])
                .await
                .map_err(&failed)?;
            let after = content_bytes(&record.parts, parts.len());
            shrink(session, "part_bytes", before, after).await.map_err(&failed)?;
        }
        if in_entry {
            erase_body(at, session, packer, record.entry).await?;
        }
        index::erase(at, session, packer, seq, class).await?;
    }
    session.batch("COMMIT").await.map_err(&failed)?;
    Ok(erased)
}

/// Packs the block of an entry again without its body.
async fn erase_body(
    at: &At<'_>,
    session: &mut Session,
    packer: &mut Packer,
    entry: u64,
) -> Result<(), JournalError> {
    let place = Place::Entry(entry);
    let failed = at.sql(place, ACTION);
    let row = session
        .query_opt(
            "SELECT first_entry, last_entry, data FROM blocks WHERE first_entry <= $1 \
             ORDER BY first_entry DESC LIMIT 1",
            &[&integer(entry)],
        )
        .await
        .map_err(&failed)?;
    let row = row.ok_or_else(|| at.damaged(place, "the entry of a record is missing"))?;
    let block = |row: &_| Ok((number(row, 0)?, number(row, 1)?, rows::column::<Vec<u8>>(row, 2)?));
    let (first, last, data) = rows::at_place(at, place, &row, block)?;
    let mut entries = read_entries(&data, first, last).map_err(at.malformed(place))?;
    let Some(erased) = entries.iter_mut().find(|other| other.number == entry) else {
        return Err(at.damaged(place, "the entry of a record is missing"));
    };
    erased.body = Vec::new();
    erased.erased = true;
    let (count, block) = packer.entries(&entries).map_err(|error| at.io(ACTION, error))?;
    if count != entries.len() {
        return Err(at.damaged(place, "a block holds more than it may"));
    }
    session
        .execute("UPDATE blocks SET data = $2 WHERE first_entry = $1", &[&integer(first), &block])
        .await
        .map_err(&failed)?;
    shrink(session, "input_bytes", data.len(), block.len()).await.map_err(&failed)
}

/// Counts in one of the sizes that something became smaller.
async fn shrink(
    session: &mut Session,
    size: &str,
    before: usize,
    after: usize,
) -> Result<(), tokio_postgres::Error> {
    let sql = format!("UPDATE sizes SET {size} = {size} - $1 + $2");
    let [before, after] = [before, after].map(|bytes| integer(bytes as u64));
    session.execute(&sql, &[&before, &after]).await.map(drop)
}
