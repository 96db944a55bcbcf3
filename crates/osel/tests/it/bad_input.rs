//! Bad input from outside: one clear line that names the file and the place, the right exit code, and what was written before is whole.

use std::fs::{self, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::read::GzDecoder;

use crate::command::{Place, json_lines, osel, recording, refused, run};

/// Could not do it: I/O, store.
const COULD_NOT: i32 = 3;
/// The user of nobody in particular.
const NOBODY: u32 = 65_534;
const PROGRAM: &str = env!("CARGO_BIN_EXE_osel");

/// A small recording as text, line by line.
fn lines() -> Vec<String> {
    let mut text = String::new();
    let file = fs::File::open(recording("dev-aodh")).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The store verifies and its ledger balances; how many messages it has received.
fn whole(store: &str) -> u64 {
    run(&["audit", "verify", "--store", store]);
    let ledger = json_lines(&["ledger", "--store", store, "-o", "json"]);
    let count = |key: &str| ledger.iter().map(|line| line[key].as_u64().unwrap()).sum::<u64>();
    let settled = ["recorded", "duplicate", "ignored", "quarantined"].map(count);
    assert_eq!(count("received"), settled.iter().sum::<u64>(), "{ledger:?}");
    count("received")
}

#[test]
fn a_line_that_is_no_message_is_named_and_what_came_before_it_stays() {
    let place = Place::new("bad-lines");
    let good = lines();
    for (number, (bad, why)) in [
        ("nonsense", "it is not a JSON object, at column 1"),
        ("[1,2]", "it is not a JSON object, at column 1"),
        ("{\"exchange\":\"x\"}", "there is neither `body` nor `body_b64`, at column 16"),
        ("{\"body\":{}}", "invalid type: map, expected a string, at column 8"),
        ("{\"body\":\"x\"} y", "trailing characters, at column 14"),
        (&good[5][..300], "EOF while parsing a string, at column 300"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = format!("{}\n{bad}\n{}\n", good[..5].join("\n"), good[6..].join("\n"));
        let (file, store) =
            (place.write(&format!("{number}.jsonl"), text), place.path(&format!("store-{number}")));
        let error = refused(COULD_NOT, &["replay", "--store", &store, &file]);
        assert_eq!(error, format!("osel: `{file}` line 6 is not a recorded message: {why}\n"));
        assert_eq!(whole(&store), 5);
    }
    let file = place.write("base64.jsonl", "{\"body\":\"x\"}\n{\"body_b64\":\"###\"}\n");
    let store = place.path("store-base64");
    let error = refused(COULD_NOT, &["replay", "--store", &store, &file]);
    assert_eq!(error, format!("osel: `{file}` line 2: `body_b64` is not base 64\n"));
    assert_eq!(whole(&store), 1);
    let file = place.write("bytes.jsonl", [&b"{\"body\":\"x\"}\n"[..], &[0xff, 0xfe, 0x00, b'\n']].concat());
    let store = place.path("store-bytes");
    let error = refused(COULD_NOT, &["replay", "--store", &store, &file]);
    assert!(error.contains(" line 2 is not a recorded message"), "{error}");
    assert_eq!(whole(&store), 1);
}

#[test]
fn a_recording_cut_short_is_read_as_far_as_it_goes() {
    let place = Place::new("bad-cut");
    let packed = fs::read(recording("dev-aodh")).unwrap();
    for (number, keep) in
        [0, 1, 5, 30, packed.len() / 2, packed.len() - 9, packed.len() - 1].into_iter().enumerate()
    {
        let (file, store) =
            (place.path(&format!("{number}.jsonl.gz")), place.path(&format!("store-{number}")));
        fs::write(&file, &packed[..keep]).unwrap();
        let error = refused(COULD_NOT, &["replay", "--store", &store, &file]);
        assert!(error.starts_with(&format!("osel: cannot read `{file}` after line ")), "{error}");
        let line = error.split("after line ").nth(1).unwrap().split(':').next().unwrap();
        assert_eq!(line.parse::<u64>().unwrap(), whole(&store), "what came before is recorded: {error}");
    }
    let mut broken = packed.clone();
    broken[packed.len() / 2] ^= 0xff;
    let (file, store) = (place.write("broken.jsonl.gz", broken), place.path("store-broken"));
    let error = refused(COULD_NOT, &["replay", "--store", &store, &file]);
    assert!(error.contains(&format!("`{file}`")), "{error}");
    whole(&store);
    // The good file goes on from there, each message once.
    run(&["replay", "--store", &store, &recording("dev-aodh")]);
    let all = lines().len() as u64;
    let ledger = json_lines(&["ledger", "--store", &store, "-o", "json"]);
    assert_eq!(ledger.iter().map(|line| line["recorded"].as_u64().unwrap()).sum::<u64>(), all);
}

/// Editors and shells of Windows begin files so.
#[test]
fn a_mark_before_utf_8_is_no_part_of_the_first_line() {
    let place = Place::new("bad-mark");
    let (message, ports) = (&lines()[0], "{\"ports\":[{\"id\":\"a\"}]}");
    let file = place.write("marked.jsonl", format!("\u{feff}{message}\n"));
    let inventory = place.write("marked.json", format!("\u{feff}{ports}"));
    let store = place.path("store");
    run(&["replay", "--store", &store, "--inventory", &inventory, &file]);
    assert_eq!(whole(&store), 1);
    // In the middle of a file it is what it is: no JSON.
    let file = place.write("middle.jsonl", format!("{message}\n\u{feff}{message}\n"));
    let error = refused(COULD_NOT, &["replay", "--store", &place.path("other"), &file]);
    assert!(error.contains("line 2"), "{error}");
}

#[test]
fn what_is_no_file_is_said_before_anything_is_written() {
    let place = Place::new("bad-files");
    let (good, store) = (recording("dev-aodh"), place.path("store"));
    let (missing, directory) = (place.path("missing"), place.path("directory"));
    fs::create_dir(&directory).unwrap();
    let cases = [
        (vec!["replay", "--store", &store, &good, &missing], format!("osel: cannot open `{missing}`: ")),
        (
            vec!["replay", "--store", &store, &directory],
            format!("osel: `{directory}` is a directory, not a recording\n"),
        ),
        (
            vec!["replay", "--store", &store, "--inventory", &missing, &good],
            format!("osel: cannot open `{missing}`: "),
        ),
        (
            vec!["replay", "--store", &store, "--inventory", &directory, &good],
            format!("osel: `{directory}` is a directory, not an inventory\n"),
        ),
        (
            vec!["inventory", "import", "--store", &store, &missing],
            format!("osel: cannot open `{missing}`: "),
        ),
        (
            vec!["inventory", "import", "--store", &store, &directory],
            format!("osel: `{directory}` is a directory, not an inventory\n"),
        ),
    ];
    for (arguments, begins) in cases {
        let error = refused(COULD_NOT, &arguments);
        assert!(error.starts_with(&begins), "{error}");
        assert!(!Path::new(&store).exists(), "{arguments:?} made a store");
    }
}

#[test]
fn an_inventory_of_another_shape_changes_nothing() {
    let place = Place::new("bad-inventory");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-aodh")]);
    let head = || run(&["audit", "verify", "--store", &store, "-o", "json"]);
    let before = head();
    let objects = "one JSON object whose keys are collection names and whose values are lists";
    for (number, (text, why)) in [
        ("[]", format!(" is not an inventory: invalid type: sequence, expected {objects} at line 1 column 1")),
        ("\"ports\"", format!(" is not an inventory: invalid type: string \"ports\", expected {objects} at line 1 column 7")),
        ("", " is not an inventory: EOF while parsing a value at line 1 column 0".to_owned()),
        ("{\"ports\":[\n{\"id\":\"a\"},", " is not an inventory: EOF while parsing".to_owned()),
        ("{\"ports\":{\"a\":1}}", " is not an inventory: invalid type: map, expected a list of objects under `ports` at line 1".to_owned()),
        ("{\"ports\":\"none\"}", " is not an inventory: invalid type: string \"none\", expected a list of objects under `ports`".to_owned()),
        ("{\"ports\":[]}\n{}", " is not an inventory: trailing characters at line 2 column 1".to_owned()),
        ("{\"port\":[]}", " has no collection that is known, such as `ports`".to_owned()),
        ("{\"ports\":[{\"id\":\"a\"},7]}", ": `ports[1]` cannot be read: a value has another type than expected".to_owned()),
        ("{\"ports\":[{\"name\":\"a\"}]}", ": `ports[0]` cannot be read: an object has no id".to_owned()),
        (
            "{\"ports\":[{\"id\":\"a\",\"fixed_ips\":[{\"ip_address\":\"no\"}]}]}",
            ": `ports[0]` cannot be read: a text is neither an address nor a prefix, at fixed_ips[0].ip_address".to_owned(),
        ),
        ("{\"ports\":[],\"taken_at\":\"today\"}", ": `taken_at` is not a time: `today`".to_owned()),
        ("\u{1f}\u{8b}\u{8}", " is not an inventory: expected value at line 1 column 1".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let file = place.write(&format!("{number}.json"), text);
        let fresh = place.path("fresh");
        for arguments in [
            &["inventory", "import", "--store", &store, &file][..],
            &["replay", "--store", &fresh, "--inventory", &file, &recording("dev-aodh")],
        ] {
            let error = refused(COULD_NOT, arguments);
            assert!(error.starts_with(&format!("osel: `{file}`{why}")), "{text}: {error}");
        }
        assert!(!Path::new(&fresh).exists());
    }
    // A good inventory before a bad one is not imported either.
    let good = place.write("good.json", "{\"ports\":[{\"id\":\"a\"}]}");
    let bad = place.write("bad.json", "{");
    refused(COULD_NOT, &["inventory", "import", "--store", &store, &good, &bad]);
    assert_eq!(head(), before);
}

/// Every command that takes a store, with what it needs besides.
fn commands<'a>(file: &'a str, target: &'a str) -> Vec<Vec<&'a str>> {
    vec![
        vec!["replay", file],
        vec!["exposure"],
        vec!["ledger"],
        vec!["audit", "verify"],
        vec!["audit", "show", "1"],
        vec!["audit", "search"],
        vec!["audit", "prove", "1"],
        vec!["audit", "export"],
        vec!["audit", "export", "--format", "osel-1.1"],
        vec!["audit", "export", "--format", "cadf-text"],
        vec!["log", "show"],
        vec!["log", "key"],
        vec!["log", "prove", "--since", "1"],
        vec!["log", "export", target],
        vec!["quarantine", "list"],
        vec!["quarantine", "show", "1"],
        vec!["quarantine", "replay", "--all"],
        vec!["store", "backup", target],
    ]
}

#[test]
fn what_is_no_store_of_ours_is_refused_and_left_alone() {
    let place = Place::new("bad-store");
    let (good, file, target) = (place.path("good"), recording("dev-aodh"), place.path("target"));
    run(&["replay", "--store", &good, &file]);
    let copy = |name: &str| {
        let path = place.path(name);
        fs::create_dir(&path).unwrap();
        fs::copy(format!("{good}/journal.db"), format!("{path}/journal.db")).unwrap();
        path
    };
    let newer = copy("newer");
    let database = rusqlite::Connection::open(format!("{newer}/journal.db")).unwrap();
    database.execute("UPDATE meta SET format = format + 1", []).unwrap();
    let found: i64 = database.query_row("SELECT format FROM meta", [], |row| row.get(0)).unwrap();
    drop(database);
    let damaged = copy("damaged");
    fs::write(format!("{damaged}/journal.db"), [7; 50_000]).unwrap();
    let cut = copy("cut");
    fs::File::options().write(true).open(format!("{cut}/journal.db")).unwrap().set_len(30_000).unwrap();
    let other = place.path("other");
    fs::create_dir(&other).unwrap();
    let database = rusqlite::Connection::open(format!("{other}/journal.db")).unwrap();
    database.execute("CREATE TABLE somebody_elses (id INTEGER)", []).unwrap();
    drop(database);
    let plain = place.write("plain", "text");
    let full = place.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(format!("{full}/letter"), "dear").unwrap();
    let under = format!("{plain}/store");
    for (store, why) in [
        (
            &newer,
            format!(
                "osel: the store at `{newer}` has format {found}, this osel knows up to {}: use a newer osel",
                found - 1
            ),
        ),
        (&damaged, format!("osel: the store at `{damaged}` is damaged at the file: ")),
        (&cut, format!("osel: the store at `{cut}` is damaged at the file: ")),
        (&other, format!("osel: `{other}` is no store: its `journal.db` is the database of something else")),
        (&plain, format!("osel: `{plain}` is no store: a store is a directory")),
        (&full, format!("osel: `{full}` is no store: ")),
        (&under, format!("osel: `{under}` is no store: a part of its path is a file")),
    ] {
        let before = fs::read(format!("{store}/journal.db")).ok();
        for command in commands(&file, &target) {
            let error = refused(COULD_NOT, &[&command[..], &["--store", store]].concat());
            assert!(error.starts_with(&why), "{command:?}: {error}");
        }
        assert_eq!(fs::read(format!("{store}/journal.db")).ok(), before, "{store} was changed");
    }
    let missing = place.path("missing");
    for command in commands(&file, &target).iter().skip(1) {
        let error = refused(COULD_NOT, &[&command[..], &["--store", &missing]].concat());
        assert_eq!(error, format!("osel: there is no store at `{missing}`\n"), "{command:?}");
    }
    assert!(!Path::new(&missing).exists() && !Path::new(&target).exists());
}

/// As after a crash in the moment of making: there is nothing in it yet, so it is made.
#[test]
fn a_store_whose_making_was_cut_short_is_made_again() {
    let place = Place::new("bad-making");
    let store = place.path("store");
    fs::create_dir(&store).unwrap();
    fs::write(format!("{store}/journal.db"), "").unwrap();
    let error = refused(COULD_NOT, &["ledger", "--store", &store]);
    assert!(error.contains("its making was cut short"), "{error}");
    run(&["replay", "--store", &store, &recording("dev-aodh")]);
    assert_eq!(whole(&store), lines().len() as u64);
}

#[test]
fn wrong_usage_is_told_from_what_could_not_be_done() {
    let place = Place::new("bad-usage");
    let (store, file) = (place.path("store"), recording("dev-aodh"));
    run(&["replay", "--store", &store, &file]);
    for arguments in [
        &["exposure", "--store", &store, "--at", "yesterday"][..],
        &["exposure", "--store", &store, "--at", "99999"],
        &["exposure", "--store", &store, "--from", "here"],
        &["audit", "verify", "--store", &store, "--head", "x"],
        &["audit", "search", "--store", &store, "--since", "x"],
        &["ledger"],
    ] {
        refused(2, arguments);
    }
    for arguments in [
        &["replay", "--store", &store][..],
        &["replay", "--store", &store, "--until", "x", &file],
        &["audit", "prove", "--store", &store],
        &["quarantine", "replay", "--store", &store],
        &["privacy", "show", "--store", &store, "--user", "a", "--address", "192.0.2.1"],
        &["replay", "--store", &store, "--region", "", &file],
        &["inventory", "import", "--store", &store, "--region", "south\nnorth", &file],
        &["nonsense"],
    ] {
        assert_eq!(osel(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_said() {
    let place = Place::new("bad-output");
    let store = place.path("store");
    run(&["replay", "--store", &store, &recording("dev-aodh")]);
    for arguments in [&["ledger", "--store", &store][..], &["audit", "export", "--store", &store], &["man"]] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = Command::new(PROGRAM).args(arguments).stdout(full).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(COULD_NOT), "{error}");
        assert!(
            error.starts_with("osel: cannot write the output: ") && error.lines().count() == 1,
            "{error}"
        );
    }
    let plain = place.write("plain", "");
    let error = refused(COULD_NOT, &["man", "--dir", &plain]);
    assert!(error.starts_with(&format!("osel: cannot write pages to `{plain}`: ")), "{error}");
}

/// A directory that anybody may enter, with a copy of the program that anybody may run.
struct Public(PathBuf);

impl Public {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("osel-it-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let public = Self(path);
        // Copied by another process: were the copy open for writing in this one, a child of another test could still have it so.
        assert!(Command::new("cp").args([PROGRAM, &public.path("osel")]).status().unwrap().success());
        public
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// Runs the program as somebody whom the modes of files bind: another user where this one is root.
    fn refused(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(self.path("osel"));
        command.args(arguments).env_remove("OSEL_STORE__PATH").env_remove("OSEL_CONFIG").current_dir("/");
        if rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let output = command.output().unwrap();
        one_line(&output)
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        for name in ["closed", "store"] {
            let _ = fs::set_permissions(self.path(name), Permissions::from_mode(0o755));
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn one_line(output: &Output) -> String {
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(COULD_NOT), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    error
}

#[test]
fn what_is_not_permitted_is_named() {
    let public = Public::new("permission");
    let (store, closed, secret) = (public.path("store"), public.path("closed"), public.path("secret.jsonl"));
    let file = public.path("dev-aodh.jsonl.gz");
    fs::copy(recording("dev-aodh"), &file).unwrap();
    let mode = |path: &str, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    mode(&file, 0o644);
    fs::write(&secret, "").unwrap();
    mode(&secret, 0o000);
    let error = public.refused(&["replay", "--store", &public.path("new"), &secret]);
    assert!(error.starts_with(&format!("osel: cannot open `{secret}`: ")), "{error}");
    let error = public.refused(&["inventory", "import", "--store", &public.path("new"), &secret]);
    assert!(error.starts_with(&format!("osel: cannot open `{secret}`: ")), "{error}");

    fs::create_dir(&closed).unwrap();
    mode(&closed, 0o555);
    let inside = format!("{closed}/store");
    let error = public.refused(&["replay", "--store", &inside, &file]);
    assert!(error.starts_with(&format!("osel: no permission to make `{inside}`")), "{error}");
    mode(&closed, 0o000);
    let error = public.refused(&["ledger", "--store", &inside]);
    assert!(error.starts_with(&format!("osel: no permission to look at `{inside}")), "{error}");

    run(&["replay", "--store", &store, &file]);
    let before = whole(&store);
    if rustix::process::geteuid().is_root() {
        mode(&store, 0o755);
        let error = public.refused(&["replay", &file, "--store", &store]);
        assert!(error.starts_with(&format!("osel: the store at `{store}` belongs to user 0, ")), "{error}");
        // What is held is looked up first, and then handed to a running osel, if there is one.
        let error = public.refused(&["quarantine", "replay", "--all", "--store", &store]);
        assert!(error.starts_with(&format!("osel: no permission to read `{store}`")), "{error}");
    } else {
        mode(&store, 0o555);
        mode(&format!("{store}/lock"), 0o444);
        let error = public.refused(&["replay", "--store", &store, &file]);
        assert!(error.starts_with("osel: no permission to "), "{error}");
        mode(&format!("{store}/lock"), 0o644);
    }
    mode(&store, 0o755);
    assert_eq!(whole(&store), before);
}

/// Runs a script in which no file may become larger than so many blocks of 512 bytes.
fn limited(blocks: u32, arguments: &[&str]) -> Output {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    Command::new("sh").args(["-c", &script, "sh", PROGRAM]).args(arguments).output().unwrap()
}

#[test]
fn a_write_that_fails_at_any_size_leaves_the_store_whole() {
    let place = Place::new("bad-limit");
    let file = recording("dev-race");
    let mut stopped_at = Vec::new();
    for blocks in [1, 20, 100, 600, 2400, 3000] {
        let store = place.path(&format!("store-{blocks}"));
        let output = limited(blocks, &["replay", "--store", &store, &file]);
        let error = one_line(&output);
        assert!(error.starts_with("osel: ") && error.contains(&format!("`{store}`")), "{error}");
        if error.contains("its making was cut short")
            || osel(&["ledger", "--store", &store]).status.code() == Some(3)
        {
            stopped_at.push(0);
        } else {
            stopped_at.push(whole(&store));
        }
        // With room again, it goes on; what was there is not recorded twice.
        run(&["replay", "--store", &store, &file]);
        whole(&store);
        once(&store);
    }
    assert!(stopped_at.windows(2).all(|pair| pair[0] <= pair[1]), "{stopped_at:?}");
    assert!(stopped_at.iter().any(|&stopped| stopped > 0), "{stopped_at:?}");
}

/// Each message of the recording has exactly one record.
fn once(store: &str) {
    let records = json_lines(&["audit", "export", "--store", store, "-o", "json"]);
    let mut ids: Vec<&str> = records.iter().filter_map(|record| record["message_id"].as_str()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    let ledger = json_lines(&["ledger", "--store", store, "-o", "json"]);
    assert_eq!(ledger[0]["recorded"].as_u64(), Some(count as u64));
}

/// In a mount namespace of its own, so that nothing is left behind; where the system lets nobody have one, the test above has to do.
#[test]
fn a_full_disk_and_one_that_cannot_be_written() {
    let place = Place::new("bad-disk");
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    let namespace = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let script = r#"
        mount -t tmpfs -o size="$1" none "$2" || exit 99
        shift 2
        store=$1; osel=$2; file=$3; notes=$4
        step() { "$@" > "$notes.out" 2> "$notes.error"; code=$?; echo "$code $(wc -l < "$notes.error")"; cat "$notes.error"; }
        step "$osel" replay --store "$store" "$file"
        step "$osel" audit verify --store "$store"
        "$osel" ledger --store "$store" -o json 2>/dev/null || echo '{}'
        mount -o remount,size=64m "${store%/*}"
        step "$osel" replay --store "$store" "$file"
        step "$osel" audit verify --store "$store"
        "$osel" ledger --store "$store" -o json
        mount -o remount,ro "${store%/*}"
        "$osel" audit verify --store "$store" > /dev/null && echo readable
        "$osel" replay --store "$store" "$file" 2>&1; echo $?
    "#;
    for size in ["100k", "250k", "700k", "1500k", "2000k"] {
        let store = format!("{disk}/store");
        // What the steps say is kept outside of the full disk.
        let notes = place.path("notes");
        let file = recording("dev-2026");
        let output = Command::new("unshare")
            .args([namespace, "sh", "-c", script, "sh", size, &disk, &store, PROGRAM, &file, &notes])
            .output();
        let Some(output) = output.ok().filter(|output| ![Some(1), Some(99)].contains(&output.status.code()))
        else {
            eprintln!("no file system can be mounted here");
            return;
        };
        let said = String::from_utf8(output.stdout).unwrap();
        let mut said = said.lines();
        let mut next =
            || said.next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(next(), "3 1", "{size}");
        let error = next();
        assert!(error.starts_with(&format!("osel: no space left for the store at `{store}`: ")), "{error}");
        match next() {
            "0 0" => {}
            code => {
                assert_eq!(code, "3 1", "{size}");
                let error = next();
                assert!(error.ends_with("its making was cut short: make it again"), "{error}");
            }
        }
        let balanced = |line: &str| {
            let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { panic!("{line}") };
            let count = |key: &str| line[key].as_u64().unwrap_or(0);
            assert_eq!(count("received"), count("recorded") + count("duplicate"), "{line}");
            count("recorded")
        };
        let mut line = next().to_owned();
        if line.starts_with('{') {
            assert!(balanced(&line) < 2293);
            line = next().to_owned();
        }
        assert_eq!(line, "0 0", "{size}");
        assert_eq!(next(), "0 0");
        assert_eq!(balanced(next()), 2293);
        assert_eq!(next(), "readable");
        assert!(next().starts_with(&format!("osel: no permission to open `{store}/lock`: ")));
        assert_eq!(next(), "3");
    }
}
