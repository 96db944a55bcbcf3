//! Notifications of the services beside the network: who, what to, how it ended.

use super::super::{Forgotten, Subject, decode, forget};
use crate::event::{AccessCall, Activity, Change, Event, Kind, Object, Outcome, Verb};
use crate::ids::Id;

/// A notification of some other service than the network's.
fn read(event_type: &str, payload: &str) -> Event {
    sent(&super::plain(event_type, payload).replace("network.ctl1", "service.ctl1"))
}

fn sent(body: &str) -> Event {
    decode(&super::message(body)).result.expect(body)
}

fn id(text: &str) -> Option<Id> {
    Some(Id::new(text))
}

/// Kind, id, name and project of the target, in one line.
fn target(event: &Event) -> String {
    let target = event.target.as_ref().expect("there is a target");
    let id = |id: &Option<Id>| id.as_ref().map_or("-".to_owned(), Id::to_string);
    let name = target.name.as_deref().unwrap_or("-");
    format!("{} {} {name} {}", target.kind, id(&target.id), id(&target.project_id))
}

fn activity(event: &Event) -> &Activity {
    match &event.change {
        Change::Activity(activity) => activity,
        other => panic!("{other:?}"),
    }
}

/// Service, action, whether it is done, outcome and detail, in one line.
fn told(event: &Event) -> String {
    let activity = activity(event);
    let Activity { service, action, done, outcome, detail } = activity;
    assert_eq!(*outcome, event.outcome);
    format!("{service} {action} {done} {} {}", outcome.as_str(), detail.as_deref().unwrap_or("-"))
}

const INITIATOR: &str = r#""typeURI":"http://schemas.dmtf.org/cloud/audit/1.0/event","eventTime":"2026-11-21T00:40:38.5+0000",
    "action":"x","initiator":{"id":"0134e963d2cb47acb1cbded3d170eb51","user_id":"u1","name":"alice","username":"alice",
    "project_id":"p1","domain_id":"d1","request_id":"req-1","host":{"address":"10.0.0.9","agent":"curl"}}"#;

#[test]
fn keystone_in_cadf() {
    let event = read(
        "identity.user.created",
        &format!(r#"{{{INITIATOR},"outcome":"success","resource_info":"u5","target":{{"id":"u5"}}}}"#),
    );
    assert_eq!(event.actor.user_id, id("u1"));
    assert_eq!(event.actor.user_name.as_deref(), Some("alice"));
    assert_eq!(event.actor.user_domain_id, None, "the scope of a token is not the user's domain");
    assert_eq!(
        (event.actor.address.as_deref(), event.actor.agent.as_deref()),
        (Some("10.0.0.9"), Some("curl"))
    );
    assert_eq!(event.request_id, id("req-1"));
    assert_eq!((event.outcome, target(&event).as_str()), (Outcome::Success, "user u5 - -"));
    let Change::Identity(change) = event.change else { panic!() };
    assert_eq!((change.verb, &*change.resource, change.id), (Verb::Create, "user", id("u5")));
}

#[test]
fn a_refused_password_is_a_failure() {
    let reason = r#""reason":{"reasonType":"The password does not match","reasonCode":"400"}"#;
    let event = read(
        "identity.user.updated",
        &format!(r#"{{{INITIATOR},"outcome":"success","resource_info":"u1",{reason}}}"#),
    );
    assert_eq!(event.outcome, Outcome::Failure);
    let Change::Identity(change) = event.change else { panic!() };
    assert_eq!(change.reason.as_deref(), Some("The password does not match"));
}

#[test]
fn keystone_in_the_basic_format() {
    let event = read(
        "identity.group.updated",
        r#"{"resource_info":"g1","actor_id":"u2","actor_type":"user","actor_operation":"removed","request_id":"req-9"}"#,
    );
    assert_eq!((event.outcome, event.request_id), (Outcome::Success, id("req-9")));
    let Change::Identity(change) = event.change else { panic!() };
    let member = change.member.unwrap();
    assert_eq!((member.user_id, member.added), (Id::new("u2"), false));
    let trust = read("identity.OS-TRUST:trust.deleted", r#"{"resource_info":"t1"}"#);
    assert_eq!(target(&trust), "OS-TRUST:trust t1 - -");
    let tag = read("identity.project tag.created", r#"{"resource_info":"blue"}"#);
    assert_eq!(target(&tag), "project tag blue - -");
}

#[test]
fn roles() {
    let event = read(
        "identity.role_assignment.deleted",
        &format!(
            r#"{{{INITIATOR},"outcome":"failure","role":"r1","user":"u5","project":"p3","inherited_to_projects":true,"target":{{"id":"x"}}}}"#
        ),
    );
    assert_eq!((event.outcome, target(&event).as_str()), (Outcome::Failure, "user u5 - p3"));
    let Change::Role(role) = event.change else { panic!() };
    assert!(!role.granted && role.inherited);
    assert_eq!((role.role_id, role.group_id, role.domain_id), (id("r1"), None, None));
    let old = read(
        "identity.created.role_assignment",
        &format!(r#"{{{INITIATOR},"role":"r1","group":"g1","domain":"d1"}}"#),
    );
    assert!(matches!(old.change, Change::Role(role) if role.granted && role.group_id == id("g1")));
}

#[test]
fn logins() {
    let unknown = read(
        "identity.authenticate",
        r#"{"action":"authenticate","outcome":"failure","initiator":{"id":"2567b5bf-b909-5c12-bf6a-697ce729afd9","user_name":"nobody",
        "domain_id":"d1","domain_name":"dom","host":{"address":"10.0.0.9"}},"target":{"id":"690b9acb-12cb-5405-a81b-7d1aea5874b8"},
        "reason":{"reasonType":"Could not find user: nobody.","reasonCode":404}}"#,
    );
    assert_eq!(unknown.actor.user_id, None, "the initiator's id is made up");
    assert_eq!(
        (unknown.actor.user_name.as_deref(), unknown.actor.user_domain_id.clone()),
        (Some("nobody"), id("d1"))
    );
    assert_eq!(target(&unknown), "user - nobody -");
    let Change::Authentication(method) = unknown.change else { panic!() };
    assert_eq!(method.reason_code.as_deref(), Some("404"));
    let federated = read(
        "identity.authenticate",
        r#"{"action":"authenticate","outcome":"success","initiator":{"id":"2567b5bf-b909-5c12-bf6a-697ce729afd9","credential":
        {"type":"saml","token":"secret-assertion","identity_provider":"idp1","user":"carol","groups":["g"]}}}"#,
    );
    assert_eq!(federated.actor.user_id, id("carol"));
    let Change::Authentication(method) = federated.change else { panic!() };
    assert_eq!(method.identity_provider.as_deref(), Some("idp1"));
    let old = read(
        "identity.authenticate",
        r#"{"action":"authenticate","initiator":{"id":"0134e963d2cb47acb1cbded3d170eb51"}}"#,
    );
    assert_eq!(old.actor.user_id, id("0134e963d2cb47acb1cbded3d170eb51"), "before user_id there was only id");
}

#[test]
fn who_is_taken_out_of_a_message_is_who_its_record_is_about() {
    let made_up = r#""id":"2567b5bf-b909-5c12-bf6a-697ce729afd9""#;
    let host = r#""host":{"address":"192.0.2.7","agent":"curl"}"#;
    let initiators = [
        format!("{made_up},{host}"),
        format!(r#""id":"unknown","name":"unknown",{host}"#),
        format!(r#""id":"0134e963d2cb47acb1cbded3d170eb51",{host}"#),
        format!(r#""id":"0134e963d2cb47acb1cbded3d170eb51","name":"ada",{host}"#),
        format!(r#""id":"u1","user_id":"u2","name":"bob",{host}"#),
        format!(r#""id":"u2","user_id":"u1","username":"Ada",{host}"#),
        format!(r#"{made_up},"name":"ada",{host}"#),
        format!(r#"{made_up},"name":"bob",{host}"#),
        format!(r#"{made_up},"user_name":"ada","domain_id":"d1",{host}"#),
        format!(r#"{made_up},"name":"bob","user_name":"ada",{host}"#),
        format!(r#"{made_up},{host},"credential":{{"type":"saml","user":"u1"}}"#),
        format!(r#"{made_up},{host},"credential":{{"type":"saml","user":{{"id":"u2","name":"x"}}}}"#),
        format!(r#""user_id":42,"name":"ada",{host}"#),
        format!(r#""user_id":"{}","name":"ada",{host}"#, "9".repeat(4000)),
    ];
    let subject = |user: Option<&str>, names: &[&str], addresses: &[&str]| Subject {
        user: user.map(str::to_owned),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        addresses: addresses.iter().map(|address| (*address).to_owned()).collect(),
    };
    let subjects = [
        subject(Some("u1"), &["ada"], &[]),
        subject(Some("0134e963d2cb47acb1cbded3d170eb51"), &[], &[]),
        subject(None, &["ADA"], &[]),
        subject(None, &[], &["192.0.2.7"]),
        subject(Some("u2"), &["carol"], &["192.0.2.7"]),
    ];
    let mut counts = [0, 0];
    for initiator in &initiators {
        let payload =
            format!(r#"{{"action":"authenticate","outcome":"failure","initiator":{{{initiator}}}}}"#);
        let actor = read("identity.authenticate", &payload).actor;
        for subject in &subjects {
            let (name, address) = (actor.user_name.as_deref(), actor.address.as_deref());
            let is_about = subject.is(actor.user_id.as_ref(), name, address);
            let left = forget(payload.as_bytes(), subject);
            let has_address = match &left {
                Forgotten::Text(text) => memchr::memmem::find(text, b"192.0.2.7").is_some(),
                Forgotten::NotThere | Forgotten::Unreadable => true,
            };
            assert_eq!(has_address, !is_about, "{initiator} {subject:?} {left:?}");
            counts[usize::from(is_about)] += 1;
        }
    }
    assert!(counts.iter().all(|count| *count > 10), "{counts:?}");
}

fn call(event: &Event) -> &AccessCall {
    match &event.change {
        Change::Access(call) => call,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_halves_of_an_api_call() {
    let payload = |outcome: &str, more: &str| {
        format!(
            r#"{{{INITIATOR},"id":"e1","outcome":"{outcome}","requestPath":"/v2.0/ports/fb02f2d4-077c-4f7e-a85e-b112dd3a07fc?token=gAAAAABxyz&x=1",
            "target":{{"id":"neutron","typeURI":"service/network/ports/port"}},"tags":["a","correlation_id?value=c1"]{more}}}"#
        )
    };
    let request = read("audit.http.request", &payload("pending", ""));
    assert_eq!((request.outcome, call(&request).response), (Outcome::Pending, false));
    assert_eq!(&*call(&request).path, "/v2.0/ports/fb02f2d4-077c-4f7e-a85e-b112dd3a07fc?token=***&x=1");
    let response = read(
        "audit.http.response",
        &payload("failure", r#","reason":{"reasonType":"HTTP","reasonCode":"404"}"#),
    );
    assert_eq!((response.outcome, call(&response).status), (Outcome::Failure, Some(404)));
    assert_eq!(call(&response).correlation, call(&request).correlation);
    assert_eq!(target(&response), "port fb02f2d4-077c-4f7e-a85e-b112dd3a07fc - -");
}

/// Things are called as the service's own notifications call them, and what the filter's map does not know is told by the path.
#[test]
fn what_an_api_call_is_about() {
    const ID: &str = "0b1f6f0e-0a44-4c36-a7cb-0c6d5b8f3e4f";
    const PROJECT: &str = "4446d364db41f99f6b6c07d9c794e247";
    for (type_uri, path, wanted) in [
        (
            "service/network/security-groups/security-group",
            format!("/v2.0/security-groups/{ID}"),
            format!("security_group {ID}"),
        ),
        (
            "service/network/security-group-rules/rule",
            format!("/v2.0/security-group-rules/{ID}.json"),
            format!("security_group_rule {ID}"),
        ),
        (
            "service/network/floatingips/ip",
            format!("/networking/v2.0/floatingips/{ID}?x=1"),
            format!("floatingip {ID}"),
        ),
        (
            "service/network",
            format!("/v2.0/address-groups/{ID}/add_addresses"),
            format!("address_group {ID}"),
        ),
        ("service/network", format!("/v2.0/qos/policies/{ID}.json"), format!("policy {ID}")),
        ("service/network", "/v2.0/address-groups".to_owned(), "network -".to_owned()),
        ("service/load-balancer", format!("/v2/lbaas/listeners/{ID}"), format!("listener {ID}")),
        (
            "service/compute/servers/action",
            format!("/v2.1/{PROJECT}/servers/{ID}/action"),
            format!("server {ID}"),
        ),
        ("service/compute/servers/detail", format!("/v2.1/{PROJECT}/servers/detail"), "server -".to_owned()),
        ("service/compute/servers/server", format!("/v2.1/servers/{ID}"), format!("server {ID}")),
        ("service/compute", format!("/v2.1/{PROJECT}/os-keypairs/mine"), "compute -".to_owned()),
        ("service/network/ports", "/v2.0/ports".to_owned(), "ports -".to_owned()),
        // The thing that the URI names, and not what the path goes on to.
        (
            "service/network/floatingips/ip",
            format!("/v2.0/floatingips/{ID}/port_forwardings/{PROJECT}"),
            format!("floatingip {ID}"),
        ),
        // Words that a caller chooses are no kinds.
        ("service/orchestration", format!("/v1/{PROJECT}/stacks/users/{ID}"), format!("orchestration {ID}")),
        ("service/compute", format!("//{ID}"), format!("compute {ID}")),
        ("x//action", "/".to_owned(), "action -".to_owned()),
        ("service/unknown", format!("/{ID}"), format!("api {ID}")),
        ("", "/".to_owned(), "api -".to_owned()),
    ] {
        let event = read(
            "audit.http.response",
            &format!(
                r#"{{{INITIATOR},"id":"e1","outcome":"success","requestPath":"{path}","target":{{"id":"x","typeURI":"{type_uri}"}}}}"#
            ),
        );
        assert_eq!(target(&event), format!("{wanted} - -"), "{type_uri} {path}");
    }
}

#[test]
fn nobody_is_nobody() {
    let event = read(
        "audit.http.response",
        r#"{"action":"read","outcome":"failure","initiator":{"id":"unknown","name":"unknown","project_id":"unknown","host":
        {"address":"10.0.0.9","agent":"unknown"}},"target":{"id":"unknown","typeURI":"unknown"},"requestPath":"/"}"#,
    );
    assert_eq!(
        (event.actor.user_id, event.actor.user_name, event.actor.project_id, event.actor.agent),
        (None, None, None, None)
    );
    assert_eq!(event.actor.address.as_deref(), Some("10.0.0.9"));
}

#[test]
fn calls_without_cadf() {
    let event = read(
        "http.response",
        r#"{"request":{"REQUEST_METHOD":"GET","PATH_INFO":"/v2/images","QUERY_STRING":"limit=1","HTTP_X_USER_ID":"u1","HTTP_X_SERVICE_TOKEN":
        "abc","REMOTE_ADDR":"10.0.0.9"},"response":{"status":"403 Forbidden"}}"#,
    );
    assert_eq!(
        (event.outcome, call(&event).status, &*call(&event).path),
        (Outcome::Failure, Some(403), "/v2/images?limit=1")
    );
    assert_eq!(event.actor.user_id, id("u1"));
}

#[test]
fn nova_legacy() {
    let start = read(
        "compute.instance.create.start",
        r#"{"instance_id":"i1","display_name":"web","tenant_id":"p1","user_id":"u1"}"#,
    );
    assert_eq!(
        (target(&start).as_str(), told(&start).as_str()),
        ("server i1 web p1", "compute create false pending -")
    );
    let attach = read("compute.instance.volume.attach", r#"{"instance_id":"i1","volume_id":"v1"}"#);
    assert_eq!(told(&attach), "compute volume_attach true success volume v1");
    let error = read(
        "compute.instance.create.error",
        r#"{"instance_id":"i1","exception":{"kwargs":{},"message":"no host"}}"#,
    );
    assert_eq!(told(&error), "compute create true failure no host");
    let pre = read("compute.instance.live_migration.pre.end", r#"{"instance_id":"i1"}"#);
    assert_eq!(told(&pre), "compute live_migration_pre true success -");
}

#[test]
fn nova_versioned() {
    let versioned = |data: &str| {
        format!(
            r#"{{"nova_object.name":"X","nova_object.version":"1.9","nova_object.namespace":"nova","nova_object.data":{data}}}"#
        )
    };
    let address = versioned(r#"{"address":"10.0.0.5","port_uuid":"pt1"}"#);
    let attach = read(
        "instance.interface_attach.end",
        &versioned(&format!(
            r#"{{"uuid":"i1","display_name":"web","tenant_id":"p1","action_initiator_user":"u9","action_initiator_project":"p9","ip_addresses":[{address}]}}"#
        )),
    );
    assert_eq!((attach.actor.user_id.clone(), attach.actor.project_id.clone()), (id("u9"), id("p9")));
    assert_eq!(
        (target(&attach).as_str(), told(&attach).as_str()),
        ("server i1 web p1", "compute interface_attach true success 10.0.0.5 on port pt1")
    );
    let fault = versioned(r#"{"exception":"NoValidHost","exception_message":"no host"}"#);
    let error = read("instance.create.error", &versioned(&format!(r#"{{"uuid":"i1","fault":{fault}}}"#)));
    assert_eq!(told(&error), "compute create true failure no host");
    let keypair =
        read("keypair.import.end", &versioned(r#"{"name":"k1","user_id":"u1","fingerprint":"aa:bb"}"#));
    assert_eq!(
        (target(&keypair).as_str(), told(&keypair).as_str()),
        ("keypair k1 k1 -", "compute import true success fingerprint aa:bb")
    );
    let node =
        read("baremetal.node.power_set.start", r#"{"ironic_object.data":{"uuid":"n1","name":"rack1"}}"#);
    assert_eq!(
        (target(&node).as_str(), told(&node).as_str()),
        ("node n1 rack1 -", "baremetal power_set false pending -")
    );
}

#[test]
fn glance() {
    let update = read(
        "image.update",
        r#"{"id":"m1","name":"debian","owner":"p1","visibility":"public","status":"active","checksum":null}"#,
    );
    assert_eq!(
        (target(&update).as_str(), told(&update).as_str()),
        ("image m1 debian p1", "image update true success visibility public, status active")
    );
    let member = read("image.member.create", r#"{"image_id":"m1","member_id":"p2","status":"pending"}"#);
    assert_eq!(
        (target(&member).as_str(), told(&member).as_str()),
        ("image m1 - -", "image member_create true success project p2, pending")
    );
    let send = read(
        "image.send",
        r#"{"bytes_sent":5000,"image_id":"m1","owner_id":"p1","receiver_tenant_id":"p2","receiver_user_id":"u2"}"#,
    );
    assert_eq!(
        (send.actor.user_id.clone(), told(&send).as_str()),
        (id("u2"), "image send true success 5000 bytes to user u2")
    );
    let failed = sent(&super::plain("image.upload", "\"disk full\"").replace("INFO", "ERROR"));
    assert_eq!(told(&failed), "image upload true failure disk full");
}

#[test]
fn cinder() {
    let attach = read(
        "volume.attach.end",
        r#"{"volume_id":"v1","display_name":"data","tenant_id":"p1","volume_attachment":[{"instance_uuid":"i1","attach_mode":"rw","connection_info":{"auth_password":"chap"}}]}"#,
    );
    assert_eq!(
        (target(&attach).as_str(), told(&attach).as_str()),
        ("volume v1 data p1", "volume attach true success server i1 (rw)")
    );
    let accept = read("volume.transfer.accept.end", r#"{"volume_id":"v1","tenant_id":"p2"}"#);
    assert_eq!(told(&accept), "volume transfer_accept true success new owner project p2");
    let snapshot = read("snapshot.create.start", r#"{"snapshot_id":"s1","volume_id":"v1"}"#);
    assert_eq!(target(&snapshot), "snapshot s1 - -");
}

#[test]
fn a_load_balancer_of_octavia() {
    let payload = r#"{"loadbalancer_id":"l1","name":"lb","project_id":"p1","vip_address":"10.0.0.7","vip_port_id":"v1",
        "admin_state_up":false,"listeners":[{"listener_id":"x"}]}"#;
    let balancer = read("octavia.loadbalancer.create.end", payload);
    assert_eq!(target(&balancer), "loadbalancer l1 lb p1");
    let Change::Objects { objects, .. } = &balancer.change else { panic!("{:?}", balancer.change) };
    let [Object::LoadBalancer(object)] = &objects[..] else { panic!("{objects:?}") };
    assert_eq!((object.version.id.clone(), object.vip_port_id.clone().flatten()), (id("l1"), id("v1")));
    assert_eq!(object.admin_state_up, Some(false));
    let gone = read("octavia.loadbalancer.delete.end", payload);
    assert!(matches!(gone.change, Change::Deleted { kind: Kind::LoadBalancer, .. }), "{:?}", gone.change);
    // Of what else it may send one day only target and outcome are read.
    let other = read("octavia.pool.create.end", r#"{"pool_id":"q1","name":"web"}"#);
    assert_eq!(
        (target(&other).as_str(), told(&other).as_str()),
        ("pool q1 web -", "load-balancer create true success -")
    );
}

#[test]
fn services_by_name() {
    let alarm = read(
        "alarm.creation",
        r#"{"alarm_id":"a1","user_id":"u1","project_id":"p1","detail":{"name":"open","state":"ok"}}"#,
    );
    assert_eq!(
        (target(&alarm).as_str(), told(&alarm).as_str()),
        ("alarm a1 open p1", "alarm creation true success state ok")
    );
    assert_eq!(alarm.actor.user_id, id("u1"));
    let stack = read(
        "orchestration.stack.create.error",
        r#"{"stack_identity":"arn:s1","stack_name":"st","tenant_id":"p1","state_reason":"quota"}"#,
    );
    assert_eq!(
        (target(&stack).as_str(), told(&stack).as_str()),
        ("stack arn:s1 st p1", "orchestration create true failure reason quota")
    );
    let zone =
        read("dns.zone.update", r#"[{"zone_id":"z1","zone_name":"example.org.","changed_field":"ttl"}]"#);
    assert_eq!(target(&zone), "zone z1 example.org. -");
}

#[test]
fn the_rest_is_kept() {
    let error = sent(&super::plain("error_notification", r#"{"error":"x"}"#).replace("INFO", "ERROR"));
    assert!(matches!(error.change, Change::Unmodelled));
    assert_eq!(error.outcome, Outcome::Failure);
    for (event_type, payload) in [
        ("a", "null"),
        ("identity.x", "{}"),
        ("identity.user.created", "[]"),
        ("audit.http.request", "5"),
        ("..", "{}"),
        ("volume.create.end", "null"),
    ] {
        assert!(matches!(read(event_type, payload).change, Change::Unmodelled), "{event_type}");
    }
}

#[test]
fn actors_from_the_context() {
    let with = |context: &str| {
        let body =
            super::plain("port.delete.end", r#"{"port_id":"p1"}"#).replacen('{', &format!("{{{context},"), 1);
        sent(&body)
    };
    let icehouse = with(
        r#""_context_user":"u1","_context_tenant":"t1","_context_tenant_name":"VOIP","_context_user_name":"admin","_context_remote_address":"10.0.0.9","_context_request_id":"req-1""#,
    );
    assert_eq!((icehouse.actor.user_id, icehouse.actor.project_id), (id("u1"), id("t1")));
    assert_eq!(
        (icehouse.actor.project_name.as_deref(), icehouse.actor.address.as_deref()),
        (Some("VOIP"), Some("10.0.0.9"))
    );
    assert_eq!(icehouse.request_id, id("req-1"));
    let modern = with(
        r#""_context_user_id":"u2","_context_user":null,"_context_project_id":"p2","_context_tenant":"t2","_context_user_domain":"d2""#,
    );
    assert_eq!(
        (modern.actor.user_id, modern.actor.project_id, modern.actor.user_domain_id),
        (id("u2"), id("p2"), id("d2"))
    );
    let kafka = with(r#""_context":{"user_id":"u3","request_id":"req-3","auth_token":"gAAAAABx"}"#);
    assert_eq!((kafka.actor.user_id, kafka.request_id), (id("u3"), id("req-3")));
}
