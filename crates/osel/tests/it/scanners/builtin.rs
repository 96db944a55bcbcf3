//! The built-in scanner behind the words of all scanners.

use std::net::TcpListener;
use std::num::NonZeroU32;

use osel::action::builtin::{Builtin, ScanRates};
use osel::action::scanner::Scanner;
use osel_core::scan::{ProbeState, Transport, Trouble};

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
