//! An inventory that is handed in beside the API of the same region: what the API is asked for after it began is later than all of it.

use std::os::unix::net::UnixStream;
use std::path::Path;

use ::osel::store::{Reader, Store};
use osel_sim::api::{Fault, What};
use rustix::process::Signal;
use serde_json::json;

use crate::broker::until;
use crate::command::{refused, run};
use crate::daemon::{Daemon, LIMIT};
use crate::handed_in::{Client, cloud};
use crate::second_opinion::{account, daemon, emulated, rows, truth};

/// Starts it, until it takes orders; the path of its store.
fn start(osel: &mut Daemon) -> String {
    osel.start();
    let socket = osel.place.path("store/osel.sock");
    until("the daemon takes orders", LIMIT, || UnixStream::connect(&socket).is_ok());
    osel.place.path("store")
}

/// The API was asked and no page of it had come: an inventory was taken for the later one of the two.
#[test]
fn an_inventory_overtook_the_api_that_was_asked_before() {
    let emulated = emulated();
    emulated.fail(Fault::new(What::Hang).on("/network"));
    let mut osel = daemon("beside-asked", &emulated.url);
    let store = start(&mut osel);
    until("it is asked", LIMIT, || !emulated.asked("/network").is_empty());
    let whole = osel.place.write("whole.json", cloud(3).to_string());
    let error = refused(3, &["inventory", "import", "--store", &store, &whole]);
    assert!(error.contains("the API of this region is being read just now"), "{error}");
    assert!(osel.stop().success());
    assert_eq!(rows(&osel).len(), 0);
}

/// The rest of a file that comes after the API was read.
#[test]
fn the_rest_of_an_inventory_was_taken_after_the_api_was_read() {
    let emulated = emulated();
    let mut osel = daemon("beside-read", &emulated.url);
    account(&osel, &emulated.url, "hunter2");
    let store = start(&mut osel);
    // Now it waits for minutes, unless somebody says that it need not.
    osel.await_lines("access denied", 1);
    let id = Store::open_reader(Path::new(&store)).unwrap().info().unwrap().id;
    let mut client = Client::connect(&store);
    let begin = json!({"store": id, "order": {"import_inventory": {"name": "mine.json"}}});
    assert_eq!(client.say(&begin), json!("go_on"));
    let of = cloud(2);
    assert_eq!(client.say(&json!({"page": [["ports", of["ports"][0]]]})), json!("go_on"));
    account(&osel, &emulated.url, "admin-secret");
    osel.signal(Signal::HUP);
    osel.await_lines("the cloud was read", 1);
    let group = ["security_groups", "ports"].map(|name| json!([name, of[name][0]]));
    let answer = client.say(&json!({"page": group}));
    assert!(answer["refused"].as_str().is_some_and(|why| why.contains("is read since")), "{answer}");
    until("the read is durable", LIMIT, || rows(&osel) == truth(&emulated));
    // The next one begins, and is the later one.
    let whole = osel.place.write("whole.json", of.to_string());
    run(&["inventory", "import", "--store", &store, &whole]);
    assert!(osel.stop().success());
    assert_eq!(rows(&osel).len(), 2);
}
