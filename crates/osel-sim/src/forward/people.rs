//! Whoever is told of many records by one message, which the core's own `notice` makes: when a message is due, and which records it is about.
//!
//! A driver looks at the trail every few seconds, and begins again behind the place when its process does.

use osel_core::engine::record::{BodyPart, PersonalPart, Record};
use osel_core::format::Severity;
use osel_core::forward::{Filter, ForwardInput, Page, Rendered};
use osel_core::notice::{Cadence, GroupBy, NoticeSettings, Teller, Turn};
use osel_core::time::Timestamp;
use osel_core::trail::{Hash, Header, RecordKind};

use super::trail::{RECORDS, rendered};
use super::world::World;

/// How often the trail is looked at while nothing is due.
const LOOK_SECONDS: i64 = 5;
/// The bytes of a message.
const MESSAGE_BYTES: usize = 20;

/// Who makes messages in a process.
pub(super) struct People {
    teller: Teller,
    /// Behind which record a page is wanted, and when the trail is looked at for it.
    wanted: Option<(u64, Timestamp)>,
}

impl People {
    pub(super) fn new() -> Self {
        let cadence =
            Cadence::Grouped { wait_seconds: 10, interval_seconds: 60, urgent_min: Severity::Critical };
        let filter = Filter { severity_min: Severity::Medium, ..Filter::default() };
        let settings = NoticeSettings { filter, cadence, group_by: GroupBy::Incident, lines_max: 3 };
        Self { teller: Teller::new(settings), wanted: None }
    }

    pub(super) fn want(&mut self, after: u64, at: Timestamp) {
        assert!(self.wanted.replace((after, at)).is_none(), "one page at a time");
    }

    pub(super) fn looks_at(&self) -> Option<Timestamp> {
        self.wanted.map(|(_, at)| at)
    }

    /// What is wanted is of no use any more, and is answered.
    pub(super) fn set_back(&mut self) -> Option<ForwardInput> {
        let (after, _) = self.wanted.take()?;
        Some(ForwardInput::Read(Page { after, through: after, records: Vec::new() }))
    }

    /// Looks at the trail: a page, if there is one now.
    pub(super) fn look(&mut self, world: &mut World, is_sending: bool) -> Option<Page> {
        let (after, _) = self.wanted.take()?;
        self.teller.begin(after);
        while self.teller.looked_to() < world.head {
            let is_taken = self.teller.look_at(world.now, &record(self.teller.looked_to() + 1));
            assert!(is_taken, "there are no periods");
        }
        match self.teller.turn(world.now, is_sending) {
            Turn::Wait => {
                self.wanted = Some((after, world.now.plus_seconds(LOOK_SECONDS)));
                None
            }
            Turn::Pass(through) => Some(Page { after, through, records: Vec::new() }),
            Turn::Tell(notice) => {
                assert_eq!(notice.first, after + 1, "nothing is left out");
                world.made.insert(notice.last, notice.first);
                let covers = notice.last - after;
                let lines = vec![MESSAGE_BYTES];
                let records = vec![Rendered { seq: notice.last, covers, told: notice.told, lines }];
                Some(Page { after, through: notice.last, records })
            }
        }
    }
}

/// Records that somebody is to be told of, and that no message which arrived is about.
pub(super) fn untold(world: &World) -> Vec<u64> {
    let is_told = |seq: u64| world.told.iter().any(|(first, last)| (*first..=*last).contains(&seq));
    (1..=RECORDS).filter(|seq| !rendered(*seq).lines.is_empty() && !is_told(*seq)).collect()
}

/// A record: it is told where others send lines of it.
fn record(seq: u64) -> Record {
    let severity = match rendered(seq).lines.len() {
        0 => "info",
        1 => "medium",
        _ => "critical",
    };
    let time = Timestamp::EPOCH.plus_seconds(seq.cast_signed());
    let detail = [("state", "open"), ("severity", severity)];
    Record {
        header: Header {
            seq,
            previous: Hash::ZERO,
            time,
            recorded_at: time,
            as_of: time,
            kind: RecordKind::Finding,
        },
        hash: Hash::ZERO,
        body: BodyPart {
            outcome: "unknown".into(),
            detail: detail.into_iter().map(|(key, value)| (key.into(), value.to_owned())).collect(),
            ..BodyPart::default()
        },
        personal: PersonalPart::default(),
        opened: Vec::new(),
        closed: Vec::new(),
        wide: Vec::new(),
        missing: Vec::new(),
    }
}
