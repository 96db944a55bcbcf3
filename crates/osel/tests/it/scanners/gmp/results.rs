//! What a report shows, told in the words of all scanners.

use osel::action::scanner::Scanner;
use osel_core::scan::{Coverage, ProbeState, Severity, Transport};
use osel_sim::scanners::gmp::{Fate, Host, Options, Weakness};

use super::{Ground, address, order};

#[tokio::test]
async fn ports_and_weaknesses_are_told() {
    let ssh = Weakness::new("1.3.6.1.4.1.25623.1.0.108440", "OpenSSH is old & <bold>", "22/tcp", "9.8")
        .of_cves(&["CVE-2024-6387", "CVE-2023-1"])
        .seen("Installed version: 8.0\nFixed version: 9.8");
    let host = Host::new(address("192.0.2.1"), &["22/tcp", "53/udp", "8080/tcp"])
        .with(ssh.clone())
        .with(ssh.clone())
        .with(Weakness::new("1.2.1", "Timestamps", "general/tcp", "2.6").sure(60))
        .with(Weakness::new("1.2.2", "A log", "22/tcp", "0.0"))
        .with(Weakness::new("1.2.3", "A false positive", "22/tcp", "-1.0"))
        .with(Weakness::new("1.2.4", "A guess", "22/tcp", "5.0").sure(20));
    let ground = Ground::new(vec![host], Options::default());
    let mut asked = order(&[("192.0.2.1", &[22, 80])]);
    asked.command.targets[0].expected.extend([((Transport::Udp, 53), true), ((Transport::Udp, 123), true)]);
    let seen = ground.scan(&asked).await;
    let [host] = seen.hosts.as_slice() else { panic!("{seen:?}") };
    assert_eq!(host.coverage, Coverage::Whole);
    let ports: Vec<_> = host.ports.iter().map(|found| (found.transport, found.port, found.state)).collect();
    assert_eq!(
        ports,
        [
            (Transport::Tcp, 22, ProbeState::Open),
            // It was probed, and did not answer: whether it refused is not told.
            (Transport::Tcp, 80, ProbeState::Filtered),
            (Transport::Udp, 53, ProbeState::Open),
            (Transport::Udp, 123, ProbeState::OpenFiltered),
        ]
    );
    let [first, second] = host.vulnerabilities.as_slice() else { panic!("{host:?}") };
    assert_eq!(first.id, "nvt:1.3.6.1.4.1.25623.1.0.108440");
    assert_eq!(first.title, "OpenSSH is old & <bold>");
    assert_eq!(first.cves, ["CVE-2023-1", "CVE-2024-6387"]);
    assert_eq!((first.cvss_tenths, first.severity), (Some(98), Severity::Critical));
    assert_eq!((first.at, first.is_certain), (Some((Transport::Tcp, 22)), true));
    assert_eq!(first.evidence, "Installed version: 8.0 Fixed version: 9.8");
    assert_eq!((second.id.as_str(), second.at, second.is_certain), ("nvt:1.2.1", None, false));
    assert_eq!((second.cvss_tenths, second.severity), (Some(26), Severity::Low));
    // What is less sure is there for those who want it.
    let all = ground.changed(|config| config.min_qod = 0);
    let launched = all.launch(&asked).await.unwrap();
    let seen = all.fetch(&asked, &launched.reference).await.unwrap();
    assert_eq!(seen.hosts[0].vulnerabilities.len(), 3);
}

#[tokio::test]
async fn what_was_not_looked_at_is_said() {
    let host = |last: u8, fate| Host::new([192, 0, 2, last].into(), &["22/tcp"]).fated(fate);
    let ground = Ground::new(
        vec![
            host(1, Fate::Scanned),
            host(2, Fate::Silent),
            host(3, Fate::Dead),
            host(4, Fate::Unfinished),
            host(5, Fate::Missing),
            host(
                6,
                Fate::Errors(vec!["NVT timed out after 320 seconds.".to_owned(), "And more.".to_owned()]),
            ),
        ],
        Options::default(),
    );
    let both: &[u16] = &[22, 80];
    let seen = ground
        .scan(&order(&[
            ("192.0.2.1", both),
            ("192.0.2.2", both),
            ("192.0.2.3", both),
            ("192.0.2.4", both),
            ("192.0.2.5", both),
            ("192.0.2.6", both),
            ("192.0.2.7", both),
        ]))
        .await;
    let told: Vec<_> = seen
        .hosts
        .iter()
        .map(|host| {
            let ports: Vec<_> = host.ports.iter().map(|found| (found.port, found.state)).collect();
            (host.coverage.clone(), ports)
        })
        .collect();
    let (open, silent) = ((22, ProbeState::Open), (80, ProbeState::Filtered));
    let partial = |why: &str| Coverage::Partial(why.to_owned());
    let not = |why: &str| Coverage::NotScanned(why.to_owned());
    assert_eq!(
        told,
        [
            (Coverage::Whole, vec![open, silent]),
            // It answers no ping, and is scanned all the same.
            (Coverage::Whole, vec![open, silent]),
            (not("the scanner holds it to be dead"), vec![]),
            (partial("its scan did not come to its end"), vec![open]),
            (not("the report does not speak of it"), vec![]),
            (partial("2 tests failed, the first with: NVT timed out after 320 seconds."), vec![open, silent]),
            (Coverage::Whole, vec![(22, ProbeState::Filtered), silent]),
        ]
    );
}

#[tokio::test]
async fn a_report_of_many_hosts_and_results_is_read_in_small_pieces() {
    let addresses: Vec<String> = (1..=60).map(|last| format!("198.51.100.{last}")).collect();
    let hosts = addresses.iter().map(|text| {
        (0..30).fold(Host::new(address(text), &["22/tcp"]), |host, number| {
            host.with(
                Weakness::new(&format!("1.3.{number}"), "Something", "22/tcp", "5.0").seen(&"x".repeat(900)),
            )
        })
    });
    let ground = Ground::new(hosts.collect(), Options { piece_bytes: Some(1000), ..Options::default() });
    let ports: &[u16] = &[22];
    let targets: Vec<(&str, &[u16])> = addresses.iter().map(|address| (address.as_str(), ports)).collect();
    let seen = ground.scan(&order(&targets)).await;
    assert_eq!(seen.hosts.len(), 60);
    for host in &seen.hosts {
        assert_eq!((host.vulnerabilities.len(), host.ports.len()), (30, 1));
        assert_eq!(host.vulnerabilities[0].evidence.chars().count(), 500);
    }
}
