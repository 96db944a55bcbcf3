//! What has rows in common goes into one step also where that is seen from one side only: by what an outer address has led to, or by what
//! ports of two networks lend to one group.

use serde_json::json;

use super::Listener;
use super::drift::{group, network, object, port, rule};
use super::steps::{Steps, group_of, server};
use crate::engine::MERGED_MAX;
use crate::event::{Kind, Object};

/// So many renamed servers that what differs besides does not go into one step by itself.
fn others(revision: u64) -> impl Iterator<Item = Object> {
    (600..600 + 2 * MERGED_MAX).map(move |number| server(number, revision, &[]))
}

fn outer(id: &str, forwards_to: &[&str], port: Option<&str>) -> Object {
    let forwardings: Vec<_> = forwards_to
        .iter()
        .map(|to| {
            json!({"id": format!("x-{to}"), "protocol": "tcp", "external_port": 2222, "internal_port": 22,
                "internal_ip_address": "10.0.0.5", "internal_port_id": to})
        })
        .collect();
    let fields = json!({
        "id": id, "revision_number": 2 - forwards_to.len(), "project_id": "p", "port_id": port,
        "floating_ip_address": "203.0.113.9", "port_forwardings": forwardings,
    });
    object(Kind::FloatingIp, &fields)
}

/// A forwarding went by the list of its floating IP, or with it, and a rule came that would have been open by it.
#[test]
fn a_rule_that_came_was_told_open_on_an_outer_address_whose_forwarding_had_gone() {
    let stays = || [network(), group(), port("p1", 1, &json!({}))].into_iter();
    let after = [
        // The address is another's by now, and leads elsewhere.
        outer("f2", &[], Some("w600")),
        outer("f1", &[], None),
    ];
    for floating in after {
        let mut listener = Listener::scanning();
        let before: Vec<Object> = stays().chain([outer("f1", &["p1"], None)]).chain(others(1)).collect();
        listener.in_steps(1, 0, &before);
        let shown: Vec<Object> = stays().chain([rule("r1", 22), floating.clone()]).chain(others(2)).collect();
        let steps = listener.in_steps(2, 1_000, &shown);
        assert!(steps.parts.len() > 2, "they do not go into one step");
        let rows = |opened: bool| -> Vec<String> {
            let exposures = steps.records.iter().map(|record| &record.exposure);
            let rows = exposures.flat_map(|of| if opened { &of.opened } else { &of.closed });
            rows.map(|judged| judged.row.address.to_string()).collect()
        };
        assert_eq!((rows(true), rows(false)), (vec!["10.0.0.5/32".to_owned()], Vec::new()), "{floating:?}");
        assert_eq!(listener.commands.len(), 1);
    }
}

/// A server of so many at an address of a network.
fn member(id: &str, network: &str, number: usize) -> Object {
    let fixed = json!([{"ip_address": format!("10.0.0.{number}"), "subnet_id": network}]);
    port(id, 1, &json!({"network_id": network, "fixed_ips": fixed}))
}

/// A rule of another group that admits the members of this one.
fn admits_members() -> Object {
    let fields = json!({
        "id": "h1", "revision_number": 0, "project_id": "p", "security_group_id": "h", "direction": "ingress",
        "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 443, "port_range_max": 443,
        "remote_group_id": "g",
    });
    object(Kind::Rule, &fields)
}

/// Servers that went from one network to another with their addresses: the group that is somebody's source has them as before.
#[test]
fn a_group_lost_and_gained_the_address_that_another_network_s_port_took_over() {
    let network_of = |id: &str| object(Kind::Network, &json!({"id": id, "name": id, "revision_number": 1}));
    // One of them beside much else; and more of them than go into a step, which a rule of their group ties to each other.
    for (moved, rule_comes) in [(1, false), (2 * MERGED_MAX, true)] {
        let stays = || {
            let kept = member("kept", "n", 250);
            [network(), network_of("m"), group(), group_of("h", "h"), admits_members(), kept].into_iter()
        };
        let members = |network: &'static str| {
            (0..moved).map(move |number| member(&format!("{network}{number}"), network, number))
        };
        let mut listener = Listener::new();
        listener.in_steps(1, 0, &stays().chain(members("n")).chain(others(1)).collect::<Vec<_>>());
        let came = rule_comes.then(|| rule("r1", 22));
        let after: Vec<Object> = stays().chain(others(2)).chain(members("m")).chain(came).collect();
        let steps = listener.in_steps(2, 1_000, &after);
        if !rule_comes {
            assert_eq!(changed_members(&steps), 0);
        }
        // What is too much for one step may be told to go and come back as a source; a rule is never told as open on a port that is gone.
        let opened = steps.records.iter().flat_map(|record| &record.exposure.opened);
        assert_eq!(opened.filter(|judged| judged.row.port_id.text().starts_with('n')).count(), 0, "{moved}");
        // One that nobody takes over is gone.
        let after: Vec<Object> = stays().chain(members("m").skip(1)).chain(others(2)).collect();
        assert_eq!(changed_members(&listener.in_steps(3, 2_000, &after)), 1, "{moved}");
    }
}

fn changed_members(steps: &Steps) -> usize {
    let members = steps.records.iter().flat_map(|record| &record.exposure.members);
    members.map(|change| change.gained.len() + change.lost.len()).sum()
}
