//! Names that were valid at the time of an event, from the directory, where the message has none.

use std::net::IpAddr;

use crate::event::{Change, Event, Kind, Object, Port, Target};
use crate::ids::Id;
use crate::model::{CloudModel, View, host};
use crate::names::{Directory, NameKind};
use crate::time::Timestamp;

/// Gives the actor the names that were valid then.
pub(super) fn name_actor(names: &Directory, event: &mut Event) {
    let at = event.timestamp;
    let actor = &mut event.actor;
    if actor.user_name.is_none() {
        actor.user_name = name(names, NameKind::User, actor.user_id.as_ref(), at);
    }
    if actor.project_name.is_none() {
        actor.project_name = name(names, NameKind::Project, actor.project_id.as_ref(), at);
    }
}

/// Gives a user, project, domain, group, role or server the name that was valid then.
pub(super) fn name_target(names: &Directory, target: &mut Target, at: Timestamp) {
    if let (None, Some(kind)) = (&target.name, NameKind::from_word(&target.kind)) {
        target.name = name(names, kind, target.id.as_ref(), at);
    }
}

/// What the owner of a server's port begins with; behind it stands the zone.
const OWNER_OF_SERVERS: &str = "compute:";

/// A server with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedServer {
    /// Its id.
    pub id: Id,
    /// What it was called.
    pub name: Box<str>,
}

/// The server whose port an event is about, where its name is known: by the event's own word, else by what the model knows of the port.
pub(super) fn server_of_target(cloud: &CloudModel, names: &Directory, event: &Event) -> Option<NamedServer> {
    let target = event.target.as_ref().filter(|target| target.kind == Kind::Port.singular())?;
    let id = target.id.as_ref();
    let is_it = |object: &&Object| object.kind() == Kind::Port && object.id() == id;
    let told = match &event.change {
        Change::Objects { objects, .. } => objects.iter().find(is_it),
        Change::Attempt(attempt) => attempt.asked.iter().find(is_it),
        Change::Deleted { last, .. } => last.as_deref().filter(is_it),
        _ => None,
    };
    let (mut device, mut owner) = (None, None);
    if let Some(Object::Port(Port { device_id, device_owner, .. })) = told {
        (device, owner) = (device_id.as_ref(), device_owner.as_ref());
    }
    let known = id.and_then(|id| cloud.port_slot(id)).map(|slot| cloud.port(slot));
    let device = device.map_or_else(|| known.and_then(|port| port.device_id.as_ref()), Option::as_ref)?;
    let owner =
        owner.map_or_else(|| known.and_then(|port| port.device_owner.as_deref()), Option::as_deref)?;
    named_server(names, device, owner, event.timestamp)
}

/// The server whose port has an address, where there is one such port and the server's name is known.
///
/// Of addresses of the outside (without a network) only floating IPs that lead to a port as a whole have one.
pub(super) fn server_at(
    cloud: &CloudModel,
    names: &Directory,
    network_id: Option<&Id>,
    address: IpAddr,
    at: Timestamp,
) -> Option<NamedServer> {
    let slots = match network_id {
        Some(network_id) => {
            let mut slots = cloud.ports_holding(host(address), true);
            slots.retain(|slot| cloud.port(*slot).network_id.as_ref() == Some(network_id));
            slots
        }
        None => {
            let leading = cloud.floating_ips_at(address).into_iter();
            leading.filter_map(|floating| cloud.port_slot(floating.port_id.as_ref()?)).collect()
        }
    };
    let [slot] = slots[..] else { return None };
    server_of_port(cloud, names, &cloud.port(slot).id, at)
}

/// The server that a port is of, where its name is known.
pub fn server_of_port(
    cloud: &CloudModel,
    names: &Directory,
    port: &Id,
    at: Timestamp,
) -> Option<NamedServer> {
    let id = server_id_of_port(cloud, port)?;
    Some(NamedServer { id: id.clone(), name: name(names, NameKind::Server, Some(id), at)? })
}

/// The id of the server that a port is of.
pub fn server_id_of_port<'a>(cloud: &'a CloudModel, port: &Id) -> Option<&'a Id> {
    let port = cloud.port(cloud.port_slot(port)?);
    server_id(port.device_id.as_ref()?, port.device_owner.as_deref()?)
}

/// A port's device, where that is a server.
fn server_id<'a>(device: &'a Id, owner: &str) -> Option<&'a Id> {
    owner.starts_with(OWNER_OF_SERVERS).then_some(device)
}

fn named_server(names: &Directory, device: &Id, owner: &str, at: Timestamp) -> Option<NamedServer> {
    let id = server_id(device, owner)?;
    Some(NamedServer { id: id.clone(), name: name(names, NameKind::Server, Some(id), at)? })
}

/// The name that an id had then.
pub(super) fn name(names: &Directory, kind: NameKind, id: Option<&Id>, at: Timestamp) -> Option<Box<str>> {
    names.name_at(kind, id?, at).map(|known| known.name.into())
}
