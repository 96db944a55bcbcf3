//! `[[expected]]` and `[findings]`: what may be exposed.

use std::num::NonZeroU32;

use osel_core::finding::ExpectedExposure;
use osel_core::ids::Id;
use osel_core::scan::Transport;
use osel_core::time::Timestamp;

use super::*;

#[test]
fn entries_are_those_of_the_file_and_of_variables_behind_them() {
    let text = format!(
        "{SMALLEST}[[expected]]\nprefix = '198.51.100.0/24'\nproject = 'shop'\nports = '80,443, 8000-8100'\nprotocol = 'tcp'\n\
         tag = ' Öffentlich, ja'\nreason = 'web shop'\nuntil = '2027-01-31'\n[[expected]]\naddress = '2001:db8::7'\nreason = 'r'\n\
         [findings]\nunread_alarm_seconds = 0\n"
    );
    let variables = [
        URL,
        ("OSEL_EXPECTED__1__UNTIL", "2027-01-31T12:00:00+02:00"),
        ("OSEL_EXPECTED__2__REASON", "mail"),
        ("OSEL_EXPECTED__2__PORTS", "25"),
        ("OSEL_EXPECTED__3__REASON", "t"),
        ("OSEL_EXPECTED__3__TAG", "public"),
    ];
    let (config, _) = good(&text, &variables);
    let time = |text: &str| Timestamp::parse(text);
    let wanted = [
        ExpectedExposure {
            prefix: Some("198.51.100.0/24".parse().unwrap()),
            project_id: Some(Id::new("shop")),
            ports: vec![(80, 80), (443, 443), (8000, 8100)],
            transport: Some(Transport::Tcp),
            tag: Some(" Öffentlich, ja".into()),
            reason: "web shop".to_owned(),
            until: time("2027-01-31T00:00:00Z"),
        },
        ExpectedExposure {
            prefix: Some("2001:db8::7/128".parse().unwrap()),
            reason: "r".to_owned(),
            until: time("2027-01-31T10:00:00Z"),
            ..ExpectedExposure::default()
        },
        ExpectedExposure { ports: vec![(25, 25)], reason: "mail".to_owned(), ..ExpectedExposure::default() },
        ExpectedExposure {
            tag: Some("public".into()),
            reason: "t".to_owned(),
            ..ExpectedExposure::default()
        },
    ];
    assert_eq!(config.expected, wanted);
    assert_eq!(config.findings.unread_alarm_seconds, None);
    let week = good(SMALLEST, &[URL]).0.findings.unread_alarm_seconds;
    assert_eq!(week, NonZeroU32::new(604_800));
}

#[test]
fn what_is_wrong_with_entries_is_told_at_once() {
    let text = format!(
        "{SMALLEST}[[expected]]\nports = 22\n[[expected]]\nreason = 'r'\nprotocol = 'tcp'\n[[expected]]\nreason = ' '\n\
         prefix = '198.51.100.7/24'\n[[expected]]\nreason = 'r'\nports = '90-80'\nuntil = 'soon'\nprotocol = 'sctp'\n[[expected]]\n\
         reason = 'r'\nprefix = '198.51.100.0/24'\naddress = '198.51.100.7'\nprojekt = 'p'\n[[expected]]\nreason = 'r'\ntag = ''\n[[expected]]\nreason = 'r'\ntag = '{}'\n[[expected]]\n\
         reason = 'r'\ntag = ['a', 'b']\n",
        "ä".repeat(256)
    );
    let place = Place::new();
    place.write("osel.toml", &text);
    let told = place.without_path(&place.load(&[URL]).unwrap_err().to_string());
    let is_told = |line: &str| assert!(told.contains(line), "{line}\n{told}");
    is_told("osel.toml:7: expected[0].reason: is missing: say why it may be open");
    is_told(
        "osel.toml:9: expected[1].prefix: is missing: name a `prefix`, an `address`, a `project`, `ports` or a `tag`",
    );
    is_told("osel.toml:13: expected[2].reason: is empty");
    is_told("osel.toml:14: expected[2].prefix: `198.51.100.7/24` has bits beyond its length");
    is_told("osel.toml:17: expected[3].ports: must be ports and ranges, such as `22,80-90`, not `90-80`");
    is_told("osel.toml:18: expected[3].until: must be a date or a time, such as");
    is_told("osel.toml:19: expected[3].protocol: must be `tcp` or `udp`, not `sctp`");
    is_told("osel.toml:20: expected[4].address: is there beside `prefix`: give one of them");
    is_told("osel.toml:24: expected[4].projekt: is no key of osel: did you mean `project`?");
    is_told("osel.toml:27: expected[5].tag: is empty");
    is_told("osel.toml:30: expected[6].tag: is longer than a tag, which has at most 255 characters");
    is_told("osel.toml:33: expected[7].tag: must be a text");
    assert_eq!(told.lines().count(), 12, "{told}");
}
