//! Notifications as they go over the wire: context, envelope and the line of a recording.
//!
//! Knows nothing of what a payload means.

use osel_core::time::Timestamp;
use serde_json::{Map, Value, json};

use super::release::Release;
use crate::random::Random;

/// Somebody who calls the APIs.
#[derive(Clone, Debug)]
pub struct Actor {
    /// The user's id.
    pub user_id: String,
    /// The user's name.
    pub user_name: String,
    /// The project the token is for.
    pub project_id: String,
    /// Its name.
    pub project_name: String,
    /// The domain of both.
    pub domain_id: String,
    /// Whether the user is an administrator of the cloud.
    pub is_admin: bool,
}

/// One notification on the bus.
#[derive(Clone, Debug)]
pub struct Message {
    /// The exchange of the service.
    pub exchange: &'static str,
    /// The topic; the routing key is `TOPIC.info`.
    pub topic: String,
    /// When the service sent it, in microseconds since 1970.
    pub sent_at: i64,
    /// Whether the broker delivers it for the second time.
    pub redelivered: bool,
    /// The notification without its envelope.
    pub notification: Value,
    release: Release,
}

impl Message {
    /// The body as the service sent it.
    pub fn body(&self) -> String {
        let inner = self.notification.to_string();
        if self.release.has_envelope() {
            json!({"oslo.version": "2.0", "oslo.message": inner}).to_string()
        } else {
            inner
        }
    }

    /// The line of a recording that received it then.
    pub fn line(&self, seq: usize, received_at: i64) -> Value {
        json!({
            "seq": seq,
            "received_at": offset_time(received_at),
            "exchange": self.exchange,
            "routing_key": format!("{}.info", self.topic),
            "redelivered": self.redelivered,
            "properties": {
                "content_type": "application/json", "content_encoding": "utf-8", "headers": {},
                "delivery_mode": 2,
                "priority": 0,
            },
            "body": self.body(),
        })
    }
}

/// Builds messages; the caller gives the time.
pub(super) struct Wire {
    release: Release,
    random: Random,
}

impl Wire {
    pub(super) fn new(release: Release, random: Random) -> Self {
        Self { release, random }
    }

    /// A notification of Neutron, with the context of the request.
    pub(super) fn neutron(
        &mut self,
        now: i64,
        actor: &Actor,
        request_id: &str,
        event_type: &str,
        payload: Value,
    ) -> Message {
        let mut notification = self.bare(now, "network.ctl1", event_type, payload);
        notification.append(&mut self.context(now, actor, request_id));
        self.message(now, "neutron", notification)
    }

    /// A notification of Keystone, which has no context.
    pub(super) fn keystone(&mut self, now: i64, event_type: &str, payload: Value) -> Message {
        let notification = self.bare(now, "identity.ctl1", event_type, payload);
        self.message(now, "keystone", notification)
    }

    fn message(&self, now: i64, exchange: &'static str, notification: Map<String, Value>) -> Message {
        Message {
            exchange,
            topic: "notifications".to_owned(),
            sent_at: now,
            redelivered: false,
            notification: Value::Object(notification),
            release: self.release,
        }
    }

    fn bare(&mut self, now: i64, publisher: &str, event_type: &str, payload: Value) -> Map<String, Value> {
        let mut notification = object(json!({
            "message_id": self.random.uuid(),
            "publisher_id": publisher,
            "event_type": event_type,
            "priority": "INFO",
            "timestamp": space_time(now),
            "_unique_id": self.random.hex32(),
        }));
        notification.insert("payload".to_owned(), payload);
        notification
    }

    fn context(&self, now: i64, actor: &Actor, request_id: &str) -> Map<String, Value> {
        let (user, project, domain) = (&actor.user_id, &actor.project_id, &actor.domain_id);
        let roles = if actor.is_admin {
            json!(["admin", "reader", "manager", "member"])
        } else {
            json!(["reader", "member"])
        };
        if self.release == Release::Icehouse {
            return object(json!({
                "_context_user": user, "_context_user_id": user, "_context_user_name": actor.user_name,
                "_context_tenant": project, "_context_tenant_id": project,
                "_context_tenant_name": actor.project_name,
                "_context_project_id": project, "_context_project_name": actor.project_name,
                "_context_is_admin": actor.is_admin, "_context_read_deleted": "no",
                "_context_request_id": request_id,
                "_context_roles": roles, "_context_timestamp": space_time(now),
            }));
        }
        let is_new = self.release == Release::TwentyTwentySix;
        let domain = if is_new { json!(domain) } else { Value::Null };
        let domain_text = domain.as_str().unwrap_or("-");
        let mut context = object(json!({
            "_context_user": user, "_context_user_id": user, "_context_user_name": actor.user_name,
            "_context_project": project, "_context_project_id": project,
            "_context_project_name": if is_new { json!(actor.project_name) } else { Value::Null },
            "_context_user_identity": format!("{user} {project} - {domain_text} {domain_text}"),
            "_context_system_scope": null, "_context_domain": null, "_context_user_domain": domain,
            "_context_project_domain": domain, "_context_is_admin": actor.is_admin,
            "_context_read_only": false,
            "_context_show_deleted": false, "_context_auth_token": null, "_context_request_id": request_id,
            "_context_global_request_id": null, "_context_resource_uuid": null, "_context_roles": roles,
            "_context_is_admin_project": true, "_context_timestamp": space_time(now),
        }));
        let mut own = if is_new {
            object(json!({
                "_context_has_global_access": actor.is_admin, "_context_can_set_project_id": actor.is_admin,
            }))
        } else {
            object(json!({"_context_tenant_id": project, "_context_tenant_name": null}))
        };
        context.append(&mut own);
        context
    }
}

/// `2026-11-21 00:40:39.732718`: a notification's timestamp.
pub(super) fn space_time(micros: i64) -> String {
    rfc3339(micros).trim_end_matches('Z').replacen('T', " ", 1)
}

/// `2026-11-21T00:40:39Z`: an object's timestamp.
pub(super) fn second_time(micros: i64) -> String {
    let text = rfc3339(micros);
    format!("{}Z", text.get(..19).unwrap_or(&text))
}

/// `2026-11-21T00:40:39.732718+0000`: CADF's.
pub(super) fn cadf_time(micros: i64) -> String {
    format!("{}+0000", rfc3339(micros).trim_end_matches('Z'))
}

/// `2026-11-21T00:40:39.732718+00:00`: a recording's.
pub(crate) fn offset_time(micros: i64) -> String {
    format!("{}+00:00", rfc3339(micros).trim_end_matches('Z'))
}

fn rfc3339(micros: i64) -> String {
    Timestamp::from_micros(micros).to_string()
}

/// The fields of an object; none where it is not one.
pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
