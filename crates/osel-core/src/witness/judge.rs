//! Whether a witness cosigns.

use super::request::AddCheckpoint;
use crate::trail::log::{Checkpoint, CheckpointError, KeyKind, KeyName, VerifierKey};
use crate::trail::{Hash, ProofError, empty_root, verify_consistency};

/// The largest tree of a log that was cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How many leaves it has.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

impl Seen {
    /// What was seen of a log before anything was.
    pub fn nothing() -> Self {
        Self { size: 0, root: empty_root() }
    }
}

/// Why a checkpoint is not cosigned, in the order in which a witness looks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no checkpoint: status 400.
    #[error("the request has no checkpoint")]
    NoCheckpoint(#[source] CheckpointError),
    /// Nobody asked for that log to be witnessed: status 404.
    #[error("the log `{0}` is not witnessed here")]
    UnknownLog(KeyName),
    /// None of its log's known keys signed it, or one did so wrongly: status 403.
    #[error("no known key of its log signed the checkpoint")]
    Unsigned(#[source] CheckpointError),
    /// It is smaller than what it is said to go on from: status 400.
    #[error("the checkpoint has {size} leaves and the proof begins at {old}")]
    Backwards {
        /// Where the proof begins.
        old: u64,
        /// How large the checkpoint's tree is.
        size: u64,
    },
    /// Another size was seen last: status 409, with that size.
    #[error("the size seen last is {seen}")]
    Conflict {
        /// That size.
        seen: u64,
    },
    /// It is not proved to go on from what was seen, which says nothing of the log, whoever sends it: status 422.
    #[error("the checkpoint does not go on from what was seen")]
    Inconsistent(#[source] ProofError),
    /// Of the size that was seen it has another root, and its log signed both: status 422.
    #[error("of {size} records the log has signed two roots")]
    Split {
        /// That size.
        size: u64,
    },
}

/// The origin that a request names, before anything of it is believed: whose memory is to be asked.
///
/// # Errors
/// When it names none.
pub fn origin(request: &AddCheckpoint) -> Result<KeyName, Refused> {
    let checkpoint = Checkpoint::read_unverified(request.note.as_bytes()).map_err(Refused::NoCheckpoint)?;
    Ok(checkpoint.origin)
}

/// Whether a checkpoint is cosigned by who knows these keys of logs and has seen that of its log last: the checkpoint to be remembered, and
/// then signed.
///
/// # Errors
/// Why not.
pub fn judge(request: &AddCheckpoint, known: &[VerifierKey], seen: Seen) -> Result<Checkpoint, Refused> {
    let origin = origin(request)?;
    let of_log: Vec<VerifierKey> =
        known.iter().filter(|key| key.kind() == KeyKind::Ed25519 && *key.name() == origin).cloned().collect();
    if of_log.is_empty() {
        return Err(Refused::UnknownLog(origin));
    }
    let checkpoint = Checkpoint::open(request.note.as_bytes(), &of_log).map_err(Refused::Unsigned)?;
    let (old, size) = (request.old, checkpoint.size);
    if old > size {
        return Err(Refused::Backwards { old, size });
    }
    if old != seen.size {
        return Err(Refused::Conflict { seen: seen.size });
    }
    if size == old && checkpoint.root != seen.root {
        return Err(Refused::Split { size });
    }
    verify_consistency(old, seen.root, size, checkpoint.root, &request.proof)
        .map_err(Refused::Inconsistent)?;
    Ok(checkpoint)
}
