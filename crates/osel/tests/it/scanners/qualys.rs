//! The adapter of Qualys against the simulation: every state, refusal and limit, and answers that are none.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use osel::action::qualys::Qualys as Adapter;
use osel::action::scanner::{Scanner, Seen};
use osel::config::{
    Place, QualysAppliance, QualysConfig, QualysProfile, QualysVersions, ScannerConfig, ScannerKind, Secret,
    TlsConfig,
};
use osel_core::scan::{Coverage, LeftOut, ProbeState, RemoteState, Severity, Transport, Trouble};
use osel_sim::scanners::qualys::{
    Appliance, AssetGroup, Ending, Fault, Host, Kind, Life, Options, Port, Qualys, RateLimit, Weakness, What,
};

use super::order;

const ONE: &str = "192.0.2.1";
const TWO: &str = "192.0.2.2";
const SIX: &str = "2001:db8::7";

/// An account as the simulation has it.
pub(super) fn config(url: &str) -> QualysConfig {
    let version = || "2.0".to_owned();
    QualysConfig {
        url: url.to_owned(),
        user: Secret::new("osel".to_owned()),
        password: Secret::new("a word".to_owned()),
        proxy: None,
        tls: TlsConfig::default(),
        profile: QualysProfile::Title("Initial Options".to_owned()),
        appliance: QualysAppliance::Named(vec!["External".to_owned()]),
        asset_groups: Vec::new(),
        priority: 0,
        network_id: None,
        takes_ipv6: false,
        adds_addresses: false,
        deletes_scans: false,
        checks_appliance: false,
        covers_tcp: Vec::new(),
        covers_udp: Vec::new(),
        versions: QualysVersions {
            scan: version(),
            list: "3.0".to_owned(),
            address: version(),
            exclusion: version(),
            appliance: version(),
        },
        answer_seconds: 20,
        result_seconds: 20,
    }
}

/// The adapter of an account.
pub(super) fn adapter(config: &QualysConfig) -> Adapter {
    let number = |number| std::num::NonZeroU32::new(number).unwrap();
    let table = ScannerConfig {
        name: "perimeter".to_owned(),
        kind: ScannerKind::Qualys(Box::new(config.clone())),
        window_seconds: 0,
        batch_addresses_max: number(256),
        running_max: number(2),
        life_seconds_max: 3600,
        place: Place::Nowhere,
    };
    Adapter::new("perimeter".to_owned(), config.clone(), Arc::new(move || table.clone()))
}

/// Two hosts, the first with a weakness.
fn hosts() -> BTreeMap<IpAddr, Host> {
    let weakness = Weakness {
        qid: 38170,
        title: "SSL Certificate - Subject Common Name Does Not Match Server FQDN",
        kind: Kind::Vuln,
        severity: 4,
        port: Some((Transport::Tcp, 443)),
        cves: "CVE-2024-6387",
        cvss: "8.1 (AV:N/AC:H)",
        results: "Certificate #0",
    };
    let potential =
        Weakness { qid: 11, kind: Kind::Practice, severity: 2, port: None, cves: "", cvss: "", ..weakness };
    let mut one = Host::with_tcp(&[22, 443]);
    one.ports[0].service = "ssh";
    one.ports.push(Port { transport: Transport::Udp, port: 53, service: "named udp" });
    one.weaknesses = vec![weakness, potential];
    [(ONE.parse().unwrap(), one), (TWO.parse().unwrap(), Host::with_tcp(&[80]))].into()
}

fn served(change: impl FnOnce(&mut Options)) -> (Qualys, Adapter) {
    let mut options = Options { hosts: hosts(), ..Options::default() };
    change(&mut options);
    let qualys = Qualys::start(options).unwrap();
    let adapter = adapter(&config(&qualys.url));
    (qualys, adapter)
}

fn with(qualys: &Qualys, change: impl FnOnce(&mut QualysConfig)) -> Adapter {
    let mut config = config(&qualys.url);
    change(&mut config);
    adapter(&config)
}

fn coverage(seen: &Seen) -> Vec<Coverage> {
    seen.hosts.iter().map(|host| host.coverage.clone()).collect()
}

fn not_scanned(why: &str) -> Coverage {
    Coverage::NotScanned(why.to_owned())
}

fn left(address: &str, why: &str) -> LeftOut {
    LeftOut { address: address.parse().unwrap(), why: why.to_owned() }
}

/// Polls until it is neither waiting nor running; gives every state on the way.
async fn polled(adapter: &Adapter, reference: &str) -> Vec<RemoteState> {
    let mut states = Vec::new();
    for _ in 0..20 {
        let state = adapter.status(&order(&[(ONE, &[22])]), reference).await.unwrap();
        let is_over = !matches!(state, RemoteState::Waiting | RemoteState::Running);
        states.push(state);
        if is_over {
            return states;
        }
    }
    panic!("{states:?}");
}

#[tokio::test]
async fn a_scan_is_launched_polled_and_fetched() {
    let (qualys, _) = served(|_| {});
    let adapter = with(&qualys, |config| config.covers_tcp = vec![1..=1000]);
    let order = order(&[(ONE, &[22, 23]), (TWO, &[80]), ("192.0.2.9", &[22])]);
    assert!(adapter.is_remote());
    assert_eq!(adapter.find(&order).await.unwrap(), None);
    let launched = adapter.launch(&order).await.unwrap();
    assert_eq!(launched.left_out, []);
    assert_eq!(
        qualys.asked("action=launch"),
        [
            "POST /api/2.0/fo/scan/ action=launch&scan_title=osel-0123456789ab-scan-1&ip=192.0.2.1-192.0.2.2,192.0.2.9\
          &option_title=Initial Options&iscanner_name=External"
        ]
    );
    assert_eq!(adapter.find(&order).await.unwrap(), Some(launched.clone()));
    let states = polled(&adapter, &launched.reference).await;
    // The search was the first look.
    assert_eq!(states, [RemoteState::Running, RemoteState::Running, RemoteState::Finished]);
    let seen = adapter.fetch(&order, &launched.reference).await.unwrap();
    assert_eq!(seen.scanner, "qualys");
    assert_eq!(coverage(&seen), [Coverage::Whole, Coverage::Whole, not_scanned("host did not answer")]);
    let ports: Vec<_> = seen.hosts[0]
        .ports
        .iter()
        .map(|found| (found.transport, found.port, found.state, found.service.as_deref()))
        .collect();
    assert_eq!(
        ports,
        [
            (Transport::Tcp, 22, ProbeState::Open, Some("ssh")),
            (Transport::Tcp, 23, ProbeState::Closed, None),
            (Transport::Tcp, 443, ProbeState::Open, None),
            (Transport::Udp, 53, ProbeState::Open, Some("named udp")),
        ]
    );
    let weak: Vec<_> = seen.hosts[0]
        .vulnerabilities
        .iter()
        .map(|weak| (weak.id.as_str(), weak.is_certain, weak.severity, weak.at, weak.cvss_tenths))
        .collect();
    assert_eq!(
        weak,
        [
            ("qid:11", false, Severity::Low, None, None),
            ("qid:38170", true, Severity::High, Some((Transport::Tcp, 443)), Some(81)),
        ]
    );
    assert_eq!(seen.hosts[0].vulnerabilities[1].cves, ["CVE-2024-6387"]);
    // Nothing is deleted unless somebody wants that.
    adapter.forget(&order, &launched.reference).await.unwrap();
    assert_eq!(qualys.scans().len(), 1);
    let adapter = with(&qualys, |config| config.deletes_scans = true);
    adapter.forget(&order, &launched.reference).await.unwrap();
    adapter.forget(&order, &launched.reference).await.unwrap();
    assert!(qualys.scans().is_empty());
    assert!(matches!(adapter.status(&order, &launched.reference).await, Err(Trouble::Gone(_))));
    assert!(matches!(adapter.fetch(&order, &launched.reference).await, Err(Trouble::Gone(_))));
    adapter.cancel(&order, &launched.reference).await.unwrap();
}

#[tokio::test]
async fn results_are_read_in_every_dress() {
    for (json_type, has_numbers) in [
        ("application/json", true),
        ("text/html; charset=UTF-8", false),
        ("application/json; charset=UTF-8", false),
    ] {
        let (_qualys, adapter) = served(|options| {
            (options.json_type, options.has_numbers) = (json_type, has_numbers);
            options.life = Life::Looks { queued: 0, running: 0, loading: 0 };
        });
        let order = order(&[(ONE, &[22])]);
        let reference = adapter.launch(&order).await.unwrap().reference;
        assert_eq!(polled(&adapter, &reference).await, [RemoteState::Finished]);
        let seen = adapter.fetch(&order, &reference).await.unwrap();
        assert_eq!((seen.hosts[0].ports.len(), seen.hosts[0].vulnerabilities.len()), (3, 2), "{json_type}");
    }
}

#[tokio::test]
async fn an_order_says_how_it_is_scanned() {
    let (qualys, _) = served(|options| {
        options.groups =
            vec![AssetGroup { id: 11, title: "Cloud".to_owned(), addresses: vec![TWO.parse().unwrap()] }];
    });
    let adapter = with(&qualys, |config| {
        config.profile = QualysProfile::Id(7);
        config.appliance = QualysAppliance::OfGroups;
        config.asset_groups = vec!["Cloud".to_owned()];
        config.priority = 3;
        config.network_id = Some(5);
        config.versions.scan = "4.0".to_owned();
    });
    adapter.launch(&order(&[(ONE, &[22])])).await.unwrap();
    assert_eq!(
        qualys.asked("action=launch"),
        [
            "POST /api/4.0/fo/scan/ action=launch&scan_title=osel-0123456789ab-scan-1&ip=192.0.2.1&option_id=7&scanners_in_ag=1\
          &asset_groups=Cloud&priority=3&ip_network_id=5"
        ]
    );
    let adapter = with(&qualys, |config| config.appliance = QualysAppliance::Default);
    adapter.launch(&order(&[(ONE, &[22])])).await.unwrap();
    assert!(qualys.asked("action=launch")[1].ends_with("&default_scanner=1"));
    let adapter = with(&qualys, |config| config.profile = QualysProfile::Title("Other".to_owned()));
    let Err(Trouble::Refused { why, addresses }) = adapter.launch(&order(&[(ONE, &[22])])).await else {
        panic!("there is no such profile");
    };
    assert_eq!(
        (why.as_str(), addresses.len()),
        ("Qualys answers 1905: parameter option_title has invalid value", 0)
    );
    let adapter = with(&qualys, |config| config.versions.scan = "9.9".to_owned());
    let Err(Trouble::Refused { why, .. }) = adapter.launch(&order(&[(ONE, &[22])])).await else {
        panic!("there is no such version");
    };
    assert!(why.contains("is this version of the endpoint still served"), "{why}");
}

#[tokio::test]
async fn addresses_outside_of_the_subscription_are_left_out_or_added() {
    let (qualys, adapter) = served(|options| options.addresses = vec!["192.0.2.1/32".parse().unwrap()]);
    let both = order(&[(ONE, &[22]), (TWO, &[80])]);
    let launched = adapter.launch(&both).await.unwrap();
    let why = "Qualys answers 1905: The following IPs are not in the user account: 192.0.2.2";
    assert_eq!(launched.left_out, [left(TWO, why)]);
    // What was found again tells it as well.
    let again = adapter.find(&both).await.unwrap().unwrap();
    assert_eq!(again.reference, launched.reference);
    assert_eq!(again.left_out, [left(TWO, "not among the targets of the scan at Qualys")]);
    // With nothing left there is no scan.
    let refused = adapter.launch(&order(&[(TWO, &[80])])).await;
    assert_eq!(refused, Err(Trouble::Refused { why: why.to_owned(), addresses: vec![TWO.parse().unwrap()] }));
    assert_eq!(qualys.launched().len(), 1);
    // It is added where that is allowed.
    let adds = with(&qualys, |config| config.adds_addresses = true);
    assert_eq!(adds.launch(&both).await.unwrap().left_out, []);
    assert_eq!(
        qualys.asked("action=add"),
        ["POST /api/2.0/fo/asset/ip/ action=add&ips=192.0.2.2&tracking_method=IP&enable_vm=1"]
    );
    // An account that may not add is told of these addresses, and the others can be scanned without them.
    qualys.change(|options| options.may_add = false);
    let refused = adds.launch(&order(&[(ONE, &[22]), ("192.0.2.3", &[80])])).await;
    let why = "Qualys answers 2012: User license is not authorized to run this API.".to_owned();
    assert_eq!(refused, Err(Trouble::Refused { why, addresses: vec!["192.0.2.3".parse().unwrap()] }));
    assert_eq!(qualys.launched().len(), 2);
}

#[tokio::test]
async fn excluded_addresses_and_those_of_ipv6_are_never_clean() {
    let excluded = "192.0.2.2/32".parse().unwrap();
    let (qualys, adapter) = served(|options| options.excluded = vec![excluded]);
    let all = order(&[(ONE, &[22]), (TWO, &[80]), (SIX, &[80])]);
    let six = "addresses of IPv6 are not handed to Qualys (`ipv6 = \"never\"`)";
    let launched = adapter.launch(&all).await.unwrap();
    assert_eq!(launched.left_out, [left(SIX, six), left(TWO, "excluded at Qualys")]);
    polled(&adapter, &launched.reference).await;
    let seen = adapter.fetch(&all, &launched.reference).await.unwrap();
    assert_eq!(coverage(&seen), [Coverage::Whole, not_scanned("excluded at Qualys"), not_scanned(six)]);
    // One that is excluded while its scan runs is skipped silently.
    qualys.change(|options| options.excluded.clear());
    let launched = adapter.launch(&order(&[(ONE, &[22]), (TWO, &[80])])).await.unwrap();
    qualys.change(|options| options.excluded = vec![excluded]);
    polled(&adapter, &launched.reference).await;
    let seen = adapter.fetch(&all, &launched.reference).await.unwrap();
    assert_eq!(coverage(&seen)[1], not_scanned("excluded at Qualys"));
    // With nothing left there is no scan.
    let refused = adapter.launch(&order(&[(TWO, &[80]), (SIX, &[80])])).await;
    let addresses = vec![SIX.parse().unwrap(), TWO.parse().unwrap()];
    assert_eq!(refused, Err(Trouble::Refused { why: format!("{six}; excluded at Qualys"), addresses }));
    assert_eq!(qualys.launched().len(), 2);
    // Where it is allowed, IPv6 is handed over, and an account without the feature says no.
    let allowed = with(&qualys, |config| config.takes_ipv6 = true);
    assert!(matches!(allowed.launch(&order(&[(SIX, &[80])])).await, Err(Trouble::Refused { .. })));
    qualys.change(|options| {
        options.has_ipv6 = true;
        options.addresses.push("2001:db8::/32".parse().unwrap());
    });
    assert_eq!(allowed.launch(&order(&[(SIX, &[80])])).await.unwrap().left_out, []);
}

#[tokio::test]
async fn every_end_of_a_scan_is_told() {
    let endings =
        [Ending::Error, Ending::Canceled, Ending::Paused, Ending::Word("Sleeping"), Ending::Finished];
    let (qualys, adapter) = served(|options| options.endings = endings.to_vec());
    let both = order(&[(ONE, &[22]), (TWO, &[80])]);
    let partial = |state: &str| Coverage::Partial(format!("the scan is `{state}` at Qualys"));
    let not_come =
        |state: &str| not_scanned(&format!("the scan is `{state}` at Qualys, which had not come to it"));
    for (state, wanted) in [
        ("Error", RemoteState::Partial("the scan is `Error` at Qualys".to_owned())),
        ("Canceled", RemoteState::Cancelled),
    ] {
        let reference = adapter.launch(&both).await.unwrap().reference;
        assert_eq!(polled(&adapter, &reference).await.last(), Some(&wanted));
        let seen = adapter.fetch(&both, &reference).await.unwrap();
        assert_eq!(coverage(&seen), [partial(state), not_come(state)]);
        adapter.cancel(&both, &reference).await.unwrap();
    }
    for state in ["Paused", "Sleeping"] {
        let reference = adapter.launch(&both).await.unwrap().reference;
        for _ in 0..5 {
            adapter.status(&both, &reference).await.unwrap();
        }
        assert!(qualys.scans().contains(&(reference.clone(), state.to_owned())));
        assert_eq!(adapter.status(&both, &reference).await, Ok(RemoteState::Running));
        if state == "Paused" {
            let seen = adapter.fetch(&both, &reference).await.unwrap();
            assert_eq!(coverage(&seen), [partial(state), not_come(state)]);
        }
        adapter.cancel(&both, &reference).await.unwrap();
        assert_eq!(adapter.status(&both, &reference).await, Ok(RemoteState::Cancelled));
    }
    // What runs is not deleted yet, and what nobody may delete stays without keeping the service from anything else.
    let deletes = with(&qualys, |config| config.deletes_scans = true);
    let reference = adapter.launch(&both).await.unwrap().reference;
    assert_eq!(deletes.forget(&both, &reference).await, Err(Trouble::Busy { after_seconds: None }));
    polled(&adapter, &reference).await;
    let code = |code| What::Code { status: 403, code, text: "no".to_owned() };
    qualys.fail(Fault::new(code(2012)).on("action=delete").times(1));
    qualys.fail(Fault::new(code(2012)).on("action=cancel").times(1));
    assert!(matches!(deletes.forget(&both, &reference).await, Err(Trouble::Refused { .. })));
    adapter.cancel(&both, &reference).await.unwrap();
    deletes.forget(&both, &reference).await.unwrap();
    // Nobody there at all, which the list says alone.
    let lonely = order(&[("192.0.2.77", &[22])]);
    let reference = adapter.launch(&lonely).await.unwrap().reference;
    polled(&adapter, &reference).await;
    qualys.fail(Fault::new(What::Body("[]".to_owned())).on("action=fetch").times(1));
    let seen = adapter.fetch(&lonely, &reference).await.unwrap();
    assert_eq!(coverage(&seen), [not_scanned("host did not answer")]);
    // What is over is not cancelled, and that is no trouble.
    adapter.cancel(&lonely, &reference).await.unwrap();
    assert!(matches!(adapter.status(&lonely, "scan/1.2").await, Err(Trouble::Gone(_))));
}

#[tokio::test]
async fn limits_are_waited_for_as_they_say() {
    let (qualys, adapter) = served(|options| options.rate = RateLimit { calls: 1, seconds: 600 });
    let order = order(&[(ONE, &[22])]);
    let reference = adapter.launch(&order).await.unwrap().reference;
    let limited = adapter.status(&order, &reference).await;
    let Err(Trouble::Limited { after_seconds: Some(wait) }) = limited else { panic!("{limited:?}") };
    assert!((1..=601).contains(&wait), "{wait}");
    qualys.pass(i64::from(wait));
    assert_eq!(adapter.status(&order, &reference).await, Ok(RemoteState::Waiting));
    // As many as may be at once are under way, in either spelling of the headers.
    qualys.change(|options| {
        options.rate.calls = 1000;
        options.others_running = 2;
    });
    for spells_as_documented in [false, true] {
        qualys.change(|options| options.spells_as_documented = spells_as_documented);
        assert_eq!(adapter.launch(&order).await, Err(Trouble::Busy { after_seconds: None }));
    }
    qualys.change(|options| options.others_running = 0);
    // The code counts, whatever the status.
    let code = |status, code| What::Code { status, code, text: "This API cannot be run again.".to_owned() };
    for (what, wanted) in [
        (code(200, 1960), Trouble::Busy { after_seconds: None }),
        (code(400, 1965), Trouble::Limited { after_seconds: None }),
        (code(409, 1920), Trouble::Busy { after_seconds: None }),
        (What::Page(429), Trouble::Limited { after_seconds: None }),
    ] {
        qualys.fail(Fault::new(what).on("action=launch"));
        assert_eq!(adapter.launch(&order).await, Err(wanted));
        qualys.heal();
    }
    qualys.fail(Fault::new(code(503, 1999)));
    assert!(matches!(adapter.launch(&order).await, Err(Trouble::Unavailable(_))));
    assert!(matches!(adapter.find(&order).await, Err(Trouble::Unavailable(_))));
    assert_eq!(qualys.launched().len(), 1);
}

#[tokio::test]
async fn a_launch_without_an_answer_is_looked_for_and_not_made_again() {
    let (qualys, adapter) = served(|_| {});
    let order = order(&[(ONE, &[22])]);
    let code = |code| What::Code { status: 200, code, text: "Internal error".to_owned() };
    for what in [What::Down, What::Page(502), What::Page(200), code(999), code(1981)] {
        qualys.fail(Fault::new(what.clone()).on("action=launch"));
        let answer = adapter.launch(&order).await;
        assert!(matches!(answer, Err(Trouble::Uncertain(_))), "{what:?}: {answer:?}");
        qualys.heal();
    }
    // Nothing of that had an effect; this has.
    assert_eq!(adapter.find(&order).await.unwrap(), None);
    qualys.fail(Fault::new(What::Lost).on("action=launch"));
    assert!(matches!(adapter.launch(&order).await, Err(Trouble::Uncertain(_))));
    qualys.heal();
    let found = adapter.find(&order).await.unwrap().unwrap();
    assert_eq!(
        qualys.scans().iter().map(|(reference, _)| reference.clone()).collect::<Vec<_>>(),
        [found.reference]
    );
    // Each was sent once.
    assert_eq!(qualys.asked("action=launch").len(), 6);
}

#[tokio::test]
async fn a_scan_is_found_in_a_list_of_many_parts() {
    let (qualys, adapter) = served(|options| options.page_max = 2);
    let mut all = Vec::new();
    for number in 1..=7 {
        let mut order = order(&[(ONE, &[22])]);
        order.title = format!("osel-0123456789ab-scan-{number}");
        all.push((adapter.launch(&order).await.unwrap(), order));
    }
    for (launched, order) in &all {
        assert_eq!(adapter.find(order).await.unwrap().as_ref(), Some(launched));
    }
    assert!(qualys.asked("id_min=").len() > 7);
    // The answer to where it goes on is never the address that it names.
    let body = |url: &str| {
        What::Body(format!(
            "<SCAN_LIST_OUTPUT><RESPONSE><WARNING><CODE>1980</CODE><URL><![CDATA[{url}]]></URL></WARNING></RESPONSE></SCAN_LIST_OUTPUT>"
        ))
    };
    qualys
        .fail(Fault::new(body("http://192.0.2.66/?id_min=26148620&action=list")).on("action=list").times(1));
    assert_eq!(adapter.find(&all[6].1).await.unwrap().as_ref(), Some(&all[6].0));
    qualys.fail(Fault::new(body("http://192.0.2.66/?id_min=1")).on("action=list"));
    assert!(matches!(adapter.find(&all[6].1).await, Err(Trouble::Garbled(_))));
}

#[tokio::test]
async fn an_appliance_that_is_away_is_waited_for() {
    let (qualys, _) = served(|options| {
        options.appliances = vec![Appliance { id: 1, name: "scanner1".to_owned(), is_online: false }];
    });
    let named = |name: &str| {
        with(&qualys, |config| {
            config.appliance = QualysAppliance::Named(vec![name.to_owned()]);
            config.checks_appliance = true;
        })
    };
    let order = order(&[(ONE, &[22])]);
    let away = named("scanner1").launch(&order).await;
    assert_eq!(away, Err(Trouble::Unavailable("the appliance `scanner1` is offline".to_owned())));
    assert!(matches!(named("scanner2").launch(&order).await, Err(Trouble::Refused { .. })));
    qualys.change(|options| options.appliances[0].is_online = true);
    named("scanner1").launch(&order).await.unwrap();
}

#[tokio::test]
async fn who_is_not_known_is_denied_once_and_no_password_is_told() {
    let (qualys, _) = served(|_| {});
    let order = order(&[(ONE, &[22])]);
    let wrong = with(&qualys, |config| config.password = Secret::new("hunter2".to_owned()));
    let answer = wrong.launch(&order).await;
    let Err(Trouble::Denied(why)) = &answer else { panic!("{answer:?}") };
    assert!(why.contains("password is wrong") && why.contains("another platform"), "{why}");
    assert_eq!(qualys.requests(), 1);
    for code in [2000, 2002, 2003, 2011, 2012] {
        qualys.fail(Fault::new(What::Code { status: 200, code, text: "no".to_owned() }));
        assert!(matches!(wrong.find(&order).await, Err(Trouble::Denied(_))), "{code}");
        qualys.heal();
    }
    // What an answer repeats of our password is cut out.
    for echo in ["Basic b3NlbDpodW50ZXIy is wrong", "user osel:hunter2 is wrong"] {
        qualys.fail(Fault::new(What::Code { status: 400, code: 1901, text: echo.to_owned() }));
        let Err(Trouble::Refused { why, .. }) = wrong.find(&order).await else { panic!("it is refused") };
        assert!(why.contains("***") && !why.contains("hunter2") && !why.contains("b3NlbD"), "{why}");
        qualys.heal();
    }
    // Also where it would be cut in the middle.
    let padded = |before: usize| format!("{}osel:hunter2", "x".repeat(before));
    for before in [150, 180, 188, 189, 190, 191, 192, 193, 194, 195] {
        for what in [
            What::Redirect(format!("https://{}", padded(before))),
            What::Body(format!("[\"{}\"]", padded(before))),
        ] {
            qualys.fail(Fault::new(what.clone()));
            let Err(Trouble::Garbled(why)) = wrong.fetch(&order, "scan/1.2").await else {
                panic!("{what:?}")
            };
            assert!(!why.contains("hun"), "{before}: {why}");
            qualys.heal();
        }
    }
    assert!(!format!("{wrong:?}").contains("hunter2"));
}

#[tokio::test]
async fn answers_that_are_none_are_refused_within_bounds() {
    let (qualys, adapter) = served(|_| {});
    let order = order(&[(ONE, &[22])]);
    let reference = adapter.launch(&order).await.unwrap().reference;
    polled(&adapter, &reference).await;
    let bomb = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]><SIMPLE_RETURN><RESPONSE>\
                <TEXT>&b;</TEXT></RESPONSE></SIMPLE_RETURN>";
    let gibibyte = 1 << 30;
    for what in [
        What::Page(200),
        What::Body("<SIMPLE_RETURN><RESPONSE><TEXT>x".to_owned()),
        What::Body("{\"a\": 1}".to_owned()),
        What::Body("[{\"ip\": \"192.0.2.1\"".to_owned()),
        What::Body(bomb.to_owned()),
        What::Redirect("https://user:pw@elsewhere.example/login?token=1".to_owned()),
        What::Flood { piece: "[", bytes: gibibyte },
        What::Flood { piece: "<a>", bytes: gibibyte },
    ] {
        qualys.fail(Fault::new(what.clone()));
        for answer in [
            adapter.status(&order, &reference).await.map(|_| ()),
            adapter.find(&order).await.map(|_| ()),
            adapter.fetch(&order, &reference).await.map(|_| ()),
        ] {
            let Err(Trouble::Garbled(why)) = answer else { panic!("{what:?}: {answer:?}") };
            assert!(!why.contains("pw") && !why.contains("token"), "{why}");
        }
        qualys.heal();
    }
    qualys.fail(Fault::new(What::Redirect("https://elsewhere.example/login".to_owned())));
    let Err(Trouble::Garbled(why)) = adapter.launch(&order).await else { panic!("it leads elsewhere") };
    assert!(why.contains("`https://elsewhere.example`, which is not followed"), "{why}");
    qualys.heal();
    // A byte now and then is no answer either.
    let hasty = with(&qualys, |config| (config.answer_seconds, config.result_seconds) = (1, 1));
    for what in [What::Drip(Duration::from_millis(20)), What::Hang] {
        qualys.fail(Fault::new(what));
        assert!(matches!(hasty.status(&order, &reference).await, Err(Trouble::Unavailable(_))));
        assert!(matches!(hasty.fetch(&order, &reference).await, Err(Trouble::Unavailable(_))));
        assert!(matches!(hasty.launch(&order).await, Err(Trouble::Unavailable(_))));
        qualys.heal();
    }
    assert_eq!(qualys.launched().len(), 1);
}
