//! The one writer of an embedded store.
//!
//! After a write has failed nothing is known about what reached the disk, not even by asking again through
//! the same connection: the journal takes no more until [`Journal::reopen`] has copied what is in the log
//! anew, flushed it and compared the head.

use std::path::{Path, PathBuf};
use std::time::Duration;

use osel_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use super::super::check::{check, check_segment};
use super::super::data::{Commit, Head, NewStore, SnapshotInfo, StoreInfo};
use super::super::erasure::Eraser;
use super::super::error::{JournalError, Place};
use super::super::format::check_readable;
use super::super::index::NewSegment;
use super::super::journal::{Journal, Reader};
use super::super::persons;
use super::batch::{self, Workspace, read_meta};
use super::connect::{At, Mode, connect, empty_log, prepare_to_write};
use super::directory::{self, Lock};
use super::reader::{SqliteReader, read_info};
use super::rows::time;
use super::schema::{self, Found, MIGRATIONS};
use super::{erase, erasure, expire, index, snapshot};

/// The one writer of an embedded store; others are kept out while it lives.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    info: StoreInfo,
    head: Head,
    /// `as_of` of the last record.
    as_of: Timestamp,
    /// The head a failed commit would have led to, if one failed.
    attempted: Option<Head>,
    /// None after a write has failed.
    connection: Option<Connection>,
    /// Which file that writes.
    file: Option<(u64, u64)>,
    workspace: Workspace,
    _lock: Lock,
}

impl SqliteJournal {
    /// Makes a store in a directory that is not there or empty, and opens it for writing.
    ///
    /// # Errors
    /// When something is there, or it cannot be made.
    pub fn create(directory: &Path, new: &NewStore) -> Result<Self, JournalError> {
        let at = At { path: directory };
        directory::prepare(&at)?;
        directory::check_owner(&at)?;
        let lock = Lock::take(&at)?;
        let mut connection = connect(&at, &directory::database(directory), Mode::Write)?;
        match schema::find(&at, &connection)? {
            Found::Nothing => {}
            Found::Format(_) => return Err(JournalError::Exists { path: directory.to_path_buf() }),
            Found::Foreign => return Err(foreign(directory)),
        }
        prepare_to_write(&at, &connection)?;
        schema::create(&at, &mut connection, MIGRATIONS, new)?;
        Self::begin(directory, connection, lock)
    }

    /// Opens a store for writing, as its only writer, and brings it to the present format.
    ///
    /// # Errors
    /// When there is none, somebody else's or newer one, or another process writes it.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let at = At { path: directory };
        directory::check_present(&at)?;
        directory::check_owner(&at)?;
        let lock = Lock::take(&at)?;
        let connection = open_connection(&at)?;
        Self::begin(directory, connection, lock)
    }

    /// Begins a new epoch.
    fn begin(directory: &Path, mut connection: Connection, lock: Lock) -> Result<Self, JournalError> {
        let at = At { path: directory };
        connection.execute("UPDATE meta SET epoch = epoch + 1", []).map_err(at.sql(Place::Meta, "write"))?;
        let info = read_info(&at, &connection)?;
        let (head, as_of) = read_head(&at, &connection)?;
        let mut workspace = Workspace::new(&at, &info.id, persons::week_of(as_of))?;
        erasure::destroy_keys(&at, &mut connection, &mut workspace.persons)?;
        Ok(Self {
            path: directory.to_path_buf(),
            info,
            head,
            as_of,
            attempted: None,
            connection: Some(connection),
            file: directory::identity(directory),
            workspace,
            _lock: lock,
        })
    }

    /// Does something with the connection; without it after a failure, until the store is opened again.
    fn write<T>(
        &mut self,
        write: impl FnOnce(&At<'_>, &mut Connection, &mut Workspace) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let at = At { path: &self.path };
        let Some(connection) = &mut self.connection else {
            return Err(JournalError::Poisoned { path: self.path.clone() });
        };
        let result = write(&at, connection, &mut self.workspace);
        if result.as_ref().is_err_and(leaves_doubt) {
            self.connection = None;
        }
        result
    }
}

#[cfg(test)]
impl SqliteJournal {
    /// Lets the file grow to that many pages only, until it is opened again.
    pub(super) fn limit_pages(&self, pages: u32) {
        let connection = self.connection.as_ref().unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    }

    /// Draws the numbers of keys from there.
    pub(super) fn draw_from(&mut self, chance: persons::Chance) {
        self.workspace.persons.sealer = persons::Sealer::with(&self.info.id, chance);
    }

    /// Whether each transaction is flushed before it counts.
    pub(super) fn flushes_each(&self) -> bool {
        const FULL: i64 = 2;
        let connection = self.connection.as_ref().unwrap();
        connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap() == FULL
    }

    /// Commits, and behaves as if that had been reported as failed.
    pub(super) fn fail_after(&mut self, commit: &Commit<'_>) {
        let before = (self.head, self.as_of);
        self.commit(commit).unwrap();
        (self.head, self.as_of) = before;
        self.attempted = Some(commit.head_after());
        self.connection = None;
    }
}

impl Journal for SqliteJournal {
    fn info(&self) -> &StoreInfo {
        &self.info
    }

    fn head(&self) -> Head {
        self.head
    }

    fn commit(&mut self, commit: &Commit<'_>) -> Result<Head, JournalError> {
        if self.connection.is_none() {
            return Err(JournalError::Poisoned { path: self.path.clone() });
        }
        check(commit, self.head, self.as_of)
            .map_err(|source| JournalError::Refused { path: self.path.clone(), source: Box::new(source) })?;
        let file = self.file;
        let result = self.write(|at, connection, workspace| {
            let look = || if directory::identity(at.path) == file { Ok(()) } else { Err(moved(at.path)) };
            look()?;
            let head = batch::write(at, connection, commit, workspace)?;
            // Only what can be found again is durable.
            look().map(|()| head)
        });
        match result {
            Ok(head) => {
                self.head = head;
                self.as_of = commit.records.last().map_or(self.as_of, |record| record.head.as_of);
                Ok(head)
            }
            Err(error) => {
                self.attempted = Some(commit.head_after());
                Err(error)
            }
        }
    }

    fn reopen(&mut self) -> Result<Head, JournalError> {
        // Closed first: the old connection must have no part in what follows.
        self.connection = None;
        let at = At { path: &self.path };
        let file = directory::identity(&self.path).ok_or_else(|| moved(&self.path))?;
        let mut connection = open_connection(&at)?;
        empty_log(&at, &connection)?;
        let (epoch, _) = read_meta(&connection).map_err(at.sql(Place::Meta, "read"))?;
        if epoch != self.info.epoch {
            let path = self.path.clone();
            return Err(JournalError::Deposed { path, ours: self.info.epoch, current: epoch });
        }
        let (head, as_of) = read_head(&at, &connection)?;
        if head != self.head && Some(head) != self.attempted {
            return Err(JournalError::HeadMoved {
                path: self.path.clone(),
                expected: self.head,
                found: head,
            });
        }
        erasure::destroy_keys(&at, &mut connection, &mut self.workspace.persons)?;
        (self.head, self.as_of, self.attempted) = (head, as_of, None);
        (self.connection, self.file) = (Some(connection), Some(file));
        Ok(head)
    }

    fn begin_snapshot(&mut self, seq: u64, entry: u64, made_at: Timestamp) -> Result<u64, JournalError> {
        let head = self.head;
        self.write(|at, connection, _| snapshot::begin(at, connection, head, (seq, entry), made_at))
    }

    fn add_snapshot_chunk(&mut self, id: u64, data: &[u8]) -> Result<(), JournalError> {
        self.write(|at, connection, workspace| {
            snapshot::add_chunk(at, connection, &mut workspace.packer, id, data)
        })
    }

    fn complete_snapshot(&mut self, id: u64) -> Result<SnapshotInfo, JournalError> {
        self.write(|at, connection, _| snapshot::complete(at, connection, id))
    }

    fn prune_snapshots(
        &mut self,
        keep: &mut dyn FnMut(&SnapshotInfo) -> bool,
    ) -> Result<usize, JournalError> {
        self.write(|at, connection, _| snapshot::prune(at, connection, keep))
    }

    fn erase_part(&mut self, seq: u64, class: u8, project: Option<&str>) -> Result<usize, JournalError> {
        self.write(|at, connection, workspace| {
            erase::erase_part(at, connection, &mut workspace.packer, seq, (class, project))
        })
    }

    fn expire(&mut self, how_long: Duration) -> Result<bool, JournalError> {
        self.write(|at, connection, workspace| {
            expire::expire(at, connection, &mut workspace.packer, how_long)
        })
    }

    fn erase_persons(&mut self, how_long: Duration, eraser: &dyn Eraser) -> Result<bool, JournalError> {
        self.write(|at, connection, workspace| {
            let used = (&mut workspace.packer, &workspace.persons);
            erasure::erase(at, connection, used, how_long, eraser)
        })
    }

    fn drop_keys(&mut self, eraser: &dyn Eraser) -> Result<bool, JournalError> {
        self.write(|at, connection, workspace| {
            expire::drop_keys(at, connection, &mut workspace.persons, eraser)
        })
    }

    fn put_segment(&mut self, segment: &NewSegment) -> Result<bool, JournalError> {
        check_segment(segment, self.head)
            .map_err(|source| JournalError::Refused { path: self.path.clone(), source: Box::new(source) })?;
        self.write(|at, connection, workspace| index::put(at, connection, &mut workspace.packer, segment))
    }

    fn drop_index(&mut self) -> Result<(), JournalError> {
        self.write(|at, connection, _| index::drop_all(at, connection))
    }

    fn reader(&self) -> Result<Box<dyn Reader>, JournalError> {
        Ok(Box::new(SqliteReader::open(&self.path)?))
    }
}

/// Whether what is on disk is not known after this error. Refusals come before anything is written; a busy
/// store was not begun to be written, or was written and only its log could not be emptied.
fn leaves_doubt(error: &JournalError) -> bool {
    use JournalError::{Busy, NoSnapshot, Refused};
    !matches!(error, Refused { .. } | NoSnapshot { .. } | Busy { .. })
}

fn moved(directory: &Path) -> JournalError {
    JournalError::Moved { path: directory.to_path_buf() }
}

fn foreign(directory: &Path) -> JournalError {
    let reason = "its `journal.db` is the database of something else";
    JournalError::NotAStore { path: directory.to_path_buf(), reason }
}

/// Opens the database of a store that is there, and brings it to the present format.
fn open_connection(at: &At<'_>) -> Result<Connection, JournalError> {
    let mut connection = connect(at, &directory::database(at.path), Mode::Write)?;
    match schema::find(at, &connection)? {
        Found::Format(found) if found > schema::format_known() => {
            check_readable(at.path, found, schema::format_known())?;
        }
        Found::Format(_) => {}
        Found::Nothing => {
            let reason = "its making was cut short: make it again";
            return Err(JournalError::NotAStore { path: at.path.to_path_buf(), reason });
        }
        Found::Foreign => return Err(foreign(at.path)),
    }
    prepare_to_write(at, &connection)?;
    schema::migrate(at, &mut connection, MIGRATIONS)?;
    Ok(connection)
}

/// Reads the head, and makes sure that the tables end where it says.
fn read_head(at: &At<'_>, connection: &Connection) -> Result<(Head, Timestamp), JournalError> {
    let failed = at.sql(Place::Meta, "read");
    let (_, head) = read_meta(connection).map_err(&failed)?;
    let last: Option<(i64, [u8; 32], Timestamp)> = connection
        .query_row("SELECT seq, hash, as_of FROM records ORDER BY seq DESC LIMIT 1", [], |row| {
            Ok((row.get(0)?, row.get(1)?, time(row, 2)?))
        })
        .optional()
        .map_err(at.sql(Place::Record(head.seq), "read"))?;
    let (seq, hash, as_of) = last.unwrap_or((0, Head::EMPTY.hash, Timestamp::MIN));
    if (u64::try_from(seq), hash) != (Ok(head.seq), head.hash) {
        return Err(at.damaged(Place::Record(head.seq), "the records do not end where the store says"));
    }
    let entry: Option<i64> = connection
        .query_row("SELECT last_entry FROM blocks ORDER BY first_entry DESC LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(at.sql(Place::Entry(head.entry), "read"))?;
    // All of them may have gone.
    let gone = expire::read(at, connection)?.checkpoint.entry;
    if entry.map_or(0, i64::unsigned_abs).max(gone) != head.entry {
        return Err(at.damaged(Place::Entry(head.entry), "the entries do not end where the store says"));
    }
    Ok((head, as_of))
}
