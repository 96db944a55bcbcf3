//! Readers of a shared store, beside its leader or alone, on whichever server takes them.
//!
//! Each step is one query, and what needs more of one moment is one transaction: nobody keeps one open while its
//! caller is slow. A connection that the server has ended is made anew once.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use osel_core::time::Timestamp;
use tokio_postgres::Row;

use super::super::block::{read_entries, read_versions};
use super::super::data::{
    CommandRow, Counters, CursorRow, Entry, Expiry, FindingRow, Head, Holdings, LifeRow, LogKeyRow, NodeRow,
    Numbers, QuarantineItem, QuarantineState, SignedCheckpoint, SnapshotInfo, StoreInfo, StoredRecord,
    VersionSet, WitnessedRow,
};
use super::super::erasure::ErasureRow;
use super::super::error::{JournalError, Place};
use super::super::format::check_readable;
use super::super::forward::{DeadLetterRow, ForwarderRow};
use super::super::index::Segment;
use super::super::journal::{Each, Reader};
use super::super::packed::PackedChunk;
use super::super::persons::Opener;
use super::connect::{ANSWER_TIME, At, Link, Mode, Session, integer};
use super::rows::{self, LIFE, QUARANTINE, RECORD, number};
use super::{batch, erasure, expire, forward, holdings, index, log, persons, schema, snapshot, writer};
use crate::config::PostgresConfig;

/// The most rows of a page.
const PAGE_ROWS: i64 = 256;
/// A page ends once it has this many bytes.
const PAGE_BYTES: i64 = 4 << 20;
const UNMODELLED: i16 = 1;
const IGNORED_BY: i16 = 2;
const ACTION: &str = "read";

/// A reader of a shared store.
#[derive(Debug)]
pub struct PostgresReader {
    config: PostgresConfig,
    path: PathBuf,
    mode: Mode,
    link: Option<Link>,
    opener: Opener,
}

impl PostgresReader {
    /// Opens the store of a database for reading, by the first of its servers that answers.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(config: &PostgresConfig) -> Result<Self, JournalError> {
        Self::open_by(config, Mode::Read)
    }

    /// The same by the server that is written, for whoever goes on with what is there.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open_latest(config: &PostgresConfig) -> Result<Self, JournalError> {
        Self::open_by(config, Mode::ReadLatest)
    }

    fn open_by(config: &PostgresConfig, mode: Mode) -> Result<Self, JournalError> {
        let path = PathBuf::from(config.to_string());
        let mut this = Self { config: config.clone(), path, mode, link: None, opener: Opener::default() };
        this.read(async |at, session| {
            let format = schema::find(at, session).await?;
            let format = format.ok_or_else(|| JournalError::Missing { path: at.path.to_path_buf() })?;
            check_readable(at.path, format, schema::format_known())
        })?;
        Ok(this)
    }

    /// Whether it connects in this way.
    pub fn is_of(&self, config: &PostgresConfig) -> bool {
        self.config == *config
    }

    /// Reads, by a new connection if there is none any more, and once more by a new one when the way to
    /// the server has failed.
    fn read<T>(
        &mut self,
        read: impl AsyncFn(&At<'_>, &mut Session) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        self.read_within(ANSWER_TIME, read)
    }

    /// The same, where each way has so long to answer.
    #[expect(clippy::needless_pass_by_value, reason = "it is a closure, written where it is handed over")]
    pub(super) fn read_within<T>(
        &mut self,
        time: Duration,
        read: impl AsyncFn(&At<'_>, &mut Session) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let at = At { path: &self.path };
        if let Some(mut link) = self.link.take().filter(|link| !link.is_closed()) {
            match link.run_within(time, &at, ACTION, async |session| read(&at, session).await) {
                // What the server said when it ended the session may be heard only now.
                Err(JournalError::Io { .. }) => {}
                result => {
                    self.link = Some(link).filter(|_| result.is_ok());
                    return result;
                }
            }
        }
        let mut link = Link::open(&at, &self.config, self.mode)?;
        let result = link.run_within(time, &at, ACTION, async |session| read(&at, session).await);
        self.link = Some(link).filter(|_| result.is_ok());
        result
    }

    /// The rows of a page, up to the first that is damaged, and what is wrong with that.
    fn rows<T>(
        found: &[Row],
        at: &At<'_>,
        place: impl Fn(Option<&T>) -> Place,
        read: impl Fn(&Row) -> rows::Read<T>,
    ) -> (Vec<T>, Option<JournalError>) {
        let mut page: Vec<T> = Vec::with_capacity(found.len());
        for row in found {
            match rows::at_place(at, place(page.last()), row, &read) {
                Ok(row) => page.push(row),
                Err(error) => return (page, Some(error)),
            }
        }
        (page, None)
    }

    /// Reads page after page, going on behind the last row, until there are no more.
    #[expect(clippy::needless_pass_by_value, reason = "as above")]
    fn walk<T, K>(
        &mut self,
        mut key: K,
        next: impl Fn(&T) -> K,
        place: impl Fn(&K) -> Place,
        row: impl Fn(&Row) -> rows::Read<T>,
        page: impl AsyncFn(&mut Session, &K) -> Result<Vec<Row>, tokio_postgres::Error>,
        each: Each<'_, T>,
    ) -> Result<(), JournalError> {
        loop {
            let (rows, error) = self.read(async |at, session| {
                let found = page(session, &key).await.map_err(at.sql(place(&key), ACTION))?;
                let after = |last: Option<&T>| place(last.map(&next).as_ref().unwrap_or(&key));
                Ok(Self::rows(&found, at, after, &row))
            })?;
            if rows.is_empty() && error.is_none() {
                return Ok(());
            }
            for row in rows {
                key = next(&row);
                if each(row).is_break() {
                    return Ok(());
                }
            }
            if let Some(error) = error {
                return Err(error);
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
        let filter = if state.is_some() { "state = $3 AND" } else { "$3::text IS NULL AND" };
        let from_where = format!("{table} WHERE {filter} (seq, id) > ($1, $2)");
        let sql = paged(LIFE, "octet_length(body)", "seq, id", &from_where);
        self.walk(
            (integer(from), String::new()),
            |life: &LifeRow| (integer(life.seq), life.id.clone()),
            |_| place,
            rows::life,
            async |session, (seq, id)| session.query(&sql, &[seq, id, &state]).await,
            each,
        )
    }

    /// Opens the sealed parts of records.
    fn open_parts(&mut self, records: &mut [StoredRecord]) -> Result<(), JournalError> {
        if !Opener::is_needed(records) {
            return Ok(());
        }
        if !self.opener.knows_store() {
            let id = self.info()?.id;
            self.opener.of_store(id);
        }
        let erased = self.read(persons::count_erased)?;
        self.opener.heed(erased);
        let missing = self.opener.missing(records);
        if !missing.is_empty() {
            let numbers: Vec<i64> = missing.iter().map(|number| integer(*number)).collect();
            let found = self.read(async |at, session| persons::find(at, session, &numbers).await)?;
            missing.into_iter().for_each(|number| self.opener.learn(number, None));
            found.into_iter().for_each(|key| self.opener.learn(key.number, Some(key)));
        }
        records.iter_mut().for_each(|record| self.opener.open(record));
        Ok(())
    }

    fn life(&mut self, table: &str, place: Place, id: &str) -> Result<Option<LifeRow>, JournalError> {
        let sql = format!("SELECT {LIFE} FROM {table} WHERE id = $1");
        self.read(async |at, session| {
            let row = session.query_opt(&sql, &[&id]).await.map_err(at.sql(place, ACTION))?;
            row.map(|row| rows::at_place(at, place, &row, rows::life)).transpose()
        })
    }
}

/// A page of a query: so many rows, or fewer when those before have so many bytes. It is chosen by their sizes, before
/// any content is read.
pub(super) fn paged(columns: &str, bytes: &str, order: &str, from: &str) -> String {
    format!(
        "SELECT {columns} FROM (SELECT *, coalesce(sum(({bytes})::bigint) OVER (ORDER BY {order} \
         ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS bytes_before \
         FROM (SELECT * FROM {from} ORDER BY {order} LIMIT {PAGE_ROWS}) AS next) AS page \
         WHERE bytes_before < {PAGE_BYTES} ORDER BY {order}"
    )
}

impl Reader for PostgresReader {
    fn info(&mut self) -> Result<StoreInfo, JournalError> {
        self.read(writer::read_info)
    }

    fn head(&mut self) -> Result<Head, JournalError> {
        self.read(async |at, session| Ok(batch::read_meta(at, session).await?.1))
    }

    fn record(&mut self, seq: u64) -> Result<Option<StoredRecord>, JournalError> {
        let sql = format!("SELECT {RECORD} FROM records WHERE seq = $1");
        let place = Place::Record(seq);
        let mut found = self.read(async |at, session| {
            let row = session.query_opt(&sql, &[&integer(seq)]).await.map_err(at.sql(place, ACTION))?;
            row.map(|row| rows::at_place(at, place, &row, rows::record)).transpose()
        })?;
        self.open_parts(found.as_mut_slice())?;
        Ok(found)
    }

    fn records(&mut self, range: Numbers, each: Each<'_, StoredRecord>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        let sql = paged(
            RECORD,
            "octet_length(canonical) + octet_length(parts)",
            "seq",
            "records WHERE seq BETWEEN $1 AND $2",
        );
        let mut next = first;
        loop {
            let (mut page, error) = self.read(async |at, session| {
                let found = session.query(&sql, &[&integer(next), &integer(last)]).await;
                let found = found.map_err(at.sql(Place::Record(next), ACTION))?;
                let place = |record: Option<&StoredRecord>| {
                    Place::Record(record.map_or(next, |record| record.seq.saturating_add(1)))
                };
                Ok(Self::rows(&found, at, place, rows::record))
            })?;
            self.open_parts(&mut page)?;
            if page.is_empty() && error.is_none() {
                return Ok(());
            }
            for record in page {
                next = record.seq.saturating_add(1);
                if each(record).is_break() {
                    return Ok(());
                }
            }
            if let Some(error) = error {
                return Err(error);
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
        let start = self.read(async |at, session| {
            let sql = "SELECT coalesce(max(first_entry), $1) FROM blocks WHERE first_entry <= $1";
            let place = Place::Entry(first);
            let row = session.query_opt(sql, &[&integer(first)]).await.map_err(at.sql(place, ACTION))?;
            row.map_or(Ok(first), |row| rows::at_place(at, place, &row, |row| number(row, 0)))
        })?;
        let mut next = start;
        while next <= last {
            let Some(entries) = self.read(async |at, session| read_block(at, session, next, last).await)?
            else {
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
        self.read(async |at, session| {
            let sql =
                "SELECT source, unbroken, drained, gap_from, gap_why, place FROM cursors ORDER BY source";
            let found = session.query(sql, &[]).await.map_err(at.sql(Place::Cursors, ACTION))?;
            found.iter().map(|row| rows::at_place(at, Place::Cursors, row, rows::cursor)).collect()
        })
    }

    fn quarantine(
        &mut self,
        state: Option<QuarantineState>,
        each: Each<'_, QuarantineItem>,
    ) -> Result<(), JournalError> {
        let from = "quarantine WHERE id > $1 AND ($2::smallint IS NULL OR state = $2)";
        let sql = paged(QUARANTINE, "octet_length(reason)", "id", from);
        let state = state.map(|state| i16::from(state.code()));
        self.walk(
            -1,
            |item: &QuarantineItem| integer(item.id),
            |_| Place::Quarantine,
            rows::quarantine_item,
            async |session, after| session.query(&sql, &[after, &state]).await,
            each,
        )
    }

    fn quarantine_item(&mut self, id: u64) -> Result<Option<QuarantineItem>, JournalError> {
        let sql = format!("SELECT {QUARANTINE} FROM quarantine WHERE id = $1");
        let place = Place::Quarantine;
        self.read(async |at, session| {
            let row = session.query_opt(&sql, &[&integer(id)]).await.map_err(at.sql(place, ACTION))?;
            row.map(|row| rows::at_place(at, place, &row, rows::quarantine_item)).transpose()
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
        let all = self.snapshots()?.into_iter().filter(|info| info.seq <= seq);
        Ok(all.max_by_key(|info| (info.seq, info.id)))
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
        let place = Place::Snapshot(id);
        let packed = self.read(async |at, session| {
            let sql = "SELECT data FROM snapshots JOIN snapshot_index ON snapshot_index.id = snapshot \
                       WHERE snapshot = $1 AND chunk = $2 AND complete";
            let row = session.query_opt(sql, &[&integer(id), &integer(chunk)]).await;
            let row = row.map_err(at.sql(place, ACTION))?.ok_or_else(|| snapshot::missing(at, id))?;
            rows::at_place(at, place, &row, |row| rows::column::<Vec<u8>>(row, 0))
        })?;
        Ok(PackedChunk::new(self.path.clone(), id, packed))
    }

    fn versions(&mut self, range: Numbers, each: Each<'_, VersionSet>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        // Before the first block that ends in the range.
        let mut key = (integer(first).saturating_sub(1), i64::MAX);
        loop {
            let block = self.read(async |at, session| {
                let sql = "SELECT last_seq, id, first_seq, data FROM versions \
                           WHERE (last_seq, id) > ($1, $2) ORDER BY last_seq, id LIMIT 1";
                let place = Place::Versions(first);
                let row = session.query_opt(sql, &[&key.0, &key.1]).await.map_err(at.sql(place, ACTION))?;
                let read = |row: &_| {
                    let key = (rows::column::<i64>(row, 0)?, rows::column::<i64>(row, 1)?);
                    Ok((key, number(row, 2)?, rows::column::<Vec<u8>>(row, 3)?))
                };
                row.map(|row| rows::at_place(at, place, &row, read)).transpose()
            })?;
            let Some((behind, first_seq, data)) = block.filter(|(_, first_seq, _)| *first_seq <= last) else {
                return Ok(());
            };
            key = behind;
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
        self.read(holdings::read)
    }

    fn leaves(&mut self, range: Numbers, each: Each<'_, [u8; 32]>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        let sql = paged("seq, hash", "32", "seq", "records WHERE seq BETWEEN $1 AND $2");
        let (mut due, mut is_missing) = (first, false);
        self.walk(
            first,
            |(seq, _): &(u64, [u8; 32])| seq.saturating_add(1),
            |next| Place::Record(*next),
            log::leaf,
            async |session, next| session.query(&sql, &[&integer(*next), &integer(last)]).await,
            &mut |(seq, hash)| {
                is_missing = seq != due;
                if is_missing {
                    return ControlFlow::Break(());
                }
                due += 1;
                each(hash)
            },
        )?;
        if is_missing {
            return Err(At { path: &self.path }.damaged(Place::Record(due), "the record is missing"));
        }
        Ok(())
    }

    fn nodes(&mut self, level: u8, range: Numbers, each: Each<'_, NodeRow>) -> Result<(), JournalError> {
        let (first, last) = range.into_inner();
        let sql =
            paged("place, hash", "32", "place", "log_nodes WHERE level = $1 AND place BETWEEN $2 AND $3");
        self.walk(
            first,
            |node: &NodeRow| node.index.saturating_add(1),
            |next| Place::Node(level, *next),
            |row| log::node(level, row),
            async |session, next| {
                session.query(&sql, &[&i16::from(level), &integer(*next), &integer(last)]).await
            },
            each,
        )
    }

    fn checkpoint(&mut self, at_most: Option<u64>) -> Result<Option<SignedCheckpoint>, JournalError> {
        let at_most = at_most.unwrap_or(u64::MAX);
        let sql = format!(
            "SELECT {} FROM log_checkpoints WHERE size <= $1 ORDER BY size DESC LIMIT 1",
            log::CHECKPOINT
        );
        let place = Place::SignedCheckpoint(at_most);
        self.read(async |at, session| {
            let row = session.query_opt(&sql, &[&integer(at_most)]).await.map_err(at.sql(place, ACTION))?;
            row.map(|row| rows::at_place(at, place, &row, log::checkpoint)).transpose()
        })
    }

    fn checkpoints(&mut self, sizes: Numbers, each: Each<'_, SignedCheckpoint>) -> Result<(), JournalError> {
        let (first, last) = sizes.into_inner();
        let from = "log_checkpoints WHERE size BETWEEN $1 AND $2";
        let sql = paged(log::CHECKPOINT, "octet_length(note)", "size", from);
        self.walk(
            first,
            |checkpoint: &SignedCheckpoint| checkpoint.size.saturating_add(1),
            |next| Place::SignedCheckpoint(*next),
            log::checkpoint,
            async |session, next| session.query(&sql, &[&integer(*next), &integer(last)]).await,
            each,
        )
    }

    fn log_keys(&mut self) -> Result<Vec<LogKeyRow>, JournalError> {
        self.read(async |at, session| {
            let sql = "SELECT size, key FROM log_keys ORDER BY size";
            let found = session.query(sql, &[]).await.map_err(at.sql(Place::LogKeys, ACTION))?;
            found.iter().map(|row| rows::at_place(at, Place::LogKeys, row, log::key)).collect()
        })
    }

    fn witnessed(&mut self) -> Result<Vec<WitnessedRow>, JournalError> {
        self.read(async |at, session| {
            let sql = "SELECT witness, size, note, at FROM log_cosigned ORDER BY witness, size";
            let found = session.query(sql, &[]).await.map_err(at.sql(Place::Witnessed, ACTION))?;
            found.iter().map(|row| rows::at_place(at, Place::Witnessed, row, log::witnessed)).collect()
        })
    }

    fn index_generation(&mut self) -> Result<u64, JournalError> {
        self.read(index::generation)
    }

    fn segments(&mut self, each: Each<'_, Segment>) -> Result<(), JournalError> {
        let sql = paged(index::SEGMENT, "32", "first", "search_segments WHERE first >= $1");
        self.walk(
            0,
            |segment: &Segment| segment.last.saturating_add(1),
            |_| Place::Index,
            index::segment,
            async |session, next| session.query(&sql, &[&integer(*next)]).await,
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
        let of = "search_pages WHERE segment = $1 AND class = $2";
        let within = format!(
            "{of} AND term < $4 AND term >= \
             coalesce((SELECT term FROM {of} AND term <= $3 ORDER BY term DESC LIMIT 1), $3)"
        );
        let behind = format!("{of} AND term < $4 AND term > $3");
        let [within, behind] =
            [within, behind].map(|from| paged("term, data", "octet_length(data)", "term", &from));
        let (segment, class) = (integer(segment), i16::from(class));
        self.walk(
            (from.to_vec(), &within),
            |(first, _): &(Vec<u8>, Vec<u8>)| (first.clone(), &behind),
            |_| Place::Index,
            index::page,
            async |session, (from, sql)| session.query(sql, &[&segment, &class, from, &to]).await,
            &mut |(_, page)| each(page),
        )
    }

    fn forwarders(&mut self) -> Result<Vec<ForwarderRow>, JournalError> {
        let sql = format!("SELECT {} FROM forwarders ORDER BY name", forward::FORWARDER);
        let place = Place::Forwarders;
        self.read(async |at, session| {
            let found = session.query(&sql, &[]).await.map_err(at.sql(place, ACTION))?;
            found.iter().map(|row| rows::at_place(at, place, row, forward::forwarder)).collect()
        })
    }

    fn dead_letters(&mut self, forwarder: &str, each: Each<'_, DeadLetterRow>) -> Result<(), JournalError> {
        let from = "dead_letters WHERE forwarder = $1 AND (seq, line) > ($2, $3)";
        let sql = paged(forward::DEAD_LETTER, "octet_length(why)", "seq, line", from);
        self.walk(
            (-1, -1),
            |letter: &DeadLetterRow| {
                (integer(letter.key.seq), i32::try_from(letter.key.line).unwrap_or(i32::MAX))
            },
            |_| Place::Forwarders,
            forward::dead_letter,
            async |session, (seq, line)| session.query(&sql, &[&forwarder, seq, line]).await,
            each,
        )
    }

    fn erasures(&mut self) -> Result<Vec<ErasureRow>, JournalError> {
        self.read(erasure::list)
    }

    fn persons(&mut self, each: Each<'_, String>) -> Result<(), JournalError> {
        let from = "(SELECT DISTINCT label FROM persons WHERE label > $1) AS persons";
        let sql = paged(persons::LABEL, "octet_length(label)", "label", from);
        self.walk(
            String::new(),
            String::clone,
            |_| Place::Persons,
            persons::label,
            async |session, behind| session.query(&sql, &[behind]).await,
            each,
        )
    }

    fn seq_at(&mut self, at_time: Timestamp) -> Result<u64, JournalError> {
        self.read(async |at, session| {
            let (_, head) = batch::read_meta(at, session).await?;
            // `as_of` never goes back: everything up to `known` is not later, everything from `later` on is.
            let (mut known, mut later) = (0, head.seq.saturating_add(1));
            while later - known > 1 {
                let middle = known + (later - known) / 2;
                let place = Place::Record(middle);
                let row = session
                    .query_opt("SELECT as_of FROM records WHERE seq = $1", &[&integer(middle)])
                    .await
                    .map_err(at.sql(place, ACTION))?;
                let row = row.ok_or_else(|| at.damaged(place, "it is missing"))?;
                let as_of = rows::at_place(at, place, &row, |row| rows::time(row, 0))?;
                *(if as_of <= at_time { &mut known } else { &mut later }) = middle;
            }
            Ok(known)
        })
    }
}

/// The entries of the first block from `next` on that begins within the range.
async fn read_block(
    at: &At<'_>,
    session: &mut Session,
    next: u64,
    last: u64,
) -> Result<Option<Vec<Entry>>, JournalError> {
    let row = session
        .query_opt(
            "SELECT first_entry, last_entry, data FROM blocks WHERE first_entry BETWEEN $1 AND $2 \
             ORDER BY first_entry LIMIT 1",
            &[&integer(next), &integer(last)],
        )
        .await
        .map_err(at.sql(Place::Entry(next), ACTION))?;
    let Some(row) = row else { return Ok(None) };
    let read = |row: &_| Ok((number(row, 0)?, number(row, 1)?, rows::column::<Vec<u8>>(row, 2)?));
    let (first, last, data) = rows::at_place(at, Place::Entry(next), &row, read)?;
    read_entries(&data, first, last).map(Some).map_err(at.malformed(Place::Entry(first)))
}

/// The ledgers of all sources, by name, and their tallies, of one moment.
async fn read_ledger(at: &At<'_>, session: &mut Session) -> Result<Vec<Counters>, JournalError> {
    let place = Place::Ledger;
    let failed = at.sql(place, ACTION);
    session.batch("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map_err(&failed)?;
    let sql =
        "SELECT source, received, recorded, duplicate, ignored, quarantined FROM ledger ORDER BY source";
    let ledger = session.query(sql, &[]).await.map_err(&failed)?;
    let sql = "SELECT source, what, name, count FROM tallies";
    let tallies = session.query(sql, &[]).await.map_err(&failed)?;
    session.batch("COMMIT").await.map_err(&failed)?;
    let counters = |row: &_| {
        Ok(Counters {
            source: rows::column(row, 0)?,
            received: number(row, 1)?,
            recorded: number(row, 2)?,
            duplicate: number(row, 3)?,
            ignored: number(row, 4)?,
            quarantined: number(row, 5)?,
            ..Counters::default()
        })
    };
    let mut all = Vec::with_capacity(ledger.len());
    for row in &ledger {
        all.push(rows::at_place(at, place, row, counters)?);
    }
    for row in &tallies {
        let tally = |row: &_| {
            let (source, what) = (rows::column::<String>(row, 0)?, rows::column::<i16>(row, 1)?);
            Ok((source, what, rows::column::<String>(row, 2)?, number(row, 3)?))
        };
        let (source, what, name, count) = rows::at_place(at, place, row, tally)?;
        let counters = all.iter_mut().find(|counters| counters.source == source);
        let names = match (counters, what) {
            (Some(counters), UNMODELLED) => &mut counters.unmodelled,
            (Some(counters), IGNORED_BY) => &mut counters.ignored_by,
            _ => return Err(at.damaged(place, "a tally counts nothing that is known")),
        };
        names.insert(name, count);
    }
    Ok(all)
}
