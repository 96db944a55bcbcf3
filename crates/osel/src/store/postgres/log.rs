//! The log's nodes and checkpoints: written with the commit that they belong to, read as rows.

use tokio_postgres::Row;

use super::super::data::{COSIGNED_KEPT, Commit, LogKeyRow, NodeRow, SignedCheckpoint, WitnessedRow};
use super::super::error::{JournalError, Place};
use super::super::trimming::Trimming;
use super::connect::{At, Session, integer};
use super::rows::{Read, column, hash, number, time};

const ACTION: &str = "write";
/// So many checkpoints go to the server in one message: each has less than a kilobyte.
const CHECKPOINTS_AT_ONCE: usize = 1000;
/// So many nodes go to the server in one message.
const NODES_AT_ONCE: usize = 10_000;

/// Writes what a commit adds to the log, and removes old checkpoints or not. Written twice it is the same.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn write(
    at: &At<'_>,
    session: &mut Session,
    commit: &Commit<'_>,
    trims: bool,
) -> Result<(), JournalError> {
    for these in commit.nodes.chunks(NODES_AT_ONCE) {
        let levels: Vec<i16> = these.iter().map(|node| i16::from(node.level)).collect();
        let places: Vec<i64> = these.iter().map(|node| integer(node.index)).collect();
        let hashes: Vec<&[u8]> = these.iter().map(|node| &node.hash[..]).collect();
        let sql = "INSERT INTO log_nodes (level, place, hash) \
                   SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) \
                   ON CONFLICT (level, place) DO UPDATE SET hash = excluded.hash";
        let failed = at.sql(Place::File, ACTION);
        session.execute(sql, &[&levels, &places, &hashes]).await.map_err(failed)?;
    }
    for these in commit.checkpoints.chunks(CHECKPOINTS_AT_ONCE) {
        let sizes: Vec<i64> = these.iter().map(|checkpoint| integer(checkpoint.size)).collect();
        let notes: Vec<&str> = these.iter().map(|checkpoint| &checkpoint.note[..]).collect();
        let times: Vec<i64> = these.iter().map(|checkpoint| checkpoint.signed_at.micros()).collect();
        let sql = "INSERT INTO log_checkpoints (size, note, signed_at) \
                   SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[]) \
                   ON CONFLICT (size) DO UPDATE SET note = excluded.note, signed_at = excluded.signed_at";
        let failed = at.sql(Place::File, ACTION);
        session.execute(sql, &[&sizes, &notes, &times]).await.map_err(failed)?;
    }
    for LogKeyRow { size, key } in commit.log_keys {
        let sql =
            "INSERT INTO log_keys (size, key) VALUES ($1, $2) ON CONFLICT (size) DO UPDATE SET key = $2";
        let failed = at.sql(Place::LogKeys, ACTION);
        session.execute(sql, &[&integer(*size), key]).await.map_err(failed)?;
    }
    for WitnessedRow { witness, size, note, at: time } in commit.witnessed {
        let sql = "INSERT INTO log_cosigned (witness, size, note, at) VALUES ($1, $2, $3, $4) \
                   ON CONFLICT (witness, size) DO UPDATE SET note = $3, at = $4";
        let failed = at.sql(Place::Witnessed, ACTION);
        session.execute(sql, &[witness, &integer(*size), note, &time.micros()]).await.map_err(&failed)?;
        // Of a witness that was away for long the last one that both have may have many behind it: there it stays, one for each other witness.
        let sql = "DELETE FROM log_cosigned WHERE witness = $1 \
                   AND size NOT IN (SELECT size FROM log_cosigned WHERE witness = $1 ORDER BY size DESC LIMIT $2) \
                   AND size NOT IN (SELECT max(other.size) FROM log_cosigned AS other \
                   JOIN log_cosigned AS own ON own.size = other.size \
                   WHERE own.witness = $1 AND other.witness <> $1 GROUP BY other.witness)";
        session.execute(sql, &[witness, &COSIGNED_KEPT]).await.map_err(failed)?;
    }
    if trims {
        let sql = "DELETE FROM log_checkpoints WHERE size <= \
                   (SELECT size FROM log_checkpoints ORDER BY size DESC LIMIT 1 OFFSET $1) \
                   AND size NOT IN (SELECT size FROM log_keys)";
        let failed = at.sql(Place::File, ACTION);
        session.execute(sql, &[&Trimming::kept()]).await.map_err(failed)?;
    }
    Ok(())
}

/// A row of `seq, hash` of `records`.
pub(super) fn leaf(row: &Row) -> Read<(u64, [u8; 32])> {
    Ok((number(row, 0)?, hash(row, 1)?))
}

/// A row of `place, hash` of a level of `log_nodes`.
pub(super) fn node(level: u8, row: &Row) -> Read<NodeRow> {
    Ok(NodeRow { level, index: number(row, 0)?, hash: hash(row, 1)? })
}

/// The columns [`checkpoint`] reads.
pub(super) const CHECKPOINT: &str = "size, note, signed_at";

/// A row of `log_checkpoints`.
pub(super) fn checkpoint(row: &Row) -> Read<SignedCheckpoint> {
    Ok(SignedCheckpoint { size: number(row, 0)?, note: column(row, 1)?, signed_at: time(row, 2)? })
}

/// A row of `log_cosigned`.
pub(super) fn witnessed(row: &Row) -> Read<WitnessedRow> {
    Ok(WitnessedRow {
        witness: column(row, 0)?,
        size: number(row, 1)?,
        note: column(row, 2)?,
        at: time(row, 3)?,
    })
}

/// A row of `log_keys`.
pub(super) fn key(row: &Row) -> Read<LogKeyRow> {
    Ok(LogKeyRow { size: number(row, 0)?, key: column(row, 1)? })
}
