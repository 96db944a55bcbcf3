//! Records on their way into a store, in one piece of memory.
//!
//! A record has a dozen texts and some hundred bytes in each. Were each a piece of memory of its own, which one thread asks for and another
//! gives back, a tenth of the time of a message would be spent on that. So all of a batch is written behind each other, and of
//! each piece it is known where it lies. What comes out of a store is [`StoredRecord`]: read one at a time, and changed.

use std::ops::Range;

use osel_core::time::Timestamp;

use super::code::{ContentView, PartView, WhoseView};
use super::data::{PartContent, StoredRecord, Whose};

/// Records to be written, by their numbers.
#[derive(Clone, Debug, Default)]
pub struct NewRecords {
    bytes: Vec<u8>,
    records: Vec<Row>,
    parts: Vec<NewPart>,
}

/// What a record has of a fixed size; see [`StoredRecord`].
#[derive(Clone, Copy, Debug)]
pub struct NewHead {
    /// From 1, without gaps.
    pub seq: u64,
    /// The entry it stems from; 0 for none.
    pub entry: u64,
    /// The kind of record, in the code of its maker.
    pub kind: u8,
    /// When it happened.
    pub time: Timestamp,
    /// Never earlier than its predecessor's.
    pub as_of: Timestamp,
    /// The hash of the canonical bytes.
    pub hash: [u8; 32],
}

/// A part of it, and where its pieces were written; see [`StoredPart`](super::StoredPart).
#[derive(Clone, Debug)]
pub struct NewPart {
    /// The class of the part, in the code of its maker.
    pub class: u8,
    /// The project the part belongs to, where it belongs to one.
    pub project: Option<Range<usize>>,
    /// The word of the person it is about, where it is about one.
    pub person: Option<Range<usize>>,
    /// What is hashed before the part.
    pub salt: [u8; 16],
    /// The part itself.
    pub content: NewContent,
}

/// Where the bytes of a part are.
#[derive(Clone, Debug)]
pub enum NewContent {
    /// They were written there.
    At(Range<usize>),
    /// They are the body of the record's entry and not kept twice.
    InEntry,
    /// Gone already, as of a record that was read from another store.
    Gone,
}

#[derive(Clone, Debug)]
struct Row {
    head: NewHead,
    canonical: Range<usize>,
    parts: Range<usize>,
}

/// One of them, to be read.
#[derive(Clone, Copy, Debug)]
pub struct NewRecord<'a> {
    /// What it has of a fixed size.
    pub head: &'a NewHead,
    /// The bytes that are hashed.
    pub canonical: &'a [u8],
    bytes: &'a [u8],
    parts: &'a [NewPart],
}

impl NewRecords {
    /// None.
    pub const EMPTY: &'static Self = &Self { bytes: Vec::new(), records: Vec::new(), parts: Vec::new() };

    /// Records as they are read, for whoever has such: tests and benches. What is sealed or locked there is gone here, since no store could
    /// read it by keys of its own.
    pub fn of(records: &[StoredRecord]) -> Self {
        records.iter().cloned().collect()
    }

    /// None, with room for as much as these have.
    pub fn empty_alike(&self) -> Self {
        Self {
            bytes: Vec::with_capacity(self.bytes.len()),
            records: Vec::with_capacity(self.records.len()),
            parts: Vec::with_capacity(self.parts.len()),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Where the pieces of the next record are written, each behind what is there. Nothing may be taken away.
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Writes a piece of the next record; says where.
    pub fn put(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Adds a record whose canonical bytes were written there; its parts are added next.
    pub fn push(&mut self, head: NewHead, canonical: Range<usize>) {
        let none = self.parts.len()..self.parts.len();
        self.records.push(Row { head, canonical, parts: none });
    }

    /// Adds the next part of the record that was added last, in the order in which its canonical bytes commit to them.
    pub fn push_part(&mut self, part: NewPart) {
        self.parts.push(part);
        if let Some(record) = self.records.last_mut() {
            record.parts.end = self.parts.len();
        }
    }

    /// Adds all of a later batch.
    pub fn append(&mut self, later: Self) {
        let (bytes, parts) = (self.bytes.len(), self.parts.len());
        let moved = |place: Range<usize>, by: usize| place.start + by..place.end + by;
        self.bytes.extend_from_slice(&later.bytes);
        self.parts.extend(later.parts.into_iter().map(|part| NewPart {
            project: part.project.map(|place| moved(place, bytes)),
            person: part.person.map(|place| moved(place, bytes)),
            content: match part.content {
                NewContent::At(place) => NewContent::At(moved(place, bytes)),
                other => other,
            },
            ..part
        }));
        self.records.extend(later.records.into_iter().map(|Row { head, canonical, parts: of }| Row {
            head,
            canonical: moved(canonical, bytes),
            parts: moved(of, parts),
        }));
    }

    /// All of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = NewRecord<'_>> + Clone {
        self.records.iter().map(|row| self.record(row))
    }

    /// The last one.
    pub fn last(&self) -> Option<NewRecord<'_>> {
        self.records.last().map(|row| self.record(row))
    }

    fn record<'a>(&'a self, row: &'a Row) -> NewRecord<'a> {
        NewRecord {
            head: &row.head,
            canonical: at(&self.bytes, &row.canonical),
            bytes: &self.bytes,
            parts: self.parts.get(row.parts.clone()).unwrap_or_default(),
        }
    }
}

impl<'a> NewRecord<'a> {
    /// Its parts, in the order in which its canonical bytes commit to them.
    pub fn parts(&self) -> impl ExactSizeIterator<Item = PartView<'a>> + use<'a> {
        let bytes = self.bytes;
        self.parts.iter().map(move |part| PartView {
            class: part.class,
            project: part.project.as_ref().map(|place| at(bytes, place)),
            whose: match &part.person {
                None => WhoseView::Nobody,
                Some(place) => WhoseView::Person(std::str::from_utf8(at(bytes, place)).unwrap_or_default()),
            },
            salt: &part.salt,
            content: match &part.content {
                NewContent::At(place) => ContentView::Bytes(at(bytes, place)),
                NewContent::InEntry => ContentView::InEntry,
                NewContent::Gone => ContentView::Gone,
            },
        })
    }
}

/// A piece. Whoever wrote it was told where.
fn at<'a>(bytes: &'a [u8], place: &Range<usize>) -> &'a [u8] {
    bytes.get(place.clone()).unwrap_or_default()
}

/// See [`NewRecords::of`].
impl FromIterator<StoredRecord> for NewRecords {
    fn from_iter<I: IntoIterator<Item = StoredRecord>>(records: I) -> Self {
        let mut new = Self::default();
        for record in records {
            let StoredRecord { seq, entry, kind, time, as_of, hash, canonical, parts } = record;
            let canonical = new.put(&canonical);
            new.push(NewHead { seq, entry, kind, time, as_of, hash }, canonical);
            for part in parts {
                let project = part.project.as_deref().map(|project| new.put(project.as_bytes()));
                let person = match &part.whose {
                    Whose::Person(word) => Some(new.put(word.as_bytes())),
                    Whose::Nobody | Whose::Sealed(_) | Whose::Locked => None,
                };
                let content = match (&part.content, &part.whose) {
                    (_, Whose::Sealed(_) | Whose::Locked) | (PartContent::Gone, _) => NewContent::Gone,
                    (PartContent::Bytes(bytes), _) => NewContent::At(new.put(bytes)),
                    (PartContent::InEntry, _) => NewContent::InEntry,
                };
                new.push_part(NewPart { class: part.class, project, person, salt: part.salt, content });
            }
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::StoredPart;
    use super::*;

    fn records(numbers: std::ops::RangeInclusive<u8>) -> Vec<StoredRecord> {
        let part = |class, project: Option<&str>, whose, content| StoredPart {
            class,
            project: project.map(Into::into),
            whose,
            salt: [class; 16],
            content,
        };
        let record = |number: u8| StoredRecord {
            seq: number.into(),
            entry: 1,
            kind: number,
            time: Timestamp::EPOCH.plus_seconds(number.into()),
            as_of: Timestamp::EPOCH,
            canonical: vec![number; usize::from(number)],
            hash: [number; 32],
            parts: vec![
                part(1, Some("aster"), Whose::Nobody, PartContent::Bytes(vec![number; 5])),
                part(2, None, Whose::Person(format!("user:{number}")), PartContent::Bytes(Vec::new())),
                part(3, Some(""), Whose::Nobody, PartContent::InEntry),
                part(4, None, Whose::Nobody, PartContent::Gone),
            ][..usize::from(number) % 5]
                .to_vec(),
        };
        numbers.map(record).collect()
    }

    fn read(records: &NewRecords) -> Vec<StoredRecord> {
        let part = |part: PartView<'_>| StoredPart {
            class: part.class,
            project: part.project.map(|text| String::from_utf8(text.to_vec()).unwrap().into()),
            whose: match part.whose {
                WhoseView::Nobody => Whose::Nobody,
                WhoseView::Person(word) => Whose::Person(word.to_owned()),
                WhoseView::Sealed(number) => Whose::Sealed(number),
            },
            salt: *part.salt,
            content: match part.content {
                ContentView::Bytes(bytes) => PartContent::Bytes(bytes.to_vec()),
                ContentView::InEntry => PartContent::InEntry,
                ContentView::Gone => PartContent::Gone,
            },
        };
        let record = |record: NewRecord<'_>| {
            let NewHead { seq, entry, kind, time, as_of, hash } = *record.head;
            let (canonical, parts) = (record.canonical.to_vec(), record.parts().map(part).collect());
            StoredRecord { seq, entry, kind, time, as_of, canonical, hash, parts }
        };
        records.iter().map(record).collect()
    }

    #[test]
    fn records_come_back_also_of_joined_batches() {
        let mut joined = NewRecords::default();
        assert!(joined.is_empty() && joined.last().is_none());
        for numbers in [1..=4, 5..=5, 6..=11] {
            let new = NewRecords::of(&records(numbers.clone()));
            assert_eq!(read(&new), records(numbers));
            joined.append(new);
        }
        assert_eq!(read(&joined), records(1..=11));
        assert_eq!((joined.len(), joined.last().map(|last| last.head.seq)), (11, Some(11)));
    }
}
