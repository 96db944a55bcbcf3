//! All findings, and what becomes of each: opened, confirmed, resolved, reopened, acknowledged, expected.
//!
//! What is kept is bounded: open ones by [`FINDINGS_MAX`], beyond which one more is counted and not kept; resolved ones by [`RESOLVED_MAX`],
//! beyond which the oldest go. Whoever changes anything learns by a [`Turn`] what is to be told; a scan that only sees the same again
//! moves `seen_at` and is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{Ack, ExpectedList, Finding, FindingId, FindingPlace, FindingState, Gone, Picture, Seen, Sight};
use crate::ids::Id;
use crate::scan::Severity;
use crate::time::Timestamp;

/// The most findings that are not resolved. At some 2 kB each they take 100 MB at the very most; nobody can look at so many.
pub const FINDINGS_MAX: usize = 50_000;
/// The most resolved findings that are kept, so that what comes back is reopened and not new; their records stay for ever.
pub const RESOLVED_MAX: usize = 10_000;
/// How often it is told at most that findings find no room.
pub const NO_ROOM_SECONDS: i64 = 3600;

/// What has become of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is new.
    Opened,
    /// A second scan shows it.
    Confirmed,
    /// It was resolved and is back.
    Reopened,
    /// It is gone.
    Resolved(Gone),
    /// It is as serious as it is now and was not before.
    Severity {
        /// How serious it was.
        before: Severity,
    },
    /// The list of expected exposure covers it from now on.
    Expected,
    /// The list does not cover it any more.
    Unexpected,
    /// Somebody lets it be.
    Acknowledged,
    /// It is not let be any more.
    Unacknowledged,
    /// The time until which somebody let it be has come.
    Lapsed,
    /// It was seen once more, or something about it was put right.
    Seen,
}

impl Turn {
    /// Whether it is told in a record, `finding` being as it is after it. What may be there is nobody's business before it is
    /// not expected any more.
    pub fn is_told(&self, finding: &Finding) -> bool {
        match self {
            Self::Seen => false,
            Self::Expected | Self::Unexpected | Self::Acknowledged | Self::Unacknowledged => true,
            Self::Opened
            | Self::Confirmed
            | Self::Reopened
            | Self::Resolved(_)
            | Self::Severity { .. }
            | Self::Lapsed => finding.expected.is_none(),
        }
    }
}

/// Who saw something, when, and of whom.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// When.
    pub now: Timestamp,
    /// The record of the scan.
    pub seq: u64,
    /// Which scanner, with its version where it says one.
    pub scanner: &'a str,
    /// Its name in the configuration.
    pub scanner_name: &'a Arc<str>,
    /// The project of the address.
    pub project_id: Option<&'a Id>,
    /// What the server with the address is called.
    pub server_name: Option<&'a str>,
}

/// All findings.
#[derive(Debug, Default)]
pub struct Findings {
    all: BTreeMap<FindingId, Finding>,
    /// Those that are not resolved, by their places.
    open: BTreeMap<FindingPlace, BTreeSet<FindingId>>,
    /// Those that are, the oldest first.
    resolved: BTreeSet<(Timestamp, FindingId)>,
    /// Those that are not and whose acknowledgement ends, by when it does.
    lapsing: BTreeSet<(Timestamp, FindingId)>,
    /// How many found no room since that was told last.
    refused: u64,
    refused_told_at: Option<Timestamp>,
    /// From when to when what the list of expected exposure covers is known to be as it stands.
    reviewed: Option<(Timestamp, Timestamp)>,
}

/// One line of the state, for snapshots.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FindingsLine(Line);

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Finding(Box<Finding>),
    Refused { count: u64, told_at: Option<Timestamp> },
}

impl Findings {
    /// The finding with this id.
    pub fn get(&self, id: &FindingId) -> Option<&Finding> {
        self.all.get(id)
    }

    /// All findings, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Finding> {
        self.all.values()
    }

    /// Whether none is open: then no change of the cloud can mean anything to one.
    pub fn has_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether any finding of a place is not resolved.
    pub fn is_known(&self, place: &FindingPlace) -> bool {
        self.open.contains_key(place)
    }

    /// The findings of one place that are not resolved, in the order of their ids.
    pub fn known(&self, place: &FindingPlace) -> Vec<&Finding> {
        let ids = self.open.get(place).into_iter().flatten();
        ids.filter_map(|id| self.all.get(id)).collect()
    }

    /// Takes what a scan says of one finding.
    pub fn see(
        &mut self,
        sighting: &Sighting<'_>,
        sight: Sight,
        expected: ExpectedList<'_>,
    ) -> Option<(FindingId, Turn)> {
        let id = sight.key.id();
        let picture = match sight.seen {
            Seen::Gone(gone) => return self.resolve(sighting.now, &id, gone),
            Seen::Here(picture) => picture,
        };
        let has_room = self.all.len() - self.resolved.len() < FINDINGS_MAX;
        let turn = match self.all.get_mut(&id) {
            Some(known) if !known.is_resolved() => {
                if known.seen_seq == sighting.seq {
                    // The same scan names it twice, which is no second look.
                    return None;
                }
                let before = known.severity;
                look_like(known, picture, sighting);
                match known.state {
                    FindingState::Open => {
                        known.state = FindingState::Confirmed;
                        Turn::Confirmed
                    }
                    _ if before != known.severity => Turn::Severity { before },
                    _ => Turn::Seen,
                }
            }
            _ if !has_room => {
                self.refused += 1;
                return None;
            }
            Some(known) => {
                let resolved_at = known.resolved_at.take().unwrap_or_default();
                known.resolved_by = None;
                known.state = FindingState::Open;
                known.reopened = known.reopened.saturating_add(1);
                known.ack = None;
                (known.opened_at, known.opened_seq) = (sighting.now, sighting.seq);
                look_like(known, picture, sighting);
                self.resolved.remove(&(resolved_at, id.clone()));
                Turn::Reopened
            }
            None => {
                let (region, network_id, address) = sight.key.place;
                let mut finding = Finding {
                    id: id.clone(),
                    kind: sight.key.kind,
                    region,
                    network_id,
                    address,
                    port: sight.key.port,
                    project_id: None,
                    server_name: None,
                    severity: picture.severity,
                    state: FindingState::Open,
                    reopened: 0,
                    opened_at: sighting.now,
                    opened_seq: sighting.seq,
                    seen_at: sighting.now,
                    seen_seq: sighting.seq,
                    resolved_at: None,
                    resolved_by: None,
                    scanner: String::new(),
                    scanner_name: Arc::clone(sighting.scanner_name),
                    title: String::new(),
                    evidence: String::new(),
                    vulnerability: None,
                    ack: None,
                    expected: None,
                };
                look_like(&mut finding, picture, sighting);
                self.all.insert(id.clone(), finding);
                Turn::Opened
            }
        };
        let finding = self.all.get_mut(&id)?;
        if matches!(turn, Turn::Opened | Turn::Reopened) {
            finding.expected = expected.reason(sighting.now, finding);
            self.open.entry(finding.place()).or_default().insert(id.clone());
        }
        Some((id, turn))
    }

    /// Resolves a finding, if it is not resolved yet.
    pub fn resolve(&mut self, now: Timestamp, id: &FindingId, gone: Gone) -> Option<(FindingId, Turn)> {
        let finding = self.all.get_mut(id).filter(|finding| !finding.is_resolved())?;
        finding.state = FindingState::Resolved;
        finding.resolved_at = Some(now);
        finding.resolved_by = Some(gone.by);
        if let Some(lapses) = lapses(finding) {
            self.lapsing.remove(&lapses);
        }
        let place = finding.place();
        if let Some(ids) = self.open.get_mut(&place) {
            ids.remove(id);
            if ids.is_empty() {
                self.open.remove(&place);
            }
        }
        self.resolved.insert((now, id.clone()));
        while self.resolved.len() > RESOLVED_MAX {
            // The one that was just resolved may be the oldest by a clock that went back; it is told of all the same.
            let other = self.resolved.iter().find(|(_, other)| other != id).cloned();
            let Some(oldest) = other else { break };
            self.resolved.remove(&oldest);
            self.all.remove(&oldest.1);
        }
        Some((id.clone(), Turn::Resolved(gone)))
    }

    /// Has a finding let be, or not any more; false when there is none that is open.
    pub fn acknowledge(&mut self, id: &FindingId, ack: Option<Ack>) -> bool {
        match self.all.get_mut(id).filter(|finding| !finding.is_resolved()) {
            Some(finding) => {
                if let Some(lapses) = lapses(finding) {
                    self.lapsing.remove(&lapses);
                }
                finding.ack = ack;
                self.lapsing.extend(lapses(finding));
                true
            }
            None => false,
        }
    }

    /// Ends the acknowledgements whose time has come by `now`, and says of what.
    pub fn lapse(&mut self, now: Timestamp) -> Vec<(FindingId, Turn)> {
        let mut lapsed = Vec::new();
        while let Some((until, id)) = self.lapsing.pop_first() {
            if until > now {
                self.lapsing.insert((until, id));
                break;
            }
            if let Some(finding) = self.all.get_mut(&id) {
                finding.ack = None;
                lapsed.push((id, Turn::Lapsed));
            }
        }
        lapsed
    }

    /// Forgets what the list of expected exposure covers: it is another one.
    pub fn expect_anew(&mut self) {
        self.reviewed = None;
    }

    /// When the list of expected exposure has to be looked at anew, or an acknowledgement ends, which may be long past; none when neither
    /// ever has to.
    pub fn review_due(&self) -> Option<Timestamp> {
        let review = match self.reviewed {
            None => self.has_open().then_some(Timestamp::EPOCH),
            Some((_, until)) => Some(until).filter(|until| *until < Timestamp::MAX),
        };
        let lapse = self.lapsing.first().map(|(until, _)| *until);
        [review, lapse].into_iter().flatten().min()
    }

    /// Looks anew at what the list covers at `now`, and says what is covered and what is not that was not, or was.
    pub fn review(&mut self, now: Timestamp, expected: ExpectedList<'_>) -> Vec<(FindingId, Turn)> {
        if self.reviewed.is_some_and(|(from, until)| (from..until).contains(&now)) {
            return Vec::new();
        }
        let ends = expected.entries.iter().filter_map(|entry| entry.until).filter(|until| *until > now);
        self.reviewed = Some((now, ends.min().unwrap_or(Timestamp::MAX)));
        let open = self.all.values_mut().filter(|finding| !finding.is_resolved());
        open.filter_map(|finding| reviewed(finding, now, expected)).collect()
    }

    /// The same of what is open at one place, whatever was looked at before: what the list covers there may hang on what has changed.
    pub fn review_at(
        &mut self,
        place: &FindingPlace,
        now: Timestamp,
        expected: ExpectedList<'_>,
    ) -> Vec<(FindingId, Turn)> {
        let (open, all) = (&self.open, &mut self.all);
        let ids = open.get(place).into_iter().flatten();
        ids.filter_map(|id| reviewed(all.get_mut(id)?, now, expected)).collect()
    }

    /// The places with open findings that a prefix of a network has, or of none.
    pub fn places_within(
        &self,
        region: Option<&Arc<str>>,
        network_id: Option<&Id>,
        prefix: IpNet,
    ) -> impl Iterator<Item = &FindingPlace> {
        let place = |address| (region.cloned(), network_id.cloned(), address);
        self.open.range(place(prefix.network())..=place(prefix.broadcast())).map(|(place, _)| place)
    }

    /// How many findings found no room, if that is to be told now.
    pub fn take_refused(&mut self, now: Timestamp) -> Option<u64> {
        let may = self.refused_told_at.is_none_or(|at| {
            // Also when the last time is from ahead: the clock was wrong then.
            at.micros().abs_diff(now.micros()) >= NO_ROOM_SECONDS.unsigned_abs() * 1_000_000
        });
        if self.refused == 0 || !may {
            return None;
        }
        self.refused_told_at = Some(now);
        Some(std::mem::take(&mut self.refused))
    }

    /// The lines that make up the state.
    pub fn lines(&self) -> impl Iterator<Item = FindingsLine> + '_ {
        let refused = (self.refused > 0 || self.refused_told_at.is_some())
            .then_some(Line::Refused { count: self.refused, told_at: self.refused_told_at });
        let findings = self.all.values().map(|finding| Line::Finding(Box::new(finding.clone())));
        findings.chain(refused).map(FindingsLine)
    }

    /// Puts back one line.
    pub fn restore(&mut self, line: FindingsLine) {
        match line.0 {
            Line::Finding(finding) => {
                match finding.resolved_at {
                    Some(at) => _ = self.resolved.insert((at, finding.id.clone())),
                    None => {
                        self.open.entry(finding.place()).or_default().insert(finding.id.clone());
                        self.lapsing.extend(lapses(&finding));
                    }
                }
                self.all.insert(finding.id.clone(), *finding);
            }
            Line::Refused { count, told_at } => (self.refused, self.refused_told_at) = (count, told_at),
        }
    }
}

/// When the acknowledgement of a finding ends, with its id.
fn lapses(finding: &Finding) -> Option<(Timestamp, FindingId)> {
    finding.ack.as_ref().and_then(|ack| ack.until).map(|until| (until, finding.id.clone()))
}

/// Notes whether a finding is expected at `now`; what has become of it, if that is otherwise than it was.
fn reviewed(finding: &mut Finding, now: Timestamp, expected: ExpectedList<'_>) -> Option<(FindingId, Turn)> {
    let reason = expected.reason(now, finding);
    let turn = match (&finding.expected, &reason) {
        (before, after) if before == after => return None,
        (None, Some(_)) => Turn::Expected,
        (Some(_), None) => Turn::Unexpected,
        _ => Turn::Seen,
    };
    finding.expected = reason;
    Some((finding.id.clone(), turn))
}

fn look_like(finding: &mut Finding, picture: Picture, sighting: &Sighting<'_>) {
    let Picture { severity, title, evidence, vulnerability } = picture;
    finding.severity = severity;
    finding.title = title;
    finding.evidence = evidence;
    finding.vulnerability = vulnerability;
    (finding.seen_at, finding.seen_seq) = (sighting.now, sighting.seq);
    sighting.scanner.clone_into(&mut finding.scanner);
    finding.scanner_name = Arc::clone(sighting.scanner_name);
    if sighting.project_id.is_some() {
        finding.project_id = sighting.project_id.cloned();
    }
    if sighting.server_name.is_some() {
        finding.server_name = sighting.server_name.map(str::to_owned);
    }
}
