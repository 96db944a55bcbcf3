//! `[[forward]]` of the types for people: mail and rooms for chat.

use osel_core::format::Severity;
use osel_core::notice::{Cadence, GroupBy};

use super::*;
use crate::config::{ChatService, ForwardFrom, MailSecurity, ReceiverConfig};

const MAIL: &str = "server = 'mail.example'\nsender = 'osel <osel@cloud.example>'\nto = ['a@cloud.example', 'Ada <b@cloud.example>']\n";

fn table(kind: &str, keys: &str) -> String {
    format!("{SMALLEST}[[forward]]\nname = 'a'\ntype = '{kind}'\n{keys}")
}

#[track_caller]
fn check(kind: &str, keys: &str, wanted: &[&str]) {
    let place = Place::new();
    place.write("osel.toml", table(kind, keys));
    let told = place.load(&[URL]).unwrap_err().to_string();
    let told: Vec<&str> = told.lines().filter_map(|line| Some(line.split_once("forward[0].")?.1)).collect();
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
    for (told, wanted) in told.iter().zip(wanted) {
        assert!(told.starts_with(wanted), "{told}: {wanted}");
    }
}

#[test]
fn people_are_told_what_is_worth_a_look_from_now_on_unless_somebody_says_otherwise() {
    let (config, _) = good(&table("mail", MAIL), &[URL]);
    let forward = &config.forwards[0];
    assert_eq!((forward.filter.severity_min, forward.from), (Severity::Medium, ForwardFrom::Now));
    let ReceiverConfig::Mail(mail) = &forward.receiver else { panic!("{forward:?}") };
    assert_eq!((mail.host.as_str(), mail.port, mail.security), ("mail.example", 587, MailSecurity::StartTls));
    assert_eq!(mail.to[1].email.to_string(), "b@cloud.example");
    assert_eq!(
        mail.notices.cadence,
        Cadence::Grouped { wait_seconds: 30, interval_seconds: 300, urgent_min: Severity::Critical }
    );
    let keys = format!("{MAIL}security = 'tls'\nseverity_min = 'low'\nfrom = 'start'\n");
    let (config, _) = good(&table("mail", &keys), &[URL]);
    let ReceiverConfig::Mail(mail) = &config.forwards[0].receiver else { panic!("no mail") };
    assert_eq!((mail.port, config.forwards[0].filter.severity_min), (465, Severity::Low));
    assert_eq!(config.forwards[0].from, ForwardFrom::Start);
}

#[test]
fn a_digest_comes_at_its_time() {
    let keys =
        format!("{MAIL}digest_at = '07:30'\ndigest_empty = true\ngroup_by = 'project'\nlines_max = 50\n");
    let (config, _) = good(&table("mail", &keys), &[URL]);
    let notices = config.forwards[0].receiver.notices().unwrap();
    assert_eq!(
        notices.cadence,
        Cadence::Digest { period_seconds: 86_400, offset_seconds: 27_000, tells_empty: true }
    );
    assert_eq!((notices.group_by, notices.lines_max), (GroupBy::Project, 50));
}

#[test]
fn rooms_are_known_by_their_services() {
    for (kind, service) in [
        ("slack", ChatService::Slack),
        ("mattermost", ChatService::Mattermost),
        ("teams", ChatService::Teams),
    ] {
        let place = Place::new();
        let url = place.write("url", "https://hooks.example/T0/hunter2\n");
        let keys = format!("url = {{ file = '{}' }}\nlink_base = 'https://osel.example/'\n", url.display());
        let (config, _) = good(&table(kind, &keys), &[URL]);
        let forward = &config.forwards[0];
        let ReceiverConfig::Chat(chat) = &forward.receiver else { panic!("{forward:?}") };
        assert_eq!((chat.service, forward.receiver.as_str()), (service, kind));
        assert_eq!(chat.notices.link_base.as_deref(), Some("https://osel.example"));
        assert!(!format!("{forward:?}").contains("hunter2"));
    }
}

#[test]
fn what_is_wrong_is_told() {
    check("mail", "", &["server: is missing", "sender: is missing", "to: is missing"]);
    let hostile = "server = 'mail.example'\nsender = \"a@b.example\\r\\nBcc: c@d.example\"\nto = ['nobody']\nsubject_prefix = \"a\\nb\"\n";
    check(
        "mail",
        hostile,
        &["sender: must be an address", "to[0]: must be an address", "subject_prefix: must have"],
    );
    check("mail", &format!("{MAIL}security = 'none'\n"), &["security: would show mail to everybody"]);
    good(&table("mail", &format!("{MAIL}security = 'none'\ninsecure = true\n")), &[URL]);
    check(
        "mail",
        &format!("{MAIL}digest_hours = 24\nurgent_min = 'high'\n"),
        &["urgent_min: is of no use for a digest"],
    );
    check("mail", &format!("{MAIL}digest_empty = true\n"), &["digest_hours: is missing"]);
    check("mail", &format!("{MAIL}format = 'ocsf'\n"), &["format: is for programs"]);
    check("mail", &format!("{MAIL}body_template = '{{{{ notice.'\n"), &["body_template: is no template"]);
    check(
        "mail",
        &format!("{MAIL}subject_template = '{{{{ notice + 1 }}}}'\n"),
        &["subject_template: makes nothing of a sample"],
    );
    check("mail", &format!("{MAIL}link_base = 'javascript:alert(1)'\n"), &["link_base: must be a URL"]);
}
