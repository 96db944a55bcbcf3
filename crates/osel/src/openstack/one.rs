//! Reads one object and what hangs on it.

use std::collections::BTreeMap;

use osel_core::decode::ItemPage;
use osel_core::event::Kind;
use osel_core::ids::Id;
use serde_json::value::RawValue;

use super::auth::TokenScope;
use super::client::{Client, ReadError};
use super::neutron::{self, of_floating_ip, with_forwardings, without_forwardings};
use super::view::is_anothers;
use super::whole::{forwardings_of, is_refusal};
use super::words::{ApiEvent, Ticket};

/// Reads it and gives the event that ends the order.
pub(super) async fn read(
    client: &mut Client,
    ticket: Ticket,
    kind: Kind,
    id: Id,
) -> Result<ApiEvent, ReadError> {
    // A forwarding is below its floating IP, which nobody knows who has only its id.
    let collection = neutron::collection(kind)
        .filter(|_| kind != Kind::Forwarding)
        .ok_or_else(|| ReadError::NotAlone { kind: kind.singular() })?;
    let at = (client.shared.clock)();
    let asked = client.text(collection.service, &collection.object_path(&id.to_string())).await;
    let (text, url) = match asked {
        Ok(answer) => answer,
        // Neutron says the same of what is not this account's. Only to who is shown everything of a kind is it gone.
        Err(error) if error.is_gone(&id.to_string()) && is_shown_all(client, kind, &id).await? => {
            return Ok(ApiEvent::Absent { ticket, kind, id, at });
        }
        Err(ReadError::Absent { url, .. }) => return Err(ReadError::AbsentOrHidden { url }),
        Err(error) => return Err(error),
    };
    let not_understood = |source: Option<Box<dyn std::error::Error + Send + Sync>>| {
        ReadError::NotUnderstood { url: url.clone(), source }
    };
    let body: BTreeMap<&str, &RawValue> =
        serde_json::from_str(&text).map_err(|error| not_understood(Some(error.into())))?;
    let object = body.get(kind.singular()).ok_or_else(|| not_understood(None))?.get();
    let mut page = ItemPage::default();
    let mut put = |plural, json: &str| match page.push(plural, json) {
        Some(Err(defect)) => Err(not_understood(Some(defect.to_string().into()))),
        _ => Ok(()),
    };
    if kind == Kind::FloatingIp {
        let forwardings = forwardings_of(client, &id.to_string()).await?.ok();
        let list = forwardings.as_deref().unwrap_or_default();
        let raw: Vec<_> = list.iter().filter_map(|json| RawValue::from_string(json.clone()).ok()).collect();
        // Where they are refused it says nothing of them, which changes nothing of what is known.
        let whole = match &forwardings {
            Some(_) => with_forwardings(object, &raw),
            None => without_forwardings(object),
        };
        put(kind.plural(), whole.as_deref().unwrap_or(object))?;
        for forwarding in list.iter().filter_map(|json| of_floating_ip(json, &id.to_string())) {
            put(Kind::Forwarding.plural(), &forwarding)?;
        }
    } else {
        put(kind.plural(), object)?;
    }
    Ok(ApiEvent::Found { ticket, page, at })
}

/// Whether this account is shown everything of a kind now. That it was when everything was read says nothing of today: policies change
/// while roles and tokens stay. So one of the objects by which it was known then has to be shown again.
async fn is_shown_all(client: &mut Client, kind: Kind, id: &Id) -> Result<bool, ReadError> {
    let TokenScope::Project(own) = client.session().scope.clone() else { return Ok(false) };
    // What is asked below is answered by the rights by which the object was not shown.
    client.hold_rights();
    let proofs = client.proofs(kind).into_iter().filter(|proof| *proof != (kind, id.to_string()));
    for (kind, id) in proofs {
        let Some(collection) = neutron::collection(kind) else { continue };
        match client.text(collection.service, &collection.object_path(&id)).await {
            Ok((text, _)) => {
                let body = serde_json::from_str::<BTreeMap<&str, &RawValue>>(&text).ok();
                let object = body.as_ref().and_then(|body| body.get(kind.singular()));
                if object.is_some_and(|object| is_anothers(&own, object.get())) {
                    return Ok(true);
                }
            }
            // It is gone itself, or hidden by now: the next one may tell.
            Err(error) if !error.is_passing() && is_refusal(&error, collection.service) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}
