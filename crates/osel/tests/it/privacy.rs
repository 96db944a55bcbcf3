//! `osel privacy`: a person who is erased is nowhere any more, and everything else is as it was.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Stdio;

use ::osel::runtime::state;
use ::osel::store::{ALL, Commit, ForwarderRow, Journal, Reader, Store};
use osel_core::engine::{Engine, EngineOptions};
use osel_core::trail::bundle::Checker;
use serde_json::{Value, json};

use crate::command::{Place, json_lines, osel, recording, run};
use crate::daemon::{Daemon, LIMIT};

/// A user of the recorded cloud, by name and id.
const NAME: &str = "birch-user1";

fn reader(store: &str) -> impl Reader + use<> {
    Store::open_reader(Path::new(store)).unwrap()
}

fn recorded(place: &Place) -> String {
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-zed")]);
    run(&["store", "index", "--store", &store]);
    store
}

fn one(arguments: &[&str]) -> Value {
    let mut lines = json_lines(arguments);
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines.remove(0)
}

/// The files of a store that have a text, and the inputs in it that do.
fn with(store: &str, text: &str) -> (Vec<String>, usize) {
    let files = fs::read_dir(store).unwrap().map(|file| file.unwrap());
    let named = files.filter(|file| {
        let bytes = fs::read(file.path()).unwrap_or_default();
        memchr::memmem::find(&bytes, text.as_bytes()).is_some()
    });
    let named = named.map(|file| file.file_name().to_string_lossy().into_owned()).collect();
    let mut inputs = 0;
    reader(store)
        .entries(ALL, &mut |entry| {
            inputs += usize::from(memchr::memmem::find(&entry.body, text.as_bytes()).is_some());
            ControlFlow::Continue(())
        })
        .unwrap();
    (named, inputs)
}

fn lines(engine: &Engine) -> Vec<String> {
    engine.lines().map(|line| serde_json::to_string(&line).unwrap()).collect()
}

fn engine(store: &str) -> Engine {
    state::resume(&mut reader(store), &EngineOptions::default()).unwrap()
}

/// Its state, folded from all inputs.
fn folded(store: &str) -> Vec<String> {
    let mut journal = Store::open_writer(Path::new(store)).unwrap();
    journal.prune_snapshots(&mut |_| false).unwrap();
    assert_eq!(reader(store).snapshots().unwrap(), []);
    lines(&engine(store))
}

fn verifies(bundle: &str, store: &str) {
    let key = reader(store).log_keys().unwrap().last().unwrap().key.parse().unwrap();
    let mut checker = Checker::new(Some(key));
    for line in fs::read(bundle).unwrap().split_inclusive(|&byte| byte == b'\n') {
        checker.push(line).unwrap();
    }
    checker.finish().unwrap();
}

#[test]
fn an_erased_user_is_nowhere_and_all_else_is_as_it_was() {
    let place = Place::new("privacy");
    let store = recorded(&place);
    let place_of = ["--store", &store];
    let command = |words: &[&str]| json_lines(&[words, &place_of].concat());
    let bundle = place.path("before.bundle");
    assert!(osel(&["audit", "export", "--store", &store, "--bundle", &bundle]).status.success());
    let head = reader(&store).head().unwrap();
    let exposure = command(&["exposure", "-o", "json"]);
    let kept = one(&["privacy", "show", "--user", NAME, "-o", "json", "--store", &store]);
    let (id, records) = (kept["user_id"].as_str().unwrap(), kept["records"].as_u64().unwrap());
    assert!(records > 100 && kept["values"]["name"].as_array().unwrap().contains(&NAME.into()), "{kept}");
    assert!(with(&store, NAME).1 > 100);
    let found = |actor: &str| command(&["audit", "search", "-o", "json", "--actor", actor]).len() as u64;
    assert!(found(NAME) > 100);
    let by_id = found(id);

    let erase = ["privacy", "erase", "--user", NAME, "--reason", "ticket 4711", "--store", &store];
    run(&[&erase[..], &["--dry-run"]].concat());
    assert_eq!(reader(&store).head().unwrap(), head, "nothing was done");
    run(&erase);

    let report = one(&["privacy", "report", "-o", "json", "--store", &store]);
    assert_eq!(report["is_done"], true, "{report}");
    assert_eq!((&report["user_id"], &report["reason"]), (&id.into(), &"ticket 4711".into()));
    // The others say only the id.
    assert!((100..=records).contains(&report["records"].as_u64().unwrap()), "{report} {records}");
    assert!(report["messages_rewritten"].as_u64().unwrap() > 100);
    assert_eq!(report["remains"]["forwarders"].as_array().unwrap().len(), 0, "{report}");
    assert_eq!((&report["remains"]["checkpoint"], &report["messages_unreadable"]), (&Value::Null, &0.into()));
    let text = run(&["privacy", "report", "--store", &store]);
    assert!(text.contains("ticket 4711") && !text.contains(NAME), "{text}");

    // Nothing finds the name, and the id still finds the records.
    assert_eq!((found(NAME), found(id)), (0, by_id));
    assert_eq!(with(&store, &format!("user_name\":\"{NAME}")), (vec![], 0));
    assert_eq!(with(&store, &format!("\"name\":\"{NAME}\"")), (vec![], 0));
    let exported = run(&["audit", "export", "-o", "json", "--store", &store]);
    assert!(!exported.contains(&format!("\"user_name\":\"{NAME}\"")));
    assert!(exported.contains("\"user_name\":\"birch-user2\""), "others stay");
    let nothing = osel(&["privacy", "show", "--user", NAME, "--store", &store]);
    assert_eq!(nothing.status.code(), Some(1));

    // Trail, proofs and old bundles hold, and the cloud is the same.
    let noted = format!("{}:{}", head.seq, head.hash.map(|byte| format!("{byte:02x}")).concat());
    run(&["audit", "verify", "--head", &noted, "--store", &store]);
    let seq = kept["first_seq"].to_string();
    run(&["audit", "prove", &seq, "--store", &store]);
    verifies(&bundle, &store);
    assert_eq!(command(&["exposure", "-o", "json"]), exposure);
    let state = lines(&engine(&store));
    assert!(!state.iter().any(|line| line.contains(NAME)), "the names are forgotten");
    assert_eq!(folded(&store), state);
}

/// One that is past the records of the person, one that began behind them and was perhaps set back there.
#[test]
fn the_report_names_every_forwarder_and_what_it_has_been_through() {
    let place = Place::new("privacy-forwarders");
    let store = recorded(&place);
    let mut journal = Store::open_writer(Path::new(&store)).unwrap();
    let (head, epoch) = (journal.head(), journal.info().epoch);
    let row = |name: &str, begin, place| ForwarderRow {
        name: name.to_owned(),
        begin,
        place,
        delivered: place - begin,
        ..ForwarderRow::default()
    };
    let forwarders = [row("late", head.seq, head.seq), row("old", 0, head.seq)];
    journal.commit(&Commit { forwarders: &forwarders, ..Commit::empty(epoch, head) }).unwrap();
    drop(journal);
    run(&["privacy", "erase", "--user", NAME, "--reason", "ticket 4711", "--store", &store]);
    let report = one(&["privacy", "report", "-o", "json", "--store", &store]);
    let told = |name: &str, behind: u64| json!({"name": name, "behind": behind, "through": head.seq});
    assert_eq!(report["remains"]["forwarders"], json!([told("late", head.seq), told("old", 0)]));
    let text = run(&["privacy", "report", "--store", &store]);
    let wanted = format!(
        "perhaps sent by old, which began or was set back behind record 0 and is through record {}",
        head.seq
    );
    assert!(text.contains(&wanted), "{text}");
    let wanted = format!("perhaps sent by late before it was set back behind record {}, if it was", head.seq);
    assert!(text.contains(&wanted), "{text}");
}

#[test]
fn who_only_tried_a_name_is_erased_by_it() {
    let place = Place::new("privacy-name");
    let store = recorded(&place);
    let show = ["privacy", "show", "--user", "birch-nobody", "-o", "json", "--store", &store];
    let kept = one(&show);
    assert_eq!((&kept["user_id"], kept["records"].as_u64()), (&Value::Null, Some(1)), "{kept}");
    run(&["privacy", "erase", "--user", "BIRCH-nobody", "--reason", "asked for it", "--store", &store]);
    // Neither a part nor a reason in words, nor the message, nor the index has it.
    assert_eq!(with(&store, "birch-nobody"), (vec![], 0));
    let report = one(&["privacy", "report", "-o", "json", "--store", &store]);
    assert_eq!((&report["user_id"], report["records"].as_u64()), (&Value::Null, Some(1)));
    run(&["audit", "verify", "--store", &store]);
    let nobody = osel(&["privacy", "erase", "--reason", "nobody", "--store", &store]);
    assert_eq!(nobody.status.code(), Some(2));
}

#[test]
fn whom_no_record_names_is_not_said_to_be_erased() {
    let place = Place::new("privacy-unknown");
    let store = recorded(&place);
    let head = reader(&store).head().unwrap();
    let slip = format!("{NAME} ");
    let erase = ["privacy", "erase", "--user", &slip, "--reason", "t", "--store", &store];
    for dry in [&[][..], &["--dry-run"]] {
        let output = osel(&[&erase[..], dry].concat());
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was changed"));
    }
    let unknown = osel(&[&erase[..], &["--dry-run", "--even-if-unknown"]].concat());
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(unknown.status.success() && said.contains("would go; nothing was changed"), "{said}");
    assert_eq!(
        osel(&["privacy", "erase", "--user", "", "--reason", "t", "--store", &store]).status.code(),
        Some(2)
    );
    for (address, code) in [("300.1.1.1", 2), ("2001:DB8::77", 1)] {
        let erase = ["privacy", "erase", "--address", address, "--reason", "t", "--store", &store];
        assert_eq!(osel(&erase).status.code(), Some(code), "{address}");
    }
    assert_eq!(reader(&store).head().unwrap(), head);
    run(&[&erase[..], &["--even-if-unknown"]].concat());
    assert_eq!(reader(&store).head().unwrap().seq, head.seq + 1);
}

/// A new file of keys is made, and what was sealed by those of the old one stays shut.
#[test]
fn a_command_that_writes_a_store_says_that_its_keys_are_missing() {
    let place = Place::new("privacy-keys");
    let store = recorded(&place);
    let said = || {
        let output = osel(&["replay", "--store", &store, &recording("dev-aodh")]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).contains("the keys of persons (`persons.db`) were not there")
    };
    assert!(!said());
    fs::remove_file(format!("{store}/persons.db")).unwrap();
    assert!(said());
    assert!(!said(), "there are keys now");
}

/// Whoever asks what is kept of them must not be told where the administrator sits.
#[test]
fn what_others_did_to_somebody_was_done_from_elsewhere() {
    const TRENT: &str = "1134e963d2cb47acb1cbded3d170eb51";
    let place = Place::new("privacy-others");
    let host = json!({"address": "192.0.2.250", "agent": "agent-of-admin"});
    let deletion = json!({
        "message_id": "deletion", "event_type": "identity.user.deleted", "publisher_id": "identity.controller1",
        "priority": "INFO", "timestamp": "2026-11-21 00:00:01.000000",
        "payload": {
            "typeURI": "http://schemas.dmtf.org/cloud/audit/1.0/event", "action": "deleted.user", "outcome": "success",
            "resource_info": TRENT, "initiator": {"id": "a", "user_id": "a", "username": "admin", "host": host},
        },
    });
    let line = json!({
        "received_at": "2026-11-21T00:00:01.5Z", "exchange": "keystone", "routing_key": "notifications.info",
        "redelivered": false, "properties": {}, "body": deletion.to_string(),
    });
    let file = place.write("trent.jsonl", format!("{}{line}\n", by(TRENT, "trent", 2)));
    let store = place.path("store");
    run(&["replay", "--store", &store, &file]);
    for whom in ["trent", TRENT] {
        let kept = one(&["privacy", "show", "--user", whom, "-o", "json", "--store", &store]);
        assert_eq!(
            (&kept["records"], &kept["values"]["address"]),
            (&json!(3), &json!(["192.0.2.7"])),
            "{kept}"
        );
        assert_eq!(kept["values"].get("agent"), None, "{kept}");
    }
}

/// So many captured messages by a user of that name.
fn by(user: &str, name: &str, count: usize) -> String {
    let line = |number: usize| {
        let body = json!({
            "message_id": format!("{user}-{number}"), "event_type": "network.update.end", "publisher_id": "network.controller1",
            "priority": "INFO", "timestamp": "2026-11-21 00:00:00.000000", "payload": {"network": {"id": "n", "name": "net"}},
            "_context_user_id": user, "_context_user_name": name, "_context_remote_address": "192.0.2.7",
        });
        let line = json!({
            "received_at": "2026-11-21T00:00:00.5Z", "exchange": "neutron", "routing_key": "notifications.info",
            "redelivered": false, "properties": {}, "body": body.to_string(),
        });
        format!("{line}\n")
    };
    (0..count).map(line).collect()
}

#[test]
fn a_running_osel_takes_the_order_and_ends_it_after_a_kill() {
    const MESSAGES: usize = 3000;
    let (user, name) = ("0134e963d2cb47acb1cbded3d170eb51", "mallory.of.the.tests");
    let mut osel = Daemon::new("privacy-daemon", "");
    let store = osel.place.path("store");
    osel.start();
    osel.append("bus.jsonl", by(user, name, MESSAGES));
    osel.append("bus.jsonl", by("1134e963d2cb47acb1cbded3d170eb51", "trent", 1));
    osel.await_received(MESSAGES as u64 + 1);
    let kept = one(&["privacy", "show", "--user", name, "-o", "json", "--store", &store]);
    assert_eq!((&kept["user_id"], &kept["records"]), (&user.into(), &MESSAGES.into()), "{kept}");
    run(&["privacy", "erase", "--user", name, "--reason", "left", "--store", &store]);
    osel.kill();
    osel.start();
    crate::broker::until("the erasure is done", LIMIT, || {
        reader(&store).erasures().unwrap().iter().all(|erasure| erasure.is_done)
    });
    assert!(osel.stop().success());
    let report = one(&["privacy", "report", "-o", "json", "--store", &store]);
    assert_eq!((&report["user_id"], &report["keys_destroyed"]), (&user.into(), &1.into()), "{report}");
    assert_eq!((&report["records"], &report["messages_rewritten"]), (&MESSAGES.into(), &MESSAGES.into()));
    assert_eq!(with(&store, name), (vec![], 0));
    let nothing = crate::command::osel(&["privacy", "show", "--user", name, "--store", &store]);
    assert_eq!(nothing.status.code(), Some(1));
    assert_eq!(one(&["privacy", "show", "--user", "trent", "-o", "json", "--store", &store])["records"], 1);
    run(&["audit", "verify", "--store", &store]);
}

#[test]
fn of_two_who_erase_one_person_at_once_the_second_is_told() {
    let (user, name) = ("0134e963d2cb47acb1cbded3d170eb51", "mallory.of.the.tests");
    let mut osel = Daemon::new("privacy-twice", "");
    let store = osel.place.path("store");
    osel.append("bus.jsonl", by(user, name, 300));
    osel.start();
    osel.await_received(300);
    let erase = || {
        let mut command = crate::command::program();
        command.args(["privacy", "erase", "--user", name, "--reason", "left", "--store", &store]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let said =
        [erase(), erase()].map(|child| String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap());
    // Both may find the person, or the later one nobody any more.
    let is_late = |said: &&String| {
        said.contains("has ordered the erasure of the same user before")
            || said.contains("no record has a part")
    };
    assert_eq!(said.iter().filter(is_late).count(), 1, "{said:?}");
    assert!(osel.stop().success());
}
