//! Hands objects over in pages of a size that is worked on quickly, never further ahead than whoever takes them follows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use osel_core::decode::{Defect, ItemPage};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::driver::Tell;
use super::pages::id;
use super::words::{ApiEvent, Ticket};

/// How many objects are handed over at once, a tenth of what an API is asked for at once: a step of a few milliseconds for whoever takes
/// them, also where all of them are new.
pub const PAGE_OBJECTS: usize = 100;
/// How much text is handed over at once, in bytes: a security group has its rules in it. One object with more goes by itself.
const PAGE_BYTES: usize = 128 << 10;
/// When something is handed over though the page is not full, and be it nothing: whoever waits takes a long silence for the end of the
/// driver, and what is asked for one by one, or hidden from this account, is long in coming.
const HAND_OVER_TIME: Duration = Duration::from_secs(20);

/// How much of an id that is no good one is told, in characters: those of OpenStack have 36.
const ID_CHARS_MAX: usize = 64;

/// What an order hands over, page by page.
pub(super) struct Pages {
    tell: Tell,
    ticket: Ticket,
    /// One permit for each page that may still be ahead of whoever takes them.
    credits: Arc<Semaphore>,
    page: ItemPage,
    /// Collections of which an object could not be read: which one was the first, and what is wrong with it.
    unreadable: BTreeMap<&'static str, String>,
    /// When something was handed over.
    handed: Instant,
}

impl Pages {
    pub(super) fn new(tell: Tell, ticket: Ticket, credits: Arc<Semaphore>) -> Self {
        let (page, unreadable, handed) = (ItemPage::default(), BTreeMap::new(), Instant::now());
        Self { tell, ticket, credits, page, unreadable, handed }
    }

    /// Adds objects of a collection and hands over what is full.
    pub(super) async fn add(&mut self, collection: &'static str, objects: Vec<String>) {
        for object in objects {
            if let Some(Err(defect)) = self.page.push(collection, &object) {
                // The first is enough for whoever mends it; how many there are is in the service's own log.
                self.unreadable.entry(collection).or_insert_with(|| unreadable(&object, &defect));
            }
            if self.page.items.len() >= PAGE_OBJECTS || self.page.text.len() >= PAGE_BYTES {
                self.hand_over().await;
            }
        }
    }

    /// Hands over what there is.
    pub(super) async fn hand_over(&mut self) {
        if !self.page.items.is_empty() {
            self.hand_over_now().await;
        }
    }

    /// Shows that the read goes on, if nothing did for a while.
    pub(super) async fn go_on(&mut self) {
        if self.handed.elapsed() >= HAND_OVER_TIME {
            self.hand_over_now().await;
        }
    }

    async fn hand_over_now(&mut self) {
        // The semaphore is never closed; if it were, nobody would count pages.
        if let Ok(permit) = self.credits.acquire().await {
            permit.forget();
        }
        self.handed = Instant::now();
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

    /// Which object of a collection could not be read, and what is wrong with it; nothing where all could be.
    pub(super) fn unreadable(&self, collection: &str) -> Option<String> {
        self.unreadable.get(collection).cloned()
    }

    /// The same of all collections.
    pub(super) fn all_unreadable(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.unreadable.iter().map(|(collection, why)| (*collection, why.as_str()))
    }
}

/// Which object cannot be read, and why: the place of what is wrong is told, and never its value.
fn unreadable(object: &str, defect: &Defect) -> String {
    let id =
        id(object).map(|id| id.chars().filter(|c| !c.is_control()).take(ID_CHARS_MAX).collect::<String>());
    match id {
        Some(id) => format!("`{id}`: {defect}"),
        None => format!("one without an id that can be read: {defect}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[tokio::test]
    async fn what_is_handed_over_is_small_in_number_and_in_text() {
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let tell: Tell = {
            let sizes = Arc::clone(&sizes);
            Arc::new(move |event| {
                if let ApiEvent::Page { page, .. } = event {
                    sizes.lock().unwrap().push(page.items.len());
                }
            })
        };
        let mut pages = Pages::new(tell, Ticket(1), Arc::new(Semaphore::new(10)));
        let network = |number: usize, name: &str| format!(r#"{{"id": "n{number}", "name": "{name}"}}"#);
        pages.add("networks", (0..PAGE_OBJECTS + 1).map(|number| network(number, "net")).collect()).await;
        let long = "x".repeat(PAGE_BYTES / 2);
        pages.add("networks", (0..4).map(|number| network(number, &long)).collect()).await;
        pages.hand_over().await;
        assert_eq!(*sizes.lock().unwrap(), [PAGE_OBJECTS, 3, 2]);
    }

    #[test]
    fn an_object_that_cannot_be_read_is_told_with_its_id_and_the_place_of_what_is_wrong() {
        let why = |object: &str| {
            let mut page = ItemPage::default();
            unreadable(object, &page.push("ports", object).expect("known").expect_err("it cannot be read"))
        };
        let told = why(r#"{"id": "p-1", "fixed_ips": [{"ip_address": "secret"}]}"#);
        assert!(told.starts_with("`p-1`: ") && told.ends_with("fixed_ips[0].ip_address"), "{told}");
        assert!(!told.contains("secret"), "{told}");
        assert!(why(r#"{"name": "p"}"#).starts_with("one without an id that can be read: "));
        let long = why(&format!(r#"{{"id": "{}", "admin_state_up": 3}}"#, "x".repeat(200)));
        assert!(long.starts_with(&format!("`{}`: ", "x".repeat(ID_CHARS_MAX))), "{long}");
    }

    #[tokio::test]
    async fn a_read_that_brings_nothing_for_long_is_heard_of() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell: Tell = {
            let told = Arc::clone(&told);
            Arc::new(move |event| told.lock().unwrap().push(event))
        };
        let mut pages = Pages::new(tell, Ticket(1), Arc::new(Semaphore::new(2)));
        pages.go_on().await;
        pages.hand_over().await;
        assert_eq!(told.lock().unwrap().len(), 0);
        pages.handed = Instant::now().checked_sub(HAND_OVER_TIME).unwrap();
        pages.go_on().await;
        pages.go_on().await;
        let told = told.lock().unwrap();
        assert!(matches!(&told[..], [ApiEvent::Page { page, .. }] if page.items.is_empty()));
    }
}
