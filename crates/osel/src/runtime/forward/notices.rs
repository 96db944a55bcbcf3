//! From the store to notices: records are read a page at a time and shown to who says what people are told of them. It blocks.
//!
//! A record is read once while a notice is gathered, however long that takes; a process that begins again reads from its place.

use std::ops::ControlFlow;

use osel_core::format::{Severity, line_id};
use osel_core::notice::{Notice, NoticeSettings, Teller, Turn};
use osel_core::pseudonym::{PseudonymKey, pseudonymised};
use osel_core::time::Timestamp;
use osel_core::trail::{PartClass, RecordKind};

use super::super::record::read_record;
use super::reading::{Page, ReadError, STORED_BYTES_MAX, bytes_of};
use crate::forward::receiver::Item;
use crate::store::Reader;

/// The most records of one look at the trail, which takes a second or so: a forwarder that is to end waits for it.
const LOOK_RECORDS_MAX: u64 = 200_000;
/// What a notice is called as an event.
const EVENT_TYPE: &str = "osel.notice";

/// Gathers records for people.
pub(super) struct Notices {
    teller: Teller,
    /// Of so many records that were looked at since the last notice retention had let something go.
    incomplete: u64,
}

impl Notices {
    pub(super) fn new(settings: NoticeSettings) -> Self {
        Self { teller: Teller::new(settings), incomplete: 0 }
    }

    /// Looks at records behind those that it has looked at since `after`, up to `head`: what is to be sent of them now, if anything is;
    /// persons by pseudonyms where there is a key.
    pub(super) fn read(
        &mut self,
        reader: &mut dyn Reader,
        store: &str,
        pseudonyms: Option<&PseudonymKey>,
        now: Timestamp,
        (after, head): (u64, u64),
        is_sending: bool,
    ) -> Result<Option<Page>, ReadError> {
        self.teller.begin(after);
        let last = head.min(self.teller.looked_to().saturating_add(LOOK_RECORDS_MAX));
        let mut is_full = false;
        while self.teller.looked_to() < last && !is_full {
            is_full = !self.look(reader, pseudonyms, now, last)?;
        }
        if last < head && !is_full {
            // What is still to be looked at may belong to the same notice.
            return Ok(None);
        }
        let first = self.teller.recorded_from();
        Ok(match self.teller.turn(now, is_sending) {
            Turn::Wait => None,
            Turn::Pass(through) => {
                Some(Page { through, incomplete: self.incomplete_now(), ..Page::default() })
            }
            Turn::Tell(notice) => Some(self.page(&notice, store, (now, first.unwrap_or(now)))),
        })
    }

    /// When the first record was recorded that is gathered.
    pub(super) fn gathered_from(&self) -> Option<Timestamp> {
        self.teller.recorded_from()
    }

    /// Looks at one more page; whether more belongs to the same notice.
    fn look(
        &mut self,
        reader: &mut dyn Reader,
        pseudonyms: Option<&PseudonymKey>,
        now: Timestamp,
        last: u64,
    ) -> Result<bool, ReadError> {
        let first = self.teller.looked_to() + 1;
        let (mut stored, mut bytes) = (Vec::new(), 0);
        let read = reader.records(first..=last, &mut |record| {
            bytes += bytes_of(&record);
            stored.push(record);
            if bytes < STORED_BYTES_MAX { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        if stored.is_empty() {
            read?;
            return Err(ReadError::Missing(first));
        }
        for stored in &stored {
            let due = self.teller.looked_to() + 1;
            if stored.seq != due {
                return Err(ReadError::Missing(due));
            }
            let record = read_record(stored).ok_or(ReadError::Damaged(due))?;
            let view = pseudonyms.map(|key| pseudonymised(record.clone(), key));
            if !self.teller.look_at(now, view.as_ref().unwrap_or(&record)) {
                return Ok(false);
            }
            self.incomplete += u64::from(record.missing.iter().any(|class| *class != PartClass::Payload));
        }
        Ok(true)
    }

    fn incomplete_now(&mut self) -> u64 {
        std::mem::take(&mut self.incomplete)
    }

    fn page(&mut self, notice: &Notice, store: &str, (now, recorded_at): (Timestamp, Timestamp)) -> Page {
        let item = Item {
            seq: notice.last,
            id: line_id(store, notice.last, 0),
            time: now,
            // How long those wait that are told.
            recorded_at,
            kind: RecordKind::System,
            severity: Severity::from_word(&notice.severity).unwrap_or_default(),
            event_type: Some(EVENT_TYPE.to_owned()),
            line: serde_json::to_vec(notice)
                .expect("a notice has texts and numbers only, and memory takes it"),
        };
        Page {
            through: notice.last,
            records: vec![(notice.last, vec![item])],
            incomplete: self.incomplete_now(),
            together: Some((notice.last - notice.first + 1, notice.told)),
        }
    }
}
