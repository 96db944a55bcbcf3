//! Answers in SARIF 2.1.0, the form of many scanners of applications: results are weaknesses, their places are URIs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hyper::Uri;
use osel_core::scan::{EVIDENCE_CHARS_MAX, Severity, TEXT_CHARS_MAX, Transport, Vulnerability, cut};
use serde::Deserialize;

use super::lines::tenths;
use crate::action::local::{Gathered, cves};

#[derive(Deserialize)]
struct Log {
    version: String,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    tool: Tool,
    #[serde(default)]
    results: Vec<Found>,
    #[serde(default)]
    invocations: Vec<Invocation>,
}

#[derive(Deserialize)]
struct Tool {
    driver: Driver,
}

#[derive(Deserialize)]
struct Driver {
    name: String,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: String,
    name: Option<String>,
    short_description: Option<Message>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
struct Properties {
    /// A score of CVSS, as GitHub has it.
    #[serde(rename = "security-severity")]
    score: Option<Score>,
    #[serde(default)]
    tags: Vec<String>,
}

/// It is a text by the book, and a number in life.
#[derive(Deserialize)]
#[serde(untagged)]
enum Score {
    Number(f64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found {
    rule_id: Option<String>,
    rule_index: Option<usize>,
    kind: Option<String>,
    baseline_state: Option<String>,
    level: Option<String>,
    message: Message,
    #[serde(default)]
    locations: Vec<Location>,
}

#[derive(Default, Deserialize)]
struct Message {
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Option<PhysicalLocation>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: Option<ArtifactLocation>,
}

#[derive(Deserialize)]
struct ArtifactLocation {
    uri: Option<String>,
}

/// Reads an answer; `place` is what results without a place of their own are about.
///
/// # Errors
///
/// What cannot be understood, in words, or that a run says it failed.
pub(super) fn read(
    answer: &[u8],
    place: Option<(IpAddr, Option<(Transport, u16)>)>,
    gathered: &mut Gathered,
) -> Result<(), String> {
    let log: Log = serde_json::from_slice(answer).map_err(|error| error.to_string())?;
    if log.version != "2.1.0" {
        return Err(format!("is SARIF of version `{}`, not 2.1.0", cut(&log.version, TEXT_CHARS_MAX)));
    }
    for run in &log.runs {
        if run.invocations.iter().any(|invocation| !invocation.execution_successful) {
            return Err(format!("{} says that it failed", cut(&run.tool.driver.name, TEXT_CHARS_MAX)));
        }
        let rules: BTreeMap<&str, &Rule> =
            run.tool.driver.rules.iter().map(|rule| (rule.id.as_str(), rule)).collect();
        for found in &run.results {
            // `pass`, `notApplicable`, `informational` and their like are no weaknesses; `fail` is what is meant by none.
            if !matches!(found.kind.as_deref(), None | Some("fail" | "open" | "review")) {
                continue;
            }
            // An earlier run saw it and this one did not.
            if found.baseline_state.as_deref() == Some("absent") {
                continue;
            }
            let by_index = || found.rule_index.and_then(|index| run.tool.driver.rules.get(index));
            let rule = found.rule_id.as_deref().and_then(|id| rules.get(id).copied()).or_else(by_index);
            let id = found.rule_id.as_deref().or(rule.map(|rule| rule.id.as_str())).unwrap_or("unnamed");
            let own = found.locations.iter().find_map(Location::place);
            let Some((address, at)) = own.or(place) else { continue };
            gathered.vulnerability(address, found.vulnerability(&run.tool.driver.name, id, rule, at));
        }
    }
    Ok(())
}

impl Found {
    fn vulnerability(
        &self,
        tool: &str,
        id: &str,
        rule: Option<&Rule>,
        at: Option<(Transport, u16)>,
    ) -> Vulnerability {
        let text = self.message.text.as_deref().unwrap_or_default();
        let described =
            rule.and_then(|rule| rule.short_description.as_ref()?.text.as_deref().or(rule.name.as_deref()));
        let score = rule.and_then(|rule| match rule.properties.score.as_ref()? {
            Score::Number(score) => Some(*score),
            Score::Text(text) => text.parse().ok(),
        });
        let cvss_tenths = score.and_then(tenths);
        let by_level = match self.level.as_deref() {
            Some("error") => Severity::High,
            Some("note") => Severity::Low,
            Some("none") => Severity::Info,
            _ => Severity::Medium,
        };
        let tags = rule.map(|rule| rule.properties.tags.join(" ")).unwrap_or_default();
        Vulnerability {
            id: cut(&format!("{tool}:{id}"), TEXT_CHARS_MAX),
            title: cut(described.unwrap_or(text), TEXT_CHARS_MAX),
            cves: cves(&format!("{id} {tags} {text}")),
            severity: cvss_tenths.map_or(by_level, Severity::of_cvss),
            cvss_tenths,
            at,
            is_certain: self.kind.as_deref() != Some("review"),
            evidence: cut(text, EVIDENCE_CHARS_MAX),
        }
    }
}

impl Location {
    /// Address and port of a place in the network.
    fn place(&self) -> Option<(IpAddr, Option<(Transport, u16)>)> {
        place(self.physical_location.as_ref()?.artifact_location.as_ref()?.uri.as_deref()?)
    }
}

/// Address and port of a URI whose host is an address.
pub(in crate::action) fn place(uri: &str) -> Option<(IpAddr, Option<(Transport, u16)>)> {
    let uri: Uri = uri.parse().ok()?;
    let address = uri.host()?.trim_matches(['[', ']']).parse().ok()?;
    let usual = match uri.scheme_str() {
        Some("https") => Some(443),
        Some("http") => Some(80),
        _ => None,
    };
    Some((address, uri.port_u16().or(usual).map(|port| (Transport::Tcp, port))))
}
