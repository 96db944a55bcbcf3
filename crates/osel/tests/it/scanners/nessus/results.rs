//! What a report says of ports, services and weaknesses, and what it is silent about.

use osel::config::CoveredPorts;
use osel_core::scan::{Coverage, HostResult, PortFound, ProbeState, Severity, Transport, Vulnerability};
use osel_sim::scanners::{Mishap, Reply, What};

use super::*;

fn ports(host: &HostResult) -> Vec<(Transport, u16, &'static str)> {
    host.ports.iter().map(|found| (found.transport, found.port, found.state.as_str())).collect()
}

fn covers(transport: Transport, ports: std::ops::RangeInclusive<u16>) -> CoveredPorts {
    CoveredPorts { transport, ports }
}

#[tokio::test]
async fn ports_services_and_weaknesses_are_told_and_silence_is_not_taken_for_an_answer() {
    for product in BOTH {
        let pair = Pair::new(product, |_| {});
        let seen = carried_out(&pair.scanner(), &three()).await;
        let [server, by_ipv6, unknown] = seen.hosts.try_into().unwrap();
        assert_eq!(server.coverage, Coverage::Whole);
        let open = |port, service: &str| PortFound {
            service: Some(service.to_owned()),
            ..PortFound::new(Transport::Tcp, port, ProbeState::Open)
        };
        let silent = PortFound::new(Transport::Tcp, 80, ProbeState::NotProbed);
        assert_eq!(server.ports, [open(22, "ssh"), silent, open(443, "www")]);
        let weakness = Vulnerability {
            id: "plugin:201194".to_owned(),
            title: "OpenSSH < 9.8 RCE".to_owned(),
            cves: vec!["CVE-2006-5051".to_owned(), "CVE-2024-6387".to_owned()],
            cvss_tenths: Some(81),
            severity: Severity::High,
            at: Some((Transport::Tcp, 22)),
            is_certain: true,
            evidence: "Banner : SSH-2.0-OpenSSH_9.2p1 & more".to_owned(),
        };
        assert_eq!(server.vulnerabilities, [weakness]);
        assert_eq!(by_ipv6.ports, [open(80, "www")], "the question mark is the scanner's doubt");
        assert!(matches!(&unknown.coverage, Coverage::NotScanned(why) if why.contains("not in the report")));
    }
}

#[tokio::test]
async fn what_a_profile_covers_and_a_report_does_not_name_does_not_answer() {
    let pair = Pair::new(Product::Nessus, |_| {});
    pair.configure(|config| {
        config.covers = vec![covers(Transport::Tcp, 1..=100), covers(Transport::Udp, 53..=53)];
    });
    let mut order = order(&[("192.0.2.1", &[22, 80, 101]), ("192.0.2.2", &[22]), ("192.0.2.9", &[22])]);
    order.command.targets[0].expected.extend([((Transport::Udp, 53), true), ((Transport::Udp, 54), true)]);
    let hosts = carried_out(&pair.scanner(), &order).await.hosts;
    assert_eq!(
        ports(&hosts[0]),
        [
            (Transport::Tcp, 22, "open"),
            (Transport::Tcp, 80, "filtered"),
            (Transport::Tcp, 101, "not probed"),
            (Transport::Tcp, 443, "open"),
            (Transport::Udp, 53, "open|filtered"),
            (Transport::Udp, 54, "not probed"),
        ]
    );
    assert_eq!(ports(&hosts[1]), [(Transport::Tcp, 22, "filtered")]);
    assert_eq!(ports(&hosts[2]), [], "a host that was not scanned has no ports");
}

#[tokio::test]
async fn what_covers_holds_for_finished_scans_only() {
    let pair = Pair::new(Product::Nessus, |options| options.end = "aborted");
    pair.configure(|config| config.covers = vec![covers(Transport::Tcp, 1..=65_535)]);
    let (scanner, order) = (pair.scanner(), order(&[("192.0.2.1", &[22, 80]), ("192.0.2.2", &[22])]));
    let reference = scanner.launch(&order).await.unwrap().reference;
    while !matches!(scanner.status(&order, &reference).await, Ok(RemoteState::Partial(_))) {}
    let hosts = scanner.fetch(&order, &reference).await.unwrap().hosts;
    let why = "the scanner gave the scan up (`aborted`)".to_owned();
    // The first half was scanned.
    assert_eq!(hosts[0].coverage, Coverage::Partial(why.clone()));
    assert_eq!(ports(&hosts[0])[1], (Transport::Tcp, 80, "not probed"));
    assert_eq!(hosts[1], HostResult::not_scanned(order.command.targets[1].address, why));
}

#[tokio::test]
async fn what_a_host_says_of_itself_is_no_answer_over_the_network() {
    let pair = Pair::new(Product::Nessus, |_| {});
    pair.simulated.change(|simulation| {
        let host = Host::new("192.0.2.1").unwrap();
        simulation.hosts =
            vec![host.listens("tcp", 3306, "mysql").listens("tcp", 22, "ssh").with(Item::new(
                10_267,
                "SSH Server Type and Version Information",
                "tcp",
                22,
                "ssh",
            ))];
    });
    pair.configure(|config| config.covers = vec![covers(Transport::Tcp, 1..=65_535)]);
    let hosts = carried_out(&pair.scanner(), &order(&[("192.0.2.1", &[22, 3306, 80])])).await.hosts;
    assert_eq!(
        ports(&hosts[0]),
        [
            (Transport::Tcp, 22, "open"),
            (Transport::Tcp, 80, "filtered"),
            // A filter may stand before it; nobody has knocked there.
            (Transport::Tcp, 3306, "not probed"),
        ]
    );
}

#[tokio::test]
async fn dead_hosts_were_not_scanned_and_names_lead_to_addresses() {
    let pair = Pair::new(Product::Nessus, |_| {});
    pair.simulated.change(|simulation| {
        simulation.hosts[0].is_dead = true;
        simulation.hosts[2].name = Some("web.example".to_owned());
    });
    pair.configure(|config| config.covers = vec![covers(Transport::Tcp, 1..=65_535)]);
    let hosts = carried_out(&pair.scanner(), &three()).await.hosts;
    assert!(
        matches!(&hosts[0].coverage, Coverage::NotScanned(why) if why.contains("held it for dead")),
        "{hosts:?}"
    );
    assert_eq!(ports(&hosts[1]), [(Transport::Tcp, 80, "open")]);
}

/// What is made of a report, of the one host that the order has.
async fn read(xml: &str) -> HostResult {
    let pair = Pair::new(Product::Nessus, |_| {});
    let reply = Reply::text(200, "application/octet-stream", xml);
    pair.simulated.fail(Mishap::new(What::Instead(reply)).on("/download"));
    carried_out(&pair.scanner(), &order(&[("192.0.2.1", &[22])])).await.hosts.remove(0)
}

fn report(items: &str) -> String {
    format!(
        "<NessusClientData_v2><Policy><x/></Policy><Report name='r'><ReportHost name='192.0.2.7'><ReportItem port='7' protocol='tcp' \
         severity='4' pluginID='1' pluginName='of another'/></ReportHost><ReportHost name='192.0.2.1'><HostProperties/>{items}\
         </ReportHost></Report></NessusClientData_v2>"
    )
}

#[tokio::test]
async fn weaknesses_are_those_of_weight_each_once_and_marked_when_nobody_tested() {
    let item = |plugin: u32, port: u16, severity: u8, within: &str| {
        format!(
            "<ReportItem port='{port}' svc_name='general' protocol='tcp' severity='{severity}' pluginID='{plugin}' pluginName='p'>{within}\
             </ReportItem>"
        )
    };
    let untested = "<description>Note that Nessus has not tested for this issue but has instead relied only on the application's \
                    self-reported version number.</description>";
    let items = [
        item(1, 0, 0, ""),
        item(2, 0, 0, "<cve>CVE-2020-0001</cve>"),
        item(3, 0, 4, "<cvss_base_score>10.0</cvss_base_score><plugin_output>first</plugin_output>"),
        item(3, 0, 4, "<plugin_output>second</plugin_output>"),
        item(3, 445, 4, "<cvss_base_score>7.5</cvss_base_score><cvss3_base_score>9.8</cvss3_base_score>"),
        item(4, 0, 2, &format!("{untested}<cvss3_base_score>nonsense</cvss3_base_score>")),
        item(5, 0, 9, ""),
    ];
    let host = read(&report(&items.concat())).await;
    let told: Vec<_> = host
        .vulnerabilities
        .iter()
        .map(|one| {
            (
                one.id.as_str(),
                one.at.map(|(_, port)| port),
                one.severity.as_str(),
                one.cvss_tenths,
                one.is_certain,
                one.evidence.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("plugin:2", None, "info", None, true, ""),
            ("plugin:3", None, "critical", Some(100), true, "first"),
            ("plugin:3", Some(445), "critical", Some(98), true, ""),
            ("plugin:4", None, "medium", None, false, ""),
        ]
    );
    // Nothing says that the host was scanned to its end.
    assert!(matches!(&host.coverage, Coverage::Partial(why) if why.contains("19506")), "{:?}", host.coverage);
    assert_eq!(ports(&host), [(Transport::Tcp, 22, "not probed"), (Transport::Tcp, 445, "open")]);
}

#[tokio::test]
async fn of_very_many_weaknesses_the_worst_are_kept() {
    use osel_core::scan::{EVIDENCE_CHARS_MAX, HOST_VULNERABILITIES_MAX};
    let long = "x".repeat(10_000);
    let item = |number: u32| {
        let severity = if number % 10 == 9 { 4 } else { 1 };
        format!(
            "<ReportItem port='0' protocol='tcp' severity='{severity}' pluginID='{number}' pluginName='p'><plugin_output>{long}\
             </plugin_output></ReportItem>"
        )
    };
    let end = "<ReportItem port='0' protocol='tcp' severity='0' pluginID='19506' pluginName='Nessus Scan Information'/>";
    let host = read(&report(&((0..3000).map(item).collect::<String>() + end))).await;
    assert_eq!(host.vulnerabilities.len(), HOST_VULNERABILITIES_MAX);
    // One that is not told may be there still.
    assert!(
        matches!(&host.coverage, Coverage::Partial(why) if why.starts_with("more weaknesses")),
        "{:?}",
        host.coverage
    );
    let critical = host.vulnerabilities.iter().filter(|one| one.severity == Severity::Critical).count();
    assert_eq!(critical, 300);
    assert!(host.vulnerabilities.iter().all(|one| one.evidence.chars().count() == EVIDENCE_CHARS_MAX));
}
