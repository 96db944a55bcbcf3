//! The log as others get it, over HTTP and as files, checked by Go's implementation of such logs.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use osel_core::trail::log::SigningKey;
use serde_json::Value;

use crate::broker::{Postgres, free_port, until};
use crate::command::{Place, json_lines, osel, recording, refused, run};
use crate::daemon::{Daemon, LIMIT, line};
use crate::http::address_in;

/// Where Debian puts sources for Go.
const GO_SOURCES: &str = "/usr/share/gocode";

/// The checker of `tests/go`, compiled into a test's directory.
struct Checker(PathBuf);

impl Checker {
    #[track_caller]
    fn build(place: &Place) -> Self {
        let program = PathBuf::from(place.path("check"));
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go/check.go");
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-cache");
        let output = Command::new("go")
            .args(["build", "-o"])
            .args([&program, &source])
            .env("GOCACHE", cache)
            // Debian's sources and nothing from the network; no C compiler is needed.
            .envs([("GO111MODULE", "off"), ("GOPATH", GO_SOURCES), ("GOPROXY", "off"), ("CGO_ENABLED", "0")])
            .output()
            .expect("Go is there: `cargo xtask test` installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self(program)
    }

    fn run(&self, key: &str, log: &str, further: &[&str]) -> Output {
        Command::new(&self.0).args(["-key", key, "-log", log]).args(further).output().unwrap()
    }

    /// Checks a log, which must be good, and gives what was checked.
    #[track_caller]
    fn accept(&self, key: &str, log: &str, further: &[&str]) -> Value {
        let output = self.run(key, log, further);
        assert!(output.status.success(), "{log} {further:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Checks a log, which must be bad, and gives why it is.
    #[track_caller]
    fn refuse(&self, key: &str, log: &str, further: &[&str]) -> String {
        let output = self.run(key, log, further);
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

/// The verifier key of a store's log.
fn key(store: &str) -> String {
    let key = run(&["log", "key", "--store", store]);
    assert_eq!(key.lines().count(), 1, "{key:?}");
    key.trim_end().to_owned()
}

/// What osel proves of a store's log of `size` records, in files: places of records, and growth from earlier sizes.
fn proofs(place: &Place, store: &str, size: u64) -> Vec<String> {
    let mut files = Vec::new();
    let all = [1, 256, size / 2, size - 1, size];
    for record in all.into_iter().filter(|record| (1..=size).contains(record)) {
        let (seq, name) = (record.to_string(), format!("record-{size}-{record}"));
        let json = run(&["audit", "prove", "--store", store, &seq]);
        files.push(place.write(&format!("{name}.json"), json));
        let text = run(&["audit", "prove", "--store", store, &seq, "--format", "tlog-proof"]);
        files.push(place.write(&format!("{name}.tlog-proof"), text));
        let json = run(&["log", "prove", "--store", store, "--since", &seq]);
        files.push(place.write(&format!("since-{size}-{record}.json"), json));
    }
    files
}

/// How many records a recording gives, message by message: the numbers of records that there were after one.
fn sizes_of(place: &Place, file: &str) -> Vec<u64> {
    let store = place.path("sizes");
    run(&["replay", "--store", &store, file]);
    let records = json_lines(&["audit", "export", "--store", &store, "-o", "json"]);
    records
        .iter()
        .filter(|record| !record["message_id"].is_null())
        .map(|record| record["seq"].as_u64().unwrap())
        .collect()
}

#[test]
fn exported_logs_and_proofs_are_accepted_by_go() {
    let place = Place::new("log-go");
    let checker = Checker::build(&place);
    let (store, log, seen) = (place.path("store"), place.path("log"), place.path("seen"));
    let file = recording("dev-2026");
    let mut reached = Vec::new();
    // One message, those with which the first tile is full or nearly so, and everything.
    let sizes = sizes_of(&place, &file);
    let around = sizes.partition_point(|&seq| seq < 254);
    let steps = [1, 2].into_iter().chain(around..around + 6).map(|count| count.to_string());
    for until in steps.map(Some).chain([None]) {
        let mut arguments = vec!["replay", "--store", &store, &file];
        if let Some(until) = &until {
            arguments.extend(["--until", until]);
        }
        run(&arguments);
        let key = key(&store);
        let shown = &json_lines(&["log", "show", "--store", &store, "-o", "json"])[0];
        let size = shown["tree_size"].as_u64().unwrap();
        assert_eq!(shown["records"].as_u64(), Some(size), "who ends signs all that it wrote");
        assert_eq!((shown["verifier_key"].as_str(), &shown["known"]), (Some(&*key), &Value::Bool(true)));
        assert_eq!(shown["origin"].as_str(), key.split('+').next());
        run(&["log", "export", "--store", &store, &log]);
        let proofs = proofs(&place, &store, size);
        let mut further = vec!["-keep", &*seen];
        if !reached.is_empty() {
            further.extend(["-since", &*seen]);
        }
        further.extend(proofs.iter().map(String::as_str));
        let checked = checker.accept(&key, &log, &further);
        assert_eq!(checked["size"].as_u64(), Some(size));
        assert_eq!(checked["root"], shown["root_hash"]);
        assert_eq!(checked["proofs"].as_u64(), Some(proofs.len() as u64));
        reached.push(size);
    }
    assert!(reached.contains(&255) && reached.contains(&256) && reached.contains(&257), "{reached:?}");
    assert!(*reached.last().unwrap() > 512, "{reached:?}");
    // Another key, a tile that was touched, an entry that was touched.
    let key = key(&store);
    let other = place.path("other");
    run(&["replay", "--store", &other, "--until", "1", &file]);
    assert!(checker.refuse(&self::key(&other), &log, &[]).starts_with("checkpoint: "));
    let above = format!("tile/1/000.p/{}", reached.last().unwrap() / 256);
    for name in ["tile/0/000", &above, "tile/entries/001"] {
        let path = Path::new(&log).join(name);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        *bad.last_mut().unwrap() ^= 1;
        fs::write(&path, bad).unwrap();
        checker.refuse(&key, &log, &[]);
        fs::write(&path, good).unwrap();
    }
    checker.accept(&key, &log, &[]);
}

/// What a page answered.
struct Answer {
    code: u16,
    head: String,
    body: Vec<u8>,
}

fn send(address: SocketAddr, method: &str, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: osel\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap().to_ascii_lowercase();
    let code = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { code, head, body: bytes[end + 4..].to_vec() }
}

fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, "GET", path)
}

/// Where a daemon that was started listens.
fn address(osel: &mut Daemon) -> SocketAddr {
    osel.await_lines("HTTP answers", 1);
    address_in(&osel.log())
}

#[test]
fn a_log_that_grows_is_served_to_go() {
    let mut osel = Daemon::new("log-http", "");
    let checker = Checker::build(&osel.place);
    let (store, seen) = (osel.place.path("store"), osel.place.path("seen"));
    osel.start();
    let address = address(&mut osel);
    let mut answer = get(address, "/log/checkpoint");
    assert!(answer.code == 404 || answer.code == 503, "{}", answer.code);
    osel.capture("bus.jsonl", "a", 150);
    until("a checkpoint", LIMIT, || {
        answer = get(address, "/log/checkpoint");
        answer.code == 200
    });
    let (key, url) = (key(&store), format!("http://{address}/log"));
    checker.accept(&key, &url, &["-keep", &seen]);
    // It is fetched while it grows.
    let (mut written, mut checked, mut rounds, mut partial) = (150, 0, 0, 0);
    while checked < 1000 {
        if written < 1000 {
            osel.append(
                "bus.jsonl",
                (0..37).map(|number| line(&format!("b-{rounds}-{number}"))).collect::<String>(),
            );
            written += 37;
        }
        let found = checker.accept(&key, &url, &["-since", &seen, "-keep", &seen]);
        let size = found["size"].as_u64().unwrap();
        assert!(size >= checked, "{size} {checked}");
        partial += found["partial"].as_array().map_or(0, Vec::len);
        (checked, rounds) = (size, rounds + 1);
    }
    assert!(partial > 0, "none was partial in {rounds} rounds");
    // The same as files, with proofs of both.
    let log = osel.place.path("tree");
    run(&["log", "export", "--store", &store, &log]);
    checker.accept(&key, &log, &["-since", &seen]);
    assert!(osel.stop().success());
    let size =
        json_lines(&["log", "show", "--store", &store, "-o", "json"])[0]["tree_size"].as_u64().unwrap();
    run(&["log", "export", "--store", &store, &log]);
    let proofs = proofs(&osel.place, &store, size);
    checker.accept(&key, &log, &proofs.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn a_log_in_a_database_is_served_and_outlives_its_server() {
    let postgres = Postgres::start(free_port(), "");
    let mut osel = Daemon::new("log-postgres", "");
    let checker = Checker::build(&osel.place);
    let signing = SigningKey::from_seed("log.example/osel".parse().unwrap(), &[7; 32]);
    let file = osel.place.write("log.key", signing.text());
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    osel.place.write(
        "osel.toml",
        format!(
            "[store]\nurl = '{}'\n[trail]\nkey = {{ file = 'log.key' }}\n[scan]\nenabled = false\n\
             [http]\nlisten = '127.0.0.1:0'\n[control]\nsocket = 'osel.sock'\n\
             [[source]]\nname = 'captured'\ntype = 'file'\npath = 'bus.jsonl'\n",
            postgres.database("osel")
        ),
    );
    osel.capture("bus.jsonl", "a", 300);
    osel.start();
    let address = address(&mut osel);
    let (key, url) = (signing.verifier().to_string(), format!("http://{address}/log"));
    until("all is signed", LIMIT, || get(address, "/log/tile/entries/001.p/44").code == 200);
    checker.accept(&key, &url, &[]);
    postgres.stop("immediate");
    assert_eq!(get(address, "/log/checkpoint").code, 503);
    postgres.run();
    until("it is served again", LIMIT, || get(address, "/log/checkpoint").code == 200);
    checker.accept(&key, &url, &[]);
    assert_eq!(osel.log().matches("the log cannot be served").count(), 1, "{}", osel.log());
    assert!(osel.stop().success());
}

#[test]
fn a_path_of_the_log_has_one_spelling() {
    let mut osel = Daemon::new("log-paths", "");
    osel.capture("bus.jsonl", "a", 300);
    osel.start();
    let address = address(&mut osel);
    until("all is signed", LIMIT, || get(address, "/log/tile/entries/001.p/44").code == 200);
    let full = get(address, "/log/tile/0/000");
    assert_eq!((full.code, full.body.len()), (200, 8192));
    assert!(full.head.contains("content-type: application/octet-stream"), "{}", full.head);
    assert!(full.head.contains("cache-control: public, max-age=31536000, immutable"), "{}", full.head);
    let part = get(address, "/log/tile/0/000.p/17");
    assert_eq!((part.code, &*part.body), (200, &full.body[..17 * 32]), "the tree had that size");
    let (head, whole) = (send(address, "HEAD", "/log/tile/1/000.p/1"), get(address, "/log/tile/1/000.p/1"));
    assert_eq!((head.code, head.body.len(), whole.body.len()), (200, 0, 32));
    assert!(head.head.contains("content-length: 32"), "{}", head.head);
    let checkpoint = get(address, "/log/checkpoint");
    assert!(checkpoint.head.contains("content-type: text/plain; charset=utf-8"), "{}", checkpoint.head);
    assert!(checkpoint.head.contains("cache-control: max-age=1\r\n"), "{}", checkpoint.head);
    for path in [
        "",
        "checkpoint/",
        "/checkpoint",
        "%63heckpoint",
        "tile/0/0",
        "tile/00/000",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/x000/000",
        "tile/0/000/",
        "tile/0/../0/000",
        "tile/0/255",
        "tile/0/001",
        "tile/1/000",
        "tile/1/000.p/2",
        "tile/2/000.p/1",
        "tile/63/000",
        "tile/7/x999/x999/x999/x999/x999/x999/999",
        "tile/8/0/000",
        "tile/data/000",
        "tile/entries/001",
        "tile/entries/000.p/256",
    ] {
        let answer = get(address, &format!("/log/{path}"));
        assert_eq!(answer.code, 404, "{path}");
        assert!(
            path.is_empty() || answer.head.contains("cache-control: no-store"),
            "{path}: {}",
            answer.head
        );
    }
    assert_eq!(send(address, "POST", "/log/checkpoint").code, 405);
    assert!(osel.stop().success());
    // Not everybody wants it told.
    osel.configure("[http]\nlisten = '127.0.0.1:0'\nserve_log = false\n");
    osel.start();
    osel.await_lines("HTTP answers", 2);
    let address = address_in(&osel.log());
    assert_eq!(get(address, "/healthz").code, 200);
    assert_eq!(get(address, "/log/checkpoint").code, 404);
    assert!(osel.stop().success());
}

#[test]
fn an_export_goes_on_where_it_was_and_takes_no_other_log() {
    let place = Place::new("log-export");
    let (store, log) = (place.path("store"), place.path("log"));
    let file = recording("dev-2026");
    let export = || run(&["log", "export", "--store", &store, &log]);
    let path = |name: &str| Path::new(&log).join(name);
    run(&["replay", "--store", &store, "--until", "400", &file]);
    export();
    let early = fs::read(path("checkpoint")).unwrap();
    let size =
        json_lines(&["log", "show", "--store", &store, "-o", "json"])[0]["tree_size"].as_u64().unwrap();
    assert!(size > 256 && size < 512, "{size}");
    let partial = format!("tile/0/001.p/{}", size - 256);
    assert!(path(&partial).is_file());
    // A full tile is not written again, even where it is not what it was; what a run that broke off left is.
    let full = path("tile/0/000");
    fs::write(&full, [0; 8192]).unwrap();
    let cut = place.path("cut");
    fs::create_dir(&cut).unwrap();
    fs::copy(format!("{store}/journal.db"), format!("{cut}/journal.db")).unwrap();
    run(&["replay", "--store", &store, &file]);
    fs::write(path("tile/entries/001"), b"").unwrap();
    fs::write(path("tile/0/001"), b"cut").unwrap();
    fs::write(path(".unfinished"), b"cut").unwrap();
    let said = export();
    assert_eq!(fs::read(&full).unwrap(), [0; 8192]);
    assert_eq!(fs::metadata(path("tile/0/001")).unwrap().len(), 8192);
    assert!(fs::metadata(path("tile/entries/001")).unwrap().len() > 0);
    assert!(!path(&partial).exists(), "who asks for it takes the full one");
    assert!(!path(".unfinished").exists());
    assert!(said.contains("files and the checkpoint written"), "{said}");
    // The earlier checkpoint is one that the log goes on from, by its size or as it was.
    let noted = place.write("early", &early);
    let by_file = json_lines(&["log", "prove", "--store", &store, "--since", &noted]);
    let by_size = json_lines(&["log", "prove", "--store", &store, "--since", &size.to_string()]);
    assert_eq!(by_file, by_size);
    assert_eq!(by_file[0]["since_size"].as_u64(), Some(size));
    assert_eq!(by_file[0]["checkpoint"].as_str().unwrap().as_bytes(), fs::read(path("checkpoint")).unwrap());
    // A checkpoint of another root, a tree that there is not.
    let text = String::from_utf8(early).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    lines[2] = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let forged = place.write("forged", format!("{}\n", lines.join("\n")));
    for (since, why) in [(&*forged, "another root"), ("99999999", "cannot go on")] {
        let output = osel(&["log", "prove", "--store", &store, "--since", since]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(output.stdout.is_empty() && error.contains(why), "{error}");
    }
    let (none, no_note) = (place.path("none"), place.write("no-note", "hello"));
    assert!(refused(3, &["log", "prove", "--store", &store, "--since", &none]).contains(&none));
    assert!(refused(2, &["log", "prove", "--store", &store, "--since", &no_note]).contains("no checkpoint"));
    // Another log, and the same one with its end cut: both leave the directory as it is.
    let before = fs::read(path("checkpoint")).unwrap();
    let other = place.path("other");
    run(&["replay", "--store", &other, "--until", "10", &file]);
    assert!(refused(2, &["log", "export", "--store", &other, &log]).contains("has the log"));
    assert!(refused(3, &["log", "export", "--store", &cut, &log]).contains("its end was cut"));
    assert_eq!(fs::read(path("checkpoint")).unwrap(), before);
}

#[test]
fn what_an_export_of_another_log_left_is_not_taken_for_this_one() {
    let place = Place::new("log-export-foreign");
    let (one, other) = (place.path("one"), place.path("other"));
    let (log, wanted) = (place.path("log"), place.path("wanted"));
    for store in [&one, &other] {
        run(&["replay", "--store", store, "--until", "400", &recording("dev-2026")]);
    }
    // It broke off before it wrote its checkpoint.
    run(&["log", "export", "--store", &other, &log]);
    fs::remove_file(Path::new(&log).join("checkpoint")).unwrap();
    for directory in [&log, &wanted] {
        run(&["log", "export", "--store", &one, directory]);
    }
    for name in ["tile/0/000", "tile/entries/000", "tile/1/000.p/1"] {
        let read = |directory: &str| fs::read(Path::new(directory).join(name)).unwrap();
        assert_eq!(read(&log), read(&wanted), "{name}");
    }
    // And what is there already is not written again.
    fs::remove_file(Path::new(&log).join("checkpoint")).unwrap();
    let said = run(&["log", "export", "--store", &one, &log]);
    assert!(said.contains(": 0 files and the checkpoint written"), "{said}");
}
