//! Programs that answer as scanners do, by scripts that stand in for them.

use std::num::NonZeroU32;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use osel::action::command::Command;
use osel::action::local::Local;
use osel::action::nuclei::Nuclei;
use osel::action::open_ports::{OpenPorts, OpenPortsProgram};
use osel::action::scanner::{ScanOrder, Scanner, Seen};
use osel::config::{CommandConfig, CommandFormat, CommandInput, NucleiConfig, Per, RatedConfig};
use osel_core::scan::{Coverage, HostResult, ProbeState, Severity, Transport, Trouble};

use super::nmap::program;
use super::{order, program::confined};

/// A program that is a script.
pub(super) struct Script(PathBuf);

impl Script {
    pub(super) fn new(name: &str, script: &str) -> Self {
        let path = std::env::temp_dir().join(format!("osel-script-{name}-{}", std::process::id()));
        std::fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(path)
    }

    pub(super) fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn bash(script: &str, arguments: &[&str]) -> CommandConfig {
    let all = ["-c", script, "probe"].into_iter().chain(arguments.iter().copied());
    CommandConfig {
        program: program("bash"),
        arguments: all.map(str::to_owned).collect(),
        environment: Vec::new(),
        per: Per::Scan,
        input: CommandInput::Addresses,
        format: CommandFormat::JsonLines,
        success_codes: Vec::new(),
    }
}

async fn scan(config: CommandConfig, order: &ScanOrder) -> Result<Seen, Trouble> {
    Local(Command::new(config, confined())).fetch(order, "").await
}

pub(super) fn states(host: &HostResult) -> Vec<(u16, ProbeState)> {
    host.ports.iter().map(|found| (found.port, found.state)).collect()
}

#[tokio::test]
async fn lines_say_ports_and_weaknesses() {
    let script = r#"
        read -r first; read -r second
        echo "{\"address\":\"$first\",\"port\":443,\"state\":\"open\",\"service\":\"https\",\"product\":\"nginx\",\"version\":\"1.2\"}"
        echo "{\"address\":\"$first\",\"port\":443,\"vulnerability\":{\"id\":\"weak-cipher\",\"title\":\"Weak\",\"cvss\":7.5,\"cves\":[\"CVE-2016-2183\"],\"evidence\":\"3DES\"}}"
        echo
        echo "{\"address\":\"$second\",\"protocol\":\"udp\",\"port\":53,\"state\":\"open|filtered\",\"partial\":\"slow\"}"
        echo '{"address":"203.0.113.99","port":1,"state":"open"}'
    "#;
    let order = order(&[("192.0.2.1", &[443]), ("2001:db8::2", &[]), ("192.0.2.3", &[22])]);
    let seen = scan(bash(script, &[]), &order).await.unwrap();
    assert_eq!(seen.scanner, "bash");
    let [first, second, third] = &seen.hosts[..] else { panic!("{seen:?}") };
    assert_eq!((states(first), &first.coverage), (vec![(443, ProbeState::Open)], &Coverage::Whole));
    assert_eq!(first.ports[0].product.as_deref(), Some("nginx"));
    let weakness = &first.vulnerabilities[0];
    assert_eq!(
        (weakness.id.as_str(), weakness.severity, weakness.cvss_tenths),
        ("weak-cipher", Severity::High, Some(75))
    );
    assert_eq!(
        (weakness.at, weakness.cves.as_slice()),
        (Some((Transport::Tcp, 443)), &["CVE-2016-2183".to_owned()][..])
    );
    assert_eq!(
        (second.ports[0].transport, &second.coverage),
        (Transport::Udp, &Coverage::Partial("slow".to_owned()))
    );
    assert!(matches!(third.coverage, Coverage::NotScanned(_)), "{third:?}");
}

#[tokio::test]
async fn addresses_and_numbers_are_filled_in_and_nothing_else() {
    let script = r#"echo "{\"port\":1,\"state\":\"open\",\"product\":\"$*\"}""#;
    let arguments = ["{address}", "https://{host}:{port}/", "{ports}", "{transport}", "{other}", "$(id)"];
    let order = order(&[("192.0.2.1", &[22, 80]), ("2001:db8::2", &[443])]);
    let told = |seen: &Seen| -> Vec<String> {
        seen.hosts.iter().map(|host| host.ports[0].product.clone().unwrap()).collect()
    };
    let seen = scan(CommandConfig { per: Per::Port, ..bash(script, &arguments) }, &order).await.unwrap();
    assert_eq!(
        told(&seen),
        [
            "192.0.2.1 https://192.0.2.1:80/ 22,80 tcp {other} $(id)",
            "2001:db8::2 https://[2001:db8::2]:443/ 443 tcp {other} $(id)"
        ]
    );
    let seen = scan(CommandConfig { per: Per::Address, ..bash(script, &["{host}", "{ports}"]) }, &order)
        .await
        .unwrap();
    assert_eq!(told(&seen), ["192.0.2.1 22,80", "[2001:db8::2] 443"]);
    let echo = r#"read -r x; echo "{\"address\":\"192.0.2.1\",\"port\":1,\"state\":\"open\",\"product\":\"${x//\"/.}\"}""#;
    let seen = scan(CommandConfig { input: CommandInput::Json, ..bash(echo, &[]) }, &order).await.unwrap();
    assert_eq!(
        seen.hosts[0].ports[0].product.as_deref(),
        Some(
            "{.targets.:[{.address.:.192.0.2.1.,.tcp.:[22,80],.udp.:[]},{.address.:.2001:db8::2.,.tcp.:[443],.udp.:[]}]}"
        )
    );
}

#[tokio::test]
async fn a_run_that_failed_says_nothing_of_its_addresses() {
    let order = order(&[("192.0.2.1", &[22]), ("192.0.2.2", &[22])]);
    let half = r#"test $1 = 192.0.2.1 || { echo broken >&2; exit 3; }; echo '{"port":22,"state":"closed"}'"#;
    let config = CommandConfig { per: Per::Address, ..bash(half, &["{address}"]) };
    let seen = scan(config.clone(), &order).await.unwrap();
    assert_eq!(seen.hosts[0].coverage, Coverage::Whole);
    assert_eq!(seen.hosts[1].coverage, Coverage::NotScanned("bash ended with code 3: broken".to_owned()));
    let accepted = scan(CommandConfig { success_codes: vec![3], ..config }, &order).await.unwrap();
    assert_eq!((&accepted.hosts[1].coverage, accepted.hosts[1].ports.len()), (&Coverage::Whole, 0));
    for script in
        ["exit 1", "echo '<html>'", "echo '{\"port\":22,\"state\":\"ajar\"}'", "printf '[[[[' ; kill -9 $$"]
    {
        let trouble = scan(bash(script, &[]), &order).await;
        assert!(matches!(trouble, Err(Trouble::Garbled(_))), "{script}: {trouble:?}");
    }
}

#[tokio::test]
async fn sarif_says_weaknesses_by_their_places() {
    let log = r#"{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"ZAP","rules":[
        {"id":"10038","shortDescription":{"text":"CSP missing"},"properties":{"security-severity":"6.1","tags":["CVE-2020-11022"]}}]}},
        "invocations":[{"executionSuccessful":true}],"results":[
        {"ruleId":"10038","level":"note","message":{"text":"no header"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"https://[2001:db8::2]:8443/x"}}}]},
        {"ruleId":"passed","kind":"pass","message":{"text":""}},
        {"ruleId":"mended","baselineState":"absent","message":{"text":""},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"https://[2001:db8::2]/"}}}]},
        {"ruleId":"other","level":"error","message":{"text":"of the run"}}]}]}"#;
    let order = order(&[("192.0.2.1", &[80]), ("2001:db8::2", &[8443])]);
    let script = format!("cat <<'END'\n{log}\nEND");
    let config = CommandConfig { format: CommandFormat::Sarif, ..bash(&script, &[]) };
    let seen = scan(config.clone(), &order).await.unwrap();
    assert!(matches!(seen.hosts[0].coverage, Coverage::NotScanned(_)), "no result is not clean: {seen:?}");
    let found = &seen.hosts[1].vulnerabilities;
    assert_eq!((found.len(), found[0].id.as_str(), found[0].title.as_str()), (1, "ZAP:10038", "CSP missing"));
    assert_eq!((found[0].severity, found[0].at), (Severity::Medium, Some((Transport::Tcp, 8443))));
    assert_eq!(found[0].cves, ["CVE-2020-11022"]);
    let seen = scan(CommandConfig { per: Per::Port, ..config }, &order).await.unwrap();
    let of_run = seen.hosts[0].vulnerabilities.iter().find(|found| found.id == "ZAP:other").unwrap();
    assert_eq!((of_run.severity, of_run.at), (Severity::High, Some((Transport::Tcp, 80))));
    let failed = log.replace("\"executionSuccessful\":true", "\"executionSuccessful\":false");
    let script = format!("cat <<'END'\n{failed}\nEND");
    let trouble = scan(CommandConfig { format: CommandFormat::Sarif, ..bash(&script, &[]) }, &order).await;
    assert!(
        matches!(&trouble, Err(Trouble::Garbled(why)) if why.contains("says that it failed")),
        "{trouble:?}"
    );
}

#[tokio::test]
async fn nmap_can_be_a_command_too() {
    let listener = std::net::TcpListener::bind("127.0.0.41:0").unwrap();
    let open = listener.local_addr().unwrap().port();
    let config = CommandConfig {
        program: program("nmap"),
        arguments: ["-n", "-Pn", "-sT", "--unprivileged", "-oX", "-", "-p{ports}", "{address}"]
            .map(str::to_owned)
            .into(),
        per: Per::Address,
        input: CommandInput::None,
        format: CommandFormat::NmapXml,
        ..bash("", &[])
    };
    let seen = scan(config, &order(&[("127.0.0.41", &[open])])).await.unwrap();
    assert_eq!(states(&seen.hosts[0]), [(open, ProbeState::Open)]);
}

fn rated(script: &Script) -> RatedConfig {
    RatedConfig { program: program(script.name()), rate: NonZeroU32::new(50).unwrap() }
}

#[tokio::test]
async fn nuclei_names_what_it_found() {
    let script = Script::new(
        "nuclei",
        r#"[[ "$*" == "-jsonl -silent -omit-raw -no-color -disable-update-check -no-interactsh -rate-limit 50 -templates http/cves" ]] || exit 9
        mapfile -t targets; [[ "${targets[*]}" == "192.0.2.1:443 [2001:db8::2]:80" ]] || exit 8
        echo '{"template-id":"CVE-2021-41773","info":{"name":"Apache 2.4.49 - Path Traversal","severity":"high","classification":{"cve-id":["cve-2021-41773"],"cvss-score":7.5}},"type":"http","host":"192.0.2.1","port":"443","matched-at":"https://192.0.2.1:443/x","request":"GET /x HTTP/1.1\r\nCookie: secret","response":"secret","curl-command":"curl secret","ip":"192.0.2.1","matcher-status":true}'
        echo '{"template-id":"tech","info":{"name":"Tech","severity":"unknown","classification":null},"matched-at":"http://[2001:db8::2]:80","matcher-name":"nginx"}'"#,
    );
    let config = NucleiConfig { rated: rated(&script), templates: vec!["http/cves".to_owned()] };
    let scanner = Local(Nuclei::new(config, confined()));
    let seen = scanner.fetch(&order(&[("192.0.2.1", &[443]), ("2001:db8::2", &[80])]), "").await.unwrap();
    assert!(!format!("{seen:?}").contains("secret"));
    let found = &seen.hosts[0].vulnerabilities[0];
    assert_eq!(
        (found.id.as_str(), found.severity, found.cvss_tenths),
        ("template:CVE-2021-41773", Severity::High, Some(75))
    );
    assert_eq!(
        (found.cves.as_slice(), found.at),
        (&["CVE-2021-41773".to_owned()][..], Some((Transport::Tcp, 443)))
    );
    assert_eq!(states(&seen.hosts[0]), [(443, ProbeState::Open)]);
    assert_eq!(seen.hosts[1].vulnerabilities[0].at, Some((Transport::Tcp, 80)));
    assert!(seen.hosts.iter().all(|host| matches!(host.coverage, Coverage::Partial(_))), "{seen:?}");
}

#[tokio::test]
async fn what_naabu_and_masscan_do_not_name_is_filtered() {
    let naabu = Script::new(
        "naabu",
        r#"[[ "$*" == "-json -silent -disable-update-check -port 22,80-81 -rate 50" ]] || exit 9
        read -r address; echo "{\"ip\":\"$address\",\"timestamp\":\"x\",\"port\":80,\"protocol\":\"tcp\",\"tls\":false}"
        echo '{"ip":"192.0.2.2","port":0,"protocol":""}'"#,
    );
    let ports = &[22, 80, 81];
    let order = order(&[("192.0.2.1", ports), ("192.0.2.2", ports), ("192.0.2.3", ports)]);
    let scanner = Local(OpenPorts::new(OpenPortsProgram::Naabu, rated(&naabu), confined()));
    let seen = scanner.fetch(&order, "").await.unwrap();
    let all = |on_80| [(22, ProbeState::Filtered), (80, on_80), (81, ProbeState::Filtered)].to_vec();
    for (host, on_80) in seen.hosts.iter().zip([ProbeState::Open, ProbeState::Filtered]) {
        assert_eq!((states(host), &host.coverage), (all(on_80), &Coverage::Whole));
    }
    // It may have left that one out.
    assert!(matches!(seen.hosts[2].coverage, Coverage::NotScanned(_)), "{seen:?}");

    let record = r#"{ "ip": "192.0.2.1", "timestamp": "1700000000", "ports": [ {"port": 80, "proto": "tcp", "status": "open", "reason": "syn-ack", "ttl": 48} ] }"#;
    let banner = r#"{ "ip": "192.0.2.1", "ports": [ {"port": 22, "proto": "tcp", "service": {"name": "ssh", "banner": "x"}} ] }"#;
    for (answer, is_whole) in [
        (format!("[\n{record}\n,\n{banner}\n]"), true),
        (format!("[\n{record}\n,\n"), false),
        (format!("[\n{record}\n,\n{{ \"ip\": \"192.0"), false),
    ] {
        let script = format!(
            "[[ \"$*\" == \"192.0.2.1 192.0.2.2 192.0.2.3 -oJ - --ports 22,80-81 --rate 50\" ]] || exit 9\nprintf %s '{answer}'"
        );
        let masscan = Script::new("masscan", &script);
        let scanner = Local(OpenPorts::new(OpenPortsProgram::Masscan, rated(&masscan), confined()));
        let seen = scanner.fetch(&order, "").await.unwrap();
        let silent = if is_whole { ProbeState::Filtered } else { ProbeState::NotProbed };
        assert_eq!(states(&seen.hosts[0]), [(22, silent), (80, ProbeState::Open), (81, silent)], "{answer}");
        assert_eq!(seen.hosts[0].coverage == Coverage::Whole, is_whole, "{answer}");
        assert_eq!(states(&seen.hosts[1]), ports.map(|port| (port, silent)), "{answer}");
    }
    // What the real one says, with code 0, where its packets go nowhere.
    for answer in ["", "[\n]\n"] {
        let silent = Script::new("masscan-silent", &format!("printf %s '{answer}'"));
        let scanner = Local(OpenPorts::new(OpenPortsProgram::Masscan, rated(&silent), confined()));
        let seen = scanner.fetch(&order, "").await.unwrap();
        for host in &seen.hosts {
            assert!(matches!(host.coverage, Coverage::NotScanned(_)), "nobody was reached: {seen:?}");
            assert_eq!(states(host), ports.map(|port| (port, ProbeState::NotProbed)));
        }
    }
    // One family may be away, and says nothing of the other.
    let half = Script::new(
        "masscan-half",
        &format!("[[ $1 == *:* ]] && {{ echo no route >&2; exit 1; }}; printf %s '[ {record} ]'"),
    );
    let scanner = Local(OpenPorts::new(OpenPortsProgram::Masscan, rated(&half), confined()));
    let both = super::order(&[("192.0.2.1", ports), ("2001:db8::1", ports)]);
    let seen = scanner.fetch(&both, "").await.unwrap();
    assert_eq!(seen.hosts[0].coverage, Coverage::Whole);
    assert_eq!(
        seen.hosts[1].coverage,
        Coverage::NotScanned("masscan ended with code 1: no route".to_owned())
    );
    let broken = Script::new("masscan-broken", "echo '[ { \"ip\": 7 } ]'");
    let scanner = Local(OpenPorts::new(OpenPortsProgram::Masscan, rated(&broken), confined()));
    assert!(matches!(scanner.fetch(&order, "").await, Err(Trouble::Garbled(_))));
}
