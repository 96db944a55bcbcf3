//! Wishes to look at one object: what an event leaves open, and what the bus does not tell although it was seen to be asked for.
//!
//! A wish is no duty: it is lost by a crash, by too many others, and where nobody may ask the API; the next read of the whole shows what
//! it would have shown. So wishes are no part of the state. The answer comes back as [`Looked`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::differences::{ReadDifferences, ReadStep};
use super::held::Portion;
use super::reading::{ReadRun, differences};
use super::{Engine, Output};
use crate::event::{AccessCall, Change, Event, Kind, Object, Outcome, Rule};
use crate::ids::Id;
use crate::model::{CloudModel, TAGS, each_shown};
use crate::time::Timestamp;

/// The most wishes without an answer; further ones are not made. Each is a request to the API, which is asked a few times a second.
pub const LOOKS_PENDING_MAX: usize = 1_000;

/// After how long a wish that was not answered may be made again.
pub const LOOK_AGAIN_SECONDS: i64 = 900;

/// A wish that one object be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// The region to ask.
    pub region: Option<Arc<str>>,
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Id,
    /// The record that led to the wish.
    pub cause: u64,
    /// Why.
    pub why: LookWhy,
}

/// Why an object is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LookWhy {
    /// A port or a rule names a security group that nobody described.
    UnknownGroup,
    /// A rule names an address group that nobody described.
    UnknownAddressGroup,
    /// A router's interface, a floating IP or a forwarding names a port that nobody described.
    UnknownPort,
    /// An API call was seen that changes the object without its body on the bus.
    SilentAction,
    /// Something was said of it that a read seems to contradict, unless the clocks differ.
    UnsureClock,
}

/// The answer of the API about single objects.
#[derive(Debug)]
pub struct Looked {
    /// The region.
    pub region: Option<Arc<str>>,
    /// The time just before the API was asked.
    pub at: Timestamp,
    /// The record that led to the look.
    pub cause: Option<u64>,
    /// The objects, as it shows them.
    pub objects: Vec<Object>,
    /// The text of each object, as the journal will have it; empty where nobody keeps one.
    pub lines: Vec<Box<[u8]>>,
    /// Objects that it says are not there.
    pub absent: Vec<(Kind, Id)>,
}

/// Wishes that have no answer yet, with when each was made.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    pending: BTreeMap<(Option<Arc<str>>, Kind, Id), Timestamp>,
}

impl Wishes {
    /// Forgets the wishes of a region: all of it was read.
    pub(super) fn forget(&mut self, region: &Option<Arc<str>>) {
        self.pending.retain(|(of, ..), _| of != region);
    }

    /// Whether the wish is to be made now.
    fn begin(&mut self, now: Timestamp, look: &Look) -> bool {
        let key = (look.region.clone(), look.kind, look.id.clone());
        let is_waiting = |made: &Timestamp| now < made.plus_seconds(LOOK_AGAIN_SECONDS);
        if self.pending.get(&key).is_some_and(is_waiting) {
            return false;
        }
        if self.pending.len() >= LOOKS_PENDING_MAX {
            self.pending.retain(|_, made| is_waiting(made));
        }
        let has_room = self.pending.len() < LOOKS_PENDING_MAX;
        if has_room {
            self.pending.insert(key, now);
        }
        has_room
    }
}

impl Engine {
    /// Whether a look was wished that is not answered, or was answered with nothing and is not wished again for a while. Whoever goes on after a
    /// restart knows nothing of that.
    pub fn has_wishes(&self) -> bool {
        !self.wishes.pending.is_empty()
    }

    /// Wishes a look, unless it is wished already.
    pub(super) fn wish(&mut self, now: Timestamp, look: Look, out: &mut Output) {
        if self.wishes.begin(now, &look) {
            out.looks.push(look);
        }
    }

    /// Takes what the API said of single objects.
    pub(super) fn looked(&mut self, now: Timestamp, looked: Looked, out: &mut Output) {
        let Looked { region, at, cause, objects, lines, absent } = looked;
        let shown = objects.iter().filter_map(|object| Some((object.kind(), object.id()?.clone())));
        // What is not there stays asked for a while: else each message that names it would ask again.
        for (kind, id) in shown {
            self.wishes.pending.remove(&(region.clone(), kind, id));
        }
        let run = ReadRun { id: None, region, at, exact: true, actor: None };
        let cloud = self.clouds.get(&run.region);
        // Of what is as it is known that it was so is all there is to say; merging what differs says it too.
        let mut confirmed = Vec::new();
        for object in
            objects.iter().filter(|object| cloud.is_some_and(|cloud| !cloud.differs(at, true, object)))
        {
            each_shown(object, &mut |kind, id, given| {
                if cloud.is_some_and(|cloud| cloud.is_confirmed_by(kind, id, at)) {
                    confirmed.push((kind, id.clone(), given));
                }
            });
        }
        let mut gone = absent;
        {
            let was_shown = self.shown_later(&run);
            let is_news = |kind, id: &Id| cloud.is_some_and(|cloud| cloud.is_absence_news(kind, id, at));
            gone.retain(|(kind, id)| is_news(*kind, id) && !was_shown(*kind, id));
        }
        let shown = self.differing(&run, objects, lines);
        if shown.is_empty() && gone.is_empty() && confirmed.is_empty() {
            return;
        }
        let part = differences(run, Portion { shown, gone }, ReadStep::Looked);
        self.merge_differences(now, ReadDifferences { confirmed, cause, ..part }, out);
    }
}

/// What an event leaves open in a cloud that has taken it.
pub(super) fn open_questions(cloud: &CloudModel, event: &Event) -> Vec<(Kind, Id, LookWhy)> {
    let mut found = Vec::new();
    match &event.change {
        Change::Objects { objects, .. } => {
            for object in objects {
                open_in(cloud, object, &mut found);
            }
        }
        Change::Interface(interface) if interface.attached && !cloud.has_addresses(&interface.port_id) => {
            found.push((Kind::Port, interface.port_id.clone(), LookWhy::UnknownPort));
        }
        Change::Access(call) if call.response && event.outcome == Outcome::Success => {
            found.extend(silent_target(call).map(|(kind, id)| (kind, id, LookWhy::SilentAction)));
        }
        Change::Activity(activity) if activity.done && activity.action.ends_with(TAG_ACTION) => {
            found.extend(tagged_target(event).map(|(kind, id)| (kind, id, LookWhy::SilentAction)));
        }
        _ => {}
    }
    found
}

fn open_in(cloud: &CloudModel, object: &Object, found: &mut Vec<(Kind, Id, LookWhy)>) {
    let mut ask = |kind: Kind, id: Option<&Id>, why: LookWhy| {
        if let Some(id) = id.filter(|id| !cloud.knows(kind, id) && !cloud.is_dead(kind, id)) {
            found.push((kind, id.clone(), why));
        }
    };
    match object {
        Object::Rule(rule) => ask_of_rule(rule, &mut ask),
        Object::SecurityGroup(group) => {
            group.rules.iter().flatten().for_each(|rule| ask_of_rule(rule, &mut ask));
        }
        Object::FloatingIp(floating) => ask(Kind::Port, said(&floating.port_id), LookWhy::UnknownPort),
        Object::Forwarding(forwarding) => {
            ask(Kind::Port, forwarding.internal_port_id.as_ref(), LookWhy::UnknownPort);
        }
        _ => {}
    }
}

fn ask_of_rule(rule: &Rule, ask: &mut impl FnMut(Kind, Option<&Id>, LookWhy)) {
    ask(Kind::AddressGroup, said(&rule.remote_address_group_id), LookWhy::UnknownAddressGroup);
    ask(Kind::SecurityGroup, said(&rule.remote_group_id), LookWhy::UnknownGroup);
}

/// What a field names, where it was said and is not null.
fn said(field: &Option<Option<Id>>) -> Option<&Id> {
    field.as_ref().and_then(Option::as_ref)
}

/// Member actions of the network service that the bus does not tell. Each is the last word of a path whose object it changes.
const SILENT_ACTIONS: [&str; 13] = [
    "add_addresses",
    "remove_addresses",
    "add_subports",
    "remove_subports",
    "add_extraroutes",
    "remove_extraroutes",
    "add_external_gateways",
    "update_external_gateways",
    "remove_external_gateways",
    "insert_rule",
    "remove_rule",
    "add_prefixes",
    "remove_prefixes",
];

/// The object that a successful call has changed in silence, by its path: `…/address-groups/ID/add_addresses`,
/// `…/floatingips/ID/port_forwardings…`, `…/ports/ID/tags…`; whatever stands before the collection.
fn silent_target(call: &AccessCall) -> Option<(Kind, Id)> {
    if call.status.is_some_and(|status| !(200..300).contains(&status)) || is_reading(&call.action) {
        return None;
    }
    let path = call.path.split(['?', '#']).next().unwrap_or_default();
    let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
    words.windows(3).rev().find_map(|words| {
        let [collection, id, action] = words else { return None };
        let action = action.strip_suffix(".json").unwrap_or(action).replace('-', "_");
        let kind = collection.replace('-', "_");
        let kind = Kind::ALL.into_iter().find(|known| known.plural() == kind)?;
        let is_silent = SILENT_ACTIONS.contains(&&*action)
            || (kind == Kind::FloatingIp && action == Kind::Forwarding.plural())
            || (HAVE_TAGS.contains(&kind) && action == TAGS);
        (is_silent && is_id(id)).then(|| (kind, Id::new(id)))
    })
}

/// How the names of what is done to tags end, as `decode` has them.
const TAG_ACTION: &str = "_tag";
/// The kinds whose tags the model keeps.
const HAVE_TAGS: [Kind; 3] = [Kind::Port, Kind::SecurityGroup, Kind::FloatingIp];

/// The object whose tags a message says were changed: it tells one tag or the list as it was sent, and which is true is what the API says.
fn tagged_target(event: &Event) -> Option<(Kind, Id)> {
    let target = event.target.as_ref()?;
    let kind = HAVE_TAGS.into_iter().find(|kind| kind.plural() == target.kind)?;
    let id = target.id.as_ref()?;
    is_id(&id.text()).then(|| (kind, id.clone()))
}

/// Whether this may be the id of an object. It comes from whoever made the call, and goes into the path of a request that osel makes with
/// its own credentials: nothing may stand in it that a path gives a meaning to.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=ID_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_plain)
}

/// The longest id in a path that is looked at: the network service's are UUIDs; more than the longest of its columns is none.
const ID_BYTES_MAX: usize = 64;

/// CADF's words for reading, and those of HTTP.
fn is_reading(action: &str) -> bool {
    let first = action.split('/').next().unwrap_or_default();
    ["read", "get", "head", "options"].contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(action: &str, path: &str, status: Option<u16>, wanted: Option<(Kind, &str)>) {
        let call = AccessCall {
            response: true,
            correlation: None,
            action: action.into(),
            path: path.into(),
            type_uri: "service/network".into(),
            status,
        };
        let wanted = wanted.map(|(kind, id)| (kind, Id::new(id)));
        assert_eq!(silent_target(&call), wanted, "{action} {path} {status:?}");
    }

    #[test]
    fn silent_actions_are_read_from_paths_of_any_form() {
        let group = Some((Kind::AddressGroup, "a1"));
        check("update/add_addresses", "/v2.0/address-groups/a1/add_addresses", Some(200), group);
        check("update", "/network/v2.0/address-groups/a1/remove_addresses.json?x=1", Some(200), group);
        check("update", "//address_groups/a1//add_addresses/#x", None, group);
        check("update", "/v2.0/address-groups/a1/add_addresses", Some(409), None);
        check("update", "/v2.0/address-groups/a1", Some(200), None);
        check("update", "/v2.0/address-groups/add_addresses", Some(200), None);
        check("update", "/v2.0/trunks/t/add_subports", Some(200), Some((Kind::Trunk, "t")));
        check("update", "/v2.0/routers/r/add_extraroutes", Some(200), Some((Kind::Router, "r")));
        check("update", "/routers/r/update_external_gateways", Some(200), Some((Kind::Router, "r")));
        let port = Some((Kind::Port, "p"));
        check("update/tags", "/v2.0/ports/p/tags", Some(200), port);
        check("update", "/v2.0/ports/p/tags/web", Some(201), port);
        check("delete", "/v2.0/ports/p/tags/web.json", Some(204), port);
        check("delete", "/v2.0/security-groups/g/tags", Some(204), Some((Kind::SecurityGroup, "g")));
        check("read", "/v2.0/ports/p/tags", Some(200), None);
        check("update", "/v2.0/networks/n/tags", Some(200), None);
        let floating = Some((Kind::FloatingIp, "f"));
        check("create", "/v2.0/floatingips/f/port_forwardings", Some(201), floating);
        check("delete", "/v2.0/floatingips/f/port_forwardings/p", Some(204), floating);
        check("read/list", "/v2.0/floatingips/f/port_forwardings", Some(200), None);
        check("get", "/v2.0/floatingips/f/port_forwardings", Some(200), None);
        check("update", "/v2.0/flavors/f/add_addresses", Some(200), None);
        check("update", "", Some(200), None);
        let long = format!("/v2.0/trunks/{}/add_subports", "x".repeat(ID_BYTES_MAX + 1));
        check("update", &long, Some(200), None);
        for id in ["..", ".", "%2e%2e", "a;b", "a%2Fb", "a b", "ä"] {
            check("create", &format!("/v2.0/floatingips/{id}/port_forwardings"), Some(201), None);
        }
    }
}
