//! Reads everything: the network service's lists, then the names.

use std::collections::BTreeSet;

use osel_core::event::{Kind, NameKind};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::auth::TokenScope;
use super::catalog::Service;
use super::client::{Client, ReadError, Witnesses};
use super::handing::Pages;
use super::keystone;
use super::neutron::{
    self, Collection, FORWARDINGS, FORWARDINGS_LISTED, PROJECTS, forwardings_path, of_floating_ip,
    with_forwardings, without_forwardings,
};
use super::nova;
use super::pages::{CUT, LIMIT, List, Lister, Step};
use super::view::{Proofs, View};
use super::words::{ApiEvent, Refusal};

/// How much text of forwardings is held until the floating IPs are through: a hundred thousand of them have half of it.
const FORWARDINGS_BYTES_MAX: usize = 64 << 20;
/// What is said of a collection with an object that cannot be read.
const UNREADABLE: &str = "an object of it cannot be read: what is missing from the list is not taken as gone";
/// What is said of a list that is not believed to be whole.
const UNPROVED: &str = "it showed nothing that only who sees all projects is shown";
/// What is said of the whole service when a token has no project.
const NO_PROJECT: &str =
    "everything: Neutron shows nothing to a token without a project, give the account one (project_name)";

/// How a list was read.
enum Outcome {
    /// To its end.
    Whole,
    /// Not, or not all of it, and why.
    Part(String),
}

/// Reads everything and tells it; the end is told too.
pub(super) async fn read(client: &mut Client, names: bool, mut pages: Pages) -> Result<(), ReadError> {
    let ticket = pages.ticket();
    let at = (client.shared.clock)();
    let mut refused = Vec::new();
    let mut complete = Vec::new();
    let mut has_all_assignments = false;
    let (mut witnesses, mut proofs) = (Witnesses::new(), Proofs::new());
    // What is whole is judged by one set of rights.
    client.hold_rights();
    pages.tell(ApiEvent::Began { ticket, at });
    match client.session().scope.clone() {
        TokenScope::Project(own) => {
            let mut view = View::new(&own, client.session().is_admin());
            complete = network(client, &mut view, &mut pages, &mut refused, &mut witnesses).await?;
            proofs = view.proofs();
        }
        TokenScope::Other(_) => {
            let everything = neutron::kinds().filter(|(kind, _)| neutron::is_everywhere(*kind));
            refused.extend(everything.map(|(_, list)| Refusal {
                what: list.plural.to_owned(),
                hides: NO_PROJECT,
                why: String::new(),
            }));
        }
    }
    if names {
        let of_keystone = keystone::read(client, &mut pages).await;
        refused.extend(of_keystone.refused);
        has_all_assignments = of_keystone.has_all_assignments;
        refused.extend(nova::read(client, &mut pages).await);
        let names = |what: &str| NameKind::ALL.into_iter().any(|kind| kind.plural() == what);
        for (what, why) in pages.all_unreadable().filter(|(what, _)| names(what)) {
            if !refused.iter().any(|refusal| refusal.what == what) {
                let (what, why) = (what.to_owned(), why.to_owned());
                refused.push(Refusal { what, hides: UNREADABLE, why });
            }
        }
    }
    pages.hand_over().await;
    let region = client.account.cloud.region_name.as_ref().map(|region| format!(" ({region})"));
    let url = client.url(Service::Network).unwrap_or_default();
    let origin = format!("{url}{}", region.unwrap_or_default());
    client.know_whole(&complete, witnesses, proofs);
    pages.tell(ApiEvent::Ended { ticket, complete, has_all_assignments, refused, origin });
    Ok(())
}

/// Reads the network service's lists; gives the kinds that were shown whole.
async fn network(
    client: &mut Client,
    view: &mut View,
    pages: &mut Pages,
    refused: &mut Vec<Refusal>,
    witnesses: &mut Witnesses,
) -> Result<Vec<Kind>, ReadError> {
    let extensions = extensions(client).await?;
    let has = |name: &str| extensions.as_ref().is_none_or(|all| all.contains(name));
    let by_tenant = extensions.as_ref().is_none_or(|all| !all.contains(PROJECTS));
    let mut read = Vec::new();
    let (is_there, is_listed) = (has(FORWARDINGS), has(FORWARDINGS_LISTED));
    let mut forwardings = Forwardings { is_there, is_listed, ..Default::default() };
    for (kind, collection) in neutron::kinds() {
        let is_there = client.url(collection.service).is_some() && collection.extension.is_none_or(has);
        if !is_there && (collection.service == Service::LoadBalancer || collection.extension.is_some()) {
            continue;
        }
        let outcome = match kind {
            Kind::Forwarding => {
                pages.add(collection.plural, std::mem::take(&mut forwardings.held)).await;
                forwardings.part.take().map_or(Outcome::Whole, Outcome::Part)
            }
            _ => {
                let asked = (kind, collection, collection.query(by_tenant));
                list(client, asked, view, pages, &mut forwardings, witnesses).await?
            }
        };
        pages.hand_over().await;
        match outcome {
            Outcome::Whole => read.push((kind, collection)),
            Outcome::Part(why) => {
                view.miss(kind);
                // Whose floating IP was not shown, its forwardings were not either.
                if kind == Kind::FloatingIp {
                    forwardings.miss(|| "not all floating IPs were shown".to_owned());
                }
                let what = collection.plural.to_owned();
                refused.push(Refusal { what, hides: collection.hides, why });
            }
        }
    }
    let mut complete = Vec::new();
    for (kind, collection) in read {
        let what = || collection.plural.to_owned();
        if let Some(why) = pages.unreadable(collection.plural) {
            refused.push(Refusal { what: what(), hides: UNREADABLE, why });
        } else if view.is_proved(kind) {
            complete.push(kind);
        } else {
            refused.push(Refusal { what: what(), hides: collection.hides, why: UNPROVED.to_owned() });
        }
    }
    Ok(complete)
}

/// Reads one kind's list, or lists.
async fn list(
    client: &mut Client,
    (kind, collection, fields): (Kind, &'static Collection, String),
    view: &mut View,
    pages: &mut Pages,
    forwardings: &mut Forwardings,
    witnesses: &mut Witnesses,
) -> Result<Outcome, ReadError> {
    let mut outcome = Outcome::Whole;
    let known = client.witnesses();
    for &filter in collection.filters {
        let and = if filter.is_empty() { "" } else { "&" };
        let query = format!("{filter}{and}{fields}");
        let (service, path) = (collection.service, collection.path.to_owned());
        let mut lister = Lister::new(List { service, path, key: collection.plural, query });
        let mut missing = known.get(&(kind, filter));
        loop {
            let mut objects = Vec::new();
            let step = loop {
                let step = lister.step(client, &mut objects).await;
                pages.go_on().await;
                // Forwardings are asked for between two pages: a server does not wait long for somebody who does not read on.
                let is_gathering = kind == Kind::FloatingIp && lister.is_open() && objects.len() < LIMIT;
                if !(is_gathering && matches!(step, Ok(Step::More))) {
                    break step;
                }
            };
            let step = match step {
                Ok(step) => step,
                Err(error) if is_refusal(&error, service) => return Ok(Outcome::Part(error.refusal())),
                Err(error) => return Err(error),
            };
            for object in &objects {
                view.look(kind, object);
                missing = missing.filter(|id| !object.contains(id.as_str()));
            }
            if let Some(last) = objects.iter().rev().find_map(|object| view.strangers(object)) {
                witnesses.insert((kind, filter), last);
            }
            if kind == Kind::FloatingIp {
                for mut floating_ip in std::mem::take(&mut objects) {
                    forwardings.read(client, &mut floating_ip).await?;
                    pages.add(collection.plural, vec![floating_ip]).await;
                    pages.go_on().await;
                }
            }
            pages.add(collection.plural, objects).await;
            if let Step::End { is_cut } = step {
                match missing {
                    _ if is_cut => outcome = Outcome::Part(CUT.to_owned()),
                    Some(id) if is_shown(client, collection, id).await? => {
                        outcome =
                            Outcome::Part(format!("`{id}` may be there, and the list does not show it"));
                    }
                    _ => {}
                }
                break;
            }
        }
    }
    Ok(outcome)
}

/// Whether an object that a list has not shown is shown by its id: then the list is not whole. Behind one address are often several
/// servers, of which one may have another policy: a page of it is empty, and ends the list.
async fn is_shown(client: &mut Client, collection: &Collection, id: &str) -> Result<bool, ReadError> {
    match client.text(collection.service, &collection.object_path(id)).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_gone(id) => Ok(false),
        // Whoever gives no answer now, or hides it, leaves it open.
        Err(error) if error.is_passing() || is_refusal(&error, collection.service) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Whether the read goes on without this list. What load balancers say is welcome, and no reason to know nothing of ports.
pub(super) fn is_refusal(error: &ReadError, service: Service) -> bool {
    matches!(error, ReadError::Refused { .. } | ReadError::Absent { .. })
        || matches!(error, ReadError::Status { status, .. } if status.is_client_error())
        || service == Service::LoadBalancer
}

/// The extensions that the network service has; nothing is known of them where it does not say.
async fn extensions(client: &mut Client) -> Result<Option<BTreeSet<String>>, ReadError> {
    #[derive(Deserialize)]
    struct Extension {
        alias: String,
    }
    let (path, query) = ("extensions".to_owned(), "fields=alias".to_owned());
    let mut lister = Lister::new(List { service: Service::Network, path, key: "extensions", query });
    let mut aliases = BTreeSet::new();
    loop {
        let mut objects = Vec::new();
        let step = lister.step(client, &mut objects).await;
        let read = objects.iter().filter_map(|json| serde_json::from_str::<Extension>(json).ok());
        aliases.extend(read.map(|extension| extension.alias));
        match step {
            Ok(Step::More) => {}
            Ok(Step::End { .. }) => return Ok(Some(aliases)),
            Err(error) if is_refusal(&error, Service::Network) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// Forwardings of floating IPs, which are listed by floating IP only.
#[derive(Default)]
struct Forwardings {
    is_there: bool,
    /// Whether a floating IP says whether it has any.
    is_listed: bool,
    held: Vec<String>,
    held_bytes: usize,
    /// Why not all were read, if they were not.
    part: Option<String>,
}

/// Leaves out of a floating IP what it says of its forwardings itself.
fn say_nothing(floating_ip: &mut String) {
    if let Some(rest) = without_forwardings(floating_ip) {
        *floating_ip = rest;
    }
}

impl Forwardings {
    /// Not all are read; of several reasons the first is told.
    fn miss(&mut self, why: impl FnOnce() -> String) {
        self.part.get_or_insert_with(why);
    }

    /// Reads those of one floating IP, where it may have some, and puts them into it. Of those that are refused it says nothing, which
    /// changes nothing of what is known of them.
    async fn read(&mut self, client: &mut Client, floating_ip: &mut String) -> Result<(), ReadError> {
        if !self.is_there {
            say_nothing(floating_ip);
            return Ok(());
        }
        #[derive(Deserialize)]
        struct Told {
            id: String,
            #[serde(default)]
            port_id: Option<String>,
            #[serde(default)]
            router_id: Option<String>,
            #[serde(default)]
            port_forwardings: Option<Vec<IgnoredAny>>,
        }
        let Ok(told) = serde_json::from_str::<Told>(floating_ip) else {
            self.miss(|| "a floating IP cannot be read".to_owned());
            return Ok(());
        };
        let may_have = match told.port_forwardings {
            Some(list) if self.is_listed => !list.is_empty(),
            // One that leads to a port as a whole forwards nothing, and one without a router neither.
            _ => told.port_id.is_none() && told.router_id.is_some(),
        };
        if !may_have {
            return Ok(());
        }
        let list = match forwardings_of(client, &told.id).await? {
            Ok(list) => list,
            Err(why) => {
                self.miss(|| why);
                say_nothing(floating_ip);
                return Ok(());
            }
        };
        let raw: Vec<Box<RawValue>> =
            list.iter().filter_map(|json| RawValue::from_string(json.clone()).ok()).collect();
        *floating_ip = with_forwardings(floating_ip, &raw).unwrap_or_else(|| floating_ip.clone());
        for forwarding in list {
            let Some(forwarding) = of_floating_ip(&forwarding, &told.id) else {
                self.miss(|| format!("a forwarding of floating IP `{}` cannot be read", told.id));
                continue;
            };
            self.held_bytes += forwarding.len();
            if self.held_bytes > FORWARDINGS_BYTES_MAX {
                self.miss(|| format!("there are more than {FORWARDINGS_BYTES_MAX} bytes of them"));
            } else {
                self.held.push(forwarding);
            }
        }
        Ok(())
    }
}

/// The forwardings of a floating IP, or why they are refused. One that is gone has none.
pub(super) async fn forwardings_of(
    client: &mut Client,
    floating_ip: &str,
) -> Result<Result<Vec<String>, String>, ReadError> {
    let path = forwardings_path(floating_ip);
    let list = List { service: Service::Network, path, key: "port_forwardings", query: String::new() };
    let (mut lister, mut forwardings) = (Lister::new(list), Vec::new());
    loop {
        match lister.step(client, &mut forwardings).await {
            Ok(Step::More) => {}
            Ok(Step::End { is_cut: false }) => return Ok(Ok(forwardings)),
            Ok(Step::End { is_cut: true }) => return Ok(Err(CUT.to_owned())),
            Err(error) if error.is_gone(floating_ip) => return Ok(Ok(Vec::new())),
            Err(error) if is_refusal(&error, Service::Network) => return Ok(Err(error.refusal())),
            Err(error) => return Err(error),
        }
    }
}
