//! Lists, page by page, as they come: a page ends with its marker, a list with a page that names no next one.
//!
//! Of a link to the next page only the marker is taken: its host is the server's own, as it sees itself. What stops midway goes on
//! behind the last object that came; when that object is gone by then, the list begins again. Objects may so come twice, and none is
//! left out that was there all the time.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};

use super::catalog::Service;
use super::client::{Client, ReadError};
use super::cut::Cutter;
use super::neutron::encoded;
use crate::http::{Answer, without_login};

/// How many objects a page has. Neutron needs some seconds for a thousand ports, within what its proxies allow.
pub(super) const LIMIT: usize = 1000;
/// How often the same page is asked for.
const TRIES_MAX: u32 = 4;
/// What is waited before the second try; each further wait is twice as long.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// Longer than this is not waited within a read: whoever ordered it has a plan of their own.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long the same page is tried: one that does not come in this time would keep whoever waits from hearing of anything.
const TRYING_TIME_MAX: Duration = Duration::from_mins(2);
/// How often a list begins anew because its marker is gone: a cloud in which that happens four times is too busy to be read now.
const RESTARTS_MAX: u32 = 3;
/// The most objects and pages of one list: an endless one has to end somewhere, far beyond any cloud.
const OBJECTS_MAX: u64 = 50_000_000;
/// The most pages in a row without an object: as many as would hide [`OBJECTS_MAX`] objects from this account.
const EMPTY_PAGES_MAX: u64 = OBJECTS_MAX / LIMIT as u64;

/// What is said of a list that ends with a mark that there is more.
pub(super) const CUT: &str = "the service left a part of it out";

/// A list to be read.
#[derive(Clone, Debug)]
pub(super) struct List {
    pub(super) service: Service,
    pub(super) path: String,
    /// The key in the answer.
    pub(super) key: &'static str,
    /// What is asked for besides the page.
    pub(super) query: String,
}

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more.
    More,
    /// That was all; `is_cut` when the server says that it left something out.
    End {
        /// Whether it did.
        is_cut: bool,
    },
}

/// Reads one list.
pub(super) struct Lister {
    list: List,
    marker: Option<String>,
    /// The answer that is being read.
    open: Option<(Answer, String, Cutter)>,
    /// The last object of the page that is being read.
    last: String,
    tries: u32,
    restarts: u32,
    objects: u64,
    /// Pages since the list began.
    pages: u64,
    /// The last of them, as far as they had no object.
    empty_pages: u64,
    /// The marker of some page before: who comes to it again goes in a circle.
    landmark: Option<String>,
}

#[derive(Deserialize)]
struct Link {
    #[serde(default)]
    rel: String,
    #[serde(default)]
    href: String,
}

impl Lister {
    pub(super) fn new(list: List) -> Self {
        let last = String::new();
        Self {
            list,
            marker: None,
            open: None,
            last,
            tries: 0,
            restarts: 0,
            objects: 0,
            pages: 0,
            empty_pages: 0,
            landmark: None,
        }
    }

    /// Reads on until something came or the page ends; objects are added.
    pub(super) async fn step(
        &mut self,
        client: &mut Client,
        objects: &mut Vec<String>,
    ) -> Result<Step, ReadError> {
        let begun = Instant::now();
        loop {
            match self.try_step(client, objects).await {
                Ok(step) => return Ok(step),
                Err(error) if self.marker.as_ref().is_some_and(|marker| error.is_marker_gone(marker)) => {
                    self.restarts += 1;
                    if self.restarts > RESTARTS_MAX {
                        let base = client.url(self.list.service).unwrap_or_default();
                        let url = without_login(&format!("{base}/{}", self.list.path));
                        return Err(ReadError::Restless { url });
                    }
                    (self.marker, self.open) = (None, None);
                    (self.pages, self.empty_pages, self.landmark) = (0, 0, None);
                    self.last.clear();
                }
                Err(error) => {
                    self.tries += 1;
                    let wait = match &error {
                        ReadError::Throttled { retry_after: Some(said), .. } => *said,
                        _ => RETRY_WAIT * 2_u32.saturating_pow(self.tries - 1),
                    };
                    let is_late = wait > RETRY_WAIT_MAX || begun.elapsed() + wait > TRYING_TIME_MAX;
                    if !error.is_passing() || self.tries >= TRIES_MAX || is_late {
                        return Err(error);
                    }
                    self.go_back();
                    sleep(wait).await;
                }
            }
        }
    }

    /// To where a page is to be asked for again: behind the last object of it that came. A page of which none came begins where it began,
    /// be that behind many empty ones: to go back before them would be to come round to them again.
    fn go_back(&mut self) {
        self.open = None;
        if let Some(last) = id(&self.last) {
            self.marker = Some(last);
        }
    }

    async fn try_step(&mut self, client: &mut Client, objects: &mut Vec<String>) -> Result<Step, ReadError> {
        let (answer, url, cutter) = match &mut self.open {
            Some(open) => open,
            None => {
                let marker = self.marker.as_deref().map(|marker| format!("&marker={}", encoded(marker)));
                let List { service, path, key, query } = &self.list;
                let and = if query.is_empty() { "" } else { "&" };
                let path = format!("{path}?{query}{and}limit={LIMIT}{}", marker.unwrap_or_default());
                let (answer, url) = client.get(*service, &path).await?;
                self.open.insert((answer, url, Cutter::new(key)))
            }
        };
        let Some(piece) = answer.piece().await? else {
            let Some((_, url, cutter)) = self.open.take() else { return Ok(Step::More) };
            return self.page_end(url, cutter);
        };
        let before = objects.len();
        let fed = cutter.feed(&piece, |json| objects.push(json.to_owned()));
        if let Some(last) = objects[before..].last() {
            self.last.clone_from(last);
        }
        self.objects += (objects.len() - before) as u64;
        fed.map_err(|error| ReadError::cut(url.clone(), error))?;
        if self.objects > OBJECTS_MAX {
            return Err(ReadError::Endless { url: url.clone(), objects: self.objects });
        }
        Ok(Step::More)
    }

    fn page_end(&mut self, url: String, cutter: Cutter) -> Result<Step, ReadError> {
        let frame: Map<String, Value> = cutter.end().map_err(|error| ReadError::cut(url.clone(), error))?;
        // Before the page counts as read: one that is asked for again and again must come to an end.
        let next = next_link(&frame, self.list.key);
        let next =
            next.map_err(|error| ReadError::NotUnderstood { url: url.clone(), source: Some(error.into()) })?;
        self.tries = 0;
        self.empty_pages = if self.last.is_empty() { self.empty_pages + 1 } else { 0 };
        self.last.clear();
        let Some(next) = next else {
            let is_cut = frame.get("truncated").and_then(Value::as_bool).unwrap_or(false);
            return Ok(Step::End { is_cut });
        };
        // A next page without a marker is the first one again: the list would look as if it had ended. An empty page with a next one is
        // none of that: policies leave out objects of pages that were made before.
        let is_new =
            |marker: &String| self.marker.as_ref() != Some(marker) && self.landmark.as_ref() != Some(marker);
        match marker(&next).filter(is_new) {
            Some(marker) if self.objects + self.pages < OBJECTS_MAX && self.empty_pages < EMPTY_PAGES_MAX => {
                self.pages += 1;
                // Brent's way to find a circle: the landmark is moved rarely enough that any circle comes round to it.
                if self.pages.is_power_of_two() {
                    self.landmark = Some(marker.clone());
                }
                self.marker = Some(marker);
                Ok(Step::More)
            }
            _ => Err(ReadError::Endless { url, objects: self.objects }),
        }
    }

    /// Whether an answer is being read: between two pages none is.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }
}

/// The link to the next page: Neutron's `ports_links` are a list, Keystone's `links` a table. Links that cannot be understood may lead on:
/// without an error the list would look as if it had ended.
fn next_link(frame: &Map<String, Value>, key: &str) -> Result<Option<String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Table {
        #[serde(default)]
        next: Option<String>,
    }
    if let Some(links) = frame.get(&format!("{key}_links")).filter(|links| !links.is_null()) {
        let links = Vec::<Link>::deserialize(links)?;
        if let Some(next) = links.into_iter().find(|link| link.rel == "next") {
            return Ok(Some(next.href));
        }
    }
    let table = frame.get("links").filter(|links| !links.is_null()).map(Table::deserialize).transpose()?;
    Ok(table.and_then(|table| table.next))
}

/// The marker in a link.
fn marker(link: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    let (_, marker) = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "marker")?;
    Some(marker.into_owned()).filter(|marker| !marker.is_empty())
}

/// An object's id.
pub(super) fn id(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        id: String,
    }
    serde_json::from_str::<Told>(json).ok().map(|told| told.id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_marker_of_a_link_counts() {
        let read = |frame: Value| next_link(frame.as_object().expect("a table"), "ports");
        let next = |frame: Value| read(frame).unwrap().map(|link| marker(&link));
        let link = |rel: &str, href: &str| json!({"ports": [], "ports_links": [{"rel": rel, "href": href}]});
        let found = |marker: &str| Some(Some(marker.to_owned()));
        assert_eq!(next(link("next", "http://elsewhere/v2.0/ports?limit=2&marker=a%2Fb")), found("a/b"));
        assert_eq!(next(link("previous", "http://h/?marker=a")), None);
        assert_eq!(next(json!({"links": {"next": "http://h/v3/users?marker=u", "self": "x"}})), found("u"));
        assert_eq!(next(json!({"links": {"next": null}})), None);
        // There is a next page, and no way to it: that is not the end.
        assert_eq!(next(link("next", "http://h/")), Some(None));
        assert_eq!(next(link("next", "http://h/?marker=")), Some(None));
        // Nobody can say that these lead nowhere.
        assert!(read(json!({"ports_links": "text"})).is_err());
        assert!(read(json!({"ports_links": [{"rel": "next", "href": 7}]})).is_err());
        assert!(read(json!({"links": {"next": {"href": "http://h/v3/users?marker=u"}}})).is_err());
    }

    fn next_page(lister: &mut Lister, marker: &str) -> Result<Step, ReadError> {
        let link = json!({"rel": "next", "href": format!("http://h/?marker={marker}")});
        let mut cutter = Cutter::new("ports");
        cutter.feed(json!({"ports": [], "ports_links": [link]}).to_string().as_bytes(), |_| {}).unwrap();
        lister.page_end("u".to_owned(), cutter)
    }

    fn lister() -> Lister {
        let (service, path, query) = (Service::Network, "ports".to_owned(), String::new());
        Lister::new(List { service, path, key: "ports", query })
    }

    /// An administrator's policy may hide thousands of objects in a row from this account, page by page.
    #[test]
    fn empty_pages_that_lead_on_are_followed() {
        let mut lister = lister();
        for page in 0..500 {
            assert_eq!(next_page(&mut lister, &page.to_string()).unwrap(), Step::More);
        }
    }

    /// A page that stops midway is asked for again behind what came of it. It went back to the last object that had come at all, from where
    /// the empty pages in between led to a marker that was known: as if the list went in a circle.
    #[test]
    fn a_page_that_is_asked_for_again_behind_empty_ones_begins_where_it_began() {
        let mut lister = lister();
        lister.last = json!({"id": "o1"}).to_string();
        for marker in ["o1", "a", "b"] {
            assert_eq!(next_page(&mut lister, marker).unwrap(), Step::More);
        }
        lister.go_back();
        assert_eq!(lister.marker.as_deref(), Some("b"));
        for marker in ["c", "d"] {
            assert_eq!(next_page(&mut lister, marker).unwrap(), Step::More);
        }
        lister.last = json!({"id": "o2"}).to_string();
        lister.go_back();
        assert_eq!(lister.marker.as_deref(), Some("o2"));
    }

    /// A service whose links nobody understands would be asked for the same page for ever.
    #[test]
    fn a_page_whose_links_are_not_understood_does_not_count_as_read() {
        let mut lister = lister();
        (lister.tries, lister.last) = (3, json!({"id": "o1"}).to_string());
        let mut cutter = Cutter::new("ports");
        cutter.feed(json!({"ports": [], "ports_links": "text"}).to_string().as_bytes(), |_| {}).unwrap();
        assert!(lister.page_end("u".to_owned(), cutter).is_err());
        lister.go_back();
        assert_eq!((lister.tries, lister.marker.as_deref()), (3, Some("o1")));
    }

    #[test]
    fn pages_without_end_that_show_nothing_are_an_error_and_no_end() {
        let mut lister = lister();
        lister.empty_pages = EMPTY_PAGES_MAX - 2;
        assert_eq!(next_page(&mut lister, "a").unwrap(), Step::More);
        assert!(matches!(next_page(&mut lister, "b"), Err(ReadError::Endless { .. })));
    }

    #[test]
    fn pages_that_go_round_in_a_circle_end_soon() {
        for length in 1..40 {
            let mut lister = lister();
            let read =
                (0..200).position(|page| next_page(&mut lister, &(page % length).to_string()).is_err());
            assert!(read.is_some_and(|pages| pages <= 4 * length + 2), "{length}: {read:?}");
        }
    }
}
