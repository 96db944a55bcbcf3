//! Readers of an embedded store, beside its writer or alone.
//!
//! A reader takes no lock that a writer waits for. Where the directory may not be written and no writer runs,
//! SQLite cannot share memory; then the file is read as one that does not change, and that this holds is
//! looked at with every page.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use osel_core::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::block::{read_entries, read_versions};
use super::super::code::Malformed;
use super::super::data::{
    CommandRow, Counters, CursorRow, Entry, Expiry, FindingRow, Head, Holdings, LifeRow, LogKeyRow, NodeRow,
    Numbers, PartContent, QuarantineItem, QuarantineState, SignedCheckpoint, SnapshotInfo, StoreInfo,
    StoredRecord, VersionSet, WitnessedRow,
};
use super::super::erasure::ErasureRow;
use super::super::error::{JournalError, Place};
use super::super::format::check_readable;
use super::super::forward::{DeadLetterRow, ForwarderRow};
use super::super::index::Segment;
use super::super::journal::{Each, Reader};
use super::super::packed::PackedChunk;
use super::batch::{read_cursors, read_ledger, read_meta};
use super::connect::{At, Mode, connect, integer};
use super::pages::{Page, page};
use super::persons::OpenPersons;
use super::rows::{self, LIFE, QUARANTINE, RECORD, SNAPSHOT, number, time};
use super::schema::{self, Found};
use super::{directory, erasure, expire, forward, index, log, snapshot};

/// How often a page is read again because a writer began while it was read. Twice would do: from then on it
/// is shared.
const ATTEMPTS: usize = 4;

/// A reader of an embedded store.
#[derive(Debug)]
pub struct SqliteReader {
    path: PathBuf,
    connection: Connection,
    persons: OpenPersons,
    /// The file as it was when it was opened as one that does not change.
    unchanging: Option<Stamp>,
}

/// What shows that a file was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    log_bytes: u64,
}

impl Stamp {
    fn of(at: &At<'_>) -> Result<Self, JournalError> {
        let file = directory::database(at.path);
        let metadata = fs::metadata(&file).map_err(|error| at.io(&file, "look at", error))?;
        Ok(Self {
            inode: metadata.ino(),
            bytes: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            log_bytes: fs::metadata(directory::log(at.path)).map_or(0, |log| log.size()),
        })
    }
}

impl SqliteReader {
    /// Opens a store for reading.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(directory: &Path) -> Result<Self, JournalError> {
        let at = At { path: directory };
        directory::check_present(&at)?;
        let (connection, unchanging) = open_connection(&at)?;
        Ok(Self { path: directory.to_path_buf(), connection, persons: OpenPersons::default(), unchanging })
    }

    /// Opens a database file that nobody writes, whatever its name.
    ///
    /// # Errors
    /// When it is no store, or cannot be read.
    pub(super) fn open_file(directory: &Path, file: &Path) -> Result<Self, JournalError> {
        let at = At { path: directory };
        let connection = connect(&at, file, Mode::ReadUnchanging)?;
        check_format(&at, &connection)?;
        let persons = OpenPersons::default();
        Ok(Self { path: directory.to_path_buf(), connection, persons, unchanging: None })
    }

    /// The connection, for what pages are too short for.
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Reads once, or again if a file that was not to change did.
    fn read<T>(
        &mut self,
        read: impl Fn(&At<'_>, &Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let at = At { path: &self.path };
        for _ in 0..ATTEMPTS {
            let result = read(&at, &self.connection);
            if self.unchanging.is_none() || self.unchanging == Some(Stamp::of(&at)?) {
                return result;
            }
            (self.connection, self.unchanging) = open_connection(&at)?;
        }
        let source = Malformed("it changed while it was read").into();
        Err(JournalError::Busy { path: self.path.clone(), source })
    }

    /// Reads page after page, going on behind the last row.
    fn walk<T, K>(
        &mut self,
        mut key: K,
        next: impl Fn(&T) -> K,
        read: impl Fn(&At<'_>, &Connection, &K) -> Result<Page<T>, JournalError>,
        each: Each<'_, T>,
    ) -> Result<(), JournalError> {
        loop {
            let page = self.read(|at, connection| read(at, connection, &key))?;
            for row in page.rows {
                key = next(&row);
                if each(row).is_break() {
                    return Ok(());
                }
            }
            if let Some(error) = page.error {
                return Err(error);
            }
            if !page.full {
                return Ok(());
            }
        }
    }

    /// The rows of a table of lives from a record on, all or those in one state.
    fn lives(
        &mut self,
        table: &str,
        place: Place,
        from: u64,
        state: Option<&str>,
        each: Each<'_, LifeRow>,
    ) -> Result<(), JournalError> {
        // Two statements, so that each has its index.
        let filter = if state.is_some() { "state = ?3 AND" } else { "?3 IS NULL AND" };
        let sql = format!("SELECT {LIFE} FROM {table} WHERE {filter} (seq, id) > (?1, ?2) ORDER BY seq, id");
        self.walk(
            (integer(from), String::new()),
            |life: &LifeRow| (integer(life.seq), life.id.clone()),
            |at, connection, (seq, id)| {
                let bytes = |life: &LifeRow| life.body.len();
                page(at, connection, &sql, params![seq, id, state], rows::life, bytes, |_: Option<&_>| place)
            },
            each,
        )
    }

    /// Opens the sealed parts of records.
    fn open_parts(&mut self, records: &mut [StoredRecord]) -> Result<(), JournalError> {
        let at = At { path: &self.path };
        let connection = &self.connection;
        self.persons.open(&at, records, || Ok(read_info(&at, connection)?.id))
    }

    fn life(&mut self, table: &str, place: Place, id: &str) -> Result<Option<LifeRow>, JournalError> {
        let sql = format!("SELECT {LIFE} FROM {table} WHERE id = ?1");
        self.read(|at, connection| {
            connection
                .prepare_cached(&sql)
                .and_then(|mut statement| statement.query_row([id], rows::life).optional())
                .map_err(at.sql(place, "read"))
        })
    }
}

impl Reader for SqliteReader {
    fn info(&mut self) -> Result<StoreInfo, JournalError> {
        self.read(read_info)
    }

    fn head(&mut self) -> Result<Head, JournalError> {
        self.read(|at, connection| Ok(read_meta(connection).map_err(at.sql(Place::Meta, "read"))?.1))
    }

    fn record(&mut self, seq: u64) -> Result<Option<StoredRecord>, JournalError> {
        let sql = format!("SELECT {RECORD} FROM records WHERE seq = ?1");
        let mut found = self.read(|at, connection| {
            connection
                .prepare_cached(&sql)
                .and_then(|mut statement| statement.query_row([integer(seq)], rows::record).optional())
                .map_err(at.sql(Place::Record(seq), "read"))
        })?;
        self.open_parts(found.as_mut_slice())?;
        Ok(found)
    }

    fn records(&mut self, range: Numbers, each: Each<'_, StoredRecord>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        let sql = format!("SELECT {RECORD} FROM records WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq");
        let mut next = first;
        loop {
            let mut page = self.read(|at, connection| {
                let place = |record: Option<&StoredRecord>| {
                    Place::Record(record.map_or(next, |record| record.seq + 1))
                };
                let parameters = params![integer(next), integer(last)];
                let mut page = page(at, connection, &sql, parameters, rows::record, record_bytes, place)?;
                // In a damaged file rows may come out of order.
                let mut due = next;
                let sound = page.rows.iter().take_while(|record| {
                    let rises = record.seq >= due;
                    due = record.seq.saturating_add(1);
                    rises
                });
                let sound = sound.count();
                if sound < page.rows.len() {
                    page.rows.truncate(sound);
                    let after = page.rows.last().map_or(next, |record| record.seq + 1);
                    page.error = Some(at.damaged(Place::Record(after), "records are out of order"));
                }
                Ok(page)
            })?;
            self.open_parts(&mut page.rows)?;
            for record in page.rows {
                next = record.seq + 1;
                if each(record).is_break() {
                    return Ok(());
                }
            }
            match page.error {
                Some(error) => return Err(error),
                None if page.full => {}
                None => return Ok(()),
            }
        }
    }

    fn entry(&mut self, number: u64) -> Result<Option<Entry>, JournalError> {
        let mut found = None;
        self.entries(number..=number, &mut |entry| {
            found = Some(entry);
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    fn entries(&mut self, range: Numbers, each: Each<'_, Entry>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        let start = self.read(|at, connection| {
            let sql = "SELECT max(first_entry) FROM blocks WHERE first_entry <= ?1";
            connection
                .prepare_cached(sql)
                .and_then(|mut statement| {
                    statement.query_row([integer(first)], |row| row.get::<_, Option<i64>>(0))
                })
                .map_err(at.sql(Place::Entry(first), "read"))
        })?;
        let mut next = start.map_or(first, i64::unsigned_abs);
        while next <= last {
            let Some(entries) = self.read(|at, connection| read_block(at, connection, next, last))? else {
                return Ok(());
            };
            next = entries.last().map_or(next, |entry| entry.number).saturating_add(1);
            for entry in entries {
                if (first..=last).contains(&entry.number) && each(entry).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn ledger(&mut self) -> Result<Vec<Counters>, JournalError> {
        self.read(read_ledger)
    }

    fn cursors(&mut self) -> Result<Vec<CursorRow>, JournalError> {
        self.read(read_cursors)
    }

    fn quarantine(
        &mut self,
        state: Option<QuarantineState>,
        each: Each<'_, QuarantineItem>,
    ) -> Result<(), JournalError> {
        let sql = format!(
            "SELECT {QUARANTINE} FROM quarantine WHERE id > ?1 AND (?2 IS NULL OR state = ?2) ORDER BY id"
        );
        let state = state.map(QuarantineState::code);
        self.walk(
            -1,
            |item: &QuarantineItem| integer(item.id),
            |at, connection, after| {
                let bytes = |item: &QuarantineItem| item.reason.len();
                let place = |_: Option<&_>| Place::Quarantine;
                page(at, connection, &sql, params![after, state], rows::quarantine_item, bytes, place)
            },
            each,
        )
    }

    fn quarantine_item(&mut self, id: u64) -> Result<Option<QuarantineItem>, JournalError> {
        let sql = format!("SELECT {QUARANTINE} FROM quarantine WHERE id = ?1");
        self.read(|at, connection| {
            connection
                .prepare_cached(&sql)
                .and_then(|mut statement| {
                    statement.query_row([integer(id)], rows::quarantine_item).optional()
                })
                .map_err(at.sql(Place::Quarantine, "read"))
        })
    }

    fn commands(&mut self, state: Option<&str>, each: Each<'_, CommandRow>) -> Result<(), JournalError> {
        self.lives("commands", Place::Commands, 0, state, each)
    }

    fn commands_from(&mut self, seq: u64, each: Each<'_, CommandRow>) -> Result<(), JournalError> {
        self.lives("commands", Place::Commands, seq, None, each)
    }

    fn command(&mut self, id: &str) -> Result<Option<CommandRow>, JournalError> {
        self.life("commands", Place::Commands, id)
    }

    fn findings(&mut self, state: Option<&str>, each: Each<'_, FindingRow>) -> Result<(), JournalError> {
        self.lives("findings", Place::Findings, 0, state, each)
    }

    fn finding(&mut self, id: &str) -> Result<Option<FindingRow>, JournalError> {
        self.life("findings", Place::Findings, id)
    }

    fn snapshots(&mut self) -> Result<Vec<SnapshotInfo>, JournalError> {
        self.read(snapshot::list)
    }

    fn snapshot_at(&mut self, seq: u64) -> Result<Option<SnapshotInfo>, JournalError> {
        let sql = format!(
            "SELECT {SNAPSHOT} FROM snapshot_index WHERE complete = 1 AND seq <= ?1 \
             ORDER BY seq DESC, id DESC LIMIT 1"
        );
        self.read(|at, connection| {
            connection
                .prepare_cached(&sql)
                .and_then(|mut statement| statement.query_row([integer(seq)], rows::snapshot).optional())
                .map_err(at.sql(Place::File, "read"))
        })
    }

    fn snapshot(&mut self, id: u64, each: Each<'_, Vec<u8>>) -> Result<(), JournalError> {
        let info = self.snapshots()?.into_iter().find(|info| info.id == id);
        let info = info.ok_or_else(|| snapshot::missing(&At { path: &self.path }, id))?;
        for chunk in 0..info.chunks {
            if each(self.snapshot_chunk(id, chunk)?.unpack()?).is_break() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn snapshot_chunk(&mut self, id: u64, chunk: u64) -> Result<PackedChunk, JournalError> {
        let packed: Option<Vec<u8>> = self.read(|at, connection| {
            connection
                .prepare_cached(
                    "SELECT data FROM snapshots, snapshot_index ON snapshot_index.id = snapshot \
                     WHERE snapshot = ?1 AND chunk = ?2 AND complete = 1",
                )
                .and_then(|mut statement| {
                    statement.query_row([integer(id), integer(chunk)], |row| row.get(0)).optional()
                })
                .map_err(at.sql(Place::Snapshot(id), "read"))
        })?;
        let packed = packed.ok_or_else(|| snapshot::missing(&At { path: &self.path }, id))?;
        Ok(PackedChunk::new(self.path.clone(), id, packed))
    }

    fn versions(&mut self, range: Numbers, each: Each<'_, VersionSet>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        // Before the first block that ends in the range.
        let mut key = (integer(first).saturating_sub(1), i64::MAX);
        loop {
            let block = self.read(|at, connection| {
                connection
                    .prepare_cached(
                        "SELECT last_seq, id, first_seq, data FROM versions \
                         WHERE (last_seq, id) > (?1, ?2) ORDER BY last_seq, id LIMIT 1",
                    )
                    .and_then(|mut statement| {
                        statement
                            .query_row([key.0, key.1], |row| {
                                Ok((row.get(0)?, row.get(1)?, number(row, 2)?, row.get::<_, Vec<u8>>(3)?))
                            })
                            .optional()
                    })
                    .map_err(at.sql(Place::Versions(first), "read"))
            })?;
            let Some((last_seq, id, first_seq, data)) = block else { return Ok(()) };
            if first_seq > last {
                return Ok(());
            }
            key = (last_seq, id);
            let at = At { path: &self.path };
            for versions in read_versions(&data).map_err(at.malformed(Place::Versions(first_seq)))? {
                if (first..=last).contains(&versions.seq) && each(versions).is_break() {
                    return Ok(());
                }
            }
        }
    }

    fn expiry(&mut self) -> Result<Expiry, JournalError> {
        self.read(expire::read)
    }

    fn holdings(&mut self) -> Result<Holdings, JournalError> {
        self.read(read_holdings)
    }

    fn leaves(&mut self, range: Numbers, each: Each<'_, [u8; 32]>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        self.walk(
            first,
            |(seq, _)| seq + 1,
            |at, connection, next| log::leaves(at, connection, *next, last),
            &mut |(_, hash)| each(hash),
        )
    }

    fn nodes(&mut self, level: u8, range: Numbers, each: Each<'_, NodeRow>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        self.walk(
            first,
            |node: &NodeRow| node.index + 1,
            |at, connection, next| log::nodes(at, connection, level, *next, last),
            each,
        )
    }

    fn checkpoint(&mut self, at_most: Option<u64>) -> Result<Option<SignedCheckpoint>, JournalError> {
        self.read(|at, connection| log::checkpoint(at, connection, at_most.unwrap_or(u64::MAX)))
    }

    fn checkpoints(&mut self, sizes: Numbers, each: Each<'_, SignedCheckpoint>) -> Result<(), JournalError> {
        let (first, last) = sizes.into_inner();
        self.walk(
            first,
            |checkpoint: &SignedCheckpoint| checkpoint.size + 1,
            |at, connection, next| log::checkpoints(at, connection, *next, last),
            each,
        )
    }

    fn log_keys(&mut self) -> Result<Vec<LogKeyRow>, JournalError> {
        self.read(log::keys)
    }

    fn witnessed(&mut self) -> Result<Vec<WitnessedRow>, JournalError> {
        self.read(log::witnessed)
    }

    fn index_generation(&mut self) -> Result<u64, JournalError> {
        self.read(|at, connection| index::generation(connection).map_err(at.sql(Place::Index, "read")))
    }

    fn segments(&mut self, each: Each<'_, Segment>) -> Result<(), JournalError> {
        self.walk(
            0,
            |segment: &Segment| segment.last + 1,
            |at, connection, next| index::segments(at, connection, *next),
            each,
        )
    }

    fn segment_pages(
        &mut self,
        segment: u64,
        class: u8,
        (from, to): (&[u8], &[u8]),
        each: Each<'_, Vec<u8>>,
    ) -> Result<(), JournalError> {
        self.walk(
            (from.to_vec(), false),
            |(first, _): &(Vec<u8>, Vec<u8>)| (first.clone(), true),
            |at, connection, (from, behind)| {
                index::terms(at, connection, (segment, class), (from, *behind), to)
            },
            &mut |(_, page)| each(page),
        )
    }

    fn forwarders(&mut self) -> Result<Vec<ForwarderRow>, JournalError> {
        self.read(forward::forwarders)
    }

    fn dead_letters(&mut self, forwarder: &str, each: Each<'_, DeadLetterRow>) -> Result<(), JournalError> {
        self.walk(
            (-1, -1),
            |letter: &DeadLetterRow| (integer(letter.key.seq), i64::from(letter.key.line)),
            |at, connection, behind| forward::dead_letters(at, connection, forwarder, *behind),
            each,
        )
    }

    fn erasures(&mut self) -> Result<Vec<ErasureRow>, JournalError> {
        self.read(erasure::list)
    }

    fn persons(&mut self, each: Each<'_, String>) -> Result<(), JournalError> {
        let mut behind = String::new();
        loop {
            let page = self.persons.labels(&At { path: &self.path }, &behind)?;
            for label in page.rows {
                behind.clone_from(&label);
                if each(label).is_break() {
                    return Ok(());
                }
            }
            match page.error {
                Some(error) => return Err(error),
                None if page.full => {}
                None => return Ok(()),
            }
        }
    }

    fn seq_at(&mut self, at_time: Timestamp) -> Result<u64, JournalError> {
        self.read(|at, connection| {
            let (_, head) = read_meta(connection).map_err(at.sql(Place::Meta, "read"))?;
            let sql = "SELECT as_of FROM records WHERE seq = ?1";
            let mut statement = connection.prepare_cached(sql).map_err(at.sql(Place::File, "read"))?;
            // `as_of` never goes back: everything up to `known` is not later, everything from `later` on is.
            let (mut known, mut later) = (0, head.seq.saturating_add(1));
            while later - known > 1 {
                let middle = known + (later - known) / 2;
                let as_of = statement
                    .query_row([integer(middle)], |row| time(row, 0))
                    .map_err(at.sql(Place::Record(middle), "read"))?;
                *(if as_of <= at_time { &mut known } else { &mut later }) = middle;
            }
            Ok(known)
        })
    }
}

/// About what a record takes in memory.
fn record_bytes(record: &StoredRecord) -> usize {
    record.parts.iter().fold(record.canonical.len() + size_of::<StoredRecord>(), |sum, part| {
        sum + if let PartContent::Bytes(bytes) = &part.content { bytes.len() } else { 0 }
    })
}

/// The entries of the first block from `next` on that begins within the range.
fn read_block(
    at: &At<'_>,
    connection: &Connection,
    next: u64,
    last: u64,
) -> Result<Option<Vec<Entry>>, JournalError> {
    let block: Option<(u64, u64, Vec<u8>)> = connection
        .prepare_cached(
            "SELECT first_entry, last_entry, data FROM blocks WHERE first_entry BETWEEN ?1 AND ?2 \
             ORDER BY first_entry LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row([integer(next), integer(last)], |row| {
                    Ok((number(row, 0)?, number(row, 1)?, row.get(2)?))
                })
                .optional()
        })
        .map_err(at.sql(Place::Entry(next), "read"))?;
    let Some((first, last, data)) = block else { return Ok(None) };
    read_entries(&data, first, last).map(Some).map_err(at.malformed(Place::Entry(first)))
}

/// What the store says about itself.
///
/// # Errors
/// When it cannot be read.
pub(super) fn read_info(at: &At<'_>, connection: &Connection) -> Result<StoreInfo, JournalError> {
    connection
        .query_row("SELECT store_id, format, created_at, epoch FROM meta", [], |row| {
            Ok(StoreInfo {
                id: row.get(0)?,
                format: row.get(1)?,
                created_at: time(row, 2)?,
                epoch: number(row, 3)?,
            })
        })
        .map_err(at.sql(Place::Meta, "read"))
}

fn read_holdings(at: &At<'_>, connection: &Connection) -> Result<Holdings, JournalError> {
    connection
        .query_row(
            "SELECT input_bytes - (SELECT coalesce(sum(length(data)), 0) FROM blocks, expiry \
                                   WHERE first_entry <= expiry.entry AND last_entry <= expiry.entry), \
             version_bytes, part_bytes, \
             (SELECT coalesce(sum(length(data)), 0) FROM snapshots), page_size * (page_count - freelist_count) \
             FROM sizes, pragma_page_size, pragma_page_count, pragma_freelist_count",
            [],
            |row| {
                Ok(Holdings {
                    input_bytes: number(row, 0)?,
                    version_bytes: number(row, 1)?,
                    part_bytes: number(row, 2)?,
                    snapshot_bytes: number(row, 3)?,
                    used_bytes: number(row, 4)?,
                })
            },
        )
        .map_err(at.sql(Place::Meta, "read"))
}

fn open_connection(at: &At<'_>) -> Result<(Connection, Option<Stamp>), JournalError> {
    let file = directory::database(at.path);
    let shared = connect(at, &file, Mode::Read).and_then(|connection| {
        check_format(at, &connection)?;
        Ok(connection)
    });
    match shared {
        Ok(connection) => Ok((connection, None)),
        Err(error @ JournalError::NoPermission { .. }) => {
            let stamp = Stamp::of(at)?;
            if stamp.log_bytes > 0 {
                return Err(error);
            }
            let connection = connect(at, &file, Mode::ReadUnchanging)?;
            check_format(at, &connection)?;
            Ok((connection, Some(stamp)))
        }
        Err(error) => Err(error),
    }
}

fn check_format(at: &At<'_>, connection: &Connection) -> Result<(), JournalError> {
    match schema::find(at, connection)? {
        Found::Format(found) => check_readable(at.path, found, schema::format_known()),
        Found::Nothing => Err(JournalError::NotAStore {
            path: at.path.to_path_buf(),
            reason: "its making was cut short: make it again",
        }),
        Found::Foreign => Err(JournalError::NotAStore {
            path: at.path.to_path_buf(),
            reason: "its `journal.db` is the database of something else",
        }),
    }
}
