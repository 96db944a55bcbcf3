//! `[[forward]]`: what all forwarders have.

use osel_core::format::{Format, Severity};
use osel_core::forward::Filter;
use osel_core::ids::Id;
use osel_core::trail::RecordKind;

use super::*;
use crate::config::ForwardFrom;

const FILE: &str = "[[forward]]\nname = 'siem'\ntype = 'file'\npath = '/var/log/siem'\n";

#[test]
fn a_forwarder_sends_everything_from_the_start_unless_it_is_told() {
    let (config, _) = good(&format!("{SMALLEST}{FILE}"), &[URL]);
    let [forward] = &config.forwards[..] else { panic!("{:?}", config.forwards) };
    assert_eq!((forward.name.as_str(), forward.format), ("siem", Format::Native));
    assert_eq!((&forward.filter, forward.from), (&Filter::default(), ForwardFrom::Start));
}

#[test]
fn the_filter_is_read() {
    let text = format!(
        "{SMALLEST}{FILE}kinds = ['finding', 'gap']\nseverity_min = 'high'\nprojects = ['p1']\nevent_types = ['port.', 'router.']\n\
         exposing_only = true\nfrom = 'now'\nformat = 'ocsf'\n"
    );
    let (config, _) = good(&text, &[URL]);
    let forward = &config.forwards[0];
    let filter = Filter {
        kinds: [RecordKind::Finding, RecordKind::Gap].into(),
        severity_min: Severity::High,
        projects: [Id::new("p1")].into(),
        event_types: vec!["port.".to_owned(), "router.".to_owned()],
        exposing_only: true,
    };
    assert_eq!((&forward.filter, forward.from, forward.format), (&filter, ForwardFrom::Now, Format::Ocsf));
    let kinds = [URL, ("OSEL_FORWARD__0__KINDS", "gap, system")];
    let (config, _) = good(&format!("{SMALLEST}{FILE}"), &kinds);
    assert_eq!(config.forwards[0].filter.kinds, [RecordKind::Gap, RecordKind::System].into());
}

#[test]
fn what_is_wrong_with_a_filter_is_told() {
    let text = format!(
        "{SMALLEST}{FILE}kinds = ['events']\nseverity_min = 'warning'\nprojects = ['{}']\nevent_types = ['port.*']\nfrom = 'end'\n",
        "x".repeat(65)
    );
    let place = Place::new();
    place.write("osel.toml", &text);
    let told = place.load(&[URL]).unwrap_err().to_string();
    for words in [
        "forward[0].kinds[0]: must be `change` or ",
        "forward[0].severity_min: must be `informational` or `low` or ",
        "forward[0].projects[0]: must be the id of a project, of at most 64 characters",
        "forward[0].event_types[0]: must be the beginning of an event type, such as `security_group_rule.`, without `*`",
        "forward[0].from: must be `start` or `now`, not `end`",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
