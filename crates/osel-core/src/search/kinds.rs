//! Which records of a block are of which kind, by what their headers say: parts of one kind may go before those of others.

use super::page::{Bits, Malformed, entries};
use super::term::Field;

/// The terms of kinds lie before this one, with little before them.
pub const BEHIND_KINDS: &[u8] = &[Field::Kind as u8 + 1];

/// The term of a kind of record, by its code.
pub fn kind_term(kind: u8) -> Vec<u8> {
    Field::Kind.term(&[kind])
}

/// The kind that a term is of; none when it is of something else.
pub fn kind_of_term(term: &[u8]) -> Option<u8> {
    match term {
        [field, kind] if *field == Field::Kind as u8 => Some(*kind),
        _ => None,
    }
}

/// The places of the records of a kind that a page of headers' terms names.
///
/// # Errors
/// When it is no page.
pub fn of_kind(page: &[u8], kind: u8) -> Result<Bits, Malformed> {
    let mut found = Bits::new();
    let mut entries = entries(page);
    while let Some((term, places)) = entries.next_term()? {
        if kind_of_term(term) == Some(kind) {
            found |= places.read()?;
        }
    }
    Ok(found)
}
