//! The real nmap on loopback.

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::num::NonZeroU32;

use osel::action::local::Local;
use osel::action::nmap::Nmap;
use osel::action::program::has_net_raw;
use osel::action::scanner::{ScanOrder, Scanner, Seen};
use osel::config::{NmapConfig, ProgramConfig, Technique};
use osel_core::scan::{Coverage, HostResult, PortFound, ProbeState, Transport, Trouble};

use super::command::Script;
use super::{order, program::confined};

/// A program with room for whatever it does on loopback.
pub(super) fn program(name: &str) -> ProgramConfig {
    ProgramConfig {
        program: name.to_owned(),
        user: None,
        timeout_seconds: 300,
        memory_mib: 2048,
        output_mib: 64,
    }
}

fn config() -> NmapConfig {
    NmapConfig {
        program: program("nmap"),
        technique: Technique::Auto,
        max_rate: NonZeroU32::new(10_000).unwrap(),
        retries: 2,
        host_timeout_seconds: NonZeroU32::new(200).unwrap(),
        service_detection: false,
        scripts: Vec::new(),
    }
}

async fn scan(config: NmapConfig, order: &ScanOrder) -> Result<Seen, Trouble> {
    Local(Nmap::new(config, confined())).fetch(order, "").await
}

fn listener(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn port(host: &HostResult, transport: Transport, port: u16) -> &PortFound {
    host.ports.iter().find(|found| (found.transport, found.port) == (transport, port)).unwrap()
}

#[tokio::test]
async fn each_address_has_its_own_ports_of_both_families_and_transports() {
    let (_one, one) = listener("127.0.0.31");
    let (_two, two) = listener("127.0.0.32");
    let (_six, six) = listener("::1");
    let silent = UdpSocket::bind("127.0.0.32:0").unwrap();
    let silent_port = silent.local_addr().unwrap().port();
    let closed = UdpSocket::bind("127.0.0.32:0").unwrap().local_addr().unwrap().port();
    let mut order = order(&[
        ("127.0.0.32", &[one, two]),
        ("::1", &[six]),
        ("127.0.0.31", &[one]),
        ("127.0.0.33", &[one, two]),
    ]);
    for udp in [silent_port, closed] {
        order.command.targets[0].expected.insert((Transport::Udp, udp), true);
    }
    let seen = scan(config(), &order).await.unwrap();
    let how = if has_net_raw() { "(half-open)" } else { "(connecting)" };
    assert!(seen.scanner.starts_with("nmap 7.") && seen.scanner.ends_with(how), "{}", seen.scanner);
    let addresses: Vec<_> = seen.hosts.iter().map(|host| host.address.to_string()).collect();
    assert_eq!(addresses, ["127.0.0.32", "::1", "127.0.0.31", "127.0.0.33"]);
    let state = |host: usize, of: u16| port(&seen.hosts[host], Transport::Tcp, of).state;
    assert_eq!([state(0, one), state(0, two)], [ProbeState::Closed, ProbeState::Open]);
    assert_eq!([state(1, six), state(2, one)], [ProbeState::Open, ProbeState::Open]);
    assert_eq!([state(3, one), state(3, two)], [ProbeState::Closed, ProbeState::Closed]);
    assert_eq!(seen.hosts.iter().map(|host| host.ports.len()).collect::<Vec<_>>(), [4, 1, 1, 2]);
    if has_net_raw() {
        assert!(seen.hosts.iter().all(|host| host.coverage == Coverage::Whole), "{seen:?}");
        let state = |of| port(&seen.hosts[0], Transport::Udp, of).state;
        assert_eq!([state(silent_port), state(closed)], [ProbeState::OpenFiltered, ProbeState::Closed]);
    }
}

#[tokio::test]
async fn without_privileges_udp_is_not_probed_and_said_so() {
    let (_open, open) = listener("127.0.0.34");
    let mut order = order(&[("127.0.0.34", &[open]), ("127.0.0.35", &[])]);
    for target in &mut order.command.targets {
        target.expected.insert((Transport::Udp, 53), true);
    }
    let config = NmapConfig { technique: Technique::Connect, ..config() };
    let seen = scan(config, &order).await.unwrap();
    assert!(seen.scanner.ends_with("(connecting)"), "{}", seen.scanner);
    assert_eq!(port(&seen.hosts[0], Transport::Tcp, open).state, ProbeState::Open);
    assert_eq!(port(&seen.hosts[0], Transport::Udp, 53).state, ProbeState::NotProbed);
    assert!(
        matches!(&seen.hosts[0].coverage, Coverage::Partial(why) if why.contains("CAP_NET_RAW")),
        "{seen:?}"
    );
    assert!(
        matches!(&seen.hosts[1].coverage, Coverage::NotScanned(why) if why.contains("CAP_NET_RAW")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn where_half_open_is_not_possible_nmap_connects_and_that_is_told() {
    // As nmap ends in a unit of systemd that gives it the right and not the sockets.
    let nmap = Script::new(
        "nmap-half",
        r#"case "$*" in *--privileged*) echo "cannot create AF_NETLINK socket" >&2; exit 1;; *) exec nmap "$@";; esac"#,
    );
    let (_open, open) = listener("127.0.0.37");
    let mut order = order(&[("127.0.0.37", &[open]), ("127.0.0.38", &[open, 1])]);
    order.command.targets[0].expected.insert((Transport::Udp, 53), true);
    let config = NmapConfig { program: program(nmap.name()), ..config() };
    let seen = scan(config.clone(), &order).await.unwrap();
    let [first, second] = &seen.hosts[..] else { panic!("{seen:?}") };
    assert_eq!(port(first, Transport::Tcp, open).state, ProbeState::Open);
    assert!(matches!(first.coverage, Coverage::Partial(_)), "UDP was not probed: {seen:?}");
    assert_eq!((second.ports.len(), &second.coverage), (2, &Coverage::Whole));
    if has_net_raw() {
        let why = "connecting, since half-open is not possible: nmap ended with code 1: cannot create AF_NETLINK socket";
        assert!(seen.scanner.contains(why), "{}", seen.scanner);
        // Who wants nothing else gets nothing else.
        let trouble = scan(NmapConfig { technique: Technique::Syn, ..config }, &order).await.unwrap_err();
        assert!(matches!(&trouble, Trouble::Unavailable(why) if why.contains("AF_NETLINK")), "{trouble:?}");
    }
}

#[tokio::test]
async fn services_and_scripts_are_told() {
    let (ssh, open) = listener("127.0.0.36");
    std::thread::spawn(move || {
        for connection in ssh.incoming().flatten() {
            let mut connection = connection;
            let _ = connection.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n");
        }
    });
    let config = NmapConfig { service_detection: true, scripts: vec!["banner".to_owned()], ..config() };
    let seen = scan(config, &order(&[("127.0.0.36", &[open])])).await.unwrap();
    let found = port(&seen.hosts[0], Transport::Tcp, open);
    assert_eq!(
        (found.service.as_deref(), found.product.as_deref()),
        (Some("ssh"), Some("OpenSSH")),
        "{seen:?}"
    );
    assert!(found.version.as_deref().unwrap().starts_with("9.2p1"), "{seen:?}");
    let script = &seen.hosts[0].vulnerabilities[0];
    assert_eq!((script.id.as_str(), script.at), ("nmap:banner", Some((Transport::Tcp, open))));
    assert!(script.evidence.starts_with("SSH-2.0-OpenSSH_9.2p1"), "{script:?}");
}

#[tokio::test]
async fn what_stands_in_the_way_is_told() {
    let order = order(&[("127.0.0.1", &[1])]);
    let gone = NmapConfig { program: program("no-such-nmap"), ..config() };
    let trouble = scan(gone, &order).await.unwrap_err();
    assert!(
        matches!(&trouble, Trouble::Unavailable(why) if why.contains("cannot run `no-such-nmap`")),
        "{trouble:?}"
    );
    // A program that is no nmap.
    let other = NmapConfig { program: program("echo"), ..config() };
    let trouble = scan(other, &order).await.unwrap_err();
    assert!(matches!(&trouble, Trouble::Garbled(why) if why.contains("not with `<nmaprun>`")), "{trouble:?}");
    let silent = NmapConfig { program: program("true"), ..config() };
    assert!(matches!(scan(silent, &order).await, Err(Trouble::Garbled(_))));
    let unknown = NmapConfig { scripts: vec!["no-such-script".to_owned()], ..config() };
    assert!(matches!(scan(unknown, &order).await, Err(Trouble::Unavailable(_))));
}
