//! Names of servers, as Nova lists them for all projects.
//!
//! The short list is asked for, which has ids and names and no more: the long one makes Nova ask Neutron for each server, and needs
//! rights that a name is not worth. Whoever may not see all projects is refused the list, and nothing else of the read suffers.

use osel_core::event::NameKind;

use super::catalog::Service;
use super::client::Client;
use super::handing::Pages;
use super::keystone::{hides, kept};
use super::pages::{CUT, List, Lister, Step};
use super::words::Refusal;

/// Of the projects that the account has no part in too; servers that are gone are left out.
const QUERY: &str = "all_tenants=1";

/// Reads the names of servers; gives what was not shown whole. A cloud without the service has no servers, which is no refusal.
pub(super) async fn read(client: &mut Client, pages: &mut Pages) -> Option<Refusal> {
    client.url(Service::Compute)?;
    let collection = NameKind::Server.plural();
    let refusal = |why| Some(Refusal { what: collection.to_owned(), hides: hides(NameKind::Server), why });
    let (service, path, query) = (Service::Compute, collection.to_owned(), QUERY.to_owned());
    let mut lister = Lister::new(List { service, path, key: collection, query });
    loop {
        pages.go_on().await;
        let mut servers = Vec::new();
        match lister.step(client, &mut servers).await {
            Ok(step) => {
                pages.add(collection, servers.iter().map(|json| kept(json)).collect()).await;
                match step {
                    Step::More => {}
                    Step::End { is_cut: false } => return None,
                    Step::End { is_cut: true } => return refusal(CUT.to_owned()),
                }
            }
            Err(error) => return refusal(error.refusal()),
        }
    }
}
