//! A record read back from its parts, and the documents that people and programs get of it.
//!
//! Reading needs nothing but the parts. Rules on many ports are in [`Record::wide`] then, and become rows when a state as it was after
//! the record is at hand ([`Record::expand`]); without one their numbers and examples are shown.
//!
//! Any part may be missing (retention, erasure, another project's): then its keys are null and the list `missing` says which. The
//! keys are those of contract §3 and mean the same for ever.

use std::collections::BTreeSet;

use serde::Serialize;

use super::body::{BodyPart, MemberPart, PersonalPart};
use super::exposure_part::{ExposurePart, SourcePart};
use super::sentence::sentence;
use super::wide::WideRows;
use crate::engine::Engine;
use crate::exposure::JudgedRow;
use crate::ids::Id;
use crate::model::{Row, net_text, sort_by_row};
use crate::trail::Hash;
use crate::trail::Header;
use crate::trail::PartClass;

/// A record read back.
#[derive(Clone, Debug)]
pub struct Record {
    /// What its canonical form says.
    pub header: Header,
    /// Its hash.
    pub hash: Hash,
    /// What everybody reads.
    pub body: BodyPart,
    /// What is about persons.
    pub personal: PersonalPart,
    /// Rows that came, in order.
    pub opened: Vec<JudgedRow>,
    /// Rows that went, in order.
    pub closed: Vec<JudgedRow>,
    /// More rows of both, of rules on many ports, that are not expanded.
    pub wide: Vec<WideRows>,
    /// The classes of parts that are not there any more.
    pub missing: Vec<PartClass>,
}

impl Record {
    /// Reads a record from its parts: class, project, and bytes where they are still there.
    pub fn read<'a>(
        header: Header,
        hash: Hash,
        parts: impl Iterator<Item = (PartClass, Option<&'a str>, Option<&'a [u8]>)>,
    ) -> Self {
        let mut record = Self {
            header,
            hash,
            body: BodyPart::default(),
            personal: PersonalPart::default(),
            opened: Vec::new(),
            closed: Vec::new(),
            wide: Vec::new(),
            missing: Vec::new(),
        };
        for (class, project, bytes) in parts {
            let read = bytes.is_some_and(|bytes| record.read_part(class, project, bytes));
            if !read {
                record.missing.push(class);
            }
        }
        record.sort();
        record
    }

    /// Lists the rows of rules on many ports: `engine` is as it was after this record. What it cannot give exactly as it was stays in
    /// [`Self::wide`]; says whether nothing did.
    pub fn expand(&mut self, engine: &Engine) -> bool {
        let wide = std::mem::take(&mut self.wide);
        let before = wide.len();
        for wide in wide {
            // The body, which names the region too, may be gone.
            let region = wide.examples.first().and_then(|judged| judged.row.region.as_ref());
            match engine.cloud(region).and_then(|cloud| wide.expand(cloud)) {
                Some(rows) if wide.opened => self.opened.extend(rows),
                Some(rows) => self.closed.extend(rows),
                None => self.wide.push(wide),
            }
        }
        if self.wide.len() < before {
            self.sort();
        }
        self.wide.is_empty()
    }

    /// How many rows came, expanded or not.
    pub fn opened_count(&self) -> usize {
        self.opened.len() + self.wide_count(true)
    }

    /// How many rows went, expanded or not.
    pub fn closed_count(&self) -> usize {
        self.closed.len() + self.wide_count(false)
    }

    /// The rows that are there to be looked at: all, or of rules on many ports that are not expanded the examples.
    pub fn rows_at_hand(&self) -> impl Iterator<Item = &JudgedRow> {
        let examples = self.wide.iter().flat_map(|wide| &wide.examples);
        self.opened.iter().chain(&self.closed).chain(examples)
    }

    /// The projects whose rows came or went.
    pub fn row_projects(&self) -> BTreeSet<&Id> {
        let listed =
            self.opened.iter().chain(&self.closed).filter_map(|judged| judged.row.project_id.as_ref());
        listed.chain(self.wide.iter().filter_map(|wide| wide.project_id.as_ref())).collect()
    }

    fn wide_count(&self, opened: bool) -> usize {
        self.wide.iter().filter(|wide| wide.opened == opened).map(|wide| wide.rows as usize).sum()
    }

    /// The project that it is about: its target's, else the actor's.
    pub fn project(&self) -> Option<&Id> {
        let of_target = self.body.target.as_ref().and_then(|target| target.project_id.as_ref());
        of_target.or(self.body.project_id.as_ref())
    }

    fn sort(&mut self) {
        for rows in [&mut self.opened, &mut self.closed] {
            sort_by_row(rows, |judged| &judged.row);
        }
    }

    fn read_part(&mut self, class: PartClass, project: Option<&str>, bytes: &[u8]) -> bool {
        match class {
            PartClass::Body => serde_json::from_slice(bytes).map(|body| self.body = body).is_ok(),
            PartClass::Personal => {
                serde_json::from_slice(bytes).map(|personal| self.personal.add(personal)).is_ok()
            }
            PartClass::Exposure => serde_json::from_slice(bytes)
                .map(|part: ExposurePart| {
                    let rows = part.rows(project.map(Id::new).as_ref());
                    self.opened.extend(rows.opened);
                    self.closed.extend(rows.closed);
                    self.wide.extend(rows.wide);
                })
                .is_ok(),
            // The message itself: not part of what a record says.
            PartClass::Payload => true,
        }
    }

    /// The name of what something was done to, from whichever part has it.
    pub fn target_name(&self) -> Option<&str> {
        let of_thing = self.body.target.as_ref().and_then(|target| target.name.as_deref());
        of_thing.or(self.personal.target_name.as_deref())
    }

    /// The record as contract §3 has it, with all rows.
    pub fn document(&self) -> RecordDocument<'_> {
        self.document_of(usize::MAX)
    }

    /// The same with at most so many rows of each list; the rest is counted.
    pub fn document_of(&self, rows_max: usize) -> RecordDocument<'_> {
        let (body, personal) = (&self.body, &self.personal);
        RecordDocument {
            seq: self.header.seq,
            time: self.header.time.to_string(),
            recorded_at: self.header.recorded_at.to_string(),
            as_of: self.header.as_of.to_string(),
            kind: self.header.kind.as_str(),
            source: body.source.as_deref(),
            message_id: body.message_id.as_deref(),
            request_id: body.request_id.as_ref(),
            event_type: body.event_type.as_deref(),
            outcome: if body.outcome.is_empty() { "unknown" } else { &body.outcome },
            actor: ActorDocument {
                user_id: body.user_id.as_ref(),
                user_name: personal.user_name.as_deref(),
                project_id: body.project_id.as_ref(),
                project_name: body.project_name.as_deref(),
                address: personal.address.as_deref(),
                agent: personal.agent.as_deref(),
            },
            target: TargetDocument {
                kind: body.target.as_ref().map(|target| &*target.kind),
                id: body.target.as_ref().and_then(|target| target.id.as_ref()),
                name: self.target_name(),
                project_id: body.target.as_ref().and_then(|target| target.project_id.as_ref()),
            },
            summary: sentence(self),
            exposure: self.exposure_of(rows_max),
            region: body.region.as_deref(),
            cause: body.cause,
            conflicting: body.conflicting,
            detail: &body.detail,
            missing: self.missing.iter().map(|class| class.as_str()).collect(),
            hash: self.hash.to_string(),
        }
    }

    /// What it opened and closed, with at most so many rows of each list.
    pub fn exposure_of(&self, rows_max: usize) -> ExposureDocument<'_> {
        let listed = |rows: &[JudgedRow]| rows.iter().take(rows_max).map(JudgedRowDocument::from).collect();
        let rest = |rows: &[JudgedRow]| rows.len().saturating_sub(rows_max);
        let cut = CutDocument { opened: rest(&self.opened), closed: rest(&self.closed) };
        ExposureDocument {
            opened: listed(&self.opened),
            closed: listed(&self.closed),
            members: &self.body.members,
            not_listed: self.wide.iter().map(WideDocument::from).collect(),
            cut: (cut.opened + cut.closed > 0).then_some(cut),
        }
    }
}

/// A record as `osel audit export -o json` prints it.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the keys are those of the contract, section 3 and 4")]
pub struct RecordDocument<'a> {
    pub seq: u64,
    pub time: String,
    pub recorded_at: String,
    pub as_of: String,
    pub kind: &'static str,
    pub source: Option<&'a str>,
    pub message_id: Option<&'a str>,
    pub request_id: Option<&'a Id>,
    pub event_type: Option<&'a str>,
    pub outcome: &'a str,
    pub actor: ActorDocument<'a>,
    pub target: TargetDocument<'a>,
    pub summary: String,
    pub exposure: ExposureDocument<'a>,
    pub region: Option<&'a str>,
    pub cause: Option<u64>,
    pub conflicting: bool,
    pub detail: &'a super::body::Detail,
    pub missing: Vec<&'static str>,
    pub hash: String,
}

/// Who.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the keys are those of the contract, section 3 and 4")]
pub struct ActorDocument<'a> {
    pub user_id: Option<&'a Id>,
    pub user_name: Option<&'a str>,
    pub project_id: Option<&'a Id>,
    pub project_name: Option<&'a str>,
    pub address: Option<&'a str>,
    pub agent: Option<&'a str>,
}

/// To what.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the keys are those of the contract, section 3 and 4")]
pub struct TargetDocument<'a> {
    #[serde(rename = "type")]
    pub kind: Option<&'a str>,
    pub id: Option<&'a Id>,
    pub name: Option<&'a str>,
    pub project_id: Option<&'a Id>,
}

/// What became reachable or unreachable.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the keys are those of the contract, section 3 and 4")]
pub struct ExposureDocument<'a> {
    pub opened: Vec<JudgedRowDocument>,
    pub closed: Vec<JudgedRowDocument>,
    pub members: &'a [MemberPart],
    /// Rows that belong to the lists above and are not in them; the key is there only when there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_listed: Vec<WideDocument>,
    /// How many more rows the lists above would have, where a line has no room for them; the key is there only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutDocument>,
}

/// How many rows are left out of a document.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the keys are those of the lists that they are left out of")]
pub struct CutDocument {
    pub opened: usize,
    pub closed: usize,
}

/// The rows of a rule on many ports, of a time whose state is no longer known.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "keys as in contract, section 4; `change` is `opened` or `closed`")]
pub struct WideDocument {
    pub change: &'static str,
    pub rows: u32,
    pub ports: u32,
    pub project_id: Option<String>,
    pub security_group_id: String,
    pub rule_id: String,
    pub examples: Vec<JudgedRowDocument>,
}

impl From<&WideRows> for WideDocument {
    fn from(wide: &WideRows) -> Self {
        Self {
            change: if wide.opened { "opened" } else { "closed" },
            rows: wide.rows,
            ports: wide.ports,
            project_id: wide.project_id.as_ref().map(Id::to_string),
            security_group_id: wide.security_group_id.to_string(),
            rule_id: wide.rule_id.to_string(),
            examples: wide.examples.iter().map(JudgedRowDocument::from).collect(),
        }
    }
}

/// One row of contract §4.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the keys are those of the contract, section 3 and 4")]
pub struct RowDocument {
    pub address: String,
    pub via: &'static str,
    pub fixed_ip: Option<String>,
    pub port_id: String,
    pub device_id: Option<String>,
    pub device_owner: Option<String>,
    pub project_id: Option<String>,
    pub network_id: Option<String>,
    pub region: Option<String>,
    pub ethertype: &'static str,
    pub protocol: String,
    pub port_min: Option<u16>,
    pub port_max: Option<u16>,
    pub icmp_type: Option<u8>,
    pub icmp_code: Option<u8>,
    pub source: SourcePart,
    pub security_group_id: Option<String>,
    pub rule_id: Option<String>,
}

impl From<&Row> for RowDocument {
    fn from(row: &Row) -> Self {
        let text = |id: &Option<Id>| id.as_ref().map(Id::to_string);
        let permission = &row.permission;
        Self {
            address: row.address_text(),
            via: row.via.as_str(),
            fixed_ip: row.fixed_ip.map(net_text),
            port_id: row.port_id.to_string(),
            device_id: text(&row.device_id),
            device_owner: row.device_owner.as_deref().map(str::to_owned),
            project_id: text(&row.project_id),
            network_id: text(&row.network_id),
            region: row.region.as_deref().map(str::to_owned),
            ethertype: if permission.ipv6 { "IPv6" } else { "IPv4" },
            protocol: permission.protocol.name().into_owned(),
            port_min: permission.ports.map(|(min, _)| min),
            port_max: permission.ports.map(|(_, max)| max),
            icmp_type: permission.icmp_type,
            icmp_code: permission.icmp_code,
            source: SourcePart::from(&permission.source),
            security_group_id: text(&row.security_group_id),
            rule_id: text(&row.rule_id),
        }
    }
}

/// A row of a delta.
#[derive(Debug, Serialize)]
#[allow(missing_docs, reason = "the keys are those of the contract, section 3 and 4")]
pub struct JudgedRowDocument {
    #[serde(flatten)]
    pub row: RowDocument,
    pub redundant: bool,
    /// For what came: what was there before had it. Tables say so; the key of the contract is `redundant`.
    #[serde(skip)]
    pub covered_before: bool,
}

impl From<&JudgedRow> for JudgedRowDocument {
    fn from(judged: &JudgedRow) -> Self {
        let JudgedRow { row, redundant, covered_before } = judged;
        Self { row: RowDocument::from(row), redundant: *redundant, covered_before: *covered_before }
    }
}
