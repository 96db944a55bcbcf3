//! How long a question to `reach` takes in a batch, with routers, extra routes and firewalls added to the cloud.

use std::time::{Duration, Instant};

use osel_core::event::Object;
use osel_core::exposure::{Question, reach};
use osel_core::ids::Id;
use osel_core::model::{CloudModel, Protocol, View};
use osel_sim::random::Random;

use super::cloud::Cloud;
use super::{merge, spread};

/// Questions of each sort.
const QUESTIONS: usize = 20_000;
/// One in so many router interfaces has a firewall group.
const INTERFACES_OF_A_FIREWALL: usize = 10;

/// Adds what decides about paths and asks; returns the median of all questions.
pub(super) fn measure(model: &mut CloudModel, cloud: &Cloud, seed: u64) -> Duration {
    merge(model, cloud.routers());
    let slots = model.ports();
    let interfaces = slots.iter().map(|&slot| model.port(slot)).filter(|port| port.router().is_some());
    let walled: Vec<Id> =
        interfaces.step_by(INTERFACES_OF_A_FIREWALL).map(|interface| interface.id.clone()).collect();
    merge(model, walled.iter().enumerate().flat_map(|(number, port)| cloud.firewall(number, port)));
    let floating: Vec<_> = cloud
        .floating_ips()
        .filter_map(|object| match object {
            Object::FloatingIp(floating) => floating.floating_ip_address,
            _ => None,
        })
        .collect();
    let mut random = Random::new(seed);
    let outside = "192.0.2.7".parse().unwrap_or_else(|_| unreachable!("an address"));
    let mut all = Vec::with_capacity(4 * QUESTIONS);
    let sorts = ["floating IP", "same network", "by a router", "any protocol"];
    for (number, sort) in sorts.into_iter().enumerate() {
        let (mut times, mut admitted) = (Vec::with_capacity(QUESTIONS), 0);
        for _ in 0..QUESTIONS {
            let Some(port) = random.pick(&slots).map(|&slot| model.port(slot)) else { break };
            let Some(to) = port.fixed_ips.first().map(|fixed| fixed.address) else { continue };
            let tcp = Protocol::Number(6);
            let service = Some(random.between(1, 30_000) as u16);
            let mut question = match (number, random.pick(&floating)) {
                (0, Some(&to)) => Question::new(outside, to, tcp, service),
                (1, _) => {
                    let mates = port.network_id.as_ref().map(|network| model.ports_on(network));
                    let mate = mates.and_then(|mates| random.pick(&mates).copied());
                    let from = mate.and_then(|mate| model.port(mate).fixed_ips.first());
                    Question::new(from.map_or(outside, |fixed| fixed.address), to, tcp, service)
                }
                (2, _) => Question::new(outside, to, tcp, service),
                _ => Question::new(outside, to, Protocol::Any, None),
            };
            if number > 0 {
                // Projects use the same addresses: whoever asks says which one is meant.
                question.network.clone_from(&port.network_id);
            }
            let start = Instant::now();
            let verdict = reach(model, &question);
            admitted += usize::from(verdict.reachable);
            drop(verdict);
            times.push(start.elapsed());
        }
        all.extend_from_slice(&times);
        spread(sort, &mut times);
        println!("{:<16}{admitted:>10} of {QUESTIONS} admitted", "");
    }
    println!("firewall groups {:>10}", walled.len());
    spread("reach", &mut all).0
}
