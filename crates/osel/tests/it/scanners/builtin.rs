//! The built-in scanner behind the words of all scanners.

use std::net::TcpListener;
use std::num::NonZeroU32;

use osel::action::builtin::{Builtin, ScanRates};
use osel::action::scan::everywhere::DECOYS;
use osel::action::scanner::Scanner;
use osel_core::scan::{Coverage, ProbeState, Transport, Trouble};

use super::order;

fn builtin() -> Builtin {
    let number = |number| NonZeroU32::new(number).unwrap();
    let rates = ScanRates { rate: number(1000), rate_per_host: number(1000), concurrency: number(64) };
    Builtin::new(rates, number(2))
}

#[tokio::test]
async fn each_address_of_an_order_has_its_result_in_its_place() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    let gone = TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap().port();
    let scanner = builtin();
    assert!(!scanner.is_remote());
    let seen = scanner.fetch(&order(&[("127.0.0.2", &[gone]), ("127.0.0.1", &[open])]), "").await.unwrap();
    assert_eq!(seen.scanner, "builtin");
    let found: Vec<_> = seen
        .hosts
        .iter()
        .map(|host| {
            let ports: Vec<_> =
                host.ports.iter().map(|found| (found.transport, found.port, found.state)).collect();
            (host.address.to_string(), ports)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("127.0.0.2".to_owned(), vec![(Transport::Tcp, gone, ProbeState::Closed)]),
            ("127.0.0.1".to_owned(), vec![(Transport::Tcp, open, ProbeState::Open)]),
        ]
    );
}

#[tokio::test]
async fn an_order_without_ports_is_refused_for_ever() {
    let answer = builtin().fetch(&order(&[("127.0.0.1", &[])]), "").await;
    assert!(matches!(answer, Err(Trouble::Refused { .. })), "{answer:?}");
}

#[tokio::test]
async fn what_never_left_this_machine_is_not_scanned_and_the_reason_is_told() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // A broadcast address takes no connections, and one target has nothing to be asked for.
    let order = order(&[("255.255.255.255", &[80]), ("127.0.0.1", &[gone]), ("127.0.0.2", &[])]);
    let seen = builtin().fetch(&order, "").await.unwrap();
    let coverage: Vec<_> = seen.hosts.iter().map(|host| &host.coverage).collect();
    assert!(matches!(coverage[0], Coverage::NotScanned(why) if !why.is_empty()), "{seen:?}");
    assert_eq!(coverage[1], &Coverage::Whole);
    assert!(matches!(coverage[2], Coverage::NotScanned(why) if why.contains("no ports")), "{seen:?}");
}

#[tokio::test]
async fn a_host_that_answers_everywhere_is_told_from_one_whose_asked_ports_are_open() {
    let open = TcpListener::bind("127.0.0.31:0").unwrap();
    let port = open.local_addr().unwrap().port();
    let _same = TcpListener::bind(("127.0.0.32", port)).unwrap();
    // As a SYN proxy does, as far as anybody asks; one answer gets lost.
    let _proxy: Vec<_> =
        DECOYS[1..].iter().map(|decoy| TcpListener::bind(("127.0.0.32", *decoy)).unwrap()).collect();
    let order = order(&[("127.0.0.31", &[port]), ("127.0.0.32", &[port])]);
    let seen = builtin().fetch(&order, "").await.unwrap();
    let told: Vec<_> = seen.hosts.iter().map(|host| (host.answers_everywhere, host.ports.len())).collect();
    assert_eq!(told, [(false, 1), (true, 1)]);
}
