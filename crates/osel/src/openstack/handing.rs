//! Hands objects over in pages of a size that is worked on quickly, never further ahead than whoever takes them follows.

use std::collections::BTreeSet;
use std::sync::Arc;

use osel_core::decode::ItemPage;
use tokio::sync::Semaphore;

use super::driver::Tell;
use super::words::{ApiEvent, Ticket};

/// How many objects are handed over at once: a step of a few milliseconds for whoever takes them.
pub const PAGE_OBJECTS: usize = 1000;
/// What an order hands over, page by page.
pub(super) struct Pages {
    tell: Tell,
    ticket: Ticket,
    /// One permit for each page that may still be ahead of whoever takes them.
    credits: Arc<Semaphore>,
    page: ItemPage,
    /// Collections of which an object could not be read.
    unreadable: BTreeSet<&'static str>,
}

impl Pages {
    pub(super) fn new(tell: Tell, ticket: Ticket, credits: Arc<Semaphore>) -> Self {
        Self { tell, ticket, credits, page: ItemPage::default(), unreadable: BTreeSet::new() }
    }

    /// Adds objects of a collection and hands over what is full.
    pub(super) async fn add(&mut self, collection: &'static str, objects: Vec<String>) {
        for object in objects {
            if let Some(Err(defect)) = self.page.push(collection, &object) {
                // Once is enough for the log; how many there are is in the service's own.
                if self.unreadable.insert(collection) {
                    tracing::warn!(collection, %defect, "an object of the API cannot be read");
                }
            }
            if self.page.items.len() >= PAGE_OBJECTS {
                self.hand_over().await;
            }
        }
    }

    /// Hands over what there is.
    pub(super) async fn hand_over(&mut self) {
        if self.page.items.is_empty() {
            return;
        }
        // The semaphore is never closed; if it were, nobody would count pages.
        if let Ok(permit) = self.credits.acquire().await {
            permit.forget();
        }
        let page = std::mem::take(&mut self.page);
        self.tell(ApiEvent::Page { ticket: self.ticket, page });
    }

    /// Tells something of the order.
    pub(super) fn tell(&self, event: ApiEvent) {
        (self.tell)(event);
    }

    /// The order.
    pub(super) fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Whether every object of a collection could be read.
    pub(super) fn is_readable(&self, collection: &str) -> bool {
        !self.unreadable.contains(collection)
    }
}
