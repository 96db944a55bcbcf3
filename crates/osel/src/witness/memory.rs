//! What a witness has seen, and the one way to see more: compared, written down, and only then cosigned.
//!
//! Of each log there is one file, the last note that was cosigned of it, named after the SHA-256 of the log's name. It is exchanged as a whole
//! and durable before the cosignature leaves. A file that cannot be read is never taken for a log that was not seen: that would let it be
//! rewritten. One process at a time has the folder.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use osel_core::trail::Hash;
use osel_core::trail::log::{
    Checkpoint, CheckpointError, CosigningKey, KeyName, NOTE_BYTES_MAX, Note, VerifierKey,
};
use osel_core::witness::{AddCheckpoint, Refused, Seen, judge, origin};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sha2::{Digest, Sha256};

/// The file that says that a process has the folder.
const LOCK_NAME: &str = "witness.lock";
/// What a note is called while it is written.
const UNFINISHED_NAME: &str = "checkpoint.unfinished";
/// Behind the name of a log's file.
const ENDING: &str = ".checkpoint";

/// Why there is no witness in a folder.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The folder or a file of it cannot be used.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Another process has it.
    #[error("another witness is at work in `{}`", directory.display())]
    InUse {
        /// The folder.
        directory: PathBuf,
    },
    /// A file is not what was written. What it said is lost, and with it what was seen of its log.
    #[error("`{}` is damaged: get it back from a backup. Without it this witness does not know what it has seen of `{origin}`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Its log.
        origin: KeyName,
        /// What is wrong with it.
        source: CheckpointError,
    },
}

/// A witness at work.
#[derive(Debug)]
pub struct Witness {
    directory: PathBuf,
    key: CosigningKey,
    known: Vec<VerifierKey>,
    /// Of each log that was seen: what, and the note.
    seen: BTreeMap<KeyName, (Seen, String)>,
    /// After a write that failed it is not known what is on the disk: this log is read again first.
    doubtful: Option<KeyName>,
    /// Held as long as the witness is.
    _lock: File,
}

/// What a witness answers who cosigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// The log.
    pub origin: KeyName,
    /// The size that it has seen now.
    pub size: u64,
    /// Its line, for behind the others of the note.
    pub line: String,
}

/// Why it did not.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It does not want to.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot remember what it would say.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

impl Witness {
    /// The witness of a folder, for the logs of these keys.
    ///
    /// # Errors
    /// When the folder cannot be used, another process has it, or what it remembers of one of the logs is damaged.
    pub fn open(directory: &Path, key: CosigningKey, known: Vec<VerifierKey>) -> Result<Self, MemoryError> {
        let lock = lock(directory)?;
        let mut this = Self {
            directory: directory.to_owned(),
            key,
            known,
            seen: BTreeMap::new(),
            doubtful: None,
            _lock: lock,
        };
        let origins: Vec<KeyName> = this.known.iter().map(|key| key.name().clone()).collect();
        for origin in origins {
            this.recall(&origin)?;
        }
        Ok(this)
    }

    /// The key that others verify with.
    pub fn verifier(&self) -> VerifierKey {
        self.key.verifier()
    }

    /// The last note that was cosigned of a log, by the SHA-256 of the log's name in small hexadecimal digits.
    pub fn latest(&self, hash: &str) -> Option<&str> {
        let (_, (_, note)) = self.seen.iter().find(|(origin, _)| name_of(origin) == hash)?;
        Some(note)
    }

    /// Judges a request, remembers what it shows, and cosigns that at `seconds` since 1970. It blocks until it is durable.
    ///
    /// # Errors
    /// Why nothing was cosigned.
    pub fn add(&mut self, request: &AddCheckpoint, seconds: u64) -> Result<Cosigned, Refusal> {
        if let Some(origin) = self.doubtful.clone() {
            self.recall(&origin)?;
            self.doubtful = None;
        }
        let origin = origin(request)?;
        let seen = self.seen.get(&origin).map_or_else(Seen::nothing, |(seen, _)| *seen);
        let checkpoint = judge(request, &self.known, seen)?;
        let text =
            Note::read(request.note.as_bytes()).map_err(|error| Refused::NoCheckpoint(error.into()))?.text;
        let line = self.key.cosign(text, seconds);
        let note = format!("{}{line}", self.known_lines(&request.note, text));
        // What could not be read back would be taken for damage, and with it what was seen of every log.
        Note::read(note.as_bytes()).map_err(|error| Refused::NoCheckpoint(error.into()))?;
        self.remember(&origin, &note)?;
        let size = checkpoint.size;
        self.seen.insert(origin.clone(), (Seen { size, root: checkpoint.root }, note));
        Ok(Cosigned { origin, size, line })
    }

    /// The note with nothing but the lines by known keys: others are nobody's word, and could be as many as a note may have.
    fn known_lines(&self, note: &str, text: &str) -> String {
        let mut kept = format!("{text}\n");
        for line in note[text.len() + 1..].split_inclusive('\n') {
            let alone = format!("{text}\n{line}");
            let is_known = Note::read(alone.as_bytes()).is_ok_and(|note| note.verify(&self.known).is_ok());
            if is_known {
                kept.push_str(line);
            }
        }
        kept
    }

    /// Reads what was seen of a log.
    fn recall(&mut self, origin: &KeyName) -> Result<(), MemoryError> {
        let path = self.path(origin);
        let mut note = String::new();
        let read =
            File::open(&path).and_then(|file| file.take(NOTE_BYTES_MAX as u64 + 1).read_to_string(&mut note));
        match read {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.seen.remove(origin);
                return Ok(());
            }
            Err(source) => return Err(MemoryError::File { path, action: "read", source }),
        }
        // Its own signature shows that it is what was written; the log's, that it is of that log.
        let damaged = |source| MemoryError::Damaged { path: path.clone(), origin: origin.clone(), source };
        let own = [self.key.verifier()];
        Note::read(note.as_bytes())
            .and_then(|note| note.verify(&own).map(|_| ()))
            .map_err(|error| damaged(error.into()))?;
        let checkpoint = Checkpoint::read_unverified(note.as_bytes()).map_err(damaged)?;
        if checkpoint.origin != *origin {
            return Err(damaged(CheckpointError::NotItsLog { origin: checkpoint.origin }));
        }
        let seen = Seen { size: checkpoint.size, root: checkpoint.root };
        self.seen.insert(origin.clone(), (seen, note));
        Ok(())
    }

    /// Makes a note the last one of a log, durably.
    fn remember(&mut self, origin: &KeyName, note: &str) -> Result<(), MemoryError> {
        let (unfinished, path) = (self.directory.join(UNFINISHED_NAME), self.path(origin));
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(note.as_bytes())?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            File::open(&self.directory)?.sync_all()
        };
        write().map_err(|source| {
            self.doubtful = Some(origin.clone());
            MemoryError::File { path, action: "write", source }
        })
    }

    fn path(&self, origin: &KeyName) -> PathBuf {
        self.directory.join(format!("{}{ENDING}", name_of(origin)))
    }
}

/// What a log is called where its name cannot stand.
pub(super) fn name_of(origin: &KeyName) -> String {
    Hash(Sha256::digest(origin.as_str()).into()).to_string()
}

fn lock(directory: &Path) -> Result<File, MemoryError> {
    let path = directory.join(LOCK_NAME);
    let failed = |source| MemoryError::File { path: path.clone(), action: "lock", source };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(MemoryError::InUse { directory: directory.to_owned() }),
        Err(error) => Err(failed(error.into())),
    }
}
