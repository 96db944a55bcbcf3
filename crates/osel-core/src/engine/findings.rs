//! Findings on the way of an input: what a scan or a change means to them, and the records that tell it.
//!
//! What a result means is decided in `finding`; here it is told. Something that agents may only need seconds for is looked at once more
//! before anybody believes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::expected::carried;
use super::naming::server_at;
use super::record::RecordBody;
use super::{Engine, Output, system_record};
use crate::event::{Kind, Outcome, Target};
use crate::exposure::Judged;
use crate::finding::{
    Admitted, ExpectedList, FINDINGS_MAX, Finding, FindingId, FindingKind, FindingPlace, Scene, Sighting,
    Turn, overtaken, sentence, sights,
};
use crate::ids::Id;
use crate::plan::{self, Place};
use crate::scan::{Expected, HostResult, ScanLife, ScanTarget, Transport};
use crate::time::Timestamp;
use crate::trail::RecordKind;

impl Engine {
    /// All findings that are kept, in the order of their ids.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter()
    }

    /// The finding with this id.
    pub fn finding(&self, id: &FindingId) -> Option<&Finding> {
        self.findings.get(id)
    }

    /// Takes what a scan, with a record of that number, saw of one address.
    pub(super) fn note_scan(
        &mut self,
        now: Timestamp,
        seq: u64,
        life: &ScanLife,
        target: &ScanTarget,
        host: &HostResult,
        out: &mut Output,
    ) {
        let command = &life.command;
        let region = command.region.as_ref();
        let admitted = self.admitted(region, target.network_id.as_ref(), target.address);
        let policy = self.options.scan.as_ref();
        let scanner = policy.and_then(|policy| policy.scanners.iter().find(|of| of.name == command.scanner));
        let scene = Scene {
            region,
            target,
            host,
            scanner_name: &command.scanner,
            takes_ports: scanner.is_none_or(|scanner| scanner.takes_ports),
            admitted: &admitted,
            sensitive_ports: policy.map(|policy| &policy.sensitive_ports[..]).unwrap_or_default(),
        };
        let known = self.findings.known(&(region.cloned(), target.network_id.clone(), target.address));
        let seen = sights(&scene, &known);
        let name = life.outcome.as_ref().map_or(&*command.scanner, |outcome| &outcome.scanner);
        let server = self
            .cloud(region)
            .and_then(|cloud| server_at(cloud, &self.names, target.network_id.as_ref(), target.address, now));
        let sighting = Sighting {
            now,
            seq,
            scanner: name,
            scanner_name: &command.scanner,
            project_id: target.project_id.as_ref(),
            server_name: server.as_ref().map(|server| &*server.name),
        };
        let mut odd = Expected::new();
        for sight in seen {
            let carried = |finding: &Finding| carried(&self.clouds, finding);
            let expected = ExpectedList { entries: &self.options.expected, carried: &carried };
            let Some((id, turn)) = self.findings.see(&sighting, sight, expected) else { continue };
            if let (Turn::Opened | Turn::Reopened, Some(finding)) = (&turn, self.findings.get(&id))
                && let (None, Some(at)) = (&finding.expected, finding.port)
                && matches!(finding.kind, FindingKind::AnsweringNotExposed | FindingKind::ExposedNotAnswering)
            {
                odd.insert(at, finding.kind == FindingKind::ExposedNotAnswering);
            }
            self.tell_finding(now, Some(seq), &id, &turn, "", out);
        }
        self.tell_refused(now, seq, out);
        // For what it did not tell there may be no other scan that will.
        let place = (region.cloned(), target.network_id.clone(), target.address);
        self.settle(now, Some(seq), [place], out);
        if let (false, Some(policy)) = (odd.is_empty(), &self.options.scan) {
            let not_before = now.plus_seconds(policy.confirm_seconds.into());
            let place = Place { network_id: target.network_id.clone(), address: target.address };
            let again = plan::Target { ports: odd, partial: false, project_id: target.project_id.clone() };
            self.rescan(now, not_before, &command.scanner, region.cloned(), place, again, seq);
        }
    }

    /// Takes what a change, with a record of that number, opened and closed: what no scan will show is settled by the model.
    pub(super) fn note_closed(
        &mut self,
        now: Timestamp,
        seq: u64,
        region: Option<&Arc<str>>,
        exposure: &Judged,
        out: &mut Output,
    ) {
        if !self.findings.has_open() {
            return;
        }
        let rows = exposure.closed.iter().chain(&exposure.opened).map(|judged| &judged.row);
        let single = rows.filter(|row| row.address.prefix_len() == row.address.max_prefix_len());
        let places: BTreeSet<FindingPlace> = single
            .map(|row| {
                let place = Place::of(row);
                (region.cloned(), place.network_id, place.address)
            })
            .filter(|place| self.findings.is_known(place))
            .collect();
        self.settle(now, Some(seq), places, out);
        self.review_rows(now, seq, region, exposure, out);
    }

    /// The places, with open findings, of the addresses of objects that are about to change. Nothing is admitted at some of them, so that
    /// no row tells that they are gone.
    pub(super) fn known_places<'a>(
        &self,
        region: &Option<Arc<str>>,
        objects: impl Iterator<Item = (Kind, &'a Id)>,
    ) -> BTreeSet<FindingPlace> {
        let Some(cloud) = self.clouds.get(region).filter(|_| self.findings.has_open()) else {
            return BTreeSet::new();
        };
        objects
            .flat_map(|(kind, id)| cloud.addresses_of(kind, id))
            .map(|(network_id, address)| (region.clone(), network_id, address))
            .filter(|place| self.findings.is_known(place))
            .collect()
    }

    /// Settles by the model what is open at these places, as far as no scan that waits or runs will: nothing stays open for ever because
    /// nobody looks.
    pub(super) fn settle(
        &mut self,
        now: Timestamp,
        cause: Option<u64>,
        places: impl IntoIterator<Item = FindingPlace>,
        out: &mut Output,
    ) {
        for (region, network_id, address) in places {
            if !self.findings.is_known(&(region.clone(), network_id.clone(), address)) {
                continue;
            }
            let admitted = self.admitted(region.as_ref(), network_id.as_ref(), address);
            let place = Place { network_id: network_id.clone(), address };
            let known = self.findings.known(&(region.clone(), network_id, address)).into_iter();
            let settled: Vec<_> = known
                // What a scan has just shown is so, whatever the model says.
                .filter(|finding| Some(finding.seen_seq) != cause)
                .filter(|finding| {
                    // One that was planned by what was admitted before will say nothing.
                    let is_so = |(at, exposed): (&(Transport, u16), &bool)| *exposed == admitted.admits(*at);
                    !self.will_be_scanned(region.as_ref(), &place, |expected| match &finding.port {
                        Some(at) => expected.get_key_value(at).is_some_and(is_so),
                        None => expected.iter().any(is_so),
                    })
                })
                .filter_map(|finding| Some((finding.id.clone(), overtaken(finding, &admitted)?)))
                .collect();
            for (id, gone) in settled {
                if let Some((id, turn)) = self.findings.resolve(now, &id, gone) {
                    self.tell_finding(now, cause, &id, &turn, "", out);
                }
            }
        }
    }

    /// Puts out how a finding is now, and the record of what has become of it, where that is told.
    pub(super) fn tell_finding(
        &mut self,
        now: Timestamp,
        cause: Option<u64>,
        id: &FindingId,
        turn: &Turn,
        actor: &str,
        out: &mut Output,
    ) {
        let Some(finding) = self.findings.get(id) else { return };
        out.findings.push(finding.clone());
        if !turn.is_told(finding) {
            return;
        }
        let mut record = system_record(now, now, RecordKind::Finding, sentence(finding, turn, actor));
        record.cause = cause.or_else(|| (finding.seen_seq > 0).then_some(finding.seen_seq));
        record.region = finding.region.clone();
        record.outcome = match turn {
            Turn::Resolved(_) | Turn::Expected | Turn::Acknowledged => Outcome::Success,
            _ => Outcome::Unknown,
        };
        record.target = Some(Target {
            kind: "address".into(),
            id: Some(Id::new(&finding.address.to_string())),
            name: None,
            project_id: finding.project_id.clone(),
        });
        let mut set = |key: &'static str, value: Option<String>| {
            if let Some(value) = value {
                record.detail.insert(key.into(), value);
            }
        };
        set("finding", Some(finding.id.to_string()));
        set("kind", Some(finding.kind.as_str().to_owned()));
        set("state", Some(finding.state.as_str().to_owned()));
        set("severity", Some(finding.severity.as_str().to_owned()));
        set("scanner", Some(finding.seen_by().to_owned()));
        set("program", Some(finding.scanner.clone()));
        set("evidence", Some(finding.evidence.clone()));
        set("address", Some(finding.address.to_string()));
        set("port", finding.port.map(|(transport, port)| format!("{} {port}", transport.as_str())));
        set("network", finding.network_id.as_ref().map(Id::to_string));
        set("server_name", finding.server_name.clone());
        set("vulnerability", finding.vulnerability.as_ref().map(|vulnerability| vulnerability.id.clone()));
        set("resolved_by", finding.resolved_by.map(|by| by.as_str().to_owned()));
        set("reopened", (finding.reopened > 0).then(|| finding.reopened.to_string()));
        let is_ordered = matches!(turn, Turn::Acknowledged | Turn::Unacknowledged);
        set("ordered_by", is_ordered.then(|| actor.to_owned()));
        set("acknowledgement", matches!(turn, Turn::Lapsed).then(|| "over".to_owned()));
        if is_ordered {
            record.actor.user_name = Some(actor.into());
        }
        let seq = self.record(record, out);
        if !is_ordered {
            self.readers.produced(now, seq);
        }
    }

    fn tell_refused(&mut self, now: Timestamp, seq: u64, out: &mut Output) {
        let Some(count) = self.findings.take_refused(now) else { return };
        let text = format!("{count} findings are not kept: {FINDINGS_MAX} others are open already");
        let mut record = system_record(now, now, RecordKind::Finding, text);
        record.outcome = Outcome::Failure;
        record.detail.insert("unkept".into(), count.to_string());
        self.record(RecordBody { cause: Some(seq), ..record }, out);
    }

    /// What a region's cloud admits at an address.
    fn admitted(
        &self,
        region: Option<&Arc<str>>,
        network_id: Option<&Id>,
        address: std::net::IpAddr,
    ) -> Admitted {
        self.cloud(region).map(|cloud| Admitted::of(cloud, network_id, address)).unwrap_or_default()
    }
}
