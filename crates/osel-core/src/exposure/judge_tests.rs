//! The quick judge against an obvious one, on small clouds where everything is shared with everything; and what is restored from written
//! objects, which changes the same rows.

use std::net::IpAddr;
use std::ops::ControlFlow;

use ipnet::IpNet;

use super::{covered, judge, rows_in_order};
use crate::event::{
    Actor, Change, Event, FixedIp, FloatingIp, Forwarding, Kind, Object, Outcome, Port, PortRange, Rule,
    Version,
};
use crate::ids::Id;
use crate::model::{CloudModel, Delta, ModelOptions, Row, address_head};
use crate::time::Timestamp;

/// Every row of the delta with its verdict: each row against each, in the words of contract §5.
fn obvious(view: &CloudModel, delta: &Delta) -> Vec<(Row, bool, bool)> {
    let same_place =
        |one: &Row, other: &Row| one.network_id == other.network_id && one.address == other.address;
    let all = crate::exposure::rows(view);
    let present =
        |row: &Row| -> Vec<Row> { all.iter().filter(|other| same_place(other, row)).cloned().collect() };
    let opened = delta.opened.iter().map(|row| {
        let present = present(row);
        let others = present.iter().filter(|other| !other.same_exposure(row));
        let came = |other: &Row| delta.opened.iter().any(|row| row.same_exposure(other));
        let stayed = present.iter().filter(|other| !came(other));
        let gone = delta.closed.iter().filter(|other| same_place(other, row));
        (row.clone(), covered(row, others), covered(row, stayed.chain(gone)))
    });
    let closed = delta.closed.iter().map(|row| (row.clone(), covered(row, present(row).iter()), true));
    let mut opened: Vec<_> = opened.collect();
    opened.sort_by_cached_key(|(row, ..)| row.sort_key());
    let mut closed: Vec<_> = closed.collect();
    closed.sort_by_cached_key(|(row, ..)| row.sort_key());
    opened.into_iter().chain(closed).collect()
}

/// A linear congruence: enough chance for a test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn id(&mut self, word: &str, limit: u64) -> Id {
        Id::new(&format!("{word}{}", self.below(limit)))
    }
}

fn version(id: &Id, revision: u64) -> Version {
    Version { id: Some(id.clone()), revision: Some(revision), project_id: None }
}

/// What rules may name as a source besides a single address.
fn source(dice: &mut Dice, ipv6: bool, rule: &mut Rule) {
    match dice.below(8) {
        0 => rule.remote_group_id = Some(Some(dice.id("group", 3))),
        1 => rule.remote_address_group_id = Some(Some(dice.id("group", 2))),
        2..4 => rule.remote_ip_prefix = Some(Some(IpNet::from(address(dice, ipv6)))),
        4 => {
            let wide = IpNet::new(address(dice, ipv6), if ipv6 { 126 } else { 30 });
            rule.remote_ip_prefix = Some(wide.ok().map(|wide| wide.trunc()));
        }
        _ => rule.remote_ip_prefix = Some(None),
    }
}

fn address(dice: &mut Dice, ipv6: bool) -> IpAddr {
    let last = dice.below(4) as u8;
    if ipv6 {
        IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last.into()])
    } else {
        IpAddr::from([10, 0, 0, last])
    }
}

fn change(dice: &mut Dice, step: u64) -> Change {
    let object = match dice.below(10) {
        0..4 => {
            // Rules that are there already become others.
            let id = dice.id("rule", 30);
            let ipv6 = dice.below(4) == 0;
            let protocol = match dice.below(12) {
                0..2 => None,
                2..8 => Some("tcp"),
                8 => Some("6"),
                9 => Some("udp"),
                10 => Some(if ipv6 { "icmpv6" } else { "icmp" }),
                _ => Some("warp"),
            };
            let mut rule = Rule {
                version: version(&id, step),
                security_group_id: Some(dice.id("group", 3)),
                ingress: Some(dice.below(12) > 0),
                ipv6: Some(ipv6),
                protocol: Some(protocol.map(Into::into)),
                port_range_min: Some((dice.below(4) > 0).then(|| 20 + dice.below(3) as i32)),
                port_range_max: Some(Some(22 + dice.below(3) as i32)),
                remote_group_id: Some(None),
                remote_address_group_id: Some(None),
                remote_ip_prefix: Some(None),
            };
            source(dice, ipv6, &mut rule);
            Object::Rule(rule)
        }
        4..8 => {
            let any = |dice: &mut Dice| {
                let ipv6 = dice.below(3) == 0;
                address(dice, ipv6)
            };
            let pairs = (0..dice.below(2)).map(|_| IpNet::from(any(dice))).collect();
            Object::Port(Port {
                version: version(&dice.id("port", 5), step),
                network_id: Some(dice.id("network", 2)),
                port_security_enabled: Some(dice.below(10) > 0),
                fixed_ips: Some(vec![FixedIp { subnet_id: None, address: any(dice) }]),
                allowed_address_pairs: Some(pairs),
                security_groups: Some((0..dice.below(3)).map(|_| dice.id("group", 3)).collect()),
                ..Port::default()
            })
        }
        8 => Object::FloatingIp(FloatingIp {
            version: version(&dice.id("floating", 2), step),
            floating_ip_address: Some(address(dice, false)),
            port_id: Some((dice.below(3) > 0).then(|| dice.id("port", 5))),
            ..FloatingIp::default()
        }),
        _ => Object::Forwarding(Forwarding {
            version: version(&dice.id("forwarding", 2), step),
            floatingip_id: Some(dice.id("floating", 2)),
            protocol: Some("tcp".into()),
            internal_port_id: Some(dice.id("port", 5)),
            internal: Some(PortRange { min: 22, max: 22 }),
            external: Some(PortRange { min: 22, max: 22 }),
            ..Forwarding::default()
        }),
    };
    Change::Objects { verb: None, objects: vec![object] }
}

#[test]
fn the_quick_judge_says_what_the_obvious_one_says() {
    let (mut judged_rows, mut redundant) = (0, 0);
    for seed in 0..40 {
        let mut dice = Dice(seed);
        let mut model = CloudModel::new(None, ModelOptions::default());
        // Knows nothing but the objects as they were written down after each step.
        let mut restored = CloudModel::new(None, ModelOptions::default());
        for step in 1..60 {
            let rules = model.ids(Kind::Rule);
            let change = match rules.get(dice.below(12) as usize) {
                Some(id) if dice.below(3) == 0 => {
                    Change::Deleted { kind: Kind::Rule, id: id.clone(), last: None }
                }
                _ => change(&mut dice, step),
            };
            let now = Timestamp::EPOCH.plus_seconds(step as i64);
            let event = Event {
                message_id: None,
                event_type: "".into(),
                publisher: None,
                timestamp: now,
                request_id: None,
                actor: Actor::default(),
                target: None,
                outcome: Outcome::Success,
                change,
            };
            let delta = model.apply(now, &event);
            let mut told = Delta::default();
            for (kind, id) in &delta.touched {
                told.append(restored.restore_telling(model.line(*kind, id)));
            }
            let in_order = |delta: &Delta| {
                let [mut opened, mut closed] = [delta.opened.clone(), delta.closed.clone()];
                opened.sort_by(Row::cmp_exposure);
                closed.sort_by(Row::cmp_exposure);
                (opened, closed)
            };
            let told = told.settled();
            assert_eq!(in_order(&told), in_order(&delta), "seed {seed}, step {step}");
            let expected = obvious(&model, &delta);
            let verdicts = |view: &CloudModel, delta: Delta| -> Vec<_> {
                let judged = judge(view, delta);
                let rows = judged.opened.into_iter().chain(judged.closed);
                rows.map(|row| (row.row, row.redundant, row.covered_before)).collect()
            };
            let found = verdicts(&model, delta);
            assert_eq!(found, expected, "seed {seed}, step {step}");
            assert_eq!(verdicts(&restored, told), expected, "restored, seed {seed}, step {step}");
            judged_rows += found.len();
            redundant += found.iter().filter(|(_, redundant, _)| *redundant).count();
        }
        let all = crate::exposure::rows(&model);
        for bound in [0, all.len() / 2].map(|at| all.get(at).map_or(0, |row| address_head(row.address))) {
            let mut rows = Vec::new();
            for is_first in [true, false] {
                let whole = rows_in_order(
                    &[&model],
                    |address| (address_head(address) < bound) == is_first,
                    |_, _| true,
                    |row| {
                        rows.push(row);
                        ControlFlow::Continue(())
                    },
                );
                assert!(whole.is_continue());
            }
            assert_eq!(rows, all, "seed {seed}");
        }
    }
    assert!(redundant > 100 && judged_rows - redundant > 100, "{redundant} of {judged_rows}");
}
