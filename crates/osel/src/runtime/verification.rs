//! Walking a store's trail: every record against its chain, its parts and the columns it is found by.

use std::ops::ControlFlow;

use osel_core::trail::{
    Bad, Canonical, NotedHead, PartClass, StoredContent, StoredPart, StoredRecord, Verifier,
};

use crate::store::{self, JournalError, PartContent, Place, Reader};

/// What verification found.
#[derive(Debug)]
pub enum Finding {
    /// Nothing bad.
    Good {
        /// How many records there are.
        records: u64,
        /// The head, to be noted elsewhere.
        head: NotedHead,
        /// What parts were there, in words.
        parts: String,
    },
    /// Something bad.
    Bad {
        /// The first bad record.
        seq: u64,
        /// What is wrong with it.
        why: String,
    },
}

/// Walks the trail of a store.
///
/// # Errors
/// When the store cannot be read; damage that the trail explains is a finding, not an error.
pub fn verify(
    reader: &mut dyn Reader,
    noted: Option<NotedHead>,
    step: &mut dyn FnMut(),
) -> Result<Finding, JournalError> {
    let head = reader.head()?;
    let mut verifier = Verifier::new(noted);
    let mut bad: Option<(u64, String)> = None;
    let mut last = 0;
    let mut payloads = Payloads::default();
    // Two readers would see two moments: entries are fetched between pages of records.
    const PAGE: u64 = 1000;
    let mut from = 1;
    while bad.is_none() {
        let mut page = Vec::new();
        let read = reader.records(from..=from + PAGE - 1, &mut |record| {
            page.push(record);
            ControlFlow::Continue(())
        });
        let page_len = page.len();
        for record in page {
            step();
            last = record.seq;
            if let Err(found) = payloads.push(reader, &mut verifier, &record)? {
                bad = Some(found);
                break;
            }
        }
        if bad.is_none()
            && let Err(error) = read
        {
            match error.place() {
                Some(Place::Record(seq)) => bad = Some((seq, error.to_string())),
                _ => return Err(error),
            }
        }
        if page_len == 0 {
            break;
        }
        from = last + 1;
    }
    if let Some((seq, why)) = bad {
        return Ok(Finding::Bad { seq, why });
    }
    Ok(match verifier.finish() {
        Err(Bad { seq, why }) => Finding::Bad { seq, why: why.to_string() },
        Ok(verified) if verified.head.seq != head.seq || verified.head.hash.0 != head.hash => Finding::Bad {
            seq: verified.head.seq.min(head.seq) + 1,
            why: format!(
                "the store says that its last record is {}, found is {}",
                head.seq, verified.head.seq
            ),
        },
        Ok(verified) => Finding::Good {
            records: verified.records,
            head: verified.head.noted(),
            parts: verified.parts.to_string(),
        },
    })
}

/// Records are found by columns that no hash covers: they must say what the canonical bytes say.
fn columns_fit(record: &store::StoredRecord) -> Result<(), String> {
    // Bytes that cannot be read are the verifier's to name.
    let Ok(canonical) = Canonical::read(&record.canonical) else { return Ok(()) };
    let header = canonical.header;
    let fits = [
        ("kind", header.kind.code() == record.kind),
        ("time", header.time == record.time),
        ("as_of", header.as_of == record.as_of),
    ];
    match fits.into_iter().find(|(_, fits)| !fits) {
        Some((column, _)) => {
            Err(format!("its column `{column}` says something else than its canonical bytes"))
        }
        None => Ok(()),
    }
}

/// The entries whose bodies are parts of records, one page at a time.
#[derive(Default)]
struct Payloads {
    first: u64,
    bodies: Vec<(u64, Option<Vec<u8>>)>,
}

impl Payloads {
    /// How many entries are fetched at once; a block of the journal holds as many.
    const PAGE: u64 = 512;

    fn push(
        &mut self,
        reader: &mut dyn Reader,
        verifier: &mut Verifier,
        record: &store::StoredRecord,
    ) -> Result<Result<(), (u64, String)>, JournalError> {
        if let Err(why) = columns_fit(record) {
            return Ok(Err((record.seq, why)));
        }
        let in_entry = record.parts.iter().any(|part| part.content == PartContent::InEntry);
        let payload = if in_entry {
            match self.body(reader, record.entry) {
                Ok(body) => body,
                Err(error) if error.place().is_some() => return Ok(Err((record.seq, error.to_string()))),
                Err(error) => return Err(error),
            }
        } else {
            None
        };
        let mut parts = Vec::new();
        for part in &record.parts {
            let Some(class) = PartClass::from_code(part.class) else {
                return Ok(Err((record.seq, format!("a part has the unknown class {}", part.class))));
            };
            let bytes = match &part.content {
                PartContent::Bytes(bytes) => Some(bytes.as_slice()),
                PartContent::InEntry => payload.as_deref(),
                PartContent::Gone => None,
            };
            let content = match bytes {
                Some(bytes) => StoredContent::Present { salt: &part.salt, bytes },
                None => StoredContent::Missing,
            };
            parts.push(StoredPart { class, project: part.project.as_deref(), content });
        }
        let stored = StoredRecord {
            seq: record.seq,
            canonical: &record.canonical,
            hash: Some(&record.hash),
            parts: &parts,
        };
        Ok(match verifier.push(&stored) {
            Ok(_) => Ok(()),
            Err(Bad { seq, why }) => Err((seq, why.to_string())),
        })
    }

    /// The body of an entry; none when it was erased.
    fn body(&mut self, reader: &mut dyn Reader, number: u64) -> Result<Option<Vec<u8>>, JournalError> {
        if self.bodies.is_empty() || number < self.first || number >= self.first + Self::PAGE {
            self.first = number;
            self.bodies.clear();
            let bodies = &mut self.bodies;
            let read = reader.entries(number..=number + Self::PAGE - 1, &mut |entry| {
                bodies.push((entry.number, (!entry.erased).then_some(entry.body)));
                ControlFlow::Continue(())
            });
            if let Err(error) = read
                && self.bodies.iter().all(|(found, _)| *found != number)
            {
                self.first = 0;
                self.bodies.clear();
                return Err(error);
            }
        }
        match self.bodies.iter().position(|(found, _)| *found == number) {
            Some(at) => Ok(self.bodies[at].1.clone()),
            // An entry that is not there has no bytes that fit: the part's commitment will say so.
            None => Ok(Some(Vec::new())),
        }
    }
}
