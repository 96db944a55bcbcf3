//! The built-in scanner over a slow and lossy way, beside nmap: two network namespaces of the kernel's own, with real sockets in both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::num::NonZeroU32;
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, Command, Stdio};

use osel::action::builtin::{Builtin, ScanRates};
use osel::action::scanner::{ScanOrder, Scanner};
use osel_core::scan::{HostResult, ProbeState};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::{Value, json};

use crate::scanners::order;

/// Hosts, each with the ports that it listens on.
type Hosts = BTreeMap<String, BTreeSet<u16>>;
/// Ports that are open.
type Open = BTreeSet<(String, u16)>;

/// What may be lost with each step of a linear congruence (Knuth's numbers): enough for ports that look like chance.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Two namespaces; they go with it.
pub(crate) struct Testbed {
    child: Child,
    /// Its end is the end of the testbed.
    stdin: Option<ChildStdin>,
    /// The scanner's.
    pub(crate) namespace: String,
}

impl Testbed {
    pub(crate) fn start(plan: &Value) -> Self {
        let mut child = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/testbed.py"))
            .arg(plan.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python is there");
        let mut namespace = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut namespace).expect("a line");
        assert!(!namespace.is_empty(), "a testbed needs root, `ip` and `nft`");
        Self { stdin: child.stdin.take(), child, namespace: namespace.trim().to_owned() }
    }

    /// What a program prints that runs beside the hosts.
    fn output(&self, program: &str, arguments: &[&str]) -> String {
        let output = Command::new("ip")
            .args(["netns", "exec", &self.namespace, program])
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .expect("`ip` is there");
        assert!(output.status.success(), "{program}: {}", output.status);
        String::from_utf8(output.stdout).expect("text")
    }

    /// What `osel scan` prints of these hosts, a line for each port.
    fn osel(&self, hosts: &[&str], ports: &str) -> Vec<Value> {
        // The rates of the daemon.
        let arguments = ["scan", "-o", "json", "--rate", "500", "--rate-per-host", "100", "-p", ports];
        let printed = self.output(env!("CARGO_BIN_EXE_osel"), &[&arguments[..], hosts].concat());
        printed.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// What the built-in scanner makes of an order, in the daemon's way and with its rates.
    fn builtin(&self, order: &ScanOrder) -> Vec<HostResult> {
        let number = |number| NonZeroU32::new(number).expect("it is not zero");
        let rates = ScanRates { rate: number(500), rate_per_host: number(100), concurrency: number(1024) };
        let namespace = File::open(format!("/run/netns/{}", self.namespace)).expect("a namespace");
        let scan = || {
            // Of this thread alone.
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("root may");
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(Builtin::new(rates, number(1)).fetch(order, "")).expect("a scan")
        };
        std::thread::scope(|scope| scope.spawn(scan).join()).expect("it does not panic").hosts
    }

    /// What nmap says is open.
    fn nmap(&self, hosts: &[&str], ports: &str) -> Open {
        let arguments = ["-sT", "-Pn", "-n", "--max-rate", "500", "-oG", "-", "-p", ports];
        let printed = self.output("nmap", &[&arguments[..], hosts].concat());
        let of_line = |line: &str| {
            let (host, ports) = line.strip_prefix("Host: ")?.split_once("Ports: ")?;
            let host = host.split_whitespace().next()?.to_owned();
            let is_open =
                |port: &str| Some(port.trim().split_once("/open/")?.0.parse::<u16>().expect("a port"));
            let open = ports.split(',').filter_map(is_open).collect::<Vec<_>>();
            Some(open.into_iter().map(move |port| (host.clone(), port)))
        };
        printed.lines().filter_map(of_line).flatten().collect()
    }
}

impl Drop for Testbed {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

fn in_state<'a>(lines: &'a [Value], state: &'a str) -> impl Iterator<Item = (String, u16)> + 'a {
    lines.iter().filter(move |line| line["state"] == state).map(place)
}

fn place(line: &Value) -> (String, u16) {
    (line["address"].as_str().expect("a text").to_owned(), line["port"].as_u64().expect("a number") as u16)
}

/// Ports in another state than the wanted one, with both; those without a state were not told of at all.
fn wrong(lines: &[Value], wanted: impl Fn(&(String, u16)) -> &'static str, asked: &Open) -> Vec<String> {
    let told: BTreeMap<_, _> = lines.iter().map(|line| (place(line), &line["state"])).collect();
    let told = |port: &(String, u16)| told.get(port).and_then(|state| state.as_str()).unwrap_or("not told");
    let tell =
        |port: &(String, u16)| format!("{}:{} is {}, not {}", port.0, port.1, told(port), wanted(port));
    asked.iter().filter(|port| told(port) != wanted(port)).map(tell).collect()
}

/// Eight hosts behind a way that takes between 1 and 50 ms in each direction, loses this much in each, and stands still for some time.
struct SlowWay {
    testbed: Testbed,
    names: Vec<String>,
    listening: Open,
}

impl SlowWay {
    const ASKED: u16 = 100;

    fn start(loss_percent: u32, pauses: &Value) -> Self {
        let mut state = u64::from(loss_percent) + 1;
        let mut hosts = Hosts::new();
        for number in 1..=8 {
            let ports = (0..10).map(|_| 1 + (next(&mut state) % u64::from(Self::ASKED)) as u16).collect();
            hosts.insert(format!("10.77.1.{number}"), ports);
        }
        let plan = json!({
            "hosts": hosts, "loss_percent": loss_percent, "delay_ms": [1, 50], "pauses": pauses, "seed": loss_percent,
        });
        let of_host = |(host, ports): (&String, &BTreeSet<u16>)| {
            ports.iter().map(|port| (host.clone(), *port)).collect::<Vec<_>>()
        };
        let listening = hosts.iter().flat_map(of_host).collect();
        Self { testbed: Testbed::start(&plan), names: hosts.into_keys().collect(), listening }
    }

    fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    fn ports() -> String {
        format!("1-{}", Self::ASKED)
    }

    /// Has them scanned, and tells what was found open.
    fn finds_all_open_ports(&self) -> Open {
        let lines = self.testbed.osel(&self.names(), &Self::ports());
        let ports_of = |host: &String| (1..=Self::ASKED).map(|port| (host.clone(), port)).collect::<Vec<_>>();
        let asked: Open = self.names.iter().flat_map(ports_of).collect();
        // A host that answers at all refuses what it does not listen on.
        let wanted = |port: &_| if self.listening.contains(port) { "open" } else { "closed" };
        assert_eq!(wrong(&lines, wanted, &asked), [""; 0], "ports in another state than theirs");
        assert_eq!(lines.len(), asked.len(), "each is told of once");
        in_state(&lines, "open").collect()
    }
}

/// No open port is missed, neither by what is known of the hosts nor by what nmap says.
fn finds_all_open_ports(loss_percent: u32) {
    let way = SlowWay::start(loss_percent, &json!([]));
    let open = way.finds_all_open_ports();
    let missed: Vec<_> =
        way.testbed.nmap(&way.names(), &SlowWay::ports()).difference(&open).cloned().collect();
    assert!(missed.is_empty(), "only nmap found {missed:?}");
}

#[test]
fn all_open_ports_are_found_over_a_slow_way() {
    finds_all_open_ports(0);
}

#[test]
fn all_open_ports_are_found_where_one_packet_of_a_hundred_is_lost() {
    finds_all_open_ports(1);
}

#[test]
fn all_open_ports_are_found_where_five_packets_of_a_hundred_are_lost() {
    finds_all_open_ports(5);
}

#[test]
fn all_open_ports_are_found_though_the_way_holds_all_packets_for_a_while() {
    SlowWay::start(1, &json!([["hold", 0.4, 0.5], ["hold", 1.55, 2]])).finds_all_open_ports();
}

#[test]
fn all_open_ports_are_found_though_the_way_drops_all_packets_for_a_while() {
    SlowWay::start(1, &json!([["drop", 0.05, 0.3], ["drop", 1.2, 2]])).finds_all_open_ports();
}

#[test]
fn all_open_ports_are_found_though_the_scanner_is_stopped_every_now_and_then() {
    // Again and again, so that each try of a port falls into the short time before a stop.
    let stops: Vec<_> = (0..10).map(|number| json!(["stop", 0.5 + 0.43 * f64::from(number), 0.4])).collect();
    SlowWay::start(1, &json!(stops)).finds_all_open_ports();
}

#[test]
fn what_a_firewall_drops_is_filtered_and_what_it_lets_through_is_found() {
    // Of an address that answers at two ports only, nothing tells how much is lost on the way: each port has two tries, of which five
    // percent of loss in each direction would take both once in a hundred.
    let plan = json!({"silent": {"10.77.1.1": [25, 443]}, "loss_percent": 1, "delay_ms": [1, 20], "seed": 9});
    let testbed = Testbed::start(&plan);
    let lines = testbed.osel(&["10.77.1.1"], "20-60,443");
    let ports = |state| in_state(&lines, state).map(|(_, port)| port).collect::<Vec<_>>();
    let mut open = ports("open");
    open.sort_unstable();
    assert_eq!(open, [25, 443]);
    assert_eq!(ports("filtered").len(), 40);
}

#[test]
fn a_host_behind_a_proxy_answers_everywhere_and_its_neighbours_do_not() {
    let ports: &[u16] = &[22, 80, 443];
    let plan = json!({
        "proxies": ["10.77.1.1"], "hosts": {"10.77.1.2": ports}, "silent": {"10.77.1.3": ports},
        "loss_percent": 5, "delay_ms": [1, 20], "seed": 3,
    });
    let testbed = Testbed::start(&plan);
    let hosts = testbed.builtin(&order(&[("10.77.1.1", ports), ("10.77.1.2", ports), ("10.77.1.3", ports)]));
    let open = |host: &HostResult| host.ports.iter().filter(|found| found.state == ProbeState::Open).count();
    let told: Vec<_> = hosts.iter().map(|host| (open(host), host.answers_everywhere)).collect();
    assert_eq!(told, [(3, true), (3, false), (3, false)]);
    assert!(hosts[0].states().values().all(|state| *state == ProbeState::NotProbed), "it proves nothing");
}

#[test]
fn a_command_asks_a_silent_port_often_enough_for_a_bad_way() {
    let testbed = Testbed::start(&json!({"late": {"10.77.1.1": [22]}}));
    let hosts = testbed.builtin(&order(&[("10.77.1.1", &[22])]));
    assert_eq!(hosts[0].ports[0].state, ProbeState::Open);
}
