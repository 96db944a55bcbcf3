//! From what a report shows of a host to what is told of it.

use std::collections::BTreeSet;

use osel_core::scan::{
    Coverage, HOST_VULNERABILITIES_MAX, HostResult, PortFound, ProbeState, ScanTarget, TEXT_CHARS_MAX,
    Transport, Vulnerability, cut,
};

/// What a report shows of one host.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Whether the report speaks of the host at all.
    pub(super) is_there: bool,
    /// Whether its scan came to its end.
    pub(super) is_ended: bool,
    /// Whether it was left alone as one that does not answer.
    pub(super) is_dead: bool,
    /// Whether more was found than is kept.
    pub(super) is_cut: bool,
    /// Where something was found.
    pub(super) open: BTreeSet<(Transport, u16)>,
    vulnerabilities: Vec<Vulnerability>,
    known: BTreeSet<(String, Option<(Transport, u16)>)>,
    failures: usize,
    failure: String,
}

impl Shown {
    /// A test failed.
    pub(super) fn fail(&mut self, description: &str) {
        if self.failures == 0 {
            self.failure = cut(description, TEXT_CHARS_MAX);
        }
        self.failures += 1;
    }

    /// One weakness more, unless it is known at that place; the most severe are kept. Whether there is one more now.
    pub(super) fn add(&mut self, vulnerability: Vulnerability) -> bool {
        if !self.known.insert((vulnerability.id.clone(), vulnerability.at)) {
            return false;
        }
        if self.vulnerabilities.len() < HOST_VULNERABILITIES_MAX {
            self.vulnerabilities.push(vulnerability);
            return true;
        }
        self.is_cut = true;
        let least = self.vulnerabilities.iter_mut().min_by_key(|known| known.cvss_tenths);
        if let Some(least) = least.filter(|least| least.cvss_tenths < vulnerability.cvss_tenths) {
            self.known.remove(&(least.id.clone(), least.at));
            *least = vulnerability;
        } else {
            self.known.remove(&(vulnerability.id, vulnerability.at));
        }
        false
    }

    fn coverage(&self) -> Coverage {
        let not_scanned = |why: &str| Coverage::NotScanned(why.to_owned());
        if self.is_dead {
            not_scanned("the scanner holds it to be dead")
        } else if !self.is_there {
            not_scanned("the report does not speak of it")
        } else if !self.is_ended {
            Coverage::Partial("its scan did not come to its end".to_owned())
        } else if self.failures > 0 {
            Coverage::Partial(format!("{} tests failed, the first with: {}", self.failures, self.failure))
        } else if self.is_cut {
            Coverage::Partial("more was found than is kept of one report".to_owned())
        } else {
            Coverage::Whole
        }
    }

    /// What is told of a target by this.
    ///
    /// gvmd tells what answers and is silent about the rest. Of a host whose scan came to its end, every port of our own list was probed,
    /// since that is what its scan begins with: where nothing is told, nothing answered. Whether the host refused or was silent is not to
    /// be known, so it is told in the weaker word of the two. Of another host, nothing is told about such ports.
    pub(super) fn told(mut self, target: &ScanTarget) -> HostResult {
        let coverage = self.coverage();
        let silent = |transport| match transport {
            Transport::Tcp => ProbeState::Filtered,
            Transport::Udp => ProbeState::OpenFiltered,
        };
        let is_probed = self.is_there && self.is_ended && !self.is_dead;
        let state = |&(transport, port): &(Transport, u16)| {
            let state = match self.open.contains(&(transport, port)) {
                true => ProbeState::Open,
                false if is_probed => silent(transport),
                false => return None,
            };
            Some(PortFound::new(transport, port, state))
        };
        let ports = target.expected.keys().filter_map(state).collect();
        self.vulnerabilities.sort_by(|a, b| (b.severity, &a.id, a.at).cmp(&(a.severity, &b.id, b.at)));
        HostResult {
            coverage,
            ports,
            vulnerabilities: self.vulnerabilities,
            ..HostResult::new(target.address)
        }
    }
}

#[cfg(test)]
mod tests {
    use osel_core::scan::Severity;

    use super::*;

    fn weakness(number: usize, tenths: u8) -> Vulnerability {
        Vulnerability {
            id: format!("nvt:{number}"),
            title: String::new(),
            cves: Vec::new(),
            cvss_tenths: Some(tenths),
            severity: Severity::of_cvss(tenths),
            at: None,
            is_certain: true,
            evidence: String::new(),
        }
    }

    #[test]
    fn the_most_severe_are_kept_and_each_once() {
        let mut shown = Shown { is_there: true, is_ended: true, ..Shown::default() };
        assert!(shown.add(weakness(0, 10)));
        assert!(!shown.add(weakness(0, 90)));
        for number in 1..HOST_VULNERABILITIES_MAX {
            assert!(shown.add(weakness(number, 20)));
        }
        assert_eq!(shown.coverage(), Coverage::Whole);
        assert!(!shown.add(weakness(5000, 5)));
        assert!(!shown.add(weakness(5001, 98)));
        assert_eq!(shown.vulnerabilities.len(), HOST_VULNERABILITIES_MAX);
        assert!(shown.vulnerabilities.iter().any(|known| known.id == "nvt:5001"));
        assert!(!shown.vulnerabilities.iter().any(|known| known.id == "nvt:0"));
        assert!(matches!(shown.coverage(), Coverage::Partial(_)));
    }
}
