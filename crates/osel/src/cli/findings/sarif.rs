//! Findings as one log of SARIF.
//!
//! A rule for each kind, and one for each weakness, named by its CVE where it has exactly one: so that a dashboard groups by what has to
//! be mended. A result's fingerprint is the finding's id, which stays the same for ever.

use std::collections::BTreeMap;

use osel_core::finding::{Finding, FindingKind};
use osel_core::scan::{Severity, Vulnerability};
use osel_core::time::Timestamp;
use serde_json::{Value, json};

use super::list::score;
use crate::sarif::{Rule, log, message};

/// What scans find beside weaknesses. The numbers follow those of planned changes.
const RULES: [(FindingKind, Rule); 3] = [
    (
        FindingKind::ExposedAnswering,
        Rule {
            id: "OSEL-201",
            name: "ExposedAndAnswering",
            level: "warning",
            severity: "5.3",
            short: "Is exposed and answers",
            help: "Security groups admit it and something answers there. Narrow the rule, stop the service, or list it as expected.",
        },
    ),
    (
        FindingKind::ExposedNotAnswering,
        Rule {
            id: "OSEL-202",
            name: "ExposedNotAnswering",
            level: "note",
            severity: "1.0",
            short: "Is exposed and nothing answers",
            help: "Security groups admit it and nothing answers there: a rule that nobody needs, or a service that is down.",
        },
    ),
    (
        FindingKind::AnsweringNotExposed,
        Rule {
            id: "OSEL-203",
            name: "AnsweringThoughNotExposed",
            level: "error",
            severity: "7.5",
            short: "Answers though it is not exposed",
            help: "No security group admits it and something answers: an agent that does not enforce them, a way around them, or a fault of osel's model.",
        },
    ),
];

/// The log of these findings, as they are let be at `now`.
pub(super) fn sarif(findings: &[Finding], now: Timestamp, version: &str) -> Value {
    let mut rules: Vec<Value> = RULES.iter().map(|(_, rule)| rule.descriptor()).collect();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut results = Vec::new();
    for finding in findings {
        let place = match (&finding.vulnerability, kind_place(finding.kind)) {
            (Some(vulnerability), _) => *places.entry(rule_id(vulnerability)).or_insert_with_key(|id| {
                rules.push(vulnerability_rule(id, vulnerability));
                rules.len() - 1
            }),
            (None, Some(place)) => place,
            (None, None) => continue,
        };
        let id = rules.get(place).map_or(Value::Null, |rule| rule["id"].clone());
        results.push(result(finding, &id, place, now));
    }
    log(version, "osel/findings/", &rules, &results)
}

fn kind_place(kind: FindingKind) -> Option<usize> {
    RULES.iter().position(|(of, _)| *of == kind)
}

/// What a weakness is known as everywhere, else what its scanner calls it.
fn rule_id(vulnerability: &Vulnerability) -> String {
    match &vulnerability.cves[..] {
        [cve] => cve.clone(),
        _ => vulnerability.id.clone(),
    }
}

fn vulnerability_rule(id: &str, vulnerability: &Vulnerability) -> Value {
    let tags = ["security", "vulnerability"].into_iter().map(str::to_owned);
    let cves = vulnerability.cves.iter().map(|cve| format!("external/cve/{}", cve.to_lowercase()));
    json!({
        "id": id,
        "name": "VulnerableReachable",
        "shortDescription": message(&vulnerability.title),
        "fullDescription": message(&vulnerability.title),
        "help": {"text": "A scanner knows a weakness of a service that the internet reaches. Mend the service, or close the way to it."},
        "defaultConfiguration": {"level": level(vulnerability.severity)},
        "properties": {
            "tags": tags.chain(cves).collect::<Vec<_>>(),
            "precision": if vulnerability.is_certain { "high" } else { "medium" },
            "security-severity": severity_score(vulnerability.severity, vulnerability.cvss_tenths),
        },
    })
}

fn result(finding: &Finding, rule: &Value, place: usize, now: Timestamp) -> Value {
    let evidence =
        if finding.evidence.is_empty() { String::new() } else { format!(": {}", finding.evidence) };
    let text = format!("{}: {}{evidence}", finding.place_text(), finding.title);
    let tenths = finding.vulnerability.as_ref().and_then(|vulnerability| vulnerability.cvss_tenths);
    let port =
        finding.port.map(|(transport, port)| format!("/{}/{port}", transport.as_str())).unwrap_or_default();
    let name = format!("{}{port}", finding.address);
    // A host is no file; readers that want one take the place of the address for it.
    let uri = format!("osel/{}{port}", finding.address.to_string().replace(':', "-"));
    let mut result = json!({
        "ruleId": rule,
        "ruleIndex": place,
        "level": level(finding.severity),
        "message": message(&text),
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}},
            "logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}],
        }],
        "partialFingerprints": {"osel/v1": finding.id.to_string()},
        "baselineState": if finding.is_resolved() { "absent" } else { "unchanged" },
        "properties": {
            "security-severity": severity_score(finding.severity, tenths),
            "severity": finding.severity.as_str(),
            "state": finding.state.as_str(),
            "project_id": finding.project_id.as_ref().map(ToString::to_string),
            "region": finding.region.as_deref(),
            "opened_at": finding.opened_at.to_string(),
            "scanner": finding.seen_by(),
            "program": finding.scanner,
        },
    });
    let suppression = |why: String| json!([{"kind": "external", "status": "accepted", "justification": why}]);
    match (finding.acknowledged(now), &finding.expected) {
        (Some(ack), _) => {
            result["suppressions"] = suppression(format!("acknowledged by {}: {}", ack.by, ack.reason));
        }
        (None, Some(reason)) => result["suppressions"] = suppression(format!("expected: {reason}")),
        (None, None) => {}
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium | Severity::Low => "warning",
        Severity::Info => "note",
    }
}

/// A score as in CVSS: its own where there is one, else the middle of the word's range.
fn severity_score(severity: Severity, tenths: Option<u8>) -> String {
    let middle = match severity {
        Severity::Info => 0,
        Severity::Low => 20,
        Severity::Medium => 55,
        Severity::High => 80,
        Severity::Critical => 95,
    };
    score(tenths.unwrap_or(middle))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(kind: &str, vulnerability: Option<Value>) -> Finding {
        let mut text = json!({
            "id": format!("id-{kind}"), "kind": kind, "address": "2001:db8::7", "port": ["tcp", 443], "severity": "high",
            "state": "confirmed", "opened_at": 0, "opened_seq": 1, "seen_at": 0, "seen_seq": 1, "scanner": "s", "scanner_name": "s",
            "title": "a title\u{1b}[31m", "evidence": "seen",
        });
        if let Some(vulnerability) = vulnerability {
            text["vulnerability"] = vulnerability;
        }
        serde_json::from_value(text).unwrap()
    }

    fn weakness(id: &str, cves: &[&str]) -> Option<Value> {
        Some(json!({
            "id": id, "title": "old ssh", "cves": cves, "cvss_tenths": 81, "severity": "high", "is_certain": true,
        }))
    }

    #[test]
    fn rules_are_kinds_and_weaknesses_each_once() {
        let findings = [
            finding("exposed_answering", None),
            finding("answering_not_exposed", None),
            finding("vulnerable_reachable", weakness("qid:1", &["CVE-2024-6387"])),
            finding("vulnerable_reachable", weakness("plugin:9", &["CVE-2024-6387"])),
            finding("vulnerable_reachable", weakness("qid:2", &["CVE-2020-1", "CVE-2020-2"])),
        ];
        let log = sarif(&findings, Timestamp::EPOCH, "1.2.3");
        let run = &log["runs"][0];
        let rules: Vec<_> =
            run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|rule| &rule["id"]).collect();
        assert_eq!(rules, ["OSEL-201", "OSEL-202", "OSEL-203", "CVE-2024-6387", "qid:2"]);
        let results = run["results"].as_array().unwrap();
        let of: Vec<_> = results.iter().map(|result| result["ruleIndex"].as_u64().unwrap()).collect();
        assert_eq!(of, [0, 2, 3, 3, 4]);
        for result in results {
            assert_eq!(result["ruleId"], *rules[result["ruleIndex"].as_u64().unwrap() as usize]);
            assert!(!result["message"]["text"].as_str().unwrap().contains('\u{1b}'));
        }
        assert_eq!(results[2]["properties"]["security-severity"], "8.1");
        assert_eq!(results[0]["partialFingerprints"]["osel/v1"], "id-exposed_answering");
        let tags = &run["tool"]["driver"]["rules"][4]["properties"]["tags"];
        assert_eq!(
            *tags,
            json!(["security", "vulnerability", "external/cve/cve-2020-1", "external/cve/cve-2020-2"])
        );
    }

    #[test]
    fn what_is_let_be_is_suppressed_and_what_is_gone_is_absent() {
        let mut finding = finding("exposed_answering", None);
        finding.expected = Some("the web shop".to_owned());
        finding.state = osel_core::finding::FindingState::Resolved;
        let result = &sarif(&[finding], Timestamp::EPOCH, "1")["runs"][0]["results"][0];
        assert_eq!(result["suppressions"][0]["justification"], "expected: the web shop");
        assert_eq!(result["baselineState"], "absent");
    }
    #[test]
    fn an_acknowledgement_suppresses_until_it_ends() {
        let mut finding = finding("exposed_answering", None);
        let end = Timestamp::EPOCH.plus_seconds(60);
        finding.ack = Some(osel_core::finding::Ack {
            by: "alice".to_owned(),
            reason: "known".to_owned(),
            until: Some(end),
            at: Timestamp::EPOCH,
            seq: 1,
        });
        let suppressed = |finding: &Finding, now| {
            sarif(std::slice::from_ref(finding), now, "1")["runs"][0]["results"][0]["suppressions"].clone()
        };
        let before = suppressed(&finding, end.plus_seconds(-1));
        assert_eq!(before[0]["justification"], "acknowledged by alice: known");
        assert_eq!(suppressed(&finding, end), Value::Null);
        // What is expected beside stays so.
        finding.expected = Some("the web shop".to_owned());
        assert_eq!(suppressed(&finding, end)[0]["justification"], "expected: the web shop");
    }
}
