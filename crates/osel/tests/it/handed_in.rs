//! Inventories and quarantine over the socket of a running daemon: the same as into a store that nobody has, and with whose order it was.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use ::osel::store::{Reader, Store};
use osel_sim::corpus::{Corpus, directory};
use serde_json::{Value, json};

use crate::broker::until;
use crate::command::{Place, json_lines, osel, program, refused, run};
use crate::daemon::{Daemon, LIMIT};
use crate::quarantine::{Held, counts, ledger, record};

/// One that takes orders.
fn started(name: &str, prepare: impl FnOnce(&Daemon)) -> (Daemon, String) {
    let mut osel = Daemon::new(name, "");
    prepare(&osel);
    osel.start();
    let socket = osel.place.path("store/osel.sock");
    until("the daemon takes orders", LIMIT, || UnixStream::connect(&socket).is_ok());
    let store = osel.place.path("store");
    (osel, store)
}

fn rows(store: &str) -> Vec<Value> {
    json_lines(&["exposure", "--store", store, "-o", "json"])
}

/// The records of inventories, without those of single differences.
fn inventories(osel: &Daemon) -> Vec<Value> {
    let records = osel.records();
    records
        .into_iter()
        .filter(|record| record["summary"].as_str().unwrap().starts_with("inventory"))
        .collect()
}

/// Who runs the tests, by the name that records give.
fn whose(record: &Value) -> &str {
    record["detail"]["imported_by"].as_str().unwrap()
}

/// So many ports of one group that is open to the world, in more than one part.
pub(crate) fn cloud(ports: usize) -> Value {
    let port = |number: usize| {
        json!({
            "id": format!("p{number}"), "network_id": "n", "project_id": "t", "security_groups": ["g"],
            "description": "d".repeat(400), "device_owner": "compute:nova",
            "fixed_ips": [{"subnet_id": "s", "ip_address": format!("10.0.{}.{}", number / 200, number % 200 + 1)}],
        })
    };
    json!({
        "networks": [{"id": "n", "project_id": "t"}],
        "security_groups": [{"id": "g", "project_id": "t", "security_group_rules": [{
            "id": "r", "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
            "port_range_min": 22, "port_range_max": 22,
        }]}],
        "ports": (0..ports).map(port).collect::<Vec<_>>(),
    })
}

#[test]
fn an_inventory_that_a_daemon_is_handed_is_as_one_into_a_store_of_ones_own() {
    let (mut osel, store) = started("handed-in", |_| ());
    let corpus = Corpus::load(&directory(), "dev-2026").unwrap();
    let mut read = corpus.snapshots.last().unwrap().inventory();
    read["glaciers"] = json!([]);
    let read = osel.place.write("read.json", read.to_string());
    let large = osel.place.write("large.json", cloud(5000).to_string());
    let own = osel.place.path("own");
    let [by_daemon, by_itself] = [&store, &own].map(|store| {
        let import = |files: &[&str]| {
            let output = osel_in(&[&["inventory", "import", "--store", store][..], files].concat());
            assert!(output.0, "{}", output.1);
            output.1
        };
        (import(&[&read]) + &import(&["--region", "south", &large, &large]), rows(store))
    });
    assert_eq!(by_daemon, by_itself);
    assert!(by_daemon.1.len() > 5000, "{}", by_daemon.1.len());
    assert!(
        by_daemon.0.contains("`glaciers` is not read") && by_daemon.0.contains("5002 objects read"),
        "{}",
        by_daemon.0
    );
    // The daemon has written it, and says on whose order.
    osel.await_lines("an inventory is imported", 3);
    let told = inventories(&osel);
    let last = told.last().unwrap();
    let summary = format!(
        "inventory large.json, imported by {}, read: 1 networks, 1 security_groups, 5000 ports",
        whose(last)
    );
    assert_eq!((told.len(), last["summary"].as_str()), (3, Some(&*summary)));
    let own: Vec<Value> = json_lines(&["audit", "export", "--store", &own, "-o", "json"]);
    let of_own = own.iter().rev().find(|record| record["summary"] == last["summary"]).unwrap();
    assert_eq!(whose(of_own), whose(last));
    // Whoever hands in has opened nothing.
    let own = osel.place.path("own");
    let history = run(&["exposure", "history", "--store", &own, "--address", "10.0.0.1"]);
    assert!(history.contains("(import)"), "{history}");
    osel.capture("bus.jsonl", "a", 3);
    osel.await_received(3);
    assert!(osel.stop().success());
    assert_eq!(rows(&store), by_daemon.1);
}

/// Whether it succeeded, and what it said beside its results.
fn osel_in(arguments: &[&str]) -> (bool, String) {
    let output = osel(arguments);
    (output.status.success(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn records_of_an_import_say_what_was_new() {
    let place = Place::new("handed-in-said");
    let store = place.path("store");
    let mut read = cloud(1);
    let import = |rules: &[&str], read: &mut Value| {
        for id in rules {
            read["security_groups"][0]["security_group_rules"].as_array_mut().unwrap().push(json!({
                "id": id, "security_group_id": "g", "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp",
                "port_range_min": 80, "port_range_max": 80,
            }));
        }
        read["security_group_rules"] = read["security_groups"][0]["security_group_rules"].clone();
        let before = Store::open_reader(Path::new(&store)).map_or(0, |mut store| store.head().unwrap().seq);
        run(&["inventory", "import", "--store", &store, &place.write("read.json", read.to_string())]);
        let records =
            json_lines(&["audit", "export", "--store", &store, "--seq", &format!("{}..", before + 1)]);
        records.iter().map(|record| record["summary"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let read_of =
        |rules: u64| format!("read: 1 networks, 1 security_groups, {rules} security_group_rules, 1 ports");
    let ends_with = |said: &[String], words: &str| assert!(said.last().unwrap().contains(words), "{said:?}");
    ends_with(&import(&[], &mut read), &read_of(1));
    // Each of these two would be open by the other, and yet 80 is new.
    let said = import(&["w1", "w2"], &mut read);
    ends_with(&said, &read_of(3));
    assert_eq!(said.len(), 3, "{said:?}");
    for drift in &said[..2] {
        assert!(drift.ends_with("opened 10.0.0.1 tcp 80 from 0.0.0.0/0"), "{said:?}");
    }
    let said = import(&["w3"], &mut read);
    ends_with(&said, &read_of(4));
    assert!(said[0].ends_with("opened 10.0.0.1 tcp 80 from 0.0.0.0/0 (was open before)"), "{said:?}");
    let whoami = whose(&json_lines(&["audit", "export", "--store", &store])[0]).to_owned();
    let by = json_lines(&["audit", "search", "--store", &store, "--actor", &whoami, "-o", "json"]);
    assert_eq!(by.len(), 3, "{by:?}");
}

#[test]
fn a_page_of_an_api_takes_nothing_for_gone() {
    let place = Place::new("handed-in-page");
    let store = place.path("store");
    let whole = place.write("whole.json", cloud(3).to_string());
    run(&["inventory", "import", "--store", &store, &whole]);
    let all = rows(&store);
    let next = json!([{"rel": "self", "href": "http://n/1"}, {"rel": "next", "href": "http://n/2"}]);
    let last = json!([{"rel": "previous", "href": "http://n/1"}]);
    let page = |links: &[(&str, Value)]| {
        let mut page = json!({"ports": cloud(1)["ports"]});
        for (key, value) in links {
            page[*key] = value.clone();
        }
        let page = place.write("page.json", page.to_string());
        let (is_good, said) = osel_in(&["inventory", "import", "--store", &store, &page]);
        assert!(is_good && !said.contains("is not read"), "{said}");
        said
    };
    for links in [
        ("ports_links", next.clone()),
        ("links", json!({"self": "http://k/1", "next": "http://k/2"})),
        ("truncated", json!(true)),
        ("ports_links", json!([{"href": "http://n/1"}, {"rel": "next"}])),
        // Nobody knows what they say.
        ("ports_links", json!("http://n/2")),
    ] {
        let said = page(&[links]);
        assert!(said.contains("`ports` is one page of several"), "{said}");
        assert_eq!(rows(&store), all);
    }
    let said = page(&[("ports_links", last), ("links", json!({"next": null})), ("networks_links", next)]);
    assert!(!said.contains("one page"), "{said}");
    assert_eq!(rows(&store).len(), all.len() / 3);
}

#[test]
fn what_is_wrong_with_a_file_is_said_before_anything_is_handed_in() {
    let (mut osel, store) = started("handed-in-bad", |_| ());
    let good = osel.place.write("good.json", cloud(3).to_string());
    for bad in ["{\"ports\": [{\"id\": \"a\"}, 7]}", "{\"networks\": [{\"id\": \"n\"}], \"ports\"", "[]"] {
        let bad = osel.place.write("bad.json", bad);
        let error = refused(3, &["inventory", "import", "--store", &store, &good, &bad]);
        assert!(error.contains("bad.json"), "{error}");
    }
    let mut large = cloud(1);
    large["ports"][0]["description"] = "d".repeat(17 << 20).into();
    let large = osel.place.write("large.json", large.to_string());
    let error = refused(3, &["inventory", "import", "--store", &store, &large]);
    assert!(error.contains("a running osel takes at most 16777216: stop it for this import"), "{error}");
    let mut ahead = cloud(2);
    ahead["taken_at"] = "2999-01-01T00:00:00Z".into();
    let ahead = osel.place.write("ahead.json", ahead.to_string());
    let error = refused(3, &["inventory", "import", "--store", &store, &good, &ahead]);
    assert!(error.contains("ahead.json") && error.contains("`taken_at` is 2999-01-01"), "{error}");
    // Also by whoever says it to the daemon itself.
    let id = Store::open_reader(Path::new(&store)).unwrap().info().unwrap().id;
    let begin = json!({"store": id, "order": {"import_inventory": {"name": "x", "taken_at": "2999-01-01T00:00:00Z"}}});
    let answer = Client::connect(&store).say(&begin);
    assert!(answer["refused"].as_str().is_some_and(|why| why.contains("2999-01-01")), "{answer}");
    assert_eq!(inventories(&osel), Vec::<Value>::new());
    run(&["inventory", "import", "--store", &store, &good]);
    assert_eq!(rows(&store).len(), 3);
    assert!(osel.stop().success());
}

#[test]
fn an_inventory_of_no_region_does_not_double_the_cloud_of_one() {
    let (mut osel, store) = started("handed-in-region", |_| ());
    let good = osel.place.write("good.json", cloud(3).to_string());
    let import = |code: i32, store: &str| {
        let error = refused(code, &["inventory", "import", "--store", store, &good]);
        assert!(error.contains("beside that of `south`: give --region"), "{error}");
    };
    let own = osel.place.path("own");
    for store in [&store, &own] {
        run(&["inventory", "import", "--store", store, "--region", "south", &good]);
    }
    import(3, &store);
    import(2, &own);
    assert_eq!((rows(&store).len(), rows(&own).len()), (3, 3));
    assert!(osel.stop().success());
}

/// A region that is missing or mistyped, where all sources have one: whether the command sees the configuration or only the daemon does.
#[test]
fn an_inventory_is_of_a_region_that_a_source_has() {
    let (mut osel, store) = started("handed-in-mistyped", |osel| osel.configure("region = 'south'"));
    let good = osel.place.write("good.json", cloud(3).to_string());
    let config = osel.place.path("osel.toml");
    let import = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = program();
        command.args(["inventory", "import"]).args(arguments).arg(&good);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let by_config = [("OSEL_CONFIG", config.as_str())];
    for (region, why) in
        [(&["--region", "sooth"][..], "no source is of the region `sooth`"), (&[], "it is of no region")]
    {
        let by_daemon = import(&[], &[&["--store", &store], region].concat());
        for (wanted, (code, error)) in [(3, by_daemon), (2, import(&by_config, region))] {
            assert!(error.contains(why) && error.contains("sources are of: `south`"), "{error}");
            assert_eq!(code, wanted, "{error}");
        }
    }
    let (code, error) = import(&by_config, &["--region", "south"]);
    assert_eq!(code, 0, "{error}");
    assert!(osel.stop().success());

    // A source whose region is no longer that of what is known.
    osel.configure("region = 'sooth'");
    osel.start();
    osel.await_lines("nothing is known of this source's region", 1);
    assert!(osel.stop().success());
}

/// A client of its own, which is as slow as it likes.
pub(crate) struct Client(BufReader<UnixStream>);

impl Client {
    pub(crate) fn connect(store: &str) -> Self {
        Self(BufReader::new(UnixStream::connect(format!("{store}/osel.sock")).unwrap()))
    }

    pub(crate) fn say(&mut self, line: &Value) -> Value {
        writeln!(self.0.get_mut(), "{line}").unwrap();
        let mut answer = String::new();
        self.0.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap()
    }
}

#[test]
fn one_inventory_is_handed_in_at_a_time_and_one_that_breaks_off_takes_nothing_for_gone() {
    let (mut osel, store) = started("handed-in-twice", |_| ());
    let whole = osel.place.write("whole.json", cloud(3).to_string());
    run(&["inventory", "import", "--store", &store, &whole]);
    let id = Store::open_reader(Path::new(&store)).unwrap().info().unwrap().id;
    let mut client = Client::connect(&store);
    let begin = json!({"store": id, "order": {"import_inventory": {"name": "mine.json"}}});
    assert_eq!(client.say(&begin), json!("go_on"));
    let mut port = cloud(4)["ports"][3].clone();
    port["name"] = "new".into();
    assert_eq!(client.say(&json!({"page": [["ports", port]]})), json!("go_on"));
    let error = refused(3, &["inventory", "import", "--store", &store, &whole]);
    assert!(error.contains("the running osel refuses: another inventory is being imported"), "{error}");
    // The bus is heard meanwhile.
    osel.capture("bus.jsonl", "a", 3);
    osel.await_received(3);
    drop(client);
    until("it is known that it will not come to its end", LIMIT, || {
        inventories(&osel)
            .iter()
            .any(|record| record["summary"].as_str().unwrap().ends_with("not read to its end"))
    });
    assert_eq!(rows(&store).len(), 4);
    // The next one is whole again, and the port that it does not show is gone.
    run(&["inventory", "import", "--store", &store, &whole]);
    assert_eq!(rows(&store).len(), 3);
    assert!(osel.stop().success());
}

#[test]
fn a_daemon_that_ends_in_the_middle_has_kept_what_was_shown() {
    let (mut osel, store) = started("handed-in-stop", |_| ());
    let id = Store::open_reader(Path::new(&store)).unwrap().info().unwrap().id;
    let mut client = Client::connect(&store);
    let begin = json!({"store": id, "order": {"import_inventory": {"name": "mine.json"}}});
    assert_eq!(client.say(&begin), json!("go_on"));
    let cloud = cloud(2);
    let objects = ["networks", "security_groups", "ports"]
        .map(|name| cloud[name].as_array().unwrap().iter().map(move |of| json!([name, of])));
    let objects: Vec<Value> = objects.into_iter().flatten().collect();
    assert_eq!(client.say(&json!({"page": objects})), json!("go_on"));
    assert!(osel.stop().success());
    let told = inventories(&osel);
    let summary = told.last().unwrap()["summary"].as_str().unwrap();
    assert!(summary.ends_with("not read to its end"), "{summary}");
    assert_eq!(rows(&store).len(), 2);
}

#[test]
fn a_daemon_replays_from_quarantine_each_message_once() {
    let held: Vec<usize> = (0..150).step_by(2).collect();
    let messages = 160;
    let (mut daemon, store) = started("handed-in-replay", |osel| {
        let store = osel.place.path("store");
        record(Path::new(&store), "dev-race", &Held { held: held.clone(), messages });
    });
    let before = counts(&ledger_of(&store, "dev-race"));
    assert_eq!(before[3], held.len() as u64);
    let list = json_lines(&["quarantine", "list", "--store", &store, "-o", "json"]);
    let first = list[0]["id"].to_string();
    let shown = json_lines(&["quarantine", "replay", "--store", &store, &first, "-o", "json"]);
    assert_eq!((&shown[0]["id"], &shown[0]["result"]), (&list[0]["id"], &json!("recorded")));
    let shown = json_lines(&["audit", "show", "--store", &store, "-o", "json", &shown[0]["seq"].to_string()]);
    assert_eq!(shown[0]["detail"]["quarantine_id"].as_str(), Some(&*first));
    assert!(shown[0]["detail"]["replayed_by"].is_string());
    assert_eq!(osel(&["quarantine", "replay", "--store", &store, &first]).status.code(), Some(1));
    // Two at once, each with all that there is.
    let all = || {
        let output = osel(&["quarantine", "replay", "--store", &store, "--all", "-o", "json"]);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let results = std::thread::scope(|scope| {
        let both = [scope.spawn(all), scope.spawn(all)];
        both.map(|one| one.join().unwrap())
    });
    let done: Vec<&Value> = results
        .iter()
        .flatten()
        .filter(|result| result["result"] == "recorded")
        .map(|result| &result["id"])
        .collect();
    let mut wanted: Vec<&Value> = list[1..].iter().map(|item| &item["id"]).collect();
    let mut found = done.clone();
    found.sort_unstable_by_key(|id| id.as_u64());
    wanted.sort_unstable_by_key(|id| id.as_u64());
    assert_eq!(found, wanted);
    let after = counts(&ledger_of(&store, "dev-race"));
    assert_eq!(after, [before[0], before[0] - before[2], before[2], 0]);
    // The daemon goes on as it would have.
    daemon.capture("bus.jsonl", "a", 3);
    daemon.await_received(3);
    assert!(daemon.stop().success());
    run(&["audit", "verify", "--store", &store]);
}

fn ledger_of(store: &str, source: &str) -> Value {
    let lines = json_lines(&["ledger", "--store", store, "-o", "json"]);
    lines.into_iter().find(|line| line["source"] == source).unwrap_or_else(|| ledger(store))
}

#[test]
fn a_message_whose_bytes_cannot_be_read_yet_stays_with_its_reason() {
    let (mut osel, store) = started("handed-in-held", |osel| {
        osel.append("bus.jsonl", "{\"received_at\":\"2026-11-21T00:00:00Z\",\"body\":\"nonsense\"}\n");
    });
    osel.await_received(1);
    let id = json_lines(&["quarantine", "list", "--store", &store, "-o", "json"])[0]["id"].to_string();
    let output = osel_of(&["quarantine", "replay", "--store", &store, &id, "-o", "json"]);
    let result: Value = serde_json::from_str(&output).unwrap();
    assert_eq!((&result["result"], &result["seq"]), (&json!("held"), &Value::Null));
    assert!(!result["reason"].as_str().unwrap().is_empty());
    assert!(osel.stop().success());
    // Nothing was written by the order, and nothing is left behind.
    assert_eq!(osel.ledger().quarantined, 1);
    assert!(!fs::exists(format!("{store}/osel.sock")).unwrap());
}

/// What it printed, with exit code 1.
fn osel_of(arguments: &[&str]) -> String {
    let output = osel(arguments);
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stdout).unwrap()
}
