//! `[scan]`: what is scanned without an order of a person.

use super::*;
use crate::config::{ProjectsConfig, VantageConfig};

#[test]
fn the_policy_is_read() {
    let text = format!(
        "{SMALLEST}[scan]\nnever_prefixes = ['198.51.100.0/24']\nvantage = '10.9.0.0/24'\nchanges = ['opened']\nprojects = ['p1', 'p2']\n\
         quiet_hours = '22:30-06:00'\naddresses_per_hour = 1000\nproject_addresses_per_hour = 100\nsensitive_ports = [3389, 22, 22]\n\
         confirm_seconds = 5\n"
    );
    let (config, _) = good(&text, &[URL, ("OSEL_SCAN__WAIT_SECONDS_MAX", "600")]);
    let scan = config.scan;
    assert_eq!(scan.never_prefixes, ["198.51.100.0/24".parse().unwrap()]);
    assert_eq!(scan.vantage, VantageConfig::Prefix("10.9.0.0/24".parse().unwrap()));
    assert_eq!((scan.opened, scan.closed), (true, false));
    assert_eq!(scan.projects, ProjectsConfig::Only(vec!["p1".to_owned(), "p2".to_owned()]));
    assert_eq!(scan.quiet_hours, Some((22 * 60 + 30, 6 * 60)));
    let budgets = [scan.addresses_per_hour, scan.project_addresses_per_hour];
    assert_eq!(budgets.map(|budget| budget.unwrap().get()), [1000, 100]);
    assert_eq!(scan.sensitive_ports, [22, 3389]);
    assert_eq!((scan.confirm_seconds, scan.wait_seconds_max), (5, 600));
    let ports = [URL, ("OSEL_SCAN__SENSITIVE_PORTS", "80, 22")];
    assert_eq!(good(SMALLEST, &ports).0.scan.sensitive_ports, [22, 80]);
}

#[test]
fn what_is_wrong_with_the_policy_is_told() {
    let text = format!(
        "{SMALLEST}[scan]\nvantage = 'here'\nchanges = ['changed']\nprojects = ['a']\nnever_projects = ['b']\nquiet_hours = '22-6'\n\
         sensitive_ports = [0, 70000]\nconfirm_seconds = 0\naddresses_per_hour = 0\n"
    );
    check_bad(
        &text,
        &[URL],
        &[
            "osel.toml:7: scan.never_projects: cannot be given together with `projects`: who is not among those is not scanned",
            "osel.toml:8: scan.vantage: must be `internet` or the prefix that scanners stand in, not `here`",
            "osel.toml:9: scan.changes[0]: must be `opened` or `closed`, not `changed`",
            "osel.toml:12: scan.quiet_hours: must be two times of the day in UTC, such as `22:00-06:00`, not `22-6`",
            "osel.toml:13: scan.sensitive_ports[0]: must be a number from 1 to 65535",
            "osel.toml:13: scan.sensitive_ports[1]: must be a number from 1 to 65535",
            "osel.toml:14: scan.confirm_seconds: must be a number from 1 to 86400",
            "osel.toml:15: scan.addresses_per_hour: must be a number from 1 to 10000000",
        ],
    );
}
