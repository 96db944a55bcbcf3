//! Which records of a block may be what is asked for, by the pages of its index.

use super::page::{Bits, Malformed, entries};
use super::query::Matcher;
use super::term::{Field, TermRange};
use super::{Query, query::Condition};

/// Whoever has the pages of one part of a block.
pub trait Pages {
    /// Why they cannot be had.
    type Error;

    /// Hands over all pages of a class that can have terms of the range, in their order.
    ///
    /// # Errors
    /// When they cannot be read, or what `each` says.
    fn pages(
        &mut self,
        class: u8,
        range: &TermRange,
        each: &mut dyn FnMut(&[u8]) -> Result<(), Malformed>,
    ) -> Result<(), Self::Error>;
}

/// The places of the records that may be what is asked for: all that are, and maybe others. None where the question says nothing that an
/// index knows, so that it may be any record.
///
/// # Errors
/// When pages cannot be read, or are none.
pub fn candidates<P: Pages>(query: &Query, pages: &mut P) -> Result<Option<Bits>, P::Error> {
    let conditions = query.conditions();
    let mut found: Option<Bits> = None;
    for condition in &conditions {
        let these = any_of(condition, pages)?;
        let all = match found.take() {
            None => these,
            Some(before) => before & these,
        };
        let is_empty = all.is_empty();
        found = Some(all);
        if is_empty {
            break;
        }
    }
    let Some(mut found) = found else { return Ok(None) };
    // Whose terms are not all there is looked at in any case.
    let unlisted = Matcher::exactly(Field::Unlisted, &[]);
    collect(&unlisted, pages, &mut found)?;
    Ok(Some(found))
}

fn any_of<P: Pages>(condition: &Condition, pages: &mut P) -> Result<Bits, P::Error> {
    let mut found = Bits::new();
    for matcher in condition {
        collect(matcher, pages, &mut found)?;
    }
    Ok(found)
}

fn collect<P: Pages>(matcher: &Matcher, pages: &mut P, found: &mut Bits) -> Result<(), P::Error> {
    for &class in matcher.field.classes() {
        pages.pages(class, &matcher.range, &mut |page| {
            let mut entries = entries(page);
            while let Some((term, places)) = entries.next_term()? {
                if term >= matcher.range.to.as_slice() {
                    break;
                }
                if matcher.accepts(term) {
                    *found |= places.read()?;
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}
