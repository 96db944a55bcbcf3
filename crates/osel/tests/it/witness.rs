//! Witnesses of the log: real processes on both sides, and a store that comes back shorter or other than it was seen.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use osel::witness::{MemoryError, Refusal, Witness, own_key};
use osel_core::trail::bundle::Checker;
use osel_core::trail::log::{Checkpoint, CosigningKey, Note, SigningKey, VerifierKey};
use osel_core::trail::{leaf_hash, tree_root};
use osel_core::witness::{AddCheckpoint, Refused};
use osel_sim::scanners::Reply;
use osel_sim::scanners::http::{Call, Served as HttpServed, Service};
use serde_json::Value;

use crate::broker::{free_port, until};
use crate::command::{Place, osel, program, run};
use crate::daemon::{Daemon, LIMIT};
use crate::http::{address_in, get};

pub(crate) const NAME: &str = "witness.example/w1";

/// `osel witness` as a process.
pub(crate) struct Served {
    name: &'static str,
    pub(crate) place: Place,
    pub(crate) port: u16,
    logs: Vec<String>,
    process: Option<Child>,
}

impl Served {
    pub(crate) fn new(place: &str, logs: &[&str]) -> Self {
        Self::called(NAME, place, logs)
    }

    pub(crate) fn called(name: &'static str, place: &str, logs: &[&str]) -> Self {
        Self {
            name,
            place: Place::new(place),
            port: free_port(),
            logs: logs.iter().map(|log| (*log).to_owned()).collect(),
            process: None,
        }
    }

    /// Its verifier key, made at the first time.
    pub(crate) fn key(&self) -> String {
        let key = run(&["witness", "--dir", &self.place.path("witness"), "--name", self.name, "--show-key"]);
        key.trim_end().to_owned()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The table of a log's side.
    pub(crate) fn table(&self) -> String {
        format!("[[witness]]\nkey = '{}'\nurl = '{}'\n", self.key(), self.url())
    }

    pub(crate) fn start(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.place.path("log")).unwrap();
        let mut command = program();
        command.args(["witness", "--dir", &self.place.path("witness"), "--listen"]);
        command.arg(format!("127.0.0.1:{}", self.port));
        for log in &self.logs {
            command.args(["--log", log]);
        }
        self.process = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap());
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.place.path("log")).unwrap_or_default()
    }

    /// The size of the last checkpoint that it remembers; 0 for none.
    pub(crate) fn seen(&self) -> u64 {
        let Ok(files) = fs::read_dir(self.place.path("witness")) else { return 0 };
        let mut paths = files.map(|file| file.unwrap().path());
        let note = paths.find(|path| path.extension().is_some_and(|ending| ending == "checkpoint"));
        note.map_or(0, |path| Checkpoint::read_unverified(&fs::read(path).unwrap()).unwrap().size)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A daemon whose log has the key of a file beside it, so that the key outlives the store.
pub(crate) fn daemon(name: &str, witness: &Served, log: &SigningKey) -> Daemon {
    daemon_shown_to(name, &witness.table(), log)
}

/// The same with the table of any witness.
pub(crate) fn daemon_shown_to(name: &str, table: &str, log: &SigningKey) -> Daemon {
    let daemon = Daemon::new(name, "");
    let key = daemon.place.write("log.key", log.text());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    daemon.configure(&format!("[trail]\nkey = {{ file = 'log.key' }}\n{table}"));
    daemon
}

pub(crate) fn log_key(seed: u8) -> SigningKey {
    SigningKey::from_seed(format!("log.example/{seed}").parse().unwrap(), &[seed; 32])
}

pub(crate) fn copy(from: &str, to: &str) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), Path::new(to).join(file.file_name())).unwrap();
        }
    }
}

/// What a store remembers of its witnesses.
fn witnessed(store: &str) -> Value {
    serde_json::from_str(&run(&["log", "show", "--store", store, "-o", "json"])).unwrap()
}

#[test]
fn a_store_that_was_rolled_back_as_a_whole_is_found_by_the_witness() {
    let key = log_key(1);
    let mut witness = Served::new("witness-rollback", &[&key.verifier().to_string()]);
    let mut daemon = daemon("witness-rollback-log", &witness, &key);
    witness.start();
    daemon.capture("bus.jsonl", "first", 30);
    daemon.start();
    daemon.await_lines("the log is witnessed", 1);
    daemon.await_received(30);
    until("the witness has seen the first ones", LIMIT, || witness.seen() >= 30);
    assert!(daemon.stop().success());
    let (store, copied) = (daemon.place.path("store"), daemon.place.path("copy"));
    copy(&store, &copied);
    daemon.capture("bus.jsonl", "second", 30);
    daemon.start();
    daemon.await_received(60);
    until("the witness has seen the second ones", LIMIT, || witness.seen() >= 60);
    assert!(daemon.stop().success());
    run(&["audit", "verify", "--store", &store]);
    // It is good in itself: nothing in it says that there was more.
    copy(&copied, &store);
    run(&["audit", "verify", "--store", &store]);
    let before = daemon.ledger();
    daemon.start();
    assert_eq!(daemon.ended().code(), Some(3));
    let log = daemon.log();
    assert!(log.contains("what followed was cut off"), "{log}");
    assert_eq!(daemon.ledger(), before, "nothing was taken");
}

#[test]
fn a_log_that_was_written_anew_is_found_by_the_witness_and_a_witness_that_is_away_by_its_line() {
    let key = log_key(2);
    let mut witness = Served::new("witness-rewritten", &[&key.verifier().to_string()]);
    let mut daemon = daemon("witness-rewritten-log", &witness, &key);
    // Nobody is there: the daemon goes on all the same.
    daemon.capture("bus.jsonl", "first", 30);
    daemon.start();
    daemon.await_lines("the witness is away", 1);
    daemon.await_received(30);
    witness.start();
    daemon.await_lines("the log is witnessed", 1);
    until("the witness has seen them", LIMIT, || witness.seen() >= 30);
    // Killed and started anew, it remembers.
    let seen = witness.seen();
    witness.kill();
    witness.start();
    daemon.capture("bus.jsonl", "second", 10);
    until("the witness has seen more", LIMIT, || witness.seen() > seen);
    until("the store remembers it", LIMIT, || {
        witnessed(&daemon.place.path("store"))["witnesses"][0]["size"].as_u64() > Some(seen)
    });
    assert!(daemon.stop().success());
    let shown = witnessed(&daemon.place.path("store"));
    assert_eq!(shown["witnesses"][0]["witness"], witness.key());
    let hash = osel_core::trail::Hash(sha256(key.verifier().name().as_str()));
    let note = get(([127, 0, 0, 1], witness.port).into(), &format!("/{hash}/checkpoint")).body;
    let known: VerifierKey = witness.key().parse().unwrap();
    assert!(Note::read(note.as_bytes()).unwrap().cosigned_at(&known).is_some(), "{note}");
    // The same key makes another log, as large.
    fs::remove_dir_all(daemon.place.path("store")).unwrap();
    fs::remove_file(daemon.place.path("bus.jsonl")).unwrap();
    daemon.capture("bus.jsonl", "third", 200);
    daemon.start();
    assert_eq!(daemon.ended().code(), Some(3));
    let log = daemon.log();
    assert!(log.contains("they were rewritten") || log.contains("what followed was cut off"), "{log}");
}

#[test]
fn a_checkpoint_is_shown_with_its_cosignatures() {
    let key = log_key(7);
    let mut witness = Served::new("witness-shown", &[&key.verifier().to_string()]);
    let mut daemon = daemon("witness-shown-log", &witness, &key);
    witness.start();
    daemon.capture("bus.jsonl", "first", 5);
    daemon.start();
    daemon.await_lines("HTTP answers", 1);
    daemon.await_received(5);
    let (address, known) = (address_in(&daemon.log()), witness.key().parse::<VerifierKey>().unwrap());
    until("the served checkpoint has the cosignature", LIMIT, || {
        let note = get(address, "/log/checkpoint").body;
        let seen = Note::read(note.as_bytes()).is_ok_and(|note| note.cosigned_at(&known).is_some());
        seen && Checkpoint::open(note.as_bytes(), &[key.verifier()]).unwrap().size >= 5
    });
    let (store, bundle) = (daemon.place.path("store"), daemon.place.path("trail.bundle"));
    let export = ["audit", "export", "--store", &store, "--bundle", &bundle, "--witnesses"];
    let output = osel(&[&export[..], &["1"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.ends_with(", cosigned by a witness\n"), "{said}");
    let mut checker = Checker::new(Some(key.verifier())).witnessed_by(vec![known], 1);
    for line in fs::read(&bundle).unwrap().split_inclusive(|&byte| byte == b'\n') {
        checker.push(line).unwrap();
    }
    let summary = checker.finish().unwrap();
    assert!(
        summary.checkpoint.size >= 5 && summary.witnesses[0].seconds > Some(1_700_000_000),
        "{summary:?}"
    );
    let output = osel(&[&export[..], &["2"]].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(said.contains("there is no checkpoint that 2 of the witnesses have cosigned"), "{said}");
    assert!(daemon.stop().success());
}

#[test]
fn what_several_witnesses_have_cosigned_is_exported_though_one_has_been_away_since() {
    let key = log_key(8);
    let log = key.verifier().to_string();
    let mut ada = Served::called("witness.example/ada", "witness-both-ada", &[&log]);
    let mut bea = Served::called("witness.example/bea", "witness-both-bea", &[&log]);
    let mut daemon = daemon("witness-both", &ada, &key);
    let tables = format!("[trail]\nkey = {{ file = 'log.key' }}\n{}{}", ada.table(), bea.table());
    daemon.configure(&tables);
    ada.start();
    bea.start();
    daemon.capture("bus.jsonl", "first", 5);
    daemon.start();
    daemon.await_lines("HTTP answers", 1);
    let address = address_in(&daemon.log());
    let known = [&ada, &bea].map(|witness| witness.key().parse::<VerifierKey>().unwrap());
    let both = |note: &[u8]| {
        Note::read(note).is_ok_and(|note| known.iter().all(|key| note.cosigned_at(key).is_some()))
    };
    until("both have cosigned what is served", LIMIT, || {
        both(get(address, "/log/checkpoint").body.as_bytes())
    });
    let (store, directory) = (daemon.place.path("store"), daemon.place.path("exported"));
    run(&["log", "export", "--store", &store, &directory]);
    assert!(both(&fs::read(Path::new(&directory).join("checkpoint")).unwrap()));
    let last = |witness: &Served| {
        let shown = witnessed(&store);
        let all = shown["witnesses"].as_array().unwrap();
        assert_eq!(all.len(), 2, "of each the last: {shown}");
        let of_it = all.iter().find(|one| one["witness"] == witness.key()).unwrap();
        of_it["size"].as_u64().unwrap()
    };
    let common = last(&bea);
    assert_eq!(last(&ada), common);
    bea.kill();
    daemon.capture("bus.jsonl", "second", 10);
    until("one has seen more", LIMIT, || last(&ada) > common);
    assert!(daemon.stop().success());
    assert_eq!(last(&bea), common);
    let bundle = daemon.place.path("trail.bundle");
    let export = ["audit", "export", "--store", &store, "--bundle", &bundle, "--witnesses"];
    for (wanted, said) in [("1", ", cosigned by a witness\n"), ("2", ", cosigned by 2 witnesses\n")] {
        let output = osel(&[&export[..], &[wanted]].concat());
        let found = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && found.ends_with(said), "{found}");
    }
    let mut checker = Checker::new(Some(key.verifier())).witnessed_by(known.to_vec(), 2);
    for line in fs::read(&bundle).unwrap().split_inclusive(|&byte| byte == b'\n') {
        checker.push(line).unwrap();
    }
    assert_eq!(checker.finish().unwrap().checkpoint.size, common);
    run(&["audit", "verify", "--store", &store]);
}

#[test]
fn several_processes_at_once_make_one_key() {
    let place = Place::new("witness-key-once");
    let folder = place.path("witness");
    fs::create_dir(&folder).unwrap();
    let begin = || {
        let mut command = program();
        command.args(["witness", "--dir", &folder, "--name", NAME, "--show-key"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let processes: Vec<Child> = (0..8).map(|_| begin()).collect();
    let keys: Vec<String> = processes
        .into_iter()
        .map(|process| String::from_utf8(process.wait_with_output().unwrap().stdout).unwrap())
        .collect();
    let kept = run(&["witness", "--dir", &folder, "--show-key"]);
    assert!(keys.iter().all(|key| *key == kept), "{keys:?} {kept}");
}

pub(crate) fn sha256(text: &str) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(text).into()
}

/// Whoever stands between a log and its witness: it has no key, and disputes everything.
struct Disputes;

impl Service for Disputes {
    fn answer(&mut self, call: &Call) -> Reply {
        match call.method.as_str() {
            "POST" => Reply::text(409, "text/x.tlog.size", "4711\n"),
            _ => Reply::text(404, "text/plain", "nothing is signed"),
        }
    }
}

#[test]
fn a_refusal_that_no_witness_has_signed_is_told_to_somebody_and_stops_nothing() {
    let between = HttpServed::start(Disputes, None).unwrap();
    let witness = CosigningKey::from_seed(NAME.parse().unwrap(), &[9; 32]).verifier();
    let mut daemon = Daemon::new("witness-disputed", "");
    daemon.configure(&format!("[[witness]]\nkey = '{witness}'\nurl = '{}'\n", between.url));
    daemon.capture("bus.jsonl", "first", 3);
    daemon.start();
    daemon.await_lines("the witness disputes the log", 1);
    daemon.capture("bus.jsonl", "second", 3);
    daemon.await_received(6);
    assert!(daemon.stop().success());
}

#[test]
fn a_witness_that_does_not_know_the_log_is_told_to_somebody() {
    let key = log_key(3);
    let mut witness = Served::new("witness-unknown", &[&log_key(4).verifier().to_string()]);
    let mut daemon = daemon("witness-unknown-log", &witness, &key);
    witness.start();
    daemon.capture("bus.jsonl", "first", 3);
    daemon.start();
    daemon.await_lines("the witness and we do not know each other", 1);
    daemon.await_received(3);
    assert!(daemon.stop().success());
    assert_eq!(witness.seen(), 0);
    assert!(!witness.log().contains("panicked"));
}

#[test]
fn what_is_asked_for_wrongly_is_refused() {
    let place = Place::new("witness-usage");
    let folder = place.path("witness");
    let log = log_key(5).verifier().to_string();
    let nameless = osel(&["witness", "--dir", &folder, "--show-key"]);
    assert!(String::from_utf8_lossy(&nameless.stderr).contains("--name"), "{nameless:?}");
    let key = run(&["witness", "--dir", &folder, "--name", NAME, "--show-key"]);
    assert_eq!(run(&["witness", "--dir", &folder, "--show-key"]), key);
    for (arguments, wanted) in [
        (vec!["witness", "--dir", &folder], "--log is missing"),
        (vec!["witness", "--dir", &folder, "--log", key.trim_end()], "is the key of a witness"),
        (vec!["witness", "--dir", &folder, "--log", &log, "--name", "other"], "is of the witness"),
        (vec!["witness", "--dir", &folder, "--log", "x"], "a key is written"),
    ] {
        let refused = osel(&arguments);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains(wanted), "{arguments:?}: {said}");
    }
    fs::set_permissions(Path::new(&folder).join("witness.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let open = osel(&["witness", "--dir", &folder, "--show-key"]);
    assert!(String::from_utf8_lossy(&open.stderr).contains("chmod 600"), "{open:?}");
}

fn request(old: u64, size: u64) -> AddCheckpoint {
    let leaves = (0..size).map(|index: u64| leaf_hash(&index.to_be_bytes()));
    let origin = log_key(6).verifier().name().clone();
    let checkpoint = Checkpoint { origin, size, root: tree_root(leaves) };
    AddCheckpoint { old, proof: Vec::new(), note: checkpoint.sign(&log_key(6)) }
}

fn memory(folder: &Path) -> Result<Witness, MemoryError> {
    let key = CosigningKey::from_seed(NAME.parse().unwrap(), &[9; 32]);
    Witness::open(folder, key, vec![log_key(6).verifier()])
}

#[test]
fn what_was_cosigned_is_remembered_and_nothing_else_is() {
    let place = Place::new("witness-memory");
    let folder = Path::new(&place.path("")).to_owned();
    let mut witness = memory(&folder).unwrap();
    assert!(matches!(memory(&folder), Err(MemoryError::InUse { .. })));
    let cosigned = witness.add(&request(0, 3), 1_700_000_000).unwrap();
    assert_eq!(cosigned.size, 3);
    let conflict = witness.add(&request(0, 5), 1_700_000_001);
    assert!(matches!(conflict, Err(Refusal::Refused(Refused::Conflict { seen: 3 }))));
    drop(witness);
    let mut witness = memory(&folder).unwrap();
    let conflict = witness.add(&request(0, 5), 1_700_000_002);
    assert!(matches!(conflict, Err(Refusal::Refused(Refused::Conflict { seen: 3 }))));
    // Signatures by people that nobody knows are not kept, however many there are.
    let mut noted = request(3, 3);
    let more = CosigningKey::from_seed("somebody.example".parse().unwrap(), &[7; 32]);
    let text = Note::read(noted.note.as_bytes()).unwrap().text.to_owned();
    noted.note.push_str(&more.cosign(&text, 1));
    witness.add(&noted, 1_700_000_003).unwrap();
    let hash = osel_core::trail::Hash(sha256(log_key(6).verifier().name().as_str())).to_string();
    assert!(!witness.latest(&hash).unwrap().contains("somebody.example"));
    assert_eq!(witness.latest("00"), None);
    drop(witness);
    // A memory that was changed is not taken for one that is empty.
    let file = folder.join(format!("{hash}.checkpoint"));
    let good = fs::read(&file).unwrap();
    let begin = good.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
    let log_line = begin..begin + good[begin..].iter().position(|byte| *byte == b'\n').unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&file, &bad).unwrap();
        // The log's own line is kept for others to see: this witness goes by its own.
        assert!(memory(&folder).is_err() || log_line.contains(&at), "byte {at}");
    }
    fs::write(&file, &good[..good.len() / 2]).unwrap();
    assert!(memory(&folder).is_err());
    fs::write(&file, &good).unwrap();
    assert!(memory(&folder).is_ok());
    assert!(own_key(&folder, None).is_err());
}
