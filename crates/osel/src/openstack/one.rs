//! Reads one object and what hangs on it.

use std::collections::BTreeMap;

use osel_core::decode::ItemPage;
use osel_core::event::Kind;
use osel_core::ids::Id;
use serde_json::value::RawValue;

use super::client::{Client, ReadError};
use super::neutron::{self, of_floating_ip, with_forwardings, without_forwardings};
use super::whole::forwardings_of;
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
        Err(error) if error.is_gone(&id.to_string()) && client.is_whole(kind) => {
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
        let forwardings = forwardings_of(client, &id.to_string()).await?;
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
