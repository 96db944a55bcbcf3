//! `osel audit search` and `show`: the same with and without an index, which a daemon keeps and `osel store index` makes.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use ::osel::runtime::search::{Wanted, look, unindexed};
use ::osel::store::{Reader, Store};
use osel_core::engine::record::{Record, sentence};
use osel_core::event::Outcome;
use osel_core::model::Source;
use osel_core::search::{Query, WantedSource, parse_net};
use osel_core::time::Timestamp;
use osel_sim::random::Random;
use rusqlite::Connection;
use serde_json::Value;

use crate::broker::until;
use crate::command::{Place, json_lines, osel, program, recording, refused, run};
use crate::daemon::{Daemon, LIMIT};
use crate::handed_in::cloud;

fn store(place: &Place, recordings: &[&str]) -> String {
    let store = place.path("store");
    for name in recordings {
        run(&["replay", "--store", &store, &recording(name)]);
    }
    store
}

fn reader(store: &str) -> impl Reader + use<> {
    Store::open_reader(Path::new(store)).unwrap()
}

fn find(reader: &mut dyn Reader, query: &Query, latest_first: bool) -> Vec<u64> {
    let last = reader.head().unwrap().seq;
    let wanted = Wanted { records: 1..=last, latest_first };
    let mut found = Vec::new();
    look(reader, query, &wanted, &mut |_, _| {}, &mut |_: &mut dyn Reader, stored, _| {
        found.push(stored.seq);
        Ok::<_, Infallible>(ControlFlow::Continue(()))
    })
    .unwrap();
    found
}

/// Questions with values of records that are there, one or several of them at a time, and with parts of their sentences.
fn queries(reader: &mut dyn Reader, random: &mut Random, count: usize) -> Vec<Query> {
    let last = reader.head().unwrap().seq;
    let mut all = Vec::new();
    while all.len() < count {
        let stored = reader.record(1 + random.below(last)).unwrap().unwrap();
        let record = ::osel::runtime::record::read_record(&stored).unwrap();
        let document = record.document();
        let mut query = Query::default();
        let text = |text: Option<&str>| text.map(str::to_owned).into_iter().collect::<Vec<_>>();
        let id =
            |id: Option<&osel_core::ids::Id>| id.map(ToString::to_string).into_iter().collect::<Vec<_>>();
        for _ in 0..=random.below(2) {
            match random.below(15) {
                0 => query.actors = id(document.actor.user_id),
                1 => query.actors = text(document.actor.user_name.map(str::to_uppercase).as_deref()),
                2 => query.projects = id(document.actor.project_id),
                3 => query.projects = text(document.actor.project_name),
                12 => {
                    let of_rows = record.row_projects().into_iter().next();
                    query.shown_to = id(of_rows.or(record.project()));
                }
                4 => query.event_types = text(document.event_type.and_then(|it| it.get(..it.len() / 2))),
                5 => query.kinds = [record.header.kind].into(),
                6 => query.outcomes = vec![Outcome::Failure, Outcome::Pending],
                7 => query.targets = [id(document.target.id), text(document.target.name)].concat(),
                8 => query.requests = id(document.request_id),
                9 => query.messages = text(document.message_id),
                10 => {
                    let row = record.rows_at_hand().next().map(|judged| judged.row.address_text());
                    let client = document.actor.address.map(str::to_owned);
                    query.addresses = row.or(client).iter().filter_map(|net| parse_net(net)).collect();
                }
                13 => {
                    let row = record.rows_at_hand().last().map(|judged| &judged.row);
                    let permission = row.map(|row| &row.permission);
                    let some = random.below(7);
                    query.rows.ports =
                        permission.and_then(|of| of.ports).map(|(min, _)| min).into_iter().collect();
                    if some.is_multiple_of(2) {
                        query.rows.protocols =
                            permission.map(|of| of.protocol.name().into_owned()).into_iter().collect();
                    }
                    if let (1..=3, Some(Source::Prefix(net))) = (some, permission.map(|of| &of.source)) {
                        query.rows.sources = vec![WantedSource::Prefix(*net)];
                    }
                }
                11 => {
                    let until = record.header.time.plus_seconds(random.below(9) as i64);
                    (query.since, query.until) = (Some(record.header.time), Some(until));
                }
                _ => {
                    let sentence: Vec<char> = document.summary.to_lowercase().chars().collect();
                    let from = random.below(sentence.len() as u64) as usize;
                    let length = 1 + random.below(25) as usize;
                    query.text = Some(sentence[from..].iter().take(length).collect());
                }
            }
        }
        query.exposing = random.below(9) == 0;
        query.causes = if random.below(9) == 0 { (1..=last / 2).collect() } else { Vec::new() };
        all.push(query);
    }
    all
}

/// The numbers of what a search finds.
fn numbers(store: &str, asked: &[&str]) -> Vec<u64> {
    let found = json_lines(&[&["audit", "search", "--store", store, "-o", "json"], asked].concat());
    found.iter().map(|record| record["seq"].as_u64().unwrap()).collect()
}

#[test]
fn records_are_found_by_what_their_rows_admit() {
    let place = Place::new("search-rows");
    let store = store(&place, &["dev-zed", "dev-2026"]);
    let exported = json_lines(&["audit", "export", "--store", &store]);
    // Rows count, not sentences, which name three of them.
    let opens_ssh = |row: &Value| {
        let of_all = row["protocol"] == "any" || row["port_min"].is_null();
        let within = row["port_min"].as_u64() <= Some(22) && Some(22) <= row["port_max"].as_u64();
        ["any", "tcp"].contains(&row["protocol"].as_str().unwrap())
            && (of_all || within)
            && row["source"]["prefix"] == "0.0.0.0/0"
    };
    let rows = |record: &Value| {
        let of = |change| record["exposure"][change].as_array().cloned().unwrap_or_default();
        [of("opened"), of("closed")].concat()
    };
    let wanted: Vec<u64> = exported
        .iter()
        .filter(|record| rows(record).iter().any(opens_ssh))
        .map(|record| record["seq"].as_u64().unwrap())
        .collect();
    assert!(wanted.len() > 5, "{wanted:?}");
    let asked = ["--protocol", "tcp", "--port", "22", "--source", "0.0.0.0/0"];
    assert_eq!(numbers(&store, &asked), wanted);
    // By an index that an earlier version made nothing is missed.
    run(&["store", "index", "--store", &store]);
    assert_eq!(numbers(&store, &asked), wanted);
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    assert!(database.execute("UPDATE search_segments SET form = 2", []).unwrap() > 0);
    assert_eq!(numbers(&store, &asked), wanted);
    // One row has to admit all of it, at the address if one is given.
    let first = exported.iter().find(|record| rows(record).iter().any(opens_ssh)).unwrap();
    let row = rows(first).into_iter().find(opens_ssh).unwrap();
    let address = row["address"].as_str().unwrap();
    assert!(numbers(&store, &[&asked[..], &["--address", address]].concat()).contains(&wanted[0]));
    assert_eq!(numbers(&store, &[&asked[..], &["--address", "198.51.100.99"]].concat()), Vec::<u64>::new());
    // The table says all of a sentence.
    let table = run(&[&["audit", "search", "--store", &store, "--limit", "20"], &asked[..]].concat());
    assert!(!table.contains('…') && table.lines().all(|line| line.chars().count() <= 100), "{table}");
}

#[test]
fn the_same_is_found_with_and_without_an_index() {
    let place = Place::new("search-same");
    let store = store(&place, &["dev-v1basic", "dev-zed", "icehouse"]);
    let mut reader = reader(&store);
    let last = reader.head().unwrap().seq;
    let mut random = Random::new(11);
    let queries = queries(&mut reader, &mut random, 120);
    // What a question says itself of each record is the measure.
    let mut records = Vec::new();
    reader
        .records(1..=last, &mut |stored| {
            let record = ::osel::runtime::record::read_record(&stored).unwrap();
            records.push((sentence(&record), record));
            ControlFlow::Continue(())
        })
        .unwrap();
    let matching = |query: &Query| -> Vec<u64> {
        let is = |(sentence, record): &&(String, Record)| {
            query.matches_beside_rows(record, || sentence.clone()) && query.matches_rows(record)
        };
        records.iter().filter(is).map(|(_, record)| record.header.seq).collect()
    };
    let wanted: Vec<Vec<u64>> = queries.iter().map(matching).collect();
    assert!(wanted.iter().filter(|found| !found.is_empty()).count() > queries.len() / 2);
    assert_eq!(unindexed(&mut reader, &(1..=last)).unwrap(), last);
    for (query, wanted) in queries.iter().zip(&wanted).step_by(10) {
        assert_eq!(find(&mut reader, query, false), *wanted, "{query:?}");
    }
    run(&["store", "index", "--store", &store]);
    assert_eq!(unindexed(&mut reader, &(1..=last)).unwrap(), 0);
    for (query, mut wanted) in queries.iter().zip(wanted) {
        assert_eq!(find(&mut reader, query, false), wanted, "{query:?}");
        wanted.reverse();
        assert_eq!(find(&mut reader, query, true), wanted, "{query:?}");
    }
}

#[test]
fn a_damaged_index_is_not_needed() {
    let place = Place::new("search-damaged");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-zed")]);
    let search = ["audit", "search", "--store", &store, "--kind", "authentication", "-o", "json"];
    let wanted = json_lines(&search);
    assert!(!wanted.is_empty());
    run(&["store", "index", "--store", &store]);
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    let damaged = database.execute("UPDATE search_pages SET data = x'28b52ffd00'", []).unwrap();
    assert!(damaged > 0);
    let output = osel(&search);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("a part of the search index is damaged") && said.contains("--rebuild"), "{said}");
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), wanted.len());
    run(&["store", "index", "--rebuild", "--store", &store]);
    let output = osel(&search);
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    assert_eq!(json_lines(&search), wanted);
}

#[test]
fn a_record_that_somebody_took_is_not_passed_over() {
    let place = Place::new("search-taken");
    let store = store(&place, &["dev-glance"]);
    let whole = json_lines(&["audit", "export", "--store", &store]);
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    for is_indexed in [false, true] {
        if is_indexed {
            // An index that knows it, made before it went.
            database.execute("INSERT INTO records SELECT * FROM taken", []).unwrap();
            run(&["store", "index", "--store", &store]);
        } else {
            database.execute("CREATE TEMP TABLE taken AS SELECT * FROM records WHERE seq = 50", []).unwrap();
        }
        assert_eq!(database.execute("DELETE FROM records WHERE seq = 50", []).unwrap(), 1);
        for command in [&["audit", "export"][..], &["audit", "search", "-o", "json"]] {
            let output = osel(&[command, &["--store", &store]].concat());
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("record 50 is missing: run `osel audit verify`"), "{command:?}: {said}");
            assert_eq!(output.status.code(), Some(3));
            assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 49, "those before it");
        }
        refused(3, &["audit", "search", "--store", &store, "--latest", "2000"]);
        // What is asked for lies behind it.
        assert_eq!(
            json_lines(&["audit", "search", "--store", &store, "--latest", "1", "-o", "json"]).len(),
            1
        );
        let shown = osel(&["audit", "show", "--store", &store, "49"]);
        assert!(
            shown.status.success()
                && shown.stdout.starts_with(whole[48]["summary"].as_str().unwrap().as_bytes())
        );
        refused(3, &["audit", "show", "--store", &store, "50"]);
    }
    assert!(whole.len() > 60);
    let beyond = (whole.len() + 5).to_string();
    assert_eq!(osel(&["audit", "show", "--store", &store, &beyond]).status.code(), Some(1));
    refused(2, &["audit", "export", "--store", &store, "--incident", &beyond]);
}

#[test]
fn whoever_may_name_a_port_writes_no_lines_of_their_own() {
    let place = Place::new("search-forged");
    let store = place.path("store");
    let mut read = cloud(1);
    run(&["inventory", "import", "--store", &store, &place.write("a.json", read.to_string())]);
    read["ports"][0]["id"] = "\u{9b}31mp".into();
    read["ports"][0]["name"] = "vm\u{1b}[2J\r\nFORGED \u{202e}".into();
    run(&["inventory", "import", "--store", &store, &place.write("b.json", read.to_string())]);
    let is_harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    let mut named = 0;
    for seq in 1..=json_lines(&["audit", "export", "--store", &store]).len() {
        let shown = run(&["audit", "show", "--store", &store, &seq.to_string()]);
        assert!(!shown.contains(is_harmful) && !shown.contains("\nFORGED"), "{shown:?}");
        named += usize::from(shown.contains("FORGED"));
    }
    assert!(named > 0);
    for command in [&["audit", "search"][..], &["audit", "search", "-o", "csv"], &["exposure", "-o", "csv"]] {
        let said = run(&[command, &["--store", &store]].concat());
        assert!(!said.contains(is_harmful) && !said.contains("\nFORGED"), "{said:?}");
    }
}

#[test]
fn numbers_of_a_table_are_whole_however_long_it_is() {
    let place = Place::new("search-long");
    let store = store(&place, &["dev-2026"]);
    let last = json_lines(&["audit", "export", "--store", &store]).len();
    assert!(last > 1000);
    let said = run(&["audit", "search", "--store", &store]);
    assert!((1..=last).all(|seq| said.contains(&format!("\n{seq} "))), "{said}");
    assert!(said.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn whoever_has_read_enough_is_no_failure_and_a_full_disk_is() {
    let place = Place::new("search-enough");
    let store = store(&place, &["dev-zed", "dev-2026"]);
    let search = ["audit", "search", "--store", &store, "-o", "json"];
    let mut child = program().args(search).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = program().args(search).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot be handed on: No space left on device"), "{said}");
}

#[test]
fn lists_are_comma_separated_values_where_that_is_asked_for() {
    let place = Place::new("search-csv");
    let store = store(&place, &["dev-zed"]);
    let lines = run(&["audit", "search", "--store", &store, "--limit", "3", "-o", "csv"]);
    let records = json_lines(&["audit", "search", "--store", &store, "--limit", "3", "-o", "json"]);
    let mut lines = lines.lines();
    assert_eq!(lines.next(), Some("seq,time,kind,what"));
    for record in &records {
        let begin = format!(
            "{},{},{},",
            record["seq"],
            record["time"].as_str().unwrap(),
            record["kind"].as_str().unwrap()
        );
        assert!(lines.next().unwrap().starts_with(&begin), "{begin}");
    }
    assert_eq!(lines.next(), None);
    let ledger = run(&["ledger", "--store", &store, "-o", "csv"]);
    assert!(
        ledger.starts_with("source,received,recorded,duplicate,ignored,quarantined,unmodelled\n"),
        "{ledger}"
    );
    assert_eq!(run(&["quarantine", "list", "--store", &store, "-o", "csv"]), "id,at,source,reason\n");
    for one in [&["audit", "show", "1"][..], &["audit", "verify"], &["quarantine", "show", "1"]] {
        let output = osel(&[one, &["--store", &store, "-o", "csv"]].concat());
        assert_eq!(output.status.code(), Some(2), "{one:?} is no list");
    }
}

#[test]
fn conditions_are_those_of_the_flags() {
    let place = Place::new("search-flags");
    let store = store(&place, &["dev-2026"]);
    let all = json_lines(&["audit", "export", "--store", &store]);
    let found = |flags: &[&str]| {
        let head = ["audit", "search", "--store", &store, "-o", "json"];
        json_lines(&[&head, flags].concat())
    };
    let check = |flags: &[&str], is: &dyn Fn(&Value) -> bool| {
        let wanted: Vec<&Value> = all.iter().filter(|record| is(record)).collect();
        assert!(!wanted.is_empty(), "{flags:?}");
        assert_eq!(found(flags).iter().collect::<Vec<_>>(), wanted, "{flags:?}");
    };
    for round in 0..2 {
        check(&["--kind", "authentication", "--kind", "gap", "--kind", "system"], &|record| {
            ["authentication", "gap", "system"].contains(&record["kind"].as_str().unwrap())
        });
        check(&["--outcome", "failure"], &|record| record["outcome"] == "failure");
        check(&["--seq", "100..200", "--kind", "change"], &|record| {
            record["kind"] == "change" && (100..=200).contains(&record["seq"].as_u64().unwrap())
        });
        check(&["--event-type", "security_group_rule."], &|record| {
            record["event_type"].as_str().is_some_and(|it| it.starts_with("security_group_rule."))
        });
        let actor = &all.iter().find(|record| record["actor"]["user_name"].is_string()).unwrap()["actor"];
        let (name, id) = (actor["user_name"].as_str().unwrap(), actor["user_id"].as_str());
        check(&["--actor", &name.to_uppercase()], &|record| record["actor"]["user_name"] == name);
        if let Some(id) = id {
            check(&["--actor", id], &|record| record["actor"]["user_id"] == id);
        }
        let target = all.iter().find_map(|record| record["target"]["id"].as_str()).unwrap();
        check(&["--target", target], &|record| record["target"]["id"] == target);
        let message = all.iter().find_map(|record| record["message_id"].as_str()).unwrap();
        check(&["--message-id", message], &|record| record["message_id"] == message);
        let request = all.iter().find_map(|record| record["request_id"].as_str()).unwrap();
        check(&["--request-id", request], &|record| record["request_id"] == request);
        let cause = all.iter().find_map(|record| record["cause"].as_u64()).unwrap();
        check(&["--cause", &cause.to_string()], &|record| record["cause"] == cause);
        let rows = |record: &Value| -> Vec<Value> {
            let of = |list: &str| record["exposure"][list].as_array().unwrap().clone();
            [of("opened"), of("closed")].concat()
        };
        check(&["--exposing"], &|record| !rows(record).is_empty());
        let address = all.iter().flat_map(rows).find_map(|row| {
            row["address"]
                .as_str()
                .filter(|address| address.contains('.') && !address.contains('/'))
                .map(str::to_owned)
        });
        let address = address.unwrap();
        let wide = format!("{}.0/24", address.rsplit_once('.').unwrap().0);
        let is_of = |record: &Value, wanted: &dyn Fn(&str) -> bool| {
            rows(record).iter().any(|row| wanted(row["address"].as_str().unwrap()))
                || record["actor"]["address"].as_str().is_some_and(wanted)
        };
        check(&["--address", &address], &|record| is_of(record, &|other| other == address));
        let start = wide.strip_suffix("0/24").unwrap();
        check(&["--address", &wide], &|record| is_of(record, &|other| other.starts_with(start)));
        check(&["logged IN"], &|record| record["summary"].as_str().unwrap().contains("logged in"));
        let changes: Vec<Value> = all.iter().filter(|record| record["kind"] == "change").cloned().collect();
        assert_eq!(found(&["--kind", "change", "--limit", "7"]), changes[..7]);
        assert_eq!(found(&["--kind", "change", "--latest", "7"]), changes[changes.len() - 7..]);
        assert_eq!(found(&["--kind", "change", "--latest", "0"]), [] as [Value; 0]);
        if round == 0 {
            run(&["store", "index", "--store", &store]);
        }
    }
    for wrong in [
        &["--address", "nowhere"][..],
        &["--seq", "7"],
        &["--seq", "a..b"],
        &["--limit", "1", "--latest", "1"],
    ] {
        let output = osel(&[&["audit", "search", "--store", &store], wrong].concat());
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_record_is_shown_with_all_that_is_around_it() {
    let place = Place::new("search-show");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-2026")]);
    let all = json_lines(&["audit", "export", "--store", &store]);
    let following = all.iter().find(|record| record["cause"].is_u64()).unwrap();
    let (seq, cause) = (following["seq"].as_u64().unwrap(), following["cause"].as_u64().unwrap());
    let show = |seq: u64| {
        json_lines(&["audit", "show", "--store", &store, "-o", "json", &seq.to_string()]).remove(0)
    };
    let shown = show(cause);
    for (key, value) in all[cause as usize - 1].as_object().unwrap() {
        assert_eq!(&shown[key], value, "{key}");
    }
    assert!(shown["followed_by"].as_array().unwrap().contains(&seq.into()));
    assert_eq!((&shown["log"]["index"], &shown["log"]["leaf_hash"]), (&(cause - 1).into(), &shown["hash"]));
    assert!(shown["log"]["checkpoint_size"].as_u64().unwrap() >= cause);
    assert!(shown["message"].is_object());
    let text = run(&["audit", "show", "--store", &store, &cause.to_string()]);
    assert_eq!(text.lines().next(), shown["summary"].as_str());
    assert!(text.contains(&format!("followed by record {seq}: ")), "{text}");
    assert!(text.contains("the message as it is stored:"), "{text}");
    let text = run(&["audit", "show", "--store", &store, &seq.to_string()]);
    assert!(text.contains(&format!("cause       record {cause}: ")), "{text}");
    let exposing =
        all.iter().find(|record| !record["exposure"]["opened"].as_array().unwrap().is_empty()).unwrap();
    let text = run(&["audit", "show", "--store", &store, &exposing["seq"].to_string()]);
    let row = &exposing["exposure"]["opened"][0];
    assert!(text.contains("\nopened:\nADDRESS") && text.contains(row["address"].as_str().unwrap()), "{text}");
}

#[test]
fn a_daemon_keeps_the_index_of_what_it_records() {
    let mut osel = Daemon::new("search-daemon", "[trail]\nrecord_reads = true\n");
    osel.capture("bus.jsonl", "a", 5000);
    osel.start();
    osel.await_received(5000);
    let store = osel.place.path("store");
    let mut reader = reader(&store);
    until("the first leaf is in the index", LIMIT, || {
        let last = reader.head().unwrap().seq;
        last >= 5000 && unindexed(&mut reader, &(1..=last)).unwrap() <= last - 4095
    });
    let refused = refused(3, &["store", "index", "--store", &store]);
    assert!(refused.contains("a running osel keeps the index by itself"), "{refused}");
    // What is not in the index yet is found as well.
    assert_eq!(
        find(&mut reader, &Query { until: Some(Timestamp::MAX), ..Query::default() }, false).len() as u64,
        reader.head().unwrap().seq
    );
    let last = reader.head().unwrap().seq;
    let search = ["audit", "search", "--store", &store, "--kind", "system", "--limit", "3"];
    for _ in 0..3 {
        run(&search);
    }
    run(&["audit", "show", "--store", &store, "7"]);
    // Whoever does not find the daemon is told that nobody wrote it down.
    let elsewhere = osel.place.path("elsewhere.sock");
    let aside = |command: &mut Command| {
        let output = command.args(["audit", "show", "--store", &store, "8"]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = aside(program().env("OSEL_CONTROL__SOCKET", &elsewhere));
    assert!(
        said.contains("is not recorded: no osel listens at") && said.contains("writes the store"),
        "{said}"
    );
    assert!(osel.stop().success());
    // Nobody is told of what is read where no daemon runs.
    assert_eq!(aside(program().env("OSEL_CONTROL__SOCKET", &elsewhere)), "");
    let read = json_lines(&["audit", "search", "--store", &store, "read the trail:", "-o", "json"]);
    let said: Vec<&str> = read.iter().filter_map(|record| record["summary"].as_str()).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].ends_with(" read the trail: search --kind system --limit 3"), "{said:?}");
    assert!(said[1].ends_with(" read the trail: show 7"), "{said:?}");
    assert!(read.iter().all(|record| record["seq"].as_u64().unwrap() > last && record["kind"] == "system"));
    assert!(read[0]["detail"]["reader"].is_string());
}

/// Whoever reads a trail does not verify all of it first: what was written over is not shown as if it had happened.
#[test]
fn a_record_that_somebody_altered_is_not_shown() {
    let place = Place::new("search-altered");
    let store = store(&place, &["dev-glance"]);
    let whole = json_lines(&["audit", "export", "--store", &store]);
    let database = Connection::open(Path::new(&store).join("journal.db")).unwrap();
    for column in ["canonical", "hash", "parts"] {
        let read = format!("SELECT {column} FROM records WHERE seq = 50");
        let write = format!("UPDATE records SET {column} = ?1 WHERE seq = 50");
        let good: Vec<u8> = database.query_row(&read, [], |row| row.get(0)).unwrap();
        for at in [good.len() / 3, good.len() / 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            database.execute(&write, [&bad]).unwrap();
            let show = &["audit", "show", "50"][..];
            for (command, lines) in
                [(show, 0), (&["audit", "export"], 49), (&["audit", "search", "-o", "json"], 49)]
            {
                let output = osel(&[command, &["--store", &store]].concat());
                let said = String::from_utf8(output.stderr).unwrap();
                let words =
                    ["record 50 is not as it was written", "record 50 is damaged", "is damaged at record 50"];
                assert!(words.iter().any(|words| said.contains(words)), "{column} {at} {command:?}: {said}");
                assert_eq!(output.status.code(), Some(3), "{column} {at} {command:?}");
                assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), lines);
            }
        }
        database.execute(&write, [&good]).unwrap();
    }
    assert_eq!(json_lines(&["audit", "export", "--store", &store]), whole);
}
