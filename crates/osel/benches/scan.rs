//! `osel scan` against nmap and against a bare connect loop, side by side in one run.
//!
//! Whole processes are timed, from start to exit, in turn, so that all of them see the same machine.
//! Everything happens in network namespaces of its own: nothing else listens there, and the firewall rules
//! that drop packets meet nobody else. Needs root, `nmap`, `nft` and `ip`; says so and fails where one is
//! missing, installs nothing.
//!
//! `cargo bench -p osel --bench scan`; the goals are those of the issue, and a missed one is an exit code of
//! 1.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// Runs of each program on loopback; the median counts.
const LOOPBACK_RUNS: usize = 7;
/// Runs of each program on dropped packets, where nmap takes most of a minute.
const DROPPING_RUNS: usize = 3;
/// Every port of an address.
const ALL_PORTS: &str = "1-65535";
/// Ports that drop, without any answer from the address.
const SILENT_PORTS: &str = "1-100";
/// Ports most of which drop, beside some that answer.
const MIXED_PORTS: &str = "1-1000";
const LOOPBACK: &str = "127.0.0.1";
/// 4,096 addresses, each with 20 ports, of which four listen.
const MANY: &str = "127.1.0.0/20";
const MANY_PORTS: &str = "21-25,80-84,108-112,443-447";
const MANY_OPEN: usize = 4 * 4096;
/// Runs over them.
const MANY_RUNS: usize = 3;
/// The address of the namespace that is scanned through a pair of virtual interfaces (RFC 5737).
const SCANNED: &str = "192.0.2.2";
const SCANNING: &str = "192.0.2.1";
/// Ports that listen; in the mixed case they are let through by the firewall, and so are [`REFUSING`].
const LISTENING: [u16; 5] = [22, 80, 111, 443, 900];
const REFUSING: [u16; 5] = [23, 81, 112, 444, 901];

/// Ports and their states, as either program tells them.
type States = BTreeMap<u16, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--bare", address] => bare_loop(address),
        ["--listen", address] => listen(address),
        _ => match bench() {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
    }
}

/// The least that finds open ports: connect to one after the other.
fn bare_loop(address: &str) -> ExitCode {
    let address: Ipv4Addr = address.parse().expect("the bench gives an address");
    let open = (1..=u16::MAX).filter(|&port| TcpStream::connect(SocketAddr::from((address, port))).is_ok());
    println!("{} open", open.count());
    ExitCode::SUCCESS
}

/// Listens until the standard input ends, and lets go of whoever comes: a queue that fills up would drop.
fn listen(address: &str) -> ExitCode {
    for port in LISTENING {
        let listener = TcpListener::bind((address, port)).expect("a namespace of our own");
        std::thread::spawn(move || listener.incoming().for_each(drop));
    }
    println!("{}", LISTENING.len());
    let _ = std::io::stdin().read_line(&mut String::new());
    ExitCode::SUCCESS
}

fn bench() -> Result<bool, String> {
    for (program, argument) in [("nmap", "--version"), ("nft", "--version"), ("ip", "-V")] {
        let found = Command::new(program).arg(argument).stdout(Stdio::null()).status();
        found.map_err(|_| format!("{program} is needed: apt-get install nmap nftables iproute2"))?;
    }
    let scanner = Namespace::new("a")?;
    let scanned = Namespace::new("b")?;
    scanner.connect(&scanned)?;
    let local = scanner.listener(LOOPBACK)?;
    let mut reached = true;

    println!("loopback, {ALL_PORTS}, median of {LOOPBACK_RUNS}");
    let bare = || scanner.time(&[&this_program()?, "--bare", LOOPBACK]);
    let [bare, nmap, osel] = interleaved(
        LOOPBACK_RUNS,
        [&bare, &|| nmap(&scanner, ALL_PORTS, LOOPBACK), &|| osel(&scanner, ALL_PORTS, LOOPBACK)],
    )?;
    show("bare loop", &bare);
    show("nmap -sT -Pn -n", &nmap);
    show("osel scan", &osel);
    reached &= goal("against nmap", median(&nmap) / median(&osel), 1.5);
    reached &= goal("against the bare loop", median(&bare) / median(&osel), 0.6);
    reached &= same(&nmap, &osel, 65_535)?;

    drop(local);
    reached &= many(&scanner)?;

    scanned.firewall("tcp dport 1-65535 drop")?;
    reached &= dropping(&scanner, "every port drops", SILENT_PORTS, 100)?;
    let _listener = scanned.listener(SCANNED)?;
    let allowed: Vec<String> = LISTENING.iter().chain(&REFUSING).map(u16::to_string).collect();
    scanned.firewall(&format!("tcp dport {{ {} }} accept\ntcp dport 1-65535 drop", allowed.join(", ")))?;
    reached &= dropping(&scanner, "10 ports answer, the others drop", MIXED_PORTS, 1000)?;
    Ok(reached)
}

fn many(scanner: &Namespace) -> Result<bool, String> {
    println!("\nloopback, {MANY}, {MANY_PORTS}, median of {MANY_RUNS}");
    let _everywhere = scanner.listener("0.0.0.0")?;
    let [nmap, osel] =
        interleaved(MANY_RUNS, [&|| nmap(scanner, MANY_PORTS, MANY), &|| osel(scanner, MANY_PORTS, MANY)])?;
    show("nmap -sT -Pn -n", &nmap);
    show("osel scan", &osel);
    let open =
        |runs: &[Run], mark: &str| runs.iter().all(|(_, text)| text.matches(mark).count() == MANY_OPEN);
    let same = open(&nmap, "<state state=\"open\"") && open(&osel, "\"state\":\"open\"");
    println!("  {MANY_OPEN} open ports in each run: {}", if same { "yes" } else { "NO" });
    Ok(goal("against nmap", median(&nmap) / median(&osel), 1.5) & same)
}

fn dropping(scanner: &Namespace, what: &str, ports: &str, count: usize) -> Result<bool, String> {
    println!("\n{what}, {ports}, median of {DROPPING_RUNS}");
    let [nmap, osel] =
        interleaved(DROPPING_RUNS, [&|| nmap(scanner, ports, SCANNED), &|| osel(scanner, ports, SCANNED)])?;
    show("nmap -sT -Pn -n", &nmap);
    show("osel scan", &osel);
    Ok(goal("against nmap", median(&nmap) / median(&osel), 5.0) & same(&nmap, &osel, count)?)
}

/// How long a run took, and what it printed.
type Run = (Duration, String);
type Program<'a> = &'a dyn Fn() -> Result<Run, String>;

/// Runs the programs in turn, so often.
fn interleaved<const N: usize>(runs: usize, programs: [Program<'_>; N]) -> Result<[Vec<Run>; N], String> {
    let mut results = [const { Vec::new() }; N];
    for _ in 0..runs {
        for (program, results) in programs.iter().zip(&mut results) {
            results.push(program()?);
        }
    }
    Ok(results)
}

fn nmap(from: &Namespace, ports: &str, address: &str) -> Result<Run, String> {
    from.time(&["nmap", "-sT", "-Pn", "-n", "-oX", "-", "-p", ports, address])
}

fn osel(from: &Namespace, ports: &str, address: &str) -> Result<Run, String> {
    from.time(&[env!("CARGO_BIN_EXE_osel"), "scan", address, "--ports", ports, "-o", "json"])
}

fn this_program() -> Result<String, String> {
    let path = std::env::current_exe().map_err(|error| error.to_string())?;
    path.into_os_string().into_string().map_err(|path| format!("{} is not UTF-8", path.display()))
}

fn median(runs: &[Run]) -> f64 {
    let mut times: Vec<f64> = runs.iter().map(|(time, _)| time.as_secs_f64()).collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn show(name: &str, runs: &[Run]) {
    let times = runs.iter().map(|(time, _)| time.as_secs_f64());
    let (low, high) = times.fold((f64::MAX, 0.0_f64), |(low, high), time| (low.min(time), high.max(time)));
    println!("  {name:16} {:8.3} s   ({low:.3}–{high:.3})", median(runs));
}

fn goal(what: &str, ratio: f64, goal: f64) -> bool {
    let reached = ratio >= goal;
    println!("  {what:22} {ratio:8.2} x   goal {goal} x: {}", if reached { "reached" } else { "MISSED" });
    reached
}

/// Whether every run of either program tells the same state for every port.
fn same(nmap: &[Run], osel: &[Run], count: usize) -> Result<bool, String> {
    let by_osel = osel.iter().map(|(_, text)| states_of_osel(text));
    let all: Vec<States> = nmap.iter().map(|(_, text)| states_of_nmap(text, count)).chain(by_osel).collect();
    let Some((first, others)) = all.split_first() else { return Err("nothing ran".to_owned()) };
    let same = first.len() == count && others.iter().all(|states| states == first);
    let mut counts = BTreeMap::new();
    for state in first.values() {
        *counts.entry(state.as_str()).or_insert(0_usize) += 1;
    }
    println!("  the same verdicts: {} {counts:?}", if same { "yes" } else { "NO" });
    for (number, states) in others.iter().enumerate().filter(|_| !same) {
        let differs = |port: &u16| states.get(port) != first.get(port);
        let ports: Vec<u16> = (0..=u16::MAX).filter(differs).take(10).collect();
        println!("    run {}: {} ports, differs at {ports:?}", number + 2, states.len());
    }
    Ok(same)
}

/// nmap's XML names ports one by one and sums up those of the most frequent state.
fn states_of_nmap(text: &str, count: usize) -> States {
    let value = |element: &str, key: &str| {
        let (_, rest) = element.split_once(&format!("{key}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    let named = text.split("<port ").skip(1);
    let mut states: States = named
        .filter_map(|port| Some((value(port, "portid")?.parse().ok()?, value(port, "state")?)))
        .collect();
    let summed: Vec<_> =
        text.split("<extraports ").skip(1).filter_map(|extra| value(extra, "state")).collect();
    if let [state] = &summed[..] {
        for port in 1..=count as u16 {
            states.entry(port).or_insert_with(|| state.clone());
        }
    }
    states
}

fn states_of_osel(text: &str) -> States {
    let state = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        Some((line["port"].as_u64()?.try_into().ok()?, line["state"].as_str()?.to_owned()))
    };
    text.lines().filter_map(state).collect()
}

/// A network namespace, gone when this is.
struct Namespace {
    name: String,
}

impl Namespace {
    fn new(letter: &str) -> Result<Self, String> {
        let name = format!("osel-bench-{}-{letter}", std::process::id());
        run(&["ip", "netns", "add", &name]).map_err(|error| format!("{error}\nnamespaces need root"))?;
        let namespace = Self { name };
        namespace.run(&["ip", "link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Joins two namespaces by a pair of interfaces; this one scans, the other one is scanned.
    fn connect(&self, other: &Self) -> Result<(), String> {
        run(&[
            "ip",
            "link",
            "add",
            "osel0",
            "netns",
            &self.name,
            "type",
            "veth",
            "peer",
            "name",
            "osel0",
            "netns",
            &other.name,
        ])?;
        for (namespace, address) in [(self, SCANNING), (other, SCANNED)] {
            namespace.run(&["ip", "address", "add", &format!("{address}/24"), "dev", "osel0"])?;
            namespace.run(&["ip", "link", "set", "osel0", "up"])?;
        }
        Ok(())
    }

    /// Sets the rules for packets that come in.
    fn firewall(&self, rules: &str) -> Result<(), String> {
        let chain = format!("chain incoming {{\ntype filter hook input priority 0\n{rules}\n}}");
        self.run(&[
            "nft",
            &format!("table inet osel\ndelete table inet osel\ntable inet osel {{\n{chain}\n}}"),
        ])
    }

    /// A process in the namespace that listens on [`LISTENING`].
    fn listener(&self, address: &str) -> Result<Listener, String> {
        let mut child = self
            .command(&[&this_program()?, "--listen", address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let mut ready = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut ready);
        }
        let listener = Listener(child);
        if ready.is_empty() { Err("the listener did not start".to_owned()) } else { Ok(listener) }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).args(words);
        command
    }

    fn run(&self, words: &[&str]) -> Result<(), String> {
        run(&[&["ip", "netns", "exec", &self.name], words].concat())
    }

    /// Runs a program in the namespace and returns how long it took and what it printed.
    fn time(&self, words: &[&str]) -> Result<Run, String> {
        let started = Instant::now();
        let output = self.command(words).output().map_err(|error| error.to_string())?;
        let took = started.elapsed();
        if !output.status.success() {
            return Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr)));
        }
        Ok((took, String::from_utf8_lossy(&output.stdout).into_owned()))
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = run(&["ip", "netns", "delete", &self.name]);
    }
}

/// A listening process, ended with this.
struct Listener(Child);

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(words: &[&str]) -> Result<(), String> {
    let output = Command::new(words[0]).args(&words[1..]).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim()))
}
