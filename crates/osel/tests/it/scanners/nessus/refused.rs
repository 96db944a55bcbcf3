//! What the products refuse, each in the words of the conductor.

use osel_core::scan::Trouble;
use osel_sim::scanners::{Mishap, Reply, What};
use serde_json::json;

use super::*;

#[tokio::test]
async fn nessus_professional_is_told_from_a_scanner_that_is_away() {
    let pair = Pair::new(Product::Nessus, |options| options.is_professional = true);
    let (scanner, order) = (pair.scanner(), three());
    let Err(Trouble::Refused { why, addresses }) = scanner.launch(&order).await else { panic!() };
    assert!(why.contains("Nessus Professional") && why.contains("use Nessus Manager"), "{why}");
    assert!(addresses.is_empty());
    // Some versions say so with another status.
    pair.simulated.change(|simulation| simulation.options.is_professional = false);
    let reply = Reply::json(405, &json!({"error": "API is not available"}));
    pair.simulated.fail(Mishap::new(What::Instead(reply)).on("POST /scans"));
    let told = scanner.launch(&order).await;
    assert!(matches!(&told, Err(Trouble::Refused { why, .. }) if why.contains("Manager")), "{told:?}");
}

#[tokio::test]
async fn one_that_is_still_starting_says_so() {
    let pair = Pair::new(Product::Nessus, |options| options.starting_requests = 2);
    let (scanner, order) = (pair.scanner(), three());
    let told =
        "`GET /scans` was answered 503: Nessus is initializing (the scanner says that it is `loading`)";
    assert_eq!(scanner.find(&order).await, Err(Trouble::Unavailable(told.to_owned())));
    assert!(matches!(scanner.launch(&order).await, Err(Trouble::Unavailable(_))));
    assert_eq!(scanner.find(&order).await, Ok(None));
}

#[tokio::test]
async fn one_that_has_enough_to_do_is_asked_again_for_the_same_scan() {
    for product in BOTH {
        let pair = Pair::new(product, |options| options.running_max = 1);
        let (scanner, first) = (pair.scanner(), three());
        let mut second = three();
        second.title.push_str("-second");
        scanner.launch(&first).await.unwrap();
        for _ in 0..2 {
            assert_eq!(scanner.launch(&second).await, Err(Trouble::Busy { after_seconds: None }));
        }
        assert_eq!(scanner.find(&second).await, Ok(None), "it was not launched");
        carried_out(&scanner, &first).await;
        scanner.launch(&second).await.unwrap();
        assert_eq!(pair.launches(&second), [1], "{product:?}");
    }
}

#[tokio::test]
async fn one_that_is_asked_too_often_says_when_to_come_again() {
    for product in BOTH {
        let pair = Pair::new(product, |options| options.limited_every = Some(2));
        let (scanner, order) = (pair.scanner(), three());
        assert_eq!(scanner.launch(&order).await, Err(Trouble::Limited { after_seconds: Some(3) }));
        assert_eq!(scanner.find(&order).await, Ok(None));
        assert_eq!(scanner.find(&order).await, Err(Trouble::Limited { after_seconds: Some(3) }));
        pair.simulated.change(|simulation| simulation.options.limited_every = None);
        carried_out(&scanner, &order).await;
        assert_eq!(pair.launches(&order), [1]);
    }
}

#[tokio::test]
async fn refusals_of_every_kind_are_told_apart() {
    let pair = Pair::new(Product::Cloud, |_| {});
    let (scanner, order) = (pair.scanner(), three());
    let told = async |status, error: &str, on: &str| {
        let reply = Reply::json(status, &json!({"error": error}));
        pair.simulated.fail(Mishap::new(What::Instead(reply)).on(on));
        let told = scanner.launch(&order).await.unwrap_err();
        pair.simulated.heal();
        told
    };
    let error = "The target 192.0.2.9 exceeds the license";
    assert_eq!(
        told(400, error, "POST /scans").await,
        Trouble::Refused {
            why: format!("`POST /scans` was answered 400: {error}"),
            addresses: vec!["192.0.2.9".parse().unwrap()]
        }
    );
    let denied = Trouble::Denied("`GET /scans` was answered 403: You need permission".to_owned());
    assert_eq!(told(403, "You need permission", "GET /scans").await, denied);
    assert!(matches!(told(500, "Oops", "GET /scans").await, Trouble::Unavailable(_)));
    assert!(matches!(told(502, "Oops", "POST /scans").await, Trouble::Uncertain(_)));
    assert!(matches!(told(503, "Oops", "POST /scans").await, Trouble::Unavailable(_)));
    assert!(matches!(told(404, "Gone", "GET /editor").await, Trouble::Gone(_)));
    // Deleted between its making and its launch: it is made anew.
    assert!(matches!(told(404, "Gone", "/launch").await, Trouble::Unavailable(_)));
    assert_eq!(pair.launches(&order), [0], "nothing was launched");
    // A scan that runs already was launched by somebody whose answer was lost.
    let id = pair.simulated.change(|simulation| simulation.scans()[0].id);
    scanner.launch(&order).await.unwrap();
    let list = json!({"scans": [{"id": id, "name": order.title, "status": "empty"}]});
    pair.simulated.fail(Mishap::new(What::Instead(Reply::json(200, &list))).on("GET /scans").times(1));
    assert_eq!(scanner.launch(&order).await.unwrap().reference, id.to_string());
    assert_eq!(pair.launches(&order), [1]);
}

#[tokio::test]
async fn one_that_nobody_listens_for_is_unavailable() {
    let pair = Pair::new(Product::Nessus, |_| {});
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    pair.configure(|config| config.url = format!("http://{free}"));
    for told in [
        pair.scanner().find(&three()).await.map(|_| ()),
        pair.scanner().launch(&three()).await.map(|_| ()),
        pair.scanner().cancel(&three(), "17").await,
    ] {
        assert!(matches!(&told, Err(Trouble::Unavailable(why)) if why.contains("cannot reach")), "{told:?}");
    }
}
