//! The messages of records, which lie in the journal's entries, fetched a page at a time.

use std::ops::ControlFlow;

use crate::store::{JournalError, Reader};

/// The entries whose bodies are parts of records, one page at a time.
#[derive(Debug, Default)]
pub struct Payloads {
    first: u64,
    bodies: Vec<(u64, Option<Vec<u8>>)>,
}

impl Payloads {
    /// How many entries are fetched at once; a block of the journal holds as many.
    const PAGE: u64 = 512;

    /// The body of an entry; none when it was erased or has gone.
    ///
    /// # Errors
    /// When the entry is damaged or the store cannot be read.
    pub fn body(&mut self, reader: &mut dyn Reader, number: u64) -> Result<Option<Vec<u8>>, JournalError> {
        // A page may have been fetched before the entry was written.
        let is_fetched = self.bodies.last().is_some_and(|(last, _)| (self.first..=*last).contains(&number));
        if !is_fetched {
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
            // It went, by retention or by somebody's hand: whoever asks holds what is missing against what was told.
            None => Ok(None),
        }
    }
}
