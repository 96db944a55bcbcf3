//! Questions in, answers out.

use clap::Parser;
use osel_core::event::{
    FixedIp, FloatingIp, Forwarding, Gateway, Network, Object, Port, PortRange, Router, Rule, SecurityGroup,
    Version,
};
use osel_core::model::{CloudModel, ModelOptions};
use osel_core::time::Timestamp;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: ReachArgs,
}

fn parse(line: &str) -> Result<ReachArgs, clap::Error> {
    let words = std::iter::once("reach").chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.args)
}

fn version(id: &str) -> Version {
    Version { id: Some(Id::new(id)), ..Version::default() }
}

fn fixed(address: [u8; 4]) -> FixedIp {
    FixedIp { subnet_id: None, address: IpAddr::from(address) }
}

const WEB: &str = "7f1c27ab-64f1-4b90-9f0c-0f2f5c7d6a11";

fn answer(question: &Question) -> Verdict {
    reach_any([&cloud()], question)
}

/// A web server behind a floating IP and a router, and its twin on another network.
fn cloud() -> CloudModel {
    let port = |id: &str, network: &str| Port {
        version: version(id),
        name: Some("web-1".into()),
        network_id: Some(Id::new(network)),
        fixed_ips: Some(vec![fixed([10, 0, 0, 5])]),
        security_groups: Some(vec![Id::new("g")]),
        ..Port::default()
    };
    let objects = [
        Object::Network(Network {
            version: version("n"),
            name: Some("private".into()),
            ..Network::default()
        }),
        Object::Router(Router {
            version: version("r"),
            name: Some("edge".into()),
            gateways: Some(vec![Gateway {
                network_id: Some(Id::new("x")),
                enable_snat: None,
                external_fixed_ips: vec![fixed([198, 51, 100, 2])],
            }]),
            ..Router::default()
        }),
        Object::Port(Port {
            device_owner: Some(Some("network:router_interface".into())),
            device_id: Some(Some(Id::new("r"))),
            fixed_ips: Some(vec![fixed([10, 0, 0, 1])]),
            ..port("if", "n")
        }),
        Object::Port(port(WEB, "n")),
        Object::Port(port("twin", "elsewhere")),
        Object::SecurityGroup(SecurityGroup {
            version: version("g"),
            name: Some("web".into()),
            ..SecurityGroup::default()
        }),
        Object::Rule(Rule {
            version: version("0c9d7b5e-9f1c-4c55-8f6e-2f6f7d8f9a10"),
            security_group_id: Some(Id::new("g")),
            ingress: Some(true),
            ipv6: Some(false),
            protocol: Some(Some("tcp".into())),
            port_range_min: Some(Some(22)),
            port_range_max: Some(Some(22)),
            ..Rule::default()
        }),
        Object::FloatingIp(FloatingIp {
            version: version("3b9aca00-4f4e-4d8c-9b59-6f9d3c2b1a00"),
            floating_ip_address: Some(IpAddr::from([198, 51, 100, 7])),
            fixed_ip_address: Some(Some(IpAddr::from([10, 0, 0, 5]))),
            port_id: Some(Some(Id::new(WEB))),
            router_id: Some(Some(Id::new("r"))),
            ..FloatingIp::default()
        }),
        Object::Forwarding(Forwarding {
            version: version("pf"),
            floatingip_id: Some(Id::new("3b9aca00-4f4e-4d8c-9b59-6f9d3c2b1a00")),
            protocol: Some("udp".into()),
            internal_port_id: Some(Id::new(WEB)),
            internal_ip_address: Some(IpAddr::from([10, 0, 0, 5])),
            internal: Some(PortRange { min: 53, max: 53 }),
            external: Some(PortRange { min: 5353, max: 5353 }),
        }),
    ];
    let mut cloud = CloudModel::new(None, ModelOptions::default());
    cloud.merge_read(Timestamp::EPOCH, Timestamp::EPOCH, true, &objects, false);
    cloud
}

fn table(line: &str) -> String {
    let question = parse(line).expect(line).question().expect(line);
    let mut out = Vec::new();
    let verdict = reach_any([&cloud()], &question);
    tell(&question, &verdict, Format::Table, &mut out).expect("memory can be written");
    let text = String::from_utf8(out).expect("text is UTF-8");
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    text
}

#[test]
fn a_yes_tells_the_whole_way() {
    assert_eq!(
        table("--from 192.0.2.77 --to 198.51.100.7 --protocol tcp --port 22"),
        "\
reachable (admitted)
  tcp port 22 from 192.0.2.77 to 198.51.100.7
  192.0.2.77 → floating IP 3b9aca00-4f4e-4d8c-9b59-6f9d3c2b1a00 (198.51.100.7 to 10.0.0.5)
    → router edge → network private → port web-1 → security group web
    → rule 0c9d7b5e-9f1c-4c55-8f6e-2f6f7d8f9a10 (tcp 22 from 0.0.0.0/0)
"
    );
}

#[test]
fn the_question_is_told_in_words() {
    for (flags, words) in [
        ("--protocol any", "any protocol, from"),
        ("--protocol any --port 22", "any protocol, port 22, from"),
        ("--protocol 6", "tcp, any port, from"),
        ("--protocol icmp --icmp-code 0", "icmp type any code 0 from"),
        ("--protocol 112 --port 22", "vrrp port 22 from"),
    ] {
        let text = table(&format!("--from 192.0.2.77 --to 198.51.100.7 {flags}"));
        assert!(text.contains(&format!("\n  {words} 192.0.2.77 to 198.51.100.7\n")), "{text}");
    }
}

#[test]
fn a_no_marks_what_stops_the_packet_and_lists_every_port_with_the_address() {
    let text = table("--from 192.0.2.77 --to 10.0.0.5 --protocol icmp --port 8");
    assert_eq!(
        text,
        "\
not reachable: nothing leads there from the sender (no_path)
  icmp type 8 code any from 192.0.2.77 to 10.0.0.5
  192.0.2.77 → ✗ router edge (its gateway hides the addresses behind it (enable_snat))
    → network private → port web-1
  2 ports answer for this address:
    no_path     fixed       10.0.0.5  7f1c27ab-64f1-4b90-9f0c-0f2f5c7d6a11
    no_path     fixed       10.0.0.5  twin
"
    );
}

#[test]
fn a_floating_ip_that_leads_nowhere_is_told() {
    assert_eq!(
        table("--from 2001:db8::1 --to 10.0.0.5 --protocol tcp"),
        "not reachable: the addresses are of different families (family)\n  \
         tcp, any port, from 2001:db8::1 to 10.0.0.5\n"
    );
    let mut cloud = cloud();
    let floating = FloatingIp {
        version: version("3b9aca00-4f4e-4d8c-9b59-6f9d3c2b1a00"),
        router_id: Some(None),
        ..FloatingIp::default()
    };
    let later = Timestamp::from_micros(1);
    cloud.merge_read(later, later, true, &[Object::FloatingIp(floating)], false);
    let question = parse("--from 192.0.2.77 --to 198.51.100.7 --protocol gre").expect("it parses").question();
    let verdict = reach_any([&cloud], &question.expect("it is one"));
    let question = Question::new(
        IpAddr::from([192, 0, 2, 77]),
        IpAddr::from([198, 51, 100, 7]),
        osel_core::model::Protocol::Number(47),
        None,
    );
    assert_eq!(
        chain::text(&question, &verdict),
        "\
not reachable: nothing answers for this address (no_such_address)
  gre from 192.0.2.77 to 198.51.100.7
  192.0.2.77 → ✗ floating IP 3b9aca00-4f4e-4d8c-9b59-6f9d3c2b1a00 (has no router)
"
    );
}

#[test]
fn long_and_hostile_names_stay_within_their_lines() {
    let mut cloud = cloud();
    let name = format!("\x1b[2J\n{}", "ä".repeat(300));
    let group = SecurityGroup { version: version("g"), name: Some(name.into()), ..SecurityGroup::default() };
    let later = Timestamp::from_micros(1);
    cloud.merge_read(later, later, true, &[Object::SecurityGroup(group)], false);
    let question = parse("--from 192.0.2.77 --to 198.51.100.7 --protocol tcp --port 22");
    let question = question.expect("it parses").question().expect("it is one");
    let text = chain::text(&question, &reach_any([&cloud], &question));
    assert!(!text.contains('\x1b'));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("→ rule "), "what comes after it is told: {text}");
}

#[test]
fn a_question_needs_its_three_flags_or_a_batch_and_not_both() {
    assert!(parse("--from 192.0.2.77 --to 198.51.100.7").is_err());
    assert!(parse("--batch - --from 192.0.2.77").is_err());
    assert!(parse("--from 192.0.2.0/24 --to 198.51.100.7 --protocol tcp").is_err());
    assert!(parse("--from 192.0.2.77 --to 198.51.100.7 --protocol tcp --port 65536").is_err());
    assert!(parse("--batch -").is_ok());
    let usage = |rest: &str| {
        let args = parse(&format!("--from 192.0.2.77 --to 198.51.100.7 {rest}")).expect(rest);
        args.question().expect_err(rest).to_string()
    };
    assert_eq!(
        usage("--protocol warp"),
        "--protocol warp: give a name such as tcp, udp or icmp, or a number from 0 to 255"
    );
    assert_eq!(usage("--protocol icmp --port 256"), "--port 256: an ICMP type is from 0 to 255");
}

#[test]
fn flags_ask_what_a_line_of_a_batch_asks() {
    let args =
        parse("--from 192.0.2.77 --to 10.0.0.5 --protocol 1 --port 8 --icmp-code 0 --network n --port-id p");
    let line = r#"{"from":"192.0.2.77","to":"10.0.0.5","protocol":"icmp","port":8,"icmp_code":0,
                   "network":"n","port_id":"p"}"#;
    let asked = args.expect("they parse").question().expect("it is one");
    assert_eq!(Ok(asked), read_question(line));
}

fn batch(input: &[u8], format: Format) -> (String, Option<String>) {
    let mut out = Vec::new();
    let error = answer_batch(answer, "asked.jsonl", input, format, &mut out).err();
    let message = error.map(|error| {
        assert!(error.downcast_ref::<Failure>().is_some(), "it is the caller's: exit code 2");
        error.to_string()
    });
    (String::from_utf8(out).expect("answers are UTF-8"), message)
}

const YES: &str = r#"{"from":"192.0.2.77","to":"198.51.100.7","protocol":"tcp","port":22}"#;
const NO: &str = r#"{"from":"192.0.2.77","to":"198.51.100.7","protocol":"tcp","port":23}"#;

#[test]
fn a_batch_is_answered_line_by_line() {
    let (out, error) = batch(format!("{YES}\r\n\n{NO}\n{YES}").as_bytes(), Format::Json);
    assert_eq!(error, None);
    let reasons: Vec<String> = out
        .lines()
        .map(|line| {
            let answer: serde_json::Value = serde_json::from_str(line).expect("each line is JSON");
            answer["reason"].to_string()
        })
        .collect();
    assert_eq!(reasons, [r#""admitted""#, r#""no_rule""#, r#""admitted""#]);
    let (marked, error) = batch(format!("\u{feff}{YES}\n{NO}\n{YES}").as_bytes(), Format::Json);
    assert_eq!((marked, error), (out, None));
    let (out, _) = batch(format!("{YES}\n{NO}").as_bytes(), Format::Table);
    let first = out.split("\n\n").map(|answer| answer.lines().next().unwrap_or_default());
    assert_eq!(
        first.collect::<Vec<_>>(),
        ["reachable (admitted)", "not reachable: no rule admits it (no_rule)"]
    );
}

#[test]
fn a_bad_line_is_answered_in_its_place() {
    let long = format!("{YES}{}", " ".repeat(LINE_BYTES_MAX));
    for (bad, why) in [
        (r#"{"from":"192.0.2.77"}"#.as_bytes(), "`to` is missing"),
        (br#"{"from":"nobody"}"#, "`from` is not an IP address: \"nobody\""),
        (b"\xff", "not UTF-8"),
        (b"22", "not a question: a JSON object is expected"),
        (long.as_bytes(), "longer than 65536 bytes"),
    ] {
        let mut input = format!("{NO}\n\n").into_bytes();
        input.extend_from_slice(bad);
        input.extend_from_slice(format!("\n{YES}\n").as_bytes());
        let (out, error) = batch(&input, Format::Json);
        assert_eq!(error, Some(format!("asked.jsonl line 3: {why}")));
        let lines: Vec<serde_json::Value> =
            out.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        assert_eq!(lines.len(), 3, "{out}");
        assert_eq!(lines[1], json!({"error": why, "line": 3}));
        assert_eq!((&lines[0]["reachable"], &lines[2]["reachable"]), (&json!(false), &json!(true)));
        let (out, _) = batch(&input, Format::Table);
        assert!(out.contains(&format!("\n\nline 3 is no question: {why}\n\nreachable")), "{out}");
    }
    let (out, error) = batch(format!("x\n{YES}\ny\nz").as_bytes(), Format::Json);
    assert_eq!(out.lines().count(), 4);
    let error = error.expect("lines are wrong");
    assert!(
        error.starts_with("asked.jsonl line 1: ") && error.ends_with("; 2 more of 4 lines are no questions"),
        "{error}"
    );
}

#[test]
fn an_unreadable_file_is_no_fault_of_the_question() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let input = format!("{YES}\n").into_bytes();
    let mut out = Vec::new();
    let error = answer_batch(answer, "asked.jsonl", input.chain(Broken), Format::Json, &mut out);
    let error = error.expect_err("the file cannot be read");
    assert!(error.downcast_ref::<Failure>().is_none());
    assert_eq!(format!("{error:#}"), "asked.jsonl line 2: the disk is gone");
    assert_eq!(String::from_utf8_lossy(&out).lines().count(), 1);
}
