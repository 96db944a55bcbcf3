//! The built-in scanner against real sockets, and against nmap.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::time::Duration;

use osel::action::scan::{
    NotProbed, PortResult, PortSpec, PortState, Protocol, ScanError, ScanPlan, ScanSummary, scan,
};
use socket2::{Domain, Socket, Type};

/// Results by place; a second result for one place fails the test.
type Found = BTreeMap<(IpAddr, Protocol, u16), Result<PortState, NotProbed>>;

fn run(plan: &ScanPlan) -> (Found, ScanSummary) {
    let mut found = Found::new();
    let on_result = |result: PortResult| {
        let place = (result.address, result.protocol, result.port);
        assert_eq!(found.insert(place, result.state), None, "a second result for {place:?}");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let summary = runtime.block_on(scan(plan, on_result)).expect("a scan");
    (found, summary)
}

/// A plan for these ports, each of its own address.
fn plan(places: &[(Protocol, SocketAddr)]) -> ScanPlan {
    let target = |&(protocol, place): &(Protocol, SocketAddr)| {
        let mut ports = PortSpec::new();
        ports.add(protocol, place.port(), place.port());
        (place.ip(), ports)
    };
    ScanPlan::new(places.iter().map(target).collect())
}

fn listener(address: &str) -> TcpListener {
    TcpListener::bind((address, 0)).expect("loopback has free ports")
}

fn tcp(listener: &TcpListener) -> (Protocol, SocketAddr) {
    (Protocol::Tcp, listener.local_addr().expect("a bound socket has an address"))
}

fn udp(socket: &UdpSocket) -> (Protocol, SocketAddr) {
    (Protocol::Udp, socket.local_addr().expect("a bound socket has an address"))
}

/// A port nobody listens on: bound, noted and freed.
fn closed(address: &str) -> (Protocol, SocketAddr) {
    tcp(&listener(address))
}

fn state(found: &Found, (protocol, place): (Protocol, SocketAddr)) -> Result<PortState, NotProbed> {
    found[&(place.ip(), protocol, place.port())]
}

#[test]
fn both_families_are_told_open_from_closed() {
    for address in ["127.0.0.20", "::1"] {
        let listeners: Vec<_> = (0..5).map(|_| listener(address)).collect();
        let open: Vec<_> = listeners.iter().map(tcp).collect();
        let closed: Vec<_> = (0..5).map(|_| closed(address)).filter(|place| !open.contains(place)).collect();
        let (found, summary) = run(&plan(&[open.clone(), closed.clone()].concat()));
        assert!(open.iter().all(|&place| state(&found, place) == Ok(PortState::Open)), "{found:?}");
        // Another test may have been given one of these ports since; then it is rightly open.
        let taken = |(_, place): (Protocol, SocketAddr)| TcpListener::bind(place).is_err();
        let is_right = |&place: &_| state(&found, place) == Ok(PortState::Closed) || taken(place);
        assert!(closed.iter().all(is_right), "{found:?}");
        assert_eq!((summary.ports(), summary.not_probed), (found.len() as u64, 0));
    }
}

#[test]
fn a_datagram_port_answers_refuses_or_stays_open_or_filtered() {
    let answering = UdpSocket::bind("127.0.0.21:0").expect("a socket");
    let silent = UdpSocket::bind("127.0.0.21:0").expect("a socket");
    let free = udp(&UdpSocket::bind("127.0.0.21:0").expect("a socket"));
    let (answering_at, silent_at) = (udp(&answering), udp(&silent));
    let server = std::thread::spawn(move || {
        let (_, from) = answering.recv_from(&mut [0; 16]).expect("the probe");
        answering.send_to(b"here", from).expect("an answer");
    });
    let (found, summary) = run(&plan(&[answering_at, silent_at, free]));
    server.join().expect("the server answered");
    assert_eq!(state(&found, answering_at), Ok(PortState::Open));
    assert_eq!(state(&found, silent_at), Ok(PortState::OpenFiltered));
    assert_eq!(state(&found, free), Ok(PortState::Closed));
    assert_eq!((summary.open_filtered, summary.attempts), (1, 4), "only silence is asked again");
}

/// A listener whose queue is full drops what comes: silence, without a firewall.
#[test]
fn silence_is_filtered_after_a_retry_and_a_control() {
    let full = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    full.bind(&SocketAddr::from(([127, 0, 0, 22], 0)).into()).expect("loopback has free ports");
    full.listen(0).expect("a listener");
    let place = full.local_addr().expect("an address").as_socket().expect("an IP address");
    let fill = || TcpStream::connect_timeout(&place, Duration::from_millis(300));
    let waiting: Vec<_> = std::iter::from_fn(|| fill().ok()).take(16).collect();
    assert!(waiting.len() < 16, "the queue never filled");
    let silent = (Protocol::Tcp, place);
    let (free, open) = (closed("127.0.0.22"), listener("127.0.0.22"));
    let (found, summary) = run(&plan(&[silent, free, tcp(&open)]));
    assert_eq!(state(&found, silent), Ok(PortState::Filtered));
    assert_eq!(state(&found, free), Ok(PortState::Closed));
    assert_eq!(state(&found, tcp(&open)), Ok(PortState::Open));
    // The three, the silent one again, and one that answered, to see that the address still does: unless one of the three was sent late
    // enough to have shown it.
    assert!((4..=5).contains(&summary.attempts), "{}", summary.attempts);
}

#[test]
fn a_thousand_addresses_through_one_descriptor_each_have_their_result() {
    let open = listener("127.0.7.7");
    let port = tcp(&open).1.port();
    let mut spec = PortSpec::new();
    spec.add(Protocol::Tcp, port, port);
    let addresses = (0..1000_u32).map(|host| IpAddr::from((0x7f00_0700 + host).to_be_bytes()));
    let mut plan = ScanPlan::new(addresses.map(|address| (address, spec.clone())).collect());
    plan.concurrency = std::num::NonZeroU32::new(1);
    let (found, summary) = run(&plan);
    assert_eq!((found.len(), summary.ports()), (1000, 1000));
    assert_eq!(state(&found, tcp(&open)), Ok(PortState::Open));
    assert_eq!(summary.open, 1, "127.0.7.7 alone listens");
}

#[test]
fn what_this_machine_cannot_send_is_not_probed() {
    let (found, summary) = run(&plan(&[(Protocol::Tcp, SocketAddr::from(([255, 255, 255, 255], 80)))]));
    assert!(found.values().all(Result::is_err), "{found:?}");
    assert_eq!((summary.probed(), summary.not_probed, summary.attempts), (0, 1, 0));
}

#[test]
fn an_empty_plan_is_an_error_and_a_dropped_scan_ends() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let nothing = ScanPlan::new(vec![(IpAddr::from([127, 0, 0, 1]), PortSpec::new())]);
    assert!(matches!(runtime.block_on(scan(&nothing, |_| ())), Err(ScanError::NothingToScan)));

    let everything: PortSpec = "-".parse().expect("a SPEC");
    let plan = ScanPlan::new(vec![(IpAddr::from([127, 0, 0, 23]), everything)]);
    let (sender, mut first) = tokio::sync::mpsc::unbounded_channel();
    let scanning = scan(&plan, |result| {
        let _ = sender.send(result);
    });
    // The runtime may put it on any thread.
    fn is_send<F: Future + Send>(future: F) -> F {
        future
    }
    let results = runtime.block_on(async {
        tokio::select! {
            _ = is_send(scanning) => None,
            result = first.recv() => result,
        }
    });
    assert!(results.is_some(), "the scan lets others run between its batches");
}

#[test]
fn the_same_ports_are_open_as_nmap_says() {
    for (address, family) in [("127.0.0.24", "-4"), ("::1", "-6")] {
        let listeners: Vec<_> = (0..30).map(|_| listener(address)).collect();
        let mut ports = PortSpec::new();
        for listener in &listeners {
            let port = tcp(listener).1.port();
            // Its neighbours are closed, mostly.
            ports.add(Protocol::Tcp, port.saturating_sub(2), port.saturating_add(2));
        }
        let output = Command::new("nmap")
            .args([family, "-sT", "-Pn", "-n", "-oG", "-", "-p", &ports.to_string(), address])
            .output()
            .expect("nmap is needed to compare with; install it: apt-get install nmap");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let by_nmap = open_in_grepable(&String::from_utf8_lossy(&output.stdout));
        let (found, _) = run(&ScanPlan::new(vec![(address.parse().expect("an address"), ports)]));
        let by_us: BTreeSet<u16> = found
            .iter()
            .filter(|(_, state)| **state == Ok(PortState::Open))
            .map(|(place, _)| place.2)
            .collect();
        let ours: BTreeSet<u16> = listeners.iter().map(|listener| tcp(listener).1.port()).collect();
        // Sockets of other programs may come and go between the two; ours stay.
        assert!(ours.is_subset(&by_nmap) && ours.is_subset(&by_us), "nmap {by_nmap:?}, osel {by_us:?}");
        let others: Vec<_> = by_us.symmetric_difference(&by_nmap).collect();
        let still_open = |port: u16| TcpStream::connect((address, port)).is_ok();
        let unexplained: Vec<_> =
            others.into_iter().filter(|&&port| by_us.contains(&port) != still_open(port)).collect();
        assert_eq!(unexplained, [] as [&u16; 0], "nmap {by_nmap:?}, osel {by_us:?}");
    }
}

/// Open ports of nmap's grepable output: `Ports: 22/open/tcp//ssh///, …`.
fn open_in_grepable(text: &str) -> BTreeSet<u16> {
    let ports =
        text.lines().filter_map(|line| line.split_once("Ports: ")).flat_map(|(_, ports)| ports.split(", "));
    ports
        .filter_map(|port| {
            let (number, rest) = port.split_once('/')?;
            rest.starts_with("open/").then(|| number.parse().ok())?
        })
        .collect()
}
