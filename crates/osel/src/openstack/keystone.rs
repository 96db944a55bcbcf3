//! Names of users, projects, domains, groups and roles, as Keystone lists them.
//!
//! Only id, name and domain are kept: a user's mail address is nobody's business here. An account that Keystone refuses them, and
//! that logs in with a password, tries once with a token for the system, where a reader may see them all.

use std::sync::Arc;

use osel_core::event::NameKind;
use serde::{Deserialize, Serialize};

use super::catalog::Service;
use super::client::{Client, ReadError};
use super::clouds::{Login, Scope};
use super::handing::Pages;
use super::pages::{List, Lister, Step};
use super::settings::Account;
use super::words::Refusal;

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

/// Reads every list that may be read; gives those that were not shown whole. Names are welcome, and no reason to know nothing of the
/// network: what goes wrong here (a directory that does not answer, a credential that is not for Keystone) ends the names alone.
pub(super) async fn read(client: &mut Client, pages: &mut Pages) -> Vec<Refusal> {
    let mut refused = Vec::new();
    let mut of_system: Option<Client> = None;
    let mut has_tried = false;
    let mut is_over = false;
    for kind in NameKind::ALL.into_iter().filter(|kind| kind.is_of_keystone()) {
        let refusal = || Refusal { what: kind.plural().to_owned(), hides: hides(kind) };
        if is_over {
            refused.push(refusal());
            continue;
        }
        let mut lister = Lister::new(list(kind));
        loop {
            pages.go_on().await;
            let mut names = Vec::new();
            let asked = of_system.as_mut().unwrap_or(client);
            match lister.step(asked, &mut names).await {
                Ok(step) => {
                    let names = names.iter().map(|json| kept(json)).collect();
                    pages.add(kind.plural(), names).await;
                    match step {
                        Step::More => {}
                        Step::End { is_cut: false } => break,
                        Step::End { is_cut: true } => {
                            refused.push(refusal());
                            break;
                        }
                    }
                }
                Err(ReadError::Refused { .. }) if !has_tried => {
                    has_tried = true;
                    of_system = system_client(client).await;
                    if of_system.is_none() {
                        refused.push(refusal());
                        break;
                    }
                }
                Err(ReadError::Refused { .. } | ReadError::Absent { .. }) => {
                    refused.push(refusal());
                    break;
                }
                Err(error) => {
                    tracing::warn!(collection = kind.plural(), error = error.words(), "names cannot be read");
                    refused.push(refusal());
                    is_over = true;
                    break;
                }
            }
        }
    }
    refused
}

/// A client of the same user with a token for the system; none where the user has no role there.
async fn system_client(client: &Client) -> Option<Client> {
    let mut cloud = client.account.cloud.clone();
    if cloud.scope == Scope::System || !matches!(cloud.login, Login::Password { .. }) {
        return None;
    }
    cloud.scope = Scope::System;
    let shared = Arc::new(client.shared.beside());
    Client::new(shared, Account { cloud, ..client.account.clone() }).await.ok()
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
