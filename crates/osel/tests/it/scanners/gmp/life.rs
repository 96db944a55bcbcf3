//! From launch to tidying up, whatever comes between.

use osel::action::scanner::{Launched, Scanner};
use osel::config::{GmpConfig, Secret};
use osel_core::scan::{Coverage, RemoteState, Trouble};
use osel_sim::scanners::gmp::{Fault, Options, Status, What};

use super::{Ground, POLLS_MAX, TITLE, await_end, order_of_two, two};

#[tokio::test]
async fn a_scan_is_made_found_followed_fetched_and_removed() {
    let ground = Ground::new(two(), Options { polls_per_step: 3, ..Options::default() });
    let (gmp, order) = (&ground.gmp, order_of_two());
    assert!(gmp.is_remote());
    assert_eq!(gmp.find(&order).await.unwrap(), None);
    let launched = gmp.launch(&order).await.unwrap();
    assert_eq!(launched.left_out, []);
    assert_eq!(ground.gvmd.port_lists(), [(TITLE.to_owned(), "T:22-22,T:80-80,T:443-443".to_owned())]);
    let hosts = "192.0.2.1,2001:db8::1".to_owned();
    assert_eq!(ground.gvmd.targets(), [(TITLE.to_owned(), hosts, "Consider Alive".to_owned())]);
    assert_eq!(gmp.find(&order).await.unwrap(), Some(launched.clone()));
    assert_eq!(gmp.launch(&order).await.unwrap(), launched);
    let mut states = Vec::new();
    while states.last() != Some(&RemoteState::Finished) && states.len() < POLLS_MAX {
        states.push(gmp.status(&order, &launched.reference).await.unwrap());
    }
    assert_eq!(
        states[states.len() - 3..],
        [RemoteState::Running, RemoteState::Running, RemoteState::Finished]
    );
    assert_eq!(ground.gvmd.begun(), [TITLE]);
    let seen = gmp.fetch(&order, &launched.reference).await.unwrap();
    assert_eq!(seen.scanner, "Greenbone (GMP 22.7)");
    assert_eq!(seen.hosts.len(), 2);
    gmp.forget(&order, &launched.reference).await.unwrap();
    assert_eq!(
        (ground.gvmd.tasks(), ground.gvmd.targets(), ground.gvmd.port_lists()),
        (vec![], vec![], vec![])
    );
    // Once more, since nobody may know that it was done.
    gmp.forget(&order, &launched.reference).await.unwrap();
    assert_eq!(gmp.find(&order).await.unwrap(), None);
    assert!(matches!(gmp.status(&order, &launched.reference).await, Err(Trouble::Gone(_))));
    assert!(matches!(gmp.fetch(&order, &launched.reference).await, Err(Trouble::Gone(_))));
    gmp.cancel(&order, &launched.reference).await.unwrap();
}

/// Launches as the conductor does: what may have been done is looked for before it is ordered again.
async fn launch_in_the_end(ground: &Ground) -> (Launched, usize) {
    let order = order_of_two();
    for tries in 0..4 {
        // The whole of a try is one connection, as of a process that ends and is started again.
        if tries > 0
            && let Ok(Some(launched)) = ground.gmp.find(&order).await
        {
            return (launched, tries);
        }
        match ground.gmp.launch(&order).await {
            Ok(launched) => return (launched, tries),
            Err(Trouble::Uncertain(_) | Trouble::Unavailable(_)) => {}
            Err(trouble) => panic!("{trouble:?}"),
        }
    }
    panic!("it is never launched");
}

#[tokio::test]
async fn a_launch_that_breaks_off_anywhere_is_completed_and_runs_once() {
    let undisturbed = Ground::new(two(), Options::default());
    undisturbed.gmp.launch(&order_of_two()).await.unwrap();
    let requests = undisturbed.gvmd.commands().len();
    assert_eq!(requests, 10, "{:?}", undisturbed.gvmd.commands());
    for at in 0..requests {
        for cut in [What::CutBefore, What::CutAfter, What::CutHalf] {
            let ground = Ground::new(two(), Options { polls_per_step: 2, ..Options::default() });
            ground.gvmd.fail(Fault::new(cut.clone()).after(at).times(1));
            let (launched, tries) = launch_in_the_end(&ground).await;
            assert_eq!(tries, 1, "{cut:?} at {at}");
            let order = order_of_two();
            assert_eq!(await_end(&ground.gmp, &order, &launched).await, RemoteState::Finished);
            assert_eq!(ground.gvmd.begun(), [TITLE], "{cut:?} at {at}: {:?}", ground.gvmd.commands());
            assert_eq!(ground.gvmd.tasks(), [(TITLE.to_owned(), Status::Done)], "{cut:?} at {at}");
            ground.gmp.forget(&order, &launched.reference).await.unwrap();
            assert_eq!(ground.gvmd.targets(), []);
        }
    }
}

#[tokio::test]
async fn tidying_up_that_breaks_off_anywhere_is_completed() {
    for at in 0..8 {
        for cut in [What::CutBefore, What::CutAfter] {
            let ground = Ground::new(two(), Options::default());
            let order = order_of_two();
            let launched = ground.gmp.launch(&order).await.unwrap();
            await_end(&ground.gmp, &order, &launched).await;
            ground.gvmd.fail(Fault::new(cut.clone()).after(at).times(1));
            let broken = ground.gmp.forget(&order, &launched.reference).await;
            assert!(matches!(broken, Err(Trouble::Unavailable(_))), "{cut:?} at {at}: {broken:?}");
            ground.gmp.forget(&order, &launched.reference).await.unwrap();
            let left = (ground.gvmd.tasks(), ground.gvmd.targets(), ground.gvmd.port_lists());
            assert_eq!(left, (vec![], vec![], vec![]), "{cut:?} at {at}");
        }
    }
}

#[tokio::test]
async fn of_two_tasks_of_one_title_only_one_runs_and_both_go() {
    // The answer to the first request for a task got lost, and it was carried out after the second.
    let ground = Ground::new(two(), Options::default());
    ground.gvmd.fail(Fault::new(What::CutBefore).on("start_task").times(1));
    let order = order_of_two();
    assert!(matches!(ground.gmp.launch(&order).await, Err(Trouble::Uncertain(_))));
    ground.gvmd.double_task(TITLE);
    let launched = ground.gmp.launch(&order).await.unwrap();
    assert_eq!(ground.gmp.launch(&order).await.unwrap(), launched);
    ground.gvmd.double_task(TITLE);
    assert_eq!(ground.gmp.find(&order).await.unwrap(), Some(launched.clone()));
    assert_eq!(await_end(&ground.gmp, &order, &launched).await, RemoteState::Finished);
    assert_eq!(ground.gvmd.begun(), [TITLE]);
    assert_eq!(ground.gvmd.tasks().len(), 3);
    ground.gmp.forget(&order, &launched.reference).await.unwrap();
    assert_eq!((ground.gvmd.tasks(), ground.gvmd.targets()), (vec![], vec![]));
}

#[tokio::test]
async fn every_state_of_a_task_has_its_meaning() {
    let ground = Ground::new(two(), Options { polls_per_step: 0, ..Options::default() });
    let order = order_of_two();
    let launched = ground.gmp.launch(&order).await.unwrap();
    for (status, state) in [
        (Status::Requested, RemoteState::Waiting),
        (Status::Queued, RemoteState::Waiting),
        (Status::Running, RemoteState::Running),
        (Status::Processing, RemoteState::Running),
        (Status::StopRequested, RemoteState::Running),
        (Status::Stopped, RemoteState::Cancelled),
        (Status::Done, RemoteState::Finished),
    ] {
        ground.gvmd.set_status(TITLE, status);
        assert_eq!(ground.gmp.status(&order, &launched.reference).await, Ok(state), "{status:?}");
    }
    // What was never begun is begun.
    ground.gvmd.set_status(TITLE, Status::New);
    assert_eq!(ground.gmp.find(&order).await, Ok(None));
    assert_eq!(ground.gmp.status(&order, &launched.reference).await, Ok(RemoteState::Waiting));
    assert_eq!(ground.gvmd.tasks(), [(TITLE.to_owned(), Status::Requested)]);
    let task = |status: &str| {
        let id = &launched.reference;
        let text = format!(
            "<get_tasks_response status=\"200\" status_text=\"OK\"><task id=\"{id}\"><name>{TITLE}</name><status>{status}</status></task>\
             </get_tasks_response>"
        );
        Fault::new(What::Instead(text)).on("get_tasks").times(1)
    };
    ground.gvmd.fail(task("Ultimate Delete Requested"));
    let deleted = ground.gmp.status(&order, &launched.reference).await;
    assert!(matches!(deleted, Ok(RemoteState::Failed(_))), "{deleted:?}");
    ground.gvmd.fail(task("Bewildered"));
    let unknown = ground.gmp.status(&order, &launched.reference).await;
    assert_eq!(unknown, Ok(RemoteState::Running), "it will have another one day");
}

#[tokio::test]
async fn what_a_restart_broke_off_is_resumed_once() {
    let ground = Ground::new(two(), Options { polls_per_step: 3, ..Options::default() });
    let order = order_of_two();
    let launched = ground.gmp.launch(&order).await.unwrap();
    ground.gvmd.restart();
    assert_eq!(ground.gmp.status(&order, &launched.reference).await, Ok(RemoteState::Running));
    assert_eq!(ground.gvmd.begun(), [TITLE.to_owned(), format!("{TITLE} resumed")]);
    assert_eq!(ground.gmp.find(&order).await, Ok(Some(launched.clone())));
    ground.gvmd.restart();
    let state = ground.gmp.status(&order, &launched.reference).await.unwrap();
    assert!(matches!(state, RemoteState::Partial(_)), "{state:?}");
    assert_eq!(ground.gvmd.begun().len(), 2);
    // Of the two hosts, the first was scanned by then.
    let seen = ground.gmp.fetch(&order, &launched.reference).await.unwrap();
    assert_eq!(seen.hosts[0].coverage, Coverage::Whole);
    assert!(matches!(seen.hosts[1].coverage, Coverage::Partial(_)), "{:?}", seen.hosts[1]);
}

#[tokio::test]
async fn what_cannot_be_resumed_is_a_part() {
    let ground = Ground::new(two(), Options::default());
    let order = order_of_two();
    let launched = ground.gmp.launch(&order).await.unwrap();
    ground.gvmd.restart();
    ground
        .gvmd
        .fail(Fault::new(What::Status(400, "Scanner does not support this".to_owned())).on("resume_task"));
    let state = ground.gmp.status(&order, &launched.reference).await.unwrap();
    assert!(matches!(&state, RemoteState::Partial(why) if why.contains("does not support")), "{state:?}");
    // One that is only away for a while is asked again.
    ground.gvmd.heal();
    ground.gvmd.fail(
        Fault::new(What::Status(503, "Service temporarily down".to_owned())).on("resume_task").times(1),
    );
    let state = ground.gmp.status(&order, &launched.reference).await;
    assert!(matches!(state, Err(Trouble::Unavailable(_))), "{state:?}");
    assert_eq!(ground.gmp.status(&order, &launched.reference).await, Ok(RemoteState::Running));
}

#[tokio::test]
async fn a_scan_that_is_called_off_ends_with_what_there_is() {
    let ground = Ground::new(two(), Options { polls_per_step: 2, ..Options::default() });
    let order = order_of_two();
    let launched = ground.gmp.launch(&order).await.unwrap();
    ground.gmp.cancel(&order, &launched.reference).await.unwrap();
    ground.gmp.cancel(&order, &launched.reference).await.unwrap();
    assert_eq!(await_end(&ground.gmp, &order, &launched).await, RemoteState::Cancelled);
    ground.gmp.cancel(&order, &launched.reference).await.unwrap();
    let seen = ground.gmp.fetch(&order, &launched.reference).await.unwrap();
    assert!(seen.hosts.iter().all(|host| matches!(host.coverage, Coverage::Partial(_))), "{seen:?}");
    // Whoever tidies up a scan that is still under way is told to come again.
    ground.gvmd.set_status(TITLE, Status::Running);
    let busy = ground.gmp.forget(&order, &launched.reference).await;
    assert!(matches!(busy, Ok(()) | Err(Trouble::Busy { after_seconds: Some(_) })), "{busy:?}");
    ground.gmp.forget(&order, &launched.reference).await.unwrap();
    assert_eq!(
        (ground.gvmd.tasks(), ground.gvmd.targets(), ground.gvmd.port_lists()),
        (vec![], vec![], vec![])
    );
}

#[tokio::test]
async fn whoever_may_not_delete_or_stop_may_do_all_the_rest() {
    let ground = Ground::new(two(), Options::default());
    let order = order_of_two();
    let launched = ground.gmp.launch(&order).await.unwrap();
    let fail = |on: &str, status, text: &str| {
        ground.gvmd.heal();
        ground.gvmd.fail(Fault::new(What::Status(status, text.to_owned())).on(on));
    };
    for (status, text) in [(400, "Permission denied"), (403, "Forbidden")] {
        fail("delete_task", status, text);
        let told = ground.gmp.forget(&order, &launched.reference).await;
        assert!(matches!(told, Err(Trouble::Refused { .. })), "{told:?}");
        fail("stop_task", status, text);
        let told = ground.gmp.cancel(&order, &launched.reference).await;
        assert!(matches!(told, Err(Trouble::Refused { .. })), "{told:?}");
    }
    // A wrong password is another matter.
    fail("authenticate", 403, "Forbidden");
    assert!(matches!(ground.gmp.forget(&order, &launched.reference).await, Err(Trouble::Denied(_))));
}

#[tokio::test]
async fn what_is_kept_stays() {
    let ground = Ground::new(two(), Options::default());
    let order = order_of_two();
    let launched = ground.gmp.launch(&order).await.unwrap();
    let keeping = ground.changed(|config| config.keep = true);
    keeping.forget(&order, &launched.reference).await.unwrap();
    assert_eq!(ground.gvmd.tasks().len(), 1);
}

#[tokio::test]
async fn refusals_mean_what_they_say() {
    let ground = Ground::new(two(), Options { active_max: 0, ..Options::default() });
    let order = order_of_two();
    assert_eq!(ground.gmp.launch(&order).await, Err(Trouble::Busy { after_seconds: None }));
    ground.gvmd.adjust(|options| options.is_starting = true);
    assert!(matches!(ground.gmp.launch(&order).await, Err(Trouble::Unavailable(_))));
    ground.gvmd.adjust(|options| *options = Options::default());
    ground.gmp.launch(&order).await.unwrap();

    let refused = |answer: Result<Launched, Trouble>, part: &str| {
        assert!(
            matches!(&answer, Err(Trouble::Refused { why, addresses }) if why.contains(part) && addresses.is_empty()),
            "{answer:?}"
        );
    };
    let ground = Ground::new(two(), Options::default());
    let other = |change: fn(&mut GmpConfig)| ground.changed(change);
    refused(
        other(|config| config.scan_config = "Mine".to_owned()).launch(&order).await,
        "no scan configuration `Mine`",
    );
    refused(
        other(|config| config.scan_config = "Host Discovery".to_owned()).launch(&order).await,
        "looks at no port",
    );
    refused(other(|config| config.engine = "Yours".to_owned()).launch(&order).await, "no scanner `Yours`");
    refused(ground.gmp.launch(&super::order(&[("192.0.2.1", &[])])).await, "no port to scan");
    assert_eq!((ground.gvmd.port_lists(), ground.gvmd.tasks()), (vec![], vec![]));
    ground.gvmd.fail(
        Fault::new(What::Status(400, "Error in host specification".to_owned())).on("create_target").times(1),
    );
    refused(ground.gmp.launch(&order).await, "Error in host specification");
    for version in ["21.4", "22.3", "23.1", "odd"] {
        ground.gvmd.adjust(|options| options.version = version.to_owned());
        refused(ground.gmp.launch(&order).await, &format!("version `{version}`"));
    }
    ground.gvmd.adjust(|options| options.version = "22.4".to_owned());
    ground.gmp.launch(&order).await.unwrap();
    // By their ids, as by their names.
    let ground = Ground::new(two(), Options::default());
    let by_ids = ground.changed(|config| {
        config.scan_config = "daba56c8-73ec-11df-a475-002264764cea".to_owned();
        config.engine = "08b69003-5fc2-4037-a479-93b440211c73".to_owned();
    });
    by_ids.launch(&order).await.unwrap();
    assert!(
        !ground.gvmd.commands().iter().any(|command| command == "get_configs" || command == "get_scanners")
    );
}

#[tokio::test]
async fn a_wrong_password_is_denied_and_never_told() {
    let ground = Ground::new(two(), Options::default());
    let wrong = ground.changed(|config| config.password = Secret::new("hunter2<&".to_owned()));
    let denied = wrong.launch(&order_of_two()).await;
    assert!(
        matches!(&denied, Err(Trouble::Denied(why)) if why.contains("Authentication failed")),
        "{denied:?}"
    );
    assert!(!format!("{denied:?} {wrong:?}").contains("hunter2"));
    // Also where gvmd repeats it, or it would be cut in the middle.
    for before in [0, 140, 180, 190, 195, 240, 280, 290] {
        let text = format!("{}hunter2<& is wrong", "x".repeat(before));
        ground.gvmd.fail(Fault::new(What::Status(400, text)).on("authenticate").times(1));
        let denied = format!("{:?}", wrong.launch(&order_of_two()).await);
        assert!(denied.starts_with("Err(Denied") && !denied.contains("hun"), "{denied}");
    }
    // Characters that mean something in XML arrive as they are.
    ground.gvmd.adjust(|options| options.password = "hunter2<&".to_owned());
    wrong.launch(&order_of_two()).await.unwrap();
}
