//! Saved states of the engine, written a chunk at a time and seen when complete.
//!
//! Each step is a transaction of its own that makes sure that we lead, so that commits go on between them and
//! somebody who was deposed meanwhile touches nothing; what a crash leaves unfinished is dropped when the next one is
//! begun.

use osel_core::time::Timestamp;

use super::super::block::Packer;
use super::super::check::CommitFault;
use super::super::data::{Head, SnapshotInfo};
use super::super::error::{JournalError, Place};
use super::super::journal::SNAPSHOT_CHUNK_BYTES_MAX;
use super::connect::{At, Session, integer};
use super::lease::{self, Term};
use super::rows::{self, SNAPSHOT};

const ACTION: &str = "write a snapshot to";

/// Begins a snapshot and drops an unfinished one.
///
/// # Errors
/// When the store has not come that far, or cannot be written.
pub(super) async fn begin(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    head: Head,
    (seq, entry): (u64, u64),
    made_at: Timestamp,
) -> Result<u64, JournalError> {
    if seq > head.seq || entry > head.entry {
        let source = Box::new(CommitFault::Snapshot { seq, head: head.seq });
        return Err(JournalError::Refused { path: at.path.to_path_buf(), source });
    }
    let failed = at.sql(Place::File, ACTION);
    start(at, session, term).await?;
    let unfinished = "SELECT id FROM snapshot_index WHERE NOT complete";
    session
        .execute(&format!("DELETE FROM snapshots WHERE snapshot IN ({unfinished})"), &[])
        .await
        .map_err(&failed)?;
    session.execute("DELETE FROM snapshot_index WHERE NOT complete", &[]).await.map_err(&failed)?;
    let row = session
        .query_opt(
            "INSERT INTO snapshot_index (seq, entry, chunks, bytes, complete, made_at) \
             VALUES ($1, $2, 0, 0, false, $3) RETURNING id",
            &[&integer(seq), &integer(entry), &made_at.micros()],
        )
        .await
        .map_err(&failed)?;
    session.batch("COMMIT").await.map_err(&failed)?;
    let row = row.ok_or_else(|| at.damaged(Place::File, "a snapshot got no number"))?;
    rows::at_place(at, Place::File, &row, |row| rows::number(row, 0))
}

/// Adds a chunk to an unfinished snapshot.
///
/// # Errors
/// When it is too large, there is no such snapshot, or it cannot be written.
pub(super) async fn add_chunk(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    packer: &mut Packer,
    (id, data): (u64, &[u8]),
) -> Result<(), JournalError> {
    if data.len() > SNAPSHOT_CHUNK_BYTES_MAX {
        let source = Box::new(CommitFault::TooLarge { what: "a chunk of snapshot", number: id });
        return Err(JournalError::Refused { path: at.path.to_path_buf(), source });
    }
    let packed = packer.bytes(data).map_err(|error| at.io(ACTION, error))?;
    let failed = at.sql(Place::Snapshot(id), ACTION);
    start(at, session, term).await?;
    let row = session
        .query_opt(
            "UPDATE snapshot_index SET chunks = chunks + 1, bytes = bytes + $2 \
             WHERE id = $1 AND NOT complete RETURNING chunks - 1",
            &[&integer(id), &integer(data.len() as u64)],
        )
        .await
        .map_err(&failed)?;
    let Some(row) = row else {
        session.batch("ROLLBACK").await.map_err(&failed)?;
        return Err(missing(at, id));
    };
    let chunk = rows::at_place(at, Place::Snapshot(id), &row, |row| rows::column::<i64>(row, 0))?;
    session
        .execute(
            "INSERT INTO snapshots (snapshot, chunk, data) VALUES ($1, $2, $3)",
            &[&integer(id), &chunk, &packed],
        )
        .await
        .map_err(&failed)?;
    session.batch("COMMIT").await.map_err(&failed)
}

/// Makes an unfinished snapshot visible.
///
/// # Errors
/// When there is no such snapshot, or it cannot be written.
pub(super) async fn complete(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    id: u64,
) -> Result<SnapshotInfo, JournalError> {
    let failed = at.sql(Place::Snapshot(id), ACTION);
    start(at, session, term).await?;
    let sql = format!(
        "UPDATE snapshot_index SET complete = true WHERE id = $1 AND NOT complete RETURNING {SNAPSHOT}"
    );
    let row = session.query_opt(&sql, &[&integer(id)]).await.map_err(&failed)?;
    session.batch("COMMIT").await.map_err(&failed)?;
    rows::at_place(at, Place::Snapshot(id), &row.ok_or_else(|| missing(at, id))?, rows::snapshot)
}

/// Removes complete snapshots.
///
/// # Errors
/// When the store cannot be written.
pub(super) async fn remove(
    at: &At<'_>,
    session: &mut Session,
    term: Term,
    ids: &[i64],
) -> Result<(), JournalError> {
    for id in ids {
        let failed = at.sql(Place::Snapshot(id.unsigned_abs()), "remove a snapshot from");
        start(at, session, term).await?;
        session.execute("DELETE FROM snapshot_index WHERE id = $1", &[id]).await.map_err(&failed)?;
        session.execute("DELETE FROM snapshots WHERE snapshot = $1", &[id]).await.map_err(&failed)?;
        session.batch("COMMIT").await.map_err(&failed)?;
    }
    Ok(())
}

/// The complete snapshots, latest first.
///
/// # Errors
/// When they cannot be read.
pub(super) async fn list(at: &At<'_>, session: &mut Session) -> Result<Vec<SnapshotInfo>, JournalError> {
    let sql = format!("SELECT {SNAPSHOT} FROM snapshot_index WHERE complete ORDER BY id DESC");
    let found = session.query(&sql, &[]).await.map_err(at.sql(Place::File, "read"))?;
    found.iter().map(|row| rows::at_place(at, Place::File, row, rows::snapshot)).collect()
}

async fn start(at: &At<'_>, session: &mut Session, term: Term) -> Result<(), JournalError> {
    session.batch("BEGIN").await.map_err(at.sql(Place::File, ACTION))?;
    lease::guard(at, session, term).await
}

/// The error that a snapshot is not there.
pub(super) fn missing(at: &At<'_>, id: u64) -> JournalError {
    JournalError::NoSnapshot { path: at.path.to_path_buf(), id }
}
