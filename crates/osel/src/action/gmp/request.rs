//! Requests, as gvmd reads them. Everything that is not ours is escaped.

use osel_core::scan::{ScanTarget, Transport};
use quick_xml::escape::escape;
use zeroize::Zeroizing;

use crate::config::GmpConfig;

/// A request.
pub(super) struct Request {
    /// Its command.
    pub(super) command: &'static str,
    /// Whether it changes something.
    pub(super) has_effect: bool,
    /// The text; one of them has a password in it.
    pub(super) text: Zeroizing<String>,
}

impl Request {
    /// One that asks.
    fn asks(command: &'static str, attributes: &[(&str, &str)]) -> Self {
        Self { command, has_effect: false, text: element(command, attributes, "") }
    }

    /// One that changes something.
    fn does(command: &'static str, attributes: &[(&str, &str)], within: &str) -> Self {
        Self { command, has_effect: true, text: element(command, attributes, within) }
    }

    pub(super) fn version() -> Self {
        Self::asks("get_version", &[])
    }

    pub(super) fn login(config: &GmpConfig) -> Self {
        let mut within = Zeroizing::new(String::with_capacity(512));
        let password = Zeroizing::new(escape(config.password.expose()).into_owned());
        for part in [
            "<credentials><username>",
            &escape(config.username.as_str()),
            "</username><password>",
            &password,
            "</password></credentials>",
        ] {
            within.push_str(part);
        }
        let command = "authenticate";
        Self { command, has_effect: false, text: element(command, &[], &within) }
    }

    /// Those things of a kind that have this name, by a command such as `get_targets`.
    pub(super) fn named(command: &'static str, name: &str) -> Self {
        // Names come from the configuration and from titles, neither of which has quotation marks.
        let filter = format!("name=\"{name}\" rows=-1");
        Self::asks(command, &[("filter", &filter)])
    }

    /// Tasks of this name.
    pub(super) fn tasks(name: &str) -> Self {
        let filter = format!("name=\"{name}\" rows=-1");
        Self::asks("get_tasks", &[("usage_type", "scan"), ("filter", &filter), ("ignore_pagination", "1")])
    }

    pub(super) fn task(id: &str) -> Self {
        Self::asks("get_tasks", &[("task_id", id), ("usage_type", "scan"), ("details", "1")])
    }

    pub(super) fn create_port_list(name: &str, ranges: &str) -> Self {
        let within = format!("{}<port_range>{ranges}</port_range>", text("name", name));
        Self::does("create_port_list", &[], &within)
    }

    pub(super) fn create_target(name: &str, hosts: &str, port_list: &str) -> Self {
        // A host that answers no ping is exposed all the same.
        let within = format!(
            "{}<hosts>{hosts}</hosts>{}<alive_tests>Consider Alive</alive_tests>\
             <allow_simultaneous_ips>1</allow_simultaneous_ips>",
            text("name", name),
            reference("port_list", port_list),
        );
        Self::does("create_target", &[], &within)
    }

    pub(super) fn create_task(
        name: &str,
        target: &str,
        scan_config: &str,
        engine: &str,
        config: &GmpConfig,
    ) -> Self {
        let preference = |name: &str, value: Option<u16>| {
            value.map_or_else(String::new, |value| {
                format!("<preference><scanner_name>{name}</scanner_name><value>{value}</value></preference>")
            })
        };
        let within = format!(
            "{}<usage_type>scan</usage_type>{}{}{}<preferences>{}{}</preferences>",
            text("name", name),
            reference("config", scan_config),
            reference("target", target),
            reference("scanner", engine),
            preference("max_hosts", config.hosts_at_once),
            preference("max_checks", config.tests_at_once),
        );
        Self::does("create_task", &[], &within)
    }

    pub(super) fn start(task: &str) -> Self {
        Self::does("start_task", &[("task_id", task)], "")
    }

    pub(super) fn resume(task: &str) -> Self {
        Self::does("resume_task", &[("task_id", task)], "")
    }

    pub(super) fn stop(task: &str) -> Self {
        Self::does("stop_task", &[("task_id", task)], "")
    }

    pub(super) fn comment(task: &str, comment: &str) -> Self {
        Self::does("modify_task", &[("task_id", task)], &text("comment", comment))
    }

    /// The newest reports of a task, without what is in them.
    pub(super) fn reports_of(task: &str) -> Self {
        let filter = format!("task_id={task} sort-reverse=date rows=1");
        Self::asks("get_reports", &[("report_filter", &filter), ("details", "0")])
    }

    /// A report with everything: results of every level but those for programmers, and hosts without any.
    pub(super) fn report(id: &str, min_qod: u8) -> Self {
        let filter =
            format!("levels=chmlg min_qod={min_qod} apply_overrides=0 result_hosts_only=0 first=1 rows=-1");
        Self::asks(
            "get_reports",
            &[("report_id", id), ("details", "1"), ("ignore_pagination", "1"), ("filter", &filter)],
        )
    }

    pub(super) fn delete_task(id: &str) -> Self {
        Self::does("delete_task", &[("task_id", id), ("ultimate", "1")], "")
    }

    pub(super) fn delete_target(id: &str) -> Self {
        Self::does("delete_target", &[("target_id", id), ("ultimate", "1")], "")
    }

    pub(super) fn delete_port_list(id: &str) -> Self {
        Self::does("delete_port_list", &[("port_list_id", id), ("ultimate", "1")], "")
    }
}

fn element(name: &str, attributes: &[(&str, &str)], within: &str) -> Zeroizing<String> {
    // It has its full size at once: one that grows leaves copies behind.
    let size = attributes.iter().map(|(name, value)| name.len() + 6 * value.len() + 4).sum::<usize>();
    let mut element = Zeroizing::new(String::with_capacity(size + within.len() + 2 * name.len() + 8));
    element.push('<');
    element.push_str(name);
    for (attribute, value) in attributes {
        for part in [" ", *attribute, "=\"", &escape(*value), "\""] {
            element.push_str(part);
        }
    }
    if within.is_empty() {
        element.push_str("/>");
    } else {
        for part in [">", within, "</", name, ">"] {
            element.push_str(part);
        }
    }
    element
}

fn text(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

fn reference(name: &str, id: &str) -> String {
    format!("<{name} id=\"{}\"/>", escape(id))
}

/// The ports of all targets, as gvmd reads them: `T:22,T:80-443,U:53`. Empty where nobody asks for any.
pub(super) fn ranges(targets: &[ScanTarget]) -> String {
    let mut ports: Vec<(Transport, u16)> =
        targets.iter().flat_map(|target| target.expected.keys().copied()).collect();
    ports.sort_unstable();
    ports.dedup();
    let follows = |before: &(Transport, u16), after: &(Transport, u16)| {
        before.0 == after.0 && before.1.checked_add(1) == Some(after.1)
    };
    let range = |run: &[(Transport, u16)]| {
        let &[(transport, first), ..] = run else { return String::new() };
        let letter = match transport {
            Transport::Tcp => 'T',
            Transport::Udp => 'U',
        };
        match run.last() {
            Some(&(_, last)) if last > first => format!("{letter}:{first}-{last}"),
            _ => format!("{letter}:{first}"),
        }
    };
    ports.chunk_by(follows).map(range).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{GmpAddress, Secret};

    fn target(last: u8, ports: &[(Transport, u16)]) -> ScanTarget {
        ScanTarget {
            address: [192, 0, 2, last].into(),
            network_id: None,
            project_id: None,
            expected: ports.iter().map(|&port| (port, true)).collect(),
            partial: false,
            causes: Vec::new(),
        }
    }

    #[test]
    fn ports_are_told_as_gvmd_reads_them() {
        use Transport::{Tcp, Udp};
        let check = |ports: &[(Transport, u16)], wanted: &str| {
            assert_eq!(ranges(&[target(1, ports), target(2, ports)]), wanted);
        };
        check(&[], "");
        check(&[(Tcp, 22), (Udp, 53), (Tcp, 443)], "T:22,T:443,U:53");
        check(&[(Tcp, 80), (Tcp, 82), (Tcp, 81), (Tcp, 65_535), (Tcp, 65_534)], "T:80-82,T:65534-65535");
        check(&[(Tcp, 65_535), (Udp, 1)], "T:65535,U:1");
        assert_eq!(ranges(&[target(1, &[(Tcp, 22)]), target(2, &[(Tcp, 23), (Udp, 53)])]), "T:22-23,U:53");
    }

    #[test]
    fn what_is_not_ours_is_escaped() {
        let config = GmpConfig {
            address: GmpAddress::Socket(None),
            username: "o<s>el".to_owned(),
            password: Secret::new("a&b\"</password>".to_owned()),
            scan_config: String::new(),
            engine: String::new(),
            min_qod: 30,
            hosts_at_once: Some(5),
            tests_at_once: None,
            answer_time: Duration::ZERO,
            keep: false,
        };
        assert_eq!(
            Request::login(&config).text.as_str(),
            "<authenticate><credentials><username>o&lt;s&gt;el</username>\
             <password>a&amp;b&quot;&lt;/password&gt;</password></credentials></authenticate>"
        );
        assert_eq!(
            Request::tasks("a<b").text.as_str(),
            "<get_tasks usage_type=\"scan\" filter=\"name=&quot;a&lt;b&quot; rows=-1\" ignore_pagination=\"1\"/>"
        );
        assert_eq!(
            Request::create_task("t", "1", "2", "3", &config).text.as_str(),
            "<create_task><name>t</name><usage_type>scan</usage_type><config id=\"2\"/><target id=\"1\"/><scanner id=\"3\"/>\
             <preferences><preference><scanner_name>max_hosts</scanner_name><value>5</value></preference></preferences></create_task>"
        );
    }
}
