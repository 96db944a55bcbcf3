//! Answers that no scanner should give: each is refused within bounds, and says what it was.

use std::fmt::Debug;
use std::time::Duration;

use osel_core::scan::Trouble;
use osel_sim::scanners::{Mishap, Reply, What};

use super::*;

fn garbled(told: &Result<impl Debug, Trouble>, wanted: &str) {
    assert!(matches!(told, Err(Trouble::Garbled(why)) if why.contains(wanted)), "{wanted}: {told:?}");
}

fn html(status: u16) -> What {
    What::Instead(Reply::text(
        status,
        "text/html",
        "<!DOCTYPE html><html><body>Welcome to nginx!</body></html>",
    ))
}

#[tokio::test]
async fn documents_that_are_none_are_refused() {
    for product in BOTH {
        let pair = Pair::new(product, |_| {});
        let (scanner, order) = (pair.scanner(), three());
        let reference = scanner.launch(&order).await.unwrap().reference;
        let answers = async |what: What, wanted: &str| {
            pair.simulated.fail(Mishap::new(what));
            garbled(&scanner.find(&order).await, wanted);
            garbled(&scanner.status(&order, &reference).await, wanted);
            garbled(&scanner.fetch(&order, &reference).await, wanted);
            pair.simulated.heal();
        };
        answers(html(200), "is not one of this scanner").await;
        let json = |text: String| What::Instead(Reply::text(200, "application/json", text));
        answers(json("{}".to_owned()), "missing field").await;
        answers(json("[[1,2]]".to_owned()), "is not one of this scanner").await;
        answers(json("[".repeat(1_000_000)), "is not one of this scanner").await;
        let deep = format!("{{\"scans\":{}1{}}}", "[".repeat(200), "]".repeat(200));
        answers(json(deep), "is not one of this scanner").await;
        let elsewhere = Reply::text(302, "text/html", "").with("location", "http://192.0.2.66/scans");
        answers(What::Instead(elsewhere), "no redirect is followed").await;
        // Endless white space, which JSON allows.
        let space = Reply::text(200, "application/json", " ".repeat(1 << 20));
        answers(What::Flood { reply: space, times: 1 << 20 }, "is larger than 33554432 bytes").await;
    }
}

#[tokio::test]
async fn an_answer_about_a_launch_that_is_none_leaves_it_uncertain() {
    for on in ["POST /scans", "/launch"] {
        let pair = Pair::new(Product::Nessus, |_| {});
        let (scanner, order) = (pair.scanner(), three());
        pair.simulated.fail(Mishap::new(html(200)).on(on).times(1));
        let told = scanner.launch(&order).await;
        assert!(matches!(told, Err(Trouble::Uncertain(_))), "{told:?}");
        carried_out(&scanner, &order).await;
        assert_eq!(pair.launches(&order), [1]);
    }
}

#[tokio::test]
async fn errors_that_are_no_documents_are_cut_to_what_they_are() {
    let pair = Pair::new(Product::Nessus, |_| {});
    pair.simulated.fail(Mishap::new(html(502)));
    let told = pair.scanner().find(&three()).await;
    let wanted = "`GET /scans` was answered 502: without an error in JSON";
    assert_eq!(told, Err(Trouble::Unavailable(wanted.to_owned())));
    pair.simulated.heal();
    let endless = Reply::text(403, "text/html", "x".repeat(1 << 16));
    pair.simulated.fail(Mishap::new(What::Flood { reply: endless, times: u64::MAX }));
    let told = pair.scanner().find(&three()).await;
    assert!(matches!(told, Err(Trouble::Denied(_))), "{told:?}");
}

#[tokio::test]
async fn names_that_become_part_of_a_path_are_looked_at() {
    for product in BOTH {
        let pair = Pair::new(product, |_| {});
        let (scanner, order) = (pair.scanner(), three());
        let reference = scanner.launch(&order).await.unwrap().reference;
        for name in ["", "../../session", "a/b", "a?b", "a b", &"x".repeat(200)] {
            let body = serde_json::json!({"token": name, "file": name});
            pair.simulated.fail(Mishap::new(What::Instead(Reply::json(200, &body))).on("/export"));
            garbled(&scanner.fetch(&order, &reference).await, "names no report");
            pair.simulated.heal();
        }
    }
    // And a session's token becomes part of a header.
    let pair = Pair::new(Product::Nessus, |_| {});
    pair.configure(|config| {
        let password = Secret::new("x".to_owned());
        config.login = NessusLogin::Session { username: "osel".to_owned(), password };
    });
    for token in ["", "a\r\nX-Evil: 1", &"x".repeat(100_000)] {
        let reply = Reply::json(200, &serde_json::json!({"token": token}));
        pair.simulated.fail(Mishap::new(What::Instead(reply)).on("/session").times(1));
        garbled(&pair.scanner().find(&three()).await, "without a usable token");
    }
}

#[tokio::test]
async fn reports_that_are_none_are_refused_within_bounds() {
    let pair = Pair::new(Product::Nessus, |_| {});
    let (scanner, order) = (pair.scanner(), three());
    let reference = scanner.launch(&order).await.unwrap().reference;
    let answers = async |what: What, wanted: &str| {
        pair.simulated.fail(Mishap::new(what).on("/download"));
        garbled(&scanner.fetch(&order, &reference).await, wanted);
        pair.simulated.heal();
    };
    let xml = |text: &str| What::Instead(Reply::text(200, "application/octet-stream", text));
    let flood = |text: String| What::Flood {
        reply: Reply::text(200, "application/octet-stream", text),
        times: 1 << 14,
    };
    answers(html(200), "not with `<NessusClientData_v2>`").await;
    answers(xml(""), "ends too early").await;
    answers(xml("<NessusClientData_v2><Report><ReportHost name='192.0.2.1'>"), "ends too early").await;
    let bomb = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;'>]><NessusClientData_v2>&b;</NessusClientData_v2>";
    answers(xml(bomb), "document type with declarations").await;
    let entity = "<NessusClientData_v2><Report><ReportHost name='192.0.2.1'><ReportItem><cve>&x;</cve></ReportItem></ReportHost></Report></NessusClientData_v2>";
    answers(xml(entity), "the entity `x`").await;
    answers(xml("<NessusClientData_v2></NessusClientData_v2><x/>"), "goes on after its end").await;
    // A gigabyte of nesting, of one tag, and of hosts.
    answers(flood("<NessusClientData_v2>".repeat(1 << 12)), "nested deeper than").await;
    answers(flood("<NessusClientData_v2 ".to_owned() + &"x".repeat(1 << 16)), "piece longer than").await;
    pair.simulated.fail(Mishap::new(What::Cut).on("/download"));
    let told = scanner.fetch(&order, &reference).await;
    assert!(matches!(&told, Err(Trouble::Unavailable(why)) if why.contains("broke")), "{told:?}");
    // After all that it is read.
    pair.simulated.heal();
    assert_eq!(scanner.fetch(&order, &reference).await.unwrap().hosts.len(), 3);
}

#[tokio::test]
async fn what_comes_too_slowly_ends() {
    let pair = Pair::secure("nessus-slow", Product::Nessus, |_| {});
    let (scanner, order) = (pair.scanner(), three());
    let reference = scanner.launch(&order).await.unwrap().reference;
    let drip = || What::Drip(Duration::from_millis(50));
    for what in [drip(), What::Hang] {
        pair.simulated.fail(Mishap::new(what.clone()));
        let told = scanner.find(&order).await;
        assert!(matches!(&told, Err(Trouble::Unavailable(why)) if why.contains("in time")), "{told:?}");
        pair.simulated.heal();
    }
    pair.simulated.fail(Mishap::new(What::Hang).on("POST /scans"));
    let mut other = three();
    other.title.push('x');
    let told = scanner.launch(&other).await;
    assert!(matches!(told, Err(Trouble::Uncertain(_))), "{told:?}");
    pair.simulated.heal();
    pair.simulated.fail(Mishap::new(drip()).on("/download"));
    let told = scanner.fetch(&order, &reference).await;
    assert!(matches!(&told, Err(Trouble::Unavailable(why)) if why.contains("too slowly")), "{told:?}");
}
