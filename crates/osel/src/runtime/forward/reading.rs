//! From the store to lines: records are read a page at a time, filtered and rendered. It blocks.
//!
//! Retention may have been quicker than a receiver: what is left of a record is rendered, and that something was missing is counted. A
//! record that is damaged is passed over by nobody: whoever wants that says so to `osel forward rewind`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use osel_core::engine::record::Record;
use osel_core::format::{Format, Osel11Scan, Severity, Subject, line_id, render};
use osel_core::forward::Filter;
use osel_core::names::Directory;
use osel_core::notice::NoticeSettings;
use osel_core::pseudonym::{PseudonymKey, pseudonymised};
use osel_core::time::Timestamp;
use osel_core::trail::PartClass;

use super::super::payloads::Payloads;
use super::super::qualys_scans::QualysScans;
use super::super::record::read_record;
use super::notices::Notices;
use super::settings::ReaderAccess;
use crate::forward::receiver::Item;
use crate::store::{JournalError, PartContent, Reader, StoredRecord};

/// Records of so many bytes are read before they are rendered, or one that has more.
pub(super) const STORED_BYTES_MAX: usize = 4 << 20;
/// How long a record of which scans may follow is held back for them, in the one format that tells them: the window and the launch of a
/// usual scan.
const SCANS_AWAITED_SECONDS: i64 = 300;

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record has no meaning.
    #[error("record {0} is damaged: see `osel audit verify`")]
    Damaged(u64),
    /// A record is not there.
    #[error("record {0} is not in the store: see `osel audit verify`")]
    Missing(u64),
}

/// What was read.
#[derive(Debug, Default)]
pub struct Page {
    /// The last record that was looked at.
    pub through: u64,
    /// The lines of those that have any, by record.
    pub records: Vec<(u64, Vec<Item>)>,
    /// Of how many of them retention had let something go.
    pub incomplete: u64,
    /// How many records the lines stand for, and how many of these they tell, where that is not one each.
    pub together: Option<(u64, u64)>,
}

/// Reads for one forwarder.
pub struct Work {
    access: ReaderAccess,
    reader: Option<Box<dyn Reader>>,
    store: Arc<str>,
    format: Format,
    filter: Filter,
    awaits_scans: bool,
    pseudonyms: Option<PseudonymKey>,
    payloads: Payloads,
    scans: QualysScans,
    lines: Vec<Vec<u8>>,
    /// For people, who are told of records in another way.
    notices: Option<Notices>,
}

impl Work {
    /// One with a reader of its own, which is opened when something is read, and again after it failed.
    pub fn new(
        access: ReaderAccess,
        store: Arc<str>,
        format: Format,
        filter: Filter,
        awaits_scans: bool,
    ) -> Self {
        Self {
            access,
            reader: None,
            store,
            format,
            filter,
            awaits_scans: awaits_scans && format.needs_scans(),
            pseudonyms: None,
            payloads: Payloads::default(),
            scans: QualysScans::default(),
            lines: Vec::new(),
            notices: None,
        }
    }

    /// The same for people, who are told of many records together.
    pub fn telling(self, notices: Option<NoticeSettings>) -> Self {
        Self { notices: notices.map(Notices::new), ..self }
    }

    /// Whether it is for people.
    pub(super) fn has_notices(&self) -> bool {
        self.notices.is_some()
    }

    /// When the first record was recorded that was looked at and waits for others; none where none does.
    pub(super) fn gathered_from(&self) -> Option<Timestamp> {
        self.notices.as_ref().and_then(Notices::gathered_from)
    }

    /// Gathers records behind `after` for a notice, or gives one that is due. None while it is not.
    ///
    /// # Errors
    /// When records cannot be read.
    pub(super) fn gather(
        &mut self,
        now: Timestamp,
        after: u64,
        head: u64,
        is_sending: bool,
    ) -> Result<Option<Page>, ReadError> {
        let Some(mut notices) = self.notices.take() else { return Ok(None) };
        let (store, pseudonyms) = (Arc::clone(&self.store), self.pseudonyms.clone());
        let page = match self.reader() {
            Ok(reader) => notices.read(reader, &store, pseudonyms.as_ref(), now, (after, head), is_sending),
            Err(error) => Err(error.into()),
        };
        self.notices = Some(notices);
        if page.is_err() {
            // What is wrong may be with the connection.
            self.reader = None;
        }
        page
    }

    /// From here on persons are told by pseudonyms, and messages not at all.
    pub fn tell_by_pseudonyms(&mut self, key: PseudonymKey) {
        self.pseudonyms = Some(key);
    }

    /// A reader of the store.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn reader(&mut self) -> Result<&mut dyn Reader, JournalError> {
        let reader = match self.reader.take() {
            Some(reader) => reader,
            None => (self.access)()?,
        };
        Ok(&mut **self.reader.insert(reader))
    }

    /// Reads records behind `after`, at most so many and none after `head`, until their lines have so many bytes. None where the next one
    /// is held back for a while.
    ///
    /// # Errors
    /// When not even the next one can be read.
    pub fn read(
        &mut self,
        now: Timestamp,
        after: u64,
        records: u64,
        bytes: usize,
        head: u64,
        names: &Directory,
    ) -> Result<Option<Page>, ReadError> {
        let page = self.page(now, after, after.saturating_add(records).min(head), bytes, names);
        if page.is_err() {
            // What is wrong may be with the connection.
            self.reader = None;
        }
        let page = page?;
        if page.through == head {
            // What follows from the last records is not planned yet.
            self.scans = QualysScans::default();
        }
        Ok((page.through > after).then_some(page))
    }

    /// Renders these records, whether they pass the filter or not.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn fetch(&mut self, seqs: &[u64], names: &Directory) -> Result<Page, ReadError> {
        let mut page = Page::default();
        for &seq in seqs {
            if self.has_notices() {
                // What another type of receiver refused under this name: people are told of records in another way.
                page.records.push((seq, Vec::new()));
                continue;
            }
            // One that cannot be read stays a dead letter and holds up no other.
            let Some(stored) = self.reader()?.record(seq)? else { continue };
            let Some(record) = read_record(&stored) else { continue };
            let scans = self.scans_of(&record)?;
            self.render(&stored, &record, &scans, names, &mut page)?;
            if page.records.last().is_none_or(|(last, _)| *last != seq) {
                // In another form than then it has no line.
                page.records.push((seq, Vec::new()));
            }
        }
        Ok(page)
    }

    fn page(
        &mut self,
        now: Timestamp,
        after: u64,
        last: u64,
        bytes: usize,
        names: &Directory,
    ) -> Result<Page, ReadError> {
        let mut stored = Vec::new();
        let mut stored_bytes = 0;
        let read = self.reader()?.records(after + 1..=last, &mut |record| {
            stored_bytes += bytes_of(&record);
            stored.push(record);
            if stored_bytes < STORED_BYTES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if stored.is_empty() {
            read?;
            return Err(ReadError::Missing(after + 1));
        }
        let mut page = Page { through: after, ..Page::default() };
        let mut line_bytes = 0;
        for stored in &stored {
            let rendered = self.one(now, stored, page.through + 1, names, &mut page);
            match rendered {
                Ok(true) => {}
                Ok(false) => break,
                // Those before it go first.
                Err(_) if page.through > after => break,
                Err(error) => return Err(error),
            }
            page.through = stored.seq;
            if let Some((seq, items)) = page.records.last()
                && *seq == stored.seq
            {
                line_bytes += items.iter().map(|item| item.line.len()).sum::<usize>();
            }
            if line_bytes >= bytes {
                break;
            }
        }
        Ok(page)
    }

    /// Adds a record to a page; whether it may go, and is not held back for its scans.
    fn one(
        &mut self,
        now: Timestamp,
        stored: &StoredRecord,
        due: u64,
        names: &Directory,
        page: &mut Page,
    ) -> Result<bool, ReadError> {
        if stored.seq != due {
            return Err(ReadError::Missing(due));
        }
        let record = read_record(stored).ok_or(ReadError::Damaged(stored.seq))?;
        if !self.filter.passes(&record, Severity::of(&record)) {
            return Ok(true);
        }
        let scans = self.scans_of(&record)?;
        if self.awaits_scans && is_awaiting(now, &record, &scans) {
            return Ok(false);
        }
        self.render(stored, &record, &scans, names, page)?;
        Ok(true)
    }

    fn scans_of(&mut self, record: &Record) -> Result<BTreeMap<IpAddr, Osel11Scan>, ReadError> {
        if !self.format.needs_scans() || record.opened_count() + record.closed_count() == 0 {
            return Ok(BTreeMap::new());
        }
        self.reader()?;
        let Some(reader) = self.reader.as_deref_mut() else { return Ok(BTreeMap::new()) };
        Ok(self.scans.of(reader, record)?)
    }

    fn render(
        &mut self,
        stored: &StoredRecord,
        record: &Record,
        scans: &BTreeMap<IpAddr, Osel11Scan>,
        names: &Directory,
        page: &mut Page,
    ) -> Result<(), ReadError> {
        let message = self.message(stored)?;
        let view = self.pseudonyms.as_ref().map(|key| pseudonymised(record.clone(), key));
        let shown = view.as_ref().unwrap_or(record);
        let subject =
            Subject { record: shown, message: message.as_deref(), scans, names, store: &self.store };
        self.lines.clear();
        render(self.format, &subject, &mut self.lines);
        if self.lines.is_empty() {
            return Ok(());
        }
        let is_told = |class: &PartClass| *class != PartClass::Payload || self.needs_message();
        page.incomplete += u64::from(record.missing.iter().any(is_told));
        let severity = Severity::of(record);
        let header = &record.header;
        let items = self.lines.drain(..).enumerate().map(|(line, bytes)| Item {
            seq: header.seq,
            id: line_id(&self.store, header.seq, line),
            time: header.time,
            recorded_at: header.recorded_at,
            kind: header.kind,
            severity,
            event_type: record.body.event_type.as_deref().map(str::to_owned),
            line: bytes,
        });
        page.records.push((header.seq, items.collect()));
        Ok(())
    }

    fn needs_message(&self) -> bool {
        self.format.needs_message() && self.pseudonyms.is_none()
    }

    /// The message that a record has as a part, if the format shows it and it is still there.
    fn message(&mut self, stored: &StoredRecord) -> Result<Option<Vec<u8>>, ReadError> {
        let is_there = stored.parts.iter().any(|part| part.content == PartContent::InEntry);
        if !is_there || !self.needs_message() {
            return Ok(None);
        }
        self.reader()?;
        let Some(reader) = self.reader.as_deref_mut() else { return Ok(None) };
        Ok(self.payloads.body(reader, stored.entry)?)
    }
}

/// Whether scans may still follow from a record that are told with it: it opened something just now, and not all of its addresses are known
/// to be scanned, or not to be.
fn is_awaiting(now: Timestamp, record: &Record, scans: &BTreeMap<IpAddr, Osel11Scan>) -> bool {
    if record.opened_count() == 0 || record.header.recorded_at.plus_seconds(SCANS_AWAITED_SECONDS) <= now {
        return false;
    }
    let mut scanned = record.opened.iter().filter(|judged| !judged.covered_before);
    scanned.any(|judged| !scans.contains_key(&judged.row.address.addr()))
}

/// About what a record takes in memory.
pub(super) fn bytes_of(record: &StoredRecord) -> usize {
    record.parts.iter().fold(record.canonical.len(), |sum, part| {
        sum + if let PartContent::Bytes(bytes) = &part.content { bytes.len() } else { 0 }
    })
}
