//! The terms of a record, each with the class of the part that it comes from.
//!
//! The sentence is made of several parts. A word of it belongs to the part without which it is not there, so that a name leaves the index
//! with the part that has it; and the words are those of every sentence that the record can have while some of its parts are gone.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::row::permission_term;
use super::term::{Field, HEADER_CLASS, TERM_BYTES_MAX, address_term, fold, hour, net_term};
use crate::engine::record::{PersonalPart, Record, sentence};
use crate::trail::PartClass;

/// The most bytes that the terms of one record may have together: some thousand addresses. One with more is unlisted, which means that it
/// is looked at whatever is looked for.
pub const RECORD_BYTES_MAX: usize = 64 << 10;

const BODY: u8 = PartClass::Body as u8;
const PERSONAL: u8 = PartClass::Personal as u8;
const EXPOSURE: u8 = PartClass::Exposure as u8;

/// Collects terms until there are too many.
struct Collected {
    terms: BTreeSet<(u8, Vec<u8>)>,
    bytes: usize,
    fits: bool,
}

impl Collected {
    fn add(&mut self, class: u8, term: Vec<u8>) {
        let bytes = self.bytes + term.len();
        if term.len() > TERM_BYTES_MAX || bytes > RECORD_BYTES_MAX {
            self.fits = false;
        } else if self.terms.insert((class, term)) {
            self.bytes = bytes;
        }
    }

    fn text(&mut self, class: u8, field: Field, value: Option<&str>) {
        if let Some(value) = value {
            self.add(class, field.term(value.as_bytes()));
        }
    }

    fn name(&mut self, class: u8, field: Field, value: Option<&str>) {
        self.text(class, field, value.map(fold).as_deref());
    }

    /// The words of a sentence that no class before has.
    fn words(&mut self, class: u8, before: &[u8], sentence: &str) {
        for word in sentence.to_lowercase().split_whitespace() {
            let term = Field::of_word(word).term(word.as_bytes());
            if !before.iter().any(|before| self.terms.contains(&(*before, term.clone()))) {
                self.add(class, term);
            }
        }
    }
}

/// The terms of a record in the order of their classes and bytes; one that has more than fit has the term of those that are unlisted, and
/// what the header says.
pub fn terms(mut record: Record) -> impl Iterator<Item = (u8, Vec<u8>)> {
    let mut found = Collected { terms: BTreeSet::new(), bytes: 0, fits: true };
    found.add(HEADER_CLASS, Field::Kind.term(&[record.header.kind.code()]));
    found.add(HEADER_CLASS, Field::Hour.term(&hour(record.header.time)));
    body(&record, &mut found);
    personal(&record, &mut found);
    exposure(&record, &mut found);
    if !record.missing.contains(&PartClass::Body) {
        sentences(&mut record, &mut found);
    }
    if !found.fits {
        found.terms.retain(|(class, _)| *class == HEADER_CLASS);
        found.terms.insert((HEADER_CLASS, unlisted()));
    }
    found.terms.into_iter()
}

/// The term of records whose terms are not all there.
pub(super) fn unlisted() -> Vec<u8> {
    Field::Unlisted.term(&[])
}

fn body(record: &Record, found: &mut Collected) {
    let body = &record.body;
    let mut id = |field: Field, id: Option<&crate::ids::Id>| {
        if let Some(id) = id {
            id.with_text(|text| found.text(BODY, field, Some(text)));
        }
    };
    let target = body.target.as_ref();
    id(Field::UserId, body.user_id.as_ref());
    id(Field::ProjectId, body.project_id.as_ref());
    id(Field::ProjectId, target.and_then(|target| target.project_id.as_ref()));
    id(Field::TargetId, target.and_then(|target| target.id.as_ref()));
    id(Field::RequestId, body.request_id.as_ref());
    found.name(BODY, Field::ProjectName, body.project_name.as_deref());
    found.name(BODY, Field::TargetName, target.and_then(|target| target.name.as_deref()));
    found.text(BODY, Field::EventType, body.event_type.as_deref());
    found.text(BODY, Field::MessageId, body.message_id.as_deref());
    if !record.missing.contains(&PartClass::Body) {
        found.text(BODY, Field::Outcome, Some(outcome(record)));
    }
    if let Some(cause) = body.cause {
        found.add(BODY, Field::Cause.term(&cause.to_be_bytes()));
    }
}

/// How it went, as documents say it.
pub(super) fn outcome(record: &Record) -> &str {
    if record.body.outcome.is_empty() { "unknown" } else { &record.body.outcome }
}

fn personal(record: &Record, found: &mut Collected) {
    let personal = &record.personal;
    found.name(PERSONAL, Field::UserName, personal.user_name.as_deref());
    found.name(PERSONAL, Field::TargetName, personal.target_name.as_deref());
    if let Some(address) = personal.address.as_deref().and_then(|address| address.parse::<IpAddr>().ok()) {
        found.add(PERSONAL, address_term(address));
    }
}

fn exposure(record: &Record, found: &mut Collected) {
    if record.opened_count() + record.closed_count() > 0 {
        found.add(EXPOSURE, Field::Exposing.term(&[]));
    }
    if !record.wide.is_empty() {
        found.add(EXPOSURE, Field::Wide.term(&[]));
    }
    for judged in record.rows_at_hand() {
        found.add(EXPOSURE, net_term(judged.row.address));
        found.add(EXPOSURE, permission_term(&judged.row.permission));
    }
    for project in record.row_projects() {
        project.with_text(|text| found.text(EXPOSURE, Field::RowProject, Some(text)));
    }
}

/// The words of the sentence as it is, and as it is without persons, without rows, and without both.
fn sentences(record: &mut Record, found: &mut Collected) {
    let whole = sentence(record);
    let personal = std::mem::take(&mut record.personal);
    let has_persons = personal != PersonalPart::default();
    let without_persons = if has_persons { sentence(record) } else { whole.clone() };
    let rows = (
        std::mem::take(&mut record.opened),
        std::mem::take(&mut record.closed),
        std::mem::take(&mut record.wide),
    );
    let has_rows = !(rows.0.is_empty() && rows.1.is_empty() && rows.2.is_empty());
    if has_rows {
        found.words(BODY, &[], &sentence(record));
        found.words(EXPOSURE, &[BODY], &without_persons);
    } else {
        found.words(BODY, &[], &without_persons);
    }
    if has_persons {
        record.personal = personal;
        if has_rows {
            found.words(PERSONAL, &[BODY], &sentence(record));
        }
        found.words(PERSONAL, &[BODY, EXPOSURE], &whole);
    }
}
