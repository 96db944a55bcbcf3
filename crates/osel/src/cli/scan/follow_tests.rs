//! Scans by a scanner that does what it is told to.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Mutex;

use osel_core::scan::{HostResult, ScanCommand, ScanReason, ScanTarget};
use osel_core::time::Timestamp;

use super::*;

/// What a scripted scanner answers, in order; asked for more, or for something else, it never answers.
enum Answer {
    Never,
    Launch(Result<&'static str, Trouble>),
    Find(Option<&'static str>),
    Status(Result<RemoteState, Trouble>),
    Fetch,
    FetchAway,
}

#[derive(Default)]
struct Scripted {
    is_local: bool,
    answers: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<String>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self { is_local: false, answers: Mutex::new(answers.into_iter().collect()), asked: Mutex::default() }
    }

    fn next(&self, what: &str) -> Option<Answer> {
        self.asked.lock().unwrap().push(what.to_owned());
        self.answers.lock().unwrap().pop_front()
    }

    fn asked(&self) -> String {
        self.asked.lock().unwrap().join(" ")
    }
}

fn launched(reference: &str) -> Launched {
    Launched { reference: reference.to_owned(), left_out: Vec::new() }
}

impl Scanner for Scripted {
    fn is_remote(&self) -> bool {
        !self.is_local
    }

    fn find<'a>(&'a self, _: &'a ScanOrder) -> Asked<'a, Option<Launched>> {
        Box::pin(async {
            match self.next("find") {
                Some(Answer::Find(found)) => Ok(found.map(launched)),
                _ => std::future::pending().await,
            }
        })
    }

    fn launch<'a>(&'a self, order: &'a ScanOrder) -> Asked<'a, Launched> {
        Box::pin(async {
            match self.next(&format!("launch({})", order.command.targets.len())) {
                Some(Answer::Launch(answer)) => answer.map(launched),
                _ => std::future::pending().await,
            }
        })
    }

    fn status<'a>(&'a self, _: &'a ScanOrder, reference: &'a str) -> Asked<'a, RemoteState> {
        Box::pin(async move {
            match self.next(&format!("status({reference})")) {
                Some(Answer::Status(answer)) => answer,
                _ => std::future::pending().await,
            }
        })
    }

    fn fetch<'a>(&'a self, order: &'a ScanOrder, _: &'a str) -> Asked<'a, Seen> {
        Box::pin(async {
            match self.next("fetch") {
                Some(Answer::Fetch) => {
                    let hosts = order.addresses().map(HostResult::new).collect();
                    Ok(Seen { scanner: "scripted".to_owned(), hosts })
                }
                Some(Answer::FetchAway) => Err(Trouble::Unavailable("no such program".to_owned())),
                _ => std::future::pending().await,
            }
        })
    }

    fn cancel<'a>(&'a self, _: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        self.asked.lock().unwrap().push(format!("cancel({reference})"));
        Box::pin(async { Ok(()) })
    }

    fn forget<'a>(&'a self, _: &'a ScanOrder, reference: &'a str) -> Asked<'a, ()> {
        self.asked.lock().unwrap().push(format!("forget({reference})"));
        Box::pin(async { Ok(()) })
    }
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// What comes of a scan of two addresses, of which the person has enough when `enough` says so.
fn followed(
    scanner: &Scripted,
    life: Duration,
    enough: impl Future<Output = ()>,
) -> Result<Followed, FollowError> {
    let target = |last| ScanTarget {
        address: address(last),
        network_id: None,
        project_id: None,
        expected: Default::default(),
        partial: false,
        causes: Vec::new(),
    };
    let command = ScanCommand {
        id: "manual".into(),
        seq: 0,
        scanner: "own".into(),
        kind: "qualys".into(),
        region: None,
        targets: vec![target(1), target(2)],
        reason: ScanReason::Change,
        planned_at: Timestamp::EPOCH,
        expires_at: Timestamp::MAX,
    };
    let order = ScanOrder { title: "osel-manual".to_owned(), command };
    let pace = Pace { life, poll_wait: Duration::ZERO, retry_wait: Duration::ZERO };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio.block_on(follow(scanner, order, pace, &|_| {}, enough))
}

const LONG: Duration = Duration::from_secs(3600);

fn check(answers: impl IntoIterator<Item = Answer>, asked: &str) -> Result<Followed, FollowError> {
    let scanner = Scripted::new(answers);
    let outcome = followed(&scanner, LONG, std::future::pending());
    assert_eq!(scanner.asked(), asked);
    outcome
}

#[test]
fn a_program_that_is_not_there_is_told_at_once() {
    let scanner = Scripted { is_local: true, ..Scripted::new([Answer::FetchAway, Answer::Fetch]) };
    let error = followed(&scanner, LONG, std::future::pending()).unwrap_err();
    assert_eq!(error.to_string(), "the scanner cannot be asked: no such program");
    assert_eq!(scanner.asked(), "fetch");
}

#[test]
fn a_scan_elsewhere_is_launched_followed_fetched_and_cleared_up() {
    use Answer::{Fetch, Launch, Status};

    let away = || Trouble::Unavailable("away".to_owned());
    let answers = [
        Launch(Err(Trouble::Busy { after_seconds: Some(0) })),
        Launch(Ok("ref")),
        Status(Ok(RemoteState::Waiting)),
        Status(Err(away())),
        Status(Err(Trouble::Limited { after_seconds: None })),
        Status(Ok(RemoteState::Running)),
        Status(Ok(RemoteState::Partial("one engine was lost".to_owned()))),
        Fetch,
    ];
    let asked =
        "launch(2) launch(2) status(ref) status(ref) status(ref) status(ref) status(ref) fetch forget(ref)";
    let followed = check(answers, asked).unwrap();
    assert_eq!(followed.partial.as_deref(), Some("one engine was lost"));
    assert_eq!(followed.seen.hosts.len(), 2);
}

#[test]
fn addresses_that_are_not_taken_are_left_out_and_said() {
    use Answer::{Fetch, Launch, Status};

    let refused = |addresses| Trouble::Refused { why: "not in the subscription".to_owned(), addresses };
    let answers =
        [Launch(Err(refused(vec![address(1)]))), Launch(Ok("ref")), Status(Ok(RemoteState::Finished)), Fetch];
    let followed = check(answers, "launch(2) launch(1) status(ref) fetch forget(ref)").unwrap();
    assert_eq!(
        followed.left_out,
        [LeftOut { address: address(1), why: "not in the subscription".to_owned() }]
    );
    assert_eq!(followed.seen.hosts[0].address, address(2));
    for addresses in [Vec::new(), vec![address(1), address(2)], vec![address(9)]] {
        let error = check([Launch(Err(refused(addresses)))], "launch(2)").unwrap_err();
        assert!(matches!(error, FollowError::Refused(_)), "{error}");
    }
}

#[test]
fn an_uncertain_launch_is_looked_for_and_not_repeated() {
    use Answer::{Fetch, Find, Launch, Status};

    let uncertain = || Launch(Err(Trouble::Uncertain("no answer".to_owned())));
    let answers = [uncertain(), Find(Some("ref")), Status(Ok(RemoteState::Finished)), Fetch];
    check(answers, "launch(2) find status(ref) fetch forget(ref)").unwrap();
    let error = check([uncertain(), Find(None)], "launch(2) find").unwrap_err();
    assert!(matches!(error, FollowError::Unavailable(_)), "{error}");
}

#[test]
fn what_does_not_help_by_waiting_ends_it() {
    use Answer::{Launch, Status};

    let why = || "why".to_owned();
    for (trouble, says) in [
        (Trouble::Denied(why()), "denies access: why"),
        (Trouble::Garbled(why()), "cannot be asked: why"),
        (Trouble::Gone(why()), "has failed: why"),
    ] {
        let error = check([Launch(Err(trouble))], "launch(2)").unwrap_err();
        assert!(error.to_string().ends_with(says), "{error}");
    }
    for (state, says) in [
        (RemoteState::Failed(why()), "has failed: why"),
        (RemoteState::Cancelled, "called off at the scanner"),
    ] {
        let error =
            check([Launch(Ok("ref")), Status(Ok(state))], "launch(2) status(ref) forget(ref)").unwrap_err();
        assert!(error.to_string().ends_with(says), "{error}");
    }
    let away = || Launch(Err(Trouble::Unavailable(why())));
    let error = check((0..7).map(|_| away()), "launch(2) launch(2) launch(2) launch(2) launch(2) launch(2)")
        .unwrap_err();
    assert!(matches!(error, FollowError::Unavailable(_)), "{error}");
}

#[test]
fn who_has_enough_leaves_no_scan_behind() {
    use Answer::{Find, Launch, Status};

    let scanner = Scripted::new([Launch(Ok("ref")), Status(Ok(RemoteState::Running))]);
    // Until it is asked for what it does not answer.
    let enough = async {
        while !scanner.asked().ends_with("status(ref) status(ref)") {
            tokio::task::yield_now().await;
        }
    };
    let error = followed(&scanner, LONG, enough).unwrap_err();
    assert!(matches!(error, FollowError::Interrupted), "{error}");
    assert_eq!(scanner.asked(), "launch(2) status(ref) status(ref) cancel(ref) forget(ref)");

    // In the middle of the launch: it is found by its title.
    let scanner = Scripted::new([Answer::Never, Find(Some("ref"))]);
    let enough = async {
        while scanner.asked().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let error = followed(&scanner, LONG, enough).unwrap_err();
    assert!(matches!(error, FollowError::Interrupted), "{error}");
    assert_eq!(scanner.asked(), "launch(2) find cancel(ref) forget(ref)");

    let scanner = Scripted::new([Launch(Ok("ref"))]);
    let error = followed(&scanner, Duration::from_millis(1), std::future::pending()).unwrap_err();
    assert!(matches!(error, FollowError::TooLong(_)), "{error}");
}
