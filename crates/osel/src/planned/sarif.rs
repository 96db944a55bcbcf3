//! What came of a plan as SARIF 2.1.0, which code scanners read.
//!
//! One result for each resource and rule, however many rows there are: its fingerprint is made of these two and of nothing that changes
//! with a line or an address, so that a scanner knows a finding again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use osel_core::engine::record::{RowDocument, SourcePart};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::note::{Note, NoteKind};
use super::outcome::{ChangedRow, Hidden, Outcome};
use crate::sarif::{Rule, log, message};

/// The most rows that a message names.
const ROWS_NAMED_MAX: usize = 3;
/// The most clauses of notes that a message has.
const CLAUSES_MAX: usize = 5;

/// The file that a plan was read from.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Its path from where the program was called, or a URI.
    pub uri: String,
}

/// What a plan can be found to do.
const RULES: [Rule; 8] = [
    Rule {
        id: "OSEL-101",
        name: "InternetExposure",
        level: "error",
        severity: "8.6",
        short: "Opens an address to the public internet",
        help: "A packet from a public address gets to a port by this change and did not before. Narrow the source of the rule, or take the way from the address.",
    },
    Rule {
        id: "OSEL-102",
        name: "UnfilteredPort",
        level: "error",
        severity: "7.1",
        short: "Leaves a port without filter",
        help: "Port security is off, so that every protocol from every source gets to the port. Turn it on and give the port security groups.",
    },
    Rule {
        id: "OSEL-103",
        name: "EverySource",
        level: "warning",
        severity: "5.3",
        short: "Admits every source",
        help: "The rule admits every address. No way from the internet is known now; one more route or floating IP makes one. Name the sources.",
    },
    Rule {
        id: "OSEL-104",
        name: "NewExposure",
        level: "warning",
        severity: "3.1",
        short: "Opens an address to named sources",
        help: "An address admits packets that it did not admit before.",
    },
    Rule {
        id: "OSEL-105",
        name: "SourceGrows",
        level: "warning",
        severity: "3.1",
        short: "Adds addresses to a group that rules name as their source",
        help: "What such rules admit, they admit from these addresses too.",
    },
    Rule {
        id: "OSEL-106",
        name: "RedundantExposure",
        level: "note",
        severity: "0.5",
        short: "Opens what is open anyway",
        help: "Other rows of the same address admit all of it. The rule is not needed.",
    },
    Rule {
        id: "OSEL-107",
        name: "Unknown",
        level: "warning",
        severity: "4.0",
        short: "Cannot be known before the change is made",
        help: "A value that decides about exposure is not known yet, or osel's model lacks something. The text says what was assumed.",
    },
    Rule {
        id: "OSEL-108",
        name: "NotEvaluated",
        level: "note",
        severity: "1.0",
        short: "Is not judged",
        help: "A part of the plan is not judged and may expose something.",
    },
];

const INTERNET: usize = 0;
const UNFILTERED: usize = 1;
const EVERY_SOURCE: usize = 2;
const NEW: usize = 3;
const MEMBERS: usize = 4;
const REDUNDANT: usize = 5;
const UNKNOWN: usize = 6;
const NOT_EVALUATED: usize = 7;

/// The results of one rule about one resource.
#[derive(Default)]
struct Finding {
    line: usize,
    count: usize,
    clauses: Vec<String>,
}

impl Finding {
    fn add(&mut self, line: usize, most: usize, clause: impl FnOnce() -> String) {
        self.line = line;
        self.count += 1;
        if self.clauses.len() < most {
            self.clauses.push(clause());
        }
    }
}

/// The log of one run. Redundant rows are findings only where that is wanted.
pub fn sarif(outcome: &Outcome, artifact: &Artifact, version: &str, redundant: bool) -> Value {
    let mut findings: BTreeMap<(usize, &str), Finding> = BTreeMap::new();
    for changed in &outcome.opened {
        let Some(rule) = rule_of(changed, redundant) else { continue };
        let step = &outcome.steps[changed.step];
        let finding = findings.entry((rule, &step.resource)).or_default();
        finding.add(step.line, ROWS_NAMED_MAX, || row_clause(outcome, changed));
    }
    for members in outcome.members.iter().filter(|members| !members.change.gained.is_empty()) {
        let change = &members.change;
        let rule = if members.internet { INTERNET } else { MEMBERS };
        let resource = outcome.planned(&change.id).map_or("", |resource| resource);
        let clause = || {
            let group = outcome.shown_group(&change.id);
            format!("{} {group} gains {} addresses", change.kind.singular(), change.gained.len())
        };
        findings.entry((rule, resource)).or_default().add(1, CLAUSES_MAX, clause);
    }
    for note in &outcome.notes {
        let Some(rule) = rule_of_note(note) else { continue };
        let resource = note.resource.as_deref().unwrap_or_default();
        let step = outcome.steps.iter().find(|step| &*step.resource == resource);
        let line = step.map_or(1, |step| step.line);
        findings.entry((rule, resource)).or_default().add(line, CLAUSES_MAX, || note.text.clone());
    }
    let results: Vec<Value> = findings
        .iter()
        .map(|((rule, resource), finding)| result(*rule, resource, finding, artifact))
        .collect();
    let rules: Vec<Value> = RULES.iter().map(Rule::descriptor).collect();
    log(version, "osel/whatif/", &rules, &results)
}

fn rule_of(changed: &ChangedRow, redundant: bool) -> Option<usize> {
    let row = &changed.judged.row;
    if !changed.is_new() {
        return redundant.then_some(REDUNDANT);
    }
    Some(match changed.internet {
        true => INTERNET,
        false if row.rule_id.is_none() => UNFILTERED,
        false if row.permission.source == osel_core::model::Source::family(row.permission.ipv6) => {
            EVERY_SOURCE
        }
        false => NEW,
    })
}

fn rule_of_note(note: &Note) -> Option<usize> {
    match note.kind {
        NoteKind::Unknown | NoteKind::NotKnown => Some(UNKNOWN),
        NoteKind::NotEvaluated => Some(NOT_EVALUATED),
        NoteKind::Remark => None,
    }
}

/// `tcp 22 of 203.0.113.7 from 0.0.0.0/0, by floatingip …, port …`.
fn row_clause(outcome: &Outcome, changed: &ChangedRow) -> String {
    let shown = outcome.shown(&changed.judged.row);
    let words = |key: &str, value: String| shown.hides(key).map_or(value, |why| why.words().to_owned());
    let row = &shown.document;
    let source = match &row.source {
        _ if shown.hides("source") == Some(&Hidden::Sensitive) => Hidden::Sensitive.words().to_owned(),
        SourcePart::Prefix(prefix) => words("source", prefix.to_string()),
        SourcePart::SecurityGroup(id) => format!("group {id}"),
        SourcePart::AddressGroup(id) => format!("address group {id}"),
    };
    let mut clause = format!(
        "{} {} of {} from {source}",
        words("protocol", row.protocol.clone()),
        words("port_min", ports(row)),
        words("address", row.address.clone()),
    );
    if let Some(way) = changed.way.as_ref().filter(|_| changed.internet) {
        let hops = way.verdict.path.iter().map(|hop| match (&hop.name, &hop.id) {
            (Some(name), _) => format!("{} {name}", hop.kind.singular()),
            (None, Some(id)) => format!("{} {id}", hop.kind.singular()),
            (None, None) => hop.kind.singular().to_owned(),
        });
        let _ = write!(clause, ", by {}", hops.collect::<Vec<_>>().join(", "));
    }
    clause
}

fn ports(row: &RowDocument) -> String {
    match (row.port_min, row.port_max, row.icmp_type) {
        (Some(min), Some(max), _) if min == max => min.to_string(),
        (Some(min), Some(max), _) => format!("{min}-{max}"),
        (_, _, Some(kind)) => format!("type {kind}"),
        _ => "all".to_owned(),
    }
}

fn result(at: usize, resource: &str, finding: &Finding, artifact: &Artifact) -> Value {
    let rule = &RULES[at];
    let mut text = match resource {
        "" => format!("The plan: {}", finding.clauses.join("; ")),
        resource => format!("{resource}: {}: {}", rule.short, finding.clauses.join("; ")),
    };
    let more = finding.count - finding.clauses.len();
    if more > 0 {
        let _ = write!(text, "; and {more} more");
    }
    let mut location = json!({
        "physicalLocation": {
            "artifactLocation": {"uri": artifact.uri},
            "region": {"startLine": finding.line},
        },
    });
    if !resource.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": resource, "kind": "resource"}]);
    }
    json!({
        "ruleId": rule.id,
        "ruleIndex": at,
        "level": rule.level,
        "message": message(&text),
        "locations": [location],
        "partialFingerprints": {"osel/v1": fingerprint(rule.id, resource)},
        "properties": {"count": finding.count},
    })
}

fn fingerprint(rule: &str, resource: &str) -> String {
    let digest = Sha256::digest(format!("{rule}\0{resource}"));
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
