//! A scan's whole life, its states, its end by hand, and who asks.

use osel_core::scan::Trouble;
use osel_sim::scanners::{Mishap, Reply, What};

use super::*;

#[tokio::test]
async fn a_scan_is_made_launched_watched_fetched_and_deleted() {
    for product in BOTH {
        let pair = Pair::new(product, |_| {});
        let (scanner, order) = (pair.scanner(), three());
        assert!(scanner.is_remote());
        assert_eq!(scanner.find(&order).await, Ok(None));
        let launched = scanner.launch(&order).await.unwrap();
        assert!(launched.left_out.is_empty());
        let reference = launched.reference.clone();
        assert_eq!(scanner.find(&order).await, Ok(Some(launched)));
        let mut states = Vec::new();
        for _ in 0..4 {
            states.push(scanner.status(&order, &reference).await.unwrap());
        }
        let wanted =
            [RemoteState::Waiting, RemoteState::Running, RemoteState::Running, RemoteState::Finished];
        assert_eq!(states, wanted, "{product:?}");
        let seen = scanner.fetch(&order, &reference).await.unwrap();
        assert_eq!(seen.scanner, "Nessus 10.9.3");
        assert_eq!(
            seen.hosts.iter().map(|host| host.address).collect::<Vec<_>>(),
            order.addresses().collect::<Vec<_>>()
        );
        scanner.forget(&order, &reference).await.unwrap();
        assert_eq!(pair.launches(&order), [0; 0]);
        // What is gone already is no trouble, but its state is.
        scanner.forget(&order, &reference).await.unwrap();
        scanner.cancel(&order, &reference).await.unwrap();
        assert!(matches!(scanner.status(&order, &reference).await, Err(Trouble::Gone(_))));
        assert!(matches!(scanner.fetch(&order, &reference).await, Err(Trouble::Gone(_))));
        assert!(matches!(scanner.status(&order, "../server").await, Err(Trouble::Gone(_))));
    }
}

#[tokio::test]
async fn a_scan_is_made_as_the_configuration_says() {
    for product in BOTH {
        let pair = Pair::new(product, |_| {});
        pair.configure(|config| {
            config.policy = Some("Perimeter".to_owned());
            config.scanner = Some("dmz-1".to_owned());
            config.folder = Some("osel".to_owned());
            config.keep = true;
        });
        let (scanner, order) = (pair.scanner(), three());
        let reference = scanner.launch(&order).await.unwrap().reference;
        let settings = pair.simulated.change(|simulation| simulation.scans()[0].settings.clone());
        assert_eq!((&settings["policy_id"], &settings["folder_id"]), (&4.into(), &12.into()));
        match product {
            Product::Nessus => assert_eq!(settings["scanner_id"], 7),
            Product::Cloud => assert_eq!(settings["scanner_id"], "1c1e5d0a-6c43-4b4e-9d2f-8a1f1c2d3e4f"),
        }
        assert_eq!(settings["text_targets"], "192.0.2.1,2001:db8::1,192.0.2.9");
        assert_eq!((&settings["name"], &settings["enabled"]), (&order.title.as_str().into(), &false.into()));
        carried_out(&scanner, &order).await;
        scanner.forget(&order, &reference).await.unwrap();
        assert_eq!(pair.launches(&order), [1], "it is kept");
        // A template has a title too.
        pair.configure(|config| {
            (config.policy, config.template) = (None, "Host Discovery".to_owned());
        });
        let mut other = three();
        other.title.push('x');
        scanner.launch(&other).await.unwrap();
        for (change, wanted) in [
            (
                (|config| config.template = "Full".to_owned()) as fn(&mut NessusConfig),
                "no template `Full`: it has `basic`, `advanced`, `discovery`",
            ),
            (
                |config| config.policy = Some("full".to_owned()),
                "no policy `full`: it has `Perimeter`, `PCI quarterly`",
            ),
            (
                |config| {
                    (config.policy, config.template, config.scanner) =
                        (None, "basic".to_owned(), Some("7".to_owned()));
                },
                "no scanner `7`: it has `Local Scanner`, `dmz-1`",
            ),
            (
                |config| (config.scanner, config.folder) = (None, Some("in".to_owned())),
                "no folder `in`: it has `Trash`, `My Scans`, `osel`",
            ),
        ] {
            pair.configure(change);
            let mut order = three();
            order.title.push('y');
            let Err(Trouble::Refused { why, .. }) = scanner.launch(&order).await else { panic!("{wanted}") };
            assert!(why.contains(wanted), "{why}");
        }
    }
}

#[tokio::test]
async fn every_state_has_its_meaning() {
    for product in BOTH {
        for (end, wanted) in [
            ("completed", RemoteState::Finished),
            ("imported", RemoteState::Finished),
            ("aborted", RemoteState::Partial("the scanner gave the scan up (`aborted`)".to_owned())),
            ("canceled", RemoteState::Cancelled),
            ("stopped", RemoteState::Cancelled),
        ] {
            let pair = Pair::new(product, |options| {
                (options.waiting_polls, options.running_polls, options.end) = (0, 1, end);
            });
            let (scanner, order) = (pair.scanner(), three());
            let reference = scanner.launch(&order).await.unwrap().reference;
            assert_eq!(scanner.status(&order, &reference).await, Ok(RemoteState::Running));
            assert_eq!(scanner.status(&order, &reference).await, Ok(wanted), "{end}");
        }
        for (running, wanted) in [
            ("initializing", RemoteState::Waiting),
            ("pausing", RemoteState::Running),
            ("paused", RemoteState::Running),
            ("resuming", RemoteState::Running),
            ("stopping", RemoteState::Running),
            ("processing", RemoteState::Running),
            ("publishing", RemoteState::Running),
            ("a word of next year", RemoteState::Running),
        ] {
            let pair = Pair::new(product, |options| (options.waiting_polls, options.running) = (0, running));
            let (scanner, order) = (pair.scanner(), three());
            let reference = scanner.launch(&order).await.unwrap().reference;
            assert_eq!(scanner.status(&order, &reference).await, Ok(wanted), "{running}");
        }
    }
}

#[tokio::test]
async fn a_scan_is_called_off_once_and_by_force_if_need_be() {
    for product in BOTH {
        let pair = Pair::new(product, |options| options.running_polls = 50);
        let (scanner, order) = (pair.scanner(), three());
        let reference = scanner.launch(&order).await.unwrap().reference;
        scanner.cancel(&order, &reference).await.unwrap();
        assert_eq!(pair.simulated.change(|simulation| simulation.status_of(&order.title)), Some("stopping"));
        scanner.cancel(&order, &reference).await.unwrap();
        // Asked again while it still stops, it is killed where that is possible, and left to stop elsewhere.
        assert_eq!(pair.simulated.asked("/kill").len(), usize::from(product == Product::Nessus));
        assert_eq!(pair.simulated.change(|simulation| simulation.status_of(&order.title)), Some("canceled"));
        let asked = pair.simulated.asked("/stop").len();
        scanner.cancel(&order, &reference).await.unwrap();
        assert_eq!(pair.simulated.asked("/stop").len(), asked, "it is over");
        assert_eq!(scanner.status(&order, &reference).await, Ok(RemoteState::Cancelled));
        // What was seen until then is there, and told to be a part.
        let seen = scanner.fetch(&order, &reference).await.unwrap();
        assert_eq!(
            format!("{:?}", seen.hosts[0].coverage),
            "Partial(\"the scan was called off at the scanner\")"
        );
    }
}

#[tokio::test]
async fn a_scan_that_runs_is_not_deleted_and_an_export_that_fails_is_told() {
    for product in BOTH {
        let pair = Pair::new(product, |options| options.export_fails = true);
        let (scanner, order) = (pair.scanner(), three());
        let reference = scanner.launch(&order).await.unwrap().reference;
        assert_eq!(scanner.forget(&order, &reference).await, Err(Trouble::Busy { after_seconds: None }));
        for _ in 0..4 {
            scanner.status(&order, &reference).await.unwrap();
        }
        let told = scanner.fetch(&order, &reference).await;
        assert_eq!(told, Err(Trouble::Unavailable("the scanner failed to write the report".to_owned())));
    }
}

fn by_session(pair: &Pair) {
    let (username, password) = pair
        .simulated
        .change(|simulation| (simulation.options.username.clone(), simulation.options.password.clone()));
    pair.configure(|config| {
        config.login = NessusLogin::Session { username, password: Secret::new(password) };
    });
}

#[tokio::test]
async fn a_session_is_begun_once_and_renewed_when_it_has_expired() {
    let pair = Pair::new(Product::Nessus, |_| {});
    by_session(&pair);
    let (scanner, order) = (pair.scanner(), three());
    carried_out(&scanner, &order).await;
    let logins = || pair.simulated.change(|simulation| simulation.logins());
    assert_eq!(logins(), 1);
    pair.simulated.change(Simulated::expire_sessions);
    assert!(scanner.find(&order).await.unwrap().is_some());
    assert_eq!(logins(), 2);
    // One that ends within an order is renewed there.
    let pair = Pair::new(Product::Nessus, |options| options.session_requests = Some(2));
    by_session(&pair);
    carried_out(&pair.scanner(), &order).await;
    assert_eq!(pair.launches(&order), [1]);
    // One that is never good is begun once for each order: whoever asks more often is locked out.
    pair.simulated.change(|simulation| {
        simulation.expire_sessions();
        simulation.options.session_requests = Some(0);
    });
    let logins = || pair.simulated.change(|simulation| simulation.logins());
    let (before, told) = (logins(), pair.scanner().find(&order).await);
    assert!(matches!(told, Err(Trouble::Denied(_))), "{told:?}");
    assert_eq!(logins(), before + 1);
}

#[tokio::test]
async fn who_asks_is_read_anew_for_each_order_and_a_wrong_one_is_denied() {
    let pair = Pair::new(Product::Nessus, |_| {});
    let (scanner, order) = (pair.scanner(), three());
    assert_eq!(scanner.find(&order).await, Ok(None));
    pair.simulated.change(|simulation| simulation.options.secret_key = "exchanged".to_owned());
    let told = scanner.find(&order).await;
    assert_eq!(told, Err(Trouble::Denied("`GET /scans` was answered 401: Invalid Credentials".to_owned())));
    let access_key = pair.simulated.change(|simulation| Secret::new(simulation.options.access_key.clone()));
    pair.configure(|config| {
        config.login = NessusLogin::Keys { access_key, secret_key: Secret::new("exchanged".to_owned()) };
    });
    assert_eq!(scanner.find(&order).await, Ok(None));
    by_session(&pair);
    assert_eq!(scanner.find(&order).await, Ok(None));
    // Another user's session is not used.
    let login =
        NessusLogin::Session { username: "osel".to_owned(), password: Secret::new("wrong".to_owned()) };
    pair.configure(|config| config.login = login);
    let told = scanner.find(&order).await;
    assert_eq!(
        told,
        Err(Trouble::Denied("`POST /session` was answered 401: Invalid Credentials".to_owned()))
    );
}

#[tokio::test]
async fn no_error_repeats_a_secret() {
    let pair = Pair::new(Product::Nessus, |_| {});
    let (access, secret) = pair
        .simulated
        .change(|simulation| (simulation.options.access_key.clone(), simulation.options.secret_key.clone()));
    // It would be cut in the middle of a key.
    let text = format!("{}accessKey={access}; secretKey={secret} {}", "x".repeat(100), "y".repeat(1000));
    let reply = Reply::json(403, &serde_json::json!({"error": text}));
    pair.simulated.fail(Mishap::new(What::Instead(reply)));
    let told = format!("{:?}", pair.scanner().find(&three()).await);
    assert!(told.contains("accessKey=***; secretKey=***") && told.len() < 400, "{told}");
    assert!(!told.contains(&access[..8]) && !told.contains(&secret[..8]), "{told}");
    assert!(!format!("{:?} {:?}", pair.scanner(), pair.config).contains(&secret[..8]));
    assert!(pair.simulated.asked(&access[..8]).is_empty());
    pair.simulated.heal();
    pair.simulated.fail(Mishap::new(What::Instead(Reply::text(
        200,
        "application/json",
        format!("{secret:?}"),
    ))));
    let told = format!("{:?}", pair.scanner().find(&three()).await);
    assert!(told.contains("***") && !told.contains(&secret[..8]), "{told}");
    pair.simulated.heal();
    // What it says of its own state is cut sooner.
    let state = |status| Reply::json(status, &serde_json::json!({"error": "no", "status": secret}));
    pair.simulated.fail(Mishap::new(What::Instead(state(503))));
    let told = format!("{:?}", pair.scanner().find(&three()).await);
    assert!(told.contains("`***`") && !told.contains(&secret[..8]), "{told}");
    pair.simulated.heal();
    // Whoever has the token of a report needs no login to download it.
    let scanner = pair.scanner();
    let reference = scanner.launch(&three()).await.unwrap().reference;
    for (on, answer) in [
        ("/status", state(403)),
        ("/status", Reply::json(200, &secret.as_str().into())),
        ("/download", state(500)),
    ] {
        pair.simulated.fail(Mishap::new(What::Instead(answer)).on(on).times(1));
        let told = format!("{:?}", scanner.fetch(&three(), &reference).await);
        assert!(told.contains("GET /tokens/***/"), "{told}");
        pair.simulated.heal();
    }
}

#[tokio::test]
async fn whoever_may_not_delete_or_stop_may_do_all_the_rest() {
    for product in BOTH {
        let pair = Pair::new(product, |_| {});
        let (scanner, order) = (pair.scanner(), three());
        let reference = scanner.launch(&order).await.unwrap().reference;
        let may_not = Reply::json(403, &serde_json::json!({"error": "You need permission"}));
        pair.simulated.fail(Mishap::new(What::Instead(may_not.clone())).on("DELETE /scans"));
        pair.simulated.fail(Mishap::new(What::Instead(may_not)).on("/stop"));
        assert!(matches!(scanner.cancel(&order, &reference).await, Err(Trouble::Refused { .. })));
        assert!(matches!(scanner.forget(&order, &reference).await, Err(Trouble::Refused { .. })));
    }
}

#[tokio::test]
async fn a_scanner_is_trusted_by_its_own_authority_and_no_other() {
    let pair = Pair::secure("nessus-tls", Product::Nessus, |_| {});
    let order = three();
    assert_eq!(carried_out(&pair.scanner(), &order).await.hosts.len(), 3);
    let other = Pair::secure("nessus-tls-other", Product::Nessus, |_| {});
    other.configure(|config| config.tls = pair.config.lock().unwrap().tls.clone());
    let told = format!("{:?}", other.scanner().launch(&order).await);
    assert!(told.starts_with("Err(Unavailable(\"no trust with"), "{told}");
    assert_eq!(other.simulated.requests(), 0, "nobody was told a key");
}
