//! What waits between the loop and a driver, with a driver that is played.

use std::path::PathBuf;

use osel_core::engine::EngineOptions;
use osel_core::event::Kind;
use osel_core::ids::Id;
use osel_core::model::{CloudModel, StateLine};
use osel_core::survey::ApiTrouble;
use tokio::sync::mpsc::UnboundedReceiver;

use super::*;
use crate::store::{NewStore, Store};

/// A surveyor, its orders, and a store of its own.
struct Stage {
    surveyor: Surveyor,
    orders: UnboundedReceiver<ApiOrder>,
    recorder: Recorder,
    seconds: i64,
    path: PathBuf,
    tokio: tokio::runtime::Runtime,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

impl Stage {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("osel-surveyor-{name}-{}", std::process::id()));
        let new = NewStore { id: [7; 16], created_at: Timestamp::EPOCH };
        let journal = Store::create(&path, &new).expect("the directory is new");
        let recorder = Recorder::resume(Box::new(journal), &EngineOptions::default()).expect("it is whole");
        let tokio = tokio::runtime::Builder::new_current_thread().build().expect("there are threads");
        let (sender, orders) = unbounded_channel();
        let task = tokio.spawn(async {});
        let surveyor = Surveyor::new(None, Duration::from_secs(3600), sender, task);
        let mut this = Self { surveyor, orders, recorder, seconds: 1_000_000_000, path, tokio };
        this.step(SurveyInput::Start);
        this
    }

    fn now(&mut self) -> Timestamp {
        self.seconds += 1;
        Timestamp::EPOCH.plus_seconds(self.seconds)
    }

    fn step(&mut self, input: SurveyInput) {
        let now = self.now();
        self.surveyor.step(now, 0, input, &mut self.recorder).expect("the store takes it");
    }

    /// The driver tells something, and it is not its turn yet.
    fn tell(&mut self, event: ApiEvent) {
        if let Some(input) = self.surveyor.take(event) {
            self.step(input);
        }
    }

    /// Everything that waits has its turn.
    fn turn(&mut self) {
        while self.surveyor.has_work() {
            let now = self.now();
            if self.surveyor.is_ending() {
                while self.recorder.read_on(now).expect("the store takes it") {}
                let input = self.surveyor.read_ended(now).expect("it has ended");
                self.step(input);
            }
            if let Some(input) = self.surveyor.handle(now, &mut self.recorder).expect("the store takes it") {
                self.step(input);
            }
        }
    }

    fn orders(&mut self) -> Vec<ApiOrder> {
        std::iter::from_fn(|| self.orders.try_recv().ok()).collect()
    }

    fn began(&mut self, ticket: u64) {
        let (ticket, at) = (Ticket(ticket), self.now());
        self.tell(ApiEvent::Began { ticket, at });
    }

    fn page(&mut self, ticket: u64, networks: &[&str]) {
        let mut page = ItemPage::default();
        for id in networks {
            let json = format!(r#"{{"id": "{id}", "name": "{id}"}}"#);
            page.push("networks", &json).expect("it is known").expect("it is good");
        }
        self.tell(ApiEvent::Page { ticket: Ticket(ticket), page });
    }

    fn ended(&mut self, ticket: u64) {
        let (complete, refused, origin) = (vec![Kind::Network], Vec::new(), "the API".to_owned());
        self.tell(ApiEvent::Ended {
            ticket: Ticket(ticket),
            complete,
            has_all_assignments: false,
            refused,
            origin,
        });
    }

    fn knows(&self, network: &str) -> bool {
        let cloud = self.recorder.engine().cloud(None);
        let line = |cloud: &CloudModel| cloud.line(Kind::Network, &Id::from(network));
        cloud.is_some_and(|cloud| !matches!(line(cloud), StateLine::Gone { .. }))
    }
}

#[test]
fn pages_wait_for_their_turn_and_are_taken_when_they_were_handled() {
    let mut stage = Stage::new("turn");
    assert_eq!(stage.orders(), [ApiOrder::ReadAll { ticket: Ticket(1) }]);
    stage.began(1);
    stage.page(1, &["one"]);
    stage.page(1, &["two"]);
    assert!(stage.surveyor.has_work());
    assert_eq!((stage.orders(), stage.knows("one")), (Vec::new(), false));
    stage.turn();
    assert_eq!(stage.orders(), [(); 2].map(|()| ApiOrder::Taken { ticket: Ticket(1) }));
    stage.ended(1);
    stage.turn();
    assert!(stage.knows("one") && stage.knows("two"));
    let status = stage.surveyor.status();
    assert_eq!((status.is_up, status.reads, status.failures, status.is_reading), (Some(true), 1, 0, false));
    assert_eq!(status.last_read.map(|read| read.objects), Some(2));
}

#[test]
fn what_was_told_before_a_failure_counts_and_what_comes_after_it_does_not() {
    let mut stage = Stage::new("broken");
    stage.began(1);
    stage.page(1, &["one"]);
    let words = "connection reset".to_owned();
    stage.tell(ApiEvent::Failed { ticket: Ticket(1), trouble: ApiTrouble::Broken, words });
    stage.page(1, &["late"]);
    stage.ended(1);
    stage.turn();
    assert!(stage.knows("one") && !stage.knows("late"));
    assert!(!stage.recorder.engine().is_reading());
    let status = stage.surveyor.status();
    assert_eq!((status.is_up, status.reads, status.failures), (Some(false), 0, 1));
    assert_eq!(status.trouble.map(|(_, trouble)| trouble), Some("out of order"));
    // What was there stays, and the next read is another one.
    stage.seconds += 10;
    stage.step(SurveyInput::Tick);
    assert_eq!(stage.orders().last(), Some(&ApiOrder::ReadAll { ticket: Ticket(2) }));
}

#[test]
fn an_end_that_waits_for_the_store_is_no_silence() {
    let mut stage = Stage::new("late");
    stage.began(1);
    stage.page(1, &["one"]);
    stage.turn();
    stage.ended(1);
    // The store takes nothing for an hour.
    stage.seconds += 3600;
    stage.step(SurveyInput::Tick);
    stage.turn();
    let orders = stage.orders();
    assert!(!orders.contains(&ApiOrder::Abort { ticket: Ticket(1) }), "{orders:?}");
    assert_eq!((stage.surveyor.status().reads, stage.surveyor.status().failures), (1, 0));
}

#[test]
fn a_look_is_answered_and_one_that_was_given_up_is_not() {
    let mut stage = Stage::new("look");
    stage.began(1);
    stage.ended(1);
    stage.turn();
    stage.orders();
    let look = |name: &str| Look { kind: Kind::Network, id: Id::from(name), cause: 1 };
    let ordered = |name: &str, ticket| ApiOrder::ReadOne {
        ticket: Ticket(ticket),
        kind: Kind::Network,
        id: Id::from(name),
    };
    let found = |stage: &mut Stage, ticket, name: &str| {
        let mut page = ItemPage::default();
        let json = format!(r#"{{"id": "{name}", "name": "{name}"}}"#);
        page.push("networks", &json).expect("it is known").expect("it is good");
        let at = stage.now();
        stage.tell(ApiEvent::Found { ticket: Ticket(ticket), page, at });
        stage.turn();
    };
    stage.step(SurveyInput::Wished(look("one")));
    assert_eq!(stage.orders(), [ordered("one", 2)]);
    found(&mut stage, 2, "one");
    assert!(stage.knows("one"));
    stage.step(SurveyInput::Wished(look("two")));
    assert_eq!(stage.orders(), [ordered("two", 3)]);
    // The driver says nothing for too long.
    stage.seconds += 1000;
    stage.step(SurveyInput::Tick);
    assert_eq!(stage.orders(), [ApiOrder::Abort { ticket: Ticket(3) }]);
    found(&mut stage, 3, "two");
    assert!(!stage.knows("two"));
    assert_eq!((stage.surveyor.status().looks, stage.surveyor.status().failures), (1, 1));
    // The runtime outlives the task.
    assert!(stage.tokio.block_on(async { true }));
}
