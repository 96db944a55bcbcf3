//! Why the store could not do what it was asked.
//!
//! Every error names the store's path once; what the system said is the `source()`.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use osel_core::time::Timestamp;

use super::check::CommitFault;
use super::data::Head;

/// The lower layer's own error.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Try again later; `reopen` first where it was a write.
    Transient,
    /// Nothing helps but a person: the store is damaged.
    Permanent,
    /// What was asked for cannot be, as things are set up: path, permission, version.
    Config,
    /// The caller or the store has a defect.
    Bug,
}

/// A place in a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The record of this number.
    Record(u64),
    /// The entry of this number, or the block it is in.
    Entry(u64),
    /// The object versions of this record.
    Versions(u64),
    /// The snapshot of this number.
    Snapshot(u64),
    /// The ledger.
    Ledger,
    /// The quarantine.
    Quarantine,
    /// The commands.
    Commands,
    /// The findings.
    Findings,
    /// The cursors of the sources.
    Cursors,
    /// A node of the log: its level and its place there.
    Node(u8, u64),
    /// The log's checkpoint of that size.
    SignedCheckpoint(u64),
    /// The keys that signed the log.
    LogKeys,
    /// What witnesses cosigned of the log.
    Witnessed,
    /// The search index.
    Index,
    /// The forwarders and their dead letters.
    Forwarders,
    /// The persons and their keys.
    Persons,
    /// The erasures of persons.
    Erasures,
    /// What the store says about itself.
    Meta,
    /// The file as such.
    File,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(seq) => write!(f, "record {seq}"),
            Self::Entry(number) => write!(f, "entry {number}"),
            Self::Versions(seq) => write!(f, "the versions of record {seq}"),
            Self::Snapshot(id) => write!(f, "snapshot {id}"),
            Self::Ledger => f.write_str("the ledger"),
            Self::Quarantine => f.write_str("the quarantine"),
            Self::Commands => f.write_str("the commands"),
            Self::Findings => f.write_str("the findings"),
            Self::Cursors => f.write_str("the cursors"),
            Self::Node(level, index) => write!(f, "node {index} of level {level} of the log"),
            Self::SignedCheckpoint(size) => write!(f, "the log's checkpoint of {size} records"),
            Self::LogKeys => f.write_str("the keys of the log"),
            Self::Witnessed => f.write_str("what witnesses cosigned of the log"),
            Self::Index => f.write_str("the search index"),
            Self::Forwarders => f.write_str("the forwarders"),
            Self::Persons => f.write_str("the keys of persons"),
            Self::Erasures => f.write_str("the erasures of persons"),
            Self::Meta => f.write_str("its description"),
            Self::File => f.write_str("the file"),
        }
    }
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Nothing is there.
    #[error("there is no store at `{path}`")]
    Missing {
        /// The store's directory.
        path: PathBuf,
    },
    /// Something else is there.
    #[error("`{path}` is no store: {reason}")]
    NotAStore {
        /// The directory that was named.
        path: PathBuf,
        /// What is there instead.
        reason: &'static str,
    },
    /// A store is to be made where one is.
    #[error("there is a store at `{path}` already")]
    Exists {
        /// The store's directory.
        path: PathBuf,
    },
    /// Another process has it open for writing.
    #[error("the store at `{path}` is in use by process {process}")]
    InUse {
        /// The store's directory.
        path: PathBuf,
        /// The process id that the lock file names.
        process: String,
    },
    /// It is somebody else's.
    #[error(
        "the store at `{path}` belongs to user {owner}, not to user {user}: run as user {owner} or as root"
    )]
    NotOwner {
        /// The store's directory.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
        /// The user id of this process.
        user: u32,
    },
    /// It lies where what is flushed and locked cannot be relied on.
    #[error(
        "the store at `{path}` lies on {kind}, a network file system, where a flushed commit may be lost: \
         use a disk of this machine, or a store in PostgreSQL"
    )]
    NetworkFileSystem {
        /// The store's directory.
        path: PathBuf,
        /// The file system.
        kind: &'static str,
    },
    /// The system forbids it.
    #[error("no permission to {action} `{path}`")]
    NoPermission {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: Cause,
    },
    /// It was made by a newer osel.
    #[error("the store at `{path}` has format {found}, this osel knows up to {known}: use a newer osel")]
    TooNew {
        /// The store's directory.
        path: PathBuf,
        /// The store's format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// It was made by an older osel, and a reader changes nothing.
    #[error(
        "the store at `{path}` has format {found}, this osel reads {known}: \
         a command that writes to it brings it there"
    )]
    TooOld {
        /// The store's directory.
        path: PathBuf,
        /// The store's format.
        found: u32,
        /// The format that is read here.
        known: u32,
    },
    /// The disk or a quota is full.
    #[error("no space left for the store at `{path}`")]
    NoSpace {
        /// The store's directory.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// What is written there makes no sense.
    #[error("the store at `{path}` is damaged at {place}")]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// Where.
        place: Place,
        /// What is wrong there.
        source: Cause,
    },
    /// Others keep it from being changed or read just now.
    #[error("the store at `{path}` is busy")]
    Busy {
        /// The store's directory.
        path: PathBuf,
        /// What the system said.
        source: Cause,
    },
    /// Reading or writing failed.
    #[error("could not {action} the store at `{path}`")]
    Io {
        /// The store's directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: Cause,
    },
    /// An earlier write failed, and what is on disk is not known.
    #[error("an earlier write to the store at `{path}` failed: it has to be opened again")]
    Poisoned {
        /// The store's directory.
        path: PathBuf,
    },
    /// The state that is asked for is from before what is kept.
    #[error("before {time} (record {seq}), the horizon of what is kept")]
    Expired {
        /// From when on states are kept.
        time: Timestamp,
        /// The first record after which one is.
        seq: u64,
    },
    /// So much changed between two moments that it cannot be held.
    #[error(
        "more than {} MiB of changed objects up to record {seq}: ask for moments that are closer, or for a project or an address",
        bytes_max >> 20
    )]
    TooMuchChanged {
        /// How many bytes may have changed.
        bytes_max: usize,
        /// The record with which it became more.
        seq: u64,
    },
    /// Inputs went, and what stands for them is of no use.
    #[error(
        "inputs up to {entry} are gone, and this osel cannot read snapshot {snapshot}, which stands for them: \
         use the one that wrote it"
    )]
    NoCheckpoint {
        /// The last entry that is gone.
        entry: u64,
        /// The snapshot.
        snapshot: u64,
    },
    /// Whoever writes the store has given up after an error that was told before.
    #[error("nothing is written to the store any more, after an earlier error")]
    Stopped,
    /// Another writer took over.
    #[error("the store at `{path}` was taken over: its epoch is {current}, the writer's {ours}")]
    Deposed {
        /// The store's directory.
        path: PathBuf,
        /// The epoch of this writer.
        ours: u64,
        /// The store's epoch.
        current: u64,
    },
    /// The store is not where it must be.
    #[error(
        "the store at `{path}` ends with entry {} and record {}, not with entry {} and record {}",
        found.entry, found.seq, expected.entry, expected.seq
    )]
    HeadMoved {
        /// The store's directory.
        path: PathBuf,
        /// Where it must be.
        expected: Head,
        /// Where it is.
        found: Head,
    },
    /// What is written goes into files that the store's path does not lead to any more.
    #[error(
        "the store at `{path}` was deleted or moved while it was in use: put it back, or start osel again"
    )]
    Moved {
        /// The store's directory.
        path: PathBuf,
    },
    /// Whoever followed the store has read what is not in it any more.
    #[error(
        "the store no longer has what was read of it up to entry {entry} and record {seq}: its database fell back behind that, and what was \
         acknowledged since is lost"
    )]
    Rewritten {
        /// The last record that was read.
        seq: u64,
        /// The last entry that was read.
        entry: u64,
    },
    /// The commit contradicts itself or the store.
    #[error("the commit to the store at `{path}` is wrong")]
    Refused {
        /// The store's directory.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<CommitFault>,
    },
    /// The snapshot that was being read or written is not there.
    #[error("the store at `{path}` has no snapshot {id}")]
    NoSnapshot {
        /// The store's directory.
        path: PathBuf,
        /// The snapshot.
        id: u64,
    },
    /// The database refused a statement.
    #[error("the database of the store at `{path}` refused to {action}")]
    Database {
        /// The store's directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What it said.
        source: Cause,
    },
}

impl JournalError {
    /// What can be done about it.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Missing { .. }
            | Self::NotAStore { .. }
            | Self::Exists { .. }
            | Self::InUse { .. }
            | Self::NotOwner { .. }
            | Self::NetworkFileSystem { .. }
            | Self::NoPermission { .. }
            | Self::TooNew { .. }
            | Self::TooOld { .. }
            | Self::Deposed { .. }
            | Self::Moved { .. }
            | Self::Expired { .. }
            | Self::TooMuchChanged { .. }
            | Self::NoCheckpoint { .. } => ErrorClass::Config,
            Self::NoSpace { .. }
            | Self::Busy { .. }
            | Self::Io { .. }
            | Self::Poisoned { .. }
            | Self::Stopped
            | Self::NoSnapshot { .. }
            // Whoever reads it anew has what is there now.
            | Self::Rewritten { .. } => ErrorClass::Transient,
            Self::Damaged { .. } | Self::HeadMoved { .. } => ErrorClass::Permanent,
            Self::Refused { .. } | Self::Database { .. } => ErrorClass::Bug,
        }
    }

    /// Where the store is damaged, if that is the error.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Damaged { place, .. } => Some(*place),
            _ => None,
        }
    }
}
