//! Records without persons: by every command that shows them, by a forwarder, and back again by `osel audit whois`.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::broker::until;
use crate::command::{Place, json_lines, osel, recording, refused, run};
use crate::daemon::{Daemon, LIMIT};

const FORMATS: [&str; 8] = ["native", "ocsf", "ecs", "cadf", "cef", "osel-1.1", "cadf-text", "sentence"];

/// The ids and agents of everybody who acted: texts that stand for nothing else.
fn everybody(records: &[Value]) -> BTreeSet<String> {
    let actors = records.iter().map(|record| &record["actor"]);
    let texts = actors.flat_map(|actor| [&actor["user_id"], &actor["agent"]]);
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn assert_nobody(named: &BTreeSet<String>, told: &str, what: &str) {
    for text in named {
        assert!(!told.contains(text.as_str()), "{what}: {text}");
    }
}

#[test]
fn every_command_that_shows_records_can_do_so_without_persons() {
    let place = Place::new("pseudonyms");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-glance")]);
    let records = json_lines(&["audit", "export", "--store", &store]);
    let named = everybody(&records);
    assert!(named.len() > 3, "{named:?}");
    for format in FORMATS {
        let told = run(&["audit", "export", "--format", format, "--pseudonyms", "--store", &store]);
        // In this recording nothing was exposed, which is all that the first OSEL told.
        assert_eq!(told.is_empty(), format == "osel-1.1", "{format}");
        assert_nobody(&named, &told, format);
    }
    let views = json_lines(&["audit", "export", "--pseudonyms", "--store", &store]);
    assert_nobody(&named, &run(&["audit", "search", "--pseudonyms", "--store", &store]), "search");
    let found = json_lines(&["audit", "search", "--pseudonyms", "-o", "json", "--store", &store]);
    assert_eq!(found, views, "the same pseudonyms wherever they are shown");
    for (record, view) in records.iter().zip(&views) {
        assert_eq!((&record["exposure"], &record["hash"]), (&view["exposure"], &view["hash"]));
        let is_message = !record["message_id"].is_null();
        assert_eq!(view["missing"].as_array().unwrap().contains(&"payload".into()), is_message);
    }
    let at = records.iter().position(|record| !record["actor"]["user_name"].is_null()).unwrap();
    let seq = records[at]["seq"].to_string();
    let shown = run(&["audit", "show", &seq, "--pseudonyms", "--store", &store]);
    assert_nobody(&named, &shown, "show");
    assert!(!shown.contains("the message as it is stored"), "{shown}");

    // Back again, by the key that lies beside the store and nobody else can read.
    let file = place.path("store/pseudonym.key");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let (called, user) = (text(&views[at]["actor"]["user_name"]), text(&views[at]["actor"]["user_id"]));
    let asked = ["audit", "whois", &called, &user, "-o", "json", "--store", &store];
    let found = json_lines(&asked);
    let who: Vec<(&str, &Value)> =
        found.iter().map(|who| (who["about"].as_str().unwrap(), &who["text"])).collect();
    let actor = &records[at]["actor"];
    assert_eq!(who, [("name", &actor["user_name"]), ("user", &actor["user_id"])]);
    let acted = records.iter().filter(|record| record["actor"]["user_name"] == actor["user_name"]);
    assert!(found[0]["records"].as_u64().unwrap() >= acted.count() as u64, "{found:?}");
    // The table says both in full, however many are asked for.
    let everybody: Vec<&str> = views
        .iter()
        .flat_map(|view| ["user_name", "address", "agent"].map(|key| view["actor"][key].as_str()))
        .flatten()
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let table = run(&[&["audit", "whois", "--store", &store], &everybody[..]].concat());
    let listed = json_lines(&[&["audit", "whois", "-o", "json", "--store", &store], &everybody[..]].concat());
    assert!(listed.len() > 3 && !table.contains('…'), "{table}");
    assert!(table.lines().all(|line| line.chars().count() <= 100), "{table}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().concat();
    for who in &listed {
        assert!(table.contains(who["pseudonym"].as_str().unwrap()), "{table}");
        assert!(words(&table).contains(&words(who["text"].as_str().unwrap())), "{who} {table}");
    }
    let said = refused(2, &["audit", "whois", "admin", "--store", &store]);
    assert!(said.contains("`admin` is no pseudonym"), "{said}");

    // Who has a copy of the store without the key is told so, and none is made that would find nobody.
    let copied = place.path("copied");
    fs::create_dir(&copied).unwrap();
    for name in ["journal.db", "persons.db"] {
        fs::copy(Path::new(&store).join(name), Path::new(&copied).join(name)).unwrap();
    }
    let said = refused(2, &["audit", "whois", &called, "--store", &copied]);
    assert!(said.contains("has no key of pseudonyms: give the one that made them, by --key FILE"), "{said}");
    assert!(!Path::new(&copied).join("pseudonym.key").exists());
    assert_eq!(
        json_lines(&["audit", "whois", &called, "-o", "json", "--key", &file, "--store", &copied]),
        found[..1]
    );

    // Another key, other pseudonyms; who has kept the old one knows the old ones.
    let old = place.path("old.key");
    fs::rename(&file, &old).unwrap();
    let others = json_lines(&["audit", "export", "--pseudonyms", "--store", &store]);
    assert_ne!(others[at]["actor"]["user_name"], views[at]["actor"]["user_name"]);
    let nobody = osel(&["audit", "whois", &called, "--store", &store]);
    assert_eq!((nobody.status.code(), nobody.stdout.len()), (Some(1), 0));
    assert_eq!(
        json_lines(&["audit", "whois", &called, "-o", "json", "--key", &old, "--store", &store]),
        found[..1]
    );
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let said = refused(3, &["audit", "search", "--pseudonyms", "--store", &store]);
    assert!(said.contains("is open to others than its owner"), "{said}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let bundle = place.path("trail.oselbundle");
    let said = refused(2, &["audit", "export", "--pseudonyms", "--bundle", &bundle, "--store", &store]);
    assert!(said.contains("as they were hashed"), "{said}");
}

#[test]
fn a_receiver_learns_no_name() {
    let key = "5a".repeat(32);
    let further = "[trail]\nrecord_reads = true\npseudonym_key = { file = 'pseudonyms' }\n\
                   [[forward]]\nname = 'siem'\ntype = 'file'\npath = 'out/siem.jsonl'\npseudonyms = true\n\
                   [[forward]]\nname = 'cadf'\ntype = 'file'\npath = 'out/cadf.jsonl'\nformat = 'cadf'\npseudonyms = true\n";
    let mut daemon = Daemon::new("pseudonyms-forward", further);
    let (store, keys) = (daemon.place.path("store"), daemon.place.path("pseudonyms"));
    fs::create_dir(daemon.place.path("out")).unwrap();
    fs::set_permissions(
        daemon.place.write("pseudonyms", format!("{key}\n")),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    run(&["replay", "--store", &store, &recording("dev-glance")]);
    daemon.start();
    let lines = |name: &str| fs::read_to_string(daemon.place.path(name)).unwrap_or_default();
    let last = json_lines(&["audit", "export", "--store", &store]).len();
    for name in ["out/siem.jsonl", "out/cadf.jsonl"] {
        until("all are written", LIMIT, || lines(name).lines().count() >= last);
    }
    let sent = ["out/siem.jsonl", "out/cadf.jsonl"].map(lines);
    // It is a reading, and recorded as one.
    let first = sent[0]
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find_map(|line| line["actor"]["user_name"].as_str().map(str::to_owned));
    let found =
        json_lines(&["audit", "whois", &first.unwrap(), "-o", "json", "--store", &store, "--key", &keys]);
    assert!(daemon.stop().success());
    let records = daemon.records();
    let named = everybody(&records);
    sent.iter().for_each(|sent| assert_nobody(&named, sent, "forwarded"));
    assert!(records.iter().any(|record| record["actor"]["user_name"] == found[0]["text"]), "{found:?}");
    assert!(
        records.iter().any(|record| record["detail"]["read"] == "whois"),
        "that somebody asked is a record"
    );
}
