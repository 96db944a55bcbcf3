//! Seeds of mishaps: whatever happens to collector, way and driver, all records are written at last, in their order, and those that are
//! there twice have one id.

use std::collections::{BTreeMap, VecDeque};

use osel::forward::receiver::Receiver;
use osel_core::forward::{RefusalKind, Taken};
use osel_sim::random::Random;
use osel_sim::scanners::http::{Call, Service};
use osel_sim::scanners::{Reply, What};

use super::*;

/// How many seeds are played.
const SEEDS: u64 = 40;
/// Records of one seed.
const RECORDS: u64 = 60;
/// So many fruitless questions end the patience of whoever drives, in place of time.
const PATIENCE: u32 = 8;
/// More steps than any seed takes: one that goes in circles ends here.
const STEPS_MAX: u32 = 20_000;

/// A Splunk to which things happen by chance, until it is left alone.
struct Unlucky {
    splunk: Splunk,
    chance: Random,
    mishaps_left: u32,
}

impl Service for Unlucky {
    fn answer(&mut self, call: &Call) -> Reply {
        self.splunk.answer(call)
    }

    fn mishap(&mut self, call: &Call) -> Option<What> {
        if self.mishaps_left == 0 || !self.chance.percent(35) {
            return None;
        }
        self.mishaps_left -= 1;
        let is_ack = call.path.last().is_some_and(|part| part == "ack");
        match self.chance.below(6) {
            0 => Some(What::Down),
            // What was asked happens: events are there twice, or an acknowledgement is never given again.
            1 => Some(What::Lost),
            2 => Some(What::Cut),
            3 => Some(What::Instead(Reply::text(
                503,
                "application/json",
                r#"{"text":"Server is busy","code":9}"#,
            ))),
            4 if !is_ack => {
                Some(What::Instead(Reply::text(500, "application/json", r#"{"text":"no","code":8}"#)))
            }
            _ => {
                self.splunk.crash();
                None
            }
        }
    }
}

/// Drives it as simply as can be: batches in their order, and after anything wrong again from the first that is not known to be kept.
struct Driving {
    hec: Hec,
    chance: Random,
    number: u64,
    /// The first record that is not known to be kept.
    place: u64,
    /// The next one to send.
    next: u64,
    awaited: VecDeque<(BatchNumber, u64)>,
    fruitless: u32,
}

impl Driving {
    fn again(&mut self) {
        self.awaited.clear();
        self.hec.reset();
        (self.next, self.fruitless) = (self.place, 0);
    }

    async fn step(&mut self) {
        let may_send = self.next <= RECORDS && self.awaited.len() < self.hec.limits().awaited;
        if may_send && (self.awaited.is_empty() || self.chance.percent(60)) {
            let last = (self.next + self.chance.below(7)).min(RECORDS);
            self.number += 1;
            let batch = batch(self.number, self.next..=last);
            match self.hec.send(&batch).await {
                Ok(Taken::Awaited) => {
                    self.awaited.push_back((batch.number, last));
                    self.next = last + 1;
                }
                Ok(Taken::Kept) => panic!("it is to be acknowledged"),
                Err(refusal) => {
                    assert!(
                        !matches!(
                            refusal.kind,
                            RefusalKind::Item(_) | RefusalKind::Suspect | RefusalKind::Denied
                        ),
                        "{refusal:?}"
                    );
                    // What is on its way may arrive all the same: only what is not known to have been taken is sent again.
                }
            }
            return;
        }
        match self.hec.confirm().await {
            Ok(arrived) => {
                self.fruitless = if arrived.is_empty() { self.fruitless + 1 } else { 0 };
                for number in arrived {
                    let (first, last) = self.awaited.pop_front().expect("only what is awaited arrives");
                    assert_eq!(first, number, "in the order in which it was sent");
                    self.place = last + 1;
                }
                if self.fruitless > PATIENCE {
                    self.again();
                }
            }
            Err(_) => self.again(),
        }
    }
}

async fn play(seed: u64, endpoint: HecEndpoint) {
    let mut chance = Random::new(seed);
    let token = Token { has_acks: true, ..Token::new("a-token") };
    let options = Options { tokens: vec![token], polls_until_written: 1, ..Options::default() };
    let unlucky = Unlucky { splunk: Splunk::new(options), chance: chance.fork(1), mishaps_left: 60 };
    let served = Served::start(unlucky, None).unwrap();
    let config = HecConfig { endpoint, awaited_max: 4, ..config(&served.url) };
    let mut driving = Driving {
        hec: driver(&config),
        chance: chance.fork(2),
        number: 0,
        place: 1,
        next: 1,
        awaited: VecDeque::new(),
        fruitless: 0,
    };
    let mut steps = 0;
    while driving.place <= RECORDS {
        // The process is killed: what it knew beyond its place is gone.
        if chance.percent(2) {
            driving.hec = driver(&config);
            driving.again();
        }
        driving.step().await;
        steps += 1;
        assert!(steps < STEPS_MAX, "seed {seed} goes in circles");
    }
    served.change(|unlucky| unlucky.splunk.crash());
    let events = served.change(|unlucky| unlucky.splunk.indexed().to_vec());
    judge(seed, endpoint, &events);
}

/// All are there, each first time in its order, and what is there twice is the same.
fn judge(seed: u64, endpoint: HecEndpoint, events: &[Indexed]) {
    let mut seen: BTreeMap<u64, &Indexed> = BTreeMap::new();
    for (seq, event) in seqs(events).into_iter().zip(events) {
        match seen.get(&seq) {
            None => {
                assert_eq!(seq, seen.len() as u64 + 1, "seed {seed}: {seq} is the first of its kind there");
                if endpoint == HecEndpoint::Event {
                    assert_eq!(event.fields["osel_id"], format!("{:032x}-{seq}", 7));
                }
                seen.insert(seq, event);
            }
            Some(first) => assert_eq!(*first, event, "seed {seed}"),
        }
    }
    assert_eq!(seen.len() as u64, RECORDS, "seed {seed} has lost something");
}

#[tokio::test]
async fn by_seed_nothing_is_lost_and_what_is_there_twice_has_one_id() {
    for seed in 0..SEEDS {
        play(seed, if seed % 4 == 3 { HecEndpoint::Raw } else { HecEndpoint::Event }).await;
    }
}
