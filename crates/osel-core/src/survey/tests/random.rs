//! A driver that does anything, at any time: what must hold whatever happens.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::*;
use super::script::port;
use crate::time::Timestamp;

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Deed {
    Gap,
    Wish(u16),
    /// The driver of the read that is under way does this.
    Read(Act),
    /// The driver of the look that is under way does this.
    Look(Act),
    /// A word of an order that is over.
    Late(Act),
    Renewed,
    /// Time passes, up to when something is due or beyond.
    Pass(u32),
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Begin,
    Page,
    Handle,
    /// Its end has come and waits.
    Tell,
    End,
    Fail(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Begin),
        3 => Just(Act::Page),
        3 => Just(Act::Handle),
        1 => Just(Act::Tell),
        2 => Just(Act::End),
        2 => any::<u8>().prop_map(Act::Fail),
    ]
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        1 => Just(Deed::Gap),
        3 => (0..600_u16).prop_map(Deed::Wish),
        4 => act().prop_map(Deed::Read),
        4 => act().prop_map(Deed::Look),
        1 => act().prop_map(Deed::Late),
        1 => Just(Deed::Renewed),
        4 => (0..400_000_000_u32).prop_map(Deed::Pass),
    ]
}

fn trouble(number: u8) -> ApiTrouble {
    let retry_after = Some(std::time::Duration::from_secs(u64::from(number)));
    match number % 6 {
        0 => ApiTrouble::Unreachable,
        1 => ApiTrouble::Untrusted,
        2 => ApiTrouble::Denied,
        3 => ApiTrouble::Refused,
        4 => ApiTrouble::Throttled { retry_after },
        _ => ApiTrouble::Broken,
    }
}

/// A survey and what is known of its orders.
struct World {
    survey: Survey,
    now: Timestamp,
    chance: u64,
    reading: Option<Ticket>,
    looking: Option<Ticket>,
    over: Vec<Ticket>,
    pages: u64,
    /// A gap was told and no read has begun since.
    is_owed: bool,
    lines: usize,
}

impl World {
    fn step(&mut self, what: SurveyInput) {
        let mut orders = Vec::new();
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.survey.step(self.now, self.chance, what, &mut orders);
        assert!(self.survey.wake_at().is_none_or(|at| at > self.now), "a tick would change nothing");
        // A look that failed may come back beyond those that came meanwhile.
        assert!(self.survey.looks_waiting() <= LOOKS_WAITING_MAX + 1);
        let mut taken = BTreeSet::new();
        for order in orders {
            match order {
                SurveyOrder::ReadAll { ticket, .. } => {
                    assert_eq!(self.reading.replace(ticket), None, "one read at a time");
                    (self.pages, self.is_owed) = (0, false);
                }
                SurveyOrder::ReadOne { ticket, .. } => {
                    assert_eq!(self.looking.replace(ticket), None, "one look at a time");
                }
                SurveyOrder::Taken(ticket) => {
                    assert_eq!(self.reading, Some(ticket));
                    assert!(taken.insert(ticket), "one page more for one that was handled");
                }
                SurveyOrder::Abort(ticket) => {
                    self.over.push(ticket);
                    assert!(self.reading == Some(ticket) || self.looking == Some(ticket));
                    self.reading.take_if(|read| *read == ticket);
                    self.looking.take_if(|look| *look == ticket);
                }
                SurveyOrder::Log(_) => self.lines += 1,
            }
        }
    }

    fn play(&mut self, deed: Deed) {
        match deed {
            Deed::Gap => {
                self.is_owed = true;
                self.step(SurveyInput::Gap);
            }
            Deed::Wish(number) => self.step(SurveyInput::Wished(port(&number.to_string()))),
            Deed::Renewed => self.step(SurveyInput::Renewed { every_micros: 3_600_000_000 }),
            Deed::Pass(micros) => {
                self.now = Timestamp::from_micros(self.now.micros() + i64::from(micros));
                self.step(SurveyInput::Tick);
            }
            Deed::Read(act) => {
                let Some(ticket) = self.reading else { return };
                match act {
                    Act::Begin => self.step(SurveyInput::Began(ticket)),
                    Act::Page => {
                        self.pages += 1;
                        self.step(SurveyInput::Paged(ticket));
                    }
                    Act::Handle if self.pages > 0 => {
                        self.pages -= 1;
                        self.step(SurveyInput::Handled(ticket));
                    }
                    Act::Handle => {}
                    Act::Tell => self.step(SurveyInput::Told(ticket)),
                    Act::End => {
                        self.over.extend(self.reading.take());
                        self.step(SurveyInput::Ended(ticket));
                    }
                    Act::Fail(number) => {
                        self.over.extend(self.reading.take());
                        // What was owed is owed still; `step` may begin the next one at once.
                        self.step(SurveyInput::Failed(ticket, trouble(number)));
                    }
                }
            }
            Deed::Look(act) => {
                let Some(ticket) = self.looking else { return };
                if matches!(act, Act::Tell) {
                    return self.step(SurveyInput::Told(ticket));
                }
                self.over.extend(self.looking.take());
                match act {
                    Act::Fail(number) => self.step(SurveyInput::Failed(ticket, trouble(number))),
                    _ => self.step(SurveyInput::Answered(ticket)),
                }
            }
            Deed::Late(act) => {
                let Some(ticket) = self.over.last().copied() else { return };
                self.step(match act {
                    Act::Begin => SurveyInput::Began(ticket),
                    Act::Page => SurveyInput::Paged(ticket),
                    Act::Handle => SurveyInput::Handled(ticket),
                    Act::Tell => SurveyInput::Told(ticket),
                    Act::End => SurveyInput::Ended(ticket),
                    Act::Fail(number) => SurveyInput::Failed(ticket, trouble(number)),
                });
            }
        }
    }

    /// From now on the driver answers everything at once, and time passes as it is asked for, for a day.
    fn recover(&mut self) {
        let end = self.now.plus_seconds(86_400);
        let mut reads = 0;
        while self.now < end {
            if let Some(ticket) = self.looking.take() {
                self.step(SurveyInput::Answered(ticket));
            } else if let Some(ticket) = self.reading.take() {
                reads += 1;
                self.step(SurveyInput::Ended(ticket));
            } else {
                self.now = self.survey.wake_at().expect("there is always a next read");
                self.step(SurveyInput::Tick);
            }
        }
        assert!(reads >= 24, "{reads} reads in a day");
        assert!(reads <= 24 + 8, "{reads} reads in a day");
        assert!(!self.is_owed && self.survey.looks_waiting() == 0);
        assert_eq!((self.survey.is_up(), self.survey.trouble()), (Some(true), None));
    }
}

proptest! {
    #[test]
    fn whatever_the_driver_does_all_is_read_in_the_end(
        deeds in prop::collection::vec(deed(), 0..400),
        chance in any::<u64>(),
    ) {
        let mut world = World {
            survey: Survey::new(3_600_000_000),
            now: Timestamp::EPOCH,
            chance,
            reading: None,
            looking: None,
            over: Vec::new(),
            pages: 0,
            is_owed: true,
            lines: 0,
        };
        world.step(SurveyInput::Start);
        for deed in deeds {
            world.play(deed);
        }
        world.recover();
        // Beginning and end at most once a minute, a reminder in ten, however often it came and went.
        let minutes = usize::try_from(world.now.micros() / 60_000_000).unwrap();
        prop_assert!(world.lines <= 4 + 3 * minutes, "{} lines", world.lines);
    }
}
