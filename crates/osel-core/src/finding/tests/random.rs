//! Whatever scans say in whatever order: what is unknown resolves nothing, ids are stable, and a port has one state.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::script::{World, place};
use crate::finding::{FindingKind, FindingState};

const PORTS: [u16; 3] = [22, 80, 443];

/// Words of a scan that say nothing.
fn unknown() -> impl Strategy<Value = String> {
    let port = prop_oneof![Just(22), Just(80), Just(443)];
    let silent =
        (port, prop_oneof![Just("closed"), Just("filtered"), Just("open|filtered"), Just("notprobed")]);
    (
        proptest::collection::vec(silent, 0..4),
        prop_oneof![Just("partial"), Just("unscanned"), Just("everywhere")],
    )
        .prop_map(|(ports, how)| {
            let ports: Vec<String> = ports.iter().map(|(port, state)| format!("{port}={state}")).collect();
            format!("scan nessus {} {how}", ports.join(" "))
        })
}

fn step() -> impl Strategy<Value = String> {
    let port = prop_oneof![Just(22), Just(80), Just(443)];
    let state = prop_oneof![Just("open"), Just("closed"), Just("filtered"), Just("open|filtered")];
    let kind = prop_oneof![Just("builtin"), Just("nessus"), Just("whole")];
    let ports = proptest::collection::vec((port.clone(), state, any::<bool>()), 0..3);
    prop_oneof![
        6 => (kind, ports).prop_map(|(kind, ports)| {
            let words: Vec<String> = ports
                .iter()
                .map(|(port, state, weak)| {
                    let weak = if *weak { format!(" V@{port}") } else { String::new() };
                    format!("{port}={state}{weak}")
                })
                .collect();
            format!("scan {kind} {}", words.join(" "))
        }),
        3 => unknown(),
        2 => port.clone().prop_map(|port| format!("admit {port} world")),
        1 => Just("deny".to_owned()),
        1 => Just("settle".to_owned()),
        1 => port.prop_map(|port| format!("expect {port} known 5")),
        1 => Just("later 3".to_owned()),
    ]
}

proptest! {
    #[test]
    fn no_order_of_results_makes_what_is_unknown_resolve_anything(
        steps in proptest::collection::vec(step(), 1..30),
        unknown in unknown(),
    ) {
        let mut world = World::default();
        let mut ids = BTreeMap::new();
        for step in &steps {
            world.step(step);
            for finding in world.findings.iter() {
                let what = (finding.kind, finding.port, finding.vulnerability.as_ref().map(|of| of.id.clone()));
                let id = ids.entry(what).or_insert_with(|| finding.id.clone());
                prop_assert_eq!(&*id, &finding.id, "the same is the same for ever");
                prop_assert_eq!(finding.is_resolved(), finding.resolved_at.is_some());
                prop_assert_eq!(finding.is_resolved(), finding.resolved_by.is_some());
            }
            for port in PORTS {
                let known = world.findings.known(&place());
                let of_port = known.iter().filter(|finding| {
                    finding.port.is_some_and(|(_, at)| at == port) && finding.kind != FindingKind::VulnerableReachable
                });
                prop_assert!(of_port.count() <= 1, "a port answers or does not, is admitted or is not");
            }
        }
        let open = |world: &World| {
            let known = world.findings.known(&place());
            known.iter().map(|finding| (finding.id.clone(), finding.state, finding.seen_seq)).collect::<Vec<_>>()
        };
        let before = open(&world);
        world.step(&unknown);
        prop_assert_eq!(open(&world), before);
        prop_assert!(world.findings.known(&place()).iter().all(|finding| finding.state != FindingState::Resolved));
    }
}
