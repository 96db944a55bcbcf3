//! Names of users, projects, domains, groups and roles, and who has which role, as Keystone lists them.
//!
//! Only id, name and domain are kept: a user's mail address is nobody's business here. An account that Keystone refuses them, and
//! that logs in with a password, tries once with a token for the system, where a reader may see them all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use osel_core::event::{Assignment, NameKind};
use serde::{Deserialize, Serialize};

use super::assignments::{self, Kept};
use super::catalog::Service;
use super::client::{Client, ReadError};
use super::clouds::{Login, Scope};
use super::handing::Pages;
use super::pages::{CUT, List, Lister, Step, id};
use super::settings::Account;
use super::words::Refusal;

/// How many names are held that stood beside role assignments: in nearly every cloud the lists have all but a few of them.
const NAMED_MAX: usize = 50_000;
/// How many roles on the whole system are remembered, so that the list of them does not show them again: a cloud has some dozens. Beyond,
/// one is handed on twice, which is told once all the same.
const OF_SYSTEM_MAX: usize = 50_000;

/// What is said of role assignments that Keystone shows to a token for a domain.
const OF_DOMAIN: &str = "the token is for a domain, and Keystone shows it that domain's only";

/// What is not known without the names of a kind.
pub(super) fn hides(kind: NameKind) -> &'static str {
    match kind {
        NameKind::User => "who acted, where an event has only the id of a user",
        NameKind::Project => "the names of projects that no event told",
        NameKind::Domain => "the names of domains that no event told",
        NameKind::Group => "the names of groups that are given roles",
        NameKind::Role => "the names of roles that are given",
        NameKind::Server => "the names of servers that no event told: records and findings show their ids",
    }
}

/// The lists of names.
pub(super) fn list(kind: NameKind) -> List {
    List {
        service: Service::Identity,
        path: kind.plural().to_owned(),
        key: kind.plural(),
        query: String::new(),
    }
}

/// What of a name is kept.
#[derive(Deserialize, Serialize)]
struct Told<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    name: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    domain_id: Option<std::borrow::Cow<'a, str>>,
}

/// The object as it is kept; as it came where it is not understood, for whoever reads it to say so.
pub(super) fn kept(json: &str) -> String {
    let short =
        serde_json::from_str::<Told<'_>>(json).ok().and_then(|told| serde_json::to_string(&told).ok());
    short.unwrap_or_else(|| json.to_owned())
}

/// What the lists of Keystone came to.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// Those that were not shown whole.
    pub(super) refused: Vec<Refusal>,
    /// Whether all role assignments were shown.
    pub(super) has_all_assignments: bool,
}

/// Reads every list that may be read. All of it is welcome, and no reason to know nothing of the network: what goes wrong here (a
/// directory that does not answer, a credential that is not for Keystone) ends these lists alone.
pub(super) async fn read(client: &mut Client, pages: &mut Pages) -> Read {
    let mut read = Read::default();
    let mut asker = Asker { client, of_system: None, has_tried: false, is_over: None };
    // They come first, since they name users whom no list of users has: those of a directory elsewhere.
    let mut named = Named::default();
    let mut unread = None;
    let mut of_system = BTreeSet::new();
    for query in assignments::QUERIES {
        let mut take = |json: &str| {
            let Kept { text, is_of_system, names } = assignments::kept(json);
            names.into_iter().for_each(|(kind, id, json)| named.add(kind, id, json));
            let is_new = !is_of_system || !of_system.contains(&text);
            if is_of_system && is_new && of_system.len() < OF_SYSTEM_MAX {
                of_system.insert(text.clone());
            }
            is_new.then_some(text)
        };
        if unread.is_none() {
            let list = assignments::list(query);
            unread = asker.read(pages, Assignment::PLURAL, list, &mut take).await.err();
        }
    }
    let unread = unread.or_else(|| {
        // To a token for a domain Keystone shows those of the domain, and does not say so.
        asker.is_of_domain().then(|| OF_DOMAIN.to_owned()).or_else(|| pages.unreadable(Assignment::PLURAL))
    });
    read.has_all_assignments = unread.is_none();
    if let Some(why) = unread {
        read.refused.push(Refusal { what: Assignment::PLURAL.to_owned(), hides: assignments::HIDES, why });
    }
    // That list is the dearest of them: what went wrong with it need not go wrong with the others.
    asker.is_over = None;
    for kind in NameKind::ALL.into_iter().filter(|kind| kind.is_of_keystone()) {
        let mut listed = |json: &str| {
            named.is_listed(kind, json);
            Some(kept(json))
        };
        if let Err(why) = asker.read(pages, kind.plural(), list(kind), &mut listed).await {
            read.refused.push(Refusal { what: kind.plural().to_owned(), hides: hides(kind), why });
        }
        pages.add(kind.plural(), named.take(kind)).await;
    }
    read
}

/// Names that stood beside role assignments and in no list so far, by kind and id.
#[derive(Default)]
struct Named(BTreeMap<(NameKind, String), String>);

impl Named {
    fn add(&mut self, kind: NameKind, id: String, json: String) {
        if self.0.len() < NAMED_MAX {
            self.0.insert((kind, id), json);
        }
    }

    fn is_listed(&mut self, kind: NameKind, json: &str) {
        if let Some(id) = id(json).filter(|_| !self.0.is_empty()) {
            self.0.remove(&(kind, id));
        }
    }

    fn take(&mut self, wanted: NameKind) -> Vec<String> {
        self.0.extract_if(.., |(kind, _), _| *kind == wanted).map(|(_, json)| json).collect()
    }
}

/// Asks with the account's own token, and where that is refused with one for the system.
struct Asker<'a> {
    client: &'a mut Client,
    of_system: Option<Client>,
    has_tried: bool,
    /// Keystone is in trouble, and this is what it said: nothing more is asked.
    is_over: Option<String>,
}

impl Asker<'_> {
    /// Reads one list to its end, object by object as they are kept, if they are; an error says why it was not shown to that.
    async fn read(
        &mut self,
        pages: &mut Pages,
        collection: &'static str,
        list: List,
        keep: &mut (dyn FnMut(&str) -> Option<String> + Send),
    ) -> Result<(), String> {
        if let Some(why) = &self.is_over {
            return Err(why.clone());
        }
        let mut lister = Lister::new(list);
        loop {
            pages.go_on().await;
            let mut objects = Vec::new();
            let asked = self.of_system.as_mut().unwrap_or(self.client);
            match lister.step(asked, &mut objects).await {
                Ok(step) => {
                    let objects = objects.iter().filter_map(|json| keep(json)).collect();
                    pages.add(collection, objects).await;
                    match step {
                        Step::More => {}
                        Step::End { is_cut: false } => return Ok(()),
                        Step::End { is_cut: true } => return Err(CUT.to_owned()),
                    }
                }
                Err(error @ ReadError::Refused { .. }) if !self.has_tried => {
                    self.has_tried = true;
                    self.of_system = system_client(self.client).await;
                    if self.of_system.is_none() {
                        return Err(error.refusal());
                    }
                }
                Err(error @ (ReadError::Refused { .. } | ReadError::Absent { .. })) => {
                    return Err(error.refusal());
                }
                Err(error) => {
                    self.is_over = Some(error.refusal());
                    return Err(error.refusal());
                }
            }
        }
    }

    fn is_of_domain(&self) -> bool {
        self.of_system.as_ref().unwrap_or(self.client).session().scope.is_domain()
    }
}

/// A client of the same user with a token for the system; none where the user has no role there.
async fn system_client(client: &Client) -> Option<Client> {
    let mut cloud = client.account.cloud.clone();
    if cloud.scope == Scope::System || !matches!(cloud.login, Login::Password { .. }) {
        return None;
    }
    cloud.scope = Scope::System;
    let shared = Arc::new(client.shared.beside());
    let mut client = Client::new(shared, Account { cloud, ..client.account.clone() }).await.ok()?;
    client.hold_rights();
    Some(client)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_user_only_id_name_and_domain_are_kept() {
        let user =
            r#"{"id": "u", "name": "a\"b", "email": "a@example.org", "domain_id": "default", "options": {}}"#;
        assert_eq!(kept(user), r#"{"id":"u","name":"a\"b","domain_id":"default"}"#);
        assert_eq!(kept(r#"{"name": 3}"#), r#"{"name": 3}"#);
    }
}
