//! Bytes to events.
//!
//! One message becomes one [`Decoded`]: its redacted text, its digest, and either an [`Event`] or the
//! [`Defect`] for which it goes to quarantine. Decoding is pure, never fails otherwise and never panics,
//! whatever the bytes are. Secrets end here: neither the text nor the event nor the defect has any.
//!
//! The way through: `envelope` (unpacking, UTF-8, the second format's envelope) → `scan` (strict JSON onto a
//! `tape`, noting secrets) → `notification` (head, context, dispatch by event type) → one file per service
//! for the meaning. The event goes on to `model` (network objects), `names` (actors) and `engine` (records).
//!
//! Of a service without a file of its own only actor, target and outcome are read (`other`); what is in no
//! list stays [`Change::Unmodelled`](crate::event::Change::Unmodelled): kept and counted. A new event type
//! goes to its service's file, and a real message with it to the corpus.

mod assignment;
mod audit;
mod cadf;
mod cinder;
mod defect;
mod envelope;
mod escape;
mod fields;
mod forget;
mod glance;
mod inventory;
mod keys;
mod keystone;
mod layer;
mod neutron;
mod neutron_objects;
mod notification;
mod nova;
mod octavia;
mod other;
mod redact;
mod scan;
mod service_objects;
mod tape;
#[cfg(test)]
mod tests;
mod unparsed;

use std::borrow::Cow;

pub use defect::{Defect, DefectKind};
pub use envelope::BODY_BYTES_MAX;
pub use fields::TEXT_BYTES_MAX;
pub use forget::{ERASED, Forgotten, Subject, forget};
pub use inventory::{Item, ItemPage, read_item};
pub use notification::{Decoder, decode};
pub use scan::{DEPTH_MAX, VALUES_MAX};

use crate::event::{Assignment, Digest, Event, Kind, Object};
use crate::ids::Id;

/// What decoding makes of one message.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    /// The notification without its secrets: the JSON text inside of the envelope, borrowed where it came
    /// without one and has nothing to hide. Of bytes that cannot be parsed, the body with what looks like a
    /// secret masked.
    pub body: Cow<'a, [u8]>,
    /// SHA-256 of the notification as it came, without its `_unique_id` and without white space between
    /// tokens: the same for each copy that a driver or a topic makes. Of bytes that cannot be parsed, of the
    /// body.
    pub digest: Digest,
    /// The sender's id of the notification; in quarantine too, where it could be read.
    pub message_id: Option<Box<str>>,
    /// The notification's type; in quarantine too, where it could be read.
    pub event_type: Option<Box<str>>,
    /// What it means, or why it means nothing.
    pub result: Result<Event, Defect>,
}

/// Id, name and domain of something that Keystone keeps.
pub type Named = (Id, Option<Box<str>>, Option<Id>);

/// Reads one object of the network service from an answer of its API or an inventory, as the events' bodies
/// are read.
///
/// # Errors
///
/// A [`Defect`] when the text is not strict JSON, a modelled field has a wrong type, or there is no id.
pub fn read_object(kind: Kind, json: &[u8]) -> Result<Object, Defect> {
    read(json, |body| neutron_objects::existing(kind, body))
}

/// Reads id, name and domain of a user, project, domain, group or role from an answer of Keystone's API or an
/// inventory.
///
/// # Errors
///
/// A [`Defect`] as for [`read_object`].
pub fn read_named(json: &[u8]) -> Result<Named, Defect> {
    read(json, neutron_objects::named)
}

/// Reads who has which role where from an entry of Keystone's list or an inventory.
///
/// # Errors
///
/// A [`Defect`] as for [`read_object`], also where it does not say who, what or where.
pub fn read_assignment(json: &[u8]) -> Result<Assignment, Defect> {
    read(json, assignment::assignment)
}

fn read<T>(
    json: &[u8],
    reader: impl FnOnce(tape::Value<'_>) -> Result<T, defect::Fault>,
) -> Result<T, Defect> {
    let text = std::str::from_utf8(json)
        .map_err(|error| defect::Fault::byte(DefectKind::NotUtf8, error.valid_up_to()).in_bytes(""))?;
    let tape = scan::scan(text).map_err(|fault| fault.in_bytes(""))?;
    reader(tape.root()).map_err(|fault| fault.in_words(&tape))
}
