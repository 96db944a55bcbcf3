//! How large the model of a large cloud is, and how long single changes of it take.
//!
//! `cargo bench -p osel-sim --bench model [-- --ports N]`: N ports (default 1,000,000; `OSEL_BENCH_PORTS` too), a tenth as many
//! groups, as many rules. Memory is resident memory less what it was before. Times are those of `CloudModel::apply` and
//! `exposure::judge` together, with what they made dropped again; what a record of it costs is not in them.

// A benchmark measures time and prints: what the core itself must not do.
#![allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types)]

mod cloud;
mod reach;

use std::time::{Duration, Instant};

use osel_core::event::{Actor, Change, Event, Kind, Object, Outcome, Verb};
use osel_core::exposure::judge;
use osel_core::ids::Id;
use osel_core::model::{CloudModel, ModelOptions, View};
use osel_core::time::Timestamp;
use osel_sim::random::Random;

use cloud::Cloud;

/// With the allocator that is shipped.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SEED: u64 = 20_250_817;
/// Objects in one page, as many as Neutron gives at most by default.
const PAGE: usize = 1_000;
/// Rules added to groups on few ports, and deleted again.
const FEW_RUNS: usize = 20_000;
/// The most ports of a group with few sets: the median group of the cloud has fewer.
const FEW_PORTS: usize = 32;
/// In each group on many ports, rules are added and deleted again until so many rows are reported each way,
const WIDE_ROWS: usize = 500_000;
/// and so many times at least.
const WIDE_RUNS_MIN: usize = 9;

/// The goals.
const MEDIAN_GOAL: Duration = Duration::from_micros(20);
const P99_GOAL: Duration = Duration::from_micros(200);
const MODEL_GOAL_MIB: f64 = 1024.0;
const REACH_GOAL: Duration = Duration::from_micros(50);
/// "In proportion to the rows": the dearest size costs at most so many times per row what the cheapest does.
const PROPORTION_GOAL: f64 = 3.0;

fn main() {
    let cloud = Cloud::new(SEED, ports());
    println!("cloud of {} ports, {} groups, {} rules, seed {SEED}", cloud.ports, cloud.groups, cloud.rules);
    let mut bench =
        Bench { model: CloudModel::new(None, ModelOptions::default()), cloud, second: 0, number: 0 };
    let model_mib = bench.build();
    let (median, p99) = bench.few();
    let proportion = bench.wide();
    bench.port_updates();
    let question = reach::measure(&mut bench.model, &bench.cloud, SEED ^ 3);
    let verdict = |met: bool| if met { "met" } else { "MISSED" };
    println!(
        "verdict: median {} (goal 20 us), 99th percentile {} (goal 200 us), proportion {} ({proportion:.2}), memory {} \
         (goal 1024 MiB), reach {} (goal 50 us)",
        verdict(median <= MEDIAN_GOAL),
        verdict(p99 <= P99_GOAL),
        verdict(proportion <= PROPORTION_GOAL),
        verdict(model_mib <= MODEL_GOAL_MIB),
        verdict(question <= REACH_GOAL),
    );
    // Taking a million objects apart one by one measures nothing.
    std::mem::forget(bench);
}

fn ports() -> usize {
    let arguments: Vec<String> = std::env::args().collect();
    let asked = arguments.iter().position(|argument| argument == "--ports");
    let asked = asked.and_then(|at| arguments.get(at + 1)).cloned();
    let asked = asked.or_else(|| std::env::var("OSEL_BENCH_PORTS").ok());
    asked.and_then(|text| text.replace('_', "").parse().ok()).unwrap_or(1_000_000).max(1_000)
}

struct Bench {
    cloud: Cloud,
    model: CloudModel,
    /// Time moves on by a second with each event.
    second: i64,
    /// New rules so far.
    number: usize,
}

impl Bench {
    /// Builds the model as a first inventory would; returns its MiB.
    fn build(&mut self) -> f64 {
        let (start, before) = (Instant::now(), memory_mib("VmRSS"));
        println!("{:<24}{before:>10.1} MiB resident before", "");
        let mut last = before;
        let mut report = |what: &str, count: usize| {
            let now = memory_mib("VmRSS");
            println!(
                "{what:<16}{count:>10} {:>9.1} MiB more, {:>6.0} bytes each",
                now - last,
                (now - last) * 1_048_576.0 / count.max(1) as f64
            );
            last = now;
        };
        let (cloud, model) = (&mut self.cloud, &mut self.model);
        merge(model, cloud.networks());
        merge(model, cloud.subnets());
        report("networks", model.count(Kind::Network));
        merge(model, cloud.groups());
        merge(model, cloud.address_groups());
        report("groups", model.count(Kind::SecurityGroup));
        merge(model, cloud.rules());
        report("rules", model.count(Kind::Rule));
        merge(model, (0..cloud.ports).map(|number| Object::Port(cloud.port(number))));
        report("ports", model.count(Kind::Port));
        merge(model, cloud.floating_ips());
        report("floating IPs", model.count(Kind::FloatingIp));
        let model_mib = memory_mib("VmRSS") - before;
        println!("build           {:>10.2} s", start.elapsed().as_secs_f64());
        println!(
            "model           {model_mib:>10.1} MiB resident, at most {:.1} MiB",
            memory_mib("VmHWM") - before
        );
        model_mib
    }

    /// Single rules in groups with few sets and few ports.
    fn few(&mut self) -> (Duration, Duration) {
        let mut random = Random::new(SEED ^ 1);
        let mut ports_of = vec![0_u32; self.cloud.groups];
        let slots = self.model.ports();
        let numbers: std::collections::HashMap<Id, usize> =
            (0..self.cloud.groups).map(|group| (self.cloud.group_id(group), group)).collect();
        for slot in slots {
            for group in &self.model.port(slot).security_groups {
                if let Some(&number) = numbers.get(group) {
                    ports_of[number] += 1;
                }
            }
        }
        drop(numbers);
        let few: Vec<usize> = (0..self.cloud.groups)
            .filter(|&group| (1..=FEW_PORTS).contains(&(ports_of[group] as usize)))
            .collect();
        let (mut adds, mut deletes, mut rows) = (Vec::new(), Vec::new(), 0);
        for _ in 0..FEW_RUNS {
            let Some(&group) = random.pick(&few) else { break };
            let (add, delete, opened) = self.add_and_delete(group);
            adds.push(add);
            deletes.push(delete);
            rows += opened;
        }
        println!(
            "groups on 1 to {FEW_PORTS} ports: {}, {:.1} rows for each rule",
            few.len(),
            rows as f64 / FEW_RUNS as f64
        );
        let (median, p99) = spread("rule added", &mut adds);
        spread("rule deleted", &mut deletes);
        (median, p99)
    }

    /// Single rules in groups on very many ports; returns by how much the cost of a row differs between sizes. The time is the
    /// processor's, since long runs would count what else the machine does.
    fn wide(&mut self) -> f64 {
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        let groups: Vec<_> = self.cloud.wide_groups().collect();
        for (ports, group) in groups {
            let runs = (WIDE_ROWS / ports).max(WIDE_RUNS_MIN);
            let (mut adds, mut rows) = (Vec::with_capacity(runs), 0);
            let start = processor_nanos();
            for _ in 0..runs {
                let (add, _, opened) = self.add_and_delete(group);
                adds.push(add);
                rows = opened;
            }
            let a_row = (processor_nanos() - start) / (2 * runs * rows.max(1)) as f64;
            adds.sort_unstable();
            println!(
                "group on {ports:>6} ports: {rows:>6} rows, rule added {:>10.1} us median; {a_row:>6.0} ns a row reported",
                adds[runs / 2].as_nanos() as f64 / 1_000.0,
            );
            (least, most) = (least.min(a_row), most.max(a_row));
        }
        if least > 0.0 && most > 0.0 { most / least } else { 1.0 }
    }

    /// Ports that get another name, and ports that get other groups.
    fn port_updates(&mut self) {
        let mut random = Random::new(SEED ^ 2);
        let (mut names, mut groups) = (Vec::new(), Vec::new());
        for run in 0..FEW_RUNS / 2 {
            let number = random.index(self.cloud.ports);
            let Some(slot) = self.model.port_slot(&self.cloud.port_id(number)) else { continue };
            let mut port = osel_core::event::Port::default();
            port.version.id = Some(self.cloud.port_id(number));
            port.version.revision = Some(10 + 2 * run as u64);
            port.name = Some(format!("name-{run}").into());
            names.push(
                self.time(Change::Objects {
                    verb: Some(Verb::Update),
                    objects: vec![Object::Port(port.clone())],
                })
                .0,
            );
            let mut other = self.model.port(slot).security_groups.to_vec();
            other.push(self.cloud.group_id(random.index(self.cloud.groups)));
            port.version.revision = Some(11 + 2 * run as u64);
            port.security_groups = Some(other);
            let (time, _) =
                self.time(Change::Objects { verb: Some(Verb::Update), objects: vec![Object::Port(port)] });
            groups.push(time);
        }
        spread("port renamed", &mut names);
        spread("port's groups", &mut groups);
    }

    fn add_and_delete(&mut self, group: usize) -> (Duration, Duration, usize) {
        self.number += 1;
        let rule = self.cloud.new_rule(self.number, group, 31_000 + (self.number % 1_000) as i32);
        let id = rule.version.id.clone().unwrap_or_else(|| Id::new(""));
        let (add, opened) =
            self.time(Change::Objects { verb: Some(Verb::Create), objects: vec![Object::Rule(rule)] });
        let (delete, closed) = self.time(Change::Deleted { kind: Kind::Rule, id, last: None });
        assert_eq!(opened, closed, "what a rule opened is closed with it");
        (add, delete, opened)
    }

    /// One event through the model and the judge: how long, and how many rows.
    fn time(&mut self, change: Change) -> (Duration, usize) {
        self.second += 1;
        let now = Timestamp::EPOCH.plus_seconds(1_700_000_000 + self.second);
        let event = Event {
            message_id: Some(Random::new(self.second as u64).uuid().into()),
            event_type: "".into(),
            publisher: None,
            timestamp: now,
            request_id: None,
            actor: Actor::default(),
            target: None,
            outcome: Outcome::Success,
            change,
        };
        let start = Instant::now();
        let delta = self.model.apply(now, &event);
        let judged = judge(&self.model, delta);
        let rows = judged.opened.len() + judged.closed.len();
        drop(judged);
        (start.elapsed(), rows)
    }
}

fn merge(model: &mut CloudModel, objects: impl Iterator<Item = Object>) {
    let now = Timestamp::EPOCH.plus_seconds(1_700_000_000);
    let mut page = Vec::with_capacity(PAGE);
    for object in objects {
        page.push(object);
        if page.len() == PAGE {
            model.merge_read(now, now, false, &page, false);
            page.clear();
        }
    }
    model.merge_read(now, now, false, &page, false);
}

/// Prints the middle and the end of a list of times.
fn spread(what: &str, times: &mut [Duration]) -> (Duration, Duration) {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    let micros = |time: Duration| time.as_nanos() as f64 / 1_000.0;
    println!(
        "{what:<16}{:>10.1} us median {:>9.1} us 99th percentile {:>9.1} us at most",
        micros(at(50)),
        micros(at(99)),
        micros(times.last().copied().unwrap_or_default())
    );
    (at(50), at(99))
}

/// How long this thread has run, by the scheduler; exact to a few milliseconds.
fn processor_nanos() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or_default()
}

/// A line of `/proc/self/status`, in MiB; 0 where there is none.
fn memory_mib(key: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or_default() / 1_024.0
}
